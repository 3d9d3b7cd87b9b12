package chatserver

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"starling/chatserver/bus"
	"starling/chatserver/store"
	"starling/ozeki"
)

const patient = 10 * time.Second

// peer is the page's end of a socket.
type peer struct {
	*websocket.Conn
	t testing.TB
}

// dial asks for a socket; header is pairs of names and values beside the page's own origin.
func (f *fixture) dial(ticket string, header ...string) (*peer, *http.Response, error) {
	h := http.Header{"Origin": {f.http.URL}}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	ctx, cancel := context.WithTimeout(f.t.Context(), patient)
	defer cancel()
	conn, res, err := websocket.Dial(ctx, f.http.URL+testListener+"?ticket="+ticket, &websocket.DialOptions{HTTPHeader: h})
	if err != nil {
		return nil, res, err
	}
	f.t.Cleanup(func() { _ = conn.CloseNow() })
	return &peer{conn, f.t}, res, nil
}

func (u *user) ticket() string {
	u.f.t.Helper()
	ticket, err := u.Ticket(u.f.t.Context())
	if err != nil {
		u.f.t.Fatal(err)
	}
	return ticket
}

// socket is an open socket of the user's station.
func (u *user) socket() *peer {
	u.f.t.Helper()
	p, _, err := u.f.dial(u.ticket())
	if err != nil {
		u.f.t.Fatal(err)
	}
	p.say(`{"type":"beat"}`) // the answer tells that it hears hints
	p.hears(ozeki.Frame{Type: ozeki.FrameBeat})
	return p
}

func (p *peer) say(text string) {
	p.t.Helper()
	if err := p.Write(p.t.Context(), websocket.MessageText, []byte(text)); err != nil {
		p.t.Error(err)
	}
}

// next is the next frame, or how the socket ended.
func (p *peer) next() (f ozeki.Frame, err error) {
	ctx, cancel := context.WithTimeout(p.t.Context(), patient)
	defer cancel()
	_, text, err := p.Read(ctx)
	if err == nil {
		err = json.Unmarshal(text, &f)
	}
	return f, err
}

// hears fails the test unless the next frame is this one.
func (p *peer) hears(want ozeki.Frame) {
	p.t.Helper()
	if got, err := p.next(); err != nil || got != want {
		p.t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}

// hearsNothing fails the test if anything but a beat's answer is to be heard.
func (p *peer) hearsNothing() {
	p.t.Helper()
	p.say(`{"type":"beat"}`)
	p.hears(ozeki.Frame{Type: ozeki.FrameBeat})
}

// ends fails the test unless the socket ends with this code.
func (p *peer) ends(want websocket.StatusCode) {
	p.t.Helper()
	for {
		if _, err := p.next(); err != nil {
			if got := websocket.CloseStatus(err); got != want {
				p.t.Errorf("it ended with %v (%v), want %v", got, err, want)
			}
			return
		}
	}
}

var changed = ozeki.Frame{Type: ozeki.FrameChanged}

func TestASocketTellsThatSomethingChanged(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	alice, bob, carol := f.user("Alice", 0), f.user("Bob", 1), f.user("Carol", 2)
	c := f.direct(alice, bob)
	phone, desk, other := alice.socket(), alice.signIn().socket(), carol.socket()
	if _, err := bob.Add(ctx, c.ID, c.Instance, f.message("AAAA")); err != nil {
		t.Fatal(err)
	}
	phone.hears(changed)
	desk.hears(changed)
	other.hearsNothing()
	if told, _ := alice.poll(0); len(told.contents) != 1 {
		t.Errorf("the poll tells %+v", told)
	}
	if _, err := alice.Favorite(ctx, c.ID); err != nil {
		t.Fatal(err)
	}
	desk.hears(changed)
}

func TestATicketOpensOneSocketForHalfAMinute(t *testing.T) {
	f := newFixture(t)
	alice := f.user("Alice", 0)
	refused := func(what, ticket string) {
		t.Helper()
		if _, res, err := f.dial(ticket); err == nil || res == nil || res.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %v %v", what, res, err)
		}
	}
	good := func(what, ticket string) {
		t.Helper()
		if _, _, err := f.dial(ticket); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	refused("none", "")
	refused("a guess", strings.Repeat("A", 52))
	first, second := alice.ticket(), alice.ticket()
	if first == second || len(first) < 40 {
		t.Errorf("the tickets %q and %q can be guessed", first, second)
	}
	good("the first", first)
	refused("the first again", first)
	f.clock.move(ticketLasts)
	good("the second at the last moment", second)
	late := alice.ticket()
	f.clock.move(ticketLasts + time.Second)
	refused("too late", late)
	left := alice.signIn()
	lost := left.ticket()
	if err := left.Logout(t.Context()); err != nil {
		t.Fatal(err)
	}
	refused("of a station that signed out", lost)
	// A repeat of the request does not show the ticket once more.
	r := alice.raw(ozeki.CallTicket, f.body(ozeki.CallTicket, field("requestid", ozeki.NewRequestID())))
	f.send(r).want(t, "")
	f.send(r).want(t, ozeki.CodeReplayed)
	r.header[ozeki.HeaderStation] = string(ozeki.NewStationID())
	f.send(r).want(t, ozeki.CodeSignature)
}

func TestTicketsThatNobodyUsesAreForgotten(t *testing.T) {
	var ts tickets
	now := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	for range 5 {
		for range 100 {
			if _, err := ts.give("u", "s", now); err != nil {
				t.Fatal(err)
			}
		}
		now = now.Add(ticketLasts + time.Second)
	}
	if n := len(ts.now) + len(ts.old); n > 200 {
		t.Errorf("%d are kept", n)
	}
	for len(ts.now) < maxTickets {
		ts.now[fmt.Sprint(len(ts.now))] = seat{}
	}
	ts.since = now
	if _, err := ts.give("u", "s", now); !errors.Is(err, errUnavailable) {
		t.Errorf("there is no end of them: %v", err)
	}
}

func TestOnlyItsOwnPageOpensASocket(t *testing.T) {
	f := newFixture(t)
	alice := f.user("Alice", 0)
	ticket := alice.ticket()
	for _, c := range []struct {
		what   string
		header []string
		want   int
	}{
		{"no page", []string{"Origin", ""}, http.StatusForbidden},
		{"another site", []string{"Origin", "https://evil.example"}, http.StatusForbidden},
		{"another scheme", []string{"Origin", strings.Replace(f.http.URL, "http", "https", 1)}, http.StatusForbidden},
		{"a sandbox", []string{"Origin", "null"}, http.StatusForbidden},
	} {
		if _, res, err := f.dial(ticket, c.header...); err == nil || res == nil || res.StatusCode != c.want {
			t.Errorf("%s: %v %v", c.what, res, err)
		}
	}
	for method, want := range map[string]int{"GET": http.StatusUpgradeRequired, "POST": http.StatusUpgradeRequired} {
		req, _ := http.NewRequest(method, f.http.URL+testListener+"?ticket="+ticket, nil)
		req.Header.Set("Origin", f.http.URL)
		res, err := f.http.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%s: %s", method, res.Status)
		}
	}
	// The ticket was not used up by all that, and a page behind a proxy with TLS has the proxy's scheme.
	if _, res, err := f.dial(ticket, "Origin", strings.Replace(f.http.URL, "http", "https", 1), "X-Forwarded-Proto", "https"); err != nil {
		t.Errorf("%v %v", res, err)
	}
}

func TestTheLoginAnswerNamesTheSocketAsThePageReachesIt(t *testing.T) {
	s := &Server{listenerPath: testListener}
	for origin, want := range map[string]string{
		"http://127.0.0.1:8000": "map[ws:ws://127.0.0.1:8000/ozeki/listener]", "https://chat.example.com": "map[wss:wss://chat.example.com/ozeki/listener]",
	} {
		if got := fmt.Sprint(s.listeners(origin)); got != want {
			t.Errorf("%s: %s", origin, got)
		}
	}
	s.listenerPath = ""
	if got := s.listeners("https://chat.example.com"); got == nil || len(got) != 0 || strings.Contains(strings.Join(s.extensions(), " "), ozeki.ExtTicket) {
		t.Errorf("without a socket: %v, %v", got, s.extensions())
	}
	if _, err := s.ticket(t.Context(), &request{}, nil); !errors.Is(err, errInvalid) {
		t.Errorf("a ticket to nothing: %v", err)
	}
}

func TestASocketEndsWithTheSignOutOfItsStation(t *testing.T) {
	f := newFixture(t)
	alice := f.user("Alice", 0)
	here, twin, desk := alice.socket(), alice.socket(), alice.signIn().socket()
	if err := alice.Logout(t.Context()); err != nil {
		t.Fatal(err)
	}
	here.ends(websocket.StatusPolicyViolation)
	twin.ends(websocket.StatusPolicyViolation)
	desk.hearsNothing()
}

func TestAServerThatStopsSaysGoodbye(t *testing.T) {
	f := newFixture(t)
	f.srv.patience.closed = 50 * time.Millisecond
	alice := f.user("Alice", 0)
	polite := alice.socket()
	alice.socket() // does not read, and so does not answer
	late := alice.ticket()
	var wait sync.WaitGroup
	wait.Go(func() { polite.ends(websocket.StatusGoingAway) })
	if err := f.srv.Close(); err != nil {
		t.Error(err)
	}
	wait.Wait()
	if _, res, err := f.dial(late); err == nil || res == nil || res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("afterwards: %v %v", res, err)
	}
}

// small makes connections whose system buffers are soon full.
type small struct{ net.Listener }

func (l small) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		_ = c.(*net.TCPConn).SetWriteBuffer(1 << 10)
	}
	return c, err
}

func TestWhoDoesNotReadIsDroppedAndHoldsNobodyUp(t *testing.T) {
	f := newFixture(t, func(f *fixture) { f.listener = func(l net.Listener) net.Listener { return small{l} } })
	f.srv.patience.written = 200 * time.Millisecond
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	conn, err := net.Dial("tcp", strings.TrimPrefix(f.http.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.(*net.TCPConn).SetReadBuffer(1 << 10)
	fmt.Fprintf(conn, "GET %s?ticket=%s HTTP/1.1\r\nHost: %s\r\nOrigin: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", testListener, alice.ticket(), strings.TrimPrefix(f.http.URL, "http://"), f.http.URL)
	if res, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%v %v", res, err)
	}
	reads := bob.socket()
	var wait sync.WaitGroup
	heard := make(chan bool, 1)
	wait.Go(func() {
		for {
			if _, err := reads.next(); err != nil {
				return
			}
			select {
			case heard <- true:
			default:
			}
		}
	})
	open := func() int {
		f.srv.sockets.mu.RLock()
		defer f.srv.sockets.mu.RUnlock()
		return len(f.srv.sockets.by[alice.id])
	}
	limit := time.Now().Add(patient)
	for open() > 0 {
		if time.Now().After(limit) {
			t.Fatal("it holds its socket")
		}
		before := time.Now()
		if err := f.bus.Publish(t.Context(), bus.Hint{Users: []ozeki.UserID{alice.id, bob.id}}); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(before); took > 5*time.Second {
			t.Errorf("publishing took %v", took)
		}
	}
	if _, err := f.dialFor(bob); err != nil { // somebody else is as before
		t.Error(err)
	}
	<-heard
	_ = reads.CloseNow()
	wait.Wait()
}

func (f *fixture) dialFor(u *user) (*peer, error) {
	p, _, err := f.dial(u.ticket())
	return p, err
}

func TestASilentSocketIsAskedWhetherItIsThere(t *testing.T) {
	f := newFixture(t)
	f.srv.patience.silent, f.srv.patience.pong = 20*time.Millisecond, 500*time.Millisecond
	alice := f.user("Alice", 0)
	there, gone := alice.socket(), alice.socket()
	_ = gone // reads nothing, and so answers nothing
	var wait sync.WaitGroup
	wait.Go(func() { there.hears(changed) }) // reading answers pings, as a browser does for a page that sleeps
	limit := time.Now().Add(patient)
	for {
		f.srv.sockets.mu.RLock()
		n := len(f.srv.sockets.by[alice.id])
		f.srv.sockets.mu.RUnlock()
		if n == 1 {
			break
		}
		if n == 0 || time.Now().After(limit) {
			t.Fatalf("%d are open", n)
		}
		time.Sleep(time.Millisecond)
	}
	if err := f.bus.Publish(t.Context(), bus.Hint{Users: []ozeki.UserID{alice.id}}); err != nil {
		t.Fatal(err)
	}
	wait.Wait()
}

func TestASocketTakesWhatItShould(t *testing.T) {
	f := newFixture(t)
	alice := f.user("Alice", 0)
	for _, c := range []struct {
		what string
		say  func(*peer)
		want websocket.StatusCode
	}{
		{"too large a frame", func(p *peer) { p.say(`{"type":"` + strings.Repeat("x", maxFrame) + `"}`) }, websocket.StatusMessageTooBig},
		{"no JSON", func(p *peer) { p.say("hello") }, websocket.StatusInvalidFramePayloadData},
		{"nested deeply", func(p *peer) { p.say(`{"x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`) }, websocket.StatusInvalidFramePayloadData},
		{"no UTF-8", func(p *peer) { p.say("{\"type\":\"\xff\"}") }, websocket.StatusInvalidFramePayloadData},
		{"bytes", func(p *peer) { _ = p.Write(t.Context(), websocket.MessageBinary, []byte(`{"type":"beat"}`)) }, websocket.StatusInvalidFramePayloadData},
		{"a flood", func(p *peer) {
			for range frameBurst + 5 {
				p.say(`{"type":"beat"}`)
			}
		}, websocket.StatusPolicyViolation},
	} {
		p := alice.socket()
		c.say(p)
		t.Log(c.what)
		p.ends(c.want)
	}
	p := alice.socket()
	p.say(`{"type":"of the future","more":{"fields":[1]}}`)
	p.hearsNothing()
}

func TestAUserHasAsManySocketsAsAnyoneNeeds(t *testing.T) {
	f := newFixture(t)
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	first := alice.socket()
	for range maxSockets - 1 {
		alice.socket()
	}
	if _, res, err := f.dial(alice.ticket()); err == nil || res == nil || res.StatusCode != http.StatusTooManyRequests {
		t.Errorf("one more: %v %v", res, err)
	}
	bob.socket()
	_ = first.CloseNow()
	limit := time.Now().Add(patient)
	for {
		if _, _, err := f.dial(alice.ticket()); err == nil {
			break
		} else if time.Now().After(limit) {
			t.Fatalf("after one has gone: %v", err)
		}
	}
}

func TestTypingIsSeenByTheOtherMembers(t *testing.T) {
	f := newFixture(t)
	alice, bob, carol := f.user("Alice", 0), f.user("Bob", 1), f.user("Carol", 2)
	c := f.direct(alice, bob)
	a, again, b, other := alice.socket(), alice.signIn().socket(), bob.socket(), carol.socket()
	typing := fmt.Sprintf(`{"type":"typing","conversationid":%q,"userid":%q}`, c.ID, carol.id)
	want := ozeki.Frame{Type: ozeki.FrameTyping, ConversationID: c.ID, UserID: alice.id} // whatever she says of whom
	a.say(typing)
	b.hears(want)
	a.say(typing) // too soon to be passed on
	a.hearsNothing()
	b.hearsNothing()
	f.clock.move(typingEvery)
	a.say(typing)
	b.hears(want)
	// Who is no member is not heard, and is not told of those who are.
	other.say(typing)
	other.hearsNothing()
	again.hearsNothing()
	a.hearsNothing()
	b.hearsNothing()
	// Who may not write is not seen writing.
	if err := bob.Block(t.Context(), alice.id); err != nil {
		t.Fatal(err)
	}
	f.clock.move(membersKept + time.Second)
	a.say(typing)
	a.hears(changed) // of the block
	a.hearsNothing()
	b.hears(changed)
	b.hearsNothing()
}

func TestNewsOfOneSocketStaysSmall(t *testing.T) {
	var n news
	for i := range 1000 {
		n.typing(bus.Typing{User: ozeki.UserIDOf(fmt.Sprint(i % 500))})
	}
	if len(n.typists) != maxTypists {
		t.Errorf("%d wait to be told", len(n.typists))
	}
}

// What a quiet socket costs in memory. Its other end, a bare connection in the same process, is counted too.
func BenchmarkQuietSocket(b *testing.B) {
	f := newFixture(b)
	var users []*user
	for i := range 100 {
		u := &user{id: ozeki.UserIDOf(fmt.Sprint(i)), station: ozeki.NewStationID()}
		_, err := f.store.Update(b.Context(), func(tx store.Tx) error {
			name := fmt.Sprint(i)
			err := tx.CreateAccount(b.Context(), store.Account{UserID: u.id, Email: name, FullName: name, APIKeyHash: name})
			if err == nil {
				err = tx.BindStation(b.Context(), u.station, u.id, f.clock.now())
			}
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
		users = append(users, u)
	}
	used := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapInuse + m.StackInuse
	}
	const each = 10
	host := strings.TrimPrefix(f.http.URL, "http://")
	before := used()
	for b.Loop() {
		var conns []net.Conn
		for range each {
			for _, u := range users {
				ticket, err := f.srv.tickets.give(u.id, u.station, f.clock.now())
				if err != nil {
					b.Fatal(err)
				}
				conn, err := net.Dial("tcp", host)
				if err != nil {
					b.Fatal(err)
				}
				conns = append(conns, conn)
				fmt.Fprintf(conn, "GET %s?ticket=%s HTTP/1.1\r\nHost: %s\r\nOrigin: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
					"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", testListener, ticket, host, f.http.URL)
				if res, err := http.ReadResponse(bufio.NewReaderSize(conn, 16), nil); err != nil || res.StatusCode != http.StatusSwitchingProtocols {
					b.Fatal(res, err)
				}
			}
		}
		b.ReportMetric(float64(used()-before)/float64(len(conns)), "bytes/socket")
		for _, conn := range conns {
			conn.Close()
		}
		for open := 1; open > 0; {
			f.srv.sockets.mu.RLock()
			open = len(f.srv.sockets.by)
			f.srv.sockets.mu.RUnlock()
		}
	}
}
