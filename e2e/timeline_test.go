package e2e

import (
	"fmt"
	"os/exec"
	"strconv"
	"testing"
	"time"
)

// startSeeded is startServer with measuring data: two users who can sign in, with one conversation of so many messages.
func startSeeded(t *testing.T, messages int) *server {
	t.Helper()
	data := t.TempDir()
	seed := exec.Command(binary(t), "seed", "--data", data, "--users", "2", "--conversations", "1", "--messages", strconv.Itoa(messages))
	if out, err := seed.CombinedOutput(); err != nil {
		t.Fatalf("seed: %v\n%s", err, out)
	}
	return startIn(t, data)
}

// seeded signs a user of the measuring data in and opens the only conversation; its name is returned.
func (p *person) seeded(n int) (conversation string) {
	p.t.Helper()
	p.Visit("/")
	p.SignIn(fmt.Sprintf("user%d@example.com", n), demoPassword)
	p.eventually("there is a conversation", func() error {
		names, err := p.namesIn("Conversations")
		if favorites, _ := p.namesIn("Favorites"); len(names) == 0 {
			names = favorites
		}
		if err != nil || len(names) != 1 {
			return fmt.Errorf("they are %q, %w", names, err)
		}
		conversation = names[0]
		return nil
	})
	p.OpenConversation(conversation)
	return conversation
}

// SeeEnd waits until the last message is in view, at the end of the log.
func (p *person) SeeEnd() {
	p.t.Helper()
	p.eventually("the end of the log is in view", func() error {
		var gap float64
		if err := p.tryJS(`(l => l.scrollHeight - l.scrollTop - l.clientHeight)(document.querySelector("#log"))`, &gap); err != nil || gap > 2 {
			return fmt.Errorf("it is %v pixels below, %w", gap, err)
		}
		return p.none(nil, "button", "Jump to newest…")
	})
}

// Thousands of messages scroll without a jump: whatever is loaded or let go, what the reader looks at stays where it is.
func TestALongHistoryScrollsWithoutAJump(t *testing.T) {
	p := newPerson(t, startSeeded(t, 900).URL)
	p.seeded(1)
	p.SeeEnd()
	var way struct {
		Worst       float64
		Most, Steps int
		Top         bool
	}
	// A step up is a wheel's; between two steps a few frames pass, in which pages come.
	const upward = `(async () => {
		const log = document.querySelector("#log"), frame = () => new Promise(requestAnimationFrame)
		const top = e => e.getBoundingClientRect().top - log.getBoundingClientRect().top
		const way = {Worst: 0, Most: 0, Steps: 0, Top: false}
		const until = performance.now() + 60000
		while (performance.now() < until && !way.Top) {
			const first = [...log.querySelectorAll("article")].find(a => top(a) + a.offsetHeight > 0), y = top(first), from = log.scrollTop
			log.scrollTop -= 700
			const want = y + from - log.scrollTop
			for (let i = 0; i < 3; i++) {
				await frame()
				way.Worst = Math.max(way.Worst, first.isConnected ? Math.abs(top(first) - want) : 1e6)
			}
			way.Most = Math.max(way.Most, log.querySelectorAll("article").length)
			way.Steps++
			if (log.scrollTop < 1) {
				await new Promise(f => setTimeout(f, 50))
				way.Top = log.scrollTop < 1 && !/older messages/.test(log.innerText)
			}
		}
		return way
	})()`
	p.js(upward, &way)
	if !way.Top || way.Worst > 1 || way.Most > 160 || way.Steps < 30 {
		t.Errorf("going back: %+v", way)
	}
	// Most were let go on the way; they come back, as the newest do at once.
	var down struct {
		Worst float64
		Most  int
	}
	p.js(`(async () => {
		const log = document.querySelector("#log"), frame = () => new Promise(requestAnimationFrame)
		const top = e => e.getBoundingClientRect().top - log.getBoundingClientRect().top
		const way = {Worst: 0, Most: 0}
		for (let n = 0; n < 60; n++) {
			const first = [...log.querySelectorAll("article")].find(a => top(a) + a.offsetHeight > 0), y = top(first), from = log.scrollTop
			log.scrollTop += 700
			const want = y + from - log.scrollTop
			for (let i = 0; i < 3; i++) {
				await frame()
				way.Worst = Math.max(way.Worst, first.isConnected ? Math.abs(top(first) - want) : 1e6)
			}
			way.Most = Math.max(way.Most, log.querySelectorAll("article").length)
		}
		return way
	})()`, &down)
	if down.Worst > 1 || down.Most > 160 {
		t.Errorf("coming back: %+v", down)
	}
	// Who wants the newest while the next ones are on their way gets the newest.
	var asked bool
	p.js(`new Promise(done => {
		const log = document.querySelector("#log"), until = performance.now() + 60000
		let asked = false
		new MutationObserver((_, o) => {
			if (/Loading newer messages/.test(log.innerText)) {
				o.disconnect()
				document.querySelector(".jump").click()
				asked = true
			}
		}).observe(log, {childList: true, subtree: true})
		const on = () => {
			if (asked || performance.now() > until) return done(asked)
			log.scrollTop += 700
			requestAnimationFrame(on)
		}
		on()
	})`, &asked)
	if !asked {
		t.Error("nothing newer was loaded on the way back")
	}
	p.SeeEnd()
}

// Who reads older messages is not moved by new ones: a button counts them and leads there. Who is at the end stays there,
// also when the window gets another size.
func TestNewMessagesDoNotMoveTheReader(t *testing.T) {
	t.Parallel()
	server := startSeeded(t, 80)
	one, two := newPerson(t, server.URL), newPerson(t, server.URL)
	first, second := one.seeded(1), two.seeded(2)
	one.SeeEnd()
	two.Say(second, "While you are here")
	one.SeeMessage("While you are here")
	one.SeeEnd()
	one.width(500, 500)
	one.SeeEnd()
	one.width(360, 740) // a phone that was turned
	one.SeeEnd()
	one.width(1280, 800)
	one.SeeEnd()

	one.js(`document.querySelector("#log").scrollTop -= 600`, nil)
	one.see("button", "Jump to newest")
	where := func() (y float64) {
		t.Helper()
		one.js(`[...document.querySelectorAll("#log article")].find(a => a.getBoundingClientRect().bottom > 100).getBoundingClientRect().top`, &y)
		return y
	}
	y := where()
	two.Say(second, "While you read")
	two.Say(second, "And one more")
	one.see("button", "Jump to newest, 2 new messages")
	if now := where(); now != y {
		t.Errorf("what was at %v is at %v", y, now)
	}
	one.see("button", "Jump to newest, 2 new messages").click()
	one.SeeEnd()
	one.SeeMessage("And one more")

	// What one writes oneself is shown.
	one.js(`document.querySelector("#log").scrollTop -= 600`, nil)
	one.see("button", "Jump to newest")
	one.Say(first, "An answer")
	one.SeeEnd()
	one.SeeMessage("An answer")
}

// Opening a conversation and sending show in the frame of the key press or click.
func TestMessagesAreDrawnInTheSameFrame(t *testing.T) {
	t.Parallel()
	p := newAlice(newPerson(t, startDemo(t).URL))
	p.OpenConversation("Priya Raman")
	p.OpenConversation("Bob Baker")
	p.within(10*time.Second, "the messages of both are at hand", func() error { return p.holds(`document.querySelectorAll("#log article").length > 3`) })
	var same bool
	p.js(`(() => {
		const first = () => document.querySelector("#log article").dataset.id, was = first()
		;[...document.querySelectorAll("#lists li a")].find(a => a.textContent.startsWith("Priya Raman")).click()
		return first() !== was
	})()`, &same)
	if !same {
		t.Error("the messages of another conversation come later than the click")
	}
	p.SeeConversation("Priya Raman")
	p.see("textbox", "Message Priya Raman").fill("In one frame")
	p.js(`(() => {
		document.querySelector("#composer").dispatchEvent(new KeyboardEvent("keydown", {key: "Enter", code: "Enter", bubbles: true, cancelable: true}))
		return [...document.querySelectorAll("#log article .body")].some(b => b.innerText === "In one frame")
	})()`, &same)
	if !same {
		t.Error("a message sent comes later than the key")
	}
	p.SeeMessage("In one frame")
}
