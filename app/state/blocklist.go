package state

import (
	"cmp"
	"fmt"
	"slices"

	"starling/ozeki"
)

// Blocklist is what the user has hidden and whom he has blocked, as far as the conversations do not say it themselves.
type Blocklist struct {
	Loaded  bool
	People  []Person               // blocked, by name
	Unknown []ozeki.ConversationID // hidden ones that are not among the conversations
}

// Person is somebody with a name to show.
type Person struct {
	ID   ozeki.UserID
	Name string
}

type blocklist struct {
	loaded bool
	users  []ozeki.UserID
	hidden []ozeki.ConversationID
	view   *Blocklist // nil: to be made again
}

func (b *blocklist) has(user ozeki.UserID) bool { return user != "" && slices.Contains(b.users, user) }

// BlocklistLoaded: the server's list of who is blocked and what is hidden.
type BlocklistLoaded struct {
	Users         []ozeki.UserID
	Conversations []ozeki.ConversationID
}

func (e BlocklistLoaded) apply(s *State) {
	s.blocklist = blocklist{loaded: true, users: e.Users, hidden: e.Conversations}
	s.markBlocked()
}

// BlocklistKept: the device has kept whom the user has blocked. Where the server has said it already, that counts.
type BlocklistKept struct{ Users []ozeki.UserID }

func (e BlocklistKept) apply(s *State) {
	if !s.blocklist.loaded {
		s.blocklist.users, s.blocklist.view = e.Users, nil
		s.markBlocked()
	}
}

// BlockedUsers lists whom the user has blocked, as far as it is known.
func (s *State) BlockedUsers() []ozeki.UserID { return s.blocklist.users }

// Blocked: the server has blocked a person for the user, or does not any more.
type Blocked struct {
	User ozeki.UserID
	On   bool
}

func (e Blocked) apply(s *State) {
	users := make([]ozeki.UserID, 0, len(s.blocklist.users)+1)
	for _, u := range s.blocklist.users {
		if u != e.User {
			users = append(users, u)
		}
	}
	words := "%s is not blocked any more."
	if e.On {
		users, words = append(users, e.User), "%s is blocked."
	}
	s.blocklist.users, s.blocklist.view = users, nil
	s.markBlocked()
	s.announce(fmt.Sprintf(words, s.PersonName(e.User)))
}

func (s *State) markBlocked() {
	for _, c := range s.conversations {
		if on := s.blocklist.has(c.with); on != c.blocked {
			c.blocked = on
			s.refresh(c)
		}
	}
}

// PersonName returns a person's name as friends and conversations tell it, else the id.
func (s *State) PersonName(user ozeki.UserID) string {
	for _, f := range s.friends {
		if f.ID == user && f.Name != "" {
			return f.Name
		}
	}
	for _, c := range s.conversations {
		for _, p := range c.participants {
			if p.UserID == user && p.UserName != "" {
				return p.UserName
			}
		}
	}
	return string(user)
}

func (s *State) blocklistView() Blocklist {
	if s.blocklist.view != nil {
		return *s.blocklist.view
	}
	b := &Blocklist{Loaded: s.blocklist.loaded}
	for _, u := range s.blocklist.users {
		b.People = append(b.People, Person{u, s.PersonName(u)})
	}
	slices.SortFunc(b.People, func(a, b Person) int { return cmp.Or(cmp.Compare(Fold(a.Name), Fold(b.Name)), cmp.Compare(a.ID, b.ID)) })
	for _, id := range s.blocklist.hidden {
		if s.conversations[id] == nil {
			b.Unknown = append(b.Unknown, id)
		}
	}
	s.blocklist.view = b
	return *b
}
