//go:build !js

package ozeki

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func blobOf(b []byte) Blob  { return NewBlob(b) }
func bytesOf(b Blob) []byte { return b.Bytes() }

// A transfer may take as long as it moves, and no longer.
func TestATransferThatStandsStillIsGivenUp(t *testing.T) {
	stop := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/octet-stream")
		for range 5 {
			_, _ = w.Write([]byte("some"))
			w.(http.Flusher).Flush()
			time.Sleep(220 * time.Millisecond) // slower in all than the limit, but moving
		}
		if r.URL.Path == "/file/"+stuck {
			<-stop
		}
	}))
	defer server.Close()
	defer close(stop)
	c := NewClient(Options{Base: server.URL + "/index.php", Stall: time.Second})
	if b, err := c.GetFile(t.Context(), NewFileID(), "x", func(int64) {}); err != nil || b.Size() != 20 {
		t.Errorf("a slow one: %d bytes, %v", b.Size(), err)
	}
	if _, err := c.GetFile(t.Context(), stuck, "x", func(int64) {}); !errors.Is(err, ErrUnreachable) {
		t.Errorf("one that stands still: %v", err)
	}
}

const stuck = "9a3b6c1e-5f0b-4b7a-9a53-0d8f4f6f2b11"

// What is not an answer of the API, or not a file, is no success.
func TestNothingButAFileLooksLikeOne(t *testing.T) {
	for what, c := range map[string]struct {
		status     int
		kind, body string
		want       error
	}{
		"a page":            {200, "text/html", "<h1>Welcome</h1>", ErrNotJSON},
		"an answer":         {200, "application/json", plainOK, ErrNotJSON},
		"a refusal":         {403, "application/json", `{"status":"ERROR","errormessage":"No.","errorcode":"notfound"}`, ErrNotFound},
		"a proxy's refusal": {502, "text/html", "<h1>Bad gateway</h1>", ErrUnavailable},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", c.kind)
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body)
		}))
		client := NewClient(Options{Base: server.URL + "/index.php"})
		if _, err := client.GetFile(context.Background(), NewFileID(), "x", func(int64) {}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", what, err, c.want)
		}
		if err := client.PutFile(context.Background(), NewFileID(), "x", NewBlob([]byte("x")), func(int64) {}); (err == nil) != (what == "an answer") {
			t.Errorf("%s to an upload: %v", what, err)
		}
		server.Close()
	}
}
