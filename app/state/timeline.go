package state

import (
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
)

// Message is a message as the timeline shows it.
type Message struct {
	ID      ozeki.MessageID
	Text    string
	From    ozeki.UserID
	Sender  string // name of From
	Mine    bool
	Created time.Time
	State   MessageState
	Why     string // of a failed message
	Trouble bool   // the text does not open, or its type is not understood; Text says so
}

// timeline is what is known of a conversation's messages.
type timeline struct {
	stored  []Message // as the server has them, oldest first, without a gap
	pending []Message // the user's own that have not been seen in the server's order yet, oldest first
	known   map[ozeki.MessageID]bool
	loaded  bool // the newest page was loaded
	loading bool
	more    bool
	older   bool
	trouble string
}

// restart begins a new run of the history; what the user wrote and the server has not stored stays.
func (t *timeline) restart() {
	var unsent []Message
	for _, m := range t.pending {
		if m.State != MessageSent {
			unsent = append(unsent, m)
		}
	}
	*t = timeline{pending: unsent}
}

func (t *timeline) view() []Message {
	all := make([]Message, 0, len(t.stored)+len(t.pending))
	return append(append(all, t.stored...), t.pending...)
}

// add takes over messages in the server's order, at the end or, with older, in front. Those already there are left; one
// that was pending moves to its place.
func (t *timeline) add(messages []Message, older bool) {
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
	if older {
		t.stored = append(fresh, t.stored...)
	} else {
		t.stored = append(t.stored[:len(t.stored):len(t.stored)], fresh...)
	}
}

// set replaces a pending message, or adds it at the end; one that the server has already is left.
func (t *timeline) set(m Message) {
	if t.known[m.ID] {
		return
	}
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
	for i, m := range t.pending {
		if m.ID == id {
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
