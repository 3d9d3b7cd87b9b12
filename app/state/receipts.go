package state

import (
	"slices"

	"starling/ozeki"
)

// Receipt is what became of a message of the user's own, as far as the others' devices have told.
type Receipt int

const (
	ReceiptNone      Receipt = iota // stored by the server, and not everybody has it
	ReceiptDelivered                // it has come to all others
	ReceiptViewed                   // all of them have viewed it
)

// marks is up to which message one of the others has had delivered, and has viewed, what was written.
type marks struct{ delivered, viewed ozeki.MessageID }

// takeReports takes over the marks of a conversation's members: the server gives all of them each time. Reports that name
// no message (of a server without the extension receipts) say nothing.
func (s *State) takeReports(c *conversation, reports []ozeki.Report) {
	others := map[ozeki.UserID]marks{}
	for _, r := range reports {
		m := others[r.From]
		switch {
		case r.MessageID == "" || r.From == "":
			continue
		case r.Type == ozeki.ReportDelivered:
			m.delivered = r.MessageID
		case r.Type == ozeki.ReportViewed:
			m.viewed = r.MessageID
		}
		others[r.From] = m
	}
	if len(others) == 0 {
		return
	}
	if own := others[s.user.ID].viewed; c.timeline.index(own) > c.timeline.index(c.viewed) {
		c.viewed = own
	}
	delete(others, s.user.ID)
	c.timeline.marks, c.timeline.all = others, nil
}

// countOthers notes how many people there are beside the user.
func (s *State) countOthers(c *conversation) {
	n := 0
	for _, p := range c.participants {
		if p.UserID != s.user.ID {
			n++
		}
	}
	if n != c.timeline.people {
		c.timeline.people, c.timeline.all = n, nil
	}
}

// receipts says of the user's own messages, those that the server has in front, what became of them.
func (t *timeline) receipts(all []Message) {
	if t.people == 0 || len(t.marks) == 0 {
		return
	}
	stored := len(t.stored)
	viewed, delivered := make([]int, stored+1), make([]int, stored+1)
	at := func(id ozeki.MessageID) int {
		i := t.index(id)
		if i < 0 && id != "" && t.cut {
			i = stored - 1 // among the newer ones, which are not at hand
		}
		return i + 1
	}
	for _, m := range t.marks {
		v := at(m.viewed)
		viewed[v]++
		delivered[max(v, at(m.delivered))]++
	}
	by, to := 0, 0 // who has viewed it and to whom it was delivered, counted from the newest on
	for i := stored - 1; i >= 0; i-- {
		by, to = by+viewed[i+1], to+delivered[i+1]
		if m := &all[i]; m.Mine {
			m.ViewedBy, m.DeliveredTo, m.Others = by, to, t.people
			switch {
			case by >= t.people:
				m.Receipt = ReceiptViewed
			case to >= t.people:
				m.Receipt = ReceiptDelivered
			}
		}
	}
}

// present drops the marks of those who are no longer in a conversation.
func (c *conversation) present() {
	for id := range c.timeline.marks {
		if !slices.ContainsFunc(c.participants, func(p ozeki.Participant) bool { return p.UserID == id }) {
			delete(c.timeline.marks, id)
			c.timeline.all = nil
		}
	}
}
