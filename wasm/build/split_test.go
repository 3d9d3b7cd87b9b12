package main

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// touching is a script that has web/ahead.js touch functions of what it takes for an instance of a module.
const touching = `const touching = (ahead, module, instance, lists) => {
  const self = { postMessage: ({ error }) => { if (error) throw new Error(error); } };
  const { Module } = WebAssembly;
  new Function("self", "WebAssembly", require("fs").readFileSync(ahead, "utf8"))(self, { Module, Instance: function () { return instance; } });
  return self.onmessage({ data: { program: module, lists } });
};
`

// inParts runs a program in two parts with the page's own scripts. The second part comes when it is missed, or when the
// program has been waiting for a while. All functions of the first part that can be touched are touched before.
const inParts = touching + `const [glue, web, one, two, late] = process.argv.slice(2), { fs, path } = Object.assign(globalThis, { fs: require("fs"), path: require("path"), starling: {} });
require(glue);
new Function(fs.readFileSync(path.join(web, "parts.js"), "utf8"))();
const go = new Go();
go.env = { TMPDIR: "/tmp" };
go.exit = process.exit;
const rest = () => new WebAssembly.Module(fs.readFileSync(two));
WebAssembly.instantiate(fs.readFileSync(one), go.importObject).then(async ({ instance, module }) => {
  await touching(path.join(web, "ahead.js"), module, instance, ["return", "visit"]);
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
	return printed(t, filepath.Join(dir, "run.js"), filepath.Join(glue(t), "wasm_exec.js"), filepath.Join("..", "..", "web"),
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
		first, of := functionLists{all: map[string]bool{}}, rand.New(rand.NewPCG(seed, 1))
		for _, name := range names {
			// From nothing but what must be there to nearly all.
			if of.Uint64N(7) < seed%7 {
				first.all[name] = true
			}
			n := of.IntN(len(first.order))
			first.order[n] = append(first.order[n], name)
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

// What is to be touched is touched, and nothing else.
func TestTheStepsLeadToTheFunctions(t *testing.T) {
	of := rand.New(rand.NewPCG(1, 1))
	lists := [][]int{{0}, {253, 0, 254}, {255}, {509, 1, 5000, 508, 254, 1}, {}, of.Perm(3000)}
	const script = touching + `const [ahead, ...lists] = process.argv.slice(1), numbers = [];
const exports = { touch: (n) => numbers.push(n) };
let module = [0, 97, 115, 109, 1, 0, 0, 0];
for (const list of JSON.parse(lists[0])) {
  const steps = [4, ...Buffer.from("list"), ...Buffer.from(list ?? "", "base64")], size = [];
  let n = steps.length;
  for (; n >= 128; n >>= 7) size.push(n & 127 | 128);
  module.push(0, ...size, n, ...steps);
}
touching(ahead, new WebAssembly.Module(Uint8Array.from(module)), { exports }, ["list", "none"]).then(() => console.log(JSON.stringify(numbers)));`
	var sections [][]byte
	var want []int
	for _, list := range lists {
		sections = append(sections, stepsTo(list))
		for some := range slices.Chunk(list, touchedAtOnce) {
			want = append(want, slices.Compact(slices.Sorted(slices.Values(some)))...)
		}
	}
	asked, err := json.Marshal(sections)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("node", "-e", script, filepath.Join("..", "..", "web", "ahead.js"), string(asked)).CombinedOutput()
	if err != nil {
		t.Fatalf("node, which comes with npm: %v: %s", err, out)
	}
	var got []int
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%d functions are touched, want %d, the first ones %d, want %d", len(got), len(want), got[:min(len(got), 10)], want[:10])
	}
}

// The parts together have each function once, and as much of the memory as the whole.
func TestThePartsAreTheWhole(t *testing.T) {
	linked := linkedProgram(t, smallProgram)
	whole, _, err := shrink(linked, false)
	if err != nil {
		t.Fatal(err)
	}
	one, two, err := split(linked, whole, functionLists{})
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
	program := filepath.Join(t.TempDir(), "program.wasm")
	if err := os.WriteFile(program, noting, 0o644); err != nil {
		t.Fatal(err)
	}
	const script = `const [glue, program] = process.argv.slice(1), { fs } = Object.assign(globalThis, { fs: require("fs"), path: require("path") });
require(glue);
const go = new Go();
WebAssembly.instantiate(fs.readFileSync(program), go.importObject).then(async ({ instance }) => {
  await go.run(instance);
  const notes = new Uint8Array(instance.exports.mem.buffer, 0, 4096);
  console.log(JSON.stringify([...Array(8 * notes.length).keys()].filter((n) => notes[n >> 3] >> (n & 7) & 1)));
});`
	out, err := exec.Command("node", "-e", script, filepath.Join(glue(t), "wasm_exec.js"), program).Output()
	if err != nil {
		t.Fatalf("node, which comes with npm: %v", err)
	}
	var noted []int
	if err := json.Unmarshal(out[bytes.IndexByte(out, '['):], &noted); err != nil {
		t.Fatalf("%v: %s", err, out)
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
	if _, err := called(all, []int{len(all)}); err == nil {
		t.Error("no function of Go called: no error")
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
		if _, _, err := split(modules[0], modules[1], functionLists{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
