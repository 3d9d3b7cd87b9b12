package main

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

// sends is an answer of some size, given to the connection at once; how the writing ended goes to done.
func sends(size int, done chan<- error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := w.Write(bytes.Repeat([]byte{'x'}, size))
		done <- err
	})
}

// dial asks for a page over a connection that takes little at once.
func dial(t *testing.T, server *httptest.Server) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.(*net.TCPConn).SetReadBuffer(32 << 10); err != nil {
		t.Fatal(err)
	}
	if server.TLS != nil {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
	}
	if _, err := fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestAClientThatNeverReadsIsCut(t *testing.T) {
	for _, start := range []func(*httptest.Server){(*httptest.Server).Start, (*httptest.Server).StartTLS} {
		done := make(chan error, 1)
		server := httptest.NewUnstartedServer(cutSlowReaders(sends(64<<20, done), 100*time.Millisecond))
		start(server)
		conn := dial(t, server)
		select {
		case err := <-done:
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("writing ended with %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Error("the client holds the connection")
		}
		if n, err := io.Copy(io.Discard, conn); n >= 64<<20 {
			t.Errorf("it got all %d bytes, %v", n, err)
		}
		server.Close()
	}
}

func TestASlowReaderGetsAllOfALargeAnswer(t *testing.T) {
	t.Parallel()
	const size, window = 12 << 20, 3 * time.Second
	done := make(chan error, 1)
	server := httptest.NewServer(cutSlowReaders(sends(size, done), window))
	defer server.Close()
	conn := dial(t, server)
	begin, got := time.Now(), 0
	for part := make([]byte, 64<<10); got < size; {
		n, err := conn.Read(part)
		got += n
		if err != nil {
			t.Fatalf("cut after %d bytes and %v: %v", got, time.Since(begin), err)
		}
		time.Sleep(time.Duration(n) * 3 * window / size) // three windows for the whole
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took < 2*window {
		t.Errorf("it took %v only: no proof", took)
	}
}

// The deadline of one answer must not cut the next one on the same connection, nor what takes the connection over.
func TestADeadlineEndsWithItsAnswer(t *testing.T) {
	t.Parallel()
	const window = 200 * time.Millisecond
	server := httptest.NewServer(cutSlowReaders(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(2 * window) // thinking is not counted
		if !strings.HasPrefix(r.URL.Path, "/socket") {
			fmt.Fprint(w, "answer")
			return
		}
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		late := func() {
			defer conn.Close()
			time.Sleep(2 * window)
			if _, err := fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nanswer"); err != nil {
				t.Errorf("the connection that was taken over: %v", err)
			}
		}
		if r.URL.Path == "/socket" {
			late()
		} else {
			go late() // and the request is over
		}
	}), window))
	defer server.Close()
	for _, path := range []string{"/", "/", "/socket", "/socket/later"} {
		res, err := server.Client().Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		if b := body(t, res); b != "answer" {
			t.Errorf("%s: %q", path, b)
		}
		res.Body.Close()
		time.Sleep(2 * window)
	}
}

// Over HTTP/2 each answer has a deadline of its own.
func TestHTTP2IsCutAndServedAlike(t *testing.T) {
	const size = 64 << 20
	done := make(chan error, 2)
	mux := http.NewServeMux()
	mux.Handle("/", cutSlowReaders(sends(size, done), 200*time.Millisecond))
	mux.Handle("/read", cutSlowReaders(sends(size, done), 20*time.Second))
	server := httptest.NewUnstartedServer(mux)
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	// On a busy machine the answer may be cut before its headers are read.
	if unread, err := server.Client().Get(server.URL + "/"); err == nil {
		defer unread.Body.Close()
	}
	if err := <-done; err == nil {
		t.Error("a client that does not read holds its answer")
	}
	res, err := server.Client().Get(server.URL + "/read")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if n, err := io.Copy(io.Discard, res.Body); err != nil || n != size || res.ProtoMajor != 2 {
		t.Errorf("%d bytes of %s, %v", n, res.Proto, err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// takes is a handler that takes a whole body; how that ended goes to done.
func takes(done chan<- error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		done <- err
	})
}

// An upload may take longer than any other request, as long as it moves.
func TestASlowUploadThatMovesIsTaken(t *testing.T) {
	done := make(chan error, 1)
	server := httptest.NewUnstartedServer(cutSlowReaders(takeSlowBodies(takes(done), 2*time.Second), time.Minute))
	server.Config.ReadTimeout = 300 * time.Millisecond
	server.Start()
	defer server.Close()
	const parts = 6
	send := func(pause time.Duration, parts int) net.Conn {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = fmt.Fprintf(conn, "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", 6*receivePart)
		for range parts {
			_, _ = conn.Write(bytes.Repeat([]byte{'x'}, receivePart))
			time.Sleep(pause)
		}
		return conn
	}
	conn := send(100*time.Millisecond, parts)
	defer conn.Close()
	if err := <-done; err != nil {
		t.Errorf("a slow one ended with %v", err)
	}
	stuck := send(0, parts-1)
	defer stuck.Close()
	select {
	case err := <-done:
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("one that stands still ended with %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("one that stands still holds the connection")
	}
}
