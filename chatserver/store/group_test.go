package store

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"starling/ozeki"
)

// BenchmarkSync is the yardstick of BenchmarkUpdate: what the disk does, one after another, of the least that a durable
// change needs, a page at the end of a file that is synced.
func BenchmarkSync(b *testing.B) {
	f, err := os.Create(filepath.Join(b.TempDir(), "log"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	page := make([]byte, 4096)
	for b.Loop() {
		if _, err := f.Write(page); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "syncs/s")
}

// BenchmarkUpdate writes messages durably, by one client and by many at once: those share the waits for the disk.
func BenchmarkUpdate(b *testing.B) {
	for _, clients := range []int{1, 64} {
		b.Run(fmt.Sprint(clients), func(b *testing.B) {
			ctx := b.Context()
			st, err := OpenSQLite(ctx, filepath.Join(b.TempDir(), "chat.db"))
			if err != nil {
				b.Fatal(err)
			}
			defer st.Close()
			users := []ozeki.UserID{ozeki.UserIDOf("a"), ozeki.UserIDOf("b")}
			conversations := make([]ozeki.ConversationID, clients)
			_, err = st.Update(ctx, func(tx Tx) error {
				for i, u := range users {
					if err := tx.CreateAccount(ctx, Account{UserID: u, Email: fmt.Sprint(i), APIKeyHash: fmt.Sprint(i)}); err != nil {
						return err
					}
				}
				for i := range conversations {
					conversations[i] = ozeki.NewConversationID()
					c := NewConversation{ID: conversations[i], Instance: "i", Members: []ozeki.Member{{UserID: users[0]}, {UserID: users[1]}}}
					if err := tx.CreateConversation(ctx, c); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
			var wait sync.WaitGroup
			work := make(chan ozeki.MessageID)
			now, data := time.Now(), strings.Repeat("AAAA", 50)
			for i := range clients {
				wait.Go(func() {
					for id := range work {
						_, err := st.Update(ctx, func(tx Tx) error {
							_, err := tx.AddMessage(ctx, conversations[i], Message{ID: id, Instance: "i", Sender: users[0], Type: "Message", Created: now, Data: data}, now)
							return err
						})
						if err != nil {
							b.Error(err)
						}
					}
				})
			}
			for b.Loop() {
				work <- ozeki.NewMessageID()
			}
			close(work)
			wait.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
		})
	}
}
