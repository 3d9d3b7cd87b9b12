package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// The Go linker lays out data by size, so that a string more or less moves most of what is larger, and with it the
// addresses in the code: a new version of the program differs from the one before nearly everywhere. linkPatch has it lay out data by
// name, with gaps that take up what comes and goes. The linker is made with the toolchain that compiles the program, from
// the toolchain's own source, and stands in for the toolchain's by the go command's -toolexec.

const (
	linkPatch = "wasm/link.patch"
	linkDir   = ".cache/link"
	toolexec  = "toolexec" // the first argument where the go command runs a tool of the toolchain through this program
)

// steadyLinker makes the patched linker in the project's top directory and returns the flag with which the go command
// uses it. changed: it is another one than before, which the go command does not see.
func steadyLinker(top string) (flag string, changed bool, err error) {
	top, err = filepath.Abs(top)
	if err != nil {
		return "", false, err
	}
	root, err := goroot()
	if err != nil {
		return "", false, err
	}
	original := filepath.Join(root, "src", "cmd", "link", "internal", "ld", "data.go")
	source, err := os.ReadFile(original)
	if err != nil {
		return "", false, fmt.Errorf("the toolchain has no source of its linker: %w", err)
	}
	dir := filepath.Join(top, linkDir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", false, err
	}
	if err := os.WriteFile(filepath.Join(dir, "data.go"), source, 0o644); err != nil {
		return "", false, err
	}
	if err := applyPatch(dir, filepath.Join(top, linkPatch)); err != nil {
		return "", false, err
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{original: filepath.Join(dir, "data.go")}})
	if err != nil {
		return "", false, err
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o644); err != nil {
		return "", false, err
	}
	linker := filepath.Join(dir, "link")
	before, err := os.ReadFile(linker)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", false, err
	}
	cmd := exec.Command("go", "build", "-trimpath", "-overlay="+filepath.Join(dir, "overlay.json"), "-o", linker, "cmd/link")
	cmd.Dir = top
	cmd.Env = append(os.Environ(), "GOOS=", "GOARCH=", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", false, fmt.Errorf("compile the linker: %w: %s", err, out)
	}
	after, err := os.ReadFile(linker)
	if err != nil {
		return "", false, err
	}
	self, err := os.Executable()
	if err != nil {
		return "", false, err
	}
	flag = "-toolexec='" + self + "' " + toolexec + " '" + linker + "'"
	return flag, !bytes.Equal(before, after), nil
}

// goroot is where the toolchain is.
func goroot() (string, error) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("find the toolchain: %w", err)
	}
	return strings.TrimSpace(string(root)), nil
}

// runTool runs a tool of the toolchain, with the patched linker in the linker's place. Its arguments are those of the
// program: its name, toolexec, the patched linker, the tool and the tool's own.
func runTool(args []string) error {
	if len(args) < 4 {
		return errors.New("usage: toolexec LINKER TOOL [ARGUMENT ...]")
	}
	tool := args[3]
	if name := filepath.Base(tool); name == "link" || name == "link.exe" {
		tool = args[2]
	}
	cmd := exec.Command(tool, args[4:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd.Run()
}

// applyPatch applies a patch to the files of a directory, which may lie inside of a work tree of git's: that would take the
// patch's paths for its own.
func applyPatch(dir, patch string) error {
	cmd := exec.Command("git", "apply", "--whitespace=nowarn", patch)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CEILING_DIRECTORIES="+filepath.Dir(dir))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s does not fit: %w: %s", filepath.Base(patch), err, out)
	}
	return nil
}
