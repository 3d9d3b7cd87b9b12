package e2e

import (
	"fmt"
	"testing"
)

// SeeComposer waits until a text stands in the composer.
func (p *person) SeeComposer(text string) {
	p.t.Helper()
	p.eventually(fmt.Sprintf("%q stands in the composer", text), func() error {
		var is string
		if err := p.tryJS(`document.getElementById("composer")?.value ?? "(there is none)"`, &is); err != nil || is != text {
			return fmt.Errorf("it is %q, %w", is, err)
		}
		return nil
	})
}

// What was begun to be written is not lost to something else: to a text that is shared into its conversation before it is
// opened, nor to blocking the person that it is for, who can be unblocked.
func TestWhatWasBegunIsNotWrittenOver(t *testing.T) {
	t.Parallel()
	p := newAlice(newPerson(t, startDemo(t).URL))
	p.OpenConversation("Bob Baker")
	p.see("textbox", "Message Bob Baker").fill("I was about to say")
	p.SeeRow("Bob Baker", "Favorites", "Draft")
	p.Visit("/?text=Look+at+this")
	p.see("status", "Shared")
	p.OpenConversation("Bob Baker")
	p.SeeComposer("I was about to say\nLook at this")
	p.dontSee("status", "Shared")

	p.see("textbox", "Message Bob Baker").fill("")
	p.Say("Bob Baker", "See you at nien")
	p.SeeMessage("See you at nien")
	p.see("textbox", "Message Bob Baker").fill("And then")
	p.Do("See you at nien", "Edit")
	p.SeeComposer("See you at nien")
	p.see("textbox", "Message Bob Baker").fill("See you at nine")
	p.FromMenu("Bob Baker", "Block Bob Baker…")
	p.seeIn(p.see("alertdialog", "Block Bob Baker?"), "button", "Block").click()
	p.dontSee("textbox", "Message Bob Baker")
	p.see("button", "Unblock").click()
	p.SeeComposer("See you at nine")
	p.see("button", "Save").click()
	p.SeeMessage("See you at nine")
	p.SeeComposer("And then")

	// Two tabs have the same draft: what one of them sends is not there to be sent again in the other.
	p.Attach(file(t, "plan.txt", []byte("the plan")))
	p.SeeChosen("plan.txt")
	p.eventually("the draft is kept", func() error {
		return p.holds(kept("draftfiles") + `.then((n) => n === 1)`)
	})
	tab := p.anotherTab()
	tab.Visit("/")
	tab.OpenConversation("Bob Baker")
	tab.SeeComposer("And then")
	tab.SeeChosen("plan.txt")
	p.see("button", "Send").click()
	p.SeeMessage("And then")
	tab.SeeMessage("And then")
	tab.SeeComposer("")
	tab.SeeChosen()
}
