package data_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"starling/chatserver/data"
	"starling/chatserver/store"
)

// backedUp is a data directory with a database, and a backup of it.
func backedUp(t *testing.T) (dir, file string) {
	t.Helper()
	dir, file = t.TempDir(), filepath.Join(t.TempDir(), "backup.tar")
	st, err := store.OpenSQLite(t.Context(), data.Database(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if _, err := data.Backup(t.Context(), dir, file); err != nil {
		t.Fatal(err)
	}
	return dir, file
}

func says(t *testing.T, err error, words string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), words) {
		t.Errorf("it says %v instead of %q", err, words)
	}
}

func TestABackupReplacesNothingAndNeedsADatabase(t *testing.T) {
	dir, file := backedUp(t)
	_, err := data.Backup(t.Context(), dir, file)
	says(t, err, "is there already")
	_, err = data.Backup(t.Context(), t.TempDir(), file+"2")
	says(t, err, "there is no database")
	if _, err := os.Stat(file + "2"); err == nil {
		t.Error("it leaves a file")
	}
}

func TestADamagedBackupRestoresNothing(t *testing.T) {
	_, file := backedUp(t)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	flipped := append([]byte{}, whole...)
	flipped[len(flipped)/2] ^= 1
	for name, b := range map[string][]byte{"cut": whole[:len(whole)/2], "flipped": flipped, "empty": nil, "other": []byte("not a backup")} {
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		into := t.TempDir()
		if _, err := data.Restore(t.Context(), file, into, false); err == nil {
			t.Errorf("%s: it is restored", name)
		} else {
			says(t, err, "damaged")
		}
		if left, err := os.ReadDir(into); err != nil || len(left) > 0 {
			t.Errorf("%s: it leaves %v %v", name, left, err)
		}
	}
}

func TestARestoreReplacesOnlyWhatItMay(t *testing.T) {
	dir, file := backedUp(t)
	_, err := data.Restore(t.Context(), file, dir, false)
	says(t, err, "is not empty")
	release, err := data.Use(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := data.Restore(t.Context(), file, dir, true); !errors.Is(err, data.ErrInUse) {
		t.Errorf("under a server: %v", err)
	}
	release()
	sum, err := data.Restore(t.Context(), file, dir, true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.CheckSQLite(t.Context(), filepath.Join(sum.Replaced, "starling.db")); err != nil {
		t.Errorf("what was there before: %v", err)
	}
	if _, err := store.CheckSQLite(t.Context(), data.Database(dir)); err != nil {
		t.Error(err)
	}
}
