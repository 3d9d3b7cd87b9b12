package ozeki

// TypeDeleted (extension ExtMessageChange) is the type of a message that its sender deleted: a place holder without Data.
const TypeDeleted = "Deleted"

// MaxChanged is the largest number of changed messages in an answer: after that many, ask again.
const MaxChanged = 200

// MessageEditRequest (extension ExtMessageChange) replaces what the caller's own message holds. Data is a Content, sealed
// under the conversation's key and bound to the message like the first one. A repeat changes nothing.
type MessageEditRequest struct {
	Common
	ConversationID ConversationID `json:"conversationid"`
	Instance       Instance       `json:"instance"`
	MessageID      MessageID      `json:"messageid"`
	Data           string         `json:"data"`
	// Epoch (extension ExtGroups) is that of the key under which Data is sealed, in a group. See WithEpoch.
	Epoch *int `json:"epoch,omitempty"`
}

// MessageDeleteRequest (extension ExtMessageChange) deletes the caller's own message. A repeat changes nothing.
type MessageDeleteRequest struct {
	Common
	ConversationID ConversationID `json:"conversationid"`
	Instance       Instance       `json:"instance"`
	MessageID      MessageID      `json:"messageid"`
}

// Reply (in a Content) says which message a message answers, with the beginning of its text, so that it can be shown
// without the message.
type Reply struct {
	ID   MessageID `json:"id"`
	From UserID    `json:"from"`
	Text string    `json:"text"`
}
