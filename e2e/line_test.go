package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// line is the network between a browser and its server: it notes what goes over it, and can answer, delay or cut it.
type line struct {
	URL string // where the browser finds the server at this end of the line

	mu       sync.Mutex
	sent     []*sent
	fault    func(*sent) fault
	noSocket bool // it lets no WebSocket through, as some proxies do
	sockets  []*socketEnd
}

// socketEnd is a connection to the server that became a WebSocket.
type socketEnd struct {
	net.Conn
	silent atomic.Bool // nothing comes and nothing arrives, and neither end is told
}

func (c *socketEnd) Read(b []byte) (int, error) {
	for {
		n, err := c.Conn.Read(b)
		if err != nil || !c.silent.Load() {
			return n, err
		}
	}
}

func (c *socketEnd) Write(b []byte) (int, error) {
	if c.silent.Load() {
		return len(b), nil
	}
	return c.Conn.Write(b)
}

// Silence makes the WebSockets that are open silent: they stay open, and carry nothing any more. Later ones do.
func (l *line) Silence() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.sockets {
		c.silent.Store(true)
	}
}

// Sockets counts the WebSockets that were opened.
func (l *line) Sockets() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.sockets)
}

func upgrades(r *http.Request) bool { return strings.EqualFold(r.Header.Get("Upgrade"), "websocket") }

// sent is a request of the API as it went over the line.
type sent struct {
	Method string
	URI    string // path and query
	Header http.Header
	Body   []byte
	Action string // of the body
	About  string // conversationid of the body
}

// fault is what the line does to a request; nil lets it pass.
type fault func(w http.ResponseWriter, pass http.Handler, r *http.Request)

// newLine lays a line to a server, until the test ends.
func newLine(t *testing.T, to string) *line {
	t.Helper()
	target, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	l := &line{}
	pass := &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(target)
			p.Out.Host = p.In.Host // the page's own origin stays what the browser calls it
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { cut(w, nil, nil) },
	}
	socket := *pass
	socket.Transport = &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		end := &socketEnd{Conn: c}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.sockets = append(l.sockets, end)
		return end, nil
	}}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f := l.note(r); f != nil {
			f(w, pass, r)
			return
		}
		if l.blocks(r) {
			http.Error(w, "no upgrades here", http.StatusBadGateway)
			return
		}
		if upgrades(r) {
			socket.ServeHTTP(w, r)
			return
		}
		pass.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	l.URL = s.URL
	return l
}

// note notes a request of the API and says what to do to it.
func (l *line) note(r *http.Request) fault {
	if r.URL.Query().Get("api") == "" {
		return nil
	}
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	s := &sent{Method: r.Method, URI: r.URL.RequestURI(), Header: r.Header.Clone(), Body: body}
	var fields struct {
		Action         string `json:"action"`
		ConversationID string `json:"conversationid"`
	}
	_ = json.Unmarshal(body, &fields)
	s.Action, s.About = fields.Action, fields.ConversationID
	l.mu.Lock()
	l.sent = append(l.sent, s)
	f := l.fault
	l.mu.Unlock()
	if f == nil {
		return nil
	}
	return f(s)
}

// on makes f decide about each request from now on; nil lets all pass.
func (l *line) on(f func(*sent) fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fault = f
}

// all returns the requests with one of the actions so far.
func (l *line) all(actions ...string) (found []*sent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.sent {
		for _, a := range actions {
			if s.Action == a {
				found = append(found, s)
			}
		}
	}
	return found
}

// to makes a decision: the fault for the given actions, the others pass.
func to(f fault, actions ...string) func(*sent) fault {
	return func(s *sent) fault {
		for _, a := range actions {
			if s.Action == a {
				return f
			}
		}
		return nil
	}
}

// cut ends the connection without an answer.
func cut(w http.ResponseWriter, _ http.Handler, _ *http.Request) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = conn.Close()
	}
}

// cutAnswer lets the request through and ends the connection instead of giving the answer.
func cutAnswer(w http.ResponseWriter, pass http.Handler, r *http.Request) {
	pass.ServeHTTP(httptest.NewRecorder(), r)
	cut(w, pass, r)
}

// answer answers in the server's place.
func answer(status int, contentType, body string) fault {
	return func(w http.ResponseWriter, _ http.Handler, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// gate holds answers back: the request goes through at once, its answer waits until the gate opens.
type gate struct {
	held chan struct{} // one element for each answer that waits
	open chan struct{}
	once sync.Once
}

func newGate(t *testing.T) *gate {
	g := &gate{held: make(chan struct{}, 100), open: make(chan struct{})}
	t.Cleanup(g.Open)
	return g
}

// Open lets all answers go.
func (g *gate) Open() { g.once.Do(func() { close(g.open) }) }

func (g *gate) hold(w http.ResponseWriter, pass http.Handler, r *http.Request) {
	rec := httptest.NewRecorder()
	pass.ServeHTTP(rec, r)
	g.held <- struct{}{}
	<-g.open
	for k, v := range rec.Header() {
		w.Header()[k] = v
	}
	w.WriteHeader(rec.Code)
	_, _ = w.Write(rec.Body.Bytes())
}
