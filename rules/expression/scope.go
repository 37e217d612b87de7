package expression

import (
	"maps"
	"reflect"
	"slices"
	"time"
)

// Scope holds the names that an expression may use. Build it, then compile with it; it must not
// change while others compile with it.
type Scope struct {
	options   Options
	shapes    map[string]*Shape
	functions map[string]func(any) (any, error)
	defined   map[string]*Defined
	types     map[reflect.Type]*Shape // so that two lookups of one type have one shape
}

// NewScope makes a scope with the functions of Functions and no names.
func NewScope(o Options) *Scope {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	return &Scope{options: o, shapes: map[string]*Shape{}, functions: map[string]func(any) (any, error){},
		defined: map[string]*Defined{}, types: map[reflect.Type]*Shape{}}
}

// Clone makes a scope with the same names, to which others can be added.
func (s *Scope) Clone() *Scope {
	return &Scope{options: s.options, shapes: maps.Clone(s.shapes), functions: maps.Clone(s.functions),
		defined: maps.Clone(s.defined), types: maps.Clone(s.types)}
}

// AddShape adds a name with what is known of its value: trigger, item, source.
func (s *Scope) AddShape(name string, sh *Shape) { s.shapes[name] = sh }

// AddType adds a name whose value has the type of the example: a pointer to a struct, whose fields
// go by their `expr` tags, a number, a text.
func (s *Scope) AddType(name string, example any) {
	if example == nil {
		s.shapes[name] = Dynamic()
		return
	}
	s.shapes[name] = shapeOfType(reflect.TypeOf(example), s.types)
}

// AddFunction adds a function of one argument, such as a value map. Its error is kept as the cause of the RunError.
func (s *Scope) AddFunction(name string, fn func(any) (any, error)) { s.functions[name] = fn }

// AddFields adds a name with fields of which nothing but their names is known, such as the result of an earlier action.
func (s *Scope) AddFields(name string, fields ...string) {
	sh := &Shape{kinds: kObject, fields: make(map[string]*Shape, len(fields))}
	for _, field := range fields {
		sh.fields[field] = Dynamic()
	}
	s.shapes[name] = sh
}

// Names lists the names of values and of added functions, sorted.
func (s *Scope) Names() []string {
	names := slices.AppendSeq(slices.Collect(maps.Keys(s.shapes)), maps.Keys(s.functions))
	names = append(names, s.definedNames()...)
	slices.Sort(names)
	return slices.Compact(names)
}

// IsReserved tells that a name cannot be given to a lookup, a value map or an action, because the
// language uses it itself.
func IsReserved(name string) bool {
	if _, ok := library()[name]; ok {
		return true
	}
	_, predicate := predicates[name]
	return predicate || slices.Contains(reservedWords, name)
}

// IsWord tells that a name is a word of the grammar, which cannot be the name of anything. Functions
// are called and not read, so that a value may have the name of one.
func IsWord(name string) bool { return slices.Contains(reservedWords, name) }

// reservedWords are the words of the grammar.
var reservedWords = []string{"and", "or", "not", "in", "matches", "contains", "startsWith", "endsWith", "let", "if",
	"else", "true", "false", "nil"}
