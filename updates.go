package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"

	"starling/web"
)

// formerPrograms is how many former versions of the browser program are kept, so that browsers that have one of them get
// the new one as a difference (RFC 9842).
const formerPrograms = 4

// updates gives the browser program as a difference to former versions of it. Its zero value knows none.
type updates struct {
	zstd   string // the zstd program, which makes smaller differences than the library; empty for none
	mu     sync.Mutex
	deltas map[string][]byte // by Available-Dictionary's value for the former version
}

// to returns the program as a difference to what an Available-Dictionary header names, nil for none.
func (u *updates) to(available string) []byte {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.deltas[strings.TrimSpace(available)]
}

// prepare keeps the program among the former versions in the directory dir (made if missing) and makes the differences to
// itself and to the others, the newest first, and after that smaller ones by the zstd program; it ends early when ctx does. The oldest go. A repeat changes nothing.
// Differences that are made before an error stay. The one to itself is next to nothing: Chromium does not take from its
// cache what came as a difference, so that its worker, which keeps the program, asks for it again.
func (u *updates) prepare(ctx context.Context, dir string, program *web.File, log *slog.Logger) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	const ending = ".wasm.zst"
	sum := sha256.Sum256(program.Forms[""])
	own := hex.EncodeToString(sum[:]) + ending
	if err := keepFile(filepath.Join(dir, own), program.Forms["zstd"]); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	type former struct {
		name string
		used time.Time
	}
	var all []former
	for _, e := range entries {
		info, err := e.Info()
		if errors.Is(err, os.ErrNotExist) {
			continue // another server on the same directory
		}
		if err != nil {
			return err
		}
		if name := e.Name(); name != own && info.Mode().IsRegular() && strings.HasSuffix(name, ending) {
			all = append(all, former{name, info.ModTime()})
		}
	}
	slices.SortFunc(all, func(a, b former) int { return b.used.Compare(a.used) })
	if ctx.Err() != nil {
		return ctx.Err()
	}
	same, err := web.Delta(program.Forms[""], program.Forms[""])
	if err != nil {
		return fmt.Errorf("the difference of the program to itself: %w", err)
	}
	u.add(program.Forms[""], same)
	var usable [][]byte
	for i, f := range all {
		path := filepath.Join(dir, f.name)
		if i >= formerPrograms {
			if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
			continue
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		old, err := readFormer(path, strings.TrimSuffix(f.name, ending))
		if err != nil {
			log.Warn("a former version of the program cannot be used", "file", path, "err", err)
			continue
		}
		delta, err := web.Delta(old, program.Forms[""])
		if err != nil {
			return fmt.Errorf("the difference to %s: %w", path, err)
		}
		u.add(old, delta)
		usable = append(usable, old)
		log.Debug("a former version of the program gets a difference", "file", path, "bytes", len(delta))
	}
	if u.zstd == "" {
		return nil
	}
	for _, old := range usable {
		delta, err := web.DeltaBy(ctx, u.zstd, old, program.Forms[""])
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			log.Warn("new versions of the program are sent as larger differences than they could be", "err", err)
			return nil
		}
		u.add(old, delta)
		log.Debug("a difference became smaller", "bytes", len(delta))
	}
	return nil
}

// add gives browsers that have the old program the difference to it.
func (u *updates) add(old, delta []byte) {
	sum := sha256.Sum256(old)
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.deltas == nil {
		u.deltas = map[string][]byte{}
	}
	u.deltas[":"+base64.StdEncoding.EncodeToString(sum[:])+":"] = delta
}

// keepFile writes the file, so that it is there completely or not at all; one that is there counts as just used.
func keepFile(path string, content []byte) error {
	now := time.Now()
	if err := os.Chtimes(path, now, now); err == nil {
		return nil
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// readFormer returns the program in the file, which is named after its SHA-256.
func readFormer(path, name string) ([]byte, error) {
	packed, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(128<<20), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	program, err := r.DecodeAll(packed, nil)
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(program); hex.EncodeToString(sum[:]) != name {
		return nil, errors.New("it is damaged: its hash is not its name")
	}
	return program, nil
}
