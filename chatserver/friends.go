package chatserver

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"starling/chatserver/store"
	"starling/ozeki"
)

// availableFor is how long a user counts as available after having said so.
const availableFor = 90 * time.Second

// presence remembers in memory when users last said that they are there. The zero value is ready.
type presence struct {
	mu   sync.Mutex
	last map[ozeki.UserID]time.Time
}

func (p *presence) saw(user ozeki.UserID, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last == nil {
		p.last = map[ozeki.UserID]time.Time{}
	}
	p.last[user] = at
}

func (p *presence) of(user ozeki.UserID, now time.Time) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if at, seen := p.last[user]; seen && now.Sub(at) <= availableFor {
		return ozeki.Available
	}
	return ozeki.Offline
}

// availability notes that the user is there now. A repeat says so again.
func (s *Server) availability(req *request, _ *ozeki.EmptyRequest) { s.presence.saw(req.user, req.now) }

// friends lists whom the user may write to, with names, public keys and availability.
func (s *Server) friends(ctx context.Context, req *request, _ *ozeki.EmptyRequest) (any, error) {
	list, err := s.store.Friends(ctx, req.user)
	if err != nil {
		return nil, err
	}
	away, err := s.store.BlockedBy(ctx, req.user)
	if err != nil {
		return nil, err
	}
	a := ozeki.FriendsAnswer{Answer: ok, Friends: map[ozeki.UserID]string{}, Availabilities: []ozeki.FriendAvailability{}}
	for _, f := range list {
		a.Friends[f.UserID] = f.Name
		friend := s.friend(f, req.now)
		if slices.Contains(away, f.UserID) { // who has blocked the user is not there for him
			friend.Availability = ozeki.Offline
		}
		a.Availabilities = append(a.Availabilities, friend)
	}
	return a, nil
}

func (s *Server) friend(f store.Friend, now time.Time) ozeki.FriendAvailability {
	return ozeki.FriendAvailability{
		FriendID: f.UserID, FriendName: f.Name, PublicKey: f.PublicKey, Availability: s.presence.of(f.UserID, now),
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
	friend := s.friend(store.Friend{UserID: account.UserID, Name: account.FullName, PublicKey: account.PublicKey}, req.now)
	return ozeki.FriendAddAnswer{Answer: ok, Friend: &friend}, nil
}
