//go:build !js

package ozeki

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
)

// Blob is the bytes of a file: held by the browser there, in memory here. It never changes.
type Blob struct{ data []byte }

// NewBlob returns a Blob of bytes, which must not be changed afterwards.
func NewBlob(data []byte) Blob { return Blob{data} }

// Bytes returns the content, which must not be changed.
func (b Blob) Bytes() []byte { return b.data }

// Size is the number of bytes.
func (b Blob) Size() int64 { return int64(len(b.data)) }

// SHA256 returns the content's hash in hex.
func (b Blob) SHA256(context.Context) (string, error) {
	sum := sha256.Sum256(b.data)
	return hex.EncodeToString(sum[:]), nil
}

func sealBlob(_ context.Context, key, nonce, ad []byte, plain Blob) (Blob, error) {
	box, err := sealGCM(key, nonce, ad, plain.data)
	return Blob{append(bytes.Clone(nonce), box...)}, err
}

func openBlob(_ context.Context, key, ad []byte, sealed Blob) (Blob, error) {
	o := openGCM([]gcmBox{{key, sealed.data[:nonceSize], ad, sealed.data[nonceSize:]}})[0]
	if o.Err != nil {
		return Blob{}, ErrUndecryptable
	}
	return Blob{o.Plaintext}, nil
}

// NewFileTransport returns the platform's FileTransport: net/http here, XMLHttpRequest in a browser, which alone tells of
// the progress of an upload.
func NewFileTransport() FileTransport { return NewTransport().(httpTransport) }

func (t httpTransport) Put(ctx context.Context, url string, file Blob, progress func(int64)) (*Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, url, &told{Reader: bytes.NewReader(file.data), progress: progress})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	req.ContentLength = file.Size()
	_, res, err := t.transfer(req, func(int64) {})
	return res, err
}

func (t httpTransport) Get(ctx context.Context, url string, progress func(int64)) (Blob, *Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return Blob{}, nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	return t.transfer(req, progress)
}

func (t httpTransport) transfer(req *http.Request, progress func(int64)) (Blob, *Response, error) {
	res, err := t.client.Do(req)
	if err != nil {
		return Blob{}, nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(&told{Reader: res.Body, progress: progress})
	if err != nil {
		return Blob{}, nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	answer := &Response{Status: res.StatusCode, ContentType: res.Header.Get("Content-Type")}
	if res.StatusCode == http.StatusOK && contentKind(answer) == "application/octet-stream" {
		return Blob{b}, answer, nil
	}
	answer.Body = b
	return Blob{}, answer, nil
}

// told tells how much was read.
type told struct {
	io.Reader
	progress func(int64)
	done     int64
}

func (t *told) Read(b []byte) (int, error) {
	n, err := t.Reader.Read(b)
	t.done += int64(n)
	t.progress(t.done)
	return n, err
}
