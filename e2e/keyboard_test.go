package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// typeText types at wherever the focus is.
func (p *person) typeText(text string) {
	p.t.Helper()
	p.run(input.InsertText(text))
}

// focusName is the role and name of what has the focus.
func (p *person) focusName() (name string, err error) {
	err = p.tryJS(`(() => { const e = document.activeElement; return e ? (e.getAttribute("aria-label") ?? e.labels?.[0]?.innerText ?? e.querySelector?.(".name")?.innerText ?? e.innerText ?? e.id) : "" })()`, &name)
	return name, err
}

// SeeFocus waits until the focus is on what bears the name.
func (p *person) SeeFocus(name string) {
	p.t.Helper()
	p.eventually(fmt.Sprintf("the focus is on %q", name), func() error {
		now, err := p.focusName()
		if err == nil && now != name {
			err = fmt.Errorf("it is on %q", now)
		}
		return err
	})
}

// Everything that matters goes without a mouse.
func TestKeyboardIsEnough(t *testing.T) {
	t.Parallel()
	p := newPerson(t, startDemo(t).URL)
	p.Visit("/")
	p.press(kb.Tab)
	p.SeeFocus("Email")
	p.typeText(alice)
	p.press(kb.Tab)
	p.SeeFocus("Password")
	p.typeText(demoPassword)
	p.press(kb.Enter)
	p.SeeSidebar()
	p.SeeFavorite("Bob Baker")

	// Tab goes through the head of the sidebar into the lists, arrows through the rows of both.
	var path []string
	for i := 0; ; i++ {
		p.press(kb.Tab)
		now, err := p.focusName()
		if err != nil {
			t.Fatal(err)
		}
		path = append(path, now)
		if now == "Bob Baker" {
			break
		}
		if i > 12 {
			t.Fatalf("Tab does not come to the first favorite: %q", path)
		}
	}
	if got := strings.Join(path, ", "); !strings.Contains(got, "New conversation, Settings, Filter conversations") {
		t.Errorf("Tab goes to %s", got)
	}
	favorites, others := p.Favorites(), p.Others()
	for _, name := range append(favorites[1:], others[:2]...) {
		p.press(kb.ArrowDown)
		p.SeeFocus(name)
	}
	p.press(kb.ArrowUp)
	p.SeeFocus(others[0])
	p.press(kb.End)
	p.SeeFocus(others[len(others)-1])

	// F toggles the star of the row, which keeps the focus.
	last := others[len(others)-1]
	p.press("f")
	p.SeeFavorite(last)
	p.SeeFocus(last)
	p.SeeSettled(last)
	p.press("f")
	p.SeeNoFavorite(last)
	p.SeeFocus(last)
	p.press("z", ctrl)
	p.SeeFavorite(last)
	p.press("f")
	p.SeeNoFavorite(last)
	p.press(kb.Home)
	p.SeeFocus(favorites[0])
	p.press(kb.Tab)
	p.SeeFocus("Favorite " + favorites[0])
	p.press(kb.Enter)
	p.SeeNoFavorite(favorites[0])
	p.press(" ")
	p.SeeFavorite(favorites[0])

	// Opening, writing, sending.
	p.press("1", alt)
	p.SeeConversation(p.Favorites()[0])
	p.SeeFocus("Message " + favorites[0])
	p.typeText("Sent with the keyboard")
	p.press(kb.Enter, shift)
	p.typeText("on two lines")
	p.press(kb.Enter)
	p.SeeMessage("Sent with the keyboard\non two lines")
	p.SeeFocus("Message " + favorites[0])
	p.press("2", alt)
	p.SeeConversation(favorites[1])

	// A letter in a text field is a letter.
	p.SeeFocus("Message " + favorites[1])
	p.press("f")
	p.press("?")
	if v := p.see("textbox", "Message "+favorites[1]).value(); v != "f?" {
		t.Errorf("the field holds %q", v)
	}
	p.press("1", alt)
	p.SeeConversation(favorites[0])
	p.press("2", alt)
	p.SeeConversation(favorites[1])
	p.eventually("the draft is still there", func() error {
		if v := p.see("textbox", "Message "+favorites[1]).value(); v != "f?" {
			return fmt.Errorf("the field holds %q", v)
		}
		return nil
	})
}

// Filter, shortcuts and dialogs are a key away, and Escape leads back.
func TestShortcutsOpenAndClose(t *testing.T) {
	t.Parallel()
	p := newAlice(newPerson(t, startDemo(t).URL))
	p.press("k", ctrl)
	p.SeeFocus("Filter conversations")
	p.typeText("agnes") // she is called Ágnes
	p.eventually("only what fits is left", func() error {
		if all := append(p.Favorites(), p.Others()...); len(all) != 1 || all[0] != "Ágnes Szabó" {
			return fmt.Errorf("there are %q", all)
		}
		return nil
	})
	p.press(kb.ArrowDown)
	p.SeeFocus("Ágnes Szabó")
	p.press(kb.Enter)
	p.SeeConversation("Ágnes Szabó")
	p.press("k", ctrl)
	p.SeeFocus("Filter conversations")
	p.press(kb.Escape)
	p.eventually("all are back", func() error {
		if all := append(p.Favorites(), p.Others()...); len(all) != 37 {
			return fmt.Errorf("there are %d", len(all))
		}
		return nil
	})
	p.press("k", ctrl)
	p.typeText("nobody of that name")
	p.SeeWords("Nothing matches “nobody of that name”.")
	p.press(kb.Escape)

	p.press(kb.Tab)
	p.see("link", "Bob Baker…").mustCall("function() { this.focus() }", nil)
	p.press("?")
	p.see("dialog", "Keyboard shortcuts")
	p.press("f") // nothing behind the dialog
	p.press(kb.Escape)
	p.dontSee("dialog", "Keyboard shortcuts")
	p.SeeFocus("Bob Baker")
	p.SeeFavorite("Bob Baker")

	for button, dialog := range map[string]string{"Settings": "Settings", "New conversation": "New conversation"} {
		p.see("button", button).mustCall("function() { this.focus() }", nil)
		p.press(kb.Enter)
		p.see("dialog", dialog)
		p.press(kb.Escape)
		p.dontSee("dialog", dialog)
		p.SeeFocus(button)
	}
}

// fits fails if the page scrolls sideways, or anything that can be used is cut off at the side.
func (p *person) fits(what string) {
	p.t.Helper()
	var wide struct {
		Scroll, Width float64
		Cut           []string
	}
	p.js(`(() => {
		const w = innerWidth, cut = []
		for (const e of document.querySelectorAll("button, a, input, textarea, h1, h2")) {
			if (!e.checkVisibility({visibilityProperty: true}) || e.closest(".visually-hidden, .pane:not(.reading .pane)")) continue
			const r = e.getBoundingClientRect()
			if (r.width > 1 && (r.left < -0.5 || r.right > w + 0.5)) cut.push(e.outerHTML.slice(0, 100) + " " + r.left + "–" + r.right)
		}
		return {Scroll: Math.max(document.documentElement.scrollWidth, document.body.scrollWidth), Width: w, Cut: cut}
	})()`, &wide)
	if wide.Scroll > wide.Width {
		p.t.Errorf("%s: %v px wide on a screen of %v", what, wide.Scroll, wide.Width)
	}
	for _, c := range wide.Cut {
		p.t.Errorf("%s: cut off: %s", what, c)
	}
}

// On a phone there is one thing at a time, back leads back, and nothing scrolls sideways.
func TestPhoneShowsOneThingAtATime(t *testing.T) {
	t.Parallel()
	server := startDemo(t)
	for _, size := range [][2]int64{{360, 740}, {320, 568}} {
		t.Run(fmt.Sprint(size[0]), func(t *testing.T) {
			p := newPerson(t, server.URL)
			p.run(emulation.SetDeviceMetricsOverride(size[0], size[1], 2, true), emulation.SetTouchEmulationEnabled(true))
			p.Visit("/")
			p.fits("sign-in")
			p.SignIn(alice, demoPassword)
			p.SeeFavorite("Bob Baker")
			p.fits("sidebar")
			if err := p.none(nil, "log", "Messages"); err != nil {
				t.Errorf("beside the list %v", err)
			}
			// Stars are always there where nothing can hover, and large enough for a thumb.
			var star struct{ Opacity, Width, Height float64 }
			p.star("Priya Raman").mustCall(`function() { const r = this.getBoundingClientRect(); return {Opacity: Number(getComputedStyle(this).opacity), Width: r.width, Height: r.height} }`, &star)
			if star.Opacity != 1 || star.Width < 24 || star.Height < 24 {
				t.Errorf("a star is %+v", star)
			}

			p.tap(p.see("link", "Bob Baker…"))
			p.SeeConversation("Bob Baker")
			if err := p.none(nil, "navigation", "Conversations"); err != nil {
				t.Errorf("beside the conversation %v", err)
			}
			p.fits("conversation")
			long := strings.Repeat(fmt.Sprintf("averylongword%dwithoutanyspace", size[0]), 8)
			p.Say("Bob Baker", long)
			p.SeeMessage(long)
			p.fits("conversation with a long word")

			p.run(chromedp.NavigateBack())
			p.see("navigation", "Conversations")
			p.SeeFavorite("Bob Baker")
			p.tap(p.see("link", "Maximiliana Theodora…"))
			p.see("log", "Messages")
			p.fits("conversation with a long name")
			p.tap(p.see("link", "Back to the conversations"))
			p.see("navigation", "Conversations")

			p.tap(p.star("Bob Baker"))
			p.SeeNoFavorite("Bob Baker")
			p.fits("undo notice")
			p.tap(p.see("button", "Undo"))
			p.SeeFavorite("Bob Baker")
			for _, name := range []string{"Settings", "New conversation"} {
				p.tap(p.see("button", name))
				p.see("dialog", name)
				p.fits(name)
				p.press(kb.Escape)
				p.dontSee("dialog", name)
			}
		})
	}
}

// tap touches an element with a finger.
func (p *person) tap(e *element) {
	p.t.Helper()
	x, y := e.at()
	p.run(input.DispatchTouchEvent(input.TouchStart, []*input.TouchPoint{{X: x, Y: y}}),
		input.DispatchTouchEvent(input.TouchEnd, []*input.TouchPoint{}))
}
