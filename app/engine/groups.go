package engine

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"starling/app/state"
	"starling/ozeki"
	"starling/ozeki/json"
)

const (
	// RekeyFirst and RekeyLast are when, after a member has left, a client changes the group's key by itself: somewhere in
	// between, so that not all do it at once.
	RekeyFirst, RekeyLast = 2 * time.Second, 12 * time.Second
	// MaxGroupName is the length of the longest name of a group, in characters.
	MaxGroupName = 100
	groupTries   = 5 // of a change that others' changes come in between
)

// errBusy says that others kept changing a group.
var errBusy = sentence("The group is being changed by others at the moment. Try again in a moment.")

// recipient is somebody for whom a key is wrapped, with the name of the conversation that he sees.
type recipient struct {
	id        ozeki.UserID
	publicKey string
	sees      string
}

// wrapFor wraps a conversation key and seals the conversation's name for each of the recipients.
func (e *Engine) wrapFor(ctx context.Context, id ozeki.ConversationID, key []byte, to []recipient) ([]ozeki.Member, error) {
	scheme := e.client.Scheme()
	members := make([]ozeki.Member, 0, len(to))
	for _, r := range to {
		spki, err := base64.StdEncoding.DecodeString(r.publicKey)
		if err != nil {
			return nil, sentence("A public key that the server gave is damaged, so nothing can be encrypted for its owner. Tell who runs the server.")
		}
		pub, err := scheme.ImportPublicKey(ctx, spki)
		if err != nil {
			return nil, err
		}
		secret, err := scheme.WrapKey(ctx, pub, key)
		if err != nil {
			return nil, err
		}
		name, err := scheme.Seal(ctx, key, ozeki.NameAD(id), []byte(r.sees))
		if err != nil {
			return nil, err
		}
		members = append(members, ozeki.Member{UserID: r.id, Secret: secret, DisplayName: name})
	}
	return members, nil
}

// friendKeys asks for the newest public keys of friends, who see the given name: a key wrapped for an old one would be lost.
func (e *Engine) friendKeys(ctx context.Context, friends []state.Friend, sees string) ([]recipient, error) {
	a, err := e.client.Friends(ctx)
	if err != nil {
		return nil, err
	}
	to := make([]recipient, len(friends))
	for n, f := range friends {
		i := slices.IndexFunc(a.Availabilities, func(v ozeki.FriendAvailability) bool { return v.FriendID == f.ID })
		if i < 0 {
			return nil, sentence(f.Name + " is not among your friends any more. Add this person again.")
		}
		to[n] = recipient{f.ID, a.Availabilities[i].PublicKey, sees}
	}
	return to, nil
}

// begun returns what a change of a group begins with.
func (e *Engine) begun() (run int, session *ozeki.Session, err error) {
	e.mu.Lock()
	defer e.unlock()
	if session = e.client.Session(); session == nil {
		err = context.Canceled
	}
	return e.run, session, err
}

func groupName(name string) (string, error) {
	name = strings.TrimSpace(name)
	switch {
	case name == "":
		return "", sentence("Enter a name for the group.")
	case utf8.RuneCountInString(name) > MaxGroupName:
		return "", sentence("The name is too long: it has more than 100 characters. Choose a shorter one.")
	}
	return name, nil
}

// CreateGroup makes a group with friends and tells them. It blocks and gives an error for Words.
func (e *Engine) CreateGroup(ctx context.Context, name string, friends []state.Friend) (ozeki.ConversationID, error) {
	run, session, err := e.begun()
	if err != nil {
		return "", err
	}
	if name, err = groupName(name); err != nil {
		return "", err
	}
	id := ozeki.NewConversationID()
	key, err := ozeki.NewConversationKey()
	if err != nil {
		return "", err
	}
	to, err := e.friendKeys(ctx, friends, name)
	if err != nil {
		return "", err
	}
	members, err := e.wrapFor(ctx, id, key, append(to, recipient{session.UserID, session.PublicKey, name}))
	if err != nil {
		return "", err
	}
	c, err := e.client.CreateConversation(ctx, ozeki.ConversationCreateRequest{ConversationID: id, IsGroup: true, Members: members})
	if err != nil {
		return "", err
	}
	if e.applyIn(run, state.ConversationMade{Conversation: *c}) {
		e.openKeys(ctx, run, id)
		e.tell(ctx, run, id, "created the group")
	}
	return id, nil
}

// AddPeople adds friends to a group and tells the members. It blocks and gives an error for Words.
func (e *Engine) AddPeople(ctx context.Context, id ozeki.ConversationID, friends []state.Friend) error {
	names := make([]string, len(friends))
	for i, f := range friends {
		names[i] = f.Name
	}
	return e.changeGroup(ctx, id, "added "+inWords(names), func(epoch state.Epoch) (*ozeki.Conversation, error) {
		to, err := e.friendKeys(ctx, friends, epoch.Name)
		if err != nil {
			return nil, err
		}
		members, err := e.wrapFor(ctx, id, epoch.Key, to)
		if err != nil {
			return nil, err
		}
		return e.client.AddMembers(ctx, id, epoch.Number, members)
	})
}

// RenameGroup gives a group another name and tells the members; the same name changes nothing. It blocks and gives an
// error for Words.
func (e *Engine) RenameGroup(ctx context.Context, id ozeki.ConversationID, name string) error {
	name, err := groupName(name)
	if err != nil {
		return err
	}
	e.mu.Lock()
	epoch, _ := e.state.Epoch(id)
	e.unlock()
	if epoch.Name == name {
		return nil
	}
	return e.changeGroup(ctx, id, "renamed the group to "+name, func(epoch state.Epoch) (*ozeki.Conversation, error) {
		sealed, err := e.client.Scheme().Seal(ctx, epoch.Key, ozeki.NameAD(id), []byte(name))
		if err != nil {
			return nil, err
		}
		return e.client.Rename(ctx, id, epoch.Number, sealed)
	})
}

// changeGroup makes a change that is sealed under the group's newest key, and makes it anew if the key has changed
// meanwhile. event tells the members of it.
func (e *Engine) changeGroup(ctx context.Context, id ozeki.ConversationID, event string, change func(state.Epoch) (*ozeki.Conversation, error)) error {
	run, _, err := e.begun()
	if err != nil {
		return err
	}
	for range groupTries {
		epoch, err := e.ready(ctx, run, id)
		if err != nil {
			return err
		}
		c, err := change(epoch)
		switch {
		case err == nil:
			if e.applyIn(run, state.ConversationMade{Conversation: *c}) {
				e.openKeys(ctx, run, id)
				e.tell(ctx, run, id, event)
			}
			return nil
		case !errors.Is(err, ozeki.ErrConflict):
			return err
		}
		if err := e.freshen(ctx, run, id); err != nil {
			return err
		}
	}
	return errBusy
}

// farewell is what the user said when leaving a group, and the group's key then.
type farewell struct {
	said ozeki.Message
	key  []byte
}

// LeaveGroup tells the members of a group that the user leaves, and leaves. It blocks and gives an error for Words. A
// repeat after an error tells them once.
func (e *Engine) LeaveGroup(ctx context.Context, id ozeki.ConversationID) error {
	run, session, err := e.begun()
	if err != nil {
		return err
	}
	e.mu.Lock()
	key, instance := e.state.Key(id)
	last := e.farewells[id]
	e.unlock()
	said := last.said
	if key != nil && !bytes.Equal(last.key, key) { // none, or from before he left, unknown to this device, and came back
		if said, err = e.sealEvent(ctx, session, id, key, "left"); err != nil {
			return err
		}
		e.mu.Lock()
		if e.farewells == nil {
			e.farewells = map[ozeki.ConversationID]farewell{}
		}
		e.farewells[id] = farewell{said, key}
		e.unlock()
	}
	if said.ID != "" {
		// Under the present key even if somebody who has left knows it: it says no more than that one more leaves.
		if _, err := e.client.Add(ctx, id, instance, said); err != nil && !errors.Is(err, ozeki.ErrNotFound) {
			return err
		}
	}
	if err := e.client.Leave(ctx, id); err != nil && !errors.Is(err, ozeki.ErrNotFound) {
		return err
	}
	e.mu.Lock()
	defer e.unlock()
	if run != e.run {
		return nil
	}
	e.applyLocked(state.ConversationLeft{ID: id})
	return nil
}

// ShowGroup shows the members of a group, or with the empty id none's.
func (e *Engine) ShowGroup(id ozeki.ConversationID) { e.apply(state.GroupShown{ID: id}) }

// sealEvent makes the message that says what the user has done to a group.
func (e *Engine) sealEvent(ctx context.Context, session *ozeki.Session, id ozeki.ConversationID, key []byte, text string) (ozeki.Message, error) {
	m := ozeki.Message{ID: ozeki.NewMessageID(), Type: ozeki.TypeEvent, Created: ozeki.TimeOf(e.client.Now())}
	plain, err := json.Marshal(ozeki.Content{Version: 1, Text: text, From: session.UserID})
	if err == nil {
		m.Data, err = e.client.Scheme().Seal(ctx, key, ozeki.MessageAD(id, m.ID), plain)
	}
	return m, err
}

// tell tells the members of a group what the user has done to it. What was done stands without it, so that a failure is no
// more than a line that is missing.
func (e *Engine) tell(ctx context.Context, run int, id ozeki.ConversationID, text string) {
	session := e.client.Session()
	if session == nil {
		return
	}
	err := e.underNewest(ctx, run, id, func(ctx context.Context, key []byte) error {
		m, err := e.sealEvent(ctx, session, id, key, text)
		if err == nil {
			e.mu.Lock()
			_, instance := e.state.Key(id)
			e.unlock()
			_, err = e.client.Add(ctx, id, instance, m)
		}
		return err
	})
	if err == nil {
		e.catchUp(ctx, run, id)
	}
}

// underNewest has something sealed and sent under a conversation's newest key. In a group that is one that nobody who has
// left knows, and it is done once more if the group gets another key meanwhile.
func (e *Engine) underNewest(ctx context.Context, run int, id ozeki.ConversationID, do func(ctx context.Context, key []byte) error) error {
	if _, isGroup := e.epoch(id); !isGroup || !e.client.Session().Has(ozeki.ExtGroups) {
		e.mu.Lock()
		key, _ := e.state.Key(id)
		e.unlock()
		if key == nil {
			return errNoKey
		}
		return do(ctx, key)
	}
	for range groupTries {
		epoch, err := e.ready(ctx, run, id)
		if err != nil {
			return err
		}
		if err = do(ozeki.WithEpoch(ctx, epoch.Number), epoch.Key); !errors.Is(err, ozeki.ErrConflict) {
			return err
		}
		if err := e.freshen(ctx, run, id); err != nil {
			return err
		}
	}
	return errBusy
}

// ready returns the present epoch of a group, after its key was changed if somebody who has left knows it.
func (e *Engine) ready(ctx context.Context, run int, id ozeki.ConversationID) (state.Epoch, error) {
	for range groupTries {
		epoch, ok := e.epoch(id)
		if ok && epoch.Key == nil {
			e.openKeys(ctx, run, id)
			epoch, ok = e.epoch(id)
		}
		switch {
		case !ok:
			return epoch, sentence("This group is not among your conversations any more.")
		case epoch.Key == nil:
			return epoch, errNoKey
		case !epoch.Rekey:
			return epoch, nil
		}
		if err := e.rekey(ctx, run, id); err != nil {
			return epoch, err
		}
	}
	return state.Epoch{}, errBusy
}

func (e *Engine) epoch(id ozeki.ConversationID) (state.Epoch, bool) {
	e.mu.Lock()
	defer e.unlock()
	return e.state.Epoch(id)
}

// rekey gives a group a new key, unless another client is faster; then it is loaded again, which is as good.
func (e *Engine) rekey(ctx context.Context, run int, id ozeki.ConversationID) error {
	e.rekeying.Lock()
	defer e.rekeying.Unlock()
	session := e.client.Session()
	epoch, ok := e.epoch(id)
	if !ok || !epoch.Rekey || session == nil {
		return nil // done meanwhile
	}
	a, err := e.client.Members(ctx, id)
	if err != nil {
		return err
	}
	if !a.Rekey || a.Epoch != epoch.Number {
		return e.freshen(ctx, run, id)
	}
	to := make([]recipient, len(a.Members))
	for i, m := range a.Members {
		to[i] = recipient{m.UserID, m.PublicKey, epoch.Name}
		if m.UserID == session.UserID {
			to[i].publicKey = session.PublicKey // made from the user's own key, and not the server's word
		}
	}
	key, err := ozeki.NewConversationKey()
	if err != nil {
		return err
	}
	members, err := e.wrapFor(ctx, id, key, to)
	if err != nil {
		return err
	}
	c, err := e.client.Rekey(ctx, id, epoch.Number, members)
	switch {
	case errors.Is(err, ozeki.ErrConflict):
		return e.freshen(ctx, run, id)
	case err != nil:
		return err
	}
	if e.applyIn(run, state.ConversationMade{Conversation: *c}) {
		e.openKeys(ctx, run, id)
	}
	return nil
}

// rekeyLater changes the keys of groups that somebody has left, a while later.
func (e *Engine) rekeyLater(run int) {
	e.mu.Lock()
	defer e.unlock()
	if run != e.run || !e.client.Session().Has(ozeki.ExtGroups) {
		return
	}
	for _, id := range e.state.Rekeys() {
		if e.rekeys[id] != nil {
			continue
		}
		if e.rekeys == nil {
			e.rekeys = map[ozeki.ConversationID]func(){}
		}
		e.rekeys[id] = e.after(RekeyFirst+rand.N(RekeyLast-RekeyFirst), func() {
			e.goIn(run, func(ctx context.Context, run int) {
				_, err := e.ready(ctx, run, id)
				e.mu.Lock()
				if run == e.run {
					delete(e.rekeys, id)
				}
				e.unlock()
				if err != nil {
					e.failed(run, err) // who writes next changes it
				}
			})
		})
	}
}

// freshen loads a group again and opens what is new of it.
func (e *Engine) freshen(ctx context.Context, run int, id ozeki.ConversationID) error {
	e.mu.Lock()
	askedAt := e.state.Tick()
	e.unlock()
	only := []ozeki.ConversationID{id}
	if !e.client.Session().Has(ozeki.ExtListOf) {
		only = nil
	}
	list, err := e.client.Conversations(ctx, only...)
	if err != nil {
		return err
	}
	e.applyIn(run, state.ListLoaded{Conversations: list, Of: only, AskedAt: askedAt})
	e.openKeys(ctx, run, id)
	return nil
}

// post sends one message. To a group it goes under a key that nobody who has left knows; if the key changes meanwhile, the
// message is sealed anew.
func (e *Engine) post(ctx context.Context, run int, o *outbox, d draft) error {
	epoch, isGroup := e.epoch(o.conversation)
	if session := e.client.Session(); !isGroup || !session.Has(ozeki.ExtGroups) {
		return e.add(ctx, run, o, d)
	}
	for range groupTries {
		e.mu.Lock()
		tried, sealed := o.tried[d.id], o.sealed[d.id]
		number, known := e.state.EpochOf(o.conversation, sealed.key)
		e.unlock()
		if tried && known {
			epoch.Number = number // it may have arrived: it is sent again as it was
		} else {
			var err error
			if epoch, err = e.ready(ctx, run, o.conversation); err != nil {
				return err
			}
		}
		err := e.add(ozeki.WithEpoch(ctx, epoch.Number), run, o, d)
		if !errors.Is(err, ozeki.ErrConflict) {
			return err
		}
		e.mu.Lock()
		delete(o.sealed, d.id) // it was not stored
		delete(o.tried, d.id)
		e.unlock()
		if err := e.freshen(ctx, run, o.conversation); err != nil {
			return err
		}
	}
	return errBusy
}

// tryKeys opens texts, each with the first of its keys that fits, which it then holds.
func (e *Engine) tryKeys(ctx context.Context, keys [][][]byte, sealed []ozeki.Sealed) []ozeki.Opened {
	opened := make([]ozeki.Opened, len(sealed))
	left := make([]int, len(sealed))
	for i := range left {
		left[i] = i
	}
	for n := 0; len(left) > 0; n++ {
		batch := make([]ozeki.Sealed, len(left))
		for k, i := range left {
			if n < len(keys[i]) {
				sealed[i].Key = keys[i][n]
			}
			batch[k] = sealed[i]
		}
		still := left[:0:0]
		for k, o := range e.client.Scheme().Open(ctx, batch) {
			i := left[k]
			if opened[i] = o; o.Err != nil && n+1 < len(keys[i]) {
				still = append(still, i)
			}
		}
		left = still
	}
	return opened
}

// foundKeys loads a group again some of whose messages do not open: it may have a key that is not known here yet. It
// reports whether there are more keys now.
func (e *Engine) foundKeys(ctx context.Context, id ozeki.ConversationID) bool {
	e.mu.Lock()
	run, before := e.run, len(e.state.Keys(id))
	_, isGroup := e.state.Epoch(id)
	e.unlock()
	if !isGroup || !e.client.Session().Has(ozeki.ExtGroups) || e.freshen(ctx, run, id) != nil {
		return false
	}
	e.mu.Lock()
	defer e.unlock()
	return len(e.state.Keys(id)) > before
}

// inWords lists names: "Bob", "Bob and Carol", "Bob, Carol and Dora".
func inWords(names []string) string {
	n := len(names)
	if n < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
}
