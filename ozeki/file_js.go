//go:build js

package ozeki

import (
	"context"
	"encoding/hex"
	"fmt"
	"syscall/js"
)

// Blob is the bytes of a file, held by the browser: a Uint8Array, or a Blob or File of a page. They stay out of the
// program's own memory, which never shrinks. It never changes.
type Blob struct{ js.Value }

// Size is the number of bytes.
func (b Blob) Size() int64 {
	if b.IsUndefined() {
		return 0
	}
	if n := b.Get("byteLength"); n.Type() == js.TypeNumber {
		return int64(n.Float())
	}
	return int64(b.Get("size").Float())
}

// buffer returns the content as an ArrayBuffer or a view on one.
func (b Blob) buffer() (js.Value, error) {
	if b.Get("byteLength").Type() == js.TypeNumber {
		return b.Value, nil
	}
	return awaitValue(func() js.Value { return b.Call("arrayBuffer") })
}

// SHA256 returns the content's hash in hex.
func (b Blob) SHA256(context.Context) (string, error) {
	content, err := b.buffer()
	if err != nil {
		return "", err
	}
	sum, err := awaitBytes(func(subtle js.Value) js.Value { return subtle.Call("digest", string(SHA256), content) })
	return hex.EncodeToString(sum), err
}

func gcmParams(nonce js.Value, ad []byte) map[string]any {
	return map[string]any{"name": "AES-GCM", "iv": nonce, "additionalData": toJS(ad)}
}

func gcmKey(key []byte, use string) (js.Value, error) {
	return await(func(subtle js.Value) js.Value {
		return subtle.Call("importKey", "raw", toJS(key), "AES-GCM", false, []any{use})
	})
}

func sealBlob(_ context.Context, key, nonce, ad []byte, plain Blob) (Blob, error) {
	content, err := plain.buffer()
	if err != nil {
		return Blob{}, err
	}
	handle, err := gcmKey(key, "encrypt")
	if err != nil {
		return Blob{}, err
	}
	box, err := await(func(subtle js.Value) js.Value {
		return subtle.Call("encrypt", gcmParams(toJS(nonce), ad), handle, content)
	})
	if err != nil {
		return Blob{}, err
	}
	sealed, err := try(func() js.Value { // there may be no room for it
		all := js.Global().Get("Uint8Array").New(len(nonce) + box.Get("byteLength").Int())
		all.Call("set", toJS(nonce))
		all.Call("set", view(box), len(nonce))
		return all
	})
	return Blob{sealed}, err
}

func openBlob(_ context.Context, key, ad []byte, sealed Blob) (Blob, error) {
	content, err := sealed.buffer()
	if err != nil {
		return Blob{}, err
	}
	all := view(content)
	handle, err := gcmKey(key, "decrypt")
	if err != nil {
		return Blob{}, err
	}
	plain, err := await(func(subtle js.Value) js.Value {
		return subtle.Call("decrypt", gcmParams(all.Call("subarray", 0, nonceSize), ad), handle, all.Call("subarray", nonceSize))
	})
	if err != nil {
		return Blob{}, fmt.Errorf("%w: %v", ErrUndecryptable, err)
	}
	return Blob{view(plain)}, nil
}

// xhr is the browser's FileTransport.
type xhr struct{}

// NewFileTransport returns the platform's FileTransport: XMLHttpRequest here, which alone tells of the progress of an
// upload, net/http in a native program.
func NewFileTransport() FileTransport { return xhr{} }

func (xhr) Put(ctx context.Context, url string, file Blob, progress func(int64)) (*Response, error) {
	_, res, err := transfer(ctx, "PUT", url, file.Value, progress)
	return res, err
}

func (xhr) Get(ctx context.Context, url string, progress func(int64)) (Blob, *Response, error) {
	return transfer(ctx, "GET", url, js.Undefined(), progress)
}

// transfer sends a request and waits for its whole answer.
func transfer(ctx context.Context, method, url string, body js.Value, progress func(int64)) (Blob, *Response, error) {
	if err := ctx.Err(); err != nil {
		return Blob{}, nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	request := js.Global().Get("XMLHttpRequest").New()
	ended := make(chan bool, 1)
	end := js.FuncOf(func(js.Value, []js.Value) any {
		ended <- true
		return nil
	})
	defer end.Release()
	moved := js.FuncOf(func(_ js.Value, args []js.Value) any {
		progress(int64(args[0].Get("loaded").Float()))
		return nil
	})
	defer moved.Release()
	_, err := try(func() js.Value {
		request.Call("open", method, url)
		request.Set("responseType", "arraybuffer")
		request.Set("onloadend", end)
		if body.IsUndefined() {
			request.Set("onprogress", moved)
			request.Call("send")
			return js.Undefined()
		}
		request.Get("upload").Set("onprogress", moved)
		request.Call("setRequestHeader", "Content-Type", "application/octet-stream")
		request.Call("send", body)
		return js.Undefined()
	})
	if err != nil {
		return Blob{}, nil, fmt.Errorf("%w: %v", ErrUnreachable, err)
	}
	select {
	case <-ended:
	case <-ctx.Done():
		request.Call("abort")
		<-ended
		return Blob{}, nil, fmt.Errorf("%w: %w", ErrUnreachable, ctx.Err())
	}
	content, status := request.Get("response"), request.Get("status").Int()
	if status == 0 || !content.Truthy() {
		return Blob{}, nil, fmt.Errorf("%w: the transfer was cut", ErrUnreachable)
	}
	answer := &Response{Status: status}
	if kind := request.Call("getResponseHeader", "Content-Type"); kind.Type() == js.TypeString {
		answer.ContentType = kind.String()
	}
	if status == 200 && contentKind(answer) == "application/octet-stream" {
		return Blob{view(content)}, answer, nil
	}
	answer.Body = toGo(content)
	return Blob{}, answer, nil
}
