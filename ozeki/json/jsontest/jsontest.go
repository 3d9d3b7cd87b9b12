// Package jsontest compares starling/ozeki/json with encoding/json.
package jsontest

import (
	"bytes"
	std "encoding/json"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"starling/ozeki/json"
)

// Same tests that values of the types of the given ones, filled at random, are written as encoding/json writes them, and that
// what encoding/json reads of it is read. encoding/json gets types of the same fields and tags, but without methods, so that
// it does not ask the package that it is compared with.
func Same(t *testing.T, values ...any) {
	t.Helper()
	for _, value := range values {
		of := reflect.TypeOf(value)
		plain := plainType(of)
		for seed := range uint64(50) {
			v := reflect.New(of)
			(&filler{rand.New(rand.NewPCG(seed, 1))}).fill(v.Elem(), 0)
			p := reflect.New(plain)
			copyTo(p.Elem(), v.Elem())
			want, err := std.Marshal(p.Interface())
			if err != nil {
				t.Fatalf("%s: encoding/json: %v", of, err)
			}
			got, err := json.Marshal(v.Interface())
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s is written as\n%s, and by encoding/json as\n%s (%v)", of, got, want, err)
				break
			}
			back, plainBack, expected := reflect.New(of), reflect.New(plain), reflect.New(plain)
			if err := std.Unmarshal(want, plainBack.Interface()); err != nil {
				t.Fatalf("%s: encoding/json: %v", of, err)
			}
			if err := json.Unmarshal(want, back.Interface()); err != nil {
				t.Errorf("%s: %s is not read: %v", of, want, err)
				break
			}
			copyTo(expected.Elem(), back.Elem())
			if !reflect.DeepEqual(expected.Interface(), plainBack.Interface()) {
				t.Errorf("%s is read of %s as\n%+v, and by encoding/json as\n%+v", of, want, expected.Elem(), plainBack.Elem())
				break
			}
		}
	}
}

var (
	moment = reflect.TypeFor[time.Time]()
	raw    = reflect.TypeFor[json.RawMessage]()
	extra  = reflect.TypeFor[json.Extra]()
	stdRaw = reflect.TypeFor[std.RawMessage]()
)

// own reports whether values of the type say themselves how they are written.
func own(t reflect.Type) bool {
	_, is := reflect.Zero(t).Interface().(json.Writer)
	return t == moment || is
}

// plainType is the type without its methods.
func plainType(t reflect.Type) reflect.Type {
	switch {
	case own(t):
		return t
	case t == raw:
		return stdRaw
	}
	switch t.Kind() {
	case reflect.Pointer:
		return reflect.PointerTo(plainType(t.Elem()))
	case reflect.Slice:
		return reflect.SliceOf(plainType(t.Elem()))
	case reflect.Map:
		return reflect.MapOf(reflect.TypeFor[string](), plainType(t.Elem()))
	case reflect.Struct:
		var fields []reflect.StructField
		for _, f := range fieldsOf(t) {
			fields = append(fields, reflect.StructField{Name: f.Name, Type: plainType(f.Type), Tag: f.Tag})
		}
		return reflect.StructOf(fields)
	case reflect.String:
		return reflect.TypeFor[string]()
	case reflect.Bool:
		return reflect.TypeFor[bool]()
	case reflect.Int:
		return reflect.TypeFor[int]()
	case reflect.Int64:
		return reflect.TypeFor[int64]()
	}
	return t
}

// fieldsOf are the fields of a struct, those of embedded ones in their places.
func fieldsOf(t reflect.Type) (all []reflect.StructField) {
	for _, f := range reflect.VisibleFields(t) {
		if !f.Anonymous && f.IsExported() && f.Type != extra {
			all = append(all, f)
		}
	}
	return all
}

// copyTo copies what is in a value of a type into one of its plain type.
func copyTo(to, from reflect.Value) {
	if own(from.Type()) {
		to.Set(from)
		return
	}
	switch from.Kind() {
	case reflect.Pointer:
		if !from.IsNil() {
			to.Set(reflect.New(to.Type().Elem()))
			copyTo(to.Elem(), from.Elem())
		}
	case reflect.Slice:
		if from.IsNil() {
			return
		}
		to.Set(reflect.MakeSlice(to.Type(), from.Len(), from.Len()))
		for i := range from.Len() {
			copyTo(to.Index(i), from.Index(i))
		}
	case reflect.Map:
		if from.IsNil() {
			return
		}
		to.Set(reflect.MakeMap(to.Type()))
		for each := from.MapRange(); each.Next(); {
			value := reflect.New(to.Type().Elem()).Elem()
			copyTo(value, each.Value())
			to.SetMapIndex(each.Key().Convert(to.Type().Key()), value)
		}
	case reflect.Struct:
		for i, f := range fieldsOf(from.Type()) {
			copyTo(to.Field(i), from.FieldByIndex(f.Index))
		}
	default:
		to.Set(from.Convert(to.Type()))
	}
}

type filler struct{ r *rand.Rand }

var texts = []string{
	"", "text", "<b>&amp;</b>", "\"quoted\" \\ /", "a\tb\nc\rd\be\ff\x00g\x1f\x7f", "ő 漢字 🐦", "\u2028 \u2029 \ufffd", "half\xffof\xc3", "7", "null",
	"801c91e6466a1ab34945d73ae4f762c6",
}

func (f *filler) text() string {
	var b strings.Builder
	for range f.r.IntN(3) {
		b.WriteString(texts[f.r.IntN(len(texts))])
	}
	return b.String()
}

// fill gives v a value, which is often the zero one.
func (f *filler) fill(v reflect.Value, depth int) {
	if f.r.IntN(3) == 0 && depth > 0 {
		return
	}
	switch t := v.Type(); {
	case t == moment:
		at := time.Unix(f.r.Int64N(4e9), f.r.Int64N(2)*f.r.Int64N(1e9))
		v.Set(reflect.ValueOf(at.In([]*time.Location{time.UTC, time.FixedZone("", 5400)}[f.r.IntN(2)])))
		return
	case t == raw:
		v.SetBytes([]byte([]string{"null", `"x"`, `{"a":[1,{}]}`, "1e400"}[f.r.IntN(4)]))
		return
	case own(t): // a moment in whole seconds
		text, err := std.Marshal(time.Unix(f.r.Int64N(4e9), 0).UTC().Format(time.DateTime))
		if err == nil {
			err = v.Addr().Interface().(json.Reader).ReadJSON(text)
		}
		if err != nil {
			panic(err)
		}
		return
	case t == extra:
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(f.text())
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt([]int64{1, -1, 1 << 53, -1 << 63, 1<<63 - 1, 42}[f.r.IntN(6)])
	case reflect.Uint8:
		v.SetUint(f.r.Uint64N(256))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem(), depth+1)
	case reflect.Slice:
		n := f.r.IntN(4)
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			f.fill(v.Index(i), depth+1)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range f.r.IntN(4) {
			value := reflect.New(v.Type().Elem()).Elem()
			f.fill(value, depth+1)
			key := strings.ToValidUTF8(f.text(), "")
			v.SetMapIndex(reflect.ValueOf(key).Convert(v.Type().Key()), value)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				f.fill(v.Field(i), depth+1)
			}
		}
	default:
		panic("no value for " + v.Type().String())
	}
}
