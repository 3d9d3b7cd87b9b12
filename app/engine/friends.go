package engine

import (
	"cmp"
	"context"
	"encoding/base64"
	"slices"

	"starling/app/state"
	"starling/ozeki"
)

// friendsLoad is the list of friends on its way.
type friendsLoad struct {
	busy  bool
	again bool // ask once more afterwards
	asked bool // the user waits for it, and is told if it does not come
}

// LoadFriends asks for the people that the user may write to.
func (e *Engine) LoadFriends() {
	e.mu.Lock()
	run := e.run
	e.unlock()
	e.loadFriends(run, true)
}

// loadFriends asks for the friends and their presence. One list is on its way at a time; however often it is asked for
// meanwhile, one more follows.
func (e *Engine) loadFriends(run int, asked bool) {
	e.mu.Lock()
	defer e.unlock()
	if run != e.run {
		return
	}
	f := &e.friends
	f.asked = f.asked || asked
	if f.busy {
		f.again = true
		return
	}
	f.busy = true
	e.goIn(run, func(ctx context.Context, run int) {
		a, err := e.client.Friends(ctx)
		over := err != nil && e.failed(run, err)
		e.mu.Lock()
		if run != e.run || over {
			e.unlock()
			return
		}
		was := e.friends
		e.friends = friendsLoad{}
		switch {
		case err == nil:
			e.applyLocked(state.FriendsLoaded{Friends: friendsOf(a)})
		case was.asked:
			e.applyLocked(state.NoticeAdded{Text: "Your friends could not be loaded. " + Words(err)})
		}
		e.unlock()
		if was.again {
			e.loadFriends(run, false)
		}
	})
}

// friendsOf lists friends by name.
func friendsOf(a *ozeki.FriendsAnswer) []state.Friend {
	friends := make([]state.Friend, 0, len(a.Availabilities))
	for _, f := range a.Availabilities {
		name := f.FriendName
		if name == "" {
			name = a.Friends[f.FriendID]
		}
		friends = append(friends, friendOf(f, name))
	}
	slices.SortFunc(friends, func(a, b state.Friend) int {
		return cmp.Or(cmp.Compare(state.Fold(a.Name), state.Fold(b.Name)), cmp.Compare(a.ID, b.ID))
	})
	return friends
}

func friendOf(f ozeki.FriendAvailability, name string) state.Friend {
	return state.Friend{ID: f.FriendID, Name: name, PublicKey: f.PublicKey, Availability: f.Availability}
}

// AddFriend makes the owner of an e-mail address a friend. It blocks and gives an error for Words.
func (e *Engine) AddFriend(ctx context.Context, email string) (state.Friend, error) {
	f, err := e.client.AddFriend(ctx, email)
	if err != nil {
		return state.Friend{}, err
	}
	e.LoadFriends()
	return friendOf(*f, f.FriendName), nil
}

// Converse makes the one-to-one conversation with a friend, or finds the one that is there. It blocks and gives an
// error for Words.
func (e *Engine) Converse(ctx context.Context, f state.Friend) (ozeki.ConversationID, error) {
	e.mu.Lock()
	run, session := e.run, e.client.Session()
	me := e.current().User
	e.unlock()
	if session == nil {
		return "", context.Canceled
	}
	id := ozeki.DirectConversationID(me.ID, f.ID)
	e.mu.Lock()
	known := e.state.Timeline(id).Known
	e.unlock()
	if known {
		return id, nil
	}
	scheme := e.client.Scheme()
	key, err := ozeki.NewConversationKey()
	if err != nil {
		return "", err
	}
	a, err := e.client.Friends(ctx) // the newest public keys: a key wrapped for an old one would be lost
	if err != nil {
		return "", err
	}
	i := slices.IndexFunc(a.Availabilities, func(v ozeki.FriendAvailability) bool { return v.FriendID == f.ID })
	if i < 0 {
		return "", sentence(f.Name + " is not among your friends any more. Add this person again.")
	}
	members := make([]ozeki.Member, 0, 2)
	for _, m := range []struct {
		id        ozeki.UserID
		publicKey string
		sees      string
	}{{me.ID, session.PublicKey, f.Name}, {f.ID, a.Availabilities[i].PublicKey, me.Name}} {
		spki, err := base64.StdEncoding.DecodeString(m.publicKey)
		if err != nil {
			return "", sentence("A public key that the server gave is damaged, so no conversation can be made. Tell who runs the server.")
		}
		pub, err := scheme.ImportPublicKey(ctx, spki)
		if err != nil {
			return "", err
		}
		secret, err := scheme.WrapKey(ctx, pub, key)
		if err != nil {
			return "", err
		}
		name, err := scheme.Seal(ctx, key, ozeki.NameAD(id), []byte(m.sees))
		if err != nil {
			return "", err
		}
		members = append(members, ozeki.Member{UserID: m.id, Secret: secret, DisplayName: name})
	}
	c, err := e.client.CreateConversation(ctx, ozeki.ConversationCreateRequest{ConversationID: id, Members: members})
	if err != nil {
		return "", err
	}
	if e.applyIn(run, state.ConversationMade{Conversation: *c}) {
		e.openKeys(ctx, run)
	}
	return id, nil
}
