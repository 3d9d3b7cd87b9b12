package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
)

// dialect is what differs between the database engines beside the migrations.
type dialect struct {
	name     string
	dollars  bool              // placeholders are $1, $2, … instead of ?
	begin    string            // the statement that begins a write transaction
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

// querier answers questions, from a pool or inside a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// sqlStore is a Store over database/sql: reads go to a pool, changes to one connection.
type sqlStore struct {
	reader
	write    *writer
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

func (r reader) query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return r.q.QueryContext(ctx, r.d.rebind(query), args...)
}

func (r reader) row(ctx context.Context, query string, args ...any) row {
	rows, err := r.query(ctx, query, args...)
	return row{rows, err}
}

// row is the first row of an answer, or why there is none.
type row struct {
	rows *sql.Rows
	err  error
}

// Scan may be called once. sql.ErrNoRows: the answer is empty.
func (r row) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	defer r.rows.Close()
	if !r.rows.Next() {
		return cmp.Or(r.rows.Err(), sql.ErrNoRows)
	}
	if err := r.rows.Scan(dest...); err != nil {
		return err
	}
	return r.rows.Close()
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

func (s *sqlStore) Close() error {
	return errors.Join(s.pool.Close(), s.write.Close())
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
