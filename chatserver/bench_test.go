package chatserver

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"starling/chatserver/store"
	"starling/ozeki"
)

// benchServer is a server whose user1 has n conversations. Requests go to the handler without a network in between.
func benchServer(b *testing.B, n int) (*Server, *user, []store.Listed) {
	b.Helper()
	f := newFixture(b)
	err := Seed(b.Context(), f.store, scheme, SeedOptions{Users: 101, Conversations: n, Messages: 2, SignIn: 1, Now: f.clock.now()})
	if err != nil {
		b.Fatal(err)
	}
	u := &user{f: f, id: ozeki.UserIDOf("user1@example.com"), station: ozeki.NewStationID()}
	cred, err := scheme.Credentials(b.Context(), "user1@example.com", DemoPassword)
	if err != nil {
		b.Fatal(err)
	}
	c := ozeki.NewClient(ozeki.Options{Base: f.http.URL + testPath, Clock: f.clock.now})
	if _, err := c.SignIn(b.Context(), u.station, cred.APIKey, cred.EncryptionPassword); err != nil {
		b.Fatal(err)
	}
	u.key.private = c.Session().Key
	list, err := f.store.List(b.Context(), u.id, "")
	if err != nil {
		b.Fatal(err)
	}
	return f.srv, u, list.Conversations
}

// call serves one request that was signed before the clock started.
func benchCall(b *testing.B, s *Server, r raw) int {
	req := httptest.NewRequest("POST", testPath+r.query, strings.NewReader(r.body))
	for k, v := range r.header {
		req.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, req)
	if w.Code != 200 || !strings.Contains(w.Body.String()[:min(w.Body.Len(), 200)], `"status":"OK"`) {
		b.Fatalf("HTTP %d %.300s", w.Code, w.Body)
	}
	return w.Body.Len()
}

// benchSigned also says how many verifications of a signature a call takes as long as. They are timed between
// the calls, and medians are compared, so that a busy machine weighs on both.
func benchSigned(b *testing.B, s *Server, u *user, call ozeki.Call, more func(i int) []string) {
	const ahead = 64
	var signed []raw
	verify := bareVerification(b)
	b.ResetTimer()
	size := 0
	var calls, verifications []time.Duration
	for i := 0; b.Loop(); i++ {
		if len(signed) == 0 {
			b.StopTimer()
			for j := range ahead {
				signed = append(signed, u.raw(call, u.f.body(call, append(more(i+j), field("requestid", ozeki.NewRequestID()))...)))
			}
			for range ahead {
				start := time.Now()
				verify()
				verifications = append(verifications, time.Since(start))
			}
			b.StartTimer()
		}
		start := time.Now()
		size = benchCall(b, s, signed[0])
		calls = append(calls, time.Since(start))
		signed = signed[1:]
	}
	median := func(all []time.Duration) float64 { slices.Sort(all); return float64(all[len(all)/2]) }
	b.ReportMetric(median(calls)/median(verifications), "verifications")
	b.ReportMetric(float64(size), "bytes/answer")
}

func BenchmarkSignedList(b *testing.B) {
	for _, n := range []int{100, 1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s, u, _ := benchServer(b, n)
			benchSigned(b, s, u, ozeki.CallConversations, func(int) []string { return nil })
		})
	}
}

// BenchmarkUnchangedList is the same question of somebody who has the list already.
func BenchmarkUnchangedList(b *testing.B) {
	s, u, _ := benchServer(b, 10_000)
	list, err := s.store.List(b.Context(), u.id, "")
	if err != nil {
		b.Fatal(err)
	}
	benchSigned(b, s, u, ozeki.CallConversations, func(int) []string { return []string{field("since", list.Version)} })
}

func BenchmarkFavorite(b *testing.B) {
	s, u, list := benchServer(b, 1000)
	benchSigned(b, s, u, ozeki.CallFavorite, func(i int) []string { return []string{field("conversationid", list[i%len(list)].ID)} })
}

func BenchmarkAdd(b *testing.B) {
	s, u, list := benchServer(b, 1000)
	benchSigned(b, s, u, ozeki.CallAdd, func(i int) []string {
		c := list[i%len(list)]
		m := u.f.message(strings.Repeat("AAAA", 50))
		text := fmt.Sprintf(`{"ID":%q,"Type":"Message","Created":%q,"Data":%q}`, m.ID, m.Created, m.Data)
		return []string{field("conversationid", c.ID), field("instance", c.Instance), field("message", text)}
	})
}

func BenchmarkDownloadPartial(b *testing.B) {
	s, u, list := benchServer(b, 1000)
	benchSigned(b, s, u, ozeki.CallDownloadPartial, func(i int) []string {
		return []string{field("conversationid", list[i%len(list)].ID), field("limit", 50)}
	})
}

// BenchmarkDownloadWithoutNews asks what is new after the last message, mark and change that the asker has.
func BenchmarkDownloadWithoutNews(b *testing.B) {
	s, u, list := benchServer(b, 1000)
	last := make([][]string, len(list))
	for i, c := range list {
		if err := s.update(b.Context(), func(tx store.Tx) error {
			return tx.SetMark(b.Context(), u.id, c.ID, store.Viewed, c.Last.Seq, u.f.clock.now())
		}); err != nil {
			b.Fatal(err)
		}
		last[i] = []string{
			field("conversationid", c.ID), field("instance", c.Instance), field("firstmessageid", c.LastMessageID),
			field("firstreportid", c.LastReportID), field("revision", 0),
		}
	}
	benchSigned(b, s, u, ozeki.CallDownload, func(i int) []string { return last[i%len(last)] })
}

func BenchmarkPollWithoutNews(b *testing.B) {
	s, u, _ := benchServer(b, 10_000)
	r := u.raw(ozeki.CallNotification, u.f.body(ozeki.CallNotification))
	b.ResetTimer()
	for b.Loop() {
		benchCall(b, s, r)
	}
}

// BenchmarkVerify is the yardstick: what every signed call costs at least.
func BenchmarkVerify(b *testing.B) {
	verify := bareVerification(b)
	for b.Loop() {
		verify()
	}
}

func bareVerification(b *testing.B) func() {
	b.Helper()
	key := testKeys()[0]
	body := []byte(`{"action":"favorite","clientversioncode":3,"timestamp":"2026-03-10 12:00:00","conversationid":"8ca16186c36a4e0a1ef2096e6c60b613"}`)
	text, err := scheme.Sign(context.Background(), key.private, body)
	if err != nil {
		b.Fatal(err)
	}
	signature, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		b.Fatal(err)
	}
	public, err := x509.ParsePKIXPublicKey(key.spki)
	if err != nil {
		b.Fatal(err)
	}
	return func() {
		sum := sha256.Sum256(body)
		if err := rsa.VerifyPKCS1v15(public.(*rsa.PublicKey), crypto.SHA256, sum[:], signature); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSeed makes ten thousand conversations with ten messages each.
func BenchmarkSeed(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		st := openStore(b)
		b.StartTimer()
		if err := Seed(b.Context(), st, scheme, SeedOptions{Users: 1000, Conversations: 10_000, Messages: 10, Now: time.Now()}); err != nil {
			b.Fatal(err)
		}
	}
}
