package ozeki

import (
	"encoding/json"
	"testing"
	"time"
)

func TestTimesAreThePublishedForm(t *testing.T) {
	zone := time.FixedZone("", 5*3600+1800)
	for want, v := range map[string]time.Time{
		"2024-03-08 13:55:47": time.Date(2024, 3, 8, 19, 25, 47, 999_999_999, zone),
		"2023-12-31 23:59:59": time.Date(2023, 12, 31, 23, 59, 59, 0, time.UTC),
		"":                    {},
	} {
		if got := TimeOf(v).String(); got != want {
			t.Errorf("%v is written %q, want %q", v, got, want)
		}
		back, err := ParseTime(want)
		if err != nil || !back.Equal(v.Truncate(time.Second)) {
			t.Errorf("%q is read as %v, %v", want, back, err)
		}
	}
	for _, wrong := range []string{"2024-03-08", "2024-03-08T13:55:47Z", "08.03.2024 13:55", "2024-02-30 00:00:00", "0000-00-00 00:00:00", "1709906147", " "} {
		if v, err := ParseTime(wrong); err == nil {
			t.Errorf("%q is read as %v", wrong, v)
		}
	}
	for text, wantZero := range map[string]bool{`null`: true, `""`: true, `"2024-03-08 13:55:47"`: false} {
		v := TimeOf(time.Now())
		if err := json.Unmarshal([]byte(text), &v); err != nil || v.IsZero() != wantZero {
			t.Errorf("%s is read as %v, %v", text, v, err)
		}
	}
	for _, wrong := range []string{`5`, `{}`, `"soon"`} {
		var v Time
		if err := json.Unmarshal([]byte(wrong), &v); err == nil {
			t.Errorf("%s is read as %v", wrong, v)
		}
	}
}
