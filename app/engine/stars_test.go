//go:build !js

package engine

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"starling/app/state"
	"starling/ozeki"
)

func TestAStarIsShownAtOnceAndKeptByTheServer(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	ids := s.groups(a, 3)
	p := s.signedIn(a)
	for _, on := range []bool{true, false} {
		p.Star(ids[1], on)
		if r := row(p.Snapshot(), ids[1]); r.Favorite != on {
			t.Errorf("when Star(%v) returns, the row is %+v", on, r)
		}
		p.until("the server has answered", settled(ids[1], on))
		if s.favorite(a, ids[1]) != on {
			t.Errorf("the server has not got %v", on)
		}
	}
	if n := p.wire.sent("favorite"); n != 1 {
		t.Errorf("favorite was sent %d times", n)
	}
}

func TestFiftyQuickClicksEndInTheLastAndDoNotFloodTheServer(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	id := s.groups(a, 1)[0]
	p := s.signedIn(a)
	for n := range 50 {
		p.Star(id, n%2 == 0)
	}
	p.until("the last click is settled", settled(id, false))
	if s.favorite(a, id) {
		t.Error("the server has the star")
	}
	p.Star(id, true)
	for n := range 50 {
		p.Star(id, n%2 == 1)
	}
	p.until("the last click is settled", settled(id, true))
	if !s.favorite(a, id) {
		t.Error("the server has not got the star")
	}
	if p.wire.most["favorite"] > 1 || p.wire.most["unfavorite"] > 1 {
		t.Errorf("requests were on their way at once: %v", p.wire.most)
	}
	if n := p.wire.sent("favorite") + p.wire.sent("unfavorite"); n > 60 {
		t.Errorf("%d requests for 101 clicks", n)
	}
}

func TestClicksWhileOneRequestIsSlowMakeOneMore(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	id := s.groups(a, 1)[0]
	p := s.signedIn(a)
	slow := make(chan struct{})
	p.wire.set(only(fault{hold: slow}, "favorite"))
	p.Star(id, true)
	eventually(t, "the request is on its way", func() bool { return p.wire.sent("favorite") == 1 })
	for n := range 21 {
		p.Star(id, n%2 == 1)
	}
	close(slow)
	p.until("the last click is settled", settled(id, false))
	if s.favorite(a, id) || p.wire.sent("favorite") != 1 || p.wire.sent("unfavorite") != 1 {
		t.Errorf("the server has %v after %d and %d requests", s.favorite(a, id), p.wire.sent("favorite"), p.wire.sent("unfavorite"))
	}
}

func TestARefusedStarGoesBackAndSaysWhy(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	ids := s.groups(a, 4)
	p := s.signedIn(a)
	for _, id := range ids[:3] {
		p.Star(id, true)
		p.until("it is a favorite", settled(id, true))
	}
	p.MoveFavorite(ids[1], -1)
	before := p.Snapshot().Favorites
	for _, c := range []struct {
		answer *ozeki.Response
		words  string
	}{
		{refusing(ozeki.CodeForbidden, "Only on workdays."), "Only on workdays."},
		{refusing("", "An Ozeki server gives no code."), "An Ozeki server gives no code."},
		{refusing("", ""), "gave no reason"},
		{webPage, "a web page may stand in between"},
	} {
		p.wire.set(only(fault{answer: c.answer}, "unfavorite"))
		p.Star(ids[1], false)
		v := p.until("the star is back", settled(ids[1], true))
		if !slices.Equal(v.Favorites, before) {
			t.Errorf("the favorites are %+v, want %+v", v.Favorites, before)
		}
		if n := v.Notices[len(v.Notices)-1]; n.Kind != state.NoticeError || !strings.Contains(n.Text, c.words) || !strings.HasPrefix(n.Text, "Group 1 could not be removed") {
			t.Errorf("the notice is %+v, want %q in it", n, c.words)
		}
		if slices.ContainsFunc(v.Notices, func(n state.Notice) bool { return n.Kind == state.NoticeUndo }) {
			t.Errorf("what was refused can be undone: %+v", v.Notices)
		}
	}
	if !s.favorite(a, ids[1]) {
		t.Error("the server has lost the star")
	}
}

func TestAStarOfACutConnectionIsQueuedAndArrivesOnce(t *testing.T) {
	for name, f := range map[string]fault{
		"cut before the server has it":            {before: true},
		"cut after the server has it":             {after: true},
		"the server is down":                      {answer: &ozeki.Response{Status: 503, ContentType: "text/html", Body: []byte("<h1>503")}},
		"a proxy answers after the server":        {after: true, answer: &ozeki.Response{Status: 502, ContentType: "text/html", Body: []byte("<h1>502")}},
		"too many requests, says the server":      {answer: refusing(ozeki.CodeLimit, "Too many.")},
		"the server fails":                        {answer: refusing(ozeki.CodeInternal, "It failed.")},
		"cut after, with the opposite in between": {after: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			a := s.account(0)
			id := s.groups(a, 1)[0]
			p := s.signedIn(a)
			p.wire.set(func(call string, n int) fault {
				if call == "poll" || call == "login" {
					return fault{before: true}
				}
				return f
			})
			p.Star(id, true)
			v := p.until("it is queued", func(v *state.Snapshot) bool { return row(v, id).Star == state.StarQueued && v.Offline })
			if !row(v, id).Favorite {
				t.Error("the queued star is not shown")
			}
			eventually(t, "the wish is kept on the device", func() bool {
				kept, err := p.vault.Load(context.Background())
				return err == nil && kept != nil && kept.Wishes[id]
			})
			want := true
			if strings.Contains(name, "opposite") {
				want = false
				p.Star(id, false)
				p.until("the opposite is queued", func(v *state.Snapshot) bool { return row(v, id).Star == state.StarQueued && !row(v, id).Favorite })
			}
			p.wire.set(nil)
			// Nobody has to do anything: the next poll finds the server.
			eventually(t, "there is a poll to come", func() bool { return p.timers.run(PollActive, PollActive) == 1 })
			v = p.until("it is settled", settled(id, want))
			if s.favorite(a, id) != want || len(v.Notices) > 1 {
				t.Errorf("the server has %v, notices %+v", s.favorite(a, id), v.Notices)
			}
			p.until("it is online", func(v *state.Snapshot) bool { return !v.Offline })
			eventually(t, "no wish is kept", func() bool { k, _ := p.vault.Load(context.Background()); return len(k.Wishes) == 0 })
		})
	}
}

func TestAQueuedStarSurvivesTheEndOfTheProgram(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	ids := s.groups(a, 2)
	p := s.signedIn(a)
	p.Star(ids[1], true)
	p.until("it is a favorite", settled(ids[1], true))
	p.wire.set(cut)
	p.Star(ids[0], true)
	p.Star(ids[1], false)
	p.until("both are queued", func(v *state.Snapshot) bool {
		return row(v, ids[0]).Star == state.StarQueued && row(v, ids[1]).Star == state.StarQueued
	})
	eventually(t, "both are kept", func() bool { k, _ := p.vault.Load(context.Background()); return len(k.Wishes) == 2 })
	p.Close()

	// The next start is offline too: asking for anything then must not lose what is kept.
	q := s.device(a, p.vault)
	q.wire.set(cut)
	q.until("it is offline", func(v *state.Snapshot) bool { return v.Phase == state.SignedIn && v.Offline || v.Loaded })
	if !q.Snapshot().Loaded {
		q.Star(ids[0], true)
	}
	q.wire.set(nil)
	q.Wake()
	q.until("the list is there", func(v *state.Snapshot) bool { return v.Loaded })
	q.until("the first has arrived", settled(ids[0], true))
	q.until("the second has arrived", settled(ids[1], false))
	if !s.favorite(a, ids[0]) || s.favorite(a, ids[1]) {
		t.Error("the server has not got them")
	}
}

func TestTwoDevicesOfOnePersonSeeEachOthersStars(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	ids := s.groups(a, 2)
	p, q := s.signedIn(a), s.signedIn(a)
	p.Star(ids[0], true)
	p.until("it is settled", settled(ids[0], true))
	q.Wake()
	q.until("the other device has it", settled(ids[0], true))
	q.Star(ids[0], false)
	q.Star(ids[1], true)
	q.until("both are settled", func(v *state.Snapshot) bool { return settled(ids[0], false)(v) && settled(ids[1], true)(v) })
	p.timers.run(PollActive, PollActive)
	p.until("the first device has both", func(v *state.Snapshot) bool { return settled(ids[0], false)(v) && settled(ids[1], true)(v) })
}

func TestUnfavoriteCanBeUndoneForEightSecondsThatStandStillWhileItIsRead(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	id := s.groups(a, 1)[0]
	p := s.signedIn(a)
	p.Star(id, true)
	p.until("it is a favorite", settled(id, true))
	undoTimers := func() int {
		return len(slices.DeleteFunc(p.timers.durations(), func(d time.Duration) bool { return d <= PollActive || d > UndoTime || d == PollHidden }))
	}

	p.Star(id, false)
	n := p.Snapshot().Notices[0]
	p.HoldNotice(n.ID, true)
	p.HoldNotice(n.ID, true)
	if undoTimers() != 0 {
		t.Error("the clock goes on while the notice is held")
	}
	p.HoldNotice(n.ID, false)
	p.HoldNotice(n.ID, false)
	p.HoldNotice(12345, false)
	if undoTimers() != 1 {
		t.Errorf("the clocks are %v", p.timers.durations())
	}
	if !p.UndoLast() {
		t.Error("there is nothing to undo")
	}
	v := p.until("it is back", settled(id, true))
	if len(v.Notices) != 0 || undoTimers() != 0 {
		t.Errorf("notices %+v, clocks %v", v.Notices, p.timers.durations())
	}
	if p.UndoLast() {
		t.Error("it can be undone twice")
	}

	p.Star(id, false)
	p.until("it is settled", settled(id, false))
	p.timers.run(PollActive+1, UndoTime)
	if v := p.Snapshot(); len(v.Notices) != 0 {
		t.Errorf("after its time the notice is still there: %+v", v.Notices)
	}
	if p.UndoLast() {
		t.Error("it can be undone after its time")
	}

	p.Star(id, true)
	p.Star(id, false)
	p.Dismiss(p.Snapshot().Notices[0].ID)
	if v := p.Snapshot(); len(v.Notices) != 0 || undoTimers() != 0 {
		t.Errorf("after dismissing: %+v, clocks %v", v.Notices, p.timers.durations())
	}
}

func TestAnOldListThatComesLateDoesNotUndoAStar(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	id := s.groups(a, 1)[0]
	p := s.signedIn(a)
	late := make(chan struct{})
	p.wire.set(only(fault{hold: late}, "chatconversation list"))
	asked := p.wire.sent("chatconversation list")
	p.Reload()
	eventually(t, "the server is asked", func() bool { return p.wire.sent("chatconversation list") > asked })
	p.Star(id, true)
	p.until("the star is settled", settled(id, true))
	p.wire.set(nil)
	close(late)
	p.Reload()
	eventually(t, "both lists are there", func() bool { return p.wire.sent("chatconversation list") > asked+1 })
	p.until("nothing is on its way", func(v *state.Snapshot) bool {
		p.wire.mu.Lock()
		defer p.wire.mu.Unlock()
		return p.wire.now["chatconversation list"] == 0
	})
	p.until("the star is still there", settled(id, true))
	if p.wire.most["chatconversation list"] > 1 {
		t.Error("two lists were on their way at once: the older could come last")
	}
}
