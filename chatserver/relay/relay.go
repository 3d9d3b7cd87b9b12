// Package relay stands in front of an Ozeki server: it carries the API's calls and the notification socket to it, so that
// the page, its program and the API have one origin, and rewrites the addresses in the login answer to that origin.
package relay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"starling/chatserver/origin"
	"starling/ozeki"
)

const (
	maxRequest = 16 << 20 // bytes of a relayed request body
	maxLogin   = 1 << 20  // bytes of a login answer, which is read whole
)

// Relay is in front of one fixed upstream. API and Listener are its two handlers.
type Relay struct {
	API      http.Handler // POST ?srv=…&api=…
	Listener http.Handler // WebSocket

	upstream     *url.URL
	apiPath      string
	listenerPath string
	log          *slog.Logger
	// listener is the upstream's notification socket, nil until a flag or a login answer names it. A login answer gives
	// only scheme and port: the host stays the upstream's, so that no answer can send the relay elsewhere.
	listener atomic.Pointer[url.URL]
}

// New returns a relay to the index.php of an Ozeki server at upstream (http or https; a bare host gets the published path
// /ozeki/index.php). listener is the ws or wss URL of its notification socket, empty to take it from its login answers.
// apiPath and listenerPath are where the two handlers are mounted.
func New(upstream, listener, apiPath, listenerPath string, log *slog.Logger) (*Relay, error) {
	u, err := url.Parse(upstream)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, fmt.Errorf("--upstream %q is not a URL like http://chat.example.com/ozeki/index.php", upstream)
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/ozeki/index.php"
	}
	u.RawQuery, u.Fragment = "", ""
	r := &Relay{upstream: u, apiPath: apiPath, listenerPath: listenerPath, log: log}
	if listener != "" {
		l, err := url.Parse(listener)
		if err != nil || (l.Scheme != "ws" && l.Scheme != "wss") || l.Host == "" {
			return nil, fmt.Errorf("--upstream-listener %q is not a URL like ws://chat.example.com:9011", listener)
		}
		r.listener.Store(httpURL(l))
	}
	transport := &http.Transport{
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: 60 * time.Second,
		MaxIdleConnsPerHost:   64,
		IdleConnTimeout:       90 * time.Second,
	}
	api := &httputil.ReverseProxy{
		Rewrite: r.rewriteAPI, ModifyResponse: r.answer, ErrorHandler: r.unreachable, Transport: transport, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	r.API = http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			refuse(w, http.StatusMethodNotAllowed, "Calls of the API are sent by POST.")
			return
		}
		if kind, _, _ := mime.ParseMediaType(req.Header.Get("Content-Type")); kind != "application/json" {
			refuse(w, http.StatusUnsupportedMediaType, "Calls of the API are sent as application/json.")
			return
		}
		if origin.Foreign(req) {
			refuse(w, http.StatusForbidden, "Calls from pages of another origin are not taken.")
			return
		}
		req.Body = http.MaxBytesReader(w, req.Body, maxRequest)
		api.ServeHTTP(w, req.WithContext(context.WithValue(req.Context(), originKey{}, origin.Of(req))))
	})
	socket := &httputil.ReverseProxy{Rewrite: r.rewriteSocket, ModifyResponse: switched, ErrorHandler: r.unreachable, Transport: transport, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
	r.Listener = http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		switch {
		case req.Header.Get("Origin") == "" || origin.Foreign(req):
			refuse(w, http.StatusForbidden, "The notification socket takes connections of its own page only.")
		case !strings.EqualFold(req.Header.Get("Upgrade"), "websocket"):
			refuse(w, http.StatusUpgradeRequired, "This is a WebSocket.")
		case r.listener.Load() == nil:
			refuse(w, http.StatusServiceUnavailable, "The address of the server's notification socket is not known yet: sign in once, or start with --upstream-listener.")
		default:
			socket.ServeHTTP(w, req)
		}
	})
	return r, nil
}

// Ready asks whether the upstream answers at all; nil if it does.
func (r *Relay) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	addr := r.upstream.Host
	if r.upstream.Port() == "" {
		addr = net.JoinHostPort(r.upstream.Hostname(), map[string]string{"http": "80", "https": "443"}[r.upstream.Scheme])
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("the Ozeki server does not answer: %w", err)
	}
	return conn.Close()
}

func (r *Relay) rewriteAPI(p *httputil.ProxyRequest) {
	u := *r.upstream
	u.RawQuery = p.In.URL.RawQuery
	p.Out.URL, p.Out.Host = &u, ""
	header := http.Header{"Content-Type": {"application/json"}, "Accept-Encoding": {"identity"}}
	// A login answer is rewritten, so it comes plain.
	if p.In.URL.Query().Get("api") != ozeki.CallLogin.API && strings.Contains(p.In.Header.Get("Accept-Encoding"), "gzip") {
		header.Set("Accept-Encoding", "gzip")
	}
	for _, name := range []string{ozeki.HeaderStation, ozeki.HeaderUser, ozeki.HeaderSignature, "Accept", "User-Agent"} {
		if v := p.In.Header.Get(name); v != "" {
			header.Set(name, v)
		}
	}
	p.Out.Header = header
}

func (r *Relay) rewriteSocket(p *httputil.ProxyRequest) {
	u := *r.listener.Load()
	u.RawQuery = p.In.URL.RawQuery
	p.Out.URL, p.Out.Host = &u, ""
	p.Out.Header.Del("Cookie")
	p.Out.Header.Del("Authorization") // of a proxy in front of this origin
	p.Out.Header.Set("Origin", r.upstream.Scheme+"://"+r.upstream.Host)
}

// switched lets nothing but a WebSocket through.
func switched(res *http.Response) error {
	if res.StatusCode != http.StatusSwitchingProtocols {
		return fmt.Errorf("the upstream's notification socket answers %s", res.Status)
	}
	res.Header.Del("Set-Cookie")
	return nil
}

// answer makes the upstream's answer safe to hand out under this origin.
func (r *Relay) answer(res *http.Response) error {
	if res.StatusCode >= 300 && res.StatusCode < 400 {
		return fmt.Errorf("the upstream redirects to %q: give its final address in --upstream", res.Header.Get("Location"))
	}
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if kind != "application/json" {
		// Whatever it is, it must not run as a page of this origin.
		kind = "text/plain; charset=utf-8"
	}
	kept := http.Header{"Content-Type": {kind}, "Cache-Control": {"no-store"}}
	for _, name := range []string{"Date", "Content-Length", "Content-Encoding", "Retry-After"} {
		if v := res.Header.Get(name); v != "" {
			kept.Set(name, v)
		}
	}
	res.Header = kept
	if res.Request.URL.Query().Get("api") != ozeki.CallLogin.API {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxLogin+1))
	res.Body.Close()
	if err != nil {
		return err
	}
	if len(body) > maxLogin {
		return errors.New("the upstream's login answer is too long")
	}
	own, _ := res.Request.Context().Value(originKey{}).(string)
	body = r.rewriteLogin(body, own)
	res.Body = io.NopCloser(bytes.NewReader(body))
	res.ContentLength = int64(len(body))
	res.Header.Set("Content-Length", fmt.Sprint(len(body)))
	return nil
}

// originKey is under which a call's context has the origin that the page sees.
type originKey struct{}

// rewriteLogin points urls and listeners of a login answer to page, the page's own origin; everything else stays. What
// is not a login answer is returned as it is.
func (r *Relay) rewriteLogin(body []byte, page string) []byte {
	var a map[string]json.RawMessage
	var urls, listeners map[string]any
	if json.Unmarshal(body, &a) != nil {
		return body
	}
	if json.Unmarshal(a["urls"], &urls) == nil {
		for name, raw := range urls {
			own := page + r.apiPath
			text, _ := raw.(string)
			if u, err := url.Parse(text); err == nil && u.RawQuery != "" {
				own += "?" + u.RawQuery
			}
			urls[name] = own
		}
		a["urls"], _ = json.Marshal(urls)
	}
	if json.Unmarshal(a["listeners"], &listeners) == nil {
		r.learnListener(listeners)
		own := map[string]string{}
		if rest, secure := strings.CutPrefix(page, "https://"); secure {
			own["wss"] = "wss://" + rest + r.listenerPath
		} else {
			own["ws"] = "ws" + strings.TrimPrefix(page, "http") + r.listenerPath
		}
		a["listeners"], _ = json.Marshal(own)
	}
	out, err := json.Marshal(a)
	if err != nil {
		return body
	}
	return out
}

func (r *Relay) learnListener(listeners map[string]any) {
	if r.listener.Load() != nil {
		return
	}
	for _, name := range []string{"ws", "wss"} {
		text, _ := listeners[name].(string)
		u, err := url.Parse(text)
		if err != nil || (u.Scheme != "ws" && u.Scheme != "wss") || u.Port() == "" {
			continue
		}
		if secure, _ := listeners["wss"].(string); name == "ws" && r.upstream.Scheme == "https" && secure != "" {
			continue
		}
		u.User, u.Host = nil, net.JoinHostPort(r.upstream.Hostname(), u.Port())
		r.listener.CompareAndSwap(nil, httpURL(u))
		return
	}
}

// httpURL turns ws into http and wss into https, as which a WebSocket begins.
func httpURL(u *url.URL) *url.URL {
	c := *u
	c.Scheme = "http" + strings.TrimPrefix(u.Scheme, "ws")
	return &c
}

func (r *Relay) unreachable(w http.ResponseWriter, req *http.Request, err error) {
	if errors.Is(err, context.Canceled) {
		return // the browser is gone
	}
	var tooLong *http.MaxBytesError
	if errors.As(err, &tooLong) {
		refuse(w, http.StatusRequestEntityTooLarge, "The request is too long.")
		return
	}
	r.log.Warn("upstream", "err", err)
	refuse(w, http.StatusBadGateway, "The Ozeki server behind Starling cannot be reached. Try again in a while, or tell who runs it.")
}

func refuse(w http.ResponseWriter, status int, words string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(ozeki.Answer{Status: "ERROR", ErrorMessage: words})
}
