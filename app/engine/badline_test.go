//go:build !js

package engine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"starling/app/state"
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
