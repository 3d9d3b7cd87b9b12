package chatserver

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"starling/chatserver/store"
	"starling/ozeki"
)

var groupCalls = []ozeki.Call{ozeki.CallMembers, ozeki.CallMemberAdd, ozeki.CallRename, ozeki.CallLeave, ozeki.CallRekey}

// group makes a group; all of the people are friends of the first one.
func (f *fixture) group(people ...*user) *ozeki.Conversation {
	f.t.Helper()
	var members []ozeki.Member
	for i, u := range people {
		members = append(members, u.member())
		if i > 0 {
			f.befriend(people[0], u)
		}
	}
	c, err := people[0].CreateConversation(context.Background(), ozeki.ConversationCreateRequest{
		ConversationID: ozeki.NewConversationID(), IsGroup: true, Members: members,
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return c
}

func (f *fixture) befriend(a, b *user) {
	f.t.Helper()
	if _, err := a.AddFriend(context.Background(), b.email); err != nil {
		f.t.Fatal(err)
	}
}

func (u *user) say(c *ozeki.Conversation) ozeki.MessageID {
	u.f.t.Helper()
	m, err := u.Add(context.Background(), c.ID, c.Instance, ozeki.Message{ID: ozeki.NewMessageID(), Type: ozeki.TypeMessage, Created: ozeki.TimeOf(u.f.clock.now()), Data: "AAAA"})
	if err != nil {
		u.f.t.Fatal(err)
	}
	return m.ID
}

// viewOf is the user's view of a conversation.
func (u *user) viewOf(id ozeki.ConversationID) ozeki.Conversation {
	u.f.t.Helper()
	list, err := u.Conversations(context.Background(), id)
	if err != nil || len(list) != 1 {
		u.f.t.Fatal(list, err)
	}
	return list[0]
}

// told are the conversations whose list entry the user is told of since the cursor.
func (u *user) told(cursor int64) ([]ozeki.ConversationID, int64) {
	u.f.t.Helper()
	a, err := u.Notification(context.Background(), cursor)
	if err != nil {
		u.f.t.Fatal(err)
	}
	return a.ConversationListChangedOf, a.Cursor
}

func refused(t *testing.T, err error, want string) {
	t.Helper()
	r, ok := err.(*ozeki.RefusedError)
	if !ok || r.Code != want {
		t.Errorf("got %v, want a refusal with the code %q", err, want)
	}
}

func TestANewMemberSeesWhatIsWrittenFromThenOn(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	alice, bob, carol := f.user("Alice", 0), f.user("Bob", 1), f.user("Carol", 2)
	c := f.group(alice, bob)
	before := alice.say(c)
	f.befriend(bob, carol)
	start, _ := f.store.Seq(ctx)
	got, err := bob.AddMembers(ctx, c.ID, 0, []ozeki.Member{carol.member()})
	if err != nil || len(got.Participants) != 3 || got.LastMessageID != before {
		t.Fatal(got, err)
	}
	for _, u := range []*user{alice, bob, carol} {
		if ids, _ := u.told(start); !slices.Equal(ids, []ozeki.ConversationID{c.ID}) {
			t.Errorf("told of %v", ids)
		}
	}
	if v := carol.viewOf(c.ID); v.LastMessageID != "" {
		t.Errorf("the last message from before is told: %+v", v)
	}
	downloads := func(u *user) map[string][]ozeki.Message {
		t.Helper()
		lists := map[string][]ozeki.Message{}
		for _, first := range []ozeki.MessageID{"", before} {
			a, err := u.Download(ctx, ozeki.DownloadRequest{ConversationID: c.ID, Instance: c.Instance, FirstMessageID: first})
			if err != nil {
				t.Fatal(err)
			}
			lists["from "+string(first)] = a.Messages
		}
		a, err := u.DownloadPartial(ctx, ozeki.DownloadPartialRequest{ConversationID: c.ID, Instance: c.Instance})
		if err != nil {
			t.Fatal(err)
		}
		lists["newest"] = a.Messages
		return lists
	}
	for what, list := range downloads(carol) {
		if len(list) != 0 {
			t.Errorf("%s: %+v", what, list)
		}
	}
	_, err = carol.DownloadPartial(ctx, ozeki.DownloadPartialRequest{ConversationID: c.ID, Instance: c.Instance, LastMessageID: before})
	refused(t, err, ozeki.CodeNotFound)
	after := alice.say(c)
	for what, list := range downloads(carol) {
		if len(list) != 1 || list[0].ID != after {
			t.Errorf("%s: %+v", what, list)
		}
	}
	if v := carol.viewOf(c.ID); v.LastMessageID != after {
		t.Errorf("%+v", v)
	}
	if list := downloads(alice)["newest"]; len(list) != 2 {
		t.Errorf("who was there sees %+v", list)
	}
	// Added once more, by another member: nothing changes.
	start, _ = f.store.Seq(ctx)
	f.befriend(alice, carol)
	again := carol.member()
	again.Secret = "b3RoZXI="
	if got, err := alice.AddMembers(ctx, c.ID, 0, []ozeki.Member{again, bob.member()}); err != nil || len(got.Participants) != 3 {
		t.Error(got, err)
	}
	if ids, _ := carol.told(start); len(ids) != 0 || carol.viewOf(c.ID).Secret != carol.member().Secret {
		t.Errorf("told of %v", ids)
	}
}

func TestWhoMayChangeAGroup(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	alice, bob, carol := f.user("Alice", 0), f.user("Bob", 1), f.user("Carol", 2)
	dora := f.user("Dora", 2)
	c, direct := f.group(alice, bob), f.direct(alice, bob)
	f.befriend(alice, carol)
	with := func(change func(*ozeki.Member)) []ozeki.Member {
		m := carol.member()
		change(&m)
		return []ozeki.Member{m}
	}
	many := []ozeki.Member{}
	for i := range maxMembers - 1 {
		many = append(many, ozeki.Member{UserID: ozeki.UserIDOf(fmt.Sprint(i)), Secret: "AAAA", DisplayName: "AAAA"})
	}
	for name, r := range map[string]struct {
		who     *user
		id      ozeki.ConversationID
		epoch   int
		members []ozeki.Member
		want    string
	}{
		"no member":           {carol, c.ID, 0, []ozeki.Member{carol.member()}, ozeki.CodeNotFound},
		"no group":            {alice, direct.ID, 0, []ozeki.Member{carol.member()}, ozeki.CodeInvalid},
		"nobody's friend":     {bob, c.ID, 0, []ozeki.Member{carol.member()}, ozeki.CodeForbidden},
		"a stranger":          {alice, c.ID, 0, []ozeki.Member{carol.member(), dora.member()}, ozeki.CodeForbidden},
		"another epoch":       {alice, c.ID, 1, []ozeki.Member{carol.member()}, ozeki.CodeConflict},
		"an epoch to come":    {alice, c.ID, -1, []ozeki.Member{carol.member()}, ozeki.CodeConflict},
		"nobody":              {alice, c.ID, 0, nil, ozeki.CodeInvalid},
		"twice the same":      {alice, c.ID, 0, []ozeki.Member{carol.member(), carol.member()}, ozeki.CodeInvalid},
		"without a secret":    {alice, c.ID, 0, with(func(m *ozeki.Member) { m.Secret = "" }), ozeki.CodeInvalid},
		"secret not base64":   {alice, c.ID, 0, with(func(m *ozeki.Member) { m.Secret = "<b>" }), ozeki.CodeInvalid},
		"without a name":      {alice, c.ID, 0, with(func(m *ozeki.Member) { m.DisplayName = "" }), ozeki.CodeInvalid},
		"damaged id":          {alice, c.ID, 0, with(func(m *ozeki.Member) { m.UserID = "x" }), ozeki.CodeInvalid},
		"more than are taken": {alice, c.ID, 0, many, ozeki.CodeForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			f.send(r.who.raw(ozeki.CallMemberAdd, f.body(ozeki.CallMemberAdd, field("conversationid", r.id), field("epoch", r.epoch), field("members", r.members)))).want(t, r.want)
		})
	}
	for name, r := range map[string]struct {
		who   *user
		id    ozeki.ConversationID
		epoch int
		name  string
		want  string
	}{
		"no member":     {carol, c.ID, 0, "bmFtZQ==", ozeki.CodeNotFound},
		"no group":      {alice, direct.ID, 0, "bmFtZQ==", ozeki.CodeInvalid},
		"another epoch": {alice, c.ID, 1, "bmFtZQ==", ozeki.CodeConflict},
		"no name":       {alice, c.ID, 0, "", ozeki.CodeInvalid},
		"in clear":      {alice, c.ID, 0, "The name!", ozeki.CodeInvalid},
		"too long":      {alice, c.ID, 0, strings.Repeat("AAAA", 1025), ozeki.CodeInvalid},
	} {
		t.Run("rename: "+name, func(t *testing.T) {
			f.send(r.who.raw(ozeki.CallRename, f.body(ozeki.CallRename, field("conversationid", r.id), field("epoch", r.epoch), field("displayname", r.name)))).want(t, r.want)
		})
	}
	for _, call := range []ozeki.Call{ozeki.CallLeave, ozeki.CallMembers} {
		f.send(carol.raw(call, f.body(call, field("conversationid", c.ID)))).want(t, ozeki.CodeNotFound)
		f.send(alice.raw(call, f.body(call, field("conversationid", direct.ID)))).want(t, ozeki.CodeInvalid)
	}
	_, err := alice.Rekey(ctx, c.ID, 0, []ozeki.Member{alice.member(), bob.member()})
	refused(t, err, ozeki.CodeConflict) // nobody has left
	if v := alice.viewOf(c.ID); len(v.Participants) != 2 || v.Epoch != 0 || v.DisplayName != c.DisplayName {
		t.Errorf("something was changed: %+v", v)
	}
	if got, err := bob.Rename(ctx, c.ID, 0, "bmV3"); err != nil || got.DisplayName != "bmV3" || alice.viewOf(c.ID).DisplayName != "bmV3" {
		t.Error(got, err)
	}
}

func TestMembersAreToldEachOthersKeys(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	alice, bob, carol := f.user("Alice", 0), f.user("Bob", 1), f.user("Carol", 2)
	c := f.group(alice, bob, carol) // Bob and Carol are no friends
	a, err := bob.Members(ctx, c.ID)
	if err != nil || a.Epoch != 0 || a.Rekey || len(a.Members) != 3 {
		t.Fatal(a, err)
	}
	for _, m := range a.Members {
		if m.UserName == "" {
			t.Errorf("%+v", m)
		}
		if _, err := importPublicKey(ctx, scheme, m.PublicKey); err != nil {
			t.Errorf("%s: %v", m.UserName, err)
		}
	}
}

func TestWhoLeavesAGroupLosesItAndTheOthersGetANewKey(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	alice, bob, carol := f.user("Alice", 0), f.user("Bob", 1), f.user("Carol", 2)
	bob2 := bob.signIn()
	c := f.group(alice, bob, carol)
	bob.say(c)
	start, _ := f.store.Seq(ctx)
	id := ozeki.NewRequestID()
	for range 2 { // a repeat of the request is answered like the first
		if err := bob.Leave(ozeki.WithRequestID(ctx, id), c.ID); err != nil {
			t.Fatal(err)
		}
	}
	refused(t, bob.Leave(ctx, c.ID), ozeki.CodeNotFound)
	for _, u := range []*user{alice, bob2, carol} {
		if ids, _ := u.told(start); !slices.Equal(ids, []ozeki.ConversationID{c.ID}) {
			t.Errorf("told of %v", ids)
		}
	}
	if list, err := bob2.Conversations(ctx); err != nil || len(list) != 0 {
		t.Errorf("he still has %+v, %v", list, err)
	}
	cursor, _ := f.store.Seq(ctx)
	after := alice.say(c)
	for _, err := range []error{
		errOf(bob.Download(ctx, ozeki.DownloadRequest{ConversationID: c.ID, Instance: c.Instance})),
		errOf(bob.DownloadPartial(ctx, ozeki.DownloadPartialRequest{ConversationID: c.ID, LastMessageID: after})),
		errOf(bob.Members(ctx, c.ID)), errOf(bob.Rename(ctx, c.ID, 0, "AAAA")), errOf(bob.Favorite(ctx, c.ID)),
		errOf(bob.AddMembers(ctx, c.ID, 0, []ozeki.Member{bob.member()})),
		errOf(bob.Add(ctx, c.ID, c.Instance, ozeki.Message{ID: ozeki.NewMessageID(), Type: "Message", Created: ozeki.TimeOf(f.clock.now()), Data: "AAAA"})),
	} {
		refused(t, err, ozeki.CodeNotFound)
	}
	a, err := bob.Notification(ctx, cursor)
	if err != nil || len(a.ConversationChangedOf)+len(a.ConversationListChangedOf) != 0 {
		t.Errorf("he is still told: %+v %v", a, err)
	}
	v := alice.viewOf(c.ID)
	if !v.Rekey || v.Epoch != 0 || len(v.Participants) != 2 || len(v.Former) != 1 || v.Former[0].UserName != "Bob" {
		t.Errorf("%+v", v)
	}

	newKey := func(u *user) ozeki.Member { return ozeki.Member{UserID: u.id, Secret: "bmV3", DisplayName: "bmV3"} }
	for name, members := range map[string][]ozeki.Member{
		"one too few": {newKey(alice)}, "one too many": {newKey(alice), newKey(carol), newKey(bob)}, "another one": {newKey(alice), newKey(bob)}, "nobody": nil,
	} {
		_, err := alice.Rekey(ctx, c.ID, 0, members)
		if err == nil {
			t.Fatalf("%s: the key was changed", name)
		}
		refused(t, err, ozeki.CodeConflict)
	}
	_, err = alice.Rekey(ctx, c.ID, 0, []ozeki.Member{newKey(alice), newKey(alice)})
	refused(t, err, ozeki.CodeInvalid)
	_, err = alice.Rekey(ctx, c.ID, 1, []ozeki.Member{newKey(alice), newKey(carol)})
	refused(t, err, ozeki.CodeConflict)
	got, err := carol.Rekey(ctx, c.ID, 0, []ozeki.Member{newKey(alice), newKey(carol)})
	if err != nil || got.Rekey || got.Epoch != 1 || got.Secret != "bmV3" || got.DisplayName != "bmV3" ||
		!slices.Equal(got.Secrets, []ozeki.EpochSecret{{Epoch: 0, Secret: carol.member().Secret}}) {
		t.Fatalf("%+v %v", got, err)
	}
	_, err = alice.Rekey(ctx, c.ID, 0, []ozeki.Member{newKey(alice), newKey(carol)})
	refused(t, err, ozeki.CodeConflict)
	_, err = alice.Rekey(ctx, c.ID, 1, []ozeki.Member{newKey(alice), newKey(carol)})
	refused(t, err, ozeki.CodeConflict)
	if v := alice.viewOf(c.ID); v.Epoch != 1 || len(v.Secrets) != 1 {
		t.Errorf("%+v", v)
	}

	// Added again he is new: neither earlier messages nor earlier keys.
	if _, err := alice.AddMembers(ctx, c.ID, 1, []ozeki.Member{newKey(bob)}); err != nil {
		t.Fatal(err)
	}
	v = bob.viewOf(c.ID)
	if len(v.Secrets) != 0 || v.Epoch != 1 || v.LastMessageID != "" {
		t.Errorf("%+v", v)
	}
	d, err := bob.Download(ctx, ozeki.DownloadRequest{ConversationID: c.ID, Instance: c.Instance})
	if err != nil || len(d.Messages) != 0 {
		t.Errorf("%+v %v", d, err)
	}
}

func TestTheLastOneToLeaveAGroupTakesItsMessagesAlong(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	c := f.group(alice, bob)
	m := alice.say(c)
	for _, u := range []*user{alice, bob} {
		if err := u.Leave(ctx, c.ID); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.store.Message(ctx, c.ID, m); err == nil {
		t.Error("the message is still stored")
	}
	// The id is free: nothing is left of the group.
	again, err := bob.CreateConversation(ctx, ozeki.ConversationCreateRequest{ConversationID: c.ID, IsGroup: true, Members: []ozeki.Member{bob.member()}})
	if err != nil || again.Epoch != 0 || again.Rekey || again.LastMessageID != "" || again.Instance == c.Instance {
		t.Errorf("%+v %v", again, err)
	}
}

// Of two members who change the key at once one is told to load the group again, whatever the order.
func TestTwoMembersChangeTheKeyAtOnce(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	alice, bob, carol := f.user("Alice", 0), f.user("Bob", 1), f.user("Carol", 2)
	c := f.group(alice, bob, carol)
	if err := carol.Leave(ctx, c.ID); err != nil {
		t.Fatal(err)
	}
	errs := make(chan error)
	for _, u := range []*user{alice, bob} {
		go func() { errs <- errOf(u.Rekey(ctx, c.ID, 0, []ozeki.Member{alice.member(), bob.member()})) }()
	}
	a, b := <-errs, <-errs
	if (a == nil) == (b == nil) {
		t.Fatal(a, b)
	}
	if a == nil {
		a = b
	}
	refused(t, a, ozeki.CodeConflict)
	if v := alice.viewOf(c.ID); v.Epoch != 1 || len(v.Secrets) != 1 {
		t.Errorf("%+v", v)
	}
}

func TestAnEventIsAMessageOfItsOwnType(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	alice := f.user("Alice", 0)
	c := f.group(alice)
	if _, err := alice.Add(ctx, c.ID, c.Instance, ozeki.Message{ID: ozeki.NewMessageID(), Type: ozeki.TypeEvent, Created: ozeki.TimeOf(f.clock.now()), Data: "AAAA"}); err != nil {
		t.Fatal(err)
	}
	d, err := alice.Download(ctx, ozeki.DownloadRequest{ConversationID: c.ID, Instance: c.Instance})
	if err != nil || len(d.Messages) != 1 || d.Messages[0].Type != ozeki.TypeEvent || d.Messages[0].From != alice.id {
		t.Errorf("%+v %v", d, err)
	}
}

// A message that names its epoch is taken only under a key that nobody who has left knows; its repeat is always taken.
func TestAMessageUnderAnOldKeyIsRefused(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	c := f.group(alice, bob)
	m := ozeki.Message{ID: ozeki.NewMessageID(), Type: ozeki.TypeMessage, Created: ozeki.TimeOf(f.clock.now()), Data: "AAAA"}
	add := func(m ozeki.Message, epoch int) error {
		return errOf(alice.Add(ozeki.WithEpoch(ctx, epoch), c.ID, c.Instance, m))
	}
	next := func() ozeki.Message {
		n := m
		n.ID = ozeki.NewMessageID()
		return n
	}
	if err := add(m, 0); err != nil {
		t.Fatal(err)
	}
	refused(t, add(next(), 1), ozeki.CodeConflict)
	if err := bob.Leave(ctx, c.ID); err != nil {
		t.Fatal(err)
	}
	waiting := next()
	refused(t, add(waiting, 0), ozeki.CodeConflict)
	if err := add(m, 0); err != nil {
		t.Errorf("a repeat: %v", err)
	}
	if _, err := alice.Rekey(ctx, c.ID, 0, []ozeki.Member{alice.member()}); err != nil {
		t.Fatal(err)
	}
	refused(t, add(waiting, 0), ozeki.CodeConflict)
	if err := add(m, 0); err != nil {
		t.Errorf("a repeat: %v", err)
	}
	waiting.Data = "BBBB"
	if err := add(waiting, 1); err != nil {
		t.Errorf("sealed anew: %v", err)
	}
	alice.say(c) // as published, without an epoch
}

// The list with all that groups have is written as the types of the API write it.
func TestGroupsInTheListAreWrittenAsTheTypesOfTheAPIWriteThem(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	alice, bob, carol := f.user("Alice", 0), f.user("Bob", 1), f.user("Carol", 2)
	c := f.group(alice, bob, carol)
	if err := carol.Leave(ctx, c.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := bob.Rekey(ctx, c.ID, 0, []ozeki.Member{alice.member(), bob.member()}); err != nil {
		t.Fatal(err)
	}
	if err := bob.Leave(ctx, c.ID); err != nil {
		t.Fatal(err)
	}
	list, err := f.store.List(ctx, alice.id, "")
	if err != nil || len(list.Conversations) != 1 {
		t.Fatal(list, err)
	}
	want := ozeki.ConversationsAnswer{Answer: ok, Conversations: []ozeki.Conversation{conversationFor(alice.id, list.Conversations[0].Conversation, store.Message{}, f.clock.now())}}
	got := listAnswer{Answer: ok, Conversations: []conversationWire{wireOf(conversationFor(alice.id, list.Conversations[0].Conversation, store.Message{}, f.clock.now()))}}
	if a, b := string(encode(got)), string(encode(want)); a != b || !strings.Contains(a, `"epoch":1,"secrets":[{"epoch":0,"secret":"c2VjcmV0"}],"rekey":true,"former":[{"userid":`) {
		t.Errorf("%s\nwant\n%s", a, b)
	}
	var one store.Conversation
	if one, err = f.store.Conversation(ctx, alice.id, c.ID); err != nil || len(one.Former) != 2 || len(one.Secrets) != 1 {
		t.Errorf("%+v %v", one, err)
	}
}

func errOf[T any](_ T, err error) error { return err }
