//go:build !js

package engine

import (
	"testing"

	"starling/app/state"
)

// otherUser are two tabs of a browser after the session of Alice was ended and Bob has signed in in the first. The second did not
// hear of that: it still has Alice's session, and no connection.
func (s *server) otherUser(a, b account) (bob, alice *person) {
	s.t.Helper()
	browser, vault, locks := &tabs{}, NewVault(), NewLocks()
	first, second := browser.tab(), browser.tab()
	bob = s.device(a, vault, func(o *Options) { o.Neighbours, o.Locks = first, locks })
	bob.until("it asks to sign in", signedOut)
	bob.signIn()
	alice = s.device(a, vault, func(o *Options) { o.Neighbours, o.Locks = deaf{second}, locks })
	alice.until("the second tab is in", func(v *state.Snapshot) bool { return v.Loaded && alice.allOpened() })
	alice.wire.set(cut)
	eventually(s.t, "nothing of hers is on its way, which would tell her", alice.wire.idle)
	s.endSession(bob)
	bob.Wake()
	bob.until("it is signed out", signedOut)
	bob.account = b
	bob.signIn()
	bob.until("the other user sees the list", func(v *state.Snapshot) bool { return v.Loaded && bob.allOpened() })
	return bob, alice
}

// deaf hears nothing of other tabs, as one that the browser has frozen.
type deaf struct{ Neighbours }

func (deaf) Listen(func(Note)) {}

// Whoever has signed in on a device gets nothing of what a tab of the user before does, which has not learned of it.
func TestATabOfAnotherUserKeepsNothingInHisName(t *testing.T) {
	s := newServer(t)
	a, b := s.account(0), s.account(1)
	id := s.direct(a, b)
	for _, act := range []func(alice *person){
		func(alice *person) {
			said := make(chan error, 1)
			if err := alice.Write(id, Writing{Text: "of Alice", Done: func(err error) { said <- err }}); err != nil {
				t.Fatal(err)
			}
			if err := <-said; err == nil {
				t.Error("the message is said to be kept")
			}
		},
		func(alice *person) { alice.Star(id, true) },
		func(alice *person) {
			alice.SetDraft(id, &state.Draft{Text: "begun by Alice"})
			alice.KeepDrafts()
		},
	} {
		bob, alice := s.otherUser(a, b)
		act(alice)
		alice.until("the second tab goes on as the user who has signed in", func(v *state.Snapshot) bool { return v.User.ID == b.id })
		k, err := bob.vault.Load(t.Context())
		if err != nil || k == nil || k.Session.UserID != b.id || k.waits() {
			t.Errorf("kept: %+v, %v", k, err)
		}
		if n := len(s.messages(b, id)); n != 0 {
			t.Errorf("%d messages were sent", n)
		}
		alice.Close()
		bob.Close()
	}
}

func TestATabWhoseSessionHasEndedLeavesNothingToTheUserWhoHasSignedIn(t *testing.T) {
	s := newServer(t)
	a, b := s.account(0), s.account(1)
	id := s.direct(a, b)
	bob, alice := s.otherUser(a, b)
	alice.SetDraft(id, &state.Draft{Text: "begun by Alice"})
	alice.mu.Lock() // a flag that is not written yet
	alice.state.Apply(state.FlagWanted{ID: id, Flag: state.FlagFavorite, Value: state.On})
	alice.saving = true
	alice.keepWish(id, state.FlagFavorite)
	alice.unlock()
	alice.wire.set(nil)
	alice.Wake()
	alice.until("the second tab goes on as the user who has signed in", func(v *state.Snapshot) bool { return v.User.ID == b.id && v.Loaded })
	k, err := bob.vault.Load(t.Context())
	if err != nil || k == nil || k.Session.UserID != b.id || k.waits() {
		t.Errorf("kept: %+v, %v", k, err)
	}
	alice.reading(id)
	if d := alice.Draft(id); d != nil {
		t.Errorf("the other user finds %+v in the composer", d)
	}
}

// What one user jotted in the moment of leaving is not another's, who signs in next.
func TestWhatWasJottedIsItsUsersAlone(t *testing.T) {
	s := newServer(t)
	a, b := s.account(0), s.account(1)
	id := s.direct(a, b)
	p := s.signedIn(a)
	p.until("all is open", func(v *state.Snapshot) bool { return v.Loaded && p.allOpened() })
	p.SetDraft(id, &state.Draft{Text: "begun by Alice"})
	p.Leaving()
	jot := p.vault.Jotted()
	if jot == "" {
		t.Fatal("nothing was jotted")
	}
	p.Close()
	vault := NewVault()
	vault.Jot(jot) // all but this was cleared
	q := s.device(b, vault)
	q.until("it asks to sign in", signedOut)
	q.signIn()
	q.reading(id)
	q.until("the draft is open, if there is one", func(v *state.Snapshot) bool { return vault.Jotted() == "" })
	if k, err := vault.Load(t.Context()); err != nil || k == nil || k.waits() {
		t.Errorf("kept: %+v, %v", k, err)
	}
	if d := q.Draft(id); d != nil {
		t.Errorf("the other user finds %+v in the composer", d)
	}
}

func TestATabGoesOnWithTheUserWhoHasSignedInInAnother(t *testing.T) {
	s := newServer(t)
	a, b := s.account(0), s.account(1)
	s.direct(a, b)
	browser, vault := &tabs{}, NewVault()
	first, second := browser.tab(), browser.tab()
	p := s.device(a, vault, func(o *Options) { o.Neighbours = first })
	p.until("it asks to sign in", signedOut)
	p.signIn()
	q := s.device(a, vault, func(o *Options) { o.Neighbours = second })
	q.until("the second tab is in", func(v *state.Snapshot) bool { return v.Loaded })
	q.wire.set(cut)
	s.endSession(p)
	p.Wake()
	p.until("it is signed out", signedOut)
	p.cred = b.cred
	p.signIn()
	q.until("the second tab goes on as the other user", func(v *state.Snapshot) bool { return v.User.ID == b.id })
}
