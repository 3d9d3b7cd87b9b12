package storetest

import (
	"context"

	"starling/chatserver/store"
	"starling/ozeki"
)

func (s *suite) touchFriends() {
	u := s.users("a", "b", "c", "d")
	for _, friend := range u[1:3] {
		s.must(func(ctx context.Context, tx store.Tx) error { return tx.AddFriends(ctx, u[0], friend) })
	}
	s.must(func(ctx context.Context, tx store.Tx) error { return tx.AddFriends(ctx, u[1], u[2]) })
	touch := func(user ozeki.UserID) []ozeki.UserID {
		s.Helper()
		return s.must(func(ctx context.Context, tx store.Tx) error { return tx.TouchFriends(ctx, user) })
	}
	for range 2 { // each time is one more thing to tell
		before := s.seq()
		s.equal(touch(u[0]), sorted(u[1], u[2]))
		s.equal(s.seq(), before+1)
		for i, want := range [][]ozeki.UserID{nil, {u[0]}, {u[0]}, nil} {
			s.equal(s.changesAfter(u[i], before, 100).Friends, want)
		}
	}
	s.must(func(ctx context.Context, tx store.Tx) error { return tx.SetBlocked(ctx, u[0], u[1], true) })
	s.must(func(ctx context.Context, tx store.Tx) error { return tx.SetBlocked(ctx, u[2], u[0], true) })
	s.equal(touch(u[0]), sorted(u[2])) // the one whom he has blocked is told nothing
	before := s.seq()
	s.equal(touch(u[3]), sorted()) // has none
	s.equal(s.seq(), before)
	s.fails(errTest, func(ctx context.Context, tx store.Tx) error {
		if err := tx.TouchFriends(ctx, u[0]); err != nil {
			return err
		}
		return errTest
	})
	s.equal(s.seq(), before)
}
