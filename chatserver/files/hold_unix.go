//go:build unix

package files

import (
	"errors"
	"os"
	"syscall"
)

// lock locks an open directory for one or for several, at once or not at all (errBusy). Closing it unlocks it.
func lock(f *os.File, alone bool) error {
	how := syscall.LOCK_SH
	if alone {
		how = syscall.LOCK_EX
	}
	err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return errBusy
	}
	return err
}
