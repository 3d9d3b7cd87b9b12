package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"
)

// file makes a file to attach, and returns its path.
func file(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// photo is a picture of that size.
func photo(t *testing.T, width, height int) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			img.Set(x, y, color.RGBA{uint8(x * 255 / width), uint8(y * 255 / height), 128, 255})
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Attach chooses files for the message in the composer.
func (p *person) Attach(paths ...string) {
	p.t.Helper()
	p.see("button", "Attach files")
	p.run(chromedp.SetUploadFiles("#files", paths, chromedp.ByQuery))
}

// SeeChosen waits until the composer holds exactly these files.
func (p *person) SeeChosen(names ...string) {
	p.t.Helper()
	p.eventually(fmt.Sprintf("see the files %q in the composer", names), func() error {
		found, err := p.find("button", "Remove …", nil)
		if err != nil || len(found) != len(names) {
			return fmt.Errorf("there are %d, %w", len(found), err)
		}
		for _, name := range names {
			if _, err := p.one(nil, "button", "Remove "+name); err != nil {
				return err
			}
		}
		return nil
	})
}

// SendChosen sends the files in the composer, as soon as they can be sent, and the text beside them.
func (p *person) SendChosen() {
	p.t.Helper()
	p.eventually("there are files in the composer", func() error {
		if found, err := p.find("button", "Remove …", nil); err != nil || len(found) == 0 {
			return fmt.Errorf("there are none yet, %w", err)
		}
		return nil
	})
	p.eventually("the files are sent", func() error {
		if found, err := p.find("button", "Remove …", nil); err != nil || len(found) == 0 {
			return err
		}
		p.see("button", "Send").click()
		return errNotYet
	})
}

// Save presses a button that saves a file, and returns the file.
func (p *person) Save(button *element) (name string, content []byte) {
	p.t.Helper()
	dir := p.t.TempDir()
	p.run(browser.SetDownloadBehavior(browser.SetDownloadBehaviorBehaviorAllow).WithDownloadPath(dir).WithBrowserContextID(watchOf(p.t, p.ctx).device))
	button.click()
	p.eventually("the file is saved", func() error {
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) != 1 || strings.HasSuffix(entries[0].Name(), ".crdownload") {
			return fmt.Errorf("there are %v, %w", entries, err)
		}
		name = entries[0].Name()
		content, err = os.ReadFile(filepath.Join(dir, name))
		return err
	})
	return name, content
}

// SeePicture waits until the dialog shows a picture of that size.
func (p *person) SeePicture(name string, width, height int) *element {
	p.t.Helper()
	dialog := p.see("dialog", name)
	p.eventually("the picture is there", func() error {
		var size []int
		err := p.tryJS(`(i => [i?.naturalWidth ?? 0, i?.naturalHeight ?? 0])(document.querySelector("#picture-place img"))`, &size)
		if err != nil || size[0] != width || size[1] != height {
			return fmt.Errorf("it has %v pixels, %w", size, err)
		}
		return nil
	})
	p.seeIn(dialog, "image", name)
	return dialog
}

// holds says where in the server's data directory the words stand.
func (s *server) holds(words string) (path string) {
	err := filepath.WalkDir(s.Data, func(at string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if b, err := os.ReadFile(at); err == nil && bytes.Contains(b, []byte(words)) {
			path = at
		}
		return nil
	})
	if err != nil {
		s.t.Error(err)
	}
	return path
}

// files lists the files that the server keeps.
func (s *server) files() []string {
	entries, err := os.ReadDir(filepath.Join(s.Data, "files"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.t.Error(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// pair is Alice and Bob of the demo in their conversation, on a device each.
func pair(t *testing.T) (s *server, a, b *person) {
	t.Helper()
	s = startDemo(t)
	a, b = newAlice(newPerson(t, s.URL)), newPerson(t, s.URL)
	b.Visit("/")
	b.SignIn(bob, demoPassword)
	a.OpenConversation("Bob Baker")
	b.OpenConversation("Alice Ashford")
	return s, a, b
}

// A picture and a text go from one to the other, who sees the one and saves both, byte by byte; the server sees neither.
func TestPeopleSendEachOtherFiles(t *testing.T) {
	t.Parallel()
	s, a, b := pair(t)
	const marker = "nobody but the two may read this"
	text, picture := []byte(strings.Repeat(marker+"\n", 1000)), photo(t, 640, 480)
	a.Attach(file(t, "holiday.png", picture), file(t, "plan.txt", text), file(t, "wrong.txt", []byte("x")))
	a.SeeChosen("holiday.png", "plan.txt", "wrong.txt")
	a.see("button", "Remove wrong.txt").click()
	a.SeeChosen("holiday.png", "plan.txt")
	a.see("textbox", "Message Bob Baker").fill("The photo, and what we planned")
	a.SendChosen()
	a.SeeMessage("The photo, and what we planned")
	b.SeeMessage("The photo, and what we planned")

	open := b.see("button", "Open picture holiday.png")
	var thumb struct{ Natural, Width, Height int }
	b.js(`(i => ({Natural: i.naturalWidth, Width: i.width, Height: i.height}))(document.querySelector("#log .picture img"))`, &thumb)
	if thumb.Natural == 0 || thumb.Width != 320 || thumb.Height != 240 {
		t.Errorf("the small picture is %+v", thumb)
	}
	open.click()
	dialog := b.SeePicture("holiday.png", 640, 480)
	if name, got := b.Save(b.seeIn(dialog, "button", "Download")); name != "holiday.png" || !bytes.Equal(got, picture) {
		t.Errorf("%s was saved with %d bytes of %d", name, len(got), len(picture))
	}
	b.seeIn(dialog, "button", "Close").click()
	b.dontSee("dialog", "holiday.png")
	var focused string
	if b.js(`document.activeElement.getAttribute("aria-label")`, &focused); focused != "Open picture holiday.png" {
		t.Errorf("afterwards the focus is on %q", focused)
	}
	if name, got := b.Save(b.see("button", "Download plan.txt, 32 kB")); name != "plan.txt" || !bytes.Equal(got, text) {
		t.Errorf("%s was saved with %d bytes of %d", name, len(got), len(text))
	}
	if at := s.holds(marker); at != "" {
		t.Errorf("the server's %s holds the text", at)
	}
	if at := s.holds("holiday.png"); at != "" {
		t.Errorf("the server's %s holds the name", at)
	}
	if at := s.holds("\x89PNG\r\n\x1a\n"); at != "" { // four letters stand in some megabytes of sealed texts by chance
		t.Errorf("the server's %s holds the picture", at)
	}
	if n := len(s.files()); n != 2 {
		t.Errorf("the server has %d files", n)
	}
	b.Reload()
	b.SeeConversation("Alice Ashford")
	b.see("button", "Open picture holiday.png").click()
	b.SeePicture("holiday.png", 640, 480)
}

// What cannot be sent is said at once, and nothing else is lost by it.
func TestTooLargeAFileIsRefusedBeforeItIsSent(t *testing.T) {
	t.Parallel()
	s := startServer(t, "--max-file", "100000")
	a := newPerson(t, s.URL)
	a.Visit("/")
	a.CreateAccount("Ann", "ann@example.com", "a long enough password")
	other := newPerson(t, s.URL)
	other.Visit("/")
	other.CreateAccount("Ben", "ben@example.com", "a long enough password")
	a.StartConversation("ben@example.com", "Ben")
	if title := a.see("button", "Attach files").attr("title"); title != "Attach files, up to 98 kB each" {
		t.Errorf("the button says %q", title)
	}
	a.see("textbox", "Message Ben").fill("with this")
	a.Attach(file(t, "big.mov", make([]byte, 200_000)), file(t, "small.txt", []byte("small")))
	a.SeeAlert("“big.mov” is 195 kB; the limit is 98 kB.")
	a.SeeChosen("small.txt")
	a.SendChosen()
	a.SeeMessage("with this")
	a.see("button", "Download small.txt, 5 bytes")
}

// drop drops a file on the page, as a mouse would, or pastes it.
func (p *person) drop(event, transfer, name string) {
	p.t.Helper()
	kind := "DragEvent"
	if event == "paste" {
		kind = "ClipboardEvent"
	}
	p.js(fmt.Sprintf(`(() => {
		const data = new DataTransfer()
		data.items.add(new File(["dropped"], %q, {type: "text/plain"}))
		document.querySelector("#composer").dispatchEvent(new %s(%q, {bubbles: true, cancelable: true, %s: data}))
	})()`, name, kind, event, transfer), nil)
}

// Files are dropped and pasted as well, and the place to drop them is seen.
func TestFilesAreDroppedAndPasted(t *testing.T) {
	t.Parallel()
	a := newAlice(newPerson(t, startDemo(t).URL))
	a.OpenConversation("Bob Baker")
	a.see("button", "Attach files")
	shown := func() (display string) {
		a.js(`getComputedStyle(document.querySelector(".drop")).display`, &display)
		return display
	}
	a.drop("dragover", "dataTransfer", "one.txt")
	if shown() == "none" {
		t.Error("the place to drop is not shown")
	}
	a.drop("drop", "dataTransfer", "one.txt")
	if shown() != "none" {
		t.Error("the place to drop stays")
	}
	a.drop("paste", "clipboardData", "two.txt")
	a.SeeChosen("one.txt", "two.txt")
	a.OpenConversation("Sofia Lindqvist")
	a.SeeChosen()
	a.OpenConversation("Bob Baker")
	a.SeeChosen("one.txt", "two.txt")
	a.JudgeAccess("files in the composer", func() { a.SeeChosen("one.txt", "two.txt") })
}

// An upload that the connection cuts off goes on by itself, also in a page that was loaded anew.
func TestAnUploadGoesOnAfterTheConnectionWasLost(t *testing.T) {
	t.Parallel()
	_, a, b := pair(t)
	a.Attach(file(t, "plan.txt", []byte("the plan")))
	a.SeeChosen("plan.txt")
	a.GoOffline()
	a.see("textbox", "Message Bob Baker").fill("Here it is")
	a.SendChosen()
	a.SeeWaiting("Here it is")
	a.GoOnline()
	a.SeeMessage("Here it is")
	b.SeeMessage("Here it is")
	if name, got := b.Save(b.see("button", "Download plan.txt, 8 bytes")); name != "plan.txt" || string(got) != "the plan" {
		t.Errorf("%s was saved with %q", name, got)
	}
}

// Everybody can see, open and save files.
func TestFilesInMessagesAreAccessible(t *testing.T) {
	t.Parallel()
	_, a, _ := pair(t)
	a.Attach(file(t, "holiday.png", photo(t, 1200, 900)), file(t, "a rather long name of a file that does not fit into a phone.pdf", []byte("x")))
	a.SendChosen()
	a.JudgeAccess("files in a message", func() { a.see("button", "Open picture holiday.png"); a.see("button", "Download a rather long name…") })
	a.see("button", "Open picture holiday.png").click()
	a.JudgeAccess("a picture", func() { a.SeePicture("holiday.png", 1200, 900) })
}
