package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/storage"
)

// The browser has no room any more, by its own count: what is written is given back and not sent.
func TestFaultTheBrowsersQuotaIsUsedUp(t *testing.T) {
	t.Parallel()
	wire := newLine(t, startDemo(t).URL)
	p := newAlice(newPerson(t, wire.URL))
	p.OpenConversation("Bob Baker")
	quota := func(size float64) {
		t.Helper()
		override := storage.OverrideQuotaForOrigin(wire.URL)
		if size > 0 {
			override = override.WithQuotaSize(size)
		}
		p.run(override)
	}
	quota(1)
	// What it has allotted before may still be used, so that the first ones are taken.
	composer := p.see("textbox", "Message Bob Baker")
	text, n := "", 0
	for text == "" {
		n++
		p.Say("Bob Baker", fmt.Sprintf("Number %d %s", n, strings.Repeat("x", 12000)))
		p.eventually("it is sent or given back", func() error {
			if text = composer.value(); text == "" && len(wire.ids(t)) < n {
				return errNotYet
			}
			return nil
		})
	}
	if !strings.HasPrefix(text, fmt.Sprintf("Number %d ", n)) {
		t.Fatalf("the composer holds %.40q", text)
	}
	p.SeeAlert("this device could not keep the message")
	if ids := wire.ids(t); len(ids) != n-1 {
		t.Errorf("%d messages were sent of %d", len(ids), n)
	}
	quota(0)
	p.within(testTimeout/3, "with room again it is taken", func() error {
		if p.holds(`document.querySelector("#composer").value !== ""`) == nil {
			p.see("button", "Send").click()
		}
		return p.ends(text)
	})
}
