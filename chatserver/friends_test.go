package chatserver

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"starling/ozeki"
)

func TestFriendsAreMutual(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	a := f.send(alice.raw(ozeki.CallFriends, f.body(ozeki.CallFriends))).want(t, "")
	if !strings.Contains(a.body, `"friends":{}`) || !strings.Contains(a.body, `"availabilities":[]`) {
		t.Errorf("nobody: %s", a.body)
	}
	for range 2 { // a repeat changes nothing
		friend, err := alice.AddFriend(ctx, " BOB@example.com")
		if err != nil {
			t.Fatal(err)
		}
		want := ozeki.FriendAvailability{FriendID: bob.id, FriendName: "Bob", PublicKey: base64.StdEncoding.EncodeToString(bob.key.spki), Availability: ozeki.Offline}
		if friend.FriendID != want.FriendID || friend.FriendName != want.FriendName || friend.PublicKey != want.PublicKey || friend.Availability != want.Availability {
			t.Errorf("%+v", friend)
		}
	}
	for _, pair := range [][2]*user{{alice, bob}, {bob, alice}} {
		list, err := pair[0].Friends(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if len(list.Friends) != 1 || list.Friends[pair[1].id] == "" || len(list.Availabilities) != 1 || list.Availabilities[0].FriendID != pair[1].id {
			t.Errorf("%+v", list)
		}
	}
}

func TestWhoCannotBecomeAFriend(t *testing.T) {
	f := newFixture(t)
	alice := f.user("Alice", 0)
	for email, want := range map[string]string{
		"nobody@example.com": ozeki.CodeNotFound, alice.email: ozeki.CodeInvalid, "nonsense": ozeki.CodeInvalid, "": ozeki.CodeInvalid,
	} {
		f.send(alice.raw(ozeki.CallFriendAdd, f.body(ozeki.CallFriendAdd, field("email", email)))).want(t, want)
	}
}

func TestAvailabilityLastsNinetySeconds(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	f.direct(alice, bob)
	availability := func() string {
		t.Helper()
		list, err := alice.Friends(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return list.Availabilities[0].Availability
	}
	if got := availability(); got != ozeki.Offline {
		t.Errorf("at first %s", got)
	}
	if err := bob.Availability(ctx); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		after time.Duration
		want  string
	}{{0, ozeki.Available}, {90 * time.Second, ozeki.Available}, {time.Second, ozeki.Offline}} {
		f.clock.move(step.after)
		if got := availability(); got != step.want {
			t.Errorf("%v later %s, want %s", step.after, got, step.want)
		}
	}
}

func TestAnUnknownFriendIsWordedForPeople(t *testing.T) {
	f := newFixture(t)
	alice := f.user("Alice", 0)
	_, err := alice.AddFriend(t.Context(), "nobody@example.com")
	var refused *ozeki.RefusedError
	if !errors.As(err, &refused) || !errors.Is(err, ozeki.ErrNotFound) || !strings.Contains(refused.Message, "ask the person") {
		t.Errorf("%v", err)
	}
}
