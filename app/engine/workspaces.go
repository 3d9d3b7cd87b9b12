package engine

import (
	"context"
	"errors"

	"starling/app/state"
	"starling/ozeki"
)

// LoadWorkspaces asks for the workspaces that the user is a member of.
func (e *Engine) LoadWorkspaces() {
	e.goRun(func(ctx context.Context, run int) {
		list, err := e.client.Workspaces(ctx)
		if err != nil {
			if !e.failed(run, err) {
				e.applyIn(run, state.NoticeAdded{Text: "Your workspaces could not be loaded. " + Words(err)})
			}
			return
		}
		e.applyIn(run, state.WorkspacesLoaded{Workspaces: list})
	})
}

// RegisterWorkspace registers a workspace by name and gives the name as it is registered. It blocks and gives an error for
// Words.
func (e *Engine) RegisterWorkspace(ctx context.Context, name string) (string, error) {
	name = ozeki.NormalWorkspaceName(name)
	if !ozeki.ValidWorkspaceName(name) {
		return "", sentence("Enter a name like alice.ozeki.chat: letters, digits and hyphens, with a dot in it.")
	}
	err := e.client.RegisterWorkspace(ctx, name)
	switch {
	case errors.Is(err, ozeki.ErrExists):
		return "", sentence("The name " + name + " is taken. Choose another one, or ask its owner for an invite link.")
	case err != nil:
		return "", err
	}
	e.reloadWorkspaces()
	return name, nil
}

// reloadWorkspaces loads them where the server can tell.
func (e *Engine) reloadWorkspaces() {
	if e.client.Session().Has(ozeki.ExtWorkspaces) {
		e.LoadWorkspaces()
	}
}

// Invite makes the token of an invite link to one of the user's workspaces. It blocks and gives an error for Words.
func (e *Engine) Invite(ctx context.Context, workspace string) (token string, err error) {
	return e.client.InviteToWorkspace(ctx, workspace)
}

// Invitation says what the token of an invite link invites to. It blocks and gives an error for Words.
func (e *Engine) Invitation(ctx context.Context, token string) (*ozeki.InvitationAnswer, error) {
	if !e.client.Session().Has(ozeki.ExtWorkspaces) {
		return nil, sentence("This server has no invitations to workspaces. Ask who sent you the link for the right address.")
	}
	return e.client.Invitation(ctx, token)
}

// JoinWorkspace makes the user a member of a workspace, whose members are his friends then. It blocks and gives an error
// for Words.
func (e *Engine) JoinWorkspace(ctx context.Context, token string) error {
	if err := e.client.JoinWorkspace(ctx, token); err != nil {
		return err
	}
	e.LoadFriends()
	e.reloadWorkspaces()
	return nil
}

// LeaveWorkspace ends the user's membership. It blocks and gives an error for Words.
func (e *Engine) LeaveWorkspace(ctx context.Context, name string) error {
	err := e.client.LeaveWorkspace(ctx, name)
	if err == nil || errors.Is(err, ozeki.ErrNotFound) {
		e.reloadWorkspaces()
		return nil
	}
	return err
}
