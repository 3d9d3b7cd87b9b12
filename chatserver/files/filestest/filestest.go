// Package filestest is the contract of files.Store as tests: every implementation passes the same ones.
package filestest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"starling/chatserver/files"
	"starling/ozeki"
)

// Run holds an implementation to the contract. open returns an empty store.
func Run(t *testing.T, open func(t *testing.T) files.Store) {
	for name, test := range map[string]func(*suite){
		"a file comes back as it was":             (*suite).roundTrip,
		"a file that is not there is not found":   (*suite).missing,
		"another size or hash is not stored":      (*suite).mismatch,
		"a cut transfer leaves what was there":    (*suite).cut,
		"a cancelled transfer stores nothing":     (*suite).cancelled,
		"a file is replaced as a whole":           (*suite).replaced,
		"a deleted file is gone, also to repeats": (*suite).deleted,
		"what is being read is read to its end":   (*suite).readToTheEnd,
		"what is no id names no file":             (*suite).ids,
		"transfers at once do not mix":            (*suite).together,
	} {
		t.Run(name, func(t *testing.T) { test(&suite{t, open(t)}) })
	}
}

type suite struct {
	*testing.T
	files.Store
}

// Sum is the hash that goes with a file.
func Sum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func (s *suite) put(id ozeki.FileID, b []byte) {
	s.Helper()
	if err := s.Put(s.Context(), id, bytes.NewReader(b), int64(len(b)), Sum(b)); err != nil {
		s.Fatal(err)
	}
}

func (s *suite) has(id ozeki.FileID, want []byte) {
	s.Helper()
	f, err := s.Open(s.Context(), id)
	if err != nil {
		s.Fatal(err)
	}
	defer f.Close()
	got, err := io.ReadAll(f)
	if err != nil || !bytes.Equal(got, want) || f.Size() != int64(len(want)) {
		s.Errorf("%d bytes, said to be %d, of %d: %v", len(got), f.Size(), len(want), err)
	}
}

func (s *suite) hasNot(id ozeki.FileID) {
	s.Helper()
	if _, err := s.Open(s.Context(), id); !errors.Is(err, files.ErrNotFound) {
		s.Errorf("it is there: %v", err)
	}
}

func (s *suite) roundTrip() {
	for _, b := range [][]byte{{}, []byte("x"), bytes.Repeat([]byte("\x00\xff<script>"), 100_000)} {
		id := ozeki.NewFileID()
		s.put(id, b)
		s.has(id, b)
	}
	id := ozeki.NewFileID()
	s.put(id, []byte("0123456789"))
	f, err := s.Open(s.Context(), id)
	if err != nil {
		s.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Seek(7, io.SeekStart); err != nil {
		s.Fatal(err)
	}
	if rest, err := io.ReadAll(f); err != nil || string(rest) != "789" {
		s.Errorf("from 7 on: %q %v", rest, err)
	}
}

func (s *suite) missing() { s.hasNot(ozeki.NewFileID()) }

func (s *suite) mismatch() {
	id, b := ozeki.NewFileID(), []byte("hello")
	for _, c := range []struct {
		size int64
		sum  string
	}{{4, Sum(b)}, {6, Sum(b)}, {0, Sum(b)}, {5, Sum([]byte("Hello"))}, {5, ""}, {5, strings.ToUpper(Sum(b))}} {
		if err := s.Put(s.Context(), id, bytes.NewReader(b), c.size, c.sum); !errors.Is(err, files.ErrMismatch) {
			s.Errorf("%+v: %v", c, err)
		}
	}
	s.hasNot(id)
}

func (s *suite) cut() {
	id, old, b := ozeki.NewFileID(), []byte("old"), []byte("new and longer")
	s.put(id, old)
	body := io.MultiReader(bytes.NewReader(b[:5]), iotest.ErrReader(io.ErrUnexpectedEOF))
	if err := s.Put(s.Context(), id, body, int64(len(b)), Sum(b)); !errors.Is(err, io.ErrUnexpectedEOF) {
		s.Errorf("%v", err)
	}
	s.has(id, old)
}

func (s *suite) cancelled() {
	ctx, cancel := context.WithCancel(s.Context())
	id, b := ozeki.NewFileID(), []byte("hello")
	body := io.MultiReader(bytes.NewReader(b[:2]), readerFunc(func([]byte) (int, error) { cancel(); return 0, nil }), bytes.NewReader(b[2:]))
	if err := s.Put(ctx, id, body, int64(len(b)), Sum(b)); !errors.Is(err, context.Canceled) {
		s.Errorf("%v", err)
	}
	s.hasNot(id)
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

func (s *suite) replaced() {
	id := ozeki.NewFileID()
	s.put(id, []byte("a longer one"))
	s.put(id, []byte("short"))
	s.has(id, []byte("short"))
}

func (s *suite) deleted() {
	id, other := ozeki.NewFileID(), ozeki.NewFileID()
	s.put(id, []byte("x"))
	s.put(other, []byte("y"))
	for range 2 {
		if err := s.Delete(s.Context(), id); err != nil {
			s.Error(err)
		}
	}
	s.hasNot(id)
	s.has(other, []byte("y"))
}

func (s *suite) readToTheEnd() {
	id, b := ozeki.NewFileID(), bytes.Repeat([]byte("hello"), 1000)
	s.put(id, b)
	f, err := s.Open(s.Context(), id)
	if err != nil {
		s.Fatal(err)
	}
	defer f.Close()
	if err := s.Delete(s.Context(), id); err != nil {
		s.Error(err)
	}
	if got, err := io.ReadAll(f); err != nil || !bytes.Equal(got, b) {
		s.Errorf("%d bytes %v", len(got), err)
	}
}

func (s *suite) ids() {
	good := ozeki.NewFileID()
	for _, id := range []ozeki.FileID{"", ".", "..", "../x", "/etc/passwd", "x", good + "/", "../" + good, good + "\x00", ozeki.FileID(strings.ToUpper(string("a" + good[1:]))), "{" + good + "}"} {
		if err := s.Put(s.Context(), id, strings.NewReader("x"), 1, Sum([]byte("x"))); err == nil {
			s.Errorf("%q is taken", id)
		}
		if f, err := s.Open(s.Context(), id); err == nil {
			f.Close()
			s.Errorf("%q is opened", id)
		}
		if err := s.Delete(s.Context(), id); err == nil {
			s.Errorf("%q is deleted", id)
		}
	}
}

func (s *suite) together() {
	var all sync.WaitGroup
	same, one := ozeki.NewFileID(), bytes.Repeat([]byte("same"), 10_000)
	for range 8 {
		all.Go(func() {
			id, own := ozeki.NewFileID(), bytes.Repeat([]byte(ozeki.NewFileID()), 1000)
			s.put(id, own)
			s.put(same, one)
			s.has(id, own)
			s.has(same, one)
		})
	}
	all.Wait()
}
