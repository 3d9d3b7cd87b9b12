package store_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"starling/chatserver/store"
	"starling/ozeki"
)

// Whoever removes a message in whichever way, its files go.
func TestFilesGoWithTheirMessages(t *testing.T) {
	path := filepath.Join(t.TempDir(), "chat.db")
	s, ctx, now := openAt(t, path), t.Context(), time.Unix(1_700_000_000, 0).UTC()
	user := ozeki.UserIDOf("a")
	c := store.NewConversation{ID: ozeki.NewConversationID(), IsGroup: true, Instance: ozeki.NewInstance(), CreatedAt: now, Members: []ozeki.Member{{UserID: user}}}
	var messages []ozeki.MessageID
	var files []ozeki.FileID
	_, err := s.Update(ctx, func(tx store.Tx) error {
		if err := tx.CreateAccount(ctx, store.Account{UserID: user, CreatedAt: now}); err != nil {
			return err
		}
		if err := tx.CreateConversation(ctx, c); err != nil {
			return err
		}
		for range 3 {
			m := store.Message{ID: ozeki.NewMessageID(), Instance: c.Instance, Sender: user, Type: ozeki.TypeMessage, Created: now, Data: "x"}
			f := store.File{ID: ozeki.NewFileID(), Conversation: c.ID, Owner: user, Created: now}
			messages, files = append(messages, m.ID), append(files, f.ID)
			if _, err := tx.AddMessage(ctx, c.ID, m, now); err != nil {
				return err
			}
			if _, err := tx.CreateFile(ctx, f); err != nil {
				return err
			}
			if err := tx.FileStored(ctx, f.ID); err != nil {
				return err
			}
			if err := tx.AttachFiles(ctx, c.ID, m.ID, user, []ozeki.FileID{f.ID}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for i, statement := range []string{"DELETE FROM message WHERE message_id = ?", "UPDATE message SET type = 'Deleted', data = '' WHERE message_id = ?"} {
		if _, err := db.ExecContext(context.Background(), statement, string(messages[i])); err != nil {
			t.Fatal(err)
		}
	}
	gone, err := s.FilesGone(ctx, 100)
	if want := slices.Sorted(slices.Values(files[:2])); err != nil || !slices.Equal(gone, want) {
		t.Errorf("gone are %v %v, want %v", gone, err, want)
	}
	if f, err := s.File(ctx, files[2]); err != nil || f.Message != messages[2] {
		t.Errorf("%+v %v", f, err)
	}
}
