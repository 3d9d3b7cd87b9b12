package state

import (
	"testing"

	"starling/ozeki"
	"starling/ozeki/json"
)

// keptAgain is a state that begins with what another one has kept.
func keptAgain(t *testing.T, s *State) *State {
	t.Helper()
	var list []KeptConversation
	for _, id := range s.IDs() {
		k, ok := s.Kept(id)
		if !ok {
			t.Fatalf("%s is not to be kept", id)
		}
		b, err := json.Marshal(k)
		var back KeptConversation
		if err != nil || json.Unmarshal(b, &back) != nil {
			t.Fatalf("%s cannot be kept: %v", id, err)
		}
		list = append(list, back)
	}
	again := New()
	again.Apply(SignInDone{User: s.user, Extensions: s.extensions})
	again.Apply(ListKept{Conversations: list, Now: noon, All: true})
	return again
}

func TestWhatIsKeptLooksTheSame(t *testing.T) {
	unread := 3
	s := New()
	s.Apply(SignInDone{User: User{me, "Me"}, Extensions: []string{ozeki.ExtOverview, ozeki.ExtGroups}})
	s.Apply(ListLoaded{AskedAt: s.Tick(), Conversations: []ozeki.Conversation{
		conv(0, "Anna", favorite(true)), conv(1, "Bert", func(c *ozeki.Conversation) {
			p := &c.Properties[0]
			p.IsMuted, p.Color = true, "#112233"
			c.Unread, c.LastMessageID, c.Viewed = &unread, "m3", "m0"
			c.LastMessage = &ozeki.Message{ID: "m3", Data: "sealed"}
		}),
		conv(2, "Cleo", func(c *ozeki.Conversation) { c.Properties[0].HideID = "inst000001;" }),
		conv(3, "Dora", func(c *ozeki.Conversation) {
			c.IsGroup, c.Epoch, c.Secrets = true, 2, []ozeki.EpochSecret{{Epoch: 0, Secret: "s0"}, {Epoch: 1, Secret: "s1"}}
			c.Former = []ozeki.Participant{{UserID: userOf(9), UserName: "Gone"}}
		}),
	}})
	s.Apply(KeysOpened{[]OpenedKey{
		{ID: idOf(1), Secret: "secret1", Key: []byte("key 1"), Name: "Bert", Sealed: "sealed1"},
		{ID: idOf(3), Secret: "secret3", Key: []byte("key 3"), Name: "The choir", Sealed: "sealed3", Older: map[string][]byte{"s0": []byte("old 0"), "s1": nil}},
	}})
	s.Apply(LastOpened{[]OpenedLast{{ID: idOf(1), Sealed: ozeki.Message{ID: "m3", Data: "sealed"}, Message: Message{ID: "m3", Text: "Hello", From: userOf(1), Created: noon, Content: &ozeki.Content{Text: "Hello"}}}}})
	again := keptAgain(t, s)
	checkSnapshot(t, again)
	for n := range 4 {
		was, in := rowIn(s.Snapshot(), idOf(n))
		now, at := rowIn(again.Snapshot(), idOf(n))
		if was != now || in != at {
			t.Errorf("in %s: %+v\nwas kept as, in %s: %+v", in, was, at, now)
		}
	}
	if was, now := s.Unopened(), again.Unopened(); len(was) != len(now) {
		t.Errorf("to be opened: %d, after it was kept %d", len(was), len(now))
	}
	if keys := again.Keys(idOf(3)); len(keys) != 2 || string(keys[0]) != "key 3" || string(keys[1]) != "old 0" {
		t.Errorf("the keys are %q", keys)
	}
	if again.HasChanged() {
		t.Error("what was just read is to be kept again")
	}

	// A wish is not what the server said.
	s.Apply(FlagWanted{idOf(0), FlagFavorite, ""})
	if row, _ := rowIn(keptAgain(t, s).Snapshot(), idOf(0)); !row.Favorite {
		t.Error("a star that the server did not take away is kept as taken away")
	}
}
