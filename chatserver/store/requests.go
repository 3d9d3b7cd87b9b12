package store

import (
	"context"
	"time"

	"starling/ozeki"
)

func (t *sqlTx) ClaimRequest(ctx context.Context, r Request) (was Request, first bool, err error) {
	n, err := t.exec(ctx, `INSERT INTO request (user_id, request_id, call, fingerprint, answer, seen_ms)
		VALUES (?, ?, ?, ?, '', ?) ON CONFLICT (user_id, request_id) DO NOTHING`,
		string(r.UserID), r.ID, r.Call, r.Fingerprint, r.SeenAt.UnixMilli())
	if err != nil || n == 1 {
		return Request{}, n == 1, t.d.wrap("claim request", err)
	}
	was = Request{UserID: r.UserID, ID: r.ID}
	var seen int64
	var answer string
	err = t.row(ctx, `SELECT call, fingerprint, answer, seen_ms FROM request WHERE user_id = ? AND request_id = ?`,
		string(r.UserID), r.ID).Scan(&was.Call, &was.Fingerprint, &answer, &seen)
	was.Answer, was.SeenAt = []byte(answer), time.UnixMilli(seen).UTC()
	return was, false, t.d.wrap("read request", err)
}

func (t *sqlTx) AnswerRequest(ctx context.Context, user ozeki.UserID, id string, answer []byte) error {
	_, err := t.exec(ctx, `UPDATE request SET answer = ? WHERE user_id = ? AND request_id = ?`, string(answer), string(user), id)
	return t.d.wrap("keep answer", err)
}

func (t *sqlTx) PurgeRequests(ctx context.Context, before time.Time) (int64, error) {
	n, err := t.exec(ctx, `DELETE FROM request WHERE seen_ms < ?`, before.UnixMilli())
	return n, t.d.wrap("purge requests", err)
}
