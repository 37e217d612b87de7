package expression

import (
	"regexp"
	"slices"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// matchFunctions are the text functions that look for a pattern or compare.
func matchFunctions() []function {
	const group = "Text"
	pattern := parameter{name: "pattern", accept: kText, written: true, prepare: compilePattern}
	return []function{
		{
			name: "regex_extract", group: group, gives: kText,
			params: []parameter{text, pattern, {name: "group", accept: kNumber, optional: true}},
			summary: `The part of a text that a regular expression finds: its first group, or the group asked for, or all ` +
				`when it has none. "" when nothing is found. Whether a text fits is asked with: text matches "pattern".`,
			verify: func(args []term) error {
				if len(args) < 3 || !args[2].constant {
					return nil
				}
				_, err := groupOf(args[1].value.(*regexp.Regexp), args[2].value)
				return err
			},
			call: func(_ *frame, a []any) (any, error) {
				re := a[1].(*regexp.Regexp)
				group, err := groupOf(re, a[2])
				if err != nil {
					return nil, err
				}
				m := re.FindStringSubmatch(a[0].(string))
				if m == nil {
					return "", nil
				}
				return m[group], nil
			},
			examples: []Example{{`regex_extract("weight: 12kg", "([0-9]+)kg")`, `"12"`},
				{`regex_extract("MFL 13023", "[0-9]+")`, `"13023"`}, {`"13023" matches "^[0-9]{5}$"`, `true`}},
		},
		{
			name: "regex_replace", group: group, gives: kText,
			params:  []parameter{text, pattern, {name: "replacement", accept: kText, optional: true, verbatim: true}},
			summary: "The text with everything that a regular expression finds replaced; $1 stands for its first group.",
			call:    regexReplaced,
			examples: []Example{{`regex_replace("+254 (0)722-000", "[^0-9]")`, `"2540722000"`},
				{`regex_replace("Otieno, Mary", "(\\w+), (\\w+)", "$2 $1")`, `"Mary Otieno"`}},
		},
		{
			name: "similar", group: group, gives: kNumber, params: []parameter{text, {name: "other", accept: kWord}},
			summary: "How alike two names are, from 0 to 1, whatever their capitals, accents and spaces (Jaro-Winkler). " +
				"Names are never compared in this way unless a rule asks for it.",
			call: func(f *frame, a []any) (any, error) {
				if err := f.reads(len(a[0].(string)) * len(a[1].(string)) / 4); err != nil {
					return nil, err
				}
				return likeness(a[0].(string), a[1].(string))
			},
			examples: []Example{{`similar("Wanjiku", "wanjiku")`, `1`}, {`similar("Achieng", "Acheing") > 0.9`, `true`},
				{`similar("Achieng", "Otieno") > 0.9`, `false`}},
		},
	}
}

// groupOf is the group of a pattern that is asked for: by its number, or its first one, or all when it has none.
func groupOf(re *regexp.Regexp, number any) (int, error) {
	if number == nil {
		return min(1, re.NumSubexp()), nil
	}
	n, ok := number.(int)
	if !ok || n < 0 || n > re.NumSubexp() {
		return 0, fail(CodeWrongValue, "the pattern has no such group",
			"groups are counted from 1; 0 is all that the pattern finds")
	}
	return n, nil
}

func regexReplaced(f *frame, a []any) (any, error) {
	s, re := a[0].(string), a[1].(*regexp.Regexp)
	replacement, _ := a[2].(string)
	var made []byte
	end := 0
	for _, m := range re.FindAllStringSubmatchIndex(s, -1) {
		before := len(made)
		made = append(made, s[end:m[0]]...)
		made = re.ExpandString(made, replacement, s, m)
		end = m[1]
		if err := f.makes(len(made) - before); err != nil {
			return nil, err
		}
	}
	return string(made) + s[end:], f.makes(len(s) - end)
}

// likeness is the Jaro-Winkler similarity of two folded texts.
func likeness(a, b string) (any, error) {
	s, t := folded(a), folded(b)
	if len(s) > 500 || len(t) > 500 {
		return nil, fail(CodeTooLarge, "texts of more than 500 characters are not compared", "")
	}
	switch {
	case len(s) == 0 || len(t) == 0:
		return 0, nil
	case slices.Equal(s, t):
		return 1, nil
	}
	window := max(len(s), len(t))/2 - 1
	used := make([]bool, len(t))
	var common, inS []rune
	for i, r := range s {
		for j := max(0, i-window); j <= min(len(t)-1, i+window); j++ {
			if !used[j] && t[j] == r {
				used[j] = true
				inS = append(inS, r)
				break
			}
		}
	}
	for j, r := range t {
		if used[j] {
			common = append(common, r)
		}
	}
	if len(common) == 0 {
		return 0, nil
	}
	swaps := 0
	for i := range common {
		if common[i] != inS[i] {
			swaps++
		}
	}
	m := float64(len(common))
	jaro := (m/float64(len(s)) + m/float64(len(t)) + (m-float64(swaps)/2)/m) / 3
	prefix := 0
	for prefix < min(4, len(s), len(t)) && s[prefix] == t[prefix] {
		prefix++
	}
	return jaro + float64(prefix)*0.1*(1-jaro), nil
}

// folded leaves out what two spellings of a name differ in without being different: capitals,
// accents, spaces, hyphens, apostrophes.
func folded(s string) []rune {
	var runes []rune
	for _, r := range norm.NFD.String(s) {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			runes = append(runes, unicode.ToLower(r))
		}
	}
	return runes
}
