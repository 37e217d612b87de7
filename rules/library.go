package rules

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/expression"
	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/rules/yamlnode"
	"github.com/culvert/culvert/schemas"
)

// Library is what the rules of a project share: functions, and value maps. It is read-only after
// LoadLibrary. The nil Library has nothing in it.
type Library struct {
	functions map[string]*Function
	valueMaps map[string]*ValueMap
	docs      map[string]*yamlnode.Document // by what stands in them: functions and maps by their names
	needs     map[string][]string           // what functions call, by their names
}

// Function is a function of the project.
type Function struct {
	expression.Defined
	Description string
	Place       diag.Place // of its name
	Tests       []*FunctionTest
}

// LibraryFile is one file of functions and value maps.
type LibraryFile struct {
	Path string // relative to the project folder, with slashes
	Text []byte
}

// libraryKeys declares the keys of a file of functions.
var libraryKeys = []settings.Field{
	{Name: "description", Doc: "what the file is for, in a sentence"},
	{Name: "functions", Type: settings.Named, Each: &settings.Field{Ref: "function"},
		Doc: "functions by name; the expressions of every rule may call them"},
	{Name: "maps", Type: settings.Named, Each: &settings.Field{Ref: "map"},
		Doc: "value maps by name, for every rule that has none of that name itself"},
}

// functionKeys declares the keys of a function.
var functionKeys = []settings.Field{
	{Name: "description", Doc: "what it gives, in a sentence; editors show it"},
	{Name: "parameters", Type: settings.Named,
		Each: &settings.Field{Type: settings.Word, Words: expression.DeclarableTypes()},
		Doc: "its parameters in their order, each with its type: text, number, boolean, date, list, object or any. What " +
			"is given as text is read as the type"},
	{Name: "body", Ref: "expression", Required: true,
		Doc: "an expression over the parameters, other functions and value maps; it sees nothing of the record"},
	{Name: "tests", Type: settings.List, Each: &settings.Field{Ref: "functionTest"}, Doc: "tests, run by `culvert test`"},
}

// functionTestKeys declares the keys of a test of a function.
var functionTestKeys = []settings.Field{
	{Name: "call", Ref: "expression", Required: true, Doc: "a call, such as age_group(\"2024-01-01\", \"2026-01-01\")"},
	{Name: "gives", Type: settings.Free, Schema: []string{"string", "number", "boolean", "null", "array", "object"},
		Doc: "what the call must give; null for a blank"},
	{Name: "fail", Doc: "the code of the failure that the call must end in"},
	{Name: "now", Doc: "the time that now() and today() give, as in tests of rules"},
}

// LibraryKeys declares the keys of a file of functions; LibraryDefinitions what they refer to by Ref.
func LibraryKeys() []settings.Field { return libraryKeys }

// LibraryDefinitions declares what the keys of a file of functions refer to, beside what rule files do.
func LibraryDefinitions() []settings.Field {
	return []settings.Field{
		{Name: "function", Type: settings.Mapping, Fields: functionKeys, Doc: "a function of the project"},
		{Name: "functionTest", Type: settings.Mapping, Fields: functionTestKeys, Doc: "a test of a function"},
	}
}

// Limits of what a project shares.
const (
	maxFunctions  = 500
	maxParameters = 20
)

// LoadLibrary parses, checks and compiles the files of functions of a project, in the order given. A
// function with a mistake is kept, so that a rule that calls it is told of the mistake and of nothing else.
func LoadLibrary(files []LibraryFile, env Environment) (*Library, diag.List) {
	env = env.withDefaults()
	findings := &Findings{}
	l := &libraryCompiler{
		compiler: &compiler{env: env, findings: findings, names: map[string]diag.Place{}, used: map[string]bool{},
			rule: &Rule{Maps: map[string]*ValueMap{}, findings: findings, zone: env.Zone}},
		Library: &Library{functions: map[string]*Function{}, valueMaps: map[string]*ValueMap{},
			docs: map[string]*yamlnode.Document{}, needs: map[string][]string{}},
		bodies: map[string]*yamlnode.Node{}, tests: map[string][]*yamlnode.Node{},
	}
	for _, f := range files {
		l.file(f)
	}
	l.order()
	for _, name := range slices.Sorted(maps.Keys(l.functions)) {
		l.testsOf(l.functions[name])
	}
	findings.List.Sort()
	return l.Library, findings.List
}

// libraryCompiler turns the files of functions into a Library.
type libraryCompiler struct {
	*compiler
	*Library
	bodies map[string]*yamlnode.Node
	tests  map[string][]*yamlnode.Node
}

// file reads one file: its value maps, and what its functions are called with.
func (l *libraryCompiler) file(f LibraryFile) {
	l.rule.Path = f.Path
	var list diag.List
	doc := yamlnode.Parse(f.Path, f.Text, &list)
	schemas.Check(doc, schemas.Functions, &list)
	for _, d := range list {
		l.report(d)
	}
	if doc == nil || doc.Root == nil || doc.Root.Kind != yamlnode.Mapping {
		return
	}
	for _, p := range doc.Root.Get("maps").Pairs() {
		if l.name(p.Key, "a value map") {
			m := l.valueMap(p.Key, p.Value)
			m.Name = p.Key.Value
			l.valueMaps[m.Name], l.docs[m.Name], l.rule.Maps[m.Name] = m, doc, m
		}
	}
	for _, p := range doc.Root.Get("functions").Pairs() {
		if len(l.functions) == maxFunctions {
			l.fault(p.Key.Place(), "too-complex", fmt.Sprintf("the project has more than %d functions", maxFunctions),
				"remove those that no rule calls")
			return
		}
		if l.name(p.Key, "a function") && p.Value.Kind == yamlnode.Mapping {
			l.declare(p.Key, p.Value, doc)
		}
	}
}

// declare reads what a function is called with.
func (l *libraryCompiler) declare(key, n *yamlnode.Node, doc *yamlnode.Document) {
	f := &Function{Place: key.Place()}
	if d := n.Get("description"); isValue(d) {
		f.Description = d.Value
	}
	f.Name = key.Value
	pairs := n.Get("parameters").Pairs()
	if len(pairs) > maxParameters {
		l.fault(pairs[maxParameters].Key.Place(), "too-complex",
			fmt.Sprintf("the function has %d parameters; %d is the most", len(pairs), maxParameters), "give it an object instead")
		pairs = pairs[:maxParameters]
	}
	for _, p := range pairs {
		switch name := p.Key.Value; {
		case !identifier.MatchString(name):
			l.fault(p.Key.Place(), "bad-name", fmt.Sprintf("%q cannot be the name of %s", name, "a parameter"),
				"use letters, digits and underscores, and begin with a letter")
		case expression.IsWord(name):
			l.fault(p.Key.Place(), "name-taken", fmt.Sprintf("%q is a word of the rule language and cannot be the name of %s",
				name, "a parameter"), "choose another name, such as my_"+name)
		}
		f.Parameters = append(f.Parameters, expression.Parameter{Name: p.Key.Value, Type: p.Value.Value})
	}
	l.functions[f.Name], l.docs[f.Name] = f, doc
	l.bodies[f.Name], l.tests[f.Name] = n.Get("body"), n.Get("tests").Items()
}

// order compiles the bodies, those first that others call, and refuses functions that call themselves.
func (l *libraryCompiler) order() {
	l.compiler.scope = l.newLibraryScope(nil)
	for name, f := range l.functions {
		l.needs[name] = l.calls(f)
	}
	state := map[string]int{} // 1: being compiled, 2: done
	var visit func(name string, chain []string)
	visit = func(name string, chain []string) {
		chain = append(slices.Clone(chain), name)
		state[name] = 1
		for _, other := range l.needs[name] {
			switch state[other] {
			case 0:
				visit(other, chain)
			case 1:
				l.fault(l.bodies[name].Place(), "function-cycle", fmt.Sprintf("the function %s calls itself: %s", other,
					strings.Join(append(chain[slices.Index(chain, other):], other), " -> ")),
					"work it out without calling itself, such as with filter, map or reduce")
				l.bodies[name] = nil
			}
		}
		if state[name] = 2; l.bodies[name] != nil {
			l.compileBody(l.functions[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.functions)) {
		if state[name] == 0 {
			visit(name, nil)
		}
	}
}

// newLibraryScope makes the scope of a body: its parameters, and what the project shares. nil when a
// type is wrong, which the schema has said.
func (l *libraryCompiler) newLibraryScope(parameters []expression.Parameter) *expression.Scope {
	s, err := expression.ParameterScope(expression.Options{Now: l.rule.clock(l.env.Now), Zone: l.env.Zone}, parameters)
	if err != nil {
		return nil
	}
	l.addTo(s)
	return s
}

// calls lists the functions that a body calls; none where the body has mistakes, which compileBody reports.
func (l *libraryCompiler) calls(f *Function) (names []string) {
	body, s := l.bodies[f.Name], l.newLibraryScope(f.Parameters)
	if s == nil || !isValue(body) || body.Kind != yamlnode.Scalar {
		return nil
	}
	program, _ := expression.Compile(body.Value, s, expression.Anything)
	if program == nil {
		return nil
	}
	for _, name := range program.Uses() {
		if l.functions[name] != nil {
			names = append(names, name)
		}
	}
	return names
}

// compileBody compiles the body of a function whose own calls are compiled.
func (l *libraryCompiler) compileBody(f *Function) {
	s := l.newLibraryScope(f.Parameters)
	if s == nil {
		return
	}
	l.compiler.scope = s
	e := l.expr(l.bodies[f.Name], s, expression.Anything)
	if e == nil {
		return
	}
	f.Body = e.program
	f.In = func(from, to int) string {
		at := e.node.PlaceOf(from, to)
		return fmt.Sprintf("%s (%s:%d)", f.Name, at.File, at.Range.Start.Line)
	}
	for _, p := range f.Parameters {
		if !slices.Contains(e.program.Uses(), p.Name) {
			l.warn(e.Place, "unused-parameter", fmt.Sprintf("the body of %s does not read its parameter %s", f.Name, p.Name),
				"remove the parameter, or use it")
		}
	}
}

// addTo makes what is shared known to expressions.
func (l *Library) addTo(s *expression.Scope) {
	if l == nil {
		return
	}
	for _, f := range l.functions {
		s.AddDefined(&f.Defined)
	}
	for name, m := range l.valueMaps {
		s.AddFunction(name, m.Map)
	}
}

// Functions lists the functions of the project, by name.
func (l *Library) Functions() []*Function {
	if l == nil {
		return nil
	}
	list := slices.Collect(maps.Values(l.functions))
	slices.SortFunc(list, func(a, b *Function) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// Maps lists the value maps of the project, by name.
func (l *Library) Maps() []*ValueMap {
	if l == nil {
		return nil
	}
	list := slices.Collect(maps.Values(l.valueMaps))
	slices.SortFunc(list, func(a, b *ValueMap) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// holds tells whether a name is one of the project's functions or value maps.
func (l *Library) holds(name string) bool { return l != nil && l.docs[name] != nil }

// broken tells whether a name is that of a function with a mistake.
func (l *Library) broken(name string) bool {
	return l != nil && l.functions[name] != nil && l.functions[name].Body == nil
}

// function gives a function of the project; nil when there is none.
func (l *Library) function(name string) *Function {
	if l == nil {
		return nil
	}
	return l.functions[name]
}

// mapNamed gives a value map of the project; nil when there is none.
func (l *Library) mapNamed(name string) *ValueMap {
	if l == nil {
		return nil
	}
	return l.valueMaps[name]
}

// use notes that a rule uses what the project shares under a name, and whatever that uses itself.
func (c *compiler) use(name string) {
	l := c.env.Library
	if m := c.rule.Maps[name]; !l.holds(name) || m != nil && m != l.valueMaps[name] || slices.Contains(c.rule.shared, name) {
		return // a map of the rule's own of that name goes before it
	}
	c.rule.library = l
	c.rule.shared = append(c.rule.shared, name)
	for _, other := range l.needs[name] {
		c.use(other)
	}
}

// sharedDocs lists the files of functions that the rule uses something of.
func (r *Rule) sharedDocs() (docs []*yamlnode.Document) {
	for _, name := range slices.Sorted(slices.Values(r.shared)) {
		if d := r.library.docs[name]; !slices.Contains(docs, d) {
			docs = append(docs, d)
		}
	}
	return docs
}

// Unused warns of functions and value maps of the project that no rule uses, and that nothing which a
// rule uses needs.
func (l *Library) Unused(all []*Rule) (found diag.List) {
	if l == nil {
		return nil
	}
	used := map[string]bool{}
	for _, r := range all {
		if r.findings.List.HasErrors() {
			return nil // nobody knows what the part that could not be read would have used
		}
		for _, name := range r.shared {
			used[name] = true
		}
	}
	warn := func(place diag.Place, code, message, hint string) {
		found.Add(diag.Diagnostic{Severity: diag.Warning, Problem: diag.Problem{Code: code, Message: message,
			Hint: hint, Place: place}})
	}
	for _, f := range l.Functions() {
		if !used[f.Name] {
			warn(f.Place, "unused-function", fmt.Sprintf("no rule calls the function %q", f.Name),
				"remove it, or call it, such as "+f.Signature())
		}
	}
	for _, m := range l.Maps() {
		if !used[m.Name] {
			warn(m.Place, "unused-map", fmt.Sprintf("nothing reads the value map %q", m.Name),
				fmt.Sprintf("remove it, or use it, such as {from: ..., map: %s}", m.Name))
		}
	}
	return found
}
