package engine

import (
	"context"

	"starling/app/state"
	"starling/ozeki"
	"starling/ozeki/json"
)

// LoadBlocklist asks whom the user has blocked and what he has hidden.
func (e *Engine) LoadBlocklist() {
	e.goRun(func(ctx context.Context, run int) {
		if err := e.loadBlocklist(ctx, run); err != nil && !e.failed(run, err) {
			e.applyIn(run, state.NoticeAdded{Text: "What is hidden and blocked could not be loaded. " + Words(err)})
		}
	})
}

func (e *Engine) loadBlocklist(ctx context.Context, run int) error {
	a, err := e.client.Blocklist(ctx)
	if err == nil {
		e.applyIn(run, state.BlocklistLoaded{Users: a.Users(), Conversations: a.Conversations()})
		e.keepBlocked(ctx, run)
	}
	return err
}

// keepBlocked keeps whom the user has blocked, so that it is known without a connection, too. What the device does not take
// is asked for.
func (e *Engine) keepBlocked(ctx context.Context, run int) {
	e.mu.Lock()
	session := e.client.Session()
	b, err := json.Marshal(e.state.BlockedUsers())
	same := string(b) == e.shelf.blocked
	if run == e.run {
		e.shelf.blocked = string(b)
	}
	e.unlock()
	if session != nil && err == nil && !same {
		_ = e.put(ctx, run, string(session.Station), Record{Name: shelfBlocked, Data: b, Used: e.client.Now()})
	}
}

// refreshBlocklist is LoadBlocklist for what nobody has asked for, where somebody can be blocked: it fails in silence and
// is tried again with the next poll.
func (e *Engine) refreshBlocklist(run int) {
	if e.client.Session().Has(ozeki.ExtBlock) {
		e.goIn(run, func(ctx context.Context, run int) { _ = e.loadBlocklist(ctx, run) })
	}
}

// Block keeps a person from writing to the user. It blocks until it is done and gives an error for Words.
func (e *Engine) Block(ctx context.Context, user ozeki.UserID) error {
	e.mu.Lock()
	run := e.run
	e.unlock()
	return e.setBlocked(ctx, run, user, true)
}

// Unblock is the opposite of Block. It returns at once; a notice says why it could not be done.
func (e *Engine) Unblock(user ozeki.UserID) {
	e.goRun(func(ctx context.Context, run int) {
		if err := e.setBlocked(ctx, run, user, false); err != nil {
			e.mu.Lock()
			name := e.state.PersonName(user)
			e.unlock()
			e.applyIn(run, state.NoticeAdded{Text: name + " could not be unblocked. " + Words(err)})
		}
	})
}

func (e *Engine) setBlocked(ctx context.Context, run int, user ozeki.UserID, on bool) error {
	call := e.client.Unblock
	if on {
		call = e.client.Block
	}
	if err := call(ctx, user); err != nil {
		e.failed(run, err)
		return err
	}
	e.applyIn(run, state.Blocked{User: user, On: on})
	e.keepBlocked(ctx, run)
	return nil
}

// ShowAgain brings back a hidden conversation, also one that is not among those that the program knows.
func (e *Engine) ShowAgain(id ozeki.ConversationID) {
	e.mu.Lock()
	known := e.state.Timeline(id).Known
	e.unlock()
	if known {
		e.Hide(id, false)
		return
	}
	e.goRun(func(ctx context.Context, run int) {
		if _, err := e.client.Unhide(ctx, id); err != nil {
			if !e.failed(run, err) {
				e.applyIn(run, state.NoticeAdded{Text: "The conversation could not be shown again. " + Words(err)})
			}
			return
		}
		e.loadList(run)
		e.LoadBlocklist()
	})
}
