// Package store keeps what the embedded chat server must not forget: accounts, stations, friends, conversations,
// messages and the ids of signed requests.
//
// A change is made in one transaction (Store.Update) and is durable when Update returns nil. Everything that a user is
// to be told about carries a sequence number from one counter that is advanced inside the transaction, so numbers become
// visible in ascending order: whoever has read up to n misses nothing by asking for what is above n.
package store

import (
	"context"
	"errors"
	"time"

	"starling/ozeki"
)

// The ways a store call fails. Any other error is a fault of the program or of the database.
var (
	// ErrNotFound: what the call names is not there, or not for this user.
	ErrNotFound = errors.New("not in the store")
	// ErrExists: what should be made is there already, with other content.
	ErrExists = errors.New("in the store already")
	// ErrBound: the station belongs to another user.
	ErrBound = errors.New("station belongs to another user")
	// ErrUnavailable: the database cannot serve now (locked, disk full, cut off); nothing was changed, and the same
	// call may succeed later.
	ErrUnavailable = errors.New("database not available")
)

// Store is the persistence of the chat server. Its methods may be called from several goroutines at once. Reads outside
// of Update see the last committed state; each read sees one state throughout.
type Store interface {
	Reader
	Stamped
	// Update runs fn in one write transaction. It commits when fn returns nil and gives the users for whom something
	// changed (sorted, each once), to be told by a hint; otherwise nothing is changed and fn's error comes back. fn uses
	// only its Tx, not the Store, and keeps no reference to it. Updates that come at once may share the transaction; fn may
	// be run again after what it did was undone, possibly in another caller's goroutine: what it leaves behind beside its
	// changes must be that of the last run. A run that is to be undone may see its calls fail.
	Update(ctx context.Context, fn func(Tx) error) ([]ozeki.UserID, error)
	// Close waits for running calls and releases the database.
	Close() error
}

// Reader are the questions, by noun.
type Reader interface {
	// Account returns a user's account. ErrNotFound.
	Account(ctx context.Context, user ozeki.UserID) (Account, error)
	// AccountByEmail returns the account with the address (in its normal form). ErrNotFound.
	AccountByEmail(ctx context.Context, email string) (Account, error)
	// AccountByAPIKey returns the account whose api key has the hash. ErrNotFound.
	AccountByAPIKey(ctx context.Context, apiKeyHash string) (Account, error)
	// Station returns the binding of a station. ErrNotFound: nobody is signed in on it.
	Station(ctx context.Context, station ozeki.StationID) (Station, error)

	// Friends lists a user's friends by name.
	Friends(ctx context.Context, user ozeki.UserID) ([]Friend, error)
	// AreFriends reports whether each of the others is a friend of user.
	AreFriends(ctx context.Context, user ozeki.UserID, others []ozeki.UserID) (bool, error)

	// Blocked lists whom the user has blocked, by id.
	Blocked(ctx context.Context, user ozeki.UserID) ([]ozeki.UserID, error)
	// BlockedBy lists who has blocked the user, by id.
	BlockedBy(ctx context.Context, user ozeki.UserID) ([]ozeki.UserID, error)

	// Pushes lists the user's push subscriptions, by station.
	Pushes(ctx context.Context, user ozeki.UserID) ([]Push, error)

	// List lists what the user is a member of, the last used first: all of it, or with the version of an earlier list only
	// what has changed since, where that is known.
	List(ctx context.Context, user ozeki.UserID, since string) (List, error)
	// ListPage lists at most first of what the user is a member of: favorites and what was used last, or with the Next of the page
	// before all of it, page by page in the order of the ids.
	ListPage(ctx context.Context, user ozeki.UserID, first int, after string) (List, error)
	// Hidden lists those of them that the user has hidden: in their present instance, or in an earlier one while the present
	// one has no message.
	Hidden(ctx context.Context, user ozeki.UserID) ([]ozeki.ConversationID, error)
	// Conversation returns one of them. ErrNotFound: there is none, or the user is not a member.
	Conversation(ctx context.Context, user ozeki.UserID, id ozeki.ConversationID) (Conversation, error)

	// Members lists the members of a conversation by user id. It does not ask who may know.
	Members(ctx context.Context, id ozeki.ConversationID) ([]Friend, error)

	// Workspace returns a workspace. ErrNotFound.
	Workspace(ctx context.Context, name string) (Workspace, error)
	// Workspaces lists those that the user is a member of, by name.
	Workspaces(ctx context.Context, user ozeki.UserID) ([]Workspace, error)
	// WorkspaceMembers lists a workspace's members in the order of their joining.
	WorkspaceMembers(ctx context.Context, name string) ([]ozeki.UserID, error)
	// Invite returns the invitation with the token's hash, if it is good at the moment. ErrNotFound.
	Invite(ctx context.Context, tokenHash string, now time.Time) (Invite, error)

	// Message returns one message, expired or not. ErrNotFound.
	Message(ctx context.Context, conversation ozeki.ConversationID, id ozeki.MessageID) (Message, error)
	// Newest returns the highest place of the messages that are in the conversation, expired or not; 0 if none is.
	Newest(ctx context.Context, conversation ozeki.ConversationID, ids []ozeki.MessageID) (int64, error)
	// Messages returns a page of the unexpired messages of a conversation's instance, oldest first. It does not ask who
	// may read them.
	Messages(ctx context.Context, q MessageQuery) ([]Message, error)
	// Revision returns the highest revision of a conversation's messages of an instance, 0 if none was changed.
	Revision(ctx context.Context, conversation ozeki.ConversationID, instance ozeki.Instance) (int64, error)
	// Changed returns the unexpired messages after q.Since with a revision above q.From, by revision, at most q.Limit.
	Changed(ctx context.Context, q MessageQuery) ([]Message, error)

	// Marks returns up to where the members have had delivered and have viewed what others wrote in the conversation's
	// present instance, in the order in which the marks were set; only marks that cover a message above since.
	Marks(ctx context.Context, conversation ozeki.ConversationID, since int64) ([]Mark, error)
	// HasExpired reports whether the content of a message is stored that expired by the moment.
	HasExpired(ctx context.Context, at time.Time) (bool, error)
	// File returns a file, stored or not. ErrNotFound.
	File(ctx context.Context, id ozeki.FileID) (File, error)
	// FilesSize returns how many bytes a user's files have, stored or announced.
	FilesSize(ctx context.Context, owner ozeki.UserID) (int64, error)
	// FilesGone lists files whose bytes are to be removed, at most limit.
	FilesGone(ctx context.Context, limit int) ([]ozeki.FileID, error)

	// Changes returns what the user is to be told of since a sequence number, in order, at most about limit entries.
	Changes(ctx context.Context, user ozeki.UserID, after int64, limit int) (Changes, error)
	// Seq returns the highest sequence number given out.
	Seq(ctx context.Context) (int64, error)
}

// Tx are the questions and the changes inside a transaction.
type Tx interface {
	Reader

	// Nested runs fn so that its changes, but not the transaction, are undone when it returns an error, which comes back.
	Nested(ctx context.Context, fn func() error) error

	// CreateAccount adds an account. ErrExists: the address, the user id or the api key is taken.
	CreateAccount(ctx context.Context, a Account) error
	// BindStation binds a station to a user from now on: its notifications start at this moment. A repeat by the same
	// user starts them anew. ErrBound: it is bound to somebody else, who has to sign out there first.
	BindStation(ctx context.Context, station ozeki.StationID, user ozeki.UserID, now time.Time) error
	// UnbindStation undoes it for this user; no error if it was not bound.
	UnbindStation(ctx context.Context, station ozeki.StationID, user ozeki.UserID) error
	// SetPolled remembers up to where a station has been told of changes.
	SetPolled(ctx context.Context, station ozeki.StationID, seq int64) error

	// AddFriends makes two different users each other's friends. A repeat changes nothing.
	AddFriends(ctx context.Context, a, b ozeki.UserID) error

	// SetBlocked notes whether a user has blocked another one. A repeat changes nothing and tells nobody; else those of the
	// two who have the other as a friend are told of him. ErrNotFound: there is no such other user.
	SetBlocked(ctx context.Context, user, other ozeki.UserID, on bool) error
	// TouchFriends has the friends of a user told about him, but those whom he has blocked. It advances no number where
	// there are none.
	TouchFriends(ctx context.Context, user ozeki.UserID) error

	// SetPush makes a subscription the only one of its station and of its endpoint. It goes when the station is unbound.
	// ErrNotFound: the user is not signed in on the station.
	SetPush(ctx context.Context, p Push) error
	// RemovePush ends the station's subscription if it has this endpoint, or whichever it has for the empty one.
	RemovePush(ctx context.Context, station ozeki.StationID, endpoint string) error
	// Secret keeps a fresh secret of the server's under a name, unless there is one: it gives the one that is kept.
	Secret(ctx context.Context, name string, fresh []byte) ([]byte, error)

	// CreateConversation adds a conversation with its members. ErrExists: the id is taken.
	CreateConversation(ctx context.Context, c NewConversation) error
	// SetProperty sets one property of a user's entry of a conversation. A value that it has already changes nothing and
	// tells nobody. ErrNotFound: there is none, or the user is not a member.
	SetProperty(ctx context.Context, user ozeki.UserID, id ozeki.ConversationID, p Property) error

	// AddMembers adds members to a conversation, who see what is written from then on, and tells all members. None of them
	// is a member yet. It does not ask who may add.
	AddMembers(ctx context.Context, id ozeki.ConversationID, members []ozeki.Member) error
	// RemoveMember ends a membership and tells the user and all that are left, for whom the conversation's key is to be
	// changed. With the last member the conversation and its messages are deleted. ErrNotFound: the user is not a member.
	RemoveMember(ctx context.Context, user ozeki.UserID, id ozeki.ConversationID) error
	// RenameConversation gives a conversation a name, the same sealed text for all members, and tells them.
	RenameConversation(ctx context.Context, id ozeki.ConversationID, displayName string) error
	// Rekey begins a conversation's next epoch with these secrets and names of its members, and tells them. Each member's
	// secret of the epoch before is kept. The members named are all that there are.
	Rekey(ctx context.Context, id ozeki.ConversationID, members []ozeki.Member) error

	// CreateWorkspace adds a workspace with its owner as the one member. ErrExists: the name is taken.
	CreateWorkspace(ctx context.Context, name string, owner ozeki.UserID, now time.Time) error
	// AddWorkspaceMember adds a member; added is false for one who is it already. It makes nobody friends.
	AddWorkspaceMember(ctx context.Context, name string, user ozeki.UserID) (added bool, err error)
	// RemoveWorkspaceMember ends a membership. Of the owner's the member who has been there longest takes over; with the
	// last member the workspace and its invitations go. ErrNotFound: the user is no member.
	RemoveWorkspaceMember(ctx context.Context, name string, user ozeki.UserID) error
	// AddInvite adds an invitation to a workspace.
	AddInvite(ctx context.Context, i Invite) error
	// PurgeInvites forgets the invitations that are over and says how many.
	PurgeInvites(ctx context.Context, now time.Time) (int64, error)

	// AddMessage appends a message (Seq is given by the store) and makes it the conversation's last one, used at the
	// given moment. A repeat of its id with the same content gives the message as it was stored and changes nothing.
	// ErrExists: the id is taken by another content. ErrNotFound: no such conversation. It does not ask who may write.
	AddMessage(ctx context.Context, conversation ozeki.ConversationID, m Message, at time.Time) (Message, error)

	// SetMark says that the user has had delivered, or has viewed, what others wrote in the conversation's present instance
	// up to the place seq, at the given moment. Who has viewed it has it delivered as well. A mark never goes back, and one
	// that covers no further message changes nothing and tells nobody. The senders of what it covers newly are told
	// (content), and of a viewed one the user as well (list). ErrNotFound: the user is not a member.
	SetMark(ctx context.Context, user ozeki.UserID, id ozeki.ConversationID, kind MarkKind, seq int64, at time.Time) error
	// Clear removes the conversation's messages and marks for everybody and begins the new instance; all members are told
	// (list). It does not ask who may. ErrNotFound.
	Clear(ctx context.Context, id ozeki.ConversationID, instance ozeki.Instance) error
	// PurgeMessages removes the content of messages that expired by the moment, of at most limit of them, and says how
	// many. Last messages and numbers of unread ones are corrected and the members told (list). Message still tells the
	// place of such a message, without an instance, until it is forgotten.
	PurgeMessages(ctx context.Context, at time.Time, limit int) (int, error)
	// ForgetPlaces forgets the places of messages whose content was removed and that expired before the moment.
	ForgetPlaces(ctx context.Context, before time.Time) error
	// CreateFile adds a file that is not stored and belongs to no message. A repeat gives the file as it is. ErrExists: the
	// id is taken by another one, or by one that is gone and whose bytes are still to be removed.
	CreateFile(ctx context.Context, f File) (File, error)
	// FileStored: the bytes of a file are there. A repeat changes nothing. ErrNotFound: it is gone.
	FileStored(ctx context.Context, id ozeki.FileID) error
	// AttachFiles gives stored files of the owner's in the conversation to a message. A repeat changes nothing. ErrNotFound:
	// one is not there, not stored, somebody else's, in another conversation or another message's.
	AttachFiles(ctx context.Context, conversation ozeki.ConversationID, message ozeki.MessageID, owner ozeki.UserID, ids []ozeki.FileID) error
	// PurgeFiles deletes the files that were created before the moment and belong to no message, and says how many.
	PurgeFiles(ctx context.Context, before time.Time) (int64, error)
	// ForgetFiles: the bytes of files that were gone are removed.
	ForgetFiles(ctx context.Context, ids []ozeki.FileID) error

	// EditMessage replaces the data of a message and tells the members. DeleteMessage leaves no more of it than its place,
	// with the type ozeki.TypeDeleted. Both give the message as it is then, with a revision above all earlier ones. What
	// changes nothing gives it as it is and tells nobody. ErrNotFound: there is none in this conversation, or, to edit, it
	// was deleted. They do not ask who may do it.
	EditMessage(ctx context.Context, conversation ozeki.ConversationID, id ozeki.MessageID, data string, at time.Time) (Message, error)
	DeleteMessage(ctx context.Context, conversation ozeki.ConversationID, id ozeki.MessageID, at time.Time) (Message, error)

	// ClaimRequest remembers a request unless one with the same user and id is remembered already: that one is returned
	// then, and first is false. Two transactions with the same request never both have first.
	ClaimRequest(ctx context.Context, r Request) (was Request, first bool, err error)
	// AnswerRequest keeps the answer of a claimed request.
	AnswerRequest(ctx context.Context, user ozeki.UserID, id string, answer []byte) error
	// PurgeRequests forgets the requests that were first seen before the moment and says how many.
	PurgeRequests(ctx context.Context, before time.Time) (int64, error)
}

// Account is a person's account.
type Account struct {
	UserID     ozeki.UserID
	Email      string // normal form
	FullName   string
	Nick       string
	APIKeyHash string // SHA-256 of the api key, hex
	RSAKey     string // encrypted PEM
	PublicKey  string // base64 DER SubjectPublicKeyInfo
	CreatedAt  time.Time
}

// Station is an installation on which a user is signed in.
type Station struct {
	ID      ozeki.StationID
	UserID  ozeki.UserID
	Polled  int64 // see Tx.SetPolled; at first the last number before the sign-in
	BoundAt time.Time
}

// Push is a browser in which a user wants to be told of messages while nobody looks.
type Push struct {
	Station                ozeki.StationID
	User                   ozeki.UserID
	Endpoint, P256dh, Auth string // of push.Subscription
	Contact                string // the https origin at which it subscribed, empty for none
}

// Friend is somebody that a user may write to.
type Friend struct {
	UserID    ozeki.UserID
	Name      string
	PublicKey string
}

// Conversation is a conversation as one of its members sees it.
type Conversation struct {
	ID            ozeki.ConversationID
	IsGroup       bool
	Instance      ozeki.Instance
	LastMessageID ozeki.MessageID
	LastReportID  ozeki.ReportID
	LastAccess    time.Time
	Participants  []Participant // by user id
	Secret        string        // the member's own, as are the fields below
	DisplayName   string
	Favorite      bool
	Muted         bool
	HideID        string
	Color         string
	Unread        int             // stored messages of the instance by others after Viewed
	Viewed        ozeki.MessageID // the last message that the member has viewed, empty for none
	DeliveredSeq  int64           // up to which place the member has had messages delivered
	Since         int64           // messages up to this sequence number are not for the member: he came later

	// What only groups have.
	Epoch   int                 // of Secret
	Rekey   bool                // somebody who has left knows the newest key
	Secrets []ozeki.EpochSecret // the member's of earlier epochs, oldest first
	Former  []Participant       // who has left since the member came, by user id
}

// List is a list of conversations.
type List struct {
	Conversations []Listed
	Version       string // names this state of the list
	// Partial: Conversations are those that were changed since the earlier version, and Gone those that the user has left.
	Partial bool
	Gone    []ozeki.ConversationID
	Next    string // of a page: what the next one is asked for with, empty where there is none
}

// Listed is a conversation with its last message, expired or not; the zero message for none, and for one of before the
// member came.
type Listed struct {
	Conversation
	Last Message
}

// MarkKind tells marks apart.
type MarkKind string

const (
	Delivered MarkKind = "delivered"
	Viewed    MarkKind = "viewed"
)

// Mark says up to which message, included, a member has had delivered or has viewed what others wrote.
type Mark struct {
	ID      ozeki.ReportID // new each time it moves
	User    ozeki.UserID
	Kind    MarkKind
	Message ozeki.MessageID // the newest one stored that it covers
	Created time.Time
}

// Participant is a member's id and name.
type Participant struct {
	UserID ozeki.UserID
	Name   string
}

// DefaultColor is the colour of a list item until its user chooses one.
const DefaultColor = "#ffffff"

// NewConversation is a conversation to be made. Its members have no properties set.
type NewConversation struct {
	ID        ozeki.ConversationID
	IsGroup   bool
	Instance  ozeki.Instance
	CreatedAt time.Time
	Members   []ozeki.Member
}

// Workspace is a workspace with the number of its members.
type Workspace struct {
	Name    string
	OwnerID ozeki.UserID
	Members int
}

// Invite is an invitation to a workspace that anybody who has its token may take.
type Invite struct {
	TokenHash string // SHA-256 of the token, hex
	Workspace string
	Inviter   ozeki.UserID
	Until     time.Time
}

// Property is one property of a member's entry with its value: Favorite, Muted, HideID or Color.
type Property interface {
	column() (name string, value any)
}

type (
	Favorite bool   // the conversation is the member's favorite
	Muted    bool   // the member does not want to be disturbed by it
	HideID   string // ";"-terminated list of hidden instances, empty: not hidden
	Color    string // "#rrggbb"
)

func (p Favorite) column() (string, any) { return "is_favorite", flag(bool(p)) }
func (p Muted) column() (string, any)    { return "is_muted", flag(bool(p)) }
func (p HideID) column() (string, any)   { return "hide_id", string(p) }
func (p Color) column() (string, any)    { return "color", string(p) }

// Message is a message with its place in the conversation.
type Message struct {
	ID         ozeki.MessageID
	Instance   ozeki.Instance // empty once it has expired and its content was removed
	Seq        int64
	Sender     ozeki.UserID
	Type       string
	Created    time.Time
	ValidUntil time.Time // zero: does not expire
	Data       string
	Extra      string    // JSON object of the fields that are not known here, or empty
	Edited     time.Time // when its sender last changed it; zero: never
	Revision   int64     // number of the last change, 0: never changed
}

// ExpiredBy reports whether the message has expired by the moment.
func (m Message) ExpiredBy(at time.Time) bool {
	return !m.ValidUntil.IsZero() && !m.ValidUntil.After(at)
}

// MessageQuery says which messages: From onwards (inclusive), or the newest ones before Before (exclusive). 0 is no bound.
type MessageQuery struct {
	Conversation ozeki.ConversationID
	Instance     ozeki.Instance
	Now          time.Time // what expired by then is left out
	Since        int64     // what stands up to there is left out, see Conversation
	From         int64
	Before       int64
	Newest       bool // take the newest Limit ones of the range instead of the oldest
	Limit        int
}

// Changes is what a user is to be told of.
type Changes struct {
	Friends  []ozeki.UserID         // came anew, or their availability changed
	Contents []ozeki.ConversationID // new messages, or marks on the user's own
	Lists    []ozeki.ConversationID // entry in the conversation list
	Seq      int64                  // the highest sequence number included; the one asked for if there is nothing
	More     bool                   // there is more above Seq
}

// Request is a signed request that was dealt with.
type Request struct {
	UserID      ozeki.UserID
	ID          string
	Call        string
	Fingerprint string
	Answer      []byte
	SeenAt      time.Time // whole milliseconds
}
