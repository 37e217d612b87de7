package programrules

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// The grammar is that of DHIS2's expression-parser in its mode for program rules: operands and
// operators in a row, grouped afterwards one operator at a time, so that each operator has a
// precedence of its own.

type nodeKind uint8

const (
	group    nodeKind = iota // of operands and operators: parentheses, an argument, the whole
	binary                   // text is the operator; no children until it is grouped
	unary                    // likewise
	number                   // num
	quoted                   // text; raw as it was written
	boolean                  // text
	null                     //
	variable                 // text is its name; unknown ones fail
	item                     // text is its name, which has the form of a uid; unknown ones are empty
	call                     // fn
)

type node struct {
	kind      nodeKind
	text, raw string
	num       float64
	fn        *function
	children  []*node
}

const (
	maxDepth  = 100
	maxLength = 100_000 // bytes of an expression
)

// errUnsupported marks what DHIS2 evaluates and this package does not.
var errUnsupported = errors.New("not evaluated here")

// parse reads an expression. An error is what DHIS2 would stumble over as well, unless it is errUnsupported.
func parse(text string, version int) (*node, error) {
	if len(text) > maxLength {
		return nil, fmt.Errorf("it is longer than %d characters: %w", maxLength, errUnsupported)
	}
	p := &parser{text: text, version: version}
	root := &node{kind: group}
	if err := p.row(root, 0, true); err != nil {
		return nil, err
	}
	regroup(root)
	return root, nil
}

// row reads operands and operators until neither follows; the whole expression must be read.
func (p *parser) row(into *node, depth int, whole bool) error {
	for {
		if err := p.operand(into, depth); err != nil {
			return err
		}
		switch c := p.peek(); {
		case c == 'a' && p.word("and"):
			into.children = append(into.children, &node{kind: binary, text: "&&"})
		case c == 'o' && p.word("or"):
			into.children = append(into.children, &node{kind: binary, text: "||"})
		case strings.IndexByte("+-*/%^&|<>=!", c) >= 0 && p.at < len(p.text):
			op, err := p.operator()
			if err != nil {
				return err
			}
			into.children = append(into.children, &node{kind: binary, text: op})
		default:
			if whole && p.at < len(p.text) {
				return p.fail("unexpected %q", p.text[p.at:min(p.at+4, len(p.text))])
			}
			return nil
		}
	}
}

func (p *parser) operator() (string, error) {
	start, c := p.at, p.peek()
	p.at++
	switch {
	case strings.IndexByte("&|", c) >= 0:
		if strings.IndexByte("&|", p.peek()) >= 0 {
			p.at++
		}
	case strings.IndexByte("<>=!", c) >= 0:
		if p.at < len(p.text) && strings.IndexByte("<>=!", p.peek()) >= 0 {
			p.at++
		}
	}
	op := p.text[start:p.at]
	for _, known := range precedence {
		if op == known {
			return op, nil
		}
	}
	p.at = start
	return "", p.fail("unknown operator %s", op)
}

func (p *parser) operand(into *node, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("it nests too deep: %w", errUnsupported)
	}
	p.space()
	c := p.peek()
	switch {
	case strings.IndexByte("+-!", c) >= 0 && p.at+1 < len(p.text) && p.text[p.at+1] != '=':
		p.at++
		into.children = append(into.children, &node{kind: unary, text: string(c)})
		return p.operand(into, depth+1)
	case c == 'n' && p.word("not"):
		into.children = append(into.children, &node{kind: unary, text: "!"})
		return p.operand(into, depth+1)
	}
	n, err := p.single(depth)
	if err != nil {
		return err
	}
	into.children = append(into.children, n)
	p.space()
	return nil
}

func (p *parser) single(depth int) (*node, error) {
	c := p.peek()
	switch {
	case c == '(':
		p.at++
		n := &node{kind: group}
		if err := p.row(n, depth+1, false); err != nil {
			return nil, err
		}
		p.space()
		return n, p.expect(')')
	case c == '\'' || c == '"':
		return p.quoted()
	case isDigit(c), c == '.' && isDigit(p.ahead(1)):
		return p.number()
	}
	return p.named(depth)
}

// named reads what begins with a name: a variable, a constant, a function.
func (p *parser) named(depth int) (*node, error) {
	start := p.at
	name := p.while(func(c byte) bool { return strings.IndexByte("#:_.", c) >= 0 || isLetter(c) || isDigit(c) })
	switch name {
	case "#", "A":
		return p.item()
	case "C":
		return p.constant()
	case "V":
		return p.system(true)
	case "true", "false":
		return &node{kind: boolean, text: name}, nil
	case "null":
		return &node{kind: null}, nil
	}
	fn := functions[name]
	if fn == nil || p.version < fn.from || fn.newer && p.version <= 42 && p.version != 41 {
		p.at = start
		return nil, p.fail("unknown function or constant %q", name)
	}
	n, err := p.arguments(fn, depth)
	if err == nil && name == "d2:validatePattern" {
		err = readablePattern(n.children[1], p.version)
	}
	return n, err
}

// item reads {name} of #{name} or A{name}.
func (p *parser) item() (*node, error) {
	if err := p.expect('{'); err != nil {
		return nil, err
	}
	name := p.while(func(c byte) bool { return c != '}' })
	if name == "" || p.peek() != '}' {
		return nil, p.fail("expected the name of a variable and }")
	}
	p.at++
	parts := strings.Split(strings.TrimRight(name, "."), ".")
	uids := true
	for _, part := range parts {
		uids = uids && isUIDs(part)
	}
	if uids {
		return &node{kind: item, text: name}, nil
	}
	for i := range len(name) {
		if c := name[i]; !isIdentifier(c) && !isDigit(c) && c != '-' && c != '.' && !isSpace(c) {
			return nil, p.fail("invalid name of a variable %q", name)
		}
	}
	return &node{kind: variable, text: name}, nil
}

func (p *parser) constant() (*node, error) {
	if err := p.expect('{'); err != nil {
		return nil, err
	}
	p.space()
	uid := p.while(func(c byte) bool { return isLetter(c) || isDigit(c) })
	if !isUID(uid) {
		return nil, p.fail("expected the uid of a constant")
	}
	p.space()
	return &node{kind: item, text: uid}, p.expect('}')
}

// system reads {name} of V{name}. Outside of the functions that take a variable the name must be one of DHIS2's.
func (p *parser) system(known bool) (*node, error) {
	if err := p.expect('{'); err != nil {
		return nil, err
	}
	if known {
		p.space()
	}
	name := p.while(isIdentifier)
	if name == "" || known && !systemVariables[name] {
		return nil, p.fail("unknown variable V{%s}", name)
	}
	if known {
		p.space()
	}
	return &node{kind: variable, text: name}, p.expect('}')
}

// systemVariables are the names that V{...} may hold; a rule engine has no value for some of them.
var systemVariables = map[string]bool{"analytics_period_end": true, "analytics_period_start": true,
	"completed_date": true,
	"creation_date":  true, "current_date": true, "due_date": true, "enrollment_count": true, "enrollment_date": true,
	"enrollment_id":     true,
	"enrollment_status": true, "environment": true, "event_count": true, "scheduled_event_count": true, "event_date": true,
	"scheduled_date": true, "event_id": true, "event_status": true, "execution_date": true, "incident_date": true,
	"org_unit_count": true,
	"org_unit":       true, "orgunit_code": true, "program_name": true, "program_stage_id": true,
	"program_stage_name": true,
	"sync_date":          true,
	"tei_count":          true, "value_count": true, "zero_pos_value_count": true}

// arguments reads (a, b, ...) as the function wants them.
func (p *parser) arguments(fn *function, depth int) (*node, error) {
	n := &node{kind: call, fn: fn}
	if err := p.expect('('); err != nil {
		return nil, err
	}
	more := strings.HasSuffix(fn.takes, "+")
	takes := strings.TrimSuffix(fn.takes, "+")
	for i := 0; i < len(takes) || more; i++ {
		p.space()
		if p.peek() == ')' {
			if !more && takes[i] != 'i' {
				return nil, p.fail("%s needs more arguments", fn.name)
			}
			p.at++
			return n, nil
		}
		if i > 0 {
			if err := p.expect(','); err != nil {
				return nil, err
			}
			p.space()
		}
		a, err := p.argument(takes[min(i, len(takes)-1)], depth+1)
		if err != nil {
			return nil, err
		}
		n.children = append(n.children, a)
	}
	p.space()
	return n, p.expect(')')
}

// argument reads one argument: e an expression, v a variable, i an integer, p an expression inside quotes.
func (p *parser) argument(kind byte, depth int) (*node, error) {
	a := &node{kind: group}
	switch kind {
	case 'e':
		return a, p.row(a, depth, false)
	case 'v':
		v, err := p.variable()
		a.children = []*node{v}
		return a, err
	case 'i':
		start := p.at
		if c := p.peek(); c == '+' || c == '-' {
			p.at++
		}
		p.while(isDigit)
		f, err := strconv.Atoi(p.text[start:p.at])
		if err != nil {
			return nil, p.fail("expected a whole number")
		}
		a.children = []*node{{kind: number, num: float64(f)}}
		return a, nil
	}
	if c := p.peek(); c != '\'' && c != '"' {
		return nil, p.fail("expected an expression in quotes")
	}
	inner, err := p.raw()
	if err != nil {
		return nil, err
	}
	q := &parser{text: inner, version: p.version}
	return a, q.row(a, depth, true)
}

// variable reads the argument of a function that takes a variable: #{x}, A{x}, V{x} or 'x'.
func (p *parser) variable() (*node, error) {
	switch c := p.peek(); c {
	case '#', 'A':
		p.at++
		return p.item()
	case 'V':
		p.at++
		return p.system(false)
	case '\'', '"':
		n, err := p.quoted()
		if err != nil {
			return nil, err
		}
		return &node{kind: variable, text: n.text}, nil
	}
	return nil, p.fail("expected a variable")
}
