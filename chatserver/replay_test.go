package chatserver

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"starling/chatserver/store"
	"starling/ozeki"
)

// replayFixture is Alice with a conversation whose seq tells how many effects there were.
type replayFixture struct {
	*fixture
	alice *user
	c     *ozeki.Conversation
}

func newReplayFixture(t *testing.T) *replayFixture {
	f := newFixture(t)
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	return &replayFixture{f, alice, f.direct(alice, bob)}
}

func (f *replayFixture) favorite(id string) raw {
	return f.alice.raw(ozeki.CallFavorite, f.body(ozeki.CallFavorite, field("requestid", id), field("conversationid", f.c.ID)))
}

func (f *replayFixture) set(favorite bool) {
	f.t.Helper()
	f.clock.move(3 * time.Second)
	call := ozeki.CallUnfavorite
	if favorite {
		call = ozeki.CallFavorite
	}
	f.send(f.alice.raw(call, f.body(call, field("requestid", ozeki.NewRequestID()), field("conversationid", f.c.ID)))).want(f.t, "")
}

func (f *replayFixture) isFavorite() bool {
	f.t.Helper()
	c, err := f.store.Conversation(context.Background(), f.alice.id, f.c.ID)
	if err != nil {
		f.t.Fatal(err)
	}
	return c.Favorite
}

func TestARepeatIsAnsweredLikeTheFirstWithoutASecondEffect(t *testing.T) {
	f := newReplayFixture(t)
	id := ozeki.NewRequestID()
	captured := f.favorite(id)
	first := f.send(captured).want(t, "")
	f.set(false)
	if again := f.send(captured); again.body != first.body {
		t.Errorf("captured bytes: %s\nfirst: %s", again.body, first.body)
	}
	f.clock.move(time.Minute)
	if again := f.send(f.favorite(id)); again.body != first.body { // an honest repeat has a new timestamp and signature
		t.Errorf("honest repeat: %s\nfirst: %s", again.body, first.body)
	}
	f.restart()
	if again := f.send(captured); again.body != first.body {
		t.Errorf("after a restart: %s\nfirst: %s", again.body, first.body)
	}
	if f.isFavorite() {
		t.Error("a repeat had an effect")
	}
}

func TestAnIDIsForOneRequest(t *testing.T) {
	f := newReplayFixture(t)
	id := ozeki.NewRequestID()
	f.send(f.favorite(id)).want(t, "")
	for name, r := range map[string]raw{
		"another call":         f.alice.raw(ozeki.CallUnfavorite, f.body(ozeki.CallUnfavorite, field("requestid", id), field("conversationid", f.c.ID))),
		"another conversation": f.alice.raw(ozeki.CallFavorite, f.body(ozeki.CallFavorite, field("requestid", id), field("conversationid", ozeki.NewConversationID()))),
		"another field":        f.alice.raw(ozeki.CallFavorite, f.body(ozeki.CallFavorite, field("requestid", id), field("conversationid", f.c.ID), field("x", 1))),
	} {
		if a := f.send(r); a.ErrorCode != ozeki.CodeReplayed {
			t.Errorf("%s: %s", name, a.body)
		}
	}
	f.restart()
	f.send(f.alice.raw(ozeki.CallMute, f.body(ozeki.CallMute, field("requestid", id), field("conversationid", f.c.ID)))).want(t, ozeki.CodeReplayed)
	if !f.isFavorite() {
		t.Error("the favorite is gone")
	}
}

func TestARefusalIsRememberedToo(t *testing.T) {
	f := newReplayFixture(t)
	call := ozeki.CallFriendAdd
	captured := f.alice.raw(call, f.body(call, field("requestid", ozeki.NewRequestID()), field("email", "dora@example.com")))
	first := f.send(captured).want(t, ozeki.CodeNotFound)
	f.user("Dora", 2)
	if again := f.send(captured); again.body != first.body {
		t.Errorf("%s\nfirst: %s", again.body, first.body)
	}
	f.restart()
	f.send(captured).want(t, ozeki.CodeNotFound)
	friends, err := f.store.Friends(t.Context(), f.alice.id)
	if err != nil || len(friends) != 1 {
		t.Errorf("%d friends, %v", len(friends), err)
	}
}

func TestAReadIsAnsweredOnce(t *testing.T) {
	f := newReplayFixture(t)
	for _, call := range []ozeki.Call{ozeki.CallFriends, ozeki.CallConversations, ozeki.CallDownload, ozeki.CallDownloadPartial} {
		r := f.alice.raw(call, f.body(call, field("requestid", ozeki.NewRequestID()), field("conversationid", f.c.ID)))
		f.send(r).want(t, "")
		f.send(r).want(t, ozeki.CodeReplayed)
		f.clock.move(5 * time.Minute)
		f.send(r).want(t, ozeki.CodeReplayed)
		f.clock.move(time.Second)
		f.send(r).want(t, ozeki.CodeClock)
	}
}

func TestReadsAreRememberedAsLongAsTheyCouldComeAgain(t *testing.T) {
	f := newReplayFixture(t)
	// Sent from a clock that is ahead by the whole window, it is good for twice the window.
	body := fmt.Sprintf(`{"action":"list","timestamp":%q,"requestid":%q}`, ozeki.TimeOf(f.clock.now().Add(5*time.Minute)), ozeki.NewRequestID())
	f.clock.move(-time.Second)
	f.send(f.alice.raw(ozeki.CallConversations, f.body(ozeki.CallConversations))).want(t, "") // begins a generation
	f.clock.move(time.Second)
	r := f.alice.raw(ozeki.CallFriends, body)
	f.send(r).want(t, "")
	for range 10 {
		f.clock.move(time.Minute)
		f.send(r).want(t, ozeki.CodeReplayed)
		f.send(f.alice.raw(ozeki.CallConversations, f.body(ozeki.CallConversations))).want(t, "")
	}
	f.clock.move(time.Second)
	f.send(r).want(t, ozeki.CodeClock)
	f.clock.move(time.Hour)
	for range 2 {
		f.clock.move(time.Hour)
		f.send(f.alice.raw(ozeki.CallConversations, f.body(ozeki.CallConversations))).want(t, "")
	}
	if n := len(f.srv.seen.now) + len(f.srv.seen.old); n > 2 {
		t.Errorf("%d ids are still remembered", n)
	}
}

func TestWithoutAnIDTheBytesAreGoodForTwoSeconds(t *testing.T) {
	f := newReplayFixture(t)
	captured := f.alice.raw(ozeki.CallFavorite, f.body(ozeki.CallFavorite, field("conversationid", f.c.ID)))
	off := f.alice.raw(ozeki.CallUnfavorite, f.body(ozeki.CallUnfavorite, field("conversationid", f.c.ID)))
	for _, r := range []raw{captured, off, captured} { // three clicks in one second
		f.send(r).want(t, "")
	}
	if !f.isFavorite() {
		t.Error("the last click was taken for a replay")
	}
	f.clock.move(2 * time.Second)
	f.send(off).want(t, "")
	f.clock.move(time.Second)
	f.send(captured).want(t, ozeki.CodeReplayed)
	f.restart()
	f.send(captured).want(t, ozeki.CodeReplayed)
	if f.isFavorite() {
		t.Error("a replay had an effect")
	}
	list := f.alice.raw(ozeki.CallFriends, f.body(ozeki.CallFriends))
	f.send(list).want(t, "")
	f.clock.move(2 * time.Second)
	f.send(list).want(t, "")
	f.clock.move(time.Second)
	f.send(list).want(t, ozeki.CodeReplayed)
	// Two services may be asked the same bytes.
	body := f.body(ozeki.CallFriends)
	f.send(f.alice.raw(ozeki.CallFriends, body)).want(t, "")
	f.send(f.alice.raw(ozeki.CallConversations, body)).want(t, "")
}

func TestAnIDIsForgottenWhenItCannotComeAgain(t *testing.T) {
	f := newReplayFixture(t)
	id := ozeki.NewRequestID()
	ahead := strings.Replace(f.body(ozeki.CallFavorite, field("requestid", id), field("conversationid", f.c.ID)),
		ozeki.TimeOf(f.clock.now()).String(), ozeki.TimeOf(f.clock.now().Add(5*time.Minute)).String(), 1)
	captured := f.alice.raw(ozeki.CallFavorite, ahead)
	first := f.send(captured).want(t, "")
	f.set(false)
	f.clock.move(10*time.Minute - 3*time.Second)
	if _, err := f.srv.purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	if again := f.send(captured); again.body != first.body {
		t.Errorf("a request that is good still was forgotten: %s", again.body)
	}
	f.clock.move(5 * time.Second)
	f.send(captured).want(t, ozeki.CodeClock)
	n, err := f.srv.purge(t.Context())
	if err != nil || n == 0 {
		t.Errorf("%d ids purged, %v", n, err)
	}
	_, err = f.store.Update(t.Context(), func(tx store.Tx) error {
		_, first, err := tx.ClaimRequest(t.Context(), store.Request{UserID: f.alice.id, ID: id, SeenAt: f.clock.now()})
		if err == nil && !first {
			t.Error("the id is still remembered")
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestConcurrentRepeatsHaveOneEffectAndOneAnswer(t *testing.T) {
	f := newReplayFixture(t)
	before, err := f.store.Seq(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r := f.favorite(ozeki.NewRequestID())
	answers := make([]string, 20)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() { answers[i] = f.send(r).want(t, "").body })
	}
	all.Wait()
	for _, a := range answers {
		if a != answers[0] {
			t.Errorf("answers differ:\n%s\n%s", a, answers[0])
		}
	}
	if after, _ := f.store.Seq(t.Context()); after != before+1 {
		t.Errorf("%d effects", after-before)
	}
}

func TestAFaultLeavesTheIDFree(t *testing.T) {
	f := newReplayFixture(t)
	r := f.favorite(ozeki.NewRequestID())
	f.srv.store = failing{f.store}
	if a := f.send(r).want(t, ozeki.CodeInternal); a.http != 500 {
		t.Errorf("HTTP %d", a.http)
	}
	f.srv.store = busy{f.store}
	if a := f.send(r).want(t, ozeki.CodeInternal); a.http != 503 {
		t.Errorf("HTTP %d", a.http)
	}
	f.srv.store = f.store
	f.send(r).want(t, "")
	if !f.isFavorite() {
		t.Error("the repeat had no effect")
	}
}

// failing and busy are stores whose transactions fail at their end.
type failing struct{ store.Store }

func (s failing) Update(ctx context.Context, fn func(store.Tx) error) ([]ozeki.UserID, error) {
	return s.Store.Update(ctx, func(tx store.Tx) error {
		_ = fn(tx)
		return fmt.Errorf("sql: secret words of the database at /var/lib")
	})
}

type busy struct{ store.Store }

func (s busy) Update(ctx context.Context, fn func(store.Tx) error) ([]ozeki.UserID, error) {
	return s.Store.Update(ctx, func(tx store.Tx) error {
		_ = fn(tx)
		return fmt.Errorf("commit: %w", store.ErrUnavailable)
	})
}

func TestFiftyClicksEndAsTheLastOne(t *testing.T) {
	f := newReplayFixture(t)
	ctx := t.Context()
	for i := range 50 {
		call := f.alice.Favorite
		if i%2 == 1 {
			call = f.alice.Unfavorite
		}
		c, err := call(ctx, f.c.ID)
		if err != nil {
			t.Fatal(err)
		}
		p, _ := c.PropertyOf(f.alice.id)
		if want := i%2 == 0; p.IsFavorite != want || (len(c.FavoriteBy) == 1) != want {
			t.Fatalf("click %d: %+v", i, c)
		}
	}
	if f.isFavorite() {
		t.Error("the last click was unfavorite")
	}
}

func TestAvailabilityIsNotWrittenAndNotReplayed(t *testing.T) {
	f := newReplayFixture(t)
	call := ozeki.CallAvailability
	r := f.alice.raw(call, f.body(call, field("requestid", ozeki.NewRequestID())))
	first := f.send(r).want(t, "")
	f.clock.move(3 * time.Minute)
	if again := f.send(r); again.body != first.body {
		t.Errorf("repeat: %s", again.body)
	}
	if got := f.srv.presence.of(f.alice.id, f.clock.now()); got != ozeki.Offline {
		t.Errorf("a repeat made the user %s", got)
	}
	other := f.alice.raw(ozeki.CallFriends, strings.Replace(r.body, `"useravailable"`, `"list"`, 1))
	f.send(other).want(t, ozeki.CodeReplayed)
}
