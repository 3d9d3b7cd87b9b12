//go:build !js

package app

import (
	"math/rand/v2"
	"testing"
	"time"

	"starling/app/state"
)

func TestTheRowsInViewAreInThePageAndNotManyMore(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		total := r.IntN(12_000)
		height := 30 + 40*r.Float64()
		view := 3000 * r.Float64()
		top := r.Float64()*float64(total)*height*1.2 - 500 // browsers overscroll
		start, end := viewOf(total, height, top, view)
		if start < 0 || end > total || start > end {
			t.Fatalf("viewOf(%d, %v, %v, %v) = %d, %d", total, height, top, view, start, end)
		}
		if total <= windowMin {
			if start != 0 || end != total {
				t.Fatalf("a list of %d is in the page from %d to %d", total, start, end)
			}
			continue
		}
		for i := max(int(top/height), 0); float64(i)*height < top+view && i < total; i++ {
			if float64(i+1)*height > top && (i < start || i >= end) {
				t.Fatalf("viewOf(%d, %v, %v, %v) = %d, %d: row %d is seen and not there", total, height, top, view, start, end, i)
			}
		}
		if end-start > int(view/height)+2*overscan+3 {
			t.Fatalf("viewOf(%d, %v, %v, %v) = %d, %d: too many", total, height, top, view, start, end)
		}
	}
	if start, end := viewOf(500, 0, 0, 900); start != 0 || end != 500 {
		t.Errorf("before the height is known: %d, %d", start, end)
	}
}

func TestADraggedRowGoesWhereItCoversMost(t *testing.T) {
	for _, c := range []struct {
		top  float64
		want int
	}{{-500, 0}, {-1, 0}, {21, 0}, {23, 1}, {44, 1}, {65, 1}, {67, 2}, {9000, 4}} {
		if got := placeOf(c.top, 44, 5); got != c.want {
			t.Errorf("at %v of five rows of 44: place %d, want %d", c.top, got, c.want)
		}
	}
	if got := placeOf(100, 0, 5); got != 0 {
		t.Errorf("before the height is known: %d", got)
	}
}

func TestTheEndOfARowSaysWhenAndWhatIsSpecial(t *testing.T) {
	now, when := noon.Add(3*time.Hour), whensOf()
	for _, c := range []struct {
		row  state.Row
		want string
	}{
		{state.Row{}, ""},
		{state.Row{Active: noon}, "12:00"},
		{state.Row{Active: noon.AddDate(0, 0, -1)}, "9 Mar"},
		{state.Row{Active: noon, Muted: true}, "Muted · 12:00"},
		{state.Row{Muted: true}, "Muted"},
		{state.Row{Active: noon, Muted: true, Saving: state.FlagPending}, "Muted · 12:00"}, // a moment
		{state.Row{Active: noon, Muted: true, Saving: state.FlagQueued}, "Not saved yet · Muted · 12:00"},
		{state.Row{Active: noon, Muted: true, Trouble: true}, "Locked · Muted · 12:00"},
	} {
		if got := marksOf(c.row, when(c.row.Active, now)); got != c.want {
			t.Errorf("%+v: %q, want %q", c.row, got, c.want)
		}
	}
	// What is today's at noon is not any more after midnight.
	for now, want := range map[time.Time]string{noon: "12:00", noon.AddDate(0, 0, 1): "10 Mar"} {
		for range 2 {
			if got := when(noon, now); got != want {
				t.Errorf("at %v it was at %q, want %q", now, got, want)
			}
		}
	}
}
