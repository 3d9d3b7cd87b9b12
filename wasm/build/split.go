package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The program comes in two parts. The first has the functions that a start and the first things that one does are made
// of; the second has the others, and comes while the first runs.
//
// Go makes that easy, since its functions can be left and gone on with at any call: that is how a goroutine waits. In the
// first part each function of the second has a stand-in of the same number. Called before the second part is there, it leaves on the
// Go stack where to go on, says that something was missed and has the program return to the page, as if it waited for an event.
// The page has it go on when the second part is there, which puts its functions into the table and says so. From then on the
// stand-ins call what they stand for. Until it goes on the page must not call the program (web/parts.js).

// What the first part exports beside what the linker does. The globals are exported by their numbers.
const (
	exportTable  = "table"
	exportMissed = "missed" // a global: 1 when the program waits for the second part, set back by the page
	exportGoOn   = "goOn"   // goes on after that
	exportTouch  = "touch"  // has the browser compile a function, by its number

	firstPart = "first" // the module that the second part imports from
)

// The custom sections with the numbers of the functions that web/ahead.js has compiled, as stepsTo writes them: those that a
// return calls, and those that a first visit calls besides.
var touchSections = [...]string{"return", "visit"}

// The globals of the linker that are looked at, and those behind all of them.
const (
	globalStackPointer = 0
	globalPause        = 7
	globalLoaded       = 8 // 1 once the second part is there
	globalMissed       = 9
	globals            = 10
)

// goOnFunction runs the program from where the Go stack says (runtime/asm_wasm.s).
const goOnFunction = "wasm_pc_f_loop"

// noProgram is a module with nothing in it, the second part of a program that is not split.
const noProgram = moduleBegin

// How the names of functions begin that the runtime does not call, or not come back from, where it must not be left: it ends
// the program, or is on a stack that does not grow.
var notGoneThrough = []string{"runtime.throw", "runtime.fatal", "runtime.gopanic", "runtime.panic", "runtime.goPanic", "runtime.bad",
	"runtime.abort", "runtime.print", "runtime.traceback", "runtime.morestack", "runtime.newstack", "runtime.main"}

// split returns the program in two parts. The first has the functions that are named in first and those that the second
// cannot have. linked is the module as the linker wrote it, which has all names.
func split(linked, module []byte, first functionLists) (one, two []byte, err error) {
	m, err := readModule(module)
	if err != nil {
		return nil, nil, err
	}
	t, names, err := functionNames(linked)
	if err != nil {
		return nil, nil, err
	}
	memory, err := readData(m.section(dataSection))
	if err != nil {
		return nil, nil, err
	}
	last := firstFunction + len(m.bodies)
	goOn := slices.Index(names, goOnFunction)
	if m.globals != linkersGlobals || goOn < 0 || last > 1<<16 || len(names) > len(m.bodies) {
		return nil, nil, errors.New("the program is not as Go 1.26 writes it")
	}
	var others []int // the functions of the second part
	codes := make([][]instruction, len(names))
	for i, name := range names {
		if codes[i], _, err = m.code(i); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	through := m.goneThrough(codes, names, memory)
	for i, name := range names {
		imports := func(c instruction) bool { return c.op == opCall && c.n < int64(m.imported) }
		if !first.all[name] && !through[i] && m.kinds[i] == goFunction && keepsStackPointer(codes[i]) &&
			!slices.ContainsFunc(codes[i], imports) && len(m.bodies[i]) > len(standIn(i, 0)) {
			others = append(others, i)
		}
	}
	late, start := lateNames(m, t, names)
	if two, err = m.second(others, codes, late.only(memory), start); err != nil {
		return nil, nil, err
	}
	clear(memory[late.from:late.to])
	touchable := map[string]int{}
	for i, name := range names {
		if _, other := slices.BinarySearch(others, i); !other && m.makeTouchable(i) {
			touchable[name] = i
		}
	}
	var touched [len(touchSections)][]int
	for n, names := range first.order {
		for _, name := range names {
			if i, ok := touchable[name]; ok {
				touched[n] = append(touched[n], i)
			}
		}
	}
	one, err = m.first(others, goOn, touched, memory)
	return one, two, err
}

// makeTouchable has a function of the Go compiler return at once when it is called with the number of a block that it has
// not, which began its last one before, and says whether it could. Browsers compile a function when it is called first,
// and such a call does nothing else.
func (m *module) makeTouchable(i int) bool {
	code, own, err := m.code(i)
	n := len(code)
	// It returns behind the block around all of it.
	if err != nil || m.kinds[i] != goFunction || !keepsStackPointer(code) || firstBlock(code) < 0 ||
		code[n-3].op != opEnd || code[n-2].op != opI32Const || code[n-2].n != 1 {
		return false
	}
	isTable := func(c instruction) bool { return c.op == opBrTable }
	table := slices.IndexFunc(code, isTable)
	if table < 1 || code[table-1].op != opLocalGet || code[table-1].n != 0 || slices.ContainsFunc(code[table+1:], isTable) {
		return false
	}
	depth := -1
	for _, c := range code[:table] {
		switch c.op {
		case opBlock, opLoop, opIf:
			depth++
		case opEnd:
			depth--
		}
	}
	code[table] = jumpTable(code[table].table, uint64(depth))
	body := slices.Clone(own)
	for _, c := range code {
		body = append(body, c.bytes...)
	}
	m.bodies[i] = body
	return true
}

// touchedAtOnce is how many functions are touched in the order of their numbers, which is shorter to say than the order in
// which they are called.
const touchedAtOnce = 64

// stepsTo are the numbers of functions in about this order, each in a byte that says how far behind the last one it is. 0 goes
// back to before the first function, and 255 is 254 and only on the way.
func stepsTo(numbers []int) []byte {
	var b []byte
	for some := range slices.Chunk(numbers, touchedAtOnce) {
		b = append(b, 0)
		last := -1
		for _, i := range slices.Compact(slices.Sorted(slices.Values(some))) {
			step := i - last
			for ; step >= 255; step -= 254 {
				b = append(b, 255)
			}
			b = append(b, byte(step))
			last = i
		}
	}
	return b
}

// goneThrough are the functions that the runtime begins with and those that note what the garbage collector must see: whoever
// calls them wants them to be gone through and ends the program when they would be left. So are those that they call or
// give to others as functions.
func (m *module) goneThrough(codes [][]instruction, names []string, memory []byte) map[int]bool {
	all := map[int]bool{}
	// given is the function of a constant that is a program counter, or where one lies in the memory, -1 for others.
	given := func(n int64) int {
		if n > 0 && n&7 == 0 && n <= int64(len(memory)-8) {
			n = int64(binary.LittleEndian.Uint64(memory[n:]))
		}
		if i := n>>16 - firstFunction; n&0xffff == 0 && i >= 0 && i < int64(len(names)) {
			return int(i)
		}
		return -1
	}
	var add func(i int)
	add = func(i int) {
		begins := func(with string) bool { return strings.HasPrefix(names[i], with) }
		if i >= len(names) || all[i] || slices.ContainsFunc(notGoneThrough, begins) {
			return
		}
		all[i] = true
		for _, c := range codes[i] {
			if c.op == opCall && c.n >= int64(m.imported) {
				add(int(c.n) - int(m.imported))
			} else if c.op == opI64Const || c.op == opI32Const {
				if f := given(c.n); f >= 0 && strings.HasPrefix(names[f], "runtime.") { // what else looks like one is none
					add(f)
				}
			}
		}
	}
	for i := range names {
		for j, c := range codes[i] {
			rest := codes[i][j+1:]
			if len(rest) > 1 && rest[0].op == opGlobalGet && rest[0].n == globalStackPointer && rest[1].op == opLocalSet {
				rest = rest[2:]
			}
			if c.op == opCall && len(rest) > 1 && rest[0].op == opIf && rest[1].op == opUnreachable {
				add(int(c.n) - int(m.imported))
			}
		}
	}
	return all
}

// module is one in the form that is split.
type module struct {
	sections []section
	imported uint64   // functions
	globals  uint64   // their number
	kinds    []uint64 // the types of the functions
	bodies   [][]byte
}

const (
	goFunction     = 0 // the type of those that the Go compiler writes: takes the block to begin with, gives whether it was left
	linkersGlobals = 8
)

func readModule(b []byte) (*module, error) {
	sections, err := sectionsOf(b)
	if err != nil {
		return nil, err
	}
	m := &module{sections: sections}
	for _, s := range sections {
		r := reader{b: s.body}
		switch s.id {
		case importSection:
			if m.imported, r.err = importedFunctions(s.body); r.err != nil {
				return nil, r.err
			}
		case functionSection:
			for n := r.uleb(); n > 0 && r.err == nil; n-- {
				m.kinds = append(m.kinds, r.uleb())
			}
		case globalSection:
			m.globals = r.uleb()
		case codeSection:
			m.bodies, r.err = bodiesOf(s.body)
		}
		if r.err != nil {
			return nil, r.err
		}
	}
	if len(m.kinds) != len(m.bodies) {
		return nil, errors.New("functions without code")
	}
	return m, nil
}

// code is a function's, and the declaration of its locals before it.
func (m *module) code(i int) ([]instruction, []byte, error) {
	r := reader{b: m.bodies[i]}
	for n := r.uleb(); n > 0 && r.err == nil; n-- {
		r.uleb()
		r.byte()
	}
	own := m.bodies[i][:min(r.at, len(m.bodies[i]))]
	code, err := instructions(&r)
	return code, own, err
}

func (m *module) section(id byte) []byte { return sectionOf(m.sections, id) }

// replaced are the module's sections with another body of one.
func (m *module) replaced(id byte, body []byte) []section {
	sections := slices.Clone(m.sections)
	for i, s := range sections {
		if s.id == id {
			sections[i].body = body
		}
	}
	return sections
}

// functionNames are the names of the functions that the runtime knows, by their numbers, and its tables.
func functionNames(linked []byte) (pclntab, []string, error) {
	sections, err := sectionsOf(linked)
	if err != nil {
		return pclntab{}, nil, err
	}
	memory, err := readData(sectionOf(sections, dataSection))
	if err != nil {
		return pclntab{}, nil, err
	}
	t, err := findTables(memory)
	if err != nil {
		return t, nil, err
	}
	names := make([]string, t.count)
	for i := range t.count {
		f, _ := t.function(i)
		if f.number() != int64(i) {
			return t, nil, errors.New("the functions' numbers do not count on")
		}
		name, _, _ := strings.Cut(string(t.names[f.get(fieldName):]), "\x00")
		names[i] = name
	}
	return t, names, nil
}

// standIn is the body of function i in the first part, which leaves everything to the function at.
func standIn(i int, at uint64) []byte {
	b := appendSleb([]byte{0, opLocalGet, 0, opI32Const}, int64(firstFunction+i))
	return append(binary.AppendUvarint(append(b, opCall), at), opEnd)
}

// missing is the function of the stand-ins. It takes the block to begin with and the number of the function.
var missing = slices.Concat(
	[]byte{1, 1, typeI32},
	[]byte{opGlobalGet, globalLoaded, opIf, voidBlock, opLocalGet, 0, opLocalGet, 1, opCallIndirect, goFunction, 0, opReturn, opEnd},
	// A program counter is what a call leaves on the stack: this one is of the call that is to be made later.
	[]byte{opGlobalGet, globalStackPointer, opI32Const, 8, opI32Sub, opLocalTee, 2},
	[]byte{opLocalGet, 1, opI32Const, 16, opI32Shl, opLocalGet, 0, opI32Or, opI32Store, 2, 0},
	[]byte{opLocalGet, 2, opI32Const, 0, opI32Store, 2, 4},
	[]byte{opI32Const, 1, opGlobalSet, globalMissed, opI32Const, 1, opGlobalSet, globalPause, opI32Const, 1, opEnd},
)

// touch has a function, by its number, called with the number of a block that none has.
var touch = slices.Concat(
	[]byte{0, opI32Const, 0x7f, opLocalGet, 0},
	appendSleb([]byte{opI32Const}, firstFunction), []byte{opI32Add, opCallIndirect, goFunction, 0, opEnd},
)

// first is the first part, with stand-ins for the others, the numbers of those that are to be touched, and this memory.
func (m *module) first(others []int, goOn int, touched [len(touchSections)][]int, memory []byte) ([]byte, error) {
	stand := m.imported + uint64(len(m.bodies)) // after all others, so that no number changes
	bodies := slices.Clone(m.bodies)
	for _, i := range others {
		bodies[i] = standIn(i, stand)
	}
	bodies = append(bodies, missing, touch)
	sections := slices.Clone(m.sections)
	for i, s := range sections {
		var err error
		more := func(n int, things []byte) (body []byte) {
			body, _, err = withMore(s.body, n, things)
			return body
		}
		switch s.id {
		case typeSection:
			sections[i].body = more(1, []byte{0x60, 2, typeI32, typeI32, 1, typeI32})
		case functionSection:
			kinds := reader{b: m.section(typeSection)}
			sections[i].body = more(2, append(binary.AppendUvarint(nil, kinds.uleb()), goFunction))
		case globalSection:
			zero := []byte{typeI32, 1, opI32Const, 0, opEnd}
			sections[i].body = more(globals-linkersGlobals, slices.Concat(zero, zero))
		case exportSection:
			things := export(nil, exportTable, kindTable, 0)
			things = export(things, exportMissed, kindGlobal, globalMissed)
			things = export(things, exportGoOn, kindFunction, m.imported+uint64(goOn))
			things = export(things, exportTouch, kindFunction, stand+1)
			for i := range globalMissed {
				things = export(things, strconv.Itoa(i), kindGlobal, uint64(i))
			}
			sections[i].body = more(4+globalMissed, things)
		case codeSection:
			sections[i].body = codeOfBodies(bodies)
		case dataSection:
			sections[i].body = writeData(memory)
		}
		if err != nil {
			return nil, err
		}
	}
	for n, name := range touchSections {
		sections = append(sections, section{customSection, slices.Concat([]byte{byte(len(name))}, []byte(name), stepsTo(touched[n]))})
	}
	return moduleWith(sections), nil
}

// second is the second part: the others, and this memory. Functions of the first part are called by the table.
func (m *module) second(others []int, codes [][]instruction, memory, start []byte) ([]byte, error) {
	rank := map[int]int{}
	for n, i := range others {
		rank[i] = n
	}
	kinds := reader{b: m.section(typeSection)}
	bodies := make([][]byte, 0, len(others)+1)
	functions := binary.AppendUvarint(nil, uint64(len(others)+1))
	for _, i := range others {
		_, own, err := m.code(i)
		if err != nil {
			return nil, err
		}
		body := slices.Clone(own)
		for _, c := range codes[i] {
			called := int(c.n) - int(m.imported)
			if n, here := rank[called]; c.op != opCall {
				body = append(body, c.bytes...)
			} else if here {
				body = binary.AppendUvarint(append(body, opCall), uint64(n))
			} else if called < len(m.kinds) {
				body = appendSleb(append(body, opI32Const), int64(firstFunction+called))
				body = append(binary.AppendUvarint(append(body, opCallIndirect), m.kinds[called]), 0)
			} else {
				return nil, errors.New("a call of nothing")
			}
		}
		bodies = append(bodies, body)
		functions = binary.AppendUvarint(functions, goFunction)
	}
	// The start takes and gives nothing.
	n := kinds.uleb()
	types := slices.Concat(binary.AppendUvarint(nil, n+1), kinds.b[kinds.at:], []byte{0x60, 0, 0})
	functions = binary.AppendUvarint(functions, n)
	bodies = append(bodies, start)

	imports := binary.AppendUvarint(nil, 2+globalLoaded+1)
	add := func(name string, kind byte, is ...byte) {
		for _, text := range []string{firstPart, name} {
			imports = append(binary.AppendUvarint(imports, uint64(len(text))), text...)
		}
		imports = append(append(imports, kind), is...)
	}
	add("mem", kindMemory, 0, 0)
	add(exportTable, kindTable, 0x70, 0, 0)
	for i := range globalLoaded + 1 {
		kind := byte(typeI64)
		if i == globalStackPointer || i == globalPause || i == globalLoaded {
			kind = typeI32
		}
		add(strconv.Itoa(i), kindGlobal, kind, 1)
	}

	var elements []byte
	segments := 0
	for from := 0; from < len(others); {
		to := from + 1
		for to < len(others) && others[to] == others[to-1]+1 {
			to++
		}
		elements = appendSleb(append(elements, 0, opI32Const), int64(firstFunction+others[from]))
		elements = binary.AppendUvarint(append(elements, opEnd), uint64(to-from))
		for ; from < to; from++ {
			elements = binary.AppendUvarint(elements, uint64(from))
		}
		segments++
	}
	return moduleWith([]section{
		{typeSection, types}, {importSection, imports}, {functionSection, functions},
		{startSection, binary.AppendUvarint(nil, uint64(len(bodies)-1))},
		{elementSection, slices.Concat(binary.AppendUvarint(nil, uint64(segments)), elements)},
		{codeSection, codeOfBodies(bodies)}, {dataSection, writeData(memory)},
	}), kinds.err
}

// Kinds of imports and exports.
const (
	kindFunction = 0
	kindTable    = 1
	kindMemory   = 2
	kindGlobal   = 3
)

func export(to []byte, name string, kind byte, n uint64) []byte {
	to = append(binary.AppendUvarint(to, uint64(len(name))), name...)
	return binary.AppendUvarint(append(to, kind), n)
}

// memoryRange is a part of the memory.
type memoryRange struct{ from, to int }

// only is the memory with nothing else in it, up to there.
func (r memoryRange) only(memory []byte) []byte {
	return append(make([]byte, r.from), memory[r.from:r.to]...)
}

// lateNames are the names of functions that come with the second part, since only tracebacks read them, and what that part
// starts with: it says that it is there, and where the names begin. The names of the runtime's own functions, which it
// knows by them, come first and stay.
func lateNames(m *module, t pclntab, names []string) (memoryRange, []byte) {
	a := &assembler{[]byte{1, 2, typeI32, opI32Const, 1, opGlobalSet, globalLoaded}}
	if m.section(startSection) == nil { // all stay where the linker put them
		a.op(opEnd)
		return memoryRange{}, a.b
	}
	kept := 0
	for i, name := range names {
		if strings.HasPrefix(name, "runtime.") {
			kept = i + 1
		}
	}
	at := t.counted.names + firstName
	for _, name := range names[:kept] {
		at += len(name) + 1
	}
	a.namesFrom(t.counted, kept, at)
	a.op(opEnd)
	return memoryRange{at, t.counted.names + len(t.names)}, a.b
}
