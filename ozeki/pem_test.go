package ozeki

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestTheEncryptedKeyOfTheLoginAnswerOpens(t *testing.T) {
	v := readVectors(t)
	for _, p := range v.PEM {
		for what, text := range map[string]string{
			"as it came":        p.PEM,
			"with LF":           strings.ReplaceAll(p.PEM, "\r\n", "\n"),
			"without last line": strings.TrimSpace(p.PEM),
			"with white space":  "\n  " + strings.ReplaceAll(p.PEM, "\r\n", "  \r\n") + "\n\n",
			"IV in lower case":  lowerIV(p.PEM),
		} {
			if got, err := OpenPEM(text, p.Password); err != nil || !bytes.Equal(got, v.Key.PKCS1) {
				t.Errorf("%s: %v", what, err)
			}
			for _, wrong := range []string{"", "wrong", p.Password + " "} {
				if got, err := OpenPEM(text, wrong); !errors.Is(err, ErrPassword) || got != nil {
					t.Errorf("%s, password %q: got %x, %v; want ErrPassword", what, wrong, got, err)
				}
			}
		}
		iv := unhex(t, p.PEM[strings.Index(p.PEM, "CFB,")+4:][:32])
		if got, err := sealPEM(v.Key.PKCS1, p.Password, iv); err != nil || got != p.PEM {
			t.Errorf("sealed as\n%s\nwant\n%s", got, p.PEM)
		}
	}
}

func TestWhatIsNoEncryptedKeyIsNotTakenForAWrongPassword(t *testing.T) {
	pem := readVectors(t).PEM[0]
	for what, text := range map[string]string{
		"nothing":            "",
		"one line":           pemBegin,
		"head and foot":      pemBegin + "\n\n\n" + pemEnd,
		"another key":        strings.ReplaceAll(pem.PEM, "RSA PRIVATE", "EC PRIVATE"),
		"foot missing":       strings.TrimSuffix(pem.PEM, pemEnd+"\r\n"),
		"not encrypted":      strings.ReplaceAll(pem.PEM, "Proc-Type: 4,ENCRYPTED\r\n", ""),
		"no DEK-Info":        pem.PEM[:strings.Index(pem.PEM, "DEK-Info")] + pem.PEM[strings.Index(pem.PEM, "\r\n\r\n"):],
		"another cipher":     strings.ReplaceAll(pem.PEM, "AES-256-CFB", "AES-256-CBC"),
		"half an IV":         pem.PEM[:strings.Index(pem.PEM, "CFB,")+20] + pem.PEM[strings.Index(pem.PEM, "CFB,")+36:],
		"IV not hexadecimal": strings.Replace(pem.PEM, "CFB,", "CFB,xy", 1),
		"damaged base64":     strings.Replace(pem.PEM, "=\r\n", "*\r\n", 1),
		"elided, as published": "-----BEGIN RSA PRIVATE KEY-----\r\nProc-Type: 4,ENCRYPTED\r\nDEK-Info: AES-256-CFB,584eb...qx32QnqI9\r\n" +
			"-----END RSA PRIVATE KEY-----",
	} {
		if text == pem.PEM {
			t.Fatalf("%s: the case changes nothing", what)
		}
		if got, err := OpenPEM(text, pem.Password); err == nil || errors.Is(err, ErrPassword) {
			t.Errorf("%s: got %x, %v; want an error that is not ErrPassword", what, got, err)
		}
	}
}

func TestThePublicHalfComesFromTheKeyItself(t *testing.T) {
	v := readVectors(t)
	if got := publicOfPKCS1(v.Key.PKCS1); !bytes.Equal(got, v.Key.SPKI) {
		t.Errorf("got %x, want %x", got, v.Key.SPKI)
	}
	for _, k := range v.Sizes {
		if got := publicOfPKCS1(k.PKCS1); !bytes.Equal(got, k.SPKI) {
			t.Errorf("%d bits: got %x, want %x", k.Bits, got, k.SPKI)
		}
	}
}

// CFB is malleable: a server that alters the key must not get a program to crash or to sign with a half-known key. The
// change is either noticed by the form of the key or refused when the key is imported.
func TestAnAlteredKeyIsNoUsableKey(t *testing.T) {
	v := readVectors(t)
	s := schemeNamed(t, "")
	pem := v.PEM[0]
	at := strings.Index(pem.PEM, "\r\n\r\n") + 4
	var noticed, refused int
	for i := at; i < len(pem.PEM)-len(pemEnd)-4; i += 23 {
		b := []byte(pem.PEM)
		switch {
		case b[i] == '\r' || b[i] == '\n' || b[i] == '=':
			continue
		case b[i] == 'A':
			b[i] = 'B'
		default:
			b[i] = 'A'
		}
		der, err := OpenPEM(string(b), pem.Password)
		if err != nil {
			noticed++
			continue
		}
		if _, err := s.ImportKey(t.Context(), der); !errors.Is(err, errDamagedKey) {
			t.Errorf("a key altered at %d: got %v, want errDamagedKey", i-at, err)
		} else {
			refused++
		}
	}
	t.Logf("%d alterations noticed by the form, %d refused at import", noticed, refused)
	if noticed+refused < 50 {
		t.Error("too few alterations were tried")
	}
}

func lowerIV(pem string) string {
	at := strings.Index(pem, "CFB,") + 4
	return pem[:at] + strings.ToLower(pem[at:at+32]) + pem[at+32:]
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	var h hexBytes
	if err := h.UnmarshalJSON([]byte(`"` + s + `"`)); err != nil {
		t.Fatal(err)
	}
	return h
}
