package state

import "testing"

func TestNamesOfFilesAreFitToBeShownAndSaved(t *testing.T) {
	for name, want := range map[string]string{
		"cat.png": "cat.png", "": "file", "...": "file", "../../etc/passwd": "_.._etc_passwd", `C:\x\y.txt`: "C__x_y.txt",
		"photo\u202egpj.exe": "photogpj.exe", "a\u0000b\nc\u2066d": "abcd", "\xff\xfe": "file", " Ünïcödé ő.txt ": "Ünïcödé ő.txt", ".bashrc": "bashrc",
	} {
		if got := FileName(name); got != want {
			t.Errorf("%q is shown as %q, want %q", name, got, want)
		}
	}
	long := ""
	for range 300 {
		long += "ő"
	}
	if got := []rune(FileName(long + ".jpg")); len(got) != maxFileName || string(got[len(got)-4:]) != ".jpg" {
		t.Errorf("a long name is %q", string(got))
	}
}

func TestSizesAreSaidForPeople(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 bytes", 1: "1 byte", 300: "300 bytes", 12 << 10: "12 kB", 1536 << 10: "1.5 MB", 25 << 20: "25 MB", 80 << 20: "80 MB", 1 << 30: "1 GB",
	} {
		if got := FileSize(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
}

func TestOnlyPixelsArePictures(t *testing.T) {
	for kind, want := range map[string]bool{"image/png": true, "image/jpeg": true, "image/webp": true, "image/svg+xml": false, "text/html": false, "": false, "image/png;x": false} {
		if (File{Type: kind}).IsPicture() != want {
			t.Errorf("%q", kind)
		}
	}
}
