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
	nowhere section = iota // left out
	inFavorites
	inOthers
	inHidden
	sections
)

// lists are the sorted rows of the sidebar. The slices go out with snapshots and are never changed: what moves is put
// into a copy, so that a star among 10,000 conversations costs a copy and not a sort. Nor does a letter in the filter.
type lists struct {
	rows  [sections][]Row
	stale bool            // all rows must be sorted again
	moved []*conversation // these must be placed again
	place map[ozeki.ConversationID]int
	// sorted are all conversations in the order of their lists, whatever the filter; nil: not known.
	sorted   *[sections][]*conversation
	refilter bool  // the filter has changed
	filtered bool  // rows leave something out, or stand in the order of how well they fit
	hidden   []Row // all hidden conversations, also those that a filter leaves out
}

// refresh has a conversation placed again, at the next snapshot.
func (s *State) refresh(c *conversation) {
	s.touch(c.id)
	if !s.lists.stale {
		s.lists.moved = append(s.lists.moved, c)
	}
}

// refreshAll has all of them placed again.
func (s *State) refreshAll() { s.lists.stale, s.lists.moved = true, nil }

// settle brings the rows in line with the conversations.
func (s *State) settle() {
	l := &s.lists
	switch {
	case l.stale, len(l.moved) > 0 && (l.filtered || l.refilter): // how well the others fit counts as well
		s.sort()
		s.filterRows()
	case len(l.moved) > 0:
		s.moveRows()
		l.hidden, l.sorted = l.rows[inHidden], nil
	case l.refilter:
		if l.sorted == nil {
			l.sorted = new([sections][]*conversation)
			for k, rows := range l.rows { // which leave nothing out
				for _, r := range rows {
					l.sorted[k] = append(l.sorted[k], s.conversations[r.ID])
				}
			}
		}
		s.filterRows()
	}
	l.stale, l.moved, l.refilter = false, nil, false
}

// sectionOf returns the list that a conversation belongs to. Every one belongs to exactly one.
func (s *State) sectionOf(c *conversation) section {
	switch {
	case c.isHidden():
		return inHidden
	case c.favorite.shown() != "":
		return inFavorites
	}
	return inOthers
}

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

// sort sorts all conversations into their lists.
func (s *State) sort() {
	s.lists.place = make(map[ozeki.ConversationID]int, len(s.order))
	for i, id := range s.order {
		s.lists.place[id] = i + 1
	}
	var in [sections][]*conversation
	for _, c := range s.conversations {
		k := s.sectionOf(c)
		in[k] = append(in[k], c)
	}
	for k := range in {
		slices.SortFunc(in[k], func(a, b *conversation) int { return s.compare(section(k), a, b) })
	}
	s.lists.sorted = &in
}

// filterRows makes the rows of what is sorted and fits the filter, what fits best in front.
func (s *State) filterRows() {
	l := &s.lists
	words, best := s.words(), fitNot
	for _, list := range l.sorted {
		for _, c := range list {
			c.fit = s.fits(c, words)
			best = max(best, c.fit)
		}
	}
	l.filtered, l.hidden = len(words) > 0 || s.unreadOnly, nil
	for k, list := range l.sorted {
		var count [fitName + 1]int
		for _, c := range list {
			c.in = section(k)
			if c.fit == fitLoose && best > fitLoose || s.left(c) {
				c.fit = fitNot
			}
			if c.fit == fitNot {
				c.in = nowhere
			}
			count[c.fit]++
		}
		// The rows of one fit stand together, in their order.
		at, rows := [fitName + 1]int{}, make([]Row, len(list)-count[fitNot])
		for f := fitName; f > fitLoose; f-- {
			at[f-1] = at[f] + count[f]
		}
		for _, c := range list {
			if c.fit != fitNot {
				rows[at[c.fit]] = c.row()
				at[c.fit]++
			}
			if section(k) == inHidden && l.filtered {
				l.hidden = append(l.hidden, c.row())
			}
		}
		l.rows[k] = rows
	}
	if !l.filtered {
		l.hidden = l.rows[inHidden]
	}
}

// moveRows places the conversations that have changed, in one pass over each list that they leave or come to.
func (s *State) moveRows() {
	moved := make(map[ozeki.ConversationID]bool, len(s.lists.moved))
	var touched [sections]bool
	var come [sections][]*conversation
	for _, c := range s.lists.moved {
		if s.conversations[c.id] != c || moved[c.id] {
			continue // gone, which refreshAll has dealt with, or seen already
		}
		moved[c.id], touched[c.in] = true, true
		c.in = s.sectionOf(c)
		touched[c.in] = true
		come[c.in] = append(come[c.in], c)
	}
	for k := inFavorites; k < sections; k++ {
		if touched[k] {
			slices.SortFunc(come[k], func(a, b *conversation) int { return s.compare(k, a, b) })
			s.lists.rows[k] = s.merge(k, moved, come[k])
		}
	}
}

// merge returns a list without those that moved and with those that come to it, which are sorted.
func (s *State) merge(k section, moved map[ozeki.ConversationID]bool, come []*conversation) []Row {
	old := s.lists.rows[k]
	rows := make([]Row, 0, len(old)+len(come))
	if len(moved) == 1 { // a star: a comparison for each row is quicker than the map
		for id := range moved {
			i := slices.IndexFunc(old, func(r Row) bool { return r.ID == id })
			if i < 0 {
				i = len(old)
			}
			rows = append(append(rows, old[:i]...), old[min(i+1, len(old)):]...)
		}
	} else {
		for _, r := range old {
			if !moved[r.ID] {
				rows = append(rows, r)
			}
		}
	}
	// Each newcomer, the last first, moves what stands behind its place by the number of newcomers up to itself.
	end := len(rows)
	rows = rows[:end+len(come)]
	for n := len(come) - 1; n >= 0; n-- {
		at := sort.Search(end, func(i int) bool { return s.compare(k, s.conversations[rows[i].ID], come[n]) > 0 })
		copy(rows[at+n+1:], rows[at:end])
		rows[at+n], end = come[n].row(), at
	}
	return rows
}
