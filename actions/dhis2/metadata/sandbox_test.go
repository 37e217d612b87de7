package metadata_test

import (
	"context"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/actions/dhis2/sandbox"
)

// sync reads everything from a sandbox of a version, made from a metadata export or a snapshot.
func syncFrom(t *testing.T, from, version string, old *metadata.Snapshot, more ...string) *metadata.Snapshot {
	t.Helper()
	s, err := sandbox.New(sandbox.Options{Metadata: from, More: more, Version: version})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	defer func() {
		server.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	c, err := client.New(client.Options{URL: server.URL,
		Credentials: client.Credentials{Username: "admin", Password: "district"}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	snapshot, err := metadata.Sync(context.Background(), c, old,
		metadata.Options{Warn: func(m string) { t.Errorf("%s: warned: %s", version, m) }})
	if err != nil {
		t.Fatalf("%s: %v", version, err)
	}
	return snapshot
}

const tamala = "../sandbox/testdata/tamala.json"

// A second sync reads little and finds nothing.
func TestSyncAgain(t *testing.T) {
	s, err := sandbox.New(sandbox.Options{Metadata: tamala, Version: "2.42"})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	defer s.Close()
	defer server.Close()
	c, err := client.New(client.Options{URL: server.URL,
		Credentials: client.Credentials{Username: "admin", Password: "district"}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var old *metadata.Snapshot
	for i := range 2 {
		fresh, err := metadata.Sync(context.Background(), c, old, metadata.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if changes := metadata.Diff(old, fresh); len(changes) > 0 {
			t.Errorf("sync %d: %v", i+1, changes)
		}
		old = fresh
	}
}

// Servers of all versions that hold the same metadata differ in nothing but their version; nothing
// is lost on disk, nor when a sandbox is made from a snapshot.
func TestSyncSandboxes(t *testing.T) {
	first := syncFrom(t, tamala, "2.42", nil)
	x := metadata.NewIndex(first)
	if len(first.OrgUnits) != 89 || !x.ProgramHasOrgUnit("HKEoH96oH4U", "ygq0iefHYLW") ||
		!x.InCaptureScope("ygq0iefHYLW") || x.DefaultOptionCombo() == "" {
		t.Errorf("%d org units; the program's org units, the user's scope or the default combo are missing",
			len(first.OrgUnits))
	}
	for _, version := range []string{"2.38", "2.40", "2.41", "2.43", "2.44"} {
		for _, c := range metadata.Diff(first, syncFrom(t, tamala, version, nil)) {
			if c.Collection != "" {
				t.Errorf("%s: %s", version, c.Words)
			}
		}
	}
	dir := filepath.Join(t.TempDir(), "national")
	if err := metadata.Write(dir, first); err != nil {
		t.Fatal(err)
	}
	read, err := metadata.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if changes := metadata.Diff(first, read); len(changes) > 0 {
		t.Errorf("lost on disk: %v", changes)
	}
	for _, c := range metadata.Diff(first, syncFrom(t, dir, "2.42", nil)) {
		if c.Collection != "" {
			t.Errorf("lost by the sandbox: %s", c.Words)
		}
	}
}

// Names in other languages come along, are kept on disk, and a sandbox made of the snapshot tells them as DHIS2 does.
func TestSyncTranslations(t *testing.T) {
	more := filepath.Join(t.TempDir(), "more.json")
	text := `{"dataElements": [{"id": "deFrench001", "name": "Body weight", "shortName": "Body weight", "valueType": "NUMBER",
		"domainType": "TRACKER", "aggregationType": "NONE", "translations": [{"property": "NAME", "locale": "fr",
		"value": "Poids du corps"}, {"property": "SHORT_NAME", "locale": "fr", "value": "Poids"}]}]}`
	if err := os.WriteFile(more, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := syncFrom(t, tamala, "2.42", nil, more)
	dir := filepath.Join(t.TempDir(), "national")
	if err := metadata.Write(dir, s); err != nil {
		t.Fatal(err)
	}
	for what, s := range map[string]*metadata.Snapshot{"synced": s, "of a sandbox of the snapshot": syncFrom(t, dir, "2.43",
		nil)} {
		i := slices.IndexFunc(s.DataElements, func(e metadata.DataElement) bool { return e.ID == "deFrench001" })
		want := metadata.Translations{"fr": "Poids du corps"}
		if i < 0 || !cmp.Equal(s.DataElements[i].Translations, want) {
			t.Errorf("%s: the data element is not there as it is called in French", what)
			continue
		}
		x := metadata.NewIndex(s)
		if hits := x.Search("poids corps"); len(hits) == 0 || hits[0].ID != "deFrench001" {
			t.Errorf("%s: it is not found by its French name: %v", what, hits)
		}
	}
}

// Rules come with what they need: variables, constants, and the org unit groups that they ask
// about, which a sandbox made of the snapshot has too.
func TestSyncProgramRules(t *testing.T) {
	s := syncFrom(t, tamala, "2.42", nil, "../sandbox/testdata/rules.json")
	if len(s.ProgramRules) != 9 || len(s.ProgramRuleVariables) != 4 || len(s.Constants) != 1 ||
		s.Constants[0].Value != 200 {
		t.Errorf("%d rules, %d variables, constants %v", len(s.ProgramRules), len(s.ProgramRuleVariables), s.Constants)
	}
	if len(s.OrgUnitGroups) != 2 || len(s.OrgUnitGroups[0].OrgUnits) != 1 {
		t.Errorf("org unit groups %v, want the one that is asked about with its org unit", s.OrgUnitGroups)
	}
	dir := filepath.Join(t.TempDir(), "national")
	if err := metadata.Write(dir, s); err != nil {
		t.Fatal(err)
	}
	for _, c := range metadata.Diff(s, syncFrom(t, dir, "2.42", nil)) {
		if c.Collection != "" {
			t.Errorf("lost on the way through a snapshot: %s", c.Words)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "optionSets.json"))
	if err != nil {
		t.Fatal(err)
	}
	options := 0
	for _, set := range s.OptionSets {
		options += len(set.Options)
	}
	if lines := strings.Count(string(text), "\n"); lines != 2+len(s.OptionSets)+options {
		t.Errorf("%d lines for %d option sets with %d options:\n%s", lines, len(s.OptionSets), options, text)
	}
	read, err := metadata.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s.OptionSets, read.OptionSets); diff != "" {
		t.Errorf("option sets lost on disk: %s", diff)
	}
	changed := *s
	changed.Constants = []metadata.Constant{{Named: s.Constants[0].Named, Value: 150}}
	changed.ProgramRuleVariables = s.ProgramRuleVariables[1:]
	var words []string
	for _, c := range metadata.Diff(s, &changed) {
		words = append(words, c.Words)
	}
	want := []string{"program rule variable weight (Antenatal care) was removed", "constant Heavy has changed"}
	if !slices.Equal(words, want) {
		t.Errorf("differences %q, want %q", words, want)
	}
}
