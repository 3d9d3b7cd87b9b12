package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// BenchmarkASmallFile serves a small file from memory, without a network in between; "unchanged" to a browser that has it.
func BenchmarkASmallFile(b *testing.B) {
	site, err := theSite()
	if err != nil {
		b.Fatal(err)
	}
	h := cutSlowReaders(site, sendWindow)
	const path = "/app.webmanifest"
	for name, header := range map[string][]string{
		"compressed": {"Accept-Encoding", "br, gzip"},
		"plain":      {},
		"unchanged":  {"Accept-Encoding", "br, gzip", "If-None-Match", ask(h, "GET", path, "Accept-Encoding", "br, gzip").Header.Get("ETag")},
	} {
		b.Run(name, func(b *testing.B) {
			r := httptest.NewRequest("GET", path, nil)
			for i := 0; i < len(header); i += 2 {
				r.Header.Set(header[i], header[i+1])
			}
			want := http.StatusOK
			if name == "unchanged" {
				want = http.StatusNotModified
			}
			b.ReportAllocs()
			for b.Loop() {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				if w.Code != want {
					b.Fatal(w.Code)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
		})
	}
}
