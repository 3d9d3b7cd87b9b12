package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"starling/app/engine"
	"starling/chatserver/data"
	"starling/chatserver/store"
	"starling/ozeki"
)

const (
	stormUsers   = 40 // each may have 16 sockets
	stormClients = 500
	// stormRequests is more than a client that behaves sends from the server's end to its having caught up, and far less
	// than one that tries without pausing.
	stormRequests = 40
)

// device is a whole client without its looks, in real time and over real connections.
type device struct {
	*engine.Engine
	inner    ozeki.Transport
	requests atomic.Int64
	refused  atomic.Int64 // answers of a server that is asked too much
	sockets  atomic.Int64 // that are open
	dials    atomic.Int64
}

func (d *device) Post(ctx context.Context, url string, header map[string]string, body []byte) (*ozeki.Response, error) {
	d.requests.Add(1)
	res, err := d.inner.Post(ctx, url, header, body)
	if err == nil && (res.Status == 429 || res.Status >= 500) {
		d.refused.Add(1)
	}
	return res, err
}

func (d *device) dial(ctx context.Context, url string) (engine.Socket, error) {
	d.dials.Add(1)
	s, err := engine.DialSocket(ctx, url)
	if err != nil {
		return nil, err
	}
	d.sockets.Add(1)
	return &countedSocket{Socket: s, ended: sync.OnceFunc(func() { d.sockets.Add(-1) })}, nil
}

type countedSocket struct {
	engine.Socket
	ended func()
}

func (s *countedSocket) Close() {
	s.ended()
	s.Socket.Close()
}

// newDevice starts a client of a server.
func newDevice(t *testing.T, addr string) *device {
	d := &device{inner: ozeki.NewTransport()}
	d.Engine = engine.New(engine.Options{
		Client:   ozeki.NewClient(ozeki.Options{Base: "http://" + addr + apiPath, Transport: d}),
		Listener: "ws://" + addr + listenerPath, Dial: d.dial,
	})
	t.Cleanup(d.Close)
	d.Start()
	return d
}

// people makes accounts and a conversation of all of them. They share one key pair: to make one takes long.
func people(t *testing.T, dir string, n int) (creds []ozeki.Credentials, id ozeki.ConversationID, key []byte) {
	t.Helper()
	ctx := t.Context()
	release, err := data.Use(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	st, err := store.OpenSQLite(ctx, data.Database(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	scheme, err := ozeki.SchemeByName(ozeki.DefaultScheme)
	if err != nil {
		t.Fatal(err)
	}
	pkcs1, spki, err := ozeki.GenerateKey(ctx)
	if err != nil {
		t.Fatal(err)
	}
	public, err := scheme.ImportPublicKey(ctx, spki)
	if err != nil {
		t.Fatal(err)
	}
	id = ozeki.NewConversationID()
	if key, err = ozeki.NewConversationKey(); err != nil {
		t.Fatal(err)
	}
	secret, err := scheme.WrapKey(ctx, public, key)
	if err != nil {
		t.Fatal(err)
	}
	name, err := scheme.Seal(ctx, key, ozeki.NameAD(id), []byte("Everybody"))
	if err != nil {
		t.Fatal(err)
	}
	hash := func(text string) string {
		sum := sha256.Sum256([]byte(text))
		return hex.EncodeToString(sum[:])
	}
	_, err = st.Update(ctx, func(tx store.Tx) error {
		c := store.NewConversation{ID: id, IsGroup: true, Instance: ozeki.NewInstance(), CreatedAt: time.Now()}
		for i := range n {
			email := fmt.Sprintf("person%d@example.com", i)
			cred := ozeki.Credentials{APIKey: hash(email), EncryptionPassword: hash("password of " + email)}
			pem, err := ozeki.SealPEM(pkcs1, cred.EncryptionPassword)
			if err != nil {
				return err
			}
			err = tx.CreateAccount(ctx, store.Account{
				UserID: ozeki.UserIDOf(email), Email: email, FullName: fmt.Sprint("Person ", i), Nick: "Person", APIKeyHash: hash(cred.APIKey),
				RSAKey: pem, PublicKey: base64.StdEncoding.EncodeToString(spki), CreatedAt: time.Now(),
			})
			if err != nil {
				return err
			}
			creds = append(creds, cred)
			c.Members = append(c.Members, ozeki.Member{UserID: ozeki.UserIDOf(email), Secret: secret, DisplayName: name})
		}
		return tx.CreateConversation(ctx, c)
	})
	if err != nil {
		t.Fatal(err)
	}
	return creds, id, key
}

// Five hundred clients lose their server at once. While it is away they do not hammer at its address, and when it is there
// again all of them come back, none is turned away, and each learns what it missed.
func TestFiveHundredClientsComeBackAfterARestartWithoutAStorm(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	dir := t.TempDir()
	creds, id, key := people(t, dir, stormUsers)
	p := started(t, "--addr", "127.0.0.1:0", "--data", dir)
	writer := &writer{Client: newClient(p.url), t: t, cred: creds[0], key: key}
	writer.signIn()
	list, err := writer.Conversations(t.Context())
	if err != nil || len(list) != 1 || list[0].ID != id {
		t.Fatal(list, err)
	}
	writer.conv = &list[0]

	devices := make([]*device, stormClients)
	var work sync.WaitGroup
	few := make(chan struct{}, 8)
	for i := range devices {
		devices[i] = newDevice(t, p.addr)
		work.Go(func() {
			few <- struct{}{}
			defer func() { <-few }()
			cred := creds[1+i%(stormUsers-1)] // the writer has his own
			if err := devices[i].SignInWithKey(t.Context(), cred.APIKey, cred.EncryptionPassword); err != nil {
				t.Error(err)
			}
		})
	}
	work.Wait()
	all := func(what string, is func(d *device) bool) {
		t.Helper()
		left := 0
		for limit := time.Now().Add(3 * time.Minute); time.Now().Before(limit); time.Sleep(20 * time.Millisecond) {
			if left = 0; t.Failed() {
				t.FailNow()
			}
			for _, d := range devices {
				if !is(d) {
					left++
				}
			}
			if left == 0 {
				return
			}
		}
		t.Fatalf("%d of %d clients waited in vain until %s", left, len(devices), what)
	}
	unread := func(n int) func(d *device) bool {
		return func(d *device) bool {
			v := d.Snapshot()
			return len(v.Conversations) == 1 && v.Conversations[0].Unread == n
		}
	}
	linked := func(d *device) bool { return d.sockets.Load() == 1 && !d.Snapshot().Offline }
	all("it has a socket", linked)
	if err := writer.add(writer.message("before")); err != nil {
		t.Fatal(err)
	}
	all("it has the message", unread(1))

	before, dialled := make([]int64, len(devices)), make([]int64, len(devices))
	for i, d := range devices {
		before[i], dialled[i] = d.requests.Load(), d.dials.Load()
	}
	addr := p.addr
	p.kill()
	all("it knows that the server is away", func(d *device) bool { return d.sockets.Load() == 0 && d.Snapshot().Offline })
	p = started(t, "--addr", addr, "--data", dir)
	if err := writer.add(writer.message("meanwhile")); err != nil {
		t.Errorf("a message in the middle of the return: %v", err)
	}
	all("it has a socket again", linked)
	all("it has what it missed", unread(2))
	if err := writer.add(writer.message("after")); err != nil {
		t.Error(err)
	}
	all("it has what came after", unread(3))
	var most, sum int64
	for i, d := range devices {
		n := d.requests.Load() - before[i]
		most, sum = max(most, n), sum+n
		if n > stormRequests || d.dials.Load()-dialled[i] > stormRequests {
			t.Errorf("client %d sent %d requests and opened %d connections", i, n, d.dials.Load()-dialled[i])
		}
		if n := d.refused.Load(); n > 0 {
			t.Errorf("client %d was turned away %d times", i, n)
		}
	}
	t.Logf("%d requests of %d clients, at most %d of one", sum, len(devices), most)
}
