//go:build js

package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"syscall/js"

	"starling/ozeki"
)

const (
	dbName    = "starling"
	dbVersion = 1
	dbStore   = "vault"
	dbKey     = "session"
	// signedInMark in localStorage tells the boot script, before the program is there, that somebody is signed in.
	signedInMark = "starling.signedin"
)

// idb is the browser's Vault: one record in IndexedDB. The two CryptoKeys are stored as such (structured clone keeps
// them non-extractable), the rest as JSON beside them.
type idb struct{}

// NewVault returns the platform's Vault.
func NewVault() Vault { return idb{} }

type keptJSON struct {
	UserID     ozeki.UserID                  `json:"userid"`
	Station    ozeki.StationID               `json:"station"`
	PublicKey  string                        `json:"publickey"`
	Extensions []string                      `json:"extensions,omitempty"`
	URLs       map[string]string             `json:"urls,omitempty"`
	Name       string                        `json:"name"`
	Cursor     int64                         `json:"cursor"`
	Order      []ozeki.ConversationID        `json:"order,omitempty"`
	Wishes     map[ozeki.ConversationID]bool `json:"wishes,omitempty"`
}

func (idb) Load(ctx context.Context) (*Kept, error) {
	record, err := withStore(ctx, "readonly", func(store js.Value) js.Value { return store.Call("get", dbKey) })
	if err != nil {
		return nil, fmt.Errorf("read the kept session: %w", err)
	}
	if !record.Truthy() {
		js.Global().Get("localStorage").Call("removeItem", signedInMark)
		return nil, nil
	}
	var k keptJSON
	sign, unwrap := record.Get("sign"), record.Get("unwrap")
	if record.Get("json").Type() != js.TypeString || !sign.Truthy() || !unwrap.Truthy() {
		return nil, errors.New("the kept session is damaged")
	}
	if err := json.Unmarshal([]byte(record.Get("json").String()), &k); err != nil {
		return nil, fmt.Errorf("the kept session is damaged: %w", err)
	}
	return &Kept{
		Session: ozeki.Session{
			UserID: k.UserID, Station: k.Station, Key: ozeki.PrivateKeyFromHandles(sign, unwrap),
			PublicKey: k.PublicKey, Extensions: k.Extensions, URLs: k.URLs,
		},
		Name: k.Name, Cursor: k.Cursor, Order: k.Order, Wishes: k.Wishes,
	}, nil
}

func (idb) Save(ctx context.Context, k *Kept) error {
	b, err := json.Marshal(keptJSON{
		UserID: k.Session.UserID, Station: k.Session.Station, PublicKey: k.Session.PublicKey, Extensions: k.Session.Extensions, URLs: k.Session.URLs,
		Name: k.Name, Cursor: k.Cursor, Order: k.Order, Wishes: k.Wishes,
	})
	if err != nil {
		return err
	}
	sign, unwrap := k.Session.Key.Handles()
	record := js.Global().Get("Object").New()
	record.Set("json", string(b))
	record.Set("sign", sign)
	record.Set("unwrap", unwrap)
	if _, err := withStore(ctx, "readwrite", func(store js.Value) js.Value { return store.Call("put", record, dbKey) }); err != nil {
		return fmt.Errorf("keep the session on this device: %w", err)
	}
	js.Global().Get("localStorage").Call("setItem", signedInMark, "1")
	return nil
}

func (idb) Wipe(ctx context.Context) error {
	js.Global().Get("localStorage").Call("removeItem", signedInMark)
	if _, err := withStore(ctx, "readwrite", func(store js.Value) js.Value { return store.Call("clear") }); err != nil {
		return fmt.Errorf("remove the session from this device: %w", err)
	}
	return nil
}

// withStore opens the database, runs one request in a transaction and returns its result once the transaction is
// durable (complete).
func withStore(ctx context.Context, mode string, request func(store js.Value) js.Value) (result js.Value, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	factory := js.Global().Get("indexedDB")
	if !factory.Truthy() {
		return js.Undefined(), errors.New("this browser has no IndexedDB, or it is switched off")
	}
	open := factory.Call("open", dbName, dbVersion)
	upgrade := js.FuncOf(func(js.Value, []js.Value) any {
		open.Get("result").Call("createObjectStore", dbStore)
		return nil
	})
	defer upgrade.Release()
	open.Set("onupgradeneeded", upgrade)
	if err := event(ctx, open, "success", "error", "blocked"); err != nil {
		return js.Undefined(), err
	}
	db := open.Get("result")
	defer db.Call("close")
	tx := db.Call("transaction", dbStore, mode, map[string]any{"durability": "strict"})
	req := request(tx.Call("objectStore", dbStore))
	if err := event(ctx, tx, "complete", "error", "abort"); err != nil {
		return js.Undefined(), err
	}
	return req.Get("result"), nil
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
			text = e.Get("message").String()
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

func (c channel) Listen(f func(Note)) {
	c.bc.Set("onmessage", js.FuncOf(func(_ js.Value, args []js.Value) any {
		var n Note
		if data := args[0].Get("data"); data.Type() == js.TypeString && json.Unmarshal([]byte(data.String()), &n) == nil {
			go f(n)
		}
		return nil
	}))
}
