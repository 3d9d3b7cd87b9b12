package ozeki

import (
	"context"
	"fmt"
	"strings"

	"starling/ozeki/json"
)

// The calls of workspaces (extension ExtWorkspaces) beside CallWorkspaceRegister, which is published. The members of a
// workspace are each other's friends.
var (
	CallWorkspaces          = Call{"workspaces", "chatowner", "workspace", "list", true, true, true}
	CallWorkspaceInvite     = Call{"invite", "chatowner", "workspace", "invite", true, true, false}
	CallWorkspaceInvitation = Call{"invitation", "chatowner", "workspace", "invitation", true, true, true}
	CallWorkspaceJoin       = Call{"join workspace", "chatowner", "workspace", "join", true, true, false}
	CallWorkspaceLeave      = Call{"leave workspace", "chatowner", "workspace", "leave", true, true, false}
)

// WorkspaceRegisterRequest is the body of workspace register; it has no common fields (published).
type WorkspaceRegisterRequest struct {
	Action        string `json:"action"`
	WorkspaceName string `json:"workspacename"`
}

// WorkspaceRequest (CallWorkspaceInvite, CallWorkspaceLeave) names one of the caller's workspaces.
type WorkspaceRequest struct {
	Common
	WorkspaceName string `json:"workspacename"`
}

// InvitationRequest (CallWorkspaceInvitation, CallWorkspaceJoin) bears the token of an invite link.
type InvitationRequest struct {
	Common
	Token string `json:"token"`
}

// Workspace is a workspace that the caller is a member of.
type Workspace struct {
	Name    string `json:"name"`
	OwnerID UserID `json:"ownerid"`
	Members int    `json:"members"`
}

// WorkspacesAnswer lists the caller's workspaces by name.
type WorkspacesAnswer struct {
	Answer
	Workspaces []Workspace `json:"workspaces,omitzero"`
	Extra      Extra       `json:"-"`
}

// InviteAnswer gives the token of a new invite link.
type InviteAnswer struct {
	Answer
	Token string `json:"token"`
	Extra Extra  `json:"-"`
}

// InvitationAnswer says what an invite link invites to.
type InvitationAnswer struct {
	Answer
	Name        string `json:"name"`
	OwnerName   string `json:"ownername"`
	InviterName string `json:"invitername"`
	Members     int    `json:"members"`
	Member      bool   `json:"member"` // the caller is one already
	Extra       Extra  `json:"-"`
}

// NormalWorkspaceName returns the form of a workspace's name in which it is registered: surrounding white space removed,
// lower case.
func NormalWorkspaceName(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

// ValidWorkspaceName reports whether a name in normal form is one for a workspace: that of a host, as the published
// "alice.ozeki.chat". It has two or more parts of letters a to z, digits and inner hyphens.
func ValidWorkspaceName(name string) bool {
	labels := strings.Split(name, ".")
	if len(labels) < 2 || len(name) > 253 {
		return false
	}
	for _, label := range labels {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := 0; i < len(label); i++ {
			if c := label[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
				return false
			}
		}
	}
	return true
}

// RegisterWorkspace registers a workspace by its name, e.g. "alice.ozeki.chat". ErrExists: it is somebody else's. A repeat
// by its owner changes nothing.
func (c *Client) RegisterWorkspace(ctx context.Context, name string) error {
	r := &WorkspaceRegisterRequest{Action: CallWorkspaceRegister.Action, WorkspaceName: name}
	return c.call(ctx, CallWorkspaceRegister, "", r, &PlainAnswer{})
}

// Workspaces (extension ExtWorkspaces) lists the workspaces that the user is a member of.
func (c *Client) Workspaces(ctx context.Context) ([]Workspace, error) {
	var a WorkspacesAnswer
	err := c.call(ctx, CallWorkspaces, "", &EmptyRequest{}, &a)
	return a.Workspaces, err
}

// InviteToWorkspace (extension ExtWorkspaces) makes an invite link's token, which lets anybody join for seven days.
func (c *Client) InviteToWorkspace(ctx context.Context, name string) (token string, err error) {
	var a InviteAnswer
	if err := c.call(ctx, CallWorkspaceInvite, "", &WorkspaceRequest{WorkspaceName: name}, &a); err != nil {
		return "", err
	}
	if a.Token == "" {
		return "", fmt.Errorf("%s: %w (no token in the answer)", CallWorkspaceInvite.Name, ErrNotJSON)
	}
	return a.Token, nil
}

// Invitation (extension ExtWorkspaces) says what a token invites to. ErrNotFound: to nothing, or not any more.
func (c *Client) Invitation(ctx context.Context, token string) (*InvitationAnswer, error) {
	var a InvitationAnswer
	if err := c.call(ctx, CallWorkspaceInvitation, "", &InvitationRequest{Token: token}, &a); err != nil {
		return nil, err
	}
	if a.Name == "" {
		return nil, fmt.Errorf("%s: %w (no name in the answer)", CallWorkspaceInvitation.Name, ErrNotJSON)
	}
	return &a, nil
}

// JoinWorkspace (extension ExtWorkspaces) makes the user a member, and a friend of all the others. A repeat changes
// nothing. ErrNotFound like Invitation.
func (c *Client) JoinWorkspace(ctx context.Context, token string) error {
	return c.call(ctx, CallWorkspaceJoin, "", &InvitationRequest{Token: token}, &PlainAnswer{})
}

// LeaveWorkspace (extension ExtWorkspaces) ends the membership; friends stay friends. ErrNotFound: the user is no member.
func (c *Client) LeaveWorkspace(ctx context.Context, name string) error {
	return c.call(ctx, CallWorkspaceLeave, "", &WorkspaceRequest{WorkspaceName: name}, &PlainAnswer{})
}

func (a *WorkspacesAnswer) UnmarshalJSON(b []byte) error { return json.Read(b, a) }

func (a WorkspacesAnswer) MarshalJSON() ([]byte, error) { return json.Marshal(a) }

func (a *InviteAnswer) UnmarshalJSON(b []byte) error { return json.Read(b, a) }

func (a InviteAnswer) MarshalJSON() ([]byte, error) { return json.Marshal(a) }

func (a *InvitationAnswer) UnmarshalJSON(b []byte) error { return json.Read(b, a) }

func (a InvitationAnswer) MarshalJSON() ([]byte, error) { return json.Marshal(a) }
