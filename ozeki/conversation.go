package ozeki

import "starling/ozeki/json"

// Conversation is a conversation as one of its participants sees it (published).
type Conversation struct {
	ID             ConversationID `json:"id"`
	IsGroup        bool           `json:"isgroup"`
	ParticipantIDs []UserID       `json:"participantids,omitzero"`
	Participants   []Participant  `json:"participants,omitzero"`
	DisplayName    string         `json:"displayname"` // sealed under the conversation key, see Scheme.Open
	LastMessageID  MessageID      `json:"lastmessageid"`
	LastReportID   ReportID       `json:"lastreportid"`
	LastAccess     int64          `json:"lastaccess"` // unix seconds, UTC
	Secret         string         `json:"secret"`     // the conversation key, wrapped for the asking user
	Instance       Instance       `json:"instance"`
	MutedBy        []UserID       `json:"mutedby,omitzero"`
	FavoriteBy     []UserID       `json:"favoriteby,omitzero"`
	HiddenBy       []UserID       `json:"hiddenby,omitzero"`
	Properties     []Property     `json:"properties,omitzero"` // only the asking user's entry

	// Extension ExtOverview: what the asking user has not viewed of the present instance, and what was written last.
	Unread      *int      `json:"unread,omitempty"`      // messages by others after Viewed; nil where the server does not say
	Viewed      MessageID `json:"viewed,omitempty"`      // up to where the user has viewed it, empty for nothing yet
	LastMessage *Message  `json:"lastmessage,omitempty"` // as in a download, nil for none

	// The fields of groups (extension ExtGroups). Epoch counts the keys that a group has had: 0 is its first. Secrets are
	// the older keys that this member was given, wrapped like Secret, which is the newest. Rekey says that somebody who
	// has left knows the newest key: who wants to write changes it first (CallRekey). Former are people who have left.
	Epoch   int           `json:"epoch,omitempty"`
	Secrets []EpochSecret `json:"secrets,omitempty"`
	Rekey   bool          `json:"rekey,omitempty"`
	Former  []Participant `json:"former,omitempty"`

	Extra Extra `json:"-"`
}

// Participant is a member of a conversation.
type Participant struct {
	UserID   UserID `json:"userid"`
	UserName string `json:"username"`
	Extra    Extra  `json:"-"`
}

// Property is what one user set on a conversation.
type Property struct {
	UserID     UserID `json:"userid"`
	IsMuted    bool   `json:"ismuted"`
	IsFavorite bool   `json:"isfavorite"`
	HideID     string `json:"hideid"` // ";"-terminated list of hidden instances, empty = not hidden
	Color      string `json:"listitembackgroundcolor"`
	Extra      Extra  `json:"-"`
}

// PropertyOf returns the entry of the given user and whether there is one. It is what tells the state of the user's
// flags; favoriteby and mutedby may lag behind.
func (c *Conversation) PropertyOf(user UserID) (Property, bool) {
	for _, p := range c.Properties {
		if p.UserID == user {
			return p, true
		}
	}
	return Property{}, false
}

// ListRequest is the body of list.
type ListRequest struct {
	Common
	// ConversationIDs (extension ExtListOf) asks for these conversations only, at most MaxListOf; those that the user is
	// not a member of are left out of the answer. Empty asks for all.
	ConversationIDs []ConversationID `json:"conversationids,omitempty"`
	// Since (extension ExtListSince) is the Version of an earlier answer: what has changed since is enough.
	Since string `json:"since,omitempty"`
	// First (extension ExtListPage) asks for a page of at most so many conversations, up to MaxListPage: favorites and those used last, or
	// with After, the Next of the page before, more of them. Neither goes with ConversationIDs or Since.
	First int    `json:"first,omitempty"`
	After string `json:"after,omitempty"`
}

// MaxListOf is the largest number of conversations that a list call names.
const MaxListOf = 100

// MaxListPage is the largest number of conversations in a page.
const MaxListPage = 1000

// ConversationsAnswer is the answer of list.
type ConversationsAnswer struct {
	Answer
	Conversations []Conversation `json:"conversations,omitzero"`
	// Extension ExtListSince: Version names this state of the list, empty where only some were asked for. Partial says that
	// the conversations are those that have changed since the version asked for, and that the user has left those in Gone;
	// otherwise they are all.
	Version string           `json:"version,omitempty"`
	Partial bool             `json:"partial,omitempty"`
	Gone    []ConversationID `json:"gone,omitzero"`
	// Extension ExtListPage: Next is what the next page is asked for with, empty where this is the last one.
	Next  string `json:"next,omitempty"`
	Extra Extra  `json:"-"`
}

// ConversationRequest is the body of the calls that name a conversation and no more: favorite, unfavorite, mute,
// unmute, unhide.
type ConversationRequest struct {
	Common
	ConversationID ConversationID `json:"conversationid"`
}

// ClearRequest asks to empty a conversation; the answer has a new instance.
type ClearRequest struct {
	Common
	ConversationID ConversationID `json:"conversationid"`
	Instance       Instance       `json:"instance"`
}

// ColorRequest sets the user's own background colour of a conversation's list item, "#rrggbb".
type ColorRequest struct {
	Common
	ConversationID ConversationID `json:"conversationid"`
	Color          string         `json:"color"`
}

// HideRequest hides an instance of a conversation: HideID is the instance followed by ";".
type HideRequest struct {
	Common
	ConversationID ConversationID `json:"conversationid"`
	HideID         string         `json:"hideid"`
}

// ConversationAnswer gives the conversation as it now stands.
type ConversationAnswer struct {
	Answer
	Conversation *Conversation `json:"conversation,omitempty"`
	Extra        Extra         `json:"-"`
}

// ConversationCreateRequest (CallConversationCreate) makes a conversation. The caller is among the members, and every
// other member is the caller's friend. The one-to-one conversation of two people has the id DirectConversationID; a
// repeat gives the conversation that is there.
type ConversationCreateRequest struct {
	Common
	ConversationID ConversationID `json:"conversationid"`
	IsGroup        bool           `json:"isgroup"`
	Members        []Member       `json:"members"`
}

// Member is one participant of a new conversation, with what only this participant can open.
type Member struct {
	UserID      UserID `json:"userid"`
	Secret      string `json:"secret"`      // the conversation key wrapped for this member
	DisplayName string `json:"displayname"` // the name this member sees, sealed under the conversation key
}

func (c *Conversation) UnmarshalJSON(b []byte) error { return json.Read(b, c) }

func (c Conversation) MarshalJSON() ([]byte, error) { return json.Marshal(c) }

func (p *Participant) UnmarshalJSON(b []byte) error { return json.Read(b, p) }

func (p Participant) MarshalJSON() ([]byte, error) { return json.Marshal(p) }

func (p *Property) UnmarshalJSON(b []byte) error { return json.Read(b, p) }

func (p Property) MarshalJSON() ([]byte, error) { return json.Marshal(p) }

func (a *ConversationsAnswer) UnmarshalJSON(b []byte) error { return json.Read(b, a) }

func (a ConversationsAnswer) MarshalJSON() ([]byte, error) { return json.Marshal(a) }

func (a *ConversationAnswer) UnmarshalJSON(b []byte) error { return json.Read(b, a) }

func (a ConversationAnswer) MarshalJSON() ([]byte, error) { return json.Marshal(a) }
