package data

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"starling/chatserver/files"
	"starling/chatserver/store"
	"starling/ozeki"
)

const manifestName = "manifest.json"

// manifest is the last entry of a backup, which is a tar archive: without it the archive is not whole.
type manifest struct {
	Format  int
	Made    time.Time
	Entries []entry
	// Missing are files that the database names and that were not there when the backup was made.
	Missing []ozeki.FileID `json:",omitempty"`
}

type entry struct {
	Name   string
	Size   int64
	SHA256 string
}

const format = 1

// Summary says what is in a backup.
type Summary struct {
	Files   int
	Bytes   int64
	Made    time.Time
	Missing []ozeki.FileID // files that the database names and that were lost before the backup was made
	// Replaced is where a restore has put what was in the directory before; empty: nothing was.
	Replaced string
}

// Backup writes what a data directory holds into a new file, while servers go on using it: everything that was acknowledged
// before Backup was called, and no message without its files. The file is there when it is whole, and not at all after an
// error, which says what to do.
func Backup(ctx context.Context, dir, file string) (sum Summary, err error) {
	if _, err := os.Stat(Database(dir)); errors.Is(err, fs.ErrNotExist) {
		return sum, fmt.Errorf("there is no database in %s: name the server's data directory with --data", dir)
	} else if err != nil {
		return sum, fmt.Errorf("the data directory cannot be read: %w; run this as the user who runs the server", err)
	}
	if _, err := os.Lstat(file); err == nil {
		return sum, fmt.Errorf("%s is there already: choose another name, or move it away", file)
	}
	defer func() { err = room(err, file) }()
	out, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+".*.part")
	if err != nil {
		return sum, fmt.Errorf("the backup cannot be written: %w; choose another place", err)
	}
	defer os.Remove(out.Name())
	defer out.Close()
	copied := out.Name() + ".db"
	if err := os.WriteFile(copied, nil, 0o600); err != nil {
		return sum, err
	}
	defer os.Remove(copied)

	// Files are stored before the database says so, and removed after it has let go of them: as long as none is removed, all
	// that a copy of the database names are there.
	if _, err := os.Stat(Files(dir)); err == nil {
		release, err := files.Hold(ctx, Files(dir))
		if err != nil {
			return sum, err
		}
		defer release()
	}
	m := manifest{Format: format, Made: time.Now().UTC().Truncate(time.Second)}
	if err := store.CopySQLite(ctx, Database(dir), copied); err != nil {
		if errors.Is(err, fs.ErrPermission) {
			return sum, fmt.Errorf("%w: run this as the user who runs the server", err)
		}
		return sum, err
	}
	named, err := store.CheckSQLite(ctx, copied)
	if err != nil {
		return sum, err
	}
	w := tar.NewWriter(out)
	if err := m.add(ctx, w, database, copied); err != nil {
		return sum, err
	}
	for _, f := range named {
		err := m.add(ctx, w, fileDir+"/"+string(f.ID), filepath.Join(Files(dir), string(f.ID)))
		if errors.Is(err, fs.ErrNotExist) {
			m.Missing = append(m.Missing, f.ID)
			continue
		}
		if err != nil {
			return sum, err
		}
		if last := m.Entries[len(m.Entries)-1]; last.Size != f.Size || last.SHA256 != f.SHA256 {
			return sum, fmt.Errorf("the file %s is damaged: its disk may be failing. Move it out of %s to back up the rest", f.ID, Files(dir))
		}
		sum.Files++
	}
	text, err := json.MarshalIndent(m, "", "\t")
	if err != nil {
		return sum, err
	}
	head := &tar.Header{Name: manifestName, Mode: 0o600, Size: int64(len(text)), ModTime: m.Made, Format: tar.FormatPAX}
	if err := w.WriteHeader(head); err != nil {
		return sum, err
	}
	if _, err := w.Write(text); err != nil {
		return sum, err
	}
	if err := errors.Join(w.Close(), out.Sync()); err != nil {
		return sum, err
	}
	info, err := out.Stat()
	if err != nil {
		return sum, err
	}
	if err := publish(out.Name(), file); err != nil {
		return sum, err
	}
	sum.Bytes, sum.Made, sum.Missing = info.Size(), m.Made, m.Missing
	return sum, nil
}

// add appends a file to the archive.
func (m *manifest) add(ctx context.Context, w *tar.Writer, name, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: info.Size(), ModTime: info.ModTime(), Format: tar.FormatPAX}); err != nil {
		return err
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(w, sum), interruptible{ctx, f})
	if err != nil {
		return err
	}
	m.Entries = append(m.Entries, entry{name, n, hex.EncodeToString(sum.Sum(nil))})
	return nil
}

// publish gives a finished file its name, which nobody has taken meanwhile.
func publish(part, file string) error {
	err := os.Link(part, file)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already: choose another name, or move it away", file)
	}
	if err != nil { // not every file system has links
		if _, err := os.Lstat(file); err == nil {
			return fmt.Errorf("%s is there already: choose another name, or move it away", file)
		}
		if err := os.Rename(part, file); err != nil {
			return err
		}
	}
	return syncDir(filepath.Dir(file))
}

// room words a full disk.
func room(err error, path string) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG) || store.IsFull(err) {
		return fmt.Errorf("there is not enough room for %s: make room, or choose another place (%w)", path, err)
	}
	return err
}

// interruptible reads until ctx ends.
type interruptible struct {
	ctx context.Context
	io.Reader
}

func (r interruptible) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(b)
}
