package fields

import (
	"fmt"
	"strings"
)

// Set is what a fields parameter asks of one object: some properties by name, presets, and what to leave out.
type Set struct {
	Presets []string // "all" for * and :all, "owner", "simple", "identifiable", "nameable", "persisted"
	Fields  []*Spec
	Exclude map[string]bool
	// one property is asked for in two ways, which breaks off lists of metadata (FieldPathHelper.apply: a duplicate key)
	Clashes bool
}

// Spec is one property with what is asked of its value (nil: its usual short form) and how it is
// changed on the way out.
type Spec struct {
	Name       string
	Sub        *Set
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

// Parse reads the fields parameters of a request, which count as one. The grammar is DHIS2's:
// a,b[c,d[e]],!f,:all,*,g~rename(h)~size,i::isEmpty,j.k.
func Parse(params []string) (*Set, error) {
	text := strings.Join(params, ",")
	if len(text) > maxFieldLength {
		return nil, fmt.Errorf("the fields parameter is longer than %d characters", maxFieldLength)
	}
	p := parser{text: text}
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
	set.Clashes = p.clashes
	return set, nil
}

type parser struct {
	text    string
	at      int
	path    []string          // the property that is being read, with those around it
	seen    map[string]string // the transformers that properties came with
	clashes bool
}

// note remembers with which transformers a property was asked for, and whether it is for the second time and otherwise.
func (p *parser) note(transforms []transform) {
	path, with := strings.Join(p.path, "."), fmt.Sprint(transforms)
	if before, ok := p.seen[path]; ok && before != with {
		p.clashes = true
	}
	if p.seen == nil {
		p.seen = map[string]string{}
	}
	p.seen[path] = with
}

func (p *parser) peek() byte {
	if p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

// skip moves on, but not past the end.
func (p *parser) skip() { p.at = min(p.at+1, len(p.text)) }

func (p *parser) set(depth int) (*Set, error) {
	if depth > maxFieldDepth {
		return nil, fmt.Errorf("the fields parameter nests deeper than %d levels", maxFieldDepth)
	}
	s := &Set{Exclude: map[string]bool{}}
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
func (p *parser) one(s *Set, depth int) error {
	not := false
	if p.peek() == '!' {
		not = true
		p.at++
	}
	if p.peek() == '*' {
		p.at++
		s.Presets = append(s.Presets, "all")
		return nil
	}
	if p.peek() == ':' {
		p.at++
		s.Presets = append(s.Presets, p.name())
		return nil
	}
	name := p.name()
	if name == "" {
		p.skip() // DHIS2 overlooks what it cannot read
		return nil
	}
	if not {
		s.Exclude[name] = true
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
	before := len(f.transforms)
	p.path = append(p.path, name)
	err := p.rest(f, depth)
	p.note(f.transforms[before:])
	p.path = p.path[:len(p.path)-1]
	return err
}

// rest reads the transforms, the dotted path and the brackets after a name.
func (p *parser) rest(f *Spec, depth int) error {
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
			if f.Sub == nil {
				f.Sub = &Set{Exclude: map[string]bool{}}
			}
			f, depth = f.Sub.add(name), depth+1
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

func (p *parser) transform(f *Spec) error {
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

func (p *parser) name() string {
	start := p.at
	for p.at < len(p.text) && (isNameByte(p.text[p.at]) || p.text[p.at] == '-' || p.text[p.at] == ';') {
		p.at++
	}
	return p.text[start:p.at]
}

func (s *Set) add(name string) *Spec {
	for _, f := range s.Fields {
		if f.Name == name && len(f.transforms) == 0 {
			return f
		}
	}
	f := &Spec{Name: name}
	s.Fields = append(s.Fields, f)
	return f
}

func (f *Spec) merge(sub *Set) {
	if f.Sub == nil {
		f.Sub = sub
		return
	}
	f.Sub.merge(sub)
}

func (s *Set) merge(more *Set) {
	s.Presets = append(s.Presets, more.Presets...)
	s.Fields = append(s.Fields, more.Fields...)
	for name := range more.Exclude {
		s.Exclude[name] = true
	}
}

// Wants tells whether a property comes out: it was named, or a preset covers it and it was not left out.
func (s *Set) Wants(name string) bool {
	if s == nil {
		return false
	}
	for _, f := range s.Fields {
		if f.Name == name {
			return true
		}
	}
	return s.whole() && !s.Exclude[name]
}

// whole tells whether everything was asked for.
func (s *Set) whole() bool {
	for _, p := range s.Presets {
		if p == "all" || p == "owner" || p == "persisted" {
			return true
		}
	}
	return false
}

// SubOf gives what is asked of a property that is named, and nil otherwise.
func (s *Set) SubOf(name string) *Set {
	if s == nil {
		return nil
	}
	for _, f := range s.Fields {
		if f.Name == name {
			return f.Sub
		}
	}
	return nil
}

// isNameByte tells whether a byte may stand in the name of a property.
func isNameByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
