package relay

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"starling/ozeki"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	apiPath      = "/ozeki/index.php"
	listenerPath = "/ozeki/listener"
)

// front is a relay, mounted as the site mounts it, before an upstream that a test plays.
type front struct {
	*Relay
	upstream *httptest.Server
	http     *httptest.Server
	mu       sync.Mutex
	got      []*http.Request // what the upstream got
	bodies   []string
}

func newFront(t *testing.T, listener string, play http.HandlerFunc) *front {
	t.Helper()
	f := &front{}
	f.upstream = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			body, _ := io.ReadAll(r.Body)
			f.mu.Lock()
			f.got, f.bodies = append(f.got, r.Clone(context.Background())), append(f.bodies, string(body))
			f.mu.Unlock()
		}
		play(w, r)
	}))
	t.Cleanup(f.upstream.Close)
	f.mount(t, f.upstream.URL+"/some/index.php", listener)
	return f
}

func (f *front) mount(t *testing.T, upstream, listener string) {
	t.Helper()
	r, err := New(upstream, listener, apiPath, listenerPath, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	f.Relay = r
	mux := http.NewServeMux()
	mux.Handle(apiPath, r.API)
	mux.Handle(listenerPath, r.Listener)
	f.http = httptest.NewServer(mux)
	t.Cleanup(f.http.Close)
}

// post sends a call; header is pairs of names and values.
func (f *front) post(t *testing.T, query, body string, header ...string) (*http.Response, string) {
	t.Helper()
	return f.do(t, http.MethodPost, query, strings.NewReader(body), append([]string{"Content-Type", "application/json"}, header...)...)
}

func (f *front) do(t *testing.T, method, query string, body io.Reader, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, f.http.URL+apiPath+query, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	client := &http.Client{
		Transport:     &http.Transport{DisableCompression: true, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(b)
}

// refused checks that an answer is a refusal of the API with words.
func refused(t *testing.T, res *http.Response, body string, status int, words string) {
	t.Helper()
	var a ozeki.Answer
	if err := json.Unmarshal([]byte(body), &a); err != nil || res.StatusCode != status || a.Status != "ERROR" || !strings.Contains(a.ErrorMessage, words) {
		t.Errorf("the answer is %d %s, want %d and %q", res.StatusCode, body, status, words)
	}
	if res.Header.Get("Content-Type") != "application/json" || res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("the header is %v", res.Header)
	}
}

func answer(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, body)
}

func TestCallsReachTheServerAndOnlyWhatBelongsToThem(t *testing.T) {
	f := newFront(t, "", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Set-Cookie", "session=upstream")
		w.Header().Set("Server", "Ozeki")
		w.Header().Set("X-Powered-By", "PHP")
		w.Header().Set("Content-Security-Policy", "none")
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Retry-After", "7")
		answer(w, `{"status":"OK","conversations":[]}`)
	})
	const query, sent = "?srv=chatserver&api=chatconversation", `{"action":"list"}`
	res, body := f.post(t, query, sent, ozeki.HeaderStation, "st", ozeki.HeaderUser, "us", ozeki.HeaderSignature, "si+g=",
		"Cookie", "page=secret", "Authorization", "Basic secret", "Origin", f.http.URL, "Referer", f.http.URL+"/?c=secret", "X-Forwarded-For", "10.0.0.1",
		"Upgrade", "websocket", "Connection", "Upgrade", "User-Agent", "Starling")
	if res.StatusCode != 200 || body != `{"status":"OK","conversations":[]}` {
		t.Errorf("the answer is %d %s", res.StatusCode, body)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/json", "Cache-Control": "no-store", "Retry-After": "7", "Set-Cookie": "", "Server": "", "X-Powered-By": "",
		"Content-Security-Policy": "", "Access-Control-Allow-Origin": "",
	} {
		if got := res.Header.Get(name); got != want {
			t.Errorf("the answer's %s is %q, want %q", name, got, want)
		}
	}
	if res.Header.Get("Date") == "" {
		t.Error("the answer has no Date, by which the client measures the server's clock")
	}
	got := f.got[0]
	if got.URL.String() != "/some/index.php"+query || f.bodies[0] != sent || got.Host != strings.TrimPrefix(f.upstream.URL, "http://") {
		t.Errorf("the server got %s of %s: %s", got.URL, got.Host, f.bodies[0])
	}
	for name, want := range map[string]string{
		ozeki.HeaderStation: "st", ozeki.HeaderUser: "us", ozeki.HeaderSignature: "si+g=", "Content-Type": "application/json", "User-Agent": "Starling",
		"Cookie": "", "Authorization": "", "Origin": "", "Referer": "", "X-Forwarded-For": "", "X-Forwarded-Host": "", "Forwarded": "", "Upgrade": "",
	} {
		if g := got.Header.Get(name); g != want {
			t.Errorf("the server got %s %q, want %q", name, g, want)
		}
	}
}

func TestALoginAnswerPointsToThePagesOwnOrigin(t *testing.T) {
	f := newFront(t, "", func(w http.ResponseWriter, r *http.Request) {
		answer(w, `{"status":"OK","server":"2.0.0","userid":"d574","number":12345678901234567890,"rsakey":"<&>","listeners":{"udp":"udp://evil.example:9010","ws":"ws://user:pw@evil.example:9011/x","wss":"wss://evil.example:9012","odd":5},
			"urls":{"login":"http://localhost/ozeki/index.php?srv=chatserver&api=chatlogin","friends":"https://evil.example/steal?srv=chatserver&api=chatfriends","bare":"x","bad":"http://[","odd":{}}}`)
	})
	_, body := f.post(t, "?srv=chatserver&api=chatlogin", `{"action":"login"}`, "Accept-Encoding", "gzip", "X-Forwarded-Proto", "HTTPS, http")
	var a struct {
		Status, Server, RSAKey string
		Number                 json.Number
		URLs, Listeners        map[string]string
	}
	if err := json.Unmarshal([]byte(body), &a); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	if a.Status != "OK" || a.Server != "2.0.0" || a.RSAKey != "<&>" || a.Number != "12345678901234567890" {
		t.Errorf("what is not an address has changed: %s", body)
	}
	host := strings.TrimPrefix(f.http.URL, "http://")
	own := "https://" + host + apiPath
	want := map[string]string{
		"login": own + "?srv=chatserver&api=chatlogin", "friends": own + "?srv=chatserver&api=chatfriends", "bare": own, "bad": own, "odd": own,
	}
	if fmt.Sprint(a.URLs) != fmt.Sprint(want) || fmt.Sprint(a.Listeners) != fmt.Sprint(map[string]string{"wss": "wss://" + host + listenerPath}) {
		t.Errorf("urls %v, listeners %v", a.URLs, a.Listeners)
	}
	if strings.Contains(body, "evil.example") || strings.Contains(body, "localhost") {
		t.Errorf("an address of elsewhere is left: %s", body)
	}
	if got := f.got[0].Header.Get("Accept-Encoding"); got != "identity" {
		t.Errorf("a login answer, which is rewritten, is asked for as %q", got)
	}
	// Of the listener the answer gives scheme and port. Host and credentials are the operator's choice.
	l := f.listener.Load()
	if l.Hostname() != "127.0.0.1" || l.Port() != "9011" || l.Scheme != "http" || l.User != nil {
		t.Errorf("the listener is %v", l)
	}
	f.learnListener(map[string]any{"ws": "ws://127.0.0.1:1"})
	if f.listener.Load() != l {
		t.Error("a later answer moves the listener")
	}
}

func TestTheListenersAddressIsLearntWithCare(t *testing.T) {
	for _, c := range []struct {
		upstream, ws, wss, want string
	}{
		{"http://h", "ws://other:9011", "wss://other:9012", "http://h:9011"},
		{"https://h", "ws://other:9011", "wss://other:9012", "https://h:9012"},
		{"https://h", "ws://other:9011", "", "http://h:9011"},
		{"http://h", "", "wss://other:9012/path", "https://h:9012/path"},
		{"http://[::1]:8080", "ws://other:9011", "", "http://[::1]:9011"},
		{"http://h", "http://other:9011", "", ""},
		{"http://h", "ws://other", "", ""},
		{"http://h", "ws://[", "", ""},
		{"http://h", "", "", ""},
	} {
		r, err := New(c.upstream, "", apiPath, listenerPath, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		r.learnListener(map[string]any{"ws": c.ws, "wss": c.wss})
		got := ""
		if l := r.listener.Load(); l != nil {
			got = l.String()
		}
		if got != c.want {
			t.Errorf("%+v: the listener is %q", c, got)
		}
	}
}

func TestALoginAnswerThatIsNoneComesAsItIs(t *testing.T) {
	for _, sent := range []string{`{"status":"ERROR","errormessage":"no"}`, `null`, `[1]`, `not json`, `{"urls":5,"listeners":[]}`, ``} {
		f := newFront(t, "", func(w http.ResponseWriter, r *http.Request) { answer(w, sent) })
		_, body := f.post(t, "?srv=chatserver&api=chatlogin", `{}`)
		var a, b any
		_ = json.Unmarshal([]byte(sent), &a)
		_ = json.Unmarshal([]byte(body), &b)
		if body != sent && fmt.Sprint(a) != fmt.Sprint(b) {
			t.Errorf("%q comes as %q", sent, body)
		}
	}
}

func TestAWebPageOfTheUpstreamNeverRunsHere(t *testing.T) {
	for _, kind := range []string{"text/html", "image/svg+xml", "application/javascript", "", "application/json+html", "TEXT/HTML; charset=utf-8"} {
		f := newFront(t, "", func(w http.ResponseWriter, r *http.Request) {
			w.Header()["Content-Type"] = nil
			if kind != "" {
				w.Header().Set("Content-Type", kind)
			}
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, "<script>alert(1)</script>")
		})
		res, _ := f.post(t, "?srv=chatserver&api=chatfriends", `{}`)
		if got := res.Header.Get("Content-Type"); got != "text/plain; charset=utf-8" || res.StatusCode != http.StatusForbidden {
			t.Errorf("%q comes as %d %q", kind, res.StatusCode, got)
		}
	}
}

func TestRedirectsAreNotFollowedNorPassedOn(t *testing.T) {
	f := newFront(t, "", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://evil.example/", http.StatusTemporaryRedirect)
	})
	res, body := f.post(t, "?srv=chatserver&api=chatfriends", `{}`)
	refused(t, res, body, http.StatusBadGateway, "cannot be reached")
	if res.Header.Get("Location") != "" || len(f.got) != 1 {
		t.Errorf("it is passed on to %q after %d requests", res.Header.Get("Location"), len(f.got))
	}
}

func TestWhatIsNoCallIsRefusedBeforeTheServerHearsOfIt(t *testing.T) {
	f := newFront(t, "", func(w http.ResponseWriter, r *http.Request) { answer(w, `{"status":"OK"}`) })
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodOptions, http.MethodDelete} {
		res, body := f.do(t, method, "", nil, "Content-Type", "application/json")
		refused(t, res, body, http.StatusMethodNotAllowed, "POST")
		if res.Header.Get("Allow") != "POST" {
			t.Errorf("Allow is %q", res.Header.Get("Allow"))
		}
	}
	for _, kind := range []string{"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/json/x"} {
		res, body := f.do(t, http.MethodPost, "", strings.NewReader("{}"), "Content-Type", kind)
		refused(t, res, body, http.StatusUnsupportedMediaType, "application/json")
	}
	for _, o := range []string{"https://evil.example", "null", "http://127.0.0.1:1", "nonsense", f.http.URL + ".evil.example"} {
		res, body := f.post(t, "", `{}`, "Origin", o)
		refused(t, res, body, http.StatusForbidden, "another origin")
	}
	res, body := f.post(t, "", strings.Repeat("x", maxRequest+1))
	refused(t, res, body, http.StatusRequestEntityTooLarge, "too long")
	for i, b := range f.bodies { // of the last one the upstream saw a part, never the whole
		if len(b) > maxRequest {
			t.Errorf("request %d reached the server", i)
		}
	}
	if len(f.got) > 1 {
		t.Errorf("the server got %d requests", len(f.got))
	}
	if res, _ := f.post(t, "", `{}`, "Content-Type", "application/json; charset=utf-8"); res.StatusCode != 200 {
		t.Errorf("with a charset it is %d", res.StatusCode)
	}
}

func TestAnUpstreamThatIsDownCutOrEndlessIsToldInWords(t *testing.T) {
	down := newFront(t, "", nil)
	down.upstream.Close()
	res, body := down.post(t, "?api=chatfriends", `{}`)
	refused(t, res, body, http.StatusBadGateway, "cannot be reached")
	if err := down.Ready(context.Background()); err == nil {
		t.Error("it is ready before a server that is down")
	}

	cut := newFront(t, "", func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) })
	res, body = cut.post(t, "?api=chatfriends", `{}`)
	refused(t, res, body, http.StatusBadGateway, "cannot be reached")
	if err := cut.Ready(context.Background()); err != nil {
		t.Error(err)
	}

	endless := newFront(t, "", func(w http.ResponseWriter, r *http.Request) {
		answer(w, `{"status":"OK","x":"`+strings.Repeat("x", maxLogin)+`"}`)
	})
	res, body = endless.post(t, "?api=chatlogin", `{}`)
	refused(t, res, body, http.StatusBadGateway, "cannot be reached")

	half := newFront(t, "", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, `{"status":"OK"`)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	res, body = half.post(t, "?api=chatlogin", `{}`)
	refused(t, res, body, http.StatusBadGateway, "cannot be reached")
}

func TestARequestThatTheBrowserGivesUpIsGivenUpAtTheServerToo(t *testing.T) {
	gone := make(chan struct{})
	arrived := make(chan struct{})
	f := newFront(t, "", func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
		close(gone)
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		req, _ := http.NewRequestWithContext(ctx, http.MethodPost, f.http.URL+apiPath, strings.NewReader("{}"))
		req.Header.Set("Content-Type", "application/json")
		if res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req); err == nil {
			res.Body.Close()
			t.Error("there was an answer")
		}
	}()
	<-arrived
	cancel()
	<-done
	select {
	case <-gone:
	case <-time.After(10 * time.Second):
		t.Error("the server goes on working for nobody")
	}
}

func TestCompressedAnswersGoOnlyToThoseWhoTakeThem(t *testing.T) {
	f := newFront(t, "", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "gzip" {
			answer(w, `{"status":"OK"}`)
			return
		}
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = io.WriteString(z, `{"status":"OK"}`)
		z.Close()
		w.Header().Set("Content-Encoding", "gzip")
		answer(w, b.String())
	})
	res, body := f.post(t, "?api=chatfriends", `{}`, "Accept-Encoding", "gzip, br")
	if res.Header.Get("Content-Encoding") != "gzip" {
		t.Errorf("%v %q", res.Header, body)
	}
	res, body = f.post(t, "?api=chatfriends", `{}`, "Accept-Encoding", "identity")
	if res.Header.Get("Content-Encoding") != "" || body != `{"status":"OK"}` {
		t.Errorf("%v %q", res.Header, body)
	}
}

func TestTheUpstreamIsOneFixedServer(t *testing.T) {
	for in, want := range map[string]string{
		"http://chat.example.com":                          "http://chat.example.com/ozeki/index.php",
		"https://chat.example.com/":                        "https://chat.example.com/ozeki/index.php",
		"http://chat.example.com:81/x/index.php?srv=1#end": "http://chat.example.com:81/x/index.php",
	} {
		r, err := New(in, "", apiPath, listenerPath, slog.New(slog.DiscardHandler))
		if err != nil || r.upstream.String() != want {
			t.Errorf("%q: %v %v", in, r, err)
		}
	}
	for _, in := range []string{"", "chat.example.com", "ftp://chat.example.com", "http://", "http://[", "ws://chat.example.com", "/ozeki/index.php"} {
		if _, err := New(in, "", apiPath, listenerPath, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "--upstream") {
			t.Errorf("%q: %v", in, err)
		}
	}
	for _, in := range []string{"chat.example.com", "http://chat.example.com", "ws://", "ws://["} {
		if _, err := New("http://h", in, apiPath, listenerPath, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "--upstream-listener") {
			t.Errorf("listener %q: %v", in, err)
		}
	}
	f := newFront(t, "", func(w http.ResponseWriter, r *http.Request) { answer(w, `{"status":"OK"}`) })
	f.post(t, "?srv=x&url=http://evil.example/", `{}`, "Host", "evil.example", "X-Forwarded-Host", "evil.example", "X-Original-URL", "/admin")
	if got := f.got[0]; got.URL.Path != "/some/index.php" || got.Host != strings.TrimPrefix(f.upstream.URL, "http://") || got.Header.Get("X-Original-URL") != "" {
		t.Errorf("the server got %s of %s with %v", got.URL, got.Host, got.Header)
	}
}

func TestTheNotificationSocketIsRelayedBothWays(t *testing.T) {
	var header http.Header
	play := func(w http.ResponseWriter, r *http.Request) {
		header = r.Header.Clone()
		w.Header().Set("Set-Cookie", "session=upstream")
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
		if err != nil {
			return
		}
		defer c.CloseNow()
		kind, b, err := c.Read(r.Context())
		if err == nil {
			err = c.Write(r.Context(), kind, append([]byte("you said "), b...))
		}
		if err == nil {
			c.Close(websocket.StatusNormalClosure, "bye")
		}
	}
	f := newFront(t, "ws://127.0.0.1:1", play)
	f.http.Close()
	f.mount(t, f.upstream.URL, "ws"+strings.TrimPrefix(f.upstream.URL, "http")+"/notify")
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	dial := func(o string) (*websocket.Conn, *http.Response, error) {
		h := http.Header{"Cookie": {"page=secret"}, "Authorization": {"Basic secret"}}
		if o != "" {
			h.Set("Origin", o)
		}
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		return websocket.Dial(ctx, f.http.URL+listenerPath, &websocket.DialOptions{HTTPHeader: h, HTTPClient: client})
	}
	c, res, err := dial(f.http.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	if err := c.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, b, err := c.Read(ctx); err != nil || string(b) != "you said hello" {
		t.Errorf("%q %v", b, err)
	}
	if _, _, err := c.Read(ctx); websocket.CloseStatus(err) != websocket.StatusNormalClosure {
		t.Errorf("the end is %v", err)
	}
	if header.Get("Cookie") != "" || header.Get("Authorization") != "" || header.Get("Origin") != f.upstream.URL {
		t.Errorf("the server got %v", header)
	}
	if res.Header.Get("Set-Cookie") != "" {
		t.Error("the server's cookie is passed on")
	}
	for _, o := range []string{"", "https://evil.example", "null"} {
		if c, res, err := dial(o); err == nil || res == nil || res.StatusCode != http.StatusForbidden {
			t.Errorf("from origin %q it is %v", o, err)
			if c != nil {
				c.CloseNow()
			}
		}
	}
}

func TestTheSocketIsRefusedWithWordsWhereItCannotBe(t *testing.T) {
	get := func(f *front, header ...string) (*http.Response, string) {
		t.Helper()
		req, _ := http.NewRequest(http.MethodGet, f.http.URL+listenerPath, nil)
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		return res, string(b)
	}
	f := newFront(t, "", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Set-Cookie", "x=y")
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<script>alert(1)</script>")
	})
	upgrade := []string{"Origin", f.http.URL, "Upgrade", "websocket", "Connection", "Upgrade", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}
	res, body := get(f, "Origin", f.http.URL)
	refused(t, res, body, http.StatusUpgradeRequired, "WebSocket")
	res, body = get(f, upgrade...)
	refused(t, res, body, http.StatusServiceUnavailable, "sign in once")

	_, port, _ := net.SplitHostPort(strings.TrimPrefix(f.upstream.URL, "http://"))
	f.learnListener(map[string]any{"ws": "ws://elsewhere:" + port})
	res, body = get(f, upgrade...) // a server that answers with a page instead
	refused(t, res, body, http.StatusBadGateway, "cannot be reached")
	if res.Header.Get("Set-Cookie") != "" {
		t.Error("its cookie is passed on")
	}
	f.upstream.Close()
	res, body = get(f, upgrade...)
	refused(t, res, body, http.StatusBadGateway, "cannot be reached")
}
