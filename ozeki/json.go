package ozeki

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// Extra holds the fields of an object that this package does not know, so that they survive decoding and encoding.
type Extra map[string]json.RawMessage

// decodeObject decodes the JSON object b into known (a pointer to a struct without UnmarshalJSON) and its other fields
// into extra, which stays nil where there are none. Field names count exactly. b is valid JSON, as encoding/json gives
// it to UnmarshalJSON.
//
// A list of conversations has objects in objects in a list; encoding/json would read each level anew for every level
// above it. decodeObject walks over the text once, which makes a list of a thousand several times faster.
func decodeObject(b []byte, known any, extra *Extra) error {
	return decodeFields(b, known, extra, false)
}

// decodeLenient is decodeObject for what other participants have written: a field whose value is not of the expected
// kind stays zero and survives in extra, so that one odd message does not hide all the others.
func decodeLenient(b []byte, known any, extra *Extra) error {
	return decodeFields(b, known, extra, true)
}

func decodeFields(b []byte, known any, extra *Extra, lenient bool) error {
	var others Extra
	v := reflect.ValueOf(known).Elem()
	fields := fieldsOf(v.Type())
	err := walkObject(b, func(name string, raw []byte) error {
		if index, ok := fields[name]; ok {
			err := decodeValue(raw, v.FieldByIndex(index))
			if err == nil {
				return nil
			}
			if !lenient {
				return fmt.Errorf("field %s: %w", name, err)
			}
			v.FieldByIndex(index).SetZero()
		}
		if extra == nil {
			return nil
		}
		if others == nil {
			others = Extra{}
		}
		others[name] = bytes.Clone(raw)
		return nil
	})
	if err == nil && extra != nil {
		*extra = others
	}
	return err
}

// encodeObject encodes known (a struct without MarshalJSON) together with the fields of extra. Of a name in both, extra
// counts only where the known field is zero.
func encodeObject(known any, extra Extra) ([]byte, error) {
	b, err := json.Marshal(known)
	if err != nil || len(extra) == 0 {
		return b, err
	}
	v := reflect.ValueOf(known)
	fields := fieldsOf(v.Type())
	all := make(map[string]json.RawMessage, len(extra)+len(fields))
	err = walkObject(b, func(name string, raw []byte) error {
		all[name] = raw
		return nil
	})
	if err != nil {
		return nil, err
	}
	for name, raw := range extra {
		if index, ok := fields[name]; !ok || v.FieldByIndex(index).IsZero() {
			all[name] = raw
		}
	}
	return json.Marshal(all)
}

var fieldCache sync.Map // reflect.Type → map[string][]int

// fieldsOf returns the struct's fields by their JSON names, those of embedded structs included.
func fieldsOf(t reflect.Type) map[string][]int {
	if m, ok := fieldCache.Load(t); ok {
		return m.(map[string][]int)
	}
	m := map[string][]int{}
	for _, f := range reflect.VisibleFields(t) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
			m[name] = f.Index
		}
	}
	fieldCache.Store(t, m)
	return m
}

var errSyntax = errors.New("malformed JSON")

// decodeValue decodes one JSON value into v as encoding/json does, but faster for the kinds that fill an answer; and an
// empty list is taken for an empty map, as PHP writes it.
func decodeValue(raw []byte, v reflect.Value) error {
	if u, ok := v.Addr().Interface().(json.Unmarshaler); ok {
		return u.UnmarshalJSON(raw)
	}
	null := string(raw) == "null"
	switch v.Kind() {
	case reflect.String:
		if null {
			return nil
		}
		s, err := textOf(raw)
		if err != nil {
			return err
		}
		v.SetString(s)
		return nil
	case reflect.Bool:
		switch {
		case string(raw) == "true":
			v.SetBool(true)
		case string(raw) == "false":
			v.SetBool(false)
		case !null:
			return fmt.Errorf("%s is not true or false", shortened(raw))
		}
		return nil
	case reflect.Int, reflect.Int64:
		if null {
			return nil
		}
		n, err := strconv.ParseInt(string(raw), 10, v.Type().Bits())
		if err != nil {
			return fmt.Errorf("%s is not a whole number", shortened(raw))
		}
		v.SetInt(n)
		return nil
	case reflect.Pointer:
		if null {
			v.SetZero()
			return nil
		}
		p := reflect.New(v.Type().Elem())
		v.Set(p)
		return decodeValue(raw, p.Elem())
	case reflect.Slice:
		if null {
			v.SetZero()
			return nil
		}
		v.Set(reflect.MakeSlice(v.Type(), 0, 0))
		return walkArray(raw, func(element []byte) error {
			n := v.Len()
			if n == v.Cap() {
				v.Grow(1)
			}
			v.SetLen(n + 1)
			return decodeValue(element, v.Index(n))
		})
	case reflect.Map:
		if string(raw) == "[]" {
			v.Set(reflect.MakeMap(v.Type()))
			return nil
		}
	}
	return json.Unmarshal(raw, v.Addr().Interface())
}

// textOf returns what a JSON string says.
func textOf(raw []byte) (string, error) {
	if len(raw) < 2 || raw[0] != '"' {
		return "", fmt.Errorf("%s is not a text", shortened(raw))
	}
	inner := raw[1 : len(raw)-1]
	if bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return string(inner), nil
	}
	var s string
	err := json.Unmarshal(raw, &s)
	return s, err
}

// shortened is a value for an error text.
func shortened(raw []byte) string {
	if len(raw) > 40 {
		return string(bytes.ToValidUTF8(raw[:40], nil)) + "…"
	}
	return string(raw)
}

// walkObject calls field with each name and value of the JSON object b; null is an object without fields.
func walkObject(b []byte, field func(name string, raw []byte) error) error {
	return walk(b, '{', '}', func(b []byte) ([]byte, error) {
		key, b, err := nextValue(b)
		if err != nil {
			return nil, err
		}
		name, err := textOf(key)
		if err != nil {
			return nil, err
		}
		if b = trimSpace(b); len(b) == 0 || b[0] != ':' {
			return nil, errSyntax
		}
		raw, b, err := nextValue(b[1:])
		if err != nil {
			return nil, err
		}
		return b, field(name, raw)
	})
}

// walkArray calls element with each value of the JSON array b.
func walkArray(b []byte, element func(raw []byte) error) error {
	return walk(b, '[', ']', func(b []byte) ([]byte, error) {
		raw, b, err := nextValue(b)
		if err != nil {
			return nil, err
		}
		return b, element(raw)
	})
}

// walk calls item for each item between open and closing, with the text from there on; item returns what follows it.
func walk(b []byte, open, closing byte, item func(b []byte) ([]byte, error)) error {
	b = trimSpace(b)
	if open == '{' && string(b) == "null" {
		return nil
	}
	if len(b) == 0 || b[0] != open {
		return fmt.Errorf("%s where %c…%c is expected", shortened(b), open, closing)
	}
	b = trimSpace(b[1:])
	if len(b) > 0 && b[0] == closing {
		return nil
	}
	for {
		var err error
		if b, err = item(b); err != nil {
			return err
		}
		b = trimSpace(b)
		switch {
		case len(b) > 0 && b[0] == ',':
			b = b[1:]
		case len(b) > 0 && b[0] == closing:
			return nil
		default:
			return errSyntax
		}
	}
}

// nextValue cuts one JSON value off the front of b.
func nextValue(b []byte) (raw, rest []byte, err error) {
	b = trimSpace(b)
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			for i++; i < len(b) && b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
			if i >= len(b) {
				return nil, nil, errSyntax
			}
		case '{', '[':
			depth++
			continue
		case '}', ']':
			if depth--; depth < 0 { // the end of what a number or a word stands in
				return b[:i], b[i:], nil
			}
		case ',', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return b[:i], b[i:], nil
			}
			continue
		default:
			continue
		}
		if depth == 0 {
			return b[:i+1], b[i+1:], nil
		}
	}
	if depth > 0 || len(b) == 0 {
		return nil, nil, errSyntax
	}
	return b, nil, nil
}

func trimSpace(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t' || b[0] == '\r' || b[0] == '\n') {
		b = b[1:]
	}
	return b
}
