package chatserver

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"runtime/debug"
	"slices"
	"time"

	"starling/chatserver/files"
	"starling/chatserver/origin"
	"starling/chatserver/store"
	"starling/ozeki"
)

// Limits of files.
const (
	// DefaultMaxFile is the usual limit of one file.
	DefaultMaxFile = 25 << 20
	// DefaultMaxFilesPerUser is the usual limit of one user's files together.
	DefaultMaxFilesPerUser = 1 << 30
	// ticketLife is how long a transfer may wait to be begun.
	ticketLife = 5 * time.Minute
	// unattachedLife is how long a file waits for its message.
	unattachedLife = 24 * time.Hour

	removeEvery = 5 * time.Second // files that are gone
	purgeEvery  = 10 * time.Minute
	removeAtOne = 100
)

var (
	errFileTicket = &refusal{ozeki.CodeForbidden, http.StatusForbidden, "This transfer was not begun in time, or is not yours. Ask for the file again."}
	errTransfer   = &refusal{ozeki.CodeInvalid, http.StatusBadRequest, "What arrived is not the file that was announced. Send it again."}
	errFull       = &refusal{ozeki.CodeFull, http.StatusInsufficientStorage, "The server has no room for the file at the moment. Tell its operator, and try again later."}
	errQuota      = &refusal{ozeki.CodeFull, http.StatusOK, "Your files fill the room that you have on this server. Delete messages with large files that you have sent, and send this one again."}
	errNoFile     = errNotFound.saying("The file is not there any more. It goes when its message is deleted or has expired.")
	errNoFiles    = errInvalid.saying("This server takes no files. Send the text alone.")
	errFiles      = errInvalid.saying("The message's Files are not the ids of at most 10 different files. Send fewer, or send them in parts.")
	errAttach     = errNotFound.saying("A file of the message is not on the server. Try again: it is sent once more.")
)

// createFile announces a file of the caller's in a conversation of his and gives a ticket for sending its bytes, or says
// that they are there. A repeat of the requestid gets the first answer, the same file under another one a new ticket. errExists: the id is taken.
// errQuota: with it the caller's files would be too large together; those that go with their messages count no more. Members
// only (errNotFound).
func (s *Server) createFile(ctx context.Context, tx store.Tx, req *request, body *ozeki.FileCreateRequest) (any, error) {
	sum, err := hex.DecodeString(body.SHA256)
	switch {
	case !body.FileID.Valid():
		return nil, errInvalid.saying("The fileid is not a UUID in lower case. Send the file under a new one.")
	case err != nil || hex.EncodeToString(sum) != body.SHA256 || len(sum) != sha256.Size:
		return nil, errInvalid.saying("The sha256 is not of 64 hexadecimal digits. Send the hash of the encrypted file.")
	case body.Size < ozeki.FileOverhead:
		return nil, errInvalid.saying("The size is not that of an encrypted file. Send the number of its bytes.")
	case body.Size > s.maxFile:
		return nil, errInvalid.saying(fmt.Sprintf("The file is larger than %d bytes, which is the most that this server takes. Send a smaller one.", s.maxFile))
	}
	c, err := tx.Conversation(ctx, req.user, body.ConversationID)
	if err != nil {
		return nil, err
	}
	if body.Instance != c.Instance {
		return nil, errInstance
	}
	f, err := tx.CreateFile(ctx, store.File{ID: body.FileID, Conversation: c.ID, Owner: req.user, Size: body.Size, SHA256: body.SHA256, Created: req.now})
	if err != nil {
		return nil, err
	}
	switch size, err := tx.FilesSize(ctx, req.user); {
	case err != nil:
		return nil, err
	case size > s.maxFiles:
		return nil, errQuota
	}
	return ozeki.FileAnswer{Answer: ok, Ticket: s.ticketFor(req.user, f.ID, true, req.now), Stored: f.Stored}, nil
}

// fetchFile gives a ticket for getting the bytes of a file. Members of its conversation only, and its owner alone while it
// belongs to no message (errNotFound).
func (s *Server) fetchFile(ctx context.Context, req *request, body *ozeki.FileFetchRequest) (any, error) {
	f, err := s.fileFor(ctx, req.user, body.FileID)
	if err != nil {
		return nil, err
	}
	if f.Conversation != body.ConversationID {
		return nil, errNoFile
	}
	return ozeki.FileAnswer{Answer: ok, Ticket: s.ticketFor(req.user, f.ID, false, req.now)}, nil
}

// fileFor returns a file that the user may get.
func (s *Server) fileFor(ctx context.Context, user ozeki.UserID, id ozeki.FileID) (store.File, error) {
	f, err := s.store.File(ctx, id)
	var c store.Conversation
	if err == nil {
		c, err = s.store.Conversation(ctx, user, f.Conversation)
	}
	var m store.Message
	if err == nil && f.Message != "" {
		m, err = s.store.Message(ctx, f.Conversation, f.Message)
	}
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && (!f.Stored || f.Message == "" && f.Owner != user):
		return store.File{}, errNoFile
	case err == nil && f.Message != "" && (m.Seq <= c.Since || m.ExpiredBy(s.clock())): // of before the user came, or over
		return store.File{}, errNoFile
	}
	return f, err
}

// A ticket says who may transfer which file in which direction until when, with a code that only this process can make.

func (s *Server) ticketFor(user ozeki.UserID, id ozeki.FileID, put bool, now time.Time) string {
	head := binary.BigEndian.AppendUint64(nil, uint64(now.Add(ticketLife).Unix()))
	head = append(head, user...)
	return base64.RawURLEncoding.EncodeToString(append(head, s.ticketCode(head, id, put)...))
}

func (s *Server) ticketCode(head []byte, id ozeki.FileID, put bool) []byte {
	code := hmac.New(sha256.New, s.ticketKey)
	fmt.Fprintf(code, "%s;%t;%s", id, put, head)
	return code.Sum(nil)
}

// holder returns whose ticket it is.
func (s *Server) holder(ticket string, id ozeki.FileID, put bool) (ozeki.UserID, error) {
	b, err := base64.RawURLEncoding.DecodeString(ticket)
	n := len(b) - sha256.Size
	if err != nil || n < 8 || !hmac.Equal(b[n:], s.ticketCode(b[:n], id, put)) {
		return "", errFileTicket
	}
	if s.clock().After(time.Unix(int64(binary.BigEndian.Uint64(b)), 0)) {
		return "", errFileTicket
	}
	return ozeki.UserID(b[8:n]), nil
}

// newTicketKey returns a fresh random key.
func newTicketKey() []byte {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return key
}

// Files serves the bytes of files: PUT and GET of <anything>/<fileid>?ticket=…. What it says otherwise are answers of the
// API. A file is of no type, may do nothing in a browser and is kept by none.
func (s *Server) Files() http.Handler { return http.HandlerFunc(s.serveFile) }

func (s *Server) serveFile(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox")
	sent, err := s.transfer(w, r)
	if sent {
		return
	}
	status, body := http.StatusOK, encode(ozeki.PlainAnswer{Answer: ok})
	if err != nil {
		status, body = s.refuse(r, "transfer", err)
	}
	h.Del("Content-Disposition")
	h.Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	if _, err := w.Write(body); err != nil {
		s.log.Debug("answer not delivered", "error", err)
	}
}

// transfer takes or sends a file. sent: the answer is given.
func (s *Server) transfer(w http.ResponseWriter, r *http.Request) (sent bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	put := r.Method == http.MethodPut
	if !put && r.Method != http.MethodGet {
		w.Header().Set("Allow", "GET, PUT")
		return false, errMethod.saying("Files are sent by PUT and got by GET.")
	}
	if origin.Foreign(r) {
		return false, errOrigin
	}
	id := ozeki.FileID(path.Base(r.URL.Path))
	user, err := s.holder(r.URL.Query().Get("ticket"), id, put)
	if err != nil {
		return false, err
	}
	if put {
		return false, s.takeFile(w, r, user, id)
	}
	f, err := s.fileFor(r.Context(), user, id)
	if err != nil {
		return false, err
	}
	content, err := s.files.Open(r.Context(), f.ID)
	if err != nil {
		return false, fmt.Errorf("file %s: %w", f.ID, err)
	}
	defer content.Close()
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", "attachment")
	http.ServeContent(w, r, "", time.Time{}, content)
	return true, nil
}

// takeFile stores the body under its announced file. A repeat changes nothing.
func (s *Server) takeFile(w http.ResponseWriter, r *http.Request, user ozeki.UserID, id ozeki.FileID) error {
	ctx := r.Context()
	f, err := s.store.File(ctx, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && f.Owner != user {
		return errNoFile
	}
	if err != nil {
		return err
	}
	if r.ContentLength >= 0 && r.ContentLength != f.Size {
		return errTransfer
	}
	body := http.MaxBytesReader(w, r.Body, f.Size)
	// Whatever comes of it: a browser hears the answer only when it has sent all.
	defer func() { _, _ = io.Copy(io.Discard, body) }()
	if f.Stored {
		return nil
	}
	err = s.files.Put(ctx, id, body, f.Size, f.SHA256)
	tooLarge := (*http.MaxBytesError)(nil)
	switch {
	case errors.Is(err, files.ErrMismatch), errors.As(err, &tooLarge), errors.Is(err, io.ErrUnexpectedEOF):
		return errTransfer
	case errors.Is(err, files.ErrFull):
		s.log.Error("no room for a file", "size", f.Size, "error", err)
		return errFull
	case err != nil:
		return fmt.Errorf("store file %s: %w", id, err)
	}
	err = s.update(ctx, func(tx store.Tx) error { return tx.FileStored(ctx, id) })
	if errors.Is(err, store.ErrNotFound) { // gone while its bytes came
		if err := s.files.Delete(context.WithoutCancel(ctx), id); err != nil {
			s.log.Warn("file not removed", "file", id, "error", err)
		}
		return errNoFile
	}
	return err
}

// attach gives the files that a message names to it.
func (s *Server) attach(ctx context.Context, tx store.Tx, c ozeki.ConversationID, m store.Message) error {
	var extra ozeki.Extra
	if m.Extra == "" || json.Unmarshal([]byte(m.Extra), &extra) != nil {
		return nil
	}
	ids := takeFiles(extra)
	switch {
	case len(ids) == 0:
		return nil
	case s.files == nil:
		return errNoFiles
	}
	err := tx.AttachFiles(ctx, c, m.ID, m.Sender, ids)
	if errors.Is(err, store.ErrNotFound) {
		return errAttach
	}
	return err
}

// The files of a message are stored among the fields that the store does not know, where they are part of what a repeat
// is compared with.
const filesField = "Files"

// putFiles checks the files of a message and puts them among its other fields.
func putFiles(extra *ozeki.Extra, ids []ozeki.FileID) error {
	if len(ids) == 0 {
		return nil
	}
	for i, id := range ids {
		if i >= ozeki.MaxFiles || !id.Valid() || slices.Contains(ids[:i], id) {
			return errFiles
		}
	}
	if *extra == nil {
		*extra = ozeki.Extra{}
	}
	var err error
	(*extra)[filesField], err = json.Marshal(ids)
	return err
}

// takeFiles is the inverse.
func takeFiles(extra ozeki.Extra) (ids []ozeki.FileID) {
	if raw, ok := extra[filesField]; ok {
		_ = json.Unmarshal(raw, &ids) // made by putFiles
		delete(extra, filesField)
	}
	return ids
}

// tendFiles removes what is gone and purges what got no message, until ctx ends.
func (s *Server) tendFiles(ctx context.Context, tick <-chan time.Time) {
	var purged time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick:
		}
		var err error
		if now := s.clock(); now.Sub(purged) >= purgeEvery {
			purged = now
			err = s.purgeFiles(ctx)
		}
		if err = errors.Join(err, s.removeFiles(ctx)); err != nil && ctx.Err() == nil {
			s.log.Warn("files not tended", "error", err)
		}
	}
}

// purgeFiles lets go of the files that waited too long for their messages.
func (s *Server) purgeFiles(ctx context.Context) error {
	_, err := s.store.Update(ctx, func(tx store.Tx) error {
		_, err := tx.PurgeFiles(ctx, s.clock().Add(-unattachedLife))
		return err
	})
	return err
}

// removeFiles removes the bytes of the files that are gone. What could not be removed is tried again.
func (s *Server) removeFiles(ctx context.Context) error {
	for {
		ids, err := s.store.FilesGone(ctx, removeAtOne)
		if err != nil || len(ids) == 0 {
			return err
		}
		for _, id := range ids {
			err := s.files.Delete(ctx, id)
			if errors.Is(err, files.ErrHeld) { // the next tick is early enough
				return nil
			}
			if err != nil {
				return err
			}
		}
		if _, err := s.store.Update(ctx, func(tx store.Tx) error { return tx.ForgetFiles(ctx, ids) }); err != nil {
			return err
		}
	}
}
