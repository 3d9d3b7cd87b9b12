package storetest

import (
	"context"
	"time"

	"starling/chatserver/store"
	"starling/ozeki"
)

func (s *suite) accounts() {
	s.users("a", "b")
	want := s.account("a")
	for name, find := range map[string]func() (store.Account, error){
		"id":      func() (store.Account, error) { return s.Account(s.Context(), want.UserID) },
		"address": func() (store.Account, error) { return s.AccountByEmail(s.Context(), want.Email) },
		"api key": func() (store.Account, error) { return s.AccountByAPIKey(s.Context(), want.APIKeyHash) },
	} {
		got, err := find()
		if err != nil {
			s.Errorf("%s: %v", name, err)
		}
		s.equal(got, want)
	}
	_, err := s.Account(s.Context(), ozeki.UserIDOf("nobody"))
	s.is(err, store.ErrNotFound)
	_, err = s.AccountByEmail(s.Context(), "nobody")
	s.is(err, store.ErrNotFound)
	_, err = s.AccountByAPIKey(s.Context(), "nobody")
	s.is(err, store.ErrNotFound)
}

func (s *suite) accountTaken() {
	s.users("a")
	for _, change := range []func(a, b *store.Account){
		func(a, b *store.Account) { b.UserID = a.UserID },
		func(a, b *store.Account) { b.Email = a.Email },
		func(a, b *store.Account) { b.APIKeyHash = a.APIKeyHash },
	} {
		a, b := s.account("a"), s.account("b")
		change(&a, &b)
		s.fails(store.ErrExists, func(ctx context.Context, tx store.Tx) error { return tx.CreateAccount(ctx, b) })
	}
	got, err := s.AccountByEmail(s.Context(), "a@example.com")
	if err != nil {
		s.Error(err)
	}
	s.equal(got, s.account("a"))
}

func (s *suite) stations() {
	u := s.users("a", "b")
	id := ozeki.NewStationID()
	_, err := s.Station(s.Context(), id)
	s.is(err, store.ErrNotFound)

	bind := func(user ozeki.UserID, at time.Time) func(context.Context, store.Tx) error {
		return func(ctx context.Context, tx store.Tx) error { return tx.BindStation(ctx, id, user, at) }
	}
	s.must(func(ctx context.Context, tx store.Tx) error { return tx.AddFriends(ctx, u[0], u[1]) })
	s.equal(len(s.must(bind(u[0], s.now))), 0)
	check := func(want store.Station) {
		s.Helper()
		got, err := s.Station(s.Context(), id)
		if err != nil {
			s.Error(err)
		}
		s.equal(got, want)
	}
	check(store.Station{ID: id, UserID: u[0], Polled: s.seq(), BoundAt: s.now})
	s.fails(store.ErrBound, bind(u[1], s.now))
	s.must(func(ctx context.Context, tx store.Tx) error { return tx.SetPolled(ctx, id, 77) })
	check(store.Station{ID: id, UserID: u[0], Polled: 77, BoundAt: s.now})
	s.must(bind(u[0], s.now.Add(time.Hour)))
	check(store.Station{ID: id, UserID: u[0], Polled: s.seq(), BoundAt: s.now.Add(time.Hour)})

	unbind := func(user ozeki.UserID) func(context.Context, store.Tx) error {
		return func(ctx context.Context, tx store.Tx) error { return tx.UnbindStation(ctx, id, user) }
	}
	s.must(unbind(u[1])) // not his
	check(store.Station{ID: id, UserID: u[0], Polled: s.seq(), BoundAt: s.now.Add(time.Hour)})
	s.must(unbind(u[0]))
	s.must(unbind(u[0]))
	_, err = s.Station(s.Context(), id)
	s.is(err, store.ErrNotFound)
	s.must(bind(u[1], s.now))
	check(store.Station{ID: id, UserID: u[1], Polled: s.seq(), BoundAt: s.now})
	if _, err := s.Update(s.Context(), func(tx store.Tx) error {
		return tx.BindStation(s.Context(), ozeki.NewStationID(), ozeki.UserIDOf("nobody"), s.now)
	}); err == nil {
		s.Error("a station was bound to nobody")
	}
}

func (s *suite) friends() {
	u := s.users("a", "c", "b", "d")
	befriend := func(i, j int) {
		s.Helper()
		s.must(func(ctx context.Context, tx store.Tx) error { return tx.AddFriends(ctx, u[i], u[j]) })
	}
	befriend(0, 1)
	befriend(2, 0)
	seq := s.seq()
	befriend(1, 0) // is so already
	s.equal(s.seq(), seq)
	got, err := s.Friends(s.Context(), u[0])
	if err != nil {
		s.Error(err)
	}
	s.equal(got, []store.Friend{{UserID: u[2], Name: "Full b", PublicKey: "key of b"}, {UserID: u[1], Name: "Full c", PublicKey: "key of c"}})
	got, err = s.Friends(s.Context(), u[1])
	if err != nil {
		s.Error(err)
	}
	s.equal(got, []store.Friend{{UserID: u[0], Name: "Full a", PublicKey: "key of a"}})
	for _, c := range []struct {
		user   ozeki.UserID
		others []ozeki.UserID
		want   bool
	}{
		{u[0], []ozeki.UserID{u[1], u[2]}, true},
		{u[0], []ozeki.UserID{u[1], u[3]}, false},
		{u[0], nil, true},
		{u[1], []ozeki.UserID{u[2]}, false},
		{u[0], []ozeki.UserID{u[0]}, false},
	} {
		if got, err := s.AreFriends(s.Context(), c.user, c.others); err != nil || got != c.want {
			s.Errorf("%v %v: %v %v, want %v", c.user, c.others, got, err, c.want)
		}
	}
}

func (s *suite) requests() {
	u := s.users("a", "b")
	r := store.Request{UserID: u[0], ID: "one", Call: "favorite", Fingerprint: "f", SeenAt: s.now}
	claim := func(r store.Request) (was store.Request, first bool) {
		s.Helper()
		s.must(func(ctx context.Context, tx store.Tx) (err error) {
			was, first, err = tx.ClaimRequest(ctx, r)
			if err == nil && first {
				err = tx.AnswerRequest(ctx, r.UserID, r.ID, []byte(`{"ü":"answer"}`))
			}
			return err
		})
		return was, first
	}
	if _, first := claim(r); !first {
		s.Error("the first claim is not the first")
	}
	later := r
	later.Call, later.Fingerprint, later.SeenAt = "mute", "g", s.now.Add(time.Minute)
	was, first := claim(later)
	if first {
		s.Error("the second claim is the first")
	}
	r.Answer = []byte(`{"ü":"answer"}`)
	s.equal(was, r)
	other := r
	other.UserID = u[1]
	if _, first := claim(other); !first {
		s.Error("another user's request with the id is not the first")
	}
	s.fails(errTest, func(ctx context.Context, tx store.Tx) error {
		if _, first, err := tx.ClaimRequest(ctx, store.Request{UserID: u[0], ID: "two", SeenAt: s.now}); err != nil || !first {
			s.Errorf("%v %v", first, err)
		}
		return errTest
	})
	if _, first := claim(store.Request{UserID: u[0], ID: "two", SeenAt: s.now}); !first {
		s.Error("a claim that was rolled back is remembered")
	}
}

func (s *suite) concurrentClaims() {
	u := s.users("a")
	const n = 20
	firsts := make(chan bool, n)
	for range n {
		go func() {
			first := false
			_, err := s.Update(s.Context(), func(tx store.Tx) (err error) {
				_, first, err = tx.ClaimRequest(s.Context(), store.Request{UserID: u[0], ID: "one", SeenAt: s.now})
				return err
			})
			firsts <- err == nil && first
		}()
	}
	winners := 0
	for range n {
		if <-firsts {
			winners++
		}
	}
	s.equal(winners, 1)
}

func (s *suite) purge() {
	u := s.users("a")
	s.must(func(ctx context.Context, tx store.Tx) error {
		for id, at := range map[string]time.Duration{"old": -time.Minute, "edge": 0, "new": time.Minute} {
			if _, _, err := tx.ClaimRequest(ctx, store.Request{UserID: u[0], ID: id, SeenAt: s.now.Add(at)}); err != nil {
				return err
			}
		}
		return nil
	})
	s.must(func(ctx context.Context, tx store.Tx) error {
		n, err := tx.PurgeRequests(ctx, s.now)
		s.equal(n, int64(1))
		return err
	})
	s.must(func(ctx context.Context, tx store.Tx) error {
		for id, want := range map[string]bool{"old": true, "edge": false, "new": false} {
			if _, first, err := tx.ClaimRequest(ctx, store.Request{UserID: u[0], ID: id, SeenAt: s.now}); err != nil || first != want {
				s.Errorf("%s: %v %v", id, first, err)
			}
		}
		return nil
	})
}

func (s *suite) injection() {
	u := s.users("a")
	for _, id := range []string{`'; DROP TABLE account; --`, `" OR ""="`, `%`, `?`, `$1`, `\`} {
		if _, err := s.Conversation(s.Context(), u[0], ozeki.ConversationID(id)); err == nil {
			s.Errorf("%q was found", id)
		}
		_, err := s.AccountByEmail(s.Context(), id)
		s.is(err, store.ErrNotFound)
	}
	if _, err := s.Account(s.Context(), u[0]); err != nil {
		s.Error(err)
	}
}

func (s *suite) texts() {
	a := s.account("a")
	a.FullName = "Ágnes ليلى 田中 🌻 O’Neill \\ ' \" ; \t"
	a.RSAKey = "-----BEGIN\r\nx\r\n-----END\r\n"
	s.must(func(ctx context.Context, tx store.Tx) error { return tx.CreateAccount(ctx, a) })
	got, err := s.Account(s.Context(), a.UserID)
	if err != nil {
		s.Error(err)
	}
	s.equal(got, a)
}
