package chatserver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"starling/chatserver/files"
	"starling/chatserver/files/filestest"
	"starling/ozeki"
)

func untold(int64) {}

// announce makes a file that is not sent yet.
func (u *user) announce(c *ozeki.Conversation, content []byte) (ozeki.FileCreateRequest, *ozeki.FileAnswer) {
	u.f.t.Helper()
	r := ozeki.FileCreateRequest{ConversationID: c.ID, Instance: c.Instance, FileID: ozeki.NewFileID(), Size: int64(len(content)), SHA256: filestest.Sum(content)}
	a, err := u.CreateFile(u.f.t.Context(), r)
	if err != nil {
		u.f.t.Fatal(err)
	}
	return r, a
}

// upload sends a whole file.
func (u *user) upload(c *ozeki.Conversation, content []byte) ozeki.FileID {
	u.f.t.Helper()
	r, a := u.announce(c, content)
	if err := u.PutFile(u.f.t.Context(), r.FileID, a.Ticket, ozeki.NewBlob(content), untold); err != nil {
		u.f.t.Fatal(err)
	}
	return r.FileID
}

// sendFiles sends a message with files.
func (u *user) sendFiles(c *ozeki.Conversation, ids ...ozeki.FileID) (ozeki.Message, error) {
	m := u.f.message("aGVsbG8=")
	m.Files = ids
	_, err := u.Add(u.f.t.Context(), c.ID, c.Instance, m)
	return m, err
}

func (u *user) fetch(c *ozeki.Conversation, id ozeki.FileID) ([]byte, error) {
	a, err := u.FetchFile(u.f.t.Context(), ozeki.FileFetchRequest{ConversationID: c.ID, FileID: id})
	if err != nil {
		return nil, err
	}
	b, err := u.GetFile(u.f.t.Context(), id, a.Ticket, untold)
	return b.Bytes(), err
}

// has reports whether the bytes of a file are there.
func (f *fixture) has(id ozeki.FileID) bool {
	f.t.Helper()
	c, err := f.files.Open(f.t.Context(), id)
	if err == nil {
		c.Close()
	} else if !errors.Is(err, files.ErrNotFound) {
		f.t.Error(err)
	}
	return err == nil
}

// transfer sends a request for a file as it is.
func (f *fixture) transfer(method string, id ozeki.FileID, ticket string, body io.Reader, header map[string]string) (int, http.Header, []byte) {
	f.t.Helper()
	req, err := http.NewRequest(method, f.http.URL+"/ozeki/file/"+string(id)+"?ticket="+ticket, body)
	if err != nil {
		f.t.Fatal(err)
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	res, err := f.http.Client().Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return res.StatusCode, res.Header, b
}

// refusedAs fails the test unless the answer is a refusal with the HTTP status and the code.
func refusedAs(t *testing.T, what string, status int, body []byte, wantStatus int, code string) {
	t.Helper()
	var a ozeki.Answer
	if err := json.Unmarshal(body, &a); err != nil || status != wantStatus || a.ErrorCode != code || !strings.HasSuffix(a.ErrorMessage, ".") {
		t.Errorf("%s: %d %s, want %d %s", what, status, body, wantStatus, code)
	}
}

var content = bytes.Repeat([]byte("encrypted "), 500)

func TestAFileIsSentWithAMessageAndGotByTheMembers(t *testing.T) {
	f := newFixture(t)
	alice, bob, carol := f.user("Alice", 0), f.user("Bob", 1), f.user("Carol", 2)
	c := f.direct(alice, bob)
	if !alice.Session().Has(ozeki.ExtFiles) {
		t.Fatal("files are not offered")
	}
	id := alice.upload(c, content)
	if _, err := bob.fetch(c, id); !errors.Is(err, ozeki.ErrNotFound) {
		t.Errorf("before it is sent Bob gets %v", err)
	}
	m, err := alice.sendFiles(c, id)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range []*user{alice, bob} {
		if got, err := u.fetch(c, id); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%s got %d bytes, %v", u.email, len(got), err)
		}
		if h := u.history(c); len(h) != 1 || !slices.Equal(h[0].Files, m.Files) || len(h[0].Extra) != 0 {
			t.Errorf("%+v", h)
		}
	}
	if _, err := carol.fetch(c, id); !errors.Is(err, ozeki.ErrNotFound) {
		t.Errorf("who is no member gets %v", err)
	}
	other := f.direct(bob, carol)
	if _, err := bob.fetch(other, id); !errors.Is(err, ozeki.ErrNotFound) {
		t.Errorf("in another conversation: %v", err)
	}
	if _, err := alice.sendFiles(c, id); !errors.Is(err, ozeki.ErrNotFound) {
		t.Errorf("in a second message: %v", err)
	}
	a, err := bob.FetchFile(t.Context(), ozeki.FileFetchRequest{ConversationID: c.ID, FileID: id})
	if err != nil {
		t.Fatal(err)
	}
	status, h, b := f.transfer("GET", id, a.Ticket, nil, map[string]string{"Range": "bytes=10-19"})
	if status != http.StatusPartialContent || string(b) != "encrypted " {
		t.Errorf("a part: %d %q", status, b)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/octet-stream", "Content-Disposition": "attachment", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
	} {
		if h.Get(name) != want {
			t.Errorf("%s is %q", name, h.Get(name))
		}
	}
	if !strings.Contains(h.Get("Content-Security-Policy"), "sandbox") {
		t.Error("no sandbox")
	}
}

func TestARepeatedTransferIsOneFile(t *testing.T) {
	f := newFixture(t)
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	c := f.direct(alice, bob)
	r, first := alice.announce(c, content)
	for range 2 {
		if err := alice.PutFile(t.Context(), r.FileID, first.Ticket, ozeki.NewBlob(content), untold); err != nil {
			t.Fatal(err)
		}
	}
	again, err := alice.CreateFile(t.Context(), r)
	if err != nil || !again.Stored || first.Stored {
		t.Errorf("again: %+v %v, first %+v", again, err, first)
	}
	m, err := alice.sendFiles(c, r.FileID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := alice.signIn().Add(t.Context(), c.ID, c.Instance, m); err != nil {
		t.Errorf("the message again: %v", err)
	}
	m.Files = nil
	if _, err := alice.Add(t.Context(), c.ID, c.Instance, m); !errors.Is(err, ozeki.ErrExists) {
		t.Errorf("the message again without its file: %v", err)
	}
	for _, change := range []func(*ozeki.FileCreateRequest){
		func(r *ozeki.FileCreateRequest) { r.Size++ }, func(r *ozeki.FileCreateRequest) { r.SHA256 = filestest.Sum(nil) },
	} {
		other := r
		change(&other)
		if _, err := alice.CreateFile(t.Context(), other); !errors.Is(err, ozeki.ErrExists) {
			t.Errorf("%+v: %v", other, err)
		}
	}
	if _, err := bob.CreateFile(t.Context(), r); !errors.Is(err, ozeki.ErrExists) {
		t.Errorf("by another: %v", err)
	}
}

func TestAFileIsCheckedBeforeItIsTaken(t *testing.T) {
	f := newFixture(t)
	alice, bob, carol := f.user("Alice", 0), f.user("Bob", 1), f.user("Carol", 2)
	c := f.direct(alice, bob)
	good := ozeki.FileCreateRequest{ConversationID: c.ID, Instance: c.Instance, FileID: ozeki.NewFileID(), Size: 100, SHA256: filestest.Sum(nil)}
	for _, change := range []func(*ozeki.FileCreateRequest){
		func(r *ozeki.FileCreateRequest) { r.FileID = "" },
		func(r *ozeki.FileCreateRequest) { r.FileID = "../../etc/passwd" },
		func(r *ozeki.FileCreateRequest) { r.FileID = ozeki.FileID(strings.ToUpper("a" + string(r.FileID)[1:])) },
		func(r *ozeki.FileCreateRequest) { r.Size = 27 },
		func(r *ozeki.FileCreateRequest) { r.Size = -1 },
		func(r *ozeki.FileCreateRequest) { r.Size = 100_001 },
		func(r *ozeki.FileCreateRequest) { r.SHA256 = "" },
		func(r *ozeki.FileCreateRequest) { r.SHA256 = strings.ToUpper(r.SHA256) },
		func(r *ozeki.FileCreateRequest) { r.SHA256 = r.SHA256[2:] },
		func(r *ozeki.FileCreateRequest) { r.Instance = "0123456789" },
	} {
		r := good
		change(&r)
		var refusal *ozeki.RefusedError
		if _, err := alice.CreateFile(t.Context(), r); !errors.As(err, &refusal) || refusal.Code != ozeki.CodeInvalid || refusal.Message == "" {
			t.Errorf("%+v: %v", r, err)
		}
	}
	if _, err := carol.CreateFile(t.Context(), good); !errors.Is(err, ozeki.ErrNotFound) {
		t.Errorf("by who is no member: %v", err)
	}
	good.Size = 100_000
	if _, err := alice.CreateFile(t.Context(), good); err != nil {
		t.Errorf("the largest: %v", err)
	}
}

func TestOneUsersFilesHaveALimitAndGiveRoomBack(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	f.srv.maxFiles = 250
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	c := f.direct(alice, bob)
	content := bytes.Repeat([]byte("x"), 100)
	send := func() (ozeki.Message, error) { return alice.sendFiles(c, alice.upload(c, content)) }
	first, err := send()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := send(); err != nil {
		t.Fatal(err)
	}
	third := ozeki.FileCreateRequest{ConversationID: c.ID, Instance: c.Instance, FileID: ozeki.NewFileID(), Size: 51, SHA256: filestest.Sum(nil)}
	var refusal *ozeki.RefusedError
	if _, err := alice.CreateFile(ctx, third); !errors.As(err, &refusal) || refusal.Code != ozeki.CodeFull || !strings.Contains(refusal.Message, "Delete messages") {
		t.Errorf("%v", err)
	}
	if _, err := bob.CreateFile(ctx, third); err != nil {
		t.Errorf("another one's room: %v", err)
	}
	third.FileID, third.Size = ozeki.NewFileID(), 50
	for range 2 { // a repeat takes no more room
		if _, err := alice.CreateFile(ctx, third); err != nil {
			t.Errorf("the last bytes: %v", err)
		}
	}
	if _, err := alice.DeleteMessage(ctx, ozeki.MessageDeleteRequest{ConversationID: c.ID, Instance: c.Instance, MessageID: first.ID}); err != nil {
		t.Fatal(err)
	}
	if _, err := send(); err != nil {
		t.Errorf("after one has gone: %v", err)
	}
}

func TestAMessageTakesOnlyItsSendersStoredFiles(t *testing.T) {
	f := newFixture(t)
	alice, bob, carol := f.user("Alice", 0), f.user("Bob", 1), f.user("Carol", 2)
	c, other := f.direct(alice, bob), f.direct(alice, carol)
	good, theirs, elsewhere := alice.upload(c, content), bob.upload(c, content), alice.upload(other, content)
	unsent, _ := alice.announce(c, content)
	for what, id := range map[string]ozeki.FileID{"not sent": unsent.FileID, "somebody else's": theirs, "elsewhere": elsewhere, "unknown": ozeki.NewFileID()} {
		if _, err := alice.sendFiles(c, good, id); !errors.Is(err, ozeki.ErrNotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}
	var many []ozeki.FileID
	for range ozeki.MaxFiles + 1 {
		many = append(many, ozeki.NewFileID())
	}
	for what, ids := range map[string][]ozeki.FileID{"too many": many, "twice": {good, good}, "no ids": {"x"}} {
		var refusal *ozeki.RefusedError
		if _, err := alice.sendFiles(c, ids...); !errors.As(err, &refusal) || refusal.Code != ozeki.CodeInvalid {
			t.Errorf("%s: %v", what, err)
		}
	}
	if h := alice.history(c); len(h) != 0 {
		t.Errorf("stored: %+v", h)
	}
	if _, err := alice.sendFiles(c, good); err != nil {
		t.Error(err)
	}
}

func TestATicketIsForOnePersonOneFileOneWayAndAWhile(t *testing.T) {
	f := newFixture(t)
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	c := f.direct(alice, bob)
	r, put := alice.announce(c, content)
	other, _ := alice.announce(c, content)
	body := func() io.Reader { return bytes.NewReader(content) }
	for what, try := range map[string]func() (int, []byte){
		"no ticket": func() (int, []byte) { s, _, b := f.transfer("PUT", r.FileID, "", body(), nil); return s, b },
		"a made-up one": func() (int, []byte) {
			s, _, b := f.transfer("PUT", r.FileID, strings.Repeat("A", 100), body(), nil)
			return s, b
		},
		"another file's": func() (int, []byte) { s, _, b := f.transfer("PUT", other.FileID, put.Ticket, body(), nil); return s, b },
		"the other way":  func() (int, []byte) { s, _, b := f.transfer("GET", r.FileID, put.Ticket, nil, nil); return s, b },
		"another page": func() (int, []byte) {
			s, _, b := f.transfer("PUT", r.FileID, put.Ticket, body(), map[string]string{"Origin": "https://elsewhere.example"})
			return s, b
		},
	} {
		status, b := try()
		refusedAs(t, what, status, b, http.StatusForbidden, ozeki.CodeForbidden)
	}
	status, h, b := f.transfer("POST", r.FileID, put.Ticket, body(), nil)
	refusedAs(t, "another method", status, b, http.StatusMethodNotAllowed, ozeki.CodeInvalid)
	if h.Get("Allow") != "GET, PUT" {
		t.Errorf("allowed are %q", h.Get("Allow"))
	}
	f.clock.move(ticketLife)
	if status, _, b := f.transfer("PUT", r.FileID, put.Ticket, body(), nil); status != http.StatusOK {
		t.Errorf("in time: %d %s", status, b)
	}
	f.clock.move(time.Second)
	status, _, b = f.transfer("PUT", r.FileID, put.Ticket, body(), nil)
	refusedAs(t, "too late", status, b, http.StatusForbidden, ozeki.CodeForbidden)
	if _, err := alice.sendFiles(c, r.FileID); err != nil {
		t.Fatal(err)
	}
	get, err := bob.FetchFile(t.Context(), ozeki.FileFetchRequest{ConversationID: c.ID, FileID: r.FileID})
	if err != nil {
		t.Fatal(err)
	}
	status, _, b = f.transfer("PUT", r.FileID, get.Ticket, body(), nil)
	refusedAs(t, "a reader writes", status, b, http.StatusForbidden, ozeki.CodeForbidden)
	f.restart()
	status, _, b = f.transfer("GET", r.FileID, get.Ticket, nil, nil)
	refusedAs(t, "of an earlier run", status, b, http.StatusForbidden, ozeki.CodeForbidden)
}

func TestWhatIsNotTheAnnouncedFileIsNotKept(t *testing.T) {
	f := newFixture(t)
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	c := f.direct(alice, bob)
	r, a := alice.announce(c, content)
	for what, body := range map[string]io.Reader{
		"shorter": bytes.NewReader(content[1:]), "longer": bytes.NewReader(append([]byte("x"), content...)), "empty": http.NoBody,
		"another":         bytes.NewReader(bytes.ToUpper(content)),
		"longer, in bits": io.MultiReader(bytes.NewReader(content), strings.NewReader("x")), "shorter, in bits": io.MultiReader(bytes.NewReader(content[1:])),
	} {
		status, _, b := f.transfer("PUT", r.FileID, a.Ticket, body, nil)
		refusedAs(t, what, status, b, http.StatusBadRequest, ozeki.CodeInvalid)
	}
	if f.has(r.FileID) {
		t.Error("something was kept")
	}
	ctx, cancel := context.WithCancel(t.Context())
	err := alice.PutFile(ctx, r.FileID, a.Ticket, ozeki.NewBlob(content), func(n int64) { cancel() })
	if !errors.Is(err, ozeki.ErrUnreachable) {
		t.Errorf("a cut transfer: %v", err)
	}
	if err := alice.PutFile(t.Context(), r.FileID, a.Ticket, ozeki.NewBlob(content), untold); err != nil || !f.has(r.FileID) {
		t.Errorf("after all that: %v", err)
	}
}

// fullFiles has no room.
type fullFiles struct{ files.Store }

func (fullFiles) Put(context.Context, ozeki.FileID, io.Reader, int64, string) error {
	return fmt.Errorf("%w: of the test", files.ErrFull)
}

func TestAFullDiskIsSaidAndPasses(t *testing.T) {
	f := newFixture(t)
	room := f.files
	f.stop()
	f.files = fullFiles{room}
	f.start()
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	c := f.direct(alice, bob)
	r, a := alice.announce(c, content)
	var refusal *ozeki.RefusedError
	err := alice.PutFile(t.Context(), r.FileID, a.Ticket, ozeki.NewBlob(content), untold)
	if !errors.As(err, &refusal) || refusal.Code != ozeki.CodeFull || !strings.Contains(refusal.Message, "no room") || errors.Is(err, ozeki.ErrUnavailable) {
		t.Errorf("%v", err)
	}
	f.srv.files = room
	if err := alice.PutFile(t.Context(), r.FileID, a.Ticket, ozeki.NewBlob(content), untold); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

func TestFilesWithoutAMessageGoAfterADay(t *testing.T) {
	f := newFixture(t)
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	c := f.direct(alice, bob)
	sent, forgotten := alice.upload(c, content), alice.upload(c, content)
	unsent, _ := alice.announce(c, content)
	if _, err := alice.sendFiles(c, sent); err != nil {
		t.Fatal(err)
	}
	tend := func() {
		t.Helper()
		if err := errors.Join(f.srv.purgeFiles(t.Context()), f.srv.removeFiles(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	f.clock.move(unattachedLife)
	tend()
	if !f.has(forgotten) {
		t.Error("it is gone too early")
	}
	_, a := alice.announce(c, content)
	f.clock.move(time.Second)
	tend()
	if f.has(forgotten) || !f.has(sent) || a.Ticket == "" {
		t.Errorf("forgotten %t, sent %t", f.has(forgotten), f.has(sent))
	}
	if _, err := alice.sendFiles(c, forgotten); !errors.Is(err, ozeki.ErrNotFound) {
		t.Errorf("a message with it: %v", err)
	}
	again, err := alice.CreateFile(t.Context(), unsent)
	if err != nil || again.Stored {
		t.Errorf("announced again: %+v %v", again, err)
	}
	if got, err := bob.fetch(c, sent); err != nil || !bytes.Equal(got, content) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestAServerWithoutFilesOffersNone(t *testing.T) {
	f := newFixture(t)
	f.stop()
	f.files = nil
	f.start()
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	c := f.direct(alice, bob)
	if alice.Session().Has(ozeki.ExtFiles) || len(alice.Session().Limits) != 0 {
		t.Error("it offers files")
	}
	if _, err := alice.CreateFile(t.Context(), ozeki.FileCreateRequest{ConversationID: c.ID}); !errors.Is(err, ozeki.ErrRefused) {
		t.Errorf("announced: %v", err)
	}
	if _, err := alice.sendFiles(c, ozeki.NewFileID()); !errors.Is(err, ozeki.ErrRefused) {
		t.Errorf("sent: %v", err)
	}
}

func TestFilesGoWhenTheConversationIsCleared(t *testing.T) {
	f := newFixture(t)
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	c := f.direct(alice, bob)
	sent := alice.upload(c, content)
	if _, err := alice.sendFiles(c, sent); err != nil {
		t.Fatal(err)
	}
	if _, err := bob.Clear(t.Context(), c.ID, c.Instance); err != nil {
		t.Fatal(err)
	}
	if _, err := alice.fetch(c, sent); !errors.Is(err, ozeki.ErrNotFound) {
		t.Errorf("afterwards: %v", err)
	}
	if err := f.srv.removeFiles(t.Context()); err != nil || f.has(sent) {
		t.Errorf("it is still there: %t, %v", f.has(sent), err)
	}
}

// A file is served for as long as its message is, also to who has a ticket already.
func TestAFileIsOverWithItsMessage(t *testing.T) {
	f := newFixture(t)
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	c := f.direct(alice, bob)
	m := f.message("aGVsbG8=")
	m.Files, m.ValidUntil = []ozeki.FileID{alice.upload(c, content)}, ozeki.TimeOf(f.clock.now().Add(time.Minute))
	if _, err := alice.Add(t.Context(), c.ID, c.Instance, m); err != nil {
		t.Fatal(err)
	}
	a, err := bob.FetchFile(t.Context(), ozeki.FileFetchRequest{ConversationID: c.ID, FileID: m.Files[0]})
	if err != nil {
		t.Fatal(err)
	}
	f.clock.move(time.Minute)
	if _, _, b := f.transfer("GET", m.Files[0], a.Ticket, nil, nil); bytes.Equal(b, content) {
		t.Error("it is served to who has a ticket")
	}
	if _, err := bob.fetch(c, m.Files[0]); !errors.Is(err, ozeki.ErrNotFound) {
		t.Errorf("it is served: %v", err)
	}
}
