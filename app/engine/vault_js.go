//go:build js

package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall/js"
	"time"

	"starling/app/state"
	"starling/ozeki"
	"starling/ozeki/json"
)

const (
	dbName    = "starling"
	dbVersion = 1
	dbStore   = "vault"
	dbKey     = "session"
	// Files have a database of their own: the session's is read and written at every change of it.
	filesName  = "starling-files"
	filesStore = "files"
	// So has what can be had anew. Its records are {iv, data, used, until}; beside them is the key that encrypts them.
	shelfName  = "starling-shelf"
	shelfStore = "shelf"
	shelfKey   = "key"
	// signedInMark in localStorage tells the boot script, before the program is there, that somebody is signed in: it is the
	// station.
	signedInMark = "starling.signedin"
	// jotKey in localStorage holds what was jotted: localStorage is the one place that is written at once.
	jotKey = "starling.jot"
)

// A message of the queue is a record beside the session, in the same transactions, under an array: [waitingKey, conversation,
// place, id], or [refusedKey, conversation, id] once the server has refused it.
const (
	waitingKey = "waiting"
	refusedKey = "refused"
)

// idb is the browser's Vault: a record for the session in IndexedDB, and one for each message of the queue. The two CryptoKeys
// are stored as such (structured clone keeps them non-extractable), the rest as JSON beside them.
type idb struct{}

// NewVault returns the platform's Vault.
func NewVault() Vault { return idb{} }

// markSignedIn changes the mark by a call of first.js's storage, which never throws: the mark only chooses what the page
// shows before the program is there.
func markSignedIn(call string, args ...any) {
	js.Global().Get("starling").Get("storage").Call(call, args...)
}

type keptJSON struct {
	UserID     ozeki.UserID           `json:"userid"`
	Station    ozeki.StationID        `json:"station"`
	PublicKey  string                 `json:"publickey"`
	Extensions []string               `json:"extensions,omitempty"`
	URLs       map[string]string      `json:"urls,omitempty"`
	Limits     map[string]int64       `json:"limits,omitempty"`
	Name       string                 `json:"name"`
	Cursor     int64                  `json:"cursor"`
	Offset     time.Duration          `json:"offset,omitempty"`
	Order      []ozeki.ConversationID `json:"order,omitempty"`
	Wishes     keptWishes             `json:"wishes,omitempty"`
	// Waiting was the queue before its messages had records of their own. A tab of that version may still write it.
	Waiting    []Waiting                               `json:"waiting,omitempty"`
	Read       map[ozeki.ConversationID]Read           `json:"read,omitempty"`
	ReadSince  time.Time                               `json:"readsince,omitzero"`
	Drafts     map[ozeki.ConversationID]string         `json:"drafts,omitempty"`
	DraftFiles map[ozeki.ConversationID][]ozeki.FileID `json:"draftfiles,omitempty"`
	Ended      bool                                    `json:"ended,omitempty"`
}

func (v idb) Load(ctx context.Context) (*Kept, error) {
	var record, queue js.Value
	err := withStore(ctx, dbName, dbStore, "readonly", func(store js.Value) {
		onResult(store.Call("get", dbKey), func(v js.Value) { record = v })
		onResult(store.Call("getAllKeys", wholeQueue()), func(v js.Value) { queue = v })
	})
	if err != nil {
		return nil, fmt.Errorf("read the kept session: %w", err)
	}
	if !record.Truthy() {
		markSignedIn("remove", signedInMark)
		return nil, nil
	}
	k, old, err := fromRecord(record)
	if err != nil {
		return nil, err
	}
	if len(old) > 0 {
		if err := v.Update(ctx, func(*Kept) {}); err != nil {
			return nil, err
		}
		return v.Load(ctx)
	}
	if k.Ended {
		markSignedIn("remove", signedInMark)
	} else { // an earlier version's mark was another one
		markSignedIn("set", signedInMark, string(k.Session.Station))
	}
	for i := range queue.Length() {
		k.Waiting = append(k.Waiting, outlineOf(queue.Index(i)))
	}
	return k, nil
}

// fromRecord reads a session's record. old is the queue that an earlier version has left in it.
func fromRecord(record js.Value) (kept *Kept, old []Waiting, err error) {
	var k keptJSON
	sign, unwrap := record.Get("sign"), record.Get("unwrap")
	if record.Get("json").Type() != js.TypeString {
		return nil, nil, errors.New("the kept session is damaged")
	}
	if err := json.Unmarshal([]byte(record.Get("json").String()), &k); err != nil {
		return nil, nil, fmt.Errorf("the kept session is damaged: %w", err)
	}
	var key *ozeki.PrivateKey
	if !k.Ended {
		if !sign.Truthy() || !unwrap.Truthy() {
			return nil, nil, errors.New("the kept session is damaged")
		}
		key = ozeki.PrivateKeyFromHandles(sign, unwrap)
	}
	return &Kept{
		Session: ozeki.Session{
			UserID: k.UserID, Station: k.Station, Key: key,
			PublicKey: k.PublicKey, Extensions: k.Extensions, URLs: k.URLs, Limits: k.Limits,
		},
		Name: k.Name, Cursor: k.Cursor, Offset: k.Offset, Order: k.Order, Wishes: state.Wishes(k.Wishes), Drafts: k.Drafts, DraftFiles: k.DraftFiles,
		Read: k.Read, ReadSince: k.ReadSince, Ended: k.Ended,
	}, k.Waiting, nil
}

func toRecord(k *Kept) (js.Value, error) {
	b, err := json.Marshal(keptJSON{
		UserID: k.Session.UserID, Station: k.Session.Station, PublicKey: k.Session.PublicKey, Extensions: k.Session.Extensions, URLs: k.Session.URLs, Limits: k.Session.Limits,
		Name: k.Name, Cursor: k.Cursor, Offset: k.Offset, Order: k.Order, Wishes: keptWishes(k.Wishes), Drafts: k.Drafts, DraftFiles: k.DraftFiles,
		Read: k.Read, ReadSince: k.ReadSince, Ended: k.Ended,
	})
	if err != nil {
		return js.Undefined(), err
	}
	record := js.Global().Get("Object").New()
	record.Set("json", string(b))
	if !k.Ended {
		sign, unwrap := k.Session.Key.Handles()
		record.Set("sign", sign)
		record.Set("unwrap", unwrap)
	}
	return record, nil
}

func (idb) Save(ctx context.Context, k *Kept) error {
	record, err := toRecord(k)
	if err == nil {
		err = withStore(ctx, dbName, dbStore, "readwrite", func(store js.Value) {
			onResult(store.Call("get", dbKey), func(v js.Value) {
				var was *Kept
				var old []Waiting
				if v.Truthy() {
					was, old, _ = fromRecord(v)
				}
				if was == nil || was.Session.UserID != k.Session.UserID {
					store.Call("delete", wholeQueue())
					old = nil
				}
				store.Call("put", record, dbKey)
				queueAll(store, old)
			})
		})
	}
	if err != nil {
		return fmt.Errorf("keep the session on this device: %w", err)
	}
	markSignedIn("set", signedInMark, string(k.Session.Station))
	askForPersistence()
	return nil
}

// askForPersistence asks the browser not to clear what is kept when the disk runs full. Somebody has just signed in, so that
// the question, where one is put, is about something.
func askForPersistence() {
	go ozeki.Await(func() js.Value { return js.Global().Get("navigator").Get("storage").Call("persist") }) // a refusal changes nothing
}

func (idb) Update(ctx context.Context, change func(*Kept)) error {
	var failed error
	err := withStore(ctx, dbName, dbStore, "readwrite", func(store js.Value) {
		onResult(store.Call("get", dbKey), func(v js.Value) {
			if !v.Truthy() {
				return
			}
			k, old, err := fromRecord(v)
			if err == nil {
				change(k)
				var record js.Value
				if record, err = toRecord(k); err == nil {
					store.Call("put", record, dbKey)
					queueAll(store, old)
				}
			}
			failed = err
		})
	})
	if err = errors.Join(err, failed); err != nil {
		return fmt.Errorf("keep a change on this device: %w", err)
	}
	return nil
}

func (idb) Jot(text string) {
	if text == "" {
		markSignedIn("remove", jotKey)
	} else {
		markSignedIn("set", jotKey, text)
	}
}

func (idb) Jotted() string {
	return js.Global().Get("starling").Get("storage").Call("get", jotKey).String()
}

func (idb) Wipe(ctx context.Context) error {
	markSignedIn("clear")
	var failed error
	for _, of := range [...]struct{ db, store, what string }{
		{dbName, dbStore, "the session"}, {filesName, filesStore, "the files"}, {shelfName, shelfStore, "what was kept for reading offline"},
	} {
		if err := withStore(ctx, of.db, of.store, "readwrite", func(store js.Value) { store.Call("clear") }); err != nil {
			failed = errors.Join(failed, fmt.Errorf("remove %s from this device: %w", of.what, err))
		}
	}
	return failed
}

func (idb) Shelve(ctx context.Context, owner string, records ...Record) error {
	err := shelve(ctx, owner, records)
	if err != nil {
		return fmt.Errorf("keep messages for reading offline: %w", err)
	}
	return nil
}

func shelve(ctx context.Context, owner string, records []Record) error {
	var key js.Value
	keeps := slices.ContainsFunc(records, func(r Record) bool { return r.Data != nil })
	if keeps { // nothing is made for what only removes
		var err error
		if key, err = theShelfKey(ctx); err != nil {
			return err
		}
	}
	sealed := make([]js.Value, len(records))
	for i, r := range records {
		if r.Data == nil {
			continue
		}
		o := js.Global().Get("Object").New()
		o.Set("iv", js.Global().Get("crypto").Call("getRandomValues", js.Global().Get("Uint8Array").New(12)))
		data, err := ozeki.Await(func() js.Value {
			return subtle().Call("encrypt", shelfParams(o.Get("iv"), owner, r.Name), key, jsBytes(r.Data))
		})
		if err != nil {
			return err
		}
		o.Set("data", data)
		o.Set("used", r.Used.UnixMilli())
		if !r.Until.IsZero() {
			o.Set("until", r.Until.UnixMilli())
		}
		sealed[i] = o
	}
	return withStore(ctx, shelfName, shelfStore, "readwrite", func(store js.Value) {
		onResult(store.Call("get", shelfKey), func(v js.Value) {
			if keeps && !v.Truthy() { // wiped meanwhile
				return
			}
			for i, r := range records {
				if r.Data == nil {
					store.Call("delete", r.Name)
				} else {
					store.Call("put", sealed[i], r.Name)
				}
			}
		})
	})
}

// theShelfKey returns the key of the shelf, which is made where there is none. Of two tabs that make one at once both get
// the same.
func theShelfKey(ctx context.Context) (key js.Value, err error) {
	read := func(store js.Value) { onResult(store.Call("get", shelfKey), func(v js.Value) { key = v }) }
	if err := withStore(ctx, shelfName, shelfStore, "readonly", read); err != nil || key.Truthy() {
		return key, err
	}
	made, err := ozeki.Await(func() js.Value {
		return subtle().Call("generateKey", map[string]any{"name": "AES-GCM", "length": 256}, false, []any{"encrypt", "decrypt"})
	})
	if err != nil {
		return key, err
	}
	err = withStore(ctx, shelfName, shelfStore, "readwrite", func(store js.Value) {
		onResult(store.Call("get", shelfKey), func(v js.Value) {
			if key = v; !v.Truthy() {
				key = made
				store.Call("put", made, shelfKey)
			}
		})
	})
	return key, err
}

func subtle() js.Value { return js.Global().Get("crypto").Get("subtle") }

// shelfParams binds a record to its owner and name.
func shelfParams(iv js.Value, owner, name string) map[string]any {
	return map[string]any{"name": "AES-GCM", "iv": iv, "additionalData": jsBytes([]byte(owner + "/" + name))}
}

func jsBytes(b []byte) js.Value {
	a := js.Global().Get("Uint8Array").New(len(b))
	js.CopyBytesToJS(a, b)
	return a
}

func (idb) Shelved(ctx context.Context, owner string, names ...string) ([][]byte, error) {
	var key js.Value
	records := make([]js.Value, len(names))
	err := withStore(ctx, shelfName, shelfStore, "readonly", func(store js.Value) {
		onResult(store.Call("get", shelfKey), func(v js.Value) { key = v })
		for i, name := range names {
			onResult(store.Call("get", name), func(v js.Value) { records[i] = v })
		}
	})
	if err != nil {
		return nil, fmt.Errorf("read what was kept for reading offline: %w", err)
	}
	out := make([][]byte, len(names))
	for i, r := range records {
		if !r.Truthy() || !key.Truthy() {
			continue
		}
		data, err := ozeki.Await(func() js.Value {
			return subtle().Call("decrypt", shelfParams(r.Get("iv"), owner, names[i]), key, r.Get("data"))
		})
		if err != nil {
			continue // another owner's, or damaged: it counts as not there
		}
		bytes := js.Global().Get("Uint8Array").New(data)
		out[i] = make([]byte, bytes.Length())
		js.CopyBytesToGo(out[i], bytes)
	}
	return out, nil
}

func (idb) Shelf(ctx context.Context) (all []Record, err error) {
	var names, records js.Value
	err = withStore(ctx, shelfName, shelfStore, "readonly", func(store js.Value) {
		onResult(store.Call("getAllKeys"), func(v js.Value) { names = v })
		onResult(store.Call("getAll"), func(v js.Value) { records = v })
	})
	if err != nil {
		return nil, fmt.Errorf("read what was kept for reading offline: %w", err)
	}
	at := func(v js.Value) (t time.Time) {
		if v.Type() == js.TypeNumber {
			t = time.UnixMilli(int64(v.Float()))
		}
		return t
	}
	for i := range names.Length() {
		if name := names.Index(i).String(); name != shelfKey {
			r := records.Index(i)
			all = append(all, Record{Name: name, Used: at(r.Get("used")), Until: at(r.Get("until"))})
		}
	}
	return all, nil
}

func (idb) KeepFile(ctx context.Context, id ozeki.FileID, sealed ozeki.Blob) error {
	err := withStore(ctx, filesName, filesStore, "readwrite", func(store js.Value) { store.Call("put", sealed.Value, string(id)) })
	if err != nil {
		return fmt.Errorf("keep the file on this device: %w", err)
	}
	return nil
}

func (idb) File(ctx context.Context, id ozeki.FileID) (ozeki.Blob, bool, error) {
	var kept js.Value
	err := withStore(ctx, filesName, filesStore, "readonly", func(store js.Value) {
		onResult(store.Call("get", string(id)), func(v js.Value) { kept = v })
	})
	if err != nil {
		return ozeki.Blob{}, false, fmt.Errorf("read the kept file: %w", err)
	}
	return ozeki.Blob{Value: kept}, kept.Truthy(), nil
}

func (idb) ForgetFiles(ctx context.Context, ids []ozeki.FileID) error {
	err := withStore(ctx, filesName, filesStore, "readwrite", func(store js.Value) {
		for _, id := range ids {
			store.Call("delete", string(id))
		}
	})
	if err != nil {
		return fmt.Errorf("remove files from this device: %w", err)
	}
	return nil
}

// onResult calls f with the result of a request, within its transaction. A request of f that throws ends the transaction.
func onResult(request js.Value, f func(js.Value)) {
	var fn js.Func
	fn = js.FuncOf(func(js.Value, []js.Value) any {
		fn.Release()
		defer func() {
			if recover() != nil {
				defer func() { _ = recover() }() // it has ended already
				request.Get("transaction").Call("abort")
			}
		}()
		f(request.Get("result"))
		return nil
	})
	request.Set("onsuccess", fn)
}

// withStore opens the database, makes requests in a transaction and returns once it is durable (complete). The requests
// may make further ones when they have their results (onResult).
func withStore(ctx context.Context, name, store, mode string, requests func(store js.Value)) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	factory := js.Global().Get("indexedDB")
	if !factory.Truthy() {
		return errors.New("this browser has no IndexedDB, or it is switched off")
	}
	open := factory.Call("open", name, dbVersion)
	upgrade := js.FuncOf(func(js.Value, []js.Value) any {
		open.Get("result").Call("createObjectStore", store)
		return nil
	})
	defer upgrade.Release()
	open.Set("onupgradeneeded", upgrade)
	if err := event(ctx, open, "success", "error"); err != nil { // one that is blocked goes on when the other tab lets go
		return err
	}
	db := open.Get("result")
	defer db.Call("close")
	tx := db.Call("transaction", store, mode, map[string]any{"durability": "strict"})
	requests(tx.Call("objectStore", store))
	return event(ctx, tx, "complete", "error", "abort")
}

// event waits for one of the named events of target: nil for the first, the target's error for the others.
func event(ctx context.Context, target js.Value, good string, bad ...string) error {
	done := make(chan error, 1+len(bad))
	onGood := js.FuncOf(func(js.Value, []js.Value) any { done <- nil; return nil })
	defer onGood.Release()
	target.Set("on"+good, onGood)
	onBad := js.FuncOf(func(_ js.Value, args []js.Value) any {
		text := args[0].Get("type").String()
		if e := target.Get("error"); e.Truthy() {
			text = strings.TrimSpace(e.Get("name").String() + " " + e.Get("message").String()) // some have no message
		}
		args[0].Call("preventDefault")
		done <- errors.New(text)
		return nil
	})
	defer onBad.Release()
	for _, name := range bad {
		target.Set("on"+name, onBad)
	}
	defer func() {
		for _, name := range append(bad, good) {
			target.Set("on"+name, js.Null())
		}
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// channel is the browser's Neighbours: a BroadcastChannel.
type channel struct{ bc js.Value }

// NewNeighbours returns the platform's Neighbours.
func NewNeighbours() Neighbours { return channel{js.Global().Get("BroadcastChannel").New("starling")} }

func (c channel) Tell(n Note) {
	if b, err := json.Marshal(n); err == nil {
		c.bc.Call("postMessage", string(b))
	}
}

func (c channel) Lead(f func()) {
	go ozeki.Await(func() js.Value {
		return js.Global().Get("navigator").Get("locks").Call("request", "starling-shelf", js.FuncOf(func(js.Value, []js.Value) any {
			go f()
			return js.Global().Get("Promise").New(js.FuncOf(func(js.Value, []js.Value) any { return nil })) // held until the tab goes
		}))
	}) // where there are no locks nobody leads
}

func (c channel) Listen(f func(Note)) {
	c.bc.Set("onmessage", js.FuncOf(func(_ js.Value, args []js.Value) any {
		var n Note
		if data := args[0].Get("data"); data.Type() == js.TypeString && json.Unmarshal([]byte(data.String()), &n) == nil {
			go f(n)
		}
		return nil
	}))
}
