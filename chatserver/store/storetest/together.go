package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"starling/chatserver/store"
	"starling/ozeki"
)

// together: many updates come at once. Some are refused, panic or are given up by their callers after they changed
// something. Each has its own outcome, and just what was answered well is stored.
func (s *suite) together() {
	const n = 200
	host := s.users("host")[0]
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprint("guest", i)
	}
	guests := s.users(names...)
	refusal := errors.New("no")
	start := make(chan struct{})
	var wait sync.WaitGroup
	for i, guest := range guests {
		wait.Go(func() {
			ctx, cancel := context.WithCancel(s.Context())
			defer cancel()
			defer func() {
				if p := recover(); (p != nil) != (i%5 == 2) {
					s.Errorf("update %d panics: %v", i, p)
				}
			}()
			<-start
			users, err := s.Update(ctx, func(tx store.Tx) error {
				if err := tx.AddFriends(ctx, host, guest); err != nil {
					return err
				}
				switch i % 5 {
				case 1:
					return refusal
				case 2:
					panic("a fault of the program")
				case 3:
					cancel()
					return tx.AddFriends(ctx, host, guest)
				}
				return nil
			})
			switch i % 5 {
			case 1:
				s.is(err, refusal)
			case 3:
				s.is(err, store.ErrUnavailable)
			default:
				if err != nil || len(users) != 2 {
					s.Errorf("update %d: %v, tells %v", i, err, users)
				}
			}
		})
	}
	close(start)
	wait.Wait()
	friends, err := s.Friends(s.Context(), host)
	if err != nil {
		s.Fatal(err)
	}
	is := map[ozeki.UserID]bool{}
	for _, f := range friends {
		is[f.UserID] = true
	}
	for i, guest := range guests {
		if want := i%5 == 0 || i%5 == 4; is[guest] != want {
			s.Errorf("guest %d is a friend: %t", i, is[guest])
		}
	}
}
