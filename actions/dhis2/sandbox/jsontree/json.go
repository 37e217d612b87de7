package jsontree

import (
	"fmt"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// Limits on what a request body may be: DHIS2's parser has the same kind of limits, and a rehearsal
// must not be able to exhaust the machine.
const (
	MaxBody  = 256 << 20
	maxDepth = 200
)

type Kind uint8

const (
	Null Kind = iota
	Bool
	Number
	String
	Array
	Object
)

func (k Kind) String() string {
	return [...]string{"null", "Boolean value", "number", "String value", "Array value", "Object value"}[k]
}

// Node is one JSON value. Field names are compared exactly, as DHIS2 does and encoding/json does
// not; that is why it is parsed here.
type Node struct {
	Kind   Kind
	Bool   bool
	Text   string // of a string, or the digits of a number as written
	Items  []*Node
	Fields []Field
}

type Field struct {
	Name  string
	Value *Node
}

// Get gives the last field of that name; nil when there is none or it is null.
func (n *Node) Get(name string) *Node {
	if n == nil {
		return nil
	}
	for i := len(n.Fields) - 1; i >= 0; i-- {
		if n.Fields[i].Name == name {
			if n.Fields[i].Value.Kind == Null {
				return nil
			}
			return n.Fields[i].Value
		}
	}
	return nil
}

// Has tells whether there is a field of that name, be it null.
func (n *Node) Has(name string) bool {
	return n != nil && slices.ContainsFunc(n.Fields, func(f Field) bool { return f.Name == name })
}

// syntaxError says where a text stops being JSON.
type syntaxError struct {
	line, column int
	reason       string
}

func (e *syntaxError) Error() string {
	return fmt.Sprintf("%s at line: %d, column: %d", e.reason, e.line, e.column)
}

// Parse reads the first JSON value of a text. What follows it is ignored, as DHIS2's parser ignores it.
// A text without any value gives nil.
func Parse(data []byte) (*Node, error) {
	p := parser{data: data}
	p.space()
	if p.at == len(p.data) {
		return nil, nil
	}
	return p.value(0)
}

type parser struct {
	data []byte
	at   int
}

func (p *parser) fail(reason string) error {
	line, column := 1, 1
	for _, c := range p.data[:min(p.at, len(p.data))] {
		column++
		if c == '\n' {
			line, column = line+1, 1
		}
	}
	return &syntaxError{line: line, column: column, reason: reason}
}

func (p *parser) space() {
	for p.at < len(p.data) {
		switch p.data[p.at] {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return
		}
	}
}

func (p *parser) value(depth int) (*Node, error) {
	if depth > maxDepth {
		return nil, p.fail(fmt.Sprintf("Document nesting depth exceeds the maximum allowed (%d)", maxDepth))
	}
	p.space()
	if p.at >= len(p.data) {
		return nil, p.fail("Unexpected end-of-input")
	}
	switch c := p.data[p.at]; {
	case c == '{':
		return p.object(depth)
	case c == '[':
		return p.array(depth)
	case c == '"':
		s, err := p.str()
		if err != nil {
			return nil, err
		}
		return &Node{Kind: String, Text: s}, nil
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	default:
		return p.word()
	}
}

func (p *parser) word() (*Node, error) {
	for _, w := range []struct {
		text string
		node Node
	}{{"true", Node{Kind: Bool, Bool: true}}, {"false", Node{Kind: Bool}}, {"null", Node{}}} {
		end := p.at + len(w.text)
		if end <= len(p.data) && string(p.data[p.at:end]) == w.text && (end == len(p.data) || !isWord(p.data[end])) {
			p.at = end
			n := w.node
			return &n, nil
		}
	}
	return nil, p.fail(fmt.Sprintf("Unexpected character (%q)", p.data[p.at]))
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func (p *parser) number() (*Node, error) {
	start := p.at
	if p.data[p.at] == '-' {
		p.at++
	}
	digits := func() int {
		n := 0
		for p.at < len(p.data) && p.data[p.at] >= '0' && p.data[p.at] <= '9' {
			p.at++
			n++
		}
		return n
	}
	first := p.at
	n := digits()
	if n == 0 || n > 1 && p.data[first] == '0' {
		return nil, p.fail("Invalid numeric value")
	}
	if p.at < len(p.data) && p.data[p.at] == '.' {
		p.at++
		if digits() == 0 {
			return nil, p.fail("Decimal point not followed by a digit")
		}
	}
	if p.at < len(p.data) && (p.data[p.at] == 'e' || p.data[p.at] == 'E') {
		p.at++
		if p.at < len(p.data) && (p.data[p.at] == '+' || p.data[p.at] == '-') {
			p.at++
		}
		if digits() == 0 {
			return nil, p.fail("Exponent indicator not followed by a digit")
		}
	}
	if p.at < len(p.data) && isWord(p.data[p.at]) {
		return nil, p.fail("Unexpected character after a number")
	}
	return &Node{Kind: Number, Text: string(p.data[start:p.at])}, nil
}

func (p *parser) str() (string, error) {
	p.at++
	start := p.at
	for p.at < len(p.data) {
		switch c := p.data[p.at]; {
		case c == '"':
			s := string(p.data[start:p.at])
			p.at++
			return s, nil
		case c == '\\':
			return p.escaped(start)
		case c < 0x20:
			return "", p.fail("Illegal unquoted character in a string")
		}
		p.at++
	}
	return "", p.fail("Unexpected end-of-input in a string")
}

// escaped goes on with a string from its first backslash.
func (p *parser) escaped(start int) (string, error) {
	out := append([]byte(nil), p.data[start:p.at]...)
	for p.at < len(p.data) {
		c := p.data[p.at]
		switch {
		case c == '"':
			p.at++
			return string(out), nil
		case c < 0x20:
			return "", p.fail("Illegal unquoted character in a string")
		case c != '\\':
			out = append(out, c)
			p.at++
			continue
		}
		p.at++
		if p.at >= len(p.data) {
			break
		}
		switch e := p.data[p.at]; e {
		case '"', '\\', '/':
			out = append(out, e)
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r, err := p.unicode()
			if err != nil {
				return "", err
			}
			out = utf8.AppendRune(out, r)
			continue
		default:
			return "", p.fail("Unrecognized character escape")
		}
		p.at++
	}
	return "", p.fail("Unexpected end-of-input in a string")
}

// unicode reads uXXXX, and the second half of a surrogate pair if one follows.
func (p *parser) unicode() (rune, error) {
	one := func() (rune, bool) {
		if p.at+5 > len(p.data) || p.data[p.at] != 'u' {
			return 0, false
		}
		v, err := strconv.ParseUint(string(p.data[p.at+1:p.at+5]), 16, 32)
		return rune(v), err == nil
	}
	r, ok := one()
	if !ok {
		return 0, p.fail("Unexpected character in an escape sequence")
	}
	p.at += 5
	if utf16.IsSurrogate(r) && p.at+1 < len(p.data) && p.data[p.at] == '\\' && p.data[p.at+1] == 'u' {
		p.at++
		if second, ok := one(); ok {
			if pair := utf16.DecodeRune(r, second); pair != utf8.RuneError {
				p.at += 5
				return pair, nil
			}
		}
		p.at--
	}
	if utf16.IsSurrogate(r) {
		return utf8.RuneError, nil
	}
	return r, nil
}

func (p *parser) array(depth int) (*Node, error) {
	n := &Node{Kind: Array}
	p.at++
	p.space()
	if p.at < len(p.data) && p.data[p.at] == ']' {
		p.at++
		return n, nil
	}
	for {
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		n.Items = append(n.Items, v)
		p.space()
		if p.at >= len(p.data) {
			return nil, p.fail("Unexpected end-of-input: expected close marker for Array")
		}
		switch p.data[p.at] {
		case ',':
			p.at++
		case ']':
			p.at++
			return n, nil
		default:
			return nil, p.fail("Unexpected character: was expecting comma to separate Array entries")
		}
	}
}

func (p *parser) object(depth int) (*Node, error) {
	n := &Node{Kind: Object}
	p.at++
	p.space()
	if p.at < len(p.data) && p.data[p.at] == '}' {
		p.at++
		return n, nil
	}
	for {
		p.space()
		if p.at >= len(p.data) || p.data[p.at] != '"' {
			return nil, p.fail("Unexpected character: was expecting double-quote to start field name")
		}
		name, err := p.str()
		if err != nil {
			return nil, err
		}
		p.space()
		if p.at >= len(p.data) || p.data[p.at] != ':' {
			return nil, p.fail("Unexpected character: was expecting a colon to separate field name and value")
		}
		p.at++
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		n.Fields = append(n.Fields, Field{name, v})
		p.space()
		if p.at >= len(p.data) {
			return nil, p.fail("Unexpected end-of-input: expected close marker for Object")
		}
		switch p.data[p.at] {
		case ',':
			p.at++
		case '}':
			p.at++
			return n, nil
		default:
			return nil, p.fail("Unexpected character: was expecting comma to separate Object entries")
		}
	}
}
