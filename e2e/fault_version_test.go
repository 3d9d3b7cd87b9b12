package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// anotherVersion is the program with another look, as a new version of it.
func anotherVersion(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	styles, err := filepath.Abs("../web/styles.css")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(styles)
	if err != nil {
		t.Fatal(err)
	}
	changed := filepath.Join(dir, "styles.css")
	if err := os.WriteFile(changed, append(text, "\n.another-version { color: red; }\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{styles: changed}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "starling")
	if text, err := exec.Command("go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", out, "..").CombinedOutput(); err != nil {
		t.Fatalf("build another version: %v\n%s", err, text)
	}
	return out
}

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
