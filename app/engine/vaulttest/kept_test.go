package vaulttest

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"testing"
	"time"

	"starling/app/engine"
	"starling/app/state"
	"starling/ozeki"
)

// wholeOf is what may be kept of a user.
func wholeOf(user ozeki.UserID) *engine.Kept {
	k := sessionOf(user)
	at := time.Date(2026, 3, 8, 14, 12, 51, 0, time.UTC)
	k.Session.PublicKey, k.Session.Extensions = "MIIB", []string{"cursor"}
	k.Session.URLs, k.Session.Limits = map[string]string{"file": "/file"}, map[string]int64{"file": 1 << 20}
	k.Name, k.Cursor, k.Offset = "Anna Ash", 4711, 3*time.Hour
	k.Order = []ozeki.ConversationID{there, here}
	k.Wishes = state.Wishes{here: {state.FlagFavorite: state.On}}
	k.Read = map[ozeki.ConversationID]engine.Read{there: {Instance: "7sSwU2VoFM", Message: "fc2515cb-e483-4f64-936b-98f680565c96", At: at}}
	k.ReadSince = at
	k.Drafts = map[ozeki.ConversationID]string{here: "sealed"}
	k.DraftFiles = map[ozeki.ConversationID][]ozeki.FileID{here: {"f"}}
	return k
}

func loaded(t *testing.T, v engine.Vault) *engine.Kept {
	t.Helper()
	k, err := v.Load(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestWhatIsKeptOfTheUserComesBack(t *testing.T) {
	v := wiped(t)
	want := wholeOf(anna)
	if err := v.Save(context.Background(), want); err != nil {
		t.Fatal(err)
	}
	if got := loaded(t, v); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v has become %+v", want, got)
	}
	want.Order, want.Drafts, want.Cursor = []ozeki.ConversationID{here}, map[ozeki.ConversationID]string{}, 4712
	if err := v.Update(context.Background(), func(k *engine.Kept) { k.Order, k.Drafts, k.Cursor = want.Order, want.Drafts, want.Cursor }); err != nil {
		t.Fatal(err)
	}
	got := loaded(t, v)
	if len(got.Drafts) == 0 {
		got.Drafts = want.Drafts
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("after a change %+v has become %+v", want, got)
	}
	// Another user's takes its place, and then nobody's.
	if err := v.Save(context.Background(), sessionOf(berta)); err != nil {
		t.Fatal(err)
	}
	if got := loaded(t, v); got.Session.UserID != berta || got.Name != "" || got.Order != nil || len(got.Wishes)+len(got.Read)+len(got.Drafts) > 0 {
		t.Errorf("of another user is kept %+v", got)
	}
	if err := v.Wipe(context.Background()); err != nil {
		t.Fatal(err)
	}
	called := false
	if err := v.Update(context.Background(), func(*engine.Kept) { called = true }); err != nil || called || loaded(t, v) != nil {
		t.Errorf("where nothing is kept something is changed: %t, %v", called, err)
	}
}

// Tabs change what is kept at once: no change is lost.
func TestTheChangesOfManyTabsAreAllKept(t *testing.T) {
	v := keeping(t)
	const tabs = 12
	done := make(chan error)
	for i := range tabs {
		go func() {
			done <- v.Update(context.Background(), func(k *engine.Kept) {
				k.Drafts = maps.Clone(k.Drafts)
				if k.Drafts == nil {
					k.Drafts = map[ozeki.ConversationID]string{}
				}
				k.Drafts[ozeki.ConversationID(fmt.Sprint("conversation ", i))] = "sealed"
				k.Cursor++
			})
		}()
	}
	for range tabs {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if k := loaded(t, v); len(k.Drafts) != tabs || k.Cursor != tabs {
		t.Errorf("of %d changes are kept %+v", tabs, k)
	}
}
