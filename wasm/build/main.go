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
	linked = ".cache/linked.wasm"  // as the Go linker writes it
	made   = ".cache"              // where the parts that are served are made
	out    = "web/wasm"            // and their compressed forms
	hasty  = ".cache/app.wasm.how" // "quick" where the compressed forms are

	agreedSize = "wasm/build/size.txt" // bytes of the compressed parts, see the test

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
	watch := flag.Bool("watched", false, "build a program that notes which functions were called, see 'make first'")
	notes := flag.String("learn", "", "build nothing, but take what this file notes for the first part's functions")
	flag.Parse()
	var err error
	if *notes != "" {
		err = learn(linked, *notes)
	} else {
		err = run(options{*report, *plain, *quick, *traces, *accept, *watch})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "build:", err)
		os.Exit(1)
	}
}

type options struct{ report, plain, quick, traces, accept, watched bool }

func run(o options) error {
	if o.accept && (o.plain || o.quick || o.traces || o.watched) {
		return errors.New("-accept goes with none of -plain, -quick, -traces and -watched: it is about the program as it is served")
	}
	if err := os.MkdirAll(made, 0o755); err != nil {
		return err
	}
	args := []string{"build", "-trimpath", "-ldflags=-s -w", "-o", linked}
	if !o.plain {
		if err := patchGoApp(); err != nil {
			return fmt.Errorf("patch go-app: %w", err)
		}
		args = append(args, "-modfile="+modfile)
		if overlay, err := patchedSources(".", stdPatch, stdDir); err != nil {
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
	parts, notes, err := makeParts(o)
	if err != nil {
		return err
	}
	for _, note := range notes {
		fmt.Fprintln(os.Stderr, "build:", note)
	}
	quick := o.quick || o.watched
	mark, _ := os.ReadFile(hasty) // missing: never built, or not to the end
	again := !complete() || len(mark) == 0 || string(mark) == "quick" && !quick
	raw := 0
	for name, part := range parts {
		raw += len(part)
		before, _ := os.ReadFile(filepath.Join(made, name)) // missing at first
		again = again || !bytes.Equal(before, part)
	}
	if again {
		// Without the mark, which comes last, what an interrupted build leaves is made again.
		if err := os.RemoveAll(hasty); err != nil {
			return err
		}
		if err := compress(parts, quick); err != nil {
			return err
		}
		for name, part := range parts {
			if err := os.WriteFile(filepath.Join(made, name), part, 0o644); err != nil {
				return err
			}
		}
		how := "best"
		if quick {
			how = "quick"
		}
		if err := os.WriteFile(hasty, []byte(how), 0o644); err != nil {
			return err
		}
	}
	if !o.report && !o.accept {
		return nil
	}
	sizes, err := compressedSizes(out)
	if err != nil {
		return err
	}
	first, second := sizes[web.Parts[0]], sizes[web.Parts[1]]
	if o.accept {
		return os.WriteFile(agreedSize, []byte(strconv.Itoa(first+second)+"\n"), 0o644)
	}
	fmt.Printf("{\"figure\":\"bundle bytes\",\"raw\":%d,\"brotli\":%d,\"first part\":%d}\n", raw, first+second, first)
	return nil
}

// compressedSizes are the bytes of the parts' smallest forms in the directory, by their names.
func compressedSizes(dir string) (map[string]int, error) {
	sizes := map[string]int{}
	for _, name := range web.Parts {
		info, err := os.Stat(filepath.Join(dir, name+web.Extensions["br"]))
		if err != nil {
			return nil, err
		}
		sizes[name] = int(info.Size())
	}
	return sizes, nil
}

// makeParts makes what is served of the linked program, by the names of its parts, with notes of what could not be done.
func makeParts(o options) (parts map[string][]byte, notes []string, err error) {
	as, err := os.ReadFile(linked)
	if err != nil {
		return nil, nil, err
	}
	module, note, err := shrink(as, o.traces)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", linked, err)
	}
	if note != "" {
		notes = append(notes, note)
	}
	one, two := module, []byte(noProgram)
	if o.watched {
		if one, err = watched(module); err != nil {
			return nil, nil, err
		}
	} else {
		first, err := readFunctions()
		if err != nil {
			return nil, nil, err
		}
		if a, b, err := split(as, module, first); err != nil {
			notes = append(notes, "the program stays in one part: "+err.Error())
		} else {
			one, two = a, b
		}
	}
	return map[string][]byte{web.Parts[0]: one, web.Parts[1]: two}, notes, nil
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
	for _, name := range web.Parts {
		for _, ext := range web.Extensions {
			if _, err := os.Stat(filepath.Join(out, name+ext)); err != nil {
				return false
			}
		}
	}
	return true
}

func compress(parts map[string][]byte, quick bool) error {
	codings := web.Best
	if quick {
		codings = web.Quick
	}
	var wait sync.WaitGroup
	errs := make(chan error, len(parts)*len(codings))
	for name, part := range parts {
		for coding, pack := range codings {
			wait.Go(func() {
				packed, err := pack(part)
				if err == nil {
					err = os.WriteFile(filepath.Join(out, name+web.Extensions[coding]), packed, 0o644)
				}
				errs <- err
			})
		}
	}
	wait.Wait()
	close(errs)
	var all error
	for err := range errs {
		all = errors.Join(all, err)
	}
	return all
}
