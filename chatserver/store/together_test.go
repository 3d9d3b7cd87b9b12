package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"starling/ozeki"
)

// shared is a store with a conversation of two, to which the updates of these tests write.
type shared struct {
	*testing.T
	*sqlStore
	users        []ozeki.UserID
	conversation ozeki.ConversationID
	begun        int64 // the number given out last
}

func openShared(t *testing.T) *shared {
	g := &shared{T: t, sqlStore: openInternal(t), users: []ozeki.UserID{ozeki.UserIDOf("a"), ozeki.UserIDOf("b")}, conversation: ozeki.NewConversationID()}
	_, err := g.Update(t.Context(), func(tx Tx) error {
		c := NewConversation{ID: g.conversation, Instance: "i"}
		for i, u := range g.users {
			if err := tx.CreateAccount(t.Context(), Account{UserID: u, Email: fmt.Sprint(i), APIKeyHash: fmt.Sprint(i)}); err != nil {
				return err
			}
			c.Members = append(c.Members, ozeki.Member{UserID: u})
		}
		return tx.CreateConversation(t.Context(), c)
	})
	if err == nil {
		g.begun, err = g.Seq(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func (g *shared) add(ctx context.Context, tx Tx, text string) (Message, error) {
	m := Message{ID: ozeki.MessageID(text), Instance: "i", Sender: g.users[0], Type: ozeki.TypeMessage, Data: text}
	return tx.AddMessage(ctx, g.conversation, m, time.Unix(1, 0))
}

// limit leaves so many pages of room on the disk.
func (g *shared) limit(more int) {
	g.Helper()
	var pages int
	if err := writing(g.T, g.sqlStore).QueryRowContext(g.Context(), "PRAGMA page_count").Scan(&pages); err != nil {
		g.Fatal(err)
	}
	if _, err := writing(g.T, g.sqlStore).ExecContext(g.Context(), fmt.Sprintf("PRAGMA max_page_count = %d", pages+more)); err != nil {
		g.Fatal(err)
	}
}

// one is an update of a group and what became of it.
type one struct {
	ctx   context.Context // nil: that of the test
	fn    func(tx Tx) error
	users []ozeki.UserID
	err   error
	panic any
	runs  int
}

// run has updates share a transaction, in their order.
func (g *shared) run(all ...*one) {
	g.Helper()
	inside, release := make(chan bool, 1), make(chan bool)
	var wait sync.WaitGroup
	wait.Go(func() {
		_, err := g.Update(g.Context(), func(Tx) error {
			inside <- true
			<-release
			return nil
		})
		if err != nil {
			g.Error(err)
		}
	})
	<-inside
	for i, u := range all {
		if u.ctx == nil {
			u.ctx = g.Context()
		}
		wait.Go(func() {
			defer func() { u.panic = recover() }()
			u.users, u.err = g.Update(u.ctx, func(tx Tx) error {
				u.runs++
				return u.fn(tx)
			})
		})
		for waiting := 0; waiting <= i; runtime.Gosched() {
			g.group.mu.Lock()
			waiting = len(g.group.waiting)
			g.group.mu.Unlock()
		}
	}
	close(release)
	wait.Wait()
}

// stored lists the texts of the messages and checks that they are numbered without a gap, up to the counter, and counted.
func (g *shared) stored() []string {
	g.Helper()
	messages, err := g.Messages(g.Context(), MessageQuery{Conversation: g.conversation, Instance: "i", Limit: 100})
	if err != nil {
		g.Fatal(err)
	}
	seq, err := g.Seq(g.Context())
	if err != nil {
		g.Fatal(err)
	}
	var texts []string
	for i, m := range messages {
		texts = append(texts, m.Data)
		if want := g.begun + 1 + int64(i); m.Seq != want {
			g.Errorf("message %s has the number %d, want %d", m.Data, m.Seq, want)
		}
	}
	if seq != g.begun+int64(len(messages)) {
		g.Errorf("the counter went from %d to %d with %d messages", g.begun, seq, len(messages))
	}
	if c, err := g.Conversation(g.Context(), g.users[1], g.conversation); err != nil || c.Unread != len(messages) {
		g.Errorf("%d unread of %d, %v", c.Unread, len(messages), err)
	}
	return texts
}

// writer is an update that adds a message.
func (g *shared) writer(text string) *one {
	return &one{fn: func(tx Tx) error {
		_, err := g.add(g.Context(), tx, text)
		return err
	}}
}

// One of a group fails after it has changed something: nothing of that stays, and all others are stored once. The first
// group runs again for it; the next ones know how to undo one alone.
func TestOneThatFailsTakesNothingOfAGroupWithIt(t *testing.T) {
	refusal := errors.New("no")
	for name, fail := range map[string]func(cancel func()) error{
		"refused":   func(func()) error { return refusal },
		"panicking": func(func()) error { panic("a fault of the program") },
		"given up":  func(cancel func()) error { cancel(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			g := openShared(t)
			var want []string
			for round, runs := range []int{2, 1, 1} {
				ctx, cancel := context.WithCancel(t.Context())
				text := func(i int) string { return fmt.Sprint(round, ".", i) }
				bad := &one{ctx: ctx, fn: func(tx Tx) error {
					if _, err := g.add(ctx, tx, text(2)); err != nil {
						return err
					}
					if err := fail(cancel); err != nil {
						return err
					}
					_, err := g.add(ctx, tx, text(9))
					return err
				}}
				all := []*one{g.writer(text(0)), g.writer(text(1)), bad, g.writer(text(3)), g.writer(text(4))}
				g.run(all...)
				for i, u := range all {
					switch {
					case u != bad:
						want = append(want, text(i))
						if u.err != nil || u.panic != nil || len(u.users) != 2 || u.runs > runs {
							t.Errorf("round %d, update %d: %v, %v, tells %v, %d runs", round, i, u.err, u.panic, u.users, u.runs)
						}
					case (name == "refused") != errors.Is(u.err, refusal), (name == "panicking") != (u.panic != nil),
						(name == "given up") != errors.Is(u.err, context.Canceled), name == "given up" && !errors.Is(u.err, ErrUnavailable), len(u.users) > 0:
						t.Errorf("round %d, the one that fails: %v, %v, tells %v", round, u.err, u.panic, u.users)
					}
				}
				if got := g.stored(); !slices.Equal(got, want) {
					t.Errorf("round %d: stored %v, want %v", round, got, want)
				}
				cancel()
			}
		})
	}
}

// What is refused before it changes anything undoes nothing: the group runs once, and its number is given to the next.
func TestARefusalThatHasChangedNothingCostsAGroupNothing(t *testing.T) {
	g := openShared(t)
	stranger := &one{fn: func(tx Tx) error {
		_, err := tx.AddMessage(t.Context(), "nowhere", Message{ID: "x", Sender: g.users[0]}, time.Unix(1, 0))
		return err
	}}
	first := &one{fn: stranger.fn} // which reads the counter
	all := []*one{first, g.writer("a"), stranger, g.writer("b")}
	g.run(all...)
	for i, u := range all {
		if (u.err != nil) != (u == first || u == stranger) || u.runs != 1 {
			t.Errorf("update %d: %v, %d runs", i, u.err, u.runs)
		}
	}
	if got := g.stored(); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("stored %v", got)
	}
}

// A statement may change something and answer as well.
func TestAChangeThatAnswersIsUndoneToo(t *testing.T) {
	g := openShared(t)
	befriend := func(tx Tx) error { return tx.AddFriends(t.Context(), g.users[0], g.users[1]) }
	if _, err := g.Update(t.Context(), befriend); err != nil {
		t.Fatal(err)
	}
	before, err := g.Changes(t.Context(), g.users[1], 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	refusal := errors.New("no")
	touch := &one{fn: func(tx Tx) error { return cmp.Or(tx.TouchFriends(t.Context(), g.users[0]), refusal) }}
	g.run(touch, &one{fn: func(Tx) error { return nil }})
	if after, err := g.Changes(t.Context(), g.users[1], 0, 100); !errors.Is(touch.err, refusal) || err != nil || !reflect.DeepEqual(after, before) {
		t.Errorf("%v; told %+v, %v, want %+v", touch.err, after, err, before)
	}
}

// What is remembered of a station is forgotten also when the change shares a transaction.
func TestAStationThatAGroupChangesIsForgotten(t *testing.T) {
	g := openShared(t)
	station := ozeki.NewStationID()
	for polled := range int64(3) {
		bind := &one{fn: func(tx Tx) error {
			return cmp.Or(tx.BindStation(t.Context(), station, g.users[0], time.Unix(1, 0)), tx.SetPolled(t.Context(), station, polled))
		}}
		g.run(bind, &one{fn: func(Tx) error { return nil }})
		for range 2 { // the second time from memory
			if s, err := g.Station(t.Context(), station); bind.err != nil || err != nil || s.Polled != polled {
				t.Errorf("%v; told up to %d, %v, want %d", bind.err, s.Polled, err, polled)
			}
		}
	}
}

// Numbers are given out in memory: whoever asks for the counter meanwhile has to be told of them, also after some were
// taken back.
func TestTheCounterIsReadAsItIsInsideATransaction(t *testing.T) {
	for _, wary := range []int{0, waryFor} {
		g := openShared(t)
		g.group.wary = wary
		station := ozeki.NewStationID()
		counts := func(text string) *one {
			return &one{fn: func(tx Tx) error {
				ctx := t.Context()
				m, err := g.add(ctx, tx, text)
				if err != nil {
					return err
				}
				seq, err := tx.Seq(ctx)
				if err != nil || seq != m.Seq {
					t.Errorf("%s: the counter is at %d, %v; given out %d", text, seq, err, m.Seq)
				}
				_ = tx.Nested(ctx, func() error {
					_, err := tx.AddMessage(ctx, "nowhere", Message{ID: "x", Sender: g.users[0]}, time.Unix(1, 0))
					return err
				})
				list, err := tx.List(ctx, g.users[0], "")
				if _, number, _ := strings.Cut(list.Version, "."); err != nil || number != fmt.Sprint(m.Seq) {
					t.Errorf("%s: the list is of %s, %v; given out %d", text, number, err, m.Seq)
				}
				if err := tx.BindStation(ctx, station, g.users[0], time.Unix(1, 0)); err != nil {
					return err
				}
				if s, err := tx.Station(ctx, station); err != nil || s.Polled != m.Seq {
					t.Errorf("%s: the station has been told up to %d, %v; given out %d", text, s.Polled, err, m.Seq)
				}
				return nil
			}}
		}
		all := []*one{counts("a"), g.writer("b"), counts("c")}
		g.run(all...)
		for i, u := range all {
			if u.err != nil {
				t.Errorf("update %d: %v", i, u.err)
			}
		}
		if got := g.stored(); !slices.Equal(got, []string{"a", "b", "c"}) {
			t.Errorf("stored %v", got)
		}
	}
}

// A nested part fails after it has changed something. Without a savepoint the run breaks off there, and the next one has it.
func TestANestedPartIsUndoneWhicheverWayAnUpdateRuns(t *testing.T) {
	for _, members := range []int{1, 3} {
		g := openShared(t)
		refusal := errors.New("no")
		nests := &one{}
		nests.fn = func(tx Tx) error {
			ctx := t.Context()
			if _, err := g.add(ctx, tx, "kept"); err != nil {
				return err
			}
			err := tx.Nested(ctx, func() error {
				if err := tx.AddFriends(ctx, g.users[0], g.users[1]); err != nil {
					return err
				}
				if _, err := g.add(ctx, tx, "undone"); err != nil {
					return err
				}
				return refusal
			})
			if !errors.Is(err, refusal) {
				t.Errorf("error %v", err)
			}
			if friends, err := tx.AreFriends(ctx, g.users[0], g.users[1:]); err == nil && friends {
				t.Error("what is to be undone is seen afterwards")
			}
			_, err = g.add(ctx, tx, "later")
			return err
		}
		var all []*one
		var want []string
		for i := 1; i < members; i++ {
			all, want = append(all, g.writer(fmt.Sprint(i))), append(want, fmt.Sprint(i))
		}
		all, want = append(all, nests), append(want, "kept", "later")
		g.run(all...)
		for i, u := range all {
			if u.err != nil || u.runs != 2 {
				t.Errorf("update %d of %d: %v, %d runs", i, members, u.err, u.runs)
			}
		}
		if got := g.stored(); !slices.Equal(got, want) {
			t.Errorf("stored %v, want %v", got, want)
		}
	}
}

// The disk is full for one of a group only: the others are stored.
func TestAFullDiskRefusesTheOneThatFillsIt(t *testing.T) {
	g := openShared(t)
	g.limit(20)
	large := g.writer(strings.Repeat("x", 1<<20))
	all := []*one{g.writer("a"), large, g.writer("b")}
	g.run(all...)
	for i, u := range all {
		if (u == large) != errors.Is(u.err, ErrUnavailable) || u != large && u.err != nil {
			t.Errorf("update %d: %v", i, u.err)
		}
	}
	if got := g.stored(); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("stored %v", got)
	}
}

// An update that goes on after the engine has failed, as if nothing were, changes nothing.
func TestNothingIsWrittenAfterTheEngineHasFailed(t *testing.T) {
	g := openShared(t)
	g.limit(20)
	_, err := g.Update(t.Context(), func(tx Tx) error {
		if _, err := g.add(t.Context(), tx, "before"); err != nil {
			return err
		}
		if _, err := g.add(t.Context(), tx, strings.Repeat("x", 1<<20)); !errors.Is(err, ErrUnavailable) {
			t.Errorf("the disk is not full: %v", err)
		}
		_, _ = g.add(t.Context(), tx, "after")
		return nil
	})
	if !errors.Is(err, ErrUnavailable) {
		t.Errorf("error %v", err)
	}
	if got := g.stored(); len(got) != 0 {
		t.Errorf("stored %v", got)
	}
}

// counting is a statement that takes as long as it takes to count up to n.
func counting(ctx context.Context, tx Tx, n int64) error {
	_, err := tx.(*sqlTx).exec(ctx, `UPDATE account SET nick = (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) SELECT MAX(i) FROM n)`, n)
	return tx.(*sqlTx).d.wrap("count", err)
}

// What runs alone is interrupted when its caller has gone, and not stored.
func TestAnUpdateAloneEndsWithItsCaller(t *testing.T) {
	g := openShared(t)
	for _, n := range []int64{1, 1 << 60} {
		ctx, cancel := context.WithCancel(t.Context())
		_, err := g.Update(ctx, func(tx Tx) error {
			if _, err := g.add(ctx, tx, "a"); err != nil {
				return err
			}
			if n > 1 {
				go cancel()
				return counting(ctx, tx, n)
			}
			cancel()
			return nil
		})
		if !errors.Is(err, context.Canceled) || !errors.Is(err, ErrUnavailable) {
			t.Errorf("error %v", err)
		}
		cancel()
	}
	if got := g.stored(); len(got) != 0 {
		t.Errorf("stored %v", got)
	}
}

// In a group a statement that runs is not interrupted: that would end the transaction of all.
func TestAStatementOfAGroupGoesOnWithoutItsCaller(t *testing.T) {
	g := openShared(t)
	ctx, cancel := context.WithCancel(t.Context())
	gone := &one{ctx: ctx, fn: func(tx Tx) error {
		if _, err := g.add(ctx, tx, "b"); err != nil {
			return err
		}
		go cancel()
		return counting(ctx, tx, 300_000)
	}}
	all := []*one{g.writer("a"), gone, g.writer("c")}
	g.run(all...)
	for i, u := range all {
		if u.err != nil || u.runs != 1 {
			t.Errorf("update %d: %v, %d runs", i, u.err, u.runs)
		}
	}
	if got := g.stored(); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("stored %v", got)
	}
}

// Who has gone before his turn in a group gets his error, and is not run.
func TestWhoHasGoneIsLeftOutOfAGroup(t *testing.T) {
	g := openShared(t)
	ctx, cancel := context.WithCancel(t.Context())
	gone := g.writer("b")
	gone.ctx = ctx
	first := &one{fn: func(tx Tx) error {
		cancel()
		_, err := g.add(t.Context(), tx, "a")
		return err
	}}
	last := g.writer("c")
	g.run(first, gone, last)
	if first.err != nil || last.err != nil || !errors.Is(gone.err, ErrUnavailable) || !errors.Is(gone.err, context.Canceled) || gone.runs != 0 {
		t.Errorf("%v, %v; who has gone: %v, %d runs", first.err, last.err, gone.err, gone.runs)
	}
	if got := g.stored(); !slices.Equal(got, []string{"a", "c"}) {
		t.Errorf("stored %v", got)
	}
}

// The panic of a run that was undone is not its caller's.
func TestOnlyTheLastRunPanics(t *testing.T) {
	g := openShared(t)
	u := &one{}
	u.fn = func(tx Tx) error {
		if _, err := g.add(t.Context(), tx, "a"); err != nil {
			return err
		}
		if u.runs == 1 {
			panic("once")
		}
		return nil
	}
	g.run(u, g.writer("b"))
	if u.panic != nil || u.err != nil {
		t.Errorf("%v, panics %v", u.err, u.panic)
	}
	if got := g.stored(); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("stored %v", got)
	}
}

// A connection that is in a state in which no transaction can begin is replaced.
func TestAConnectionThatCannotBeginIsReplaced(t *testing.T) {
	g := openShared(t)
	conn := writing(t, g.sqlStore)
	if _, err := conn.ExecContext(t.Context(), "BEGIN"); err != nil {
		t.Fatal(err)
	}
	u := g.writer("a")
	if _, err := g.Update(t.Context(), u.fn); err == nil {
		t.Error("a transaction inside a transaction")
	}
	if _, err := g.Update(t.Context(), u.fn); err != nil {
		t.Error(err)
	}
	if _, err := conn.ExecContext(t.Context(), "SELECT 1"); !errors.Is(err, sql.ErrConnDone) {
		t.Errorf("the connection is still there: %v", err)
	}
	if got := g.stored(); !slices.Equal(got, []string{"a"}) {
		t.Errorf("stored %v", got)
	}
}

// Who leads after a group of several waits for those whom it has answered, but not for ever.
func TestALeaderGathersTheGroupAgain(t *testing.T) {
	g := &group{waiting: []*update{{}}, last: 3, took: time.Hour, answered: time.Now()}
	g.mu.Lock()
	defer g.mu.Unlock()
	for range 2 {
		go func() {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.waiting = append(g.waiting, &update{})
		}()
	}
	g.gather()
	if len(g.waiting) != 3 {
		t.Errorf("%d wait", len(g.waiting))
	}
	g.last, g.took = 4, 0
	g.gather()
	g.last, g.took = 1, time.Hour
	g.gather()
}
