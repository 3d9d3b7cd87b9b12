package storetest

import (
	"context"
	"time"

	"starling/chatserver/store"
	"starling/ozeki"
)

func (s *suite) addMembers(c store.NewConversation, users ...ozeki.UserID) []ozeki.UserID {
	s.Helper()
	var members []ozeki.Member
	for _, u := range users {
		members = append(members, ozeki.Member{UserID: u, Secret: "secret of " + string(u), DisplayName: "name for " + string(u)})
	}
	return s.must(func(ctx context.Context, tx store.Tx) error { return tx.AddMembers(ctx, c.ID, members) })
}

func (s *suite) leave(c store.NewConversation, user ozeki.UserID) []ozeki.UserID {
	s.Helper()
	return s.must(func(ctx context.Context, tx store.Tx) error { return tx.RemoveMember(ctx, user, c.ID) })
}

func (s *suite) newcomer() {
	u := s.users("a", "b", "c", "d")
	c := s.conversation(u[0])
	old := s.add(c, s.message(c, u[0], "before"))
	before := s.seq()
	s.equal(s.addMembers(c, u[1], u[2]), sorted(u[:3]...))
	for _, user := range u[:3] {
		s.equal(s.changesAfter(user, before, 10), store.Changes{Lists: []ozeki.ConversationID{c.ID}, Seq: before + 1})
	}
	s.equal(s.changesAfter(u[3], before, 10), store.Changes{Seq: before})
	s.equal(len(s.must(func(ctx context.Context, tx store.Tx) error { return tx.AddMembers(ctx, c.ID, nil) })), 0)

	was, came := s.read(u[0], c.ID), s.read(u[1], c.ID)
	s.equal(was.LastMessageID, old.ID)
	s.equal(came.LastMessageID, ozeki.MessageID(""))
	s.equal(came.Secret, "secret of "+string(u[1]))
	s.equal([]int64{was.Since, came.Since}, []int64{0, before + 1})
	s.equal(len(came.Participants), 3)

	s.equal(bare(s.list(u[1], "")), []store.Conversation{came})

	// Nor is anything told of what is before: no last message, no mark of the others', nothing unread.
	s.mark(u[1], c, store.Viewed, old)
	s.mark(u[2], c, store.Delivered, old)
	s.equal(s.list(u[1], "").Conversations[0].Last, store.Message{})
	s.equal(s.unreadOf(u[1], c), "0 ")

	later := s.add(c, s.message(c, u[0], "after"))
	s.equal(s.unreadOf(u[1], c), "1 ")
	s.mark(u[1], c, store.Viewed, later)
	s.equal(s.unreadOf(u[1], c), "0 "+string(later.ID))
	marks, err := s.Marks(s.Context(), c.ID, came.Since)
	s.is(err, nil)
	s.equal(len(marks), 2) // of u[1], who has seen and so had delivered the one that is for him
	for _, m := range marks {
		s.equal(m.Message, later.ID)
	}
	s.equal(s.read(u[1], c.ID).LastMessageID, later.ID)
	q := s.query(c)
	s.equal(len(s.messages(q)), 2)
	q.Since = came.Since
	s.equal(s.messages(q), []store.Message{later})
	q.From = old.Seq
	s.equal(s.messages(q), []store.Message{later})
	q.Newest = true
	s.equal(s.messages(q), []store.Message{later})

	members, err := s.Members(s.Context(), c.ID)
	s.is(err, nil)
	s.equal(len(members), 3)
	for i, id := range sorted(u[:3]...) {
		s.equal(members[i].UserID, id)
		if members[i].Name == "" || members[i].PublicKey == "" {
			s.Errorf("member %+v", members[i])
		}
	}
}

func (s *suite) leaving() {
	u := s.users("a", "b", "c")
	c := s.conversation(u...)
	s.add(c, s.message(c, u[1], "before"))
	before := s.seq()
	s.equal(s.leave(c, u[1]), sorted(u...))
	for _, user := range u { // the one who left too: he may have other stations
		s.equal(s.changesAfter(user, before, 10), store.Changes{Lists: []ozeki.ConversationID{c.ID}, Seq: before + 1})
	}
	_, err := s.Conversation(s.Context(), u[1], c.ID)
	s.is(err, store.ErrNotFound)
	s.fails(store.ErrNotFound, func(ctx context.Context, tx store.Tx) error { return tx.RemoveMember(ctx, u[1], c.ID) })
	got := s.read(u[0], c.ID)
	s.equal([]any{got.Rekey, got.Epoch, len(got.Participants)}, []any{true, 0, 2})
	s.equal(got.Former, []store.Participant{{UserID: u[1], Name: "Full b"}})
	s.equal(s.must(func(ctx context.Context, tx store.Tx) error {
		_, err := tx.AddMessage(ctx, c.ID, s.message(c, u[0], "after"), s.now)
		return err
	}), sorted(u[0], u[2]))

	// He comes back as a newcomer, and leaves again.
	s.addMembers(c, u[1])
	again := s.read(u[1], c.ID)
	s.equal(again.LastMessageID, ozeki.MessageID(""))
	s.equal(len(again.Former), 0)
	s.equal(len(s.read(u[0], c.ID).Former), 0)
	before = s.seq()
	s.leave(c, u[1])
	s.equal(s.changesAfter(u[1], before, 10), store.Changes{Lists: []ozeki.ConversationID{c.ID}, Seq: before + 1})
	s.addMembers(c, u[1])
	s.leave(c, u[2]) // since he came
	s.equal(s.read(u[1], c.ID).Former, []store.Participant{{UserID: u[2], Name: "Full c"}})
}

func (s *suite) lastLeaves() {
	u := s.users("a", "b")
	c := s.conversation(u[0])
	m := s.add(c, s.message(c, u[0], "x"))
	before := s.seq()
	s.equal(s.leave(c, u[0]), u[:1])
	_, err := s.Message(s.Context(), c.ID, m.ID)
	s.is(err, store.ErrNotFound)
	s.equal(s.changesAfter(u[0], before, 10), store.Changes{Lists: []ozeki.ConversationID{c.ID}, Seq: before + 1})
	s.fails(store.ErrNotFound, func(ctx context.Context, tx store.Tx) error {
		_, err := tx.AddMessage(ctx, c.ID, s.message(c, u[0], "y"), s.now)
		return err
	})
	s.must(func(ctx context.Context, tx store.Tx) error { return tx.CreateConversation(ctx, c) }) // the id is free
}

func (s *suite) rekeyed() {
	u := s.users("a", "b", "c")
	c := s.conversation(u...)
	s.leave(c, u[2])
	before := s.seq()
	rekey := func(epoch string, users ...ozeki.UserID) {
		var members []ozeki.Member
		for _, user := range users {
			members = append(members, ozeki.Member{UserID: user, Secret: epoch + " secret of " + string(user), DisplayName: epoch + " name"})
		}
		s.equal(s.must(func(ctx context.Context, tx store.Tx) error { return tx.Rekey(ctx, c.ID, members) }), sorted(users...))
	}
	rekey("second", u[0], u[1])
	for _, user := range u[:2] {
		got := s.read(user, c.ID)
		s.equal([]any{got.Epoch, got.Rekey, got.Secret, got.DisplayName}, []any{1, false, "second secret of " + string(user), "second name"})
		s.equal(got.Secrets, []ozeki.EpochSecret{{Epoch: 0, Secret: "secret of " + string(user)}})
		s.equal(s.changesAfter(user, before, 10), store.Changes{Lists: []ozeki.ConversationID{c.ID}, Seq: before + 1})
		s.equal(bare(s.list(user, "")), []store.Conversation{got})
	}
	s.addMembers(c, u[2]) // who has none of the earlier ones
	s.equal(len(s.read(u[2], c.ID).Secrets), 0)
	s.leave(c, u[1])
	rekey("third", u[0], u[2])
	s.equal(len(s.read(u[0], c.ID).Secrets), 2)
	s.equal(s.read(u[2], c.ID).Secrets, []ozeki.EpochSecret{{Epoch: 1, Secret: "secret of " + string(u[2])}})
	s.equal(s.read(u[2], c.ID).Epoch, 2)
}

func (s *suite) renamed() {
	u := s.users("a", "b", "c")
	c := s.conversation(u...)
	other := s.conversation(u...)
	before := s.seq()
	s.equal(s.must(func(ctx context.Context, tx store.Tx) error { return tx.RenameConversation(ctx, c.ID, "new name") }), sorted(u...))
	for _, user := range u {
		s.equal(s.read(user, c.ID).DisplayName, "new name")
		s.equal(s.read(user, other.ID).DisplayName, "name for "+string(user))
		s.equal(s.changesAfter(user, before, 10), store.Changes{Lists: []ozeki.ConversationID{c.ID}, Seq: before + 1})
	}
}

func (s *suite) workspaces() {
	u := s.users("a", "b", "c")
	create := func(name string, owner ozeki.UserID) func(context.Context, store.Tx) error {
		return func(ctx context.Context, tx store.Tx) error { return tx.CreateWorkspace(ctx, name, owner, s.now) }
	}
	join := func(name string, user ozeki.UserID) (added bool) {
		s.must(func(ctx context.Context, tx store.Tx) (err error) {
			added, err = tx.AddWorkspaceMember(ctx, name, user)
			return err
		})
		return added
	}
	leave := func(name string, user ozeki.UserID) func(context.Context, store.Tx) error {
		return func(ctx context.Context, tx store.Tx) error { return tx.RemoveWorkspaceMember(ctx, name, user) }
	}
	_, err := s.Workspace(s.Context(), "b.example")
	s.is(err, store.ErrNotFound)
	s.must(create("b.example", u[0]))
	s.must(create("a.example", u[0]))
	for _, user := range u[:2] {
		s.fails(store.ErrExists, create("b.example", user))
	}
	s.equal([]bool{join("b.example", u[2]), join("b.example", u[1]), join("b.example", u[1])}, []bool{true, true, false})
	list := func(user ozeki.UserID) []store.Workspace {
		s.Helper()
		got, err := s.Workspaces(s.Context(), user)
		s.is(err, nil)
		return got
	}
	s.equal(list(u[0]), []store.Workspace{{Name: "a.example", OwnerID: u[0], Members: 1}, {Name: "b.example", OwnerID: u[0], Members: 3}})
	s.equal(list(u[1]), []store.Workspace{{Name: "b.example", OwnerID: u[0], Members: 3}})
	members, err := s.WorkspaceMembers(s.Context(), "b.example")
	s.is(err, nil)
	s.equal(members, []ozeki.UserID{u[0], u[2], u[1]})

	s.must(leave("b.example", u[0]))
	s.fails(store.ErrNotFound, leave("b.example", u[0]))
	w, err := s.Workspace(s.Context(), "b.example")
	s.is(err, nil)
	s.equal(w, store.Workspace{Name: "b.example", OwnerID: u[2], Members: 2}) // who came before u[1]
	s.must(leave("b.example", u[1]))
	s.must(func(ctx context.Context, tx store.Tx) error {
		return tx.AddInvite(ctx, store.Invite{TokenHash: "h", Workspace: "b.example", Inviter: u[2], Until: s.now.Add(time.Hour)})
	})
	s.must(leave("b.example", u[2]))
	_, err = s.Workspace(s.Context(), "b.example")
	s.is(err, store.ErrNotFound)
	_, err = s.Invite(s.Context(), "h", s.now)
	s.is(err, store.ErrNotFound)
	s.equal(list(u[0]), []store.Workspace{{Name: "a.example", OwnerID: u[0], Members: 1}})
}

func (s *suite) invites() {
	u := s.users("a")
	s.must(func(ctx context.Context, tx store.Tx) error { return tx.CreateWorkspace(ctx, "a.example", u[0], s.now) })
	short := store.Invite{TokenHash: "short", Workspace: "a.example", Inviter: u[0], Until: s.now.Add(time.Hour)}
	long := store.Invite{TokenHash: "long", Workspace: "a.example", Inviter: u[0], Until: s.now.Add(2 * time.Hour)}
	s.must(func(ctx context.Context, tx store.Tx) error {
		if err := tx.AddInvite(ctx, short); err != nil {
			return err
		}
		return tx.AddInvite(ctx, long)
	})
	got, err := s.Invite(s.Context(), "short", s.now.Add(time.Hour-time.Second))
	s.is(err, nil)
	s.equal(got, short)
	_, err = s.Invite(s.Context(), "short", s.now.Add(time.Hour))
	s.is(err, store.ErrNotFound)
	_, err = s.Invite(s.Context(), "none", s.now)
	s.is(err, store.ErrNotFound)
	var n int64
	s.must(func(ctx context.Context, tx store.Tx) (err error) {
		n, err = tx.PurgeInvites(ctx, s.now.Add(time.Hour))
		return err
	})
	s.equal(n, int64(1))
	if got, err := s.Invite(s.Context(), "long", s.now); err != nil || got != long {
		s.Errorf("%+v %v", got, err)
	}
}
