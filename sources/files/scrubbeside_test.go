package files

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestScrubBeside takes the files with a person that only their rows name, and those named after them.
func TestScrubBeside(t *testing.T) {
	const person = "NID-77001"
	for _, c := range []struct {
		name, table, text           string
		files, removed, unsure, not []string // not: left, and not spoken of
		look                        bool
		whole                       bool // the table is removed as a whole
	}{
		{name: "by path", table: "w.csv", text: "id,photo\nNID-1,photos/1.jpg\nNID-77001,photos/2.jpg\n",
			files: []string{"photos/1.jpg", "photos/2.jpg"}, removed: []string{"photos/2.jpg"}, not: []string{"photos/1.jpg"}},
		{name: "the last one, with its folders", table: "w.csv", text: "id,photo\nNID-1,\nNID-77001,a/b/2.jpg\n",
			files: []string{"a/b/2.jpg"}, removed: []string{"a/b/2.jpg"}},
		{name: "by name, with a folder from the rule", table: "w.tsv", text: "id\tphoto\nNID-1\t1.jpg\nNID-77001\t2.jpg\n",
			files: []string{"photos/1.jpg", "photos/2.jpg"}, removed: []string{"photos/2.jpg"}, not: []string{"photos/1.jpg"}},
		{name: "with an ending from the rule", table: "w.csv", text: "id,no\nNID-1,11\nNID-77001,12\n",
			files: []string{"11.jpg", "12.jpg"}, removed: []string{"12.jpg"}, not: []string{"11.jpg"}},
		{name: "alike in two folders", table: "w.csv", text: "id,photo\nNID-1,b/1.jpg\nNID-77001,a/1.jpg\n",
			files: []string{"a/1.jpg", "b/1.jpg"}, removed: []string{"a/1.jpg"}, not: []string{"b/1.jpg"}},
		{name: "shared", table: "w.csv", text: "id,photo\nNID-1,1.jpg\nNID-77001,1.jpg\n",
			files: []string{"1.jpg"}, unsure: []string{"1.jpg"}},
		{name: "made by the rule", table: "w.csv", text: "id,no\nNID-1,11\nNID-77001,12\n",
			files: []string{"p-11.jpg"}, unsure: []string{"p-11.jpg"}},
		{name: "named after the person", table: "w.csv", text: "id\nNID-1\n",
			files:   []string{"NID-77001.jpg", "NID-770012.jpg", "NID-77001/face.jpg"},
			removed: []string{"NID-77001.jpg", "NID-77001/face.jpg"}, not: []string{"NID-770012.jpg"}},
		{name: "of nobody who is forgotten", table: "w.csv", text: "id,photo\nNID-1,1.jpg\n",
			files: []string{"1.jpg", "p.jpg"}, not: []string{"1.jpg", "p.jpg"}},
		{name: "lines of JSON", table: "w.ndjson", text: `{"id":"NID-1","p":["a b.jpg"]}` + "\n" +
			`{"id":"NID-77001","p":"photos\/2.jpg","q":"x\\3.jpg"}` + "\n",
			files: []string{"a b.jpg", "photos/2.jpg", "x/3.jpg"}, removed: []string{"photos/2.jpg", "x/3.jpg"},
			not: []string{"a b.jpg"}},
		{name: "several in a cell", table: "w.csv", text: "id,photos\nNID-1,1.jpg 2.jpg\nNID-77001,3.jpg 4.jpg\n",
			files: []string{"1.jpg", "2.jpg", "3.jpg", "4.jpg"}, removed: []string{"3.jpg", "4.jpg"},
			not: []string{"1.jpg", "2.jpg"}},
		{name: "looked for only", table: "w.csv", text: "id,photo\nNID-77001,1.jpg\n", look: true,
			files: []string{"1.jpg"}, not: []string{"1.jpg"}},
		{name: "a table removed as a whole", table: "w.json", text: `[{"id":"NID-77001","p":"1.jpg"}]`, whole: true,
			files: []string{"1.jpg"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			// The folder's own name ends as those for files do.
			root := filepath.Join(t.TempDir(), "drop.files", "done")
			folder := filepath.Join(root, "w.files")
			write := func(path, text string) {
				t.Helper()
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			write(filepath.Join(root, c.table), c.text)
			for _, name := range c.files {
				write(filepath.Join(folder, filepath.FromSlash(name)), "picture")
			}
			how := ScrubLines
			switch {
			case c.look:
				how = ScrubLook
			case c.whole:
				how = ScrubRemove
			}
			s, err := Scrub(t.Context(), root, person, how)
			if err != nil {
				t.Fatal(err)
			}
			under := func(list []string) (out []string) {
				for _, path := range list {
					if rel, err := filepath.Rel(folder, path); err == nil && filepath.IsLocal(rel) && rel != "." {
						out = append(out, filepath.ToSlash(rel))
					}
				}
				slices.Sort(out)
				return out
			}
			if got := under(s.Removed); !slices.Equal(got, c.removed) {
				t.Errorf("removed %q, not %q", got, c.removed)
			}
			if got := under(s.Unsure); !slices.Equal(got, c.unsure) {
				t.Errorf("unsure of %q, not %q", got, c.unsure)
			}
			for _, name := range c.files {
				_, err := os.Stat(filepath.Join(folder, filepath.FromSlash(name)))
				if want := slices.Contains(c.unsure, name) || slices.Contains(c.not, name); want != (err == nil) {
					t.Errorf("%s: %v", name, err)
				}
			}
			if _, err := os.Stat(filepath.Join(root, c.table)); c.whole != (err != nil) {
				t.Errorf("the table: %v", err)
			}
			if len(c.unsure)+len(c.not) == 0 {
				if _, err := os.Stat(folder); err == nil {
					t.Error("the empty folder is left")
				}
			}
		})
	}
}
