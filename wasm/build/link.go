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
	overlay, err := patchedSources(top, linkPatch, linkDir)
	if err != nil {
		return "", false, err
	}
	linker := filepath.Join(top, linkDir, "link")
	before, err := os.ReadFile(linker)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", false, err
	}
	cmd := exec.Command("go", "build", "-trimpath", overlay, "-o", linker, "cmd/link")
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

// patchedSources makes copies of the toolchain's files that a patch changes, whose paths it gives from the toolchain's src, in a
// directory of the project's top directory, applies it to them, and returns the flag with which the go command takes these.
func patchedSources(top, patch, into string) (overlay string, err error) {
	if top, err = filepath.Abs(top); err != nil {
		return "", err
	}
	root, err := goroot()
	if err != nil {
		return "", err
	}
	patch = filepath.Join(top, patch)
	text, err := os.ReadFile(patch)
	if err != nil {
		return "", err
	}
	dir, replace := filepath.Join(top, into), map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, ok := strings.CutPrefix(strings.TrimSpace(line), "+++ b/")
		if !ok {
			continue
		}
		name = filepath.FromSlash(name)
		original, copied := filepath.Join(root, "src", name), filepath.Join(dir, name)
		source, err := os.ReadFile(original)
		if err != nil {
			return "", fmt.Errorf("the toolchain has no source of it: %w", err)
		}
		if err := os.MkdirAll(filepath.Dir(copied), 0o755); err != nil {
			return "", err
		}
		if err := os.WriteFile(copied, source, 0o644); err != nil {
			return "", err
		}
		replace[original] = copied
	}
	if err := applyPatch(dir, patch); err != nil {
		return "", err
	}
	content, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "overlay.json")
	return "-overlay=" + file, os.WriteFile(file, content, 0o644)
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
