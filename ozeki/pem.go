package ozeki

import (
	"crypto/aes"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
)

const (
	pemBegin = "-----BEGIN RSA PRIVATE KEY-----"
	pemEnd   = "-----END RSA PRIVATE KEY-----"
)

// OpenPEM decrypts the rsakey of a login answer: a traditional PEM with DEK-Info AES-256-CFB (published), as
// `openssl rsa -traditional -aes-256-cfb` writes it. It returns the private key as PKCS#1 DER. ErrPassword says that the
// password does not open it; any other error that the text is not such a PEM. Line ends may be CRLF or LF.
func OpenPEM(text, password string) (pkcs1 []byte, err error) {
	lines := strings.Split(strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n")), "\n")
	if len(lines) < 4 || strings.TrimSpace(lines[0]) != pemBegin || strings.TrimSpace(lines[len(lines)-1]) != pemEnd {
		return nil, fmt.Errorf("the key is not an RSA PRIVATE KEY in PEM form")
	}
	var iv []byte
	var encrypted bool
	var b64 strings.Builder
	for _, line := range lines[1 : len(lines)-1] {
		line = strings.TrimSpace(line)
		name, value, isHeader := strings.Cut(line, ":")
		switch value = strings.TrimSpace(value); {
		case !isHeader:
			b64.WriteString(line)
		case name == "Proc-Type":
			encrypted = value == "4,ENCRYPTED"
		case name == "DEK-Info":
			cipher, hexIV, _ := strings.Cut(value, ",")
			if cipher != "AES-256-CFB" {
				return nil, fmt.Errorf("the key is encrypted with %s; only AES-256-CFB is supported", cipher)
			}
			if iv, err = hex.DecodeString(hexIV); err != nil || len(iv) != aes.BlockSize {
				return nil, fmt.Errorf("the key's DEK-Info has no initialisation vector of 32 hex digits")
			}
		}
	}
	if !encrypted || iv == nil {
		return nil, fmt.Errorf("the key is not encrypted as expected (Proc-Type and DEK-Info are missing)")
	}
	data, err := base64.StdEncoding.DecodeString(b64.String())
	if err != nil || len(data) == 0 {
		return nil, fmt.Errorf("the key's base64 is damaged")
	}
	if err := cfb(data, pemKey(password, iv), iv, false); err != nil {
		return nil, err
	}
	if !looksLikePKCS1(data) {
		return nil, ErrPassword
	}
	return data, nil
}

// SealPEM encrypts a private key (PKCS#1 DER) with the password in the form that OpenPEM and OpenSSL read, CRLF line ends.
func SealPEM(pkcs1 []byte, password string) (string, error) {
	iv, err := randomBytes(aes.BlockSize)
	if err != nil {
		return "", err
	}
	return sealPEM(pkcs1, password, iv)
}

func sealPEM(pkcs1 []byte, password string, iv []byte) (string, error) {
	data := append([]byte(nil), pkcs1...)
	if err := cfb(data, pemKey(password, iv), iv, true); err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString(pemBegin + "\r\nProc-Type: 4,ENCRYPTED\r\nDEK-Info: AES-256-CFB," + strings.ToUpper(hex.EncodeToString(iv)) + "\r\n\r\n")
	text := base64.StdEncoding.EncodeToString(data)
	for len(text) > 64 {
		b.WriteString(text[:64] + "\r\n")
		text = text[64:]
	}
	b.WriteString(text + "\r\n" + pemEnd + "\r\n")
	return b.String(), nil
}

// pemKey is OpenSSL's EVP_BytesToKey with MD5, one round, and the first 8 bytes of the IV as salt.
func pemKey(password string, iv []byte) []byte {
	var key, last []byte
	for len(key) < 32 {
		h := md5.New()
		h.Write(last)
		h.Write([]byte(password))
		h.Write(iv[:8])
		last = h.Sum(nil)
		key = append(key, last...)
	}
	return key[:32]
}

// cfb en- or decrypts data in place with AES-256 in full-block cipher feedback mode (NIST SP 800-38A, 6.3). It is
// written out because the standard library deprecates its own, and to keep the block modes out of the browser's bundle.
func cfb(data, key, iv []byte, encrypt bool) error {
	block, err := aes.NewCipher(key)
	if err != nil {
		return err
	}
	feedback := append([]byte(nil), iv...)
	stream := make([]byte, aes.BlockSize)
	for len(data) > 0 {
		block.Encrypt(stream, feedback)
		n := min(len(data), aes.BlockSize)
		for i := 0; i < n; i++ {
			c := data[i]
			data[i] ^= stream[i]
			if encrypt {
				c = data[i]
			}
			feedback[i] = c
		}
		data = data[n:]
	}
	return nil
}

// looksLikePKCS1 tells a decrypted key from noise: one DER SEQUENCE that spans the data and begins with version 0 and a
// positive INTEGER.
func looksLikePKCS1(der []byte) bool {
	body, rest, ok := derValue(der, 0x30)
	if !ok || len(rest) != 0 {
		return false
	}
	version, body, ok := derValue(body, 0x02)
	if !ok || len(version) != 1 || version[0] != 0 {
		return false
	}
	for i := 0; i < 8; i++ { // n, e, d, p, q, dP, dQ, qInv
		if _, body, ok = derValue(body, 0x02); !ok {
			return false
		}
	}
	return len(body) == 0
}

// derValue reads one DER value of the given tag and returns its content and what follows it.
func derValue(b []byte, tag byte) (content, rest []byte, ok bool) {
	if len(b) < 2 || b[0] != tag {
		return nil, nil, false
	}
	n, b := int(b[1]), b[2:]
	if n >= 0x80 {
		size := n & 0x7f
		if size == 0 || size > 3 || len(b) < size {
			return nil, nil, false
		}
		n = 0
		for _, c := range b[:size] {
			n = n<<8 | int(c)
		}
		b = b[size:]
	}
	if n > len(b) {
		return nil, nil, false
	}
	return b[:n], b[n:], true
}

// publicOfPKCS1 returns the public half of a private key (PKCS#1 DER that looksLikePKCS1) as DER SubjectPublicKeyInfo.
func publicOfPKCS1(der []byte) []byte {
	body, _, _ := derValue(der, 0x30)
	_, body, _ = derValue(body, 0x02) // version
	n, body, _ := derValue(body, 0x02)
	e, _, _ := derValue(body, 0x02)
	key := derWrap(0x30, append(derWrap(0x02, n), derWrap(0x02, e)...))
	rsaEncryption := []byte{0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00}
	return derWrap(0x30, append(rsaEncryption, derWrap(0x03, append([]byte{0}, key...))...))
}

// derWrap writes one DER value.
func derWrap(tag byte, content []byte) []byte {
	n := len(content)
	var head []byte
	switch {
	case n < 0x80:
		head = []byte{tag, byte(n)}
	case n < 0x100:
		head = []byte{tag, 0x81, byte(n)}
	default:
		head = []byte{tag, 0x82, byte(n >> 8), byte(n)}
	}
	return append(head, content...)
}
