//go:build !js

package engine

import (
	"context"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"starling/app/state"
	"starling/ozeki"
)

func TestChosenFilesAndABegunChangeSurviveTheProgram(t *testing.T) {
	s, id, alice, bob := people(t)
	if err := alice.Send(id, "see you at nien"); err != nil {
		t.Fatal(err)
	}
	v := alice.until("it is stored", shows("see you at nien"))
	picture := Attachment{Name: "cat.png", Type: "image/png", Data: ozeki.NewBlob([]byte("pixels")), Width: 640, Height: 480, Thumb: []byte("thumb")}
	var files []ozeki.File
	for _, a := range []Attachment{note("notes.txt"), picture} {
		f, err := alice.KeepFile(t.Context(), id, a)
		if err != nil {
			t.Fatal(err)
		}
		if sealed, ok, err := alice.vault.File(t.Context(), f.ID); err != nil || !ok || strings.Contains(string(sealed.Bytes()), "what stands") {
			t.Fatalf("it is kept %t, perhaps in clear, %v", ok, err)
		}
		files = append(files, *f)
	}
	d := state.Draft{Text: "look", Files: files, Edit: &state.Edit{ID: last(v).ID, Was: "see you at nien", Now: "see you at nine"}}
	alice.SetDraft(id, &d)
	alice.KeepDrafts()
	eventually(t, "it is kept", func() bool { return keptOf(alice).Drafts[id] != "" })
	if kept := keptOf(alice).Drafts[id]; strings.Contains(kept, "nine") || strings.Contains(kept, "notes") {
		t.Error("it is kept in clear")
	}
	alice.Close()

	again := s.device(alice.account, alice.vault)
	again.Open(id)
	v = again.until("the draft is there", func(v *state.Snapshot) bool { return v.Open != nil && v.Open.Draft != nil })
	if !reflect.DeepEqual(*v.Open.Draft, d) {
		t.Fatalf("it has become %+v", *v.Open.Draft)
	}
	again.reading(id)
	if again.Unkept() {
		t.Error("something would be lost with the page")
	}
	w := Writing{Text: d.Text}
	for i := range files {
		w.Files = append(w.Files, Attachment{Kept: &files[i]})
	}
	if err := again.Write(id, w); err != nil {
		t.Fatal(err)
	}
	again.SetDraft(id, nil)
	again.until("all of it is stored", filesAre("notes.txt", "cat.png"))
	bob.Wake()
	v = bob.until("both have come", filesAre("notes.txt", "cat.png"))
	if f := filesIn(last(v)); f[1].Width != 640 || f[1].Thumb == "" {
		t.Errorf("the picture is %+v", f[1])
	}
	if got, ok := bob.get(id, 0); !ok || got != "what stands in notes.txt" {
		t.Errorf("got %q", got)
	}
	eventually(t, "nothing is left on the device", func() bool { return !keepsFiles(again.vault) })
}

func TestAFileThatIsNotSentAfterAllLeavesTheDevice(t *testing.T) {
	_, id, alice, _ := people(t)
	f, err := alice.KeepFile(t.Context(), id, note("notes.txt"))
	if err != nil {
		t.Fatal(err)
	}
	alice.ForgetKept([]ozeki.File{*f})
	eventually(t, "it is gone", func() bool { return !keepsFiles(alice.vault) })
	if _, err := alice.KeepFile(t.Context(), "no conversation", note("notes.txt")); err == nil {
		t.Error("a file is kept for a conversation that is not there")
	}
	eventually(t, "that is gone, too", func() bool { return !keepsFiles(alice.vault) })
	if _, err := alice.KeepFile(t.Context(), id, note("notes.txt")); err != nil {
		t.Fatal(err)
	}
	alice.SignOut()
	eventually(t, "it goes when she signs out", func() bool { return !keepsFiles(alice.vault) })
}

// Whoever puts a text into the composer can know that something is on its way into it.
func TestADraftThatIsStillToBeOpenedIsSaidToBe(t *testing.T) {
	s, id, alice, _ := people(t)
	alice.SetDraft(id, &state.Draft{Text: "I was about to"})
	alice.KeepDrafts()
	eventually(t, "it is kept", func() bool { return keptOf(alice).Drafts[id] != "" })
	alice.Close()

	var early []string
	var mu sync.Mutex
	again := s.device(alice.account, alice.vault, func(o *Options) {
		told := o.OnChange
		o.OnChange = func(v *state.Snapshot) {
			mu.Lock()
			if v.Open != nil && v.Open.Known && v.Open.Draft == nil && !v.Open.Opening {
				early = append(early, v.Open.Row.Name)
			}
			mu.Unlock()
			told(v)
		}
	})
	again.Open(id)
	again.until("the draft is there", func(v *state.Snapshot) bool { return v.Open != nil && v.Open.Draft != nil && !v.Open.Opening })
	mu.Lock()
	defer mu.Unlock()
	if len(early) > 0 {
		t.Errorf("%d times the composer seemed to be free", len(early))
	}
}

// A draft that cannot be opened leaves the composer free.
func TestADraftThatDoesNotOpenIsNotWaitedFor(t *testing.T) {
	s, id, alice, _ := people(t)
	alice.SetDraft(id, &state.Draft{Text: "I was about to"})
	alice.KeepDrafts()
	eventually(t, "it is kept", func() bool { return keptOf(alice).Drafts[id] != "" })
	alice.Close()
	err := alice.vault.Update(t.Context(), func(k *Kept) { k.Drafts = map[ozeki.ConversationID]string{id: "damaged"} })
	if err != nil {
		t.Fatal(err)
	}
	again := s.device(alice.account, alice.vault)
	again.Open(id)
	again.until("nothing is waited for", func(v *state.Snapshot) bool { return v.Open != nil && v.Open.Known && !v.Open.Opening })
	again.SetDraft(id, &state.Draft{Text: "Something else"})
	again.KeepDrafts()
	eventually(t, "that takes its place", func() bool { d := keptOf(again).Drafts[id]; return d != "" && d != "damaged" })
}

// What one tab has sent does not stand in the composer of another one to be sent again, unless it says something else there.
func TestADraftThatAnotherTabHasSentIsGone(t *testing.T) {
	s := newServer(t)
	a, b := s.account(0), s.account(1)
	id, other := s.direct(a, b), s.groups(a, 1)[0]
	browser, vault := &tabs{}, NewVault()
	first, second := browser.tab(), browser.tab()
	p := s.device(a, vault, func(o *Options) { o.Neighbours = first })
	p.until("it asks to sign in", signedOut)
	p.signIn()
	p.reading(id)
	f, err := p.KeepFile(t.Context(), id, note("notes.txt"))
	if err != nil {
		t.Fatal(err)
	}
	p.SetDraft(id, &state.Draft{Text: "look ", Files: []ozeki.File{*f}})
	p.SetDraft(other, &state.Draft{Text: "the same"})
	p.KeepDrafts()
	eventually(t, "both are kept", func() bool { k := keptOf(p); return k.Drafts[id] != "" && k.Drafts[other] != "" })
	q := s.device(a, vault, func(o *Options) { o.Neighbours = second })
	for _, c := range []ozeki.ConversationID{other, id} {
		q.Open(c)
		q.until("the draft is there", func(v *state.Snapshot) bool { return v.Open != nil && v.Open.Row.ID == c && v.Open.Draft != nil })
	}
	q.SetDraft(other, &state.Draft{Text: "the same, and more"})

	for c, w := range map[ozeki.ConversationID]Writing{id: {Text: "look ", Files: []Attachment{{Kept: f}}}, other: {Text: "the same"}} {
		if err := p.Write(c, w); err != nil {
			t.Fatal(err)
		}
		p.SetDraft(c, nil)
	}
	q.until("it is gone", func(v *state.Snapshot) bool { return v.Open.Draft == nil })
	p.until("all is sent", func(v *state.Snapshot) bool { return v.Unsent == 0 })
	if d := q.Draft(other); d == nil || d.Text != "the same, and more" {
		t.Errorf("the other one is %+v", d)
	}
}

// lateKeys unwraps keys only when it is let.
type lateKeys struct {
	ozeki.Scheme
	let <-chan struct{}
}

func (s lateKeys) UnwrapKey(ctx context.Context, key *ozeki.PrivateKey, secret string) ([]byte, error) {
	if err := await(ctx, s.let); err != nil {
		return nil, err
	}
	return s.Scheme.UnwrapKey(ctx, key, secret)
}

// What is begun to be written before the key of its conversation is there is kept once it is.
func TestADraftThatIsBegunBeforeItsKeyIsThereIsKept(t *testing.T) {
	s, id, alice, _ := people(t)
	alice.Close()
	let := make(chan struct{})
	again := s.device(alice.account, alice.vault, func(o *Options) {
		o.Client = ozeki.NewClient(ozeki.Options{Base: s.http.URL + apiPath, Scheme: lateKeys{scheme, let}, Transport: ozeki.NewTransport()})
	})
	again.Open(id)
	again.until("the list is there", func(v *state.Snapshot) bool { return v.Loaded })
	again.SetDraft(id, &state.Draft{Text: "half a thought"})
	again.KeepDrafts() // the user has stopped, and writes no more
	close(let)
	eventually(t, "it is kept", func() bool { return keptOf(again).Drafts[id] != "" })
}

// lateVault is read just before the page that goes has kept what it jotted.
type lateVault struct {
	Vault
	drafts map[ozeki.ConversationID]string
	loads  *atomic.Int32
}

func (v lateVault) Load(ctx context.Context) (*Kept, error) {
	k, err := v.Vault.Load(ctx)
	if v.loads.Add(1) == 2 { // at the start the session is read
		_ = v.Update(ctx, func(k *Kept) { k.Drafts = v.drafts })
		v.Jot("")
	}
	return k, err
}

// A page that begins while the one before it is still keeping a draft has that draft.
func TestADraftThatIsKeptWhileTheNextPageStartsIsThere(t *testing.T) {
	s, id, alice, _ := people(t)
	alice.SetDraft(id, &state.Draft{Text: "half a thought"})
	alice.Leaving()
	jot := alice.vault.Jotted()
	eventually(t, "it is kept", func() bool { return keptOf(alice).Drafts[id] != "" && alice.vault.Jotted() == "" })
	drafts := keptOf(alice).Drafts
	alice.Close()
	if err := alice.vault.Update(t.Context(), func(k *Kept) { k.Drafts = nil }); err != nil || jot == "" {
		t.Fatalf("jotted is %q, %v", jot, err)
	}
	alice.vault.Jot(jot)

	again := s.device(alice.account, lateVault{alice.vault, drafts, new(atomic.Int32)})
	again.Open(id)
	again.until("the draft is there", func(v *state.Snapshot) bool {
		return v.Open != nil && v.Open.Draft != nil && v.Open.Draft.Text == "half a thought"
	})
}

// slowVault keeps changes only when it is let.
type slowVault struct {
	Vault
	let <-chan struct{}
}

func (v slowVault) Update(ctx context.Context, change func(*Kept)) error {
	if err := await(ctx, v.let); err != nil {
		return err
	}
	return v.Vault.Update(ctx, change)
}

// slowQueue keeps messages only when it is let.
type slowQueue struct {
	Vault
	let <-chan struct{}
}

func (v slowQueue) Queue(ctx context.Context, user ozeki.UserID, w Waiting, last bool) (int64, bool, error) {
	if err := await(ctx, v.let); err != nil {
		return 0, false, err
	}
	return v.Vault.Queue(ctx, user, w, last)
}

// A page that goes while the device is still writing a draft down does not lose it.
func TestADraftThatIsBeingKeptSurvivesThePage(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	id := s.groups(a, 1)[0]
	kept := NewVault()
	p := s.device(a, kept)
	p.until("it asks to sign in", signedOut)
	p.signIn()
	p.Close()

	going := s.device(a, slowVault{kept, make(chan struct{})})
	going.until("the list is there", func(v *state.Snapshot) bool { return v.Loaded && going.allOpened() })
	going.reading(id)
	going.SetDraft(id, &state.Draft{Text: "half a thought"})
	going.KeepDrafts() // which takes its time
	going.Leaving()
	going.Close()

	again := s.device(a, kept)
	again.Open(id)
	again.until("the draft is there", func(v *state.Snapshot) bool {
		return v.Open != nil && v.Open.Draft != nil && v.Open.Draft.Text == "half a thought"
	})
}
