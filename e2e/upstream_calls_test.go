package e2e

import (
	"fmt"
	"slices"
	"testing"
)

// eventuallyFirst waits until the vendor's server knows these flags of the first conversation.
func (p *person) eventuallyFirst(v *vendor, want string) {
	p.t.Helper()
	p.eventually("the server knows "+want, func() error {
		if got := v.First(); got != want {
			return fmt.Errorf("it knows %s", got)
		}
		return nil
	})
}

// Everything that a conversation's menu offers goes to an Ozeki server by its published calls, and is found again after a
// reload; the server's answer to a colour, which shows the old one, is not believed.
func TestOzekiServerFlags(t *testing.T) {
	t.Parallel()
	v := startVendor(t)
	p := newAdmin(t, inFrontOf(t, v).URL)
	const name = "Dora Dahl"
	p.FromMenu(name, "Mute")
	p.SeeRow(name, "Conversations", "Muted")
	p.eventuallyFirst(v, `favorite=false muted=true hideid="" color=#ffffff`)
	p.FromMenu(name, "Unmute")
	p.SeeUnmarked(name, "Muted")
	p.eventuallyFirst(v, `favorite=false muted=false hideid="" color=#ffffff`)
	p.SetColour(name, "Sky")
	p.SeeColour(name, "#bae1ff")
	p.eventuallyFirst(v, `favorite=false muted=false hideid="" color=#bae1ff`)
	p.FromMenu(name, "Hide")
	p.eventuallyFirst(v, `favorite=false muted=false hideid="ZTZqIV8LS5;" color=#bae1ff`)
	p.Reload()
	p.SeeSidebar()

	// What is hidden is listed by the server's blocklist, whatever its elements look like, and comes back from there.
	p.see("button", "Settings").click()
	p.see("button", "Hidden and blocked").click()
	p.see("button", "Show again: "+name).click()
	p.eventuallyFirst(v, `favorite=false muted=false hideid="" color=#bae1ff`)
	if n := v.Calls("blocklist"); n == 0 {
		t.Error("the blocklist was not asked for")
	}
	p.press("\x1b")
	p.SeeRow(name, "Conversations", "")
	p.SeeColour(name, "#bae1ff")

	// What the server refuses is put back, in its words.
	p.FromMenu("Board", "Mute")
	p.SeeWords("You have no right to this")
	p.SeeUnmarked("Board", "Muted")
}

// What an Ozeki server does not say is found out by its published calls: what was written last, what is unread; and it is
// told what was viewed and who is there. A conversation that is cleared there goes on in a new instance.
func TestOzekiServerReceiptsPresenceAndClear(t *testing.T) {
	t.Parallel()
	v := startVendor(t)
	p := newAdmin(t, inFrontOf(t, v).URL)
	const name = "Dora Dahl"
	p.eventually("he says that he is there", func() error {
		if v.Present() == 0 {
			return errNotYet
		}
		return nil
	})
	v.Receive("Are you there?")
	p.SeeUnread(name, 1)
	p.SeePreview(name, "Are you there?")
	p.OpenConversation(name)
	p.SeeMessage("Are you there?")
	p.eventually("the server is told that it was viewed", func() error {
		if !v.Seen() {
			return errNotYet
		}
		return nil
	})
	p.SeeUnread(name, 0)
	note := func(want string) func() error {
		return func() error {
			return p.holds(fmt.Sprintf(`document.querySelector(".pane-note").innerText === %q`, want))
		}
	}
	p.eventually("she is there", note("Available"))
	v.SetOnline(false)
	p.eventually("she is seen to go", note(""))

	before := v.Instance()
	p.FromMenu(name, "Clear…")
	p.seeIn(p.see("alertdialog", "Clear "+name+"?"), "button", "Clear").click()
	p.SeeWords("No messages yet")
	if v.Instance() == before {
		t.Error("the instance is the same")
	}
	p.Say(name, "A new beginning")
	p.SeeMessage("A new beginning")
	if !slices.Equal(v.Texts(), []string{"A new beginning"}) {
		t.Errorf("the server holds %q", v.Texts())
	}
}

// A long history of an Ozeki server is read in pages, back to its beginning.
func TestOzekiServerLongHistory(t *testing.T) {
	t.Parallel()
	v := startVendor(t)
	v.Fill(180)
	p := newAdmin(t, inFrontOf(t, v).URL)
	p.OpenConversation("Dora Dahl")
	p.SeeMessage("Message 180")
	p.eventually("the beginning is read", func() error {
		p.js(`document.querySelector("#log").scrollTop = 0`, nil)
		return p.holds(`document.querySelector("#log").innerText.includes("Welcome to the vendor's server")`)
	})
	p.see("button", "Jump to newest").click()
	p.SeeMessage("Message 180")
	if n := v.Calls("downloadpartial"); n < 4 {
		t.Errorf("%d pages were asked for", n)
	}
}
