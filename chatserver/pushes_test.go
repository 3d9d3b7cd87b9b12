package chatserver

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"starling/chatserver/push/pushtest"
	"starling/ozeki"
)

func withPush(f *fixture) { f.push = pushtest.New(f.t, f.clock.now) }

// notified has the user's station told by push, in a browser of the name.
func (u *user) notified(browser string) *pushtest.Browser {
	u.f.t.Helper()
	b := u.f.push.Subscribe(browser)
	if err := u.PushSubscribe(u.f.t.Context(), subscription(b)); err != nil {
		u.f.t.Fatal(err)
	}
	return b
}

func subscription(b *pushtest.Browser) ozeki.PushSubscription {
	return ozeki.PushSubscription{Endpoint: b.Endpoint, P256dh: b.P256dh, Auth: b.Auth}
}

// pass lets time pass, and waits until all that is due then has been sent or has failed.
func (f *fixture) pass(d time.Duration) {
	f.t.Helper()
	f.clock.move(d)
	p := f.srv.pushes
	p.wake()
	for end := time.Now().Add(patient); ; time.Sleep(time.Millisecond) {
		p.mu.Lock()
		busy := len(p.busy) > 0
		for _, w := range p.waiting {
			busy = busy || !w.due.After(f.clock.now())
		}
		p.mu.Unlock()
		if !busy {
			return
		}
		if time.Now().After(end) {
			f.t.Fatal("pushes are still being sent")
		}
	}
}

// pushed fails the test unless the browser was sent so many pushes so far, each of which tells of the conversation.
func (f *fixture) pushed(b *pushtest.Browser, c *ozeki.Conversation, want int) {
	f.t.Helper()
	got := f.push.Pushes(b)
	if len(got) != want {
		f.t.Errorf("%s was sent %d pushes, want %d", b.Endpoint, len(got), want)
	}
	for _, p := range got {
		if p.Payload != `{"conversation":"`+string(c.ID)+`"}` || p.TTL != "86400" || p.Urgency != "high" || len(p.Topic) != 32 || strings.Contains(p.Topic, string(c.ID)) {
			f.t.Errorf("%+v", p)
		}
	}
}

func TestWhoLooksAtNoPageIsToldOfAMessage(t *testing.T) {
	f := newFixture(t, withPush)
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	c := f.direct(alice, bob)
	phone, desk, own := bob.notified("phone"), bob.signIn().notified("desk"), alice.notified("own")
	alice.say(c)
	f.pass(pushAfter - time.Millisecond)
	f.pushed(phone, c, 0)
	alice.say(c)
	f.pass(time.Millisecond) // both messages are one push
	f.pushed(phone, c, 1)
	f.pushed(desk, c, 1)
	f.pushed(own, c, 0)
	alice.say(c)
	f.pass(pushAfter) // not so soon again
	f.pushed(phone, c, 1)
	f.pass(pushEvery)
	f.pushed(phone, c, 2)
	f.pushed(desk, c, 2)
	f.pass(time.Hour)
	f.pushed(phone, c, 2)
}

func TestNobodyIsToldWhatHeDoesNotWantToKnow(t *testing.T) {
	f, ctx := newFixture(t, withPush), t.Context()
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	c := f.direct(alice, bob)
	phone := bob.notified("phone")
	desk := bob.signIn()
	var last ozeki.MessageID
	told := 0
	step := func(what string, more int) {
		t.Helper()
		last = alice.say(c)
		f.pass(pushEvery + pushAfter)
		told += more
		t.Log(what)
		f.pushed(phone, c, told)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	step("nobody is there", 1)
	must(desk.Availability(ctx))
	step("a page was used and is closed", 1)
	page := desk.socket()
	must(desk.Availability(ctx))
	step("a page is looked at", 0)
	must(desk.Away(ctx))
	step("a page is open and not looked at", 1)
	_ = page.CloseNow()
	_, err := bob.Mute(ctx, c.ID)
	must(err)
	step("it is muted", 0)
	_, err = bob.Unmute(ctx, c.ID)
	must(err)
	step("it is not muted any more", 1)
	_, err = bob.Hide(ctx, c.ID, c.Instance)
	must(err)
	step("it is hidden", 0)
	_, err = bob.Unhide(ctx, c.ID)
	must(err)
	step("it is shown again", 1)

	last = alice.say(c)
	must(bob.views(c, last))
	f.pass(pushEvery + pushAfter)
	f.pushed(phone, c, told) // read in time

	must(bob.PushUnsubscribe(ctx))
	must(bob.PushUnsubscribe(ctx))
	step("it is switched off", 0)
}

func TestABlockedPersonsMessageInAGroupTellsNothing(t *testing.T) {
	f, ctx := newFixture(t, withPush), t.Context()
	alice, bob, carol := f.user("Alice", 0), f.user("Bob", 1), f.user("Carol", 2)
	c := f.group(alice, bob, carol)
	phone := bob.notified("phone")
	if err := bob.Block(ctx, alice.id); err != nil {
		t.Fatal(err)
	}
	alice.say(c)
	f.pass(pushAfter)
	f.pushed(phone, c, 0)
	alice.say(c)
	carol.say(c)
	f.pass(pushAfter)
	f.pushed(phone, c, 1)
}

func TestASubscriptionEndsWithItsBrowserAndItsSession(t *testing.T) {
	f, ctx := newFixture(t, withPush), t.Context()
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	c := f.direct(alice, bob)
	desk := bob.signIn()
	first, second := bob.notified("first"), desk.notified("second")
	third := bob.notified("third") // of the same station: its browser has changed it
	alice.say(c)
	f.pass(pushAfter)
	f.pushed(first, c, 0)
	f.pushed(second, c, 1)
	f.pushed(third, c, 1)
	if err := desk.Logout(ctx); err != nil {
		t.Fatal(err)
	}
	f.push.Answer(http.StatusGone, "", 1)
	alice.say(c)
	f.pass(pushEvery)
	before := f.push.Requests()
	alice.say(c)
	f.pass(pushEvery + pushAfter)
	f.pushed(second, c, 1)
	f.pushed(third, c, 1)
	if f.push.Requests() != before {
		t.Error("a subscription that has ended is asked again")
	}
	if left, err := f.store.Pushes(ctx, bob.id); err != nil || len(left) > 0 {
		t.Errorf("left: %v %v", left, err)
	}
}

func TestAFailingPushServiceIsTriedAFewTimesMore(t *testing.T) {
	f := newFixture(t, withPush)
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	c := f.direct(alice, bob)
	phone := bob.notified("phone")
	f.push.Answer(http.StatusServiceUnavailable, "30", 1)
	f.push.Answer(http.StatusInternalServerError, "", 1)
	alice.say(c)
	f.pass(pushAfter)
	f.pass(30*time.Second - time.Millisecond)
	if n := f.push.Requests(); n != 1 {
		t.Errorf("%d requests, before the service wants to be asked again", n)
	}
	f.pass(time.Millisecond)
	f.pass(2 * pushRetry)
	f.pushed(phone, c, 1)

	f.push.Answer(http.StatusServiceUnavailable, "", 100)
	before := f.push.Requests()
	alice.say(c)
	for range 2 * pushTries {
		f.pass(pushLatest)
	}
	if n := f.push.Requests() - before; n != pushTries {
		t.Errorf("tried %d times, want %d", n, pushTries)
	}
}

func TestOnlyASubscriptionOfATakenServiceIsTaken(t *testing.T) {
	f := newFixture(t, withPush, func(f *fixture) { f.hosts = []string{pushtest.Host, "*.good.example.org"} })
	bob := f.user("Bob", 1)
	good := subscription(f.push.Subscribe("a"))
	for endpoint, taken := range map[string]bool{
		good.Endpoint: true, "https://x.good.example.org/a": true,
		"https://good.example.org/a": false, "https://xgood.example.org/a": false, "https://push.example.com.evil.org/a": false,
		"http://push.example.com/a": false, "https://push.example.com:22/a": false, "https://user@push.example.com/a": false, "": false,
	} {
		s := good
		s.Endpoint = endpoint
		err := bob.PushSubscribe(t.Context(), s)
		var refused *ozeki.RefusedError
		if taken != (err == nil) || err != nil && (!errors.As(err, &refused) || refused.Code != ozeki.CodeInvalid) {
			t.Errorf("%q: %v", endpoint, err)
		}
	}
}

func TestAUserHasOnlySoManyDevicesWithPush(t *testing.T) {
	f := newFixture(t, withPush)
	bob := f.user("Bob", 1)
	for i := range maxDevices - 1 {
		bob.signIn().notified("b" + string(rune('a'+i)))
	}
	bob.notified("last")
	bob.notified("instead of it")
	err := bob.signIn().PushSubscribe(t.Context(), subscription(f.push.Subscribe("more")))
	var refused *ozeki.RefusedError
	if !errors.As(err, &refused) || refused.Code != ozeki.CodeLimit {
		t.Error(err)
	}
}

func TestThePushKeyOutlivesTheProgram(t *testing.T) {
	f, ctx := newFixture(t, withPush), t.Context()
	bob := f.user("Bob", 1)
	if !bob.Session().Has(ozeki.ExtPush) {
		t.Error("push is not offered")
	}
	before, err := bob.PushKey(ctx)
	if err != nil {
		t.Fatal(err)
	}
	f.restart()
	if after, err := bob.at(f).PushKey(ctx); err != nil || after != before || len(before) != 87 {
		t.Errorf("%q, then %q, %v", before, after, err)
	}
}

func TestWithoutPushNothingIsOffered(t *testing.T) {
	f := newFixture(t)
	bob := f.user("Bob", 1)
	if bob.Session().Has(ozeki.ExtPush) {
		t.Error("push is offered")
	}
	if _, err := bob.PushKey(t.Context()); err == nil {
		t.Error("there is a key")
	}
}

func TestSlowPushServicesDoNotHoldUpOthers(t *testing.T) {
	p, now := newPushes(nil, nil), time.Unix(1e9, 0)
	waits := func(user ozeki.UserID) {
		p.waiting[pushFor{user, ozeki.NewConversationID()}] = &waitingPush{due: now}
	}
	for i := range 2 * pushesOnce {
		slow := ozeki.UserIDOf(fmt.Sprint("slow ", i))
		p.took(slow, true)
		waits(slow)
	}
	due, _ := p.take(now)
	if len(due) != pushesSlow {
		t.Errorf("%d slow ones at once, want %d", len(due), pushesSlow)
	}
	quick := ozeki.UserIDOf("quick")
	waits(quick)
	more, _ := p.take(now)
	if len(more) != 1 || !p.busy[quick] {
		t.Errorf("beside slow ones %d are told", len(more))
	}
	for what, w := range due {
		p.took(what.user, false)
		p.done(what, w, true, nil, 0, now)
	}
	if due, _ := p.take(now); len(due) != pushesSlow {
		t.Errorf("then %d, want %d", len(due), pushesSlow)
	}
}

func TestAUserIsNotSentPushesWithoutEnd(t *testing.T) {
	p, now := newPushes(nil, nil), time.Unix(1e9, 0)
	user, other := ozeki.UserIDOf("one"), ozeki.UserIDOf("other")
	for range 10 * pushBurst {
		p.waiting[pushFor{user, ozeki.NewConversationID()}] = &waitingPush{due: now}
	}
	tell := func() (told int) {
		for {
			due, _ := p.take(now)
			if len(due) == 0 {
				return told
			}
			for what, w := range due {
				told++
				p.done(what, w, true, nil, 0, now)
			}
		}
	}
	if n := tell(); n != pushBurst {
		t.Errorf("%d at once, want %d", n, pushBurst)
	}
	if _, next := p.take(now); next <= 0 || next > pushPace {
		t.Errorf("the next one in %v, want up to %v", next, pushPace)
	}
	p.waiting[pushFor{other, ozeki.NewConversationID()}] = &waitingPush{due: now}
	if n := tell(); n != 1 {
		t.Errorf("somebody else gets %d", n)
	}
	now = now.Add(3 * pushPace)
	if n := tell(); n != 3 {
		t.Errorf("later %d more, want 3", n)
	}
	now = now.Add(pushPace)
	for range 10 {
		due, _ := p.take(now)
		if len(due) != 1 {
			t.Fatalf("%d are due where nobody was told", len(due))
		}
		for what, w := range due {
			p.spared(w)
			p.done(what, w, false, nil, 0, now)
		}
	}
	now = now.Add(24 * time.Hour)
	clear(p.waiting)
	if p.take(now); len(p.pace) != 0 {
		t.Errorf("%d users are remembered for ever", len(p.pace))
	}
}
