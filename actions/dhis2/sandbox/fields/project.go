package fields

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
)

// Source gives the properties of objects.
type Source interface {
	// names are the properties that a preset covers.
	Names(o object, preset string) []string
	// property gives a value; ok is false where there is none.
	Property(o object, name string) (v any, ok bool)
	// short is the form of a value that nothing more was asked of.
	Short(name string, v any) any
}

// Project makes what a field set asks of an object.
func Project(o object, s *Set, src Source) map[string]any {
	out := make(object, len(s.Fields)+4)
	for _, preset := range s.Presets {
		for _, name := range src.Names(o, preset) {
			if s.Exclude[name] {
				continue
			}
			if v, ok := src.Property(o, name); ok {
				out[name] = src.Short(name, v)
			}
		}
	}
	for _, f := range s.Fields {
		if s.Exclude[f.Name] {
			continue
		}
		v, ok := src.Property(o, f.Name)
		if !ok {
			continue
		}
		name := f.Name
		if f.Sub != nil {
			v = projectAny(v, f.Sub, src)
		} else if !f.needsWhole() {
			v = src.Short(f.Name, v)
		}
		for _, t := range f.transforms {
			name, v = t.apply(name, v, src)
		}
		out[name] = v
	}
	return out
}

// needsWhole: keyBy and pluck look into objects that would otherwise come in their short form.
func (f *Spec) needsWhole() bool {
	for _, t := range f.transforms {
		if t.name == "keyBy" || t.name == "pluck" {
			return true
		}
	}
	return false
}

func projectAny(v any, s *Set, src Source) any {
	switch x := v.(type) {
	case object:
		return Project(x, s, src)
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
func (t transform) apply(name string, v any, src Source) (string, any) {
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
		return name, SizeOf(v)
	case "isEmpty":
		return name, SizeOf(v) == 0
	case "isNotEmpty":
		return name, SizeOf(v) != 0
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
					if p, has := src.Property(o, arg(0, "id")); has {
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
				p, _ := src.Property(o, arg(0, "id"))
				key := fmt.Sprint(p)
				group, _ := out[key].([]any)
				out[key] = append(group, src.Short(name, it))
			}
			return name, out
		}
	}
	return name, v
}

func SizeOf(v any) int {
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

// Plain is a source of objects that hold all their properties: those of the tracker.
type Plain struct{}

func (Plain) Names(o object, _ string) []string {
	out := make([]string, 0, len(o))
	for k := range o {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

func (Plain) Property(o object, name string) (any, bool) {
	v, ok := o[name]
	return v, ok && v != nil
}

// Short gives the whole of a value, without what it has not.
func (p Plain) Short(name string, v any) any {
	switch x := v.(type) {
	case object:
		out := make(object, len(x))
		for k, part := range x {
			if part != nil {
				out[k] = p.Short(k, part)
			}
		}
		return out
	case []any:
		out := make([]any, len(x))
		for i, it := range x {
			out[i] = p.Short(name, it)
		}
		return out
	}
	return v
}
