package chatserver

import (
	"context"
	"errors"
	"slices"

	"starling/chatserver/store"
	"starling/ozeki"
)

var (
	errNoGroup = errInvalid.saying("This conversation is one of two people and stays so. Make a group for more people; to get rid of it, hide it or block the other person.")
	errEpoch   = errConflict.saying("The group has got another key meanwhile, or is to get one. Load the list of conversations and try again.")
	errMembers = errInvalid.saying("A member of the conversation is named twice or without a valid id, secret and displayname. Make the request anew.")
	errCrowd   = errForbidden.saying("A group has at most 500 members. Choose fewer people.")
)

// group returns a group as the caller, who is a member of it (errNotFound), sees it.
func (s *Server) group(ctx context.Context, r store.Reader, user ozeki.UserID, id ozeki.ConversationID) (store.Conversation, error) {
	c, err := r.Conversation(ctx, user, id)
	if err == nil && !c.IsGroup {
		err = errNoGroup
	}
	return c, err
}

// sealedAnew refuses a new message that says to be sealed under a key that has been replaced, or that somebody who has left
// knows (errConflict). What is stored already is a repeat.
func (s *Server) sealedAnew(ctx context.Context, r store.Reader, c store.Conversation, id ozeki.MessageID, epoch *int) error {
	if sealedUnderNewest(c, epoch) {
		return nil
	}
	_, err := r.Message(ctx, c.ID, id)
	if errors.Is(err, store.ErrNotFound) {
		return errEpoch
	}
	return err
}

// sealedUnderNewest reports whether what is sealed under the key of an epoch may be stored; without one it may.
func sealedUnderNewest(c store.Conversation, epoch *int) bool {
	return epoch == nil || *epoch == c.Epoch && !c.Rekey
}

// members lists the members of a group of the caller's with their public keys, which he needs for wrapping a new key:
// not all of them are his friends.
func (s *Server) members(ctx context.Context, req *request, body *ozeki.ConversationRequest) (any, error) {
	c, err := s.group(ctx, s.store, req.user, body.ConversationID)
	if err != nil {
		return nil, err
	}
	list, err := s.store.Members(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	a := ozeki.MembersAnswer{Answer: ok, Epoch: c.Epoch, Rekey: c.Rekey, Members: make([]ozeki.GroupMember, len(list))}
	for i, m := range list {
		a.Members[i] = ozeki.GroupMember{UserID: m.UserID, UserName: m.Name, PublicKey: m.PublicKey}
	}
	return a, nil
}

// addMembers adds friends of the caller to a group of his. They see what is written from then on. Those who are members
// already stay as they are, so that a repeat, also by somebody else, changes nothing. errForbidden: a newcomer is not the
// caller's friend, or the group would be too large. errConflict: the secrets are of another epoch than the group's.
func (s *Server) addMembers(ctx context.Context, tx store.Tx, req *request, body *ozeki.GroupMembersRequest) (any, error) {
	c, err := s.group(ctx, tx, req.user, body.ConversationID)
	if err != nil {
		return nil, err
	}
	if len(body.Members) == 0 || len(body.Members) > maxMembers || !wellFormed(body.Members) {
		return nil, errMembers
	}
	newcomers := slices.DeleteFunc(slices.Clone(body.Members), func(m ozeki.Member) bool {
		return slices.ContainsFunc(c.Participants, func(p store.Participant) bool { return p.UserID == m.UserID })
	})
	switch {
	case body.Epoch != c.Epoch:
		return nil, errEpoch
	case len(c.Participants)+len(newcomers) > maxMembers:
		return nil, errCrowd
	}
	ids := make([]ozeki.UserID, len(newcomers))
	for i, m := range newcomers {
		ids[i] = m.UserID
	}
	if err := s.mayGather(ctx, tx, req.user, ids); err != nil {
		return nil, err
	}
	if err := tx.AddMembers(ctx, c.ID, newcomers); err != nil {
		return nil, err
	}
	return s.conversation(ctx, tx, req, c.ID)
}

// mayGather decides whether the user may bring the others into a conversation: they are friends of his, and neither has
// blocked the other (errForbidden).
func (s *Server) mayGather(ctx context.Context, r store.Reader, user ozeki.UserID, others []ozeki.UserID) error {
	friends, err := r.AreFriends(ctx, user, others)
	switch {
	case err != nil:
		return err
	case !friends:
		return errForbidden.saying("Not everybody in it is a friend of yours. Add them as friends first.")
	}
	return mayReach(ctx, r, user, others...)
}

// wellFormed reports whether each member is named once, with an id, a secret and a name of the right form.
func wellFormed(members []ozeki.Member) bool {
	seen := make(map[ozeki.UserID]bool, len(members))
	for _, m := range members {
		if !m.UserID.Valid() || seen[m.UserID] || !isBase64(m.Secret, maxSecret) || !isBase64(m.DisplayName, maxDisplayName) {
			return false
		}
		seen[m.UserID] = true
	}
	return true
}

// rename gives a group of the caller's another name for all its members. A repeat changes nothing that can be seen.
// errConflict: the name is sealed under the key of another epoch than the group's.
func (s *Server) rename(ctx context.Context, tx store.Tx, req *request, body *ozeki.RenameRequest) (any, error) {
	c, err := s.group(ctx, tx, req.user, body.ConversationID)
	switch {
	case err != nil:
		return nil, err
	case !isBase64(body.DisplayName, maxDisplayName):
		return nil, errInvalid.saying("The displayname is empty, too long or not base64. Choose a shorter name.")
	case body.Epoch != c.Epoch:
		return nil, errEpoch
	}
	if err := tx.RenameConversation(ctx, c.ID, body.DisplayName); err != nil {
		return nil, err
	}
	return s.conversation(ctx, tx, req, c.ID)
}

// leave takes the caller out of a group: it does not exist for him any more, and those who are left change its key. With
// the last member its messages are deleted. A repeat under a new requestid finds nothing (errNotFound).
func (s *Server) leave(ctx context.Context, tx store.Tx, req *request, body *ozeki.ConversationRequest) (any, error) {
	c, err := s.group(ctx, tx, req.user, body.ConversationID)
	if err != nil {
		return nil, err
	}
	if err := tx.RemoveMember(ctx, req.user, c.ID); err != nil {
		return nil, err
	}
	return ozeki.PlainAnswer{Answer: ok}, nil
}

// rekey gives a group of the caller's a new key, which somebody who has left does not know: the members named are exactly
// the present ones. errConflict: another client was faster, nobody has left, or somebody came or left meanwhile.
func (s *Server) rekey(ctx context.Context, tx store.Tx, req *request, body *ozeki.GroupMembersRequest) (any, error) {
	c, err := s.group(ctx, tx, req.user, body.ConversationID)
	switch {
	case err != nil:
		return nil, err
	case !wellFormed(body.Members):
		return nil, errMembers
	case body.Epoch != c.Epoch:
		return nil, errEpoch
	case !c.Rekey:
		return nil, errConflict.saying("Nobody has left since the group has this key, so it keeps it. Go on with it.")
	}
	same := len(body.Members) == len(c.Participants)
	for _, p := range c.Participants {
		same = same && slices.ContainsFunc(body.Members, func(m ozeki.Member) bool { return m.UserID == p.UserID })
	}
	if !same {
		return nil, errConflict.saying("The members of the group have changed meanwhile. Ask for them and try again.")
	}
	if err := tx.Rekey(ctx, c.ID, body.Members); err != nil {
		return nil, err
	}
	return s.conversation(ctx, tx, req, c.ID)
}
