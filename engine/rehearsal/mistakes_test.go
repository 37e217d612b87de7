package rehearsal_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"

	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/engine/rehearsal"
	"github.com/culvert/culvert/engine/service"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/examples"
	"github.com/culvert/culvert/sources/files"
	"github.com/culvert/culvert/sources/tabular"
)

var update = flag.Bool("update", false, "write golden files anew")

// mistakesRule reads a register of women and a value of every type.
const mistakesRule = `rule: mistakes
trigger:
  files: {folder: drop/mistakes}
  sample: samples/mistakes.csv
id: trigger.id
lookups:
  clinic: {in: organisationUnits, name: trigger.clinic}
maps:
  outcome: {alive: ALIVE, dead: DEAD}
actions:
  - dhis2.create_and_enroll:
      program: Antenatal care
      external_id: trigger.id
      org_unit: clinic
      enrolled_at: trigger.visit
      attributes:
        First name: trigger.name
        Date of birth: trigger.born
        Sex: trigger.sex
        Phone number: phone(trigger.phone, "KE")
        Number of children: trigger.children
        Email address: trigger.email
        Consent given: trigger.consent
  - dhis2.event:
      program: Every value type
      event_id: trigger.id
      org_unit: clinic
      occurred_at: trigger.visit
      data_values:
        Value of type number: trigger.weight
        Value of type integer positive: trigger.weeks
        Value of type percentage: trigger.share
        Value of type unit interval: trigger.part
        Value of type time: trigger.time
        Value of type datetime: trigger.moment
        Value of type date: {from: trigger.next, format: dd/MM/yyyy}
        Value of type coordinate: trigger.place
        Value of type url: trigger.link
        Value of type letter: trigger.letter
        Value of type username: trigger.user
        Value of type organisation unit: trigger.referred
        Value of type boolean: trigger.fever
        Value of type text: {from: trigger.outcome, map: outcome}
`

// good is a row in which nothing is wrong.
var good = []struct{ column, value string }{
	{"id", "w1"}, {"clinic", "Coral Health Centre"}, {"visit", "2026-01-05"}, {"name", "Ada"}, {"born", "1995-12-31"},
	{"sex", "Female"}, {"phone", "0722000123"},
	{"children", "2"}, {"email", "ada@example.org"}, {"consent", "yes"}, {"weight", "60.5"}, {"weeks", "14"},
	{"share", "55%"}, {"part", "0.5"}, {"time", "10:15"},
	{"moment", "2026-01-05T10:15:00"}, {"next", "31/01/2026"}, {"place", "-5.21 31.15"}, {"link", "https://example.org"},
	{"letter", "A"}, {"user", "clerk"},
	{"referred", "Coral Health Centre"}, {"fever", "no"}, {"outcome", "alive"},
}

// cellMistakes are what people write into cells: column, value.
var cellMistakes = [][2]string{
	{"born", "31/12/1995"}, {"born", "12/31/1995"}, {"born", "03/04/1995"}, {"born", "31.12.1995"},
	{"born", "31-Dec-1995"}, {"born", "31/12/95"}, {"born", "1995"}, {"born", "28"},
	{"born", "2095-12-31"}, {"born", "30 February"}, {"born", "1995-02-30"}, {"visit", ""}, {"visit", "5/1/2026"},
	{"visit", "yesterday"}, {"visit", "2031-01-05"},
	{"next", "2026.01.31"}, {"next", "1/31/2026"}, {"moment", "2026-01-05"}, {"moment", "10:15"}, {"time", "25:00"},
	{"time", "quarter past ten"},
	{"sex", "femal"}, {"sex", "F"}, {"sex", "woman"}, {"outcome", "aliv"}, {"fever", "maybe"}, {"consent", "x"},
	{"phone", "0722-FLOWERS"}, {"phone", "0722000123 / 0733000456"}, {"phone", "2.54722E+11"}, {"phone", "12345"},
	{"email", "ada(at)example.org"}, {"link", "example.org"},
	{"letter", "AB"}, {"user", "a b"},
	{"children", "two"}, {"children", "2.5"}, {"children", "-1"}, {"children", "99999999999"}, {"weeks", "0"},
	{"weight", "60,5"}, {"weight", "60 kg"}, {"weight", "1.23457E+11"},
	{"weight", "#N/A"}, {"share", "155"}, {"part", "5"}, {"place", "-5.21, 31.15"}, {"place", "near the market"},
	{"place", "95 31"},
	{"clinic", "Coral Helth Centre"}, {"clinic", ""}, {"referred", "Nowhere"}, {"id", ""}, {"id", "2.54722E+11"},
	{"name", "Zo\uFFFD"}, {"visit", "2026-13-05"},
}

// fileMistakes are tables in which more is wrong than a cell.
var fileMistakes = []struct{ name, file, text string }{
	{"two mistakes in one row", "a.csv", table(cell{"born", "31/12/1995"}, cell{"sex", "femal"}, cell{"weight", "60,5"})},
	{"column left out", "a.csv", without("born")},
	{"column renamed", "a.csv", strings.Replace(table(), "born", "Born on", 1)},
	{"no header", "a.csv", strings.SplitN(table(), "\n", 2)[1]},
	{"other table", "a.csv", "district,population\nCoast,120000\n"},
	{"column twice", "a.csv", strings.Replace(table(), "outcome\n", "name\n", 1)},
	{"row cut short", "a.csv", table() + "w2,Coral Health Centre,2026-01-05,Bea\n"},
	{"row too long", "a.csv", table() + strings.Replace(strings.SplitN(table(), "\n", 2)[1], "Ada", "Ada, the second", 1)},
	{"quote left open", "a.csv", table() + "w2,\"Coral Health Centre,2026-01-05,Bea\n"},
	{"NUL", "a.csv", table() + strings.Replace(strings.SplitN(table(), "\n", 2)[1], "Ada", "A\x00da", 1)},
	{"DOS letters", "a.csv", table(cell{"name", "Jos\x82"})},
	{"PDF", "a.csv", "%PDF-1.7\n"},
	{"old workbook", "a.xls", "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + strings.Repeat("\x00", 600)},
	{"web page as a workbook", "a.xls", "<html><table></table></html>"},
	{"nothing", "a.csv", ""},
}

type cell struct{ column, value string }

// table gives a table of one row, with some cells changed.
func table(changes ...cell) string { return tableOf("", changes...) }

func without(column string) string { return tableOf(column) }

func tableOf(left string, changes ...cell) string {
	var head, row []string
	for _, c := range good {
		if c.column == left {
			continue
		}
		value := c.value
		for _, change := range changes {
			if change.column == c.column {
				value = change.value
			}
		}
		if strings.ContainsAny(value, ",\"\n") {
			value = `"` + strings.ReplaceAll(value, `"`, `""`) + `"`
		}
		head, row = append(head, c.column), append(row, value)
	}
	return strings.Join(head, ",") + "\n" + strings.Join(row, ",") + "\n"
}

// TestMistakes holds what is said of mistakes in spreadsheets and forms: which column, which value,
// which line of the rule, and what to do.
func TestMistakes(t *testing.T) {
	flow := mistakesFlow(t)
	var b bytes.Buffer
	if got := sayAll(t, flow, "a.csv", []byte(table())); got != "  fine\n" {
		t.Fatalf("nothing is wrong, and it says\n%s", got)
	}
	for _, m := range cellMistakes {
		fmt.Fprintf(&b, "%s: %q\n%s", m[0], m[1], sayAll(t, flow, "a.csv", []byte(table(cell{m[0], m[1]}))))
	}
	for _, m := range fileMistakes {
		fmt.Fprintf(&b, "%s\n%s", m.name, sayAll(t, flow, m.file, []byte(m.text)))
	}
	fmt.Fprintf(&b, "formula without a result\n%s", sayAll(t, flow, "a.xlsx", workbookWithFormula(t)))
	if n := len(cellMistakes) + len(fileMistakes) + 1; n < 60 {
		t.Errorf("only %d mistakes", n)
	}
	path := filepath.Join("testdata", "mistakes.golden")
	if *update {
		if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("(run with -update to accept)\n%s", diff)
	}
	if strings.Contains(b.String(), "fine\n") {
		t.Error("a mistake passes")
	}
}

// sayAll gives what is said of a table, a line for each fault.
func sayAll(t *testing.T, flow *program.Flow, name string, text []byte) string {
	t.Helper()
	var b strings.Builder
	format, reading := files.Kind{}.FileFormat(&flow.Rule.Trigger), flow.Rule.Reading()
	format.Reading = &reading
	r, err := tabular.OpenBytes(context.Background(), name, text, format)
	if err != nil {
		return fmt.Sprintf("  %s\n", err)
	}
	defer r.Close()
	for {
		row, err := r.Next()
		var bad *tabular.RowError
		switch {
		case err == io.EOF:
			if b.Len() == 0 {
				return "  fine\n"
			}
			return b.String()
		case errors.As(err, &bad):
			fmt.Fprintf(&b, "  %s\n", bad)
			continue
		case err != nil:
			fmt.Fprintf(&b, "  %s\n", err)
			return b.String()
		}
		e, err := program.Evaluate(flow, rules.Input{Body: row.Body, Source: map[string]any{"file": name, "row": row.Line}})
		if err != nil {
			t.Fatal(err)
		}
		if e.Failure == nil {
			continue
		}
		for _, f := range append([]*rules.Failure{e.Failure}, e.Failure.More...) {
			fmt.Fprintf(&b, "  row %d, column %q, value %q, line %d: %s [%s]\n    %s\n", row.Line, f.Column, f.Value,
				f.Place.Range.Start.Line, f.Message, f.Code, f.Hint)
			if f.Hint == "" {
				t.Errorf("%s: no fix", f.Message)
			}
		}
	}
}

func workbookWithFormula(t *testing.T) []byte {
	t.Helper()
	book := excelize.NewFile()
	defer book.Close()
	for i, c := range good {
		name, err := excelize.ColumnNumberToName(i + 1)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(book.SetCellValue("Sheet1", name+"1", c.column),
			book.SetCellValue("Sheet1", name+"2", c.value)); err != nil {
			t.Fatal(err)
		}
		if c.column == "weight" {
			if err := errors.Join(book.SetCellValue("Sheet1", name+"2", nil),
				book.SetCellFormula("Sheet1", name+"2", "59+1.5")); err != nil {
				t.Fatal(err)
			}
		}
	}
	var b bytes.Buffer
	if err := book.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func mistakesFlow(t *testing.T) *program.Flow {
	t.Helper()
	url := startSandbox(t)
	for name, value := range map[string]string{"DHIS2_URL": url, "DHIS2_USERNAME": "admin", "DHIS2_PASSWORD": "district",
		"COMMCARE_PASSWORD": "x", "CULVERT_LISTEN": "127.0.0.1:0"} {
		t.Setenv(name, value)
	}
	dir := t.TempDir()
	if err := examples.Write("anc", dir, func(path string) bool { return path == "culvert.yaml" }); err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{"rules/mistakes.yaml": mistakesRule, "samples/mistakes.csv": table()} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, path)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, path), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := load(t, &project.Loader{Sources: project.SourceKinds(), Now: rehearsal.Clock}, dir)
	flow, _, err := service.Flow(p, "rules/mistakes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return flow
}
