package ozeki

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"starling/ozeki/json"
)

// FileID names a file: a lower-case UUID that the sending client makes.
type FileID string

// NewFileID returns a fresh random file id (UUID version 4).
func NewFileID() FileID { return FileID(uuid.NewString()) }

// Valid reports whether the id is a UUID in its 36-character form with lower-case digits.
func (id FileID) Valid() bool {
	u, err := uuid.Parse(string(id))
	return err == nil && u.String() == string(id)
}

// MaxFiles is the largest number of files of a message.
const MaxFiles = 10

// LimitFile is the name of the limit, in the login answer, of one encrypted file in bytes.
const LimitFile = "file"

// FileOverhead is how many bytes larger a file is encrypted: its nonce and its tag.
const FileOverhead = nonceSize + 16

// File is what a message's Content says of a file: how it is called and how it is opened. The server sees none of it but
// the id.
type File struct {
	ID     FileID `json:"id"`
	Name   string `json:"name"`
	Type   string `json:"type,omitempty"` // media type, by the sender's word
	Size   int64  `json:"size"`           // bytes in clear
	Key    string `json:"key"`            // base64 of 32 bytes, of this file alone
	Width  int    `json:"width,omitempty"`
	Height int    `json:"height,omitempty"`
	Thumb  string `json:"thumb,omitempty"` // a small JPEG, WebP or PNG, base64
	Extra  Extra  `json:"-" odd:"kept"`
}

// FileCreateRequest announces an encrypted file of the caller's in a conversation.
type FileCreateRequest struct {
	Common
	ConversationID ConversationID `json:"conversationid"`
	Instance       Instance       `json:"instance"`
	FileID         FileID         `json:"fileid"`
	Size           int64          `json:"size"`   // bytes, encrypted
	SHA256         string         `json:"sha256"` // of the encrypted bytes, hex
}

// FileFetchRequest asks for a file of a conversation.
type FileFetchRequest struct {
	Common
	ConversationID ConversationID `json:"conversationid"`
	FileID         FileID         `json:"fileid"`
}

// FileAnswer lets the caller transfer a file: see Client.PutFile and Client.GetFile.
type FileAnswer struct {
	Answer
	Ticket string `json:"ticket,omitempty"`
	// Stored says that the server has the file already: nothing is to be sent.
	Stored bool  `json:"stored,omitempty"`
	Extra  Extra `json:"-"`
}

// FileTransport carries encrypted files. NewFileTransport gives the platform's own. Errors are as with Transport; progress
// is called now and then with the bytes transferred so far.
type FileTransport interface {
	// Put sends a file by PUT.
	Put(ctx context.Context, url string, file Blob, progress func(done int64)) (*Response, error)
	// Get gets a file. Of an answer other than 200 the Response has the body, and the Blob is empty.
	Get(ctx context.Context, url string, progress func(done int64)) (Blob, *Response, error)
}

// CreateFile (extension ExtFiles) announces a file. A repeat gives a new ticket, or says that the file is stored. ErrExists:
// the id is taken by another file.
func (c *Client) CreateFile(ctx context.Context, r FileCreateRequest) (*FileAnswer, error) {
	return c.file(ctx, CallFileCreate, &r)
}

// FetchFile (extension ExtFiles) asks for a file of a conversation of the user's. ErrNotFound: it is not there.
func (c *Client) FetchFile(ctx context.Context, r FileFetchRequest) (*FileAnswer, error) {
	return c.file(ctx, CallFileFetch, &r)
}

func (c *Client) file(ctx context.Context, call Call, request any) (*FileAnswer, error) {
	var a FileAnswer
	if err := c.call(ctx, call, "", request, &a); err != nil {
		return nil, err
	}
	if a.Ticket == "" && !a.Stored {
		return nil, fmt.Errorf("%s: %w (no ticket in the answer)", call.Name, ErrNotJSON)
	}
	return &a, nil
}

// PutFile sends the bytes of an announced file. A repeat is no second file. It takes as long as it makes progress.
func (c *Client) PutFile(ctx context.Context, id FileID, ticket string, file Blob, progress func(done int64)) error {
	ctx, moved, done := untilStill(ctx, c.stall)
	defer done()
	res, err := c.files.Put(ctx, c.fileURL(id, ticket), file, func(n int64) {
		moved()
		progress(n)
	})
	if err != nil {
		return unreached(CallFileCreate, err)
	}
	return decodeAnswer(CallFileCreate, res, &PlainAnswer{})
}

// GetFile gets the bytes of a file, encrypted. It takes as long as it makes progress.
func (c *Client) GetFile(ctx context.Context, id FileID, ticket string, progress func(done int64)) (Blob, error) {
	ctx, moved, done := untilStill(ctx, c.stall)
	defer done()
	blob, res, err := c.files.Get(ctx, c.fileURL(id, ticket), func(n int64) {
		moved()
		progress(n)
	})
	switch {
	case err != nil:
		return Blob{}, unreached(CallFileFetch, err)
	case res.Status == 200 && contentKind(res) == "application/octet-stream":
		return blob, nil
	}
	if err := decodeAnswer(CallFileFetch, res, &PlainAnswer{}); err != nil {
		return Blob{}, err
	}
	return Blob{}, fmt.Errorf("%s: %w", CallFileFetch.Name, ErrNotJSON)
}

// fileURL is beside the API: …/index.php has …/file/.
func (c *Client) fileURL(id FileID, ticket string) string {
	base := c.base[:strings.LastIndexByte(c.base, '/')+1]
	return base + "file/" + string(id) + "?ticket=" + url.QueryEscape(ticket)
}

func unreached(call Call, err error) error {
	if !errors.Is(err, ErrUnreachable) {
		err = fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	return fmt.Errorf("%s: %w", call.Name, err)
}

// untilStill gives a context that ends when nothing has moved for so long.
func untilStill(ctx context.Context, stall time.Duration) (_ context.Context, moved, done func()) {
	ctx, cancel := context.WithCancel(ctx)
	var mu sync.Mutex
	timer := time.AfterFunc(stall, cancel)
	moved = func() {
		mu.Lock()
		defer mu.Unlock()
		if ctx.Err() == nil {
			timer.Reset(stall)
		}
	}
	done = func() {
		mu.Lock()
		defer mu.Unlock()
		cancel()
		timer.Stop()
	}
	return ctx, moved, done
}

// SealFile encrypts a file under a fresh key of its own, bound to its id.
func SealFile(ctx context.Context, id FileID, plain Blob) (sealed Blob, key string, err error) {
	k, err := randomBytes(ConversationKeySize)
	if err == nil {
		var nonce []byte
		if nonce, err = randomBytes(nonceSize); err == nil {
			sealed, err = sealBlob(ctx, k, nonce, []byte(id), plain)
		}
	}
	if err != nil {
		return Blob{}, "", fmt.Errorf("encrypt the file: %w", err)
	}
	return sealed, base64.StdEncoding.EncodeToString(k), nil
}

// OpenFile is the inverse. ErrUndecryptable: it is not the file that was encrypted, or not under this key and id.
func OpenFile(ctx context.Context, id FileID, key string, sealed Blob) (Blob, error) {
	k, err := base64.StdEncoding.Strict().DecodeString(key)
	if err != nil || len(k) != ConversationKeySize || sealed.Size() < FileOverhead {
		return Blob{}, fmt.Errorf("open the file: %w", ErrUndecryptable)
	}
	plain, err := openBlob(ctx, k, []byte(id), sealed)
	if err != nil {
		return Blob{}, fmt.Errorf("open the file: %w", err)
	}
	return plain, nil
}

func (f *File) UnmarshalJSON(b []byte) error { return json.Read(b, f) }

func (f File) MarshalJSON() ([]byte, error) { return json.Marshal(f) }

func (a *FileAnswer) UnmarshalJSON(b []byte) error { return json.Read(b, a) }

func (a FileAnswer) MarshalJSON() ([]byte, error) { return json.Marshal(a) }
