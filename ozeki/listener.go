package ozeki

import (
	"time"

	"starling/ozeki/json"
)

// The notification socket tells that something changed. The published reference names its address (listeners of the login
// answer) and not what it says: any text means "ask what changed". With the extension ExtTicket its texts are Frames.

// How often the two ends of the socket say something.
const (
	// BeatEvery is how often a client sends a beat, which the server sends back.
	BeatEvery = 20 * time.Second
	// TypingEvery is how often a client tells at most that its user is typing.
	TypingEvery = 3 * time.Second
	// TypingLasts is how long somebody counts as typing after a frame said so.
	TypingLasts = 6 * time.Second
)

// Types of a Frame.
const (
	FrameChanged = "changed" // from the server: ask with CallNotification
	FrameBeat    = "beat"    // from the client, and back
	FrameTyping  = "typing"  // extension ExtTyping: from the client about its user, from the server about others
)

// Frame is a text of the notification socket (extension ExtTicket). A receiver ignores the fields that it does not know; a
// client takes a type that it does not know for FrameChanged.
type Frame struct {
	Type           string         `json:"type"`
	ConversationID ConversationID `json:"conversationid,omitempty"` // of FrameTyping
	UserID         UserID         `json:"userid,omitempty"`         // of FrameTyping from the server: who types
}

// TicketAnswer gives the ticket that opens the notification socket, as its query parameter "ticket".
type TicketAnswer struct {
	Answer
	Ticket string `json:"ticket"`
	Extra  Extra  `json:"-"`
}

func (a *TicketAnswer) UnmarshalJSON(b []byte) error { return json.Read(b, a) }

func (a TicketAnswer) MarshalJSON() ([]byte, error) { return json.Marshal(a) }
