// Package pushtest is a push service and its browsers, for tests: it checks what it is sent as the standards say, and opens
// it with the browser's own keys.
package pushtest

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"starling/chatserver/push"
)

// Host is the host name of the service's endpoints.
const Host = "push.example.com"

// Push is what a browser was sent.
type Push struct {
	Payload, TTL, Urgency, Topic, Contact string
}

// Service is a push service. Its answers are 201 unless Answer says otherwise.
type Service struct {
	t   testing.TB
	srv *httptest.Server
	now func() time.Time

	mu       sync.Mutex
	browsers map[string]*Browser
	answers  []answer
	requests int
}

type answer struct {
	code   int
	header string
}

// Browser is a subscription with the keys that open what comes for it.
type Browser struct {
	push.Subscription
	private *ecdh.PrivateKey
	auth    []byte
	pushes  []Push
}

// New starts a service.
func New(t testing.TB, now func() time.Time) *Service {
	s := &Service{t: t, now: now, browsers: map[string]*Browser{}}
	s.srv = httptest.NewTLSServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.srv.Close)
	return s
}

// Client is an HTTP client for which every name is the service. Like the real one it follows no redirect.
func (s *Service) Client() *http.Client {
	c := s.srv.Client()
	transport := c.Transport.(*http.Transport).Clone()
	transport.TLSClientConfig.ServerName = "example.com" // of the test certificate
	address := s.srv.Listener.Addr().String()
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	s.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// Subscribe makes a browser with a subscription.
func (s *Service) Subscribe(name string) *Browser {
	private, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	b := &Browser{private: private, auth: make([]byte, 16)}
	rand.Read(b.auth)
	b.Subscription = push.Subscription{
		Endpoint: "https://" + Host + "/" + name,
		P256dh:   base64.RawURLEncoding.EncodeToString(private.PublicKey().Bytes()),
		Auth:     base64.RawURLEncoding.EncodeToString(b.auth),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.browsers["/"+name] = b
	return b
}

// Answer has the next requests answered with the codes, each with a Retry-After or Location header where one is given.
func (s *Service) Answer(code int, header string, times int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range times {
		s.answers = append(s.answers, answer{code, header})
	}
}

// Pushes is what a browser was sent so far.
func (s *Service) Pushes(b *Browser) []Push {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Push{}, b.pushes...)
}

// Requests is how many requests came so far, refused ones too.
func (s *Service) Requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

func (s *Service) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	if len(s.answers) > 0 {
		a := s.answers[0]
		s.answers = s.answers[1:]
		w.Header().Set("Retry-After", a.header)
		w.Header().Set("Location", a.header)
		w.WriteHeader(a.code)
		return
	}
	b := s.browsers[r.URL.Path]
	if b == nil {
		w.WriteHeader(http.StatusGone)
		return
	}
	body, err := io.ReadAll(r.Body)
	p := Push{TTL: r.Header.Get("TTL"), Urgency: r.Header.Get("Urgency"), Topic: r.Header.Get("Topic")}
	if err == nil {
		p.Payload, err = b.Open(body)
	}
	if err == nil {
		p.Contact, err = s.caller(r)
	}
	if err == nil && r.Header.Get("Content-Encoding") != "aes128gcm" {
		err = errors.New("the content encoding is not aes128gcm")
	}
	if err != nil {
		s.t.Errorf("a push that no push service takes: %v", err)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	b.pushes = append(b.pushes, p)
	w.WriteHeader(http.StatusCreated)
}

// Open decrypts as RFC 8291 says.
func (b *Browser) Open(body []byte) (string, error) {
	if len(body) < 86 || len(body) > 4096 || binary.BigEndian.Uint32(body[16:]) < 18 || body[20] != 65 {
		return "", errors.New("no header of aes128gcm")
	}
	salt, point := body[:16], body[21:86]
	server, err := ecdh.P256().NewPublicKey(point)
	if err != nil {
		return "", err
	}
	shared, err := b.private.ECDH(server)
	if err != nil {
		return "", err
	}
	extracted, _ := hkdf.Extract(sha256.New, shared, b.auth)
	input, _ := hkdf.Expand(sha256.New, extracted, "WebPush: info\x00"+string(b.private.PublicKey().Bytes())+string(point), 32)
	random, _ := hkdf.Extract(sha256.New, input, salt)
	key, _ := hkdf.Expand(sha256.New, random, "Content-Encoding: aes128gcm\x00", 16)
	nonce, _ := hkdf.Expand(sha256.New, random, "Content-Encoding: nonce\x00", 12)
	block, err := aes.NewCipher(key)
	if err != nil {
		return "", err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return "", err
	}
	plain, err := aead.Open(nil, nonce, body[86:], nil)
	if err != nil {
		return "", err
	}
	text, padded := strings.CutSuffix(strings.TrimRight(string(plain), "\x00"), "\x02")
	if !padded {
		return "", errors.New("the last record has no delimiter")
	}
	return text, nil
}

// caller checks the Authorization header as RFC 8292 says and returns its contact.
func (s *Service) caller(r *http.Request) (string, error) {
	rest, ok := strings.CutPrefix(r.Header.Get("Authorization"), "vapid t=")
	token, key, both := strings.Cut(rest, ", k=")
	parts := strings.Split(token, ".")
	if !ok || !both || len(parts) != 3 {
		return "", errors.New("no vapid authorization")
	}
	point, err := base64.RawURLEncoding.DecodeString(key)
	if err != nil {
		return "", err
	}
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return "", err
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || len(signature) != 64 {
		return "", fmt.Errorf("a signature of %d bytes: %w", len(signature), err)
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if !ecdsa.Verify(public, sum[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])) {
		return "", errors.New("the signature is wrong")
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", err
	}
	var claims struct {
		Aud, Sub string
		Exp      int64
	}
	if err := json.Unmarshal(text, &claims); err != nil {
		return "", err
	}
	if left := time.Unix(claims.Exp, 0).Sub(s.now()); claims.Aud != "https://"+r.Host || left <= 0 || left > 24*time.Hour {
		return "", fmt.Errorf("the claims %s are not for this service now", text)
	}
	return claims.Sub, nil
}
