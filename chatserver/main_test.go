package chatserver

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"starling/chatserver/bus"
	"starling/chatserver/files"
	"starling/chatserver/push"
	"starling/chatserver/push/pushtest"
	"starling/chatserver/store"
	"starling/ozeki"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testPath     = "/ozeki/index.php"
	testListener = "/ozeki/listener"
)

// clock is a clock that stands still until it is moved.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// fixture is a server on a fresh database, reached over real HTTP.
type fixture struct {
	t     testing.TB
	clock *clock
	path  string // of the database
	bus   bus.Bus
	store store.Store
	files files.Store
	srv   *Server
	http  *httptest.Server

	listener func(net.Listener) net.Listener // nil: as it is
	push     *pushtest.Service               // nil: there is no web push
	hosts    []string
}

func newFixture(t testing.TB, change ...func(*fixture)) *fixture {
	f := &fixture{t: t, clock: &clock{at: time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)}, path: filepath.Join(t.TempDir(), "chat.db"), bus: bus.NewLocal()}
	kept, err := files.OpenDir(filepath.Join(t.TempDir(), "files"))
	if err != nil {
		t.Fatal(err)
	}
	f.files = kept
	for _, c := range change {
		c(f)
	}
	f.start()
	t.Cleanup(f.stop)
	return f
}

func (f *fixture) start() {
	st, err := store.OpenSQLite(context.Background(), f.path)
	if err != nil {
		f.t.Fatal(err)
	}
	f.store = st
	var client *push.Client
	if f.push != nil {
		key, err := PushKey(context.Background(), st)
		if err != nil {
			f.t.Fatal(err)
		}
		client = &push.Client{Key: key, HTTP: f.push.Client(), Now: f.clock.now}
	}
	f.srv = New(Config{
		Push: client, PushHosts: f.hosts,
		Store: st, Bus: f.bus, Scheme: scheme, Clock: f.clock.now, PublicPath: testPath, ListenerPath: testListener, Files: f.files, MaxFile: 100_000,
	})
	mux := http.NewServeMux()
	mux.Handle("/", f.srv)
	mux.Handle(testListener, f.srv.Listener)
	mux.Handle("/ozeki/file/", f.srv.Files())
	f.http = httptest.NewUnstartedServer(mux)
	if f.listener != nil {
		f.http.Listener = f.listener(f.http.Listener)
	}
	f.http.Start()
}

func (f *fixture) stop() {
	f.http.Close()
	if err := f.srv.Close(); err != nil {
		f.t.Error(err)
	}
	if err := f.store.Close(); err != nil {
		f.t.Error(err)
	}
}

// restart is a new process on the same file.
func (f *fixture) restart() {
	f.stop()
	f.start()
}

var scheme, _ = ozeki.SchemeByName(ozeki.DefaultScheme)

// testKeys are made once: a key pair takes a noticeable time.
var testKeys = sync.OnceValue(func() []testKey {
	keys := make([]testKey, 3)
	_ = parallel(len(keys), func(i int) (err error) {
		k := &keys[i]
		k.pkcs1, k.spki, err = ozeki.GenerateKey(context.Background())
		k.private, _ = scheme.ImportKey(context.Background(), k.pkcs1)
		k.public, _ = scheme.ImportPublicKey(context.Background(), k.spki)
		return err
	})
	return keys
})

type testKey struct {
	pkcs1, spki []byte
	private     *ozeki.PrivateKey
	public      *ozeki.PublicKey
}

// user is a signed-in person: what he needs for making requests by hand, and a client.
type user struct {
	*ozeki.Client
	f       *fixture
	id      ozeki.UserID
	email   string
	apiKey  string
	station ozeki.StationID
	key     testKey
}

// user makes an account with the n-th key and signs it in on a new station.
func (f *fixture) user(name string, n int) *user {
	f.t.Helper()
	u := &user{f: f, email: strings.ToLower(name) + "@example.com", apiKey: hashAPIKey("api key of " + name), key: testKeys()[n]}
	u.id = ozeki.UserIDOf(u.email)
	_, err := f.store.Update(context.Background(), func(tx store.Tx) error {
		return tx.CreateAccount(context.Background(), store.Account{
			UserID: u.id, Email: u.email, FullName: name, Nick: name, APIKeyHash: hashAPIKey(u.apiKey), RSAKey: "-",
			PublicKey: base64.StdEncoding.EncodeToString(u.key.spki), CreatedAt: f.clock.now(),
		})
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return u.signIn()
}

// signIn returns the same person on a new station.
func (u *user) signIn() *user {
	u.f.t.Helper()
	v := *u
	v.station = ozeki.NewStationID()
	v.Client = ozeki.NewClient(ozeki.Options{Base: u.f.http.URL + testPath, Scheme: scheme, Clock: u.f.clock.now})
	a, err := v.Login(context.Background(), v.station, v.apiKey)
	if err != nil {
		u.f.t.Fatal(err)
	}
	v.SetSession(&ozeki.Session{UserID: v.id, Station: v.station, Key: v.key.private, Extensions: a.Extensions})
	return &v
}

// direct makes friends of two people and gives their one-to-one conversation.
func (f *fixture) direct(a, b *user) *ozeki.Conversation {
	f.t.Helper()
	ctx := context.Background()
	if _, err := a.AddFriend(ctx, b.email); err != nil {
		f.t.Fatal(err)
	}
	c, err := a.CreateConversation(ctx, ozeki.ConversationCreateRequest{
		ConversationID: ozeki.DirectConversationID(a.id, b.id), Members: []ozeki.Member{a.member(), b.member()},
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return c
}

func (u *user) member() ozeki.Member {
	return ozeki.Member{UserID: u.id, Secret: "c2VjcmV0", DisplayName: "bmFtZQ=="}
}

// raw is a request to be sent as it is.
type raw struct {
	method, query, body string
	header              map[string]string
}

// raw signs a body for a call; what is set in the header by the caller afterwards is sent as well.
func (u *user) raw(call ozeki.Call, body string) raw {
	u.f.t.Helper()
	signature, err := scheme.Sign(context.Background(), u.key.private, []byte(body))
	if err != nil {
		u.f.t.Fatal(err)
	}
	return raw{http.MethodPost, call.Query(), body, map[string]string{
		"Content-Type": "application/json", ozeki.HeaderStation: string(u.station), ozeki.HeaderUser: string(u.id), ozeki.HeaderSignature: signature,
	}}
}

// body returns the JSON of a call with the common fields and more of them, `"name":value` each.
func (f *fixture) body(call ozeki.Call, more ...string) string {
	fields := append([]string{`"action":"` + call.Action + `"`, `"clientversioncode":3`, `"timestamp":"` + ozeki.TimeOf(f.clock.now()).String() + `"`}, more...)
	return "{" + strings.Join(fields, ",") + "}"
}

func field(name string, value any) string {
	b, _ := json.Marshal(value)
	return `"` + name + `":` + string(b)
}

// answer is what came back for a raw request.
type answer struct {
	http   int
	header http.Header
	body   string
	ozeki.Answer
	Conversation *ozeki.Conversation
	Message      *ozeki.Message
	Messages     []ozeki.Message
}

// send sends a request as it is. Every answer has to be JSON of the API without HTML and without inner words.
func (f *fixture) send(r raw) answer {
	f.t.Helper()
	req, err := http.NewRequest(r.method, f.http.URL+testPath+r.query, bytes.NewReader([]byte(r.body)))
	if err != nil {
		f.t.Fatal(err)
	}
	for k, v := range r.header {
		req.Header.Set(k, v)
	}
	res, err := f.http.Client().Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	a := answer{http: res.StatusCode, header: res.Header, body: string(b)}
	if err := json.Unmarshal(b, &a); err != nil {
		f.t.Fatalf("answer is not JSON: %v\n%s", err, b)
	}
	for _, word := range []string{"<", "goroutine", ".go:"} {
		if strings.Contains(strings.ToLower(a.body), word) {
			f.t.Errorf("answer contains %q: %s", word, a.body)
		}
	}
	if strings.Contains(strings.ToLower(a.ErrorMessage), "sql") { // three letters are in some key by chance
		f.t.Errorf("refusal speaks of SQL: %s", a.body)
	}
	if a.Status != ozeki.StatusOK && (a.Status != "ERROR" || a.ErrorCode == "" || !strings.HasSuffix(a.ErrorMessage, ".")) {
		f.t.Errorf("refusal without status, code or sentence: %s", a.body)
	}
	return a
}

// want fails the test unless the answer has the code, "" being success.
func (a answer) want(t testing.TB, code string) answer {
	t.Helper()
	if (code == "") != (a.Status == ozeki.StatusOK) || a.ErrorCode != code {
		t.Errorf("answer %d %s, want code %q", a.http, a.body, code)
	}
	return a
}
