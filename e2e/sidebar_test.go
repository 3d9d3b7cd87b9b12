package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// mouse moves the mouse, presses or releases its button.
func (p *person) mouse(kind input.MouseType, x, y float64) {
	p.t.Helper()
	p.run(chromedp.ActionFunc(input.DispatchMouseEvent(kind, x, y).WithButton(input.Left).WithButtons(1).WithClickCount(1).Do))
}

// finger puts a finger down, moves it, or with no point lifts it.
func (p *person) finger(kind input.TouchType, points ...float64) {
	p.t.Helper()
	touches := []*input.TouchPoint{}
	if len(points) == 2 {
		touches = append(touches, &input.TouchPoint{X: points[0], Y: points[1]})
	}
	p.run(input.DispatchTouchEvent(kind, touches))
}

// SeeOrder waits until the favorites stand in an order.
func (p *person) SeeOrder(want []string) {
	p.t.Helper()
	p.eventually("the favorites stand in order", func() error {
		now, err := p.namesIn("Favorites")
		if err != nil || !slices.Equal(now, want) {
			return fmt.Errorf("the order is %q, want %q, %w", now, want, err)
		}
		return nil
	})
}

// A favorite is dragged to another place with the mouse; Escape leaves it, and a click is still a click.
func TestFavoritesAreDraggedByMouse(t *testing.T) {
	t.Parallel()
	p := newAlice(newPerson(t, startDemo(t).URL))
	before := p.Favorites()
	x, y := p.link(before[0]).at()
	_, to := p.link(before[2]).at()
	drag := func() {
		p.mouse(input.MouseMoved, x, y)
		p.mouse(input.MousePressed, x, y)
		for i := range 10 {
			p.mouse(input.MouseMoved, x, y+(to-y)*float64(i+1)/10)
		}
	}
	drag()
	p.press(kb.Escape)
	p.Hear(before[0] + " stays where it was")
	p.mouse(input.MouseReleased, x, to)
	p.SeeOrder(before)
	drag()
	p.mouse(input.MouseReleased, x, to)
	p.Hear(before[0] + " is now favorite 3 of ")
	want := append([]string{before[1], before[2], before[0]}, before[3:]...)
	p.SeeOrder(want)
	if err := p.holds(`location.search === ""`); err != nil {
		t.Errorf("the drag was a click, too: %v", err)
	}
	p.Reload()
	p.SeeOrder(want)
	p.OpenConversation(before[0])
}

// With a finger a favorite is dragged after a long press; a long press alone opens the menu, and a quick move neither.
func TestFavoritesAreDraggedByTouch(t *testing.T) {
	t.Parallel()
	p := newPerson(t, startDemo(t).URL)
	p.width(360, 740)
	p.run(emulation.SetTouchEmulationEnabled(true))
	newAlice(p)
	before := p.Favorites()
	x, y := p.link(before[0]).at()
	_, to := p.link(before[1]).at()
	lifted := func() {
		p.eventually("the row is lifted", func() error { return p.holds(`!!document.querySelector(".row.lifted")`) })
	}

	p.finger(input.TouchStart, x, y)
	lifted()
	p.finger(input.TouchEnd)
	p.SeeMenu("More for " + before[0])
	p.press(kb.Escape)
	p.dontSee("menu", "")

	p.finger(input.TouchStart, x, y)
	lifted()
	for i := range 10 {
		p.finger(input.TouchMove, x, y+(to-y)*float64(i+1)/10)
	}
	p.finger(input.TouchEnd)
	p.Hear(before[0] + " is now favorite 2 of ")
	p.SeeOrder(append([]string{before[1], before[0]}, before[2:]...))
	if err := p.none(nil, "menu", ""); err != nil {
		t.Error(err)
	}

	p.finger(input.TouchStart, x, y)
	p.finger(input.TouchMove, x, y+30)
	p.finger(input.TouchMove, x, y+60)
	p.finger(input.TouchEnd)
	if err := p.holds(`!document.querySelector(".lifted, .dragged, .menu")`); err != nil {
		t.Errorf("a quick move is taken for a drag: %v", err)
	}
	p.tap(p.link(before[0]))
	p.SeeConversation(before[0])
}

// Parts of names without their diacritics find a conversation, and Enter opens what fits best.
func TestFilterIsAQuickSwitcher(t *testing.T) {
	t.Parallel()
	p := newAlice(newPerson(t, startDemo(t).URL))
	for _, c := range []struct{ typed, opens string }{{"jogo", "João Gonçalves"}, {"pri", "Priya Raman"}, {"gross", "Jürgen Groß"}} {
		p.press("k", ctrl)
		p.SeeFocus("Filter conversations")
		p.typeText(c.typed)
		p.press(kb.Enter)
		p.SeeConversation(c.opens)
		if got := p.see("searchbox", "Filter conversations").value(); got != "" {
			t.Errorf("the filter still has %q", got)
		}
	}
	p.press("k", ctrl)
	p.typeText("priya")
	p.press(kb.ArrowDown)
	p.SeeFocus("Priya Raman")
	p.press(kb.Enter)
	p.SeeConversation("Priya Raman")
}

// The button Unread leaves what has nothing unread out, and keeps the sections and the open conversation.
func TestUnreadOnlyShowsWhatIsUnread(t *testing.T) {
	t.Parallel()
	p := newPerson(t, startDemo(t).URL)
	p.Visit("/")
	p.CreateAccount("Nora Newcomb", "nora@example.com", "correct horse battery")
	p.StartConversation("bob@example.com", "Bob Baker")
	p.StartConversation("alice@example.com", "Alice Ashford")
	button := func() *element { return p.see("button", "Unread") }
	if on := button().attr("aria-pressed"); on != "false" {
		t.Errorf("aria-pressed=%q", on)
	}
	button().click()
	p.eventually("only the open conversation is left", func() error {
		if all, err := p.namesIn("Conversations"); err != nil || !slices.Equal(all, []string{"Alice Ashford"}) {
			return fmt.Errorf("%q, %w", all, err)
		}
		return nil
	})
	if on := button().attr("aria-pressed"); on != "true" {
		t.Errorf("aria-pressed=%q", on)
	}
	p.Visit("/")
	p.SeeSidebar()
	button().click()
	p.SeeWords("Nothing is unread.")
	button().click()
	p.eventually("all are there", func() error {
		if all, err := p.namesIn("Conversations"); err != nil || len(all) != 2 {
			return fmt.Errorf("%q, %w", all, err)
		}
		return nil
	})
}

// Who is blocked cannot write, and hears why; who blocks cannot write either until it is taken back.
func TestBlockedPeopleCannotWrite(t *testing.T) {
	t.Parallel()
	server := startDemo(t)
	wire := newLine(t, server.URL)
	p, other := newAlice(newPerson(t, wire.URL)), newPerson(t, server.URL)
	other.Visit("/")
	other.SignIn(bob, demoPassword)
	other.OpenConversation("Alice Ashford")
	p.OpenConversation("Bob Baker")

	p.FromMenu("Bob Baker", "Block Bob Baker…")
	dialog := p.see("alertdialog", "Block Bob Baker?")
	p.seeIn(dialog, "button", "Cancel").click()
	p.dontSee("alertdialog", "Block Bob Baker?")
	p.see("textbox", "Message Bob Baker")
	p.FromMenu("Bob Baker", "Block Bob Baker…")
	p.seeIn(p.see("alertdialog", "Block Bob Baker?"), "button", "Block").click()
	p.Hear("Bob Baker is blocked")
	p.SeeWords("You have blocked Bob Baker. Unblock to write.")
	p.dontSee("textbox", "Message Bob Baker")

	other.Say("Alice Ashford", "Are you cross with me?")
	other.SeeWords("Not sent. This person does not accept messages from you.")

	// It is on the list, from where it is taken back.
	p.see("button", "Settings").click()
	p.see("button", "Hidden and blocked").click()
	p.see("button", "Unblock: Bob Baker").click()
	p.SeeWords("Nobody is blocked.")
	p.press(kb.Escape)
	p.see("textbox", "Message Bob Baker")
	other.see("button", "Try again").click()
	p.SeeMessage("Are you cross with me?")

	for _, action := range []string{"block", "unblock", "blocklist"} {
		sent := wire.all(action)
		if len(sent) == 0 || sent[0].URI != "/ozeki/index.php?srv=chatserver&api=chatblocklist" || !hex32.MatchString(sent[0].Header.Get("Ozeki-User")) {
			t.Fatalf("%s: %+v", action, sent)
		}
	}
	if body := string(wire.all("block")[0].Body); !strings.Contains(body, `"userid":"`) {
		t.Errorf("block is sent as %s", body)
	}
}

// What is hidden is listed in the settings, from where it comes back.
func TestHiddenIsListedInTheSettings(t *testing.T) {
	t.Parallel()
	p := newAlice(newPerson(t, startDemo(t).URL))
	p.FromMenu("Priya Raman", "Hide")
	p.see("button", "Settings").click()
	p.see("button", "Hidden and blocked").click()
	p.JudgeAccess("hidden and blocked", func() {
		p.see("dialog", "Hidden and blocked")
		p.see("button", "Show again: Priya Raman")
	})
	p.see("button", "Show again: Priya Raman").click()
	p.dontSee("button", "Show again: Priya Raman")
	p.press(kb.Escape)
	p.SeeRow("Priya Raman", "Conversations", "")
}

// Everybody can use what blocks, and what stands in the composer's place then.
func TestBlockingIsAccessible(t *testing.T) {
	t.Parallel()
	p := newAlice(newPerson(t, startDemo(t).URL))
	p.OpenConversation("Bob Baker")
	p.FromMenu("Bob Baker", "Block Bob Baker…")
	p.JudgeAccess("question", func() { p.see("alertdialog", "Block Bob Baker?") })
	p.seeIn(p.see("alertdialog", "Block Bob Baker?"), "button", "Block").click()
	p.JudgeAccess("blocked", func() { p.SeeWords("Unblock to write.") })
}

// Each conversation that was opened is a step of the browser's history under its own name, even where two were opened at once; a step
// back goes to the one before, and from the first one to the list, however soon it comes.
func TestEachConversationIsAStepOfTheHistory(t *testing.T) {
	t.Parallel()
	p := newAlice(newPerson(t, startDemo(t).URL))
	names := p.Favorites()[:3]
	open := func(then string, names ...string) {
		script := ""
		for _, name := range names {
			script += fmt.Sprintf(`[...document.querySelectorAll("#lists .row a")].find((a) => a.querySelector(".name").textContent === %q).click();`, name)
		}
		p.js("(() => {"+script+then+"})()", nil)
	}
	at := func(name string) {
		p.eventually("the page is at "+name, func() error {
			return p.holds(fmt.Sprintf(`document.title.endsWith(%q) && (location.search === "") === %t`, name+"Starling", name == ""))
		})
	}
	open("", names[0])
	at(names[0] + " · ")
	open("", names[1], names[2])
	at(names[2] + " · ")
	var entries []*page.NavigationEntry
	p.run(chromedp.ActionFunc(func(ctx context.Context) (err error) {
		_, entries, err = page.GetNavigationHistory().Do(ctx)
		return err
	}))
	for i, name := range names {
		if e := entries[len(entries)-3+i]; !strings.HasSuffix(e.Title, name+" · Starling") || !strings.Contains(e.URL, "?c=") {
			t.Errorf("step %d of the history is %q at %s, want %s", i, e.Title, e.URL, name)
		}
	}
	p.js("history.back()", nil)
	at(names[1] + " · ")
	p.SeeConversation(names[1])
	p.js("history.go(-2)", nil)
	at("")
	open("history.back()", names[2])
	at("")
	p.SeeOrder(p.Favorites())
}
