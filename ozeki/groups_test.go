//go:build !js

package ozeki

import (
	"context"
	"strings"
	"testing"
)

// The calls of groups and workspaces stand in the one table of calls, so that all that is tried of each is tried of them.
func init() {
	members := []Member{{testUser, "s", "d"}}
	sent := []any{map[string]any{"userid": string(testUser), "secret": "s", "displayname": "d"}}
	chat := map[string]any{"conversationid": string(testChat)}
	with := func(more map[string]any) map[string]any {
		more["conversationid"] = string(testChat)
		return more
	}
	methods = append(methods, []method{
		{CallMembers, func(ctx context.Context, c *Client) error { return errOf(c.Members(ctx, testChat)) }, chat, plainOK},
		{CallAdd, func(ctx context.Context, c *Client) error {
			return errOf(c.Add(WithEpoch(ctx, 0), testChat, "i", Message{ID: "m", Type: TypeEvent}))
		}, with(map[string]any{"instance": "i", "epoch": 0.0, "message": `{"ID":"m","Type":"Event","Created":""}`}), messageOK},
		{CallMemberAdd, func(ctx context.Context, c *Client) error { return errOf(c.AddMembers(ctx, testChat, 2, members)) },
			with(map[string]any{"epoch": 2.0, "members": sent}), conversationOK},
		{CallRename, func(ctx context.Context, c *Client) error { return errOf(c.Rename(ctx, testChat, 0, "d")) },
			with(map[string]any{"epoch": 0.0, "displayname": "d"}), conversationOK},
		{CallLeave, func(ctx context.Context, c *Client) error { return c.Leave(ctx, testChat) }, chat, plainOK},
		{CallRekey, func(ctx context.Context, c *Client) error { return errOf(c.Rekey(ctx, testChat, 2, members)) },
			with(map[string]any{"epoch": 2.0, "members": sent}), conversationOK},
		{CallWorkspaces, func(ctx context.Context, c *Client) error { return errOf(c.Workspaces(ctx)) }, nil, plainOK},
		{CallWorkspaceInvite, func(ctx context.Context, c *Client) error { return errOf(c.InviteToWorkspace(ctx, "alice.ozeki.chat")) },
			map[string]any{"workspacename": "alice.ozeki.chat"}, `{"status":"OK","errormessage":"","token":"t"}`},
		{CallWorkspaceInvitation, func(ctx context.Context, c *Client) error { return errOf(c.Invitation(ctx, "t")) },
			map[string]any{"token": "t"}, `{"status":"OK","errormessage":"","name":"alice.ozeki.chat"}`},
		{CallWorkspaceJoin, func(ctx context.Context, c *Client) error { return c.JoinWorkspace(ctx, "t") }, map[string]any{"token": "t"}, plainOK},
		{CallWorkspaceLeave, func(ctx context.Context, c *Client) error { return c.LeaveWorkspace(ctx, "alice.ozeki.chat") },
			map[string]any{"workspacename": "alice.ozeki.chat"}, plainOK},
	}...)
}

func TestWorkspacesAreCalledLikeHosts(t *testing.T) {
	for name, want := range map[string]bool{
		"alice.ozeki.chat": true, "a.b": true, "x-1.example": true, "1.2": true, strings.Repeat("a", 63) + ".chat": true,
		"": false, "alice": false, ".": false, "a.": false, ".a": false, "a..b": false, "-a.b": false, "a-.b": false, "a_b.c": false,
		"Alice.chat": false, "á.chat": false, "a b.chat": false, "a.b\n": false, "https://a.b": false, strings.Repeat("a", 64) + ".chat": false,
		strings.Repeat("a.", 127) + "ab": false,
	} {
		if got := ValidWorkspaceName(name); got != want {
			t.Errorf("%q is valid: %t", name, got)
		}
	}
	if got := NormalWorkspaceName(" Alice.Ozeki.Chat\n"); got != "alice.ozeki.chat" {
		t.Errorf("normal form %q", got)
	}
}
