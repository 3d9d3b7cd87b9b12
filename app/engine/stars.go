package engine

import (
	"context"
	"errors"
	"time"

	"starling/app/state"
	"starling/ozeki"
)

// undoTimer is the time an undo notice has left.
type undoTimer struct {
	left    time.Duration
	started time.Time
	stop    func()
}

func (u *undoTimer) cancel() {
	if u.stop != nil {
		u.stop()
		u.stop = nil
	}
}

// Star says what the user wants a conversation's star to be. The snapshot shows it before Star returns.
func (e *Engine) Star(id ozeki.ConversationID, on bool) {
	e.mu.Lock()
	run := e.run
	if !e.state.Timeline(id).Known {
		e.unlock()
		return
	}
	e.applyLocked(state.StarWanted{ID: id, On: on})
	e.syncUndo()
	e.unlock()
	e.keepWish(id)
	e.neighbours.Tell(Note{Wished: id})
	e.sendStar(run, id)
}

// IsFavorite reports whether a conversation is shown as a favorite, and whether it is there at all.
func (e *Engine) IsFavorite(id ozeki.ConversationID) (on, known bool) {
	e.mu.Lock()
	defer e.unlock()
	return e.state.IsFavorite(id)
}

// UndoLast undoes the newest unfavorite that still can be undone; false if there is none.
func (e *Engine) UndoLast() bool {
	notices := e.Snapshot().Notices
	for i := len(notices) - 1; i >= 0; i-- {
		if notices[i].Kind == state.NoticeUndo {
			e.Star(notices[i].Conversation, true)
			return true
		}
	}
	return false
}

// MoveFavorite moves a favorite up (-1) or down (+1) in the user's own order.
func (e *Engine) MoveFavorite(id ozeki.ConversationID, by int) {
	e.mu.Lock()
	e.applyLocked(state.FavoriteMoved{ID: id, By: by})
	order := e.state.Order()
	e.unlock()
	e.save(func(k *Kept) { k.Order = order })
}

// HoldNotice stops the clock of an undo notice while it is hovered or focused, and starts it again.
func (e *Engine) HoldNotice(id int, held bool) {
	e.mu.Lock()
	defer e.unlock()
	u := e.undo[id]
	switch {
	case u == nil:
	case held && u.stop != nil:
		u.cancel()
		u.left -= time.Since(u.started)
	case !held && u.stop == nil:
		e.startUndo(id, u)
	}
}

// syncUndo starts a clock for each new undo notice and stops those of notices that are gone.
func (e *Engine) syncUndo() {
	shown := map[int]bool{}
	for _, n := range e.current().Notices {
		if n.Kind != state.NoticeUndo {
			continue
		}
		shown[n.ID] = true
		if e.undo[n.ID] == nil {
			u := &undoTimer{left: UndoTime}
			e.undo[n.ID] = u
			e.startUndo(n.ID, u)
		}
	}
	for id, u := range e.undo {
		if !shown[id] {
			u.cancel()
			delete(e.undo, id)
		}
	}
}

func (e *Engine) startUndo(id int, u *undoTimer) {
	u.started = time.Now()
	u.stop = e.after(max(u.left, 0), func() { e.Dismiss(id) })
}

// sendStar sends what a conversation's star still needs, one request at a time.
func (e *Engine) sendStar(run int, id ozeki.ConversationID) {
	e.mu.Lock()
	if run != e.run {
		e.unlock()
		return
	}
	on, seq, send := e.state.NextStar(id)
	if !send {
		e.unlock()
		return
	}
	e.applyLocked(state.StarSent{ID: id, Seq: seq})
	e.unlock()
	e.goIn(run, func(ctx context.Context, run int) {
		call := e.client.Unfavorite
		if on {
			call = e.client.Favorite
		}
		c, err := call(ctx, id)
		if err != nil && e.failed(run, err) {
			return
		}
		unreached := errors.Is(err, ozeki.ErrUnreachable) || errors.Is(err, ozeki.ErrUnavailable)
		var ev state.Event
		switch {
		case err == nil:
			ev = state.StarAnswered{ID: id, Seq: seq, Conversation: *c}
		case unreached:
			ev = state.StarUnreached{ID: id, Seq: seq}
		default:
			ev = state.StarRefused{ID: id, Seq: seq, Words: Words(err)}
		}
		e.mu.Lock()
		if run != e.run {
			e.unlock()
			return
		}
		e.applyLocked(ev)
		e.syncUndo()
		e.unlock()
		e.keepWish(id)
		if unreached {
			return // sent again by the next poll that succeeds
		}
		e.sendStar(run, id)
	})
}
