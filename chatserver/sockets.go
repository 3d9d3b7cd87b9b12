package chatserver

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"
	"golang.org/x/time/rate"

	"starling/chatserver/bus"
	"starling/ozeki"
)

// Limits of the notification sockets.
const (
	maxSockets    = 16   // of one user
	maxFrame      = 1024 // bytes from a client
	frameBurst    = 20   // frames from a client at once
	frameEvery    = 500 * time.Millisecond
	maxTypists    = 8 // people typing that wait to be told to one socket; more are not told
	typingEvery   = 2 * time.Second
	membersKept   = 10 * time.Second // how long a socket believes who hears its user typing in a conversation
	membersWithin = 5 * time.Second
)

// patience is how long is waited for the other end of a socket.
type patience struct {
	silent  time.Duration // for a frame, before it is asked whether it is there
	pong    time.Duration // for the answer to that
	written time.Duration // until it takes a frame
	closed  time.Duration // for the answer to the last word
}

var usualPatience = patience{silent: 2*ozeki.BeatEvery + 5*time.Second, pong: 10 * time.Second, written: 10 * time.Second, closed: time.Second}

// sockets are the open notification sockets of this node. The zero value is ready.
type sockets struct {
	mu     sync.RWMutex
	by     map[ozeki.UserID][]*socket
	closed bool
	open   sync.WaitGroup
}

// add lets a socket hear hints from now on; drop undoes it. errSockets: its user has too many.
func (s *sockets) add(k *socket) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return errStopped
	case len(s.by[k.user]) >= maxSockets:
		return errSockets
	case s.by == nil:
		s.by = map[ozeki.UserID][]*socket{}
	}
	s.by[k.user] = append(s.by[k.user], k)
	s.open.Add(1)
	return nil
}

func (s *sockets) drop(k *socket) {
	k.end(nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	rest := slices.DeleteFunc(s.by[k.user], func(o *socket) bool { return o == k })
	if s.by[k.user] = rest; len(rest) == 0 {
		delete(s.by, k.user)
	}
	s.open.Done()
}

// has says whether a user has a socket open at a station.
func (s *sockets) has(user ozeki.UserID, station ozeki.StationID) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.ContainsFunc(s.by[user], func(k *socket) bool { return k.station == station })
}

// hint takes what the bus says to the sockets concerned. It waits for none of them.
func (s *sockets) hint(h bus.Hint) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, user := range h.Users {
		for _, k := range s.by[user] {
			switch {
			case h.SignedOut != "":
				if k.station == h.SignedOut {
					k.end(&websocket.CloseError{Code: websocket.StatusPolicyViolation, Reason: "signed out"})
				}
			case h.Typing != nil:
				k.tell(func(n *news) { n.typing(*h.Typing) })
			default:
				k.moved.Store(true)
				k.tell(func(n *news) { n.changed = true })
			}
		}
	}
}

// close ends all sockets with a word and waits for them; no new ones are let in.
func (s *sockets) close() {
	s.mu.Lock()
	s.closed = true
	for _, list := range s.by {
		for _, k := range list {
			k.end(&websocket.CloseError{Code: websocket.StatusGoingAway, Reason: "the server stops"})
		}
	}
	s.mu.Unlock()
	s.open.Wait()
}

// socket is one open page of a user. Beside the goroutine that reads there is one that writes only while there is something
// to write, so that thousands of quiet sockets cost one goroutine each.
type socket struct {
	user     ozeki.UserID
	station  ozeki.StationID
	patience *patience

	ctx    context.Context // ends the connection at once
	cancel context.CancelFunc

	mu      sync.Mutex
	conn    *websocket.Conn // nil until the request has become a socket
	quiet   *time.Timer
	waiting news
	writing bool
	ended   bool
	writers sync.WaitGroup

	moved atomic.Bool // something has changed for the user since others were asked for

	// Of the reading goroutine only.
	frames  *rate.Limiter
	typed   time.Time            // when the last typing frame was passed on
	typesIn ozeki.ConversationID // where, and the others who are in it
	others  []ozeki.UserID
	asked   time.Time
}

// news is what a socket is still to be told. However much happens meanwhile, it stays small.
type news struct {
	changed, beat bool
	typists       []bus.Typing
	last          *websocket.CloseError // after which there is nothing more
}

func (n *news) none() bool { return !n.changed && !n.beat && len(n.typists) == 0 && n.last == nil }

func (n *news) typing(t bus.Typing) {
	if len(n.typists) < maxTypists && !slices.Contains(n.typists, t) {
		n.typists = append(n.typists, t)
	}
}

func newSocket(s seat, p *patience) *socket {
	k := &socket{user: s.user, station: s.station, patience: p, frames: rate.NewLimiter(rate.Every(frameEvery), frameBurst)}
	k.ctx, k.cancel = context.WithCancel(context.Background())
	return k
}

// tell adds to what the socket is to be told, and has it written. It does not wait.
func (k *socket) tell(add func(*news)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ended {
		return
	}
	add(&k.waiting)
	k.wake()
}

// end has the socket end: at once without a reason, else with it as the last word, which has a moment to be taken and
// answered. A repeat changes nothing.
func (k *socket) end(reason *websocket.CloseError) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case reason == nil:
		k.cancel()
	case k.waiting.last == nil && !k.ended:
		k.waiting.last = reason
		time.AfterFunc(k.patience.closed, k.cancel)
		k.wake()
	}
}

// wake starts the writer if it is not at work. The caller holds mu.
func (k *socket) wake() {
	if !k.writing && k.conn != nil {
		k.writing = true
		k.writers.Go(k.write)
	}
}

// write writes what there is to tell until there is nothing more. A reader that does not take it in time is dropped.
func (k *socket) write() {
	for {
		k.mu.Lock()
		n := k.waiting
		k.waiting = news{last: n.last}
		if k.ended || n.none() {
			k.writing = false
			k.mu.Unlock()
			return
		}
		k.mu.Unlock()
		var frames []ozeki.Frame
		if n.beat {
			frames = append(frames, ozeki.Frame{Type: ozeki.FrameBeat})
		}
		if n.changed {
			frames = append(frames, ozeki.Frame{Type: ozeki.FrameChanged})
		}
		for _, t := range n.typists {
			frames = append(frames, ozeki.Frame{Type: ozeki.FrameTyping, ConversationID: t.Conversation, UserID: t.User})
		}
		for _, f := range frames {
			ctx, cancel := context.WithTimeout(k.ctx, k.patience.written)
			err := k.conn.Write(ctx, websocket.MessageText, encode(f))
			cancel()
			if err != nil {
				k.cancel()
				return // the reader ends, too
			}
		}
		if n.last != nil {
			_ = k.conn.Close(n.last.Code, n.last.Reason)
			k.cancel()
			return
		}
	}
}

// opened gives the socket its connection.
func (k *socket) opened(conn *websocket.Conn) {
	conn.SetReadLimit(maxFrame)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.conn = conn
	if !k.waiting.none() { // came while the request became a socket
		k.wake()
	}
}

// serve reads until the socket ends, and then waits for its writer.
func (k *socket) serve(s *Server) {
	k.mu.Lock()
	k.quiet = time.AfterFunc(k.patience.silent, k.listen)
	k.mu.Unlock()
	defer func() {
		k.quiet.Stop()
		k.mu.Lock()
		k.ended = true
		k.mu.Unlock()
		k.cancel()
		_ = k.conn.CloseNow()
		k.writers.Wait()
	}()
	over := false
	for {
		kind, text, err := k.conn.Read(k.ctx)
		if err != nil {
			return
		}
		k.quiet.Reset(k.patience.silent)
		if over { // the last word is on its way, and the answer to it is still to be read
			continue
		}
		var f ozeki.Frame
		switch {
		case !k.frames.AllowN(s.clock(), 1):
			k.end(&websocket.CloseError{Code: websocket.StatusPolicyViolation, Reason: "too many frames"})
			over = true
		case kind != websocket.MessageText || !utf8.Valid(text) || depth(text) > maxDepth || json.Unmarshal(text, &f) != nil:
			k.end(&websocket.CloseError{Code: websocket.StatusInvalidFramePayloadData, Reason: "not a JSON object in UTF-8"})
			over = true
		case f.Type == ozeki.FrameBeat:
			k.tell(func(n *news) { n.beat = true })
		case f.Type == ozeki.FrameTyping:
			k.types(s, f.ConversationID)
		}
	}
}

// listen asks a socket that has long been silent whether it is still there. Browsers answer also for a hidden page whose
// timers they let sleep.
func (k *socket) listen() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ended {
		return
	}
	k.writers.Go(func() {
		ctx, cancel := context.WithTimeout(k.ctx, k.patience.pong)
		defer cancel()
		if k.conn.Ping(ctx) != nil {
			k.cancel()
			return
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		if !k.ended {
			k.quiet.Reset(k.patience.silent)
		}
	})
}

// types tells the other members of a conversation that the user is typing in it, if he may write there.
func (k *socket) types(s *Server, id ozeki.ConversationID) {
	now := s.clock()
	if !id.Valid() || now.Sub(k.typed) < typingEvery {
		return
	}
	k.typed = now
	if moved := k.moved.Swap(false); moved || id != k.typesIn || now.Sub(k.asked) > membersKept {
		ctx, cancel := context.WithTimeout(k.ctx, membersWithin)
		defer cancel()
		c, err := s.store.Conversation(ctx, k.user, id)
		if err == nil {
			err = mayWrite(ctx, s.store, k.user, c)
		}
		if err != nil {
			k.typesIn = ""
			if _, known := refusalOf(err); !known && k.ctx.Err() == nil {
				s.log.Warn("typing not passed on", "error", err)
			}
			return
		}
		k.typesIn, k.asked, k.others = id, now, nil
		for _, p := range c.Participants {
			if p.UserID != k.user {
				k.others = append(k.others, p.UserID)
			}
		}
	}
	s.publish(k.ctx, bus.Hint{Users: k.others, Typing: &bus.Typing{Conversation: id, User: k.user}})
}
