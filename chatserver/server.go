// Package chatserver is the embedded server of the Ozeki Chat API: http → handler → store → bus.
//
// A request passes ServeHTTP (form), the route table (which call), admit (who signed it, when, for the first time) and its
// handler, which reads or changes the store. What is remembered of a request is written in the transaction of its effect.
// docs/server.md describes it on one page.
package chatserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"starling/chatserver/bus"
	"starling/chatserver/files"
	"starling/chatserver/push"
	"starling/chatserver/store"
	"starling/ozeki"
)

// Config is what a Server is made of.
type Config struct {
	Store  store.Store
	Bus    bus.Bus          // nil: a local one
	Scheme ozeki.Scheme     // nil: the default one
	Clock  func() time.Time // nil: time.Now
	Log    *slog.Logger     // nil: discard
	// ClockWindow is how far a request's timestamp may be from the server's clock; 0 is 5 minutes.
	ClockWindow time.Duration
	// PublicPath is the path under which the API is mounted, e.g. "/ozeki/index.php". The urls of the login answer are the
	// request's own origin followed by this path.
	PublicPath string
	// ListenerPath is the path under which Listener is mounted, e.g. "/ozeki/listener", told in the login answer. Empty:
	// there is no notification socket, and clients poll.
	ListenerPath string
	// Files keeps the files that people send each other (see Server.Files); nil: the server takes none.
	Files files.Store
	// Push sends web push messages; nil: nobody is told anything that way.
	Push *push.Client
	// PushHosts are the host names of push services that are taken, or "*." and what they end with; none: all.
	PushHosts []string
	// MaxFile is the largest encrypted file that is taken, in bytes; 0 is DefaultMaxFile.
	MaxFile int64
	// MaxFilesPerUser is how many bytes the files that one user has sent may have together; 0 is DefaultMaxFilesPerUser.
	MaxFilesPerUser int64
}

// Server is an http.Handler for POST PublicPath?srv=…&api=…. It looks at the query and the body, not at the path.
type Server struct {
	// Listener is the notification socket, to be mounted at ListenerPath. It is not to be served through anything that
	// compresses or buffers.
	Listener http.Handler

	store    store.Store
	bus      bus.Bus
	ownBus   bool
	scheme   ozeki.Scheme
	clock    func() time.Time
	ownClock bool // the clock was given: the Date header comes from it too
	log      *slog.Logger
	window   time.Duration
	path     string
	// listenerPath is empty where there is no notification socket.
	listenerPath string
	routes       map[routeKey]route

	files     files.Store
	maxFile   int64
	maxFiles  int64 // of one user
	ticketKey []byte

	keys     keyCache
	seen     seenIDs
	recents  recents
	quiet    quiet
	presence presence
	failures failures
	made     failures // accounts: each counts
	tickets  tickets
	sockets  sockets
	pushes   *pushes // nil: there is no web push
	patience patience

	stop context.CancelFunc
	deaf func() // ends the subscription to the bus
	work sync.WaitGroup
}

// New returns a server and starts its background work, which Close stops. The store stays the caller's to close.
func New(c Config) *Server {
	s := &Server{
		store: c.Store, bus: c.Bus, scheme: c.Scheme, clock: c.Clock, ownClock: c.Clock != nil, log: c.Log,
		window: c.ClockWindow, path: c.PublicPath, listenerPath: c.ListenerPath, patience: usualPatience,
		files: c.Files, maxFile: c.MaxFile, maxFiles: c.MaxFilesPerUser, ticketKey: newTicketKey(),
	}
	if s.maxFile <= 0 {
		s.maxFile = DefaultMaxFile
	}
	if s.maxFiles <= 0 {
		s.maxFiles = DefaultMaxFilesPerUser
	}
	s.Listener = http.HandlerFunc(s.listen)
	if s.bus == nil {
		s.bus, s.ownBus = bus.NewLocal(), true
	}
	if s.scheme == nil {
		s.scheme, _ = ozeki.SchemeByName(ozeki.DefaultScheme)
	}
	if s.clock == nil {
		s.clock = time.Now
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.window <= 0 {
		s.window = 5 * time.Minute
	}
	if c.Push != nil {
		s.pushes = newPushes(c.Push, c.PushHosts)
	}
	s.routes = s.table()
	s.made = failures{burst: accountBurst, every: accountEvery}
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	tick, sweep := time.NewTicker(max(s.window/5, time.Second)), time.NewTicker(sweepEvery)
	s.work.Go(func() {
		defer tick.Stop()
		s.purgeRequests(ctx, tick.C)
	})
	expiry := time.NewTicker(expiryEvery)
	s.work.Go(func() {
		defer expiry.Stop()
		s.purgeMessages(ctx, expiry.C)
	})
	s.work.Go(func() {
		defer sweep.Stop()
		s.sweepPresence(ctx, sweep.C)
	})
	if s.pushes != nil {
		s.work.Go(func() { s.tendPushes(ctx) })
	}
	s.deaf = s.bus.Subscribe(s.sockets.hint)
	if s.files != nil {
		remove := time.NewTicker(removeEvery)
		s.work.Go(func() {
			defer remove.Stop()
			s.tendFiles(ctx, remove.C)
		})
	}
	return s
}

// Close ends the sockets, stops the background work and waits for both. Requests that are being served are the HTTP
// server's to wait for.
func (s *Server) Close() error {
	s.stop()
	s.deaf()
	s.sockets.close()
	s.work.Wait()
	if s.ownBus {
		return s.bus.Close()
	}
	return nil
}

// ServeHTTP answers one call. Every answer, whatever its HTTP status, is a JSON object with status and errormessage.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if s.ownClock {
		h.Set("Date", s.clock().UTC().Format(http.TimeFormat))
	}
	status, body := s.serve(w, r)
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "6")
	}
	w.WriteHeader(status)
	if _, err := w.Write(body); err != nil {
		s.log.Debug("answer not delivered", "error", err)
	}
}

// serve returns the HTTP status and the body of the answer. A panic of a handler is a fault like any other.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) (status int, body []byte) {
	defer func() {
		if p := recover(); p != nil {
			status, body = s.refuse(r, "", fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
		}
	}()
	req, err := s.parse(w, r)
	if err != nil {
		return s.refuse(r, "", err)
	}
	if body, err = req.route.serve(r.Context(), req); err != nil {
		return s.refuse(r, req.route.call.Name, err)
	}
	return http.StatusOK, body
}

// refuse words an error. It is the only writer of refusals.
func (s *Server) refuse(r *http.Request, call string, err error) (int, []byte) {
	refusal, known := refusalOf(err)
	if known || r.Context().Err() != nil { // refused, or the caller has gone
		s.log.Debug("refused", "call", call, "code", refusal.code, "error", err)
	} else {
		s.log.Error("call failed", "call", call, "error", err)
	}
	return refusal.http, encode(refusal.answer())
}

// written is an answer that is JSON already.
type written []byte

func encode(answer any) []byte {
	if w, ok := answer.(written); ok {
		return w
	}
	b, err := json.Marshal(answer)
	if err != nil { // the answers are ours: this cannot happen
		b, _ = json.Marshal(errInternal.answer())
	}
	return b
}

// updateWithin is how long a change may take.
const updateWithin = 15 * time.Second

// update runs a change and publishes the hint after its commit.
func (s *Server) update(ctx context.Context, fn func(store.Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, updateWithin)
	defer cancel()
	users, err := s.store.Update(ctx, fn)
	if err != nil {
		return err
	}
	if len(users) > 0 {
		s.publish(context.WithoutCancel(ctx), bus.Hint{Users: users})
	}
	return nil
}

// publish sends a hint; where it cannot be sent, those concerned learn with their next poll.
func (s *Server) publish(ctx context.Context, h bus.Hint) {
	if err := s.bus.Publish(ctx, h); err != nil && !errors.Is(err, bus.ErrClosed) {
		s.log.Warn("hint not published", "error", err)
	}
}

// purgeRequests forgets request ids that cannot come again, at every tick until ctx ends.
func (s *Server) purgeRequests(ctx context.Context, tick <-chan time.Time) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick:
			if _, err := s.purge(ctx); err != nil && ctx.Err() == nil {
				s.log.Warn("old request ids not purged", "error", err)
			}
		}
	}
}

// purge forgets invitations that are over, and the request ids that no acceptable timestamp can come with any more: a request first seen with a
// timestamp one window ahead of our clock is good until two windows later.
func (s *Server) purge(ctx context.Context) (n int64, err error) {
	before := s.clock().Add(-s.memory())
	_, err = s.store.Update(ctx, func(tx store.Tx) error {
		if _, err := tx.PurgeInvites(ctx, s.clock()); err != nil {
			return err
		}
		n, err = tx.PurgeRequests(ctx, before)
		return err
	})
	return n, err
}

// memory is how long a request id is remembered.
func (s *Server) memory() time.Duration { return 2*s.window + 2*time.Second }
