package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"
)

// notesSize is how many bytes the notes of a watched program have (wasm/build/watch.go).
const notesSize = 4096

// noting is a script that keeps the numbers of the functions that a program built with -watched has called, in the order of
// their first calls, as far as calls of the page tell it: from one to the next they are in the order of their numbers.
const noting = `{
	for (const name of ["instantiate", "instantiateStreaming"]) {
		const real = WebAssembly[name]
		WebAssembly[name] = (source, imports) => (imports.gojs ? noting(real, source, imports) : real.call(WebAssembly, source, imports))
	}
	const noting = async (real, source, imports) => {
		let mem, words = []
		const had = new Uint32Array(%[1]d), numbers = []
		const note = () => {
			if (mem && words.buffer !== mem.buffer) words = new Uint32Array(mem.buffer, 0, had.length) // it has grown
			words.forEach((word, at) => {
				for (let anew = word & ~had[at]; anew; anew &= anew - 1) numbers.push(32 * at + 31 - Math.clz32(anew & -anew))
				had[at] = word
			})
		}
		for (const [name, f] of Object.entries(imports.gojs)) {
			imports.gojs[name] = (...a) => {
				note()
				f(...a)
			}
		}
		const got = await real.call(WebAssembly, source, imports)
		mem = (got.instance ?? got).exports.mem
		window.notes = () => {
			note()
			return numbers
		}
		// After what the program does when its page goes.
		document.addEventListener("visibilitychange", () => sessionStorage.setItem("notes", JSON.stringify(notes())))
		return got
	}
}`

// Does what the first part of the program is for, and writes which functions a program built with -watched has noted
// meanwhile to the file $NOTES (make first).
func TestWhatTheFirstPartIsFor(t *testing.T) {
	file := os.Getenv("NOTES")
	if file == "" {
		t.Skip("used by make first")
	}
	var noted struct{ All, Return, Visit []int }
	watched := func(url string) *person {
		p := newPerson(t, url)
		p.before(fmt.Sprintf(noting, notesSize/4))
		return p
	}
	take := func(p *person) (now []int) {
		var gone []int
		p.js(`notes()`, &now)
		p.js(`JSON.parse(sessionStorage.getItem("notes") ?? "[]")`, &gone)
		noted.All = append(append(noted.All, now...), gone...)
		return now
	}
	starts := func(p *person) []int {
		p.SeeSidebar()
		return take(p)
	}

	demo := startDemo(t)
	p := watched(demo.URL)
	p.withoutProgram()
	p.run(chromedp.Navigate(p.url))
	p.FillSignIn(alice, demoPassword)
	p.arrives()
	visit := starts(p)

	p = watched(demo.URL)
	p.Visit("/")
	p.SignIn(alice, demoPassword)
	p.firstThings()
	take(p)
	p.Reload()
	noted.Return = starts(p)
	noted.Visit = slices.DeleteFunc(visit, func(n int) bool { return slices.Contains(noted.Return, n) })
	p.Visit("/")
	p.SeeSidebar()
	p.firstThings()
	p.Say("Bob Baker", "Hello")
	p.SeeMessage("Hello")
	p.filesKept()
	p.GoOffline()
	allowConsole(t, p.ctx, "Failed to load resource")
	p.Reload()
	p.SeeSidebar()
	p.OpenConversation("Bob Baker")
	p.js(switching, nil)
	p.OpenConversation("Bob Baker")
	p.Say("Bob Baker", "Later")
	p.SeeWaiting("Later")
	take(p)
	p.GoOnline()
	p.SeeMessage("Later")
	take(p)

	// A list that is long enough for the garbage collector to have something to do.
	data := t.TempDir()
	if out, err := exec.Command(binary(t), "seed", "--data", data, "--users", "200", "--conversations", "2000", "--messages", "2").CombinedOutput(); err != nil {
		t.Fatalf("seed: %v\n%s", err, out)
	}
	p = watched(startIn(t, data).URL)
	p.Visit("/")
	p.SignIn("user1@example.com", demoPassword)
	for range 3 {
		p.lookAround()
		take(p)
		p.Reload()
		p.SeeSidebar()
	}
	take(p)
	text, err := json.Marshal(noted)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
}

// firstThings is what many do first: they look around and open a conversation.
func (p *person) firstThings() {
	p.t.Helper()
	p.OpenConversation("Bob Baker")
	p.eventually("the messages are there", func() error { return p.holds(`document.querySelectorAll("article").length > 0`) })
	p.lookAround()
	p.OpenConversation("Bob Baker")
	p.see("textbox", "Message Bob Baker").fill("Hel")
}

// lookAround clicks stars, switches conversations, filters and scrolls as the benchmarks do.
func (p *person) lookAround() {
	p.t.Helper()
	for _, script := range []string{clicking, switching, filtering, scrolling} {
		p.js(script, nil)
	}
}

// What many do first is done by the first part of the program alone: nothing waits for the second.
func TestTheFirstThingsDoNotWaitForTheRest(t *testing.T) {
	t.Parallel()
	p := newPerson(t, startDemo(t).URL)
	p.withoutRest()
	p.withoutProgram()
	p.run(chromedp.Navigate(p.url))
	p.FillSignIn(alice, demoPassword)
	p.arrives()
	p.SeeSidebar()
	p.didNotWait("a first visit")
	p.firstThings()
	p.didNotWait("what is done first")
	p.run(chromedp.Reload())
	p.arrives()
	p.SeeSidebar()
	p.didNotWait("a return")
	p.firstThings()
	p.didNotWait("what is done first after a return")
}

// A start without a network waits for nothing either.
func TestAnOfflineStartDoesNotWaitForTheRest(t *testing.T) {
	t.Parallel()
	p := newAlice(newPerson(t, startDemo(t).URL))
	p.onDevice("sidebar", "Bob Baker") // what is shown then
	p.filesKept()
	p.withoutRest()
	p.GoOffline()
	p.Reload()
	p.SeeSidebar()
	p.didNotWait("an offline start")
}

// didNotWait says what was done, which is to have been done by the first part of the program alone.
func (p *person) didNotWait(what string) {
	p.t.Helper()
	var numbers []int
	if p.js(`performance.getEntriesByName("starling.missed").map((m) => m.detail)`, &numbers); len(numbers) > 0 {
		p.t.Errorf("%s waits for the rest of the program, for the functions %v; see 'make first'", what, numbers)
	}
}

// withoutRest holds the second part of the program back, and what asks for it at once is told that there is no network.
// In the page, letRestIn() lets the former in, and answerAtOnce says that the latter has one.
func (p *person) withoutRest() {
	p.t.Helper()
	p.before(holding(`rest`, `letRestIn`))
	p.before(`{
		const send = XMLHttpRequest.prototype.send
		window.answerAtOnce = false
		XMLHttpRequest.prototype.send = function (...a) {
			if (!window.answerAtOnce) throw new Error("the rest has no network")
			send.apply(this, a)
		}
	}`)
}

// What the first part of the program lacks is asked for when it is wanted before it is there.
func TestWhatIsWantedOfTheRestComesAtOnce(t *testing.T) {
	t.Parallel()
	p := newPerson(t, startDemo(t).URL)
	p.withoutRest()
	p.Visit("/")
	p.SignIn(alice, demoPassword)
	p.js(`answerAtOnce = true`, nil)
	p.see("button", "Settings").click()
	dialog := p.see("dialog", "Settings")
	var asked int
	if p.js(`performance.getEntriesByName("starling.missed").length`, &asked); asked != 1 {
		t.Errorf("the rest was asked for %d times", asked)
	}
	p.close(dialog)
	p.js(`letRestIn()`, nil) // a second one changes nothing
	p.OpenConversation("Bob Baker")
	p.Say("Bob Baker", "Hello")
	p.SeeMessage("Hello")
}

// Without a network the program stops where it needs its second part, says so, and goes on there when it comes.
func TestTheProgramGoesOnWhenTheRestArrives(t *testing.T) {
	t.Parallel()
	p := newPerson(t, startDemo(t).URL)
	p.withoutRest()
	p.Visit("/")
	p.SignIn(alice, demoPassword)
	p.see("button", "Settings").click()
	p.SeeAlert("Starling could not be loaded")
	p.dontSee("dialog", "Settings")
	p.Star("Ágnes Szabó") // waits, too
	p.js(`letRestIn()`, nil)
	dialog := p.see("dialog", "Settings")
	p.eventually("the alert is gone", func() error { return p.holds(`document.getElementById("page-notice").hidden`) })
	p.close(dialog)
	p.eventually("the star is set", func() error {
		return p.holds(`[...document.querySelectorAll("li.row")].some((r) => /Szabó/.test(r.textContent) && r.querySelector(".star[aria-pressed=true]"))`)
	})
	p.OpenConversation("Bob Baker")
	p.Say("Bob Baker", "Hello")
	p.SeeMessage("Hello")
}
