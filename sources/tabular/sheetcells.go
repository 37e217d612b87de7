package tabular

import (
	"encoding/xml"
	"errors"
	"strconv"
)

// cellParts is what a cell element holds.
type cellParts struct {
	column   int
	kind     string // the t attribute
	style    int
	value    []byte // of <v>
	inline   []byte // of <is>
	formula  bool
	hasValue bool
}

func (s *sheetRows) readCells() error {
	var c cellParts
	next := 0 // column of the next cell where it has no reference
	var into *[]byte
	phonetic := false
	for {
		t, err := s.token()
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case xml.StartElement:
			switch t.Name.Local {
			case "c":
				c = cellParts{column: next, value: c.value[:0], inline: c.inline[:0]}
				c.read(t.Attr)
				next = c.column + 1
			case "f":
				c.formula = true
			case "v":
				into, c.hasValue = &c.value, true
			case "rPh":
				phonetic = true
			case "t":
				if !phonetic {
					into = &c.inline
				}
			}
		case xml.CharData:
			if into != nil {
				*into = append(*into, t...)
			}
		case xml.EndElement:
			into = nil
			switch t.Name.Local {
			case "rPh":
				phonetic = false
			case "c":
				if c.column < s.width {
					if err := s.put(&c); err != nil {
						return err
					}
				}
			case "row":
				return nil
			}
		}
	}
}

func (c *cellParts) read(attrs []xml.Attr) {
	for _, a := range attrs {
		switch a.Name.Local {
		case "r":
			if n, ok := columnIndex(a.Value); ok {
				c.column = n
			}
		case "t":
			c.kind = a.Value
		case "s":
			c.style, _ = strconv.Atoi(a.Value) // none is 0
		}
	}
}

// columnIndex gives the column of a reference such as AB12, from 0.
func columnIndex(ref string) (int, bool) {
	n := 0
	for i := 0; i < len(ref); i++ {
		c := ref[i] &^ 0x20 // upper case
		if c < 'A' || c > 'Z' {
			break
		}
		if n = n*26 + int(c-'A') + 1; n > maxSheetColumns {
			return maxSheetColumns, true
		}
	}
	return n - 1, n > 0
}

// put adds a cell's value to the row.
func (s *sheetRows) put(c *cellParts) error {
	value, err := s.value(c)
	var fault *cellFault
	switch {
	case errors.As(err, &fault):
		s.faults = append(s.faults, columnFault{c.column, fault})
		value = string(c.value)
	case err != nil:
		return err
	}
	for len(s.cells) <= c.column {
		s.cells = append(s.cells, "")
	}
	s.cells[c.column] = value
	return nil
}

func (s *sheetRows) value(c *cellParts) (string, error) {
	if c.formula && (!c.hasValue || len(c.value) == 0 && c.kind != "str") {
		return "", &cellFault{"it holds a formula without a stored result",
			"open the file in a spreadsheet program and save it, or replace the formula by its value"}
	}
	switch c.kind {
	case "s":
		n, err := strconv.Atoi(string(c.value))
		if err != nil {
			return "", &cellFault{errNoSharedString.Error(), "open the file in a spreadsheet program and save it again"}
		}
		text, err := s.book.shared.get(n)
		if errors.Is(err, errNoSharedString) {
			return "", &cellFault{err.Error(), "open the file in a spreadsheet program and save it again"}
		}
		return text, err
	case "inlineStr":
		return unescapeCell(string(c.inline)), nil
	case "str":
		return unescapeCell(string(c.value)), nil
	case "b":
		return strconv.FormatBool(isTrue(string(c.value))), nil
	case "e":
		return "", &cellFault{"it holds the error " + shorten(string(c.value)), "fix the formula, or replace it by its value"}
	case "d":
		return isoDate(string(c.value)), nil
	}
	if len(c.value) == 0 {
		return "", nil
	}
	return s.book.number(string(c.value), c.style)
}
