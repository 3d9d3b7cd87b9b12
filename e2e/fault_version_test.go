package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// anotherVersion is the program with another look, as a new version of it.
func anotherVersion(t *testing.T) string {
	t.Helper()
	path, err := buildAnother()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var buildAnother = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "starling-another-")
	if err != nil {
		return "", err
	}
	atEnd(func() { _ = os.RemoveAll(dir) })
	styles, err := filepath.Abs("../web/styles.css")
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(styles)
	if err != nil {
		return "", err
	}
	changed := filepath.Join(dir, "styles.css")
	if err := os.WriteFile(changed, append(text, "\n.another-version { color: red; }\n"...), 0o600); err != nil {
		return "", err
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{styles: changed}})
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600); err != nil {
		return "", err
	}
	out := filepath.Join(dir, "starling")
	if text, err := exec.Command("go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", out, "..").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build another version: %w\n%s", err, text)
	}
	return out, nil
})

// A new version of the program comes while messages and a star wait: it sends what the old one has left.
func TestFaultANewVersionComesWhileTheQueueIsFull(t *testing.T) {
	t.Parallel()
	newer := anotherVersion(t)
	old := startDemo(t)
	p := newAlice(newPerson(t, old.URL))
	allowConsole(t, p.ctx, "Failed to load resource")
	allowConsole(t, p.ctx, "WebSocket connection")
	p.eventually("the worker controls the page", func() error { return p.holds("!!navigator.serviceWorker.controller") })
	p.OpenConversation("Bob Baker")
	old.Stop()
	p.Say("Bob Baker", "Written in the old version")
	p.SeeWaiting("Written in the old version")
	p.Say("Bob Baker", "And this one")
	p.SeeWaiting("And this one")
	p.Star("Priya Raman")
	p.SeeQueued("Priya Raman")
	p.js(`window.before = true`, nil)
	// The calls of the page are held back, so that it is the new version that sends.
	p.js(`(() => { const real = window.fetch; window.fetch = (url, o) => String(url).includes("api=") ? Promise.reject(new TypeError("held back")) : real(url, o) })()`, nil)
	startProgram(t, newer, old.Data, strings.TrimPrefix(old.URL, "http://"), "demo")
	p.js(`navigator.serviceWorker.getRegistration().then(r => r.update()).then(() => 1)`, nil)
	p.SeeAlert("A new version of Starling is ready.")
	p.see("button", "Reload").click()
	p.eventually("the new version runs", func() error {
		return p.holds(`!window.before && !!window.starling?.submit && [...document.styleSheets].some(s => [...s.cssRules].some(r => r.selectorText === ".another-version"))`)
	})
	p.SeeSidebar()
	p.SeeConversation("Bob Baker")
	p.SeeEndOf("Written in the old version", "And this one")
	p.SeeFavorite("Priya Raman")
	p.SeeSettled("Priya Raman")
}

// A page of the former version works on when another tab has gone over to the new one, and goes over itself when its user
// says so, with what he has begun to write.
func TestATabOfTheFormerVersionWorksOn(t *testing.T) {
	t.Parallel()
	newer := anotherVersion(t)
	old := startDemo(t)
	p := newAlice(newPerson(t, old.URL))
	p.eventually("the worker controls the page", func() error { return p.holds("!!navigator.serviceWorker.controller") })
	tab := p.anotherTab()
	tab.Visit("/")
	tab.OpenConversation("Bob Baker")
	for _, q := range []*person{p, tab} {
		allowConsole(t, q.ctx, "Failed to load resource")
		allowConsole(t, q.ctx, "WebSocket connection")
		q.js("window.before = true", nil)
	}
	old.Stop()
	startProgram(t, newer, old.Data, strings.TrimPrefix(old.URL, "http://"), "demo")
	p.js(`navigator.serviceWorker.getRegistration().then(r => r.update()).then(() => 1)`, nil)
	const runs = `!window.before && !!window.starling?.submit && [...document.styleSheets].some(s => [...s.cssRules].some(r => r.selectorText === ".another-version"))`
	goOver := func(q *person) {
		t.Helper()
		q.SeeAlert("A new version of Starling is ready.")
		q.see("button", "Reload").click()
		q.eventually("the new version runs", func() error { return q.holds(runs) })
	}
	goOver(p)
	p.SeeSidebar()

	tab.SeeOnline()
	tab.Say("Bob Baker", "From the former version")
	tab.SeeMessage("From the former version")
	tab.Star("Priya Raman")
	tab.SeeSettled("Priya Raman")
	p.SeeFavorite("Priya Raman")
	tab.see("textbox", "Message Bob Baker").fill("Half a thought")
	if err := tab.holds("window.before"); err != nil {
		t.Error("the tab was reloaded by itself")
	}
	goOver(tab)
	tab.SeeConversation("Bob Baker")
	tab.SeeEndOf("From the former version")
	tab.eventually("what was begun stands in the composer", func() error {
		return tab.holds(`document.getElementById("composer").value === "Half a thought"`)
	})
}
