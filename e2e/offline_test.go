package e2e

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// GoOffline takes the page's network away, as the browser's own switch does.
func (p *person) GoOffline() {
	p.t.Helper()
	allowConsole(p.t, p.ctx, "net::ERR_INTERNET_DISCONNECTED")
	p.run(network.EmulateNetworkConditions(true, 0, -1, -1))
}

// GoOnline gives it back.
func (p *person) GoOnline() {
	p.t.Helper()
	p.run(network.EmulateNetworkConditions(false, 0, -1, -1))
}

// Without a network a star is taken all the same, says that it waits, and is sent when the network is back.
func TestFaultStarWaitsForTheNetwork(t *testing.T) {
	t.Parallel()
	server := startDemo(t)
	p := newAlice(newPerson(t, server.URL))
	p.GoOffline()
	p.Star("Priya Raman")
	p.Unstar("Bob Baker")
	p.SeeFavorite("Priya Raman")
	p.SeeQueued("Priya Raman")
	p.SeeNoFavorite("Bob Baker")
	p.SeeQueued("Bob Baker")
	p.SeeOffline()
	// The last wish counts.
	p.Unstar("Priya Raman")
	p.Star("Priya Raman")
	p.SeeQueued("Priya Raman")
	p.GoOnline()
	p.SeeSettled("Priya Raman")
	p.SeeSettled("Bob Baker")
	p.SeeOnline()
	other := newAliceWithout(newPerson(t, server.URL), "Bob Baker")
	other.SeeFavorite("Priya Raman")
}

// newAliceWithout is newAlice after a favorite of hers was taken away.
func newAliceWithout(p *person, name string) *person {
	p.t.Helper()
	p.Visit("/")
	p.SignIn(alice, demoPassword)
	p.SeeNoFavorite(name)
	return p
}

// A queued star survives that the page is closed, and is sent by the next one.
func TestFaultQueuedStarSurvivesTheTab(t *testing.T) {
	t.Parallel()
	server := startDemo(t)
	wire := newLine(t, server.URL)
	p := newAlice(newPerson(t, wire.URL))
	allowConsole(t, p.ctx, "Failed to load resource")
	wire.on(func(*sent) fault { return cut })
	p.Star("Priya Raman")
	p.SeeQueued("Priya Raman")
	tab := p.anotherTab()
	if err := chromedp.Cancel(p.ctx); err != nil {
		t.Fatal(err)
	}
	wire.on(nil)
	tab.Visit("/")
	tab.SeeFavorite("Priya Raman")
	tab.SeeSettled("Priya Raman")
	other := newAlice(newPerson(t, server.URL))
	other.SeeFavorite("Priya Raman")
}

// Messages written without a network wait in their place and are delivered once, in order.
func TestFaultMessagesOfATunnelArriveOnceInOrder(t *testing.T) {
	t.Parallel()
	server := startDemo(t)
	p, other := newAlice(newPerson(t, server.URL)), newPerson(t, server.URL)
	other.Visit("/")
	other.SignIn(bob, demoPassword)
	other.OpenConversation("Alice Ashford")
	p.OpenConversation("Bob Baker")
	p.GoOffline()
	var texts []string
	for n := range 20 {
		texts = append(texts, fmt.Sprintf("Number %d from the tunnel", n+1))
	}
	for _, text := range texts {
		p.Say("Bob Baker", text)
	}
	for _, text := range texts {
		p.SeeWaiting(text)
	}
	p.SeeOffline()
	p.GoOnline()
	for _, text := range texts {
		p.SeeMessage(text)
		other.SeeMessage(text)
	}
	p.SeeOnline()
	for _, who := range []*person{p, other} {
		all, err := who.messages()
		if err != nil || len(all) < len(texts) || !slices.Equal(all[len(all)-len(texts):], texts) {
			t.Errorf("the messages end in %q, want %q (%v)", all[max(0, len(all)-len(texts)-1):], texts, err)
		}
	}
	p.Reload()
	p.SeeConversation("Bob Baker")
	for _, text := range texts {
		p.SeeMessage(text)
	}
}

// A message that is cut off on its way, or whose answer is, is sent again under its id and is there once only.
func TestFaultCutRequestsAndAnswersAreRepeatedOnce(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]fault{"before the commit": cut, "after the commit": cutAnswer} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wire := newLine(t, startDemo(t).URL)
			p := newAlice(newPerson(t, wire.URL))
			allowConsole(t, p.ctx, "Failed to load resource")
			p.OpenConversation("Bob Baker")
			wire.on(func(s *sent) fault {
				switch s.Action {
				case "add":
					return f
				case "download":
					return cut
				}
				return nil
			})
			p.Say("Bob Baker", "Once is enough")
			p.SeeWaiting("Once is enough")
			wire.on(nil)
			p.SeeMessage("Once is enough")
			p.eventually("it was sent again", func() error {
				if n := len(wire.all("add")); n < 2 {
					return fmt.Errorf("%d times", n)
				}
				return nil
			})
			if ids := wire.ids(t); len(ids) != 1 {
				t.Errorf("it was sent under the ids %q", ids)
			}
			p.Reload()
			p.SeeConversation("Bob Baker")
			p.SeeMessage("Once is enough")
		})
	}
}

// A refused message stays in its place, says why, and can be sent again or deleted.
func TestRefusedMessageStaysAndCanBeSentAgain(t *testing.T) {
	t.Parallel()
	wire := newLine(t, startDemo(t).URL)
	p := newAlice(newPerson(t, wire.URL))
	p.OpenConversation("Bob Baker")
	wire.on(to(answer(200, "application/json", `{"status":"ERROR","errormessage":"The mailbox is full."}`), "add"))
	p.Say("Bob Baker", "Please keep this")
	p.Say("Bob Baker", "And throw this away")
	p.SeeMessage("Please keep this [Not sent. The mailbox is full.]")
	p.SeeMessage("And throw this away [Not sent. The mailbox is full.]")
	p.Hear("Message not sent. The mailbox is full.")
	wire.on(nil)
	log := p.see("log", "Messages")
	again, err := p.find("button", "Try again", log)
	if err != nil || len(again) != 2 {
		t.Fatalf("%v, %v", again, err)
	}
	again[0].click()
	p.SeeMessage("Please keep this")
	p.seeIn(log, "button", "Delete").click()
	p.eventually("the other is gone", func() error {
		all, err := p.messages()
		if n := count(all, "And throw this away [Not sent. The mailbox is full.]"); err != nil || n != 0 {
			return errNotYet
		}
		return nil
	})
}

// The server may be restarted: pages go on where they were.
func TestPagesSurviveARestartOfTheServer(t *testing.T) {
	t.Parallel()
	server := startDemo(t)
	p := newAlice(newPerson(t, server.URL))
	allowConsole(t, p.ctx, "Failed to load resource")
	p.OpenConversation("Bob Baker")
	server.Stop()
	p.SeeOffline()
	p.Star("Priya Raman")
	p.Say("Bob Baker", "Written while the server was away")
	p.SeeQueued("Priya Raman")
	p.SeeWaiting("Written while the server was away")
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	startAt(t, server.Data, net.JoinHostPort(u.Hostname(), u.Port()))
	p.SeeMessage("Written while the server was away")
	p.SeeSettled("Priya Raman")
	p.SeeOnline()
	p.SeeFavorite("Priya Raman")
}

// After the first visit the program starts without a network, in another page too, and says that it is offline.
func TestStartsWithoutTheServer(t *testing.T) {
	t.Parallel()
	server := startDemo(t)
	p := newAlice(newPerson(t, server.URL))
	allowConsole(t, p.ctx, "Failed to load resource")
	p.js(`navigator.serviceWorker.ready.then(() => 1)`, nil)
	p.eventually("the files are kept", func() error {
		var n int
		err := p.tryJS(`(async () => { let n = 0; for (const name of await caches.keys()) n += (await (await caches.open(name)).keys()).length; return n })()`, &n)
		if err != nil || n < 8 {
			return fmt.Errorf("%d files, %w", n, err)
		}
		return nil
	})
	server.Stop()
	tab := p.anotherTab()
	allowConsole(t, tab.ctx, "Failed to load resource")
	tab.Visit("/")
	tab.see("navigation", "Conversations")
	tab.SeeWords("Alice Ashford")
	tab.SeeOffline()
	if err := tab.none(nil, "textbox", "Password"); err != nil {
		t.Errorf("the form is shown: %v", err)
	}
}

// Messages that wait for the network survive that the page is closed, and are delivered once, in order, by the next one.
func TestFaultQueuedMessagesSurviveTheTab(t *testing.T) {
	t.Parallel()
	server := startDemo(t)
	wire := newLine(t, server.URL)
	p := newAlice(newPerson(t, wire.URL))
	allowConsole(t, p.ctx, "Failed to load resource")
	p.OpenConversation("Bob Baker")
	wire.on(func(*sent) fault { return cut })
	texts := []string{"Before the crash, one", "Before the crash, two"}
	for _, text := range texts {
		p.Say("Bob Baker", text)
		p.SeeWaiting(text)
	}
	var link string
	p.js("location.pathname + location.search", &link)
	tab := p.anotherTab()
	allowConsole(t, tab.ctx, "Failed to load resource")
	if err := chromedp.Cancel(p.ctx); err != nil {
		t.Fatal(err)
	}
	wire.on(nil)
	tab.Visit(link)
	tab.SeeConversation("Bob Baker")
	for _, text := range texts {
		tab.SeeMessage(text)
	}
	tab.Reload()
	tab.SeeConversation("Bob Baker")
	for _, text := range texts {
		tab.SeeMessage(text)
	}
	all, err := tab.messages()
	if err != nil || len(all) < 2 || !slices.Equal(all[len(all)-2:], texts) {
		t.Errorf("the messages end in %q, want %q (%v)", all[max(0, len(all)-3):], texts, err)
	}
}

// Signing out needs no network: the device is wiped all the same.
func TestSignOutWorksOffline(t *testing.T) {
	t.Parallel()
	p := newAlice(newPerson(t, startDemo(t).URL))
	p.OpenConversation("Bob Baker")
	p.GoOffline()
	p.Star("Priya Raman")
	p.Say("Bob Baker", "Never mind")
	p.SeeQueued("Priya Raman")
	p.SeeWaiting("Never mind")
	p.see("button", "Settings").click()
	p.SeeWords("1 message that has not been sent is lost.")
	p.see("button", "Sign out").click()
	p.SeeSignIn()
	p.eventually("the device is wiped", func() error {
		left, err := p.kept()
		if err == nil && left != "" {
			err = fmt.Errorf("left behind: %s", left)
		}
		return err
	})
	p.GoOnline()
	p.SignIn(alice, demoPassword)
	p.SeeNoFavorite("Priya Raman")
}
