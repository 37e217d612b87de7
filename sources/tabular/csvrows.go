package tabular

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/culvert/culvert/rules/diag"
)

// rowSource gives the rows of one table or document. Rows that cannot be read are *RowError, and
// the next call goes on behind them.
type rowSource interface {
	next(row *Row) error
	// skip passes over one row, bad ones included.
	skip() error
	header() []string
	layout() Layout
	close() error
}

// csvRows reads CSV and TSV.
type csvRows struct {
	src     io.Closer
	lex     *csvLexer
	head    []string // as bodies and failed rows use it, without the columns that Culvert added
	plan    *plan
	link    int // column of links, -1: none
	shape   Layout
	ours    bool // the file is one of failed rows that Culvert wrote
	place   string
	limit   int
	rule    *columns
	format  Format
	decoded bool // read from another encoding than UTF-8
	mixed   bool
}

// openCSV opens a text table. name is the file's or, in a zip, the table's.
func openCSV(open opener, place string, f Format) (_ *csvRows, err error) {
	enc, err := findEncoding(open, f.Encoding, place)
	if err != nil {
		return nil, readError(place, err)
	}
	src, err := enc.text(open)
	if err != nil {
		return nil, readError(place, err)
	}
	defer func() {
		if err != nil {
			src.Close()
		}
	}()
	c := &csvRows{src: src, place: place, rule: newColumns(f), format: f, limit: f.MaxRow, decoded: enc.decoder != nil,
		mixed: enc.mixed}
	c.lex = newCSVLexer(src, ',', '\n', f.MaxRow)
	c.lex.fill()
	if c.lex.end == 0 {
		if c.lex.srcErr != io.EOF {
			return nil, readError(place, c.lex.srcErr)
		}
		return nil, emptyFile(place)
	}
	c.sniff(f)
	if err := c.readHeader(f); err != nil {
		return nil, readError(place, err)
	}
	c.shape = Layout{Kind: CSV, Delimiter: c.lex.delim, BOM: enc.bom || enc.decoder != nil, Header: c.head,
		HeaderRow: f.Header}
	if c.lex.delim == '\t' {
		c.shape.Kind = TSV
	}
	return c, nil
}

// sniff finds line end and delimiter from the first stretch of the text.
func (c *csvRows) sniff(f Format) {
	text := c.lex.buf[:c.lex.end]
	if bytes.IndexByte(text, '\n') < 0 && bytes.IndexByte(text, '\r') >= 0 {
		c.lex.newline = '\r'
	}
	c.lex.delim = f.Delimiter
	if hint := sepHint(text); hint != 0 {
		// Excel's own first line, which it does not count as a row.
		c.lex.delim = hint
		if end := bytes.IndexByte(text, c.lex.newline); end >= 0 {
			c.lex.advance(end + 1)
		}
	}
	if c.lex.delim == 0 {
		c.lex.delim = sniffDelimiter(text, c.lex.newline, f.Header)
	}
}

// sepHint gives the delimiter of a first line such as sep=; that Excel reads and writes; 0 when there is none.
func sepHint(text []byte) byte {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	line = bytes.Trim(bytes.TrimSpace(line), `"`)
	if len(line) == 5 && bytes.EqualFold(line[:4], []byte("sep=")) && ASCIIDelimiter(rune(line[4])) {
		return line[4]
	}
	if bytes.EqualFold(line, []byte("sep=")) && bytes.HasPrefix(bytes.TrimLeft(text, `"`)[4:], []byte("\t")) {
		return '\t'
	}
	return 0
}

var delimiters = []byte{',', ';', '\t', '|'}

// sniffDelimiter picks the delimiter that splits the first rows most evenly: the same number of
// cells in all of them, and the most cells.
func sniffDelimiter(text []byte, newline byte, headerRow int) byte {
	best, bestScore := byte(','), 0
	for _, d := range delimiters {
		lex := newCSVLexer(bytes.NewReader(text), d, newline, len(text)+1)
		var cells, same, rows int
		for rows < 20 {
			if _, err := lex.next(); err != nil {
				break
			}
			if lex.line < headerRow {
				continue
			}
			if lex.start == lex.end && rows > 0 {
				break // the last row may have been cut off
			}
			rows++
			if cells == 0 {
				cells = len(lex.spans)
			}
			if len(lex.spans) == cells {
				same++
			}
		}
		if cells < 2 || rows == 0 {
			continue
		}
		score := same*1000/rows*10000 + cells
		if score > bestScore {
			best, bestScore = d, score
		}
	}
	return best
}

func (c *csvRows) readHeader(f Format) error {
	if f.NoHeader && !c.ownFile() {
		return c.takeHeader(f.Columns)
	}
	for {
		fault, err := c.lex.nextLine()
		if err == io.EOF {
			return &FileError{Problem: diag.Problem{Place: diag.Place{File: c.place},
				Message: fmt.Sprintf("it ends before row %d, where the headers should be",
					f.Header),
				Hint: "check header:, and that the file was written to its end"}}
		}
		if err != nil {
			return err
		}
		c.lex.line++
		if c.lex.line < f.Header {
			continue
		}
		if fault != faultNone {
			e := c.fault(fault)
			return &FileError{Problem: diag.Problem{Place: diag.Place{File: c.place},
				Message: "the header row cannot be read: " + e.Message, Hint: e.Hint}}
		}
		// A file may begin with blank lines; the header is then the first row that is not blank.
		if c.lex.blank() && f.Header == 1 {
			continue
		}
		break
	}
	cells := c.lex.cells(nil)
	if hasOurColumns(cells) {
		c.ours = true
		for i := range cells {
			cells[i] = Unguard(cells[i])
		}
	}
	header, err := checkHeader(cells, f, c.place)
	if err != nil {
		return err
	}
	return c.takeHeader(header)
}

func (c *csvRows) takeHeader(header []string) error {
	c.lex.want = len(header)
	c.plan = newPlan(c.rule.rename(header))
	c.head, c.link = withoutOurs(header), linkColumn(header)
	return nil
}

// ownFile tells whether a file without a header is one of failed rows, which has one.
func (c *csvRows) ownFile() bool {
	line, _, _ := bytes.Cut(c.lex.buf[c.lex.start:c.lex.end], []byte{c.lex.newline})
	return bytes.Contains(line, []byte(CauseColumn)) || bytes.Contains(line, []byte(columnsIn["pt"][0]))
}

// endsEarly tells whether the current row, which has fewer cells than the header, may be taken: the
// rule reads none of the columns that it lacks, or says that they are blank. Excel leaves out empty
// cells at the end of rows; but a line end inside a cell cuts rows in the same way.
func (c *csvRows) endsEarly() bool {
	if c.format.ShortRows {
		return true
	}
	if c.format.Reading == nil {
		return false
	}
	for _, name := range c.head[min(len(c.lex.spans), len(c.head)):] {
		if c.rule.reads(name) && !c.rule.mayMiss([]string{name}) {
			return false
		}
	}
	return true
}

// cells gives the cells of the current row; they share one piece of memory.
func (l *csvLexer) cells(reuse []string) []string {
	text := string(l.row)
	cells := reuse[:0]
	if cap(cells) < len(l.spans) {
		cells = make([]string, 0, len(l.spans))
	}
	for _, s := range l.spans {
		cell := text[s.from:s.to]
		if s.doubled {
			cell = strings.ReplaceAll(cell, `""`, `"`)
		}
		cells = append(cells, cell)
	}
	return cells
}

func (c *csvRows) next(row *Row) error {
	fault, err := c.lex.next()
	if err != nil {
		return readError(c.place, err)
	}
	if fault == faultShort && c.endsEarly() {
		fault = faultNone
	}
	if fault != faultNone {
		return c.fault(fault)
	}
	cells := c.lex.cells(nil)
	if c.decoded && bytes.Contains(c.lex.row, []byte("\uFFFD")) {
		e := c.fault(faultEncoding)
		return e
	}
	if c.ours {
		for i := range cells {
			cells[i] = Unguard(cells[i])
		}
	}
	row.Line = c.lex.line
	row.Body = c.plan.body(cells)
	row.Cells, row.Fixes = cells[:min(len(cells), len(c.head))], linkIn(cells, c.link)
	return nil
}

func (c *csvRows) skip() error {
	fault, err := c.lex.next()
	if err != nil {
		return readError(c.place, err)
	}
	if fault != faultNone {
		return c.fault(fault)
	}
	return nil
}

func (c *csvRows) header() []string { return c.head }
func (c *csvRows) layout() Layout   { return c.shape }
func (c *csvRows) close() error     { return c.src.Close() }

// fault words what is wrong with the current row.
func (c *csvRows) fault(f rowFault) *RowError {
	e := &RowError{Line: c.lex.line}
	if f != faultTooLong {
		e.Cells = c.salvaged()
	}
	switch f {
	case faultOpenQuote:
		e.Message = "a quote is opened and not closed"
		e.Hint = `close it; a quote inside quoted text is written twice ("")`
	case faultAfterQuote:
		e.Message = "text follows a closing quote"
		e.Hint = `quote the whole cell; a quote inside quoted text is written twice ("")`
	case faultTooLong:
		e.Message = fmt.Sprintf("the row is longer than %d bytes", c.limit)
		e.Hint = "look for a missing line end or quote before it"
	case faultCells:
		e.Message = fmt.Sprintf("it has %d cells and the header has %d", len(c.lex.spans), c.lex.want)
		e.Hint = "put cells that hold the delimiter or line ends in quotes"
	case faultShort:
		at := min(len(c.lex.spans), len(c.head))
		e.Message = fmt.Sprintf("it ends after %d of %d cells", len(c.lex.spans), c.lex.want)
		if at < len(c.head) {
			e.Column = c.head[at]
			e.Message += ": there is nothing for " + diag.Names(short(c.head[at:], 3), "and")
		}
		e.Hint = "fill the row in to its end, and put cells that hold line ends in quotes; if the program leaves out " +
			"empty cells at the end, write short_rows: blank"
	case faultNUL:
		c.nameCell(e, func(cell string) bool { return strings.ContainsRune(cell, 0) })
		e.Message = "it holds a NUL byte"
		e.Hint = "the row was damaged when it was written or copied; export it again"
	case faultEncoding:
		c.nameCell(e, func(cell string) bool {
			return !utf8.ValidString(cell) || strings.ContainsRune(cell, utf8.RuneError)
		})
		e.Message = "it holds bytes that are no text in the file's encoding"
		e.Hint = "save the file as UTF-8, or declare its encoding with encoding:"
		if c.mixed {
			e.Message = "it is not in UTF-8 though other rows are"
			e.Hint = "the file was put together from files of several encodings; save all of it as UTF-8"
		}
	}
	return e
}

// nameCell says in which column the first damaged cell of the row stands, and what can be read of it.
func (c *csvRows) nameCell(e *RowError, damaged func(cell string) bool) {
	at := slices.IndexFunc(c.lex.cells(nil), damaged)
	if at >= 0 && at < len(c.head) && at < len(e.Cells) {
		e.Column, e.Value = c.head[at], e.Cells[at]
	}
}

// salvaged gives the cells of a bad row as far as they can be told apart, at most as many as the
// header has: what is too much goes to the last.
func (c *csvRows) salvaged() []string {
	cells := c.lex.cells(nil)
	for i, cell := range cells {
		cells[i] = strings.ToValidUTF8(strings.ReplaceAll(cell, "\x00", ""), "\uFFFD")
	}
	if want := len(c.head); want > 0 && len(cells) > want {
		rest := strings.Join(cells[want-1:], string(rune(c.lex.delim)))
		cells = append(cells[:want-1:want-1], rest)
	}
	return cells
}

// readError makes a finding of what goes wrong while a file is read.
func readError(place string, err error) error {
	var fe *FileError
	switch {
	case err == nil || err == io.EOF || errors.As(err, &fe):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return &FileError{Problem: diag.Problem{Place: diag.Place{File: place},
			Message: "it ends too early: part of it is missing", Hint: "copy or export it again"}}
	case isOurs(err):
		return fmt.Errorf("reading %s: %w", place, err)
	}
	return &FileError{Problem: diag.Problem{Place: diag.Place{File: place}, Message: "its packed content is damaged",
		Hint: "copy or export it again"}}
}

// isOurs tells errors of the disk and of our own from those that the content of a file causes, of
// which unpackers have too many kinds to list.
func isOurs(err error) bool {
	var disk *fs.PathError
	var system syscall.Errno
	return errors.As(err, &disk) || errors.As(err, &system) || errors.Is(err, context.Canceled) ||
		errors.Is(err, context.DeadlineExceeded)
}

// ASCIIDelimiter tells whether a delimiter can be used: one ASCII character that is no letter,
// digit, quote or line end.
func ASCIIDelimiter(r rune) bool {
	if r >= utf8.RuneSelf || r == '"' || r == '\n' || r == '\r' || r == 0 {
		return false
	}
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9')
}
