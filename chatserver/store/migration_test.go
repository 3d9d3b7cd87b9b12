package store

import (
	"path/filepath"
	"testing"

	"starling/ozeki"
)

func TestWhatWasThereBeforeReceiptsCountsAsViewed(t *testing.T) {
	ctx, path := t.Context(), filepath.Join(t.TempDir(), "chat.db")
	steps, err := migrationsOf("sqlite")
	if err != nil {
		t.Fatal(err)
	}
	db, err := openPool(path, 1, "_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	err = migrate(ctx, db, 1, steps[0]+`;
		INSERT INTO account VALUES ('a', 'a', 'a', 'a', 'a', '', '', 0), ('b', 'b', 'b', 'b', 'b', '', '', 0);
		INSERT INTO conversation VALUES ('c', 0, 'i', 'm', '', 0, 0);
		INSERT INTO member VALUES ('a', 'c', '', '', 0, 0, '', '', 1, 2), ('b', 'c', '', '', 0, 0, '', '', 1, 2);
		INSERT INTO message VALUES ('c', 'm', 'i', 2, 'a', 'Message', 0, 0, 'x', '');
		UPDATE counter SET value = 2`)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := OpenSQLite(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c, err := s.Conversation(ctx, "b", "c")
	if err != nil || c.Unread != 0 || c.Viewed != "m" {
		t.Errorf("%+v %v", c, err)
	}
	if marks, err := s.Marks(ctx, "c", 0); err != nil || len(marks) != 0 {
		t.Errorf("%+v %v: nobody has said so", marks, err)
	}
	users, err := s.Update(ctx, func(tx Tx) error {
		_, err := tx.AddMessage(ctx, "c", Message{ID: "n", Instance: "i", Sender: "a"}, c.LastAccess)
		return err
	})
	if err != nil || len(users) != 2 {
		t.Fatal(users, err)
	}
	if c, err := s.Conversation(ctx, "b", "c"); err != nil || c.Unread != 1 || c.Viewed != ozeki.MessageID("m") {
		t.Errorf("%+v %v", c, err)
	}
}
