package vaulttest

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"starling/app/engine"
	"starling/ozeki"
)

const (
	anna  = ozeki.UserID("aa68d2204cb2bb85f2de3b9aad0d86d7")
	berta = ozeki.UserID("ba68d2204cb2bb85f2de3b9aad0d86d7")
	here  = ozeki.ConversationID("8ca16186c36a4e0a1ef2096e6c60b613")
	there = ozeki.ConversationID("9ca16186c36a4e0a1ef2096e6c60b613")
)

// sessionOf is what is kept of a user's session that needs no key.
func sessionOf(user ozeki.UserID) *engine.Kept {
	return &engine.Kept{Session: ozeki.Session{UserID: user, Station: station}, Ended: true}
}

// keeping is a vault that keeps a session of Anna's and nothing else.
func keeping(t testing.TB) engine.Vault {
	t.Helper()
	v := engine.NewVault()
	if err := v.Wipe(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := v.Save(context.Background(), sessionOf(anna)); err != nil {
		t.Fatal(err)
	}
	return v
}

func message(id ozeki.ConversationID, name string, place int64) engine.Waiting {
	return engine.Waiting{Conversation: id, ID: ozeki.MessageID(name), Place: place, Data: "sealed " + name}
}

func queue(t testing.TB, v engine.Vault, w engine.Waiting, last bool) (place int64) {
	t.Helper()
	place, ok, err := v.Queue(context.Background(), anna, w, last)
	if err != nil || !ok {
		t.Fatalf("queue %s: %t, %v", w.ID, ok, err)
	}
	return place
}

// queued is the queue in a text: the messages with what they hold, those that were refused with why.
func queued(t *testing.T, v engine.Vault) string {
	t.Helper()
	all, err := v.Queued(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, w := range all {
		text := string(w.ID)
		if w.Data != "sealed "+text {
			text += "?" + w.Data
		}
		if w.Refused != "" {
			text += "!" + w.Refused
		}
		out = append(out, text)
	}
	k, err := v.Load(context.Background())
	if err != nil || k != nil && len(k.Waiting) != len(all) {
		t.Errorf("%d are queued, the session knows of %+v: %v", len(all), k, err)
	}
	return strings.Join(out, " ")
}

func next(t *testing.T, v engine.Vault, id ozeki.ConversationID, after int64) string {
	t.Helper()
	w, err := v.NextQueued(context.Background(), id, after)
	if err != nil {
		t.Fatal(err)
	}
	if w == nil {
		return "none"
	}
	return fmt.Sprint(w.ID, " at ", w.Place)
}

func TestTheQueueIsInTheOrderWritten(t *testing.T) {
	ctx := context.Background()
	v := keeping(t)
	queue(t, v, message(here, "one", 10), true)
	if at := queue(t, v, message(here, "two", 5), true); at != 11 { // of a tab whose clock was behind
		t.Errorf("behind the last is %d", at)
	}
	queue(t, v, message(here, "four", 1_764_072_000_000_001), true)
	queue(t, v, message(here, "three", 1_764_072_000_000_000), false) // written before, and kept later
	if at := queue(t, v, message(there, "other", 3), true); at != 3 {
		t.Errorf("in another conversation it is at %d", at)
	}
	if got := queued(t, v); got != "one two three four other" {
		t.Errorf("the queue: %s", got)
	}
	if a, b, c := next(t, v, here, 0), next(t, v, here, 10), next(t, v, here, 1_764_072_000_000_001); a != "one at 10" || b != "two at 11" || c != "none" {
		t.Errorf("next are %s, %s, %s", a, b, c)
	}
	k, err := v.Load(ctx)
	if err != nil || len(k.Waiting) != 5 || k.Waiting[4].ID != "other" || k.Waiting[4].Conversation != there || k.Waiting[4].Place != 3 || k.Waiting[0].Data != "" {
		t.Errorf("with the session: %+v, %v", k, err)
	}
	for range 2 {
		if err := v.Unqueue(ctx, message(here, "one", 10), message(here, "three", 1_764_072_000_000_000)); err != nil {
			t.Fatal(err)
		}
	}
	if got := queued(t, v); got != "two four other" {
		t.Errorf("without two: %s", got)
	}
	for range 2 {
		if err := v.UnqueueAll(ctx, here); err != nil {
			t.Fatal(err)
		}
	}
	if got := queued(t, v) + ", " + next(t, v, here, 0); got != "other, none" {
		t.Errorf("without a conversation: %s", got)
	}
}

func TestWhatWasRefusedIsNotNext(t *testing.T) {
	ctx := context.Background()
	v := keeping(t)
	queue(t, v, message(here, "one", 1), true)
	queue(t, v, message(here, "two", 2), true)
	refused, gone, changed := message(here, "one", 1), message(here, "gone", 3), message(here, "two", 2)
	refused.Refused, changed.Data = "no", "sealed anew"
	for _, w := range []engine.Waiting{refused, gone, changed} {
		if err := v.Requeue(ctx, w); err != nil {
			t.Fatal(err)
		}
	}
	if got := queued(t, v) + ", " + next(t, v, here, 0); got != "one!no two?sealed anew, two at 2" {
		t.Errorf("the queue: %s", got)
	}
	queue(t, v, message(here, "one", 9), true) // tried again
	if got := queued(t, v) + ", " + next(t, v, here, 2); got != "two?sealed anew one, one at 9" {
		t.Errorf("the queue: %s", got)
	}
	refused.Place = 9
	if err := v.Requeue(ctx, refused); err != nil {
		t.Fatal(err)
	}
	if err := v.Unqueue(ctx, engine.Waiting{Conversation: here, ID: "one"}); err != nil { // wherever it was
		t.Fatal(err)
	}
	if got := queued(t, v); got != "two?sealed anew" {
		t.Errorf("the queue: %s", got)
	}
}

// A session of the same user takes the queue over, another user's does not, and without a session there is none.
func TestTheQueueIsTheUsers(t *testing.T) {
	ctx := context.Background()
	v := keeping(t)
	queue(t, v, message(here, "one", 1), true)
	save := func(user ozeki.UserID) {
		t.Helper()
		if err := v.Save(ctx, sessionOf(user)); err != nil {
			t.Fatal(err)
		}
	}
	save(anna)
	if err := v.Update(ctx, func(k *engine.Kept) { k.Waiting, k.Cursor = nil, 7 }); err != nil {
		t.Fatal(err)
	}
	if got := queued(t, v); got != "one" {
		t.Errorf("after signing in anew: %s", got)
	}
	save(berta)
	if got := queued(t, v); got != "" {
		t.Errorf("another user has %s", got)
	}
	if _, ok, err := v.Queue(ctx, anna, message(here, "late", 1), true); ok || err != nil {
		t.Errorf("queued in another user's name: %t, %v", ok, err)
	}
	if _, ok, err := v.Queue(ctx, berta, message(here, "two", 1), true); !ok || err != nil {
		t.Errorf("the other user queues: %t, %v", ok, err)
	}
	if got := queued(t, v); got != "two" {
		t.Errorf("the other user has %s", got)
	}
	if err := v.Wipe(ctx); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := v.Queue(ctx, berta, message(here, "three", 1), true); ok || err != nil {
		t.Errorf("queued without a session: %t, %v", ok, err)
	}
	if got := queued(t, v); got != "" {
		t.Errorf("after a wipe: %s", got)
	}
}

func TestManyTabsQueueAtOnce(t *testing.T) {
	v := keeping(t)
	done := make(chan error)
	const tabs = 8
	for n := range tabs {
		go func() {
			_, _, err := v.Queue(context.Background(), anna, message(here, fmt.Sprint(n), 5), true)
			done <- err
		}()
	}
	for range tabs {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	after := int64(0)
	for n := range tabs {
		w, err := v.NextQueued(context.Background(), here, after)
		if err != nil || w == nil || w.Place <= after {
			t.Fatalf("the %dth: %+v, %v", n, w, err)
		}
		after = w.Place
	}
}

// What queueing a message costs while so many wait.
func BenchmarkQueue(b *testing.B) {
	for _, waiting := range []int{0, 300, 3000} {
		b.Run(fmt.Sprint(waiting), func(b *testing.B) {
			v := keeping(b)
			for n := range waiting {
				queue(b, v, message(here, fmt.Sprint("message ", n), int64(n)), true)
			}
			for b.Loop() {
				w := message(here, "another", int64(waiting))
				w.Place = queue(b, v, w, true)
				if err := v.Unqueue(context.Background(), w); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
