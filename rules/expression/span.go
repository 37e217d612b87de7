package expression

import (
	"errors"
	"io"
	"sort"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser/lexer"
)

// lexed gives the tokens of an expression, or as many as could be read and the error after them.
func lexed(text string) ([]lexer.Token, error) {
	l := lexer.New()
	l.Reset(file.NewSource(text))
	tokens := make([]lexer.Token, 0, len(text)/4+8)
	for {
		t, err := l.Next()
		if errors.Is(err, io.EOF) {
			return tokens, nil
		}
		if err != nil {
			return tokens, err
		}
		tokens = append(tokens, t)
	}
}

// tokenAt is the index of the first token that does not begin before a place.
func (c *checker) tokenAt(from int) int {
	return sort.Search(len(c.tokens), func(i int) bool { return c.tokens[i].From >= from })
}

// span is the stretch of text of a node: expr notes only the token that a node is named after.
func (c *checker) span(n ast.Node, parts ...file.Location) file.Location {
	s := n.Location()
	for _, p := range parts {
		s = join(s, p)
	}
	switch n.(type) {
	case *ast.CallNode, *ast.BuiltinNode:
		// Up to the opening bracket; balance finds the closing one.
		if i := c.tokenAt(n.Location().To); i < len(c.tokens) && c.tokens[i].Is(lexer.Bracket, "(") {
			s = join(s, c.tokens[i].Location)
		}
	}
	return c.balance(s)
}

func join(a, b file.Location) file.Location {
	if a == (file.Location{}) {
		return b
	}
	if b == (file.Location{}) {
		return a
	}
	return file.Location{From: min(a.From, b.From), To: max(a.To, b.To)}
}

// balance widens a stretch until every bracket in it has its partner in it.
func (c *checker) balance(s file.Location) file.Location {
	first, depth, least := c.tokenAt(s.From), 0, 0
	last := first
	for ; last < len(c.tokens) && c.tokens[last].To <= s.To; last++ {
		depth += nesting(c.tokens[last])
		least = min(least, depth)
	}
	for ; depth > least && last < len(c.tokens); last++ {
		depth += nesting(c.tokens[last])
		s.To = c.tokens[last].To
	}
	for ; least < 0 && first > 0; first-- {
		least += nesting(c.tokens[first-1])
		s.From = c.tokens[first-1].From
	}
	return s
}

func nesting(t lexer.Token) int {
	switch {
	case t.Is(lexer.Bracket, "(", "[", "{"):
		return 1
	case t.Is(lexer.Bracket, ")", "]", "}"):
		return -1
	}
	return 0
}
