package chatserver

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"starling/chatserver/store"
	"starling/ozeki"
)

var workspaceCalls = []ozeki.Call{
	ozeki.CallWorkspaces, ozeki.CallWorkspaceInvite, ozeki.CallWorkspaceInvitation, ozeki.CallWorkspaceJoin, ozeki.CallWorkspaceLeave,
}

func TestAWorkspaceIsRegisteredAsPublished(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	call := ozeki.CallWorkspaceRegister
	register := func(u *user, name string) answer {
		t.Helper()
		r := u.raw(call, `{"action":"workspaceregister","workspacename":"`+name+`"}`)
		delete(r.header, ozeki.HeaderStation)
		return f.send(r)
	}
	register(alice, "alice.ozeki.chat").want(t, "")
	f.clock.move(24 * time.Hour)
	register(alice, "Alice.Ozeki.Chat").want(t, "") // a repeat by its owner, at any time
	if a := register(bob, "alice.ozeki.chat").want(t, ozeki.CodeExists); !strings.Contains(a.ErrorMessage, "taken") {
		t.Error(a.ErrorMessage)
	}
	for _, name := range []string{"", "alice", "a b.chat", "-a.chat", "http://a.chat", strings.Repeat("a", 64) + ".chat"} {
		register(bob, name).want(t, ozeki.CodeInvalid)
	}
	list, err := alice.Workspaces(ctx)
	if want := []ozeki.Workspace{{Name: "alice.ozeki.chat", OwnerID: alice.id, Members: 1}}; err != nil || !reflect.DeepEqual(list, want) {
		t.Errorf("%+v %v", list, err)
	}
	a := f.send(bob.raw(ozeki.CallWorkspaces, f.body(ozeki.CallWorkspaces))).want(t, "")
	if !strings.Contains(a.body, `"workspaces":[]`) {
		t.Errorf("none: %s", a.body)
	}
}

func TestOnlyItsSignerRegistersAWorkspace(t *testing.T) {
	f := newFixture(t)
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	call, body := ozeki.CallWorkspaceRegister, `{"action":"workspaceregister","workspacename":"alice.ozeki.chat"}`
	words := map[string]bool{}
	for name, change := range map[string]func(*raw){
		"another user's":       func(r *raw) { r.header[ozeki.HeaderUser] = string(bob.id) },
		"nobody's":             func(r *raw) { r.header[ozeki.HeaderUser] = string(ozeki.UserIDOf("nobody")) },
		"of no form":           func(r *raw) { r.header[ozeki.HeaderUser] = "x" },
		"without a user":       func(r *raw) { delete(r.header, ozeki.HeaderUser) },
		"without a signature":  func(r *raw) { delete(r.header, ozeki.HeaderSignature) },
		"of another text":      func(r *raw) { r.body = strings.Replace(body, "alice", "alicf", 1) },
		"with another's signs": func(r *raw) { r.header[ozeki.HeaderSignature] = bob.raw(call, body).header[ozeki.HeaderSignature] },
	} {
		r := alice.raw(call, body)
		change(&r)
		a := f.send(r).want(t, ozeki.CodeSignature)
		if a.http != http.StatusOK {
			t.Errorf("%s: HTTP %d", name, a.http)
		}
		words[a.body] = true
	}
	if len(words) != 1 {
		t.Errorf("refusals can be told apart: %v", words)
	}
}

func TestWhoJoinsAWorkspaceIsEverybodysFriend(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	alice, bob, carol := f.user("Alice", 0), f.user("Bob", 1), f.user("Carol", 2)
	if err := alice.RegisterWorkspace(ctx, "alice.ozeki.chat"); err != nil {
		t.Fatal(err)
	}
	token, err := alice.InviteToWorkspace(ctx, " Alice.ozeki.chat")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.store.Invite(ctx, token, f.clock.now()); err == nil {
		t.Error("the token is stored as it is")
	}
	got, err := bob.Invitation(ctx, token)
	want := &ozeki.InvitationAnswer{Answer: ok, Name: "alice.ozeki.chat", OwnerName: "Alice", InviterName: "Alice", Members: 1}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v %v", got, err)
	}
	start, _ := f.store.Seq(ctx)
	for range 2 { // a repeat changes nothing
		if err := bob.JoinWorkspace(ctx, token); err != nil {
			t.Fatal(err)
		}
	}
	a, err := alice.Notification(ctx, start)
	if err != nil || len(a.FriendAvailabilitiesOf) != 1 || a.FriendAvailabilitiesOf[0] != bob.id {
		t.Errorf("the others are told: %+v %v", a, err)
	}
	// A member who is not the owner invites too.
	second, err := bob.InviteToWorkspace(ctx, "alice.ozeki.chat")
	if err != nil || second == token {
		t.Fatal(second, err)
	}
	if got, err := carol.Invitation(ctx, second); err != nil || got.InviterName != "Bob" || got.OwnerName != "Alice" || got.Members != 2 || got.Member {
		t.Errorf("%+v %v", got, err)
	}
	if err := carol.JoinWorkspace(ctx, second); err != nil {
		t.Fatal(err)
	}
	if got, err := carol.Invitation(ctx, second); err != nil || !got.Member || got.Members != 3 {
		t.Errorf("%+v %v", got, err)
	}
	for _, u := range []*user{alice, bob, carol} {
		friends, err := u.Friends(ctx)
		if err != nil || len(friends.Friends) != 2 {
			t.Errorf("%+v %v", friends, err)
		}
	}
	f.direct(carol, bob) // who were strangers before

	if err := alice.LeaveWorkspace(ctx, "alice.ozeki.chat"); err != nil {
		t.Fatal(err)
	}
	refused(t, alice.LeaveWorkspace(ctx, "alice.ozeki.chat"), ozeki.CodeNotFound)
	refused(t, alice.RegisterWorkspace(ctx, "alice.ozeki.chat"), ozeki.CodeExists)
	_, err = alice.InviteToWorkspace(ctx, "alice.ozeki.chat")
	refused(t, err, ozeki.CodeNotFound)
	list, err := bob.Workspaces(ctx)
	if err != nil || len(list) != 1 || list[0].OwnerID != bob.id || list[0].Members != 2 {
		t.Errorf("%+v %v", list, err)
	}
	if friends, err := alice.Friends(ctx); err != nil || len(friends.Friends) != 2 {
		t.Errorf("friends stay friends: %+v %v", friends, err)
	}
}

func TestJoiningAWorkspaceMakesNoFriendsOfThoseWhoHaveBlockedEachOther(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	alice, bob, carol := f.user("Alice", 0), f.user("Bob", 1), f.user("Carol", 2)
	if err := alice.RegisterWorkspace(ctx, "alice.ozeki.chat"); err != nil {
		t.Fatal(err)
	}
	token, err := alice.InviteToWorkspace(ctx, "alice.ozeki.chat")
	if err != nil {
		t.Fatal(err)
	}
	if err := bob.JoinWorkspace(ctx, token); err != nil {
		t.Fatal(err)
	}
	if err := bob.Block(ctx, carol.id); err != nil {
		t.Fatal(err)
	}
	if err := carol.JoinWorkspace(ctx, token); err != nil {
		t.Fatal(err)
	}
	if friends, err := carol.Friends(ctx); err != nil || len(friends.Friends) != 1 || friends.Friends[alice.id] == "" {
		t.Errorf("%+v %v", friends, err)
	}
	// Nor can she be brought into a group by him, or he by her.
	c := f.group(alice, bob)
	f.befriend(alice, carol)
	if _, err := alice.AddMembers(ctx, c.ID, 0, []ozeki.Member{carol.member()}); err != nil {
		t.Errorf("by somebody else she can: %v", err)
	}
	_, err = f.store.Update(ctx, func(tx store.Tx) error { return tx.AddFriends(ctx, bob.id, carol.id) })
	if err != nil {
		t.Fatal(err)
	}
	for _, pair := range [][2]*user{{bob, carol}, {carol, bob}} {
		alone, err := pair[0].CreateConversation(ctx, ozeki.ConversationCreateRequest{
			ConversationID: ozeki.NewConversationID(), IsGroup: true, Members: []ozeki.Member{pair[0].member()},
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = pair[0].AddMembers(ctx, alone.ID, 0, []ozeki.Member{pair[1].member()})
		refused(t, err, ozeki.CodeForbidden)
	}
}

func TestAnInvitationEndsAfterSevenDays(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	if err := alice.RegisterWorkspace(ctx, "alice.ozeki.chat"); err != nil {
		t.Fatal(err)
	}
	token, err := alice.InviteToWorkspace(ctx, "alice.ozeki.chat")
	if err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []string{"", "x", token + "x", strings.ToLower(token), strings.Repeat("x", 1000)} {
		_, err := bob.Invitation(ctx, wrong)
		refused(t, err, ozeki.CodeNotFound)
		refused(t, bob.JoinWorkspace(ctx, wrong), ozeki.CodeNotFound)
	}
	f.clock.move(inviteFor - time.Second)
	if _, err := f.srv.purge(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := bob.Invitation(ctx, token); err != nil {
		t.Error(err)
	}
	f.clock.move(time.Second)
	_, err = bob.Invitation(ctx, token)
	refused(t, err, ozeki.CodeNotFound)
	refused(t, bob.JoinWorkspace(ctx, token), ozeki.CodeNotFound)
	if _, err := f.srv.purge(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := f.store.Invite(ctx, hashAPIKey(token), f.clock.now().Add(-time.Hour)); err == nil {
		t.Error("it is still stored")
	}
}

func TestWorkspacesAndTheirMembersAreLimited(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	for i := range maxWorkspaces {
		if err := alice.RegisterWorkspace(ctx, fmt.Sprintf("w%d.example", i)); err != nil {
			t.Fatal(err)
		}
	}
	refused(t, alice.RegisterWorkspace(ctx, "more.example"), ozeki.CodeForbidden)
	if err := bob.RegisterWorkspace(ctx, "more.example"); err != nil {
		t.Fatal(err)
	}
	token, err := bob.InviteToWorkspace(ctx, "more.example")
	if err != nil {
		t.Fatal(err)
	}
	refused(t, alice.JoinWorkspace(ctx, token), ozeki.CodeForbidden)
	if err := alice.LeaveWorkspace(ctx, "w0.example"); err != nil {
		t.Fatal(err)
	}
	_, err = f.store.Update(ctx, func(tx store.Tx) error {
		for i := range maxWorkspaceMembers - 1 {
			a := store.Account{UserID: ozeki.UserIDOf(fmt.Sprint(i)), Email: fmt.Sprint(i), APIKeyHash: fmt.Sprint(i)}
			if err := tx.CreateAccount(ctx, a); err != nil {
				return err
			}
			if _, err := tx.AddWorkspaceMember(ctx, "more.example", a.UserID); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	refused(t, alice.JoinWorkspace(ctx, token), ozeki.CodeForbidden)
	if err := bob.LeaveWorkspace(ctx, "more.example"); err != nil {
		t.Fatal(err)
	}
	if err := alice.JoinWorkspace(ctx, token); err != nil {
		t.Error(err)
	}
}
