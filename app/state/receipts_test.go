package state

import (
	"fmt"
	"strings"
	"testing"

	"starling/ozeki"
)

// marked are marks as the server gives them: "who type message".
func marked(all ...string) (reports []ozeki.Report) {
	for i, text := range all {
		f := strings.Fields(text)
		var n int
		_, _ = fmt.Sscan(f[0], &n)
		from := userOf(n)
		if f[0] == "me" {
			from = me
		}
		reports = append(reports, ozeki.Report{ID: ozeki.ReportID(fmt.Sprint(i)), From: from, Type: f[1], MessageID: ozeki.MessageID(f[2])})
	}
	return reports
}

// receipts are the marks of the open conversation's messages: "m1:viewed" and, with several others, by how many of them.
func receipts(s *State) string {
	var out []string
	for _, m := range s.Snapshot().Open.Messages {
		if m.Mine {
			word := map[Receipt]string{ReceiptNone: "sent", ReceiptDelivered: "delivered", ReceiptViewed: "viewed"}[m.Receipt]
			out = append(out, fmt.Sprintf("%s:%s %d/%d/%d", m.ID, word, m.DeliveredTo, m.ViewedBy, m.Others))
		}
	}
	return strings.Join(out, ", ")
}

func TestASenderSeesWhatWasDeliveredAndViewed(t *testing.T) {
	s := reading(t, msg(1, me), msg(2, userOf(1)), msg(3, me), msg(4, me))
	want := func(want string) {
		t.Helper()
		if got := receipts(s); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	news := func(reports ...string) {
		s.Apply(PageLoaded{ID: idOf(1), Instance: "inst000001", Reports: marked(reports...)})
	}
	want("m1:sent 0/0/0, m3:sent 0/0/0, m4:sent 0/0/0")
	news("1 delivered m3")
	want("m1:delivered 1/0/1, m3:delivered 1/0/1, m4:sent 0/0/1")
	news("1 delivered m4", "1 viewed m2", "me viewed m4", "7 seen m4")
	want("m1:viewed 1/1/1, m3:delivered 1/0/1, m4:delivered 1/0/1")
	news("1 viewed long-ago", "1 delivered long-ago")
	want("m1:sent 0/0/1, m3:sent 0/0/1, m4:sent 0/0/1")
	s.Apply(PageLoaded{ID: idOf(1), Instance: "inst000001", Reports: []ozeki.Report{{ID: "x", Type: "viewed"}}}) // names no message
	want("m1:sent 0/0/1, m3:sent 0/0/1, m4:sent 0/0/1")
	news("1 viewed m4")
	want("m1:viewed 1/1/1, m3:viewed 1/1/1, m4:viewed 1/1/1")
	s.Apply(MessageWritten{ID: "p", Conversation: idOf(1), Text: "new", At: noon})
	if got := receipts(s); !strings.HasSuffix(got, "p:sent 0/0/0") {
		t.Errorf("what is on its way: %q", got)
	}
}

func TestInAGroupAMarkIsForEverybody(t *testing.T) {
	s := signedIn(conv(1, "Anna", func(c *ozeki.Conversation) {
		c.IsGroup = true
		c.Participants = append(c.Participants, ozeki.Participant{UserID: userOf(2), UserName: "Bea"}, ozeki.Participant{UserID: userOf(3), UserName: "Carl"})
	}))
	s.Apply(Opened{idOf(1)})
	s.Apply(PageLoaded{ID: idOf(1), Instance: "inst000001", Newest: true, Messages: []Message{msg(1, me), msg(2, me), msg(3, me)},
		Reports: marked("1 viewed m3", "2 viewed m2", "3 viewed m1", "3 delivered m2")})
	if got, want := receipts(s), "m1:viewed 3/3/3, m2:delivered 3/2/3, m3:sent 1/1/3"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	// One leaves.
	listed(s, conv(1, "Anna", func(c *ozeki.Conversation) {
		c.IsGroup = true
		c.Participants = append(c.Participants, ozeki.Participant{UserID: userOf(2), UserName: "Bea"})
	}))
	if got, want := receipts(s), "m1:viewed 2/2/2, m2:viewed 2/2/2, m3:sent 1/1/2"; got != want {
		t.Errorf("after one has left: got %q, want %q", got, want)
	}
}

func TestAnotherDeviceOfTheUserTellsByItsMark(t *testing.T) {
	s := overviewed(conv(1, "Anna", says(2, "m1", "m3")))
	s.Apply(PageLoaded{ID: idOf(1), Instance: "inst000001", Newest: true, Messages: []Message{msg(1, userOf(1)), msg(2, userOf(1)), msg(3, userOf(1))}, Reports: marked("me viewed m2")})
	wantSidebar(t, s, "1 text 3")
}
