package state

import (
	"slices"
	"strings"

	"starling/ozeki"
)

// The filter finds conversations by their names and by the people in them, whatever the case and the diacritics. Each of
// its words has to fit; the better all of them fit, the higher a conversation stands in its list.

// fit says how well a conversation fits the filter.
type fit int

const (
	fitNot    fit = iota
	fitLoose      // the letters come in this order: shown only where nothing fits better
	fitPeople     // somebody in it fits
	fitParts      // beginnings of words, one after the other: "jogo" for João Gonçalves
	fitInside     // somewhere in the name
	fitWord       // a word of the name begins so
	fitName       // the name begins so
)

// words are the words of the filter, folded.
func (s *State) words() []string { return strings.Fields(Fold(s.filter)) }

// fits returns how well a conversation fits all words: as well as the worst of them.
func (s *State) fits(c *conversation, words []string) fit {
	worst := fitName
	if len(words) > 0 && c.letters == 0 {
		s.index(c)
	}
	for _, w := range words {
		if worst = min(worst, c.fitsWord(w)); worst == fitNot {
			break
		}
	}
	return worst
}

// index prepares a conversation for the filter: the names of the other people in it, one a line, folded, and which letters
// there are.
func (s *State) index(c *conversation) {
	var b strings.Builder
	for _, p := range c.participants {
		if fold := Fold(p.UserName); p.UserID != s.user.ID && fold != c.fold {
			b.WriteString(fold + "\n")
		}
	}
	c.people = b.String()
	c.letters = lettersOf(c.fold) | lettersOf(c.people) | 1<<63
}

// lettersOf tells the bytes of a text, as far as 63 bits do: what has not all of a word's cannot fit it.
func lettersOf(text string) (letters uint64) {
	for i := range len(text) {
		letters |= 1 << (text[i] % 63)
	}
	return letters
}

func (c *conversation) fitsWord(w string) fit {
	if lettersOf(w)&^c.letters != 0 {
		return fitNot
	}
	switch i := strings.Index(c.fold, w); {
	case i == 0:
		return fitName
	case i > 0 && atWord(c.fold, w):
		return fitWord
	case i > 0:
		return fitInside
	case inParts(c.fold, w):
		return fitParts
	}
	if strings.Contains(c.people, w) || inParts(c.people, w) {
		return fitPeople
	}
	if len(w) > 2 && inOrder(c.fold, w) {
		return fitLoose
	}
	return fitNot
}

// wordBegins reports whether a word begins at a place of a text.
func wordBegins(text string, i int) bool {
	if i == 0 {
		return true
	}
	switch text[i-1] {
	case ' ', '\n', '-', '_', '.', ',', ';', ':', '/', '&', '+', '(', ')', '\'', '"', '@', '#':
		return true
	}
	return false
}

// atWord reports whether a word of the text begins with w.
func atWord(text, w string) bool {
	for from := 0; ; {
		i := strings.Index(text[from:], w)
		if i < 0 {
			return false
		}
		if from += i; wordBegins(text, from) {
			return true
		}
		from++
	}
}

// inParts reports whether w is made of beginnings of words of the text, in their order.
func inParts(text, w string) bool {
	if len(w) > 63 {
		return false
	}
	reached := uint64(1) // bit n: the first n letters are made of beginnings of the words so far
	for i := 0; i < len(text); i++ {
		if !wordBegins(text, i) || strings.IndexByte(w, text[i]) < 0 {
			continue
		}
		for n, before := 0, reached; n < len(w); n++ {
			if before>>n&1 == 0 {
				continue
			}
			for m := n; m < len(w) && i+m-n < len(text) && text[i+m-n] == w[m]; m++ {
				reached |= 1 << (m + 1)
			}
		}
	}
	return reached>>len(w)&1 == 1
}

// inOrder reports whether the letters of w come in this order in the text, the first at the beginning of a word.
func inOrder(text, w string) bool {
	for i := 0; i < len(text); i++ {
		if text[i] != w[0] || !wordBegins(text, i) {
			continue
		}
		n := 0
		for j := i; j < len(text) && n < len(w); j++ {
			if text[j] == w[n] {
				n++
			}
		}
		return n == len(w) // a later beginning has no more letters after it
	}
	return false
}

// UnreadOnly: the user wants to see only conversations with something unread, or all of them.
type UnreadOnly struct{ On bool }

func (e UnreadOnly) apply(s *State) { s.unreadOnly, s.lists.refilter = e.On, true }

// left reports whether a conversation is left out because of what is unread. The open one stays.
func (s *State) left(c *conversation) bool { return s.unreadOnly && c.unread == 0 && c.id != s.open }

// best returns the conversation that fits the filter best, the first one of them as they stand in the lists; empty
// without a filter.
func (s *State) best() ozeki.ConversationID {
	if s.filter == "" {
		return ""
	}
	var best *conversation
	for _, rows := range s.lists.rows {
		if len(rows) > 0 {
			if c := s.conversations[rows[0].ID]; best == nil || c.fit > best.fit {
				best = c
			}
		}
	}
	if best == nil {
		return ""
	}
	return best.id
}

// samePeople reports whether the names of the people in a conversation stay the same.
func samePeople(a, b []ozeki.Participant) bool {
	return slices.EqualFunc(a, b, func(a, b ozeki.Participant) bool { return a.UserID == b.UserID && a.UserName == b.UserName })
}
