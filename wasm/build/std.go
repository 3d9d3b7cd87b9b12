package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// What the standard library has for what no program in a browser does cannot all be left out by the linker: the runtime asks
// everywhere whether it is being traced, and any package may ask for a setting of the environment variable GODEBUG. stdPatch
// answers both in the source, and lets the compiler and the linker do the rest.

const (
	stdPatch = "wasm/std.patch"
	stdDir   = ".cache/std"
)

// smallerLibrary makes patched copies of the standard library's files in the project's top directory and returns the flag
// with which the go command takes these.
func smallerLibrary(top string) (flag string, err error) {
	top, err = filepath.Abs(top)
	if err != nil {
		return "", err
	}
	root, err := goroot()
	if err != nil {
		return "", err
	}
	patch, err := os.ReadFile(filepath.Join(top, stdPatch))
	if err != nil {
		return "", err
	}
	dir, replace := filepath.Join(top, stdDir), map[string]string{}
	for line := range strings.Lines(string(patch)) {
		name, ok := strings.CutPrefix(strings.TrimSpace(line), "+++ b/")
		if !ok {
			continue
		}
		original, copied := filepath.Join(root, "src", filepath.FromSlash(name)), filepath.Join(dir, filepath.FromSlash(name))
		source, err := os.ReadFile(original)
		if err != nil {
			return "", fmt.Errorf("the toolchain has no source of its library: %w", err)
		}
		if err := os.MkdirAll(filepath.Dir(copied), 0o755); err != nil {
			return "", err
		}
		if err := os.WriteFile(copied, source, 0o644); err != nil {
			return "", err
		}
		replace[original] = copied
	}
	if err := applyPatch(dir, filepath.Join(top, stdPatch)); err != nil {
		return "", err
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "overlay.json")
	return "-overlay=" + file, os.WriteFile(file, overlay, 0o644)
}
