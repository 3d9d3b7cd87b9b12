package engine

import (
	"cmp"
	"context"
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
	key, err := ozeki.NewConversationKey()
	if err != nil {
		return "", err
	}
	to, err := e.friendKeys(ctx, []state.Friend{f}, me.Name)
	if err != nil {
		return "", err
	}
	members, err := e.wrapFor(ctx, id, key, append(to, recipient{me.ID, session.PublicKey, f.Name}))
	if err != nil {
		return "", err
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
