package ozeki

import (
	"encoding/json"
	"reflect"
	"strings"
	"sync"
)

// Extra holds the fields of an object that this package does not know, so that they survive decoding and encoding.
type Extra map[string]json.RawMessage

// decodeObject decodes the JSON object b into known (a pointer to a struct without UnmarshalJSON) and its other fields
// into extra, which stays nil where there are none.
func decodeObject(b []byte, known any, extra *Extra) error {
	if err := json.Unmarshal(b, known); err != nil {
		return err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(b, &all); err != nil {
		return err
	}
	for name := range knownFields(reflect.TypeOf(known).Elem()) {
		delete(all, name)
	}
	*extra = nil
	if len(all) > 0 {
		*extra = all
	}
	return nil
}

// encodeObject encodes known (a struct without MarshalJSON) together with the fields of extra; a known field wins.
func encodeObject(known any, extra Extra) ([]byte, error) {
	b, err := json.Marshal(known)
	if err != nil || len(extra) == 0 {
		return b, err
	}
	all := make(map[string]json.RawMessage, len(extra)+8)
	for k, v := range extra {
		all[k] = v
	}
	var own map[string]json.RawMessage
	if err := json.Unmarshal(b, &own); err != nil {
		return nil, err
	}
	for k, v := range own {
		all[k] = v
	}
	return json.Marshal(all)
}

var fieldCache sync.Map // reflect.Type → map[string]bool

func knownFields(t reflect.Type) map[string]bool {
	if m, ok := fieldCache.Load(t); ok {
		return m.(map[string]bool)
	}
	m := map[string]bool{}
	var add func(t reflect.Type)
	add = func(t reflect.Type) {
		for i := 0; i < t.NumField(); i++ {
			f := t.Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			switch {
			case f.Anonymous && name == "":
				add(f.Type)
			case name != "" && name != "-":
				m[name] = true
			}
		}
	}
	add(t)
	fieldCache.Store(t, m)
	return m
}
