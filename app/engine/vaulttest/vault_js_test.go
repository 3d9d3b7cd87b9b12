//go:build js

package vaulttest

import (
	"context"
	"os"
	"strings"
	"syscall/js"
	"testing"
	"time"

	"starling/app/engine"
	"starling/app/state"
	"starling/ozeki"
)

// TestMain gives the page what boot.js gives the product's.
func TestMain(m *testing.M) {
	storage := js.Global().Get("localStorage")
	call := func(method string) js.Func {
		return js.FuncOf(func(_ js.Value, args []js.Value) any {
			in := make([]any, len(args))
			for i, a := range args {
				in[i] = a
			}
			v := storage.Call(method, in...)
			if v.IsNull() || v.IsUndefined() {
				return ""
			}
			return v
		})
	}
	js.Global().Set("starling", map[string]any{"storage": map[string]any{
		"get": call("getItem"), "set": call("setItem"), "remove": call("removeItem"), "clear": call("clear"),
	}})
	os.Exit(m.Run())
}

// request waits for a request of IndexedDB.
func request(t *testing.T, r js.Value) js.Value {
	t.Helper()
	v, err := ozeki.Await(func() js.Value {
		return js.Global().Get("Promise").New(js.FuncOf(func(_ js.Value, args []js.Value) any {
			good, bad := args[0], args[1]
			r.Set("onsuccess", js.FuncOf(func(js.Value, []js.Value) any { good.Invoke(r.Get("result")); return nil }))
			r.Set("onerror", js.FuncOf(func(js.Value, []js.Value) any { bad.Invoke(r.Get("error")); return nil }))
			return nil
		}))
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// What the version before conversations were kept has left on a device is taken over: the session, the messages that
// wait and the wishes, in the form of stars alone too. Nothing is lost by keeping conversations beside it.
func TestWhatAnEarlierVersionKeptIsTakenOver(t *testing.T) {
	ctx := context.Background()
	v := wiped(t)
	for _, name := range []string{"starling", "starling-shelf"} {
		request(t, js.Global().Get("indexedDB").Call("deleteDatabase", name))
	}
	open := js.Global().Get("indexedDB").Call("open", "starling", 1)
	open.Set("onupgradeneeded", js.FuncOf(func(js.Value, []js.Value) any {
		open.Get("result").Call("createObjectStore", "vault")
		return nil
	}))
	db := request(t, open)
	keys, err := ozeki.Await(func() js.Value {
		subtle := js.Global().Get("crypto").Get("subtle")
		exponent := js.Global().Get("Uint8Array").New(3)
		js.CopyBytesToJS(exponent, []byte{1, 0, 1})
		rsa := func(name string, uses ...any) js.Value {
			return subtle.Call("generateKey", map[string]any{"name": name, "modulusLength": 2048, "publicExponent": exponent, "hash": "SHA-256"}, false, uses)
		}
		return js.Global().Get("Promise").Call("all", []any{rsa("RSASSA-PKCS1-v1_5", "sign", "verify"), rsa("RSA-OAEP", "encrypt", "decrypt")})
	})
	if err != nil {
		t.Fatal(err)
	}
	const conversation, other = "8ca16186c36a4e0a1ef2096e6c60b613", "9ca16186c36a4e0a1ef2096e6c60b613"
	record := map[string]any{
		"sign": keys.Index(0).Get("privateKey"), "unwrap": keys.Index(1).Get("privateKey"),
		"json": `{"userid":"aa68d2204cb2bb85f2de3b9aad0d86d7","station":"` + station + `","publickey":"MIIB","extensions":["cursor"],"name":"Alice","cursor":4711,` +
			`"wishes":{"` + conversation + `":true},"waiting":[{"conversation":"` + conversation + `","id":"fc2515cb-e483-4f64-936b-98f680565c96","created":"2024-03-08T14:12:48Z","data":"sealed"},` +
			`{"conversation":"` + conversation + `","id":"ac2515cb-e483-4f64-936b-98f680565c96","created":"2024-03-08T14:12:49Z","data":"sealed later"}]}`,
	}
	request(t, db.Call("transaction", "vault", "readwrite").Call("objectStore", "vault").Call("put", record, "session"))
	// The tab of that version stays open, and lets its connection stand.

	check := func() {
		t.Helper()
		k, err := v.Load(ctx)
		if err != nil || k == nil {
			t.Fatal("nothing is taken over: ", err)
		}
		if k.Name != "Alice" || k.Session.Station != station || k.Cursor != 4711 || k.Wishes[conversation][state.FlagFavorite] != state.On ||
			len(k.Waiting) != 2 || k.Session.Key == nil {
			t.Errorf("taken over: %+v", k)
		}
		all, err := v.Queued(ctx)
		if err != nil || len(all) != 2 || all[0].Data != "sealed" || all[1].Data != "sealed later" || all[0].Place >= all[1].Place || all[0].Created.IsZero() {
			t.Errorf("taken over: %+v, %v", all, err)
		}
	}
	check()
	shelve(t, v, station, engine.Record{Name: "head", Data: []byte("[]")})
	if got := shelved(t, v, station, "head"); got != "[]" {
		t.Errorf("kept beside it: %s", got)
	}
	if err := v.Update(ctx, func(k *engine.Kept) { k.Order = []ozeki.ConversationID{conversation} }); err != nil {
		t.Error(err)
	}
	check()

	// It goes on writing as it did, beside a tab of this one.
	session := request(t, db.Call("transaction", "vault").Call("objectStore", "vault").Call("get", "session"))
	if text := session.Get("json").String(); strings.Contains(text, "sealed") {
		t.Errorf("what was taken over still stands in the session: %s", text)
	}
	session.Delete("rev") // of which that version knows nothing, nor of what is encrypted
	session.Set("json", strings.TrimSuffix(session.Get("json").String(), "}")+
		`,"name":"","cursor":0,"wishes":{"`+other+`":{"mute":"on"}},"drafts":{"`+other+`":"sealed there"},"waiting":[{"conversation":"`+conversation+`","id":"bc2515cb-e483-4f64-936b-98f680565c96","created":"2024-03-08T14:12:50Z","data":"of the old tab"}]}`)
	request(t, db.Call("transaction", "vault", "readwrite").Call("objectStore", "vault").Call("put", session, "session"))
	if k, err := v.Load(ctx); err != nil || len(k.Waiting) != 3 || k.Name != "Alice" || k.Cursor != 4711 || len(k.Order) != 1 || len(k.Wishes) != 2 || k.Drafts[other] == "" {
		t.Errorf("of the old tab is taken over: %+v, %v", k, err)
	}
	session = request(t, db.Call("transaction", "vault").Call("objectStore", "vault").Call("get", "session"))
	if text := session.Get("json").String(); strings.Contains(text, other) || strings.Contains(text, "sealed") {
		t.Errorf("what the old tab has kept still stands in clear: %s", text)
	}
	if all, err := v.Queued(ctx); err != nil || len(all) != 3 || all[2].Data != "of the old tab" {
		t.Errorf("the queue: %+v, %v", all, err)
	}
	db.Call("close")
}

// The key cannot be read by a script, and what it encrypts does not stand there in clear.
func TestRecordsAreEncryptedUnderAKeyThatCannotBeRead(t *testing.T) {
	v := wiped(t)
	shelve(t, v, station, engine.Record{Name: "a", Data: []byte("the secret text")})
	db := request(t, js.Global().Get("indexedDB").Call("open", "starling-shelf"))
	defer db.Call("close")
	store := func() js.Value { return db.Call("transaction", "shelf").Call("objectStore", "shelf") }
	key := request(t, store().Call("get", "key"))
	if key.Get("extractable").Bool() || key.Get("algorithm").Get("name").String() != "AES-GCM" || key.Get("algorithm").Get("length").Int() != 256 {
		t.Error("the key is another one than it should be")
	}
	if _, err := ozeki.Await(func() js.Value { return js.Global().Get("crypto").Get("subtle").Call("exportKey", "raw", key) }); err == nil {
		t.Error("the key can be read")
	}
	data := js.Global().Get("Uint8Array").New(request(t, store().Call("get", "a")).Get("data"))
	raw := make([]byte, data.Length())
	js.CopyBytesToGo(raw, data)
	if len(raw) != len("the secret text")+16 {
		t.Errorf("%d bytes are kept", len(raw))
	}

	// Damaged, it counts as not there; so does what was moved to another name.
	moved := request(t, store().Call("get", "a"))
	request(t, db.Call("transaction", "shelf", "readwrite").Call("objectStore", "shelf").Call("put", moved, "b"))
	if got := shelved(t, v, station, "a", "b"); got != "the secret text, nothing" {
		t.Errorf("kept: %s", got)
	}
}

// Of what is kept of the user only what is needed before anything is decrypted stands there in clear.
func TestWhatIsKeptOfTheUserIsEncrypted(t *testing.T) {
	ctx := context.Background()
	v := wiped(t)
	if err := v.Save(ctx, wholeOf(anna)); err != nil {
		t.Fatal(err)
	}
	if err := v.Update(ctx, func(k *engine.Kept) { k.Cursor++ }); err != nil {
		t.Fatal(err)
	}
	db := request(t, js.Global().Get("indexedDB").Call("open", "starling"))
	defer db.Call("close")
	store := func(mode string) js.Value { return db.Call("transaction", "vault", mode).Call("objectStore", "vault") }
	text := request(t, store("readonly").Call("get", "session")).Get("json").String()
	for _, secret := range []string{"Ash", "4712", string(here), string(there), "7sSw", "sealed"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q stands in clear: %s", secret, text)
		}
	}
	own := request(t, store("readonly").Call("get", "private"))
	if key := own.Get("key"); key.Get("extractable").Bool() || key.Get("algorithm").Get("length").Int() != 256 {
		t.Error("the key is another one than it should be")
	}

	// What is damaged, or another user's, is an error and not somebody's.
	data := js.Global().Get("Uint8Array").New(own.Get("data"))
	data.SetIndex(0, data.Index(0).Int()^1)
	request(t, store("readwrite").Call("put", own, "private"))
	if k, err := v.Load(ctx); err == nil || k != nil {
		t.Errorf("damaged, %+v is kept: %v", k, err)
	}
	if err := v.Save(ctx, wholeOf(anna)); err != nil {
		t.Fatal(err)
	}
	own = request(t, store("readonly").Call("get", "private"))
	if err := v.Save(ctx, wholeOf(berta)); err != nil {
		t.Fatal(err)
	}
	request(t, store("readwrite").Call("put", own, "private"))
	if k, err := v.Load(ctx); err == nil || k != nil {
		t.Errorf("of another user is kept %+v: %v", k, err)
	}
}

// A part of the store that cannot be wiped keeps the others from nothing.
func TestAWipeTakesAllThatItCan(t *testing.T) {
	ctx := context.Background()
	v := wiped(t)
	shelve(t, v, station, engine.Record{Name: "a", Data: []byte("private"), Used: time.Now()})
	factory := js.Global().Get("indexedDB")
	open := factory.Get("open")
	broken := js.FuncOf(func(_ js.Value, args []js.Value) any {
		if args[0].String() == "starling" {
			return nil // no request
		}
		return open.Call("call", factory, args[0], args[1])
	})
	defer broken.Release()
	factory.Set("open", broken)
	err := v.Wipe(ctx)
	factory.Delete("open")
	if err == nil || !strings.Contains(err.Error(), "the session") || strings.Contains(err.Error(), "files") {
		t.Errorf("it says %v", err)
	}
	if all, err := v.Shelf(ctx); err != nil || len(all) != 0 {
		t.Errorf("%d records are left: %v", len(all), err)
	}
}
