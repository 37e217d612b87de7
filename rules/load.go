package rules

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/expression"
	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/rules/yamlnode"
	"github.com/culvert/culvert/schemas"
)

// Load parses, checks and compiles one rule file. It reports everything it finds; the rule is nil
// when it cannot be used at all, and must not run when the findings hold an error. Actions are left
// as specs: their kinds compile them afterwards and report into the same Findings. When they have,
// Finish reports what only then can be known.
func Load(path string, text []byte, env Environment) (*Rule, *Findings) {
	env = env.withDefaults()
	findings := &Findings{}
	c := &compiler{env: env, findings: findings, rule: &Rule{Path: path, Maps: map[string]*ValueMap{}, findings: findings,
		zone: env.Zone}}
	c.rule.compiler = c
	c.rule.missing = wordSet{}
	for _, word := range env.Missing {
		c.rule.missing[foldWord(word)] = true
	}
	doc := c.parse(path, text)
	if doc == nil {
		return nil, findings
	}
	if doc.Root == nil {
		c.report(diag.Diagnostic{Problem: diag.Problem{
			Code: "empty-file", Message: "the rule file is empty",
			Hint:  "write at least trigger: and actions:, or run `culvert new`",
			Place: startOf(path),
		}})
		return nil, findings
	}
	if doc.Root.Kind != yamlnode.Mapping {
		return nil, findings // the schema has said so
	}
	c.doc, c.rule.Document = doc, doc
	c.root = c.inherit(doc)
	findings.settle()
	c.compile()
	return c.rule, findings
}

// withDefaults fills in what is left out.
func (env Environment) withDefaults() Environment {
	if env.Now == nil {
		env.Now = time.Now
	}
	if env.Zone == nil {
		env.Zone = time.UTC
	}
	if env.ReadFile == nil {
		env.ReadFile = func(name string) ([]byte, error) {
			return nil, fmt.Errorf("%s cannot be read: %w", name, fs.ErrNotExist)
		}
	}
	return env
}

// ServerOf gives the server that a rule file names, "" for the default one, before the file is
// loaded: what it is compiled against depends on it. The defaults are those of
// Environment.Defaults.
func ServerOf(text []byte, defaults ...*yamlnode.Document) string {
	if m := serverLine.FindSubmatch(text); m != nil {
		return strings.Trim(string(m[1]), `"'`)
	}
	for _, d := range slices.Backward(defaults) {
		if n := d.Root.Get("server"); n != nil && n.Kind == yamlnode.Scalar {
			return n.Value
		}
	}
	return ""
}

var serverLine = regexp.MustCompile(`(?m)^server:[ \t]+([^#\s]+)`)

// compiler turns one rule file into a Rule.
type compiler struct {
	env      Environment
	findings *Findings
	rule     *Rule
	doc      *yamlnode.Document
	root     *yamlnode.Node // the rule laid over what it inherits

	scope    *expression.Scope     // trigger, source, maps, lookups
	names    map[string]diag.Place // what the rule calls its lookups, maps and actions
	samples  []any
	used     map[string]bool // names that some expression or field reads
	fields   []*Field        // for the check against the samples
	inLookup []string        // columns that the lookup under compilation reads; nil outside of one
	inField  bool            // the expression is the value of a field, where a fixed text may have been meant

	includes, includedBytes int // what is extended and included, each file as often as it is named
}

func (c *compiler) report(d diag.Diagnostic) { c.findings.Report(d) }

// fault reports an error about a node.
func (c *compiler) fault(place diag.Place, code, message, hint string) {
	c.report(diag.Diagnostic{Problem: diag.Problem{Code: code, Message: message, Hint: hint, Place: place}})
}

// warn reports a warning about a node.
func (c *compiler) warn(place diag.Place, code, message, hint string) {
	c.report(diag.Diagnostic{Severity: diag.Warning, Problem: diag.Problem{Code: code, Message: message, Hint: hint,
		Place: place}})
}

// reader reads a mapping of the rule by its declaration. The schema has reported what is not declared.
func (c *compiler) reader(label string, n *yamlnode.Node, keys []settings.Field) settings.Reader {
	return settings.Read(n, settings.Spec{Name: label, Fields: keys, Open: true}, n.Place(), c.report)
}

// startOf is the first place of a file.
func startOf(file string) diag.Place {
	return diag.Place{File: file, Range: diag.Range{Start: diag.Position{Line: 1, Column: 1},
		End: diag.Position{Line: 1, Column: 2}}}
}

// parse reads a file and checks it against the schema.
func (c *compiler) parse(path string, text []byte) *yamlnode.Document {
	var list diag.List
	doc := yamlnode.Parse(path, text, &list)
	schemas.Check(doc, schemas.Rule, &list)
	if doc != nil {
		findSecrets(doc, &list)
		list = slices.DeleteFunc(list, func(d diag.Diagnostic) bool {
			return d.Code == "unknown-action" &&
				c.hasKindAt(doc, d.Place)
		})
	}
	for _, d := range list {
		c.report(d)
	}
	return doc
}

// hasKindAt tells whether the action at a place is of a kind that exists: one that the schema does
// not describe checks itself.
func (c *compiler) hasKindAt(doc *yamlnode.Document, place diag.Place) bool {
	for _, item := range doc.Root.Get("actions").Items() {
		for _, p := range item.Pairs() {
			if p.Key.Place() == place && c.kind(p.Key.Value) != nil {
				return true
			}
		}
	}
	return false
}

// Limits of what one rule may hold.
const (
	maxExtends = 10
	maxLookups = 100
	maxActions = 100
)

// inherit lays the rule over the files that it extends, and those over the defaults of its folders, outermost first.
func (c *compiler) inherit(doc *yamlnode.Document) *yamlnode.Node {
	var base *yamlnode.Node
	for _, d := range c.env.Defaults {
		if d == nil || d.Root == nil || d.Root.Kind != yamlnode.Mapping {
			continue
		}
		var list diag.List
		schemas.Check(d, schemas.Rule, &list)
		findSecrets(d, &list)
		for _, f := range list {
			c.report(f)
		}
		base = yamlnode.Merge(base, c.inheritable(c.extend(d, []string{d.Path})))
		c.rule.Bases, c.rule.bases = append(c.rule.Bases, d.Path), append(c.rule.bases, d)
	}
	own := c.extend(doc, []string{doc.Path})
	slices.Reverse(c.rule.Bases) // what was taken last lies over the others
	return yamlnode.Merge(base, own)
}

func (c *compiler) inheritable(n *yamlnode.Node) *yamlnode.Node {
	return n.Only(func(key string) bool {
		f := settings.Find(ruleKeys, key)
		return f == nil || !slices.Contains(f.With, ownWay)
	})
}

// extend lays a file over those that it names in extends.
func (c *compiler) extend(doc *yamlnode.Document, chain []string) *yamlnode.Node {
	var base *yamlnode.Node
	for _, n := range oneOrMany(doc.Root.Get("extends")) {
		if n.Kind != yamlnode.Scalar || n.IsNull() {
			continue
		}
		name, ok := c.path(n)
		if !ok {
			continue
		}
		if slices.Contains(chain, name) || len(chain) > maxExtends {
			c.fault(n.Place(), "extends-cycle", fmt.Sprintf("%s extends itself: %s", name,
				strings.Join(append(chain, name), " -> ")), "remove one of the extends:")
			continue
		}
		if c.tooMany() {
			break // which is said already
		}
		text, ok := c.read(n, name, "the file to extend")
		if !ok {
			continue
		}
		if !c.another(n, text) {
			break
		}
		if d := c.parse(name, text); d != nil && d.Root != nil && d.Root.Kind == yamlnode.Mapping {
			base = yamlnode.Merge(base, c.inheritable(c.extend(d, append(slices.Clone(chain), name))))
			if !slices.Contains(c.rule.Bases, name) {
				c.rule.Bases, c.rule.bases = append(c.rule.Bases, name), append(c.rule.bases, d)
			}
		}
	}
	return yamlnode.Merge(base, doc.Root)
}

// oneOrMany gives the items of a list, or a single value as the only item; nothing for an absent one.
func oneOrMany(n *yamlnode.Node) []*yamlnode.Node {
	switch {
	case n == nil:
		return nil
	case n.Kind == yamlnode.Sequence:
		return n.Items()
	}
	return []*yamlnode.Node{n}
}

// path gives the path that a node names, relative to the project, and refuses those that leave it.
func (c *compiler) path(n *yamlnode.Node) (string, bool) {
	name := path.Clean(strings.ReplaceAll(n.Value, `\`, "/"))
	if path.IsAbs(name) || name == ".." || strings.HasPrefix(name, "../") || strings.Contains(name, ":") {
		c.fault(n.Place(), "path-outside", fmt.Sprintf("%q lies outside the project", n.Value),
			"put the file into the project and name it from the folder that holds culvert.yaml")
		return "", false
	}
	return name, true
}

// read gives the text of a file that a node names; what names it for a message: "the table".
func (c *compiler) read(n *yamlnode.Node, name, what string) ([]byte, bool) {
	text, err := c.env.ReadFile(name)
	switch {
	case err == nil:
		return text, true
	case errors.Is(err, fs.ErrNotExist):
		c.fault(n.Place(), "missing-file", fmt.Sprintf("%s %q does not exist", what, name),
			"put the file there, or correct its name; paths count from the folder that holds culvert.yaml")
	default:
		c.fault(n.Place(), "unreadable-file", fmt.Sprintf("%s %q cannot be read: %v", what, name, err),
			"check the file and its permissions")
	}
	return nil, false
}

// compile goes through the keys of the rule in the order in which they need each other.
func (c *compiler) compile() {
	c.names, c.used = map[string]diag.Place{}, map[string]bool{}
	c.identity()
	c.delivery()
	c.trigger()
	c.scope = c.newScope()
	c.maps()
	c.lookups()
	c.conditions()
	c.noneAsked()
	c.actions()
	c.tests()
}

// identity reads what the rule is called and where it sends.
func (c *compiler) identity() {
	r := c.rule
	r.place = startOf(r.Path)
	r.Name = strings.TrimSuffix(strings.TrimSuffix(path.Base(r.Path), ".yaml"), ".yml")
	if n := c.doc.Root.Get("rule"); isValue(n) {
		r.Name, r.place = n.Value, n.Place()
		if !ruleName.MatchString(n.Value) {
			c.fault(n.Place(), "bad-name", fmt.Sprintf("%q cannot be a rule's name", n.Value),
				"use letters, digits, dots, hyphens and underscores, at most 100")
		}
	}
	r.Description = c.reader("", c.doc.Root, ruleKeys).Text("description")
	c.namespaceOf(c.root.Get("namespace"))
	r.serverPlace = r.place
	if n := c.root.Get("server"); isValue(n) {
		r.Server, r.serverPlace = n.Value, n.Place()
	}
}

var (
	ruleName   = regexp.MustCompile(`^[\p{L}\p{N}][\p{L}\p{N}._ -]{0,99}$`)
	identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// isValue tells whether a node is a scalar with something in it.
func isValue(n *yamlnode.Node) bool {
	return n != nil && n.Kind == yamlnode.Scalar && !n.IsNull() && n.Value != ""
}

// ownNames are the names that the language gives to things itself.
var ownNames = []string{"trigger", "source", "item", "index"}

// name checks what a rule calls a lookup, map or action, and keeps it.
func (c *compiler) name(n *yamlnode.Node, what string) bool {
	switch first, taken := c.names[n.Value]; {
	case !identifier.MatchString(n.Value):
		c.fault(n.Place(), "bad-name", fmt.Sprintf("%q cannot be the name of %s", n.Value, what),
			"use letters, digits and underscores, and begin with a letter")
	case slices.Contains(ownNames, n.Value) || expression.IsReserved(n.Value):
		c.fault(n.Place(), "name-taken", fmt.Sprintf("%q is a word of the rule language and cannot be the name of %s",
			n.Value, what), "choose another name, such as my_"+n.Value)
	case taken:
		c.report(diag.Diagnostic{
			Problem: diag.Problem{Code: "name-taken",
				Message: fmt.Sprintf("%q is the name of something else in this rule", n.Value),
				Hint:    "choose another name", Place: n.Place()},
			Related: []diag.Related{{Place: first, Message: "named here"}},
		})
	default:
		c.names[n.Value] = n.Place()
		return true
	}
	return false
}

// conditions compiles when, id, version and key.
func (c *compiler) conditions() {
	r := c.rule
	if n := c.root.Get("when"); n != nil {
		r.When = c.condition(n, c.scope, "the rule")
	}
	if n := c.root.Get("id"); n != nil {
		r.ID = c.expr(n, c.scope, expression.Text)
		c.notConstant(r.ID, "constant-id", "every record would have the same id",
			"name a field that differs from record to record, such as trigger.form.meta.instanceID")
	} else if r.Trigger.Kind != "" && !r.Trigger.About.Anonymous {
		c.warn(r.Trigger.Place, "no-id", "the rule has no id:, so a record is known by its content alone",
			"add id: with what identifies a record in the source, so that a corrected record updates what the first one wrote")
	}
	if n := c.root.Get("version"); n != nil {
		r.Version = c.expr(n, c.scope, expression.Text)
		c.notConstant(r.Version, "constant-version", "every record would have the same version",
			"name a field that counts up or says when the record was changed")
	}
	if n := c.root.Get("key"); n != nil {
		r.Key = c.expr(n, c.scope, expression.Text)
		c.notConstant(r.Key, "constant-key", "every record would have the same key and wait for the one before",
			"name the id of the person or case, or leave key: out")
	}
}

func (c *compiler) notConstant(e *Expr, code, message, hint string) {
	if e == nil {
		return
	}
	if _, ok := e.program.Constant(); ok {
		c.fault(e.Place, code, message, hint)
	}
}

// condition compiles a `when` and says when it can never be true, or never false.
func (c *compiler) condition(n *yamlnode.Node, s *expression.Scope, what string) *Expr {
	e := c.expr(n, s, expression.Condition)
	if e == nil {
		return nil
	}
	if v, ok := e.program.Constant(); ok {
		if v == true {
			c.warn(e.Place, "constant-when", "this condition is true for every record",
				"remove the when:, or compare a field of the record")
		} else {
			c.fault(e.Place, "unreachable-when", fmt.Sprintf("this condition is never true, so %s does nothing", what),
				"compare a field of the record, or remove "+what)
		}
	}
	return e
}
