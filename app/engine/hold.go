package engine

import (
	"context"
	"errors"
	"time"

	"starling/app/state"
	"starling/ozeki"
)

// hold is the pause that a conversation makes whose calls fail while others get through.
type hold struct {
	tries int    // in vain, one after the other
	stop  func() // of its timer; nil: the pause is over, and the next outcome decides
}

// How calls of one conversation are tried again.
const (
	holdFirst = 2 * time.Second // the longest pause after the first failure; it doubles with each
	holdMost  = 30 * time.Second
	callTime  = 20 * time.Second // how long a call takes at most
)

// outcome is failed for a call about one conversation, and is told of its success too. An error that others need not have
// (the server answers, but not this; a call is not answered while others are) makes the conversation pause and leaves the
// rest alone: the line is called down when nothing gets through. A poll is made at once, to find out whether it is, and
// after the pause, to send and fetch what is left.
func (e *Engine) outcome(run int, id ozeki.ConversationID, err error) (over bool) {
	switch {
	case err == nil:
		e.mu.Lock()
		e.heardAt = time.Now()
		if h := e.holds[id]; run == e.run && h != nil {
			h.cancel()
			delete(e.holds, id)
		}
		e.unlock()
	case e.alone(err):
		e.holdBack(run, id)
	default:
		return e.failed(run, err)
	}
	return false
}

// alone reports whether an error of a call says nothing about the line.
func (e *Engine) alone(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) {
		e.mu.Lock()
		defer e.unlock()
		return time.Since(e.heardAt) < callTime
	}
	return errors.Is(err, ozeki.ErrUnavailable)
}

// holdBack makes a conversation pause: longer with each time, and not as long as others.
func (e *Engine) holdBack(run int, id ozeki.ConversationID) {
	if e.pauseOf(run, id) {
		e.pollNow(run) // finds out at once whether it is the line
	}
}

// pauseOf does the work of holdBack, and reports whether it is the first pause.
func (e *Engine) pauseOf(run int, id ozeki.ConversationID) (first bool) {
	e.mu.Lock()
	defer e.unlock()
	if run != e.run || e.ctx.Err() != nil {
		return false
	}
	h := e.holds[id]
	if first = h == nil; first {
		h = new(hold)
		e.holds[id] = h
	}
	if h.stop != nil { // several calls have failed at once
		return false
	}
	d := min(holdFirst<<min(h.tries, 10), holdMost)
	h.tries++
	h.stop = e.after(d/2+e.jitter(d/2), func() {
		e.mu.Lock()
		current := run == e.run && e.holds[id] == h
		if current {
			h.stop = nil
		}
		e.unlock()
		if current {
			e.pollNow(run)
		}
	})
	return first
}

// held reports whether a conversation pauses. The caller holds mu.
func (e *Engine) held(id ozeki.ConversationID) bool {
	h := e.holds[id]
	return h != nil && h.stop != nil
}

// endPause ends the pause of a conversation, if it makes one, and tries what is left now. The caller holds mu.
func (e *Engine) endPause(id ozeki.ConversationID) {
	if h := e.holds[id]; h != nil {
		h.cancel()
	}
	if o := e.sender[id]; o != nil {
		e.applyLocked(e.paused(o, state.MessageSending)...)
		e.goIn(e.run, func(_ context.Context, run int) {
			e.sendMessages(run, o)
			e.pollNow(run) // for what is to be fetched
		})
	}
}

// paused are the events that move the messages of an outbox which wait for a pause to be over. The caller holds mu.
func (e *Engine) paused(o *outbox, to state.MessageState) (events []state.Event) {
	for _, w := range o.waiting {
		if m, ok := e.state.Pending(o.conversation, w.id); ok && m.State == state.MessagePaused {
			events = append(events, state.MessageMoved{ID: w.id, Conversation: o.conversation, State: to})
		}
	}
	return events
}

func (h *hold) cancel() {
	if h.stop != nil {
		h.stop()
		h.stop = nil
	}
}

// release ends all pauses. The caller holds mu.
func (e *Engine) release() {
	for _, h := range e.holds {
		h.cancel()
	}
	clear(e.holds)
}

// anyDue reports whether news of a conversation that does not pause are still to be fetched. The caller holds mu.
func (e *Engine) anyDue() bool {
	for id := range e.poll.due {
		if !e.held(id) {
			return true
		}
	}
	return false
}
