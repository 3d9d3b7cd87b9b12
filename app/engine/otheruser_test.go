//go:build !js

package engine

import (
	"testing"

	"starling/app/state"
)

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
