package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// withoutProgram holds the program back at every start of a page from now on, until arrives lets it in.
func (p *person) withoutProgram() {
	p.t.Helper()
	p.before(holding(`app`, `letProgramIn`))
}

// holding is a script that holds a part of the program back, which the page asks for itself or by its worker, until it is let
// in by a function of that name.
func holding(part, letIn string) string {
	return fmt.Sprintf(`{
		const all = window.fetch, post = Worker.prototype.postMessage
		const hold = async (what) => /\/%s\.\w+\.wasm$/.test(what) && new Promise((go) => (window.%s = go))
		window.fetch = async (...a) => {
			await hold(a[0])
			return all(...a)
		}
		Worker.prototype.postMessage = function (...a) {
			if (a[0].program) hold(a[0].program).then(() => post.apply(this, a))
			else post.apply(this, a)
		}
	}`, part, letIn)
}

// arrives lets the program in, once the page has asked for it.
func (p *person) arrives() {
	p.t.Helper()
	p.eventually("the program is asked for", func() error { return p.holds(`!!window.letProgramIn`) })
	p.js(`letProgramIn()`, nil)
	p.programRuns()
}

// SeeLastSidebar waits until the sidebar of the last visit is shown, before the program is there.
func (p *person) SeeLastSidebar() {
	p.t.Helper()
	p.eventually("the last sidebar is shown", func() error { return p.holds(`"pictured" in document.documentElement.dataset`) })
}

// sidebarRow is what is seen of a row, and where.
type sidebarRow struct {
	ID, Text, Class, Star string
	Rect                  [4]float64
}

func (p *person) sidebarRows() (rows []sidebarRow) {
	p.t.Helper()
	p.js(`[...(document.querySelector("#picture-of-sidebar") ?? document.querySelector("#app")).querySelectorAll(".sidebar li.row")].map((row) => {
		const {x, y, width, height} = row.getBoundingClientRect()
		return {ID: row.dataset.id, Text: row.innerText, Class: row.className, Star: row.querySelector(".star").getAttribute("aria-pressed"), Rect: [x, y, width, height]}
	})`, &rows)
	return rows
}

// Who comes back reads the list of the last visit before the program is there, and nothing moves when it comes.
func TestTheLastSidebarIsThereBeforeTheProgram(t *testing.T) {
	t.Parallel()
	p := newAlice(newPerson(t, startDemo(t).URL))
	p.FromMenu("Priya Raman", "Mute")
	p.SeeRow("Priya Raman", "Conversations", "Muted")
	p.onDevice("sidebar", "Muted · ")
	p.withoutProgram()
	p.run(chromedp.Reload())
	p.SeeLastSidebar()
	var before []sidebarRow
	p.eventually("all of its rows are there", func() error {
		before = p.sidebarRows()
		var total float64
		if err := p.tryJS(`[...document.querySelectorAll("#picture-of-sidebar ul")].reduce((n, list) => n + list.offsetHeight, 0)`, &total); err != nil {
			return err
		}
		if len(before) == 0 || before[0].Rect[3]*float64(len(before)) != total {
			return fmt.Errorf("%d rows in %g pixels", len(before), total)
		}
		return nil
	})
	p.see("searchbox", "Filter conversations")
	p.see("button", "Settings")
	p.SeeWords("As of ")
	p.js(`(window.shifts = [], new PerformanceObserver((list) => shifts.push(...list.getEntries().map((e) => e.value))).observe({type: "layout-shift", buffered: true}))`, nil)
	p.arrives()
	p.eventually("the program has drawn the list", func() error { return p.holds(`!document.querySelector("#picture-of-sidebar")`) })
	// What the device keeps of a row may be a change behind the picture, until the server has answered.
	p.eventually("its rows are as they were shown", func() error {
		after := p.sidebarRows()
		for i := range min(len(before), len(after)) {
			if before[i] != after[i] {
				return fmt.Errorf("row %d was %+v and is %+v", i, before[i], after[i])
			}
		}
		if len(after) != len(before) {
			return fmt.Errorf("%d rows were shown, %d are", len(before), len(after))
		}
		return nil
	})
	var shifts []float64
	p.js(`new Promise((done) => requestAnimationFrame(() => setTimeout(() => done(shifts))))`, &shifts)
	if len(shifts) > 0 {
		t.Errorf("the page moved by %v", shifts)
	}
}

// What is done in the list of the last visit is done when the program is there: a star, an open conversation, a filter.
func TestWhatIsDoneInTheLastSidebarIsKept(t *testing.T) {
	t.Parallel()
	server := startDemo(t)
	p := newAlice(newPerson(t, server.URL))
	p.onDevice("sidebar", "Favorite Priya Raman")
	p.withoutProgram()
	p.run(chromedp.Reload())
	p.SeeLastSidebar()
	p.Star("Priya Raman")
	p.run(chromedp.Reload()) // before the program was there at all
	p.SeeLastSidebar()
	if on := p.star("Priya Raman").attr("aria-pressed"); on != "true" {
		t.Errorf("after a reload the star is %q", on)
	}
	p.OpenConversationByLink("Bob Baker")
	p.js(`document.querySelector("#picture-of-sidebar .row .star").focus()`, nil)
	p.arrives()
	p.SeeConversation("Bob Baker")
	p.SeeFavorite("Priya Raman")
	p.SeeSettled("Priya Raman")
	p.eventually("the focus stays on the star", func() error { return p.holds(`document.activeElement.matches("#app .row .star")`) })
	other := newAlice(newPerson(t, server.URL))
	other.SeeFavorite("Priya Raman")

	p.run(chromedp.Reload())
	p.SeeLastSidebar()
	p.see("searchbox", "Filter conversations").fill("priya")
	p.arrives()
	p.eventually("the list is filtered", func() error {
		if n := len(p.sidebarRows()); n != 1 {
			return fmt.Errorf("%d rows", n)
		}
		return nil
	})
	p.see("searchbox", "Filter conversations").fill("")
	p.onDevice("sidebar", "Favorite Priya Raman")
	p.run(chromedp.Reload())
	p.SeeLastSidebar()
	p.see("button", "Settings").click()
	p.arrives()
	p.see("dialog", "Settings")
}

// OpenConversationByLink clicks a row, without waiting for what it opens.
func (p *person) OpenConversationByLink(name string) { p.t.Helper(); p.link(name).click() }

// Nothing that was typed before the program is there is lost, and signing in begins before.
func TestWhatIsTypedBeforeTheProgramStays(t *testing.T) {
	t.Parallel()
	p := newPerson(t, startDemo(t).URL)
	p.withoutProgram()
	p.before(`{ const derive = SubtleCrypto.prototype.deriveBits; window.derived = 0
		SubtleCrypto.prototype.deriveBits = function (...a) { window.derived++; return derive.apply(this, a) } }`)
	p.navigate("/")
	p.see("textbox", "Email").fill(alice)
	p.arrives()
	var email string
	p.js(`document.activeElement.value`, &email)
	if email != alice {
		t.Errorf("where %q was typed is %q now", alice, email)
	}
	p.navigate("/")
	p.FillSignIn(alice, demoPassword)
	p.eventually("the derivation has begun", func() error { return p.holds(`window.derived === 1`) })
	p.arrives()
	p.SeeSidebar()
	if err := p.holds(`window.derived === 1`); err != nil {
		t.Errorf("the key was derived again: %v", err)
	}
}

// What a page reads while its program is on its way is not what another tab has changed since.
func TestAPageThatStartsKnowsWhatAnotherTabChangesMeanwhile(t *testing.T) {
	t.Parallel()
	p := newAlice(newPerson(t, startDemo(t).URL))
	p.onDevice("sidebar", "Favorite Priya Raman")
	tab := p.anotherTab()
	tab.withoutProgram()
	// Reading early is over when what it opened is closed.
	tab.before(`{ const close = IDBDatabase.prototype.close; IDBDatabase.prototype.close = function () { (window.closedEarly ??= []).push(this.name); return close.call(this) } }`)
	tab.run(chromedp.Navigate(tab.url))
	tab.SeeLastSidebar()
	tab.eventually("what is needed first is read", func() error { return tab.holds(`window.closedEarly?.length === 2`) })
	p.SignOut()
	tab.arrives()
	tab.SeeSignIn()
	tab.eventually("nothing is said of a session that was refused", func() error { return tab.holds(`document.querySelector("#signin-reason").hidden`) })
}

// compiledHere is a script that counts what a page compiles on its own thread.
const compiledHere = `
	window.compiledHere = 0
	for (const name of ["compileStreaming", "instantiateStreaming"]) {
		const real = WebAssembly[name]
		WebAssembly[name] = (...a) => {
			compiledHere++
			return real.apply(WebAssembly, a)
		}
	}`

// touchable is a script that counts the functions of a return that the worker has compiled, and fails if one does anything.
const touchable = `(async () => {
	const module = await WebAssembly.compileStreaming(starlingFetch(starlingAt.program)), imports = {}
	for (const { module: from, name } of WebAssembly.Module.imports(module)) (imports[from] ??= {})[name] = () => { throw new Error(name + " was called") }
	const { exports } = await WebAssembly.instantiate(module, imports)
	let n = -1, touched = 0
	for (const step of new Uint8Array(WebAssembly.Module.customSections(module, "return")[0])) {
		n = step ? n + Math.min(step, 254) : -1
		if (step % 255 && ++touched && exports.touch(n) !== 1) throw new Error("function " + n)
	}
	return touched
})()`

// Who comes back has his program compiled away from the page, with what a start calls.
func TestTheProgramOfWhoComesBackIsCompiledAwayFromThePage(t *testing.T) {
	t.Parallel()
	p := newAlice(newPerson(t, startDemo(t).URL))
	p.before(compiledHere)
	p.Reload()
	p.SeeSidebar()
	if err := p.holds(`starling.compiling.ended.then(() => compiledHere === 0)`); err != nil {
		t.Error(err)
	}
	var touched int
	if p.js(touchable, &touched); touched < 1000 {
		t.Errorf("%d functions are compiled before they are called; see 'make first'", touched)
	}
}

// compilesItself starts the page anew, and expects that it compiles the program itself.
func (p *person) compilesItself() {
	p.t.Helper()
	p.before(compiledHere)
	p.Reload()
	p.SeeSidebar()
	if err := p.holds(`compiledHere > 0`); err != nil {
		p.t.Error(err)
	}
}

// A page that cannot have that worker compiles the program itself, at the first visit and later.
func TestWithoutItsWorkerTheProgramIsCompiledByThePage(t *testing.T) {
	t.Parallel()
	front := refusing(t, startDemo(t).URL, func(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/assets/ahead.") })
	p := newPerson(t, front.URL)
	allowConsole(t, p.ctx, "503")
	newAlice(p)
	p.compilesItself()
	p.OpenConversation("Bob Baker")
	p.Say("Bob Baker", "Hello")
	p.SeeMessage("Hello")
}

// Nor does it wait for long for one that does not start.
func TestAWorkerThatDoesNotStartHoldsNothingUp(t *testing.T) {
	t.Parallel()
	p := newAlice(newPerson(t, startDemo(t).URL))
	p.before(`window.Worker = class extends Worker { set onmessage(f) {} }`)
	p.compilesItself()
}

// A program that neither the browser nor the server has any more is started as the service worker has kept it.
func TestTheKeptProgramStartsWhereThereIsNoOther(t *testing.T) {
	t.Parallel()
	var gone atomic.Bool
	front := refusing(t, startDemo(t).URL, func(r *http.Request) bool { return gone.Load() && strings.HasSuffix(r.URL.Path, ".wasm") })
	p := newAlice(newPerson(t, front.URL))
	allowConsole(t, p.ctx, "503")
	p.filesKept()
	gone.Store(true)
	p.run(network.ClearBrowserCache())
	p.compilesItself()
}

// One tab signs out while another one begins: it asks for the program all the same.
func TestASignOutInTheMomentOfAStart(t *testing.T) {
	t.Parallel()
	p := newAlice(newPerson(t, startDemo(t).URL))
	p.before(`{
		const get = Storage.prototype.getItem
		let asked = 0
		Storage.prototype.getItem = function (k) { return k === "starling.signedin" && asked++ ? null : get.call(this, k) }
	}`)
	p.Reload()
	p.programRuns()
}
