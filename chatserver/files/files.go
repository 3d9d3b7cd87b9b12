// Package files keeps the encrypted bytes of files that people send each other. What a file is, who may have it and when
// it goes is the database's business (chatserver/store); here an id is a name for bytes.
package files

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"starling/ozeki"
)

// The ways a call fails. Any other error is a fault of the disk or of the program.
var (
	// ErrNotFound: there is no file under the id.
	ErrNotFound = errors.New("no such file")
	// ErrMismatch: what was to be stored has another size or hash than was said. Nothing is stored.
	ErrMismatch = errors.New("size or hash differs")
	// ErrFull: there is no room. Nothing is stored.
	ErrFull = errors.New("no room for the file")
)

// Store keeps files. Its methods may be called from several goroutines at once, and by several stores on the same place.
type Store interface {
	// Put stores what body gives under the id, replacing what is there, if it has the size and the SHA-256 (lower-case hex);
	// otherwise ErrMismatch. It is durable when Put returns nil; before that, and after an error, readers find what was there
	// before. An error of body comes back. ErrFull.
	Put(ctx context.Context, id ozeki.FileID, body io.Reader, size int64, sum string) error
	// Open opens a file for reading; the caller closes it. A file that is replaced or deleted meanwhile is read to its end.
	// ErrNotFound.
	Open(ctx context.Context, id ozeki.FileID) (Content, error)
	// Delete removes a file. No error if there is none.
	Delete(ctx context.Context, id ozeki.FileID) error
}

// Content is an open file.
type Content interface {
	io.ReadSeekCloser
	Size() int64
}

// errID is a fault of the program: ids are checked where they come in.
var errID = errors.New("not a file id")

// Copy copies body to w and checks its size and hash, for implementations: ErrMismatch, or the error of body or w.
func Copy(ctx context.Context, w io.Writer, body io.Reader, size int64, sum string) error {
	hash := sha256.New()
	n, err := io.Copy(io.MultiWriter(w, hash), io.LimitReader(cancelled{ctx, body}, size+1))
	switch {
	case err != nil:
		return err
	case n != size:
		return fmt.Errorf("%w: %d bytes or more, not %d", ErrMismatch, n, size)
	case hex.EncodeToString(hash.Sum(nil)) != sum:
		return fmt.Errorf("%w: another hash", ErrMismatch)
	}
	return nil
}

// cancelled is a reader that fails when its context has ended.
type cancelled struct {
	ctx context.Context
	io.Reader
}

func (c cancelled) Read(b []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.Reader.Read(b)
}
