// Package json is the small part of encoding/json that the browser program needs, so that the program need not carry all
// of it: the same functions, for the same struct tags, which stay the only place where a field has its name. A test
// compares it with encoding/json for the types of the API and of the device's store.
//
// What it writes is byte for byte what encoding/json writes, <, > and & escaped. What it reads differs in this:
//
//   - the names of an object's fields count exactly, capitals too;
//   - an empty list is taken for an empty map, as PHP writes it;
//   - fields that a struct does not know are kept, in order to be written again, where it has a field of type Extra; with
//     the tag odd:"kept" there, so are fields whose value is not of the expected kind;
//   - a list is read into a new one.
//
// It knows strings, booleans, whole numbers, []byte, time.Time, structs, and pointers, slices and maps (by strings) of
// these, RawMessage, and what reads and writes itself by a Reader and a Writer; values of interfaces are written, not read.
package json
