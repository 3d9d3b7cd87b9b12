package chatserver

import "starling/ozeki"

// A list of thousands of conversations is the one answer whose writing takes longer than all else together. The types of
// package ozeki write themselves so that fields unknown to them survive, which costs several passes over the text. The
// server knows all that it sends, so for the list it uses twins of them that encoding/json writes in one pass. A test
// holds both to the same bytes.

type listAnswer struct {
	ozeki.Answer
	Conversations []conversationWire     `json:"conversations"`
	Version       string                 `json:"version,omitempty"`
	Partial       bool                   `json:"partial,omitempty"`
	Gone          []ozeki.ConversationID `json:"gone,omitempty"`
	Next          string                 `json:"next,omitempty"`
}

type conversationWire struct {
	ID             ozeki.ConversationID `json:"id"`
	IsGroup        bool                 `json:"isgroup"`
	ParticipantIDs []ozeki.UserID       `json:"participantids"`
	Participants   []participantWire    `json:"participants"`
	DisplayName    string               `json:"displayname"`
	LastMessageID  ozeki.MessageID      `json:"lastmessageid"`
	LastReportID   ozeki.ReportID       `json:"lastreportid"`
	LastAccess     int64                `json:"lastaccess"`
	Secret         string               `json:"secret"`
	Instance       ozeki.Instance       `json:"instance"`
	MutedBy        []ozeki.UserID       `json:"mutedby"`
	FavoriteBy     []ozeki.UserID       `json:"favoriteby"`
	HiddenBy       []ozeki.UserID       `json:"hiddenby"`
	Properties     [1]propertyWire      `json:"properties"`
	Unread         int                  `json:"unread"`
	Viewed         ozeki.MessageID      `json:"viewed,omitempty"`
	LastMessage    any                  `json:"lastmessage,omitempty"` // nil, or the twin of an ozeki.Message
	Epoch          int                  `json:"epoch,omitempty"`
	Secrets        []ozeki.EpochSecret  `json:"secrets,omitempty"`
	Rekey          bool                 `json:"rekey,omitempty"`
	Former         []participantWire    `json:"former,omitempty"`
}

type messageWire struct {
	ID         ozeki.MessageID `json:"ID"`
	Type       string          `json:"Type"`
	Created    ozeki.Time      `json:"Created"`
	ValidUntil ozeki.Time      `json:"ValidUntil,omitzero"`
	Data       string          `json:"Data,omitempty"`
	From       ozeki.UserID    `json:"From,omitempty"`
}

type participantWire struct {
	UserID   ozeki.UserID `json:"userid"`
	UserName string       `json:"username"`
}

type propertyWire struct {
	UserID     ozeki.UserID `json:"userid"`
	IsMuted    bool         `json:"ismuted"`
	IsFavorite bool         `json:"isfavorite"`
	HideID     string       `json:"hideid"`
	Color      string       `json:"listitembackgroundcolor"`
}

// wireOf returns the twin of what conversationFor made.
func wireOf(c ozeki.Conversation) conversationWire {
	var last any
	if m := c.LastMessage; m != nil && len(m.Extra) == 0 {
		last = messageWire{m.ID, m.Type, m.Created, m.ValidUntil, m.Data, m.From}
	} else if m != nil {
		last = m // with fields that the server does not know
	}
	p := c.Properties[0]
	return conversationWire{
		c.ID, c.IsGroup, c.ParticipantIDs, participantsWire(c.Participants), c.DisplayName, c.LastMessageID, c.LastReportID, c.LastAccess, c.Secret, c.Instance,
		c.MutedBy, c.FavoriteBy, c.HiddenBy, [1]propertyWire{{p.UserID, p.IsMuted, p.IsFavorite, p.HideID, p.Color}},
		*c.Unread, c.Viewed, last,
		c.Epoch, c.Secrets, c.Rekey, participantsWire(c.Former),
	}
}

func participantsWire(people []ozeki.Participant) []participantWire {
	wire := make([]participantWire, len(people))
	for i, p := range people {
		wire[i] = participantWire{p.UserID, p.UserName}
	}
	return wire
}
