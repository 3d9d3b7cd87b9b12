package storetest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"starling/chatserver/store"
	"starling/ozeki"
)

func (s *suite) conversations() {
	u := s.users("a", "b", "c")
	direct, group := s.newConversation(u[0], u[1]), s.newConversation(u[0], u[1], u[2])
	group.CreatedAt = s.now.Add(time.Minute)
	s.must(func(ctx context.Context, tx store.Tx) error {
		if err := tx.CreateConversation(ctx, direct); err != nil {
			return err
		}
		return tx.CreateConversation(ctx, group)
	})
	seen := func(c store.NewConversation, user ozeki.UserID, at time.Time) store.Conversation {
		want := store.Conversation{
			ID: c.ID, IsGroup: c.IsGroup, Instance: c.Instance, LastAccess: at, Secret: "secret of " + string(user),
			DisplayName: "name for " + string(user), Color: store.DefaultColor,
		}
		names := map[ozeki.UserID]string{u[0]: "Full a", u[1]: "Full b", u[2]: "Full c"}
		for _, m := range c.Members {
			want.Participants = append(want.Participants, store.Participant{UserID: m.UserID, Name: names[m.UserID]})
		}
		slices.SortFunc(want.Participants, func(a, b store.Participant) int { return compare(a.UserID, b.UserID) })
		return want
	}
	list := func(user ozeki.UserID) []store.Conversation {
		s.Helper()
		return bare(s.list(user, ""))
	}
	s.equal(list(u[0]), []store.Conversation{seen(group, u[0], s.now.Add(time.Minute)), seen(direct, u[0], s.now)})
	s.equal(list(u[2]), []store.Conversation{seen(group, u[2], s.now.Add(time.Minute))})
	s.equal(s.read(u[1], direct.ID), seen(direct, u[1], s.now))

	// A message makes it the last used one.
	s.now = s.now.Add(time.Hour)
	m := s.add(direct, s.message(direct, u[1], "hi"))
	want := seen(direct, u[0], s.now)
	want.LastMessageID, want.Unread = m.ID, 1
	s.equal(list(u[0])[0], want)

	s.fails(store.ErrExists, func(ctx context.Context, tx store.Tx) error { return tx.CreateConversation(ctx, direct) })
	if got := list(ozeki.UserIDOf("nobody")); len(got) != 0 {
		s.Errorf("nobody has %v", got)
	}
}

func compare(a, b ozeki.UserID) int {
	if a < b {
		return -1
	}
	return 1
}

func (s *suite) notMember() {
	u := s.users("a", "b", "c")
	c := s.conversation(u[0], u[1])
	for _, id := range []ozeki.ConversationID{c.ID, ozeki.NewConversationID()} {
		_, err := s.Conversation(s.Context(), u[2], id)
		s.is(err, store.ErrNotFound)
		s.fails(store.ErrNotFound, func(ctx context.Context, tx store.Tx) error {
			return tx.SetProperty(ctx, u[2], id, store.Favorite(true))
		})
	}
	s.fails(store.ErrNotFound, func(ctx context.Context, tx store.Tx) error {
		_, err := tx.AddMessage(ctx, ozeki.NewConversationID(), s.message(c, u[0], "x"), s.now)
		return err
	})
}

func (s *suite) properties() {
	u := s.users("a", "b")
	c := s.conversation(u[0], u[1])
	want, other := s.read(u[0], c.ID), s.read(u[1], c.ID)
	for _, step := range []struct {
		set   store.Property
		apply func()
	}{
		{store.Favorite(true), func() { want.Favorite = true }},
		{store.Muted(true), func() { want.Muted = true }},
		{store.HideID("7sSwU2VoFM;"), func() { want.HideID = "7sSwU2VoFM;" }},
		{store.Color("#bae1ff"), func() { want.Color = "#bae1ff" }},
		{store.Favorite(false), func() { want.Favorite = false }},
		{store.HideID(""), func() { want.HideID = "" }},
		{store.Muted(false), func() { want.Muted = false }},
	} {
		before := s.seq()
		s.must(func(ctx context.Context, tx store.Tx) error { return tx.SetProperty(ctx, u[0], c.ID, step.set) })
		step.apply()
		s.equal(s.read(u[0], c.ID), want)
		s.equal(s.read(u[1], c.ID), other)
		s.equal(s.changesAfter(u[0], before, 10), store.Changes{Lists: []ozeki.ConversationID{c.ID}, Seq: before + 1})
		s.equal(s.changesAfter(u[1], before, 10), store.Changes{Seq: before})
	}
}

func (s *suite) sameProperty() {
	u := s.users("a", "b")
	c := s.conversation(u[0], u[1])
	before := s.seq()
	for _, p := range []store.Property{store.Favorite(false), store.Muted(false), store.HideID(""), store.Color(store.DefaultColor)} {
		s.equal(len(s.must(func(ctx context.Context, tx store.Tx) error { return tx.SetProperty(ctx, u[0], c.ID, p) })), 0)
	}
	s.equal(s.seq(), before)
}

func (s *suite) query(c store.NewConversation) store.MessageQuery {
	return store.MessageQuery{Conversation: c.ID, Instance: c.Instance, Now: s.now, Limit: 100}
}

func (s *suite) messages(q store.MessageQuery) []store.Message {
	s.Helper()
	got, err := s.Messages(s.Context(), q)
	if err != nil {
		s.Fatal(err)
	}
	return got
}

func (s *suite) messageOrder() {
	u := s.users("a", "b")
	c, elsewhere := s.conversation(u[0], u[1]), s.conversation(u[0], u[1])
	s.add(elsewhere, s.message(elsewhere, u[0], "not here"))
	var want []store.Message
	for i := range 5 {
		m := s.message(c, u[i%2], fmt.Sprint(i))
		m.Created = s.now.Add(-time.Duration(i) * time.Hour) // clocks that run backwards change nothing
		want = append(want, s.add(c, m))
		if i > 0 && want[i].Seq <= want[i-1].Seq {
			s.Errorf("sequence %d after %d", want[i].Seq, want[i-1].Seq)
		}
		m.Seq = want[i].Seq
		s.equal(want[i], m)
	}
	s.equal(s.messages(s.query(c)), want)
	q := s.query(c)
	q.Instance = ozeki.NewInstance()
	s.equal(len(s.messages(q)), 0)
	got, err := s.Message(s.Context(), c.ID, want[2].ID)
	if err != nil {
		s.Error(err)
	}
	s.equal(got, want[2])
	_, err = s.Message(s.Context(), elsewhere.ID, want[2].ID)
	s.is(err, store.ErrNotFound)
}

func (s *suite) messageOnce() {
	u := s.users("a", "b")
	c, elsewhere := s.conversation(u[0], u[1]), s.conversation(u[0], u[1])
	m := s.message(c, u[0], "text")
	first := s.add(c, m)
	last := s.add(c, s.message(c, u[1], "another"))
	s.now = s.now.Add(time.Minute)
	s.equal(s.add(c, m), first)
	s.equal(len(s.messages(s.query(c))), 2)
	if got := s.read(u[0], c.ID); got.LastMessageID != last.ID || !got.LastAccess.Equal(s.now.Add(-time.Minute)) {
		s.Errorf("a repeat became the last message: %+v", got)
	}
	for _, change := range []func(*store.Message){
		func(m *store.Message) { m.Data = "other" },
		func(m *store.Message) { m.Sender = u[1] },
		func(m *store.Message) { m.Type = "Other" },
		func(m *store.Message) { m.Extra = "" },
		func(m *store.Message) { m.Created = m.Created.Add(time.Second) },
		func(m *store.Message) { m.ValidUntil = time.Time{} },
	} {
		other := m
		change(&other)
		s.fails(store.ErrExists, func(ctx context.Context, tx store.Tx) error {
			_, err := tx.AddMessage(ctx, c.ID, other, s.now)
			return err
		})
	}
	again := m
	again.Instance = elsewhere.Instance
	if got := s.add(elsewhere, again); got.Seq == first.Seq {
		s.Error("the id is not free in another conversation")
	}
}

func (s *suite) expired() {
	u := s.users("a", "b")
	c := s.conversation(u[0], u[1])
	var ids []ozeki.MessageID
	for _, until := range []time.Time{{}, s.now.Add(-time.Second), s.now, s.now.Add(time.Second)} {
		m := s.message(c, u[0], "x")
		m.ValidUntil = until
		ids = append(ids, s.add(c, m).ID)
	}
	var got []ozeki.MessageID
	for _, m := range s.messages(s.query(c)) {
		got = append(got, m.ID)
	}
	s.equal(got, []ozeki.MessageID{ids[0], ids[3]})
	if _, err := s.Message(s.Context(), c.ID, ids[1]); err != nil {
		s.Errorf("an expired message has lost its place: %v", err)
	}
}

func (s *suite) pages() {
	u := s.users("a", "b")
	c := s.conversation(u[0], u[1])
	var all []store.Message
	for i := range 25 {
		all = append(all, s.add(c, s.message(c, u[0], fmt.Sprint(i))))
	}
	var up []store.Message
	q := s.query(c)
	q.Newest, q.Limit = true, 10
	for {
		page := s.messages(q)
		if len(page) == 0 {
			break
		}
		up = append(page, up...)
		q.Before = page[0].Seq
	}
	s.equal(up, all)
	q = s.query(c)
	q.From, q.Limit = all[5].Seq, 3
	s.equal(s.messages(q), all[5:8])
	q.Before = all[7].Seq
	s.equal(s.messages(q), all[5:7])
}

func (s *suite) changes() {
	u := s.users("a", "b", "c")
	start := s.seq()
	s.equal(s.changesAfter(u[0], start, 10), store.Changes{Seq: start})
	s.must(func(ctx context.Context, tx store.Tx) error { return tx.AddFriends(ctx, u[0], u[1]) })
	afterFriend := s.seq()
	c := s.conversation(u[0], u[1])
	s.add(c, s.message(c, u[1], "x"))
	end := s.seq()
	ids := []ozeki.ConversationID{c.ID}
	s.equal(s.changesAfter(u[0], start, 10), store.Changes{Friends: []ozeki.UserID{u[1]}, Contents: ids, Lists: ids, Seq: end})
	s.equal(s.changesAfter(u[1], afterFriend, 10), store.Changes{Contents: ids, Lists: ids, Seq: end})
	s.equal(s.changesAfter(u[2], start, 10), store.Changes{Seq: start})
	s.equal(s.changesAfter(u[0], end, 10), store.Changes{Seq: end})
	s.equal(s.changesAfter(u[0], end+100, 10), store.Changes{Seq: end + 100})
}

func (s *suite) manyChanges() {
	u := s.users("a", "b")
	start := s.seq()
	var want []ozeki.ConversationID
	for range 7 {
		c := s.newConversation(u[0], u[1])
		want = append(want, c.ID)
		s.must(func(ctx context.Context, tx store.Tx) error { return tx.CreateConversation(ctx, c) })
	}
	for _, limit := range []int{1, 2, 3, 7, 100} {
		var got []ozeki.ConversationID
		after, more := start, true
		for rounds := 0; more && rounds < 20; rounds++ {
			c := s.changesAfter(u[0], after, limit)
			got, after, more = append(got, c.Lists...), c.Seq, c.More
		}
		s.equal(got, want)
		s.equal(after, s.seq())
	}
}

func (s *suite) concurrentMessages() {
	u := s.users("a", "b")
	c := s.conversation(u[0], u[1])
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 10 {
				m := s.message(c, u[i%2], "x")
				for range 2 { // each is sent twice
					_, err := s.Update(s.Context(), func(tx store.Tx) error {
						_, err := tx.AddMessage(s.Context(), c.ID, m, s.now)
						return err
					})
					if err != nil {
						s.Error(err)
					}
				}
			}
		})
	}
	all.Wait()
	got := s.messages(s.query(c))
	s.equal(len(got), 80)
	s.equal(s.read(u[0], c.ID).LastMessageID, got[len(got)-1].ID)
}
