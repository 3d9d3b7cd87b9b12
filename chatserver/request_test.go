package chatserver

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"starling/ozeki"
)

func TestARequestOfTheWrongFormIsRefusedInJSON(t *testing.T) {
	f := newFixture(t)
	good := raw{http.MethodPost, ozeki.CallLogin.Query(), `{"action":"login","apikey":"x"}`, map[string]string{
		"Content-Type": "application/json", ozeki.HeaderStation: string(ozeki.NewStationID()),
	}}
	f.send(good).want(t, ozeki.CodeLogin)
	header := func(name, value string) func(*raw) { return func(r *raw) { r.header[name] = value } }
	body := func(b string) func(*raw) { return func(r *raw) { r.body = b } }
	query := func(q string) func(*raw) { return func(r *raw) { r.query = q } }
	for name, c := range map[string]struct {
		change func(*raw)
		http   int
		code   string
	}{
		"GET":                    {func(r *raw) { r.method, r.body = "GET", "" }, 405, ozeki.CodeInvalid},
		"OPTIONS":                {func(r *raw) { r.method = "OPTIONS" }, 405, ozeki.CodeInvalid},
		"PUT":                    {func(r *raw) { r.method = "PUT" }, 405, ozeki.CodeInvalid},
		"form":                   {header("Content-Type", "application/x-www-form-urlencoded"), 415, ozeki.CodeInvalid},
		"text":                   {header("Content-Type", "text/plain"), 415, ozeki.CodeInvalid},
		"no type":                {header("Content-Type", ""), 415, ozeki.CodeInvalid},
		"damaged type":           {header("Content-Type", "application/json; ="), 415, ozeki.CodeInvalid},
		"type with charset":      {header("Content-Type", "Application/JSON; charset=utf-8"), 200, ozeki.CodeLogin},
		"another site":           {header("Origin", "https://evil.example"), 403, ozeki.CodeForbidden},
		"another port":           {header("Origin", "http://127.0.0.1:1"), 403, ozeki.CodeForbidden},
		"another scheme":         {header("Origin", strings.Replace(f.http.URL, "http:", "https:", 1)), 403, ozeki.CodeForbidden},
		"no site":                {header("Origin", "null"), 403, ozeki.CodeForbidden},
		"own site":               {header("Origin", f.http.URL), 200, ozeki.CodeLogin},
		"too large":              {body(`{"action":"login","apikey":"` + strings.Repeat("x", maxBody) + `"}`), 413, ozeki.CodeInvalid},
		"as large as allowed":    {body(`{"action":"login","apikey":"` + strings.Repeat("x", maxBody-30) + `"}`), 200, ozeki.CodeLogin},
		"empty":                  {body(""), 200, ozeki.CodeInvalid},
		"white space":            {body(" \n"), 200, ozeki.CodeInvalid},
		"list":                   {body(`[{"action":"login"}]`), 200, ozeki.CodeInvalid},
		"null":                   {body(`null`), 200, ozeki.CodeInvalid},
		"string":                 {body(`"login"`), 200, ozeki.CodeInvalid},
		"cut off":                {body(`{"action":"login","apikey":"x`), 200, ozeki.CodeInvalid},
		"two objects":            {body(`{"action":"login"}{"action":"login"}`), 200, ozeki.CodeInvalid},
		"not UTF-8":              {body("{\"action\":\"login\",\"apikey\":\"\xff\"}"), 200, ozeki.CodeInvalid},
		"deep":                   {body(`{"action":"login","x":` + strings.Repeat("[", 20) + strings.Repeat("]", 20) + `}`), 200, ozeki.CodeInvalid},
		"very deep":              {body(`{"action":"login","x":` + strings.Repeat(`{"x":`, 100_000)), 200, ozeki.CodeInvalid},
		"brackets in a string":   {body(`{"action":"login","apikey":"\"` + strings.Repeat("[", 50) + `"}`), 200, ozeki.CodeLogin},
		"number for a text":      {body(`{"action":1}`), 200, ozeki.CodeInvalid},
		"number for the api key": {body(`{"action":"login","apikey":5}`), 200, ozeki.CodeInvalid},
		"damaged timestamp":      {body(`{"action":"login","timestamp":"yesterday"}`), 200, ozeki.CodeInvalid},
		"damaged requestid":      {body(`{"action":"login","requestid":"1"}`), 200, ozeki.CodeInvalid},
		"requestid in braces":    {body(`{"action":"login","requestid":"{01234567-89ab-cdef-0123-456789abcdef}"}`), 200, ozeki.CodeInvalid},
		"another action":         {body(`{"action":"logon"}`), 200, ozeki.CodeInvalid},
		"no action":              {body(`{}`), 200, ozeki.CodeInvalid},
		"another api":            {query("?srv=chatserver&api=chatnothing"), 200, ozeki.CodeInvalid},
		"another service":        {query("?srv=chatowner&api=chatlogin"), 200, ozeki.CodeInvalid},
		"no query":               {query(""), 200, ozeki.CodeInvalid},
		"damaged query":          {query("?srv=%zz;&api"), 200, ozeki.CodeInvalid},
		"no station":             {header(ozeki.HeaderStation, ""), 200, ozeki.CodeInvalid},
		"station in capitals":    {header(ozeki.HeaderStation, strings.Repeat("A", 32)), 200, ozeki.CodeInvalid},
		"long signature":         {header(ozeki.HeaderSignature, strings.Repeat("A", 2000)), 200, ozeki.CodeInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			f := *f
			f.t = t
			r := raw{good.method, good.query, good.body, map[string]string{}}
			for k, v := range good.header {
				r.header[k] = v
			}
			c.change(&r)
			f.clock.move(failureEvery) // so that no limit is reached
			a := f.send(r).want(t, c.code)
			if a.http != c.http {
				t.Errorf("HTTP %d, want %d", a.http, c.http)
			}
		})
	}
}

func TestEveryAnswerBearsTheHeadersOfTheAPI(t *testing.T) {
	f := newFixture(t)
	u := f.user("Alice", 0)
	for _, r := range []raw{u.raw(ozeki.CallConversations, f.body(ozeki.CallConversations)), {method: "GET"}} {
		a := f.send(r)
		for name, want := range map[string]string{
			"Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
			"Date": f.clock.now().Format(http.TimeFormat), "Set-Cookie": "", "Access-Control-Allow-Origin": "",
		} {
			if got := a.header.Get(name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
	}
	if a := f.send(raw{method: "GET"}); a.header.Get("Allow") != "POST" {
		t.Errorf("Allow is %q", a.header.Get("Allow"))
	}
}

func TestEveryCallHasARoute(t *testing.T) {
	f := newFixture(t, withPush)
	calls := append([]ozeki.Call{ozeki.CallAccountCreate, ozeki.CallLogout, ozeki.CallFriendAdd, ozeki.CallConversationCreate,
		ozeki.CallBlock, ozeki.CallUnblock, ozeki.CallMessageEdit, ozeki.CallMessageDelete, ozeki.CallTicket, ozeki.CallAway, ozeki.CallFileCreate, ozeki.CallFileFetch,
		ozeki.CallPushKey, ozeki.CallPushSubscribe, ozeki.CallPushUnsubscribe}, ozeki.Published...)
	calls = append(append(calls, groupCalls...), workspaceCalls...)
	for _, call := range calls {
		if r, found := f.srv.routes[routeKey{call.Service, call.API, call.Action}]; !found || r.call != call {
			t.Errorf("%s has no route", call.Name)
		}
	}
	if len(f.srv.routes) != len(calls) {
		t.Errorf("%d routes for %d calls", len(f.srv.routes), len(calls))
	}
}

func TestFailuresAreCountedWhereTheyComeFrom(t *testing.T) {
	for _, c := range []struct{ peer, forwarded, want string }{
		{"192.0.2.1:5", "", "192.0.2.1"},
		{"192.0.2.1:5", "198.51.100.7", "192.0.2.1"}, // whoever is not the proxy may say what he likes
		{"127.0.0.1:5", "198.51.100.7", "198.51.100.7"},
		{"127.0.0.1:5", "203.0.113.9, 198.51.100.7", "198.51.100.7"},
		{"127.0.0.1:5", "203.0.113.9\n198.51.100.7", "198.51.100.7"}, // two lines
		{"127.0.0.1:5", "203.0.113.9\n", "127.0.0.1"},
		{"[::1]:5", "198.51.100.7", "198.51.100.7"},
		{"127.0.0.1:5", "nonsense", "127.0.0.1"},
		{"127.0.0.1:5", "", "127.0.0.1"},
		{"[2001:db8:1:2:3:4:5:6]:5", "", "2001:db8:1:2::/64"},
		{"[2001:db8:1:2:9::1]:5", "", "2001:db8:1:2::/64"},
		{"[::ffff:192.0.2.1]:5", "", "192.0.2.1"},
		{"pipe", "", "pipe"},
	} {
		r := httptest.NewRequest("POST", "/", nil)
		r.RemoteAddr = c.peer
		r.Header["X-Forwarded-For"] = strings.Split(c.forwarded, "\n")
		if got := remoteOf(r); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

// FuzzRequest sends any body to any call, signed well or not: the answer is always JSON with a status, and nothing panics.
func FuzzRequest(f *testing.F) {
	x := newFixture(f, withPush)
	alice, bob := x.user("Alice", 0), x.user("Bob", 1)
	c := x.direct(alice, bob)
	calls := append([]ozeki.Call{ozeki.CallAccountCreate, ozeki.CallFriendAdd, ozeki.CallConversationCreate,
		ozeki.CallBlock, ozeki.CallUnblock, ozeki.CallMessageEdit, ozeki.CallMessageDelete, ozeki.CallTicket, ozeki.CallAway, ozeki.CallPushSubscribe}, ozeki.Published...)
	for i, call := range calls {
		f.Add(i, true, x.body(call, field("conversationid", c.ID), field("instance", c.Instance), field("limit", 5)))
		f.Add(i, false, x.body(call, field("email", bob.email), field("members", []ozeki.Member{alice.member()})))
	}
	f.Add(0, true, ``)
	f.Add(0, true, `{"action":"login","apikey":null}`)
	f.Add(9, true, `{"action":"add","conversationid":"`+string(c.ID)+`","message":"{\"ID\":\"\"}","timestamp":"2026-03-10 12:00:00"}`)
	f.Add(9, true, `{"Action":"add","ACTION":"list","timestamp":null,"requestid":"00000000-0000-0000-0000-000000000000"}`)
	f.Add(4, false, `{"action":"download","cursor":-9223372036854775808}`)
	f.Add(4, false, "{\"action\":\"download\",\"cursor\":1e400,\"\xc3\x28\":[[[[]]]]}")
	f.Fuzz(func(t *testing.T, n int, signed bool, body string) {
		call := calls[(n%len(calls)+len(calls))%len(calls)]
		r := httptest.NewRequest("POST", testPath+call.Query(), strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set(ozeki.HeaderStation, string(alice.station))
		r.Header.Set(ozeki.HeaderUser, string(alice.id))
		if signed {
			signature, err := scheme.Sign(t.Context(), alice.key.private, []byte(body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set(ozeki.HeaderSignature, signature)
		}
		w := httptest.NewRecorder()
		x.srv.ServeHTTP(w, r)
		var a struct {
			Status    string
			ErrorCode string
		}
		if err := json.NewDecoder(bytes.NewReader(w.Body.Bytes())).Decode(&a); err != nil || (a.Status != "OK") == (a.ErrorCode == "") {
			t.Fatalf("HTTP %d %s: %v", w.Code, w.Body, err)
		}
		if a.ErrorCode == ozeki.CodeInternal {
			t.Fatalf("a request made the server fail: HTTP %d %s", w.Code, w.Body)
		}
	})
}
