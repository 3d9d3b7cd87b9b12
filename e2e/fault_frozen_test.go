package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/page"
)

// A tab is frozen while it sends: another tab sends what it has left, once, and goes on; when the frozen one wakes it has
// what came meanwhile, in order.
func TestFaultAFrozenTabWakes(t *testing.T) {
	t.Parallel()
	server := startDemo(t)
	wire := newLine(t, server.URL)
	p := newAlice(newPerson(t, wire.URL))
	allowConsole(t, p.ctx, "Page entered Back-Forward Cache") // its socket, which the browser closes
	allowConsole(t, p.ctx, "Failed to load resource")
	tab := p.anotherTab()
	tab.Visit("/")
	tab.SeeSidebar()
	other := newBob(newPerson(t, server.URL))
	p.OpenConversation("Bob Baker")
	tab.OpenConversation("Bob Baker")
	other.OpenConversation("Alice Ashford")
	p.js(`(() => { window.frozen = window.woken = 0
		document.addEventListener("freeze", () => window.frozen++)
		document.addEventListener("resume", () => window.woken++) })()`, nil)
	slow := newGate(t)
	var first sync.Once
	wire.on(to(func(w http.ResponseWriter, pass http.Handler, r *http.Request) {
		then := pass.ServeHTTP
		first.Do(func() { then = func(w http.ResponseWriter, r *http.Request) { slow.hold(w, pass, r) } })
		then(w, r)
	}, "add"))
	p.Say("Bob Baker", "Half way")
	p.Say("Bob Baker", "Not begun")
	<-slow.held
	p.eventually("both stand on the device", func() error { return p.queueIs(2) })
	p.run(page.SetWebLifecycleState(page.SetWebLifecycleStateStateFrozen))

	tab.Say("Bob Baker", "From the tab that is awake")
	want := []string{"Half way", "Not begun", "From the tab that is awake"}
	tab.eventually("all is sent", func() error { return tab.queueIs(0) })
	tab.SeeEndOf(want...)
	other.SeeEndOf(want...)
	for n := range 3 {
		want = append(want, fmt.Sprint("While it is frozen ", n))
		other.Say("Alice Ashford", want[len(want)-1])
		other.SeeMessage(want[len(want)-1])
	}
	if err := p.holds("window.frozen === 1 && window.woken === 0"); err != nil {
		t.Error(err)
	}
	slow.Open()
	p.run(page.SetWebLifecycleState(page.SetWebLifecycleStateStateActive), page.BringToFront())
	p.eventually("it is awake", func() error { return p.holds("window.woken === 1") })
	// Its accessibility tree is not to be had any more after the browser's tools have frozen it.
	p.eventually("it has all, in order", func() error {
		var got []string
		err := p.tryJS(`[...document.querySelectorAll("#log article .body")].map(b => b.innerText)`, &got)
		if err == nil && (len(got) < len(want) || !slices.Equal(got[len(got)-len(want):], want)) {
			err = fmt.Errorf("they end in %q", got[max(0, len(got)-len(want)-1):])
		}
		return err
	})
	tab.SeeEndOf(want...)
	p.js(`(() => { const c = document.querySelector("#composer")
		c.value = "Awake again"
		c.dispatchEvent(new Event("input", {bubbles: true}))
		c.form.requestSubmit() })()`, nil)
	other.SeeEndOf(append(want, "Awake again")...)
	if err := p.holds(`!document.querySelector(".connection")`); err != nil {
		t.Errorf("it says that it is offline: %v", err)
	}
	if ids := wire.ids(t); len(ids) != 4 {
		t.Errorf("four messages were sent under the ids %q", ids)
	}
}
