package chatserver

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"starling/chatserver/store"
	"starling/ozeki"
)

func TestAPersonCreatesAnAccountAndSignsIn(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	c := ozeki.NewClient(ozeki.Options{Base: f.http.URL + testPath, Clock: f.clock.now})
	station := ozeki.NewStationID()
	cred, err := c.Scheme().Credentials(ctx, "Ágnes@Example.com ", "long enough password")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.SignIn(ctx, station, cred.APIKey, cred.EncryptionPassword); !errors.Is(err, ozeki.ErrLogin) {
		t.Errorf("before: %v", err)
	}
	if err := c.CreateAccount(ctx, station, "Ágnes@Example.com ", " Ágnes Szabó ", cred); err != nil {
		t.Fatal(err)
	}
	a, err := c.SignIn(ctx, station, cred.APIKey, cred.EncryptionPassword)
	if err != nil {
		t.Fatal(err)
	}
	if a.FullName != "Ágnes Szabó" || a.Nick != "Ágnes Szabó" || a.UserID != ozeki.UserIDOf("ágnes@example.com") ||
		a.Server != "2.0.0" || a.Registration != "true" || len(a.Listeners) != 1 || a.Listeners["ws"] != strings.Replace(f.http.URL, "http", "ws", 1)+testListener {
		t.Errorf("%+v", a)
	}
	for _, e := range []string{ozeki.ExtRequestID, ozeki.ExtCursor, ozeki.ExtListOf, ozeki.ExtListSince, ozeki.ExtListPage, ozeki.ExtSender, ozeki.ExtLogout, ozeki.ExtFriendAdd, ozeki.ExtConversationCreate,
		ozeki.ExtTicket, ozeki.ExtTyping, ozeki.ExtAway} {
		if !c.Session().Has(e) {
			t.Errorf("extension %s is not named", e)
		}
	}
	for _, name := range []string{"login", "availability", "friends", "conversation", "notification"} {
		if want := f.http.URL + testPath + "?srv=chatserver&api=chat" + name; a.URLs[name] != want {
			t.Errorf("url of %s is %q, want %q", name, a.URLs[name], want)
		}
	}
	list, err := c.Conversations(ctx)
	if err != nil || len(list) != 0 {
		t.Errorf("%v %v", list, err)
	}
	// The address is taken now, in every spelling, and the first account stays.
	if err := c.CreateAccount(ctx, station, "ÁGNES@example.com", "Other", cred); !errors.Is(err, ozeki.ErrExists) || !strings.Contains(err.Error(), "Sign in instead") {
		t.Errorf("second account: %v", err)
	}
	other := cred
	other.APIKey = hashAPIKey("other")
	if err := c.CreateAccount(ctx, station, "ágnes@example.com", "Other", other); !errors.Is(err, ozeki.ErrExists) {
		t.Errorf("second account: %v", err)
	}
	if _, err := c.SignIn(ctx, station, cred.APIKey, cred.EncryptionPassword); err != nil {
		t.Error(err)
	}
	stored, err := f.store.Account(ctx, a.UserID)
	if err != nil || strings.Contains(stored.APIKeyHash, cred.APIKey) || stored.APIKeyHash == cred.APIKey {
		t.Errorf("the api key is stored: %v", err)
	}
}

func TestAnAccountIsCheckedBeforeItIsMade(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	keys := testKeys()
	pem, err := ozeki.SealPEM(keys[0].pkcs1, "x")
	if err != nil {
		t.Fatal(err)
	}
	public := base64.StdEncoding.EncodeToString(keys[0].spki)
	good := map[string]string{"email": "carol@example.com", "fullname": "Carol", "apikey": hashAPIKey("carol"), "rsakey": pem, "publickey": public}
	create := func(change map[string]string, signer testKey) answer {
		t.Helper()
		var fields []string
		for name, value := range good {
			if changed, ok := change[name]; ok {
				value = changed
			}
			fields = append(fields, field(name, value))
		}
		body := f.body(ozeki.CallAccountCreate, fields...)
		signature, err := scheme.Sign(ctx, signer.private, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		station := string(ozeki.NewStationID())
		if s, ok := change["station"]; ok {
			station = s
		}
		return f.send(raw{http.MethodPost, ozeki.CallAccountCreate.Query(), body, map[string]string{
			"Content-Type": "application/json", ozeki.HeaderStation: station, ozeki.HeaderSignature: signature,
		}})
	}
	for text, kind := range map[string]string{smallKey: "*rsa.PublicKey", ellipticKey: "*ecdsa.PublicKey"} { // good ones of their kind
		der, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		if key, err := x509.ParsePKIXPublicKey(der); err != nil || fmt.Sprintf("%T", key) != kind {
			t.Errorf("%T %v", key, err)
		}
	}
	for _, c := range []struct{ name, value string }{
		{"email", ""}, {"email", "carol"}, {"email", "@example.com"}, {"email", "carol@"}, {"email", "carol@a@b"},
		{"email", "carol <carol@example.com>"}, {"email", "carol@exam\u0000ple.com"}, {"email", "ca rol@example.com"}, {"email", "carol@example..com"},
		{"email", "carol@.example.com"}, {"email", "carol@example.com."}, {"email", strings.Repeat("a", 65) + "@example.com"},
		{"email", "a@" + strings.Repeat("a", 250) + ".com"}, {"email", "carol\u202e@example.com"}, {"email", "carol\n@example.com"},
		{"fullname", ""}, {"fullname", "  "}, {"fullname", strings.Repeat("é", 101)}, {"fullname", "a\u0000b"}, {"fullname", "a\nb"},
		{"fullname", "\u202eevil"}, {"fullname", "a\u2028b"}, {"fullname", "a\u2066b"},
		{"apikey", ""}, {"apikey", strings.Repeat("a", 63)}, {"apikey", strings.Repeat("A", 64)}, {"apikey", strings.Repeat("g", 64)}, {"apikey", strings.Repeat("a", 66)},
		{"rsakey", ""}, {"rsakey", "-----BEGIN RSA PRIVATE KEY-----\n-----END RSA PRIVATE KEY-----"}, {"rsakey", strings.Replace(pem, "AES-256-CFB", "AES-128-CBC", 1)},
		{"rsakey", strings.Replace(pem, "4,ENCRYPTED", "4,CLEAR", 1)}, {"rsakey", strings.Replace(pem, "CFB,", "CFB,0", 1)}, {"rsakey", strings.Repeat(pem, 20)},
		{"rsakey", strings.Replace(pem, "RSA PRIVATE", "PRIVATE", 2)}, {"rsakey", pem[:200] + "\r\n-----END RSA PRIVATE KEY-----"},
		{"publickey", ""}, {"publickey", "AAAA"}, {"publickey", "not base64"}, {"publickey", smallKey}, {"publickey", ellipticKey},
		{"station", ""}, {"station", "x"},
	} {
		if a := create(map[string]string{c.name: c.value}, keys[0]); a.ErrorCode != ozeki.CodeInvalid {
			t.Errorf("%s %.40q: %s", c.name, c.value, a.body)
		}
	}
	create(nil, keys[1]).want(t, ozeki.CodeSignature)
	create(map[string]string{"publickey": base64.StdEncoding.EncodeToString(keys[1].spki)}, keys[0]).want(t, ozeki.CodeSignature)
	if _, err := f.store.AccountByEmail(ctx, good["email"]); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an account was made: %v", err)
	}
	create(nil, keys[0]).want(t, "")
	create(nil, keys[0]).want(t, "") // the same once more
	create(map[string]string{"apikey": hashAPIKey("other")}, keys[0]).want(t, ozeki.CodeExists)
	create(map[string]string{"publickey": base64.StdEncoding.EncodeToString(keys[1].spki)}, keys[1]).want(t, ozeki.CodeExists)
	create(map[string]string{"email": "dave@example.com"}, keys[0]).want(t, ozeki.CodeExists) // an api key is one person's
	for _, name := range []string{strings.Repeat("é", 100), "ليلى حداد", "Sunny 🌻", "O’Neill"} {
		if !plausibleName(name) {
			t.Errorf("the name %q is refused", name)
		}
	}
}

// The sign-in form has the same rule: its story in e2e reads the same list.
func TestWhatIsAnEmailAddress(t *testing.T) {
	raw, err := os.ReadFile("testdata/emails.json")
	if err != nil {
		t.Fatal(err)
	}
	var list struct{ Good, Bad []string }
	if err := json.Unmarshal(raw, &list); err != nil {
		t.Fatal(err)
	}
	for _, email := range list.Good {
		if !plausibleEmail(ozeki.NormalEmail(email)) {
			t.Errorf("%q is refused", email)
		}
	}
	for _, email := range list.Bad {
		if plausibleEmail(ozeki.NormalEmail(email)) {
			t.Errorf("%q is taken", email)
		}
	}
}

// An RSA key of 1024 bits and one on an elliptic curve.
const (
	smallKey    = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCqnGwMIPIIMl0c/bqrFKQpGmetsrzK1eEQljBmlmmMe4nvN3+oVZp9W/+9ABThSqkzmjQykAQ3ZCvUig1gxC4T0S8nfXT6XGyT89J3f+u7/v8JA67FXY6M4Lt8Y1OLlBE2pn0iiCjctqBWQblRaXS2GTUc9nClc0Uua4ZC/NSmHwIDAQAB"
	ellipticKey = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEv+AsX5q87EnY81lYNHVt5wyMiq91HXc1dbVp5JTAg62pujXu/38Je9s1NIZQD9cANXIRr7KbICxxzrL78qIuCg=="
)

func TestCreatingAnAccountWithAStaleClockIsRefused(t *testing.T) {
	f := newFixture(t)
	c := ozeki.NewClient(ozeki.Options{Base: f.http.URL + testPath, Clock: func() time.Time { return f.clock.now().Add(time.Hour) }})
	cred := ozeki.Credentials{APIKey: hashAPIKey("x"), EncryptionPassword: "x"}
	if err := c.CreateAccount(t.Context(), ozeki.NewStationID(), "carol@example.com", "Carol", cred); err != nil {
		t.Errorf("the client did not correct itself: %v", err)
	}
	if c.ClockOffset() == 0 {
		t.Error("the clock was not refused")
	}
}

func TestTheStationIsOneUsers(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	if _, err := bob.Login(ctx, alice.station, bob.apiKey); err == nil || !strings.Contains(err.Error(), "Another account is signed in") {
		t.Errorf("Bob on Alice's station: %v", err)
	}
	if _, err := alice.Login(ctx, alice.station, alice.apiKey); err != nil {
		t.Errorf("Alice once more: %v", err)
	}
	if err := alice.Logout(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := alice.Friends(ctx); !errors.Is(err, ozeki.ErrSignature) {
		t.Errorf("after signing out: %v", err)
	}
	if _, err := alice.Notification(ctx, 0); !errors.Is(err, ozeki.ErrSignature) {
		t.Errorf("after signing out: %v", err)
	}
	if _, err := bob.Login(ctx, alice.station, bob.apiKey); err != nil {
		t.Errorf("Bob after Alice: %v", err)
	}
}

func TestGuessingIsSlowedDownWithoutLockingOutTheOwner(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	alice := f.user("Alice", 0)
	station := ozeki.NewStationID()
	guess := func() error {
		_, err := alice.Login(ctx, station, hashAPIKey("guess"))
		return err
	}
	for i := range 30 {
		if _, err := alice.Login(ctx, alice.station, alice.apiKey); err != nil {
			t.Fatalf("success %d: %v", i, err)
		}
	}
	for i := range failureBurst {
		if err := guess(); !errors.Is(err, ozeki.ErrLogin) {
			t.Fatalf("guess %d: %v", i, err)
		}
	}
	a := f.send(raw{http.MethodPost, ozeki.CallLogin.Query(), `{"action":"login","apikey":"` + hashAPIKey("guess") + `"}`, map[string]string{
		"Content-Type": "application/json", ozeki.HeaderStation: string(station),
	}}).want(t, ozeki.CodeLimit)
	if a.http != http.StatusTooManyRequests {
		t.Errorf("HTTP %d", a.http)
	}
	if _, err := alice.Friends(ctx); err != nil {
		t.Errorf("who is signed in is held up: %v", err)
	}
	f.clock.move(failureEvery)
	if _, err := alice.Login(ctx, alice.station, alice.apiKey); err != nil {
		t.Errorf("the owner a little later: %v", err)
	}
	if err := guess(); !errors.Is(err, ozeki.ErrLogin) {
		t.Errorf("one more guess: %v", err)
	}
	if err := guess(); !errors.Is(err, ozeki.ErrUnavailable) {
		t.Errorf("and another one: %v", err)
	}
}

func TestAnAddressMakesOnlySoManyAccounts(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	f.srv.made = failures{burst: 2, every: accountEvery}
	c := ozeki.NewClient(ozeki.Options{Base: f.http.URL + testPath, Clock: f.clock.now})
	cred, err := c.Scheme().Credentials(ctx, "a@example.com", "long enough password")
	if err != nil {
		t.Fatal(err)
	}
	create := func(email string) error { return c.CreateAccount(ctx, ozeki.NewStationID(), email, "Somebody", cred) }
	if err := create("a@example.com"); err != nil {
		t.Fatal(err)
	}
	if err := create("a@example.com"); !errors.Is(err, ozeki.ErrExists) { // which tells that there is one
		t.Errorf("the second: %v", err)
	}
	cred.APIKey = hashAPIKey("another")
	if err := create("b@example.com"); !errors.Is(err, ozeki.ErrUnavailable) || !strings.Contains(err.Error(), "Many accounts") {
		t.Errorf("the third: %v", err)
	}
	f.clock.move(accountEvery)
	if err := create("b@example.com"); err != nil {
		t.Errorf("a minute later: %v", err)
	}
}

func TestTheMemoryOfFailuresIsBounded(t *testing.T) {
	var f failures
	now := time.Unix(1_000_000, 0)
	for i := range maxAddresses {
		f.attempt(strings.Repeat("x", i%7)+time.Duration(i).String(), now)
	}
	if !f.attempt("late", now).allowed || len(f.by) != maxAddresses {
		t.Errorf("%d addresses", len(f.by))
	}
	for range failureBurst {
		f.attempt("later still", now)
	}
	if f.attempt("last", now).allowed {
		t.Error("who finds no place is not limited")
	}
	f.attempt("much later", now.Add(time.Hour))
	if len(f.by) != 1 {
		t.Errorf("%d addresses are kept", len(f.by))
	}
}
