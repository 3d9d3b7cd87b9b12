package store

import (
	"context"
	"database/sql"

	"starling/ozeki"
)

func (r reader) Pushes(ctx context.Context, user ozeki.UserID) ([]Push, error) {
	scan := func(rows *sql.Rows, p *Push) error {
		p.User = user
		return rows.Scan(&p.Station, &p.Endpoint, &p.P256dh, &p.Auth, &p.Contact)
	}
	pushes, err := list(ctx, r, scan, `SELECT station_id, endpoint, p256dh, auth, contact FROM push WHERE user_id = ? ORDER BY station_id`, string(user))
	return pushes, r.d.wrap("list pushes", err)
}

func (t *sqlTx) SetPush(ctx context.Context, p Push) error {
	if _, err := t.exec(ctx, `DELETE FROM push WHERE station_id = ? OR endpoint = ?`, string(p.Station), p.Endpoint); err != nil {
		return t.d.wrap("set push", err)
	}
	n, err := t.exec(ctx, `INSERT INTO push (station_id, user_id, endpoint, p256dh, auth, contact)
		SELECT station_id, user_id, ?, ?, ?, ? FROM station WHERE station_id = ? AND user_id = ?`,
		p.Endpoint, p.P256dh, p.Auth, p.Contact, string(p.Station), string(p.User))
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	return t.d.wrap("set push", err)
}

func (t *sqlTx) RemovePush(ctx context.Context, station ozeki.StationID, endpoint string) error {
	_, err := t.exec(ctx, `DELETE FROM push WHERE station_id = ? AND (endpoint = ? OR ? = '')`, string(station), endpoint, endpoint)
	return t.d.wrap("remove push", err)
}

func (t *sqlTx) Secret(ctx context.Context, name string, fresh []byte) (kept []byte, err error) {
	if _, err = t.exec(ctx, `INSERT INTO secret (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING`, name, fresh); err == nil {
		err = t.row(ctx, `SELECT value FROM secret WHERE name = ?`, name).Scan(&kept)
	}
	return kept, t.d.wrap("keep secret", err)
}
