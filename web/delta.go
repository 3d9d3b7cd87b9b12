package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
)

// dczMagic begins a body of the content coding "dcz" (RFC 9842, section 5); the dictionary's SHA-256 and a zstd frame follow.
const dczMagic = "\x5e\x2a\x4d\x18\x20\x00\x00\x00"

// Delta returns content as a difference to old, for a browser that has old: a body of the content coding "dcz".
func Delta(old, content []byte) ([]byte, error) {
	// Frames whose window is their content need no more than browsers allow: 8 MB or 1.25 times the dictionary.
	window := zstd.MinWindowSize
	for window < len(old)+len(content) && window < 1<<26 {
		window *= 2
	}
	w, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderDictRaw(0, old),
		zstd.WithWindowSize(window), zstd.WithSingleSegment(true), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	defer w.Close()
	return w.EncodeAll(content, dczHead(old)), nil
}

// deltaTime is how long DeltaBy lets the zstd program run. It took 10 s for 6.5 MB on a quiet machine.
const deltaTime = 3 * time.Minute

// DeltaBy returns what Delta does, smaller by about a quarter, made by the zstd program at the path. That runs with the lowest
// priority and takes some 190 MB of memory. What it gives is checked by undoing it. It is an error if it fails, takes
// longer than three minutes or gives what browsers or this server cannot undo; nothing is left of it then.
func DeltaBy(ctx context.Context, program string, old, content []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, deltaTime)
	defer cancel()
	dir, err := os.MkdirTemp("", "starling-delta-")
	if err != nil {
		return nil, err
	}
	delta, err := deltaIn(ctx, dir, program, old, content)
	return delta, errors.Join(err, os.RemoveAll(dir))
}

// deltaIn is DeltaBy in an empty directory.
func deltaIn(ctx context.Context, dir, program string, old, content []byte) ([]byte, error) {
	from, to := filepath.Join(dir, "old"), filepath.Join(dir, "new")
	if err := errors.Join(os.WriteFile(from, old, 0o600), os.WriteFile(to, content, 0o600)); err != nil {
		return nil, err
	}
	run := []string{program, "-q", "-19", "--patch-from=" + from, "-c", to}
	if nice, err := exec.LookPath("nice"); err == nil {
		run = append([]string{nice, "-n", "19"}, run...)
	}
	var complaint, frame bytes.Buffer
	cmd := exec.CommandContext(ctx, run[0], run[1:]...)
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &frame, &complaint, time.Second
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w %s", program, errors.Join(err, ctx.Err()), strings.TrimSpace(complaint.String()))
	}
	var h zstd.Header
	if err := h.Decode(frame.Bytes()); err != nil {
		return nil, fmt.Errorf("%s: %w", program, err)
	}
	window := h.WindowSize
	if h.SingleSegment {
		window = h.FrameContentSize
	}
	if most := max(8<<20, uint64(len(old))+uint64(len(old))/4); window > most {
		return nil, fmt.Errorf("%s: browsers allow a window of %d bytes, it takes %d", program, most, window)
	}
	r, err := zstd.NewReader(nil, zstd.WithDecoderDictRaw(0, old), zstd.WithDecoderMaxMemory(128<<20), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if again, err := r.DecodeAll(frame.Bytes(), nil); err != nil {
		return nil, fmt.Errorf("%s: %w", program, err)
	} else if !bytes.Equal(again, content) {
		return nil, fmt.Errorf("%s: what it gives stands for something else", program)
	}
	return append(dczHead(old), frame.Bytes()...), nil
}

// dczHead is what comes before the frame of a difference to old.
func dczHead(old []byte) []byte {
	sum := sha256.Sum256(old)
	return append([]byte(dczMagic), sum[:]...)
}
