package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/klauspost/compress/gzhttp"

	"starling/chatserver"
	"starling/chatserver/bus"
	"starling/chatserver/relay"
	"starling/ozeki"
	"starling/web"
)

// Where the API lives on the page's own origin: at the path of the published examples.
const (
	apiPath      = "/ozeki/index.php"
	listenerPath = "/ozeki/listener"
	filePath     = "/ozeki/file/"
)

// siteOptions say what a site serves: exactly one of API and Relay is set.
type siteOptions struct {
	Scheme   string
	API      http.Handler // the embedded chat server
	Listener http.Handler // its notification socket; nil: clients poll
	Files    http.Handler // the files that it keeps
	Relay    *relay.Relay // in front of an Ozeki server, with a socket of its own
	Log      *slog.Logger
}

// site serves the page, the program and the API under one origin.
type site struct {
	bundle  web.Bundle
	files   map[string]*served // by URL path, not to be changed
	mux     *http.ServeMux
	log     *slog.Logger
	updates map[*web.File]*updates // of the parts of the program
}

// newSite prepares everything that is served. web.ErrNoProgram if the browser program was not built in.
func newSite(o siteOptions) (*site, error) {
	cfg := web.PageConfig{API: apiPath, Scheme: o.Scheme, Upstream: o.Relay != nil}
	if !cfg.Upstream {
		cfg.Salt, cfg.Rounds = ozeki.CredentialSalt, ozeki.CredentialRounds
	}
	listener := o.Listener
	if o.Relay != nil {
		listener = o.Relay.Listener
	}
	if listener != nil {
		cfg.Listener = listenerPath
	}
	bundle, err := web.Load(cfg)
	if err != nil {
		return nil, err
	}
	s := &site{bundle: bundle, files: map[string]*served{}, mux: http.NewServeMux(), log: o.Log, updates: map[*web.File]*updates{}}
	for _, name := range web.Parts {
		s.updates[bundle.Part(name)] = &updates{}
	}
	api := o.API
	ready := func(context.Context) error { return nil }
	if o.Relay != nil {
		api = o.Relay.API
		ready = o.Relay.Ready
	}
	if listener != nil {
		s.mux.Handle(listenerPath, listener)
	}
	s.mux.Handle(apiPath, gzhttp.GzipHandler(api))
	if o.Files != nil {
		s.mux.Handle(filePath, takeSlowBodies(o.Files, receiveWindow))
	}
	s.mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) { sayHealth(w, "") })
	s.mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := ready(r.Context()); err != nil {
			o.Log.Warn("not ready", "err", err) // anybody may ask; the upstream's address is for the log only
			sayHealth(w, "The Ozeki server behind Starling does not answer. The log has more.")
			return
		}
		sayHealth(w, "")
	})
	s.mux.HandleFunc("/", nothing)
	for url, f := range bundle {
		s.files[url] = servedOf(url, f)
	}
	return s, nil
}

// keepUpdates makes new versions of the program small for browsers that have a former one, which are kept in the directory
// dir, smaller by the zstd program at the path, if one is given. Without them browsers get all of the program.
func (s *site) keepUpdates(ctx context.Context, dir, zstd string) {
	for i, name := range web.Parts {
		own := dir
		if i > 0 {
			own = filepath.Join(dir, strings.TrimSuffix(name, ".wasm"))
		}
		part := s.bundle.Part(name)
		u := s.updates[part]
		u.zstd = zstd
		if err := u.prepare(ctx, own, part, s.log); err != nil && ctx.Err() == nil {
			s.log.Warn("new versions of the program are sent in full", "part", name, "err", err)
		}
	}
}

// everyAnswer is what every answer begins with. The values are shared by all answers: they are replaced, never written to.
var everyAnswer = http.Header{
	"X-Content-Type-Options":       {"nosniff"},
	"Referrer-Policy":              {"no-referrer"},
	"Cross-Origin-Opener-Policy":   {"same-origin"},
	"Cross-Origin-Resource-Policy": {"same-origin"},
	"X-Frame-Options":              {"DENY"},
	"Permissions-Policy":           {"camera=(), microphone=(), geolocation=(), payment=(), usb=()"},
	// Answers that are not the page may do nothing at all, should a browser ever show them as one.
	"Content-Security-Policy": {"default-src 'none'; frame-ancestors 'none'; sandbox"},
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	if r.TLS != nil {
		h["Strict-Transport-Security"] = keepSecure
	}
	if s.log.Enabled(r.Context(), slog.LevelDebug) {
		s.log.Debug("request", "method", r.Method, "path", r.URL.Path, "api", r.URL.Query().Get("api"))
	}
	if f := s.files[r.URL.Path]; f != nil {
		s.file(w, r, f)
		return
	}
	maps.Copy(h, everyAnswer)
	s.mux.ServeHTTP(w, r)
}

// served is a file of the bundle with all that its answers consist of.
type served struct {
	*web.File
	forms map[string]servedForm // by content coding
}

type servedForm struct {
	body   []byte
	etag   string
	header http.Header // without Content-Length
	length []string
}

var (
	keepSecure = []string{"max-age=31536000"}
	onlyReads  = []string{"GET, HEAD"}
)

func servedOf(url string, f *web.File) *served {
	s := &served{f, map[string]servedForm{}}
	for coding, body := range f.Forms {
		h := maps.Clone(everyAnswer)
		h.Set("Content-Type", f.Type)
		h.Set("Cache-Control", "no-cache")
		if f.Immutable {
			h.Set("Cache-Control", "public, max-age=31536000, immutable")
			h.Del("Content-Security-Policy") // of a script or style it says nothing; a worker would inherit it
		}
		if url == "/sw.js" {
			h.Set("Content-Security-Policy", "default-src 'self'")
		}
		for k, v := range f.Header {
			h.Set(k, v)
		}
		if len(f.Forms) > 1 {
			h.Set("Vary", "Accept-Encoding")
		}
		form := servedForm{body: body, etag: etagOf(f, coding), length: []string{strconv.Itoa(len(body))}, header: h}
		if coding != "" {
			h.Set("Content-Encoding", coding)
		}
		h.Set("ETag", form.etag)
		s.forms[coding] = form
	}
	return s
}

func etagOf(f *web.File, coding string) string {
	if coding == "" {
		return f.ETag
	}
	return strings.TrimSuffix(f.ETag, `"`) + "-" + coding + `"`
}

// file serves a file from memory in the best form that the browser takes. The answer's header was made beforehand.
func (s *site) file(w http.ResponseWriter, r *http.Request, f *served) {
	h := w.Header()
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		maps.Copy(h, everyAnswer)
		h["Allow"] = onlyReads
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	accept := r.Header.Get("Accept-Encoding")
	form := f.forms[bestCoding(accept, f.Forms)]
	maps.Copy(h, form.header)
	if u := s.updates[f.File]; u != nil {
		if delta := u.to(r.Header.Get("Available-Dictionary")); delta != nil {
			if bestCoding(accept, map[string][]byte{"": form.body, "dcz": delta}) == "dcz" {
				form = servedForm{body: delta, etag: etagOf(f.File, "dcz"), length: []string{strconv.Itoa(len(delta))}}
				h.Set("Content-Encoding", "dcz")
				h.Set("ETag", form.etag)
				// For this browser alone: with Available-Dictionary in Vary the browser would load again what it has just
				// loaded, because by then it has another dictionary.
				h.Set("Cache-Control", "private, max-age=31536000, immutable")
			}
		}
	}
	if match := r.Header.Get("If-None-Match"); match != "" && (match == "*" || strings.Contains(match, form.etag)) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h["Content-Length"] = form.length
	if r.Method == http.MethodGet {
		_, _ = w.Write(form.body) // a browser that goes away is no error of ours
	}
}

// nothing answers for what is not there.
func nothing(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(http.StatusNotFound)
	fmt.Fprint(w, `<!doctype html><html lang="en"><meta charset="utf-8"><title>Not found · Starling</title><h1>There is nothing here</h1><p><a href="/">Open Starling</a></p></html>`)
}

// bestCoding picks the smallest of the forms that an Accept-Encoding header takes (RFC 9110, 12.5.3).
func bestCoding(accept string, forms map[string][]byte) string {
	best := ""
	for part := range strings.SplitSeq(accept, ",") {
		name, params, _ := strings.Cut(part, ";")
		name = strings.ToLower(strings.TrimSpace(name))
		if q, ok := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q="); ok {
			if v, err := strconv.ParseFloat(q, 64); err != nil || v == 0 {
				continue
			}
		}
		if form, ok := forms[name]; ok && len(form) < len(forms[best]) {
			best = name
		}
	}
	return best
}

// sayHealth answers "ok", or 503 with what is wrong.
func sayHealth(w http.ResponseWriter, wrong string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if wrong != "" {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintln(w, wrong)
		return
	}
	fmt.Fprintln(w, "ok")
}

// newChatServer makes the embedded chat server at its place in the site. The second result stops it.
func newChatServer(c chatserver.Config) (*chatserver.Server, func()) {
	b := bus.NewLocal()
	c.Bus, c.PublicPath, c.ListenerPath = b, apiPath, listenerPath
	s := chatserver.New(c)
	return s, func() {
		if err := errors.Join(s.Close(), b.Close()); err != nil {
			c.Log.Error("stop the chat server", "err", err)
		}
	}
}

// listenAndServe serves until ctx ends, then lets the requests that are being served finish.
func listenAndServe(ctx context.Context, cfg Config, h http.Handler, log *slog.Logger, stderr io.Writer) error {
	if (cfg.TLSCert == "") != (cfg.TLSKey == "") {
		return usageError{errors.New("--tls-cert and --tls-key go together")}
	}
	var secure *tls.Config
	if cfg.TLSCert != "" {
		pair, err := tls.LoadX509KeyPair(cfg.TLSCert, cfg.TLSKey)
		if err != nil {
			return fmt.Errorf("the certificate cannot be used: %w; check the files of --tls-cert and --tls-key", err)
		}
		secure = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.Addr)
	if err != nil {
		return listenError(cfg.Addr, err)
	}
	srv := &http.Server{
		Handler: cutSlowReaders(h, sendWindow), HTTP2: &http.HTTP2Config{WriteByteTimeout: sendWindow},
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 60 * time.Second, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 32 << 10, TLSConfig: secure, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	scheme := "http"
	done := make(chan error, 1)
	if secure != nil {
		scheme = "https"
		go func() { done <- srv.ServeTLS(l, "", "") }()
	} else {
		go func() { done <- srv.Serve(l) }()
	}
	fmt.Fprintf(stderr, "listening on %s://%s\n", scheme, l.Addr())
	select {
	case err := <-done:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.StopTimeout)
	defer cancel()
	if err := srv.Shutdown(stopping); err != nil {
		_ = srv.Close()
		return fmt.Errorf("stop: %w (some requests were cut)", err)
	}
	return nil
}

func listenError(addr string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("the address %s is in use: stop the other program, or choose another with --addr (port 0 takes a free one)", addr)
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("no permission to listen on %s: choose a port above 1023 with --addr", addr)
	}
	return fmt.Errorf("cannot listen on %s: %w; choose another with --addr", addr, err)
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(unknown)"
}
