package storetest

import (
	"context"
	"time"

	"starling/chatserver/store"
	"starling/ozeki"
)

func (s *suite) file(c store.NewConversation, owner ozeki.UserID) store.File {
	return store.File{ID: ozeki.NewFileID(), Conversation: c.ID, Owner: owner, Size: 1234, SHA256: "hash", Created: s.now}
}

// storedFile makes a file whose bytes are there.
func (s *suite) storedFile(c store.NewConversation, owner ozeki.UserID) store.File {
	s.Helper()
	f := s.file(c, owner)
	s.must(func(ctx context.Context, tx store.Tx) error {
		if _, err := tx.CreateFile(ctx, f); err != nil {
			return err
		}
		return tx.FileStored(ctx, f.ID)
	})
	f.Stored = true
	return f
}

func (s *suite) hasFile(want store.File) {
	s.Helper()
	got, err := s.File(s.Context(), want.ID)
	s.is(err, nil)
	s.equal(got, want)
}

func (s *suite) filesGone(want ...ozeki.FileID) {
	s.Helper()
	got, err := s.FilesGone(s.Context(), 100)
	s.is(err, nil)
	gone := map[ozeki.FileID]bool{}
	for _, id := range got {
		gone[id] = true
	}
	for _, id := range want {
		if !gone[id] {
			s.Errorf("%s is not to be removed", id)
		}
		_, err := s.File(s.Context(), id)
		s.is(err, store.ErrNotFound)
	}
	s.equal(len(got), len(want))
}

func (s *suite) attach(c store.NewConversation, m ozeki.MessageID, owner ozeki.UserID, ids ...ozeki.FileID) {
	s.Helper()
	s.must(func(ctx context.Context, tx store.Tx) error { return tx.AttachFiles(ctx, c.ID, m, owner, ids) })
}

func (s *suite) fileOnce() {
	u := s.users("a", "b")
	c, other := s.conversation(u[0], u[1]), s.conversation(u[0], u[1])
	f := s.file(c, u[0])
	_, err := s.File(s.Context(), f.ID)
	s.is(err, store.ErrNotFound)
	for range 2 {
		users := s.must(func(ctx context.Context, tx store.Tx) error {
			got, err := tx.CreateFile(ctx, f)
			s.equal(got, f)
			return err
		})
		s.equal(users, sorted())
	}
	s.hasFile(f)
	for _, change := range []func(*store.File){
		func(f *store.File) { f.Conversation = other.ID }, func(f *store.File) { f.Owner = u[1] },
		func(f *store.File) { f.Size++ }, func(f *store.File) { f.SHA256 = "other" },
	} {
		g := f
		change(&g)
		s.fails(store.ErrExists, func(ctx context.Context, tx store.Tx) error { _, err := tx.CreateFile(ctx, g); return err })
	}
	for range 2 {
		s.must(func(ctx context.Context, tx store.Tx) error { return tx.FileStored(ctx, f.ID) })
	}
	f.Stored = true
	s.hasFile(f)
	again := f
	again.Created = s.now.Add(time.Hour)
	s.must(func(ctx context.Context, tx store.Tx) error {
		got, err := tx.CreateFile(ctx, again)
		s.equal(got, f)
		return err
	})
	s.fails(store.ErrNotFound, func(ctx context.Context, tx store.Tx) error { return tx.FileStored(ctx, ozeki.NewFileID()) })
}

func (s *suite) attachFiles() {
	u := s.users("a", "b")
	c, other := s.conversation(u[0], u[1]), s.conversation(u[0], u[1])
	good, notStored, elsewhere, theirs := s.storedFile(c, u[0]), s.file(c, u[0]), s.storedFile(other, u[0]), s.storedFile(c, u[1])
	s.must(func(ctx context.Context, tx store.Tx) error { _, err := tx.CreateFile(ctx, notStored); return err })
	m := s.add(c, s.message(c, u[0], "x"))
	for _, f := range []store.File{notStored, elsewhere, theirs, s.file(c, u[0])} {
		s.fails(store.ErrNotFound, func(ctx context.Context, tx store.Tx) error {
			return tx.AttachFiles(ctx, c.ID, m.ID, u[0], []ozeki.FileID{good.ID, f.ID})
		})
	}
	s.hasFile(good)
	s.attach(c, m.ID, u[0], good.ID)
	s.attach(c, m.ID, u[0], good.ID)
	good.Message = m.ID
	s.hasFile(good)
	s.fails(store.ErrNotFound, func(ctx context.Context, tx store.Tx) error {
		return tx.AttachFiles(ctx, c.ID, ozeki.NewMessageID(), u[0], []ozeki.FileID{good.ID})
	})
	s.filesGone()
}

func (s *suite) purgeFiles() {
	u := s.users("a", "b")
	c := s.conversation(u[0], u[1])
	m := s.add(c, s.message(c, u[0], "x"))
	attached, stored, waiting := s.storedFile(c, u[0]), s.storedFile(c, u[0]), s.file(c, u[0])
	s.must(func(ctx context.Context, tx store.Tx) error { _, err := tx.CreateFile(ctx, waiting); return err })
	s.attach(c, m.ID, u[0], attached.ID)
	attached.Message = m.ID
	for _, step := range []struct {
		before time.Time
		n      int64
	}{{s.now, 0}, {s.now.Add(time.Second), 2}, {s.now.Add(time.Second), 0}} {
		s.must(func(ctx context.Context, tx store.Tx) error {
			n, err := tx.PurgeFiles(ctx, step.before)
			s.equal(n, step.n)
			return err
		})
	}
	s.hasFile(attached)
	s.filesGone(stored.ID, waiting.ID)
	// The id is not to be had again before the bytes are removed.
	s.fails(store.ErrExists, func(ctx context.Context, tx store.Tx) error { _, err := tx.CreateFile(ctx, waiting); return err })
	s.must(func(ctx context.Context, tx store.Tx) error {
		return tx.ForgetFiles(ctx, []ozeki.FileID{waiting.ID, ozeki.NewFileID()})
	})
	s.filesGone(stored.ID)
	s.must(func(ctx context.Context, tx store.Tx) error { _, err := tx.CreateFile(ctx, waiting); return err })
	s.hasFile(waiting)
}
