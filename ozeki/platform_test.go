package ozeki

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// The suite of the platform: it has no build tag, and the same tests pass natively and in Chromium (see
// e2e/wasm_suite_test.go), so that the twins platform_native.go and platform_js.go cannot drift apart.

const requestBody = `{"action":"unfavorite","clientversioncode":3,"timestamp":"2024-03-11 07:25:52"}`

func TestSignedRequestsVerifyAndTamperedOnesAreRefused(t *testing.T) {
	for _, name := range SchemeNames {
		t.Run(name, func(t *testing.T) {
			s := schemeNamed(t, name)
			private, public := testKeys(t, s)
			body := []byte(requestBody)
			signature, err := s.Sign(t.Context(), private, body)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Verify(t.Context(), public, body, signature); err != nil {
				t.Fatalf("the untouched request: %v", err)
			}
			refused := func(what string, body []byte, signature string) {
				t.Helper()
				if err := s.Verify(t.Context(), public, body, signature); !errors.Is(err, ErrSignature) {
					t.Errorf("%s: got %v, want ErrSignature", what, err)
				}
			}
			for i := range body {
				refused(fmt.Sprintf("body with byte %d flipped", i), flipped(body, i), signature)
			}
			raw := unbase64(t, signature)
			for i := 0; i < len(raw); i += 15 {
				refused(fmt.Sprintf("signature with byte %d flipped", i), body, base64.StdEncoding.EncodeToString(flipped(raw, i)))
			}
			refused("body with a byte more", append(slices.Clone(body), ' '), signature)
			refused("body with a byte less", body[1:], signature)
			refused("empty body", nil, signature)
			refused("empty signature", body, "")
			refused("signature with a byte less", body, base64.StdEncoding.EncodeToString(raw[1:]))
			refused("signature with a byte more", body, base64.StdEncoding.EncodeToString(append([]byte{0}, raw...)))
			refused("signature that is not base64", body, "not base64!")
			for _, other := range SchemeNames {
				if other != name {
					_, otherPublic := testKeys(t, schemeNamed(t, other))
					if err := s.Verify(t.Context(), otherPublic, body, signature); !errors.Is(err, ErrSignature) {
						t.Errorf("under the scheme %s: got %v, want ErrSignature", other, err)
					}
				}
			}
		})
	}
}

func TestSignaturesAreTheDocumentedOnes(t *testing.T) {
	for _, v := range readVectors(t).Signatures {
		s := schemeNamed(t, v.Scheme)
		private, public := testKeys(t, s)
		if got, err := s.Sign(t.Context(), private, []byte(v.Body)); err != nil || got != v.Signature {
			t.Errorf("%s of %q: got %s, %v", v.Scheme, v.Body, got, err)
		}
		if err := s.Verify(t.Context(), public, []byte(v.Body), v.Signature); err != nil {
			t.Errorf("verify %s of %q: %v", v.Scheme, v.Body, err)
		}
	}
}

func TestConversationKeyReachesItsMemberAlone(t *testing.T) {
	s := schemeNamed(t, "")
	private, public := testKeys(t, s)
	key, err := NewConversationKey()
	if err != nil {
		t.Fatal(err)
	}
	secret, err := s.WrapKey(t.Context(), public, key)
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := s.WrapKey(t.Context(), public, key); again == secret {
		t.Error("the same key was wrapped twice into the same secret")
	}
	if got, err := s.UnwrapKey(t.Context(), private, secret); err != nil || !bytes.Equal(got, key) {
		t.Fatalf("unwrapped %x, %v; want %x", got, err, key)
	}
	for _, v := range readVectors(t).Wrapped {
		if got, err := s.UnwrapKey(t.Context(), private, v.Secret); err != nil || !bytes.Equal(got, v.ConversationKey) {
			t.Errorf("documented secret: unwrapped %x, %v", got, err)
		}
	}

	pkcs1, _, err := GenerateKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := s.ImportKey(t.Context(), pkcs1)
	if err != nil {
		t.Fatal(err)
	}
	raw := unbase64(t, secret)
	short, err := public.wrap(t.Context(), key[:16])
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		key    *PrivateKey
		secret string
	}{
		"somebody else's key":  {stranger, secret},
		"flipped byte":         {private, base64.StdEncoding.EncodeToString(flipped(raw, 100))},
		"cut":                  {private, base64.StdEncoding.EncodeToString(raw[:255])},
		"empty":                {private, ""},
		"not base64":           {private, "C7Z...srA=="},
		"key of another size":  {private, base64.StdEncoding.EncodeToString(short)},
		"bytes of another use": {private, base64.StdEncoding.EncodeToString(make([]byte, 256))},
	} {
		if got, err := s.UnwrapKey(t.Context(), c.key, c.secret); !errors.Is(err, ErrUndecryptable) || got != nil {
			t.Errorf("%s: got %x, %v; want ErrUndecryptable", what, got, err)
		}
	}
	for _, size := range []int{0, 16, 31, 33} {
		if _, err := s.WrapKey(t.Context(), public, make([]byte, size)); err == nil {
			t.Errorf("a conversation key of %d bytes was wrapped, and nobody would open it", size)
		}
	}
}

func TestSealedTextOpensOnlyWithItsKeyAndInItsPlace(t *testing.T) {
	s := schemeNamed(t, "")
	key, other := newKey(t), newKey(t)
	const conversation, message = ConversationID("8ca16186c36a4e0a1ef2096e6c60b613"), MessageID("fc2515cb-e483-4f64-936b-98f680565c96")
	ad := MessageAD(conversation, message)
	text := []byte("see you at seven")
	sealed, err := s.Seal(t.Context(), key, ad, text)
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := s.Seal(t.Context(), key, ad, text); again == sealed {
		t.Error("the same text was sealed twice into the same bytes")
	}
	if got := openOne(t, s, Sealed{key, ad, sealed}); got.Err != nil || !bytes.Equal(got.Plaintext, text) {
		t.Fatalf("opened %q, %v", got.Plaintext, got.Err)
	}
	raw := unbase64(t, sealed)
	cases := map[string]Sealed{
		"another key":               {other, ad, sealed},
		"a key of another size":     {key[:16], ad, sealed},
		"no key":                    {nil, ad, sealed},
		"another message":           {key, MessageAD(conversation, NewMessageID()), sealed},
		"another conversation":      {key, MessageAD(NewConversationID(), message), sealed},
		"a name instead of a text":  {key, NameAD(conversation), sealed},
		"without place":             {key, "", sealed},
		"empty":                     {key, ad, ""},
		"not base64":                {key, ad, "uwR...A=="},
		"nonce only":                {key, ad, base64.StdEncoding.EncodeToString(raw[:12])},
		"nonce and tag of nothing":  {key, ad, base64.StdEncoding.EncodeToString(raw[:28])},
		"the last byte cut":         {key, ad, base64.StdEncoding.EncodeToString(raw[:len(raw)-1])},
		"one byte more":             {key, ad, base64.StdEncoding.EncodeToString(append(slices.Clone(raw), 0))},
		"the first byte of the tag": {key, ad, base64.StdEncoding.EncodeToString(flipped(raw, len(raw)-16))},
	}
	for i := range raw {
		cases[fmt.Sprintf("byte %d flipped", i)] = Sealed{key, ad, base64.StdEncoding.EncodeToString(flipped(raw, i))}
	}
	for what, c := range cases {
		if got := openOne(t, s, c); !errors.Is(got.Err, ErrUndecryptable) || got.Plaintext != nil {
			t.Errorf("%s: got %q, %v; want ErrUndecryptable", what, got.Plaintext, got.Err)
		}
	}
	for _, size := range []int{0, 16, 24, 31, 33} {
		if _, err := s.Seal(t.Context(), make([]byte, size), ad, text); err == nil {
			t.Errorf("a text was sealed with a key of %d bytes, and nobody would open it", size)
		}
	}
}

func TestSealedTextsAreTheDocumentedOnes(t *testing.T) {
	s := schemeNamed(t, "")
	for _, v := range readVectors(t).Sealed {
		got, err := sealWithNonce(v.ConversationKey, v.Nonce, v.AD, []byte(v.Plaintext))
		if err != nil || got != v.Sealed {
			t.Errorf("%s: sealed as %s, %v", v.What, got, err)
		}
		if o := openOne(t, s, Sealed{v.ConversationKey, v.AD, v.Sealed}); o.Err != nil || string(o.Plaintext) != v.Plaintext {
			t.Errorf("%s: opened as %q, %v", v.What, o.Plaintext, o.Err)
		}
	}
}

func TestAPageOfMessagesOpensInOrderAroundDamagedOnes(t *testing.T) {
	s := schemeNamed(t, "")
	keys := [][]byte{newKey(t), newKey(t), newKey(t)}
	var page []Sealed
	want := map[int]string{}
	for i := range 60 {
		v := Sealed{Key: keys[i%3], AD: fmt.Sprint("place ", i)}
		text := strings.Repeat(fmt.Sprint(i, " "), i) // the first is empty
		var err error
		if v.Data, err = s.Seal(t.Context(), v.Key, v.AD, []byte(text)); err != nil {
			t.Fatal(err)
		}
		switch i {
		case 7, 59:
			v.AD = "elsewhere"
		case 20:
			v.Data = "damaged"
		case 21:
			v.Key = newKey(t)
		case 22:
			v.Key = []byte("no key")
		case 30, 31, 32:
			v.Data = base64.StdEncoding.EncodeToString(flipped(unbase64(t, v.Data), 20))
		default:
			want[i] = text
		}
		page = append(page, v)
	}
	opened := s.Open(t.Context(), page)
	if len(opened) != len(page) {
		t.Fatalf("opened %d of %d", len(opened), len(page))
	}
	for i, o := range opened {
		text, good := want[i]
		switch {
		case good && (o.Err != nil || string(o.Plaintext) != text):
			t.Errorf("message %d: got %q, %v; want %q", i, o.Plaintext, o.Err, text)
		case !good && (!errors.Is(o.Err, ErrUndecryptable) || o.Plaintext != nil):
			t.Errorf("message %d: got %q, %v; want ErrUndecryptable", i, o.Plaintext, o.Err)
		}
	}
	if got := s.Open(t.Context(), nil); len(got) != 0 {
		t.Errorf("an empty page opened as %v", got)
	}
}

func TestANewKeyComesBackFromItsEncryptedForm(t *testing.T) {
	s := schemeNamed(t, "")
	pkcs1, spki, err := GenerateKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	pem, err := SealPEM(pkcs1, "a password")
	if err != nil {
		t.Fatal(err)
	}
	back, err := OpenPEM(pem, "a password")
	if err != nil || !bytes.Equal(back, pkcs1) {
		t.Fatalf("the key came back differently: %v", err)
	}
	for _, wrong := range []string{"", "A password", "a password "} {
		if _, err := OpenPEM(pem, wrong); !errors.Is(err, ErrPassword) {
			t.Errorf("password %q: got %v, want ErrPassword", wrong, err)
		}
	}
	private, err := s.ImportKey(t.Context(), back)
	if err != nil {
		t.Fatal(err)
	}
	public, err := s.ImportPublicKey(t.Context(), spki)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := s.Sign(t.Context(), private, []byte(requestBody))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Verify(t.Context(), public, []byte(requestBody), signature); err != nil {
		t.Error(err)
	}
	if other, _, err := GenerateKey(t.Context()); err != nil || bytes.Equal(other, pkcs1) {
		t.Errorf("a second new key is the first again (%v)", err)
	}
}

func TestCredentialsAreTheDocumentedOnesAndTellNothingOfEachOther(t *testing.T) {
	for _, v := range readVectors(t).Credentials {
		if v.Rounds != CredentialRounds {
			t.Errorf("the vector has %d rounds, the product %d", v.Rounds, CredentialRounds)
		}
		got, err := schemeNamed(t, "").Credentials(t.Context(), v.Email, v.Password)
		want := Credentials{v.APIKey, v.EncryptionPassword}
		if err != nil || got != want {
			t.Errorf("%q: got %+v, %v; want %+v", v.Email, got, err, want)
		}
	}
	for _, v := range readVectors(t).Credentials {
		begun, err := pbkdf2SHA256(t.Context(), []byte(v.Password), []byte(CredentialSalt+NormalEmail(v.Email)), CredentialRounds, 32)
		if err != nil {
			t.Fatal(err)
		}
		for _, has := range [][]byte{begun, nil, begun[:31]} { // what is none is derived
			ctx := WithBegunDerivation(t.Context(), func() []byte { return has })
			got, err := schemeNamed(t, "").Credentials(ctx, v.Email, v.Password)
			if want := (Credentials{v.APIKey, v.EncryptionPassword}); err != nil || got != want {
				t.Errorf("%q with %d bytes derived before: got %+v, %v; want %+v", v.Email, len(has), got, err, want)
			}
		}
	}
	ctx := WithBegunDerivation(t.Context(), func() []byte { return make([]byte, 32) })
	first, err := credentials(ctx, "a@example.com", "x", 1)
	second, again := credentials(ctx, "a@example.com", "x", 2)
	if err != nil || again != nil || first != second {
		t.Errorf("what was derived before is not used: %+v, %v, %+v, %v", first, err, second, again)
	}
	seen := map[string]bool{}
	for _, c := range [][2]string{{"a@example.com", "x"}, {"b@example.com", "x"}, {"a@example.com", "y"}, {"a@example.com", ""}} {
		got, err := credentials(t.Context(), c[0], c[1], 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{got.APIKey, got.EncryptionPassword} {
			if len(secret) != 64 || seen[secret] {
				t.Errorf("%q: %q is not a secret of its own", c, secret)
			}
			seen[secret] = true
		}
	}
}

func TestKeysOfUnusualSizeAreRefused(t *testing.T) {
	s := schemeNamed(t, "")
	for _, v := range readVectors(t).Sizes {
		_, privateErr := s.ImportKey(t.Context(), v.PKCS1)
		_, publicErr := s.ImportPublicKey(t.Context(), v.SPKI)
		if (privateErr == nil) != v.Taken || (publicErr == nil) != v.Taken {
			t.Errorf("%d bits: private %v, public %v; want taken = %t", v.Bits, privateErr, publicErr, v.Taken)
		}
	}
}

func TestDamagedKeysAreRefusedWithoutACrash(t *testing.T) {
	s := schemeNamed(t, "")
	key := readVectors(t).Key
	elliptic := unbase64(t, "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEjqtC2DTvHRWmQBZABN74wIjhX9EcdhblkgdJht0A7sc0eeiePrN4HZAkAslZ77JKOycmYSI+etVd89kcrh5AHA==")
	for what, der := range map[string][]byte{
		"nothing": nil, "noise": []byte("noise"), "cut": key.PKCS1[:len(key.PKCS1)-1], "public": key.SPKI, "elliptic": elliptic,
		"damaged modulus": flipped(key.PKCS1, 100), "long": append(slices.Clone(key.PKCS1), 0),
	} {
		if _, err := s.ImportKey(t.Context(), der); err == nil {
			t.Errorf("private key, %s: imported", what)
		}
	}
	for what, der := range map[string][]byte{
		"nothing": nil, "noise": []byte("noise"), "cut": key.SPKI[:len(key.SPKI)-1], "private": key.PKCS1, "elliptic": elliptic,
		"long": append(slices.Clone(key.SPKI), 0),
	} {
		if _, err := s.ImportPublicKey(t.Context(), der); err == nil {
			t.Errorf("public key, %s: imported", what)
		}
	}
}

func TestRandomBytesAreFresh(t *testing.T) {
	for _, n := range []int{0, 1, 32, 65536, 70000, 200001} {
		a, err := randomBytes(n)
		if err != nil || len(a) != n {
			t.Fatalf("%d bytes: got %d, %v", n, len(a), err)
		}
		b, _ := randomBytes(n)
		if n >= 32 && (bytes.Equal(a, b) || bytes.Equal(a[n-32:], make([]byte, 32))) {
			t.Errorf("%d bytes are not random", n)
		}
	}
}

// The cases of Project Wycheproof that apply: a twin that accepts what it must refuse fails here.
func TestCryptographyWithstandsKnownAttacks(t *testing.T) {
	w := readWycheproof(t)
	t.Run("AES-GCM", func(t *testing.T) {
		var boxes []gcmBox
		for _, c := range w.GCM {
			boxes = append(boxes, gcmBox{c.Key, c.Nonce, c.AD, c.Box})
			if c.Valid {
				if got, err := sealGCM(c.Key, c.Nonce, c.AD, c.Plaintext); err != nil || !bytes.Equal(got, c.Box) {
					t.Errorf("case %d: sealed %x, %v", c.ID, got, err)
				}
			}
		}
		for i, o := range openGCM(boxes) {
			c := w.GCM[i]
			if (o.Err == nil) != c.Valid || (c.Valid && !bytes.Equal(o.Plaintext, c.Plaintext)) {
				t.Errorf("case %d: opened %x, %v; want valid = %t", c.ID, o.Plaintext, o.Err, c.Valid)
			}
		}
	})
	t.Run("RSASSA-PKCS1-v1_5", func(t *testing.T) {
		for _, c := range w.Signatures {
			key, err := importPublicKey(t.Context(), w.PublicKeys[c.SPKI], c.Hash)
			if err != nil {
				t.Fatal(err)
			}
			if err := key.verify(t.Context(), c.Body, c.Signature); (err == nil) != c.Valid {
				t.Errorf("case %d of %s: %v, want valid = %t", c.ID, c.Hash, err, c.Valid)
			}
		}
	})
	t.Run("RSA-OAEP", func(t *testing.T) {
		for _, c := range w.OAEP {
			key, err := importPrivateKey(t.Context(), w.PrivateKeys[c.PKCS1], SHA256)
			if err != nil {
				t.Fatal(err)
			}
			got, err := key.unwrap(t.Context(), c.Wrapped)
			if (err == nil) != c.Valid || (c.Valid && !bytes.Equal(got, c.Plaintext)) {
				t.Errorf("case %d: unwrapped %x, %v; want valid = %t", c.ID, got, err, c.Valid)
			}
		}
	})
	t.Run("PBKDF2", func(t *testing.T) {
		for _, c := range w.PBKDF2 {
			if got, err := pbkdf2SHA256(t.Context(), c.Password, c.Salt, c.Rounds, len(c.Key)); err != nil || !bytes.Equal(got, c.Key) {
				t.Errorf("case %d: %x, %v", c.ID, got, err)
			}
		}
	})
}

func flipped(b []byte, i int) []byte {
	b = slices.Clone(b)
	b[i] ^= 1
	return b
}

func newKey(t testing.TB) []byte {
	t.Helper()
	key, err := NewConversationKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func openOne(t testing.TB, s Scheme, v Sealed) Opened {
	t.Helper()
	opened := s.Open(t.Context(), []Sealed{v})
	if len(opened) != 1 {
		t.Fatalf("opened %d of 1", len(opened))
	}
	return opened[0]
}
