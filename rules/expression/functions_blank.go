package expression

import (
	"slices"
)

func blankFunctions() []function {
	const group = "Blanks"
	value := parameter{name: "value", accept: kAny}
	return []function{
		{
			name: "blank", group: group, gives: kBool, params: []parameter{value}, takesBlank: true,
			summary:  `Whether there is no answer: the field is missing, empty, only spaces or "---".`,
			call:     func(_ *frame, a []any) (any, error) { return IsBlank(a[0]), nil },
			examples: []Example{{`blank("")`, `true`}, {`blank("---")`, `true`}, {`blank("0")`, `false`}},
		},
		{
			name: "not_blank", group: group, gives: kBool, params: []parameter{value}, takesBlank: true,
			summary:  "Whether there is an answer.",
			call:     func(_ *frame, a []any) (any, error) { return !IsBlank(a[0]), nil },
			examples: []Example{{`not_blank("yes")`, `true`}, {`not_blank(" ")`, `false`}},
		},
		{
			name: "coalesce", group: group, gives: kAny, params: []parameter{{name: "value", accept: kAny, rest: true}},
			takesBlank: true,
			summary:    "The first value that is not blank. a ?? b does the same for two.",
			result: func(args []*Shape) *Shape {
				s := args[0]
				for _, a := range args[1:] {
					s = merge(s, a)
				}
				return s
			},
			call: func(_ *frame, a []any) (any, error) {
				i := slices.IndexFunc(a, func(v any) bool { return !IsBlank(v) })
				if i < 0 {
					return nil, nil
				}
				return a[i], nil
			},
			examples: []Example{{`coalesce("", nil, "Nairobi")`, `"Nairobi"`}, {`"" ?? "unknown"`, `"unknown"`},
				{`coalesce("", "---")`, `nil`}},
		},
	}
}
