//go:build !js

package engine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"starling/app/state"
	"starling/chatserver/store"
	"starling/ozeki"
)

func TestAnAccountIsMadeAndItsOwnerSignsInWithThePassword(t *testing.T) {
	s := newServer(t)
	ctx := context.Background()
	p := s.device(account{name: "Dora"}, nil)
	p.until("the program asks to sign in", func(v *state.Snapshot) bool { return v.Phase == state.SignedOut })
	if err := p.CreateAccount(ctx, "Dora", "Dora@Example.com", "correct horse"); err != nil {
		t.Fatal(err)
	}
	v := p.until("she is in", func(v *state.Snapshot) bool { return v.Phase == state.SignedIn && v.Loaded })
	if v.User.Name != "Dora" || v.User.ID != ozeki.UserIDOf("dora@example.com") || v.Total != 0 {
		t.Errorf("signed in as %+v with %d conversations", v.User, v.Total)
	}
	if err := p.CreateAccount(ctx, "Again", "dora@example.com", "another one"); !errors.Is(err, ozeki.ErrExists) || Words(err) == "" {
		t.Errorf("a taken address: %v", err)
	}

	q := s.device(account{name: "Dora"}, nil)
	if err := q.SignIn(ctx, "dora@example.com", "wrong horse"); !errors.Is(err, ozeki.ErrLogin) || !strings.Contains(Words(err), "password") {
		t.Errorf("a wrong password: %v, in words %q", err, Words(err))
	}
	if v := q.Snapshot(); v.Phase == state.SignedIn {
		t.Error("a wrong password signs in")
	}
	if err := q.SignIn(ctx, " dora@EXAMPLE.com ", "correct horse"); err != nil {
		t.Fatal(err)
	}
	q.until("she is in", func(v *state.Snapshot) bool { return v.Phase == state.SignedIn && v.User.Name == "Dora" })
}

func TestAWrongEncryptionPasswordSaysSo(t *testing.T) {
	s := newServer(t)
	p := s.device(s.account(0), nil)
	err := p.SignInWithKey(context.Background(), p.cred.APIKey, "nonsense")
	if !errors.Is(err, ozeki.ErrPassword) || !strings.Contains(Words(err), "encryption password") {
		t.Errorf("%v, in words %q", err, Words(err))
	}
	if kept, _ := p.vault.Load(context.Background()); kept != nil {
		t.Error("something is kept of a failed sign-in")
	}
}

func TestTheNextStartGoesOnWithoutAPassword(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	ids := s.groups(a, 3)
	p := s.signedIn(a)
	p.Star(ids[2], true)
	p.Star(ids[0], true)
	p.until("both are favorites", func(v *state.Snapshot) bool { return settled(ids[0], true)(v) && settled(ids[2], true)(v) })
	p.MoveFavorite(ids[2], -1)
	eventually(t, "the order is kept", func() bool {
		kept, _ := p.vault.Load(context.Background())
		return kept != nil && len(kept.Order) == 2 && len(kept.Wishes) == 0
	})
	p.Close()

	q := s.device(a, p.vault)
	v := q.until("the list is there", func(v *state.Snapshot) bool { return v.Loaded && q.allOpened() })
	if v.User.Name != "Alice" || v.User.ID != a.id {
		t.Errorf("signed in as %+v", v.User)
	}
	if len(v.Favorites) != 2 || v.Favorites[0].ID != ids[2] {
		t.Errorf("the order of favorites is lost: %+v", v.Favorites)
	}
	if q.wire.sent("login") != 0 {
		t.Error("it signed in anew")
	}
}

type brokenVault struct{ Vault }

func (brokenVault) Load(context.Context) (*Kept, error) { return nil, errors.New("damaged") }
func (brokenVault) Save(context.Context, *Kept) error   { return errors.New("no room") }
func (brokenVault) Wipe(context.Context) error          { return errors.New("locked") }

func TestADeviceThatKeepsNothingSaysSoAndStillWorks(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	ids := s.groups(a, 1)
	p := s.device(a, brokenVault{NewVault()})
	v := p.until("it asks to sign in", func(v *state.Snapshot) bool { return v.Phase == state.SignedOut })
	if !strings.Contains(v.Reason, "Sign in again") {
		t.Errorf("the reason is %q", v.Reason)
	}
	p.signIn()
	v = p.until("it tells", func(v *state.Snapshot) bool { return len(v.Notices) > 0 })
	if !strings.Contains(v.Notices[0].Text, "sign in again after a reload") {
		t.Errorf("the notice is %q", v.Notices[0].Text)
	}
	p.Star(ids[0], true)
	p.until("the star is settled", settled(ids[0], true))
	p.SignOut()
	p.until("it tells that the device is not clear", func(v *state.Snapshot) bool {
		return v.Phase == state.SignedOut && len(v.Notices) > 0 && strings.Contains(v.Notices[0].Text, "could not be cleared")
	})
}

func TestSigningOutForgetsThisDeviceOnTheServerToo(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	p := s.signedIn(a)
	station := p.client.Session().Station
	p.SignOut()
	if v := p.Snapshot(); v.Phase != state.SignedOut || v.Reason != "" || v.Total != 0 {
		t.Errorf("at once it shows %+v", v)
	}
	eventually(t, "the device is clear", func() bool { k, _ := p.vault.Load(context.Background()); return k == nil })
	eventually(t, "the station is unbound", func() bool {
		_, err := s.store.Station(context.Background(), station)
		return errors.Is(err, store.ErrNotFound)
	})
	p.signIn()
}

func TestSigningOutWipesTheDeviceWhenTheServerIsDown(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	s.groups(a, 1)
	p := s.signedIn(a)
	p.wire.set(cut)
	p.SignOut()
	if v := p.Snapshot(); v.Phase != state.SignedOut || v.Total != 0 || p.client.Session() != nil {
		t.Errorf("it shows %+v", v)
	}
	eventually(t, "the device is clear", func() bool { k, _ := p.vault.Load(context.Background()); return k == nil })
	q := s.device(a, p.vault)
	q.until("the next start asks to sign in", func(v *state.Snapshot) bool { return v.Phase == state.SignedOut })
}

func TestASessionThatTheServerHasEndedAsksToSignInAgain(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	ids := s.groups(a, 1)
	for _, act := range []func(*person){
		func(p *person) { p.Wake() },
		func(p *person) { p.Star(ids[0], true) },
		func(p *person) { p.Reload() },
		func(p *person) { _ = p.Send(ids[0], "hello") },
		func(p *person) { p.Open(ids[0]) },
		func(p *person) { p.LoadFriends() },
	} {
		p := s.signedIn(a)
		station := p.client.Session().Station
		s.update(func(ctx context.Context, tx store.Tx) error { return tx.UnbindStation(ctx, station, a.id) })
		act(p)
		v := p.until("it is signed out", func(v *state.Snapshot) bool { return v.Phase == state.SignedOut })
		if !strings.Contains(v.Reason, "Sign in again") {
			t.Errorf("the reason is %q", v.Reason)
		}
		eventually(t, "the device keeps no key, and nothing but what waits", func() bool {
			k, _ := p.vault.Load(context.Background())
			return k == nil || k.Ended && k.Session.Key == nil && k.waits()
		})
		p.Close()
	}
}

// tabs are the tabs of one browser.
type tabs struct {
	mu        sync.Mutex
	listeners []func(Note)
}

type tab struct {
	all *tabs
	me  int
}

func (t *tabs) tab() tab {
	t.listeners = append(t.listeners, nil)
	return tab{t, len(t.listeners) - 1}
}

func (t tab) Listen(f func(Note)) {
	t.all.mu.Lock()
	defer t.all.mu.Unlock()
	t.all.listeners[t.me] = f
}

// Lead makes the first tab the leading one, for good.
func (t tab) Lead(f func()) {
	if t.me == 0 {
		f()
	}
}

func (t tab) Tell(n Note) {
	t.all.mu.Lock()
	all := slices.Clone(t.all.listeners)
	t.all.mu.Unlock()
	for i, f := range all {
		if i != t.me && f != nil {
			f(n)
		}
	}
}

func TestTabsOfOneBrowserGoInAndOutTogetherAndShareNews(t *testing.T) {
	s := newServer(t)
	a, b := s.account(0), s.account(1)
	id := s.direct(a, b)
	browser, vault := &tabs{}, NewVault()
	first, second := browser.tab(), browser.tab()
	p := s.device(a, vault, func(o *Options) { o.Neighbours = first })
	q := s.device(a, vault, func(o *Options) { o.Neighbours = second })
	p.until("the first asks to sign in", func(v *state.Snapshot) bool { return v.Phase == state.SignedOut })
	q.until("the second asks to sign in", func(v *state.Snapshot) bool { return v.Phase == state.SignedOut })
	p.signIn()
	q.until("the second is in as well", func(v *state.Snapshot) bool { return v.Loaded })
	bob := s.signedIn(b)
	if err := bob.Send(id, "hello"); err != nil {
		t.Fatal(err)
	}
	q.reading(id)
	eventually(t, "the message is stored", func() bool { return len(s.messages(a, id)) == 1 })
	p.Wake()
	q.until("the second has the message, though only the first asked", shows("hello"))
	q.SignOut()
	v := p.until("the first is out as well", func(v *state.Snapshot) bool { return v.Phase == state.SignedOut })
	if v.Reason != "You signed out in another tab." {
		t.Errorf("the reason is %q", v.Reason)
	}
}

func TestTheLastClickOfTwoTabsWins(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	id := s.groups(a, 1)[0]
	browser, vault := &tabs{}, NewVault()
	first, second := browser.tab(), browser.tab()
	p := s.device(a, vault, func(o *Options) { o.Neighbours = first })
	p.until("the first asks to sign in", func(v *state.Snapshot) bool { return v.Phase == state.SignedOut })
	p.signIn()
	p.until("the list is there", func(v *state.Snapshot) bool { return v.Loaded })
	p.wire.set(cut)
	p.Star(id, true)
	p.until("it is queued", func(v *state.Snapshot) bool { return row(v, id).Star == state.FlagQueued })
	eventually(t, "it is kept", func() bool {
		k, _ := vault.Load(context.Background())
		return k != nil && k.Wishes[id][state.FlagFavorite] == state.On
	})

	// The second tab begins with the wish that is kept, and cannot reach the server either.
	q := s.device(a, vault, func(o *Options) { o.Neighbours = second })
	q.wire.set(cut)
	q.until("the second is in", func(v *state.Snapshot) bool { return v.Phase == state.SignedIn })
	p.Star(id, false)
	eventually(t, "the first has changed its mind", func() bool {
		k, _ := vault.Load(context.Background())
		star, kept := k.Wishes[id][state.FlagFavorite]
		return kept && star == ""
	})
	q.wire.set(nil)
	eventually(t, "the second has the list", func() bool { q.Wake(); return q.Snapshot().Loaded })
	p.wire.set(nil)
	eventually(t, "all is settled", func() bool {
		p.Wake()
		return settled(id, false)(p.Snapshot()) && settled(id, false)(q.Snapshot())
	})
	if s.favorite(a, id) {
		t.Error("the older click won")
	}
}

func TestTheNextStartSignsWithTheServersTimeFromTheFirstRequestOn(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	s.groups(a, 1)
	late := func(w *wire) func(*Options) {
		return func(o *Options) {
			o.Client = ozeki.NewClient(ozeki.Options{Base: s.http.URL + apiPath, Scheme: scheme, Transport: w, Clock: func() time.Time { return time.Now().Add(-3 * time.Hour) }})
		}
	}
	line := func() *wire {
		return &wire{inner: ozeki.NewTransport(), count: map[string]int{}, now: map[string]int{}, most: map[string]int{}}
	}
	second := line()
	vault := NewVault()
	p := s.device(a, vault, late(line()))
	p.until("it asks to sign in", signedOut)
	p.signIn()
	p.Close()
	k, err := vault.Load(t.Context())
	if err != nil || (k.Offset-3*time.Hour).Abs() > time.Minute {
		t.Errorf("kept: %+v, %v", k, err)
	}
	q := s.device(a, vault, late(second))
	q.until("the list is there", func(v *state.Snapshot) bool { return v.Loaded })
	if n := second.sent("chatconversation list"); n != 1 {
		t.Errorf("it asked for the list %d times", n)
	}
}
