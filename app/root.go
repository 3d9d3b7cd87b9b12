package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	goapp "github.com/maxence-charriere/go-app/v9/pkg/app"

	"starling/app/engine"
	"starling/app/state"
	"starling/ozeki"
)

// root is the page: sidebar, conversation, notices and dialogs. It owns the engine and hands its snapshots down.
type root struct {
	goapp.Compo

	snap                  *state.Snapshot
	keys                  keymap         // as the user has changed them
	recording, keyTrouble string         // the shortcut that gets new keys, and what is wrong with those pressed
	held                  map[int]holder // notices whose clock stands still
	unsent, unsaved       int            // what signing out would lose, when the settings were opened
	refused               string         // why the text in the composer was not taken, in words
	question              [3]string      // of the dialog that asks: title, text, the button that says yes
	asked                 func() error   // what yes does
	questions             int            // how many were asked so far
	engine                *engine.Engine
	list                  *island
	log                   *timeline
	chosen                map[ozeki.ConversationID][]chosenFile // files in the composer
	choices               int                                   // how many were chosen so far
	fileLimit             int64                                 // of one file, in bytes; 0: the server takes none
	sending               ozeki.ConversationID                  // whose message is sent when its pictures are prepared
	opened                *openPicture                          // the picture in the dialog
	made                  []string                              // the dialogs that are in the page, in the order in which they were wanted first
	editing               state.Message                         // the message that stands in the composer to be changed, without an id for none
	editingIn             ozeki.ConversationID

	starred bool // the stars that were clicked before the program was there are taken
	badge   int  // as told to the system: messages that are unread; negative: it has to be told
	push    pushState
	asks    launch               // what is done when somebody is signed in
	shared  string               // waits for the conversation that is chosen next
	early   ozeki.ConversationID // in whose composer something was written before its draft was opened
	said    int                  // sequence of the last announcement given to the live region
	phase   string               // as told to the page
	reason  string
	quiet   bool                 // notifications have ended with a session that its user did not end
	current ozeki.ConversationID // the one that the address bar names
	invite  invitation           // of a link that was followed
	making  bool                 // a group is being made
	ctx     goapp.Context
}

// OnMount starts the engine with the page's configuration.
func (r *root) OnMount(ctx goapp.Context) {
	if goapp.IsServer || r.engine != nil {
		return
	}
	cfg, origin := readConfig()
	scheme, err := ozeki.SchemeByName(cfg.Scheme)
	if err != nil {
		panic(err) // the page comes from the server that knows the scheme: an old page with a new server
	}
	o := engine.Options{Client: ozeki.NewClient(ozeki.Options{Base: origin + cfg.API, Scheme: scheme})}
	if cfg.Listener != "" {
		o.Listener = "ws" + strings.TrimPrefix(origin, "http") + cfg.Listener
	}
	r.begin(ctx, o)
}

func (r *root) begin(ctx goapp.Context, o engine.Options) {
	r.ctx, r.keys = ctx, parseKeymap(pref("shortcuts"))
	r.badge = -1 // the worker may have set one
	r.held, r.chosen = map[int]holder{}, map[ozeki.ConversationID][]chosenFile{}
	r.list, r.log = newIsland(r), newTimeline(r)
	o.Picture, o.Painted, o.Calm = r.list.picture, painted, calm
	o.OnNoSession = func(asked bool) { go r.endPush(!asked) }
	o.OnChange = func(s *state.Snapshot) {
		// Rows and messages are drawn in the same frame as the click; the rest follows at the framework's next one.
		r.list.show(s)
		r.log.show(s)
		ctx.Dispatch(func(goapp.Context) { r.take(s) })
	}
	r.engine = engine.New(o)
	r.snap = r.engine.Snapshot()
	ctx.Defer(func(goapp.Context) { r.list.attach("lists") })
	onSubmit(r.submit)
	onHistory(func() { r.show(openConversation()) })
	onInvite(r.followInvite)
	onOnline(func() { r.engine.Wake() })
	onVisible(func(is bool) {
		r.engine.Visible(is)
		r.log.seen()
	})
	onUsed(r.engine.Used)
	onKey(r.key)
	onTyped("composer", r.typed)
	onTyped("keep", r.setKeep)
	onLeave(r.engine.Leaving)
	guardLinks(r.goTo)
	onFiles(r.mayAttach, r.choose)
	warnBeforeLeaving(r.unfinished)
	r.engine.Visible(isVisible())
	onWorker(r.goTo, func() { go r.renewPush() })
	onLaunch(r.launched)
	r.followInvite()
	r.engine.Start()
	r.show(openConversation())
}

// OnDismount stops the engine.
func (r *root) OnDismount() {
	if r.engine != nil {
		r.list.detach()
		r.log.detach()
		r.engine.Close()
	}
}

// take makes a snapshot the one that is shown.
func (r *root) take(s *state.Snapshot) {
	before := r.snap
	r.snap, r.fileLimit = s, r.engine.FileLimit()
	if o := s.Open; o != nil && o.Draft != nil && r.editing.ID == "" && o.Row.ID == r.current && !hasDraft(before, r.current) && value("composer") == "" {
		r.compose(r.current) // a kept one has been opened
	}
	if o := s.Open; o != nil && s.Loaded && !o.Known && len(r.chosen[o.Row.ID]) > 0 {
		delete(r.chosen, o.Row.ID)
	}
	r.dropSent(before)
	r.joinEarly()
	if r.shared != "" && r.current != "" && r.asks.shared == "" {
		r.takeShared()
	}
	phase := map[state.Phase]string{state.Starting: r.phase, state.SignedOut: "out", state.SignedIn: "in"}[s.Phase]
	if phase != "" && (phase != r.phase || s.Reason != r.reason) {
		if r.phase == "in" && phase == "out" {
			for _, id := range r.made {
				closeDialog(id)
			}
			r.editing, r.editingIn = state.Message{}, ""
			clear(r.chosen)
			setValue("filter", "")
			setTheme("")
			r.keys = keymap{}
			replaceAddress()
			r.current = ""
			r.badge = -1
			if s.Reason == "" { // else what somebody has just shared waits until he is signed in again
				r.shared = ""
			}
		}
		r.phase, r.reason = phase, s.Reason
		setPhase(phase, r.signInReason())
		r.offerInvitation()
		if phase == "in" && s.Open == nil {
			r.show(openConversation()) // of a link that was followed before signing in
		}
		if phase == "in" {
			r.quiet = false
			go r.renewPush()
			r.begun()
		}
	}
	if before != nil && before.Group != nil && s.Group == nil { // left on another device
		closeDialog(dialogGroup)
		closeDialog(dialogLeaveGroup)
	}
	if s.Loaded && !r.starred {
		r.starred = true
		for id, on := range clickedStars() {
			r.star(id, on)
		}
	}
	if s.Announcement.Seq != r.said {
		r.said = s.Announcement.Seq
		announce(s.Announcement.Text)
	}
	setTitle(titleOf(s))
	if s.Unread != r.badge && (s.Loaded || s.Phase == state.SignedOut) {
		r.badge = s.Unread
		setBadge(s.Unread)
		if s.Phase == state.SignedIn {
			go closeRead(s)
		}
	}
}

// titleOf is the title of the page: how much is unread, and what is open.
func titleOf(s *state.Snapshot) string {
	title := "Starling"
	if s.Phase != state.SignedIn {
		return title
	}
	if s.Open != nil && s.Open.Row.Name != "" {
		title = s.Open.Row.Name + " · Starling"
	}
	if badge, _ := unreadOf(state.Row{Unread: s.Unread}); badge != "" {
		title = "(" + badge + ") " + title
	}
	return title
}

// Render draws the page around the lists.
func (r *root) Render() goapp.UI {
	s := r.snap
	if s == nil {
		s = &state.Snapshot{}
	}
	class := "app"
	if s.Open != nil {
		class += " reading"
	}
	var chosen []chosenFile
	if s.Open != nil {
		chosen = r.chosen[s.Open.Row.ID]
	}
	parts := []goapp.UI{
		el("nav").Class("sidebar").Aria("label", "Conversations").Body(
			&sidebarHead{Name: s.User.Name, Trouble: s.Trouble, UnreadOnly: s.UnreadOnly, Actions: r},
			el("div").ID("lists").Class("lists"),
			&sharedLine{Text: r.shared, Actions: r},
			&connectionLine{Offline: s.Offline && s.Phase == state.SignedIn},
		),
		&conversationPane{View: s.Open, Groups: s.Has(ozeki.ExtGroups), Empty: s.Loaded && s.Total == 0, About: r.about(s.Open), Refused: r.refused, Chosen: viewsOf(chosen), FileLimit: r.fileLimit, Actions: r},
		&noticeList{Notices: s.Notices, Actions: r},
	}
	for _, id := range r.made {
		parts = append(parts, r.dialog(id, s))
	}
	return el("div").ID("app").Class(class).Body(parts...)
}

// The dialogs, by their ids.
const (
	dialogNewConversation = "new-conversation"
	dialogNewGroup        = "new-group"
	dialogGroup           = "group"
	dialogLeaveGroup      = "leave-group"
	dialogWorkspaces      = "workspaces"
	dialogInvite          = "invite"
	dialogSettings        = "settings"
	dialogHidden          = "hidden"
	dialogAsk             = "ask"
	dialogPicture         = "picture"
	dialogShortcuts       = "shortcuts"
)

func (r *root) dialog(id string, s *state.Snapshot) goapp.UI {
	switch id {
	case dialogNewConversation:
		return &newConversation{Friends: s.Friends, Loaded: s.FriendsLoaded, CanAdd: s.Has(ozeki.ExtFriendAdd), CanCreate: s.Has(ozeki.ExtConversationCreate), CanGroup: s.Has(ozeki.ExtGroups), Actions: r}
	case dialogNewGroup:
		return &newGroup{Open: r.making, Friends: s.Friends, Loaded: s.FriendsLoaded, Actions: r}
	case dialogGroup:
		return &groupDialog{Group: s.Group, Friends: s.Friends, Actions: r}
	case dialogLeaveGroup:
		return &leaveDialog{Group: s.Group, Actions: r}
	case dialogWorkspaces:
		return &workspacesDialog{Me: s.User.ID, Mine: s.Workspaces, Loaded: s.WorkspacesLoaded, CanList: s.Has(ozeki.ExtWorkspaces), Actions: r}
	case dialogInvite:
		a := r.invite.answer
		return &inviteDialog{Name: a.Name, Inviter: a.InviterName, Members: a.Members, Member: a.Member, Trouble: r.invite.trouble, Actions: r}
	case dialogSettings:
		return &settingsDialog{Name: s.User.Name, Unsent: r.unsent, Unsaved: r.unsaved, Push: r.push, Actions: r}
	case dialogHidden:
		return &hiddenDialog{Rows: s.AllHidden, List: s.Blocklist, CanBlock: s.Has(ozeki.ExtBlock), Actions: r}
	case dialogAsk:
		return &askDialog{Title: r.question[0], Text: r.question[1], Yes: r.question[2], Number: r.questions, Actions: r}
	case dialogPicture:
		picture := openPicture{}
		if r.opened != nil {
			picture = *r.opened
		}
		return &pictureDialog{Name: picture.name, Loaded: picture.loaded, Actions: r}
	}
	return &shortcutsDialog{Keys: r.keys, Recording: r.recording, Trouble: r.keyTrouble, Actions: r}
}

// open opens a dialog once the page shows it as it is now.
func (r *root) open(id string) { r.wanted(id, func() { openDialog(id) }) }

// wanted makes a dialog if it was not wanted before, and calls f when the page shows what has been asked for so far. Most
// dialogs are not wanted most of the time, and the page is there sooner without them.
func (r *root) wanted(id string, f func()) {
	r.ctx.Dispatch(func(goapp.Context) {
		if !slices.Contains(r.made, id) {
			r.made = append(r.made, id)
		}
	})
	r.afterFrame(f)
}

// submit carries out a sign-in form.
func (r *root) submit(f submission) {
	ctx := context.Background()
	if f.begun != nil {
		ctx = ozeki.WithBegunDerivation(ctx, f.begun)
	}
	var err error
	switch {
	case f.kind == "create":
		err = r.engine.CreateAccount(ctx, f.fields["name"], f.fields["email"], f.fields["password"])
	case f.fields["apikey"] != "":
		err = r.engine.SignInWithKey(ctx, f.fields["apikey"], f.fields["encryption"])
	default:
		err = r.engine.SignIn(ctx, f.fields["email"], f.fields["password"])
	}
	field := "" // the one to mend; empty is the password
	if errors.Is(err, ozeki.ErrExists) {
		field = "email"
	}
	submitted(f.kind, engine.Words(err), field)
}

// The actions that components and rows ask for.

func (r *root) star(id ozeki.ConversationID, on bool)       { r.engine.Star(id, on) }
func (r *root) redrawn()                                    { r.engine.Redrawn() }
func (r *root) mute(id ozeki.ConversationID, on bool)       { r.engine.Mute(id, on) }
func (r *root) color(id ozeki.ConversationID, color string) { r.engine.Color(id, color) }
func (r *root) place(id ozeki.ConversationID, to int)       { r.engine.PlaceFavorite(id, to) }
func (r *root) seen(ids []ozeki.ConversationID)             { r.engine.Seen(ids) }
func (r *root) overview(ids []ozeki.ConversationID)         { r.engine.Overview(ids) }
func (r *root) markRead(id ozeki.ConversationID)            { r.engine.MarkRead(id) }
func (r *root) filter(text string)                          { r.engine.Filter(text) }
func (r *root) reloadList()                                 { r.engine.Reload() }

func (r *root) reload(id ozeki.ConversationID)                    { r.engine.Open(id) }
func (r *root) older(id ozeki.ConversationID)                     { r.engine.Older(id) }
func (r *root) later(id ozeki.ConversationID)                     { r.engine.Later(id) }
func (r *root) newest(id ozeki.ConversationID)                    { r.engine.Newest(id) }
func (r *root) atEnd(id ozeki.ConversationID, is bool)            { r.engine.AtEnd(id, is) }
func (r *root) viewed(id ozeki.ConversationID, m ozeki.MessageID) { r.engine.Viewed(id, m) }

// hide hides a conversation, or shows it again. The focus of a row that goes along goes to the one that takes its place.
func (r *root) hide(id ozeki.ConversationID, on bool) {
	next := nextTo(r.engine.Snapshot(), id)
	r.engine.Hide(id, on)
	r.afterFrame(func() {
		if isNothingFocused() && next != "" {
			r.list.focusRow(next)
		}
	})
}

// nextTo is the conversation that stands below another one in its list, or above it where it is the last.
func nextTo(s *state.Snapshot, id ozeki.ConversationID) ozeki.ConversationID {
	for _, rows := range [][]*state.Row{s.Favorites, s.Conversations, s.Hidden} {
		i := slices.IndexFunc(rows, func(r *state.Row) bool { return r.ID == id })
		switch {
		case i < 0:
		case i+1 < len(rows):
			return rows[i+1].ID
		case i > 0:
			return rows[i-1].ID
		}
	}
	return ""
}

// askClear asks whether a conversation shall be cleared, and says what is lost.
func (r *root) askClear(id ozeki.ConversationID) {
	if row, ok := r.engine.Snapshot().Row(id); ok {
		r.ask("Clear "+row.Name+"?", "All messages are removed, for everybody in this conversation and on all devices. This cannot be undone.", "Clear",
			func() error { r.engine.Clear(id); return nil })
	}
}

// ask asks a question; do is done when the answer is yes.
func (r *root) ask(title, text, yes string, do func() error) {
	r.ctx.Dispatch(func(goapp.Context) { r.question, r.asked, r.questions = [3]string{title, text, yes}, do, r.questions+1 })
	r.open(dialogAsk)
}

// askBlock asks before a person is blocked.
func (r *root) askBlock(user ozeki.UserID, name string) {
	r.ask("Block "+name+"?", name+" will not be able to write to you or to see whether you are there, and you will not be able to write to "+name+
		" until you unblock. What was written stays; groups go on as they are.", "Block",
		func() error { return r.engine.Block(context.Background(), user) })
}

func (r *root) unblock(user ozeki.UserID) { r.engine.Unblock(user) }

// openHidden opens the list of what is hidden and blocked.
func (r *root) openHidden() {
	closeDialog(dialogSettings)
	r.engine.LoadBlocklist()
	r.open(dialogHidden)
}

// openBest opens what fits the filter best, and clears the filter.
func (r *root) openBest() {
	if id := r.engine.Snapshot().Best; id != "" {
		setValue("filter", "")
		r.engine.Filter("")
		r.goTo(id)
	}
}

// menu opens a conversation's menu at a point, or below what has the focus.
func (r *root) menu(id ozeki.ConversationID, at point) {
	if row, ok := r.engine.Snapshot().Row(id); ok {
		showMenu("More for "+row.Name, append(menuOf(row, r.snap.Has, r), r.groupEntries(row)...), at)
	}
}

// hold stops the clock of a notice while it is hovered or focused, or both, and starts it again.
func (r *root) hold(id int, by holder, held bool) {
	was := r.held[id]
	if held {
		r.held[id] |= by
	} else if r.held[id] &^= by; r.held[id] == 0 {
		delete(r.held, id)
	}
	if (was != 0) != (r.held[id] != 0) {
		r.engine.HoldNotice(id, r.held[id] != 0)
	}
}

// dismiss removes a notice and puts the focus to what it was about.
func (r *root) dismiss(n state.Notice) {
	delete(r.held, n.ID)
	r.engine.Dismiss(n.ID)
	if n.Conversation != "" {
		r.list.focusRow(n.Conversation)
	} else {
		r.list.focusFirst()
	}
}

// openSettings opens the settings, which tell what signing out would lose.
func (r *root) openSettings() {
	r.unsent, r.unsaved = r.engine.Unsaved()
	go r.lookAtPush()
	r.open(dialogSettings)
}

func (r *root) undo(n state.Notice) {
	r.engine.Undo(n)
	r.list.focusRow(n.Conversation)
}

func (r *root) signOut() {
	closeDialog(dialogSettings)
	r.engine.SignOut()
}

func (r *root) newConversation() {
	r.engine.LoadFriends()
	r.open(dialogNewConversation)
}

// goTo opens a conversation, or goes back to the list with the empty id, as a step of the history.
func (r *root) goTo(id ozeki.ConversationID) {
	pushConversation(r.current, id)
	r.show(id)
}

func (r *root) show(id ozeki.ConversationID) {
	was := r.current
	r.current, r.early = id, ""
	if id != was {
		// At once, before the pane is drawn: what stands in the composer is sent to, and kept for, the current one.
		if r.editing.ID != "" {
			r.dropEdit(r.editingIn, func(e state.Edit) bool { return e.Now == e.Was })
		}
		r.editing, r.editingIn = state.Message{}, ""
	}
	r.engine.Open(id)
	if id != was {
		r.compose(id)
	}
	if id != "" && r.shared != "" {
		r.takeShared()
	}
	if id == "" && was != "" {
		r.list.focusRow(was)
	} else if id != "" && id != was && !isTouch() {
		r.afterFrame(func() { focusOn("composer") })
	}
}

// afterFrame calls f when the page shows what has been asked for so far.
func (r *root) afterFrame(f func()) {
	r.ctx.Dispatch(func(ctx goapp.Context) { ctx.Defer(func(goapp.Context) { f() }) })
}

func (r *root) retry(id ozeki.ConversationID, m ozeki.MessageID)   { r.engine.Retry(id, m) }
func (r *root) discard(id ozeki.ConversationID, m ozeki.MessageID) { r.engine.Discard(id, m) }
func (r *root) converse(f state.Friend) error {
	id, err := r.engine.Converse(context.Background(), f)
	if err != nil {
		return err
	}
	closeDialog(dialogNewConversation)
	r.goTo(id)
	return nil
}

func (r *root) addFriend(email string) (state.Friend, error) {
	return r.engine.AddFriend(context.Background(), email)
}

// key carries out the shortcuts, and takes the keys of the one that is being changed.
func (r *root) key(k key) bool {
	if r.snap == nil || r.snap.Phase != state.SignedIn {
		return false
	}
	if r.recording != "" {
		return r.record(k)
	}
	switch {
	case k.Modal:
		return false
	case k.Target == "composer" && k.Name == "Enter" && !k.Shift:
		r.send()
		return true
	case k.Name == "Escape" && (k.Target == "composer" || !k.Typing) && r.cancel():
		return true
	case k.Target == "composer" && k.Name == "ArrowUp" && !k.Text && !k.Ctrl && !k.Alt && !k.Meta && !k.Shift:
		return r.editLast()
	case k.Name == "Escape" && isFocused("filter"):
		setValue("filter", "")
		r.engine.Filter("")
		r.list.focusFirst()
		return true
	case k.Name == "Enter" && isFocused("filter"):
		r.openBest()
		return true
	case k.Name == "ArrowDown" && isFocused("filter"):
		r.list.focusFirst()
		return true
	case k.Typing && !k.Ctrl && !k.Alt && !k.Meta:
		return false
	}
	id, number := r.keys.find(comboOf(k))
	focused, inRow := r.list.focusedRow()
	switch id {
	case "star-row":
		if inRow && !k.Repeat { // of a key that is held
			r.toggle(focused)
		}
		return inRow
	case "star-open":
		if !k.Repeat {
			r.toggle(r.current)
		}
	case "favorite":
		if number <= len(r.snap.Favorites) {
			r.goTo(r.snap.Favorites[number-1].ID)
		}
	case "up", "down":
		if !inRow {
			focused = r.current
		}
		r.engine.MoveFavorite(focused, map[string]int{"up": -1, "down": 1}[id])
	case "filter":
		focusOn("filter")
	case "undo":
		return !k.Text && r.engine.UndoLast()
	case "list":
		r.open(dialogShortcuts)
	default:
		return false
	}
	return true
}

// toggle makes a conversation a favorite, or not.
func (r *root) toggle(id ozeki.ConversationID) {
	if on, known := r.engine.IsFavorite(id); known {
		r.engine.Star(id, !on)
	}
}

// record takes the new keys of a shortcut; Escape leaves them as they were.
func (r *root) record(k key) bool {
	combo := comboOf(k)
	if combo == "" || k.Name == "Tab" {
		return combo == ""
	}
	if k.Name == "Escape" {
		r.changeKeys(r.keys, "")
		return true
	}
	keys, words := r.keys.with(r.recording, combo)
	r.changeKeys(keys, words)
	return true
}

// changeKeys ends a recording, unless words say what is wrong with the keys.
func (r *root) changeKeys(keys keymap, words string) {
	if words == "" {
		r.recording = ""
		setPref("shortcuts", keys.String())
	}
	r.keys = keys
	r.ctx.Dispatch(func(goapp.Context) { r.keyTrouble = words })
}

// startRecording waits for the new keys of a shortcut.
func (r *root) startRecording(id string) {
	r.ctx.Dispatch(func(goapp.Context) { r.recording, r.keyTrouble = id, "" })
}

func countWords(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprint(n, " ", many)
}
