//go:build !js

package engine

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"starling/app/state"
	"starling/chatserver"
	"starling/chatserver/bus"
	"starling/chatserver/files"
	"starling/chatserver/store"
	"starling/ozeki"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	apiPath      = "/ozeki/index.php"
	listenerPath = "/ozeki/listener"
	patient      = 10 * time.Second // how long a test waits before it gives up; it goes on as soon as it can
)

var scheme, _ = ozeki.SchemeByName(ozeki.DefaultScheme)

// testKeys are made once: a key pair takes a noticeable time.
var testKeys = sync.OnceValue(func() (keys [3]struct{ pkcs1, spki []byte }) {
	for i := range keys {
		var err error
		if keys[i].pkcs1, keys[i].spki, err = ozeki.GenerateKey(context.Background()); err != nil {
			panic(err)
		}
	}
	return keys
})

// server is the real embedded server on a fresh database, reached over real HTTP.
type server struct {
	t     testing.TB
	store store.Store
	bus   bus.Bus
	chat  *chatserver.Server
	files *files.Dir
	http  *httptest.Server
}

func newServer(t testing.TB) *server {
	st, err := store.OpenSQLite(context.Background(), filepath.Join(t.TempDir(), "chat.db"))
	if err != nil {
		t.Fatal(err)
	}
	b := bus.NewLocal()
	kept, err := files.OpenDir(filepath.Join(t.TempDir(), "files"))
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, store: st, bus: b, files: kept}
	s.start("")
	t.Cleanup(func() {
		s.stop()
		b.Close()
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// start starts the chat server on the store, at an address of an earlier run or at a new one.
func (s *server) start(addr string) {
	s.t.Helper()
	s.chat = chatserver.New(chatserver.Config{Store: s.store, Bus: s.bus, Scheme: scheme, PublicPath: apiPath, ListenerPath: listenerPath, Files: s.files})
	mux := http.NewServeMux()
	mux.Handle("/", s.chat)
	mux.Handle(listenerPath, s.chat.Listener)
	mux.Handle("/ozeki/file/", s.chat.Files())
	s.http = httptest.NewUnstartedServer(mux)
	if addr != "" {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			s.t.Fatal(err)
		}
		s.http.Listener.Close()
		s.http.Listener = l
	}
	s.http.Start()
}

// stop stops it; the store stays.
func (s *server) stop() {
	s.http.Close()
	if err := s.chat.Close(); err != nil {
		s.t.Error(err)
	}
}

func (s *server) now() time.Time { return time.Now() }

func (s *server) update(f func(ctx context.Context, tx store.Tx) error) {
	s.t.Helper()
	ctx := context.Background()
	if _, err := s.store.Update(ctx, func(tx store.Tx) error { return f(ctx, tx) }); err != nil {
		s.t.Fatal(err)
	}
}

// account is somebody who can sign in.
type account struct {
	id    ozeki.UserID
	name  string
	cred  ozeki.Credentials
	email string
	spki  []byte
}

// account makes the n-th person's account with made-up credentials: deriving real ones takes long, on purpose.
func (s *server) account(n int) account {
	s.t.Helper()
	name := []string{"Alice", "Bob", "Carol"}[n]
	hash := func(text string) string {
		sum := sha256.Sum256([]byte(text))
		return hex.EncodeToString(sum[:])
	}
	a := account{
		name: name, email: strings.ToLower(name) + "@example.com", spki: testKeys()[n].spki,
		cred: ozeki.Credentials{APIKey: hash("api key of " + name), EncryptionPassword: hash("encryption password of " + name)},
	}
	a.id = ozeki.UserIDOf(a.email)
	pem, err := ozeki.SealPEM(testKeys()[n].pkcs1, a.cred.EncryptionPassword)
	if err != nil {
		s.t.Fatal(err)
	}
	s.update(func(ctx context.Context, tx store.Tx) error {
		return tx.CreateAccount(ctx, store.Account{
			UserID: a.id, Email: a.email, FullName: a.name, Nick: a.name, APIKeyHash: hash(a.cred.APIKey), RSAKey: pem,
			PublicKey: base64.StdEncoding.EncodeToString(a.spki), CreatedAt: time.Now(),
		})
	})
	return a
}

// direct makes friends of two people and the conversation of them.
func (s *server) direct(a, b account) ozeki.ConversationID {
	s.t.Helper()
	id := ozeki.DirectConversationID(a.id, b.id)
	key := conversationKey(id)
	s.update(func(ctx context.Context, tx store.Tx) error {
		if err := tx.AddFriends(ctx, a.id, b.id); err != nil {
			return err
		}
		return tx.CreateConversation(ctx, store.NewConversation{
			ID: id, Instance: ozeki.NewInstance(), CreatedAt: time.Now(), Members: []ozeki.Member{a.member(s.t, id, key, b.name), b.member(s.t, id, key, a.name)},
		})
	})
	return id
}

func conversationKey(id ozeki.ConversationID) []byte {
	sum := sha256.Sum256([]byte(id))
	return sum[:]
}

// member is the person's entry of a conversation whose key and name he can open.
func (a account) member(t testing.TB, id ozeki.ConversationID, key []byte, sees string) ozeki.Member {
	t.Helper()
	ctx := context.Background()
	pub, err := scheme.ImportPublicKey(ctx, a.spki)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := scheme.WrapKey(ctx, pub, key)
	if err != nil {
		t.Fatal(err)
	}
	name, err := scheme.Seal(ctx, key, ozeki.NameAD(id), []byte(sees))
	if err != nil {
		t.Fatal(err)
	}
	return ozeki.Member{UserID: a.id, Secret: secret, DisplayName: name}
}

// groups makes n conversations of the person alone, named "Group 0", "Group 1", …
func (s *server) groups(a account, n int) []ozeki.ConversationID {
	s.t.Helper()
	ids := make([]ozeki.ConversationID, n)
	s.update(func(ctx context.Context, tx store.Tx) error {
		for i := range ids {
			ids[i] = ozeki.NewConversationID()
			m := a.member(s.t, ids[i], conversationKey(ids[i]), fmt.Sprint("Group ", i))
			err := tx.CreateConversation(ctx, store.NewConversation{
				ID: ids[i], IsGroup: true, Instance: ozeki.NewInstance(), CreatedAt: time.Now(), Members: []ozeki.Member{m},
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return ids
}

// write puts n messages of a person's into a conversation: "message 0", "message 1", …
func (s *server) write(a account, id ozeki.ConversationID, n int) {
	s.t.Helper()
	s.update(func(ctx context.Context, tx store.Tx) error {
		c, err := tx.Conversation(ctx, a.id, id)
		if err != nil {
			return err
		}
		for i := range n {
			m := ozeki.NewMessageID()
			plain, _ := json.Marshal(ozeki.Content{Version: 1, Text: fmt.Sprint("message ", i), From: a.id})
			data, err := scheme.Seal(ctx, conversationKey(id), ozeki.MessageAD(id, m), plain)
			if err != nil {
				return err
			}
			_, err = tx.AddMessage(ctx, id, store.Message{
				ID: m, Instance: c.Instance, Sender: a.id, Type: ozeki.TypeMessage, Created: time.Now().Add(-time.Hour), Data: data,
			}, time.Now())
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// favorite is what the server has.
func (s *server) favorite(a account, id ozeki.ConversationID) bool {
	s.t.Helper()
	c, err := s.store.Conversation(context.Background(), a.id, id)
	if err != nil {
		s.t.Fatal(err)
	}
	return c.Favorite
}

// messages are the ids of the messages that the server has, oldest first.
func (s *server) messages(a account, id ozeki.ConversationID) (ids []ozeki.MessageID) {
	s.t.Helper()
	ctx := context.Background()
	c, err := s.store.Conversation(ctx, a.id, id)
	if err != nil {
		s.t.Fatal(err)
	}
	list, err := s.store.Messages(ctx, store.MessageQuery{Conversation: id, Instance: c.Instance, Now: time.Now(), Limit: 5000})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, m := range list {
		ids = append(ids, m.ID)
	}
	return ids
}

// wire is the line between a client and the server, which a test can cut, delay and falsify.
type wire struct {
	inner ozeki.Transport
	mu    sync.Mutex
	fault func(call string, n int) fault // n counts the requests of that call from 1; nil: a good line
	count map[string]int
	now   map[string]int // requests on their way
	most  map[string]int // that were on their way at once
	held  int            // answers that are held back
}

// fault is what happens to a request. The zero value lets it pass.
type fault struct {
	before bool            // cut before the server has it
	after  bool            // cut after the server has dealt with it
	answer *ozeki.Response // instead of the server's
	hold   <-chan struct{} // the answer is held back until this is closed
	first  <-chan struct{} // the request is held back until this is closed
}

func cut(string, int) fault { return fault{before: true} }

func (w *wire) set(f func(call string, n int) fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fault = f
}

// idle reports whether no request is on its way.
func (w *wire) idle() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, n := range w.now {
		if n > 0 {
			return false
		}
	}
	return true
}

// only makes a fault of the requests of some calls.
func only(f fault, calls ...string) func(string, int) fault {
	return func(call string, _ int) fault {
		if slices.Contains(calls, call) {
			return f
		}
		return fault{}
	}
}

// sent counts the requests of a call.
func (w *wire) sent(call string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.count[call]
}

// callName is the action of a request, with its API where it is ambiguous: "favorite", "add", "chatconversation list".
func callName(raw string, body []byte) string {
	var head struct{ Action string }
	_ = json.Unmarshal(body, &head)
	u, _ := url.Parse(raw)
	switch api := u.Query().Get("api"); {
	case api == "chatnotification":
		if head.Action == "ticket" {
			return "ticket"
		}
		return "poll"
	case head.Action == "list" || head.Action == "add":
		return api + " " + head.Action
	}
	return head.Action
}

func (w *wire) Post(ctx context.Context, url string, header map[string]string, body []byte) (*ozeki.Response, error) {
	call := callName(url, body)
	w.mu.Lock()
	w.count[call]++
	w.now[call]++
	w.most[call] = max(w.most[call], w.now[call])
	var f fault
	if w.fault != nil {
		f = w.fault(call, w.count[call])
	}
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		w.now[call]--
		w.mu.Unlock()
	}()
	if err := await(ctx, f.first); err != nil {
		return nil, err
	}
	if f.before {
		return nil, fmt.Errorf("%w: cut", ozeki.ErrUnreachable)
	}
	if f.answer != nil && !f.after {
		return f.answer, nil
	}
	res, err := w.inner.Post(ctx, url, header, body)
	if f.hold != nil {
		w.mu.Lock()
		w.held++
		w.mu.Unlock()
	}
	if err := await(ctx, f.hold); err != nil {
		return nil, err
	}
	switch {
	case f.answer != nil:
		return f.answer, nil
	case f.after:
		return nil, fmt.Errorf("%w: cut", ozeki.ErrUnreachable)
	}
	return res, err
}

func await(ctx context.Context, ch <-chan struct{}) error {
	if ch == nil {
		return nil
	}
	select {
	case <-ch:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ozeki.ErrUnreachable, ctx.Err())
	}
}

func refusing(code, words string) *ozeki.Response {
	b, _ := json.Marshal(ozeki.Answer{Status: "ERROR", ErrorMessage: words, ErrorCode: code})
	return &ozeki.Response{Status: 200, ContentType: "application/json", Body: b}
}

var webPage = &ozeki.Response{Status: 200, ContentType: "text/html", Body: []byte("<!doctype html><title>Log in to the hotel's network</title>")}

// timers replace time: they run when a test says so.
type timers struct {
	mu   sync.Mutex
	list []*timer
}

type timer struct {
	d time.Duration
	f func()
}

func (ts *timers) after(d time.Duration, f func()) func() {
	t := &timer{d, f}
	if d == 0 || d == openPause {
		go f()
		return func() {}
	}
	ts.mu.Lock()
	ts.list = append(ts.list, t)
	ts.mu.Unlock()
	return func() {
		ts.mu.Lock()
		defer ts.mu.Unlock()
		ts.list = slices.DeleteFunc(ts.list, func(x *timer) bool { return x == t })
	}
}

// run runs the timers that were set to between from and to, and says how many.
func (ts *timers) run(from, to time.Duration) int {
	ts.mu.Lock()
	var due []*timer
	ts.list = slices.DeleteFunc(ts.list, func(t *timer) bool {
		if t.d >= from && t.d <= to {
			due = append(due, t)
			return true
		}
		return false
	})
	ts.mu.Unlock()
	for _, t := range due {
		t.f()
	}
	return len(due)
}

func (ts *timers) durations() (ds []time.Duration) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	for _, t := range ts.list {
		if t.d != ShelvePause { // which comes and goes with every change
			ds = append(ds, t.d)
		}
	}
	slices.Sort(ds)
	return ds
}

// polls are the waits for polls: those that no other timer has.
func (ts *timers) polls() []time.Duration {
	return slices.DeleteFunc(ts.durations(), func(d time.Duration) bool { return d > maxPollDelay })
}

// person is somebody at a device.
type person struct {
	*Engine
	account
	t      testing.TB
	wire   *wire
	files  *fileWire
	timers *timers
	vault  Vault
	news   chan struct{}
}

// device is a device on which nobody has signed in yet; with a vault, one on which the program starts again.
func (s *server) device(a account, vault Vault, change ...func(*Options)) *person {
	p := &person{
		account: a, t: s.t, timers: &timers{}, vault: vault, news: make(chan struct{}, 1),
		wire:  &wire{inner: ozeki.NewTransport(), count: map[string]int{}, now: map[string]int{}, most: map[string]int{}},
		files: &fileWire{FileTransport: ozeki.NewFileTransport()},
	}
	if p.vault == nil {
		p.vault = NewVault()
	}
	o := Options{
		Client: ozeki.NewClient(ozeki.Options{Base: s.http.URL + apiPath, Scheme: scheme, Transport: p.wire, Files: p.files}),
		Vault:  p.vault, After: p.timers.after,
		OnChange: func(*state.Snapshot) {
			select {
			case p.news <- struct{}{}:
			default:
			}
		},
	}
	for _, f := range change {
		f(&o)
	}
	p.Engine = New(o)
	s.t.Cleanup(p.Close)
	p.Start()
	return p
}

// signedIn is a device on which the person has signed in and sees the list.
func (s *server) signedIn(a account, change ...func(*Options)) *person {
	s.t.Helper()
	p := s.device(a, nil, change...)
	p.until("the program asks to sign in", func(v *state.Snapshot) bool { return v.Phase == state.SignedOut })
	p.signIn()
	return p
}

func (p *person) signIn() {
	p.t.Helper()
	if err := p.SignInWithKey(context.Background(), p.cred.APIKey, p.cred.EncryptionPassword); err != nil {
		p.t.Fatal(err)
	}
	p.until("the list is there and open", func(v *state.Snapshot) bool { return v.Loaded && p.allOpened() })
}

func (p *person) allOpened() bool {
	p.mu.Lock()
	defer p.unlock()
	return len(p.state.Unopened()) == 0
}

// until waits for a state.
func (p *person) until(what string, is func(*state.Snapshot) bool) *state.Snapshot {
	p.t.Helper()
	limit := time.After(patient)
	for {
		v := p.Snapshot()
		if is(v) {
			return v
		}
		select {
		case <-p.news:
		case <-time.After(5 * time.Millisecond): // for what is not in the snapshot
		case <-limit:
			open := "none"
			if v.Open != nil {
				open = fmt.Sprintf("%+v", *v.Open)
			}
			p.t.Fatalf("%s waited in vain until %s: phase %v offline %v trouble %q favorites %+v conversations %+v notices %+v open %s",
				p.name, what, v.Phase, v.Offline, v.Trouble, values(v.Favorites), values(v.Conversations), v.Notices, open)
		}
	}
}

// eventually waits for something outside of a snapshot.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	limit := time.After(patient)
	for !is() {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-limit:
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// values are the rows of a list.
func values(rows []*state.Row) (list []state.Row) {
	for _, r := range rows {
		list = append(list, *r)
	}
	return list
}

// row is a conversation's row as it is shown.
func row(v *state.Snapshot, id ozeki.ConversationID) (r state.Row) {
	for _, rows := range [][]*state.Row{v.Favorites, v.Conversations, v.Hidden} {
		for _, x := range rows {
			if x.ID == id {
				r = *x
			}
		}
	}
	return r
}

// settled is a row with this star, as the server has it.
func settled(id ozeki.ConversationID, on bool) func(*state.Snapshot) bool {
	return func(v *state.Snapshot) bool {
		r := row(v, id)
		return r.ID == id && r.Favorite == on && r.Star == state.FlagSettled
	}
}

// reading opens a conversation and waits for its messages.
func (p *person) reading(id ozeki.ConversationID) {
	p.t.Helper()
	p.Open(id)
	p.until("the messages are there", func(v *state.Snapshot) bool {
		return v.Open != nil && v.Open.Known && !v.Open.Loading && v.Open.Trouble == "" && p.loaded(id)
	})
}

func (p *person) loaded(id ozeki.ConversationID) bool {
	p.mu.Lock()
	defer p.unlock()
	return p.state.Timeline(id).Loaded
}

func texts(v *state.Snapshot) (out []string) {
	if v.Open != nil {
		for _, m := range v.Open.Messages {
			out = append(out, m.Text)
		}
	}
	return out
}

// shows is a timeline with exactly these texts, all of them stored by the server.
func shows(want ...string) func(*state.Snapshot) bool {
	return func(v *state.Snapshot) bool {
		return slices.Equal(texts(v), want) && v.Unsent == 0
	}
}
