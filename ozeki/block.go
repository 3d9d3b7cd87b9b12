package ozeki

import (
	"context"

	"starling/ozeki/json"
)

// BlockRequest (CallBlock, CallUnblock, extension ExtBlock) names the person who is blocked, or not any more. A repeat
// changes nothing.
type BlockRequest struct {
	Common
	UserID UserID `json:"userid"`
}

// Block (extension ExtBlock) keeps somebody from writing to the user one to one. A repeat changes nothing. ErrNotFound:
// no such person.
func (c *Client) Block(ctx context.Context, user UserID) error {
	return c.call(ctx, CallBlock, "", &BlockRequest{UserID: user}, &PlainAnswer{})
}

// Unblock (extension ExtBlock) is the opposite of Block.
func (c *Client) Unblock(ctx context.Context, user UserID) error {
	return c.call(ctx, CallUnblock, "", &BlockRequest{UserID: user}, &PlainAnswer{})
}

// Users returns the people that the answer names by their ids; elements of another shape are left out.
func (a *BlocklistAnswer) Users() []UserID {
	return idsAmong(a.BlockedUsers, func(id UserID) bool { return id.Valid() })
}

// Conversations returns the conversations that the answer names by their ids; elements of another shape are left out.
func (a *BlocklistAnswer) Conversations() []ConversationID {
	return idsAmong(a.BlockedConversations, func(id ConversationID) bool { return id.Valid() })
}

func idsAmong[T ~string](elements []json.RawMessage, valid func(T) bool) (ids []T) {
	for _, e := range elements {
		var text string
		if json.Unmarshal(e, &text) == nil && valid(T(text)) {
			ids = append(ids, T(text))
		}
	}
	return ids
}
