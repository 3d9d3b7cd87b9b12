package store

import (
	"context"
	"database/sql"
	"slices"
	"strings"

	"starling/ozeki"
)

func scanMember(rows *sql.Rows, f *Friend) error { return rows.Scan(&f.UserID, &f.Name, &f.PublicKey) }

func (r reader) Members(ctx context.Context, id ozeki.ConversationID) ([]Friend, error) {
	members, err := list(ctx, r, scanMember, `SELECT a.user_id, a.full_name, a.public_key
		FROM member m JOIN account a ON a.user_id = m.user_id WHERE m.conversation_id = ? ORDER BY m.user_id`, string(id))
	return members, r.d.wrap("list members", err)
}

// groupParts fills in what only groups have: the earlier keys of the user and who has left since he came.
func (r reader) groupParts(ctx context.Context, out []Listed, user ozeki.UserID) error {
	if !slices.ContainsFunc(out, func(c Listed) bool { return c.IsGroup }) {
		return nil
	}
	at := make(map[ozeki.ConversationID]*Conversation, len(out))
	for i := range out {
		at[out[i].ID] = &out[i].Conversation
	}
	only, args := "", []any{string(user)}
	if len(out) == 1 {
		only, args = ` AND m.conversation_id = ?`, append(args, string(out[0].ID))
	}
	type secret struct {
		id ozeki.ConversationID
		ozeki.EpochSecret
	}
	secrets, err := list(ctx, r, func(rows *sql.Rows, s *secret) error { return rows.Scan(&s.id, &s.Epoch, &s.Secret) },
		`SELECT m.conversation_id, m.epoch, m.secret FROM member_secret m WHERE m.user_id = ?`+only+` ORDER BY m.conversation_id, m.epoch`, args...)
	if err != nil {
		return err
	}
	for _, s := range secrets {
		if c := at[s.id]; c != nil {
			c.Secrets = append(c.Secrets, s.EpochSecret)
		}
	}
	type former struct {
		id ozeki.ConversationID
		Participant
	}
	left, err := list(ctx, r, func(rows *sql.Rows, f *former) error { return rows.Scan(&f.id, &f.UserID, &f.Name) },
		`SELECT m.conversation_id, d.user_id, a.full_name
		FROM member m JOIN departed d ON d.conversation_id = m.conversation_id AND d.seq > m.since_seq JOIN account a ON a.user_id = d.user_id
		WHERE m.user_id = ?`+only, args...)
	if err != nil {
		return err
	}
	for _, f := range left {
		if c := at[f.id]; c != nil {
			c.Former = append(c.Former, f.Participant)
		}
	}
	for i := range out {
		slices.SortFunc(out[i].Former, func(a, b Participant) int { return strings.Compare(string(a.UserID), string(b.UserID)) })
	}
	return nil
}

func (t *sqlTx) AddMembers(ctx context.Context, id ozeki.ConversationID, members []ozeki.Member) error {
	if len(members) == 0 {
		return nil
	}
	t.changes(string(id))
	seq, err := t.next(ctx)
	if err != nil {
		return t.d.wrap("add members", err)
	}
	for _, m := range members {
		_, err := t.exec(ctx, `DELETE FROM departed WHERE user_id = ? AND conversation_id = ?`, string(m.UserID), string(id))
		if err == nil {
			_, err = t.exec(ctx, insertMember, string(m.UserID), string(id), m.Secret, m.DisplayName, DefaultColor, seq, seq, seq, seq)
		}
		if err != nil {
			return t.d.wrap("add member", err)
		}
	}
	return t.d.wrap("tell members", t.tellMembers(ctx, id, `list_seq = ?`, seq))
}

func (t *sqlTx) RemoveMember(ctx context.Context, user ozeki.UserID, id ozeki.ConversationID) error {
	t.changes(string(id))
	_, err := t.exec(ctx, `DELETE FROM report WHERE user_id = ? AND conversation_id = ?`, string(user), string(id))
	if err != nil {
		return t.d.wrap("remove member", err)
	}
	n, err := t.exec(ctx, `DELETE FROM member WHERE user_id = ? AND conversation_id = ?`, string(user), string(id))
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return t.d.wrap("remove member", err)
	}
	seq, err := t.next(ctx)
	if err != nil {
		return t.d.wrap("remove member", err)
	}
	_, err = t.exec(ctx, `INSERT INTO departed (user_id, conversation_id, seq) VALUES (?, ?, ?)
		ON CONFLICT (user_id, conversation_id) DO UPDATE SET seq = excluded.seq`, string(user), string(id), seq)
	if err != nil {
		return t.d.wrap("remove member", err)
	}
	t.touch(user)
	var left int
	if err := t.row(ctx, `SELECT COUNT(*) FROM member WHERE conversation_id = ?`, string(id)).Scan(&left); err != nil {
		return t.d.wrap("count members", err)
	}
	if left == 0 {
		for _, table := range []string{"message", "file", "conversation"} {
			if _, err := t.exec(ctx, `DELETE FROM `+table+` WHERE conversation_id = ?`, string(id)); err != nil {
				return t.d.wrap("delete conversation", err)
			}
		}
		return nil
	}
	if _, err := t.exec(ctx, `UPDATE conversation SET rekey = 1 WHERE conversation_id = ?`, string(id)); err != nil {
		return t.d.wrap("remove member", err)
	}
	return t.d.wrap("tell members", t.tellMembers(ctx, id, `list_seq = ?`, seq))
}

func (t *sqlTx) RenameConversation(ctx context.Context, id ozeki.ConversationID, displayName string) error {
	t.changes(string(id))
	seq, err := t.next(ctx)
	if err == nil {
		err = t.tellMembers(ctx, id, `display_name = ?, list_seq = ?`, displayName, seq)
	}
	return t.d.wrap("rename conversation", err)
}

func (t *sqlTx) Rekey(ctx context.Context, id ozeki.ConversationID, members []ozeki.Member) error {
	t.changes(string(id))
	seq, err := t.next(ctx)
	if err == nil {
		_, err = t.exec(ctx, `INSERT INTO member_secret (user_id, conversation_id, epoch, secret)
			SELECT m.user_id, m.conversation_id, c.epoch, m.secret
			FROM member m JOIN conversation c ON c.conversation_id = m.conversation_id WHERE m.conversation_id = ?`, string(id))
	}
	if err == nil {
		_, err = t.exec(ctx, `UPDATE conversation SET epoch = epoch + 1, rekey = 0 WHERE conversation_id = ?`, string(id))
	}
	for _, m := range members {
		if err == nil {
			_, err = t.exec(ctx, `UPDATE member SET secret = ?, display_name = ? WHERE user_id = ? AND conversation_id = ?`,
				m.Secret, m.DisplayName, string(m.UserID), string(id))
		}
	}
	if err == nil {
		err = t.tellMembers(ctx, id, `list_seq = ?`, seq)
	}
	return t.d.wrap("change key", err)
}
