package storetest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"starling/chatserver/store"
	"starling/ozeki"
)

// stampedStore holds a store to what it says of its stamps: whatever else is done with it, a stamp that has not changed must
// not hide that something has.
type stampedStore struct {
	store.Store
	t    testing.TB
	mu   sync.Mutex
	seen map[string]string // id and stamp → the state
	// Everything that has come up.
	users         []ozeki.UserID
	conversations []ozeki.ConversationID
	messages      []ozeki.MessageID
}

func (s *stampedStore) Update(ctx context.Context, fn func(store.Tx) error) ([]ozeki.UserID, error) {
	s.look()
	users, err := s.Store.Update(ctx, fn)
	s.mu.Lock()
	for _, u := range users {
		if !slices.Contains(s.users, u) && len(s.users) < 10 {
			s.users = append(s.users, u)
		}
	}
	s.mu.Unlock()
	s.look()
	return users, err
}

// look reads all that is known of, and compares it with what was read under the same stamp before.
func (s *stampedStore) look() {
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx := s.t.Context()
	for _, u := range s.users {
		s.compare("user "+string(u), func() store.Stamp { return s.UserStamp(u) }, func() string {
			c, err := s.Changes(ctx, u, 0, 1000)
			return fmt.Sprintf("%+v %v", c, err)
		})
		list, _ := s.List(ctx, u, "")
		for _, c := range list.Conversations {
			if !slices.Contains(s.conversations, c.ID) && len(s.conversations) < 10 {
				s.conversations = append(s.conversations, c.ID)
			}
			if id := c.LastMessageID; id != "" && !slices.Contains(s.messages, id) && len(s.messages) < 20 {
				s.messages = append(s.messages, id)
			}
		}
	}
	for _, id := range s.conversations {
		s.compare("conversation "+string(id), func() store.Stamp { return s.ConversationStamp(id) }, func() string {
			state := ""
			for _, u := range s.users {
				c, err := s.Conversation(ctx, u, id)
				messages, err2 := s.Messages(ctx, store.MessageQuery{Conversation: id, Instance: c.Instance, Now: time.Unix(0, 0), Since: c.Since, Limit: 100})
				marks, err3 := s.Marks(ctx, id, c.Since)
				revision, err4 := s.Revision(ctx, id, c.Instance)
				state += fmt.Sprintf("%+v %v\n%+v %v\n%+v %v\n%d %v\n", c, err, messages, err2, marks, err3, revision, err4)
			}
			for _, m := range s.messages {
				message, err := s.Message(ctx, id, m)
				state += fmt.Sprintf("%+v %v\n", message, err)
			}
			return state
		})
	}
}

func (s *stampedStore) compare(what string, stamp func() store.Stamp, read func() string) {
	before := stamp()
	state := read()
	if before == 0 || stamp() != before || s.t.Context().Err() != nil {
		return
	}
	key := fmt.Sprintf("%s %d (%d users, %d messages)", what, before, len(s.users), len(s.messages))
	if was, ok := s.seen[key]; ok && was != state {
		s.t.Errorf("%s: the stamp is the same\n%s\nand what is stored is not\n%s", key, was, state)
	}
	s.seen[key] = state
}
