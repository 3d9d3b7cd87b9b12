package state

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"starling/ozeki"
)

func TestTheFilterFindsNamesAndPeopleWhateverTheDiacritics(t *testing.T) {
	s := signedIn(conv(1, "João Gonçalves"), conv(2, "Jürgen Groß"), conv(3, "Priya Raman"), conv(4, "Piotr Wiśniewski", favorite(true)),
		conv(5, "Ágnes Szabó"), conv(6, "Release train", func(c *ozeki.Conversation) {
			c.IsGroup = true
			c.Participants = append(c.Participants, ozeki.Participant{UserID: userOf(60), UserName: "Zoë Zimmermann"})
		}))
	s.Apply(KeysOpened{[]OpenedKey{{ID: idOf(6), Secret: "secret6", Key: make([]byte, 32), Name: "Release train"}}})
	for filter, want := range map[string][]string{
		"joao":        {"João Gonçalves"},
		"goncal joão": {"João Gonçalves"},
		"jogo":        {"João Gonçalves"},
		"gross":       {"Jürgen Groß"},
		"jg":          {"João Gonçalves", "Jürgen Groß"},
		"prya":        {"Priya Raman"}, // a letter is missing
		"pri":         {"Priya Raman"}, // and Piotr Wiśniewski has its letters, too
		"zimmer":      {"Release train"},
		"szabo":       {"Ágnes Szabó"},
		"r":           {"Release train", "Priya Raman", "Piotr Wiśniewski", "João Gonçalves", "Jürgen Groß"},
		"xyz":         nil,
		"me":          {"Release train"}, // Zimmermann; of the user himself, who is in all of them, nothing is said
		"joao xyz":    nil,
		"  ":          {"Piotr Wiśniewski", "João Gonçalves", "Jürgen Groß", "Priya Raman", "Ágnes Szabó", "Release train"},
	} {
		s.Apply(FilterChanged{filter})
		snap := checkSnapshot(t, s)
		got := append(names(snap.Favorites), names(snap.Conversations)...)
		if filter == "r" { // who has an r inside comes after those whose words begin with it
			if len(got) < 2 || !slices.Equal(names(snap.Conversations)[:2], want[:2]) {
				t.Errorf("%q finds %q", filter, got)
			}
			continue
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q finds %q, want %q", filter, got, want)
		}
	}
}

func TestTheBestFitIsWhatEnterOpens(t *testing.T) {
	s := signedIn(conv(1, "Hannah", favorite(true)), conv(2, "Anna"), conv(3, "Joanna", favorite(true)))
	for filter, want := range map[string]ozeki.ConversationID{"": "", "anna": idOf(2), "nna": idOf(1), "xyz": ""} {
		s.Apply(FilterChanged{filter})
		snap := checkSnapshot(t, s)
		if filter == "nna" { // all fit alike: the first as they stand
			want = snap.Favorites[0].ID
		}
		if snap.Best != want {
			t.Errorf("%q: the best is %s, want %s", filter, snap.Best, want)
		}
	}
}

func TestALongNameDoesNotHoldTheFilterUp(t *testing.T) {
	s := signedIn(conv(1, strings.Repeat("a a", 2000)))
	began := time.Now()
	s.Apply(FilterChanged{strings.Repeat("a", 60) + "b"})
	s.Snapshot()
	if d := time.Since(began); d > time.Second {
		t.Errorf("it takes %v", d)
	}
}

func TestUnreadOnlyKeepsTheSectionsAndTheOpenConversation(t *testing.T) {
	unread := func(n int) func(*ozeki.Conversation) { return says(n, "", "m") }
	list := []ozeki.Conversation{conv(1, "Anna", favorite(true), unread(2)), conv(2, "Bert", favorite(true), unread(0)), conv(3, "Cleo", unread(1)), conv(4, "Dora", unread(0))}
	s := overviewed(list...)
	s.Apply(UnreadOnly{true})
	snap := checkSnapshot(t, s)
	wantNames(t, "favorites", snap.Favorites, "Anna")
	wantNames(t, "others", snap.Conversations, "Cleo")
	if !snap.UnreadOnly {
		t.Error("it does not say so")
	}
	s.Apply(Opened{idOf(3)})
	list[2] = conv(3, "Cleo", unread(0))
	s.Apply(ListLoaded{Conversations: list, AskedAt: s.Tick()})
	wantNames(t, "others with the open one", checkSnapshot(t, s).Conversations, "Cleo")
	s.Apply(Opened{idOf(4)})
	wantNames(t, "others with another open one", checkSnapshot(t, s).Conversations, "Dora")
	s.Apply(UnreadOnly{false})
	if n := len(checkSnapshot(t, s).Conversations); n != 2 {
		t.Errorf("%d conversations", n)
	}
}

func TestTheHiddenAreListedWhateverTheFilter(t *testing.T) {
	hidden := func(c *ozeki.Conversation) { c.Properties[0].HideID = "inst000001;" }
	s := signedIn(conv(1, "Zoe", hidden), conv(2, "Bert", hidden), conv(3, "Cleo"))
	for _, filter := range []string{"", "bert", "cleo", "xyz"} {
		s.Apply(FilterChanged{filter})
		wantNames(t, "hidden with the filter "+filter, checkSnapshot(t, s).AllHidden, "Bert", "Zoe")
	}
}

func TestWhoIsBlockedIsKnownByNameAndByConversation(t *testing.T) {
	s := signedIn(conv(1, "Anna"), conv(2, "Bert"))
	s.Apply(BlocklistLoaded{[]ozeki.UserID{userOf(2), userOf(9)}, []ozeki.ConversationID{idOf(1), idOf(77)}})
	snap := checkSnapshot(t, s)
	if r, _ := rowIn(snap, idOf(2)); !r.Blocked || r.With != userOf(2) {
		t.Errorf("the row is %+v", r)
	}
	want := []Person{{userOf(9), string(userOf(9))}, {userOf(2), "Bert"}}
	if b := snap.Blocklist; !b.Loaded || !slices.Equal(b.People, want) || !slices.Equal(b.Unknown, []ozeki.ConversationID{idOf(77)}) {
		t.Errorf("the blocklist is %+v", b)
	}
	s.Apply(Blocked{userOf(2), false})
	s.Apply(Blocked{userOf(1), true})
	snap = checkSnapshot(t, s)
	for n, want := range map[int]bool{1: true, 2: false} {
		if r, _ := rowIn(snap, idOf(n)); r.Blocked != want {
			t.Errorf("the row is %+v", r)
		}
	}
	if snap.Announcement.Text != "Anna is blocked." {
		t.Errorf("announced: %q", snap.Announcement.Text)
	}
	s.Apply(FriendsLoaded{[]Friend{{ID: userOf(9), Name: "Nina"}}})
	if b := s.Snapshot().Blocklist; len(b.People) != 2 || b.People[1].Name != "Nina" {
		t.Errorf("the blocklist is %+v", b)
	}
	s.Apply(ListLoaded{Conversations: []ozeki.Conversation{conv(1, "Anna"), conv(9, "Nina Newcomer")}, AskedAt: s.Tick()})
	if r, _ := rowIn(checkSnapshot(t, s), idOf(9)); !r.Blocked {
		t.Errorf("a conversation that comes later is %+v", r)
	}
}

func BenchmarkTheFuzzyFilterAmong10000(b *testing.B) {
	bench(b, func(_ *State, n int) Event { return FilterChanged{fmt.Sprint("sby", n%7)} })
}
