package chatserver

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"starling/ozeki"
)

// forbids fails the test unless the error is a refusal with words that hold the given ones.
func forbids(t *testing.T, err error, words string) {
	t.Helper()
	var refused *ozeki.RefusedError
	if !errors.As(err, &refused) || refused.Code != ozeki.CodeForbidden || !strings.Contains(refused.Message, words) {
		t.Errorf("%v, want a refusal with %q", err, words)
	}
}

func (u *user) says(c *ozeki.Conversation) error {
	_, err := u.Add(u.f.t.Context(), c.ID, c.Instance, ozeki.Message{ID: ozeki.NewMessageID(), Type: ozeki.TypeMessage, Created: ozeki.TimeOf(u.f.clock.now()), Data: "aGVsbG8="})
	return err
}

func TestWhoIsBlockedCannotWriteBeginOrSee(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	alice, bob, carol := f.user("Alice", 0), f.user("Bob", 1), f.user("Carol", 2)
	c := f.direct(alice, bob)
	for _, pair := range [][2]*user{{bob, carol}, {alice, carol}} {
		if _, err := pair[0].AddFriend(ctx, pair[1].email); err != nil {
			t.Fatal(err)
		}
	}
	group := ozeki.ConversationCreateRequest{IsGroup: true, Members: []ozeki.Member{alice.member(), bob.member(), carol.member()}}
	group.ConversationID = ozeki.NewConversationID()
	together, err := bob.CreateConversation(ctx, group)
	if err != nil {
		t.Fatal(err)
	}
	if err := alice.Availability(ctx); err != nil {
		t.Fatal(err)
	}
	sees := func() string {
		t.Helper()
		list, err := bob.Friends(ctx)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(list.Availabilities, func(a ozeki.FriendAvailability) bool { return a.FriendID == alice.id })
		return list.Availabilities[i].Availability
	}
	if sees() != ozeki.Available {
		t.Fatal("Bob does not see Alice at first")
	}

	for range 2 { // a repeat changes nothing
		if err := alice.Block(ctx, bob.id); err != nil {
			t.Fatal(err)
		}
	}
	forbids(t, bob.says(c), "does not accept messages from you")
	forbids(t, alice.says(c), "Unblock first")
	if err := bob.says(together); err != nil {
		t.Errorf("in a group: %v", err)
	}
	_, err = bob.AddFriend(ctx, alice.email)
	forbids(t, err, "does not accept")
	_, err = alice.AddFriend(ctx, bob.email)
	forbids(t, err, "Unblock first")
	group.ConversationID = ozeki.NewConversationID()
	_, err = bob.CreateConversation(ctx, group)
	forbids(t, err, "does not want to hear from you")
	_, err = alice.CreateConversation(ctx, group)
	forbids(t, err, "Unblock first")
	if got := sees(); got != ozeki.Offline {
		t.Errorf("Bob sees Alice %s", got)
	}
	// What was said before stays to be read.
	if _, err := bob.DownloadPartial(ctx, ozeki.DownloadPartialRequest{ConversationID: c.ID, Instance: c.Instance}); err != nil {
		t.Error(err)
	}

	for range 2 {
		if err := alice.Unblock(ctx, bob.id); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(bob.says(c), alice.says(c)); err != nil {
		t.Error(err)
	}
	if sees() != ozeki.Available {
		t.Error("Bob does not see Alice again")
	}
}

func TestABlockedPersonCannotBeginAConversation(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	if _, err := alice.AddFriend(ctx, bob.email); err != nil {
		t.Fatal(err)
	}
	if err := alice.Block(ctx, bob.id); err != nil {
		t.Fatal(err)
	}
	_, err := bob.CreateConversation(ctx, ozeki.ConversationCreateRequest{
		ConversationID: ozeki.DirectConversationID(alice.id, bob.id), Members: []ozeki.Member{alice.member(), bob.member()},
	})
	forbids(t, err, "does not accept")
}

func TestTheBlocklistNamesWhatIsHiddenAndWhoIsBlocked(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	c := f.direct(alice, bob)
	a := f.send(alice.raw(ozeki.CallBlocklist, f.body(ozeki.CallBlocklist))).want(t, "")
	if !strings.Contains(a.body, `"blockedusers":[]`) || !strings.Contains(a.body, `"blockedconversations":[]`) {
		t.Errorf("at first: %s", a.body)
	}
	if _, err := alice.Hide(ctx, c.ID, c.Instance); err != nil {
		t.Fatal(err)
	}
	if err := alice.Block(ctx, bob.id); err != nil {
		t.Fatal(err)
	}
	list, err := alice.Blocklist(ctx)
	if err != nil || !slices.Equal(list.Users(), []ozeki.UserID{bob.id}) || !slices.Equal(list.Conversations(), []ozeki.ConversationID{c.ID}) {
		t.Errorf("%+v, %v", list, err)
	}
	if list, err = bob.Blocklist(ctx); err != nil || len(list.BlockedUsers)+len(list.BlockedConversations) != 0 {
		t.Errorf("Bob's: %+v, %v", list, err)
	}
	if _, err := alice.Unhide(ctx, c.ID); err != nil {
		t.Fatal(err)
	}
	if list, err = alice.Blocklist(ctx); err != nil || len(list.BlockedConversations) != 0 {
		t.Errorf("after unhide: %+v, %v", list, err)
	}
}

func TestWhoCannotBeBlocked(t *testing.T) {
	f := newFixture(t)
	alice := f.user("Alice", 0)
	for _, call := range []ozeki.Call{ozeki.CallBlock, ozeki.CallUnblock} {
		for id, want := range map[ozeki.UserID]string{
			alice.id: ozeki.CodeInvalid, ozeki.UserIDOf("nobody@example.com"): ozeki.CodeNotFound, "nonsense": ozeki.CodeNotFound, "": ozeki.CodeNotFound,
		} {
			f.send(alice.raw(call, f.body(call, field("userid", id)))).want(t, want)
		}
	}
}

func TestABlockIsToldToTheOtherDevicesAndTheOtherPerson(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	f.direct(alice, bob)
	desk, other := alice.signIn(), bob.signIn()
	if err := alice.Block(ctx, bob.id); err != nil {
		t.Fatal(err)
	}
	for _, u := range []struct {
		user  *user
		about ozeki.UserID
	}{{desk, bob.id}, {other, alice.id}} {
		a, err := u.user.Notification(ctx, 0)
		if err != nil || !slices.Equal(a.FriendAvailabilitiesOf, []ozeki.UserID{u.about}) {
			t.Errorf("%+v, %v", a, err)
		}
	}
}

func TestWhoIsBlockedIsNotSeenTyping(t *testing.T) {
	f := newFixture(t)
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	c := f.direct(alice, bob)
	if err := alice.Block(t.Context(), bob.id); err != nil {
		t.Fatal(err)
	}
	a, b := alice.socket(), bob.socket()
	typing := `{"type":"typing","conversationid":"` + string(c.ID) + `"}`
	b.say(typing)
	a.hearsNothing()
	a.say(typing)
	b.hearsNothing()
}

// Whom somebody has blocked reaches her by no change of what was written earlier, and cannot take it away from her either.
// He may take back his own messages.
func TestWhoIsBlockedChangesNothingOfTheOthers(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	c := f.direct(alice, bob)
	m := f.message("AAAA")
	if err := errOf(bob.Add(ctx, c.ID, c.Instance, m)); err != nil {
		t.Fatal(err)
	}
	if err := alice.Block(ctx, bob.id); err != nil {
		t.Fatal(err)
	}
	edit := ozeki.MessageEditRequest{ConversationID: c.ID, Instance: c.Instance, MessageID: m.ID, Data: "BBBB"}
	refused(t, errOf(bob.EditMessage(ctx, edit)), ozeki.CodeForbidden)
	refused(t, errOf(bob.Clear(ctx, c.ID, c.Instance)), ozeki.CodeForbidden)
	if h := alice.history(c); len(h) != 1 || h[0].Data != "AAAA" {
		t.Errorf("Alice has %+v", h)
	}
	if err := errOf(bob.DeleteMessage(ctx, ozeki.MessageDeleteRequest{ConversationID: c.ID, Instance: c.Instance, MessageID: m.ID})); err != nil {
		t.Errorf("his own message: %v", err)
	}
	if err := errOf(alice.Clear(ctx, c.ID, c.Instance)); err != nil {
		t.Errorf("who has blocked clears: %v", err)
	}
}
