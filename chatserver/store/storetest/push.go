package storetest

import (
	"context"

	"starling/chatserver/store"
	"starling/ozeki"
)

func (s *suite) hasPushes(user ozeki.UserID, want ...store.Push) {
	s.Helper()
	got, err := s.Pushes(s.Context(), user)
	s.is(err, nil)
	s.equal(append([]store.Push{}, got...), append([]store.Push{}, want...))
}

func (s *suite) pushes() {
	u := s.users("a", "b")
	bind := func(station ozeki.StationID, user ozeki.UserID) {
		s.Helper()
		s.must(func(ctx context.Context, tx store.Tx) error { return tx.BindStation(ctx, station, user, s.now) })
	}
	set := func(p store.Push) {
		s.Helper()
		s.must(func(ctx context.Context, tx store.Tx) error { return tx.SetPush(ctx, p) })
	}
	remove := func(station ozeki.StationID, endpoint string) {
		s.Helper()
		s.must(func(ctx context.Context, tx store.Tx) error { return tx.RemovePush(ctx, station, endpoint) })
	}
	phone := store.Push{Station: "1", User: u[0], Endpoint: "https://a", P256dh: "p", Auth: "q", Contact: "https://c"}
	desk := store.Push{Station: "2", User: u[0], Endpoint: "https://b", P256dh: "p", Auth: "q"}
	s.fails(store.ErrNotFound, func(ctx context.Context, tx store.Tx) error { return tx.SetPush(ctx, phone) }) // nobody is signed in there
	bind("1", u[0])
	bind("2", u[0])
	set(phone)
	set(phone)
	set(desk)
	s.hasPushes(u[0], phone, desk)
	s.hasPushes(u[1])
	stranger := phone
	stranger.User = u[1]
	s.fails(store.ErrNotFound, func(ctx context.Context, tx store.Tx) error { return tx.SetPush(ctx, stranger) })
	s.hasPushes(u[0], phone, desk)

	phone.Endpoint = "https://new" // the browser has changed it
	set(phone)
	s.hasPushes(u[0], phone, desk)
	remove("1", "https://a") // of the one before
	s.hasPushes(u[0], phone, desk)
	remove("1", "")
	remove("1", "")
	s.hasPushes(u[0], desk)

	bind("3", u[1]) // somebody else is signed in now in the same browser
	other := store.Push{Station: "3", User: u[1], Endpoint: desk.Endpoint, P256dh: "p", Auth: "q"}
	set(other)
	s.hasPushes(u[0])
	s.hasPushes(u[1], other)
	s.must(func(ctx context.Context, tx store.Tx) error { return tx.UnbindStation(ctx, "3", u[1]) })
	s.hasPushes(u[1]) // goes with the session
}

func (s *suite) secrets() {
	keep := func(name, fresh string) (kept string) {
		s.Helper()
		s.must(func(ctx context.Context, tx store.Tx) error {
			b, err := tx.Secret(ctx, name, []byte(fresh))
			kept = string(b)
			return err
		})
		return kept
	}
	s.equal(keep("a", "\x00one"), "\x00one")
	s.equal(keep("a", "two"), "\x00one")
	s.equal(keep("b", "two"), "two")
}
