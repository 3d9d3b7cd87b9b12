package chatserver

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"starling/chatserver/store"
	"starling/ozeki"
)

func TestEveryRefusalHasAWayToTheWire(t *testing.T) {
	for err, want := range map[error]struct {
		code string
		http int
	}{
		store.ErrNotFound: {ozeki.CodeNotFound, 200}, store.ErrExists: {ozeki.CodeExists, 200}, store.ErrBound: {ozeki.CodeForbidden, 200},
		store.ErrUnavailable: {ozeki.CodeInternal, 503}, errors.New("anything"): {ozeki.CodeInternal, 500},
		errLimit: {ozeki.CodeLimit, 429}, errSize: {ozeki.CodeInvalid, 413}, errInvalid.saying("Other words."): {ozeki.CodeInvalid, 200},
	} {
		for _, e := range []error{err, errors.Join(errors.New("context"), err)} {
			if r, _ := refusalOf(e); r.code != want.code || r.http != want.http || r.words == "" {
				t.Errorf("%v: %+v", e, r)
			}
		}
	}
	if !errors.Is(errInvalid.saying("Other words."), errInvalid) || errors.Is(errInvalid, errNotFound) {
		t.Error("refusals are not told apart by their kind")
	}
	for _, r := range []*refusal{errSignature, errClock, errReplayed, errLogin, errExists, errNotFound, errInvalid, errForbidden, errBound,
		errOrigin, errMethod, errType, errSize, errLimit, errUnavailable, errInternal} {
		if !strings.HasSuffix(r.words, ".") {
			t.Errorf("not a sentence: %s", r.words)
		}
	}
}

func TestAFaultIsLoggedAndAnsweredInNeutralWords(t *testing.T) {
	f := newFixture(t)
	alice := f.user("Alice", 0)
	log := f.logs()
	for name, c := range map[string]struct {
		err  error
		http int
	}{
		"fault": {errors.New("secret table is gone"), 500}, "busy": {store.ErrUnavailable, 503}, "panic": {nil, 500},
	} {
		t.Run(name, func(t *testing.T) {
			log.Reset()
			f.srv.store = broken{f.store, c.err}
			defer func() { f.srv.store = f.store }()
			a := f.send(alice.raw(ozeki.CallConversations, f.body(ozeki.CallConversations, field("requestid", ozeki.NewRequestID())))).want(t, ozeki.CodeInternal)
			if a.http != c.http || strings.Contains(a.body, "secret") || (a.header.Get("Retry-After") != "") != (c.http == 503) {
				t.Errorf("HTTP %d %s %v", a.http, a.body, a.header)
			}
			if !strings.Contains(log.String(), "level=ERROR") || c.err != nil && !strings.Contains(log.String(), c.err.Error()) {
				t.Errorf("log: %s", log)
			}
		})
	}
}

// broken is a store that cannot list conversations; without an error it panics.
type broken struct {
	store.Store
	err error
}

func (s broken) List(context.Context, ozeki.UserID, string) (store.List, error) {
	if s.err == nil {
		panic("secret of the program")
	}
	return store.List{}, s.err
}

// logs has the server log everything into the buffer that it returns.
func (f *fixture) logs() *bytes.Buffer {
	var log bytes.Buffer
	f.srv.log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	return &log
}

func TestTheLogTellsReasonsAndNoSecrets(t *testing.T) {
	f := newFixture(t)
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	c := f.direct(alice, bob)
	log := f.logs()
	r := alice.raw(ozeki.CallAdd, f.body(ozeki.CallAdd, field("conversationid", c.ID), field("instance", c.Instance), field("message", "secret text")))
	f.send(r).want(t, ozeki.CodeInvalid)
	signature := r.header[ozeki.HeaderSignature]
	r.header[ozeki.HeaderStation] = string(bob.station)
	f.send(r).want(t, ozeki.CodeSignature)
	guess := hashAPIKey("guess")
	f.send(raw{http.MethodPost, ozeki.CallLogin.Query(), `{"action":"login","apikey":"` + guess + `"}`, map[string]string{
		"Content-Type": "application/json", ozeki.HeaderStation: string(alice.station),
	}}).want(t, ozeki.CodeLogin)
	text := log.String()
	for _, reason := range []string{"station of another user", "code=login", "code=invalid"} {
		if !strings.Contains(text, reason) {
			t.Errorf("the log does not tell %q:\n%s", reason, text)
		}
	}
	for _, secret := range []string{"secret text", signature, guess, string(alice.station), string(bob.station), hashAPIKey(guess)} {
		if strings.Contains(text, secret) {
			t.Errorf("the log tells %q", secret)
		}
	}
}

func TestOldIDsArePurgedInTheBackground(t *testing.T) {
	f := newReplayFixture(t)
	f.send(f.favorite(ozeki.NewRequestID())).want(t, "")
	f.clock.move(time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	tick, done := make(chan time.Time), make(chan bool)
	go func() {
		f.srv.purgeRequests(ctx, tick)
		close(done)
	}()
	tick <- time.Time{}
	tick <- time.Time{} // taken only when the first one has been dealt with
	cancel()
	<-done
	if n, err := f.srv.purge(t.Context()); err != nil || n != 0 {
		t.Errorf("%d ids were left, %v", n, err)
	}
}

func TestClosingTheServerTwiceIsHarmless(t *testing.T) {
	st := openStore(t)
	s := New(Config{Store: st})
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}
