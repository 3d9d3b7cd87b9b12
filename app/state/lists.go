package state

import (
	"cmp"
	"slices"
	"sort"
	"strings"

	"starling/ozeki"
)

// section is the list of the sidebar that a conversation stands in.
type section int

const (
	nowhere section = iota // filtered out
	inFavorites
	inOthers
	inHidden
	sections
)

// lists are the sorted rows of the sidebar. The slices go out with snapshots and are never changed: what moves is put
// into a copy, so that a star among 10,000 conversations costs a copy and not a sort.
type lists struct {
	rows  [sections][]Row
	stale bool            // all rows must be sorted again
	moved []*conversation // these must be placed again
	place map[ozeki.ConversationID]int
}

// refresh has a conversation placed again, at the next snapshot.
func (s *State) refresh(c *conversation) {
	if !s.lists.stale {
		s.lists.moved = append(s.lists.moved, c)
	}
}

// refreshAll has all of them placed again.
func (s *State) refreshAll() { s.lists.stale, s.lists.moved = true, nil }

// settle brings the rows in line with the conversations.
func (s *State) settle() {
	l := &s.lists
	if len(l.moved) > 64 {
		s.refreshAll()
	}
	if l.stale {
		s.sortRows()
	}
	// All leave before any comes back: a list with one at its old place is not in order.
	for _, c := range l.moved {
		s.takeRow(c)
	}
	for _, c := range l.moved {
		s.placeRow(c)
	}
	l.stale, l.moved = false, nil
}

// sectionOf returns the list that a conversation belongs to. Every one belongs to exactly one.
func (s *State) sectionOf(c *conversation, needle string) section {
	switch {
	case needle != "" && !strings.Contains(c.fold, needle):
		return nowhere
	case c.isHidden():
		return inHidden
	case c.shownFavorite():
		return inFavorites
	}
	return inOthers
}

func (s *State) needle() string { return Fold(strings.TrimSpace(s.filter)) }

// compare orders a list: favorites in the user's order and then by name, the others by their last activity, the hidden by name.
func (s *State) compare(in section, a, b *conversation) int {
	switch in {
	case inFavorites:
		pa, pb := s.lists.place[a.id], s.lists.place[b.id]
		switch {
		case pa != 0 && pb != 0:
			return cmp.Compare(pa, pb)
		case pa != 0:
			return -1
		case pb != 0:
			return 1
		}
	case inOthers:
		if c := b.active.Compare(a.active); c != 0 {
			return c
		}
	}
	return cmp.Or(strings.Compare(a.fold, b.fold), strings.Compare(string(a.id), string(b.id)))
}

// sortRows makes all lists.
func (s *State) sortRows() {
	s.lists.place = make(map[ozeki.ConversationID]int, len(s.order))
	for i, id := range s.order {
		s.lists.place[id] = i + 1
	}
	var in [sections][]*conversation
	needle := s.needle()
	for _, c := range s.conversations {
		c.in = s.sectionOf(c, needle)
		in[c.in] = append(in[c.in], c)
	}
	for k := inFavorites; k < sections; k++ {
		slices.SortFunc(in[k], func(a, b *conversation) int { return s.compare(k, a, b) })
		rows := make([]Row, len(in[k]))
		for i, c := range in[k] {
			rows[i] = c.row()
		}
		s.lists.rows[k] = rows
	}
}

// takeRow takes a conversation out of its list.
func (s *State) takeRow(c *conversation) {
	rows := s.lists.rows[c.in]
	if i := slices.IndexFunc(rows, func(r Row) bool { return r.ID == c.id }); i >= 0 {
		s.lists.rows[c.in] = append(rows[:i:i], rows[i+1:]...)
	}
	c.in = nowhere
}

// placeRow puts a conversation that is in no list to its place.
func (s *State) placeRow(c *conversation) {
	if s.conversations[c.id] != c || c.in != nowhere {
		return // gone, or placed already
	}
	c.in = s.sectionOf(c, s.needle())
	if c.in == nowhere {
		return
	}
	rows := s.lists.rows[c.in]
	i := sort.Search(len(rows), func(i int) bool { return s.compare(c.in, s.conversations[rows[i].ID], c) > 0 })
	with := make([]Row, 0, len(rows)+1)
	with = append(with, rows[:i]...)
	with = append(with, c.row())
	s.lists.rows[c.in] = append(with, rows[i:]...)
}
