package app

import (
	"context"
	"strings"

	goapp "github.com/maxence-charriere/go-app/v9/pkg/app"

	"starling/app/engine"
	"starling/ozeki"
)

// workspacesDialog registers workspaces, invites to them and leaves them.
type workspacesDialog struct {
	goapp.Compo

	Me      ozeki.UserID
	Mine    []ozeki.Workspace
	Loaded  bool
	CanList bool // the server does more than register
	Actions *root

	said    string // what has been done
	link    string // the invite link made last
	leaving string // the workspace that the user is asked about
	task
}

// OnMount keeps the component's own context.
func (d *workspacesDialog) OnMount(ctx goapp.Context) { d.ctx = ctx }

// Render draws the dialog; it is in the page closed.
func (d *workspacesDialog) Render() goapp.UI {
	hint := "The members of a workspace are each other's friends. Register one and send its invite link to those who shall join."
	switch {
	case !d.CanList:
		hint = "Register the name of a workspace on this server."
	case !d.Loaded:
		hint = "Loading your workspaces…"
	}
	return el("dialog").ID(dialogWorkspaces).Aria("labelledby", "workspaces-title").On("close", d.closed).Body(
		dialogHead(dialogWorkspaces, "Workspaces"),
		d.trouble(),
		el("p").Class("hint").Text(hint),
		el("div").Body(goapp.If(len(d.Mine) > 0,
			el("ul").Class("workspaces").Aria("label", "Your workspaces").Body(
				goapp.Range(d.Mine).Slice(func(i int) goapp.UI { return d.row(d.Mine[i]) }),
			),
		)),
		el("p").Class("said").Attr("role", "status").Text(d.said),
		el("div").Body(goapp.If(d.link != "",
			el("input").ID("invite-link").Attr("type", "text").Attr("readonly", true).Aria("label", "Invite link").Attr("value", d.link),
		)),
		el("form").Attr("novalidate", "").OnSubmit(d.register).Body(
			el("label").Attr("for", "workspace-name").Body(el("h3").Text("Workspace name")),
			el("div").Class("field").Body(
				el("input").ID("workspace-name").Attr("type", "text").Attr("autocomplete", "off").Attr("autocapitalize", "none").
					Attr("spellcheck", "false").Attr("placeholder", "alice.ozeki.chat"),
				el("button").Attr("type", "submit").Class("secondary").Text("Register"),
			),
		),
	)
}

func (d *workspacesDialog) row(w ozeki.Workspace) goapp.UI {
	about := countWords(w.Members, "member", "members")
	if w.OwnerID == d.Me {
		about += " · yours"
	}
	button := func(class, text string, f goapp.EventHandler) goapp.UI {
		id := strings.ReplaceAll(strings.ToLower(text), " ", "-") + "-" + w.Name
		return el("button").ID(id).Attr("type", "button").Class(class).Text(text).Aria("label", text+" "+w.Name).DataSet("workspace", w.Name).OnClick(f, text+w.Name)
	}
	asked := d.leaving == w.Name
	return el("li").Body(
		el("div").Class("about").Body(el("strong").Text(w.Name), el("span").Class("on").Text(about)),
		el("p").Text(map[bool]string{true: "Leave it? Its members stay your friends. To come back you need an invite link."}[asked]),
		el("div").Class("actions").Attr("hidden", asked).Body(button("secondary", "Copy invite link", d.invite), button("secondary", "Leave", d.askLeave)),
		el("div").Class("actions").Attr("hidden", !asked).Body(button("secondary", "Stay in", d.stay), button("danger", "Really leave", d.leave)),
	)
}

func workspaceOf(ctx goapp.Context) string {
	return ctx.JSSrc().Get("dataset").Get("workspace").String()
}

func (d *workspacesDialog) closed(goapp.Context, goapp.Event) {
	d.said, d.link, d.leaving, d.words = "", "", "", ""
}

func (d *workspacesDialog) askLeave(ctx goapp.Context, _ goapp.Event) {
	d.leaving = workspaceOf(ctx)
	d.focusLater("stay-in-" + d.leaving)
}

func (d *workspacesDialog) stay(goapp.Context, goapp.Event) {
	d.focusLater("leave-" + d.leaving)
	d.leaving = ""
}

// focusLater moves the focus to a button that comes in the place of the one that was used.
func (d *workspacesDialog) focusLater(id string) {
	d.Actions.afterFrame(func() { focusOn(id) })
}

func (d *workspacesDialog) leave(ctx goapp.Context, _ goapp.Event) {
	name := workspaceOf(ctx)
	d.work(func() error { return d.Actions.engine.LeaveWorkspace(context.Background(), name) }, func() {
		d.leaving, d.link, d.said = "", "", "You have left "+name+"."
	})
}

func (d *workspacesDialog) invite(ctx goapp.Context, _ goapp.Event) {
	name := workspaceOf(ctx)
	d.work(func() error {
		token, err := d.Actions.engine.Invite(context.Background(), name)
		if err != nil {
			return err
		}
		link := inviteLink(token)
		said := "The invite link is copied. Whoever has it can join " + name + " within seven days."
		if !copyText(link) {
			said = "This is the invite link. Whoever has it can join " + name + " within seven days."
		}
		d.ctx.Dispatch(func(goapp.Context) { d.said, d.link = said, link })
		return nil
	}, nil)
}

func (d *workspacesDialog) register(_ goapp.Context, e goapp.Event) {
	e.PreventDefault()
	name := value("workspace-name")
	d.said, d.link = "", ""
	d.work(func() (err error) {
		name, err = d.Actions.engine.RegisterWorkspace(context.Background(), name)
		return err
	}, func() {
		d.said = name + " is registered."
		setValue("workspace-name", "")
	})
}

// invitation is what the link that the user has followed invites to.
type invitation struct {
	token   string
	answer  ozeki.InvitationAnswer
	trouble string // why it invites to nothing, in words
}

// inviteDialog asks whether the user wants to join a workspace.
type inviteDialog struct {
	goapp.Compo

	Name, Inviter string
	Members       int
	Member        bool   // the user is one already
	Trouble       string // why the link invites to nothing, in words
	Actions       *root

	task
}

// OnMount keeps the component's own context.
func (d *inviteDialog) OnMount(ctx goapp.Context) { d.ctx = ctx }

// Render draws the dialog; it is in the page closed.
func (d *inviteDialog) Render() goapp.UI {
	title := "Join " + d.Name + "?"
	text := d.Inviter + " invites you to this workspace. You and its " + countWords(d.Members, "member", "members") +
		" become each other's friends: you can write to each other, and see who is available."
	switch {
	case d.Trouble != "":
		title, text = "Invitation", d.Trouble
	case d.Member:
		title, text = d.Name, "You are a member of this workspace already."
	}
	open := d.Trouble == "" && !d.Member
	return el("dialog").ID(dialogInvite).Aria("labelledby", "invite-title").On("close", d.closed).Body(
		dialogHead(dialogInvite, title),
		d.trouble(),
		el("p").Text(text),
		el("p").Class("actions").Body(
			goapp.If(open, el("button").Attr("type", "button").Class("secondary").Text("Not now").OnClick(d.decline)),
			goapp.If(open, el("button").Attr("type", "button").Class("primary").Text("Join").OnClick(d.join)),
		),
	)
}

// closed forgets the invitation: the link still is where the user has found it.
func (d *inviteDialog) closed(goapp.Context, goapp.Event) {
	d.words = ""
	d.Actions.dropInvitation()
}

func (d *inviteDialog) decline(goapp.Context, goapp.Event) { closeDialog(dialogInvite) }
func (d *inviteDialog) join(goapp.Context, goapp.Event)    { d.work(d.Actions.join, nil) }

func (r *root) openWorkspaces() {
	closeDialog(dialogSettings)
	if r.snap.Has(ozeki.ExtWorkspaces) {
		r.engine.LoadWorkspaces()
	}
	r.open(dialogWorkspaces)
}

// followInvite takes the invite link in the address bar, if there is one. It waits for the user to be signed in, who may
// have to make an account first.
func (r *root) followInvite() {
	if token := inviteToken(); token != "" {
		r.invite = invitation{token: token}
		if r.phase == "out" {
			setPhase(r.phase, r.signInReason())
		}
		r.offerInvitation()
	}
}

// signInReason is why the sign-in form is shown, in words; empty where the user has just come.
func (r *root) signInReason() string {
	if r.reason == "" && r.invite.token != "" {
		return "You are invited to a workspace. Sign in, or create an account, to join it."
	}
	if r.quiet {
		return r.reason + " Notifications on this device have ended, too: once you are signed in, turn them on again in the settings."
	}
	return r.reason
}

// offerInvitation asks the user who is signed in whether he wants to join.
func (r *root) offerInvitation() {
	token := r.invite.token
	if token == "" || r.phase != "in" {
		return
	}
	r.ctx.Async(func() {
		a, err := r.engine.Invitation(context.Background(), token)
		r.ctx.Dispatch(func(goapp.Context) {
			if r.invite.token != token || r.phase != "in" {
				return
			}
			r.invite.trouble = engine.Words(err)
			if a != nil {
				r.invite.answer = *a
			}
			r.open(dialogInvite)
		})
	})
}

// join joins the workspace, and offers to write to its members.
func (r *root) join() error {
	if err := r.engine.JoinWorkspace(context.Background(), r.invite.token); err != nil {
		return err
	}
	closeDialog(dialogInvite)
	r.newConversation()
	return nil
}

func (r *root) dropInvitation() {
	r.invite = invitation{}
	forgetInvite()
}
