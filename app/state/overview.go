package state

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"starling/ozeki"
)

// overview is how far the user has read a conversation, and what was written last in it.
//
// A server with the extension overview says both in its lists. Towards one without it the device asks for what was
// written last where a row is seen, and keeps itself what was viewed. Once messages are at hand, they tell more: what is
// unread is then counted from them.
type overview struct {
	served   int             // unread messages, as the server said, or the device has counted
	servedTo ozeki.MessageID // the last message that the number takes into account
	viewed   ozeki.MessageID // up to where the user has viewed it, as far as the server knows
	seen     ozeki.MessageID // up to where he has viewed it here, while the server does not know; empty for nothing more
	seenAt   uint64          // logical time when that moved last: an older list does not take it back
	last     Message         // the last message, opened; zero for none, or while it is not known
	sealed   string          // what it was opened from
	unopened *ozeki.Message  // the last message, to be opened
	stale    bool            // the last message is to be asked for (only towards a server without overview)

	unread   int    // as shown
	preview  string // as shown
	fleeting bool   // what is shown expires
}

// reread brings what is shown of a conversation in line with what is known.
func (s *State) reread(c *conversation) {
	s.touch(c.id)
	last := c.lastShown()
	unread, preview, fleeting := c.countUnread(), c.previewOf(last), !last.Until.IsZero()
	if unread == c.unread && preview == c.preview && fleeting == c.fleeting {
		return
	}
	c.unread, c.preview, c.fleeting = unread, preview, fleeting
	s.refresh(c)
}

func (c *conversation) countUnread() int {
	if t := &c.timeline; t.loaded && !t.cut {
		at := c.readTo()
		counted := t.index(c.servedTo)
		switch {
		case at >= 0:
			c.served = t.others(at + 1)
		case counted >= 0 || c.servedTo == "" && !t.more:
			c.served += t.others(counted + 1)
		default: // the number takes later messages into account than are here
			return c.served
		}
		if n := len(t.stored); n > 0 { // for when the messages are let go
			c.last, c.servedTo = t.stored[n-1], t.stored[n-1].ID
		}
		return c.served
	}
	if c.servedTo != "" && (c.servedTo == c.seen || c.servedTo == c.viewed) {
		return 0
	}
	return c.served
}

// readTo returns the place among the messages at hand up to which the user has viewed them, negative if it is not there.
func (c *conversation) readTo() int {
	return max(c.timeline.index(c.viewed), c.timeline.index(c.seen))
}

// index returns a message's place among those that the server has, negative if it is not at hand.
func (t *timeline) index(id ozeki.MessageID) int {
	if id == "" || !t.known[id] {
		return -1
	}
	for i := len(t.stored) - 1; i >= 0; i-- {
		if t.stored[i].ID == id {
			return i
		}
	}
	return -1
}

// others counts the messages of others from a place on.
func (t *timeline) others(from int) (n int) {
	for _, m := range t.stored[min(from, len(t.stored)):] {
		if !m.Mine && m.Kind != KindDeleted {
			n++
		}
	}
	return n
}

// lastShown is the message that the sidebar shows of a conversation.
func (c *conversation) lastShown() Message {
	t, last := &c.timeline, c.last
	if n := len(t.stored); t.loaded && !t.cut && n > 0 {
		last = t.stored[n-1]
	} else if t.loaded && !t.cut && !t.more {
		last = Message{}
	}
	if n := len(t.pending); n > 0 && t.pending[n-1].Created.After(last.Created) {
		last = t.pending[n-1]
	}
	return last
}

// maxPreview is about the length of the longest preview, in bytes: more than a row shows.
const maxPreview = 160

// previewOf is a message on one line: whose it is, where that is not clear, and how it begins.
func (c *conversation) previewOf(m Message) string {
	if m.ID == "" {
		return ""
	}
	words := m.Words()
	text := words[:min(len(words), maxPreview)]
	for len(text) < len(words) && !utf8.ValidString(text) {
		text = text[:len(text)-1]
	}
	text = strings.Join(strings.Fields(text), " ")
	switch {
	case m.Kind == KindDeleted:
		return "Message deleted"
	case m.Kind == KindEvent && m.Mine:
		return "You " + text
	case m.Kind == KindEvent:
		return m.Sender + " " + text
	case m.Mine:
		return "You: " + text
	case c.group && m.Sender != "":
		return m.Sender + ": " + text
	}
	return text
}

// takeOverview takes over what the server says of how far the user has read a conversation; askedAt is Tick at the time of asking.
func (s *State) takeOverview(c *conversation, in *ozeki.Conversation, askedAt uint64) {
	says := in.Unread != nil && slices.Contains(s.extensions, ozeki.ExtOverview)
	switch m := in.LastMessage; {
	case !says:
		c.stale = in.LastMessageID != "" && in.LastMessageID != c.last.ID
	case m == nil:
		c.last, c.sealed, c.unopened = Message{}, "", nil
	case m.ID != c.last.ID || m.Data != c.sealed:
		c.unopened = m
		if s.unopened == nil {
			s.unopened = map[ozeki.ConversationID]bool{}
		}
		s.unopened[c.id] = true
	}
	switch {
	case says && askedAt >= c.seenAt:
		c.served, c.servedTo, c.viewed = *in.Unread, in.LastMessageID, in.Viewed
	case says:
		s.outrun = append(s.outrun, c.id)
	}
	c.timeline.listed(askedAt)
	s.reread(c)
}

// TakeOutrun returns the conversations of which a list said how much is unread after that had changed here, since it was
// called last. They are to be asked for again: where the server knew already what was viewed, no change of it will be told.
func (s *State) TakeOutrun() []ozeki.ConversationID {
	ids := s.outrun
	s.outrun = nil
	return ids
}

// forget begins anew with a new instance.
func (o *overview) forget() {
	*o = overview{unread: o.unread, preview: o.preview, fleeting: o.fleeting, seenAt: o.seenAt}
}

// SealedLast is the last message of a conversation, to be opened.
type SealedLast struct {
	ID      ozeki.ConversationID
	Message ozeki.Message
}

// UnopenedLast lists the last messages that can be opened and are not, at most limit; with ids, only those of these
// conversations.
func (s *State) UnopenedLast(limit int, ids ...ozeki.ConversationID) []SealedLast {
	var list []SealedLast
	look := func(id ozeki.ConversationID) {
		switch c := s.conversations[id]; {
		case c == nil || c.unopened == nil:
			delete(s.unopened, id)
		case c.key != nil && len(list) < limit:
			list = append(list, SealedLast{id, *c.unopened})
		}
	}
	for _, id := range ids {
		look(id)
	}
	if len(ids) == 0 {
		for id := range s.unopened {
			look(id)
		}
	}
	return list
}

// LastOpened: last messages were opened.
type LastOpened struct{ Opened []OpenedLast }

// OpenedLast is a conversation's last message. Sealed is what it was opened from: another one may have come since.
type OpenedLast struct {
	ID      ozeki.ConversationID
	Sealed  ozeki.Message
	Message Message
}

func (e LastOpened) apply(s *State) {
	for _, o := range e.Opened {
		c := s.conversations[o.ID]
		if c == nil || c.unopened == nil || c.unopened.ID != o.Sealed.ID || c.unopened.Data != o.Sealed.Data {
			continue
		}
		c.last, c.sealed, c.unopened = s.attributed(c, o.Message), o.Sealed.Data, nil
		s.willExpire(c.last)
		delete(s.unopened, o.ID)
		s.reread(c)
	}
}

// attributed says of a message who wrote it.
func (s *State) attributed(c *conversation, m Message) Message {
	m.Mine, m.Sender = m.From == s.user.ID, s.nameIn(c, m.From)
	return m
}

// Viewed: the user has viewed a conversation up to a message on this device. What is nothing new changes nothing.
type Viewed struct {
	ID   ozeki.ConversationID
	UpTo ozeki.MessageID
}

func (e Viewed) apply(s *State) {
	c := s.conversations[e.ID]
	if c == nil || e.UpTo == "" || e.UpTo == c.viewed || e.UpTo == c.seen {
		return
	}
	to, at := c.timeline.index(e.UpTo), c.readTo()
	switch {
	case c.unread == 0, to < 0 && e.UpTo != c.lastMessage:
		return
	case to >= 0 && (to <= at || at >= 0 && c.timeline.others(at+1) == c.timeline.others(to+1)):
		return
	}
	s.tick++
	c.seen, c.seenAt = e.UpTo, s.tick
	if s.reporting == nil {
		s.reporting = map[ozeki.ConversationID]bool{}
	}
	s.reporting[e.ID] = true
	s.reread(c)
}

// Reported: the server has been told that a conversation was viewed up to a message, or does not want to know.
type Reported struct {
	ID   ozeki.ConversationID
	UpTo ozeki.MessageID
}

func (e Reported) apply(s *State) {
	c := s.conversations[e.ID]
	if c == nil || c.seen == "" {
		delete(s.reporting, e.ID)
		return
	}
	s.tick++
	c.viewed, c.seenAt = e.UpTo, s.tick
	if c.seen == e.UpTo {
		c.seen = ""
		delete(s.reporting, e.ID)
	}
	s.reread(c)
}

// Report is what the server has to be told of a conversation: the messages of others that were viewed, oldest first.
type Report struct {
	Instance    ozeki.Instance
	Messages    []ozeki.MessageID
	First, Last time.Time // when they were written; zero where it is not known
	UpTo        ozeki.MessageID
	UpToAt      time.Time
}

// NextReport returns what the server has to be told of a conversation now; false for nothing.
func (s *State) NextReport(id ozeki.ConversationID) (Report, bool) {
	c := s.conversations[id]
	if c == nil || c.seen == "" {
		return Report{}, false
	}
	r := Report{Instance: c.instance, UpTo: c.seen}
	t := &c.timeline
	if to := t.index(c.seen); to >= 0 {
		r.UpToAt = t.stored[to].Created
		for i := to; i > t.index(c.viewed) && len(r.Messages) < ozeki.MaxReported; i-- {
			if m := t.stored[i]; !m.Mine {
				r.Messages = append([]ozeki.MessageID{m.ID}, r.Messages...)
				r.First = m.Created
				if r.Last.IsZero() {
					r.Last = m.Created
				}
			}
		}
	}
	if len(r.Messages) == 0 {
		r.Messages = []ozeki.MessageID{c.seen}
	}
	return r, true
}

// Unreported lists the conversations of which the server has to be told what was viewed.
func (s *State) Unreported() []ozeki.ConversationID {
	ids := make([]ozeki.ConversationID, 0, len(s.reporting))
	for id := range s.reporting {
		ids = append(ids, id)
	}
	return ids
}

// Newest returns the newest message that is known to be in a conversation, empty for none.
func (s *State) Newest(id ozeki.ConversationID) ozeki.MessageID {
	c := s.conversations[id]
	if c == nil {
		return ""
	}
	if n := len(c.timeline.stored); c.timeline.loaded && !c.timeline.cut && n > 0 {
		return c.timeline.stored[n-1].ID
	}
	return c.lastMessage
}

// newLine is the place of the line above the first message that was new when the conversation was opened. It stays until
// the conversation is left.
type newLine struct {
	begun  bool            // what was unread is noted
	placed bool            // from is final
	unread int             // when it was opened
	viewed ozeki.MessageID // up to where it had been viewed then
	from   ozeki.MessageID
}

// placeLine looks for the place of the line in the open conversation, as soon as its messages are at hand.
func (s *State) placeLine() {
	c, line := s.conversations[s.open], &s.line
	if c == nil || line.placed {
		return
	}
	if !line.begun {
		line.begun, line.unread, line.viewed = true, c.unread, c.viewed
		if c.timeline.index(c.seen) > c.timeline.index(c.viewed) {
			line.viewed = c.seen
		}
		line.placed = c.unread == 0
	}
	t := &c.timeline
	if line.placed || !t.loaded {
		return
	}
	at := t.index(line.viewed)
	if at >= 0 {
		line.placed = true
		line.from = ""
	}
	left := line.unread
	for i := len(t.stored) - 1; i > at && (at >= 0 || left > 0); i-- {
		if !t.stored[i].Mine {
			line.from, left = t.stored[i].ID, left-1
		}
	}
	line.placed = line.placed || left == 0 || !t.more
}

// Counted: the device asked for what was written last in a conversation and counted what is new of it, since the server
// does not say.
type Counted struct {
	ID       ozeki.ConversationID
	Instance ozeki.Instance
	Last     Message // zero for none
	Unread   int
	Viewed   ozeki.MessageID
}

func (e Counted) apply(s *State) {
	c := s.conversations[e.ID]
	if c == nil || c.instance != e.Instance {
		return
	}
	c.stale = false
	c.last, c.served, c.servedTo = s.attributed(c, e.Last), e.Unread, e.Last.ID
	if e.Last.ID == "" {
		c.last = Message{}
	}
	if c.lastMessage = e.Last.ID; c.seen == "" {
		c.viewed = e.Viewed
	}
	if e.Last.Created.After(c.active) {
		c.active = e.Last.Created
	}
	s.reread(c)
	s.refresh(c)
}

// ReadKept: up to where the user has viewed conversations on this device, as it has kept it.
type ReadKept struct {
	Viewed map[ozeki.ConversationID]ozeki.MessageID
	// Since is when the device began to keep it: what was not used since then counts as viewed. It is zero where the server
	// keeps it: then it has to be told.
	Since time.Time
}

func (e ReadKept) apply(s *State) {
	for id, upTo := range e.Viewed {
		if e.Since.IsZero() {
			Viewed{id, upTo}.apply(s)
		} else if c := s.conversations[id]; c != nil {
			c.viewed = upTo
			s.reread(c)
		}
	}
	if e.Since.IsZero() {
		return
	}
	for _, c := range s.conversations {
		if !c.active.After(e.Since) && e.Viewed[c.id] == "" {
			c.servedTo = c.lastMessage
		}
	}
}

// Stale reports whether what was written last in a conversation has to be asked for, and what is known of it: its
// instance, its last message, empty if there are newer ones, and when it was used last.
func (s *State) Stale(id ozeki.ConversationID) (instance ozeki.Instance, newest ozeki.MessageID, active time.Time, stale bool) {
	c := s.conversations[id]
	if c == nil || !c.stale || c.timeline.loaded && !c.timeline.cut {
		return "", "", time.Time{}, false
	}
	if newest = c.lastMessage; newest == c.last.ID {
		newest = "" // this was shown already, and then something was written
	}
	return c.instance, newest, c.active, true
}

// Cleared: the user cleared a conversation; it is given as it stands now.
type Cleared struct{ Conversation ozeki.Conversation }

func (e Cleared) apply(s *State) {
	c := s.conversations[e.Conversation.ID]
	if c == nil {
		return
	}
	s.tick++
	s.take(&e.Conversation, s.tick)
	c.answeredAt = s.tick
	s.announce(c.name + " was cleared.")
}

// NameOf returns the name that a conversation is shown by.
func (s *State) NameOf(id ozeki.ConversationID) string {
	if c := s.conversations[id]; c != nil {
		return c.name
	}
	return ""
}
