package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"starling/app/state"
	"starling/ozeki"
)

// outbox holds the messages of one conversation that the server has not confirmed, oldest first. One is sent at a time,
// so that they arrive in the order in which they were written.
type outbox struct {
	conversation ozeki.ConversationID
	waiting      []draft
	busy         bool
	gone         bool // the conversation is: nothing more is kept
	// sealed holds what was sent of messages that the server has not confirmed. A repeat is the same bytes: sealed anew
	// it would be another message under the same id, which the server refuses.
	sealed map[ozeki.MessageID]sealedText
	tried  map[ozeki.MessageID]bool // those that may have arrived
	files  map[ozeki.FileID]*outgoing
	// uploads ends the sending of a message's files. Once the message itself is on its way it has no entry.
	uploads map[ozeki.MessageID]context.CancelFunc
	sealing sync.Mutex // held while a message is sealed, so that each is sealed once
}

type draft struct {
	id      ozeki.MessageID
	text    string
	at      time.Time
	files   []ozeki.FileID
	content *ozeki.Content // what is sealed, the files aside
	until   time.Time      // when it expires, zero for never
}

type sealedText struct {
	key  []byte
	data string
}

// outboxOf returns the outbox of a conversation. The caller holds mu.
func (e *Engine) outboxOf(id ozeki.ConversationID) *outbox {
	o := e.sender[id]
	if o == nil {
		o = &outbox{
			conversation: id, sealed: map[ozeki.MessageID]sealedText{}, tried: map[ozeki.MessageID]bool{},
			files: map[ozeki.FileID]*outgoing{}, uploads: map[ozeki.MessageID]context.CancelFunc{},
		}
		e.sender[id] = o
	}
	return o
}

// MaxMessage is the length of the longest message, in bytes.
const MaxMessage = 16 << 10

// ErrTooLong says that a message has more than MaxMessage bytes.
var ErrTooLong = errors.New("the message is too long: shorten it, or send it in parts")

// errGone says that a conversation went before what was written in it was sent.
var errGone = errors.New("the conversation is not among yours any more")

// Send sends a message; surrounding white space is removed, an empty text does nothing. It appears at once and is sent
// in order, when the server can be reached. After ErrTooLong nothing has happened.
func (e *Engine) Send(id ozeki.ConversationID, text string) error {
	return e.Write(id, Writing{Text: text})
}

// Writing is a message to be sent.
type Writing struct {
	Text  string
	Files []Attachment  // at most ozeki.MaxFiles; with files the text may be empty
	Reply *ozeki.Reply  // what it answers, nil for nothing
	Keep  time.Duration // how long it lasts from now on, 0 for ever
}

// Write is Send for a message with more than a text. It waits for its files: they are encrypted, kept on the device and
// sent one after the other, and then the message is.
func (e *Engine) Write(id ozeki.ConversationID, w Writing) error {
	text := strings.TrimSpace(w.Text)
	if text == "" && len(w.Files) == 0 {
		return nil
	}
	if len(text) > MaxMessage {
		return ErrTooLong
	}
	d := draft{id: ozeki.NewMessageID(), text: text, at: e.client.Now()}
	if w.Keep > 0 {
		d.until = d.at.Add(w.Keep).Truncate(time.Second) // as it is sent
	}
	e.mu.Lock()
	if !e.state.Timeline(id).Known {
		e.unlock()
		return errGone
	}
	run := e.run
	d.content = &ozeki.Content{Version: 1, Text: text, From: e.state.UserID(), Reply: w.Reply}
	o := e.outboxOf(id)
	e.applyLocked(state.MessageWritten{ID: d.id, Conversation: id, Text: text, Files: o.attach(&d, w.Files), At: d.at, Until: d.until, Content: d.content})
	o.waiting = append(o.waiting, d)
	e.unlock()
	e.goIn(run, func(ctx context.Context, run int) {
		// Kept on the device at once, also while others wait before it. What goes wrong here is said when it is sent.
		_, _ = e.seal(ctx, o, d)
		e.sendMessages(run, o)
	})
	return nil
}

// Retry sends a message that was refused once more, under the same id.
func (e *Engine) Retry(id ozeki.ConversationID, message ozeki.MessageID) {
	e.mu.Lock()
	run := e.run
	m, ok := e.state.Pending(id, message)
	if !ok || m.State != state.MessageFailed {
		e.unlock()
		return
	}
	o := e.outboxOf(id)
	d := draft{id: m.ID, text: m.Text, at: m.Created, content: m.Content, until: m.Until}
	if m.Files != nil {
		for _, f := range *m.Files {
			d.files = append(d.files, f.ID)
		}
	}
	if now := e.client.Now(); !d.until.IsZero() && !d.until.After(now) { // as long as was wanted at first, from now on
		d.until = now.Add(d.until.Sub(d.at)).Truncate(time.Second)
	}
	o.waiting = append(o.waiting, d)
	e.applyLocked(state.MessageMoved{ID: message, Conversation: id, State: state.MessageSending})
	e.unlock()
	e.sendMessages(run, o)
}

// Discard deletes a message that was refused, that waits for the connection, or whose files are being sent. One that is on
// its way itself, or may have arrived, stays.
func (e *Engine) Discard(id ozeki.ConversationID, message ozeki.MessageID) {
	e.mu.Lock()
	defer e.unlock()
	m, ok := e.state.Pending(id, message)
	o := e.outboxOf(id)
	stopUpload := o.uploads[message]
	if !ok || m.State == state.MessageSent || m.State == state.MessageSending && stopUpload == nil {
		return
	}
	if stopUpload != nil {
		stopUpload()
		delete(o.uploads, message)
	}
	var files []ozeki.FileID
	if m.Files != nil {
		for _, f := range *m.Files {
			files = append(files, f.ID)
		}
	}
	if m.State == state.MessageQueued && o.tried[message] {
		e.applyLocked(state.NoticeAdded{Text: "This message may have arrived already, so it cannot be deleted. It is sent when the connection is back."})
		return
	}
	o.waiting = slices.DeleteFunc(o.waiting, func(d draft) bool { return d.id == message })
	delete(o.sealed, message)
	e.applyLocked(state.MessageDropped{ID: message, Conversation: id})
	e.goIn(e.run, func(ctx context.Context, _ int) {
		e.forget(message)
		e.forgetFiles(ctx, o, files)
	})
}

// forget removes a message from what the device keeps.
func (e *Engine) forget(message ozeki.MessageID) {
	e.save(func(k *Kept) {
		k.Waiting = slices.DeleteFunc(slices.Clone(k.Waiting), func(w Waiting) bool { return w.ID == message })
	})
}

// restore takes over the messages that an earlier run of the program, or a tab that was closed, could not send.
func (e *Engine) restore(ctx context.Context, run int, kept []Waiting) {
	kept = slices.SortedStableFunc(slices.Values(kept), func(a, b Waiting) int { return a.Created.Compare(b.Created) })
	ids := make([]ozeki.ConversationID, 0, len(kept))
	for _, w := range kept {
		ids = append(ids, w.Conversation)
	}
	e.openKeys(ctx, run, ids...)
	for _, w := range kept {
		sealed := []ozeki.Sealed{{AD: ozeki.MessageAD(w.Conversation, w.ID), Data: w.Data}}
		e.mu.Lock()
		keys := [][][]byte{e.state.Keys(w.Conversation)}
		e.unlock()
		opened := e.tryKeys(ctx, keys, sealed)
		var content ozeki.Content
		if opened[0].Err != nil || json.Unmarshal(opened[0].Plaintext, &content) != nil {
			continue // it stays on the device: the key may be there another time
		}
		e.mu.Lock()
		if run != e.run {
			e.unlock()
			return
		}
		o := e.outboxOf(w.Conversation)
		if _, known := o.sealed[w.ID]; !known {
			o.sealed[w.ID], o.tried[w.ID] = sealedText{sealed[0].Key, w.Data}, true
			d := draft{id: w.ID, text: content.Text, at: w.Created, content: &content, until: w.Until}
			files := o.restoreFiles(&d, content.Files)
			o.waiting = append(o.waiting, d)
			e.applyLocked(state.MessageWritten{ID: w.ID, Conversation: w.Conversation, Text: content.Text, Files: files, At: w.Created, Until: w.Until, Content: &content})
		}
		e.unlock()
	}
	e.flush(run)
}

func (e *Engine) sendMessages(run int, o *outbox) {
	e.mu.Lock()
	if run != e.run || o.busy || len(o.waiting) == 0 {
		e.unlock()
		return
	}
	o.busy = true
	d := o.waiting[0]
	e.unlock()
	e.goIn(run, func(ctx context.Context, run int) {
		err := e.post(ctx, run, o, d)
		unreached := errors.Is(err, ozeki.ErrUnreachable) || errors.Is(err, ozeki.ErrUnavailable)
		moved := state.MessageMoved{ID: d.id, Conversation: o.conversation, State: state.MessageSent}
		switch {
		case unreached:
			moved.State = state.MessageQueued
		case err != nil:
			moved.State, moved.Why = state.MessageFailed, Words(err)
		}
		e.mu.Lock()
		o.busy = false
		delete(o.uploads, d.id)
		if run != e.run {
			e.unlock()
			return
		}
		if len(o.waiting) == 0 || o.waiting[0].id != d.id { // deleted while its files were being sent
			e.unlock()
			e.sendMessages(run, o)
			return
		}
		events := []state.Event{moved}
		if unreached {
			for _, w := range o.waiting[1:] {
				events = append(events, state.MessageMoved{ID: w.id, Conversation: o.conversation, State: state.MessageQueued})
			}
		} else {
			o.waiting = o.waiting[1:]
		}
		if err == nil {
			delete(o.sealed, d.id)
			delete(o.tried, d.id)
		}
		e.applyLocked(events...)
		e.unlock()
		if err == nil {
			e.forget(d.id)
			e.forgetFiles(ctx, o, d.files)
		}
		if err != nil && e.failed(run, err) {
			return
		}
		if unreached {
			return // sent again, under the same id, by the next poll that succeeds
		}
		if err == nil {
			e.catchUp(ctx, run, o.conversation) // puts it into the server's order
		}
		e.sendMessages(run, o)
	})
}

// errNoKey says that a conversation's key is not known on this device.
var errNoKey = sentence("This conversation's key cannot be opened with your key, so nothing can be written here on this device.")

// seal seals a message, once, and keeps it on the device.
func (e *Engine) seal(ctx context.Context, o *outbox, d draft) (string, error) {
	o.sealing.Lock()
	defer o.sealing.Unlock()
	id := o.conversation
	e.mu.Lock()
	key, _ := e.state.Key(id)
	session := e.client.Session()
	sealed, tried := o.sealed[d.id], o.tried[d.id]
	_, known := e.state.EpochOf(id, sealed.key)
	e.unlock()
	switch {
	case session == nil:
		return "", context.Canceled
	case key == nil:
		return "", errNoKey
	case bytes.Equal(sealed.key, key), tried && known:
		return sealed.data, nil
	}
	content := *d.content
	files, err := e.sealFiles(ctx, o, d)
	if err != nil {
		return "", err
	}
	content.Files = files
	plain, err := contentOf(content)
	if err != nil {
		return "", err
	}
	data, err := e.client.Scheme().Seal(ctx, key, ozeki.MessageAD(id, d.id), plain)
	if err != nil {
		return "", err
	}
	e.mu.Lock()
	defer e.unlock()
	if o.gone {
		return "", context.Canceled
	}
	o.sealed[d.id] = sealedText{key, data}
	e.saveLater(func(k *Kept) {
		waiting := slices.DeleteFunc(slices.Clone(k.Waiting), func(w Waiting) bool { return w.ID == d.id })
		k.Waiting = append(waiting, Waiting{Conversation: id, ID: d.id, Created: d.at, Data: data, Until: d.until})
	})
	return data, nil
}

// add sends one message, after its files.
func (e *Engine) add(ctx context.Context, run int, o *outbox, d draft) error {
	if len(d.files) > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		defer cancel()
		e.mu.Lock()
		o.uploads[d.id] = cancel
		e.unlock()
	}
	data, err := e.seal(ctx, o, d)
	if err != nil {
		return err
	}
	e.mu.Lock()
	_, instance := e.state.Key(o.conversation)
	e.unlock()
	if err := e.upload(ctx, run, o, d, instance); err != nil {
		if e.movedOn(ctx, o.conversation, instance, err) {
			return e.add(ctx, run, o, d)
		}
		return err
	}
	if !d.until.IsZero() && !d.until.After(e.client.Now()) {
		return sentence("Its time was over before it could be sent.")
	}
	e.mu.Lock()
	if len(d.files) > 0 && o.uploads[d.id] == nil { // deleted
		e.unlock()
		return context.Canceled
	}
	delete(o.uploads, d.id)
	o.tried[d.id] = true
	e.unlock()
	_, err = e.client.Add(ctx, o.conversation, instance, ozeki.Message{
		ID: d.id, Type: ozeki.TypeMessage, Created: ozeki.TimeOf(d.at), ValidUntil: ozeki.TimeOf(d.until), Data: data, Files: d.files,
	})
	if err != nil && e.movedOn(ctx, o.conversation, instance, err) {
		return e.add(ctx, run, o, d)
	}
	return err
}

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
	a, err := e.client.DownloadPartial(ctx, ozeki.DownloadPartialRequest{ConversationID: id, Instance: instance, Limit: pageSize})
	if err != nil {
		e.pageFailed(run, id, err)
		return
	}
	e.applyIn(run, state.PageLoaded{
		ID: id, Instance: instance, Messages: e.openMessages(ctx, id, a.Messages), Reports: a.Reports, Newest: true, More: len(a.Messages) >= pageSize,
		Revision: a.Revision,
	})
	if e.takeDue(run, id) {
		e.catchUp(ctx, run, id) // something was written while the page was on its way
	}
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
	e.goOnward(id, func(ctx context.Context, run int, known state.Known) {
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

// Newest brings the newest messages of a conversation back, where they were let go while older ones were read.
func (e *Engine) Newest(id ozeki.ConversationID) {
	e.goOnward(id, func(ctx context.Context, run int, known state.Known) { e.loadPage(ctx, run, id, known.Instance) })
}

// goOnward has messages loaded that are newer than those at hand, where there are such and none are on their way.
func (e *Engine) goOnward(id ozeki.ConversationID, load func(ctx context.Context, run int, known state.Known)) {
	e.goRun(func(ctx context.Context, run int) {
		e.mu.Lock()
		known := e.state.Timeline(id)
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

// catchUp loads what came after the newest message that is known, if the conversation was loaded at all.
func (e *Engine) catchUp(ctx context.Context, run int, id ozeki.ConversationID) {
	e.mu.Lock()
	known := e.state.Timeline(id)
	if run != e.run || !known.Known {
		e.unlock()
		return
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
		return
	}
	revision := e.revisionOf(known)
	e.unlock()
	if known.Last.ID == "" && known.More {
		e.loadPage(ctx, run, id, known.Instance) // nothing is left at hand to go on from
		return
	}
	a, err := e.client.Download(ctx, ozeki.DownloadRequest{
		ConversationID: id, Instance: known.Instance,
		FirstMessageID: known.Last.ID, FirstMessageDate: ozeki.TimeOf(known.Last.Created), Revision: revision,
	})
	if err != nil {
		if !e.failed(run, err) {
			e.mu.Lock()
			if run == e.run {
				e.poll.due[id] = true
			}
			e.unlock()
			e.wakeLater(run)
		}
		return
	}
	e.applyIn(run, state.PageLoaded{ID: id, Instance: known.Instance, Messages: e.openMessages(ctx, id, a.Messages), Reports: a.Reports, Next: known.Last.ID})
	more := e.takeChanges(ctx, run, id, known, a)
	if n := len(a.Messages); more || n > pageSize && a.Messages[n-1].ID != known.Last.ID {
		e.catchUp(ctx, run, id) // a server gives so many at once: there may be more
	}
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
