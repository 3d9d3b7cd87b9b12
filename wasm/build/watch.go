package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// Which functions the first part has is learned from the running program: `make first` has a browser go through what a
// first part is for, with a program in which each function notes that it was called.

// functionLists are the names of the functions of the first part: all, and in the order of their first calls those that a return
// calls and those that a first visit calls besides. Names that the program has not are of no harm; a function that is missing in
// all makes a start wait for the second part, one that is missing in order only takes longer.
type functionLists struct {
	all   map[string]bool
	order [len(touchSections)][]string
}

// firstFunctions is the file of all these names, a name in each line, orderedFunctions that of an order's.
const firstFunctions = "wasm/build/first.txt"

func orderedFunctions(order int) string { return "wasm/build/" + touchSections[order] + ".txt" }

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

// learn takes from a file of notes which functions of the program that the linker wrote into the file linked were called. They
// are added to those of the first part that the program still has, since some are called by chance only, and take the place of
// the former orders.
func learn(linked, notes string) error {
	program, err := os.ReadFile(linked)
	if err != nil {
		return err
	}
	_, all, err := functionNames(program)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(notes)
	if err != nil {
		return err
	}
	var noted struct{ All, Return, Visit []int }
	if err := json.Unmarshal(text, &noted); err != nil {
		return fmt.Errorf("%s: %w", notes, err)
	}
	names, err := called(all, noted.All)
	if err != nil {
		return err
	}
	former, err := linesOf(firstFunctions)
	if err != nil {
		return err
	}
	names = append(names, slices.DeleteFunc(former, func(name string) bool { return !slices.Contains(all, name) })...)
	slices.Sort(names)
	lists := map[string][]string{firstFunctions: slices.Compact(names)}
	for n, noted := range [...][]int{noted.Return, noted.Visit} {
		if lists[orderedFunctions(n)], err = called(all, noted); err != nil {
			return err
		}
	}
	for file, names := range lists {
		if err := os.WriteFile(file, []byte(strings.Join(names, "\n")+"\n"), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// called are those of the functions' names that the notes say were called, by numbers, in the order of the notes.
func called(names []string, noted []int) ([]string, error) {
	var called []string
	for _, i := range noted {
		if i >= 0 && i < len(names) { // the others are not Go's
			called = append(called, names[i])
		}
	}
	if len(called) == 0 {
		return nil, errors.New("no function was called")
	}
	return called, nil
}

// readFunctions are the lists of the first part's functions.
func readFunctions() (functionLists, error) {
	lists := functionLists{all: map[string]bool{}}
	all, err := linesOf(firstFunctions)
	for _, name := range all {
		lists.all[name] = true
	}
	for n := range lists.order {
		if err == nil {
			lists.order[n], err = linesOf(orderedFunctions(n))
		}
	}
	return lists, err
}

func linesOf(file string) ([]string, error) {
	text, err := os.ReadFile(file)
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n"), err
}
