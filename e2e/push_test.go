package e2e

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/serviceworker"
	"github.com/chromedp/chromedp"
)

// Who turns notifications on is notified of a message by the real worker, and not any more of what has been read. A headless
// browser reaches no push service, so only what pushManager gives is made up; the push is delivered by the browser's tools.
func TestANotificationComesAndGoes(t *testing.T) {
	t.Parallel()
	server := startDemo(t)
	p := newPerson(t, server.URL)
	root := startChromium(t)
	grant := browser.GrantPermissions([]browser.PermissionType{browser.PermissionTypeNotifications}).
		WithOrigin(server.URL).WithBrowserContextID(watchOf(t, p.ctx).device)
	if err := grant.Do(cdp.WithExecutor(root, chromedp.FromContext(root).Browser)); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var registration serviceworker.RegistrationID
	chromedp.ListenTarget(p.ctx, func(ev any) {
		if e, ok := ev.(*serviceworker.EventWorkerRegistrationUpdated); ok {
			mu.Lock()
			defer mu.Unlock()
			for _, r := range e.Registrations {
				if r.ScopeURL == server.URL+"/" {
					registration = r.RegistrationID
				}
			}
		}
	})
	p.run(serviceworker.Enable())
	p.Visit("/")
	p.js(`navigator.serviceWorker.ready.then(() => 1)`, nil)
	p.SignIn(alice, demoPassword)
	p.SeeSidebar()
	p.js(`(() => {
		let now = null
		const subscription = {
			toJSON: () => ({endpoint: "https://push.example.com/a", keys: {auth: "BTBZMqHH6r4Tts7J_aSIgg",
				p256dh: "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"}}),
			unsubscribe: async () => { now = null; window.unsubscribed = true; return true },
		}
		PushManager.prototype.subscribe = async (o) => { window.subscribedWith = o; return now = subscription }
		PushManager.prototype.getSubscription = async () => now
	})()`, nil)
	settings := func() *element {
		p.see("button", "Settings").click()
		return p.see("dialog", "Settings")
	}
	dialog := settings()
	p.seeIn(dialog, "button", "Turn on notifications").click()
	p.seeIn(dialog, "button", "Turn off notifications")
	if err := p.holds(`subscribedWith.userVisibleOnly && subscribedWith.applicationServerKey.length === 87`); err != nil {
		t.Error(err)
	}
	p.seeIn(dialog, "button", "Turn off notifications").click()
	p.seeIn(dialog, "button", "Turn on notifications").click()
	p.seeIn(dialog, "button", "Turn off notifications")
	p.close(dialog)

	// A document of the site that is no page of the program: nothing there takes notifications away.
	var icon string
	p.js(`document.querySelector("link[rel=icon]").getAttribute("href")`, &icon)
	var conversation string
	p.js(`new URL([...document.querySelectorAll("nav li a")].find(a => a.innerText.includes("Bob Baker")).href).searchParams.get("c")`, &conversation)
	p.run(chromedp.Navigate("about:blank"))
	mu.Lock()
	id := registration
	mu.Unlock()
	if id == "" {
		t.Fatal("the browser tells of no worker")
	}
	deliver := func(data string) {
		t.Helper()
		p.run(chromedp.ActionFunc(func(ctx context.Context) error {
			return serviceworker.DeliverPushMessage(server.URL, id, data).Do(ctx)
		}))
	}
	deliver(fmt.Sprintf(`{"conversation":%q}`, conversation))
	deliver(fmt.Sprintf(`{"conversation":%q}`, conversation))
	deliver(`{"conversation":"not one"}`)
	allowConsole(t, p.ctx, "/favicon.ico") // which the browser wants for a bare picture
	p.run(chromedp.Navigate(server.URL + icon))
	shown := `navigator.serviceWorker.getRegistration("/").then(r => r.getNotifications()).then(list => list.map(n => [n.title, n.body, n.tag].join("|")).sort().join("; "))`
	p.eventually("one notification for each conversation", func() error {
		var got string
		if err := p.tryJS(shown, &got); err != nil {
			return err
		}
		if got != "Starling|New message|; Starling|New message|"+conversation {
			return errors.New(got)
		}
		return nil
	})

	p.Visit("/")
	p.SeeSidebar()
	p.OpenConversation("Bob Baker")
	p.eventually("what has been read is not told of any more", func() error {
		return p.holds(shown + `.then(text => !text.includes("` + conversation + `"))`)
	})
	p.SignOut()
	p.eventually("nothing is left after signing out", func() error { return p.holds(shown + `.then(text => text === "")`) })
}

// What other programs share lands in the composer of the conversation that is chosen, also if one has to sign in first.
func TestWhatIsSharedGoesToTheConversationThatIsChosen(t *testing.T) {
	t.Parallel()
	p := newPerson(t, startDemo(t).URL)
	p.Visit("/?title=News&text=Look+at+this&url=https%3A%2F%2Fexample.com%2Fa")
	p.SignIn(alice, demoPassword)
	p.see("status", "Shared")
	p.OpenConversation("Bob Baker")
	p.eventually("it stands in the composer", func() error {
		return p.holds(`document.getElementById("composer").value === "News\nLook at this\nhttps://example.com/a"`)
	})
	p.dontSee("status", "Shared")
}

// What is shared while a message is being changed becomes no part of the change.
func TestWhatIsSharedLeavesAChangeAlone(t *testing.T) {
	t.Parallel()
	p := newAlice(newPerson(t, startDemo(t).URL))
	p.OpenConversation("Bob Baker")
	p.Say("Bob Baker", "See you at nien")
	p.SeeMessage("See you at nien")
	p.see("textbox", "Message Bob Baker").fill("And bring")
	p.Do("See you at nien", "Edit")
	p.see("textbox", "Message Bob Baker").fill("See you at nine")
	p.Visit("/?text=the+plan")
	p.see("status", "Shared")
	p.OpenConversation("Bob Baker")
	holds := func(text string) {
		t.Helper()
		p.eventually("the composer holds "+text, func() error {
			return p.holds(fmt.Sprintf(`document.getElementById("composer").value === %q`, text))
		})
	}
	p.SeeWords("What you share goes into a new message.")
	holds("See you at nine")
	p.see("button", "Save").click()
	p.SeeMessage("See you at nine")
	holds("And bring\nthe plan")
}

// The shortcuts of the installed program lead where they say.
func TestTheShortcutsOfTheManifestLeadWhereTheySay(t *testing.T) {
	t.Parallel()
	p := newPerson(t, startDemo(t).URL)
	p.Visit("/?unread")
	p.SignIn(alice, demoPassword)
	p.eventually("only what is unread is shown", func() error {
		return p.holds(`document.querySelector("button.toggle").getAttribute("aria-pressed") === "true"`)
	})
	p.Visit("/?new")
	p.see("dialog", "New conversation")
}
