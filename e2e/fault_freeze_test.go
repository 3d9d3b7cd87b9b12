package e2e

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/systeminfo"
	"github.com/chromedp/chromedp"
)

// renderers are the processes of a browser that run pages and workers.
func renderers(t *testing.T, root context.Context) (pids []int) {
	t.Helper()
	all, err := systeminfo.GetProcessInfo().Do(cdp.WithExecutor(root, chromedp.FromContext(root).Browser))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		if p.Type == "renderer" {
			pids = append(pids, int(p.ID))
		}
	}
	return pids
}

// stopped reports whether a process and all its threads stand still.
func stopped(pid int) error {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return err
	}
	if state := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))[0]; state != "T" {
		return fmt.Errorf("the process is in the state %s", state)
	}
	return nil
}

// The processes of a page stand still while others write; when they go on the page has all, in order, and what it had begun to
// send is there once.
func TestFaultAFrozenTabWakesAndCatchesUp(t *testing.T) {
	t.Parallel()
	server := startDemo(t)
	wire := newLine(t, server.URL)
	root, stop, err := launch("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	p := newAlice(&person{t, openTab(t, root, ""), wire.URL})
	allowConsole(t, p.ctx, "Failed to load resource")
	p.OpenConversation("Bob Baker")
	other := newBob(newPerson(t, server.URL))
	other.OpenConversation("Alice Ashford")
	slow := newGate(t)
	wire.on(to(slow.hold, "add"))
	p.Say("Bob Baker", "Before it froze")
	<-slow.held

	pids := renderers(t, root)
	if len(pids) == 0 {
		t.Fatal("the browser has no processes for pages")
	}
	signal := func(s syscall.Signal) {
		for _, pid := range pids {
			if err := syscall.Kill(pid, s); err != nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(func() { // else it cannot be closed
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGCONT)
		}
	})
	signal(syscall.SIGSTOP)
	other.eventually("the page stands still", func() error {
		for _, pid := range pids {
			if err := stopped(pid); err != nil {
				return err
			}
		}
		return nil
	})
	slow.Open() // the answer finds nobody who reads it
	other.SeeEndOf("Before it froze")
	want := []string{"Before it froze"}
	for n := range 5 {
		text := fmt.Sprintf("While it was frozen, %d", n)
		want = append(want, text)
		other.Say("Alice Ashford", text)
	}
	other.SeeEndOf(want...)
	signal(syscall.SIGCONT)
	p.SeeEndOf(want...)
	p.Say("Bob Baker", "Awake again")
	p.SeeEndOf(append(slices.Clone(want), "Awake again")...)
	other.SeeEndOf(append(want, "Awake again")...)
	if ids := wire.ids(t); len(ids) != 2 {
		t.Errorf("two messages were sent under the ids %q", ids)
	}
}
