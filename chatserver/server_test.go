package chatserver

import (
	"context"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"starling/chatserver/bus"
	"starling/chatserver/store"
	"starling/ozeki"
)

func TestSmoke(t *testing.T) {
	ctx := t.Context()
	st, err := store.OpenSQLite(ctx, filepath.Join(t.TempDir(), "a.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	s := New(Config{Store: st, Bus: bus.NewLocal(), PublicPath: "/x"})
	defer s.Close()
	ts := httptest.NewServer(s)
	defer ts.Close()
	mk := func(email string) (*ozeki.Client, *ozeki.LoginAnswer) {
		c := ozeki.NewClient(ozeki.Options{Base: ts.URL + "/x"})
		cred, _ := c.Scheme().Credentials(context.Background(), email, "p")
		sta := ozeki.NewStationID()
		if err := c.CreateAccount(ctx, sta, email, "Name "+email, cred); err != nil {
			t.Fatal(err)
		}
		a, err := c.SignIn(ctx, sta, cred.APIKey, cred.EncryptionPassword)
		if err != nil {
			t.Fatal(err)
		}
		return c, a
	}
	a, aa := mk("a@example.com")
	_, bb := mk("b@example.com")
	f, err := a.AddFriend(ctx, "b@example.com")
	if err != nil || f.FriendID != bb.UserID {
		t.Fatal(f, err)
	}
	c, err := a.CreateConversation(ctx, ozeki.ConversationCreateRequest{ConversationID: ozeki.DirectConversationID(aa.UserID, bb.UserID), Members: []ozeki.Member{{aa.UserID, "AAAA", "AAAA"}, {bb.UserID, "BBBB", "AAAA"}}})
	if err != nil {
		t.Fatal(err)
	}
	c, err = a.Favorite(ctx, c.ID)
	if err != nil || !c.Properties[0].IsFavorite {
		t.Fatal(c, err)
	}
	n, err := a.Notification(ctx, 0)
	t.Logf("%+v %+v %v", c, n, err)
}
