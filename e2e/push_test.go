package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/serviceworker"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// Who turns notifications on is notified of a message by the real worker, and not any more of what has been read. A headless
// browser reaches no push service, so only what pushManager gives is made up; the push is delivered by the browser's tools.
func TestANotificationComesAndGoes(t *testing.T) {
	t.Parallel()
	server := startDemo(t)
	p, deliver := pushable(t, server.URL)
	p.SignIn(alice, demoPassword)
	p.SeeSidebar()
	subscribable(p)
	dialog := turnOnNotifications(p)
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

	allowConsole(t, p.ctx, "Push API in incognito mode") // nothing is made up any more, and the page wants its subscription back
	p.Visit("/")
	p.SeeSidebar()
	p.OpenConversation("Bob Baker")
	p.eventually("what has been read is not told of any more", func() error {
		return p.holds(shown + `.then(text => !text.includes("` + conversation + `"))`)
	})
	p.SignOut()
	p.eventually("nothing is left after signing out", func() error { return p.holds(shown + `.then(text => text === "")`) })
}

// Whoever has to sign in again because the server has ended the session is told that notifications are off.
func TestNotificationsThatEndWithTheSessionAreSaidToHaveEnded(t *testing.T) {
	t.Parallel()
	wire := newLine(t, startDemo(t).URL)
	p, _ := pushable(t, wire.URL)
	p.SignIn(alice, demoPassword)
	p.SeeSidebar()
	subscribable(p)
	p.close(turnOnNotifications(p))
	wire.on(func(s *sent) fault {
		if s.Action == "favorite" {
			return answer(200, "application/json", `{"status":"ERROR","errorcode":"signature","errormessage":"The signature is not accepted."}`)
		}
		return nil
	})
	p.Star("Priya Raman")
	p.SeeSignIn()
	p.SeeWords("Notifications on this device have ended, too: once you are signed in, turn them on again in the settings.")
	p.eventually("the browser has no subscription any more", func() error { return p.holds(`unsubscribed === true`) })
	wire.on(nil)
	p.SignIn(alice, demoPassword)
	p.SeeSidebar()
	p.SignOut()
	p.SeeSignIn()
	if err := p.holds(`!document.body.innerText.includes("Notifications on this device")`); err != nil {
		t.Error("it is said of a session that its user has ended")
	}
}

// subscribable makes up a push service that the browser reaches.
func subscribable(p *person) {
	p.t.Helper()
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
}

// turnOnNotifications does that and gives the settings, which stay open.
func turnOnNotifications(p *person) (settings *element) {
	p.t.Helper()
	p.see("button", "Settings").click()
	settings = p.see("dialog", "Settings")
	p.seeIn(settings, "button", "Turn on notifications").click()
	p.seeIn(settings, "button", "Turn off notifications")
	return settings
}

// pushable is somebody at the sign-in form on a device that may show notifications, and what gives a push message to its
// worker.
func pushable(t *testing.T, url string) (p *person, deliver func(data string)) {
	t.Helper()
	p = newPerson(t, url)
	root := startChromium(t)
	grant := browser.GrantPermissions([]browser.PermissionType{browser.PermissionTypeNotifications}).
		WithOrigin(url).WithBrowserContextID(watchOf(t, p.ctx).device)
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
				if r.ScopeURL == url+"/" {
					registration = r.RegistrationID
				}
			}
		}
	})
	p.run(serviceworker.Enable())
	p.Visit("/")
	p.js(`navigator.serviceWorker.ready.then(() => 1)`, nil)
	p.eventually("the browser tells of the worker", func() error {
		mu.Lock()
		defer mu.Unlock()
		if registration == "" {
			return errNotYet
		}
		return nil
	})
	return p, func(data string) {
		t.Helper()
		mu.Lock()
		id := registration
		mu.Unlock()
		p.run(chromedp.ActionFunc(func(ctx context.Context) error {
			return serviceworker.DeliverPushMessage(url, id, data).Do(ctx)
		}))
	}
}

// inWorker enters the service worker of a server's pages, which then runs until the test ends, and gives what evaluates an
// expression in it and decodes its value into out, nil for none.
func inWorker(t *testing.T, url string) (js func(expression string, out any)) {
	t.Helper()
	root := startChromium(t)
	all, err := target.GetTargets().Do(cdp.WithExecutor(root, chromedp.FromContext(root).Browser))
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(info *target.Info) bool { return info.Type == "service_worker" && info.URL == url+"/sw.js" })
	if i < 0 {
		t.Fatal("the worker does not run")
	}
	base, leave := chromedp.NewContext(root, chromedp.WithTargetID(all[i].TargetID))
	t.Cleanup(leave)
	late := time.AfterFunc(testTimeout, leave)
	defer late.Stop()
	if err := chromedp.Run(base); err != nil {
		t.Fatalf("enter the worker: %v", err)
	}
	return func(expression string, out any) {
		t.Helper()
		ctx, cancel := context.WithTimeout(base, time.Minute)
		defer cancel()
		if err := chromedp.Run(ctx, chromedp.Evaluate(expression, out, awaited)); err != nil {
			t.Fatalf("%v\nin the worker: %s", err, expression)
		}
	}
}

// happens is a worker's event that a script makes; what the worker asks the browser to wait for is waited for.
func happens(event string) string {
	return `(async () => {
		const done = [], e = ` + event + `
		Object.defineProperty(e, "waitUntil", {value: (p) => done.push(p)})
		dispatchEvent(e)
		await Promise.all(done)
		return true })()`
}

// A push while no page is open shows a notification without content and marks the program's icon. A click on it opens the
// conversation: in a new page where there is none, else in the one that is there, which is not loaded again. What the browser
// lets only a real click do is noted instead of done.
func TestAClickOnANotificationOpensItsConversation(t *testing.T) {
	t.Parallel()
	server := startServer(t)
	p, deliver := pushable(t, server.URL)
	p.run(chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := page.AddScriptToEvaluateOnNewDocument(`window.badges = []; navigator.setAppBadge = async (n) => { badges.push(n) }`).Do(ctx)
		return err
	}))
	p.CreateAccount("Anna Ash", "anna@example.com", "correct horse battery")
	other := newPerson(t, server.URL)
	other.Visit("/")
	other.CreateAccount("Bea Birch", "bea@example.com", "correct horse battery")
	other.StartConversation("anna@example.com", "Anna Ash")
	p.OpenConversation("Bea Birch")
	var conversation string
	p.js(`new URL(location.href).searchParams.get("c")`, &conversation)
	worker := inWorker(t, server.URL)
	worker(`(() => { self.did = []
		Object.defineProperty(clients, "openWindow", {value: async (url) => { did.push("open " + url) }})
		WindowClient.prototype.focus = async function () { did.push("focus " + new URL(this.url).pathname); return this }
		Object.defineProperty(WindowClient.prototype, "focused", {get: () => false})
		navigator.setAppBadge = async (...n) => { did.push(["badge", ...n].join(" ")) } })()`, nil)
	shown := func() (text string) {
		t.Helper()
		worker(`registration.getNotifications().then((list) => list.map((n) => [n.title, n.body, n.tag].join("|")).join("; "))`, &text)
		return text
	}
	did := func() (what []string) {
		t.Helper()
		worker(`did.splice(0)`, &what)
		return what
	}
	click := happens(fmt.Sprintf(`new NotificationEvent("notificationclick", {notification: (await registration.getNotifications()).find((n) => n.tag === %q)})`, conversation))
	push := func() {
		t.Helper()
		deliver(fmt.Sprintf(`{"conversation":%q}`, conversation))
		p.eventually("a notification without content is there", func() error {
			if got := shown(); got != "Starling|New message|"+conversation {
				return fmt.Errorf("the notifications are %q", got)
			}
			return nil
		})
	}

	p.run(chromedp.Navigate("about:blank"))
	other.Say("Anna Ash", "Come in")
	other.SeeMessage("Come in")
	push()
	p.eventually("the icon has a mark", func() error {
		var n int
		if worker(`did.length`, &n); n == 0 {
			return errNotYet
		}
		return nil
	})
	if got := did(); !slices.Equal(got, []string{"badge"}) {
		t.Errorf("without a page the worker did %q", got)
	}
	worker(click, nil)
	if got := did(); !slices.Equal(got, []string{"open /?c=" + conversation}) || shown() != "" {
		t.Errorf("without a page a click did %q, and left %q", got, shown())
	}
	p.Visit("/?c=" + conversation)
	p.SeeConversation("Bea Birch")
	p.SeeMessage("Come in")
	p.eventually("the mark is gone", func() error { return p.holds(`badges.at(-1) === 0`) })

	// A page takes away the notifications of what has been read, so there has to be something new.
	p.Visit("/")
	p.SeeSidebar()
	p.js(`window.before = true`, nil)
	other.Say("Anna Ash", "Come again")
	p.SeeRow("Bea Birch", "Conversations", "1 unread")
	push()
	worker(click, nil)
	if got := did(); !slices.Equal(got, []string{"focus /"}) || shown() != "" {
		t.Errorf("with a page a click did %q, and left %q", got, shown())
	}
	p.SeeConversation("Bea Birch")
	p.SeeMessage("Come again")
	if err := p.holds(`window.before`); err != nil {
		t.Error("the page was loaded again")
	}
}

// A subscription that the browser has replaced, or lost, is replaced on the server by the page that is open, or else by the
// next one.
func TestAChangedSubscriptionIsToldToTheServer(t *testing.T) {
	t.Parallel()
	wire := newLine(t, startDemo(t).URL)
	p, _ := pushable(t, wire.URL)
	// As with a browser that has a push service: sessionStorage names the subscription.
	p.run(chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := page.AddScriptToEvaluateOnNewDocument(`(() => {
			const now = () => sessionStorage.endpoint && {
				toJSON: () => ({endpoint: sessionStorage.endpoint, keys: {auth: "BTBZMqHH6r4Tts7J_aSIgg",
					p256dh: "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"}}),
				unsubscribe: async () => { delete sessionStorage.endpoint; return true },
			}
			PushManager.prototype.subscribe = async (o) => { sessionStorage.endpoint = "https://push.example.com/" + (sessionStorage.next ?? "first"); return now() }
			PushManager.prototype.getSubscription = async () => now() ?? null
		})()`).Do(ctx)
		return err
	}))
	p.Visit("/")
	p.SignIn(alice, demoPassword)
	p.SeeSidebar()
	stations := map[string]bool{}
	told := func() (endpoints []string) {
		for _, s := range wire.all("subscribe") {
			var body struct{ Endpoint string }
			if err := json.Unmarshal(s.Body, &body); err != nil {
				t.Fatal(err)
			}
			stations[s.Header.Get("Ozeki-Station")] = true
			endpoints = append(endpoints, strings.TrimPrefix(body.Endpoint, "https://push.example.com/"))
		}
		return endpoints
	}
	knows := func(want ...string) {
		t.Helper()
		p.eventually(fmt.Sprintf("the server is told of %q", want), func() error {
			if got := told(); !slices.Equal(got, want) {
				return fmt.Errorf("it was told of %q", got)
			}
			return nil
		})
	}
	p.see("button", "Settings").click()
	dialog := p.see("dialog", "Settings")
	p.seeIn(dialog, "button", "Turn on notifications").click()
	p.seeIn(dialog, "button", "Turn off notifications")
	p.close(dialog)
	knows("first")

	worker := inWorker(t, wire.URL)
	worker(`(() => { self.asked = []; PushManager.prototype.subscribe = async (o) => { asked.push(o.applicationServerKey); return {} } })()`, nil)
	changed := happens(`Object.defineProperty(new ExtendableEvent("pushsubscriptionchange"), "oldSubscription", {value: {options: {userVisibleOnly: true, applicationServerKey: "the key"}}})`)
	p.js(`sessionStorage.endpoint = "https://push.example.com/second"`, nil)
	worker(changed, nil)
	knows("first", "second")

	p.js(`sessionStorage.endpoint = "https://push.example.com/third"`, nil)
	p.run(chromedp.Navigate("about:blank"))
	worker(changed, nil)
	var asked []string
	if worker(`asked`, &asked); !slices.Equal(asked, []string{"the key", "the key"}) {
		t.Errorf("the worker subscribed with %q", asked)
	}
	p.Visit("/")
	p.SeeSidebar()
	knows("first", "second", "third")

	// Where the worker cannot subscribe, a page does; and where nobody has noticed that it is lost.
	lose := func(next string) {
		t.Helper()
		p.js(fmt.Sprintf(`(() => { delete sessionStorage.endpoint; sessionStorage.next = %q })()`, next), nil)
	}
	worker(`(() => { PushManager.prototype.subscribe = () => Promise.reject(new Error("not now")) })()`, nil)
	lose("fourth")
	worker(changed, nil)
	knows("first", "second", "third", "fourth")
	lose("fifth")
	p.Visit("/")
	p.SeeSidebar()
	knows("first", "second", "third", "fourth", "fifth")
	if len(stations) != 1 {
		t.Errorf("the subscriptions are of %d stations", len(stations))
	}

	// Who has turned them off is not subscribed again.
	p.see("button", "Settings").click()
	dialog = p.see("dialog", "Settings")
	p.seeIn(dialog, "button", "Turn off notifications").click()
	p.seeIn(dialog, "button", "Turn on notifications")
	p.close(dialog)
	p.Visit("/")
	p.SeeSidebar()
	p.Star("Priya Raman")
	p.SeeSettled("Priya Raman")
	knows("first", "second", "third", "fourth", "fifth")
}

// A worker that could not be installed, because a file of the page could not be had, takes nothing from the page, and is
// installed at the next visit.
func TestAWorkerThatCannotBeInstalledIsInstalledNextTime(t *testing.T) {
	t.Parallel()
	var fails, failed atomic.Bool
	fails.Store(true)
	front := refusing(t, startDemo(t).URL, func(r *http.Request) bool {
		if !fails.Load() || r.URL.Path != "/" || r.Header.Get("Sec-Fetch-Dest") != "empty" { // the page's, not the worker's
			return false
		}
		failed.Store(true)
		return true
	})
	p := newPerson(t, front.URL)
	p.Visit("/")
	p.eventually("the worker has given up", func() error {
		if !failed.Load() {
			return errNotYet
		}
		return p.holds(`navigator.serviceWorker.getRegistration().then((r) => !r)`)
	})
	p.SignIn(alice, demoPassword)
	p.SeeSidebar()
	p.Star("Priya Raman")
	p.SeeSettled("Priya Raman")
	p.OpenConversation("Bob Baker")
	p.Say("Bob Baker", "It works all the same")
	p.SeeMessage("It works all the same")
	p.eventually("nothing waits to be sent", func() error { return p.queueIs(0) })

	fails.Store(false)
	p.Reload()
	p.SeeConversation("Bob Baker")
	p.SeeMessage("It works all the same")
	p.eventually("the worker controls the page", func() error { return p.holds("!!navigator.serviceWorker.controller") })
	p.onDevice("head", `"Bob Baker"`)
	allowConsole(t, p.ctx, "Failed to load resource")
	allowConsole(t, p.ctx, "WebSocket connection")
	front.CloseClientConnections()
	front.Listener.Close()
	p.Reload()
	p.SeeSidebar()
	p.SeeOffline()
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

// What is shared into a session that proves to have ended waits until somebody has signed in.
func TestWhatIsSharedOutlastsTheSession(t *testing.T) {
	t.Parallel()
	wire := newLine(t, startDemo(t).URL)
	p := newAlice(newPerson(t, wire.URL))
	wire.on(func(*sent) fault {
		return answer(200, "application/json", `{"status":"ERROR","errorcode":"signature","errormessage":"The signature is not accepted."}`)
	})
	p.Visit("/?text=For+later")
	p.SeeSignIn()
	wire.on(nil)
	p.SignIn(alice, demoPassword)
	p.see("status", "Shared")
	p.OpenConversation("Bob Baker")
	p.eventually("it stands in the composer", func() error {
		return p.holds(`document.getElementById("composer").value === "For later"`)
	})
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
