//go:build !js

package ozeki

import (
	"bytes"
	"context"
	"crypto"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// PrivateKey is a user's RSA key for one scheme.
type PrivateKey struct {
	key  *rsa.PrivateKey
	hash Hash
}

// PublicKey is the public half of a user's key for one scheme.
type PublicKey struct {
	key  *rsa.PublicKey
	hash Hash
}

func importPrivateKey(_ context.Context, pkcs1 []byte, hash Hash) (*PrivateKey, error) {
	key, err := x509.ParsePKCS1PrivateKey(pkcs1)
	if err != nil {
		return nil, fmt.Errorf("import key: %w: %w", errDamagedKey, err)
	}
	if err := checkKeySize(key.N.BitLen()); err != nil {
		return nil, err
	}
	return &PrivateKey{key, hash}, nil
}

func importPublicKey(_ context.Context, spki []byte, hash Hash) (*PublicKey, error) {
	key, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return nil, fmt.Errorf("import public key: %w", err)
	}
	rsaKey, ok := key.(*rsa.PublicKey)
	if !ok {
		return nil, errors.New("import public key: not an RSA key")
	}
	if err := checkKeySize(rsaKey.N.BitLen()); err != nil {
		return nil, err
	}
	return &PublicKey{rsaKey, hash}, nil
}

func generateKey(context.Context) (pkcs1, spki []byte, err error) {
	key, err := rsa.GenerateKey(rand.Reader, minKeyBits)
	if err != nil {
		return nil, nil, err
	}
	spki, err = x509.MarshalPKIXPublicKey(&key.PublicKey)
	return x509.MarshalPKCS1PrivateKey(key), spki, err
}

func digest(h Hash, data []byte) (crypto.Hash, []byte) {
	switch h {
	case SHA1:
		sum := sha1.Sum(data)
		return crypto.SHA1, sum[:]
	case SHA512:
		sum := sha512.Sum512(data)
		return crypto.SHA512, sum[:]
	default:
		sum := sha256.Sum256(data)
		return crypto.SHA256, sum[:]
	}
}

func (k *PrivateKey) sign(_ context.Context, body []byte) ([]byte, error) {
	h, sum := digest(k.hash, body)
	return rsa.SignPKCS1v15(nil, k.key, h, sum)
}

func (k *PrivateKey) unwrap(_ context.Context, wrapped []byte) ([]byte, error) {
	return rsa.DecryptOAEP(sha256.New(), nil, k.key, wrapped, nil)
}

func (k *PublicKey) verify(_ context.Context, body, signature []byte) error {
	h, sum := digest(k.hash, body)
	if rsa.VerifyPKCS1v15(k.key, h, sum, signature) != nil {
		return ErrSignature
	}
	return nil
}

func (k *PublicKey) wrap(_ context.Context, plain []byte) ([]byte, error) {
	return rsa.EncryptOAEP(sha256.New(), rand.Reader, k.key, plain, nil)
}

func pbkdf2SHA256(_ context.Context, password, salt []byte, rounds, size int) ([]byte, error) {
	return pbkdf2.Key(sha256.New, string(password), salt, rounds, size)
}

func hmacSHA256(_ context.Context, key, data []byte) ([]byte, error) {
	h := hmac.New(sha256.New, key)
	h.Write(data)
	return h.Sum(nil), nil
}

func randomBytes(n int) ([]byte, error) {
	b := make([]byte, n)
	_, err := rand.Read(b)
	return b, err
}

// httpTransport is the native Transport.
type httpTransport struct{ client *http.Client }

// NewTransport returns the platform's Transport: net/http here, fetch in a browser. Redirects are not followed.
func NewTransport() Transport {
	return httpTransport{&http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (t httpTransport) Post(ctx context.Context, url string, header map[string]string, body []byte) (*Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	res, err := t.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	date, err := http.ParseTime(res.Header.Get("Date"))
	if err != nil {
		date = time.Time{}
	}
	return &Response{Status: res.StatusCode, ContentType: res.Header.Get("Content-Type"), Date: date, Body: b}, nil
}
