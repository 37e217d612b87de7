package form

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"
)

// book makes a workbook of sheets.
func book(t testing.TB, sheets map[string][][]any) []byte {
	t.Helper()
	b := excelize.NewFile()
	for name, rows := range sheets {
		if _, err := b.NewSheet(name); err != nil {
			t.Fatal(err)
		}
		for i, row := range rows {
			cell, err := excelize.CoordinatesToCellName(1, i+1)
			if err != nil {
				t.Fatal(err)
			}
			if err := b.SetSheetRow(name, cell, &row); err != nil {
				t.Fatal(err)
			}
		}
	}
	var out bytes.Buffer
	if err := b.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestXLSForm(t *testing.T) {
	data := book(t, map[string][][]any{
		"survey": {
			{"type", "name", "label::English (en)", "label::Français (fr)", "calculation"},
			{"begin_group", "who", "Who", "Qui"},
			{"text", "first", "**First name**", "Prénom"},
			{"select_one sx", "sex", "Sex", "Sexe"},
			{"end group"},
			{},
			{"begin repeat", "visits", "Visits", "Visites"},
			{"begin_group", "g"},
			{"select_multiple sy or_other", "signs", "Signs", "Signes"},
			{"end_group"},
			{"date", "day", "Day", "Jour"},
			{"end_repeat"},
			{"calculate", "total", "", "", "1 + 1"},
			{"hidden", "secret_id"},
			{"note", "bye", "Thank you"},
			{"wonder", "w"},
		},
		"choices": {{"list name", "name", "label::English (en)", "label::Français (fr)"}, {"sx", 1, "Female", "Féminin"},
			{"sx", 2, "Male", "Masculin"}, {"sy", "fever", "Fever", "Fièvre"}},
		"settings": {{"form_title"}, {"Register"}},
	})
	f, err := Read("f.xlsx", data, "")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, q := range f.Questions {
		line := strings.Join(q.Path, "/") + ": " + string(q.Type) + " [" + strings.Join(q.Labels, "|") + "]"
		for _, n := range q.Repeats {
			line += " in " + strings.Join(q.Path[:n], "/")
		}
		for _, c := range q.Choices {
			line += " " + c.Name + "=" + strings.Join(c.Labels, "|")
		}
		got = append(got, line)
	}
	want := []string{
		"who/first: text [First name|Prénom]",
		"who/sex: one choice [Sex|Sexe] 1=Female|Féminin 2=Male|Masculin",
		"visits/g/signs: several choices [Signs|Signes] in visits fever=Fever|Fièvre other=Other",
		"visits/day: date [Day|Jour] in visits",
		"total: calculation []",
		"secret_id: hidden []",
	}
	if !slices.Equal(got, want) || f.Name != "Register" || f.Tool != "" || len(f.Notes) != 1 {
		t.Errorf("%q, %q, notes %q:\n%s", f.Name, f.Tool, f.Notes, strings.Join(got, "\n"))
	}
	kobo := f.Sample(Kobo)
	items, _ := kobo["visits"].([]any)
	if item, _ := items[0].(map[string]any); len(items) != 2 || item["visits/g/signs"] != "fever" {
		t.Errorf("sample for KoboToolbox: %v", kobo)
	}
	answers, _ := f.Sample(CommCare)["form"].(map[string]any)
	items, _ = answers["visits"].([]any)
	if item, _ := items[1].(map[string]any); len(items) != 2 || item["day"] != "2026-01-15" {
		t.Errorf("sample for CommCare: %v", answers)
	}
	if q := f.Find([]string{"data", "form", "who", "sex"}); q == nil || q.Path[1] != "sex" {
		t.Errorf("found %v", q)
	}
}

// A repeat in a repeat is a list in each item of the outer one, whatever says that it is there.
func TestRepeatInRepeat(t *testing.T) {
	for name, text := range map[string]string{
		"asset": `{"survey": [{"type": "begin_repeat", "name": "visits"}, {"type": "date", "name": "day"},
			{"type": "begin_group", "name": "g"}, {"type": "begin_repeat", "name": "doses"},
			{"type": "integer", "name": "n"}, {"type": "end_repeat"}, {"type": "end_group"},
			{"type": "text", "name": "last"}, {"type": "end_repeat"}]}`,
		"xform": `<h><model><instance><d><visits><day/><g><doses><n/></doses></g><last/></visits></d></instance>
			<bind nodeset="/d/visits/day" type="date"/><bind nodeset="/d/visits/g/doses/n" type="int"/>
			<bind nodeset="/d/visits/last" type="string"/></model>
			<repeat nodeset="/d/visits"><input ref="/d/visits/day"/><repeat nodeset="/d/visits/g/doses">
			<input ref="/d/visits/g/doses/n"/></repeat><input ref="/d/visits/last"/></repeat></h>`,
		"app": `{"modules": [{"forms": [{"questions": [{"value": "/d/visits", "tag": "repeat", "type": "Repeat"},
			{"value": "/d/visits/day", "type": "Date", "repeat": "/d/visits"},
			{"value": "/d/visits/g/doses/n", "type": "Int", "repeat": "/d/visits/g/doses"},
			{"value": "/d/visits/last", "type": "Text", "repeat": "/d/visits"}]}]}]}`,
	} {
		f, err := Read(name, []byte(text), "")
		if err != nil {
			t.Fatal(err)
		}
		for tool, want := range map[Tool]string{
			Kobo: `[{"visits/day":"2026-01-15","visits/g/doses":[{"visits/g/doses/n":"7"}],"visits/last":"example"},` +
				`{"visits/day":"2026-01-15","visits/g/doses":[{"visits/g/doses/n":"7"}],"visits/last":"example"}]`,
			CommCare: `[{"day":"2026-01-15","g":{"doses":[{"n":"7"}]},"last":"example"},` +
				`{"day":"2026-01-15","g":{"doses":[{"n":"7"}]},"last":"example"}]`,
		} {
			body := f.Sample(tool)
			if tool == CommCare {
				body, _ = body["form"].(map[string]any)
			}
			if got, _ := json.Marshal(body["visits"]); string(got) != want {
				t.Errorf("%s for %s:\n%s\nwant %s", name, tool, got, want)
			}
		}
	}
}

func TestRefused(t *testing.T) {
	sheet := func(rows ...[]any) []byte {
		return book(t, map[string][][]any{"survey": append([][]any{{"type", "name", "label"}}, rows...)})
	}
	for name, test := range map[string]struct {
		data []byte
		want string
	}{
		"export":      {book(t, map[string][][]any{"Sheet1": {{"a"}}}), "there is no sheet survey"},
		"no choices":  {sheet([]any{"select_one x", "a"}), `line 2 of the survey: the choices "x" of a are not`},
		"never ended": {sheet([]any{"begin group", "g"}, []any{"text", "a"}), `the group "g" is never ended`},
		"never began": {sheet([]any{"text", "a"}, []any{"end group"}), "line 3 of the survey: it ends a group"},
		"no name":     {sheet([]any{"text"}), "line 2 of the survey: the question has no name"},
		"empty":       {sheet([]any{"note", "a"}), "it has no question"},
		"text":        {[]byte("type,name"), "it is no xlsx, XML or JSON"},
		"submission":  {[]byte("<data><a>1</a></data>"), "it has no instance"},
		"record":      {[]byte(`{"_id": 1}`), "a record belongs to --sample"},
		"broken":      {[]byte(`{"content"`), "read its JSON"},
		"app":         {[]byte(`{"modules": []}`), "the app has no form"},
	} {
		if _, err := Read("form", test.data, ""); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"survey": [{"type": "text", "name": "a"}]}`))
	f.Add([]byte(`{"modules": [{"forms": [{"questions": [{"value": "/data/a", "type": "Text", "repeat": "/data"}]}]}]}`))
	f.Add([]byte(`<h><model><instance><d><a/></d></instance><bind nodeset="/d/a" type="int"/></model></h>`))
	f.Add(book(f, map[string][][]any{"survey": {{"type", "name"}, {"text", "a"}}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		form, err := Read("form", data, "")
		if err != nil {
			return
		}
		for _, tool := range Tools {
			if form.Sample(tool) == nil {
				t.Error("no sample")
			}
		}
	})
}
