package e2e

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"
)

// Alice's favorites of the demo stand together on top, and every conversation is there exactly once.
func TestFavoritesStandInTheirSection(t *testing.T) {
	t.Parallel()
	p := newAlice(newPerson(t, startDemo(t).URL))
	nav := p.see("navigation", "Conversations")
	p.seeIn(nav, "heading", "Favorites")
	p.seeIn(nav, "heading", "Conversations")
	var favorites, others []string
	p.eventually("the demo's favorites are there", func() error {
		favorites, others = p.Favorites(), p.Others()
		if len(favorites) != 6 || len(favorites)+len(others) != 37 {
			return fmt.Errorf("favorites %q, others %q", favorites, others)
		}
		return nil
	})
	if !slices.Contains(favorites, "Bob Baker") {
		t.Errorf("Bob is not among the favorites %q", favorites)
	}
	all := append(favorites, others...)
	for _, name := range all {
		if count(all, name) != 1 {
			t.Errorf("%q is there %d times", name, count(all, name))
		}
		if links, err := p.find("link", name+"…", nav); err != nil || len(links) == 0 {
			t.Errorf("%q has no link (%v)", name, err)
		}
	}
	for _, name := range others {
		if s := p.star(name); s.attr("aria-pressed") != "false" {
			t.Errorf("the star of %q is on", name)
		}
	}
}

// A star takes effect in the frame of the click, keeps the focus and is told to those who do not see it.
func TestStarMovesTheRowAtOnce(t *testing.T) {
	t.Parallel()
	p := newAlice(newPerson(t, startDemo(t).URL))
	const name = "Jürgen Groß"
	p.SeeNoFavorite(name)
	star := p.star(name)
	var now struct {
		List, Pressed string
		Rows          int
		Focus         bool
	}
	// Nothing can be drawn between the click and what is read after it.
	star.mustCall(`function() {
		this.focus()
		this.click()
		return {
			List: this.closest("ul").getAttribute("aria-label"), Pressed: this.getAttribute("aria-pressed"), Focus: document.activeElement === this,
			Rows: [...document.querySelectorAll("nav .star")].filter(s => s.getAttribute("aria-label") === "Favorite `+name+`").length,
		}
	}`, &now)
	if now.List != "Favorites" || now.Pressed != "true" || now.Rows != 1 || !now.Focus {
		t.Errorf("in the frame of the click: %+v; want the one row in Favorites, pressed, focus on the star", now)
	}
	p.Hear(name + " added to favorites")
	p.SeeSettled(name)
	p.SeeFavorite(name)
	if err := p.star(name).focused(); err != nil {
		t.Error(err)
	}
	p.dontSee("button", "Undo")

	star = p.star(name)
	star.mustCall(`function() {
		this.click()
		return {
			List: this.closest("ul").getAttribute("aria-label"), Pressed: this.getAttribute("aria-pressed"), Focus: document.activeElement === this,
			Rows: [...document.querySelectorAll("nav .star")].filter(s => s.getAttribute("aria-label") === "Favorite `+name+`").length,
		}
	}`, &now)
	if now.List != "Conversations" || now.Pressed != "false" || now.Rows != 1 || !now.Focus {
		t.Errorf("in the frame of the second click: %+v; want the one row in Conversations, not pressed, focus on the star", now)
	}
	p.Hear(name + " removed from favorites")
	p.SeeSettled(name)
}

// What was taken out of the favorites by mistake comes back by the notice's button, by the star, and by Ctrl+Z.
func TestUnfavoriteCanBeUndone(t *testing.T) {
	t.Parallel()
	p := newAlice(newPerson(t, startDemo(t).URL))
	const name = "Bob Baker"
	before := p.Favorites()
	for _, way := range []struct {
		name string
		undo func()
	}{
		{"the button", func() { p.see("button", "Undo").click() }},
		{"the star", func() { p.Star(name) }},
		{"Ctrl+Z", func() { p.press("z", ctrl) }},
	} {
		p.Unstar(name)
		p.SeeNoFavorite(name)
		p.see("button", "Undo")
		way.undo()
		p.SeeFavorite(name)
		p.dontSee("button", "Undo")
		p.SeeSettled(name)
		if after := p.Favorites(); !slices.Equal(after, before) {
			t.Errorf("after undoing by %s the favorites are %q, before they were %q", way.name, after, before)
		}
	}
	p.Reload()
	p.SeeFavorite(name)
}

// The undo notice stays for eight seconds, and longer while the mouse rests on it.
func TestUndoNoticeGivesTimeToRead(t *testing.T) {
	t.Parallel()
	server := startDemo(t)
	p, other := newAlice(newPerson(t, server.URL)), newPerson(t, server.URL)
	other.Visit("/")
	other.SignIn(bob, demoPassword)
	other.SeeFavorite("Alice Ashford")

	other.Unstar("Alice Ashford")
	other.see("button", "Undo").hover()
	began := time.Now()
	p.Unstar("Bob Baker")
	p.see("button", "Undo")
	p.within(12*time.Second, "the notice goes", func() error { return p.none(nil, "button", "Undo") })
	if d := time.Since(began); d < 7*time.Second {
		t.Errorf("the notice was gone after %v, want 8 s", d)
	}
	other.see("button", "Undo").click()
	other.SeeFavorite("Alice Ashford")
}

// Fifty quick clicks end in the state of the last one, here and on the server.
func TestFiftyQuickClicksEndInTheLast(t *testing.T) {
	t.Parallel()
	server := startDemo(t)
	wire := newLine(t, server.URL)
	p := newAlice(newPerson(t, wire.URL))
	const on, off = "Priya Raman", "Bob Baker"
	clicks := func(name string, n int) {
		p.star(name).mustCall(fmt.Sprintf(`async function() {
			for (let i = 0; i < %d; i++) {
				this.click()
				if (i %% 5 === 0) await new Promise(requestAnimationFrame)
			}
		}`, n), nil)
	}
	clicks(on, 51)  // was off
	clicks(off, 51) // was on
	for range 2 {
		p.SeeFavorite(on)
		p.SeeNoFavorite(off)
		p.SeeSettled(on)
		p.SeeSettled(off)
		p.Reload()
		p.SeeSidebar()
	}
	p.SeeFavorite(on)
	p.SeeNoFavorite(off)
	if n := len(wire.all("favorite", "unfavorite")); n > 102 {
		t.Errorf("%d requests for 102 clicks", n)
	}
}

// The answer of a request that a later click has overtaken changes nothing any more, nor does a list that was asked for
// before the click.
func TestOvertakenAnswersAreIgnored(t *testing.T) {
	t.Parallel()
	server := startDemo(t)
	wire := newLine(t, server.URL)
	p := newAlice(newPerson(t, wire.URL))
	const name = "Priya Raman"

	slow := newGate(t)
	wire.on(to(slow.hold, "favorite"))
	p.Star(name)
	<-slow.held
	p.Unstar(name)
	slow.Open()
	wire.on(nil)
	p.eventually("the second wish is sent", func() error {
		if n := len(wire.all("unfavorite")); n != 1 {
			return fmt.Errorf("%d times", n)
		}
		return nil
	})
	p.SeeSettled(name)
	p.SeeNoFavorite(name)

	// Another device's star makes this one ask for the list; the answer is held until a star of its own was answered.
	old := newGate(t)
	wire.on(to(old.hold, "list"))
	other := newAlice(newPerson(t, server.URL))
	other.Star("Carmen Díaz")
	<-old.held
	p.Star(name)
	p.SeeSettled(name)
	wire.on(nil)
	old.Open()
	p.SeeFavorite("Carmen Díaz")
	if err := p.isFavorite(name, true); err != nil {
		t.Errorf("after the old list has come: %v", err)
	}
	p.Reload()
	p.SeeFavorite(name)
}

// A star is still there after a reload, and nobody is asked for a password.
func TestReloadKeepsTheStar(t *testing.T) {
	t.Parallel()
	p := newAlice(newPerson(t, startDemo(t).URL))
	p.Star("Grace Okafor")
	p.SeeSettled("Grace Okafor")
	p.Unstar("Bob Baker")
	p.SeeSettled("Bob Baker")
	p.Reload()
	p.SeeSidebar()
	p.SeeFavorite("Grace Okafor")
	p.SeeNoFavorite("Bob Baker")
	if err := p.none(nil, "textbox", "Password"); err != nil {
		t.Errorf("the form is shown: %v", err)
	}
}

// The star in the conversation's header and the one in the sidebar are the same.
func TestHeaderStarIsTheSame(t *testing.T) {
	t.Parallel()
	p := newAlice(newPerson(t, startDemo(t).URL))
	const name = "Priya Raman"
	p.OpenConversation(name)
	header := func() *element { return p.seeIn(p.see("main", ""), "button", "Favorite "+name) }
	header().click()
	p.SeeFavorite(name)
	p.SeeSettled(name)
	if on := header().attr("aria-pressed"); on != "true" {
		t.Errorf("the header's star has aria-pressed=%q", on)
	}
	p.Unstar(name)
	p.eventually("the header's star follows", func() error {
		if on := header().attr("aria-pressed"); on != "false" {
			return fmt.Errorf("aria-pressed=%q", on)
		}
		return nil
	})
	p.press("F", alt, shift)
	p.SeeFavorite(name)
}

// Favorites stand in the order that their owner gives them, also after a reload.
func TestFavoritesKeepTheOwnersOrder(t *testing.T) {
	t.Parallel()
	p := newAlice(newPerson(t, startDemo(t).URL))
	before := p.Favorites()
	p.star(before[0]).mustCall("function() { this.closest('li').querySelector('a').focus() }", nil)
	p.press(kb.ArrowDown, alt, shift)
	p.Hear(before[0] + " is now favorite 2 of ")
	want := append([]string{before[1], before[0]}, before[2:]...)
	if now := p.Favorites(); !slices.Equal(now, want) {
		t.Errorf("the order is %q, want %q", now, want)
	}
	p.Reload()
	p.eventually("the order is kept", func() error {
		if now := p.Favorites(); !slices.Equal(now, want) {
			return fmt.Errorf("the order is %q, want %q", now, want)
		}
		return nil
	})
}
