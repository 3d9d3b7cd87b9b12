package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"starling/ozeki"
)

// dialect is what differs between the database engines beside the migrations.
type dialect struct {
	name     string
	dollars  bool              // placeholders are $1, $2, … instead of ?
	classify func(error) error // wraps an engine's error in ErrUnavailable where that is what it means
}

// rebind writes the placeholders of a query in the way of the engine. Queries hold no ? but placeholders.
func (d *dialect) rebind(query string) string {
	if !d.dollars {
		return query
	}
	var b strings.Builder
	n := 0
	for {
		before, after, found := strings.Cut(query, "?")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		n++
		b.WriteString("$" + strconv.Itoa(n))
		query = after
	}
}

// wrap adds the name of the operation to an error; the package's own errors and those of fn stay what they are.
func (d *dialect) wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", op, d.classify(err))
}

// querier is what *sql.DB, *sql.Tx and statements have in common.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// sqlStore is a Store over database/sql: reads go to one pool, changes to another.
type sqlStore struct {
	reader
	write    *prepared
	group    group
	stations stations
	stamps   *stamps
}

// reader answers questions from a pool or inside a transaction.
type reader struct {
	d    *dialect
	q    querier
	pool *prepared // nil inside a transaction
}

// prepared is a pool that compiles each query once per connection. The queries are constants of this package, so there
// are few; closing the pool closes them.
type prepared struct {
	*sql.DB
	statements sync.Map // query → *sql.Stmt
}

func (p *prepared) statement(ctx context.Context, query string) (*sql.Stmt, error) {
	if s, ok := p.statements.Load(query); ok {
		return s.(*sql.Stmt), nil
	}
	s, err := p.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	if was, loaded := p.statements.LoadOrStore(query, s); loaded {
		_ = s.Close()
		return was.(*sql.Stmt), nil
	}
	return s, nil
}

func (p *prepared) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	s, err := p.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(ctx, args...)
}

func (p *prepared) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	s, err := p.statement(ctx, query)
	if err != nil {
		return p.DB.QueryRowContext(ctx, query, args...) // which reports the error
	}
	return s.QueryRowContext(ctx, args...)
}

// preparedTx is a transaction with the statements of its pool. They are compiled for its connection when they are first used
// on it, so that a change does not read the same words again each time.
type preparedTx struct {
	*sql.Tx
	pool *prepared
}

func (p preparedTx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	s, err := p.pool.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	return p.StmtContext(ctx, s).QueryContext(ctx, args...)
}

func (p preparedTx) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	s, err := p.pool.statement(ctx, query)
	if err != nil {
		return p.Tx.QueryRowContext(ctx, query, args...) // which reports the error
	}
	return p.StmtContext(ctx, s).QueryRowContext(ctx, args...)
}

func (p preparedTx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	s, err := p.pool.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	return p.StmtContext(ctx, s).ExecContext(ctx, args...)
}

// snapshot runs fn so that all its queries see one state of the database.
func (r reader) snapshot(ctx context.Context, fn func(reader) error) error {
	if r.pool == nil {
		return fn(r)
	}
	tx, err := r.pool.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer tx.Rollback()
	q := &snapshotTx{Tx: tx, pool: r.pool}
	err = fn(reader{d: r.d, q: q})
	_ = tx.Rollback() // the connection is free again
	for _, query := range q.fresh {
		_, _ = r.pool.statement(ctx, query) // else next time
	}
	return err
}

// snapshotTx is a reading transaction with the statements of its pool. Those that are not compiled yet it only notes: to
// compile them takes another connection, for which transactions could wait for one another.
type snapshotTx struct {
	*sql.Tx
	pool  *prepared
	fresh []string
}

func (t *snapshotTx) statement(ctx context.Context, query string) *sql.Stmt {
	if s, ok := t.pool.statements.Load(query); ok {
		return t.StmtContext(ctx, s.(*sql.Stmt))
	}
	t.fresh = append(t.fresh, query)
	return nil
}

func (t *snapshotTx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if s := t.statement(ctx, query); s != nil {
		return s.QueryContext(ctx, args...)
	}
	return t.Tx.QueryContext(ctx, query, args...)
}

func (t *snapshotTx) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if s := t.statement(ctx, query); s != nil {
		return s.QueryRowContext(ctx, args...)
	}
	return t.Tx.QueryRowContext(ctx, query, args...)
}

func (r reader) query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return r.q.QueryContext(ctx, r.d.rebind(query), args...)
}

func (r reader) row(ctx context.Context, query string, args ...any) *sql.Row {
	return r.q.QueryRowContext(ctx, r.d.rebind(query), args...)
}

// list reads the rows of a query with scan.
func list[T any](ctx context.Context, r reader, scan func(rows *sql.Rows, v *T) error, query string, args ...any) ([]T, error) {
	rows, err := r.query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		var v T
		if err := scan(rows, &v); err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// sqlTx is a write transaction.
type sqlTx struct {
	reader
	nested   int
	changed  map[ozeki.UserID]bool
	stations []ozeki.StationID // that may have changed
	about    []string          // conversations that may have changed
}

func (t *sqlTx) exec(ctx context.Context, query string, args ...any) (int64, error) {
	res, err := t.q.ExecContext(ctx, t.d.rebind(query), args...)
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

func (s *sqlStore) tx(tx *sql.Tx) *sqlTx {
	return &sqlTx{reader: reader{d: s.d, q: preparedTx{tx, s.write}}, changed: map[ozeki.UserID]bool{}}
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

func (s *sqlStore) Close() error {
	return errors.Join(s.pool.Close(), s.write.Close())
}

func (t *sqlTx) Nested(ctx context.Context, fn func() error) error {
	t.nested++
	name := "nested" + strconv.Itoa(t.nested)
	defer func() { t.nested-- }()
	if _, err := t.exec(ctx, "SAVEPOINT "+name); err != nil {
		return t.d.wrap("savepoint", err)
	}
	before := make(map[ozeki.UserID]bool, len(t.changed))
	for u := range t.changed {
		before[u] = true
	}
	if err := fn(); err != nil {
		if _, err2 := t.exec(ctx, "ROLLBACK TO SAVEPOINT "+name); err2 != nil {
			return t.d.wrap("roll back to savepoint", errors.Join(err2, err))
		}
		t.changed = before
		return err
	}
	_, err := t.exec(ctx, "RELEASE SAVEPOINT "+name)
	return t.d.wrap("release savepoint", err)
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// unix is the stored form of a moment: unix seconds, 0 for the zero time.
func unix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

func fromUnix(s int64) time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.Unix(s, 0).UTC()
}

// notFound turns "no rows" into ErrNotFound.
func notFound(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return err
}
