package state

import (
	"bytes"
	"cmp"
	"slices"

	"starling/ozeki"
)

// Group is a group with its members, as the dialog about it shows it.
type Group struct {
	ID      ozeki.ConversationID
	Name    string
	Members []Member // the user first, then by name
}

// Member is somebody in a group.
type Member struct {
	ID   ozeki.UserID
	Name string
	Me   bool
}

// GroupShown: the members of a group are shown, or with the empty id none's.
type GroupShown struct{ ID ozeki.ConversationID }

func (e GroupShown) apply(s *State) { s.group = e.ID }

// groupView is nil for a group that is none of the user's any more.
func (s *State) groupView() *Group {
	c := s.conversations[s.group]
	if c == nil || !c.group {
		return nil
	}
	g := &Group{ID: c.id, Name: c.name, Members: make([]Member, len(c.participants))}
	for i, p := range c.participants {
		g.Members[i] = Member{p.UserID, s.nameIn(c, p.UserID), p.UserID == s.user.ID}
	}
	slices.SortFunc(g.Members, func(a, b Member) int {
		if a.Me != b.Me {
			return map[bool]int{true: -1, false: 1}[a.Me]
		}
		return cmp.Or(cmp.Compare(Fold(a.Name), Fold(b.Name)), cmp.Compare(a.ID, b.ID))
	})
	return g
}

// groupParts is what only groups have of a conversation.
type groupParts struct {
	former     []ozeki.Participant // who has left
	older      []lockedKey         // the earlier keys, newest first
	epoch      int                 // of the newest
	rekey      bool                // somebody who has left knows the newest
	openedName string              // the sealed name that the shown one comes from
	goesOn     bool                // under a new key that was not opened yet: the name stands until then
}

// lockedKey is an earlier key of a group.
type lockedKey struct {
	secret string
	epoch  int
	key    []byte // nil: does not open, or was not tried
	tried  bool
}

// takeKeys takes over the secrets that the server gives, and keeps the keys of those that are known. A group that goes on
// under a new key keeps its name until that is opened anew.
func (c *conversation) takeKeys(in *ozeki.Conversation) {
	if len(in.Secrets)+len(c.older) > 0 {
		was := append([]lockedKey{{c.secret, c.epoch, c.key, c.opened}}, c.older...)
		c.older = make([]lockedKey, 0, len(in.Secrets))
		for _, s := range in.Secrets {
			k := lockedKey{secret: s.Secret, epoch: s.Epoch}
			if i := slices.IndexFunc(was, func(k lockedKey) bool { return k.secret == s.Secret }); i >= 0 {
				k.key, k.tried = was[i].key, was[i].tried
			}
			c.older = append(c.older, k)
		}
		slices.Reverse(c.older) // the server gives the oldest first
	}
	if c.secret != in.Secret {
		c.goesOn = c.opened && !c.trouble && len(c.older) > 0 && c.older[0].secret == c.secret
		c.secret, c.key, c.opened, c.trouble = in.Secret, nil, false, false
	}
}

// untried are the secrets of earlier epochs that were not tried yet.
func (c *conversation) untried() (secrets []string) {
	for _, k := range c.older {
		if !k.tried {
			secrets = append(secrets, k.secret)
		}
	}
	return secrets
}

func (c *conversation) takeOlder(opened map[string][]byte) {
	for i, k := range c.older {
		if key, ok := opened[k.secret]; ok {
			c.older[i] = lockedKey{k.secret, k.epoch, key, true}
		}
	}
}

// toOpen reports whether there is something of a conversation's keys and name to open. The sealed name differs in every answer of an
// Ozeki server for the same name, so it is opened again only where groups can be renamed.
func (s *State) toOpen(c *conversation) bool {
	renamed := c.group && c.sealedName != c.openedName && slices.Contains(s.extensions, ozeki.ExtGroups)
	return !c.opened || renamed || len(c.untried()) > 0
}

// Keys returns the keys of a conversation that are known, the newest first.
func (s *State) Keys(id ozeki.ConversationID) (keys [][]byte) {
	c := s.conversations[id]
	if c == nil {
		return nil
	}
	if c.key != nil {
		keys = append(keys, c.key)
	}
	for _, k := range c.older {
		if k.key != nil {
			keys = append(keys, k.key)
		}
	}
	return keys
}

// Epoch is what has to be known of a group for changing it.
type Epoch struct {
	Number int
	Key    []byte // nil where it does not open
	Name   string // the group's, in clear; made of the members' names while it does not open
	Rekey  bool   // somebody who has left knows the key
}

// Epoch returns the present epoch of a group; false for what is no group of the user's.
func (s *State) Epoch(id ozeki.ConversationID) (Epoch, bool) {
	c := s.conversations[id]
	if c == nil || !c.group {
		return Epoch{}, false
	}
	return Epoch{c.epoch, c.key, c.name, c.rekey}, true
}

// EpochOf returns which epoch of a group a key is of; false for a key that is not among those of a group.
func (s *State) EpochOf(id ozeki.ConversationID, key []byte) (int, bool) {
	c := s.conversations[id]
	if c == nil || !c.group || key == nil {
		return 0, false
	}
	if bytes.Equal(c.key, key) {
		return c.epoch, true
	}
	for _, k := range c.older {
		if bytes.Equal(k.key, key) {
			return k.epoch, true
		}
	}
	return 0, false
}

// Rekeys lists the groups whose keys are to be changed.
func (s *State) Rekeys() (ids []ozeki.ConversationID) {
	for id, c := range s.conversations {
		if c.rekey && c.group {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// meetAll remembers what people are called.
func (s *State) meetAll(people []ozeki.Participant) {
	for _, p := range people {
		s.meet(p.UserID, p.UserName)
	}
}

// meet remembers what somebody is called.
func (s *State) meet(id ozeki.UserID, name string) {
	if name == "" {
		return
	}
	if s.people == nil {
		s.people = map[ozeki.UserID]string{}
	}
	s.people[id] = name
}

// nameIn is what somebody in a conversation is called, also after he has left it.
func (s *State) nameIn(c *conversation, id ozeki.UserID) string {
	for _, people := range [][]ozeki.Participant{c.participants, c.former} {
		for _, p := range people {
			if p.UserID == id && p.UserName != "" {
				return p.UserName
			}
		}
	}
	return cmp.Or(s.people[id], "Somebody")
}
