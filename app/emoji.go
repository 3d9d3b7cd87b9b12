package app

import (
	"strings"

	"starling/app/state"
)

// emojiGroup is a group of the emoji that can be chosen.
type emojiGroup struct {
	name string
	all  []emoji
}

type emoji struct{ sign, name string }

// emojiList holds the groups, one a line: the name, and after it each emoji with its name. It is a text, which takes less
// room in the program than a table.
const emojiList = `Smileys|😀 grinning|😃 happy|😄 laughing eyes|😁 beaming|😆 squinting laugh|😅 sweat smile|🤣 rolling on the floor|😂 tears of joy|🙂 slight smile|🙃 upside down|😉 wink|😊 blush|😇 halo angel|🥰 in love hearts|😍 heart eyes|🤩 star struck|😘 kiss|😋 yummy|😛 tongue|😜 crazy tongue|🤪 zany|🤗 hug|🤭 oops giggle|🤫 quiet shush|🤔 thinking|🤐 zipped mouth|😐 neutral|😑 expressionless|😶 no mouth|😏 smirk|😒 unamused|🙄 rolling eyes|😬 grimace|😌 relieved|😔 pensive|😪 sleepy|😴 sleeping|😷 mask ill|🤒 fever|🤕 bandage hurt|🤢 nausea|🤧 sneeze|🥵 hot|🥶 cold|😵 dizzy|🤯 mind blown|🥳 party|😎 cool sunglasses|🤓 nerd|🧐 monocle|😕 confused|😟 worried|🙁 frown|😮 surprised|😳 flushed|🥺 pleading|😨 afraid|😰 anxious|😢 crying|😭 sobbing|😱 scream|😞 disappointed|😓 cold sweat|😩 weary|😤 huffing|😡 angry|🤬 swearing|😈 devil|💀 skull|💩 poo|🤡 clown|👻 ghost|👽 alien|🤖 robot
People|👍 thumbs up yes|👎 thumbs down no|👌 ok|✌️ victory|🤞 fingers crossed|🤝 handshake deal|🙏 please thanks pray|👏 clap|🙌 hooray|👋 wave hello|✋ hand stop|💪 strong muscle|🫶 heart hands|👉 point right|👈 point left|👆 point up|👇 point down|✍️ writing|🤷 shrug|🤦 facepalm|🙋 raised hand question|💁 information|🙇 bow sorry|👀 eyes look|🧠 brain|👶 baby|👩‍💻 developer woman|👨‍💻 developer man|🏃 running|🚶 walking|💃 dancing|🛌 in bed|🧘 yoga calm
Hearts and signs|❤️ red heart love|🧡 orange heart|💛 yellow heart|💚 green heart|💙 blue heart|💜 purple heart|🖤 black heart|💔 broken heart|💯 hundred|✅ done check|❌ cross wrong|❗ exclamation|❓ question mark|⚠️ warning|⛔ no entry|🔥 fire|✨ sparkles|⭐ star|🌟 glowing star|💥 boom|💤 sleep zzz|💬 speech|🔔 bell|🔒 locked|🔑 key|♻️ recycle|➕ plus|➖ minus|➡️ right arrow|⬅️ left arrow|⬆️ up arrow|⬇️ down arrow
Nature and food|🐶 dog|🐱 cat|🐭 mouse|🐻 bear|🦊 fox|🐼 panda|🦁 lion|🐸 frog|🐵 monkey|🐔 chicken|🐧 penguin|🐦 bird|🦉 owl|🦆 duck|🐝 bee|🦋 butterfly|🐢 turtle|🐟 fish|🌸 blossom|🌹 rose|🌻 sunflower|🌳 tree|🍀 clover luck|🍂 autumn leaves|☀️ sun|🌙 moon|☁️ cloud|🌧️ rain|⛄ snowman|❄️ snow|🌈 rainbow|🍎 apple|🍌 banana|🍓 strawberry|🍕 pizza|🍔 burger|🍟 fries|🥗 salad|🍣 sushi|🍝 pasta|🍰 cake|🎂 birthday cake|🍫 chocolate|🍿 popcorn|☕ coffee|🍵 tea|🍺 beer|🍷 wine|🥂 cheers|🥤 drink
Things and places|🎉 party popper|🎁 gift|🎈 balloon|🏆 trophy|🥇 gold medal|⚽ football|🏀 basketball|🎮 game|🎵 music|🎤 microphone|🎬 film|📷 camera|📱 phone|💻 laptop|🖥️ computer|⌨️ keyboard|🖨️ printer|💡 idea bulb|🔋 battery|🔧 wrench tool|🔨 hammer|⚙️ settings gear|🧪 test tube|💊 pill|💰 money|💳 card|✉️ letter mail|📦 package|📅 calendar|📌 pin|📎 paper clip|✏️ pencil|📝 note memo|📊 chart|📈 rising|📉 falling|🔍 search|🗑️ bin trash|🚀 rocket|🚗 car|🚌 bus|🚲 bicycle|🚂 train|✈️ plane|🚢 ship|🏠 house home|🏢 office|🏥 hospital|🏫 school|🏖️ beach|⛰️ mountain|🌍 earth world|⏰ alarm clock|⌛ hourglass wait`

// emojiGroups gives the groups with what a search finds by the English names; all of them with an empty one.
func emojiGroups(search string) (groups []emojiGroup) {
	needles := strings.Fields(state.Fold(search))
	for _, line := range strings.Split(emojiList, "\n") {
		parts := strings.Split(line, "|")
		g := emojiGroup{name: parts[0]}
		for _, p := range parts[1:] {
			sign, name, _ := strings.Cut(p, " ")
			found := true
			for _, n := range needles {
				found = found && strings.Contains(name, n)
			}
			if found {
				g.all = append(g.all, emoji{sign, name})
			}
		}
		if len(g.all) > 0 {
			groups = append(groups, g)
		}
	}
	return groups
}

// emojiParts draw the groups.
func emojiParts(groups []emojiGroup) []part {
	var parts []part
	for _, g := range groups {
		list := part{tag: "div", class: "emoji-group", attributes: []string{"role", "group", "aria-label", g.name}}
		for _, e := range g.all {
			list.parts = append(list.parts, part{tag: "button", attributes: []string{"type", "button", "tabindex", "-1", "aria-label", e.name, "title", e.name, "data-emoji", e.sign}, text: e.sign})
		}
		parts = append(parts, part{tag: "h3", text: g.name}, list)
	}
	if len(parts) == 0 {
		parts = []part{{tag: "p", class: "hint", text: "There is no emoji of that name here."}}
	}
	return parts
}
