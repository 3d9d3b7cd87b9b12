package ozeki

import "starling/ozeki/json"

// Types of messages. Others survive and are shown as not understood.
const (
	TypeMessage = "Message" // an ordinary one (published)
	TypeEvent   = "Event"   // extension ExtGroups: tells what its sender has done to the group, e.g. "added Carol"
)

// Message is a message as it stands on the server: its text is sealed. Since another participant wrote it, decoding it
// never fails for a field of the wrong kind, e.g. a date that is none: the field is zero then and survives in Extra.
type Message struct {
	ID         MessageID `json:"ID"`
	Type       string    `json:"Type"`
	Created    Time      `json:"Created"` // the sender's clock
	ValidUntil Time      `json:"ValidUntil,omitzero"`
	Data       string    `json:"Data,omitempty"` // a Content, sealed
	// From (extension ExtSender) is the user whose signature the server verified when the message was added.
	From UserID `json:"From,omitempty"`
	// Files (extension ExtFiles) are the files of the message: they go when it goes.
	Files []FileID `json:"Files,omitempty"`
	// Edited and Revision (extension ExtMessageChange): when it was changed last, and the number of that change, which grows
	// over all messages of a conversation. Zero: never.
	Edited   Time  `json:"Edited,omitzero"`
	Revision int64 `json:"Revision,omitempty"`
	Extra    Extra `json:"-" odd:"kept"`
}

// Types of reports (published).
const (
	ReportDelivered = "delivered"
	ReportViewed    = "viewed"
)

// Report says what became of messages. Types other than ReportDelivered and ReportViewed survive. It decodes as leniently
// as Message.
//
// With the extension ExtReceipts a report is a mark: the user From has had delivered, or has viewed, all messages by
// others of this instance up to and including MessageID, in the server's order. There is one of each type for a user,
// the newest. A report without a message says nothing of any.
type Report struct {
	ID        ReportID  `json:"ID"`
	Type      string    `json:"Type,omitempty"`
	Created   Time      `json:"Created,omitzero"`
	MessageID MessageID `json:"MessageID,omitempty"`
	From      UserID    `json:"From,omitempty"`
	Extra     Extra     `json:"-" odd:"kept"`
}

// Content is the text of a message before it is sealed: versioned JSON (this project's choice).
type Content struct {
	Version int    `json:"v"`
	Text    string `json:"text"`
	From    UserID `json:"from"`
	Files   []File `json:"files,omitempty"`
	Reply   *Reply `json:"reply,omitempty"`
	Extra   Extra  `json:"-"`
}

// AddRequest sends a message. A repeat of a message id in a conversation is the same message.
type AddRequest struct {
	Common
	ConversationID ConversationID `json:"conversationid"`
	Instance       Instance       `json:"instance"`
	Message        string         `json:"message"` // a Message as JSON text (published so)
	// Epoch (extension ExtGroups) is that of the key under which a message to a group is sealed. See WithEpoch.
	Epoch *int `json:"epoch,omitempty"`
}

// AddAnswer gives the message as stored, without Data.
type AddAnswer struct {
	Answer
	Message *Message `json:"message,omitempty"`
	Extra   Extra    `json:"-"`
}

// DownloadRequest asks for the messages and reports from the given ones on, the given ones included; empty ids mean
// from the beginning.
type DownloadRequest struct {
	Common
	ConversationID   ConversationID `json:"conversationid"`
	Instance         Instance       `json:"instance"`
	FirstMessageDate Time           `json:"firstmessagedate"`
	FirstMessageID   MessageID      `json:"firstmessageid"`
	FirstReportDate  Time           `json:"firstreportdate"`
	FirstReportID    ReportID       `json:"firstreportid"`
	// Revision (extension ExtMessageChange) is the highest revision that the client has dealt with: the answer gives the
	// messages changed since then. nil: it does not want to know.
	Revision *int64 `json:"revision,omitempty"`
}

// DownloadPartialRequest asks for the newest Limit messages and reports before the given ones; empty ids mean the
// newest of all.
type DownloadPartialRequest struct {
	Common
	ConversationID  ConversationID `json:"conversationid"`
	Instance        Instance       `json:"instance"`
	LastMessageDate Time           `json:"lastmessagedate"`
	LastMessageID   MessageID      `json:"lastmessageid"`
	LastReportDate  Time           `json:"lastreportdate"`
	LastReportID    ReportID       `json:"lastreportid"`
	Limit           int            `json:"limit"`
}

// DownloadAnswer holds messages and reports, oldest first. It may come without a status (published): it is then good
// if it has messages or reports.
type DownloadAnswer struct {
	Status       string    `json:"status,omitempty"`
	ErrorMessage *string   `json:"errormessage,omitempty"`
	ErrorCode    string    `json:"errorcode,omitempty"`
	Messages     []Message `json:"messages,omitzero"`
	Reports      []Report  `json:"reports,omitzero"`
	// Revision and Changed (extension ExtMessageChange) are what Revision of the request asks for. A partial download gives
	// Revision alone: that of the conversation at the moment of reading.
	Revision int64     `json:"revision,omitempty"`
	Changed  []Message `json:"changed,omitempty"`
	Extra    Extra     `json:"-"`
}

// MaxReported is the largest number of messages that a report names.
const MaxReported = 1000

// ReportRequest tells the senders that messages were viewed: with the extension ExtReceipts all up to the newest of those
// named.
type ReportRequest struct {
	Common
	ConversationID   ConversationID `json:"conversationid"`
	Instance         Instance       `json:"instance"`
	FirstMessageDate Time           `json:"firstmessagedate"`
	LastMessageDate  Time           `json:"lastmessagedate"`
	MessageIDs       []MessageID    `json:"messageids"`
}

func (m *Message) UnmarshalJSON(b []byte) error { return json.Read(b, m) }

func (m Message) MarshalJSON() ([]byte, error) { return json.Marshal(m) }

func (r *Report) UnmarshalJSON(b []byte) error { return json.Read(b, r) }

func (r Report) MarshalJSON() ([]byte, error) { return json.Marshal(r) }

func (c *Content) UnmarshalJSON(b []byte) error { return json.Read(b, c) }

func (c Content) MarshalJSON() ([]byte, error) { return json.Marshal(c) }

func (a *AddAnswer) UnmarshalJSON(b []byte) error { return json.Read(b, a) }

func (a AddAnswer) MarshalJSON() ([]byte, error) { return json.Marshal(a) }

func (a *DownloadAnswer) UnmarshalJSON(b []byte) error { return json.Read(b, a) }

func (a DownloadAnswer) MarshalJSON() ([]byte, error) { return json.Marshal(a) }
