package ozeki

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strconv"
	"testing"
	"time"
)

// The suite of the transport: net/http and fetch tell the same of the same answers, which package ozekitest gives.
// answers (one natively, one in the browser) says where.

func TestARequestArrivesAsItWasSent(t *testing.T) {
	body := []byte("{\"text\":\"Grüße\"}\x00\xff")
	header := map[string]string{
		"Content-Type": "application/json", HeaderStation: "801c91e6466a1ab34945d73ae4f762c6",
		HeaderUser: "d574638619cbff603bf857164c47e850", HeaderSignature: "c2lnbmF0dXJl+/==",
	}
	res, err := NewTransport().Post(t.Context(), answers(t)+"echo", header, body)
	if err != nil {
		t.Fatal(err)
	}
	if res.Status != 200 || res.ContentType != "application/json; charset=utf-8" || time.Since(res.Date).Abs() > time.Minute {
		t.Errorf("got HTTP %d, %q, date %v", res.Status, res.ContentType, res.Date)
	}
	var echo struct {
		Method string
		Header map[string][]string
		Body   []byte
	}
	if err := json.Unmarshal(res.Body, &echo); err != nil {
		t.Fatal(err)
	}
	if echo.Method != "POST" || string(echo.Body) != string(body) {
		t.Errorf("the server got %s %q", echo.Method, echo.Body)
	}
	for name, value := range header {
		if got := echo.Header[name]; len(got) != 1 || got[0] != value {
			t.Errorf("the server got %s: %q, want %q", name, got, value)
		}
	}
	if len(echo.Header["Cookie"]) > 0 {
		t.Errorf("cookies were sent: %q", echo.Header["Cookie"])
	}
}

func TestEveryHTTPStatusIsAnAnswer(t *testing.T) {
	for _, c := range []struct {
		status     int
		kind, body string
	}{
		{200, "application/json", `{"status":"OK"}`},
		{200, "text/html", "<h1>Welcome</h1>"},
		{200, "", ""},
		{413, "application/json", `{"status":"ERROR"}`},
		{429, "text/plain", "slow down"},
		{500, "application/json", `{"status":"ERROR"}`},
		{502, "text/html", "<h1>Bad gateway</h1>"},
		{503, "", ""},
	} {
		q := url.Values{"status": {strconv.Itoa(c.status)}, "type": {c.kind}, "body": {c.body}}
		res, err := NewTransport().Post(t.Context(), answers(t)+"give?"+q.Encode(), nil, []byte("{}"))
		if err != nil {
			t.Errorf("HTTP %d: %v", c.status, err)
			continue
		}
		if res.Status != c.status || res.ContentType != c.kind || string(res.Body) != c.body {
			t.Errorf("HTTP %d %q: got %d %q %q", c.status, c.kind, res.Status, res.ContentType, res.Body)
		}
	}
}

func TestTheServersClockIsRead(t *testing.T) {
	for text, want := range map[string]time.Time{
		"Fri, 08 Mar 2024 13:55:47 GMT": time.Date(2024, 3, 8, 13, 55, 47, 0, time.UTC),
		"yesterday":                     {},
		"":                              {},
	} {
		q := url.Values{"date": {text}, "body": {"{}"}}
		res, err := NewTransport().Post(t.Context(), answers(t)+"give?"+q.Encode(), nil, []byte("{}"))
		if err != nil || !res.Date.Equal(want) {
			t.Errorf("date %q: got %v, %v; want %v", text, res, err, want)
		}
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	res, err := NewTransport().Post(t.Context(), answers(t)+"redirect", nil, []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	if res.Status >= 200 && res.Status < 300 || json.Valid(res.Body) {
		t.Errorf("the redirect looks like an answer: HTTP %d %q", res.Status, res.Body)
	}
}

func TestNoAnswerIsUnreachable(t *testing.T) {
	short, cancelShort := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancelShort()
	over, cancelOver := context.WithCancel(t.Context())
	cancelOver()
	for what, c := range map[string]struct {
		ctx  context.Context
		url  string
		also error
	}{
		"refused connection": {t.Context(), "http://127.0.0.1:1/", nil},
		"malformed address":  {t.Context(), "http://[", nil},
		"time out":           {short, answers(t) + "never", context.DeadlineExceeded},
		"cancelled before":   {over, answers(t) + "echo", context.Canceled},
		"cut in the middle":  {t.Context(), answers(t) + "cut", nil},
	} {
		res, err := NewTransport().Post(c.ctx, c.url, nil, []byte("{}"))
		if !errors.Is(err, ErrUnreachable) || res != nil {
			t.Errorf("%s: got %v, %v; want ErrUnreachable", what, res, err)
		}
		if c.also != nil && !errors.Is(err, c.also) {
			t.Errorf("%s: got %v, want it to be %v too", what, err, c.also)
		}
	}
}
