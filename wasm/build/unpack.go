package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
)

// Much of the runtime's tables only counts on: the functions' numbers, where each one's entry and name begin, where its
// tables by program counter begin if no function before has them, and for every stretch of 4096 program counters the function
// that it is in. Such numbers do not compress. They are left out, and a function that the module starts with, before the Go
// program does anything, writes them into the memory.

// counted says where in the memory that is which can be counted.
type counted struct {
	index           int // pairs of numbers of 32 bits for each function: its own, and its entry's place in entries
	entries         int // the entries one after the other, each beginning with the function's number and its name's place in names
	names           int // the names one after the other, each ending with a zero
	pcs             int // the tables by program counter one after the other
	buckets, beyond int // the functions of the stretches: a number of 32 bits in each 20 bytes
	first           int // the first entry's place in entries
	count           int // of functions
}

const (
	indexSize  = 8
	bucketSize = 20
	perBucket  = 4 // a function has 1<<4 buckets
	firstName  = 1 // the name before is the empty one
	firstTable = 1 // the offset 0 is no table

	next = 0xffffffff // in place of a table's offset: the one after the last that was begun
)

// pack puts the names in the order of the functions and returns the memory without what is counted. Memory that has anything
// else in these places is an error.
func pack(memory []byte) ([]byte, counted, error) {
	t, err := findTables(memory)
	if err != nil {
		return nil, counted{}, err
	}
	c := t.counted
	memory = bytes.Clone(memory)
	if t, err = findTables(memory); err != nil {
		return nil, c, err
	}
	names := make([]byte, firstName, len(t.names))
	for i := range t.count {
		f, _ := t.function(i)
		name, _, ends := bytes.Cut(t.names[f.get(fieldName):], []byte{0})
		if !ends {
			return nil, c, errors.New("a name does not end")
		}
		f.set(fieldName, uint32(len(names)))
		names = append(append(names, name...), 0)
	}
	if len(names) > len(t.names) {
		return nil, c, errors.New("functions share names")
	}
	clear(t.names[copy(t.names, names):])

	packed := bytes.Clone(memory)
	if t, err = findTables(packed); err != nil {
		return nil, c, err
	}
	begun := uint32(0)
	for i := range t.count {
		f, _ := t.function(i)
		for j := range f.tables() {
			if at := f.get(j); at > begun {
				begun = at
				f.set(j, next)
			}
		}
		f.set(fieldEntry, 0)
		f.set(fieldName, 0)
	}
	clear(packed[c.index:][:indexSize*t.count])
	for at := c.buckets; at < c.beyond; at += bucketSize {
		clear(packed[at:][:4])
	}
	again := bytes.Clone(packed)
	if !c.unpack(again) || !bytes.Equal(again, memory) {
		return nil, c, errors.New("they do not count on")
	}
	return packed, c, nil
}

// unpack writes what is counted, as the module's start does, and is false where that would leave the memory.
func (c counted) unpack(memory []byte) bool {
	put := func(at, n int) bool {
		if at < 0 || at > len(memory)-4 {
			return false
		}
		binary.LittleEndian.PutUint32(memory[at:], uint32(n))
		return true
	}
	entry, name, table := c.entries+c.first, c.names+firstName, c.pcs+firstTable
	for i := range c.count {
		if entry > len(memory)-funcSize || !put(c.index+indexSize*i, firstFunction+i) || !put(c.index+indexSize*i+4, entry-c.entries) {
			return false
		}
		put(entry, firstFunction+i)
		put(entry+4, name-c.names)
		n := bytes.IndexByte(memory[name:], 0)
		if n < 0 {
			return false
		}
		name += n + 1
		for j := range function(memory[entry:]).tables() {
			if at := entry + 4*j; at > len(memory)-4 {
				return false
			} else if binary.LittleEndian.Uint32(memory[at:]) == next {
				put(at, table-c.pcs)
				size, err := tableSize(memory[table:])
				if err != nil {
					return false
				}
				table += size
			}
		}
		data := int(binary.LittleEndian.Uint32(memory[entry+4*fieldPCData:])) + int(memory[entry+funcSize-1])
		entry += (funcSize + 4*data + 7) &^ 7
	}
	for i, at := 0, c.buckets; at < c.beyond; i, at = i+1, at+bucketSize {
		if !put(at, i>>perBucket) {
			return false
		}
	}
	return true
}

// assembler writes instructions.
type assembler struct{ b []byte }

func (a *assembler) op(op byte, n ...int) {
	a.b = append(a.b, op)
	for _, n := range n {
		a.b = appendSleb(a.b, int64(n))
	}
}

func (a *assembler) get(local int)    { a.op(opLocalGet, local) }
func (a *assembler) set(local int)    { a.op(opLocalSet, local) }
func (a *assembler) number(n int)     { a.op(opI32Const, n) }
func (a *assembler) store(offset int) { a.op(opI32Store, 2, offset) }
func (a *assembler) block()           { a.op(opBlock); a.b = append(a.b, voidBlock) }
func (a *assembler) begin()           { a.op(opLoop); a.b = append(a.b, voidBlock) }

func (a *assembler) add(local, n int) {
	a.get(local)
	a.number(n)
	a.op(opI32Add)
	a.set(local)
}

// againWhileBelow ends what begin began.
func (a *assembler) againWhileBelow(local, n int) {
	a.get(local)
	a.number(n)
	a.op(opI32LessU)
	a.op(opBrIf, 0)
	a.op(opEnd)
}

// pastZero moves the address in the local to what follows the next zero.
func (a *assembler) pastZero(local int) {
	a.begin()
	a.get(local)
	a.op(opI32Load8U, 0, 0)
	a.add(local, 1)
	a.op(opBrIf, 0)
	a.op(opEnd)
}

// start is the function that does in the program what unpack does, in the form of the code section.
func (c counted) start() []byte {
	const entry, name, table, i, index, at, bucket, locals = 0, 1, 2, 3, 4, 5, 6, 7
	a := &assembler{[]byte{1, locals, typeI32}}
	a.number(c.entries + c.first)
	a.set(entry)
	a.number(c.names + firstName)
	a.set(name)
	a.number(c.pcs + firstTable)
	a.set(table)
	a.number(c.index)
	a.set(index)
	a.begin()
	for _, to := range []int{index, entry} {
		a.get(to)
		a.get(i)
		a.number(firstFunction)
		a.op(opI32Add)
		a.store(0)
	}
	a.get(index)
	a.get(entry)
	a.number(c.entries)
	a.op(opI32Sub)
	a.store(4)
	a.get(entry)
	a.get(name)
	a.number(c.names)
	a.op(opI32Sub)
	a.store(4)
	a.pastZero(name)
	for _, field := range []int{fieldSP, fieldStackMap} {
		a.block()
		if field == fieldStackMap { // there is one
			a.get(entry)
			a.op(opI32Load, 2, 4*fieldPCData)
			a.number(pcdataStackMapIndex + 1)
			a.op(opI32LessU)
			a.op(opBrIf, 0)
		}
		a.get(entry)
		a.op(opI32Load, 2, 4*field)
		a.number(-1) // next
		a.op(opI32Ne)
		a.op(opBrIf, 0)
		a.get(entry)
		a.get(table)
		a.number(c.pcs)
		a.op(opI32Sub)
		a.store(4 * field)
		a.begin() // past the table's pairs
		for range 2 {
			a.begin() // past a number
			a.get(table)
			a.op(opI32Load8U, 0, 0)
			a.add(table, 1)
			a.number(0x80)
			a.op(opI32And)
			a.op(opBrIf, 0)
			a.op(opEnd)
		}
		a.get(table)
		a.op(opI32Load8U, 0, 0)
		a.op(opBrIf, 0)
		a.op(opEnd)
		a.add(table, 1)
		a.op(opEnd)
	}
	a.get(entry)
	a.get(entry)
	a.op(opI32Load, 2, 4*fieldPCData)
	a.get(entry)
	a.op(opI32Load8U, 0, funcSize-1)
	a.op(opI32Add)
	a.number(4)
	a.op(opI32Mul)
	a.number(funcSize + 7)
	a.op(opI32Add)
	a.number(-8)
	a.op(opI32And)
	a.op(opI32Add)
	a.set(entry)
	a.add(index, indexSize)
	a.add(i, 1)
	a.againWhileBelow(i, c.count)

	a.number(c.buckets)
	a.set(at)
	a.begin()
	a.get(at)
	a.get(bucket)
	a.number(perBucket)
	a.op(opI32ShrU)
	a.store(0)
	a.add(bucket, 1)
	a.add(at, bucketSize)
	a.againWhileBelow(at, c.beyond)
	a.op(opEnd)
	return a.b
}

// namesFrom writes where the names of the functions from that number on begin, the first of them at this address. It uses
// two locals.
func (a *assembler) namesFrom(c counted, first, at int) {
	const index, name = 0, 1
	if first >= c.count {
		return
	}
	a.number(c.index + indexSize*first)
	a.set(index)
	a.number(at)
	a.set(name)
	a.begin()
	a.get(index)
	a.op(opI32Load, 2, 4)
	a.get(name)
	a.number(c.names)
	a.op(opI32Sub)
	a.store(c.entries + 4*fieldName)
	a.pastZero(name)
	a.add(index, indexSize)
	a.againWhileBelow(index, c.index+indexSize*c.count)
}

// addStart adds the function that the module starts with, which is the last one, to its sections.
func addStart(sections []section, body []byte) ([]section, error) {
	find := func(id byte) (int, error) {
		i := slices.IndexFunc(sections, func(s section) bool { return s.id == id })
		if i < 0 {
			return 0, errors.New("a section is missing")
		}
		return i, nil
	}
	sections = slices.Clone(sections)
	// more gives the section with one thing more, and how many it had.
	more := func(id byte, thing []byte) (had uint64, err error) {
		i, err := find(id)
		if err != nil {
			return 0, err
		}
		sections[i].body, had, err = withMore(sections[i].body, 1, thing)
		return had, err
	}
	if slices.ContainsFunc(sections, func(s section) bool { return s.id == startSection }) {
		return nil, errors.New("the module starts with a function already")
	}
	imports, err := find(importSection)
	if err != nil {
		return nil, err
	}
	imported, err := importedFunctions(sections[imports].body)
	if err != nil {
		return nil, err
	}
	kind, err := more(typeSection, []byte{0x60, 0, 0}) // takes and gives nothing
	if err != nil {
		return nil, err
	}
	functions, err := more(functionSection, binary.AppendUvarint(nil, kind))
	if err != nil {
		return nil, err
	}
	if _, err := more(codeSection, append(binary.AppendUvarint(nil, uint64(len(body))), body...)); err != nil {
		return nil, err
	}
	element, err := find(elementSection)
	if err != nil {
		return nil, err
	}
	return slices.Insert(sections, element, section{startSection, binary.AppendUvarint(nil, imported+functions)}), nil
}

// withMore is a section, which begins with the number of its things, with n more, and how many it had.
func withMore(section []byte, n int, things []byte) (more []byte, had uint64, err error) {
	r := reader{b: section}
	had = r.uleb()
	return slices.Concat(binary.AppendUvarint(nil, had+uint64(n)), section[r.at:], things), had, r.err
}

// importedFunctions is how many functions a section of imports has. The Go linker imports nothing else.
func importedFunctions(imports []byte) (uint64, error) {
	r := reader{b: imports}
	n := r.uleb()
	for range n {
		for range 2 { // module and name
			r.at += int(r.uleb())
		}
		if kind := r.byte(); kind != 0 {
			return 0, errors.New("an import that is no function")
		}
		r.uleb()
	}
	return n, r.err
}
