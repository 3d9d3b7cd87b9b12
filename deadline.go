package main

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"time"
)

const (
	// sendWindow is how long one part of an answer may take on its way: slower readers are cut. A phone with 256 kbit/s
	// needs 8 s for a part; what the system buffers in front of it is sent in steps of at most a few megabytes.
	sendWindow = 2 * time.Minute
	sendPart   = 256 << 10

	// receiveWindow is how long one part of a large request may take on its way, which is 1 KiB a second: slower senders
	// are cut.
	receiveWindow = time.Minute
	receivePart   = 64 << 10
)

// cutSlowReaders serves h with a deadline for writing that is renewed with each part of an answer, so that an answer may
// take as long as it is large, but a client that does not read holds nothing for ever. A WebSocket has no such deadline:
// taking over the connection ends it.
func cutSlowReaders(h http.Handler, window time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t := &timedWriter{ResponseWriter: w, control: *http.NewResponseController(w), window: window}
		t.renew() // the one of the connection's previous request may be over
		h.ServeHTTP(t, r)
		t.renew() // for what is still to be flushed
	})
}

type timedWriter struct {
	http.ResponseWriter
	control http.ResponseController
	window  time.Duration
	taken   bool // the connection was taken over
	renewed time.Time
}

// renew begins the window anew, unless it has hardly begun. It fails where there is no connection (in tests) or none any more,
// and then nothing is to be cut.
func (t *timedWriter) renew() {
	if now := time.Now(); !t.taken && now.Sub(t.renewed) >= t.window/8 {
		t.renewed = now
		_ = t.control.SetWriteDeadline(now.Add(t.window))
	}
}

// Hijack hands the connection over to a WebSocket, which minds its own deadlines from then on.
func (t *timedWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := t.control.Hijack()
	t.taken = err == nil
	return conn, rw, err
}

func (t *timedWriter) WriteHeader(status int) {
	t.renew()
	t.ResponseWriter.WriteHeader(status)
}

func (t *timedWriter) Write(b []byte) (n int, err error) {
	for {
		part := b[n:min(len(b), n+sendPart)]
		t.renew()
		m, err := t.ResponseWriter.Write(part)
		n += m
		if err != nil || n == len(b) {
			return n, err
		}
	}
}

func (t *timedWriter) Flush() {
	t.renew()
	_ = t.control.Flush() // a failure is seen by the next Write
}

// Unwrap lets http.ResponseController find what else the connection can do.
func (t *timedWriter) Unwrap() http.ResponseWriter { return t.ResponseWriter }

// takeSlowBodies serves h with a deadline for reading that is renewed with each part of a request's body that h reads, so
// that a body may take as long as it is large. The connection's next request has the server's own deadline again.
func takeSlowBodies(h http.Handler, window time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		r.Body = &timedBody{ReadCloser: r.Body, renew: func() { _ = control.SetReadDeadline(time.Now().Add(window)) }}
		h.ServeHTTP(w, r)
	})
}

type timedBody struct {
	io.ReadCloser
	renew func()
	left  int // bytes of the part that has a deadline
}

func (t *timedBody) Read(b []byte) (int, error) {
	if t.left <= 0 {
		t.renew()
		t.left = receivePart
	}
	n, err := t.ReadCloser.Read(b)
	t.left -= n
	return n, err
}
