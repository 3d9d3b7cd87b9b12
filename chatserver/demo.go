package chatserver

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"starling/chatserver/store"
	"starling/ozeki"
)

// DemoInfo tells how to sign in to the demo data.
type DemoInfo struct {
	Created  bool     // false: it was there already
	Emails   []string // Alice's and Bob's addresses
	Password string   // of both
}

// SeedDemo makes the demo data, unless Alice has an account already: Alice and Bob, who can sign in with DemoPassword, and
// colleagues with whom they have written. It is one transaction.
func SeedDemo(ctx context.Context, st store.Store, scheme ozeki.Scheme, now time.Time) (DemoInfo, error) {
	alice, bob := demoPeople[0], demoPeople[1]
	info := DemoInfo{Emails: []string{alice.email, bob.email}, Password: DemoPassword}
	if _, err := st.AccountByEmail(ctx, alice.email); err == nil || !errors.Is(err, store.ErrNotFound) {
		return info, err
	}
	s, err := newSeeder(ctx, scheme, now)
	if err != nil {
		return info, err
	}
	users, err := s.accounts(ctx, demoPeople)
	if err != nil {
		return info, err
	}
	_, err = st.Update(ctx, func(tx store.Tx) error {
		if err := s.createAccounts(ctx, tx, users); err != nil {
			return err
		}
		return s.demoConversations(ctx, tx, users)
	})
	if err != nil {
		return info, fmt.Errorf("seed demo: %w", err)
	}
	info.Created = true
	return info, nil
}

// What Alice has set on the conversation with the n-th colleague; she and Bob are each other's favorites too.
var demoProperties = map[int][]store.Property{
	2: {store.Favorite(true)}, 7: {store.Favorite(true)}, 11: {store.Favorite(true)}, 19: {store.Favorite(true)},
	5: {store.Muted(true)}, 8: {store.Color("#bae1ff")}, 14: {store.Favorite(true), store.Color("#ffdfba")},
}

// demoConversations makes what Alice (users[0]) and Bob (users[1]) see; the same in every run.
func (s *seeder) demoConversations(ctx context.Context, tx store.Tx, users []seedUser) error {
	alice, bob, colleagues := users[0], users[1], users[2:]
	random := rand.New(rand.NewPCG(7, 7))
	create := func(c seedConversation, properties ...store.Property) error {
		c.viewers = len(c.members)
		id, err := s.create(ctx, tx, c)
		for _, p := range properties {
			if err == nil {
				err = tx.SetProperty(ctx, c.members[0].UserID, id, p)
			}
		}
		return err
	}

	err := create(seedConversation{members: []seedUser{alice, bob}, messages: s.script(demoShared, 9*time.Minute)}, store.Favorite(true))
	if err != nil {
		return err
	}
	err = tx.SetProperty(ctx, bob.UserID, ozeki.DirectConversationID(alice.UserID, bob.UserID), store.Favorite(true))
	if err != nil {
		return err
	}
	for i, colleague := range colleagues {
		age := time.Duration(i*i)*35*time.Minute + time.Duration(25+i*13)*time.Minute
		c := seedConversation{members: []seedUser{alice, colleague}, messages: s.threads(random, 2+i*5%6, age, demoNews[i]), unread: len(demoNews[i])}
		if err := create(c, demoProperties[i]...); err != nil {
			return err
		}
		if i%7 != 3 {
			continue
		}
		// Bob knows some of them as well; one of them is his favorite.
		c = seedConversation{members: []seedUser{bob, colleague}, messages: s.threads(random, 2, age+3*time.Hour, nil)}
		if err := create(c, store.Favorite(i == 10)); err != nil {
			return err
		}
	}
	err = create(seedConversation{
		group: "Release train", members: []seedUser{alice, bob, colleagues[2], colleagues[7], colleagues[13]},
		messages: s.script(demoRelease, 70*time.Minute),
	})
	if err != nil {
		return err
	}
	return create(seedConversation{
		group: "Büro & Küche", members: []seedUser{alice, bob, colleagues[1], colleagues[5], colleagues[10], colleagues[18]},
		messages: s.script(demoKitchen, 26*time.Hour), unread: 2,
	})
}

// script turns lines into messages, the last one the given time ago. A line begins with the number of its speaker; an
// empty line is a night in between.
func (s *seeder) script(lines []string, age time.Duration) []seedMessage {
	var out []seedMessage
	at := s.now.Add(-age)
	for i := len(lines) - 1; i >= 0; i-- {
		if lines[i] == "" {
			at = at.Add(-19 * time.Hour)
			continue
		}
		out = append([]seedMessage{{from: int(lines[i][0] - '0'), text: lines[i][1:], at: at}}, out...)
		at = at.Add(-time.Duration(40+len(lines[i])*3+i*17%150) * time.Second)
	}
	return out
}

// threads strings together n short exchanges of two people over the days before, each begun by either, and more lines
// after the last one.
func (s *seeder) threads(random *rand.Rand, n int, age time.Duration, more []string) []seedMessage {
	var lines []string
	for i, t := range random.Perm(len(demoThreads))[:n] {
		if i > 0 {
			lines = append(lines, "")
		}
		first := byte(random.IntN(2))
		for _, line := range demoThreads[t] {
			lines = append(lines, string('0'+(line[0]-'0')^first)+line[1:])
		}
	}
	if len(more) > 0 {
		lines = append(append(lines, ""), more...)
	}
	return s.script(lines, age)
}
