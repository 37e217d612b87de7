package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSampleOfEveryTrigger makes a sample of what lies at the source of every trigger that asks for its records; the
// rule works with it, and nobody can be told from it.
func TestSampleOfEveryTrigger(t *testing.T) {
	t.Parallel()
	w := everyTrigger(t)
	dir, env, partner, store := w.dir, w.env, w.partner, w.store
	registryDatabase(t, dir)
	dropEverything(t, dir)
	names, keys := partner.Names(t, "outgoing/malaria"), store.Keys()
	for rule, ages := range map[string]string{
		"kobo": "27", "odk": "28", "odk-entities": "42", "commcare-forms": "25", "commcare-cases": "26",
		"schedule-web-api": "21", "schedule-rapidpro": "32", "schedule-redcap": "36", "schedule-sheet": "29",
		"schedule-query": "19", "schedule-folder": "23", "database-and-back": "17", "sftp": "37", "s3": "38", "mail": "",
		"files-workbook": "7", "files-lines": "15", "files-commcare-zip": "2",
	} {
		text, err := os.ReadFile(filepath.Join(dir, "rules", rule+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		at := strings.Index(string(text), "sample: ")
		line, _, _ := strings.Cut(string(text[at:]), "\n")
		name := "samples/" + rule + "-real.json"
		fresh := strings.Replace(string(text), line, "sample: "+name, 1)
		fresh, _, _ = strings.Cut(fresh, "\ntests:")
		lay(t, filepath.Join(dir, "rules", rule+".yaml"), []byte(fresh+"\n"))
		out := culvert(t, env, dir, "sample", rule, "--records", "2")
		if !strings.Contains(out, name+" written") {
			t.Errorf("%s: %s", rule, out)
			continue
		}
		made, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(made), ages) || strings.Contains(string(made), "2026-03-0") {
			t.Errorf("%s: %s", rule, made)
		}
	}
	culvert(t, env, dir, "validate")
	for rule := range map[string]bool{"kobo": true, "files-workbook": true, "sftp": true} {
		culvert(t, env, dir, "try", rule)
	}
	if got := partner.Names(t, "outgoing/malaria"); len(got) != len(names) || len(store.Keys()) != len(keys) {
		t.Errorf("something was taken: %v %v", got, store.Keys())
	}
}

// TestNewFromASource begins a rule from an entity list, with a sample of what is in it.
func TestNewFromASource(t *testing.T) {
	t.Parallel()
	w := everyTrigger(t)
	dir, env := w.dir, w.env
	out := culvert(t, env, dir, "new", "from-entities", "--program", "Malaria case notification", "--trigger",
		"odk: {connection: central, project: 3, entity_list: malaria_cases, deletions: true}")
	text, err := os.ReadFile(filepath.Join(dir, "rules", "from-entities.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"odk: {connection: central, project: 3, entity_list: malaria_cases, deletions: true}",
		"id: trigger.__id", "sample: samples/from-entities.json", "code: trigger.facility", "trigger.age", "tests:"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%q is missing:\n%s\n%s", want, text, out)
		}
	}
	culvert(t, env, dir, "validate", "rules/from-entities.yaml")
	culvert(t, env, dir, "test", "from-entities")
}
