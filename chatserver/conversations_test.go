package chatserver

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"starling/chatserver/store"
	"starling/ozeki"
)

func TestTheListShowsEveryMemberHisOwnView(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	c := f.direct(alice, bob)
	if _, err := alice.Favorite(ctx, c.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := bob.Mute(ctx, c.ID); err != nil {
		t.Fatal(err)
	}
	for _, u := range []*user{alice, bob} {
		list, err := u.Conversations(ctx)
		if err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		got := list[0]
		his := func(set bool) []ozeki.UserID {
			if set {
				return []ozeki.UserID{u.id}
			}
			return []ozeki.UserID{}
		}
		want := ozeki.Conversation{
			ID: ozeki.DirectConversationID(bob.id, alice.id), ParticipantIDs: []ozeki.UserID{alice.id, bob.id},
			Participants: []ozeki.Participant{{UserID: alice.id, UserName: "Alice"}, {UserID: bob.id, UserName: "Bob"}},
			DisplayName:  "bmFtZQ==", LastAccess: f.clock.now().Unix(), Secret: "c2VjcmV0", Instance: c.Instance,
			MutedBy: his(u == bob), FavoriteBy: his(u == alice), HiddenBy: his(false),
			Properties: []ozeki.Property{{UserID: u.id, IsMuted: u == bob, IsFavorite: u == alice, Color: "#ffffff"}},
			Unread:     new(int),
		}
		if bob.id < alice.id {
			want.ParticipantIDs[0], want.ParticipantIDs[1] = bob.id, alice.id
			want.Participants[0], want.Participants[1] = want.Participants[1], want.Participants[0]
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got\n%+v\nwant\n%+v", got, want)
		}
	}
	f.clock.move(1e9)
	a := f.send(alice.raw(ozeki.CallConversations, f.body(ozeki.CallConversations)))
	if strings.Contains(a.body, "null") || !strings.Contains(a.body, `"mutedby":[]`) || !strings.Contains(a.body, `"hiddenby":[]`) {
		t.Errorf("empty lists are not []: %s", a.body)
	}
	carol := f.user("Carol", 2)
	if a := f.send(carol.raw(ozeki.CallConversations, f.body(ozeki.CallConversations))); !strings.Contains(a.body, `"conversations":[]`) {
		t.Errorf("no conversations: %s", a.body)
	}
}

func TestOnlyWhatChangedIsListed(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	alice, bob, carol := f.user("Alice", 0), f.user("Bob", 1), f.user("Carol", 2)
	withBob, withCarol, theirs := f.direct(alice, bob), f.direct(alice, carol), f.direct(bob, carol)
	list, err := alice.Conversations(ctx, withCarol.ID, theirs.ID, withBob.ID)
	if err != nil || len(list) != 2 || list[0].ID != withCarol.ID || list[1].ID != withBob.ID {
		t.Errorf("got %+v, %v; want the two of hers in the order asked for", list, err)
	}
	many := make([]ozeki.ConversationID, ozeki.MaxListOf+1)
	if _, err := alice.Conversations(ctx, many...); err == nil || !strings.Contains(err.Error(), "at most 100") {
		t.Errorf("a longer list than allowed: %v", err)
	}
}

func TestAListOfSomeHoldsThemOnly(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	alice, bob, carol := f.user("Alice", 0), f.user("Bob", 1), f.user("Carol", 2)
	ab, ac, bc := f.direct(alice, bob), f.direct(alice, carol), f.direct(bob, carol)
	for _, c := range []struct{ ask, want []ozeki.ConversationID }{
		{nil, []ozeki.ConversationID{ab.ID, ac.ID}},
		{[]ozeki.ConversationID{ac.ID}, []ozeki.ConversationID{ac.ID}},
		{[]ozeki.ConversationID{ac.ID, bc.ID, "x", ozeki.NewConversationID(), ab.ID, ac.ID}, []ozeki.ConversationID{ab.ID, ac.ID}},
		{[]ozeki.ConversationID{bc.ID}, nil},
	} {
		list, err := alice.Conversations(ctx, c.ask...)
		if err != nil {
			t.Fatal(err)
		}
		var got []ozeki.ConversationID
		for _, c := range list {
			got = append(got, c.ID)
		}
		slices.Sort(got)
		slices.Sort(c.want)
		f.equal(got, c.want)
	}
	ids := make([]ozeki.ConversationID, ozeki.MaxListOf+1)
	for i := range ids {
		ids[i] = ozeki.NewConversationID()
	}
	ids[0] = ab.ID
	if list, err := alice.Conversations(ctx, ids[:ozeki.MaxListOf]...); err != nil || len(list) != 1 {
		t.Errorf("%d conversations, %v", len(list), err)
	}
	f.send(alice.raw(ozeki.CallConversations, f.body(ozeki.CallConversations, field("conversationids", ids)))).want(t, ozeki.CodeInvalid)
}

func TestAListBringsWhatHasChangedSinceAnEarlierOne(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	alice, bob, carol := f.user("Alice", 0), f.user("Bob", 1), f.user("Carol", 2)
	ab, ac := f.direct(alice, bob), f.direct(alice, carol)
	first, err := alice.ListSince(ctx, "")
	if err != nil || len(first.Conversations) != 2 || first.Partial || first.Version == "" {
		t.Fatalf("%+v %v", first, err)
	}
	same, err := alice.ListSince(ctx, first.Version)
	if err != nil || len(same.Conversations) != 0 || !same.Partial || same.Version != first.Version {
		t.Errorf("%+v %v", same, err)
	}
	m := bob.write(ab, 1)
	news, err := alice.ListSince(ctx, first.Version)
	if err != nil || !news.Partial || len(news.Conversations) != 1 || news.Conversations[0].ID != ab.ID || news.Conversations[0].LastMessage.ID != m[0] {
		t.Errorf("%+v %v", news, err)
	}
	foreign, err := alice.ListSince(ctx, "0000000000000000.1")
	if err != nil || foreign.Partial || len(foreign.Conversations) != 2 {
		t.Errorf("%+v %v", foreign, err)
	}
	some, err := alice.Conversations(ctx, ac.ID)
	if err != nil || len(some) != 1 {
		t.Errorf("%+v %v", some, err)
	}
	a := f.send(alice.raw(ozeki.CallConversations, f.body(ozeki.CallConversations, field("since", first.Version), field("conversationids", []ozeki.ConversationID{ac.ID}))))
	a.want(t, ozeki.CodeInvalid)
	if !strings.Contains(a.ErrorMessage, "not both") {
		t.Error(a.ErrorMessage)
	}
}

func TestAListComesInPages(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	alice, bob, carol := f.user("Alice", 0), f.user("Bob", 1), f.user("Carol", 2)
	ab, ac := f.direct(alice, bob), f.direct(alice, carol)
	bob.write(ab, 1)
	whole, err := alice.ListSince(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	first, err := alice.ListPage(ctx, 1, "")
	if err != nil || len(first.Conversations) != 1 || first.Partial || first.Next == "" || first.Version == "" {
		t.Fatalf("%+v %v", first, err)
	}
	got := map[ozeki.ConversationID]ozeki.Conversation{}
	calls := 0
	for next := first.Next; next != ""; calls++ {
		page, err := alice.ListPage(ctx, 1, next)
		if err != nil || len(page.Conversations) > 1 {
			t.Fatalf("%+v %v", page, err)
		}
		for _, c := range page.Conversations {
			got[c.ID] = c
		}
		next = page.Next
	}
	if whole, err = alice.ListSince(ctx, ""); err != nil { // reading it has delivered what is in it
		t.Fatal(err)
	}
	want := map[ozeki.ConversationID]ozeki.Conversation{}
	for _, c := range whole.Conversations {
		want[c.ID] = c
	}
	f.equal(got, want)
	if calls != 3 {
		t.Errorf("it took %d calls", calls)
	}
	// What has changed since the first page is what has changed since its version.
	bob.write(ab, 1)
	news, err := alice.ListSince(ctx, first.Version)
	if err != nil || !news.Partial || len(news.Conversations) != 1 || news.Conversations[0].ID != ab.ID {
		t.Errorf("%+v %v", news, err)
	}
	if page, err := alice.ListPage(ctx, ozeki.MaxListPage, ""); err != nil || len(page.Conversations) != 2 || page.Next != "" {
		t.Errorf("%+v %v", page, err)
	}
	for name, fields := range map[string][]string{
		"none": {field("after", "!")}, "fewer than none": {field("first", -1)}, "too many": {field("first", ozeki.MaxListPage+1)},
		"of an earlier list": {field("first", 10), field("since", whole.Version)},
		"of some":            {field("first", 10), field("conversationids", []ozeki.ConversationID{ac.ID})},
	} {
		a := f.send(alice.raw(ozeki.CallConversations, f.body(ozeki.CallConversations, fields...)))
		a.want(t, ozeki.CodeInvalid)
		if !strings.Contains(a.ErrorMessage, "1 to 1000") {
			t.Errorf("%s: %s", name, a.ErrorMessage)
		}
	}
}

func TestEveryFlagIsSetAndTakenBack(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	c := f.direct(alice, bob)
	property := ozeki.Property{UserID: alice.id, Color: "#ffffff"}
	for i, step := range []struct {
		do    func() (*ozeki.Conversation, error)
		apply func()
	}{
		{func() (*ozeki.Conversation, error) { return alice.Favorite(ctx, c.ID) }, func() { property.IsFavorite = true }},
		{func() (*ozeki.Conversation, error) { return alice.Favorite(ctx, c.ID) }, func() {}},
		{func() (*ozeki.Conversation, error) { return alice.Mute(ctx, c.ID) }, func() { property.IsMuted = true }},
		{func() (*ozeki.Conversation, error) { return alice.SetColor(ctx, c.ID, "#BAE1ff") }, func() { property.Color = "#bae1ff" }},
		{func() (*ozeki.Conversation, error) { return alice.Hide(ctx, c.ID, c.Instance) }, func() { property.HideID = string(c.Instance) + ";" }},
		{func() (*ozeki.Conversation, error) { return alice.Unfavorite(ctx, c.ID) }, func() { property.IsFavorite = false }},
		{func() (*ozeki.Conversation, error) { return alice.Unfavorite(ctx, c.ID) }, func() {}},
		{func() (*ozeki.Conversation, error) { return alice.Unmute(ctx, c.ID) }, func() { property.IsMuted = false }},
		{func() (*ozeki.Conversation, error) { return alice.Unhide(ctx, c.ID) }, func() { property.HideID = "" }},
	} {
		step.apply()
		got, err := step.do()
		if err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		if !reflect.DeepEqual(got.Properties, []ozeki.Property{property}) || (len(got.HiddenBy) == 1) != (property.HideID != "") ||
			(len(got.FavoriteBy) == 1) != property.IsFavorite || (len(got.MutedBy) == 1) != property.IsMuted {
			t.Errorf("step %d: %+v", i, got)
		}
		seen, err := bob.Conversations(ctx)
		if err != nil || !reflect.DeepEqual(seen[0].Properties, []ozeki.Property{{UserID: bob.id, Color: "#ffffff"}}) {
			t.Errorf("step %d, Bob sees %+v %v", i, seen, err)
		}
	}
	for call, values := range map[ozeki.Call][]string{
		ozeki.CallColor: {"", "red", "#fff", "#12345g", "#1234567", "#ffffff;x", "url(x)"},
		ozeki.CallHide:  {"", ";", "short;", string(c.Instance), "ÁÁÁÁÁÁÁÁÁÁ;", strings.Repeat("7sSwU2VoFM;", 33)},
	} {
		for _, v := range values {
			f.send(alice.raw(call, f.body(call, field("conversationid", c.ID), field("color", v), field("hideid", v)))).want(t, ozeki.CodeInvalid)
		}
	}
	// Another instance hidden long ago does not hide this one, once somebody has written in it.
	if _, err := bob.Add(ctx, c.ID, c.Instance, f.message("AAAA")); err != nil {
		t.Fatal(err)
	}
	got, err := alice.Hide(ctx, c.ID, "7sSwU2VoFM")
	if err != nil || len(got.HiddenBy) != 0 || got.Properties[0].HideID != "7sSwU2VoFM;" {
		t.Errorf("%+v %v", got, err)
	}
}

func TestWhatIsNotYoursDoesNotExist(t *testing.T) {
	f := newFixture(t)
	alice, bob, carol := f.user("Alice", 0), f.user("Bob", 1), f.user("Carol", 2)
	c := f.direct(alice, bob)
	message, _ := json.Marshal(ozeki.Message{ID: ozeki.NewMessageID(), Type: "Message", Created: ozeki.TimeOf(f.clock.now()), Data: "AAAA"})
	more := []string{field("instance", c.Instance), field("color", "#000000"), field("hideid", string(c.Instance)+";"), field("message", string(message))}
	for _, call := range []ozeki.Call{
		ozeki.CallFavorite, ozeki.CallUnfavorite, ozeki.CallMute, ozeki.CallUnmute, ozeki.CallColor, ozeki.CallHide, ozeki.CallUnhide,
		ozeki.CallAdd, ozeki.CallDownload, ozeki.CallDownloadPartial,
	} {
		words := map[string]bool{}
		for _, id := range []ozeki.ConversationID{c.ID, ozeki.NewConversationID(), "", "x", ozeki.ConversationID(strings.ToUpper(string(c.ID)))} {
			words[f.send(carol.raw(call, f.body(call, append(more, field("conversationid", id))...))).want(t, ozeki.CodeNotFound).body] = true
		}
		if len(words) != 1 {
			t.Errorf("%s: refusals can be told apart: %v", call.Name, words)
		}
	}
}

func TestMakingConversations(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	alice, bob, carol := f.user("Alice", 0), f.user("Bob", 1), f.user("Carol", 2)
	stranger := f.user("Dora", 2)
	first := f.direct(alice, bob)
	if _, err := alice.AddFriend(ctx, carol.email); err != nil {
		t.Fatal(err)
	}
	direct := ozeki.ConversationCreateRequest{ConversationID: first.ID, Members: []ozeki.Member{bob.member(), alice.member()}}
	direct.Members[0].Secret = "b3RoZXI="
	for _, u := range []*user{alice, bob} { // a repeat, by either, gives the one that is there
		again, err := u.CreateConversation(ctx, direct)
		if err != nil || again.Instance != first.Instance || again.Secret != first.Secret {
			t.Errorf("%+v %v", again, err)
		}
	}
	id := ozeki.NewConversationID()
	group, err := alice.CreateConversation(ctx, ozeki.ConversationCreateRequest{ConversationID: id, IsGroup: true, Members: []ozeki.Member{alice.member(), bob.member(), carol.member()}})
	if err != nil || !group.IsGroup || len(group.Participants) != 3 || group.ID != id {
		t.Errorf("%+v %v", group, err)
	}
	alone, err := alice.CreateConversation(ctx, ozeki.ConversationCreateRequest{ConversationID: ozeki.NewConversationID(), IsGroup: true, Members: []ozeki.Member{alice.member()}})
	if err != nil || len(alone.Participants) != 1 {
		t.Errorf("%+v %v", alone, err)
	}
	member := func(u *user, change func(*ozeki.Member)) ozeki.Member {
		m := u.member()
		change(&m)
		return m
	}
	many := []ozeki.Member{alice.member()}
	for i := range maxMembers {
		many = append(many, ozeki.Member{UserID: ozeki.UserIDOf(fmt.Sprint(i)), Secret: "AAAA", DisplayName: "AAAA"})
	}
	ab, ac := ozeki.DirectConversationID(alice.id, bob.id), ozeki.DirectConversationID(alice.id, carol.id)
	random := ozeki.NewConversationID
	for name, c := range map[string]struct {
		id      ozeki.ConversationID
		group   bool
		members []ozeki.Member
		want    string
	}{
		"no members":                 {random(), true, nil, ozeki.CodeInvalid},
		"too many members":           {random(), true, many, ozeki.CodeInvalid},
		"without the caller":         {random(), true, []ozeki.Member{bob.member()}, ozeki.CodeInvalid},
		"one-to-one of others":       {ozeki.DirectConversationID(bob.id, carol.id), false, []ozeki.Member{bob.member(), carol.member()}, ozeki.CodeInvalid},
		"one-to-one with another id": {random(), false, []ozeki.Member{alice.member(), carol.member()}, ozeki.CodeInvalid},
		"one-to-one of another pair": {ab, false, []ozeki.Member{alice.member(), carol.member()}, ozeki.CodeInvalid},
		"one-to-one of three":        {ac, false, []ozeki.Member{alice.member(), carol.member(), bob.member()}, ozeki.CodeInvalid},
		"one-to-one of one":          {ozeki.DirectConversationID(alice.id, alice.id), false, []ozeki.Member{alice.member()}, ozeki.CodeInvalid},
		"twice the same":             {random(), true, []ozeki.Member{alice.member(), bob.member(), bob.member()}, ozeki.CodeInvalid},
		"damaged id":                 {"x", true, []ozeki.Member{alice.member()}, ozeki.CodeInvalid},
		"no id":                      {"", true, []ozeki.Member{alice.member()}, ozeki.CodeInvalid},
		"group with a made id":       {"00000000000000000000000000000000", true, []ozeki.Member{alice.member()}, ozeki.CodeInvalid},
		"no secret":                  {random(), true, []ozeki.Member{member(alice, func(m *ozeki.Member) { m.Secret = "" })}, ozeki.CodeInvalid},
		"secret not base64":          {random(), true, []ozeki.Member{member(alice, func(m *ozeki.Member) { m.Secret = "<b>" })}, ozeki.CodeInvalid},
		"long secret":                {random(), true, []ozeki.Member{member(alice, func(m *ozeki.Member) { m.Secret = strings.Repeat("AAAA", 257) })}, ozeki.CodeInvalid},
		"no name":                    {random(), true, []ozeki.Member{member(alice, func(m *ozeki.Member) { m.DisplayName = "" })}, ozeki.CodeInvalid},
		"long name":                  {random(), true, []ozeki.Member{member(alice, func(m *ozeki.Member) { m.DisplayName = strings.Repeat("AAAA", 1025) })}, ozeki.CodeInvalid},
		"damaged member":             {random(), true, []ozeki.Member{alice.member(), {UserID: "x", Secret: "AAAA", DisplayName: "AAAA"}}, ozeki.CodeInvalid},
		"a stranger":                 {random(), true, []ozeki.Member{alice.member(), stranger.member()}, ozeki.CodeForbidden},
		"one-to-one with a stranger": {ozeki.DirectConversationID(alice.id, stranger.id), false, []ozeki.Member{alice.member(), stranger.member()}, ozeki.CodeForbidden},
		"nobody":                     {random(), true, []ozeki.Member{alice.member(), {UserID: ozeki.UserIDOf("x"), Secret: "AAAA", DisplayName: "AAAA"}}, ozeki.CodeForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			call := ozeki.CallConversationCreate
			f.send(alice.raw(call, f.body(call, field("conversationid", c.id), field("isgroup", c.group), field("members", c.members)))).want(t, c.want)
		})
	}
	// The id of a group that one is not in is taken, without telling more.
	if _, err := bob.AddFriend(ctx, stranger.email); err != nil {
		t.Fatal(err)
	}
	body := f.body(ozeki.CallConversationCreate, field("conversationid", id), field("isgroup", true), field("members", []ozeki.Member{stranger.member()}))
	f.send(stranger.raw(ozeki.CallConversationCreate, body)).want(t, ozeki.CodeExists)
	list, err := alice.Conversations(ctx)
	if err != nil || len(list) != 3 {
		t.Errorf("%d conversations, %v", len(list), err)
	}
}

func TestTwoPeopleOpenTheSameConversationAtOnce(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	if _, err := alice.AddFriend(ctx, bob.email); err != nil {
		t.Fatal(err)
	}
	type result struct {
		c   *ozeki.Conversation
		err error
	}
	results := make(chan result)
	for _, u := range []*user{alice, bob} {
		go func() {
			c, err := u.CreateConversation(ctx, ozeki.ConversationCreateRequest{
				ConversationID: ozeki.DirectConversationID(alice.id, bob.id), Members: []ozeki.Member{alice.member(), bob.member()},
			})
			results <- result{c, err}
		}()
	}
	a, b := <-results, <-results
	if a.err != nil || b.err != nil || a.c.Instance != b.c.Instance {
		t.Errorf("%+v %+v", a, b)
	}
}

func TestTheListIsWrittenAsTheTypesOfTheAPIWriteIt(t *testing.T) {
	f := newFixture(t)
	if _, err := SeedDemo(t.Context(), f.store, scheme, f.clock.now()); err != nil {
		t.Fatal(err)
	}
	alice := ozeki.UserIDOf("alice@example.com")
	list, err := f.store.List(t.Context(), alice, "")
	if err != nil {
		t.Fatal(err)
	}
	want, got := ozeki.ConversationsAnswer{Answer: ok}, listAnswer{Answer: ok}
	for i, c := range list.Conversations {
		last, now := c.Last, f.clock.now()
		switch i {
		case 1:
			last = store.Message{} // nobody has written yet
		case 2:
			last.Extra = `{"Colour":{"a":1}}`
		case 3:
			last.ValidUntil = now.Add(time.Hour)
		case 4:
			last.ValidUntil = now
		}
		want.Conversations = append(want.Conversations, conversationFor(alice, c.Conversation, last, now))
		got.Conversations = append(got.Conversations, wireOf(conversationFor(alice, c.Conversation, last, now)))
	}
	if a, b := encode(got), encode(want); string(a) != string(b) {
		t.Errorf("%s\nwant\n%s", a, b)
	}
}
