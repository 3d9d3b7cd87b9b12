package ozeki

import (
	"syscall/js"
	"testing"
)

// answers returns where the page's own server gives package ozekitest's answers.
func answers(testing.TB) string {
	return js.Global().Get("location").Get("origin").String() + "/answer/"
}

func TestThePrivateKeyCannotBeReadBack(t *testing.T) {
	s := schemeNamed(t, "")
	private, _ := testKeys(t, s)
	signing, unwrapping := private.Handles()
	for _, handle := range []js.Value{signing, unwrapping} {
		if handle.Get("extractable").Bool() {
			t.Error("the key is extractable")
		}
		for _, format := range []string{"pkcs8", "jwk"} {
			exported, err := await(func(subtle js.Value) js.Value { return subtle.Call("exportKey", format, handle) })
			if err == nil {
				t.Errorf("the key was exported as %s: %v", format, exported)
			}
		}
	}
}

// A page that was closed and opened again goes on with the key that IndexedDB kept.
func TestTheKeySurvivesInIndexedDB(t *testing.T) {
	s := schemeNamed(t, "sha512")
	private, public := testKeys(t, s)
	secret, err := s.WrapKey(t.Context(), public, make([]byte, ConversationKeySize))
	if err != nil {
		t.Fatal(err)
	}
	signing, unwrapping := private.Handles()
	// Each request of IndexedDB is made a promise of its result.
	result := func(request js.Value, upgrade func()) js.Value {
		t.Helper()
		promise := js.Global().Get("Promise").Call("withResolvers")
		on := js.FuncOf(func(_ js.Value, args []js.Value) any {
			switch args[0].Get("type").String() {
			case "upgradeneeded":
				upgrade()
			case "success":
				promise.Call("resolve", request.Get("result"))
			default:
				promise.Call("reject", request.Get("error"))
			}
			return nil
		})
		defer on.Release()
		for _, event := range []string{"onsuccess", "onerror", "onupgradeneeded"} {
			request.Set(event, on)
		}
		v, err := awaitValue(func() js.Value { return promise.Get("promise") })
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	open := js.Global().Get("indexedDB").Call("open", "keys", 1)
	db := result(open, func() { open.Get("result").Call("createObjectStore", "keys") })
	defer db.Call("close")
	store := func() js.Value { return db.Call("transaction", "keys", "readwrite").Call("objectStore", "keys") }
	result(store().Call("put", signing, "sign"), nil)
	result(store().Call("put", unwrapping, "unwrap"), nil)
	kept := PrivateKeyFromHandles(result(store().Call("get", "sign"), nil), result(store().Call("get", "unwrap"), nil))

	signature, err := s.Sign(t.Context(), kept, []byte(requestBody))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Verify(t.Context(), public, []byte(requestBody), signature); err != nil {
		t.Error(err)
	}
	if key, err := s.UnwrapKey(t.Context(), kept, secret); err != nil || len(key) != ConversationKeySize {
		t.Errorf("unwrapped %x, %v", key, err)
	}
}

// What JavaScript throws must not end the program: a panic anywhere ends it.
func TestWhatJavaScriptThrowsIsAnError(t *testing.T) {
	broken := PrivateKeyFromHandles(js.Undefined(), js.Undefined())
	if _, err := broken.sign(t.Context(), nil); err == nil {
		t.Error("signed without a key")
	}
	if _, err := broken.unwrap(t.Context(), nil); err == nil {
		t.Error("unwrapped without a key")
	}
	for name, start := range map[string]func() js.Value{
		"no such function": func() js.Value { return js.Global().Call("noSuchFunction") },
		"no such object":   func() js.Value { return js.Global().Get("noSuchObject").Call("f") },
		"not a promise":    func() js.Value { return js.ValueOf(1) },
		"throws":           func() js.Value { return js.Global().Get("JSON").Call("parse", "{") },
		"rejects":          func() js.Value { return js.Global().Get("Promise").Call("reject", "reason") },
		"rejects nothing":  func() js.Value { return js.Global().Get("Promise").Call("reject") },
		"rejects an object": func() js.Value {
			return js.Global().Get("Promise").Call("reject", js.Global().Get("Object").New())
		},
	} {
		if v, err := awaitValue(start); err == nil {
			t.Errorf("%s: got %v, want an error", name, v)
		}
	}
}

func blobOf(b []byte) Blob { return Blob{toJS(b)} }

func bytesOf(b Blob) []byte {
	content, err := b.buffer()
	if err != nil {
		return nil
	}
	return toGo(view(content))
}
