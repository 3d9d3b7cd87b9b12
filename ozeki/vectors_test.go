package ozeki

import (
	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"testing"
)

// The vectors are embedded, since a browser has no files.
var (
	//go:embed testdata/vectors.json
	vectorsJSON []byte
	//go:embed testdata/wycheproof.json
	wycheproofJSON []byte
)

// hexBytes and base64 ([]byte) are how the vectors write bytes.
type hexBytes []byte

func (h *hexBytes) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	var err error
	*h, err = hex.DecodeString(s)
	return err
}

// vectors are the known answers of docs/protocol.md.
type vectors struct {
	Key struct {
		PKCS1, SPKI []byte
	}
	Signatures []struct{ Scheme, Body, Signature string }
	Wrapped    []struct {
		ConversationKey hexBytes
		Secret          string
	}
	Sealed []struct {
		What            string
		ConversationKey hexBytes
		Nonce           hexBytes
		AD              string
		Plaintext       string
		Sealed          string
	}
	Credentials []struct {
		Email, Password            string
		Rounds                     int
		Master                     hexBytes
		APIKey, EncryptionPassword string
	}
	PEM []struct{ Password, PEM string }
	IDs struct {
		Users []struct {
			Email string
			ID    UserID
		}
		Conversations []struct {
			A, B UserID
			ID   ConversationID
		}
	}
	Sizes []struct {
		Bits        int
		Taken       bool
		PKCS1, SPKI []byte
	}
}

func readVectors(t testing.TB) *vectors {
	t.Helper()
	var v vectors
	if err := json.Unmarshal(vectorsJSON, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Key.PKCS1) == 0 || len(v.Signatures) == 0 || len(v.Wrapped) == 0 || len(v.Sealed) == 0 ||
		len(v.Credentials) == 0 || len(v.PEM) == 0 || len(v.Sizes) == 0 {
		t.Fatal("testdata/vectors.json lacks a part")
	}
	return &v
}

// wycheproof is an extract of Project Wycheproof: cases that implementations have got wrong.
type wycheproof struct {
	GCM []struct {
		ID                             int
		Key, Nonce, AD, Plaintext, Box hexBytes
		Valid                          bool
	}
	Signatures []struct {
		ID              int
		Hash            Hash
		SPKI            int // index in PublicKeys
		Body, Signature hexBytes
		Valid           bool
	}
	OAEP []struct {
		ID                 int
		PKCS1              int // index in PrivateKeys
		Wrapped, Plaintext hexBytes
		Valid              bool
	}
	PBKDF2 []struct {
		ID                  int
		Password, Salt, Key hexBytes
		Rounds              int
	}
	PublicKeys, PrivateKeys []hexBytes
}

func readWycheproof(t testing.TB) *wycheproof {
	t.Helper()
	var w wycheproof
	if err := json.Unmarshal(wycheproofJSON, &w); err != nil {
		t.Fatal(err)
	}
	if len(w.GCM) == 0 || len(w.Signatures) == 0 || len(w.OAEP) == 0 || len(w.PBKDF2) == 0 {
		t.Fatal("testdata/wycheproof.json lacks a part")
	}
	return &w
}

// testKeys imports the vectors' key into a scheme.
func testKeys(t testing.TB, s Scheme) (*PrivateKey, *PublicKey) {
	t.Helper()
	v := readVectors(t)
	private, err := s.ImportKey(t.Context(), v.Key.PKCS1)
	if err != nil {
		t.Fatal(err)
	}
	public, err := s.ImportPublicKey(t.Context(), v.Key.SPKI)
	if err != nil {
		t.Fatal(err)
	}
	return private, public
}

func schemeNamed(t testing.TB, name string) Scheme {
	t.Helper()
	s, err := SchemeByName(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func unbase64(t testing.TB, s string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
