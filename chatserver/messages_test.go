package chatserver

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"starling/ozeki"
)

func (f *fixture) message(text string) ozeki.Message {
	return ozeki.Message{
		ID: ozeki.NewMessageID(), Type: ozeki.TypeMessage, Created: ozeki.TimeOf(f.clock.now()), ValidUntil: ozeki.TimeOf(f.clock.now().AddDate(0, 0, 7)), Data: text,
	}
}

// history reads a whole conversation from the beginning.
func (u *user) history(c *ozeki.Conversation) []ozeki.Message {
	u.f.t.Helper()
	a, err := u.Download(u.f.t.Context(), ozeki.DownloadRequest{ConversationID: c.ID, Instance: c.Instance})
	if err != nil {
		u.f.t.Fatal(err)
	}
	return a.Messages
}

func TestAMessageArrivesAsItWasSent(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	c := f.direct(alice, bob)
	f.clock.move(time.Hour)
	m := f.message("aGVsbG8=")
	m.From = bob.id // what a message says of its sender does not count
	m.Extra = ozeki.Extra{"Colour": []byte(`{"a":[1,null,"ő"]}`)}
	stored, err := alice.Add(ctx, c.ID, c.Instance, m)
	if err != nil {
		t.Fatal(err)
	}
	want := m
	want.From, want.Data = alice.id, ""
	if !reflect.DeepEqual(*stored, want) {
		t.Errorf("answer\n%+v\nwant\n%+v", *stored, want)
	}
	want.Data = m.Data
	for _, u := range []*user{alice, bob} {
		if got := u.history(c); len(got) != 1 || !reflect.DeepEqual(got[0], want) {
			t.Errorf("got\n%+v\nwant\n%+v", got, want)
		}
		list, err := u.Conversations(ctx)
		if err != nil || list[0].LastMessageID != m.ID || list[0].LastAccess != f.clock.now().Unix() {
			t.Errorf("%+v %v", list, err)
		}
	}
	empty := f.direct(alice, f.user("Carol", 2))
	a := f.send(alice.raw(ozeki.CallDownload, f.body(ozeki.CallDownload, field("requestid", ozeki.NewRequestID()), field("conversationid", empty.ID))))
	if !strings.Contains(a.body, `"reports":[]`) || !strings.Contains(a.body, `"status":"OK"`) || !strings.Contains(a.body, `"errormessage":""`) {
		t.Errorf("download: %s", a.body)
	}
}

func TestAMessageIsStoredOnce(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	c := f.direct(alice, bob)
	m := f.message("aGVsbG8=")
	first, err := alice.Add(ctx, c.ID, c.Instance, m)
	if err != nil {
		t.Fatal(err)
	}
	f.clock.move(time.Hour)
	again, err := alice.signIn().Add(ctx, c.ID, c.Instance, m) // under a new request id, from another station
	if err != nil || !reflect.DeepEqual(again, first) {
		t.Errorf("%+v %v, first %+v", again, err, first)
	}
	other := m
	other.Data = "b3RoZXI="
	if _, err := alice.Add(ctx, c.ID, c.Instance, other); !errors.Is(err, ozeki.ErrExists) {
		t.Errorf("another text: %v", err)
	}
	if _, err := bob.Add(ctx, c.ID, c.Instance, m); !errors.Is(err, ozeki.ErrExists) {
		t.Errorf("another sender: %v", err)
	}
	if got := alice.history(c); len(got) != 1 || got[0].Data != m.Data {
		t.Errorf("%+v", got)
	}
}

func TestOneMessageSentFromTwoStationsAtOnceIsOne(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	alice2 := alice.signIn()
	c := f.direct(alice, bob)
	var all sync.WaitGroup
	for range 10 {
		m := f.message("aGVsbG8=")
		for _, u := range []*user{alice, alice2} {
			all.Go(func() {
				if _, err := u.Add(ctx, c.ID, c.Instance, m); err != nil {
					t.Error(err)
				}
			})
		}
	}
	all.Wait()
	if got := bob.history(c); len(got) != 10 {
		t.Errorf("%d messages", len(got))
	}
}

func TestAMessageIsCheckedBeforeItIsStored(t *testing.T) {
	f := newFixture(t)
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	c := f.direct(alice, bob)
	id := string(ozeki.NewMessageID())
	good := `{"ID":"` + id + `","Type":"Message","Created":"2026-03-10 12:00:00","ValidUntil":"2026-03-17 12:00:00","Data":"AAAA"}`
	send := func(instance ozeki.Instance, message any) answer {
		t.Helper()
		return f.send(alice.raw(ozeki.CallAdd, f.body(ozeki.CallAdd, field("conversationid", c.ID), field("instance", instance), field("message", message))))
	}
	for _, message := range []any{
		"", "x", "null", "[]", "{}", 5, nil, map[string]string{"ID": id},
		strings.Replace(good, id, "", 1), strings.Replace(good, id, "1", 1), strings.Replace(good, id, strings.ReplaceAll(id, "-", ""), 1), strings.Replace(good, id, "{"+id[1:], 1),
		strings.Replace(good, `"Message"`, `""`, 1), strings.Replace(good, `"Message"`, `"`+strings.Repeat("x", 33)+`"`, 1), strings.Replace(good, `"Message"`, `"a\u0000"`, 1),
		strings.Replace(good, "2026-03-10 12:00:00", "", 1), strings.Replace(good, "2026-03-10 12:00:00", "2026-03-10T12:00:00Z", 1),
		strings.Replace(good, "2026-03-17 12:00:00", "soon", 1),
		strings.Replace(good, "AAAA", "", 1), strings.Replace(good, "AAAA", "AAA", 1), strings.Replace(good, "AAAA", `AA\nAA`, 1),
		strings.Replace(good, "AAAA", strings.Repeat("AAAA", maxData/4+1), 1), strings.Replace(good, "AAAA", "<b>", 1),
		strings.Replace(good, `"Data"`, `"from":"`+string(bob.id)+`","Data"`, 1), strings.Replace(good, `"Data"`, `"FROM":"x","Data"`, 1),
		strings.Replace(good, `"Data"`, `"data":"BBBB","Data"`, 1), strings.Replace(good, `"Data"`, `"From":{},"Data"`, 1),
		strings.Replace(good, `"Data"`, `"ſ":1,"iD":"x","Data"`, 1),
		strings.Replace(good, `"Data"`, `"x":`+strings.Repeat("[", 50)+strings.Repeat("]", 50)+`,"Data"`, 1),
		strings.Replace(good, `"Data"`, `"x":"`+strings.Repeat("y", maxMessage)+`","Data"`, 1),
		good + good,
	} {
		if a := send(c.Instance, message); a.ErrorCode != ozeki.CodeInvalid {
			t.Errorf("%.150v: %s", message, a.body)
		}
	}
	for _, instance := range []ozeki.Instance{"", "7sSwU2VoFM", ozeki.Instance(strings.ToLower(string(c.Instance)) + "x")} {
		if a := send(instance, good); a.ErrorCode != ozeki.CodeInvalid || !strings.Contains(a.ErrorMessage, "cleared") {
			t.Errorf("instance %q: %s", instance, a.body)
		}
	}
	if got := alice.history(c); len(got) != 0 {
		t.Errorf("stored: %+v", got)
	}
	send(c.Instance, strings.Replace(good, "AAAA", strings.Repeat("AAAA", maxData/4), 1)).want(t, "")
	send(c.Instance, strings.Replace(strings.Replace(good, id, string(ozeki.NewMessageID()), 1), `"Message"`, `"Reaction 👍"`, 1)).want(t, "")
}

func TestExpiredMessagesAreNotDelivered(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	c := f.direct(alice, bob)
	burn, keep := f.message("YnVybg=="), f.message("a2VlcA==")
	burn.ValidUntil, keep.ValidUntil = ozeki.TimeOf(f.clock.now().Add(time.Minute)), ozeki.Time{}
	for _, m := range []ozeki.Message{burn, keep} {
		if _, err := alice.Add(ctx, c.ID, c.Instance, m); err != nil {
			t.Fatal(err)
		}
	}
	if got := bob.history(c); len(got) != 2 {
		t.Errorf("%+v", got)
	}
	f.clock.move(time.Minute)
	if got := bob.history(c); len(got) != 1 || got[0].ID != keep.ID {
		t.Errorf("%+v", got)
	}
	// It still says from where to go on.
	a, err := bob.Download(ctx, ozeki.DownloadRequest{ConversationID: c.ID, Instance: c.Instance, FirstMessageID: burn.ID})
	if err != nil || len(a.Messages) != 1 {
		t.Errorf("%+v %v", a, err)
	}
	p, err := bob.DownloadPartial(ctx, ozeki.DownloadPartialRequest{ConversationID: c.ID, Instance: c.Instance})
	if err != nil || len(p.Messages) != 1 {
		t.Errorf("%+v %v", p, err)
	}
}

func TestFiveHundredMessagesAreReadInPagesWithoutGapOrRepeat(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	c := f.direct(alice, bob)
	var want []ozeki.MessageID
	for i := range 500 {
		m := f.message("AAAA")
		m.Created = ozeki.TimeOf(f.clock.now().Add(-time.Duration(i) * time.Hour)) // clocks do not order
		u := []*user{alice, bob}[i%2]
		if _, err := u.Add(ctx, c.ID, c.Instance, m); err != nil {
			t.Fatal(err)
		}
		want = append(want, m.ID)
	}
	ids := func(list []ozeki.Message) (out []ozeki.MessageID) {
		for _, m := range list {
			out = append(out, m.ID)
		}
		return out
	}
	for limit, page := range map[int]int{0: 50, 50: 50, 7: 7, 200: 200, 1000: 200} {
		var got []ozeki.MessageID
		for {
			r := ozeki.DownloadPartialRequest{ConversationID: c.ID, Instance: c.Instance, Limit: limit}
			if len(got) > 0 {
				r.LastMessageID = got[0]
			}
			a, err := bob.DownloadPartial(ctx, r)
			if err != nil {
				t.Fatal(err)
			}
			if len(a.Messages) == 0 {
				break
			}
			if len(got)+page <= 500 && len(a.Messages) != page {
				t.Errorf("limit %d: page of %d", limit, len(a.Messages))
			}
			got = append(ids(a.Messages), got...)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("limit %d: %d messages, in another order or with gaps", limit, len(got))
		}
	}
	if got := ids(alice.history(c)); !reflect.DeepEqual(got, want) {
		t.Errorf("download: %d messages", len(got))
	}
	for first, n := range map[ozeki.MessageID]int{want[499]: 1, want[250]: 250, want[0]: 500, ozeki.NewMessageID(): 500, "": 500} {
		a, err := alice.Download(ctx, ozeki.DownloadRequest{ConversationID: c.ID, Instance: c.Instance, FirstMessageID: first})
		if err != nil || len(a.Messages) != n {
			t.Errorf("from %s on: %d messages, want %d, %v", first, len(a.Messages), n, err)
		}
	}
	_, err := alice.DownloadPartial(ctx, ozeki.DownloadPartialRequest{ConversationID: c.ID, Instance: c.Instance, LastMessageID: ozeki.NewMessageID()})
	if !errors.Is(err, ozeki.ErrNotFound) {
		t.Errorf("before an unknown one: %v", err)
	}
	_, err = alice.Download(ctx, ozeki.DownloadRequest{ConversationID: c.ID, Instance: "7sSwU2VoFM"})
	var refused *ozeki.RefusedError
	if !errors.As(err, &refused) || refused.Code != ozeki.CodeInvalid {
		t.Errorf("another instance: %v", err)
	}
}

func TestALongHistoryIsDownloadedInTurns(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	err := Seed(ctx, f.store, scheme, SeedOptions{Users: 2, Conversations: 1, Messages: maxDownload + 5, SignIn: 1, Now: f.clock.now()})
	if err != nil {
		t.Fatal(err)
	}
	c := ozeki.NewClient(ozeki.Options{Base: f.http.URL + testPath, Clock: f.clock.now})
	cred, err := scheme.Credentials(ctx, "user1@example.com", DemoPassword)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.SignIn(ctx, ozeki.NewStationID(), cred.APIKey, cred.EncryptionPassword); err != nil {
		t.Fatal(err)
	}
	list, err := c.Conversations(ctx)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[ozeki.MessageID]bool{}
	var last ozeki.MessageID
	for range 3 {
		a, err := c.Download(ctx, ozeki.DownloadRequest{ConversationID: list[0].ID, Instance: list[0].Instance, FirstMessageID: last})
		if err != nil || len(a.Messages) > maxDownload {
			t.Fatal(len(a.Messages), err)
		}
		for _, m := range a.Messages {
			seen[m.ID] = true
		}
		last = a.Messages[len(a.Messages)-1].ID
	}
	if len(seen) != maxDownload+5 || last != list[0].LastMessageID {
		t.Errorf("%d messages", len(seen))
	}
}

func TestMessagesOfManySendersHaveOneOrder(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	c := f.direct(alice, bob)
	var all sync.WaitGroup
	for i, u := range []*user{alice, bob, alice.signIn(), bob.signIn()} {
		all.Go(func() {
			for n := range 10 {
				m := f.message("AAAA")
				m.Extra = ozeki.Extra{"n": []byte(fmt.Sprint(i*100 + n))}
				if _, err := u.Add(ctx, c.ID, c.Instance, m); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	got := alice.history(c)
	if len(got) != 40 || !reflect.DeepEqual(got, bob.history(c)) {
		t.Errorf("%d messages, or not the same for both", len(got))
	}
	next := map[int]int{}
	for _, m := range got {
		var n int
		if err := json.Unmarshal(m.Extra["n"], &n); err != nil {
			t.Fatal(err)
		}
		if n%100 != next[n/100] {
			t.Errorf("message %d of sender %d, want %d", n%100, n/100, next[n/100])
		}
		next[n/100]++
	}
}
