//go:build !js

package engine

import (
	"context"
	"sync"
)

// memory is the native Vault.
type memory struct {
	mu   sync.Mutex
	kept *Kept
}

// NewVault returns the platform's Vault.
func NewVault() Vault { return &memory{} }

func (m *memory) Load(context.Context) (*Kept, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.kept == nil {
		return nil, nil
	}
	k := *m.kept
	return &k, nil
}

func (m *memory) Save(_ context.Context, k *Kept) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := *k
	m.kept = &c
	return nil
}

func (m *memory) Update(_ context.Context, change func(*Kept)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.kept != nil {
		c := *m.kept
		change(&c)
		m.kept = &c
	}
	return nil
}

func (m *memory) Wipe(context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.kept = nil
	return nil
}

type alone struct{}

// NewNeighbours returns the platform's Neighbours: none in a native program.
func NewNeighbours() Neighbours { return alone{} }

func (alone) Tell(Note)         {}
func (alone) Listen(func(Note)) {}
