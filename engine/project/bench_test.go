package project

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/files"
	"github.com/culvert/culvert/sources/webhook"
)

// country writes a project with many rules and the snapshot of a large country.
func country(b *testing.B, rules, units int) string {
	b.Helper()
	dir := b.TempDir()
	must := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	text, err := os.ReadFile("../../actions/dhis2/testdata/metadata.json")
	must(err)
	var answers map[string]json.RawMessage
	must(json.Unmarshal(text, &answers))
	s := &metadata.Snapshot{Server: metadata.ServerInfo{Version: "2.42.4.1", Calendar: "iso8601",
		Format: metadata.FormatVersion}}
	for name, into := range map[string]any{
		"organisationUnits": &s.OrgUnits, "organisationUnitLevels": &s.OrgUnitLevels, "attributes": &s.Attributes,
		"trackedEntityTypes":      &s.TrackedEntityTypes,
		"trackedEntityAttributes": &s.TrackedEntityAttributes, "programs": &s.Programs, "dataElements": &s.DataElements,
		"dataSets":   &s.DataSets,
		"optionSets": &s.OptionSets, "categoryCombos": &s.CategoryCombos, "categoryOptionCombos": &s.CategoryOptionCombos,
		"categories":      &s.Categories,
		"categoryOptions": &s.CategoryOptions, "relationshipTypes": &s.RelationshipTypes, "programRules": &s.ProgramRules,
	} {
		var body map[string]json.RawMessage
		must(json.Unmarshal(answers[name], &body))
		must(json.Unmarshal(body[name], into))
	}
	must(json.Unmarshal(answers["me"], &s.User))
	root := s.OrgUnits[0]
	for i := range units {
		id := fmt.Sprintf("u%010d", i)
		s.OrgUnits = append(s.OrgUnits, metadata.OrgUnit{
			Named: metadata.Named{ID: id, Code: fmt.Sprintf("C%d", i), Name: fmt.Sprintf("Health Centre %d", i)}, Level: 2,
			Path: root.Path + "/" + id, Parent: &metadata.Ref{ID: root.ID},
		})
	}
	must(metadata.Write(filepath.Join(dir, MetadataDir, "national"), s))
	must(os.WriteFile(filepath.Join(dir, ConfigFile),
		[]byte("project: country\nservers: {national: {url: https://x.example.org, token: \"${TOKEN}\", default: true}}\n"),
		0o644))
	const examples = "../../rules/examples/anc/"
	sample, err := os.ReadFile(examples + "samples/anc-registration.json")
	must(err)
	must(os.MkdirAll(filepath.Join(dir, "samples"), 0o755))
	must(os.WriteFile(filepath.Join(dir, "samples", "anc-registration.json"), sample, 0o644))
	rule, err := os.ReadFile(examples + "rules/anc-registration.yaml")
	must(err)
	must(os.MkdirAll(filepath.Join(dir, RulesDir), 0o755))
	for i := range rules {
		own := strings.Replace(string(rule), "rule: anc-registration", fmt.Sprintf("rule: anc-registration-%d", i), 1)
		must(os.WriteFile(filepath.Join(dir, RulesDir, fmt.Sprintf("rule-%d.yaml", i)), []byte(own), 0o644))
	}
	return dir
}

// BenchmarkValidateCountry checks 1,000 rules against 100,000 org units, reading the snapshot as
// the command does (cold) and as a running Culvert does after a rule was saved (warm).
func BenchmarkValidateCountry(b *testing.B) {
	dir := country(b, 1000, 100_000)
	kinds := []sources.Kind{webhook.Kind{}, files.Kind{}}
	load := func(b *testing.B, l *Loader) {
		p, err := l.Load(b.Context(), dir)
		if err != nil {
			b.Fatal(err)
		}
		if p.Findings.HasErrors() || len(p.Rules) != 1000 {
			b.Fatalf("%d rules: %v", len(p.Rules), p.Findings[:min(3, len(p.Findings))])
		}
	}
	b.Run("cold", func(b *testing.B) {
		for b.Loop() {
			load(b, &Loader{Sources: kinds})
		}
	})
	b.Run("warm", func(b *testing.B) {
		l := &Loader{Sources: kinds}
		load(b, l)
		for b.Loop() {
			load(b, l)
		}
	})
}
