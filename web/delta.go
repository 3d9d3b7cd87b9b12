package web

import (
	"crypto/sha256"

	"github.com/klauspost/compress/zstd"
)

// dczMagic begins a body of the content coding "dcz" (RFC 9842, section 5); the dictionary's SHA-256 and a zstd frame follow.
const dczMagic = "\x5e\x2a\x4d\x18\x20\x00\x00\x00"

// UseAsDictionary is the Use-As-Dictionary header of the program: later versions of it may be sent as a difference.
const UseAsDictionary = `match="/assets/app.*.wasm"`

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
	sum := sha256.Sum256(old)
	return w.EncodeAll(content, append([]byte(dczMagic), sum[:]...)), nil
}
