package tabular

import (
	"bytes"
	"errors"
	"io"
	"unicode/utf8"
)

// csvLexer splits CSV text into rows and cells. It differs from encoding/csv where dropped files
// need it: a row has a limit, a row that cannot be told apart keeps its text, and a quote that is
// never closed costs its own line, not the rest of the file.
//
// Cells are RFC 4180: a quoted cell may hold delimiters, line ends and doubled quotes. A quote
// inside an unquoted cell is an ordinary character, as spreadsheets read it.
type csvLexer struct {
	src     io.Reader
	buf     []byte
	start   int // of the text not yet handed out
	end     int
	srcErr  error
	delim   byte
	newline byte // '\n', or '\r' in files of old Macs
	max     int  // bytes of a row
	want    int  // cells of a row; 0: any number
	line    int  // rows handed out so far, blank ones included: as a spreadsheet counts

	spans []span // of the cells of the current row, in row
	row   []byte // the current row's text; valid until the next call of next
}

// span is one cell: a stretch of the row's text.
type span struct {
	from, to int
	doubled  bool // holds doubled quotes
}

// rowFault is what the lexer finds wrong with a row.
type rowFault int

const (
	faultNone rowFault = iota
	faultOpenQuote
	faultAfterQuote
	faultTooLong
	faultCells // more than the header
	faultShort // fewer than the header
	faultNUL
	faultEncoding
)

func newCSVLexer(src io.Reader, delim, newline byte, limit int) *csvLexer {
	return &csvLexer{src: src, buf: make([]byte, 64<<10), delim: delim, newline: newline, max: limit}
}

// fill reads more text. It reports false when there is none.
func (l *csvLexer) fill() bool {
	if l.srcErr != nil {
		return false
	}
	if l.start > 0 {
		copy(l.buf, l.buf[l.start:l.end])
		l.end -= l.start
		l.start = 0
	}
	if l.end == len(l.buf) {
		grown := make([]byte, 2*len(l.buf))
		copy(grown, l.buf[:l.end])
		l.buf = grown
	}
	for range 100 {
		n, err := l.src.Read(l.buf[l.end:])
		l.end += n
		if err != nil {
			l.srcErr = err
		}
		if n > 0 || err != nil {
			return n > 0
		}
	}
	l.srcErr = io.ErrNoProgress
	return false
}

// next moves to the next row that is not blank. The error is io.EOF at the end, or the source's own.
func (l *csvLexer) next() (rowFault, error) {
	for {
		fault, err := l.nextLine()
		if err != nil {
			return faultNone, err
		}
		l.line++
		if (fault == faultNone || fault == faultCells || fault == faultShort) && l.blank() {
			continue
		}
		return fault, nil
	}
}

func (l *csvLexer) blank() bool {
	for _, s := range l.spans {
		if len(bytes.TrimSpace(l.row[s.from:s.to])) > 0 {
			return false
		}
	}
	return true
}

// nextLine takes one row, blank or not.
func (l *csvLexer) nextLine() (rowFault, error) {
	first, err := l.endOfLine(0)
	if errors.Is(err, errTooLong) {
		return l.overlong()
	}
	if err != nil {
		return faultNone, err
	}
	line := l.buf[l.start : l.start+first]
	for bytes.HasPrefix(line, bomUTF8) { // of a file that was put behind another one, or marked twice
		l.start, first, line = l.start+len(bomUTF8), first-len(bomUTF8), line[len(bomUTF8):]
	}
	if bytes.IndexByte(line, '"') < 0 {
		l.split(trimEnd(line))
		l.advance(first)
		return l.check(), nil
	}
	size, fault := l.quoted(first)
	if fault == faultNone {
		fault = l.check()
	}
	if fault != faultNone && size > first {
		// The row runs over line ends and is not right: its quote was most likely never closed. Only its
		// first line is given up.
		size = first
		if fault != faultOpenQuote && fault != faultAfterQuote {
			fault = faultOpenQuote
		}
	}
	if fault == faultOpenQuote || fault == faultAfterQuote {
		l.split(trimEnd(l.buf[l.start : l.start+first]))
	}
	l.advance(size)
	return fault, nil
}

func (l *csvLexer) check() rowFault {
	switch {
	case l.want > 0 && len(l.spans) > l.want && !l.trailingDelimiters():
		return faultCells
	case bytes.IndexByte(l.row, 0) >= 0:
		return faultNUL
	case !utf8.Valid(l.row):
		return faultEncoding
	case l.want > 0 && len(l.spans) < l.want:
		return faultShort
	}
	return faultNone
}

// trailingDelimiters tells whether the cells beyond the header's are all empty, as some programs
// end their lines, and drops them.
func (l *csvLexer) trailingDelimiters() bool {
	if len(l.spans) < l.want {
		return false
	}
	for _, s := range l.spans[l.want:] {
		if s.to > s.from {
			return false
		}
	}
	l.spans = l.spans[:l.want]
	return true
}

var errTooLong = errors.New("row is too long")

// endOfLine gives the length of the text from start to and including the first line end at or after offset from.
func (l *csvLexer) endOfLine(from int) (int, error) {
	for {
		if i := bytes.IndexByte(l.buf[l.start+from:l.end], l.newline); i >= 0 {
			if from+i+1 > l.max {
				return 0, errTooLong
			}
			return from + i + 1, nil
		}
		from = l.end - l.start
		if from > l.max {
			return 0, errTooLong
		}
		if l.fill() {
			continue
		}
		if l.srcErr != io.EOF {
			return 0, l.srcErr
		}
		if from == 0 {
			return 0, io.EOF
		}
		return from, nil
	}
}

// overlong passes over a line that is beyond the limit.
func (l *csvLexer) overlong() (rowFault, error) {
	l.row, l.spans = l.row[:0], l.spans[:0]
	for {
		if i := bytes.IndexByte(l.buf[l.start:l.end], l.newline); i >= 0 {
			l.start += i + 1
			return faultTooLong, nil
		}
		l.start = l.end
		if l.fill() {
			continue
		}
		if l.srcErr != io.EOF {
			return faultNone, l.srcErr
		}
		return faultTooLong, nil
	}
}

func (l *csvLexer) advance(n int) { l.start += n }

// split takes a line without quotes apart.
func (l *csvLexer) split(line []byte) {
	l.row = line
	l.spans = l.spans[:0]
	from := 0
	for {
		i := bytes.IndexByte(line[from:], l.delim)
		if i < 0 {
			l.spans = append(l.spans, span{from: from, to: len(line)})
			return
		}
		l.spans = append(l.spans, span{from: from, to: from + i})
		from += i + 1
	}
}

// quoted takes a row with quotes apart. first is the length of its first line; size is the length of the row.
func (l *csvLexer) quoted(first int) (size int, fault rowFault) {
	l.spans = l.spans[:0]
	lineEnd := first // end of the line that pos is on
	pos := 0
	for {
		text := l.buf[l.start:l.end]
		if end, ok := l.spaced(pos, lineEnd); ok {
			// A space before the quote, as people write "a", "b".
			lineEnd = end.line
			text = l.buf[l.start:l.end]
			l.spans = append(l.spans, end.cell)
			if pos = end.next; pos < 0 {
				l.row = text[:len(trimEnd(text[:lineEnd]))]
				return lineEnd, faultNone
			}
			continue
		}
		if pos >= lineEnd || text[pos] != '"' {
			stop := len(trimEnd(text[:lineEnd]))
			i := -1
			if pos < stop {
				i = bytes.IndexByte(text[pos:stop], l.delim)
			}
			if i < 0 {
				l.spans = append(l.spans, span{from: pos, to: max(pos, stop)})
				l.row = text[:max(pos, stop)]
				return lineEnd, faultNone
			}
			l.spans = append(l.spans, span{from: pos, to: pos + i})
			pos += i + 1
			continue
		}
		closing, doubled, newEnd, ok := l.closingQuote(pos+1, lineEnd)
		if !ok {
			return first, faultOpenQuote
		}
		lineEnd = newEnd
		text = l.buf[l.start:l.end]
		l.spans = append(l.spans, span{from: pos + 1, to: closing, doubled: doubled})
		pos = closing + 1
		stop := len(trimEnd(text[:lineEnd]))
		for pos < stop && text[pos] == ' ' && l.delim != ' ' {
			pos++
		}
		switch {
		case pos >= stop:
			l.row = text[:stop]
			return lineEnd, faultNone
		case text[pos] == l.delim:
			pos++
		default:
			return lineEnd, faultAfterQuote
		}
	}
}

// spacedCell is a quoted cell with a space before it.
type spacedCell struct {
	cell span
	line int // where its line ends
	next int // where the next cell begins; -1 when it is the last
}

// spaced reads a quoted cell behind spaces. It is none, and the text is taken as it stands, when
// more than spaces follows the closing quote.
func (l *csvLexer) spaced(pos, lineEnd int) (c spacedCell, ok bool) {
	text := l.buf[l.start:l.end]
	from := pos
	for from < lineEnd && text[from] == ' ' {
		from++
	}
	if from == pos || from >= lineEnd || text[from] != '"' || l.delim == ' ' {
		return c, false
	}
	closing, doubled, newEnd, ok := l.closingQuote(from+1, lineEnd)
	if !ok {
		return c, false
	}
	text = l.buf[l.start:l.end]
	stop := len(trimEnd(text[:newEnd]))
	at := closing + 1
	for at < stop && text[at] == ' ' {
		at++
	}
	c = spacedCell{cell: span{from: from + 1, to: closing, doubled: doubled}, line: newEnd, next: at + 1}
	if at >= stop {
		c.next = -1
		return c, true
	}
	return c, text[at] == l.delim
}

// closingQuote finds the quote that ends a cell, reading on over line ends as far as the row's limit allows.
func (l *csvLexer) closingQuote(pos, lineEnd int) (closing int, doubled bool, newEnd int, ok bool) {
	for {
		i := bytes.IndexByte(l.buf[l.start+pos:l.start+lineEnd], '"')
		if i < 0 {
			pos = lineEnd
			next, err := l.endOfLine(lineEnd)
			if err != nil || next == lineEnd {
				return 0, false, 0, false
			}
			lineEnd = next
			continue
		}
		pos += i
		if pos+1 < lineEnd && l.buf[l.start+pos+1] == '"' {
			doubled = true
			pos += 2
			continue
		}
		return pos, doubled, lineEnd, true
	}
}

// trimEnd removes the line end.
func trimEnd(line []byte) []byte {
	line = bytes.TrimSuffix(line, []byte{'\n'})
	return bytes.TrimSuffix(line, []byte{'\r'})
}
