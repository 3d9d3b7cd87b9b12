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

// own notes that a sealed draft is this tab's: where the device keeps another one, that is another tab's. Of the draft the nonce is
// enough. The caller holds mu.
func (e *Engine) own(id ozeki.ConversationID, sealed string) {
	if sealed == "" {
		return
	}
	if e.mine == nil {
		e.mine = map[ozeki.ConversationID][]string{}
	}
	nonces := append(slices.Clone(e.mine[id]), nonceOf(sealed))
	e.mine[id] = nonces[max(0, len(nonces)-ownDrafts):]
}

// ownDrafts is how many nonces of drafts a tab knows of each conversation: of those that may still be on the device.
const ownDrafts = 64

// anyDraft stands for all nonces.
const anyDraft = "*"

// unseen is in front of a kept draft that was jotted: a tab that has not opened it leaves it there.
const unseen = "~"

// nonceOf is the part of a sealed text that no other one has.
func nonceOf(sealed string) string {
	sealed = strings.TrimPrefix(sealed, unseen)
	return sealed[:min(len(sealed), 16)]
}

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

// withDraft returns what the device keeps as begun in a conversation, with what a tab has there, sealed, empty for nothing. own are
// the nonces of what it has kept or opened of it before. Several tabs may have begun different things: then it is several sealed
// texts with blanks between them. What is not marked as unseen is what was kept last. aside: it is put beside what is another tab's,
// else in its place.
func withDraft(kept, sealed string, own []string, aside bool) string {
	all := strings.Fields(kept)
	all = slices.DeleteFunc(all, func(s string) bool {
		return nonceOf(s) == nonceOf(sealed) || slices.Contains(own, nonceOf(s)) || slices.Contains(own, anyDraft) ||
			sealed != "" && !aside && !strings.HasPrefix(s, unseen)
	})
	switch {
	case sealed == "":
	case aside:
		all = append(all, unseen+sealed)
	default:
		all = slices.Insert(all, 0, sealed)
	}
	return strings.Join(all, " ")
}

// withText returns what was begun in one tab with what was begun in another.
func (d keptDraft) withText(more keptDraft) keptDraft {
	switch {
	case d.Edit == nil:
		d.Edit = more.Edit
	case more.Edit != nil && more.Edit.Now != d.Edit.Now:
		more.Text = strings.TrimSpace(more.Text + "\n" + more.Edit.Now)
	}
	switch {
	case strings.Contains(d.Text, more.Text):
	case strings.Contains(more.Text, d.Text):
		d.Text = more.Text
	default:
		d.Text += "\n" + more.Text
	}
	if d.Reply == nil {
		d.Reply = more.Reply
	}
	for _, f := range more.Files {
		if !slices.ContainsFunc(d.Files, func(has ozeki.File) bool { return has.ID == f.ID }) {
			d.Files = append(d.Files, f)
		}
	}
	return d
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
	mine := map[ozeki.ConversationID][]string{}
	for id, text := range now {
		e.own(id, text)
		mine[id] = e.mine[id]
	}
	e.saveLater(func(k *Kept) {
		drafts := make(map[ozeki.ConversationID]string, len(now))
		k.DraftFiles = maps.Clone(k.DraftFiles)
		if k.DraftFiles == nil {
			k.DraftFiles = map[ozeki.ConversationID][]ozeki.FileID{}
		}
		for id, sealed := range now {
			drafts[id] = withDraft(k.Drafts[id], sealed, mine[id], false)
			if sealed != "" || drafts[id] == "" { // else what stays is another tab's, with its files
				delete(k.DraftFiles, id)
			}
		}
		maps.Copy(k.DraftFiles, files)
		k.Drafts = withDrafts(k.Drafts, drafts)
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
	e.applyLocked(state.DraftChanged{ID: id})
	delete(e.drafts, id)
	e.laterLocked(id, nil) // it may be this tab's on the device, which that one does not take away
	e.keepDraftsLater()
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
		var all []ozeki.Sealed
		var allKeys [][][]byte
		for _, sealed := range strings.Fields(data) {
			sealed = strings.TrimPrefix(sealed, unseen)
			all, allKeys = append(all, ozeki.Sealed{AD: ozeki.MessageAD(id, draftID), Data: sealed}), append(allKeys, keys)
		}
		for _, opened := range e.tryKeys(ctx, allKeys, all) {
			var content keptDraft
			if opened.Err != nil {
				e.applyIn(run, state.DraftLocked{ID: id})
				return // it stays kept: its key may be there another time
			}
			if json.Unmarshal(opened.Plaintext, &content) != nil {
				continue
			}
			if draft != nil {
				content = keptDraft(*draft).withText(content)
			}
			draft = (*state.Draft)(&content)
		}
	}
	e.mu.Lock()
	defer e.unlock()
	if run == e.run && e.state.SealedDraft(id) { // nothing was written meanwhile
		for _, sealed := range strings.Fields(kept.Drafts[id]) {
			e.own(id, sealed)
		}
		e.applyLocked(state.DraftChanged{ID: id, Draft: draft})
	}
}
