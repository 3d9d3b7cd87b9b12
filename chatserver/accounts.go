package chatserver

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"starling/chatserver/store"
	"starling/ozeki"
)

// Limits of an account.
const (
	maxEmail = 254
	maxName  = 100
	maxPEM   = 16 << 10
)

// Accounts that may be made from one address at once, and how soon one more.
const (
	accountBurst = 50
	accountEvery = time.Minute
)

// createAccount makes an account from what the client made: it proves by its signature that it has the private key, and
// shows the server neither that nor the password. Anybody may call it. errExists: the address is taken. errAccounts: the address that the request came from has made too many. A repeat with the
// same api key and public key is answered like the first one and changes nothing.
func (s *Server) createAccount(ctx context.Context, req *request, body *ozeki.AccountCreateRequest) (any, error) {
	if !req.station.Valid() {
		return nil, errStation
	}
	email := ozeki.NormalEmail(body.Email)
	name := strings.TrimSpace(body.FullName)
	nick := strings.TrimSpace(body.Nick)
	if nick == "" {
		nick = name
	}
	switch {
	case !plausibleEmail(email):
		return nil, errInvalid.saying("This is not an email address. It looks like name@example.com.")
	case !plausibleName(name) || !plausibleName(nick):
		return nil, errInvalid.saying("The name is empty, longer than 100 characters or has characters that cannot be shown. Enter another one.")
	case !isHex64(body.APIKey):
		return nil, errInvalid.saying("The apikey is not of 64 lower-case hexadecimal digits.")
	case !plausiblePEM(body.RSAKey):
		return nil, errInvalid.saying("The rsakey is not a PEM of an RSA key encrypted with AES-256-CFB.")
	}
	key, err := importPublicKey(ctx, s.scheme, body.PublicKey)
	if err != nil {
		return nil, errInvalid.saying("The publickey is not a base64 SubjectPublicKeyInfo of an RSA key of 2048 to 4096 bits.")
	}
	if err := s.scheme.Verify(ctx, key, req.body, req.signature); err != nil {
		return nil, errSignature
	}
	if err := s.recent(req); err != nil {
		return nil, err
	}
	// Also what is refused counts: it tells who has an account here.
	if !s.made.attempt(req.remote, req.now).allowed {
		return nil, errAccounts
	}
	account := store.Account{
		UserID: ozeki.UserIDOf(email), Email: email, FullName: name, Nick: nick, APIKeyHash: hashAPIKey(body.APIKey),
		RSAKey: body.RSAKey, PublicKey: body.PublicKey, CreatedAt: req.now,
	}
	err = s.update(ctx, func(tx store.Tx) error {
		err := tx.CreateAccount(ctx, account)
		if !errors.Is(err, store.ErrExists) {
			return err
		}
		was, err := tx.Account(ctx, account.UserID)
		if err == nil && was.APIKeyHash == account.APIKeyHash && was.PublicKey == account.PublicKey {
			return nil
		}
		return errExists.saying("An account with this email address exists already. Sign in instead.")
	})
	if err != nil {
		return nil, err
	}
	return ozeki.PlainAnswer{Answer: ok}, nil
}

// plausibleEmail reports whether a text in normal form looks like an e-mail address. Only a mail to it would prove more.
func plausibleEmail(email string) bool {
	local, domain, found := strings.Cut(email, "@")
	if !found || local == "" || domain == "" || len(email) > maxEmail || len(local) > 64 || !utf8.ValidString(email) {
		return false
	}
	if strings.ContainsAny(email, " \"'(),:;<>[\\]`") || strings.Contains(domain, "@") || strings.Contains(email, "..") ||
		strings.ContainsAny(domain[:1]+domain[len(domain)-1:], ".-") {
		return false
	}
	return !strings.ContainsFunc(email, unshowable)
}

// plausibleName reports whether a trimmed text can be shown as a person's name on one line.
func plausibleName(name string) bool {
	return name != "" && utf8.RuneCountInString(name) <= maxName && !strings.ContainsFunc(name, unshowable)
}

// unshowable finds control characters, line separators, what is no character, and the marks that turn the direction of
// the text around them.
func unshowable(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == utf8.RuneError ||
		r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
}

func isHex64(s string) bool {
	_, err := hex.DecodeString(s)
	return err == nil && len(s) == 64 && strings.ToLower(s) == s
}

// plausiblePEM reports whether a text has the published form of rsakey. What is inside cannot be seen here.
func plausiblePEM(text string) bool {
	lines := strings.Split(strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n")), "\n")
	if len(text) > maxPEM || len(lines) < 5 || lines[0] != "-----BEGIN RSA PRIVATE KEY-----" || lines[len(lines)-1] != "-----END RSA PRIVATE KEY-----" {
		return false
	}
	iv, isCFB := strings.CutPrefix(lines[2], "DEK-Info: AES-256-CFB,")
	if raw, err := hex.DecodeString(iv); lines[1] != "Proc-Type: 4,ENCRYPTED" || !isCFB || err != nil || len(raw) != 16 || lines[3] != "" {
		return false
	}
	data, err := base64.StdEncoding.DecodeString(strings.Join(lines[4:len(lines)-1], ""))
	return err == nil && len(data) >= 1000 // an RSA key of 2048 bits has some 1190 bytes
}
