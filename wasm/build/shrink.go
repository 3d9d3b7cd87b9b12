package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// The program as the Go linker writes it carries what only tracebacks read, and leaves out short runs of zeroes of its
// data at the price of a hundred thousand segments, whose headers do not compress. shrink mends both, tightens the code
// (see code.go), has the module write at its start what only counts on (see unpack.go) and changes nothing that the program
// does: types and what the garbage collector reads are as they were.
//
// A traceback of the smaller program names the functions, without files, lines, arguments and inlined callers.

// shrink returns the wasm module with its code tightened, its data in few segments and, unless traces are to be kept,
// without the tables for tracebacks. These stay also where their layout is not the one of Go 1.26, with a note that says so.
func shrink(module []byte, traces bool) (smaller []byte, note string, err error) {
	sections, err := sectionsOf(module)
	if err != nil {
		return nil, "", err
	}
	code := sectionOf(sections, codeSection)
	memory, err := readData(sectionOf(sections, dataSection))
	if err != nil {
		return nil, "", err
	}
	var tight, start []byte
	small := memory
	if !traces {
		if tight, small, err = shrinkTables(code, memory); err != nil {
			note, traces = "the tables for tracebacks stay: "+err.Error(), true
		}
	}
	if traces {
		if tight, _, err = tighten(code, nil); err != nil {
			return nil, "", err
		}
		small = memory
	} else if packed, c, err := pack(small); err != nil {
		note = "the tables stay as they are: " + err.Error()
	} else {
		small, start = packed, c.start()
	}
	for i, s := range sections {
		switch s.id {
		case codeSection:
			sections[i].body = tight
		case dataSection:
			sections[i].body = writeData(small)
		}
	}
	if start != nil {
		if sections, err = addStart(sections, start); err != nil {
			return nil, "", err
		}
	}
	return moduleWith(sections), note, nil
}

const moduleBegin = "\x00asm\x01\x00\x00\x00"

// section is one of a module's, by its id, without its header.
type section struct {
	id   byte
	body []byte
}

// sectionsOf are those of a module.
func sectionsOf(module []byte) ([]section, error) {
	if !bytes.HasPrefix(module, []byte(moduleBegin)) {
		return nil, errors.New("not a wasm module")
	}
	var sections []section
	for r := (reader{b: module, at: len(moduleBegin)}); r.at < len(module); {
		id := r.byte()
		size := int(r.uleb())
		if r.err != nil || size > len(module)-r.at {
			return nil, errors.New("malformed wasm section")
		}
		sections = append(sections, section{id, module[r.at : r.at+size]})
		r.at += size
	}
	return sections, nil
}

// sectionOf is the body of the section of this kind, nothing if there is none.
func sectionOf(sections []section, id byte) []byte {
	for _, s := range sections {
		if s.id == id {
			return s.body
		}
	}
	return nil
}

// moduleWith is the module of these sections.
func moduleWith(sections []section) []byte {
	out := []byte(moduleBegin)
	for _, s := range sections {
		out = append(out, s.id)
		out = binary.AppendUvarint(out, uint64(len(s.body)))
		out = append(out, s.body...)
	}
	return out
}

// shrinkTables returns the code tightened, with new numbers of its blocks, and the memory that goes with it, without what
// only tracebacks read.
func shrinkTables(code, from []byte) (tight, memory []byte, err error) {
	t, err := findTables(from)
	if err != nil {
		return nil, nil, err
	}
	tight, numbers, err := tighten(code, &t)
	if err != nil {
		return nil, nil, err
	}
	memory, err = dropTracebacks(from, numbers)
	return tight, memory, err
}

// readData returns the memory that a data section fills, from address 0.
func readData(section []byte) ([]byte, error) {
	const most = 1 << 28
	if len(section) == 0 {
		return nil, nil
	}
	r := reader{b: section}
	var memory []byte
	for n := r.uleb(); n > 0 && r.err == nil; n-- {
		// An active segment of memory 0: its address by i32.const, and its bytes.
		if r.byte() != 0 || r.byte() != 0x41 {
			return nil, errors.New("a data segment of another kind than the Go linker writes")
		}
		address := r.sleb()
		if r.byte() != 0x0b {
			return nil, errors.New("a data segment's address is not a constant")
		}
		size := r.uleb()
		if r.err != nil || address < 0 || address > most || size > uint64(len(section)-r.at) {
			return nil, errors.New("malformed data segment")
		}
		end := int(address) + int(size)
		if end > len(memory) {
			memory = append(memory, make([]byte, end-len(memory))...)
		}
		copy(memory[address:], section[r.at:r.at+int(size)])
		r.at += int(size)
	}
	return memory, r.err
}

// writeData is the data section that fills memory, which is zero before. Zeroes are cheap for every compression, headers
// are not.
func writeData(memory []byte) []byte {
	const gap = 1024 // so many zeroes end a segment
	var segments []byte
	count := 0
	for at := 0; at < len(memory); {
		if memory[at] == 0 {
			at++
			continue
		}
		end, zeroes := at, 0 // the segment ends after its last byte that is not zero
		for i := at; i < len(memory) && zeroes < gap; i++ {
			if memory[i] == 0 {
				zeroes++
			} else {
				end, zeroes = i+1, 0
			}
		}
		segments = append(segments, 0, 0x41)
		segments = appendSleb(segments, int64(at))
		segments = append(segments, 0x0b)
		segments = binary.AppendUvarint(segments, uint64(end-at))
		segments = append(segments, memory[at:end]...)
		count++
		at = end
	}
	return append(binary.AppendUvarint(nil, uint64(count)), segments...)
}

// Sections of a module.
const (
	customSection   = 0
	typeSection     = 1
	importSection   = 2
	functionSection = 3
	globalSection   = 6
	exportSection   = 7
	startSection    = 8
	elementSection  = 9
	codeSection     = 10
	dataSection     = 11
)

// What Go 1.26 calls these numbers in internal/abi and runtime.
const (
	pcHeaderMagic = "\xf1\xff\xff\xff\x00\x00\x01\x08" // version, padding, size of an instruction and of a pointer on wasm
	pcHeaderSize  = 9 * 8                              // the header's words, after which the names begin
	funcSize      = 11 * 4                             // runtime._func without what follows it
	noData        = ^uint32(0)

	pcdataUnsafePoint   = 0 // for preemption by signals, which wasm has not
	pcdataStackMapIndex = 1
	pcdataInlTreeIndex  = 2
	pcdataArgLiveIndex  = 3

	funcdataInlTree     = 3
	funcdataArgInfo     = 5
	funcdataArgLiveInfo = 6

	// Words of runtime.moduledata. These lie in the memory one after the other: the functions and their index (a slice), the
	// funcdata, the buckets of program counters.
	modulePCLN        = 13
	moduleFindFunc    = 19
	moduleGoFunc      = 40
	moduleEndOfTables = 41
	moduleSize        = 42 * 8
)

// tracesOnly are the funcdata that only tracebacks read.
var tracesOnly = []int{funcdataInlTree, funcdataArgInfo, funcdataArgLiveInfo}

// pclntab is the runtime's tables by program counter inside of the memory.
type pclntab struct {
	names, cus, files, pcs, funcs []byte
	data                          []byte // what the functions' funcdata are offsets into
	count                         int
	counted                       counted
}

// findTables returns the tables after having checked that each of the functions in them looks as it must.
func findTables(memory []byte) (pclntab, error) {
	for from := 0; ; {
		i := bytes.Index(memory[from:], []byte(pcHeaderMagic))
		if i < 0 {
			return pclntab{}, errors.New("they are not as Go 1.26 writes them")
		}
		if t, ok := tablesAt(memory, from+i); ok {
			return t, nil
		}
		from += i + 1
	}
}

func tablesAt(memory []byte, at int) (t pclntab, ok bool) {
	if len(memory)-at < pcHeaderSize {
		return t, false
	}
	word := func(i int) int { return int(binary.LittleEndian.Uint64(memory[at+8*i:])) }
	t.count = word(1)
	names, cus, files, pcs, funcs := word(4), word(5), word(6), word(7), word(8)
	if names != pcHeaderSize || cus < names || files < cus || pcs < files || funcs < pcs ||
		funcs >= len(memory)-at || t.count <= 0 || t.count > (len(memory)-at-funcs)/funcSize {
		return t, false
	}
	part := func(from, to int) []byte { return memory[at+from : at+to] }
	t.names, t.cus, t.files, t.pcs = part(names, cus), part(cus, files), part(files, pcs), part(pcs, funcs)
	t.funcs = memory[at+funcs:]
	module, ok := moduleOf(memory, at, at+names)
	if !ok {
		return t, false
	}
	word = func(i int) int { return int(binary.LittleEndian.Uint64(module[8*i:])) }
	from, to, end := word(moduleGoFunc), word(moduleFindFunc), word(moduleEndOfTables)
	if last := word(modulePCLN) + word(modulePCLN+1); word(modulePCLN) != at+funcs || last > from || from-last >= 64 || // aligned
		from > to || to > end || end > len(memory) {
		return t, false
	}
	t.data = memory[from:to]
	t.counted = counted{index: at + funcs, entries: at + funcs, names: at + names, pcs: at + pcs, buckets: to, beyond: end, count: t.count}
	if t.count > 0 {
		t.counted.first = int(binary.LittleEndian.Uint32(t.funcs[4:]))
	}
	for i := range t.count {
		f, ok := t.function(i)
		if !ok || int(f.get(fieldName)) >= len(t.names) {
			return t, false
		}
		for j := range f.fields() {
			if int(f.get(j)) >= len(t.pcs) {
				return t, false
			}
		}
	}
	return t, true
}

// moduleOf is the runtime's moduledata, which begins with the addresses of the tables' header and names.
func moduleOf(memory []byte, header, names int) ([]byte, bool) {
	begin := binary.LittleEndian.AppendUint64(nil, uint64(header))
	begin = binary.LittleEndian.AppendUint64(begin, uint64(names))
	at := bytes.Index(memory, begin)
	if at < 0 || len(memory)-at < moduleSize {
		return nil, false
	}
	return memory[at : at+moduleSize], true
}

// function is a runtime._func with its pcdata and funcdata: numbers of 32 bits.
type function []byte

const (
	fieldEntry       = 0
	fieldName        = 1
	fieldDeferReturn = 3
	fieldSP          = 4
	fieldFile        = 5
	fieldLine        = 6
	fieldPCData      = 7 // how many pcdata follow; the last byte of all says how many funcdata
	fieldCU          = 8
	fieldStartLine   = 9
	fieldStackMap    = funcSize/4 + pcdataStackMapIndex
	flagsByte        = 41 // in which
	flagAssembly     = 4  // says that it is not the compiler's
)

func (f function) get(i int) uint32    { return binary.LittleEndian.Uint32(f[4*i:]) }
func (f function) set(i int, v uint32) { binary.LittleEndian.PutUint32(f[4*i:], v) }

// fields are the places of the offsets into the table of program counters.
func (f function) fields() func(yield func(int) bool) {
	return func(yield func(int) bool) {
		for _, i := range []int{fieldSP, fieldFile, fieldLine} {
			if !yield(i) {
				return
			}
		}
		for i := range int(f.get(fieldPCData)) {
			if !yield(funcSize/4 + i) {
				return
			}
		}
	}
}

// tables are the places of the offsets of the tables by program counter that are not only for tracebacks.
func (f function) tables() func(yield func(int) bool) {
	return func(yield func(int) bool) {
		if yield(fieldSP) && f.get(fieldPCData) > pcdataStackMapIndex {
			yield(fieldStackMap)
		}
	}
}

// number is the function's in the code section.
func (f function) number() int64 { return int64(f.get(fieldEntry)) - firstFunction }

// assembly says whether the function was not written by the compiler.
func (f function) assembly() bool { return f[flagsByte]&flagAssembly != 0 }

// pcdata is 0 where the function has none of that number.
func (f function) pcdata(i int) uint32 {
	if i < int(f.get(fieldPCData)) {
		return f.get(funcSize/4 + i)
	}
	return 0
}

// setPCData and setFuncData do nothing where the function has none of that number.
func (f function) setPCData(i int, v uint32) {
	if i < int(f.get(fieldPCData)) {
		f.set(funcSize/4+i, v)
	}
}

func (f function) setFuncData(i int, v uint32) {
	if i < f.funcdatas() {
		f.set(funcSize/4+int(f.get(fieldPCData))+i, v)
	}
}

func (f function) funcdatas() int { return int(f[funcSize-1]) }

// funcdata is noData where the function has none of that number.
func (f function) funcdata(i int) uint32 {
	if i < f.funcdatas() {
		return f.get(funcSize/4 + int(f.get(fieldPCData)) + i)
	}
	return noData
}

// function returns the function by its number, and whether it lies in the tables and begins where its index says.
func (t pclntab) function(i int) (function, bool) {
	entry, at := binary.LittleEndian.Uint32(t.funcs[8*i:]), int(binary.LittleEndian.Uint32(t.funcs[8*i+4:]))
	if at > len(t.funcs)-funcSize {
		return nil, false
	}
	f := function(t.funcs[at:])
	pcdata, funcdata := int(f.get(fieldPCData)), int(f[funcSize-1])
	if f.get(fieldEntry) != entry || pcdata > 64 || funcSize+4*(pcdata+funcdata) > len(f) {
		return nil, false
	}
	return f[:funcSize+4*(pcdata+funcdata)], true
}

// dropTracebacks returns the memory without what only tracebacks read of the runtime's tables. "No table" is what the
// linker itself writes for functions without one. Functions with new numbers of their blocks get the tables for these.
func dropTracebacks(from []byte, numbers map[int64]numbering) (memory []byte, err error) {
	memory = bytes.Clone(from)
	t, err := findTables(memory)
	if err != nil {
		return nil, err
	}
	if err := t.clearFuncData(); err != nil {
		return nil, err
	}
	named := map[uint32]bool{}
	for i := range t.count {
		f, _ := t.function(i)
		f.set(fieldFile, 0)
		f.set(fieldLine, 0)
		f.set(fieldCU, 0)
		f.set(fieldStartLine, 0)
		for _, which := range []int{pcdataUnsafePoint, pcdataInlTreeIndex, pcdataArgLiveIndex} {
			f.setPCData(which, 0)
		}
		for _, which := range tracesOnly {
			f.setFuncData(which, noData)
		}
		named[f.get(fieldName)] = true
	}
	// The tables that are left move together.
	kept := make([]byte, 1, len(t.pcs)) // offset 0 is no table
	moved := map[uint32]uint32{0: 0}
	again := map[string]uint32{"": 0}
	keep := func(table []byte) uint32 {
		at, ok := again[string(table)]
		if !ok {
			at = uint32(len(kept))
			again[string(table)] = at
			kept = append(kept, table...)
		}
		return at
	}
	for i := range t.count {
		f, _ := t.function(i)
		if as, ok := numbers[f.number()]; ok {
			for j := range f.fields() {
				if j != fieldSP && j != funcSize/4+pcdataStackMapIndex && f.get(j) != 0 {
					return nil, fmt.Errorf("a table of another kind (%d) than Go 1.26 writes", j)
				}
			}
			if len(as.pointers) > 0 && f.pcdata(pcdataStackMapIndex) == 0 {
				return nil, errors.New("a function without maps of pointers has some")
			}
			f.set(fieldSP, keep(as.stack))
			f.setPCData(pcdataStackMapIndex, keep(as.pointers))
			f.set(fieldDeferReturn, as.deferReturn)
			continue
		}
		for j := range f.fields() {
			old := f.get(j)
			if _, ok := moved[old]; !ok {
				size, err := tableSize(t.pcs[old:])
				if err != nil {
					return nil, err
				}
				moved[old] = keep(t.pcs[old : int(old)+size])
			}
			f.set(j, moved[old])
		}
	}
	if len(kept) > len(t.pcs) {
		return nil, errors.New("the tables of the new numbers are longer")
	}
	clear(t.pcs[copy(t.pcs, kept):])
	clear(t.cus)
	clear(t.files)
	// Names of functions that exist only inside of others.
	for at := 0; at < len(t.names); {
		n := bytes.IndexByte(t.names[at:], 0)
		if n < 0 {
			return nil, errors.New("a name does not end")
		}
		if !named[uint32(at)] {
			clear(t.names[at : at+n])
		}
		at += n + 1
	}
	return memory, nil
}

// clearFuncData clears what only tracebacks read of the funcdata: from where one begins up to the next one. What is used
// for something else too stays, and so does the last, since nothing says where it ends.
func (t pclntab) clearFuncData() error {
	read := map[uint32]bool{} // by offset: whether the running program does
	for i := range t.count {
		f, _ := t.function(i)
		for which := range f.funcdatas() {
			if at := f.funcdata(which); at != noData {
				if int(at) >= len(t.data) {
					return errors.New("a funcdata lies elsewhere than Go 1.26 puts it")
				}
				read[at] = read[at] || !slices.Contains(tracesOnly, which)
			}
		}
	}
	begins := slices.Sorted(maps.Keys(read))
	for i, at := range begins[:max(len(begins)-1, 0)] {
		if !read[at] {
			clear(t.data[at:begins[i+1]])
		}
	}
	return nil
}

// tableSize is the length of a table of values by program counter: pairs of differences, up to a difference of 0 that is
// not the first.
func tableSize(table []byte) (int, error) {
	r := reader{b: table}
	for first := true; ; first = false {
		if r.uleb() == 0 && !first {
			return r.at, r.err
		}
		r.uleb()
		if r.err != nil {
			return 0, fmt.Errorf("a table of program counters: %w", r.err)
		}
	}
}

// reader reads numbers; after an error all are zero.
type reader struct {
	b   []byte
	at  int
	err error
}

func (r *reader) byte() byte {
	if r.at >= len(r.b) {
		r.err = errors.New("it ends too early")
		return 0
	}
	r.at++
	return r.b[r.at-1]
}

func (r *reader) uleb() uint64 {
	v, n := binary.Uvarint(r.b[min(r.at, len(r.b)):])
	if n <= 0 {
		r.err = errors.New("it ends too early")
		return 0
	}
	r.at += n
	return v
}

func (r *reader) sleb() int64 {
	var v int64
	for shift := uint(0); shift < 64; shift += 7 {
		b := r.byte()
		v |= int64(b&0x7f) << shift
		if b < 0x80 {
			if b&0x40 != 0 && shift+7 < 64 {
				v |= -1 << (shift + 7)
			}
			break
		}
	}
	return v
}

func appendSleb(b []byte, v int64) []byte {
	for {
		low := byte(v & 0x7f)
		v >>= 7
		if (v == 0 && low&0x40 == 0) || (v == -1 && low&0x40 != 0) {
			return append(b, low)
		}
		b = append(b, low|0x80)
	}
}
