package state

import (
	"maps"
	"slices"
	"time"

	"starling/ozeki"
)

// KeptConversation is a conversation as a device keeps it between two runs of the program: what the server said, and what
// was opened of it. The user's wishes are not in it.
type KeptConversation struct {
	Conversation ozeki.Conversation `json:"c"`
	Name         string             `json:"n,omitempty"` // opened, empty where it is not, or does not open
	Key          []byte             `json:"k,omitempty"`
	Older        map[string][]byte  `json:"o,omitempty"` // opened keys of earlier epochs, by their secrets
	Last         *KeptMessage       `json:"l,omitempty"` // the last message; one that is not opened is in Conversation
}

// KeptMessage is a message of the server's as a device keeps it.
type KeptMessage struct {
	ID      ozeki.MessageID `json:"i"`
	Kind    MessageKind     `json:"k,omitempty"`
	Text    string          `json:"t,omitempty"` // where there is no content
	From    ozeki.UserID    `json:"f,omitempty"`
	Created time.Time       `json:"c"`
	Until   time.Time       `json:"u,omitzero"`
	Edited  bool            `json:"e,omitempty"`
	Trouble bool            `json:"x,omitempty"`
	Content *ozeki.Content  `json:"m,omitempty"`
}

// KeptMessages are the newest messages of a conversation, without a gap, as a device keeps them.
type KeptMessages struct {
	Instance ozeki.Instance `json:"i"`
	Messages []KeptMessage  `json:"m"`
	More     bool           `json:"o,omitempty"` // there are older ones
	Revision int64          `json:"r,omitempty"`
	Reports  []ozeki.Report `json:"p,omitempty"`
}

// maxKept is the largest number of messages of a conversation that a device keeps.
const maxKept = 60

// Kept is the message as it is to be kept.
func (m Message) Kept() KeptMessage {
	k := KeptMessage{ID: m.ID, Kind: m.Kind, From: m.From, Created: m.Created, Until: m.Until, Edited: m.Edited, Trouble: m.Trouble, Content: m.Content}
	if m.Content == nil {
		k.Text = m.Text
	}
	return k
}

// Message is the kept message as it is shown, in a conversation yet to be said.
func (k KeptMessage) Message() Message {
	m := Message{ID: k.ID, Kind: k.Kind, Text: k.Text, From: k.From, Created: k.Created, Until: k.Until, Edited: k.Edited, Trouble: k.Trouble, Content: k.Content}
	if c := k.Content; c != nil {
		m.Text = c.Text
		m.Files = OpenedFiles(c.Files)
	}
	return m
}

// Expired reports whether the message's time is over.
func (k KeptMessage) Expired(now time.Time) bool { return !k.Until.IsZero() && !k.Until.After(now) }

// Changed says of which conversations something to be kept has changed since it was asked last.
type Changed struct {
	Rows     map[ozeki.ConversationID]bool
	Messages map[ozeki.ConversationID]bool
}

// Changed returns what has changed since the last call.
func (s *State) Changed() Changed {
	c := s.changed
	s.changed = Changed{}
	return c
}

// HasChanged reports whether Changed would name something.
func (s *State) HasChanged() bool { return len(s.changed.Rows)+len(s.changed.Messages) > 0 }

// touch notes that something to be kept of a conversation has changed.
func (s *State) touch(id ozeki.ConversationID) {
	if s.changed.Rows == nil {
		s.changed.Rows = map[ozeki.ConversationID]bool{}
	}
	s.changed.Rows[id] = true
}

// touchMessages is touch for its messages.
func (s *State) touchMessages(id ozeki.ConversationID) {
	if s.changed.Messages == nil {
		s.changed.Messages = map[ozeki.ConversationID]bool{}
	}
	s.changed.Messages[id] = true
}

// IDs lists all conversations, those that are seen first in front.
func (s *State) IDs() []ozeki.ConversationID {
	ids := make([]ozeki.ConversationID, 0, len(s.conversations))
	if s.filter == "" && !s.unreadOnly {
		snap := s.Snapshot()
		for _, rows := range [][]*Row{snap.Favorites, snap.Conversations, snap.Hidden} {
			for _, r := range rows {
				ids = append(ids, r.ID)
			}
		}
		return ids
	}
	for id := range s.conversations {
		ids = append(ids, id)
	}
	return ids
}

// Kept is a conversation as it is to be kept; false for one that is not the user's any more.
func (s *State) Kept(id ozeki.ConversationID) (KeptConversation, bool) {
	c := s.conversations[id]
	if c == nil {
		return KeptConversation{}, false
	}
	k := KeptConversation{
		Conversation: ozeki.Conversation{
			ID: c.id, IsGroup: c.group, Participants: c.participants, DisplayName: c.sealedName, LastMessageID: c.lastMessage,
			Secret: c.secret, Instance: c.instance, Viewed: c.viewed, Epoch: c.epoch, Rekey: c.rekey, Former: c.former,
			Properties: []ozeki.Property{{
				UserID: s.user.ID, IsFavorite: c.favorite.word != "", IsMuted: c.mute.word != "", HideID: c.hide.word, Color: c.color.word,
			}},
		},
		Key: c.key,
	}
	if !c.active.IsZero() {
		k.Conversation.LastAccess = c.active.Unix()
	}
	unread := c.served
	if t := &c.timeline; t.loaded && !t.cut && t.index(c.viewed) >= 0 {
		unread = t.others(t.index(c.viewed) + 1) // what the server does not know to be viewed is told from Kept.Read
	} else if c.seen != "" {
		unread = max(unread, 1)
	}
	k.Conversation.Unread = &unread
	if c.opened && !c.trouble && c.sealedName == c.openedName {
		k.Name = c.name
	}
	for _, o := range slices.Backward(c.older) {
		k.Conversation.Secrets = append(k.Conversation.Secrets, ozeki.EpochSecret{Epoch: o.epoch, Secret: o.secret})
		if o.tried {
			if k.Older == nil {
				k.Older = map[string][]byte{}
			}
			k.Older[o.secret] = o.key
		}
	}
	last := c.last
	if t := &c.timeline; t.loaded && !t.cut && len(t.stored) > 0 {
		last = t.stored[len(t.stored)-1]
	}
	if c.unopened != nil && c.unopened.ID != last.ID {
		k.Conversation.LastMessage = c.unopened
	} else if last.ID != "" {
		m := last.Kept()
		k.Last = &m
	}
	return k, true
}

// KeptMessages are the messages of a conversation as they are to be kept; nil where none are at hand. gone: those that are
// kept already are not to be kept any longer.
func (s *State) KeptMessages(id ozeki.ConversationID) (k *KeptMessages, gone bool) {
	c := s.conversations[id]
	if c == nil || c.isHidden() {
		return nil, true
	}
	t := &c.timeline
	if !t.loaded || t.cut {
		return nil, t.restarted
	}
	from := max(0, len(t.stored)-maxKept)
	k = &KeptMessages{Instance: c.instance, More: t.more || from > 0, Revision: t.revision}
	for _, m := range t.stored[from:] {
		k.Messages = append(k.Messages, m.Kept())
	}
	for user, m := range t.marks {
		k.Reports = append(k.Reports, ozeki.Report{Type: ozeki.ReportDelivered, From: user, MessageID: m.delivered}, ozeki.Report{Type: ozeki.ReportViewed, From: user, MessageID: m.viewed})
	}
	return k, false
}

// ListKept: the device has kept these conversations. Those that are known already are left alone. All: there are no more, so
// that the list is there.
type ListKept struct {
	Conversations []KeptConversation
	Now           time.Time // what has expired by then is not taken
	All           bool
}

func (e ListKept) apply(s *State) {
	var expired []ozeki.ConversationID
	for i := range e.Conversations {
		k := &e.Conversations[i]
		if s.conversations[k.Conversation.ID] != nil {
			continue
		}
		if m := k.Conversation.LastMessage; m != nil && !m.ValidUntil.IsZero() && !m.ValidUntil.After(e.Now) {
			k.Conversation.LastMessage = nil
			expired = append(expired, k.Conversation.ID)
		}
		if k.Last != nil && k.Last.Expired(e.Now) {
			k.Last = nil
			expired = append(expired, k.Conversation.ID)
		}
		s.take(&k.Conversation, s.tick)
		c := s.conversations[k.Conversation.ID]
		if k.Key != nil {
			c.key = k.Key
			if k.Name != "" {
				c.opened, c.openedName = true, k.Conversation.DisplayName
				c.rename(k.Name)
			}
		}
		c.takeOlder(maps.Clone(k.Older))
		if k.Conversation.Unread != nil { // counted here, where the server does not say
			c.served, c.servedTo, c.viewed = *k.Conversation.Unread, k.Conversation.LastMessageID, k.Conversation.Viewed
			s.reread(c)
		}
		if k.Last != nil {
			c.last, c.stale = s.attributed(c, k.Last.Message()), false
			s.willExpire(c.last)
			s.reread(c)
		}
	}
	s.refreshAll()
	if e.All {
		s.loaded, s.trouble = true, ""
		s.placeLine()
	}
	s.changed.Rows = nil // they are kept as they are
	for _, id := range expired {
		s.touch(id)
	}
}
