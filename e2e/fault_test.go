package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/chromedp"
)

// What goes wrong around a page: its process, its storage, its line and its session.

// ids are the ids of the messages that went over the line, in the order of their first try.
func (l *line) ids(t *testing.T) (ids []string) {
	t.Helper()
	for _, s := range l.all("add") {
		var body struct{ Message string }
		var message struct{ ID string }
		if err := json.Unmarshal(s.Body, &body); err != nil {
			t.Fatal(err)
		}
		if body.Message == "" {
			continue // of another call
		}
		if err := json.Unmarshal([]byte(body.Message), &message); err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(ids, message.ID) {
			ids = append(ids, message.ID)
		}
	}
	return ids
}

// ends says how the messages of the open conversation end.
func (p *person) ends(want ...string) error {
	all, err := p.messages()
	if err == nil && (len(all) < len(want) || !slices.Equal(all[len(all)-len(want):], want)) {
		err = fmt.Errorf("they end in %q", all[max(0, len(all)-len(want)-1):])
	}
	return err
}

// SeeEndOf waits until the messages of the open conversation end in these.
func (p *person) SeeEndOf(want ...string) {
	p.t.Helper()
	p.eventually(fmt.Sprintf("the messages end in %q", want), func() error { return p.ends(want...) })
}

// The browser is killed while messages and a star wait: the next start has them, and sends them once.
func TestFaultTheBrowserIsKilledWithAFullQueue(t *testing.T) {
	t.Parallel()
	wire := newLine(t, startDemo(t).URL)
	profile := t.TempDir()
	start := func() (*person, func()) {
		t.Helper()
		root, stop, err := launch(profile)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(stop)
		p := &person{t, openTab(t, root, ""), wire.URL}
		allowConsole(t, p.ctx, "Failed to load resource")
		return p, func() {
			if err := chromedp.FromContext(root).Browser.Process().Kill(); err != nil {
				t.Fatal(err)
			}
			<-chromedp.FromContext(root).Browser.LostConnection
		}
	}
	p, kill := start()
	newAlice(p)
	p.OpenConversation("Bob Baker")
	wire.on(func(*sent) fault { return cut })
	p.Say("Bob Baker", "Before the kill, one")
	p.Say("Bob Baker", "Before the kill, two")
	p.Star("Priya Raman")
	p.SeeWaiting("Before the kill, one")
	p.SeeWaiting("Before the kill, two")
	p.SeeQueued("Priya Raman")
	kill()
	wire.on(nil)
	p, _ = start()
	p.Visit("/")
	p.SeeSidebar()
	p.OpenConversation("Bob Baker")
	p.SeeEndOf("Before the kill, one", "Before the kill, two")
	p.SeeFavorite("Priya Raman")
	p.SeeSettled("Priya Raman")
	if ids := wire.ids(t); len(ids) != 2 {
		t.Errorf("two messages were sent under the ids %q", ids)
	}
}

// A message comes back from the server before the answer to its own sending: it is one bubble.
func TestFaultTheEchoComesBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	wire := newLine(t, startDemo(t).URL)
	p := newAlice(newPerson(t, wire.URL))
	p.OpenConversation("Bob Baker")
	slow := newGate(t)
	wire.on(to(slow.hold, "add"))
	p.Say("Bob Baker", "Hello echo")
	<-slow.held
	p.SeeMessage("Hello echo") // which the socket tells of
	slow.Open()
	p.Say("Bob Baker", "And another")
	p.SeeEndOf("Hello echo", "And another")
}

// The line swallows everything: what is written waits, says so, and arrives once when there is a way again.
func TestFaultALineThatSwallowsEverything(t *testing.T) {
	t.Parallel()
	wire := newLine(t, startDemo(t).URL)
	p := newPerson(t, wire.URL)
	// The program gives a call twenty seconds; the fault is the same after two.
	p.before(`(() => { const real = window.fetch; window.fetch = (url, o) => {
		const early = new AbortController(); setTimeout(() => early.abort(), window.swallowed ? 2000 : 20000)
		return real(url, {...o, signal: o?.signal ? AbortSignal.any([o.signal, early.signal]) : early.signal}) } })()`)
	newAlice(p)
	allowConsole(t, p.ctx, "Failed to load resource")
	p.OpenConversation("Bob Baker")
	p.js("window.swallowed = true", nil)
	gone := make(chan struct{})
	wire.on(func(*sent) fault {
		return func(_ http.ResponseWriter, _ http.Handler, r *http.Request) {
			select {
			case <-r.Context().Done():
			case <-gone:
			}
		}
	})
	t.Cleanup(func() { close(gone) })
	p.Say("Bob Baker", "Into the black hole")
	p.SeeWaiting("Into the black hole")
	p.SeeOffline()
	wire.on(nil)
	p.SeeEndOf("Into the black hole")
	p.SeeOnline()
}

// While the page hears nothing three hundred messages come; then it has them all, in order. It has the machine for itself:
// writing so many takes half a minute.
func TestFaultThreeHundredMessagesWhileTheLineIsDown(t *testing.T) {
	server := startDemo(t)
	wire := newLine(t, server.URL)
	p := newBob(newPerson(t, wire.URL))
	allowConsole(t, p.ctx, "Failed to load resource")
	allowConsole(t, p.ctx, "WebSocket connection to")
	p.OpenConversation("Alice Ashford")
	p.GoOffline()
	p.js(`window.dispatchEvent(new Event("online"))`, nil) // makes it ask
	p.SeeOffline()
	other := newAlice(newPerson(t, server.URL))
	other.OpenConversation("Bob Baker")
	other.js(`(() => { const c = document.querySelector("#composer")
		for (let n = 1; n <= 300; n++) {
			c.value = "Message " + n
			c.dispatchEvent(new Event("input", {bubbles: true}))
			c.form.requestSubmit()
		} })()`, nil)
	other.within(testTimeout, "all three hundred are sent", func() error { return other.ends("Message 299", "Message 300") })
	p.GoOnline()
	p.SeeOnline()
	p.js(`document.querySelector("#log").scrollTo(0, 1e9)`, nil)
	p.eventually("all are there up to the last", func() error {
		all, err := p.messages()
		if err != nil {
			return err
		}
		first := len(all) - 1
		for first > 0 && strings.HasPrefix(all[first-1], "Message ") {
			first--
		}
		for i, text := range all[first:] {
			if want := "Message " + strconv.Itoa(300-(len(all)-1-first)+i); text != want {
				return fmt.Errorf("%q stands where %q should", text, want)
			}
		}
		return nil
	})
}

// A tab's process crashes while it sends: another tab sends what it has left, once.
func TestFaultATabCrashesWhileItSends(t *testing.T) {
	t.Parallel()
	wire := newLine(t, startDemo(t).URL)
	p := newAlice(newPerson(t, wire.URL))
	allowConsole(t, p.ctx, "the page's process ended")
	tab := p.anotherTab()
	allowConsole(t, tab.ctx, "net::ERR_FAILED") // what goes through the worker, whose process may be the one that crashes
	tab.Visit("/")
	tab.SeeSidebar()
	tab.OpenConversation("Bob Baker")
	p.OpenConversation("Bob Baker")
	slow := newGate(t)
	wire.on(to(slow.hold, "add"))
	p.Say("Bob Baker", "Half way")
	p.Say("Bob Baker", "Not begun")
	<-slow.held
	p.eventually("both stand on the device", func() error { return p.queueIs(2) })
	ctx, cancel := context.WithCancel(p.ctx)
	go func() { _ = chromedp.Run(ctx, page.Crash()) }() // which is never answered
	w := watchOf(t, p.ctx)
	tab.eventually("the tab has crashed", func() error {
		w.mu.Lock()
		defer w.mu.Unlock()
		if !slices.ContainsFunc(w.problems, func(s string) bool { return strings.HasPrefix(s, "crash") }) {
			return errNotYet
		}
		return nil
	})
	cancel()
	wire.on(nil)
	slow.Open()
	tab.eventually("it is sent", func() error {
		_ = tab.tryJS(`window.dispatchEvent(new Event("online"))`, nil) // makes it ask: what was left twice is taken over
		return tab.queueIs(0)
	})
	tab.SeeEndOf("Half way", "Not begun")
	if ids := wire.ids(t); len(ids) != 2 {
		t.Errorf("two messages were sent under the ids %q", ids)
	}
}

// queueIs says whether the device keeps so many messages that were not sent.
func (p *person) queueIs(n int) error {
	var kept int
	err := p.tryJS(`(async () => {
		const done = r => new Promise((good, bad) => { r.onsuccess = () => good(r.result); r.onerror = bad })
		const db = await done(indexedDB.open("starling"))
		const all = await done(db.transaction("vault").objectStore("vault").count(IDBKeyRange.lowerBound([])))
		db.close()
		return all })()`, &kept)
	if err == nil && kept != n {
		err = fmt.Errorf("%d are kept", kept)
	}
	return err
}

// The socket carries nothing any more, and nobody is told: the page asks over it, hears no answer, fetches what it has missed and
// opens another.
func TestFaultTheSocketIsOpenOnOneEndOnly(t *testing.T) {
	t.Parallel()
	server := startDemo(t)
	wire := newLine(t, server.URL)
	p := newAlice(newPerson(t, wire.URL))
	other := newBob(newPerson(t, server.URL))
	p.OpenConversation("Bob Baker")
	other.OpenConversation("Alice Ashford")
	p.Linked(wire)
	wire.Silence()
	polls := wire.polls()
	other.Say("Alice Ashford", "Said into a dead socket")
	p.within(testTimeout, "what it did not tell of is there", func() error { return p.ends("Said into a dead socket") })
	p.within(testTimeout, "another socket is open", func() error {
		if n := wire.Sockets(); n != 2 {
			return fmt.Errorf("%d were opened", n)
		}
		return nil
	})
	if n := wire.polls() - polls; n > 2 { // one when the silence is noticed, one when the next socket is open
		t.Errorf("it took %d polls", n)
	}
	p.Linked(wire)
	other.Say("Alice Ashford", "Said over the next one")
	p.SeeMessage("Said over the next one")
}

// Two tabs write without a connection: it arrives in the order written, and each message goes over the line once.
func TestFaultTwoTabsShareOneQueue(t *testing.T) {
	t.Parallel()
	wire := newLine(t, startDemo(t).URL)
	p := newAlice(newPerson(t, wire.URL))
	tab := p.anotherTab()
	tab.Visit("/")
	tab.SeeSidebar()
	both := []*person{p, tab}
	for _, q := range both {
		allowConsole(t, q.ctx, "Failed to load resource")
		q.OpenConversation("Bob Baker")
	}
	wire.on(func(*sent) fault { return cut })
	var want []string
	for n := range 4 {
		text := fmt.Sprintf("Message %d of two tabs", n)
		want = append(want, text)
		both[n%2].Say("Bob Baker", text)
		p.eventually("it is kept", func() error { return p.queueIs(n + 1) })
	}
	p.SeeOffline()
	tab.SeeOffline()
	tried := len(wire.all("add"))
	wire.on(nil)
	for _, q := range both {
		q.SeeEndOf(want...)
	}
	if n := len(wire.all("add")) - tried; n != 4 {
		t.Errorf("four messages went over the line %d times", n)
	}
}

// A device that is full gives the text back and says why; when there is room it is sent.
func TestFaultTheDeviceIsFull(t *testing.T) {
	t.Parallel()
	wire := newLine(t, startDemo(t).URL)
	p := newAlice(newPerson(t, wire.URL))
	p.OpenConversation("Bob Baker")
	// As the browser does it: the transaction is aborted. (Its own quota, set smaller, is not looked at for a while.)
	p.js(`(() => { const put = IDBObjectStore.prototype.put; window.full = true
		IDBObjectStore.prototype.put = function(...a) { const r = put.apply(this, a); if (window.full) this.transaction.abort(); return r } })()`, nil)
	long := "Keep this, please " + strings.Repeat("x", 8000)
	p.Say("Bob Baker", long)
	p.SeeAlert("this device could not keep the message")
	if text := p.see("textbox", "Message Bob Baker").value(); text != long {
		t.Errorf("the composer holds %.40q", text)
	}
	if n := len(wire.ids(t)); n != 0 {
		t.Errorf("%d messages were sent", n)
	}
	p.js("window.full = false", nil)
	p.see("button", "Send").click()
	p.SeeMessage(long)
	if text := p.see("textbox", "Message Bob Baker").value(); text != "" {
		t.Errorf("the composer still holds %.40q", text)
	}
}

// The browser has cleared its storage under an open page: what waits is sent from there, and what is written then is given back with
// words that say why; then one signs in again.
func TestFaultTheStorageIsEvicted(t *testing.T) {
	t.Parallel()
	wire := newLine(t, startDemo(t).URL)
	p := newAlice(newPerson(t, wire.URL))
	allowConsole(t, p.ctx, "Failed to load resource")
	p.OpenConversation("Bob Baker")
	wire.on(func(*sent) fault { return cut })
	p.Say("Bob Baker", "Waiting, one")
	p.Say("Bob Baker", "Waiting, two")
	p.SeeWaiting("Waiting, one")
	p.SeeWaiting("Waiting, two")
	p.run(storage.ClearDataForOrigin(wire.URL, "indexeddb,local_storage"))
	wire.on(nil)
	p.SeeEndOf("Waiting, one", "Waiting, two")
	p.Say("Bob Baker", "Am I kept?")
	p.SeeAlert("this device could not keep the message")
	if text := p.see("textbox", "Message Bob Baker").value(); text != "Am I kept?" {
		t.Errorf("the composer holds %q", text)
	}
	p.Reload()
	p.SeeSignIn()
	p.SignIn(alice, demoPassword)
	p.OpenConversation("Bob Baker")
	p.Say("Bob Baker", "Here again")
	p.SeeMessage("Here again")
}

// The server ends the session in the middle of the queue: it waits, and goes on under the same ids after the sign-in.
func TestFaultTheSessionEndsInTheMiddleOfTheQueue(t *testing.T) {
	t.Parallel()
	wire := newLine(t, startDemo(t).URL)
	p := newAlice(newPerson(t, wire.URL))
	allowConsole(t, p.ctx, "Failed to load resource")
	p.OpenConversation("Bob Baker")
	wire.on(func(*sent) fault { return cut })
	want := []string{"Queue, one", "Queue, two", "Queue, three"}
	for _, text := range want {
		p.Say("Bob Baker", text)
		p.SeeWaiting(text)
	}
	p.Star("Priya Raman")
	p.SeeQueued("Priya Raman")
	passed := 0
	wire.on(func(s *sent) fault {
		if s.Action == "add" {
			if passed++; passed == 1 {
				return nil
			}
			return answer(200, "application/json", `{"status":"ERROR","errorcode":"signature","errormessage":"The signature is not accepted."}`)
		}
		return nil
	})
	p.SeeSignIn()
	p.SeeWords("What was not sent yet is kept on this device and sent then.")
	first := wire.ids(t)
	wire.on(nil)
	p.SignIn(alice, demoPassword)
	p.OpenConversation("Bob Baker")
	p.SeeEndOf(want...)
	p.SeeFavorite("Priya Raman")
	p.SeeSettled("Priya Raman")
	ids := wire.ids(t)
	if len(ids) != 3 || !slices.Equal(ids[:len(first)], first) {
		t.Errorf("before the sign-in the messages had the ids %q, after it %q", first, ids)
	}
}

// kept is an expression for how many entries a map has in what the device keeps of the user.
func kept(name string) string {
	return `(async () => {
		const done = (r) => new Promise((good, bad) => { r.onsuccess = () => good(r.result); r.onerror = () => bad(r.error) })
		const db = await done(indexedDB.open("starling")), store = db.transaction("vault").objectStore("vault")
		const [session, own] = await Promise.all([done(store.get("session")), done(store.get("private"))])
		db.close()
		const additionalData = new TextEncoder().encode(JSON.parse(session.json).userid)
		const plain = await crypto.subtle.decrypt({name: "AES-GCM", iv: own.iv, additionalData}, own.key, own.data)
		return Object.keys(JSON.parse(new TextDecoder().decode(plain)).` + name + ` ?? {}).length })()`
}

// A message that is sent in the moment of a reload is there after it, and what was written of it is not.
func TestFaultAMessageInTheMomentOfTheReload(t *testing.T) {
	t.Parallel()
	p := newAlice(newPerson(t, startDemo(t).URL))
	p.OpenConversation("Bob Baker")
	for _, pause := range []bool{true, false} {
		text := "I have to go at once"
		if pause {
			text = "I have to go now"
		}
		composer := p.see("textbox", "Message Bob Baker")
		composer.fill(text)
		if pause {
			p.eventually("what was begun is kept", func() error { return p.holds(kept("drafts") + `.then((n) => n === 1)`) })
		}
		p.js("window.before = true", nil)
		composer.mustCall("function() { this.form.requestSubmit(); location.reload() }", nil)
		p.eventually("the page is new", func() error { return p.holds("!window.before && !!window.starling?.submit") })
		p.SeeConversation("Bob Baker")
		p.SeeMessage(text)
		if got := p.see("textbox", "Message Bob Baker").value(); got != "" {
			t.Errorf("the composer holds %q", got)
		}
		p.eventually("no draft is kept", func() error { return p.holds(kept("drafts") + `.then((n) => n === 0)`) })
	}
}

// A message that the server does not take while all else works says so, and is sent when its writer says so.
func TestFaultAMessageThatTheServerDoesNotTakeNow(t *testing.T) {
	t.Parallel()
	wire := newLine(t, startDemo(t).URL)
	p := newAlice(newPerson(t, wire.URL))
	allowConsole(t, p.ctx, "Failed to load resource")
	p.OpenConversation("Bob Baker")
	wire.on(to(answer(503, "application/json", `{"status":"ERROR","errorcode":"internal","errormessage":"Not now."}`), "add"))
	p.Say("Bob Baker", "Are you there?")
	p.SeeMessage("Are you there? [Waiting to try again]")
	p.Star("Priya Raman")
	p.SeeSettled("Priya Raman")
	p.SeeOnline()
	p.see("button", "Try now").click()
	wire.on(nil)
	p.SeeMessage("Are you there?")
	if ids := wire.ids(t); len(ids) != 1 {
		t.Errorf("it was sent under the ids %q", ids)
	}
}

// A star that is set in the very moment in which the page is left is not lost.
func TestFaultAStarInTheMomentOfTheReload(t *testing.T) {
	t.Parallel()
	p := newAlice(newPerson(t, startDemo(t).URL))
	p.js("window.before = true", nil)
	p.star("Priya Raman").mustCall("function() { this.click(); location.reload() }", nil)
	p.eventually("the page is new", func() error { return p.holds("!window.before && !!window.starling?.submit") })
	p.SeeFavorite("Priya Raman")
	p.SeeSettled("Priya Raman")
}
