package main

import (
	"fmt"
	"os"
	"testing"

	"starling/web"
)

// TestMain is the tool that the go command runs where a test has it use the patched linker.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == toolexec {
		if err := runTool(os.Args); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// deltaOf is the size of a program as a difference to another one, both as they are served.
func deltaOf(t *testing.T, one, other []byte) int {
	t.Helper()
	for _, p := range []*[]byte{&one, &other} {
		small, note, err := shrink(*p, false)
		if err != nil || note != "" {
			t.Fatal(err, note)
		}
		*p = small
	}
	delta, err := web.Delta(one, other)
	if err != nil {
		t.Fatal(err)
	}
	return len(delta)
}

const (
	aProgram = "package main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println(\"a program\") }\n"
	itsNext  = "package main\n\nimport \"fmt\"\n\nvar counts [13]int\n\ntype seen struct{ what string; times []int }\n\n" +
		"func main() { counts[3]++; fmt.Println(\"a program\", \"that has become another one\", &seen{\"everything\", counts[:]}) }\n"
)

// Another version of a program finds nearly all of its data where the one before had it, and the code that names it is the same.
func TestAChangeMovesLittle(t *testing.T) {
	steady, bySize := deltaOf(t, linkedProgram(t, aProgram), linkedProgram(t, itsNext)), deltaOf(t, linkedBy(t, aProgram), linkedBy(t, itsNext))
	t.Logf("the next version is a difference of %d bytes, without the patch of the linker %d", steady, bySize)
	if steady*4 > bySize*3 {
		t.Errorf("the next version is a difference of %d bytes, without the patch of the linker %d", steady, bySize)
	}
}
