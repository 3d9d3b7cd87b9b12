package state

import (
	"slices"
	"strings"
	"time"
	"unicode"

	"starling/ozeki"
)

// take takes over what the server says of a conversation; flags only if no later answer about them is known.
func (s *State) take(in *ozeki.Conversation, askedAt uint64) {
	c := s.conversations[in.ID]
	if c == nil {
		c = &conversation{id: in.ID}
		s.conversations[in.ID] = c
	}
	if c.instance != "" && c.instance != in.Instance {
		c.timeline.restart()
		s.touchMessages(c.id)
		c.overview.forget()
		if s.open == c.id {
			s.line = newLine{begun: true, placed: true}
		}
	}
	if !samePeople(c.participants, in.Participants) {
		c.letters, c.with = 0, ""
		for _, p := range in.Participants {
			if !in.IsGroup && p.UserID != s.user.ID {
				c.with = p.UserID
			}
		}
		c.blocked = s.blocklist.has(c.with)
	}
	c.participants, c.group, c.instance, c.lastMessage = in.Participants, in.IsGroup, in.Instance, in.LastMessageID
	s.countOthers(c)
	c.present()
	c.presence = s.presenceIn(c)
	if active := time.Unix(in.LastAccess, 0).UTC(); in.LastAccess > 0 && active.After(c.active) {
		c.active = active
	}
	c.former, c.epoch, c.rekey = in.Former, in.Epoch, in.Rekey
	s.meetAll(in.Participants)
	s.meetAll(in.Former)
	c.takeKeys(in)
	c.sealedName = in.DisplayName
	if !c.opened && !c.goesOn {
		c.rename(participantsName(in.Participants, s.user.ID))
	}
	if p, ok := in.PropertyOf(s.user.ID); ok {
		for _, name := range Flags {
			if askedAt >= c.flag(name).answeredAt {
				c.take(name, p)
			}
		}
	}
	s.takeOverview(c, in, askedAt)
	s.refresh(c)
}

func (c *conversation) rename(name string) {
	if name != c.name {
		c.name, c.fold, c.letters = name, Fold(name), 0
	}
}

// participantsName names a conversation by the people in it other than the user.
func participantsName(ps []ozeki.Participant, me ozeki.UserID) string {
	names := make([]string, 0, len(ps))
	for _, p := range ps {
		if p.UserID != me && p.UserName != "" {
			names = append(names, p.UserName)
		}
	}
	if len(names) == 0 {
		for _, p := range ps {
			if p.UserName != "" {
				return p.UserName
			}
		}
		return "Unnamed conversation"
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

func validColor(s string) bool {
	if len(s) != 7 || s[0] != '#' {
		return false
	}
	for _, c := range s[1:] {
		if !strings.ContainsRune("0123456789abcdefABCDEF", c) {
			return false
		}
	}
	return true
}

func containsInstance(hideID string, instance ozeki.Instance) bool {
	for _, v := range strings.Split(hideID, ";") {
		if v != "" && v == string(instance) {
			return true
		}
	}
	return false
}

// Fold returns a text for comparing and searching: lower case, Latin letters without their diacritics, ß as ss.
// It covers Latin-1, Latin Extended-A and the Romanian ș and ț, which is what European names need, in a few hundred bytes instead of the
// tables of golang.org/x/text.
func Fold(s string) string {
	ascii := true
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= 0x80 || (c >= 'A' && c <= 'Z') {
			ascii = false
			break
		}
	}
	if ascii {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for _, r := range s {
		switch {
		case r >= 0x300 && r <= 0x36f: // combining marks
		case r == 'ß' || r == 'ẞ':
			b.WriteString("ss")
		case r == 'æ' || r == 'Æ':
			b.WriteString("ae")
		case r == 'œ' || r == 'Œ':
			b.WriteString("oe")
		case r == 'þ' || r == 'Þ':
			b.WriteString("th")
		default:
			r = unicode.ToLower(r)
			if i := strings.IndexRune(foldFrom, r); i >= 0 {
				// both strings have one rune a letter, foldFrom two bytes each and foldTo one
				r = rune(foldTo[i/2])
			}
			b.WriteRune(r)
		}
	}
	return b.String()
}

const (
	foldFrom = "àáâãäåāăąçćĉċčďđðèéêëēĕėęěĝğġģĥħìíîïĩīĭįıĵķĺļľŀłñńņňòóôõöøōŏőŕŗřśŝşšșţťŧțùúûüũūŭůűųŵýÿŷźżž"
	foldTo   = "aaaaaaaaacccccdddeeeeeeeeegggghhiiiiiiiiijklllllnnnnooooooooorrrsssssttttuuuuuuuuuuwyyyzzz"
)
