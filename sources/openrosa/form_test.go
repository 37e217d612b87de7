package openrosa

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// aForm makes a form as pyxform does. more stands in its model.
func aForm(attributes, more string) string {
	return `<?xml version="1.0"?>
<h:html xmlns="http://www.w3.org/2002/xforms" xmlns:h="http://www.w3.org/1999/xhtml" xmlns:jr="http://openrosa.org/javarosa">
  <h:head>
    <h:title>ANC &amp; visit</h:title>
    <model>
      <instance>
        <data ` + attributes + `><today/><person><age/><child jr:template=""><name/></child></person><meta><instanceID/></meta></data>
      </instance>
      <instance id="sites"><root><item><name>1</name></item></root></instance>
` + more + `
    </model>
  </h:head>
  <h:body><input ref="/data/today"><label>Day</label></input></h:body>
</h:html>
`
}

func TestRead(t *testing.T) {
	text := aForm(`id="anc" version="7"`, `<submission action="https://x.example.org/s" base64RsaPublicKey="AA"/>
      <itext><translation lang="x"><text id="a"><value form="image">jr://images/a &amp; b.jpg</value><value form="audio">jr://audio/a.mp3</value></text></translation></itext>
      <instance id="p" src="jr://file-csv/sites.csv"/><instance id="l" src="jr://instance/last-saved"/>
      <bind nodeset="/data/today" calculate="pulldata('codes', 'a', 'b', /data/x)"/><bind calculate="pulldata('codes', 'c', 'b', /data/x)"/>`)
	f, problem := Read("forms/anc.xml", []byte("\xef\xbb\xbf"+text))
	if problem != nil {
		t.Fatal(problem)
	}
	if f.ID != "anc" || f.Version != "7" || f.Title != "ANC & visit" || f.Hash == sum([]byte(text)) {
		t.Errorf("read %q %q %q", f.ID, f.Version, f.Title)
	}
	want := []string{"meta", "meta/instanceID", "person", "person/age", "person/child", "person/child/name", "today"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(f.Fields))); diff != "" {
		t.Error(diff)
	}
	var places []string
	for _, m := range append(f.Files, *f.Action, *f.Key) {
		places = append(places, fmt.Sprintf("%s %d:%d", m.Text, m.At.Range.Start.Line, m.At.Range.Start.Column))
	}
	if diff := cmp.Diff([]string{"a & b.jpg 11:69", "a.mp3 11:122", "sites.csv 12:29", "codes.csv 13:46", "https://x.example.org/s 10:1",
		"base64RsaPublicKey 10:1"}, places); diff != "" {
		t.Error(diff)
	}
	for attributes, id := range map[string]string{`xmlns="http://example.org/anc"`: "http://example.org/anc", `id=" a "`: "a"} {
		if f, problem := Read("forms/anc.xml", []byte(aForm(attributes, ""))); problem != nil || f.ID != id || f.Version != "" || f.Action != nil {
			t.Errorf("%s: %v %v", attributes, f, problem)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	good := aForm(`id="anc"`, "")
	for name, c := range map[string]struct{ text, message, hint, at string }{
		"empty":           {"", "no XForm", "xls2xform", "1:1"},
		"a workbook":      {"PK\x03\x04", "a workbook", "xls2xform", "1:1"},
		"JSON":            {`{"survey": []}`, "no XForm", "xls2xform", "1:1"},
		"a submission":    {`<data id="anc"><age>7</age></data>`, "no instance", "samples/", "1:1"},
		"no id":           {aForm("", ""), "no id", "form_id", "7:9"},
		"cut off":         {good[:len(good)/2], "ends too early", "version before", "7:52"},
		"a tag too many":  {strings.Replace(good, "</model>", "</modell>", 1), "<model> is closed by </modell>", "correct it", "11:14"},
		"Latin-1":         {strings.Replace(good, "visit", "visit\xe9", 1), "not in UTF-8", "UTF-8", "4:30"},
		"a bomb":          {strings.Replace(good, "<h:body>", strings.Repeat("<a>", 200), 1), "too deep", "form", "13:300"},
		"a lot of fields": {strings.Replace(good, "<age/>", fields(maxFields), 1), "questions", "form", "7:168912"},
	} {
		t.Run(name, func(t *testing.T) {
			f, problem := Read("forms/anc.xml", []byte(c.text))
			if problem == nil {
				t.Fatalf("read %q", f.ID)
			}
			at := fmt.Sprintf("%d:%d", problem.Place.Range.Start.Line, problem.Place.Range.Start.Column)
			if !strings.Contains(problem.Message, c.message) || !strings.Contains(problem.Hint, c.hint) || at != c.at ||
				problem.Place.File != "forms/anc.xml" {
				t.Errorf("%s: %s: %s", at, problem.Message, problem.Hint)
			}
		})
	}
}

func fields(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "<q%d/>", i)
	}
	return b.String()
}

func TestCompare(t *testing.T) {
	order := []string{"", "1", "2", "10", "010a", "10b", "2026030501", "2026030502", "20260305010", "v1.9", "v1.10"}
	for i, a := range order {
		for j, b := range order {
			want := map[bool]int{i < j: -1, i > j: 1}[true]
			if got := Compare(a, b); got != want {
				t.Errorf("%q and %q: %d", a, b, got)
			}
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(aForm(`id="anc" version="7"`, `<submission action="x"/><value>jr://images/a.jpg</value>`)))
	f.Add([]byte("<a><model><instance><b id='x'>"))
	f.Add([]byte("<?xml version='1.0' encoding='latin1'?>\n<é/>"))
	f.Fuzz(func(t *testing.T, text []byte) {
		form, problem := Read("forms/x.xml", text)
		if (form == nil) == (problem == nil) {
			t.Fatal("neither a form nor a problem, or both")
		}
		if problem != nil {
			if p := problem.Place.Range.Start; p.Line < 1 || p.Column < 1 || problem.Message == "" || problem.Hint == "" {
				t.Errorf("%v", problem)
			}
			return
		}
		if form.ID == "" || form.Title == "" || len(form.Fields) > maxFields {
			t.Errorf("%+v", form)
		}
	})
}
