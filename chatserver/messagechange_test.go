package chatserver

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"starling/ozeki"
)

// since asks for what was changed after a revision.
func (u *user) since(c *ozeki.Conversation, from ozeki.MessageID, revision int64) *ozeki.DownloadAnswer {
	u.f.t.Helper()
	a, err := u.Download(u.f.t.Context(), ozeki.DownloadRequest{ConversationID: c.ID, Instance: c.Instance, FirstMessageID: from, Revision: &revision})
	if err != nil {
		u.f.t.Fatal(err)
	}
	return a
}

func TestASenderChangesHisMessagesAndTheOthersAreTold(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	c := f.direct(alice, bob)
	first, second := f.message("Zmlyc3Q="), f.message("c2Vjb25k")
	for _, m := range []ozeki.Message{first, second} {
		if _, err := alice.Add(ctx, c.ID, c.Instance, m); err != nil {
			t.Fatal(err)
		}
	}
	start := bob.since(c, "", 0)
	if start.Revision != 0 || len(start.Changed) != 0 || len(start.Messages) != 2 {
		t.Fatalf("before: %+v", start)
	}
	before, err := bob.Notification(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.clock.move(time.Minute)
	edit := ozeki.MessageEditRequest{ConversationID: c.ID, Instance: c.Instance, MessageID: first.ID, Data: "YmV0dGVy"}
	m, err := alice.EditMessage(ctx, edit)
	if err != nil || m.Data != "" || m.Edited != ozeki.TimeOf(f.clock.now()) || m.Revision == 0 || m.Type != ozeki.TypeMessage || m.From != alice.id {
		t.Fatalf("edit: %+v %v", m, err)
	}
	again, err := alice.EditMessage(ctx, edit)
	if err != nil || !reflect.DeepEqual(again, m) {
		t.Errorf("a repeat: %+v %v", again, err)
	}
	news, err := bob.Notification(ctx, before.Cursor)
	if err != nil || len(news.ConversationChangedOf) != 1 {
		t.Errorf("news: %+v %v", news, err)
	}
	a := bob.since(c, second.ID, start.Revision)
	if len(a.Changed) != 1 || a.Changed[0].Data != "YmV0dGVy" || a.Revision != m.Revision || len(a.Messages) != 1 {
		t.Errorf("changed: %+v", a)
	}
	gone, err := alice.signIn().DeleteMessage(ctx, ozeki.MessageDeleteRequest{ConversationID: c.ID, Instance: c.Instance, MessageID: second.ID})
	if err != nil || gone.Type != ozeki.TypeDeleted || gone.Revision <= m.Revision {
		t.Fatalf("delete: %+v %v", gone, err)
	}
	a = bob.since(c, second.ID, a.Revision)
	if len(a.Changed) != 1 || a.Changed[0].ID != second.ID || a.Changed[0].Data != "" || a.Changed[0].Type != ozeki.TypeDeleted || len(a.Changed[0].Extra) != 0 {
		t.Errorf("deleted: %+v", a)
	}
	if a = bob.since(c, second.ID, a.Revision); len(a.Changed) != 0 || a.Revision != gone.Revision {
		t.Errorf("afterwards: %+v", a)
	}
	p, err := bob.DownloadPartial(ctx, ozeki.DownloadPartialRequest{ConversationID: c.ID, Instance: c.Instance})
	if err != nil || p.Revision != gone.Revision || len(p.Changed) != 0 || len(p.Messages) != 2 || p.Messages[0].Data != "YmV0dGVy" {
		t.Errorf("partial: %+v %v", p, err)
	}
	// A client that does not know of it is told as before.
	plain := f.send(bob.raw(ozeki.CallDownload, f.body(ozeki.CallDownload, field("requestid", ozeki.NewRequestID()), field("conversationid", c.ID))))
	if strings.Contains(plain.body, `"changed"`) {
		t.Errorf("without asking: %s", plain.body)
	}
	if strings.Contains(plain.body, "c2Vjb25k") {
		t.Error("the deleted text is still given out")
	}
}

func TestNobodyElseChangesAMessage(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	alice, bob, carol := f.user("Alice", 0), f.user("Bob", 1), f.user("Carol", 2)
	c := f.direct(alice, bob)
	m, short := f.message("dGV4dA=="), f.message("c2hvcnQ=")
	short.ValidUntil = ozeki.TimeOf(f.clock.now().Add(time.Minute))
	gone := f.message("Z29uZQ==")
	for _, m := range []ozeki.Message{m, short, gone} {
		if _, err := alice.Add(ctx, c.ID, c.Instance, m); err != nil {
			t.Fatal(err)
		}
	}
	remove := func(u *user, instance ozeki.Instance, id ozeki.MessageID) error {
		_, err := u.DeleteMessage(context.WithoutCancel(ctx), ozeki.MessageDeleteRequest{ConversationID: c.ID, Instance: instance, MessageID: id})
		return err
	}
	edit := func(u *user, instance ozeki.Instance, id ozeki.MessageID, data string) error {
		_, err := u.EditMessage(ctx, ozeki.MessageEditRequest{ConversationID: c.ID, Instance: instance, MessageID: id, Data: data})
		return err
	}
	if err := remove(alice, c.Instance, gone.ID); err != nil {
		t.Fatal(err)
	}
	if err := remove(alice, c.Instance, gone.ID); err != nil {
		t.Errorf("deleting again: %v", err)
	}
	f.clock.move(2 * time.Minute)
	for what, e := range map[string]struct {
		err  error
		code string
	}{
		"by another member":           {edit(bob, c.Instance, m.ID, "eA=="), ozeki.CodeForbidden},
		"deleted by another member":   {remove(bob, c.Instance, m.ID), ozeki.CodeForbidden},
		"by a stranger":               {edit(carol, c.Instance, m.ID, "eA=="), ozeki.CodeNotFound},
		"deleted by a stranger":       {remove(carol, c.Instance, m.ID), ozeki.CodeNotFound},
		"of an instance that is over": {edit(alice, ozeki.NewInstance(), m.ID, "eA=="), ozeki.CodeInvalid},
		"that is not there":           {edit(alice, c.Instance, ozeki.NewMessageID(), "eA=="), ozeki.CodeNotFound},
		"that has expired":            {edit(alice, c.Instance, short.ID, "eA=="), ozeki.CodeNotFound},
		"that was deleted":            {edit(alice, c.Instance, gone.ID, "eA=="), ozeki.CodeInvalid},
		"with no data":                {edit(alice, c.Instance, m.ID, ""), ozeki.CodeInvalid},
		"with data that is no base64": {edit(alice, c.Instance, m.ID, "ő"), ozeki.CodeInvalid},
		"with too much data":          {edit(alice, c.Instance, m.ID, strings.Repeat("AAAA", maxData/4+1)), ozeki.CodeInvalid},
	} {
		var refused *ozeki.RefusedError
		if !errors.As(e.err, &refused) || refused.Code != e.code {
			t.Errorf("a change of a message %s: %v, want %s", what, e.err, e.code)
		}
	}
	if got := bob.history(c); len(got) != 2 || got[0].Data != m.Data || !got[0].Edited.IsZero() {
		t.Errorf("%+v", got)
	}
}

// A change of a message in a group is sealed under a key that nobody who has left knows; who came after the message is
// told nothing of the change, and gets none of its files.
func TestAChangeInAGroupIsForThoseWhoMayReadTheMessage(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	alice, bob, carol := f.user("Alice", 0), f.user("Bob", 1), f.user("Carol", 2)
	c := f.group(alice, bob)
	file := alice.upload(c, content)
	m, err := alice.sendFiles(c, file)
	if err != nil {
		t.Fatal(err)
	}
	edit := func(epoch int, data string) error {
		return errOf(alice.EditMessage(ozeki.WithEpoch(ctx, epoch), ozeki.MessageEditRequest{ConversationID: c.ID, Instance: c.Instance, MessageID: m.ID, Data: data}))
	}
	if err := edit(0, "AAAA"); err != nil {
		t.Fatal(err)
	}
	if err := bob.Leave(ctx, c.ID); err != nil {
		t.Fatal(err)
	}
	refused(t, edit(0, "BBBB"), ozeki.CodeConflict)
	if err := edit(0, "AAAA"); err != nil {
		t.Errorf("a repeat: %v", err)
	}
	if _, err := alice.Rekey(ctx, c.ID, 0, []ozeki.Member{alice.member()}); err != nil {
		t.Fatal(err)
	}
	f.befriend(alice, carol)
	if _, err := alice.AddMembers(ctx, c.ID, 1, []ozeki.Member{carol.member()}); err != nil {
		t.Fatal(err)
	}
	if err := edit(1, "CCCC"); err != nil {
		t.Fatal(err)
	}
	if a := carol.since(c, "", 0); len(a.Changed) != 0 || len(a.Messages) != 0 {
		t.Errorf("who came later is told %+v", a)
	}
	if a := alice.since(c, "", 0); len(a.Changed) != 1 || a.Changed[0].Data != "CCCC" {
		t.Errorf("changed: %+v", a)
	}
	if _, err := carol.fetch(c, file); !errors.Is(err, ozeki.ErrNotFound) {
		t.Errorf("who came later gets the file: %v", err)
	}
	if _, err := alice.fetch(c, file); err != nil {
		t.Errorf("its sender does not: %v", err)
	}
}

func TestNothingIsSentAsDeleted(t *testing.T) {
	f := newFixture(t)
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	c := f.direct(alice, bob)
	m := f.message("AAAA")
	m.Type = ozeki.TypeDeleted
	refused(t, errOf(alice.Add(t.Context(), c.ID, c.Instance, m)), ozeki.CodeInvalid)
}
