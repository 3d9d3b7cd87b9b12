// Package bus tells the nodes of a chat server that something changed or happens. What it carries is a hint only: it may come late,
// twice or not at all. A receiver reads what changed from the store, from its last sequence number on.
package bus

import (
	"context"
	"errors"
	"sync"

	"starling/ozeki"
)

// ErrClosed: the bus was closed.
var ErrClosed = errors.New("bus is closed")

// Hint is for some users. It says that something changed for them, and where one of its other fields is set, that instead.
type Hint struct {
	Users []ozeki.UserID
	// Typing: a member of a conversation is typing in it. It lasts seconds and is not in the store: what is lost is lost.
	Typing *Typing
	// SignedOut: the user is not signed in any more on this station.
	SignedOut ozeki.StationID
}

// Typing names who types where.
type Typing struct {
	Conversation ozeki.ConversationID
	User         ozeki.UserID
}

// Bus carries hints to every subscriber of every node, the publisher's own included. Its methods may be called from
// several goroutines at once.
type Bus interface {
	// Publish sends a hint, after the change was committed. An error loses no change, only the hint. ErrClosed after Close.
	Publish(ctx context.Context, h Hint) error
	// Subscribe has fn called for each hint from now on, possibly from several goroutines at once. fn returns quickly and
	// does not change the hint. After cancel has returned fn is not called any more; cancel is not called from within fn;
	// a second cancel does nothing.
	Subscribe(fn func(Hint)) (cancel func())
	// Close ends all subscriptions. A second Close does nothing.
	Close() error
}

// NewLocal returns the bus of a single process. A hint has reached every subscriber when Publish returns.
func NewLocal() Bus { return &local{subscribers: map[*subscriber]bool{}} }

type local struct {
	mu          sync.RWMutex
	closed      bool
	subscribers map[*subscriber]bool
}

type subscriber struct {
	fn    func(Hint)
	calls sync.RWMutex // held for reading during a call
	ended bool
}

func (b *local) Publish(_ context.Context, h Hint) error {
	b.mu.RLock()
	if b.closed {
		b.mu.RUnlock()
		return ErrClosed
	}
	all := make([]*subscriber, 0, len(b.subscribers))
	for s := range b.subscribers {
		all = append(all, s)
	}
	b.mu.RUnlock()
	for _, s := range all {
		s.call(h)
	}
	return nil
}

func (s *subscriber) call(h Hint) {
	s.calls.RLock()
	defer s.calls.RUnlock()
	if !s.ended {
		s.fn(h)
	}
}

func (s *subscriber) end() {
	s.calls.Lock()
	defer s.calls.Unlock()
	s.ended = true
}

func (b *local) Subscribe(fn func(Hint)) (cancel func()) {
	s := &subscriber{fn: fn}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.subscribers[s] = true
	}
	return func() {
		b.mu.Lock()
		delete(b.subscribers, s)
		b.mu.Unlock()
		s.end()
	}
}

func (b *local) Close() error {
	b.mu.Lock()
	all := b.subscribers
	b.closed, b.subscribers = true, nil
	b.mu.Unlock()
	for s := range all {
		s.end()
	}
	return nil
}
