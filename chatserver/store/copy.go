package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	sqlite3 "modernc.org/sqlite/lib"
)

// CopySQLite writes the last committed state of the database file into another file, which is empty or not there. Other
// processes may read and write the database meanwhile. It is on the disk when CopySQLite returns nil. ErrUnavailable: there
// is no room, or the database cannot be read at the moment.
func CopySQLite(ctx context.Context, path, into string) error {
	db, err := openCopy(path, "mode=ro")
	if err != nil {
		return err
	}
	defer db.Close()
	if err := ours(ctx, db); err != nil {
		return fmt.Errorf("database %s: %w", path, err)
	}
	if _, err := db.ExecContext(ctx, "VACUUM INTO ?", into); err != nil {
		return fmt.Errorf("copy database %s: %w", path, classifySQLite(err))
	}
	f, err := os.OpenFile(into, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// CheckSQLite reads a database file that nobody else uses from end to end and lists the files that are stored with it. The
// error says what is wrong: it is damaged, another program's or from a newer version.
func CheckSQLite(ctx context.Context, path string) ([]File, error) {
	fail := func(err error) ([]File, error) { return nil, fmt.Errorf("database %s: %w", path, err) }
	db, err := openCopy(path, "mode=ro&immutable=1")
	if err != nil {
		return nil, err
	}
	defer db.Close()
	if err := ours(ctx, db); err != nil {
		return fail(err)
	}
	var said string
	if err := db.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&said); err != nil {
		return fail(err)
	}
	if said != "ok" {
		return fail(fmt.Errorf("it is damaged: %s", said))
	}
	var stored int
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'file'").Scan(&stored); err != nil {
		return fail(err)
	}
	if stored == 0 {
		return nil, nil // of a version that stored none
	}
	files, err := list(ctx, reader{d: &dialect{}, q: db}, func(rows *sql.Rows, f *File) error {
		return rows.Scan(&f.ID, &f.Size, &f.SHA256)
	}, `SELECT file_id, size, sha256 FROM file WHERE is_stored = 1 ORDER BY file_id`)
	if err != nil {
		return fail(err)
	}
	for _, f := range files {
		if !f.ID.Valid() {
			return fail(fmt.Errorf("it is damaged: %q is no id of a file", f.ID))
		}
	}
	return files, nil
}

// openCopy opens a database file as it is, without bringing it up to date.
func openCopy(path, mode string) (*sql.DB, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(abs) // SQLite does not say why it cannot
	if err != nil {
		return nil, err
	}
	f.Close()
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: abs}).EscapedPath()+"?"+mode+"&_pragma=busy_timeout(5000)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// ours checks whose database it is, and that this program knows its version.
func ours(ctx context.Context, db *sql.DB) error {
	var app, have int
	for pragma, v := range map[string]*int{"PRAGMA application_id": &app, "PRAGMA user_version": &have} {
		if err := db.QueryRowContext(ctx, pragma).Scan(v); err != nil {
			if isCode(err, sqlite3.SQLITE_NOTADB) {
				return errors.New("the file is not a SQLite database")
			}
			return classifySQLite(err)
		}
	}
	if app != sqliteApplicationID {
		return errors.New("the file is not a database of Starling")
	}
	steps, err := migrationsOf("sqlite")
	if err != nil {
		return err
	}
	if have > len(steps) {
		return fmt.Errorf("the file has version %d and was written by a newer program than this one, which knows up to %d: use the newer program", have, len(steps))
	}
	return nil
}

// IsFull reports whether an error of this package means that the disk is full.
func IsFull(err error) bool { return isCode(err, sqlite3.SQLITE_FULL) }
