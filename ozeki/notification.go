package ozeki

import "starling/ozeki/json"

// NotificationRequest asks what changed for this station since it last asked.
type NotificationRequest struct {
	Common
	// Cursor (extension ExtCursor) is the cursor of the last answer that the client has dealt with; 0 at first. A server
	// that knows it gives what changed since, so that a lost answer loses nothing.
	Cursor int64 `json:"cursor,omitempty"`
}

// NotificationAnswer names what changed; the client then asks for just that.
type NotificationAnswer struct {
	Answer
	FriendAvailabilitiesOf    []UserID         `json:"friendavailabilitesof,omitzero"` // spelt so by the published reference
	ConversationChangedOf     []ConversationID `json:"conversationchangedof,omitzero"` // new messages or reports
	ConversationListChangedOf []ConversationID `json:"conversationlistchangedof,omitzero"`
	Cursor                    int64            `json:"cursor,omitempty"`
	Extra                     Extra            `json:"-"`
}

func (a *NotificationAnswer) UnmarshalJSON(b []byte) error { return json.Read(b, a) }

func (a NotificationAnswer) MarshalJSON() ([]byte, error) { return json.Marshal(a) }
