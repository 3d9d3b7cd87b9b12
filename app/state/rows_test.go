package state

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"starling/ozeki"
)

func TestNamesAreFoundWithoutTypingTheirDiacritics(t *testing.T) {
	for in, want := range map[string]string{
		"plain ascii 123":  "plain ascii 123",
		"UPPER":            "upper",
		"Árvíztűrő":        "arvizturo",
		"TÜKÖRFÚRÓGÉP":     "tukorfurogep",
		"Łódź":             "lodz",
		"Ștefan Țepeș":     "stefan tepes",
		"Şükrü Iğdır":      "sukru igdir",
		"Straße":           "strasse",
		"STRAẞE":           "strasse",
		"Æsir Œuvre":       "aesir oeuvre",
		"Þór Guðrún":       "thor gudrun",
		"Øresund Ångström": "oresund angstrom",
		"e\u0301te\u0301":  "ete",
		"Ω Привет 你好 🙂":    "ω привет 你好 🙂",
		"":                 "",
		"bad \xff bytes":   "bad \ufffd bytes",
	} {
		if got := Fold(in); got != want {
			t.Errorf("Fold(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestTheTwoRowsOfFoldedLettersBelongTogether(t *testing.T) {
	from, to := utf8.RuneCountInString(foldFrom), utf8.RuneCountInString(foldTo)
	if from != to || len(foldTo) != to {
		t.Fatalf("%d letters are folded to %d in %d bytes", from, to, len(foldTo))
	}
	seen := map[rune]bool{}
	for i, r := range foldFrom {
		if utf8.RuneLen(r) != 2 || i%2 != 0 {
			t.Errorf("%c has not two bytes", r)
		}
		if seen[r] {
			t.Errorf("%c is there twice", r)
		}
		seen[r] = true
	}
	// Every letter of Latin-1 and Latin Extended-A becomes ASCII, whatever its case, but the few that are no variant of one.
	none := "ĳĲŉŋŊĸſ" + "ªº"
	for r := rune(0xc0); r <= 0x17f; r++ {
		if !unicode.IsLetter(r) || strings.ContainsRune(none, r) {
			continue
		}
		for _, x := range Fold(string(r)) {
			if x < 'a' || x > 'z' {
				t.Errorf("%c (%U) is folded to %q", r, r, Fold(string(r)))
			}
		}
	}
}

func TestTheFilterKeepsTheSectionsAndFindsFoldedNames(t *testing.T) {
	s := signedIn(conv(1, "Győző", favorite(true)), conv(2, "gyozo the second"), conv(3, "Anna", favorite(true)), conv(4, "Győr", func(c *ozeki.Conversation) {
		c.Properties[0].HideID = "inst000001;"
	}))
	s.Apply(FilterChanged{"  GYO "})
	snap := checkSnapshot(t, s)
	wantNames(t, "favorites", snap.Favorites, "Győző")
	wantNames(t, "conversations", snap.Conversations, "gyozo the second")
	wantNames(t, "hidden", snap.Hidden, "Győr")
	if snap.Filter != "  GYO " || snap.Total != 4 {
		t.Errorf("filter %q of %d", snap.Filter, snap.Total)
	}
	s.Apply(starWanted(idOf(2), true))
	wantNames(t, "filtered favorites", checkSnapshot(t, s).Favorites, "Győző", "gyozo the second")
	s.Apply(FilterChanged{"nobody"})
	if snap := checkSnapshot(t, s); len(snap.Favorites)+len(snap.Conversations)+len(snap.Hidden) != 0 {
		t.Errorf("found %v", snap)
	}
	s.Apply(FilterChanged{""})
	wantNames(t, "favorites", checkSnapshot(t, s).Favorites, "Anna", "Győző", "gyozo the second")
}

func TestConversationsStandByTheirLastActivity(t *testing.T) {
	s := signedIn(conv(1, "Anna"), conv(2, "Bert"), conv(3, "Cleo"))
	wantNames(t, "conversations", s.Snapshot().Conversations, "Anna", "Bert", "Cleo")
	s.Apply(Touched{idOf(3), noon.Add(time.Hour)})
	s.Apply(Touched{idOf(1), noon.Add(-time.Hour)}) // older than what is known
	s.Apply(Touched{idOf(99), noon})
	wantNames(t, "conversations", s.Snapshot().Conversations, "Cleo", "Anna", "Bert")
	s.Apply(MessageWritten{ID: "m1", Conversation: idOf(2), Text: "hello", At: noon.Add(2 * time.Hour)})
	wantNames(t, "conversations", s.Snapshot().Conversations, "Bert", "Cleo", "Anna")
	// The same list again, with its older times, moves nothing.
	s.Apply(ListLoaded{Conversations: []ozeki.Conversation{conv(1, "Anna"), conv(2, "Bert"), conv(3, "Cleo")}, AskedAt: s.Tick()})
	wantNames(t, "conversations", s.Snapshot().Conversations, "Bert", "Cleo", "Anna")
}

func TestSortingIsTheSameEveryTime(t *testing.T) {
	same := func(c *ozeki.Conversation) { c.LastAccess = noon.Unix() }
	s := signedIn(conv(1, "Twin", same), conv(2, "Twin", same), conv(3, "twin", same), conv(4, "Adam", same))
	first := s.Snapshot().Conversations
	if first[0].Name != "Adam" || first[1].ID != idOf(1) || first[2].ID != idOf(2) || first[3].ID != idOf(3) {
		t.Errorf("the order is %q", names(first))
	}
	for range 20 {
		s.Apply(FilterChanged{""})
		if !slices.Equal(s.Snapshot().Conversations, first) {
			t.Fatal("equal rows change places")
		}
	}
}

func TestAConversationIsNamedByItsPeopleUntilItsNameOpens(t *testing.T) {
	group := conv(1, "Zoe", func(c *ozeki.Conversation) {
		c.IsGroup = true
		c.Participants = append(c.Participants, ozeki.Participant{UserID: userOf(5), UserName: "Adam"}, ozeki.Participant{UserID: userOf(6)})
	})
	alone := conv(2, "", func(c *ozeki.Conversation) { c.Participants = c.Participants[:1] })
	nobody := conv(3, "", func(c *ozeki.Conversation) { c.Participants = nil })
	s := signedIn(group, alone, nobody)
	snap := checkSnapshot(t, s)
	wantNames(t, "conversations", snap.Conversations, "Adam, Zoe", "Me", "Unnamed conversation")
	if todo := s.Unopened(); len(todo) != 3 || !reflect.DeepEqual(todo[0], Unopened{ID: idOf(1), Group: true, Secret: "secret1", Name: "sealed1"}) {
		t.Errorf("to be opened: %+v", todo)
	}
	key := []byte("0123456789abcdef0123456789abcdef")
	s.Apply(KeysOpened{[]OpenedKey{{ID: idOf(1), Secret: "secret1", Key: key, Name: "Holiday"}, {ID: idOf(2), Secret: "secret2"}, {ID: idOf(3), Secret: "secret3", Key: key}, {ID: idOf(9)}}})
	snap = checkSnapshot(t, s)
	wantNames(t, "conversations", snap.Conversations, "Holiday", "Me", "Unnamed conversation")
	for i, want := range []bool{false, true, true} {
		if snap.Conversations[i].Trouble != want {
			t.Errorf("%s: trouble is %v", snap.Conversations[i].Name, snap.Conversations[i].Trouble)
		}
	}
	if k, instance := s.Key(idOf(1)); string(k) != string(key) || instance != "inst000001" {
		t.Errorf("key %q of %q", k, instance)
	}
	if len(s.Unopened()) != 0 {
		t.Errorf("still to be opened: %v", s.Unopened())
	}
	// displayname differs in every answer: the opened name stays. A new secret is opened anew, and an outcome for the old is stale.
	group.DisplayName = "other bytes"
	s.Apply(ListLoaded{Conversations: []ozeki.Conversation{group, alone, nobody}, AskedAt: s.Tick()})
	wantNames(t, "conversations", s.Snapshot().Conversations, "Holiday", "Me", "Unnamed conversation")
	group.Secret = "another"
	s.Apply(ListLoaded{Conversations: []ozeki.Conversation{group, alone, nobody}, AskedAt: s.Tick()})
	s.Apply(KeysOpened{[]OpenedKey{{ID: idOf(1), Secret: "secret1", Key: key, Name: "Stale"}}})
	wantNames(t, "conversations", s.Snapshot().Conversations, "Adam, Zoe", "Me", "Unnamed conversation")
	if todo := s.Unopened(idOf(1), idOf(2)); len(todo) != 1 || todo[0].Secret != "another" || todo[0].Name != "other bytes" {
		t.Errorf("to be opened: %+v", todo)
	}
}

func TestHiddenIsTheInstanceNotTheConversation(t *testing.T) {
	hide := func(id string) func(*ozeki.Conversation) {
		return func(c *ozeki.Conversation) { c.Properties[0].HideID, c.LastMessageID = id, "m" }
	}
	for id, hidden := range map[string]bool{
		"": false, "inst000001;": true, "inst000001": true, "other;inst000001;": true, "inst000002;": false, "inst0000": false, ";": false,
	} {
		s := signedIn(conv(1, "Anna", hide(id)))
		if _, in := rowIn(checkSnapshot(t, s), idOf(1)); (in == "hidden") != hidden {
			t.Errorf("hideid %q: it stands in %s", id, in)
		}
	}
	s := signedIn(conv(1, "Anna", hide("inst000001;")))
	s.Apply(ListLoaded{Conversations: []ozeki.Conversation{conv(1, "Anna", hide("inst000001;"), func(c *ozeki.Conversation) { c.Instance = "inst000002" })}, AskedAt: s.Tick()})
	if _, in := rowIn(checkSnapshot(t, s), idOf(1)); in != "conversations" {
		t.Errorf("with a new instance it stands in %s", in)
	}
	s = signedIn(conv(1, "Anna", hide("inst000001;"), func(c *ozeki.Conversation) { c.Instance, c.LastMessageID = "inst000002", "" }))
	if _, in := rowIn(checkSnapshot(t, s), idOf(1)); in != "hidden" {
		t.Errorf("with a new instance in which nobody has written it stands in %s", in)
	}
}

func TestOnlyRealColoursAreShown(t *testing.T) {
	for in, want := range map[string]string{
		"#bae1ff": "#bae1ff", "#BAE1FF": "#bae1ff", "#ffffff": "", "#FFFFFF": "", "": "", "red": "", "#fff": "", "#12345g": "", "#1234567": "",
		"url(x)": "", "bae1ff1": "", "#ééé": "",
	} {
		s := signedIn(conv(1, "Anna", func(c *ozeki.Conversation) { c.Properties[0].Color = in }))
		if r, _ := rowIn(s.Snapshot(), idOf(1)); r.Color != want {
			t.Errorf("%q is shown as %q, want %q", in, r.Color, want)
		}
	}
}

func TestSigningOutForgetsEverything(t *testing.T) {
	s := threePeople()
	s.Apply(Opened{idOf(1)})
	s.Apply(FriendsLoaded{[]Friend{{ID: "f"}}})
	s.Apply(FilterChanged{"a"})
	s.Apply(starWanted(idOf(2), false))
	s.Apply(MessageWritten{ID: "m1", Conversation: idOf(1), Text: "secret"})
	s.Apply(SignOutDone{Reason: "because"})
	snap := s.Snapshot()
	if snap.Phase != SignedOut || snap.Reason != "because" || snap.Total != 0 || snap.Open != nil || snap.Filter != "" || snap.FriendsLoaded ||
		len(snap.Friends)+len(snap.Notices)+len(snap.Favorites)+len(snap.Conversations)+snap.Unsent != 0 || snap.User != (User{}) || snap.Loaded || len(s.Wishes()) != 0 {
		t.Errorf("after signing out the state is %+v", snap)
	}
	s.Apply(SignInDone{User: User{userOf(1), "Other"}, Extensions: []string{"cursor"}})
	if snap = s.Snapshot(); snap.Phase != SignedIn || snap.Reason != "" || snap.Total != 0 || !snap.Has("cursor") || snap.Has("logout") {
		t.Errorf("the next user begins with %+v", snap)
	}
}

func TestTroubleWithTheListIsToldUntilItIsThere(t *testing.T) {
	s := New()
	s.Apply(SignInDone{User: User{me, "Me"}})
	s.Apply(Opened{idOf(1)})
	if o := s.Snapshot().Open; o.Known || !o.Loading {
		t.Errorf("while the list is loaded, an open conversation is %+v", o)
	}
	s.Apply(ListFailed{"The server cannot be reached."})
	if snap := s.Snapshot(); snap.Trouble == "" || snap.Loaded {
		t.Errorf("%+v", snap)
	}
	s.Apply(ListLoaded{Conversations: nil, AskedAt: s.Tick()})
	snap := s.Snapshot()
	if snap.Trouble != "" || !snap.Loaded || snap.Open.Loading || snap.Open.Known {
		t.Errorf("%+v, open %+v", snap, snap.Open)
	}
	s.Apply(Connection{Offline: true})
	if !s.Snapshot().Offline {
		t.Error("offline is not shown")
	}
	s.Apply(NoticeAdded{"A"})
	s.Apply(NoticeAdded{"A"})
	s.Apply(NoticeAdded{"B"})
	if snap := s.Snapshot(); len(snap.Notices) != 2 || snap.Announcement.Text != "B" || snap.Announcement.Seq != 3 {
		t.Errorf("notices are %+v, announced %+v", snap.Notices, snap.Announcement)
	}
}

func TestAListOfSomeLeavesTheOthers(t *testing.T) {
	s := signedIn(conv(1, "Anna"), conv(2, "Bert"), conv(3, "Cleo"))
	s.Apply(ListLoaded{Conversations: []ozeki.Conversation{conv(2, "Bert", favorite(true))}, Of: []ozeki.ConversationID{idOf(2), idOf(3)}, AskedAt: s.Tick()})
	snap := s.Snapshot()
	if len(snap.Favorites) != 1 || snap.Favorites[0].ID != idOf(2) {
		t.Errorf("favorites are %v, want Bert", snap.Favorites)
	}
	if len(snap.Conversations) != 1 || snap.Conversations[0].ID != idOf(1) {
		t.Errorf("the others are %v, want Anna: Cleo was asked for and is gone", snap.Conversations)
	}
}
