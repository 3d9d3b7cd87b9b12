package ozeki

import (
	"fmt"
	"time"

	"starling/ozeki/json"
)

// TimeLayout is the API's form of a moment: yyyy-MM-dd HH:mm:ss in UTC (published).
const TimeLayout = "2006-01-02 15:04:05"

// Time is a moment with a resolution of one second, written as TimeLayout in UTC. The zero Time is the empty string.
type Time struct{ time.Time }

// TimeOf returns t in UTC, cut to whole seconds.
func TimeOf(t time.Time) Time { return Time{t.UTC().Truncate(time.Second)} }

// ParseTime reads a TimeLayout text; the empty text is the zero Time.
func ParseTime(s string) (Time, error) {
	if s == "" {
		return Time{}, nil
	}
	t, err := time.Parse(TimeLayout, s)
	if err != nil {
		return Time{}, fmt.Errorf("time %q is not of the form yyyy-MM-dd HH:mm:ss", s)
	}
	return TimeOf(t), nil // Go takes fractions of a second too
}

// String returns the wire form.
func (t Time) String() string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(TimeLayout)
}

// AppendJSON writes the wire form as a JSON string.
func (t Time) AppendJSON(b []byte) ([]byte, error) {
	b = append(b, '"')
	if !t.IsZero() {
		b = t.UTC().AppendFormat(b, TimeLayout)
	}
	return append(b, '"'), nil
}

// MarshalJSON is AppendJSON for encoding/json.
func (t Time) MarshalJSON() ([]byte, error) { return t.AppendJSON(nil) }

// UnmarshalJSON is ReadJSON for encoding/json.
func (t *Time) UnmarshalJSON(b []byte) error { return t.ReadJSON(b) }

// ReadJSON reads the wire form; null and "" are the zero Time.
func (t *Time) ReadJSON(b []byte) error {
	var s string
	if err := json.Read(b, &s); err != nil {
		return err
	}
	v, err := ParseTime(s)
	if err != nil {
		return err
	}
	*t = v
	return nil
}
