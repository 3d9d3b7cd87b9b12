package store

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"starling/ozeki"
)

// Updates that come while another one is being written share the next transaction: a commit waits for the disk, and one
// wait serves them all ("group commit"). The first that waits leads the others. One that fails takes nothing of the others
// with it: either it has changed nothing yet, or all run again, each behind a savepoint of its own.

// maxGroup is how many updates share a transaction at most.
const maxGroup = 128

// maxTook is the longest commit that counts: a quarter of it is how long a leader waits for others at most.
const maxTook = 8 * time.Millisecond

// waryFor is how many transactions have savepoints after one has had to be run again for lack of them.
const waryFor = 32

// errUndo: something that an update has done is to be undone, and there was no savepoint. Nothing was stored.
var errUndo = errors.New("no savepoint")

// errAlone: a transaction that several updates shared broke, and nothing of it was stored.
var errAlone = errors.New("shared transaction broke")

// group is the queue in front of the one connection that writes. The zero value is ready.
type group struct {
	mu      sync.Mutex
	waiting []*update
	leading bool // somebody writes

	// The leader's own.
	last     int           // how many updates the last group had
	took     time.Duration // how long its commit took
	answered time.Time     // when it was answered
	wary     int           // for so many transactions more
}

// update is a call of Update and its outcome.
type update struct {
	ctx   context.Context
	fn    func(Tx) error
	turn  chan bool // true: lead the next group; false: it is done
	users []ozeki.UserID
	err   error
	panic string // of fn with its stack, for its own caller
}

func (s *sqlStore) Update(ctx context.Context, fn func(Tx) error) ([]ozeki.UserID, error) {
	u := &update{ctx: ctx, fn: fn, turn: make(chan bool, 1)}
	g := &s.group
	g.mu.Lock()
	g.waiting = append(g.waiting, u)
	lead := !g.leading
	g.leading = true
	g.mu.Unlock()
	if !lead {
		select {
		case lead = <-u.turn:
		case <-ctx.Done():
			if g.leave(u) {
				return nil, s.d.wrap("wait for the database", ctx.Err())
			}
			lead = <-u.turn // being written, or about to be
		}
	}
	if lead {
		s.lead()
	}
	if u.panic != "" {
		panic(u.panic)
	}
	return u.users, u.err
}

// leave takes an update out of the queue; false if it is not there any more, or has been told to lead.
func (g *group) leave(u *update) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.waiting, u)
	if i < 0 || len(u.turn) > 0 {
		return false
	}
	g.waiting = slices.Delete(g.waiting, i, i+1)
	return true
}

// gather lets those come back in whom the last group has answered: they are about to, and a group that has only the first of
// them waits for the disk as long as one with all. Who does not come is waited for a part of that time only, from the answer on. It is
// called with the lock. With one processor those who are waited for could not come.
func (g *group) gather() {
	if runtime.GOMAXPROCS(0) == 1 {
		return
	}
	for until := g.answered.Add(g.took / 4); len(g.waiting) < g.last && time.Now().Before(until); {
		g.mu.Unlock()
		runtime.Gosched()
		g.mu.Lock()
	}
}

// lead writes the updates that wait, the caller's own at their head, and hands the lead on.
func (s *sqlStore) lead() {
	g := &s.group
	s.write.mu.Lock()
	defer s.write.mu.Unlock()
	g.mu.Lock()
	g.gather()
	n := min(len(g.waiting), maxGroup)
	g.last = n
	mine := slices.Clone(g.waiting[:n])
	g.waiting = slices.Delete(g.waiting, 0, n)
	g.mu.Unlock()
	for _, u := range mine {
		u.err = s.d.wrap("write", ErrUnavailable) // until the outcome is known
	}
	others := mine[1:]
	defer func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.answered = time.Now()
		if g.leading = len(g.waiting) > 0; g.leading {
			g.waiting[0].turn <- true
		}
		for _, u := range others {
			u.turn <- false
		}
	}()
	if len(mine) > 1 && s.together(mine) == nil {
		return
	}
	for i, u := range mine {
		if u.users, u.err = s.alone(u); i > 0 {
			others = others[1:]
			u.turn <- false
		}
	}
}

// cautiously runs a transaction without savepoints, and once more with them if something has to be undone. Where that has
// happened the next ones have savepoints at once, so that who makes it happen over and over costs the others little.
func (s *sqlStore) cautiously(run func(careful bool) error) error {
	g := &s.group
	if g.wary > 0 {
		g.wary--
		return run(true)
	}
	err := run(false)
	if err == errUndo {
		g.wary = waryFor
		err = run(true)
	}
	return err
}

// alone runs one update in a transaction of its own.
func (s *sqlStore) alone(u *update) (users []ozeki.UserID, err error) {
	err = s.cautiously(func(careful bool) error {
		u.panic = ""
		if err := gone(u.ctx); err != nil {
			return err
		}
		if err := s.write.begin(u.ctx); err != nil {
			return s.d.wrap("begin", err)
		}
		defer s.write.rollback()
		t := s.tx(&transaction{writer: s.write, careful: careful})
		defer func() { s.stations.forget(t.stations) }()
		err := u.run(t)
		switch {
		case t.broken == errUndo:
			return errUndo
		case err != nil:
			return err
		case t.broken != nil:
			return s.d.wrap("update", t.broken)
		}
		if err := gone(u.ctx); err != nil {
			return err
		}
		defer s.stamps.changing(t.stamped())()
		if err := t.in.commit(); err != nil {
			return s.d.wrap("commit", err)
		}
		users = t.users()
		return nil
	})
	return users, err
}

// together runs several in one transaction. After errAlone nothing is stored, and each is to be run alone: the engine
// ends a whole transaction when a statement in it finds the disk full.
func (s *sqlStore) together(all []*update) error {
	return s.cautiously(func(careful bool) error { return s.share(all, careful) })
}

func (s *sqlStore) share(all []*update, careful bool) error {
	// The transaction is not the leader's alone: it goes on when his caller has gone.
	ctx := context.WithoutCancel(all[0].ctx)
	if s.write.begin(ctx) != nil {
		return errAlone
	}
	defer s.write.rollback()
	in := &transaction{writer: s.write, ctx: ctx, careful: careful}
	users := make([][]ozeki.UserID, len(all))
	errs := make([]error, len(all))
	var stations []ozeki.StationID
	var stamped []string
	defer func() { s.stations.forget(stations) }()
	for i, u := range all {
		u.panic = ""
		if errs[i] = gone(u.ctx); errs[i] != nil {
			continue
		}
		t := s.tx(in)
		errs[i] = t.Nested(ctx, func() error { return u.run(t) })
		stations = append(stations, t.stations...)
		switch {
		case t.broken == errUndo:
			return errUndo
		case t.broken != nil || errors.Is(errs[i], ErrUnavailable) && !over(errs[i]):
			return errAlone
		case errs[i] == nil:
			users[i] = t.users()
			stamped = append(stamped, t.stamped()...)
		}
	}
	defer s.stamps.changing(stamped)()
	start := time.Now()
	if in.commit() != nil {
		return errAlone
	}
	s.group.took = min(time.Since(start), maxTook)
	for i, u := range all {
		u.users, u.err = users[i], errs[i]
	}
	return nil
}

// over reports whether an error is that of a caller's context.
func over(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// gone is the error of a call that nobody waits for any more.
func gone(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return nil
}

// run calls the update's function. Its panic is kept for its own caller, and is an error here.
func (u *update) run(t Tx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			u.panic = fmt.Sprintf("%v\n%s", p, debug.Stack())
			err = errors.New("panic in an update")
		}
	}()
	return u.fn(t)
}
