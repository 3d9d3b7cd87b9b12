package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"starling/chatserver/data"
	"starling/chatserver/store"
	"starling/ozeki"
)

var kills = flag.Int("kills", 3, "how often the server is killed")

// asProgram makes a process of this test binary the program itself.
const asProgram = "STARLING_TEST_AS_PROGRAM"

// process is the program in a process of its own.
type process struct {
	*exec.Cmd
	url, addr string
	said      *output
	ended     chan struct{}
}

// started runs the program in a process until it serves.
func started(t *testing.T, args ...string) *process {
	t.Helper()
	siteFor(t) // or the program is not built
	p := &process{Cmd: exec.Command(os.Args[0], args...), said: &output{}, ended: make(chan struct{})}
	p.Env = append(os.Environ(), asProgram+"=1")
	p.Stdout, p.Stderr = p.said, p.said
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.Wait() // it is killed
		close(p.ended)
	}()
	t.Cleanup(p.kill)
	line := regexp.MustCompile(`listening on (http://(127\.0\.0\.1:[1-9][0-9]*))\n`)
	for limit := time.After(time.Minute); ; {
		if m := line.FindStringSubmatch(p.said.String()); m != nil {
			p.url, p.addr = m[1], m[2]
			return p
		}
		select {
		case <-p.ended:
			t.Fatalf("%q ended: %s", args, p.said)
		case <-limit:
			t.Fatalf("%q does not serve: %s", args, p.said)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (p *process) kill() {
	_ = p.Process.Kill()
	<-p.ended
}

// ends runs the program in a process to its end.
func ends(t *testing.T, args ...string) (status int, said string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// writer is somebody with a conversation to write to.
type writer struct {
	*ozeki.Client
	t     *testing.T
	cred  ozeki.Credentials
	conv  *ozeki.Conversation
	key   []byte
	acked []ozeki.MessageID
}

func newClient(url string) *ozeki.Client {
	return ozeki.NewClient(ozeki.Options{Base: url + apiPath})
}

func newWriter(t *testing.T, url, name string) *writer {
	t.Helper()
	hash := func(text string) string {
		sum := sha256.Sum256([]byte(text))
		return hex.EncodeToString(sum[:])
	}
	ctx, email := t.Context(), strings.ToLower(name)+"@example.com"
	w := &writer{Client: newClient(url), t: t, cred: ozeki.Credentials{APIKey: hash(name + "api"), EncryptionPassword: hash(name + "password")}}
	if err := w.CreateAccount(ctx, ozeki.NewStationID(), email, name, w.cred); err != nil {
		t.Fatal(err)
	}
	w.signIn()
	id := ozeki.NewConversationID()
	key, err := ozeki.NewConversationKey()
	if err != nil {
		t.Fatal(err)
	}
	w.key = key
	spki, err := base64.StdEncoding.DecodeString(w.Session().PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	pub, err := w.Scheme().ImportPublicKey(ctx, spki)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := w.Scheme().WrapKey(ctx, pub, w.key)
	if err != nil {
		t.Fatal(err)
	}
	seen, err := w.Scheme().Seal(ctx, w.key, ozeki.NameAD(id), []byte("Notes of "+name))
	if err != nil {
		t.Fatal(err)
	}
	w.conv, err = w.CreateConversation(ctx, ozeki.ConversationCreateRequest{
		ConversationID: id, IsGroup: true, Members: []ozeki.Member{{UserID: w.Session().UserID, Secret: secret, DisplayName: seen}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *writer) signIn() {
	w.t.Helper()
	if _, err := w.SignIn(w.t.Context(), ozeki.NewStationID(), w.cred.APIKey, w.cred.EncryptionPassword); err != nil {
		w.t.Fatal(err)
	}
}

// message is one that is to be sent until it is acknowledged.
func (w *writer) message(text string) ozeki.Message {
	w.t.Helper()
	m := ozeki.Message{ID: ozeki.NewMessageID(), Type: ozeki.TypeMessage, Created: ozeki.TimeOf(time.Now())}
	var err error
	if m.Data, err = w.Scheme().Seal(w.t.Context(), w.key, ozeki.MessageAD(w.conv.ID, m.ID), []byte(text)); err != nil {
		w.t.Error(err)
	}
	return m
}

func (w *writer) add(m ozeki.Message) error {
	_, err := w.Add(w.t.Context(), w.conv.ID, w.conv.Instance, m)
	if err == nil {
		w.acked = append(w.acked, m.ID)
	}
	return err
}

// kept are the ids that a database has of the writer's messages, in order.
func (w *writer) kept(dir string) (ids []ozeki.MessageID) {
	w.t.Helper()
	st, err := store.OpenSQLite(w.t.Context(), data.Database(dir))
	if err != nil {
		w.t.Fatal(err)
	}
	defer st.Close()
	messages, err := st.Messages(w.t.Context(), store.MessageQuery{Conversation: w.conv.ID, Instance: w.conv.Instance, Now: time.Now(), Limit: 1 << 20})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, m := range messages {
		ids = append(ids, m.ID)
	}
	return ids
}

// A server that is killed in the middle of a burst loses nothing that it has acknowledged, and what is sent again is there
// once, in the order in which it was written.
func TestNothingAcknowledgedIsLostWhenTheServerIsKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	dir := t.TempDir()
	p := started(t, "--addr", "127.0.0.1:0", "--data", dir)
	addr := p.addr
	var writers []*writer
	for i := range 3 {
		writers = append(writers, newWriter(t, p.url, fmt.Sprint("Writer", i)))
	}
	acks, ctx := make(chan int), t.Context()
	stop := make(chan struct{})
	var work sync.WaitGroup
	for i, w := range writers {
		work.Go(func() {
			for n := 0; ; n++ {
				m := w.message(fmt.Sprint(n))
				for w.add(m) != nil {
					select {
					case <-time.After(5 * time.Millisecond): // the server is being killed, or is not there yet
					case <-ctx.Done():
						return
					}
				}
				select {
				case acks <- i:
				case <-stop:
					return
				}
			}
		})
	}
	for round := range *kills {
		for range 20 + (round*37)%100 {
			<-acks
		}
		p.kill()
		p = started(t, "--addr", addr, "--data", dir)
	}
	close(stop)
	work.Wait()
	p.kill()
	for _, w := range writers {
		if got := w.kept(dir); !slices.Equal(got, w.acked) {
			t.Errorf("%d messages were acknowledged, and there are %d", len(w.acked), len(got))
		}
	}
	if _, err := store.CheckSQLite(ctx, data.Database(dir)); err != nil {
		t.Error(err)
	}
}

// A backup of a server that is being written to has all that was acknowledged before, and no message without its file.
func TestABackupOfAServingServerIsRestored(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	dir := t.TempDir()
	p := started(t, "--addr", "127.0.0.1:0", "--data", dir)
	ctx := t.Context()
	w, files := newWriter(t, p.url, "Writer"), newWriter(t, p.url, "Filer")
	stop := make(chan struct{})
	var work sync.WaitGroup
	var mu sync.Mutex
	written := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(w.acked)
	}
	work.Go(func() {
		for n := 0; ; n++ {
			m := w.message(fmt.Sprint(n))
			mu.Lock()
			err := w.add(m)
			mu.Unlock()
			if err != nil {
				t.Error(err)
				return
			}
			select {
			case <-stop:
				return
			default:
			}
		}
	})
	content := map[ozeki.FileID][]byte{}
	sendFile := func(n int) (ozeki.FileID, error) {
		id, b := ozeki.NewFileID(), bytes.Repeat([]byte{byte(n)}, 20_000)
		sum := sha256.Sum256(b)
		a, err := files.CreateFile(ctx, ozeki.FileCreateRequest{ConversationID: files.conv.ID, Instance: files.conv.Instance, FileID: id, Size: int64(len(b)), SHA256: hex.EncodeToString(sum[:])})
		if err != nil {
			return "", err
		}
		if err := files.PutFile(ctx, id, a.Ticket, ozeki.NewBlob(b), func(int64) {}); err != nil {
			return "", err
		}
		m := files.message("a file")
		m.Files = []ozeki.FileID{id}
		content[id] = b
		return id, files.add(m)
	}
	work.Go(func() { // files come and go
		for n := 0; ; n++ {
			if _, err := sendFile(n); err != nil {
				t.Error(err)
				return
			}
			if n%3 == 2 {
				gone := files.acked[len(files.acked)-1]
				if _, err := files.DeleteMessage(ctx, ozeki.MessageDeleteRequest{ConversationID: files.conv.ID, Instance: files.conv.Instance, MessageID: gone}); err != nil {
					t.Error(err)
					return
				}
			}
			select {
			case <-stop:
				return
			default:
			}
		}
	})
	for written() < 100 {
		time.Sleep(5 * time.Millisecond)
	}
	before, backup := written(), filepath.Join(t.TempDir(), "backup.tar")
	status, said := ends(t, "backup", "--data", dir, backup)
	close(stop)
	work.Wait()
	if status != 0 || !strings.Contains(said, backup) || strings.Contains(said, "warning") {
		t.Fatalf("backup ends with %d: %s", status, said)
	}
	if status, said := ends(t, "restore", backup, "--data", dir, "--replace"); status != 1 || !strings.Contains(said, "a server is using") {
		t.Errorf("restoring under a running server ends with %d: %s", status, said)
	}
	p.kill()
	other := filepath.Join(t.TempDir(), "other")
	if status, said := ends(t, "restore", backup, "--data", other); status != 0 {
		t.Fatalf("restore ends with %d: %s", status, said)
	}
	got := w.kept(other)
	if len(got) < before || !slices.Equal(got, w.acked[:len(got)]) {
		t.Errorf("%d messages were acknowledged before, and the backup has %d", before, len(got))
	}
	named, err := store.CheckSQLite(ctx, data.Database(other))
	if err != nil {
		t.Fatal(err)
	}
	if len(named) == 0 {
		t.Error("the backup has no file")
	}
	p = started(t, "--addr", "127.0.0.1:0", "--data", other)
	again := newClient(p.url)
	files.Client = again
	files.signIn()
	for _, f := range named {
		a, err := files.FetchFile(ctx, ozeki.FileFetchRequest{ConversationID: files.conv.ID, FileID: f.ID})
		if err != nil {
			t.Error(err)
			continue
		}
		if b, err := files.GetFile(ctx, f.ID, a.Ticket, func(int64) {}); err != nil || !bytes.Equal(b.Bytes(), content[f.ID]) {
			t.Errorf("file %s: %v", f.ID, err)
		}
	}
	if err := files.add(files.message("goes on")); err != nil {
		t.Error(err)
	}
}

// needs skips a test of faults that the machine does not let it make, but not where everything has to run.
func needs(t *testing.T, what string, err error) {
	t.Helper()
	if os.Getenv("CI") != "" || os.Geteuid() == 0 {
		t.Fatalf("%s: %v", what, err)
	}
	t.Skipf("%s: %v", what, err)
}

// While the disk does not take what is written, nothing is acknowledged; when it does, everything goes on.
func TestADiskThatDoesNotSyncAcknowledgesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	if runtime.GOOS != "linux" {
		t.Skip("strace is for Linux")
	}
	dir := t.TempDir()
	p := started(t, "--addr", "127.0.0.1:0", "--data", dir)
	w := newWriter(t, p.url, "Writer")
	if err := w.add(w.message("before")); err != nil {
		t.Fatal(err)
	}
	said := &output{}
	strace := exec.Command("strace", "-f", "-o", os.DevNull, "-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:error=EIO", "-p", fmt.Sprint(p.Process.Pid))
	strace.Stderr = said
	if err := strace.Start(); err != nil {
		needs(t, "strace does not start", err)
	}
	detach := sync.OnceFunc(func() {
		_ = strace.Process.Signal(os.Interrupt)
		_ = strace.Wait() // its status says how it was ended
	})
	defer detach()
	waitFor(t, "strace is attached", func() bool {
		return strings.Contains(said.String(), "attached") || strings.Contains(said.String(), "Operation not permitted")
	})
	if strings.Contains(said.String(), "not permitted") {
		needs(t, "strace may not attach", errors.New(said.String()))
	}
	m := w.message("during")
	waitFor(t, "the fault is there", func() bool { return w.add(w.message("until it fails")) != nil })
	for range 5 {
		err := w.add(m)
		if !errors.Is(err, ozeki.ErrUnavailable) {
			t.Errorf("without a disk that syncs: %v", err)
		}
	}
	if !strings.Contains(p.said.String(), "level=ERROR") {
		t.Errorf("the log does not tell: %s", p.said)
	}
	detach()
	waitFor(t, "it goes on", func() bool { return w.add(m) == nil })
	if err := w.add(w.message("after")); err != nil {
		t.Error(err)
	}
	p.kill()
	got := w.kept(dir)
	for _, id := range w.acked {
		if !slices.Contains(got, id) {
			t.Errorf("%s was acknowledged and is lost", id)
		}
	}
	if _, err := store.CheckSQLite(t.Context(), data.Database(dir)); err != nil {
		t.Error(err)
	}
}

// A full disk refuses messages, files and backups in words and loses nothing; when there is room, everything goes on.
func TestAFullDiskIsSaidAndIsOverWhenThereIsRoom(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	if runtime.GOOS != "linux" {
		t.Skip("tmpfs is of Linux")
	}
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", dir).CombinedOutput(); err != nil {
		needs(t, "no small disk can be mounted (that is for root)", fmt.Errorf("%w: %s", err, out))
	}
	defer func() {
		if out, err := exec.Command("umount", "-l", dir).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	}()
	p := started(t, "--addr", "127.0.0.1:0", "--data", dir)
	defer p.kill()
	w := newWriter(t, p.url, "Writer")
	if err := w.add(w.message("before")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 50_000)
	sum := sha256.Sum256(b)
	file := ozeki.FileCreateRequest{ConversationID: w.conv.ID, Instance: w.conv.Instance, FileID: ozeki.NewFileID(), Size: int64(len(b)), SHA256: hex.EncodeToString(sum[:])}
	ticket, err := w.CreateFile(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	ballast := filepath.Join(dir, "ballast")
	fill(t, ballast)
	err = w.PutFile(t.Context(), file.FileID, ticket.Ticket, ozeki.NewBlob(b), func(int64) {})
	if err == nil || !strings.Contains(err.Error(), "no room") {
		t.Errorf("a file on a full disk: %v", err)
	}
	m := w.message(strings.Repeat("during ", 4000))
	// What the log of the database has been given already it can use again.
	waitFor(t, "the database is full, too", func() bool { return w.add(w.message(strings.Repeat("until it fails ", 2000))) != nil })
	if err := w.add(m); !errors.Is(err, ozeki.ErrUnavailable) {
		t.Errorf("a message on a full disk: %v", err)
	}
	backup := filepath.Join(dir, "backup.tar")
	if status, said := ends(t, "backup", "--data", dir, backup); status != 1 || !strings.Contains(said, "not enough room") {
		t.Errorf("a backup on a full disk ends with %d: %s", status, said)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*backup*")); err != nil || len(left) > 0 {
		t.Errorf("it leaves %q %v", left, err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if err := w.PutFile(t.Context(), file.FileID, ticket.Ticket, ozeki.NewBlob(b), func(int64) {}); err != nil {
		t.Errorf("there is room again for the file: %v", err)
	}
	if err := w.add(m); err != nil {
		t.Errorf("there is room again: %v", err)
	}
	p.kill()
	got := w.kept(dir)
	for _, id := range w.acked {
		if !slices.Contains(got, id) {
			t.Errorf("%s was acknowledged and is lost", id)
		}
	}
	if _, err := store.CheckSQLite(t.Context(), data.Database(dir)); err != nil {
		t.Error(err)
	}
}

// fill writes a file until its disk is full.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 16; size > 0; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
}

// waitFor waits for a state.
func waitFor(t *testing.T, what string, is func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for !is() {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("waited in vain until %s", what)
		}
	}
}
