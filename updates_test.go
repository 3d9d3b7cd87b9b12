package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"starling/web"
)

// packed is a zstd frame.
func packed(t *testing.T, content []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	return w.EncodeAll(content, nil)
}

// programVersion is one version of a program, which differs little from the next.
func programVersion(t *testing.T, n int) *web.File {
	t.Helper()
	content := make([]byte, 200_000)
	rand.New(rand.NewSource(1)).Read(content) // does not compress
	copy(content[100_000:], fmt.Sprintf("version %d", n))
	return &web.File{Forms: map[string][]byte{"": content, "zstd": packed(t, content)}}
}

func dictionary(program []byte) string {
	sum := sha256.Sum256(program)
	return ":" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
}

// undo gives what a body of the coding dcz stands for.
func undo(t *testing.T, old, delta []byte) []byte {
	t.Helper()
	sum := sha256.Sum256(old)
	frame, ok := bytes.CutPrefix(delta, append([]byte{0x5e, 0x2a, 0x4d, 0x18, 0x20, 0, 0, 0}, sum[:]...))
	if !ok {
		t.Fatalf("it begins with % x", delta[:min(40, len(delta))])
	}
	r, err := zstd.NewReader(nil, zstd.WithDecoderDictRaw(0, old))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	content, err := r.DecodeAll(frame, nil)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestANewVersionIsADifferenceToTheLastOnes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "programs")
	var last *updates
	for n := range 7 {
		last = &updates{}
		if err := last.prepare(t.Context(), dir, programVersion(t, n), quiet); err != nil {
			t.Fatal(err)
		}
		// As if a day passed until the next.
		names, _ := filepath.Glob(filepath.Join(dir, "*"))
		for _, name := range names {
			info, err := os.Stat(name)
			if err != nil {
				t.Fatal(err)
			}
			before := info.ModTime().Add(-24 * time.Hour)
			if err := os.Chtimes(name, before, before); err != nil {
				t.Fatal(err)
			}
		}
	}
	now := programVersion(t, 6).Forms[""]
	for n := range 7 {
		old := programVersion(t, n).Forms[""]
		delta := last.to(dictionary(old))
		if kept := n >= 6-formerPrograms; (delta != nil) != kept {
			t.Errorf("version %d: a difference of %d bytes", n, len(delta))
			continue
		} else if !kept {
			continue
		}
		if len(delta) > 1000 {
			t.Errorf("version %d: a difference of %d bytes", n, len(delta))
		}
		if !bytes.Equal(undo(t, old, delta), now) {
			t.Errorf("version %d: the difference gives another program", n)
		}
	}
	names, _ := filepath.Glob(filepath.Join(dir, "*"))
	if len(names) != formerPrograms+1 {
		t.Errorf("%d versions are kept: %v", len(names), names)
	}
}

func TestADamagedFormerVersionIsLeftOut(t *testing.T) {
	dir := t.TempDir()
	old := programVersion(t, 1)
	sum := sha256.Sum256(old.Forms[""])
	for name, content := range map[string][]byte{
		hex.EncodeToString(sum[:]): old.Forms["zstd"],
		"0123":                     old.Forms["zstd"],
		"4567":                     []byte("not a frame"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name+".wasm.zst"), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var u updates
	if err := u.prepare(t.Context(), dir, programVersion(t, 2), quiet); err != nil {
		t.Fatal(err)
	}
	if len(u.deltas) != 2 || u.to(dictionary(old.Forms[""])) == nil || u.to(dictionary(programVersion(t, 2).Forms[""])) == nil {
		t.Errorf("there are %d differences", len(u.deltas))
	}
}

func TestNoFormerVersionsWithoutADirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var u updates
	if err := u.prepare(t.Context(), filepath.Join(file, "programs"), programVersion(t, 1), quiet); err == nil {
		t.Error("no error")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	for n := range 2 {
		if err := u.prepare(ended, dir, programVersion(t, n), quiet); n == 1 && err == nil {
			t.Error("a stop does not end it")
		}
	}
	if len(u.deltas) != 0 {
		t.Error("a difference although it was stopped")
	}
}

func TestOnlyABrowserWithTheFormerVersionGetsTheDifference(t *testing.T) {
	s := siteFor(t)
	path := assetOf(t, s, `app\.[0-9a-f]+\.wasm`)
	f := s.bundle[path]
	if f != s.bundle.Part("app.wasm") || s.bundle.Part("rest.wasm") != s.bundle[assetOf(t, s, `rest\.[0-9a-f]+\.wasm`)] {
		t.Fatal("the parts of the program are other files")
	}
	old := append(slices.Clone(f.Forms[""]), 0, 1, 0) // an empty section without a name
	delta, err := web.Delta(old, f.Forms[""])
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(undo(t, old, delta), f.Forms[""]) {
		t.Fatal("the difference gives another program")
	}
	t.Logf("%d bytes for a program that is all but the same", len(delta))
	one := &site{bundle: s.bundle, files: s.files, mux: http.NewServeMux(), log: s.log, updates: map[*web.File]*updates{f: {deltas: map[string][]byte{dictionary(old): delta}}}}
	for _, c := range []struct{ accept, available, want string }{
		{"gzip, br, zstd, dcb, dcz", dictionary(old), "dcz"},
		{"gzip, br, zstd, dcb, dcz", "", "br"},
		{"gzip, br, zstd, dcb, dcz", dictionary(f.Forms[""]), "br"},
		{"gzip, br, zstd, dcb, dcz", ":AAAA:", "br"},
		{"gzip, br, zstd, dcb", dictionary(old), "br"},
		{"gzip, br, dcz;q=0", dictionary(old), "br"},
		{"", dictionary(old), ""},
	} {
		w := ask(one, "GET", path, "Accept-Encoding", c.accept, "Available-Dictionary", c.available)
		got := w.Header.Get("Content-Encoding")
		if want := c.want; got != want && !(want == "br" && got != "dcz" && got != "") {
			t.Errorf("%q with %q gets %q, want %q", c.accept, c.available, got, want)
		}
		if w.Header.Get("Use-As-Dictionary") != `match="/assets/app.*.wasm"` || strings.HasPrefix(w.Header.Get("Cache-Control"), "private") != (c.want == "dcz") {
			t.Errorf("%q: header %v", c.accept, w.Header)
		}
		if c.want == "dcz" && body(t, w) != string(delta) {
			t.Error("another body than the difference")
		}
	}
	page := ask(one, "GET", "/", "Accept-Encoding", "br, dcz", "Available-Dictionary", dictionary(old))
	if page.Header.Get("Content-Encoding") == "dcz" || page.Header.Get("Use-As-Dictionary") != "" {
		t.Errorf("the page's header: %v", page.Header)
	}
}

// zstdProgram is the one that the server uses where it is installed.
func zstdProgram(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("zstd")
	if err != nil {
		t.Fatal("the zstd program is needed: apt-get install zstd")
	}
	return path
}

func TestTheZstdProgramMakesTheDifferenceWhereItIsInstalled(t *testing.T) {
	real := zstdProgram(t)
	dir := t.TempDir()
	t.Setenv("TMPDIR", t.TempDir())
	mark := filepath.Join(t.TempDir(), "called")
	u := updates{zstd: script(t, "echo once >>'"+mark+"'; exec '"+real+"' \"$@\"")}
	for n := range 2 {
		if err := u.prepare(t.Context(), dir, programVersion(t, n), quiet); err != nil {
			t.Fatal(err)
		}
	}
	old, now := programVersion(t, 0).Forms[""], programVersion(t, 1).Forms[""]
	delta := u.to(dictionary(old))
	if !bytes.Equal(undo(t, old, delta), now) || len(delta) > 1000 {
		t.Errorf("a difference of %d bytes", len(delta))
	}
	if calls, _ := os.ReadFile(mark); string(calls) != "once\n" {
		t.Errorf("the program ran: %q", calls)
	}
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "starling-delta-*")); len(left) > 0 {
		t.Errorf("it left %v", left)
	}
}

func TestTheDifferenceIsMadeWithoutTheZstdProgramToo(t *testing.T) {
	real := zstdProgram(t)
	t.Setenv("TMPDIR", t.TempDir())
	other := filepath.Join(t.TempDir(), "other")
	if err := os.WriteFile(other, []byte("something else"), 0o600); err != nil {
		t.Fatal(err)
	}
	old, now := programVersion(t, 0).Forms[""], programVersion(t, 1).Forms[""]
	for name, program := range map[string]string{
		"missing":         filepath.Join(t.TempDir(), "zstd"),
		"fails":           script(t, "echo no memory >&2; exit 1"),
		"says nothing":    script(t, "exit 0"),
		"not a frame":     script(t, "echo not a frame"),
		"another content": script(t, "exec '"+real+"' -q -c '"+other+"'"),
		"cut off":         script(t, "'"+real+"' \"$@\" | head -c 20"),
		"a larger window": script(t, "eval last=\\${$#}; '"+real+"' -q --long=27 -c <\"$last\""),
	} {
		t.Run(name, func(t *testing.T) {
			if delta, err := web.DeltaBy(t.Context(), program, old, now); err == nil {
				t.Errorf("it is taken: %d bytes", len(delta))
			}
			dir, u := t.TempDir(), updates{zstd: program}
			for n := range 2 {
				if err := u.prepare(t.Context(), dir, programVersion(t, n), quiet); err != nil {
					t.Fatal(err)
				}
			}
			if delta := u.to(dictionary(old)); !bytes.Equal(undo(t, old, delta), now) {
				t.Error("the difference gives another program")
			}
		})
	}
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "starling-delta-*")); len(left) > 0 {
		t.Errorf("it left %v", left)
	}
}

func TestAStopEndsTheZstdProgram(t *testing.T) {
	started := filepath.Join(t.TempDir(), "started")
	dir, u := t.TempDir(), updates{zstd: script(t, "echo >'"+started+"'; exec sleep 1000")}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		for n := range 2 {
			if err := u.prepare(ctx, dir, programVersion(t, n), quiet); err != nil {
				ended <- err
				return
			}
		}
		ended <- nil
	}()
	for {
		if _, err := os.Stat(started); err == nil {
			break
		}
		select {
		case err := <-ended:
			t.Fatal("it did not run: ", err)
		case <-time.After(5 * time.Millisecond):
		}
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
}

// script is an executable file.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "zstd")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}
