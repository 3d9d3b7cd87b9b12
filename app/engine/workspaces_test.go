//go:build !js

package engine

import (
	"context"
	"strings"
	"testing"

	"starling/app/state"
)

func TestAnInviteLinkMakesFriendsOfTheMembersOfAWorkspace(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	alice, bob, carol := s.signedIn(s.account(0)), s.signedIn(s.account(1)), s.signedIn(s.account(2))
	name, err := alice.RegisterWorkspace(ctx, " Alice.Ozeki.Chat ")
	if err != nil || name != "alice.ozeki.chat" {
		t.Fatal(name, err)
	}
	alice.until("it is listed", func(v *state.Snapshot) bool { return len(v.Workspaces) == 1 && v.Workspaces[0].Members == 1 })
	if _, err := bob.RegisterWorkspace(ctx, name); !strings.Contains(Words(err), "is taken") {
		t.Error(err)
	}
	for _, wrong := range []string{"", "alice", "a b.c"} {
		if _, err := bob.RegisterWorkspace(ctx, wrong); !strings.Contains(Words(err), "like alice.ozeki.chat") {
			t.Error(err)
		}
	}
	if n := bob.wire.sent("workspaceregister"); n != 1 {
		t.Errorf("%d requests for one name of the right form", n)
	}
	token, err := alice.Invite(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range []*person{bob, carol} {
		a, err := p.Invitation(ctx, token)
		if err != nil || a.Name != name || a.InviterName != "Alice" || a.Members != i+1 {
			t.Errorf("%+v %v", a, err)
		}
		if err := p.JoinWorkspace(ctx, token); err != nil {
			t.Fatal(err)
		}
	}
	carol.until("everybody is her friend", func(v *state.Snapshot) bool { return len(v.Friends) == 2 && len(v.Workspaces) == 1 })
	alice.LoadFriends()
	alice.until("they are her friends", func(v *state.Snapshot) bool { return len(v.Friends) == 2 })
	if _, err := carol.Converse(context.Background(), bob.friend()); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := bob.LeaveWorkspace(ctx, name); err != nil {
			t.Error(err)
		}
	}
	bob.until("it is gone", func(v *state.Snapshot) bool { return v.WorkspacesLoaded && len(v.Workspaces) == 0 })
	if _, err := bob.Invitation(ctx, "nonsense"); !strings.Contains(Words(err), "Ask for a new link") {
		t.Error(err)
	}
}

// In front of an Ozeki server only what is published is sent.
func TestWithoutTheExtensionAWorkspaceIsRegisteredAndNoMore(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	p := s.signedIn(s.account(0))
	session := *p.client.Session()
	session.Extensions = nil
	p.client.SetSession(&session)
	if _, err := p.RegisterWorkspace(ctx, "alice.ozeki.chat"); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Invitation(ctx, "token"); err == nil {
		t.Error("an invitation where there is none")
	}
	p.Close()
	for _, call := range []string{"invitation", "workspace list"} {
		if p.wire.sent(call) != 0 {
			t.Errorf("%s was sent", call)
		}
	}
	if p.wire.sent("workspaceregister") != 1 {
		t.Error("nothing was registered")
	}
}
