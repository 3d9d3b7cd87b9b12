package state

import (
	"slices"
	"time"

	"starling/ozeki"
)

// MessageState is how far a message of the user's own is.
type MessageState int

const (
	MessageSent    MessageState = iota // stored by the server
	MessageSending                     // on its way
	MessageQueued                      // the server cannot be reached: sent when it can
	MessageFailed                      // refused; Why says why
	MessagePaused                      // the server is reached, but does not take it now: sent again after a pause
)

// MessageKind tells messages apart by what they are.
type MessageKind int

const (
	KindText    MessageKind = iota // somebody's words
	KindEvent                      // something that happened in the conversation; Text says what
	KindDeleted                    // the place of a message that its sender deleted
)

// Message is a message as the timeline shows it. Messages are comparable: equal messages look the same. What cannot be
// compared is held by a pointer and never changed.
type Message struct {
	ID      ozeki.MessageID
	Kind    MessageKind
	Text    string
	From    ozeki.UserID
	Sender  string // name of From
	Mine    bool
	Created time.Time
	Until   time.Time // when it expires, zero for never
	Edited  bool
	State   MessageState
	Why     string // of a failed message
	Files   *[]File
	Trouble bool // the text does not open, or its type is not understood; Text says so

	// What became of a message of the user's own, and how many of the others that holds for so far.
	Receipt                       Receipt
	ViewedBy, DeliveredTo, Others int

	// Content is all that was sealed, nil if it does not open; ReplySender names the writer of what it answers.
	Content     *ozeki.Content
	ReplySender string
}

// Spoken is the message in one line.
func (m Message) Spoken() string {
	if m.Kind == KindEvent {
		return m.Sender + " " + m.Text
	}
	return m.Sender + ": " + m.Words()
}

const (
	// maxStored is the largest number of messages of one conversation in memory. What lies farther from the reader is let
	// go and loaded again when he comes there.
	maxStored = 600
	// maxResting is that number for a conversation that is not open.
	maxResting = 150
)

// timeline is what is known of a conversation's messages.
type timeline struct {
	stored    []Message // as the server has them, oldest first, without a gap
	pending   []Message // the user's own that have not been seen in the server's order yet, oldest first
	all       []Message // both, as they go out with snapshots; nil if it must be made
	known     map[ozeki.MessageID]bool
	loaded    bool // the newest page was loaded
	loading   bool
	more      bool
	older     bool
	cut       bool // there are newer ones than those stored
	later     bool
	away      bool // the reader is not at the end
	trouble   string
	marks     map[ozeki.UserID]marks     // of the others
	people    int                        // how many others there are
	behind    bool                       // what is here was kept by the device, and later ones are known of
	restarted bool                       // it began anew: what was kept of it is of no use
	revision  int64                      // the highest of the changes that are known, where the server tells of them
	sent      map[ozeki.MessageID]uint64 // of pending, those that the server has taken: when, in logical time
}

// restart begins a new run of the history; what the user wrote and the server has not stored stays.
func (t *timeline) restart() {
	var unsent []Message
	for _, m := range t.pending {
		if m.State != MessageSent {
			unsent = append(unsent, m)
		}
	}
	*t = timeline{pending: unsent, people: t.people, restarted: true}
}

// listed takes out what the server has taken by the logical time of a list, which says what is last there: where no messages are
// at hand nothing else would put it into its place among those of others.
func (t *timeline) listed(askedAt uint64) {
	if t.loaded || t.loading {
		return
	}
	for id, at := range t.sent {
		if askedAt >= at {
			t.drop(id)
		}
	}
}

func (t *timeline) view() []Message {
	if t.all == nil {
		all := make([]Message, 0, len(t.stored)+len(t.pending))
		t.all = append(append(all, t.stored...), t.pending...)
		t.receipts(t.all)
	}
	return t.all
}

// edge says where a page of messages goes.
type edge int

const (
	atEnd   edge = iota // news
	inFront             // older ones, for a reader who goes back
	onward              // newer ones, for a reader who comes back from older ones
)

// add takes over messages in the server's order and returns those that are new here. One that was pending moves to its
// place. What is too much is let go where the reader is not.
func (t *timeline) add(messages []Message, to edge) []Message {
	if t.known == nil {
		t.known = map[ozeki.MessageID]bool{}
	}
	fresh := make([]Message, 0, len(messages))
	for _, m := range messages {
		if t.known[m.ID] {
			continue
		}
		t.known[m.ID] = true
		fresh = append(fresh, m)
		t.drop(m.ID)
	}
	t.all = nil
	if to == inFront {
		t.stored = slices.Concat(fresh, t.stored)
	} else {
		t.stored = slices.Concat(t.stored, fresh)
	}
	if to == inFront || to == atEnd && t.away {
		t.keepFirst(maxStored)
	} else {
		t.keepLast(maxStored)
	}
	return fresh
}

func (t *timeline) keepFirst(n int) {
	if len(t.stored) > n {
		t.forget(t.stored[n:])
		t.stored, t.cut = slices.Clone(t.stored[:n]), true
	}
}

func (t *timeline) keepLast(n int) {
	if gone := len(t.stored) - n; gone > 0 {
		t.forget(t.stored[:gone])
		t.stored, t.more = slices.Clone(t.stored[gone:]), true
	}
}

func (t *timeline) forget(messages []Message) {
	t.all = nil
	for _, m := range messages {
		delete(t.known, m.ID)
	}
}

// rest lets go of what nobody reads, when the conversation is no longer open.
func (t *timeline) rest() {
	t.away = false
	if t.cut {
		t.clear()
		t.loaded, t.more = false, false
	}
	t.keepLast(maxResting)
}

// clear forgets what the server has.
func (t *timeline) clear() { t.stored, t.all, t.known, t.cut = nil, nil, nil, false }

// follows reports whether a page that begins at a message, or ends before it, still has its place.
func (t *timeline) follows(id ozeki.MessageID, to edge) bool {
	switch {
	case id == "":
		return true
	case to == inFront:
		return len(t.stored) > 0 && t.stored[0].ID == id
	}
	return t.known[id]
}

// set replaces a pending message, or adds it at the end; one that the server has already is left.
func (t *timeline) set(m Message) {
	if t.known[m.ID] {
		return
	}
	t.all = nil
	pending := append([]Message(nil), t.pending...)
	for i := range pending {
		if pending[i].ID == m.ID {
			pending[i] = m
			t.pending = pending
			return
		}
	}
	t.pending = append(pending, m)
}

func (t *timeline) drop(id ozeki.MessageID) {
	delete(t.sent, id)
	for i, m := range t.pending {
		if m.ID == id {
			t.all = nil
			pending := append([]Message(nil), t.pending[:i]...)
			t.pending = append(pending, t.pending[i+1:]...)
			return
		}
	}
}

func (t *timeline) find(id ozeki.MessageID) (Message, bool) {
	for _, m := range t.pending {
		if m.ID == id {
			return m, true
		}
	}
	return Message{}, false
}

// unsent counts the messages that the server does not have.
func (t *timeline) unsent() (n int) {
	for _, m := range t.pending {
		if m.State != MessageSent {
			n++
		}
	}
	return n
}
