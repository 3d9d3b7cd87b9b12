package json_test

import (
	std "encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"starling/ozeki/json"
	"starling/ozeki/json/jsontest"
)

// Names without capitals: encoding/json takes others for the same.
type embedded struct {
	Ninth  string `json:"9"`
	Number int8   `json:"8,omitempty"`
}

type inner struct {
	Text *string `json:"1"`
	More *inner  `json:"2"`
}

type all struct {
	embedded
	Text   string            `json:"1"`
	Truth  bool              `json:"2"`
	Number int64             `json:"3"`
	List   []string          `json:"4"`
	Map    map[string]int    `json:"5"`
	Inner  inner             `json:"6"`
	Table  map[string]*inner `json:"7"`
	Moment time.Time         `json:"10,omitzero"`
	Texts  [][]string        `json:"11,omitempty"`
	No     string            `json:"-"`
	hidden string
}

var samples = []string{
	``, ` `, `null`, `{}`, `[]`, `7`, `"x"`, `{"1":null,"2":null,"3":null,"4":null,"5":null,"6":null,"7":null,"10":null}`,
	`{"1":"a","2":true,"3":-12,"4":["x","y"],"5":{"b":1,"a":2},"6":{"1":"q","2":{"2":{}}},"7":{"z":{},"y":null},"9":"n","8":127}`,
	` { "1" : "a" , "3" : 1 } `, `{"1":"a","1":"b"}`, `{"5":{"a":1},"5":{"b":2}}`, `{"6":{"1":"a"},"6":{"2":{}}}`, `{"6":{"2":{"1":"x"}},"6":{"2":{}}}`,
	`{"\u0031":"escaped"}`, `{"1":"\ud83d\udc26 \ud83d \udc26 \ud83dx \ud83d\u0041 \u00e9\/\b\f\n\r\t\\\""}`, "{\"1\":\"half\xff of \xe2\x82\"}", "{\"1\":\"a\nb\"}",
	`{"1":"\x"}`, `{"1":"\u12g4"}`, `{"1":"\u12`, `{"1":"open`, `{"1"}`, `{"1":}`, `{"1":"a",}`, `{,}`, `{1:2}`, `[1,]`, `[1 2]`, `{"1":"a" "2":true}`, `{"a":"b"`, `[`, `]`, `}`,
	`{"3":1.0}`, `{"3":1e2}`, `{"3":9223372036854775807}`, `{"3":9223372036854775808}`, `{"3":-0}`, `{"3":01}`, `{"3":+1}`, `{"3":.5}`, `{"3":1.}`, `{"3":-}`, `{"3":1e}`, `{"3":"1"}`,
	`{"8":128}`, `{"8":-128}`, `{"2":1}`, `{"2":"true"}`, `{"1":1}`, `{"1":{}}`, `{"1":[]}`, `{"4":{}}`, `{"4":[1]}`, `{"4":"x"}`, `{"4":["a",1,"b"],"1":"after"}`,
	`{"5":[]}`, `{"5":[ ]}`, `{"5":[1]}`, `{"5":{"a":"b"}}`, `{"6":[]}`, `{"6":1}`, `{"7":{"a":{"1":7}}}`, `{"x":{"y":[1,{"z":null}]},"1":"k"}`, `{"x":1e999}`,
	`{"10":"2024-03-08T13:55:47.5+01:00"}`, `{"10":"2024-03-08"}`, `{"10":7}`, `{"11":[[],["a"],null]}`, `truE`, `nul`, `trueX`, `"\u0000"`, `{} {}`, "\ufeff{}",
	`{"-":"x","No":"y","hidden":"z"}`, `{"1":"<>&\u2028"}`,
}

func FuzzRead(f *testing.F) {
	for _, text := range samples {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if got, want := json.Valid(text), std.Valid(text); got != want {
			t.Fatalf("%q is valid: %t, says encoding/json: %t", text, got, want)
		}
		var got, want all
		err, wantErr := json.Unmarshal(text, &got), std.Unmarshal(text, &want)
		if wantErr != nil && err == nil && strings.Contains(string(text), "[") {
			return // an empty list for an empty map
		}
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%q is read with %v, by encoding/json with %v", text, err, wantErr)
		}
		if err != nil {
			return
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%q is read as %+v, by encoding/json as %+v", text, got, want)
		}
		b, err := json.Marshal(got)
		wantB, wantErr := std.Marshal(want)
		if err != nil || wantErr != nil || string(b) != string(wantB) {
			t.Fatalf("%q is written as %q, by encoding/json as %q (%v, %v)", text, b, wantB, err, wantErr)
		}
		raw, err := json.Marshal(json.RawMessage(text))
		wantRaw, wantErr := std.Marshal(std.RawMessage(text))
		if err != nil || wantErr != nil || string(raw) != string(wantRaw) {
			t.Fatalf("%q as it stands is written as %q, by encoding/json as %q (%v, %v)", text, raw, wantRaw, err, wantErr)
		}
	})
}

func TestNestingHasTheSameLimit(t *testing.T) {
	for _, depth := range []int{9999, 10000, 10001} {
		for _, text := range []string{
			strings.Repeat("[", depth) + strings.Repeat("]", depth),
			strings.Repeat(`{"6":`, depth) + "1" + strings.Repeat("}", depth),
		} {
			if got, want := json.Valid([]byte(text)), std.Valid([]byte(text)); got != want {
				t.Errorf("%d levels of %.5s are valid: %t, says encoding/json: %t", depth, text, got, want)
			}
		}
	}
}

func FuzzText(f *testing.F) {
	for _, text := range append(samples, "a\x00\x1f\x7f\u0080\u2027\u2028\u2029\u202a\ufffd\U0010ffff\xed\xa0\x80") {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := json.Marshal(map[string][]string{text: {text}})
		want, wantErr := std.Marshal(map[string][]string{text: {text}})
		if err != nil || wantErr != nil || string(got) != string(want) {
			t.Fatalf("%q is written as %s, by encoding/json as %s (%v, %v)", text, got, want, err, wantErr)
		}
		var back, stdBack map[string][]string
		if err, wantErr := json.Unmarshal(got, &back), std.Unmarshal(got, &stdBack); err != nil || wantErr != nil || !reflect.DeepEqual(back, stdBack) {
			t.Fatalf("%s is read as %q, by encoding/json as %q (%v, %v)", got, back, stdBack, err, wantErr)
		}
	})
}

func TestAllKindsAreWrittenAndReadAsEncodingJSONDoes(t *testing.T) {
	type kinds struct {
		Text   string            `json:"text"`
		Bytes  []byte            `json:"bytes"`
		Few    []byte            `json:"few,omitempty"`
		Raw    json.RawMessage   `json:"raw,omitempty"`
		Raws   []json.RawMessage `json:"raws"`
		When   time.Time         `json:"when"`
		Until  time.Time         `json:"until,omitzero"`
		Length time.Duration     `json:",omitempty"`
		Wait   time.Duration     `json:"wait,omitzero"`
		Deep   map[string]map[string][]byte
		Lists  [][]*string `json:"lists,omitzero"`
	}
	jsontest.Same(t, kinds{})
}

type flexible struct {
	ID    string     `json:"id"`
	List  []string   `json:"list,omitempty"`
	Zero  int        `json:"zero"`
	Extra json.Extra `json:"-"`
}

type odd struct {
	ID    string     `json:"id"`
	Truth bool       `json:"truth"`
	Extra json.Extra `json:"-" odd:"kept"`
}

func TestUnknownFieldsSurvive(t *testing.T) {
	var v flexible
	if err := json.Unmarshal([]byte(`{"new": {"a": [1, "<"]}, "id":"x", "ID":"y", "abc":1e400}`), &v); err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(&v)
	if want := `{"ID":"y","abc":1e400,"id":"x","new":{"a":[1,"\u003c"]},"zero":0}`; err != nil || string(got) != want {
		t.Errorf("written as %s (%v), want %s", got, err, want)
	}
	if err := json.Unmarshal([]byte(`{"id":"z"}`), &v); err != nil || v.Extra != nil || v.ID != "z" {
		t.Errorf("of an earlier object stays %v (%v)", v.Extra, err)
	}
	v = flexible{ID: "known", Extra: json.Extra{"id": []byte(`"other"`), "list": []byte(`["a"]`), "zero": []byte(`5`)}}
	if got, err := json.Marshal(v); err != nil || string(got) != `{"id":"known","list":["a"],"zero":5}` {
		t.Errorf("of names in both is written %s (%v)", got, err)
	}
	v.Extra["id"] = []byte(`{`)
	v.ID = ""
	if got, err := json.Marshal(v); err == nil {
		t.Errorf("what is not JSON is written as %s", got)
	}
}

func TestAValueOfTheWrongKindIsKeptWhereTheTypeSaysSo(t *testing.T) {
	text := `[{"id":"a","truth":1},{"id":{"x": [2]},"truth":true},{"id":7,"new":null}]`
	var got []odd
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	want := []odd{
		{ID: "a", Extra: json.Extra{"truth": []byte("1")}},
		{Truth: true, Extra: json.Extra{"id": []byte(`{"x": [2]}`)}},
		{Extra: json.Extra{"id": []byte("7"), "new": []byte("null")}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s is read as %v", text, got)
	}
	var v []flexible
	if err := json.Unmarshal([]byte(text), &v); err == nil || !strings.Contains(err.Error(), "id") {
		t.Errorf("elsewhere it is read as %v with %v", v, err)
	}
}

func TestAnEmptyListIsAnEmptyMap(t *testing.T) {
	var m map[string]int
	if err := json.Unmarshal([]byte(` [ ] `), &m); err != nil || m == nil || len(m) != 0 {
		t.Errorf("it is %v (%v)", m, err)
	}
	m = nil
	if err := json.Unmarshal([]byte(`[1]`), &m); err == nil || m != nil {
		t.Errorf("another list is %v", m)
	}
}

func TestWhatHasNoFormIsAnError(t *testing.T) {
	for _, v := range []any{1.5, func() {}, map[int]string{}, []chan int{}, struct{ F float64 }{}, map[string]any{"a": 1.5}} {
		if got, err := json.Marshal(v); err == nil {
			t.Errorf("%T is written as %s", v, got)
		}
	}
	var text string
	var nothing *string
	for _, v := range []any{nil, text, nothing, new(float64), new(any)} {
		if err := json.Unmarshal([]byte(`"a"`), v); err == nil {
			t.Errorf("%T is read", v)
		}
	}
}

func TestAMalformedTextChangesNothing(t *testing.T) {
	v := all{Text: "before"}
	if err := json.Unmarshal([]byte(`{"1":"after"`), &v); err == nil || v.Text != "before" {
		t.Errorf("it is %q now (%v)", v.Text, err)
	}
}
