//go:build !js

package ozeki

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// OpenSSL is the independent judge of everything that another program has to compute or open too. AES-GCM is not in its
// command line: Project Wycheproof judges that (see platform_test.go).

// openssl runs the OpenSSL 3 command line with the given input and returns its output.
func openssl(t *testing.T, input []byte, args ...string) []byte {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil {
		t.Fatal("openssl is needed as an independent judge: apt-get install openssl")
	}
	cmd := exec.Command(path, args...)
	cmd.Stdin = bytes.NewReader(input)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, stderr.Bytes())
	}
	return out
}

// fileWith returns the path of a new file with this content.
func fileWith(t *testing.T, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOpenSSLVerifiesOurSignaturesAndWeVerifyIts(t *testing.T) {
	v := readVectors(t)
	private, public := fileWith(t, v.Key.PKCS1), fileWith(t, v.Key.SPKI)
	for _, name := range SchemeNames {
		for _, body := range []string{requestBody, "", "Grüße\x00\xff"} {
			s := schemeNamed(t, name)
			ours, ourPublic := testKeys(t, s)
			signature, err := s.Sign(t.Context(), ours, []byte(body))
			if err != nil {
				t.Fatal(err)
			}
			file := fileWith(t, unbase64(t, signature))
			openssl(t, []byte(body), "dgst", "-"+name, "-keyform", "DER", "-verify", public, "-signature", file)

			theirs := openssl(t, []byte(body), "dgst", "-"+name, "-keyform", "DER", "-sign", private)
			if err := ourPublic.verify(t.Context(), []byte(body), theirs); err != nil {
				t.Errorf("%s: OpenSSL's signature of %q: %v", name, body, err)
			}
		}
	}
}

func TestOpenSSLOpensOurEncryptedKeyAndWeOpenIts(t *testing.T) {
	v := readVectors(t)
	ders := [][]byte{v.Key.PKCS1}
	for _, k := range v.Sizes {
		ders = append(ders, k.PKCS1)
	}
	for _, der := range ders {
		for _, password := range []string{"x", "a longer one, with spaces", strings.Repeat("0123456789abcdef", 4), "Pässwörd 世界"} {
			ours, err := SealPEM(der, password)
			if err != nil {
				t.Fatal(err)
			}
			got := openssl(t, []byte(ours), "rsa", "-traditional", "-outform", "DER", "-passin", "pass:"+password)
			if !bytes.Equal(got, der) {
				t.Errorf("OpenSSL read another key of %d bytes with %q", len(der), password)
			}
			theirs := openssl(t, der, "rsa", "-inform", "DER", "-traditional", "-aes-256-cfb", "-passout", "pass:"+password)
			for _, ends := range []string{"\n", "\r\n"} {
				text := strings.ReplaceAll(string(theirs), "\n", ends)
				if got, err := OpenPEM(text, password); err != nil || !bytes.Equal(got, der) {
					t.Errorf("OpenSSL's PEM with %q: %v", password, err)
				}
				if _, err := OpenPEM(text, password+"x"); !errors.Is(err, ErrPassword) {
					t.Errorf("OpenSSL's PEM with a wrong password: %v", err)
				}
			}
		}
	}
}

func TestOpenSSLUnwrapsOurConversationKeyAndWeUnwrapIts(t *testing.T) {
	v := readVectors(t)
	s := schemeNamed(t, "")
	private, public := testKeys(t, s)
	oaep := []string{"-keyform", "DER", "-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha256", "-pkeyopt", "rsa_mgf1_md:sha256"}
	key := newKey(t)
	secret, err := s.WrapKey(t.Context(), public, key)
	if err != nil {
		t.Fatal(err)
	}
	got := openssl(t, unbase64(t, secret), append([]string{"pkeyutl", "-decrypt", "-inkey", fileWith(t, v.Key.PKCS1)}, oaep...)...)
	if !bytes.Equal(got, key) {
		t.Errorf("OpenSSL unwrapped %x, want %x", got, key)
	}
	theirs := openssl(t, key, append([]string{"pkeyutl", "-encrypt", "-pubin", "-inkey", fileWith(t, v.Key.SPKI)}, oaep...)...)
	if got, err := private.unwrap(t.Context(), theirs); err != nil || !bytes.Equal(got, key) {
		t.Errorf("OpenSSL's secret unwrapped to %x, %v; want %x", got, err, key)
	}
}

func TestOpenSSLDerivesTheSameCredentials(t *testing.T) {
	const email, password, rounds = "  Bob@Example.com", "hunter2 🐦", 1234
	got, err := credentials(t.Context(), email, password, rounds)
	if err != nil {
		t.Fatal(err)
	}
	master := openssl(t, nil, "kdf", "-binary", "-keylen", "32", "-kdfopt", "digest:SHA256", "-kdfopt", "iter:1234",
		"-kdfopt", "hexpass:"+hex.EncodeToString([]byte(password)),
		"-kdfopt", "hexsalt:"+hex.EncodeToString([]byte("starling credentials v1;bob@example.com")), "PBKDF2")
	mac := func(label string) string {
		return hex.EncodeToString(openssl(t, []byte(label), "dgst", "-sha256", "-mac", "HMAC", "-macopt", "hexkey:"+hex.EncodeToString(master), "-binary"))
	}
	want := Credentials{mac("starling apikey v1"), mac("starling encryption password v1")}
	if got != want {
		t.Errorf("got %+v, OpenSSL says %+v", got, want)
	}
}
