package engine

import (
	"context"
	"errors"
	"slices"

	"starling/app/state"
	"starling/ozeki"
)

// Clear removes the messages of a conversation for everybody in it. What waits to be sent is sent afterwards. It is not
// kept for later: if the server cannot be reached, or somebody else was faster, a notice says so.
func (e *Engine) Clear(id ozeki.ConversationID) {
	e.goRun(func(ctx context.Context, run int) {
		e.mu.Lock()
		_, instance := e.state.Key(id)
		name := e.state.NameOf(id)
		e.unlock()
		if instance == "" {
			return
		}
		c, err := e.client.Clear(ctx, id, instance)
		switch {
		case err == nil:
			e.applyIn(run, state.Cleared{Conversation: *c})
			e.loadOpen(ctx, run, id)
		case e.failed(run, err):
		default:
			e.applyIn(run, state.NoticeAdded{Text: name + " could not be cleared. " + Words(err)})
			if errors.Is(err, ozeki.ErrRefused) {
				e.loadList(run, id)
			}
		}
	})
}

// loadOpen loads the newest messages of a conversation if it is the open one.
func (e *Engine) loadOpen(ctx context.Context, run int, id ozeki.ConversationID) {
	e.mu.Lock()
	open := e.state.OpenID() == id
	e.unlock()
	if open {
		e.loadNewest(ctx, run, id)
	}
}

// movedOn reports whether a refusal only means that the conversation was cleared meanwhile: it has another instance by
// now, which is taken over.
func (e *Engine) movedOn(ctx context.Context, id ozeki.ConversationID, instance ozeki.Instance, err error) bool {
	var refused *ozeki.RefusedError
	if !errors.As(err, &refused) || refused.Code != ozeki.CodeInvalid && refused.Code != "" {
		return false
	}
	e.mu.Lock()
	run, askedAt := e.run, e.state.Tick()
	e.unlock()
	list, err := e.client.Conversations(ctx, id)
	if err != nil {
		return false
	}
	i := slices.IndexFunc(list, func(c ozeki.Conversation) bool { return c.ID == id })
	if i < 0 || list[i].Instance == instance {
		return false
	}
	if !e.applyIn(run, state.ListLoaded{Conversations: list[i : i+1], Of: []ozeki.ConversationID{id}, AskedAt: askedAt}) {
		return false
	}
	e.loadOpen(ctx, run, id)
	return true
}
