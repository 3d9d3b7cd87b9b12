package engine

import (
	"context"
	"math/rand/v2"
	"time"

	"starling/app/state"
	"starling/ozeki"
	"starling/ozeki/json"
)

// Socket is an open connection to the notification socket. DialSocket gives the platform's own.
type Socket interface {
	// Read waits for the next text. After an error the socket is of no use any more, also after that of ctx.
	Read(ctx context.Context) (string, error)
	// Send sends a text; it does not wait until it has arrived.
	Send(ctx context.Context, text string) error
	// Close ends the connection. A repeat changes nothing.
	Close()
}

// How the socket is held.
const (
	PollLinked       = time.Minute // between two polls while a socket tells of changes: a safety net
	PollLinkedHidden = 5 * time.Minute
	linkSoon         = 5 * time.Second // for an answer after the page was seen again, or the network came back
	linkFirst        = time.Second     // the longest wait before the first new try; it doubles with each
	linkMost         = 30 * time.Second
	linkOpening      = 20 * time.Second // for a connection to be opened
	manyChanges      = 500              // an answer that names so many may be one of several
)

// link is the notification socket of this tab: each tab has its own, and polls when its own tells it to.
//
// A server of this project (extension ExtTicket) is asked for a ticket, and its socket answers beats, so that a line that is
// dead but looks open is noticed within two of them. Another server's socket is only listened to. What it says is not
// published, and so it is believed to tell of every change only for as long as polls find no news that it did not tell of;
// until then polls go on as if it were not there.
type link struct {
	due     bool               // to be opened when the server is next reached
	busy    bool               // being opened, or open
	again   bool               // to be opened anew at once if that fails: the user has come back meanwhile
	stop    context.CancelFunc // ends it
	socket  Socket             // nil while it is being opened
	framed  bool               // it takes and gives frames
	trusted bool               // it tells of every change
	told    bool               // it has told of a change that was not asked for yet
	asked   bool               // a beat was sent, and nothing has been heard since
	tries   int                // in vain, one after the other
	timer   func()             // of the next beat, or the next try
	quiet   func()             // of the time in which nothing more is said of typing; nil: say it
}

func (l *link) cancel() {
	for _, stop := range []func(){l.stop, l.timer, l.quiet} {
		if stop != nil {
			stop()
		}
	}
	*l = link{}
}

// linkDue opens the socket if that is due. It is called when the server has answered: where it cannot be reached, polls find
// out when it can, and no connection is tried in vain.
func (e *Engine) linkDue(run int) {
	e.mu.Lock()
	defer e.unlock()
	l := &e.link
	session := e.client.Session()
	if run != e.run || e.listener == "" || session == nil || !l.due || l.busy {
		return
	}
	if l.timer != nil {
		l.timer()
		l.timer = nil
	}
	ctx, stop := context.WithCancel(e.ctx)
	l.due, l.busy, l.stop = false, true, stop
	e.goIn(run, func(_ context.Context, run int) {
		defer stop()
		e.hold(ctx, run, session.Has(ozeki.ExtTicket))
	})
}

// hold opens the socket and listens to it until it ends.
func (e *Engine) hold(ctx context.Context, run int, framed bool) {
	socket, err := e.openSocket(ctx, framed)
	if err == nil {
		e.listen(ctx, run, socket, framed)
		socket.Close()
	} else if ctx.Err() == nil && e.failed(run, err) {
		return
	}
	e.mu.Lock()
	if run != e.run || e.ctx.Err() != nil {
		e.unlock()
		return
	}
	tries, again := e.link.tries+1, e.link.again
	e.link.cancel()
	if again {
		e.link.due = true
		e.unlock()
		e.schedulePoll(run, PollActive)
		return
	}
	e.link.tries = tries
	e.link.timer = e.after(e.jitter(min(linkFirst<<min(tries-1, 10), linkMost)), func() { e.relink(run) })
	e.unlock()
	if socket != nil { // polls take over, not all clients' at once
		e.schedulePoll(run, e.jitter(PollActive))
	}
}

func (e *Engine) openSocket(ctx context.Context, framed bool) (Socket, error) {
	url := e.listener
	if framed {
		ticket, err := e.client.Ticket(ctx)
		if err != nil {
			return nil, err
		}
		url += "?ticket=" + ticket
	}
	ctx, cancel := context.WithTimeout(ctx, linkOpening)
	defer cancel()
	return e.dial(ctx, url)
}

// relink makes the next try, now or when the server can be reached.
func (e *Engine) relink(run int) {
	e.mu.Lock()
	current := run == e.run
	if current {
		e.link.due, e.link.timer = true, nil
	}
	offline := e.current().Offline
	e.unlock()
	if current && !offline {
		e.linkDue(run)
	}
}

// listen takes what the socket says until it ends.
func (e *Engine) listen(ctx context.Context, run int, socket Socket, framed bool) {
	e.mu.Lock()
	if run != e.run || ctx.Err() != nil {
		e.unlock()
		return
	}
	e.link.socket, e.link.framed, e.link.trusted, e.link.again = socket, framed, framed, false
	again := e.current().FriendsLoaded
	e.unlock()
	if framed {
		e.beat(run, socket, ozeki.BeatEvery)
	}
	e.pollNow(run) // what changed before it was open
	if again {
		e.loadFriends(run, false) // the server may be a new one, which has told nobody who has gone
	}
	for {
		text, err := socket.Read(ctx)
		if err != nil {
			return
		}
		e.frame(run, text)
	}
}

// frame takes one text of the socket. One that is not understood says that something changed.
func (e *Engine) frame(run int, text string) {
	var f ozeki.Frame
	_ = json.Unmarshal([]byte(text), &f)
	e.mu.Lock()
	if run != e.run {
		e.unlock()
		return
	}
	e.link.asked, e.heardAt = false, time.Now()
	if e.link.framed {
		e.link.tries = 0
		switch f.Type {
		case ozeki.FrameBeat:
			e.unlock()
			return
		case ozeki.FrameTyping:
			e.unlock()
			e.heardTyping(run, f)
			return
		}
	}
	e.link.told = true
	e.unlock()
	e.pollNow(run)
}

// beat asks the other end whether it is there; the answer has to come within the time given.
func (e *Engine) beat(run int, socket Socket, within time.Duration) {
	e.mu.Lock()
	defer e.unlock()
	if run != e.run || e.link.socket != socket || e.ctx.Err() != nil {
		return
	}
	if e.link.timer != nil {
		e.link.timer()
	}
	e.link.asked = true
	e.link.timer = e.after(within, func() {
		e.mu.Lock()
		dead := run == e.run && e.link.socket == socket && e.link.asked
		if dead {
			e.link.stop()
		}
		e.unlock()
		if !dead {
			e.beat(run, socket, ozeki.BeatEvery)
		}
	})
	e.send(socket, ozeki.Frame{Type: ozeki.FrameBeat})
}

// send sends a frame. The caller holds mu.
func (e *Engine) send(socket Socket, f ozeki.Frame) {
	text, err := json.Marshal(f)
	if err != nil {
		return // it is ours: this cannot happen
	}
	e.goIn(e.run, func(ctx context.Context, _ int) {
		ctx, cancel := context.WithTimeout(ctx, ozeki.BeatEvery)
		defer cancel()
		_ = socket.Send(ctx, string(text)) // what does not arrive is noticed by the missing answer
	})
}

// wakeLink sees to the socket at once: the page is seen again, or the network is back.
func (e *Engine) wakeLink(run int) {
	e.mu.Lock()
	if run != e.run {
		e.unlock()
		return
	}
	socket, framed := e.link.socket, e.link.framed
	e.link.due = !e.link.busy // with the answer to the poll that is on its way
	e.link.again = e.link.busy && socket == nil
	e.unlock()
	if socket != nil && framed {
		e.beat(run, socket, linkSoon)
	}
}

// pace is how long to wait for the next poll. The caller holds mu.
func (e *Engine) pace() time.Duration {
	p := &e.poll
	switch linked := e.link.socket != nil && e.link.trusted; {
	case linked && (p.listDue || e.anyDue()): // what could not be fetched is tried again
		return PollActive
	case linked && p.visible:
		return PollLinked
	case linked:
		return PollLinkedHidden
	case p.visible:
		return PollActive
	}
	return PollHidden
}

// judge decides from the outcome of a poll whether the socket tells of every change. The caller holds mu.
func (l *link) judge(told, news bool) {
	if l.socket == nil || l.framed || !news {
		return
	}
	l.trusted = told
	if told {
		l.tries = 0
	}
}

// full is the longest wait with a random part, from nothing to all of it, so that many clients do not come at once.
func full(most time.Duration) time.Duration { return rand.N(most) }

// typist is somebody who types in a conversation.
type typist struct {
	conversation ozeki.ConversationID
	user         ozeki.UserID
}

// typing is what was heard of a typist last. It is over by a timer.
type typing struct{ stop func() }

// Typing tells the others in a conversation that the user is typing, where the server can; it may be called with each key.
func (e *Engine) Typing(id ozeki.ConversationID) {
	e.mu.Lock()
	defer e.unlock()
	socket := e.link.socket
	if socket == nil || !e.link.framed || e.link.quiet != nil || !e.client.Session().Has(ozeki.ExtTyping) {
		return
	}
	e.link.quiet = e.after(ozeki.TypingEvery, func() {
		e.mu.Lock()
		if e.link.socket == socket {
			e.link.quiet = nil
		}
		e.unlock()
	})
	e.send(socket, ozeki.Frame{Type: ozeki.FrameTyping, ConversationID: id})
}

// heardTyping shows somebody typing for a while.
func (e *Engine) heardTyping(run int, f ozeki.Frame) {
	e.mu.Lock()
	defer e.unlock()
	if run != e.run {
		return
	}
	who := typist{f.ConversationID, f.UserID}
	if last := e.typists[who]; last != nil {
		last.stop()
	}
	now := new(typing)
	e.typists[who] = now
	now.stop = e.after(ozeki.TypingLasts, func() {
		e.mu.Lock()
		defer e.unlock()
		if run == e.run && e.typists[who] == now { // nothing was heard since
			delete(e.typists, who)
			e.applyLocked(state.TypingOver{Conversation: who.conversation, User: who.user})
		}
	})
	e.applyLocked(state.TypingHeard{Conversation: who.conversation, User: who.user})
}
