package expression

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
)

// Parameter is one parameter of a function that a project defines.
type Parameter struct {
	Name string
	Type string // one of DeclarableTypes; what comes as text is read as it, as for declared fields
}

// Defined is a function that a project defines: what it gives is worked out of its arguments alone.
type Defined struct {
	Name       string
	Parameters []Parameter
	Body       *Program // compiled with ParameterScope; nil: it has a mistake, and whatever calls it cannot run
	// In says where a part of the body stands, given in runes: age_group (functions/ages.yaml:4).
	In func(from, to int) string
}

// Signature is how the function is called: age_group(born, on).
func (d *Defined) Signature() string {
	names := make([]string, len(d.Parameters))
	for i, p := range d.Parameters {
		names[i] = p.Name
	}
	return d.Name + "(" + strings.Join(names, ", ") + ")"
}

// TypedSignature is Signature with the types: age_group(born: date, on: date).
func (d *Defined) TypedSignature() string {
	names := make([]string, len(d.Parameters))
	for i, p := range d.Parameters {
		names[i] = p.Name + ": " + p.Type
	}
	return d.Name + "(" + strings.Join(names, ", ") + ")"
}

// ParameterScope is a scope in which a function's body sees its parameters and nothing of a record.
// The error says that a type is none of DeclarableTypes.
func ParameterScope(o Options, parameters []Parameter) (*Scope, error) {
	s := NewScope(o)
	all := &Shape{kinds: kObject}
	for _, p := range parameters {
		if err := all.Declare(p.Name, p.Type); err != nil {
			return nil, fmt.Errorf("the parameter %s: %w", p.Name, err)
		}
		s.AddShape(p.Name, all.fields[p.Name])
	}
	return s, nil
}

// AddDefined adds a function that a project defines. A value map of the same name goes before it.
func (s *Scope) AddDefined(d *Defined) { s.defined[d.Name] = d }

// definedNames lists the functions that a project defines, sorted.
func (s *Scope) definedNames() []string { return slices.Sorted(maps.Keys(s.defined)) }

// takes is what may be given for a parameter of a type.
var takes = map[string]kind{"text": kPlain, "number": kText | kNumber, "boolean": kText | kNumber | kBool, "date": kTime,
	"list": kItems, "object": kObject, "any": kAny}

// definedCall calls a function that a project defines.
func (c *checker) definedCall(d *Defined, at file.Location, args []term) term {
	c.uses[d.Name] = true
	if len(args) != len(d.Parameters) {
		n := len(d.Parameters)
		return c.report(at, CodeWrongArguments, fmt.Sprintf("%s takes %s, not %d", d.Name, countArguments(n, n), len(args)),
			"write "+d.Signature())
	}
	bad := false
	for i, a := range args {
		p := d.Parameters[i]
		accepts, may := takes[p.Type], a.shape.may()
		if !a.bad && may&accepts == 0 && !(a.constant && a.value == nil) {
			c.report(a.span, CodeWrongType, fmt.Sprintf("%s of %s is %s, and %s is %s", p.Name, d.Name, accepts.needed(),
				c.call(a), may.article()), c.argumentHint(&parameter{accept: accepts}, a))
			bad = true
		}
		bad = bad || a.bad
	}
	if bad {
		return c.broken(at)
	}
	function := term{node: located(&ast.ConstantNode{Value: d}, at)}
	t := c.operation(callDefined, kAny, at, append([]term{function}, args...)...)
	t.shape = Dynamic()
	if d.Body != nil {
		t.shape = d.Body.shape
	}
	return t
}

// callDefined is the operation that calls a function of the project, its first argument.
const callDefined = "$defined"

// calls is under which name an Env holds what is told of every call of a function of the project.
const calls = "$calls"

// TellCalls has told of every call of a function of the project what it was given and gave.
func (e Env) TellCalls(told func(d *Defined, args []any, gave any, err error)) { e[calls] = told }

// definedError is what went wrong inside of a function of the project.
type definedError struct {
	run *RunError
	in  string
}

func (e *definedError) Error() string { return e.run.Error() }

// call works out what the function gives. It shares the limits of the expression that calls it.
func (d *Defined) call(f *frame, args []any) (any, error) {
	if err := f.reads(callCost); err != nil {
		return nil, err
	}
	if d.Body == nil {
		return nil, fail(CodeInternal, fmt.Sprintf("the function %s has a mistake", d.Name), "see `culvert validate`")
	}
	env := make(Env, len(args))
	for i, p := range d.Parameters {
		env[p.Name] = args[i]
	}
	told, _ := f.env[calls].(func(d *Defined, args []any, gave any, err error))
	if told != nil {
		env[calls] = told
	}
	v, err := d.Body.within(f, env)
	if told != nil {
		told(d, args, v, err)
	}
	if run, ok := err.(*RunError); ok {
		in := run.In
		if in == "" {
			in = d.In(run.From, run.To)
		}
		return nil, &definedError{run, in}
	}
	return v, err
}

// within runs the program as a part of another one.
func (p *Program) within(f *frame, env Env) (any, error) {
	if p.constant {
		return p.value, nil
	}
	if p.read != nil {
		return p.runRead(env)
	}
	r, ok := p.runners.Get().(*runner)
	if !ok {
		r = &runner{}
	}
	r.frame = frame{env: env, options: f.options, steps: f.steps, made: f.made, read: f.read}
	v, err := r.vm.Run(p.code, &r.frame)
	f.steps, f.made, f.read = r.frame.steps, r.frame.made, r.frame.read
	r.frame.env = nil
	if err != nil {
		return nil, p.explain(err)
	}
	p.runners.Put(r)
	return v, nil
}
