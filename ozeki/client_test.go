//go:build !js

package ozeki

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	testUser    = UserID("aa68d2204cb2bb85f2de3b9aad0d86d7")
	testStation = StationID("801c91e6466a1ab34945d73ae4f762c6")
	testChat    = ConversationID("8ca16186c36a4e0a1ef2096e6c60b613")
)

// received is one request as a server got it.
type received struct {
	method, path string
	header       http.Header
	body         string
	fields       map[string]any
}

// fakeServer keeps what it receives and answers by a function.
type fakeServer struct {
	*httptest.Server
	mu       sync.Mutex
	requests []received
}

func newFakeServer(t *testing.T, answer func(w http.ResponseWriter, r received)) *fakeServer {
	t.Helper()
	f := &fakeServer{}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got := received{r.Method, r.URL.String(), r.Header, string(body), nil}
		if err := json.Unmarshal(body, &got.fields); err != nil {
			t.Errorf("the request is not JSON: %v", err)
		}
		f.mu.Lock()
		f.requests = append(f.requests, got)
		f.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		answer(w, got)
	}))
	t.Cleanup(f.Close)
	return f
}

// saying is an answer function that always says the same.
func saying(text string) func(http.ResponseWriter, received) {
	return func(w http.ResponseWriter, _ received) { _, _ = io.WriteString(w, text) }
}

func (f *fakeServer) received() []received {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.requests)
}

// only returns the one request that came.
func (f *fakeServer) only(t *testing.T) received {
	t.Helper()
	got := f.received()
	if len(got) != 1 {
		t.Fatalf("%d requests came, want 1", len(got))
	}
	return got[0]
}

func (f *fakeServer) base() string { return f.URL + "/ozeki/index.php" }

// signedIn returns a client with a session at the server.
func (f *fakeServer) signedIn(t *testing.T, extensions ...string) *Client {
	t.Helper()
	c := NewClient(Options{Base: f.base()})
	key, _ := testKeys(t, c.Scheme())
	c.SetSession(&Session{UserID: testUser, Station: testStation, Key: key, Extensions: extensions})
	return c
}

const (
	plainOK        = `{"status":"OK","errormessage":""}`
	conversationOK = `{"status":"OK","errormessage":"","conversation":{"id":"8ca16186c36a4e0a1ef2096e6c60b613"}}`
	messageOK      = `{"status":"OK","errormessage":"","message":{"ID":"fc2515cb-e483-4f64-936b-98f680565c96","Type":"Message"}}`
	ticketOK       = `{"status":"OK","errormessage":"","ticket":"of paper"}`
	friendOK       = `{"status":"OK","errormessage":"","friend":{"friendid":"d574638619cbff603bf857164c47e850"}}`
)

// method is a call's method with what it must send and a good answer.
type method struct {
	call   Call
	do     func(context.Context, *Client) error
	fields map[string]any // beside the common ones
	answer string
}

// methods is every call's method.
var methods = []method{
	{CallLogin, func(ctx context.Context, c *Client) error { return errOf(c.Login(ctx, testStation, "d040b")) },
		map[string]any{"apikey": "d040b"}, plainOK},
	{CallAvailability, func(ctx context.Context, c *Client) error { return c.Availability(ctx) }, nil, plainOK},
	{CallFriends, func(ctx context.Context, c *Client) error { return errOf(c.Friends(ctx)) }, nil, plainOK},
	{CallReport, func(ctx context.Context, c *Client) error {
		day := TimeOf(time.Date(2024, 3, 8, 14, 12, 48, 5, time.FixedZone("", 3600)))
		return c.Report(ctx, ReportRequest{ConversationID: testChat, Instance: "PqjfKSn7V8", FirstMessageDate: day, LastMessageDate: day, MessageIDs: []MessageID{"m"}})
	}, map[string]any{"conversationid": string(testChat), "instance": "PqjfKSn7V8", "firstmessagedate": "2024-03-08 13:12:48",
		"lastmessagedate": "2024-03-08 13:12:48", "messageids": []any{"m"}}, plainOK},
	{CallNotification, func(ctx context.Context, c *Client) error { return errOf(c.Notification(ctx, 0)) }, nil, plainOK},
	{CallNotification, func(ctx context.Context, c *Client) error { return errOf(c.Notification(ctx, 7)) },
		map[string]any{"cursor": 7.0}, plainOK},
	{CallConversations, func(ctx context.Context, c *Client) error { return errOf(c.Conversations(ctx)) }, nil, plainOK},
	{CallConversations, func(ctx context.Context, c *Client) error { return errOf(c.ListSince(ctx, "not for this server")) }, nil, plainOK},
	{CallDownloadPartial, func(ctx context.Context, c *Client) error {
		return errOf(c.DownloadPartial(ctx, DownloadPartialRequest{ConversationID: testChat, Instance: "i", LastMessageID: "m", LastReportID: "r", Limit: 50}))
	}, map[string]any{"conversationid": string(testChat), "instance": "i", "lastmessagedate": "", "lastmessageid": "m",
		"lastreportdate": "", "lastreportid": "r", "limit": 50.0}, plainOK},
	{CallAdd, func(ctx context.Context, c *Client) error {
		return errOf(c.Add(ctx, testChat, "i", Message{ID: "m", Type: TypeMessage, Data: "x"}))
	}, map[string]any{"conversationid": string(testChat), "instance": "i", "message": `{"ID":"m","Type":"Message","Created":"","Data":"x"}`}, messageOK},
	{CallClear, func(ctx context.Context, c *Client) error { return errOf(c.Clear(ctx, testChat, "i")) },
		map[string]any{"conversationid": string(testChat), "instance": "i"}, conversationOK},
	{CallFavorite, func(ctx context.Context, c *Client) error { return errOf(c.Favorite(ctx, testChat)) },
		map[string]any{"conversationid": string(testChat)}, conversationOK},
	{CallUnfavorite, func(ctx context.Context, c *Client) error { return errOf(c.Unfavorite(ctx, testChat)) },
		map[string]any{"conversationid": string(testChat)}, conversationOK},
	{CallColor, func(ctx context.Context, c *Client) error { return errOf(c.SetColor(ctx, testChat, "#bae1ff")) },
		map[string]any{"conversationid": string(testChat), "color": "#bae1ff"}, conversationOK},
	{CallDownload, func(ctx context.Context, c *Client) error {
		return errOf(c.Download(ctx, DownloadRequest{ConversationID: testChat, Instance: "i", FirstMessageID: "m", FirstReportID: "r"}))
	}, map[string]any{"conversationid": string(testChat), "instance": "i", "firstmessagedate": "", "firstmessageid": "m",
		"firstreportdate": "", "firstreportid": "r"}, plainOK},
	{CallMute, func(ctx context.Context, c *Client) error { return errOf(c.Mute(ctx, testChat)) },
		map[string]any{"conversationid": string(testChat)}, conversationOK},
	{CallUnmute, func(ctx context.Context, c *Client) error { return errOf(c.Unmute(ctx, testChat)) },
		map[string]any{"conversationid": string(testChat)}, conversationOK},
	{CallHide, func(ctx context.Context, c *Client) error { return errOf(c.Hide(ctx, testChat, "7sSwU2VoFM")) },
		map[string]any{"conversationid": string(testChat), "hideid": "7sSwU2VoFM;"}, conversationOK},
	{CallUnhide, func(ctx context.Context, c *Client) error { return errOf(c.Unhide(ctx, testChat)) },
		map[string]any{"conversationid": string(testChat)}, conversationOK},
	{CallBlocklist, func(ctx context.Context, c *Client) error { return errOf(c.Blocklist(ctx)) }, nil, plainOK},
	{CallWorkspaceRegister, func(ctx context.Context, c *Client) error { return c.RegisterWorkspace(ctx, "alice.ozeki.chat") },
		map[string]any{"workspacename": "alice.ozeki.chat"}, plainOK},
	{CallLogout, func(ctx context.Context, c *Client) error { return c.Logout(ctx) }, nil, plainOK},
	{CallAway, func(ctx context.Context, c *Client) error { return c.Away(ctx) }, nil, plainOK},
	{CallPushKey, func(ctx context.Context, c *Client) error { return errOf(c.PushKey(ctx)) }, nil,
		`{"status":"OK","errormessage":"","key":"BAAA"}`},
	{CallPushSubscribe, func(ctx context.Context, c *Client) error {
		return c.PushSubscribe(ctx, PushSubscription{Endpoint: "https://push.example.com/a", P256dh: "BAAA", Auth: "AAAA"})
	}, map[string]any{"endpoint": "https://push.example.com/a", "p256dh": "BAAA", "auth": "AAAA"}, plainOK},
	{CallPushUnsubscribe, func(ctx context.Context, c *Client) error { return c.PushUnsubscribe(ctx) }, nil, plainOK},
	{CallTicket, func(ctx context.Context, c *Client) error { return errOf(c.Ticket(ctx)) }, nil, ticketOK},
	{CallFriendAdd, func(ctx context.Context, c *Client) error { return errOf(c.AddFriend(ctx, " Admin@Ozeki.hu ")) },
		map[string]any{"email": "admin@ozeki.hu"}, friendOK},
	{CallBlock, func(ctx context.Context, c *Client) error { return c.Block(ctx, testUser) }, map[string]any{"userid": string(testUser)}, plainOK},
	{CallUnblock, func(ctx context.Context, c *Client) error { return c.Unblock(ctx, testUser) }, map[string]any{"userid": string(testUser)}, plainOK},
	{CallConversationCreate, func(ctx context.Context, c *Client) error {
		return errOf(c.CreateConversation(ctx, ConversationCreateRequest{ConversationID: testChat, Members: []Member{{testUser, "s", "d"}}}))
	}, map[string]any{"conversationid": string(testChat), "isgroup": false,
		"members": []any{map[string]any{"userid": string(testUser), "secret": "s", "displayname": "d"}}}, conversationOK},
	{CallFileCreate, func(ctx context.Context, c *Client) error {
		return errOf(c.CreateFile(ctx, FileCreateRequest{ConversationID: testChat, Instance: "i", FileID: "f", Size: 30, SHA256: "s"}))
	}, map[string]any{"conversationid": string(testChat), "instance": "i", "fileid": "f", "size": 30.0, "sha256": "s"}, ticketOK},
	{CallFileFetch, func(ctx context.Context, c *Client) error {
		return errOf(c.FetchFile(ctx, FileFetchRequest{ConversationID: testChat, FileID: "f"}))
	}, map[string]any{"conversationid": string(testChat), "fileid": "f"}, ticketOK},
	{CallMessageEdit, func(ctx context.Context, c *Client) error {
		return errOf(c.EditMessage(ctx, MessageEditRequest{ConversationID: testChat, Instance: "i", MessageID: "m", Data: "x"}))
	}, map[string]any{"conversationid": string(testChat), "instance": "i", "messageid": "m", "data": "x"}, messageOK},
	{CallMessageDelete, func(ctx context.Context, c *Client) error {
		return errOf(c.DeleteMessage(ctx, MessageDeleteRequest{ConversationID: testChat, Instance: "i", MessageID: "m"}))
	}, map[string]any{"conversationid": string(testChat), "instance": "i", "messageid": "m"}, messageOK},
}

func errOf[T any](_ T, err error) error { return err }

func TestEachMethodSendsItsCallAsPublished(t *testing.T) {
	covered := map[Call]bool{CallAccountCreate: true} // has a test of its own
	for _, m := range methods {
		covered[m.call] = true
		for _, extensions := range [][]string{nil, {ExtRequestID}} {
			f := newFakeServer(t, saying(m.answer))
			c := f.signedIn(t, extensions...)
			if err := m.do(t.Context(), c); err != nil {
				t.Errorf("%s: %v", m.call.Name, err)
			}
			r := f.only(t)
			if r.method != http.MethodPost || r.path != "/ozeki/index.php"+m.call.Query() {
				t.Errorf("%s: %s %s", m.call.Name, r.method, r.path)
			}
			wantHeader := func(name, value string, sent bool) {
				t.Helper()
				if got := r.header.Values(name); sent != (len(got) == 1 && got[0] == value) || (!sent && len(got) != 0) {
					t.Errorf("%s: header %s is %q; sent should be %t", m.call.Name, name, got, sent)
				}
			}
			wantHeader("Content-Type", "application/json", true)
			wantHeader(HeaderStation, string(testStation), m.call.Station)
			wantHeader(HeaderUser, string(testUser), m.call.Signed)
			if signature := r.header.Get(HeaderSignature); m.call.Signed {
				_, public := testKeys(t, c.Scheme())
				if err := c.Scheme().Verify(t.Context(), public, []byte(r.body), signature); err != nil {
					t.Errorf("%s: %v", m.call.Name, err)
				}
			} else if signature != "" {
				t.Errorf("%s is signed", m.call.Name)
			}

			want := map[string]any{"action": m.call.Action}
			maps.Copy(want, m.fields)
			if m.call != CallLogin && m.call != CallWorkspaceRegister {
				want["clientversioncode"] = 3.0
				stamp, _ := r.fields["timestamp"].(string)
				if sent, err := ParseTime(stamp); err != nil || time.Since(sent.Time).Abs() > time.Minute {
					t.Errorf("%s: timestamp %q", m.call.Name, stamp)
				}
				want["timestamp"] = stamp
				if m.call.Signed && extensions != nil {
					id, _ := r.fields["requestid"].(string)
					if !MessageID(id).Valid() {
						t.Errorf("%s: request id %q", m.call.Name, id)
					}
					want["requestid"] = id
				}
			}
			if !reflect.DeepEqual(r.fields, want) {
				t.Errorf("%s: body\n%v\nwant\n%v", m.call.Name, r.fields, want)
			}
		}
	}
	for _, call := range append(slices.Clone(Published), CallLogout, CallFriendAdd, CallConversationCreate, CallMessageEdit, CallMessageDelete, CallBlock, CallUnblock, CallAccountCreate, CallFileCreate, CallFileFetch) {
		if !covered[call] {
			t.Errorf("no method was tried for %s", call.Name)
		}
	}
}

func TestNothingButAnAnswerOfTheAPILooksLikeSuccess(t *testing.T) {
	cases := []struct {
		what   string
		status int
		kind   string
		body   string
		want   error
		not    error
	}{
		{"a proxy's page", 200, "text/html", "<!doctype html><h1>Welcome</h1>", ErrNotJSON, ErrUnavailable},
		{"a proxy's page that says JSON", 200, "application/json", "<h1>Welcome</h1>", ErrNotJSON, ErrUnavailable},
		{"nothing", 200, "application/json", "", ErrNotJSON, ErrUnavailable},
		{"no content", 204, "", "", ErrNotJSON, ErrUnavailable},
		{"no status", 200, "application/json", `{"errormessage":""}`, ErrNotJSON, ErrUnavailable},
		{"null status", 200, "application/json", `{"status":null}`, ErrNotJSON, ErrUnavailable},
		{"status in a list", 200, "application/json", `{"status":["OK"]}`, ErrNotJSON, ErrUnavailable},
		{"status as a number", 200, "application/json", `{"status":1,"messages":[]}`, ErrNotJSON, ErrUnavailable},
		{"another field's OK", 200, "application/json", `{"Status":"OK"}`, ErrNotJSON, ErrUnavailable},
		{"a list", 200, "application/json", `[{"status":"OK"}]`, ErrNotJSON, ErrUnavailable},
		{"a text", 200, "application/json", `"OK"`, ErrNotJSON, ErrUnavailable},
		{"null", 200, "application/json", `null`, ErrNotJSON, ErrUnavailable},
		{"cut JSON", 200, "application/json", `{"status":"OK","errormessage":"`, ErrNotJSON, ErrUnavailable},
		{"two answers", 200, "application/json", plainOK + plainOK, ErrNotJSON, ErrUnavailable},
		{"OK and more", 200, "application/json", plainOK + "<!-- -->", ErrNotJSON, ErrUnavailable},
		{"status in small letters", 200, "application/json", `{"status":"ok"}`, ErrRefused, ErrUnavailable},
		{"status with a space", 200, "application/json", `{"status":"OK "}`, ErrRefused, ErrUnavailable},
		{"empty status", 200, "application/json", `{"status":""}`, ErrRefused, ErrUnavailable},
		{"refusal without words", 200, "application/json", `{"status":"ERROR"}`, ErrRefused, ErrUnavailable},
		{"refusal", 200, "application/json", `{"status":"ERROR","errormessage":"no such thing"}`, ErrRefused, ErrUnavailable},
		{"refusal with lists", 200, "application/json", `{"status":"ERROR","messages":[],"conversation":{}}`, ErrRefused, ErrNotJSON},
		{"refusal with odd words", 200, "application/json", `{"status":"ERROR","errormessage":{"a":1}}`, ErrRefused, ErrNotJSON},
		{"status, then another", 200, "application/json", `{"status":"OK","status":"ERROR"}`, ErrRefused, ErrNotJSON},
		{"gateway's page", 502, "text/html", "<h1>Bad gateway</h1>", ErrUnavailable, ErrNotJSON},
		{"gateway without words", 504, "", "", ErrUnavailable, ErrNotJSON},
		{"busy", 503, "application/json", `{"error":"busy"}`, ErrUnavailable, ErrRefused},
		{"OK under an error", 500, "application/json", conversationOK, ErrUnavailable, ErrRefused},
		{"lists under an error", 500, "application/json", `{"messages":[],"reports":[]}`, ErrUnavailable, ErrRefused},
		{"redirect", 302, "application/json", plainOK, ErrUnavailable, ErrRefused},
		{"redirect's page", 302, "text/html", "<a href=/login>Found</a>", ErrUnavailable, ErrNotJSON},
		{"not found", 404, "text/html", "<h1>Not found</h1>", ErrUnavailable, ErrNotJSON},
		{"server's own error", 500, "application/json", `{"status":"ERROR","errorcode":"internal"}`, ErrRefused, ErrNotJSON},
		{"a relay's words for a server that is down", 502, "application/json", `{"status":"ERROR","errormessage":"down"}`, ErrUnavailable, ErrNotJSON},
		{"too much", 429, "application/json", `{"status":"ERROR","errorcode":"limit"}`, ErrUnavailable, ErrNotJSON},
	}
	for _, c := range cases {
		f := newFakeServer(t, func(w http.ResponseWriter, _ received) {
			w.Header()["Content-Type"] = nil
			if c.kind != "" {
				w.Header().Set("Content-Type", c.kind)
			}
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body)
		})
		client := f.signedIn(t, ExtRequestID)
		for _, m := range methods {
			err := m.do(t.Context(), client)
			if !errors.Is(err, c.want) || errors.Is(err, c.not) {
				t.Errorf("%s, %s: got %v; want %v and not %v", m.call.Name, c.what, err, c.want, c.not)
			} else if err.Error() == "" || !strings.Contains(err.Error(), m.call.Name) {
				t.Errorf("%s, %s: the error %q does not name the call", m.call.Name, c.what, err)
			}
		}
		if got := len(f.received()); got != len(methods) {
			t.Errorf("%s: %d requests for %d calls", c.what, got, len(methods))
		}
	}
}

func TestAnAnswerWithoutItsSubjectIsNoSuccess(t *testing.T) {
	for _, body := range []string{plainOK, `{"status":"OK","conversation":null,"message":null,"friend":null}`} {
		f := newFakeServer(t, saying(body))
		client := f.signedIn(t)
		for _, m := range methods {
			err := m.do(t.Context(), client)
			if needs := m.answer != plainOK; needs != errors.Is(err, ErrNotJSON) || needs != (err != nil) {
				t.Errorf("%s with %s: got %v", m.call.Name, body, err)
			}
		}
	}
}

func TestTheStatusDecidesAndNotTheErrorMessage(t *testing.T) {
	for i, s := range publishedSamples(t) { // two of them say OK with "File does not exist"
		call := Published[i]
		f := newFakeServer(t, saying(string(s.Response)))
		client := f.signedIn(t)
		for _, m := range methods {
			if m.call == call {
				if err := m.do(t.Context(), client); err != nil {
					t.Errorf("%s: %v", s.file, err)
				}
			}
		}
	}
}

func TestADownloadMayComeWithoutAStatus(t *testing.T) {
	for body, want := range map[string]error{
		`{"messages":[{"ID":"a"}],"reports":[]}`: nil,
		`{"messages":[{"ID":"a"}]}`:              nil,
		`{"reports":[{"ID":"a"}]}`:               nil,
		`{"messages":null,"reports":null}`:       nil,
		`{"messages":{},"reports":[]}`:           ErrNotJSON,
		`{"errormessage":"no"}`:                  ErrNotJSON,
		`{}`:                                     ErrNotJSON,
	} {
		f := newFakeServer(t, saying(body))
		client := f.signedIn(t)
		_, err1 := client.Download(t.Context(), DownloadRequest{})
		_, err2 := client.DownloadPartial(t.Context(), DownloadPartialRequest{})
		if !errors.Is(err1, want) || !errors.Is(err2, want) {
			t.Errorf("%s: got %v and %v, want %v", body, err1, err2, want)
		}
		// Only a download may.
		if _, err := client.Conversations(t.Context()); !errors.Is(err, ErrNotJSON) {
			t.Errorf("list with %s: got %v, want ErrNotJSON", body, err)
		}
	}
}

func TestARefusalTellsItsKindAndTheServersWords(t *testing.T) {
	want := map[string][]error{
		CodeSignature: {ErrSignature}, CodeClock: {ErrClock}, CodeReplayed: {ErrReplayed}, CodeLogin: {ErrLogin},
		CodeExists: {ErrExists}, CodeNotFound: {ErrNotFound}, CodeLimit: {ErrUnavailable}, CodeInternal: {ErrUnavailable},
		CodeConflict: {ErrConflict}, CodeInvalid: nil, CodeForbidden: nil, "said later": nil, "": nil,
	}
	all := []error{ErrSignature, ErrClock, ErrReplayed, ErrLogin, ErrExists, ErrNotFound, ErrConflict, ErrUnavailable, ErrUnreachable, ErrNotJSON, ErrPassword}
	for code, kinds := range want {
		f := newFakeServer(t, saying(fmt.Sprintf(`{"status":"ERROR","errormessage":"because","errorcode":%q}`, code)))
		_, err := f.signedIn(t).Favorite(t.Context(), testChat)
		var refused *RefusedError
		if !errors.Is(err, ErrRefused) || !errors.As(err, &refused) || *refused != (RefusedError{"favorite", "ERROR", "because", code}) {
			t.Errorf("code %q: got %#v", code, err)
		}
		for _, kind := range all {
			if errors.Is(err, kind) != slices.Contains(kinds, kind) {
				t.Errorf("code %q: is %v = %t", code, kind, errors.Is(err, kind))
			}
		}
	}
}

func TestAFriendsPublicKeyImports(t *testing.T) {
	spki := base64.StdEncoding.EncodeToString(readVectors(t).Key.SPKI)
	f := newFakeServer(t, saying(`{"status":"OK","friends":{"a":"A"},"availabilities":[{"friendid":"a","publickey":"`+spki+`"}]}`))
	friends, err := f.signedIn(t).Friends(t.Context())
	if err != nil || friends.Friends["a"] != "A" || len(friends.Availabilities) != 1 {
		t.Fatal(friends, err)
	}
	if _, err := schemeNamed(t, "").ImportPublicKey(t.Context(), unbase64(t, friends.Availabilities[0].PublicKey)); err != nil {
		t.Error(err)
	}
}
