package main

import (
	"errors"
	"os"
	"slices"
	"strings"
)

// Which functions the first part has is learned from the running program: `make first` has a browser go through what a
// first part is for, with a program in which each function notes that it was called.

// firstFunctions is the file of the functions of the first part, a name in each line. Names that the program has not are of
// no harm; a function that is missing there makes a start wait for the second part.
const firstFunctions = "wasm/build/first.txt"

// notes is how many bytes of the memory hold the notes: from address 0, which Go leaves alone up to where wasm_exec.js puts
// the program's arguments.
const notes = 4096

// watched returns the module in which function i, when it is called, sets bit i&7 of the byte i>>3 of the memory.
func watched(b []byte) ([]byte, error) {
	m, err := readModule(b)
	if err != nil {
		return nil, err
	}
	if len(m.bodies) > notes*8 {
		return nil, errors.New("too many functions to be watched")
	}
	bodies := slices.Clone(m.bodies)
	for i, body := range bodies {
		_, own, err := m.code(i)
		if err != nil {
			return nil, err
		}
		a := &assembler{slices.Clone(own)}
		a.number(i >> 3)
		a.number(i >> 3)
		a.op(opI32Load8U, 0, 0)
		a.number(1 << (i & 7))
		a.op(opI32Or)
		a.op(opI32Store8, 0, 0)
		bodies[i] = append(a.b, body[len(own):]...)
	}
	return moduleWith(m.replaced(codeSection, codeOfBodies(bodies))), nil
}

// learn adds to the file of the first part's functions those that the file of notes says were called, of the program that the
// linker wrote into the file linked. Some are called by chance only, so that former ones stay while the program has them.
func learn(linked, notes string) error {
	program, err := os.ReadFile(linked)
	if err != nil {
		return err
	}
	noted, err := os.ReadFile(notes)
	if err != nil {
		return err
	}
	_, all, err := functionNames(program)
	if err != nil {
		return err
	}
	names, err := called(all, noted)
	if err != nil {
		return err
	}
	former, err := readFirst()
	if err != nil {
		return err
	}
	for _, name := range all {
		if former[name] {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	return os.WriteFile(firstFunctions, []byte(strings.Join(names, "\n")+"\n"), 0o644)
}

// called are those of the functions' names that the notes say were called, in order.
func called(names []string, noted []byte) ([]string, error) {
	var called []string
	for i, name := range names {
		if i>>3 < len(noted) && noted[i>>3]>>(i&7)&1 == 1 {
			called = append(called, name)
		}
	}
	if len(called) == 0 {
		return nil, errors.New("no function was called")
	}
	slices.Sort(called)
	return slices.Compact(called), nil
}

// readFirst are the names of the functions of the first part.
func readFirst() (map[string]bool, error) {
	text, err := os.ReadFile(firstFunctions)
	if err != nil {
		return nil, err
	}
	first := map[string]bool{}
	for name := range strings.Lines(string(text)) {
		first[strings.TrimSpace(name)] = true
	}
	return first, nil
}
