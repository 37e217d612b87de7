package rules

import (
	_ "embed" // the words
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
)

// wordSet holds the words by which a source says that there is no answer, without regard to case and space around them.
type wordSet map[string]bool

func foldWord(s string) string { return strings.ToLower(strings.TrimSpace(tidy(s))) }

// add takes the words of `missing:`, one or a list.
func (w wordSet) add(n *yamlnode.Node) {
	for _, item := range oneOrMany(n) {
		if isValue(item) {
			w[foldWord(item.Value)] = true
		}
	}
}

// maxMissing is how long a word for "no answer" may be: longer texts are not even looked up.
const maxMissing = 40

// has tells whether a value is one of the words.
func (w wordSet) has(v any) bool {
	switch t := v.(type) {
	case string:
		if len(t) > maxMissing {
			return false
		}
		t = strings.TrimSpace(t)
		for word := range w { // there are few, and to fold the text first would cost more
			if strings.EqualFold(word, t) {
				return true
			}
		}
		return false
	case nil, bool, []any, map[string]any:
		return false
	}
	return w[textOf(v)]
}

// without gives a record with every value that is one of the words made blank, and every text as
// people mean it (see tidy). What holds none of them is not copied: the record belongs to others.
func (w wordSet) without(v any) any {
	out, _ := w.strip(v)
	return out
}

func (w wordSet) strip(v any) (any, bool) {
	switch t := v.(type) {
	case map[string]any:
		return w.stripObject(t)
	case []any:
		var own []any
		for i, value := range t {
			stripped, changed := w.strip(value)
			if !changed {
				continue
			}
			if own == nil {
				own = append(own, t...)
			}
			own[i] = stripped
		}
		if own != nil {
			return own, true
		}
	case string:
		text := tidy(t)
		if text != t {
			v = text
		}
		if len(w) > 0 && w.has(v) {
			return nil, true
		}
		return v, text != t
	default:
		if len(w) > 0 && w.has(v) {
			return nil, true
		}
	}
	return v, false
}

func (w wordSet) stripObject(m map[string]any) (any, bool) {
	var own map[string]any
	var alike map[string]int // how many keys are meant by a name, once one is not written as it is meant
	for key, value := range m {
		stripped, changed := w.strip(value)
		name := tidy(key)
		if !changed && name == key {
			continue
		}
		if own == nil {
			own = maps.Clone(m)
		}
		if name != key {
			if alike == nil {
				alike = tidied(m)
			}
			if alike[name] > 1 {
				name = key // of two that look alike neither is lost, nor taken for the other
			} else {
				delete(own, key)
			}
		}
		own[name] = stripped
	}
	if own == nil {
		return m, false
	}
	return own, true
}

// tidied counts the keys of an object by the names that they are meant as.
func tidied(m map[string]any) map[string]int {
	names := make(map[string]int, len(m))
	for key := range m {
		names[tidy(key)]++
	}
	return names
}

// IsNoAnswer tells whether a text is a word that people and programs write where there is no
// answer, in the languages that forms come in, or nothing but signs. Nobody has such a name for an
// id.
func IsNoAnswer(text string) bool {
	if len(text) > maxMissing {
		return false
	}
	word := foldWord(text)
	return noAnswers[word] || noAnswers[strings.Trim(word, "#()[]<>*'\"-–—_.!? ")] || !strings.ContainsFunc(word,
		func(r rune) bool { return unicode.IsLetter(r) && r != 'x' || unicode.IsNumber(r) })
}

//go:embed noanswers.txt
var noAnswersText string

// noAnswers are such words in small letters, of programs, in English, French, Spanish, Portuguese, Swahili, Arabic and
// Amharic.
var noAnswers = linesOf(noAnswersText)

func linesOf(text string) map[string]bool {
	set := map[string]bool{}
	for line := range strings.Lines(text) {
		set[strings.TrimSpace(line)] = true
	}
	return set
}

// IsFiller tells whether a text is a date of zeros or nines, or a long number of zeros, which forms
// want filled in. Unlike 999 or 0 it is the number of no row and of nobody.
func IsFiller(text string) bool {
	digits := strings.Map(func(r rune) rune {
		if strings.ContainsRune(" -./+", r) {
			return -1
		}
		return r
	}, text)
	return len(digits) >= 6 &&
		(strings.Trim(digits, "0") == "" || strings.Trim(digits, "9") == "" && strings.ContainsAny(text, "/-."))
}

// IsPlaceholder tells whether a text stands for "no answer" where people are looked up by it: a
// word, or a number that forms write for it, such as 999, 000 or -99. People who share it are not
// one person.
func IsPlaceholder(text string) bool {
	if IsNoAnswer(text) {
		return true
	}
	word := strings.TrimSpace(text)
	negative := strings.HasPrefix(word, "-")
	digits := strings.Map(func(r rune) rune {
		if strings.ContainsRune(" -./+", r) {
			return -1
		}
		return r
	}, word)
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return false
	}
	same := strings.Trim(digits, digits[:1]) == ""
	switch {
	case negative, same && digits[0] == '0':
		return true
	case same && digits[0] == '9':
		return len(digits) >= 3
	case len(digits) >= 7 && strings.Contains("01234567890123", digits): //nolint:gocritic // a part of the row, as typed
		return true // what people type to get on
	}
	return same && len(digits) >= 7 || len(digits) >= 10 && strings.HasSuffix(digits, "00000000")
}

// exports are the words for "no answer" that programs write and that are no choice in a form, as "none" may be.
var exports = wordSet{"n/a": true, "#n/a": true, "n.a.": true, "null": true, "nan": true, "nil": true,
	"undefined": true, "-": true, "--": true}

// undeclaredMissing warns of words for "no answer" in the sample, which would be taken for answers.
func (c *compiler) undeclaredMissing() {
	words, fields := wordSet{}, wordSet{}
	var order []string
	for _, body := range c.samples {
		eachText(body, "", func(field, text string) {
			if !exports.has(text) || fields[field] {
				return
			}
			words[foldWord(text)], fields[field] = true, true
			order = append(order, field)
		})
	}
	if len(order) == 0 {
		return
	}
	slices.Sort(order)
	list := slices.Sorted(maps.Keys(words))
	for i, w := range list {
		if strings.Trim(w, "-#") != w || w == "null" {
			list[i] = strconv.Quote(w) // or YAML reads it as something else
		}
	}
	c.warn(c.rule.Trigger.SamplePlace, "undeclared-missing",
		fmt.Sprintf("the sample has words for \"no answer\" in %s, which would be taken for answers",
			diag.Names(order[:min(maxSampleValues, len(order))], "and")),
		"add missing: ["+strings.Join(list, ", ")+"] to the trigger, and such values are blank")
}

// eachText calls do for every text in a record with the name of its field; the items of a list have the list's.
func eachText(v any, field string, do func(field, text string)) {
	switch t := v.(type) {
	case map[string]any:
		for key, value := range t {
			eachText(value, key, do)
		}
	case []any:
		for _, value := range t {
			eachText(value, field, do)
		}
	case string:
		do(field, t)
	}
}

// noAnswerID is the failure of a record whose id is a word for "no answer": all such records would be taken for one.
func noAnswerID(e *Expr, field, id string) *Failure {
	return &Failure{Problem: diag.Problem{
		Code: "placeholder", Field: field, Value: id, Place: e.Place,
		Message: "the record has no id: what " + e.Text + ` holds is a word for "no answer"`,
		Hint:    "fill the id in at the source and send the record again, or name another field in " + field + ":",
	}}
}
