//go:build !js

package engine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"starling/app/state"
	"starling/ozeki"
)

// message is the message with a text.
func message(t *testing.T, v *state.Snapshot, text string) state.Message {
	t.Helper()
	for _, m := range v.Open.Messages {
		if m.Text == text {
			return m
		}
	}
	t.Fatalf("%q is not among %q", text, texts(v))
	return state.Message{}
}

func TestAChangedMessageIsChangedForEverybody(t *testing.T) {
	s := newServer(t)
	a, b := s.account(0), s.account(1)
	id := s.direct(a, b)
	alice, bob := s.signedIn(a), s.signedIn(b)
	alice.reading(id)
	bob.reading(id)
	reply := &ozeki.Reply{ID: ozeki.NewMessageID(), From: b.id, Text: "the question"}
	if err := alice.Write(id, Writing{Text: "an answr", Reply: reply}); err != nil {
		t.Fatal(err)
	}
	sent := func(v *state.Snapshot) bool {
		return len(v.Open.Messages) > 0 && v.Open.Messages[len(v.Open.Messages)-1].State == state.MessageSent && v.Unsent == 0
	}
	m := message(t, alice.until("it is sent", sent), "an answr")
	bob.Wake()
	got := message(t, bob.until("it has come", shows("an answr")), "an answr")
	if got.Reply() == nil || *got.Reply() != *reply || got.ReplySender == "" {
		t.Errorf("what it answers: %+v by %q", got.Reply(), got.ReplySender)
	}
	alice.until("it is in its place", func(*state.Snapshot) bool {
		alice.mu.Lock()
		defer alice.mu.Unlock()
		_, _, ok := alice.state.Stored(id, m.ID)
		return ok
	})
	if err := alice.Edit(context.Background(), id, m.ID, " an answer "); err != nil {
		t.Fatal(err)
	}
	if m := message(t, alice.Snapshot(), "an answer"); !m.Edited || m.Reply() == nil {
		t.Errorf("afterwards: %+v", m)
	}
	bob.Wake()
	v := bob.until("it has changed", shows("an answer"))
	if m := message(t, v, "an answer"); !m.Edited || m.Reply() == nil || len(v.Open.Messages) != 1 {
		t.Errorf("with the other: %+v", v.Open.Messages)
	}
	var words sentence
	if err := bob.Edit(context.Background(), id, m.ID, "mine"); !errors.As(err, &words) {
		t.Errorf("another's message: %v", err)
	}
	for text, want := range map[string]string{" ": "no text", strings.Repeat("x", MaxMessage+1): "too long"} {
		if err := alice.Edit(context.Background(), id, m.ID, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%d bytes: %v", len(text), err)
		}
	}
	alice.wire.set(cut)
	if err := alice.Edit(context.Background(), id, m.ID, "offline"); !errors.Is(err, ozeki.ErrUnreachable) {
		t.Errorf("offline: %v", err)
	}
	message(t, alice.Snapshot(), "an answer")
	alice.wire.set(nil)
	if err := alice.Delete(context.Background(), id, m.ID); err != nil {
		t.Fatal(err)
	}
	bob.Wake()
	v = bob.until("it is gone", func(v *state.Snapshot) bool { return v.Open.Messages[0].Kind == state.KindDeleted })
	if m := v.Open.Messages[0]; m.Text != "" || m.Content != nil || m.From != a.id {
		t.Errorf("what is left: %+v", m)
	}
	if err := alice.Edit(context.Background(), id, m.ID, "again"); err == nil {
		t.Error("a deleted message is edited")
	}
}

func TestAMessageExpiresByItself(t *testing.T) {
	s := newServer(t)
	a, b := s.account(0), s.account(1)
	id := s.direct(a, b)
	alice, bob := s.signedIn(a), s.signedIn(b)
	alice.reading(id)
	bob.reading(id)
	if err := alice.Write(id, Writing{Text: "not for long", Keep: 3 * time.Second}); err != nil {
		t.Fatal(err)
	}
	_ = alice.Send(id, "for long")
	alice.until("both are stored", func(*state.Snapshot) bool { return len(s.messages(a, id)) == 2 })
	bob.Wake()
	if m := message(t, bob.until("they have come", shows("not for long", "for long")), "not for long"); m.Until.IsZero() {
		t.Error("nobody says when it expires")
	}
	for _, p := range []*person{alice, bob} {
		eventually(t, "it is gone", func() bool {
			p.timers.run(time.Millisecond, 3*time.Second-time.Nanosecond)
			return slices.Equal(texts(p.Snapshot()), []string{"for long"})
		})
	}
}

func TestADraftIsKeptSealed(t *testing.T) {
	s := newServer(t)
	a, b := s.account(0), s.account(1)
	id := s.direct(a, b)
	p := s.signedIn(a)
	p.reading(id)
	reply := &ozeki.Reply{ID: ozeki.NewMessageID(), From: b.id, Text: "what"}
	p.SetDraft(id, &state.Draft{Text: "I was about", Reply: reply})
	p.SetDraft(id, &state.Draft{Text: "I was about to", Reply: reply})
	if row, ok := p.Snapshot().Row(id); !ok || !row.Draft {
		t.Errorf("the row does not say so: %+v", row)
	}
	if d := p.Draft(id); d == nil || d.Text != "I was about to" {
		t.Errorf("the draft is %+v", d)
	}
	p.KeepDrafts()
	kept := func() *Kept {
		k, err := p.vault.Load(t.Context())
		if err != nil || k == nil {
			t.Fatal(err)
		}
		return k
	}
	eventually(t, "it is kept", func() bool { return kept().Drafts[id] != "" })
	if strings.Contains(kept().Drafts[id], "about") {
		t.Error("it is kept in clear")
	}
	again := s.device(a, p.vault)
	again.until("the row says so", func(v *state.Snapshot) bool { row, ok := v.Row(id); return ok && row.Draft })
	again.Open(id)
	v := again.until("it is opened", func(v *state.Snapshot) bool { return v.Open != nil && v.Open.Draft != nil })
	if d := v.Open.Draft; d.Text != "I was about to" || d.Reply == nil || *d.Reply != *reply {
		t.Errorf("it has become %+v", d)
	}
	again.SetDraft(id, nil)
	again.KeepDrafts()
	eventually(t, "it is forgotten", func() bool {
		k, err := again.vault.Load(t.Context())
		return err == nil && k != nil && len(k.Drafts) == 0
	})
	if row, _ := again.Snapshot().Row(id); row.Draft {
		t.Error("the row still says so")
	}
}

func TestAMessageFarBackIsSought(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	id := s.groups(a, 1)[0]
	s.write(a, id, 180)
	p := s.signedIn(a)
	p.reading(id)
	old := s.messages(a, id)[3]
	found := make(chan bool, 1)
	p.Seek(id, old, func() { found <- true })
	p.until("it is at hand", func(v *state.Snapshot) bool { return slices.Contains(texts(v), "message 3") })
	<-found
	if n := p.wire.sent("downloadpartial"); n != 2 {
		t.Errorf("%d pages were asked for: the newest, and one back to it", n)
	}
	p.Seek(id, ozeki.NewMessageID(), func() { t.Error("what is not there was found") })
	p.until("that it is gone is told", func(v *state.Snapshot) bool {
		return slices.ContainsFunc(v.Notices, func(n state.Notice) bool { return strings.Contains(n.Text, "no longer there") })
	})
}

func TestAChangeOfAMessageThatIsOnItsWayIsNotMissed(t *testing.T) {
	s := newServer(t)
	a, b := s.account(0), s.account(1)
	id := s.direct(a, b)
	s.write(a, id, 720)
	alice, bob := s.signedIn(a), s.signedIn(b)
	all := s.messages(a, id)
	bob.reading(id)
	known := func() state.Known {
		bob.mu.Lock()
		defer bob.unlock()
		return bob.state.Timeline(id)
	}
	whileHeld := func(call string, load func(), n int) {
		t.Helper()
		before := known().Revision
		hold := make(chan struct{})
		nth := bob.wire.sent(call) + 1
		bob.wire.set(func(c string, n int) fault {
			if c == call && n == nth {
				return fault{hold: hold}
			}
			return fault{}
		})
		bob.wire.mu.Lock()
		held := bob.wire.held
		bob.wire.mu.Unlock()
		load()
		eventually(t, "the page is on its way", func() bool {
			bob.wire.mu.Lock()
			defer bob.wire.mu.Unlock()
			return bob.wire.held > held
		})
		if _, err := alice.client.DeleteMessage(t.Context(), ozeki.MessageDeleteRequest{ConversationID: id, Instance: instanceOf(t, s, a, id), MessageID: all[n]}); err != nil {
			t.Fatal(err)
		}
		bob.Wake()
		bob.until("the change is known", func(*state.Snapshot) bool { return known().Revision > before })
		close(hold)
		bob.until("its message is gone", func(v *state.Snapshot) bool {
			i := slices.IndexFunc(v.Open.Messages, func(m state.Message) bool { return m.ID == all[n] })
			return i >= 0 && v.Open.Messages[i].Kind == state.KindDeleted
		})
	}
	whileHeld("downloadpartial", func() { bob.Older(id) }, 650)
	for known().More {
		first := known().First.ID
		bob.Older(id)
		bob.until("older ones are there", func(*state.Snapshot) bool { k := known(); return k.First.ID != first && !k.Busy })
	}
	if !known().Cut {
		t.Fatal("all of it is at hand")
	}
	whileHeld("download", func() { bob.Later(id) }, 610)
}

// cutVault is a vault in which nothing is written any more: the page is going.
type cutVault struct{ Vault }

func (cutVault) Update(ctx context.Context, _ func(*Kept)) error {
	<-ctx.Done()
	return ctx.Err()
}

func (cutVault) Queue(ctx context.Context, _ ozeki.UserID, _ Waiting, _ bool) (int64, bool, error) {
	<-ctx.Done()
	return 0, false, ctx.Err()
}

func TestADraftSurvivesThePageThatGoesAtOnce(t *testing.T) {
	s := newServer(t)
	a, b := s.account(0), s.account(1)
	id := s.direct(a, b)
	first := s.signedIn(a)
	vault := first.vault
	first.Close()
	going := s.device(a, cutVault{vault})
	going.reading(id)
	going.SetDraft(id, &state.Draft{Text: "I was about to"})
	going.Leaving()
	going.Close()
	if jot := vault.Jotted(); jot == "" || strings.Contains(jot, "about") {
		t.Errorf("it is kept as %q", jot)
	}
	again := s.device(a, vault)
	again.Open(id)
	v := again.until("it is there", func(v *state.Snapshot) bool { return v.Open != nil && v.Open.Draft != nil })
	if v.Open.Draft.Text != "I was about to" {
		t.Errorf("it has become %+v", v.Open.Draft)
	}
	eventually(t, "it is among what is kept", func() bool {
		k, err := vault.Load(t.Context())
		return err == nil && k.Drafts[id] != "" && vault.Jotted() == ""
	})
}
