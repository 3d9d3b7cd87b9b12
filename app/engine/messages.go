package engine

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"starling/app/state"
	"starling/ozeki"
	"starling/ozeki/json"
)

// outbox holds the messages of one conversation that the server has not confirmed, oldest first. One is sent at a time,
// so that they arrive in the order in which they were written.
type outbox struct {
	conversation ozeki.ConversationID
	waiting      []draft
	busy         bool
	gone         bool // the conversation is: nothing more is kept
	again        bool // there is something to send when that is done
	// sealed holds what was sent of messages that the server has not confirmed. A repeat is the same bytes: sealed anew
	// it would be another message under the same id, which the server refuses.
	sealed map[ozeki.MessageID]sealedText
	tried  map[ozeki.MessageID]bool // those that may have arrived
	done   map[ozeki.MessageID]bool // those that have, or were deleted, which the device may not have forgotten yet
	files  map[ozeki.FileID]*outgoing
	// uploads ends the sending of a message's files. Once the message itself is on its way it has no entry.
	uploads map[ozeki.MessageID]context.CancelFunc
	place   int64      // the last one that was given out or seen
	sealing sync.Mutex // held while a message is sealed, so that each is sealed once
}

type draft struct {
	id      ozeki.MessageID
	text    string
	at      time.Time
	files   []ozeki.FileID
	content *ozeki.Content // what is sealed, the files aside
	until   time.Time      // when it expires, zero for never
	place   int64          // in the queue of the device
	kept    bool           // it stands on the device; the others of the outbox wait until they do, or are loose
	loose   bool           // the device does not keep it: it is sent as long as this page stays open
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
			conversation: id, sealed: map[ozeki.MessageID]sealedText{}, tried: map[ozeki.MessageID]bool{}, done: map[ozeki.MessageID]bool{},
			files: map[ozeki.FileID]*outgoing{}, uploads: map[ozeki.MessageID]context.CancelFunc{},
		}
		e.sender[id] = o
	}
	return o
}

// turn is the next place in the queue: by the clock that all tabs of the device have, and behind what this one has seen. The
// caller holds mu.
func (o *outbox) turn() int64 {
	o.place = max(time.Now().UnixMicro(), o.place+1)
	return o.place
}

// unkept reports whether the device is still to keep a message. The caller holds mu.
func (o *outbox) unkept() bool {
	return o != nil && !o.gone && slices.ContainsFunc(o.waiting, func(d draft) bool { return !d.kept && !d.loose })
}

// waitingOf is a draft as the device keeps it.
func (o *outbox) waitingOf(d draft, data string) Waiting {
	return Waiting{Conversation: o.conversation, ID: d.id, Place: d.place, Created: d.at, Data: data, Files: d.files, Until: d.until}
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
	// Done is called once, with nil as soon as the message stands on the device, from where it is sent whatever happens; or
	// with what is wrong if the device does not keep it: then it is not sent and shown no more. It may be nil.
	Done func(error)
}

// ErrNotKept says that the device could not keep a message.
var ErrNotKept = errors.New("this device could not keep the message until it has arrived. Free some space on it, and send it again")

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
	if n := len(o.waiting); n > 0 && !d.at.After(o.waiting[n-1].at) { // a browser's clock is coarse
		d.at = o.waiting[n-1].at.Add(time.Millisecond)
	}
	d.place = o.turn()
	e.applyLocked(state.MessageWritten{ID: d.id, Conversation: id, Text: text, Files: o.attach(&d, w.Files), At: d.at, Until: d.until, Content: d.content})
	o.waiting = append(o.waiting, d)
	e.unlock()
	e.goIn(run, func(ctx context.Context, run int) {
		err := e.keepMessage(ctx, run, o, d)
		if err == nil {
			e.KeepDrafts() // that a reload does not bring back what was sent
			e.neighbours.Tell(Note{Sent: id, Draft: w.draft()})
		}
		if w.Done != nil && !errors.Is(err, context.Canceled) { // else nobody is there any more
			w.Done(err)
		}
		e.sendMessages(run, o)
	})
	return nil
}

// keepMessage keeps a message on the device, also while others wait before it. One that the device does not take is dropped.
func (e *Engine) keepMessage(ctx context.Context, run int, o *outbox, d draft) error {
	data, _, err := e.seal(ctx, o, d)
	loose := err != nil // which is said when it is sent
	if err == nil {
		for _, id := range d.files {
			e.mu.Lock()
			out := o.files[id]
			loose = loose || out != nil && !out.kept
			e.unlock()
		}
	}
	if !loose {
		loose, err = e.keepSealed(ctx, run, o, d, data)
	} else {
		err = nil
	}
	e.mu.Lock()
	defer e.unlock()
	if run != e.run || o.gone || ctx.Err() != nil {
		return context.Canceled
	}
	if err != nil {
		o.waiting = slices.DeleteFunc(o.waiting, func(w draft) bool { return w.id == d.id })
		delete(o.sealed, d.id)
		e.unjotMessage(d.id)
		e.applyLocked(state.MessageDropped{ID: d.id, Conversation: o.conversation})
		var files []ozeki.FileID
		for _, id := range d.files {
			if out := o.files[id]; out != nil && out.given {
				delete(o.files, id)
				continue
			}
			files = append(files, id)
		}
		e.goIn(run, func(ctx context.Context, _ int) { e.forgetFiles(ctx, o, files) })
		return ErrNotKept
	}
	if i := o.index(d.id); i >= 0 {
		o.waiting[i].kept, o.waiting[i].loose = !loose, loose
	}
	e.unjot()
	return nil
}

// index is the place of a message in the outbox, -1 if it is not there.
func (o *outbox) index(id ozeki.MessageID) int {
	return slices.IndexFunc(o.waiting, func(d draft) bool { return d.id == id })
}

// keepSealed keeps a sealed message on the device, before those that were written after it. loose: this device keeps
// nothing, which was said at sign-in.
func (e *Engine) keepSealed(ctx context.Context, run int, o *outbox, d draft, data string) (loose bool, err error) {
	e.vaultMu.Lock()
	defer e.vaultMu.Unlock()
	e.mu.Lock()
	i, loose := o.index(d.id), !e.keeps
	gone := o.gone
	before := false // what was written later is kept already
	if i >= 0 {
		d.kept, d.place = o.waiting[i].kept, o.waiting[i].place
		before = slices.ContainsFunc(o.waiting[i+1:], func(later draft) bool { return later.kept && later.place > d.place })
	}
	current, user := run == e.run, e.user()
	e.unlock()
	switch {
	case !current || gone:
		return false, context.Canceled
	case i < 0 || loose: // deleted
		return loose, nil
	case d.kept:
		return false, e.vault.Requeue(ctx, o.waitingOf(d, data))
	}
	place, ok, err := e.vault.Queue(ctx, user, o.waitingOf(d, data), !before)
	if err != nil {
		return false, err
	}
	if !ok {
		e.goIn(run, e.replaced)
		return false, errCleared
	}
	e.mu.Lock()
	o.place = max(o.place, place)
	i = o.index(d.id)
	if i >= 0 { // known before the next one is kept: it may have been written earlier
		o.waiting[i].kept, o.waiting[i].place = true, place
	}
	e.unlock()
	if d.place = place; i < 0 { // deleted meanwhile
		return false, e.vault.Unqueue(ctx, o.waitingOf(d, data))
	}
	return false, nil
}

// Retry sends a message that was refused once more, under the same id; or it ends the pause that the message's conversation
// makes, so that all that waits there is tried now.
func (e *Engine) Retry(id ozeki.ConversationID, message ozeki.MessageID) {
	e.mu.Lock()
	run := e.run
	m, ok := e.state.Pending(id, message)
	if ok && m.State == state.MessagePaused {
		e.endPause(id)
		e.unlock()
		return
	}
	if !ok || m.State != state.MessageFailed {
		e.unlock()
		return
	}
	o := e.outboxOf(id)
	d := draft{id: m.ID, text: m.Text, at: m.Created, content: m.Content, until: m.Until, place: o.turn()}
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
	e.goIn(run, func(ctx context.Context, run int) {
		data, _, err := e.seal(ctx, o, d)
		if err == nil {
			_, err = e.keepSealed(ctx, run, o, d, data)
		}
		e.mu.Lock()
		if i := o.index(d.id); i >= 0 {
			o.waiting[i].kept, o.waiting[i].loose = err == nil && e.keeps, err != nil || !e.keeps
		}
		e.unlock()
		e.sendMessages(run, o)
	})
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
	if waits := m.State == state.MessageQueued || m.State == state.MessagePaused; waits && o.tried[message] {
		when := "when the connection is back"
		if m.State == state.MessagePaused {
			when = "when the server takes it"
		}
		e.applyLocked(state.NoticeAdded{Text: "This message may have arrived already, so it cannot be deleted. It is sent " + when + "."})
		return
	}
	w := Waiting{Conversation: id, ID: message}
	if i := o.index(message); i >= 0 {
		w.Place = o.waiting[i].place
		o.waiting = slices.Delete(o.waiting, i, i+1)
	}
	delete(o.sealed, message)
	e.unjotMessage(message)
	o.done[message] = true
	e.applyLocked(state.MessageDropped{ID: message, Conversation: id})
	e.goIn(e.run, func(ctx context.Context, run int) {
		e.forget(ctx, run, w, "It may still be sent.")
		e.forgetFiles(ctx, o, files)
	})
}

// forget removes a message from what the device keeps, and says what it means if that cannot be done.
func (e *Engine) forget(ctx context.Context, run int, w Waiting, means string) {
	e.vaultMu.Lock()
	err := e.vault.Unqueue(ctx, w)
	e.vaultMu.Unlock()
	if err != nil {
		e.applyIn(run, state.NoticeAdded{Text: "This device could not take a message out of its queue: " + err.Error() + ". " + means})
	}
}

// restore takes over the messages that an earlier run of the program, or a tab that was closed, could not send.
func (e *Engine) restore(ctx context.Context, run int, kept []Waiting) {
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
		if _, known := o.sealed[w.ID]; !known && !o.done[w.ID] {
			o.sealed[w.ID], o.tried[w.ID] = sealedText{sealed[0].Key, w.Data}, true
			o.place = max(o.place, w.Place)
			d := draft{id: w.ID, text: content.Text, at: w.Created, content: &content, until: w.Until, place: w.Place, kept: true}
			files := o.restoreFiles(&d, content.Files)
			e.applyLocked(state.MessageWritten{ID: w.ID, Conversation: w.Conversation, Text: content.Text, Files: files, At: w.Created, Until: w.Until, Content: &content})
			if w.Refused == "" {
				o.waiting = append(o.waiting, d)
			} else {
				e.applyLocked(state.MessageMoved{ID: w.ID, Conversation: w.Conversation, State: state.MessageFailed, Why: w.Refused})
			}
		}
		e.unlock()
	}
}

// sendMessages sends what waits in an outbox, one message after the other.
func (e *Engine) sendMessages(run int, o *outbox) {
	e.mu.Lock()
	if run != e.run || o.busy || len(o.waiting) == 0 {
		o.again = o.busy
		e.unlock()
		return
	}
	o.busy, o.again = true, false
	e.unlock()
	e.goIn(run, func(ctx context.Context, run int) {
		more := false
		// One tab sends at a time. After an error the program ends.
		_ = e.locks.Hold(ctx, "starling.send."+string(o.conversation), func() { more = e.sendNext(ctx, run, o) })
		e.mu.Lock()
		o.busy = false
		more = more || o.again && !e.held(o.conversation)
		e.unlock()
		if more {
			e.sendMessages(run, o)
		}
	})
}

// sendNext sends the message of an outbox that is the next of all tabs, and reports whether there may be more to send. The
// caller holds the conversation's lock.
func (e *Engine) sendNext(ctx context.Context, run int, o *outbox) (more bool) {
	d, ok := e.nextMessage(ctx, run, o)
	if !ok {
		return false
	}
	err := e.post(ctx, run, o, d)
	unreached := errors.Is(err, ozeki.ErrUnreachable) || errors.Is(err, ozeki.ErrUnavailable)
	alone := unreached && e.alone(err)
	switch { // before it is shown, so that the user can end a pause, and a poll that gets through can end the waiting
	case alone:
		e.holdBack(run, o.conversation)
	case unreached:
		e.failed(run, err)
	}
	moved := state.MessageMoved{ID: d.id, Conversation: o.conversation, State: state.MessageSent}
	switch {
	case unreached:
		moved.State = state.MessageQueued
	case err != nil:
		moved.State, moved.Why = state.MessageFailed, Words(err)
	}
	e.mu.Lock()
	delete(o.uploads, d.id)
	if run != e.run || ctx.Err() != nil {
		e.unlock()
		return false
	}
	if o.index(d.id) < 0 { // deleted while its files were being sent
		e.unlock()
		e.forget(ctx, run, o.waitingOf(d, ""), "It may still be sent.") // before another tab has its turn
		return true
	}
	if alone && !e.current().Offline {
		moved.State = state.MessagePaused
	}
	events := []state.Event{moved}
	if unreached {
		for _, w := range o.waiting {
			if w.id != d.id && (w.kept || w.loose) {
				events = append(events, state.MessageMoved{ID: w.id, Conversation: o.conversation, State: moved.State})
			}
		}
	} else if !errors.Is(err, ozeki.ErrSignature) {
		o.waiting = slices.DeleteFunc(o.waiting, func(w draft) bool { return w.id == d.id })
	}
	if err == nil {
		delete(o.sealed, d.id)
		delete(o.tried, d.id)
		o.done[d.id] = true
	}
	e.applyLocked(events...)
	e.unlock()
	if !unreached && e.outcome(run, o.conversation, err) {
		return false // sent, under the same id, when the user has signed in again
	}
	switch {
	case unreached:
		return false // sent again, under the same id, by the next poll that succeeds
	case err != nil && !d.loose:
		e.refused(ctx, run, o, d, moved.Why)
	case err == nil: // before another tab has its turn
		e.forget(ctx, run, o.waitingOf(d, ""), "After a restart it is sent again, which changes nothing.")
		e.forgetFiles(ctx, o, d.files)
	}
	if err == nil {
		e.goIn(run, func(ctx context.Context, run int) { e.catchUp(ctx, run, o.conversation) }) // puts it into the server's order
	}
	return true
}

// refused keeps why the server has refused a message.
func (e *Engine) refused(ctx context.Context, run int, o *outbox, d draft, why string) {
	e.vaultMu.Lock()
	e.mu.Lock()
	w, deleted := o.waitingOf(d, o.sealed[d.id].data), o.done[d.id]
	e.unlock()
	var err error
	if w.Refused = why; deleted { // as soon as it was seen to be refused, when its place in the queue was not known any more
		err = e.vault.Unqueue(ctx, w)
	} else {
		err = e.vault.Requeue(ctx, w)
	}
	e.vaultMu.Unlock()
	if err != nil {
		e.notKept(run, err)
	}
}

// nextMessage is the message that is to be sent next: the first of the conversation that the device keeps, whichever tab
// it was written in. What another tab has dealt with meanwhile leaves the outbox. The caller holds the conversation's lock.
func (e *Engine) nextMessage(ctx context.Context, run int, o *outbox) (next draft, ok bool) {
	var after int64 // the place of one that cannot be opened
	var restored ozeki.MessageID
	blind := false // the device does not tell what others have dealt with
	for {
		w, err := e.vault.NextQueued(ctx, o.conversation, after)
		e.mu.Lock()
		if run != e.run || len(o.waiting) == 0 {
			e.unlock()
			return draft{}, false
		}
		first := o.waiting[0]
		known := first.kept || first.loose // what this tab knows has to do where the device cannot be asked
		if err != nil || !e.keeps {
			e.unlock()
			return first, known
		}
		i, done := -1, false
		if w != nil {
			i, done = o.index(w.ID), o.done[w.ID]
		}
		passed := !blind && slices.ContainsFunc(o.waiting, func(d draft) bool { return d.kept && (w == nil || d.place < w.Place) })
		if !passed && i >= 0 {
			o.waiting[i].place = w.Place
			next, ok = o.waiting[i], true
			if !first.kept { // it was written before, and is being kept
				next, ok = first, first.loose
			}
			e.unlock()
			return next, ok
		}
		e.unlock()
		switch {
		case passed: // another tab has dealt with it, or it was kept after the device was asked
			if kept, err := e.vault.Load(ctx); err == nil && kept == nil { // the browser has cleared it: nobody has dealt with anything
				return first, known
			}
			blind = !e.dealtWith(ctx, run, o)
			after, restored = 0, ""
		case w == nil:
			return first, first.loose
		case done: // and could not be forgotten, which was said
			_ = e.vault.Unqueue(ctx, *w)
			after = w.Place
		case restored == w.ID: // its key is not there
			after = w.Place
		default: // of another tab
			e.restore(ctx, run, []Waiting{*w})
			restored = w.ID
		}
	}
}

// dealtWith takes out of an outbox what another tab has sent, deleted or seen refused, and learns the places of the rest. It
// reports whether the device could be asked.
func (e *Engine) dealtWith(ctx context.Context, run int, o *outbox) bool {
	e.mu.Lock()
	kept := map[ozeki.MessageID]bool{} // before the device is asked
	for _, d := range o.waiting {
		kept[d.id] = d.kept
	}
	e.unlock()
	all, err := e.vault.Queued(ctx)
	if err != nil {
		return false
	}
	mine := map[ozeki.MessageID]Waiting{}
	for _, w := range all {
		mine[w.ID] = w
	}
	e.mu.Lock()
	if run != e.run {
		e.unlock()
		return false
	}
	var events []state.Event
	var gone []ozeki.MessageID
	for i, d := range o.waiting {
		if w, there := mine[d.id]; there && kept[d.id] {
			o.waiting[i].place = w.Place
		}
	}
	o.waiting = slices.DeleteFunc(o.waiting, func(d draft) bool {
		w, there := mine[d.id]
		switch {
		case !kept[d.id] || there && w.Refused == "":
			return false
		case there:
			events = append(events, state.MessageMoved{ID: d.id, Conversation: o.conversation, State: state.MessageFailed, Why: w.Refused})
		default:
			delete(o.sealed, d.id)
			gone = append(gone, d.id)
		}
		return true
	})
	e.applyLocked(events...)
	e.unlock()
	if len(gone) > 0 { // sent, or deleted
		e.catchUp(ctx, run, o.conversation)
		for _, id := range gone {
			e.applyIn(run, state.MessageDropped{ID: id, Conversation: o.conversation})
		}
	}
	return true
}

// errNoKey says that a conversation's key is not known on this device.
var errNoKey = sentence("This conversation's key cannot be opened with your key, so nothing can be written here on this device.")

// seal seals a message, once: fresh is true for the first time, and when it has another key since.
func (e *Engine) seal(ctx context.Context, o *outbox, d draft) (data string, fresh bool, err error) {
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
		return "", false, context.Canceled
	case key == nil:
		return "", false, errNoKey
	case bytes.Equal(sealed.key, key), tried && known:
		return sealed.data, false, nil
	}
	content := *d.content
	files, err := e.sealFiles(ctx, o, d)
	if err != nil {
		return "", false, err
	}
	content.Files = files
	plain, err := contentOf(content)
	if err != nil {
		return "", false, err
	}
	data, err = e.client.Scheme().Seal(ctx, key, ozeki.MessageAD(id, d.id), plain)
	if err != nil {
		return "", false, err
	}
	e.mu.Lock()
	defer e.unlock()
	if o.gone {
		return "", false, context.Canceled
	}
	if now := o.sealed[d.id]; bytes.Equal(now.key, key) { // by sealNow, meanwhile
		return now.data, false, nil
	}
	o.sealed[d.id] = sealedText{key, data}
	return data, true, nil
}

// errNotYet says that a message has a file that is not encrypted yet.
var errNotYet = errors.New("a file is still to be encrypted")

// sealNow is seal without waiting for anything, for a message that was not sent yet. The caller holds mu.
func (e *Engine) sealNow(o *outbox, d draft) (data string, err error) {
	key, _ := e.state.Key(o.conversation)
	if sealed := o.sealed[d.id]; sealed.key != nil {
		return sealed.data, nil
	}
	if key == nil {
		return "", errNoKey
	}
	content := *d.content
	content.Files = nil
	for _, id := range d.files {
		out := o.files[id]
		if out == nil || out.file.Key == "" || !out.kept {
			return "", errNotYet
		}
		content.Files = append(content.Files, out.file)
	}
	plain, err := contentOf(content)
	if err == nil {
		data, err = e.client.Scheme().Seal(e.ctx, key, ozeki.MessageAD(o.conversation, d.id), plain)
	}
	if err == nil {
		o.sealed[d.id] = sealedText{key, data}
	}
	return data, err
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
	data, fresh, err := e.seal(ctx, o, d)
	if err != nil {
		return err
	}
	if fresh && !d.loose {
		// Under another key than before. Where the device does not take it, it keeps the one before.
		_, _ = e.keepSealed(ctx, run, o, d, data)
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
