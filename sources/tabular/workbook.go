package tabular

import (
	"archive/zip"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"

	"github.com/culvert/culvert/rules/diag"
)

// maxPart bounds the small parts of a workbook: the list of sheets, and styles.
const maxPart = 32 << 20

// workbook is an xlsx file (ECMA-376, Office Open XML). Its sheets are read as streams: nothing but
// what is needed to understand a cell is in memory.
type workbook struct {
	place    string
	format   Format
	parts    map[string]*zip.File // by lower-case path
	sheets   []sheetRef
	date1904 bool
	styles   []cellStyle
	shared   *sharedStrings
}

type sheetRef struct {
	name, part string
	hidden     bool
}

// openWorkbook opens a sheet of a workbook, with the sheets of its repeat groups.
func (r *Reader) openWorkbook(place string, z *zip.Reader, f Format) (rowSource, error) {
	w := &workbook{place: place, format: f, parts: map[string]*zip.File{}}
	for _, e := range z.File {
		w.parts[strings.ToLower(strings.ReplaceAll(e.Name, `\`, "/"))] = e
	}
	if w.parts["xl/workbook.xml"] == nil {
		return nil, &FileError{Problem: diag.Problem{Place: diag.Place{File: place}, Message: "it is a binary workbook",
			Hint: "save it as xlsx"}}
	}
	if err := w.read(); err != nil {
		return nil, readError(place, err)
	}
	r.closers = append(r.closers, w.shared)
	ref, err := w.choose(f.Sheet)
	if err != nil {
		return nil, err
	}
	main, err := w.open(ref)
	if err != nil {
		return nil, err
	}
	var others []sheetRef
	var names []string
	for _, other := range w.sheets {
		if other.name != ref.name {
			others, names = append(others, other), append(names, other.name)
		}
	}
	join := newJoin(main, names, f)
	if join == nil {
		return main, nil
	}
	for _, other := range others {
		if err := r.joinSheet(join, w, other); err != nil {
			return nil, errors.Join(err, join.close())
		}
	}
	return join.source(), nil
}

// joinSheet adds a sheet's rows to the rows of the main sheet when it is one of a repeat group.
func (r *Reader) joinSheet(join *join, w *workbook, ref sheetRef) error {
	w.format.Columns = nil // asked of the main sheet only
	s, err := w.open(ref)
	var unusable *FileError
	if errors.As(err, &unusable) {
		if !unusable.empty && w.format.Sheet == "" && !ref.hidden {
			r.unread = append(r.unread, ref.name)
		}
		return nil
	}
	if err != nil {
		return err
	}
	if !isRepeat(s.header()) {
		if w.format.Sheet == "" && !ref.hidden {
			r.unread = append(r.unread, ref.name)
		}
		return s.close()
	}
	return join.add(r.ctx, ref.name, s)
}

func (w *workbook) read() error {
	targets, err := w.relations()
	if err != nil {
		return err
	}
	if err := w.part("xl/workbook.xml", func(t xml.StartElement) {
		switch t.Name.Local {
		case "workbookPr":
			w.date1904 = isTrue(attribute(t, "date1904"))
		case "sheet":
			// r:id is the only attribute named id that has a prefix.
			var id string
			for _, a := range t.Attr {
				if a.Name.Local == "id" && a.Name.Space != "" {
					id = a.Value
				}
			}
			state := attribute(t, "state")
			w.sheets = append(w.sheets, sheetRef{name: attribute(t, "name"), part: targets[id],
				hidden: state == "hidden" || state == "veryHidden"})
		}
	}); err != nil {
		return err
	}
	if err := w.readStyles(); err != nil {
		return err
	}
	w.shared, err = readSharedStrings(w)
	return err
}

// relations maps the ids of relations to the parts that they lead to.
func (w *workbook) relations() (map[string]string, error) {
	targets := map[string]string{}
	err := w.part("xl/_rels/workbook.xml.rels", func(t xml.StartElement) {
		if t.Name.Local != "Relationship" {
			return
		}
		target := attribute(t, "Target")
		if strings.HasPrefix(target, "/") {
			target = strings.TrimPrefix(target, "/")
		} else {
			target = path.Join("xl", target)
		}
		targets[attribute(t, "Id")] = strings.ToLower(target)
	})
	return targets, err
}

// part calls do for every element of a small part; a missing part has none.
func (w *workbook) part(name string, do func(xml.StartElement)) error {
	e := w.parts[name]
	if e == nil {
		return nil
	}
	src, err := openEntry(w.place, e, w.format)
	if err != nil {
		return err
	}
	defer src.Close()
	d := xml.NewDecoder(io.LimitReader(src, maxPart))
	for {
		t, err := d.RawToken()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return w.damage(err)
		}
		if t, ok := t.(xml.StartElement); ok {
			do(t)
		}
	}
}

// damage makes a finding of XML that cannot be read.
func (w *workbook) damage(err error) error {
	var syntax *xml.SyntaxError
	if errors.As(err, &syntax) {
		return &FileError{Problem: diag.Problem{Place: diag.Place{File: w.place}, Message: "the workbook is damaged",
			Hint: "open it in a spreadsheet program and save it again"}}
	}
	return readError(w.place, err)
}

func (w *workbook) choose(name string) (sheetRef, error) {
	var names []string
	for _, s := range w.sheets {
		if name != "" && strings.EqualFold(s.name, name) {
			return s, nil
		}
		names = append(names, s.name)
	}
	if name != "" {
		return sheetRef{}, &FileError{Problem: diag.Problem{Place: diag.Place{File: w.place},
			Message: fmt.Sprintf("there is no sheet %q", name),
			Hint:    "it has " + listColumns(names)}}
	}
	for _, s := range w.sheets {
		if !s.hidden {
			return s, nil
		}
	}
	return sheetRef{}, &FileError{Problem: diag.Problem{Place: diag.Place{File: w.place},
		Message: "the workbook has no visible sheet",
		Hint:    "name one with sheet:"}}
}

func attribute(t xml.StartElement, name string) string {
	for _, a := range t.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

func isTrue(s string) bool { return s == "1" || s == "true" || s == "on" }

// cellStyle is what a number format makes of a number.
type cellStyle struct {
	kind  styleKind
	width int // of padded numbers
}

type styleKind uint8

const (
	styleNumber styleKind = iota
	styleDate
	styleTime
	styleDateTime
	stylePadded // digits with zeros in front, such as 0000000000
	stylePercent
)

func (w *workbook) readStyles() error {
	codes := map[int]string{}
	inCells := false
	return w.part("xl/styles.xml", func(t xml.StartElement) {
		switch t.Name.Local {
		case "numFmt":
			if id, err := strconv.Atoi(attribute(t, "numFmtId")); err == nil {
				codes[id] = attribute(t, "formatCode")
			}
		case "cellXfs":
			inCells = true
		case "cellStyleXfs", "cellStyles", "dxfs":
			inCells = false
		case "xf":
			if inCells {
				id, _ := strconv.Atoi(attribute(t, "numFmtId")) // none is 0, General
				w.styles = append(w.styles, styleOf(id, codes[id]))
			}
		}
	})
}

// styleOf gives what a number format shows. Formats below 164 are built in (ECMA-376 part 1, 18.8.30).
func styleOf(id int, code string) cellStyle {
	switch {
	case code != "":
		return styleOfCode(code)
	case id >= 14 && id <= 17, id >= 27 && id <= 31, id == 36, id >= 50 && id <= 54, id == 57, id == 58:
		return cellStyle{kind: styleDate}
	case id >= 18 && id <= 21, id >= 32 && id <= 35, id >= 45 && id <= 47, id == 55, id == 56:
		return cellStyle{kind: styleTime}
	case id == 22:
		return cellStyle{kind: styleDateTime}
	case id == 9 || id == 10:
		return cellStyle{kind: stylePercent}
	}
	return cellStyle{}
}

func styleOfCode(code string) cellStyle {
	if code != "" && strings.Trim(code, "0") == "" && len(code) > 1 {
		return cellStyle{kind: stylePadded, width: len(code)}
	}
	var date, clock bool
	for _, c := range strings.ToLower(bareFormat(code)) {
		switch c {
		case 'y', 'd':
			date = true
		case 'h', 's':
			clock = true
		}
	}
	switch {
	case date && clock:
		return cellStyle{kind: styleDateTime}
	case date:
		return cellStyle{kind: styleDate}
	case clock:
		return cellStyle{kind: styleTime}
	}
	switch bare := strings.ToLower(bareFormat(code)); {
	case strings.Contains(bare, "m") && strings.Trim(bare, "m") == "":
		return cellStyle{kind: styleDate} // a month alone
	case strings.Contains(bare, "%"):
		return cellStyle{kind: stylePercent}
	}
	return cellStyle{}
}

// bareFormat leaves the letters of a format that stand for something: its first section, without
// quoted text, escaped characters, colours and conditions. Elapsed times such as [h] stay.
func bareFormat(code string) string {
	var b strings.Builder
	for i := 0; i < len(code); i++ {
		switch c := code[i]; c {
		case ';':
			return b.String()
		case '"':
			end := strings.IndexByte(code[i+1:], '"')
			if end < 0 {
				return b.String()
			}
			i += end + 1
		case '\\', '_', '*':
			i++
		case '[':
			end := strings.IndexByte(code[i:], ']')
			if end < 0 {
				return b.String()
			}
			if inner := strings.ToLower(code[i+1 : i+end]); strings.Trim(inner, "h") == "" || strings.Trim(inner, "m") == "" ||
				strings.Trim(inner, "s") == "" {
				b.WriteString("h")
			}
			i += end
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
