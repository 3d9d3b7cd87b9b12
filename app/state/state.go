// Package state is what the client knows: plain Go without a framework and without a browser. It changes only in Apply,
// by events; what people see is read from a Snapshot, which never changes once it is made.
package state

import (
	"slices"
	"time"

	"starling/ozeki"
)

// Phase says where the user stands.
type Phase int

const (
	Starting  Phase = iota // not known yet whether somebody is signed in
	SignedOut              // the sign-in form is shown
	SignedIn
)

// User is who is signed in.
type User struct {
	ID   ozeki.UserID
	Name string
}

// Row is a conversation as the sidebar shows it. Rows are comparable: equal rows look the same.
type Row struct {
	ID       ozeki.ConversationID
	Name     string
	Opened   bool // the key and the name were tried; until then the name is made of the participants'
	Trouble  bool // the name or the key does not open: named by its participants, with a quiet mark
	Favorite bool // as shown, like the other flags: the user's wish where there is one, else the server's word
	Star     FlagPhase
	Muted    bool
	Group    bool
	Draft    bool // something was begun to be written
	Hidden   bool
	Color    string       // "#rrggbb", empty for none
	Saving   FlagPhase    // of the flags beside the star: the furthest from settled
	With     ozeki.UserID // the other person of a one-to-one conversation
	Blocked  bool         // the user has blocked that person
	Active   time.Time
	Preview  string   // how the last message begins, on one line, empty for none or while it is not known
	Fleeting bool     // Preview is of a message that expires
	Unread   int      // messages by others that the user has not viewed, on any device
	Stale    bool     // Preview and Unread have to be asked for (Engine.Overview) when the row is seen
	Presence Presence // of the other one in a conversation of two
}

// Presence is what is known of somebody's being there. What is not known, or of nobody, is Absent.
type Presence int

const (
	Absent Presence = iota
	Away
	Present
)

// NoticeKind tells notices apart.
type NoticeKind int

const (
	NoticeUndo  NoticeKind = iota // a row that was taken away and can be put back
	NoticeError                   // something was refused
)

// Notice is a short message over the page.
type Notice struct {
	ID           int
	Kind         NoticeKind
	Text         string
	Conversation ozeki.ConversationID // of an undo
	Flag         Flag                 // of an undo: what was set
	Back         string               // of an undo: the value that it had
}

// Announcement is a text for the live region; Seq grows with each, so that the same text can be said twice.
type Announcement struct {
	Seq  int
	Text string
}

// Open is the conversation that is open.
type Open struct {
	Row      Row
	Known    bool // false: the id of the address bar is not among the conversations (yet)
	Messages []Message
	Loaded   bool            // the newest page is here
	Loading  bool            // it is on its way
	More     bool            // there are older messages
	Older    bool            // older ones are on their way
	Cut      bool            // the newest messages are not here: they were let go while older ones were read
	Later    bool            // later ones than these are on their way
	Draft    *Draft          // what was begun to be written, nil for nothing
	Opening  bool            // a draft that the device keeps is still to be opened, or to be looked for
	NewFrom  ozeki.MessageID // the first message that is new to the user, empty for none
	Trouble  string          // why the messages could not be loaded, in words
	CanWrite bool            // the conversation's key is known
	Typing   []string        // names of those who are typing
}

// Snapshot is an immutable view of the state.
type Snapshot struct {
	Phase         Phase
	Reason        string // why the user was signed out, in words
	User          User
	Extensions    []string
	Loaded        bool   // the list was loaded at least once
	Trouble       string // why the list could not be loaded, in words
	Offline       bool
	Favorites     []*Row
	Conversations []*Row
	Hidden        []*Row
	Filter        string
	Best          ozeki.ConversationID // that fits the filter best, empty without a filter
	UnreadOnly    bool
	Total         int    // conversations in all, the filter aside
	AllHidden     []*Row // the filter aside
	Blocklist     Blocklist
	Unsent        int // messages that the server does not have yet
	Unread        int // messages that were not viewed, in conversations that are neither muted nor hidden
	Open          *Open
	Notices       []Notice
	Announcement  Announcement
	Friends       []Friend
	FriendsLoaded bool
	Group         *Group // whose members are shown
	Workspaces    []ozeki.Workspace
	// WorkspacesLoaded: they were asked for, and came.
	WorkspacesLoaded bool
}

// Has reports whether the server offers an extension.
func (s *Snapshot) Has(extension string) bool {
	for _, e := range s.Extensions {
		if e == extension {
			return true
		}
	}
	return false
}

// Row finds a conversation's row, also that of one which a filter leaves out and which is open.
func (s *Snapshot) Row(id ozeki.ConversationID) (Row, bool) {
	for _, rows := range [][]*Row{s.Favorites, s.Conversations, s.Hidden} {
		if i := slices.IndexFunc(rows, func(r *Row) bool { return r.ID == id }); i >= 0 {
			return *rows[i], true
		}
	}
	if s.Open != nil && s.Open.Known && s.Open.Row.ID == id {
		return s.Open.Row, true
	}
	return Row{}, false
}

// State is the client's whole knowledge. It is not safe for use by several goroutines at once: its owner serialises.
type State struct {
	phase         Phase
	reason        string
	user          User
	extensions    []string
	loaded        bool
	trouble       string
	offline       bool
	conversations map[ozeki.ConversationID]*conversation
	order         []ozeki.ConversationID // the user's own order of favorites; those not in it follow by name
	filter        string
	unreadOnly    bool
	blocklist     blocklist
	open          ozeki.ConversationID
	notices       []Notice
	noticeSeq     int
	announcement  Announcement
	friends       []Friend
	friendsLoaded bool
	group         ozeki.ConversationID // whose members are shown
	people        map[ozeki.UserID]string
	workspaces    []ozeki.Workspace // nil until they were loaded
	expires       time.Time         // when the next message at hand does, zero for never
	draftsKnown   bool              // the device has said which drafts it keeps
	tick          uint64            // logical time: grows with every flag that is asked for or answered

	presence map[ozeki.UserID]Presence               // of friends
	typing   map[ozeki.ConversationID][]ozeki.UserID // those who are typing, the first to begin in front

	lists   lists
	writing map[ozeki.ConversationID]bool // conversations with messages that the server does not have

	changed   Changed                       // what is to be kept on the device
	unopened  map[ozeki.ConversationID]bool // those whose last message is to be opened
	reporting map[ozeki.ConversationID]bool // those of which the server does not know what was viewed
	line      newLine                       // of the open one
	gone      []Gone                        // see TakeGone
	outrun    []ozeki.ConversationID        // see TakeOutrun
}

// New returns the state of a client that has just started.
func New() *State {
	return &State{conversations: map[ozeki.ConversationID]*conversation{}, lists: lists{stale: true}}
}

// conversation is what is known of one conversation.
type conversation struct {
	id                          ozeki.ConversationID
	participants                []ozeki.Participant
	group                       bool
	name                        string // as shown
	fold                        string // name for sorting and filtering
	opened                      bool   // name comes from the opened displayname
	trouble                     bool
	with                        ozeki.UserID // the other person of a one-to-one conversation
	blocked                     bool
	people                      string // see index
	letters                     uint64 // see index, 0: to be made again
	fit                         fit    // how well it fits the filter
	sealedName                  string
	secret                      string
	key                         []byte
	instance                    ozeki.Instance
	lastMessage                 ozeki.MessageID
	active                      time.Time
	presence                    Presence
	favorite, mute, hide, color flag
	answeredAt                  uint64 // logical time of the last answer that told that the conversation is there
	groupParts

	draft       *Draft
	sealedDraft bool // the device keeps a draft that was not opened yet
	lockedDraft bool // and that does not open

	in       section // the list of the sidebar that it belongs to
	at       int     // its place in it, the filter aside
	shown    *Row    // its row as it was last shown
	counted  int     // of lists.unread
	moving   bool    // see move
	timeline timeline
	overview
}

func (c *conversation) row() Row {
	return Row{
		ID: c.id, Name: c.name, Opened: c.opened, Trouble: c.trouble, Favorite: c.favorite.shown() != "", Star: c.favorite.phase(),
		Muted: c.mute.shown() != "", Hidden: c.isHidden(), Color: c.color.shown(),
		Saving: max(c.mute.phase(), c.hide.phase(), c.color.phase()), Active: c.active, Draft: c.draft != nil || c.sealedDraft,
		Preview: c.preview, Fleeting: c.fleeting, Unread: c.unread, Stale: c.stale, With: c.with, Group: c.group, Blocked: c.blocked, Presence: c.presence,
	}
}

func (c *conversation) isHidden() bool { return c.hiddenBy(c.hide.shown()) }

// hiddenBy reports whether a hideid hides the conversation. It hides an instance, not the conversation, which comes back
// when somebody writes in a new one.
func (c *conversation) hiddenBy(hideID string) bool {
	return hideID != "" && (c.lastMessage == "" || containsInstance(hideID, c.instance))
}

// Friend is somebody the user may write to.
type Friend struct {
	ID           ozeki.UserID
	Name         string
	PublicKey    string // base64 DER SubjectPublicKeyInfo
	Availability string // as the server says: ozeki.Available and others
}

// Presence is the friend's availability as it is shown.
func (f Friend) Presence() Presence {
	switch f.Availability {
	case ozeki.Available:
		return Present
	case ozeki.Away:
		return Away
	}
	return Absent
}

// Snapshot returns the current view.
func (s *State) Snapshot() *Snapshot {
	s.settle()
	snap := &Snapshot{
		Phase: s.phase, Reason: s.reason, User: s.user, Extensions: s.extensions, Loaded: s.loaded, Trouble: s.trouble,
		Offline: s.offline, Favorites: s.lists.rows[inFavorites], Conversations: s.lists.rows[inOthers], Hidden: s.lists.rows[inHidden], Filter: s.filter,
		Best: s.best(), UnreadOnly: s.unreadOnly, AllHidden: s.lists.hidden, Blocklist: s.blocklistView(),
		Total: len(s.conversations), Notices: s.notices[:len(s.notices):len(s.notices)], Announcement: s.announcement,
		Friends: s.friends, FriendsLoaded: s.friendsLoaded, Unread: s.lists.unread,
		Workspaces: s.workspaces, WorkspacesLoaded: s.workspaces != nil,
	}
	for id := range s.writing {
		if c := s.conversations[id]; c != nil {
			snap.Unsent += c.timeline.unsent()
		}
	}
	if s.open != "" {
		snap.Open = s.openView()
	}
	if s.group != "" {
		snap.Group = s.groupView()
	}
	return snap
}

func (s *State) openView() *Open {
	c := s.conversations[s.open]
	if c == nil {
		return &Open{Row: Row{ID: s.open}, Loading: !s.loaded}
	}
	t := &c.timeline
	return &Open{
		Row: c.row(), Known: true, Messages: t.view(), Loaded: t.loaded, Loading: t.loading, More: t.more, Older: t.older,
		Cut: t.cut, Later: t.later,
		Trouble: t.trouble, CanWrite: c.key != nil, NewFrom: s.line.from, Draft: c.draft, Typing: s.typists(c),
		Opening: !s.draftsKnown || c.sealedDraft && !c.lockedDraft,
	}
}

func (s *State) announce(text string) {
	s.announcement = Announcement{s.announcement.Seq + 1, text}
}

// maxErrors is the largest number of errors shown at once.
const maxErrors = 3

// notify adds a notice and returns its id. A newer error or undo replaces the older of the same conversation.
func (s *State) notify(n Notice) int {
	s.noticeSeq++
	n.ID = s.noticeSeq
	kept := make([]Notice, 0, len(s.notices)+1)
	errors := 0
	for _, old := range s.notices {
		if old.Kind == NoticeError {
			errors++
		}
		if old.Kind != n.Kind || (n.Conversation != "" && (old.Conversation != n.Conversation || old.Flag != n.Flag)) || (n.Kind == NoticeError && old.Text != n.Text) {
			kept = append(kept, old)
		}
	}
	if i := slices.IndexFunc(kept, func(n Notice) bool { return n.Kind == NoticeError }); errors >= maxErrors && i >= 0 {
		kept = slices.Delete(kept, i, i+1) // the oldest error goes; what can be undone stays for its time
	}
	s.notices = append(kept, n)
	return n.ID
}

func (s *State) dropNotices(match func(Notice) bool) {
	kept := make([]Notice, 0, len(s.notices))
	for _, n := range s.notices {
		if !match(n) {
			kept = append(kept, n)
		}
	}
	s.notices = kept
}

// UserID returns who is signed in.
func (s *State) UserID() ozeki.UserID { return s.user.ID }

// OpenID returns the id of the conversation that is open, empty for none.
func (s *State) OpenID() ozeki.ConversationID { return s.open }

// Order returns the user's own order of favorites.
func (s *State) Order() []ozeki.ConversationID { return s.order }

// Unopened is a conversation whose key or name was not tried yet.
type Unopened struct {
	ID     ozeki.ConversationID
	Group  bool
	Secret string
	Name   string // sealed
	Key    []byte // of Secret, where it is known already
	Older  []string
}

// Unopened lists the conversations whose keys were not tried yet, those that are seen first in front; with ids, only
// those among them.
func (s *State) Unopened(ids ...ozeki.ConversationID) []Unopened {
	if len(ids) == 0 {
		snap := s.Snapshot()
		for _, rows := range [][]*Row{snap.Favorites, snap.Conversations, snap.Hidden} {
			for _, r := range rows {
				ids = append(ids, r.ID)
			}
		}
	}
	var list []Unopened
	for _, id := range ids {
		if c := s.conversations[id]; c != nil && s.toOpen(c) {
			list = append(list, Unopened{c.id, c.group, c.secret, c.sealedName, c.key, c.untried()})
		}
	}
	return list
}

// Key returns a conversation's newest key, nil if it is not known, and its current instance.
func (s *State) Key(id ozeki.ConversationID) ([]byte, ozeki.Instance) {
	if c := s.conversations[id]; c != nil {
		return c.key, c.instance
	}
	return nil, ""
}

// Pending returns a message that the server has not confirmed.
func (s *State) Pending(id ozeki.ConversationID, message ozeki.MessageID) (Message, bool) {
	if c := s.conversations[id]; c != nil {
		return c.timeline.find(message)
	}
	return Message{}, false
}

// Known says what is known of a conversation's messages.
type Known struct {
	Known       bool // the conversation is among the user's
	Loaded      bool // its newest page was loaded
	Busy        bool // a page is on its way
	More        bool // there are older messages
	Cut         bool // there are newer ones than Last
	Behind      bool // what is at hand was kept by the device, and the newest page is to be loaded
	Instance    ozeki.Instance
	First, Last Message         // of those that the server has
	Newest      ozeki.MessageID // the conversation's last message, at hand or not
	Revision    int64           // the highest of the changes that are known
}

// IsEmpty reports whether no conversation is known.
func (s *State) IsEmpty() bool { return len(s.conversations) == 0 }

// AtHand are the conversations whose newest messages were loaded.
func (s *State) AtHand() (ids []ozeki.ConversationID) {
	for id, c := range s.conversations {
		if c.timeline.loaded {
			ids = append(ids, id)
		}
	}
	return ids
}

// Timeline says what is known of a conversation's messages.
func (s *State) Timeline(id ozeki.ConversationID) Known {
	c := s.conversations[id]
	if c == nil {
		return Known{}
	}
	t := &c.timeline
	k := Known{Known: true, Loaded: t.loaded, Busy: t.loading || t.older || t.later, More: t.more, Cut: t.cut, Behind: t.behind, Instance: c.instance, Newest: c.lastMessage, Revision: t.revision}
	if n := len(t.stored); n > 0 {
		k.First, k.Last = t.stored[0], t.stored[n-1]
	}
	return k
}
