//go:build !js

package app

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"regexp"
	"testing"
)

func TestEveryColourOfARowCanBeReadInBothThemes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	colors := []string{"#000000", "#ffffff", "#ff0000", "#00ff00", "#0000ff", "#808080", "#7f7f7f"}
	for range 20_000 {
		colors = append(colors, fmt.Sprintf("#%06x", r.IntN(1<<24)))
	}
	for _, c := range colors {
		light, dark := tintOf(c)
		if v := contrast(rgbOf(light), lightInk); v < enough {
			t.Errorf("%s is %s in the light theme: contrast %.2f", c, light, v)
		}
		if v := contrast(rgbOf(dark), darkInk); v < enough {
			t.Errorf("%s is %s in the dark theme: contrast %.2f", c, dark, v)
		}
	}
}

func TestTheColoursOfTheMenuAreSeenAsTheyAre(t *testing.T) {
	seen := map[string]string{}
	for _, c := range menuColors {
		light, dark := tintOf(c.value)
		if light != c.value {
			t.Errorf("%s is %s in the light theme", c.name, light)
		}
		if other, twice := seen[dark]; twice || dark == darkSide.String() {
			t.Errorf("%s is %s in the dark theme, as %s", c.name, dark, other)
		}
		seen[dark] = c.name
	}
}

func TestContrastIsWhatWCAGSays(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want float64
	}{{"#000000", "#ffffff", 21}, {"#ffffff", "#767676", 4.54}, {"#777777", "#ffffff", 4.48}, {"#bae1ff", "#bae1ff", 1}} {
		if got := contrast(rgbOf(c.a), rgbOf(c.b)); math.Abs(got-c.want) > 0.01 {
			t.Errorf("%s on %s: %.2f, want %.2f", c.a, c.b, got, c.want)
		}
	}
}

func TestTheTintsKnowTheColoursOfTheStyles(t *testing.T) {
	css, err := os.ReadFile("../web/styles.css")
	if err != nil {
		t.Fatal(err)
	}
	for token, want := range map[string][2]rgb{"text": {lightInk, darkInk}, "side": {lightSide, darkSide}} {
		m := regexp.MustCompile(`--` + token + `: light-dark\((#\w+), (#\w+)\)`).FindSubmatch(css)
		if m == nil || rgbOf(string(m[1])) != want[0] || rgbOf(string(m[2])) != want[1] {
			t.Errorf("--%s is %s in the styles, want %s and %s", token, m, want[0], want[1])
		}
	}
}
