package store

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"

	"starling/ozeki"
)

// writer is the one connection that changes go over. Its transactions are begun and ended by statements like all others, so
// that those belong to the connection for good and are compiled once.
type writer struct {
	*sql.DB
	begins     string
	mu         sync.Mutex // held while somebody writes
	conn       *sql.Conn  // nil: there is none at the moment
	statements map[string]statement
	begun      bool // a transaction that was not committed
}

// begin begins a transaction. Where that fails the connection is given up: it may be inside one that could not be ended.
func (w *writer) begin(ctx context.Context) error {
	if w.conn == nil {
		conn, err := w.Conn(ctx)
		if err != nil {
			return err
		}
		w.conn, w.statements = conn, map[string]statement{}
	}
	err := w.run(ctx, w.begins)
	w.begun = err == nil
	if err != nil {
		w.giveUp()
	}
	return err
}

// giveUp closes the connection.
func (w *writer) giveUp() {
	for _, s := range w.statements {
		_ = s.Close()
	}
	_ = w.conn.Raw(func(any) error { return driver.ErrBadConn }) // the pool does not keep it
	w.conn = nil
}

// rollback undoes the transaction unless it was committed. That the engine has done so already is no error.
func (w *writer) rollback() {
	if w.begun {
		_ = w.run(context.Background(), "ROLLBACK")
		w.begun = false
	}
}

func (w *writer) commit() error {
	err := w.run(context.Background(), "COMMIT")
	w.begun = err != nil
	return err
}

func (w *writer) run(ctx context.Context, query string, args ...any) error {
	s, err := w.statement(ctx, query)
	if err == nil {
		_, err = s.ExecContext(ctx, args...)
	}
	return err
}

// statement is a compiled query.
type statement struct {
	*sql.Stmt
	reads  bool // it changes nothing
	counts bool // it names the counter
}

func (w *writer) statement(ctx context.Context, query string) (statement, error) {
	if s, ok := w.statements[query]; ok {
		return s, nil
	}
	compiled, err := w.conn.PrepareContext(ctx, query)
	s := statement{compiled, strings.HasPrefix(query, "SELECT"), strings.Contains(query, "counter")}
	if err == nil {
		w.statements[query] = s
	}
	return s, err
}

// Close waits for who writes.
func (w *writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conn != nil {
		w.giveUp()
	}
	return w.DB.Close()
}

// transaction is what the updates that share one have in common.
type transaction struct {
	*writer
	ctx     context.Context // of all statements; nil: each has its own
	careful bool            // what may have to be undone is done behind savepoints
	counter counter
}

// counter is how far the sequence numbers are. The zero value has not been read.
type counter struct {
	first, last int64 // given out in this transaction
	stored      int64 // what the table has
}

// back takes back the numbers given out since the counter was like this.
func (c *counter) back(was counter) {
	if c.last = was.last; was.stored == 0 && c.stored > 0 {
		c.last = c.first - 1
	}
}

// store writes down how far the counter is.
func (t *transaction) store(ctx context.Context) error {
	c := &t.counter
	if c.last == c.stored {
		return nil
	}
	err := t.run(ctx, `UPDATE counter SET value = ? WHERE name = 'seq'`, c.last)
	if err == nil {
		c.stored = c.last
	}
	return err
}

func (t *transaction) commit() error {
	if err := t.store(context.Background()); err != nil {
		return err
	}
	return t.writer.commit()
}

// sqlTx is an update in a transaction.
type sqlTx struct {
	reader
	in       *transaction
	broken   error // why nothing more can be done
	wrote    int   // how many statements have changed something
	nested   int
	changed  []ozeki.UserID
	stations []ozeki.StationID // that may have changed
	about    []string          // conversations that may have changed
}

func (s *sqlStore) tx(in *transaction) *sqlTx {
	t := &sqlTx{in: in}
	t.reader = reader{d: s.d, q: t}
	return t
}

// statement is the statement of a query and the context to run it with. One that has begun in a shared transaction is not
// interrupted, for the engine would end the transaction of all.
func (t *sqlTx) statement(ctx context.Context, query string) (context.Context, statement, error) {
	if err := cmp.Or(t.broken, ctx.Err()); err != nil {
		return nil, statement{}, err
	}
	if t.in.ctx != nil {
		ctx = t.in.ctx
	}
	s, err := t.in.statement(ctx, query)
	if err == nil && s.counts {
		err = t.in.store(ctx)
	}
	return ctx, s, t.check(err)
}

// check notes an error after which the engine may have ended the transaction.
func (t *sqlTx) check(err error) error {
	if err != nil && errors.Is(t.d.classify(err), ErrUnavailable) {
		t.broken = err
	}
	return err
}

func (t *sqlTx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	ctx, s, err := t.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	if !s.reads {
		t.wrote++
	}
	rows, err := s.QueryContext(ctx, args...)
	return rows, t.check(err)
}

func (t *sqlTx) exec(ctx context.Context, query string, args ...any) (n int64, err error) {
	ctx, s, err := t.statement(ctx, t.d.rebind(query))
	if err != nil {
		return 0, err
	}
	res, err := s.ExecContext(ctx, args...)
	if err == nil {
		n, err = res.RowsAffected()
	}
	if err != nil || n > 0 {
		t.wrote++
	}
	return n, t.check(err)
}

// next gives out the next sequence number. The counter's row stays locked until the transaction ends, which puts the
// numbers into the order of the commits. How far they are is written down before it ends, or something asks for it.
func (t *sqlTx) next(ctx context.Context) (int64, error) {
	c := &t.in.counter
	if c.stored > 0 {
		c.last++
		return c.last, cmp.Or(t.broken, ctx.Err())
	}
	wrote := t.wrote
	err := t.row(ctx, `UPDATE counter SET value = value + 1 WHERE name = 'seq' RETURNING value`).Scan(&c.stored)
	c.first, c.last = c.stored, c.stored
	t.wrote = wrote // see counter.back
	return c.last, err
}

// changes notes that what is stored of a conversation may have changed: see Stamped.
func (t *sqlTx) changes(id string) { t.about = append(t.about, id) }

func (t *sqlTx) touch(users ...ozeki.UserID) { t.changed = append(t.changed, users...) }

// tell runs a change that returns the ids of the users whom it concerns.
func (t *sqlTx) tell(ctx context.Context, query string, args ...any) error {
	users, err := list(ctx, t.reader, scanUser, query, args...)
	t.touch(users...)
	return err
}

// tellMembers makes a change to the rows of a conversation's members, of whom it tells all. To have it return their ids would
// make SQLite go over them twice.
func (t *sqlTx) tellMembers(ctx context.Context, id ozeki.ConversationID, set string, args ...any) error {
	members, err := list(ctx, t.reader, scanUser, `SELECT user_id FROM member WHERE conversation_id = ?`, string(id))
	if err == nil {
		_, err = t.exec(ctx, `UPDATE member SET `+set+` WHERE conversation_id = ?`, append(args, string(id))...)
	}
	t.touch(members...)
	return err
}

func scanUser(rows *sql.Rows, u *ozeki.UserID) error { return rows.Scan(u) }

// stamped names the users and conversations that may have changed.
func (t *sqlTx) stamped() []string {
	ids := t.about
	for _, u := range t.changed {
		ids = append(ids, string(u))
	}
	return ids
}

// users names those for whom something changed, sorted, each once.
func (t *sqlTx) users() []ozeki.UserID {
	users := append([]ozeki.UserID{}, t.changed...)
	slices.Sort(users)
	return slices.Compact(users)
}

// Nested makes no savepoint where it can do without: most that fails has changed nothing yet. Where something would have to
// be undone the run breaks off with errUndo, and another one is careful.
func (t *sqlTx) Nested(_ context.Context, fn func() error) error {
	wrote, told, counted := t.wrote, len(t.changed), t.in.counter
	if !t.in.careful {
		err := fn()
		switch {
		case err == nil || t.broken != nil:
		case t.wrote > wrote:
			t.broken = errUndo
		case errors.Is(t.d.classify(err), ErrUnavailable) && !over(err):
			t.broken = err // the engine may have ended the transaction, whatever was changed
		default:
			t.changed = t.changed[:told]
			t.in.counter.back(counted)
		}
		return err
	}
	t.nested++
	name := "nested" + strconv.Itoa(t.nested)
	defer func() { t.nested-- }()
	savepoint := func(op, command string) error {
		err := t.in.run(context.Background(), command+name)
		if err != nil {
			t.broken = err
		}
		return t.d.wrap(op, err)
	}
	if err := savepoint("savepoint", "SAVEPOINT "); err != nil {
		return err
	}
	if err := fn(); err != nil {
		if err2 := savepoint("roll back to savepoint", "ROLLBACK TO SAVEPOINT "); err2 != nil {
			return errors.Join(err2, err)
		}
		t.changed = t.changed[:told]
		t.in.counter = counted
		return err
	}
	return savepoint("release savepoint", "RELEASE SAVEPOINT ")
}
