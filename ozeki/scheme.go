package ozeki

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
)

// Scheme holds everything the vendor does not publish: how a request is signed, how a conversation key is wrapped, how
// texts are sealed and how credentials come from a password. An operator chooses one by name (SchemeByName); the browser
// is told which at start-up. docs/protocol.md describes the default one with test vectors.
type Scheme interface {
	// Name is the name by which SchemeByName finds the scheme.
	Name() string
	// ImportKey makes a key from PKCS#1 DER that signs and unwraps in this scheme. In a browser the key cannot be read back.
	ImportKey(ctx context.Context, pkcs1 []byte) (*PrivateKey, error)
	// ImportPublicKey makes a key from DER SubjectPublicKeyInfo that verifies and wraps in this scheme.
	ImportPublicKey(ctx context.Context, spki []byte) (*PublicKey, error)
	// Sign returns the value of the header Ozeki-Signature for exactly these body bytes.
	Sign(ctx context.Context, key *PrivateKey, body []byte) (string, error)
	// Verify checks a header value that Sign made; ErrSignature if it does not fit.
	Verify(ctx context.Context, key *PublicKey, body []byte, signature string) error
	// WrapKey returns the 32-byte conversation key for the owner of the public key, base64.
	WrapKey(ctx context.Context, to *PublicKey, conversationKey []byte) (string, error)
	// UnwrapKey is the inverse; ErrUndecryptable if the secret was not wrapped for this key.
	UnwrapKey(ctx context.Context, key *PrivateKey, secret string) ([]byte, error)
	// Seal encrypts a text under a conversation key, bound to ad (NameAD or MessageAD); base64.
	Seal(ctx context.Context, conversationKey []byte, ad string, plaintext []byte) (string, error)
	// Open is the inverse for many texts at once, in the order given.
	// A text that does not open has an Err that is ErrUndecryptable.
	Open(ctx context.Context, sealed []Sealed) []Opened
	// Credentials derives what signs a person in from what the person remembers. It takes a noticeable part of a second, on purpose.
	Credentials(ctx context.Context, email, password string) (Credentials, error)
}

// Sealed is a text to open.
type Sealed struct {
	Key  []byte // the conversation key
	AD   string // NameAD or MessageAD
	Data string // as Seal gave it
}

// Opened is the outcome of opening one text.
type Opened struct {
	Plaintext []byte
	Err       error
}

// Credentials are derived from e-mail address and password. The server is shown only APIKey.
type Credentials struct {
	APIKey             string // 64 hex digits, sent at login
	EncryptionPassword string // 64 hex digits, passphrase of the PEM; never leaves the client
}

// NameAD is the additional data of a conversation's display name.
func NameAD(c ConversationID) string { return string(c) }

// MessageAD is the additional data of a message.
func MessageAD(c ConversationID, m MessageID) string { return string(c) + ";" + string(m) }

// DefaultScheme is the name of the scheme used unless another is chosen.
const DefaultScheme = "sha256"

// SchemeNames lists the names that SchemeByName takes.
var SchemeNames = []string{"sha256", "sha1", "sha512"}

// SchemeByName returns a scheme: "sha256" (the default; also for the empty name), or "sha1" and "sha512", which differ
// from it in the hash of the signature only.
func SchemeByName(name string) (Scheme, error) {
	switch name {
	case "", DefaultScheme:
		return standard{DefaultScheme, SHA256}, nil
	case "sha1":
		return standard{"sha1", SHA1}, nil
	case "sha512":
		return standard{"sha512", SHA512}, nil
	}
	return nil, fmt.Errorf("unknown scheme %q: choose one of %q", name, SchemeNames)
}

// Hash is the hash of a signature, by its WebCrypto name.
type Hash string

const (
	SHA1   Hash = "SHA-1"
	SHA256 Hash = "SHA-256"
	SHA512 Hash = "SHA-512"
)

// CredentialRounds is the number of PBKDF2 rounds (OWASP Password Storage Cheat Sheet for PBKDF2-HMAC-SHA-256).
const CredentialRounds = 600_000

// CredentialSalt and the e-mail address in its normal form are the salt of PBKDF2.
const CredentialSalt = "starling credentials v1;"

const (
	labelAPIKey     = "starling apikey v1"
	labelEncryption = "starling encryption password v1"
)

// standard is the scheme of this project; only the signature's hash varies.
type standard struct {
	name string
	hash Hash
}

func (s standard) Name() string { return s.name }

func (s standard) ImportKey(ctx context.Context, pkcs1 []byte) (*PrivateKey, error) {
	return importPrivateKey(ctx, pkcs1, s.hash)
}

func (s standard) ImportPublicKey(ctx context.Context, spki []byte) (*PublicKey, error) {
	return importPublicKey(ctx, spki, s.hash)
}

func (s standard) Sign(ctx context.Context, key *PrivateKey, body []byte) (string, error) {
	sig, err := key.sign(ctx, body)
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	return base64.StdEncoding.EncodeToString(sig), nil
}

func (s standard) Verify(ctx context.Context, key *PublicKey, body []byte, signature string) error {
	sig, err := base64.StdEncoding.Strict().DecodeString(signature)
	if err != nil {
		return fmt.Errorf("%w: not base64", ErrSignature)
	}
	return key.verify(ctx, body, sig)
}

func (s standard) WrapKey(ctx context.Context, to *PublicKey, conversationKey []byte) (string, error) {
	if err := checkConversationKey(conversationKey); err != nil {
		return "", fmt.Errorf("wrap key: %w", err)
	}
	wrapped, err := to.wrap(ctx, conversationKey)
	if err != nil {
		return "", fmt.Errorf("wrap key: %w", err)
	}
	return base64.StdEncoding.EncodeToString(wrapped), nil
}

func (s standard) UnwrapKey(ctx context.Context, key *PrivateKey, secret string) ([]byte, error) {
	wrapped, err := base64.StdEncoding.Strict().DecodeString(secret)
	if err != nil {
		return nil, fmt.Errorf("%w: secret is not base64", ErrUndecryptable)
	}
	plain, err := key.unwrap(ctx, wrapped)
	if err != nil {
		return nil, fmt.Errorf("%w: secret is not for this key", ErrUndecryptable)
	}
	if len(plain) != ConversationKeySize {
		return nil, fmt.Errorf("%w: key of %d bytes", ErrUndecryptable, len(plain))
	}
	return plain, nil
}

// ConversationKeySize is the size of a conversation key in bytes (AES-256).
const ConversationKeySize = 32

func checkConversationKey(key []byte) error {
	if len(key) != ConversationKeySize {
		return fmt.Errorf("conversation key of %d bytes, want %d", len(key), ConversationKeySize)
	}
	return nil
}

const nonceSize = 12

func (s standard) Seal(_ context.Context, key []byte, ad string, plaintext []byte) (string, error) {
	nonce, err := randomBytes(nonceSize)
	if err != nil {
		return "", fmt.Errorf("seal: %w", err)
	}
	return sealWithNonce(key, nonce, ad, plaintext)
}

func sealWithNonce(key, nonce []byte, ad string, plaintext []byte) (string, error) {
	if err := checkConversationKey(key); err != nil {
		return "", fmt.Errorf("seal: %w", err)
	}
	box, err := sealGCM(key, nonce, []byte(ad), plaintext)
	if err != nil {
		return "", fmt.Errorf("seal: %w", err)
	}
	return base64.StdEncoding.EncodeToString(append(append([]byte(nil), nonce...), box...)), nil
}

func (s standard) Open(_ context.Context, sealed []Sealed) []Opened {
	out := make([]Opened, len(sealed))
	boxes := make([]gcmBox, 0, len(sealed))
	at := make([]int, 0, len(sealed))
	for i, v := range sealed {
		raw, err := base64.StdEncoding.Strict().DecodeString(v.Data)
		if err != nil || len(raw) < nonceSize+16 || len(v.Key) != ConversationKeySize {
			out[i].Err = ErrUndecryptable
			continue
		}
		boxes = append(boxes, gcmBox{v.Key, raw[:nonceSize], []byte(v.AD), raw[nonceSize:]})
		at = append(at, i)
	}
	for i, o := range openGCM(boxes) {
		if o.Err != nil {
			o = Opened{Err: ErrUndecryptable}
		}
		out[at[i]] = o
	}
	return out
}

type begunKey struct{}

// WithBegunDerivation gives Credentials what was begun of it elsewhere: wait returns the 32 bytes that PBKDF2 makes of the
// same password and e-mail address, or nil if there are none, in which case Credentials makes them itself.
func WithBegunDerivation(ctx context.Context, wait func() []byte) context.Context {
	return context.WithValue(ctx, begunKey{}, wait)
}

const masterSize = 32 // bytes that PBKDF2 makes

func (s standard) Credentials(ctx context.Context, email, password string) (Credentials, error) {
	return credentials(ctx, email, password, CredentialRounds)
}

func credentials(ctx context.Context, email, password string, rounds int) (Credentials, error) {
	var master []byte
	var err error
	if begun, ok := ctx.Value(begunKey{}).(func() []byte); ok {
		master = begun()
	}
	if len(master) != masterSize {
		master, err = pbkdf2SHA256(ctx, []byte(password), []byte(CredentialSalt+NormalEmail(email)), rounds, masterSize)
	}
	if err != nil {
		return Credentials{}, fmt.Errorf("derive credentials: %w", err)
	}
	api, err := hmacSHA256(ctx, master, []byte(labelAPIKey))
	if err != nil {
		return Credentials{}, fmt.Errorf("derive credentials: %w", err)
	}
	enc, err := hmacSHA256(ctx, master, []byte(labelEncryption))
	if err != nil {
		return Credentials{}, fmt.Errorf("derive credentials: %w", err)
	}
	return Credentials{hex.EncodeToString(api), hex.EncodeToString(enc)}, nil
}

// NewConversationKey returns a fresh random conversation key.
func NewConversationKey() ([]byte, error) { return randomBytes(ConversationKeySize) }

// Key sizes that are taken, in bits. The published ones have 2048.
const minKeyBits, maxKeyBits = 2048, 4096

func checkKeySize(bits int) error {
	if bits < minKeyBits || bits > maxKeyBits {
		return fmt.Errorf("RSA key of %d bits: %d to %d are taken", bits, minKeyBits, maxKeyBits)
	}
	return nil
}

// GenerateKey makes a new RSA-2048 key pair: the private key as PKCS#1 DER, for SealPEM, and the public key as DER
// SubjectPublicKeyInfo.
func GenerateKey(ctx context.Context) (pkcs1, spki []byte, err error) { return generateKey(ctx) }
