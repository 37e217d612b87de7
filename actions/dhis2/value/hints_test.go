package value

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/culvert/culvert/actions/dhis2/metadata"
)

var update = flag.Bool("update", false, "write what is said of wrong values into testdata/hints.txt")

// wrongValues are what people write where something else is needed.
var wrongValues = []string{
	"12,5", "12.5", "12,0", "1.200", "1,200", "1 200", "1.234,5", "1,234.5", "1.200.000", "-3", "0", "150", "150%", "12½", "3/4",
	"4 ou 5", "10-15", "<5", ">100", "~20", "25 ans", "60kg", "douze", "O", "l2", "1O", "99999999999", "#REF!", "n/a",
	"30/02/2026", "2026-02-30", "31/12/2025", "12/31/2025", "05/06/2025", "31-12-2025", "31.12.25", "2025", "2025-12", "12/2025",
	"déc 2025", "31 décembre 2025", "hier", "45123", "2025-12-31T25:00", "2025-12-31", "31/12/2025 14:30", "14h30", "14.30",
	"2:30 PM", "25:10", "1430",
	"oui", "NON", "vrai", "x", "✓", "2", "Yes (verified)",
	"+228 90 12 34 56", "90 12 34 56 / 91 00 00 00", "90123456 ou 91000000", "tel: 90123456", "12345", "9.0123456E7",
	"Lomé", "Tamala Health Centre", "TM-01020", "ygq0iefHYLX",
	"Fémale", "Femal", "F", "female, male", "female male", "Weiblich",
	"a@b", "a.b.example.org", "awa at example.org", "www.example.org", "http//example.org", "awa", "awa diallo",
	"6.13, 1.22", "6,13 1,22", "N6.13 E1.22", "6°07'N 1°13'E", "200 300",
}

// TestHintsOfWrongValues holds what is said of wrong values of every type, so that a person can read it as a whole.
func TestHintsOfWrongValues(t *testing.T) {
	types := []string{"NUMBER", "UNIT_INTERVAL", "PERCENTAGE", "INTEGER", "INTEGER_POSITIVE", "INTEGER_NEGATIVE",
		"INTEGER_ZERO_OR_POSITIVE", "BOOLEAN", "TRUE_ONLY", "DATE", "AGE", "DATETIME", "TIME", "COORDINATE", "GEOJSON",
		"ORGANISATION_UNIT", "LETTER", "PHONE_NUMBER", "EMAIL", "URL", "USERNAME", "options", "MULTI_TEXT"}
	formats := map[string]string{"NUMBER": "1.234,5", "INTEGER": "1 234", "DATE": "dd/MM/yyyy"}
	var b strings.Builder
	say := func(heading string, kind Kind) {
		said := map[string][]string{}
		var order []string
		for _, v := range wrongValues {
			r, p := kind.Convert(v, newContext())
			text := "is sent as it is written"
			switch {
			case p != nil:
				text = p.Message + " [" + p.Code + "]: " + kind.Hint(p, v)
			case r.Text != v:
				v += " = " + r.Text
				text = "is sent"
			}
			if said[text] == nil {
				order = append(order, text)
			}
			said[text] = append(said[text], v)
		}
		fmt.Fprintf(&b, "== %s\n", heading)
		for _, text := range order {
			fmt.Fprintf(&b, "%s\n    %s\n", text, strings.Join(said[text], " | "))
		}
	}
	for _, kind := range types {
		k := Kind{Type: kind}
		if kind == "options" {
			k.Type = "TEXT"
		}
		if k.Type == "TEXT" || kind == "MULTI_TEXT" {
			k.Options = NewOptions(&metadata.OptionSet{Named: metadata.Named{Name: "Sex"}, Options: []metadata.Option{
				{Named: metadata.Named{Code: "SEX_F", Name: "Female"}}, {Named: metadata.Named{Code: "SEX_M", Name: "Male"}}}})
		}
		say(kind, k)
		if f := formats[kind]; f != "" {
			with, err := k.WithFormat(f)
			if err != nil {
				t.Fatal(err)
			}
			say(kind+" with format: "+f, with)
		}
	}
	const path = "testdata/hints.txt"
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != b.String() {
		t.Errorf("other things are said than %s holds; run with -update and look at the difference", path)
	}
}
