package state

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"starling/ozeki"
)

const me = ozeki.UserID("d574636c19cbff603bf857164c47e850")

var noon = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)

func idOf(n int) ozeki.ConversationID { return ozeki.ConversationID(fmt.Sprintf("%032x", n+1)) }

func userOf(n int) ozeki.UserID { return ozeki.UserID(fmt.Sprintf("%032x", n+1000)) }

// conv is the n-th conversation as the server gives it, with one other person in it.
func conv(n int, name string, change ...func(*ozeki.Conversation)) ozeki.Conversation {
	c := ozeki.Conversation{
		ID: idOf(n), Instance: "inst000001", Secret: fmt.Sprint("secret", n), DisplayName: fmt.Sprint("sealed", n), LastAccess: noon.Unix() - int64(n),
		Participants: []ozeki.Participant{{UserID: me, UserName: "Me"}, {UserID: userOf(n), UserName: name}},
		Properties:   []ozeki.Property{{UserID: me, Color: "#ffffff"}},
	}
	for _, f := range change {
		f(&c)
	}
	return c
}

func favorite(on bool) func(*ozeki.Conversation) {
	return func(c *ozeki.Conversation) { c.Properties[0].IsFavorite = on }
}

// signedIn is a state with a user and these conversations.
func signedIn(cs ...ozeki.Conversation) *State {
	s := New()
	s.Apply(SignInDone{User: User{me, "Me"}})
	s.Apply(ListLoaded{Conversations: cs, AskedAt: s.Tick()})
	return s
}

func names(rows []*Row) []string {
	out := make([]string, len(rows))
	for i, r := range rows {
		out[i] = r.Name
	}
	return out
}

func wantNames(t *testing.T, what string, rows []*Row, want ...string) {
	t.Helper()
	if got := names(rows); !slices.Equal(got, want) {
		t.Errorf("%s are %q, want %q", what, got, want)
	}
}

// rowIn finds a conversation's row and the section that it is in.
func rowIn(snap *Snapshot, id ozeki.ConversationID) (r Row, section string) {
	for name, rows := range map[string][]*Row{"favorites": snap.Favorites, "conversations": snap.Conversations, "hidden": snap.Hidden} {
		for _, x := range rows {
			if x.ID == id {
				r, section = *x, section+name
			}
		}
	}
	return r, section
}

// send puts what a star needs on its way, as the engine does.
func send(t *testing.T, s *State, id ozeki.ConversationID) (on bool, seq uint64) {
	t.Helper()
	on, seq, ok := s.nextStar(id)
	if !ok {
		t.Fatal("there is nothing to send")
	}
	s.Apply(starSent(id, seq))
	return on, seq
}

func clone(s *Snapshot) *Snapshot {
	c := *s
	for _, rows := range []*[]*Row{&c.Favorites, &c.Conversations, &c.Hidden, &c.AllHidden} {
		*rows = slices.Clone(*rows)
		for i, r := range *rows {
			row := *r
			(*rows)[i] = &row
		}
	}
	c.Extensions, c.Notices, c.Friends = slices.Clone(s.Extensions), slices.Clone(s.Notices), slices.Clone(s.Friends)
	if s.Open != nil {
		o := *s.Open
		o.Messages, o.Typing = slices.Clone(s.Open.Messages), slices.Clone(s.Open.Typing)
		c.Open = &o
	}
	return &c
}

// checkSnapshot checks what holds of every snapshot.
func checkSnapshot(t testing.TB, s *State) *Snapshot {
	t.Helper()
	snap := s.Snapshot()
	seen := map[ozeki.ConversationID]bool{}
	for _, section := range []struct {
		name     string
		rows     []*Row
		favorite func(*Row) bool
	}{
		{"favorites", snap.Favorites, func(r *Row) bool { return r.Favorite }},
		{"conversations", snap.Conversations, func(r *Row) bool { return !r.Favorite }},
		{"hidden", snap.Hidden, func(*Row) bool { return true }},
	} {
		for _, r := range section.rows {
			if seen[r.ID] {
				t.Fatalf("%s is shown twice", r.ID)
			}
			seen[r.ID] = true
			if !section.favorite(r) {
				t.Fatalf("%+v stands among the %s", r, section.name)
			}
			if r.Name == "" {
				t.Fatalf("%s has no name", r.ID)
			}
		}
	}
	checkLists(t, s, snap)
	if len(seen) > snap.Total || snap.Filter == "" && !snap.UnreadOnly && len(seen) != snap.Total {
		t.Fatalf("%d rows of %d conversations, filter %q", len(seen), snap.Total, snap.Filter)
	}
	if o := snap.Open; o != nil {
		ids := map[ozeki.MessageID]bool{}
		for _, m := range o.Messages {
			if ids[m.ID] {
				t.Fatalf("message %s is shown twice", m.ID)
			}
			ids[m.ID] = true
		}
	}
	return snap
}

// checkLists compares the lists with ones that are made from the conversations in the plainest way.
func checkLists(t testing.TB, s *State, snap *Snapshot) {
	t.Helper()
	var want [3][]*Row
	place := func(id ozeki.ConversationID) int {
		if i := slices.Index(s.order, id); i >= 0 {
			return i
		}
		return len(s.order)
	}
	fits, best := map[ozeki.ConversationID]fit{}, fitNot
	for id, c := range s.conversations {
		fits[id] = s.fits(c, strings.Fields(Fold(s.filter)))
		best = max(best, fits[id])
	}
	for id, c := range s.conversations {
		if fits[id] == fitNot || fits[id] == fitLoose && best > fitLoose || s.unreadOnly && c.unread == 0 && id != s.open {
			continue
		}
		switch r := c.row(); {
		case c.isHidden():
			want[2] = append(want[2], &r)
		case r.Favorite:
			want[0] = append(want[0], &r)
		default:
			want[1] = append(want[1], &r)
		}
	}
	byFit := func(a, b *Row) int { return cmp.Compare(fits[b.ID], fits[a.ID]) }
	byName := func(a, b *Row) int {
		return cmp.Or(byFit(a, b), strings.Compare(Fold(a.Name), Fold(b.Name)), cmp.Compare(a.ID, b.ID))
	}
	slices.SortFunc(want[0], func(a, b *Row) int { return cmp.Or(byFit(a, b), cmp.Compare(place(a.ID), place(b.ID)), byName(a, b)) })
	slices.SortFunc(want[1], func(a, b *Row) int { return cmp.Or(byFit(a, b), b.Active.Compare(a.Active), byName(a, b)) })
	slices.SortFunc(want[2], byName)
	for i, got := range [][]*Row{snap.Favorites, snap.Conversations, snap.Hidden} {
		if !slices.EqualFunc(got, want[i], func(a, b *Row) bool { return *a == *b }) {
			t.Fatalf("list %d is\n%q\nwant\n%q", i, names(got), names(want[i]))
		}
	}
	hidden := 0
	for _, c := range s.conversations {
		if c.isHidden() {
			hidden++
		}
	}
	if !slices.IsSortedFunc(snap.AllHidden, func(a, b *Row) int { return cmp.Compare(Fold(a.Name), Fold(b.Name)) }) || len(snap.AllHidden) != hidden {
		t.Fatalf("%d of %d hidden ones are listed: %+v", len(snap.AllHidden), hidden, snap.AllHidden)
	}
	unread := 0
	for _, c := range s.conversations {
		if r := c.row(); r.Unread < 0 {
			t.Fatalf("%d unread messages: %+v", r.Unread, r)
		} else if !r.Muted && !c.isHidden() {
			unread += r.Unread
		}
	}
	if snap.Unread != unread {
		t.Fatalf("%d messages are said to be unread, it is %d", snap.Unread, unread)
	}
	unsent := 0
	for _, c := range s.conversations {
		for _, m := range c.timeline.pending {
			if m.State != MessageSent {
				unsent++
			}
		}
	}
	if snap.Unsent != unsent {
		t.Fatalf("%d messages are said not to be sent, it is %d", snap.Unsent, unsent)
	}
}

// unchanged keeps a snapshot and returns a check that it is still what it was.
func unchanged(t testing.TB, s *Snapshot) func() {
	was := clone(s)
	return func() {
		t.Helper()
		if !reflect.DeepEqual(s, was) {
			t.Fatalf("a snapshot has changed after it was given out:\n%+v\nwas\n%+v", s, was)
		}
	}
}

// Stars are the flags that most of these tests are about.

func starWanted(id ozeki.ConversationID, on bool) Event {
	return FlagWanted{id, FlagFavorite, onOff(on)}
}

func starSent(id ozeki.ConversationID, seq uint64) Event { return FlagSent{id, FlagFavorite, seq} }

func starAnswered(id ozeki.ConversationID, seq uint64, c ozeki.Conversation) Event {
	return FlagAnswered{ID: id, Flag: FlagFavorite, Seq: seq, Conversation: c}
}

func starRefused(id ozeki.ConversationID, seq uint64, words string) Event {
	return FlagRefused{id, FlagFavorite, seq, words}
}

func starUnreached(id ozeki.ConversationID, seq uint64) Event {
	return FlagUnreached{id, FlagFavorite, seq}
}

func (s *State) nextStar(id ozeki.ConversationID) (on bool, seq uint64, send bool) {
	value, seq, send := s.NextFlag(id, FlagFavorite)
	return value != "", seq, send
}

// stars are wishes of stars alone.
func stars(on map[ozeki.ConversationID]bool) Wishes {
	wishes := Wishes{}
	for id, on := range on {
		wishes[id] = map[Flag]string{FlagFavorite: onOff(on)}
	}
	return wishes
}
