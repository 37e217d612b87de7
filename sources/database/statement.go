package database

import (
	"fmt"
	"slices"
	"strings"

	"github.com/culvert/culvert/rules/diag"
)

// Parameters of a write-back statement that tell of the outcome. All others are columns of the row.
var outcomeParameters = []string{"cause", "code", "hint", "object", "objects", "outcome", "record", "settled"}

// writing are the words that a write-back statement may begin with.
var writing = []string{"UPDATE", "INSERT", "REPLACE", "MERGE", "DELETE", "WITH", "CALL", "EXEC", "EXECUTE"}

// statement is a write-back taken apart at its parameters.
type statement struct {
	text       string
	first      string // its first word, in capitals
	parameters []parameter
	sets       []string // columns that it assigns to, as far as that is seen
}

// parameter is one :name of a statement.
type parameter struct {
	name     string
	from, to int // of the text, with the colon
	column   bool
}

// parseStatement finds the parameters of a statement, and what keeps it from being one that writes.
func parseStatement(text string) (statement, []problem) {
	out := statement{text: text}
	var found []problem
	add := func(t token, message, hint string) { found = append(found, problem{t.from, t.to, message, hint}) }
	s := scanner{text: text}
	var set assignments
	first := true
	for {
		t, ok := s.next()
		if !ok {
			break
		}
		sign := text[t.from:t.to]
		switch {
		case t.unclosed != "":
			add(t, t.unclosed+" is not closed", "close it")
			return out, found
		case first && !slices.Contains(writing, strings.ToUpper(sign)):
			add(t, "the statement does not begin with a word that writes", "begin it with "+diag.Names(writing, "or"))
			return out, found
		case sign == ";":
			add(t, "the statement holds a semicolon", "write one statement, without a semicolon at its end")
			return out, found
		case sign == ":":
			if p, ok := s.parameter(t); ok {
				out.parameters = append(out.parameters, p)
			}
		}
		if first {
			out.first, first = strings.ToUpper(sign), false
		}
		set.see(t, sign)
	}
	out.sets = set.columns
	if first {
		found = append(found, problem{0, len(text), "the statement is empty",
			"write an UPDATE, such as UPDATE visits SET dhis2 = :outcome WHERE id = :id"})
	}
	if len(found) == 0 && !slices.ContainsFunc(out.parameters, func(p parameter) bool { return p.column }) {
		found = append(found, problem{0, len(text),
			"the statement names no column of the row, so that every outcome would be written to the same place",
			"name the row: ... WHERE id = :id"})
	}
	return out, found
}

// assignments finds the columns behind SET.
type assignments struct {
	columns []string
	depth   int
	in      bool   // behind SET, and before what follows its list
	expect  bool   // a name comes next
	name    string // that came
}

func (a *assignments) see(t token, sign string) {
	name := a.name
	a.name = ""
	switch {
	case sign == "(":
		a.depth++
	case sign == ")":
		a.depth--
	case a.depth != 0:
	case t.word && strings.EqualFold(sign, "SET"):
		a.in, a.expect = true, true
		return
	case !a.in:
	case sign == ",", sign == "." && name != "":
		a.expect = true
		return
	case sign == "[" && a.expect:
		return
	case sign == "]" && name != "":
		a.name = name
	case sign == "=" && name != "":
		a.columns = append(a.columns, name)
	case t.word && (strings.EqualFold(sign, "WHERE") || strings.EqualFold(sign, "FROM")):
		a.in = false
	case a.expect && (t.word || strings.ContainsAny(sign[:1], "\"`")):
		a.name = strings.Trim(sign, "\"`")
	}
	a.expect = false
}

// parameter reads the name behind a colon. Two colons are a cast, and := assigns.
func (s *scanner) parameter(colon token) (parameter, bool) {
	if s.at < len(s.text) && s.text[s.at] == ':' {
		s.at++
		return parameter{}, false
	}
	from := s.at
	for s.at < len(s.text) && isWordByte(s.text[s.at]) {
		s.at++
	}
	name := s.text[from:s.at]
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		return parameter{}, false
	}
	return parameter{name: name, from: colon.from, to: s.at, column: !slices.Contains(outcomeParameters, name)}, true
}

// assigns tells whether the statement sets a column.
func (s *statement) assigns(column string) bool {
	return slices.ContainsFunc(s.sets, func(name string) bool { return strings.EqualFold(name, column) })
}

// bind gives the statement as a dialect takes it, with one placeholder for every parameter in the order of the text.
func (s *statement) bind(d *dialect) string {
	var b strings.Builder
	at := 0
	for i, p := range s.parameters {
		b.WriteString(s.text[at:p.from])
		b.WriteString(d.placeholder(i + 1))
		at = p.to
	}
	b.WriteString(s.text[at:])
	if d == sqlServer && s.first == "MERGE" {
		b.WriteString("\n;") // without which SQL Server does not take a MERGE; the line's end closes a comment
	}
	return b.String()
}

// unknownColumn words that a row has no such column.
func unknownColumn(name string, columns []string) (message, hint string) {
	known := append(slices.Clone(columns), outcomeParameters...)
	slices.Sort(known)
	return fmt.Sprintf("the statement names :%s, which is neither a column of the row nor part of its outcome", name),
		diag.Suggest(name, known, "names")
}
