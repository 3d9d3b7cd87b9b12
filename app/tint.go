package app

import (
	"fmt"
	"math"
	"strconv"
)

// What stands on a row, in both themes, and what lies under it: the tokens --text and --side of styles.css.
var (
	lightInk, lightSide = rgbOf("#14181f"), rgbOf("#f6f7f9")
	darkInk, darkSide   = rgbOf("#e8ebf0"), rgbOf("#191d24")
)

// enough is the contrast that text needs (WCAG 2.2 AA).
const enough = 4.5

// tintOf returns the user's colour as the background of a row in the light and in the dark theme: as much of it as leaves
// the text on it easy to read. A colour that is not of the form #rrggbb counts as black.
func tintOf(color string) (light, dark string) {
	c := rgbOf(color)
	return c.over(lightSide, lightInk, 1).String(), c.over(darkSide, darkInk, 0.5).String()
}

type rgb [3]float64

func rgbOf(color string) (c rgb) {
	if len(color) != 7 {
		return c
	}
	v, _ := strconv.ParseUint(color[1:], 16, 32)
	return rgb{float64(v >> 16 & 255), float64(v >> 8 & 255), float64(v & 255)}
}

func (c rgb) String() string {
	return fmt.Sprintf("#%02x%02x%02x", uint8(c[0]), uint8(c[1]), uint8(c[2]))
}

// over mixes the colour with what lies under it, the most of it that a share allows and on which the ink has contrast
// enough.
func (c rgb) over(under, ink rgb, share float64) (mix rgb) {
	for ; share > 0; share -= 0.02 {
		for i := range c {
			mix[i] = math.Round(share*c[i] + (1-share)*under[i])
		}
		if contrast(mix, ink) >= enough {
			return mix
		}
	}
	return under
}

// contrast is the contrast ratio of two colours as WCAG defines it.
func contrast(a, b rgb) float64 {
	la, lb := a.luminance(), b.luminance()
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}

func (c rgb) luminance() float64 {
	linear := func(v float64) float64 {
		if v /= 255; v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(c[0]) + 0.7152*linear(c[1]) + 0.0722*linear(c[2])
}
