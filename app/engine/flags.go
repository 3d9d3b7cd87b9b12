package engine

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
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

// Star says whether the user wants a conversation to be a favorite. The snapshot shows it before Star returns.
func (e *Engine) Star(id ozeki.ConversationID, on bool) { e.want(id, state.FlagFavorite, onOff(on)) }

// Mute says whether the user does not want to be disturbed by a conversation; like Star.
func (e *Engine) Mute(id ozeki.ConversationID, on bool) { e.want(id, state.FlagMute, onOff(on)) }

// Color gives a conversation the user's own colour, "#rrggbb", or none with the empty text; like Star.
func (e *Engine) Color(id ozeki.ConversationID, color string) { e.want(id, state.FlagColor, color) }

// Hide hides a conversation as it is now, or shows it again; like Star.
func (e *Engine) Hide(id ozeki.ConversationID, on bool) {
	hideID := ""
	if on {
		e.mu.Lock()
		hideID = string(e.state.Timeline(id).Instance) + ";"
		e.unlock()
	}
	e.want(id, state.FlagHide, hideID)
}

func onOff(on bool) string {
	if on {
		return state.On
	}
	return ""
}

// want says what the user wants a flag to be.
func (e *Engine) want(id ozeki.ConversationID, flag state.Flag, value string) {
	e.mu.Lock()
	run := e.run
	if !e.state.Timeline(id).Known {
		e.unlock()
		return
	}
	e.applyLocked(state.FlagWanted{ID: id, Flag: flag, Value: value})
	e.overrule(jotted{Wishes: state.Wishes{id: {flag: value}}})
	e.keepWish(id, flag) // before anybody sends it: one that the device does not have was withdrawn in another tab
	e.syncUndo()
	e.unlock()
	e.neighbours.Tell(Note{Wished: id, Flag: flag})
	e.sendFlag(run, id, flag)
}

// IsFavorite reports whether a conversation is shown as a favorite, and whether it is there at all.
func (e *Engine) IsFavorite(id ozeki.ConversationID) (on, known bool) {
	e.mu.Lock()
	defer e.unlock()
	value, known := e.state.FlagOf(id, state.FlagFavorite)
	return value != "", known
}

// Undo puts back what a notice offers to undo.
func (e *Engine) Undo(n state.Notice) { e.want(n.Conversation, n.Flag, n.Back) }

// UndoLast undoes the newest change that still can be undone; false if there is none.
func (e *Engine) UndoLast() bool {
	notices := e.Snapshot().Notices
	for i := len(notices) - 1; i >= 0; i-- {
		if notices[i].Kind == state.NoticeUndo {
			e.Undo(notices[i])
			return true
		}
	}
	return false
}

// MoveFavorite moves a favorite up (-1) or down (+1) in the user's own order.
func (e *Engine) MoveFavorite(id ozeki.ConversationID, by int) {
	e.reorder(state.FavoriteMoved{ID: id, By: by})
}

// PlaceFavorite moves a favorite to a place in the user's own order, 0 being the top.
func (e *Engine) PlaceFavorite(id ozeki.ConversationID, to int) {
	e.reorder(state.FavoritePlaced{ID: id, To: to})
}

// reorder changes the order of favorites, here and in the other tabs, and keeps it.
func (e *Engine) reorder(how state.Event) {
	e.mu.Lock()
	before := e.state.Order()
	e.applyLocked(how)
	order := e.state.Order()
	if slices.Equal(before, order) {
		e.unlock()
		return
	}
	e.ordering = order
	e.overrule(jotted{Order: order})
	e.saveLater(func(k *Kept) { k.Order = order })
	e.unlock()
	e.neighbours.Tell(Note{Order: order})
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

// callFlag asks the server to set a flag.
func (e *Engine) callFlag(ctx context.Context, id ozeki.ConversationID, flag state.Flag, value string) (*ozeki.Conversation, error) {
	set := value != ""
	switch {
	case flag == state.FlagMute && set:
		return e.client.Mute(ctx, id)
	case flag == state.FlagMute:
		return e.client.Unmute(ctx, id)
	case flag == state.FlagHide && set:
		return e.client.Hide(ctx, id, ozeki.Instance(strings.TrimSuffix(value, ";")))
	case flag == state.FlagHide:
		return e.client.Unhide(ctx, id)
	case flag == state.FlagColor && set:
		return e.client.SetColor(ctx, id, value)
	case flag == state.FlagColor:
		return e.client.SetColor(ctx, id, state.NoColor)
	case set:
		return e.client.Favorite(ctx, id)
	}
	return e.client.Unfavorite(ctx, id)
}

// sendFlag sends what a conversation's flag still needs, one request at a time.
func (e *Engine) sendFlag(run int, id ozeki.ConversationID, flag state.Flag) {
	e.mu.Lock()
	if run != e.run {
		e.unlock()
		return
	}
	value, seq, send := e.state.NextFlag(id, flag)
	if !send {
		e.unlock()
		return
	}
	e.applyLocked(state.FlagSent{ID: id, Flag: flag, Seq: seq})
	e.unlock()
	e.goIn(run, func(ctx context.Context, run int) {
		e.painted(ctx)
		e.saveNow(ctx) // what is said to be kept is
		again := false
		// One tab sends a flag at a time. After an error the program ends.
		_ = e.locks.Hold(ctx, "starling."+string(flag)+"."+string(id), func() { again = e.postFlag(ctx, run, id, flag, value, seq) })
		if again {
			e.sendFlag(run, id, flag)
		}
	})
}

// postFlag sends a flag, and reports whether there may be more to send of it. The caller holds the flag's lock.
func (e *Engine) postFlag(ctx context.Context, run int, id ozeki.ConversationID, flag state.Flag, value string, seq uint64) (again bool) {
	if e.wishGone(ctx, id, flag, value) {
		e.applyIn(run, state.FlagDropped{ID: id, Flag: flag, Seq: seq})
		return true
	}
	c, err := e.callFlag(ctx, id, flag, value)
	if e.outcome(run, id, err) {
		return false
	}
	unreached := errors.Is(err, ozeki.ErrUnreachable) || errors.Is(err, ozeki.ErrUnavailable)
	var ev state.Event
	switch {
	case err == nil:
		ev = state.FlagAnswered{ID: id, Flag: flag, Seq: seq, Value: value, Conversation: *c}
	case unreached:
		ev = state.FlagUnreached{ID: id, Flag: flag, Seq: seq}
	default:
		ev = state.FlagRefused{ID: id, Flag: flag, Seq: seq, Words: Words(err)}
	}
	e.mu.Lock()
	if run != e.run {
		e.unlock()
		return false
	}
	e.applyLocked(ev)
	e.syncUndo()
	doubtful := e.state.Doubtful(id, flag)
	e.unlock()
	if !unreached {
		e.keepAnswer(id, flag, value)
		e.saveNow(ctx) // before another tab has its turn
	}
	if doubtful {
		e.changed(run, []ozeki.ConversationID{id}, nil)
	}
	return !unreached // else sent again by the next poll that succeeds
}

// wishGone reports whether another tab has sent a wish meanwhile, or the user wants something else since.
func (e *Engine) wishGone(ctx context.Context, id ozeki.ConversationID, flag state.Flag, value string) bool {
	e.mu.Lock()
	sure := e.keeps && !e.unkept
	e.unlock()
	if !sure {
		return false
	}
	kept, err := e.load(ctx)
	if err != nil || kept == nil {
		return false
	}
	now, wanted := kept.Wishes[id][flag]
	return !wanted || now != value
}

// keepAnswer takes a wish away that the server has answered, unless the user wants something else since.
func (e *Engine) keepAnswer(id ozeki.ConversationID, flag state.Flag, sent string) {
	e.mu.Lock()
	defer e.unlock()
	if _, wanted := e.state.WishOf(id, flag); wanted {
		return
	}
	e.saveLater(func(k *Kept) {
		if now, kept := k.Wishes[id][flag]; kept && now == sent {
			k.Wishes = withWish(k.Wishes, id, flag, "", false)
		}
	})
}

// wishAt is a flag of a conversation.
type wishAt struct {
	id   ozeki.ConversationID
	flag state.Flag
}

// keepWish keeps what the user wants a flag to be until the server has confirmed it. The caller holds mu.
func (e *Engine) keepWish(id ozeki.ConversationID, flag state.Flag) {
	value, wanted := e.state.WishOf(id, flag)
	if e.wishing == nil {
		e.wishing = map[wishAt]string{}
	}
	if e.wishing[wishAt{id, flag}] = value; !wanted {
		delete(e.wishing, wishAt{id, flag})
	}
	e.saveLater(func(k *Kept) { k.Wishes = withWish(k.Wishes, id, flag, value, wanted) })
}

// withWish returns wishes with one changed; those given stay as they are.
func withWish(was state.Wishes, id ozeki.ConversationID, flag state.Flag, value string, wanted bool) state.Wishes {
	wishes := maps.Clone(was)
	if wishes == nil {
		wishes = state.Wishes{}
	}
	of := maps.Clone(wishes[id])
	if of == nil {
		of = map[state.Flag]string{}
	}
	if delete(of, flag); wanted {
		of[flag] = value
	}
	if wishes[id] = of; len(of) == 0 {
		delete(wishes, id)
	}
	return wishes
}
