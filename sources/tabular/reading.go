package tabular

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
)

// columns relates what a rule reads to the headers of a table.
type columns struct {
	reading  *rules.Reading
	optional map[string]bool // declared so, by their names in comparison
	anyway   bool            // every column may be missing
	trigger  string          // as Format.Trigger
}

func newColumns(f Format) *columns {
	c := &columns{reading: f.Reading, optional: map[string]bool{}, anyway: f.AllOptional, trigger: f.Trigger}
	for _, name := range f.Optional {
		c.optional[fold(name)] = true
	}
	return c
}

// fold is a name without regard to case, to the space in it and to whether accents are written apart, as Macs do.
func fold(name string) string {
	return strings.ToLower(strings.Join(strings.Fields(norm.NFC.String(name)), " "))
}

// wanted lists the plain names that the rule reads: the first one on the way to each field.
func (c *columns) wanted() []string {
	var names []string
	if c.reading == nil {
		return nil
	}
	for _, choice := range c.reading.Needs {
		for _, field := range choice {
			if len(field) > 0 && !slices.Contains(names, field[0]) {
				names = append(names, field[0])
			}
		}
	}
	return names
}

// rename gives headers the names by which the rule reads them, where they differ only in case and
// space and no other column could be meant.
func (c *columns) rename(header []string) []string {
	out := slices.Clone(header)
	for _, want := range c.wanted() {
		if slices.Contains(header, want) {
			continue
		}
		at, fits := 0, 0
		for i, h := range header {
			if h != "" && fold(h) == fold(want) && !strings.HasPrefix(h, "form.") {
				at, fits = i, fits+1
			}
		}
		if fits == 1 {
			out[at] = want
		}
	}
	return out
}

// meansOne tells whether the rule reads a name without telling several columns of it apart.
func (c *columns) meansOne(name string) bool {
	wanted := c.wanted()
	if !slices.ContainsFunc(wanted, func(w string) bool { return fold(w) == fold(name) }) {
		return false
	}
	return !slices.ContainsFunc(wanted, func(w string) bool { return strings.HasPrefix(fold(w), fold(name)+".") })
}

// serves tells whether a column holds a field, all of it or a part of it.
func serves(header string, field []string) bool {
	if header == "" || len(field) == 0 {
		return false
	}
	if header == field[0] {
		return true
	}
	dotted := strings.Join(field, ".")
	for _, sign := range []string{" | ", ": "} {
		if question, _, ok := strings.Cut(header, sign); ok && strings.HasPrefix(header, "form.") {
			header = question
		}
	}
	return header == dotted || strings.HasPrefix(header, dotted+".") || strings.HasPrefix(dotted, header+".")
}

// reads tells whether the rule reads a column; every column where it is not known.
func (c *columns) reads(header string) bool {
	if c.reading == nil || c.reading.Whole {
		return true
	}
	for _, choice := range c.reading.Needs {
		for _, field := range choice {
			if serves(header, field) {
				return true
			}
		}
	}
	return false
}

// mayMiss tells whether a field need not have a column.
func (c *columns) mayMiss(field []string) bool {
	return c.anyway || len(field) == 0 || c.optional[fold(field[0])] || c.optional[fold(strings.Join(field, "."))]
}

// missing lists fields that the rule reads and no column holds, as a person would name them. groups
// are the fields of repeat groups.
func (c *columns) missing(header []string, groups [][]string) (names []string, of int) {
	if c.reading == nil {
		return nil, 0
	}
	has := func(field []string) bool {
		for _, h := range header {
			if serves(h, field) {
				return true
			}
		}
		for _, group := range groups {
			n := min(len(group), len(field))
			if n > 0 && slices.Equal(group[:n], field[:n]) {
				return true
			}
		}
		return false
	}
	for _, choice := range c.reading.Needs {
		if slices.ContainsFunc(choice, c.mayMiss) {
			continue
		}
		of++
		if !slices.ContainsFunc(choice, has) {
			names = append(names, strings.Join(choice[0], "."))
		}
	}
	return names, of
}

// check refuses a table that lacks what the rule reads: its values would be blank without a word.
func (c *columns) check(header []string, groups [][]string, place string) error {
	names, of := c.missing(header, groups)
	if len(names) == 0 {
		return nil
	}
	lacks := "it has no column %s, which the rule reads"
	if len(names) > 1 {
		lacks = "it has no columns %s, which the rule reads"
	}
	e := &FileError{Problem: diag.Problem{Place: diag.Place{File: place},
		Message: fmt.Sprintf(lacks, diag.Names(short(names, 5), "and"))}}
	if len(names) == of && looksLikeData(header) {
		e.Message = "its first row holds no headers: none of the columns that the rule reads is there, but " +
			listColumns(header)
		e.Hint = "put the names of the columns into the first row; or name them in the trigger: header: none, columns: [...]"
		return e
	}
	var hints []string
	for _, name := range names[:min(len(names), 3)] {
		if near := nearestColumns(name, header); len(near) > 0 {
			hints = append(hints, fmt.Sprintf("%q may be the column %s", shorten(name), diag.Names(short(near, 3), "or")))
		}
	}
	if len(hints) == 0 {
		hints = append(hints, "it has "+listColumns(header))
	}
	e.Hint = strings.Join(hints, "; ") + ": rename the column, or the name in the rule; "
	if c.trigger == "" {
		e.Hint += "where files may lack it, write columns: {optional: [" + names[0] + "]}"
	} else {
		e.Hint += "the rule takes its records by " + c.trigger + ": send most files to a rule that has the trigger files"
	}
	return e
}

// nearestColumns gives the columns that were probably meant by a name: alike, or with the name among their words.
func nearestColumns(name string, header []string) []string {
	near := diag.Nearest(name, header)
	for _, h := range header {
		words, part := fold(strings.ReplaceAll(h, "_", " ")), fold(strings.ReplaceAll(name, "_", " "))
		if part != "" && words != "" && !slices.Contains(near, h) &&
			(strings.Contains(" "+words+" ", " "+part+" ") || strings.Contains(" "+part+" ", " "+words+" ")) {
			near = append(near, h)
		}
	}
	return near
}

// short keeps the first few names, none too long for a message.
func short(names []string, most int) []string {
	out := make([]string, min(len(names), most))
	for i := range out {
		out[i] = shorten(names[i])
	}
	return out
}

// looksLikeData tells whether a row of headers is one of values: it holds numbers, dates or texts that come twice.
func looksLikeData(header []string) bool {
	for _, h := range header {
		if strings.Trim(h, "0123456789.,-/:+ ") == "" && strings.ContainsAny(h, "0123456789") {
			return true
		}
	}
	return false
}

// unused lists the columns that the rule does not read.
func (c *columns) unused(header []string) (names []string) {
	for _, h := range header {
		if h != "" && !c.reads(h) {
			names = append(names, h)
		}
	}
	return names
}
