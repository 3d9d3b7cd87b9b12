package state

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"starling/ozeki"
)

func msg(n int, from ozeki.UserID) Message {
	return Message{ID: ozeki.MessageID(fmt.Sprint("m", n)), Text: fmt.Sprint("text ", n), From: from, Created: noon.Add(time.Duration(n) * time.Second)}
}

func ids(ms []Message) string {
	out := make([]string, len(ms))
	for i, m := range ms {
		out[i] = string(m.ID)
	}
	return strings.Join(out, " ")
}

// reading is a state with an open conversation whose newest page is loaded.
func reading(t *testing.T, page ...Message) *State {
	t.Helper()
	s := signedIn(conv(1, "Anna"))
	s.Apply(Opened{idOf(1)})
	s.Apply(PageAsked{ID: idOf(1)})
	if o := s.Snapshot().Open; !o.Loading {
		t.Fatal("a page on its way does not show")
	}
	s.Apply(PageLoaded{ID: idOf(1), Instance: "inst000001", Messages: page, Newest: true, More: true})
	return s
}

func wantMessages(t *testing.T, s *State, want string) *Open {
	t.Helper()
	o := checkSnapshot(t, s).Open
	if got := ids(o.Messages); got != want {
		t.Errorf("the messages are %q, want %q", got, want)
	}
	return o
}

func TestMessagesNameTheirSenders(t *testing.T) {
	s := reading(t, msg(1, userOf(1)), msg(2, me), msg(3, userOf(42)))
	o := wantMessages(t, s, "m1 m2 m3")
	if o.Messages[0].Sender != "Anna" || o.Messages[0].Mine || !o.Messages[1].Mine || o.Messages[2].Sender != "Somebody" {
		t.Errorf("%+v", o.Messages)
	}
	if o.Loading || !o.More || !o.Known {
		t.Errorf("%+v", o)
	}
}

func TestAnEchoBeforeTheAnswerIsOneBubble(t *testing.T) {
	for _, echoFirst := range []bool{true, false} {
		s := reading(t, msg(1, userOf(1)))
		s.Apply(MessageWritten{ID: "m2", Conversation: idOf(1), Text: "text 2", At: noon.Add(2 * time.Second)})
		if o := wantMessages(t, s, "m1 m2"); o.Messages[1].State != MessageSending || !o.Messages[1].Mine || o.Messages[1].Sender != "Me" {
			t.Errorf("a message on its way is %+v", o.Messages[1])
		}
		if s.Snapshot().Unsent != 1 {
			t.Errorf("unsent: %d", s.Snapshot().Unsent)
		}
		echo := PageLoaded{ID: idOf(1), Instance: "inst000001", Messages: []Message{msg(1, userOf(1)), msg(2, me), msg(3, userOf(1))}}
		answer := MessageMoved{ID: "m2", Conversation: idOf(1), State: MessageSent}
		if echoFirst {
			s.Apply(echo)
			wantMessages(t, s, "m1 m2 m3")
			s.Apply(answer)
		} else {
			s.Apply(answer)
			wantMessages(t, s, "m1 m2")
			s.Apply(echo)
		}
		wantMessages(t, s, "m1 m2 m3")
		if o := s.Snapshot().Open; o.Messages[1].State != MessageSent {
			t.Errorf("echo first %v: %+v", echoFirst, o.Messages[1])
		}
		if s.Snapshot().Unsent != 0 {
			t.Errorf("unsent: %d", s.Snapshot().Unsent)
		}
	}
}

func TestALateFailureDoesNotBringBackAMessageThatTheServerHas(t *testing.T) {
	s := reading(t)
	s.Apply(MessageWritten{ID: "m1", Conversation: idOf(1), Text: "x", At: noon})
	s.Apply(PageLoaded{ID: idOf(1), Instance: "inst000001", Messages: []Message{msg(1, me)}})
	said := s.Snapshot().Announcement
	s.Apply(MessageMoved{ID: "m1", Conversation: idOf(1), State: MessageFailed, Why: "no"})
	s.Apply(MessageWritten{ID: "m1", Conversation: idOf(1), Text: "x", At: noon})
	if o := wantMessages(t, s, "m1"); o.Messages[0].State != MessageSent {
		t.Errorf("%+v", o.Messages)
	}
	if s.Snapshot().Announcement != said {
		t.Errorf("announced %q", s.Snapshot().Announcement.Text)
	}
}

func TestTheServersOrderCounts(t *testing.T) {
	s := reading(t, msg(1, userOf(1)))
	s.Apply(MessageWritten{ID: "m4", Conversation: idOf(1), Text: "first", At: noon})
	s.Apply(MessageWritten{ID: "m5", Conversation: idOf(1), Text: "second", At: noon})
	wantMessages(t, s, "m1 m4 m5")
	s.Apply(PageLoaded{ID: idOf(1), Instance: "inst000001", Messages: []Message{msg(1, userOf(1)), msg(3, userOf(1)), msg(4, me)}})
	wantMessages(t, s, "m1 m3 m4 m5")
	s.Apply(PageLoaded{ID: idOf(1), Instance: "inst000001", Messages: []Message{msg(4, me), msg(6, userOf(1)), msg(5, me)}})
	wantMessages(t, s, "m1 m3 m4 m6 m5")
}

func TestOlderPagesComeInFront(t *testing.T) {
	s := reading(t, msg(5, userOf(1)), msg(6, me))
	s.Apply(PageAsked{ID: idOf(1), Older: true})
	if o := s.Snapshot().Open; !o.Older || o.Loading {
		t.Errorf("while older ones come: %+v", o)
	}
	if k := s.Timeline(idOf(1)); !k.Busy || !k.Loaded || !k.More || k.First.ID != "m5" || k.Last.ID != "m6" {
		t.Errorf("%+v", k)
	}
	active := s.Snapshot().Conversations[0].Active
	s.Apply(PageLoaded{ID: idOf(1), Instance: "inst000001", Messages: []Message{msg(3, me), msg(4, userOf(1)), msg(5, userOf(1))}, Older: true})
	o := wantMessages(t, s, "m3 m4 m5 m6")
	if o.Older || o.More {
		t.Errorf("the beginning is there, but: %+v", o)
	}
	if s.Snapshot().Conversations[0].Active != active {
		t.Error("older messages made the conversation look newer")
	}
}

func TestNewMessagesOfTheOpenConversationAreRead(t *testing.T) {
	s := reading(t, msg(1, userOf(1)))
	said := s.Snapshot().Announcement.Seq
	if said != 0 {
		t.Errorf("the first page is announced: %q", s.Snapshot().Announcement.Text)
	}
	s.Apply(PageLoaded{ID: idOf(1), Instance: "inst000001", Messages: []Message{msg(2, userOf(1))}})
	if a := s.Snapshot().Announcement; a.Text != "Anna: text 2" {
		t.Errorf("announced %q", a.Text)
	}
	s.Apply(PageLoaded{ID: idOf(1), Instance: "inst000001", Messages: []Message{msg(2, userOf(1))}})
	s.Apply(PageLoaded{ID: idOf(1), Instance: "inst000001", Messages: []Message{msg(3, me)}})
	s.Apply(Opened{""})
	s.Apply(PageLoaded{ID: idOf(1), Instance: "inst000001", Messages: []Message{msg(4, userOf(1))}})
	if a := s.Snapshot().Announcement; a.Seq != said+1 {
		t.Errorf("announced %q as well", a.Text)
	}
	if got := s.Snapshot().Conversations[0].Active; !got.Equal(noon.Add(4 * time.Second)) {
		t.Errorf("the conversation was active %v", got)
	}
}

func TestClearingKeepsWhatWasNotSentAndOnlyThat(t *testing.T) {
	s := reading(t, msg(1, userOf(1)))
	for _, m := range []struct {
		id    ozeki.MessageID
		state MessageState
	}{{"sent", MessageSent}, {"sending", MessageSending}, {"queued", MessageQueued}, {"failed", MessageFailed}} {
		s.Apply(MessageWritten{ID: m.id, Conversation: idOf(1), Text: string(m.id), At: noon})
		s.Apply(MessageMoved{ID: m.id, Conversation: idOf(1), State: m.state, Why: "why"})
	}
	if s.Snapshot().Unsent != 3 {
		t.Errorf("unsent: %d", s.Snapshot().Unsent)
	}
	s.Apply(PageAsked{ID: idOf(1), Older: true})
	s.Apply(ListLoaded{Conversations: []ozeki.Conversation{conv(1, "Anna", func(c *ozeki.Conversation) { c.Instance = "inst000002" })}, AskedAt: s.Tick()})
	o := wantMessages(t, s, "sending queued failed")
	if o.Older || o.More {
		t.Errorf("%+v", o)
	}
	// A page of the old run of the history comes late.
	s.Apply(PageLoaded{ID: idOf(1), Instance: "inst000001", Messages: []Message{msg(0, me)}, Older: true})
	wantMessages(t, s, "sending queued failed")
	if k := s.Timeline(idOf(1)); k.Loaded || k.Busy || k.Instance != "inst000002" {
		t.Errorf("%+v", k)
	}
	s.Apply(PageLoaded{ID: idOf(1), Instance: "inst000002", Messages: []Message{{ID: "sending", From: me}}, Newest: true})
	wantMessages(t, s, "sending queued failed")
}

func TestAFailedMessageCanBeTriedAgainOrDeleted(t *testing.T) {
	s := reading(t)
	s.Apply(MessageWritten{ID: "a", Conversation: idOf(1), Text: "a", At: noon})
	s.Apply(MessageMoved{ID: "a", Conversation: idOf(1), State: MessageFailed, Why: "Too long."})
	snap := s.Snapshot()
	if m := snap.Open.Messages[0]; m.State != MessageFailed || m.Why != "Too long." || snap.Announcement.Text != "Message not sent. Too long." {
		t.Errorf("%+v, announced %q", m, snap.Announcement.Text)
	}
	still := unchanged(t, snap)
	s.Apply(MessageMoved{ID: "a", Conversation: idOf(1), State: MessageSending})
	if m, ok := s.Pending(idOf(1), "a"); !ok || m.State != MessageSending || m.Why != "" {
		t.Errorf("%+v %v", m, ok)
	}
	s.Apply(MessageDropped{ID: "a", Conversation: idOf(1)})
	still()
	wantMessages(t, s, "")
	if _, ok := s.Pending(idOf(1), "a"); ok {
		t.Error("it is still pending")
	}
	if _, ok := s.Pending(idOf(9), "a"); ok {
		t.Error("a message of a conversation that is not there")
	}
}

func TestTroubleWithMessagesIsToldUntilTheyAreTriedAgain(t *testing.T) {
	s := signedIn(conv(1, "Anna"))
	s.Apply(Opened{idOf(1)})
	s.Apply(PageAsked{ID: idOf(1)})
	s.Apply(PageFailed{idOf(1), "The server cannot be reached."})
	if o := s.Snapshot().Open; o.Trouble == "" || o.Loading {
		t.Errorf("%+v", o)
	}
	s.Apply(PageAsked{ID: idOf(1)})
	if o := s.Snapshot().Open; o.Trouble != "" || !o.Loading {
		t.Errorf("%+v", o)
	}
}

func TestEventsOfConversationsThatAreNotThereDoNothing(t *testing.T) {
	s := signedIn(conv(1, "Anna"))
	still := unchanged(t, s.Snapshot())
	for _, e := range []Event{
		starWanted(idOf(9), true), starSent(idOf(9), 1), starAnswered(idOf(9), 1, conv(9, "x")), starRefused(idOf(9), 1, "no"), starUnreached(idOf(9), 1),
		PageAsked{ID: idOf(9)}, PageLoaded{ID: idOf(9), Messages: []Message{msg(1, me)}}, PageFailed{idOf(9), "no"},
		MessageWritten{ID: "m", Conversation: idOf(9)}, MessageMoved{ID: "m", Conversation: idOf(9)}, MessageDropped{"m", idOf(9)}, Touched{idOf(9), noon},
		FavoriteMoved{idOf(9), 1}, WishesKept{stars(map[ozeki.ConversationID]bool{idOf(9): true})}, KeysOpened{[]OpenedKey{{ID: idOf(9)}}},
	} {
		s.Apply(e)
		if snap := checkSnapshot(t, s); snap.Total != 1 || len(snap.Notices) != 0 || snap.Announcement.Seq != 0 {
			t.Errorf("%T changed something: %+v", e, snap)
		}
	}
	still()
	if key, _ := s.Key(idOf(9)); key != nil || s.Timeline(idOf(9)).Known || slices.ContainsFunc(s.Unopened(idOf(9)), func(Unopened) bool { return true }) {
		t.Error("something is known of it")
	}
}

func TestAPageFromBeforeAChangeLetsItBeAskedForAgain(t *testing.T) {
	for name, page := range map[string]PageLoaded{
		"older": {Older: true, Messages: []Message{msg(3, me)}}, "later": {Later: true, Messages: []Message{msg(6, me)}},
	} {
		for _, step := range []struct{ known, of, want int64 }{{2, 2, 2}, {2, 5, 2}, {7, 0, 0}, {7, 2, 2}} {
			s := reading(t, msg(5, me))
			s.Apply(MessagesChanged{ID: idOf(1), Instance: "inst000001", Revision: step.known})
			page.ID, page.Instance, page.Next, page.Revision = idOf(1), "inst000001", "m5", step.of
			s.Apply(page)
			if got := s.Timeline(idOf(1)).Revision; got != step.want {
				t.Errorf("%s messages of %d after a change %d: changes are asked for from %d on, want %d", name, step.of, step.known, got, step.want)
			}
			page.Next, page.Revision = "m9", 0
			s.Apply(page)
			if got := s.Timeline(idOf(1)).Revision; got != step.want {
				t.Errorf("%s messages that have no place change it to %d", name, got)
			}
		}
	}
}
