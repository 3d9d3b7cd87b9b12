// Package engine does the work that the interface asks for: it calls the server, opens what is sealed, keeps the session
// on the device and lets the state know. It knows neither the framework nor the page, so that the whole client but its
// looks runs in plain Go tests against the real server.
package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"starling/app/state"
	"starling/ozeki"
)

// Options configure an Engine.
type Options struct {
	Client     *ozeki.Client
	Vault      Vault      // nil: NewVault()
	Neighbours Neighbours // nil: NewNeighbours()
	Locks      Locks      // nil: NewLocks()
	// Listener is the ws or wss URL of the notification socket; empty: changes are found by polls only.
	Listener string
	// Dial opens it; nil: DialSocket.
	Dial func(ctx context.Context, url string) (Socket, error)
	// Jitter is a random part of a wait, so that many clients do not come at once; nil: anything from nothing to all of it.
	Jitter func(most time.Duration) time.Duration
	// After calls f once after d, unless stopped before; nil: time.AfterFunc.
	After func(d time.Duration, f func()) (stop func())
	// OnChange is called after changes of the state with the latest snapshot, one call at a time, in order. Where nothing
	// else is being shown it is called before the method that made the change returns.
	OnChange func(*state.Snapshot)
	// OnNoSession is called once this device has been found, or made, to keep no session that goes on: asked says that this is
	// news to nobody, because the user has signed out or nobody was signed in; else the session has ended by itself.
	OnNoSession func(asked bool)
	// Painted returns when the user sees what OnChange was given last, or when ctx ends: what a click asks for is kept and
	// sent after that. nil: at once.
	Painted func(ctx context.Context)
	// Calm returns when the user is not in the middle of something, after some seconds in any case: what nobody waits for goes
	// on after that. It need not return sooner when ctx ends. nil: at once.
	Calm func(ctx context.Context)
	// Picture makes a picture of the list, which the device keeps for the moment before the next start; nil where there is
	// none to be made, and it calls Redrawn later. It is called from any goroutine. nil: none is kept.
	Picture func() []byte
}

// Engine is one running client. Its methods return at once; what comes of them is in the snapshots. They may be called
// from any goroutine.
type Engine struct {
	client      *ozeki.Client
	vault       Vault
	neighbours  Neighbours
	locks       Locks
	listener    string
	dial        func(ctx context.Context, url string) (Socket, error)
	jitter      func(most time.Duration) time.Duration
	after       func(d time.Duration, f func()) (stop func())
	onChange    func(*state.Snapshot)
	onNoSession func(asked bool)
	painted     func(ctx context.Context)
	calm        func(ctx context.Context)
	picture     func() []byte

	ctx     context.Context
	stop    context.CancelFunc
	wait    sync.WaitGroup
	closeMu sync.Mutex // work begins before Close or not at all

	mu     sync.Mutex
	state  *state.State
	snap   *state.Snapshot
	offset time.Duration // of the clock, as the device keeps it
	run    int           // grows with each sign-in and sign-out: work of an earlier run is dropped
	kept   *Kept
	undo   map[int]*undoTimer
	sender map[ozeki.ConversationID]*outbox
	poll   poller
	// catching are the conversations whose news are on their way, with what is closed once those who asked meanwhile have theirs.
	catching map[catching]chan struct{}
	pageOver chan struct{} // closed, and another one made, when a page of messages has come or failed
	holds    map[ozeki.ConversationID]*hold
	heardAt  time.Time // when the server was last heard
	link     link
	// attendance is what the server is told of the user's presence.
	attendance attendance
	friends    friendsLoad
	typists    map[typist]*typing
	saving     bool
	keeps      bool            // the device keeps the session, so that it can keep more
	unkept     bool            // it has not taken the last change
	left       map[string]bool // what the device kept at the last poll and this tab does not send
	leftJot    string          // what was jotted then

	reporters   map[ozeki.ConversationID]*reporter
	read        map[ozeki.ConversationID]Read // as kept on the device
	readSince   time.Time                     // see Kept.ReadSince
	overviews   []ozeki.ConversationID        // those that wait for askOverviews
	overviewing bool
	seen        []ozeki.ConversationID // those that wait for openSeen
	seeing      bool
	expiry      struct { // the timer for what expires next
		at   time.Time
		stop func()
	}
	drafts  map[ozeki.ConversationID]*state.Draft // to be kept at the next pause
	keeping map[ozeki.ConversationID]*state.Draft // that are being kept, until the vault has them
	queued  map[ozeki.ConversationID]*state.Draft // those of them that stand in changes
	// mine are the nonces of what this tab has kept or opened of the drafts.
	mine       map[ozeki.ConversationID][]string
	draftTimer func()
	jotted     *jotted // what stands in the jot of this tab, and goes when all of it is kept; nil for nothing
	// changes are what the vault has not been told yet.
	changes []func(*Kept)
	wishing map[wishAt]string // flags among them
	// ordering is the order of favorites among them, nil for none.
	ordering []ozeki.ConversationID
	viewing  map[ozeki.ConversationID]Read // what was viewed, among them
	// restored: the wishes of an earlier run of the program were taken over.
	restored   bool
	shown      *state.Snapshot // the last one given to onChange
	delivering bool

	rekeying  sync.Mutex                        // held while a group gets a new key, so that it gets one
	rekeys    map[ozeki.ConversationID]func()   // groups that get one in a while, with what stops that
	farewells map[ozeki.ConversationID]farewell // what was said in groups that the user could not leave yet

	shelf shelf

	vaultMu sync.Mutex // held while the vault is written, so that wiping comes last
}

// How long things last.
const (
	UndoTime     = 8 * time.Second // an undo notice
	PollActive   = 2 * time.Second // between two polls while the page is seen
	PollHidden   = 15 * time.Second
	maxPollDelay = 30 * time.Second      // between two tries while the server cannot be reached
	openFirst    = 64                    // keys to open at once: what is seen first
	openSlowly   = 8                     // keys to open at once afterwards
	openAll      = 1000                  // of a list longer than this not all keys are opened in advance
	openPause    = 40 * time.Millisecond // between two batches of what nobody waits for
	listFirst    = 100                   // conversations in the first page of a list that comes in pages
	listPage     = 250                   // in the others
	pageSize     = 50                    // messages in a page (the published client's limit)
	seekSize     = 200                   // in a page that is loaded on the way to a message far back, where the server gives so many
)

// New returns an engine that does nothing until Start.
func New(o Options) *Engine {
	e := &Engine{
		client: o.Client, vault: o.Vault, neighbours: o.Neighbours, locks: o.Locks, after: o.After, onChange: o.OnChange, onNoSession: o.OnNoSession, painted: o.Painted, calm: o.Calm, picture: o.Picture, state: state.New(),
		listener: o.Listener, dial: o.Dial, jitter: o.Jitter, typists: map[typist]*typing{},
		undo: map[int]*undoTimer{}, sender: map[ozeki.ConversationID]*outbox{},
		reporters: map[ozeki.ConversationID]*reporter{}, read: map[ozeki.ConversationID]Read{}, shelf: shelf{all: true, written: idSet{}},
		catching: map[catching]chan struct{}{}, pageOver: make(chan struct{}), holds: map[ozeki.ConversationID]*hold{},
	}
	if e.vault == nil {
		e.vault = NewVault()
	}
	if e.neighbours == nil {
		e.neighbours = NewNeighbours()
	}
	if e.locks == nil {
		e.locks = NewLocks()
	}
	if e.after == nil {
		e.after = func(d time.Duration, f func()) func() {
			t := time.AfterFunc(d, f)
			return func() { t.Stop() }
		}
	}
	if e.dial == nil {
		e.dial = DialSocket
	}
	if e.jitter == nil {
		e.jitter = full
	}
	if e.onChange == nil {
		e.onChange = func(*state.Snapshot) {}
	}
	if e.onNoSession == nil {
		e.onNoSession = func(bool) {}
	}
	if e.painted == nil {
		e.painted = func(context.Context) {}
	}
	if e.calm == nil {
		e.calm = func(context.Context) {}
	}
	e.ctx, e.stop = context.WithCancel(context.Background())
	e.poll = poller{visible: true, due: map[ozeki.ConversationID]bool{}}
	return e
}

// Start looks for a kept session and goes on with it, or asks to sign in.
func (e *Engine) Start() {
	e.neighbours.Listen(e.heard)
	e.neighbours.Lead(e.lead)
	e.resume()
}

func (e *Engine) resume() {
	e.goRun(func(ctx context.Context, run int) {
		kept, err := e.vault.Load(ctx)
		if err != nil {
			e.applyIn(run, state.SignOutDone{Reason: "The session kept on this device could not be read. Sign in again. (" + err.Error() + ")"})
			e.onNoSession(false)
			return
		}
		if kept == nil {
			e.applyIn(run, state.SignOutDone{})
			e.onNoSession(true)
			return
		}
		if kept.Ended {
			e.applyIn(run, state.SignOutDone{Reason: endedWords(kept.waits() || e.vault.Jotted() != "")})
			e.onNoSession(false)
			return
		}
		e.client.SetClockOffset(kept.Offset)
		e.begin(run, kept, true)
	})
}

// Close stops all work and waits for it.
func (e *Engine) Close() {
	e.closeMu.Lock()
	e.stop()
	e.closeMu.Unlock()
	e.mu.Lock()
	e.cancelTimers()
	e.unlock()
	e.wait.Wait()
}

// Snapshot returns the latest snapshot.
func (e *Engine) Snapshot() *state.Snapshot {
	e.mu.Lock()
	defer e.unlock()
	return e.current()
}

func (e *Engine) current() *state.Snapshot {
	if e.snap == nil {
		e.snap = e.state.Snapshot()
	}
	return e.snap
}

// apply takes events over and shows the outcome.
func (e *Engine) apply(events ...state.Event) {
	e.mu.Lock()
	defer e.unlock()
	e.applyLocked(events...)
}

// applyIn is apply for the outcome of work that began in a run: it is dropped if somebody has signed in or out since.
func (e *Engine) applyIn(run int, events ...state.Event) bool {
	e.mu.Lock()
	defer e.unlock()
	if run != e.run {
		return false
	}
	e.applyLocked(events...)
	return true
}

func (e *Engine) applyLocked(events ...state.Event) {
	for _, ev := range events {
		e.state.Apply(ev)
		switch ev.(type) {
		case state.PageLoaded, state.PageFailed:
			close(e.pageOver)
			e.pageOver = make(chan struct{})
		}
	}
	for _, gone := range e.state.TakeGone() {
		e.forgetConversation(gone)
	}
	if outrun := e.state.TakeOutrun(); len(outrun) > 0 {
		e.poll.outrun = true
		e.loadListLocked(e.run, outrun...)
	}
	e.snap = e.state.Snapshot()
	e.expireLater()
	if e.state.HasChanged() {
		e.shelveLater()
	}
}

// unlock ends a section under mu and shows what has changed in it. What is shown is given out without the lock, since
// showing it may call back (moving the focus does); a change made meanwhile is shown by the same loop.
func (e *Engine) unlock() {
	if e.delivering {
		e.mu.Unlock()
		return
	}
	e.delivering = true
	for e.snap != nil && e.snap != e.shown {
		snap := e.snap
		e.shown = snap
		e.mu.Unlock()
		e.onChange(snap)
		e.mu.Lock()
	}
	e.delivering = false
	e.mu.Unlock()
}

// goRun does work in a goroutine of the current run.
func (e *Engine) goRun(f func(ctx context.Context, run int)) {
	e.mu.Lock()
	run := e.run
	e.unlock()
	e.goIn(run, f)
}

func (e *Engine) goIn(run int, f func(ctx context.Context, run int)) {
	e.closeMu.Lock()
	defer e.closeMu.Unlock()
	if e.ctx.Err() == nil {
		e.wait.Go(func() { f(e.ctx, run) })
	}
}

// begin goes on as the user of a session. keeps: the device keeps it.
func (e *Engine) begin(run int, kept *Kept, keeps bool) {
	e.mu.Lock()
	if run != e.run {
		e.unlock()
		return
	}
	session := kept.Session
	e.client.SetSession(&session)
	e.run++
	run = e.run
	e.kept, e.restored, e.offset = kept, false, kept.Offset
	e.keeps, e.unkept, e.left, e.leftJot = keeps, false, nil, ""
	e.sender = map[ozeki.ConversationID]*outbox{}
	e.cancelTimers()
	e.overviews, e.overviewing, e.seen, e.seeing = nil, false, nil, false
	e.applyLocked(
		state.SignInDone{User: state.User{ID: session.UserID, Name: kept.Name}, Extensions: session.Extensions},
		state.OrderChanged{IDs: kept.Order},
	)
	e.poll.cursor = kept.Cursor
	e.link.due = true
	e.attend()
	e.poll.busy = true // until what is kept is there
	e.unlock()
	e.goIn(run, func(ctx context.Context, run int) { e.resumeList(ctx, run, &session) })
	e.refreshBlocklist(run)
}

// SignIn signs in by e-mail address and password. It blocks until it is done and gives an error for Words.
func (e *Engine) SignIn(ctx context.Context, email, password string) error {
	cred, err := e.client.Scheme().Credentials(ctx, email, password)
	if err != nil {
		return err
	}
	return e.SignInWithKey(ctx, cred.APIKey, cred.EncryptionPassword)
}

// SignInWithKey signs in by api key and encryption password. It blocks like SignIn.
func (e *Engine) SignInWithKey(ctx context.Context, apiKey, encryptionPassword string) error {
	e.mu.Lock()
	run := e.run
	e.unlock()
	station := ozeki.NewStationID()
	answer, err := e.client.SignIn(ctx, station, apiKey, encryptionPassword)
	if err != nil {
		return err
	}
	name := answer.FullName
	if name == "" {
		name = answer.Nick
	}
	kept := &Kept{Session: *e.client.Session(), Name: name, Offset: e.client.ClockOffset()}
	err = e.keepSession(ctx, kept)
	if err != nil {
		// The session works without being kept; say what will happen.
		defer e.apply(state.NoticeAdded{Text: "This browser does not let Starling keep the session: you will have to sign in again after a reload. (" + err.Error() + ")"})
	}
	e.begin(run, kept, err == nil)
	e.neighbours.Tell(Note{SignedIn: true})
	return nil
}

// keepSession keeps a new session on the device, with what the same user's session before has left. What another user has
// left goes.
func (e *Engine) keepSession(ctx context.Context, kept *Kept) error {
	e.vaultMu.Lock() // a wipe of the user before comes first
	defer e.vaultMu.Unlock()
	e.clearShelf(ctx) // of a session that could not be read any more, or has ended
	// Where it cannot be read, there is nothing to take over: what is kept is replaced.
	if was, _ := e.vault.Load(ctx); was != nil && was.Session.UserID == kept.Session.UserID {
		kept.takeOver(was)
	} else if was != nil {
		if err := e.vault.Wipe(ctx); err != nil {
			return err
		}
	}
	return e.vault.Save(ctx, kept)
}

// CreateAccount makes an account and signs in. It blocks like SignIn.
func (e *Engine) CreateAccount(ctx context.Context, name, email, password string) error {
	cred, err := e.client.Scheme().Credentials(ctx, email, password)
	if err != nil {
		return err
	}
	if err := e.client.CreateAccount(ctx, ozeki.NewStationID(), email, name, cred); err != nil {
		return err
	}
	return e.SignInWithKey(ctx, cred.APIKey, cred.EncryptionPassword)
}

// SignOut forgets the user on this device, at once and also offline, and tells the server if it can be reached.
func (e *Engine) SignOut() {
	e.mu.Lock()
	session := e.client.Session()
	e.unlock()
	e.end()
	e.neighbours.Tell(Note{SignedOut: true})
	if session == nil || !session.Has(ozeki.ExtLogout) {
		return
	}
	e.goRun(func(ctx context.Context, _ int) {
		// The device has forgotten already; a server that is not reached keeps a station id that nobody knows any more.
		_ = e.client.LogoutSession(ctx, session)
	})
}

// leave forgets the user in this program. The caller holds mu.
func (e *Engine) leave(reason string) {
	e.run++
	e.client.SetSession(nil)
	e.kept, e.changes, e.drafts, e.wishing, e.farewells = nil, nil, nil, nil, nil
	e.keeping, e.queued, e.mine, e.ordering, e.viewing, e.jotted = nil, nil, nil, nil, nil, nil
	e.sender = map[ozeki.ConversationID]*outbox{}
	e.cancelTimers()
	e.overviews, e.overviewing, e.seen, e.seeing = nil, false, nil, false
	e.applyLocked(state.SignOutDone{Reason: reason})
	e.goIn(e.run, func(ctx context.Context, _ int) {
		e.vaultMu.Lock()
		defer e.vaultMu.Unlock()
		e.clearShelf(ctx)
	})
}

// Unsaved counts what the server does not have yet: messages, and changes of conversations.
func (e *Engine) Unsaved() (messages, changes int) {
	e.mu.Lock()
	defer e.unlock()
	for _, wishes := range e.state.Wishes() {
		changes += len(wishes)
	}
	return e.current().Unsent, changes
}

// end signs out on this device.
func (e *Engine) end() {
	e.mu.Lock()
	e.leave("")
	e.unlock()
	e.goRun(func(ctx context.Context, run int) {
		e.vaultMu.Lock()
		err := e.vault.Wipe(ctx)
		e.vaultMu.Unlock()
		if err != nil {
			e.applyIn(run, state.NoticeAdded{Text: "This device could not be cleared: " + err.Error() + ". Clear this site's data in the browser's settings."})
		}
		e.onNoSession(true)
	})
}

// endedWords say that the server has ended a session, and what becomes of what it has left.
func endedWords(waits bool) string {
	words := "This device is no longer signed in: the server does not accept its signature. Sign in again."
	if waits {
		words += " What was not sent yet is kept on this device and sent then."
	}
	return words
}

// ended takes over that the server has ended the session. What waits is kept for when the same user signs in again, and so is his
// order of favorites, which is nowhere else; where there is nothing of that, the device is wiped. If another tab has signed in anew already, this one goes on with that session.
func (e *Engine) ended(session *ozeki.Session) {
	e.Leaving()
	e.mu.Lock()
	changes := e.changes // which nobody writes after the user has gone
	e.leave(endedWords(false))
	e.unlock()
	e.goRun(func(ctx context.Context, run int) {
		e.vaultMu.Lock()
		var left Kept
		err := e.vault.Update(ctx, func(k *Kept) {
			if k.Session.UserID == session.UserID { // nobody else has signed in in another tab
				for _, change := range changes {
					change(k)
				}
			}
			if k.Session.Station == session.Station {
				k.Session.Key, k.Cursor, k.Ended = nil, 0, true
			}
			left = *k
		})
		if now, err := e.vault.Load(ctx); err == nil && now != nil {
			left = *now // with its queue
		}
		if left.Ended {
			e.clearShelf(ctx)
		}
		waits := left.waits() || e.vault.Jotted() != ""
		if err == nil && (left.Ended || left.Session.Station == "") && !waits && len(left.Order) == 0 {
			err = e.vault.Wipe(ctx)
		}
		e.vaultMu.Unlock()
		switch {
		case err != nil:
			e.applyIn(run, state.NoticeAdded{Text: "This device could not be cleared: " + err.Error() + ". Clear this site's data in the browser's settings."})
		case left.Session.Station != "" && !left.Ended:
			e.resume()
			return
		case waits:
			e.applyIn(run, state.SignOutDone{Reason: endedWords(true)})
		}
		e.onNoSession(false)
	})
}

func (e *Engine) cancelTimers() {
	for _, u := range e.undo {
		u.cancel()
	}
	clear(e.undo)
	for _, p := range e.reporters {
		if p.stop != nil {
			p.stop()
		}
	}
	e.reporters, e.read = map[ozeki.ConversationID]*reporter{}, map[ozeki.ConversationID]Read{}
	for _, last := range e.typists {
		last.stop()
	}
	clear(e.typists)
	for _, stop := range e.rekeys {
		stop()
	}
	clear(e.rekeys)
	if e.draftTimer != nil {
		e.draftTimer()
		e.draftTimer = nil
	}
	if e.expiry.stop != nil {
		e.expiry.stop()
	}
	e.expiry.at, e.expiry.stop = time.Time{}, nil
	e.shelf.cancel()
	e.release()
	e.poll.cancel()
	e.link.cancel()
	e.attendance.cancel()
	e.friends = friendsLoad{}
}

// heard takes a note of another tab.
func (e *Engine) heard(n Note) {
	e.mu.Lock()
	run, in := e.run, e.kept != nil
	e.unlock()
	switch {
	case n.SignedOut:
		e.mu.Lock()
		if e.current().Phase != state.SignedOut { // or starting: what it is reading is not there any more
			e.leave("You signed out in another tab.")
		}
		e.unlock()
	case n.SignedIn && !in:
		e.resume()
	case n.SignedIn:
		e.goIn(run, e.replaced)
	case n.Here:
		e.userElsewhere()
	case in && n.Sent != "":
		e.sentElsewhere(run, n.Sent, n.Draft)
	case in && n.Wished != "":
		e.applyIn(run, state.WishElsewhere{ID: n.Wished, Flag: n.Flag})
	case in && n.Order != nil:
		e.applyIn(run, state.OrderChanged{IDs: n.Order})
	case in:
		e.changed(run, n.List, n.Conversations)
	}
}

// replaced goes on with the session that the device keeps if it is another user's, who has signed in in another tab.
func (e *Engine) replaced(ctx context.Context, run int) {
	kept, err := e.vault.Load(ctx)
	if err != nil || kept == nil {
		return
	}
	e.mu.Lock()
	if run != e.run || e.kept == nil || kept.Session.UserID == e.user() {
		e.unlock()
		return
	}
	e.leave("")
	e.unlock()
	e.resume()
}

// user is who is signed in, empty for nobody. The caller holds mu.
func (e *Engine) user() ozeki.UserID {
	if e.kept == nil {
		return ""
	}
	return e.kept.Session.UserID
}

// load is the vault's Load for the user who is signed in here: what another one keeps counts as nothing.
func (e *Engine) load(ctx context.Context) (*Kept, error) {
	kept, err := e.vault.Load(ctx)
	e.mu.Lock()
	defer e.unlock()
	if kept != nil && kept.Session.UserID != e.user() {
		kept = nil
	}
	return kept, err
}

// save makes a change to what is kept, on the device too. Changes that come while one is being written go together. Tabs
// share what is kept, so that a change says what changes and not how all of it looks.
func (e *Engine) save(change func(*Kept)) {
	e.mu.Lock()
	defer e.unlock()
	e.saveLater(change)
}

// saveLater is save for a caller who holds mu.
func (e *Engine) saveLater(change func(*Kept)) {
	if e.kept == nil {
		return
	}
	e.changes = append(e.changes, change)
	if e.saving {
		return
	}
	e.saving = true
	e.goIn(e.run, func(ctx context.Context, _ int) {
		e.painted(ctx)
		for {
			run, more, err := e.saveChanges(ctx)
			if err != nil {
				e.notKept(run, err)
			}
			if !more {
				return
			}
		}
	})
}

func (e *Engine) saveChanges(ctx context.Context) (run int, more bool, err error) {
	e.vaultMu.Lock()
	defer e.vaultMu.Unlock()
	e.mu.Lock()
	changes := e.changes
	wishing, drafts, order, viewing := maps.Clone(e.wishing), e.queued, e.ordering, maps.Clone(e.viewing)
	e.changes, e.queued = nil, nil
	run, more = e.run, len(changes) > 0 && e.kept != nil && ctx.Err() == nil
	user := e.user()
	e.saving = more
	e.unlock()
	if more {
		err = e.update(ctx, user, func(k *Kept) {
			for _, change := range changes {
				change(k)
			}
		})
	}
	e.mu.Lock()
	defer e.unlock()
	if more {
		e.unkept = err != nil
		for at, value := range wishing {
			if err == nil && e.wishing[at] == value {
				delete(e.wishing, at)
			}
		}
		if err == nil && slices.Equal(e.ordering, order) {
			e.ordering = nil
		}
		for id, r := range viewing {
			if err == nil && e.viewing[id] == r {
				delete(e.viewing, id)
			}
		}
		for id, d := range drafts {
			if now, ok := e.keeping[id]; err == nil && ok && now == d {
				delete(e.keeping, id)
			}
		}
	}
	if more && err == nil && run == e.run {
		e.unjot()
	}
	return run, more, err
}

// errCleared says that the device keeps nothing any more, though nobody has signed out.
var errCleared = sentence("This browser has cleared what Starling kept on this device. Sign out and sign in again")

// errReplaced says that what is kept is another user's now.
var errReplaced = sentence("Somebody else has signed in on it in another tab")

// update changes what is kept of a user. The caller holds vaultMu and has made sure that the run is the current one.
func (e *Engine) update(ctx context.Context, user ozeki.UserID, change func(*Kept)) error {
	took, other := false, false
	err := e.vault.Update(ctx, func(k *Kept) {
		if took, other = k.Session.UserID == user, k.Session.UserID != user; took {
			change(k)
		}
	})
	e.mu.Lock()
	defer e.unlock()
	if err == nil && other {
		e.goIn(e.run, e.replaced)
		return errReplaced
	}
	if err == nil && !took && e.keeps && e.kept != nil {
		err = errCleared
	}
	return err
}

// saveNow writes what save was told; afterwards it stands on the device, or unkept says that it does not.
func (e *Engine) saveNow(ctx context.Context) {
	if run, _, err := e.saveChanges(ctx); err != nil {
		e.notKept(run, err)
	}
}

func (e *Engine) notKept(run int, err error) {
	e.applyIn(run, state.NoticeAdded{Text: "This device could not keep a change: " + err.Error() + ". It is sent as long as this page stays open."})
}

// Open opens a conversation, or none with the empty id.
func (e *Engine) Open(id ozeki.ConversationID) {
	e.apply(state.Opened{ID: id})
	if id != "" {
		e.goRun(func(ctx context.Context, run int) { e.openDraft(ctx, run, id) })
		e.goRun(func(ctx context.Context, run int) {
			e.painted(ctx)
			e.loadNewest(ctx, run, id)
		})
	}
}

// Filter filters the sidebar by a text.
func (e *Engine) Filter(text string) { e.apply(state.FilterChanged{Text: text}) }

// UnreadOnly shows only the conversations with something unread, or all of them.
func (e *Engine) UnreadOnly(on bool) { e.apply(state.UnreadOnly{On: on}) }

// Say shows words in a notice.
func (e *Engine) Say(words string) { e.apply(state.NoticeAdded{Text: words}) }

// Dismiss removes a notice.
func (e *Engine) Dismiss(id int) {
	e.mu.Lock()
	defer e.unlock()
	if u := e.undo[id]; u != nil {
		u.cancel()
		delete(e.undo, id)
	}
	e.applyLocked(state.NoticeDismissed{ID: id})
}

// failed says what an error of a call means for the connection and the session. It returns true if the session is over.
func (e *Engine) failed(run int, err error) (over bool) {
	switch {
	case errors.Is(err, context.Canceled):
	case errors.Is(err, ozeki.ErrUnreachable), errors.Is(err, ozeki.ErrUnavailable):
		e.mu.Lock()
		if run == e.run {
			events := []state.Event{state.Connection{Offline: true}}
			for _, o := range e.sender { // it is the line that they wait for
				events = append(events, e.paused(o, state.MessageQueued)...)
			}
			e.applyLocked(events...)
		}
		e.unlock()
		e.wakeLater(run)
	case errors.Is(err, ozeki.ErrSignature):
		e.mu.Lock()
		current, session := run == e.run, e.client.Session()
		e.unlock()
		if current && session != nil {
			e.ended(session)
		}
		return true
	}
	return false
}

// sentence is an error that is worded for people already.
type sentence string

func (s sentence) Error() string { return string(s) }

// troubleOf is Words for what could not be loaded: a server that is not reached is no trouble, since the line about being
// offline says all there is to say, and it is loaded when the connection is back.
func troubleOf(err error) string {
	if errors.Is(err, ozeki.ErrUnreachable) || errors.Is(err, ozeki.ErrUnavailable) {
		return ""
	}
	return Words(err)
}

// Words says an error to people: what happened and what to do.
func Words(err error) string {
	var refused *ozeki.RefusedError
	var said sentence
	switch {
	case err == nil:
		return ""
	case errors.Is(err, ozeki.ErrPassword):
		return "The encryption password does not open your key. Check it and try again."
	case errors.Is(err, ozeki.ErrClock):
		return "This device's clock differs too much from the server's. Set the date and time of this device and try again."
	case errors.Is(err, ozeki.ErrSignature):
		return "The server did not accept this device's signature. Sign out and sign in again."
	case errors.Is(err, ozeki.ErrUnreachable):
		return "The server cannot be reached. Check your connection and try again."
	case errors.Is(err, ozeki.ErrNotJSON):
		return "The server's answer is not one of the Ozeki Chat API: a web page may stand in between. Check the address of the server, or ask who runs it."
	case errors.As(err, &refused):
		if refused.Message != "" {
			return refused.Message
		}
		return fmt.Sprintf("The server refused with status %q and gave no reason. Try again, or ask who runs the server.", refused.Status)
	case errors.Is(err, ozeki.ErrUnavailable):
		return "The server is not available at the moment. Try again in a while."
	case errors.Is(err, ozeki.ErrUndecryptable):
		return "This cannot be decrypted with your key."
	case errors.As(err, &said):
		return string(said)
	}
	return "Something went wrong: " + err.Error()
}
