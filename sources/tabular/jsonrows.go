package tabular

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources/tree"
)

// jsonRows reads a list of objects, or one object per line.
type jsonRows struct {
	src    io.ReadCloser
	place  string
	limit  int
	number int
	lines  *bufio.Reader // of NDJSON
	dec    *json.Decoder // of a list
	budget *budgetReader
	within []string // names of the objects around the list, from the outermost
	single bool     // the document is one record
	done   bool
}

func openJSON(b blob, f Format, lines bool) (rowSource, error) {
	enc, err := findEncoding(b.open, f.Encoding, b.name)
	if err != nil {
		return nil, readError(b.name, err)
	}
	src, err := enc.text(b.open)
	if err != nil {
		return nil, readError(b.name, err)
	}
	j := &jsonRows{src: src, place: b.name, limit: f.MaxRow}
	if lines {
		j.lines = bufio.NewReaderSize(src, 64<<10)
		return j, nil
	}
	j.budget = &budgetReader{r: src}
	j.budget.allow(f.MaxRow)
	j.dec = json.NewDecoder(j.budget)
	j.dec.UseNumber()
	if err := j.enter(b, f, enc); err != nil {
		j.src.Close()
		return nil, j.failure(err)
	}
	return j, nil
}

// budgetReader stops a decoder that would keep too much of a document in memory.
type budgetReader struct {
	r    io.Reader
	left int
}

var errOverBudget = errors.New("item is too long")

// allow sets how much may be read from now on; a decoder reads ahead by its buffer.
func (b *budgetReader) allow(n int) { b.left = n + 64<<10 }

func (b *budgetReader) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errOverBudget
	}
	n, err := b.r.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// enter moves to the first item of the list that the path leads to. A document that is a list
// stands for itself, whatever the path: files of failed rows are such. A document without a list is
// one record.
func (j *jsonRows) enter(b blob, f Format, enc textEncoding) error {
	path := strings.FieldsFunc(f.Items, func(r rune) bool { return r == '.' })
	t, err := j.dec.Token()
	if err != nil {
		return err
	}
	if t == json.Delim('[') {
		return nil
	}
	for depth, key := range path {
		if t != json.Delim('{') {
			return j.noItems(f, "there is no object at "+strings.Join(path[:depth+1], "."))
		}
		found := false
		for j.dec.More() {
			name, err := j.dec.Token()
			if err != nil {
				return err
			}
			if name == key {
				found = true
				break
			}
			if err := j.passOver(); err != nil {
				return err
			}
		}
		if !found {
			return j.noItems(f, fmt.Sprintf("it has no %q", strings.Join(path[:depth+1], ".")))
		}
		j.within = path[:depth+1]
		if t, err = j.dec.Token(); err != nil {
			return err
		}
	}
	switch {
	case t == json.Delim('['):
		return nil
	case t == json.Delim('{') && len(path) == 0:
		return j.whole(b, enc)
	}
	return j.noItems(f, "there is no list of objects")
}

func (j *jsonRows) noItems(f Format, what string) error {
	hint := "name the list with items:, or drop a list of objects"
	if f.Items != "" {
		hint = "check items: against the file"
	}
	return &FileError{Problem: diag.Problem{Place: diag.Place{File: j.place}, Message: what, Hint: hint}}
}

// whole starts again on a document that is one object.
func (j *jsonRows) whole(b blob, enc textEncoding) error {
	if err := j.src.Close(); err != nil {
		return err
	}
	src, err := enc.text(b.open)
	if err != nil {
		return err
	}
	j.src, j.single = src, true
	j.budget = &budgetReader{r: src}
	j.dec = json.NewDecoder(j.budget)
	return nil
}

// passOver reads one value token by token, so that no more than a token of it is in memory.
func (j *jsonRows) passOver() error {
	depth := 0
	for {
		j.budget.allow(j.limit)
		t, err := j.dec.Token()
		if err != nil {
			return err
		}
		switch t {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}

func (j *jsonRows) raw() ([]byte, error) {
	if j.lines != nil {
		return j.line()
	}
	if j.done {
		return nil, io.EOF
	}
	if j.single && j.number > 0 || !j.single && !j.dec.More() {
		j.done = true
		if err := j.leave(); err != nil {
			return nil, j.failure(err)
		}
		return nil, io.EOF
	}
	j.number++
	j.budget.allow(j.limit)
	var raw json.RawMessage
	if err := j.dec.Decode(&raw); err != nil {
		return nil, j.failure(err)
	}
	return raw, nil
}

// leave reads what follows the items: nothing of it may be a second list of them.
func (j *jsonRows) leave() error {
	if !j.single {
		if _, err := j.dec.Token(); err != nil { // the end of the list
			return err
		}
	}
	for depth := len(j.within) - 1; depth >= 0; depth-- {
		for j.dec.More() {
			name, err := j.dec.Token()
			if err != nil {
				return err
			}
			if name == j.within[depth] {
				return &FileError{Problem: diag.Problem{Place: diag.Place{File: j.place},
					Message: fmt.Sprintf("it gives %q twice, and only the first was read", strings.Join(j.within[:depth+1], ".")),
					Hint:    "put all records into one list"}}
			}
			if err := j.passOver(); err != nil {
				return err
			}
		}
		if _, err := j.dec.Token(); err != nil { // the end of the object around it
			return err
		}
	}
	j.budget.allow(j.limit)
	switch _, err := j.dec.Token(); {
	case err == io.EOF:
		return nil
	case err != nil:
		return err
	}
	return &FileError{Problem: diag.Problem{Place: diag.Place{File: j.place},
		Message: "more follows its end, which was not read",
		Hint:    "put all records into one list, or one on each line"}}
}

// line gives the next line of NDJSON that is not blank.
func (j *jsonRows) line() ([]byte, error) {
	for {
		var line []byte
		long := false
		for {
			part, err := j.lines.ReadSlice('\n')
			if len(line)+len(part) > j.limit {
				long = true
			} else {
				line = append(line, part...)
			}
			if err == bufio.ErrBufferFull {
				continue
			}
			if err == io.EOF && len(part)+len(line) == 0 && !long {
				return nil, io.EOF
			}
			if err != nil && err != io.EOF {
				return nil, readError(j.place, err)
			}
			break
		}
		j.number++
		if long {
			return nil, &RowError{Line: j.number,
				Problem: diag.Problem{Message: fmt.Sprintf("the line is longer than %d bytes", j.limit),
					Hint: "look for a missing line end before it"}}
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			return line, nil
		}
	}
}

func (j *jsonRows) next(row *Row) error {
	raw, err := j.raw()
	if err != nil {
		return err
	}
	body, err := tree.JSON(raw, tree.Limits{Depth: maxJSONDepth, Once: true})
	if err != nil {
		var e *diag.Problem
		if !errors.As(err, &e) {
			return fmt.Errorf("reading %s: %w", j.place, err)
		}
		return &RowError{Line: j.number, Problem: diag.Problem{Message: e.Message, Hint: e.Hint}, Raw: bytes.Clone(raw)}
	}
	object, ok := body.(map[string]any)
	if !ok {
		return &RowError{Line: j.number, Problem: diag.Problem{Message: "the item is no JSON object",
			Hint: "each item of the list, or line, is one object"}, Raw: bytes.Clone(raw)}
	}
	row.Fixes, _ = object[LinkColumn].(string)
	for _, column := range OurColumns {
		delete(object, column)
	}
	delete(object, formerFixColumn)
	row.Line, row.Body, row.Raw = j.number, object, raw
	return nil
}

func (j *jsonRows) skip() error {
	_, err := j.raw()
	return err
}

func (j *jsonRows) failure(err error) error {
	var syntax *json.SyntaxError
	var own *FileError
	switch {
	case errors.As(err, &own):
		return err
	case errors.Is(err, errOverBudget):
		return &FileError{Problem: diag.Problem{Place: diag.Place{File: j.place},
			Message: fmt.Sprintf("item %d is longer than %d bytes", max(j.number, 1), j.limit),
			Hint:    "name the list of records with items:, or split the file"}}
	case errors.As(err, &syntax):
		return &FileError{Problem: diag.Problem{Place: diag.Place{File: j.place},
			Message: fmt.Sprintf("item %d is not JSON", max(j.number, 1)),
			Hint:    "check quotes, commas and brackets there"}}
	case err == io.EOF:
		return &FileError{Problem: diag.Problem{Place: diag.Place{File: j.place},
			Message: "it ends too early: part of it is missing",
			Hint:    "copy or export it again"}}
	}
	return readError(j.place, err)
}

func (j *jsonRows) header() []string { return nil }
func (j *jsonRows) layout() Layout {
	if j.lines != nil {
		return Layout{Kind: NDJSON}
	}
	return Layout{Kind: JSON}
}
func (j *jsonRows) close() error { return j.src.Close() }
