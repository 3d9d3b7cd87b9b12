//go:build !js

package app

import (
	"strings"
	"testing"

	"starling/app/engine"
	"starling/app/state"
	"starling/ozeki"
)

func attachment(name string, size int) engine.Attachment {
	return engine.Attachment{Name: name, Data: ozeki.NewBlob(make([]byte, size))}
}

func TestWhatCannotBeSentIsSaidWhenItIsChosen(t *testing.T) {
	files, words := fit([]engine.Attachment{attachment("big.mov", 80<<10), attachment("a.txt", 10), attachment("b.txt", 25<<10), attachment("c.txt", 1)}, ozeki.MaxFiles-2, 25<<10)
	if len(files) != 2 || files[0].Name != "a.txt" || files[1].Name != "b.txt" {
		t.Errorf("chosen are %+v", files)
	}
	if want := "“big.mov” is 80 kB; the limit is 25 kB. “c.txt” is one too many: a message takes 10 files."; words != want {
		t.Errorf("said %q, want %q", words, want)
	}
	if files, words := fit([]engine.Attachment{attachment("a.txt", 1)}, 0, 1); len(files) != 1 || words != "" {
		t.Errorf("%+v %q", files, words)
	}
}

// tags lists the elements of parts, with what is said of them.
func tags(parts []part) (out []string) {
	for _, p := range parts {
		out = append(out, strings.Join(append([]string{p.tag, p.text}, p.attributes...), " "))
		out = append(out, tags(p.parts)...)
	}
	return out
}

func drawn(files ...state.File) string {
	return strings.Join(tags(fileParts(entry{Message: state.Message{Files: state.FilesOf(files)}})), "\n")
}

func TestFilesOfAMessageAreOpenedSavedOrWaitedFor(t *testing.T) {
	picture := state.File{ID: "f", Name: "cat.png", Type: "image/png", Size: 2048, Width: 1000, Height: 500, Thumb: "UklGRxx"}
	if s := drawn(picture); !strings.Contains(s, "data-do picture") || !strings.Contains(s, "aria-label Open picture cat.png") ||
		!strings.Contains(s, "src data:image/webp;base64,UklGRxx width 320 height 160 alt ") {
		t.Errorf("a picture: %s", s)
	}
	bare := picture
	bare.Thumb = ""
	if s := drawn(bare); !strings.Contains(s, "Open picture cat.png, 2 kB") || strings.Contains(s, "img") {
		t.Errorf("without a small one: %s", s)
	}
	for _, way := range []state.FileWay{state.FileWaiting, state.FileSending} {
		sent := picture
		sent.Way, sent.Done = way, 1024
		s := drawn(sent)
		if strings.Contains(s, "button") || !strings.Contains(s, "alt cat.png") || strings.Contains(s, "progress  max 2048 value 1024 aria-label Sending cat.png") != (way == state.FileSending) {
			t.Errorf("on its way: %s", s)
		}
	}
	// What only calls itself a picture is saved, and what is no small picture is not shown as one.
	for _, kind := range []string{"image/svg+xml", "text/html", ""} {
		other := picture
		other.Type = kind
		if s := drawn(other); strings.Contains(s, "img") || !strings.Contains(s, "Download cat.png, 2 kB") {
			t.Errorf("%s: %s", kind, s)
		}
	}
	for _, thumb := range []string{"PHN2Zz4", "https://elsewhere.example/x.png", "javascript:alert(1)"} {
		other := picture
		other.Thumb = thumb
		if s := drawn(other); strings.Contains(s, "img") {
			t.Errorf("%s: %s", thumb, s)
		}
	}
	getting := state.File{ID: "f", Name: "a.txt", Size: 10, Way: state.FileGetting, Done: 50}
	if s := drawn(getting); !strings.Contains(s, "Download a.txt, 10 bytes") || !strings.Contains(s, "max 10 value 10 aria-label Downloading a.txt") {
		t.Errorf("on its way here: %s", s)
	}
}

func TestAMessageCanBeDeletedWhileItsFilesAreSent(t *testing.T) {
	files := state.FilesOf([]state.File{{ID: "f", Name: "a.txt", Way: state.FileSending}})
	m := entry{Message: state.Message{Mine: true, State: state.MessageSending, Files: files}}
	if s := strings.Join(tags(messageParts(m)), "\n"); !strings.Contains(s, "data-do discard") || strings.Contains(s, "class body") {
		t.Errorf("drawn: %s", s)
	}
	m.Files = state.FilesOf([]state.File{{ID: "f", Name: "a.txt"}})
	if s := strings.Join(tags(messageParts(m)), "\n"); strings.Contains(s, "data-do discard") {
		t.Errorf("all are sent: %s", s)
	}
}
