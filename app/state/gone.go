package state

import "starling/ozeki"

// Gone is a conversation that was among the user's and is no more: it was left, here or on another device.
type Gone struct {
	ID     ozeki.ConversationID
	Name   string
	Unsent int          // messages in it that the server does not have
	Texts  []string     // what was written in them
	Files  []ozeki.File // of its draft
}

// drop forgets a conversation that is gone.
func (s *State) drop(c *conversation) {
	gone := Gone{ID: c.id, Name: c.name, Unsent: c.timeline.unsent()}
	if c.draft != nil {
		gone.Files = c.draft.Files
	}
	for _, m := range c.timeline.pending {
		if m.Text != "" && m.State != MessageSent {
			gone.Texts = append(gone.Texts, m.Text)
		}
	}
	s.gone = append(s.gone, gone)
	delete(s.conversations, c.id)
	delete(s.writing, c.id)
	delete(s.unopened, c.id)
	delete(s.reporting, c.id)
	delete(s.typing, c.id)
	s.touch(c.id)
	s.touchMessages(c.id)
	s.dropNotices(func(n Notice) bool { return n.Conversation == c.id })
	s.refreshAll()
}

// TakeGone returns the conversations that went since it was called last.
func (s *State) TakeGone() []Gone {
	gone := s.gone
	s.gone = nil
	return gone
}

// AtStake lists the conversations with which something would be lost if they went: messages that were not sent, or a draft.
func (s *State) AtStake() (ids []ozeki.ConversationID) {
	for id, c := range s.conversations {
		if c.draft != nil || c.sealedDraft || c.timeline.unsent() > 0 {
			ids = append(ids, id)
		}
	}
	return ids
}

// ConversationLeft: the user has left a conversation.
type ConversationLeft struct{ ID ozeki.ConversationID }

func (e ConversationLeft) apply(s *State) {
	if c := s.conversations[e.ID]; c != nil {
		s.drop(c)
	}
}
