package state

import (
	"slices"
	"time"

	"starling/ozeki"
)

// MessagesChanged: messages were edited or deleted, by whomever. Those that are not at hand are left alone. Revision is the
// highest that is known then, 0 if this says nothing of it.
type MessagesChanged struct {
	ID       ozeki.ConversationID
	Instance ozeki.Instance
	Messages []Message
	Revision int64
}

func (e MessagesChanged) apply(s *State) {
	c := s.conversations[e.ID]
	if c == nil || c.instance != e.Instance {
		return
	}
	t := &c.timeline
	t.revision = max(t.revision, e.Revision)
	s.touchMessages(e.ID)
	var stored []Message
	for _, m := range e.Messages {
		i := slices.IndexFunc(t.stored, func(x Message) bool { return x.ID == m.ID })
		if i < 0 {
			if was, ok := t.find(m.ID); ok && was.State == MessageSent { // not in its place yet
				s.name(c, &m)
				t.set(m)
			}
			continue
		}
		if stored == nil {
			stored = slices.Clone(t.stored)
		}
		s.name(c, &m)
		stored[i] = m
		s.willExpire(m)
	}
	if stored != nil {
		t.stored, t.all = stored, nil
		s.reread(c)
	}
}

// name says who wrote a message, and whom it answers.
func (s *State) name(c *conversation, m *Message) {
	m.Mine = m.From == s.user.ID
	m.Sender = s.nameIn(c, m.From)
	if r := m.Reply(); r != nil {
		m.ReplySender = s.nameIn(c, r.From)
	}
}

// Reply is what the message answers, nil for nothing.
func (m Message) Reply() *ozeki.Reply {
	if m.Content == nil {
		return nil
	}
	return m.Content.Reply
}

// TimePassed: it is now the given moment by the server's clock. What has expired is gone.
type TimePassed struct{ Now time.Time }

func (e TimePassed) apply(s *State) {
	if s.expires.IsZero() || s.expires.After(e.Now) {
		return
	}
	s.expires = time.Time{}
	gone := func(m Message) bool { return !m.Until.IsZero() && !m.Until.After(e.Now) }
	for _, c := range s.conversations {
		t := &c.timeline
		// Their ids stay known: a page that was asked for from one of them still has its place.
		if slices.ContainsFunc(t.stored, gone) {
			t.stored, t.all = slices.DeleteFunc(slices.Clone(t.stored), gone), nil
			s.touchMessages(c.id)
			s.reread(c)
		}
		if slices.ContainsFunc(t.pending, func(m Message) bool { return m.State == MessageSent && gone(m) }) {
			t.pending, t.all = slices.DeleteFunc(slices.Clone(t.pending), func(m Message) bool { return m.State == MessageSent && gone(m) }), nil
		}
		if c.last.ID != "" && gone(c.last) {
			c.last = Message{}
			s.reread(c)
		}
		s.willExpire(c.last)
		for _, m := range t.stored {
			s.willExpire(m)
		}
		for _, m := range t.pending {
			if !gone(m) { // what was never sent stays to be sent again
				s.willExpire(m)
			}
		}
	}
}

func (s *State) willExpire(m Message) {
	if !m.Until.IsZero() && (s.expires.IsZero() || m.Until.Before(s.expires)) {
		s.expires = m.Until
	}
}

// Expires returns when the next message at hand expires, zero for never.
func (s *State) Expires() time.Time { return s.expires }

// Stored returns a message that the server has and that is at hand, in its place or not yet.
func (s *State) Stored(id ozeki.ConversationID, message ozeki.MessageID) (m Message, instance ozeki.Instance, ok bool) {
	c := s.conversations[id]
	if c == nil {
		return Message{}, "", false
	}
	if i := slices.IndexFunc(c.timeline.stored, func(m Message) bool { return m.ID == message }); i >= 0 {
		return c.timeline.stored[i], c.instance, true
	}
	m, ok = c.timeline.find(message)
	return m, c.instance, ok && m.State == MessageSent
}

// Draft is what the user has begun to write in a conversation. Drafts are never changed, only replaced.
type Draft struct {
	Text  string
	Reply *ozeki.Reply // what it answers, nil for nothing
	Files []ozeki.File // that are chosen and kept on this device, encrypted
	Edit  *Edit        // a change of a message that was begun meanwhile, nil for none
}

// Edit is a change of a message that is not made yet.
type Edit struct {
	ID  ozeki.MessageID
	Was string // the message's text
	Now string // what stands in the composer
}

// IsEmpty reports whether there is nothing in a draft.
func (d *Draft) IsEmpty() bool {
	return d == nil || d.Text == "" && d.Reply == nil && len(d.Files) == 0 && d.Edit == nil
}

// DraftsKept: this device has drafts of these conversations and no others; they are not opened yet.
type DraftsKept struct{ IDs []ozeki.ConversationID }

func (e DraftsKept) apply(s *State) {
	s.draftsKnown = true
	for _, id := range e.IDs {
		s.setDraft(id, func(c *conversation) { c.sealedDraft = c.draft == nil })
	}
}

// DraftChanged: the user has written, or a kept draft was opened. nil: there is none.
type DraftChanged struct {
	ID    ozeki.ConversationID
	Draft *Draft
}

func (e DraftChanged) apply(s *State) {
	s.setDraft(e.ID, func(c *conversation) { c.draft, c.sealedDraft, c.lockedDraft = e.Draft, false, false })
}

// DraftLocked: a kept draft cannot be opened now. What is written takes its place.
type DraftLocked struct{ ID ozeki.ConversationID }

func (e DraftLocked) apply(s *State) {
	s.setDraft(e.ID, func(c *conversation) { c.lockedDraft = c.sealedDraft })
}

func (s *State) setDraft(id ozeki.ConversationID, change func(*conversation)) {
	c := s.conversations[id]
	if c == nil {
		return
	}
	before := c.row()
	change(c)
	if c.row() != before {
		s.refresh(c)
	}
}

// Draft returns what was begun to be written in a conversation, nil for nothing.
func (s *State) Draft(id ozeki.ConversationID) *Draft {
	if c := s.conversations[id]; c != nil {
		return c.draft
	}
	return nil
}

// SealedDraft reports whether a kept draft of the conversation is still to be opened.
func (s *State) SealedDraft(id ozeki.ConversationID) bool {
	c := s.conversations[id]
	return c != nil && c.sealedDraft
}
