package store

import (
	"context"
	"database/sql"
	"time"

	"starling/ozeki"
)

// File is what is known of a file; its bytes are elsewhere (chatserver/files).
//
// A file goes with its message: the tables see to it that it is gone in the moment in which the message is deleted or
// loses its content, whoever does it. What is gone is listed by FilesGone until its bytes are removed (ForgetFiles).
type File struct {
	ID           ozeki.FileID
	Conversation ozeki.ConversationID
	Owner        ozeki.UserID
	Size         int64  // bytes, encrypted
	SHA256       string // of the encrypted bytes, hex
	Stored       bool   // the bytes are there
	Message      ozeki.MessageID
	Created      time.Time
}

func (r reader) File(ctx context.Context, id ozeki.FileID) (File, error) {
	f := File{ID: id}
	var stored int
	var created int64
	err := r.row(ctx, `SELECT conversation_id, owner, size, sha256, is_stored, message_id, created FROM file WHERE file_id = ?`, string(id)).
		Scan(&f.Conversation, &f.Owner, &f.Size, &f.SHA256, &stored, &f.Message, &created)
	f.Stored, f.Created = stored == 1, fromUnix(created)
	return f, r.d.wrap("read file", notFound(err))
}

func (r reader) FilesSize(ctx context.Context, owner ozeki.UserID) (int64, error) {
	var size int64
	err := r.row(ctx, `SELECT COALESCE(SUM(size), 0) FROM file WHERE owner = ?`, string(owner)).Scan(&size)
	return size, r.d.wrap("add up files", err)
}

func (r reader) FilesGone(ctx context.Context, limit int) ([]ozeki.FileID, error) {
	out, err := list(ctx, r, func(rows *sql.Rows, id *ozeki.FileID) error { return rows.Scan(id) },
		`SELECT file_id FROM file_gone ORDER BY file_id LIMIT ?`, limit)
	return out, r.d.wrap("list files that are gone", err)
}

func (t *sqlTx) CreateFile(ctx context.Context, f File) (File, error) {
	n, err := t.exec(ctx, `INSERT INTO file (file_id, conversation_id, owner, size, sha256, is_stored, message_id, created)
		SELECT ?, ?, ?, ?, ?, 0, '', ? WHERE NOT EXISTS (SELECT 1 FROM file_gone WHERE file_id = ?) ON CONFLICT (file_id) DO NOTHING`,
		string(f.ID), string(f.Conversation), string(f.Owner), f.Size, f.SHA256, unix(f.Created), string(f.ID))
	if err != nil {
		return File{}, t.d.wrap("add file", err)
	}
	was, err := t.File(ctx, f.ID)
	switch {
	case n == 0 && err != nil: // gone, but its bytes are still to be removed
		err = t.d.wrap("add file", ErrExists)
	case err == nil && (was.Conversation != f.Conversation || was.Owner != f.Owner || was.Size != f.Size || was.SHA256 != f.SHA256):
		err = t.d.wrap("add file", ErrExists)
	}
	return was, err
}

func (t *sqlTx) FileStored(ctx context.Context, id ozeki.FileID) error {
	n, err := t.exec(ctx, `UPDATE file SET is_stored = 1 WHERE file_id = ?`, string(id))
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	return t.d.wrap("file is stored", err)
}

func (t *sqlTx) AttachFiles(ctx context.Context, conversation ozeki.ConversationID, message ozeki.MessageID, owner ozeki.UserID, ids []ozeki.FileID) error {
	for _, id := range ids {
		n, err := t.exec(ctx, `UPDATE file SET message_id = ? WHERE file_id = ? AND conversation_id = ? AND owner = ? AND is_stored = 1
			AND message_id IN ('', ?)`, string(message), string(id), string(conversation), string(owner), string(message))
		if err == nil && n == 0 {
			err = ErrNotFound
		}
		if err != nil {
			return t.d.wrap("attach file", err)
		}
	}
	return nil
}

func (t *sqlTx) PurgeFiles(ctx context.Context, before time.Time) (int64, error) {
	n, err := t.exec(ctx, `DELETE FROM file WHERE message_id = '' AND created < ?`, unix(before))
	return n, t.d.wrap("purge files", err)
}

func (t *sqlTx) ForgetFiles(ctx context.Context, ids []ozeki.FileID) error {
	for _, id := range ids {
		if _, err := t.exec(ctx, `DELETE FROM file_gone WHERE file_id = ?`, string(id)); err != nil {
			return t.d.wrap("forget file", err)
		}
	}
	return nil
}
