package e2e

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// An operator's mistake on the command line ends the program at once, with a sentence that says what to do instead.
func TestCommandLineMistakesAreExplained(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("no directory"), 0o600); err != nil {
		t.Fatal(err)
	}
	noDatabase := filepath.Join(dir, "nodb")
	if err := os.Mkdir(noDatabase, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(noDatabase, "starling.db"), []byte(strings.Repeat("this is a letter, not a database\n", 300)), 0o600); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	const free = "127.0.0.1:0"
	for _, c := range []struct {
		name string
		env  []string
		args []string
		says []string // all of these
	}{
		{"port taken", nil, []string{"--addr", taken.Addr().String(), "--data", data}, []string{"is in use", "--addr"}},
		{"address of nobody", nil, []string{"--addr", "not an address", "--data", data}, []string{"not an address", "--addr"}},
		{"no such host", nil, []string{"--addr", "host.invalid:8000", "--data", data}, []string{"host.invalid", "--addr"}},
		{"file instead of a directory", nil, []string{"--addr", free, "--data", file}, []string{file, "--data"}},
		{"directory under a file", nil, []string{"--addr", free, "--data", file + "/data"}, []string{file, "--data"}},
		{"no database", nil, []string{"--addr", free, "--data", noDatabase}, []string{"starling.db", "not a SQLite database", "choose another"}},
		{"unknown flag", nil, []string{"--adress", free}, []string{"-adress"}},
		{"unknown command", nil, []string{"server"}, []string{`"server"`, "try serve"}},
		{"stray argument", nil, []string{"serve", "now"}, []string{`"now"`}},
		{"unknown scheme", nil, []string{"--addr", free, "--data", data, "--scheme", "rot13"}, []string{`"rot13"`, "sha256"}},
		{"upstream without a scheme", nil, []string{"--addr", free, "--upstream", "chat.example.com"}, []string{`"chat.example.com"`, "http://"}},
		{"upstream of another kind", nil, []string{"--addr", free, "--upstream", "ftp://chat.example.com"}, []string{"ftp://", "http://"}},
		{"upstream listener of another kind", nil, []string{"--addr", free, "--upstream", "http://127.0.0.1:1", "--upstream-listener", "http://x"}, []string{"--upstream-listener", "ws://"}},
		{"demo in front of a server", nil, []string{"demo", "--addr", free, "--upstream", "http://127.0.0.1:1"}, []string{"leave --upstream out"}},
		{"half of TLS", nil, []string{"--addr", free, "--data", data, "--tls-cert", file}, []string{"--tls-cert", "--tls-key"}},
		{"bad certificate", nil, []string{"--addr", free, "--data", data, "--tls-cert", file, "--tls-key", file}, []string{"PEM", "--tls-cert"}},
		{"bad environment", []string{"STARLING_STOP_TIMEOUT=soon"}, []string{"--addr", free, "--data", data}, []string{"STARLING_STOP_TIMEOUT", "soon"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, words := runStarling(t, 20*time.Second, c.env, c.args...)
			if status <= 0 {
				t.Errorf("exit status %d, want one that tells of a failure", status)
			}
			for _, w := range c.says {
				if !strings.Contains(words, w) {
					t.Errorf("it says %q, want something about %q", lastLine(words), w)
				}
			}
			for _, bad := range []string{"panic:", "goroutine ", "%!"} {
				if strings.Contains(words, bad) {
					t.Errorf("it says:\n%s", words)
				}
			}
			if strings.Contains(words, "listening on") {
				t.Errorf("it says that it listens:\n%s", words)
			}
		})
	}
}

// The operator finds out what there is, and gets status 0 for asking.
func TestHelpAndVersionAnswer(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--help"}, {"serve", "-h"}, {"demo", "--help"}, {"help"}} {
		status, words := runStarling(t, 20*time.Second, nil, args...)
		if status != 0 || !strings.Contains(words, "-addr") || !strings.Contains(words, "starling demo") {
			t.Errorf("%v: status %d and\n%s", args, status, words)
		}
	}
	if status, words := runStarling(t, 20*time.Second, nil, "version"); status != 0 || !strings.HasPrefix(words, "starling ") {
		t.Errorf("version: status %d and %q", status, words)
	}
}

// The environment sets what the flags do not.
func TestEnvironmentTwinsOfFlags(t *testing.T) {
	data := filepath.Join(t.TempDir(), "from-environment")
	t.Setenv("STARLING_DATA", data)
	t.Setenv("STARLING_SCHEME", "rot13")
	s := startAt(t, filepath.Join(t.TempDir(), "from-flag"), "127.0.0.1:0", "--scheme", "sha256") // flags win
	s.Stop()
	if _, err := os.Stat(data); err == nil {
		t.Error("the environment won over the flag")
	}
	if _, err := os.Stat(filepath.Join(s.Data, "starling.db")); err != nil {
		t.Error(err)
	}
}

// A stop in the middle of work ends with status 0 and loses nothing that was answered.
func TestStopKeepsWhatWasAnswered(t *testing.T) {
	t.Parallel()
	server := startDemo(t)
	p := newAlice(newPerson(t, server.URL))
	allowConsole(t, p.ctx, "Failed to load resource")
	p.Star("Priya Raman")
	p.SeeSettled("Priya Raman")
	server.Stop() // checks the status
	again := startIn(t, server.Data, "demo")
	q := newAlice(newPerson(t, again.URL))
	q.SeeFavorite("Priya Raman")
}
