//go:build !js

package engine

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"starling/app/state"
	"starling/ozeki"
	"starling/ozeki/json"
)

// keep has everything that has changed kept, with the cursor up to which it holds, and waits for it.
func (p *person) keep() {
	p.t.Helper()
	eventually(p.t, "the device has kept what there is", func() bool {
		p.timers.run(ShelvePause, ShelvePause)
		p.timers.run(PollActive, PollActive) // which tells the cursor
		p.mu.Lock()
		defer p.unlock()
		s := &p.shelf
		return s.stop == nil && !s.busy && !p.state.HasChanged() && s.kept > 0 && s.kept == p.poll.cursor && len(s.rows)+len(s.messages) == 0
	})
}

// keptRecord is a record as the device has it.
func (p *person) keptRecord(name string) string {
	data, err := p.vault.Shelved(context.Background(), p.station(), name)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(data[0])
}

func (p *person) station() string {
	k, err := p.vault.Load(context.Background())
	if err != nil || k == nil {
		p.t.Fatal("no session is kept: ", err)
	}
	return string(k.Session.Station)
}

func (p *person) keepsMessages(id ozeki.ConversationID) bool {
	return p.keptRecord(shelfMessages+string(id)) != ""
}

// again ends the program and starts it anew on the same device; offline without the server.
func (p *person) again(s *server, offline bool) *person {
	p.t.Helper()
	p.Close()
	p.wire.set(nil)
	if offline {
		p.wire.set(cut)
	}
	q := s.device(p.account, p.vault, func(o *Options) {
		o.Client = ozeki.NewClient(ozeki.Options{Base: s.http.URL + apiPath, Scheme: scheme, Transport: p.wire, Files: p.files})
	})
	q.wire, q.files = p.wire, p.files
	return q
}

func TestTheLastListAndItsMessagesAreReadWithoutAConnection(t *testing.T) {
	s := newServer(t)
	a, b, c := s.account(0), s.account(1), s.account(2)
	bob, carol := s.direct(a, b), s.direct(a, c)
	s.write(b, bob, 3)
	s.write(c, carol, 2)
	p := s.signedIn(a)
	p.reading(bob)
	p.reading(carol)
	p.keep()

	q := p.again(s, true)
	v := q.until("the list is there, and it says offline", func(v *state.Snapshot) bool { return v.Loaded && v.Offline })
	if r := row(v, bob); r.Name != "Bob" || r.Preview != "message 2" || r.Unread != 3 {
		t.Errorf("Bob's row is %+v", r)
	}
	q.Open(bob)
	q.until("Bob's messages are there", shows("message 0", "message 1", "message 2"))
	q.Open(carol)
	q.until("Carol's messages are there", shows("message 0", "message 1"))
	if err := q.Send(carol, "from the tunnel"); err != nil {
		t.Fatal(err)
	}
	q.until("it waits", func(v *state.Snapshot) bool { return v.Unsent == 1 })
	s.write(b, bob, 1) // meanwhile, elsewhere
	s.write(c, carol, 1)
	p.wire.set(nil)
	q.Wake()
	q.until("all is there", shows("message 0", "message 1", "message 0", "from the tunnel"))
	q.until("Bob's row tells of the new one", func(v *state.Snapshot) bool { return row(v, bob).Unread == 4 })
	q.Open(bob)
	q.until("Bob's new message follows", shows("message 0", "message 1", "message 2", "message 0"))
}

func TestANewStartAsksForWhatHasChangedOnly(t *testing.T) {
	s := newServer(t)
	a, b := s.account(0), s.account(1)
	bob := s.direct(a, b)
	ids := s.groups(a, 3)
	p, other := s.signedIn(a), s.signedIn(a)
	p.keep()
	lists := p.wire.sent("chatconversation list")
	p = p.again(s, false)
	p.until("the list is there", func(v *state.Snapshot) bool { return v.Loaded && v.Total == 4 })
	eventually(t, "the server was asked for changes", func() bool {
		p.mu.Lock()
		defer p.unlock()
		return !p.poll.busy && p.settled()
	})
	if n := p.wire.sent("chatconversation list"); n != lists {
		t.Errorf("the list was asked for %d times although nothing had changed", n-lists)
	}
	p.keep()

	// On another device, while the program is not running here.
	p.Close()
	other.Star(ids[0], true)
	other.until("the star is saved", settled(ids[0], true))
	other.Hide(ids[1], true)
	other.until("it is hidden", func(v *state.Snapshot) bool {
		r := row(v, ids[1])
		return r.Hidden && r.Saving == state.FlagSettled
	})
	if err := other.LeaveGroup(context.Background(), ids[2]); err != nil {
		t.Fatal(err)
	}
	s.write(b, bob, 2)
	p = p.again(s, false)
	p.until("all of it is here", func(v *state.Snapshot) bool {
		r := row(v, bob)
		return row(v, ids[0]).Favorite && row(v, ids[1]).Hidden && row(v, ids[2]).ID == "" && r.Unread == 2 && r.Preview == "message 1"
	})
	p.keep()
	p = p.again(s, true)
	p.until("and was kept", func(v *state.Snapshot) bool {
		return v.Loaded && row(v, ids[0]).Favorite && row(v, ids[1]).Hidden && row(v, ids[2]).ID == "" && row(v, bob).Unread == 2
	})
}

// Messages that came while their conversation was not open here are not kept, but known of: without a connection what is
// kept is shown and they stay unread, and with one they follow.
func TestWhatIsNotKeptFollowsWhenTheConnectionIsBack(t *testing.T) {
	s := newServer(t)
	a, b := s.account(0), s.account(1)
	bob := s.direct(a, b)
	s.write(b, bob, 1)
	p := s.signedIn(a)
	p.reading(bob)
	p.Viewed(bob, s.messages(a, bob)[0])
	eventually(t, "it is read, and the server knows", func() bool {
		p.timers.run(ReportDelay, ReportDelay)
		p.mu.Lock()
		defer p.unlock()
		return row(p.current(), bob).Unread == 0 && len(p.state.Unreported()) == 0
	})
	p.keep()
	p = p.again(s, false)
	p.until("the list is there", func(v *state.Snapshot) bool { return v.Loaded })
	eventually(t, "it knows what it keeps", func() bool { p.mu.Lock(); defer p.unlock(); return p.shelf.written[bob] })
	p.mu.Lock()
	delete(p.shelf.written, bob) // as if another tab had kept it
	p.unlock()
	s.write(b, bob, 3)
	p.until("three are unread", func(v *state.Snapshot) bool {
		p.timers.run(PollActive, PollActive)
		return row(v, bob).Unread == 3
	})
	p.keep()

	p = p.again(s, true)
	p.until("the list is there", func(v *state.Snapshot) bool { return v.Loaded && v.Offline })
	p.Open(bob)
	p.until("what is kept is shown, and three are unread", func(v *state.Snapshot) bool {
		return shows("message 0")(v) && row(v, bob).Unread == 3 && row(v, bob).Preview == "message 2"
	})
	p.wire.set(nil)
	p.Wake()
	p.until("the others follow", shows("message 0", "message 0", "message 1", "message 2"))
}

// What is edited or deleted elsewhere does not stay on a device that has heard of it, although it is not open there.
func TestWhatWasDeletedDoesNotStayOnTheDevice(t *testing.T) {
	s := newServer(t)
	a, b := s.account(0), s.account(1)
	bob := s.direct(a, b)
	p, other := s.signedIn(a), s.signedIn(b)
	other.reading(bob)
	for _, text := range []string{"a secret", "a slip"} {
		if err := other.Send(bob, text); err != nil {
			t.Fatal(err)
		}
	}
	other.until("it has arrived", shows("a secret", "a slip"))
	p.reading(bob)
	p.keep()
	p = p.again(s, false)
	p.until("the list is there", func(v *state.Snapshot) bool { return v.Loaded })
	eventually(t, "it knows what it keeps", func() bool { p.mu.Lock(); defer p.unlock(); return p.shelf.written[bob] })
	ids := s.messages(a, bob)
	if err := other.Delete(context.Background(), bob, ids[0]); err != nil {
		t.Fatal(err)
	}
	if err := other.Edit(context.Background(), bob, ids[1], "a correction"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "neither is kept", func() bool {
		p.timers.run(PollActive, PollActive)
		p.timers.run(ShelvePause, ShelvePause)
		kept := p.keptRecord(shelfMessages+string(bob)) + p.keptRecord(shelfHead)
		return !strings.Contains(kept, "a secret") && !strings.Contains(kept, "a slip") && strings.Contains(kept, "a correction")
	})
}

func TestALongListIsKeptInPages(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	ids := s.groups(a, 3*headSize)
	p := s.signedIn(a)
	p.keep()
	p = p.again(s, true)
	v := p.until("all of them are there", func(v *state.Snapshot) bool { return v.Loaded && v.Total == len(ids) })
	for i, id := range ids {
		if r := row(v, id); r.Name != fmt.Sprint("Group ", i) {
			t.Errorf("%s is called %q", id, r.Name)
		}
	}
	p = p.again(s, false)
	p.until("the list is there", func(v *state.Snapshot) bool { return v.Loaded && !v.Offline })
	p.keep()
	before := map[string]string{}
	for n := range shelfPages {
		before[pageName(n)] = p.keptRecord(pageName(n))
	}
	p.Star(ids[7], true)
	p.until("the star is saved", settled(ids[7], true))
	p.keep()
	for name, was := range before {
		if changed := p.keptRecord(name) != was; changed != (name == pageOf(ids[7])) {
			t.Errorf("%s was written anew: %v", name, changed)
		}
	}
	p = p.again(s, true)
	p.until("the star is kept", func(v *state.Snapshot) bool { return v.Loaded && row(v, ids[7]).Favorite })

	// What is damaged is not believed.
	p.Close()
	if err := p.vault.Shelve(context.Background(), p.station(), Record{Name: pageOf(ids[7])}); err != nil {
		t.Fatal(err)
	}
	p = p.again(s, false)
	p.until("the list comes from the server", func(v *state.Snapshot) bool { return v.Loaded && v.Total == len(ids) })
}

func TestWhatExpiresLeavesTheDevice(t *testing.T) {
	s := newServer(t)
	a, b := s.account(0), s.account(1)
	bob := s.direct(a, b)
	s.write(b, bob, 1)
	p := s.signedIn(a)
	p.reading(bob)
	until := time.Now().Add(2 * time.Second)
	if err := p.Write(bob, Writing{Text: "burn this", Keep: 2 * time.Second}); err != nil {
		t.Fatal(err)
	}
	p.until("it is there", shows("message 0", "burn this"))
	p.keep()
	if !strings.Contains(p.keptRecord(shelfMessages+string(bob)), "burn this") {
		t.Fatal("it is not kept at all")
	}
	eventually(t, "its time is over", func() bool { return time.Now().After(until.Add(time.Second)) })
	p = p.again(s, true)
	v := p.until("the list is there", func(v *state.Snapshot) bool { return v.Loaded })
	if r := row(v, bob); strings.Contains(r.Preview, "burn") {
		t.Errorf("the row says %q", r.Preview)
	}
	p.Open(bob)
	p.until("only the other is shown", shows("message 0"))
	eventually(t, "nothing of it is kept", func() bool {
		p.timers.run(ShelvePause, ShelvePause)
		return !strings.Contains(p.keptRecord(shelfHead)+p.keptRecord(shelfMessages+string(bob)), "burn this")
	})
}

func TestWhatIsHiddenOrClearedIsNotKept(t *testing.T) {
	s := newServer(t)
	a, b, c := s.account(0), s.account(1), s.account(2)
	bob, carol := s.direct(a, b), s.direct(a, c)
	s.write(b, bob, 1)
	s.write(c, carol, 1)
	p := s.signedIn(a)
	p.reading(bob)
	p.reading(carol)
	p.keep()
	if !p.keepsMessages(bob) || !p.keepsMessages(carol) {
		t.Fatal("the messages are not kept")
	}
	p.Hide(bob, true)
	p.Open("")
	p.Clear(carol)
	p.until("one is hidden and one is empty", func(v *state.Snapshot) bool {
		return row(v, bob).Hidden && row(v, bob).Saving == state.FlagSettled && row(v, carol).Preview == ""
	})
	p.keep()
	if p.keepsMessages(bob) || p.keepsMessages(carol) {
		t.Errorf("kept: hidden %v, cleared %v", p.keepsMessages(bob), p.keepsMessages(carol))
	}
}

func TestMessagesOfTheLastConversationsAreKept(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	ids := s.groups(a, maxShelved+3)
	for _, id := range ids {
		s.write(a, id, 1)
	}
	p := s.signedIn(a)
	for _, id := range ids {
		p.reading(id)
		p.keep()
	}
	eventually(t, "the first are let go", func() bool {
		records, err := p.vault.Shelf(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, r := range records {
			if strings.HasPrefix(r.Name, shelfMessages) {
				n++
			}
		}
		return n == maxShelved && !p.keepsMessages(ids[0]) && p.keepsMessages(ids[len(ids)-1])
	})
}

func TestSigningOutLeavesNothingKept(t *testing.T) {
	s := newServer(t)
	a, b := s.account(0), s.account(1)
	bob := s.direct(a, b)
	s.write(b, bob, 1)
	p := s.signedIn(a)
	p.reading(bob)
	p.keep()
	p.wire.set(cut)
	if err := p.Send(bob, "never mind"); err != nil {
		t.Fatal(err)
	}
	p.SignOut()
	eventually(t, "the device is empty", func() bool {
		p.timers.run(ShelvePause, ShelvePause)
		records, err := p.vault.Shelf(context.Background())
		return err == nil && len(records) == 0
	})
	p.wire.set(nil)
	p.signIn()
	eventually(t, "the list of the new session is kept", func() bool {
		p.timers.run(ShelvePause, ShelvePause)
		return p.keptRecord(shelfHead) != ""
	})
}

// Of two tabs one writes the list; what the other has read is kept too, and each is told of what the server said.
func TestTwoTabsKeepOneList(t *testing.T) {
	s := newServer(t)
	a, b := s.account(0), s.account(1)
	bob := s.direct(a, b)
	s.write(b, bob, 1)
	ids := s.groups(a, 2)
	browser, vault := &tabs{}, NewVault()
	first, second := browser.tab(), browser.tab()
	p := s.device(a, vault, func(o *Options) { o.Neighbours = first })
	p.until("the first asks to sign in", func(v *state.Snapshot) bool { return v.Phase == state.SignedOut })
	p.signIn()
	q := s.device(a, vault, func(o *Options) { o.Neighbours = second })
	q.until("the second has the list", func(v *state.Snapshot) bool { return v.Loaded && q.allOpened() })
	p.keep()
	was := p.keptRecord(shelfAbout)
	q.Star(ids[0], true)
	q.until("the star is saved", settled(ids[0], true))
	q.reading(bob)
	eventually(t, "the second keeps the messages", func() bool {
		q.timers.run(ShelvePause, ShelvePause)
		return q.keepsMessages(bob)
	})
	if now := p.keptRecord(shelfAbout); now != was {
		t.Error("the second tab wrote the list")
	}
	p.until("the first shows the star", func(v *state.Snapshot) bool {
		p.timers.run(PollActive, PollActive)
		return settled(ids[0], true)(v)
	})
	p.keep()
	q.Close()
	r := p.again(s, true)
	r.until("it is kept", func(v *state.Snapshot) bool { return v.Loaded && row(v, ids[0]).Favorite })
	r.Open(bob)
	r.until("so are the messages", shows("message 0"))
}

// A device that cannot keep anything says so, once, and goes on.
func TestADeviceThatIsFullSaysSo(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	ids := s.groups(a, 1)
	p := s.device(a, crammedVault{NewVault()})
	p.until("the program asks to sign in", func(v *state.Snapshot) bool { return v.Phase == state.SignedOut })
	p.signIn()
	eventually(t, "it tries", func() bool { return p.timers.run(ShelvePause, ShelvePause) > 0 })
	p.until("it says so", func(v *state.Snapshot) bool {
		return slices.ContainsFunc(v.Notices, func(n state.Notice) bool { return strings.Contains(n.Text, "without a connection") })
	})
	p.Star(ids[0], true)
	p.until("a star is taken all the same", settled(ids[0], true))
}

type crammedVault struct{ Vault }

func (crammedVault) Shelve(context.Context, string, ...Record) error {
	return fmt.Errorf("QuotaExceededError")
}

// Every message that can be at hand is the same after it was kept.
func TestKeptMessagesAreTheSame(t *testing.T) {
	at := time.Date(2024, 3, 8, 14, 12, 51, 0, time.UTC)
	for _, m := range []state.Message{
		{ID: "1", Text: "Hello", From: "a", Created: at, Content: &ozeki.Content{Version: 1, Text: "Hello", From: "a", Extra: ozeki.Extra{"new": []byte(`1`)}}},
		{ID: "2", Kind: state.KindDeleted, From: "a", Created: at, Edited: true},
		{ID: "3", Text: "This message cannot be decrypted with your key.", Trouble: true, Created: at, Until: at.Add(time.Hour)},
	} {
		k := &state.KeptMessages{Instance: "i", Messages: []state.KeptMessage{m.Kept()}}
		data, until := messagesRecord(k)
		var back state.KeptMessages
		if err := json.Unmarshal(data, &back); err != nil || !until.Equal(m.Until) {
			t.Fatal(err, until)
		}
		got := back.Messages[0].Message()
		was, err := json.Marshal(m)
		now, err2 := json.Marshal(got)
		if err != nil || err2 != nil || !bytes.Equal(was, now) {
			t.Errorf("%s\nwas kept as\n%s (%v, %v)", was, now, err, err2)
		}
	}
}

func TestThePictureOfTheListIsKeptWhenItChangesAndGoesAtSignOut(t *testing.T) {
	s := newServer(t)
	a, b := s.account(0), s.account(1)
	bob := s.direct(a, b)
	var drawn atomic.Pointer[person]
	var none atomic.Bool
	p := s.signedIn(a, func(o *Options) {
		o.Picture = func() []byte {
			p := drawn.Load()
			if p == nil || none.Load() {
				return nil
			}
			return fmt.Appendf(nil, "Bob is a favorite: %t", row(p.Snapshot(), bob).Favorite)
		}
	})
	drawn.Store(p)
	p.Redrawn()
	p.keep()
	if got := p.keptRecord(shelfPicture); got != "Bob is a favorite: false" {
		t.Errorf("the picture is %q", got)
	}
	p.Star(bob, true)
	p.until("the star is saved", settled(bob, true))
	p.keep()
	if got := p.keptRecord(shelfPicture); got != "Bob is a favorite: true" {
		t.Errorf("after the star the picture is %q", got)
	}
	none.Store(true)
	p.Star(bob, false)
	p.until("the star is taken back", settled(bob, false))
	p.keep()
	if got := p.keptRecord(shelfPicture); got != "Bob is a favorite: true" {
		t.Errorf("without a new picture the kept one is %q", got)
	}
	none.Store(false)
	p.Redrawn()
	p.keep()
	if got := p.keptRecord(shelfPicture); got != "Bob is a favorite: false" {
		t.Errorf("after it was drawn anew the picture is %q", got)
	}
	p.SignOut()
	eventually(t, "nothing is kept", func() bool {
		left, err := p.vault.Shelf(context.Background())
		return err == nil && len(left) == 0
	})
}
