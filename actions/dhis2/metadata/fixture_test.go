package metadata

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// recorded gives the answers of a real server of a version to what a sync asks, by resource.
func recorded(t testing.TB, version string) map[string]json.RawMessage {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "recorded", version+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var answers map[string]json.RawMessage
	if err := json.Unmarshal(text, &answers); err != nil {
		t.Fatal(err)
	}
	return answers
}

// country is the snapshot of the recorded server, without a sync.
func country(t testing.TB) *Snapshot {
	t.Helper()
	answers := recorded(t, "2.42")
	s := &Snapshot{Server: ServerInfo{URL: "https://dhis2.example.org", Version: "2.42.4.1",
		Synced: time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)}}
	for _, c := range collections() {
		var body map[string]json.RawMessage
		if answers[c.title()] == nil {
			continue
		}
		if err := json.Unmarshal(answers[c.title()], &body); err != nil {
			t.Fatal(err)
		}
		var objects []json.RawMessage
		if err := json.Unmarshal(body[c.title()], &objects); err != nil {
			t.Fatal(err)
		}
		for _, o := range objects {
			if err := c.add(o, s); err != nil {
				t.Fatal(err)
			}
		}
	}
	var units map[string][]string
	if err := json.Unmarshal(answers["orgUnits"], &units); err != nil {
		t.Fatal(err)
	}
	for i := range s.Programs {
		s.Programs[i].OrgUnits = units[s.Programs[i].ID]
	}
	if err := json.Unmarshal(answers["me"], &s.User); err != nil {
		t.Fatal(err)
	}
	for _, c := range collections() {
		c.arrange(s)
	}
	return s
}

// manyUnits is a snapshot with a hierarchy of n org units of realistic size.
func manyUnits(n int) *Snapshot {
	s := &Snapshot{
		Server: ServerInfo{URL: "https://dhis2.example.org", Version: "2.42.4.1"},
		Attributes: []Attribute{{Named: Named{ID: "zhvK6cbXbfo", Code: "MFL_ID", Name: "Facility registry ID"}, Unique: true,
			OrgUnit: true}},
	}
	id := func(i int) string { return fmt.Sprintf("o%010d", i) }
	for i := range n {
		o := OrgUnit{Named: Named{ID: id(i), Code: fmt.Sprintf("OU-%06d", i),
			Name: fmt.Sprintf("Facility number %d of the country", i)}}
		o.ShortName, o.OpeningDate = o.Name, "2010-01-01"
		o.Level, o.Path = 1, "/"+o.ID
		if i > 0 {
			parent := &s.OrgUnits[(i-1)/10]
			o.Parent, o.Level, o.Path = &Ref{parent.ID}, parent.Level+1, parent.Path+"/"+o.ID
		}
		o.AttributeValues = []AttributeValue{{Ref{"zhvK6cbXbfo"}, fmt.Sprint(10_000 + i)}}
		s.OrgUnits = append(s.OrgUnits, o)
	}
	return s
}
