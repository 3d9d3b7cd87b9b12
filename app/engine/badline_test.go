//go:build !js

package engine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"starling/app/state"
	"starling/ozeki"
)

// lossy loses two of five requests, or their answers, by chance.
func lossy(seed uint64) func(string, int) fault {
	var mu sync.Mutex
	chance := rand.New(rand.NewPCG(seed, seed))
	return func(string, int) fault {
		mu.Lock()
		defer mu.Unlock()
		switch chance.IntN(5) {
		case 0:
			return fault{before: true}
		case 1:
			return fault{after: true}
		}
		return fault{}
	}
}

func TestOverALineThatLosesTwoOfFiveAllArrivesOnceAndInOrder(t *testing.T) {
	const each = 15
	s := newServer(t)
	a, b := s.account(0), s.account(1)
	id := s.direct(a, b)
	people := []*person{s.signedIn(a), s.signedIn(b)}
	for i, p := range people {
		p.reading(id)
		p.wire.set(lossy(uint64(i + 1)))
	}
	for n := range each {
		for _, p := range people {
			if err := p.Send(id, fmt.Sprint(p.name, " ", n)); err != nil {
				t.Fatal(err)
			}
		}
	}
	there := func(p *person) bool {
		v := p.Snapshot()
		return v.Unsent == 0 && v.Open != nil && len(v.Open.Messages) == len(people)*each &&
			!slices.ContainsFunc(v.Open.Messages, func(m state.Message) bool { return m.State != state.MessageSent })
	}
	for limit := time.Now().Add(6 * patient); !there(people[0]) || !there(people[1]); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("in vain: unsent %d and %d, shown %d and %d", people[0].Snapshot().Unsent, people[1].Snapshot().Unsent,
				len(texts(people[0].Snapshot())), len(texts(people[1].Snapshot())))
		}
		for _, p := range people {
			for _, d := range p.timers.durations() {
				if d > PollLinkedHidden {
					t.Fatalf("somebody waits for %v", d)
				}
			}
			p.timers.run(0, maxPollDelay)
		}
	}
	stored := s.messages(a, id)
	for _, p := range people {
		shown, next := p.Snapshot().Open.Messages, 0
		for i, m := range shown {
			if m.ID != stored[i] {
				t.Fatalf("%s sees another order than the server has", p.name)
			}
			if m.Text == fmt.Sprint(p.name, " ", next) {
				next++
			}
		}
		if len(stored) != len(people)*each || next != each {
			t.Errorf("%s has %d messages, %d of his own in order", p.name, len(stored), next)
		}
	}
}

// As long as the server is not told which news have come, it tells each once: an answer that was lost costs a look at everything.
func TestNewsOfALostAnswerAreNotMissed(t *testing.T) {
	for name, published := range map[string]bool{"in a session that has just begun": false, "from a server that knows no cursor": true} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			a, b := s.account(0), s.account(1)
			id, other := s.direct(a, b), s.groups(a, 1)[0]
			vault := NewVault()
			p := s.device(a, vault)
			p.until("it asks to sign in", signedOut)
			lost := only(fault{after: true}, "poll")
			p.wire.set(lost)
			p.signIn()
			if published {
				p.wire.set(nil)
				p.until("the list is there", func(v *state.Snapshot) bool { return v.Loaded })
				p.Close()
				p = s.device(a, vault, onceOnly)
			}
			p.reading(id)
			p.reading(other)
			p.wire.set(lost)
			bob := s.signedIn(b)
			if err := bob.Send(id, "hello"); err != nil {
				t.Fatal(err)
			}
			bob.reading(id)
			bob.until("it is stored", func(v *state.Snapshot) bool { return v.Unsent == 0 && shows("hello")(v) })
			n := p.wire.sent("poll")
			eventually(t, "the answer that tells of it is lost", func() bool { p.Wake(); return p.wire.sent("poll") > n+1 && p.wire.idle() })
			p.wire.set(nil)
			p.Wake()
			p.until("the row says it all the same", func(v *state.Snapshot) bool { return strings.HasSuffix(row(v, id).Preview, "hello") })
		})
	}
}

func onceOnly(o *Options) { o.Vault = onceVault{o.Vault} }

// onceVault is a vault that keeps the session of a server with the published calls alone.
type onceVault struct{ Vault }

func (v onceVault) Load(ctx context.Context) (*Kept, error) {
	k, err := v.Vault.Load(ctx)
	if k != nil {
		k.Session.Extensions = []string{ozeki.ExtRequestID, ozeki.ExtSender}
	}
	return k, err
}
