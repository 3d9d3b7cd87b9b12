//go:build !js

package app

import (
	"context"
	"fmt"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	goapp "github.com/maxence-charriere/go-app/v9/pkg/app"

	"starling/app/engine"
	"starling/app/state"
	"starling/chatserver"
	"starling/chatserver/store"
	"starling/ozeki"
)

// pressed are the keys of the shortcuts that root.key takes wherever the focus is, as the page tells of them.
var pressed = map[string][]key{
	"star-open": {{Name: "F", Code: "KeyF", Alt: true, Shift: true}, {Name: "Ï", Code: "KeyF", Alt: true, Shift: true, Typing: true, Text: true}},
	"favorite":  {{Name: "1", Code: "Digit1", Alt: true}, {Name: "¡", Code: "Digit9", Alt: true, Typing: true}},
	"up":        {{Name: "ArrowUp", Code: "ArrowUp", Alt: true, Shift: true}},
	"down":      {{Name: "ArrowDown", Code: "ArrowDown", Alt: true, Shift: true}},
	"filter":    {{Name: "k", Code: "KeyK", Ctrl: true}, {Name: "k", Code: "KeyK", Meta: true, Typing: true}},
	"undo":      {{Name: "z", Code: "KeyZ", Ctrl: true}, {Name: "z", Code: "KeyZ", Meta: true, Typing: true}},
	"list":      {{Name: "?", Code: "Slash", Shift: true}},
	"star-row":  nil, // only with the focus in a row
}

// keyboard is a root with a conversation that can be unfavorited, over a server that is not there.
func keyboard(t *testing.T) *root {
	t.Helper()
	s := start(t, engine.Options{
		Client: ozeki.NewClient(ozeki.Options{Base: "http://127.0.0.1:1", Transport: nobody{}}),
		After:  func(time.Duration, func()) func() { return func() {} },
	})
	r, d := s.root, s.d
	t.Cleanup(func() {
		r.engine.Close()
		d.Close()
	})
	r.snap = anna()
	return r
}

type nobody struct{}

func (nobody) Post(context.Context, string, map[string]string, []byte) (*ozeki.Response, error) {
	return nil, ozeki.ErrUnreachable
}

func TestTheListOfShortcutsTellsTheTruth(t *testing.T) {
	r := keyboard(t)
	listedIDs := 0
	for _, s := range shortcuts {
		if s.id == "" {
			continue
		}
		listedIDs++
		keys, known := pressed[s.id]
		if !known {
			t.Errorf("the shortcut %q is listed, and this test does not know it", s.keys)
		}
		for _, k := range keys {
			took := r.key(k)
			if s.id == "undo" { // only if there is something to undo, else the browser has it
				took = !took
			}
			if !took {
				t.Errorf("%q is listed, but %+v does nothing", s.keys, k)
			}
		}
	}
	if listedIDs != len(pressed) {
		t.Errorf("%d shortcuts are listed, want %d", listedIDs, len(pressed))
	}
	if !r.key(key{Name: "Enter", Code: "Enter", Target: "composer", Typing: true}) {
		t.Error("Enter does not send")
	}
	// Nothing else is taken away from the browser and from typing.
	listed := func(k key) bool {
		command := k.Ctrl || k.Meta
		switch k.Code {
		case "KeyF", "ArrowUp", "ArrowDown":
			return k.Alt && k.Shift && !command
		case "Digit1":
			return k.Alt && !k.Shift && !command
		case "KeyK":
			return command && !k.Alt && !k.Shift
		case "Slash":
			return !command && !k.Typing
		}
		return false
	}
	bit := func(n, b int) bool { return n>>b&1 == 1 }
	for _, k := range []key{
		{Name: "a", Code: "KeyA"}, {Name: "f", Code: "KeyF"}, {Name: "k", Code: "KeyK"}, {Name: "z", Code: "KeyZ"}, {Name: "1", Code: "Digit1"}, {Name: "0", Code: "Digit0"},
		{Name: "?", Code: "Slash"}, {Name: "Enter", Code: "Enter"}, {Name: "Escape", Code: "Escape"}, {Name: "ArrowUp", Code: "ArrowUp"}, {Name: "ArrowLeft", Code: "ArrowLeft"},
		{Name: "Tab", Code: "Tab"}, {Name: "Unidentified"}, {Name: "F5", Code: "F5"},
	} {
		for n := range 128 {
			k.Ctrl, k.Alt, k.Shift, k.Meta, k.Typing, k.Text, k.Modal = bit(n, 0), bit(n, 1), bit(n, 2), bit(n, 3), bit(n, 4), bit(n, 5), bit(n, 6)
			if r.key(k) && (k.Modal || !listed(k)) {
				t.Errorf("%+v is taken, and no shortcut says so", k)
			}
		}
	}
	for _, phase := range []state.Phase{state.Starting, state.SignedOut} {
		r.snap = anna(func(s *state.Snapshot) { s.Phase = phase })
		if r.key(key{Name: "k", Code: "KeyK", Ctrl: true}) {
			t.Error("shortcuts work before anybody is signed in")
		}
	}
	m := render(t, &shortcutsDialog{})
	for _, s := range shortcuts {
		one(t, m, "kbd", keyWords(s.keys))
	}
}

func TestPeopleChooseTheirOwnKeys(t *testing.T) {
	r := keyboard(t)
	t.Cleanup(func() { prefs.Clear() })
	press := func(k key) { r.key(k) }
	change := func(id string, k key) string {
		r.recording = id
		press(key{Name: "Control", Ctrl: true}) // a modifier alone is no key yet
		_, words := r.keys.with(id, comboOf(k))
		press(k)
		return words
	}
	if words := change("filter", key{Name: "j", Code: "KeyJ", Ctrl: true}); words != "" {
		t.Errorf("Ctrl+J is refused: %s", words)
	}
	if r.recording != "" || !r.key(key{Name: "j", Code: "KeyJ", Ctrl: true}) || r.key(key{Name: "k", Code: "KeyK", Ctrl: true}) {
		t.Error("Ctrl+J does not filter, or Ctrl+K still does")
	}
	if words := change("undo", key{Name: "j", Code: "KeyJ", Ctrl: true}); !strings.Contains(words, "taken: Filter conversations") || r.recording != "undo" {
		t.Errorf("keys that are taken: %q, recording %q", words, r.recording)
	}
	press(key{Name: "Escape", Code: "Escape"})
	if r.recording != "" {
		t.Error("Escape does not end it")
	}
	for _, k := range []key{{Name: "Enter", Code: "Enter"}, {Name: "ArrowUp", Code: "ArrowUp"}, {Name: " ", Code: "Space"}} {
		if words := change("list", k); !strings.Contains(words, "something else") {
			t.Errorf("%+v is taken: %q", k, words)
		}
	}
	if words := change("favorite", key{Name: "x", Code: "KeyX", Ctrl: true}); !strings.Contains(words, "digit") {
		t.Errorf("favorites without a digit: %q", words)
	}
	if words := change("favorite", key{Name: "3", Code: "Digit3", Ctrl: true}); words != "" || !r.key(key{Name: "1", Code: "Digit1", Ctrl: true}) {
		t.Errorf("favorites with Ctrl: %q", words)
	}
	kept := parseKeymap(pref("shortcuts"))
	if kept.String() != r.keys.String() || kept["filter"] != "Ctrl+J" || kept["favorite"] != "Ctrl+1" {
		t.Errorf("kept: %q", kept)
	}
	if m := parseKeymap("filter Ctrl+Z\nnothing Ctrl+Y\nlist\n\x00"); m["filter"] != "" {
		t.Errorf("damaged preferences give %v", m)
	}
	r.changeKeys(keymap{}, "")
	if !r.key(key{Name: "k", Code: "KeyK", Ctrl: true}) || pref("shortcuts") != "" {
		t.Error("the keys are not as they were")
	}
}

// host is the root as a browser mounts it.
type host struct {
	root
	options engine.Options
}

func (h *host) OnMount(ctx goapp.Context) { h.begin(ctx, h.options) }

// screen is the whole client without a browser.
type screen struct {
	*root
	t    *testing.T
	d    goapp.ClientDispatcher
	host *host
}

func start(t *testing.T, o engine.Options) screen {
	t.Helper()
	h := &host{options: o}
	d := goapp.NewClientTester(h)
	d.Consume()
	return screen{&h.root, t, d, h}
}

func (s screen) until(what string, is func(markup string) bool) string {
	s.t.Helper()
	limit := time.After(20 * time.Second)
	for {
		s.d.Consume()
		m := goapp.HTMLString(s.host)
		if is(m) {
			return m
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-limit:
			s.t.Fatalf("waited in vain until %s: %s", what, m)
		}
	}
}

func TestAPersonSignsInStarsReadsAndWrites(t *testing.T) {
	ctx := context.Background()
	st, err := store.OpenSQLite(ctx, filepath.Join(t.TempDir(), "chat.db"))
	if err != nil {
		t.Fatal(err)
	}
	scheme, _ := ozeki.SchemeByName("")
	chat := chatserver.New(chatserver.Config{Store: st, Scheme: scheme, PublicPath: "/api"})
	if _, err := chatserver.SeedDemo(ctx, st, scheme, time.Now()); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(chat)
	s := start(t, engine.Options{Client: ozeki.NewClient(ozeki.Options{Base: server.URL + "/api", Scheme: scheme})})
	r, d := s.root, s.d
	t.Cleanup(func() {
		r.engine.Close()
		d.Close()
		server.Close()
		chat.Close()
		st.Close()
	})
	r.submit(submission{kind: "signin", fields: map[string]string{"email": "alice@example.com", "password": chatserver.DemoPassword}})
	s.until("she is in", func(m string) bool { return r.phase == "in" && r.snap.Loaded && len(r.snap.Favorites) > 1 })
	s.until("names are open", func(string) bool {
		return slices.ContainsFunc(r.snap.Favorites, func(x *state.Row) bool { return x.Name == "Bob Baker" })
	})

	for i, f := range r.snap.Favorites {
		if f.Name == "Bob Baker" {
			r.key(key{Alt: true, Code: fmt.Sprint("Digit", i+1)})
		}
	}
	m := s.until("the conversation is open", func(m string) bool {
		return len(find(m, "h1", "Bob Baker")) == 1 && len(r.snap.Open.Messages) > 3 && len(find(m, "textarea", "Message Bob Baker")) == 1
	})
	if one(t, m, "button", "Favorite Bob Baker").attr["aria-pressed"] != "true" {
		t.Error("he is no favorite")
	}
	r.key(key{Alt: true, Shift: true, Code: "KeyF"})
	s.until("he is none any more, and that can be undone", func(m string) bool {
		b := find(m, "button", "Favorite Bob Baker")
		return len(b) == 1 && b[0].attr["aria-pressed"] == "false" && len(find(m, "button", "Undo")) == 1
	})
	if !r.key(key{Ctrl: true, Code: "KeyZ"}) {
		t.Error("Ctrl+Z undoes nothing")
	}
	s.until("he is one again, as the server says", func(m string) bool {
		b := find(m, "button", "Favorite Bob Baker")
		return len(b) == 1 && b[0].attr["aria-pressed"] == "true" && b[0].attr["data-way"] == "" && len(find(m, "button", "Undo")) == 0
	})
	if err := r.engine.Send(r.current, "<b>hello</b> from a test"); err != nil {
		t.Fatal(err)
	}
	s.until("the message is stored", func(string) bool {
		last := r.snap.Open.Messages[len(r.snap.Open.Messages)-1]
		return last.Text == "<b>hello</b> from a test" && last.State == state.MessageSent && r.snap.Unsent == 0
	})
	r.signOut()
	m = s.until("she is out", func(string) bool { return r.phase == "out" })
	if strings.Contains(m, "hello") || strings.Contains(m, "Bob") {
		t.Error("after signing out something of hers is left in the page")
	}
}

func TestTheFocusGoesToTheNextRow(t *testing.T) {
	s := &state.Snapshot{Favorites: []*state.Row{{ID: "a"}}, Conversations: []*state.Row{{ID: "b"}, {ID: "c"}}}
	for id, want := range map[ozeki.ConversationID]ozeki.ConversationID{"a": "", "b": "c", "c": "b", "x": ""} {
		if got := nextTo(s, id); got != want {
			t.Errorf("next to %q is %q, want %q", id, got, want)
		}
	}
}
