package store

import (
	"context"
	"sync"

	"starling/ozeki"
)

// maxStations is how many stations are remembered.
const maxStations = 10_000

// stations remembers the stations asked for last, because every signed call asks for one. It takes for granted that this
// process alone changes them. The zero value is ready.
type stations struct {
	mu      sync.RWMutex
	by      map[ozeki.StationID]Station
	changes uint64 // counts what was forgotten
}

// Station answers from memory where it can. What an Update has changed is forgotten before that returns.
func (s *sqlStore) Station(ctx context.Context, id ozeki.StationID) (Station, error) {
	k := &s.stations
	k.mu.RLock()
	station, known := k.by[id]
	changes := k.changes
	k.mu.RUnlock()
	if known {
		return station, nil
	}
	station, err := s.reader.Station(ctx, id)
	if err != nil {
		return Station{}, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.changes != changes { // what was read may be of before the change
		return station, nil
	}
	if k.by == nil || len(k.by) >= maxStations {
		k.by = map[ozeki.StationID]Station{} // crude, and rare
	}
	k.by[id] = station
	return station, nil
}

// forget forgets stations that may have changed.
func (k *stations) forget(ids []ozeki.StationID) {
	if len(ids) == 0 {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.changes++
	for _, id := range ids {
		delete(k.by, id)
	}
}
