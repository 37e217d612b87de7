package expression

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"

	"github.com/culvert/culvert/rules/dateformat"
	"github.com/culvert/culvert/rules/diag"
)

// Program is a compiled expression. It does not change and is safe for concurrent use.
type Program struct {
	text     string
	options  Options
	want     Want
	shape    *Shape
	uses     []string
	paths    []string
	needs    [][][]string
	constant bool
	value    any         // of a constant
	read     *staticPath // set when the expression only reads a field
	span     file.Location
	code     *vm.Program
	names    map[file.Location][]string // fields involved, by the place of what reads them
	runners  sync.Pool
}

// staticPath is a name in scope and the fields below it.
type staticPath struct{ names []string }

// RunError tells why an expression has no value for one record. Its message holds no data of the record.
type RunError struct {
	diag.Problem
	From, To int      // the part of the expression that failed, in runes
	Names    []string // the fields involved, as the expression writes them
	Cause    error    // of an added function; nil otherwise
	In       string   // where it failed in a function of the project: its name, file and line; empty: in none
}

// Error gives the message and the fields involved.
func (e *RunError) Error() string {
	if len(e.Names) == 0 {
		return e.Message
	}
	return e.Message + " (" + strings.Join(e.Names, ", ") + ")"
}

// Unwrap gives the error of an added function, such as a value map.
func (e *RunError) Unwrap() error { return e.Cause }

// fail is what becomes a RunError once its place in the expression is known.
func fail(code, message, hint string) error {
	return &diag.Problem{Code: code, Message: message, Hint: hint}
}

// frame is what the functions of one run share. It is the environment that the machine sees.
type frame struct {
	env     Env
	options *Options
	steps   int // items gone through
	made    int // bytes of text made
	read    int // bytes of text that functions looked at
}

// now is the time of the run, in the zone.
func (f *frame) now() time.Time { return f.options.Now().In(f.options.Zone) }

// makes counts text made by functions, so that a small expression cannot fill the memory.
func (f *frame) makes(n int) error {
	if n < 0 || n > maxMadeText || f.made+n > maxMadeText {
		return fail(CodeTooLarge, fmt.Sprintf("the expression makes more than %d MiB of text for one record",
			maxMadeText>>20), "make shorter texts, or work on fewer items")
	}
	f.made += n
	return nil
}

// goesThrough counts the items of a list that is about to be gone through.
func (f *frame) goesThrough(n int) error {
	if n > maxItems {
		return fail(CodeTooLarge, fmt.Sprintf("a list of more than %d items cannot be gone through", maxItems),
			"use for_each, which handles one item after the other")
	}
	if f.steps += n; f.steps > maxSteps {
		return fail(CodeTooLarge, fmt.Sprintf("the expression goes through more than %d items for one record", maxSteps),
			"do not put lists of many items inside each other")
	}
	return nil
}

// reads counts text that functions look at, so that a small expression cannot take minutes on large
// texts in long lists.
func (f *frame) reads(n int) error {
	if f.read += n; f.read > maxReadText || n > maxReadText {
		return fail(CodeTooLarge, "the expression does more work than it may for one record",
			"work on fewer items, or on shorter texts")
	}
	return nil
}

// runner is a machine with its environment, used again and again.
type runner struct {
	vm    vm.VM
	frame frame
}

// Run evaluates the expression. The error is a *RunError.
func (p *Program) Run(env Env) (any, error) {
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
	r.frame = frame{env: env, options: &p.options}
	v, err := r.vm.Run(p.code, &r.frame)
	r.frame.env = nil
	if err != nil {
		// A machine that stopped half way is not used again.
		return nil, p.explain(err)
	}
	p.runners.Put(r)
	return v, nil
}

// runRead evaluates an expression that only reads a field, without the machine.
func (p *Program) runRead(env Env) (any, error) {
	v, i, err := p.read.value(env, p.options.Zone)
	if err != nil {
		return nil, p.runError(err, p.span, []string{joinPath(p.read.names[:i])})
	}
	return v, nil
}

// value reads the field. With an error it tells how many names could be read.
func (s *staticPath) value(env Env, zone *time.Location) (any, int, error) {
	v := normal(env[s.names[0]], zone)
	for i, name := range s.names[1:] {
		if v == nil {
			return nil, 0, nil
		}
		var err error
		if v, err = member(v, name, zone); err != nil {
			return nil, i + 1, err
		}
	}
	return v, 0, nil
}

// explain turns an error of the machine into one that a person can act on.
func (p *Program) explain(err error) error {
	var where *file.Error
	if !errors.As(err, &where) {
		return p.runError(err, p.span, nil)
	}
	cause := where.Prev
	if cause == nil {
		code, message := CodeInternal, "the expression cannot be evaluated"
		if strings.Contains(where.Message, "memory budget") {
			code, message = CodeTooLarge, "the expression makes lists of too many items"
		}
		cause = fail(code, message, "")
	}
	return p.runError(cause, where.Location, p.names[where.Location])
}

func (p *Program) runError(err error, at file.Location, names []string) *RunError {
	e := &RunError{From: at.From, To: at.To, Names: names}
	var f *diag.Problem
	var read *readError
	var added *addedError
	var format *dateformat.Error
	var defined *definedError
	switch {
	case errors.As(err, &defined):
		e.Problem, e.Cause, e.In = defined.run.Problem, defined.run.Cause, defined.in
	case errors.As(err, &read):
		e.Names = []string{read.name}
		errors.As(read.err, &f)
		fallthrough
	case errors.As(err, &f):
		e.Problem = *f
	case errors.As(err, &format):
		e.Code, e.Message, e.Hint = CodeWrongValue, format.Message, format.Hint
	case errors.As(err, &added):
		e.Code, e.Message, e.Cause = CodeWrongValue, "the function cannot be used on the value", added.err
	default:
		e.Code, e.Message, e.Hint = CodeInternal, "the expression cannot be evaluated",
			"report this as a defect, with the expression"
	}
	return e
}

// addedError is the error of a function of the scope.
type addedError struct{ err error }

func (e *addedError) Error() string { return e.err.Error() }

// readError is a field that cannot be read below a name.
type readError struct {
	name string
	err  error
}

func (e *readError) Error() string { return e.err.Error() }
func (e *readError) Unwrap() error { return e.err }

// Uses lists the names of the scope that the expression reads, sorted: trigger, clinic, and value maps that it calls.
func (p *Program) Uses() []string { return p.uses }

// Paths lists the fields that the expression reads, as far as they are written out, sorted: trigger.form.visit_date.
func (p *Program) Paths() []string { return p.paths }

// Needs lists the fields that the expression reads, each as the names on the way to it. Of each
// entry one field is enough: those of a ?? b and of coalesce(a, b) stand together, all others
// alone.
func (p *Program) Needs() [][][]string { return p.needs }

// ShapeOfResult is what is known of the result. Of a program compiled with List it is the shape of
// one item: what for_each calls item.
func (p *Program) ShapeOfResult() *Shape { return p.shape }

// Constant gives the value of an expression that is the same for every record.
func (p *Program) Constant() (any, bool) { return p.value, p.constant }

// Text is the expression as it was written.
func (p *Program) Text() string { return p.text }
