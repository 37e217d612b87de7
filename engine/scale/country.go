package scale

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/culvert/culvert/rules/examples"
)

// What a whole country has, at factor 1. A working day has eight hours; forms come at half the rate
// of the peak on average. Of the rows of an export one in a hundred is new or has changed since the night before.
const (
	facilities  = 10_000
	peakMinute  = 1_000
	exportRows  = 1_000_000
	workMinutes = 8 * 60
	changedPart = 100
)

// country is a country at a factor.
type country struct {
	Facilities int `json:"facilities"`
	PeakMinute int `json:"formsInPeakMinute"`
	DayForms   int `json:"formsPerDay"`
	ExportRows int `json:"exportRows"`
}

func countryAt(factor float64) country {
	part := func(n float64) int { return max(1, int(math.Round(n*factor))) }
	return country{part(facilities), part(peakMinute), part(peakMinute * workMinutes / 2), part(exportRows)}
}

const exportRule = `rule: case-export
description: Every night all cases of the year, as a laboratory system exports them.
trigger:
  files: {folder: drop, glob: "cases*.csv", stable_for: 200ms}
  sample: samples/cases.csv
id: trigger.id
lookups:
  site: {in: organisationUnits, code: trigger.site}
actions:
  - dhis2.event:
      program: Malaria case notification
      org_unit: site
      occurred_at: trigger.day
      data_values:
        Case age (years): trigger.age
        Case sex: trigger.sex
`

const exportHeader = "id,site,day,age,sex\n"

// layDown writes the project: the forms' rules of the example, and one for the nightly export.
func (c country) layDown(dir string) error {
	wanted := map[string]bool{"culvert.yaml": true, "rules/anc-registration.yaml": true, "rules/anc-visit.yaml": true,
		"samples/anc-registration.json": true, "samples/anc-visit.json": true}
	if err := examples.Write("anc", dir, func(p string) bool { return wanted[p] }); err != nil {
		return err
	}
	for name, text := range map[string]string{"rules/case-export.yaml": exportRule,
		"samples/cases.csv": exportHeader + "1,TM-010202,2026-03-02,7,FEMALE\n"} {
		if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(name)), []byte(text), 0o644); err != nil {
			return fmt.Errorf("lay the project down: %w", err)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "drop"), 0o755); err != nil {
		return fmt.Errorf("lay the project down: %w", err)
	}
	return nil
}

// site is the code of a facility.
func (c country) site(n int) string { return fmt.Sprintf("SC-%06d", n%c.Facilities) }

// metadata writes the metadata of Tamala with so many facilities more, which report to all that its own do.
func (c country) metadata(file string) error {
	example, err := examples.Files("anc")
	if err != nil {
		return err
	}
	text, err := fs.ReadFile(example, "input/tamala.json")
	if err != nil {
		return fmt.Errorf("read the example's metadata: %w", err)
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil {
		return fmt.Errorf("read the example's metadata: %w", err)
	}
	units, err := listIn(all, "organisationUnits")
	if err != nil {
		return err
	}
	districts := districtsOf(units)
	if len(districts) == 0 {
		return errors.New("the example's metadata has no districts")
	}
	var more []any
	for n := range c.Facilities {
		uid := fmt.Sprintf("Scale%06d", n)
		more = append(more, map[string]any{"id": uid})
		units = append(units, map[string]any{"id": uid, "name": fmt.Sprintf("Health centre %d", n+1),
			"shortName": fmt.Sprintf("Health centre %d", n+1), "code": c.site(n), "openingDate": "2010-01-01T00:00:00.000",
			"parent": map[string]any{"id": districts[n%len(districts)]}})
	}
	if err := put(all, "organisationUnits", units); err != nil {
		return err
	}
	programs, err := listIn(all, "programs")
	if err != nil {
		return err
	}
	for _, p := range programs {
		there, _ := p["organisationUnits"].([]any)
		p["organisationUnits"] = append(there, more...)
	}
	if err := put(all, "programs", programs); err != nil {
		return err
	}
	if text, err = json.Marshal(all); err != nil {
		return fmt.Errorf("write the country's metadata: %w", err)
	}
	if err := os.WriteFile(file, text, 0o644); err != nil {
		return fmt.Errorf("write the country's metadata: %w", err)
	}
	return nil
}

func listIn(all map[string]json.RawMessage, name string) (list []map[string]any, err error) {
	if err := json.Unmarshal(all[name], &list); err != nil {
		return nil, fmt.Errorf("read %s of the example's metadata: %w", name, err)
	}
	return list, nil
}

func put(all map[string]json.RawMessage, name string, list []map[string]any) (err error) {
	if all[name], err = json.Marshal(list); err != nil {
		return fmt.Errorf("write %s of the country's metadata: %w", name, err)
	}
	return nil
}

// districtsOf gives the units of the third level: those whose parent has a parent that has none.
func districtsOf(units []map[string]any) (list []string) {
	parent := map[string]string{}
	for _, u := range units {
		id, _ := u["id"].(string)
		p, _ := u["parent"].(map[string]any)
		parent[id], _ = p["id"].(string)
	}
	for _, u := range units {
		id, _ := u["id"].(string)
		if p := parent[id]; p != "" && parent[p] != "" && parent[parent[p]] == "" {
			list = append(list, id)
		}
	}
	return list
}

// forms makes forms one after another: of ten three register a woman, seven are visits of women who are there.
type forms struct {
	country
	registration, visit string
	made, women         int
}

func (c country) newForms() (*forms, error) {
	f := &forms{country: c}
	example, err := examples.Files("anc")
	if err != nil {
		return nil, err
	}
	for name, to := range map[string]*string{"registration": &f.registration, "visit": &f.visit} {
		text, err := fs.ReadFile(example, "samples/anc-"+name+".json")
		if err != nil {
			return nil, fmt.Errorf("read the example's form: %w", err)
		}
		*to = string(text)
	}
	return f, nil
}

// next makes the next form.
func (f *forms) next() string {
	n := f.made
	f.made++
	text, woman := f.visit, 0
	if n%10 < 3 {
		text, woman = f.registration, f.women
		f.women++
	} else {
		woman = n * 7919 % f.women
	}
	return strings.NewReplacer(
		"f0f0a1b2-0001-4c4c-8d8d-000000000001", fmt.Sprintf("f0f0a1b2-%08d", n),
		"f0f0a1b2-0002-4c4c-8d8d-000000000002", fmt.Sprintf("f0f0a1b2-%08d", n),
		"8f8f5c3e-5c0e-4d43-9a55-6a1f3f0c1001", fmt.Sprintf("8f8f5c3e-%08d", woman),
		"NID-1001", fmt.Sprintf("NID-S%d", woman),
		"TM-010202", f.site(woman),
	).Replace(text)
}

func exportName(night int) string { return fmt.Sprintf("cases-%04d.csv", night) }

// dropExport drops the export of a night, whole at once as a careful program does.
func (c country) dropExport(dir string, night int) (name string, err error) {
	name = exportName(night)
	var text strings.Builder
	text.WriteString(exportHeader)
	for n := range c.ExportRows {
		// The age of a case tells when it was last changed: one in a hundred each night, another each time.
		last := night - (night+changedPart-n%changedPart)%changedPart
		fmt.Fprintf(&text, "%d,%s,2026-03-%02d,%d,%s\n", n, c.site(n), 1+n%28, 1+max(0, last)%101,
			[...]string{"FEMALE", "MALE"}[n%2])
	}
	aside := filepath.Join(dir, name)
	if err := os.WriteFile(aside, []byte(text.String()), 0o644); err != nil {
		return "", fmt.Errorf("write an export: %w", err)
	}
	if err := os.Rename(aside, filepath.Join(dir, "drop", name)); err != nil {
		return "", fmt.Errorf("drop an export: %w", err)
	}
	return name, nil
}
