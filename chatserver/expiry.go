package chatserver

import (
	"context"
	"time"

	"starling/chatserver/store"
)

// Expired messages are not delivered from the moment on. Their content is removed a little later, in the background.
const (
	expiryEvery = 5 * time.Second
	expiryBatch = 500 // messages in one transaction
	// keepPlaces is how long it is known where an expired message stood: a client that saw it last goes on from there.
	keepPlaces = 30 * 24 * time.Hour
)

// purgeMessages removes the content of expired messages at every tick until ctx ends.
func (s *Server) purgeMessages(ctx context.Context, tick <-chan time.Time) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick:
			if _, err := s.expire(ctx); err != nil && ctx.Err() == nil {
				s.log.Warn("expired messages not removed", "error", err)
			}
		}
	}
}

// expire removes the content of the messages that have expired by now, tells the members, and says how many there were.
// Where there are none it only reads.
func (s *Server) expire(ctx context.Context) (total int, err error) {
	now := s.clock()
	for {
		if found, err := s.store.HasExpired(ctx, now); err != nil || !found {
			return total, err
		}
		n := 0
		err := s.update(ctx, func(tx store.Tx) error {
			if err := tx.ForgetPlaces(ctx, now.Add(-keepPlaces)); err != nil {
				return err
			}
			n, err = tx.PurgeMessages(ctx, now, expiryBatch)
			return err
		})
		if err != nil {
			return total, err
		}
		total += n
	}
}
