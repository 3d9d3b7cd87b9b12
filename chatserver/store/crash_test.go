package store_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"starling/chatserver/store"
	"starling/ozeki"
)

// crashPath names the database in a process that TestNothingAcknowledgedIsLostWhenTheProgramIsKilled has started.
const crashPath = "STARLING_CRASH_DB"

// TestCrashWriter is that process: it adds accounts and says which ones are stored, until it is killed.
func TestCrashWriter(t *testing.T) {
	path := os.Getenv(crashPath)
	if path == "" {
		t.Skip("runs only as the process that is killed")
	}
	s := openAt(t, path)
	for i := 0; ; i++ {
		name := fmt.Sprintf("%d-%d", os.Getpid(), i)
		_, err := s.Update(t.Context(), func(tx store.Tx) error {
			return tx.CreateAccount(t.Context(), store.Account{UserID: ozeki.UserIDOf(name), Email: name, APIKeyHash: name})
		})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Printf("stored %s\n", name)
	}
}

func TestNothingAcknowledgedIsLostWhenTheProgramIsKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	path := filepath.Join(t.TempDir(), "chat.db")
	var stored []string
	for round := range 5 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestCrashWriter$")
		cmd.Env = append(os.Environ(), crashPath+"="+path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); {
			var name string
			if _, err := fmt.Sscanf(lines.Text(), "stored %s", &name); err != nil {
				continue
			}
			stored = append(stored, name)
			if n++; n == 100+50*round {
				_ = cmd.Process.Kill() // what is in the pipe still was acknowledged as well
			}
		}
		if err := cmd.Wait(); err == nil {
			t.Fatal("the process ended by itself")
		}
	}
	s := openAt(t, path)
	for _, name := range stored {
		if _, err := s.AccountByEmail(t.Context(), name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(stored) < 5*100 {
		t.Errorf("only %d accounts were acknowledged", len(stored))
	}
}
