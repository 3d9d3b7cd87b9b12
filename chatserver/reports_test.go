package chatserver

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"starling/ozeki"
)

// write adds messages of a user's and returns their ids.
func (u *user) write(c *ozeki.Conversation, n int) (ids []ozeki.MessageID) {
	u.f.t.Helper()
	for range n {
		m := u.f.message("AAAA")
		if _, err := u.Add(u.f.t.Context(), c.ID, c.Instance, m); err != nil {
			u.f.t.Fatal(err)
		}
		ids = append(ids, m.ID)
	}
	return ids
}

// views reports messages as viewed.
func (u *user) views(c *ozeki.Conversation, ids ...ozeki.MessageID) error {
	return u.Report(u.f.t.Context(), ozeki.ReportRequest{ConversationID: c.ID, Instance: c.Instance, MessageIDs: ids})
}

// reports are the marks that a download gives, as "who type message" by the given names.
func (u *user) reports(c *ozeki.Conversation, first ozeki.ReportID, names map[any]string) (out []string, last ozeki.ReportID) {
	u.f.t.Helper()
	a, err := u.Download(u.f.t.Context(), ozeki.DownloadRequest{ConversationID: c.ID, Instance: c.Instance, FirstReportID: first})
	if err != nil {
		u.f.t.Fatal(err)
	}
	for _, r := range a.Reports {
		out, last = append(out, names[r.From]+" "+r.Type+" "+names[r.MessageID]), r.ID
	}
	return out, last
}

// overview is how the user's list shows a conversation: what is unread, what was viewed last, what was written last.
func (u *user) overview(c *ozeki.Conversation, names map[any]string) string {
	u.f.t.Helper()
	list, err := u.Conversations(u.f.t.Context(), c.ID)
	if err != nil || len(list) != 1 || list[0].Unread == nil {
		u.f.t.Fatal(list, err)
	}
	last := "-"
	if m := list[0].LastMessage; m != nil {
		last = names[m.From] + ":" + names[m.ID] + ":" + m.Data
	}
	return fmt.Sprintf("%d %q %s", *list[0].Unread, names[list[0].Viewed], last)
}

func TestASenderLearnsWhatWasDeliveredAndViewed(t *testing.T) {
	f := newFixture(t)
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	c := f.direct(alice, bob)
	m := alice.write(c, 3)
	names := map[any]string{alice.id: "alice", bob.id: "bob", m[0]: "0", m[1]: "1", m[2]: "2"}
	got, _ := alice.reports(c, "", names)
	f.equal(got, []string(nil))

	_, cursor := alice.poll(0)
	bob.history(c)
	told1, cursor := alice.poll(cursor)
	f.equal(told1.contents, []ozeki.ConversationID{c.ID})
	got, first := alice.reports(c, "", names)
	f.equal(got, []string{"bob delivered 2"})
	bob.history(c) // once more
	told2, cursor := alice.poll(cursor)
	f.equal(told2, nothing())

	if err := bob.views(c, m[1], m[0]); err != nil {
		t.Fatal(err)
	}
	told3, _ := alice.poll(cursor)
	f.equal(told3, told{[]ozeki.UserID{}, []ozeki.ConversationID{c.ID}, []ozeki.ConversationID{}})
	got, second := alice.reports(c, first, names)
	f.equal(got, []string{"bob delivered 2", "bob viewed 1"})
	got, _ = alice.reports(c, second, names)
	f.equal(got, []string{"bob viewed 1"})
	got, _ = alice.reports(c, ozeki.NewReportID(), names)
	f.equal(got, []string{"bob delivered 2", "bob viewed 1"})
	p, err := alice.DownloadPartial(t.Context(), ozeki.DownloadPartialRequest{ConversationID: c.ID, Limit: 1, LastReportID: second})
	if err != nil || len(p.Reports) != 2 || p.Reports[1].MessageID != m[1] || p.Reports[1].Created.IsZero() {
		t.Errorf("%+v %v", p, err)
	}
	list, err := bob.Conversations(t.Context())
	if err != nil || list[0].LastReportID != second {
		t.Errorf("last report %+v %v, want %s", list, err, second)
	}
}

func TestWhatSomebodyHasViewedIsViewedOnAllHisDevices(t *testing.T) {
	f := newFixture(t)
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	phone := bob.signIn()
	c := f.direct(alice, bob)
	m := alice.write(c, 3)
	names := map[any]string{"": "", alice.id: "alice", m[0]: "0", m[1]: "1", m[2]: "2"}
	f.equal(phone.overview(c, names), `3 "" alice:2:AAAA`)
	_, cursor := phone.poll(0)
	if err := bob.views(c, m[1]); err != nil {
		t.Fatal(err)
	}
	got, _ := phone.poll(cursor)
	f.equal(got, told{[]ozeki.UserID{}, []ozeki.ConversationID{}, []ozeki.ConversationID{c.ID}})
	f.equal(phone.overview(c, names), `1 "1" alice:2:AAAA`)
	// It never goes back, and what has gone is left out.
	if err := errors.Join(bob.views(c, m[0]), bob.views(c, ozeki.NewMessageID(), m[1]), bob.views(c, m...), bob.views(c, m...)); err != nil {
		t.Fatal(err)
	}
	f.equal(phone.overview(c, names), `0 "2" alice:2:AAAA`)
	f.equal(alice.overview(c, names), `0 "" alice:2:AAAA`)
}

func TestAListDeliversTheLastMessages(t *testing.T) {
	f := newFixture(t)
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	c := f.direct(alice, bob)
	m := alice.write(c, 2)
	names := map[any]string{alice.id: "alice", bob.id: "bob", m[0]: "0", m[1]: "1"}
	if _, err := alice.Conversations(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, _ := alice.reports(c, "", names)
	f.equal(got, []string(nil))
	if _, err := bob.Conversations(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, _ = alice.reports(c, "", names)
	f.equal(got, []string{"bob delivered 1"})
}

func TestAReportIsCheckedBeforeItCounts(t *testing.T) {
	f := newFixture(t)
	alice, bob, carol := f.user("Alice", 0), f.user("Bob", 1), f.user("Carol", 2)
	c, other := f.direct(alice, bob), f.direct(alice, carol)
	m, elsewhere := alice.write(c, 1), alice.write(other, 1)
	many := make([]ozeki.MessageID, ozeki.MaxReported+1)
	for i := range many {
		many[i] = ozeki.NewMessageID()
	}
	many[0] = m[0]
	for _, r := range []struct {
		user     *user
		instance ozeki.Instance
		ids      any
		code     string
		words    string
	}{
		{bob, c.Instance, nil, ozeki.CodeInvalid, "1 to 1000"},
		{bob, c.Instance, []string{}, ozeki.CodeInvalid, "1 to 1000"},
		{bob, c.Instance, many, ozeki.CodeInvalid, "1 to 1000"},
		{bob, c.Instance, "x", ozeki.CodeInvalid, ""},
		{bob, "", m, ozeki.CodeInvalid, "cleared"},
		{bob, "7sSwU2VoFM", m, ozeki.CodeInvalid, "cleared"},
		{bob, c.Instance, elsewhere, ozeki.CodeNotFound, "None of the messages"},
		{bob, c.Instance, []string{"", "x"}, ozeki.CodeNotFound, "None of the messages"},
		{carol, c.Instance, m, ozeki.CodeNotFound, "not a member"},
	} {
		a := f.send(r.user.raw(ozeki.CallReport, f.body(ozeki.CallReport, field("requestid", ozeki.NewRequestID()), field("conversationid", c.ID),
			field("instance", r.instance), field("messageids", r.ids)))).want(t, r.code)
		if !strings.Contains(a.ErrorMessage, r.words) {
			t.Errorf("%v: %s", r.ids, a.ErrorMessage)
		}
	}
	names := map[any]string{"": "", alice.id: "alice", m[0]: "0"}
	f.equal(bob.overview(c, names), `1 "" alice:0:AAAA`)
	if err := bob.views(c, many[:ozeki.MaxReported]...); err != nil {
		t.Fatal(err)
	}
	f.equal(bob.overview(c, map[any]string{"": "", alice.id: "alice", m[0]: "0"}), `0 "0" alice:0:AAAA`)
}

func TestAClearedConversationIsEmptyForEverybody(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	alice, bob, carol := f.user("Alice", 0), f.user("Bob", 1), f.user("Carol", 2)
	c := f.direct(alice, bob)
	m := alice.write(c, 2)
	names := map[any]string{"": "", alice.id: "alice", bob.id: "bob", m[0]: "0", m[1]: "1"}
	if err := bob.views(c, m[0]); err != nil {
		t.Fatal(err)
	}
	_, atAlice := alice.poll(0)
	_, atBob := bob.poll(0)
	got, err := bob.Clear(ctx, c.ID, c.Instance)
	if err != nil || got.Instance == c.Instance || got.LastMessageID != "" || got.LastReportID != "" || *got.Unread != 0 || got.LastMessage != nil {
		t.Fatalf("%+v %v", got, err)
	}
	for _, who := range []struct {
		*user
		cursor int64
	}{{alice, atAlice}, {bob, atBob}} {
		told, _ := who.poll(who.cursor)
		f.equal(told.lists, []ozeki.ConversationID{c.ID})
		f.equal(who.overview(c, names), `0 "" -`)
		if list := who.history(got); len(list) != 0 {
			t.Errorf("left: %+v", list)
		}
		reports, _ := who.reports(got, "", names)
		f.equal(reports, []string(nil))
	}
	// With the old instance nothing is done any more.
	for _, err := range []error{
		bob.views(c, m[1]),
		func() error { _, err := alice.Clear(ctx, c.ID, c.Instance); return err }(),
		func() error { _, err := alice.Add(ctx, c.ID, c.Instance, f.message("AAAA")); return err }(),
		func() error { _, err := alice.Clear(ctx, c.ID, ""); return err }(),
	} {
		var refused *ozeki.RefusedError
		if !errors.As(err, &refused) || refused.Code != ozeki.CodeInvalid || !strings.Contains(refused.Message, "cleared meanwhile") {
			t.Errorf("%v", err)
		}
	}
	if _, err := carol.Clear(ctx, c.ID, got.Instance); !errors.Is(err, ozeki.ErrNotFound) {
		t.Errorf("somebody else: %v", err)
	}
	again := alice.write(got, 1)
	names[again[0]] = "new"
	f.equal(bob.overview(c, names), `1 "" alice:new:AAAA`)
}

func TestARepeatedClearClearsOnce(t *testing.T) {
	f := newFixture(t)
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	c := f.direct(alice, bob)
	bob.write(c, 1)
	r := alice.raw(ozeki.CallClear, f.body(ozeki.CallClear, field("requestid", ozeki.NewRequestID()), field("conversationid", c.ID), field("instance", c.Instance)))
	first := f.send(r).want(t, "")
	bob.write(first.Conversation, 1)
	if again := f.send(r).want(t, ""); again.body != first.body {
		t.Errorf("%s\nfirst\n%s", again.body, first.body)
	}
	if got := bob.history(first.Conversation); len(got) != 1 {
		t.Errorf("%d messages, want the new one", len(got))
	}
}

func TestAHiddenConversationComesBackWhenSomebodyWritesAfterClearing(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	c := f.direct(alice, bob)
	hidden := func() bool {
		t.Helper()
		list, err := alice.Conversations(ctx, c.ID)
		if err != nil {
			t.Fatal(err)
		}
		return len(list[0].HiddenBy) > 0
	}
	if _, err := alice.Hide(ctx, c.ID, c.Instance); err != nil {
		t.Fatal(err)
	}
	bob.write(c, 1)
	if !hidden() {
		t.Error("a message in the hidden instance brought it back")
	}
	c, err := bob.Clear(ctx, c.ID, c.Instance)
	if err != nil {
		t.Fatal(err)
	}
	if !hidden() {
		t.Error("clearing brought it back")
	}
	bob.write(c, 1)
	if hidden() {
		t.Error("it stayed hidden")
	}
}

func TestExpiredMessagesAreRemovedInTheBackground(t *testing.T) {
	f := newFixture(t)
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	c := f.direct(alice, bob)
	keep := alice.write(c, 1)[0]
	burn := f.message("YnVybg==")
	burn.ValidUntil = ozeki.TimeOf(f.clock.now().Add(time.Minute))
	if _, err := alice.Add(t.Context(), c.ID, c.Instance, burn); err != nil {
		t.Fatal(err)
	}
	names := map[any]string{"": "", alice.id: "alice", keep: "keep", burn.ID: "burn"}
	f.equal(bob.overview(c, names), `2 "" alice:burn:YnVybg==`)
	_, cursor := bob.poll(0)
	f.clock.move(time.Minute)
	f.equal(bob.overview(c, names), `2 "" -`) // its content is not given any more, whatever the background work does

	ctx, cancel := context.WithCancel(t.Context())
	tick, done := make(chan time.Time), make(chan bool)
	go func() {
		f.srv.purgeMessages(ctx, tick)
		close(done)
	}()
	tick <- time.Time{}
	tick <- time.Time{} // taken only when the first one has been dealt with
	cancel()
	<-done
	f.equal(bob.overview(c, names), `1 "" alice:keep:AAAA`)
	got, _ := bob.poll(cursor)
	f.equal(got.lists, []ozeki.ConversationID{c.ID})
	m, err := f.store.Message(t.Context(), c.ID, burn.ID)
	if err != nil || m.Data != "" {
		t.Errorf("left on the disk: %+v %v", m, err)
	}
	if n, err := f.srv.expire(t.Context()); err != nil || n != 0 {
		t.Errorf("%d were left, %v", n, err)
	}
	// A client that saw it last goes on from there.
	a, err := bob.Download(t.Context(), ozeki.DownloadRequest{ConversationID: c.ID, Instance: c.Instance, FirstMessageID: burn.ID})
	if err != nil || len(a.Messages) != 0 {
		t.Errorf("%+v %v", a, err)
	}
}
