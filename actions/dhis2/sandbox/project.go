package sandbox

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
)

// source gives the properties of objects.
type source interface {
	// names are the properties that a preset covers.
	names(o object, preset string) []string
	// property gives a value; ok is false where there is none.
	property(o object, name string) (v any, ok bool)
	// short is the form of a value that nothing more was asked of.
	short(name string, v any) any
}

// project makes what a field set asks of an object.
func project(o object, s *fieldSet, src source) object {
	out := make(object, len(s.fields)+4)
	for _, preset := range s.presets {
		for _, name := range src.names(o, preset) {
			if s.exclude[name] {
				continue
			}
			if v, ok := src.property(o, name); ok {
				out[name] = src.short(name, v)
			}
		}
	}
	for _, f := range s.fields {
		if s.exclude[f.name] {
			continue
		}
		v, ok := src.property(o, f.name)
		if !ok {
			continue
		}
		name := f.name
		if f.sub != nil {
			v = projectAny(v, f.sub, src)
		} else if !f.needsWhole() {
			v = src.short(f.name, v)
		}
		for _, t := range f.transforms {
			name, v = t.apply(name, v, src)
		}
		out[name] = v
	}
	return out
}

// needsWhole: keyBy and pluck look into objects that would otherwise come in their short form.
func (f *fieldSpec) needsWhole() bool {
	for _, t := range f.transforms {
		if t.name == "keyBy" || t.name == "pluck" {
			return true
		}
	}
	return false
}

func projectAny(v any, s *fieldSet, src source) any {
	switch x := v.(type) {
	case object:
		return project(x, s, src)
	case []any:
		out := make([]any, 0, len(x))
		for _, it := range x {
			out = append(out, projectAny(it, s, src))
		}
		return out
	}
	return v
}

// apply changes a value on its way out (DHIS2's field transformers).
func (t transform) apply(name string, v any, src source) (string, any) {
	items, isList := v.([]any)
	arg := func(i int, otherwise string) string {
		if i < len(t.args) {
			return strings.TrimSpace(t.args[i])
		}
		return otherwise
	}
	switch t.name {
	case "rename":
		if len(t.args) > 0 {
			return arg(0, name), v
		}
	case "size":
		return name, sizeOf(v)
	case "isEmpty":
		return name, sizeOf(v) == 0
	case "isNotEmpty":
		return name, sizeOf(v) != 0
	case "paging":
		page, err1 := strconv.Atoi(arg(0, "1"))
		size, err2 := strconv.Atoi(arg(1, "50"))
		if isList && err1 == nil && err2 == nil && page > 0 && size > 0 {
			from := min((page-1)*size, len(items))
			return name, items[max(from, 0):min(max(from, 0)+size, len(items))]
		}
	case "pluck":
		if isList {
			out := make([]any, 0, len(items))
			for _, it := range items {
				if o, ok := it.(object); ok {
					if p, has := src.property(o, arg(0, "id")); has {
						out = append(out, p)
						continue
					}
				}
				out = append(out, it)
			}
			return name, out
		}
	case "keyBy":
		if isList {
			out := object{}
			for _, it := range items {
				o, ok := it.(object)
				if !ok {
					continue
				}
				p, _ := src.property(o, arg(0, "id"))
				key := fmt.Sprint(p)
				group, _ := out[key].([]any)
				out[key] = append(group, src.short(name, it))
			}
			return name, out
		}
	}
	return name, v
}

func sizeOf(v any) int {
	switch x := v.(type) {
	case []any:
		return len(x)
	case object:
		return len(x)
	case string:
		return len(x)
	case nil:
		return 0
	}
	return 1
}

// plainSource is a source of objects that hold all their properties: those of the tracker.
type plainSource struct{}

func (plainSource) names(o object, _ string) []string {
	out := make([]string, 0, len(o))
	for k := range o {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

func (plainSource) property(o object, name string) (any, bool) {
	v, ok := o[name]
	return v, ok && v != nil
}

func (plainSource) short(_ string, v any) any { return v }
