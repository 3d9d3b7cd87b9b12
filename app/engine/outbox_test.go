//go:build !js

package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"starling/app/state"
	"starling/chatserver/store"
	"starling/ozeki"
)

// endSession makes the server forget a device, as an operator or another device of the person can.
func (s *server) endSession(p *person) {
	s.t.Helper()
	station := p.client.Session().Station
	s.update(func(ctx context.Context, tx store.Tx) error { return tx.UnbindStation(ctx, station, p.id) })
}

func signedOut(v *state.Snapshot) bool { return v.Phase == state.SignedOut }

// queued writes texts and sets a star that cannot be sent yet, and returns the ids of the messages.
func (p *person) queued(id ozeki.ConversationID, want ...string) (ids []ozeki.MessageID) {
	p.t.Helper()
	p.wire.set(cut)
	for _, text := range want {
		if err := p.Send(id, text); err != nil {
			p.t.Fatal(err)
		}
	}
	p.Star(id, true)
	v := p.until("all waits", func(v *state.Snapshot) bool {
		return row(v, id).Star == state.FlagQueued && len(v.Open.Messages) == len(want) &&
			!slices.ContainsFunc(v.Open.Messages, func(m state.Message) bool { return m.State != state.MessageQueued })
	})
	for _, m := range v.Open.Messages {
		ids = append(ids, m.ID)
	}
	return ids
}

func TestAnEndedSessionKeepsWhatWaitsForTheNextSignIn(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	id := s.groups(a, 1)[0]
	browser, vault := &tabs{}, NewVault()
	first, second := browser.tab(), browser.tab()
	p := s.device(a, vault, func(o *Options) { o.Neighbours = first })
	p.until("it asks to sign in", signedOut)
	p.signIn()
	p.reading(id)
	ids := p.queued(id, "one", "two", "three")
	s.endSession(p)
	p.wire.set(nil)
	p.Wake()
	v := p.until("it is signed out and says what becomes of the queue", func(v *state.Snapshot) bool { return signedOut(v) && strings.Contains(v.Reason, "kept on this device") })
	if !strings.Contains(v.Reason, "Sign in again") {
		t.Errorf("the reason is %q", v.Reason)
	}
	k, err := vault.Load(context.Background())
	if err != nil || k == nil || !k.Ended || k.Session.Key != nil || len(k.Waiting) != 3 {
		t.Fatalf("kept: %+v, %v", k, err)
	}

	// The sign-in is in another tab; both go on.
	q := s.device(a, vault, func(o *Options) { o.Neighbours = second })
	v = q.until("the second tab asks to sign in", func(v *state.Snapshot) bool { return signedOut(v) && v.Reason != "" })
	if !strings.Contains(v.Reason, "kept on this device") {
		t.Errorf("the second tab's reason is %q", v.Reason)
	}
	q.signIn()
	p.until("the first tab goes on", func(v *state.Snapshot) bool { return v.Loaded })
	eventually(t, "the server has all, in order, under the same ids", func() bool { return slices.Equal(s.messages(a, id), ids) && s.favorite(a, id) })
	for _, tab := range []*person{p, q} {
		tab.reading(id)
		tab.Wake()
		tab.until("all are sent", shows("one", "two", "three"))
	}
}

func TestAnotherUserFindsNothingOfAnEndedSession(t *testing.T) {
	s := newServer(t)
	a, b := s.account(0), s.account(1)
	id := s.direct(a, b)
	p := s.signedIn(a)
	p.reading(id)
	p.queued(id, "private")
	s.endSession(p)
	p.wire.set(nil)
	p.Wake()
	p.until("it is signed out", func(v *state.Snapshot) bool { return signedOut(v) && strings.Contains(v.Reason, "kept on this device") })
	if err := p.SignInWithKey(context.Background(), b.cred.APIKey, b.cred.EncryptionPassword); err != nil {
		t.Fatal(err)
	}
	p.until("the other user sees the list", func(v *state.Snapshot) bool { return v.Loaded })
	k, err := p.vault.Load(context.Background())
	if err != nil || k == nil || k.Session.UserID != b.id || k.waits() {
		t.Errorf("kept: %+v, %v", k, err)
	}
	if got := s.messages(a, id); len(got) != 0 {
		t.Errorf("the server has %v", got)
	}
}

// What waits is still in the page when the browser has cleared its store: it is sent from there.
func TestWhatWaitsIsSentThoughTheStoreWasCleared(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	id := s.groups(a, 1)[0]
	p := s.signedIn(a)
	p.reading(id)
	ids := p.queued(id, "one", "two", "three")
	if err := p.vault.Wipe(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.wire.set(nil)
	p.Wake()
	p.until("all are sent", shows("one", "two", "three"))
	eventually(t, "the server has all, in order, under the same ids", func() bool { return slices.Equal(s.messages(a, id), ids) && s.favorite(a, id) })
}

// twoTabs are two tabs of one browser in which the person is signed in.
func (s *server) twoTabs(a account) (p, q *person) {
	s.t.Helper()
	browser, vault, locks := &tabs{}, NewVault(), NewLocks()
	first, second := browser.tab(), browser.tab()
	p = s.device(a, vault, func(o *Options) { o.Neighbours, o.Locks = first, locks })
	p.until("it asks to sign in", signedOut)
	p.signIn()
	q = s.device(a, vault, func(o *Options) { o.Neighbours, o.Locks = second, locks })
	q.until("the second tab has the list", func(v *state.Snapshot) bool { return v.Loaded && q.allOpened() })
	return p, q
}

// keepsWaiting waits until the device keeps so many messages that were not sent.
func (p *person) keepsWaiting(n int) {
	p.t.Helper()
	eventually(p.t, "the messages are kept", func() bool {
		k, err := p.vault.Load(context.Background())
		return err == nil && k != nil && len(k.Waiting) == n
	})
}

func TestTwoTabsSendEachMessageOnceAndInTheOrderWritten(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	id := s.groups(a, 1)[0]
	p, q := s.twoTabs(a)
	p.reading(id)
	q.reading(id)
	p.wire.set(cut)
	q.wire.set(cut)
	var want []string
	for n := range 6 {
		want = append(want, fmt.Sprint("message ", n))
		_ = []*person{p, q}[n%2].Send(id, want[n])
		p.keepsWaiting(n + 1)
	}
	waits := func(v *state.Snapshot) bool {
		return len(v.Open.Messages) >= 3 && !slices.ContainsFunc(v.Open.Messages, func(m state.Message) bool { return m.State != state.MessageQueued })
	}
	p.until("all wait", waits)
	q.until("all wait", waits)
	tried := p.wire.sent("chatconversation add") + q.wire.sent("chatconversation add")
	p.wire.set(nil)
	q.wire.set(nil)
	eventually(t, "all are sent", func() bool {
		p.Wake()
		q.Wake()
		return len(s.messages(a, id)) == 6 && shows(want...)(p.Snapshot()) && shows(want...)(q.Snapshot())
	})
	if n := p.wire.sent("chatconversation add") + q.wire.sent("chatconversation add") - tried; n != 6 {
		t.Errorf("six messages were sent %d times", n)
	}
}

func TestWhatAClosedTabLeavesIsSentByTheOther(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	id := s.groups(a, 1)[0]
	p, q := s.twoTabs(a)
	p.reading(id)
	ids := p.queued(id, "one", "two")
	p.Close()
	eventually(t, "the other tab has sent it", func() bool {
		q.Wake()
		return slices.Equal(s.messages(a, id), ids) && s.favorite(a, id)
	})
	q.keepsWaiting(0)
	if n := q.wire.sent("chatconversation add"); n != 2 {
		t.Errorf("two messages were sent %d times", n)
	}
}

func TestWhatWasRefusedIsStillRefusedAfterARestart(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	id := s.groups(a, 1)[0]
	p := s.signedIn(a)
	p.reading(id)
	p.wire.set(only(fault{answer: refusing(ozeki.CodeForbidden, "You are blocked.")}, "chatconversation add"))
	_ = p.Send(id, "no")
	refused := func(v *state.Snapshot) bool {
		return v.Open != nil && len(v.Open.Messages) > 0 && v.Open.Messages[0].State == state.MessageFailed && v.Open.Messages[0].Why == "You are blocked."
	}
	p.until("it is refused", refused)
	eventually(t, "the refusal is kept", func() bool {
		queue, _ := p.vault.Queued(context.Background())
		return len(queue) == 1 && queue[0].Refused != ""
	})
	p.Close()
	q := s.device(a, p.vault)
	q.reading(id)
	v := q.until("it is still refused", refused)
	_ = q.Send(id, "yes")
	q.until("the next is sent all the same", func(v *state.Snapshot) bool { return len(s.messages(a, id)) == 1 && v.Unsent == 1 })
	if n := q.wire.sent("chatconversation add"); n != 1 {
		t.Errorf("%d messages were sent", n)
	}
	q.Retry(id, v.Open.Messages[0].ID)
	q.until("both are sent", shows("yes", "no"))
	q.keepsWaiting(0)
}

// crowdedVault has no room for another message.
type crowdedVault struct{ Vault }

func (crowdedVault) Queue(context.Context, ozeki.UserID, Waiting, bool) (int64, bool, error) {
	return 0, false, errors.New("quota exceeded")
}

func TestAMessageThatTheDeviceHasNoRoomForIsGivenBack(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	id := s.groups(a, 1)[0]
	p := s.device(a, crowdedVault{NewVault()})
	p.until("it asks to sign in", signedOut)
	p.signIn()
	p.reading(id)
	done := make(chan error, 2)
	if err := p.Write(id, Writing{Text: "no room", Files: []Attachment{note("notes.txt")}, Done: func(err error) { done <- err }}); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, ErrNotKept) {
		t.Errorf("it gives %v", err)
	}
	v := p.until("it is not shown", func(v *state.Snapshot) bool { return len(v.Open.Messages) == 0 })
	if v.Unsent != 0 || p.wire.sent("chatconversation add") != 0 {
		t.Errorf("unsent: %d, sent: %d", v.Unsent, p.wire.sent("chatconversation add"))
	}
	eventually(t, "its file is forgotten", func() bool { return !keepsFiles(p.vault.(crowdedVault).Vault) && !p.Unkept() })
	kept, err := p.KeepFile(t.Context(), id, note("kept.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Write(id, Writing{Files: []Attachment{{Name: kept.Name, Kept: kept}}, Done: func(err error) { done <- err }}); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, ErrNotKept) {
		t.Errorf("it gives %v", err)
	}
	eventually(t, "one that was kept before is given back", func() bool { return !p.Unkept() && keepsFiles(p.vault.(crowdedVault).Vault) })
}

func TestAStarSurvivesThePageThatGoesAtOnce(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	id := s.groups(a, 1)[0]
	first := s.signedIn(a)
	vault := first.vault
	first.Close()
	going := s.device(a, cutVault{vault})
	going.until("the list is there", func(v *state.Snapshot) bool { return v.Loaded })
	going.Star(id, true)
	going.Leaving()
	going.Close()
	again := s.device(a, vault)
	again.until("the star is there and sent", settled(id, true))
	if !s.favorite(a, id) {
		t.Error("the server does not have it")
	}
	eventually(t, "nothing is kept of it", func() bool {
		k, err := vault.Load(t.Context())
		return err == nil && len(k.Wishes) == 0 && vault.Jotted() == ""
	})
}

// stuckVault forgets no message any more once it is told so.
type stuckVault struct {
	Vault
	stuck *atomic.Bool
}

func (v stuckVault) Unqueue(ctx context.Context, ws ...Waiting) error {
	if v.stuck.Load() {
		return errors.New("read only")
	}
	return v.Vault.Unqueue(ctx, ws...)
}

func TestAMessageThatTheDeviceDoesNotForgetIsSentOnce(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	id := s.groups(a, 1)[0]
	vault := stuckVault{NewVault(), new(atomic.Bool)}
	p := s.device(a, vault)
	p.until("it asks to sign in", signedOut)
	p.signIn()
	p.reading(id)
	vault.stuck.Store(true)
	_ = p.Send(id, "one")
	_ = p.Send(id, "two")
	p.until("both are sent", shows("one", "two"))
	for range 3 {
		n := p.wire.sent("poll")
		p.Wake()
		eventually(t, "a poll is over", func() bool { return p.wire.sent("poll") > n && len(p.timers.polls()) == 1 })
	}
	if n := p.wire.sent("chatconversation add"); n != 2 {
		t.Errorf("two messages were sent %d times", n)
	}
}

func TestAnOrderSurvivesThePageThatGoesAtOnceAndIsThereInOtherTabs(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	ids := s.groups(a, 3)
	before := s.signedIn(a)
	for _, id := range ids {
		before.Star(id, true)
	}
	for _, id := range ids {
		before.until("the stars are there", settled(id, true))
	}
	vault := before.vault
	before.Close()
	going := s.device(a, cutVault{vault})
	order := func(v *state.Snapshot) (ids []ozeki.ConversationID) {
		for _, r := range v.Favorites {
			ids = append(ids, r.ID)
		}
		return ids
	}
	want := order(going.until("the list is there", func(v *state.Snapshot) bool { return v.Loaded && len(v.Favorites) == len(ids) }))
	going.MoveFavorite(want[0], +1)
	want[0], want[1] = want[1], want[0]
	going.Leaving()
	going.Close()
	inOrder := func(v *state.Snapshot) bool { return slices.Equal(order(v), want) }
	browser := &tabs{}
	first, second := browser.tab(), browser.tab()
	again := s.device(a, vault, func(o *Options) { o.Neighbours = first })
	again.until("the order is the last one", inOrder)
	eventually(t, "it is kept", func() bool {
		k, err := vault.Load(t.Context())
		return err == nil && slices.Equal(k.Order, want) && vault.Jotted() == ""
	})
	other := s.device(a, vault, func(o *Options) { o.Neighbours = second })
	other.until("the other tab has it too", inOrder)
	again.PlaceFavorite(want[2], 0)
	want = []ozeki.ConversationID{want[2], want[0], want[1]}
	again.until("it is moved", inOrder)
	other.until("there too", inOrder)
}

// Two messages are sealed at once, and the later one is kept first.
func TestWhatWasWrittenFirstStandsFirstInTheQueue(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	id := s.groups(a, 1)[0]
	p := s.signedIn(a)
	p.wire.set(cut)
	p.mu.Lock()
	run, o := p.run, p.outboxOf(id)
	drafts := []draft{{id: ozeki.NewMessageID(), place: o.turn()}, {id: ozeki.NewMessageID(), place: o.turn()}}
	o.waiting = append(o.waiting, drafts...)
	p.unlock()
	for _, d := range []draft{drafts[1], drafts[0]} {
		if _, err := p.keepSealed(t.Context(), run, o, d, "sealed"); err != nil {
			t.Fatal(err)
		}
	}
	if w, err := p.vault.NextQueued(t.Context(), id, 0); err != nil || w == nil || w.ID != drafts[0].id {
		t.Errorf("the first in the queue is %+v, %v, and not %s", w, err, drafts[0].id)
	}
}

// askedVault lets something happen between its answers to what waits and the moments in which they are taken.
type askedVault struct {
	Vault
	next func()
	all  func() error // nil lets the answer pass
}

func (v *askedVault) NextQueued(ctx context.Context, id ozeki.ConversationID, after int64) (*Waiting, error) {
	w, err := v.Vault.NextQueued(ctx, id, after)
	if then := v.next; then != nil {
		v.next = nil
		then()
	}
	return w, err
}

func (v *askedVault) Queued(ctx context.Context) ([]Waiting, error) {
	ws, err := v.Vault.Queued(ctx)
	if then := v.all; then != nil {
		v.all = nil
		if err := then(); err != nil {
			return nil, err
		}
	}
	return ws, err
}

// threeWait is an outbox with three messages that the device does not keep yet; only the test asks for the next one.
func threeWait(t *testing.T) (p *person, vault *askedVault, run int, o *outbox, drafts []draft) {
	s := newServer(t)
	a := s.account(0)
	id := s.groups(a, 1)[0]
	p = s.signedIn(a, func(o *Options) {
		vault = &askedVault{Vault: o.Vault}
		o.Vault = vault
	})
	p.mu.Lock()
	defer p.unlock()
	run, o = p.run, p.outboxOf(id)
	for range 3 {
		drafts = append(drafts, draft{id: ozeki.NewMessageID(), place: o.turn()})
	}
	o.busy, o.waiting = true, slices.Clone(drafts)
	return p, vault, run, o, drafts
}

// Another tab has sent the first of three messages, and the device does not tell. The order that is known counts, and neither a
// message that is deleted meanwhile is sent nor one that is forgotten with the session.
func TestWhereTheDeviceDoesNotTellNothingWrongIsSent(t *testing.T) {
	busy := errors.New("the device is busy")
	for name, meanwhile := range map[string]func(p *person, o *outbox) error{
		"nothing happens": func(*person, *outbox) error { return busy },
		"the first is deleted": func(p *person, o *outbox) error {
			p.mu.Lock()
			defer p.unlock()
			o.done[o.waiting[2].id] = true
			o.waiting = o.waiting[:2]
			return busy
		},
		"she signs out": func(p *person, _ *outbox) error { p.SignOut(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			p, vault, run, o, drafts := threeWait(t)
			for _, d := range drafts {
				if _, err := p.keepSealed(t.Context(), run, o, d, "sealed"); err != nil {
					t.Fatal(err)
				}
			}
			p.mu.Lock()
			first := o.waiting[0]
			slices.Reverse(o.waiting) // two of them are another tab's, and were heard of later
			p.unlock()
			if err := vault.Unqueue(t.Context(), Waiting{Conversation: o.conversation, ID: first.id, Place: first.place}); err != nil {
				t.Fatal(err)
			}
			vault.all = func() error { return meanwhile(p, o) }
			next, ok := p.nextMessage(t.Context(), run, o)
			if out := name == "she signs out"; ok == out || ok && next.id != drafts[1].id {
				t.Errorf("place %d is to be sent: %t; the places are %d, %d and %d", next.place, ok, drafts[0].place, drafts[1].place, drafts[2].place)
			}
		})
	}
}

// Messages that were written earlier are kept while the device is asked what is to be sent: they are not passed, and not
// taken for sent by another tab.
func TestWhatWasWrittenFirstIsSentFirst(t *testing.T) {
	p, vault, run, o, drafts := threeWait(t)
	keep := func(d draft) {
		if _, err := p.keepSealed(t.Context(), run, o, d, "sealed"); err != nil {
			t.Error(err)
		}
	}
	keep(drafts[2])
	vault.next, vault.all = func() { keep(drafts[1]) }, func() error { keep(drafts[0]); return nil }
	if next, ok := p.nextMessage(t.Context(), run, o); !ok || next.id != drafts[0].id {
		t.Errorf("%s is to be sent first (%v), and not %s", next.id, ok, drafts[0].id)
	}
	if n := len(o.waiting); n != 3 {
		t.Errorf("%d messages wait", n)
	}
}
