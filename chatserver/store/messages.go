package store

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"starling/ozeki"
)

// given is a placeholder for a text that a partial index has a condition on. SQLite compiles a statement anew with each value
// that a bare placeholder there gets, because with another one it might use that index.
const given = `CAST(? AS TEXT)`

const messageColumns = `message_id, instance, seq, sender, type, created, valid_until, data, extra, edited, revision`

func scanMessage(scan func(...any) error, m *Message) error {
	var created, until, edited int64
	err := scan(&m.ID, &m.Instance, &m.Seq, &m.Sender, &m.Type, &created, &until, &m.Data, &m.Extra, &edited, &m.Revision)
	m.Created, m.ValidUntil, m.Edited = fromUnix(created), fromUnix(until), fromUnix(edited)
	return err
}

func (r reader) Message(ctx context.Context, conversation ozeki.ConversationID, id ozeki.MessageID) (Message, error) {
	var m Message
	row := r.row(ctx, `SELECT `+messageColumns+` FROM message WHERE conversation_id = ? AND message_id = ?`, string(conversation), string(id))
	err := scanMessage(row.Scan, &m)
	return m, r.d.wrap("read message", notFound(err))
}

// newestAtOnce is how many messages one question names. The rest of the last one is filled up with ids of none.
const newestAtOnce = 100

var newestQuery = `SELECT COALESCE(MAX(seq), 0) FROM message WHERE conversation_id = ? AND message_id IN (` +
	strings.TrimSuffix(strings.Repeat("?, ", newestAtOnce), ", ") + `)`

func (r reader) Newest(ctx context.Context, conversation ozeki.ConversationID, ids []ozeki.MessageID) (newest int64, err error) {
	for part := range slices.Chunk(ids, newestAtOnce) {
		args := make([]any, 1, 1+newestAtOnce)
		args[0] = string(conversation)
		for _, id := range part {
			args = append(args, string(id))
		}
		for len(args) < cap(args) {
			args = append(args, "")
		}
		var place int64
		if err := r.row(ctx, newestQuery, args...).Scan(&place); err != nil {
			return 0, r.d.wrap("find newest message", err)
		}
		newest = max(newest, place)
	}
	return newest, nil
}

func (r reader) Messages(ctx context.Context, q MessageQuery) ([]Message, error) {
	query := `SELECT ` + messageColumns + ` FROM message
		WHERE conversation_id = ? AND instance = ` + given + ` AND seq >= ? AND (valid_until = 0 OR valid_until > ?)`
	args := []any{string(q.Conversation), string(q.Instance), max(q.From, q.Since+1), unix(q.Now)}
	if q.Before != 0 {
		query, args = query+` AND seq < ?`, append(args, q.Before)
	}
	if q.Newest {
		query += ` ORDER BY seq DESC LIMIT ?`
	} else {
		query += ` ORDER BY seq LIMIT ?`
	}
	scan := func(rows *sql.Rows, m *Message) error { return scanMessage(rows.Scan, m) }
	out, err := list(ctx, r, scan, query, append(args, q.Limit)...)
	if q.Newest {
		slices.Reverse(out)
	}
	return out, r.d.wrap("list messages", err)
}

// sameContent reports whether a message is the stored one, wherever that was placed. Of one that has lost its content by
// expiring what is left counts.
func sameContent(stored, m Message) bool {
	gone := stored.Instance == ""
	return stored.ID == m.ID && stored.Sender == m.Sender && stored.Type == m.Type && (gone || stored.Data == m.Data && stored.Extra == m.Extra) &&
		unix(stored.Created) == unix(m.Created) && unix(stored.ValidUntil) == unix(m.ValidUntil)
}

func (t *sqlTx) AddMessage(ctx context.Context, conversation ozeki.ConversationID, m Message, at time.Time) (Message, error) {
	seq, err := t.next(ctx)
	if err != nil {
		return Message{}, t.d.wrap("add message", err)
	}
	n, err := t.exec(ctx, `UPDATE conversation SET last_message_id = ?, last_access = ? WHERE conversation_id = ?
		AND NOT EXISTS (SELECT 1 FROM message WHERE conversation_id = ? AND message_id = ?)`,
		string(m.ID), unix(at), string(conversation), string(conversation), string(m.ID))
	if err != nil {
		return Message{}, t.d.wrap("add message", err)
	}
	if n == 0 { // the message is there, or the conversation is not
		was, err := t.Message(ctx, conversation, m.ID)
		if err == nil && !sameContent(was, m) && (was.Revision == 0 || was.Sender != m.Sender) { // a late repeat of what was changed since
			err = t.d.wrap("add message", ErrExists)
		}
		return was, err
	}
	t.changes(string(conversation))
	m.Seq = seq
	_, err = t.exec(ctx, `INSERT INTO message (conversation_id, `+messageColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0)`,
		string(conversation), string(m.ID), string(m.Instance), m.Seq, string(m.Sender), m.Type, unix(m.Created), unix(m.ValidUntil),
		m.Data, m.Extra)
	if err != nil {
		return Message{}, t.d.wrap("add message", err)
	}
	err = t.tellMembers(ctx, conversation, `content_seq = ?, unread = unread + CASE WHEN user_id = ? THEN 0 ELSE 1 END`, m.Seq, string(m.Sender))
	m.Created, m.ValidUntil = fromUnix(unix(m.Created)), fromUnix(unix(m.ValidUntil))
	return m, t.d.wrap("tell members", err)
}

func (t *sqlTx) EditMessage(ctx context.Context, conversation ozeki.ConversationID, id ozeki.MessageID, data string, at time.Time) (Message, error) {
	was, err := t.Message(ctx, conversation, id)
	switch {
	case err != nil:
		return Message{}, err
	case was.Type == ozeki.TypeDeleted:
		return Message{}, t.d.wrap("edit message", ErrNotFound)
	case was.Data == data:
		return was, nil
	}
	return t.changeMessage(ctx, conversation, id, was.Type, data, was.Extra, at)
}

func (t *sqlTx) DeleteMessage(ctx context.Context, conversation ozeki.ConversationID, id ozeki.MessageID, at time.Time) (Message, error) {
	was, err := t.Message(ctx, conversation, id)
	if err != nil || was.Type == ozeki.TypeDeleted {
		return was, err
	}
	m, err := t.changeMessage(ctx, conversation, id, ozeki.TypeDeleted, "", "", at)
	if err == nil {
		err = t.tell(ctx, `UPDATE member SET unread = unread - 1, list_seq = ?`+whoHasNotViewed+` RETURNING user_id`,
			m.Revision, string(conversation), string(was.Sender), was.Seq)
	}
	return m, t.d.wrap("delete message", err)
}

func (t *sqlTx) changeMessage(ctx context.Context, conversation ozeki.ConversationID, id ozeki.MessageID, kind, data, extra string, at time.Time) (Message, error) {
	t.changes(string(conversation))
	seq, err := t.next(ctx)
	if err == nil {
		_, err = t.exec(ctx, `UPDATE message SET type = ?, data = ?, extra = ?, edited = ?, revision = ? WHERE conversation_id = ? AND message_id = ?`,
			kind, data, extra, unix(at), seq, string(conversation), string(id))
	}
	if err == nil {
		err = t.tellMembers(ctx, conversation, `content_seq = ?`, seq)
	}
	if err != nil {
		return Message{}, t.d.wrap("change message", err)
	}
	return t.Message(ctx, conversation, id)
}

func (r reader) Revision(ctx context.Context, conversation ozeki.ConversationID, instance ozeki.Instance) (int64, error) {
	var revision int64
	err := r.row(ctx, `SELECT COALESCE(MAX(revision), 0) FROM message WHERE conversation_id = ? AND instance = `+given+` AND revision > 0`,
		string(conversation), string(instance)).Scan(&revision)
	return revision, r.d.wrap("read revision", err)
}

func (r reader) Changed(ctx context.Context, q MessageQuery) ([]Message, error) {
	scan := func(rows *sql.Rows, m *Message) error { return scanMessage(rows.Scan, m) }
	out, err := list(ctx, r, scan, `SELECT `+messageColumns+` FROM message
		WHERE conversation_id = ? AND instance = `+given+` AND revision > CAST(? AS BIGINT) AND revision > 0 AND seq > ? AND (valid_until = 0 OR valid_until > ?)
		ORDER BY revision LIMIT ?`, string(q.Conversation), string(q.Instance), q.From, q.Since, unix(q.Now), q.Limit)
	return out, r.d.wrap("list changed messages", err)
}
