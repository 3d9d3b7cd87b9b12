package e2e

import (
	"slices"
	"testing"
)

// A star that was set on one device of a person appears on the person's other device, and goes there too.
func TestStarsAppearOnTheOtherDevice(t *testing.T) {
	t.Parallel()
	server := startDemo(t)
	desk, phone := newAlice(newPerson(t, server.URL)), newAlice(newPerson(t, server.URL))
	desk.Star("Priya Raman")
	phone.SeeFavorite("Priya Raman")
	phone.Unstar("Priya Raman")
	desk.SeeNoFavorite("Priya Raman")
	phone.Unstar("Bob Baker")
	desk.SeeNoFavorite("Bob Baker")
	desk.SeeSettled("Bob Baker")
	if a, b := desk.Favorites(), phone.Favorites(); !slices.Equal(a, b) {
		t.Errorf("the devices differ: %q and %q", a, b)
	}
}

// A star is one person's own: the other person in the conversation sees nothing of it.
func TestStarsAreOnesOwn(t *testing.T) {
	t.Parallel()
	server := startDemo(t)
	p, other := newAlice(newPerson(t, server.URL)), newPerson(t, server.URL)
	other.Visit("/")
	other.SignIn(bob, demoPassword)
	other.SeeFavorite("Alice Ashford")
	p.Unstar("Bob Baker")
	p.SeeSettled("Bob Baker")
	other.Reload()
	other.SeeFavorite("Alice Ashford")
}

// Two people write to each other, each on an own device.
func TestTwoPeopleExchangeMessages(t *testing.T) {
	t.Parallel()
	server := startDemo(t)
	p, other := newAlice(newPerson(t, server.URL)), newPerson(t, server.URL)
	other.Visit("/")
	other.SignIn(bob, demoPassword)
	p.OpenConversation("Bob Baker")
	other.OpenConversation("Alice Ashford")

	p.Say("Bob Baker", "Are you there?")
	p.SeeMessage("Are you there?")
	other.SeeMessage("Are you there?")
	other.Hear("Alice Ashford: Are you there?")
	other.Say("Alice Ashford", "Yes, at your service 🙂")
	p.SeeMessage("Yes, at your service 🙂")
	p.Hear("Bob Baker: Yes, at your service")
	p.Say("Bob Baker", "One\nmore")
	other.SeeMessage("One\nmore")

	p.Reload()
	p.SeeConversation("Bob Baker")
	for _, text := range []string{"Are you there?", "Yes, at your service 🙂", "One\nmore"} {
		p.SeeMessage(text)
	}
	all, err := p.messages()
	if err != nil || len(all) < 3 || !slices.Equal(all[len(all)-3:], []string{"Are you there?", "Yes, at your service 🙂", "One\nmore"}) {
		t.Errorf("the messages end in %q (%v)", all[max(0, len(all)-4):], err)
	}
}

// A new account starts its first conversation by an e-mail address, and the other person finds it without doing anything.
func TestNewAccountStartsAConversationByEmail(t *testing.T) {
	t.Parallel()
	server := startDemo(t)
	other := newPerson(t, server.URL)
	other.Visit("/")
	other.SignIn(bob, demoPassword)

	p := newPerson(t, server.URL)
	p.Visit("/")
	p.CreateAccount("Nora Newcomb", "nora@example.com", "correct horse battery")
	p.see("heading", "Welcome to Starling")
	p.see("button", "Start a conversation").click()
	dialog := p.see("dialog", "New conversation")
	p.seeIn(dialog, "button", "Start").click()
	p.SeeAlert("Enter the email address of the person you want to write to.")
	email := p.seeIn(dialog, "textbox", "Somebody else, by email")
	email.fill("nobody@example.com")
	p.seeIn(dialog, "button", "Start").click()
	p.SeeAlert("Nobody has an account with this email address here.")
	if v := email.value(); v != "nobody@example.com" {
		t.Errorf("after the error the field holds %q", v)
	}
	email.fill("bob@example.com")
	p.seeIn(dialog, "button", "Start").click()
	p.SeeConversation("Bob Baker")
	p.dontSee("dialog", "New conversation")
	p.Say("Bob Baker", "Hello Bob, I am new here.")
	p.SeeMessage("Hello Bob, I am new here.")

	other.OpenConversation("Nora Newcomb")
	other.SeeMessage("Hello Bob, I am new here.")
	other.Say("Nora Newcomb", "Welcome!")
	p.SeeMessage("Welcome!")
	p.Star("Bob Baker")
	p.SeeSettled("Bob Baker")
	p.SeeFavorite("Bob Baker")
}

// Who knows people already starts a conversation from the list of friends; one that is there is opened, not made again.
func TestConversationStartsFromTheFriends(t *testing.T) {
	t.Parallel()
	p := newAlice(newPerson(t, startDemo(t).URL))
	n := len(p.Favorites()) + len(p.Others())
	p.see("button", "New conversation").click()
	dialog := p.see("dialog", "New conversation")
	p.seeIn(dialog, "searchbox", "Search friends").fill("gabor")
	friends := p.seeIn(dialog, "list", "Friends")
	p.seeIn(friends, "listitem", "") // only one is left
	p.seeIn(friends, "button", "Gábor Kovács…").click()
	p.SeeConversation("Gábor Kovács")
	if now := len(p.Favorites()) + len(p.Others()); now != n {
		t.Errorf("%d conversations, before there were %d", now, n)
	}
}
