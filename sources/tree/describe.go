package tree

import (
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Field is what a sample shows of one field of its records.
type Field struct {
	Path    string   // as expressions write it below trigger, such as form.visit_date or form.case["@case_id"]
	Type    string   // text, number, date, boolean or list
	Filled  int      // records in which it is not blank
	Choices []string // the values, when they are few and come again and again; sorted
}

// maxChoices is how many values a field of choices has at most.
const maxChoices = 20

// blankMark is what CommCare's exports hold where a question was not asked.
const blankMark = "---"

// Describe tells what records hold: every field with the type that its values have in common, text
// where they have none.
func Describe(bodies []any) []Field {
	d := description{fields: map[string]*fieldStats{}}
	for _, b := range bodies {
		if object, ok := b.(map[string]any); ok {
			d.add("", object)
		}
	}
	fields := d.list()
	slices.SortFunc(fields, func(a, b Field) int { return strings.Compare(a.Path, b.Path) })
	return fields
}

// description gathers what is known of every field.
type description struct {
	fields map[string]*fieldStats
	order  []string
}

type fieldStats struct {
	filled int
	kinds  map[string]int
	values map[string]int
	many   bool // more values than choices can be
}

func (d *description) add(path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		sort.Strings(keys)
		for _, k := range keys {
			d.add(joinPath(path, k), v[k])
		}
	case []any:
		s := d.stats(path)
		if len(v) > 0 {
			s.filled++
		}
		s.kinds["list"]++
	default:
		d.stats(path).add(v)
	}
}

func (d *description) stats(path string) *fieldStats {
	s := d.fields[path]
	if s == nil {
		s = &fieldStats{kinds: map[string]int{}, values: map[string]int{}}
		d.fields[path] = s
		d.order = append(d.order, path)
	}
	return s
}

func (s *fieldStats) add(v any) {
	text, kind := "", ""
	switch v := v.(type) {
	case nil:
		return
	case bool:
		text, kind = strconv.FormatBool(v), "boolean"
	case float64:
		text, kind = strconv.FormatFloat(v, 'f', -1, 64), "number"
	case string:
		if text = strings.TrimSpace(v); text == "" || text == blankMark {
			return
		}
		kind = kindOfText(text)
	}
	s.filled++
	s.kinds[kind]++
	if s.many {
		return
	}
	if s.values[text]++; len(s.values) > maxChoices {
		s.many, s.values = true, nil
	}
}

// kindOfText tells what a text looks like. Digits with a zero or plus in front are no number: they
// are phone numbers and codes.
func kindOfText(text string) string {
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		if strings.HasPrefix(text, "+") || len(text) > 1 && text[0] == '0' && text[1] != '.' || len(text) > 15 {
			return "text"
		}
		return "number"
	}
	switch strings.ToLower(text) {
	case "true", "false", "yes", "no":
		return "boolean"
	}
	for _, layout := range []string{"2006-01-02", "2006-01-02T15:04:05", time.RFC3339Nano, "2006-01-02 15:04:05"} {
		if _, err := time.Parse(layout, text); err == nil {
			return "date"
		}
	}
	return "text"
}

func (d *description) list() []Field {
	fields := make([]Field, len(d.order))
	for i, path := range d.order {
		s := d.fields[path]
		f := Field{Path: path, Type: "text", Filled: s.filled}
		if len(s.kinds) == 1 {
			for kind := range s.kinds {
				f.Type = kind
			}
		}
		// Few values that come again and again are choices; a name that only two people have is none.
		if f.Type == "text" && !s.many && len(s.values) > 0 && s.filled >= 2*len(s.values) {
			for v := range s.values {
				f.Choices = append(f.Choices, v)
			}
			slices.Sort(f.Choices)
		}
		fields[i] = f
	}
	return fields
}

// joinPath adds a key to a path as expressions write it.
func joinPath(path, key string) string {
	if !isIdentifier(key) {
		return path + "[" + strconv.Quote(key) + "]"
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

func isIdentifier(key string) bool {
	for i, r := range key {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '_'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return key != ""
}
