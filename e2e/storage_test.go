package e2e

import (
	"context"
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// before runs a script in every page before its own scripts.
func (p *person) before(script string) {
	p.t.Helper()
	p.run(chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := page.AddScriptToEvaluateOnNewDocument(script).Do(ctx)
		return err
	}))
}

// Whoever has the browser's storage switched off, or full, can use Starling all the same.
func TestStorageThatFailsStopsNobody(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"switched off": `for (const name of ["localStorage", "sessionStorage"]) Object.defineProperty(window, name,
			{configurable: true, get() { throw new DOMException("Access is denied for this document.", "SecurityError") }})`,
		"null": `Object.defineProperty(window, "localStorage", {configurable: true, get: () => null})`,
		"full": `Storage.prototype.setItem = () => { throw new DOMException("The quota has been exceeded.", "QuotaExceededError") }`,
		"broken": `for (const name of ["getItem", "setItem", "removeItem", "clear"])
			Storage.prototype[name] = () => { throw new DOMException("broken", "InvalidStateError") }`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPerson(t, startDemo(t).URL)
			p.before(script)
			newAlice(p)
			p.Star("Priya Raman")
			p.SeeFavorite("Priya Raman")
			p.SeeSettled("Priya Raman")
			p.see("button", "Settings").click()
			p.see("radio", "Dark").click()
			p.eventually("the page is dark", func() error {
				var theme string
				if err := p.tryJS("document.documentElement.dataset.theme", &theme); err != nil || theme != "dark" {
					return fmt.Errorf("theme %q, %w", theme, err)
				}
				return nil
			})
			p.see("button", "Close").click()
			p.Reload() // the session is kept all the same, elsewhere
			p.SeeSidebar()
			p.SeeFavorite("Priya Raman")
			p.SignOut()
			p.Reload()
			p.SeeSignIn()
		})
	}
}

// What a browser keeps for reading offline, and does not give back, keeps nobody from his conversations.
func TestADatabaseThatNeverAnswersStopsNobody(t *testing.T) {
	t.Parallel()
	p := newAlice(newPerson(t, startDemo(t).URL))
	p.before(`{
		const open = IDBFactory.prototype.open
		IDBFactory.prototype.open = function (name, ...more) { return name === "starling-shelf" ? new EventTarget() : open.call(this, name, ...more) }
	}`)
	p.Reload()
	p.SeeSidebar()
	p.OpenConversation("Priya Raman")
	p.see("textbox", "Message Priya Raman").fill("Is the database back?")
	p.press(kb.Enter)
	p.SeeMessage("Is the database back?")
}
