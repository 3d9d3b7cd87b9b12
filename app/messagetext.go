package app

import (
	"strconv"

	"starling/app/text"
)

// bodyParts make elements of a message's text: texts, and the few elements below.
func bodyParts(nodes []text.Node) []part {
	parts := make([]part, 0, len(nodes))
	for _, n := range nodes {
		inner := bodyParts(n.Nodes)
		switch n.Kind {
		case text.Plain:
			parts = append(parts, textPart(n.Text))
		case text.Lines:
			parts = append(parts, part{tag: "div", parts: inner})
		case text.Bold:
			parts = append(parts, part{tag: "strong", parts: inner})
		case text.Code:
			parts = append(parts, part{tag: "code", text: n.Text})
		case text.Block:
			parts = append(parts, part{tag: "pre", attributes: []string{"tabindex", "0"}, parts: []part{{tag: "code", text: n.Text}}})
		case text.Link:
			parts = append(parts, part{tag: "a", attributes: []string{"href", n.URL, "target", "_blank", "rel", "noopener noreferrer"}, text: n.Text})
		case text.Bullet:
			parts = append(parts, part{tag: "ul", parts: inner})
		case text.Number:
			parts = append(parts, part{tag: "ol", attributes: []string{"start", strconv.Itoa(n.Start)}, parts: inner})
		case text.Item:
			parts = append(parts, part{tag: "li", parts: inner})
		}
	}
	return parts
}
