package state

import (
	"slices"
	"strconv"
	"strings"
	"unicode"

	"starling/ozeki"
)

// FileWay is where a file is.
type FileWay int

const (
	FileThere   FileWay = iota // on the server
	FileWaiting                // on this device, to be sent
	FileSending                // on its way to the server
	FileGetting                // on its way from the server
)

// File is a file of a message as the timeline shows it.
type File struct {
	ID            ozeki.FileID
	Name          string // fit to be shown and to be saved under
	Type          string // media type, by the sender's word
	Size          int64  // bytes
	Key           string
	Width, Height int    // of a picture, where known
	Thumb         string // base64 of a small picture, by the sender's word
	Way           FileWay
	Done          int64 // bytes of it that are on the other side
}

// FilesOf holds files as a Message does: nil for none.
func FilesOf(files []File) *[]File {
	if len(files) == 0 {
		return nil
	}
	return &files
}

// OpenedFiles are the files of a message that was opened.
func OpenedFiles(files []ozeki.File) *[]File {
	var shown []File
	for _, f := range files[:min(len(files), ozeki.MaxFiles)] {
		if f.ID.Valid() {
			shown = append(shown, OpenedFile(f))
		}
	}
	return FilesOf(shown)
}

// OpenedFile is a file as its message's content tells of it. Another participant wrote that.
func OpenedFile(f ozeki.File) File {
	out := File{ID: f.ID, Name: FileName(f.Name), Type: f.Type, Size: max(f.Size, 0), Key: f.Key, Thumb: f.Thumb}
	const most = 1 << 15
	if f.Width > 0 && f.Width <= most && f.Height > 0 && f.Height <= most {
		out.Width, out.Height = f.Width, f.Height
	}
	return out
}

// IsPicture reports whether the file is a picture that may be shown: of a kind that is nothing but pixels.
func (f File) IsPicture() bool {
	switch f.Type {
	case "image/png", "image/jpeg", "image/gif", "image/webp", "image/avif":
		return true
	}
	return false
}

const maxFileName = 120 // characters

// FileName returns a name as it may be shown and saved under: without paths, control characters and those that change the
// direction of writing, which can make "gpj.exe" look like "exe.jpg".
func FileName(name string) string {
	name = strings.ToValidUTF8(name, "")
	name = strings.Map(func(r rune) rune {
		switch {
		case r == '/' || r == '\\' || r == ':':
			return '_'
		case unicode.IsControl(r) || r == '\u061c' || r >= '\u200b' && r <= '\u200f' || r >= '\u2028' && r <= '\u202e' || r >= '\u2060' && r <= '\u206f' || r == '\ufeff':
			return -1
		}
		return r
	}, name)
	name = strings.TrimRight(strings.TrimLeft(name, ". "), ". ")
	if runes := []rune(name); len(runes) > maxFileName { // the ending says what it is
		name = string(runes[:maxFileName-17]) + "…" + string(runes[len(runes)-16:])
	}
	if name == "" {
		return "file"
	}
	return name
}

// FileSize writes a size for people: "80 MB", "1.5 MB", "12 kB", "300 bytes".
func FileSize(n int64) string {
	unit, name := float64(1<<10), " kB"
	switch {
	case n == 1:
		return "1 byte"
	case n < 1<<10:
		return strconv.FormatInt(n, 10) + " bytes"
	case n >= 1<<30:
		unit, name = 1<<30, " GB"
	case n >= 1<<20:
		unit, name = 1<<20, " MB"
	}
	v := float64(n) / unit
	if v >= 9.95 {
		return strconv.FormatFloat(v, 'f', 0, 64) + name
	}
	return strings.TrimSuffix(strconv.FormatFloat(v, 'f', 1, 64), ".0") + name
}

// Words says a message in one line: its text and what is attached.
func (m Message) Words() string {
	if m.Files == nil {
		return m.Text
	}
	words := []string{}
	if m.Text != "" {
		words = append(words, m.Text)
	}
	for _, f := range *m.Files {
		words = append(words, f.Name)
	}
	return strings.Join(words, ", ")
}

// FileMoved: how far the transfer of a file is.
type FileMoved struct {
	Conversation ozeki.ConversationID
	Message      ozeki.MessageID
	File         ozeki.FileID
	Way          FileWay
	Done         int64
}

func (e FileMoved) apply(s *State) {
	c := s.conversations[e.Conversation]
	if c == nil {
		return
	}
	t := &c.timeline
	for _, list := range []*[]Message{&t.stored, &t.pending} {
		i := slices.IndexFunc(*list, func(m Message) bool { return m.ID == e.Message })
		if i < 0 || (*list)[i].Files == nil {
			continue
		}
		files := slices.Clone(*(*list)[i].Files)
		k := slices.IndexFunc(files, func(f File) bool { return f.ID == e.File })
		if k < 0 {
			continue
		}
		files[k].Way, files[k].Done = e.Way, e.Done
		*list = slices.Clone(*list)
		(*list)[i].Files = &files
		t.all = nil
	}
}

// File returns a file of a message that is at hand.
func (s *State) File(id ozeki.ConversationID, message ozeki.MessageID, file ozeki.FileID) (File, bool) {
	c := s.conversations[id]
	if c == nil {
		return File{}, false
	}
	for _, m := range c.timeline.view() {
		if m.ID == message && m.Files != nil {
			for _, f := range *m.Files {
				if f.ID == file {
					return f, true
				}
			}
		}
	}
	return File{}, false
}
