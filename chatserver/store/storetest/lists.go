package storetest

import (
	"context"
	"slices"
	"strings"
	"time"

	"starling/chatserver/store"
	"starling/ozeki"
)

func (s *suite) list(user ozeki.UserID, since string) store.List {
	s.Helper()
	l, err := s.List(s.Context(), user, since)
	if err != nil {
		s.Fatal(err)
	}
	return l
}

// bare are a list's conversations without their last messages.
func bare(l store.List) (out []store.Conversation) {
	for _, c := range l.Conversations {
		out = append(out, c.Conversation)
	}
	return out
}

func (s *suite) listSince() {
	u := s.users("a", "b", "c")
	c, still, left := s.conversation(u...), s.conversation(u...), s.conversation(u...)
	first := s.list(u[0], "")
	s.equal([]any{len(first.Conversations), first.Partial, len(first.Gone)}, []any{3, false, 0})
	// since checks what has changed for u[0], and returns the new version.
	since := func(version string, gone []ozeki.ConversationID, changed ...ozeki.ConversationID) string {
		s.Helper()
		l, all := s.list(u[0], version), s.list(u[0], "")
		var ids []ozeki.ConversationID
		for _, c := range l.Conversations {
			ids = append(ids, c.ID)
			i := slices.IndexFunc(all.Conversations, func(a store.Listed) bool { return a.ID == c.ID })
			s.equal(c, all.Conversations[i])
		}
		slices.Sort(ids)
		slices.Sort(changed)
		s.equal([]any{l.Partial, ids, l.Gone}, []any{true, changed, gone})
		s.equal(l.Version, all.Version)
		return l.Version
	}
	s.equal(since(first.Version, nil), first.Version)
	var m store.Message
	for what, change := range map[string]func(context.Context, store.Tx) error{
		"flag": func(ctx context.Context, tx store.Tx) error {
			return tx.SetProperty(ctx, u[0], c.ID, store.Favorite(true))
		},
		"name": func(ctx context.Context, tx store.Tx) error { return tx.RenameConversation(ctx, c.ID, "new") },
		"message": func(ctx context.Context, tx store.Tx) (err error) {
			m, err = tx.AddMessage(ctx, c.ID, s.message(c, u[1], "hi"), s.now)
			return err
		},
	} {
		before := s.list(u[0], "").Version
		s.must(change)
		if v := since(before, nil, c.ID); v == before {
			s.Errorf("%s: the version stays", what)
		}
	}
	before := s.list(u[0], "").Version
	s.mark(u[0], c, store.Viewed, m)
	since(before, nil, c.ID)

	// What others do to theirs is not told.
	before = s.list(u[0], "").Version
	s.must(func(ctx context.Context, tx store.Tx) error {
		return tx.SetProperty(ctx, u[1], still.ID, store.Muted(true))
	})
	since(before, nil)

	before = s.list(u[0], "").Version
	s.leave(left, u[0])
	since(before, []ozeki.ConversationID{left.ID})
	since(first.Version, []ozeki.ConversationID{left.ID}, c.ID)
	s.addMembers(left, u[0])
	since(before, nil, left.ID)

	// What is not a version of this database's says nothing.
	era, _, _ := strings.Cut(first.Version, ".")
	for _, version := range []string{"x", ".", era, era + ".", era + ".x", era + ".-1", era + ".999999", "00." + strings.TrimPrefix(first.Version, era+".")} {
		l := s.list(u[0], version)
		s.equal([]any{l.Partial, len(l.Conversations), len(l.Gone)}, []any{false, 3, 0})
	}
}

func (s *suite) hidden() {
	u := s.users("a", "b")
	c, other := s.conversation(u...), s.conversation(u...)
	hidden := func(want ...ozeki.ConversationID) {
		s.Helper()
		got, err := s.Hidden(s.Context(), u[0])
		s.is(err, nil)
		s.equal(got, want)
	}
	hide := func(id store.HideID) {
		s.must(func(ctx context.Context, tx store.Tx) error { return tx.SetProperty(ctx, u[0], c.ID, id) })
	}
	hidden()
	hide("0000000000;")
	hidden(c.ID) // nobody has written yet
	s.add(c, s.message(c, u[1], "hi"))
	hidden()
	hide(store.HideID("0000000000;" + c.Instance + ";"))
	hidden(c.ID)
	s.must(func(ctx context.Context, tx store.Tx) error {
		return tx.SetProperty(ctx, u[1], other.ID, store.HideID(other.Instance+";"))
	})
	hidden(c.ID)
	hide("")
	hidden()
}

func (s *suite) newest() {
	u := s.users("a", "b")
	c, other := s.conversation(u...), s.conversation(u...)
	var ids []ozeki.MessageID
	var last store.Message
	for range 250 {
		last = s.add(c, s.message(c, u[0], "x"))
		ids = append(ids, last.ID)
	}
	elsewhere := s.add(other, s.message(other, u[0], "y"))
	newest := func(want int64, ids ...ozeki.MessageID) {
		s.Helper()
		got, err := s.Newest(s.Context(), c.ID, ids)
		s.is(err, nil)
		s.equal(got, want)
	}
	newest(last.Seq, ids...)
	slices.Reverse(ids)
	newest(last.Seq, append([]ozeki.MessageID{elsewhere.ID, "", "x"}, ids...)...)
	newest(last.Seq-1, ids[1:]...)
	newest(0, elsewhere.ID, "", "x")
	newest(0)
}

func (s *suite) filesSize() {
	u := s.users("a", "b")
	c := s.conversation(u...)
	size := func(want int64) {
		s.Helper()
		got, err := s.FilesSize(s.Context(), u[0])
		s.is(err, nil)
		s.equal(got, want)
	}
	size(0)
	for i, owner := range []ozeki.UserID{u[0], u[0], u[1]} {
		f := store.File{ID: ozeki.NewFileID(), Conversation: c.ID, Owner: owner, Size: 100 << i, Created: s.now}
		s.must(func(ctx context.Context, tx store.Tx) error { _, err := tx.CreateFile(ctx, f); return err })
	}
	size(300)
	s.must(func(ctx context.Context, tx store.Tx) error { _, err := tx.PurgeFiles(ctx, s.now.Add(1e9)); return err })
	size(0)
}

func (s *suite) listPages() {
	u := s.users("a", "b", "c")
	s.conversation(u[1], u[2], u[0])
	other := s.conversation(u[1], u[2]) // not the first one's
	var ids []ozeki.ConversationID
	begin := s.now
	for i := range 11 {
		c := s.newConversation(u[0], u[1], u[2])
		c.CreatedAt = begin.Add(time.Duration(i) * time.Minute)
		s.must(func(ctx context.Context, tx store.Tx) error { return tx.CreateConversation(ctx, c) })
		ids = append(ids, c.ID)
	}
	s.must(func(ctx context.Context, tx store.Tx) error {
		return tx.SetProperty(ctx, u[0], ids[2], store.Favorite(true))
	})
	page := func(user ozeki.UserID, first int, after string) store.List {
		s.Helper()
		l, err := s.ListPage(s.Context(), user, first, after)
		if err != nil {
			s.Fatal(err)
		}
		return l
	}
	all := s.list(u[0], "")
	for _, size := range []int{1, 3, 4, 12, 13, 1000} {
		l := page(u[0], size, "")
		s.equal([]any{l.Version, l.Partial, len(l.Conversations), l.Next == ""}, []any{all.Version, false, min(size, 12), size > 12})
		var first []ozeki.ConversationID
		for _, c := range l.Conversations {
			first = append(first, c.ID)
		}
		want := []ozeki.ConversationID{ids[10], ids[9], ids[8]}
		if size == 4 { // the favorite is there, and the last used
			s.equal(first, append(want, ids[2]))
		}
		seen := map[ozeki.ConversationID]store.Listed{}
		for next := l.Next; next != ""; {
			l := page(u[0], size, next)
			if len(l.Conversations) > size || l.Next == next {
				s.Fatalf("a page of %d conversations after %s, next %s", len(l.Conversations), next, l.Next)
			}
			for _, c := range l.Conversations {
				seen[c.ID] = c
			}
			next = l.Next
		}
		if size > 12 {
			continue
		}
		s.equal(len(seen), 12)
		for _, c := range all.Conversations {
			s.equal(seen[c.ID], c)
		}
	}
	if l := page(u[1], 1000, ""); len(l.Conversations) != 13 || !slices.ContainsFunc(l.Conversations, func(c store.Listed) bool { return c.ID == other.ID }) {
		s.Errorf("the other has %d conversations", len(l.Conversations))
	}
	s.equal(len(page(s.users("d")[0], 10, "").Conversations), 0)
}
