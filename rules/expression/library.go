package expression

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// FunctionDoc describes one function of the language. The page of functions and its tests are made of these.
type FunctionDoc struct {
	Name      string
	Signature string // pad_left(text, width[, fill])
	Group     string // Text, Numbers, Dates, Periods, Choices and places, Lists, Blanks, Identifiers
	Summary   string
	Examples  []Example
}

// Example is an expression and what it comes to, written as an expression; a blank is written nil.
type Example struct {
	Expression, Result string
}

// Groups lists the groups of functions in the order in which a reader wants them.
func Groups() []string {
	return []string{"Blanks", "Text", "Numbers", "Dates", "Periods", "Choices and places", "Lists", "Identifiers"}
}

// Functions describes every function, by group and name. Those of lists that take a condition, such
// as filter, are among them.
func Functions() []FunctionDoc {
	docs := make([]FunctionDoc, 0, len(library())+len(predicates))
	for _, fn := range library() {
		docs = append(docs, FunctionDoc{fn.name, fn.signature(), fn.group, fn.summary, fn.examples})
	}
	for name, p := range predicates {
		docs = append(docs, FunctionDoc{name, p.signature, "Lists", p.summary, p.examples})
	}
	slices.SortFunc(docs, func(a, b FunctionDoc) int {
		if a.Group != b.Group {
			return slices.Index(Groups(), a.Group) - slices.Index(Groups(), b.Group)
		}
		return strings.Compare(a.Name, b.Name)
	})
	return docs
}

// parameter is one parameter of a function.
type parameter struct {
	name     string
	accept   kind
	optional bool
	rest     bool // any number of arguments, at least one unless optional
	raw      bool // call gets the value as it is, nil when blank
	verbatim bool // a text arrives as it is, also one of spaces only, such as a separator
	written  bool // must be written out in the expression, not come from data
	// prepare turns a text that is written out into what the function works with, when the expression is compiled.
	prepare func(string) (any, error)
	choices []string // what prepare takes, for suggestions
}

// function is one function of the language.
type function struct {
	name, group, summary string
	params               []parameter
	gives                kind
	result               func(args []*Shape) *Shape // instead of gives, where the result depends on the arguments
	moves                bool                       // the result is another one at another time
	// call is told of blanks; otherwise a blank first date or number gives a blank
	takesBlank bool
	imply      func(*checker, []term) []term // adds what the arguments say without being written
	verify     func(args []term) error       // what can be said of arguments that are written out
	call       operation
	examples   []Example
}

// library is the table of functions by name.
var library = sync.OnceValue(func() map[string]*function {
	table := map[string]*function{}
	for _, group := range [][]function{blankFunctions(), textFunctions(), matchFunctions(), numberFunctions(),
		dateFunctions(), periodFunctions(), choiceFunctions(), listFunctions(), objectFunctions(), identifierFunctions()} {
		for i := range group {
			table[group[i].name] = &group[i]
		}
	}
	return table
})

func (fn *function) signature() string {
	var b strings.Builder
	b.WriteString(fn.name + "(")
	for i, p := range fn.params {
		sep := ", "
		if i == 0 {
			sep = ""
		}
		switch {
		case p.rest:
			b.WriteString(sep + p.name + ", ...")
		case p.optional:
			b.WriteString("[" + sep + p.name + "]")
		default:
			b.WriteString(sep + p.name)
		}
	}
	return b.String() + ")"
}

// arity is the smallest and largest number of arguments; -1 means no limit.
func (fn *function) arity() (least, most int) {
	for _, p := range fn.params {
		if !p.optional {
			least++
		}
		if p.rest {
			return least, -1
		}
		most++
	}
	return least, most
}

func (fn *function) param(i int) *parameter { return &fn.params[min(i, len(fn.params)-1)] }

// callCost is what a call counts for, in bytes of text read, so that calls without text are bounded
// too. phoneCost is for what takes longer.
const (
	callCost  = 32
	phoneCost = 4096
)

// invoke checks and converts the arguments, then calls the function: texts arrive as string (""
// when blank), dates as time.Time, numbers as int or float64, lists as []any, blanks as nil, and
// what prepare made as that.
func (fn *function) invoke(f *frame, args []any) (any, error) {
	if err := f.reads(callCost); err != nil {
		return nil, err
	}
	for i := range args {
		p := fn.param(i)
		if s, ok := args[i].(string); ok {
			if err := f.reads(len(s)); err != nil {
				return nil, err
			}
		}
		v, err := p.convert(f, args[i], fn.name)
		if err != nil {
			return nil, err
		}
		if v == nil && !fn.takesBlank && !p.optional && (p.accept == kTime || p.accept == kNumber) {
			return nil, nil
		}
		args[i] = v
	}
	return fn.call(f, args)
}

func (p *parameter) convert(f *frame, v any, function string) (any, error) {
	if p.accept == kAny {
		return v, nil
	}
	if s, ok := v.(string); ok && p.prepare != nil {
		if isBlankText(s) && p.optional {
			return nil, nil
		}
		return p.prepare(s)
	}
	if _, ok := v.(string); ok && p.verbatim {
		return v, nil
	}
	if p.accept == kItems {
		return asList(v, f.options.Zone)
	}
	if IsBlank(v) {
		if p.accept&kText != 0 && p.accept&kDate == 0 && !(p.optional && v == nil) {
			return "", nil
		}
		if p.accept == kPlain {
			return "", nil
		}
		return nil, nil
	}
	if p.prepare != nil {
		return v, nil // made when the expression was compiled
	}
	k := kindOf(v)
	if k&p.accept == 0 {
		return nil, fail(CodeWrongType, fmt.Sprintf("%s needs %s, and this is %s", function, p.accept.needed(), k.article()),
			conversionHint(p.accept, k))
	}
	switch {
	case p.raw:
	case p.accept == kWord, p.accept == kPlain:
		if k != kText {
			return AsText(v), nil
		}
	case p.accept == kTime:
		return dateOf(f, v)
	}
	return v, nil
}

// conversionHint tells how to make what is needed of what is there.
func conversionHint(need, have kind) string {
	switch {
	case need&kNumber != 0 && have == kText:
		return "number(...) reads a number from text"
	case need&kText != 0 && have&kPlain != 0:
		return "text(...) writes it as text"
	case need&kList != 0 && have == kText:
		return "split(...) makes a list of a text"
	case have == kList || have == kObject && need == kItems:
		return "first(...) takes the first item of a list, join(...) makes a text of it"
	}
	return ""
}

// textOf is a value as the text that text functions work on; "" when blank.
func textOf(v any) (string, error) {
	if IsBlank(v) {
		return "", nil
	}
	if s, ok := v.(string); ok {
		return s, nil
	}
	if kindOf(v)&kPlain == 0 {
		return "", fail(CodeWrongType, fmt.Sprintf("text is needed, and this is %s", kindOf(v).article()), "")
	}
	return AsText(v), nil
}

// dateOf reads a date from a value that is not blank.
func dateOf(f *frame, v any) (time.Time, error) {
	switch v := v.(type) {
	case time.Time:
		return v, nil
	case string:
		return parseISO(v, f.options.Zone)
	}
	return time.Time{}, fail(CodeWrongType, fmt.Sprintf("a date is needed, and this is %s", kindOf(v).article()), "")
}
