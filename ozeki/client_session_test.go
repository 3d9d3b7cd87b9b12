//go:build !js

package ozeki

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"starling/ozeki/ozekitest"
)

func TestAServerThatDoesNotAnswerIsUnreachable(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refusing := "http://" + listener.Addr().String() + "/index.php"
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	faulty := httptest.NewServer(ozekitest.Handler())
	defer faulty.Close()
	for what, base := range map[string]string{
		"refused connection": refusing,
		"time out":           faulty.URL + ozekitest.Path + "never",
		"cut in the middle":  faulty.URL + ozekitest.Path + "cut",
	} {
		c := NewClient(Options{Base: base, Timeout: 50 * time.Millisecond})
		key, _ := testKeys(t, c.Scheme())
		c.SetSession(&Session{UserID: testUser, Station: testStation, Key: key})
		start := time.Now()
		for _, m := range methods[:3] {
			err := m.do(t.Context(), c)
			if !errors.Is(err, ErrUnreachable) || errors.Is(err, ErrUnavailable) || errors.Is(err, ErrNotJSON) {
				t.Errorf("%s, %s: got %v, want ErrUnreachable", m.call.Name, what, err)
			}
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("%s: it took %v to notice", what, took)
		}
	}
}

func TestARedirectIsNeverFollowed(t *testing.T) {
	elsewhere := newFakeServer(t, saying(plainOK))
	f := newFakeServer(t, func(w http.ResponseWriter, r received) {
		w.Header().Set("Location", elsewhere.base())
		w.WriteHeader(http.StatusTemporaryRedirect)
	})
	if err := f.signedIn(t).Availability(t.Context()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
	if got := elsewhere.received(); len(got) != 0 {
		t.Errorf("the signed request went on to another place: %v", got)
	}
}

// strictClock refuses what is stamped more than five minutes off the server's clock.
func strictClock(now time.Time, answer string) func(http.ResponseWriter, received) {
	return func(w http.ResponseWriter, r received) {
		w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
		stamp, _ := r.fields["timestamp"].(string)
		sent, err := ParseTime(stamp)
		if r.header.Get(HeaderSignature) != "" && (err != nil || now.Sub(sent.Time).Abs() > 5*time.Minute) {
			answer := `{"status":"ERROR","errormessage":"stale","errorcode":"clock"}`
			_, _ = io.WriteString(w, answer)
			return
		}
		_, _ = io.WriteString(w, answer)
	}
}

func TestAWrongClockIsCorrectedOnceFromTheServers(t *testing.T) {
	server := time.Date(2024, 3, 8, 12, 0, 0, 0, time.UTC)
	for _, off := range []time.Duration{3 * time.Hour, -3 * time.Hour, 400 * 24 * time.Hour, 6 * time.Minute} {
		f := newFakeServer(t, strictClock(server, conversationOK))
		c := NewClient(Options{Base: f.base(), Clock: func() time.Time { return server.Add(off) }})
		key, public := testKeys(t, c.Scheme())
		c.SetSession(&Session{UserID: testUser, Station: testStation, Key: key, Extensions: []string{ExtRequestID}})
		ctx := WithRequestID(t.Context(), "7d444840-9dc0-41d1-b245-5ffdce74fad2")
		if _, err := c.Favorite(ctx, testChat); err != nil {
			t.Fatalf("%v off: %v", off, err)
		}
		got := f.received()
		if len(got) != 2 {
			t.Fatalf("%v off: %d requests, want the refused one and the corrected one", off, len(got))
		}
		if stamp := got[1].fields["timestamp"]; stamp != TimeOf(server).String() {
			t.Errorf("%v off: the second request is stamped %v", off, stamp)
		}
		if got[0].fields["requestid"] != got[1].fields["requestid"] {
			t.Errorf("%v off: the request changed its id", off)
		}
		if err := c.Scheme().Verify(t.Context(), public, []byte(got[1].body), got[1].header.Get(HeaderSignature)); err != nil {
			t.Errorf("%v off: the second request: %v", off, err)
		}
		if c.Now().Sub(server).Abs() > time.Second || (c.ClockOffset()+off).Abs() > time.Second {
			t.Errorf("%v off: the client believes in %v, an offset of %v", off, c.Now(), c.ClockOffset())
		}
		if _, err := c.Unfavorite(t.Context(), testChat); err != nil || len(f.received()) != 3 {
			t.Errorf("%v off: the next call took %d requests, %v", off, len(f.received())-2, err)
		}
	}
}

func TestAServerThatRefusesEveryClockIsNotAskedForEver(t *testing.T) {
	f := newFakeServer(t, saying(`{"status":"ERROR","errorcode":"clock"}`))
	c := f.signedIn(t)
	if _, err := c.Favorite(t.Context(), testChat); !errors.Is(err, ErrClock) || !errors.Is(err, ErrRefused) {
		t.Errorf("got %v, want ErrClock", err)
	}
	if got := len(f.received()); got != 2 {
		t.Errorf("%d requests, want 2", got)
	}
	if _, err := c.Notification(t.Context(), 0); !errors.Is(err, ErrClock) || len(f.received()) != 3 {
		t.Errorf("an unsigned call: %v, %d requests", err, len(f.received())-2)
	}
}

func TestASmallDifferenceOfClocksIsLeftAlone(t *testing.T) {
	now := time.Date(2024, 3, 8, 12, 0, 0, 0, time.UTC)
	f := newFakeServer(t, func(w http.ResponseWriter, _ received) {
		w.Header().Set("Date", now.Add(-1500*time.Millisecond).Format(http.TimeFormat))
		_, _ = io.WriteString(w, plainOK)
	})
	c := NewClient(Options{Base: f.base(), Clock: func() time.Time { return now }})
	if _, err := c.Notification(t.Context(), 0); err != nil || c.ClockOffset() != 0 || !c.Now().Equal(now) {
		t.Errorf("offset %v, %v", c.ClockOffset(), err)
	}
}

// replaying refuses the first request and every repeat of its id.
func replaying(answer string) func(http.ResponseWriter, received) {
	var mu sync.Mutex
	seen := map[any]bool{}
	first := true
	return func(w http.ResponseWriter, r received) {
		mu.Lock()
		defer mu.Unlock()
		id := r.fields["requestid"]
		if first || seen[id] {
			answer := `{"status":"ERROR","errorcode":"replayed"}`
			_, _ = io.WriteString(w, answer)
		} else {
			_, _ = io.WriteString(w, answer)
		}
		first, seen[id] = false, true
	}
}

func TestAReadThatLooksReplayedIsSignedAnew(t *testing.T) {
	f := newFakeServer(t, replaying(plainOK))
	// Even where the caller named the request: the id is what is refused.
	ctx := WithRequestID(t.Context(), "7d444840-9dc0-41d1-b245-5ffdce74fad2")
	if _, err := f.signedIn(t, ExtRequestID).Conversations(ctx); err != nil {
		t.Fatal(err)
	}
	got := f.received()
	if len(got) != 2 || got[0].fields["requestid"] == got[1].fields["requestid"] ||
		got[0].header.Get(HeaderSignature) == got[1].header.Get(HeaderSignature) {
		t.Errorf("got %v", got)
	}
}

func TestAChangeThatLooksReplayedIsNotSentUnderAnotherName(t *testing.T) {
	f := newFakeServer(t, replaying(conversationOK))
	if _, err := f.signedIn(t, ExtRequestID).Favorite(t.Context(), testChat); !errors.Is(err, ErrReplayed) {
		t.Errorf("got %v, want ErrReplayed", err)
	}
	f.only(t)
}

func TestARepeatOfAChangeKeepsItsName(t *testing.T) {
	f := newFakeServer(t, saying(conversationOK))
	c := f.signedIn(t, ExtRequestID)
	const id = "7d444840-9dc0-41d1-b245-5ffdce74fad2"
	ctx := WithRequestID(t.Context(), id)
	for range 2 {
		if _, err := c.Unfavorite(ctx, testChat); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Unfavorite(t.Context(), testChat); err != nil {
		t.Fatal(err)
	}
	got := f.received()
	if len(got) != 3 || got[0].fields["requestid"] != id || got[1].fields["requestid"] != id || got[2].fields["requestid"] == id {
		t.Errorf("got %v", got)
	}
	// A server that does not know the extension is not told.
	plain := newFakeServer(t, saying(conversationOK))
	if _, err := plain.signedIn(t).Unfavorite(ctx, testChat); err != nil || plain.only(t).fields["requestid"] != nil {
		t.Errorf("%v, %v", plain.received(), err)
	}
}

func TestTheLoginsURLsAreTakenOnlyOnTheSameOrigin(t *testing.T) {
	f := newFakeServer(t, saying(conversationOK))
	port := f.URL[strings.LastIndex(f.URL, ":"):]
	published := "/ozeki/index.php" + CallFavorite.Query()
	for url, want := range map[string]string{
		f.URL + "/other.php?srv=x":                      "/other.php?srv=x",
		"":                                              published,
		"http://localhost/ozeki/index.php?srv=x":        published,
		"http://localhost" + port + "/other.php":        published,
		"https://127.0.0.1" + port + "/other.php":       published,
		"http://127.0.0.1/other.php":                    published,
		"http://127.0.0.1" + port + ".evil.example/x":   published,
		"http://127.0.0.1" + port + "@evil.example/x":   published,
		"//evil.example/x":                              published,
		"/relative.php":                                 published,
		"javascript:alert(1)":                           published,
		"http://evil.example/?http://127.0.0.1" + port:  published,
		"http://user:secret@127.0.0.1" + port + "/x":    published,
		"http://[::1" + port + "/x":                     published,
		"http:\\\\evil.example\\127.0.0.1" + port + "/": published,
	} {
		c := f.signedIn(t)
		s := *c.Session()
		s.URLs = map[string]string{"conversation": url, "friends": f.URL + "/friends.php"}
		c.SetSession(&s)
		before := len(f.received())
		if _, err := c.Favorite(t.Context(), testChat); err != nil {
			t.Errorf("%q: %v", url, err)
		}
		got := f.received()[before:]
		if len(got) != 1 || got[0].path != want {
			t.Errorf("%q: went to %v, want %s", url, got, want)
		}
	}
}

func loginAnswer(t *testing.T, change func(*LoginAnswer)) string {
	t.Helper()
	a := LoginAnswer{Answer: Answer{Status: StatusOK}, UserID: testUser, RSAKey: readVectors(t).PEM[0].PEM, FullName: "Ozeki Alice",
		Extensions: []string{ExtRequestID}, URLs: map[string]string{}}
	if change != nil {
		change(&a)
	}
	text, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestSigningInGivesASessionThatSigns(t *testing.T) {
	f := newFakeServer(t, saying(loginAnswer(t, nil)))
	c := NewClient(Options{Base: f.base()})
	answer, err := c.SignIn(t.Context(), testStation, "key", "example")
	if err != nil || answer.FullName != "Ozeki Alice" {
		t.Fatal(answer, err)
	}
	s := c.Session()
	if s.UserID != testUser || s.Station != testStation || !s.Has(ExtRequestID) || s.Has(ExtCursor) ||
		!bytes.Equal(unbase64(t, s.PublicKey), readVectors(t).Key.SPKI) {
		t.Errorf("session %+v", s)
	}
	if err := c.Availability(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := f.received()[1]
	_, public := testKeys(t, c.Scheme())
	if err := c.Scheme().Verify(t.Context(), public, []byte(r.body), r.header.Get(HeaderSignature)); err != nil {
		t.Error(err)
	}
	if login := f.received()[0]; strings.Contains(login.body, "example") || len(login.fields) != 2 {
		t.Errorf("the login says %s", login.body)
	}
	c.SetSession(nil)
	if err := c.Availability(t.Context()); !errors.Is(err, ErrSignature) || len(f.received()) != 2 {
		t.Errorf("signed out: %v after %d requests", err, len(f.received()))
	}
}

func TestASessionThatIsNotHeldAnyMoreCanBeSignedOut(t *testing.T) {
	f := newFakeServer(t, saying(plainOK))
	c := f.signedIn(t, ExtLogout)
	left := c.Session()
	c.SetSession(nil)
	if err := c.LogoutSession(t.Context(), left); err != nil {
		t.Fatal(err)
	}
	r := f.only(t)
	_, public := testKeys(t, c.Scheme())
	if err := c.Scheme().Verify(t.Context(), public, []byte(r.body), r.header.Get(HeaderSignature)); err != nil {
		t.Error(err)
	}
	if r.path != "/ozeki/index.php"+CallLogout.Query() || r.fields["action"] != "logout" || r.header.Get(HeaderUser) != string(testUser) || c.Session() != nil {
		t.Errorf("got %+v", r)
	}
}

func TestAFailedSignInChangesNothing(t *testing.T) {
	vectors := readVectors(t)
	for what, c := range map[string]struct {
		answer, password string
		want             error
	}{
		"wrong password":     {loginAnswer(t, nil), "wrong", ErrPassword},
		"unknown api key":    {`{"status":"ERROR","errormessage":"no","errorcode":"login"}`, "example", ErrLogin},
		"no user id":         {loginAnswer(t, func(a *LoginAnswer) { a.UserID = "" }), "example", ErrNotJSON},
		"malformed user id":  {loginAnswer(t, func(a *LoginAnswer) { a.UserID = "../../" }), "example", ErrNotJSON},
		"no key":             {loginAnswer(t, func(a *LoginAnswer) { a.RSAKey = "" }), "example", nil},
		"an altered key":     {loginAnswer(t, func(a *LoginAnswer) { a.RSAKey = pemOf(t, flipped(vectors.Key.PKCS1, 100)) }), "example", ErrPassword},
		"a key of 1024 bits": {loginAnswer(t, func(a *LoginAnswer) { a.RSAKey = pemOf(t, vectors.Sizes[0].PKCS1) }), "example", nil},
		"a proxy's page":     {`<html>`, "example", ErrNotJSON},
	} {
		f := newFakeServer(t, saying(c.answer))
		client := f.signedIn(t)
		before := client.Session()
		answer, err := client.SignIn(t.Context(), testStation, "key", c.password)
		if err == nil || answer != nil || (c.want != nil && !errors.Is(err, c.want)) || (c.want == nil && errors.Is(err, ErrPassword)) {
			t.Errorf("%s: got %v, %v; want %v", what, answer, err, c.want)
		}
		if client.Session() != before {
			t.Errorf("%s: the session changed", what)
		}
	}
}

func pemOf(t *testing.T, pkcs1 []byte) string {
	t.Helper()
	pem, err := SealPEM(pkcs1, "example")
	if err != nil {
		t.Fatal(err)
	}
	return pem
}

func TestANewAccountShowsTheServerNoSecret(t *testing.T) {
	f := newFakeServer(t, saying(plainOK))
	c := NewClient(Options{Base: f.base()})
	const password = "correct horse battery staple"
	cred, err := credentials(t.Context(), "alice@example.com", password, 1000)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.CreateAccount(t.Context(), testStation, " Alice@Example.com", "Alice", cred); err != nil {
		t.Fatal(err)
	}
	r := f.only(t)
	var request AccountCreateRequest
	if err := json.Unmarshal([]byte(r.body), &request); err != nil {
		t.Fatal(err)
	}
	if request.Action != "create" || request.Email != "alice@example.com" || request.FullName != "Alice" ||
		request.APIKey != cred.APIKey || request.RequestID == "" || request.Timestamp.IsZero() {
		t.Errorf("got %s", r.body)
	}
	if r.header.Get(HeaderStation) != string(testStation) || len(r.header.Values(HeaderUser)) != 0 || r.path != "/ozeki/index.php"+CallAccountCreate.Query() {
		t.Errorf("got %s with %v", r.path, r.header)
	}
	public, err := c.Scheme().ImportPublicKey(t.Context(), unbase64(t, request.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Scheme().Verify(t.Context(), public, []byte(r.body), r.header.Get(HeaderSignature)); err != nil {
		t.Errorf("not signed with the new key: %v", err)
	}
	der, err := OpenPEM(request.RSAKey, cred.EncryptionPassword)
	if err != nil {
		t.Fatal(err)
	}
	private, err := c.Scheme().ImportKey(t.Context(), der)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := c.Scheme().Sign(t.Context(), private, []byte(requestBody))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Scheme().Verify(t.Context(), public, []byte(requestBody), signature); err != nil {
		t.Errorf("the two halves of the key differ: %v", err)
	}
	everything, err := json.Marshal(r.header)
	if err != nil {
		t.Fatal(err)
	}
	everything = append(everything, r.body...)
	for what, secret := range map[string][]byte{
		"password": []byte(password), "encryption password": []byte(cred.EncryptionPassword), "private key": []byte(hex.EncodeToString(der)[:64]),
	} {
		if bytes.Contains(everything, secret) {
			t.Errorf("the %s was sent", what)
		}
	}
	if c.Session() != nil {
		t.Error("making an account signed in")
	}
}

func TestANewAccountFailsAsTheServerSays(t *testing.T) {
	f := newFakeServer(t, saying(`{"status":"ERROR","errorcode":"exists"}`))
	c := NewClient(Options{Base: f.base()})
	if err := c.CreateAccount(t.Context(), testStation, "a@example.com", "A", Credentials{"a", "b"}); !errors.Is(err, ErrExists) {
		t.Errorf("got %v, want ErrExists", err)
	}
	f.only(t)

	server := time.Date(2024, 3, 8, 12, 0, 0, 0, time.UTC)
	f = newFakeServer(t, strictClock(server, plainOK))
	c = NewClient(Options{Base: f.base(), Clock: func() time.Time { return server.Add(time.Hour) }})
	if err := c.CreateAccount(t.Context(), testStation, "a@example.com", "A", Credentials{"a", "b"}); err != nil {
		t.Errorf("with a wrong clock: %v", err)
	}
	got := f.received()
	if len(got) != 2 || got[0].fields["publickey"] != got[1].fields["publickey"] || got[0].fields["requestid"] != got[1].fields["requestid"] {
		t.Errorf("with a wrong clock: %d requests; they must name one account and one request", len(got))
	}
}

func TestManyCallsAtOnceStayApart(t *testing.T) {
	f := newFakeServer(t, func(w http.ResponseWriter, r received) {
		answer := ConversationAnswer{Answer: Answer{Status: StatusOK}, Conversation: &Conversation{ID: ConversationID(r.fields["conversationid"].(string))}}
		_ = json.NewEncoder(w).Encode(answer)
	})
	c := f.signedIn(t, ExtRequestID)
	session := c.Session()
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			id := NewConversationID()
			for range 10 {
				got, err := c.Mute(t.Context(), id)
				if err != nil || got.ID != id {
					t.Errorf("got %v, %v; want %s", got, err, id)
				}
				if i == 0 {
					c.SetSession(session)
				}
				_, _ = c.Now(), c.ClockOffset()
			}
		})
	}
	wait.Wait()
	ids := map[any]bool{}
	for _, r := range f.received() {
		ids[r.fields["requestid"]] = true
	}
	if len(ids) != 80 {
		t.Errorf("%d request ids for 80 requests", len(ids))
	}
}

func TestACancelledCallStopsAtOnce(t *testing.T) {
	faulty := httptest.NewServer(ozekitest.Handler())
	defer faulty.Close()
	c := NewClient(Options{Base: faulty.URL + ozekitest.Path + "never"})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Notification(ctx, 0); !errors.Is(err, ErrUnreachable) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want ErrUnreachable and context.Canceled", err)
	}
}
