package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

const smallProgram = "package main\n\nfunc main() { defer println(\"later\"); println(len(make([]string, 3)), recover()) }\n"

// linkedProgram compiles a program as run does, as the linker wrote it.
func linkedProgram(t *testing.T, text string) []byte {
	t.Helper()
	linker, _, err := steadyLinker("../..")
	if err != nil {
		t.Fatal(err)
	}
	return linkedBy(t, text, linker)
}

// linkedBy is a program by a flag of the go command's that chooses a linker.
func linkedBy(t *testing.T, text string, linker ...string) []byte {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":  "module small\n\ngo 1.26\n",
		"main.go": text,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	args := append([]string{"build", "-trimpath", "-ldflags=-s -w", "-o", "small.wasm"}, linker...)
	cmd := exec.Command("go", append(args, ".")...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOOS=js", "GOARCH=wasm", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	b, err := os.ReadFile(filepath.Join(dir, "small.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// sections are the module's sections but for code, data and those left out, one after the other, and the memory that the data
// fills.
func sections(t *testing.T, module []byte, leftOut ...byte) (others, memory []byte) {
	t.Helper()
	all, err := sectionsOf(module)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if s.id != codeSection && s.id != dataSection && !slices.Contains(leftOut, s.id) {
			others = append(append(others, s.id), s.body...)
		}
	}
	if memory, err = readData(sectionOf(all, dataSection)); err != nil {
		t.Fatal(err)
	}
	return others, memory
}

// started is the memory of the module and of its second part, if there is one, of this size at least, after their start,
// before the program runs. What lies beyond the size is zero.
func started(t *testing.T, size int, parts ...[]byte) []byte {
	t.Helper()
	dir := t.TempDir()
	memory := filepath.Join(dir, "memory")
	var files []string
	for i, part := range parts {
		files = append(files, filepath.Join(dir, fmt.Sprint("part", i)))
		if err := os.WriteFile(files[i], part, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const script = `const fs = require("fs"), [glue, memory, one, two] = process.argv.slice(1);
require(glue);
WebAssembly.instantiate(fs.readFileSync(one), new Go().importObject).then(({ instance }) => {
  if (two) new WebAssembly.Instance(new WebAssembly.Module(fs.readFileSync(two)), { first: instance.exports });
  fs.writeFileSync(memory, new Uint8Array(instance.exports.mem.buffer));
});`
	if out, err := exec.Command("node", append([]string{"-e", script, filepath.Join(glue(t), "wasm_exec.js"), memory}, files...)...).CombinedOutput(); err != nil {
		t.Fatalf("node, which comes with npm: %v: %s", err, out)
	}
	b, err := os.ReadFile(memory)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) < size || len(bytes.Trim(b[size:], "\x00")) > 0 {
		t.Fatalf("of %d bytes of memory others than the first %d are used", len(b), size)
	}
	return b[:size]
}

func TestTheProgramKeepsAllThatTheRuntimeNeeds(t *testing.T) {
	before := linkedProgram(t, smallProgram)
	after, note, err := shrink(before, false)
	if err != nil || note != "" {
		t.Fatal(note, err)
	}
	oldOthers, oldMemory := sections(t, before, typeSection, functionSection)
	newOthers, _ := sections(t, after, typeSection, functionSection, startSection)
	if !bytes.Equal(oldOthers, newOthers) {
		t.Error("sections beside code and data and what the start needs have changed")
	}
	newMemory := started(t, len(oldMemory), after)
	was, err := findTables(oldMemory)
	if err != nil {
		t.Fatal(err)
	}
	is, err := findTables(newMemory)
	if err != nil {
		t.Fatal(err)
	}
	if was.count != is.count || was.count < 500 {
		t.Fatalf("%d functions were there, %d are", was.count, is.count)
	}
	table := func(tab pclntab, at uint32) []byte {
		if at == 0 {
			return nil
		}
		n, err := tableSize(tab.pcs[at:])
		if err != nil {
			t.Fatal(err)
		}
		return tab.pcs[at : int(at)+n]
	}
	name := func(tab pclntab, f function) string {
		text, _, _ := bytes.Cut(tab.names[f.get(fieldName):], []byte{0})
		return string(text)
	}
	dropped := map[int]bool{fieldFile: true, fieldLine: true}
	for _, i := range []int{pcdataUnsafePoint, pcdataInlTreeIndex, pcdataArgLiveIndex} {
		dropped[funcSize/4+i] = true
	}
	oldCode, newCode := functions(t, before), functions(t, after)
	renumbered := map[int]bool{}
	stacks, returned := 0, 0
	for i := range was.count {
		old, _ := was.function(i)
		f, _ := is.function(i)
		n, err := sameLookups(oldCode[old.number()], newCode[f.number()], old, f, was.pcs, is.pcs)
		if err != nil {
			t.Errorf("%s: %v", name(was, old), err)
		}
		renumbered[i] = !old.assembly()
		returned += n
	}
	if returned < 5000 {
		t.Errorf("only %d program counters were compared", returned)
	}
	for i := range was.count {
		old, _ := was.function(i)
		f, _ := is.function(i)
		if name(was, old) == "" || name(was, old) != name(is, f) {
			t.Errorf("%s is called %q", name(was, old), name(is, f))
		}
		for j := range old.fields() {
			want := table(was, old.get(j))
			if dropped[j] {
				want = nil
			} else if len(want) > 0 && renumbered[i] {
				stacks++
				continue // compared by sameLookups
			}
			if !bytes.Equal(table(is, f.get(j)), want) {
				t.Errorf("table %d of %s has changed", j, name(was, old))
			}
		}
		// The tables are compared; the rest is as it was, but for what tracebacks read.
		plain := bytes.Clone(old)
		for j := range old.fields() {
			function(plain).set(j, f.get(j))
		}
		for _, j := range []int{fieldCU, fieldStartLine} {
			function(plain).set(j, 0)
		}
		function(plain).set(fieldName, f.get(fieldName)) // the names are compared
		if renumbered[i] {
			function(plain).set(fieldDeferReturn, f.get(fieldDeferReturn))
		}
		for _, j := range tracesOnly {
			function(plain).setFuncData(j, noData)
		}
		if !bytes.Equal(plain, f) {
			t.Errorf("%s has changed: % x, want % x", name(was, old), []byte(f), plain)
		}
	}
	if stacks < 500 {
		t.Errorf("only %d tables for stacks were compared", stacks)
	}
	// Around the tables nothing has changed.
	begin := bytes.Index(oldMemory, was.names) // after the header
	end := begin + len(was.names) + len(was.cus) + len(was.files) + len(was.pcs)
	if !bytes.Equal(oldMemory[:begin], newMemory[:begin]) || len(oldMemory) != len(newMemory) {
		t.Error("the memory before the tables, or its size, has changed")
	}
	last, _ := was.function(was.count - 1)
	behind := end + bytes.Index(oldMemory[end:], last) + len(last)
	data := behind + bytes.Index(oldMemory[behind:], was.data)
	beyond := data + len(was.data)
	if !bytes.Equal(oldMemory[behind:data], newMemory[behind:data]) || !bytes.Equal(oldMemory[beyond:], newMemory[beyond:]) {
		t.Error("the memory behind the tables has changed")
	}
	// Of what the functions' data are, those for tracebacks alone are gone, and no other.
	begins := map[uint32]bool{uint32(len(was.data)): true}
	for i := range was.count {
		f, _ := was.function(i)
		for which := range f.funcdatas() {
			if at := f.funcdata(which); at != noData {
				begins[at] = true
			}
		}
	}
	ordered := slices.Sorted(maps.Keys(begins))
	gone := 0
	for i, at := range ordered[:len(ordered)-1] {
		piece := func(from []byte) []byte { return from[at:ordered[i+1]] }
		if kept := used(is, at); kept && !bytes.Equal(piece(was.data), piece(is.data)) {
			t.Errorf("the data at %d have changed", at)
		} else if !kept && len(bytes.Trim(piece(is.data), "\x00")) == 0 {
			gone += len(piece(is.data))
		}
	}
	if gone < len(was.data)/2 {
		t.Errorf("only %d of %d bytes of functions' data are gone", gone, len(was.data))
	}
}

// used says whether a function has data at an offset.
func used(tab pclntab, at uint32) bool {
	for i := range tab.count {
		f, _ := tab.function(i)
		for which := range f.funcdatas() {
			if f.funcdata(which) == at {
				return true
			}
		}
	}
	return false
}

// functions are the bodies in a module's code section.
func functions(t *testing.T, module []byte) [][]byte {
	t.Helper()
	m, err := readModule(module)
	if err != nil {
		t.Fatal(err)
	}
	return m.bodies
}

// sameLookups says how many program counters the function's calls leave and compares what the runtime finds for them
// before and after: where it goes on, how large the stack is, which map of its pointers holds.
func sameLookups(before, after []byte, old, is function, oldPCs, newPCs []byte) (int, error) {
	_, was, err := tightenFunction(before)
	if err != nil {
		return 0, err
	}
	r := reader{b: after}
	for n := r.uleb(); n > 0; n-- {
		r.uleb()
		r.byte()
	}
	code, err := instructions(&r)
	if err != nil {
		return 0, err
	}
	base := (firstFunction + old.number()) << 16
	kept := len(code) > 3 && code[2].op == opI64Const && code[2].n == base && code[3].op == opLocalSet && code[3].n == 2
	type counter struct {
		n       int64
		returns bool
	}
	var from, to []counter
	var oldJumps, newJumps []uint64
	for i, c := range was {
		if c.op == opI64Const && c.n&^0xffff == base {
			from = append(from, counter{c.n & 0xffff, returns(was, i)})
		}
		if c.op == opBrTable {
			oldJumps = c.table
		}
	}
	for i, c := range code {
		if !kept && c.op == opI64Const && c.n&^0xffff == base {
			to = append(to, counter{c.n & 0xffff, returns(code, i)})
		}
		if kept && c.op == opLocalGet && c.n == 2 {
			n := int64(0)
			if code[i+1].op == opI64Const && code[i+2].op == opI64Or {
				n = code[i+1].n
			}
			to = append(to, counter{n, returns(code, i)})
		}
		if c.op == opBrTable {
			newJumps = c.table
		}
	}
	if len(from) != len(to) {
		return 0, fmt.Errorf("%d calls have become %d", len(from), len(to))
	}
	value := func(pcs []byte, table uint32, pc int64) int32 {
		s, err := valuesOf(pcs, table)
		if err != nil || len(s.ends) > 0 && int(pc) >= int(s.ends[len(s.ends)-1]) {
			return -1000 // where the runtime throws
		}
		return s.at(uint32(pc))
	}
	jump := func(table []uint64, n int64) uint64 { // the last entry is for all that follow
		if len(table) == 0 {
			return 0
		}
		return table[min(int(n), len(table)-1)]
	}
	if d := int64(old.get(fieldDeferReturn)); d != 0 {
		from = append(from, counter{d, true}, counter{d + 1, true})
		n := int64(is.get(fieldDeferReturn))
		to = append(to, counter{n, true}, counter{n + 1, true})
	}
	for i, a := range from {
		b := to[i]
		if a.returns != b.returns || a.returns && jump(oldJumps, a.n) != jump(newJumps, b.n) {
			return 0, fmt.Errorf("from %d it goes on at %d, from %d at %d", a.n, jump(oldJumps, a.n), b.n, jump(newJumps, b.n))
		}
		if x, y := value(oldPCs, old.get(fieldSP), a.n), value(newPCs, is.get(fieldSP), b.n); x != y || x < 0 {
			return 0, fmt.Errorf("the stack at %d is %d, at %d it is %d", a.n, x, b.n, y)
		}
		if a.n == 0 || b.n == 0 {
			if a.n != b.n {
				return 0, fmt.Errorf("%d has become %d", a.n, b.n)
			}
			continue // the runtime takes the map of its begin
		}
		x := value(oldPCs, old.pcdata(pcdataStackMapIndex), a.n-1)
		if y := value(newPCs, is.pcdata(pcdataStackMapIndex), b.n-1); x != y {
			return 0, fmt.Errorf("the pointers before %d are %d, before %d %d", a.n, x, b.n, y)
		}
	}
	return len(from), nil
}

func TestTracesCanBeKept(t *testing.T) {
	before := linkedProgram(t, smallProgram)
	after, note, err := shrink(before, true)
	if err != nil || note != "" {
		t.Fatal(note, err)
	}
	oldOthers, oldMemory := sections(t, before)
	newOthers, newMemory := sections(t, after)
	if !bytes.Equal(oldOthers, newOthers) || !bytes.Equal(oldMemory, newMemory) {
		t.Error("the program is another one")
	}
}

func TestAnUnknownLayoutIsLeftAlone(t *testing.T) {
	before := linkedProgram(t, smallProgram)
	header := bytes.Index(before, []byte(pcHeaderMagic))
	before[header] ^= 1 // another version of the tables
	after, note, err := shrink(before, false)
	if err != nil || note == "" {
		t.Fatalf("note %q, error %v", note, err)
	}
	_, oldMemory := sections(t, before)
	if _, newMemory := sections(t, after); !bytes.Equal(oldMemory, newMemory) {
		t.Error("the program is another one")
	}
}

func TestTablesThatDoNotCountOnStay(t *testing.T) {
	before := linkedProgram(t, smallProgram)
	_, linked := sections(t, before)
	memory, err := dropTracebacks(linked, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := pack(memory); err != nil {
		t.Fatal(err)
	}
	tables, err := findTables(memory)
	if err != nil {
		t.Fatal(err)
	}
	memory[tables.counted.buckets+bucketSize*1000]++
	if _, _, err := pack(memory); err == nil {
		t.Error("a bucket with another function: no error")
	}
	if _, _, err := pack(linked); err == nil {
		t.Error("tables in another order than the functions: no error")
	}
}

func TestAModuleThatStartsWithSomethingStays(t *testing.T) {
	sections := []section{{typeSection, []byte{0}}, {importSection, []byte{1, 1, 'a', 1, 'b', 0, 0}}, {functionSection, []byte{0}},
		{elementSection, []byte{0}}, {codeSection, []byte{0}}}
	with, err := addStart(sections, []byte{0, opEnd})
	if err != nil {
		t.Fatal(err)
	}
	want := []section{{typeSection, []byte{1, 0x60, 0, 0}}, sections[1], {functionSection, []byte{1, 0}}, {startSection, []byte{1}},
		sections[3], {codeSection, []byte{1, 2, 0, opEnd}}}
	if fmt.Sprint(with) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", with, want)
	}
	if _, err := addStart(with, []byte{0, opEnd}); err == nil {
		t.Error("two starts: no error")
	}
	if _, err := addStart(sections[1:], []byte{0, opEnd}); err == nil {
		t.Error("no types: no error")
	}
}

func TestMemoryIsTheSameAfterItWasWritten(t *testing.T) {
	memory := make([]byte, 100_000)
	for _, at := range []int{1, 2, 63, 64, 1500, 9_000, 9_001, 70_000, 99_999} {
		memory[at] = byte(at) | 1
	}
	got, err := readData(writeData(memory))
	if err != nil || !bytes.Equal(got, memory) {
		t.Fatalf("%d bytes came back, %v", len(got), err)
	}
}

func TestMalformedModulesAreErrors(t *testing.T) {
	section := func(body ...byte) []byte {
		return append(binary.AppendUvarint([]byte("\x00asm\x01\x00\x00\x00\x0b"), uint64(len(body))), body...)
	}
	for name, module := range map[string][]byte{
		"empty":            nil,
		"not wasm":         []byte("GIF89a..."),
		"section too long": []byte("\x00asm\x01\x00\x00\x00\x0b\x7f"),
		"segment too long": section(1, 0, 0x41, 0, 0x0b, 9, 1),
		"passive segment":  section(1, 1, 1, 1),
		"computed address": section(1, 0, 0x23, 0, 0x0b, 0),
		"negative address": section(1, 0, 0x41, 0x7f, 0x0b, 1, 1),
		"no segment":       section(3),
	} {
		if _, _, err := shrink(module, true); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
