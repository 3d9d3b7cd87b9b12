package store

import (
	"context"

	"starling/ozeki"
)

func (r reader) blocks(ctx context.Context, query string, user ozeki.UserID) ([]ozeki.UserID, error) {
	users, err := list(ctx, r, scanUser, query, string(user))
	return users, r.d.wrap("list blocks", err)
}

func (r reader) Blocked(ctx context.Context, user ozeki.UserID) ([]ozeki.UserID, error) {
	return r.blocks(ctx, `SELECT blocked_id FROM block WHERE user_id = ? ORDER BY blocked_id`, user)
}

func (r reader) BlockedBy(ctx context.Context, user ozeki.UserID) ([]ozeki.UserID, error) {
	return r.blocks(ctx, `SELECT user_id FROM block WHERE blocked_id = ? ORDER BY user_id`, user)
}

func (t *sqlTx) SetBlocked(ctx context.Context, user, other ozeki.UserID, on bool) error {
	if _, err := t.Account(ctx, other); err != nil {
		return err
	}
	query := `DELETE FROM block WHERE user_id = ? AND blocked_id = ?`
	if on {
		query = `INSERT INTO block (user_id, blocked_id) VALUES (?, ?) ON CONFLICT (user_id, blocked_id) DO NOTHING`
	}
	n, err := t.exec(ctx, query, string(user), string(other))
	if err != nil || n == 0 {
		return t.d.wrap("set block", err)
	}
	seq, err := t.next(ctx)
	if err != nil {
		return t.d.wrap("set block", err)
	}
	told, err := list(ctx, t.reader, scanUser,
		`UPDATE friend SET seq = ? WHERE user_id = ? AND friend_id = ? OR user_id = ? AND friend_id = ? RETURNING user_id`,
		seq, string(user), string(other), string(other), string(user))
	t.touch(told...)
	return t.d.wrap("tell of block", err)
}
