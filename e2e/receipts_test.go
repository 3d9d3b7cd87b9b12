package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// SeeReceipt waits until the mark of a message of one's own says so.
func (p *person) SeeReceipt(message, words string) {
	p.t.Helper()
	p.eventually(fmt.Sprintf("see that %q is %s", message, words), func() error {
		var said string
		err := p.tryJS(fmt.Sprintf(`[...document.querySelectorAll("#log article")].find(a => a.querySelector(".body").innerText === %q)?.querySelector(".receipt")?.getAttribute("aria-label")`, message), &said)
		if err != nil || said != words {
			return fmt.Errorf("it is %q, %w", said, err)
		}
		return p.atLeastOne("image", words)
	})
}

func (p *person) atLeastOne(role, name string) error {
	found, err := p.find(role, name, nil)
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("no %s is called %q", role, name)
	}
	return err
}

// SeeUnread waits until a conversation's row says how much is unread; 0 is nothing.
func (p *person) SeeUnread(name string, n int) {
	p.t.Helper()
	p.eventually(fmt.Sprintf("see %d unread of %s", n, name), func() error {
		nav, err := p.one(nil, "navigation", "Conversations")
		if err != nil {
			return err
		}
		link, err := p.one(nav, "link", name+"…")
		if err != nil {
			return err
		}
		words := fmt.Sprintf("%s, %d unread", name, n)
		if n == 0 && strings.Contains(link.Name, "unread") || n > 0 && !strings.HasPrefix(link.Name, words) {
			return fmt.Errorf("it is called %q", link.Name)
		}
		return nil
	})
}

// SeePreview waits until a conversation's row tells what was written last.
func (p *person) SeePreview(name, preview string) {
	p.t.Helper()
	p.eventually(fmt.Sprintf("see %q at %s", preview, name), func() error {
		nav, err := p.one(nil, "navigation", "Conversations")
		if err != nil {
			return err
		}
		link, err := p.one(nav, "link", name+"…")
		if err != nil || !strings.HasSuffix(link.Name, preview) {
			return fmt.Errorf("it is %v, %w", link, err)
		}
		return nil
	})
}

// hideTab makes the page believe that it is in a tab behind others, or in front again.
func (p *person) hideTab(hidden bool) {
	p.t.Helper()
	state := map[bool]string{true: "hidden", false: "visible"}[hidden]
	p.js(fmt.Sprintf(`(() => {
		Object.defineProperty(document, "visibilityState", {value: %q, configurable: true})
		document.dispatchEvent(new Event("visibilitychange"))
	})()`, state), nil)
}

// A sender sees how far a message has come: stored, on the other's device, before the other's eyes.
func TestASenderSeesWhenAMessageIsDeliveredAndViewed(t *testing.T) {
	t.Parallel()
	server := startDemo(t)
	p := newAlice(newPerson(t, server.URL))
	p.OpenConversation("Bob Baker")
	p.Say("Bob Baker", "Did you get this?")
	p.SeeMessage("Did you get this?")
	p.SeeReceipt("Did you get this?", "Sent")
	other := newBob(newPerson(t, server.URL))
	p.SeeReceipt("Did you get this?", "Delivered")
	other.SeeUnread("Alice Ashford", 1)
	other.SeePreview("Alice Ashford", "Did you get this?")
	other.OpenConversation("Alice Ashford")
	p.SeeReceipt("Did you get this?", "Viewed")
	other.SeeUnread("Alice Ashford", 0)
	p.SeePreview("Bob Baker", "You: Did you get this?")
}

// What is unread is unread on all devices of a person, and what was viewed on one is viewed on all.
func TestUnreadIsTheSameOnAllDevices(t *testing.T) {
	t.Parallel()
	server := startDemo(t)
	desk, phone := newAlice(newPerson(t, server.URL)), newAlice(newPerson(t, server.URL))
	other := newBob(newPerson(t, server.URL))
	desk.OpenConversation("Priya Raman")
	phone.OpenConversation("Priya Raman")
	var before string
	phone.js("document.title", &before)
	other.OpenConversation("Alice Ashford")
	for n, text := range []string{"One", "Two"} {
		other.Say("Alice Ashford", text)
		for _, p := range []*person{desk, phone} {
			p.SeeUnread("Bob Baker", n+1)
			p.SeePreview("Bob Baker", text)
		}
	}
	phone.eventually("the title counts", func() error {
		var title string
		if err := phone.tryJS("document.title", &title); err != nil || title == before || !strings.HasPrefix(title, "(") {
			return fmt.Errorf("it is %q, before it was %q, %w", title, before, err)
		}
		return nil
	})
	desk.OpenConversation("Bob Baker")
	desk.see("separator", "New messages")
	desk.SeeUnread("Bob Baker", 0)
	phone.SeeUnread("Bob Baker", 0)
	phone.eventually("the title has counted down", func() error {
		var title string
		if err := phone.tryJS("document.title", &title); err != nil || title != before {
			return fmt.Errorf("it is %q, before it was %q, %w", title, before, err)
		}
		return nil
	})
}

// Nobody is told that somebody has viewed what came into a tab behind others.
func TestWhatComesIntoAHiddenTabIsNotViewed(t *testing.T) {
	t.Parallel()
	server := startDemo(t)
	p, other := newAlice(newPerson(t, server.URL)), newBob(newPerson(t, server.URL))
	p.OpenConversation("Bob Baker")
	other.OpenConversation("Alice Ashford")
	other.hideTab(true)
	p.Say("Bob Baker", "Look at me")
	p.SeeMessage("Look at me")
	other.js(`window.dispatchEvent(new Event("online"))`, nil) // a hidden page asks seldom
	other.SeeMessage("Look at me")
	p.SeeReceipt("Look at me", "Delivered")
	other.SeeUnread("Alice Ashford", 1)
	p.Say("Bob Baker", "Still there?")
	p.SeeReceipt("Look at me", "Delivered")
	other.hideTab(false)
	p.SeeReceipt("Still there?", "Viewed")
	p.SeeReceipt("Look at me", "Viewed")
	other.SeeUnread("Alice Ashford", 0)
}

// A conversation can be marked as read without opening it.
func TestAConversationIsMarkedAsReadInItsMenu(t *testing.T) {
	t.Parallel()
	server := startDemo(t)
	desk, phone := newAlice(newPerson(t, server.URL)), newAlice(newPerson(t, server.URL))
	desk.SeeUnread("Ágnes Szabó", 2)
	phone.SeeUnread("Ágnes Szabó", 2)
	desk.FromMenu("Ágnes Szabó", "Mark as read")
	desk.SeeUnread("Ágnes Szabó", 0)
	phone.SeeUnread("Ágnes Szabó", 0)
	desk.Reload()
	desk.SeeUnread("Ágnes Szabó", 0)
	desk.JudgeAccess("rows with unread messages", func() { desk.see("heading", "Favorites") })
}

// Who clears a conversation is told first what is lost; then it is empty for everybody, and goes on.
func TestAConversationIsClearedForEverybody(t *testing.T) {
	t.Parallel()
	server := startDemo(t)
	p, other := newAlice(newPerson(t, server.URL)), newBob(newPerson(t, server.URL))
	p.OpenConversation("Bob Baker")
	other.OpenConversation("Alice Ashford")
	other.see("textbox", "Message Alice Ashford").fill("half a thought")
	p.FromMenu("Bob Baker", "Clear…")
	dialog := p.see("alertdialog", "Clear Bob Baker?")
	if text := dialog.text(); !strings.Contains(text, "for everybody in this conversation") || !strings.Contains(text, "cannot be undone") {
		t.Errorf("it says %q", text)
	}
	p.seeIn(dialog, "button", "Cancel").click()
	p.dontSee("alertdialog", "Clear Bob Baker?")
	p.SeeMessage("I’ll keep a seat for you.")

	p.FromMenu("Bob Baker", "Clear…")
	p.JudgeAccess("clear", func() { p.see("alertdialog", "Clear Bob Baker?") })
	p.width(1280, 800)
	p.seeIn(p.see("alertdialog", "Clear Bob Baker?"), "button", "Clear").click()
	p.Hear("Bob Baker was cleared.")
	for _, somebody := range []*person{p, other} {
		somebody.SeeWords("No messages yet. Say hello.")
	}
	if text := other.see("textbox", "Message Alice Ashford").value(); text != "half a thought" {
		t.Errorf("the draft is %q", text)
	}
	other.Say("Alice Ashford", "A new page")
	p.SeeMessage("A new page")
	p.SeePreview("Bob Baker", "A new page")
}
