//go:build !js

package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"starling/app/state"
	"starling/ozeki"
)

// fileWire is the line of files, which a test can cut and hold.
type fileWire struct {
	ozeki.FileTransport
	mu   sync.Mutex
	cut  bool            // a transfer breaks in its middle
	hold <-chan struct{} // a transfer waits in its middle
	puts int
}

func (w *fileWire) set(cut bool, hold <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut, w.hold = cut, hold
}

func (w *fileWire) fault(ctx context.Context, progress func(int64), size int64) error {
	w.mu.Lock()
	cut, hold := w.cut, w.hold
	w.mu.Unlock()
	if cut || hold != nil {
		progress(size / 2)
	}
	if cut {
		return fmt.Errorf("%w: cut", ozeki.ErrUnreachable)
	}
	return await(ctx, hold)
}

func (w *fileWire) Put(ctx context.Context, url string, file ozeki.Blob, progress func(int64)) (*ozeki.Response, error) {
	if err := w.fault(ctx, progress, file.Size()); err != nil {
		return nil, err
	}
	w.mu.Lock()
	w.puts++
	w.mu.Unlock()
	return w.FileTransport.Put(ctx, url, file, progress)
}

func (w *fileWire) Get(ctx context.Context, url string, progress func(int64)) (ozeki.Blob, *ozeki.Response, error) {
	if err := w.fault(ctx, progress, 100); err != nil {
		return ozeki.Blob{}, nil, err
	}
	return w.FileTransport.Get(ctx, url, progress)
}

func note(name string) Attachment {
	return Attachment{Name: name, Type: "text/plain", Data: ozeki.NewBlob([]byte("what stands in " + name))}
}

// filesAre is a last message, stored by the server, with exactly these files.
func filesAre(names ...string) func(*state.Snapshot) bool {
	return func(v *state.Snapshot) bool {
		if v.Open == nil || len(v.Open.Messages) == 0 || v.Unsent != 0 {
			return false
		}
		m := v.Open.Messages[len(v.Open.Messages)-1]
		var got []string
		for _, f := range filesIn(m) {
			if f.Way == state.FileThere {
				got = append(got, f.Name)
			}
		}
		return m.State == state.MessageSent && slices.Equal(got, names)
	}
}

func filesIn(m state.Message) []state.File {
	if m.Files == nil {
		return nil
	}
	return *m.Files
}

func last(v *state.Snapshot) state.Message { return v.Open.Messages[len(v.Open.Messages)-1] }

// get downloads the n-th file of the last message.
func (p *person) get(id ozeki.ConversationID, n int) (string, bool) {
	m := last(p.Snapshot())
	_, content, ok := p.GetFile(id, m.ID, filesIn(m)[n].ID)
	return string(content.Bytes()), ok
}

// people are two who read their conversation.
func people(t *testing.T) (s *server, id ozeki.ConversationID, alice, bob *person) {
	s = newServer(t)
	a, b := s.account(0), s.account(1)
	id = s.direct(a, b)
	alice, bob = s.signedIn(a), s.signedIn(b)
	alice.reading(id)
	bob.reading(id)
	return s, id, alice, bob
}

func TestFilesArriveWithTheirMessageInOrder(t *testing.T) {
	s, id, alice, bob := people(t)
	picture := Attachment{Name: "a/cat\u202egpj.exe", Type: "image/png", Data: ozeki.NewBlob([]byte("pixels")), Width: 640, Height: 480, Thumb: []byte("\xff\xd8\xff thumb")}
	hold := make(chan struct{})
	alice.files.set(false, hold)
	if err := alice.Write(id, Writing{Text: " look ", Files: []Attachment{note("notes.txt"), picture}}); err != nil {
		t.Fatal(err)
	}
	if err := alice.Send(id, "after it"); err != nil {
		t.Fatal(err)
	}
	v := alice.until("the first file is on its way", func(v *state.Snapshot) bool {
		f := filesIn(v.Open.Messages[0])
		return len(f) == 2 && f[0].Way == state.FileSending && f[0].Done > 0 && f[1].Way == state.FileWaiting
	})
	if alice.Unkept() || v.Unsent != 2 || len(s.messages(alice.account, id)) != 0 {
		t.Errorf("not kept %t, unsent %d", alice.Unkept(), v.Unsent)
	}
	close(hold)
	alice.until("all is stored", func(v *state.Snapshot) bool {
		return v.Unsent == 0 && slices.Equal(texts(v), []string{"look", "after it"})
	})
	bob.Wake()
	v = bob.until("both have come", func(v *state.Snapshot) bool { return slices.Equal(texts(v), []string{"look", "after it"}) })
	files := filesIn(v.Open.Messages[0])
	if len(files) != 2 || files[1].Name != "a_catgpj.exe" || files[1].Width != 640 || files[1].Height != 480 || files[1].Thumb == "" || !files[1].IsPicture() || files[0].IsPicture() {
		t.Fatalf("%+v", files)
	}
	for i, want := range []string{"what stands in notes.txt", "pixels"} {
		_, content, ok := bob.GetFile(id, v.Open.Messages[0].ID, files[i].ID)
		if !ok || string(content.Bytes()) != want {
			t.Errorf("file %d is %q", i, content.Bytes())
		}
		c, err := s.files.Open(t.Context(), files[i].ID)
		if err != nil {
			t.Fatal(err)
		}
		stored := make([]byte, c.Size())
		_, err = c.Read(stored)
		c.Close()
		if err != nil || bytes.Contains(stored, []byte(want)) {
			t.Errorf("the server can read %q", want)
		}
	}
}

func TestAFileWithoutTextIsAMessage(t *testing.T) {
	_, id, alice, bob := people(t)
	if err := alice.Write(id, Writing{Text: "", Files: []Attachment{note("notes.txt")}}); err != nil {
		t.Fatal(err)
	}
	alice.until("it is stored", filesAre("notes.txt"))
	bob.Wake()
	v := bob.until("it has come", filesAre("notes.txt"))
	if v.Announcement.Text != "Alice: notes.txt" {
		t.Errorf("announced %q", v.Announcement.Text)
	}
}

func TestACutTransferGoesOnUnderTheSameId(t *testing.T) {
	s, id, alice, bob := people(t)
	alice.files.set(true, nil)
	if err := alice.Write(id, Writing{Text: "look", Files: []Attachment{note("notes.txt")}}); err != nil {
		t.Fatal(err)
	}
	v := alice.until("it waits for the connection", func(v *state.Snapshot) bool {
		return v.Offline && last(v).State == state.MessageQueued && filesIn(last(v))[0].Way == state.FileWaiting
	})
	m := last(v)
	alice.files.set(false, nil)
	alice.Wake()
	v = alice.until("it is stored", filesAre("notes.txt"))
	if last(v).ID != m.ID || filesIn(last(v))[0].ID != filesIn(m)[0].ID || len(s.messages(alice.account, id)) != 1 {
		t.Errorf("it is another message now: %+v, was %+v", last(v), m)
	}
	bob.Wake()
	bob.until("it has come", filesAre("notes.txt"))
	bob.files.set(true, nil)
	if _, ok := bob.get(id, 0); ok {
		t.Error("a cut download succeeded")
	}
	v = bob.until("the file can be asked for again, and it is said what went wrong", func(v *state.Snapshot) bool { return filesIn(last(v))[0].Way == state.FileThere && len(v.Notices) > 0 })
	if text := v.Notices[len(v.Notices)-1].Text; !strings.Contains(text, "notes.txt") || !strings.Contains(text, "connection") {
		t.Errorf("said %q", text)
	}
	bob.files.set(false, nil)
	if got, ok := bob.get(id, 0); !ok || got != "what stands in notes.txt" {
		t.Errorf("got %q", got)
	}
}

func TestAFileWhoseMessageWasLostOnItsWayIsNotSentTwice(t *testing.T) {
	_, id, alice, _ := people(t)
	alice.wire.set(func(call string, n int) fault { return fault{before: call == "chatconversation add" && n == 1} })
	if err := alice.Write(id, Writing{Text: "look", Files: []Attachment{note("notes.txt")}}); err != nil {
		t.Fatal(err)
	}
	alice.until("it waits for the connection", func(v *state.Snapshot) bool { return last(v).State == state.MessageQueued })
	alice.Wake()
	alice.until("it is stored", filesAre("notes.txt"))
	if alice.files.puts != 1 {
		t.Errorf("the file was sent %d times", alice.files.puts)
	}
}

func TestARefusedFileCanBeTriedAgainOrDeleted(t *testing.T) {
	s, id, alice, bob := people(t)
	alice.wire.set(only(fault{answer: refusing(ozeki.CodeFull, "The server has no room.")}, ozeki.CallFileCreate.Action))
	for _, name := range []string{"kept.txt", "deleted.txt"} {
		if err := alice.Write(id, Writing{Text: "", Files: []Attachment{note(name)}}); err != nil {
			t.Fatal(err)
		}
	}
	v := alice.until("both were refused", func(v *state.Snapshot) bool {
		m := v.Open.Messages
		return len(m) == 2 && m[0].State == state.MessageFailed && m[1].State == state.MessageFailed
	})
	if v.Open.Messages[0].Why != "The server has no room." {
		t.Errorf("said %q", v.Open.Messages[0].Why)
	}
	alice.wire.set(nil)
	alice.Discard(id, v.Open.Messages[1].ID)
	alice.Retry(id, v.Open.Messages[0].ID)
	alice.until("it is stored", filesAre("kept.txt"))
	bob.Wake()
	bob.until("it has come", filesAre("kept.txt"))
	if len(s.messages(alice.account, id)) != 1 {
		t.Error("what was deleted was sent")
	}
	eventually(t, "the device keeps no file", func() bool { return len(alice.vault.(*memory).queue) == 0 && !keepsFiles(alice.vault) })
}

func keepsFiles(v Vault) bool {
	m := v.(*memory)
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.files) > 0
}

// A message whose files are being sent can be deleted. It does not come back from the device, however slowly that forgets.
func TestAnUploadCanBeStopped(t *testing.T) {
	for _, stuck := range []bool{false, true} {
		s := newServer(t)
		a, b := s.account(0), s.account(1)
		id := s.direct(a, b)
		vault := stuckVault{NewVault(), new(atomic.Bool)}
		alice := s.device(a, vault)
		alice.until("it asks to sign in", signedOut)
		alice.signIn()
		alice.reading(id)
		hold := make(chan struct{})
		defer close(hold)
		alice.files.set(false, hold)
		if err := alice.Write(id, Writing{Text: "", Files: []Attachment{note("notes.txt")}}); err != nil {
			t.Fatal(err)
		}
		v := alice.until("it is on its way", func(v *state.Snapshot) bool { return filesIn(last(v))[0].Way == state.FileSending })
		if err := alice.Send(id, "after it"); err != nil {
			t.Fatal(err)
		}
		vault.stuck.Store(stuck)
		alice.Discard(id, last(v).ID)
		alice.until("the next one is stored", shows("after it"))
		if len(s.messages(alice.account, id)) != 1 || alice.Snapshot().Offline {
			t.Error("it was sent, or stopping it passes for a lost connection")
		}
	}
}

func TestARestartGoesOnWithAnUpload(t *testing.T) {
	for _, lost := range []bool{false, true} {
		s, id, alice, bob := people(t)
		alice.files.set(true, nil)
		if err := alice.Write(id, Writing{Text: "look", Files: []Attachment{note("notes.txt")}}); err != nil {
			t.Fatal(err)
		}
		alice.until("it waits", func(v *state.Snapshot) bool { return last(v).State == state.MessageQueued })
		eventually(t, "the device keeps it", func() bool { return keepsFiles(alice.vault) })
		before := last(alice.Snapshot())
		alice.Close()
		if lost {
			if err := alice.vault.ForgetFiles(t.Context(), []ozeki.FileID{filesIn(before)[0].ID}); err != nil {
				t.Fatal(err)
			}
		}
		again := s.device(alice.account, alice.vault)
		again.until("the list is there", func(v *state.Snapshot) bool { return v.Loaded })
		again.reading(id)
		if lost {
			v := again.until("it says that the file is lost", func(v *state.Snapshot) bool { return len(v.Open.Messages) == 1 && last(v).State == state.MessageFailed })
			if m := last(v); m.Text != "look" || !strings.Contains(m.Why, "notes.txt") || !strings.Contains(m.Why, "attach the file again") {
				t.Errorf("%+v", m)
			}
			continue
		}
		v := again.until("it is stored", filesAre("notes.txt"))
		if last(v).ID != before.ID {
			t.Error("it is another message now")
		}
		bob.Wake()
		bob.until("it has come", filesAre("notes.txt"))
		if got, ok := bob.get(id, 0); !ok || got != "what stands in notes.txt" {
			t.Errorf("got %q", got)
		}
	}
}

func TestAManipulatedFileDoesNotOpen(t *testing.T) {
	s, id, alice, _ := people(t)
	if err := alice.Write(id, Writing{Text: "", Files: []Attachment{note("notes.txt")}}); err != nil {
		t.Fatal(err)
	}
	v := alice.until("it is stored", filesAre("notes.txt"))
	file := filesIn(last(v))[0].ID
	sealed, _, err := ozeki.SealFile(t.Context(), file, ozeki.NewBlob([]byte("something else")))
	if err != nil {
		t.Fatal(err)
	}
	sum, _ := sealed.SHA256(t.Context())
	if err := s.files.Put(t.Context(), file, bytes.NewReader(sealed.Bytes()), sealed.Size(), sum); err != nil {
		t.Fatal(err)
	}
	if _, ok := alice.get(id, 0); ok {
		t.Error("it opened")
	}
	if n := alice.Snapshot().Notices; len(n) == 0 || !strings.Contains(n[0].Text, "cannot be decrypted") {
		t.Errorf("said %+v", n)
	}
}

func TestAMessageHasAsManySmallPicturesAsThereIsRoomFor(t *testing.T) {
	_, id, alice, bob := people(t)
	var files []Attachment
	for i := range ozeki.MaxFiles {
		files = append(files, Attachment{Name: fmt.Sprint(i, ".jpg"), Type: "image/jpeg", Data: ozeki.NewBlob([]byte("x")), Thumb: bytes.Repeat([]byte("x"), 8<<10)})
	}
	if err := alice.Write(id, Writing{Text: strings.Repeat("\n\"", 4000) + "x", Files: files}); err != nil {
		t.Fatal(err)
	}
	alice.until("it is stored", func(v *state.Snapshot) bool { return v.Unsent == 0 })
	bob.Wake()
	v := bob.until("it has come", func(v *state.Snapshot) bool { return len(v.Open.Messages) == 1 })
	n := 0
	for _, f := range filesIn(last(v)) {
		if f.Thumb != "" {
			n++
		}
	}
	if len(filesIn(last(v))) != ozeki.MaxFiles || n == 0 || n == ozeki.MaxFiles {
		t.Errorf("%d files, %d with a picture", len(filesIn(last(v))), n)
	}
}

// fullVault has no room for files.
type fullVault struct{ Vault }

func (fullVault) KeepFile(context.Context, ozeki.FileID, ozeki.Blob) error {
	return errors.New("no room")
}

func TestAFileIsSentWhereTheDeviceHasNoRoomForIt(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	id := s.groups(a, 1)[0]
	p := s.device(a, fullVault{NewVault()})
	p.signIn()
	p.reading(id)
	if _, err := p.KeepFile(t.Context(), id, note("notes.txt")); !strings.Contains(Words(err), "no room to keep “notes.txt”") {
		t.Errorf("said %q", Words(err))
	}
	hold := make(chan struct{})
	p.files.set(false, hold)
	if err := p.Write(id, Writing{Text: "", Files: []Attachment{note("notes.txt")}}); err != nil {
		t.Fatal(err)
	}
	p.until("it is on its way", func(v *state.Snapshot) bool { return filesIn(last(v))[0].Way == state.FileSending })
	if !p.Unkept() {
		t.Error("it would be lost with the page, unsaid")
	}
	close(hold)
	p.until("it is stored", filesAre("notes.txt"))
	eventually(t, "nothing would be lost any more", func() bool { return !p.Unkept() })
}
