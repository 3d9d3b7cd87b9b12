package state

import (
	"slices"

	"starling/ozeki"
)

// FriendsLoaded: the people the user may write to, and whether they are there.
type FriendsLoaded struct{ Friends []Friend }

func (e FriendsLoaded) apply(s *State) {
	s.friends, s.friendsLoaded, s.blocklist.view = e.Friends, true, nil // which has names
	s.presence = make(map[ozeki.UserID]Presence, len(e.Friends))
	for _, f := range e.Friends {
		s.meet(f.ID, f.Name)
		if p := f.Presence(); p != Absent {
			s.presence[f.ID] = p
		}
	}
	for _, c := range s.conversations {
		if p := s.presenceIn(c); p != c.presence {
			c.presence = p
			s.refresh(c)
		}
	}
}

// presenceIn is the presence of the other one in a conversation of two.
func (s *State) presenceIn(c *conversation) Presence {
	if c.group || len(c.participants) != 2 {
		return Absent
	}
	for _, p := range c.participants {
		if p.UserID != s.user.ID {
			return s.presence[p.UserID]
		}
	}
	return Absent
}

// TypingHeard: a member of a conversation is typing in it.
type TypingHeard struct {
	Conversation ozeki.ConversationID
	User         ozeki.UserID
}

func (e TypingHeard) apply(s *State) {
	c := s.conversations[e.Conversation]
	if c == nil || e.User == s.user.ID || slices.Contains(s.typing[e.Conversation], e.User) ||
		!slices.ContainsFunc(c.participants, func(p ozeki.Participant) bool { return p.UserID == e.User }) {
		return
	}
	if s.typing == nil {
		s.typing = map[ozeki.ConversationID][]ozeki.UserID{}
	}
	s.typing[e.Conversation] = append(slices.Clone(s.typing[e.Conversation]), e.User)
}

// TypingOver: nothing has been heard of a member's typing for a while.
type TypingOver struct {
	Conversation ozeki.ConversationID
	User         ozeki.UserID
}

func (e TypingOver) apply(s *State) {
	left := slices.DeleteFunc(slices.Clone(s.typing[e.Conversation]), func(id ozeki.UserID) bool { return id == e.User })
	if len(left) > 0 {
		s.typing[e.Conversation] = left
	} else {
		delete(s.typing, e.Conversation)
	}
}

// typists are the names of those who are typing in a conversation.
func (s *State) typists(c *conversation) (names []string) {
	for _, id := range s.typing[c.id] {
		names = append(names, s.nameIn(c, id))
	}
	return names
}
