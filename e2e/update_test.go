package e2e

import (
	"errors"
	"strings"
	"testing"
)

// A page that stays open notices a new version, and each tab goes over to it when its user says so, not before.
func TestNewVersionWaitsForEachTab(t *testing.T) {
	t.Parallel()
	old := startDemo(t)
	p := newPerson(t, old.URL)
	p.Visit("/")
	p.eventually("the worker controls the page", func() error { return p.holds("!!navigator.serviceWorker.controller") })
	tab := p.anotherTab()
	tab.Visit("/")
	both := []*person{p, tab}
	for _, q := range both {
		allowConsole(t, q.ctx, "Failed to load resource")
		q.js("window.before = true", nil)
	}

	old.Stop()
	startAt(t, old.Data, strings.TrimPrefix(old.URL, "http://"), "--scheme", "sha512")
	// Within the hour nobody looks; afterwards the page looks as soon as somebody looks at it.
	const shown = `document.dispatchEvent(new Event("visibilitychange"))`
	p.js(`(() => { const update = ServiceWorkerRegistration.prototype.update; window.looks = 0
		ServiceWorkerRegistration.prototype.update = function() { window.looks++; return update.call(this) } })()`, nil)
	p.js(shown, nil)
	if err := p.holds("window.looks === 0"); err != nil {
		t.Error("it looks for a new version again within the hour")
	}
	p.js(`(() => { const now = Date.now; Date.now = () => now() + 61 * 60 * 1000 })()`, nil)
	p.js(shown, nil)
	p.js(shown, nil)
	if err := p.holds("window.looks === 1"); err != nil {
		t.Error("after an hour it does not look once for a new version")
	}
	for _, q := range both {
		q.SeeAlert("A new version of Starling is ready.")
	}

	reload := func(q *person) {
		t.Helper()
		q.see("button", "Reload").click()
		q.eventually("the new version runs", func() error {
			return q.holds(`!window.before && window.starling?.config.scheme === "sha512" && !!window.starling.submit`)
		})
		q.SeeSignIn()
		if err := q.none(nil, "button", "Reload"); err != nil {
			t.Errorf("in the new version, %v", err)
		}
	}
	reload(p)
	// The other tab is now under the new worker, and stays as it is until its user wants it otherwise.
	if err := tab.holds(`window.before && starling.config.scheme === "sha256"`); err != nil {
		t.Error("the other tab was reloaded by itself")
	}
	reload(tab)
	p.js("window.before = true", nil)
	p.SeeSignIn()
	if err := p.holds("window.before"); err != nil {
		t.Error("the first tab was reloaded once more")
	}
}

// holds says whether an expression is true in the page.
func (p *person) holds(expression string) error {
	var yes bool
	if err := p.tryJS("!!(await ("+expression+"))", &yes); err != nil {
		return err
	}
	if !yes {
		return errors.New("not: " + expression)
	}
	return nil
}
