package value

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/geo"
)

// answer is what real servers said of a value of a type.
type answer struct {
	Type  string          `json:"type"`
	Value string          `json:"value"`
	Taken map[string]bool `json:"taken"` // by version
}

func answers(t testing.TB) (list []answer, taken map[string]map[string]bool) {
	t.Helper()
	raw, err := os.ReadFile("testdata/servers.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		t.Fatal(err)
	}
	taken = map[string]map[string]bool{}
	for _, a := range list {
		if taken[a.Type] == nil {
			taken[a.Type] = map[string]bool{}
		}
		all := true
		for _, yes := range a.Taken {
			all = all && yes
		}
		taken[a.Type][a.Value] = all
	}
	return list, taken
}

func newContext() *Context {
	return &Context{
		Now:  func() time.Time { return time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC) },
		Zone: time.UTC,
		OrgUnit: func(ref string) (string, string) {
			if ref == "TM-010202" || ref == "ygq0iefHYLW" {
				return "ygq0iefHYLW", ""
			}
			return "", "no org unit"
		},
	}
}

// TestServersTakeWhatLeaves compares with the answers of DHIS2 2.40, 2.42 and 2.43: what they take
// leaves in a form that they take; what they refuse is either refused here or rewritten to one of
// the forms below, which they take.
func TestServersTakeWhatLeaves(t *testing.T) {
	rewritten := map[string]string{
		`BOOLEAN "yes"`: "true", `BOOLEAN "1"`: "true", `BOOLEAN "0"`: "false", `BOOLEAN "t"`: "true",
		`TRUE_ONLY "false"`: "", `TRUE_ONLY "1"`: "true", `TRUE_ONLY "yes"`: "true",
		`DATE "2026-1-5"`: "2026-01-05", `DATE "20260131"`: "2026-01-31",
		`DATETIME "2026-01-31 10:15"`: "2026-01-31T10:15:00",
		`TIME "10:15:00"`:             "10:15",
		`NUMBER "1e5"`:                "100000", `NUMBER "+1"`: "1", `NUMBER "01"`: "1", `NUMBER "1."`: "1",
		`NUMBER ".5"`: "0.5", `NUMBER " 1"`: "1",
		`PERCENTAGE "55%"`: "55",
		`INTEGER "1.0"`:    "1", `INTEGER "01"`: "1", `INTEGER_ZERO_OR_POSITIVE "00"`: "0",
		`COORDINATE "-5.2 31.1"`:        "[31.1,-5.2]",
		`ORGANISATION_UNIT "TM-010202"`: "ygq0iefHYLW",
	}
	list, taken := answers(t)
	if len(list) < 90 {
		t.Fatalf("only %d answers", len(list))
	}
	for _, a := range list {
		name := a.Type + ` "` + a.Value + `"`
		kind := Kind{Type: a.Type}
		r, problem := kind.Convert(a.Value, newContext())
		if taken[a.Type][a.Value] {
			if problem != nil || r.Blank {
				t.Errorf("%s: servers take it, we say %v", name, problem)
			}
			continue
		}
		want, recoveriesTried := rewritten[name]
		switch {
		case recoveriesTried && (problem != nil || r.Text != want):
			t.Errorf("%s: %q, %v; want %q", name, r.Text, problem, want)
		case !recoveriesTried && problem == nil:
			t.Errorf("%s: servers refuse it, we send %q", name, r.Text)
		}
	}
}

func sexOptions() *Options {
	return NewOptions(&metadata.OptionSet{Named: metadata.Named{Name: "Sex"}, Options: []metadata.Option{
		{Named: metadata.Named{Code: "FEMALE", Name: "Female"}}, {Named: metadata.Named{Code: "MALE", Name: "Male"}},
		{Named: metadata.Named{Code: "1", Name: "Unknown sex"}}, {Named: metadata.Named{Code: "x", Name: "Other"}},
		{Named: metadata.Named{Code: "X", Name: "Refused"}},
	}})
}

func TestConvert(t *testing.T) {
	nairobi := time.FixedZone("EAT", 3*3600)
	local := newContext()
	local.Zone = nairobi
	options := sexOptions()
	tests := []struct {
		name   string
		kind   Kind
		in     any
		format string
		want   string // "blank" for blank, "!code" for a problem
	}{
		{"date by format", Kind{Type: "DATE"}, "31/01/2026", "dd/MM/yyyy", "2026-01-31"},
		{"date not of the format", Kind{Type: "DATE"}, "31.01.2026", "dd/MM/yyyy", "!wrong-type"},
		{"a cell of a workbook that is a date, beside texts", Kind{Type: "DATE"}, "2026-01-31", "dd/MM/yyyy", "2026-01-31"},
		{"two digits, declared", Kind{Type: "DATE"}, "31/01/45", "dd/MM/yy{1930}", "1945-01-31"},
		{"a share of one in percent", Kind{Type: "UNIT_INTERVAL"}, "1.1%", "", "0.011"},
		{"a share of one in percent, by format", Kind{Type: "UNIT_INTERVAL"}, "7,3 %", "1,5", "0.073"},
		{"more than all", Kind{Type: "UNIT_INTERVAL"}, "101%", "", "!out-of-range"},
		{"a share of one", Kind{Type: "UNIT_INTERVAL"}, "0.25", "", "0.25"},
		{"a percentage where any number may stand", Kind{Type: "NUMBER"}, "25%", "", "!wrong-type"},
		{"serial date", Kind{Type: "AGE"}, "32874", "", "1990-01-01"},
		{"serial date with a time", Kind{Type: "DATE"}, "45000.5", "", "2023-03-15"},
		{"serial date beside a format", Kind{Type: "DATE"}, "45000", "dd/MM/yyyy", "2023-03-15"},
		{"a year is no serial date", Kind{Type: "DATE"}, "1990", "", "!wrong-type"},
		{"six digits are no serial date", Kind{Type: "DATE"}, "450000", "", "!wrong-type"},
		{"lost digits of a phone number", Kind{Type: "PHONE_NUMBER"}, "2.54722E+11", "", "!lost-digits"},
		{"lost digits of an id", Kind{Type: "TEXT"}, "1.23457E+15", "", "!lost-digits"},
		{"lost digits of a number", Kind{Type: "NUMBER"}, "1.23457E+11", "", "!lost-digits"},
		{"an exponent that loses nothing", Kind{Type: "NUMBER"}, "1.5E+3", "", "1500"},
		{"a text that looks like one", Kind{Type: "TEXT"}, "1E5", "", "1E5"},
		{"date in the zone", Kind{Type: "DATE"}, "2026-01-31T22:30:00Z", "", "2026-02-01"},
		{"time.Time at midnight stays", Kind{Type: "DATE"}, time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC), "", "2026-01-31"},
		{"date in the future", Kind{Type: "DATE"}, "2027-01-31", "", "!future-date"},
		{"date allowed in the future", Kind{Type: "DATE", Future: true}, "2027-01-31", "", "2027-01-31"},
		{"a number is the day of a spreadsheet", Kind{Type: "DATE"}, 45000.0, "", "2023-03-15"},
		{"a small number is no date", Kind{Type: "DATE"}, 28.0, "", "!wrong-type"},
		{"date and time in the zone", Kind{Type: "DATETIME"}, "2026-01-31T10:15:00.000Z", "", "2026-01-31T13:15:00"},
		{"date without time", Kind{Type: "DATETIME"}, "2026-01-31", "", "!wrong-type"},
		{"time of a phone", Kind{Type: "TIME"}, "09:05:12.000+03", "", "09:05"},
		{"integer of a spreadsheet", Kind{Type: "INTEGER"}, 3.0, "", "3"},
		{"integer text with fraction", Kind{Type: "INTEGER"}, "3.5", "", "!wrong-type"},
		{"integer too large", Kind{Type: "INTEGER"}, "99999999999", "", "!out-of-range"},
		{"negative where positive", Kind{Type: "INTEGER_POSITIVE"}, -1, "", "!out-of-range"},
		{"decimal comma", Kind{Type: "NUMBER"}, "1.234,5", "1.234,5", "1234.5"},
		{"decimal comma unsaid", Kind{Type: "NUMBER"}, "1,5", "", "!wrong-type"},
		{"thousands", Kind{Type: "INTEGER"}, "12,345,678", "1,234", "12345678"},
		{"thousands misplaced", Kind{Type: "INTEGER"}, "12,34", "1,234", "!wrong-type"},
		{"true is no number", Kind{Type: "NUMBER"}, true, "", "!wrong-type"},
		{"option by code", Kind{Type: "TEXT", Options: options}, "FEMALE", "", "FEMALE"},
		{"option by name", Kind{Type: "TEXT", Options: options}, "Male", "", "MALE"},
		{"option in other case", Kind{Type: "TEXT", Options: options}, "female", "", "FEMALE"},
		{"option by exact case", Kind{Type: "TEXT", Options: options}, "x", "", "x"},
		{"option of a number", Kind{Type: "TEXT", Options: options}, 1.0, "", "1"},
		{"no option", Kind{Type: "TEXT", Options: options}, "F", "", "!unknown-option"},
		{"several by spaces", Kind{Type: "MULTI_TEXT", Options: options}, "female male", "", "FEMALE,MALE"},
		{"several by commas", Kind{Type: "MULTI_TEXT", Options: options}, "Unknown sex, Male", "", "1,MALE"},
		{"several from a list", Kind{Type: "MULTI_TEXT", Options: options}, []any{"Male", "Male", "Female"}, "",
			"MALE,FEMALE"},
		{"several where one fits", Kind{Type: "MULTI_TEXT", Options: options, OneOption: true}, "female male", "",
			"!several-options"},
		{"true only, no", Kind{Type: "TRUE_ONLY"}, "no", "", "blank"},
		{"gps text", Kind{Type: "COORDINATE"}, "-5.2 31.1 1200 4.5", "", "[31.1,-5.2]"},
		{"latitude out of range", Kind{Type: "COORDINATE"}, "95 31", "", "!out-of-range"},
		{"Kobo's position", Kind{Type: "COORDINATE", Order: geo.LatitudeFirst}, []any{-5.21, 31.15}, "", "[31.15,-5.21]"},
		{"Kobo's position without GPS", Kind{Type: "COORDINATE", Order: geo.LatitudeFirst}, []any{nil, nil}, "", "blank"},
		{"two numbers in an order that nobody says", Kind{Type: "COORDINATE"}, []any{-5.21, 31.15}, "", "!position-order"},
		{"GeoJSON", Kind{Type: "COORDINATE"}, map[string]any{"type": "Point", "coordinates": []any{31.15, -5.21, 1200.0}},
			"", "[31.15,-5.21]"},
		{"WKT", Kind{Type: "COORDINATE"}, "POINT (31.15 -5.21)", "", "[31.15,-5.21]"},
		{"area as a position", Kind{Type: "COORDINATE"}, "POLYGON((30 -1, 31 -1, 31 -2, 30 -1))", "", "!wrong-type"},
		{"shape", Kind{Type: "GEOJSON"}, "POINT (31.15 -5.21)", "", `{"type":"Point","coordinates":[31.15,-5.21]}`},
		{"XML with attributes", Kind{Type: "TEXT"}, map[string]any{"#text": "Ada", "@xmlns": "x"}, "", "Ada"},
		{"XML with attributes only", Kind{Type: "TEXT"}, map[string]any{"@xmlns": "x"}, "", "blank"},
		{"object with more", Kind{Type: "TEXT"}, map[string]any{"#text": "Ada", "age": "3"}, "", "!wrong-type"},
		{"a repeated answer given once", Kind{Type: "INTEGER"}, []any{"7"}, "", "7"},
		{"position object", Kind{Type: "COORDINATE"}, map[string]any{"lat": -5.2, "lon": 31.1}, "", "[31.1,-5.2]"},
		{"org unit object", Kind{Type: "ORGANISATION_UNIT"}, &rules.Object{ID: "ygq0iefHYLW"}, "", "ygq0iefHYLW"},
		{"text is trimmed", Kind{Type: "TEXT"}, "  a b ", "", "a b"},
		{"text of spaces", Kind{Type: "TEXT"}, "  ", "", "blank"},
		{"text too long", Kind{Type: "TEXT", Max: MaxAttribute}, strings.Repeat("é", 1201), "", "!value-too-long"},
		{"text just fits", Kind{Type: "TEXT", Max: MaxAttribute}, strings.Repeat("x", 1200), "", strings.Repeat("x", 1200)},
		{"broken text", Kind{Type: "TEXT"}, "a\xff", "", "!wrong-type"},
		{"list for text", Kind{Type: "TEXT"}, []any{"a", "b"}, "", "!wrong-type"},
		{"file", Kind{Type: "FILE_RESOURCE"}, "photo.jpg", "", "!files-not-sent"},
		{"unknown top level domain", Kind{Type: "EMAIL"}, "a@b.nosuchtld", "", "!wrong-type"},
		{"null", Kind{Type: "TEXT"}, nil, "", "blank"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := newContext()
			if strings.HasSuffix(test.name, "in the zone") {
				c = local
			}
			kind, err := test.kind.WithFormat(test.format)
			if err != nil {
				t.Fatal(err)
			}
			r, problem := kind.Convert(test.in, c)
			got := r.Text
			if r.Blank {
				got = "blank"
			}
			if problem != nil {
				got = "!" + problem.Code
				if s, ok := test.in.(string); ok && len(s) > 3 && strings.Contains(problem.Message+problem.Hint, s) {
					t.Errorf("the problem tells the value: %s", problem.Message)
				}
			}
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// FuzzConvert holds that what comes out of a conversion goes through it again unchanged.
func FuzzConvert(f *testing.F) {
	list, _ := answers(f)
	for _, a := range list {
		f.Add(a.Type, a.Value)
	}
	f.Fuzz(func(t *testing.T, typ, in string) {
		kind := Kind{Type: typ, Future: true}
		r, problem := kind.Convert(in, newContext())
		if problem != nil || r.Blank {
			return
		}
		again, problem := kind.Convert(r.Text, newContext())
		if problem != nil || again != r {
			t.Fatalf("%s %q gives %q, which gives %q, %v", typ, in, r.Text, again.Text, problem)
		}
	})
}

func TestFormats(t *testing.T) {
	for _, test := range []struct {
		typ, format string
		ok          bool
	}{
		{"DATE", "dd/MM/yyyy", true}, {"DATE", "DD/MM/JJJJ", false}, {"NUMBER", "1.234,5", true},
		{"NUMBER", "#,##0.00", true}, {"NUMBER", "dd", false}, {"TEXT", "dd/MM/yyyy", false}, {"TEXT", "", true},
	} {
		if _, err := (Kind{Type: test.typ}).WithFormat(test.format); (err == nil) != test.ok {
			t.Errorf("%s %q: %v", test.typ, test.format, err)
		}
	}
}
