//go:build !js

package app

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"starling/app/state"
	"starling/ozeki"
)

func TestTheMenuOfAGroupOffersItsMembersAndTheWayOut(t *testing.T) {
	with := func(extensions ...string) *root { return &root{snap: &state.Snapshot{Extensions: extensions}} }
	group := state.Row{ID: annaID, Name: "Team", Group: true}
	if got := labels(with(ozeki.ExtGroups).groupEntries(group)); !slices.Equal(got, []string{"Members…", "Leave group…"}) {
		t.Errorf("offered: %q", got)
	}
	if got := with().groupEntries(group); got != nil {
		t.Errorf("offered in front of a server that has no such calls: %q", labels(got))
	}
	if got := with(ozeki.ExtGroups).groupEntries(state.Row{ID: annaID, Name: "Anna"}); got != nil {
		t.Errorf("offered for a conversation of two: %q", labels(got))
	}
}

func TestTheMembersOfAGroupAreListedWithWhoIsThere(t *testing.T) {
	friends := []state.Friend{{ID: "anna", Name: "Anna", Availability: ozeki.Available}, {ID: "bela", Name: "Béla"}}
	g := &state.Group{ID: annaID, Name: "Team", Members: []state.Member{{ID: meID, Name: "Me", Me: true}, {ID: "anna", Name: "Anna"}, {ID: "x", Name: "Xenia"}}}
	d := &groupDialog{Group: g, Friends: friends, adding: true}
	markup := render(t, d)
	for _, text := range []string{"Members of Team", " · you", " · available", "Xenia"} {
		if !strings.Contains(markup, text) {
			t.Errorf("it does not say %q:\n%s", text, markup)
		}
	}
	if n := len(find(markup, "input", "Béla")); n != 1 {
		t.Errorf("a friend who is no member can be chosen %d times", n)
	}
	if n := len(find(markup, "input", "Anna")); n != 0 {
		t.Error("a member can be added")
	}
	render(t, &groupDialog{}) // none is shown
	if markup := render(t, &leaveDialog{Group: &state.Group{Name: "Team", Members: g.Members[:1]}}); !strings.Contains(markup, "all its messages are deleted") {
		t.Error("the last member is not told what is lost")
	}
	render(t, &leaveDialog{})
}

func TestWhoHasManyFriendsSearches(t *testing.T) {
	var friends []state.Friend
	for i := range 250 {
		friends = append(friends, state.Friend{ID: ozeki.UserID(fmt.Sprint(i)), Name: fmt.Sprint("Friend ", i)})
	}
	d := &newGroup{Open: true, Friends: friends, Loaded: true}
	markup := render(t, d)
	if !strings.Contains(markup, "100 of 250 are shown.") || !strings.Contains(markup, ">Friend 99<") || strings.Contains(markup, ">Friend 100<") {
		t.Errorf("it shows\n%s", markup)
	}
	d = &newGroup{Open: true, Friends: friends, Loaded: true}
	d.people.search, d.people.chosen = "friend 24", map[ozeki.UserID]bool{"7": true, "249": true, "gone": true}
	markup = render(t, d)
	if strings.Contains(markup, ">Friend 7<") || !strings.Contains(markup, ">Friend 249<") || !strings.Contains(markup, "Chosen: Friend 7, Friend 249") {
		t.Errorf("it shows\n%s", markup)
	}
	if got := d.people.among(friends); len(got) != 2 || got[0].Name != "Friend 7" {
		t.Errorf("chosen: %v", got)
	}
	d.people.reset()
	if len(d.people.among(friends)) != 0 {
		t.Error("somebody is still chosen")
	}
	if markup := render(t, &newGroup{Open: true}); !strings.Contains(markup, "Loading your friends…") {
		t.Errorf("it shows\n%s", markup)
	}
}

func TestWorkspacesOfferWhatTheServerHas(t *testing.T) {
	mine := []ozeki.Workspace{{Name: "a.example", OwnerID: meID, Members: 1}, {Name: "b.example", Members: 2}}
	markup := render(t, &workspacesDialog{Me: meID, Mine: mine, Loaded: true, CanList: true})
	for _, name := range []string{"Copy invite link a.example", "Leave b.example"} {
		if len(find(markup, "button", name)) != 1 {
			t.Errorf("there is no button %q", name)
		}
	}
	if !strings.Contains(markup, "1 member · yours") || !strings.Contains(markup, ">2 members<") {
		t.Errorf("it shows\n%s", markup)
	}
	markup = render(t, &workspacesDialog{Me: meID})
	if strings.Contains(markup, "Copy invite link") || len(find(markup, "button", "Register")) != 1 {
		t.Errorf("without the extension it shows\n%s", markup)
	}
}

func TestAnInvitationSaysWhoInvitesToWhat(t *testing.T) {
	for want, d := range map[string]*inviteDialog{
		"Join a.example?": {Name: "a.example", Inviter: "Anna", Members: 3},
		"Anna invites you to this workspace. You and its 3 members become": {Name: "a.example", Inviter: "Anna", Members: 3},
		"You are a member of this workspace already.":                      {Name: "a.example", Member: true},
		"Ask for a new link.": {Trouble: "Ask for a new link."},
	} {
		if markup := render(t, d); !strings.Contains(markup, want) || strings.Contains(markup, ">Join<") != (d.Trouble == "" && !d.Member) {
			t.Errorf("%q is not said, or what can be done is wrong:\n%s", want, markup)
		}
	}
}
