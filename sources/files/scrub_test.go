package files

import (
	"bytes"
	"compress/gzip"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"github.com/culvert/culvert/sources"
)

// TestScrub takes a person out of every kind of file, and leaves all others in them.
func TestScrub(t *testing.T) {
	const person = "NID-77001"
	dir := t.TempDir()
	put := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	put("done/a.csv", "id,note\nNID-1,\"two\nlines\"\nNID-77001,\"x\ny\"\nNID-2,z\n")
	put("done/a.results.csv", "line,cause\n3,no such sex: NID-77001\n4,ok\n")
	put("failed/b.ndjson", `{"id":"NID-1","n":"a \"quote"}`+"\n"+`{"id":"NID-77001"}`+"\n"+`{"id":"NID-3"}`)
	put("done/c.json", `[{"id":"NID-77001"}]`)
	put("done/other.csv", "id\nNID-1\n")
	put("failed/longer.csv", "id\nNID-770012\n") // another person's
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write([]byte(strings.Repeat("x", 3<<20) + person)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	put("done/d.csv.gz", packed.String())
	book := excelize.NewFile()
	if err := book.SetCellValue("Sheet1", "A2", person); err != nil {
		t.Fatal(err)
	}
	if err := book.SaveAs(filepath.Join(dir, "done", "e.xlsx")); err != nil {
		t.Fatal(err)
	}
	names := func(list []string) (out []string) {
		for _, path := range list {
			out = append(out, filepath.Base(path))
		}
		slices.Sort(out)
		return out
	}
	scrub := func(how Scrubbing) Scrubbed {
		t.Helper()
		s, err := Scrub(t.Context(), dir, person, how)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if s := scrub(ScrubLook); len(s.Left) != 7 || len(s.Cut)+len(s.Removed) > 0 {
		t.Errorf("looking: %+v", s)
	}
	s := scrub(ScrubLines)
	if want := []string{"a.csv", "a.results.csv", "b.ndjson"}; !slices.Equal(names(s.Cut), want) || s.Lines != 3 {
		t.Errorf("cut %d lines of %q", s.Lines, names(s.Cut))
	}
	if want := []string{"c.json", "d.csv.gz", "e.xlsx"}; !slices.Equal(names(s.Left), want) {
		t.Errorf("left %q", names(s.Left))
	}
	if s := scrub(ScrubRemove); len(s.Removed) != 3 || len(s.Left) > 0 {
		t.Errorf("removing: %+v", s)
	}
	for name, want := range map[string]string{"done/a.csv": "id,note\nNID-1,\"two\nlines\"\nNID-2,z\n",
		"failed/b.ndjson": `{"id":"NID-1","n":"a \"quote"}` + "\n" + `{"id":"NID-3"}`, "done/other.csv": "id\nNID-1\n",
		"failed/longer.csv": "id\nNID-770012\n"} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if text, err := os.ReadFile(path); err != nil || string(text) != want {
			t.Errorf("%s holds %q: %v", name, text, err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
			t.Errorf("%s is %v: %v", name, info.Mode(), err)
		}
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if text, err := os.ReadFile(path); err != nil || sources.Mentions(string(text), person) {
			t.Errorf("%s still tells of the person: %v", path, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if s, err := Scrub(t.Context(), filepath.Join(dir, "none"), person, ScrubRemove); err != nil || len(s.Cut) > 0 {
		t.Errorf("a folder that is not there: %+v, %v", s, err)
	}
}
