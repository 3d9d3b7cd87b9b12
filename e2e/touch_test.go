package e2e

import (
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
)

// hold rests a finger on a message until the page feels it, and lifts it.
func (p *person) hold(message *element) {
	p.t.Helper()
	x, y := message.at()
	p.finger(input.TouchStart, x, y)
	p.eventually("the message is held", func() error { return p.holds(`!!document.querySelector("article.pressed")`) })
	p.finger(input.TouchEnd)
}

// On a phone a message's menu opens by a long press. A message that was deleted has none, and nothing comes to harm.
func TestAMessagesMenuOpensByALongPress(t *testing.T) {
	t.Parallel()
	p := newPerson(t, startDemo(t).URL)
	p.run(emulation.SetDeviceMetricsOverride(360, 740, 2, true), emulation.SetTouchEmulationEnabled(true))
	p.Visit("/")
	p.SignIn(alice, demoPassword)
	p.tap(p.see("link", "Bob Baker…"))
	p.SeeConversation("Bob Baker")
	p.Say("Bob Baker", "Hold this")
	p.SeeMessage("Hold this")
	p.hold(p.article("Hold this"))
	p.SeeMenu("Message actions")
	p.tap(p.see("menuitem", "Delete…"))
	p.tap(p.seeIn(p.see("alertdialog", "Delete message"), "button", "Delete for everybody"))
	p.SeeMessage("This message was deleted.")

	p.hold(p.article("This message was deleted."))
	p.dontSee("menu", "Message actions")
	p.Say("Bob Baker", "Still here")
	p.SeeMessage("Still here")
}
