package store

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"starling/ozeki"
)

// BenchmarkUpdate writes messages durably, by one client and by many at once: those share the waits for the disk.
func BenchmarkUpdate(b *testing.B) {
	for _, clients := range []int{1, 64} {
		b.Run(fmt.Sprint(clients), func(b *testing.B) {
			st, err := OpenSQLite(b.Context(), filepath.Join(b.TempDir(), "chat.db"))
			if err != nil {
				b.Fatal(err)
			}
			defer st.Close()
			var wait sync.WaitGroup
			work := make(chan ozeki.StationID)
			for range clients {
				wait.Go(func() {
					for id := range work {
						_, err := st.Update(b.Context(), func(tx Tx) error {
							_, _, err := tx.ClaimRequest(b.Context(), Request{UserID: "u", ID: string(id)})
							return err
						})
						if err != nil {
							b.Error(err)
						}
					}
				})
			}
			for b.Loop() {
				work <- ozeki.NewStationID()
			}
			close(work)
			wait.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "updates/s")
		})
	}
}
