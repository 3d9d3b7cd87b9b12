//go:build js

package ozeki

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall/js"
	"time"
)

// The browser twin of platform_native.go: WebCrypto and fetch. Its functions wait for promises, so they are called from
// goroutines and never directly from a JavaScript callback. Cancelling ctx ends a transfer; cryptography is not cut
// short. What JavaScript throws or rejects comes back as an error.

// PrivateKey is a user's RSA key for one scheme: two handles that sign and unwrap but cannot be read.
type PrivateKey struct{ signing, unwrapping js.Value }

// PublicKey is the public half of a user's key for one scheme.
type PublicKey struct{ verifying, wrapping js.Value }

// Handles returns the key's two CryptoKeys, which IndexedDB can keep: neither can be exported.
func (k *PrivateKey) Handles() (sign, unwrap js.Value) { return k.signing, k.unwrapping }

// PrivateKeyFromHandles is the inverse of Handles. The handles belong to the scheme that imported the key.
func PrivateKeyFromHandles(sign, unwrap js.Value) *PrivateKey { return &PrivateKey{sign, unwrap} }

const (
	algSign = "RSASSA-PKCS1-v1_5"
	algWrap = "RSA-OAEP"
)

func rsaParams(name string, hash Hash) map[string]any {
	return map[string]any{"name": name, "hash": string(hash)}
}

// importPair imports one RSA key twice, once for each algorithm: WebCrypto ties a key to one.
func importPair(format string, der []byte, hash Hash, signUse, wrapUse string) (signing, wrapping js.Value, err error) {
	data := toJS(der)
	pair, err := await(func(subtle js.Value) js.Value {
		return all(
			subtle.Call("importKey", format, data, rsaParams(algSign, hash), false, []any{signUse}),
			subtle.Call("importKey", format, data, rsaParams(algWrap, SHA256), false, []any{wrapUse}))
	})
	if format == "pkcs8" {
		data.Call("fill", 0)
	}
	if err != nil {
		if strings.HasPrefix(err.Error(), "DataError") {
			err = fmt.Errorf("%w: %w", errDamagedKey, err)
		}
		return js.Undefined(), js.Undefined(), err
	}
	signing, wrapping = pair.Index(0), pair.Index(1)
	return signing, wrapping, checkKeySize(signing.Get("algorithm").Get("modulusLength").Int())
}

func importPrivateKey(_ context.Context, pkcs1 []byte, hash Hash) (*PrivateKey, error) {
	pkcs8 := pkcs8Of(pkcs1)
	signing, unwrapping, err := importPair("pkcs8", pkcs8, hash, "sign", "decrypt")
	clear(pkcs8)
	if err != nil {
		return nil, fmt.Errorf("import key: %w", err)
	}
	return &PrivateKey{signing, unwrapping}, nil
}

func importPublicKey(_ context.Context, spki []byte, hash Hash) (*PublicKey, error) {
	verifying, wrapping, err := importPair("spki", spki, hash, "verify", "encrypt")
	if err != nil {
		return nil, fmt.Errorf("import public key: %w", err)
	}
	return &PublicKey{verifying, wrapping}, nil
}

func generateKey(context.Context) (pkcs1, spki []byte, err error) {
	params := rsaParams(algSign, SHA256)
	params["modulusLength"] = minKeyBits
	params["publicExponent"] = toJS([]byte{1, 0, 1})
	pair, err := await(func(subtle js.Value) js.Value {
		return subtle.Call("generateKey", params, true, []any{"sign", "verify"})
	})
	if err != nil {
		return nil, nil, err
	}
	exported, err := await(func(subtle js.Value) js.Value {
		return all(subtle.Call("exportKey", "pkcs8", pair.Get("privateKey")), subtle.Call("exportKey", "spki", pair.Get("publicKey")))
	})
	if err != nil {
		return nil, nil, err
	}
	pkcs8 := toGo(exported.Index(0))
	view(exported.Index(0)).Call("fill", 0)
	pkcs1, ok := pkcs1Of(pkcs8)
	clear(pkcs8)
	if !ok {
		return nil, nil, errors.New("the browser exported a key of an unknown form")
	}
	return pkcs1, toGo(exported.Index(1)), nil
}

func (k *PrivateKey) sign(_ context.Context, body []byte) ([]byte, error) {
	return withKey("sign", algSign, k.signing, body)
}

func (k *PrivateKey) unwrap(_ context.Context, wrapped []byte) ([]byte, error) {
	return withKey("decrypt", algWrap, k.unwrapping, wrapped)
}

// withKey does what takes long: where the page has a way to do it away from its thread (web/boot.js), that one.
func withKey(method, algorithm string, key js.Value, data []byte) ([]byte, error) {
	return awaitBytes(func(subtle js.Value) js.Value {
		if page := js.Global().Get("starling"); page.Truthy() {
			if away := page.Get("withKey"); away.Truthy() {
				return away.Invoke(method, algorithm, key, toJS(data))
			}
		}
		return subtle.Call(method, algorithm, key, toJS(data))
	})
}

func (k *PublicKey) verify(_ context.Context, body, signature []byte) error {
	good, err := await(func(subtle js.Value) js.Value {
		return subtle.Call("verify", algSign, k.verifying, toJS(signature), toJS(body))
	})
	if err != nil {
		return fmt.Errorf("%w: %v", ErrSignature, err)
	}
	if !good.Truthy() {
		return ErrSignature
	}
	return nil
}

func (k *PublicKey) wrap(_ context.Context, plain []byte) ([]byte, error) {
	return awaitBytes(func(subtle js.Value) js.Value { return subtle.Call("encrypt", algWrap, k.wrapping, toJS(plain)) })
}

func pbkdf2SHA256(_ context.Context, password, salt []byte, rounds, size int) ([]byte, error) {
	key, err := await(func(subtle js.Value) js.Value {
		return subtle.Call("importKey", "raw", toJS(password), "PBKDF2", false, []any{"deriveBits"})
	})
	if err != nil {
		return nil, err
	}
	params := map[string]any{"name": "PBKDF2", "hash": string(SHA256), "salt": toJS(salt), "iterations": rounds}
	return awaitBytes(func(subtle js.Value) js.Value { return subtle.Call("deriveBits", params, key, size*8) })
}

func hmacSHA256(_ context.Context, key, data []byte) ([]byte, error) {
	handle, err := await(func(subtle js.Value) js.Value {
		return subtle.Call("importKey", "raw", toJS(key), rsaParams("HMAC", SHA256), false, []any{"sign"})
	})
	if err != nil {
		return nil, err
	}
	return awaitBytes(func(subtle js.Value) js.Value { return subtle.Call("sign", "HMAC", handle, toJS(data)) })
}

func randomBytes(n int) ([]byte, error) {
	const most = 65536 // that getRandomValues fills in one call
	b := make([]byte, n)
	_, err := try(func() js.Value {
		for at := 0; at < n; at += most {
			part := b[at:min(at+most, n)]
			js.CopyBytesToGo(part, js.Global().Get("crypto").Call("getRandomValues", js.Global().Get("Uint8Array").New(len(part))))
		}
		return js.Undefined()
	})
	return b, err
}

// fetchTransport is the browser's Transport.
type fetchTransport struct{}

// NewTransport returns the platform's Transport: fetch here, net/http in a native program. Redirects are not followed.
func NewTransport() Transport { return fetchTransport{} }

func (fetchTransport) Post(ctx context.Context, url string, header map[string]string, body []byte) (*Response, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	res, err := post(ctx, url, header, body)
	switch {
	case err == nil:
		return res, nil
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, ctx.Err())
	}
	return nil, fmt.Errorf("%w: %v", ErrUnreachable, err)
}

func post(ctx context.Context, url string, header map[string]string, body []byte) (*Response, error) {
	abort, err := try(func() js.Value { return js.Global().Get("AbortController").New() })
	if err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, func() { abort.Call("abort") })()
	headers := make(map[string]any, len(header))
	for k, v := range header {
		headers[k] = v
	}
	options := map[string]any{
		"method":      "POST",
		"headers":     headers,
		"body":        toJS(body),
		"cache":       "no-store",
		"credentials": "omit",
		"redirect":    "manual", // gives an answer of status 0 without content, which is none of the API
		"signal":      abort.Get("signal"),
	}
	res, err := awaitValue(func() js.Value { return js.Global().Call("fetch", url, options) })
	if err != nil {
		return nil, err
	}
	content, err := awaitValue(func() js.Value { return res.Call("arrayBuffer") })
	if err != nil {
		return nil, err
	}
	date, err := time.Parse("Mon, 02 Jan 2006 15:04:05 GMT", headerOf(res, "Date"))
	if err != nil {
		date = time.Time{}
	}
	return &Response{Status: res.Get("status").Int(), ContentType: headerOf(res, "Content-Type"), Date: date, Body: toGo(content)}, nil
}

func headerOf(res js.Value, name string) string {
	if v := res.Get("headers").Call("get", name); v.Type() == js.TypeString {
		return v.String()
	}
	return ""
}

// await gives start WebCrypto's subtle, and waits for the promise that it returns.
func await(start func(subtle js.Value) js.Value) (js.Value, error) {
	return awaitValue(func() js.Value {
		subtle := js.Global().Get("crypto").Get("subtle")
		if !subtle.Truthy() {
			panic(js.Error{Value: js.Global().Get("Error").New("WebCrypto is missing: the page must come over https or from this computer")})
		}
		return start(subtle)
	})
}

// awaitBytes is await for a promise of an ArrayBuffer.
func awaitBytes(start func(subtle js.Value) js.Value) ([]byte, error) {
	buffer, err := await(start)
	if err != nil {
		return nil, err
	}
	return toGo(buffer), nil
}

// Await waits for the promise that start returns, for packages that call the browser: see awaitValue.
func Await(start func() js.Value) (js.Value, error) { return awaitValue(start) }

// awaitValue waits for the promise that start returns. It blocks its goroutine and lets the event loop run.
func awaitValue(start func() js.Value) (js.Value, error) {
	type outcome struct {
		value js.Value
		err   error
	}
	settled := make(chan outcome, 1)
	var fulfilled, rejected js.Func
	finish := func(o outcome) any {
		fulfilled.Release()
		rejected.Release()
		settled <- o
		return nil
	}
	fulfilled = js.FuncOf(func(_ js.Value, args []js.Value) any { return finish(outcome{value: args[0]}) })
	rejected = js.FuncOf(func(_ js.Value, args []js.Value) any { return finish(outcome{err: errorOf(args[0])}) })
	if _, err := try(func() js.Value { return start().Call("then", fulfilled, rejected) }); err != nil {
		fulfilled.Release()
		rejected.Release()
		return js.Undefined(), err
	}
	o := <-settled
	return o.value, o.err
}

// try runs f and turns a JavaScript exception in it into an error.
func try(f func() js.Value) (v js.Value, err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case js.Error:
			err = errorOf(p.Value)
		case *js.ValueError:
			err = p
		case string: // how syscall/js tells of a call of what is no function
			if !strings.HasPrefix(p, "syscall/js: ") {
				panic(p)
			}
			err = errors.New(p)
		default:
			panic(p)
		}
	}()
	return f(), nil
}

// errorOf words what JavaScript threw or rejected, e.g. "OperationError: …".
func errorOf(reason js.Value) error {
	if reason.Type() != js.TypeObject {
		return errors.New("JavaScript threw " + reason.String())
	}
	name, message := reason.Get("name"), reason.Get("message")
	switch {
	case name.Type() != js.TypeString:
		return errors.New("JavaScript threw an object")
	case message.Type() != js.TypeString || message.String() == "":
		return errors.New(name.String())
	}
	return errors.New(name.String() + ": " + message.String())
}

func all(promises ...js.Value) js.Value {
	list := js.Global().Get("Array").New(len(promises))
	for i, p := range promises {
		list.SetIndex(i, p)
	}
	return js.Global().Get("Promise").Call("all", list)
}

// toJS copies b into a new Uint8Array.
func toJS(b []byte) js.Value {
	a := js.Global().Get("Uint8Array").New(len(b))
	js.CopyBytesToJS(a, b)
	return a
}

func view(buffer js.Value) js.Value { return js.Global().Get("Uint8Array").New(buffer) }

// toGo copies an ArrayBuffer.
func toGo(buffer js.Value) []byte {
	a := view(buffer)
	b := make([]byte, a.Length())
	js.CopyBytesToGo(b, a)
	return b
}

// pkcs8Head is what precedes the private key in PKCS#8: version 0 and the algorithm rsaEncryption with NULL parameters.
var pkcs8Head = []byte{0x02, 1, 0, 0x30, 13, 0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 0x05, 0}

// pkcs8Of puts a PKCS#1 private key into the PKCS#8 form, the only one that WebCrypto imports.
func pkcs8Of(pkcs1 []byte) []byte {
	key := derWrap(0x04, pkcs1)
	body := slices.Concat(pkcs8Head, key)
	pkcs8 := derWrap(0x30, body)
	clear(key)
	clear(body)
	return pkcs8
}

// pkcs1Of is the inverse of pkcs8Of.
func pkcs1Of(pkcs8 []byte) (pkcs1 []byte, ok bool) {
	body, _, ok := derValue(pkcs8, 0x30)
	if !ok || len(body) < len(pkcs8Head) || string(body[:len(pkcs8Head)]) != string(pkcs8Head) {
		return nil, false
	}
	content, _, ok := derValue(body[len(pkcs8Head):], 0x04)
	return append([]byte(nil), content...), ok
}
