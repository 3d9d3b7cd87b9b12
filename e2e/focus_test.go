package e2e

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// What is not taken stays where it was typed, with the focus, until it is.
func TestAMessageThatIsTooLongIsKept(t *testing.T) {
	t.Parallel()
	p := newAlice(newPerson(t, startDemo(t).URL))
	p.OpenConversation("Bob Baker")
	p.SeeFocus("Message Bob Baker")
	text := strings.Repeat("far too long ", 1300)
	p.typeText(text)
	p.see("button", "Send").click()
	p.SeeWords("the message is too long")
	kept := func(want string) {
		t.Helper()
		p.SeeFocus("Message Bob Baker")
		var have string
		p.js(`document.activeElement.value`, &have)
		if have != want {
			t.Errorf("the composer holds %d characters, want %d", len(have), len(want))
		}
	}
	kept(text)
	p.typeText("!")
	p.eventually("the words are gone", func() error { return p.holds(`!document.body.innerText.includes("too long:")`) })
	kept(text + "!")
}

// The focus goes with a row, also into a list that is closed, and does not get lost with a notice.
func TestFocusIsNeverLost(t *testing.T) {
	t.Parallel()
	p := newAlice(newPerson(t, startDemo(t).URL))
	p.SeeFavorite("Bob Baker")
	p.js(`[...document.querySelectorAll("h2 button")].find((b) => b.textContent === "Favorites").click()`, nil)
	p.js(`document.querySelector('[aria-label="Favorite Ágnes Szabó"]').focus()`, nil)
	p.press(" ")
	p.Hear("Ágnes Szabó added to favorites")
	p.SeeFocus("Favorites")

	p.js(`document.activeElement.click()`, nil)
	p.Unstar("Bob Baker")
	p.see("button", "Undo")
	p.js(`document.querySelector('.notice [aria-label="Dismiss"]').focus()`, nil)
	p.press(kb.Enter)
	p.dontSee("button", "Undo")
	p.SeeFocus("Bob Baker")
}

// A notice that can be undone stays while it is focused, even when the pointer that was over it goes away.
func TestUndoWaitsForTheKeyboardToo(t *testing.T) {
	t.Parallel()
	p := newAlice(newPerson(t, startDemo(t).URL))
	p.Unstar("Bob Baker")
	p.see("button", "Undo")
	p.js(`(() => {
		const notice = document.querySelector(".notice");
		notice.dispatchEvent(new MouseEvent("mouseenter"));
		notice.querySelector("button").focus();
		notice.dispatchEvent(new MouseEvent("mouseleave"));
	})()`, nil)
	p.SeeFocus("Undo")
	p.js(`window.since = performance.now()`, nil)
	p.eventually("its time is long over", func() error { return p.holds(`performance.now() - since > 9000`) })
	p.SeeFocus("Undo")
	p.press(kb.Enter)
	p.SeeFavorite("Bob Baker")
}

// A held key is one key press, and people choose the keys.
func TestKeysAreOnesOwn(t *testing.T) {
	t.Parallel()
	p := newAlice(newPerson(t, startDemo(t).URL))
	p.SeeFavorite("Bob Baker")
	p.js(`document.querySelector('.row a').focus()`, nil)
	name, err := p.focusName()
	if err != nil {
		t.Fatal(err)
	}
	p.js(`[0, 1, 2, 3, 4].forEach((i) => document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key: "f", code: "KeyF", repeat: i > 0, bubbles: true, cancelable: true })))`, nil)
	p.SeeNoFavorite(name)

	p.press("?")
	p.see("dialog", "Keyboard shortcuts")
	p.js(`document.querySelector('[data-shortcut="filter"]').focus()`, nil)
	p.press(kb.Enter)
	p.SeeWords("Press the new keys")
	p.press("z", ctrl)
	p.SeeWords("These keys are taken")
	p.press("j", ctrl)
	p.SeeWords("Ctrl+J")
	p.press(kb.Escape)
	p.eventually("the dialog is closed", func() error { return p.holds(`!document.querySelector("dialog[open]")`) })
	p.Reload()
	p.SeeSidebar()
	p.press("j", ctrl)
	p.SeeFocus("Filter conversations")
}
