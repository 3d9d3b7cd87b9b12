package ozeki

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestAFileOpensOnlyWithItsKeyUnderItsId(t *testing.T) {
	for _, content := range [][]byte{{}, []byte("x"), bytes.Repeat([]byte("0123456789"), 50_000)} {
		id := NewFileID()
		sealed, key, err := SealFile(t.Context(), id, blobOf(content))
		if err != nil {
			t.Fatal(err)
		}
		if sealed.Size() != int64(len(content))+FileOverhead || len(content) > 1 && bytes.Contains(bytesOf(sealed), content[:10]) {
			t.Errorf("%d bytes are %d when they are sealed", len(content), sealed.Size())
		}
		plain, err := OpenFile(t.Context(), id, key, sealed)
		if err != nil || !bytes.Equal(bytesOf(plain), content) || plain.Size() != int64(len(content)) {
			t.Errorf("%d bytes came back as %d, %v", len(content), plain.Size(), err)
		}
		again, key2, err := SealFile(t.Context(), id, blobOf(content))
		if err != nil || key2 == key || bytes.Equal(bytesOf(again), bytesOf(sealed)) {
			t.Errorf("sealed again it is the same, %v", err)
		}
		changed := bytes.Clone(bytesOf(sealed))
		changed[len(changed)-1] ^= 1
		for what, open := range map[string]func() error{
			"another id":  func() error { _, err := OpenFile(t.Context(), NewFileID(), key, sealed); return err },
			"another key": func() error { _, err := OpenFile(t.Context(), id, key2, sealed); return err },
			"no key":      func() error { _, err := OpenFile(t.Context(), id, "", sealed); return err },
			"one bit":     func() error { _, err := OpenFile(t.Context(), id, key, blobOf(changed)); return err },
			"too short":   func() error { _, err := OpenFile(t.Context(), id, key, blobOf(changed[:FileOverhead-1])); return err },
			"nothing":     func() error { _, err := OpenFile(t.Context(), id, key, Blob{}); return err },
		} {
			if err := open(); !errors.Is(err, ErrUndecryptable) {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
	sum, err := blobOf([]byte("abc")).SHA256(t.Context())
	if want := "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"; err != nil || sum != want {
		t.Errorf("the hash is %s, %v", sum, err)
	}
}

func TestFileIdsAreLowerCaseUUIDs(t *testing.T) {
	good := NewFileID()
	if !good.Valid() {
		t.Errorf("%s is not valid", good)
	}
	for _, id := range []FileID{"", "x", good + "x", "../" + good, FileID(strings.ToUpper("ab" + string(good)[2:])), FileID(strings.ReplaceAll(string(good), "-", "")), "{" + good + "}"} {
		if id.Valid() {
			t.Errorf("%q is valid", id)
		}
	}
}
