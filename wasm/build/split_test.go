package main

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// inParts runs a program in two parts with the page's own script. The second part comes when it is missed, or when the
// program has been waiting for a while.
const inParts = `const [glue, parts, one, two, late] = process.argv.slice(2), { fs } = Object.assign(globalThis, { fs: require("fs"), path: require("path"), starling: {} });
require(glue);
new Function(fs.readFileSync(parts, "utf8"))();
const go = new Go();
go.env = { TMPDIR: "/tmp" };
go.exit = process.exit;
const rest = () => new WebAssembly.Module(fs.readFileSync(two));
WebAssembly.instantiate(fs.readFileSync(one), go.importObject).then(({ instance }) => {
  let asked = 0;
  const now = () => {
    if (late && asked++ < 3) throw new Error("not yet"); // the page's events go on
    return rest();
  };
  const { run, complete } = starling.parted(go, instance, now);
  if (late) {
    process.on("uncaughtException", () => {});
    process.on("unhandledRejection", () => {});
    setTimeout(() => complete(rest), 50);
  }
  return run();
}).catch((err) => late || (console.error(err), process.exit(1)));
`

// ranInParts is what the acrobat prints in two parts.
func ranInParts(t *testing.T, one, two []byte, late string) string {
	t.Helper()
	dir := t.TempDir()
	files := map[string][]byte{"run.js": []byte(inParts), "one.wasm": one, "two.wasm": two}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return printed(t, filepath.Join(dir, "run.js"), filepath.Join(glue(t), "wasm_exec.js"), filepath.Join("..", "..", "web", "parts.js"),
		filepath.Join(dir, "one.wasm"), filepath.Join(dir, "two.wasm"), late)
}

func TestTheProgramDoesTheSameInTwoParts(t *testing.T) {
	linked := linkedProgram(t, acrobat)
	whole, note, err := shrink(linked, false)
	if err != nil || note != "" {
		t.Fatal(note, err)
	}
	want := ran(t, whole)
	_, names, err := functionNames(linked)
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(14) {
		first, of := map[string]bool{}, rand.New(rand.NewPCG(seed, 1))
		for _, name := range names {
			// From nothing but what must be there to nearly all.
			if of.Uint64N(7) < seed%7 {
				first[name] = true
			}
		}
		one, two, err := split(linked, whole, first)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%d and %d bytes", len(one), len(two))
		for _, late := range []string{"", "late"} {
			if got := ranInParts(t, one, two, late); got != want {
				t.Errorf("in parts of seed %d, %s, it prints\n%s\nwant\n%s", seed, late, got, want)
			}
		}
	}
}

// The parts together have each function once, and as much of the memory as the whole.
func TestThePartsAreTheWhole(t *testing.T) {
	linked := linkedProgram(t, smallProgram)
	whole, _, err := shrink(linked, false)
	if err != nil {
		t.Fatal(err)
	}
	one, two, err := split(linked, whole, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, all := sections(t, linked)
	_, names, err := functionNames(linked)
	if err != nil {
		t.Fatal(err)
	}
	_, early := sections(t, one)
	_, late := sections(t, two)
	if name := []byte("main.main\x00"); bytes.Contains(early, name) || !bytes.Contains(late, name) || !bytes.Contains(late, []byte(names[len(names)-1])) {
		t.Error("the names of functions do not come late")
	}
	if !bytes.Contains(early, []byte("runtime.gcStart\x00")) {
		t.Error("the runtime lacks names of its own functions")
	}
	if !bytes.Equal(started(t, len(all), one, two), started(t, len(all), whole)) {
		t.Error("the memory is another one when both parts are there")
	}
}

func TestAWatchedProgramNotesWhatItCalls(t *testing.T) {
	linked := linkedProgram(t, smallProgram)
	whole, _, err := shrink(linked, false)
	if err != nil {
		t.Fatal(err)
	}
	noting, err := watched(whole)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	program, file := filepath.Join(dir, "program.wasm"), filepath.Join(dir, "notes")
	if err := os.WriteFile(program, noting, 0o644); err != nil {
		t.Fatal(err)
	}
	const script = `const [glue, program, notes] = process.argv.slice(1), { fs } = Object.assign(globalThis, { fs: require("fs"), path: require("path") });
require(glue);
const go = new Go();
WebAssembly.instantiate(fs.readFileSync(program), go.importObject).then(async ({ instance }) => {
  await go.run(instance);
  fs.writeFileSync(notes, new Uint8Array(instance.exports.mem.buffer, 0, 4096));
});`
	if out, err := exec.Command("node", "-e", script, filepath.Join(glue(t), "wasm_exec.js"), program, file).CombinedOutput(); err != nil {
		t.Fatalf("node, which comes with npm: %v: %s", err, out)
	}
	noted, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, all, err := functionNames(linked)
	if err != nil {
		t.Fatal(err)
	}
	names, err := called(all, noted)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"main.main": true, "main.main.deferwrap1": true, "runtime.schedinit": true, "runtime.gcStart": false, "runtime.throw": false} {
		if slices.Contains(names, name) != want {
			t.Errorf("%s called: %t, of %d functions", name, !want, len(names))
		}
	}
	if _, err := called(all, make([]byte, notes)); err == nil {
		t.Error("nothing called: no error")
	}
}

func TestAProgramOfAnotherToolchainIsNotSplit(t *testing.T) {
	linked := linkedProgram(t, smallProgram)
	whole, _, err := shrink(linked, false)
	if err != nil {
		t.Fatal(err)
	}
	unknown := bytes.Clone(linked)
	unknown[bytes.Index(unknown, []byte(pcHeaderMagic))] ^= 1 // another version of the tables
	for name, modules := range map[string][2][]byte{
		"no tables":  {unknown, whole},
		"no module":  {linked, []byte("GIF89a...")},
		"no globals": {linked, []byte(noProgram)},
	} {
		if _, _, err := split(modules[0], modules[1], nil); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
