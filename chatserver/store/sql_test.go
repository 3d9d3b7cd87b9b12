package store

import (
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"starling/ozeki"
)

func openInternal(t *testing.T) *sqlStore {
	t.Helper()
	s, err := OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "chat.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s.(*sqlStore)
}

// writing is the connection that changes go over, for what the store has no call for. Nobody changes anything meanwhile.
func writing(t *testing.T, s *sqlStore) *sql.Conn {
	t.Helper()
	if err := s.write.begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.write.rollback()
	return s.write.conn
}

func TestPlaceholdersAreWrittenAsTheEngineWantsThem(t *testing.T) {
	for _, c := range []struct{ query, dollars string }{
		{"SELECT 1", "SELECT 1"},
		{"a = ? AND b = ?", "a = $1 AND b = $2"},
		{"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"},
	} {
		if got := (&dialect{dollars: true}).rebind(c.query); got != c.dollars {
			t.Errorf("%q", got)
		}
		if got := (&dialect{}).rebind(c.query); got != c.query {
			t.Errorf("%q", got)
		}
	}
}

func TestPragmasHoldOnEveryConnection(t *testing.T) {
	s := openInternal(t)
	steps, err := migrationsOf("sqlite")
	if err != nil {
		t.Fatal(err)
	}
	version := strconv.Itoa(len(steps))
	for pragma, want := range map[string]struct{ write, read string }{
		"journal_mode":       {"wal", "wal"},
		"synchronous":        {"2", "2"},
		"foreign_keys":       {"1", "1"},
		"busy_timeout":       {"5000", "5000"},
		"query_only":         {"0", "1"},
		"secure_delete":      {"1", "0"},
		"wal_autocheckpoint": {"4000", "1000"},
		"user_version":       {version, version},
	} {
		var write, read string
		if err := errors.Join(writing(t, s).QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&write), s.pool.QueryRow("PRAGMA "+pragma).Scan(&read)); err != nil {
			t.Fatal(err)
		}
		if write != want.write || read != want.read {
			t.Errorf("%s is %s and %s, want %+v", pragma, write, read, want)
		}
	}
	if _, err := s.pool.Exec("DELETE FROM account"); err == nil {
		t.Error("the read pool writes")
	}
}

// A full disk refuses the change with ErrUnavailable, loses nothing that was acknowledged, and is over when there is room.
func TestAFullDiskRefusesAndRecovers(t *testing.T) {
	s := openInternal(t)
	var pages int
	if err := writing(t, s).QueryRowContext(t.Context(), "PRAGMA page_count").Scan(&pages); err != nil {
		t.Fatal(err)
	}
	limit := func(n int) {
		if _, err := writing(t, s).ExecContext(t.Context(), fmt.Sprintf("PRAGMA max_page_count = %d", n)); err != nil {
			t.Fatal(err)
		}
	}
	create := func(name string) error {
		_, err := s.Update(t.Context(), func(tx Tx) error {
			return tx.CreateAccount(t.Context(), Account{UserID: ozeki.UserIDOf(name), Email: name, APIKeyHash: name, RSAKey: strings.Repeat("x", 10_000)})
		})
		return err
	}
	limit(pages + 6)
	stored := 0
	for ; stored < 100; stored++ {
		if err := create(fmt.Sprint(stored)); err != nil {
			if !errors.Is(err, ErrUnavailable) {
				t.Errorf("error %v", err)
			}
			break
		}
	}
	if stored == 0 || stored == 100 {
		t.Fatalf("%d accounts stored", stored)
	}
	for i := range stored {
		if _, err := s.AccountByEmail(t.Context(), fmt.Sprint(i)); err != nil {
			t.Errorf("account %d: %v", i, err)
		}
	}
	limit(pages + 100)
	if err := create("later"); err != nil {
		t.Errorf("there is room again: %v", err)
	}
}

// Entries of one number come in one portion, even if it is larger than asked for.
func TestAChangeIsNotTornApart(t *testing.T) {
	s, ctx := openInternal(t), t.Context()
	a, b := ozeki.UserIDOf("a"), ozeki.UserIDOf("b")
	var ids []ozeki.ConversationID
	_, err := s.Update(ctx, func(tx Tx) error {
		for _, name := range []string{"a", "b"} {
			if err := tx.CreateAccount(ctx, Account{UserID: ozeki.UserIDOf(name), Email: name, APIKeyHash: name}); err != nil {
				return err
			}
		}
		for range 6 {
			id := ozeki.NewConversationID()
			ids = append(ids, id)
			c := NewConversation{ID: id, CreatedAt: time.Unix(1, 0), Members: []ozeki.Member{{UserID: a}, {UserID: b}}}
			if err := tx.CreateConversation(ctx, c); err != nil {
				return err
			}
		}
		for i, id := range ids {
			seq := []int{1, 5, 5, 5, 5, 6}[i]
			if _, err := tx.(*sqlTx).exec(ctx, `UPDATE member SET list_seq = ? WHERE conversation_id = ?`, seq, string(id)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for limit := 1; limit < 8; limit++ {
		found := map[ozeki.ConversationID]int{}
		for after, more := int64(0), true; more; {
			c, err := s.Changes(ctx, a, after, limit)
			if err != nil {
				t.Fatal(err)
			}
			for _, id := range c.Lists {
				found[id]++
			}
			after, more = c.Seq, c.More
		}
		for _, id := range ids {
			if found[id] != 1 {
				t.Errorf("limit %d: told of a conversation %d times", limit, found[id])
			}
		}
	}
}

// A poll without news reads index leaves only and sorts nothing.
func TestChangesAreReadFromIndexes(t *testing.T) {
	s := openInternal(t)
	rows, err := s.pool.Query("EXPLAIN QUERY PLAN "+changesQuery, "u", 1, "u", 1, "u", 1, "u", 1, 10)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var plan []string
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		plan = append(plan, detail)
	}
	text := strings.Join(plan, "\n")
	if strings.Count(text, "USING COVERING INDEX") != 4 || strings.Contains(text, "SCAN") || strings.Contains(text, "TEMP B-TREE") {
		t.Errorf("plan:\n%s", text)
	}
}
