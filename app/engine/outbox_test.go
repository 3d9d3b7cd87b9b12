//go:build !js

package engine

import (
	"context"
	"slices"
	"strings"
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
