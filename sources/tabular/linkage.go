package tabular

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/culvert/culvert/rules/diag"
)

// linkage is how the rows of a repeat group name the row that they belong to.
type linkage interface {
	mainColumn() string   // of the main table, that the rows name
	parentColumn() string // of the group's table, for messages
	recognises(header []string) bool
	prepare(g *repeatGroup) error
	cell(text string) string // a key as it is compared
	// keys gives the key of the row that a row belongs to, and its own, which is empty where no row can belong to it.
	keys(j *join, g *repeatGroup, cells []string) (parent, own string, err error)
	item(g *repeatGroup, body map[string]any) map[string]any
}

var linkages = []linkage{numbered{}, indexed{}, keyed{}}

func linkageOf(header []string) linkage {
	for _, l := range linkages {
		if l.recognises(header) {
			return l
		}
	}
	return nil
}

// isRepeat tells whether a table holds the rows of a repeat group.
func isRepeat(header []string) bool { return linkageOf(header) != nil }

// isAudit tells whether a table is a log of how forms were filled in, which ODK Central puts beside them.
func isAudit(header []string) bool {
	return slices.Contains(header, "instance ID") && slices.Contains(header, "event") && slices.Contains(header, "node")
}

// group makes a repeat group of a table. All of a file must name rows in the same way.
func (j *join) group(name string, header []string) (*repeatGroup, error) {
	link := linkageOf(header)
	if j.link == nil {
		j.link, j.number = link, slices.Index(j.main.header(), link.mainColumn())
	}
	if link != j.link || j.number < 0 {
		return nil, &FileError{Problem: diag.Problem{Place: diag.Place{File: name},
			Message: fmt.Sprintf("its rows say with %s to which form they belong, and the table of the forms has no column %s",
				link.parentColumn(), link.mainColumn()),
			Hint: "export the forms and their repeat groups together, with that column, or name one table with sheet:"}}
	}
	g := &repeatGroup{name: name, header: header, own: -1, above: -1, table: -1}
	if err := link.prepare(g); err != nil {
		return nil, err
	}
	if len(g.path) == 1 {
		g.path[0] = j.wholeName(g.path[0])
	}
	return g, nil
}

// sheetNameMost is how long the name of a sheet can be.
const sheetNameMost = 31

// cutMark is what formpack leaves at the end of a name that it has cut, and of the next one that begins alike.
var cutMark = regexp.MustCompile(`\.\.\.( \(\d+\))?$`)

// wholeName gives the name that a sheet would have had it not been cut, where the rule reads a field
// of that name and no other sheet begins like it: so one rule reads the export and what the form sends.
func (j *join) wholeName(name string) string {
	begin := cutMark.ReplaceAllString(name, "")
	if len([]rune(begin)) < sheetNameCut || begin == name && len([]rune(name)) != sheetNameMost {
		return name
	}
	begins := func(s string) bool { return strings.HasPrefix(strings.ToLower(s), strings.ToLower(begin)) }
	alike := 0
	for _, t := range j.tables {
		if begins(t) {
			alike++
		}
	}
	whole := name
	for _, want := range j.wanted {
		switch {
		case want == name, begins(want) && whole != name:
			return name
		case begins(want) && len([]rune(want)) > sheetNameMost:
			whole = want
		}
	}
	if alike > 1 {
		return name
	}
	return whole
}

// What the rows of repeat groups and the forms call a submission in exports of KoboToolbox, besides its number.
const (
	ownerColumn     = "_submission__uuid"
	mainOwnerColumn = "_uuid"
)

func (j *join) ownerOf(cells []string) string {
	return cellAt(cells, slices.Index(j.main.header(), mainOwnerColumn))
}

func cellAt(cells []string, column int) string {
	if column < 0 || column >= len(cells) {
		return ""
	}
	return strings.TrimSpace(cells[column])
}

func without(body map[string]any, columns ...string) map[string]any {
	item := maps.Clone(body)
	for _, name := range columns {
		delete(item, name)
	}
	return item
}

// numbered is that of CommCare: the columns number__0, number__1... are the form's number, and the
// places in the groups around.
type numbered struct{}

const (
	numberColumn = "number"
	parentPrefix = "number__"
)

func (numbered) mainColumn() string              { return numberColumn }
func (numbered) parentColumn() string            { return parentPrefix + "0" }
func (numbered) recognises(header []string) bool { return slices.Contains(header, parentPrefix+"0") }
func (numbered) cell(text string) string         { return wholeNumber(text) }

func (numbered) prepare(g *repeatGroup) error {
	for i := 0; ; i++ {
		column := slices.Index(g.header, parentPrefix+strconv.Itoa(i))
		if column < 0 {
			break
		}
		g.levels = append(g.levels, column)
	}
	if len(g.levels) < 2 {
		return &FileError{Problem: diag.Problem{Place: diag.Place{File: g.name},
			Message: "it has a column number__0 and no number__1",
			Hint:    "export the repeat group with its number columns"}}
	}
	g.path = repeatPath(g.name, g.header)
	return nil
}

func (numbered) keys(_ *join, g *repeatGroup, cells []string) (parent, own string, err error) {
	numbers := make([]string, len(g.levels))
	for i, column := range g.levels {
		if numbers[i] = wholeNumber(cellAt(cells, column)); numbers[i] == "" {
			return "", "", fmt.Errorf("%s is blank", fmt.Sprint(parentPrefix, i))
		}
	}
	return strings.Join(numbers[:len(numbers)-1], "."), strings.Join(numbers, "."), nil
}

func (numbered) item(g *repeatGroup, body map[string]any) map[string]any { return g.item(body) }

// indexed is that of KoboToolbox and formpack: _parent_table_name and _parent_index name a sheet
// and the _index of a row there.
type indexed struct{}

const (
	indexColumn       = "_index"
	parentIndexColumn = "_parent_index"
	parentTableColumn = "_parent_table_name"
)

func (indexed) mainColumn() string   { return indexColumn }
func (indexed) parentColumn() string { return parentIndexColumn }
func (indexed) recognises(header []string) bool {
	return slices.Contains(header, parentIndexColumn) && slices.Contains(header, parentTableColumn)
}
func (indexed) cell(text string) string { return wholeNumber(text) }

func (indexed) prepare(g *repeatGroup) error {
	g.own, g.above, g.table = slices.Index(g.header, indexColumn), slices.Index(g.header, parentIndexColumn),
		slices.Index(g.header, parentTableColumn)
	g.path = []string{g.name}
	return nil
}

func (indexed) keys(j *join, g *repeatGroup, cells []string) (parent, own string, err error) {
	if parent = wholeNumber(cellAt(cells, g.above)); parent == "" {
		return "", "", fmt.Errorf("%s is blank", parentIndexColumn)
	}
	if table := j.tableNamed(cellAt(cells, g.table)); table != "" {
		g.nested = true
		parent = table + "\x00" + parent
	}
	if own = wholeNumber(cellAt(cells, g.own)); own != "" {
		own = g.name + "\x00" + own
	}
	return parent, own, nil
}

func (indexed) item(_ *repeatGroup, body map[string]any) map[string]any {
	return without(body, parentIndexColumn, parentTableColumn)
}

// sheetNameCut is how much of a long name a sheet surely keeps: 31 characters, of which "... (1)" may take some.
const sheetNameCut = 24

// tableNamed is the sheet of a repeat group that a name means; empty for the main table. Sheets
// have names that are cut to 31 characters and hold none of []:*?/\.
func (j *join) tableNamed(name string) string {
	name = sheetSigns.Replace(name)
	if strings.EqualFold(name, j.main.layout().Sheet) {
		return ""
	}
	for _, t := range j.tables {
		if strings.EqualFold(t, name) {
			return t
		}
	}
	if r := []rune(name); len(r) > 31 {
		for _, t := range j.tables {
			if strings.HasPrefix(strings.ToLower(t), strings.ToLower(string(r[:sheetNameCut]))) {
				return t
			}
		}
	}
	return ""
}

var sheetSigns = strings.NewReplacer("[", "_", "]", "_", ":", "_", "*", "_", "?", "_", "/", "_", `\`, "_")

// keyed is that of ODK Central and Briefcase: PARENT_KEY is the KEY of a row, such as uuid:1 or
// uuid:1/child[2], in whatever table that is.
type keyed struct{}

const (
	keyColumn       = "KEY"
	parentKeyColumn = "PARENT_KEY"
)

func (keyed) mainColumn() string   { return keyColumn }
func (keyed) parentColumn() string { return parentKeyColumn }
func (keyed) recognises(header []string) bool {
	return slices.Contains(header, parentKeyColumn) && slices.Contains(header, keyColumn)
}
func (keyed) cell(text string) string { return strings.TrimSpace(text) }

func (keyed) prepare(g *repeatGroup) error {
	g.own, g.above = slices.Index(g.header, keyColumn), slices.Index(g.header, parentKeyColumn)
	name := g.name[strings.LastIndexByte(g.name, '-')+1:] // household-member
	name, _, _ = strings.Cut(name, "~")                   // member~1, where two groups have one name
	g.path = []string{name}
	return nil
}

// keyStep is the last part of a key: the group, and which of its items.
var keyStep = regexp.MustCompile(`([^/]+)\[\d+\]$`)

func (keyed) keys(_ *join, g *repeatGroup, cells []string) (parent, own string, err error) {
	if parent = cellAt(cells, g.above); parent == "" {
		return "", "", fmt.Errorf("%s is blank", parentKeyColumn)
	}
	own = cellAt(cells, g.own)
	if m := keyStep.FindStringSubmatch(own); m != nil && !g.named {
		// The key says the group's name in full, where the name of a table is put together of several.
		g.path, g.named = []string{m[1]}, true
	}
	g.nested = g.nested || keyStep.MatchString(parent)
	return parent, own, nil
}

func (keyed) item(_ *repeatGroup, body map[string]any) map[string]any {
	return without(body, parentKeyColumn)
}
