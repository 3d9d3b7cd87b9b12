package storetest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
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

// togetherNumbered: many updates come at once and add messages, some of which are to be undone. What stays is there once, in
// one order, and each update sees the counter where it has left it.
func (s *suite) togetherNumbered() {
	const n = 90
	u := s.users("a", "b")
	c := s.conversation(u[0], u[1])
	before := s.seq()
	start := make(chan struct{})
	stored := make([]int64, n)
	var wait sync.WaitGroup
	for i := range n {
		wait.Go(func() {
			<-start
			_, err := s.Update(s.Context(), func(tx store.Tx) error {
				ctx := s.Context()
				m, err := tx.AddMessage(ctx, c.ID, s.message(c, u[0], fmt.Sprint(i)), s.now)
				if err != nil {
					return err
				}
				stored[i] = m.Seq
				if i%3 == 1 {
					return errTest
				}
				err = tx.Nested(ctx, func() error {
					if i%3 == 0 {
						return nil
					}
					if _, err := tx.AddMessage(ctx, c.ID, s.message(c, u[0], "undone"), s.now); err != nil {
						return err
					}
					return errTest
				})
				if err != nil && !errors.Is(err, errTest) {
					return err
				}
				seq, err := tx.Seq(ctx)
				if err == nil && seq != m.Seq {
					s.Errorf("the counter is at %d after %d", seq, m.Seq)
				}
				return err
			})
			if i%3 == 1 {
				s.is(err, errTest)
				stored[i] = 0
			} else if err != nil {
				s.Error(err)
			}
		})
	}
	close(start)
	wait.Wait()
	messages, err := s.Messages(s.Context(), store.MessageQuery{Conversation: c.ID, Instance: c.Instance, Now: s.now, Limit: 2 * n})
	if err != nil {
		s.Fatal(err)
	}
	last := before
	for _, m := range messages {
		i, err := strconv.Atoi(m.Data)
		if err != nil || i%3 == 1 || m.Seq != stored[i] || m.Seq <= last {
			s.Errorf("message %q has the number %d after %d", m.Data, m.Seq, last)
		}
		last = m.Seq
	}
	s.equal(len(messages), n-n/3)
	s.equal(s.seq(), last)
	s.equal(s.read(u[1], c.ID).Unread, len(messages))
}
