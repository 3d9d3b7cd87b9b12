package main

import (
	"encoding/binary"
	"errors"
	"slices"
)

// The lower 16 bits of a program counter number the block of the function in which it goes on. The compiler counts one on
// for much that is nowhere gone on from: the table of jumps has several entries for a block, of another number in each
// function. renumber leaves no gaps, so that the tables are beginnings of one and the same row.

// numbering is what the runtime's tables say of a function whose blocks have new numbers.
type numbering struct {
	stack, pointers []byte // the stack's size and which map of pointers holds, by program counter
	deferReturn     uint32 // where a recovered panic goes on, 0 for nowhere
}

// renumber returns the function with its blocks numbered without gaps, and what the runtime is to know of it. It looks at
// what the compiler writes and is false for everything else: assembly, functions without a table of jumps, and those
// which use the local that the number of a block is handed over in for something that is not known here.
//
// The runtime looks up a program counter r that a call returns to: the size of the stack at r, the map of pointers at
// r-1; and the map at the place of a deferred return itself.
func renumber(code []instruction, number int64, f function, pcs []byte) ([]instruction, numbering, bool) {
	none := func() ([]instruction, numbering, bool) { return nil, numbering{}, false }
	if !keepsStackPointer(code) || f.assembly() {
		return none()
	}
	var (
		base   = (firstFunction + number) << 16
		jumps  = -1          // the table's place
		places []int         // of constants that are numbers or program counters
		going  = []uint32{0} // old numbers from where it goes on
		other  []uint32      // those that are only looked up: after calls that do not come back
		isPC   = func(c instruction) bool { return c.op == opI64Const && c.n&^0xffff == base }
	)
	at := func(i int) instruction {
		if i < 0 || i >= len(code) {
			return instruction{op: opUnreachable}
		}
		return code[i]
	}
	for i, c := range code {
		switch {
		case isPC(c):
			places = append(places, i)
			if returns(code, i) {
				going = append(going, uint32(c.n-base))
			} else {
				other = append(other, uint32(c.n-base))
			}
		case c.op == opBrTable:
			if jumps >= 0 || at(i-1).op != opLocalGet || at(i-1).n != 0 {
				return none()
			}
			jumps = i
		case c.op == opLocalGet && c.n == 0:
			if at(i+1).op != opBrTable && at(i+1).op != opCallIndirect {
				return none()
			}
		case c.op == opLocalTee && c.n == 0:
			return none()
		case c.op == opLocalSet && c.n == 0:
			switch {
			case at(i-1).op == opI32Const && at(i+1).op == opBr:
				places = append(places, i-1)
				going = append(going, uint32(at(i-1).n))
			case at(i-1).op == opI32Wrap && at(i+1).op == opI32Const && at(i+2).op == opLocalGet && at(i+2).n == 0 && at(i+3).op == opCallIndirect:
			default:
				return none()
			}
		}
	}
	if jumps < 0 {
		return none()
	}
	deferReturn := f.get(fieldDeferReturn)
	if deferReturn != 0 {
		going = append(going, deferReturn, deferReturn+1)
	}
	slices.Sort(going)
	going = slices.Compact(going)
	slices.Sort(other)
	old := append(going, slices.DeleteFunc(slices.Compact(other), func(n uint32) bool { return slices.Contains(going, n) })...)
	anew := map[uint32]int64{}
	for n, was := range old {
		anew[was] = int64(n)
	}

	sp, err := valuesOf(pcs, f.get(fieldSP))
	if err != nil {
		return none()
	}
	maps, err := valuesOf(pcs, f.pcdata(pcdataStackMapIndex))
	if err != nil {
		return none()
	}
	stack, pointers := make([]int32, len(old)), make([]int32, len(old))
	for n, was := range old {
		stack[n] = sp.at(was)
		if n > 0 {
			pointers[n-1] = maps.at(was - 1)
		}
	}
	pointers[len(old)-1] = maps.at(old[len(old)-1])

	out := slices.Clone(code)
	for _, i := range places {
		if c := code[i]; c.op == opI64Const {
			n := base + anew[uint32(c.n-base)]
			out[i] = instruction{op: c.op, n: n, bytes: appendSleb([]byte{c.op}, n)}
		} else {
			n := anew[uint32(c.n)]
			out[i] = instruction{op: c.op, n: n, bytes: appendSleb([]byte{c.op}, n)}
		}
	}
	table := code[jumps].table
	last := len(table) - 1
	var entries []uint64
	for _, was := range going {
		entries = append(entries, table[min(int(was), last)])
	}
	out[jumps] = jumpTable(entries, table[last])
	as := numbering{stack: tableOf(stack), pointers: tableOf(pointers)}
	if deferReturn != 0 {
		as.deferReturn = uint32(anew[deferReturn])
	}
	return out, as, true
}

// returns says whether a call may come back to the program counter that the instruction at i puts on the stack. It is
// unknown, and yes, unless the program ends after the call.
func returns(code []instruction, i int) bool {
	for i++; i < len(code) && code[i].op != opCall && code[i].op != opCallIndirect; i++ {
		if op := code[i].op; op == opEnd || op == opBr || op == opBrIf || op == opReturn {
			return true
		}
	}
	// After the call the stack pointer is read anew, if it is needed.
	for i++; i < len(code) && (code[i].op == opGlobalGet || code[i].op == opLocalSet); i++ {
	}
	return i+1 >= len(code) || code[i].op != opIf || code[i+1].op != opUnreachable
}

// steps are values by program counter: each holds up to the end of its step.
type steps struct {
	values []int32
	ends   []uint32
}

// at is the value at a program counter; after the end it is the last.
func (s steps) at(pc uint32) int32 {
	for i, end := range s.ends {
		if pc < end || i == len(s.ends)-1 {
			return s.values[i]
		}
	}
	return -1
}

// valuesOf reads a table of values by program counter. There is none at 0, and its value is -1.
func valuesOf(pcs []byte, offset uint32) (s steps, err error) {
	if offset == 0 {
		return s, nil
	}
	r := reader{b: pcs, at: int(offset)}
	value, pc := int32(-1), uint32(0)
	for first := true; r.err == nil; first = false {
		delta := uint32(r.uleb())
		if delta == 0 && !first {
			return s, nil
		}
		value += int32(delta>>1) ^ -int32(delta&1)
		pc += uint32(r.uleb())
		s.values, s.ends = append(s.values, value), append(s.ends, pc)
	}
	return s, errors.Join(errors.New("a table of program counters does not end"), r.err)
}

// tableOf writes a table of values by program counter, nil for one that says -1 everywhere. The last value holds for one
// program counter more: a function's end may be looked up.
func tableOf(values []int32) []byte {
	if !slices.ContainsFunc(values, func(v int32) bool { return v != -1 }) {
		return nil
	}
	var b []byte
	was := int32(-1)
	for i := 0; i < len(values); {
		end := i + 1
		for end < len(values) && values[end] == values[i] {
			end++
		}
		delta := values[i] - was
		b = binary.AppendUvarint(b, uint64(uint32(delta<<1)^uint32(delta>>31)))
		length := end - i
		if end == len(values) {
			length++
		}
		b = binary.AppendUvarint(b, uint64(length))
		was = values[i]
		i = end
	}
	return append(b, 0)
}
