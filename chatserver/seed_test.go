package chatserver

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"starling/chatserver/store"
	"starling/ozeki"
)

func openStore(t testing.TB) store.Store {
	t.Helper()
	st, err := store.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "chat.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return st
}

func TestDemoLetsAliceAndBobSignInAndRead(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	info, err := SeedDemo(ctx, f.store, scheme, f.clock.now())
	if err != nil || !info.Created {
		t.Fatal(info, err)
	}
	again, err := SeedDemo(ctx, f.store, scheme, f.clock.now())
	if err != nil || again.Created {
		t.Errorf("second run: %+v %v", again, err)
	}
	for i, want := range []struct{ conversations, favorites, muted, coloured int }{{37, 6, 1, 2}, {8, 2, 0, 0}} {
		c := ozeki.NewClient(ozeki.Options{Base: f.http.URL + testPath, Scheme: scheme, Clock: f.clock.now})
		cred, err := scheme.Credentials(ctx, info.Emails[i], info.Password)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.SignIn(ctx, ozeki.NewStationID(), cred.APIKey, cred.EncryptionPassword); err != nil {
			t.Fatal(err)
		}
		list, err := c.Conversations(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) != want.conversations {
			t.Errorf("%s has %d conversations, want %d", info.Emails[i], len(list), want.conversations)
		}
		var favorites, muted, coloured int
		for _, conversation := range list {
			p, _ := conversation.PropertyOf(c.Session().UserID)
			favorites, muted, coloured = favorites+flag(p.IsFavorite), muted+flag(p.IsMuted), coloured+flag(p.Color != store.DefaultColor)
			name, texts := readAll(t, c, conversation)
			if !conversation.IsGroup {
				for _, other := range conversation.Participants {
					if other.UserID != c.Session().UserID && other.UserName != name {
						t.Errorf("conversation with %s is named %s", other.UserName, name)
					}
				}
			}
			if len(texts) < 3 || len(texts) > 30 {
				t.Errorf("%s has %d messages", name, len(texts))
			}
		}
		if favorites != want.favorites || muted != want.muted || coloured != want.coloured {
			t.Errorf("%s has %d favorites, %d muted, %d coloured, want %+v", info.Emails[i], favorites, muted, coloured, want)
		}
	}
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// readAll opens a conversation's name and messages as a client does and checks who wrote and when.
func readAll(t *testing.T, c *ozeki.Client, conversation ozeki.Conversation) (name string, texts []string) {
	t.Helper()
	ctx := t.Context()
	key, err := scheme.UnwrapKey(ctx, c.Session().Key, conversation.Secret)
	if err != nil {
		t.Fatal(err)
	}
	a, err := c.DownloadPartial(ctx, ozeki.DownloadPartialRequest{ConversationID: conversation.ID, Instance: conversation.Instance, Limit: 200})
	if err != nil {
		t.Fatal(err)
	}
	sealed := []ozeki.Sealed{{Key: key, AD: ozeki.NameAD(conversation.ID), Data: conversation.DisplayName}}
	for _, m := range a.Messages {
		sealed = append(sealed, ozeki.Sealed{Key: key, AD: ozeki.MessageAD(conversation.ID, m.ID), Data: m.Data})
	}
	last := time.Time{}
	for i, o := range scheme.Open(ctx, sealed) {
		if o.Err != nil {
			t.Fatal(o.Err)
		}
		if i == 0 {
			name = string(o.Plaintext)
			continue
		}
		m := a.Messages[i-1]
		var content ozeki.Content
		if err := json.Unmarshal(o.Plaintext, &content); err != nil || content.Version != 1 || content.Text == "" || content.From != m.From {
			t.Errorf("content %s of a message from %s: %v", o.Plaintext, m.From, err)
		}
		if m.Created.Before(last) || m.Created.After(c.Now()) {
			t.Errorf("message of %s after one of %s", m.Created, last)
		}
		last = m.Created.Time
		texts = append(texts, content.Text)
	}
	if conversation.LastAccess != last.Unix() {
		t.Errorf("%s was last used at %d, its last message is of %d", name, conversation.LastAccess, last.Unix())
	}
	return name, texts
}

func TestMeasuringDataHasTheSizeAskedFor(t *testing.T) {
	st, ctx := openStore(t), t.Context()
	var progress []string
	o := SeedOptions{Users: 5, Conversations: 41, Messages: 3, SignIn: 1, Now: time.Now(), Progress: func(s string) { progress = append(progress, s) }}
	for range 2 { // the second run does nothing
		if err := Seed(ctx, st, scheme, o); err != nil {
			t.Fatal(err)
		}
	}
	list, err := st.List(ctx, ozeki.UserIDOf("user1@example.com"), "")
	if err != nil {
		t.Fatal(err)
	}
	favorites, groups := 0, 0
	for _, c := range list.Conversations {
		favorites, groups = favorites+flag(c.Favorite), groups+flag(c.IsGroup)
		m, err := st.Messages(ctx, store.MessageQuery{Conversation: c.ID, Instance: c.Instance, Now: o.Now, Limit: 100})
		if err != nil || len(m) != 3 {
			t.Errorf("%d messages, %v", len(m), err)
		}
	}
	if len(list.Conversations) != 41 || favorites != 3 || groups != 37 {
		t.Errorf("%d conversations, %d favorites, %d groups", len(list.Conversations), favorites, groups)
	}
	if len(progress) < 3 || !strings.Contains(progress[len(progress)-1], "nothing made") {
		t.Errorf("progress %q", progress)
	}
	cred, err := scheme.Credentials(ctx, "user1@example.com", DemoPassword)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.AccountByAPIKey(ctx, hashAPIKey(cred.APIKey)); err != nil {
		t.Errorf("user1 cannot sign in: %v", err)
	}
	if err := Seed(ctx, openStore(t), scheme, SeedOptions{Users: 1, Conversations: 1}); err == nil || errors.Is(err, store.ErrNotFound) {
		t.Errorf("one user with a conversation: %v", err)
	}
}
