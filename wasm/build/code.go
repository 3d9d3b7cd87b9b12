package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// The Go compiler makes a loop around each function that calls others: a table of jumps at its head enters the block that
// a number names, so that a function can be resumed after a goroutine was switched. Every jump inside of the function goes
// through that table as well, even where the block lies ahead and one instruction leads there. tighten takes the short
// way where there is one, which is what the processor does anyway, and writes what is the same everywhere in the same
// bytes, so that it compresses: which block of the function is left does not matter where it returns.

// Opcodes of WebAssembly, those that are looked at.
const (
	opUnreachable  = 0x00
	opNop          = 0x01
	opBlock        = 0x02
	opLoop         = 0x03
	opIf           = 0x04
	opElse         = 0x05
	opEnd          = 0x0b
	opBr           = 0x0c
	opBrIf         = 0x0d
	opBrTable      = 0x0e
	opReturn       = 0x0f
	opCall         = 0x10
	opCallIndirect = 0x11
	opDrop         = 0x1a
	opSelect       = 0x1b
	opLocalGet     = 0x20
	opLocalSet     = 0x21
	opLocalTee     = 0x22
	opGlobalGet    = 0x23
	opGlobalSet    = 0x24
	opI32Load      = 0x28 // loads
	opI32Load8U    = 0x2d
	opI32Store     = 0x36 // stores
	opI32Store8    = 0x3a
	opI64Store32   = 0x3e // up to this one
	opMemorySize   = 0x3f
	opMemoryGrow   = 0x40
	opI32Const     = 0x41
	opI64Const     = 0x42
	opF32Const     = 0x43
	opF64Const     = 0x44
	opI32Eqz       = 0x45
	opI32Ne        = 0x47
	opI32LessU     = 0x49
	opI64Eqz       = 0x50
	opF64Ge        = 0x66 // the last comparison
	opI32Add       = 0x6a
	opI32Sub       = 0x6b
	opI32Mul       = 0x6c
	opI32And       = 0x71
	opI32Or        = 0x72
	opI32Shl       = 0x74
	opI32ShrU      = 0x76
	opI64Add       = 0x7c
	opI64Sub       = 0x7d
	opI64Or        = 0x84
	opI32Wrap      = 0xa7 // conversions
	opI64Extend    = 0xad // of 32 bits without a sign
	opI64Extend32  = 0xc4 // the last conversion
	opMore         = 0xfc // and one of these:
	moreTruncate   = 7
	moreCopy       = 10
	moreFill       = 11

	voidBlock = 0x40

	typeI32 = 0x7f
	typeI64 = 0x7e

	stackPointer = 1 // the local that the compiler keeps it in

	firstFunction = 0x1000 // the number of the first function in the section, in the upper 48 bits of program counters
)

// tighten returns the code section with shorter jumps and, where the runtime's tables are given, blocks that are numbered
// without gaps, with what the tables must then say of them, by the function's number. Functions that the Go compiler does
// not write that way stay as they are.
func tighten(section []byte, tables *pclntab) ([]byte, map[int64]numbering, error) {
	functions := map[int64]function{}
	var pcs []byte
	if tables != nil {
		pcs = tables.pcs
		for i := range tables.count {
			f, _ := tables.function(i)
			functions[f.number()] = f
		}
	}
	numbers := map[int64]numbering{}
	bodies, err := bodiesOf(section)
	if err != nil {
		return nil, nil, err
	}
	for n, body := range bodies {
		i := int64(n)
		own, code, err := tightenFunction(body)
		if err != nil {
			return nil, nil, fmt.Errorf("function %d: %w", i, err)
		}
		if f, ok := functions[i]; ok {
			if anew, as, ok := renumber(code, i, f, pcs); ok {
				code, numbers[i] = anew, as
			}
		}
		bodies[n] = functionOf(keepNumber(own, code, i))
	}
	return codeOfBodies(bodies), numbers, nil
}

// bodiesOf are the functions of a code section.
func bodiesOf(section []byte) ([][]byte, error) {
	if len(section) == 0 {
		return nil, nil
	}
	r := reader{b: section}
	var bodies [][]byte
	for n := r.uleb(); n > 0; n-- {
		size := r.uleb()
		if r.err != nil || size > uint64(len(section)-r.at) {
			return nil, errors.New("malformed code section")
		}
		bodies = append(bodies, section[r.at:r.at+int(size)])
		r.at += int(size)
	}
	return bodies, r.err
}

// codeOfBodies is the code section with these functions.
func codeOfBodies(bodies [][]byte) []byte {
	out := binary.AppendUvarint(nil, uint64(len(bodies)))
	for _, b := range bodies {
		out = append(binary.AppendUvarint(out, uint64(len(b))), b...)
	}
	return out
}

// instruction is one of a function's, with the bytes that it stands in. What n is depends on the kind: the type of a
// block, the depth of a jump, a local's number, a constant.
type instruction struct {
	op    byte
	n     int64
	bytes []byte

	table         []uint64 // of a br_table, the default last
	align, offset uint64   // of a load or store
}

// locals are so many of a function's, of one type.
type locals struct {
	n    uint64
	kind byte
}

// functionOf is a function in the form of the code section.
func functionOf(own []locals, code []instruction) []byte {
	out := binary.AppendUvarint(nil, uint64(len(own)))
	for _, l := range own {
		out = append(binary.AppendUvarint(out, l.n), l.kind)
	}
	for _, c := range code {
		out = append(out, c.bytes...)
	}
	return out
}

// tightenFunction returns the locals and the code of a function, shortened.
func tightenFunction(body []byte) ([]locals, []instruction, error) {
	r := reader{b: body}
	var own []locals
	for n := r.uleb(); n > 0 && r.err == nil; n-- {
		own = append(own, locals{r.uleb(), r.byte()})
	}
	code, err := instructions(&r)
	if err != nil {
		return nil, nil, err
	}
	code = foldAddresses(code)
	var out []instruction
	jump := func(op byte, depth int64) {
		out = append(out, instruction{op: op, n: depth, bytes: binary.AppendUvarint([]byte{op}, uint64(depth))})
	}
	var (
		open    []int // the instructions that open the blocks around, outermost first
		entries []int // the table's blocks by number
		loop    = -1  // what the table stands in
		leave   = -1  // the block after which the function returns 1
		ended   bool
	)
	if n := len(code); n > 3 && code[n-3].op == opEnd && code[n-2].op == opI32Const && code[n-2].n == 1 {
		leave = firstBlock(code)
	}
	depth := func(block int) int64 { return int64(len(open) - 1 - slices.Index(open, block)) }
	target := func(c instruction) int { // the block that a jump goes to, -1 for the function's end
		if c.n < 0 || c.n >= int64(len(open)) {
			return -1
		}
		return open[len(open)-1-int(c.n)]
	}
	// ahead is the block that the three instructions at i jump to by way of the table, if it is not over yet.
	ahead := func(i int) (int, bool) {
		if loop < 0 || i+2 >= len(code) || code[i].op != opI32Const || code[i+1].op != opLocalSet || code[i+1].n != 0 ||
			code[i+2].op != opBr || target(code[i+2]) != loop || code[i].n < 0 || code[i].n >= int64(len(entries)) {
			return 0, false
		}
		block := entries[code[i].n]
		return block, slices.Contains(open, block) && code[block].n == voidBlock
	}
	for i := 0; i < len(code); i++ {
		c := code[i]
		switch c.op {
		case opNop:
			continue
		case opBlock, opLoop:
			open = append(open, i)
		case opIf:
			open = append(open, i)
			if block, ok := ahead(i + 1); ok && c.n == voidBlock && i+4 < len(code) && code[i+4].op == opEnd {
				open = open[:len(open)-1]
				jump(opBrIf, depth(block))
				i += 4
				continue
			}
		case opEnd:
			if len(open) > 0 {
				open = open[:len(open)-1]
			} else if i == len(code)-1 {
				ended = true
			} else {
				return nil, nil, errors.New("it goes on after its end")
			}
		case opBrTable:
			if loop < 0 && i > 0 && code[i-1].op == opLocalGet && code[i-1].n == 0 {
				for _, n := range c.table {
					entries = append(entries, target(instruction{n: int64(n)}))
				}
				loop = enclosing(code, open)
			}
		case opI32Const:
			if block, ok := ahead(i); ok {
				jump(opBr, depth(block))
				i += 2
				continue
			}
		case opBrIf:
			if leave >= 0 && target(c) == leave {
				out = append(out, leaves...)
				continue
			}
		}
		out = append(out, c)
	}
	if !ended {
		return nil, nil, errors.New("a block does not end")
	}
	return own, out, nil
}

// jumpTable jumps to one of these blocks, by number, and to otherwise for other numbers.
func jumpTable(blocks []uint64, otherwise uint64) instruction {
	c := instruction{op: opBrTable, table: slices.Concat(blocks, []uint64{otherwise})}
	c.bytes = binary.AppendUvarint([]byte{opBrTable}, uint64(len(blocks)))
	for _, depth := range c.table {
		c.bytes = binary.AppendUvarint(c.bytes, depth)
	}
	return c
}

// leaves returns 1 if there is something else than 0 on the stack.
var leaves = []instruction{
	{op: opIf, n: voidBlock, bytes: []byte{opIf, voidBlock}},
	{op: opI32Const, n: 1, bytes: []byte{opI32Const, 1}},
	{op: opReturn, bytes: []byte{opReturn}},
	{op: opEnd, bytes: []byte{opEnd}},
}

// foldAddresses returns the code with places on the Go stack addressed by an instruction's own offset, where the compiler
// adds it to the stack pointer as a number of 64 bits, and with constants of 32 bits where it narrows longer ones. The
// stack lies inside of the memory, so that neither sum overflows.
func foldAddresses(code []instruction) []instruction {
	if !keepsStackPointer(code) {
		return code
	}
	var out []instruction
	add := map[int]int64{} // by instruction: what its address lies further on
	for i := 0; i < len(code); i++ {
		c := code[i]
		more, folds := add[i]
		switch {
		case folds:
			c.offset += uint64(more)
			c.bytes = binary.AppendUvarint(binary.AppendUvarint([]byte{c.op}, c.align), c.offset)
		case c.op == opI64Const && i+1 < len(code) && code[i+1].op == opI32Wrap:
			c = instruction{op: opI32Const, n: int64(int32(c.n)), bytes: appendSleb([]byte{opI32Const}, int64(int32(c.n)))}
			i++
		case c.op == opLocalGet && c.n == stackPointer && i+4 < len(code) && code[i+1].op == opI64Extend &&
			code[i+2].op == opI64Const && code[i+2].n >= 0 && code[i+2].n < 1<<30 && code[i+3].op == opI64Add && code[i+4].op == opI32Wrap:
			if use := addressed(code, i+5); use > 0 && code[use].offset < 1<<30 {
				add[use] = code[i+2].n
				i += 4
			}
		}
		out = append(out, c)
	}
	return out
}

// keepNumber returns the function with its own number in a local, from where its calls take it for the program counter that
// they return to. Without it there is nothing in them that says which function they stand in, which compresses.
func keepNumber(own []locals, code []instruction, number int64) ([]locals, []instruction) {
	const kept = stackPointer + 1 // the local; those from there on move
	base := (firstFunction + number) << 16
	is := func(c instruction) bool { return c.op == opI64Const && c.n&^0xffff == base }
	if !keepsStackPointer(code) || len(own) == 0 || own[0] != (locals{1, typeI32}) || !slices.ContainsFunc(code, is) {
		return own, code
	}
	if len(own) > 1 && own[1].kind == typeI64 {
		own[1].n++
	} else {
		own = slices.Insert(own, 1, locals{1, typeI64})
	}
	out := append(make([]instruction, 0, len(code)+8), code[:2]...)
	add := func(op byte, n int64) {
		b := []byte{op}
		switch op {
		case opI64Const:
			b = appendSleb(b, n)
		case opLocalGet, opLocalSet, opLocalTee:
			b = binary.AppendUvarint(b, uint64(n))
		}
		out = append(out, instruction{op: op, n: n, bytes: b})
	}
	add(opI64Const, base)
	add(opLocalSet, kept)
	for _, c := range code[2:] {
		switch {
		case is(c):
			add(opLocalGet, kept)
			if c.n != base {
				add(opI64Const, c.n&0xffff)
				add(opI64Or, 0)
			}
		case c.op >= opLocalGet && c.op <= opLocalTee && c.n >= kept:
			add(c.op, c.n+1)
		default:
			out = append(out, c)
		}
	}
	return own, out
}

// keepsStackPointer says whether the function begins with its first local as the Go stack's pointer, as those that the
// compiler writes do.
func keepsStackPointer(code []instruction) bool {
	return len(code) >= 2 && code[0].op == opGlobalGet && code[0].n == 0 && code[1].op == opLocalSet && code[1].n == stackPointer
}

// addressed is the load or store whose address is what lies on the stack before the instruction at i, 0 where it is
// something else or not seen.
func addressed(code []instruction, i int) int {
	for above := 0; i < len(code); i++ { // how much lies above the address
		takes, gives := code[i].takes()
		switch {
		case takes < 0:
			return 0
		case takes <= above:
			above += gives - takes
		case takes == above+1 && (takes == 1 && code[i].loads() || takes == 2 && code[i].stores()):
			return i
		default:
			return 0
		}
	}
	return 0
}

func (c instruction) loads() bool  { return c.op >= opI32Load && c.op < opI32Store }
func (c instruction) stores() bool { return c.op >= opI32Store && c.op <= opI64Store32 }

// takes says how many values the instruction takes from the stack and puts there, -1 for those that are not looked at.
func (c instruction) takes() (takes, gives int) {
	switch op := c.op; {
	case op == opNop:
		return 0, 0
	case op == opLocalGet || op == opGlobalGet || op >= opI32Const && op <= opF64Const:
		return 0, 1
	case c.loads() || op == opLocalTee:
		return 1, 1
	case c.stores():
		return 2, 0
	case op == opI32Eqz || op == opI64Eqz || op >= opI32Wrap && op <= opI64Extend32:
		return 1, 1
	case op > opI32Eqz && op < opI64Eqz || op > opI64Eqz && op <= opF64Ge:
		return 2, 1
	case op == opI64Add || op == opI64Sub || op == opI32Add || op == opI32Sub:
		return 2, 1
	}
	return -1, 0
}

// enclosing is the loop that stands directly around the blocks that are open, -1 without one.
func enclosing(code []instruction, open []int) int {
	for _, at := range slices.Backward(open) {
		if code[at].op == opLoop {
			return at
		}
	}
	return -1
}

// firstBlock is the block around all of the function but its last instruction, -1 without one.
func firstBlock(code []instruction) int {
	first, depth := -1, 0
	for i, c := range code {
		switch c.op {
		case opBlock, opLoop, opIf:
			if depth == 0 {
				if first >= 0 || c.op != opBlock || c.n != voidBlock {
					return -1
				}
				first = i
			}
			depth++
		case opEnd:
			depth--
		}
	}
	return first
}

// instructions reads those of a function.
func instructions(r *reader) ([]instruction, error) {
	var code []instruction
	for r.at < len(r.b) && r.err == nil {
		from := r.at
		c := instruction{op: r.byte()}
		switch op := c.op; {
		case op == opBlock || op == opLoop || op == opIf:
			c.n = int64(r.byte())
		case op == opBr || op == opBrIf || op == opCall || op >= opLocalGet && op <= opGlobalSet:
			c.n = int64(r.uleb())
		case op == opBrTable:
			for n := r.uleb() + 1; n > 0 && r.err == nil; n-- {
				c.table = append(c.table, r.uleb())
			}
		case op == opCallIndirect:
			r.uleb()
			r.uleb()
		case op >= opI32Load && op <= opI64Store32:
			c.align, c.offset = r.uleb(), r.uleb()
		case op == opMemorySize || op == opMemoryGrow:
			r.byte()
		case op == opI32Const || op == opI64Const:
			c.n = r.sleb()
		case op == opF32Const:
			r.at += 4
		case op == opF64Const:
			r.at += 8
		case op == opMore:
			switch kind := r.uleb(); {
			case kind <= moreTruncate:
			case kind == moreCopy:
				r.at += 2
			case kind == moreFill:
				r.at++
			default:
				return nil, fmt.Errorf("an instruction fc %x that the Go compiler does not write", kind)
			}
		case op == opUnreachable || op == opNop || op == opElse || op == opEnd || op == opReturn || op == opDrop || op == opSelect ||
			op > opF64Const && op <= opI64Extend32:
		default:
			return nil, fmt.Errorf("an instruction %x that the Go compiler does not write", op)
		}
		if r.at > len(r.b) {
			return nil, errors.New("it ends too early")
		}
		c.bytes = r.b[from:r.at]
		code = append(code, c)
	}
	return code, r.err
}
