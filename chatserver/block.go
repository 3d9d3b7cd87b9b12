package chatserver

import (
	"context"
	"errors"
	"slices"

	"starling/chatserver/store"
	"starling/ozeki"
	"starling/ozeki/json"
)

// blocklist lists what the caller has hidden and whom he has blocked, by id.
func (s *Server) blocklist(ctx context.Context, req *request, _ *ozeki.EmptyRequest) (any, error) {
	blocked, err := s.store.Blocked(ctx, req.user)
	if err != nil {
		return nil, err
	}
	hidden, err := s.store.Hidden(ctx, req.user)
	if err != nil {
		return nil, err
	}
	a := ozeki.BlocklistAnswer{Answer: ok, BlockedUsers: []json.RawMessage{}, BlockedConversations: []json.RawMessage{}}
	for _, id := range blocked {
		a.BlockedUsers = append(a.BlockedUsers, encode(id))
	}
	for _, id := range hidden {
		a.BlockedConversations = append(a.BlockedConversations, encode(id))
	}
	return a, nil
}

// block keeps somebody from writing to the caller one to one, from beginning a conversation with him, making him a friend
// or a group's member, and from seeing whether he is there. errNotFound: no such person. A repeat changes nothing.
func (s *Server) block(ctx context.Context, tx store.Tx, req *request, body *ozeki.BlockRequest) (any, error) {
	return s.setBlocked(ctx, tx, req, body, true)
}

// unblock is the opposite of block.
func (s *Server) unblock(ctx context.Context, tx store.Tx, req *request, body *ozeki.BlockRequest) (any, error) {
	return s.setBlocked(ctx, tx, req, body, false)
}

func (s *Server) setBlocked(ctx context.Context, tx store.Tx, req *request, body *ozeki.BlockRequest, on bool) (any, error) {
	if body.UserID == req.user {
		return nil, errInvalid.saying("You cannot block yourself. Name somebody else.")
	}
	err := tx.SetBlocked(ctx, req.user, body.UserID, on)
	if errors.Is(err, store.ErrNotFound) {
		return nil, errNotFound.saying("This person has no account here. Load your friends again.")
	}
	if err != nil {
		return nil, err
	}
	return ozeki.PlainAnswer{Answer: ok}, nil
}

var (
	errBlocked  = errForbidden.saying("This person does not accept messages from you. You cannot write to each other until that changes.")
	errBlocking = errForbidden.saying("You have blocked this person. Unblock first.")
	errReach    = errForbidden.saying("Somebody of them does not want to hear from you. Go on without that person.")
)

// mayReach returns nil if none of the others has blocked the user, so that he may begin something with them; errForbidden
// otherwise, or if he has blocked one of them.
func mayReach(ctx context.Context, r store.Reader, user ozeki.UserID, others ...ozeki.UserID) error {
	by, err := r.BlockedBy(ctx, user)
	if err != nil {
		return err
	}
	blocked, err := r.Blocked(ctx, user)
	if err != nil {
		return err
	}
	for _, other := range others {
		switch {
		case slices.Contains(blocked, other):
			return errBlocking
		case slices.Contains(by, other) && len(others) == 1:
			return errBlocked
		case slices.Contains(by, other):
			return errReach
		}
	}
	return nil
}

// mayWrite returns nil if the user may write in a conversation of his: one of two people may not while either has blocked
// the other (errForbidden). In a group they meet as before.
func mayWrite(ctx context.Context, r store.Reader, user ozeki.UserID, c store.Conversation) error {
	if c.IsGroup {
		return nil
	}
	for _, p := range c.Participants {
		if p.UserID != user {
			return mayReach(ctx, r, user, p.UserID)
		}
	}
	return nil
}

// mayClear returns nil if the user may clear a conversation of his: whom the other of two people has blocked may not take
// away what that one has (errForbidden).
func mayClear(ctx context.Context, r store.Reader, user ozeki.UserID, c store.Conversation) error {
	if c.IsGroup {
		return nil
	}
	by, err := r.BlockedBy(ctx, user)
	if err == nil && slices.ContainsFunc(c.Participants, func(p store.Participant) bool { return slices.Contains(by, p.UserID) }) {
		err = errBlocked
	}
	return err
}
