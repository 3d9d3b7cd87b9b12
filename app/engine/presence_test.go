//go:build !js

package engine

import (
	"slices"
	"testing"

	"starling/app/state"
	"starling/chatserver/bus"
	"starling/ozeki"
)

func busHint(users []ozeki.UserID) bus.Hint { return bus.Hint{Users: users} }

// friendIs is a snapshot in which the other one of a conversation is this.
func friendIs(id ozeki.ConversationID, want state.Presence) func(*state.Snapshot) bool {
	return func(v *state.Snapshot) bool { return row(v, id).Presence == want }
}

func TestFriendsSeeWhetherSomebodyIsAtThePage(t *testing.T) {
	s := newServer(t)
	a, b := s.account(0), s.account(1)
	id := s.direct(a, b)
	alice, _ := s.linked(a)
	alice.until("bob has not come", friendIs(id, state.Absent))
	bob, _ := s.linked(b)
	alice.until("bob is there", friendIs(id, state.Present))
	bob.until("so is alice", friendIs(id, state.Present))

	bob.timers.run(IdleAfter, IdleAfter)
	alice.until("bob does nothing", friendIs(id, state.Away))
	bob.Used()
	alice.until("bob is at it again", friendIs(id, state.Present))

	bob.Visible(false)
	bob.timers.run(hiddenFor, hiddenFor)
	alice.until("bob looks at something else", friendIs(id, state.Away))
	bob.Visible(true)
	alice.until("bob is back", friendIs(id, state.Present))
	bob.SignOut()
	alice.until("bob has gone", friendIs(id, state.Absent))
}

func TestPresenceIsSaidFromTimeToTimeAndNotTooOften(t *testing.T) {
	s := newServer(t)
	p := s.signedIn(s.account(0))
	said := func(available, away int) {
		t.Helper()
		eventually(t, "it is said", func() bool { return p.wire.sent("useravailable") == available && p.wire.sent("useraway") == away })
	}
	said(1, 0)
	for range 20 {
		p.Used()
	}
	p.timers.run(SayEvery, SayEvery)
	said(2, 0)
	p.Visible(false)
	p.Visible(true) // a glance at something else
	if n := p.timers.run(hiddenFor, hiddenFor); n != 0 {
		t.Error("a glance counts as leaving")
	}
	p.Visible(false)
	p.Used() // is what a page that is not seen cannot be
	p.timers.run(hiddenFor, hiddenFor)
	said(2, 1)
	p.timers.run(IdleAfter, IdleAfter)
	p.timers.run(SayEvery, SayEvery)
	said(2, 2)
	if p.wire.most["useravailable"] > 1 || p.wire.most["useraway"] > 1 {
		t.Error("two were on their way at once: the older could come last")
	}
	// What was not heard while the server was away is said when it is back.
	p.wire.set(cut)
	p.Visible(true)
	p.until("it is offline", func(v *state.Snapshot) bool { return v.Offline })
	p.wire.set(nil)
	n := p.wire.sent("useravailable")
	p.Wake()
	p.until("it is back", func(v *state.Snapshot) bool { return !v.Offline })
	eventually(t, "it is said", func() bool { return p.wire.sent("useravailable") > n })
}

func TestWhereAwayIsNotKnownOnlyPresenceIsSaid(t *testing.T) {
	s := newServer(t)
	p := s.signedIn(s.account(0), func(o *Options) {
		o.Client = ozeki.NewClient(ozeki.Options{Base: s.http.URL + apiPath, Scheme: scheme, Transport: plain{ozeki.NewTransport()}})
	})
	p.wire = &wire{inner: plain{ozeki.NewTransport()}, count: map[string]int{}, now: map[string]int{}, most: map[string]int{}}
	p.Visible(false)
	p.timers.run(hiddenFor, hiddenFor)
	if got := p.timers.durations(); slices.Contains(got, SayEvery) {
		t.Errorf("something is said of a page that nobody sees: %v", got)
	}
	p.Visible(true)
	if got := p.timers.durations(); !slices.Contains(got, SayEvery) {
		t.Errorf("nothing is said of one that is used: %v", got)
	}
}

func TestWhoIsAtOneTabIsNotAwayBecauseOfAnother(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	browser := &tabs{}
	first, second := browser.tab(), browser.tab()
	p := s.signedIn(a, func(o *Options) { o.Neighbours = first })
	q := s.device(a, p.vault, func(o *Options) { o.Neighbours = second })
	q.until("the second tab is in", func(v *state.Snapshot) bool { return v.Loaded })
	eventually(t, "the first has heard of it", func() bool { p.mu.Lock(); defer p.unlock(); return p.attendance.elsewhere })
	p.Visible(false)
	p.timers.run(hiddenFor, hiddenFor)
	p.timers.run(SayEvery, SayEvery)
	if n := p.wire.sent("useraway"); n != 0 {
		t.Errorf("away is said %d times", n)
	}
	// The second is closed without a word: the first speaks for the device again.
	p.timers.run(elsewhereFor, elsewhereFor)
	eventually(t, "away is said", func() bool { return p.wire.sent("useraway") == 1 })
}

func TestFriendsAreLoadedOneListAtATime(t *testing.T) {
	s := newServer(t)
	a, b := s.account(0), s.account(1)
	s.direct(a, b)
	p := s.signedIn(a)
	p.until("the friends are there", func(v *state.Snapshot) bool { return v.FriendsLoaded })
	late := make(chan struct{})
	p.wire.set(only(fault{hold: late}, "chatfriends list"))
	before := p.wire.sent("chatfriends list")
	for range 10 {
		p.LoadFriends()
	}
	eventually(t, "one is on its way", func() bool { return p.wire.sent("chatfriends list") == before+1 })
	close(late)
	eventually(t, "one more follows", func() bool { return p.wire.sent("chatfriends list") == before+2 })
	if p.wire.most["chatfriends list"] > 1 {
		t.Error("two lists were on their way at once")
	}
}
