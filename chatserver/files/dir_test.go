package files_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"

	"starling/chatserver/files"
	"starling/chatserver/files/filestest"
	"starling/ozeki"
)

func open(t *testing.T, path string) *files.Dir {
	t.Helper()
	d, err := files.OpenDir(path)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestADirectoryKeepsFiles(t *testing.T) {
	filestest.Run(t, func(t *testing.T) files.Store { return open(t, filepath.Join(t.TempDir(), "made", "files")) })
}

func TestFilesOutliveTheProgramAndWhatACrashLeftGoes(t *testing.T) {
	dir := t.TempDir()
	d, id, b := open(t, dir), ozeki.NewFileID(), []byte("hello")
	if err := d.Put(t.Context(), id, strings.NewReader("hello"), 5, filestest.Sum(b)); err != nil {
		t.Fatal(err)
	}
	if err := d.Put(t.Context(), ozeki.NewFileID(), strings.NewReader("hell"), 5, filestest.Sum(b)); !errors.Is(err, files.ErrMismatch) {
		t.Error(err)
	}
	if names, _ := os.ReadDir(dir); len(names) != 1 {
		t.Errorf("in the directory: %v", names)
	}
	if err := os.WriteFile(filepath.Join(dir, "123.part"), []byte("hel"), 0o600); err != nil {
		t.Fatal(err)
	}
	d = open(t, dir)
	if names, _ := os.ReadDir(dir); len(names) != 1 || names[0].Name() != string(id) {
		t.Errorf("after a start: %v", names)
	}
	f, err := d.Open(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

func TestADiskWithoutRoomIsSaid(t *testing.T) {
	d := open(t, t.TempDir())
	err := d.Put(t.Context(), ozeki.NewFileID(), iotest.ErrReader(&os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}), 5, "")
	if !errors.Is(err, files.ErrFull) {
		t.Error(err)
	}
}

func TestADirectoryThatCannotBeMadeIsSaid(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := files.OpenDir(path); err == nil || !strings.Contains(err.Error(), "--data") {
		t.Error(err)
	}
}
