package language

import (
	"slices"
	"strconv"
	"strings"
)

// worded are the texts into which the code puts words of its own: what kind of thing is meant, of which type a value is.
// In all others a word alone is a name or a key, and stays.
var worded = []string{
	"%q in the map%s is not a %s",
	"%q is not a %s",
	"%q must be %s, not %s",
	"%q is not a type; a field is %s",
	"%s compares numbers, dates or texts, and %s is %s",
	"%s compares two values of one type, and %s is %s while %s is %s",
	"%s have no %s %q",
	"%s is %s in the sample, not %s",
	"%s is %s in the sample, so it can have no fields",
	"%s is %s, so it has no field %q",
	"%s is %s, so it has no items",
	"%s looks into text, and %s is %s",
	"%s maps a single value, and %s is %s",
	"%s needs %s for every item, and %s is %s",
	"%s needs %s, and %s is %s",
	"%s needs %s, and this is %s",
	"%s needs a condition, and %s is %s",
	"%s needs a list, and %s is %s",
	"%s needs conditions, and %s is %s",
	"%s needs numbers, and %s is %s",
	"+ adds numbers or joins texts, and %s is %s",
	"+ adds numbers or joins texts, and %s is text while %s is a number",
	"a condition is needed before the ?, and %s is %s",
	"a condition is needed, and %s is %s",
	"a date is needed, and this is %s",
	"a list is needed, and %s is %s",
	"a part is taken of a list or a text, and %s is %s",
	"a position is a number, and %s is %s",
	"a single value is needed, and %s is %s",
	"an index is a number or the name of a field, and %s is %s",
	"in needs a list, and %s is %s",
	"known %s: %s",
	"matches looks into text, and %s is %s",
	"no %s has the %s %q",
	"several objects are called %q as a %s",
	"sum needs numbers, and an item of %s is %s",
	"text is needed, and this is %s",
	"the file must be a mapping of keys to values, not %s",
	"the list has items of type %s, and %s is %s",
	"there is no %s %q",
	"there is no %s %q; `culvert metadata search WORD` finds names, `culvert sync` reads new ones",
	"there is no %s %q; did you mean %s?",
	"several of kind %s are called %q: %s",
	"%s: %d locations, %s %s",
	"write %d is not expected: %s",
	"the record with the %s is %s, not failed; `culvert show` says more, --delivered or --force send it all the same",
	"give the account data write access in the sharing settings of the %s",
	"the account may not write data of the %s %q%s",
}

// value translates what stands within a sentence: a sentence, or a word that the code put there.
func (l *search) value(e *entry, text string, depth int) string {
	if said, ok := l.words[text]; ok && slices.Contains(worded, e.key) {
		return said
	}
	if single(text) {
		return text
	}
	said, _ := l.text(text, depth+1)
	return said
}

// Word gives one word of the code in the language: a state, a kind of thing. What is not known stays as it is.
func (l *Language) Word(english string) string {
	if l == nil {
		return english
	}
	if said, ok := l.words[english]; ok {
		return said
	}
	return english
}

// list translates a list as the code writes it, a, b or c, where all of it is names, words that the code puts into
// sentences, or what the catalog knows.
func (l *search) list(text string, depth int) (string, bool) {
	for _, last := range []string{"and", "or"} {
		said, ok := l.words[last]
		if !ok {
			continue
		}
		parts := cut(text, " "+last+" ")
		if len(parts) != 2 {
			continue
		}
		items := append(cut(parts[0], ", "), parts[1])
		for i, item := range items {
			if items[i], ok = l.item(item, depth); !ok {
				return text, false
			}
		}
		return strings.Join(items[:len(items)-1], ", ") + " " + said + " " + items[len(items)-1], true
	}
	return text, false
}

// item translates one of a list.
func (l *search) item(text string, depth int) (string, bool) {
	if said, ok := l.words[text]; ok {
		return said, true
	}
	if first, rest, ok := strings.Cut(text, " "); ok && (first == "or" || first == "and") && inQuotes(rest) {
		return l.Word(first) + " " + rest, true
	}
	if inQuotes(text) || single(text) {
		return text, text != ""
	}
	return l.known(text, depth+1)
}

// inQuotes tells whether a text is a name in quotes or backticks, whole.
func inQuotes(text string) bool {
	if strings.HasPrefix(text, "`") {
		return strings.Count(text, "`") == 2 && strings.HasSuffix(text, "`")
	}
	whole, err := strconv.QuotedPrefix(text)
	return err == nil && whole == text
}
