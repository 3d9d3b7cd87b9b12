//go:build !js

package engine

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"starling/app/state"
	"starling/chatserver/store"
	"starling/ozeki"
)

// overview is how the server shows a conversation to a person.
func (s *server) overview(a account, id ozeki.ConversationID) store.Conversation {
	s.t.Helper()
	c, err := s.store.Conversation(context.Background(), a.id, id)
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// rowSays is a sidebar that says this of a conversation: what is unread and what was written last.
func rowSays(id ozeki.ConversationID, unread int, preview string) func(*state.Snapshot) bool {
	return func(v *state.Snapshot) bool {
		r := row(v, id)
		return r.Unread == unread && r.Preview == preview
	}
}

func newestOf(v *state.Snapshot) ozeki.MessageID { return v.Open.Messages[len(v.Open.Messages)-1].ID }

func TestEveryRowTellsWhatWasWrittenLastWithoutBeingOpened(t *testing.T) {
	s := newServer(t)
	a, b := s.account(0), s.account(1)
	id := s.direct(a, b)
	s.write(b, id, 3)
	alice := s.signedIn(a)
	alice.until("the row says what is new", rowSays(id, 3, "message 2"))
	calls := alice.wire.sent("chatconversation list")
	s.write(b, id, 2)
	s.write(a, id, 1)
	alice.Wake()
	v := alice.until("the row says what is newer", rowSays(id, 5, "You: message 0"))
	if n := alice.wire.sent("chatconversation list") - calls; n != 1 || alice.wire.sent("download")+alice.wire.sent("downloadpartial") != 0 {
		t.Errorf("%d calls of the list for one change, %v in all", n, alice.wire.count)
	}
	if v.Unread != 5 {
		t.Errorf("%d are unread in all", v.Unread)
	}
}

func TestWhatIsViewedIsReportedOnceForABurst(t *testing.T) {
	s := newServer(t)
	a, b := s.account(0), s.account(1)
	id := s.direct(a, b)
	s.write(b, id, 3)
	alice, phone := s.signedIn(a), s.signedIn(a)
	phone.until("the other device counts too", rowSays(id, 3, "message 2"))
	alice.reading(id)
	for range 3 {
		for _, m := range alice.Snapshot().Open.Messages {
			alice.Viewed(id, m.ID)
		}
	}
	alice.until("the row is read at once", rowSays(id, 0, "message 2"))
	if n := alice.timers.run(ReportDelay, ReportDelay); n != 1 {
		t.Errorf("%d reports are prepared for one burst", n)
	}
	eventually(t, "the server knows", func() bool { return s.overview(a, id).Unread == 0 })
	if n := alice.wire.sent("viewed"); n != 1 {
		t.Errorf("%d reports for one burst", n)
	}
	alice.Viewed(id, newestOf(alice.Snapshot()))
	if n := alice.timers.run(ReportDelay, ReportDelay); n != 0 {
		t.Errorf("%d reports of what the server knows", n)
	}
	phone.Wake()
	phone.until("the other device learns of it", rowSays(id, 0, "message 2"))
	s.write(b, id, 1)
	phone.Wake()
	phone.until("what comes then is new", rowSays(id, 1, "message 0"))
}

func TestMarkingAsReadNeedsNoOpening(t *testing.T) {
	s := newServer(t)
	a, b := s.account(0), s.account(1)
	id := s.direct(a, b)
	s.write(b, id, 2)
	alice := s.signedIn(a)
	alice.until("the row says what is new", rowSays(id, 2, "message 1"))
	alice.MarkRead(id)
	alice.until("it is read at once", rowSays(id, 0, "message 1"))
	alice.timers.run(ReportDelay, ReportDelay)
	eventually(t, "the server knows", func() bool { return s.overview(a, id).Unread == 0 })
	alice.MarkRead(id)
	alice.MarkRead(ozeki.NewConversationID())
	if n := alice.timers.run(ReportDelay, ReportDelay); n != 0 {
		t.Errorf("a repeat prepares %d reports", n)
	}
}

func TestWhatWasViewedOfflineIsReportedLater(t *testing.T) {
	s := newServer(t)
	a, b := s.account(0), s.account(1)
	id := s.direct(a, b)
	s.write(b, id, 2)
	alice := s.signedIn(a)
	alice.reading(id)
	alice.wire.set(cut)
	alice.Viewed(id, newestOf(alice.Snapshot()))
	alice.timers.run(ReportDelay, ReportDelay)
	alice.until("it is offline", func(v *state.Snapshot) bool { return v.Offline })
	if c := s.overview(a, id); c.Unread != 2 {
		t.Fatalf("the server knows already: %+v", c)
	}

	// Also the next run of the program knows of it.
	eventually(t, "the device has kept it", func() bool {
		k, err := alice.vault.Load(context.Background())
		return err == nil && k.Read[id].Message != ""
	})
	alice.Close()
	again := s.device(a, alice.vault)
	again.until("the row is read", rowSays(id, 0, "message 1"))
	again.timers.run(ReportDelay, ReportDelay)
	again.Wake()
	eventually(t, "the server knows", func() bool { return s.overview(a, id).Unread == 0 })
	eventually(t, "the device has forgotten it", func() bool {
		k, err := again.vault.Load(context.Background())
		return err == nil && len(k.Read) == 0
	})
}

// The server knew already what was viewed, and so tells of no change of it when that is reported again.
func TestWhatIsNewCountsWhileWhatWasViewedIsReportedAgain(t *testing.T) {
	s := newServer(t)
	a, b := s.account(0), s.account(1)
	id := s.direct(a, b)
	s.write(b, id, 2)
	alice := s.signedIn(a)
	alice.until("the row says what is new", rowSays(id, 2, "message 1"))
	alice.wire.set(only(fault{after: true}, "viewed"))
	alice.MarkRead(id)
	alice.timers.run(ReportDelay, ReportDelay)
	alice.until("it is offline", func(v *state.Snapshot) bool { return v.Offline })
	s.write(b, id, 1)

	asked, reported := make(chan struct{}), make(chan struct{})
	lists := alice.wire.sent("chatconversation list")
	alice.wire.set(func(call string, n int) fault {
		switch {
		case call == "chatconversation list" && n == lists+1:
			return fault{hold: reported}
		case call == "viewed":
			return fault{first: asked}
		}
		return fault{}
	})
	alice.Wake()
	eventually(t, "the list is asked for", func() bool { return alice.wire.sent("chatconversation list") > lists })
	close(asked)
	eventually(t, "what was viewed is reported again", func() bool { return alice.reported(id) })
	close(reported)
	alice.until("what came meanwhile is new", rowSays(id, 1, "message 0"))
}

// A list of all that was overtaken is not what later lists go on from, so that nothing is lost of it where asking again fails
// or where all is asked for meanwhile.
func TestAListThatWasOvertakenIsNotGoneOnFrom(t *testing.T) {
	for name, reload := range map[string]bool{"asking again fails": false, "all is asked for": true} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			a, b := s.account(0), s.account(1)
			id := s.direct(a, b)
			s.write(b, id, 2)
			alice := s.signedIn(a)
			alice.until("the row says what is new", rowSays(id, 2, "message 1"))
			alice.wire.set(func(call string, _ int) fault {
				switch call {
				case "viewed":
					return fault{after: true}
				case "chatconversation list", "poll":
					return fault{before: true}
				}
				return fault{}
			})
			alice.MarkRead(id)
			alice.timers.run(ReportDelay, ReportDelay)
			alice.until("it is offline", func(v *state.Snapshot) bool { return v.Offline })
			asks := func(is func(*poller) bool) func() bool {
				return func() bool {
					alice.mu.Lock()
					defer alice.unlock()
					return is(&alice.poll)
				}
			}
			alice.Reload()
			eventually(t, "the list is due", asks(func(p *poller) bool { return p.listDue }))
			s.write(b, id, 1)

			asked, reported := make(chan struct{}), make(chan struct{})
			lists := alice.wire.sent("chatconversation list")
			alice.wire.set(func(call string, n int) fault {
				switch {
				case call == "viewed":
					return fault{first: asked}
				case call == "chatconversation list" && n == lists+1:
					return fault{hold: reported}
				case call == "chatconversation list":
					return fault{before: !reload && n == lists+2}
				}
				return fault{}
			})
			alice.Wake()
			eventually(t, "the list is asked for", func() bool { return alice.wire.sent("chatconversation list") > lists })
			close(asked)
			eventually(t, "what was viewed is reported again", func() bool { return alice.reported(id) })
			if reload {
				alice.Reload()
				eventually(t, "all is to be asked for", asks(func(p *poller) bool { return p.listAll }))
			}
			close(reported)
			eventually(t, "it is asked again", func() bool { return alice.wire.sent("chatconversation list") > lists+1 })
			if !reload {
				eventually(t, "the list is due", asks(func(p *poller) bool { return p.listDue }))
				alice.Wake()
			}
			alice.until("what came meanwhile is new", rowSays(id, 1, "message 0"))
		})
	}
}

func TestAReportThatIsRefusedIsGivenUp(t *testing.T) {
	s := newServer(t)
	a, b := s.account(0), s.account(1)
	id := s.direct(a, b)
	s.write(b, id, 2)
	alice := s.signedIn(a)
	alice.reading(id)
	alice.wire.set(only(fault{answer: refusing(ozeki.CodeNotFound, "None.")}, "viewed"))
	alice.Viewed(id, newestOf(alice.Snapshot()))
	alice.timers.run(ReportDelay, ReportDelay)
	eventually(t, "it was tried", func() bool { return alice.wire.sent("viewed") == 1 && alice.reported(id) })
	alice.Wake()
	alice.Wake()
	if v := alice.Snapshot(); alice.wire.sent("viewed") != 1 || len(v.Notices) != 0 {
		t.Errorf("%d reports, notices %+v", alice.wire.sent("viewed"), v.Notices)
	}
}

// reported says whether there is nothing to be reported of a conversation.
func (p *person) reported(id ozeki.ConversationID) bool {
	p.mu.Lock()
	defer p.unlock()
	_, due := p.state.NextReport(id)
	return !due
}

func TestAClearedConversationIsEmptyOnAllDevices(t *testing.T) {
	s := newServer(t)
	a, b := s.account(0), s.account(1)
	id := s.direct(a, b)
	s.write(b, id, 3)
	alice, phone, bob := s.signedIn(a), s.signedIn(a), s.signedIn(b)
	for _, p := range []*person{alice, phone, bob} {
		p.reading(id)
	}
	alice.Clear(id)
	empty := func(v *state.Snapshot) bool {
		return v.Open.Loaded && len(v.Open.Messages) == 0 && row(v, id).Preview == ""
	}
	alice.until("it is empty here", empty)
	for _, p := range []*person{phone, bob} {
		p.Wake()
		p.until("it is empty there", empty)
	}
	if err := bob.Send(id, "a new beginning"); err != nil {
		t.Fatal(err)
	}
	bob.until("it is stored", shows("a new beginning"))
	alice.Wake()
	alice.until("it is there", shows("a new beginning"))
	alice.until("and new", rowSays(id, 1, "a new beginning"))
}

func TestWhatWaitsIsSentAfterTheClearing(t *testing.T) {
	s := newServer(t)
	a, b := s.account(0), s.account(1)
	id := s.direct(a, b)
	s.write(b, id, 1)
	alice, bob := s.signedIn(a), s.signedIn(b)
	alice.reading(id)
	alice.wire.set(cut)
	if err := alice.Send(id, "written before"); err != nil {
		t.Fatal(err)
	}
	alice.until("it waits", func(v *state.Snapshot) bool { return v.Offline && v.Unsent == 1 })
	bob.Clear(id)
	eventually(t, "it is cleared", func() bool { return s.overview(b, id).LastMessageID == "" })
	alice.wire.set(only(fault{before: true}, "poll")) // the news of the clearing comes later than the message goes
	alice.mu.Lock()
	run := alice.run
	alice.unlock()
	alice.flush(run)
	alice.until("it is sent in the new instance", shows("written before"))
	if got := s.messages(b, id); len(got) != 1 {
		t.Errorf("the server has %v", got)
	}
}

func TestFilesThatWaitAreSentAfterTheClearing(t *testing.T) {
	for name, f := range map[string]fault{"none was sent": {before: true}, "they were sent and their message was not": {}} {
		t.Run(name, func(t *testing.T) {
			s, id, alice, bob := people(t)
			alice.wire.set(func(call string, _ int) fault {
				if call == "chatconversation add" {
					return fault{before: true}
				}
				return f
			})
			if err := alice.Write(id, Writing{Text: "look", Files: []Attachment{note("one.txt"), note("two.txt")}}); err != nil {
				t.Fatal(err)
			}
			alice.until("it waits", func(v *state.Snapshot) bool { return v.Unsent == 1 && last(v).State == state.MessageQueued })
			before := instanceOf(t, s, bob.account, id)
			bob.Clear(id)
			eventually(t, "it is cleared", func() bool { return instanceOf(t, s, bob.account, id) != before })
			alice.wire.set(only(fault{before: true}, "poll")) // the news of the clearing comes later than the files go
			alice.mu.Lock()
			run := alice.run
			alice.unlock()
			alice.flush(run)
			alice.until("they are sent in the new instance", filesAre("one.txt", "two.txt"))
			bob.Wake()
			bob.until("they have come", filesAre("one.txt", "two.txt"))
			if got, ok := bob.get(id, 1); !ok || got != "what stands in two.txt" {
				t.Errorf("he gets %q", got)
			}
		})
	}
}

func TestAClearingThatFailsSaysSo(t *testing.T) {
	s := newServer(t)
	a, b := s.account(0), s.account(1)
	id := s.direct(a, b)
	s.write(b, id, 1)
	alice := s.signedIn(a)
	alice.wire.set(only(fault{before: true}, "clear"))
	alice.Clear(id)
	alice.until("it says so", func(v *state.Snapshot) bool {
		return len(v.Notices) == 1 && strings.HasPrefix(v.Notices[0].Text, "Bob could not be cleared.")
	})
	alice.wire.set(only(fault{answer: refusing(ozeki.CodeInvalid, "The conversation was cleared meanwhile. Load the list of conversations again.")}, "clear"))
	alice.Clear(id)
	alice.until("it says what the server said", func(v *state.Snapshot) bool {
		return len(v.Notices) > 0 && strings.Contains(v.Notices[len(v.Notices)-1].Text, "cleared meanwhile")
	})
	if len(s.messages(b, id)) != 1 {
		t.Error("it was cleared")
	}
}

// publishedOnly makes a device take the server for one without extensions of ours.
func publishedOnly(o *Options) {
	client := o.Client
	o.Vault = forgetful{o.Vault, client}
}

// forgetful is a vault that keeps a session without extensions.
type forgetful struct {
	Vault
	client *ozeki.Client
}

func (f forgetful) Load(ctx context.Context) (*Kept, error) {
	k, err := f.Vault.Load(ctx)
	if k != nil {
		k.Session.Extensions = []string{ozeki.ExtRequestID, ozeki.ExtCursor, ozeki.ExtSender}
	}
	return k, err
}

func TestWithoutTheExtensionTheDeviceFindsOutItself(t *testing.T) {
	s := newServer(t)
	a, b := s.account(0), s.account(1)
	id := s.direct(a, b)
	s.write(b, id, 3)
	first := s.signedIn(a)
	first.Close()
	alice := s.device(a, first.vault, publishedOnly)
	alice.until("the row is there", func(v *state.Snapshot) bool { return row(v, id).Stale })
	alice.Overview([]ozeki.ConversationID{id, ozeki.NewConversationID()})
	alice.until("what was there before counts as read", rowSays(id, 0, "message 2"))
	if n := alice.wire.sent("downloadpartial"); n != 1 {
		t.Errorf("%d downloads for one row", n)
	}
	alice.Overview([]ozeki.ConversationID{id})
	eventually(t, "nothing is asked for twice", func() bool { return alice.wire.sent("downloadpartial") == 1 })

	alice.mu.Lock() // the messages of this test were written an hour ago
	alice.readSince = alice.readSince.Add(-2 * time.Hour)
	alice.unlock()
	s.write(b, id, 2)
	alice.Wake()
	alice.until("something is new", func(v *state.Snapshot) bool { return row(v, id).Stale })
	alice.Overview([]ozeki.ConversationID{id})
	alice.until("it is counted", rowSays(id, 5, "message 1"))
	alice.MarkRead(id)
	alice.until("it is read", rowSays(id, 0, "message 1"))
	eventually(t, "the device has kept it", func() bool {
		k, err := alice.vault.Load(context.Background())
		return err == nil && k.Read[id].Message == s.messages(a, id)[4] && !k.ReadSince.IsZero()
	})
	alice.Close()

	s.write(b, id, 4)
	again := s.device(a, first.vault, publishedOnly)
	again.until("the row is there", func(v *state.Snapshot) bool { return row(v, id).Stale })
	again.Overview([]ozeki.ConversationID{id})
	again.until("the next run counts from there", rowSays(id, 4, "message 3"))
	if n := again.wire.sent("viewed"); n != 0 {
		t.Errorf("nothing was viewed, and there are %d reports", n)
	}
}

// bookish is a vault whose second reading, that of what an earlier run has kept beside the list, has to wait.
type bookish struct {
	Vault
	loads  *atomic.Int32
	second <-chan struct{}
}

func (v bookish) Load(ctx context.Context) (*Kept, error) {
	if v.loads.Add(1) == 2 {
		if err := await(ctx, v.second); err != nil {
			return nil, err
		}
	}
	return v.Vault.Load(ctx)
}

func TestWhatARowSaysIsCountedOnceItIsKnownWhatWasViewed(t *testing.T) {
	s := newServer(t)
	a, b := s.account(0), s.account(1)
	id := s.direct(a, b)
	s.write(b, id, 3)
	first := s.signedIn(a)
	first.Close()
	var loads atomic.Int32
	known := make(chan struct{})
	alice := s.device(a, bookish{first.vault, &loads, known}, publishedOnly)
	alice.until("the row is there", func(v *state.Snapshot) bool { return row(v, id).Stale })
	eventually(t, "what was viewed is being read", func() bool { return loads.Load() == 2 })
	alice.Overview([]ozeki.ConversationID{id})
	if alice.asksForOverviews() {
		t.Error("it asks before it is known what is new")
	}
	close(known)
	alice.until("what was there before counts as read", rowSays(id, 0, "message 2"))
	if n := alice.wire.sent("downloadpartial"); n != 1 {
		t.Errorf("%d downloads for one row", n)
	}
}

func (p *person) asksForOverviews() bool {
	p.mu.Lock()
	defer p.unlock()
	return p.overviewing
}

// receipt is what a timeline says of what became of its last message.
func receipt(want state.Receipt) func(*state.Snapshot) bool {
	return func(v *state.Snapshot) bool {
		n := len(v.Open.Messages)
		return n > 0 && v.Unsent == 0 && v.Open.Messages[n-1].Receipt == want
	}
}

func TestASenderLearnsWhatBecameOfAMessage(t *testing.T) {
	s := newServer(t)
	a, b := s.account(0), s.account(1)
	id := s.direct(a, b)
	alice := s.signedIn(a)
	alice.reading(id)
	if err := alice.Send(id, "hello"); err != nil {
		t.Fatal(err)
	}
	alice.until("it is stored", receipt(state.ReceiptNone))
	bob := s.signedIn(b)
	bob.until("it has come to Bob's device", rowSays(id, 1, "hello"))
	alice.Wake()
	alice.until("it is said to be delivered", receipt(state.ReceiptDelivered))
	bob.reading(id)
	bob.Viewed(id, newestOf(bob.Snapshot()))
	bob.timers.run(ReportDelay, ReportDelay)
	eventually(t, "the server knows", func() bool { return s.overview(b, id).Unread == 0 })
	alice.Wake()
	alice.until("it is said to be viewed", receipt(state.ReceiptViewed))
}

func TestWhatWasViewedStandsOnTheDeviceBeforeItIsReported(t *testing.T) {
	s := newServer(t)
	a, b := s.account(0), s.account(1)
	id := s.direct(a, b)
	s.write(b, id, 3)
	alice := s.signedIn(a)
	alice.reading(id)
	alice.Viewed(id, newestOf(alice.Snapshot()))
	eventually(t, "the device keeps it", func() bool {
		k, err := alice.vault.Load(t.Context())
		return err == nil && k.Read[id].Message == newestOf(alice.Snapshot())
	})
	if n := s.overview(a, id).Unread; n != 3 {
		t.Fatalf("it is reported at once: %d are unread", n)
	}
	alice.Close()
	again := s.device(a, alice.vault)
	again.until("nothing is unread after the restart", func(v *state.Snapshot) bool { return v.Loaded && row(v, id).Unread == 0 })
	eventually(t, "the server is told, and the device forgets it", func() bool {
		again.timers.run(ReportDelay, ReportDelay)
		k, err := again.vault.Load(t.Context())
		return s.overview(a, id).Unread == 0 && err == nil && len(k.Read) == 0
	})
}
