//go:build !js

package engine

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"starling/app/state"
	"starling/chatserver/store"
	"starling/ozeki"
)

func TestWhoIsBlockedCannotWriteAndBothAreTold(t *testing.T) {
	s := newServer(t)
	alice, bob := s.account(0), s.account(1)
	id := s.direct(alice, bob)
	a, desk, b := s.signedIn(alice), s.signedIn(alice), s.signedIn(bob)
	for _, p := range []*person{a, desk} {
		p.until("the blocklist is there", func(v *state.Snapshot) bool { return v.Blocklist.Loaded })
	}
	if err := a.Block(context.Background(), bob.id); err != nil {
		t.Fatal(err)
	}
	v := a.Snapshot()
	if !row(v, id).Blocked || len(v.Blocklist.People) != 1 || v.Blocklist.People[0].Name != "Bob" || v.Announcement.Text != "Bob is blocked." {
		t.Errorf("Alice sees %+v, %+v, hears %q", row(v, id), v.Blocklist, v.Announcement.Text)
	}
	desk.Wake()
	desk.until("her other device knows it", func(v *state.Snapshot) bool { return row(v, id).Blocked })

	b.reading(id)
	if err := b.Send(id, "hello?"); err != nil {
		t.Fatal(err)
	}
	v = b.until("Bob's message has failed", func(v *state.Snapshot) bool {
		return len(v.Open.Messages) == 1 && v.Open.Messages[0].State == state.MessageFailed
	})
	if why := v.Open.Messages[0].Why; !strings.Contains(why, "does not accept messages from you") {
		t.Errorf("he is told %q", why)
	}
	a.Unblock(bob.id)
	a.until("he is not blocked any more", func(v *state.Snapshot) bool { return !row(v, id).Blocked })
	desk.Wake()
	desk.until("her other device knows it", func(v *state.Snapshot) bool { return !row(v, id).Blocked })
	b.Retry(id, v.Open.Messages[0].ID)
	b.until("it is sent", shows("hello?"))
}

func TestABlockThatDoesNotArriveSaysSo(t *testing.T) {
	s := newServer(t)
	alice, bob := s.account(0), s.account(1)
	id := s.direct(alice, bob)
	a := s.signedIn(alice)
	a.wire.set(cut)
	if err := a.Block(context.Background(), bob.id); err == nil || !strings.Contains(Words(err), "cannot be reached") {
		t.Errorf("%v", err)
	}
	if v := a.Snapshot(); row(v, id).Blocked || !v.Offline {
		t.Errorf("it is shown %+v", row(v, id))
	}
	a.Unblock(bob.id)
	v := a.until("it is said", func(v *state.Snapshot) bool { return len(v.Notices) > 0 })
	if text := v.Notices[0].Text; !strings.HasPrefix(text, "Bob could not be unblocked.") {
		t.Errorf("it is said %q", text)
	}
}

func TestWhatIsHiddenAndNotAmongTheConversationsCanBeShownAgain(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	ids := s.groups(a, 2)
	p := s.signedIn(a)
	const unknown = "8ca16186c36a4e0a1ef2096e6c60b613"
	list := `{"status":"OK","errormessage":"File does not exist","blockedusers":null,"blockedconversations":["` + string(ids[1]) + `","` + unknown + `",{"id":7}]}`
	p.wire.set(only(fault{answer: &ozeki.Response{Status: 200, ContentType: "application/json", Body: []byte(list)}}, "blocklist"))
	p.Hide(ids[0], true)
	p.LoadBlocklist()
	p.until("both are listed", func(v *state.Snapshot) bool {
		return len(v.AllHidden) == 1 && slices.Equal(v.Blocklist.Unknown, []ozeki.ConversationID{unknown})
	})
	p.ShowAgain(ids[0])
	p.ShowAgain(unknown)
	v := p.until("one is back, of the other it is said why not", func(v *state.Snapshot) bool { return rests(v, ids[0]) && len(v.Notices) > 0 })
	if row(v, ids[0]).Hidden || !strings.Contains(v.Notices[len(v.Notices)-1].Text, "could not be shown again") {
		t.Errorf("%+v, %+v", row(v, ids[0]), v.Notices)
	}
	p.wire.set(nil)
	s.update(func(ctx context.Context, tx store.Tx) error { // made elsewhere, hidden, and the program has not heard of it
		m := a.member(t, unknown, conversationKey(unknown), "Forgotten")
		if err := tx.CreateConversation(ctx, store.NewConversation{ID: unknown, IsGroup: true, Instance: "AAAAAAAAAA", CreatedAt: s.now(), Members: []ozeki.Member{m}}); err != nil {
			return err
		}
		return tx.SetProperty(ctx, a.id, unknown, store.HideID("AAAAAAAAAA;"))
	})
	p.ShowAgain(unknown)
	p.until("it is there", func(v *state.Snapshot) bool { return row(v, unknown).Name == "Forgotten" && !row(v, unknown).Hidden })
}

// bare is the line to a server that offers no extensions.
type bare struct {
	*wire
}

func (p bare) Post(ctx context.Context, url string, header map[string]string, body []byte) (*ozeki.Response, error) {
	res, err := p.wire.Post(ctx, url, header, body)
	if err == nil && callName(url, body) == "login" {
		var login map[string]any
		if err := json.Unmarshal(res.Body, &login); err != nil {
			return nil, err
		}
		delete(login, "extensions")
		res.Body, err = json.Marshal(login)
	}
	return res, err
}

func TestAnOzekiServerIsAskedForTheBlocklistOnlyOnRequest(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	line := bare{&wire{inner: ozeki.NewTransport(), count: map[string]int{}, now: map[string]int{}, most: map[string]int{}}}
	p := s.signedIn(a, func(o *Options) {
		o.Client = ozeki.NewClient(ozeki.Options{Base: s.http.URL + apiPath, Scheme: scheme, Transport: line})
	})
	p.Wake()
	eventually(t, "it has polled", func() bool { return line.sent("poll") > 0 })
	if line.sent("blocklist") != 0 {
		t.Error("it was asked for")
	}
	p.LoadBlocklist()
	p.until("it is there", func(v *state.Snapshot) bool { return v.Blocklist.Loaded })
}

func TestAFavoriteGoesToItsPlaceAndStaysThere(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	ids := s.groups(a, 4)
	p := s.signedIn(a)
	for _, id := range ids {
		p.Star(id, true)
		p.until("it is a favorite", settled(id, true))
	}
	p.PlaceFavorite(ids[3], 1)
	want := []ozeki.ConversationID{ids[0], ids[3], ids[1], ids[2]}
	order := func(v *state.Snapshot) (order []ozeki.ConversationID) {
		for _, r := range v.Favorites {
			order = append(order, r.ID)
		}
		return order
	}
	if v := p.Snapshot(); !slices.Equal(order(v), want) || v.Announcement.Text != "Group 3 is now favorite 2 of 4." {
		t.Errorf("the order is %v, announced %q", order(v), v.Announcement.Text)
	}
	eventually(t, "the order is kept", func() bool { k, _ := p.vault.Load(context.Background()); return len(k.Order) == 4 })
	p.Close()
	q := s.device(a, p.vault)
	q.until("it is there at the next start", func(v *state.Snapshot) bool { return slices.Equal(order(v), want) })
}

func TestWhoIsBlockedIsKnownWithoutAConnection(t *testing.T) {
	s := newServer(t)
	alice, bob := s.account(0), s.account(1)
	id := s.direct(alice, bob)
	a := s.signedIn(alice)
	if err := a.Block(t.Context(), bob.id); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the list is kept", func() bool {
		a.timers.run(ShelvePause, ShelvePause)
		data, err := a.vault.Shelved(t.Context(), string(a.client.Session().Station), shelfHead, shelfBlocked)
		return err == nil && data[0] != nil && strings.Contains(string(data[1]), string(bob.id))
	})
	a.Close()
	again := s.device(alice, a.vault, func(o *Options) {
		o.Client = ozeki.NewClient(ozeki.Options{Base: s.http.URL + apiPath, Scheme: scheme, Transport: &wire{fault: cut, count: map[string]int{}, now: map[string]int{}, most: map[string]int{}}})
	})
	again.until("he is marked offline", func(v *state.Snapshot) bool { return v.Offline && row(v, id).Blocked && !v.Blocklist.Loaded })
}
