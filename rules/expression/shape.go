package expression

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/bits"
	"reflect"
	"slices"
	"strings"
	"time"
)

// kind is a set of types that a value may have.
type kind uint8

const (
	kText kind = 1 << iota
	kNumber
	kBool
	kDate
	kList
	kObject

	kBlank kind = 0
	kAny        = kText | kNumber | kBool | kDate | kList | kObject
	kWord       = kText | kNumber                 // what text functions take
	kPlain      = kText | kNumber | kBool | kDate // what can be written as text
	kTime       = kDate | kText                   // what date functions take
	kItems      = kList | kObject                 // what list functions take
)

var kindNames = []struct {
	kind kind
	name string
}{{kText, "text"}, {kNumber, "number"}, {kBool, "yes/no"}, {kDate, "date"}, {kList, "list"}, {kObject, "object"}}

// String names the types in an implementer's words: "text or number".
func (k kind) String() string {
	if k == kAny {
		return "anything"
	}
	var names []string
	for _, n := range kindNames {
		if k&n.kind != 0 {
			names = append(names, n.name)
		}
	}
	return orList(names)
}

// needed names what a function asks for. Numbers do for text, one object for a list, and a text for
// a date, but are not what is meant.
func (k kind) needed() string {
	switch k {
	case kWord:
		return "text"
	case kItems:
		return "a list"
	case kTime:
		return "a date"
	case kPlain:
		return "a single value"
	case kWord | kItems:
		return "a text or a list"
	}
	return k.article()
}

// article is String with "a" or "an" where one is needed.
func (k kind) article() string {
	if bits.OnesCount8(uint8(k)) != 1 || k == kText {
		return k.String()
	}
	if k == kObject {
		return "an object"
	}
	if k == kBool {
		return "yes/no"
	}
	return "a " + k.String()
}

// Shape is what is known of a value: its types and, for an object, its fields. It is built from
// samples, and from then on read only except through Declare.
type Shape struct {
	kinds  kind
	fields map[string]*Shape
	open   bool   // fields that are not known may be read too
	rest   *Shape // the shape of those; nil means nothing is known
	elem   *Shape // the items of a list; nil means nothing is known
	as     kind   // declared: a value that arrives as text is read as this
}

// Dynamic is the shape of a value of which nothing is known: every field may be read.
func Dynamic() *Shape { return &Shape{kinds: kAny, open: true} }

func plain(k kind) *Shape { return &Shape{kinds: k, open: k&kObject != 0} }

func listOf(elem *Shape) *Shape { return &Shape{kinds: kList, elem: elem} }

// ShapeOf merges the bodies of samples into one shape. What is an object in one sample and a list
// of objects in another may be either. A null tells nothing: such a field may be anything.
func ShapeOf(samples ...any) *Shape {
	if len(samples) == 0 {
		return Dynamic()
	}
	s := shapeOf(samples[0])
	for _, sample := range samples[1:] {
		s = merge(s, shapeOf(sample))
	}
	return s
}

func shapeOf(v any) *Shape {
	switch v := v.(type) {
	case nil:
		return plain(kBlank)
	case string, []byte:
		return plain(kText)
	case bool:
		return plain(kBool)
	case json.Number, int, int64, float64:
		return plain(kNumber)
	case time.Time:
		return plain(kDate)
	case map[string]any:
		s := &Shape{kinds: kObject, fields: make(map[string]*Shape, len(v)), open: len(v) == 0}
		for name, field := range v {
			s.fields[name] = shapeOf(field)
		}
		return s
	}
	r := reflect.ValueOf(v)
	switch r.Kind() {
	case reflect.Slice, reflect.Array:
		s := &Shape{kinds: kList}
		for i := range r.Len() {
			s.elem = merge(s.elem, shapeOf(r.Index(i).Interface()))
		}
		return s
	case reflect.Map:
		if r.Type().Key().Kind() != reflect.String {
			return Dynamic()
		}
		s := &Shape{kinds: kObject, fields: make(map[string]*Shape, r.Len()), open: r.Len() == 0}
		for _, key := range r.MapKeys() {
			s.fields[key.String()] = shapeOf(r.MapIndex(key).Interface())
		}
		return s
	}
	return shapeOfType(r.Type(), map[reflect.Type]*Shape{})
}

// merge makes the shape of a value that may have either shape.
func merge(a, b *Shape) *Shape { return mergeTo(maxMergeDepth, a, b) }

// maxMergeDepth ends the merging of shapes that contain themselves; deeper than this nothing is known.
const maxMergeDepth = 64

func mergeTo(depth int, a, b *Shape) *Shape {
	switch {
	case a == nil:
		return b
	case b == nil || a == b:
		return a
	case a.isDynamic() || b.isDynamic():
		if a.kinds == kBlank {
			return b
		}
		if b.kinds == kBlank {
			return a
		}
		return Dynamic()
	case depth == 0:
		return Dynamic()
	}
	s := &Shape{kinds: a.kinds | b.kinds, elem: mergeTo(depth-1, a.elem, b.elem), rest: mergeTo(depth-1, a.rest, b.rest)}
	s.open = isOpen(a, b) && isOpen(b, a)
	if len(a.fields) > 0 || len(b.fields) > 0 {
		s.fields = maps.Clone(a.fields)
		if s.fields == nil {
			s.fields = map[string]*Shape{}
		}
		for name, field := range b.fields {
			s.fields[name] = mergeTo(depth-1, s.fields[name], field)
		}
	}
	return s
}

// isOpen tells whether a leaves the merged object open. An object that was merely empty in one
// sample does not, when the other has fields.
func isOpen(a, b *Shape) bool {
	return a.open || a.kinds&kObject == 0 && b.open
}

// isDynamic tells that nothing is known: neither a sample nor a function says what the value is.
func (s *Shape) isDynamic() bool { return s == nil || s.kinds == kAny || s.kinds == kBlank }

// may is the set of types the value may have.
func (s *Shape) may() kind {
	if s.isDynamic() {
		return kAny
	}
	return s.kinds
}

// item is the shape of the items of a list, where an object stands for a list of one.
func (s *Shape) item() *Shape {
	if s.isDynamic() {
		return Dynamic()
	}
	var item *Shape
	if s.kinds&kList != 0 {
		item = s.elem
		if item == nil {
			return Dynamic()
		}
	}
	if s.kinds&kObject != 0 {
		item = merge(item, &Shape{kinds: kObject, fields: s.fields, open: s.open, rest: s.rest})
	}
	if item == nil {
		return Dynamic()
	}
	return item
}

// IsList tells whether the value is known to be a list.
func (s *Shape) IsList() bool { return !s.isDynamic() && s.may() == kList }

// IsObject tells whether the value is known to be an object.
func (s *Shape) IsObject() bool { return !s.isDynamic() && s.may() == kObject }

// Fields lists the names of the fields at a path, sorted; the empty path is the value itself. The
// items of a list count as the list's.
func (s *Shape) Fields(path string) []string {
	names, err := splitPath(path)
	if err != nil {
		return nil
	}
	for _, name := range names {
		if s = s.item().fields[name]; s == nil {
			return nil
		}
	}
	return s.item().fieldNames()
}

func (s *Shape) fieldNames() []string { return slices.Sorted(maps.Keys(s.fields)) }

// declarable are the types that Declare takes, by their names.
var declarable = []struct {
	name string
	kind kind
}{{"text", kText}, {"number", kNumber}, {"boolean", kBool}, {"date", kDate}, {"list", kList}, {"object", kObject},
	{"any", kAny}}

// DeclarableTypes lists the types that a field can be declared with.
func DeclarableTypes() []string {
	var names []string
	for _, d := range declarable {
		names = append(names, d.name)
	}
	return names
}

// Declare adds a field that no sample has, by its path below this value, such as form.next_visit or
// form["@version"], and its type: text, number, boolean, date, list, object or any. Objects on the
// way are made; a list on the way means its items. A field that is text in the samples can be
// declared a number, boolean or date: forms and spreadsheets send everything as text. What arrives
// as text is then read as number(...) and date(...) do, and true, yes and 1 as true, false, no and
// 0 as false; text that cannot be read fails the record.
func (s *Shape) Declare(path, typ string) error {
	var k kind
	for _, d := range declarable {
		if d.name == typ {
			k = d.kind
		}
	}
	if k == 0 {
		return fmt.Errorf("%q is not a type; a field is %s", typ, orList(DeclarableTypes()))
	}
	names, err := splitPath(path)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return fmt.Errorf("a field needs a name")
	}
	at := s
	for i, name := range names {
		for at.kinds&kItems == kList {
			if at.elem == nil {
				at.elem = &Shape{kinds: kObject}
			}
			at = at.elem
		}
		if at.may()&kObject == 0 {
			return fmt.Errorf("%s is %s in the sample, so it can have no fields", joinPath(names[:i]), at.kinds)
		}
		if at.fields == nil {
			at.fields = map[string]*Shape{}
		}
		last := i == len(names)-1
		next := at.fields[name]
		switch {
		case last && next != nil && !next.isDynamic() && next.kinds&k == 0 && (next.kinds != kText || k&kPlain == 0):
			return fmt.Errorf("%s is %s in the sample, not %s", path, next.kinds, typ)
		case last && (next == nil || next.isDynamic() || next.kinds&k == 0):
			next = plain(k)
			if k&kPlain == k {
				next.as = k
			}
		case next == nil || next.kinds == kBlank:
			next = &Shape{kinds: kObject}
		}
		at.fields[name] = next
		at = next
	}
	return nil
}

// splitPath reads form.case["@case_id"] as its names.
func splitPath(path string) ([]string, error) {
	var names []string
	rest := path
	for rest != "" {
		if quoted, ok := strings.CutPrefix(rest, `["`); ok {
			name, after, ok := strings.Cut(quoted, `"]`)
			if !ok {
				return nil, fmt.Errorf(`%q is not a path: a ["... has no "] after it`, path)
			}
			names = append(names, name)
			if rest = strings.TrimPrefix(after, "."); rest != after && rest == "" {
				return nil, fmt.Errorf("%q is not a path: it ends with a dot", path)
			}
			continue
		}
		end := strings.IndexAny(rest, ".[")
		if end < 0 {
			end = len(rest)
		}
		if end == 0 {
			return nil, fmt.Errorf("%q is not a path such as form.visit_date or form[\"@name\"]", path)
		}
		names = append(names, rest[:end])
		rest = rest[end:]
		if after, ok := strings.CutPrefix(rest, "."); ok {
			if after == "" {
				return nil, fmt.Errorf("%q is not a path: it ends with a dot", path)
			}
			rest = after
		}
	}
	return names, nil
}

// joinPath writes names as an expression would: trigger.form["@name"].
func joinPath(names []string) string {
	var b strings.Builder
	for i, name := range names {
		switch {
		case !isIdentifier(name):
			fmt.Fprintf(&b, "[%q]", name)
		case i > 0:
			b.WriteString("." + name)
		default:
			b.WriteString(name)
		}
	}
	return b.String()
}

// isIdentifier tells whether a name can be written after a dot.
func isIdentifier(name string) bool {
	for i, r := range name {
		letter := r == '_' || r == '$' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= 0x80
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return name != ""
}
