//go:build !js

package engine

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"starling/app/state"
	"starling/ozeki"
)

// keptOf is what a person's device keeps.
func keptOf(p *person) *Kept {
	p.t.Helper()
	k, err := p.vault.Load(p.t.Context())
	if err != nil || k == nil {
		p.t.Fatalf("nothing is kept: %v", err)
	}
	return k
}

// holdsNothing reports whether a device keeps nothing of its conversations.
func holdsNothing(p *person) bool {
	k := keptOf(p)
	return len(k.Waiting) == 0 && len(k.Drafts) == 0 && len(k.Read) == 0 && len(k.Wishes) == 0 && !keepsFiles(p.vault)
}

func tells(words ...string) func(*state.Snapshot) bool {
	return func(v *state.Snapshot) bool {
		return slices.ContainsFunc(v.Notices, func(n state.Notice) bool {
			return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(n.Text, w) })
		})
	}
}

func TestWhatWaitsInAGroupGoesWhenAnotherDeviceLeavesIt(t *testing.T) {
	s, alice, bob, _ := circle(t)
	id := alice.group("Team", bob)
	phone := s.signedIn(bob.account)
	phone.reading(id)
	chosen, err := phone.KeepFile(t.Context(), id, note("chosen.txt"))
	if err != nil {
		t.Fatal(err)
	}
	phone.SetDraft(id, &state.Draft{Text: "I was about to", Files: []ozeki.File{*chosen}})
	phone.KeepDrafts()
	hold := make(chan struct{})
	defer close(hold)
	phone.files.set(false, hold)
	if err := phone.Write(id, Writing{Files: []Attachment{note("notes.txt")}}); err != nil {
		t.Fatal(err)
	}
	phone.until("the file is on its way", func(v *state.Snapshot) bool { return filesIn(last(v))[0].Way == state.FileSending })
	if err := phone.Send(id, "after it"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all of it is kept", func() bool {
		k := keptOf(phone)
		return len(k.Waiting) == 2 && len(k.Drafts) == 1 && keepsFiles(phone.vault)
	})
	bob.joins(id, "Team")
	if err := bob.LeaveGroup(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	phone.Wake()
	phone.until("it says what was lost, and gives it back", tells("“Team”", "2 messages", "“after it”"))
	if phone.Unkept() || phone.Snapshot().Unsent != 0 {
		t.Error("something is still being sent")
	}
	eventually(t, "nothing of it is kept", func() bool { return holdsNothing(phone) })
	if err := phone.Send(id, "too late"); err == nil {
		t.Error("a message was taken for a group that is gone")
	}
}

func TestAGroupThatIsLeftTakesWhatWaitsInItAlong(t *testing.T) {
	_, alice, bob, _ := circle(t)
	id := alice.group("Team", bob)
	bob.reading(id)
	bob.files.set(true, nil)
	if err := bob.Write(id, Writing{Files: []Attachment{note("notes.txt")}}); err != nil {
		t.Fatal(err)
	}
	bob.until("it waits", func(v *state.Snapshot) bool { return last(v).State == state.MessageQueued })
	if err := bob.LeaveGroup(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	bob.until("it says what was lost", tells("“Team”", "a message"))
	if bob.Unkept() {
		t.Error("something is still being sent")
	}
	eventually(t, "nothing of it is kept", func() bool { return holdsNothing(bob) })
}

func TestWhatWasKeptForAGroupGoesWhereItWasLeftMeanwhile(t *testing.T) {
	s, alice, bob, _ := circle(t)
	id := alice.group("Team", bob)
	bob.joins(id, "Team")
	bob.reading(id)
	bob.wire.set(cut)
	if err := bob.Send(id, "not sent"); err != nil {
		t.Fatal(err)
	}
	bob.until("it waits", func(v *state.Snapshot) bool { return last(v).State == state.MessageQueued })
	if err := bob.Write(id, Writing{Files: []Attachment{note("waiting.txt")}}); err != nil {
		t.Fatal(err)
	}
	chosen, err := bob.KeepFile(t.Context(), id, note("chosen.txt"))
	if err != nil {
		t.Fatal(err)
	}
	bob.SetDraft(id, &state.Draft{Text: "I was about to", Files: []ozeki.File{*chosen}})
	bob.KeepDrafts()
	eventually(t, "all of it is kept", func() bool {
		k := keptOf(bob)
		return len(k.Waiting) == 2 && len(k.Drafts) == 1 && keepsFiles(bob.vault)
	})
	bob.Close()
	phone := s.signedIn(bob.account)
	if err := phone.LeaveGroup(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	again := s.device(bob.account, bob.vault)
	again.until("it says what was lost", tells("2 messages"))
	eventually(t, "nothing of it is kept", func() bool { return holdsNothing(again) })
}

// A server that says nothing of a conversation, after a restart or because of a proxy, takes nothing away that waits, as long
// as it knows the conversation when it is asked for its messages.
func TestAWrongListLosesNothingThatWaits(t *testing.T) {
	s, id, alice, _ := people(t)
	alice.wire.set(only(fault{before: true}, "chatconversation add"))
	if err := alice.Send(id, "not sent yet"); err != nil {
		t.Fatal(err)
	}
	alice.until("it waits", func(v *state.Snapshot) bool { return last(v).State == state.MessageQueued })
	alice.SetDraft(id, &state.Draft{Text: "I was about to"})
	alice.KeepDrafts()
	eventually(t, "both are kept", func() bool { k := keptOf(alice); return len(k.Waiting) == 1 && len(k.Drafts) == 1 })

	nothing := &ozeki.Response{Status: 200, ContentType: "application/json", Body: []byte(`{"status":"OK","conversations":[]}`)}
	wrong := func(times int) func(string, int) fault {
		return func(call string, _ int) fault {
			switch {
			case call == "chatconversation add":
				return fault{before: true}
			case call == "chatconversation list" && times > 0:
				times--
				return fault{answer: nothing}
			}
			return fault{}
		}
	}
	asked := alice.wire.sent("chatconversation list")
	alice.wire.set(wrong(1))
	alice.Reload()
	eventually(t, "the list is asked for twice", func() bool { return alice.wire.sent("chatconversation list") == asked+2 })
	alice.until("the list has come", func(v *state.Snapshot) bool {
		alice.mu.Lock()
		defer alice.unlock()
		return !alice.poll.listBusy
	})
	if v := alice.Snapshot(); len(texts(v)) == 0 || last(v).Text != "not sent yet" || alice.Draft(id) == nil {
		t.Fatalf("there are %q and the draft %v", texts(v), alice.Draft(id))
	}
	alice.wire.set(wrong(100))
	alice.Reload()
	alice.until("it is said that the list is wrong", func(v *state.Snapshot) bool { return strings.Contains(v.Trouble, "not complete") })
	if v := alice.Snapshot(); last(v).Text != "not sent yet" || alice.Draft(id) == nil || len(keptOf(alice).Waiting) != 1 {
		t.Fatalf("with a list that stays wrong there are %q and the draft %v", texts(v), alice.Draft(id))
	}
	alice.wire.set(wrong(0))
	alice.Reload()
	alice.until("the list is right again", func(v *state.Snapshot) bool { return v.Trouble == "" && row(v, id).ID == id })
	alice.Close()

	// Nor does it at the start, when nothing of it is open yet.
	again := s.device(alice.account, alice.vault, func(o *Options) {
		o.Client = ozeki.NewClient(ozeki.Options{Base: s.http.URL + apiPath, Scheme: scheme, Transport: &wire{
			inner: ozeki.NewTransport(), count: map[string]int{}, now: map[string]int{}, most: map[string]int{}, fault: wrong(3), // a page, and the list twice
		}})
	})
	again.Open(id)
	again.until("it is said that the list is wrong", func(v *state.Snapshot) bool { return strings.Contains(v.Trouble, "not complete") })
	again.Wake()
	again.until("both are there again", func(v *state.Snapshot) bool {
		return slices.Contains(texts(v), "not sent yet") && v.Open.Draft != nil && v.Open.Draft.Text == "I was about to"
	})
}

func TestWhoLeavesAgainSaysSoAgain(t *testing.T) {
	_, alice, bob, _ := circle(t)
	id := alice.group("Team", bob)
	bob.joins(id, "Team")
	before := bob.epochNow(id).Key
	bob.wire.set(only(fault{after: true}, "leave"))
	if err := bob.LeaveGroup(t.Context(), id); err == nil {
		t.Fatal("the answer was not lost")
	}
	bob.wire.set(only(fault{before: true}, "chatconversation list")) // he does not learn that he has left
	alice.reads("Alice created the group", "Bob left")
	if err := alice.AddPeople(t.Context(), id, []state.Friend{bob.friend()}); err != nil {
		t.Fatal(err)
	}
	bob.wire.set(nil)
	bob.Wake()
	bob.until("the new key is open", func(*state.Snapshot) bool {
		e, ok := bob.epoch(id)
		return ok && e.Key != nil && !bytes.Equal(e.Key, before)
	})
	if err := bob.LeaveGroup(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	alice.Wake()
	alice.until("it is said twice", func(v *state.Snapshot) bool {
		n := 0
		for _, l := range lines(v) {
			if l == "Bob left" {
				n++
			}
		}
		return n == 2
	})
}

func TestAConversationThatIsNotFoundIsLookedForInTheList(t *testing.T) {
	s, alice, bob, _ := circle(t)
	id := alice.group("Team", bob)
	phone := s.signedIn(bob.account)
	if err := bob.LeaveGroup(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	phone.Open(id)
	phone.until("it is refused", func(v *state.Snapshot) bool { return v.Open != nil && (v.Open.Trouble != "" || !v.Open.Known) })
	phone.Wake()
	phone.until("it is gone", func(v *state.Snapshot) bool { return row(v, id).ID == "" && !v.Open.Known })
}
