//go:build !js

package engine

import (
	"context"
	"sync"
)

// turns are the native Locks, for engines that share them.
type turns struct {
	mu   sync.Mutex
	held map[string]chan struct{}
}

// NewLocks returns the platform's Locks.
func NewLocks() Locks { return &turns{held: map[string]chan struct{}{}} }

func (t *turns) Hold(ctx context.Context, name string, f func()) error {
	t.mu.Lock()
	lock := t.held[name]
	if lock == nil {
		lock = make(chan struct{}, 1)
		t.held[name] = lock
	}
	t.mu.Unlock()
	select {
	case lock <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-lock }()
	f()
	return nil
}
