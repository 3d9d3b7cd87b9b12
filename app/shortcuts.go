package app

import (
	"maps"
	"strings"
)

// shortcut is an entry of the list of keys. Those with an id can be changed by the user.
type shortcut struct {
	id   string
	keys string // as comboOf gives them; of those without an id as people read them
	what string
}

var shortcuts = []shortcut{
	{"star-row", "F", "Favorite the focused conversation, or not"},
	{"star-open", "Alt+Shift+F", "Favorite the open conversation, or not"},
	{"favorite", "Alt+1", "Open the first favorite; with 2 to 9 the others"},
	{"up", "Alt+Shift+ArrowUp", "Move the focused favorite up; this device keeps the order"},
	{"down", "Alt+Shift+ArrowDown", "Move the focused favorite down"},
	{"filter", "Ctrl+K", "Filter conversations"},
	{"undo", "Ctrl+Z", "Undo removing a favorite, outside of what you type"},
	{"list", "?", "Show this list"},
	{"", "Enter in the filter", "Open what fits best"},
	{"", "Shift+F10", "Open the menu of the focused conversation; so do a right click and a long press"},
	{"", "Drag", "Put a favorite in another place; with a finger, press long first"},
	{"", "↑ ↓ Home End", "Go through the conversations"},
	{"", "Enter", "Send the message"},
	{"", "↑", "Edit your last message, while you write nothing"},
	{"", "Escape", "Leave an answer or a change"},
	{"", "Shift+Enter", "Begin a new line"},
}

// comboOf names a key with its modifiers: "Alt+Shift+F", "Ctrl+1", "?", "ArrowUp". Letters and digits go by their place
// on the keyboard, since modifiers change what they write; Ctrl stands for the command key of a Mac, too. Empty for a
// modifier alone.
func comboOf(k key) string {
	name, shift := k.Name, k.Shift
	switch {
	case len(k.Code) == 4 && strings.HasPrefix(k.Code, "Key"):
		name = k.Code[3:]
	case len(k.Code) == 6 && strings.HasPrefix(k.Code, "Digit") && (k.Ctrl || k.Alt || k.Meta):
		name = k.Code[5:]
	case name == "" || name == "Shift" || name == "Control" || name == "Alt" || name == "Meta" || name == "Dead":
		return ""
	case len([]rune(name)) == 1:
		name, shift = strings.ToUpper(name), false // Shift has made the character what it is
	}
	combo := ""
	if k.Ctrl || k.Meta {
		combo = "Ctrl+"
	}
	if k.Alt {
		combo += "Alt+"
	}
	if shift {
		combo += "Shift+"
	}
	return combo + name
}

// keymap holds the keys that the user has changed, by id.
type keymap map[string]string

// of returns the keys of a shortcut.
func (m keymap) of(s shortcut) string {
	if keys := m[s.id]; keys != "" && s.id != "" {
		return keys
	}
	return s.keys
}

// find returns the shortcut that a combination stands for, and of "favorite" the number pressed.
func (m keymap) find(combo string) (id string, number int) {
	head, last := "", byte(0)
	if n := len(combo); n > 0 {
		head, last = combo[:n-1], combo[n-1]
	}
	for _, s := range shortcuts {
		switch keys := m.of(s); {
		case s.id == "":
		case s.id == "favorite" && last >= '1' && last <= '9' && head+"1" == keys:
			return s.id, int(last - '0')
		case s.id != "favorite" && keys == combo:
			return s.id, 0
		}
	}
	return "", 0
}

// with returns a keymap in which a shortcut has other keys; words say why it cannot have them.
func (m keymap) with(id, combo string) (changed keymap, words string) {
	switch name := combo[strings.LastIndexByte(combo, '+')+1:]; {
	case combo == name && (len([]rune(name)) != 1 || name == " "), name == "Enter", name == "Tab", name == " ", name == "Escape":
		return m, "This key is needed for something else. Choose another one, or add Ctrl or Alt."
	case id == "favorite" && (name < "1" || name > "9" || len(name) != 1 || combo == name):
		return m, "Choose a combination with a digit, like Alt+1."
	case id == "favorite":
		combo = strings.TrimSuffix(combo, name) + "1"
	}
	if other, _ := m.find(combo); other != "" && other != id {
		for _, s := range shortcuts {
			if s.id == other {
				return m, "These keys are taken: " + s.what + "."
			}
		}
	}
	changed = keymap{}
	maps.Copy(changed, m)
	changed[id] = combo
	return changed, ""
}

// parseKeymap reads what String wrote; what it does not understand it leaves out.
func parseKeymap(text string) keymap {
	m := keymap{}
	for line := range strings.Lines(text) {
		id, combo, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if changed, words := m.with(id, combo); ok && combo != "" && words == "" {
			m = changed
		}
	}
	return m
}

// String writes the changed keys, a line each.
func (m keymap) String() string {
	var b strings.Builder
	for _, s := range shortcuts {
		if keys := m[s.id]; keys != "" && s.id != "" {
			b.WriteString(s.id + " " + keys + "\n")
		}
	}
	return b.String()
}

// keyWords writes a combination for people.
func keyWords(combo string) string {
	return strings.NewReplacer("ArrowUp", "↑", "ArrowDown", "↓", "ArrowLeft", "←", "ArrowRight", "→").Replace(combo)
}
