package app

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	goapp "github.com/maxence-charriere/go-app/v9/pkg/app"

	"starling/app/engine"
	"starling/app/state"
	"starling/ozeki"
)

// What is written: drafts, answers, changes of messages, and how long messages last.

// composing is what the composer is about beside its text. The zero value is a new message that answers nothing.
type composing struct {
	Edit  ozeki.MessageID // the message that is changed
	Title string          // what is done, and to whose message
	Quote string          // how that message begins
}

// keeps are the choices of how long a message lasts.
var keeps = []struct {
	label string
	value time.Duration
}{{"Messages are kept", 0}, {"Gone after 1 minute", time.Minute}, {"Gone after 1 day", 24 * time.Hour}, {"Gone after 1 week", 7 * 24 * time.Hour}}

// quoteLength is the number of characters that an answer quotes.
const quoteLength = 120

// quoteOf is how a text begins, on one line.
func quoteOf(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if r := []rune(text); len(r) > quoteLength {
		text = string(r[:quoteLength-1]) + "…"
	}
	return text
}

// about says what the composer of a conversation is about.
func (r *root) about(o *state.Open) composing {
	switch {
	case o == nil:
	case r.editing.ID != "" && r.editingIn == o.Row.ID:
		return composing{Edit: r.editing.ID, Title: "Edit message", Quote: quoteOf(r.editing.Text)}
	case o.Draft != nil && o.Draft.Reply != nil:
		return composing{Title: "Reply to " + whoIs(o, o.Draft.Reply.From), Quote: o.Draft.Reply.Text}
	}
	return composing{}
}

// whoIs names somebody who wrote in a conversation.
func whoIs(o *state.Open, id ozeki.UserID) string {
	for i := range o.Messages {
		if m := &o.Messages[i]; m.From == id {
			if m.Mine {
				return "yourself"
			}
			return m.Sender
		}
	}
	return "a message"
}

// message finds a message of the open conversation.
func (r *root) message(id ozeki.ConversationID, message ozeki.MessageID) (state.Message, *state.Open, bool) {
	if o := r.engine.Snapshot().Open; o != nil && o.Row.ID == id {
		for _, m := range o.Messages {
			if m.ID == message {
				return m, o, true
			}
		}
	}
	return state.Message{}, nil, false
}

// send sends what stands in the composer, or makes the change to a message; it stays there if it is not taken.
func (r *root) send() {
	o := r.engine.Snapshot().Open
	if o == nil || !o.Known || r.current != o.Row.ID {
		return
	}
	id, text := o.Row.ID, value("composer")
	if r.editing.ID != "" && r.editingIn == id {
		r.saveEdit(id, text)
		return
	}
	w := engine.Writing{Text: text, Keep: r.keep(id)}
	if o.Draft != nil {
		w.Reply = o.Draft.Reply
	}
	if !o.CanWrite || o.Opening {
		r.refuse("Not sent yet: the conversation is still being opened. Try again in a moment.")
		return
	}
	sends := strings.TrimSpace(text) != "" || len(r.chosen[id]) > 0
	if words := r.write(id, w); words != "" {
		r.refuse(words)
		return
	}
	if sends {
		r.engine.SetDraft(id, nil)
	}
	setValue("composer", "")
	r.log.toEnd()
	r.refuse("")
}

// written takes over that a message stands on the device; or that it does not, and gives it back.
func (r *root) written(id ozeki.ConversationID, w engine.Writing, chosen []chosenFile, err error) {
	if err == nil {
		return
	}
	if d := r.engine.Draft(id); d != nil && d.Text != "" {
		w.Text += "\n" + d.Text // what was begun since
	}
	r.engine.SetDraft(id, &state.Draft{Text: w.Text, Reply: w.Reply})
	r.chosen[id] = append(chosen, r.chosen[id]...)
	r.keepChosen(id)
	words := "Not sent: " + err.Error() + "."
	switch {
	case r.current != id:
		r.engine.Say(words)
	case r.editing.ID == "": // else it is there when that is over
		setValue("composer", w.Text)
		fallthrough
	default:
		r.refused = words
	}
}

func (r *root) refuse(words string) {
	if words != r.refused {
		r.ctx.Dispatch(func(goapp.Context) { r.refused = words })
	}
}

// typed keeps what stands in the composer as the conversation's draft, or as a change of a message beside it.
func (r *root) typed(text string) {
	r.sending = "" // there is more to say
	if r.opening() {
		r.early = r.current
	} else if r.editing.ID == "" {
		r.setDraft(text, func(*state.Draft) {})
	} else {
		r.keepEdit(text)
	}
	r.refuse("")
	if text != "" {
		r.engine.Typing(r.current)
	}
}

func (r *root) setDraft(text string, change func(*state.Draft)) {
	r.changeDraft(r.current, func(d *state.Draft) { d.Text = text; change(d) })
}

func (r *root) changeDraft(id ozeki.ConversationID, change func(*state.Draft)) {
	d := state.Draft{}
	if was := r.engine.Draft(id); was != nil {
		d = *was
	}
	change(&d)
	r.engine.SetDraft(id, &d)
}

// keepEdit keeps a change of a message that was begun beside the draft.
func (r *root) keepEdit(text string) {
	m := r.editing
	r.changeDraft(r.editingIn, func(d *state.Draft) { d.Edit = &state.Edit{ID: m.ID, Was: m.Text, Now: text} })
}

// compose puts what is known of a conversation's draft into the composer, where nothing stands: its text or the change
// that was begun, and its files.
func (r *root) compose(id ozeki.ConversationID) {
	if r.engine == nil { // nothing has begun
		return
	}
	d := r.engine.Draft(id)
	r.keepOnly(id, d)
	if d == nil {
		setValue("composer", "")
		return
	}
	r.chosenBefore(id, d)
	if d.Edit == nil {
		setValue("composer", d.Text)
		return
	}
	r.editing, r.editingIn = state.Message{ID: d.Edit.ID, Text: d.Edit.Was}, id
	setValue("composer", d.Edit.Now)
}

// opening reports whether a draft of the current conversation, kept by an earlier run of the program, is still to be opened, or
// is open and does not stand in the composer yet.
func (r *root) opening() bool {
	is := func(s *state.Snapshot) bool {
		return s != nil && s.Open != nil && s.Open.Row.ID == r.current && s.Open.Opening
	}
	return is(r.engine.Snapshot()) || is(r.snap)
}

// joinEarly puts what was written before the draft was opened behind it.
func (r *root) joinEarly() {
	id := r.early
	if id == "" || r.opening() {
		return
	}
	r.early = ""
	r.changeDraft(id, func(d *state.Draft) { d.Text = joinLines(d.Text, value("composer")) })
	r.compose(id)
	focusEnd("composer")
}

// dropSent empties the composer whose draft, as the snapshot before showed it, another tab has sent.
func (r *root) dropSent(before *state.Snapshot) {
	id := r.current
	if o := r.snap.Open; !hasDraft(before, id) || o == nil || o.Row.ID != id || r.engine.Draft(id) != nil || r.editing.ID != "" {
		return
	}
	was := before.Open.Draft
	if was.Text != "" && value("composer") == was.Text {
		setValue("composer", "")
	}
	r.keepOnly(id, nil)
}

// joinLines puts one text below the other, if both are there.
func joinLines(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "\n" + b
}

// standing is what stands in a conversation's composer, as far as it is known: the change of a message, or the draft.
func (r *root) standing(id ozeki.ConversationID) string {
	if r.editing.ID == "" || r.editingIn != id {
		return r.draftText(id)
	}
	if d := r.engine.Draft(id); d != nil && d.Edit != nil {
		return d.Edit.Now
	}
	return r.editing.Text
}

// draftText is the text of a conversation's draft as far as it is known.
func (r *root) draftText(id ozeki.ConversationID) string {
	if r.engine == nil { // nothing has begun
		return ""
	}
	if d := r.engine.Draft(id); d != nil {
		return d.Text
	}
	return ""
}

// hasDraft reports whether a snapshot shows a conversation with a draft.
func hasDraft(s *state.Snapshot, id ozeki.ConversationID) bool {
	return s != nil && s.Open != nil && s.Open.Row.ID == id && s.Open.Draft != nil
}

// reply begins an answer to a message.
func (r *root) reply(id ozeki.ConversationID, message ozeki.MessageID) {
	m, _, ok := r.message(id, message)
	if !ok || r.opening() {
		return
	}
	r.stopEditing()
	r.setDraft(value("composer"), func(d *state.Draft) { d.Reply = &ozeki.Reply{ID: m.ID, From: m.From, Text: quoteOf(m.Text)} })
	r.afterFrame(func() { focusOn("composer") })
}

// edit puts a message of the user's own into the composer.
func (r *root) edit(id ozeki.ConversationID, message ozeki.MessageID) {
	m, _, ok := r.message(id, message)
	if !ok || !canChange(m, r.snap) || r.opening() {
		return
	}
	r.editing, r.editingIn = m, id
	setValue("composer", m.Text)
	r.keepEdit(m.Text)
	r.refuse("")
	r.ctx.Dispatch(func(ctx goapp.Context) { ctx.Defer(func(goapp.Context) { focusEnd("composer") }) })
}

// editLast edits the user's last message, if that is possible.
func (r *root) editLast() bool {
	o := r.engine.Snapshot().Open
	if o == nil || o.Cut {
		return false
	}
	for i := len(o.Messages) - 1; i >= 0; i-- {
		if m := o.Messages[i]; canChange(m, r.snap) {
			r.edit(o.Row.ID, m.ID)
			return true
		}
	}
	return false
}

// saveEdit makes the change to the message.
func (r *root) saveEdit(id ozeki.ConversationID, text string) {
	message := r.editing.ID
	change := func() {
		err := r.engine.Edit(context.Background(), id, message, text)
		r.ctx.Dispatch(func(goapp.Context) {
			switch {
			case err != nil:
				r.refused = "Not changed: " + engine.Words(err)
			case r.editing.ID == message && value("composer") == text: // else he has gone on meanwhile
				r.stopEditing()
				r.refused = ""
			case r.editing.ID != message:
				r.dropEdit(id, func(e state.Edit) bool { return e.ID == message && e.Now == text })
			}
		})
	}
	if _, _, ok := r.message(id, message); !ok { // begun before a reload, far back
		r.engine.Seek(id, message, change)
		return
	}
	go change()
}

// dropEdit forgets a change of a message that was begun in a conversation, if it is such a one.
func (r *root) dropEdit(id ozeki.ConversationID, is func(state.Edit) bool) {
	if d := r.engine.Draft(id); d != nil && d.Edit != nil && is(*d.Edit) {
		r.changeDraft(id, func(d *state.Draft) { d.Edit = nil })
		r.engine.KeepDrafts() // a reload must not bring it back
	}
}

// stopEditing leaves the change of a message; the draft stands in the composer again.
func (r *root) stopEditing() {
	if r.editing.ID == "" {
		return
	}
	r.dropEdit(r.editingIn, func(state.Edit) bool { return true })
	r.editing, r.editingIn = state.Message{}, ""
	setValue("composer", r.draftText(r.current))
	r.ctx.Dispatch(func(goapp.Context) {})
}

// unfinished reports whether the page holds files that the device does not keep, or not yet.
func (r *root) unfinished() bool {
	for _, chosen := range r.chosen {
		if slices.ContainsFunc(chosen, func(f chosenFile) bool { return f.Kept == nil }) {
			return true
		}
	}
	return r.engine.Unkept()
}

// cancel leaves what the composer is about, and reports whether there was something to leave. The text of an answer stays.
func (r *root) cancel() bool {
	o := r.engine.Snapshot().Open
	switch {
	case r.editing.ID != "":
		r.stopEditing()
		r.refuse("")
	case o != nil && o.Draft != nil && o.Draft.Reply != nil:
		r.setDraft(value("composer"), func(d *state.Draft) { d.Reply = nil })
	default:
		return false
	}
	focusOn("composer")
	return true
}

// keep is how long messages last that are written in a conversation, as this device was told.
func (r *root) keep(id ozeki.ConversationID) time.Duration {
	seconds, _ := strconv.Atoi(pref("keep." + string(id)))
	for _, k := range keeps {
		if k.value == time.Duration(seconds)*time.Second {
			return k.value
		}
	}
	return 0
}

func (r *root) setKeep(value string) { setPref("keep."+string(r.current), value) }

func keepValue(d time.Duration) string { return strconv.Itoa(int(d / time.Second)) }

// insert puts an emoji into the composer.
func (r *root) insert(text string) { insertInto("composer", text) }

func (r *root) copyText(id ozeki.ConversationID, message ozeki.MessageID) {
	m, _, ok := r.message(id, message)
	if !ok {
		return
	}
	go func() {
		if copyText(m.Text) {
			announce("Copied.")
		} else {
			announce("This browser does not let Starling copy: select the text and copy it by hand.")
		}
	}()
}

// askDelete asks whether a message shall be deleted.
func (r *root) askDelete(id ozeki.ConversationID, message ozeki.MessageID) {
	m, _, ok := r.message(id, message)
	if !ok {
		return
	}
	r.ask("Delete message", "“"+quoteOf(m.Words())+"” is deleted for everybody. Who has read it already has read it.", "Delete for everybody", func() error {
		err := r.engine.Delete(context.Background(), id, message)
		if err == nil {
			announce("Message deleted.")
			if r.editing.ID == message {
				r.stopEditing()
			}
		}
		return err
	})
}

// messageMenu opens the menu of a message at a point, or below what has the focus, if there is something to do with it.
func (r *root) messageMenu(id ozeki.ConversationID, message ozeki.MessageID, at point) {
	m, _, ok := r.message(id, message)
	if entries := r.messageEntries(id, m); ok && len(entries) > 0 {
		showMenu("Message actions", entries, at)
	}
}

// messageEntries lists what can be done with a message.
func (r *root) messageEntries(id ozeki.ConversationID, m state.Message) []menuEntry {
	var entries []menuEntry
	add := func(is bool, label string, danger bool, do func(ozeki.ConversationID, ozeki.MessageID)) {
		if is {
			entries = append(entries, menuEntry{label: label, danger: danger, do: func() { do(id, m.ID) }})
		}
	}
	add(canReply(m), "Reply", false, r.reply)
	add(m.Text != "", "Copy text", false, r.copyText)
	add(canChange(m, r.snap), "Edit", false, r.edit)
	add(m.Mine && m.State == state.MessageSent && m.Kind == state.KindText && r.snap.Has(ozeki.ExtMessageChange), "Delete…", true, r.askDelete)
	return entries
}

// canReply reports whether a message can be answered.
func canReply(m state.Message) bool {
	return m.Kind == state.KindText && m.State == state.MessageSent && !m.Trouble
}

// canChange reports whether the user may give a message another text.
func canChange(m state.Message, s *state.Snapshot) bool {
	return m.Mine && m.State == state.MessageSent && m.Kind == state.KindText && !m.Trouble && m.Content != nil && s.Has(ozeki.ExtMessageChange)
}

// seek goes to a message that may not be at hand yet.
func (r *root) seek(id ozeki.ConversationID, message ozeki.MessageID) {
	r.engine.Seek(id, message, func() { r.log.goTo(message) })
}

func (r *root) now() time.Time { return r.engine.Now() }
