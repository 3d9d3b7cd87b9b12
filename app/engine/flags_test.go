//go:build !js

package engine

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"starling/app/state"
	"starling/chatserver/store"
	"starling/ozeki"
	"starling/ozeki/json"
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
	before := values(p.Snapshot().Favorites)
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
		if got := values(v.Favorites); !slices.Equal(got, before) {
			t.Errorf("the favorites are %+v, want %+v", got, before)
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
			v := p.until("it is queued", func(v *state.Snapshot) bool { return row(v, id).Star == state.FlagQueued && v.Offline })
			if !row(v, id).Favorite {
				t.Error("the queued star is not shown")
			}
			eventually(t, "the wish is kept on the device", func() bool {
				kept, err := p.vault.Load(context.Background())
				return err == nil && kept != nil && kept.Wishes[id][state.FlagFavorite] == state.On
			})
			want := true
			if strings.Contains(name, "opposite") {
				want = false
				p.Star(id, false)
				p.until("the opposite is queued", func(v *state.Snapshot) bool { return row(v, id).Star == state.FlagQueued && !row(v, id).Favorite })
			}
			p.wire.set(nil)
			// Nobody has to do anything: the next poll finds the server.
			eventually(t, "it is settled", func() bool {
				p.timers.run(PollActive, PollActive) // one that was on its way over the bad line may have to be made again
				v = p.Snapshot()
				return settled(id, want)(v)
			})
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
		return row(v, ids[0]).Star == state.FlagQueued && row(v, ids[1]).Star == state.FlagQueued
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

func TestALaterListBringsWhatHasChangedAndTakesWhatIsGone(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	ids := s.groups(a, 3)
	p := s.signedIn(a)
	has := func(n int) func(*state.Snapshot) bool {
		return func(v *state.Snapshot) bool { return v.Loaded && len(v.Favorites)+len(v.Conversations) == n }
	}
	p.until("all are there", has(3))
	reload := func() {
		t.Helper()
		asked := p.wire.sent("chatconversation list")
		p.Reload()
		eventually(t, "the server is asked", func() bool { return p.wire.sent("chatconversation list") > asked })
	}
	reload() // of an unchanged list
	_, err := s.store.Update(t.Context(), func(tx store.Tx) error {
		if err := tx.SetProperty(t.Context(), a.id, ids[0], store.Favorite(true)); err != nil {
			return err
		}
		return tx.RemoveMember(t.Context(), a.id, ids[1])
	})
	if err != nil {
		t.Fatal(err)
	}
	reload()
	p.until("the star is there", settled(ids[0], true))
	p.until("one has gone and one is as it was", has(2))
	if row(p.Snapshot(), ids[2]).ID != ids[2] {
		t.Error("the wrong one has gone")
	}
}

// flags are the ways to set a flag, what they send, and how the server has it.
func flags(p *person, id ozeki.ConversationID) []struct {
	name    string
	set     func(on bool)
	on, off string // the calls
	shown   func(r state.Row) bool
	kept    func(c store.Conversation) bool
} {
	return []struct {
		name    string
		set     func(on bool)
		on, off string
		shown   func(r state.Row) bool
		kept    func(c store.Conversation) bool
	}{
		{"favorite", func(on bool) { p.Star(id, on) }, "favorite", "unfavorite",
			func(r state.Row) bool { return r.Favorite }, func(c store.Conversation) bool { return c.Favorite }},
		{"mute", func(on bool) { p.Mute(id, on) }, "mute", "unmute",
			func(r state.Row) bool { return r.Muted }, func(c store.Conversation) bool { return c.Muted }},
		{"hide", func(on bool) { p.Hide(id, on) }, "hide", "unhide",
			func(r state.Row) bool { return r.Hidden }, func(c store.Conversation) bool { return c.HideID == string(c.Instance)+";" }},
		{"colour", func(on bool) { p.Color(id, map[bool]string{true: "#bae1ff"}[on]) }, "setlistitembackgroundcolor", "setlistitembackgroundcolor",
			func(r state.Row) bool { return r.Color == "#bae1ff" }, func(c store.Conversation) bool { return c.Color == "#bae1ff" }},
	}
}

// rests is a row all of whose flags are as the server has them.
func rests(v *state.Snapshot, id ozeki.ConversationID) bool {
	r := row(v, id)
	return r.ID == id && r.Star == state.FlagSettled && r.Saving == state.FlagSettled
}

func (s *server) conversation(a account, id ozeki.ConversationID) store.Conversation {
	s.t.Helper()
	c, err := s.store.Conversation(context.Background(), a.id, id)
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

func TestEachFlagIsShownAtOnceKeptByTheServerAndSeenOnAnotherDevice(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	id := s.groups(a, 1)[0]
	p, other := s.signedIn(a), s.signedIn(a)
	for _, f := range flags(p, id) {
		for _, on := range []bool{true, false} {
			f.set(on)
			f.set(on) // a repeat sends nothing
			if r := row(p.Snapshot(), id); f.shown(r) != on {
				t.Errorf("%s: when it is set to %v, the row is %+v", f.name, on, r)
			}
			p.until("the server has answered", func(v *state.Snapshot) bool { return rests(v, id) })
			if f.kept(s.conversation(a, id)) != on {
				t.Errorf("%s: the server has not got %v", f.name, on)
			}
			other.Wake()
			other.until("the other device shows it", func(v *state.Snapshot) bool { return f.shown(row(v, id)) == on })
		}
		want := 1
		if f.on == f.off {
			want = 2
		}
		if n := p.wire.sent(f.on); n != want {
			t.Errorf("%s was sent %d times", f.on, n)
		}
	}
}

func TestARefusedFlagGoesBackAndSaysWhy(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	id := s.groups(a, 1)[0]
	p := s.signedIn(a)
	for _, f := range flags(p, id) {
		for _, on := range []bool{true, false} {
			call := map[bool]string{true: f.on, false: f.off}[on]
			before := p.Snapshot()
			p.wire.set(only(fault{answer: refusing(ozeki.CodeForbidden, "Only on workdays.")}, call))
			f.set(on)
			v := p.until("it is back", func(v *state.Snapshot) bool { return rests(v, id) })
			if row(v, id) != row(before, id) {
				t.Errorf("%s %v: the row is %+v, it was %+v", f.name, on, row(v, id), row(before, id))
			}
			n := v.Notices[len(v.Notices)-1]
			if n.Kind != state.NoticeError || !strings.Contains(n.Text, "Group 0") || !strings.HasSuffix(n.Text, "Only on workdays.") {
				t.Errorf("%s %v: the notice is %+v", f.name, on, n)
			}
			p.wire.set(nil)
			f.set(on)
			p.until("it is set", func(v *state.Snapshot) bool { return rests(v, id) && f.shown(row(v, id)) == on })
		}
	}
}

func TestQueuedFlagsSurviveTheEndOfTheProgramAndArriveOnce(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	id := s.groups(a, 1)[0]
	p := s.signedIn(a)
	p.wire.set(cut)
	for _, f := range flags(p, id) {
		f.set(true)
	}
	p.until("all are queued", func(v *state.Snapshot) bool {
		return row(v, id).Star == state.FlagQueued && row(v, id).Saving == state.FlagQueued
	})
	if _, changes := p.Unsaved(); changes != 4 {
		t.Errorf("%d changes are said to be unsaved", changes)
	}
	eventually(t, "all are kept", func() bool { k, _ := p.vault.Load(context.Background()); return len(k.Wishes[id]) == 4 })
	p.Close()
	q := s.device(a, p.vault)
	v := q.until("all have arrived", func(v *state.Snapshot) bool { return rests(v, id) && row(v, id).Favorite }) // the kept list may be shown a moment before what waits
	c := s.conversation(a, id)
	for _, f := range flags(q, id) {
		if !f.kept(c) || !f.shown(row(v, id)) {
			t.Errorf("%s is not kept: %+v", f.name, c)
		}
		if n := q.wire.sent(f.on); n != 1 {
			t.Errorf("%s was sent %d times", f.on, n)
		}
	}
	eventually(t, "no wish is kept", func() bool { k, _ := q.vault.Load(context.Background()); return len(k.Wishes) == 0 })
}

func TestTheLastOfTwoTabsWinsForEachFlag(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	id := s.groups(a, 1)[0]
	browser, vault := &tabs{}, NewVault()
	first, second := browser.tab(), browser.tab()
	p := s.device(a, vault, func(o *Options) { o.Neighbours = first })
	p.until("the first asks to sign in", func(v *state.Snapshot) bool { return v.Phase == state.SignedOut })
	p.signIn()
	q := s.device(a, vault, func(o *Options) { o.Neighbours = second })
	q.until("the second has the list", func(v *state.Snapshot) bool { return v.Loaded && q.allOpened() })
	p.wire.set(cut)
	p.Mute(id, true)
	p.Star(id, true)
	p.until("both are queued", func(v *state.Snapshot) bool {
		return row(v, id).Saving == state.FlagQueued && row(v, id).Star == state.FlagQueued
	})
	q.Mute(id, true)
	q.until("the second tab has it", func(v *state.Snapshot) bool { return rests(v, id) && row(v, id).Muted })
	q.Mute(id, false)
	q.until("the second tab has changed its mind", func(v *state.Snapshot) bool { return rests(v, id) && !row(v, id).Muted })
	p.wire.set(nil)
	eventually(t, "the first tab has sent its star and not its mute", func() bool {
		p.Wake()
		return rests(p.Snapshot(), id) && row(p.Snapshot(), id).Favorite
	})
	if c := s.conversation(a, id); c.Muted || !c.Favorite {
		t.Errorf("the server has %+v", c)
	}
	if n := p.wire.sent("mute"); n != 1 { // which was cut
		t.Errorf("the first tab has sent its mute %d times", n)
	}
}

// The published sample of change color answers with the old colour.
func TestAColourIsBelievedToTheListAndNotToTheAnswer(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	id := s.groups(a, 1)[0]
	for _, taken := range []bool{true, false} {
		p := s.signedIn(a)
		p.Color(id, "#ffdfba")
		p.until("it has a colour", func(v *state.Snapshot) bool { return rests(v, id) })
		c := ozeki.Conversation{ID: id, Properties: []ozeki.Property{{UserID: a.id, Color: "#FFDFBA"}}}
		b, err := json.Marshal(ozeki.ConversationAnswer{Answer: ozeki.Answer{Status: ozeki.StatusOK}, Conversation: &c})
		if err != nil {
			t.Fatal(err)
		}
		old := &ozeki.Response{Status: 200, ContentType: "application/json", Body: b}
		p.wire.set(only(fault{answer: old, after: taken}, "setlistitembackgroundcolor"))
		lists := p.wire.sent("chatconversation list")
		p.Color(id, "#bae1ff")
		v := p.until("a list has told", func(v *state.Snapshot) bool { return rests(v, id) })
		want := "#ffdfba"
		if taken {
			want = "#bae1ff"
		}
		if got := row(v, id).Color; got != want {
			t.Errorf("taken %v: the colour is %s", taken, got)
		}
		if p.wire.sent("chatconversation list") == lists {
			t.Error("the list was not asked for")
		}
		if n := p.wire.sent("setlistitembackgroundcolor"); n != 2 {
			t.Errorf("it was sent %d times", n)
		}
		p.Close()
	}
}

func TestWhatAnEarlierVersionKeptIsUnderstood(t *testing.T) {
	var w keptWishes
	err := json.Unmarshal([]byte(`{"a":true,"b":false,"c":{"mute":"on","color":""}}`), &w)
	want := keptWishes{"a": {state.FlagFavorite: state.On}, "b": {state.FlagFavorite: ""}, "c": {state.FlagMute: state.On, state.FlagColor: ""}}
	if err != nil || !reflect.DeepEqual(w, want) {
		t.Errorf("it is read as %v, %v", w, err)
	}
	b, err := json.Marshal(want)
	var again keptWishes
	if err != nil || json.Unmarshal(b, &again) != nil || !reflect.DeepEqual(again, want) {
		t.Errorf("what is written, %s, is read as %v, %v", b, again, err)
	}
	if json.Unmarshal([]byte(`{"a":7}`), &w) == nil {
		t.Error("what cannot be is read")
	}
}

// What is sent at the moment in which the user sets a flag, since the connection is back, takes it along.
func TestAFlagIsNotLostToWhoSendsWhatWaits(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	ids := s.groups(a, 30)
	p := s.signedIn(a)
	p.mu.Lock()
	run := p.run
	p.mu.Unlock()
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				p.flush(run)
			}
		}
	}()
	for _, id := range ids {
		p.Star(id, true)
	}
	close(stop)
	<-stopped
	for _, id := range ids {
		p.until("the star is there", settled(id, true))
		if !s.favorite(a, id) {
			t.Errorf("the server does not have that of %s", id)
		}
	}
}
