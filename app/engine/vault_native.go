//go:build !js

package engine

import (
	"context"
	"sync"

	"starling/ozeki"
)

// memory is the native Vault.
type memory struct {
	mu    sync.Mutex
	kept  *Kept
	files map[ozeki.FileID]ozeki.Blob
	jot   string
}

// NewVault returns the platform's Vault.
func NewVault() Vault { return &memory{files: map[ozeki.FileID]ozeki.Blob{}} }

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

func (m *memory) Jot(text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.jot = text
}

func (m *memory) Jotted() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.jot
}

func (m *memory) Wipe(context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.kept, m.jot = nil, ""
	clear(m.files)
	return nil
}

func (m *memory) KeepFile(_ context.Context, id ozeki.FileID, sealed ozeki.Blob) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.files[id] = sealed
	return nil
}

func (m *memory) File(_ context.Context, id ozeki.FileID) (ozeki.Blob, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.files[id]
	return b, ok, nil
}

func (m *memory) ForgetFiles(_ context.Context, ids []ozeki.FileID) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range ids {
		delete(m.files, id)
	}
	return nil
}

type alone struct{}

// NewNeighbours returns the platform's Neighbours: none in a native program.
func NewNeighbours() Neighbours { return alone{} }

func (alone) Tell(Note)         {}
func (alone) Listen(func(Note)) {}
