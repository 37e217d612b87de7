package expression

import (
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// text is the parameter most text functions begin with.
var text = parameter{name: "text", accept: kWord}

func textFunctions() []function {
	const group = "Text"
	mapped := func(name, summary string, do func(string) string, examples ...Example) function {
		return function{
			name: name, group: group, summary: summary, gives: kText, params: []parameter{text}, examples: examples,
			call: func(f *frame, a []any) (any, error) { s := do(a[0].(string)); return s, f.makes(len(s)) },
		}
	}
	compared := func(name, summary string, holds func(a, b string) bool, examples ...Example) function {
		return function{
			name: name, group: group, summary: summary, gives: kBool, params: []parameter{text, {name: "other", accept: kWord}},
			examples: examples,
			call: func(_ *frame, a []any) (any, error) {
				return a[0] != "" && a[1] != "" && holds(a[0].(string), a[1].(string)), nil
			},
		}
	}
	padded := func(name, summary string, do func(s, fill string) string, examples ...Example) function {
		return function{
			name: name, group: group, summary: summary, gives: kText, examples: examples,
			params: []parameter{text, {name: "width", accept: kNumber},
				{name: "fill", accept: kWord, optional: true, verbatim: true}},
			call: func(f *frame, a []any) (any, error) { return pad(f, a, do) },
		}
	}
	return []function{
		mapped("trim", "The text without spaces at its ends.", strings.TrimSpace, Example{`trim("  Mary ")`, `"Mary"`}),
		mapped("upper", "The text in capitals.", strings.ToUpper, Example{`upper("mary")`, `"MARY"`}),
		mapped("lower", "The text in small letters.", strings.ToLower, Example{`lower("MARY")`, `"mary"`}),
		mapped("title", "Every word with a capital first and small letters after it.", title,
			Example{`title("MARY achieng-otieno")`, `"Mary Achieng-Otieno"`}),
		mapped("squash", "The text with every run of spaces and line breaks made one space, and none at its ends.",
			func(s string) string { return strings.Join(strings.Fields(s), " ") },
			Example{`squash(" Mary   Otieno ")`, `"Mary Otieno"`}),
		mapped("url_encode", "The text as it is written inside a web address.", url.QueryEscape,
			Example{`url_encode("a b&c")`, `"a+b%26c"`}),
		compared("starts_with", "Whether the text begins with another one. Also written text startsWith other.",
			strings.HasPrefix, Example{`starts_with("ANC-12", "ANC")`, `true`}),
		compared("ends_with", "Whether the text ends with another one. Also written text endsWith other.", strings.HasSuffix,
			Example{`ends_with("ANC-12", "12")`, `true`}),
		compared("equals_ignore_case", "Whether two texts are the same, apart from capitals and spaces at their ends.",
			func(a, b string) bool { return strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b)) },
			Example{`equals_ignore_case("Female", "female ")`, `true`}),
		padded("pad_left", "The text, with fill (a space, or a text of one character) in front until it has the width in "+
			"characters.",
			func(s, fill string) string { return fill + s }, Example{`pad_left("7", 3, "0")`, `"007"`},
			Example{`pad_left(12, 5, "0")`, `"00012"`}),
		padded("pad_right", "The text, with fill after it until it has the width in characters.",
			func(s, fill string) string { return s + fill }, Example{`pad_right("ab", 4, ".")`, `"ab.."`}),
		{
			name: "text", group: group, gives: kText, params: []parameter{{name: "value", accept: kPlain}},
			summary: "A number, date or yes/no written as text, as it would be sent.",
			call:    func(_ *frame, a []any) (any, error) { return a[0], nil },
			examples: []Example{{`text(12.50)`, `"12.5"`}, {`text(date("2026-08-20"))`, `"2026-08-20"`},
				{`text(1 == 1)`, `"true"`}},
		},
		{
			name: "length", group: group, gives: kNumber, params: []parameter{{name: "text or list", accept: kWord | kItems}},
			takesBlank: true,
			summary:    "How many characters a text has, or how many items a list has.",
			call: func(f *frame, a []any) (any, error) {
				if kindOf(a[0])&kItems != 0 {
					list, err := asList(a[0], f.options.Zone)
					return len(list), err
				}
				s, err := textOf(a[0])
				return utf8.RuneCountInString(s), err
			},
			examples: []Example{{`length("Zoë")`, `3`}, {`length([1, 2])`, `2`}, {`length("")`, `0`}},
		},
		{
			name: "substring", group: group, gives: kText,
			params: []parameter{text, {name: "from", accept: kNumber}, {name: "to", accept: kNumber, optional: true}},
			summary: "The characters from one position up to, not including, another; positions begin at 0, and negative " +
				"ones count from the end. A text that is too short gives what there is.",
			call: func(_ *frame, a []any) (any, error) {
				runes := []rune(a[0].(string))
				from, to, err := bounds(len(runes), a[1], a[2])
				return string(runes[from:to]), err
			},
			examples: []Example{{`substring("KE-0042", 3)`, `"0042"`}, {`substring("KE-0042", 0, 2)`, `"KE"`},
				{`substring("KE-0042", -2)`, `"42"`}, {`substring("K", 3, 9)`, `""`}},
		},
		{
			name: "replace", group: group, gives: kText, params: []parameter{text, {name: "old", accept: kText, verbatim: true},
				{name: "new", accept: kText, optional: true, verbatim: true}},
			summary: "The text with every occurrence of one text replaced by another, or taken out.",
			call: func(f *frame, a []any) (any, error) {
				s := a[0].(string)
				old, _ := a[1].(string)
				fresh, _ := a[2].(string)
				if old == "" {
					return s, nil
				}
				if err := f.makes(len(s) + strings.Count(s, old)*max(0, len(fresh)-len(old))); err != nil {
					return nil, err
				}
				return strings.ReplaceAll(s, old, fresh), nil
			},
			examples: []Example{{`replace("07 22 33", " ")`, `"072233"`}, {`replace("a/b", "/", "-")`, `"a-b"`}},
		},
		{
			name: "split", group: group, gives: kList, params: []parameter{text,
				{name: "separator", accept: kText, optional: true, verbatim: true}},
			summary: "The parts of a text between separators; without a separator, its words. [n] takes the n-th, from 0, " +
				"blank if there is none.",
			result: func([]*Shape) *Shape { return listOf(plain(kText)) },
			call: func(f *frame, a []any) (any, error) {
				s := a[0].(string)
				if s == "" {
					return []any{}, nil
				}
				separator, _ := a[1].(string)
				if n := strings.Count(s, separator); n >= maxItems {
					return nil, fail(CodeTooLarge, fmt.Sprintf("the text has more than %d parts", maxItems), "")
				}
				var parts []string
				if strings.TrimSpace(separator) == "" && len(separator) < 2 {
					parts = strings.Fields(s)
				} else {
					parts = strings.Split(s, separator)
				}
				list := make([]any, len(parts))
				for i, p := range parts {
					list[i] = p
				}
				return list, f.makes(len(s))
			},
			examples: []Example{{`split("fever  cough")`, `["fever", "cough"]`}, {`split("KE/Nairobi", "/")[1]`, `"Nairobi"`},
				{`split("a", "/")[3]`, `nil`}},
		},
		{
			name: "join", group: group, gives: kText, params: []parameter{{name: "list", accept: kItems},
				{name: "separator", accept: kText, optional: true, verbatim: true}},
			summary: "The items of a list as one text, with a separator between them. Blank items are left out.",
			call:    joined,
			examples: []Example{{`join(["a", "", "b"], ", ")`, `"a, b"`},
				{`join(split("fever cough"), " / ")`, `"fever / cough"`},
				{`join(map([{n: 1}, {n: 2}], .n), "+")`, `"1+2"`}},
		},
		{
			name: "format", group: group, gives: kText, params: []parameter{{name: "template", accept: kText, verbatim: true},
				{name: "value", accept: kPlain, rest: true}},
			summary: "The template with each {} replaced by a value, in order.",
			verify: func(args []term) error {
				if template, ok := args[0].value.(string); ok {
					return checkPlaces(template, len(args)-1)
				}
				return nil
			},
			call: formatted,
			examples: []Example{{`format("{} {}", "Mary", "Otieno")`, `"Mary Otieno"`},
				{`format("visit {} on {}", 2, date("2026-08-20"))`, `"visit 2 on 2026-08-20"`}},
		},
	}
}

func title(s string) string {
	first := true
	return strings.Map(func(r rune) rune {
		begins := first
		first = !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '\'' && r != '’' && !unicode.IsMark(r)
		if begins {
			return unicode.ToTitle(r)
		}
		return unicode.ToLower(r)
	}, s)
}

func pad(f *frame, a []any, do func(s, fill string) string) (any, error) {
	s, fill := a[0].(string), " "
	if given, ok := a[2].(string); ok && given != "" {
		fill = given
	}
	width, ok := a[1].(int)
	if !ok || utf8.RuneCountInString(fill) != 1 {
		return nil, fail(CodeWrongValue, "a text is filled to a whole number of characters, with one character", "")
	}
	missing := width - utf8.RuneCountInString(s)
	if s == "" || missing <= 0 {
		return s, nil
	}
	if missing > maxMadeText {
		return nil, f.makes(missing)
	}
	return do(s, strings.Repeat(fill, missing)), f.makes(missing * len(fill))
}

func joined(f *frame, a []any) (any, error) {
	list := a[0].([]any)
	separator, _ := a[1].(string)
	if err := f.goesThrough(len(list)); err != nil {
		return nil, err
	}
	var b strings.Builder
	for _, item := range list {
		s, err := textOf(normal(item, f.options.Zone))
		if err != nil {
			return nil, err
		}
		if s == "" {
			continue
		}
		if err := f.makes(len(s) + len(separator)); err != nil {
			return nil, err
		}
		if b.Len() > 0 {
			b.WriteString(separator)
		}
		b.WriteString(s)
	}
	return b.String(), nil
}

func formatted(f *frame, a []any) (any, error) {
	template := a[0].(string)
	parts := strings.Split(template, "{}")
	if err := checkPlaces(template, len(a)-1); err != nil {
		return nil, err
	}
	var b strings.Builder
	b.WriteString(parts[0])
	for i, v := range a[1:] {
		s := v.(string)
		if err := f.makes(len(s) + len(parts[i+1])); err != nil {
			return nil, err
		}
		b.WriteString(s)
		b.WriteString(parts[i+1])
	}
	return b.String(), nil
}

func checkPlaces(template string, values int) error {
	if places := strings.Count(template, "{}"); places != values {
		return fail(CodeWrongValue, fmt.Sprintf("the template has %d {}, and %d value%s to put there", places, values,
			plural(values)), "")
	}
	return nil
}
