//go:build !js

package engine

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"starling/app/state"
	"starling/ozeki"
)

func TestEveryFailureIsToldInASentenceThatSaysWhatToDo(t *testing.T) {
	todo := regexp.MustCompile(`(?i)\b(check|try|set|sign|ask|choose|go on|load|tell|wait|make)\b`)
	for name, err := range map[string]error{
		"unreachable":   fmt.Errorf("login: %w", ozeki.ErrUnreachable),
		"unavailable":   fmt.Errorf("login: %w (HTTP 503, text/html)", ozeki.ErrUnavailable),
		"not JSON":      fmt.Errorf("login: %w", ozeki.ErrNotJSON),
		"password":      fmt.Errorf("open key: %w", ozeki.ErrPassword),
		"signature":     &ozeki.RefusedError{Status: "ERROR", Code: ozeki.CodeSignature},
		"clock":         &ozeki.RefusedError{Status: "ERROR", Code: ozeki.CodeClock},
		"replayed":      &ozeki.RefusedError{Status: "ERROR", Code: ozeki.CodeReplayed},
		"login":         &ozeki.RefusedError{Status: "ERROR", Code: ozeki.CodeLogin},
		"exists":        &ozeki.RefusedError{Status: "ERROR", Code: ozeki.CodeExists},
		"not found":     &ozeki.RefusedError{Status: "ERROR", Code: ozeki.CodeNotFound},
		"limit":         &ozeki.RefusedError{Status: "ERROR", Code: ozeki.CodeLimit},
		"internal":      &ozeki.RefusedError{Status: "ERROR", Code: ozeki.CodeInternal},
		"no reason":     &ozeki.RefusedError{Status: "FAILED"},
		"undecryptable": fmt.Errorf("%w: x", ozeki.ErrUndecryptable),
	} {
		words := Words(err)
		if !regexp.MustCompile(`^[A-Z].*[.!]$`).MatchString(words) || strings.Contains(words, "Something went wrong") {
			t.Errorf("%s: %q is no sentence for people", name, words)
		}
		if name != "undecryptable" && !todo.MatchString(words) {
			t.Errorf("%s: %q does not say what to do", name, words)
		}
	}
	for err, want := range map[error]string{
		nil: "", errNoKey: string(errNoKey), &ozeki.RefusedError{Status: "ERROR", Message: "Only on workdays."}: "Only on workdays.",
		errors.New("odd"): "Something went wrong: odd",
	} {
		if got := Words(err); got != want {
			t.Errorf("%v: %q, want %q", err, got, want)
		}
	}
}

func TestWhatIsShownComesInOrderAndMayAskForMore(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	ids := s.groups(a, 3)
	var ready atomic.Pointer[person] // once it is signed in
	var running atomic.Int32
	var mu sync.Mutex
	var seqs []int
	var last *state.Snapshot
	p := s.signedIn(a, func(o *Options) {
		inner := o.OnChange
		o.OnChange = func(v *state.Snapshot) {
			if running.Add(1) != 1 {
				t.Error("two changes are shown at once")
			}
			defer running.Add(-1)
			mu.Lock()
			seqs = append(seqs, v.Announcement.Seq)
			last = v
			mu.Unlock()
			inner(v)
			p := ready.Load()
			if p == nil || v.Phase != state.SignedIn {
				return
			}
			// As showing does: it reads, moves the focus, opens, dismisses, stars.
			_ = p.Snapshot()
			p.HoldNotice(1, true)
			p.HoldNotice(1, false)
			for _, n := range v.Notices {
				if n.Kind == state.NoticeUndo && n.Conversation == ids[1] {
					p.Star(ids[1], true)
				}
			}
			if v.Open == nil && row(v, ids[0]).Favorite {
				p.Open(ids[0])
			}
		}
	})
	ready.Store(p)
	var wait sync.WaitGroup
	for i, id := range ids {
		wait.Go(func() {
			for n := range 20 {
				p.Star(id, n%2 == 0)
				p.Filter([]string{"", "group"}[n%2])
				p.MoveFavorite(id, 1-2*(i%2))
				p.Visible(n%3 > 0)
			}
			p.Star(id, true)
		})
	}
	wait.Wait()
	p.until("all is settled", func(v *state.Snapshot) bool {
		return settled(ids[0], true)(v) && settled(ids[1], true)(v) && settled(ids[2], true)(v) && v.Open != nil
	})
	for _, id := range ids {
		if !s.favorite(a, id) {
			t.Error("the server has not got a star")
		}
	}
	eventually(t, "what was shown last is what there is", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return last == p.Snapshot()
	})
	mu.Lock()
	defer mu.Unlock()
	for i := 1; i < len(seqs); i++ {
		if seqs[i] < seqs[i-1] {
			t.Fatalf("an older state was shown after a newer one: %v", seqs)
		}
	}
}

func TestClosingEndsAllWorkAtOnce(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	ids := s.groups(a, 2)
	p := s.signedIn(a)
	never := make(chan struct{})
	defer close(never)
	p.wire.set(func(string, int) fault { return fault{first: never} })
	p.Star(ids[0], true)
	p.Open(ids[1])
	_ = p.Send(ids[1], "hello")
	p.Reload()
	p.LoadFriends()
	p.Wake()
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for range 50 {
				p.Star(ids[0], false)
				p.Star(ids[0], true)
				p.Wake()
				p.Reload()
			}
		})
	}
	p.Close()
	p.Close()
	wait.Wait()
	p.Close()
}

func TestPollsComeLessOftenWhileNobodyLooksOrTheServerIsDown(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	p := s.signedIn(a, func(o *Options) { o.Jitter = func(most time.Duration) time.Duration { return most / 2 } })
	polled := func() { // the poll that is scheduled, and the next being scheduled
		t.Helper()
		n := p.wire.sent("poll")
		eventually(t, "a poll runs", func() bool { return p.timers.run(0, maxPollDelay) == 1 })
		eventually(t, "it is over", func() bool { return p.wire.sent("poll") > n && len(p.timers.polls()) == 1 })
	}
	next := func() string { return fmt.Sprint(p.timers.polls()) }
	polled()
	if next() != "[2s]" {
		t.Errorf("while the page is seen: %s", next())
	}
	p.Visible(false)
	p.timers.run(hiddenFor, hiddenFor) // the user counts as away
	polled()
	if next() != "[15s]" {
		t.Errorf("while it is not: %s", next())
	}
	p.wire.set(cut)
	var delays []string
	for range 6 {
		polled()
		delays = append(delays, next())
	}
	if got := fmt.Sprint(delays); got != "[[2s] [3s] [6s] [12s] [22.5s] [22.5s]]" {
		t.Errorf("while the server is down: %s", got)
	}
	if !p.Snapshot().Offline {
		t.Error("it is not offline")
	}
	p.wire.set(nil)
	p.Visible(true)
	p.until("it is back", func(v *state.Snapshot) bool { return !v.Offline })
	eventually(t, "polls go on", func() bool { return next() == "[2s]" })
	p.SignOut()
	eventually(t, "polls end", func() bool { return next() == "[]" })
	p.Wake()
	if err := p.SignInWithKey(context.Background(), p.cred.APIKey, p.cred.EncryptionPassword); err != nil {
		t.Fatal(err)
	}
	eventually(t, "polls begin", func() bool { return next() == "[2s]" })
}
