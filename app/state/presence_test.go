package state

import (
	"slices"
	"testing"
	"time"

	"starling/ozeki"
)

func TestARowShowsWhetherTheOtherOneIsThere(t *testing.T) {
	group := conv(3, "Dora", func(c *ozeki.Conversation) {
		c.IsGroup = true
		c.Participants = append(c.Participants, ozeki.Participant{UserID: userOf(0), UserName: "Anna"})
	})
	s := signedIn(conv(0, "Anna"), conv(1, "Bert"), conv(2, "Cleo"), group)
	presence := func(n int) Presence {
		t.Helper()
		r, _ := rowIn(checkSnapshot(t, s), idOf(n))
		return r.Presence
	}
	want := func(wanted ...Presence) {
		t.Helper()
		for n, p := range wanted {
			if got := presence(n); got != p {
				t.Errorf("the %d-th is %v, want %v", n, got, p)
			}
		}
	}
	want(Absent, Absent, Absent, Absent)
	still := unchanged(t, s.Snapshot())
	s.Apply(FriendsLoaded{[]Friend{
		{ID: userOf(0), Availability: ozeki.Available}, {ID: userOf(1), Availability: ozeki.Away}, {ID: userOf(2), Availability: "in a meeting"}, {ID: userOf(3), Availability: ozeki.Available},
	}})
	still()
	want(Present, Away, Absent, Absent) // what is not understood is not shown, and a group is nobody
	s.Apply(FriendsLoaded{[]Friend{{ID: userOf(1), Availability: ozeki.Available}}})
	want(Absent, Present, Absent, Absent)
	// A conversation that comes later shows it too, and so does the open one.
	s.Apply(FriendsLoaded{[]Friend{{ID: userOf(4), Availability: ozeki.Away}}})
	s.Apply(ConversationMade{conv(4, "Emil")})
	if got := presence(4); got != Away {
		t.Errorf("a new conversation's is %v", got)
	}
	s.Apply(Opened{idOf(4)})
	if got := s.Snapshot().Open.Row.Presence; got != Away {
		t.Errorf("the open one's is %v", got)
	}
}

func TestTypingIsSeenInItsConversationUntilItEnds(t *testing.T) {
	group := conv(0, "Anna", func(c *ozeki.Conversation) {
		c.IsGroup = true
		c.Participants = append(c.Participants, ozeki.Participant{UserID: userOf(1), UserName: "Bert"})
	})
	s := signedIn(group, conv(2, "Cleo"))
	s.Apply(Opened{idOf(0)})
	want := func(names ...string) {
		t.Helper()
		if got := checkSnapshot(t, s).Open.Typing; !slices.Equal(got, names) {
			t.Errorf("typing are %q, want %q", got, names)
		}
	}
	for _, nobody := range []TypingHeard{{idOf(0), me}, {idOf(0), userOf(2)}, {idOf(77), userOf(0)}, {idOf(2), userOf(2)}} {
		s.Apply(nobody)
		want()
	}
	s.Apply(TypingHeard{idOf(0), userOf(1)})
	s.Apply(TypingHeard{idOf(0), userOf(0)})
	still := unchanged(t, s.Snapshot())
	s.Apply(TypingHeard{idOf(0), userOf(1)})
	want("Bert", "Anna")
	s.Apply(TypingOver{idOf(0), userOf(1)})
	s.Apply(TypingOver{idOf(0), userOf(1)})
	want("Anna")
	still()
	message := func(n int, newest bool) PageLoaded {
		return PageLoaded{ID: idOf(0), Instance: "inst000001", Newest: newest, Messages: []Message{{ID: ozeki.MessageID(rune('a' + n)), From: userOf(0), Created: noon.Add(time.Duration(n) * time.Minute)}}}
	}
	s.Apply(message(0, true)) // an old one
	want("Anna")
	s.Apply(message(0, false))
	want("Anna")
	s.Apply(message(1, false)) // the one she was typing
	want()
	s.Apply(Opened{idOf(2)})
	want("Cleo")
	s.Apply(SignOutDone{})
	s.Apply(SignInDone{User: User{me, "Me"}})
	s.Apply(ListLoaded{Conversations: []ozeki.Conversation{conv(2, "Cleo")}})
	s.Apply(Opened{idOf(2)})
	want()
}
