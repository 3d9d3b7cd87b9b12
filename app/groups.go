package app

import (
	"context"

	goapp "github.com/maxence-charriere/go-app/v9/pkg/app"

	"starling/app/state"
	"starling/ozeki"
)

// newGroup is the dialog that makes a group of friends.
type newGroup struct {
	goapp.Compo

	Open    bool // else the friends, who may be many, are not in the page
	Friends []state.Friend
	Loaded  bool
	Actions *root

	people picker
	task
}

// OnMount keeps the component's own context.
func (d *newGroup) OnMount(ctx goapp.Context) { d.ctx, d.people.id = ctx, "group-pick" }

// Render draws the dialog; it is in the page closed.
func (d *newGroup) Render() goapp.UI {
	nobody := "You have no friends here yet. You can add people later."
	if !d.Loaded {
		nobody = "Loading your friends…"
	}
	return el("dialog").ID(dialogNewGroup).Aria("labelledby", "new-group-title").On("close", d.closed).Body(
		dialogHead(dialogNewGroup, "New group"),
		d.trouble(),
		el("form").Attr("novalidate", "").OnSubmit(d.create).Body(
			el("label").Attr("for", "group-name").Body(el("h3").Text("Group name")),
			el("input").ID("group-name").Attr("type", "text").Attr("autocomplete", "off").Dir("auto"),
			el("h3").Text("People"),
			el("div").Body(goapp.If(d.Open, d.people.render(d.Friends, nobody))),
			el("p").Class("actions").Body(el("button").Attr("type", "submit").Class("primary").Text("Create group")),
		),
	)
}

func (d *newGroup) closed(goapp.Context, goapp.Event) {
	d.words = ""
	d.people.reset()
	setValue("group-name", "")
	d.Actions.making = false
}

func (d *newGroup) create(_ goapp.Context, e goapp.Event) {
	e.PreventDefault()
	name, people := value("group-name"), d.people.among(d.Friends)
	d.work(func() error { return d.Actions.createGroup(name, people) }, nil)
}

// groupDialog shows the members of a group, and is where it is changed.
type groupDialog struct {
	goapp.Compo

	Group   *state.Group // nil: none is shown
	Friends []state.Friend
	Actions *root

	people   picker
	adding   bool
	task          // adding people
	renaming task // which goes on beside it
}

// OnMount keeps the component's own context.
func (d *groupDialog) OnMount(ctx goapp.Context) {
	d.ctx, d.renaming.ctx, d.people.id = ctx, ctx, "member-pick"
}

// Render draws the dialog; it is in the page closed.
func (d *groupDialog) Render() goapp.UI {
	g := d.Group
	if g == nil {
		g = &state.Group{}
	}
	known := make(map[ozeki.UserID]state.Friend, len(d.Friends))
	member := make(map[ozeki.UserID]bool, len(g.Members))
	for _, f := range d.Friends {
		known[f.ID] = f
	}
	for _, m := range g.Members {
		member[m.ID] = true
	}
	var others []state.Friend
	for _, f := range d.Friends {
		if !member[f.ID] {
			others = append(others, f)
		}
	}
	add := []goapp.UI{}
	if d.adding {
		add = append(add, d.people.render(others, "All your friends are members already."),
			el("p").Class("actions").Body(el("button").Attr("type", "button").Class("primary").Text("Add to group").OnClick(d.add)))
	}
	return el("dialog").ID(dialogGroup).Aria("labelledby", "group-title").On("close", d.closed).Body(
		dialogHead(dialogGroup, "Members of "+g.Name),
		// Above the members, so that it does not move when there is one more.
		el("form").Attr("novalidate", "").OnSubmit(d.rename).Body(
			el("label").Attr("for", "group-rename").Body(el("h3").Text("Group name")),
			el("div").Class("field").Body(
				el("input").ID("group-rename").Attr("type", "text").Attr("autocomplete", "off").Dir("auto"),
				el("button").Attr("type", "submit").Class("secondary").Text("Rename"),
			),
			d.renaming.trouble(),
		),
		el("h3").Text("Members"),
		el("ul").Class("members").Aria("label", "Members").Body(
			goapp.Range(g.Members).Slice(func(i int) goapp.UI {
				m := g.Members[i]
				beside := presenceOf(known[m.ID])
				if m.Me {
					beside = el("span").Class("on").Text(" · you")
				}
				return el("li").Body(el("span").Dir("auto").Text(m.Name), beside)
			}),
		),
		d.trouble(),
		el("p").Class("actions").Body(el("button").Attr("type", "button").Class("secondary").Text("Add people").
			Aria("expanded", map[bool]string{true: "true", false: "false"}[d.adding]).OnClick(d.toggle)),
		el("div").Body(add...),
		el("h3").Text("Leave"),
		el("p").Body(el("button").Attr("type", "button").Class("danger").Text("Leave group…").OnClick(d.leave)),
	)
}

func (d *groupDialog) closed(goapp.Context, goapp.Event) {
	d.adding, d.words, d.renaming.words = false, "", ""
	d.people.reset()
	d.Actions.groupClosed()
}

func (d *groupDialog) toggle(goapp.Context, goapp.Event) { d.adding = !d.adding }

func (d *groupDialog) add(goapp.Context, goapp.Event) {
	people := d.people.among(d.Friends)
	if len(people) == 0 {
		d.words = "Choose somebody to add."
		return
	}
	id := d.Group.ID
	d.work(func() error { return d.Actions.engine.AddPeople(context.Background(), id, people) }, func() {
		d.adding = false
		d.people.reset()
	})
}

func (d *groupDialog) rename(_ goapp.Context, e goapp.Event) {
	e.PreventDefault()
	if d.Group == nil {
		return
	}
	id, name := d.Group.ID, value("group-rename")
	d.renaming.work(func() error { return d.Actions.engine.RenameGroup(context.Background(), id, name) }, nil)
}

func (d *groupDialog) leave(goapp.Context, goapp.Event) { d.Actions.askLeave(d.Group.ID) }

// leaveDialog asks before the user leaves a group.
type leaveDialog struct {
	goapp.Compo

	Group   *state.Group // nil: none is shown
	Actions *root

	task
}

// OnMount keeps the component's own context.
func (d *leaveDialog) OnMount(ctx goapp.Context) { d.ctx = ctx }

// Render draws the dialog; it is in the page closed.
func (d *leaveDialog) Render() goapp.UI {
	g := d.Group
	if g == nil {
		g = &state.Group{}
	}
	lost := "You lose all its messages on all your devices, and nobody can give them back to you. The others keep theirs, are told that you have left, " +
		"and go on under a new key that you do not get. If somebody adds you again, you see what is written from then on."
	if len(g.Members) == 1 {
		lost = "Nobody else is in it: the group and all its messages are deleted."
	}
	return el("dialog").ID(dialogLeaveGroup).Aria("labelledby", "leave-group-title").On("close", d.closed).Body(
		dialogHead(dialogLeaveGroup, "Leave "+g.Name+"?"),
		d.trouble(),
		el("p").Text(lost),
		el("p").Class("actions").Body(
			el("button").Attr("type", "button").Class("secondary").Text("Cancel").OnClick(d.cancel),
			el("button").Attr("type", "button").Class("danger").Text("Leave group").OnClick(d.leave),
		),
	)
}

func (d *leaveDialog) closed(goapp.Context, goapp.Event) {
	d.words = ""
	d.Actions.groupClosed()
}

func (d *leaveDialog) cancel(goapp.Context, goapp.Event) { closeDialog(dialogLeaveGroup) }

func (d *leaveDialog) leave(goapp.Context, goapp.Event) {
	id := d.Group.ID
	d.work(func() error { return d.Actions.leaveGroup(id) }, nil)
}

// newGroup opens the dialog for a new group, in the place of that for a new conversation.
func (r *root) newGroup() {
	closeDialog(dialogNewConversation)
	r.engine.LoadFriends()
	r.making = true
	r.open(dialogNewGroup)
}

func (r *root) createGroup(name string, people []state.Friend) error {
	id, err := r.engine.CreateGroup(context.Background(), name, people)
	if err != nil {
		return err
	}
	closeDialog(dialogNewGroup)
	r.goTo(id)
	return nil
}

// showMembers opens the dialog about a group.
func (r *root) showMembers(id ozeki.ConversationID) {
	r.engine.LoadFriends()
	r.engine.ShowGroup(id)
	r.wanted(dialogGroup, func() {
		if g := r.engine.Snapshot().Group; g != nil {
			setValue("group-rename", g.Name)
			openDialog(dialogGroup)
		}
	})
}

// groupEntries is what a group's menu has more than that of other conversations.
func (r *root) groupEntries(row state.Row) []menuEntry {
	if !row.Group || !r.snap.Has(ozeki.ExtGroups) {
		return nil
	}
	return []menuEntry{
		{label: "Members…", part: true, do: func() { r.showMembers(row.ID) }},
		{label: "Leave group…", danger: true, do: func() { r.askLeave(row.ID) }},
	}
}

// askLeave asks whether the user wants to leave a group.
func (r *root) askLeave(id ozeki.ConversationID) {
	r.engine.ShowGroup(id)
	r.wanted(dialogLeaveGroup, func() {
		openDialog(dialogLeaveGroup)
		closeDialog(dialogGroup)
	})
}

// leaveGroup leaves a group; what was open is closed with it.
func (r *root) leaveGroup(id ozeki.ConversationID) error {
	if err := r.engine.LeaveGroup(context.Background(), id); err != nil {
		return err
	}
	closeDialog(dialogLeaveGroup)
	if r.current == id {
		r.goTo("")
	}
	return nil
}

// groupClosed ends showing a group with the last dialog about it.
func (r *root) groupClosed() {
	if !isDialogOpen(dialogGroup) && !isDialogOpen(dialogLeaveGroup) {
		r.engine.ShowGroup("")
	}
}
