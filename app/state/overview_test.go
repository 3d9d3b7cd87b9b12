package state

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"starling/ozeki"
)

// says is what a server with the extension overview says of a conversation: its last message and what is unread.
func says(unread int, viewed, last string) func(*ozeki.Conversation) {
	return func(c *ozeki.Conversation) {
		c.Unread, c.Viewed, c.LastMessageID = &unread, ozeki.MessageID(viewed), ozeki.MessageID(last)
		if last != "" {
			c.LastMessage = &ozeki.Message{ID: c.LastMessageID, Data: "sealed " + last, From: userOf(1)}
		}
	}
}

// overviewed is a state of a client whose server has the extension overview.
func overviewed(cs ...ozeki.Conversation) *State {
	s := New()
	s.Apply(SignInDone{User: User{me, "Me"}, Extensions: []string{ozeki.ExtOverview}})
	if len(cs) > 0 {
		s.Apply(ListLoaded{Conversations: cs, AskedAt: s.Tick()})
	}
	return s
}

// listed applies a list as the server gives it now.
func listed(s *State, cs ...ozeki.Conversation) {
	var of []ozeki.ConversationID
	for _, c := range cs {
		of = append(of, c.ID)
	}
	s.Apply(ListLoaded{Conversations: cs, Of: of, AskedAt: s.Tick()})
}

// openLast opens the last messages that the lists have brought, as the engine does.
func openLast(s *State, from ozeki.UserID) {
	for _, l := range s.UnopenedLast(100) {
		s.Apply(LastOpened{[]OpenedLast{{l.ID, l.Message, Message{ID: l.Message.ID, Text: "text of " + string(l.Message.ID), From: from}}}})
	}
}

// sidebar is a conversation's row in short.
func sidebar(t *testing.T, s *State, n int) string {
	t.Helper()
	r, _ := rowIn(checkSnapshot(t, s), idOf(n))
	return fmt.Sprintf("%d %s", r.Unread, r.Preview)
}

func wantSidebar(t *testing.T, s *State, want string) {
	t.Helper()
	if got := sidebar(t, s, 1); got != want {
		t.Errorf("the row says %q, want %q", got, want)
	}
}

func TestARowTellsWhatWasWrittenLastAndWhatIsUnread(t *testing.T) {
	s := overviewed(conv(1, "Anna", says(2, "", "m1")), conv(2, "Bea"))
	if todo := s.UnopenedLast(100); len(todo) != 0 {
		t.Errorf("to be opened without a key: %+v", todo)
	}
	wantSidebar(t, s, "2 ")
	s.Apply(KeysOpened{[]OpenedKey{{ID: idOf(1), Secret: "secret1", Key: []byte("k"), Name: "Anna"}}})
	openLast(s, userOf(1))
	wantSidebar(t, s, "2 text of m1")
	listed(s, conv(1, "Anna", says(2, "", "m1")))
	if todo := s.UnopenedLast(100); len(todo) != 0 {
		t.Errorf("the same is opened again: %+v", todo)
	}
	listed(s, conv(1, "Anna", says(3, "", "m2")))
	old := s.UnopenedLast(100)
	wantSidebar(t, s, "3 text of m1")
	listed(s, conv(1, "Anna", says(0, "m3", "m3")))
	s.Apply(LastOpened{[]OpenedLast{{idOf(1), old[0].Message, Message{ID: "m2", Text: "late"}}}})
	wantSidebar(t, s, "0 text of m1")
	openLast(s, me)
	wantSidebar(t, s, "0 You: text of m3")
	listed(s, conv(1, "Anna", says(0, "", "")))
	wantSidebar(t, s, "0 ")
}

func TestAPreviewIsOneShortLine(t *testing.T) {
	long := strings.Repeat("Grüße ", 100)
	for _, c := range []struct {
		m     Message
		group bool
		want  string
	}{
		{Message{ID: "m", Text: " a\n\n b\t c "}, false, "a b c"},
		{Message{ID: "m", Text: "x", Sender: "Anna"}, false, "x"},
		{Message{ID: "m", Text: "x", Sender: "Anna"}, true, "Anna: x"},
		{Message{ID: "m", Text: "x", Sender: "Me", Mine: true}, true, "You: x"},
		{Message{}, true, ""},
	} {
		if got := (&conversation{group: c.group}).previewOf(c.m); got != c.want {
			t.Errorf("%+v: %q, want %q", c.m, got, c.want)
		}
	}
	for n := range 12 {
		got := (&conversation{}).previewOf(Message{ID: "m", Text: strings.Repeat("x", n) + long})
		if len(got) > maxPreview || len(got) < maxPreview-6 || strings.ContainsRune(got, '\uFFFD') {
			t.Errorf("%q", got)
		}
	}
}

func TestMessagesAtHandTellWhatIsUnread(t *testing.T) {
	s := overviewed(conv(1, "Anna", says(2, "m1", "m3")))
	s.Apply(PageLoaded{ID: idOf(1), Instance: "inst000001", Newest: true, More: true, Messages: []Message{msg(1, userOf(1)), msg(2, userOf(1)), msg(3, userOf(1))}})
	wantSidebar(t, s, "2 text 3")
	s.Apply(PageLoaded{ID: idOf(1), Instance: "inst000001", Messages: []Message{msg(3, userOf(1)), msg(4, userOf(1)), msg(5, me)}})
	wantSidebar(t, s, "3 You: text 5")
	s.Apply(Viewed{idOf(1), "m3"})
	wantSidebar(t, s, "1 You: text 5")
	s.Apply(Viewed{idOf(1), "m2"}) // never back
	wantSidebar(t, s, "1 You: text 5")
	listed(s, conv(1, "Anna", says(0, "m5", "m5"))) // another device
	wantSidebar(t, s, "0 You: text 5")
	s.Apply(MessageWritten{ID: "p", Conversation: idOf(1), Text: "on its way", At: noon.Add(time.Hour)})
	wantSidebar(t, s, "0 You: on its way")
	s.Apply(MessageDropped{ID: "p", Conversation: idOf(1)})
	wantSidebar(t, s, "0 You: text 5")
}

func TestWhatIsFurtherBackThanThePageIsUnreadToo(t *testing.T) {
	s := overviewed(conv(1, "Anna", says(80, "long ago", "m2")))
	s.Apply(PageLoaded{ID: idOf(1), Instance: "inst000001", Newest: true, More: true, Messages: []Message{msg(1, userOf(1)), msg(2, userOf(1))}})
	wantSidebar(t, s, "80 text 2")
	s.Apply(PageLoaded{ID: idOf(1), Instance: "inst000001", Messages: []Message{msg(2, userOf(1)), msg(3, userOf(1))}})
	wantSidebar(t, s, "81 text 3")
	listed(s, conv(1, "Anna", says(81, "long ago", "m3")))
	wantSidebar(t, s, "81 text 3")
}

func TestAReportNamesWhatWasViewed(t *testing.T) {
	s := overviewed(conv(1, "Anna", says(3, "m1", "m4")))
	s.Apply(PageLoaded{ID: idOf(1), Instance: "inst000001", Newest: true, Messages: []Message{msg(1, userOf(1)), msg(2, userOf(1)), msg(3, me), msg(4, userOf(1)), msg(5, userOf(1))}})
	if r, due := s.NextReport(idOf(1)); due {
		t.Errorf("nothing was viewed, and it is reported: %+v", r)
	}
	s.Apply(Viewed{idOf(1), "m4"})
	r, due := s.NextReport(idOf(1))
	want := Report{
		Instance: "inst000001", Messages: []ozeki.MessageID{"m2", "m4"}, First: noon.Add(2 * time.Second), Last: noon.Add(4 * time.Second),
		UpTo: "m4", UpToAt: noon.Add(4 * time.Second),
	}
	if !due || fmt.Sprint(r) != fmt.Sprint(want) {
		t.Errorf("report %+v, want %+v", r, want)
	}
	s.Apply(Viewed{idOf(1), "m5"})
	s.Apply(Reported{idOf(1), "m4"})
	if r, due = s.NextReport(idOf(1)); !due || fmt.Sprint(r.Messages) != "[m5]" {
		t.Errorf("what was viewed meanwhile: %+v", r)
	}
	s.Apply(Reported{idOf(1), "m5"})
	if _, due = s.NextReport(idOf(1)); due || len(s.Unreported()) != 0 {
		t.Errorf("all is told, and %v is to be told", s.Unreported())
	}
	wantSidebar(t, s, "0 text 5")
}

func TestAListAskedForBeforeDoesNotTakeBackWhatWasViewed(t *testing.T) {
	s := overviewed(conv(1, "Anna", says(2, "", "m2")))
	askedAt := s.Tick()
	s.Apply(Viewed{idOf(1), "m2"})
	wantSidebar(t, s, "0 ")
	s.Apply(ListLoaded{Conversations: []ozeki.Conversation{conv(1, "Anna", says(2, "", "m2"))}, Of: []ozeki.ConversationID{idOf(1)}, AskedAt: askedAt})
	wantSidebar(t, s, "0 ")
	listed(s, conv(1, "Anna", says(2, "", "m2"))) // the report is not there yet
	wantSidebar(t, s, "0 ")
	s.Apply(Reported{idOf(1), "m2"})
	wantSidebar(t, s, "0 ")
	listed(s, conv(1, "Anna", says(1, "m2", "m3")))
	wantSidebar(t, s, "1 ")
}

func TestTheTotalLeavesOutWhatIsMutedOrHidden(t *testing.T) {
	s := overviewed(
		conv(1, "Anna", says(2, "", "m2")), conv(2, "Bea", says(3, "", "m2")),
		conv(3, "Muted", says(5, "", "m2"), func(c *ozeki.Conversation) { c.Properties[0].IsMuted = true }),
		conv(4, "Hidden", says(7, "", "m2"), func(c *ozeki.Conversation) { c.Properties[0].HideID = "inst000001;" }),
	)
	total := func(want int) {
		t.Helper()
		if got := s.Snapshot().Unread; got != want {
			t.Errorf("%d are unread, want %d", got, want)
		}
	}
	total(5)
	s.Apply(Viewed{idOf(1), "m2"})
	total(3)
	s.Apply(ListLoaded{Conversations: nil, Of: []ozeki.ConversationID{idOf(2)}, AskedAt: s.Tick()})
	total(0)
}

func TestTheLineOfNewMessagesStaysWhereItWas(t *testing.T) {
	page := func(s *State, newest, more bool, ms ...Message) {
		s.Apply(PageLoaded{ID: idOf(1), Instance: "inst000001", Newest: newest, More: more, Messages: ms})
	}
	line := func(s *State, want ozeki.MessageID) {
		t.Helper()
		if got := s.Snapshot().Open.NewFrom; got != want {
			t.Errorf("the line stands above %q, want %q", got, want)
		}
	}
	s := overviewed(conv(1, "Anna", says(2, "m1", "m4")))
	s.Apply(Opened{idOf(1)})
	line(s, "")
	page(s, true, true, msg(1, userOf(1)), msg(2, me), msg(3, userOf(1)), msg(4, userOf(1)))
	line(s, "m3")
	s.Apply(Viewed{idOf(1), "m4"})
	s.Apply(Reported{idOf(1), "m4"})
	page(s, false, false, msg(4, userOf(1)), msg(5, userOf(1)))
	line(s, "m3")
	s.Apply(Opened{idOf(1)}) // again
	line(s, "m3")
	s.Apply(Opened{""})
	s.Apply(Viewed{idOf(1), "m5"})
	s.Apply(Opened{idOf(1)})
	line(s, "")
	page(s, false, false, msg(5, userOf(1)), msg(6, userOf(1))) // came while it was open
	line(s, "")

	// A link that is followed before the list has come, and more that is new than the first page has.
	s = overviewed()
	s.Apply(Opened{idOf(1)})
	s.Apply(ListLoaded{Conversations: []ozeki.Conversation{conv(1, "Anna", says(3, "long ago", "m4"))}})
	page(s, true, true, msg(3, userOf(1)), msg(4, userOf(1)))
	line(s, "m3")
	s.Apply(PageLoaded{ID: idOf(1), Instance: "inst000001", Older: true, More: true, Messages: []Message{msg(1, userOf(1)), msg(2, userOf(1))}})
	line(s, "m2")
}

func TestAClearedConversationBeginsAnew(t *testing.T) {
	s := overviewed(conv(1, "Anna", says(2, "m1", "m3")))
	s.Apply(Opened{idOf(1)})
	s.Apply(PageLoaded{ID: idOf(1), Instance: "inst000001", Newest: true, Messages: []Message{msg(1, userOf(1)), msg(2, userOf(1)), msg(3, userOf(1))}})
	s.Apply(Viewed{idOf(1), "m2"})
	s.Apply(MessageWritten{ID: "p", Conversation: idOf(1), Text: "unsent", At: noon})
	anew := conv(1, "Anna", says(0, "", ""), func(c *ozeki.Conversation) { c.Instance = "inst000002" })
	s.Apply(Cleared{anew})
	o := wantMessages(t, s, "p")
	if o.NewFrom != "" || o.Loaded || !strings.Contains(s.Snapshot().Announcement.Text, "Anna was cleared") {
		t.Errorf("%+v", o)
	}
	wantSidebar(t, s, "0 You: unsent")
	if r, due := s.NextReport(idOf(1)); due {
		t.Errorf("a report of what is gone: %+v", r)
	}
}

func TestWhereTheServerDoesNotCountTheDeviceDoes(t *testing.T) {
	last := func(id string) func(*ozeki.Conversation) {
		return func(c *ozeki.Conversation) { c.LastMessageID = ozeki.MessageID(id) }
	}
	s := signedIn(conv(1, "Anna", last("m2")))
	s.Apply(ReadKept{Since: noon})
	stale := func(want bool) {
		t.Helper()
		r, _ := rowIn(checkSnapshot(t, s), idOf(1))
		if _, _, _, is := s.Stale(idOf(1)); is != want || r.Stale != want {
			t.Errorf("to be asked for: %t and %t, want %t", is, r.Stale, want)
		}
	}
	stale(true)
	s.Apply(Counted{ID: idOf(1), Instance: "inst000001", Last: msg(2, userOf(1))})
	stale(false)
	wantSidebar(t, s, "0 text 2")
	s.Apply(Touched{ID: idOf(1), At: noon.Add(time.Minute)})
	stale(true)
	s.Apply(Counted{ID: idOf(1), Instance: "inst000001", Last: msg(4, userOf(1)), Unread: 2, Viewed: "m2"})
	wantSidebar(t, s, "2 text 4")
	s.Apply(Viewed{idOf(1), "m4"})
	wantSidebar(t, s, "0 text 4")
	s.Apply(Counted{ID: idOf(1), Instance: "another", Last: msg(9, userOf(1)), Unread: 2})
	wantSidebar(t, s, "0 text 4")
}

// A message that was sent out of the queue of a conversation that is not open is not what the row says any longer, once the
// list says what came after it. It is then loaded like any other.
func TestTheRowSaysWhatIsLastThoughAQueuedMessageWasSentHere(t *testing.T) {
	s := overviewed(conv(0, "Anna", says(0, "", "m1")))
	s.Apply(KeysOpened{[]OpenedKey{{ID: idOf(0), Secret: "secret0", Key: []byte("k"), Name: "Anna"}}})
	openLast(s, userOf(1))
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s.Apply(MessageWritten{ID: "mine", Conversation: idOf(0), Text: "mine", At: at})
	before := s.Tick()
	s.Apply(MessageMoved{ID: "mine", Conversation: idOf(0), State: MessageSent})
	preview := func() string { r, _ := rowIn(s.Snapshot(), idOf(0)); return r.Preview }
	s.Apply(ListLoaded{Conversations: []ozeki.Conversation{conv(0, "Anna", says(0, "", "m1"))}, Of: []ozeki.ConversationID{idOf(0)}, AskedAt: before})
	if got := preview(); got != "You: mine" {
		t.Errorf("after a list that is older than the sending it says %q", got)
	}
	listed(s, conv(0, "Anna", says(0, "", "m3")))
	openLast(s, userOf(1))
	if got := preview(); got != "text of m3" {
		t.Errorf("it says %q", got)
	}
	s.Apply(Opened{ID: idOf(0)})
	s.Apply(PageLoaded{ID: idOf(0), Instance: s.Timeline(idOf(0)).Instance, Newest: true, Messages: []Message{
		{ID: "mine", Text: "mine", Created: at, From: me}, {ID: "m3", Text: "m3", Created: at.Add(-time.Hour), From: userOf(1)},
	}})
	if m := s.Snapshot().Open.Messages; len(m) != 2 || m[0].ID != "mine" {
		t.Errorf("it shows %+v", m)
	}
}

func TestARowSaysWhetherWhatItShowsExpires(t *testing.T) {
	s := overviewed(conv(1, "Anna", says(1, "", "m1")))
	s.Apply(KeysOpened{[]OpenedKey{{ID: idOf(1), Secret: "secret1", Key: []byte("k"), Name: "Anna"}}})
	for _, until := range []time.Time{noon.Add(time.Hour), {}} {
		for _, l := range s.UnopenedLast(100) {
			s.Apply(LastOpened{[]OpenedLast{{l.ID, l.Message, Message{ID: l.Message.ID, Text: "text", From: userOf(1), Until: until}}}})
		}
		wantSidebar(t, s, "1 text")
		if r, _ := rowIn(checkSnapshot(t, s), idOf(1)); r.Fleeting != !until.IsZero() {
			t.Errorf("of a message until %v the row says %t", until, r.Fleeting)
		}
		listed(s, conv(1, "Anna", says(1, "", "m2"))) // the same words
	}
}
