// Package ozekitest is a server of good and bad answers for tests of a Transport. It is served natively and to the
// browser, so that both transports meet the same answers.
package ozekitest

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
)

// Path is where Handler's answers live.
const Path = "/answer/"

// Echo is what the answer "echo" says about the request that it got.
type Echo struct {
	Method string
	Header http.Header
	Body   []byte
}

// Handler gives the answer that the URL below Path names:
//
//   - echo: an Echo of the request as JSON;
//   - give?status=…&type=…&date=…&body=…: exactly that;
//   - redirect: a redirect to echo;
//   - never: nothing at all until the client goes away;
//   - cut: the head of an answer and half of its body, then the connection is cut.
func Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(Path+"echo", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		_ = json.NewEncoder(w).Encode(Echo{r.Method, r.Header, body})
	})
	mux.HandleFunc(Path+"give", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		status, err := strconv.Atoi(q.Get("status"))
		if err != nil {
			status = http.StatusOK
		}
		w.Header()["Content-Type"] = nil
		if kind := q.Get("type"); kind != "" {
			w.Header().Set("Content-Type", kind)
		}
		if q.Has("date") {
			w.Header()["Date"] = nil
			if date := q.Get("date"); date != "" {
				w.Header().Set("Date", date)
			}
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, q.Get("body"))
	})
	mux.Handle(Path+"redirect", http.RedirectHandler("echo", http.StatusTemporaryRedirect))
	mux.HandleFunc(Path+"never", func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	mux.HandleFunc(Path+"cut", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, `{"status":"OK"`)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	return mux
}
