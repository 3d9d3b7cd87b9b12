package engine

import "context"

// Locks are what the tabs of a device take turns by.
type Locks interface {
	// Hold waits until no other tab holds the lock of a name, and calls f with it held. It is given back when f returns, and
	// also when the tab ends or is frozen: what f does must be right when another tab does it once more meanwhile. Where the
	// device has no locks f is called at once. After an error, which is ctx's, f was not called.
	Hold(ctx context.Context, name string, f func()) error
}
