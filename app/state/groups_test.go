package state

import (
	"bytes"
	"slices"
	"testing"

	"starling/ozeki"
)

func group(c *ozeki.Conversation) { c.IsGroup = true }

// team is a group whose first key is open.
func team(t *testing.T) (*State, ozeki.Conversation) {
	t.Helper()
	c := conv(1, "Bob", group)
	s := New()
	s.Apply(SignInDone{User: User{me, "Me"}, Extensions: []string{ozeki.ExtGroups}})
	s.Apply(ListLoaded{Conversations: []ozeki.Conversation{c}, AskedAt: s.Tick()})
	s.Apply(KeysOpened{[]OpenedKey{{ID: c.ID, Secret: c.Secret, Key: []byte("first"), Name: "Team", Sealed: c.DisplayName}}})
	return s, c
}

func again(s *State, c ozeki.Conversation) {
	s.Apply(ListLoaded{Conversations: []ozeki.Conversation{c}, Of: []ozeki.ConversationID{c.ID}, AskedAt: s.Tick()})
}

func TestAGroupKeepsItsNameAndItsEarlierKeysUnderANewKey(t *testing.T) {
	s, c := team(t)
	c.Rekey = true
	again(s, c)
	if e, ok := s.Epoch(c.ID); !ok || !e.Rekey || e.Number != 0 || e.Name != "Team" || !slices.Equal(s.Rekeys(), []ozeki.ConversationID{c.ID}) {
		t.Errorf("%+v %v", e, s.Rekeys())
	}
	c.Rekey, c.Epoch, c.Secrets, c.Secret, c.DisplayName = false, 1, []ozeki.EpochSecret{{Epoch: 0, Secret: c.Secret}}, "new secret", "sealed anew"
	for range 2 {
		again(s, c)
		snap := s.Snapshot()
		wantNames(t, "the conversations", snap.Conversations, "Team")
		if key, _ := s.Key(c.ID); key != nil {
			t.Error("the old key would still be written with")
		}
	}
	todo := s.Unopened()
	if len(todo) != 1 || todo[0].Secret != "new secret" || todo[0].Name != "sealed anew" || len(todo[0].Older) != 0 {
		t.Fatalf("to be opened: %+v", todo)
	}
	if keys := s.Keys(c.ID); len(keys) != 1 || string(keys[0]) != "first" {
		t.Errorf("keys %q", keys)
	}
	s.Apply(KeysOpened{[]OpenedKey{{ID: c.ID, Secret: "new secret", Key: []byte("second"), Name: "Team", Sealed: "sealed anew"}}})
	if keys := s.Keys(c.ID); string(bytes.Join(keys, []byte(" "))) != "second first" || len(s.Unopened()) != 0 {
		t.Errorf("keys %q, to be opened %v", keys, s.Unopened())
	}
	if key, _ := s.Key(c.ID); string(key) != "second" {
		t.Errorf("written with %q", key)
	}
}

func TestTheEarlierKeysOfAGroupAreOpenedToo(t *testing.T) {
	c := conv(1, "Bob", group)
	c.Epoch, c.Secrets = 2, []ozeki.EpochSecret{{Epoch: 0, Secret: "a"}, {Epoch: 1, Secret: "b"}}
	s := signedIn(c)
	todo := s.Unopened()
	if len(todo) != 1 || !slices.Equal(todo[0].Older, []string{"b", "a"}) {
		t.Fatalf("%+v", todo)
	}
	s.Apply(KeysOpened{[]OpenedKey{{ID: c.ID, Secret: c.Secret, Key: []byte("3"), Name: "Team", Older: map[string][]byte{"a": []byte("1"), "b": nil, "c": []byte("x")}}}})
	if keys := s.Keys(c.ID); string(bytes.Join(keys, nil)) != "31" || len(s.Unopened()) != 0 {
		t.Errorf("keys %q, to be opened %v", keys, s.Unopened())
	}
	if s.Keys(idOf(9)) != nil {
		t.Error("keys of what is not there")
	}
}

func TestARenamedGroupIsOpenedAgain(t *testing.T) {
	s, c := team(t)
	again(s, c)
	if len(s.Unopened()) != 0 {
		t.Error("the same name is to be opened again")
	}
	c.DisplayName = "another"
	again(s, c)
	todo := s.Unopened()
	if len(todo) != 1 || string(todo[0].Key) != "first" {
		t.Fatalf("%+v", todo)
	}
	wantNames(t, "the conversations", s.Snapshot().Conversations, "Team") // until it is open
	s.Apply(KeysOpened{[]OpenedKey{{ID: c.ID, Secret: c.Secret, Key: []byte("first"), Name: "Crew", Sealed: "another"}}})
	wantNames(t, "the conversations", checkSnapshot(t, s).Conversations, "Crew")
	if len(s.Unopened()) != 0 {
		t.Error("still to be opened")
	}
	// An Ozeki server seals the same name anew in each answer.
	s.extensions = nil
	c.DisplayName = "sealed anew"
	again(s, c)
	if len(s.Unopened()) != 0 {
		t.Error("a name that cannot change is opened again")
	}
}

func TestWhoHasLeftKeepsHisName(t *testing.T) {
	s, c := team(t)
	s.Apply(Opened{c.ID})
	c.Former = []ozeki.Participant{{UserID: userOf(7), UserName: "Gone"}}
	again(s, c)
	s.Apply(FriendsLoaded{Friends: []Friend{{ID: userOf(8), Name: "Friend"}}})
	s.Apply(PageLoaded{ID: c.ID, Instance: c.Instance, Newest: true, Messages: []Message{
		{ID: "1", From: userOf(1)}, {ID: "2", From: userOf(7)}, {ID: "3", From: userOf(8)}, {ID: "4", From: userOf(9)},
	}})
	var senders []string
	for _, m := range s.Snapshot().Open.Messages {
		senders = append(senders, m.Sender)
	}
	if want := []string{"Bob", "Gone", "Friend", "Somebody"}; !slices.Equal(senders, want) {
		t.Errorf("senders %q, want %q", senders, want)
	}
	s.Apply(PageLoaded{ID: c.ID, Instance: c.Instance, Messages: []Message{{ID: "5", From: userOf(1), Text: "left", Kind: KindEvent}}})
	if said := s.Snapshot().Announcement.Text; said != "Bob left" {
		t.Errorf("announced %q", said)
	}
}

func TestAGroupThatTheUserHasLeftIsGone(t *testing.T) {
	s, c := team(t)
	s.Apply(Opened{c.ID})
	s.Apply(MessageWritten{ID: "1", Conversation: c.ID, Text: "unsent", At: noon})
	s.Apply(ConversationLeft{c.ID})
	s.Apply(ConversationLeft{c.ID})
	if snap := checkSnapshot(t, s); len(snap.Conversations) != 0 || snap.Unsent != 0 || snap.Open == nil || snap.Open.Known {
		t.Errorf("%+v", snap)
	}
}

func TestTheEpochOfAKeyIsKnown(t *testing.T) {
	s, c := team(t)
	c.Epoch, c.Secrets, c.Secret = 3, []ozeki.EpochSecret{{Epoch: 2, Secret: c.Secret}}, "new secret"
	again(s, c)
	s.Apply(KeysOpened{[]OpenedKey{{ID: c.ID, Secret: "new secret", Key: []byte("second"), Name: "Team"}}})
	for key, want := range map[string]int{"first": 2, "second": 3, "third": -1} {
		if n, ok := s.EpochOf(c.ID, []byte(key)); ok != (want >= 0) || ok && n != want {
			t.Errorf("%s is of epoch %d, %t", key, n, ok)
		}
	}
	if _, ok := s.EpochOf(c.ID, nil); ok {
		t.Error("no key has an epoch")
	}
}

func TestTheMembersOfAGroupAreShown(t *testing.T) {
	s, c := team(t)
	direct := conv(2, "Dora")
	again(s, direct)
	c.Participants = append(c.Participants, ozeki.Participant{UserID: userOf(3), UserName: "Ábel"})
	again(s, c)
	if s.Snapshot().Group != nil {
		t.Error("nobody has asked")
	}
	s.Apply(GroupShown{c.ID})
	g := s.Snapshot().Group
	if want := []Member{{me, "Me", true}, {userOf(3), "Ábel", false}, {userOf(1), "Bob", false}}; g == nil || g.Name != "Team" || !slices.Equal(g.Members, want) {
		t.Errorf("%+v, want %+v", g, want)
	}
	for _, id := range []ozeki.ConversationID{direct.ID, idOf(9), ""} {
		s.Apply(GroupShown{id})
		if g := s.Snapshot().Group; g != nil {
			t.Errorf("%+v", g)
		}
		if _, ok := s.Epoch(id); ok {
			t.Errorf("%s is a group", id)
		}
	}
}

func TestWorkspacesAreShownOnceTheyAreLoaded(t *testing.T) {
	s := signedIn()
	if snap := s.Snapshot(); snap.WorkspacesLoaded {
		t.Error("they are loaded before they came")
	}
	for _, list := range [][]ozeki.Workspace{nil, {{Name: "a.example", OwnerID: me, Members: 2}}} {
		s.Apply(WorkspacesLoaded{list})
		if snap := s.Snapshot(); !snap.WorkspacesLoaded || !slices.Equal(snap.Workspaces, list) {
			t.Errorf("%+v", snap.Workspaces)
		}
	}
	s.Apply(SignInDone{User: User{me, "Me"}})
	if s.Snapshot().WorkspacesLoaded {
		t.Error("another user sees them")
	}
}
