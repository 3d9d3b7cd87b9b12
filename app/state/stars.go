package state

import (
	"fmt"

	"starling/ozeki"
)

// A star is sent as a state, never as a toggle, one request at a time for each conversation: while one is on its way the
// user's later clicks only change the wish, and the last wish is sent when the answer is there. So requests cannot
// overtake each other, fifty quick clicks end in the state of the last, and the server is not flooded.

// StarWanted: the user wants a conversation to be a favorite, or not to be.
type StarWanted struct {
	ID ozeki.ConversationID
	On bool
}

func (e StarWanted) apply(s *State) {
	c := s.conversations[e.ID]
	if c == nil {
		return
	}
	if c.shownFavorite() == e.On {
		// Nothing to do, not even to undo: another device was faster.
		s.dropNotices(func(n Notice) bool { return e.On && n.Kind == NoticeUndo && n.Conversation == e.ID })
		return
	}
	s.tick++
	c.wish = &wish{on: e.On, seq: s.tick}
	if c.inFlight == 0 && !c.uncertain && c.favorite == e.On {
		c.wish = nil // back to what the server has: nothing to send
	}
	s.refresh(c)
	s.dropNotices(func(n Notice) bool { return n.Conversation == e.ID })
	if e.On {
		s.announce(fmt.Sprintf("%s added to favorites.", c.name))
		return
	}
	s.notify(Notice{Kind: NoticeUndo, Text: fmt.Sprintf("%s removed from favorites.", c.name), Conversation: e.ID})
	s.announce(fmt.Sprintf("%s removed from favorites. Undo is available.", c.name))
}

// StarSent: a request for the wish of this sequence is on its way.
type StarSent struct {
	ID  ozeki.ConversationID
	Seq uint64
}

func (e StarSent) apply(s *State) {
	if c := s.conversations[e.ID]; c != nil {
		c.inFlight = e.Seq
		if c.wish != nil && c.wish.queued {
			c.wish = &wish{on: c.wish.on, seq: c.wish.seq}
		}
		s.refresh(c)
	}
}

// landed ends a request on its way and returns its conversation; nil if it is not the one on its way.
func (s *State) landed(id ozeki.ConversationID, seq uint64) *conversation {
	c := s.conversations[id]
	if c == nil || c.inFlight != seq {
		return nil
	}
	c.inFlight = 0
	s.refresh(c)
	return c
}

// StarAnswered: the server answered; its conversation is the truth, read from the user's own entry.
type StarAnswered struct {
	ID           ozeki.ConversationID
	Seq          uint64
	Conversation ozeki.Conversation
}

func (e StarAnswered) apply(s *State) {
	c := s.landed(e.ID, e.Seq)
	if c == nil {
		return
	}
	c.uncertain = false
	s.tick++
	c.answeredAt = s.tick
	if p, ok := e.Conversation.PropertyOf(s.user.ID); ok {
		if c.wish != nil && c.wish.seq == e.Seq {
			c.wish = nil
		}
		s.takeFlags(c, p)
	} else if c.wish != nil && c.wish.seq == e.Seq {
		// No entry of ours in the answer: the status said OK, so the wish holds until the next list tells.
		c.favorite, c.wish = c.wish.on, nil
	}
}

// StarRefused: the server refused; Words say why. If the user has changed his mind since, the refusal is of no interest.
type StarRefused struct {
	ID    ozeki.ConversationID
	Seq   uint64
	Words string
}

func (e StarRefused) apply(s *State) {
	c := s.landed(e.ID, e.Seq)
	if c == nil {
		return
	}
	switch {
	case c.wish == nil:
	case c.wish.seq == e.Seq:
		verb := "could not be added to"
		if !c.wish.on {
			verb = "could not be removed from"
		}
		c.wish = nil
		text := fmt.Sprintf("%s %s favorites. %s", c.name, verb, e.Words)
		s.dropNotices(func(n Notice) bool { return n.Conversation == e.ID })
		s.notify(Notice{Kind: NoticeError, Text: text, Conversation: e.ID})
		s.announce(text)
	case c.wish.on == c.favorite && !c.uncertain:
		c.wish = nil
	}
}

// StarUnreached: the request did not reach the server, or its answer did not come. The wish is kept.
type StarUnreached struct {
	ID  ozeki.ConversationID
	Seq uint64
}

func (e StarUnreached) apply(s *State) {
	c := s.landed(e.ID, e.Seq)
	if c == nil {
		return
	}
	c.uncertain = true
	if c.wish != nil {
		c.wish = &wish{on: c.wish.on, seq: c.wish.seq, queued: true}
		s.announce(fmt.Sprintf("%s: the change is kept and sent when the connection is back.", c.name))
	}
}

// WishElsewhere: the user clicked the star in another tab, which sends it. An older wish that waits here is void.
type WishElsewhere struct{ ID ozeki.ConversationID }

func (e WishElsewhere) apply(s *State) {
	if c := s.conversations[e.ID]; c != nil && c.wish != nil && c.inFlight == 0 {
		c.wish = nil
		s.refresh(c)
	}
}

// WishesKept: stars that were asked for in an earlier run of the program and have not been confirmed.
type WishesKept struct{ On map[ozeki.ConversationID]bool }

func (e WishesKept) apply(s *State) {
	for id, on := range e.On {
		if c := s.conversations[id]; c != nil && c.wish == nil {
			s.tick++
			c.wish = &wish{on: on, seq: s.tick, queued: true}
		}
	}
	s.refreshAll()
}

// IsFavorite reports whether a conversation is shown as a favorite, and whether it is there at all.
func (s *State) IsFavorite(id ozeki.ConversationID) (on, known bool) {
	c := s.conversations[id]
	return c != nil && c.shownFavorite(), c != nil
}

// NextStar returns what has to be sent for a conversation now, if anything.
func (s *State) NextStar(id ozeki.ConversationID) (on bool, seq uint64, send bool) {
	c := s.conversations[id]
	if c == nil || c.wish == nil || c.inFlight != 0 {
		return false, 0, false
	}
	return c.wish.on, c.wish.seq, true
}

// WishOf returns what the user wants a star to be while the server has not confirmed it; false if there is no such wish.
func (s *State) WishOf(id ozeki.ConversationID) (on, wanted bool) {
	if c := s.conversations[id]; c != nil && c.wish != nil {
		return c.wish.on, true
	}
	return false, false
}

// Wishes returns the stars that the server has not confirmed.
func (s *State) Wishes() map[ozeki.ConversationID]bool {
	m := map[ozeki.ConversationID]bool{}
	for id, c := range s.conversations {
		if c.wish != nil {
			m[id] = c.wish.on
		}
	}
	return m
}

// Tick returns the logical time, for ListLoaded.
func (s *State) Tick() uint64 { return s.tick }
