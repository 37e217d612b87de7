package rules

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/expression"
	"github.com/culvert/culvert/rules/yamlnode"
)

// Expr is a compiled expression with its place in the rule file.
type Expr struct {
	Text  string
	Place diag.Place

	node    *yamlnode.Node
	program *expression.Program
	needs   []int // lookups that it reads, by their number
	perItem bool  // it reads the item of a for_each
	depth   int   // how many lists of a for_each it needs: 2 where it reads the item around an item
}

// expr compiles a scalar node; nil when it is wrong, which is then reported.
func (c *compiler) expr(n *yamlnode.Node, s *expression.Scope, want expression.Want) *Expr {
	switch {
	case n.Refused():
		return nil
	case n.Kind != yamlnode.Scalar:
		c.fault(n.Place(), "wrong-shape", "an expression is needed here, not a list or a mapping",
			"write it as text, such as trigger.name")
		return nil
	case !isValue(n):
		c.fault(n.Place(), "empty-value", "nothing is written here", "write an expression, or remove the key")
		return nil
	}
	program, problems := expression.Compile(norm.NFC.String(n.Value), s, want) // as tidy writes the record
	if c.cutByComment(n, len(problems) > 0) && len(problems) > 0 {
		return nil
	}
	for _, p := range problems {
		c.fault(n.PlaceOf(p.From, p.To), p.Code, p.Message, c.problemHint(n, p))
	}
	if program == nil {
		// What the expression names counts as used, or a mistake in it would make another finding elsewhere.
		for _, word := range wordPattern.FindAllString(n.Value, -1) {
			c.used[word] = true
		}
		return nil
	}
	e := &Expr{Text: n.Value, Place: n.Place(), node: n, program: program}
	c.noteColumn(e.Place, e.Column())
	c.rule.needs = append(c.rule.needs, program.Needs()...)
	for _, name := range program.Uses() {
		c.used[name] = true
		c.use(name)
		if c.env.Library.broken(name) && c.rule.Maps[name] == nil {
			c.fault(n.Place(), "broken-function", fmt.Sprintf("the function %s has a mistake", name),
				"put "+c.env.Library.functions[name].Place.File+" right: its own finding says what is wrong")
		}
		e.depth = max(e.depth, c.depthOf(name))
		if i := slices.IndexFunc(c.rule.Lookups, func(l *Lookup) bool { return l.Name == name }); i >= 0 {
			e.needs = append(e.needs, i)
			e.depth = max(e.depth, c.rule.Lookups[i].depth)
		}
	}
	e.perItem = e.depth > 0
	return e
}

var (
	wordPattern = regexp.MustCompile(`[A-Za-z_][A-Za-z0-9_]*`)
	plainWords  = regexp.MustCompile(`^[\p{L}][\p{L}\p{N} ,'/_-]*$`)
)

// problemHint adds what the expression's own package cannot know: lookups stand in an order, and a
// plain word was perhaps meant as text.
func (c *compiler) problemHint(n *yamlnode.Node, p expression.Problem) string {
	wrong := string([]rune(n.Value)[p.From:min(p.To, len([]rune(n.Value)))])
	switch {
	case p.Code == expression.CodeUnknownName && (wrong == "item" || wrong == "index"):
		return "item and index exist in actions that have for_each:"
	case p.Code == expression.CodeUnknownName && slices.ContainsFunc(outerNames[1:],
		func(o itemNames) bool { return wrong == o.item || wrong == o.index }):
		return "parent is the item around an item: it exists in actions whose for_each: is a list, such as " +
			"[trigger.visits, item.children]"
	case !c.inField || !plainWords.MatchString(n.Value):
	case p.Code == expression.CodeSyntax, p.Code == expression.CodeUnknownName && !strings.HasPrefix(p.Hint,
		"did you mean"):
		if !slices.Contains(c.scope.Names(), n.Value) {
			return fmt.Sprintf("for a fixed text write {value: %s}", n.Value)
		}
	}
	return p.Hint
}

// Eval runs the expression. The error is a *Failure that names the place and the fields involved.
func (e *Expr) Eval(s *Scope) (any, error) {
	for _, i := range e.needs {
		if err := s.need(i); err != nil {
			return nil, err
		}
	}
	if s.Trace != nil {
		s.env.TellCalls(s.traceCall)
	}
	v, err := e.program.Run(s.env)
	if err != nil {
		return nil, s.explain(e, err)
	}
	if text, ok := v.(string); ok && strings.ContainsRune(text, utf8.RuneError) {
		return nil, &Failure{Problem: diag.Problem{
			Code: "lost-letters", Place: e.Place, Column: e.Column(), Value: s.values(e.program.Paths()),
			Message: "the text holds \uFFFD, which stands for a letter that was lost before it came here",
			Hint: "enter it again in the source; if this happens to many, have the source send UTF-8, or name its " +
				"encoding in the trigger (encoding: windows-1252)",
		}}
	}
	if text, ok := v.(string); ok {
		if at := strings.IndexFunc(text, isControl); at >= 0 {
			r, _ := utf8.DecodeRuneInString(text[at:])
			return nil, &Failure{Problem: diag.Problem{
				Code: "lost-letters", Place: e.Place, Column: e.Column(), Value: s.values(e.program.Paths()),
				Message: fmt.Sprintf("the text holds the control sign U+%04X, which no text has", r),
				Hint: "it was a letter or a quote of Windows-1252 before some program took it for Latin-1: have the source send " +
					"UTF-8, or enter it again",
			}}
		}
	}
	return v, nil
}

// isControl tells the control signs of Latin-1 but for the line end: Windows-1252 has letters and quotes in their place.
func isControl(r rune) bool { return r >= 0x80 && r <= 0x9F && r != 0x85 }

// EvalText runs the expression and gives its value as text; blank ("", null, "---") is "". An
// object of the metadata is its id. The error is a *Failure.
func (e *Expr) EvalText(s *Scope) (string, error) {
	v, err := e.Eval(s)
	if err != nil {
		return "", err
	}
	text := textOf(v)
	if lost := expression.LostDigits(text); lost > 0 {
		// As an id it would be that of everybody whose first digits are the same.
		return "", &Failure{Problem: diag.Problem{
			Code: "lost-digits", Place: e.Place, Column: e.Column(), Value: text,
			Message: fmt.Sprintf("the value is written with an exponent, as spreadsheets do, and its last %d digits are lost",
				lost),
			Hint: "format the column as text in the spreadsheet and enter the number again",
		}}
	}
	return text, nil
}

// textOf writes a value as text: blank as "", an object of the metadata as its id.
func textOf(v any) string {
	if o, ok := v.(*Object); ok {
		if o == nil {
			return ""
		}
		return o.ID
	}
	return expression.AsText(v)
}

// Constant gives the value of an expression that is the same for every record.
func (e *Expr) Constant() (any, bool) {
	if e == nil {
		return nil, false
	}
	return e.program.Constant()
}

// Paths lists the fields that the expression reads, such as trigger.form.visit_date.
func (e *Expr) Paths() []string { return e.program.Paths() }

// Shape gives what is known of the expression's value.
func (e *Expr) Shape() *expression.Shape { return e.program.ShapeOfResult() }

// Column gives what the record calls the field that the expression reads: the header of a column,
// or the path in a form. It is empty where it reads none, and lists several.
func (e *Expr) Column() string {
	var names []string
	for _, choice := range e.program.Needs() {
		for _, field := range choice {
			if (field[0] == "trigger" || isItem(field[0])) && len(field) > 1 {
				if name := strings.Join(field[1:], "."); !slices.Contains(names, name) {
					names = append(names, name)
				}
			}
		}
	}
	return strings.Join(names[:min(len(names), maxValueNames)], ", ")
}

// cutByComment reports a value of which YAML has taken a part for a comment: an error where what is left is wrong.
func (c *compiler) cutByComment(n *yamlnode.Node, wrong bool) bool {
	comment := n.CutBy()
	if comment == "" {
		return false
	}
	quote := "'"
	if strings.Contains(n.Value+comment, "'") {
		quote = "\""
	}
	hint := fmt.Sprintf("write the whole value in quotes, such as %s; if it is a comment, write a space after the #",
		quote+clip(n.Value+" "+comment)+quote)
	if quote == "\"" && strings.Contains(n.Value+comment, "\"") {
		hint = "write the whole value behind | on a line of its own; if it is a comment, write a space after the #"
	}
	message := fmt.Sprintf("YAML takes %q for a comment, so that the value ends before it", clip(comment))
	if wrong {
		c.fault(n.Place(), "cut-by-comment", message, hint)
	} else {
		c.warn(n.Place(), "cut-by-comment", message, hint)
	}
	return true
}

// noteColumn keeps what is read at a place, for failures that name the place only.
func (c *compiler) noteColumn(place diag.Place, column string) {
	if column == "" {
		return
	}
	if c.rule.columns == nil {
		c.rule.columns = map[diag.Place]string{}
	}
	c.rule.columns[place] = column
	if c.inLookup != nil && !slices.Contains(c.inLookup, column) {
		c.inLookup = append(c.inLookup, column)
	}
}

// NameColumn says in a failure which column its value came from, where that follows from its place in the rule.
func (r *Rule) NameColumn(f *Failure) {
	if f.Column == "" {
		f.Column = r.columns[f.Place]
	}
}

// explain turns the error of an expression into a Failure at the exact place in the rule.
func (s *Scope) explain(e *Expr, err error) error {
	var inner *Failure
	var run *expression.RunError
	if !errors.As(err, &run) {
		return &Failure{Problem: diag.Problem{Code: expression.CodeInternal,
			Message: "the expression cannot be evaluated", Place: e.Place}}
	}
	place := e.node.PlaceOf(run.From, run.To)
	if errors.As(run.Cause, &inner) {
		own := *inner
		own.Message = inFunction(run.In, own.Message)
		own.Place, own.Column = place, e.Column()
		return &own
	}
	f := &Failure{Problem: diag.Problem{Code: run.Code, Message: inFunction(run.In, run.Error()), Hint: run.Hint,
		Place:  place,
		Column: e.Column(),
		Value:  s.values(run.Names)}}
	if f.Hint == "" {
		f.Hint = "fix the value in the source and send the record again, or have the rule take such values"
	}
	return f
}

// inFunction says of a failure in which function of the project, and in which line of its file, it happened.
func inFunction(where, message string) string {
	if where == "" {
		return message
	}
	return fmt.Sprintf("in the function %s: %s", where, message)
}

// Limits of the private text of a failure.
const (
	maxValueText  = 200
	maxValueNames = 5
)

// values writes what some fields hold, for the journal's private part of a failure.
func (s *Scope) values(names []string) string {
	if len(names) == 1 {
		return clip(textOf(s.read(names[0])))
	}
	var parts []string
	for _, name := range names[:min(len(names), maxValueNames)] {
		parts = append(parts, name+" = "+clip(textOf(s.read(name))))
	}
	return strings.Join(parts, "; ")
}

func clip(text string) string {
	if r := []rune(text); len(r) > maxValueText {
		return string(r[:maxValueText]) + "…"
	}
	return text
}

// read gives what a path such as trigger.form["@case_id"] holds, nil when that is nothing.
func (s *Scope) read(name string) any {
	var v any = map[string]any(s.env)
	for _, m := range pathStep.FindAllStringSubmatch(name, -1) {
		fields, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = fields[m[1]+m[2]]
	}
	return v
}

var pathStep = regexp.MustCompile(`\["([^"]*)"\]|([^.\["\]]+)`)
