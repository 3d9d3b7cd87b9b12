package engine

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"starling/app/state"
	"starling/ozeki"
	"starling/ozeki/json"
)

// What the device keeps of conversations, so that they are there at once at the next start, without a network too: the
// head, which are the rows that are seen first; of a list that is longer all of it, in pages; and the newest messages of
// the conversations that were read last, a record for each. The about record says up to which cursor the list holds. One
// tab writes the list, each tab the messages that it has at hand.

const (
	// ShelvePause is how long changes are gathered before they are kept.
	ShelvePause   = 1500 * time.Millisecond
	shelfVersion  = 1
	shelfAbout    = "about"
	shelfHead     = "head"
	shelfBlocked  = "blocked"   // whom the user has blocked
	shelfPicture  = "sidebar"   // read by first.js
	shelfMessages = "messages/" // and the conversation's id
	headSize      = 64          // conversations
	shelfPages    = 128
	pagesAtOnce   = 4         // that are read at once
	maxShelved    = 50        // conversations of which messages are kept
	tidyPause     = time.Hour // between two looks for what has expired, at most
)

// about is what is kept of the kept list.
type about struct {
	Version int   `json:"v"` // nothing is taken of another one
	Cursor  int64 `json:"cursor"`
	Pages   bool  `json:"pages,omitempty"` // the head is not all
	Written int64 `json:"written"`         // tells two of them apart
}

type idSet = map[ozeki.ConversationID]bool

// shelf is the work of keeping it.
type shelf struct {
	leads    bool   // this tab writes the list
	stop     func() // of the timer that runs
	busy     bool
	rows     idSet  // to be kept
	messages idSet  // whose messages are to be kept
	all      bool   // all of the list is to be kept
	paged    bool   // the pages are there
	read     string // the about record that this tab took the list with
	cursor   int64  // what is kept next has all changes up to this
	kept     int64  // that of what is kept
	written  idSet  // whose messages are kept
	tidy     func()
	blocked  string // whom the user has blocked, as it is kept
	redraw   bool   // the picture is to be made
	failed   bool   // the user was told that nothing can be kept
}

func (s *shelf) cancel() {
	for _, stop := range []func(){s.stop, s.tidy} {
		if stop != nil {
			stop()
		}
	}
	*s = shelf{leads: s.leads, all: true, written: idSet{}}
}

// lead is called once this tab is the one that keeps the list. Another one may have kept something since this one read it.
func (e *Engine) lead() {
	e.mu.Lock()
	defer e.unlock()
	e.shelf.leads = true
	e.shelveLater()
}

// shelveLater sees to it that what has changed is kept. The caller holds mu.
func (e *Engine) shelveLater() {
	s := &e.shelf
	if e.kept == nil || s.busy || s.stop != nil || e.ctx.Err() != nil {
		return
	}
	run := e.run
	s.stop = e.after(ShelvePause, func() { e.shelve(run) })
}

// Redrawn says that the list looks different though nothing in it has changed, so that its picture is to be made again.
func (e *Engine) Redrawn() {
	e.mu.Lock()
	defer e.unlock()
	e.shelf.redraw = true
	e.shelveLater()
}

// shelve keeps what has changed.
func (e *Engine) shelve(run int) {
	e.mu.Lock()
	defer e.unlock()
	s := &e.shelf
	if run != e.run || s.busy || e.kept == nil {
		return
	}
	if s.stop != nil {
		s.stop()
		s.stop = nil
	}
	s.busy = true
	e.goIn(run, func(ctx context.Context, run int) {
		err := e.shelveChanges(ctx, run)
		if err == nil {
			err = e.shelvePicture(ctx, run)
		}
		e.mu.Lock()
		defer e.unlock()
		if run != e.run || ctx.Err() != nil {
			return
		}
		s.busy = false
		if err != nil && !s.failed {
			s.failed = true
			e.applyLocked(state.NoticeAdded{Text: "This device cannot keep conversations for reading without a connection. (" + err.Error() + ")"})
		}
		if err == nil && (e.state.HasChanged() || s.redraw) {
			e.shelveLater()
		}
	})
}

// settled reports whether all changes up to the cursor of the polls have been taken over. The caller holds mu.
func (e *Engine) settled() bool {
	p := &e.poll
	return !p.taking && p.catching == 0 && !p.listBusy && !p.listAll && !p.listDue && len(p.listNext) == 0 && len(p.due) == 0
}

func (e *Engine) shelveChanges(ctx context.Context, run int) error {
	e.mu.Lock()
	s := &e.shelf
	session := e.client.Session()
	if run != e.run || session == nil {
		e.unlock()
		return nil
	}
	owner := string(session.Station)
	changed := e.state.Changed()
	s.rows, s.messages = union(s.rows, changed.Rows), union(s.messages, changed.Messages)
	if e.settled() {
		s.cursor = e.poll.cursor
	}
	what := about{Version: shelfVersion, Cursor: s.cursor, Written: time.Now().UnixNano()}
	s.redraw = s.redraw || len(s.rows) > 0 || s.all
	list := s.leads && e.current().Loaded && (s.all && s.read == "" || len(s.rows) > 0 || s.kept == 0 && s.cursor > 0)
	read := s.read
	for id := range s.rows { // what was read in those that are hidden now goes
		if _, gone := e.state.KeptMessages(id); gone && s.written[id] {
			s.messages[id] = true
		}
	}
	rows, messages := s.rows, s.messages
	var ids []ozeki.ConversationID
	if list {
		ids = e.state.IDs()
	}
	e.unlock()
	if err := e.shelveMessages(ctx, run, owner, messages); err != nil || !list {
		if err == nil {
			e.mu.Lock()
			if run == e.run {
				s.messages = nil
			}
			e.unlock()
		}
		return err
	}
	e.mu.Lock()
	all := s.all || !s.paged
	e.unlock()
	if read != "" && s.paged { // what this tab took is as it was, if no other has written meanwhile
		now, err := e.vault.Shelved(ctx, owner, shelfAbout)
		if err != nil {
			return err
		}
		all = string(now[0]) != read
	}
	now := e.client.Now()
	if what.Pages = len(ids) > headSize; what.Pages {
		pages, due := map[string][]ozeki.ConversationID{}, map[string]bool{}
		for n := range shelfPages {
			due[pageName(n)] = all
		}
		for id := range rows {
			due[pageOf(id)] = true
		}
		for _, id := range ids {
			pages[pageOf(id)] = append(pages[pageOf(id)], id)
		}
		for name, is := range due {
			if !is {
				continue
			}
			err := e.put(ctx, run, owner, Record{Name: name, Data: e.page(pages[name]), Used: now})
			if err != nil || len(due) > 1 && !e.pause(ctx) {
				return err
			}
		}
	}
	b, err := json.Marshal(what)
	if err == nil {
		err = e.put(ctx, run, owner,
			Record{Name: shelfHead, Data: e.page(ids[:min(len(ids), headSize)]), Used: now}, Record{Name: shelfAbout, Data: b, Used: now})
	}
	e.mu.Lock()
	defer e.unlock()
	if err == nil && run == e.run {
		s.rows, s.messages, s.all, s.paged, s.read, s.kept = nil, nil, false, what.Pages, "", what.Cursor
	}
	return err
}

// shelvePicture keeps a picture of the list where it may look different from the one that is kept.
func (e *Engine) shelvePicture(ctx context.Context, run int) error {
	e.mu.Lock()
	session := e.client.Session()
	due := run == e.run && session != nil && e.shelf.redraw && e.shelf.leads && e.picture != nil
	e.shelf.redraw = false
	e.unlock()
	if !due {
		return nil
	}
	data := e.picture()
	if data == nil {
		return nil
	}
	return e.put(ctx, run, string(session.Station), Record{Name: shelfPicture, Data: data, Used: e.client.Now()})
}

func union(a, b idSet) idSet {
	if a == nil {
		a = idSet{}
	}
	maps.Copy(a, b)
	return a
}

// pageName is the name of a page, pageOf that of the page in which a conversation is kept.
func pageName(n int) string { return "page/" + string(rune('a'+n/16)) + string(rune('a'+n%16)) }

func pageOf(id ozeki.ConversationID) string {
	n := uint32(0)
	for _, c := range []byte(id) {
		n = n*31 + uint32(c)
	}
	return pageName(int(n % shelfPages))
}

// page makes the record of some conversations.
func (e *Engine) page(ids []ozeki.ConversationID) []byte {
	list := make([]state.KeptConversation, 0, len(ids))
	e.mu.Lock()
	for _, id := range ids {
		if k, ok := e.state.Kept(id); ok {
			list = append(list, k)
		}
	}
	e.unlock()
	b, _ := json.Marshal(list) // texts and numbers, which cannot fail
	return b
}

// put keeps records, unless the user has signed out meanwhile.
func (e *Engine) put(ctx context.Context, run int, owner string, records ...Record) error {
	e.vaultMu.Lock()
	defer e.vaultMu.Unlock()
	e.mu.Lock()
	current := run == e.run && ctx.Err() == nil
	e.unlock()
	if !current {
		return nil
	}
	return e.vault.Shelve(ctx, owner, records...)
}

func (e *Engine) shelveMessages(ctx context.Context, run int, owner string, of idSet) error {
	for id := range of {
		r := Record{Name: shelfMessages + string(id), Used: e.client.Now()}
		e.mu.Lock()
		kept, gone := e.state.KeptMessages(id)
		written := e.shelf.written[id]
		e.unlock()
		if kept == nil && !(gone && written) {
			continue
		}
		if kept != nil {
			r.Data, r.Until = messagesRecord(kept)
		}
		if err := e.put(ctx, run, owner, r); err != nil {
			return err
		}
		e.mu.Lock()
		if run == e.run {
			if delete(e.shelf.written, id); kept != nil {
				e.shelf.written[id] = true
			}
		}
		many := len(e.shelf.written) > maxShelved
		e.unlock()
		if many {
			e.tidyShelf(ctx, run)
		} else if kept != nil && !r.Until.IsZero() {
			e.tidyAt(run, r.Until)
		}
	}
	return nil
}

// messagesRecord gives the data of kept messages, and when the first of them expires.
func messagesRecord(k *state.KeptMessages) (data []byte, until time.Time) {
	for _, m := range k.Messages {
		if !m.Until.IsZero() && (until.IsZero() || m.Until.Before(until)) {
			until = m.Until
		}
	}
	data, _ = json.Marshal(k)
	return data, until
}

// tidyAt has the shelf tidied when something in it expires.
func (e *Engine) tidyAt(run int, at time.Time) {
	e.mu.Lock()
	defer e.unlock()
	if run != e.run || e.ctx.Err() != nil {
		return
	}
	if e.shelf.tidy != nil {
		e.shelf.tidy()
	}
	e.shelf.tidy = e.after(min(max(at.Sub(e.client.Now()), time.Millisecond), tidyPause), func() {
		e.goIn(run, e.tidyShelf)
	})
}

// tidyShelf takes from the device what has expired, and the messages of conversations that were not read for longest. What
// fails is done the next time.
func (e *Engine) tidyShelf(ctx context.Context, run int) {
	records, err := e.vault.Shelf(ctx)
	session := e.client.Session()
	if err != nil || session == nil {
		return
	}
	records = slices.DeleteFunc(records, func(r Record) bool { return !strings.HasPrefix(r.Name, shelfMessages) })
	slices.SortFunc(records, func(a, b Record) int { return cmp.Or(b.Used.Compare(a.Used), cmp.Compare(a.Name, b.Name)) })
	owner, now, written := string(session.Station), e.client.Now(), idSet{}
	var next time.Time
	for i, r := range records {
		switch {
		case i >= maxShelved:
			r.Data = nil
			_ = e.put(ctx, run, owner, r)
			continue
		case !r.Until.IsZero() && !r.Until.After(now):
			if r.Data, r.Until = e.unexpired(ctx, owner, r.Name, now); e.put(ctx, run, owner, r) != nil {
				continue
			}
		}
		written[ozeki.ConversationID(strings.TrimPrefix(r.Name, shelfMessages))] = true
		if !r.Until.IsZero() && (next.IsZero() || r.Until.Before(next)) {
			next = r.Until
		}
	}
	e.mu.Lock()
	if run == e.run {
		e.shelf.written = written
	}
	e.unlock()
	if !next.IsZero() {
		e.tidyAt(run, next)
	}
}

// unexpired is a record of messages without those that have expired; no data if it cannot be read.
func (e *Engine) unexpired(ctx context.Context, owner, name string, now time.Time) (data []byte, until time.Time) {
	kept := e.shelved(ctx, owner, name, now)
	if kept == nil {
		return nil, time.Time{}
	}
	return messagesRecord(kept)
}

// shelved reads messages that the device keeps, without those that have expired; nil for none.
func (e *Engine) shelved(ctx context.Context, owner, name string, now time.Time) *state.KeptMessages {
	kept := new(state.KeptMessages)
	data, err := e.vault.Shelved(ctx, owner, name)
	if err != nil || data[0] == nil || json.Unmarshal(data[0], kept) != nil {
		return nil
	}
	kept.Messages = slices.DeleteFunc(kept.Messages, func(m state.KeptMessage) bool { return m.Expired(now) })
	return kept
}

// clearShelf takes all conversations from the device. What should stay nevertheless opens in no other session. The caller
// holds vaultMu.
func (e *Engine) clearShelf(ctx context.Context) {
	if records, err := e.vault.Shelf(ctx); err == nil && len(records) > 0 {
		_ = e.vault.Shelve(ctx, "", records...)
	}
}

// takeShelf shows the list that the device keeps, and reports whether there is one. From its cursor on the server is asked
// what has changed; 0 if all of the list has to be asked for.
func (e *Engine) takeShelf(ctx context.Context, run int, session *ozeki.Session) (cursor int64, ok bool) {
	owner := string(session.Station)
	first, err := e.vault.Shelved(ctx, owner, shelfAbout, shelfHead, shelfBlocked)
	var what about
	if err != nil || first[0] == nil || json.Unmarshal(first[0], &what) != nil || what.Version != shelfVersion {
		return 0, false
	}
	now := e.client.Now()
	list, ok := conversationsOf(first[1:2])
	var blocked []ozeki.UserID
	if first[2] != nil && json.Unmarshal(first[2], &blocked) == nil {
		e.applyIn(run, state.BlocklistKept{Users: blocked})
	}
	if !ok || !e.applyIn(run, state.ListKept{Conversations: list, Now: now, All: !what.Pages}) {
		return 0, false
	}
	if what.Pages {
		for n := 0; n < shelfPages; n += pagesAtOnce { // the page comes to its turn in between
			names := make([]string, pagesAtOnce)
			for i := range names {
				names[i] = pageName(n + i)
			}
			data, err := e.vault.Shelved(ctx, owner, names...)
			if err != nil {
				return 0, false
			}
			part, ok := conversationsOf(data)
			if !ok {
				return 0, false
			}
			list = append(list, part...)
		}
		if !e.applyIn(run, state.ListKept{Conversations: list, Now: now, All: true}) {
			return 0, false
		}
	}
	e.mu.Lock()
	defer e.unlock()
	if run != e.run {
		return 0, false
	}
	e.shelf.paged, e.shelf.cursor, e.shelf.kept, e.shelf.read = what.Pages, what.Cursor, what.Cursor, string(first[0])
	if session.Has(ozeki.ExtCursor) && session.Has(ozeki.ExtListOf) {
		cursor = what.Cursor
	}
	return cursor, true
}

// conversationsOf reads pages; false if one is missing or damaged.
func conversationsOf(pages [][]byte) (list []state.KeptConversation, ok bool) {
	for _, b := range pages {
		var page []state.KeptConversation
		if b == nil || json.Unmarshal(b, &page) != nil {
			return nil, false
		}
		list = append(list, page...)
	}
	return list, true
}

// resumeList shows what the device keeps and has the rest asked for.
func (e *Engine) resumeList(ctx context.Context, run int, session *ozeki.Session) {
	cursor, ok := e.takeShelf(ctx, run, session)
	if ok {
		e.takeKept(ctx, run, false)
	}
	e.mu.Lock()
	if run != e.run {
		e.unlock()
		return
	}
	e.poll.busy = false
	open := e.state.OpenID()
	if cursor > 0 {
		e.poll.cursor = cursor
	}
	e.unlock()
	e.goIn(run, e.tidyShelf)
	if cursor == 0 {
		e.loadList(run)
		e.schedulePoll(run, PollActive)
		return
	}
	e.pollNow(run)
	e.linkDue(run)
	e.loadFriends(run, false)
	if open != "" {
		e.openDraft(ctx, run, open)
		e.loadNewest(ctx, run, open)
	}
	e.openLast(ctx, run)
	e.openKeys(ctx, run)
}

// takeMessages shows the messages of a conversation that the device keeps. behind: later ones are known of, so that what is
// shown is not the end.
func (e *Engine) takeMessages(ctx context.Context, run int, id ozeki.ConversationID, known state.Known) (took, behind bool) {
	session := e.client.Session()
	if session == nil {
		return false, false
	}
	kept := e.shelved(ctx, string(session.Station), shelfMessages+string(id), e.client.Now())
	if kept == nil || kept.Instance != known.Instance || len(kept.Messages) == 0 {
		return false, false
	}
	messages := make([]state.Message, len(kept.Messages))
	for i, m := range kept.Messages {
		messages[i] = m.Message()
	}
	behind = messages[len(messages)-1].ID != known.Newest
	return e.applyIn(run, state.PageLoaded{
		ID: id, Instance: kept.Instance, Messages: messages, Reports: kept.Reports, Newest: true, More: kept.More, Rest: behind, Revision: kept.Revision,
	}), behind
}
