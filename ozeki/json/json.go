package json

import (
	"errors"
	"fmt"
	"reflect"
)

// RawMessage is one value as JSON text. It is read as it stands; written, it is without spaces between its parts.
type RawMessage []byte

// Extra holds the fields of an object that its struct does not know, so that they survive reading and writing. It is
// tagged json:"-".
type Extra map[string]RawMessage

// A Reader reads itself from the JSON text of one value, null included, which it must not keep.
type Reader interface{ ReadJSON(text []byte) error }

// A Writer appends its JSON text to b.
type Writer interface {
	AppendJSON(b []byte) ([]byte, error)
}

var errSyntax = errors.New("malformed JSON")

// Unmarshal reads the JSON text into what v points to. Where the text is malformed that stays as it is. A value that is not
// of the kind of its place is an error, which says where, and all others are read in spite of it.
func Unmarshal(text []byte, v any) error {
	if !Valid(text) {
		return errSyntax
	}
	return Read(text, v)
}

// Read is Unmarshal for a text that is Valid.
func Read(text []byte, v any) error {
	p := reflect.ValueOf(v)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		return errors.New("JSON is read into what a pointer points to")
	}
	s, err := shapeOf(p.Type().Elem())
	if err != nil {
		return err
	}
	return (&reader{text: text}).value(p.Elem(), s)
}

// Marshal returns v as JSON.
func Marshal(v any) ([]byte, error) {
	if v == nil {
		return []byte("null"), nil
	}
	r := reflect.ValueOf(v)
	s, err := shapeOf(r.Type())
	if err != nil {
		return nil, err
	}
	return s.append(nil, r)
}

// MarshalJSON is for encoding/json.
func (m RawMessage) MarshalJSON() ([]byte, error) { return Marshal(m) }

// UnmarshalJSON is for encoding/json.
func (m *RawMessage) UnmarshalJSON(text []byte) error {
	*m = append(RawMessage(nil), text...)
	return nil
}

func unknown(t reflect.Type) error { return fmt.Errorf("%s has no form in JSON here", t) }
