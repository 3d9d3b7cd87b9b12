package storetest

import (
	"context"
	"time"

	"starling/chatserver/store"
	"starling/ozeki"
)

func (s *suite) messageChange() {
	u := s.users("a", "b")
	c, elsewhere := s.conversation(u[0], u[1]), s.conversation(u[0], u[1])
	m := s.message(c, u[0], "text")
	first, second := s.add(c, m), s.add(c, s.message(c, u[1], "another"))
	revision := func() int64 {
		s.Helper()
		r, err := s.Revision(s.Context(), c.ID, c.Instance)
		if err != nil {
			s.Error(err)
		}
		return r
	}
	change := func(f func(ctx context.Context, tx store.Tx) (store.Message, error)) (got store.Message, told []ozeki.UserID) {
		s.Helper()
		told = s.must(func(ctx context.Context, tx store.Tx) (err error) {
			got, err = f(ctx, tx)
			return err
		})
		return got, told
	}
	edit := func(id ozeki.MessageID, data string) (store.Message, []ozeki.UserID) {
		return change(func(ctx context.Context, tx store.Tx) (store.Message, error) {
			return tx.EditMessage(ctx, c.ID, id, data, s.now)
		})
	}
	remove := func(id ozeki.MessageID) (store.Message, []ozeki.UserID) {
		return change(func(ctx context.Context, tx store.Tx) (store.Message, error) {
			return tx.DeleteMessage(ctx, c.ID, id, s.now)
		})
	}
	s.equal(revision(), int64(0))
	before := s.seq()
	edited, told := edit(m.ID, "better")
	want := first
	want.Data, want.Edited, want.Revision = "better", s.now, edited.Revision
	s.equal(edited, want)
	s.equal(len(told), 2)
	if edited.Revision <= before || revision() != edited.Revision {
		s.Errorf("revision %d after %d, the highest is %d", edited.Revision, before, revision())
	}
	s.equal(s.changesAfter(u[1], before, 10).Contents, []ozeki.ConversationID{c.ID})
	s.now = s.now.Add(time.Minute)
	again, told := edit(m.ID, "better")
	s.equal(again, edited)
	s.equal(len(told), 0)
	s.equal(s.add(c, m), edited) // a late repeat of the first sending does not undo it
	s.equal(s.messages(s.query(c)), []store.Message{edited, second})

	deleted, _ := remove(second.ID)
	want = second
	want.Type, want.Data, want.Extra, want.Edited, want.Revision = ozeki.TypeDeleted, "", "", s.now, deleted.Revision
	s.equal(deleted, want)
	again, told = remove(second.ID)
	s.equal(again, deleted)
	s.equal(len(told), 0)
	for _, id := range []ozeki.MessageID{second.ID, ozeki.NewMessageID()} {
		s.fails(store.ErrNotFound, func(ctx context.Context, tx store.Tx) error {
			_, err := tx.EditMessage(ctx, c.ID, id, "x", s.now)
			return err
		})
	}
	s.fails(store.ErrNotFound, func(ctx context.Context, tx store.Tx) error {
		_, err := tx.DeleteMessage(ctx, elsewhere.ID, m.ID, s.now)
		return err
	})

	changed := func(from int64, limit int) []store.Message {
		s.Helper()
		q := s.query(c)
		q.From, q.Limit = from, limit
		list, err := s.Changed(s.Context(), q)
		if err != nil {
			s.Error(err)
		}
		return list
	}
	s.equal(changed(0, 10), []store.Message{edited, deleted})
	s.equal(changed(0, 1), []store.Message{edited})
	s.equal(changed(edited.Revision, 10), []store.Message{deleted})
	s.equal(len(changed(deleted.Revision, 10)), 0)
	q := s.query(c)
	q.Since, q.Limit = edited.Seq, 10 // of somebody who came after it
	late, err := s.Changed(s.Context(), q)
	s.is(err, nil)
	s.equal(late, []store.Message{deleted})
	s.now = s.now.Add(2 * time.Hour)
	s.equal(len(changed(0, 10)), 0) // expired
}

func (s *suite) deletedIsRead() {
	u := s.users("a", "b")
	c := s.conversation(u[0], u[1])
	first, second := s.add(c, s.message(c, u[0], "one")), s.add(c, s.message(c, u[0], "two"))
	remove := func(id ozeki.MessageID) {
		s.must(func(ctx context.Context, tx store.Tx) error {
			_, err := tx.DeleteMessage(ctx, c.ID, id, s.now)
			return err
		})
	}
	start := s.seq()
	remove(first.ID)
	s.equal(s.read(u[1], c.ID).Unread, 1)
	s.equal(s.read(u[0], c.ID).Unread, 0)
	s.equal(s.changesAfter(u[1], start, 10).Lists, []ozeki.ConversationID{c.ID})
	s.must(func(ctx context.Context, tx store.Tx) error {
		return tx.SetMark(ctx, u[1], c.ID, store.Viewed, first.Seq, s.now)
	})
	s.equal(s.read(u[1], c.ID).Unread, 1)
	remove(second.ID)
	s.equal(s.read(u[1], c.ID).Unread, 0)
}
