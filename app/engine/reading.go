package engine

import (
	"context"
	"errors"
	"slices"

	"starling/app/state"
	"starling/ozeki"
	"starling/ozeki/json"
)

// loadNewest loads the newest page of a conversation unless it is there.
func (e *Engine) loadNewest(ctx context.Context, run int, id ozeki.ConversationID) {
	e.mu.Lock()
	known := e.state.Timeline(id)
	if run != e.run || !known.Known || known.Busy {
		e.unlock()
		return
	}
	if known.Loaded {
		e.unlock()
		if known.Behind {
			e.loadPage(ctx, run, id, known.Instance)
		} else {
			e.catchUp(ctx, run, id)
		}
		return
	}
	e.applyLocked(state.PageAsked{ID: id})
	e.unlock()
	took, behind := e.takeMessages(ctx, run, id, known)
	e.openKeys(ctx, run, id)
	if took && !behind {
		e.catchUp(ctx, run, id)
		return
	}
	e.loadPage(ctx, run, id, known.Instance)
}

// loadPage loads the newest page of a conversation, which was asked for.
func (e *Engine) loadPage(ctx context.Context, run int, id ozeki.ConversationID, instance ozeki.Instance) {
	if e.loadNewestPage(ctx, run, id, instance) {
		e.catchUp(ctx, run, id)
	}
}

// loadNewestPage does the work of loadPage, and reports whether something was written while the page was on its way.
func (e *Engine) loadNewestPage(ctx context.Context, run int, id ozeki.ConversationID, instance ozeki.Instance) (more bool) {
	a, err := e.client.DownloadPartial(ctx, ozeki.DownloadPartialRequest{ConversationID: id, Instance: instance, Limit: pageSize})
	if err != nil {
		e.pageFailed(run, id, err)
		return false
	}
	e.applyIn(run, state.PageLoaded{
		ID: id, Instance: instance, Messages: e.openMessages(ctx, id, a.Messages), Reports: a.Reports, Newest: true, More: len(a.Messages) >= pageSize,
		Revision: a.Revision,
	})
	return e.takeDue(run, id)
}

// Older loads the page before the oldest message of a conversation that is at hand.
func (e *Engine) Older(id ozeki.ConversationID) {
	e.goRun(func(ctx context.Context, run int) { e.loadOlder(ctx, run, id, pageSize) })
}

// loadOlder does the work of Older with at most size messages, and reports whether it was done.
func (e *Engine) loadOlder(ctx context.Context, run int, id ozeki.ConversationID, size int) bool {
	e.mu.Lock()
	known := e.state.Timeline(id)
	if run != e.run || !known.Loaded || known.Busy || !known.More {
		e.unlock()
		return false
	}
	e.applyLocked(state.PageAsked{ID: id, Older: true})
	e.unlock()
	a, err := e.client.DownloadPartial(ctx, ozeki.DownloadPartialRequest{
		ConversationID: id, Instance: known.Instance, Limit: size,
		LastMessageID: known.First.ID, LastMessageDate: ozeki.TimeOf(known.First.Created),
	})
	if err != nil {
		e.pageFailed(run, id, err)
		return false
	}
	took, behind := e.takePage(run, state.PageLoaded{
		ID: id, Instance: known.Instance, Messages: e.openMessages(ctx, id, a.Messages), Reports: a.Reports, Next: known.First.ID, Older: true, More: len(a.Messages) >= pageSize,
		Revision: a.Revision,
	})
	if behind {
		e.catchUp(ctx, run, id)
	}
	return took
}

// takePage takes over a page of older or later messages. behind: changes are known that are later than the page, so that
// those are to be asked for again.
func (e *Engine) takePage(run int, page state.PageLoaded) (took, behind bool) {
	e.mu.Lock()
	defer e.unlock()
	if run != e.run {
		return false, false
	}
	before := e.state.Timeline(page.ID).Revision
	e.applyLocked(page)
	return true, e.state.Timeline(page.ID).Revision < before
}

// Later loads messages after the newest one that is at hand, where it is not the conversation's newest.
func (e *Engine) Later(id ozeki.ConversationID) {
	e.goOnward(id, false, func(ctx context.Context, run int, known state.Known) {
		revision := e.revisionOf(known)
		a, err := e.client.Download(ctx, ozeki.DownloadRequest{
			ConversationID: id, Instance: known.Instance,
			FirstMessageID: known.Last.ID, FirstMessageDate: ozeki.TimeOf(known.Last.Created), Revision: revision,
		})
		if err != nil {
			e.pageFailed(run, id, err)
			return
		}
		// The call gives all that follow, or as many as the server likes: only the next ones are opened and taken.
		page := a.Messages[:min(len(a.Messages), 2*pageSize)]
		_, behind := e.takePage(run, state.PageLoaded{
			ID: id, Instance: known.Instance, Messages: e.openMessages(ctx, id, page), Reports: a.Reports, Next: known.Last.ID, Later: true, Rest: len(page) < len(a.Messages),
			Revision: known.Revision, // the answer's own holds with what has changed, which is taken next
		})
		if more := e.takeChanges(ctx, run, id, known, a); more || behind {
			e.catchUp(ctx, run, id)
		}
	})
}

// Newest brings the newest messages of a conversation back, where they were let go while older ones were read. A page of
// others that is on its way comes first. That it did not succeed is said wherever the reader is.
func (e *Engine) Newest(id ozeki.ConversationID) {
	e.goOnward(id, true, func(ctx context.Context, run int, known state.Known) {
		e.loadPage(ctx, run, id, known.Instance)
		e.mu.Lock()
		defer e.unlock()
		if o := e.snap.Open; run == e.run && o != nil && o.Row.ID == id && o.Cut {
			why := o.Trouble
			if why == "" {
				why = "There is no connection. Try again when it is back."
			}
			e.applyLocked(state.NoticeAdded{Text: "The newest messages could not be loaded. " + why})
		}
	})
}

// goOnward has messages loaded that are newer than those at hand, where there are such. While a page is on its way it does
// nothing, or waits for that.
func (e *Engine) goOnward(id ozeki.ConversationID, wait bool, load func(ctx context.Context, run int, known state.Known)) {
	e.goRun(func(ctx context.Context, run int) {
		e.mu.Lock()
		known := e.state.Timeline(id)
		for ; wait && known.Busy; known = e.state.Timeline(id) {
			over := e.pageOver
			e.unlock()
			select {
			case <-over:
			case <-ctx.Done():
				return
			}
			e.mu.Lock()
		}
		if run != e.run || !known.Cut || known.Busy {
			e.unlock()
			return
		}
		e.applyLocked(state.PageAsked{ID: id, Later: true})
		e.unlock()
		load(ctx, run, known)
	})
}

// AtEnd tells whether the reader of the open conversation is at its end: what is let go is what he is far from.
func (e *Engine) AtEnd(id ozeki.ConversationID, is bool) {
	e.mu.Lock()
	defer e.unlock()
	e.state.Apply(state.ReaderMoved{ID: id, AtEnd: is}) // changes nothing that is shown
}

// catching is a conversation whose news are being loaded.
type catching struct {
	run int
	id  ozeki.ConversationID
}

// catchUp loads what came after the newest message that is known, if the conversation was loaded at all. One such load of a
// conversation is on its way at a time. It may be too late for what is asked for meanwhile: all who asked get one more.
func (e *Engine) catchUp(ctx context.Context, run int, id ozeki.ConversationID) {
	at := catching{run, id}
	e.mu.Lock()
	if next, busy := e.catching[at]; busy {
		if next == nil {
			next = make(chan struct{})
			e.catching[at] = next
		}
		e.unlock()
		select {
		case <-next:
		case <-ctx.Done():
		}
		return
	}
	e.catching[at] = nil
	e.unlock()
	for served := (chan struct{})(nil); ; {
		for e.catchUpOnce(ctx, run, id) {
		}
		if served != nil {
			close(served)
		}
		e.mu.Lock()
		served = e.catching[at]
		if delete(e.catching, at); served != nil {
			e.catching[at] = nil
		}
		e.unlock()
		if served == nil {
			return
		}
	}
}

// catchUpOnce does the work of catchUp, and reports whether there may be more.
func (e *Engine) catchUpOnce(ctx context.Context, run int, id ozeki.ConversationID) (more bool) {
	e.mu.Lock()
	known := e.state.Timeline(id)
	if run != e.run || !known.Known || ctx.Err() != nil {
		e.unlock()
		return false
	}
	if !known.Loaded || known.Cut {
		switch {
		case known.Busy:
			e.poll.due[id] = true
		case e.client.Session().Has(ozeki.ExtOverview):
			defer e.loadList(run, id)
		default:
			e.applyLocked(state.Touched{ID: id, At: e.client.Now()})
		}
		e.unlock()
		e.catchUpChanges(ctx, run, id)
		return false
	}
	revision := e.revisionOf(known)
	e.unlock()
	if known.Last.ID == "" && known.More {
		return e.loadNewestPage(ctx, run, id, known.Instance) // nothing is left at hand to go on from
	}
	a, err := e.client.Download(ctx, ozeki.DownloadRequest{
		ConversationID: id, Instance: known.Instance,
		FirstMessageID: known.Last.ID, FirstMessageDate: ozeki.TimeOf(known.Last.Created), Revision: revision,
	})
	if e.outcome(run, id, err) {
		return false
	}
	if err != nil {
		e.mu.Lock()
		if run == e.run {
			e.poll.due[id] = true
		}
		e.unlock()
		if !errors.Is(err, ozeki.ErrUnreachable) { // else when the line is back
			e.holdBack(run, id)
		}
		return false
	}
	e.applyIn(run, state.PageLoaded{ID: id, Instance: known.Instance, Messages: e.openMessages(ctx, id, a.Messages), Reports: a.Reports, Next: known.Last.ID})
	more = e.takeChanges(ctx, run, id, known, a)
	n := len(a.Messages)
	return more || n > pageSize && a.Messages[n-1].ID != known.Last.ID // a server gives so many at once
}

// takeDue reports whether news of a conversation is still to be fetched, and takes the mark away.
func (e *Engine) takeDue(run int, id ozeki.ConversationID) bool {
	e.mu.Lock()
	defer e.unlock()
	if run != e.run || !e.poll.due[id] {
		return false
	}
	delete(e.poll.due, id)
	return true
}

func (e *Engine) pageFailed(run int, id ozeki.ConversationID, err error) {
	if e.failed(run, err) {
		return
	}
	e.mu.Lock()
	defer e.unlock()
	if run == e.run {
		e.applyLocked(state.PageFailed{ID: id, Words: troubleOf(err)})
		e.poll.listDue = e.poll.listDue || errors.Is(err, ozeki.ErrNotFound) // the conversation may be gone
	}
}

// openMessages opens a page of messages at once.
func (e *Engine) openMessages(ctx context.Context, id ozeki.ConversationID, in []ozeki.Message) []state.Message {
	sealed := make([]state.SealedLast, len(in))
	for i, m := range in {
		sealed[i] = state.SealedLast{ID: id, Message: m}
	}
	opened := e.openEach(ctx, sealed)
	locked := func(m state.Message) bool { return m.Trouble }
	if slices.ContainsFunc(opened, locked) && e.foundKeys(ctx, id) {
		opened = e.openEach(ctx, sealed)
	}
	return opened
}

// openEach opens messages of one or several conversations at once.
func (e *Engine) openEach(ctx context.Context, in []state.SealedLast) []state.Message {
	sealed, keys := make([]ozeki.Sealed, len(in)), make([][][]byte, len(in))
	e.mu.Lock()
	for i, m := range in {
		keys[i] = e.state.Keys(m.ID)
		sealed[i] = ozeki.Sealed{AD: ozeki.MessageAD(m.ID, m.Message.ID), Data: m.Message.Data}
	}
	e.unlock()
	out := make([]state.Message, len(in))
	for i, o := range e.tryKeys(ctx, keys, sealed) {
		out[i] = shownMessage(in[i].Message, o)
	}
	return out
}

// shownMessage is a message as it is shown, after opening it.
func shownMessage(in ozeki.Message, o ozeki.Opened) state.Message {
	m := messageOf(&in, nil)
	content := new(ozeki.Content)
	switch {
	case m.Kind == state.KindDeleted:
	case in.Type != ozeki.TypeMessage && in.Type != ozeki.TypeEvent:
		m.Trouble, m.Text = true, "This kind of message is not understood by this version."
	case o.Err != nil:
		m.Trouble, m.Text = true, "This message cannot be decrypted with your key."
	case json.Unmarshal(o.Plaintext, content) != nil:
		m.Trouble, m.Text = true, "This message's content is not understood by this version."
	default:
		m = messageOf(&in, content)
	}
	return m
}
