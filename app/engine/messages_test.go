//go:build !js

package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"starling/app/state"
	"starling/chatserver/store"
	"starling/ozeki"
)

func TestTwoPeopleExchangeMessagesInOrder(t *testing.T) {
	s := newServer(t)
	a, b := s.account(0), s.account(1)
	id := s.direct(a, b)
	alice, bob := s.signedIn(a), s.signedIn(b)
	alice.reading(id)
	bob.reading(id)
	var want []string
	for n := range 10 {
		text := fmt.Sprint("hello ", n)
		want = append(want, text)
		if err := alice.Send(id, "  "+text+"\n"); err != nil {
			t.Fatal(err)
		}
	}
	if v := alice.Snapshot(); !slices.Equal(texts(v), want) {
		t.Errorf("at once there are %q", texts(v))
	}
	alice.until("all are stored", shows(want...))
	bob.Wake()
	v := bob.until("all have arrived", shows(want...))
	if m := v.Open.Messages[0]; m.Mine || m.Sender != "Alice" || m.From != a.id || m.Trouble {
		t.Errorf("the first is %+v", m)
	}
	if err := bob.Send(id, "hello yourself"); err != nil {
		t.Fatal(err)
	}
	bob.until("the answer is stored", shows(append(want, "hello yourself")...))
	alice.timers.run(PollActive, PollActive)
	v = alice.until("the answer is there", shows(append(want, "hello yourself")...))
	if v.Announcement.Text != "Bob: hello yourself" {
		t.Errorf("announced %q", v.Announcement.Text)
	}
	if alice.wire.most["chatconversation add"] > 1 {
		t.Error("two messages were on their way at once")
	}
}

func TestWhatIsNoMessageIsNotSent(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	id := s.groups(a, 1)[0]
	p := s.signedIn(a)
	p.reading(id)
	if err := p.Send(id, " \n\t "); err != nil {
		t.Error(err)
	}
	if err := p.Send(id, strings.Repeat("x", MaxMessage+1)); err != ErrTooLong {
		t.Errorf("too long a message gives %v", err)
	}
	if v := p.Snapshot(); len(v.Open.Messages) != 0 || v.Unsent != 0 {
		t.Errorf("it shows %+v", v.Open.Messages)
	}
	long := strings.Repeat("ő", MaxMessage/2)
	if err := p.Send(id, long); err != nil {
		t.Error(err)
	}
	p.until("the longest message is stored", shows(long))
}

func TestMessagesOfACutConnectionArriveOnceInOrderAndUnderTheirIds(t *testing.T) {
	for name, f := range map[string]fault{
		"cut before the server has it": {before: true},
		"cut after the server has it":  {after: true},
		"a proxy's error page":         {after: true, answer: &ozeki.Response{Status: 504, ContentType: "text/html", Body: []byte("<h1>")}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			a, b := s.account(0), s.account(1)
			id := s.direct(a, b)
			p := s.signedIn(a)
			p.reading(id)
			p.wire.set(func(call string, n int) fault {
				if call == "chatconversation add" {
					return f
				}
				return fault{before: true}
			})
			for _, text := range []string{"one", "two", "three"} {
				if err := p.Send(id, text); err != nil {
					t.Fatal(err)
				}
			}
			v := p.until("all are queued", func(v *state.Snapshot) bool {
				return v.Offline && v.Open != nil && len(v.Open.Messages) == 3 && !slices.ContainsFunc(v.Open.Messages, func(m state.Message) bool { return m.State != state.MessageQueued })
			})
			if v.Unsent != 3 {
				t.Errorf("unsent: %d", v.Unsent)
			}
			said := v.Announcement.Seq
			var ids []ozeki.MessageID
			for _, m := range v.Open.Messages {
				ids = append(ids, m.ID)
			}
			p.wire.set(nil)
			eventually(t, "there is a poll to come", func() bool { return p.timers.run(PollActive, PollActive) == 1 })
			v = p.until("all are stored", shows("one", "two", "three"))
			if v.Announcement.Seq != said {
				t.Errorf("announced %q", v.Announcement.Text)
			}
			if got := s.messages(a, id); !slices.Equal(got, ids) {
				t.Errorf("the server has %v, want %v", got, ids)
			}
			for _, m := range v.Open.Messages {
				if m.State != state.MessageSent {
					t.Errorf("%+v", m)
				}
			}
		})
	}
}

func TestAnEchoBeforeTheAnswerIsShownOnce(t *testing.T) {
	s := newServer(t)
	a, b := s.account(0), s.account(1)
	id := s.direct(a, b)
	p := s.signedIn(a)
	p.reading(id)
	slow := make(chan struct{})
	p.wire.set(only(fault{hold: slow}, "chatconversation add"))
	if err := p.Send(id, "once"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the server has it", func() bool { return len(s.messages(a, id)) == 1 })
	p.Wake()
	p.until("the echo is there", func(v *state.Snapshot) bool { return shows("once")(v) && v.Open.Messages[0].State == state.MessageSent })
	close(slow)
	eventually(t, "the answer is there", func() bool {
		p.mu.Lock()
		defer p.unlock()
		return !p.sender[id].busy
	})
	p.until("it is shown once", shows("once"))
}

func TestARefusedMessageStaysToBeTriedAgainOrDeleted(t *testing.T) {
	s := newServer(t)
	a, b := s.account(0), s.account(1)
	id := s.direct(a, b)
	p := s.signedIn(a)
	p.reading(id)
	failed := func(n int) func(*state.Snapshot) bool {
		return func(v *state.Snapshot) bool {
			return v.Open != nil && len(v.Open.Messages) > n && v.Open.Messages[n].State == state.MessageFailed
		}
	}
	p.wire.set(only(fault{answer: refusing(ozeki.CodeForbidden, "You are blocked.")}, "chatconversation add"))
	_ = p.Send(id, "one")
	v := p.until("it is refused", failed(0))
	first := v.Open.Messages[0]
	if first.Why != "You are blocked." || !strings.Contains(v.Announcement.Text, "You are blocked.") {
		t.Errorf("%+v, announced %q", first, v.Announcement.Text)
	}
	p.wire.set(only(fault{answer: webPage}, "chatconversation add"))
	p.Retry(id, first.ID)
	p.Retry(id, first.ID) // pressed twice
	v = p.until("it fails again", func(v *state.Snapshot) bool { return failed(0)(v) && v.Open.Messages[0].Why != first.Why })
	if why := v.Open.Messages[0].Why; !strings.Contains(why, "web page") {
		t.Errorf("why: %q", why)
	}
	p.wire.set(nil)
	_ = p.Send(id, "two") // a refused message does not hold up the next
	p.until("the next is stored", func(v *state.Snapshot) bool { return len(s.messages(a, id)) == 1 && v.Unsent == 1 })
	p.Retry(id, first.ID)
	p.until("both are stored", func(v *state.Snapshot) bool { return v.Unsent == 0 && len(v.Open.Messages) == 2 })
	if got := s.messages(a, id); len(got) != 2 || got[1] != first.ID {
		t.Errorf("the server has %v", got)
	}
	p.wire.set(only(fault{answer: webPage}, "chatconversation add"))
	_ = p.Send(id, "three")
	v = p.until("it is refused", failed(2))
	p.Discard(id, v.Open.Messages[2].ID)
	if v := p.Snapshot(); len(v.Open.Messages) != 2 || v.Unsent != 0 {
		t.Errorf("it shows %q", texts(v))
	}
}

func TestAMessageThatWaitsCanBeDeleted(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	id := s.groups(a, 1)[0]
	p := s.signedIn(a)
	p.reading(id)
	p.wire.set(cut)
	for _, text := range []string{"one", "two", "three"} {
		_ = p.Send(id, text)
	}
	v := p.until("all are queued", func(v *state.Snapshot) bool {
		return len(v.Open.Messages) == 3 && !slices.ContainsFunc(v.Open.Messages, func(m state.Message) bool { return m.State != state.MessageQueued })
	})
	p.Discard(id, v.Open.Messages[1].ID)
	p.Discard(id, v.Open.Messages[0].ID) // was tried: it may have arrived
	if got := texts(p.Snapshot()); !slices.Equal(got, []string{"one", "three"}) {
		t.Errorf("it shows %q", got)
	}
	p.wire.set(nil)
	p.Wake()
	p.until("the others are stored", shows("one", "three"))
	if n := len(s.messages(a, id)); n != 2 {
		t.Errorf("the server has %d messages", n)
	}
}

func TestAHungOverloadedServerGetsNoMessageTwice(t *testing.T) {
	s := newServer(t)
	a, b := s.account(0), s.account(1)
	id := s.direct(a, b)
	p := s.signedIn(a)
	p.reading(id)
	p.wire.set(func(call string, n int) fault {
		if call == "chatconversation add" {
			return []fault{{after: true}, {before: true}, {after: true}, {}}[(n-1)%4]
		}
		return fault{}
	})
	var want []string
	for n := range 5 {
		want = append(want, fmt.Sprint(n))
		_ = p.Send(id, want[n])
	}
	p.until("all are stored", func(v *state.Snapshot) bool {
		p.Wake()
		return shows(want...)(v)
	})
	if n := len(s.messages(a, id)); n != 5 {
		t.Errorf("the server has %d messages", n)
	}
}

func TestANewConversationIsThereForBoth(t *testing.T) {
	s := newServer(t)
	a, b := s.account(0), s.account(1)
	ctx := context.Background()
	alice, bob := s.signedIn(a), s.signedIn(b)
	if _, err := alice.AddFriend(ctx, "nobody@example.com"); err == nil || Words(err) == "" {
		t.Errorf("a friend who is not there: %v", err)
	}
	f, err := alice.AddFriend(ctx, " BOB@example.com ")
	if err != nil {
		t.Fatal(err)
	}
	alice.until("he is among her friends", func(v *state.Snapshot) bool { return len(v.Friends) == 1 && v.Friends[0].Name == "Bob" })
	if _, err := alice.Converse(ctx, state.Friend{ID: "0123", Name: "Stranger"}); err == nil || !strings.Contains(err.Error(), "Stranger") {
		t.Errorf("with a stranger: %v", err)
	}
	id, err := alice.Converse(ctx, f)
	if err != nil {
		t.Fatal(err)
	}
	alice.reading(id)
	if v := alice.Snapshot(); v.Open.Row.Name != "Bob" || !v.Open.CanWrite {
		t.Errorf("it is %+v", v.Open)
	}
	again, err := alice.Converse(ctx, f)
	if err != nil || again != id {
		t.Errorf("once more: %v %v", again, err)
	}
	_ = alice.Send(id, "hello Bob")
	alice.until("it is stored", shows("hello Bob"))
	bob.Wake()
	bob.until("it is in his list", func(v *state.Snapshot) bool { return row(v, id).Name == "Alice" })
	bob.reading(id)
	bob.until("he can read it", shows("hello Bob"))
	// He starts one with her as well, before his list is new: it is the same one.
	carol := s.account(2)
	s.update(func(ctx context.Context, tx store.Tx) error { return tx.AddFriends(ctx, a.id, carol.id) })
	third := s.signedIn(carol)
	third.LoadFriends()
	v := third.until("she has a friend", func(v *state.Snapshot) bool { return len(v.Friends) == 1 })
	x, err1 := third.Converse(ctx, v.Friends[0])
	y, err2 := alice.Converse(ctx, state.Friend{ID: carol.id, Name: "Carol"})
	if err1 != nil || err2 != nil || x != y {
		t.Fatalf("%v %v %v %v", x, y, err1, err2)
	}
	third.reading(x)
	alice.reading(x)
	_ = third.Send(x, "hello Alice")
	third.until("it is stored", shows("hello Alice"))
	alice.Wake()
	alice.until("she can read it", shows("hello Alice"))
}

func TestAConversationThatDoesNotOpenIsShownAndSaysSo(t *testing.T) {
	s := newServer(t)
	a, b := s.account(0), s.account(1)
	id := ozeki.DirectConversationID(a.id, b.id)
	s.update(func(ctx context.Context, tx store.Tx) error {
		key := conversationKey(id)
		mine := a.member(t, id, key, "Bob")
		mine.Secret = b.member(t, id, key, "").Secret // wrapped for somebody else
		return tx.CreateConversation(ctx, store.NewConversation{
			ID: id, Instance: ozeki.NewInstance(), CreatedAt: s.now(), Members: []ozeki.Member{mine, b.member(t, id, key, "Alice")},
		})
	})
	s.write(b, id, 1)
	p := s.signedIn(a)
	r := row(p.Snapshot(), id)
	if !r.Trouble || r.Name != "Bob" {
		t.Errorf("the row is %+v", r)
	}
	p.reading(id)
	v := p.Snapshot()
	if m := v.Open.Messages; v.Open.CanWrite || len(m) != 1 || !m[0].Trouble || !strings.Contains(m[0].Text, "cannot be decrypted") || m[0].Sender != "Bob" {
		t.Errorf("it shows %+v", v.Open)
	}
	_ = p.Send(id, "into the void")
	v = p.until("it is refused here", func(v *state.Snapshot) bool {
		return len(v.Open.Messages) == 2 && v.Open.Messages[1].State == state.MessageFailed
	})
	if why := v.Open.Messages[1].Why; !strings.Contains(why, "cannot be opened with your key") || strings.Contains(why, "Something went wrong") {
		t.Errorf("why: %q", why)
	}
	p.Star(id, true) // a star needs no key
	p.until("it is a favorite", settled(id, true))
}

func TestOlderMessagesComePageByPage(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	id := s.groups(a, 1)[0]
	s.write(a, id, 2*pageSize+7)
	p := s.signedIn(a)
	p.reading(id)
	for want := pageSize; ; want += pageSize {
		v := p.until("the page is there", func(v *state.Snapshot) bool { return len(v.Open.Messages) >= min(want, 2*pageSize+7) && !v.Open.Older })
		if v.Open.Messages[0].Text != fmt.Sprint("message ", max(2*pageSize+7-want, 0)) || v.Open.Messages[len(v.Open.Messages)-1].Text != fmt.Sprint("message ", 2*pageSize+6) {
			t.Fatalf("it shows %q", texts(v))
		}
		if !v.Open.More {
			break
		}
		p.Older(id)
		p.Older(id)
	}
	if n := len(p.Snapshot().Open.Messages); n != 2*pageSize+7 {
		t.Errorf("it ends with %d messages", n)
	}
	if n := p.wire.sent("downloadpartial"); n != 3 {
		t.Errorf("%d pages were asked for", n)
	}
}

func TestAMessageWrittenWhileTheFirstPageIsOnItsWayIsNotMissed(t *testing.T) {
	s := newServer(t)
	a, b := s.account(0), s.account(1)
	id := s.direct(a, b)
	alice, bob := s.signedIn(a), s.signedIn(b)
	slow := make(chan struct{})
	alice.wire.set(only(fault{hold: slow}, "downloadpartial"))
	alice.Open(id)
	eventually(t, "the page is asked for", func() bool { return alice.wire.sent("downloadpartial") == 1 })
	// The server has answered with an empty page; it is still on its way.
	eventually(t, "the page is made", func() bool { alice.wire.mu.Lock(); defer alice.wire.mu.Unlock(); return alice.wire.held > 0 })
	_ = bob.Send(id, "meanwhile")
	bob.until("it is stored", func(v *state.Snapshot) bool { return len(s.messages(a, id)) == 1 })
	polls := alice.wire.sent("poll")
	alice.Wake()
	eventually(t, "it has heard of it", func() bool {
		alice.mu.Lock()
		defer alice.unlock()
		return alice.wire.sent("poll") > polls && !alice.poll.busy
	})
	close(slow)
	alice.until("it is shown", shows("meanwhile"))
}

func TestAMessageHeardOfJustBeforeTheLineIsCutIsFetchedLater(t *testing.T) {
	s := newServer(t)
	a, b := s.account(0), s.account(1)
	id := s.direct(a, b)
	alice, bob := s.signedIn(a), s.signedIn(b)
	alice.reading(id)
	_ = bob.Send(id, "hello")
	bob.until("it is stored", func(v *state.Snapshot) bool { return len(s.messages(a, id)) == 1 })
	alice.wire.set(only(fault{before: true}, "download"))
	alice.Wake()
	alice.until("it is offline", func(v *state.Snapshot) bool { return v.Offline })
	alice.wire.set(nil)
	alice.Wake()
	alice.until("the message is there", shows("hello"))
}

func TestWhatWasOpenedOfflineIsLoadedWhenTheServerIsBack(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	id := s.groups(a, 1)[0]
	s.write(a, id, 2)
	p := s.signedIn(a)
	p.wire.set(cut)
	p.Open(id)
	p.until("it cannot be loaded, which is no trouble", func(v *state.Snapshot) bool {
		return v.Open != nil && !v.Open.Loaded && !v.Open.Loading && v.Open.Trouble == "" && v.Offline
	})
	p.wire.set(nil)
	eventually(t, "there is a poll to come", func() bool { return p.timers.run(PollActive, PollActive) == 1 })
	p.until("it is there", func(v *state.Snapshot) bool {
		return slices.Equal(texts(v), []string{"message 0", "message 1"}) && v.Open.Trouble == ""
	})
}

func TestALongAbsenceLeavesNoGap(t *testing.T) {
	if testing.Short() {
		t.Skip("writes thousands of messages")
	}
	s := newServer(t)
	a := s.account(0)
	id := s.groups(a, 1)[0]
	p := s.signedIn(a)
	p.reading(id)
	s.write(a, id, 2500)
	p.Wake()
	// The newest are at hand, without a gap; the others come as the reader goes back, and the newest come back after that.
	has := func(first, last int) func(*state.Snapshot) bool {
		return func(v *state.Snapshot) bool {
			all := texts(v)
			return len(all) == last-first+1 && all[0] == fmt.Sprint("message ", first) && !v.Open.Older && !v.Open.Later
		}
	}
	noGap := func(v *state.Snapshot) {
		t.Helper()
		var n int
		_, _ = fmt.Sscanf(v.Open.Messages[0].Text, "message %d", &n)
		for i, m := range v.Open.Messages {
			if m.Text != fmt.Sprint("message ", n+i) {
				t.Fatalf("message %d is %q", n+i, m.Text)
			}
		}
	}
	noGap(p.until("the newest messages are there", has(1900, 2499)))
	p.AtEnd(id, false)
	for first := 1850; first >= 0; first -= 50 {
		p.Older(id)
		noGap(p.until("older ones are there", has(first, first+599)))
	}
	p.Older(id)
	v := p.until("there are no older ones", func(v *state.Snapshot) bool { return !v.Open.More && !v.Open.Older })
	if !v.Open.Cut {
		t.Error("nobody says that the newest are not here")
	}
	p.Later(id)
	v = p.until("later ones come back", func(v *state.Snapshot) bool { return slices.Contains(texts(v), "message 650") && !v.Open.Later })
	noGap(v)
	if !v.Open.More || !v.Open.Cut {
		t.Errorf("more %t, cut %t", v.Open.More, v.Open.Cut)
	}
	// That they cannot be had is said where the reader is.
	p.wire.set(func(call string, n int) fault { return fault{before: call == "downloadpartial"} })
	p.Newest(id)
	p.until("it is said", func(v *state.Snapshot) bool {
		return slices.ContainsFunc(v.Notices, func(n state.Notice) bool {
			return strings.HasPrefix(n.Text, "The newest messages could not be loaded.")
		})
	})
	// Asked for while a page is on its way, they come after it.
	hold := make(chan struct{})
	later := p.wire.sent("download") + 1
	p.wire.set(func(call string, n int) fault {
		if call == "download" && n == later {
			return fault{hold: hold}
		}
		return fault{}
	})
	p.Later(id)
	p.until("a page is on its way", func(v *state.Snapshot) bool { return v.Open.Later })
	p.Newest(id)
	close(hold)
	noGap(p.until("the newest come back", has(2450, 2499)))
	if o := p.Snapshot().Open; o.Cut || !o.More {
		t.Errorf("cut %t, more %t", o.Cut, o.More)
	}
}

func TestMessagesOfUnknownKindsAreShownAsSuch(t *testing.T) {
	s := newServer(t)
	a, b := s.account(0), s.account(1)
	id := s.direct(a, b)
	key := conversationKey(id)
	s.update(func(ctx context.Context, tx store.Tx) error {
		c, err := tx.Conversation(ctx, a.id, id)
		if err != nil {
			return err
		}
		for _, m := range []struct{ kind, plain string }{{"Poll", `{}`}, {ozeki.TypeMessage, `no json`}, {ozeki.TypeMessage, `{"v":9,"text":"from the future","x":1}`}} {
			mid := ozeki.NewMessageID()
			data, err := scheme.Seal(ctx, key, ozeki.MessageAD(id, mid), []byte(m.plain))
			if err != nil {
				return err
			}
			_, err = tx.AddMessage(ctx, id, store.Message{ID: mid, Instance: c.Instance, Sender: b.id, Type: m.kind, Created: s.now(), Data: data}, s.now())
			if err != nil {
				return err
			}
		}
		return nil
	})
	p := s.signedIn(a)
	p.reading(id)
	m := p.Snapshot().Open.Messages
	if len(m) != 3 || !m[0].Trouble || !m[1].Trouble || !strings.Contains(m[0].Text, "not understood") || !strings.Contains(m[1].Text, "not understood") ||
		m[2].Trouble || m[2].Text != "from the future" || m[2].Sender != "Bob" {
		t.Errorf("%+v", m)
	}
}

func TestWaitingMessagesSurviveTheProgramAndStandOnTheDeviceSealed(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	id := s.groups(a, 1)[0]
	p := s.signedIn(a)
	p.reading(id)
	p.wire.set(only(fault{after: true}, "chatconversation add")) // the first may have arrived, and has
	for _, text := range []string{"one", "two", "three"} {
		_ = p.Send(id, text)
	}
	eventually(t, "all are kept on the device", func() bool {
		k, err := p.vault.Load(context.Background())
		return err == nil && k != nil && len(k.Waiting) == 3
	})
	queue, _ := p.vault.Queued(context.Background())
	for _, w := range queue {
		if w.Data == "" || strings.Contains(w.Data, "one") || !w.ID.Valid() || w.Conversation != id {
			t.Errorf("kept: %+v", w)
		}
	}
	p.Close()

	q := s.device(a, p.vault)
	q.until("somebody is signed in", func(v *state.Snapshot) bool { return v.Loaded })
	q.reading(id)
	q.until("all are stored, in order", shows("one", "two", "three"))
	if n := len(s.messages(a, id)); n != 3 {
		t.Errorf("the server has %d messages", n)
	}
	eventually(t, "the device keeps none of them", func() bool {
		k, err := q.vault.Load(context.Background())
		return err == nil && len(k.Waiting) == 0
	})
}
