// Package push sends web push messages: encrypted for one browser (RFC 8291), signed with the server's own key (RFC 8292),
// through the push service that the browser has named (RFC 8030).
package push

import (
	"bytes"
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
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// The ways a push is not sent. Any other error may pass: the same push can be sent again later.
var (
	// ErrGone: the push service does not know the subscription any more.
	ErrGone = errors.New("the push subscription has ended")
	// ErrRefused: the push service does not take this message, and will not.
	ErrRefused = errors.New("the push service refuses the message")
)

// LaterError is a push service's wish to be asked again after a while.
type LaterError struct{ After time.Duration }

func (e *LaterError) Error() string { return fmt.Sprintf("the push service is busy for %s", e.After) }

// recordSize is the size of the one record that a message is; MaxPayload is what fits into it and into what push services
// must take (RFC 8030, 7.2: 4096 bytes).
const (
	recordSize = 4096
	headerSize = 16 + 4 + 1 + 65
	MaxPayload = 4096 - headerSize - 16 - 1
)

// Subscription is a browser's: where its push service takes messages, and the keys that only it opens them with.
type Subscription struct {
	Endpoint string // https URL
	P256dh   string // public key of the browser, uncompressed point, base64url without padding
	Auth     string // 16 bytes, base64url without padding
}

// Check says whether a message can be sealed for the subscription and its endpoint has the form of one.
func (s Subscription) Check() error {
	if _, _, err := s.keys(); err != nil {
		return err
	}
	_, err := s.url()
	return err
}

func (s Subscription) url() (*url.URL, error) {
	u, err := url.Parse(s.Endpoint)
	if err != nil || len(s.Endpoint) > 1024 || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Port() != "" && u.Port() != "443" {
		return nil, errors.New("the endpoint is no https URL at the usual port")
	}
	return u, nil
}

func (s Subscription) keys() (*ecdh.PublicKey, []byte, error) {
	point, err := base64.RawURLEncoding.DecodeString(s.P256dh)
	if err != nil {
		return nil, nil, errors.New("p256dh is not base64url")
	}
	browser, err := ecdh.P256().NewPublicKey(point)
	if err != nil {
		return nil, nil, fmt.Errorf("p256dh: %w", err)
	}
	auth, err := base64.RawURLEncoding.DecodeString(s.Auth)
	if err != nil || len(auth) != 16 {
		return nil, nil, errors.New("auth is not 16 bytes in base64url")
	}
	return browser, auth, nil
}

// seal encrypts a payload with a key pair and a salt that are used for nothing else (RFC 8291, 3 and 4).
func (s Subscription) seal(payload []byte, own *ecdh.PrivateKey, salt []byte) ([]byte, error) {
	if len(payload) > MaxPayload {
		return nil, errors.New("the payload is too large for a push")
	}
	browser, auth, err := s.keys()
	if err != nil {
		return nil, err
	}
	shared, err := own.ECDH(browser)
	if err != nil {
		return nil, err
	}
	point := own.PublicKey().Bytes()
	input, err := hkdf.Key(sha256.New, shared, auth, "WebPush: info\x00"+string(browser.Bytes())+string(point), 32)
	if err != nil {
		return nil, err
	}
	key, err := hkdf.Key(sha256.New, input, salt, "Content-Encoding: aes128gcm\x00", 16)
	if err != nil {
		return nil, err
	}
	nonce, err := hkdf.Key(sha256.New, input, salt, "Content-Encoding: nonce\x00", 12)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	out := binary.BigEndian.AppendUint32(bytes.Clone(salt), recordSize)
	out = append(append(out, byte(len(point))), point...)
	return aead.Seal(out, nonce, append(bytes.Clone(payload), 2), nil), nil
}

// Key is the key by which push services know this server (RFC 8292). A browser's subscription is bound to it.
type Key struct{ private *ecdsa.PrivateKey }

// NewKey makes a key.
func NewKey() (Key, error) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return Key{k}, err
}

// ParseKey reads what Bytes gave.
func ParseKey(b []byte) (Key, error) {
	k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), b)
	if err != nil {
		return Key{}, fmt.Errorf("the key of the push messages is damaged: %w", err)
	}
	return Key{k}, nil
}

// Bytes is the private key, to be kept.
func (k Key) Bytes() ([]byte, error) { return k.private.Bytes() }

// Public is what a browser subscribes with: the point, base64url without padding.
func (k Key) Public() (string, error) {
	b, err := k.private.PublicKey.Bytes()
	return base64.RawURLEncoding.EncodeToString(b), err
}

// authorization is the header for a push service, good for some hours. contact is where the server's operator can be
// reached, an https or mailto URL, empty for none.
func (k Key) authorization(audience, contact string, now time.Time) (string, error) {
	claims := map[string]any{"aud": audience, "exp": now.Add(12 * time.Hour).Unix()}
	if contact != "" {
		claims["sub"] = contact
	}
	body, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"typ":"JWT","alg":"ES256"}`)) + "." + base64.RawURLEncoding.EncodeToString(body)
	sum := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, k.private, sum[:])
	if err != nil {
		return "", err
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	public, err := k.Public()
	return "vapid t=" + text + "." + base64.RawURLEncoding.EncodeToString(signature) + ", k=" + public, err
}

// Message is what is sent.
type Message struct {
	Payload []byte        // at most MaxPayload
	TTL     time.Duration // how long the push service keeps it for a browser that is not there
	Urgency string        // very-low, low, normal or high
	Topic   string        // at most 32 characters of base64url: one that waits with the same topic is replaced
	Contact string        // see Key.authorization
}

// Client sends messages.
type Client struct {
	Key  Key
	HTTP *http.Client     // see NewHTTPClient
	Now  func() time.Time // the clock
}

// Send hands a message to the subscription's push service. ErrGone, ErrRefused and *LaterError say what became of it.
func (c *Client) Send(ctx context.Context, s Subscription, m Message) error {
	u, err := s.url()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	own, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	salt := make([]byte, 16)
	rand.Read(salt)
	body, err := s.seal(m.Payload, own, salt)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	authorization, err := c.Key.authorization(u.Scheme+"://"+strings.TrimSuffix(u.Host, ":443"), m.Contact, c.Now())
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.Endpoint, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	req.Header.Set("Authorization", authorization)
	req.Header.Set("Content-Encoding", "aes128gcm")
	req.Header.Set("Content-Type", "application/octet-stream")
	req.Header.Set("TTL", strconv.Itoa(int(m.TTL.Seconds())))
	req.Header.Set("Urgency", m.Urgency)
	if m.Topic != "" {
		req.Header.Set("Topic", m.Topic)
	}
	res, err := c.HTTP.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	_, _ = io.CopyN(io.Discard, res.Body, 4096) // so that the connection is used again
	switch code := res.StatusCode; {
	case code >= 200 && code < 300:
		return nil
	case code == http.StatusNotFound || code == http.StatusGone:
		return ErrGone
	case code == http.StatusTooManyRequests || code >= 500:
		seconds, _ := strconv.Atoi(res.Header.Get("Retry-After"))
		return &LaterError{time.Duration(min(max(seconds, 0), 24*3600)) * time.Second}
	default: // a redirect too: it is not followed
		return fmt.Errorf("%w: %s", ErrRefused, res.Status)
	}
}
