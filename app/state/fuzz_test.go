package state

import (
	"fmt"
	"testing"
	"time"

	"starling/ozeki"
)

// play turns bytes into events, three bytes each, of five conversations and eight messages.
func play(t testing.TB, script []byte) {
	s := overviewed(conv(0, "Anna"), conv(1, "Bert", favorite(true)), conv(2, "Čeněk"))
	if len(script) > 600 {
		script = script[:600]
	}
	names := []string{"Anna", "Bert", "Čeněk", "Dora", "Émile"}
	for len(script) >= 3 {
		kind, a, b := script[0], int(script[1]), int(script[2])
		script = script[3:]
		n := a % 5
		id := idOf(n)
		instance := ozeki.Instance(fmt.Sprintf("inst%06d", b%3))
		m := ozeki.MessageID(fmt.Sprint("m", b%8))
		on := b%2 == 0
		made := func(n int) ozeki.Conversation {
			return conv(n, names[n], favorite(on), func(c *ozeki.Conversation) {
				c.Instance = instance
				c.LastAccess += int64(b) * 60
				says(b%3, []string{"", "m1", "m2x"}[a%3], []string{"", "m2x", "m5"}[b%3])(c)
				c.Properties[0].HideID = []string{"", "inst000000;", "inst000001;"}[a/5%3]
				c.Properties[0].IsMuted, c.Properties[0].Color = b%3 == 0, []string{"#ffffff", "#bae1ff", "none"}[b%3]
				if a > 250 {
					c.Properties = nil
				}
			})
		}
		still := unchanged(t, s.Snapshot())
		var e Event
		flag := Flags[a/5%4]
		value := valueFor(flag, b, instance)
		switch kind % 27 {
		case 0, 1, 2:
			e = FlagWanted{id, flag, value}
		case 3, 4:
			if _, seq, ok := s.NextFlag(id, flag); ok {
				e = FlagSent{id, flag, seq}
			}
		case 5:
			e = FlagAnswered{id, flag, s.flying(id, flag), value, made(n)}
		case 6:
			e = FlagRefused{id, flag, s.flying(id, flag), "No."}
		case 7:
			e = FlagUnreached{id, flag, s.flying(id, flag)}
		case 8:
			list := []ozeki.Conversation{}
			for i := range 5 {
				if b>>i&1 == 1 || i == n {
					list = append(list, made(i))
				}
			}
			e = ListLoaded{Conversations: list, AskedAt: s.Tick() - min(s.Tick(), uint64(a%4))}
		case 9:
			e = ConversationMade{made(n)}
		case 10:
			e = KeysOpened{[]OpenedKey{{ID: id, Secret: fmt.Sprint("secret", n), Key: make([]byte, 32), Name: []string{"", "Renamed", "abc"}[b%3]}}}
		case 11:
			e = FilterChanged{[]string{"", "a", "cenek", " E "}[b%4]}
		case 12:
			e = FavoriteMoved{id, 1 - 2*(b%2)}
		case 13:
			e = Opened{[]ozeki.ConversationID{"", id}[b%2]}
		case 14:
			e = []Event{PageAsked{ID: id, Older: on}, PageAsked{ID: id, Later: on}, ReaderMoved{id, on}}[a/5%3]
		case 15:
			from := []ozeki.UserID{me, userOf(n)}[a/5%2]
			e = PageLoaded{ID: id, Instance: instance, Older: on, Newest: b%3 == 0, Later: b%7 == 0, Rest: b%11 == 0, Next: []ozeki.MessageID{"", m}[b%2], Messages: []Message{{ID: m, From: from, Created: noon.Add(time.Duration(b) * time.Minute), Until: until(b)}, {ID: m + "x", From: from}}}
		case 16:
			e = PageFailed{id, "No."}
		case 17:
			e = MessageWritten{ID: m, Conversation: id, Text: "text", Files: []File{{ID: "f"}}[:b%2], At: noon.Add(time.Duration(b) * time.Minute), Until: until(b)}
		case 18:
			e = []Event{MessageMoved{m, id, MessageState(a / 5 % 4), "why"}, FileMoved{id, m, "f", FileWay(a / 5 % 4), int64(b)}}[b%2]
		case 19:
			e = MessageDropped{m, id}
		case 20:
			e = WishesKept{stars(map[ozeki.ConversationID]bool{id: on, idOf(77): true})}
		case 21:
			e = WishElsewhere{id, flag}
		case 23:
			e = []Event{Viewed{id, m}, Reported{id, m}, Viewed{id, m + "x"}, Cleared{made(n)}, ReadKept{Viewed: map[ozeki.ConversationID]ozeki.MessageID{id: m}}}[a/5%5]
		case 24:
			e = Counted{ID: id, Instance: instance, Last: Message{ID: m, Text: "counted", Created: noon}, Unread: b % 4, Viewed: m}
			if last := s.UnopenedLast(1 + b%3); len(last) > 0 && on {
				e = LastOpened{[]OpenedLast{{last[0].ID, last[0].Message, Message{ID: last[0].Message.ID, Text: "opened", From: userOf(n)}}}}
			}
		case 25:
			changed := Message{ID: m, From: []ozeki.UserID{me, userOf(n)}[a/5%2], Text: "changed", Edited: true, Kind: []MessageKind{KindText, KindDeleted}[b/8%2], Until: until(b)}
			e = []Event{MessagesChanged{ID: id, Instance: instance, Messages: []Message{changed}, Revision: int64(b)}, TimePassed{noon.Add(time.Duration(b) * time.Minute)}}[a/10%2]
		case 26:
			draft := &Draft{Text: "begun", Files: []ozeki.File{{ID: "f"}}[:b%2]}
			e = []Event{DraftsKept{[]ozeki.ConversationID{id, idOf(77)}}, DraftChanged{id, draft}, DraftChanged{ID: id}, ConversationLeft{id}}[a/5%4]
		case 22:
			e = []Event{NoticeAdded{"Something."}, NoticeDismissed{b}, Connection{on}, Touched{id, noon.Add(time.Duration(b) * time.Minute)}, ListFailed{"No."},
				OrderChanged{[]ozeki.ConversationID{id, idOf(b % 5)}}, FriendsLoaded{[]Friend{{ID: userOf(n), Availability: []string{ozeki.Available, ozeki.Away, "?"}[b%3]}}},
				TypingHeard{id, userOf(n)}, TypingOver{id, userOf(n)}, UnreadOnly{on},
				BlocklistLoaded{[]ozeki.UserID{userOf(n)}, []ozeki.ConversationID{id, idOf(77)}}, Blocked{userOf(n), on}}[a/5%12]
		}
		if e != nil {
			s.Apply(e)
		}
		for _, gone := range s.TakeGone() {
			if _, in := rowIn(s.Snapshot(), gone.ID); in != "" {
				t.Fatalf("%v is gone and shown among the %s", gone, in)
			}
		}
		if passed, ok := e.(TimePassed); ok {
			if at := s.Expires(); !at.IsZero() && !at.After(passed.Now) {
				t.Fatalf("at %v something expires that was to be gone at %v", passed.Now, at)
			}
			for _, c := range s.conversations {
				for _, m := range c.timeline.view() {
					if m.State == MessageSent && !m.Until.IsZero() && !m.Until.After(passed.Now) {
						t.Fatalf("%+v is there at %v", m, passed.Now)
					}
				}
			}
		}
		still()
		snap := checkSnapshot(t, s)
		for id, of := range s.Wishes() {
			for flag, value := range of {
				if r, in := rowIn(snap, id); in != "" && !shows(s, r, flag, value) {
					t.Fatalf("the wish %s %q is not what is shown: %+v", flag, value, r)
				}
			}
		}
		if len(snap.Notices) > 9 {
			t.Fatalf("notices pile up: %+v", snap.Notices)
		}
	}
}

// until is when a message expires, of every other one never.
func until(n int) time.Time {
	if n%2 == 0 {
		return time.Time{}
	}
	return noon.Add(time.Duration(n+5) * time.Minute)
}

// valueFor is one of the values of a flag.
func valueFor(flag Flag, n int, instance ozeki.Instance) string {
	switch {
	case n%2 == 1:
		return ""
	case flag == FlagHide:
		return string(instance) + ";"
	case flag == FlagColor:
		return []string{"#bae1ff", "#ffb3ba"}[n/2%2]
	}
	return On
}

// shows reports whether a row looks as a value of a flag should.
func shows(s *State, r Row, flag Flag, value string) bool {
	switch flag {
	case FlagMute:
		return r.Muted == (value != "")
	case FlagHide:
		return r.Hidden == s.conversations[r.ID].hiddenBy(value)
	case FlagColor:
		return r.Color == value
	}
	return r.Favorite == (value != "")
}

func (s *State) flying(id ozeki.ConversationID, flag Flag) uint64 {
	if c := s.conversations[id]; c != nil {
		return c.flag(flag).inFlight
	}
	return 0
}

func FuzzNoOrderOfEventsBreaksWhatIsShown(f *testing.F) {
	f.Add([]byte{0, 0, 0, 3, 0, 0, 5, 0, 0})
	f.Add([]byte{0, 0, 0, 3, 0, 0, 0, 0, 1, 5, 0, 0, 3, 0, 1, 7, 0, 0, 8, 0, 31})
	f.Add([]byte{0, 1, 1, 3, 1, 1, 6, 1, 1, 12, 1, 0, 12, 1, 1, 20, 2, 0})
	f.Add([]byte{13, 0, 1, 14, 0, 1, 15, 0, 3, 17, 0, 4, 15, 0, 4, 18, 0, 4, 18, 10, 4, 19, 0, 4})
	f.Add([]byte{8, 3, 7, 9, 4, 1, 10, 4, 1, 11, 0, 1, 8, 251, 2, 21, 25, 3, 0, 4, 0, 8, 0, 0})
	f.Add([]byte{13, 0, 1, 15, 0, 3, 25, 0, 3, 25, 10, 200, 17, 0, 5, 25, 10, 250, 26, 5, 1, 26, 15, 0, 9, 0, 1, 26, 0, 0})
	f.Fuzz(func(t *testing.T, script []byte) { play(t, script) })
}
