// Package text reads the few marks that people put into messages: links, code, bold and lists. What it gives is a tree of
// texts; there is no way from a text to markup. Marks that do not belong together stay text.
package text

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Kind says what a node is.
type Kind int

const (
	Plain  Kind = iota // Text as it is, with its line breaks
	Bold               // Nodes
	Code               // Text, within a line
	Block              // Text, lines of code; Lang is what stood behind the opening mark
	Link               // Text, and URL where it leads
	Lines              // Nodes, text between the other blocks
	Bullet             // Nodes are Items
	Number             // Nodes are Items; Start is the number of the first
	Item               // Nodes
)

// Node is a part of a message.
type Node struct {
	Kind  Kind
	Text  string
	URL   string // begins with http://, https:// or mailto:
	Lang  string
	Start int
	Nodes []Node
}

// Parse reads a message: its blocks, Lines, Block, Bullet and Number, one below the other.
func Parse(s string) (blocks []Node) {
	lines := strings.Split(s, "\n")
	var plain []string
	flush := func() {
		if len(plain) > 0 {
			blocks = append(blocks, Node{Kind: Lines, Nodes: inline(strings.Join(plain, "\n"))})
			plain = nil
		}
	}
	noFence := false // no closing mark follows
	for i := 0; i < len(lines); {
		if lang, ok := fence(lines[i]); ok && !noFence {
			end := i + 1
			for end < len(lines) && strings.TrimRight(lines[end], " \t\r") != "```" {
				end++
			}
			if end < len(lines) {
				flush()
				blocks = append(blocks, Node{Kind: Block, Lang: lang, Text: strings.Join(lines[i+1:end], "\n")})
				i = end + 1
				continue
			}
			noFence = true
		}
		if kind, number, _ := item(lines[i]); kind != Plain {
			flush()
			list := Node{Kind: kind, Start: number}
			for ; i < len(lines); i, number = i+1, number+1 {
				k, n, rest := item(lines[i])
				if k != kind || k == Number && n != number {
					break
				}
				list.Nodes = append(list.Nodes, Node{Kind: Item, Nodes: inline(rest)})
			}
			blocks = append(blocks, list)
			continue
		}
		plain = append(plain, lines[i])
		i++
	}
	flush()
	return blocks
}

// fence reports whether a line opens a block of code, with the name of its language.
func fence(line string) (lang string, ok bool) {
	lang, ok = strings.CutPrefix(line, "```")
	lang = strings.TrimRight(lang, " \t\r")
	for _, c := range lang {
		if c > 127 || !unicode.IsLetter(c) && !unicode.IsDigit(c) && c != '+' && c != '#' && c != '-' {
			return "", false
		}
	}
	return lang, ok && len(lang) <= 20
}

// item takes the mark of a list's item off a line; kind is Plain if there is none.
func item(line string) (kind Kind, number int, rest string) {
	if len(line) > 2 && (line[0] == '-' || line[0] == '*') && line[1] == ' ' {
		return Bullet, 0, line[2:]
	}
	digits := 0
	for digits < len(line) && digits < 6 && line[digits] >= '0' && line[digits] <= '9' {
		number = 10*number + int(line[digits]-'0')
		digits++
	}
	if digits == 0 || digits > 1 && line[0] == '0' || len(line) < digits+3 || line[digits:digits+2] != ". " {
		return Plain, 0, ""
	}
	return Number, number, line[digits+2:]
}

// reader reads the marks within lines.
type reader struct {
	nodes   []Node
	s       string
	from    int // where the text that is not taken yet begins
	noTicks map[int]bool
	noBold  bool
}

func inline(s string) []Node {
	r := reader{s: s, noTicks: map[int]bool{}}
	return r.read()
}

func (r *reader) read() []Node {
	for i := 0; i < len(r.s); {
		var n Node
		end := 0
		switch c := r.s[i]; c {
		case '`':
			n, end = r.code(i)
		case '*':
			n, end = r.bold(i)
		case 'h', 'H', 'm', 'M', 'w', 'W':
			n, end = r.link(i)
		}
		if end <= i {
			i++
			if r.s[i-1] == '`' { // the whole run is text
				for i < len(r.s) && r.s[i] == '`' {
					i++
				}
			}
			continue
		}
		r.plain(i)
		r.nodes = append(r.nodes, n)
		i, r.from = end, end
	}
	r.plain(len(r.s))
	return r.nodes
}

func (r *reader) plain(to int) {
	if to > r.from {
		r.nodes = append(r.nodes, Node{Kind: Plain, Text: r.s[r.from:to]})
	}
}

func (r *reader) code(i int) (Node, int) {
	n := ticks(r.s[i:])
	if r.noTicks[n] {
		return Node{}, 0
	}
	for j := i + n; j < len(r.s); {
		if r.s[j] != '`' {
			j++
			continue
		}
		if m := ticks(r.s[j:]); m != n {
			j += m
			continue
		}
		return Node{Kind: Code, Text: r.s[i+n : j]}, j + n
	}
	r.noTicks[n] = true
	return Node{}, 0
}

func ticks(s string) (n int) {
	for n < len(s) && s[n] == '`' {
		n++
	}
	return n
}

func (r *reader) bold(i int) (Node, int) {
	if r.noBold || !strings.HasPrefix(r.s[i:], "**") || i+2 >= len(r.s) || space(r.s[i+2]) || r.s[i+2] == '*' {
		return Node{}, 0
	}
	for j := i + 3; ; {
		at := strings.Index(r.s[j:], "**")
		if at < 0 {
			r.noBold = true
			return Node{}, 0
		}
		if j += at; !space(r.s[j-1]) {
			inner := reader{s: r.s[i+2 : j], noTicks: map[int]bool{}, noBold: true}
			return Node{Kind: Bold, Nodes: inner.read()}, j + 2
		}
		j++
	}
}

func space(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

// schemes are what a link may begin with, and what its address begins with then.
var schemes = []struct{ text, url string }{{"https://", "https://"}, {"http://", "http://"}, {"mailto:", "mailto:"}, {"www.", "https://www."}}

func (r *reader) link(i int) (Node, int) {
	if before, _ := utf8.DecodeLastRuneInString(r.s[:i]); i > 0 && (unicode.IsLetter(before) || unicode.IsDigit(before)) {
		return Node{}, 0
	}
	for _, scheme := range schemes {
		if len(r.s)-i <= len(scheme.text) || !strings.EqualFold(r.s[i:i+len(scheme.text)], scheme.text) {
			continue
		}
		begin := i + len(scheme.text)
		end := begin
		for end < len(r.s) {
			c, size := utf8.DecodeRuneInString(r.s[end:])
			if c == utf8.RuneError || c <= ' ' || strings.ContainsRune("<>\"`|\\^{}\u007f", c) || unicode.IsSpace(c) || unicode.Is(unicode.Cf, c) || unicode.IsControl(c) {
				break
			}
			end += size
		}
		rest := trim(r.s[begin:end])
		first, _ := utf8.DecodeRuneInString(rest)
		host, _, _ := strings.Cut(rest, "/")
		switch {
		case !unicode.IsLetter(first) && !unicode.IsDigit(first),
			scheme.text == "mailto:" && strings.IndexByte(rest, '@') < 1,
			scheme.text == "www." && !strings.Contains(host, "."):
			return Node{}, 0
		}
		end = begin + len(rest)
		return Node{Kind: Link, Text: r.s[i:end], URL: scheme.url + rest}, end
	}
	return Node{}, 0
}

// trim takes off what ends a sentence and not an address: punctuation, and brackets that were opened before it.
func trim(s string) string {
	for s != "" {
		last, size := utf8.DecodeLastRuneInString(s)
		switch {
		case strings.ContainsRune(".,:;!?'*_…", last):
		case last == ')' && strings.Count(s, "(") < strings.Count(s, ")"):
		case last == ']' && strings.Count(s, "[") < strings.Count(s, "]"):
		default:
			return s
		}
		s = s[:len(s)-size]
	}
	return s
}
