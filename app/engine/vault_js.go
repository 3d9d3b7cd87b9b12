//go:build js

package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
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
	// privateKey names the record beside the session with what is known of its user, encrypted: {key, iv, data, rev}.
	privateKey = "private"
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

// idb is the browser's Vault: two records for the session in IndexedDB, and one for each message of the queue. CryptoKeys are stored as
// such (structured clone keeps them non-extractable), the rest as JSON beside them: what has to be known without asking the
// device to decrypt, in clear, and the rest encrypted. Both records have the same revision, a new one at each writing.
type idb struct {
	// shelf are records of the shelf by their names, null for those that are not there, as the page has read them while the
	// program was on its way; undefined for none. They are good for one reading, if nothing was written before.
	shelf js.Value
}

// NewVault returns the platform's Vault.
func NewVault() Vault { return &idb{} }

// early is what the page has read of a session, once: see first.js. It fails where there is nothing, or where another tab
// has told of a change since.
func early() (s stored, queue, shelf js.Value, ok bool) {
	page := js.Global().Get("starling")
	if !page.Truthy() || !page.Get("takeEarly").Truthy() {
		return s, queue, shelf, false
	}
	v, err := ozeki.Await(func() js.Value { return page.Call("takeEarly") })
	if err != nil || !v.Truthy() || !v.Get("session").Truthy() {
		return s, queue, shelf, false
	}
	return stored{session: v.Get("session"), private: v.Get("private")}, v.Get("queue"), v.Get("shelf"), true
}

// markSignedIn changes the mark by a call of first.js's storage, which never throws: the mark only chooses what the page
// shows before the program is there.
func markSignedIn(call string, args ...any) {
	js.Global().Get("starling").Get("storage").Call(call, args...)
}

// keptJSON is what stands of the session in clear.
type keptJSON struct {
	UserID     ozeki.UserID      `json:"userid"`
	Station    ozeki.StationID   `json:"station"`
	PublicKey  string            `json:"publickey"`
	Extensions []string          `json:"extensions,omitempty"`
	URLs       map[string]string `json:"urls,omitempty"`
	Limits     map[string]int64  `json:"limits,omitempty"`
	Offset     time.Duration     `json:"offset,omitempty"`
	Ended      bool              `json:"ended,omitempty"`
	// Waiting was the queue before its messages had records of their own. A tab of that version may still write it.
	Waiting []Waiting `json:"waiting,omitempty"`
}

// privateJSON is what is encrypted. An earlier version kept it in clear among the other; a tab of it may still do so.
type privateJSON struct {
	Name       *string                                 `json:"name"` // of an earlier version's nothing else is always there
	Cursor     int64                                   `json:"cursor"`
	Order      []ozeki.ConversationID                  `json:"order,omitempty"`
	Wishes     keptWishes                              `json:"wishes,omitempty"`
	Read       map[ozeki.ConversationID]Read           `json:"read,omitempty"`
	ReadSince  time.Time                               `json:"readsince,omitzero"`
	Drafts     map[ozeki.ConversationID]string         `json:"drafts,omitempty"`
	DraftFiles map[ozeki.ConversationID][]ozeki.FileID `json:"draftfiles,omitempty"`
}

// with returns what was kept with what a tab of an earlier version has kept since.
func (p privateJSON) with(later privateJSON) privateJSON {
	if *later.Name != "" { // which that tab does not know where this version has kept it
		p.Name = later.Name
	}
	if later.Cursor > 0 {
		p.Cursor = later.Cursor
	}
	if later.Order != nil {
		p.Order = later.Order
	}
	for id, of := range later.Wishes {
		for flag, value := range of {
			p.Wishes = keptWishes(withWish(state.Wishes(p.Wishes), id, flag, value, true))
		}
	}
	p.Read, p.Drafts = withRead(p.Read, later.Read), withDrafts(p.Drafts, later.Drafts)
	if p.ReadSince.IsZero() {
		p.ReadSince = later.ReadSince
	}
	if p.DraftFiles == nil {
		p.DraftFiles = later.DraftFiles
	} else {
		maps.Copy(p.DraftFiles, later.DraftFiles)
	}
	return p
}

// stored are the two records of a session as they stand in the database.
type stored struct{ session, private js.Value }

func (s *stored) get(store js.Value) {
	onResult(store.Call("get", dbKey), func(v js.Value) { s.session = v })
	onResult(store.Call("get", privateKey), func(v js.Value) { s.private = v })
}

// is reports whether both records are still the same ones. An earlier version gives no revisions.
func (s *stored) is(now stored) bool {
	same := func(a, b js.Value, field string) bool {
		if !a.Truthy() || !b.Truthy() {
			return a.Truthy() == b.Truthy()
		}
		return a.Get(field).Equal(b.Get(field))
	}
	return same(s.session, now.session, "rev") && same(s.session, now.session, "json") && same(s.private, now.private, "rev")
}

var errDamaged = errors.New("the kept session is damaged")

// clear reads what stands in clear of a session.
func (s *stored) clear() (k keptJSON, earlier privateJSON, err error) {
	text := s.session.Get("json")
	if text.Type() != js.TypeString {
		return k, earlier, errDamaged
	}
	if err := json.Unmarshal([]byte(text.String()), &k); err != nil {
		return k, earlier, fmt.Errorf("%w: %w", errDamaged, err)
	}
	if err := json.Unmarshal([]byte(text.String()), &earlier); err != nil {
		return k, earlier, fmt.Errorf("%w: %w", errDamaged, err)
	}
	return k, earlier, nil
}

// open reads a session's records. old is the queue that an earlier version has left in them; earlier: it has left something
// that is to be kept as it is kept now.
func (s *stored) open(ctx context.Context) (kept *Kept, old []Waiting, earlier bool, err error) {
	k, p, err := s.clear()
	if err != nil {
		return nil, nil, false, err
	}
	earlier = p.Name != nil
	if s.private.Truthy() {
		var own privateJSON
		data, err := unsealed(s.private.Get("key"), privateParams(s.private.Get("iv"), k.UserID), s.private.Get("data"))
		if err == nil {
			err = json.Unmarshal(data, &own)
		}
		switch {
		case err == nil && earlier:
			p = own.with(p)
		case err == nil:
			p = own
		case !earlier: // else another user's, who was signed in before one did by a tab of an earlier version
			return nil, nil, false, fmt.Errorf("%w: %w", errDamaged, err)
		}
	}
	if p.Name == nil {
		return nil, nil, false, errDamaged
	}
	var key *ozeki.PrivateKey
	if !k.Ended {
		sign, unwrap := s.session.Get("sign"), s.session.Get("unwrap")
		if !sign.Truthy() || !unwrap.Truthy() {
			return nil, nil, false, errDamaged
		}
		key = ozeki.PrivateKeyFromHandles(sign, unwrap)
	}
	return &Kept{
		Session: ozeki.Session{
			UserID: k.UserID, Station: k.Station, Key: key,
			PublicKey: k.PublicKey, Extensions: k.Extensions, URLs: k.URLs, Limits: k.Limits,
		},
		Name: *p.Name, Cursor: p.Cursor, Offset: k.Offset, Order: p.Order, Wishes: state.Wishes(p.Wishes), Drafts: p.Drafts, DraftFiles: p.DraftFiles,
		Read: p.Read, ReadSince: p.ReadSince, Ended: k.Ended,
	}, k.Waiting, earlier || len(k.Waiting) > 0, nil
}

// newStored makes the records of a session. key is the one that encrypts them, undefined for a new one.
func newStored(k *Kept, key js.Value) (s stored, err error) {
	open, err := json.Marshal(keptJSON{
		UserID: k.Session.UserID, Station: k.Session.Station, PublicKey: k.Session.PublicKey, Extensions: k.Session.Extensions, URLs: k.Session.URLs, Limits: k.Session.Limits,
		Offset: k.Offset, Ended: k.Ended,
	})
	if err != nil {
		return s, err
	}
	private, err := json.Marshal(privateJSON{
		Name: &k.Name, Cursor: k.Cursor, Order: k.Order, Wishes: keptWishes(k.Wishes), Drafts: k.Drafts, DraftFiles: k.DraftFiles,
		Read: k.Read, ReadSince: k.ReadSince,
	})
	if err != nil {
		return s, err
	}
	if !key.Truthy() {
		if key, err = newAESKey(); err != nil {
			return s, err
		}
	}
	s.private, err = sealed(key, func(iv js.Value) map[string]any { return privateParams(iv, k.Session.UserID) }, private)
	if err != nil {
		return s, err
	}
	rev := js.Global().Get("crypto").Call("randomUUID")
	s.private.Set("key", key)
	s.private.Set("rev", rev)
	s.session = js.Global().Get("Object").New()
	s.session.Set("json", string(open))
	s.session.Set("rev", rev)
	if !k.Ended {
		sign, unwrap := k.Session.Key.Handles()
		s.session.Set("sign", sign)
		s.session.Set("unwrap", unwrap)
	}
	return s, nil
}

func (s stored) put(store js.Value) {
	store.Call("put", s.session, dbKey)
	store.Call("put", s.private, privateKey)
}

// privateParams binds what is private to its user.
func privateParams(iv js.Value, user ozeki.UserID) map[string]any {
	return map[string]any{"name": "AES-GCM", "iv": iv, "additionalData": jsBytes([]byte(user))}
}

func (v *idb) Load(ctx context.Context) (*Kept, error) {
	s, queue, shelf, ok := early()
	v.shelf = shelf
	if !ok {
		err := withStore(ctx, dbName, dbStore, "readonly", func(store js.Value) {
			s.get(store)
			onResult(store.Call("getAllKeys", wholeQueue()), func(v js.Value) { queue = v })
		})
		if err != nil {
			return nil, fmt.Errorf("read the kept session: %w", err)
		}
	}
	if !s.session.Truthy() {
		markSignedIn("remove", signedInMark)
		return nil, nil
	}
	k, _, earlier, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	if earlier {
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

func (*idb) Save(ctx context.Context, k *Kept) error {
	now, err := newStored(k, js.Undefined())
	if err == nil {
		err = withStore(ctx, dbName, dbStore, "readwrite", func(store js.Value) {
			onResult(store.Call("get", dbKey), func(v js.Value) {
				var old []Waiting
				was := stored{session: v}
				same := false
				if v.Truthy() {
					c, _, err := was.clear()
					same, old = err == nil && c.UserID == k.Session.UserID, c.Waiting
				}
				if !same {
					store.Call("delete", wholeQueue())
					old = nil
				}
				now.put(store)
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

func (v *idb) Update(ctx context.Context, change func(*Kept)) error {
	for {
		done, err := v.tryUpdate(ctx, change)
		if err != nil {
			return fmt.Errorf("keep a change on this device: %w", err)
		}
		if done {
			return nil
		}
	}
}

// tryUpdate is Update unless another tab makes a change meanwhile: a transaction does not wait for the encryption.
func (*idb) tryUpdate(ctx context.Context, change func(*Kept)) (done bool, err error) {
	var was stored
	if err := withStore(ctx, dbName, dbStore, "readonly", was.get); err != nil || !was.session.Truthy() {
		return true, err
	}
	k, old, _, err := was.open(ctx)
	if err != nil {
		return true, err
	}
	change(k)
	key := js.Undefined()
	if was.private.Truthy() {
		key = was.private.Get("key")
	}
	now, err := newStored(k, key)
	if err != nil {
		return true, err
	}
	var current stored
	err = withStore(ctx, dbName, dbStore, "readwrite", func(store js.Value) {
		onResult(store.Call("get", dbKey), func(v js.Value) { current.session = v })
		onResult(store.Call("get", privateKey), func(v js.Value) {
			if current.private = v; was.is(current) {
				now.put(store)
				queueAll(store, old)
				done = true
			}
		})
	})
	return done, err
}

func (*idb) Jot(text string) {
	if text == "" {
		markSignedIn("remove", jotKey)
	} else {
		markSignedIn("set", jotKey, text)
	}
}

func (*idb) Jotted() string {
	return js.Global().Get("starling").Get("storage").Call("get", jotKey).String()
}

func (v *idb) Wipe(ctx context.Context) error {
	v.shelf = js.Undefined()
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

func (v *idb) Shelve(ctx context.Context, owner string, records ...Record) error {
	v.shelf = js.Undefined()
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
	all := make([]js.Value, len(records))
	for i, r := range records {
		if r.Data == nil {
			continue
		}
		o, err := sealed(key, func(iv js.Value) map[string]any { return shelfParams(iv, owner, r.Name) }, r.Data)
		if err != nil {
			return err
		}
		o.Set("used", r.Used.UnixMilli())
		if !r.Until.IsZero() {
			o.Set("until", r.Until.UnixMilli())
		}
		all[i] = o
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
					store.Call("put", all[i], r.Name)
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
	made, err := newAESKey()
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

// newAESKey makes a key that scripts can use and not read.
func newAESKey() (js.Value, error) {
	return ozeki.Await(func() js.Value {
		return subtle().Call("generateKey", map[string]any{"name": "AES-GCM", "length": 256}, false, []any{"encrypt", "decrypt"})
	})
}

// sealed encrypts under a fresh nonce: {iv, data}.
func sealed(key js.Value, params func(iv js.Value) map[string]any, data []byte) (js.Value, error) {
	o := js.Global().Get("Object").New()
	o.Set("iv", js.Global().Get("crypto").Call("getRandomValues", js.Global().Get("Uint8Array").New(12)))
	text, err := ozeki.Await(func() js.Value { return subtle().Call("encrypt", params(o.Get("iv")), key, jsBytes(data)) })
	o.Set("data", text)
	return o, err
}

// unsealed is the inverse.
func unsealed(key js.Value, params map[string]any, data js.Value) ([]byte, error) {
	plain, err := ozeki.Await(func() js.Value { return subtle().Call("decrypt", params, key, data) })
	if err != nil {
		return nil, err
	}
	bytes := js.Global().Get("Uint8Array").New(plain)
	out := make([]byte, bytes.Length())
	js.CopyBytesToGo(out, bytes)
	return out, nil
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

func (v *idb) Shelved(ctx context.Context, owner string, names ...string) ([][]byte, error) {
	var key js.Value
	records := make([]js.Value, len(names))
	read := v.shelf
	v.shelf = js.Undefined()
	if read.Truthy() && !slices.ContainsFunc(names, func(name string) bool { return read.Get(name).IsUndefined() }) {
		key = read.Get(shelfKey)
		for i, name := range names {
			records[i] = read.Get(name)
		}
	} else {
		err := withStore(ctx, shelfName, shelfStore, "readonly", func(store js.Value) {
			onResult(store.Call("get", shelfKey), func(v js.Value) { key = v })
			for i, name := range names {
				onResult(store.Call("get", name), func(v js.Value) { records[i] = v })
			}
		})
		if err != nil {
			return nil, fmt.Errorf("read what was kept for reading offline: %w", err)
		}
	}
	out := make([][]byte, len(names))
	for i, r := range records {
		if !r.Truthy() || !key.Truthy() {
			continue
		}
		// Another owner's, or damaged, it counts as not there.
		out[i], _ = unsealed(key, shelfParams(r.Get("iv"), owner, names[i]), r.Get("data"))
	}
	return out, nil
}

func (*idb) Shelf(ctx context.Context) (all []Record, err error) {
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

func (*idb) KeepFile(ctx context.Context, id ozeki.FileID, sealed ozeki.Blob) error {
	err := withStore(ctx, filesName, filesStore, "readwrite", func(store js.Value) { store.Call("put", sealed.Value, string(id)) })
	if err != nil {
		return fmt.Errorf("keep the file on this device: %w", err)
	}
	return nil
}

func (*idb) File(ctx context.Context, id ozeki.FileID) (ozeki.Blob, bool, error) {
	var kept js.Value
	err := withStore(ctx, filesName, filesStore, "readonly", func(store js.Value) {
		onResult(store.Call("get", string(id)), func(v js.Value) { kept = v })
	})
	if err != nil {
		return ozeki.Blob{}, false, fmt.Errorf("read the kept file: %w", err)
	}
	return ozeki.Blob{Value: kept}, kept.Truthy(), nil
}

func (*idb) ForgetFiles(ctx context.Context, ids []ozeki.FileID) error {
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

var errNoAnswer = errors.New("the browser's database does not answer")

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
	if name == shelfName { // which nothing needs to wait for
		patience := 5 * time.Second
		if mode != "readonly" {
			patience = 30 * time.Second
		}
		var over func()
		ctx, over = context.WithTimeoutCause(ctx, patience, errNoAnswer)
		defer over()
	}
	open := factory.Call("open", name, dbVersion)
	upgrade := js.FuncOf(func(js.Value, []js.Value) any {
		open.Get("result").Call("createObjectStore", store)
		return nil
	})
	open.Set("onupgradeneeded", upgrade)
	err = event(ctx, open, "success", "error") // one that is blocked goes on when the other tab lets go
	if ctx.Err() != nil {
		go func() { // it may still be opened, and made before that
			if open.Get("readyState").String() != "done" {
				_ = event(context.WithoutCancel(ctx), open, "success", "error") // nobody waits for it
			}
			if db := open.Get("result"); db.Truthy() {
				db.Call("close")
			}
			upgrade.Release()
		}()
		return context.Cause(ctx)
	}
	upgrade.Release()
	if err != nil {
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
		return context.Cause(ctx)
	}
}

// channel is the browser's Neighbours: a BroadcastChannel.
type channel struct{ bc js.Value }

// NewNeighbours returns the platform's Neighbours.
func NewNeighbours() Neighbours {
	if page := js.Global().Get("starling"); page.Truthy() && page.Get("channel").Truthy() {
		return channel{page.Get("channel")} // which has listened since the page began
	}
	return channel{js.Global().Get("BroadcastChannel").New("starling")}
}

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
