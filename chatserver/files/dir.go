package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"starling/ozeki"
)

// Dir is a Store in a directory of this machine: one file per id, written beside its place and moved there when it is
// whole and on the disk.
type Dir struct{ path string }

// unfinished ends the names of files that are being written. What is left of them by a crash is removed at the next start.
const unfinished = ".part"

// OpenDir opens the directory, making it if it is not there, and removes what a crash left unfinished. One process at a
// time uses a directory. The error says what to do.
func OpenDir(path string) (*Dir, error) {
	fail := func(err error) (*Dir, error) {
		return nil, fmt.Errorf("the directory of the files cannot be used: %w; give this user the right to write it, or choose another with --data", err)
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return fail(err)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return fail(err)
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), unfinished) {
			if err := os.Remove(filepath.Join(path, e.Name())); err != nil {
				return fail(err)
			}
		}
	}
	return &Dir{path}, nil
}

// place returns the path of a file. Only what is an id becomes part of it.
func (d *Dir) place(id ozeki.FileID) (string, error) {
	if !id.Valid() {
		return "", errID
	}
	return filepath.Join(d.path, string(id)), nil
}

// Put implements Store.
func (d *Dir) Put(ctx context.Context, id ozeki.FileID, body io.Reader, size int64, sum string) (err error) {
	place, err := d.place(id)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(d.path, "*"+unfinished)
	if err != nil {
		return full(err)
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	if err := Copy(ctx, f, body, size, sum); err != nil {
		return full(err)
	}
	if err := f.Sync(); err != nil {
		return full(err)
	}
	if err := f.Close(); err != nil {
		return full(err)
	}
	if err := os.Rename(f.Name(), place); err != nil {
		return full(err)
	}
	return d.sync()
}

// full turns a disk without room into ErrFull.
func full(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}

// sync makes names in the directory durable.
func (d *Dir) sync() error {
	f, err := os.Open(d.path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// Open implements Store.
func (d *Dir) Open(_ context.Context, id ozeki.FileID) (Content, error) {
	place, err := d.place(id)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(place)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	return openFile{f, info.Size()}, nil
}

// Delete implements Store. ErrHeld (see Hold).
func (d *Dir) Delete(_ context.Context, id ozeki.FileID) error {
	place, err := d.place(id)
	if err != nil {
		return err
	}
	unlock, ok, err := LockDir(d.path, false)
	if err != nil {
		return err
	}
	if !ok {
		return ErrHeld
	}
	defer unlock()
	switch err := os.Remove(place); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	return d.sync()
}

type openFile struct {
	*os.File
	size int64
}

func (f openFile) Size() int64 { return f.size }
