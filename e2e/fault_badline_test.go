package e2e

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// badLine is a line of 256 kbit/s that loses two of five segments in front of a server. What TCP makes of the losses is what
// gets through: a segment comes later by 200, 400, 800 … ms for each time that it is lost, all that follow it on its connection
// wait for it, and one that is lost five times in a row ends the connection.
type badLine struct {
	URL      string
	bad      atomic.Bool // until then it is a good one
	lost     atomic.Int64
	cut      atomic.Int64
	up, down wire
	mu       sync.Mutex
	chance   *rand.Rand
	open     map[net.Conn]bool
}

func newBadLine(t *testing.T, url string) *badLine {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	const rate = 256e3 / 8
	l := &badLine{
		URL: "http://" + listener.Addr().String(), up: wire{rate: rate}, down: wire{rate: rate}, chance: rand.New(rand.NewPCG(23, 40)),
		open: map[net.Conn]bool{},
	}
	var wait sync.WaitGroup
	wait.Go(func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
			if err != nil {
				_ = in.Close()
				continue
			}
			l.mu.Lock()
			l.open[in], l.open[out] = true, true
			l.mu.Unlock()
			wait.Go(func() { l.carry(out, in, &l.up) })
			wait.Go(func() { l.carry(in, out, &l.down) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		l.mu.Lock()
		for c := range l.open {
			_ = c.Close()
		}
		l.mu.Unlock()
		wait.Wait()
	})
	return l
}

// carry copies what comes from one connection to the other, until one of them ends.
func (l *badLine) carry(to, from net.Conn, w *wire) {
	defer func() {
		_, _ = to.Close(), from.Close()
		l.mu.Lock()
		delete(l.open, to)
		delete(l.open, from)
		l.mu.Unlock()
	}()
	segment := make([]byte, 1400)
	for {
		n, err := from.Read(segment)
		if err != nil {
			return
		}
		if l.bad.Load() {
			late, through := l.fate()
			if !through {
				return
			}
			time.Sleep(time.Until(w.take(n).Add(late)))
		}
		if _, err := to.Write(segment[:n]); err != nil {
			return
		}
	}
}

// fate is how much later a segment comes; through is false if it is lost so often that the connection ends.
func (l *badLine) fate() (late time.Duration, through bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for again := 200 * time.Millisecond; l.chance.IntN(5) < 2; again *= 2 {
		l.lost.Add(1)
		if late += again; again == 3200*time.Millisecond {
			l.cut.Add(1)
			return 0, false
		}
	}
	return late, true
}

// Over a line that loses two of five segments at 256 kbit/s people write, receive and star as over any other, only later:
// all arrives once and in order.
func TestFaultALineThatLosesTwoOfFiveSegments(t *testing.T) {
	t.Parallel()
	server := startDemo(t)
	bad := newBadLine(t, server.URL)
	p := newAlice(newPerson(t, bad.URL))
	allowConsole(t, p.ctx, "Failed to load resource")
	allowConsole(t, p.ctx, "WebSocket connection to")
	other := newBob(newPerson(t, server.URL))
	p.OpenConversation("Bob Baker")
	other.OpenConversation("Alice Ashford")
	bad.bad.Store(true)
	var mine, theirs []string
	for n := range 4 {
		mine, theirs = append(mine, fmt.Sprint("Over a bad line ", n)), append(theirs, fmt.Sprint("Over a good line ", n))
		p.Say("Bob Baker", mine[n])
		other.Say("Alice Ashford", theirs[n])
		if n == 1 {
			p.Star("Priya Raman")
		}
	}
	for _, q := range []*person{p, other} {
		q.within(testTimeout, "all is there once and in order", func() error {
			all, err := q.messages()
			if err != nil {
				return err
			}
			all = all[max(0, len(all)-8):]
			for _, from := range [][]string{mine, theirs} {
				next := 0
				for _, text := range all {
					if next < len(from) && text == from[next] {
						next++
					}
				}
				if next < len(from) {
					return fmt.Errorf("they end in %q", all)
				}
			}
			return nil
		})
	}
	p.within(testTimeout, "the star is there", func() error { return p.isFavorite("Priya Raman", true) })
	p.within(testTimeout, "nothing waits any more", func() error { return p.queueIs(0) }) // the last answer may be late
	if bad.lost.Load() == 0 {
		t.Error("the line has lost nothing")
	}
	t.Logf("%d losses, %d connections ended", bad.lost.Load(), bad.cut.Load())
	bad.bad.Store(false)
	p.SeeOnline()
	p.SeeSettled("Priya Raman")
	mineSeen, err := p.messages()
	if err != nil {
		t.Fatal(err)
	}
	other.SeeEndOf(mineSeen[len(mineSeen)-8:]...)
}
