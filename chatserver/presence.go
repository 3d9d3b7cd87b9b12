package chatserver

import (
	"context"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"starling/chatserver/store"
	"starling/ozeki"
)

// How long a station counts as what it last said, and how often is looked for those that have fallen silent. Clients say it
// about once a minute; browsers let the timers of a hidden page, which is away, run late.
const (
	availableFor = 90 * time.Second
	awayFor      = 3 * time.Minute
	sweepEvery   = 5 * time.Second
	// Changes that a user's friends are told of at once, and how soon one more. What comes faster is told together, by a sweep:
	// each is a change of every friend's row.
	tellBurst = 6
	tellEvery = 10 * time.Second
)

// presence remembers in memory what the stations of users last said, and what the users' friends have been told. The zero
// value is ready.
type presence struct {
	mu    sync.Mutex
	users map[ozeki.UserID]*present
}

type present struct {
	stations map[ozeki.StationID]sign
	told     string // what friends were last told to ask for; empty is offline
	pace     *rate.Limiter
}

// sign is what a station said, and when.
type sign struct {
	at   time.Time
	away bool
}

func (g sign) fresh(now time.Time) bool {
	if g.away {
		return now.Sub(g.at) <= awayFor
	}
	return now.Sub(g.at) <= availableFor
}

// saw notes what a station of a user's says.
func (p *presence) saw(user ozeki.UserID, station ozeki.StationID, now time.Time, away bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.users == nil {
		p.users = map[ozeki.UserID]*present{}
	}
	u := p.users[user]
	if u == nil {
		u = &present{stations: map[ozeki.StationID]sign{}}
		p.users[user] = u
	}
	u.stations[station] = sign{now, away}
}

// left notes that a user is not at a station any more.
func (p *presence) left(user ozeki.UserID, station ozeki.StationID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if u := p.users[user]; u != nil {
		delete(u.stations, station)
	}
}

// of says what a user is: available if any station says so, else away if any does, else offline.
func (p *presence) of(user ozeki.UserID, now time.Time) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.users[user].now(now)
}

// availableAt lists the stations at which a user is.
func (p *presence) availableAt(user ozeki.UserID, now time.Time) (stations []ozeki.StationID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if u := p.users[user]; u != nil {
		for station, g := range u.stations {
			if !g.away && g.fresh(now) {
				stations = append(stations, station)
			}
		}
	}
	return stations
}

func (u *present) now(now time.Time) string {
	is := ozeki.Offline
	if u == nil {
		return is
	}
	for _, g := range u.stations {
		switch {
		case !g.fresh(now):
		case !g.away:
			return ozeki.Available
		default:
			is = ozeki.Away
		}
	}
	return is
}

// news says whether a user's friends are to be told now of what he is, and notes it as told. Of one who changes too often
// they are told by a later sweep.
func (p *presence) news(user ozeki.UserID, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	u := p.users[user]
	if u == nil {
		return false
	}
	is := u.now(now)
	was := u.told
	if was == "" {
		was = ozeki.Offline
	}
	if is == was {
		u.told = is
		return false
	}
	if u.pace == nil {
		u.pace = rate.NewLimiter(rate.Every(tellEvery), tellBurst)
	}
	if !u.pace.AllowN(now, 1) {
		return false
	}
	u.told = is
	return true
}

// untold takes back what news has noted: it could not be told.
func (p *presence) untold(user ozeki.UserID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if u := p.users[user]; u != nil {
		u.told = "unknown"
	}
}

// stale lists the users whose friends may have to be told, and forgets stations that have fallen silent and users who are
// gone.
func (p *presence) stale(now time.Time) (users []ozeki.UserID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, u := range p.users {
		for station, g := range u.stations {
			if !g.fresh(now) {
				delete(u.stations, station)
			}
		}
		switch is := u.now(now); {
		case is != u.told && (is != ozeki.Offline || u.told != ""):
			users = append(users, id)
		case len(u.stations) == 0:
			delete(p.users, id)
		}
	}
	return users
}

// availabilityOf decides what somebody whom blockers have blocked is told of a friend's presence: of one of them nothing. It
// is the only place that does.
func (s *Server) availabilityOf(friend ozeki.UserID, blockers []ozeki.UserID, now time.Time) string {
	if slices.Contains(blockers, friend) {
		return ozeki.Offline
	}
	return s.presence.of(friend, now)
}

// available notes that the user is at the station now. A repeat says so again.
func (s *Server) available(ctx context.Context, req *request, _ *ozeki.EmptyRequest) {
	s.presence.saw(req.user, req.station, req.now, false)
	s.tellFriends(ctx, req.user)
}

// away notes that the station runs and the user is not at it. A repeat says so again.
func (s *Server) away(ctx context.Context, req *request, _ *ozeki.EmptyRequest) {
	s.presence.saw(req.user, req.station, req.now, true)
	s.tellFriends(ctx, req.user)
}

// tellFriends has a user's friends told if what he is has changed. What cannot be written now is told by the sweep.
func (s *Server) tellFriends(ctx context.Context, user ozeki.UserID) {
	if !s.presence.news(user, s.clock()) {
		return
	}
	ctx = context.WithoutCancel(ctx)
	if err := s.update(ctx, func(tx store.Tx) error { return tx.TouchFriends(ctx, user) }); err != nil {
		s.presence.untold(user)
		s.log.Warn("friends not told of a user's presence", "error", err)
	}
}

// sweepPresence tells at every tick of those who have fallen silent, until ctx ends.
func (s *Server) sweepPresence(ctx context.Context, tick <-chan time.Time) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick:
			s.sweep(ctx)
		}
	}
}

func (s *Server) sweep(ctx context.Context) {
	for _, user := range s.presence.stale(s.clock()) {
		if ctx.Err() != nil {
			return
		}
		s.tellFriends(ctx, user)
	}
}
