package engine

import (
	"context"
	"strings"
	"time"

	"starling/app/state"
	"starling/ozeki"
)

// Edit gives a message of the user's own, which the server has, another text. It blocks until the server has it, and gives
// an error for Words; nothing has changed then. A change is not kept for later: it would be made to a message that others
// have read, and perhaps answered, meanwhile.
func (e *Engine) Edit(ctx context.Context, id ozeki.ConversationID, message ozeki.MessageID, text string) error {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return sentence("There is no text. To take the message back, delete it.")
	case len(text) > MaxMessage:
		return ErrTooLong
	}
	return e.change(id, message, func(run int, m state.Message, instance ozeki.Instance) (changed *ozeki.Message, content *ozeki.Content, err error) {
		if m.Content == nil {
			return nil, nil, errNoKey
		}
		now := *m.Content // what is sealed beside the text stays
		now.Text = text
		plain, err := contentOf(now)
		if err != nil {
			return nil, nil, err
		}
		err = e.underNewest(ctx, run, id, func(ctx context.Context, key []byte) error {
			data, err := e.client.Scheme().Seal(ctx, key, ozeki.MessageAD(id, message), plain)
			if err == nil {
				changed, err = e.client.EditMessage(ctx, ozeki.MessageEditRequest{ConversationID: id, Instance: instance, MessageID: message, Data: data})
			}
			return err
		})
		return changed, &now, err
	})
}

// Delete deletes a message of the user's own, which the server has, for everybody. It blocks like Edit.
func (e *Engine) Delete(ctx context.Context, id ozeki.ConversationID, message ozeki.MessageID) error {
	return e.change(id, message, func(_ int, _ state.Message, instance ozeki.Instance) (*ozeki.Message, *ozeki.Content, error) {
		changed, err := e.client.DeleteMessage(ctx, ozeki.MessageDeleteRequest{ConversationID: id, Instance: instance, MessageID: message})
		return changed, nil, err
	})
}

// change makes a change to a message by a call, and shows what the message is then.
func (e *Engine) change(
	id ozeki.ConversationID, message ozeki.MessageID,
	call func(run int, m state.Message, instance ozeki.Instance) (*ozeki.Message, *ozeki.Content, error),
) error {
	e.mu.Lock()
	run := e.run
	m, instance, ok := e.state.Stored(id, message)
	e.unlock()
	if !ok || !m.Mine {
		return sentence("The message is no longer there.")
	}
	changed, content, err := call(run, m, instance)
	if err != nil {
		e.failed(run, err)
		return err
	}
	e.applyIn(run, state.Connection{}, state.MessagesChanged{ID: id, Instance: instance, Messages: []state.Message{messageOf(changed, content)}})
	return nil
}

// messageOf is a message that has been opened; content is nil where there is none.
func messageOf(in *ozeki.Message, content *ozeki.Content) state.Message {
	m := state.Message{ID: in.ID, Created: in.Created.Time, From: in.From, Until: in.ValidUntil.Time, Edited: !in.Edited.IsZero(), Content: content}
	switch in.Type {
	case ozeki.TypeDeleted:
		m.Kind = state.KindDeleted
	case ozeki.TypeEvent:
		m.Kind = state.KindEvent
	}
	if content != nil {
		m.Text, m.Files = content.Text, state.OpenedFiles(content.Files)
		if m.From == "" {
			m.From = content.From // no server vouches for it
		}
	}
	return m
}

// revisionOf is what a download asks changes for: those after what is known, where the server tells of them.
func (e *Engine) revisionOf(known state.Known) *int64 {
	if !e.client.Session().Has(ozeki.ExtMessageChange) {
		return nil
	}
	return &known.Revision
}

// takeChanges takes over what a download says of changed messages, and reports whether there are more.
func (e *Engine) takeChanges(ctx context.Context, run int, id ozeki.ConversationID, known state.Known, a *ozeki.DownloadAnswer) (more bool) {
	if a.Revision > known.Revision {
		e.applyIn(run, state.MessagesChanged{ID: id, Instance: known.Instance, Messages: e.openMessages(ctx, id, a.Changed), Revision: a.Revision})
	}
	return len(a.Changed) >= ozeki.MaxChanged && a.Revision > known.Revision
}

// catchUpChanges loads what has changed, where the newest messages are not at hand.
func (e *Engine) catchUpChanges(ctx context.Context, run int, id ozeki.ConversationID) {
	for more := true; more; {
		e.mu.Lock()
		known := e.state.Timeline(id)
		revision := e.revisionOf(known)
		if run != e.run || !known.Cut || revision == nil {
			e.unlock()
			return
		}
		e.unlock()
		a, err := e.client.Download(ctx, ozeki.DownloadRequest{ConversationID: id, Instance: known.Instance, FirstMessageID: known.Newest, Revision: revision})
		if err != nil {
			e.failed(run, err)
			return
		}
		more = e.takeChanges(ctx, run, id, known, a)
	}
}

// expireLater sees to it that what expires next is taken away in time. The caller holds mu.
func (e *Engine) expireLater() {
	at := e.state.Expires()
	if at.Equal(e.expiry.at) {
		return
	}
	if e.expiry.stop != nil {
		e.expiry.stop()
	}
	e.expiry.at, e.expiry.stop = at, nil
	if at.IsZero() || e.ctx.Err() != nil {
		return
	}
	run := e.run
	e.expiry.stop = e.after(min(max(at.Sub(e.client.Now()), time.Millisecond), time.Hour), func() { e.expire(run) })
}

// expire takes away what has expired by now. It is also called when the page wakes, since timers sleep with the device.
func (e *Engine) expire(run int) {
	e.mu.Lock()
	defer e.unlock()
	if run == e.run && !e.state.Expires().IsZero() {
		e.expiry.at = time.Time{}
		e.applyLocked(state.TimePassed{Now: e.client.Now()})
	}
}

// Now is the present moment by the server's clock.
func (e *Engine) Now() time.Time { return e.client.Now() }

// Seek loads older messages until the given one is at hand, and calls then. A message that is not there any more is told
// in a notice. It gives up when another conversation is opened or the server is not reached.
func (e *Engine) Seek(id ozeki.ConversationID, message ozeki.MessageID, then func()) {
	e.goRun(func(ctx context.Context, run int) {
		size := pageSize
		if e.client.Session().Has(ozeki.ExtOverview) { // a server of ours; another one may know the published limit only
			size = seekSize
		}
		for {
			e.mu.Lock()
			_, _, found := e.state.Stored(id, message)
			known := e.state.Timeline(id)
			stay := run == e.run && e.state.OpenID() == id
			over := e.pageOver
			e.unlock()
			switch {
			case !stay:
				return
			case found:
				then()
				return
			case known.Loaded && !known.More && !known.Busy:
				e.applyIn(run, state.NoticeAdded{Text: "The message is no longer there."})
				return
			case known.Busy:
				select {
				case <-over:
				case <-ctx.Done():
					return
				}
			case !e.loadOlder(ctx, run, id, size):
				return // said already
			}
		}
	})
}
