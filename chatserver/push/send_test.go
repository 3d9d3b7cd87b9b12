package push_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"starling/chatserver/push"
	"starling/chatserver/push/pushtest"
)

func TestABrowserOpensWhatIsSentToIt(t *testing.T) {
	service := pushtest.New(t, time.Now)
	key, err := push.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	c := push.Client{Key: key, HTTP: service.Client(), Now: time.Now}
	browser := service.Subscribe("a")
	m := push.Message{Payload: []byte("secret"), TTL: time.Hour, Urgency: "high", Topic: "abc", Contact: "https://chat.example.com"}
	if err := c.Send(t.Context(), browser.Subscription, m); err != nil {
		t.Fatal(err)
	}
	want := pushtest.Push{Payload: "secret", TTL: "3600", Urgency: "high", Topic: "abc", Contact: "https://chat.example.com"}
	if got := service.Pushes(browser); len(got) != 1 || got[0] != want {
		t.Errorf("%+v", got)
	}
	m.Payload = []byte(strings.Repeat("x", push.MaxPayload))
	if err := c.Send(t.Context(), browser.Subscription, m); err != nil {
		t.Errorf("the largest payload: %v", err)
	}
	m.Payload = append(m.Payload, 'x')
	if err := c.Send(t.Context(), browser.Subscription, m); !errors.Is(err, push.ErrRefused) {
		t.Errorf("too large a payload: %v", err)
	}
}

func TestWhatAPushServiceAnswersIsUnderstood(t *testing.T) {
	service := pushtest.New(t, time.Now)
	key, err := push.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	c := push.Client{Key: key, HTTP: service.Client(), Now: time.Now}
	browser := service.Subscribe("a")
	send := func() error { return c.Send(t.Context(), browser.Subscription, push.Message{TTL: time.Minute}) }
	for code, want := range map[int]error{
		http.StatusNotFound: push.ErrGone, http.StatusGone: push.ErrGone,
		http.StatusBadRequest: push.ErrRefused, http.StatusForbidden: push.ErrRefused, http.StatusRequestEntityTooLarge: push.ErrRefused,
	} {
		service.Answer(code, "", 1)
		if err := send(); !errors.Is(err, want) {
			t.Errorf("%d: %v", code, err)
		}
	}
	for _, code := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
		service.Answer(code, "7", 1)
		var later *push.LaterError
		if err := send(); !errors.As(err, &later) || later.After != 7*time.Second {
			t.Errorf("%d: %v", code, err)
		}
	}
	before := service.Requests()
	service.Answer(http.StatusTemporaryRedirect, "https://push.example.com/b", 1)
	if err := send(); !errors.Is(err, push.ErrRefused) || service.Requests() != before+1 {
		t.Errorf("a redirect is followed: %v", err)
	}
}
