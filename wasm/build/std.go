package main

// What the standard library has for what no program in a browser does cannot all be left out by the linker: the runtime asks
// everywhere whether it is being traced, and any package may ask for a setting of the environment variable GODEBUG. stdPatch
// answers both in the source, and lets the compiler and the linker do the rest.

const (
	stdPatch = "wasm/std.patch"
	stdDir   = ".cache/std"
)
