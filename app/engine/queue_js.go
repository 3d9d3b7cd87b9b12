//go:build js

package engine

import (
	"context"
	"fmt"
	"slices"
	"syscall/js"

	"starling/ozeki"
	"starling/ozeki/json"
)

func keyRange(call string, args ...any) js.Value {
	return js.Global().Get("IDBKeyRange").Call(call, args...)
}

// wholeQueue is where the queue's records are: arrays come after all texts, and an array after all texts in another.
func wholeQueue() js.Value { return keyRange("lowerBound", []any{}) }

// queueOf is where the records of a conversation are, those behind a place or all.
func queueOf(kind string, id ozeki.ConversationID, behind ...any) js.Value {
	return keyRange("bound", append([]any{kind, string(id)}, behind...), []any{kind, string(id), []any{}})
}

func keysOf(w Waiting) (waiting, refused []any) {
	return []any{waitingKey, string(w.Conversation), float64(w.Place), string(w.ID)}, []any{refusedKey, string(w.Conversation), string(w.ID)}
}

// putQueued writes a message's record in place of the one that it had.
func putQueued(store js.Value, w Waiting) {
	b, _ := json.Marshal(w) // texts, numbers and times, which cannot fail
	key, other := keysOf(w)
	if w.Refused != "" {
		key, other = other, key
	}
	store.Call("delete", other)
	store.Call("put", string(b), key)
}

// queueLast writes a message's record behind those of its conversation, and calls then with the place.
func queueLast(store js.Value, w Waiting, then func(place int64)) {
	onResult(store.Call("openKeyCursor", queueOf(waitingKey, w.Conversation), "prev"), func(cursor js.Value) {
		if cursor.Truthy() {
			w.Place = max(w.Place, int64(cursor.Get("key").Index(2).Float())+1)
		}
		putQueued(store, w)
		then(w.Place)
	})
}

// queueAll writes the queue of an earlier version.
func queueAll(store js.Value, old []Waiting) {
	if len(old) > 0 {
		queueLast(store, old[0], func(int64) { queueAll(store, old[1:]) })
	}
}

func (*idb) Queue(ctx context.Context, user ozeki.UserID, w Waiting, last bool) (place int64, ok bool, err error) {
	err = withStore(ctx, dbName, dbStore, "readwrite", func(store js.Value) {
		onResult(store.Call("get", dbKey), func(v js.Value) {
			var kept struct {
				UserID ozeki.UserID `json:"userid"`
			}
			ok = v.Truthy() && v.Get("json").Type() == js.TypeString && json.Unmarshal([]byte(v.Get("json").String()), &kept) == nil && kept.UserID == user
			switch {
			case ok && last:
				queueLast(store, w, func(at int64) { place = at })
			case ok:
				putQueued(store, w)
				place = w.Place
			}
		})
	})
	if err != nil {
		return 0, false, fmt.Errorf("keep a message on this device: %w", err)
	}
	return place, ok, nil
}

func (*idb) Requeue(ctx context.Context, w Waiting) error {
	err := withStore(ctx, dbName, dbStore, "readwrite", func(store js.Value) {
		waiting, refused := keysOf(w)
		for _, key := range [][]any{waiting, refused} {
			onResult(store.Call("getKey", key), func(v js.Value) {
				if v.Truthy() {
					putQueued(store, w)
				}
			})
		}
	})
	if err != nil {
		return fmt.Errorf("keep a change of a message on this device: %w", err)
	}
	return nil
}

func (*idb) Unqueue(ctx context.Context, ws ...Waiting) error {
	return unqueue(ctx, func(store js.Value) {
		for _, w := range ws {
			waiting, refused := keysOf(w)
			store.Call("delete", waiting)
			store.Call("delete", refused)
		}
	})
}

func (*idb) UnqueueAll(ctx context.Context, id ozeki.ConversationID) error {
	return unqueue(ctx, func(store js.Value) {
		store.Call("delete", queueOf(waitingKey, id))
		store.Call("delete", queueOf(refusedKey, id))
	})
}

func unqueue(ctx context.Context, requests func(store js.Value)) error {
	if err := withStore(ctx, dbName, dbStore, "readwrite", requests); err != nil {
		return fmt.Errorf("remove a message from this device: %w", err)
	}
	return nil
}

func (*idb) NextQueued(ctx context.Context, id ozeki.ConversationID, after int64) (*Waiting, error) {
	all, err := queued(ctx, queueOf(waitingKey, id, float64(after), []any{}), 1)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return &all[0], nil
}

func (*idb) Queued(ctx context.Context) ([]Waiting, error) { return queued(ctx, wholeQueue()) }

// queued reads records. One that is damaged holds nothing.
func queued(ctx context.Context, which ...any) (all []Waiting, err error) {
	var keys, records js.Value
	err = withStore(ctx, dbName, dbStore, "readonly", func(store js.Value) {
		onResult(store.Call("getAllKeys", which...), func(v js.Value) { keys = v })
		onResult(store.Call("getAll", which...), func(v js.Value) { records = v })
	})
	if err != nil {
		return nil, fmt.Errorf("read the messages that wait on this device: %w", err)
	}
	for i := range records.Length() {
		w := outlineOf(keys.Index(i))
		if r := records.Index(i); r.Type() == js.TypeString {
			_ = json.Unmarshal([]byte(r.String()), &w)
		}
		all = append(all, w)
	}
	slices.SortFunc(all, inOrder)
	return all, nil
}

// outlineOf is what the key of a record says of its message.
func outlineOf(key js.Value) Waiting {
	n := key.Length()
	w := Waiting{Conversation: ozeki.ConversationID(key.Index(1).String()), ID: ozeki.MessageID(key.Index(n - 1).String())}
	if n == 4 {
		w.Place = int64(key.Index(2).Float())
	}
	return w
}
