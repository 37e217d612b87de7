package form

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/xuri/excelize/v2"
)

// row is a line of a sheet, by its header; of headers such as label::English (en) only what stands
// before the language is kept, and there may be several.
type row map[string][]string

func (r row) get(name string) string {
	for _, text := range r[name] {
		if text = strings.TrimSpace(text); text != "" {
			return text
		}
	}
	return ""
}

func readXLSForm(data []byte) (*Form, error) {
	book, err := excelize.OpenReader(bytes.NewReader(data), excelize.Options{UnzipSizeLimit: 256 << 20,
		UnzipXMLSizeLimit: 64 << 20})
	if err != nil {
		return nil, fmt.Errorf("open the workbook: %w", err)
	}
	defer func() { _ = book.Close() }()
	sheet := func(name string) ([]row, error) {
		for _, s := range book.GetSheetList() {
			if strings.EqualFold(strings.TrimSpace(s), name) {
				return rowsOf(book, s)
			}
		}
		return nil, nil
	}
	survey, err := sheet("survey")
	if err != nil {
		return nil, err
	}
	if survey == nil {
		return nil, fmt.Errorf("there is no sheet survey, only %s: an XLSForm has the sheets survey, choices and "+
			"settings; records of an export belong to --sample", strings.Join(book.GetSheetList(), ", "))
	}
	choices, err := sheet("choices")
	if err != nil {
		return nil, err
	}
	settings, err := sheet("settings")
	if err != nil {
		return nil, err
	}
	b := builder{form: &Form{}, lists: choiceLists(choices)}
	for _, s := range settings {
		if b.form.Name == "" {
			b.form.Name = s.get("form_title")
		}
	}
	return b.build(survey)
}

func rowsOf(book *excelize.File, sheet string) ([]row, error) {
	lines, err := book.GetRows(sheet)
	if err != nil {
		return nil, fmt.Errorf("read the sheet %s: %w", sheet, err)
	}
	if len(lines) > maxQuestions+maxChoices {
		return nil, fmt.Errorf("the sheet %s has %d rows, more than %d", sheet, len(lines), maxQuestions+maxChoices)
	}
	list := []row{}
	for i, line := range lines {
		if i == 0 {
			continue
		}
		r := row{}
		for c, text := range line {
			if c < len(lines[0]) && strings.TrimSpace(text) != "" {
				name := header(lines[0][c])
				r[name] = append(r[name], text)
			}
		}
		list = append(list, r)
	}
	return list, nil
}

// header gives the plain name of a column: "List name" and "list_name", "label::Français (fr)" and
// "label" are alike.
func header(text string) string {
	text, _, _ = strings.Cut(strings.ToLower(strings.TrimSpace(text)), ":")
	return strings.ReplaceAll(strings.TrimSpace(text), " ", "_")
}

func choiceLists(rows []row) map[string][]Choice {
	lists := map[string][]Choice{}
	for _, r := range rows {
		list, name := r.get("list_name"), r.get("name")
		if name == "" {
			name = r.get("value")
		}
		if list == "" || name == "" {
			continue
		}
		c := Choice{Name: name}
		for _, text := range r["label"] {
			c.Labels = addLabel(c.Labels, text)
		}
		lists[list] = append(lists[list], c)
	}
	return lists
}

// builder follows the lines of a survey through its groups.
type builder struct {
	form  *Form
	lists map[string][]Choice
	open  []group
}

type group struct {
	kind, name string
}

// types of XLSForm, and of what KoboToolbox makes of it.
var types = map[string]Type{
	"text": Text, "string": Text, "integer": Integer, "int": Integer, "range": Decimal, "decimal": Decimal,
	"date": Date, "datetime": DateTime, "dateTime": DateTime, "time": Time, "geopoint": Point, "barcode": Text,
	"calculate": Calculated, "hidden": Hidden, "image": File, "audio": File, "video": File, "file": File,
	"select_one": One, "select_multiple": Several, "today": Date, "start": DateTime, "end": DateTime,
	"username": Text, "deviceid": Text, "phonenumber": Text, "email": Text, "rank": Text, "acknowledge": Text,
	"select_one_from_file": Text, "select_multiple_from_file": Text, "xml-external": "", "csv-external": "",
	"note": "", "trigger": "", "audit": "", "background-audio": "", "geotrace": Text, "geoshape": Text,
}

func (b *builder) build(survey []row) (*Form, error) {
	for i, r := range survey {
		kind, list, _ := strings.Cut(strings.Join(strings.Fields(r.get("type")), " "), " ")
		if kind == "" {
			continue
		}
		if err := b.line(r, strings.ToLower(kind), list); err != nil {
			return nil, fmt.Errorf("line %d of the survey: %w", i+2, err)
		}
	}
	if len(b.open) > 0 {
		return nil, fmt.Errorf("the %s %q is never ended", b.open[len(b.open)-1].kind, b.open[len(b.open)-1].name)
	}
	return b.form, nil
}

func (b *builder) line(r row, kind, list string) error {
	name := r.get("name")
	if name == "" {
		name = r.get("$autoname")
	}
	verb, what, _ := strings.Cut(strings.ReplaceAll(strings.TrimSpace(kind+" "+list), "_", " "), " ")
	switch verb {
	case "begin":
		if len(b.open) == maxDepth {
			return fmt.Errorf("groups stand more than %d deep in each other", maxDepth)
		}
		if name == "" {
			return fmt.Errorf("the %s has no name", what)
		}
		b.open = append(b.open, group{what, name})
		if what != "group" && what != "repeat" {
			b.form.Notes = append(b.form.Notes, fmt.Sprintf("%s is of kind %s, which is not understood: its questions "+
				"are left out", name, what))
		}
		return nil
	case "end":
		if len(b.open) == 0 {
			return errors.New("it ends a group that never began")
		}
		b.open = b.open[:len(b.open)-1]
		return nil
	}
	if slices.ContainsFunc(b.open, func(g group) bool { return g.kind != "group" && g.kind != "repeat" }) {
		return nil
	}
	t, known := types[kind]
	switch {
	case !known:
		b.form.Notes = append(b.form.Notes, fmt.Sprintf("%s is of the type %s, which is not understood: it is left out",
			name, kind))
		return nil
	case t == "":
		return nil // it has no answer
	case name == "":
		return errors.New("the question has no name")
	}
	q := Question{Type: t}
	for i, g := range b.open {
		q.Path = append(q.Path, g.name)
		if g.kind == "repeat" {
			q.Repeats = append(q.Repeats, i+1)
		}
	}
	q.Path = append(q.Path, name)
	for _, text := range r["label"] {
		q.Labels = addLabel(q.Labels, text)
	}
	if t == One || t == Several {
		if list == "" {
			list = r.get("select_from_list_name")
		}
		list, other, _ := strings.Cut(list, " ")
		if q.Choices = slices.Clone(b.lists[list]); len(q.Choices) == 0 {
			return fmt.Errorf("the choices %q of %s are not on the sheet choices", list, name)
		}
		if strings.Contains(other, "or_other") {
			q.Choices = append(q.Choices, Choice{Name: "other", Labels: []string{"Other"}})
		}
	}
	b.form.Questions = append(b.form.Questions, q)
	return nil
}
