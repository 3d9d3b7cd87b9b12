package chatserver

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"starling/chatserver/origin"
	"starling/chatserver/store"
	"starling/ozeki"
)

// ticketLasts is how long a ticket opens the notification socket.
const (
	ticketLasts = 30 * time.Second
	maxTickets  = 100_000
	userTickets = 100 // of one user
)

// tickets remembers in memory the tickets that were given out and not used. The zero value is ready.
type tickets struct {
	mu       sync.Mutex
	now, old map[string]seat // old is the generation before
	given    map[ozeki.UserID]int
	since    time.Time // when now began
}

// seat is what a ticket was given for.
type seat struct {
	user    ozeki.UserID
	station ozeki.StationID
	until   time.Time
}

// give makes a ticket. errUnavailable: too many wait to be used.
func (t *tickets) give(user ozeki.UserID, station ozeki.StationID, now time.Time) (string, error) {
	ticket := rand.Text() + rand.Text()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.now == nil || now.Sub(t.since) > ticketLasts {
		t.old, t.now, t.given, t.since = t.now, map[string]seat{}, map[ozeki.UserID]int{}, now
	}
	if t.given[user]++; len(t.now) >= maxTickets || t.given[user] > userTickets {
		return "", errUnavailable
	}
	t.now[ticket] = seat{user, station, now.Add(ticketLasts)}
	return ticket, nil
}

// take gives what a ticket is for, once.
func (t *tickets) take(ticket string, now time.Time) (seat, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, m := range []map[string]seat{t.now, t.old} {
		if s, found := m[ticket]; found {
			delete(m, ticket)
			return s, !now.After(s.until)
		}
	}
	return seat{}, false
}

// ticket gives the station what opens the notification socket once, within ticketLasts. A request without signature cannot
// be made by a WebSocket, so this is how the socket knows whose it is. errInvalid: there is no socket here.
func (s *Server) ticket(_ context.Context, req *request, _ *ozeki.EmptyRequest) (any, error) {
	if s.listenerPath == "" {
		return nil, errInvalid.saying("This server has no notification socket. Ask with the notification call.")
	}
	ticket, err := s.tickets.give(req.user, req.station, req.now)
	if err != nil {
		return nil, err
	}
	return ozeki.TicketAnswer{Answer: ok, Ticket: ticket}, nil
}

// The refusals of the notification socket, before it is one.
var (
	errUpgrade = &refusal{ozeki.CodeInvalid, http.StatusUpgradeRequired, "This is a WebSocket. A proxy in front passes the headers Upgrade and Connection."}
	errTicket  = &refusal{ozeki.CodeSignature, http.StatusForbidden, "The ticket is not good, or not any more. Ask for a new one."}
	errSockets = &refusal{ozeki.CodeLimit, http.StatusTooManyRequests, "Too many pages of this user are open. Close some."}
	errStopped = &refusal{ozeki.CodeInternal, http.StatusServiceUnavailable, "The server is being stopped. Try again in a minute."}
)

// listen makes a notification socket of a request of the own page that has a ticket.
func (s *Server) listen(w http.ResponseWriter, r *http.Request) {
	k, err := s.seatFor(r)
	if err != nil {
		s.refuseSocket(w, r, err)
		return
	}
	// From here on the bus knows the socket: it learns of a sign-out that comes between the question and the answer.
	if err := s.sockets.add(k); err != nil {
		s.refuseSocket(w, r, err)
		return
	}
	station, err := s.store.Station(r.Context(), k.station)
	if errors.Is(err, store.ErrNotFound) || err == nil && station.UserID != k.user {
		err = errTicket
	}
	if err != nil {
		s.sockets.drop(k)
		s.refuseSocket(w, r, err)
		return
	}
	// Accept compares the origin with the Host alone; it was checked with the scheme, as the proxy names it.
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil { // and answered
		s.sockets.drop(k)
		s.log.Debug("no socket", "error", err)
		return
	}
	k.opened(conn)
	// In a goroutine of its own: the one of the request holds what was needed for it until it ends.
	go func() {
		defer s.sockets.drop(k)
		defer func() {
			if p := recover(); p != nil {
				s.log.Error("socket failed", "error", fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
			}
		}()
		k.serve(s)
	}()
}

// seatFor decides whose socket a request is for.
func (s *Server) seatFor(r *http.Request) (*socket, error) {
	switch {
	case r.Header.Get("Origin") == "" || origin.Foreign(r):
		return nil, errOrigin
	case r.Method != http.MethodGet || !strings.EqualFold(r.Header.Get("Upgrade"), "websocket"):
		return nil, errUpgrade
	}
	seat, good := s.tickets.take(r.URL.Query().Get("ticket"), s.clock())
	if !good {
		return nil, errTicket
	}
	return newSocket(seat, &s.patience), nil
}

func (s *Server) refuseSocket(w http.ResponseWriter, r *http.Request, err error) {
	status, body := s.refuse(r, "listener", err)
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body) // who has gone needs no answer
}
