package sandbox

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
)

// fieldSet is what a fields parameter asks of one object: some properties by name, presets, and what to leave out.
type fieldSet struct {
	presets []string // "all" for * and :all, "owner", "simple", "identifiable", "nameable", "persisted"
	fields  []*fieldSpec
	exclude map[string]bool
}

// fieldSpec is one property with what is asked of its value (nil: its usual short form) and how it is changed on the way out.
type fieldSpec struct {
	name       string
	sub        *fieldSet
	transforms []transform
}

type transform struct {
	name string
	args []string
}

// Limits of a fields parameter: deeper or longer ones are a mistake or an attack.
const (
	maxFieldDepth  = 20
	maxFieldLength = 64 << 10
)

// parseFields reads the fields parameters of a request, which count as one. The grammar is DHIS2's:
// a,b[c,d[e]],!f,:all,*,g~rename(h)~size,i::isEmpty,j.k
func parseFields(params []string) (*fieldSet, error) {
	text := strings.Join(params, ",")
	if len(text) > maxFieldLength {
		return nil, fmt.Errorf("the fields parameter is longer than %d characters", maxFieldLength)
	}
	p := fieldParser{text: text}
	set, err := p.set(0)
	if err != nil {
		return nil, err
	}
	for p.at < len(p.text) { // a ] too many, which DHIS2 overlooks as well
		p.at++
		more, err := p.set(0)
		if err != nil {
			return nil, err
		}
		set.merge(more)
	}
	return set, nil
}

type fieldParser struct {
	text string
	at   int
}

func (p *fieldParser) peek() byte {
	if p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

// skip moves on, but not past the end.
func (p *fieldParser) skip() { p.at = min(p.at+1, len(p.text)) }

func (p *fieldParser) set(depth int) (*fieldSet, error) {
	if depth > maxFieldDepth {
		return nil, fmt.Errorf("the fields parameter nests deeper than %d levels", maxFieldDepth)
	}
	s := &fieldSet{exclude: map[string]bool{}}
	for p.at < len(p.text) {
		switch p.peek() {
		case ',', ' ', '\t', '\n', '\r':
			p.at++
		case ']':
			return s, nil
		default:
			if err := p.one(s, depth); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

// one reads a property with all that hangs on it.
func (p *fieldParser) one(s *fieldSet, depth int) error {
	not := false
	if p.peek() == '!' {
		not = true
		p.at++
	}
	if p.peek() == '*' {
		p.at++
		s.presets = append(s.presets, "all")
		return nil
	}
	if p.peek() == ':' {
		p.at++
		s.presets = append(s.presets, p.name())
		return nil
	}
	name := p.name()
	if name == "" {
		p.skip() // DHIS2 overlooks what it cannot read
		return nil
	}
	if not {
		s.exclude[name] = true
		if p.peek() == '[' { // what is left out is left out whole
			p.at++
			if _, err := p.set(depth + 1); err != nil {
				return err
			}
			p.skip()
		}
		return nil
	}
	f := s.add(name)
	return p.rest(f, depth)
}

// rest reads the transforms, the dotted path and the brackets after a name.
func (p *fieldParser) rest(f *fieldSpec, depth int) error {
	for {
		switch {
		case p.peek() == '~' || p.peek() == '|':
			p.at++
			if err := p.transform(f); err != nil {
				return err
			}
		case strings.HasPrefix(p.text[p.at:], "::"):
			p.at += 2
			if err := p.transform(f); err != nil {
				return err
			}
		case p.peek() == '.':
			if depth > maxFieldDepth {
				return fmt.Errorf("the fields parameter nests deeper than %d levels", maxFieldDepth)
			}
			p.at++
			name := p.name()
			if name == "" {
				return fmt.Errorf("a name is missing at position %d of the fields parameter", p.at+1)
			}
			if f.sub == nil {
				f.sub = &fieldSet{exclude: map[string]bool{}}
			}
			f, depth = f.sub.add(name), depth+1
		case p.peek() == '[':
			p.at++
			sub, err := p.set(depth + 1)
			if err != nil {
				return err
			}
			p.skip() // the ], which may be missing at the end
			f.merge(sub)
		default:
			return nil
		}
	}
}

func (p *fieldParser) transform(f *fieldSpec) error {
	t := transform{name: p.name()}
	if t.name == "" {
		return fmt.Errorf("the name of a transformer is missing at position %d of the fields parameter", p.at+1)
	}
	if p.peek() == '(' {
		end := strings.IndexByte(p.text[p.at:], ')')
		if end < 0 {
			return fmt.Errorf("a ) is missing in the fields parameter")
		}
		t.args = strings.FieldsFunc(p.text[p.at+1:p.at+end], func(r rune) bool { return r == ';' || r == ',' })
		p.at += end + 1
	}
	f.transforms = append(f.transforms, t)
	return nil
}

func (p *fieldParser) name() string {
	start := p.at
	for p.at < len(p.text) && (isWord(p.text[p.at]) || p.text[p.at] == '-') {
		p.at++
	}
	return p.text[start:p.at]
}

func (s *fieldSet) add(name string) *fieldSpec {
	for _, f := range s.fields {
		if f.name == name && len(f.transforms) == 0 {
			return f
		}
	}
	f := &fieldSpec{name: name}
	s.fields = append(s.fields, f)
	return f
}

func (f *fieldSpec) merge(sub *fieldSet) {
	if f.sub == nil {
		f.sub = sub
		return
	}
	f.sub.merge(sub)
}

func (s *fieldSet) merge(more *fieldSet) {
	s.presets = append(s.presets, more.presets...)
	s.fields = append(s.fields, more.fields...)
	for name := range more.exclude {
		s.exclude[name] = true
	}
}

// wants tells whether a property comes out: it was named, or a preset covers it and it was not left out.
func (s *fieldSet) wants(name string) bool {
	if s == nil {
		return false
	}
	for _, f := range s.fields {
		if f.name == name {
			return true
		}
	}
	return s.whole() && !s.exclude[name]
}

// whole tells whether everything was asked for.
func (s *fieldSet) whole() bool {
	for _, p := range s.presets {
		if p == "all" || p == "owner" || p == "persisted" {
			return true
		}
	}
	return false
}

// subOf gives what is asked of a property that is named, and nil otherwise.
func (s *fieldSet) subOf(name string) *fieldSet {
	if s == nil {
		return nil
	}
	for _, f := range s.fields {
		if f.name == name {
			return f.sub
		}
	}
	return nil
}

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
