package e2e

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// Workspaces opens the dialog "Workspaces".
func (p *person) Workspaces() *element {
	p.t.Helper()
	p.see("button", "Settings").click()
	p.see("button", "Workspaces").click()
	return p.see("dialog", "Workspaces")
}

// RegisterWorkspace registers a workspace and waits until it is said to be.
func (p *person) RegisterWorkspace(name string) *element {
	p.t.Helper()
	dialog := p.Workspaces()
	p.seeIn(dialog, "textbox", "Workspace name").fill(name)
	p.seeIn(dialog, "button", "Register").click()
	p.Hear(strings.ToLower(name) + " is registered.")
	return dialog
}

// InviteLink makes an invite link of a workspace.
func (p *person) InviteLink(dialog *element, name string) (link string) {
	p.t.Helper()
	p.seeIn(dialog, "button", "Copy invite link "+name).click()
	p.seeIn(dialog, "textbox", "Invite link").mustCall("function() { return this.value }", &link)
	return link
}

// Somebody registers a workspace and sends its invite link; who follows it makes an account, joins, and is everybody's
// friend.
func TestWorkspace(t *testing.T) {
	t.Parallel()
	server := startServer(t)
	nora := newPerson(t, server.URL)
	nora.Visit("/")
	nora.CreateAccount("Nora Newcomb", "nora@example.com", demoPassword)
	dialog := nora.Workspaces()
	nora.seeIn(dialog, "textbox", "Workspace name").fill("nora")
	nora.seeIn(dialog, "button", "Register").click()
	nora.SeeAlert("Enter a name like alice.ozeki.chat")
	nora.close(dialog)
	dialog = nora.RegisterWorkspace("Nora.Ozeki.Chat")
	link := nora.InviteLink(dialog, "nora.ozeki.chat")
	if !strings.HasPrefix(link, server.URL+"/#invite=") {
		t.Fatalf("the link is %q", link)
	}
	nora.SeeWords("within seven days")
	path := strings.TrimPrefix(link, server.URL)

	otto := newPerson(t, server.URL)
	otto.Visit(path)
	otto.SeeWords("You are invited to a workspace.")
	otto.Reload() // the invitation survives it
	otto.SeeWords("You are invited to a workspace.")
	otto.CreateAccount("Otto Olsen", "otto@example.com", demoPassword)
	invitation := otto.see("dialog", "Join nora.ozeki.chat?")
	otto.SeeWords("Nora Newcomb invites you to this workspace.")
	otto.seeIn(invitation, "button", "Join").click()
	friends := otto.see("dialog", "New conversation")
	otto.seeIn(friends, "button", "Nora Newcomb…").click()
	otto.SeeConversation("Nora Newcomb")
	otto.Say("Nora Newcomb", "Here I am.")
	otto.SeeMessage("Here I am.")
	var address string
	if otto.js("location.href", &address); strings.Contains(address, "invite") {
		t.Errorf("the address is still %s", address)
	}

	nora.close(dialog)
	nora.OpenConversation("Otto Olsen")
	nora.SeeMessage("Here I am.")
	nora.Say("Otto Olsen", "Welcome!")
	otto.SeeMessage("Welcome!")

	// A member who follows the link in an open program; and who declines.
	otto.js("location.hash = "+`"`+strings.TrimPrefix(path, "/")+`"`, nil)
	otto.SeeWords("You are a member of this workspace already.")
	otto.see("button", "Close").click()
	vera := newPerson(t, server.URL)
	vera.Visit("/")
	vera.CreateAccount("Vera Vogel", "vera@example.com", demoPassword)
	vera.js("location.hash = "+`"`+strings.TrimPrefix(path, "/")+`"`, nil)
	vera.seeIn(vera.see("dialog", "Join nora.ozeki.chat?"), "button", "Not now").click()
	vera.dontSee("dialog", "Join nora.ozeki.chat?")
	dialog = vera.Workspaces()
	vera.seeIn(dialog, "textbox", "Workspace name").fill("nora.ozeki.chat")
	vera.seeIn(dialog, "button", "Register").click()
	vera.SeeAlert("The name nora.ozeki.chat is taken.")
	vera.close(dialog)
	vera.js(`location.hash = "#invite=nonsense"`, nil)
	vera.SeeWords("This invitation is not valid, or not any more. Ask for a new link.")

	// Who leaves stays everybody's friend.
	dialog = otto.Workspaces()
	otto.SeeWords("2 members")
	otto.seeIn(dialog, "button", "Leave nora.ozeki.chat").click()
	otto.seeIn(dialog, "button", "Really leave nora.ozeki.chat").click()
	otto.Hear("You have left nora.ozeki.chat.")
	otto.eventually("it is not listed any more", func() error { return otto.none(dialog, "button", "Copy invite link nora.ozeki.chat") })
	otto.close(dialog)
	otto.Say("Nora Newcomb", "Still friends?")
	nora.SeeMessage("Still friends?")
}

// An invite link in a message is followed like any other.
func TestInviteLinkInAnOpenProgram(t *testing.T) {
	t.Parallel()
	server := startDemo(t)
	al := newAlice(newPerson(t, server.URL))
	link := al.InviteLink(al.RegisterWorkspace("alice.ozeki.chat"), "alice.ozeki.chat")
	bo := newPerson(t, server.URL)
	bo.Visit("/")
	bo.SignIn(bob, demoPassword)
	bo.run(chromedp.Evaluate(`{const a = document.createElement("a"); a.href = "`+link+`"; a.textContent = "the link"; document.getElementById("lists").prepend(a)}`, nil))
	bo.see("link", "the link").click()
	bo.seeIn(bo.see("dialog", "Join alice.ozeki.chat?"), "button", "Join").click()
	bo.see("dialog", "New conversation")
}

// What goes over the wire for registering a workspace is what the API describes: no station, no time, signed.
func TestWorkspaceRegisterOnTheWire(t *testing.T) {
	t.Parallel()
	wire := newLine(t, startServer(t).URL)
	p := newPerson(t, wire.URL)
	p.Visit("/")
	p.CreateAccount("Wendy Wire", "wendy@example.com", demoPassword)
	p.RegisterWorkspace("wendy.ozeki.chat")
	requests := wire.all("workspaceregister")
	if len(requests) != 1 {
		t.Fatalf("%d requests", len(requests))
	}
	r := requests[0]
	if r.Method != http.MethodPost || r.URI != "/ozeki/index.php?srv=chatowner&api=workspace" {
		t.Errorf("%s %s", r.Method, r.URI)
	}
	if string(r.Body) != `{"action":"workspaceregister","workspacename":"wendy.ozeki.chat"}` {
		t.Errorf("the body is %s", r.Body)
	}
	if v := r.Header.Values("Ozeki-Station"); len(v) != 0 {
		t.Errorf("Ozeki-Station: %q", v)
	}
	if v := r.Header.Get("Ozeki-User"); !hex32.MatchString(v) {
		t.Errorf("Ozeki-User: %q", v)
	}
	var account struct{ PublicKey string }
	if err := json.Unmarshal(wire.all("create")[0].Body, &account); err != nil {
		t.Fatal(err)
	}
	if err := verifySignature(account.PublicKey, r); err != nil {
		t.Error(err)
	}
	// The extensions of workspaces are signed like other calls.
	for _, s := range wire.all("list") {
		var b map[string]any
		_ = json.Unmarshal(s.Body, &b)
		if strings.Contains(s.URI, "chatowner") {
			if got := slices.Sorted(maps.Keys(b)); !slices.Equal(got, []string{"action", "clientversioncode", "requestid", "timestamp"}) || s.Header.Get("Ozeki-Station") == "" {
				t.Errorf("%s %v", s.Body, s.Header)
			}
		}
	}
}

// In front of an Ozeki server a workspace is registered, and nothing else is offered.
func TestOzekiServerRegistersAWorkspace(t *testing.T) {
	t.Parallel()
	v := startVendor(t)
	server := inFrontOf(t, v)
	wire := newLine(t, server.URL)
	p := newAdmin(t, wire.URL)
	dialog := p.RegisterWorkspace("alice.ozeki.chat")
	if err := p.none(dialog, "button", "Copy invite link…"); err != nil {
		t.Error(err)
	}
	if n := v.Calls("workspaceregister"); n != 1 {
		t.Errorf("%d requests have come", n)
	}
	p.close(dialog)
	p.see("button", "New conversation").click()
	if err := p.none(nil, "button", "New group"); err != nil {
		t.Error(err)
	}
	p.close(p.see("dialog", "New conversation"))
	p.js(`location.hash = "#invite=token"`, nil)
	p.SeeWords("This server has no invitations to workspaces.")
	for _, s := range wire.all("invitation", "list") {
		if strings.Contains(s.URI, "chatowner") {
			t.Errorf("%s %s", s.URI, s.Body)
		}
	}
}

// Everybody can use the dialogs of workspaces.
func TestWorkspaceDialogsAreAccessible(t *testing.T) {
	t.Parallel()
	server := startDemo(t)
	p := newAlice(newPerson(t, server.URL))
	dialog := p.RegisterWorkspace("alice.ozeki.chat")
	link := p.InviteLink(dialog, "alice.ozeki.chat")
	p.JudgeAccess("workspaces", func() { p.see("textbox", "Invite link") })
	p.seeIn(dialog, "button", "Leave alice.ozeki.chat").click()
	p.eventually("the focus goes along", func() error { return p.see("button", "Stay in alice.ozeki.chat").focused() })
	p.JudgeAccess("leave a workspace", func() { p.see("button", "Really leave alice.ozeki.chat") })
	bo := newPerson(t, server.URL)
	bo.Visit(strings.TrimPrefix(link, server.URL))
	bo.JudgeAccess("sign-in of somebody who is invited", func() { bo.SeeWords("You are invited to a workspace.") })
	bo.FillSignIn(bob, demoPassword)
	bo.JudgeAccess("invitation", func() { bo.see("dialog", "Join alice.ozeki.chat?") })
}
