package metadata

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func write(t testing.TB, dir string, s *Snapshot) {
	t.Helper()
	if err := Write(dir, s); err != nil {
		t.Fatal(err)
	}
}

func TestReadGivesWhatWriteWrote(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "metadata", "national")
	want := country(t)
	write(t, dir, want)
	got, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	ignore := cmpopts.IgnoreFields(ServerInfo{}, "Hash", "Format")
	if diff := cmp.Diff(want, got, ignore, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-written +read)\n%s", diff)
	}
	if len(got.OrgUnits) != 89 || len(got.Programs) != 4 {
		t.Errorf("%d org units and %d programs, want 89 and 4", len(got.OrgUnits), len(got.Programs))
	}
}

func TestWriteTwiceIsTheSameText(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "national")
	write(t, dir, country(t))
	first := texts(t, dir)
	s, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, s)
	if diff := cmp.Diff(first, texts(t, dir)); diff != "" {
		t.Error(diff)
	}
}

func texts(t *testing.T, dir string) map[string]string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, f := range found {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(f)] = string(text)
	}
	return all
}

func TestOneObjectPerLine(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "national")
	s := country(t)
	s.OrgUnits[3].Name = `Mother & child <clinic> "North" \ 漢`
	write(t, dir, s)
	text, err := os.ReadFile(filepath.Join(dir, "organisationUnits.json"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if len(lines) != 91 || lines[0] != "[" || lines[90] != "]" {
		t.Fatalf("%d lines, from %q to %q", len(lines), lines[0], lines[len(lines)-1])
	}
	if !slices.IsSorted(lines[1:90]) {
		t.Error("the lines are not in the order of the uids, which come first in each")
	}
	if !strings.Contains(lines[4], `Mother & child <clinic> \"North\" \\ 漢`) {
		t.Errorf("characters are escaped without need: %s", lines[4])
	}
	back, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := back.OrgUnits[3].Name; got != s.OrgUnits[3].Name {
		t.Errorf("name is %q after reading", got)
	}
}

func TestReadFaults(t *testing.T) {
	replace := func(file, old, new string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			path := filepath.Join(dir, file)
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(text), old) {
				t.Fatalf("%s does not hold %q", file, old)
			}
			if err := os.WriteFile(path, []byte(strings.Replace(string(text), old, new, 1)), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	remove := func(file string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, file)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		harm func(*testing.T, string)
		want string
	}{
		"another format": {replace("server.json", `"format": 1`, `"format": 7`),
			"server.json: the snapshot has format 7 and this Culvert reads format 1; run `culvert sync`"},
		"no server file":     {remove("server.json"), "server.json: the file is missing; restore the folder"},
		"no user file":       {remove("me.json"), "me.json: the file is missing"},
		"no collection":      {remove("programs.json"), "programs.json: the file is missing"},
		"broken server file": {replace("server.json", `"url":`, `"url"`), "server.json:2: not JSON"},
		"merge conflict": {replace("organisationUnits.json", "\n{\"id\":\"ACp", "\n<<<<<<< HEAD\n{\"id\":\"ACp"),
			"organisationUnits.json:3: not JSON"},
		"cut off": {replace("dataElements.json", "]\n", ""), "dataElements.json:"},
		"wrong type": {replace("organisationUnits.json", `"level":4`, `"level":"four"`),
			`organisationUnits.json:2: a string where "level" needs something else`},
		"no id": {replace("dataElements.json", `{"id":"AIKTsGqZii0"`, `{"id":""`),
			"dataElements.json:2: an object without an id"},
		"not a list": {replace("optionSets.json", "[\n", "{\n"), "optionSets.json:"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "national")
			write(t, dir, country(t))
			c.harm(t, dir)
			_, err := Read(dir)
			var fault *ReadError
			if !errors.As(err, &fault) {
				t.Fatalf("error %v, want a *ReadError", err)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %q, want it to contain %q", err, c.want)
			}
			if strings.Count(err.Error(), "\n") > 0 {
				t.Errorf("error of several lines: %q", err)
			}
		})
	}
}

func TestReadAnyLayout(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "national")
	write(t, dir, country(t))
	text := "[ {\"id\": \"b0000000001\", \"name\": \"B\"},\n\n  {\n\"id\":\"a0000000001\",\"name\":\"A\"}]"
	if err := os.WriteFile(filepath.Join(dir, "dataElements.json"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	s, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.DataElements) != 2 || s.DataElements[0].Name != "A" {
		t.Errorf("read %+v, want A and B in the order of their uids", s.DataElements)
	}
}

func TestReadNothing(t *testing.T) {
	_, err := Read(filepath.Join(t.TempDir(), "national"))
	if !errors.Is(err, ErrNoSnapshot) || !strings.Contains(err.Error(), "culvert sync") {
		t.Errorf("error %v, want ErrNoSnapshot with what to do", err)
	}
}

func TestInterruptedWrite(t *testing.T) {
	old, fresh := country(t), country(t)
	fresh.Server.Version = "2.43.1"
	move := func(t *testing.T, from, to string) {
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		leave func(t *testing.T, dir string)
		want  string
	}{
		"between the two renames": {func(t *testing.T, dir string) {
			move(t, dir, dir+".old")
			write(t, dir, fresh)
			move(t, dir, dir+".new")
		}, "2.43.1"},
		"while writing": {func(t *testing.T, dir string) {
			if err := os.MkdirAll(dir+".new", 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir+".new", "programs.json"), []byte("[\n{"), 0o644); err != nil {
				t.Fatal(err)
			}
		}, "2.42.4.1"},
		"while writing, the old one set aside": {func(t *testing.T, dir string) {
			move(t, dir, dir+".old")
			if err := os.MkdirAll(dir+".new", 0o755); err != nil {
				t.Fatal(err)
			}
		}, "2.42.4.1"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "national")
			write(t, dir, old)
			c.leave(t, dir)
			s, err := Read(dir)
			if err != nil {
				t.Fatal(err)
			}
			if s.Server.Version != c.want {
				t.Errorf("read the snapshot of %s, want that of %s", s.Server.Version, c.want)
			}
			write(t, dir, fresh)
			if s, err = Read(dir); err != nil || s.Server.Version != "2.43.1" {
				t.Errorf("after the next write: %v", err)
			}
			if left, _ := filepath.Glob(dir + ".new"); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// Readers see one snapshot or the other while it is replaced again and again, never a mixture and never none.
func TestReadWhileWriting(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "national")
	named := func(i int) *Snapshot {
		s := country(t)
		name := fmt.Sprint("Country ", i)
		s.Server.Name, s.Programs[0].Name, s.OptionSets[0].Name, s.User.Username = name, name, name, name
		return s
	}
	versions := []*Snapshot{named(0), named(1)}
	write(t, dir, versions[0])
	stop := make(chan struct{})
	var work sync.WaitGroup
	work.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			s, err := Read(dir)
			if err != nil {
				t.Error(err)
				return
			}
			if s.Programs[0].Name != s.Server.Name || s.OptionSets[0].Name != s.Server.Name || s.User.Username != s.Server.Name {
				t.Errorf("a mixture: %s, %s, %s, %s", s.Server.Name, s.Programs[0].Name, s.OptionSets[0].Name, s.User.Username)
				return
			}
		}
	})
	for i := range 6 {
		write(t, dir, versions[i%2])
	}
	close(stop)
	work.Wait()
}

func TestWriteKeepsOtherFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "national")
	write(t, dir, country(t))
	if err := os.WriteFile(filepath.Join(dir, "README"), []byte("ours"), 0o644); err != nil {
		t.Fatal(err)
	}
	write(t, dir, country(t))
	if text, err := os.ReadFile(filepath.Join(dir, "README")); err != nil || string(text) != "ours" {
		t.Errorf("README is %q, %v", text, err)
	}
}

func TestParseOrgUnitAsEncodingJSON(t *testing.T) {
	s := country(t)
	s.OrgUnits = append(s.OrgUnits, manyUnits(20).OrgUnits...)
	text, err := set[OrgUnit]{of: func(s *Snapshot) *[]OrgUnit { return &s.OrgUnits },
		id: func(o *OrgUnit) string { return o.ID }}.encode(s)
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(strings.Trim(string(text), "[]\n"), ",\n") {
		var got OrgUnit
		if !parseOrgUnit(line, &got) {
			t.Fatalf("given up: %s", line)
		}
		if diff := cmp.Diff(s.OrgUnits[i], got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("%s\n%s", line, diff)
		}
	}
}

func FuzzParseOrgUnit(f *testing.F) {
	f.Add(`{"id":"a","code":"c","name":"n","level":1,"path":"/a","parent":{"id":"b"},` +
		`"attributeValues":[{"attribute":{"id":"x"},"value":"1"}]}`)
	f.Add(`{"id":"a","level":-}`)
	f.Add(`{"id":"a","attributeValues":[]}`)
	collection := set[OrgUnit]{name: OrgUnits, of: func(s *Snapshot) *[]OrgUnit { return &s.OrgUnits },
		id: func(o *OrgUnit) string { return o.ID }}
	f.Fuzz(func(t *testing.T, line string) {
		var quick OrgUnit
		if !parseOrgUnit(line, &quick) {
			return
		}
		// What the quick way takes, encoding/json must take too and understand alike, unless it is text
		// that is no UTF-8 or holds raw control characters, which encode never writes.
		var slow Snapshot
		if err := collection.decodeAny("["+line+"]", &slow); err != nil {
			if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r == '\uFFFD' }) {
				return
			}
			t.Fatalf("taken: %q, refused by encoding/json: %v", line, err)
		}
	})
}

func BenchmarkReadCountry(b *testing.B) {
	dir := filepath.Join(b.TempDir(), "national")
	write(b, dir, manyUnits(100_000))
	b.ResetTimer()
	for b.Loop() {
		s, err := Read(dir)
		if err != nil {
			b.Fatal(err)
		}
		NewIndex(s)
	}
}
