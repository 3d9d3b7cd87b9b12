package engine

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"

	"starling/app/state"
	"starling/ozeki"
	"starling/ozeki/json"
)

// Attachment is a file that the user has chosen to send.
type Attachment struct {
	Name, Type    string
	Data          ozeki.Blob
	Width, Height int         // of a picture, where known
	Thumb         []byte      // a small picture, where there is one
	Kept          *ozeki.File // what KeepFile returned, nil for none; then the rest does not matter
}

// describe says what stands in a message of a file that is not encrypted yet.
func (a Attachment) describe() ozeki.File {
	return ozeki.File{
		ID: ozeki.NewFileID(), Name: state.FileName(a.Name), Type: a.Type, Size: a.Data.Size(), Width: a.Width, Height: a.Height,
		Thumb: base64.StdEncoding.EncodeToString(a.Thumb),
	}
}

// KeepFile encrypts a file that is chosen for a message in a conversation, and keeps it on this device, so that it is still
// there after a restart. It blocks, and gives an error for Words; nothing is kept then. The caller puts what it returns into
// the draft, or calls ForgetKept.
func (e *Engine) KeepFile(ctx context.Context, id ozeki.ConversationID, a Attachment) (*ozeki.File, error) {
	e.mu.Lock()
	run := e.run
	e.unlock()
	f := a.describe()
	sealed, key, err := ozeki.SealFile(ctx, f.ID, a.Data)
	if err != nil {
		return nil, sentence("“" + f.Name + "” could not be read. It may have been moved or changed: attach it again. (" + err.Error() + ")")
	}
	if err := e.vault.KeepFile(ctx, f.ID, sealed); err != nil {
		return nil, sentence("This device has no room to keep “" + f.Name + "”: it is sent as long as this page stays open. (" + err.Error() + ")")
	}
	f.Key = key
	e.mu.Lock()
	there := run == e.run && e.state.Timeline(id).Known
	e.unlock()
	if !there { // signed out, or left, meanwhile
		e.ForgetKept([]ozeki.File{f})
		return nil, context.Canceled
	}
	return &f, nil
}

// ForgetKept removes files from this device that KeepFile kept and that are not to be sent. A repeat changes nothing.
func (e *Engine) ForgetKept(files []ozeki.File) {
	if ids := idsOf(files); len(ids) > 0 {
		e.goRun(func(ctx context.Context, _ int) {
			_ = e.vault.ForgetFiles(ctx, ids) // encrypted bytes, removed with everything else at sign-out
		})
	}
}

func idsOf(files []ozeki.File) (ids []ozeki.FileID) {
	for _, f := range files {
		ids = append(ids, f.ID)
	}
	return ids
}

// outgoing is a file of a message in the outbox. Its encrypted bytes are the same at each try.
type outgoing struct {
	file   ozeki.File // as it stands in the message; without a key it is not encrypted yet
	plain  ozeki.Blob
	sealed ozeki.Blob // nothing after a restart: the device keeps them
	kept   bool       // by the device
	given  bool       // it was kept before the message was written, and goes back with it
}

// maxContent is the size of the largest content of a message in bytes: sealed it has at most 64 KiB of base64.
const maxContent = 47 << 10

// attach takes files over into an outbox. The caller holds mu.
func (o *outbox) attach(d *draft, files []Attachment) (shown []state.File) {
	for _, a := range files {
		out := &outgoing{plain: a.Data}
		if a.Kept != nil {
			out.file, out.plain, out.kept, out.given = *a.Kept, ozeki.Blob{}, true, true
		} else {
			out.file = a.describe()
		}
		f := out.file
		o.files[f.ID] = out
		d.files = append(d.files, f.ID)
		shown = append(shown, waitingFile(f))
	}
	return shown
}

// restoreFiles takes over the files of a message that an earlier run of the program could not send.
func (o *outbox) restoreFiles(d *draft, files []ozeki.File) (shown []state.File) {
	for _, f := range files {
		o.files[f.ID] = &outgoing{file: f, kept: true}
		d.files = append(d.files, f.ID)
		shown = append(shown, waitingFile(f))
	}
	return shown
}

func waitingFile(f ozeki.File) state.File {
	shown := state.OpenedFile(f)
	shown.Way = state.FileWaiting
	return shown
}

// sealFiles encrypts what is not encrypted yet of a message's files and keeps it on the device. The caller holds
// o.sealing.
func (e *Engine) sealFiles(ctx context.Context, o *outbox, d draft) ([]ozeki.File, error) {
	var files []ozeki.File
	for _, id := range d.files {
		e.mu.Lock()
		out := o.files[id]
		e.unlock()
		if out == nil {
			return nil, context.Canceled // the message was deleted
		}
		if out.file.Key == "" {
			sealed, key, err := ozeki.SealFile(ctx, id, out.plain)
			if err != nil {
				return nil, sentence("“" + out.file.Name + "” could not be read. It may have been moved or changed: delete this message and attach it again. (" + err.Error() + ")")
			}
			// Where the device has no room the file is sent as long as this page stays open.
			kept := e.vault.KeepFile(ctx, id, sealed) == nil
			e.mu.Lock()
			out.file.Key, out.sealed, out.plain, out.kept = key, sealed, ozeki.Blob{}, kept
			gone := o.files[id] == nil
			e.unlock()
			if gone {
				_ = e.vault.ForgetFiles(ctx, []ozeki.FileID{id})
				return nil, context.Canceled
			}
		}
		files = append(files, out.file)
	}
	return files, nil
}

// contentOf writes a message's content, with as many of its small pictures as there is room for.
func contentOf(c ozeki.Content) ([]byte, error) {
	c.Files = slices.Clone(c.Files)
	for i := len(c.Files); ; i-- {
		b, err := json.Marshal(c)
		if err != nil || len(b) <= maxContent || i == 0 {
			return b, err
		}
		c.Files[i-1].Thumb = ""
	}
}

// upload sends the files of a message that the server does not have, for an instance of the conversation.
func (e *Engine) upload(ctx context.Context, run int, o *outbox, d draft, instance ozeki.Instance) error {
	for _, id := range d.files {
		e.mu.Lock()
		out := o.files[id]
		e.unlock()
		if out == nil {
			return context.Canceled
		}
		sealed := out.sealed
		if sealed.Size() == 0 {
			var ok bool
			var err error
			if sealed, ok, err = e.vault.File(ctx, id); err != nil || !ok {
				return sentence("“" + out.file.Name + "” is no longer kept on this device. Delete this message and attach the file again.")
			}
		}
		sum, err := sealed.SHA256(ctx)
		if err != nil {
			return fmt.Errorf("hash the file: %w", err)
		}
		a, err := e.client.CreateFile(ctx, ozeki.FileCreateRequest{
			ConversationID: o.conversation, Instance: instance, FileID: id, Size: sealed.Size(), SHA256: sum,
		})
		if err != nil {
			return err
		}
		moved := e.mover(run, state.FileMoved{Conversation: o.conversation, Message: d.id, File: id, Way: state.FileSending}, sealed.Size())
		if !a.Stored {
			moved(0)
			if err := e.client.PutFile(ctx, id, a.Ticket, sealed, moved); err != nil {
				e.applyIn(run, state.FileMoved{Conversation: o.conversation, Message: d.id, File: id, Way: state.FileWaiting})
				return err
			}
		}
		e.applyIn(run, state.FileMoved{Conversation: o.conversation, Message: d.id, File: id})
	}
	return nil
}

// mover shows the progress of a transfer, in steps that can be seen.
func (e *Engine) mover(run int, m state.FileMoved, size int64) func(done int64) {
	const steps = 50
	shown := int64(-1)
	return func(done int64) {
		if step := done * steps / max(size, 1); step != shown {
			shown = step
			m.Done = done
			e.applyIn(run, m)
		}
	}
}

// Unkept reports whether files are on their way to the server, or wait to be, that this device does not keep: they are lost
// with the page.
func (e *Engine) Unkept() bool {
	e.mu.Lock()
	defer e.unlock()
	for _, o := range e.sender {
		for _, out := range o.files {
			if !out.kept {
				return true
			}
		}
	}
	return false
}

// forgetFiles removes files from the outbox and from what the device keeps.
func (e *Engine) forgetFiles(ctx context.Context, o *outbox, ids []ozeki.FileID) {
	if len(ids) == 0 {
		return
	}
	e.mu.Lock()
	for _, id := range ids {
		delete(o.files, id)
	}
	e.unlock()
	_ = e.vault.ForgetFiles(ctx, ids) // encrypted bytes, removed with everything else at sign-out
}

// FileLimit is the size of the largest file that can be sent, in bytes; 0: the server takes none.
func (e *Engine) FileLimit() int64 {
	s := e.client.Session()
	if !s.Has(ozeki.ExtFiles) {
		return 0
	}
	return max(s.Limits[ozeki.LimitFile]-ozeki.FileOverhead, 0)
}

// FileOf returns a file of a message that is at hand.
func (e *Engine) FileOf(id ozeki.ConversationID, message ozeki.MessageID, file ozeki.FileID) (state.File, bool) {
	e.mu.Lock()
	defer e.unlock()
	return e.state.File(id, message, file)
}

// GetFile downloads and opens a file of a message that is at hand. It blocks; the progress is in the snapshots. What goes
// wrong is said in a notice, and ok is false.
func (e *Engine) GetFile(id ozeki.ConversationID, message ozeki.MessageID, file ozeki.FileID) (f state.File, content ozeki.Blob, ok bool) {
	e.mu.Lock()
	run, ctx := e.run, e.ctx
	e.unlock()
	f, ok = e.FileOf(id, message, file)
	if !ok || f.Way != state.FileThere {
		return f, content, false
	}
	way := state.FileMoved{Conversation: id, Message: message, File: file, Way: state.FileGetting}
	moved := e.mover(run, way, f.Size)
	moved(0)
	content, err := e.download(ctx, id, f, moved)
	way.Way, way.Done = state.FileThere, 0
	e.applyIn(run, way)
	if err != nil {
		e.failed(run, err)
		e.applyIn(run, state.NoticeAdded{Text: "“" + f.Name + "” could not be opened. " + Words(err)})
	}
	return f, content, err == nil
}

func (e *Engine) download(ctx context.Context, id ozeki.ConversationID, f state.File, moved func(int64)) (ozeki.Blob, error) {
	a, err := e.client.FetchFile(ctx, ozeki.FileFetchRequest{ConversationID: id, FileID: f.ID})
	if err != nil {
		return ozeki.Blob{}, err
	}
	sealed, err := e.client.GetFile(ctx, f.ID, a.Ticket, moved)
	if err != nil {
		return ozeki.Blob{}, err
	}
	return ozeki.OpenFile(ctx, f.ID, f.Key, sealed)
}
