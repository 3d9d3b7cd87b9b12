package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

//go:embed migrations
var migrations embed.FS

// sqliteApplicationID marks the file as ours ("Strl"), so that another program's database is not mistaken for it.
const sqliteApplicationID = 0x5374726c

// OpenSQLite opens the database file, making it if it is not there, and brings its tables up to date. The error says
// what to do: the file cannot be written, is not a database of this program, or comes from a newer version.
//
// Pragmas, and why: WAL lets readers go on while one writes; synchronous=FULL syncs the log at each commit, so that an
// acknowledged change survives a power cut; wal_autocheckpoint has the log taken over into the file every 4,000 pages (16 MB)
// instead of 1,000, for that is two syncs and hot pages are then copied once for more commits; secure_delete overwrites what is deleted, so that a deleted message is not
// left in the file; foreign_keys are off by default in SQLite; busy_timeout waits for another
// process (a backup) instead of failing. Changes go over one connection, as SQLite has one writer anyway and a
// queue in front of it is fairer than its polling; reads go over a pool of connections that cannot write.
func OpenSQLite(ctx context.Context, path string) (Store, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("database %s: %w", path, err)
	}
	if err := checkFile(abs); err != nil {
		return nil, err
	}
	d := &dialect{name: "sqlite", begin: "BEGIN IMMEDIATE", classify: classifySQLite}
	write, err := openPool(abs, 1, "_txlock=immediate&_pragma=synchronous(FULL)&_pragma=secure_delete(1)&_pragma=wal_autocheckpoint(4000)")
	if err != nil {
		return nil, fmt.Errorf("database %s: %w", abs, err)
	}
	if err := prepareSQLite(ctx, write, abs); err != nil {
		write.Close()
		return nil, err
	}
	read, err := openPool(abs, max(4, runtime.NumCPU()), "_pragma=query_only(1)")
	if err != nil {
		write.Close()
		return nil, fmt.Errorf("database %s: %w", abs, err)
	}
	reading := &prepared{DB: read}
	return &sqlStore{reader: reader{d: d, q: reading, pool: reading}, write: &writer{DB: write, begins: d.begin}, stamps: newStamps()}, nil
}

func openPool(path string, size int, more string) (*sql.DB, error) {
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() +
		"?_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)&_dqs=0&" + more
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	return db, nil
}

// checkFile finds the common mistakes before SQLite words them.
func checkFile(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if dir, err := os.Stat(filepath.Dir(path)); err != nil || !dir.IsDir() {
			return fmt.Errorf("database %s: the folder does not exist: make it, or choose another path", path)
		}
	case err != nil:
		return fmt.Errorf("database %s: %w: give this user the right to read it, or choose another path", path, err)
	case info.IsDir():
		return fmt.Errorf("database %s: this is a folder: name a file in it", path)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("database %s: not writable: give this user the right to write the file and its folder, "+
			"or choose another path (%w)", path, err)
	}
	return f.Close()
}

// prepareSQLite checks whose file it is and applies the migrations that it lacks, each in its own transaction.
func prepareSQLite(ctx context.Context, db *sql.DB, path string) error {
	fail := func(err error) error { return fmt.Errorf("database %s: %w", path, err) }
	var app, have, tables int
	for pragma, v := range map[string]*int{"PRAGMA application_id": &app, "PRAGMA user_version": &have, "SELECT count(*) FROM sqlite_master": &tables} {
		if err := db.QueryRowContext(ctx, pragma).Scan(v); err != nil {
			if isCode(err, sqlite3.SQLITE_NOTADB) {
				return fail(errors.New("the file is not a SQLite database: choose another path, or move the file away"))
			}
			return fail(err)
		}
	}
	if app != sqliteApplicationID && (app != 0 || tables != 0) {
		return fail(errors.New("the file is another program's database: choose another path"))
	}
	steps, err := migrationsOf("sqlite")
	if err != nil {
		return fail(err)
	}
	if have > len(steps) {
		return fail(fmt.Errorf("the file has version %d and was written by a newer program than this one, which knows up to %d: "+
			"run the newer program, or restore a backup made before it", have, len(steps)))
	}
	var mode string
	if err := db.QueryRowContext(ctx, "PRAGMA journal_mode = WAL").Scan(&mode); err != nil {
		return fail(fmt.Errorf("not writable: give this user the right to write the file and its folder (%w)", err))
	}
	if mode != "wal" {
		return fail(fmt.Errorf("this place does not support SQLite's write-ahead log (mode %s): choose a path on a local disk", mode))
	}
	for n := have + 1; n <= len(steps); n++ {
		if err := migrate(ctx, db, n, steps[n-1]); err != nil {
			return fail(err)
		}
	}
	if err := beginEra(ctx, db); err != nil {
		return fail(err)
	}
	return nil
}

// maxEras is how many eras are remembered. Who kept a list in an earlier one gets all of it.
const maxEras = 1000

// beginEra begins the era of this start: see migration 7.
func beginEra(ctx context.Context, db *sql.DB) error {
	_, err := db.ExecContext(ctx, `INSERT INTO era (era_id, begins) SELECT lower(hex(randomblob(8))), value FROM counter WHERE name = 'seq'`)
	if err == nil {
		_, err = db.ExecContext(ctx, `DELETE FROM era WHERE number <= (SELECT MAX(number) FROM era) - ?`, maxEras)
	}
	return err
}

func migrate(ctx context.Context, db *sql.DB, version int, statements string) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	statements += fmt.Sprintf(";PRAGMA user_version = %d; PRAGMA application_id = %d", version, sqliteApplicationID)
	if _, err := tx.ExecContext(ctx, statements); err != nil {
		return fmt.Errorf("migration %d: %w", version, err)
	}
	return tx.Commit()
}

// migrationsOf returns an engine's migrations in order: 0001_….sql is the first, and none is missing.
func migrationsOf(engine string) ([]string, error) {
	names, err := fs.Glob(migrations, "migrations/"+engine+"/*.sql")
	if err != nil {
		return nil, err
	}
	var out []string
	for i, name := range names { // Glob sorts
		number, _, _ := strings.Cut(filepath.Base(name), "_")
		if n, err := strconv.Atoi(number); err != nil || n != i+1 {
			return nil, fmt.Errorf("migration %s: number %d expected", name, i+1)
		}
		b, err := migrations.ReadFile(name)
		if err != nil {
			return nil, err
		}
		out = append(out, string(b))
	}
	return out, nil
}

func isCode(err error, code int) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code()&0xff == code
}

// classifySQLite finds the errors that pass: a lock, a full or failing disk, no memory, a call that ran out of time.
func classifySQLite(err error) error {
	for _, code := range []int{sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM,
		sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_INTERRUPT} {
		if isCode(err, code) {
			return fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}
