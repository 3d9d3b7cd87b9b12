//go:build !js

package engine

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"starling/app/state"
	"starling/chatserver/store"
	"starling/ozeki"
)

// circle are three friends who are signed in.
func circle(t *testing.T) (s *server, alice, bob, carol *person) {
	t.Helper()
	s = newServer(t)
	a, b, c := s.account(0), s.account(1), s.account(2)
	s.update(func(ctx context.Context, tx store.Tx) error {
		return errors.Join(tx.AddFriends(ctx, a.id, b.id), tx.AddFriends(ctx, a.id, c.id), tx.AddFriends(ctx, b.id, c.id))
	})
	return s, s.signedIn(a), s.signedIn(b), s.signedIn(c)
}

func (a account) friend() state.Friend { return state.Friend{ID: a.id, Name: a.name} }

// group makes a group, and the others open it.
func (p *person) group(name string, others ...*person) ozeki.ConversationID {
	p.t.Helper()
	var friends []state.Friend
	for _, o := range others {
		friends = append(friends, o.friend())
	}
	id, err := p.CreateGroup(context.Background(), name, friends)
	if err != nil {
		p.t.Fatal(err)
	}
	p.reading(id)
	for _, o := range others {
		o.joins(id, strings.TrimSpace(name))
	}
	return id
}

// joins waits until a group has come to the person's list, and opens it.
func (p *person) joins(id ozeki.ConversationID, name string) {
	p.t.Helper()
	p.Wake()
	p.until("the group is there", func(v *state.Snapshot) bool { return row(v, id).Name == name && row(v, id).Opened })
	p.reading(id)
}

// lines are the messages as they are read: events with who has done it.
func lines(v *state.Snapshot) (out []string) {
	if v.Open != nil {
		for _, m := range v.Open.Messages {
			if m.Kind == state.KindEvent {
				out = append(out, m.Spoken())
			} else {
				out = append(out, m.Text)
			}
		}
	}
	return out
}

func (p *person) reads(want ...string) {
	p.t.Helper()
	p.Wake()
	p.until("it reads "+strings.Join(want, "|"), func(v *state.Snapshot) bool { return slices.Equal(lines(v), want) && v.Unsent == 0 })
}

func (p *person) says(id ozeki.ConversationID, text string) {
	p.t.Helper()
	if err := p.Send(id, text); err != nil {
		p.t.Fatal(err)
	}
	p.until("it is stored", func(v *state.Snapshot) bool { return slices.Contains(lines(v), text) && v.Unsent == 0 })
}

func (p *person) epochNow(id ozeki.ConversationID) state.Epoch {
	e, _ := p.epoch(id)
	return e
}

func TestAGroupIsMadeNamedAndTalkedIn(t *testing.T) {
	_, alice, bob, carol := circle(t)
	id := alice.group(" Team ", bob, carol)
	alice.says(id, "hello")
	bob.reads("Alice created the group", "hello")
	bob.says(id, "hi")
	carol.reads("Alice created the group", "hello", "hi")
	if m := carol.Snapshot().Open.Messages[2]; m.Sender != "Bob" {
		t.Errorf("%+v", m)
	}
	if err := carol.RenameGroup(t.Context(), id, "Crew"); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*person{alice, bob, carol} {
		p.Wake()
		p.until("it has the new name", func(v *state.Snapshot) bool { return row(v, id).Name == "Crew" })
		p.reads("Alice created the group", "hello", "hi", "Carol renamed the group to Crew")
	}
	if err := alice.RenameGroup(t.Context(), id, "Crew"); err != nil || alice.wire.sent("rename") != 0 {
		t.Errorf("the same name was sent, %v", err)
	}
	for _, name := range []string{"", " \n", strings.Repeat("x", MaxGroupName+1)} {
		if _, err := alice.CreateGroup(t.Context(), name, nil); err == nil || Words(err) == "" || strings.HasPrefix(Words(err), "Something") {
			t.Errorf("%q: %v", name, err)
		}
		if err := alice.RenameGroup(t.Context(), id, name); err == nil {
			t.Errorf("renamed to %q", name)
		}
	}
}

func TestANewcomerReadsNothingFromBefore(t *testing.T) {
	s, alice, bob, carol := circle(t)
	id := alice.group("Team", bob)
	alice.says(id, "before")
	bob.reads("Alice created the group", "before")
	if err := bob.AddPeople(t.Context(), id, []state.Friend{carol.friend()}); err != nil {
		t.Fatal(err)
	}
	carol.joins(id, "Team")
	carol.reads("Bob added Carol")
	alice.reads("Alice created the group", "before", "Bob added Carol")
	alice.says(id, "after")
	carol.reads("Bob added Carol", "after")
	carol.says(id, "thanks")
	bob.reads("Alice created the group", "before", "Bob added Carol", "after", "thanks")
	// Nor does the server give it.
	c, err := s.store.Conversation(t.Context(), carol.id, id)
	if err != nil || c.Since == 0 {
		t.Error(c, err)
	}
	err = bob.AddPeople(t.Context(), id, []state.Friend{{ID: ozeki.UserIDOf("nobody"), Name: "Nobody"}})
	if Words(err) != "Nobody is not among your friends any more. Add this person again." {
		t.Error(err)
	}
}

// Whoever has left can read nothing that is written afterwards, not even with all that he knows and the server's help.
func TestWhoHasLeftCannotReadOn(t *testing.T) {
	s, alice, bob, carol := circle(t)
	id := alice.group("Team", bob, carol)
	alice.says(id, "before")
	bob.reads("Alice created the group", "before")
	known, _ := func() ([]byte, ozeki.Instance) {
		bob.mu.Lock()
		defer bob.unlock()
		return bob.state.Key(id)
	}()
	if err := bob.LeaveGroup(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	bob.until("it is gone", func(v *state.Snapshot) bool { return row(v, id).ID == "" && !v.Open.Known })
	alice.reads("Alice created the group", "before", "Bob left")
	alice.until("the key is to be changed", func(*state.Snapshot) bool { return alice.epochNow(id).Rekey })
	alice.says(id, "after")
	if e := alice.epochNow(id); e.Number != 1 || e.Rekey {
		t.Errorf("%+v", e)
	}
	carol.reads("Alice created the group", "before", "Bob left", "after")
	carol.says(id, "indeed")
	alice.reads("Alice created the group", "before", "Bob left", "after", "indeed")
	if row := row(carol.Snapshot(), id); row.Name != "Team" || row.Trouble {
		t.Errorf("%+v", row)
	}

	list, err := s.store.Messages(t.Context(), store.MessageQuery{Conversation: id, Instance: instanceOf(t, s, alice.account, id), Now: time.Now(), Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	var readable []string
	for _, m := range list {
		if o := scheme.Open(t.Context(), []ozeki.Sealed{{Key: known, AD: ozeki.MessageAD(id, m.ID), Data: m.Data}})[0]; o.Err == nil {
			var c ozeki.Content
			_ = json.Unmarshal(o.Plaintext, &c)
			readable = append(readable, c.Text)
		}
	}
	if want := []string{"created the group", "before", "left"}; !slices.Equal(readable, want) {
		t.Errorf("with his key he reads %q, want %q", readable, want)
	}

	// He comes back, as a newcomer, and cannot read what was written meanwhile.
	if err := alice.AddPeople(t.Context(), id, []state.Friend{bob.friend()}); err != nil {
		t.Fatal(err)
	}
	bob.joins(id, "Team")
	bob.reads("Alice added Bob")

	// A device that starts afterwards opens everything, under both keys.
	again := s.signedIn(carol.account)
	again.reading(id)
	again.reads("Alice created the group", "before", "Bob left", "after", "indeed", "Alice added Bob")
	for i, m := range again.Snapshot().Open.Messages {
		if m.Sender == "Somebody" {
			t.Errorf("message %d has no sender", i)
		}
	}
}

func instanceOf(t *testing.T, s *server, a account, id ozeki.ConversationID) ozeki.Instance {
	t.Helper()
	c, err := s.store.Conversation(t.Context(), a.id, id)
	if err != nil {
		t.Fatal(err)
	}
	return c.Instance
}

// The key is changed before it is needed, too, and by one client of many.
func TestTheKeyIsChangedSoonAfterSomebodyHasLeft(t *testing.T) {
	s, alice, bob, carol := circle(t)
	id := alice.group("Team", bob, carol)
	if err := carol.LeaveGroup(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*person{alice, bob} {
		p.Wake()
		p.until("the key is to be changed", func(*state.Snapshot) bool { return p.epochNow(id).Rekey })
		eventually(t, "it will be", func() bool {
			return slices.ContainsFunc(p.timers.durations(), func(d time.Duration) bool { return d >= RekeyFirst && d < RekeyLast && d != PollActive })
		})
	}
	// Both at once: both ask for the members before either has changed anything.
	var asked sync.WaitGroup
	asked.Add(2)
	both := make(chan struct{})
	go func() { asked.Wait(); close(both) }()
	for _, p := range []*person{alice, bob} {
		p.wire.set(func(call string, n int) fault {
			if call == "rekey" && n == 1 {
				asked.Done()
				return fault{first: both}
			}
			return fault{}
		})
		p.timers.run(RekeyFirst+1, RekeyLast)
	}
	for _, p := range []*person{alice, bob} {
		p.until("the key is changed", func(*state.Snapshot) bool { e := p.epochNow(id); return e.Number == 1 && !e.Rekey && e.Key != nil })
	}
	c, err := s.store.Conversation(t.Context(), alice.id, id)
	if err != nil || c.Epoch != 1 || len(c.Secrets) != 1 {
		t.Errorf("%+v %v", c, err)
	}
	alice.says(id, "hello")
	bob.reads("Alice created the group", "Carol left", "hello")
	if v := alice.Snapshot(); len(v.Notices) != 0 {
		t.Errorf("notices %+v", v.Notices)
	}
}

func TestTwoPeopleAddTheSameFriendAtOnce(t *testing.T) {
	s, alice, bob, carol := circle(t)
	id := alice.group("Team", bob)
	errs := make(chan error)
	for _, p := range []*person{alice, bob} {
		go func() { errs <- p.AddPeople(t.Context(), id, []state.Friend{carol.friend()}) }()
	}
	if err := errors.Join(<-errs, <-errs); err != nil {
		t.Error(err)
	}
	carol.joins(id, "Team")
	alice.says(id, "hello")
	carol.Wake()
	carol.until("she reads it", func(v *state.Snapshot) bool { return slices.Contains(lines(v), "hello") })
	if c, err := s.store.Conversation(t.Context(), carol.id, id); err != nil || len(c.Participants) != 3 {
		t.Error(c, err)
	}
}

// A client that was away while somebody left and the key was changed finds out by the server's refusal, and what it has
// written meanwhile arrives once, under the new key.
func TestWhatWasWrittenOfflineArrivesUnderTheNewKey(t *testing.T) {
	for name, f := range map[string]fault{"it never arrived": {before: true}, "only its answer was lost": {after: true}} {
		t.Run(name, func(t *testing.T) {
			_, alice, bob, carol := circle(t)
			id := alice.group("Team", bob, carol)
			carol.wire.set(func(call string, n int) fault {
				if call == "chatconversation add" {
					return f
				}
				return fault{before: true}
			})
			if err := carol.Send(id, "from the train"); err != nil {
				t.Fatal(err)
			}
			carol.until("it is queued", func(v *state.Snapshot) bool { return v.Offline && v.Unsent == 1 })
			if err := bob.LeaveGroup(t.Context(), id); err != nil {
				t.Fatal(err)
			}
			alice.Wake()
			alice.until("the key is to be changed", func(*state.Snapshot) bool { return alice.epochNow(id).Rekey })
			alice.says(id, "who is here?")
			carol.wire.set(nil)
			carol.Wake()
			v := carol.until("it is stored", func(v *state.Snapshot) bool {
				return v.Unsent == 0 && slices.Contains(lines(v), "from the train") && slices.Contains(lines(v), "who is here?")
			})
			for _, m := range v.Open.Messages {
				if m.Trouble || m.State != state.MessageSent {
					t.Errorf("%+v", m)
				}
			}
			alice.Wake()
			alice.until("she reads it", func(v *state.Snapshot) bool { return slices.Contains(lines(v), "from the train") })
			if e := carol.epochNow(id); e.Number != 1 {
				t.Errorf("%+v", e)
			}
		})
	}
}

// While the key cannot be changed, nothing is sent under the old one: it waits.
func TestNothingIsSentUnderAKeyThatSomebodyTookAlong(t *testing.T) {
	s, alice, bob, carol := circle(t)
	id := alice.group("Team", bob, carol)
	if err := bob.LeaveGroup(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	carol.wire.set(only(fault{before: true}, "members", "rekey"))
	before := len(s.messages(alice.account, id))
	if err := carol.Send(id, "a secret"); err != nil { // she does not even know that Bob has left
		t.Fatal(err)
	}
	carol.until("it waits", func(v *state.Snapshot) bool {
		m := v.Open.Messages
		return v.Unsent == 1 && m[len(m)-1].State == state.MessageQueued
	})
	if n := len(s.messages(alice.account, id)); n != before {
		t.Errorf("the server has %d messages more", n-before)
	}
	carol.wire.set(nil)
	carol.Wake()
	carol.until("it is stored", func(v *state.Snapshot) bool { return v.Unsent == 0 })
	alice.Wake()
	alice.until("she reads it", func(v *state.Snapshot) bool { return slices.Contains(lines(v), "a secret") })
}

func TestLeavingIsRepeatedWithOneFarewell(t *testing.T) {
	s, alice, bob, _ := circle(t)
	id := alice.group("Team", bob)
	bob.wire.set(only(fault{before: true}, "leave"))
	if err := bob.LeaveGroup(t.Context(), id); !errors.Is(err, ozeki.ErrUnreachable) {
		t.Fatal(err)
	}
	if r := row(bob.Snapshot(), id); r.ID == "" {
		t.Error("it is gone though he could not leave")
	}
	bob.wire.set(nil)
	if err := bob.LeaveGroup(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	alice.reads("Alice created the group", "Bob left")
	if n := len(s.messages(alice.account, id)); n != 2 {
		t.Errorf("%d messages", n)
	}
	if err := alice.LeaveGroup(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if err := alice.AddPeople(t.Context(), id, []state.Friend{bob.friend()}); err == nil {
		t.Error("somebody was added to what is gone")
	}
}

func TestTheUsersOtherDeviceLeavesTheGroupToo(t *testing.T) {
	s, alice, bob, _ := circle(t)
	id := alice.group("Team", bob)
	phone := s.signedIn(bob.account)
	phone.reading(id)
	if err := bob.LeaveGroup(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	phone.Wake()
	phone.until("it is gone", func(v *state.Snapshot) bool { return row(v, id).ID == "" && !v.Open.Known })
}

func TestADraftGoesWithTheGroup(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	id := s.groups(a, 1)[0]
	p := s.signedIn(a)
	p.reading(id)
	p.SetDraft(id, &state.Draft{Text: "I was about to"})
	p.KeepDrafts()
	kept := func() map[ozeki.ConversationID]string {
		k, err := p.vault.Load(t.Context())
		if err != nil || k == nil {
			t.Fatal(err)
		}
		return k.Drafts
	}
	eventually(t, "it is kept", func() bool { return kept()[id] != "" })
	if err := p.LeaveGroup(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is forgotten", func() bool { return len(kept()) == 0 })
}
