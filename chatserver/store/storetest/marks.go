package storetest

import (
	"context"
	"fmt"
	"time"

	"starling/chatserver/store"
	"starling/ozeki"
)

// mark sets a mark and returns the users who are told of it.
func (s *suite) mark(user ozeki.UserID, c store.NewConversation, kind store.MarkKind, m store.Message) []ozeki.UserID {
	s.Helper()
	return s.must(func(ctx context.Context, tx store.Tx) error { return tx.SetMark(ctx, user, c.ID, kind, m.Seq, s.now) })
}

// shown are marks as "who kind message", their ids left out, which are checked to be new and valid.
func (s *suite) shown(c store.NewConversation, names map[any]string) []string {
	s.Helper()
	marks, err := s.Marks(s.Context(), c.ID, 0)
	if err != nil {
		s.Fatal(err)
	}
	var out []string
	seen := map[ozeki.ReportID]bool{}
	for _, m := range marks {
		if seen[m.ID] || !ozeki.MessageID(m.ID).Valid() {
			s.Errorf("mark %q is there twice or is no UUID", m.ID)
		}
		seen[m.ID] = true
		if !m.Created.Equal(s.now) {
			s.Errorf("mark of %v, want %v", m.Created, s.now)
		}
		out = append(out, names[m.User]+" "+string(m.Kind)+" "+names[m.Message])
	}
	return out
}

func (s *suite) unreadOf(user ozeki.UserID, c store.NewConversation) string {
	s.Helper()
	got := s.read(user, c.ID)
	return fmt.Sprint(got.Unread, " ", got.Viewed)
}

func (s *suite) unread() {
	u := s.users("a", "b", "c")
	c := s.conversation(u...)
	var m []store.Message
	for i := range 6 {
		m = append(m, s.add(c, s.message(c, u[i%2], "x")))
	}
	s.add(c, func() store.Message { r := s.message(c, u[0], "x"); r.ID, r.Extra = m[0].ID, m[0].Extra; return r }()) // a repeat
	s.equal([]string{s.unreadOf(u[0], c), s.unreadOf(u[1], c), s.unreadOf(u[2], c)}, []string{"3 ", "3 ", "6 "})
	before := s.seq()
	s.mark(u[2], c, store.Viewed, m[3])
	s.equal(s.unreadOf(u[2], c), "2 "+string(m[3].ID))
	s.equal(s.unreadOf(u[0], c), "3 ")
	s.equal(s.changesAfter(u[2], before, 10), store.Changes{Lists: []ozeki.ConversationID{c.ID}, Seq: before + 1})
	s.mark(u[2], c, store.Viewed, m[5])
	s.equal(s.unreadOf(u[2], c), "0 "+string(m[5].ID))
	s.add(c, s.message(c, u[2], "his own"))
	s.equal(s.unreadOf(u[2], c), "0 "+string(m[5].ID))
	s.add(c, s.message(c, u[1], "x"))
	s.equal(s.unreadOf(u[2], c), "1 "+string(m[5].ID))
}

func (s *suite) marks() {
	u := s.users("a", "b", "c")
	c := s.conversation(u...)
	m := []store.Message{s.add(c, s.message(c, u[0], "0")), s.add(c, s.message(c, u[1], "1")), s.add(c, s.message(c, u[0], "2"))}
	names := map[any]string{u[0]: "a", u[1]: "b", u[2]: "c", m[0].ID: "0", m[1].ID: "1", m[2].ID: "2"}
	s.equal(s.shown(c, names), []string(nil))
	before := s.seq()
	s.equal(s.mark(u[1], c, store.Delivered, m[2]), sorted(u[0]))
	s.equal(s.changesAfter(u[0], before, 10), store.Changes{Contents: []ozeki.ConversationID{c.ID}, Seq: before + 1})
	s.equal(s.shown(c, names), []string{"b delivered 2"})
	report := s.read(u[2], c.ID).LastReportID

	// Viewed is delivered too. The senders are those of the messages that are covered newly.
	s.equal(s.mark(u[2], c, store.Viewed, m[1]), sorted(u...))
	s.equal(s.shown(c, names), []string{"b delivered 2", "c delivered 1", "c viewed 1"})
	s.equal(s.mark(u[2], c, store.Delivered, m[2]), sorted(u[0]))
	s.equal(s.shown(c, names), []string{"b delivered 2", "c viewed 1", "c delivered 2"})
	s.equal(s.mark(u[1], c, store.Viewed, m[0]), sorted(u[0], u[1]))
	s.equal(s.shown(c, names), []string{"b delivered 2", "c viewed 1", "c delivered 2", "b viewed 0"})
	if now := s.read(u[2], c.ID).LastReportID; now == report || now == "" {
		s.Errorf("the last report was %q and is %q", report, now)
	}
	s.equal(s.read(u[1], c.ID).DeliveredSeq, m[2].Seq)
}

func (s *suite) markRepeated() {
	u := s.users("a", "b")
	c := s.conversation(u...)
	m := []store.Message{s.add(c, s.message(c, u[0], "0")), s.add(c, s.message(c, u[0], "1")), s.add(c, s.message(c, u[1], "2"))}
	s.mark(u[1], c, store.Viewed, m[1])
	marks, err := s.Marks(s.Context(), c.ID, 0)
	s.is(err, nil)
	before, seq := s.read(u[1], c.ID), s.seq()
	for _, kind := range []store.MarkKind{store.Delivered, store.Viewed} {
		for _, again := range m { // back, the same, and up to a message of one's own
			s.equal(len(s.mark(u[1], c, kind, again)), 0)
		}
	}
	s.equal(s.seq(), seq)
	s.equal(s.read(u[1], c.ID), before)
	now, err := s.Marks(s.Context(), c.ID, 0)
	s.is(err, nil)
	s.equal(now, marks)
}

func (s *suite) markNamed() {
	u := s.users("a", "b")
	c := s.conversation(u...)
	burn := s.message(c, u[0], "1")
	burn.ValidUntil = s.now
	m := []store.Message{s.add(c, s.message(c, u[0], "0")), s.add(c, burn), s.add(c, s.message(c, u[0], "2"))}
	names := map[any]string{u[0]: "a", u[1]: "b", m[0].ID: "0", m[1].ID: "1", m[2].ID: "2"}
	s.mark(u[1], c, store.Viewed, m[1])
	s.equal(s.unreadOf(u[1], c), "1 "+string(m[1].ID))
	s.must(func(ctx context.Context, tx store.Tx) error { _, err := tx.PurgeMessages(ctx, s.now, 10); return err })
	s.equal(s.shown(c, names), []string{"b delivered 0", "b viewed 0"})
	s.equal(s.unreadOf(u[1], c), "1 "+string(m[0].ID))
}

func (s *suite) marksElsewhere() {
	u := s.users("a", "b", "c")
	c, other := s.conversation(u[0], u[1]), s.conversation(u[0], u[1])
	m := s.add(c, s.message(c, u[0], "x"))
	s.mark(u[1], c, store.Viewed, m)
	s.equal(s.shown(other, nil), []string(nil))
	s.equal(len(s.mark(u[1], other, store.Viewed, m)), 0)
	for _, id := range []ozeki.ConversationID{c.ID, ozeki.NewConversationID()} {
		s.fails(store.ErrNotFound, func(ctx context.Context, tx store.Tx) error {
			return tx.SetMark(ctx, u[2], id, store.Viewed, m.Seq, s.now)
		})
	}
}

func (s *suite) lastMessages() {
	u := s.users("a", "b", "c")
	c, empty, others := s.conversation(u[0], u[1]), s.conversation(u[0], u[1]), s.conversation(u[1], u[2])
	s.add(others, s.message(others, u[1], "x"))
	s.add(c, s.message(c, u[0], "first"))
	last := s.add(c, s.message(c, u[1], "last"))
	for _, l := range s.list(u[0], "").Conversations {
		s.equal(l.Last, map[ozeki.ConversationID]store.Message{c.ID: last, empty.ID: {}}[l.ID])
	}
}

func (s *suite) clear() {
	u := s.users("a", "b", "c")
	c, other := s.conversation(u...), s.conversation(u...)
	kept := s.add(other, s.message(other, u[0], "stays"))
	m := s.add(c, s.message(c, u[0], "goes"))
	s.mark(u[1], c, store.Viewed, m)
	before := s.seq()
	next := c
	next.Instance = ozeki.NewInstance()
	s.equal(s.must(func(ctx context.Context, tx store.Tx) error { return tx.Clear(ctx, c.ID, next.Instance) }), sorted(u...))
	for _, user := range u {
		got := s.read(user, c.ID)
		s.equal([]any{got.Instance, got.LastMessageID, got.LastReportID, got.Unread, got.Viewed}, []any{next.Instance, ozeki.MessageID(""), ozeki.ReportID(""), 0, ozeki.MessageID("")})
		s.equal(s.changesAfter(user, before, 10), store.Changes{Lists: []ozeki.ConversationID{c.ID}, Seq: before + 1})
	}
	s.equal(len(s.messages(s.query(c))), 0)
	_, err := s.Message(s.Context(), c.ID, m.ID)
	s.is(err, store.ErrNotFound)
	s.equal(s.shown(c, nil), []string(nil))
	s.equal(s.messages(s.query(other)), []store.Message{kept})

	// What is written then counts as ever.
	m = s.add(next, s.message(next, u[0], "new"))
	s.equal(s.unreadOf(u[1], next), "1 ")
	s.mark(u[1], next, store.Viewed, m)
	s.equal(s.unreadOf(u[1], next), "0 "+string(m.ID))
	s.fails(store.ErrNotFound, func(ctx context.Context, tx store.Tx) error {
		return tx.Clear(ctx, ozeki.NewConversationID(), ozeki.NewInstance())
	})
}

func (s *suite) purgeMessages() {
	u := s.users("a", "b")
	c := s.conversation(u...)
	expires := func(in time.Duration) store.Message {
		m := s.message(c, u[0], "content")
		m.ValidUntil = s.now.Add(in)
		return s.add(c, m)
	}
	keep, burn, later := s.add(c, func() store.Message { m := s.message(c, u[0], "keep"); m.ValidUntil = time.Time{}; return m }()), expires(time.Minute), expires(time.Hour)
	has := func(at time.Time) bool {
		s.Helper()
		found, err := s.HasExpired(s.Context(), at)
		s.is(err, nil)
		return found
	}
	s.equal([]bool{has(s.now), has(s.now.Add(time.Minute - time.Second)), has(s.now.Add(time.Minute))}, []bool{false, false, true})
	purge := func() (n int, told []ozeki.UserID) {
		s.Helper()
		told = s.must(func(ctx context.Context, tx store.Tx) (err error) {
			n, err = tx.PurgeMessages(ctx, s.now, 10)
			return err
		})
		return n, told
	}
	seq := s.seq()
	n, told := purge()
	s.equal([]any{n, len(told), s.seq()}, []any{0, 0, seq})
	s.equal(s.unreadOf(u[1], c), "3 ")

	s.now = s.now.Add(time.Minute)
	n, told = purge()
	s.equal(n, 1)
	s.equal(told, sorted(u...))
	s.equal(s.changesAfter(u[0], seq, 10), store.Changes{Lists: []ozeki.ConversationID{c.ID}, Seq: seq + 1})
	s.equal(has(s.now), false)
	s.equal(s.unreadOf(u[1], c), "2 ")
	s.equal(s.read(u[1], c.ID).LastMessageID, later.ID)
	place, err := s.Message(s.Context(), c.ID, burn.ID)
	s.is(err, nil)
	s.equal([]any{place.Seq, place.Instance, place.Data, place.Extra}, []any{burn.Seq, ozeki.Instance(""), "", ""})

	// The last one: the one before it is the last now.
	s.now = s.now.Add(time.Hour)
	n, _ = purge()
	s.equal(n, 1)
	s.equal(s.read(u[1], c.ID).LastMessageID, keep.ID)
	s.equal(s.unreadOf(u[1], c), "1 ")
	s.equal(s.messages(s.query(c)), []store.Message{keep})

	// Sent once more, it is the message that has expired, and stays so.
	again := burn
	again.Seq = 0
	stored := s.add(c, again)
	s.equal(stored.Seq, burn.Seq)
	s.equal(s.read(u[1], c.ID).LastMessageID, keep.ID)

	forget := func(before time.Time) {
		s.Helper()
		s.must(func(ctx context.Context, tx store.Tx) error { return tx.ForgetPlaces(ctx, before) })
	}
	forget(burn.ValidUntil)
	_, err = s.Message(s.Context(), c.ID, burn.ID)
	s.is(err, nil)
	forget(burn.ValidUntil.Add(time.Second))
	_, err = s.Message(s.Context(), c.ID, burn.ID)
	s.is(err, store.ErrNotFound)
	_, err = s.Message(s.Context(), c.ID, keep.ID)
	s.is(err, nil)
}

func (s *suite) purgePortions() {
	u := s.users("a", "b")
	c := s.conversation(u...)
	for range 5 {
		s.add(c, s.message(c, u[0], "x"))
	}
	s.now = s.now.Add(2 * time.Hour)
	var got []int
	for range 4 {
		s.must(func(ctx context.Context, tx store.Tx) error {
			n, err := tx.PurgeMessages(ctx, s.now, 2)
			got = append(got, n)
			return err
		})
	}
	s.equal(got, []int{2, 2, 1, 0})
	s.equal(s.unreadOf(u[1], c), "0 ")
	s.equal(s.read(u[1], c.ID).LastMessageID, ozeki.MessageID(""))
}
