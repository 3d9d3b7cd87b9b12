package chatserver

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"starling/chatserver/store"
	"starling/ozeki"
)

// sees fails the test unless the user is told this of his only friend.
func (u *user) sees(want string) {
	u.f.t.Helper()
	list, err := u.Friends(context.Background())
	if err != nil {
		u.f.t.Fatal(err)
	}
	if got := list.Availabilities[0].Availability; got != want {
		u.f.t.Errorf("the friend is %s, want %s", got, want)
	}
}

func TestAUserIsWhatHisMostPresentStationSays(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	alice, desk := f.user("Alice", 0), f.user("Bob", 1)
	phone := desk.signIn()
	f.direct(alice, desk)
	alice.sees(ozeki.Offline)
	for _, step := range []struct {
		what string
		do   func(context.Context) error
		want string
	}{
		{"the desk is left alone", desk.Away, ozeki.Away},
		{"the phone is used", phone.Availability, ozeki.Available},
		{"the desk is left alone still", desk.Away, ozeki.Available},
		{"the phone is put away", phone.Away, ozeki.Away},
		{"the phone signs out", phone.Logout, ozeki.Away},
		{"the desk signs out", desk.Logout, ozeki.Offline},
	} {
		f.clock.move(time.Second)
		if err := step.do(ctx); err != nil {
			t.Fatalf("%s: %v", step.what, err)
		}
		t.Log(step.what)
		alice.sees(step.want)
	}
}

func TestWhoFallsSilentIsOffline(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	f.direct(alice, bob)
	if err := bob.Away(ctx); err != nil {
		t.Fatal(err)
	}
	f.clock.move(awayFor)
	alice.sees(ozeki.Away)
	f.clock.move(time.Second)
	alice.sees(ozeki.Offline)
}

func TestFriendsAreToldOfEachChangeOfPresence(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	alice, bob, carol := f.user("Alice", 0), f.user("Bob", 1), f.user("Carol", 2)
	f.direct(alice, bob)
	socket := alice.socket()
	_, cursor := alice.poll(0)
	step := func(what string, tells bool, do func(context.Context) error) {
		t.Helper()
		if err := do(ctx); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		var news told
		news, cursor = alice.poll(cursor)
		if slices.Contains(news.friends, bob.id) != tells {
			t.Errorf("%s: told of %v", what, news)
		}
		if tells {
			socket.hears(changed)
		} else {
			socket.hearsNothing()
		}
	}
	sweep := func(ctx context.Context) error { f.srv.sweep(ctx); return nil }
	step("bob comes", true, bob.Availability)
	step("bob is still there", false, bob.Availability)
	step("carol, no friend, comes", false, carol.Availability)
	f.clock.move(availableFor)
	step("a sweep in time", false, sweep)
	f.clock.move(time.Second)
	step("a sweep after his time", true, sweep)
	step("another sweep", false, sweep)
	step("bob is away", true, bob.Away)
	step("bob comes again", true, bob.Availability)
	step("bob signs out", true, bob.Logout)
	step("nothing is left to sweep", false, sweep)
	f.clock.move(time.Hour)
	f.srv.sweep(ctx)
	if n := len(f.srv.presence.users); n != 0 {
		t.Errorf("%d users are remembered after all have gone", n)
	}
}

func TestWhoFlipsQuicklyIsToldOfTogether(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	f.direct(alice, bob)
	before, err := f.store.Seq(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if err := errors.Join(bob.Availability(ctx), bob.Away(ctx)); err != nil {
			t.Fatal(err)
		}
	}
	if err := bob.Availability(ctx); err != nil {
		t.Fatal(err)
	}
	alice.sees(ozeki.Available)
	after, err := f.store.Seq(ctx)
	if err != nil || after-before != tellBurst {
		t.Errorf("%d changes were written, %v", after-before, err)
	}
	_, cursor := alice.poll(after)
	f.srv.sweep(ctx)
	if news, _ := alice.poll(cursor); len(news.friends) != 0 {
		t.Errorf("told of %v although it is too early", news)
	}
	f.clock.move(tellEvery)
	f.srv.sweep(ctx)
	if news, _ := alice.poll(cursor); !slices.Equal(news.friends, []ozeki.UserID{bob.id}) {
		t.Errorf("told of %v", news)
	}
}

func TestFriendsAreToldLaterWhatCouldNotBeWritten(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	f.direct(alice, bob)
	_, cursor := alice.poll(0)
	f.srv.store = full{f.store}
	if err := bob.Availability(ctx); err != nil {
		t.Errorf("bob is not to blame: %v", err)
	}
	f.srv.store = f.store
	alice.sees(ozeki.Available)
	if news, _ := alice.poll(cursor); len(news.friends) != 0 {
		t.Errorf("told of %v", news)
	}
	f.srv.sweep(ctx)
	if news, _ := alice.poll(cursor); !slices.Equal(news.friends, []ozeki.UserID{bob.id}) {
		t.Errorf("told of %v", news)
	}
}

// full is a store that takes no changes.
type full struct{ store.Store }

func (full) Update(context.Context, func(store.Tx) error) ([]ozeki.UserID, error) {
	return nil, errors.Join(errors.New("disk full"), store.ErrUnavailable)
}
