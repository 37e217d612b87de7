package expression

import (
	"reflect"
	"time"
)

// shapeOfType reads the shape of a Go type, such as *rules.Object: struct fields go by their `expr`
// tag, or by their name. seen holds the shapes under construction, since an org unit's parent is an
// org unit.
func shapeOfType(t reflect.Type, seen map[reflect.Type]*Shape) *Shape {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if s, ok := seen[t]; ok {
		return s
	}
	if t == reflect.TypeFor[time.Time]() {
		return plain(kDate)
	}
	switch t.Kind() {
	case reflect.String:
		return plain(kText)
	case reflect.Bool:
		return plain(kBool)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Float32, reflect.Float64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return plain(kNumber)
	case reflect.Slice, reflect.Array:
		return listOf(shapeOfType(t.Elem(), seen))
	case reflect.Map:
		return &Shape{kinds: kObject, open: true, rest: shapeOfType(t.Elem(), seen)}
	case reflect.Struct:
		s := &Shape{kinds: kObject, fields: map[string]*Shape{}}
		seen[t] = s
		for f := range structFields(t) {
			s.fields[f.name] = shapeOfType(f.typ, seen)
		}
		return s
	}
	return Dynamic()
}

type structField struct {
	name  string
	typ   reflect.Type
	index int
}

// structFields goes through the fields that expressions see.
func structFields(t reflect.Type) func(yield func(structField) bool) {
	return func(yield func(structField) bool) {
		for i := range t.NumField() {
			f := t.Field(i)
			name := f.Tag.Get("expr")
			if !f.IsExported() || name == "-" {
				continue
			}
			if name == "" {
				name = f.Name
			}
			if !yield(structField{name, f.Type, i}) {
				return
			}
		}
	}
}
