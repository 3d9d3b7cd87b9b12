package engine

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"starling/app/state"
	"starling/ozeki"
)

// ReportDelay is how long what was viewed is gathered before the server is told, so that reading a page is one report.
const ReportDelay = 400 * time.Millisecond

// Read is up to where a conversation was viewed, as far as only this device knows: the report waits for the connection,
// or the server keeps nothing of the kind.
type Read struct {
	Instance ozeki.Instance  `json:"instance"`
	Message  ozeki.MessageID `json:"message"`
	At       time.Time       `json:"at"` // when the message was written, or else when it was viewed
}

// reporter tells the server what was viewed of one conversation.
type reporter struct {
	busy bool
	stop func() // of the timer that runs
}

// Viewed says that the user has really seen a conversation up to a message: those who wrote learn of it, and it is no
// longer unread on any device. It may be called as often as one likes; what is nothing new does nothing.
func (e *Engine) Viewed(id ozeki.ConversationID, upTo ozeki.MessageID) {
	e.mu.Lock()
	defer e.unlock()
	e.applyLocked(state.Viewed{ID: id, UpTo: upTo})
	r, due := e.state.NextReport(id)
	if !due {
		return
	}
	e.keepRead(id, r)
	if p := e.reporterOf(id); !p.busy && p.stop == nil {
		run := e.run
		p.stop = e.after(ReportDelay, func() { e.report(run, id) })
	}
}

// MarkRead says that the user has read all of a conversation, whether he saw it or not.
func (e *Engine) MarkRead(id ozeki.ConversationID) {
	e.mu.Lock()
	newest := e.state.Newest(id)
	e.unlock()
	if newest != "" {
		e.Viewed(id, newest)
	}
}

// reporterOf returns the reporter of a conversation. The caller holds mu.
func (e *Engine) reporterOf(id ozeki.ConversationID) *reporter {
	p := e.reporters[id]
	if p == nil {
		p = &reporter{}
		e.reporters[id] = p
	}
	return p
}

// report tells the server what was viewed of a conversation, one request at a time.
func (e *Engine) report(run int, id ozeki.ConversationID) {
	e.mu.Lock()
	if run != e.run {
		e.unlock()
		return
	}
	p := e.reporterOf(id)
	if p.stop != nil {
		p.stop()
		p.stop = nil
	}
	r, due := e.state.NextReport(id)
	if p.busy || !due {
		e.unlock()
		return
	}
	p.busy = true
	e.unlock()
	e.goIn(run, func(ctx context.Context, run int) {
		err := e.client.Report(ctx, ozeki.ReportRequest{
			ConversationID: id, Instance: r.Instance, MessageIDs: r.Messages,
			FirstMessageDate: ozeki.TimeOf(r.First), LastMessageDate: ozeki.TimeOf(r.Last),
		})
		over := e.outcome(run, id, err)
		e.mu.Lock()
		defer e.unlock()
		p.busy = false
		if run != e.run || over {
			return
		}
		if errors.Is(err, ozeki.ErrUnreachable) || errors.Is(err, ozeki.ErrUnavailable) {
			return // reported by the next poll that succeeds, or by the next run of the program
		}
		// A refusal means that the server has no use for it: the conversation was cleared, the messages have expired.
		e.applyLocked(state.Reported{ID: id, UpTo: r.UpTo})
		if e.read[id].Message == r.UpTo && e.client.Session().Has(ozeki.ExtOverview) {
			e.forgetRead(id, r.UpTo)
		}
		if _, more := e.state.NextReport(id); more {
			p.stop = e.after(ReportDelay, func() { e.report(run, id) })
		}
	})
}

// keepRead keeps on the device up to where a conversation was viewed. The caller holds mu.
func (e *Engine) keepRead(id ozeki.ConversationID, r state.Report) {
	read := Read{Instance: r.Instance, Message: r.UpTo, At: r.UpToAt}
	if read.At.IsZero() {
		read.At = e.client.Now()
	}
	if e.read[id] == read {
		return
	}
	e.read[id] = read
	if e.viewing == nil {
		e.viewing = map[ozeki.ConversationID]Read{}
	}
	e.viewing[id] = read
	e.saveLater(func(k *Kept) { k.Read = withRead(k.Read, map[ozeki.ConversationID]Read{id: read}) })
}

// withRead returns what was viewed with more of it; what is given stays as it is.
func withRead(was, more map[ozeki.ConversationID]Read) map[ozeki.ConversationID]Read {
	if len(more) == 0 {
		return was
	}
	all := maps.Clone(was)
	if all == nil {
		all = map[ozeki.ConversationID]Read{}
	}
	maps.Copy(all, more)
	return all
}

// forgetRead undoes keepRead, unless another tab has kept more since. The caller holds mu.
func (e *Engine) forgetRead(id ozeki.ConversationID, upTo ozeki.MessageID) {
	delete(e.read, id)
	delete(e.viewing, id)
	e.saveLater(func(k *Kept) {
		if k.Read[id].Message == upTo {
			k.Read = maps.Clone(k.Read)
			delete(k.Read, id)
		}
	})
}

// restoreRead takes over what an earlier run of the program has kept of what was viewed. The caller holds mu; the list
// has just been loaded for the first time.
func (e *Engine) restoreRead(kept *Kept) state.Event {
	e.read = withRead(maps.Clone(kept.Read), e.viewing)
	if e.read == nil {
		e.read = map[ozeki.ConversationID]Read{}
	}
	var since time.Time
	if !e.client.Session().Has(ozeki.ExtOverview) {
		if e.readSince = kept.ReadSince; e.readSince.IsZero() {
			e.readSince = e.client.Now()
			e.saveLater(func(k *Kept) {
				if k.ReadSince.IsZero() {
					k.ReadSince = e.readSince
				}
			})
		}
		since = e.readSince
	}
	viewed := map[ozeki.ConversationID]ozeki.MessageID{}
	for id, r := range e.read {
		if _, instance := e.state.Key(id); instance == r.Instance {
			viewed[id] = r.Message
		}
	}
	return state.ReadKept{Viewed: viewed, Since: since}
}

// Overview asks for what was written last in conversations whose rows are seen, where the server does not say it of
// itself, and counts what is new of it on this device, once it is known what was viewed before.
func (e *Engine) Overview(ids []ozeki.ConversationID) {
	e.mu.Lock()
	defer e.unlock()
	for _, id := range ids {
		if !slices.Contains(e.overviews, id) {
			e.overviews = append(e.overviews, id)
		}
	}
	e.startOverviews()
}

// startOverviews begins with what Overview was asked for. The caller holds mu.
func (e *Engine) startOverviews() {
	if e.restored && !e.overviewing && len(e.overviews) > 0 {
		e.overviewing = true
		e.goIn(e.run, e.askOverviews)
	}
}

// askOverviews goes through the conversations that Overview was asked for, one at a time.
func (e *Engine) askOverviews(ctx context.Context, run int) {
	for {
		e.mu.Lock()
		if run != e.run || len(e.overviews) == 0 || ctx.Err() != nil {
			if run == e.run {
				e.overviewing = false
			}
			e.unlock()
			return
		}
		id := e.overviews[0]
		e.overviews = e.overviews[1:]
		instance, newest, active, stale := e.state.Stale(id)
		read := e.read[id]
		if read.Instance != instance {
			read = Read{At: e.readSince}
		}
		e.unlock()
		if !stale {
			continue
		}
		limit := pageSize
		if read.Message != "" && read.Message == newest || read.Message == "" && active.Before(read.At.Add(-time.Second)) {
			limit = 1 // nothing new: only what is shown
		}
		e.openKeys(ctx, run, id)
		a, err := e.client.DownloadPartial(ctx, ozeki.DownloadPartialRequest{ConversationID: id, Instance: instance, Limit: limit})
		if err != nil {
			if e.failed(run, err) {
				return
			}
			continue // asked for again when the row is seen the next time
		}
		e.applyIn(run, e.counted(ctx, id, instance, read, a.Messages))
	}
}

// counted counts what is new among the newest messages of a conversation.
func (e *Engine) counted(ctx context.Context, id ozeki.ConversationID, instance ozeki.Instance, read Read, newest []ozeki.Message) state.Counted {
	messages := e.openMessages(ctx, id, newest)
	ev := state.Counted{ID: id, Instance: instance, Viewed: read.Message}
	at := slices.IndexFunc(messages, func(m state.Message) bool { return m.ID == read.Message })
	for i, m := range messages {
		isNew := i > at
		if at < 0 {
			isNew = !m.Created.Before(read.At.Truncate(time.Second)) // as whole seconds are all that is known
		}
		if isNew && m.From != e.client.Session().UserID {
			ev.Unread++
		}
		ev.Last = m
	}
	return ev
}

// openLast opens the last messages of conversations whose keys are open, many at once: of these, or of all. It reports whether
// there were any and they are shown.
func (e *Engine) openLast(ctx context.Context, run int, ids ...ozeki.ConversationID) (shown bool) {
	const batch = 200
	for {
		e.mu.Lock()
		if run != e.run {
			e.unlock()
			return false
		}
		todo := e.state.UnopenedLast(batch, ids...)
		e.unlock()
		if len(todo) == 0 {
			return shown
		}
		opened := make([]state.OpenedLast, len(todo))
		for i, m := range e.openEach(ctx, todo) {
			opened[i] = state.OpenedLast{ID: todo[i].ID, Sealed: todo[i].Message, Message: m}
		}
		if ctx.Err() != nil || !e.applyIn(run, state.LastOpened{Opened: opened}) {
			return false
		}
		shown = true
	}
}
