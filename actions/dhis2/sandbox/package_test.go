package sandbox

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// aPackage is a program as packages are handed out: without org units, and with an object that lost its id.
const aPackage = "testdata/package.json"

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A package loads as it is: a country is laid under it, its programs are assigned, and what has no
// id is left out with a sentence. Options of one name stay two.
func TestPackage(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := newSite(t, Options{Metadata: aPackage, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if !strings.Contains(log.String(), "1 of the 1 programRuleActions have no id and are left out") {
		t.Errorf("what is left out is not told:\n%s", log.String())
	}
	_, units := s.get("/api/organisationUnits?fields=id,level,path&order=level&paging=false")
	if n := len(dig(units, "organisationUnits").([]any)); n != 7 || dig(units, "organisationUnits", 0, "level") != 1.0 {
		t.Errorf("the country laid: %s", flat(units))
	}
	_, options := s.get("/api/options?fields=code,name&order=code&paging=false")
	if flat(dig(options, "options")) != `[{"code":"COBRA","name":"HYPOXIA"},{"code":"VIPER","name":"HYPOXIA"}]` {
		t.Errorf("options of one name: %s", flat(options))
	}
	_, answer := s.do("POST", "/api/tracker?async=false",
		m{"events": l(m{"event": testUID("tBite", 1), "program": "packProgram", "programStage": "packStage01",
			"orgUnit": "cuLvRtNHosp", "occurredAt": "2026-06-02", "status": "COMPLETED",
			"dataValues": l(cell("packElement", "VIPER"))})})
	if dig(answer, "stats", "created") != 1.0 {
		t.Errorf("an event of the package: %s", flat(answer))
	}
}

// Of several files the later ones count; a package on top of a country is assigned to its org units.
func TestMetadataMerged(t *testing.T) {
	t.Parallel()
	renamed := writeFile(t, "renamed.json",
		`{"dataElements": [{"id": "packElement", "name": "Snake"}], "programs": [{"id": "`+anc+`", "code": "ANC-2"}]}`)
	s := newSite(t, Options{Metadata: "testdata/tamala.json", More: []string{aPackage, renamed}})
	_, element := s.get("/api/dataElements/packElement?fields=name,valueType")
	if flat(element) != `{"name":"Snake","valueType":"TEXT"}` {
		t.Errorf("an object told twice: %s", flat(element))
	}
	_, program := s.get("/api/programs/packProgram?fields=organisationUnits[id]")
	_, units := s.get("/api/organisationUnits?fields=id&paging=false")
	if a, b := len(dig(program, "organisationUnits").([]any)),
		len(dig(units, "organisationUnits").([]any)); a != b || b < 80 {
		t.Errorf("the package is assigned to %d of %d org units", a, b)
	}
	if _, p := s.get("/api/programs/" + anc + "?fields=code,name"); flat(p) != `{"code":"ANC-2","name":"Antenatal care"}` {
		t.Errorf("a program told twice: %s", flat(p))
	}
	s.load(full(1))
}
