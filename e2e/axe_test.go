package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// axeSource is the axe-core accessibility checker.
var axeSource = sync.OnceValues(func() (string, error) {
	path := os.Getenv("AXE")
	if path == "" {
		return "", fmt.Errorf("AXE is not set: run this suite with `make e2e`, or set AXE to the path of axe.min.js from the npm package axe-core")
	}
	b, err := os.ReadFile(path)
	return string(b), err
})

// width sets the size of the page; 360 and below is a phone.
func (p *person) width(width, height int64) {
	p.t.Helper()
	p.run(emulation.SetDeviceMetricsOverride(width, height, 1, width <= 480))
}

// media sets the colour scheme that the person's system prefers, without motion.
func (p *person) media(scheme string) {
	p.t.Helper()
	p.run(emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}))
}

// JudgeAccess lets axe-core judge the screen as it is: in light and dark, wide and on a phone. It waits for look first in
// each of them, which says what the screen must show.
func (p *person) JudgeAccess(screen string, look func()) {
	p.t.Helper()
	source, err := axeSource()
	if err != nil {
		p.t.Fatal(err)
	}
	p.run(chromedp.Evaluate(source+";0", nil))
	for _, width := range []int64{1280, 360} {
		p.width(width, map[int64]int64{1280: 800, 360: 740}[width])
		for _, scheme := range []string{"light", "dark"} {
			p.media(scheme)
			look()
			var result struct {
				Passes     int
				Violations []struct {
					ID, Impact, Help string
					Nodes            []struct{ HTML, FailureSummary string }
				}
			}
			p.js(`(async () => {
				await new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))
				await Promise.all(document.getAnimations().map(a => a.finished.catch(() => {})))
				const r = await axe.run(document, {resultTypes: ["violations"]})
				return {Passes: r.passes.length, Violations: r.violations.map(v => ({ID: v.id, Impact: v.impact, Help: v.help,
					Nodes: v.nodes.slice(0, 3).map(n => ({HTML: n.html.slice(0, 300), FailureSummary: n.failureSummary}))}))}
			})()`, &result)
			if result.Passes == 0 {
				p.t.Errorf("%s: axe has judged nothing", screen)
			}
			for _, v := range result.Violations {
				nodes, _ := json.MarshalIndent(v.Nodes, "    ", "  ")
				p.t.Errorf("%s, %d px, %s: %s (%s): %s\n    %s", screen, width, scheme, v.ID, v.Impact, v.Help, nodes)
			}
		}
	}
	p.width(1280, 800)
}

// Everybody can use the forms.
func TestSignInIsAccessible(t *testing.T) {
	t.Parallel()
	p := newPerson(t, startServer(t).URL)
	p.Visit("/")
	p.JudgeAccess("sign-in", p.SeeSignIn)
	p.see("button", "Sign in").click()
	p.JudgeAccess("sign-in with an error", func() { p.SeeAlert("Enter your email address.") })
	p.see("button", "Create account").click()
	p.JudgeAccess("create account", func() { p.see("heading", "Create account") })
}

// Everybody can use the first screen of a new account.
func TestEmptySidebarIsAccessible(t *testing.T) {
	t.Parallel()
	p := newPerson(t, startServer(t).URL)
	p.Visit("/")
	p.CreateAccount("Nora Newcomb", "nora@example.com", "correct horse battery")
	p.JudgeAccess("empty sidebar", func() { p.see("navigation", "Conversations") })
}

// Everybody can use the sidebar and a conversation.
func TestSidebarAndConversationAreAccessible(t *testing.T) {
	t.Parallel()
	p := newAlice(newPerson(t, startDemo(t).URL))
	p.JudgeAccess("full sidebar", func() { p.see("heading", "Favorites") })
	p.OpenConversation("Bob Baker")
	p.JudgeAccess("conversation", func() { p.see("log", "Messages") })
	p.see("textbox", "Message Bob Baker").fill("A draft")
	p.press("1", alt)
}

// Everybody can use the dialogs.
func TestDialogsAreAccessible(t *testing.T) {
	t.Parallel()
	p := newAlice(newPerson(t, startDemo(t).URL))
	p.see("button", "New conversation").click()
	p.JudgeAccess("new conversation", func() {
		p.see("dialog", "New conversation")
		p.see("searchbox", "Search friends")
	})
	p.see("button", "Close").click()
	p.see("button", "Settings").click()
	p.JudgeAccess("settings", func() { p.see("dialog", "Settings") })
	p.see("button", "Keyboard shortcuts").click()
	p.JudgeAccess("shortcuts", func() { p.see("dialog", "Keyboard shortcuts") })
}

// Everybody can use what appears when something was undone, refused or is offline.
func TestNoticesAreAccessible(t *testing.T) {
	t.Parallel()
	wire := newLine(t, startDemo(t).URL)
	p := newAlice(newPerson(t, wire.URL))
	allowConsole(t, p.ctx, "Failed to load resource")
	p.Unstar("Bob Baker")
	p.JudgeAccess("undo notice", func() {
		p.see("button", "Undo").hover() // which stops its clock
	})
	p.see("button", "Undo").click()
	p.SeeSettled("Bob Baker")
	wire.on(to(answer(200, "application/json", `{"status":"ERROR","errormessage":"Not today."}`), "unfavorite"))
	p.Unstar("Bob Baker")
	p.JudgeAccess("refused", func() { p.SeeWords("Not today.") })
	wire.on(func(*sent) fault { return cut })
	p.Star("Priya Raman")
	p.SeeQueued("Priya Raman")
	p.JudgeAccess("offline", p.SeeOffline)
	wire.on(nil)
	p.SeeOnline()
}
