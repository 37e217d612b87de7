package expression

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
)

func objectFunctions() []function {
	const group = "Lists"
	object := parameter{name: "object", accept: kObject}
	value := func(args []*Shape) *Shape { return listOf(args[0].anyField()) }
	return []function{
		{
			name: "keys", group: group, gives: kList, params: []parameter{object}, takesBlank: true,
			summary: "The names of the fields of an object, sorted.",
			result:  func([]*Shape) *Shape { return listOf(plain(kText)) },
			call: func(f *frame, a []any) (any, error) {
				names := fieldNames(a[0])
				return asList(names, f.options.Zone)
			},
			examples: []Example{{`keys({b: 1, a: 2})`, `["a", "b"]`}},
		},
		{
			name: "values", group: group, gives: kList, params: []parameter{object}, takesBlank: true, result: value,
			summary: "The values of the fields of an object, in the order of their names.",
			call: func(f *frame, a []any) (any, error) {
				return fieldList(f, a[0], func(_ string, v any) any { return v })
			},
			examples: []Example{{`sum(values({b: 1, a: 2}))`, `3`}},
		},
		{
			name: "entries", group: group, gives: kList, params: []parameter{object}, takesBlank: true,
			summary: "The fields of an object as a list of {key, value}, in the order of their names: with for_each, a data " +
				"value of every column.",
			result: func(args []*Shape) *Shape {
				return listOf(&Shape{kinds: kObject, fields: map[string]*Shape{"key": plain(kText), "value": args[0].anyField()}})
			},
			call: func(f *frame, a []any) (any, error) {
				return fieldList(f, a[0], func(name string, v any) any { return map[string]any{"key": name, "value": v} })
			},
			examples: []Example{{`map(entries({BCG: 4, OPV: 7}), .key + " " + text(.value))`, `["BCG 4", "OPV 7"]`}},
		},
		{
			name: "parse_json", group: "Text", gives: kAny, params: []parameter{{name: "text", accept: kText}},
			summary: "What a text of JSON holds: an object, a list or a value. A text that is not JSON is a failure of the " +
				"record.",
			result:   func([]*Shape) *Shape { return Dynamic() },
			call:     parseJSON,
			examples: []Example{{`parse_json("{\"age\": 4}").age`, `4`}, {`parse_json("")`, `nil`}},
		},
	}
}

// anyField is the shape of any field of an object.
func (s *Shape) anyField() *Shape {
	if s.isDynamic() || s.open {
		return Dynamic()
	}
	var all *Shape
	for _, field := range s.fields {
		all = merge(all, field)
	}
	if all == nil {
		return Dynamic()
	}
	return all
}

// fieldNames lists the fields of an object, sorted.
func fieldNames(v any) []string {
	var names []string
	r := reflect.ValueOf(v)
	for r.Kind() == reflect.Pointer && !r.IsNil() {
		r = r.Elem()
	}
	switch r.Kind() {
	case reflect.Map:
		for _, key := range r.MapKeys() {
			names = append(names, key.String())
		}
	case reflect.Struct:
		for f := range structFields(r.Type()) {
			names = append(names, f.name)
		}
	}
	slices.Sort(names)
	return names
}

func fieldList(f *frame, object any, each func(name string, v any) any) (any, error) {
	list := []any{}
	names := fieldNames(object)
	if err := f.goesThrough(len(names)); err != nil {
		return nil, err
	}
	for _, name := range names {
		v, err := member(object, name, f.options.Zone)
		if err != nil {
			return nil, err
		}
		list = append(list, each(name, v))
	}
	return list, nil
}

func parseJSON(f *frame, a []any) (any, error) {
	text := a[0].(string)
	if text == "" {
		return nil, nil
	}
	if err := f.makes(len(text)); err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil || decoder.More() {
		return nil, fail(CodeWrongValue, "the text is not JSON", "")
	}
	return normal(v, f.options.Zone), nil
}
