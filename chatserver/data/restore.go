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
	"os"
	"path/filepath"
	"slices"
	"strings"

	"starling/chatserver/files"
	"starling/chatserver/store"
	"starling/ozeki"
)

// maxManifest is the largest list of contents that is read: 1 GiB of it would name several million files.
const maxManifest = 1 << 30

// Restore puts what is in a backup into a data directory that no server uses, after it has checked all of it. A directory
// that is not empty is refused unless replace is set: then what the backup brings takes the place of what is there, which is
// moved aside (Summary.Replaced). It is done wholly or not at all. ErrInUse.
func Restore(ctx context.Context, file, dir string, replace bool) (sum Summary, err error) {
	in, err := os.Open(file)
	if err != nil {
		return sum, fmt.Errorf("the backup cannot be read: %w", err)
	}
	defer in.Close()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return sum, fmt.Errorf("the data directory cannot be made: %w; choose another with --data", err)
	}
	unlock, ok, err := files.LockDir(dir, true)
	if err != nil {
		return sum, err
	}
	if !ok {
		return sum, fmt.Errorf("%w: %s; stop it first", ErrInUse, dir)
	}
	defer unlock()
	if _, err := os.Lstat(filepath.Join(dir, restored)); err == nil { // an earlier one was interrupted at its end
		if _, err := place(dir); err != nil {
			return sum, err
		}
	}
	stage := filepath.Join(dir, staging)
	if err := os.RemoveAll(stage); err != nil {
		return sum, fmt.Errorf("the data directory cannot be written: %w; run this as the user who runs the server", err)
	}
	if !replace {
		there, err := os.ReadDir(dir)
		if err != nil {
			return sum, err
		}
		for _, e := range there {
			if e.Name() != "lost+found" {
				return sum, fmt.Errorf("%s is not empty (%s): choose another directory with --data, or say --replace to put the backup in the place of what is there", dir, e.Name())
			}
		}
	}
	defer func() {
		if err != nil {
			err = room(err, dir)
			_ = os.RemoveAll(stage) // harmless if it stays: the next restore begins with that
		}
	}()
	if err := os.MkdirAll(filepath.Join(stage, fileDir), 0o700); err != nil {
		return sum, fmt.Errorf("the data directory cannot be written: %w; run this as the user who runs the server", err)
	}
	m, err := unpack(ctx, in, stage)
	if err != nil {
		return sum, fmt.Errorf("restore %s: %w", file, err)
	}
	named, err := store.CheckSQLite(ctx, filepath.Join(stage, database))
	if err != nil {
		return sum, err
	}
	has := map[string]entry{}
	for _, e := range m.Entries {
		has[e.Name] = e
	}
	for _, f := range named {
		e, ok := has[fileDir+"/"+string(f.ID)]
		switch {
		case !ok && slices.Contains(m.Missing, f.ID):
			sum.Missing = append(sum.Missing, f.ID)
		case !ok:
			return sum, damaged("the file %s is missing", f.ID)
		case e.Size != f.Size || e.SHA256 != f.SHA256:
			return sum, damaged("the file %s is not the one that the database names", f.ID)
		default:
			sum.Files++
		}
	}
	for _, d := range []string{filepath.Join(stage, fileDir), stage} {
		if err := syncDir(d); err != nil {
			return sum, err
		}
	}
	if err := ctx.Err(); err != nil {
		return sum, err
	}
	if err := os.Rename(stage, filepath.Join(dir, restored)); err != nil {
		return sum, err
	}
	sum.Made, sum.Bytes = m.Made, has[database].Size
	for _, e := range m.Entries {
		if e.Name != database {
			sum.Bytes += e.Size
		}
	}
	if err := syncDir(dir); err != nil {
		return sum, err
	}
	sum.Replaced, err = place(dir)
	return sum, err
}

func damaged(what string, args ...any) error {
	return fmt.Errorf("the backup is damaged: "+what+". Nothing was restored; take another backup", args...)
}

// unpack writes the entries of an archive into a directory and compares them with its list.
func unpack(ctx context.Context, in io.Reader, dir string) (m manifest, err error) {
	var got []entry
	for r := tar.NewReader(interruptible{ctx, in}); ; {
		head, err := r.Next()
		if errors.Is(err, io.EOF) {
			return m, damaged("it has no list of its contents, as if it were cut off, or not a backup of Starling")
		}
		if err != nil {
			if ctx.Err() != nil {
				return m, ctx.Err()
			}
			return m, damaged("%w", err)
		}
		if head.Name == manifestName {
			text, err := io.ReadAll(io.LimitReader(r, maxManifest))
			if err == nil {
				err = json.Unmarshal(text, &m)
			}
			if err != nil {
				return m, damaged("its list of contents: %w", err)
			}
			break
		}
		id, isFile := strings.CutPrefix(head.Name, fileDir+"/")
		if head.Typeflag != tar.TypeReg || head.Name != database && !(isFile && ozeki.FileID(id).Valid()) {
			return m, damaged("it has an entry %q, which is not of Starling", head.Name)
		}
		e, err := write(r, filepath.Join(dir, filepath.FromSlash(head.Name)))
		if err != nil {
			if errors.Is(err, io.ErrUnexpectedEOF) {
				return m, damaged("it ends in the middle")
			}
			return m, err
		}
		e.Name = head.Name
		got = append(got, e)
	}
	if m.Format != format {
		return m, fmt.Errorf("it has format %d, and this program knows %d: use the newer program", m.Format, format)
	}
	if len(got) == 0 || got[0].Name != database || !slices.Equal(got, m.Entries) {
		return m, damaged("its contents are not those of its list")
	}
	return m, nil
}

func write(r io.Reader, path string) (e entry, err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return e, err
	}
	sum := sha256.New()
	e.Size, err = io.Copy(io.MultiWriter(f, sum), r)
	e.SHA256 = hex.EncodeToString(sum.Sum(nil))
	if err == nil {
		err = f.Sync()
	}
	return e, errors.Join(err, f.Close())
}
