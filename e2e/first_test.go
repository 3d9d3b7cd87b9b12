package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/chromedp/chromedp"
)

// notesSize is how many bytes the notes of a watched program have (wasm/build/watch.go).
const notesSize = 4096

// Does what the first part of the program is for, and writes which functions a program built with -watched has noted
// meanwhile to the file $NOTES (make first).
func TestWhatTheFirstPartIsFor(t *testing.T) {
	file := os.Getenv("NOTES")
	if file == "" {
		t.Skip("used by make first")
	}
	all := make([]byte, notesSize)
	watched := func(url string) *person {
		p := newPerson(t, url)
		p.before(fmt.Sprintf(`{
			const real = WebAssembly.instantiateStreaming
			WebAssembly.instantiateStreaming = async (...a) => {
				const got = await real.apply(WebAssembly, a)
				window.notes = () => Array.from(new Uint8Array(got.instance.exports.mem.buffer, 0, %d))
				// After what the program does when its page goes.
				document.addEventListener("visibilitychange", () => sessionStorage.setItem("notes", JSON.stringify(notes())))
				return got
			}
		}`, notesSize))
		return p
	}
	take := func(p *person) {
		for _, notes := range []string{`notes()`, `JSON.parse(sessionStorage.getItem("notes") ?? "[]")`} {
			var bytes []int
			p.js(notes, &bytes)
			for i, b := range bytes {
				all[i] |= byte(b)
			}
		}
	}

	demo := startDemo(t)
	p := watched(demo.URL)
	p.withoutProgram()
	p.run(chromedp.Navigate(p.url))
	p.FillSignIn(alice, demoPassword)
	p.arrives()
	p.SeeSidebar()
	take(p)

	p = watched(demo.URL)
	p.Visit("/")
	p.SignIn(alice, demoPassword)
	p.firstThings()
	take(p)
	p.Reload()
	p.SeeSidebar()
	take(p)
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
	if err := os.WriteFile(file, all, 0o644); err != nil {
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
	p.before(`{
		const all = window.fetch, send = XMLHttpRequest.prototype.send
		window.fetch = async (...a) => {
			if (/\/rest\./.test(a[0])) await new Promise((go) => (window.letRestIn = go))
			return all(...a)
		}
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
