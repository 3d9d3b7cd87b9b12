package ozeki

import (
	"context"

	"starling/ozeki/json"
)

// The calls of groups (extension ExtGroups). A group is a conversation of any number of people that its members change:
// each of them may add friends of his, give it another name, and leave.
var (
	CallMembers   = Call{"members", "chatserver", "chatconversation", "members", true, true, true}
	CallMemberAdd = Call{"add members", "chatserver", "chatconversation", "memberadd", true, true, false}
	CallRename    = Call{"rename", "chatserver", "chatconversation", "rename", true, true, false}
	CallLeave     = Call{"leave", "chatserver", "chatconversation", "leave", true, true, false}
	CallRekey     = Call{"change key", "chatserver", "chatconversation", "rekey", true, true, false}
)

// EpochSecret is one of the earlier keys of a group, wrapped for the asking member.
type EpochSecret struct {
	Epoch  int    `json:"epoch"`
	Secret string `json:"secret"`
}

// GroupMember is a member of a group with the public key that keys are wrapped for. Members need not be friends.
type GroupMember struct {
	UserID    UserID `json:"userid"`
	UserName  string `json:"username"`
	PublicKey string `json:"publickey"` // base64 DER SubjectPublicKeyInfo
}

// MembersAnswer lists the present members of a group, by user id, at one moment with its epoch.
type MembersAnswer struct {
	Answer
	Epoch   int           `json:"epoch"`
	Rekey   bool          `json:"rekey"` // see Conversation
	Members []GroupMember `json:"members,omitzero"`
	Extra   Extra         `json:"-"`
}

// GroupMembersRequest (CallMemberAdd, CallRekey) names members with what each of them can open. Epoch is the one that the
// caller knows as the group's: in CallMemberAdd that of the key in the secrets, in CallRekey that of the key to be replaced.
type GroupMembersRequest struct {
	Common
	ConversationID ConversationID `json:"conversationid"`
	Epoch          int            `json:"epoch"`
	Members        []Member       `json:"members"`
}

// RenameRequest (CallRename) gives a group a name, sealed under the key of the epoch.
type RenameRequest struct {
	Common
	ConversationID ConversationID `json:"conversationid"`
	Epoch          int            `json:"epoch"`
	DisplayName    string         `json:"displayname"`
}

type epochKey struct{}

// WithEpoch tells the epoch of the key under which the message of the next Add or EditMessage under ctx is sealed (extension
// ExtGroups). It then fails with ErrConflict, and nothing is stored, if the group has another key or is to get one.
func WithEpoch(ctx context.Context, epoch int) context.Context {
	return context.WithValue(ctx, epochKey{}, epoch)
}

func epochOf(ctx context.Context) *int {
	if epoch, ok := ctx.Value(epochKey{}).(int); ok {
		return &epoch
	}
	return nil
}

// Members (extension ExtGroups) lists the members of a group with their public keys.
func (c *Client) Members(ctx context.Context, id ConversationID) (*MembersAnswer, error) {
	var a MembersAnswer
	err := c.call(ctx, CallMembers, "", &ConversationRequest{ConversationID: id}, &a)
	return &a, err
}

// AddMembers (extension ExtGroups) adds friends of the caller to a group; they see what is written from then on. Those
// who are members already stay as they are. ErrConflict: the group has another key meanwhile.
func (c *Client) AddMembers(ctx context.Context, id ConversationID, epoch int, members []Member) (*Conversation, error) {
	return c.conversation(ctx, CallMemberAdd, &GroupMembersRequest{ConversationID: id, Epoch: epoch, Members: members})
}

// Rename (extension ExtGroups) gives a group another name for all its members. ErrConflict: the group has another key
// meanwhile.
func (c *Client) Rename(ctx context.Context, id ConversationID, epoch int, displayName string) (*Conversation, error) {
	return c.conversation(ctx, CallRename, &RenameRequest{ConversationID: id, Epoch: epoch, DisplayName: displayName})
}

// Leave (extension ExtGroups) takes the caller out of a group. ErrNotFound: he is no member of it.
func (c *Client) Leave(ctx context.Context, id ConversationID) error {
	return c.call(ctx, CallLeave, "", &ConversationRequest{ConversationID: id}, &PlainAnswer{})
}

// Rekey (extension ExtGroups) gives a group a new key after somebody has left: members are exactly the present ones, each
// with the new key and the group's name under it. ErrConflict: somebody came or left meanwhile, or the key was changed.
func (c *Client) Rekey(ctx context.Context, id ConversationID, epoch int, members []Member) (*Conversation, error) {
	return c.conversation(ctx, CallRekey, &GroupMembersRequest{ConversationID: id, Epoch: epoch, Members: members})
}

func (a *MembersAnswer) UnmarshalJSON(b []byte) error { return json.Read(b, a) }

func (a MembersAnswer) MarshalJSON() ([]byte, error) { return json.Marshal(a) }
