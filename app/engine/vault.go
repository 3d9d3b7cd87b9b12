package engine

import (
	"cmp"
	"context"
	"time"

	"starling/app/state"
	"starling/ozeki"
	"starling/ozeki/json"
)

// Kept is what a device keeps of a signed-in user between two runs of the program: enough to go on without a password.
// The key in it cannot be read.
type Kept struct {
	Session ozeki.Session
	Name    string
	Cursor  int64
	Offset  time.Duration          // how far the server's clock was ahead of this device's
	Order   []ozeki.ConversationID // the user's own order of favorites
	Wishes  state.Wishes           // flags that the server has not confirmed; never changed in place
	// Waiting are the messages of the queue, without what they hold (see Queued). They are filled in by Load alone: Save and
	// Update leave the queue as it is.
	Waiting []Waiting
	Read    map[ozeki.ConversationID]Read // up to where conversations were viewed, where the server does not know it
	// ReadSince is when the device began to keep it, zero where the server keeps it: what was not used since then counts
	// as viewed.
	ReadSince time.Time
	Drafts    map[ozeki.ConversationID]string // what was begun to be written, sealed like a message
	// DraftFiles are those of the drafts, which do not tell once their key is gone.
	DraftFiles map[ozeki.ConversationID][]ozeki.FileID
	// Ended: the server has ended the session, which has no key any more. The rest waits for the same user to sign in again.
	Ended bool
}

// waits reports whether something is kept that the server does not have.
func (k *Kept) waits() bool {
	return len(k.Wishes)+len(k.Waiting)+len(k.Read)+len(k.Drafts) > 0
}

// takeOver takes over what the same user's session before has left beside its queue, all but the session itself.
func (k *Kept) takeOver(was *Kept) {
	k.Order, k.Wishes, k.Read, k.ReadSince = was.Order, was.Wishes, was.Read, was.ReadSince
	k.Drafts, k.DraftFiles = was.Drafts, was.DraftFiles
}

// Waiting is a message that the server has not confirmed, sealed as it is sent: the device keeps no text in clear.
type Waiting struct {
	Conversation ozeki.ConversationID `json:"conversation"`
	ID           ozeki.MessageID      `json:"id"`
	Place        int64                `json:"place,omitempty"` // in the conversation: what has the least is sent first
	Created      time.Time            `json:"created"`
	Data         string               `json:"data"`
	Files        []ozeki.FileID       `json:"files,omitempty"` // that the device keeps for it
	Until        time.Time            `json:"until,omitzero"`  // when the message expires
	// Refused is why the server has refused it, empty if it has not: it is not sent until the user says so.
	Refused string `json:"refused,omitempty"`
}

// inOrder compares messages of the queue: those of a conversation stand in their order.
func inOrder(a, b Waiting) int {
	return cmp.Or(cmp.Compare(a.Conversation, b.Conversation), cmp.Compare(a.Place, b.Place), cmp.Compare(a.ID, b.ID))
}

// keptWishes are Kept's wishes on the device. An earlier version kept stars alone, as true or false.
type keptWishes state.Wishes

func (w *keptWishes) ReadJSON(b []byte) error {
	var raw map[ozeki.ConversationID]json.RawMessage
	if err := json.Read(b, &raw); err != nil {
		return err
	}
	*w = keptWishes{}
	for id, v := range raw {
		var star bool
		of := map[state.Flag]string{}
		if json.Unmarshal(v, &star) == nil {
			of[state.FlagFavorite] = onOff(star)
		} else if err := json.Unmarshal(v, &of); err != nil {
			return err
		}
		(*w)[id] = of
	}
	return nil
}

// Vault keeps one Kept on this device: IndexedDB in a browser, memory in a native program. All tabs share it.
type Vault interface {
	// Load returns what is kept, nil if nothing is. Something unreadable counts as nothing and is an error as well.
	Load(ctx context.Context) (*Kept, error)
	// Save replaces what is kept. What waits in the queue stays if it is the same user's, and goes if it is another's or nobody
	// can tell whose it is. After an error the old is still there.
	Save(ctx context.Context, k *Kept) error
	// Update changes what is kept, in one step with regard to the other tabs; where nothing is kept, nothing is changed.
	// After an error the old is still there. change must not use the Kept after it returns, nor change in place what hangs on
	// it; it may be called again, with a newer one, and only the last call counts.
	Update(ctx context.Context, change func(*Kept)) error
	// Queue keeps a message that is to be sent, each in a record of its own, so that it costs the same however many wait. With last
	// it goes behind all that wait in its conversation, by a later place than its own if it must be; place is where it is. What was
	// refused of it is replaced. Where no session of the user is kept nothing is changed, and ok is false.
	Queue(ctx context.Context, user ozeki.UserID, w Waiting, last bool) (place int64, ok bool, err error)
	// Requeue changes what is kept of a message in its place; one that is not in the queue any more stays out of it. With a
	// refusal it is not the next of its conversation any more.
	Requeue(ctx context.Context, w Waiting) error
	// Unqueue takes messages out of the queue, of which conversation, place and id count. A repeat changes nothing.
	Unqueue(ctx context.Context, ws ...Waiting) error
	// UnqueueAll takes all messages of a conversation out of the queue. A repeat changes nothing.
	UnqueueAll(ctx context.Context, id ozeki.ConversationID) error
	// NextQueued returns the first message of a conversation behind a place that was not refused; nil if there is none.
	NextQueued(ctx context.Context, id ozeki.ConversationID, after int64) (*Waiting, error)
	// Queued returns all messages of the queue, those of a conversation in their order.
	Queued(ctx context.Context) ([]Waiting, error)
	// KeepFile keeps the encrypted bytes of a file that is to be sent, so that it can be sent after a restart.
	KeepFile(ctx context.Context, id ozeki.FileID, sealed ozeki.Blob) error
	// File returns what KeepFile kept; ok is false if nothing is.
	File(ctx context.Context, id ozeki.FileID) (sealed ozeki.Blob, ok bool, err error)
	// ForgetFiles removes what KeepFile kept. A repeat changes nothing.
	ForgetFiles(ctx context.Context, ids []ozeki.FileID) error
	// Shelve keeps records of an owner, encrypted, all of them or none; a Record without Data is removed. Each is in the place
	// of the earlier one of its name.
	Shelve(ctx context.Context, owner string, records ...Record) error
	// Shelved returns the data of records, nil for one that is not there, is another owner's or is damaged.
	Shelved(ctx context.Context, owner string, names ...string) ([][]byte, error)
	// Shelf lists the records that Shelve keeps, without their data.
	Shelf(ctx context.Context) ([]Record, error)
	// Jot keeps a short text at once, before it returns, in the place of the one before; empty for none. It is for the moment
	// in which the page goes and nothing can be waited for. Where the device does not take it, it is lost.
	Jot(text string)
	// Jotted returns the text of the last Jot, of an earlier run of the program too.
	Jotted() string
	// Wipe removes everything this program stored on the device; after an error, all but what the error names. A repeat changes
	// nothing.
	Wipe(ctx context.Context) error
}

// Record is something that a device keeps so that it is quickly there again. What is lost of it can be had anew.
type Record struct {
	Name  string
	Data  []byte
	Used  time.Time // when it was kept
	Until time.Time // when something in it expires, zero for never
}

// Neighbours are the other tabs of the same device, which share the session.
type Neighbours interface {
	// Tell sends a note to the other tabs.
	Tell(n Note)
	// Lead calls f once this tab is the one that keeps the list for all: at once, when the one before it has gone, or never.
	Lead(f func())
	// Listen calls f for each note of another tab, until the program ends.
	Listen(f func(Note))
}

// Note is what tabs tell each other.
type Note struct {
	SignedOut     bool                   `json:"signedout,omitempty"`
	SignedIn      bool                   `json:"signedin,omitempty"`
	List          []ozeki.ConversationID `json:"list,omitempty"`          // entries of the list that changed
	Conversations []ozeki.ConversationID `json:"conversations,omitempty"` // with new messages
	Here          bool                   `json:"here,omitempty"`          // the user is at that tab
	Wished        ozeki.ConversationID   `json:"wished,omitempty"`        // whose Flag the user set in that tab
	Flag          state.Flag             `json:"flag,omitempty"`          // empty (of an earlier version): the star
	Order         []ozeki.ConversationID `json:"order,omitempty"`         // of the favorites, as the user changed it there
	Sent          ozeki.ConversationID   `json:"sent,omitempty"`          // where Draft was written and sent in that tab
	Draft         *state.Draft           `json:"draft,omitempty"`
}
