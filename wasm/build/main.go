// Command build makes the browser program: it compiles ./wasm for js/wasm with a copy of go-app that goapp.patch makes
// smaller, compresses it and puts it, with the matching wasm_exec.js of the toolchain, into web/wasm, from where the
// server embeds it. Run it in the project's top directory.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"starling/web"
)

const (
	linked  = ".cache/linked.wasm" // as the Go linker writes it
	program = ".cache/app.wasm"    // what is served
	out     = "web/wasm"
	hasty   = ".cache/app.wasm.how" // "quick" where the compressed forms are

	agreedSize = "wasm/build/size.txt" // bytes of app.wasm.br, see the test

	goapp   = "github.com/maxence-charriere/go-app/v9"
	patch   = "wasm/goapp.patch"
	patched = ".cache/goapp"    // the patched copy of go-app
	modfile = ".cache/wasm.mod" // go.mod with go-app replaced by it
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == toolexec {
		err := runTool(os.Args)
		var exit *exec.ExitError
		switch {
		case errors.As(err, &exit):
			os.Exit(exit.ExitCode())
		case err != nil:
			fmt.Fprintln(os.Stderr, "build:", err)
			os.Exit(1)
		}
		return
	}
	report := flag.Bool("size", false, "print the sizes in bytes, raw and brotli")
	plain := flag.Bool("plain", false, "build with go-app as it is, without the patch")
	quick := flag.Bool("quick", false, "compress little, for trying a change")
	accept := flag.Bool("accept", false, "take the size for the one that the program may have")
	traces := flag.Bool("traces", false, "keep files, lines and inlined functions for tracebacks")
	flag.Parse()
	if err := run(options{*report, *plain, *quick, *traces, *accept}); err != nil {
		fmt.Fprintln(os.Stderr, "build:", err)
		os.Exit(1)
	}
}

type options struct{ report, plain, quick, traces, accept bool }

func run(o options) error {
	if o.accept && (o.plain || o.quick || o.traces) {
		return errors.New("-accept goes with none of -plain, -quick and -traces: it is about the program as it is served")
	}
	if err := os.MkdirAll(filepath.Dir(program), 0o755); err != nil {
		return err
	}
	before, _ := os.ReadFile(program) // missing at first
	args := []string{"build", "-trimpath", "-ldflags=-s -w", "-o", linked}
	if !o.plain {
		if err := patchGoApp(); err != nil {
			return fmt.Errorf("patch go-app: %w", err)
		}
		args = append(args, "-modfile="+modfile)
		if overlay, err := smallerLibrary("."); err != nil {
			fmt.Fprintln(os.Stderr, "build: the program is larger than it need be:", err)
		} else {
			args = append(args, overlay)
		}
	}
	linker, changed, err := steadyLinker(".")
	if err != nil {
		fmt.Fprintln(os.Stderr, "build: the data is laid out by size, so that an update is larger than it need be:", err)
	} else {
		args = append(args, linker)
	}
	if changed || err != nil {
		if err := os.RemoveAll(linked); err != nil {
			return err
		}
	}
	cmd := exec.Command("go", append(args, "./wasm")...)
	cmd.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("compile ./wasm: %w", err)
	}
	root, err := goroot()
	if err != nil {
		return err
	}
	glue, err := os.ReadFile(filepath.Join(root, "lib", "wasm", "wasm_exec.js"))
	if err != nil {
		return fmt.Errorf("the toolchain has no wasm_exec.js: %w", err)
	}
	if err := os.WriteFile(filepath.Join(out, "wasm_exec.js"), glue, 0o644); err != nil {
		return err
	}
	raw, err := os.ReadFile(linked)
	if err != nil {
		return err
	}
	raw, note, err := shrink(raw, o.traces)
	if err != nil {
		return fmt.Errorf("%s: %w", linked, err)
	}
	if note != "" {
		fmt.Fprintln(os.Stderr, "build:", note)
	}
	if err := os.WriteFile(program, raw, 0o644); err != nil {
		return err
	}
	mark, _ := os.ReadFile(hasty) // missing: never built
	if !bytes.Equal(before, raw) || !complete() || (string(mark) == "quick" && !o.quick) {
		if err := compress(raw, o.quick); err != nil {
			return err
		}
	}
	if o.report || o.accept {
		br, err := os.ReadFile(filepath.Join(out, "app.wasm.br"))
		if err != nil {
			return err
		}
		if o.accept {
			return os.WriteFile(agreedSize, []byte(strconv.Itoa(len(br))+"\n"), 0o644)
		}
		fmt.Printf("{\"figure\":\"bundle bytes\",\"raw\":%d,\"brotli\":%d}\n", len(raw), len(br))
	}
	return nil
}

// patchGoApp makes the patched copy of the go-app that go.mod names, and the module file that uses it. The module itself
// stays as it is: native tests and a build with -plain use it.
func patchGoApp() error {
	download := exec.Command("go", "mod", "download", goapp)
	download.Stderr = os.Stderr
	if err := download.Run(); err != nil {
		return err
	}
	from, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", goapp).Output()
	if err != nil {
		return err
	}
	if err := os.RemoveAll(patched); err != nil {
		return err
	}
	for _, dir := range []string{"pkg/app", "pkg/errors"} {
		if err := copyGo(filepath.Join(strings.TrimSpace(string(from)), dir), filepath.Join(patched, dir)); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(patched, "go.mod"), []byte("module "+goapp+"\n\ngo 1.18\n"), 0o644); err != nil {
		return err
	}
	diff, err := filepath.Abs(patch)
	if err != nil {
		return err
	}
	copied, err := filepath.Abs(patched)
	if err != nil {
		return err
	}
	if err := applyPatch(copied, diff); err != nil {
		return err
	}
	for _, name := range []string{".mod", ".sum"} {
		content, err := os.ReadFile("go" + name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(strings.TrimSuffix(modfile, ".mod")+name, content, 0o644); err != nil {
			return err
		}
	}
	edit := exec.Command("go", "mod", "edit", "-replace="+goapp+"=./"+patched, modfile)
	edit.Stderr = os.Stderr
	return edit.Run()
}

// copyGo copies the Go files of a package, its tests excepted.
func copyGo(from, to string) error {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() || filepath.Ext(e.Name()) != ".go" || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		content, err := os.ReadFile(filepath.Join(from, e.Name()))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, e.Name()), content, 0o644); err != nil {
			return err
		}
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

func compress(raw []byte, quick bool) error {
	codings, how := web.Best, "best"
	if quick {
		codings, how = web.Quick, "quick"
	}
	if err := os.WriteFile(hasty, []byte(how), 0o644); err != nil {
		return err
	}
	var wait sync.WaitGroup
	errs := make(chan error, len(codings))
	for coding, pack := range codings {
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
