package results

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Query says which rows of results are looked for; zero fields do not restrict. With Texts and Line
// it is enough that one of them fits: a number may be a row's place or its id.
type Query struct {
	Texts   []string // the row's id, key or one of its objects is one of them
	Line    int
	Record  int64
	Outcome string
}

// Budget bounds one look at results.
type Budget struct {
	Rows  int       // found at most
	Bytes int64     // looked through at most, in steps of findStep; 0: all
	Until time.Time // looked through no longer; zero: to the end
}

// findStep is how much is looked through at once, and so the least that a look takes, in bytes.
const findStep = 1 << 20

// longestRow bounds a row of results, in bytes.
const longestRow = 256 << 10

// Find looks for rows in size bytes of results, from an offset that it gave before; 0 is the
// beginning. Next is the offset to go on from, 0 once all was looked through.
func Find(ctx context.Context, r io.ReaderAt, size, from int64, q Query, b Budget) (rows []Row, next int64, err error) {
	q.Texts = slices.DeleteFunc(slices.Clone(q.Texts), func(text string) bool { return text == "" })
	needles := q.needles()
	buf := make([]byte, findStep+longestRow)
	for at := from; at < size; at = next {
		if err := ctx.Err(); err != nil {
			return nil, 0, err
		}
		// A row is known by the line end before it.
		begin := max(at-1, 0)
		n, err := r.ReadAt(buf[:min(int64(len(buf)), size-begin)], begin)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, 0, fmt.Errorf("reading results file: %w", err)
		}
		part := stretch{text: buf[:n], whole: begin+int64(n) >= size}
		more, end := part.find(q, needles, b.Rows-len(rows))
		rows = append(rows, more...)
		next = begin + int64(end)
		if next <= at { // no line end in all of it: this is no results file
			return nil, 0, fmt.Errorf("reading results file: a row is longer than %d bytes", longestRow)
		}
		if len(rows) >= b.Rows || b.Bytes > 0 && next-from >= b.Bytes || !b.Until.IsZero() && time.Now().After(b.Until) {
			break
		}
	}
	if next >= size {
		next = 0
	}
	return rows, next, nil
}

// needles are texts of which every row that is looked for holds one.
func (q *Query) needles() [][]byte {
	switch {
	case q.Record > 0:
		return [][]byte{fmt.Appendf(nil, ",%d,", q.Record)}
	case q.Line > 0 || len(q.Texts) > 0:
		var list [][]byte
		if q.Line > 0 {
			list = append(list, fmt.Appendf(nil, "\n%d,", q.Line))
		}
		for _, text := range q.Texts {
			list = append(list, []byte(strings.ReplaceAll(text, `"`, `""`)))
		}
		return list
	case q.Outcome != "":
		return [][]byte{[]byte("," + q.Outcome + ",")}
	}
	return [][]byte{[]byte("\n")}
}

func (q *Query) means(r *Row) bool {
	if r.Outcome == Note || q.Record > 0 && r.Record != q.Record || q.Outcome != "" && r.Outcome != q.Outcome {
		return false
	}
	if q.Line > 0 && r.Line == q.Line || q.Line == 0 && len(q.Texts) == 0 {
		return true
	}
	return slices.ContainsFunc(q.Texts, func(text string) bool {
		return text == r.ID || text == r.Key || slices.Contains(r.Objects, text)
	})
}

// stretch is a part of a results file that begins with the line end before a row, or with the file.
type stretch struct {
	text  []byte
	whole bool // it goes to the end of the results
}

// find gives the rows of a stretch, at most so many, and to which row it was looked through.
func (s stretch) find(q Query, needles [][]byte, most int) (rows []Row, end int) {
	at := 0 // always where a row begins
	if len(s.text) > 0 && s.text[0] == '\n' {
		at = 1
	}
	end = len(s.text)
	if !s.whole { // what is behind belongs to rows that begin before it
		end = s.beginOf(at, min(end, findStep))
	}
	for at < end {
		hit := first(s.text[at-min(at, 1):end], needles)
		if hit < 0 {
			return rows, end
		}
		hit += at - min(at, 1)
		if s.text[hit] == '\n' { // the row lies behind it
			hit++
		}
		if hit = max(hit, at); hit >= end {
			return rows, end
		}
		at = s.beginOf(at, hit)
		row, after, ok := s.rowAt(at)
		if at = after; !ok || !q.means(&row) {
			continue
		}
		if rows = append(rows, row); len(rows) == most {
			return rows, at
		}
	}
	return rows, end
}

// beginOf gives where the row begins that a place lies in or before, from where a row begins that is not behind it.
// Texts of people may run over lines that look like rows: a line end is one of a row where the quotes before it are
// paired.
func (s stretch) beginOf(from, place int) int {
	part := s.text[from:place]
	for quotes := bytes.Count(part, quote); ; {
		line := bytes.LastIndexByte(part, '\n')
		if line < 0 {
			return from
		}
		if quotes -= bytes.Count(part[line:], quote); quotes%2 == 0 {
			return from + line + 1
		}
		part = part[:line]
	}
}

var quote = []byte{'"'}

// rowAt reads the row that begins at a place, and gives where the next one begins.
func (s stretch) rowAt(begin int) (row Row, after int, ok bool) {
	after, quotes := begin, 0
	for {
		line := bytes.IndexByte(s.text[after:], '\n')
		if line < 0 {
			after = len(s.text)
			break
		}
		quotes += bytes.Count(s.text[after:after+line], quote)
		if after += line + 1; quotes%2 == 0 {
			break
		}
	}
	c := csv.NewReader(bytes.NewReader(s.text[begin:after]))
	c.FieldsPerRecord = -1
	cells, err := c.Read()
	if err != nil || !wellFormed(cells) {
		return row, after, false
	}
	row, err = resultOf(cells)
	return row, after, err == nil
}

// first gives where the first of some texts stands; -1 for none.
func first(text []byte, needles [][]byte) int {
	at := -1
	for _, needle := range needles {
		if at >= 0 {
			text = text[:min(len(text), at+len(needle))]
		}
		if i := bytes.Index(text, needle); i >= 0 && (at < 0 || i < at) {
			at = i
		}
	}
	return at
}

// Original gives the path of a finished file whose results lie there: beside them, under their name.
func Original(results, name string) string {
	stem, _ := strings.CutSuffix(results, ".results.csv")
	return stem + suffix(filepath.Base(name))
}
