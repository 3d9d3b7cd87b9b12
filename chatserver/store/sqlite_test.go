package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"starling/chatserver/store"
	"starling/chatserver/store/storetest"
	"starling/ozeki"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSQLiteKeepsTheContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return openAt(t, filepath.Join(t.TempDir(), "chat.db")) })
}

func openAt(t testing.TB, path string) store.Store {
	t.Helper()
	s, err := store.OpenSQLite(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestWhatIsStoredOutlivesTheProgram(t *testing.T) {
	path := filepath.Join(t.TempDir(), "with space & ? # %41.db")
	s := openAt(t, path)
	account := store.Account{UserID: ozeki.UserIDOf("a"), Email: "a", APIKeyHash: "h", CreatedAt: time.Unix(1, 0).UTC()}
	if _, err := s.Update(t.Context(), func(tx store.Tx) error { return tx.CreateAccount(t.Context(), account) }); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the file is elsewhere: %v", err)
	}
	if got, err := openAt(t, path).Account(t.Context(), account.UserID); err != nil || got != account {
		t.Errorf("%+v %v", got, err)
	}
}

func TestTheFileIsForItsOwnerOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "chat.db")
	openAt(t, path)
	for _, name := range []string{path, path + "-wal"} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", filepath.Base(name), info.Mode())
		}
	}
}

func TestAFileThatCannotBeUsedIsExplained(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	database := func(name string, statements ...string) string {
		path := filepath.Join(dir, name)
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		for _, statement := range statements {
			if _, err := db.Exec(statement); err != nil {
				t.Fatal(err)
			}
		}
		return path
	}
	newer := filepath.Join(dir, "newer.db")
	_ = openAt(t, newer).Close()
	database("newer.db", "PRAGMA user_version = 999")
	for _, c := range []struct{ path, says string }{
		{filepath.Join(dir, "nowhere", "chat.db"), "the folder does not exist: make it"},
		{dir, "this is a folder"},
		{write("text.db", strings.Repeat("this is not a database. ", 100)), "not a SQLite database"},
		{database("other.db", "CREATE TABLE t (x)"), "another program's database"},
		{database("marked.db", "PRAGMA application_id = 77"), "another program's database"},
		{newer, "newer program"},
	} {
		before, _ := os.ReadFile(c.path)
		s, err := store.OpenSQLite(t.Context(), c.path)
		if err == nil {
			_ = s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), filepath.Base(c.path)) {
			t.Errorf("%s: %v, want words like %q", filepath.Base(c.path), err, c.says)
		}
		if after, _ := os.ReadFile(c.path); string(after) != string(before) {
			t.Errorf("%s was changed", filepath.Base(c.path))
		}
	}
}

func TestAnEmptyFileBecomesADatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "chat.db")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	openAt(t, path)
}

func TestTwoProgramsMayShareTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "chat.db")
	stores := []store.Store{openAt(t, path), openAt(t, path)}
	for i := range 40 {
		name := fmt.Sprint(i)
		_, err := stores[i%2].Update(t.Context(), func(tx store.Tx) error {
			return tx.CreateAccount(t.Context(), store.Account{UserID: ozeki.UserIDOf(name), Email: name, APIKeyHash: name})
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stores[1-i%2].AccountByEmail(t.Context(), name); err != nil {
			t.Errorf("not seen by the other one: %v", err)
		}
	}
}

func TestAListGoesOnAfterAStartAndNotInAnotherHistory(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	path, backup := filepath.Join(dir, "chat.db"), filepath.Join(dir, "backup.db")
	user := ozeki.UserIDOf("a")
	// run starts with a database, makes conversations and returns the version of the list then.
	run := func(path string, conversations int) string {
		t.Helper()
		s, err := store.OpenSQLite(ctx, path)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		version := func() string {
			l, err := s.List(ctx, user, "")
			if err != nil {
				t.Fatal(err)
			}
			return l.Version
		}
		_, err = s.Update(ctx, func(tx store.Tx) error {
			if err := tx.CreateAccount(ctx, store.Account{UserID: user, Email: "a"}); err != nil && !errors.Is(err, store.ErrExists) {
				return err
			}
			for range conversations {
				err := tx.CreateConversation(ctx, store.NewConversation{ID: ozeki.NewConversationID(), Members: []ozeki.Member{{UserID: user}}})
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return version()
	}
	first := run(path, 1)
	copied, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(backup, copied, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	lost := run(path, 5)
	last := run(backup, 9)

	s := openAt(t, backup)
	for _, c := range []struct {
		version string
		partial bool
		listed  int
	}{{first, true, 9}, {last, true, 0}, {lost, false, 10}} {
		l, err := s.List(ctx, user, c.version)
		if err != nil || l.Partial != c.partial || len(l.Conversations) != c.listed {
			t.Errorf("since %s: partial %t, %d conversations, %v; want %t, %d", c.version, l.Partial, len(l.Conversations), err, c.partial, c.listed)
		}
	}
}

func BenchmarkList(b *testing.B) {
	for _, n := range []int{100, 1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s, user := filled(b, n)
			b.ResetTimer()
			for b.Loop() {
				list, err := s.List(b.Context(), user, "")
				if err != nil || len(list.Conversations) != n {
					b.Fatal(len(list.Conversations), err)
				}
			}
		})
	}
}

func BenchmarkSetProperty(b *testing.B) {
	s, user := filled(b, 10_000)
	all, err := s.List(b.Context(), user, "")
	list := all.Conversations
	if err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for i := 0; b.Loop(); i++ {
		_, err := s.Update(b.Context(), func(tx store.Tx) error {
			return tx.SetProperty(b.Context(), user, list[i%len(list)].ID, store.Favorite(i/len(list)%2 == 0))
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkChangesOfNothing(b *testing.B) {
	s, user := filled(b, 10_000)
	seq, err := s.Seq(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for b.Loop() {
		if c, err := s.Changes(b.Context(), user, seq, 1000); err != nil || c.Seq != seq {
			b.Fatal(c, err)
		}
	}
}

// filled is a store in which a user has n conversations with 100 others.
func filled(b *testing.B, n int) (store.Store, ozeki.UserID) {
	s := openAt(b, filepath.Join(b.TempDir(), "chat.db"))
	ctx := b.Context()
	users := make([]ozeki.UserID, 101)
	_, err := s.Update(ctx, func(tx store.Tx) error {
		for i := range users {
			name := fmt.Sprint(i)
			users[i] = ozeki.UserIDOf(name)
			if err := tx.CreateAccount(ctx, store.Account{UserID: users[i], Email: name, FullName: "User " + name, APIKeyHash: name}); err != nil {
				return err
			}
		}
		secret, name := strings.Repeat("c2Vj", 86), strings.Repeat("bmFt", 16)
		for i := range n {
			err := tx.CreateConversation(ctx, store.NewConversation{
				ID: ozeki.NewConversationID(), Instance: ozeki.NewInstance(), CreatedAt: time.Unix(int64(i+1), 0),
				Members: []ozeki.Member{{UserID: users[0], Secret: secret, DisplayName: name}, {UserID: users[1+i%100], Secret: secret, DisplayName: name}},
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(errors.Join(err))
	}
	return s, users[0]
}

func TestAStationIsRememberedOnlyAsItIs(t *testing.T) {
	s, ctx := openAt(t, filepath.Join(t.TempDir(), "chat.db")), t.Context()
	user, station := ozeki.UserIDOf("a"), ozeki.NewStationID()
	change := func(f func(tx store.Tx) error) {
		t.Helper()
		if _, err := s.Update(ctx, f); err != nil {
			t.Fatal(err)
		}
	}
	change(func(tx store.Tx) error {
		return tx.CreateAccount(ctx, store.Account{UserID: user, Email: "a", APIKeyHash: "a"})
	})
	for round := range 3 {
		change(func(tx store.Tx) error { return tx.BindStation(ctx, station, user, time.Unix(int64(round+1), 0)) })
		for range 2 { // the second time from memory
			if got, err := s.Station(ctx, station); err != nil || got.UserID != user || got.BoundAt.Unix() != int64(round+1) {
				t.Fatalf("%+v %v", got, err)
			}
		}
		change(func(tx store.Tx) error { return tx.SetPolled(ctx, station, 7) })
		if got, err := s.Station(ctx, station); err != nil || got.Polled != 7 {
			t.Errorf("%+v %v", got, err)
		}
		if round < 2 {
			change(func(tx store.Tx) error { return tx.UnbindStation(ctx, station, user) })
			if _, err := s.Station(ctx, station); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("after the sign-out: %v", err)
			}
		}
	}
}
