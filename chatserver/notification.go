package chatserver

import (
	"context"
	"errors"

	"starling/chatserver/store"
	"starling/ozeki"
)

// maxChanges is about how many changes one answer tells; the rest follows with the next call.
const maxChanges = 1000

// notification tells a station what changed for its user: since the cursor of the request, or where it has none, since
// what the station was told last (at first since its sign-in). Unsigned: whoever has the station id may call it, and
// learns ids only. A repeat with the same cursor tells the same again, so that a lost answer loses nothing. errSignature:
// nobody is signed in on the station.
func (s *Server) notification(ctx context.Context, req *request, body *ozeki.NotificationRequest) (any, error) {
	if !req.station.Valid() {
		return nil, errSignature
	}
	station, err := s.store.Station(ctx, req.station)
	if errors.Is(err, store.ErrNotFound) {
		return nil, errSignature
	}
	if err != nil {
		return nil, err
	}
	after, stamp := body.Cursor, s.store.UserStamp(station.UserID)
	if after <= 0 {
		after = station.Polled
	}
	if s.quiet.get(station.UserID, stamp).nothingAfter(after) {
		return notificationOf(store.Changes{Seq: after}), nil
	}
	if body.Cursor > 0 {
		now, err := s.store.Seq(ctx)
		if err != nil {
			return nil, err
		}
		if after > now { // of a database that was replaced by an older backup
			after = station.Polled
		}
	}
	changes, err := s.store.Changes(ctx, station.UserID, after, maxChanges)
	if err != nil {
		return nil, err
	}
	if body.Cursor <= 0 && changes.Seq != station.Polled {
		err := s.update(ctx, func(tx store.Tx) error { return tx.SetPolled(ctx, station.ID, changes.Seq) })
		if err != nil {
			return nil, err
		}
	}
	if changes.Seq == after {
		s.quiet.change(s.store, station.UserID, stamp, func(t *silence) { t.nothing(after) })
	}
	return notificationOf(changes), nil
}

func notificationOf(changes store.Changes) ozeki.NotificationAnswer {
	return ozeki.NotificationAnswer{
		Answer: ok, FriendAvailabilitiesOf: notNil(changes.Friends), ConversationChangedOf: notNil(changes.Contents),
		ConversationListChangedOf: notNil(changes.Lists), Cursor: changes.Seq,
	}
}

// notNil makes an empty list of none, which JSON writes as [] instead of null.
func notNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
