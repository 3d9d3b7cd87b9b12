package json

import (
	"encoding/base64"
	"reflect"
	"sort"
	"strconv"
	"time"
	"unicode/utf8"
)

// append appends v, which is of that shape, as JSON.
func (s *shape) append(b []byte, v reflect.Value) ([]byte, error) {
	if s.writes {
		return v.Interface().(Writer).AppendJSON(b)
	}
	switch s.way {
	case asText:
		return AppendText(b, v.String()), nil
	case asTruth:
		return strconv.AppendBool(b, v.Bool()), nil
	case asNumber:
		return strconv.AppendInt(b, v.Int(), 10), nil
	case asMoment:
		b = append(b, '"')
		b, err := v.Interface().(time.Time).AppendText(b)
		return append(b, '"'), err
	case asObject:
		return s.appendObject(b, v)
	case asPointer, asAny, asList, asMap, asBytes, asRaw:
		if v.IsNil() {
			return append(b, "null"...), nil
		}
	}
	switch s.way {
	case asPointer:
		return s.elem.append(b, v.Elem())
	case asAny:
		s, err := shapeOf(v.Elem().Type())
		if err != nil {
			return nil, err
		}
		return s.append(b, v.Elem())
	case asList:
		return s.appendList(b, v)
	case asMap:
		return s.appendMap(b, v)
	case asBytes:
		b = append(b, '"')
		b = base64.StdEncoding.AppendEncode(b, v.Bytes())
		return append(b, '"'), nil
	case asRaw:
		return appendRaw(b, v.Bytes())
	}
	return nil, unknown(v.Type())
}

func (s *shape) appendList(b []byte, v reflect.Value) (_ []byte, err error) {
	b = append(b, '[')
	for i := range v.Len() {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = s.elem.append(b, v.Index(i)); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

// appendMap appends a map in the order of its keys.
func (s *shape) appendMap(b []byte, v reflect.Value) (_ []byte, err error) {
	names := make([]string, 0, v.Len())
	for each := v.MapRange(); each.Next(); {
		names = append(names, each.Key().String())
	}
	sort.Strings(names)
	key := reflect.New(v.Type().Key()).Elem()
	b = append(b, '{')
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(AppendText(b, name), ':')
		key.SetString(name)
		if b, err = s.elem.append(b, v.MapIndex(key)); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

// appendObject appends a struct: its fields in their order; where there are others in its Extra, all in the order of their
// names. Of a name in both, Extra counts only where the known field is zero.
func (s *shape) appendObject(b []byte, v reflect.Value) (_ []byte, err error) {
	var all Extra
	if s.extra != nil {
		if extra := v.FieldByIndex(s.extra); extra.Len() > 0 {
			all = make(Extra, extra.Len()+len(s.fields))
			for name, raw := range extra.Interface().(Extra) {
				all[name] = raw
			}
		}
	}
	b = append(b, '{')
	comma := false
	for i := range s.fields {
		f := &s.fields[i]
		value := v.FieldByIndex(f.index)
		if f.omitEmpty && isEmpty(value) || f.omitZero && isZero(value) {
			if all != nil && !value.IsZero() {
				delete(all, f.name)
			}
			continue
		}
		if all != nil {
			if _, in := all[f.name]; !in || !value.IsZero() {
				if all[f.name], err = f.shape.append(nil, value); err != nil {
					return nil, err
				}
			}
			continue
		}
		if comma {
			b = append(b, ',')
		}
		comma = true
		if b, err = f.shape.append(append(b, f.head...), value); err != nil {
			return nil, err
		}
	}
	if all == nil {
		return append(b, '}'), nil
	}
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	sort.Strings(names)
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendRaw(append(AppendText(b, name), ':'), all[name]); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice, reflect.Map, reflect.String:
		return v.Len() == 0
	case reflect.Struct:
		return false
	}
	return v.IsZero()
}

func isZero(v reflect.Value) bool {
	if z, ok := v.Interface().(interface{ IsZero() bool }); ok && v.Kind() == reflect.Struct {
		return z.IsZero()
	}
	return v.IsZero()
}

// appendRaw appends a JSON text without the spaces between its parts; nil is null.
func appendRaw(b, raw []byte) ([]byte, error) {
	if raw == nil {
		return append(b, "null"...), nil
	}
	if !Valid(raw) {
		return nil, errSyntax
	}
	inString := false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case c == '<' || c == '>' || c == '&':
			b = appendEscape(b, rune(c))
			continue
		case c == 0xe2 && i+2 < len(raw) && raw[i+1] == 0x80 && raw[i+2]&^1 == 0xa8:
			b = appendEscape(b, 0x2000|rune(raw[i+2]&0x3f))
			i += 2
			continue
		case !inString && (c == ' ' || c == '\n' || c == '\t' || c == '\r'):
			continue
		case c == '"':
			inString = !inString
		case c == '\\':
			b = append(b, c)
			i++
		}
		b = append(b, raw[i])
	}
	return b, nil
}

// AppendText appends a JSON string. What is not UTF-8 becomes U+FFFD.
func AppendText(b []byte, s string) []byte {
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); {
		c, n := rune(s[i]), 1
		if c >= utf8.RuneSelf {
			c, n = utf8.DecodeRuneInString(s[i:])
			if (c != utf8.RuneError || n > 1) && c != 0x2028 && c != 0x2029 {
				i += n
				continue
			}
		} else if c >= ' ' && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&' {
			i++
			continue
		}
		b = append(b, s[from:i]...)
		i += n
		from = i
		switch c {
		case '"', '\\':
			b = append(b, '\\', byte(c))
		case '\b':
			b = append(b, `\b`...)
		case '\f':
			b = append(b, `\f`...)
		case '\n':
			b = append(b, `\n`...)
		case '\r':
			b = append(b, `\r`...)
		case '\t':
			b = append(b, `\t`...)
		default:
			b = appendEscape(b, c)
		}
	}
	return append(append(b, s[from:]...), '"')
}

func appendEscape(b []byte, c rune) []byte {
	const digits = "0123456789abcdef"
	return append(b, '\\', 'u', digits[c>>12&15], digits[c>>8&15], digits[c>>4&15], digits[c&15])
}
