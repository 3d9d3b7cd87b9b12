//go:build !js

package app

import (
	"html"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	goapp "github.com/maxence-charriere/go-app/v9/pkg/app"
	"go.uber.org/goleak"

	"starling/app/state"
	"starling/ozeki"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)

const (
	annaID = ozeki.ConversationID("8ca16186c36a4e0a1ef2096e6c60b613")
	meID   = ozeki.UserID("d574636c19cbff603bf857164c47e850")
)

// render gives a component's markup.
func render(t *testing.T, c goapp.UI) string {
	t.Helper()
	d := goapp.NewClientTester(c)
	defer d.Close()
	d.Consume()
	return goapp.HTMLString(c)
}

// page renders the whole page of a snapshot.
func page(t *testing.T, s *state.Snapshot) string {
	t.Helper()
	return render(t, &root{snap: s, list: newIsland(nil), log: newTimeline(nil), made: []string{
		dialogNewConversation, dialogNewGroup, dialogGroup, dialogLeaveGroup, dialogWorkspaces, dialogInvite, dialogSettings, dialogHidden, dialogAsk, dialogPicture, dialogShortcuts,
	}})
}

// element is a start tag. The order of attributes in go-app's markup is random.
type element struct {
	tag  string
	attr map[string]string
	text string // that follows it up to the next tag
}

var (
	startTag = regexp.MustCompile(`<([a-z][a-z0-9]*)((?:\s+[^\s=>]+(?:="[^"]*")?)*)\s*/?>([^<]*)`)
	oneAttr  = regexp.MustCompile(`([^\s=]+)(?:="([^"]*)")?`)
)

func parse(markup string) (all []element) {
	for _, m := range startTag.FindAllStringSubmatch(markup, -1) {
		e := element{tag: m[1], attr: map[string]string{}, text: strings.TrimSpace(html.UnescapeString(m[3]))}
		for _, a := range oneAttr.FindAllStringSubmatch(m[2], -1) {
			e.attr[a[1]] = html.UnescapeString(a[2])
			if strings.HasPrefix(a[1], "aria-") && !strings.Contains(a[0], "=") {
				e.attr[a[1]] = "true" // the framework's text leaves it out, the page has it
			}
		}
		all = append(all, e)
	}
	return all
}

// find gives the elements of a tag with an accessible name: aria-label or the text in them. "" is any.
func find(markup, tag, name string) (found []element) {
	for _, e := range parse(markup) {
		if e.tag == tag && (name == "" || e.attr["aria-label"] == name || e.text == name) {
			found = append(found, e)
		}
	}
	return found
}

func one(t *testing.T, markup, tag, name string) element {
	t.Helper()
	found := find(markup, tag, name)
	if len(found) != 1 {
		t.Errorf("there are %d %s %q in %s", len(found), tag, name, markup)
		return element{attr: map[string]string{}}
	}
	return found[0]
}

func anna(change ...func(*state.Snapshot)) *state.Snapshot {
	row := state.Row{ID: annaID, Name: "Anna", Favorite: true, Active: noon}
	s := &state.Snapshot{
		Phase: state.SignedIn, User: state.User{ID: meID, Name: "Me Myself"}, Loaded: true, Total: 1, Favorites: []*state.Row{&row},
		Open: &state.Open{Row: row, Known: true, CanWrite: true},
	}
	for _, f := range change {
		f(s)
	}
	return s
}

func TestTheSidebarAndTheConversationHaveTheirNames(t *testing.T) {
	m := page(t, anna())
	one(t, m, "nav", "Conversations")
	one(t, m, "button", "New conversation")
	one(t, m, "button", "Settings")
	if e := one(t, m, "input", "Filter conversations"); e.attr["type"] != "search" {
		t.Errorf("the filter is %v", e)
	}
	one(t, m, "h1", "Anna")
	if e := one(t, m, "button", "Favorite Anna"); e.attr["aria-pressed"] != "true" {
		t.Errorf("the star is %v", e)
	}
	one(t, m, "textarea", "Message Anna")
	one(t, m, "button", "Send")
	one(t, m, "button", "Sign out")
}

func TestAStarOnItsWayOrWaitingSaysSo(t *testing.T) {
	for phase, want := range map[state.FlagPhase][2]string{
		state.FlagSettled: {"", ""}, state.FlagPending: {"pending", "Saving"}, state.FlagQueued: {"queued", "Saved on this device, sent when the connection is back"},
	} {
		m := page(t, anna(func(s *state.Snapshot) { s.Open.Row.Star = phase; s.Open.Row.Favorite = false }))
		e := one(t, m, "button", "Favorite Anna")
		if e.attr["data-way"] != want[0] || e.attr["aria-description"] != want[1] || e.attr["aria-pressed"] != "false" {
			t.Errorf("phase %v: the star is %v", phase, e)
		}
	}
}

func TestOfflineTroubleAndEmptinessAreToldWithAWayOut(t *testing.T) {
	m := page(t, anna(func(s *state.Snapshot) { s.Offline = true; s.Trouble = "The server cannot be reached." }))
	if e := one(t, m, "p", "Offline"); e.attr["role"] != "status" {
		t.Errorf("offline is told by %v", e)
	}
	if !strings.Contains(m, "could not be loaded. The server cannot be reached.") {
		t.Error("the list's trouble is not told")
	}
	one(t, m, "button", "Try again")

	m = page(t, &state.Snapshot{Phase: state.SignedIn, Loaded: true})
	one(t, m, "button", "Start a conversation")
	if m = page(t, &state.Snapshot{Phase: state.SignedIn, Loaded: true, Total: 1}); !strings.Contains(m, "Choose a conversation.") {
		t.Error("nobody says what to do")
	}
	m = page(t, &state.Snapshot{Phase: state.SignedOut, Offline: true})
	if strings.Contains(m, `aria-label="Offline"`) || strings.Contains(m, `aria-label="Messages"`) {
		t.Error("who is signed out is shown what is not his")
	}
	m = page(t, anna(func(s *state.Snapshot) { s.Open.Known = false }))
	if !strings.Contains(m, "not among yours") {
		t.Error("a link that leads nowhere is not explained")
	}
	m = page(t, anna(func(s *state.Snapshot) { s.Open.CanWrite = false; s.Open.Row.Trouble = true }))
	if len(find(m, "textarea", "")) != 0 || !strings.Contains(m, "does not open with your key") {
		t.Error("a conversation that does not open does not say so")
	}
}

func TestNamesAreTextAndNeverMarkup(t *testing.T) {
	evil := []string{
		`<script>alert(1)</script>`, `<img src=x onerror=alert(1)>`, `"><svg onload=alert(1)>`, `</p></article></main><h1>Mine</h1>`, `&lt;b&gt; & &amp;`,
		`javascript:alert(1)`, `<!-- comment`, `<a href="tel:1">call</a>`,
	}
	for _, text := range evil {
		m := page(t, anna(func(s *state.Snapshot) {
			s.User.Name, s.Open.Row.Name = text, text
			s.Notices = []state.Notice{{ID: 1, Kind: state.NoticeUndo, Text: text}}
			s.Friends, s.FriendsLoaded, s.Extensions = []state.Friend{{ID: "f", Name: text}}, true, []string{ozeki.ExtConversationCreate}
		}))
		for _, tag := range []string{"script", "img", "h1 ", "a "} {
			if tag != "a " && tag != "h1 " && len(find(m, tag, "")) != 0 {
				t.Errorf("%q has become a %s", text, tag)
			}
		}
		for _, e := range parse(m) {
			for name := range e.attr {
				if strings.HasPrefix(name, "onerror") || strings.HasPrefix(name, "onload") {
					t.Errorf("%q has become the attribute %s", text, name)
				}
			}
			if e.tag == "a" && e.attr["href"] != "/" {
				t.Errorf("%q has become a link to %q", text, e.attr["href"])
			}
		}
		if n := len(find(m, "h1", "")); n != 1 {
			t.Errorf("%q has become one of %d headings", text, n)
		}
		if strings.Count(html.UnescapeString(m), text) < 4 {
			t.Errorf("%q is not shown as it was written", text)
		}
	}
}

func TestAnUndoNoticeHasItsButtonAndAnErrorHasNone(t *testing.T) {
	m := render(t, &noticeList{Notices: []state.Notice{{ID: 1, Kind: state.NoticeUndo, Text: "Anna removed from favorites."}, {ID: 2, Kind: state.NoticeError, Text: "No."}}, Actions: &root{}})
	one(t, m, "button", "Undo")
	if n := len(find(m, "button", "Dismiss")); n != 2 {
		t.Errorf("%d notices can be dismissed", n)
	}
}

func TestTheBrowserProgramHoldsNothingOfTheServer(t *testing.T) {
	if testing.Short() {
		t.Skip("lists packages")
	}
	cmd := exec.Command("go", "list", "-deps", "-f", "{{.ImportPath}}:{{join .Imports \",\"}}", "./wasm")
	cmd.Dir, cmd.Env = "..", append(cmd.Environ(), "GOOS=js", "GOARCH=wasm", "CGO_ENABLED=0")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, "starling/app:") }) {
		t.Fatal("the program does not hold the app")
	}
	for _, line := range lines {
		name, imports, _ := strings.Cut(line, ":")
		for _, never := range []string{"starling/chatserver", "starling/web", "modernc.org", "testing", "github.com/coder/websocket", "github.com/klauspost", "github.com/andybalholm"} {
			if name == never || strings.HasPrefix(name, never+"/") || name == "database/sql" {
				t.Errorf("the program holds %s", name)
			}
		}
		for _, large := range []string{"net/http", "encoding/json"} {
			if strings.HasPrefix(name, "starling/") && slices.Contains(strings.Split(imports, ","), large) {
				t.Errorf("%s imports %s", name, large)
			}
		}
		if strings.HasPrefix(name, "starling/app/state") && (strings.Contains(imports, "syscall/js") || strings.Contains(imports, "go-app")) {
			t.Errorf("%s imports %s", name, imports)
		}
	}
}
