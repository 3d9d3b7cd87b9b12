package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The patch of go-app only makes the program smaller: without it the program links as well, comes through shrink whole,
// and is one that a browser's engine takes.
func TestTheProgramNeedsNoPatch(t *testing.T) {
	if testing.Short() {
		t.Skip("links the whole program")
	}
	file := filepath.Join(t.TempDir(), "plain.wasm")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", file, "./wasm")
	build.Dir, build.Env = filepath.Join("..", ".."), append(os.Environ(), "GOOS=js", "GOARCH=wasm")
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	linked, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	module, note, err := shrink(linked, false)
	if err != nil || note != "" {
		t.Fatal(note, err)
	}
	if err := os.WriteFile(file, module, 0o644); err != nil {
		t.Fatal(err)
	}
	const compile = `WebAssembly.compile(require("fs").readFileSync(process.argv[1])).catch(e => { console.error(e); process.exit(1) })`
	if text, err := exec.Command("node", "-e", compile, file).CombinedOutput(); err != nil {
		t.Fatalf("the engine refuses it: %v: %s", err, text)
	}
}
