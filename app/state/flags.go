package state

import (
	"fmt"
	"strings"

	"starling/ozeki"
)

// A flag is what the user sets on a conversation for himself. It is sent as a state, never as a toggle, one request at a
// time for each conversation and flag: while one is on its way the user's later clicks only change the wish, and the last
// wish is sent when the answer is there. So requests cannot overtake each other, fifty quick clicks end in the state of
// the last, and the server is not flooded. The flags of a conversation are independent of each other: an answer settles
// the flag that it answers; what it says of the others may be from before their own requests took effect.

// Flag names a flag. The names are kept on devices.
type Flag string

const (
	FlagFavorite Flag = "favorite" // On or empty
	FlagMute     Flag = "mute"     // On or empty
	FlagHide     Flag = "hide"     // a hideid: what was hidden, or empty
	FlagColor    Flag = "color"    // "#rrggbb", or empty for none
)

// On is the value of a flag that is set and has no other value.
const On = "on"

// Flags are all flags.
var Flags = []Flag{FlagFavorite, FlagMute, FlagHide, FlagColor}

// FlagPhase says how far a flag on its way is.
type FlagPhase int

const (
	FlagSettled FlagPhase = iota // as the server said
	FlagPending                  // on its way to the server
	FlagQueued                   // the server cannot be reached: sent when it can
)

// flag is what is known of one flag of a conversation.
type flag struct {
	word       string // the server's
	wish       *wish
	inFlight   uint64 // seq of the request on its way, 0 none
	uncertain  bool   // a request was lost, or its answer is not to be believed: word may be wrong
	answeredAt uint64 // logical time of the last answer
}

// wish is what the user wants a flag to be while the server has not said so.
type wish struct {
	value  string
	seq    uint64
	queued bool
	told   bool // the server took it but answered something else: the next list says what is so
}

// shown is the flag as people see it: the wish where there is one, else the server's word.
func (f *flag) shown() string {
	if f.wish != nil {
		return f.wish.value
	}
	return f.word
}

func (f *flag) phase() FlagPhase {
	switch {
	case f.wish == nil:
		return FlagSettled
	case f.wish.queued:
		return FlagQueued
	}
	return FlagPending
}

func (c *conversation) flag(name Flag) *flag {
	switch name {
	case FlagMute:
		return &c.mute
	case FlagHide:
		return &c.hide
	case FlagColor:
		return &c.color
	}
	return &c.favorite
}

// same reports whether two values of a flag look the same.
func (c *conversation) same(name Flag, a, b string) bool {
	if name == FlagHide {
		return c.hiddenBy(a) == c.hiddenBy(b)
	}
	return a == b
}

func onOff(on bool) string {
	if on {
		return On
	}
	return ""
}

// valueOf is a flag as an entry of the server's has it.
func valueOf(name Flag, p ozeki.Property) string {
	switch name {
	case FlagMute:
		return onOff(p.IsMuted)
	case FlagHide:
		return p.HideID
	case FlagColor:
		if validColor(p.Color) && !strings.EqualFold(p.Color, NoColor) {
			return strings.ToLower(p.Color)
		}
		return ""
	}
	return onOff(p.IsFavorite)
}

// NoColor is how the API writes that a conversation has no colour of its own.
const NoColor = "#ffffff"

// take takes the server's word of a flag over.
func (c *conversation) take(name Flag, p ozeki.Property) {
	f := c.flag(name)
	f.word = valueOf(name, p)
	switch {
	case f.wish == nil || f.inFlight != 0:
	case f.wish.told:
		f.wish, f.uncertain = nil, false
	case !f.uncertain && c.same(name, f.wish.value, f.word):
		// After a lost request only an answer settles a wish: what is said here may be from before the request took effect.
		f.wish = nil
	}
}

// flagWords are what is said of a flag: what was done, and what could not be done.
func flagWords(name Flag, value string) (done, failed string) {
	set := value != ""
	switch {
	case name == FlagMute && set:
		return "%s muted.", "%s could not be muted. %s"
	case name == FlagMute:
		return "%s is not muted any more.", "%s could not be unmuted. %s"
	case name == FlagHide && set:
		return "%s hidden.", "%s could not be hidden. %s"
	case name == FlagHide:
		return "%s is shown again.", "%s could not be shown again. %s"
	case name == FlagColor && set:
		return "%s has another colour.", "%s could not be given another colour. %s"
	case name == FlagColor:
		return "%s has no colour any more.", "The colour of %s could not be taken away. %s"
	case set:
		return "%s added to favorites.", "%s could not be added to favorites. %s"
	}
	return "%s removed from favorites.", "%s could not be removed from favorites. %s"
}

// undoable reports whether setting a flag takes a row away from where it was, so that it is offered back for a while.
func undoable(name Flag, value string) bool {
	return name == FlagFavorite && value == "" || name == FlagHide && value != ""
}

// FlagWanted: the user wants a flag of a conversation to have a value.
type FlagWanted struct {
	ID    ozeki.ConversationID
	Flag  Flag
	Value string
}

func (e FlagWanted) apply(s *State) {
	c := s.conversations[e.ID]
	if c == nil {
		return
	}
	f := c.flag(e.Flag)
	was := f.shown()
	if c.same(e.Flag, was, e.Value) {
		// Nothing to do, not even to undo: another device was faster.
		s.dropNotices(func(n Notice) bool {
			return n.Kind == NoticeUndo && n.Conversation == e.ID && n.Flag == e.Flag && c.same(e.Flag, n.Back, e.Value)
		})
		return
	}
	s.tick++
	f.wish = &wish{value: e.Value, seq: s.tick}
	if f.inFlight == 0 && !f.uncertain && c.same(e.Flag, f.word, e.Value) {
		f.wish = nil // back to what the server has: nothing to send
	}
	s.refresh(c)
	s.dropNotices(func(n Notice) bool { return n.Conversation == e.ID && n.Flag == e.Flag })
	done, _ := flagWords(e.Flag, e.Value)
	text := fmt.Sprintf(done, c.name)
	if undoable(e.Flag, e.Value) {
		s.notify(Notice{Kind: NoticeUndo, Text: text, Conversation: e.ID, Flag: e.Flag, Back: was})
		text += " Undo is available."
	}
	s.announce(text)
}

// FlagSent: a request for the wish of this sequence is on its way.
type FlagSent struct {
	ID   ozeki.ConversationID
	Flag Flag
	Seq  uint64
}

func (e FlagSent) apply(s *State) {
	if c := s.conversations[e.ID]; c != nil {
		f := c.flag(e.Flag)
		f.inFlight = e.Seq
		if f.wish != nil && f.wish.queued {
			f.wish = &wish{value: f.wish.value, seq: f.wish.seq}
		}
		s.refresh(c)
	}
}

// landed ends a request on its way and returns its conversation; nil if it is not the one on its way.
func (s *State) landed(id ozeki.ConversationID, name Flag, seq uint64) (*conversation, *flag) {
	c := s.conversations[id]
	if c == nil {
		return nil, nil
	}
	f := c.flag(name)
	if f.inFlight != seq {
		return nil, nil
	}
	f.inFlight = 0
	s.refresh(c)
	return c, f
}

// FlagAnswered: the server answered that it has set the flag to Value. Its conversation is the truth, read from the
// user's own entry; but the answer about a colour may still show the old one, so there a list asked for later is.
type FlagAnswered struct {
	ID           ozeki.ConversationID
	Flag         Flag
	Seq          uint64
	Value        string // as asked for
	Conversation ozeki.Conversation
}

func (e FlagAnswered) apply(s *State) {
	c, f := s.landed(e.ID, e.Flag, e.Seq)
	if c == nil {
		return
	}
	f.uncertain = false
	s.tick++
	f.answeredAt, c.answeredAt = s.tick, s.tick
	current := f.wish != nil && f.wish.seq == e.Seq
	p, ok := e.Conversation.PropertyOf(s.user.ID)
	switch {
	case ok && e.Flag == FlagColor && valueOf(e.Flag, p) != e.Value:
		f.uncertain = true
		if current {
			f.wish = &wish{value: f.wish.value, seq: f.wish.seq, told: true}
		}
	case ok:
		if current {
			f.wish = nil
		}
		c.take(e.Flag, p)
	case current:
		// No entry of ours in the answer: the status said OK, so the wish holds until the next list tells.
		f.word, f.wish = f.wish.value, nil
	}
}

// FlagRefused: the server refused; Words say why. If the user has changed his mind since, the refusal is of no interest.
type FlagRefused struct {
	ID    ozeki.ConversationID
	Flag  Flag
	Seq   uint64
	Words string
}

func (e FlagRefused) apply(s *State) {
	c, f := s.landed(e.ID, e.Flag, e.Seq)
	if c == nil {
		return
	}
	switch {
	case f.wish == nil:
	case f.wish.seq == e.Seq:
		_, failed := flagWords(e.Flag, f.wish.value)
		f.wish = nil
		text := fmt.Sprintf(failed, c.name, e.Words)
		s.dropNotices(func(n Notice) bool { return n.Conversation == e.ID && n.Flag == e.Flag })
		s.notify(Notice{Kind: NoticeError, Text: text, Conversation: e.ID, Flag: e.Flag})
		s.announce(text)
	case c.same(e.Flag, f.wish.value, f.word) && !f.uncertain:
		f.wish = nil
	}
}

// FlagUnreached: the request did not reach the server, or its answer did not come. The wish is kept.
type FlagUnreached struct {
	ID   ozeki.ConversationID
	Flag Flag
	Seq  uint64
}

func (e FlagUnreached) apply(s *State) {
	c, f := s.landed(e.ID, e.Flag, e.Seq)
	if c == nil {
		return
	}
	f.uncertain = true
	if f.wish != nil {
		f.wish = &wish{value: f.wish.value, seq: f.wish.seq, queued: true}
		s.announce(fmt.Sprintf("%s: the change is kept and sent when the connection is back.", c.name))
	}
}

// FlagDropped: the wish of this sequence is not to be sent: another tab has sent it, or one that came later. What became of
// it is told by the server.
type FlagDropped struct {
	ID   ozeki.ConversationID
	Flag Flag
	Seq  uint64
}

func (e FlagDropped) apply(s *State) {
	if c, f := s.landed(e.ID, e.Flag, e.Seq); c != nil && f.wish != nil && f.wish.seq == e.Seq {
		f.wish = nil
		s.refresh(c)
	}
}

// WishElsewhere: the user set the flag in another tab, which sends it. An older wish that waits here is void.
type WishElsewhere struct {
	ID   ozeki.ConversationID
	Flag Flag
}

func (e WishElsewhere) apply(s *State) {
	if c := s.conversations[e.ID]; c != nil {
		if f := c.flag(e.Flag); f.wish != nil && f.inFlight == 0 {
			f.wish = nil
			s.refresh(c)
		}
	}
}

// Wishes are flags of conversations that the server has not confirmed.
type Wishes map[ozeki.ConversationID]map[Flag]string

// WishesKept: what was asked for in an earlier run of the program and has not been confirmed.
type WishesKept struct{ Wishes Wishes }

func (e WishesKept) apply(s *State) {
	for id, wishes := range e.Wishes {
		c := s.conversations[id]
		if c == nil {
			continue
		}
		for _, name := range Flags {
			if value, wanted := wishes[name]; wanted && c.flag(name).wish == nil {
				s.tick++
				c.flag(name).wish = &wish{value: value, seq: s.tick, queued: true}
			}
		}
	}
	s.refreshAll()
}

// FlagOf returns a flag as it is shown, and whether the conversation is there at all.
func (s *State) FlagOf(id ozeki.ConversationID, name Flag) (value string, known bool) {
	c := s.conversations[id]
	if c == nil {
		return "", false
	}
	return c.flag(name).shown(), true
}

// NextFlag returns what has to be sent of a conversation's flag now, if anything.
func (s *State) NextFlag(id ozeki.ConversationID, name Flag) (value string, seq uint64, send bool) {
	c := s.conversations[id]
	if c == nil {
		return "", 0, false
	}
	f := c.flag(name)
	if f.wish == nil || f.wish.told || f.inFlight != 0 {
		return "", 0, false
	}
	return f.wish.value, f.wish.seq, true
}

// Doubtful reports whether the server has taken a flag and answered something else, so that a list has to tell.
func (s *State) Doubtful(id ozeki.ConversationID, name Flag) bool {
	c := s.conversations[id]
	return c != nil && c.flag(name).wish != nil && c.flag(name).wish.told
}

// WishOf returns what the user wants a flag to be while the server has not confirmed it; false if there is no such wish.
func (s *State) WishOf(id ozeki.ConversationID, name Flag) (value string, wanted bool) {
	if c := s.conversations[id]; c != nil && c.flag(name).wish != nil {
		return c.flag(name).wish.value, true
	}
	return "", false
}

// Wishes returns the flags that the server has not confirmed.
func (s *State) Wishes() Wishes {
	all := Wishes{}
	for id, c := range s.conversations {
		for _, name := range Flags {
			if w := c.flag(name).wish; w != nil {
				if all[id] == nil {
					all[id] = map[Flag]string{}
				}
				all[id][name] = w.value
			}
		}
	}
	return all
}

// Tick returns the logical time, for ListLoaded.
func (s *State) Tick() uint64 { return s.tick }
