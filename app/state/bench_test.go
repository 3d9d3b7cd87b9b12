package state

import (
	"fmt"
	"testing"
	"time"

	"starling/ozeki"
)

const many = 10_000

func manyConversations() (*State, []ozeki.Conversation) {
	cs := make([]ozeki.Conversation, many)
	for n := range cs {
		cs[n] = conv(n, fmt.Sprintf("Somebody %d", n*7919%many), favorite(n%20 == 0))
	}
	return signedIn(cs...), cs
}

// bench measures applying the n-th event and taking the snapshot that shows it.
func bench(b *testing.B, event func(s *State, n int) Event) {
	s, _ := manyConversations()
	s.Snapshot()
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		s.Apply(event(s, n))
		if s.Snapshot().Total != many {
			b.Fatal("conversations are missing")
		}
		n++
	}
}

func BenchmarkAStarAmong10000(b *testing.B) {
	bench(b, func(_ *State, n int) Event { return starWanted(idOf(n*31%many), n/many%2 == 0) })
}

func BenchmarkAKeysBatchAmong10000(b *testing.B) {
	bench(b, func(_ *State, n int) Event {
		e := KeysOpened{make([]OpenedKey, 64)}
		for i := range e.Opened {
			k := (n*64 + i) % many
			e.Opened[i] = OpenedKey{ID: idOf(k), Secret: fmt.Sprint("secret", k), Key: make([]byte, 32), Name: fmt.Sprintf("Name %d of %d", n, k)}
		}
		return e
	})
}

func BenchmarkTheFilterAmong10000(b *testing.B) {
	bench(b, func(_ *State, n int) Event { return FilterChanged{[]string{"", "s", "some", "somebody 1", "99"}[n%5]} })
}

func BenchmarkAMessageAmong10000(b *testing.B) {
	bench(b, func(_ *State, n int) Event {
		return Touched{idOf(n * 31 % many), noon.Add(time.Duration(n+1) * time.Second)}
	})
}

func BenchmarkTheListOf10000(b *testing.B) {
	_, cs := manyConversations()
	bench(b, func(s *State, _ int) Event { return ListLoaded{Conversations: cs, AskedAt: s.Tick()} })
}
