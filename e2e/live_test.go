package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
)

// NoSocket lets WebSockets through no more, or again; those that are open stay.
func (l *line) NoSocket(on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.noSocket = on
}

func (l *line) blocks(r *http.Request) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.noSocket && upgrades(r)
}

// polls counts the notification calls so far.
func (l *line) polls() (n int) {
	for _, s := range l.all("download") {
		if strings.Contains(s.URI, "api=chatnotification") {
			n++
		}
	}
	return n
}

// Linked waits until a page is told of changes by its socket: it has opened one, and asks no more by itself.
func (p *person) Linked(l *line) {
	p.t.Helper()
	quiet, n := time.Now(), -1
	p.eventually("the page waits for its socket", func() error {
		if now := l.polls(); now != n {
			n, quiet = now, time.Now()
		}
		if len(l.all("ticket")) == 0 || time.Since(quiet) < 5*time.Second { // without a socket it asks every two seconds
			return fmt.Errorf("%d tickets, %d polls", len(l.all("ticket")), n)
		}
		return nil
	})
}

// newBob is Bob of the demo, signed in on a new device.
func newBob(p *person) *person {
	p.t.Helper()
	p.Visit("/")
	p.SignIn(bob, demoPassword)
	p.SeeFavorite("Alice Ashford")
	return p
}

// SeePresence waits until a conversation's row says what the other person is; "" is nothing.
func (p *person) SeePresence(name, words string) {
	p.t.Helper()
	p.eventually(fmt.Sprintf("%s is %q", name, words), func() error {
		row, err := p.one(nil, "link", name+"…")
		if err != nil {
			return err
		}
		var is, mark string
		if err := row.call("function() { return this.getAttribute('aria-description') ?? '' }", &is); err != nil {
			return err
		}
		if err := row.call("function() { return this.querySelector('.presence').dataset.is ?? '' }", &mark); err != nil {
			return err
		}
		if want := map[string]string{"Available": "present", "Away": "away"}[words]; is != words || mark != want {
			return fmt.Errorf("the row says %q, and its mark is %q", is, mark)
		}
		return nil
	})
}

// SeeNote waits until the words stand under the name of the open conversation.
func (p *person) SeeNote(words string) {
	p.t.Helper()
	p.eventually(fmt.Sprintf("see %q in the conversation's head", words), func() error {
		var is string
		if err := p.tryJS(`document.querySelector(".pane-note")?.textContent ?? ""`, &is); err != nil || is != words {
			return fmt.Errorf("it says %q, %w", is, err)
		}
		return nil
	})
}

// Hide puts the page out of sight, as another window in front of it does; Show brings it back.
func (p *person) Hide() { p.t.Helper(); p.seen("hidden") }

// Show brings the page back into sight.
func (p *person) Show() { p.t.Helper(); p.seen("visible") }

func (p *person) seen(state string) {
	p.t.Helper()
	p.js(fmt.Sprintf(`(Object.defineProperty(document, "visibilityState", {value: %q, configurable: true}), document.dispatchEvent(new Event("visibilitychange")))`, state), nil)
}

// A message arrives because the server says so, not because the page happens to ask.
func TestMessageArrivesByTheSocket(t *testing.T) {
	t.Parallel()
	server := startDemo(t)
	wire := newLine(t, server.URL)
	p, other := newBob(newPerson(t, wire.URL)), newAlice(newPerson(t, server.URL))
	p.OpenConversation("Alice Ashford")
	other.OpenConversation("Bob Baker")
	p.Linked(wire)
	before := wire.polls()
	other.Say("Bob Baker", "Can you hear me at once?")
	p.SeeMessage("Can you hear me at once?")
	if asked := wire.polls() - before; asked < 1 || asked > 2 { // one for the message; one more if Alice's presence changed
		t.Errorf("the page has asked %d times for one message", asked)
	}
	other.Unstar("Bob Baker") // concerns nobody else
	other.SeeSettled("Bob Baker")
	p.Say("Alice Ashford", "Loud and clear")
	other.SeeMessage("Loud and clear")
}

// Where no WebSocket gets through, everything arrives all the same, a little later; and by the socket once one does.
func TestMessageArrivesWithoutASocket(t *testing.T) {
	t.Parallel()
	server := startDemo(t)
	wire := newLine(t, server.URL)
	wire.NoSocket(true)
	p := newPerson(t, wire.URL)
	allowConsole(t, p.ctx, "WebSocket connection to")
	newBob(p)
	other := newAlice(newPerson(t, server.URL))
	p.OpenConversation("Alice Ashford")
	other.OpenConversation("Bob Baker")
	other.Say("Bob Baker", "By carrier pigeon")
	p.SeeMessage("By carrier pigeon")
	p.SeePresence("Alice Ashford", "Available")
	wire.NoSocket(false)
	p.js(`window.dispatchEvent(new Event("online"))`, nil)
	p.Linked(wire)
	other.Say("Bob Baker", "By wire")
	p.SeeMessage("By wire")
}

// After the server was restarted the page has a socket again.
func TestSocketComesBackAfterARestartOfTheServer(t *testing.T) {
	t.Parallel()
	server := startDemo(t)
	wire := newLine(t, server.URL)
	p := newBob(newPerson(t, wire.URL))
	allowConsole(t, p.ctx, "Failed to load resource")
	p.OpenConversation("Alice Ashford")
	p.Linked(wire)
	server.Stop()
	p.SeeOffline()
	again := startAt(t, server.Data, strings.TrimPrefix(server.URL, "http://"))
	p.SeeOnline()
	p.Linked(wire)
	other := newAlice(newPerson(t, again.URL))
	other.OpenConversation("Bob Baker")
	other.Say("Bob Baker", "Still there?")
	p.SeeMessage("Still there?")
}

// Friends see whether somebody is at the page, has left it, or has signed out.
func TestFriendsSeeWhoIsThere(t *testing.T) {
	t.Parallel()
	server := startDemo(t)
	p := newAlice(newPerson(t, server.URL))
	p.OpenConversation("Bob Baker")
	p.SeePresence("Bob Baker", "")
	p.SeeNote("")
	other := newBob(newPerson(t, server.URL))
	p.SeePresence("Bob Baker", "Available")
	p.SeeNote("Available")
	other.SeePresence("Alice Ashford", "Available")
	other.Hide()
	p.SeePresence("Bob Baker", "Away")
	p.SeeNote("Away")
	p.JudgeAccess("somebody away", func() { p.see("log", "Messages") })
	other.Show()
	p.SeePresence("Bob Baker", "Available")
	p.JudgeAccess("somebody there", func() { p.see("log", "Messages") })
	p.see("button", "New conversation").click()
	friends := p.seeIn(p.see("dialog", "New conversation"), "list", "Friends")
	p.seeIn(friends, "button", "Bob Baker · available")
	p.see("button", "Close").click()
	other.SignOut()
	p.SeePresence("Bob Baker", "")
	p.SeeNote("")
}

// Types lets Bob write in a conversation until the other sees it: his page tells it with a key pressed three seconds after the
// one before, and once it has its socket.
func (p *person) Types(name string, other *person) {
	p.t.Helper()
	p.see("textbox", "Message "+name).click()
	p.eventually("be seen typing", func() error {
		p.run(input.InsertText("…"))
		var is string
		if err := other.tryJS(`document.querySelector(".pane-note")?.textContent ?? ""`, &is); err != nil || is != "Bob Baker is typing…" {
			return fmt.Errorf("it says %q, %w", is, err)
		}
		return nil
	})
}

// Who writes is seen writing by the others, until the message is there or nothing more comes.
func TestTypingIsSeen(t *testing.T) {
	t.Parallel()
	server := startDemo(t)
	p, other := newAlice(newPerson(t, server.URL)), newBob(newPerson(t, server.URL))
	p.OpenConversation("Bob Baker")
	other.OpenConversation("Alice Ashford")
	p.SeeNote("Available")
	other.Types("Alice Ashford", p)
	p.JudgeAccess("somebody typing", func() { p.see("log", "Messages") })
	p.SeeNote("Available") // nothing more has come
	other.Types("Alice Ashford", p)
	other.Say("Alice Ashford", "I have it")
	p.SeeMessage("I have it")
	p.SeeNote("Available")

	// In a group it says who, too, and only there.
	p.OpenConversation("Release train")
	other.OpenConversation("Release train")
	other.Types("Release train", p)
	p.OpenConversation("Bob Baker")
	p.SeeNote("Available")
}

// In front of an Ozeki server the page listens to its socket, whatever that says, and sends it nothing.
func TestOzekiServerTellsByItsSocket(t *testing.T) {
	t.Parallel()
	v := startVendor(t)
	p := newAdmin(t, inFrontOf(t, v).URL)
	p.OpenConversation("Dora Dahl")
	p.eventually("the page listens", func() error {
		if n := v.Tell("anybody there?"); n == 0 {
			return errNotYet
		}
		return nil
	})
	p.Hide() // asks by itself every 15 seconds only
	asked := v.Calls("download")
	v.Tell("nothing new")
	p.eventually("it asks because it was told", func() error {
		if v.Calls("download") == asked {
			return errNotYet
		}
		return nil
	})
	v.Receive("Do you hear me?")
	v.Tell(`{"event":"of the vendor's own"}`)
	p.within(5*time.Second, "the message is there before the next poll", func() error {
		all, err := p.messages()
		if err != nil || count(all, "Do you hear me?") != 1 {
			return fmt.Errorf("%q %w", all, err)
		}
		return nil
	})
	if n := v.Calls("useraway"); n != 0 {
		t.Errorf("it was told %d times of what it does not know", n)
	}
	if v.Calls("useravailable") == 0 {
		t.Error("it was never told that its user is there")
	}
}
