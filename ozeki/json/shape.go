package json

import (
	"reflect"
	"strings"
	"sync"
	"time"
)

// A way is how values of a type are read and written.
type way uint8

const (
	asNothing way = iota // only where reads and writes say how
	asText
	asTruth
	asNumber
	asBytes
	asMoment
	asRaw
	asPointer
	asList
	asMap
	asObject
	asAny
)

// shape is what is known of a type.
type shape struct {
	way    way
	reads  bool   // it is a Reader
	writes bool   // it is a Writer
	elem   *shape // of pointers, lists and maps
	fields []field
	extra  []int // where the field of type Extra is, nil if there is none
	odd    bool  // values of the wrong kind are kept in extra
}

// field is a field of a struct, or of one embedded in it.
type field struct {
	name      string
	head      string // the name as JSON, and the colon
	index     []int
	shape     *shape
	omitEmpty bool
	omitZero  bool
}

var shapes sync.Map // reflect.Type → *shape

func shapeOf(t reflect.Type) (*shape, error) {
	if s, ok := shapes.Load(t); ok {
		return s.(*shape), nil
	}
	made := map[reflect.Type]*shape{}
	s, err := makeShape(t, made)
	if err != nil {
		return nil, err
	}
	for t, s := range made {
		shapes.Store(t, s)
	}
	return s, nil
}

var (
	extraType  = reflect.TypeFor[Extra]()
	rawType    = reflect.TypeFor[RawMessage]()
	momentType = reflect.TypeFor[time.Time]()
)

// makeShape makes the shape of t and of all types in it; made has those of this run, so that a type may contain itself.
func makeShape(t reflect.Type, made map[reflect.Type]*shape) (s *shape, err error) {
	if s, ok := made[t]; ok {
		return s, nil
	}
	s = &shape{}
	made[t] = s
	if t.Kind() != reflect.Pointer && t.Kind() != reflect.Interface {
		zero := reflect.New(t)
		_, s.reads = zero.Interface().(Reader)
		_, s.writes = zero.Elem().Interface().(Writer)
	}
	switch t.Kind() {
	case reflect.String:
		s.way = asText
	case reflect.Bool:
		s.way = asTruth
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		s.way = asNumber
	case reflect.Interface:
		s.way = asAny
	case reflect.Pointer:
		s.way = asPointer
		s.elem, err = makeShape(t.Elem(), made)
	case reflect.Slice:
		switch {
		case t == rawType:
			s.way = asRaw
		case t.Elem().Kind() == reflect.Uint8:
			s.way = asBytes
		default:
			s.way = asList
			s.elem, err = makeShape(t.Elem(), made)
		}
	case reflect.Map:
		if t.Key().Kind() != reflect.String {
			return nil, unknown(t)
		}
		s.way = asMap
		s.elem, err = makeShape(t.Elem(), made)
	case reflect.Struct:
		switch {
		case t == momentType:
			s.way = asMoment
		case !s.reads || !s.writes:
			s.way = asObject
			err = s.addFields(t, nil, made)
		}
	default:
		return nil, unknown(t)
	}
	return s, err
}

func (s *shape) addFields(t reflect.Type, above []int, made map[reflect.Type]*shape) error {
	for i := range t.NumField() {
		f := t.Field(i)
		index := append(above[:len(above):len(above)], i)
		tag := f.Tag.Get("json")
		name, options, _ := strings.Cut(tag, ",")
		switch {
		case f.Type == extraType && tag == "-":
			s.extra, s.odd = index, f.Tag.Get("odd") == "kept"
		case f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct:
			if err := s.addFields(f.Type, index, made); err != nil {
				return err
			}
		case f.IsExported() && tag != "-":
			if name == "" {
				name = f.Name
			}
			of, err := makeShape(f.Type, made)
			if err != nil {
				return err
			}
			s.fields = append(s.fields, field{
				name: name, head: string(append(AppendText(nil, name), ':')), index: index, shape: of,
				omitEmpty: strings.Contains(options, "omitempty"), omitZero: strings.Contains(options, "omitzero"),
			})
		}
	}
	return nil
}

// find returns the place of the field of that name, -1 if there is none. Fields mostly come in their order, so it begins
// with the one at from.
func (s *shape) find(name []byte, from int) int {
	for i := from; i < len(s.fields); i++ {
		if s.fields[i].name == string(name) {
			return i
		}
	}
	for i := range min(from, len(s.fields)) {
		if s.fields[i].name == string(name) {
			return i
		}
	}
	return -1
}
