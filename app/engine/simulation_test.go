//go:build !js

package engine

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"starling/app/state"
	"starling/chatserver"
	"starling/chatserver/bus"
	"starling/chatserver/store"
	"starling/ozeki"
	"starling/ozeki/json"
)

var (
	seeds = flag.Int("seeds", 100, "how many runs TestWhateverTheNetworkDoesAllDevicesEndAsTheServer makes")
	seed  = flag.Uint64("seed", 0, "the one run that it makes; 0: as many as -seeds says")
)

// Devices of two people, the real server and a network that cuts requests and answers, delays and reorders them, and hangs
// sockets up; programs that end and start again with what the device keeps, sessions that the server ends, sign-outs. When the
// network is good again, everybody sees what the server has, each message is there once and in order, and flags are as was
// wanted last. Time is the bubble's, so that hours of it pass in a moment.
//
// What happens follows from the seed. In which order goroutines run within one moment does not: where a seed that failed
// passes, repeat it with -count.
func TestWhateverTheNetworkDoesAllDevicesEndAsTheServer(t *testing.T) {
	testKeys()
	database := simulatedDatabase(t)
	from, to := uint64(1), uint64(*seeds)
	if testing.Short() {
		to = min(to, 10)
	}
	if *seed > 0 {
		from, to = *seed, *seed
	}
	for n := from; n <= to; n++ {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { simulate(t, n, database) })
			if t.Failed() {
				t.Logf("repeat it with: go test ./app/engine -run TestWhateverTheNetworkDoes -count=1 -seed %d", n)
			}
		})
	}
}

// quickScheme signs nothing: a signature takes longer than all the rest of a call.
type quickScheme struct{ ozeki.Scheme }

func (quickScheme) Sign(context.Context, *ozeki.PrivateKey, []byte) (string, error) {
	return "signed", nil
}

func (quickScheme) Verify(_ context.Context, _ *ozeki.PublicKey, _ []byte, signature string) error {
	if signature != "signed" {
		return ozeki.ErrSignature
	}
	return nil
}

// simulatedWorld is what all runs begin with.
type simulatedWorld struct {
	path          string
	people        []account
	conversations []ozeki.ConversationID
}

func simulatedDatabase(t *testing.T) simulatedWorld {
	t.Helper()
	w := simulatedWorld{path: filepath.Join(t.TempDir(), "begin.db")}
	st, err := store.OpenSQLite(t.Context(), w.path)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, store: st}
	w.people = []account{s.account(0), s.account(1)}
	a, b := w.people[0], w.people[1]
	w.conversations = []ozeki.ConversationID{s.direct(a, b), ozeki.NewConversationID()}
	group := w.conversations[1]
	s.update(func(ctx context.Context, tx store.Tx) error {
		members := []ozeki.Member{a.member(t, group, conversationKey(group), "Group"), b.member(t, group, conversationKey(group), "Group")}
		return tx.CreateConversation(ctx, store.NewConversation{ID: group, IsGroup: true, Instance: ozeki.NewInstance(), CreatedAt: time.Unix(946684800, 0), Members: members})
	})
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	return w
}

// simulation is one run.
type simulation struct {
	t       *testing.T
	seed    uint64
	r       *rand.Rand
	world   simulatedWorld
	server  *server
	handler http.Handler
	devices []*device
	begin   time.Time
	log     []string
	logMu   sync.Mutex
	written []*writing
}

// writing is a message that somebody wrote.
type writing struct {
	device       *device
	conversation ozeki.ConversationID
	text         string
	lost         bool // its device was signed out before it was sent: it may or may not have arrived
}

// device is a browser, with one tab or two.
type device struct {
	*simulation
	account
	name  string
	vault Vault
	locks Locks
	tabs  []*Engine
	dead  *atomic.Bool // the program is
	line  *badLine
	wish  map[wishAt]string               // what was wanted last
	draft map[ozeki.ConversationID]string // what was begun to be written last
	out   bool                            // the user has signed out
	said  bool                            // whether flags are set here
}

// badLine is a device's network.
type badLine struct {
	*device
	mu      sync.Mutex
	off     bool
	lossy   int // of ten requests so many are cut, before or after the server has them
	slow    time.Duration
	strange bool // news are answered by something else
	n       int
	sockets map[*badSocket]bool
}

func (s *simulation) note(format string, args ...any) {
	s.logMu.Lock()
	defer s.logMu.Unlock()
	s.log = append(s.log, fmt.Sprintf("%8.3fs ", time.Since(s.begin).Seconds())+fmt.Sprintf(format, args...))
}

func (s *simulation) fatal(format string, args ...any) {
	s.t.Helper()
	s.logMu.Lock()
	for _, l := range s.log[max(0, len(s.log)-400):] {
		s.t.Log(l)
	}
	s.logMu.Unlock()
	s.t.Errorf(format, args...)
}

// chance is a number that follows from the seed, the device and the number of its request.
func (l *badLine) chance(what string, n, of int) int {
	h := fnv.New64a()
	fmt.Fprint(h, l.seed, l.name, what, n)
	return int(h.Sum64()>>16) % of
}

func (l *badLine) Post(ctx context.Context, url string, header map[string]string, body []byte) (*ozeki.Response, error) {
	l.mu.Lock()
	l.n++
	n, off, lossy, slow := l.n, l.off, l.lossy, l.slow
	l.mu.Unlock()
	call := callName(url, body)
	wait := func(part string) error {
		d := time.Duration(5+l.chance(part, n, 40))*time.Millisecond + time.Duration(l.chance("slow"+part, n, 100))*slow/100
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ozeki.ErrUnreachable, ctx.Err())
		}
	}
	cut := func(part string) bool { return off || l.chance("cut"+part, n, 20) < lossy }
	if err := wait("there"); err != nil {
		return nil, err
	}
	if cut("there") {
		l.note("%s: %s is cut", l.name, call)
		return nil, fmt.Errorf("%w: cut", ozeki.ErrUnreachable)
	}
	r, err := http.NewRequestWithContext(context.WithoutCancel(ctx), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for k, v := range header {
		r.Header.Set(k, v)
	}
	r.RemoteAddr = "192.0.2.1:1"
	rec := httptest.NewRecorder()
	l.handler.ServeHTTP(rec, r)
	if call != "poll" {
		l.note("%s: %s is served %d", l.name, call, rec.Code)
	}
	if err := wait("back"); err != nil {
		return nil, err
	}
	if cut("back") {
		l.note("%s: the answer to %s is cut", l.name, call)
		return nil, fmt.Errorf("%w: cut", ozeki.ErrUnreachable)
	}
	if odd := l.oddAnswer(call, n, lossy); odd != nil {
		l.note("%s: %s is answered %d by something else", l.name, call, odd.Status)
		return odd, nil
	}
	date, _ := http.ParseTime(rec.Header().Get("Date"))
	return &ozeki.Response{Status: rec.Code, ContentType: rec.Header().Get("Content-Type"), Date: date, Body: rec.Body.Bytes()}, nil
}

// oddAnswer is what something between the two says in the server's place, nil for nothing: that it cannot serve now, or, of
// what is only read, a page of its own.
func (l *badLine) oddAnswer(call string, n, lossy int) *ozeki.Response {
	l.mu.Lock()
	strange := l.strange && call == "download"
	l.mu.Unlock()
	reads := slices.Contains([]string{"poll", "download", "downloadpartial", "chatconversation list"}, call)
	switch of := l.chance("odd", n, 20); {
	case strange, reads && of < lossy/4:
		return webPage
	case of >= 20-lossy/4:
		return &ozeki.Response{Status: http.StatusServiceUnavailable, ContentType: "text/html", Body: []byte("<h1>503")}
	}
	return nil
}

// badSocket is a socket that hears of changes while the line is good.
type badSocket struct {
	line   *badLine
	texts  chan string
	closed chan struct{}
	once   sync.Once
}

var errHungUp = errors.New("hung up")

func (l *badLine) dial(context.Context, string) (Socket, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.off {
		return nil, fmt.Errorf("%w: no socket", ozeki.ErrUnreachable)
	}
	s := &badSocket{line: l, texts: make(chan string, 100), closed: make(chan struct{})}
	l.sockets[s] = true
	return s, nil
}

func (l *badLine) tell(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for s := range l.sockets {
		s.hear(text)
	}
}

// hear gives the client a text, unless the line has no way for it, which nobody notices.
func (s *badSocket) hear(text string) {
	if !s.line.off {
		select {
		case s.texts <- text:
		default:
		}
	}
}

func (s *badSocket) Read(ctx context.Context) (string, error) {
	select {
	case text := <-s.texts:
		return text, nil
	case <-s.closed:
		return "", errHungUp
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func (s *badSocket) Send(context.Context, string) error {
	s.line.mu.Lock()
	defer s.line.mu.Unlock()
	s.hear(`{"type":"beat"}`)
	return nil
}

func (s *badSocket) Close() {
	s.once.Do(func() { close(s.closed) })
	s.line.mu.Lock()
	delete(s.line.sockets, s)
	s.line.mu.Unlock()
}

func (l *badLine) hangUp() {
	l.mu.Lock()
	all := make([]*badSocket, 0, len(l.sockets))
	for s := range l.sockets {
		all = append(all, s)
	}
	l.mu.Unlock()
	for _, s := range all {
		s.Close()
	}
}

// start starts the program in the device's tabs.
func (d *device) start(tabs int) {
	browser := &tabsOfDevice{}
	d.dead = new(atomic.Bool)
	for range tabs {
		o := Options{
			Client: ozeki.NewClient(ozeki.Options{Base: "http://sim" + apiPath, Scheme: quickScheme{scheme}, Transport: d.line}),
			Vault:  mortalVault{d.vault, d.dead}, Locks: d.locks, Neighbours: browser.tab(), Jitter: func(most time.Duration) time.Duration { return most / 2 },
		}
		if d.seed%2 == 0 {
			o.Listener, o.Dial = "ws://sim"+listenerPath, d.line.dial
		}
		e := New(o)
		d.tabs = append(d.tabs, e)
		e.Start()
	}
}

// end ends it, as a browser does that is closed.
func (d *device) end() {
	for _, e := range d.tabs {
		e.Close()
	}
	d.tabs = nil
}

// signIn signs in where nobody is, and says whether somebody is then.
func (d *device) signIn() bool {
	e := d.tabs[0]
	if e.Snapshot().Phase != state.SignedOut {
		return e.Snapshot().Phase == state.SignedIn
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err := e.SignInWithKey(ctx, d.cred.APIKey, d.cred.EncryptionPassword)
	d.note("%s: signs in: %v", d.name, err)
	return err == nil
}

// mortalVault takes nothing any more once the program is killed.
type mortalVault struct {
	Vault
	dead *atomic.Bool
}

var errKilled = errors.New("killed")

func (v mortalVault) Update(ctx context.Context, change func(*Kept)) error {
	if v.dead.Load() {
		return errKilled
	}
	return v.Vault.Update(ctx, change)
}

func (v mortalVault) Queue(ctx context.Context, user ozeki.UserID, w Waiting, last bool) (int64, bool, error) {
	if v.dead.Load() {
		return 0, false, errKilled
	}
	return v.Vault.Queue(ctx, user, w, last)
}

func (v mortalVault) Unqueue(ctx context.Context, ws ...Waiting) error {
	if v.dead.Load() {
		return errKilled
	}
	return v.Vault.Unqueue(ctx, ws...)
}

func (v mortalVault) Shelve(ctx context.Context, owner string, records ...Record) error {
	if v.dead.Load() {
		return errKilled
	}
	return v.Vault.Shelve(ctx, owner, records...)
}

// tabsOfDevice are tabs that hear each other a moment later, as a browser's do.
type tabsOfDevice struct{ tabs }

func (t *tabsOfDevice) tab() Neighbours { return laterTab{t.tabs.tab()} }

type laterTab struct{ tab }

func (t laterTab) Tell(n Note) { time.AfterFunc(time.Millisecond, func() { t.tab.Tell(n) }) }

func simulate(t *testing.T, seed uint64, world simulatedWorld) {
	s := &simulation{t: t, seed: seed, r: rand.New(rand.NewPCG(seed, 1)), world: world, begin: time.Now()}
	raw, err := os.ReadFile(world.path)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "chat.db")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	st, err := store.OpenSQLite(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	hints := bus.NewLocal()
	chat := chatserver.New(chatserver.Config{Store: st, Bus: hints, Scheme: quickScheme{scheme}, PublicPath: apiPath, ListenerPath: listenerPath, Clock: time.Now})
	s.server, s.handler = &server{t: t, store: st}, chat
	for i, name := range []string{"Alice's phone", "Alice's laptop", "Bob's laptop"} {
		d := &device{simulation: s, account: world.people[i/2], name: name, vault: NewVault(), locks: NewLocks(), wish: map[wishAt]string{}, draft: map[ozeki.ConversationID]string{}, said: i != 1}
		d.line = &badLine{device: d, sockets: map[*badSocket]bool{}}
		s.devices = append(s.devices, d)
	}
	deaf := hints.Subscribe(func(bus.Hint) {
		for _, d := range s.devices {
			d.line.tell(`{"type":"changed"}`)
		}
	})
	for _, d := range s.devices {
		d.start(1 + s.r.IntN(2))
	}
	synctest.Wait()
	for _, d := range s.devices {
		d.signIn()
	}
	time.Sleep(5 * time.Second)
	for range 20 + s.r.IntN(40) {
		s.step()
		time.Sleep(time.Duration(s.r.IntN(3000)) * time.Millisecond)
	}
	s.settle()
	s.compare()
	for _, d := range s.devices { // which the settling has not done, so that what is seen has come by itself
		for _, e := range d.tabs {
			for _, id := range world.conversations {
				e.Open(id)
				time.Sleep(time.Second)
				s.compareOpen(d, e, d.name)
			}
		}
	}
	s.missNews()
	for _, d := range s.devices {
		d.end()
	}
	deaf()
	time.Sleep(time.Second) // what tabs tell each other is heard by nobody
	if err := chat.Close(); err != nil {
		t.Error(err)
	}
	hints.Close()
	if err := st.Close(); err != nil {
		t.Error(err)
	}
}

func (s *simulation) step() {
	d := s.devices[s.r.IntN(len(s.devices))]
	e := d.tabs[s.r.IntN(len(d.tabs))]
	id := s.world.conversations[s.r.IntN(len(s.world.conversations))]
	switch n := s.r.IntN(25); n {
	case 0, 1, 2, 3, 4, 5:
		for range 1 + s.r.IntN(3) {
			s.write(d, e, id)
		}
	case 6, 7, 8:
		s.flag(d, e, id)
	case 9, 10:
		s.note("%s: opens %.4s", d.name, id)
		e.Open(id)
	case 11:
		s.note("%s: has read %.4s", d.name, id)
		e.MarkRead(id)
	case 12, 13, 14:
		d.line.mu.Lock()
		d.line.off, d.line.lossy, d.line.slow = n == 12, []int{0, 4, 10}[n-12], time.Duration(s.r.IntN(2)*s.r.IntN(25))*time.Second
		s.note("%s: off %t lossy %d slow %v", d.name, d.line.off, d.line.lossy, d.line.slow)
		d.line.mu.Unlock()
	case 15:
		d.good()
	case 16:
		s.note("%s: hangs up", d.name)
		d.line.hangUp()
	case 17:
		switch n := s.r.IntN(3); n {
		case 0:
			s.note("%s: starts again", d.name)
			e.Leaving()
		case 1:
			s.note("%s: starts again at once", d.name)
			clear(d.draft) // what was begun may not be kept yet
		case 2:
			s.note("%s: is killed", d.name)
			d.dead.Store(true)
			clear(d.draft)
		}
		d.again()
	case 18:
		if e.Snapshot().Phase == state.SignedOut {
			d.signIn()
			break
		}
		if session := e.client.Session(); session != nil {
			s.note("%s: the server ends the session", d.name)
			s.server.update(func(ctx context.Context, tx store.Tx) error {
				err := tx.UnbindStation(ctx, session.Station, d.id)
				if errors.Is(err, store.ErrNotFound) {
					return nil
				}
				return err
			})
		}
	case 19:
		if s.r.IntN(4) > 0 || e.Snapshot().Phase != state.SignedIn {
			break
		}
		s.note("%s: signs out", d.name)
		for _, w := range s.written {
			w.lost = w.lost || w.device == d
		}
		clear(d.wish)
		clear(d.draft)
		e.SignOut()
	case 20, 21:
		s.change(e, n == 20)
	case 22:
		w := &writing{device: d, conversation: id, text: fmt.Sprint("message ", len(s.written))}
		if e.Send(id, w.text) != nil {
			break
		}
		s.note("%s: writes %s to %.4s and goes at once", d.name, w.text, id)
		s.written = append(s.written, w)
		e.Leaving()
		d.again()
	case 23, 24:
		s.begins(d, e)
	}
}

// again starts the programs of a device anew.
func (d *device) again() {
	d.end()
	time.Sleep(time.Duration(d.r.IntN(5000)) * time.Millisecond)
	d.start(1 + d.r.IntN(2))
}

// begins begins to write something in the conversation that is open, or takes that back.
func (s *simulation) begins(d *device, e *Engine) {
	open := e.Snapshot().Open
	if open == nil || !open.Known || open.Opening || !open.CanWrite || len(d.tabs) > 1 { // two tabs have each their own
		return
	}
	text := ""
	if s.r.IntN(3) > 0 {
		text = fmt.Sprint("half a thought, ", s.r.IntN(1000))
	}
	s.note("%s: begins %q in %.4s", d.name, text, open.Row.ID)
	d.draft[open.Row.ID] = text
	e.SetDraft(open.Row.ID, &state.Draft{Text: text})
}

// change edits or deletes a message of the user's, which the server has.
func (s *simulation) change(e *Engine, edit bool) {
	open := e.Snapshot().Open
	if open == nil {
		return
	}
	for _, m := range open.Messages {
		if !m.Mine || m.Kind != state.KindText || m.State != state.MessageSent || s.r.IntN(3) > 0 {
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		var err error
		if edit {
			err = e.Edit(ctx, open.Row.ID, m.ID, m.Text+"*")
		} else {
			for _, w := range s.written {
				w.lost = w.lost || w.text == original(m.Text) // whether this arrives or not
			}
			err = e.Delete(ctx, open.Row.ID, m.ID)
		}
		s.note("%q is changed: %v", m.Text, err)
		return
	}
}

// original is what a message said before it was edited.
func original(text string) string { return strings.TrimRight(text, "*") }

func (s *simulation) write(d *device, e *Engine, id ozeki.ConversationID) {
	w := &writing{device: d, conversation: id, text: fmt.Sprint("message ", len(s.written))}
	done := make(chan error, 1)
	err := e.Write(id, Writing{Text: w.text, Done: func(err error) { done <- err }})
	if err != nil {
		return // signed out, or no list yet
	}
	s.note("%s: writes %s to %.4s", d.name, w.text, id)
	s.written = append(s.written, w)
	select {
	case err = <-done:
		w.lost = err != nil
	case <-time.After(time.Second): // the session has ended before it was kept: it is sent in the next one
	}
	if w.lost {
		s.note("%s: %s is given back: %v", d.name, w.text, err)
	}
}

func (s *simulation) flag(d *device, e *Engine, id ozeki.ConversationID) {
	row := row(e.Snapshot(), id)
	if !d.said || row.ID == "" || len(d.tabs) > 1 { // two tabs that say different things at once may each be the last
		return
	}
	switch s.r.IntN(4) {
	case 0:
		d.wish[wishAt{id, state.FlagFavorite}] = onOff(!row.Favorite)
		e.Star(id, !row.Favorite)
	case 1:
		d.wish[wishAt{id, state.FlagMute}] = onOff(!row.Muted)
		e.Mute(id, !row.Muted)
	case 2:
		d.wish[wishAt{id, state.FlagHide}] = onOff(!row.Hidden)
		e.Hide(id, !row.Hidden)
	case 3:
		color := []string{"", "#ff0000", "#00aa00"}[s.r.IntN(3)]
		d.wish[wishAt{id, state.FlagColor}] = color
		e.Color(id, color)
	}
	s.note("%s: wants %v", d.name, d.wish)
}

func (d *device) good() {
	d.note("%s: a good line", d.name)
	d.line.mu.Lock()
	d.line.off, d.line.lossy, d.line.slow = false, 0, 0
	d.line.mu.Unlock()
}

// settle makes all lines good, signs in where nobody is and gives everybody time.
func (s *simulation) settle() {
	for _, d := range s.devices {
		d.good()
	}
	for range 3 { // the server may just have ended a session, and waits for another try grow up to half a minute
		for _, d := range s.devices {
			d.signIn()
		}
		time.Sleep(40 * time.Second)
	}
}

// missNews has everybody hear of a message whose fetching fails once, where nothing else is wrong: it is fetched soon all the
// same, not when the next poll is due.
func (s *simulation) missNews() {
	for _, id := range s.world.conversations {
		for _, d := range s.devices {
			for _, e := range d.tabs {
				e.Open(id)
			}
		}
		time.Sleep(time.Second)
		for _, d := range s.devices {
			d.line.mu.Lock()
			d.line.strange = true
			d.line.mu.Unlock()
		}
		d := s.devices[s.r.IntN(len(s.devices))]
		s.write(d, d.tabs[0], id)
		time.Sleep(500 * time.Millisecond)
		for _, d := range s.devices {
			d.line.mu.Lock()
			d.line.strange = false
			d.line.mu.Unlock()
		}
		time.Sleep(10 * time.Second)
		for _, d := range s.devices {
			for n, e := range d.tabs {
				s.compareOpen(d, e, fmt.Sprint(d.name, ", tab ", n, ", after news that were missed"))
			}
		}
	}
}

// compare compares what everybody sees with what the server has.
func (s *simulation) compare() {
	ctx := context.Background()
	for _, id := range s.world.conversations {
		ids := s.server.messages(s.world.people[0], id)
		var stored []string
		for _, text := range s.texts(id, ids) {
			if text != "" { // deleted
				stored = append(stored, original(text))
			}
		}
		for i, text := range stored {
			if slices.Index(stored, text) != i {
				s.fatal("%q is there twice", text)
			}
		}
		last := map[*device]int{}
		for _, w := range s.written {
			if w.conversation != id {
				continue
			}
			at := slices.Index(stored, w.text)
			switch {
			case at < 0 && !w.lost:
				s.fatal("%s: %q has not arrived", w.device.name, w.text)
			case at >= 0 && !w.lost && at < last[w.device]:
				s.fatal("%s: %q stands before what was written earlier: %q", w.device.name, w.text, stored)
			case at >= 0 && !w.lost:
				last[w.device] = at
			}
		}
	}
	for _, d := range s.devices {
		for n, e := range d.tabs {
			s.compareTab(ctx, d, e, fmt.Sprint(d.name, ", tab ", n))
		}
		k, err := d.vault.Load(ctx)
		if err != nil || k == nil || len(k.Waiting) > 0 || len(k.Wishes) > 0 {
			s.fatal("%s: in the end it keeps %+v, %v", d.name, k, err)
		}
		for at, want := range d.wish {
			c, err := s.server.store.Conversation(ctx, d.id, at.id)
			got := map[state.Flag]string{
				state.FlagFavorite: onOff(c.Favorite), state.FlagMute: onOff(c.Muted), state.FlagHide: onOff(c.HideID != ""), state.FlagColor: colorOf(c),
			}[at.flag]
			if err != nil || got != want {
				s.fatal("%s: the server has %q for %v, wanted was %q: %v", d.name, got, at, want, err)
			}
		}
		for id, want := range d.draft {
			var got []string
			for _, sealed := range strings.Fields(k.Drafts[id]) {
				var d keptDraft
				opened := scheme.Open(ctx, []ozeki.Sealed{{Key: conversationKey(id), AD: ozeki.MessageAD(id, draftID), Data: strings.TrimPrefix(sealed, unseen)}})
				if err := errors.Join(opened[0].Err, json.Unmarshal(opened[0].Plaintext, &d)); err != nil {
					s.t.Fatal(err)
				}
				got = append(got, d.Text)
			}
			if !slices.Contains(got, want) && (want != "" || len(got) > 0) {
				s.fatal("%s: it keeps %q as begun, and that was %q", d.name, got, want)
			}
		}
	}
}

func (s *simulation) compareTab(ctx context.Context, d *device, e *Engine, name string) {
	v := e.Snapshot()
	if v.Phase != state.SignedIn || !v.Loaded || v.Offline || v.Unsent > 0 {
		s.fatal("%s: phase %v (%s), loaded %t, offline %t, unsent %d", name, v.Phase, v.Reason, v.Loaded, v.Offline, v.Unsent)
	}
	for _, id := range s.world.conversations {
		c, err := s.server.store.Conversation(ctx, d.id, id)
		if err != nil {
			s.t.Fatal(err)
		}
		r := row(v, id)
		if r.Favorite != c.Favorite || r.Muted != c.Muted || r.Hidden != (c.HideID != "") || r.Color != colorOf(c) || r.Unread != c.Unread || r.Star != state.FlagSettled || r.Saving != state.FlagSettled {
			s.fatal("%s: the row is %+v, the server has favorite %t muted %t hidden %q colour %q unread %d", name, r, c.Favorite, c.Muted, c.HideID, c.Color, c.Unread)
		}
		if stored := s.texts(id, s.server.messages(d.account, id)); len(stored) > 0 && !strings.HasSuffix(r.Preview, stored[len(stored)-1]) && stored[len(stored)-1] != "" {
			s.fatal("%s: the row says %q, the last message is %q", name, r.Preview, stored[len(stored)-1])
		}
	}
	s.compareOpen(d, e, name)
}

// colorOf is the colour that a conversation was given: white stands for none.
func colorOf(c store.Conversation) string { return strings.TrimPrefix(c.Color, "#ffffff") }

// compareOpen compares the messages of the open conversation, if one is open.
func (s *simulation) compareOpen(d *device, e *Engine, name string) {
	open := e.Snapshot().Open
	if open == nil {
		return
	}
	var shown []string
	for _, m := range open.Messages {
		shown = append(shown, m.Text)
	}
	id := open.Row.ID
	if want := s.texts(id, s.server.messages(d.account, id)); !open.Loaded || !slices.Equal(shown, want) {
		s.fatal("%s: loaded %t, it shows %q, the server has %q", name, open.Loaded, shown, want)
	}
}

// texts are what stands in messages of the server.
func (s *simulation) texts(id ozeki.ConversationID, ids []ozeki.MessageID) (out []string) {
	ctx := context.Background()
	c, err := s.server.store.Conversation(ctx, s.world.people[0].id, id)
	if err != nil {
		s.t.Fatal(err)
	}
	list, err := s.server.store.Messages(ctx, store.MessageQuery{Conversation: id, Instance: c.Instance, Now: time.Now(), Limit: 5000})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, want := range ids {
		text := "unknown " + string(want)
		for _, m := range list {
			if m.ID == want {
				opened := scheme.Open(ctx, []ozeki.Sealed{{Key: conversationKey(id), AD: ozeki.MessageAD(id, m.ID), Data: m.Data}})
				text = shownMessage(ozeki.Message{Type: m.Type}, opened[0]).Text
			}
		}
		out = append(out, text)
	}
	return out
}
