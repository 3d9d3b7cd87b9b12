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
	User   ozeki.UserID                    `json:"user,omitempty"` // whose it is; an earlier version did not say
	Begun  []begun                         `json:"begun,omitempty"`
	Drafts map[ozeki.ConversationID]string `json:"drafts,omitempty"` // of an earlier version; readJot makes Begun of it
	Wishes state.Wishes                    `json:"wishes,omitempty"`
	Order  []ozeki.ConversationID          `json:"order,omitempty"`
	Read   map[ozeki.ConversationID]Read   `json:"read,omitempty"`
	Queue  []Waiting                       `json:"queue,omitempty"`
}

// begun is what was begun to be written in a conversation, as it is jotted.
type begun struct {
	ID     ozeki.ConversationID `json:"id"`
	Sealed string               `json:"sealed,omitempty"` // empty for nothing any more
	// Over are nonces of drafts that the device may keep and the tab has kept or opened: it is in their place.
	Over []string `json:"over,omitempty"`
	// Back says that it has the text of a message with a file that is still to be encrypted: as long as its tab lives it is sent there.
	Back bool `json:"back,omitempty"`
}

func (b begun) is(o begun) bool {
	return b.ID == o.ID && b.Sealed == o.Sealed && b.Back == o.Back && slices.Equal(b.Over, o.Over)
}

func (j jotted) isEmpty() bool {
	return len(j.Begun)+len(j.Drafts)+len(j.Wishes)+len(j.Order)+len(j.Read)+len(j.Queue) == 0
}

// readJot reads what was jotted. An earlier version jotted drafts alone.
func readJot(text string) (j jotted) {
	if json.Unmarshal([]byte(text), &j) != nil || j.isEmpty() {
		j = jotted{}
		_ = json.Unmarshal([]byte(text), &j.Drafts) // what is neither is nothing
	}
	for id, sealed := range j.Drafts {
		j.Begun = append(j.Begun, begun{ID: id, Sealed: sealed, Over: []string{anyDraft}})
	}
	j.Drafts = nil
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
	comesBack := map[ozeki.ConversationID]bool{}
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
			unkept[id], comesBack[id] = &d, true
		}
	}
	var drafts []begun
	for id, d := range unkept {
		if d == nil && len(e.mine[id]) == 0 {
			continue // what is kept is another tab's
		}
		key, _ := e.state.Key(id)
		if sealed, err := e.sealDraft(e.ctx, id, key, d); err == nil {
			drafts = append(drafts, begun{id, sealed, slices.Clone(e.mine[id]), comesBack[id]})
			e.own(id, sealed)
		}
	}
	if len(drafts)+len(queue)+len(e.wishing)+len(e.ordering)+len(e.viewing) == 0 {
		return
	}
	own := jotted{User: e.user(), Begun: drafts, Order: e.ordering, Read: withRead(nil, e.viewing), Queue: queue}
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
	j.Begun = append(slices.Clip(j.Begun), more.Begun...)
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
	j.Begun, j.Read = slices.DeleteFunc(slices.Clone(j.Begun), func(b begun) bool { return slices.ContainsFunc(own.Begun, b.is) }), maps.Clone(j.Read)
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

// takeJot takes over j of the text that was jotted, which a program jotted that has left. What cannot be kept stays jotted; what
// is another user's goes. k was read after the text was. It reports whether it was taken over.
func (e *Engine) takeJot(ctx context.Context, k *Kept, text string, j jotted) bool {
	if j.isEmpty() {
		return false
	}
	over := func() {
		e.mu.Lock()
		defer e.unlock()
		if now := readJot(e.vault.Jotted()); now.User == j.User { // what other tabs have jotted since stays
			e.jot(now.without(j))
		}
	}
	user := k.Session.UserID
	if j.User != "" && j.User != user {
		over()
		return false
	}
	var now jotted // without what the user has decided anew
	take := func(k *Kept) {
		if k.Session.UserID != user {
			return
		}
		k.Drafts = maps.Clone(k.Drafts)
		for _, b := range j.Begun {
			if k.Drafts == nil {
				k.Drafts = map[ozeki.ConversationID]string{}
			}
			if k.Drafts[b.ID] = withDraft(k.Drafts[b.ID], b.Sealed, b.Over, true); k.Drafts[b.ID] == "" {
				delete(k.Drafts, b.ID)
			}
		}
		for id, of := range j.Wishes {
			for flag, value := range of {
				if still, is := now.Wishes[id][flag]; is && still == value {
					k.Wishes = withWish(k.Wishes, id, flag, value, true)
				}
			}
		}
		if j.Order != nil && slices.Equal(now.Order, j.Order) {
			k.Order = j.Order
		}
		read := maps.Clone(j.Read)
		maps.DeleteFunc(read, func(id ozeki.ConversationID, r Read) bool { // another tab has gone on
			now, is := k.Read[id]
			return is && now.Instance == r.Instance && now.At.After(r.At)
		})
		k.Read = withRead(k.Read, read)
	}
	e.vaultMu.Lock()
	defer e.vaultMu.Unlock()
	now = readJot(e.vault.Jotted())
	take(k)
	if e.vault.Update(ctx, take) != nil || e.queueJotted(ctx, user, j.Queue) != nil {
		return false
	}
	over()
	return true
}

// takeLeft takes over what a tab that has gone has jotted: what was jotted at the poll before already, and is not this tab's.
func (e *Engine) takeLeft(ctx context.Context, run int, k *Kept) bool {
	text := e.vault.Jotted()
	e.mu.Lock()
	if run != e.run || !e.restored {
		e.unlock()
		return false
	}
	j := readJot(text)
	if e.jotted != nil {
		j = j.without(*e.jotted)
	}
	j.Begun = slices.DeleteFunc(slices.Clone(j.Begun), func(b begun) bool { return b.Back })
	due := !j.isEmpty() && text == e.leftJot
	e.leftJot = text
	e.unlock()
	if !due || !e.takeJot(ctx, k, text, j) {
		return false
	}
	e.mu.Lock()
	defer e.unlock()
	if run != e.run {
		return false
	}
	if e.left == nil {
		e.left = map[string]bool{}
	}
	for _, w := range j.Queue {
		e.left[string(w.ID)] = true
	}
	for id, of := range j.Wishes {
		for flag, value := range of {
			e.left[leftWish(id, flag, value)] = true
		}
	}
	if j.Order != nil && e.ordering == nil {
		e.applyLocked(state.OrderChanged{IDs: j.Order})
	}
	var drafts []ozeki.ConversationID
	for _, b := range j.Begun {
		_, now := e.drafts[b.ID]
		_, keeping := e.keeping[b.ID]
		mine := e.mine[b.ID]
		switch {
		case now || keeping: // the user is writing
		case k.Drafts[b.ID] != "":
			drafts = append(drafts, b.ID)
		case e.state.SealedDraft(b.ID), len(mine) > 0 && slices.Contains(b.Over, mine[len(mine)-1]): // it was sent there
			e.applyLocked(state.DraftChanged{ID: b.ID})
		}
	}
	e.applyLocked(state.DraftsKept{IDs: drafts})
	if open := e.state.OpenID(); slices.Contains(drafts, open) {
		e.goIn(run, func(ctx context.Context, run int) { e.openDraft(ctx, run, open) })
	}
	return true
}

// overrule takes out of what tabs that have gone have jotted what the user decides anew. The caller holds mu.
func (e *Engine) overrule(decided jotted) {
	text := e.vault.Jotted()
	if text == "" {
		return
	}
	j := readJot(text)
	if j.User != e.user() {
		return
	}
	for id, of := range decided.Wishes {
		for flag := range of {
			j.Wishes = withWish(j.Wishes, id, flag, "", false)
		}
	}
	if decided.Order != nil {
		j.Order = nil
	}
	e.jot(j)
}

// errNoSession says that the device keeps no session of the user any more.
const errNoSession = sentence("You are not signed in on this device any more.")

// queueJotted puts messages that were jotted into the queue. One that is there already, or was sent from there, is the same
// message for the server. The caller holds vaultMu.
func (e *Engine) queueJotted(ctx context.Context, user ozeki.UserID, ws []Waiting) error {
	if len(ws) == 0 {
		return nil
	}
	all, err := e.vault.Queued(ctx)
	for _, w := range ws {
		if err == nil && !slices.ContainsFunc(all, func(x Waiting) bool { return x.ID == w.ID }) {
			var kept bool
			if _, kept, err = e.vault.Queue(ctx, user, w, false); err == nil && !kept {
				err = errNoSession
			}
		}
	}
	return err
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
