package engine

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"starling/app/state"
	"starling/ozeki"
	"starling/ozeki/json"
)

// draftPause is how long the user has to stop writing before the draft is kept.
const draftPause = 400 * time.Millisecond

// draftID stands for the message id in the seal of a draft, which is no message.
const draftID = ozeki.MessageID("draft")

// SetDraft says what stands in the composer of a conversation, nil for nothing. It is kept on the device when the user
// pauses, sealed under the conversation's key.
func (e *Engine) SetDraft(id ozeki.ConversationID, d *state.Draft) {
	if d.IsEmpty() {
		d = nil
	}
	e.mu.Lock()
	defer e.unlock()
	if e.kept == nil {
		return
	}
	was := e.state.Draft(id)
	if (was == nil) != (d == nil) || was != nil && was.Reply != d.Reply {
		e.applyLocked(state.DraftChanged{ID: id, Draft: d})
	} else {
		e.state.Apply(state.DraftChanged{ID: id, Draft: d}) // another letter: nothing that is shown has changed
		if e.snap == e.shown {
			e.snap = nil
		} else { // one waits to be shown
			e.snap = e.state.Snapshot()
		}
	}
	if e.drafts == nil {
		e.drafts = map[ozeki.ConversationID]*state.Draft{}
	}
	e.drafts[id] = d
	e.keepDraftsLater()
}

// keepDraftsLater keeps the drafts at the next pause. The caller holds mu.
func (e *Engine) keepDraftsLater() {
	if e.draftTimer != nil {
		e.draftTimer()
	}
	e.draftTimer = e.after(draftPause, e.KeepDrafts)
}

// Draft returns what stands in the composer of a conversation, nil for nothing.
func (e *Engine) Draft(id ozeki.ConversationID) *state.Draft {
	e.mu.Lock()
	defer e.unlock()
	return e.state.Draft(id)
}

// KeepDrafts keeps what SetDraft was told, without waiting for a pause.
func (e *Engine) KeepDrafts() {
	e.mu.Lock()
	defer e.unlock()
	e.keepDraftsLocked()
}

// jotted is what Leaving keeps at once, until the vault has it.
type jotted struct {
	User   ozeki.UserID                    `json:"user,omitempty"`   // whose it is; an earlier version did not say
	Drafts map[ozeki.ConversationID]string `json:"drafts,omitempty"` // an empty one is none
	Wishes state.Wishes                    `json:"wishes,omitempty"`
	Order  []ozeki.ConversationID          `json:"order,omitempty"`
	Read   map[ozeki.ConversationID]Read   `json:"read,omitempty"`
	Queue  []Waiting                       `json:"queue,omitempty"`
}

func (j jotted) isEmpty() bool {
	return len(j.Drafts)+len(j.Wishes)+len(j.Order)+len(j.Read)+len(j.Queue) == 0
}

// readJot reads what was jotted. An earlier version jotted drafts alone.
func readJot(text string) (j jotted) {
	if json.Unmarshal([]byte(text), &j) != nil || j.isEmpty() {
		j = jotted{}
		_ = json.Unmarshal([]byte(text), &j.Drafts) // what is neither is nothing
	}
	return j
}

// Leaving keeps at once what SetDraft was told, and messages, flags, an order and what was viewed, as far as the vault does not
// hold them yet: the page may be about to go, and what it begins to write then may not be written to its end.
func (e *Engine) Leaving() {
	e.mu.Lock()
	defer e.unlock()
	if e.kept == nil {
		return
	}
	unkept := map[ozeki.ConversationID]*state.Draft{}
	for id, d := range e.keeping {
		if e.state.Draft(id) == d {
			unkept[id] = d
		}
	}
	maps.Copy(unkept, e.drafts)
	var queue []Waiting
	for id, o := range e.sender {
		if !o.unkept() {
			continue
		}
		var back []string // what comes back, since it has a file that is still to be encrypted
		for _, d := range o.waiting {
			if d.kept || d.loose {
				continue
			}
			if data, err := e.sealNow(o, d); err == nil {
				queue = append(queue, o.waitingOf(d, data))
			} else if d.text != "" {
				back = append(back, d.text)
			}
		}
		if len(back) > 0 {
			d := state.Draft{}
			if now := e.state.Draft(id); now != nil {
				d = *now
				back = append(back, d.Text)
			}
			d.Text = strings.Join(back, "\n")
			unkept[id] = &d
		}
	}
	drafts := map[ozeki.ConversationID]string{}
	for id, d := range unkept {
		if d == nil && len(e.mine[id]) == 0 {
			continue // what is kept is another tab's
		}
		key, _ := e.state.Key(id)
		if sealed, err := e.sealDraft(e.ctx, id, key, d); err == nil {
			drafts[id] = sealed
			e.own(id, sealed)
		}
	}
	if len(drafts)+len(queue)+len(e.wishing)+len(e.ordering)+len(e.viewing) == 0 {
		return
	}
	own := jotted{User: e.user(), Drafts: drafts, Order: e.ordering, Read: withRead(nil, e.viewing), Queue: queue}
	for at, value := range e.wishing {
		own.Wishes = withWish(own.Wishes, at.id, at.flag, value, true)
	}
	j := readJot(e.vault.Jotted()) // also of another tab that leaves
	if j.User != "" && j.User != own.User {
		j = jotted{}
	}
	if e.jotted != nil {
		j = j.without(*e.jotted)
	}
	e.jotted = &own
	e.jot(j.with(own))
	e.keepDraftsLocked()
}

// jot writes down what is to be found by the next start, nothing for none.
func (e *Engine) jot(j jotted) {
	if j.isEmpty() {
		e.vault.Jot("")
	} else if b, err := json.Marshal(j); err == nil {
		e.vault.Jot(string(b))
	}
}

// with returns what is jotted with more of the same user's.
func (j jotted) with(more jotted) jotted {
	j.User = more.User
	drafts := maps.Clone(j.Drafts)
	if drafts == nil {
		drafts = map[ozeki.ConversationID]string{}
	}
	maps.Copy(drafts, more.Drafts)
	j.Drafts = drafts
	for id, of := range more.Wishes {
		for flag, value := range of {
			j.Wishes = withWish(j.Wishes, id, flag, value, true)
		}
	}
	if more.Order != nil {
		j.Order = more.Order
	}
	j.Read = withRead(j.Read, more.Read)
	j.Queue = append(slices.Clip(j.Queue), more.Queue...)
	return j
}

// without returns what is jotted without what is the same in another one.
func (j jotted) without(own jotted) jotted {
	j.Drafts, j.Read = maps.Clone(j.Drafts), maps.Clone(j.Read)
	maps.DeleteFunc(j.Drafts, func(id ozeki.ConversationID, sealed string) bool {
		was, is := own.Drafts[id]
		return is && was == sealed
	})
	maps.DeleteFunc(j.Read, func(id ozeki.ConversationID, r Read) bool {
		was, is := own.Read[id]
		return is && was.Message == r.Message && was.Instance == r.Instance
	})
	for id, of := range own.Wishes {
		for flag, value := range of {
			if now, is := j.Wishes[id][flag]; is && now == value {
				j.Wishes = withWish(j.Wishes, id, flag, "", false)
			}
		}
	}
	if slices.Equal(j.Order, own.Order) {
		j.Order = nil
	}
	j.Queue = slices.DeleteFunc(slices.Clone(j.Queue), func(w Waiting) bool {
		return slices.ContainsFunc(own.Queue, func(o Waiting) bool { return o.ID == w.ID })
	})
	return j
}

// unjot takes back what was jotted once the vault has all of it: the page has not gone. The caller holds mu.
func (e *Engine) unjot() {
	if e.jotted == nil || len(e.drafts)+len(e.keeping)+len(e.wishing)+len(e.ordering)+len(e.viewing) > 0 {
		return
	}
	for _, o := range e.sender {
		if o.unkept() {
			return
		}
	}
	if j := readJot(e.vault.Jotted()); j.User == e.jotted.User { // what another tab has jotted that has gone stays
		e.jot(j.without(*e.jotted))
	}
	e.jotted = nil
}

// unjotMessage takes back a message that is not to be sent any more. The caller holds mu.
func (e *Engine) unjotMessage(id ozeki.MessageID) {
	if e.jotted == nil || !slices.ContainsFunc(e.jotted.Queue, func(w Waiting) bool { return w.ID == id }) {
		return
	}
	it := jotted{Queue: []Waiting{{ID: id}}}
	if j := readJot(e.vault.Jotted()); j.User == e.jotted.User {
		e.jot(j.without(it))
	}
	*e.jotted = e.jotted.without(it)
}

// own notes that a sealed draft is this tab's: where the device keeps another one, that is another tab's. Of the draft the nonce is
// enough. The caller holds mu.
func (e *Engine) own(id ozeki.ConversationID, sealed string) {
	if sealed == "" {
		return
	}
	if e.mine == nil {
		e.mine = map[ozeki.ConversationID]map[string]bool{}
	}
	if e.mine[id] == nil {
		e.mine[id] = map[string]bool{}
	}
	e.mine[id][nonceOf(sealed)] = true
}

// nonceOf is the part of a sealed text that no other one has.
func nonceOf(sealed string) string { return sealed[:min(len(sealed), 16)] }

// keptDraft is a draft as it is kept, sealed.
type keptDraft struct {
	Text  string       `json:"text"`
	Reply *ozeki.Reply `json:"reply,omitempty"`
	Files []ozeki.File `json:"files,omitempty"`
	Edit  *state.Edit  `json:"edit,omitempty"`
}

// sealDraft seals a draft as it is kept, empty for none.
func (e *Engine) sealDraft(ctx context.Context, id ozeki.ConversationID, key []byte, d *state.Draft) (string, error) {
	if d == nil {
		return "", nil
	}
	if key == nil {
		return "", errNoKey
	}
	plain, err := json.Marshal(keptDraft(*d))
	if err != nil {
		return "", err
	}
	return e.client.Scheme().Seal(ctx, key, ozeki.MessageAD(id, draftID), plain)
}

// takeJot takes over what an earlier run of the program jotted when it left. What cannot be kept stays jotted; what is another
// user's goes. k was read after the text was.
func (e *Engine) takeJot(ctx context.Context, k *Kept, text string) {
	j := readJot(text)
	if j.isEmpty() {
		return
	}
	over := func() {
		if e.vault.Jotted() == text { // else another tab has left meanwhile
			e.vault.Jot("")
		}
	}
	if j.User != "" && j.User != k.Session.UserID {
		over()
		return
	}
	take := func(k *Kept) {
		k.Drafts = withDrafts(k.Drafts, j.Drafts)
		for id, of := range j.Wishes {
			for flag, value := range of {
				k.Wishes = withWish(k.Wishes, id, flag, value, true)
			}
		}
		if j.Order != nil {
			k.Order = j.Order
		}
		k.Read = withRead(k.Read, j.Read)
	}
	take(k)
	e.vaultMu.Lock()
	defer e.vaultMu.Unlock()
	if e.vault.Update(ctx, take) == nil && e.queueJotted(ctx, k.Session.UserID, j.Queue) == nil {
		over()
	}
}

// queueJotted puts messages that were jotted into the queue. One that is there already, or was sent from there, is the same
// message for the server. The caller holds vaultMu.
func (e *Engine) queueJotted(ctx context.Context, user ozeki.UserID, ws []Waiting) error {
	if len(ws) == 0 {
		return nil
	}
	all, err := e.vault.Queued(ctx)
	for _, w := range ws {
		if err == nil && !slices.ContainsFunc(all, func(x Waiting) bool { return x.ID == w.ID }) {
			_, _, err = e.vault.Queue(ctx, user, w, false)
		}
	}
	return err
}

// withDrafts returns drafts with others in their places; an empty one is none.
func withDrafts(drafts, others map[ozeki.ConversationID]string) map[ozeki.ConversationID]string {
	all := maps.Clone(drafts)
	if all == nil {
		all = map[ozeki.ConversationID]string{}
	}
	for id, sealed := range others {
		if delete(all, id); sealed != "" {
			all[id] = sealed
		}
	}
	return all
}

// keepDraftsLocked is KeepDrafts for a caller who holds mu.
func (e *Engine) keepDraftsLocked() {
	drafts, run := e.drafts, e.run
	e.drafts = nil
	if e.draftTimer != nil {
		e.draftTimer()
		e.draftTimer = nil
	}
	for id, d := range drafts {
		if d == nil && e.sender[id].unkept() { // it goes once what was written of it stands on the device
			delete(drafts, id)
			e.laterLocked(id, nil)
		}
	}
	if e.keeping == nil {
		e.keeping = map[ozeki.ConversationID]*state.Draft{}
	}
	maps.Copy(e.keeping, drafts)
	if len(drafts) > 0 {
		e.goIn(run, func(ctx context.Context, run int) { e.keepDrafts(ctx, run, drafts) })
	}
}

// laterLocked puts a draft, nil for none, back to be kept another time, unless there is a newer one. The caller holds mu.
func (e *Engine) laterLocked(id ozeki.ConversationID, d *state.Draft) {
	if _, newer := e.drafts[id]; newer {
		return
	}
	if e.drafts == nil {
		e.drafts = map[ozeki.ConversationID]*state.Draft{}
	}
	e.drafts[id] = d
}

func (e *Engine) keepDrafts(ctx context.Context, run int, drafts map[ozeki.ConversationID]*state.Draft) {
	sealed := map[ozeki.ConversationID]string{}
	for id, d := range drafts {
		if d == nil {
			continue
		}
		e.mu.Lock()
		key, _ := e.state.Key(id)
		if key == nil && run == e.run { // not opened yet: once it is
			delete(drafts, id)
			e.laterLocked(id, d)
		}
		e.unlock()
		if key == nil {
			continue
		}
		text, err := e.sealDraft(ctx, id, key, d)
		if err != nil {
			return
		}
		sealed[id] = text
	}
	e.mu.Lock()
	defer e.unlock()
	if run != e.run {
		return
	}
	for id, d := range drafts {
		if e.state.Draft(id) != d {
			delete(drafts, id) // it has changed while it was sealed: the newer one is kept by whoever told of it
		}
	}
	now, files := make(map[ozeki.ConversationID]string, len(drafts)), make(map[ozeki.ConversationID][]ozeki.FileID)
	for id, d := range drafts {
		now[id] = sealed[id]
		if d != nil && len(d.Files) > 0 {
			files[id] = idsOf(d.Files)
		}
	}
	if e.queued == nil {
		e.queued = map[ozeki.ConversationID]*state.Draft{}
	}
	maps.Copy(e.queued, drafts)
	mine := map[ozeki.ConversationID]map[string]bool{}
	for id, text := range now {
		e.own(id, text)
		mine[id] = maps.Clone(e.mine[id])
	}
	e.saveLater(func(k *Kept) {
		now := maps.Clone(now)
		maps.DeleteFunc(now, func(id ozeki.ConversationID, sealed string) bool {
			return sealed == "" && !mine[id][nonceOf(k.Drafts[id])]
		}) // another tab's
		k.Drafts, k.DraftFiles = withDrafts(k.Drafts, now), maps.Clone(k.DraftFiles)
		maps.DeleteFunc(k.DraftFiles, func(id ozeki.ConversationID, _ []ozeki.FileID) bool { _, changed := now[id]; return changed })
		if k.DraftFiles == nil {
			k.DraftFiles = map[ozeki.ConversationID][]ozeki.FileID{}
		}
		maps.Copy(k.DraftFiles, files)
	})
}

// draft is what stood in the composer when a message was written, as far as other tabs may have it as well.
func (w Writing) draft() *state.Draft {
	d := &state.Draft{Text: w.Text, Reply: w.Reply}
	for _, f := range w.Files {
		if f.Kept != nil {
			d.Files = append(d.Files, *f.Kept)
		}
	}
	return d
}

// sentElsewhere takes a draft away that another tab has sent. One that says anything else stays, and is kept again.
func (e *Engine) sentElsewhere(run int, id ozeki.ConversationID, sent *state.Draft) {
	e.mu.Lock()
	defer e.unlock()
	d := e.state.Draft(id)
	if run != e.run || d == nil {
		return
	}
	if sent == nil || d.Edit != nil || strings.TrimSpace(d.Text) != strings.TrimSpace(sent.Text) || !slices.Equal(idsOf(d.Files), idsOf(sent.Files)) {
		e.laterLocked(id, d) // what that tab wrote may have taken its place on the device
		e.keepDraftsLater()
		return
	}
	delete(e.drafts, id)
	delete(e.keeping, id)
	e.applyLocked(state.DraftChanged{ID: id})
}

// openDraft opens the kept draft of a conversation, if there is one that was not opened yet.
func (e *Engine) openDraft(ctx context.Context, run int, id ozeki.ConversationID) {
	e.mu.Lock()
	sealed := run == e.run && e.state.SealedDraft(id)
	e.unlock()
	if !sealed {
		return
	}
	kept, err := e.load(ctx)
	if err != nil || kept == nil {
		e.applyIn(run, state.DraftLocked{ID: id})
		return
	}
	e.openKeys(ctx, run, id)
	e.mu.Lock()
	keys := e.state.Keys(id)
	e.unlock()
	var draft *state.Draft
	if data := kept.Drafts[id]; data != "" {
		var content keptDraft
		opened := e.tryKeys(ctx, [][][]byte{keys}, []ozeki.Sealed{{AD: ozeki.MessageAD(id, draftID), Data: data}})
		if opened[0].Err != nil {
			e.applyIn(run, state.DraftLocked{ID: id})
			return // it stays kept: its key may be there another time
		}
		if json.Unmarshal(opened[0].Plaintext, &content) == nil {
			draft = (*state.Draft)(&content)
		}
	}
	e.mu.Lock()
	defer e.unlock()
	if run == e.run && e.state.SealedDraft(id) { // nothing was written meanwhile
		e.own(id, kept.Drafts[id])
		e.applyLocked(state.DraftChanged{ID: id, Draft: draft})
	}
}
