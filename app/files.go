package app

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	goapp "github.com/maxence-charriere/go-app/v9/pkg/app"

	"starling/app/engine"
	"starling/app/state"
	"starling/ozeki"
)

// chosenFile is a file in the composer, not sent yet.
type chosenFile struct {
	id int
	engine.Attachment
	ready bool // it was tried to make its small picture, and to keep it
}

func (f chosenFile) size() int64 {
	if f.Kept != nil {
		return f.Kept.Size
	}
	return f.Data.Size()
}

// chosenView is what is shown of it.
type chosenView struct {
	ID         int
	Name, Size string
}

func viewsOf(files []chosenFile) []chosenView {
	views := make([]chosenView, len(files))
	for i, f := range files {
		views[i] = chosenView{f.id, f.Name, state.FileSize(f.size())}
	}
	return views
}

// fit returns those of the files that can be chosen beside so many others, and says why the rest cannot.
func fit(files []engine.Attachment, have int, limit int64) (fitting []engine.Attachment, words string) {
	var problems []string
	for _, f := range files {
		switch size := f.Data.Size(); {
		case size > limit:
			problems = append(problems, fmt.Sprintf("“%s” is %s; the limit is %s.", f.Name, state.FileSize(size), state.FileSize(limit)))
		case have+len(fitting) >= ozeki.MaxFiles:
			problems = append(problems, fmt.Sprintf("“%s” is one too many: a message takes %d files.", f.Name, ozeki.MaxFiles))
		default:
			fitting = append(fitting, f)
		}
	}
	if len(problems) > 3 {
		problems = append(problems[:3], fmt.Sprintf("So it is with %d more.", len(problems)-3))
	}
	return fitting, strings.Join(problems, " ")
}

// choose takes files over into the composer of the open conversation.
func (r *root) choose(files []engine.Attachment) {
	o := r.engine.Snapshot().Open
	if !r.mayAttach() || o == nil || o.Row.ID != r.current || len(files) == 0 {
		return
	}
	id := o.Row.ID
	for i := range files {
		files[i].Name = state.FileName(files[i].Name)
	}
	fitting, words := fit(files, len(r.chosen[id]), r.fileLimit)
	r.refuse(words)
	for _, f := range fitting {
		r.choices++
		c := chosenFile{id: r.choices, Attachment: f}
		r.setChosen(id, append(slices.Clone(r.chosen[id]), c))
		go r.prepare(id, c)
	}
	focusOn("composer")
}

// prepare makes the small picture of a chosen one, and keeps the file on the device.
func (r *root) prepare(id ozeki.ConversationID, c chosenFile) {
	if (state.File{Type: c.Type}).IsPicture() {
		c.Width, c.Height, c.Thumb = smallPicture(c.Data)
	}
	kept, err := r.engine.KeepFile(context.Background(), id, c.Attachment)
	c.Kept, c.ready = kept, true
	if kept != nil {
		c.Data = ozeki.Blob{}
	}
	r.ctx.Dispatch(func(goapp.Context) {
		files := slices.Clone(r.chosen[id])
		i := slices.IndexFunc(files, func(f chosenFile) bool { return f.id == c.id })
		switch {
		case i >= 0:
			files[i] = c
			r.chosen[id] = files
			r.keepChosen(id)
			if err != nil && r.current == id {
				r.refused = engine.Words(err)
			}
		case kept != nil: // taken away meanwhile
			r.engine.ForgetKept([]ozeki.File{*kept})
		}
		if r.sending == id && r.current == id && !slices.ContainsFunc(files, isUnprepared) {
			r.send()
		}
	})
}

// keepChosen puts the chosen files that the device keeps into the draft.
func (r *root) keepChosen(id ozeki.ConversationID) {
	r.changeDraft(id, func(d *state.Draft) {
		d.Files = nil
		for _, f := range r.chosen[id] {
			if f.Kept != nil {
				d.Files = append(d.Files, *f.Kept)
			}
		}
	})
}

// chosenBefore takes the files of a draft, chosen in an earlier run of the program, into the composer.
func (r *root) chosenBefore(id ozeki.ConversationID, d *state.Draft) {
	for i := range d.Files {
		kept := d.Files[i]
		if !slices.ContainsFunc(r.chosen[id], func(f chosenFile) bool { return f.Kept != nil && f.Kept.ID == kept.ID }) {
			r.choices++
			r.setChosen(id, append(slices.Clone(r.chosen[id]), chosenFile{r.choices, engine.Attachment{Name: kept.Name, Type: kept.Type, Kept: &kept}, true}))
		}
	}
}

// keepOnly takes the files that the device keeps out of the composer, but those of the draft: another tab has sent them.
func (r *root) keepOnly(id ozeki.ConversationID, d *state.Draft) {
	gone := func(f chosenFile) bool {
		return f.Kept != nil && (d == nil || !slices.ContainsFunc(d.Files, func(k ozeki.File) bool { return k.ID == f.Kept.ID }))
	}
	if slices.ContainsFunc(r.chosen[id], gone) {
		r.setChosen(id, slices.DeleteFunc(slices.Clone(r.chosen[id]), gone))
	}
}

func (r *root) setChosen(id ozeki.ConversationID, files []chosenFile) {
	r.chosen[id] = files
	r.ctx.Dispatch(func(goapp.Context) {})
}

func (r *root) unchoose(n int) {
	id := r.current
	for _, f := range r.chosen[id] {
		if f.id == n && f.Kept != nil {
			r.engine.ForgetKept([]ozeki.File{*f.Kept})
		}
	}
	r.setChosen(id, slices.DeleteFunc(slices.Clone(r.chosen[id]), func(f chosenFile) bool { return f.id == n }))
	r.keepChosen(id)
	r.refuse("")
	focusOn("composer")
}

// mayAttach reports whether files can be attached to a message in what is open.
func (r *root) mayAttach() bool {
	return r.fileLimit > 0 && r.snap != nil && r.snap.Open != nil && r.snap.Open.CanWrite && !r.snap.Open.Opening
}

func isUnprepared(f chosenFile) bool { return !f.ready }

// write sends a message with what is attached to it; words say why it was not taken.
func (r *root) write(id ozeki.ConversationID, w engine.Writing) (words string) {
	chosen := r.chosen[id]
	if r.sending = ""; slices.ContainsFunc(chosen, isUnprepared) {
		r.sending = id
		return "The files are being prepared. The message is sent as soon as they are."
	}
	for _, f := range chosen {
		w.Files = append(w.Files, f.Attachment)
	}
	w.Done = func(err error) { r.ctx.Dispatch(func(goapp.Context) { r.written(id, w, chosen, err) }) }
	if err := r.engine.Write(id, w); err != nil {
		return "Not sent: " + err.Error() + "."
	}
	if len(chosen) > 0 {
		r.setChosen(id, nil)
	}
	return ""
}

// download gets a file and saves it among the person's downloads.
func (r *root) download(id ozeki.ConversationID, m ozeki.MessageID, file ozeki.FileID) {
	go func() {
		if f, content, ok := r.engine.GetFile(id, m, file); ok {
			saveFile(f.Name, content)
		}
	}()
}

// openPicture is the dialog's picture.
type openPicture struct {
	file    ozeki.FileID
	name    string
	content ozeki.Blob
	loaded  bool
}

// picture gets a picture and shows it.
func (r *root) picture(id ozeki.ConversationID, m ozeki.MessageID, file ozeki.FileID) {
	shown := &openPicture{file: file}
	if f, ok := r.engine.FileOf(id, m, file); ok {
		shown.name = f.Name
	}
	r.ctx.Dispatch(func(goapp.Context) { r.opened = shown })
	r.open(dialogPicture)
	go func() {
		f, content, ok := r.engine.GetFile(id, m, file)
		r.ctx.Dispatch(func(goapp.Context) {
			switch {
			case r.opened != shown: // closed meanwhile
			case !ok:
				r.afterFrame(func() { closeDialog(dialogPicture) }) // once it is open; the notice says why
			default:
				opened := &openPicture{file, f.Name, content, true}
				r.opened = opened
				r.afterFrame(func() {
					if r.opened == opened {
						showPicture("picture-place", f.Name, f.Type, content)
					}
				})
			}
		})
	}()
}

// closePicture lets go of the picture. The button that opened it may have been drawn anew meanwhile.
func (r *root) closePicture() {
	clearPicture("picture-place")
	if r.opened != nil {
		focusFile(r.opened.file)
		r.opened = nil
	}
}

// chosenRow is a file in the composer.
type chosenRow struct {
	goapp.Compo

	File    chosenView
	Actions *root
}

// Render draws the row.
func (c *chosenRow) Render() goapp.UI {
	return el("li").Body(
		el("span").Class("name").Dir("auto").Text(c.File.Name),
		el("span").Class("hint").Text(c.File.Size),
		el("button").Attr("type", "button").Class("icon").Aria("label", "Remove "+c.File.Name).OnClick(c.remove).Body(svgIcon(cross)),
	)
}

func (c *chosenRow) remove(goapp.Context, goapp.Event) { c.Actions.unchoose(c.File.ID) }

// attachButton opens the browser's dialog for files.
func attachButton(limit int64) goapp.UI {
	hint := "Attach files, up to " + state.FileSize(limit) + " each"
	return el("button").Attr("type", "button").Class("icon").Aria("label", "Attach files").Attr("title", hint).
		OnClick(func(goapp.Context, goapp.Event) { chooseFiles("files") }).Body(svgIcon(paperclip))
}

// pictureDialog shows a picture in full.
type pictureDialog struct {
	goapp.Compo

	Name    string
	Loaded  bool
	Actions *root
}

// Render draws the dialog; it is in the page closed.
func (d *pictureDialog) Render() goapp.UI {
	words := ""
	if !d.Loaded {
		words = "Loading the picture…"
	}
	return el("dialog").ID(dialogPicture).Class("picture-dialog").Aria("labelledby", "picture-title").On("close", d.closed).Body(
		dialogHead(dialogPicture, d.Name),
		el("p").Class("hint").Text(words),
		el("section").ID("picture-place").Class("picture-place"), // filled by showPicture; no other part here is a section
		el("p").Body(el("button").Attr("type", "button").Class("secondary").Attr("disabled", !d.Loaded).Text("Download").OnClick(d.save)),
	)
}

func (d *pictureDialog) closed(goapp.Context, goapp.Event) { d.Actions.closePicture() }

func (d *pictureDialog) save(goapp.Context, goapp.Event) {
	if p := d.Actions.opened; p != nil && p.loaded {
		saveFile(p.name, p.content)
	}
}

// Files in the messages.

// fileParts draw what is attached to a message.
func fileParts(e entry) []part {
	if e.Files == nil {
		return nil
	}
	list := part{tag: "ul", class: "files", attributes: []string{"aria-label", "Files"}}
	for _, f := range *e.Files {
		list.parts = append(list.parts, part{tag: "li", parts: filePart(f)})
	}
	return []part{list}
}

func filePart(f state.File) []part {
	words := f.Name + ", " + state.FileSize(f.Size)
	small, shown := thumbPart(f)
	var p part
	switch sent := f.Way == state.FileThere || f.Way == state.FileGetting; {
	case !sent && shown:
		small.attributes = append(small.attributes, "alt", f.Name)
		p = part{tag: "span", class: "picture", parts: []part{small}}
	case !sent:
		p = part{tag: "span", class: "file", attributes: []string{"dir", "auto"}, text: words}
	case f.IsPicture():
		p = buttonPart("picture", "picture", "")
		p.attributes = append(p.attributes, "data-file", string(f.ID))
		if shown {
			small.attributes = append(small.attributes, "alt", "")
			p.attributes = append(p.attributes, "aria-label", "Open picture "+f.Name)
			p.parts = []part{small}
		} else {
			p.class, p.text = "file", "Open picture "+words
		}
	default:
		p = buttonPart("file", "download", "Download "+words)
		p.attributes = append(p.attributes, "data-file", string(f.ID))
	}
	parts := []part{p}
	doing := map[state.FileWay]string{state.FileSending: "Sending ", state.FileGetting: "Downloading "}[f.Way]
	if doing != "" {
		parts = append(parts, part{tag: "progress", attributes: []string{
			"max", strconv.FormatInt(max(f.Size, 1), 10), "value", strconv.FormatInt(min(f.Done, max(f.Size, 1)), 10), "aria-label", doing + f.Name,
		}})
	}
	return parts
}

// Boxes of small pictures, in pixels.
const maxPictureWidth, maxPictureHeight = 320, 240

// thumbPart is the small picture of a file, in the room that it takes before it is decoded. It was made by another
// participant: only what begins as a picture does is shown as one.
func thumbPart(f state.File) (p part, ok bool) {
	kind := ""
	for start, k := range map[string]string{"/9j/": "image/jpeg", "UklGR": "image/webp", "iVBORw0KGgo": "image/png"} {
		if strings.HasPrefix(f.Thumb, start) {
			kind = k
		}
	}
	if kind == "" || !f.IsPicture() {
		return part{}, false
	}
	width, height := pictureSize(f)
	return part{tag: "img", attributes: []string{
		"src", "data:" + kind + ";base64," + f.Thumb, "width", strconv.Itoa(width), "height", strconv.Itoa(height),
	}}, true
}

func pictureSize(f state.File) (width, height int) {
	if f.Width == 0 || f.Height == 0 {
		return 160, 120
	}
	scale := min(1, maxPictureWidth/float64(f.Width), maxPictureHeight/float64(f.Height))
	return max(1, int(float64(f.Width)*scale)), max(1, int(float64(f.Height)*scale))
}

// filesHeight guesses the height of a message's files, in pixels.
func filesHeight(e entry) (h float64) {
	if e.Files == nil {
		return 0
	}
	for _, f := range *e.Files {
		if _, shown := thumbPart(f); shown {
			_, height := pictureSize(f)
			h += float64(height) + 8
		} else {
			h += 48
		}
	}
	return h
}

// stoppable reports whether a message waits for its files, so that it can still be deleted.
func stoppable(e entry) bool {
	return e.Files != nil && slices.ContainsFunc(*e.Files, func(f state.File) bool { return f.Way == state.FileSending })
}
