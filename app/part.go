package app

import "starling/ozeki/json"

// part is an element to be made, or with an empty tag a text node. What an island shows is said by parts, which native
// tests read; the browser makes elements of them. There is no way from a text to markup.
type part struct {
	tag, class string
	attributes []string // names and values in turn
	icon       string   // path of a drawing in front of the text
	text       string   // in front of the parts; of a text node all of it
	parts      []part
}

func textPart(text string) part { return part{text: text} }

// buttonPart is a button; do names what it asks for.
func buttonPart(class, do, text string) part {
	return part{tag: "button", class: class, attributes: []string{"type", "button", "data-do", do}, text: text}
}

// appendParts appends parts as the JSON text that boot.js makes elements of: a list, in it a text node as a string, an
// element as a list of its name, attributes, style (always empty) and children.
func appendParts(b []byte, parts []part) []byte {
	b = append(b, '[')
	for i, p := range parts {
		if i > 0 {
			b = append(b, ',')
		}
		b = p.append(b)
	}
	return append(b, ']')
}

func (p part) append(b []byte) []byte {
	if p.tag == "" {
		return json.AppendText(b, p.text)
	}
	b = append(json.AppendText(append(b, '['), p.tag), ",{"...)
	comma := ""
	attribute := func(name, value string) {
		b = append(json.AppendText(append(b, comma...), name), ':')
		b = json.AppendText(b, value)
		comma = ","
	}
	if p.class != "" {
		attribute("class", p.class)
	}
	for i := 0; i+1 < len(p.attributes); i += 2 {
		attribute(p.attributes[i], p.attributes[i+1])
	}
	b = append(b, `},"",`...)
	children := p.parts
	if p.text != "" {
		children = append([]part{textPart(p.text)}, children...)
	}
	if p.icon != "" {
		drawing := part{tag: "svg", attributes: []string{"viewBox", "0 0 24 24", "aria-hidden", "true"}, parts: []part{{tag: "path", attributes: []string{"d", p.icon}}}}
		children = append([]part{drawing}, children...)
	}
	return append(appendParts(b, children), ']')
}
