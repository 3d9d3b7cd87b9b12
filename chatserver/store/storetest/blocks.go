package storetest

import (
	"context"
	"slices"

	"starling/chatserver/store"
	"starling/ozeki"
)

func (s *suite) setBlocked(user, other ozeki.UserID, on bool) []ozeki.UserID {
	s.Helper()
	return s.must(func(ctx context.Context, tx store.Tx) error { return tx.SetBlocked(ctx, user, other, on) })
}

// blocks: who has blocked whom is known from both sides, and is told to those who are friends.
func (s *suite) blocks() {
	u := s.users("a", "b", "c")
	s.must(func(ctx context.Context, tx store.Tx) error { return tx.AddFriends(ctx, u[0], u[1]) })
	want := func(of ozeki.UserID, blocked, by []ozeki.UserID) {
		s.Helper()
		got, err := s.Blocked(s.Context(), of)
		if err != nil || !slices.Equal(got, blocked) {
			s.Errorf("blocked: %v, %v, want %v", got, err, blocked)
		}
		if got, err = s.BlockedBy(s.Context(), of); err != nil || !slices.Equal(got, by) {
			s.Errorf("blocked by: %v, %v, want %v", got, err, by)
		}
	}
	want(u[0], nil, nil)
	both := slices.Clone(u[:2])
	slices.Sort(both)
	before, err := s.Seq(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	if told := s.setBlocked(u[0], u[1], true); !slices.Equal(told, both) {
		s.Errorf("told: %v", told)
	}
	for i, other := range map[int]ozeki.UserID{0: u[1], 1: u[0]} {
		c, err := s.Changes(s.Context(), u[i], before, 10)
		if err != nil || !slices.Equal(c.Friends, []ozeki.UserID{other}) {
			s.Errorf("changes %+v, %v", c, err)
		}
	}
	if told := s.setBlocked(u[0], u[1], true); len(told) != 0 {
		s.Errorf("a repeat tells %v", told)
	}
	if told := s.setBlocked(u[0], u[2], true); len(told) != 0 { // no friends
		s.Errorf("told: %v", told)
	}
	two := slices.Clone(u[1:])
	slices.Sort(two)
	want(u[0], two, nil)
	want(u[1], nil, u[:1])
	s.setBlocked(u[1], u[0], true)
	want(u[0], two, u[1:2])
	if told := s.setBlocked(u[0], u[1], false); !slices.Equal(told, both) {
		s.Errorf("told: %v", told)
	}
	s.setBlocked(u[0], u[1], false)
	want(u[0], u[2:], u[1:2])
	s.fails(store.ErrNotFound, func(ctx context.Context, tx store.Tx) error {
		return tx.SetBlocked(ctx, u[0], ozeki.UserIDOf("nobody"), true)
	})
}
