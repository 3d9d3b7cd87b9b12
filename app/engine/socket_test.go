//go:build !js

package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"starling/app/state"
	"starling/ozeki"
)

// plugs are the sockets of a device, as a test sees and disturbs them.
type plugs struct {
	mu     sync.Mutex
	dial   func(ctx context.Context, url string) (Socket, error)
	refuse bool     // no socket can be opened
	urls   []string // that were tried
	open   []*plug
}

// plug is one socket.
type plug struct {
	Socket
	all *plugs

	mu     sync.Mutex
	mute   bool // the line is dead and looks open: nothing comes, nothing arrives, nothing fails
	closed bool
	sent   []string
}

func (ps *plugs) Dial(ctx context.Context, url string) (Socket, error) {
	ps.mu.Lock()
	ps.urls = append(ps.urls, url)
	refuse, dial := ps.refuse, ps.dial
	ps.mu.Unlock()
	if refuse {
		return nil, errors.New("no upgrades here")
	}
	s, err := dial(ctx, url)
	if err != nil {
		return nil, err
	}
	p := &plug{Socket: s, all: ps}
	ps.mu.Lock()
	ps.open = append(ps.open, p)
	ps.mu.Unlock()
	return p, nil
}

func (p *plug) Read(ctx context.Context) (string, error) {
	for {
		text, err := p.Socket.Read(ctx)
		p.mu.Lock()
		mute := p.mute
		p.mu.Unlock()
		switch {
		case !mute:
			return text, err
		case err != nil:
			<-ctx.Done()
			return "", ctx.Err()
		}
	}
}

func (p *plug) Send(ctx context.Context, text string) error {
	p.mu.Lock()
	p.sent = append(p.sent, text)
	mute := p.mute
	p.mu.Unlock()
	if mute {
		return nil
	}
	return p.Socket.Send(ctx, text)
}

func (p *plug) Close() {
	p.Socket.Close()
	p.all.mu.Lock()
	defer p.all.mu.Unlock()
	if i := slices.Index(p.all.open, p); i >= 0 {
		p.all.open = slices.Delete(p.all.open, i, i+1)
	}
}

func (ps *plugs) set(f func(*plugs)) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	f(ps)
}

func (ps *plugs) tried() int {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return len(ps.urls)
}

// linked is a device on which the person has signed in and whose socket is open.
func (s *server) linked(a account, change ...func(*Options)) (*person, *plugs) {
	s.t.Helper()
	ps := &plugs{dial: DialSocket}
	p := s.signedIn(a, append([]func(*Options){func(o *Options) {
		o.Listener = "ws" + strings.TrimPrefix(s.http.URL, "http") + listenerPath
		o.Dial = ps.Dial
		o.Jitter = func(most time.Duration) time.Duration { return most }
	}}, change...)...)
	p.linked(ps)
	return p, ps
}

// linked waits until the socket is open, has answered, and polls are rare.
func (p *person) linked(ps *plugs) *plug {
	p.t.Helper()
	var s *plug
	eventually(p.t, "the socket is open and polls are rare", func() bool {
		ps.mu.Lock()
		defer ps.mu.Unlock()
		if len(ps.open) == 0 {
			return false
		}
		s = ps.open[len(ps.open)-1]
		return fmt.Sprint(p.timers.polls()) == "[20s]" && p.answered() && p.paced() >= PollLinked
	})
	return s
}

// answered: no poll is on its way, and the last beat was answered.
func (p *person) answered() bool {
	p.mu.Lock()
	defer p.unlock()
	return !p.poll.busy && !p.link.asked && p.link.socket != nil
}

// paced is how long after a poll the next one comes.
func (p *person) paced() time.Duration {
	p.mu.Lock()
	defer p.unlock()
	return p.pace()
}

func TestAMessageArrivesBecauseTheSocketSaysSo(t *testing.T) {
	s := newServer(t)
	a, b := s.account(0), s.account(1)
	id := s.direct(a, b)
	alice, _ := s.linked(a)
	bob, ps := s.linked(b)
	alice.reading(id)
	bob.reading(id)
	polls := bob.wire.sent("poll")
	if err := alice.Send(id, "hello"); err != nil {
		t.Fatal(err)
	}
	bob.until("it is there", shows("hello")) // no timer runs by itself here
	if n := bob.wire.sent("poll") - polls; n < 1 || n > 2 {
		t.Errorf("%d polls for one message", n)
	}
	if n := bob.wire.sent("ticket"); n != 1 || ps.tried() != 1 || !strings.Contains(ps.urls[0], "?ticket=") {
		t.Errorf("%d tickets, sockets to %q", n, ps.urls)
	}
	if got := bob.paced(); got != PollLinked {
		t.Errorf("polls come every %v", got)
	}
	bob.Visible(false)
	if got := bob.paced(); got != PollLinkedHidden {
		t.Errorf("while nobody looks they come every %v", got)
	}
}

func TestADeadLineThatLooksOpenIsNoticedWithinTwoBeats(t *testing.T) {
	s := newServer(t)
	a, b := s.account(0), s.account(1)
	id := s.direct(a, b)
	p, ps := s.linked(a)
	p.reading(id)
	dead := p.linked(ps)
	dead.mu.Lock()
	dead.mute = true
	dead.mu.Unlock()
	s.write(b, id, 1) // without a hint
	if err := s.hint(a.id); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if n := p.timers.run(ozeki.BeatEvery, ozeki.BeatEvery); n > 1 {
			t.Errorf("%d beats at once", n)
		}
	}
	// Polls take over at once, and find what the line kept back.
	eventually(t, "a poll is to come", func() bool { return p.timers.run(PollActive, PollActive) == 1 })
	p.until("what came meanwhile is there", shows("message 0"))
	eventually(t, "there is a new try", func() bool { return p.timers.run(linkFirst, linkFirst) == 1 })
	if again := p.linked(ps); again == dead {
		t.Error("the dead socket is still in use")
	}
}

func TestABeatIsAnsweredAndTheSocketStays(t *testing.T) {
	s := newServer(t)
	p, ps := s.linked(s.account(0))
	socket := p.linked(ps)
	for range 5 {
		if p.timers.run(ozeki.BeatEvery, ozeki.BeatEvery) != 1 {
			t.Error("there is no beat")
		}
		p.linked(ps)
	}
	socket.mu.Lock()
	defer socket.mu.Unlock()
	if len(socket.sent) != 6 || ps.tried() != 1 {
		t.Errorf("sent %q over %d sockets", socket.sent, ps.tried())
	}
}

func TestWakingAsksTheSocketWhetherItIsThere(t *testing.T) {
	s := newServer(t)
	p, ps := s.linked(s.account(0))
	dead := p.linked(ps)
	p.Wake()
	eventually(t, "it has answered", p.answered)
	if p.timers.run(linkSoon, linkSoon) != 1 {
		t.Error("nobody looks for the answer")
	}
	p.linked(ps)
	dead.mu.Lock()
	dead.mute = true
	dead.mu.Unlock()
	p.Wake()
	if p.timers.run(linkSoon, linkSoon) != 1 {
		t.Error("nobody looks for the answer")
	}
	eventually(t, "there is a new try", func() bool { return p.timers.run(linkFirst, linkFirst) == 1 })
	p.linked(ps)
}

func TestAfterARestartOfTheServerTheGapIsFetched(t *testing.T) {
	s := newServer(t)
	a, b := s.account(0), s.account(1)
	id := s.direct(a, b)
	p, ps := s.linked(a)
	p.reading(id)
	p.linked(ps)
	addr := s.http.Listener.Addr().String()
	s.stop()
	eventually(t, "the end is noticed", func() bool { return p.timers.run(PollActive, PollActive) == 1 })
	p.until("it is offline", func(v *state.Snapshot) bool { return v.Offline })
	tried := ps.tried()
	eventually(t, "the time for a new try has come, and the server is away", func() bool { return p.timers.run(linkFirst, linkFirst) == 1 })
	s.write(b, id, 300)
	s.start(addr)
	if ps.tried() != tried {
		t.Error("it tries although the server cannot be reached")
	}
	eventually(t, "a poll finds the server", func() bool {
		p.timers.run(PollActive, ozeki.BeatEvery-1) // a beat that came before the last one's answer would end the new socket
		p.timers.run(ozeki.BeatEvery+1, maxPollDelay-1)
		return !p.Snapshot().Offline
	})
	p.linked(ps)
	p.until("all is there", func(v *state.Snapshot) bool { return len(texts(v)) == 300 })
}

// The user may come back in the moment in which a try fails: he does not wait for the next one.
func TestATryThatFailsWhileTheUserComesBackIsMadeAgain(t *testing.T) {
	s := newServer(t)
	p, ps := s.linked(s.account(0))
	let := make(chan struct{})
	open := ps.dial
	ps.set(func(ps *plugs) {
		tries := 0
		ps.dial = func(context.Context, string) (Socket, error) {
			if tries++; tries == 4 {
				<-let
			}
			return nil, errors.New("no upgrades now")
		}
	})
	n := ps.tried()
	p.linked(ps).Close()
	for i := range 4 { // the next would be made after 16 s
		wait := linkFirst << i
		eventually(t, fmt.Sprint("a try is made after ", wait), func() bool { p.timers.run(wait, wait); return ps.tried() > n+i })
	}
	p.Visible(true)
	ps.set(func(ps *plugs) { ps.dial = open })
	close(let)
	eventually(t, "it is made again without the wait for another", func() bool { p.timers.run(PollActive, PollActive); return ps.tried() > n+4 })
	p.linked(ps)
}

func TestTriesInVainComeLessAndLessOften(t *testing.T) {
	s := newServer(t)
	p, ps := s.linked(s.account(0))
	ps.set(func(ps *plugs) { ps.refuse = true })
	dead := p.linked(ps)
	dead.Close()
	var waits []time.Duration
	for _, wait := range []time.Duration{1, 2, 4, 8, 16, 30, 30, 30} {
		wait *= time.Second
		n := ps.tried()
		eventually(t, fmt.Sprint("there is a try after ", wait), func() bool {
			if wait == PollActive && len(p.timers.polls()) < 2 {
				return false // the poll's timer is not the one meant
			}
			return p.timers.run(wait, wait) > 0
		})
		eventually(t, "it is made", func() bool { return ps.tried() > n || wait == PollActive })
		waits = append(waits, wait)
	}
	if v := p.Snapshot(); v.Offline || len(v.Notices) > 0 {
		t.Errorf("offline %t, notices %+v: polls go on, and nobody is troubled", v.Offline, v.Notices)
	}
	eventually(t, "polls are as often as without a socket", func() bool { return slices.Contains(p.timers.polls(), PollActive) })
	// At once when the page is seen again.
	ps.set(func(ps *plugs) { ps.refuse = false })
	p.Visible(true)
	p.linked(ps)
	p.linked(ps).Close()
	eventually(t, "the waits begin anew", func() bool { return slices.Contains(p.timers.durations(), linkFirst) })
	t.Log(waits)
}

func TestTheWaitIsAnythingUpToTheWhole(t *testing.T) {
	least, most := time.Hour, time.Duration(0)
	for range 1000 {
		d := full(time.Second)
		least, most = min(least, d), max(most, d)
	}
	if least < 0 || least > 100*time.Millisecond || most > time.Second || most < 900*time.Millisecond {
		t.Errorf("from %v to %v", least, most)
	}
}

func TestWithoutAListenerThereAreOnlyPolls(t *testing.T) {
	s := newServer(t)
	ps := &plugs{dial: DialSocket}
	p := s.signedIn(s.account(0), func(o *Options) { o.Dial = ps.Dial })
	p.Wake()
	eventually(t, "polls go on", func() bool { return slices.Contains(p.timers.polls(), PollActive) })
	if ps.tried() != 0 || p.wire.sent("ticket") != 0 {
		t.Errorf("sockets to %q, %d tickets", ps.urls, p.wire.sent("ticket"))
	}
}

func TestSigningOutAndClosingEndTheSocket(t *testing.T) {
	s := newServer(t)
	p, ps := s.linked(s.account(0))
	none := func() bool { ps.mu.Lock(); defer ps.mu.Unlock(); return len(ps.open) == 0 }
	p.SignOut()
	eventually(t, "it is closed", none)
	if got := p.timers.durations(); len(got) != 0 {
		t.Errorf("timers go on: %v", got)
	}
	p.signIn()
	p.linked(ps)
	p.Close()
	if !none() {
		t.Error("it is open after the end")
	}
}

// hint says to a user's sockets that something changed.
func (s *server) hint(users ...ozeki.UserID) error {
	return s.bus.Publish(context.Background(), busHint(users))
}

// ozekiSocket is the socket of a server of another make: it takes nothing, and says what its makers like.
type ozekiSocket struct {
	texts chan string
	t     testing.TB
}

func (o *ozekiSocket) Read(ctx context.Context) (string, error) {
	select {
	case text, open := <-o.texts:
		if !open {
			return "", errors.New("closed")
		}
		return text, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func (o *ozekiSocket) Send(_ context.Context, text string) error {
	o.t.Errorf("it is sent %q", text)
	return nil
}

func (o *ozekiSocket) Close() {}

func TestAnotherServersSocketIsListenedToAndNotTrustedBlindly(t *testing.T) {
	s := newServer(t)
	a, b := s.account(0), s.account(1)
	id := s.direct(a, b)
	o := &ozekiSocket{texts: make(chan string), t: t}
	var url string
	p := s.signedIn(a, func(opt *Options) {
		opt.Listener = "ws://example.com/ozeki/listener"
		opt.Client = ozeki.NewClient(ozeki.Options{Base: s.http.URL + apiPath, Scheme: scheme, Transport: plain{ozeki.NewTransport()}})
		opt.Dial = func(_ context.Context, to string) (Socket, error) { url = to; return o, nil }
	})
	p.reading(id)
	paced := func(want time.Duration) {
		t.Helper()
		eventually(t, fmt.Sprint("polls come every ", want), func() bool {
			p.mu.Lock()
			defer p.unlock()
			return !p.poll.busy && p.link.socket != nil && p.pace() == want
		})
	}
	paced(PollActive) // it has not shown what it is worth
	o.texts <- "hello, I am a socket"
	paced(PollActive)
	s.write(b, id, 1)
	o.texts <- `<changed what="everything"/>`
	p.until("the message is there", shows("message 0"))
	paced(PollLinked)
	// It forgets to tell: a poll finds it, and polls are frequent again.
	s.write(b, id, 1)
	eventually(t, "a poll runs", func() bool { return p.timers.run(PollLinked, PollLinked) > 0 })
	p.until("the second is there", func(v *state.Snapshot) bool { return len(texts(v)) == 2 })
	paced(PollActive)
	p.Typing(id)
	p.Wake()
	if url != "ws://example.com/ozeki/listener" {
		t.Errorf("it is at %q", url)
	}
	close(o.texts)
	eventually(t, "its end is noticed", func() bool { p.mu.Lock(); defer p.unlock(); return p.link.socket == nil })
}

// plain is a line to a server without extensions.
type plain struct{ inner ozeki.Transport }

func (p plain) Post(ctx context.Context, url string, header map[string]string, body []byte) (*ozeki.Response, error) {
	res, err := p.inner.Post(ctx, url, header, body)
	if err == nil && strings.Contains(url, "chatlogin") {
		res.Body = []byte(strings.Replace(string(res.Body), `"extensions":["`, `"extensions":["no`, 1))
		for _, name := range []string{ozeki.ExtTicket, ozeki.ExtTyping, ozeki.ExtAway} {
			res.Body = []byte(strings.Replace(string(res.Body), `"`+name+`"`, `"no`+name+`"`, 1))
		}
	}
	return res, err
}

func TestTypingIsToldAndSeenForAWhile(t *testing.T) {
	s := newServer(t)
	a, b := s.account(0), s.account(1)
	id := s.direct(a, b)
	alice, ps := s.linked(a)
	bob, _ := s.linked(b)
	alice.reading(id)
	bob.reading(id)
	typing := func(want ...string) func(*state.Snapshot) bool {
		return func(v *state.Snapshot) bool { return slices.Equal(v.Open.Typing, want) }
	}
	socket := alice.linked(ps)
	told := func() (n int) {
		socket.mu.Lock()
		defer socket.mu.Unlock()
		for _, text := range socket.sent {
			if strings.Contains(text, `"typing"`) {
				n++
			}
		}
		return n
	}
	for range 10 {
		alice.Typing(id)
	}
	bob.until("she is seen typing", typing("Alice"))
	if n := told(); n != 1 {
		t.Errorf("told %d times in three seconds", n)
	}
	alice.timers.run(ozeki.TypingEvery, ozeki.TypingEvery)
	alice.Typing(id)
	eventually(t, "it is told again", func() bool { return told() == 2 })
	if bob.timers.run(ozeki.TypingLasts, ozeki.TypingLasts) != 1 {
		t.Error("it never ends")
	}
	bob.until("it is over", typing())

	bob.Typing(id)
	alice.until("he is seen typing", typing("Bob"))
	if err := bob.Send(id, "there it is"); err != nil {
		t.Fatal(err)
	}
	alice.until("the message is there and he types no more", func(v *state.Snapshot) bool { return shows("there it is")(v) && typing()(v) })
}

func TestWhoGoesOnTypingIsSeenWhenTheTimeOfTheLastSignIsOver(t *testing.T) {
	_, id, alice, bob := people(t)
	alice.mu.Lock()
	run := alice.run
	alice.unlock()
	typing := ozeki.Frame{Type: ozeki.FrameTyping, ConversationID: id, UserID: bob.id}
	alice.heardTyping(run, typing)
	alice.timers.mu.Lock()
	i := slices.IndexFunc(alice.timers.list, func(t *timer) bool { return t.d == ozeki.TypingLasts })
	late := alice.timers.list[i].f // has fired already, and comes after the next sign
	alice.timers.mu.Unlock()
	alice.heardTyping(run, typing)
	late()
	if got := alice.Snapshot().Open.Typing; !slices.Equal(got, []string{"Bob"}) {
		t.Errorf("typing are %q", got)
	}
	if alice.timers.run(ozeki.TypingLasts, ozeki.TypingLasts) != 1 {
		t.Error("it never ends")
	}
	if got := alice.Snapshot().Open.Typing; len(got) != 0 {
		t.Errorf("afterwards typing are %q", got)
	}
}
