package store

import (
	"context"
	"database/sql"
	"time"

	"starling/ozeki"
)

const accountColumns = `user_id, email, full_name, nick, api_key_hash, rsa_key, public_key, created_at`

func (r reader) account(ctx context.Context, where string, arg any) (Account, error) {
	var a Account
	var created int64
	err := r.row(ctx, `SELECT `+accountColumns+` FROM account WHERE `+where, arg).
		Scan(&a.UserID, &a.Email, &a.FullName, &a.Nick, &a.APIKeyHash, &a.RSAKey, &a.PublicKey, &created)
	a.CreatedAt = fromUnix(created)
	return a, r.d.wrap("read account", notFound(err))
}

func (r reader) Account(ctx context.Context, user ozeki.UserID) (Account, error) {
	return r.account(ctx, `user_id = ?`, string(user))
}

func (r reader) AccountByEmail(ctx context.Context, email string) (Account, error) {
	return r.account(ctx, `email = ?`, email)
}

func (r reader) AccountByAPIKey(ctx context.Context, hash string) (Account, error) {
	return r.account(ctx, `api_key_hash = ?`, hash)
}

func (t *sqlTx) CreateAccount(ctx context.Context, a Account) error {
	n, err := t.exec(ctx, `INSERT INTO account (`+accountColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		string(a.UserID), a.Email, a.FullName, a.Nick, a.APIKeyHash, a.RSAKey, a.PublicKey, unix(a.CreatedAt))
	if err == nil && n == 0 {
		err = ErrExists
	}
	return t.d.wrap("create account", err)
}

func (r reader) Station(ctx context.Context, id ozeki.StationID) (Station, error) {
	s := Station{ID: id}
	var bound int64
	err := r.row(ctx, `SELECT user_id, polled_seq, bound_at FROM station WHERE station_id = ?`, string(id)).
		Scan(&s.UserID, &s.Polled, &bound)
	s.BoundAt = fromUnix(bound)
	return s, r.d.wrap("read station", notFound(err))
}

func (t *sqlTx) BindStation(ctx context.Context, id ozeki.StationID, user ozeki.UserID, now time.Time) error {
	t.stations = append(t.stations, id)
	n, err := t.exec(ctx, `INSERT INTO station (station_id, user_id, polled_seq, bound_at)
		VALUES (?, ?, (SELECT value FROM counter WHERE name = 'seq'), ?)
		ON CONFLICT (station_id) DO UPDATE SET polled_seq = excluded.polled_seq, bound_at = excluded.bound_at
		WHERE station.user_id = excluded.user_id`, string(id), string(user), unix(now))
	if err == nil && n == 0 {
		err = ErrBound
	}
	return t.d.wrap("bind station", err)
}

func (t *sqlTx) UnbindStation(ctx context.Context, id ozeki.StationID, user ozeki.UserID) error {
	t.stations = append(t.stations, id)
	_, err := t.exec(ctx, `DELETE FROM station WHERE station_id = ? AND user_id = ?`, string(id), string(user))
	return t.d.wrap("unbind station", err)
}

func (t *sqlTx) SetPolled(ctx context.Context, id ozeki.StationID, seq int64) error {
	t.stations = append(t.stations, id)
	_, err := t.exec(ctx, `UPDATE station SET polled_seq = ? WHERE station_id = ?`, seq, string(id))
	return t.d.wrap("set polled", err)
}

func (r reader) Friends(ctx context.Context, user ozeki.UserID) ([]Friend, error) {
	scan := func(rows *sql.Rows, f *Friend) error { return rows.Scan(&f.UserID, &f.Name, &f.PublicKey) }
	friends, err := list(ctx, r, scan, `SELECT a.user_id, a.full_name, a.public_key
		FROM friend f JOIN account a ON a.user_id = f.friend_id
		WHERE f.user_id = ? ORDER BY a.full_name, a.user_id`, string(user))
	return friends, r.d.wrap("list friends", err)
}

func (r reader) AreFriends(ctx context.Context, user ozeki.UserID, others []ozeki.UserID) (bool, error) {
	for _, other := range others {
		var n int
		err := r.row(ctx, `SELECT COUNT(*) FROM friend WHERE user_id = ? AND friend_id = ?`, string(user), string(other)).Scan(&n)
		if err != nil || n == 0 {
			return false, r.d.wrap("look for friend", err)
		}
	}
	return true, nil
}

func (t *sqlTx) AddFriends(ctx context.Context, a, b ozeki.UserID) error {
	ok, err := t.AreFriends(ctx, a, []ozeki.UserID{b})
	if err != nil || ok {
		return err
	}
	seq, err := t.next(ctx)
	if err != nil {
		return t.d.wrap("add friends", err)
	}
	for _, pair := range [][2]ozeki.UserID{{a, b}, {b, a}} {
		_, err := t.exec(ctx, `INSERT INTO friend (user_id, friend_id, seq) VALUES (?, ?, ?)
			ON CONFLICT (user_id, friend_id) DO NOTHING`, string(pair[0]), string(pair[1]), seq)
		if err != nil {
			return t.d.wrap("add friends", err)
		}
	}
	t.touch(a, b)
	return nil
}

func (t *sqlTx) TouchFriends(ctx context.Context, user ozeki.UserID) error {
	const whom = `(SELECT friend_id FROM friend WHERE user_id = ? AND friend_id NOT IN (SELECT blocked_id FROM block WHERE user_id = ?))`
	var some int
	err := t.row(ctx, `SELECT CASE WHEN EXISTS `+whom+` THEN 1 ELSE 0 END`, string(user), string(user)).Scan(&some)
	if err != nil || some == 0 {
		return t.d.wrap("touch friends", err)
	}
	seq, err := t.next(ctx)
	if err == nil {
		err = t.tell(ctx, `UPDATE friend SET seq = ? WHERE friend_id = ? AND user_id IN `+whom+` RETURNING user_id`, seq, string(user), string(user), string(user))
	}
	return t.d.wrap("touch friends", err)
}
