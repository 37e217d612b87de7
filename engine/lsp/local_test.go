package lsp

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/culvert/culvert/engine/project"
)

func local(t *testing.T, name string) (*Local, string) {
	t.Helper()
	dir := ancProject(t, name)
	return NewLocal(Options{Loader: &project.Loader{Sources: project.SourceKinds()}, Log: slog.New(slog.DiscardHandler)},
		dir), dir
}

// find gives a row of a sheet by its name.
func find(t *testing.T, s *Sheet, name string) Row {
	t.Helper()
	rows := s.Settings
	for _, g := range append(s.Lookups, s.Actions...) {
		rows = append(rows, g.Rows...)
		for _, set := range g.Sets {
			rows = append(rows, set.Rows...)
		}
	}
	for _, r := range rows {
		if r.Name == name {
			return r
		}
	}
	t.Fatalf("there is no row %q", name)
	return Row{}
}

func TestSheet(t *testing.T) {
	l, dir := local(t, "anc")
	text, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(registration)))
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.Sheet(t.Context(), nil, registration, Pick{})
	if err != nil {
		t.Fatal(err)
	}
	if s.Text != string(text) || len(s.Findings) != 0 || s.Failure != nil || s.Sample.Records != 1 {
		t.Errorf("findings %v, failure %v, sample %+v", s.Findings, s.Failure, s.Sample)
	}
	sex := find(t, s, "Sex")
	if sex.Text != "trigger.form.gender" || sex.Map != "sex" || !sex.Mapped || sex.Field == nil || sex.Field.Type != "TEXT" ||
		len(sex.Field.Choices) == 0 || len(sex.Values) != 1 || sex.Values[0].In != `"f"` ||
		sex.Values[0].Out != `"FEMALE"` {
		t.Errorf("%+v %+v", sex, sex.Field)
	}
	if clinic := find(t, s, "code"); len(clinic.Values) != 1 ||
		!strings.Contains(clinic.Values[0].Out, "Coral Health Centre") {
		t.Errorf("%+v", clinic)
	}
	open := find(t, s, "Email address")
	if open.Mapped || strings.Join(open.Path, "/") != "actions/0/dhis2.create_and_enroll/attributes/Email address" {
		t.Errorf("%+v", open)
	}
	drafts := Drafts{registration: strings.Replace(string(text), "trigger.form.weight", "trigger.form.wieght", 1)}
	s, err = l.Sheet(t.Context(), drafts, registration, Pick{})
	if err != nil {
		t.Fatal(err)
	}
	weight, muac := find(t, s, "Weight (kg)"), find(t, s, "MUAC (mm)")
	if len(weight.Found) != 1 || len(weight.Values) != 0 || !s.Partial {
		t.Errorf("%+v", weight)
	}
	if len(muac.Values) != 1 || muac.Values[0].Out == "" {
		t.Errorf("the other lines have no values: %+v", muac)
	}
	if s, err = l.Sheet(t.Context(), nil, registration, Pick{}); err != nil || len(s.Findings) != 0 {
		t.Errorf("a draft that is gone is still looked at: %v %v", s.Findings, err)
	}
	fixed := strings.Replace(string(text), "f: Female", "x: Female", 1)
	if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(registration)), []byte(fixed), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err = l.Sheet(t.Context(), nil, registration, Pick{}); err != nil || s.Text != fixed || len(s.Maps) != 1 ||
		len(s.Maps[0].Gaps) != 1 || s.Maps[0].Gaps[0].Value != "f" || len(s.Maps[0].Entries) != 2 {
		t.Errorf("%+v %v", s.Maps, err)
	}
}
