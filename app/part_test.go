package app

import "testing"

func TestPartsAreWrittenAsTheListsThatThePageMakesElementsOf(t *testing.T) {
	for _, c := range []struct {
		parts []part
		want  string
	}{
		{nil, `[]`},
		{[]part{textPart(`a "b" <i> & ` + "\n\xff")}, "[\"a \\\"b\\\" \\u003ci\\u003e \\u0026 \\n\\ufffd\"]"},
		{[]part{{tag: "p", class: "x y", attributes: []string{"dir", "auto"}, text: "t", parts: []part{{tag: "b"}, textPart("u")}}}, `[["p",{"class":"x y","dir":"auto"},"",["t",["b",{},"",[]],"u"]]]`},
		{[]part{{tag: "i", icon: "M0", text: "t"}}, `[["i",{},"",[["svg",{"viewBox":"0 0 24 24","aria-hidden":"true"},"",[["path",{"d":"M0"},"",[]]]],"t"]]]`},
	} {
		if got := string(appendParts(nil, c.parts)); got != c.want {
			t.Errorf("%+v became\n%s, want\n%s", c.parts, got, c.want)
		}
	}
}
