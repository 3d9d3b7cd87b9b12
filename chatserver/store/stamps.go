package store

import (
	"hash/maphash"
	"slices"
	"sync/atomic"

	"starling/ozeki"
)

// Stamp names a state of what is stored about a user or a conversation, so that what was read in it can be kept in memory:
// read the stamp, then the store, and keep the answer if the stamp is the same afterwards. While the stamp stays the same a
// read would give the same answer. The zero Stamp names no state: nothing is to be kept, nor answered from memory.
type Stamp uint64

// Stamped is the part of a Store that tells of changes. A store that other processes write as well gives zero Stamps.
type Stamped interface {
	// ConversationStamp is that of a conversation's messages, marks and members with their entries. Changes of the user's
	// own alone (see Property) count as well.
	ConversationStamp(id ozeki.ConversationID) Stamp
	// UserStamp is that of what Changes tells the user.
	UserStamp(user ozeki.UserID) Stamp
}

// stamps counts the commits that change a user or a conversation, in places that several of them share: a change of another
// one at the same place only costs a read. A place is odd while a commit is on its way, which is when a reader may see the
// state before it or after it. One goroutine at a time changes them, the one that leads the group.
type stamps struct {
	seed   maphash.Seed
	places [1 << 14]atomic.Uint64
}

func newStamps() *stamps { return &stamps{seed: maphash.MakeSeed()} }

func (s *stamps) place(id string) *atomic.Uint64 {
	return &s.places[maphash.String(s.seed, id)%uint64(len(s.places))]
}

func (s *stamps) of(id string) Stamp {
	n := s.place(id).Load()
	if n%2 == 1 {
		return 0
	}
	return Stamp(n + 2)
}

// changing says that a commit of changes to these is about to be made; the function that comes back, that it was made or has
// failed.
func (s *stamps) changing(ids []string) (done func()) {
	places := make([]*atomic.Uint64, 0, len(ids))
	for _, id := range ids {
		if p := s.place(id); !slices.Contains(places, p) {
			places = append(places, p)
			p.Add(1)
		}
	}
	return func() {
		for _, p := range places {
			p.Add(1)
		}
	}
}

func (s *sqlStore) ConversationStamp(id ozeki.ConversationID) Stamp { return s.stamps.of(string(id)) }

func (s *sqlStore) UserStamp(user ozeki.UserID) Stamp { return s.stamps.of(string(user)) }
