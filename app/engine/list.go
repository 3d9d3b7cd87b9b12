package engine

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"starling/app/state"
	"starling/ozeki"
)

// loadList asks for the list of conversations, or for some of them, and opens their keys and names. One list is on its way
// at a time, so that an older one never comes last; what is asked for meanwhile is asked for afterwards.
func (e *Engine) loadList(run int, only ...ozeki.ConversationID) {
	e.mu.Lock()
	defer e.unlock()
	e.loadListLocked(run, only...)
}

// loadListLocked is loadList for a caller who holds mu.
func (e *Engine) loadListLocked(run int, only ...ozeki.ConversationID) {
	if run != e.run {
		return
	}
	p := &e.poll
	if p.listBusy {
		p.listNext, p.listAll = append(p.listNext, only...), p.listAll || len(only) == 0
		return
	}
	p.listBusy, p.outrun = true, false
	version := p.listVersion
	askedAt := e.state.Tick()
	e.goIn(run, func(ctx context.Context, run int) {
		a, err := e.askPages(ctx, run, version, only, &askedAt)
		paged := a != nil
		if a == nil && err == nil {
			a, err = e.askList(ctx, version, only)
		}
		if err != nil {
			over := e.failed(run, err)
			e.mu.Lock()
			if run == e.run { // all of it at the next poll
				e.poll.listDue, e.poll.listBusy, e.poll.listAll, e.poll.listNext = true, false, false, nil
				if !over {
					e.applyLocked(state.ListFailed{Words: troubleOf(err)})
				}
			}
			e.unlock()
			e.wakeLater(run)
			return
		}
		loaded := state.ListLoaded{Conversations: a.Conversations, Of: append(slices.Clip(only), a.Gone...), Partial: a.Partial, AskedAt: askedAt}
		if !e.applyIn(run, state.Connection{}, loaded) {
			return
		}
		first := len(only) == 0 && e.takeKept(ctx, run, paged || !a.Partial)
		e.mu.Lock()
		if run != e.run {
			e.unlock()
			return
		}
		open := e.state.OpenID()
		if a.Version != "" && !e.poll.outrun {
			e.poll.listVersion = a.Version
		}
		all, next := e.poll.listAll, e.poll.listNext
		e.poll.listBusy, e.poll.listAll, e.poll.listNext = false, false, nil
		e.unlock()
		switch {
		case all || len(next) > ozeki.MaxListOf:
			e.loadList(run)
		case len(next) > 0:
			e.loadList(run, next...)
		}
		e.linkDue(run)
		if first {
			e.loadFriends(run, false)
		}
		e.rekeyLater(run)
		e.flush(run)
		if open != "" {
			e.openDraft(ctx, run, open)
			e.loadNewest(ctx, run, open)
		}
		e.openLast(ctx, run)
		e.openKeys(ctx, run)
	})
}

// takeKept takes over, once, what an earlier run of the program has kept beside the list, which is there. It reports whether
// this was the time. whole: the list is the server's, and what it does not know is gone.
func (e *Engine) takeKept(ctx context.Context, run int, whole bool) bool {
	e.mu.Lock()
	due := run == e.run && !e.restored
	e.unlock()
	if !due {
		return false
	}
	// Read again: another tab may have changed its mind about a flag since this one began. Where it cannot be read, what was
	// read then has to do. What was jotted is read first, since it goes once all of it is kept.
	jot := readJot(e.vault.Jotted())
	kept, err := e.load(ctx)
	if kept != nil {
		e.takeJot(ctx, kept, jot)
	}
	var waiting []Waiting
	if kept != nil || err != nil {
		waiting, _ = e.vault.Queued(ctx)
	}
	e.mu.Lock()
	defer e.unlock()
	if run != e.run || e.restored {
		return false
	}
	if kept == nil {
		kept = e.kept
	}
	e.restored = true
	if whole {
		e.forgetLost(kept, waiting)
	}
	if e.ordering == nil && !slices.Equal(kept.Order, e.state.Order()) { // it was jotted, or another tab has changed it
		e.applyLocked(state.OrderChanged{IDs: kept.Order})
	}
	e.applyLocked(state.WishesKept{Wishes: kept.Wishes}, e.restoreRead(kept), state.DraftsKept{IDs: slices.Collect(maps.Keys(kept.Drafts))})
	e.startOverviews()
	if len(waiting) > 0 {
		e.goIn(run, func(ctx context.Context, run int) {
			e.restore(ctx, run, waiting)
			e.flush(run)
		})
	}
	return true
}

// askPages asks for the whole list in pages, where nothing is known of it yet, and shows them as they come; what they are together is in
// the state then, and in the answer what is to be known of the list as a whole. It gives no answer where the list does not come in
// pages, or lacks something, and is to be asked for at once. askedAt is when the last page was.
func (e *Engine) askPages(ctx context.Context, run int, version string, only []ozeki.ConversationID, askedAt *uint64) (*ozeki.ConversationsAnswer, error) {
	e.mu.Lock()
	session := e.client.Session()
	pages := run == e.run && len(only) == 0 && version == "" && session.Has(ozeki.ExtListPage) && session.Has(ozeki.ExtListSince) && e.state.IsEmpty()
	e.unlock()
	if !pages {
		return nil, nil
	}
	first, err := e.client.ListPage(ctx, listFirst, "")
	if err != nil {
		return nil, err
	}
	if first.Next == "" {
		if len(e.lostWith(first.Conversations, nil)) > 0 {
			return nil, nil
		}
		return first, nil
	}
	var all []ozeki.Conversation // of these only the ids are used
	for page := first; ; {
		if !e.applyIn(run, state.Connection{}, state.ListLoaded{Conversations: page.Conversations, More: true, AskedAt: *askedAt}) {
			return nil, context.Canceled
		}
		all = append(all, page.Conversations...)
		if page == first {
			e.mu.Lock()
			if run == e.run && len(e.kept.Drafts) == 0 && e.vault.Jotted() == "" {
				e.applyLocked(state.DraftsKept{}) // what is written need not wait for the other pages
			}
			e.unlock()
			e.goIn(run, func(ctx context.Context, run int) {
				e.mu.Lock()
				open := e.state.OpenID()
				e.unlock()
				e.loadNewest(ctx, run, open) // if it is among them
				e.openLast(ctx, run)
				e.openKeys(ctx, run)
			})
		}
		if page.Next == "" {
			break
		}
		e.calm(ctx)
		e.mu.Lock()
		*askedAt = e.state.Tick()
		e.unlock()
		if page, err = e.client.ListPage(ctx, listPage, page.Next); err != nil {
			return nil, err
		}
	}
	if len(e.lostWith(all, nil)) > 0 {
		return nil, nil
	}
	return &ozeki.ConversationsAnswer{Version: first.Version, Partial: true}, nil
}

// askList asks for the named conversations, or for all: for what has changed since the version of an earlier list, if there
// is one. An answer without a conversation in which something waits to be sent is believed when it comes twice and the server
// does not give that conversation's messages either; errWrongList if it does.
func (e *Engine) askList(ctx context.Context, version string, only []ozeki.ConversationID) (*ozeki.ConversationsAnswer, error) {
	ask := func() (*ozeki.ConversationsAnswer, error) {
		if len(only) == 0 {
			return e.client.ListSince(ctx, version)
		}
		list, err := e.client.Conversations(ctx, only...)
		return &ozeki.ConversationsAnswer{Conversations: list}, err
	}
	a, err := ask()
	if err != nil || a.Partial || len(e.lostWith(a.Conversations, only)) == 0 {
		return a, err
	}
	if a, err = ask(); err != nil || a.Partial {
		return a, err
	}
	for _, id := range e.lostWith(a.Conversations, only) {
		_, err := e.client.DownloadPartial(ctx, ozeki.DownloadPartialRequest{ConversationID: id, Limit: 1})
		switch {
		case err == nil:
			return nil, errWrongList
		case !errors.Is(err, ozeki.ErrRefused) || errors.Is(err, ozeki.ErrSignature) || errors.Is(err, ozeki.ErrClock) || errors.Is(err, ozeki.ErrReplayed):
			return nil, err // that says nothing of the conversation
		}
	}
	return a, nil
}

// errWrongList says that the list lacks a conversation that is there.
const errWrongList = sentence("The server’s list of conversations is not complete. It is asked for again.")

// lostWith are the conversations with which messages or drafts would be lost with a list: all conversations, or those that
// only names.
func (e *Engine) lostWith(list []ozeki.Conversation, only []ozeki.ConversationID) []ozeki.ConversationID {
	e.mu.Lock()
	stake := e.state.AtStake()
	if k := e.kept; k != nil && !e.restored {
		for _, w := range k.Waiting {
			stake = append(stake, w.Conversation)
		}
		stake = slices.AppendSeq(stake, maps.Keys(k.Drafts))
	}
	e.unlock()
	return slices.DeleteFunc(stake, func(id ozeki.ConversationID) bool {
		return len(only) > 0 && !slices.Contains(only, id) ||
			slices.ContainsFunc(list, func(c ozeki.Conversation) bool { return c.ID == id })
	})
}

// Reload asks for the list of conversations again.
func (e *Engine) Reload() {
	e.goRun(func(_ context.Context, run int) { e.loadList(run) })
}

// openKeys unwraps the conversation keys that are not open yet and opens the names, in batches so that the list fills
// while it goes on. Rows are named by their participants until then. With ids, only those conversations are opened.
//
// Without, what is seen first is opened at once, and then the rest, slowly enough for the page to stay quick. Of a very
// long list only the groups follow, whose names say more than their participants': Seen opens what is scrolled to.
func (e *Engine) openKeys(ctx context.Context, run int, ids ...ozeki.ConversationID) {
	e.mu.Lock()
	session := e.client.Session()
	if run != e.run || session == nil {
		e.unlock()
		return
	}
	todo := e.state.Unopened(ids...)
	e.unlock()
	if len(todo) > openAll {
		rest := todo[openFirst:]
		todo = todo[:openFirst:openFirst]
		for _, u := range rest {
			if u.Group && len(todo) < openAll {
				todo = append(todo, u)
			}
		}
	}
	for done := 0; len(todo) > 0; {
		size := openFirst
		if done >= openFirst && len(ids) == 0 {
			size = openSlowly
			if !e.pause(ctx) {
				return
			}
		}
		part := todo[:min(size, len(todo))]
		todo, done = todo[len(part):], done+len(part)
		opened := state.KeysOpened{Opened: e.openPart(ctx, session.Key, part)}
		e.mu.Lock()
		if run != e.run || ctx.Err() != nil {
			e.unlock()
			return
		}
		e.state.Apply(opened) // what it changes is shown with the last messages
		e.keepDraftsLocked()  // that were begun before
		e.unlock()
		now := make([]ozeki.ConversationID, len(part))
		for i, u := range part {
			now[i] = u.ID
		}
		if !e.openLast(ctx, run, now...) && !e.applyIn(run) {
			return
		}
	}
}

// Seen opens the names of rows that have come into view: those that have come while others are being opened together, the
// last ones first.
func (e *Engine) Seen(ids []ozeki.ConversationID) {
	e.mu.Lock()
	defer e.unlock()
	e.seen = append(e.seen, ids...)
	if !e.seeing {
		e.seeing = true
		e.goIn(e.run, e.openSeen)
	}
}

func (e *Engine) openSeen(ctx context.Context, run int) {
	for {
		e.mu.Lock()
		if run != e.run || len(e.seen) == 0 || ctx.Err() != nil {
			if run == e.run {
				e.seeing = false
			}
			e.unlock()
			return
		}
		rest := max(len(e.seen)-openFirst, 0)
		ids := slices.Clone(e.seen[rest:])
		e.seen = e.seen[:rest]
		e.unlock()
		e.openKeys(ctx, run, ids...)
	}
}

// pause parts what nobody waits for into pieces, which leave the user alone; false if the engine is closed meanwhile.
func (e *Engine) pause(ctx context.Context) bool {
	over := make(chan struct{})
	stop := e.after(openPause, func() { close(over) })
	select {
	case <-over:
	case <-ctx.Done():
		stop()
		return false
	}
	e.calm(ctx)
	return ctx.Err() == nil
}

// openPart unwraps keys and opens names, all at once.
func (e *Engine) openPart(ctx context.Context, key *ozeki.PrivateKey, part []state.Unopened) []state.OpenedKey {
	scheme := e.client.Scheme()
	opened := make([]state.OpenedKey, len(part))
	older := make([][][]byte, len(part)) // keys of earlier epochs, in the order of their secrets
	var wait sync.WaitGroup
	unwrap := func(secret string, take func([]byte)) {
		wait.Go(func() {
			k, _ := scheme.UnwrapKey(ctx, key, secret) // nil is shown as trouble
			take(k)
		})
	}
	for i, u := range part {
		opened[i] = state.OpenedKey{ID: u.ID, Secret: u.Secret, Key: u.Key, Sealed: u.Name}
		if u.Key == nil {
			unwrap(u.Secret, func(k []byte) { opened[i].Key = k })
		}
		older[i] = make([][]byte, len(u.Older))
		for n, secret := range u.Older {
			unwrap(secret, func(k []byte) { older[i][n] = k })
		}
	}
	wait.Wait()
	for i, u := range part {
		opened[i].Older = make(map[string][]byte, len(u.Older))
		for n, secret := range u.Older {
			opened[i].Older[secret] = older[i][n]
		}
	}
	sealed := make([]ozeki.Sealed, len(part))
	for i, u := range part {
		sealed[i] = ozeki.Sealed{Key: opened[i].Key, AD: ozeki.NameAD(u.ID), Data: u.Name}
	}
	for i, o := range scheme.Open(ctx, sealed) {
		if o.Err == nil {
			opened[i].Name = string(o.Plaintext)
		}
	}
	return opened
}

// poller asks for changes.
type poller struct {
	cursor  int64
	delay   time.Duration // until the next poll while the server cannot be reached
	visible bool
	busy    bool
	again   bool // poll once more when the present one is done
	soon    bool // something could not be reached since: find out whether the server can be
	timer   func()
	// due are the conversations whose news could not be fetched yet.
	due      map[ozeki.ConversationID]bool
	listDue  bool // the list could not be loaded: try at the next poll
	missed   bool // an answer with news that the server does not tell again may not have come
	listBusy bool // a list is on its way
	listAll  bool // ask for all of it afterwards
	listNext []ozeki.ConversationID
	taking   bool // the cursor has moved, and what changed is not asked for yet
	catching int  // conversations whose news are on their way
	// listVersion is that of the last list of all: what is asked for later is what has changed since.
	listVersion string
	outrun      bool // the list on its way was overtaken: its version is not taken
}

// clockStep is by how much the measured clock moves before it is kept anew.
const clockStep = 2 * time.Second

func (p *poller) cancel() {
	if p.timer != nil {
		p.timer()
	}
	*p = poller{visible: p.visible, due: map[ozeki.ConversationID]bool{}}
}

func (e *Engine) schedulePoll(run int, d time.Duration) {
	e.mu.Lock()
	defer e.unlock()
	if run != e.run || e.ctx.Err() != nil {
		return
	}
	if e.poll.timer != nil {
		e.poll.timer()
	}
	e.poll.timer = e.after(d, func() { e.pollNow(run) })
}

// Wake asks for changes now: the page is seen again, the network is back.
func (e *Engine) Wake() {
	e.mu.Lock()
	run, in := e.run, e.kept != nil
	e.poll.delay = 0
	e.unlock()
	if in {
		e.wakeLink(run)
		e.expire(run)
		e.pollNow(run)
	}
}

// Visible tells whether the page is seen: while it is not, changes are asked for less often.
func (e *Engine) Visible(v bool) {
	e.mu.Lock()
	e.poll.visible = v
	e.attend()
	run := e.run
	e.unlock()
	if v {
		e.Wake()
	} else {
		e.shelve(run) // it may be the last moment
	}
}

// wakeLater makes sure that a poll finds out when the server can be reached again.
func (e *Engine) wakeLater(run int) {
	e.mu.Lock()
	busy := e.poll.busy
	e.poll.soon = true
	e.unlock()
	if !busy {
		e.schedulePoll(run, PollActive)
	}
}

func (e *Engine) pollNow(run int) {
	e.mu.Lock()
	if run != e.run || e.poll.busy {
		e.poll.again = run == e.run
		e.unlock()
		return
	}
	e.poll.busy, e.poll.again = true, false
	cursor, told := e.poll.cursor, e.link.told
	e.link.told = false
	e.unlock()
	e.goIn(run, func(ctx context.Context, run int) {
		if !e.client.Session().Has(ozeki.ExtCursor) {
			cursor = 0
		}
		a, err := e.client.Notification(ctx, cursor)
		next := e.polled(run, a, err, cursor == 0, told)
		if next >= 0 {
			e.schedulePoll(run, next)
		}
		e.mu.Lock()
		soon := err == nil && next > PollActive && e.poll.soon // was asked for before the poll was scheduled
		e.unlock()
		if soon {
			e.schedulePoll(run, PollActive)
		}
	})
}

// polled deals with the outcome of a poll and says when to poll next, negative for never. once: the server tells its news once, as
// long as it is not told which ones have come. told: the socket had told of news.
func (e *Engine) polled(run int, a *ozeki.NotificationAnswer, err error, once, told bool) time.Duration {
	over := err != nil && e.failed(run, err)
	e.mu.Lock()
	if run != e.run || over {
		e.unlock()
		return -1
	}
	e.poll.busy, e.poll.soon = false, false
	if err != nil {
		d := min(max(2*e.poll.delay, PollActive), maxPollDelay)
		e.poll.delay, e.poll.missed = d, e.poll.missed || once
		e.unlock()
		if d > PollActive {
			d = d/2 + e.jitter(d/2) // many clients must not come at once
		}
		return d
	}
	e.poll.delay, e.heardAt = 0, time.Now()
	named := len(a.ConversationListChangedOf) + len(a.ConversationChangedOf) + len(a.FriendAvailabilitiesOf)
	e.link.judge(told, named > 0)
	next := e.pace()
	if e.poll.again || named >= manyChanges {
		next = 0
	}
	wasOffline := e.current().Offline
	open := e.state.OpenID()
	due := e.poll.listDue || e.poll.missed
	if e.poll.missed {
		for _, id := range e.state.AtHand() {
			e.poll.due[id] = true
		}
	}
	e.poll.listDue, e.poll.missed = false, false
	if wasOffline {
		e.release()
	}
	for id := range e.poll.due {
		if e.held(id) {
			continue
		}
		if !slices.Contains(a.ConversationChangedOf, id) {
			a.ConversationChangedOf = append(a.ConversationChangedOf, id)
		}
		delete(e.poll.due, id)
	}
	moved := a.Cursor > e.poll.cursor
	back := a.Cursor > 0 && a.Cursor < e.poll.cursor // the server goes on from a backup
	if moved || back {
		e.poll.cursor = a.Cursor
	}
	due = due || back
	if offset := e.client.ClockOffset(); (offset - e.offset).Abs() > clockStep {
		e.offset = offset
		e.saveLater(func(k *Kept) { k.Offset = offset })
	}
	e.poll.taking = true
	if wasOffline {
		e.applyLocked(state.Connection{})
		e.sayAgainNow()
	}
	e.unlock()
	e.linkDue(run)
	if moved {
		e.save(func(k *Kept) { k.Cursor = a.Cursor })
	}
	if len(a.ConversationListChangedOf) > 0 || len(a.ConversationChangedOf) > 0 {
		e.neighbours.Tell(Note{List: a.ConversationListChangedOf, Conversations: a.ConversationChangedOf})
	}
	if due {
		e.loadList(run)
		a.ConversationListChangedOf = nil
	}
	e.changed(run, a.ConversationListChangedOf, a.ConversationChangedOf)
	e.mu.Lock()
	if run == e.run {
		e.poll.taking = false
		if e.shelf.kept == 0 && e.poll.cursor > 0 {
			e.shelveLater() // from now on the kept list can be brought up to date
		}
	}
	e.unlock()
	if wasOffline && open != "" { // its messages may not have come
		e.goIn(run, func(ctx context.Context, run int) { e.loadNewest(ctx, run, open) })
	}
	if len(a.FriendAvailabilitiesOf) > 0 || wasOffline {
		e.loadFriends(run, false)
	}
	if len(a.FriendAvailabilitiesOf) > 0 || !e.Snapshot().Blocklist.Loaded {
		e.refreshBlocklist(run) // another device may have blocked somebody
	}
	e.goIn(run, e.sendLeft)
	e.flush(run)
	return next
}

// sendLeft takes over what another tab has left on the device: what was there at the poll before already, and this tab does
// not send. Where that tab only takes its time, the locks see to it that one of the two sends.
func (e *Engine) sendLeft(ctx context.Context, run int) {
	kept, err := e.load(ctx)
	if err != nil || kept == nil {
		return // nothing is left, or it is seen at the next poll
	}
	if e.takeLeft(ctx, run, kept) {
		if kept, err = e.load(ctx); err != nil || kept == nil {
			return
		}
	}
	left := map[string]bool{}
	again := false // some of them were left at the poll before
	wishes := state.Wishes{}
	e.mu.Lock()
	if run != e.run || !e.restored {
		e.unlock()
		return
	}
	for _, w := range kept.Waiting {
		if o := e.sender[w.Conversation]; o == nil || o.sealed[w.ID].data == "" && !o.done[w.ID] {
			left[string(w.ID)] = true
			again = again || e.left[string(w.ID)]
		}
	}
	for id, of := range kept.Wishes {
		for flag, value := range of {
			if _, wanted := e.state.WishOf(id, flag); wanted {
				continue
			}
			name := leftWish(id, flag, value)
			left[name] = true
			if e.left[name] {
				wishes = withWish(wishes, id, flag, value, true)
			}
		}
	}
	before := e.left
	e.left = left
	if len(wishes) > 0 {
		e.applyLocked(state.WishesKept{Wishes: wishes})
	}
	e.unlock()
	var messages []Waiting
	if again {
		all, _ := e.vault.Queued(ctx) // where it cannot be read it is at a later poll
		for _, w := range all {
			if left[string(w.ID)] && before[string(w.ID)] {
				messages = append(messages, w)
			}
		}
	}
	e.restore(ctx, run, messages)
	if len(messages)+len(wishes) > 0 {
		e.flush(run)
	}
}

// leftWish is a wish that was left, in Engine.left.
func leftWish(id ozeki.ConversationID, flag state.Flag, value string) string {
	return string(id) + string(flag) + value
}

// changed fetches what changed: entries of the list, and messages. Of conversations whose messages are not at hand the
// entries tell what was written last and how much is unread, all in one call.
func (e *Engine) changed(run int, list, conversations []ozeki.ConversationID) {
	if e.client.Session().Has(ozeki.ExtOverview) {
		e.mu.Lock()
		here := make([]ozeki.ConversationID, 0, len(conversations))
		for _, id := range conversations {
			if k := e.state.Timeline(id); k.Loaded && !k.Cut || k.Busy {
				here = append(here, id)
			} else {
				if !slices.Contains(list, id) {
					list = append(list[:len(list):len(list)], id)
				}
				if e.shelf.written[id] { // what the device keeps of it must not be what was edited or deleted since
					e.poll.catching++
					e.goIn(run, func(ctx context.Context, run int) {
						e.loadNewest(ctx, run, id)
						e.caughtUp(run)
					})
				}
			}
		}
		e.unlock()
		conversations = here
	}
	switch {
	case len(list) == 0:
	case len(list) <= ozeki.MaxListOf && e.client.Session().Has(ozeki.ExtListOf):
		e.loadList(run, list...)
	default:
		e.loadList(run)
	}
	e.mu.Lock()
	if run == e.run {
		e.poll.catching += len(conversations)
	}
	e.unlock()
	for _, id := range conversations {
		e.goIn(run, func(ctx context.Context, run int) {
			e.catchUp(ctx, run, id)
			e.caughtUp(run)
		})
	}
}

// caughtUp counts that the news of a conversation have come, or are noted as due.
func (e *Engine) caughtUp(run int) {
	e.mu.Lock()
	defer e.unlock()
	if run == e.run {
		e.poll.catching--
	}
}

// flush sends what waits, where nothing pauses.
func (e *Engine) flush(run int) {
	e.mu.Lock()
	if run != e.run {
		e.unlock()
		return
	}
	wishes, unreported := e.state.Wishes(), e.state.Unreported()
	boxes := make([]*outbox, 0, len(e.sender))
	for _, o := range e.sender {
		boxes = append(boxes, o)
	}
	held := map[ozeki.ConversationID]bool{}
	for id := range e.holds {
		held[id] = e.held(id)
	}
	e.unlock()
	for id, of := range wishes {
		if held[id] {
			continue
		}
		for flag := range of {
			e.sendFlag(run, id, flag)
		}
	}
	for _, o := range boxes {
		if !held[o.conversation] {
			e.sendMessages(run, o)
		}
	}
	for _, id := range unreported {
		if !held[id] {
			e.report(run, id)
		}
	}
}
