package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// The first visit shows a form that says what it wants, and what is wrong with what was entered.
func TestFirstVisitExplainsItself(t *testing.T) {
	t.Parallel()
	p := newPerson(t, startServer(t).URL)
	p.Visit("/")
	p.SeeSignIn()
	p.see("textbox", "Email")
	p.see("textbox", "Password")
	signIn := p.see("button", "Sign in")
	if err := p.none(nil, "navigation", ""); err != nil {
		t.Errorf("nobody is signed in, and %v", err)
	}

	says := func(field, words string) {
		t.Helper()
		p.SeeAlert(words)
		f := p.see("textbox", field)
		if err := f.focused(); err != nil {
			t.Error(err)
		}
		if v := f.attr("aria-invalid"); v != "true" {
			t.Errorf("%s has aria-invalid=%q", f, v)
		}
		// Assistive technology reads the words with the field.
		var described string
		f.mustCall(`function() { return (this.getAttribute("aria-describedby") ?? "").split(" ").map(id => document.getElementById(id)?.innerText ?? "").join(" ") }`, &described)
		if !strings.Contains(described, words) {
			t.Errorf("%s is described by %q, want %q", f, described, words)
		}
	}
	signIn.click()
	says("Email", "Enter your email address.")
	p.see("textbox", "Email").fill("alice")
	signIn.click()
	says("Email", "This is not an email address. It looks like name@example.com.")
	p.see("textbox", "Email").fill("alice@example.com")
	signIn.click()
	says("Password", "Enter your password.")

	p.see("button", "Create account").click()
	p.see("heading", "Create account")
	if v := p.see("textbox", "Email").value(); v != "alice@example.com" {
		t.Errorf("the address that was entered is gone: %q", v)
	}
	create := p.see("button", "Create account")
	create.click()
	says("Name", "Enter your name as others shall see it.")
	p.see("textbox", "Name").fill("Alice")
	create.click()
	says("Password", "Choose a password.")
	p.see("textbox", "Password").fill("short")
	create.click()
	says("Password", "Choose a longer password: at least 8 characters.")

	p.see("button", "Sign in instead").click()
	p.SeeSignIn()
}

// Whoever is not let in is told why, in words, and can try again at once.
func TestRefusedSignInSaysWhy(t *testing.T) {
	t.Parallel()
	server := startDemo(t)
	p := newPerson(t, server.URL)
	p.Visit("/")
	p.FillSignIn(alice, "not-her-password")
	p.SeeAlert("The email address or the password is not right.")
	if err := p.see("textbox", "Password").focused(); err != nil {
		t.Error(err)
	}
	if v := p.see("textbox", "Email").value(); v != alice {
		t.Errorf("the address that was entered is gone: %q", v)
	}
	p.FillSignIn("nobody@example.com", demoPassword)
	p.SeeAlert("The email address or the password is not right.")
	p.FillCreateAccount("Another Alice", " Alice@Example.com ", "long enough to do")
	said := p.SeeAlert("this email address")
	p.SeeFocus("Email")
	t.Logf("a taken address: %s", said)
	p.see("button", "Sign in instead").click()
	p.SignIn(alice, demoPassword)
	p.SeeFavorite("Bob Baker")
	if err := p.none(nil, "alert", ""); err != nil {
		t.Logf("alerts that are left: %v", err)
	}
}

// A new account starts with an empty sidebar that shows the way to go on, and works again after signing out and in.
func TestNewAccountShowsTheWay(t *testing.T) {
	t.Parallel()
	p := newPerson(t, startServer(t).URL)
	p.Visit("/")
	p.CreateAccount("Nora Newcomb", "nora@example.com", "correct horse battery")
	p.SeeWords("No conversations yet.")
	p.SeeWords("Nora Newcomb")
	p.see("heading", "Welcome to Starling")
	p.see("button", "New conversation")
	if err := p.none(nil, "heading", "Favorites"); err != nil {
		t.Errorf("no favorites, and %v", err)
	}
	p.see("button", "Start a conversation").click()
	p.see("dialog", "New conversation")
	p.see("button", "Close").click()
	p.dontSee("dialog", "New conversation")
	p.SignOut()
	p.SignIn("nora@example.com", "correct horse battery")
	p.SeeWords("No conversations yet.")
}

// A press on the button before the program has arrived is not lost.
func TestSignInDoesNotWaitForTheProgram(t *testing.T) {
	t.Parallel()
	p := newPerson(t, startDemo(t).URL)
	p.slowly(func() {
		p.navigate("/")
		p.FillSignIn(alice, demoPassword)
	})
	p.SeeSidebar()
	p.SeeFavorite("Bob Baker")
}

// Signing out leaves nothing of the person on the device, and a reload asks to sign in.
func TestSignOutWipesTheDevice(t *testing.T) {
	t.Parallel()
	server := startDemo(t)
	p := newAlice(newPerson(t, server.URL))
	p.OpenConversation("Bob Baker")
	p.see("textbox", "Message Bob Baker").fill("A draft that nobody shall find")
	p.SignOut()
	p.eventually("the device is wiped", func() error {
		left, err := p.kept()
		if err == nil && left != "" {
			err = fmt.Errorf("left behind: %s", left)
		}
		return err
	})
	var page string
	p.js("document.documentElement.outerHTML", &page)
	for _, trace := range []string{"Bob Baker", "Alice", "A draft"} {
		if strings.Contains(page, trace) {
			t.Errorf("the page still holds %q", trace)
		}
	}
	p.Reload()
	p.SeeSignIn()
	var address string
	p.js("location.search", &address)
	if address != "" {
		t.Errorf("the address still names a conversation: %q", address)
	}
	// The back button brings nothing back either.
	p.js("history.back()", nil)
	p.SeeSignIn()

	// The next person on this device sees his own.
	p.SignIn(bob, demoPassword)
	p.SeeFavorite("Alice Ashford")
}

// kept lists what the site has kept on the device, but for its files.
func (p *person) kept() (left string, err error) {
	err = p.tryJS(`(async () => {
		const left = Object.keys(localStorage).concat(Object.keys(sessionStorage))
		for (const {name} of await indexedDB.databases()) {
			const db = await new Promise((good, bad) => { const r = indexedDB.open(name); r.onsuccess = () => good(r.result); r.onerror = bad })
			for (const store of db.objectStoreNames) {
				const n = await new Promise((good, bad) => { const r = db.transaction(store).objectStore(store).count(); r.onsuccess = () => good(r.result); r.onerror = bad })
				if (n) left.push(name + "/" + store + ": " + n)
			}
			db.close()
		}
		return left.join(", ") + document.cookie
	})()`, &left)
	return left, err
}

// Signing out in one tab signs the device's other tabs out.
func TestSignOutReachesTheOtherTab(t *testing.T) {
	t.Parallel()
	p := newAlice(newPerson(t, startDemo(t).URL))
	tab := p.anotherTab()
	tab.Visit("/")
	tab.SeeFavorite("Bob Baker") // without a password
	p.SignOut()
	tab.SeeSignIn()
	tab.SeeWords("You signed out in another tab.")

	tab.SignIn(bob, demoPassword)
	p.SeeSidebar()
	p.SeeFavorite("Alice Ashford")
}

// A star that is set in one tab appears in the other.
func TestTabsShowTheSame(t *testing.T) {
	t.Parallel()
	p := newAlice(newPerson(t, startDemo(t).URL))
	tab := p.anotherTab()
	tab.Visit("/")
	tab.SeeFavorite("Bob Baker")
	p.Unstar("Bob Baker")
	tab.SeeNoFavorite("Bob Baker")
	tab.Star("Priya Raman")
	p.SeeFavorite("Priya Raman")
}

// Names and messages that look like markup or scripts are shown as they were written, and do nothing.
func TestScriptLikeTextIsShownAsText(t *testing.T) {
	t.Parallel()
	server := startServer(t)
	names := []string{`<img src=x onerror=alert(1)>`, `"><script>alert(2)</script>`}
	a, b := newPerson(t, server.URL), newPerson(t, server.URL)
	a.Visit("/")
	a.CreateAccount(names[0], "a@example.com", "correct horse battery")
	b.Visit("/")
	b.CreateAccount(names[1], "b@example.com", "correct horse battery")
	a.StartConversation("b@example.com", names[1])
	a.SeeNoFavorite(names[1])
	a.Star(names[1])
	a.SeeSettled(names[1])
	a.Unstar(names[1])
	a.SeeWords(names[1] + " removed from favorites.")
	b.OpenConversation(names[0])
	texts := []string{
		`<img src=x onerror=alert(3)>`, `"><script>alert(4)</script>`, `javascript:alert(5)`, `<a href="javascript:alert(6)">click</a>`,
		`[click](javascript:alert(7))`, `<svg/onload=alert(8)>`, `{{constructor.constructor('alert(9)')()}}`,
	}
	for _, text := range texts {
		a.Say(names[1], text)
		a.SeeMessage(text)
	}
	for _, text := range texts {
		b.SeeMessage(text)
	}
	var links []string
	b.js(`[...document.querySelectorAll("[role=log] a")].map(a => a.href)`, &links)
	for _, l := range links {
		if !strings.HasPrefix(l, "http:") && !strings.HasPrefix(l, "https:") && !strings.HasPrefix(l, "mailto:") {
			t.Errorf("there is a link to %q", l)
		}
	}
	// A dialog, an exception or a report of the Content-Security-Policy would fail the test by itself.
	var made int
	b.js(`document.querySelectorAll("[role=log] :is(img, script, svg, iframe), nav img").length`, &made)
	if made != 0 {
		t.Errorf("%d elements came of the text", made)
	}
	b.Reload()
	b.SeeConversation(names[0])
	b.SeeMessage(texts[0])
}

// A link to a conversation is kept over the sign-in, and a link to somebody else's conversation says so.
func TestLinkOpensTheConversationAfterSignIn(t *testing.T) {
	t.Parallel()
	server := startDemo(t)
	p := newAlice(newPerson(t, server.URL))
	p.OpenConversation("Bob Baker")
	var link string
	p.js("location.pathname + location.search", &link)
	if !strings.HasPrefix(link, "/?c=") {
		t.Fatalf("the open conversation's address is %q", link)
	}
	tab := p.anotherTab()
	tab.Visit(link)
	tab.SeeConversation("Bob Baker")

	other := newPerson(t, server.URL)
	other.Visit(link)
	other.SignIn(bob, demoPassword)
	other.SeeConversation("Alice Ashford")
	other.Visit("/?c=00000000000000000000000000000000")
	other.SeeWords("This conversation is not among yours.")
	other.Visit("/?c=%22%3E%3Cscript%3Ealert(1)%3C/script%3E")
	other.SeeWords("This conversation is not among yours.")
}

// A device whose clock is a day wrong works all the same: requests are signed with the server's clock.
func TestFaultAWrongClockDoesNotMatter(t *testing.T) {
	t.Parallel()
	server := startDemo(t)
	for name, days := range map[string]int{"fast": 1, "slow": -1} {
		p := newPerson(t, server.URL)
		p.before(fmt.Sprintf(`(() => {
			const Real = Date, off = %d * 864e5;
			window.Date = class extends Real {
				constructor(...a) { a.length ? super(...a) : super(Real.now() + off); }
				static now() { return Real.now() + off; }
			};
		})()`, days))
		p.Visit("/")
		p.CreateAccount("Clock "+name, name+"@example.com", "a password of some length")
		p.SeeWords("Write to somebody")
		p.SignOut()
		p.SignIn(alice, demoPassword)
		other := []string{"Sofia Lindqvist", "Chloé Dubois"}[max(0, days)]
		p.Star(other)
		p.SeeFavorite(other)
		p.Reload()
		p.SeeFavorite(other)
		p.OpenConversation(other)
		p.Say(other, "What time is it?")
		p.SeeMessage("What time is it?")
	}
}

// The browser's clock is set while the page is open and messages wait: they arrive once, in the order in which they were written, and
// what is done afterwards is signed with the server's time.
func TestFaultAClockThatIsSetWhileMessagesWait(t *testing.T) {
	t.Parallel()
	wire := newLine(t, startDemo(t).URL)
	p := newPerson(t, wire.URL)
	p.before(`(() => {
		const Real = Date
		window.hours = 0
		const now = () => Real.now() + window.hours * 36e5
		window.Date = class extends Real {
			constructor(...a) { a.length ? super(...a) : super(now()) }
			static now() { return now() }
		}
	})()`)
	newAlice(p)
	allowConsole(t, p.ctx, "Failed to load resource")
	p.OpenConversation("Bob Baker")
	p.Say("Bob Baker", "At the right time")
	p.SeeEndOf("At the right time")
	wire.on(func(*sent) fault { return cut })
	want := []string{"At the right time"}
	for _, hours := range []int{2, -2, 30, -30, 3} {
		p.js(fmt.Sprintf("window.hours = %d", hours), nil)
		text := fmt.Sprintf("%d hours off", hours)
		p.Say("Bob Baker", text)
		p.SeeWaiting(text)
		want = append(want, text)
	}
	wire.on(nil)
	p.SeeEndOf(want...)
	p.js("window.hours = -3", nil)
	p.Star("Priya Raman")
	p.SeeFavorite("Priya Raman")
	p.SeeSettled("Priya Raman")
	p.Say("Bob Baker", "Back again")
	want = append(want, "Back again")
	p.SeeEndOf(want...)
	if ids := wire.ids(t); len(ids) != len(want) {
		t.Errorf("%d messages were sent under the ids %q", len(want), ids)
	}
	p.js("window.hours = 2", nil)
	p.Reload() // with a clock that is right
	p.OpenConversation("Bob Baker")
	p.SeeEndOf(want...)
	other := newBob(newPerson(t, wire.URL))
	other.OpenConversation("Alice Ashford")
	other.SeeEndOf(want...)
}
