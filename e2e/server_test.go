package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The accounts of the demo.
const (
	alice        = "alice@example.com"
	bob          = "bob@example.com"
	demoPassword = "starling-demo"
)

// program is the built binary: $STARLING_BIN, or one built for this run.
var program = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("STARLING_BIN"); path != "" {
		return filepath.Abs(path)
	}
	dir, err := os.MkdirTemp("", "starling-bin-")
	if err != nil {
		return "", err
	}
	atEnd(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "starling")
	build := exec.Command("go", "build", "-o", path, "..")
	if text, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build starling: %w\n%s", err, text)
	}
	return path, nil
})

func binary(t *testing.T) string {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// server is a running starling.
type server struct {
	URL  string // where it listens, without a slash at the end
	Data string

	t    *testing.T
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // how it ended

	mu  sync.Mutex
	log strings.Builder
}

// startServer runs `starling serve` with its own data directory on a free port until the test ends, and fails the test if
// it does not stop as it should. More arguments, or another command in front of them, may be given.
func startServer(t *testing.T, args ...string) *server {
	t.Helper()
	return startIn(t, t.TempDir(), args...)
}

// startDemo is startServer with the demo's accounts and conversations.
func startDemo(t *testing.T) *server {
	t.Helper()
	seed, err := demoData()
	if err != nil {
		t.Fatal(err)
	}
	data := t.TempDir()
	if err := os.CopyFS(data, os.DirFS(seed)); err != nil {
		t.Fatal(err)
	}
	return startIn(t, data, "demo")
}

// demoData is a data directory that holds the demo, made once.
var demoData = sync.OnceValues(func() (string, error) {
	path, err := program()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "starling-demo-")
	if err != nil {
		return "", err
	}
	atEnd(func() { _ = os.RemoveAll(dir) })
	cmd := exec.Command(path, "demo", "--addr", "127.0.0.1:0", "--data", dir)
	out, err := cmd.StderrPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	_, listening := waitListening(out, io.Discard)
	_ = cmd.Process.Signal(syscall.SIGTERM)
	_, _ = io.Copy(io.Discard, out)
	if err := cmd.Wait(); err != nil || !listening {
		return "", fmt.Errorf("seed the demo: listening: %t, %w", listening, err)
	}
	return dir, nil
})

func startIn(t *testing.T, data string, args ...string) *server {
	t.Helper()
	return startAt(t, data, "127.0.0.1:0", args...)
}

func startAt(t *testing.T, data, addr string, args ...string) *server {
	t.Helper()
	return startProgram(t, binary(t), data, addr, args...)
}

// startProgram is startAt for another binary.
func startProgram(t *testing.T, program, data, addr string, args ...string) *server {
	t.Helper()
	command := "serve"
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		command, args = args[0], args[1:]
	}
	args = append([]string{command, "--addr", addr, "--data", data}, args...)
	s := &server{Data: data, t: t, cmd: exec.Command(program, args...), done: make(chan struct{})}
	out, err := s.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	listening := make(chan string, 1)
	go func() {
		url, _ := waitListening(out, s)
		listening <- url
		_, _ = io.Copy(s, out)
		s.err = s.cmd.Wait()
		close(s.done)
	}()
	t.Cleanup(func() {
		s.Stop()
		if t.Failed() {
			t.Logf("the server %v said:\n%s", args, s.Log())
		}
	})
	select {
	case s.URL = <-listening:
	case <-time.After(testTimeout):
		_ = s.cmd.Process.Kill()
	}
	if s.URL == "" {
		t.Fatalf("starling %v does not listen", args)
	}
	return s
}

// waitListening reads a server's log up to the line that says where it listens.
func waitListening(r io.Reader, log io.Writer) (url string, ok bool) {
	one := make([]byte, 1)
	var line []byte
	for {
		if _, err := r.Read(one); err != nil {
			return "", false
		}
		_, _ = log.Write(one)
		if one[0] != '\n' {
			line = append(line, one[0])
			continue
		}
		if url, ok := strings.CutPrefix(string(line), "listening on "); ok {
			return url, true
		}
		line = line[:0]
	}
}

// Write takes over what the server says.
func (s *server) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.Write(b)
}

// Log is what the server has said so far.
func (s *server) Log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// Stop asks the server to stop, as an operator does, and fails the test unless it ends with status 0. A repeat does nothing.
func (s *server) Stop() {
	s.t.Helper()
	select {
	case <-s.done:
		if s.err != nil {
			s.t.Errorf("the server ended by itself: %v", s.err)
			s.err = nil
		}
		return
	default:
	}
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.done:
	case <-time.After(20 * time.Second):
		_ = s.cmd.Process.Kill()
		<-s.done
		s.t.Error("the server does not stop")
	}
	if s.err != nil {
		s.t.Errorf("the server's exit status: %v, want 0", s.err)
		s.err = nil
	}
}

// get fetches from the server without a browser.
func get(t *testing.T, url string, header ...string) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := (&http.Transport{DisableCompression: true, DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, body
}

// runStarling runs the binary to its end, which must come within the time given, and returns its exit status and what it said.
func runStarling(t *testing.T, within time.Duration, env []string, args ...string) (status int, words string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary(t), args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		t.Errorf("starling %v did not end within %v:\n%s", args, within, out)
		return -1, string(out)
	}
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// lastLine is what a program said last.
func lastLine(words string) string {
	last := ""
	for s := bufio.NewScanner(strings.NewReader(words)); s.Scan(); {
		if s.Text() != "" {
			last = s.Text()
		}
	}
	return last
}
