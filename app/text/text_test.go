package text

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// show writes a tree down: [bold], `code`, <text|address>, - item, 1. item, and code blocks between bars.
func show(nodes []Node) string {
	var b strings.Builder
	for _, n := range nodes {
		switch n.Kind {
		case Plain:
			b.WriteString(n.Text)
		case Bold:
			fmt.Fprintf(&b, "[%s]", show(n.Nodes))
		case Code:
			fmt.Fprintf(&b, "`%s`", n.Text)
		case Block:
			fmt.Fprintf(&b, "|%s|%s|", n.Lang, n.Text)
		case Link:
			fmt.Fprintf(&b, "<%s|%s>", n.Text, n.URL)
		case Lines:
			fmt.Fprintf(&b, "{%s}", show(n.Nodes))
		case Bullet, Number:
			for i, item := range n.Nodes {
				if n.Kind == Bullet {
					fmt.Fprintf(&b, "{- %s}", show(item.Nodes))
				} else {
					fmt.Fprintf(&b, "{%d. %s}", n.Start+i, show(item.Nodes))
				}
			}
		}
	}
	return b.String()
}

func TestMarksAreRead(t *testing.T) {
	for in, want := range map[string]string{
		"":                              "{}",
		"hello":                         "{hello}",
		"a\nb\n\nc":                     "{a\nb\n\nc}",
		"a **bold** word":               "{a [bold] word}",
		"**two words** and **more**":    "{[two words] and [more]}",
		"2 ** 3 ** 4":                   "{2 ** 3 ** 4}",
		"**open":                        "{**open}",
		"a ****b":                       "{a ****b}",
		"`x := 1` and ``a`b``":          "{`x := 1` and `a`b`}",
		"`open":                         "{`open}",
		"`**no bold**`":                 "{`**no bold**`}",
		"**a `b**` c**":                 "{[a `b]` c**}",
		"```\nif a {\n\tb\n}\n```":      "|||if a {\n\tb\n}|"[1:],
		"see:\n```go\nx\n```\nthere":    "{see:}|go|x|{there}",
		"```\nnever closed":             "{```\nnever closed}",
		"- one\n- **two**\nend":         "{- one}{- [two]}{end}",
		"* one\n* two":                  "{- one}{- two}",
		"1. one\n2. two\n5. five":       "{1. one}{2. two}{5. five}",
		"1.one\n-one\n*one":             "{1.one\n-one\n*one}",
		"https://example.com":           "{<https://example.com|https://example.com>}",
		"(see http://a.b/c_(d)).":       "{(see <http://a.b/c_(d)|http://a.b/c_(d)>).}",
		"Go to HTTPS://Example.com/x?y": "{Go to <HTTPS://Example.com/x?y|https://Example.com/x?y>}",
		"www.example.com, now":          "{<www.example.com|https://www.example.com>, now}",
		"mailto:a@b.c!":                 "{<mailto:a@b.c|mailto:a@b.c>!}",
		"mailto: www. http:// https://": "{mailto: www. http:// https://}",
		"xhttp://a.b":                   "{xhttp://a.b}",
		"javascript:alert(1)":           "{javascript:alert(1)}",
		"data:text/html,x tel:1 file:///etc/passwd": "{data:text/html,x tel:1 file:///etc/passwd}",
		"<a href=\"https://a.b\">x</a>":             "{<a href=\"<https://a.b|https://a.b>\">x</a>}",
		"https://a.b/\u202egpj.exe":                 "{<https://a.b/|https://a.b/>\u202egpj.exe}",
		"**https://a.b**":                           "{[<https://a.b|https://a.b>]}",
	} {
		if got := show(Parse(in)); got != want {
			t.Errorf("%q is read as %q, want %q", in, got, want)
		}
	}
}

// letters leaves of a text what can be no mark.
func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("`*-. \t\r\n0123456789", r) {
			return -1
		}
		return r
	}, s)
}

func all(nodes []Node) string {
	var b strings.Builder
	for _, n := range nodes {
		b.WriteString(n.Lang + n.Text + all(n.Nodes))
	}
	return b.String()
}

func checkLinks(t *testing.T, nodes []Node) {
	t.Helper()
	for _, n := range nodes {
		if n.Kind == Link {
			scheme, rest, _ := strings.Cut(n.URL, ":")
			if scheme != "http" && scheme != "https" && scheme != "mailto" || rest == "" {
				t.Errorf("a link leads to %q", n.URL)
			}
			if strings.ContainsAny(n.URL, " \n\t\"<>\\") {
				t.Errorf("the address %q", n.URL)
			}
		} else if n.URL != "" {
			t.Errorf("%+v leads somewhere", n)
		}
		checkLinks(t, n.Nodes)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"**a** `b` ```\nc\n``` - d\n1. e", "javascript:alert(1) https://a.b", "** ** `` `` **a `b** c`", "- \n* x\n01. y", "```x\n```\n```", "www.a.b mailto:a@b \xff https://\xff",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		s = strings.ToValidUTF8(s, "\ufffd") // as JSON does
		nodes := Parse(s)
		if got, want := letters(all(nodes)), letters(s); got != want {
			t.Errorf("%q has become %q", want, got)
		}
		checkLinks(t, nodes)
	})
}

func TestALongMessageIsReadQuickly(t *testing.T) {
	for _, piece := range []string{"**a ", "`a``b", "```\n", "www.", "http://a(", "- x\n", "* **", "1. 2. "} {
		start := time.Now()
		Parse(strings.Repeat(piece, 16<<10/len(piece)))
		if d := time.Since(start); d > time.Second {
			t.Errorf("%q takes %v", piece, d)
		}
	}
}
