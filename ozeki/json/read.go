package json

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"reflect"
	"strconv"
	"time"
	"unicode/utf8"
)

// reader reads a valid JSON text from left to right.
type reader struct {
	text []byte
	at   int
}

// peek returns the first byte of what comes next.
func (r *reader) peek() byte {
	r.at = spaces(r.text, r.at)
	return r.text[r.at]
}

// raw passes over a value and returns its text.
func (r *reader) raw() []byte {
	from := spaces(r.text, r.at)
	r.at = scan(r.text, from)
	return r.text[from:r.at]
}

// wrong passes over a value that is not of the kind of its place.
func (r *reader) wrong(kind string) error {
	raw := r.raw()
	if len(raw) > 40 {
		raw = append(bytes.ToValidUTF8(raw[:40], nil), "…"...)
	}
	return fmt.Errorf("%s is not %s", raw, kind)
}

// more reports whether something follows before the closing bracket, which it passes, as it does the comma.
func (r *reader) more(closing byte) bool {
	c := r.peek()
	if c == closing || c == ',' {
		r.at++
	}
	return c != closing
}

// value reads what comes next into v, a place of that shape. After an error, too, it has passed the value.
func (r *reader) value(v reflect.Value, s *shape) error {
	c := r.peek()
	if s.reads {
		return v.Addr().Interface().(Reader).ReadJSON(r.raw())
	}
	if s.way == asRaw {
		v.SetBytes(bytes.Clone(r.raw()))
		return nil
	}
	if c == 'n' {
		r.at += len("null")
		if s.way == asPointer || s.way == asList || s.way == asMap || s.way == asBytes || s.way == asAny {
			v.SetZero()
		}
		return nil
	}
	switch s.way {
	case asText:
		if c != '"' {
			return r.wrong("a text")
		}
		v.SetString(string(r.string()))
		return nil
	case asTruth:
		if c != 't' && c != 'f' {
			return r.wrong("true or false")
		}
		r.raw()
		v.SetBool(c == 't')
		return nil
	case asNumber:
		from := r.at
		n, err := strconv.ParseInt(string(r.raw()), 10, v.Type().Bits())
		if err != nil {
			r.at = from
			return r.wrong("a whole number")
		}
		v.SetInt(n)
		return nil
	case asBytes:
		if c != '"' {
			return r.wrong("a text in base64")
		}
		b, err := base64.StdEncoding.DecodeString(string(r.string()))
		if err == nil {
			v.SetBytes(b)
		}
		return err
	case asMoment:
		if c != '"' {
			return r.wrong("a moment")
		}
		return v.Addr().Interface().(*time.Time).UnmarshalText(r.string())
	case asPointer:
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		return r.value(v.Elem(), s.elem)
	case asList:
		return r.list(v, s.elem)
	case asMap:
		return r.table(v, s.elem)
	case asObject:
		return r.object(v, s)
	}
	r.raw()
	return unknown(v.Type())
}

func (r *reader) list(v reflect.Value, of *shape) (err error) {
	if r.text[r.at] != '[' {
		return r.wrong("a list")
	}
	r.at++
	v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	for r.more(']') {
		n := v.Len()
		if n == v.Cap() {
			v.Grow(1)
		}
		v.SetLen(n + 1)
		if e := r.value(v.Index(n), of); err == nil {
			err = e
		}
	}
	return err
}

func (r *reader) table(v reflect.Value, of *shape) (err error) {
	open := r.text[r.at]
	empty := open == '[' && r.text[spaces(r.text, r.at+1)] == ']'
	if open != '{' && !empty {
		return r.wrong("an object")
	}
	t := v.Type()
	if v.IsNil() {
		v.Set(reflect.MakeMap(t))
	}
	if empty {
		r.raw()
		return nil
	}
	r.at++
	for r.more('}') {
		key := reflect.New(t.Key()).Elem()
		key.SetString(string(r.name()))
		value := reflect.New(t.Elem()).Elem()
		if e := r.value(value, of); e != nil && err == nil {
			err = fmt.Errorf("%s: %w", key.String(), e)
		}
		v.SetMapIndex(key, value)
	}
	return err
}

func (r *reader) object(v reflect.Value, s *shape) (err error) {
	if r.text[r.at] != '{' {
		return r.wrong("an object")
	}
	r.at++
	var others Extra
	next := 0
	for r.more('}') {
		name := r.name()
		from := spaces(r.text, r.at)
		if i := s.find(name, next); i >= 0 {
			f := &s.fields[i]
			next = i + 1
			place := v.FieldByIndex(f.index)
			e := r.value(place, f.shape)
			if e == nil {
				continue
			}
			if !s.odd {
				if err == nil {
					err = fmt.Errorf("field %s: %w", f.name, e)
				}
				continue
			}
			place.SetZero()
			r.at = from
		}
		raw := r.raw()
		if s.extra == nil {
			continue
		}
		if others == nil {
			others = Extra{}
		}
		others[string(name)] = bytes.Clone(raw)
	}
	if s.extra != nil {
		*v.FieldByIndex(s.extra).Addr().Interface().(*Extra) = others
	}
	return err
}

// name reads the name of a field and the colon.
func (r *reader) name() []byte {
	r.peek()
	name := r.string()
	r.peek()
	r.at++
	return name
}

// string reads a string and returns what it says, mostly as a part of the text.
func (r *reader) string() []byte {
	from := r.at + 1
	i := from
	plain := true
	for ; r.text[i] != '"'; i++ {
		if r.text[i] == '\\' {
			plain = false
			i++
		}
	}
	r.at = i + 1
	inner := r.text[from:i]
	if plain && utf8.Valid(inner) {
		return inner
	}
	said := make([]byte, 0, len(inner)+utf8.UTFMax)
	for len(inner) > 0 {
		if inner[0] != '\\' {
			c, n := utf8.DecodeRune(inner)
			said = utf8.AppendRune(said, c)
			inner = inner[n:]
			continue
		}
		c := inner[1]
		if c != 'u' {
			said = append(said, unescaped[c])
			inner = inner[2:]
			continue
		}
		c1 := hex4(inner[2:])
		inner = inner[6:]
		if c1 >= 0xd800 && c1 < 0xdc00 && len(inner) >= 6 && inner[0] == '\\' && inner[1] == 'u' {
			if c2 := hex4(inner[2:]); c2 >= 0xdc00 && c2 < 0xe000 {
				c1 = 0x10000 + (c1-0xd800)<<10 + c2 - 0xdc00
				inner = inner[6:]
			}
		}
		said = utf8.AppendRune(said, c1) // half of a pair becomes U+FFFD
	}
	return said
}

var unescaped = [128]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// hex4 is the number of four hexadecimal digits, -1 if there is another byte among them.
func hex4(b []byte) (n rune) {
	for _, c := range b[:4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return -1
		}
		n = n<<4 | rune(c)
	}
	return n
}
