package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// acrobat jumps in all the ways that the compiler has: loops with labels, switches, gotos, calls that unwind for another
// goroutine and come back, deferred calls, panics, nil pointers, deep stacks that are copied while they grow, and what the
// garbage collector and tracebacks read of the stack. It prints what came of it.
const acrobat = `package main

import (
	"errors"
	"fmt"
	"runtime"
	"sort"
	"strings"
	"sync"
	"time"
)

type node struct{ left, right *node; value int }

func (n *node) insert(v int) *node {
	if n == nil {
		return &node{value: v}
	}
	if v < n.value {
		n.left = n.left.insert(v)
	} else {
		n.right = n.right.insert(v)
	}
	return n
}

func (n *node) walk(yield func(int) bool) bool {
	return n == nil || n.left.walk(yield) && yield(n.value) && n.right.walk(yield)
}

func deep(n int, big [64]int) int {
	if n == 0 {
		runtime.GC()
		return big[n]
	}
	big[n%64] += n
	return deep(n-1, big) + big[n%64]
}

func guarded(f func()) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("recovered: %v", r)
		}
	}()
	defer runtime.Gosched()
	f()
	return nil
}

func collatz(n int) (steps int) {
again:
	switch {
	case n == 1:
		return steps
	case n%2 == 0:
		n /= 2
	default:
		n = 3*n + 1
	}
	steps++
	if steps%7 == 0 {
		runtime.Gosched()
	}
	goto again
}

func primes(limit int) (found []int) {
outer:
	for n := 2; n < limit; n++ {
		for _, p := range found {
			if p*p > n {
				break
			}
			if n%p == 0 {
				continue outer
			}
		}
		found = append(found, n)
	}
	return found
}

func main() {
	fmt.Println(primes(100), collatz(27))
	var root *node
	for i := range 200 {
		root = root.insert(i * 7919 % 1009)
	}
	for v := range root.walk2() {
		if v > 900 {
			break
		}
		fmt.Print(v, " ")
	}
	fmt.Println(deep(3000, [64]int{1}))
	var none *node
	var nothing []int
	var text any = "text"
	fmt.Println(guarded(func() { none.value++ }), guarded(func() { nothing[len(text.(string))]++ }),
		guarded(func() { _ = text.(error) }), guarded(func() { panic(errors.New("own")) }),
		guarded(func() { fmt.Println(1 / len(nothing)) }), guarded(func() {}))
	var wait sync.WaitGroup
	var lock sync.Mutex
	sums := map[string]int{}
	ticks := make(chan int)
	for g := range 8 {
		wait.Go(func() {
			for i := range 50 {
				select {
				case n := <-ticks:
					lock.Lock()
					sums[fmt.Sprint("got", n%3)] += n
					lock.Unlock()
				case ticks <- g*i:
				case <-time.After(time.Microsecond):
					sums["x"] += 0
				}
				if i%10 == 0 {
					deep(g*10, [64]int{g})
				}
			}
		})
	}
	wait.Wait()
	fmt.Println(len(sums) > 0)
	words := strings.Fields("the quick brown fox jumps over the lazy dog and the rest of it")
	sort.Slice(words, func(i, j int) bool { runtime.Gosched(); return words[i] < words[j] })
	fmt.Println(words, fmt.Sprintf("%8.3f|%x|%v|%q", 3.14159, -255, struct{ A, B any }{1, nil}, "ü"))
	total := 0.0
	for i := range 1000 {
		total += float64(int8(i)) / float64(uint16(i*i+1)) * float64(uint32(i)>>3)
	}
	fmt.Println(total)
	defer fmt.Println("deferred")
	func() {
		defer func() { fmt.Println(recover()); panic("out") }()
		panic("in")
	}()
}

func (n *node) walk2() func(func(int) bool) { return func(y func(int) bool) { n.walk(y) } }
`

// ran is what the acrobat prints before it ends in its panic.
func ran(t *testing.T, module []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "program.wasm")
	if err := os.WriteFile(file, module, 0o644); err != nil {
		t.Fatal(err)
	}
	return printed(t, filepath.Join(glue(t), "wasm_exec_node.js"), file)
}

// glue is the toolchain's directory of scripts for programs in JavaScript's world.
func glue(t *testing.T) string {
	t.Helper()
	root, err := goroot()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(root, "lib", "wasm")
}

// printed is what the acrobat prints if node runs it by a script with these arguments.
func printed(t *testing.T, script string, args ...string) string {
	t.Helper()
	cmd := exec.Command("node", append([]string{"--stack-size=8192", script}, args...)...)
	var out, fault bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &fault
	err := cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatalf("node, which comes with npm, does not run: %v", err)
	}
	if cmd.ProcessState.ExitCode() != 2 || !strings.Contains(fault.String(), "panic: in [recovered]") || !strings.Contains(fault.String(), "main.main") {
		t.Fatalf("it did not end in its panic: %v: %s%s", err, out.String(), fault.String())
	}
	return out.String()
}

func TestTheProgramDoesTheSameWhenItIsTightened(t *testing.T) {
	before := linkedProgram(t, acrobat)
	want := ran(t, before)
	for _, traces := range []bool{true, false} {
		after, note, err := shrink(before, traces)
		if err != nil || note != "" {
			t.Fatal(note, err)
		}
		if got := ran(t, after); got != want {
			t.Errorf("with traces %v it prints\n%s\nwant\n%s", traces, got, want)
		}
	}
	after, _, err := shrink(before, false)
	if err != nil {
		t.Fatal(err)
	}
	old, tight := functions(t, before), functions(t, after)
	if was, is := len(codeOfBodies(old)), len(codeOfBodies(tight)); len(tight) == 0 || is >= was {
		t.Errorf("the code of %d functions is %d bytes long, before %d", len(tight), is, was)
	}
}

// tightened is a function, of this number in the section, as tighten writes it.
func tightened(body string, number int64) ([]byte, error) {
	own, code, err := tightenFunction([]byte(body))
	if err != nil {
		return nil, err
	}
	return functionOf(keepNumber(own, code, number)), nil
}

func TestJumpsTakeTheShortWay(t *testing.T) {
	const function = "\x00" + // no locals
		"\x02\x40\x03\x40\x02\x40\x02\x40\x02\x40" + // block, loop and three blocks for
		"\x20\x00\x0e\x03\x00\x00\x01\x02\x0b" + // the table: numbers 0 and 1 enter the first, 2 the second, 3 the third
		"\x20\x00\x04\x40\x41\x03\x21\x00\x0c\x03\x0b" + // if …, jump to 3
		"\x41\x02\x21\x00\x0c\x02" + // jump to 2
		"\x0b\x20\x00\x0d\x02" + // 2: if …, leave
		"\x41\x01\x21\x00\x0c\x01" + // jump back to 1
		"\x0b\x01\x41\x00\x0f" + // 3: return 0
		"\x0b\x00\x0b\x41\x01\x0b"
	const want = "\x00" +
		"\x02\x40\x03\x40\x02\x40\x02\x40\x02\x40" +
		"\x20\x00\x0e\x03\x00\x00\x01\x02\x0b" +
		"\x20\x00\x0d\x01" +
		"\x0c\x00" +
		"\x0b\x20\x00\x04\x40\x41\x01\x0f\x0b" +
		"\x41\x01\x21\x00\x0c\x01" +
		"\x0b\x41\x00\x0f" +
		"\x0b\x00\x0b\x41\x01\x0b"
	got, err := tightened(function, 0)
	if err != nil || string(got) != want {
		t.Errorf("% x, %v, want\n% x", got, err, want)
	}
}

func TestStackAddressesAreOffsets(t *testing.T) {
	const begin = "\x01\x02\x7f\x23\x00\x21\x01"
	for name, c := range map[string]struct{ is, want string }{
		"load":            {"\x20\x01\xad\x42\x18\x7c\xa7\x31\x00\x02\x1a\x0b", "\x20\x01\x31\x00\x1a\x1a\x0b"},
		"store":           {"\x20\x01\xad\x42\x18\x7c\xa7\x20\x01\x29\x03\x00\x37\x03\x00\x0b", "\x20\x01\x20\x01\x29\x03\x00\x37\x03\x18\x0b"},
		"stored itself":   {"\x20\x01\x20\x01\xad\x42\x18\x7c\xa7\x36\x02\x00\x0b", "\x20\x01\x20\x01\xad\x42\x18\x7c\xa7\x36\x02\x00\x0b"},
		"another local":   {"\x20\x02\xad\x42\x18\x7c\xa7\x31\x00\x02\x1a\x0b", "\x20\x02\xad\x42\x18\x7c\xa7\x31\x00\x02\x1a\x0b"},
		"across a call":   {"\x20\x01\xad\x42\x18\x7c\xa7\x10\x05\x36\x02\x00\x0b", "\x20\x01\xad\x42\x18\x7c\xa7\x10\x05\x36\x02\x00\x0b"},
		"narrow constant": {"\x42\x80\x80\x80\x80\x08\xa7\x1a\x0b", "\x41\x80\x80\x80\x80\x78\x1a\x0b"},
	} {
		got, err := tightened(begin+c.is, 0)
		if err != nil || string(got) != begin+c.want {
			t.Errorf("%s: % x, %v", name, got, err)
		}
	}
}

func TestAFunctionKeepsItsNumberInALocal(t *testing.T) {
	const begin = "\x23\x00\x21\x01"
	const call = "\x37\x03\x00\x41\x00\x10\x07\x1a" // store, call 7, drop
	for name, c := range map[string]struct{ is, want string }{
		"calls":        {"\x02\x01\x7f\x01\x7e" + begin + "\x20\x01\x42\x83\x80\x8c\x80\x01" + call + "\x20\x02\x1a\x0b", "\x02\x01\x7f\x02\x7e" + begin + "\x42\x80\x80\x8c\x80\x01\x21\x02\x20\x01\x20\x02\x42\x03\x84" + call + "\x20\x03\x1a\x0b"},
		"its begin":    {"\x02\x01\x7f\x01\x7d" + begin + "\x20\x01\x42\x80\x80\x8c\x80\x01" + call + "\x22\x02\x0b", "\x03\x01\x7f\x01\x7e\x01\x7d" + begin + "\x42\x80\x80\x8c\x80\x01\x21\x02\x20\x01\x20\x02" + call + "\x22\x03\x0b"},
		"another's":    {"\x01\x01\x7f" + begin + "\x20\x01\x42\x83\x80\x90\x80\x01" + call + "\x0b", "\x01\x01\x7f" + begin + "\x20\x01\x42\x83\x80\x90\x80\x01" + call + "\x0b"},
		"other locals": {"\x01\x02\x7f" + begin + "\x20\x01\x42\x83\x80\x8c\x80\x01" + call + "\x0b", "\x01\x02\x7f" + begin + "\x20\x01\x42\x83\x80\x8c\x80\x01" + call + "\x0b"},
	} {
		got, err := tightened(c.is, 3)
		if err != nil || string(got) != c.want {
			t.Errorf("%s: % x, %v, want\n% x", name, got, err, c.want)
		}
	}
}

func TestCodeOfAnotherCompilerIsAnError(t *testing.T) {
	for name, body := range map[string]string{
		"a block that does not end": "\x00\x02\x40\x0b",
		"code after the end":        "\x00\x0b\x01\x0b",
		"an instruction cut off":    "\x00\x44\x00",
		"vectors":                   "\x00\xfd\x0c\x0b",
	} {
		if _, err := tightened(body, 0); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, _, err := tighten([]byte{1, 9, 0}, nil); err == nil {
		t.Error("a function that is too long: no error")
	}
}
