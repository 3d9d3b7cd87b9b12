package chatserver

import (
	"context"
	"errors"
	"time"

	"starling/chatserver/store"
	"starling/ozeki"
)

// friends lists whom the user may write to, with names, public keys and availability.
func (s *Server) friends(ctx context.Context, req *request, _ *ozeki.EmptyRequest) (any, error) {
	list, err := s.store.Friends(ctx, req.user)
	if err != nil {
		return nil, err
	}
	blockers, err := s.store.BlockedBy(ctx, req.user)
	if err != nil {
		return nil, err
	}
	a := ozeki.FriendsAnswer{Answer: ok, Friends: map[ozeki.UserID]string{}, Availabilities: []ozeki.FriendAvailability{}}
	for _, f := range list {
		a.Friends[f.UserID] = f.Name
		a.Availabilities = append(a.Availabilities, s.friend(f, blockers, req.now))
	}
	return a, nil
}

// friend is a friend as he is shown to somebody whom blockers have blocked.
func (s *Server) friend(f store.Friend, blockers []ozeki.UserID, now time.Time) ozeki.FriendAvailability {
	return ozeki.FriendAvailability{
		FriendID: f.UserID, FriendName: f.Name, PublicKey: f.PublicKey, Availability: s.availabilityOf(f.UserID, blockers, now),
	}
}

// addFriend makes the user and the owner of the address each other's friends. errNotFound: the address has no account.
// errForbidden: its owner has blocked the user. A repeat changes nothing and gives the friend again.
func (s *Server) addFriend(ctx context.Context, tx store.Tx, req *request, body *ozeki.FriendAddRequest) (any, error) {
	email := ozeki.NormalEmail(body.Email)
	if !plausibleEmail(email) {
		return nil, errInvalid.saying("This is not an email address. It looks like name@example.com.")
	}
	account, err := tx.AccountByEmail(ctx, email)
	if errors.Is(err, store.ErrNotFound) {
		return nil, errNotFound.saying("Nobody has an account with this email address here. Check the address, or ask the person to create an account.")
	}
	if err != nil {
		return nil, err
	}
	if account.UserID == req.user {
		return nil, errInvalid.saying("This is your own address. Enter somebody else's.")
	}
	if err := mayReach(ctx, tx, req.user, account.UserID); err != nil {
		return nil, err
	}
	if err := tx.AddFriends(ctx, req.user, account.UserID); err != nil {
		return nil, err
	}
	friend := s.friend(store.Friend{UserID: account.UserID, Name: account.FullName, PublicKey: account.PublicKey}, nil, req.now)
	return ozeki.FriendAddAnswer{Answer: ok, Friend: &friend}, nil
}
