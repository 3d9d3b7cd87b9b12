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
	nowhere section = iota // not in a list yet
	inFavorites
	inOthers
	inHidden
	sections
)

// lists are the sorted rows of the sidebar. Slices of rows go out with snapshots and are never changed, nor are rows: what
// moves is put into a new slice, which holds pointers, so that a star among 10,000 conversations costs neither a sort nor
// a copy of all rows. Nor does a letter in the filter.
type lists struct {
	rows     [sections][]*Row
	stale    bool            // all rows must be sorted again
	moved    []*conversation // these must be placed again
	place    map[ozeki.ConversationID]int
	sorted   [sections][]*conversation // all conversations in the order of their lists, whatever the filter
	refilter bool                      // the filter has changed
	filtered bool                      // rows leave something out, or stand in the order of how well they fit
	hidden   []*Row                    // all hidden conversations, also those that a filter leaves out
	unread   int                       // messages in conversations that are neither muted nor hidden
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
	moved := len(l.moved) > 0
	switch {
	case l.stale:
		s.sort()
	case moved:
		s.move()
	}
	if l.stale || l.refilter || moved && l.filtered { // how well the others fit counts as well
		s.filterRows()
	}
	l.stale, l.moved, l.refilter = false, nil, false
}

// show makes the row of a conversation anew if it has changed, and counts what is unread in it.
func (s *State) show(c *conversation) {
	if r := c.row(); c.shown == nil || *c.shown != r {
		made := r // on the heap only now
		c.shown = &made
	}
	if c.counted = c.unread; c.shown.Muted || c.shown.Hidden {
		c.counted = 0
	}
	s.lists.unread += c.counted
}

// rowsOf are the rows of a list.
func rowsOf(list []*conversation) []*Row {
	rows := make([]*Row, len(list))
	for i, c := range list {
		rows[i] = c.shown
	}
	return rows
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
	l := &s.lists
	l.place = make(map[ozeki.ConversationID]int, len(s.order))
	for i, id := range s.order {
		l.place[id] = i + 1
	}
	l.sorted, l.unread = [sections][]*conversation{}, 0
	for _, c := range s.conversations {
		s.show(c)
		c.in = s.sectionOf(c)
		l.sorted[c.in] = append(l.sorted[c.in], c)
	}
	for k, list := range l.sorted {
		slices.SortFunc(list, func(a, b *conversation) int { return s.compare(section(k), a, b) })
		l.number(section(k))
	}
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
	l.filtered = len(words) > 0 || s.unreadOnly
	for k, list := range l.sorted {
		var count [fitName + 1]int
		for _, c := range list {
			if c.fit == fitLoose && best > fitLoose || s.left(c) {
				c.fit = fitNot
			}
			count[c.fit]++
		}
		// The rows of one fit stand together, in their order.
		at, rows := [fitName + 1]int{}, make([]*Row, len(list)-count[fitNot])
		for f := fitName; f > fitLoose; f-- {
			at[f-1] = at[f] + count[f]
		}
		for _, c := range list {
			if c.fit != fitNot {
				rows[at[c.fit]] = c.shown
				at[c.fit]++
			}
		}
		l.rows[k] = rows
	}
	if l.hidden = l.rows[inHidden]; l.filtered {
		l.hidden = rowsOf(l.sorted[inHidden])
	}
}

// move places the conversations that have changed, in one pass over each list that they leave or come to. Where all stand
// right already, which is so when their names were opened, there is none.
func (s *State) move() {
	l := &s.lists
	var touched, shifted [sections]bool
	var come [sections][]*conversation
	for _, c := range l.moved {
		if s.conversations[c.id] != c || c.moving {
			continue // gone, which refreshAll has dealt with, or seen already
		}
		c.moving = true
		l.unread -= c.counted
		s.show(c)
		k := s.sectionOf(c)
		if k != c.in {
			shifted[c.in], shifted[k] = true, true
		}
		touched[c.in], touched[k] = true, true
		c.in = k
		come[k] = append(come[k], c)
	}
	for k := inFavorites; k < sections; k++ {
		switch {
		case !touched[k]:
			continue
		case !shifted[k] && !slices.ContainsFunc(come[k], func(c *conversation) bool { return !s.standsRight(c) }):
			if !l.filtered {
				l.rows[k] = slices.Clone(l.rows[k])
				for _, c := range come[k] {
					l.rows[k][c.at] = c.shown
				}
			}
			continue
		}
		slices.SortFunc(come[k], func(a, b *conversation) int { return s.compare(k, a, b) })
		list, n := l.sorted[k], 0
		for _, c := range list { // a call for each of them takes a browser longer than the rest of a star
			if !c.moving {
				list[n] = c
				n++
			}
		}
		clear(list[n:])
		l.sorted[k] = s.merge(k, list[:n], come[k])
		l.number(k)
		if !l.filtered {
			l.rows[k] = rowsOf(l.sorted[k])
		}
	}
	if !l.filtered {
		l.hidden = l.rows[inHidden]
	}
	for _, c := range l.moved {
		c.moving = false
	}
}

// number notes the places in a list.
func (l *lists) number(k section) {
	for i, c := range l.sorted[k] {
		c.at = i
	}
}

// standsRight reports whether a conversation's neighbours in its list are the right ones.
func (s *State) standsRight(c *conversation) bool {
	list := s.lists.sorted[c.in]
	return (c.at == 0 || s.compare(c.in, list[c.at-1], c) < 0) && (c.at == len(list)-1 || s.compare(c.in, c, list[c.at+1]) < 0)
}

// merge puts those that come to a list, which are sorted, into their places in it.
func (s *State) merge(k section, list, come []*conversation) []*conversation {
	// Each newcomer, the last first, moves what stands behind its place by the number of newcomers up to itself.
	end := len(list)
	list = slices.Grow(list, len(come))[:end+len(come)]
	for n := len(come) - 1; n >= 0; n-- {
		at := sort.Search(end, func(i int) bool { return s.compare(k, list[i], come[n]) > 0 })
		copy(list[at+n+1:], list[at:end])
		list[at+n], end = come[n], at
	}
	return list
}
