package chatserver

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"slices"
	"time"

	"starling/chatserver/store"
	"starling/ozeki"
)

// Limits of workspaces.
const (
	maxWorkspaces        = 20 // that one user is a member of
	maxWorkspaceMembers  = 500
	inviteFor            = 7 * 24 * time.Hour
	maxInviteTokenLength = 64
)

// registerWorkspace makes the caller the owner and first member of a workspace. errExists: the name is somebody else's. A
// repeat by the owner changes nothing. The call bears neither time nor requestid (published), so anybody who has seen it
// can repeat it: all that comes of it is a workspace that its signer has asked for.
func (s *Server) registerWorkspace(ctx context.Context, tx store.Tx, req *request, body *ozeki.WorkspaceRegisterRequest) (any, error) {
	name := ozeki.NormalWorkspaceName(body.WorkspaceName)
	if !ozeki.ValidWorkspaceName(name) {
		return nil, errInvalid.saying("This is not a name for a workspace. It looks like alice.ozeki.chat: letters, digits and hyphens, with a dot.")
	}
	switch was, err := tx.Workspace(ctx, name); {
	case err == nil && was.OwnerID == req.user:
		return ozeki.PlainAnswer{Answer: ok}, nil
	case err == nil:
		return nil, errExists.saying("This name is taken. Choose another one, or ask its owner for an invite link.")
	case !errors.Is(err, store.ErrNotFound):
		return nil, err
	}
	if err := s.roomForWorkspace(ctx, tx, req.user); err != nil {
		return nil, err
	}
	if err := tx.CreateWorkspace(ctx, name, req.user, req.now); err != nil {
		return nil, err
	}
	return ozeki.PlainAnswer{Answer: ok}, nil
}

// roomForWorkspace decides whether the user may be in one more workspace (errForbidden).
func (s *Server) roomForWorkspace(ctx context.Context, r store.Reader, user ozeki.UserID) error {
	mine, err := r.Workspaces(ctx, user)
	if err == nil && len(mine) >= maxWorkspaces {
		err = errForbidden.saying("You are in 20 workspaces already. Leave one first.")
	}
	return err
}

// workspaces lists those that the caller is a member of.
func (s *Server) workspaces(ctx context.Context, req *request, _ *ozeki.EmptyRequest) (any, error) {
	list, err := s.store.Workspaces(ctx, req.user)
	if err != nil {
		return nil, err
	}
	a := ozeki.WorkspacesAnswer{Answer: ok, Workspaces: make([]ozeki.Workspace, len(list))}
	for i, w := range list {
		a.Workspaces[i] = ozeki.Workspace{Name: w.Name, OwnerID: w.OwnerID, Members: w.Members}
	}
	return a, nil
}

// inviteToWorkspace makes the token of an invite link to a workspace of the caller's, good for seven days and for
// everybody who has it. The server keeps its hash only. errNotFound: the caller is no member of such a workspace.
func (s *Server) inviteToWorkspace(ctx context.Context, tx store.Tx, req *request, body *ozeki.WorkspaceRequest) (any, error) {
	name := ozeki.NormalWorkspaceName(body.WorkspaceName)
	members, err := tx.WorkspaceMembers(ctx, name)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(members, req.user) {
		return nil, errNoWorkspace
	}
	raw := make([]byte, 16)
	_, _ = rand.Read(raw) // never fails
	token := base64.RawURLEncoding.EncodeToString(raw)
	err = tx.AddInvite(ctx, store.Invite{TokenHash: hashAPIKey(token), Workspace: name, Inviter: req.user, Until: req.now.Add(inviteFor)})
	if err != nil {
		return nil, err
	}
	return ozeki.InviteAnswer{Answer: ok, Token: token}, nil
}

var (
	errNoWorkspace = errNotFound.saying("There is no such workspace, or you are not a member of it. Load the list again.")
	errNoInvite    = errNotFound.saying("This invitation is not valid, or not any more. Ask for a new link.")
)

// invitationTo returns what a token invites to. errNotFound: it is unknown or over.
func (s *Server) invitationTo(ctx context.Context, r store.Reader, token string, now time.Time) (store.Invite, store.Workspace, error) {
	if len(token) > maxInviteTokenLength {
		return store.Invite{}, store.Workspace{}, errNoInvite
	}
	invite, err := r.Invite(ctx, hashAPIKey(token), now)
	if errors.Is(err, store.ErrNotFound) {
		err = errNoInvite
	}
	if err != nil {
		return store.Invite{}, store.Workspace{}, err
	}
	w, err := r.Workspace(ctx, invite.Workspace)
	return invite, w, err
}

// invitation says what a token invites to, and who invites.
func (s *Server) invitation(ctx context.Context, req *request, body *ozeki.InvitationRequest) (any, error) {
	invite, w, err := s.invitationTo(ctx, s.store, body.Token, req.now)
	if err != nil {
		return nil, err
	}
	owner, err := s.store.Account(ctx, w.OwnerID)
	if err != nil {
		return nil, err
	}
	inviter, err := s.store.Account(ctx, invite.Inviter)
	if err != nil {
		return nil, err
	}
	members, err := s.store.WorkspaceMembers(ctx, w.Name)
	if err != nil {
		return nil, err
	}
	return ozeki.InvitationAnswer{
		Answer: ok, Name: w.Name, OwnerName: owner.FullName, InviterName: inviter.FullName, Members: w.Members,
		Member: slices.Contains(members, req.user),
	}, nil
}

// estranged are those who have blocked the user, or are blocked by him.
func estranged(ctx context.Context, r store.Reader, user ozeki.UserID) (map[ozeki.UserID]bool, error) {
	by, err := r.BlockedBy(ctx, user)
	if err != nil {
		return nil, err
	}
	blocked, err := r.Blocked(ctx, user)
	all := make(map[ozeki.UserID]bool, len(by)+len(blocked))
	for _, id := range slices.Concat(by, blocked) {
		all[id] = true
	}
	return all, err
}

// joinWorkspace makes the caller a member of the workspace that a token invites to, and a friend of all its members but
// those who have blocked him or are blocked by him. A repeat changes nothing. errNotFound: the token is unknown or over. errForbidden: the workspace is full, or the caller is
// in too many.
func (s *Server) joinWorkspace(ctx context.Context, tx store.Tx, req *request, body *ozeki.InvitationRequest) (any, error) {
	_, w, err := s.invitationTo(ctx, tx, body.Token, req.now)
	if err != nil {
		return nil, err
	}
	others, err := tx.WorkspaceMembers(ctx, w.Name)
	if err != nil {
		return nil, err
	}
	if slices.Contains(others, req.user) {
		return ozeki.PlainAnswer{Answer: ok}, nil
	}
	if len(others) >= maxWorkspaceMembers {
		return nil, errForbidden.saying("This workspace is full: it has 500 members. Ask its owner.")
	}
	if err := s.roomForWorkspace(ctx, tx, req.user); err != nil {
		return nil, err
	}
	if _, err := tx.AddWorkspaceMember(ctx, w.Name, req.user); err != nil {
		return nil, err
	}
	strangers, err := estranged(ctx, tx, req.user)
	if err != nil {
		return nil, err
	}
	for _, other := range others {
		if strangers[other] {
			continue
		}
		if err := tx.AddFriends(ctx, req.user, other); err != nil {
			return nil, err
		}
	}
	return ozeki.PlainAnswer{Answer: ok}, nil
}

// leaveWorkspace ends the caller's membership; friends stay friends. errNotFound: he is no member.
func (s *Server) leaveWorkspace(ctx context.Context, tx store.Tx, req *request, body *ozeki.WorkspaceRequest) (any, error) {
	err := tx.RemoveWorkspaceMember(ctx, ozeki.NormalWorkspaceName(body.WorkspaceName), req.user)
	if errors.Is(err, store.ErrNotFound) {
		err = errNoWorkspace
	}
	if err != nil {
		return nil, err
	}
	return ozeki.PlainAnswer{Answer: ok}, nil
}
