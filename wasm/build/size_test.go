package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// The program stays about as large as somebody said that it may be. Where it has to grow: `make size`, and say in the
// commit what it is worth.
func TestTheProgramDoesNotGrowUnasked(t *testing.T) {
	top := filepath.Join("..", "..")
	if how, _ := os.ReadFile(filepath.Join(top, hasty)); string(how) != "best" {
		t.Skip("the program was built with -quick, or elsewhere: its size says nothing")
	}
	text, err := os.ReadFile("size.txt")
	if err != nil {
		t.Fatal(err)
	}
	agreed, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	sizes, err := compressedSizes(filepath.Join(top, out))
	if err != nil {
		t.Fatal(err)
	}
	size := 0
	for _, n := range sizes {
		size += n
	}
	if size > agreed+agreed/50 {
		t.Errorf("the program has %d bytes (%v), more than 2 %% above the %d of size.txt; make it smaller, or accept it with 'make size'", size, sizes, agreed)
	}
}
