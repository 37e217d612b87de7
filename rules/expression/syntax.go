package expression

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser/lexer"

	"github.com/culvert/culvert/rules/diag"
)

// syntaxProblem says in plain words where an expression stops being one.
func syntaxProblem(text string, tokens []lexer.Token, err error, s *Scope) Problem {
	runes := []rune(text)
	p := Problem{From: 0, To: len(runes), Problem: diag.Problem{Code: CodeSyntax, Message: "this is not an expression"}}
	if strings.TrimSpace(text) == "" {
		p.Message, p.Hint = "the expression is empty", "write a field such as trigger.name, or a text in quotes"
		return p
	}
	var e *file.Error
	if !errors.As(err, &e) {
		return p
	}
	p.From, p.To = min(e.From, len(runes)), min(max(e.To, e.From+1), len(runes))
	if p.From == p.To {
		p.From = max(0, p.To-1)
	}
	switch {
	case strings.Contains(e.Message, "maximum allowed nodes"):
		return Problem{From: 0, To: len(runes), Problem: diag.Problem{Code: CodeTooComplex,
			Message: fmt.Sprintf("the expression has more than %d parts", maxNodes),
			Hint:    "split it, or use a value map"}}
	case variable.MatchString(text):
		at := variable.FindStringIndex(text)
		p.From, p.To = len([]rune(text[:at[0]])), len([]rune(text[:at[1]]))
		p.Message = "variables of the environment are read in culvert.yaml alone"
		p.Hint = "a secret stands at the connection there, as bearer:, api_key: or password:, and is sent by itself: " +
			"leave it out here"
	case strings.Contains(text, "{{") || strings.Contains(text, "${"):
		at := strings.Index(text, "{{")
		if at < 0 {
			at = strings.Index(text, "${")
		}
		p.From = len([]rune(text[:at]))
		p.To = p.From + 2
		p.Message, p.Hint = "a field is written without {{ }} or ${ }",
			"write trigger.name; texts and fields are joined with +"
		if inner, ok := braced(text); ok {
			p.Hint = "write " + inner
		}
	case strings.Contains(e.Message, "not terminated"):
		p.From = openQuote(runes, tokens)
		p.To = len(runes)
		p.Message, p.Hint = "the text in quotes has no closing quote", ""
	case strings.Contains(e.Message, "char escape"), strings.Contains(e.Message, "unable to unescape"),
		strings.Contains(e.Message, "invalid syntax"):
		p.Message, p.Hint = `a backslash in quotes stands before n, t, ", \ or u and four digits`,
			`write \\ for a backslash itself`
	case strings.Contains(e.Message, "bad number"):
		p.From, p.To = wordAround(runes, p.From)
		word := strings.TrimPrefix(string(runes[p.From:p.To]), ".")
		p.Message, p.Hint = "a name cannot begin with a digit, nor a number end with a letter",
			fmt.Sprintf("a field whose name begins with a digit is read with brackets: [%q]", word)
	case strings.Contains(e.Message, "unrecognized character"):
		unknownCharacter(&p, runes)
	case strings.Contains(e.Message, "(??) cannot be mixed"):
		p.Message, p.Hint = "?? beside another operator needs brackets", `write (a ?? b) and the rest`
	case strings.Contains(e.Message, "at least"):
		p.Message, p.Hint = "the function needs more arguments", ""
	default:
		unexpected(&p, runes, tokens, strings.Contains(e.Message, "token EOF") || strings.Contains(e.Message,
			"end of expression"), s)
	}
	return p
}

// variable is how culvert.yaml names a variable of the environment.
var variable = regexp.MustCompile(`\$\{[A-Z][A-Z0-9_]*\}`)

// braced gives the expression that stands alone in {{ }}, as other systems write it.
func braced(text string) (string, bool) {
	inner, begins := strings.CutPrefix(strings.TrimSpace(text), "{{")
	inner, ends := strings.CutSuffix(inner, "}}")
	inner = strings.TrimSpace(inner)
	return inner, begins && ends && inner != "" && !strings.ContainsAny(inner, "{}")
}

// openQuote is the place of the quote that is not closed: behind the last token.
func openQuote(runes []rune, tokens []lexer.Token) int {
	from := 0
	if len(tokens) > 0 {
		from = tokens[len(tokens)-1].To
	}
	for i := from; i < len(runes); i++ {
		if strings.ContainsRune("\"'`", runes[i]) {
			return i
		}
	}
	return from
}

// wordAround is the stretch of letters, digits and dots around a place.
func wordAround(runes []rune, at int) (from, to int) {
	part := func(i int) bool {
		return i >= 0 && i < len(runes) && (runes[i] == '.' || runes[i] == '_' || unicode.IsLetter(runes[i]) ||
			unicode.IsDigit(runes[i]))
	}
	from, to = at, at
	for part(from-1) && runes[from] != '.' {
		from--
	}
	for part(to) {
		to++
	}
	return from, max(to, at+1)
}

func unknownCharacter(p *Problem, runes []rune) {
	r := runes[p.From]
	p.Message = fmt.Sprintf("the character %c has no meaning here", r)
	switch {
	case strings.ContainsRune("“”„‘’«»", r):
		p.Message, p.Hint = fmt.Sprintf("%c is a typographic quote", r), `write straight quotes: "text"`
	case r == '@':
		p.Hint = `a field with @ in its name is read with brackets: trigger.form["@name"]`
	case r == '–' || r == '—' || r == '−':
		p.Hint = "write the minus sign of the keyboard: -"
	case r == '≥' || r == '≤' || r == '≠':
		p.Hint = "write >=, <= or !="
	case r == '\\':
		p.Hint = ""
	}
}

// unexpected explains a token that cannot stand where it stands.
func unexpected(p *Problem, runes []rune, tokens []lexer.Token, ended bool, s *Scope) {
	i := slices.IndexFunc(tokens, func(t lexer.Token) bool { return t.To > p.From || t.From >= p.From })
	if i < 0 || tokens[i].Kind == lexer.EOF || ended {
		p.From, p.To = max(0, len(runes)-1), len(runes)
		p.Message, p.Hint = "the expression ends too early", "write what is missing at its end: a field behind a point, "+
			"a value behind an operator"
		if open := unclosed(tokens); open != "" {
			p.Message, p.Hint = fmt.Sprintf("a %s is not closed", open), ""
		}
		return
	}
	t := tokens[i]
	p.From, p.To = t.From, t.To
	word := string(runes[t.From:min(t.To, len(runes))])
	p.Message = fmt.Sprintf("%s cannot stand here", word)
	switch {
	case t.Is(lexer.Operator, "#"):
		p.Message, p.Hint = "# is an item of a list, and can be used only inside filter, map, all and the like", ""
	case word == "=":
		p.Message, p.Hint = "= does not compare", "write == to compare"
	case word == "," && slices.ContainsFunc(tokens[:i], func(t lexer.Token) bool { return t.Is(lexer.Operator, "if") }):
		p.Hint = "write condition ? one : other"
	case t.Kind == lexer.Identifier && (word == "div" || word == "mod"):
		p.Hint = "write / to divide, % for the remainder"
	case word == "&" || word == "|" || word == "*=" || word == "&=":
		p.Hint = `write and, or; + joins texts`
	case word == ">" && i > 0 && tokens[i-1].Value == "<":
		p.From = tokens[i-1].From
		p.Message, p.Hint = "<> does not compare", "write != for not equal"
	case t.Kind == lexer.Identifier && slices.Contains([]string{"AND", "OR", "NOT", "IN", "And", "Or", "Not"}, word):
		p.Hint = "write " + strings.ToLower(word)
	case t.Kind == lexer.Identifier && slices.Contains([]string{"is", "IS", "eq", "equals"}, word):
		p.Hint = "write == to compare, blank(...) to ask whether there is a value"
	case t.Kind == lexer.Identifier && i > 0 && tokens[i-1].Kind == lexer.Identifier:
		p.Hint = spacedName(tokens, i, s)
	case t.Is(lexer.Bracket, ")", "]", "}"):
		p.Message, p.Hint = fmt.Sprintf("%s closes a bracket that was not opened, or before something is complete", word), ""
	case t.Kind == lexer.String && i > 0:
		p.Hint = "texts are joined with +"
	}
}

// spacedName finds a field whose name has a space in it.
func spacedName(tokens []lexer.Token, i int, s *Scope) string {
	name := tokens[i-1].Value + " " + tokens[i].Value
	first := i - 1
	for first >= 2 && tokens[first-1].Is(lexer.Operator, ".") && tokens[first-2].Kind == lexer.Identifier {
		first -= 2
	}
	var path []string
	shape := s.shapes[tokens[first].Value]
	for j := first; j < i-1 && shape != nil; j += 2 {
		if j > first {
			shape = shape.fields[tokens[j].Value]
		}
		path = append(path, tokens[j].Value)
	}
	if shape != nil && len(path) > 0 {
		for _, field := range shape.fieldNames() {
			if strings.HasPrefix(field, name) {
				return fmt.Sprintf("write %s", joinPath(append(path, field)))
			}
		}
	}
	return `two names need an operator between them; a field with a space in its name is read with trigger["Visit date"]`
}

// unclosed is the last opening bracket without its partner.
func unclosed(tokens []lexer.Token) string {
	var open []string
	for _, t := range tokens {
		switch nesting(t) {
		case 1:
			open = append(open, t.Value)
		case -1:
			if len(open) > 0 {
				open = open[:len(open)-1]
			}
		}
	}
	if len(open) == 0 {
		return ""
	}
	return open[len(open)-1]
}
