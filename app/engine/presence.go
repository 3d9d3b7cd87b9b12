package engine

import (
	"context"
	"errors"
	"time"

	"starling/ozeki"
)

// How the user's presence is told.
const (
	SayEvery     = time.Minute               // what the user is, while it stays so
	IdleAfter    = 5 * time.Minute           // without input the user counts as away
	hiddenFor    = 3 * time.Second           // a page out of sight counts as left: one that goes to another tab is not
	elsewhereFor = SayEvery + 10*time.Second // without a word the other tab counts as left, too
)

// attendance is what the server is told of the user's presence at this device.
type attendance struct {
	is        string // ozeki.Available or Away; empty before anything was said
	unsaid    bool   // it is to be said, again or for the first time
	busy      bool   // something is being said
	elsewhere bool   // the user is at another tab of this device, which says so
	timers    [4]func()
}

// The timers of attendance.
const (
	sayAgain = iota
	goIdle
	goHidden
	forget
)

func (a *attendance) stop(timer int) {
	if a.timers[timer] != nil {
		a.timers[timer]()
		a.timers[timer] = nil
	}
}

func (a *attendance) cancel() {
	for t := range a.timers {
		a.stop(t)
	}
	*a = attendance{}
}

// Used tells that the user is at the page: a key was pressed, the pointer moved. It may be called often.
func (e *Engine) Used() {
	e.mu.Lock()
	defer e.unlock()
	e.attend()
}

// attend takes the user to be at the page if it is seen, and to be gone soon if not. The caller holds mu.
func (e *Engine) attend() {
	if e.kept == nil {
		return
	}
	a, run := &e.attendance, e.run
	if !e.poll.visible {
		a.stop(goHidden)
		a.timers[goHidden] = e.after(hiddenFor, func() { e.goAway(run) })
		return
	}
	a.stop(goHidden)
	a.stop(goIdle)
	a.timers[goIdle] = e.after(IdleAfter, func() { e.goAway(run) })
	if a.is != ozeki.Available {
		e.say(ozeki.Available)
	}
}

func (e *Engine) goAway(run int) {
	e.mu.Lock()
	defer e.unlock()
	if run == e.run && e.attendance.is != ozeki.Away {
		e.say(ozeki.Away)
	}
}

// say tells the server what the user is, now and from time to time. Requests follow each other, so that the last one said is
// the last one heard. A server that knows nothing of being away is told nothing then, and the user is offline to others
// after a while. The caller holds mu.
func (e *Engine) say(is string) {
	a, run := &e.attendance, e.run
	a.is = is
	a.stop(sayAgain)
	if is == ozeki.Away && !e.client.Session().Has(ozeki.ExtAway) {
		return
	}
	a.timers[sayAgain] = e.after(SayEvery, func() {
		e.mu.Lock()
		defer e.unlock()
		if run == e.run {
			e.say(e.attendance.is)
		}
	})
	if is == ozeki.Away && a.elsewhere {
		return
	}
	a.unsaid = true
	if a.busy {
		return
	}
	a.busy = true
	e.goIn(run, func(ctx context.Context, run int) {
		for {
			e.mu.Lock()
			if run != e.run {
				e.unlock()
				return
			}
			a := &e.attendance
			is, more := a.is, a.unsaid
			a.unsaid, a.busy = false, more
			e.unlock()
			if !more {
				return
			}
			tell := e.client.Availability
			if is == ozeki.Away {
				tell = e.client.Away
			} else {
				e.neighbours.Tell(Note{Here: true})
			}
			// What is lost is said again soon; polls notice that the server cannot be reached.
			if err := tell(ctx); errors.Is(err, ozeki.ErrSignature) && e.failed(run, err) {
				return
			}
		}
	})
}

// sayAgainNow repeats what the user is: the server is reached again, and may have forgotten it. The caller holds mu.
func (e *Engine) sayAgainNow() {
	if e.attendance.is != "" {
		e.say(e.attendance.is)
	}
}

// userElsewhere: the user is at another tab of this device. The tabs are one station, so that this one keeps silent about its
// own being left, until nothing more is heard of that.
func (e *Engine) userElsewhere() {
	e.mu.Lock()
	defer e.unlock()
	a, run := &e.attendance, e.run
	if e.kept == nil {
		return
	}
	a.elsewhere = true
	a.stop(forget)
	a.timers[forget] = e.after(elsewhereFor, func() {
		e.mu.Lock()
		defer e.unlock()
		if run != e.run {
			return
		}
		e.attendance.elsewhere = false
		if e.attendance.is == ozeki.Away {
			e.say(ozeki.Away)
		}
	})
}
