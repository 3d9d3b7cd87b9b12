package chatserver

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"starling/chatserver/store"
	"starling/ozeki"
)

// DemoPassword is the password of the accounts that SeedDemo and Seed make for signing in.
const DemoPassword = "starling-demo"

// SeedOptions say how much measuring data Seed makes.
type SeedOptions struct {
	Users         int // user1@example.com … userN@example.com, at least 1
	Conversations int // of user1: one-to-one with the other users first, groups when they run out
	Messages      int // in each conversation
	// SignIn is how many of the users can sign in with DemoPassword, user1 first; 0 is 20. Deriving credentials takes a
	// noticeable part of a second for each; the other users get random ones.
	SignIn   int
	Now      time.Time
	Progress func(string) // may be nil
}

const seedBatch = 500 // conversations in one transaction

// Seed makes measuring data. Every 20th conversation is a favorite of user1, and a few have something unread. If user1 has an account already, it does
// nothing; a failed run is best repeated on a fresh database.
func Seed(ctx context.Context, st store.Store, scheme ozeki.Scheme, o SeedOptions) error {
	progress := func(format string, args ...any) {
		if o.Progress != nil {
			o.Progress(fmt.Sprintf(format, args...))
		}
	}
	if o.Users < 1 || o.Conversations > 0 && o.Users < 2 {
		return fmt.Errorf("seed: %d users are too few: give at least 2", o.Users)
	}
	if o.SignIn <= 0 {
		o.SignIn = 20
	}
	if _, err := st.AccountByEmail(ctx, "user1@example.com"); err == nil || !errors.Is(err, store.ErrNotFound) {
		progress("user1@example.com is there already: nothing made")
		return err
	}
	s, err := newSeeder(ctx, scheme, o.Now)
	if err != nil {
		return err
	}
	people := make([]seedPerson, o.Users)
	for i := range people {
		people[i] = seedPerson{email: fmt.Sprintf("user%d@example.com", i+1), name: fmt.Sprintf("User %d", i+1), signsIn: i < o.SignIn}
	}
	users, err := s.accounts(ctx, people)
	if err != nil {
		return err
	}
	_, err = st.Update(ctx, func(tx store.Tx) error { return s.createAccounts(ctx, tx, users) })
	if err != nil {
		return fmt.Errorf("seed: %w", err)
	}
	progress("%d users", o.Users)
	for done := 0; done < o.Conversations; {
		upto := min(done+seedBatch, o.Conversations)
		_, err := st.Update(ctx, func(tx store.Tx) error {
			for n := done; n < upto; n++ {
				if err := s.measuringConversation(ctx, tx, users, n, o); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("seed: %w", err)
		}
		done = upto
		progress("%d of %d conversations", done, o.Conversations)
	}
	return nil
}

// measuringConversation makes the n-th conversation of the first user.
func (s *seeder) measuringConversation(ctx context.Context, tx store.Tx, users []seedUser, n int, o SeedOptions) error {
	c := seedConversation{members: []seedUser{users[0], users[1+n%(len(users)-1)]}, viewers: 1}
	if n%25 == 3 {
		c.unread = 1
	}
	if n >= len(users)-1 {
		c.group = fmt.Sprintf("Group %d", n-len(users)+2)
		if third := users[1+(n/(len(users)-1)+n)%(len(users)-1)]; third.UserID != c.members[1].UserID {
			c.members = append(c.members, third)
		}
	}
	last := o.Now.Add(-time.Duration(n) * time.Minute)
	for i := range o.Messages {
		c.messages = append(c.messages, seedMessage{
			from: (n + i) % len(c.members), at: last.Add(time.Duration(i-o.Messages) * time.Minute),
			text: fmt.Sprintf("Message %d of conversation %d: the figures of the week are in the usual place.", i+1, n+1),
		})
	}
	id, err := s.create(ctx, tx, c)
	if err != nil {
		return err
	}
	if n%20 == 0 {
		return tx.SetProperty(ctx, users[0].UserID, id, store.Favorite(true))
	}
	return nil
}

// seeder makes accounts and conversations with everything sealed as a client would. Its people share a few key pairs.
type seeder struct {
	scheme ozeki.Scheme
	now    time.Time
	keys   []seedKey
}

type seedKey struct {
	pkcs1, spki []byte
	public      *ozeki.PublicKey
}

type seedPerson struct {
	email, name string
	signsIn     bool // with DemoPassword; else nobody knows the api key
}

type seedUser struct {
	store.Account
	public *ozeki.PublicKey
}

type seedConversation struct {
	group    string     // name, empty: one-to-one
	members  []seedUser // become friends of the first one
	messages []seedMessage
	viewers  int // how many of the members, the first ones, have viewed it
	unread   int // the last messages of others that the first one has not viewed; what he wrote himself ends them
}

type seedMessage struct {
	from int // index of the member
	text string
	at   time.Time
}

const seedKeys = 4

func newSeeder(ctx context.Context, scheme ozeki.Scheme, now time.Time) (*seeder, error) {
	s := &seeder{scheme: scheme, now: now.UTC(), keys: make([]seedKey, seedKeys)}
	err := parallel(len(s.keys), func(i int) (err error) {
		k := &s.keys[i]
		if k.pkcs1, k.spki, err = ozeki.GenerateKey(ctx); err != nil {
			return err
		}
		k.public, err = scheme.ImportPublicKey(ctx, k.spki)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("seed: make keys: %w", err)
	}
	return s, nil
}

// parallel runs fn for 0 … n-1, a few at once, and returns the errors.
func parallel(n int, fn func(int) error) error {
	errs := make([]error, n)
	gate := make(chan struct{}, 4)
	var all sync.WaitGroup
	for i := range n {
		gate <- struct{}{}
		all.Go(func() {
			defer func() { <-gate }()
			errs[i] = fn(i)
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// accounts makes the people's accounts without storing them.
func (s *seeder) accounts(ctx context.Context, people []seedPerson) ([]seedUser, error) {
	users := make([]seedUser, len(people))
	err := parallel(len(people), func(i int) (err error) {
		p, key := people[i], s.keys[i%len(s.keys)]
		cred := ozeki.Credentials{APIKey: randomHex(), EncryptionPassword: randomHex()}
		if p.signsIn {
			if cred, err = s.scheme.Credentials(ctx, p.email, DemoPassword); err != nil {
				return err
			}
		}
		pem, err := ozeki.SealPEM(key.pkcs1, cred.EncryptionPassword)
		if err != nil {
			return err
		}
		users[i] = seedUser{store.Account{
			UserID: ozeki.UserIDOf(p.email), Email: p.email, FullName: p.name, Nick: p.name, APIKeyHash: hashAPIKey(cred.APIKey),
			RSAKey: pem, PublicKey: base64.StdEncoding.EncodeToString(key.spki), CreatedAt: s.now.AddDate(0, 0, -60),
		}, key.public}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("seed: make accounts: %w", err)
	}
	return users, nil
}

func randomHex() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

func (s *seeder) createAccounts(ctx context.Context, tx store.Tx, users []seedUser) error {
	for _, u := range users {
		if err := tx.CreateAccount(ctx, u.Account); err != nil {
			return fmt.Errorf("%s: %w", u.Email, err)
		}
	}
	return nil
}

// create stores a conversation with its messages. The name that a member sees is the group's, or that of the other one.
func (s *seeder) create(ctx context.Context, tx store.Tx, c seedConversation) (ozeki.ConversationID, error) {
	n := store.NewConversation{ID: ozeki.NewConversationID(), IsGroup: c.group != "", Instance: ozeki.NewInstance(), CreatedAt: s.now}
	if c.group == "" {
		n.ID = ozeki.DirectConversationID(c.members[0].UserID, c.members[1].UserID)
	}
	if len(c.messages) > 0 {
		n.CreatedAt = c.messages[0].at.Add(-time.Minute)
	}
	key, err := ozeki.NewConversationKey()
	if err != nil {
		return "", err
	}
	for i, m := range c.members {
		name := c.group
		if name == "" {
			name = c.members[1-i].FullName
		}
		member := ozeki.Member{UserID: m.UserID}
		if member.Secret, err = s.scheme.WrapKey(ctx, m.public, key); err != nil {
			return "", err
		}
		if member.DisplayName, err = s.scheme.Seal(ctx, key, ozeki.NameAD(n.ID), []byte(name)); err != nil {
			return "", err
		}
		n.Members = append(n.Members, member)
		if i > 0 {
			if err := tx.AddFriends(ctx, c.members[0].UserID, m.UserID); err != nil {
				return "", err
			}
		}
	}
	if err := tx.CreateConversation(ctx, n); err != nil {
		return "", err
	}
	stored := make([]store.Message, len(c.messages))
	for i, m := range c.messages {
		if stored[i], err = s.add(ctx, tx, n, key, c.members[m.from].UserID, m); err != nil {
			return "", err
		}
	}
	return n.ID, s.view(ctx, tx, n.ID, c, stored)
}

// view marks as viewed what the members of a conversation have viewed of it.
func (s *seeder) view(ctx context.Context, tx store.Tx, id ozeki.ConversationID, c seedConversation, stored []store.Message) error {
	for i, member := range c.members[:c.viewers] {
		upto, unread := len(stored), 0
		if i == 0 {
			unread = c.unread
		}
		for ; upto > 0 && unread > 0; upto-- {
			if stored[upto-1].Sender == member.UserID {
				break // who writes has viewed what was there
			}
			unread--
		}
		if upto == 0 {
			continue
		}
		last := stored[upto-1]
		if err := tx.SetMark(ctx, member.UserID, id, store.Viewed, last.Seq, last.Created); err != nil {
			return err
		}
	}
	return nil
}

func (s *seeder) add(ctx context.Context, tx store.Tx, c store.NewConversation, key []byte, from ozeki.UserID, m seedMessage) (store.Message, error) {
	id := ozeki.NewMessageID()
	content, err := json.Marshal(ozeki.Content{Version: 1, Text: m.text, From: from})
	if err != nil {
		return store.Message{}, err
	}
	data, err := s.scheme.Seal(ctx, key, ozeki.MessageAD(c.ID, id), content)
	if err != nil {
		return store.Message{}, err
	}
	return tx.AddMessage(ctx, c.ID, store.Message{
		ID: id, Instance: c.Instance, Sender: from, Type: ozeki.TypeMessage, Created: m.at, Data: data,
	}, m.at)
}
