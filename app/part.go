package app

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
