package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// A guest is a new account, signed in, who is a friend of those whose addresses are given.
func newGuest(p *person, name, email string, friends ...string) *person {
	p.t.Helper()
	p.Visit("/")
	p.CreateAccount(name, email, demoPassword)
	for _, f := range friends {
		p.see("button", "New conversation").click()
		dialog := p.see("dialog", "New conversation")
		p.seeIn(dialog, "textbox", "Somebody else, by email").fill(f)
		p.seeIn(dialog, "button", "Start").click()
		p.see("log", "Messages")
	}
	return p
}

// CreateGroup makes a group with friends and waits until it is open.
func (p *person) CreateGroup(name string, people ...string) {
	p.t.Helper()
	p.see("button", "New conversation").click()
	p.seeIn(p.see("dialog", "New conversation"), "button", "New group").click()
	dialog := p.see("dialog", "New group")
	p.seeIn(dialog, "textbox", "Group name").fill(name)
	for _, who := range people {
		p.pick(dialog, who)
	}
	p.seeIn(dialog, "button", "Create group").click()
	p.SeeConversation(name)
}

// pick searches a friend in a dialog and checks the box.
func (p *person) pick(dialog *element, name string) {
	p.t.Helper()
	p.seeIn(dialog, "searchbox", "Search friends").fill(name)
	p.eventually("nobody else is listed", func() error {
		if all, err := p.find("checkbox", "", dialog); err != nil || len(all) != 1 {
			return fmt.Errorf("listed: %v %w", all, err)
		}
		return nil
	})
	p.seeIn(dialog, "checkbox", name).click()
	p.eventually(name+" is chosen", func() error {
		var on bool
		if err := p.seeIn(dialog, "checkbox", name).call("function() { return this.checked }", &on); err != nil || !on {
			return fmt.Errorf("checked: %t %w", on, err)
		}
		return nil
	})
}

// Members opens the dialog about the open group.
func (p *person) Members(group string) *element {
	p.t.Helper()
	p.see("button", "Members of "+group).click()
	return p.see("dialog", "Members of "+group)
}

// SeeEvent waits until the open conversation tells of something that happened in it.
func (p *person) SeeEvent(words string) { p.t.Helper(); p.SeeMessage(words) }

// close closes the dialog that is open.
func (p *person) close(dialog *element) {
	p.t.Helper()
	p.seeIn(dialog, "button", "Close").click()
	p.dontSee("dialog", dialog.Name)
}

// People make a group, talk in it, add somebody who sees what is written from then on, give it another name, and leave it.
func TestGroup(t *testing.T) {
	t.Parallel()
	server := startDemo(t)
	al := newAlice(newPerson(t, server.URL))
	bo := newPerson(t, server.URL)
	bo.Visit("/")
	bo.SignIn(bob, demoPassword)
	carla := newGuest(newPerson(t, server.URL), "Carla Cox", "carla@example.com", bob)

	al.CreateGroup("Picnic", "Bob Baker")
	al.SeeEvent("You created the group")
	al.Say("Picnic", "Who brings the bread?")
	al.SeeMessage("Who brings the bread?")

	bo.OpenConversation("Picnic")
	bo.SeeEvent("Alice Ashford created the group")
	bo.SeeMessage("Who brings the bread?")
	bo.Say("Picnic", "I do.")
	al.SeeMessage("I do.")
	al.SeeWords("Bob Baker")

	dialog := bo.Members("Picnic")
	bo.seeIn(dialog, "button", "Add people").click()
	bo.pick(dialog, "Carla Cox")
	bo.seeIn(dialog, "button", "Add to group").click()
	bo.eventually("Carla is a member", func() error {
		list, err := bo.one(dialog, "list", "Members")
		if err != nil {
			return err
		}
		if text := list.text(); !strings.Contains(text, "Carla Cox") || !strings.Contains(text, "Bob Baker · you") {
			return fmt.Errorf("the members are %q", text)
		}
		return nil
	})
	bo.seeIn(dialog, "textbox", "Group name").fill("Picnic on Sunday")
	bo.seeIn(dialog, "button", "Rename").click()
	bo.close(bo.see("dialog", "Members of Picnic on Sunday"))
	bo.SeeEvent("You added Carla Cox")
	bo.SeeEvent("You renamed the group to Picnic on Sunday")

	carla.OpenConversation("Picnic on Sunday")
	carla.SeeEvent("Bob Baker added Carla Cox")
	if all, err := carla.messages(); err != nil || count(all, "Who brings the bread?") != 0 {
		t.Errorf("the newcomer sees %q, %v", all, err)
	}
	carla.Say("Picnic on Sunday", "And I bring the wine.")
	carla.SeeMessage("And I bring the wine.")
	al.see("heading", "Picnic on Sunday")
	al.SeeEvent("Bob Baker renamed the group to Picnic on Sunday")
	al.SeeMessage("And I bring the wine.")

	// Bob leaves: what is written afterwards is not for him, and the others go on.
	dialog = bo.Members("Picnic on Sunday")
	bo.seeIn(dialog, "button", "Leave group…").click()
	dialog = bo.see("dialog", "Leave Picnic on Sunday?")
	bo.SeeWords("You lose all its messages on all your devices")
	bo.seeIn(dialog, "button", "Cancel").click()
	bo.dontSee("dialog", "Leave Picnic on Sunday?")
	dialog = bo.Members("Picnic on Sunday")
	bo.seeIn(dialog, "button", "Leave group…").click()
	bo.seeIn(bo.see("dialog", "Leave Picnic on Sunday?"), "button", "Leave group").click()
	bo.dontSee("dialog", "Leave Picnic on Sunday?")
	bo.dontSee("link", "Picnic on Sunday…")
	al.SeeEvent("Bob Baker left")
	al.Say("Picnic on Sunday", "Then I bring the bread.")
	al.SeeMessage("Then I bring the bread.")
	carla.SeeMessage("Then I bring the bread.")
	carla.Say("Picnic on Sunday", "Fine.")
	al.SeeMessage("Fine.")

	// A device that comes later opens it all, under both keys, with everybody's name.
	again := newPerson(t, server.URL)
	newAlice(again)
	again.OpenConversation("Picnic on Sunday")
	for _, text := range []string{"Who brings the bread?", "I do.", "Bob Baker left", "Then I bring the bread.", "Fine."} {
		again.SeeMessage(text)
	}
	if again.none(nil, "link", "Somebody…") != nil {
		t.Error("somebody has no name")
	}
	again.see("heading", "Picnic on Sunday")
}

// What is wrong with a group is said where it is made.
func TestGroupNeedsAName(t *testing.T) {
	t.Parallel()
	p := newAlice(newPerson(t, startDemo(t).URL))
	p.see("button", "New conversation").click()
	p.see("button", "New group").click()
	dialog := p.see("dialog", "New group")
	p.pick(dialog, "Bob Baker")
	p.pick(dialog, "Priya Raman")
	p.SeeWords("Chosen: Bob Baker, Priya Raman")
	p.seeIn(dialog, "checkbox", "Priya Raman").click()
	p.seeIn(dialog, "searchbox", "Search friends").fill("bo")
	p.eventually("Bob is still chosen, and nobody else", func() error {
		var on []string
		err := p.tryJS(`[...document.querySelectorAll("#new-group input:checked")].map(e => e.getAttribute("aria-label"))`, &on)
		if err != nil || len(on) != 1 || on[0] != "Bob Baker" {
			return fmt.Errorf("chosen: %q %w", on, err)
		}
		return nil
	})
	p.seeIn(dialog, "button", "Create group").click()
	p.SeeAlert("Enter a name for the group.")
	p.seeIn(dialog, "textbox", "Group name").fill("Two of us")
	p.seeIn(dialog, "button", "Create group").click()
	p.SeeConversation("Two of us")
	p.see("button", "New conversation").click()
	p.see("button", "New group").click()
	if v := p.see("dialog", "New group").text(); strings.Contains(v, "Chosen") {
		t.Errorf("the next group begins with %q", v)
	}
}

// Everybody can use the dialogs of groups.
func TestGroupDialogsAreAccessible(t *testing.T) {
	t.Parallel()
	p := newAlice(newPerson(t, startDemo(t).URL))
	p.see("button", "New conversation").click()
	p.see("button", "New group").click()
	p.pick(p.see("dialog", "New group"), "Bob Baker")
	p.JudgeAccess("new group", func() { p.see("dialog", "New group") })
	p.see("textbox", "Group name").fill("Picnic")
	p.see("button", "Create group").click()
	p.SeeConversation("Picnic")
	p.JudgeAccess("a group", func() { p.SeeEvent("You created the group") })
	p.seeIn(p.Members("Picnic"), "button", "Add people").click()
	p.JudgeAccess("members", func() { p.see("button", "Add to group") })
	p.see("button", "Leave group…").click()
	p.JudgeAccess("leave a group", func() { p.see("dialog", "Leave Picnic?") })
}
