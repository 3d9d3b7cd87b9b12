package e2e

import (
	"crypto"
	"crypto/md5"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	hex32 = regexp.MustCompile(`^[0-9a-f]{32}$`)
	uuid4 = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
)

// verifySignature checks a request as a server must: the header against exactly the bytes of the body, with the owner's public key.
func verifySignature(publicKey string, s *sent) error {
	der, err := base64.StdEncoding.DecodeString(publicKey)
	if err != nil {
		return fmt.Errorf("the public key is not base64: %w", err)
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return fmt.Errorf("the public key: %w", err)
	}
	signature, err := base64.StdEncoding.DecodeString(s.Header.Get("Ozeki-Signature"))
	if err != nil {
		return fmt.Errorf("the signature is not base64: %w", err)
	}
	digest := sha256.Sum256(s.Body)
	return rsa.VerifyPKCS1v15(key.(*rsa.PublicKey), crypto.SHA256, digest[:], signature)
}

// What goes over the wire for an unfavorite is what the API describes, field by field, signed by the account's own key.
func TestUnfavoriteOnTheWire(t *testing.T) {
	t.Parallel()
	server := startDemo(t)
	wire := newLine(t, server.URL)
	p := newPerson(t, wire.URL)
	const email = "wendy@example.com"
	p.Visit("/")
	p.CreateAccount("Wendy Wire", email, "a long enough password")
	p.StartConversation("bob@example.com", "Bob Baker")
	p.Star("Bob Baker")
	p.SeeSettled("Bob Baker")
	p.Unstar("Bob Baker")
	p.SeeSettled("Bob Baker")

	// The account's public key and id, from the request that made it.
	created := wire.all("create")
	if len(created) < 1 {
		t.Fatal("no account was made over this line")
	}
	var account struct {
		Email, APIKey, RSAKey, PublicKey string
	}
	if err := json.Unmarshal(created[0].Body, &account); err != nil {
		t.Fatal(err)
	}
	sum := md5.Sum([]byte(email))
	user := hex.EncodeToString(sum[:])
	if account.Email != email || !strings.Contains(account.RSAKey, "DEK-Info: AES-256-CFB,") {
		t.Errorf("the account was made with %+v", account)
	}
	for _, s := range wire.all("create", "login") {
		if strings.Contains(string(s.Body), "a long enough password") {
			t.Errorf("the password goes over the wire in %s", s.Body)
		}
	}

	requests := wire.all("unfavorite")
	if len(requests) != 1 {
		t.Fatalf("%d requests for one unfavorite", len(requests))
	}
	r := requests[0]
	if r.Method != http.MethodPost || r.URI != "/ozeki/index.php?srv=chatserver&api=chatconversation" {
		t.Errorf("%s %s", r.Method, r.URI)
	}
	if v := r.Header.Get("Content-Type"); v != "application/json" {
		t.Errorf("Content-Type: %q", v)
	}
	if v := r.Header.Get("Ozeki-User"); v != user {
		t.Errorf("Ozeki-User: %q, want %q", v, user)
	}
	if v := r.Header.Get("Ozeki-Station"); !hex32.MatchString(v) {
		t.Errorf("Ozeki-Station: %q", v)
	}
	if v := r.Header.Get("Cookie"); v != "" {
		t.Errorf("Cookie: %q", v)
	}
	if err := verifySignature(account.PublicKey, r); err != nil {
		t.Errorf("Ozeki-Signature: %v", err)
	}
	changed := *r
	changed.Body = append(slices.Clone(r.Body), ' ')
	if verifySignature(account.PublicKey, &changed) == nil {
		t.Error("the signature also fits other bytes")
	}

	var body map[string]any
	if err := json.Unmarshal(r.Body, &body); err != nil {
		t.Fatal(err)
	}
	want := []string{"action", "clientversioncode", "conversationid", "requestid", "timestamp"}
	if got := slices.Sorted(maps.Keys(body)); !slices.Equal(got, want) {
		t.Errorf("the body has the fields %q, want %q", got, want)
	}
	bobSum := md5.Sum([]byte("bob@example.com"))
	ids := []string{user, hex.EncodeToString(bobSum[:])}
	slices.Sort(ids)
	conversation := md5.Sum([]byte(ids[0] + ";" + ids[1]))
	if body["action"] != "unfavorite" || body["clientversioncode"] != 3.0 || body["conversationid"] != hex.EncodeToString(conversation[:]) {
		t.Errorf("the body is %s", r.Body)
	}
	if v, _ := body["requestid"].(string); !uuid4.MatchString(v) {
		t.Errorf("requestid: %q", v)
	}
	stamp, _ := body["timestamp"].(string)
	if at, err := time.Parse("2006-01-02 15:04:05", stamp); err != nil || time.Since(at).Abs() > time.Minute {
		t.Errorf("timestamp: %q is %v from now in UTC, %v", stamp, time.Since(at), err)
	}

	// Everything else that is signed is signed well too, and no request id comes twice.
	seen := map[string]bool{}
	for _, s := range wire.all("favorite", "unfavorite", "list", "add", "download", "downloadpartial", "ticket", "useravailable") {
		if strings.Contains(s.URI, "api=chatnotification") && s.Action == "download" {
			continue // which is not signed
		}
		if err := verifySignature(account.PublicKey, s); err != nil {
			t.Errorf("%s: %v", s.Body, err)
		}
		var b struct{ RequestID string }
		_ = json.Unmarshal(s.Body, &b)
		if seen[b.RequestID] {
			t.Errorf("the request id %q comes twice", b.RequestID)
		}
		seen[b.RequestID] = true
	}
}

// What people write goes over the wire sealed only.
func TestMessagesAreSealedOnTheWire(t *testing.T) {
	t.Parallel()
	wire := newLine(t, startDemo(t).URL)
	p := newAlice(newPerson(t, wire.URL))
	p.OpenConversation("Bob Baker")
	const secret = "The-combination-is-4711"
	p.Say("Bob Baker", secret)
	p.SeeMessage(secret)
	added := wire.all("add")
	if len(added) != 1 {
		t.Fatalf("%d requests for one message", len(added))
	}
	if strings.Contains(string(added[0].Body), secret) {
		t.Errorf("the message goes over the wire in clear: %s", added[0].Body)
	}
	var body struct{ Message string }
	var message struct{ ID, Type, Created, Data string }
	if err := json.Unmarshal(added[0].Body, &body); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(body.Message), &message); err != nil {
		t.Fatalf("the message is no JSON text inside of the JSON: %v", err)
	}
	if !uuid4.MatchString(message.ID) || message.Type != "Message" || message.Data == "" {
		t.Errorf("the message is %+v", message)
	}
	if _, err := time.Parse("2006-01-02 15:04:05", message.Created); err != nil {
		t.Error(err)
	}
}
