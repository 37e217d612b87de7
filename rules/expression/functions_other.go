package expression

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/nyaruka/phonenumbers"
)

func choiceFunctions() []function {
	const group = "Choices and places"
	choices := parameter{name: "choices", accept: kWord | kItems}
	gps := func(name, summary string, place int, examples ...Example) function {
		return function{
			name: name, group: group, summary: summary, gives: kNumber, params: []parameter{{name: "gps", accept: kText}},
			examples: examples,
			call: func(_ *frame, a []any) (any, error) {
				parts, err := readGPS(a[0].(string))
				if err != nil || place >= len(parts) {
					return nil, err
				}
				return whole(parts[place])
			},
		}
	}
	return []function{
		{
			name: "selected", group: group, gives: kBool, params: []parameter{choices, {name: "choice", accept: kWord}},
			takesBlank: true,
			summary: "Whether a multiple choice has a choice among its answers. The answers are a text with spaces between " +
				"them, as forms send it, or a list.",
			call: func(f *frame, a []any) (any, error) {
				words, err := answers(f, a[0])
				return a[1] != "" && slices.Contains(words, a[1].(string)), err
			},
			examples: []Example{{`selected("fever cough", "cough")`, `true`}, {`selected("fever cough", "co")`, `false`},
				{`selected("", "cough")`, `false`}},
		},
		{
			name: "count_selected", group: group, gives: kNumber, params: []parameter{choices}, takesBlank: true,
			summary: "How many answers a multiple choice has.",
			call: func(f *frame, a []any) (any, error) {
				words, err := answers(f, a[0])
				return len(words), err
			},
			examples: []Example{{`count_selected("fever cough")`, `2`}, {`count_selected("")`, `0`}},
		},
		{
			name: "selected_at", group: group, gives: kText, params: []parameter{choices, {name: "number", accept: kNumber}},
			takesBlank: true,
			summary:    "The answer at a position of a multiple choice, from 0; blank if there are not so many.",
			call: func(f *frame, a []any) (any, error) {
				words, err := answers(f, a[0])
				n, ok := a[1].(int)
				if err != nil || !ok || n < 0 || n >= len(words) {
					return nil, err
				}
				return words[n], nil
			},
			examples: []Example{{`selected_at("fever cough", 1)`, `"cough"`}, {`selected_at("fever", 3)`, `nil`}},
		},
		gps("gps_lat", `The latitude of a place that a form sends as "latitude longitude altitude accuracy".`, 0,
			Example{`gps_lat("-1.28 36.82 1690 5")`, `-1.28`}),
		gps("gps_lon", "The longitude of a place.", 1, Example{`gps_lon("-1.28 36.82 1690 5")`, `36.82`}),
		gps("gps_alt", "The altitude of a place, in metres; blank if it was not sent.", 2,
			Example{`gps_alt("-1.28 36.82 1690 5")`, `1690`}, Example{`gps_alt("-1.28 36.82")`, `nil`}),
		gps("gps_accuracy", "The accuracy of a place, in metres; blank if it was not sent.", 3,
			Example{`gps_accuracy("-1.28 36.82 1690 5")`, `5`}),
		{
			name: "coordinate", group: group, gives: kText,
			params: []parameter{{name: "place or latitude", accept: kAny},
				{name: "longitude or order", accept: kWord, optional: true}},
			summary: `A place as DHIS2 writes it, [longitude,latitude]: from what a form sends, from GeoJSON or WKT, from a ` +
				`latitude and a longitude, or from a list of the two, of which the second argument says which comes first ` +
				`("latitude first" or "longitude first"; of _geolocation it is known).`,
			imply: placeOrder,
			call:  callCoordinate,
			examples: []Example{{`coordinate("-1.28 36.82 1690 5")`, `"[36.82,-1.28]"`},
				{`coordinate(-1.28, 36.82)`, `"[36.82,-1.28]"`}, {`coordinate("POINT (36.82 -1.28)")`, `"[36.82,-1.28]"`},
				{`coordinate([-1.28, 36.82], "latitude first")`, `"[36.82,-1.28]"`}, {`coordinate("")`, `nil`}},
		},
		{
			name: "phone", group: group, gives: kText, params: []parameter{{name: "text", accept: kWord},
				{name: "country", accept: kText, optional: true, prepare: readCountry}},
			summary: "A phone number in its international form, from a number as people write it in a country (two letters, " +
				"such as KE). A number that cannot exist there is a failure of the record.",
			call: callPhone,
			examples: []Example{{`phone("0722 000 123", "KE")`, `"+254722000123"`},
				{`phone("+254 722 000123")`, `"+254722000123"`}, {`phone("", "KE")`, `""`}},
		},
	}
}

// answers are the choices of a multiple choice.
func answers(f *frame, v any) ([]string, error) {
	if kindOf(v)&kItems == 0 {
		s, err := textOf(v)
		return strings.Fields(s), err
	}
	list, err := asList(v, f.options.Zone)
	if err != nil {
		return nil, err
	}
	words := make([]string, 0, len(list))
	for _, item := range list {
		s, err := textOf(normal(item, f.options.Zone))
		if err != nil {
			return nil, err
		}
		if s != "" {
			words = append(words, s)
		}
	}
	return words, f.goesThrough(len(list))
}

var (
	errFar = fail(CodeWrongValue, "the place is not on earth: a latitude is at most 90, a longitude at most 180",
		"the latitude comes first")
	errPlace = fail(CodeWrongValue, "the text is not a place: latitude and longitude in degrees, with a space between",
		`such as "-1.28 36.82", with altitude and accuracy after it or without`)
)

// readGPS reads the latitude, longitude, altitude and accuracy that a form sends; nil from a blank.
func readGPS(s string) ([]float64, error) {
	words := strings.Fields(s)
	switch len(words) {
	case 0:
		return nil, nil
	case 1:
		words = strings.Split(strings.TrimSpace(s), ",")
	default:
		// A comma between the numbers, as in "-1.28, 36.82"; one inside a number is left, and refused below.
		for i, w := range words {
			words[i] = strings.TrimSuffix(w, ",")
		}
	}
	if len(words) == 1 || len(words) > 4 {
		return nil, errPlace
	}
	parts := make([]float64, len(words))
	for i, w := range words {
		n, err := strconv.ParseFloat(w, 64)
		if err != nil || math.IsNaN(n) || math.IsInf(n, 0) || i < 2 && strings.ContainsAny(w, "xXpP_") {
			return nil, errPlace
		}
		parts[i] = n
	}
	if math.Abs(parts[0]) > 90 || math.Abs(parts[1]) > 180 {
		return nil, errFar
	}
	return parts, nil
}

// decimalText writes degrees with seven decimals at most, which is a centimetre.
func decimalText(n float64) string {
	return strconv.FormatFloat(math.Round(n*1e7)/1e7+0, 'f', -1, 64)
}

// readCountry takes a country by its two letters.
func readCountry(s string) (any, error) {
	country := strings.ToUpper(strings.TrimSpace(s))
	if len(country) != 2 || phonenumbers.GetCountryCodeForRegion(country) == 0 {
		return nil, fail(CodeWrongValue, "there is no such country", "a country has two letters, such as KE, BD or SL")
	}
	return country, nil
}

func listFunctions() []function {
	const group = "Lists"
	list := parameter{name: "list", accept: kItems}
	item := func(args []*Shape) *Shape { return args[0].item() }
	same := func(args []*Shape) *Shape { return listOf(args[0].item()) }
	return []function{
		{
			name: "list_of", group: group, gives: kList, params: []parameter{{name: "value", accept: kAny}}, takesBlank: true,
			summary: "The value as a list: a list as it is, one value as a list of one, a blank as an empty list. A repeat " +
				"group with one repetition arrives as one object.",
			result: func(args []*Shape) *Shape {
				s := args[0]
				if s.isDynamic() || s.kinds&kItems != 0 {
					return listOf(s.item())
				}
				return listOf(s)
			},
			call: func(f *frame, a []any) (any, error) {
				if IsBlank(a[0]) {
					return []any{}, nil
				}
				if kindOf(a[0])&kItems == 0 {
					return []any{a[0]}, nil
				}
				return asList(a[0], f.options.Zone)
			},
			examples: []Example{{`list_of("a")`, `["a"]`}, {`length(list_of({name: "A"}))`, `1`}, {`list_of("")`, `[]`}},
		},
		{
			name: "first", group: group, gives: kAny, params: []parameter{list}, result: item,
			summary:  "The first item of a list; blank if there is none.",
			call:     func(f *frame, a []any) (any, error) { return normal(at(a[0].([]any), 0), f.options.Zone), nil },
			examples: []Example{{`first([7, 8])`, `7`}, {`first({name: "A"}).name`, `"A"`}, {`first([])`, `nil`}},
		},
		{
			name: "last", group: group, gives: kAny, params: []parameter{list}, result: item,
			summary:  "The last item of a list; blank if there is none.",
			call:     func(f *frame, a []any) (any, error) { return normal(at(a[0].([]any), -1), f.options.Zone), nil },
			examples: []Example{{`last([7, 8])`, `8`}},
		},
		{
			name: "flatten", group: group, gives: kList, params: []parameter{list}, result: flatItems, call: callFlatten,
			summary: "The items of all lists in a list, as one list: of the repetitions of a repeat group inside of another " +
				"one. What is no list stays as it is, a blank is left out.",
			examples: []Example{{`flatten([["a", "b"], ["c"]])`, `["a", "b", "c"]`},
				{`map(flatten(map([{doses: [{d: 1}, {d: 2}]}, {doses: {d: 3}}, {}], .doses)), .d)`, `[1, 2, 3]`}},
		},
		{
			name: "concat", group: group, gives: kList, params: []parameter{{name: "list", accept: kItems, rest: true}},
			result: allItems, call: callConcat,
			summary: "Several lists one after the other, as one list. One object counts as a list of one, a blank as an " +
				"empty list.",
			examples: []Example{{`concat(["a"], ["b", "c"])`, `["a", "b", "c"]`},
				{`map(concat({n: 1}, [{n: 2}], nil), .n)`, `[1, 2]`}},
		},
		{
			name: "unique", group: group, gives: kList, params: []parameter{list}, result: same,
			summary: "The items of a list of texts, numbers or dates, each once, in the order in which they first come.",
			call: func(f *frame, a []any) (any, error) {
				items := a[0].([]any)
				if err := f.goesThrough(len(items)); err != nil {
					return nil, err
				}
				seen := make(map[any]bool, len(items))
				kept := make([]any, 0, len(items))
				for _, v := range items {
					key, err := sortKey(f, normal(v, f.options.Zone))
					if err != nil {
						return nil, err
					}
					if !seen[key] {
						seen[key] = true
						kept = append(kept, v)
					}
				}
				return kept, nil
			},
			examples: []Example{{`unique(["b", "a", "b"])`, `["b", "a"]`}},
		},
	}
}

// namespace makes the identifiers of uuid(...) differ from those that other programs make of the
// same text. It must never change.
var namespace = uuid.MustParse("6f1f3a4e-4f0a-5c5b-9d6e-0b7c1a2d3e4f")

func identifierFunctions() []function {
	const group = "Identifiers"
	values := []parameter{{name: "value", accept: kPlain, rest: true}}
	// A length in front of every part keeps ("ab", "c") and ("a", "bc") apart.
	key := func(a []any) []byte {
		var b strings.Builder
		for _, v := range a {
			s := v.(string)
			if len(a) > 1 {
				fmt.Fprintf(&b, "%d:", len(s))
			}
			b.WriteString(s)
		}
		return []byte(b.String())
	}
	return []function{
		{
			name: "uuid", group: group, gives: kText, params: values,
			summary: "A UUID made of one or more values: always the same for the same values, and different for others " +
				"(version 5).",
			call: func(_ *frame, a []any) (any, error) { return uuid.NewSHA1(namespace, key(a)).String(), nil },
			examples: []Example{{`uuid("KE-0042")`, `"a2e676a2-f3ee-5440-9f52-141a75854f68"`},
				{`uuid("a", "bc") == uuid("ab", "c")`, `false`}},
		},
		{
			name: "hash", group: group, gives: kText, params: values,
			summary: "The SHA-256 of one or more values, in hexadecimal: a key that does not show what it was made of.",
			call: func(_ *frame, a []any) (any, error) {
				h := sha256.Sum256(key(a))
				return hex.EncodeToString(h[:]), nil
			},
			examples: []Example{{`hash("abc")`, `"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"`}},
		},
	}
}
