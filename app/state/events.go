package state

import (
	"fmt"
	"slices"
	"time"

	"starling/ozeki"
)

// Event is something that happened. The types below are all there are.
type Event interface{ apply(*State) }

// Apply takes an event over.
func (s *State) Apply(e Event) { e.apply(s) }

// SignInDone: somebody is signed in, just now or from a kept session.
type SignInDone struct {
	User       User
	Extensions []string
}

func (e SignInDone) apply(s *State) {
	*s = State{
		phase: SignedIn, user: e.User, extensions: e.Extensions, conversations: map[ozeki.ConversationID]*conversation{},
		open: s.open, announcement: s.announcement, noticeSeq: s.noticeSeq, offline: s.offline, order: s.order, tick: s.tick,
		lists: lists{stale: true},
	}
}

// SignOutDone: nobody is signed in. All that was known is forgotten. Reason is for the user, empty if he asked for it.
type SignOutDone struct{ Reason string }

func (e SignOutDone) apply(s *State) {
	*s = State{
		phase: SignedOut, reason: e.Reason, conversations: map[ozeki.ConversationID]*conversation{},
		announcement: s.announcement, noticeSeq: s.noticeSeq, tick: s.tick, lists: lists{stale: true},
	}
}

// Connection: the server was reached, or could not be.
type Connection struct{ Offline bool }

func (e Connection) apply(s *State) { s.offline = e.Offline }

// ListLoaded: the server's list of conversations: all of them, or those asked for in Of, or with Partial those that have
// changed or gone (Of) since an earlier list, or with More a page of them. AskedAt is Tick at the time of asking: what the server said of a flag
// later than that is not undone by an older list.
type ListLoaded struct {
	Conversations []ozeki.Conversation
	Of            []ozeki.ConversationID
	Partial       bool
	More          bool // a page of the list: nothing is known of the others yet
	AskedAt       uint64
}

func (e ListLoaded) apply(s *State) {
	s.blocklist.view = nil // names
	all := len(e.Of) == 0 && !e.Partial && !e.More
	if all {
		s.refreshAll()
	}
	if all || e.Partial {
		s.loaded, s.trouble = true, ""
	}
	seen := make(map[ozeki.ConversationID]bool, len(e.Conversations))
	for i := range e.Conversations {
		s.take(&e.Conversations[i], e.AskedAt)
		seen[e.Conversations[i].ID] = true
	}
	gone := func(id ozeki.ConversationID) {
		if c := s.conversations[id]; c != nil && !seen[id] && c.answeredAt <= e.AskedAt {
			s.drop(c)
		}
	}
	for _, id := range e.Of {
		gone(id)
	}
	if all {
		for id := range s.conversations {
			gone(id)
		}
	}
	s.placeLine()
}

// ListFailed: the list could not be loaded; Words say why.
type ListFailed struct{ Words string }

func (e ListFailed) apply(s *State) { s.trouble = e.Words }

// ConversationMade: a conversation was created, or is there already.
type ConversationMade struct{ Conversation ozeki.Conversation }

func (e ConversationMade) apply(s *State) {
	s.tick++
	s.take(&e.Conversation, s.tick)
	c := s.conversations[e.Conversation.ID] // which a list asked for earlier does not know
	c.answeredAt = s.tick
	for _, name := range Flags {
		c.flag(name).answeredAt = s.tick
	}
}

// KeysOpened: conversation keys and names were opened, or did not open.
type KeysOpened struct{ Opened []OpenedKey }

// OpenedKey is the outcome for one conversation. Key is nil and Name empty where they do not open.
type OpenedKey struct {
	ID     ozeki.ConversationID
	Secret string // that was opened: an outcome for another one is stale
	Key    []byte
	Name   string
	Sealed string            // what Name was opened from
	Older  map[string][]byte // keys of earlier epochs, by their secrets
}

func (e KeysOpened) apply(s *State) {
	for _, o := range e.Opened {
		c := s.conversations[o.ID]
		if c == nil || c.secret != o.Secret {
			continue
		}
		before := c.row()
		c.key, c.opened, c.trouble, c.openedName = o.Key, true, o.Key == nil || o.Name == "", o.Sealed
		c.goesOn = false
		c.takeOlder(o.Older)
		s.touch(c.id)
		if o.Name != "" {
			c.rename(o.Name)
		}
		if c.row() != before {
			s.refresh(c)
		}
	}
}

// FilterChanged: the text of the filter box.
type FilterChanged struct{ Text string }

func (e FilterChanged) apply(s *State) { s.filter, s.lists.refilter = e.Text, true }

// OrderChanged: the user's own order of favorites.
type OrderChanged struct{ IDs []ozeki.ConversationID }

func (e OrderChanged) apply(s *State) { s.order = e.IDs; s.refreshAll() }

// FavoriteMoved: the user moved a favorite up (-1) or down (+1).
type FavoriteMoved struct {
	ID ozeki.ConversationID
	By int
}

func (e FavoriteMoved) apply(s *State) {
	if at := s.favoriteAt(e.ID); at >= 0 {
		s.placeFavorite(at, at+e.By)
	}
}

// FavoritePlaced: the user moved a favorite to a place, 0 being the top.
type FavoritePlaced struct {
	ID ozeki.ConversationID
	To int
}

func (e FavoritePlaced) apply(s *State) {
	at := s.favoriteAt(e.ID)
	if to := min(max(e.To, 0), len(s.lists.rows[inFavorites])-1); at >= 0 && to != at {
		s.placeFavorite(at, to)
	}
}

// favoriteAt returns the place of a favorite that can be moved, -1 where there is none; it is announced why.
func (s *State) favoriteAt(id ozeki.ConversationID) int {
	favorites := s.Snapshot().Favorites
	at := slices.IndexFunc(favorites, func(r *Row) bool { return r.ID == id })
	switch {
	case s.conversations[id] == nil:
		return -1
	case s.lists.filtered:
		s.announce("Favorites cannot be moved while a filter is set. Clear the filter first.")
		return -1
	case at < 0:
		s.announce("Only favorites can be moved.")
	}
	return at
}

func (s *State) placeFavorite(at, to int) {
	favorites := s.lists.rows[inFavorites]
	name := favorites[at].Name
	if to < 0 || to >= len(favorites) {
		s.announce(fmt.Sprintf("%s is already at the %s of the favorites.", name, map[bool]string{true: "top", false: "end"}[to < 0]))
		return
	}
	ids := make([]ozeki.ConversationID, len(favorites))
	for i, r := range favorites {
		ids[i] = r.ID
	}
	id := ids[at]
	ids = slices.Insert(slices.Delete(ids, at, at+1), to, id)
	s.order = s.orderWith(ids)
	s.refreshAll()
	s.announce(fmt.Sprintf("%s is now favorite %d of %d.", name, to+1, len(ids)))
}

// orderWith returns the order with the favorites in a new one. Those that are no favorites at the moment keep their
// places, for an undo or a refusal.
func (s *State) orderWith(favorites []ozeki.ConversationID) []ozeki.ConversationID {
	moved := make(map[ozeki.ConversationID]bool, len(favorites))
	for _, id := range favorites {
		moved[id] = true
	}
	order := make([]ozeki.ConversationID, 0, len(s.order)+len(favorites))
	next := 0
	for _, id := range s.order {
		switch {
		case moved[id]:
			order = append(order, favorites[next])
			next++
		case s.conversations[id] != nil:
			order = append(order, id)
		}
	}
	return append(order, favorites[next:]...)
}

// WorkspacesLoaded: the workspaces that the user is a member of, by name.
type WorkspacesLoaded struct{ Workspaces []ozeki.Workspace }

func (e WorkspacesLoaded) apply(s *State) {
	s.workspaces = append([]ozeki.Workspace{}, e.Workspaces...) // not nil
}

// NoticeAdded shows an error in words.
type NoticeAdded struct{ Text string }

func (e NoticeAdded) apply(s *State) {
	s.notify(Notice{Kind: NoticeError, Text: e.Text})
	s.announce(e.Text)
}

// NoticeDismissed: a notice is gone, by the user or by time.
type NoticeDismissed struct{ ID int }

func (e NoticeDismissed) apply(s *State) { s.dropNotices(func(n Notice) bool { return n.ID == e.ID }) }

// Opened: a conversation is open, or none with the empty id.
type Opened struct{ ID ozeki.ConversationID }

func (e Opened) apply(s *State) {
	s.lists.refilter = s.lists.refilter || s.unreadOnly // which never leaves the open one out
	if s.open != e.ID {
		s.line = newLine{}
		if c := s.conversations[s.open]; c != nil {
			c.timeline.rest()
			s.reread(c)
		}
	}
	s.open = e.ID
	s.placeLine()
}

// ReaderMoved: the reader of the open conversation came to its end, or left it.
type ReaderMoved struct {
	ID    ozeki.ConversationID
	AtEnd bool
}

func (e ReaderMoved) apply(s *State) {
	if c := s.conversations[e.ID]; c != nil && s.open == e.ID {
		c.timeline.away = !e.AtEnd
	}
}

// Touched: something was written in a conversation whose messages are not loaded, and of which the server says no more.
type Touched struct {
	ID ozeki.ConversationID
	At time.Time
}

func (e Touched) apply(s *State) {
	c := s.conversations[e.ID]
	if c == nil {
		return
	}
	if e.At.After(c.active) {
		c.active = e.At
	}
	c.stale = true
	s.refresh(c)
}

// PageAsked: messages of a conversation are on their way: the newest, older or later ones.
type PageAsked struct {
	ID           ozeki.ConversationID
	Older, Later bool
}

func (e PageAsked) apply(s *State) {
	if c := s.conversations[e.ID]; c != nil {
		t := &c.timeline
		t.loading, t.older, t.later = !e.Older && !e.Later && !t.loaded, e.Older, e.Later
		t.trouble = ""
	}
}

// PageLoaded: messages came, oldest first, opened. Instance is the run of the history that they are of. A page that is
// neither the newest nor older or later ones is news, which go to the end.
type PageLoaded struct {
	ID       ozeki.ConversationID
	Instance ozeki.Instance
	Messages []Message
	Reports  []ozeki.Report  // the marks of all members
	Next     ozeki.MessageID // the message that the page was asked from: if that is no longer at hand, it has no place
	Older    bool            // for a reader who goes back
	Later    bool            // for one who comes back from older ones
	Newest   bool            // the newest page: it tells whether there are older ones
	More     bool            // there are older ones than these
	Rest     bool            // there are later ones than these
	Revision int64           // the highest change that was known when the page was read; nothing for news
}

func (e PageLoaded) apply(s *State) {
	c := s.conversations[e.ID]
	if c == nil || c.instance != e.Instance {
		return
	}
	t := &c.timeline
	t.loading, t.older, t.later, t.trouble = false, false, false, ""
	to := atEnd
	switch {
	case e.Older:
		to = inFront
	case e.Later:
		to = onward
	case e.Newest && t.cut:
		t.clear() // what is at hand does not reach up to it
	}
	if !t.follows(e.Next, to) {
		return
	}
	for i := range e.Messages {
		s.name(c, &e.Messages[i])
		s.willExpire(e.Messages[i])
	}
	switch {
	case e.Newest:
		t.revision = max(t.revision, e.Revision)
	case e.Older, e.Later: // a change that came while the page was on its way did not find its message: it is asked for again
		t.revision = min(t.revision, e.Revision)
	}
	if !e.Older {
		t.cut = e.Rest
	}
	t.behind = e.Newest && e.Rest
	if e.Newest {
		t.loaded = true
	}
	if e.Older || e.Newest {
		t.more = e.More
	}
	fresh := t.add(e.Messages, to)
	justNow := !e.Older && !e.Later && !e.Newest
	for _, m := range fresh {
		if justNow { // who has written is not typing any more
			TypingOver{e.ID, m.From}.apply(s)
		}
	}
	if n := len(fresh); n > 0 && !e.Older {
		last := fresh[n-1]
		if to == atEnd && !e.Rest {
			c.lastMessage = last.ID
		}
		if last.Created.After(c.active) {
			c.active = last.Created
			s.refresh(c)
		}
		if justNow && e.ID == s.open && !last.Mine {
			s.announce(last.Spoken())
		}
	}
	s.takeReports(c, e.Reports)
	s.touchMessages(e.ID)
	if c.stale && !t.cut {
		c.stale = false
		s.refresh(c)
	}
	s.reread(c)
	s.placeLine()
}

// PageFailed: messages could not be loaded; Words say why.
type PageFailed struct {
	ID    ozeki.ConversationID
	Words string
}

func (e PageFailed) apply(s *State) {
	if c := s.conversations[e.ID]; c != nil {
		t := &c.timeline
		t.loading, t.older, t.later, t.trouble = false, false, false, e.Words
	}
}

// MessageWritten: the user sent a message; it is shown at once and is on its way.
type MessageWritten struct {
	ID           ozeki.MessageID
	Conversation ozeki.ConversationID
	Text         string
	Files        []File
	At           time.Time
	Until        time.Time      // when it expires, zero for never
	Content      *ozeki.Content // what is sealed
}

func (e MessageWritten) apply(s *State) {
	if c := s.conversations[e.Conversation]; c != nil {
		m := Message{
			ID: e.ID, Text: e.Text, From: s.user.ID, Sender: s.user.Name, Mine: true, Created: e.At, State: MessageSending, Until: e.Until, Content: e.Content,
			Files: FilesOf(e.Files),
		}
		if r := m.Reply(); r != nil {
			m.ReplySender = s.nameIn(c, r.From)
		}
		c.timeline.set(m)
		s.willExpire(m)
		if s.writing == nil {
			s.writing = map[ozeki.ConversationID]bool{}
		}
		s.writing[e.Conversation] = true
		s.reread(c)
		if e.At.After(c.active) {
			c.active = e.At
			s.refresh(c)
		}
	}
}

// MessageMoved: what became of a message on its way.
type MessageMoved struct {
	ID           ozeki.MessageID
	Conversation ozeki.ConversationID
	State        MessageState
	Why          string
}

func (e MessageMoved) apply(s *State) {
	c := s.conversations[e.Conversation]
	if c == nil {
		return
	}
	if m, ok := c.timeline.find(e.ID); ok {
		if e.State == MessageFailed && m.State != MessageFailed {
			s.announce("Message not sent. " + e.Why)
		}
		m.State, m.Why = e.State, e.Why
		c.timeline.set(m)
		if e.State == MessageSent {
			s.tick++
			if c.timeline.sent == nil {
				c.timeline.sent = map[ozeki.MessageID]uint64{}
			}
			c.timeline.sent[e.ID] = s.tick
		}
		s.reread(c)
	}
}

// MessageDropped: the user deleted a message that was not sent.
type MessageDropped struct {
	ID           ozeki.MessageID
	Conversation ozeki.ConversationID
}

func (e MessageDropped) apply(s *State) {
	if c := s.conversations[e.Conversation]; c != nil {
		c.timeline.drop(e.ID)
		s.reread(c)
	}
}
