package json

// maxDepth is how deep lists and objects may be nested.
const maxDepth = 10000

// Valid reports whether text is one JSON value.
func Valid(text []byte) bool {
	end := scan(text, spaces(text, 0))
	return end >= 0 && spaces(text, end) == len(text)
}

// spaces returns where the spaces from i on end.
func spaces(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// scan returns where the value that begins at i ends, -1 if none does. It does not call itself: a browser gives a program few
// calls in calls, and what is nested is another's.
func scan(b []byte, i int) int {
	var few [32]byte
	open := few[:0] // the brackets that are yet to come, the next one last
	for {
		if i >= len(b) {
			return -1
		}
		switch c := b[i]; c {
		case '{', '[':
			closing := c + 2
			if len(open) == maxDepth {
				return -1
			}
			if i = spaces(b, i+1); i < len(b) && b[i] == closing {
				i++
				break
			}
			open = append(open, closing)
			if c == '{' {
				i = scanName(b, i)
			}
			if i < 0 {
				return -1
			}
			continue
		case '"':
			i = scanString(b, i)
		case 't':
			i = scanWord(b, i, "true")
		case 'f':
			i = scanWord(b, i, "false")
		case 'n':
			i = scanWord(b, i, "null")
		default:
			i = scanNumber(b, i)
		}
		if i < 0 {
			return -1
		}
		for {
			if len(open) == 0 {
				return i
			}
			if i = spaces(b, i); i >= len(b) {
				return -1
			}
			closing := open[len(open)-1]
			if b[i] != closing {
				break
			}
			open = open[:len(open)-1]
			i++
		}
		if b[i] != ',' {
			return -1
		}
		if i = spaces(b, i+1); open[len(open)-1] == '}' {
			i = scanName(b, i)
		}
		if i < 0 {
			return -1
		}
	}
}

// scanName returns where the value of the field begins whose name begins at i, -1 if it does not.
func scanName(b []byte, i int) int {
	if i >= len(b) || b[i] != '"' {
		return -1
	}
	if i = scanString(b, i); i < 0 {
		return -1
	}
	if i = spaces(b, i); i >= len(b) || b[i] != ':' {
		return -1
	}
	return spaces(b, i+1)
}

func scanWord(b []byte, i int, word string) int {
	if end := i + len(word); end <= len(b) && string(b[i:end]) == word {
		return end
	}
	return -1
}

func scanString(b []byte, i int) int {
	for i++; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			return i + 1
		case c < ' ':
			return -1
		case c == '\\':
			if i++; i >= len(b) {
				return -1
			}
			if b[i] == 'u' {
				if i+4 >= len(b) || hex4(b[i+1:]) < 0 {
					return -1
				}
				i += 4
			} else if b[i] >= 128 || unescaped[b[i]] == 0 {
				return -1
			}
		}
	}
	return -1
}

func scanNumber(b []byte, i int) int {
	if b[i] == '-' {
		i++
	}
	if i < len(b) && b[i] == '0' {
		i++
	} else if i = digits(b, i); i < 0 {
		return -1
	}
	if i < len(b) && b[i] == '.' {
		if i = digits(b, i+1); i < 0 {
			return -1
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		return digits(b, i)
	}
	return i
}

// digits returns where the digits from i on end, -1 if there is none.
func digits(b []byte, i int) int {
	from := i
	for i < len(b) && b[i] >= '0' && b[i] <= '9' {
		i++
	}
	if i == from {
		return -1
	}
	return i
}
