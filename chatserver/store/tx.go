package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"maps"
	"slices"
	"strconv"
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
	statements map[string]*sql.Stmt
	begun      bool // a transaction that was not committed
}

// begin begins a transaction. Where that fails the connection is given up: it may be inside one that could not be ended.
func (w *writer) begin(ctx context.Context) error {
	if w.conn == nil {
		conn, err := w.Conn(ctx)
		if err != nil {
			return err
		}
		w.conn, w.statements = conn, map[string]*sql.Stmt{}
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

func (w *writer) run(ctx context.Context, query string) error {
	s, err := w.statement(ctx, query)
	if err == nil {
		_, err = s.ExecContext(ctx)
	}
	return err
}

func (w *writer) statement(ctx context.Context, query string) (*sql.Stmt, error) {
	if s := w.statements[query]; s != nil {
		return s, nil
	}
	s, err := w.conn.PrepareContext(ctx, query)
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

// sqlTx is a write transaction.
type sqlTx struct {
	reader
	w        *writer
	all      context.Context // of all statements, where several share the transaction; nil: each has its own
	nested   int
	changed  map[ozeki.UserID]bool
	stations []ozeki.StationID // that may have changed
	about    []string          // conversations that may have changed
}

// statement is the statement of a query and the context to run it with. One that has begun in a shared transaction is not
// interrupted, for the engine would end the transaction of all.
func (t *sqlTx) statement(ctx context.Context, query string) (context.Context, *sql.Stmt, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	if t.all != nil {
		ctx = t.all
	}
	s, err := t.w.statement(ctx, query)
	return ctx, s, err
}

func (t *sqlTx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	ctx, s, err := t.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(ctx, args...)
}

func (t *sqlTx) exec(ctx context.Context, query string, args ...any) (int64, error) {
	ctx, s, err := t.statement(ctx, t.d.rebind(query))
	if err != nil {
		return 0, err
	}
	res, err := s.ExecContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// next gives out the next sequence number. The counter's row stays locked until the transaction ends, which puts the
// numbers into the order of the commits.
func (t *sqlTx) next(ctx context.Context) (int64, error) {
	var seq int64
	err := t.row(ctx, `UPDATE counter SET value = value + 1 WHERE name = 'seq' RETURNING value`).Scan(&seq)
	return seq, err
}

// changes notes that what is stored of a conversation may have changed: see Stamped.
func (t *sqlTx) changes(id string) { t.about = append(t.about, id) }

func (t *sqlTx) touch(users ...ozeki.UserID) {
	for _, u := range users {
		t.changed[u] = true
	}
}

// tell runs a change that returns the ids of the users whom it concerns.
func (t *sqlTx) tell(ctx context.Context, query string, args ...any) error {
	users, err := list(ctx, t.reader, func(rows *sql.Rows, u *ozeki.UserID) error { return rows.Scan(u) }, query, args...)
	t.touch(users...)
	return err
}

func (s *sqlStore) tx(all context.Context) *sqlTx {
	t := &sqlTx{w: s.write, all: all, changed: map[ozeki.UserID]bool{}}
	t.reader = reader{d: s.d, q: t}
	return t
}

// stamped names the users and conversations that may have changed.
func (t *sqlTx) stamped() []string {
	ids := t.about
	for u := range t.changed {
		ids = append(ids, string(u))
	}
	return ids
}

// users names those for whom something changed, sorted.
func (t *sqlTx) users() []ozeki.UserID {
	users := make([]ozeki.UserID, 0, len(t.changed))
	for u := range t.changed {
		users = append(users, u)
	}
	slices.Sort(users)
	return users
}

func (t *sqlTx) Nested(_ context.Context, fn func() error) error {
	t.nested++
	name := "nested" + strconv.Itoa(t.nested)
	defer func() { t.nested-- }()
	savepoint := func(command string) error { return t.w.run(context.Background(), command+name) }
	if err := savepoint("SAVEPOINT "); err != nil {
		return t.d.wrap("savepoint", err)
	}
	before := maps.Clone(t.changed)
	if err := fn(); err != nil {
		if err2 := savepoint("ROLLBACK TO SAVEPOINT "); err2 != nil {
			return t.d.wrap("roll back to savepoint", errors.Join(err2, err))
		}
		t.changed = before
		return err
	}
	return t.d.wrap("release savepoint", savepoint("RELEASE SAVEPOINT "))
}
