// Package storetest is the contract of store.Store as tests: every implementation passes the same ones.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"starling/chatserver/store"
	"starling/ozeki"
)

// Run holds an implementation to the contract. open returns an empty store and closes it at the end of the test.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	for name, test := range map[string]func(*suite){
		"accounts are found by id, address and api key":             (*suite).accounts,
		"an account is taken once":                                  (*suite).accountTaken,
		"a station belongs to one user":                             (*suite).stations,
		"friendship is mutual":                                      (*suite).friends,
		"who has blocked whom is known from both sides":             (*suite).blocks,
		"friends are told about a user":                             (*suite).touchFriends,
		"a conversation is seen by its members as each set it":      (*suite).conversations,
		"a conversation that is not yours is not there":             (*suite).notMember,
		"properties are set one by one":                             (*suite).properties,
		"a property that stays tells nobody":                        (*suite).sameProperty,
		"messages come in the order of their arrival":               (*suite).messageOrder,
		"a message is stored once":                                  (*suite).messageOnce,
		"a changed message keeps its place and is told of":          (*suite).messageChange,
		"a deleted message is not unread":                           (*suite).deletedIsRead,
		"expired messages are left out":                             (*suite).expired,
		"pages meet without gap or repeat":                          (*suite).pages,
		"what others write is unread until it is viewed":            (*suite).unread,
		"a mark moves forward and tells the senders":                (*suite).marks,
		"a mark that covers nothing new tells nobody":               (*suite).markRepeated,
		"a mark is named by a message that is left":                 (*suite).markNamed,
		"marks are their conversation's and their member's":         (*suite).marksElsewhere,
		"the last message of each conversation is listed":           (*suite).lastMessages,
		"a list of what has changed since an earlier one":           (*suite).listSince,
		"a list in pages":                                           (*suite).listPages,
		"the newest of some messages is found":                      (*suite).newest,
		"a user's files are added up":                               (*suite).filesSize,
		"what somebody has hidden is listed":                        (*suite).hidden,
		"a cleared conversation begins anew for everybody":          (*suite).clear,
		"expired messages are removed and keep their place":         (*suite).purgeMessages,
		"expired messages are removed in portions":                  (*suite).purgePortions,
		"changes follow a sequence":                                 (*suite).changes,
		"many changes come in portions":                             (*suite).manyChanges,
		"a failed update changes nothing":                           (*suite).rollback,
		"a failed part of an update changes nothing":                (*suite).nested,
		"an update names the users concerned":                       (*suite).touched,
		"a request is claimed once":                                 (*suite).requests,
		"concurrent claims of a request have one winner":            (*suite).concurrentClaims,
		"old requests are purged":                                   (*suite).purge,
		"concurrent messages are all stored, in one order":          (*suite).concurrentMessages,
		"a cancelled call fails and changes nothing":                (*suite).cancelled,
		"a closed store fails":                                      (*suite).closed,
		"a newcomer sees what is written from then on":              (*suite).newcomer,
		"who leaves has left":                                       (*suite).leaving,
		"the last one to leave takes the conversation along":        (*suite).lastLeaves,
		"a new key keeps the earlier ones":                          (*suite).rekeyed,
		"a name is every member's":                                  (*suite).renamed,
		"a workspace is registered once and passed on":              (*suite).workspaces,
		"an invitation is good for its time":                        (*suite).invites,
		"readers see no half of an update":                          (*suite).isolation,
		"ids that look like SQL are text":                           (*suite).injection,
		"texts of all alphabets come back as they were":             (*suite).texts,
		"concurrent readers and writers do not fail for each other": (*suite).busy,
		"updates at once fail and are given up one by one":          (*suite).together,
		"updates at once number what stays":                         (*suite).togetherNumbered,
		"a file is created once":                                    (*suite).fileOnce,
		"a message takes its sender's stored files":                 (*suite).attachFiles,
		"files without a message are purged":                        (*suite).purgeFiles,
		"a push subscription is its station's and its endpoint's":   (*suite).pushes,
		"a secret is made once":                                     (*suite).secrets,
	} {
		t.Run(name, func(t *testing.T) {
			stamped := &stampedStore{Store: open(t), t: t, seen: map[string]string{}}
			s := &suite{T: t, Store: stamped, now: time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)}
			test(s)
		})
	}
}

type suite struct {
	*testing.T
	store.Store
	now time.Time
}

func (s *suite) Context() context.Context { return s.T.Context() }

// must runs an update that has to succeed and returns the users concerned.
func (s *suite) must(fn func(context.Context, store.Tx) error) []ozeki.UserID {
	s.Helper()
	users, err := s.Update(s.Context(), func(tx store.Tx) error { return fn(s.Context(), tx) })
	if err != nil {
		s.Fatal(err)
	}
	return users
}

// fails runs an update whose fn has to fail with want.
func (s *suite) fails(want error, fn func(context.Context, store.Tx) error) {
	s.Helper()
	if _, err := s.Update(s.Context(), func(tx store.Tx) error { return fn(s.Context(), tx) }); !errors.Is(err, want) {
		s.Errorf("error %v, want %v", err, want)
	}
}

func (s *suite) equal(got, want any) {
	s.Helper()
	if !reflect.DeepEqual(got, want) {
		s.Errorf("got\n  %+v\nwant\n  %+v", got, want)
	}
}

func (s *suite) is(err, want error) {
	s.Helper()
	if !errors.Is(err, want) {
		s.Errorf("error %v, want %v", err, want)
	}
}

// account is an account with everything derived from a name.
func (s *suite) account(name string) store.Account {
	email := name + "@example.com"
	return store.Account{
		UserID: ozeki.UserIDOf(email), Email: email, FullName: "Full " + name, Nick: name, APIKeyHash: "hash of " + name,
		RSAKey: "pem of " + name, PublicKey: "key of " + name, CreatedAt: s.now,
	}
}

// users makes accounts.
func (s *suite) users(names ...string) []ozeki.UserID {
	s.Helper()
	var ids []ozeki.UserID
	s.must(func(ctx context.Context, tx store.Tx) error {
		for _, name := range names {
			a := s.account(name)
			ids = append(ids, a.UserID)
			if err := tx.CreateAccount(ctx, a); err != nil {
				return err
			}
		}
		return nil
	})
	return ids
}

func (s *suite) newConversation(members ...ozeki.UserID) store.NewConversation {
	c := store.NewConversation{ID: ozeki.NewConversationID(), IsGroup: len(members) != 2, Instance: ozeki.NewInstance(), CreatedAt: s.now}
	for _, m := range members {
		c.Members = append(c.Members, ozeki.Member{UserID: m, Secret: "secret of " + string(m), DisplayName: "name for " + string(m)})
	}
	return c
}

func (s *suite) conversation(members ...ozeki.UserID) store.NewConversation {
	s.Helper()
	c := s.newConversation(members...)
	s.must(func(ctx context.Context, tx store.Tx) error { return tx.CreateConversation(ctx, c) })
	return c
}

func (s *suite) message(c store.NewConversation, from ozeki.UserID, text string) store.Message {
	return store.Message{
		ID: ozeki.NewMessageID(), Instance: c.Instance, Sender: from, Type: ozeki.TypeMessage, Created: s.now.Add(-time.Hour),
		ValidUntil: s.now.Add(time.Hour), Data: text, Extra: `{"x":1}`,
	}
}

func (s *suite) add(c store.NewConversation, m store.Message) store.Message {
	s.Helper()
	var stored store.Message
	s.must(func(ctx context.Context, tx store.Tx) (err error) {
		stored, err = tx.AddMessage(ctx, c.ID, m, s.now)
		return err
	})
	return stored
}

func (s *suite) read(user ozeki.UserID, id ozeki.ConversationID) store.Conversation {
	s.Helper()
	c, err := s.Conversation(s.Context(), user, id)
	if err != nil {
		s.Fatal(err)
	}
	return c
}

func (s *suite) changesAfter(user ozeki.UserID, after int64, limit int) store.Changes {
	s.Helper()
	c, err := s.Changes(s.Context(), user, after, limit)
	if err != nil {
		s.Fatal(err)
	}
	return c
}

func (s *suite) seq() int64 {
	s.Helper()
	n, err := s.Seq(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	return n
}

var errTest = errors.New("the test's own error")

func (s *suite) rollback() {
	u := s.users("a", "b")
	before := s.seq()
	s.fails(errTest, func(ctx context.Context, tx store.Tx) error {
		if err := tx.CreateAccount(ctx, s.account("c")); err != nil {
			return err
		}
		if _, err := tx.AccountByEmail(ctx, "c@example.com"); err != nil {
			s.Errorf("not seen inside the transaction: %v", err)
		}
		if err := tx.AddFriends(ctx, u[0], u[1]); err != nil {
			return err
		}
		return errTest
	})
	_, err := s.AccountByEmail(s.Context(), "c@example.com")
	s.is(err, store.ErrNotFound)
	s.equal(s.seq(), before)
}

func (s *suite) nested() {
	u := s.users("a", "b", "c")
	users := s.must(func(ctx context.Context, tx store.Tx) error {
		if err := tx.AddFriends(ctx, u[0], u[1]); err != nil {
			return err
		}
		err := tx.Nested(ctx, func() error {
			if err := tx.AddFriends(ctx, u[1], u[2]); err != nil {
				return err
			}
			return tx.Nested(ctx, func() error { return errTest })
		})
		s.is(err, errTest)
		return tx.Nested(ctx, func() error { return tx.CreateAccount(ctx, s.account("d")) })
	})
	s.equal(users, sorted(u[0], u[1]))
	for _, pair := range []struct {
		a, b ozeki.UserID
		want bool
	}{{u[0], u[1], true}, {u[1], u[2], false}} {
		got, err := s.AreFriends(s.Context(), pair.a, []ozeki.UserID{pair.b})
		if err != nil || got != pair.want {
			s.Errorf("friends %v %v, want %v", got, err, pair.want)
		}
	}
	if _, err := s.AccountByEmail(s.Context(), "d@example.com"); err != nil {
		s.Error(err)
	}
}

func (s *suite) touched() {
	u := s.users("a", "b", "c")
	s.equal(s.must(func(ctx context.Context, tx store.Tx) error { return tx.AddFriends(ctx, u[0], u[1]) }), sorted(u[0], u[1]))
	c := s.newConversation(u[0], u[1], u[2])
	s.equal(s.must(func(ctx context.Context, tx store.Tx) error { return tx.CreateConversation(ctx, c) }), sorted(u...))
	s.equal(s.must(func(ctx context.Context, tx store.Tx) error {
		return tx.SetProperty(ctx, u[1], c.ID, store.Muted(true))
	}), sorted(u[1]))
	s.equal(s.must(func(ctx context.Context, tx store.Tx) error {
		for _, user := range u {
			if err := tx.SetProperty(ctx, user, c.ID, store.Favorite(true)); err != nil {
				return err
			}
		}
		return tx.RenameConversation(ctx, c.ID, "name")
	}), sorted(u...)) // each once
	m := s.message(c, u[0], "x")
	for _, want := range [][]ozeki.UserID{sorted(u...), sorted()} { // the second time it is there already
		s.equal(s.must(func(ctx context.Context, tx store.Tx) error {
			_, err := tx.AddMessage(ctx, c.ID, m, s.now)
			return err
		}), want)
	}
}

func (s *suite) isolation() {
	u := s.users("a", "b")
	c := s.conversation(u[0], u[1])
	inside, seen := make(chan bool), make(chan bool)
	var writer sync.WaitGroup
	writer.Go(func() {
		s.must(func(ctx context.Context, tx store.Tx) error {
			if err := tx.SetProperty(ctx, u[0], c.ID, store.Favorite(true)); err != nil {
				return err
			}
			inside <- true
			<-seen
			return tx.SetProperty(ctx, u[0], c.ID, store.Muted(true))
		})
	})
	<-inside
	got := s.read(u[0], c.ID)
	s.equal([]bool{got.Favorite, got.Muted}, []bool{false, false})
	seen <- true
	writer.Wait()
	got = s.read(u[0], c.ID)
	s.equal([]bool{got.Favorite, got.Muted}, []bool{true, true})
}

func (s *suite) cancelled() {
	u := s.users("a", "b")
	ctx, cancel := context.WithCancel(s.Context())
	_, err := s.Update(ctx, func(tx store.Tx) error {
		if err := tx.AddFriends(ctx, u[0], u[1]); err != nil {
			return err
		}
		cancel()
		return tx.AddFriends(ctx, u[0], u[1])
	})
	s.is(err, context.Canceled)
	s.is(err, store.ErrUnavailable)
	if _, err := s.Update(ctx, func(store.Tx) error { return nil }); err == nil {
		s.Error("an update under a cancelled context succeeded")
	}
	if _, err := s.List(ctx, u[0], ""); err == nil {
		s.Error("a read under a cancelled context succeeded")
	}
	if friends, err := s.Friends(s.Context(), u[0]); err != nil || len(friends) != 0 {
		s.Errorf("%v %v", friends, err)
	}
	s.users("c") // goes on working
}

func (s *suite) closed() {
	if err := s.Close(); err != nil {
		s.Error(err)
	}
	if _, err := s.Seq(s.Context()); err == nil {
		s.Error("a closed store answers")
	}
	if _, err := s.Update(s.Context(), func(store.Tx) error { return nil }); err == nil {
		s.Error("a closed store takes changes")
	}
	_ = s.Close()
}

func (s *suite) busy() {
	u := s.users("a", "b")
	c := s.conversation(u[0], u[1])
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for n := range 25 {
				_, err := s.Update(s.Context(), func(tx store.Tx) error {
					return tx.SetProperty(s.Context(), u[i%2], c.ID, store.Color(fmt.Sprintf("#%06x", n)))
				})
				if err != nil {
					s.Error(err)
				}
			}
		})
		all.Go(func() {
			for range 50 {
				if _, err := s.List(s.Context(), u[i%2], ""); err != nil {
					s.Error(err)
				}
				if _, err := s.Changes(s.Context(), u[i%2], 0, 10); err != nil {
					s.Error(err)
				}
			}
		})
	}
	all.Wait()
}

func sorted(users ...ozeki.UserID) []ozeki.UserID {
	out := append([]ozeki.UserID{}, users...)
	slices.Sort(out)
	return out
}
