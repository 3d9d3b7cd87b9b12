package engine

import (
	"context"
	"maps"
	"slices"
	"strings"

	"starling/app/state"
	"starling/ozeki"
	"starling/ozeki/json"
)

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

// takeJot takes over what a page has jotted that has gone. What cannot be kept stays jotted; what is another user's goes. k was read
// after j was. It reports whether it was taken over.
func (e *Engine) takeJot(ctx context.Context, k *Kept, j jotted) bool {
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
		for _, b := range j.Begun {
			k.Drafts = withDrafts(k.Drafts, map[ozeki.ConversationID]string{b.ID: withDraft(k.Drafts[b.ID], b.Sealed, b.Over, true)})
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
	if !due || !e.takeJot(ctx, k, j) {
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
	j := readJot(e.vault.Jotted())
	if j.isEmpty() || j.User != e.user() {
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
