package store

import (
	"context"
	"database/sql"
	"time"

	"starling/ozeki"
)

const workspaceQuery = `SELECT w.name, w.owner_id, (SELECT COUNT(*) FROM workspace_member n WHERE n.name = w.name) FROM workspace w`

func (r reader) Workspace(ctx context.Context, name string) (Workspace, error) {
	var w Workspace
	err := r.row(ctx, workspaceQuery+` WHERE w.name = ?`, name).Scan(&w.Name, &w.OwnerID, &w.Members)
	return w, r.d.wrap("read workspace", notFound(err))
}

func (r reader) Workspaces(ctx context.Context, user ozeki.UserID) ([]Workspace, error) {
	scan := func(rows *sql.Rows, w *Workspace) error { return rows.Scan(&w.Name, &w.OwnerID, &w.Members) }
	out, err := list(ctx, r, scan, workspaceQuery+` JOIN workspace_member m ON m.name = w.name WHERE m.user_id = ? ORDER BY w.name`, string(user))
	return out, r.d.wrap("list workspaces", err)
}

func (r reader) WorkspaceMembers(ctx context.Context, name string) ([]ozeki.UserID, error) {
	out, err := list(ctx, r, func(rows *sql.Rows, u *ozeki.UserID) error { return rows.Scan(u) },
		`SELECT user_id FROM workspace_member WHERE name = ? ORDER BY seq`, name)
	return out, r.d.wrap("list members of workspace", err)
}

func (r reader) Invite(ctx context.Context, tokenHash string, now time.Time) (Invite, error) {
	i := Invite{TokenHash: tokenHash}
	var until int64
	err := r.row(ctx, `SELECT name, inviter_id, until FROM workspace_invite WHERE token_hash = ? AND until > ?`, tokenHash, unix(now)).
		Scan(&i.Workspace, &i.Inviter, &until)
	i.Until = fromUnix(until)
	return i, r.d.wrap("read invite", notFound(err))
}

func (t *sqlTx) CreateWorkspace(ctx context.Context, name string, owner ozeki.UserID, now time.Time) error {
	n, err := t.exec(ctx, `INSERT INTO workspace (name, owner_id, created_at) VALUES (?, ?, ?) ON CONFLICT (name) DO NOTHING`,
		name, string(owner), unix(now))
	if err == nil && n == 0 {
		err = ErrExists
	}
	if err == nil {
		_, err = t.AddWorkspaceMember(ctx, name, owner)
	}
	return t.d.wrap("create workspace", err)
}

func (t *sqlTx) AddWorkspaceMember(ctx context.Context, name string, user ozeki.UserID) (added bool, err error) {
	seq, err := t.next(ctx)
	if err != nil {
		return false, t.d.wrap("add member to workspace", err)
	}
	n, err := t.exec(ctx, `INSERT INTO workspace_member (name, user_id, seq) VALUES (?, ?, ?) ON CONFLICT (name, user_id) DO NOTHING`,
		name, string(user), seq)
	return n == 1, t.d.wrap("add member to workspace", err)
}

func (t *sqlTx) RemoveWorkspaceMember(ctx context.Context, name string, user ozeki.UserID) error {
	n, err := t.exec(ctx, `DELETE FROM workspace_member WHERE name = ? AND user_id = ?`, name, string(user))
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	if err == nil {
		_, err = t.exec(ctx, `DELETE FROM workspace WHERE name = ? AND NOT EXISTS (SELECT 1 FROM workspace_member m WHERE m.name = workspace.name)`, name)
	}
	if err == nil {
		_, err = t.exec(ctx, `UPDATE workspace SET owner_id = (SELECT m.user_id FROM workspace_member m WHERE m.name = workspace.name ORDER BY m.seq LIMIT 1)
			WHERE name = ? AND owner_id = ?`, name, string(user))
	}
	return t.d.wrap("remove member from workspace", err)
}

func (t *sqlTx) AddInvite(ctx context.Context, i Invite) error {
	_, err := t.exec(ctx, `INSERT INTO workspace_invite (token_hash, name, inviter_id, until) VALUES (?, ?, ?, ?)`,
		i.TokenHash, i.Workspace, string(i.Inviter), unix(i.Until))
	return t.d.wrap("add invite", err)
}

func (t *sqlTx) PurgeInvites(ctx context.Context, now time.Time) (int64, error) {
	n, err := t.exec(ctx, `DELETE FROM workspace_invite WHERE until <= ?`, unix(now))
	return n, t.d.wrap("purge invites", err)
}
