package e2e

import (
	"fmt"
	"slices"
	"strings"

	"github.com/chromedp/chromedp"
)

// What people do with Starling, in the names that docs and assistive technology use.

// Visit opens an address of the server and waits for the program: the sign-in form, or the sidebar of who is signed in.
func (p *person) Visit(path string) {
	p.t.Helper()
	p.run(chromedp.Navigate(p.url + path))
	p.programRuns()
}

// Reload loads the page again.
func (p *person) Reload() {
	p.t.Helper()
	p.run(chromedp.Reload())
	p.programRuns()
}

// programRuns waits until the program has taken over the page, with its own list in the place of the picture of the last.
func (p *person) programRuns() {
	p.t.Helper()
	p.eventually("the program starts", func() error {
		var ready bool
		if err := p.tryJS(`!!window.starling?.submit && !!document.querySelector("#lists") && !("pictured" in document.documentElement.dataset)`, &ready); err != nil || !ready {
			return fmt.Errorf("ready: %t, %w", ready, err)
		}
		return nil
	})
}

// FillSignIn fills the sign-in form and presses its button.
func (p *person) FillSignIn(email, password string) {
	p.t.Helper()
	p.see("textbox", "Email").fill(email)
	p.see("textbox", "Password").fill(password)
	p.see("button", "Sign in").click()
}

// SignIn signs in and waits for the list of conversations.
func (p *person) SignIn(email, password string) {
	p.t.Helper()
	p.FillSignIn(email, password)
	p.SeeSidebar()
}

// SeeSidebar waits for the list of conversations, with all names opened.
func (p *person) SeeSidebar() {
	p.t.Helper()
	p.see("navigation", "Conversations")
	p.eventually("the conversations are loaded", func() error {
		var loading bool
		if err := p.tryJS(`document.querySelectorAll("#lists li, #lists .empty:not([hidden])").length === 0 || document.querySelector("#lists").innerText.includes("Loading")`, &loading); err != nil || loading {
			return errNotYet
		}
		return nil
	})
}

// SeeSignIn waits for the sign-in form.
func (p *person) SeeSignIn() {
	p.t.Helper()
	p.see("heading", "Sign in")
	p.see("button", "Sign in")
}

// FillCreateAccount opens and fills the form for a new account and presses its button.
func (p *person) FillCreateAccount(name, email, password string) {
	p.t.Helper()
	if p.none(nil, "heading", "Create account") == nil {
		p.see("button", "Create account").click()
		p.see("heading", "Create account")
	}
	p.see("textbox", "Name").fill(name)
	p.see("textbox", "Email").fill(email)
	p.see("textbox", "Password").fill(password)
	p.see("button", "Create account").click()
}

// CreateAccount makes an account and waits for its sidebar.
func (p *person) CreateAccount(name, email, password string) {
	p.t.Helper()
	p.FillCreateAccount(name, email, password)
	p.SeeSidebar()
}

// SignOut signs out in the settings.
func (p *person) SignOut() {
	p.t.Helper()
	p.see("button", "Settings").click()
	p.see("button", "Sign out").click()
	p.SeeSignIn()
}

// list is one of the sidebar's two lists, nil where it is not shown.
func (p *person) list(name string) (*element, error) {
	nav, err := p.one(nil, "navigation", "Conversations")
	if err != nil {
		return nil, err
	}
	found, err := p.find("list", name, nav)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0], nil
}

// namesIn returns the names of the conversations in one of the sidebar's lists, in their order.
func (p *person) namesIn(list string) ([]string, error) {
	l, err := p.list(list)
	if l == nil || err != nil {
		return nil, err
	}
	stars, err := p.find("button", "Favorite …", l)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(stars))
	for i, s := range stars {
		names[i] = strings.TrimPrefix(s.Name, "Favorite ")
	}
	return names, nil
}

// Favorites returns the names in the section Favorites.
func (p *person) Favorites() []string { return p.mustNames("Favorites") }

// Others returns the names in the section Conversations.
func (p *person) Others() []string { return p.mustNames("Conversations") }

func (p *person) mustNames(list string) []string {
	p.t.Helper()
	names, err := p.namesIn(list)
	if err != nil {
		p.t.Fatal(err)
	}
	return names
}

// star is the star of a conversation's row in the sidebar.
func (p *person) star(name string) *element {
	p.t.Helper()
	return p.seeIn(p.see("navigation", "Conversations"), "button", "Favorite "+name)
}

// Star makes a conversation a favorite, by its star in the sidebar.
func (p *person) Star(name string) {
	p.t.Helper()
	s := p.star(name)
	if on := s.attr("aria-pressed"); on != "false" {
		p.t.Fatalf("%s is to be starred, and its star has aria-pressed=%q", name, on)
	}
	s.click()
}

// Unstar takes a conversation out of the favorites, by its star in the sidebar.
func (p *person) Unstar(name string) {
	p.t.Helper()
	s := p.star(name)
	if on := s.attr("aria-pressed"); on != "true" {
		p.t.Fatalf("%s is to be unstarred, and its star has aria-pressed=%q", name, on)
	}
	s.click()
}

// isFavorite says what is wrong if a conversation does not stand where it should: exactly once, in its section, its star
// pressed or not.
func (p *person) isFavorite(name string, want bool) error {
	favorites, err := p.namesIn("Favorites")
	if err != nil {
		return err
	}
	others, err := p.namesIn("Conversations")
	if err != nil {
		return err
	}
	in, out := count(favorites, name), count(others, name)
	if in+out != 1 || (in == 1) != want {
		return fmt.Errorf("%q is %d times among the favorites %q and %d times among the others", name, in, favorites, out)
	}
	nav, err := p.one(nil, "navigation", "Conversations")
	if err != nil {
		return err
	}
	star, err := p.one(nav, "button", "Favorite "+name)
	if err != nil {
		return err
	}
	var pressed string
	if err := star.call("function() { return this.getAttribute('aria-pressed') }", &pressed); err != nil {
		return err
	}
	if pressed != fmt.Sprint(want) {
		return fmt.Errorf("the star of %q has aria-pressed=%q", name, pressed)
	}
	return nil
}

func count(names []string, name string) (n int) {
	for _, v := range names {
		if v == name {
			n++
		}
	}
	return n
}

// SeeFavorite waits until a conversation is a favorite.
func (p *person) SeeFavorite(name string) {
	p.t.Helper()
	p.eventually(name+" is a favorite", func() error { return p.isFavorite(name, true) })
}

// SeeNoFavorite waits until a conversation is among the others.
func (p *person) SeeNoFavorite(name string) {
	p.t.Helper()
	p.eventually(name+" is no favorite", func() error { return p.isFavorite(name, false) })
}

// settled says whether a conversation's star is as the server has it, neither on its way nor queued.
func (p *person) settled(name string) error {
	nav, err := p.one(nil, "navigation", "Conversations")
	if err != nil {
		return err
	}
	star, err := p.one(nav, "button", "Favorite "+name)
	if err != nil {
		return err
	}
	var description string
	if err := star.call("function() { return this.getAttribute('aria-description') ?? '' }", &description); err != nil {
		return err
	}
	if description != "" {
		return fmt.Errorf("the star says %q", description)
	}
	return nil
}

// SeeSettled waits until the server has confirmed a conversation's star.
func (p *person) SeeSettled(name string) {
	p.t.Helper()
	p.eventually("the star of "+name+" is confirmed", func() error { return p.settled(name) })
}

// SeeQueued waits until a conversation's star says that it is kept for later.
func (p *person) SeeQueued(name string) {
	p.t.Helper()
	p.eventually("the star of "+name+" is queued", func() error {
		if err := p.settled(name); err == nil || !strings.Contains(err.Error(), "Saved on this device") {
			return fmt.Errorf("it is not: %w", err)
		}
		return nil
	})
}

// OpenConversation opens a conversation by its row and waits for its messages.
func (p *person) OpenConversation(name string) {
	p.t.Helper()
	p.seeIn(p.see("navigation", "Conversations"), "link", name+"…").click()
	p.SeeConversation(name)
}

// SeeConversation waits until a conversation is open with its messages.
func (p *person) SeeConversation(name string) {
	p.t.Helper()
	p.see("heading", name)
	p.eventually("the messages are loaded", func() error {
		if text := p.see("log", "Messages").text(); strings.Contains(text, "Loading messages") {
			return errNotYet
		}
		return nil
	})
}

// Say writes a message to the open conversation and sends it.
func (p *person) Say(name, text string) {
	p.t.Helper()
	p.see("textbox", "Message "+name).fill(text)
	p.see("button", "Send").click()
}

// messages returns what the log shows of each message: its text, and how far it is if it is not sent.
func (p *person) messages() (texts []string, err error) {
	log, err := p.one(nil, "log", "Messages")
	if err != nil {
		return nil, err
	}
	err = log.call(`function() { return [...this.querySelectorAll("article")].map(a => {
		const meta = a.querySelector(".meta > :not(time)")
		return (a.querySelector(".body")?.innerText ?? "") + (meta ? " [" + meta.innerText + "]" : "") }) }`, &texts)
	return texts, err
}

// SeeMessage waits until the open conversation shows a message exactly once, sent.
func (p *person) SeeMessage(text string) {
	p.t.Helper()
	p.eventually(fmt.Sprintf("see the message %q once", text), func() error {
		all, err := p.messages()
		if n := count(all, text); err != nil || n != 1 {
			return fmt.Errorf("it is there %d times among %q, %w", n, all[max(0, len(all)-5):], err)
		}
		return nil
	})
}

// SeeWaiting waits until the open conversation shows a message once, as one that waits for the connection.
func (p *person) SeeWaiting(text string) {
	p.t.Helper()
	p.SeeMessage(text + " [Waiting for the connection]")
}

// SeeWords waits until the words stand somewhere on the screen.
func (p *person) SeeWords(words string) {
	p.t.Helper()
	p.eventually(fmt.Sprintf("see the words %q", words), func() error {
		var text string
		if err := p.tryJS("document.body.innerText", &text); err != nil {
			return err
		}
		if !strings.Contains(text, words) {
			return errNotYet
		}
		return nil
	})
}

// SeeAlert waits for an alert that holds the words, and returns it whole.
func (p *person) SeeAlert(words string) string {
	p.t.Helper()
	var said string
	p.eventually(fmt.Sprintf("be told %q", words), func() error {
		alerts, err := p.find("alert", "", nil)
		if err != nil {
			return err
		}
		var all []string
		for _, a := range alerts {
			var text string
			if err := a.call("function() { return this.innerText }", &text); err == nil && text != "" {
				all = append(all, text)
				if strings.Contains(text, words) {
					said = text
					return nil
				}
			}
		}
		return fmt.Errorf("the alerts are %q", all)
	})
	return said
}

// Hear waits until the live region announces something that holds the words.
func (p *person) Hear(words string) {
	p.t.Helper()
	p.eventually(fmt.Sprintf("hear %q", words), func() error {
		regions, err := p.find("status", "", nil)
		if err != nil {
			return err
		}
		var all []string
		for _, r := range regions {
			var text string
			if err := r.call("function() { return this.textContent }", &text); err == nil {
				all = append(all, text)
			}
		}
		if !slices.ContainsFunc(all, func(s string) bool { return strings.Contains(s, words) }) {
			return fmt.Errorf("the status regions say %q", all)
		}
		return nil
	})
}

// SeeOffline waits until the page says that it is offline.
func (p *person) SeeOffline() { p.t.Helper(); p.see("status", "Offline") }

// SeeOnline waits until it does not.
func (p *person) SeeOnline() { p.t.Helper(); p.dontSee("status", "Offline") }

// newAlice is Alice of the demo, signed in on a new device.
func newAlice(p *person) *person {
	p.t.Helper()
	p.Visit("/")
	p.SignIn(alice, demoPassword)
	p.SeeFavorite("Bob Baker")
	return p
}

// StartConversation starts a conversation with the owner of an e-mail address and waits until it is open under the name.
func (p *person) StartConversation(email, name string) {
	p.t.Helper()
	p.see("button", "New conversation").click()
	dialog := p.see("dialog", "New conversation")
	p.seeIn(dialog, "textbox", "Somebody else, by email").fill(email)
	p.seeIn(dialog, "button", "Start").click()
	p.SeeConversation(name)
}
