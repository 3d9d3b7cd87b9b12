package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"
)

// The verbs of messages.

// article is the message with a text, once it is there.
func (p *person) article(text string) *element {
	p.t.Helper()
	var found *element
	p.eventually(fmt.Sprintf("see the message %q", text), func() error {
		all, err := p.find("article", "", nil)
		if err != nil {
			return err
		}
		for _, a := range all {
			var body string
			if err := a.call(`function() { return this.querySelector(".body").innerText }`, &body); err == nil && body == text {
				found = a
				return nil
			}
		}
		return fmt.Errorf("it is not among %d", len(all))
	})
	return found
}

// Do chooses an entry of a message's menu.
func (p *person) Do(text, entry string) {
	p.t.Helper()
	a := p.article(text)
	if err := a.call(`function() { this.focus() }`, nil); err != nil {
		p.t.Fatal(err)
	}
	p.seeIn(a, "button", "Message actions").click()
	p.see("menuitem", entry).click()
}

// foot is what stands below a message.
func (p *person) foot(text string) (foot string) {
	p.t.Helper()
	if err := p.article(text).call(`function() { return this.querySelector(".foot").innerText }`, &foot); err != nil {
		p.t.Fatal(err)
	}
	return foot
}

// What one has written can be put right: the other sees the new text, marked, and so does who comes later.
func TestAnEditedMessageIsEditedForBoth(t *testing.T) {
	t.Parallel()
	server := startDemo(t)
	a, b := newAlice(newPerson(t, server.URL)), newPerson(t, server.URL)
	b.Visit("/")
	b.SignIn(bob, demoPassword)
	a.OpenConversation("Bob Baker")
	b.OpenConversation("Alice Ashford")
	a.Say("Bob Baker", "See you at nien")
	a.SeeMessage("See you at nien")
	b.SeeMessage("See you at nien")
	// ArrowUp in the empty field takes the last message of one's own.
	a.see("textbox", "Message Bob Baker").click()
	a.press(kb.ArrowUp)
	a.see("button", "Save")
	a.press(kb.Escape)
	a.see("button", "Send")
	a.Do("See you at nien", "Edit")
	a.see("textbox", "Message Bob Baker").fill("See you at nine")
	a.see("button", "Save").click()
	a.SeeMessage("See you at nine")
	b.SeeMessage("See you at nine")
	a.see("button", "Send")
	for _, p := range []*person{a, b} {
		if foot := p.foot("See you at nine"); !strings.Contains(foot, "edited") {
			t.Errorf("below the message stands %q", foot)
		}
		p.Reload()
		p.article("See you at nine")
	}
}

// A message that one deletes, after a question, is gone for both; its place stays.
func TestADeletedMessageIsGoneForBoth(t *testing.T) {
	t.Parallel()
	server := startDemo(t)
	a, b := newAlice(newPerson(t, server.URL)), newPerson(t, server.URL)
	b.Visit("/")
	b.SignIn(bob, demoPassword)
	a.OpenConversation("Bob Baker")
	b.OpenConversation("Alice Ashford")
	a.Say("Bob Baker", "Never mind this")
	a.SeeMessage("Never mind this")
	b.SeeMessage("Never mind this")
	a.Do("Never mind this", "Delete…")
	dialog := a.see("alertdialog", "Delete message")
	a.seeIn(dialog, "button", "Cancel").click()
	a.SeeMessage("Never mind this")
	a.Do("Never mind this", "Delete…")
	a.seeIn(a.see("alertdialog", "Delete message"), "button", "Delete for everybody").click()
	for _, p := range []*person{a, b} {
		p.SeeMessage("This message was deleted.")
		p.eventually("the text is gone", func() error {
			return p.holds(`!document.querySelector("#log").innerText.includes("Never mind this")`)
		})
	}
}

// An answer quotes what it answers, and leads there.
func TestAnAnswerQuotesAndLeadsBack(t *testing.T) {
	t.Parallel()
	server := startSeeded(t, 200)
	a, b := newPerson(t, server.URL), newPerson(t, server.URL)
	first, second := a.seeded(1), b.seeded(2)
	a.Say(first, "Which colour shall it be?")
	b.Do("Which colour shall it be?", "Reply")
	b.SeeWords("Reply to " + second)
	b.press(kb.Escape)
	b.eventually("the answer is left", func() error { return b.holds(`!document.body.innerText.includes("Reply to")`) })
	b.Do("Which colour shall it be?", "Reply")
	b.Say(second, "Blue")
	a.SeeMessage("Blue")
	quote := a.seeIn(a.article("Blue"), "button", "Go to the message by …")
	for i := range 12 {
		b.Say(second, fmt.Sprintf("And %d\nmore\nlines", i))
	}
	a.SeeMessage("And 11\nmore\nlines")
	a.js(`document.querySelectorAll("#log article .quote")[0].scrollIntoView()`, nil)
	quote.click()
	a.eventually("the question is in view and has the focus", func() error {
		return a.holds(`document.activeElement.matches("article") && document.activeElement.innerText.includes("Which colour")`)
	})
	// A message that is far back is loaded first.
	const far = "Message 3 of conversation 1: the figures of the week are in the usual place."
	b.eventually("the reader is far back", func() error {
		b.js(`document.querySelector("#log").scrollTop = 0`, nil)
		return b.holds(fmt.Sprintf(`(l => l.scrollTop === 0 && l.innerText.includes("begins here") && l.innerText.includes(%q))(document.querySelector("#log"))`, far))
	})
	b.Do(far, "Reply")
	b.Say(second, "About that one")
	b.SeeMessage("About that one")
	b.Reload()
	b.SeeConversation(second)
	b.seeIn(b.article("About that one"), "button", "Go to the message by …").click()
	b.eventually("it is loaded, in view, and has the focus", func() error {
		return b.holds(fmt.Sprintf(`document.activeElement.matches("article") && document.activeElement.innerText.includes(%q)`, far))
	})
}

// A message that was meant to last for a minute is gone from both screens after it, without anybody doing anything.
func TestAMessageThatExpiresIsGoneInTime(t *testing.T) {
	t.Parallel()
	server := startDemo(t)
	a, b := newAlice(newPerson(t, server.URL)), newPerson(t, server.URL)
	b.Visit("/")
	b.SignIn(bob, demoPassword)
	a.OpenConversation("Bob Baker")
	b.OpenConversation("Alice Ashford")
	a.js(`(s => { s.value = "60"; s.dispatchEvent(new InputEvent("input", {bubbles: true})) })(document.querySelector("#keep"))`, nil)
	a.Say("Bob Baker", "Burn this")
	a.SeeMessage("Burn this")
	b.SeeMessage("Burn this")
	if foot := b.foot("Burn this"); !strings.Contains(foot, "Gone in") || !strings.Contains(foot, "second") {
		t.Errorf("below the message stands %q", foot)
	}
	a.Reload() // the choice is kept
	a.SeeConversation("Bob Baker")
	a.eventually("the choice is kept", func() error { return a.holds(`document.querySelector("#keep").value === "60"`) })
	for _, p := range []*person{a, b} {
		p.within(100*time.Second, "the message is gone", func() error {
			return p.holds(`!document.querySelector("#log").innerText.includes("Burn this")`)
		})
	}
}

// What was begun to be written is there again after a reload, with what it answers, and is marked nowhere in clear.
func TestADraftSurvivesTheReload(t *testing.T) {
	t.Parallel()
	p := newAlice(newPerson(t, startDemo(t).URL))
	p.OpenConversation("Bob Baker")
	p.Say("Bob Baker", "What is new?")
	p.SeeMessage("What is new?")
	p.Do("What is new?", "Reply")
	p.see("textbox", "Message Bob Baker").fill("I was about to say")
	p.OpenConversation("Priya Raman")
	p.see("textbox", "Message Priya Raman").fill("Another one")
	p.OpenConversation("Bob Baker")
	p.eventually("the draft is there", func() error { return p.holds(`document.querySelector("#composer").value === "I was about to say"`) })
	p.eventually("it is kept", func() error {
		return p.holds(kept("drafts") + `.then((n) => n === 2)`)
	})
	p.Reload()
	p.SeeConversation("Bob Baker")
	p.eventually("the draft is there again", func() error { return p.holds(`document.querySelector("#composer").value === "I was about to say"`) })
	p.SeeWords("Reply to yourself")
	p.OpenConversation("Priya Raman")
	p.eventually("and the other", func() error { return p.holds(`document.querySelector("#composer").value === "Another one"`) })
	p.OpenConversation("Bob Baker")
	p.see("button", "Send").click()
	p.SeeMessage("I was about to say")
	p.seeIn(p.article("I was about to say"), "button", "Go to the message by …")
	p.Reload()
	p.SeeConversation("Bob Baker")
	p.SeeMessage("I was about to say")
	p.eventually("there is no draft", func() error { return p.holds(`document.querySelector("#composer").value === ""`) })
}

// A change that was begun is still there after a reload, and so are files that were chosen.
func TestWhatStandsInTheComposerSurvivesTheReload(t *testing.T) {
	t.Parallel()
	server := startDemo(t)
	a, b := newAlice(newPerson(t, server.URL)), newPerson(t, server.URL)
	b.Visit("/")
	b.SignIn(bob, demoPassword)
	a.OpenConversation("Bob Baker")
	b.OpenConversation("Alice Ashford")
	a.Say("Bob Baker", "See you at nien")
	a.SeeMessage("See you at nien")
	a.Attach(file(t, "holiday.png", photo(t, 1200, 900)), file(t, "plan.txt", []byte("the plan")), file(t, "wrong.txt", []byte("x")))
	a.SeeChosen("holiday.png", "plan.txt", "wrong.txt")
	keeps := func(n int) func() error {
		return func() error {
			return a.holds(fmt.Sprintf(`new Promise(done => { const open = indexedDB.open("starling-files"); open.onsuccess = () => {
				const count = open.result.transaction("files").objectStore("files").count()
				count.onsuccess = () => { open.result.close(); done(count.result === %d) } } })`, n))
		}
	}
	a.eventually("the files are kept", keeps(3))
	a.see("button", "Remove wrong.txt").click()
	a.SeeChosen("holiday.png", "plan.txt")
	a.eventually("the one that was taken away is not", keeps(2))
	a.see("textbox", "Message Bob Baker").fill("Here they are")
	a.Do("See you at nien", "Edit")
	a.see("textbox", "Message Bob Baker").fill("See you at nine")
	a.see("button", "Insert an emoji").click()
	a.SeeFocus("Search emoji")
	a.typeText("rocket")
	a.press(kb.ArrowDown)
	a.press(kb.Enter)
	text := func(want string) func() error {
		return func() error { return a.holds(`document.querySelector("#composer").value === ` + strconv.Quote(want)) }
	}
	a.eventually("the emoji stands in the change", text("See you at nine🚀"))

	a.Reload()
	a.SeeConversation("Bob Baker")
	a.eventually("the change is there again", text("See you at nine🚀"))
	a.SeeWords("Edit message")
	a.OpenConversation("Priya Raman")
	a.eventually("elsewhere is nothing", text(""))
	a.SeeChosen()
	a.OpenConversation("Bob Baker")
	a.eventually("the change has waited", text("See you at nine🚀"))
	a.see("button", "Save").click()
	a.SeeMessage("See you at nine🚀")
	b.SeeMessage("See you at nine🚀")
	a.eventually("the message is there again", text("Here they are"))
	a.SeeChosen("holiday.png", "plan.txt")
	a.SendChosen()
	b.seeIn(b.article("Here they are"), "button", "Open picture holiday.png")
	b.seeIn(b.article("Here they are"), "button", "Download plan.txt, …")
	a.eventually("no file is left on the device", keeps(0))
	a.Reload()
	a.SeeConversation("Bob Baker")
	a.SeeMessage("See you at nine🚀")
	a.SeeChosen()
	a.eventually("nothing stands in the composer", text(""))
}

// Messages can have links, code, bold and lists; nothing that somebody writes becomes anything else.
func TestMessagesAreFormattedAndNothingRuns(t *testing.T) {
	t.Parallel()
	p := newAlice(newPerson(t, startDemo(t).URL))
	p.OpenConversation("Bob Baker")
	p.js(`(() => { window.ran = 0; document.addEventListener("securitypolicyviolation", () => window.ran++) })()`, nil)
	p.Say("Bob Baker", "Some **bold**, `code` and https://example.com/a?b=1.\n- one\n- two\n```\nif a {\n}\n```")
	p.eventually("it is formatted", func() error {
		return p.holds(`(b => b.querySelector("strong").innerText === "bold" && b.querySelector("code").innerText === "code" &&
			b.querySelectorAll("li").length === 2 && b.querySelector("pre").innerText.includes("if a {") &&
			b.querySelector("a").href === "https://example.com/a?b=1" && b.querySelector("a").rel === "noopener noreferrer" &&
			b.querySelector("a").target === "_blank")([...document.querySelectorAll("#log .body")].at(-1))`)
	})
	for _, evil := range []string{
		`<script>window.ran++</script>`, `<img src=x onerror=window.ran++>`, `"><svg onload=window.ran++>`, `javascript:window.ran++`,
		`[x](javascript:window.ran++)`, `**<b onclick=window.ran++>x</b>**`, "`<iframe srcdoc='<script>parent.ran++</script>'>`",
		`data:text/html,<script>1</script>`, `https://a.b/"onmouseover="window.ran++`, `<a href="javascript:window.ran++">x</a>`, `vbscript:x www.`, "```\n</code></pre><script>window.ran++</script>\n```",
		`http://[`, `https://a:99999999`,
	} {
		p.Say("Bob Baker", evil)
		p.eventually(fmt.Sprintf("%q is shown and does nothing", evil), func() error {
			return p.holds(`(b => b !== undefined && b.querySelectorAll("script, img, svg, iframe, b").length === 0 && window.ran === 0 &&
				[...b.querySelectorAll("*")].every(e => [...e.attributes].every(a => !a.name.startsWith("on"))) &&
				[...b.querySelectorAll("a")].every(a => /^(https?|mailto):/.test(a.getAttribute("href"))))` +
				`([...document.querySelectorAll("#log .body")].at(-1))`)
		})
		p.js(`(b => b.querySelector("a:not([href*='a.b'])")?.click())([...document.querySelectorAll("#log .body")].at(-1))`, nil)
	}
	p.see("textbox", "Message Bob Baker") // the program lives
	p.Say("Bob Baker", "Still here")
	p.SeeMessage("Still here")
}

// An emoji is found by its name and put where the caret is, by the keyboard alone.
func TestAnEmojiIsFoundByItsName(t *testing.T) {
	t.Parallel()
	p := newAlice(newPerson(t, startDemo(t).URL))
	p.OpenConversation("Bob Baker")
	p.see("textbox", "Message Bob Baker").fill("Well done ")
	p.see("button", "Insert an emoji").click()
	p.see("dialog", "Emoji")
	p.SeeFocus("Search emoji")
	p.typeText("rocket")
	p.press(kb.ArrowDown)
	p.press(kb.Enter)
	p.dontSee("dialog", "Emoji")
	p.SeeFocus("Message Bob Baker")
	p.press(kb.Enter)
	p.SeeMessage("Well done 🚀")
}
