package diag

import (
	"encoding"
	"fmt"
	"strconv"
	"strings"
)

// Problem is one thing that is wrong, wherever it is met: in a file that a person wrote, in a
// record, in what another system answers. What knows more than this embeds it. As JSON it is a fault
// of a record, as the journal keeps it and `culvert failures --json` prints it.
type Problem struct {
	Code    string `json:"code"`           // stable, kebab-case, or the other system's own, such as E1064; may be empty
	Message string `json:"cause"`          // what is wrong: lower case, no full stop, without data of a record
	Hint    string `json:"hint,omitempty"` // what to do about it, in one line; may be empty
	Field   string `json:"field,omitempty"`
	// Column is what the record calls the field whose value is wrong: a column, a path in a form.
	Column string `json:"column,omitempty"`
	Value  string `json:"value,omitempty"` // data of the record, which no log may hold: kept in the journal only
	Place  Place  `json:"place,omitzero"`  // in the rule or the file, as exact as known
}

// Error gives place, cause and fix in one sentence, without the value.
func (p *Problem) Error() string {
	var b strings.Builder
	if place := p.Place.String(); place != "" {
		b.WriteString(place)
		b.WriteString(": ")
	}
	b.WriteString(p.Message)
	if p.Hint != "" {
		b.WriteString("; ")
		b.WriteString(p.Hint)
	}
	return b.String()
}

// String gives file:line:col, leaving out what is not known.
func (p Place) String() string {
	at := p.Range.Start
	switch {
	case at.Line == 0:
		return p.File
	case p.File == "":
		return fmt.Sprintf("line %d", at.Line)
	case at.Column == 0:
		return fmt.Sprintf("%s:%d", p.File, at.Line)
	}
	return fmt.Sprintf("%s:%d:%d", p.File, at.Line, at.Column)
}

// ParsePlace reads what String gives; where the range ends is not in it. Any other text is the name of a file.
func ParsePlace(text string) Place {
	p := Place{File: text}
	rest, column, ok := cutNumber(text)
	if !ok {
		return p
	}
	if file, line, two := cutNumber(rest); two {
		return Place{File: file, Range: Range{Start: Position{Line: line, Column: column}}}
	}
	return Place{File: rest, Range: Range{Start: Position{Line: column}}}
}

// cutNumber takes :12 off the end of a text.
func cutNumber(text string) (rest string, number int, ok bool) {
	i := strings.LastIndexByte(text, ':')
	if i <= 0 {
		return text, 0, false
	}
	n, err := strconv.Atoi(text[i+1:])
	if err != nil || n <= 0 || strconv.Itoa(n) != text[i+1:] {
		return text, 0, false
	}
	return text[:i], n, true
}

var (
	_ encoding.TextMarshaler   = Place{}
	_ encoding.TextUnmarshaler = (*Place)(nil)
)

// MarshalText gives what String gives.
func (p Place) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads what MarshalText gave; see ParsePlace.
func (p *Place) UnmarshalText(text []byte) error {
	*p = ParsePlace(string(text))
	return nil
}
