// Package data is the directory with all that the embedded server keeps: the database and the files that people sent. It
// says who uses it, and makes and restores backups.
package data

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"starling/chatserver/files"
)

const (
	database = "starling.db"
	fileDir  = "files"

	staging  = ".restoring" // what a restore has unpacked so far
	restored = ".restored"  // the whole of it, to be put in its place by whoever comes next
)

// ErrInUse: a server uses the directory.
var ErrInUse = errors.New("a server is using the directory")

// Database is where the database of a data directory is.
func Database(dir string) string { return filepath.Join(dir, database) }

// Files is where its files are.
func Files(dir string) string { return filepath.Join(dir, fileDir) }

// Use makes the directory if it is not there, and notes until release is called that it is used; several may use it. A restore
// that was interrupted after its point of no return is ended first. ErrInUse: a restore is going on.
func Use(dir string) (release func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the data directory cannot be made: %w; choose another with --data", err)
	}
	if _, err := os.Lstat(filepath.Join(dir, restored)); err == nil {
		unlock, ok, err := files.LockDir(dir, true)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, fmt.Errorf("%s: a restore is going on: wait for its end", dir)
		}
		_, err = place(dir)
		unlock()
		if err != nil {
			return nil, fmt.Errorf("end the restore into %s: %w", dir, err)
		}
	}
	release, ok, err := files.LockDir(dir, false)
	switch {
	case err != nil:
		return nil, fmt.Errorf("the data directory cannot be used: %w; choose another with --data", err)
	case !ok:
		return nil, fmt.Errorf("%s: a restore is going on: wait for its end", dir)
	}
	return release, nil
}

// place puts what was restored where it belongs and says where it has put what was there before, if there was anything.
// Whenever it is interrupted, it can be called again.
func place(dir string) (replaced string, err error) {
	from := filepath.Join(dir, restored)
	old := filepath.Join(dir, "replaced-"+time.Now().UTC().Format("20060102-150405.000"))
	for name, with := range map[string][]string{fileDir: nil, database: {database + "-wal", database + "-shm"}} {
		if _, err := os.Lstat(filepath.Join(from, name)); errors.Is(err, fs.ErrNotExist) {
			continue // done
		}
		for _, was := range append(with, name) { // a log is not to meet another database
			path := filepath.Join(dir, was)
			if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err := os.MkdirAll(old, 0o700); err != nil {
				return "", err
			}
			replaced = old
			if err := os.Rename(path, filepath.Join(old, was)); err != nil {
				return "", err
			}
		}
		if err := syncDir(dir); err != nil {
			return "", err
		}
		if err := os.Rename(filepath.Join(from, name), filepath.Join(dir, name)); err != nil {
			return "", err
		}
	}
	if err := syncDir(dir); err != nil {
		return "", err
	}
	if err := os.RemoveAll(from); err != nil {
		return "", err
	}
	return replaced, syncDir(dir)
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
