package files

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// ErrHeld: nothing is removed at the moment, since a backup is being made.
var ErrHeld = errors.New("a backup of the files is being made")

var errBusy = errors.New("in use")

// LockDir locks a directory for the caller alone, or for all who do not ask to be alone, among all processes. It does not
// wait: ok is false if the others do not allow it. The end of the process unlocks it, too.
func LockDir(path string, alone bool) (unlock func(), ok bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, false, err
	}
	if err := lock(f, alone); err != nil {
		f.Close()
		if errors.Is(err, errBusy) {
			return nil, false, nil
		}
		return nil, false, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { f.Close() }, true, nil
}

// Hold keeps every Dir on the directory, in this and other processes, from removing files until release is called: Delete
// fails with ErrHeld. It waits for removals under way and for another holder, until ctx ends.
func Hold(ctx context.Context, path string) (release func(), err error) {
	for {
		release, ok, err := LockDir(path, true)
		if ok || err != nil {
			return release, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", ErrHeld, ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
}
