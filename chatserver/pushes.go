package chatserver

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"starling/chatserver/push"
	"starling/chatserver/store"
	"starling/ozeki"
)

// Web push: who looks at no page is told that there is a message, and where, and nothing else of it.
const (
	pushAfter   = 2 * time.Second  // from a message to its push: who reads it meanwhile is not told
	pushEvery   = 15 * time.Second // between two pushes for a conversation
	pushKept    = 24 * time.Hour   // by a push service, for a browser that is not there
	pushWithin  = 10 * time.Second // one try
	pushTries   = 4
	pushRetry   = 5 * time.Second // after the first failure; doubled after each further one
	pushLatest  = 10 * time.Minute
	pushesOnce  = 64              // users who are told at once
	pushesSlow  = 16              // of them those whose push services took too long the last time
	pushBurst   = 30              // pushes for one user at once, so that nobody aims them at somebody
	pushPace    = 5 * time.Second // and one more
	maxSlow     = 10_000          // users of which is remembered that they are slow
	maxWaiting  = 10_000          // conversations of users that wait for their push; more are not told
	maxDevices  = 16              // of one user
	maxPushFrom = 8               // senders of which is remembered that one is not blocked
)

// pushSecret is the name under which the store keeps the key of the push messages.
const pushSecret = "push key"

// PushKey gives the server's key for push messages, made at the first start and kept in the store. With another one all
// subscriptions would be useless.
func PushKey(ctx context.Context, st store.Store) (key push.Key, err error) {
	fresh, err := push.NewKey()
	if err != nil {
		return push.Key{}, err
	}
	b, err := fresh.Bytes()
	if err != nil {
		return push.Key{}, err
	}
	_, err = st.Update(ctx, func(tx store.Tx) error {
		kept, err := tx.Secret(ctx, pushSecret, b)
		if err == nil {
			key, err = push.ParseKey(kept)
		}
		return err
	})
	return key, err
}

// pushes are the web push messages that wait.
type pushes struct {
	client *push.Client
	hosts  []string
	woken  chan struct{}

	mu      sync.Mutex
	waiting map[pushFor]*waitingPush
	sent    map[pushFor]time.Time // within pushEvery
	busy    map[ozeki.UserID]bool // who is being told: one push at a time for each
	slow    map[ozeki.UserID]bool // whose push services took too long the last time
	pace    map[ozeki.UserID]*rate.Limiter
}

// pushFor is what a push is about.
type pushFor struct {
	user         ozeki.UserID
	conversation ozeki.ConversationID
}

type waitingPush struct {
	due   time.Time
	from  []ozeki.UserID
	tries int
	only  []ozeki.StationID // those still to be told; nil: all
	token *rate.Reservation // of the user's pace
	taken time.Time
}

func newPushes(c *push.Client, hosts []string) *pushes {
	return &pushes{
		client: c, hosts: hosts, woken: make(chan struct{}, 1),
		waiting: map[pushFor]*waitingPush{}, sent: map[pushFor]time.Time{}, busy: map[ozeki.UserID]bool{},
		slow: map[ozeki.UserID]bool{}, pace: map[ozeki.UserID]*rate.Limiter{},
	}
}

// note has the members of a conversation told, but the sender of the message.
func (p *pushes) note(c store.Conversation, from ozeki.UserID, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, member := range c.Participants {
		what := pushFor{member.UserID, c.ID}
		w := p.waiting[what]
		switch {
		case member.UserID == from:
			continue
		case w == nil && len(p.waiting) >= maxWaiting:
			continue
		case w == nil || w.tries > 0: // a new message is worth telling to all devices, and as often as the one before
			due := now.Add(pushAfter)
			if at, ok := p.sent[what]; ok && at.Add(pushEvery).After(due) {
				due = at.Add(pushEvery)
			}
			if w != nil && w.due.After(due) {
				due = w.due
			}
			w = &waitingPush{due: due}
			p.waiting[what] = w
		}
		if len(w.from) < maxPushFrom && !slices.Contains(w.from, from) {
			w.from = append(w.from, from)
		}
	}
	p.wake()
}

// wake has the waiting ones looked at.
func (p *pushes) wake() {
	select {
	case p.woken <- struct{}{}:
	default:
	}
}

// take gives what is due, and how long it is until there is more.
func (p *pushes) take(now time.Time) (due map[pushFor]*waitingPush, next time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for what, at := range p.sent {
		if now.Sub(at) >= pushEvery {
			delete(p.sent, what)
		}
	}
	for user, l := range p.pace {
		if l.TokensAt(now) >= pushBurst {
			delete(p.pace, user)
		}
	}
	slow := 0
	for user := range p.busy {
		if p.slow[user] {
			slow++
		}
	}
	due, next = map[pushFor]*waitingPush{}, time.Hour
	for what, w := range p.waiting {
		switch left := w.due.Sub(now); {
		case left > 0:
			next = min(next, left)
		case p.busy[what.user] || len(p.busy) >= pushesOnce || p.slow[what.user] && slow >= pushesSlow: // looked at when somebody has been told
		default:
			if after := p.after(what.user, w, now); after > 0 {
				w.due, next = now.Add(after), min(next, after)
				continue
			}
			p.busy[what.user] = true
			if p.slow[what.user] {
				slow++
			}
			due[what] = w
			delete(p.waiting, what)
		}
	}
	return due, next
}

// after is how long a user's push must wait for his pace, 0 if it is sent now. The caller holds mu.
func (p *pushes) after(user ozeki.UserID, w *waitingPush, now time.Time) time.Duration {
	l := p.pace[user]
	if l == nil {
		l = rate.NewLimiter(rate.Every(pushPace), pushBurst)
		p.pace[user] = l
	}
	w.token, w.taken = l.ReserveN(now, 1), now
	after := w.token.DelayFrom(now)
	if after > 0 {
		w.token.CancelAt(now)
	}
	return after
}

// spared notes that nobody was to be told after all, which does not count.
func (p *pushes) spared(w *waitingPush) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w.token.CancelAt(w.taken)
}

// took notes whether a user's push services took too long.
func (p *pushes) took(user ozeki.UserID, tooLong bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case !tooLong:
		delete(p.slow, user)
	case len(p.slow) < maxSlow:
		p.slow[user] = true
	}
}

// done notes that a push was sent, or has come to nothing, or that it is to be tried again.
func (p *pushes) done(what pushFor, w *waitingPush, sent bool, again []ozeki.StationID, after time.Duration, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.busy, what.user)
	if sent {
		p.sent[what] = now
	}
	if newer := p.waiting[what]; newer != nil {
		if sent && newer.due.Before(now.Add(pushEvery)) {
			newer.due = now.Add(pushEvery)
		}
	} else if w.tries++; len(again) > 0 && w.tries < pushTries {
		w.only, w.due = again, now.Add(min(max(after, pushRetry<<(w.tries-1)), pushLatest))
		p.waiting[what] = w
	}
	p.wake()
}

// taken says whether a push service's host is one that the operator takes.
func (p *pushes) taken(endpoint string) bool {
	u, err := url.Parse(endpoint)
	return err == nil && (len(p.hosts) == 0 || slices.ContainsFunc(p.hosts, func(host string) bool {
		end, any := strings.CutPrefix(host, "*")
		return any && strings.HasSuffix(u.Hostname(), end) || u.Hostname() == host
	}))
}

// tendPushes sends what is due until ctx ends, and waits for what is being sent.
func (s *Server) tendPushes(ctx context.Context) {
	var sending sync.WaitGroup
	defer sending.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		due, next := s.pushes.take(s.clock())
		for what, w := range due {
			sending.Go(func() { s.push(ctx, what, w) })
		}
		timer.Reset(next)
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-s.pushes.woken:
		}
	}
}

// push tells a user's devices of a conversation, unless he looks already or does not want to know.
func (s *Server) push(ctx context.Context, what pushFor, w *waitingPush) {
	devices, err := s.devicesToTell(ctx, what, w)
	if err != nil && ctx.Err() == nil {
		s.log.Warn("push not sent", "error", err)
	}
	if len(devices) == 0 {
		s.pushes.spared(w)
		s.pushes.done(what, w, false, nil, 0, s.clock())
		return
	}
	// The topic tells the push service nothing: it is no id of the conversation.
	mac := hmac.New(sha256.New, s.ticketKey)
	fmt.Fprintf(mac, "push topic %s", what.conversation)
	m := push.Message{
		Payload: encode(map[string]ozeki.ConversationID{"conversation": what.conversation}), TTL: pushKept, Urgency: "high",
		Topic: base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:24]),
	}
	ctx, cancel := context.WithTimeout(ctx, pushWithin)
	defer cancel()
	failures := make([]error, len(devices))
	var sending sync.WaitGroup
	for i, d := range devices {
		sending.Go(func() {
			m := m
			m.Contact = d.Contact
			failures[i] = s.pushes.client.Send(ctx, push.Subscription{Endpoint: d.Endpoint, P256dh: d.P256dh, Auth: d.Auth}, m)
		})
	}
	sending.Wait()
	s.pushes.took(what.user, errors.Is(ctx.Err(), context.DeadlineExceeded))
	var again []ozeki.StationID
	var after time.Duration
	sent := false
	for i, d := range devices {
		var later *push.LaterError
		switch err := failures[i]; {
		case err == nil:
			sent = true
		case errors.Is(err, push.ErrGone):
			remove := func(tx store.Tx) error { return tx.RemovePush(context.WithoutCancel(ctx), d.Station, d.Endpoint) }
			if err := s.update(context.WithoutCancel(ctx), remove); err != nil {
				s.log.Warn("ended push subscription not removed", "error", err) // the next push says again that it has ended
			}
		case errors.Is(err, push.ErrRefused):
			s.log.Warn("push refused", "host", hostOf(d.Endpoint), "error", err)
		default:
			if errors.As(err, &later) {
				after = max(after, later.After)
			}
			again = append(again, d.Station)
			s.log.Debug("push failed", "host", hostOf(d.Endpoint), "error", err)
		}
	}
	s.pushes.done(what, w, sent, again, after, s.clock())
}

// hostOf is what the log tells of an endpoint, which is a secret of the browser's.
func hostOf(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// devicesToTell lists the subscriptions to be told of a conversation: none while its user looks at a page, has it muted or
// hidden, has read it, or has blocked those who wrote.
func (s *Server) devicesToTell(ctx context.Context, what pushFor, w *waitingPush) ([]store.Push, error) {
	if s.looks(what.user) {
		return nil, nil
	}
	devices, err := s.store.Pushes(ctx, what.user)
	if err != nil || len(devices) == 0 {
		return nil, err
	}
	c, err := s.store.Conversation(ctx, what.user, what.conversation)
	if errors.Is(err, store.ErrNotFound) || err == nil && (c.Muted || c.Unread == 0 || isHidden(c)) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	blocked, err := s.store.Blocked(ctx, what.user)
	if err != nil || !slices.ContainsFunc(w.from, func(u ozeki.UserID) bool { return !slices.Contains(blocked, u) }) {
		return nil, err
	}
	return slices.DeleteFunc(devices, func(d store.Push) bool {
		return w.only != nil && !slices.Contains(w.only, d.Station) || !s.pushes.taken(d.Endpoint)
	}), nil
}

// looks says whether a user is at a page now: one that was closed says nothing any more, but its socket has ended.
func (s *Server) looks(user ozeki.UserID) bool {
	at := s.presence.availableAt(user, s.clock())
	if s.listenerPath == "" {
		return len(at) > 0
	}
	return slices.ContainsFunc(at, func(station ozeki.StationID) bool { return s.sockets.has(user, station) })
}

// pushKey gives the key with which browsers subscribe.
func (s *Server) pushKey(context.Context, *request, *ozeki.EmptyRequest) (any, error) {
	key, err := s.pushes.client.Key.Public()
	return ozeki.PushKeyAnswer{Answer: ok, Key: key}, err
}

// subscribePush has the station told of messages. errInvalid: it is no subscription, or its push service is none that the
// operator takes. errLimit: the user has too many. A repeat changes nothing; another one replaces the station's.
func (s *Server) subscribePush(ctx context.Context, tx store.Tx, req *request, body *ozeki.PushSubscribeRequest) (any, error) {
	subscription := push.Subscription{Endpoint: body.Endpoint, P256dh: body.P256dh, Auth: body.Auth}
	if err := subscription.Check(); err != nil {
		return nil, errInvalid.saying("This is not a push subscription of a browser: " + err.Error() + ".")
	}
	if !s.pushes.taken(body.Endpoint) {
		return nil, errInvalid.saying("This server does not send notifications through the service of this browser. Use another browser, or ask who runs the server.")
	}
	devices, err := tx.Pushes(ctx, req.user)
	if err != nil {
		return nil, err
	}
	if len(devices) >= maxDevices && !slices.ContainsFunc(devices, func(d store.Push) bool { return d.Station == req.station }) {
		return nil, errLimit.saying("Too many of your devices have notifications. Turn them off on one of them first.")
	}
	p := store.Push{Station: req.station, User: req.user, Endpoint: body.Endpoint, P256dh: body.P256dh, Auth: body.Auth}
	if strings.HasPrefix(req.origin, "https://") {
		p.Contact = req.origin
	}
	return ozeki.PlainAnswer{Answer: ok}, tx.SetPush(ctx, p)
}

// unsubscribePush ends that. A repeat changes nothing.
func (s *Server) unsubscribePush(ctx context.Context, tx store.Tx, req *request, _ *ozeki.EmptyRequest) (any, error) {
	return ozeki.PlainAnswer{Answer: ok}, tx.RemovePush(ctx, req.station, "")
}
