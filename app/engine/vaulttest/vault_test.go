package vaulttest

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"starling/app/engine"
)

const station = "0123456789abcdef0123456789abcdef"

// wiped is the platform's vault, with nothing in it.
func wiped(t *testing.T) engine.Vault {
	t.Helper()
	v := engine.NewVault()
	if err := v.Wipe(context.Background()); err != nil {
		t.Fatal(err)
	}
	return v
}

func shelve(t *testing.T, v engine.Vault, owner string, records ...engine.Record) {
	t.Helper()
	if err := v.Shelve(context.Background(), owner, records...); err != nil {
		t.Fatal(err)
	}
}

// shelved are records as texts, "nothing" for one that is not there.
func shelved(t *testing.T, v engine.Vault, owner string, names ...string) string {
	t.Helper()
	data, err := v.Shelved(context.Background(), owner, names...)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]string, len(data))
	for i, b := range data {
		if out[i] = string(b); b == nil {
			out[i] = "nothing"
		}
	}
	return strings.Join(out, ", ")
}

func TestRecordsAreKeptForTheirOwner(t *testing.T) {
	v := wiped(t)
	at := time.UnixMilli(1709907171000)
	shelve(t, v, station, engine.Record{Name: "a", Data: []byte("first"), Used: at, Until: at.Add(time.Hour)}, engine.Record{Name: "b", Data: []byte("second"), Used: at})
	if got := shelved(t, v, station, "b", "missing", "a"); got != "second, nothing, first" {
		t.Errorf("kept: %s", got)
	}
	if got := shelved(t, v, "another", "a", "b"); got != "nothing, nothing" {
		t.Errorf("another session reads %s", got)
	}
	shelve(t, v, station, engine.Record{Name: "a", Data: []byte("changed"), Used: at.Add(time.Minute)}, engine.Record{Name: "b"})
	if got := shelved(t, v, station, "a", "b"); got != "changed, nothing" {
		t.Errorf("after a change: %s", got)
	}
	records, err := v.Shelf(context.Background())
	if err != nil || len(records) != 1 || records[0].Name != "a" || !records[0].Used.Equal(at.Add(time.Minute)) || !records[0].Until.IsZero() || records[0].Data != nil {
		t.Errorf("on the shelf: %+v, %v", records, err)
	}
}

func TestLargeRecordsAreKeptWhole(t *testing.T) {
	v := wiped(t)
	large := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	shelve(t, v, station, engine.Record{Name: "large", Data: large}, engine.Record{Name: "empty", Data: []byte{}})
	data, err := v.Shelved(context.Background(), station, "large", "empty")
	if err != nil || !bytes.Equal(data[0], large) || data[1] == nil || len(data[1]) != 0 {
		t.Errorf("%d and %d bytes came back: %v", len(data[0]), len(data[1]), err)
	}
}

func TestNothingStaysAfterAWipe(t *testing.T) {
	v := wiped(t)
	shelve(t, v, station, engine.Record{Name: "a", Data: []byte("first")})
	for range 2 {
		if err := v.Wipe(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if records, err := v.Shelf(context.Background()); err != nil || len(records) != 0 {
		t.Errorf("left: %+v, %v", records, err)
	}
	if got := shelved(t, v, station, "a"); got != "nothing" {
		t.Errorf("left: %s", got)
	}
}

// Several tabs, and several parts of one, keep things at once: none is lost and none is mixed up.
func TestManyKeepThingsAtOnce(t *testing.T) {
	v := wiped(t)
	names := []string{"a", "b", "c", "d", "e", "f"}
	done := make(chan error)
	for _, name := range names {
		go func() { done <- v.Shelve(context.Background(), station, engine.Record{Name: name, Data: []byte(name)}) }()
	}
	for range names {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if got := shelved(t, v, station, names...); got != strings.Join(names, ", ") {
		t.Errorf("kept: %s", got)
	}
	records, err := v.Shelf(context.Background())
	if err != nil || len(records) != len(names) {
		t.Errorf("on the shelf: %+v, %v", records, err)
	}
}
