// Command build makes the browser program: it compiles ./wasm for js/wasm, compresses it and puts it, with the matching
// wasm_exec.js of the toolchain, into web/wasm, from where the server embeds it. Run it in the project's top directory.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"starling/web"
)

const (
	program = ".cache/app.wasm"
	out     = "web/wasm"
)

func main() {
	report := flag.Bool("size", false, "print the sizes in bytes, raw and brotli")
	flag.Parse()
	if err := run(*report); err != nil {
		fmt.Fprintln(os.Stderr, "build:", err)
		os.Exit(1)
	}
}

func run(report bool) error {
	if err := os.MkdirAll(filepath.Dir(program), 0o755); err != nil {
		return err
	}
	before, _ := os.ReadFile(program) // missing at first
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", program, "./wasm")
	cmd.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("compile ./wasm: %w", err)
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return fmt.Errorf("find the toolchain: %w", err)
	}
	glue, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(root)), "lib", "wasm", "wasm_exec.js"))
	if err != nil {
		return fmt.Errorf("the toolchain has no wasm_exec.js: %w", err)
	}
	if err := os.WriteFile(filepath.Join(out, "wasm_exec.js"), glue, 0o644); err != nil {
		return err
	}
	raw, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	if !bytes.Equal(before, raw) || !complete() {
		if err := compress(raw); err != nil {
			return err
		}
	}
	if report {
		br, err := os.ReadFile(filepath.Join(out, "app.wasm.br"))
		if err != nil {
			return err
		}
		fmt.Printf("{\"figure\":\"bundle bytes\",\"raw\":%d,\"brotli\":%d}\n", len(raw), len(br))
	}
	return nil
}

func complete() bool {
	for _, ext := range web.Extensions {
		if _, err := os.Stat(filepath.Join(out, "app.wasm"+ext)); err != nil {
			return false
		}
	}
	return true
}

func compress(raw []byte) error {
	var wait sync.WaitGroup
	errs := make(chan error, len(web.Codings))
	for coding, pack := range web.Codings {
		wait.Go(func() {
			packed, err := pack(raw)
			if err == nil {
				err = os.WriteFile(filepath.Join(out, "app.wasm"+web.Extensions[coding]), packed, 0o644)
			}
			errs <- err
		})
	}
	wait.Wait()
	close(errs)
	var all error
	for err := range errs {
		all = errors.Join(all, err)
	}
	return all
}
