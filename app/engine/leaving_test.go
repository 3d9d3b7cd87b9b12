//go:build !js

package engine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"starling/app/state"
	"starling/ozeki"
)

// keptDraftOf is somebody who has begun to write, has paused, and whose page goes as soon as he has sent it.
func keptDraftOf(t *testing.T, text string) (s *server, id ozeki.ConversationID, vault Vault, going *person) {
	t.Helper()
	s, id, alice, _ := people(t)
	alice.SetDraft(id, &state.Draft{Text: text})
	alice.KeepDrafts()
	eventually(t, "the draft is kept", func() bool { return keptOf(alice).Drafts[id] != "" })
	alice.Close()
	going = s.device(alice.account, cutVault{alice.vault})
	going.reading(id)
	going.until("the draft is there", func(v *state.Snapshot) bool { return v.Open != nil && v.Open.Draft != nil })
	return s, id, alice.vault, going
}

func TestAMessageSurvivesThePageThatGoesAtOnce(t *testing.T) {
	s, id, vault, going := keptDraftOf(t, "see you at nine")
	if err := going.Send(id, "see you at nine"); err != nil {
		t.Fatal(err)
	}
	if err := going.Send(id, "or at ten"); err != nil {
		t.Fatal(err)
	}
	going.SetDraft(id, nil)
	going.Leaving()
	going.Close()
	if jot := vault.Jotted(); jot == "" || strings.Contains(jot, "nine") {
		t.Errorf("it is kept as %q", jot)
	}
	again := s.device(going.account, vault)
	again.reading(id)
	v := again.until("both are stored", func(v *state.Snapshot) bool { return v.Unsent == 0 && shows("see you at nine", "or at ten")(v) })
	if v.Open.Draft != nil || v.Open.Opening {
		t.Errorf("what was sent stands in the composer, too: %+v", v.Open.Draft)
	}
	if n := len(s.messages(going.account, id)); n != 2 {
		t.Errorf("the server has %d messages", n)
	}
	eventually(t, "nothing is kept of it", func() bool {
		k, err := vault.Load(t.Context())
		return err == nil && len(k.Waiting) == 0 && len(k.Drafts) == 0 && vault.Jotted() == ""
	})
}

// A tab that stays takes back only what it has jotted itself.
func TestWhatAnotherTabHasJottedStays(t *testing.T) {
	s, id, vault, going := keptDraftOf(t, "see you at nine")
	other := s.groups(going.account, 1)[0]
	stays := s.device(going.account, vault)
	stays.reading(other)
	if err := going.Send(id, "see you at nine"); err != nil {
		t.Fatal(err)
	}
	going.SetDraft(id, nil)
	going.Leaving()
	going.Close()
	for _, text := range []string{"half a thought", "a whole one"} { // it is hidden, and seen again
		stays.SetDraft(other, &state.Draft{Text: text})
		before := keptOf(stays).Drafts[other]
		stays.Leaving()
		eventually(t, "it is kept", func() bool { d := keptOf(stays).Drafts[other]; return d != "" && d != before })
		eventually(t, "it is not jotted any more", func() bool {
			return !slices.ContainsFunc(readJot(vault.Jotted()).Begun, func(b begun) bool { return b.ID == other })
		})
	}
	stays.Close()
	again := s.device(going.account, vault)
	again.reading(id)
	v := again.until("the message is stored", func(v *state.Snapshot) bool { return v.Unsent == 0 && shows("see you at nine")(v) })
	if v.Open.Draft != nil {
		t.Errorf("what was sent stands in the composer, too: %+v", v.Open.Draft)
	}
}

// What was jotted and kept as well, or even sent, is one message.
func TestAMessageThatIsJottedAndKeptIsThereOnce(t *testing.T) {
	s, id, alice, _ := people(t)
	let := make(chan struct{})
	going := s.device(alice.account, slowQueue{alice.vault, let})
	going.reading(id)
	if err := going.Send(id, "once"); err != nil {
		t.Fatal(err)
	}
	going.Leaving()
	jot := alice.vault.Jotted()
	close(let) // the page stays after all
	going.until("it is stored", func(v *state.Snapshot) bool { return v.Unsent == 0 && shows("once")(v) })
	eventually(t, "nothing is jotted any more", func() bool { return alice.vault.Jotted() == "" })
	going.Close()
	alice.vault.Jot(jot)
	again := s.device(alice.account, alice.vault)
	again.reading(id)
	again.until("it is there", func(v *state.Snapshot) bool { return v.Unsent == 0 && shows("once")(v) })
	eventually(t, "nothing waits", func() bool { return len(keptOf(again).Waiting) == 0 && again.vault.Jotted() == "" })
	if n := len(s.messages(alice.account, id)); n != 1 || !shows("once")(again.Snapshot()) {
		t.Errorf("the server has %d messages, the client %+v", n, again.Snapshot().Open.Messages)
	}
}

// noRoom keeps no message, once it is let.
type noRoom struct {
	Vault
	let <-chan struct{}
}

func (v noRoom) Queue(ctx context.Context, _ ozeki.UserID, _ Waiting, _ bool) (int64, bool, error) {
	return 0, false, errors.Join(await(ctx, v.let), errors.New("no room"))
}

// A message that was jotted, and given back because the device does not keep it, is not sent behind its writer's back.
func TestAMessageThatIsGivenBackIsNotJottedAnyMore(t *testing.T) {
	s, id, alice, _ := people(t)
	alice.Close()
	let := make(chan struct{})
	p := s.device(alice.account, noRoom{alice.vault, let})
	p.reading(id)
	done := make(chan error, 1)
	if err := p.Write(id, Writing{Text: "not after all", Done: func(err error) { done <- err }}); err != nil {
		t.Fatal(err)
	}
	p.Leaving() // it is hidden
	if len(readJot(alice.vault.Jotted()).Queue) != 1 {
		t.Fatalf("jotted is %q", alice.vault.Jotted())
	}
	close(let)
	if err := <-done; !errors.Is(err, ErrNotKept) {
		t.Fatal(err)
	}
	if jot := alice.vault.Jotted(); strings.Contains(jot, "queue") {
		t.Errorf("jotted is still %q", jot)
	}
}

// A message whose file is not encrypted yet cannot be kept at once: its text comes back to where it was written.
func TestTheTextOfAMessageWithAnUnencryptedFileComesBack(t *testing.T) {
	s, id, vault, going := keptDraftOf(t, "look at this")
	block := make(chan struct{})
	going.sealing(t, id, block)
	if err := going.Write(id, Writing{Text: "look at this", Files: []Attachment{note("notes.txt")}}); err != nil {
		t.Fatal(err)
	}
	going.SetDraft(id, &state.Draft{Text: "and at that"})
	going.Leaving()
	close(block)
	going.Close()
	again := s.device(going.account, vault)
	again.reading(id)
	v := again.until("the text is there", func(v *state.Snapshot) bool { return v.Open.Draft != nil })
	if v.Open.Draft.Text != "look at this\nand at that" {
		t.Errorf("it has become %+v", v.Open.Draft)
	}
}

// sealing holds up the encrypting of messages of a conversation until it is let.
func (p *person) sealing(t *testing.T, id ozeki.ConversationID, let <-chan struct{}) {
	t.Helper()
	p.mu.Lock()
	o := p.outboxOf(id)
	p.mu.Unlock()
	o.sealing.Lock()
	go func() {
		<-let
		o.sealing.Unlock()
	}()
}

// A draft is not given up before what was written of it stands on the device.
func TestADraftStaysUntilItsMessageIsKept(t *testing.T) {
	s, id, alice, _ := people(t)
	alice.SetDraft(id, &state.Draft{Text: "half a thought"})
	alice.KeepDrafts()
	eventually(t, "the draft is kept", func() bool { return keptOf(alice).Drafts[id] != "" })
	kept := alice.vault
	alice.Close()
	let := make(chan struct{})
	p := s.device(alice.account, slowQueue{kept, let})
	p.reading(id)
	p.until("the draft is there", func(v *state.Snapshot) bool { return v.Open.Draft != nil })
	if err := p.Send(id, "half a thought"); err != nil {
		t.Fatal(err)
	}
	p.SetDraft(id, nil)
	p.KeepDrafts()
	p.mu.Lock()
	_, later := p.drafts[id]
	p.mu.Unlock()
	if !later || keptOf(p).Drafts[id] == "" {
		t.Error("a crash would lose it")
	}
	close(let)
	eventually(t, "it is kept as a message alone", func() bool { return keptOf(p).Drafts[id] == "" })
}

// The session may end in the moment in which somebody sends a message.
func TestAMessageThatWasNotKeptWhenTheSessionEndedIsSentAfterTheNextSignIn(t *testing.T) {
	s, id, vault, going := keptDraftOf(t, "see you at nine")
	if err := going.Send(id, "see you at nine"); err != nil {
		t.Fatal(err)
	}
	going.SetDraft(id, nil)
	s.endSession(going)
	going.Wake()
	going.until("it is signed out", signedOut)
	going.Close()
	again := s.device(going.account, vault)
	if again.until("it asks to sign in or is signed in", func(v *state.Snapshot) bool { return v.Phase != state.Starting }); !signedOut(again.Snapshot()) {
		again.Wake() // the device could not note that the session has ended
		again.until("it asks to sign in", signedOut)
	}
	again.signIn()
	again.reading(id)
	again.until("it is stored", func(v *state.Snapshot) bool { return v.Unsent == 0 && shows("see you at nine")(v) })
}

// readingTab is a tab in which somebody reads a conversation, and what opens another tab of the same browser.
func readingTab(t *testing.T) (id ozeki.ConversationID, p *person, another func() *person) {
	t.Helper()
	s := newServer(t)
	a := s.account(0)
	id = s.groups(a, 1)[0]
	browser, vault := &tabs{}, NewVault()
	another = func() *person {
		tab := browser.tab()
		return s.device(a, vault, func(o *Options) { o.Neighbours = tab })
	}
	p = another()
	p.until("it asks to sign in", signedOut)
	p.signIn()
	p.reading(id)
	return id, p, another
}

// Two tabs may have begun to write different things in one conversation.
func TestADraftIsNotLostToWhatAnotherTabSends(t *testing.T) {
	id, p, another := readingTab(t)
	q := another()
	q.reading(id)
	p.SetDraft(id, &state.Draft{Text: "a long considered text"})
	p.KeepDrafts()
	eventually(t, "it is kept", func() bool { return keptOf(p).Drafts[id] != "" })
	long := keptOf(p).Drafts[id]
	q.SetDraft(id, &state.Draft{Text: "ok"})
	q.KeepDrafts()
	eventually(t, "the other tab's is kept", func() bool { return keptOf(q).Drafts[id] != long })
	if err := q.Send(id, "ok"); err != nil {
		t.Fatal(err)
	}
	q.SetDraft(id, nil)
	q.KeepDrafts()
	q.Leaving()
	q.until("it is sent", func(v *state.Snapshot) bool { return v.Unsent == 0 && shows("ok")(v) })
	p.Wake()
	p.until("it has come", shows("ok"))
	p.timers.run(0, draftPause)
	eventually(t, "the first one's is kept again", func() bool { d := keptOf(p).Drafts[id]; return d != "" && p.vault.Jotted() == "" })
	p.Close()
	q.Close()
	again := another()
	again.reading(id)
	v := again.until("a draft is there", func(v *state.Snapshot) bool { return v.Open.Draft != nil })
	if v.Open.Draft.Text != "a long considered text" {
		t.Errorf("it is %+v", v.Open.Draft)
	}
}

// keptAnew sets a draft and waits until the device keeps it.
func (p *person) keptAnew(t *testing.T, id ozeki.ConversationID, text string) {
	t.Helper()
	before := keptOf(p).Drafts[id]
	p.SetDraft(id, &state.Draft{Text: text})
	p.KeepDrafts()
	eventually(t, "it is kept", func() bool { d := keptOf(p).Drafts[id]; return d != "" && d != before })
}

// A page that goes takes along only the draft that it has seen.
func TestAMessageOfAPageThatGoesLeavesTheDraftOfAnotherTab(t *testing.T) {
	s, id, vault, going := keptDraftOf(t, "ok")
	other := s.device(going.account, vault)
	other.reading(id)
	other.until("the draft is there", func(v *state.Snapshot) bool { return v.Open != nil && v.Open.Draft != nil })
	other.keptAnew(t, id, "a long considered text")
	if err := going.Send(id, "ok"); err != nil {
		t.Fatal(err)
	}
	going.SetDraft(id, nil)
	going.Leaving()
	going.Close()
	again := s.device(going.account, vault)
	again.reading(id)
	v := again.until("the message is stored", func(v *state.Snapshot) bool { return v.Unsent == 0 && shows("ok")(v) && v.Open.Draft != nil })
	if v.Open.Draft.Text != "a long considered text" {
		t.Errorf("the draft is %+v", v.Open.Draft)
	}
}

// What a page has jotted that has gone is not in the place of what was written or decided after that.
func TestWhatWasJottedGivesWayToWhatCameLater(t *testing.T) {
	s, id, vault, going := keptDraftOf(t, "one")
	other := s.device(going.account, vault)
	other.reading(id)
	other.until("the draft is there", func(v *state.Snapshot) bool { return v.Open != nil && v.Open.Draft != nil })
	going.SetDraft(id, &state.Draft{Text: "one and two"})
	going.Star(id, true)
	going.Leaving()
	going.Close()
	other.keptAnew(t, id, "another text")
	other.Star(id, true)
	other.until("it is starred", settled(id, true))
	other.Star(id, false)
	other.until("it is not", settled(id, false))
	other.Close()
	for range 2 { // the second time the device keeps both
		again := s.device(going.account, vault)
		again.reading(id)
		v := again.until("a draft is there", func(v *state.Snapshot) bool { return v.Open != nil && v.Open.Draft != nil })
		if v.Open.Draft.Text != "another text\none and two" {
			t.Errorf("the draft is %q", v.Open.Draft.Text)
		}
		again.until("the star is as it was set last", settled(id, false))
		eventually(t, "nothing is jotted", func() bool { return vault.Jotted() == "" })
		again.Close()
	}
	again := s.device(going.account, vault)
	again.reading(id)
	again.until("a draft is there", func(v *state.Snapshot) bool { return v.Open != nil && v.Open.Draft != nil })
	again.SetDraft(id, nil)
	again.KeepDrafts()
	eventually(t, "both are gone", func() bool { return keptOf(again).Drafts[id] == "" })
}

// What one tab has jotted is not in the way of what the user is writing in another one, nor is it lost to that.
func TestWhatWasJottedStaysBesideWhatIsBeingWritten(t *testing.T) {
	s, id, stays, _ := people(t)
	going := s.device(stays.account, cutVault{stays.vault})
	going.reading(id)
	going.SetDraft(id, &state.Draft{Text: "a long considered text"})
	going.Leaving()
	going.Close()
	stays.SetDraft(id, &state.Draft{Text: "first letters"})
	eventually(t, "it is taken over", func() bool {
		stays.Wake()
		return stays.vault.Jotted() == ""
	})
	stays.keptAnew(t, id, "first letters, and more")
	stays.Close()
	again := s.device(stays.account, stays.vault)
	again.reading(id)
	v := again.until("a draft is there", func(v *state.Snapshot) bool { return v.Open != nil && v.Open.Draft != nil })
	if v.Open.Draft.Text != "first letters, and more\na long considered text" {
		t.Errorf("it is %q", v.Open.Draft.Text)
	}
}

// What a closed tab has sent does not stay in the composer of another that had opened it as well.
func TestWhatAClosedTabHasSentIsNotWrittenAgain(t *testing.T) {
	s, id, vault, going := keptDraftOf(t, "ok")
	stays := s.device(going.account, vault)
	stays.reading(id)
	stays.until("the draft is there", func(v *state.Snapshot) bool { return v.Open != nil && v.Open.Draft != nil })
	if err := going.Send(id, "ok"); err != nil {
		t.Fatal(err)
	}
	going.SetDraft(id, nil)
	going.Leaving()
	going.Close()
	eventually(t, "it is sent", func() bool {
		stays.Wake()
		return len(s.messages(going.account, id)) == 1
	})
	stays.until("it is a message alone", func(v *state.Snapshot) bool { return v.Unsent == 0 && shows("ok")(v) && v.Open.Draft == nil })
}

func TestTextsOfTwoTabsAreBothInTheDraft(t *testing.T) {
	edit := keptDraft{Text: "one", Edit: &state.Edit{ID: "m", Was: "was", Now: "now"}}
	for _, d := range []keptDraft{edit.withText(keptDraft{Text: "two"}), keptDraft{Text: "two"}.withText(edit)} {
		if !strings.Contains(d.Text, "one") || !strings.Contains(d.Text, "two") || d.Edit != edit.Edit {
			t.Errorf("it is %+v", d)
		}
	}
	if d := edit.withText(keptDraft{Edit: &state.Edit{ID: "n", Now: "another"}}); d.Text != "one\nanother" || d.Edit != edit.Edit {
		t.Errorf("it is %+v", d)
	}
}

// An earlier version jotted drafts without those that they are in the place of.
func TestADraftThatAnEarlierVersionHasJottedAsSentIsGone(t *testing.T) {
	s, id, alice, _ := people(t)
	alice.keptAnew(t, id, "sent already")
	alice.Close()
	alice.vault.Jot(`{"user":"` + string(alice.account.id) + `","drafts":{"` + string(id) + `":""}}`)
	again := s.device(alice.account, alice.vault)
	again.reading(id)
	again.until("there is none", func(v *state.Snapshot) bool {
		return v.Open != nil && v.Open.Loaded && !v.Open.Opening && v.Open.Draft == nil
	})
}

// A tab that stays sends and shows what one has jotted that has gone.
func TestWhatAClosedTabHasJottedIsTakenOverByTheOther(t *testing.T) {
	s, id, vault, going := keptDraftOf(t, "see you at nine")
	second := s.groups(going.account, 1)[0]
	going.Wake()
	going.reading(second)
	stays := s.device(going.account, vault)
	stays.reading(second)
	if err := going.Send(id, "see you at nine"); err != nil {
		t.Fatal(err)
	}
	going.SetDraft(id, nil)
	going.SetDraft(second, &state.Draft{Text: "begun"})
	going.Leaving()
	going.Close()
	eventually(t, "it is sent", func() bool {
		stays.Wake()
		return len(s.messages(going.account, id)) == 1
	})
	v := stays.until("the draft is there", func(v *state.Snapshot) bool { return v.Open.Draft != nil })
	if r, _ := v.Row(id); r.Draft {
		t.Error("the sent one's row has a draft")
	}
	if v.Open.Draft.Text != "begun" || vault.Jotted() != "" {
		t.Errorf("the draft is %+v, jotted is %q", v.Open.Draft, vault.Jotted())
	}
}

// What two tabs have as the same draft is gone when one of them sends it, whichever has kept it.
func TestADraftThatAnotherTabHasSentIsGoneFromTheDevice(t *testing.T) {
	id, p, another := readingTab(t)
	p.keptAnew(t, id, "hello")
	q := another()
	q.reading(id)
	q.until("the draft is there", func(v *state.Snapshot) bool { return v.Open != nil && v.Open.Draft != nil })
	q.keptAnew(t, id, "hello!")
	q.keptAnew(t, id, "hello")
	if err := p.Send(id, "hello"); err != nil {
		t.Fatal(err)
	}
	p.SetDraft(id, nil)
	p.KeepDrafts()
	p.until("it is sent", func(v *state.Snapshot) bool { return v.Unsent == 0 && shows("hello")(v) })
	q.until("the draft is gone", func(v *state.Snapshot) bool { return v.Open.Draft == nil })
	eventually(t, "it is gone from the device", func() bool {
		q.timers.run(0, draftPause)
		return keptOf(p).Drafts[id] == ""
	})
}

// slowLoad is a Vault whose first Load waits after it has read.
type slowLoad struct {
	Vault
	waited  *atomic.Bool
	in, let chan struct{}
}

func (v slowLoad) Load(ctx context.Context) (*Kept, error) {
	k, err := v.Vault.Load(ctx)
	if v.waited.CompareAndSwap(false, true) {
		close(v.in)
		<-v.let
	}
	return k, err
}

func TestATabThatStartsWhileAnotherSignsOutShowsNothing(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	s.groups(a, 1)
	browser, vault := &tabs{}, NewVault()
	first, second := browser.tab(), browser.tab()
	p := s.device(a, vault, func(o *Options) { o.Neighbours = first })
	p.until("it asks to sign in", signedOut)
	p.signIn()
	p.until("the list is there", func(v *state.Snapshot) bool { return v.Loaded })
	slow := slowLoad{vault, new(atomic.Bool), make(chan struct{}), make(chan struct{})}
	var names []string
	q := s.device(a, slow, func(o *Options) {
		o.Neighbours = second
		show := o.OnChange
		o.OnChange = func(v *state.Snapshot) {
			names = append(names, v.User.Name)
			show(v)
		}
	})
	<-slow.in
	p.SignOut()
	q.until("it asks to sign in", signedOut)
	close(slow.let)
	q.Close()
	for _, name := range names {
		if name != "" {
			t.Errorf("it has shown %q", name)
		}
	}
	if !signedOut(q.Snapshot()) {
		t.Errorf("it is %v", q.Snapshot().Phase)
	}
}

func TestWhatWasViewedSurvivesThePageThatGoesAtOnce(t *testing.T) {
	s, id, alice, bob := people(t)
	alice.Close()
	if err := bob.Send(id, "news"); err != nil {
		t.Fatal(err)
	}
	bob.until("it is stored", func(v *state.Snapshot) bool { return v.Unsent == 0 && shows("news")(v) })
	unread := func(n int) func(*state.Snapshot) bool {
		return func(v *state.Snapshot) bool { r, ok := v.Row(id); return ok && v.Loaded && r.Unread == n }
	}
	going := s.device(alice.account, cutVault{alice.vault})
	going.until("it is unread", unread(1))
	going.MarkRead(id)
	going.Leaving()
	going.Close()
	again := s.device(alice.account, alice.vault)
	again.until("it is read", unread(0))
	again.timers.run(0, draftPause)
	eventually(t, "the server knows it", func() bool {
		c, err := s.store.Conversation(t.Context(), alice.id, id)
		return err == nil && c.Unread == 0
	})
}

// The order of favorites is on the device alone, so that it outlasts a session.
func TestTheOrderOfFavoritesOutlastsASessionThatTheServerEnds(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	ids := s.groups(a, 3)
	var asked atomic.Int32
	p := s.signedIn(a, func(o *Options) {
		o.OnNoSession = func(is bool) {
			if !is {
				asked.Add(1)
			}
		}
	})
	for _, id := range ids {
		p.Star(id, true)
		p.until("it is starred", settled(id, true))
	}
	p.PlaceFavorite(ids[2], 0)
	p.PlaceFavorite(ids[0], 2)
	var was []ozeki.ConversationID
	eventually(t, "the order is kept", func() bool {
		k := keptOf(p)
		was = k.Order
		return len(was) == 3 && was[0] == ids[2] && len(k.Wishes) == 0
	})
	s.endSession(p)
	p.Wake()
	v := p.until("it asks to sign in", signedOut)
	if strings.Contains(v.Reason, "not sent") {
		t.Errorf("nothing waits, and it says %q", v.Reason)
	}
	eventually(t, "it is said that there is no session", func() bool { return asked.Load() == 1 })
	p.signIn()
	p.until("the order is as it was", func(v *state.Snapshot) bool {
		return len(v.Favorites) == 3 && v.Favorites[0].ID == was[0] && v.Favorites[1].ID == was[1] && v.Favorites[2].ID == was[2]
	})
}

// A tab that learns late that its session has ended, when there is another one on the device, ends nothing of that one's.
func TestATabThatLearnsLateOfAnEndedSessionGoesOnWithTheNextOne(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	id := s.groups(a, 1)[0]
	p := s.signedIn(a)
	var none atomic.Int32
	late := s.device(a, p.vault, func(o *Options) { o.OnNoSession = func(bool) { none.Add(1) } })
	late.until("the list is there", func(v *state.Snapshot) bool { return v.Loaded })
	was := late.client.Session().Station
	late.wire.set(cut)
	s.endSession(p)
	p.Wake()
	p.until("it asks to sign in", signedOut)
	p.signIn()
	p.until("the list is there", func(v *state.Snapshot) bool { return v.Loaded })
	late.wire.set(nil)
	late.Wake()
	late.until("it goes on with the other session", func(v *state.Snapshot) bool {
		now := late.client.Session()
		return v.Loaded && now != nil && now.Station != was
	})
	late.Star(id, true)
	late.until("it works", settled(id, true))
	if n := none.Load(); n > 0 {
		t.Errorf("%d times it said that the device has no session", n)
	}
}
