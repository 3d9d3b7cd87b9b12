//go:build !js

package engine

import (
	"context"
	"slices"
	"sync"

	"starling/ozeki"
)

// memory is the native Vault.
type memory struct {
	mu    sync.Mutex
	kept  *Kept
	queue []Waiting // by conversation and place
	files map[ozeki.FileID]ozeki.Blob
	jot   string
	shelf map[string]shelved
}

type shelved struct {
	Record
	owner string
}

// NewVault returns the platform's Vault.
func NewVault() Vault {
	return &memory{files: map[ozeki.FileID]ozeki.Blob{}, shelf: map[string]shelved{}}
}

func (m *memory) Load(context.Context) (*Kept, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.kept == nil {
		return nil, nil
	}
	k := *m.kept
	k.Waiting = nil
	for _, w := range m.queue {
		k.Waiting = append(k.Waiting, Waiting{Conversation: w.Conversation, Place: w.Place, ID: w.ID})
	}
	return &k, nil
}

func (m *memory) Save(_ context.Context, k *Kept) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.kept == nil || m.kept.Session.UserID != k.Session.UserID {
		m.queue = nil
	}
	c := *k
	m.kept = &c
	return nil
}

func (m *memory) Update(_ context.Context, change func(*Kept)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var now *Kept
	if m.kept != nil {
		for range 2 { // as if another tab had been faster at first
			c := *m.kept
			change(&c)
			now = &c
		}
		m.kept = now
	}
	return nil
}

func (m *memory) Queue(_ context.Context, user ozeki.UserID, w Waiting, last bool) (place int64, ok bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.kept == nil || m.kept.Session.UserID != user {
		return 0, false, nil
	}
	m.unqueue(w)
	for _, other := range m.queue {
		if last && other.Conversation == w.Conversation && other.Refused == "" {
			w.Place = max(w.Place, other.Place+1)
		}
	}
	m.put(w)
	return w.Place, true, nil
}

// put puts a message into its place of the queue.
func (m *memory) put(w Waiting) {
	at, _ := slices.BinarySearchFunc(m.queue, w, inOrder)
	m.queue = slices.Insert(m.queue, at, w)
}

// unqueue takes a message out of the queue, and reports whether it was there.
func (m *memory) unqueue(w Waiting) (was bool) {
	m.queue = slices.DeleteFunc(m.queue, func(x Waiting) bool {
		is := x.Conversation == w.Conversation && x.ID == w.ID && (x.Place == w.Place || x.Refused != "")
		was = was || is
		return is
	})
	return was
}

func (m *memory) Requeue(_ context.Context, w Waiting) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.unqueue(w) {
		m.put(w)
	}
	return nil
}

func (m *memory) Unqueue(_ context.Context, ws ...Waiting) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, w := range ws {
		m.unqueue(w)
	}
	return nil
}

func (m *memory) UnqueueAll(_ context.Context, id ozeki.ConversationID) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.queue = slices.DeleteFunc(m.queue, func(w Waiting) bool { return w.Conversation == id })
	return nil
}

func (m *memory) NextQueued(_ context.Context, id ozeki.ConversationID, after int64) (*Waiting, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, w := range m.queue {
		if w.Conversation == id && w.Place > after && w.Refused == "" {
			return &w, nil
		}
	}
	return nil, nil
}

func (m *memory) Queued(context.Context) ([]Waiting, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.queue), nil
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
	m.kept, m.queue, m.jot = nil, nil, ""
	clear(m.files)
	clear(m.shelf)
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

func (m *memory) Shelve(_ context.Context, owner string, records ...Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range records {
		if r.Data == nil {
			delete(m.shelf, r.Name)
		} else {
			m.shelf[r.Name] = shelved{r, owner}
		}
	}
	return nil
}

func (m *memory) Shelved(_ context.Context, owner string, names ...string) ([][]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	data := make([][]byte, len(names))
	for i, name := range names {
		if s := m.shelf[name]; s.owner == owner {
			data[i] = s.Data
		}
	}
	return data, nil
}

func (m *memory) Shelf(context.Context) ([]Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []Record
	for _, s := range m.shelf {
		all = append(all, Record{Name: s.Name, Used: s.Used, Until: s.Until})
	}
	return all, nil
}

type alone struct{}

// NewNeighbours returns the platform's Neighbours: none in a native program.
func NewNeighbours() Neighbours { return alone{} }

func (alone) Tell(Note)         {}
func (alone) Listen(func(Note)) {}
func (alone) Lead(f func())     { f() }
