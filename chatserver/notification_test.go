package chatserver

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"testing"

	"starling/chatserver/bus"
	"starling/chatserver/store"
	"starling/ozeki"
)

// told is what an answer tells, without its cursor.
type told struct {
	friends         []ozeki.UserID
	contents, lists []ozeki.ConversationID
}

func (u *user) poll(cursor int64) (told, int64) {
	u.f.t.Helper()
	a, err := u.Notification(context.Background(), cursor)
	if err != nil {
		u.f.t.Fatal(err)
	}
	return told{a.FriendAvailabilitiesOf, a.ConversationChangedOf, a.ConversationListChangedOf}, a.Cursor
}

func nothing() told {
	return told{[]ozeki.UserID{}, []ozeki.ConversationID{}, []ozeki.ConversationID{}}
}

func (f *fixture) equal(got, want any) {
	f.t.Helper()
	if !reflect.DeepEqual(got, want) {
		f.t.Errorf("got\n  %+v\nwant\n  %+v", got, want)
	}
}

func TestAStationIsToldWhatHappenedSinceItsSignIn(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	c := f.direct(alice, bob)
	ids := []ozeki.ConversationID{c.ID}
	late := bob.signIn()

	got, _ := bob.poll(0)
	f.equal(got, told{[]ozeki.UserID{alice.id}, []ozeki.ConversationID{}, ids})
	got, _ = late.poll(0)
	f.equal(got, nothing())
	if _, err := alice.Add(ctx, c.ID, c.Instance, f.message("AAAA")); err != nil {
		t.Fatal(err)
	}
	if _, err := alice.Favorite(ctx, c.ID); err != nil { // her own affair
		t.Fatal(err)
	}
	for _, u := range []*user{bob, late} {
		got, _ = u.poll(0)
		f.equal(got, told{[]ozeki.UserID{}, ids, []ozeki.ConversationID{}})
		got, _ = u.poll(0)
		f.equal(got, nothing())
	}
	got, _ = alice.poll(0) // her own changes as well
	f.equal(got, told{[]ozeki.UserID{bob.id}, ids, ids})
	if _, err := bob.Login(ctx, bob.station, bob.apiKey); err != nil { // starts anew
		t.Fatal(err)
	}
	got, _ = bob.poll(0)
	f.equal(got, nothing())
}

func TestALostAnswerLosesNothing(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	c := f.direct(alice, bob)
	ids := []ozeki.ConversationID{c.ID}
	_, cursor := bob.poll(0)
	got, same := bob.poll(cursor)
	f.equal(got, nothing())
	f.equal(same, cursor)
	if _, err := alice.Add(ctx, c.ID, c.Instance, f.message("AAAA")); err != nil {
		t.Fatal(err)
	}
	lost, _ := bob.poll(cursor)
	f.equal(lost, told{[]ozeki.UserID{}, ids, []ozeki.ConversationID{}})
	if _, err := bob.Mute(ctx, c.ID); err != nil {
		t.Fatal(err)
	}
	f.restart()
	bob = bob.at(f)
	got, next := bob.poll(cursor)
	f.equal(got, told{[]ozeki.UserID{}, ids, ids})
	got, _ = bob.poll(next)
	f.equal(got, nothing())
	// A cursor from a database that was lost since is not believed.
	got, after := bob.poll(next + 1000)
	f.equal(after, next)
	f.equal(got, told{[]ozeki.UserID{}, ids, ids}) // since the station's own last word
	got, _ = bob.poll(-5)
	f.equal(got, told{[]ozeki.UserID{}, ids, ids})
}

// at is the same station against a server that was started anew.
func (u *user) at(f *fixture) *user {
	v := *u
	v.Client = ozeki.NewClient(ozeki.Options{Base: f.http.URL + testPath, Scheme: scheme, Clock: f.clock.now})
	v.SetSession(u.Session())
	return &v
}

func TestTwoStationsOfOneUserSeeEachOthersChanges(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	c := f.direct(alice, bob)
	phone := alice.signIn()
	_, cursor := phone.poll(0)
	if _, err := alice.Favorite(ctx, c.ID); err != nil {
		t.Fatal(err)
	}
	got, cursor := phone.poll(cursor)
	f.equal(got, told{[]ozeki.UserID{}, []ozeki.ConversationID{}, []ozeki.ConversationID{c.ID}})
	list, err := phone.Conversations(ctx)
	if err != nil || !list[0].Properties[0].IsFavorite {
		t.Errorf("%+v %v", list, err)
	}
	if _, err := alice.Favorite(ctx, c.ID); err != nil { // is so already
		t.Fatal(err)
	}
	got, _ = phone.poll(cursor)
	f.equal(got, nothing())
}

func TestAStationThatNobodyIsSignedInOnIsToldNothing(t *testing.T) {
	f := newFixture(t)
	for _, station := range []string{"", "x", string(ozeki.NewStationID())} {
		f.send(raw{"POST", ozeki.CallNotification.Query(), f.body(ozeki.CallNotification), map[string]string{
			"Content-Type": "application/json", ozeki.HeaderStation: station,
		}}).want(t, ozeki.CodeSignature)
	}
}

func TestAPollWithoutNewsWritesNothing(t *testing.T) {
	f := newFixture(t)
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	f.direct(alice, bob)
	_, cursor := bob.poll(0)
	f.srv.store = readOnly{f.store, t}
	got, _ := bob.poll(0)
	f.equal(got, nothing())
	got, _ = bob.poll(cursor)
	f.equal(got, nothing())
}

type readOnly struct {
	store.Store
	t *testing.T
}

func (s readOnly) Update(context.Context, func(store.Tx) error) ([]ozeki.UserID, error) {
	s.t.Error("written")
	return nil, store.ErrUnavailable
}

func TestManyChangesComeInPortions(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	if err := Seed(ctx, f.store, scheme, SeedOptions{Users: 3, Conversations: maxChanges + 200, Messages: 1, SignIn: 1, Now: f.clock.now()}); err != nil {
		t.Fatal(err)
	}
	user1 := ozeki.UserIDOf("user1@example.com")
	station := ozeki.NewStationID()
	_, err := f.store.Update(ctx, func(tx store.Tx) error {
		if err := tx.BindStation(ctx, station, user1, f.clock.now()); err != nil {
			return err
		}
		return tx.SetPolled(ctx, station, 0)
	})
	if err != nil {
		t.Fatal(err)
	}
	c := ozeki.NewClient(ozeki.Options{Base: f.http.URL + testPath, Clock: f.clock.now})
	c.SetSession(&ozeki.Session{UserID: user1, Station: station})
	lists, contents := map[ozeki.ConversationID]bool{}, map[ozeki.ConversationID]bool{}
	for range 5 {
		a, err := c.Notification(ctx, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range a.ConversationListChangedOf {
			lists[id] = true
		}
		for _, id := range a.ConversationChangedOf {
			contents[id] = true
		}
	}
	if len(lists) != maxChanges+200 || len(contents) != maxChanges+200 {
		t.Errorf("told of %d and %d conversations", len(lists), len(contents))
	}
}

func TestAHintFollowsTheCommit(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	c := f.direct(alice, bob)
	var hints []bus.Hint
	defer f.bus.Subscribe(func(h bus.Hint) {
		// Whoever is hinted at finds the change in the store.
		got, err := f.store.Conversation(ctx, alice.id, c.ID)
		if err != nil || len(h.Users) == 1 && !got.Favorite {
			t.Errorf("%+v %v", got, err)
		}
		hints = append(hints, h)
	})()
	if _, err := alice.Favorite(ctx, c.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := alice.Favorite(ctx, c.ID); err != nil { // changes nothing
		t.Fatal(err)
	}
	if _, err := bob.Add(ctx, c.ID, c.Instance, f.message("AAAA")); err != nil {
		t.Fatal(err)
	}
	both := []ozeki.UserID{alice.id, bob.id}
	slices.Sort(both)
	f.equal(hints, []bus.Hint{{Users: []ozeki.UserID{alice.id}}, {Users: both}})
}

func TestAnswersHoldNoNull(t *testing.T) {
	f := newFixture(t)
	alice := f.user("Alice", 0)
	a := f.send(alice.raw(ozeki.CallNotification, f.body(ozeki.CallNotification))).want(t, "")
	if strings.Contains(a.body, "null") || strings.Count(a.body, "[]") != 3 {
		t.Error(a.body)
	}
}
