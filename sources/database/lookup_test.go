package database

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/culvert/culvert/rules/diag"
)

// facilities fills a table that lookups ask.
func facilities(t *testing.T, e engine) string {
	name := e.table(t, "code VARCHAR(20), district VARCHAR(20), number INTEGER, since DATE, name VARCHAR(40)")
	e.exec(t, "INSERT INTO "+name+" (code, district, number, since, name) VALUES ('A1', 'north', 1, '2024-01-31', 'Aé'), "+
		"('A2', 'north', 2, NULL, 'B'), ('a1', 'south', 3, '2020-02-29', 'C'), ('A2', 'south', 0, NULL, 'D'), (NULL, 'south', 9, NULL, 'E')")
	return name
}

// names gives what each question found, by the names.
func names(found []Found) string {
	var parts []string
	for _, f := range found {
		var list []string
		for _, row := range f.Rows {
			list = append(list, fmt.Sprint(row.(map[string]any)["name"]))
		}
		if f.Bad {
			list = append(list, "bad value")
		}
		parts = append(parts, strings.Join(list, "+"))
	}
	return strings.Join(parts, ", ")
}

func TestLookups(t *testing.T) {
	each(t, func(t *testing.T, e engine) {
		table := facilities(t, e)
		d := e.open(t)
		folds := d.dialect == mySQL // letters' case does not count
		for _, c := range []struct {
			query     string
			fields    []string
			questions []Wanted
			want      string
			folded    string // in MySQL, where it is another
		}{
			{"SELECT * FROM T", []string{"code"}, []Wanted{{"A2"}, {"none"}, {"A1"}}, "B+D, , Aé", "B+D, , Aé+C"},
			{"SELECT * FROM T", []string{"code", "district"}, []Wanted{{"A2", "south"}, {"A2", "north"}, {"A1", "south"}},
				"D, B, ", "D, B, C"},
			{"SELECT * FROM T", []string{"number"}, []Wanted{{"2"}, {"9"}}, "B, E", ""},
			{"SELECT UPPER(code) AS code, name FROM T WHERE number < 3 -- a comment", []string{"code"}, []Wanted{{"A1"}}, "Aé", ""},
			{"SELECT code, name FROM T WHERE district = 'north' AND code IN (:code) AND number < 9", []string{"code"},
				[]Wanted{{"A1"}, {"A2"}}, "Aé, B", ""},
			{"SELECT name FROM T WHERE district = :district ORDER BY number DESC LIMIT 1", []string{"district"},
				[]Wanted{{"north"}, {"east"}, {"south"}}, "B, , E", ""},
			{"SELECT name FROM T WHERE district = :d AND code = :c AND district = :d", []string{"c", "d"},
				[]Wanted{{"A2", "south"}}, "D", ""},
			{"SELECT name FROM T WHERE number = 9", nil, []Wanted{nil}, "E", ""},
		} {
			l, problems := ParseLookup(strings.Replace(c.query, " T", " "+table, 1))
			l.Timeout = 20 * time.Second
			if len(problems) > 0 {
				t.Fatalf("%s: %v", c.query, problems)
			}
			found, err := d.Ask(t.Context(), &l, c.fields, c.questions)
			want := c.want
			if folds && c.folded != "" {
				want = c.folded
			}
			if got := names(found); err != nil || sorted(got) != sorted(want) {
				t.Errorf("%s: %q, want %q, %v", c.query, got, want, err)
			}
		}
	})
}

// sorted puts the names of each question in order: a table has none.
func sorted(text string) string {
	parts := strings.Split(text, ", ")
	for i, p := range parts {
		list := strings.Split(p, "+")
		for n := range list {
			for m := n + 1; m < len(list); m++ {
				if list[m] < list[n] {
					list[n], list[m] = list[m], list[n]
				}
			}
		}
		parts[i] = strings.Join(list, "+")
	}
	return strings.Join(parts, ", ")
}

// TestLookupValues types what is found, and has a value of another type end alone.
func TestLookupValues(t *testing.T) {
	each(t, func(t *testing.T, e engine) {
		table := facilities(t, e)
		d := e.open(t)
		l, _ := ParseLookup("SELECT code, number, since FROM " + table)
		l.Timeout = 20 * time.Second
		found, err := d.Ask(t.Context(), &l, []string{"number"}, []Wanted{{"1"}, {"abc"}, {"3"}})
		if err != nil || len(found[0].Rows) != 1 || len(found[2].Rows) != 1 || len(found[1].Rows) != 0 {
			t.Fatalf("%+v %v", found, err)
		}
		if bad := e.name == "PostgreSQL"; found[1].Bad != bad {
			t.Errorf("a text where numbers are: %v", found[1].Bad)
		}
		if text, _ := json.Marshal(found[0].Rows[0]); string(text) != `{"code":"A1","number":1,"since":"2024-01-31"}` {
			t.Error(string(text))
		}
		one, _ := ParseLookup("SELECT code FROM " + table + " WHERE number = :number")
		one.Timeout = 20 * time.Second
		found, err = d.Ask(t.Context(), &one, []string{"number"}, []Wanted{{"1"}, {"abc"}, {"3"}})
		if err != nil || len(found[0].Rows) != 1 || len(found[2].Rows) != 1 {
			t.Errorf("%+v %v", found, err)
		}
		many := make([]Wanted, 1300)
		for i := range many {
			many[i] = Wanted{fmt.Sprint(i)}
		}
		if found, err = d.Ask(t.Context(), &l, []string{"number"}, many); err != nil || len(found[9].Rows) != 1 ||
			len(found[1299].Rows) != 0 {
			t.Errorf("%d values: %v", len(many), err)
		}
	})
}

// TestLookupRefused says in words why a query cannot be asked, whether the database is there, and nothing of the values.
func TestLookupRefused(t *testing.T) {
	each(t, func(t *testing.T, e engine) {
		table := facilities(t, e)
		d := e.open(t)
		for query, want := range map[string]string{
			"SELECT nothing FROM " + table:          "refuses the query",
			"SELECT name FROM " + table:             "code",
			"SELECT code, code FROM " + table:       "", // two columns of one name
			"SELECT code FROM T WHERE code IN (:c)": "", // not this table
		} {
			l, _ := ParseLookup(query)
			l.Timeout = 20 * time.Second
			fields := []string{"code"}
			if len(l.Parameters) > 0 {
				fields = l.Parameters
			}
			_, err := d.Ask(t.Context(), &l, fields, []Wanted{{"secret-value"}})
			p, ok := errors.AsType[*diag.Problem](err)
			if !ok || !strings.Contains(p.Message, want) || strings.Contains(err.Error(), "secret-value") {
				t.Errorf("%s: %v", query, err)
			}
		}
	})
}

func TestParseLookup(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		"SELECT a FROM t":                                  "together []",
		"SELECT a FROM t WHERE a IN (:a)":                  "together [a]",
		"SELECT a FROM t WHERE a in ( :a ) OR b IN(:a)":    "together [a]",
		"SELECT a FROM t WHERE a IN (:a) AND b = :b":       "alone [a b]",
		"SELECT a FROM t WHERE a = :a::int LIMIT 1":        "alone [a]",
		"SELECT a FROM t WHERE a = ':a' -- :b":             "together []",
		"SELECT a FROM t LIMIT 1":                          "together [] limit",
		"SELECT a FROM t WHERE a IN (:a) LIMIT 1":          "together [a] limit",
		"DELETE FROM t WHERE a = :a":                       "alone [a] SELECT",
		"SELECT a FROM t; DROP TABLE t":                    "together [] semicolon",
		"WITH x AS (SELECT 1 AS a) SELECT a FROM x":        "together []",
		"SELECT a FROM t WHERE a = :a ORDER BY b LIMIT 1;": "alone [a] semicolon",
	} {
		l, problems := ParseLookup(query)
		got := "alone"
		if l.Together() {
			got = "together"
		}
		got += fmt.Sprint(" ", l.Parameters)
		about, ok := strings.CutPrefix(want, got)
		if !ok {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
		if (about == "") != (len(problems) == 0) {
			t.Errorf("%s: %v, want %q", query, problems, about)
		}
	}
}

func FuzzParseLookup(f *testing.F) {
	for _, query := range []string{"SELECT a FROM t WHERE a IN (:a)", "SELECT ':", "WITH", "SELECT a::int, :a /*", ":::a"} {
		f.Add(query)
	}
	f.Fuzz(func(t *testing.T, query string) {
		l, _ := ParseLookup(query)
		if strings.Count(l.bound(sqLite), "?") < len(l.places) {
			t.Errorf("%q has places that are not bound", query)
		}
	})
}

// TestAtOnce holds that no statement asks with more values than SQL Server takes, however often the
// query names one.
func TestAtOnce(t *testing.T) {
	for query, want := range map[string]int{
		"SELECT code FROM t WHERE code IN (:code)": 500,
		"SELECT code FROM t":                       400, // with five fields
		"SELECT code FROM t WHERE a IN (:code)" + strings.Repeat(" OR b IN (:code)", 9): 200,
	} {
		l, problems := ParseLookup(query)
		fields := 5
		if len(l.Parameters) > 0 {
			fields = 1
		}
		if got := l.atOnce(fields); got != want || len(problems) > 0 {
			t.Errorf("%s: %d questions at once, want %d (%v)", query, got, want, problems)
		}
	}
}
