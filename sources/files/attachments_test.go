package files

import (
	"archive/zip"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/results"
)

// anySink takes every file.
type anySink struct{ sources.Sink }

// AcceptFile implements sources.Sink.
func (anySink) AcceptFile(context.Context, sources.File) (bool, error) { return false, nil }

// dropped is a folder with a rule that watches it.
type dropped struct {
	t         *testing.T
	dir, drop string
	find      sources.AttachmentFinder
	finished  map[string]string // where tables went, as the journal knows
}

func newDropped(t *testing.T) *dropped {
	t.Helper()
	d := &dropped{t: t, dir: t.TempDir(), finished: map[string]string{}}
	d.drop = filepath.Join(d.dir, "drop")
	var diags diag.List
	doc := yamlnode.Parse("rule.yaml", []byte("{folder: drop, stable_for: 1ms}"), &diags)
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	d.find = Kind{}.Attachments("wounds", &rules.Trigger{Kind: "files", Config: doc.Root},
		sources.AttachmentEnv{Dir: d.dir, Inbox: filepath.Join(d.dir, "inbox"),
			Finished: func(id string) string { return d.finished[id] }})
	return d
}

func (d *dropped) write(name, text string) string {
	d.t.Helper()
	path := filepath.Join(d.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		d.t.Fatal(err)
	}
	past := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, past, past); err != nil {
		d.t.Fatal(err)
	}
	return path
}

// take takes a file as a watched folder does.
func (d *dropped) take(path string) sources.File {
	d.t.Helper()
	in := inbox{dir: filepath.Join(d.dir, "inbox"), now: time.Now}
	t := tag{Rule: "wounds", Name: filepath.Base(path), Folder: filepath.Dir(path), Received: time.Now()}
	id, err := in.prepare(t)
	if err != nil {
		d.t.Fatal(err)
	}
	if err := os.Rename(path, in.path(id, t)); err != nil {
		d.t.Fatal(err)
	}
	f, _, err := in.offer(d.t.Context(), id, anySink{})
	if err != nil {
		d.t.Fatal(err)
	}
	return f
}

// content fetches what a row names; "!" and what is wrong where it cannot.
func (d *dropped) content(id, name string) string {
	d.t.Helper()
	a, err := d.find(nil, id)(name)
	var content []byte
	if err == nil {
		content, _, err = a.Fetch(d.t.Context(), 50)
	}
	if e, ok := errors.AsType[*rules.AttachmentError](err); ok {
		return "!" + e.Code + " " + e.Error()
	}
	if err != nil {
		d.t.Fatal(err)
	}
	return string(content)
}

func (d *dropped) finish(f sources.File) {
	d.t.Helper()
	done := filepath.Join(d.drop, "done")
	if _, err := results.Finish(d.t.Context(), results.FinishRequest{File: f, Done: done, Failed: done}); err != nil {
		d.t.Fatal(err)
	}
}

// TestFilesBesideADroppedOne holds that what rows name is taken with the table, from its own folder
// only, goes where the table goes, and is found again when failed rows are dropped once more.
func TestFilesBesideADroppedOne(t *testing.T) {
	t.Parallel()
	d := newDropped(t)
	secret := d.write("secret.jpg", "secret")
	d.write("drop/photos/1.jpg", "one")
	d.write("drop/photos/sub/2.jpg", "two")
	d.write("drop/photos/large.jpg", strings.Repeat("x", 51))
	if err := os.Symlink(secret, filepath.Join(d.drop, "photos", "link.jpg")); err != nil {
		t.Skip(err)
	}
	if err := os.Symlink(d.dir, filepath.Join(d.drop, "up")); err != nil {
		t.Fatal(err)
	}
	f := d.take(d.write("drop/wounds.csv", "id,photo\n1,photos/1.jpg\n"))
	for name, want := range map[string]string{
		"photos/1.jpg": "one", `photos\1.jpg`: "one", "./photos/sub/2.jpg": "two",
		"photos/11.jpg":         `there is "1.jpg"`,
		"photos/large.jpg":      "!file-too-large",
		"photos/link.jpg":       "!file-not-there",
		"up/secret.jpg":         "!file-not-there",
		"../secret.jpg":         "outside of the folder",
		secret:                  "outside of the folder",
		"photos/../../x.jpg":    "outside of the folder",
		".hidden/photos/1.jpg":  "outside of the folder",
		"photos/nothing at.jpg": "!file-not-there",
	} {
		if got := d.content(f.ID, name); got != want && (!strings.HasPrefix(got, "!") || !strings.Contains(got, want)) {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if _, err := os.Stat(filepath.Join(d.drop, "photos", "1.jpg")); err == nil {
		t.Error("the photo was not taken")
	}
	same, _ := d.find(nil, f.ID)("photos/1.jpg")
	other, _ := d.find(nil, f.ID)("photos/sub/2.jpg")
	if same.Key == other.Key || !strings.HasPrefix(same.Key, "content/") {
		t.Errorf("keys %q and %q", same.Key, other.Key)
	}
	d.finish(f)
	if text, err := os.ReadFile(filepath.Join(d.drop, "done", "wounds.files", "photos", "1.jpg")); string(text) != "one" {
		t.Errorf("in done: %q %v", text, err)
	}
	if got := d.content(f.ID, "photos/1.jpg"); !strings.Contains(got, "finished") {
		t.Errorf("after the finish: %s", got)
	}
	d.finished[f.ID] = filepath.Join(d.drop, "done", "wounds.csv")
	d.write("drop/photos/late.jpg", "late")
	for name, want := range map[string]string{"photos/1.jpg": "one", "photos/sub/2.jpg": "two", "photos/late.jpg": "late",
		"photos/11.jpg": `there is "1.jpg"`, "photos/link.jpg": "!file-not-there", "../secret.jpg": "outside of the folder"} {
		if got := d.content(f.ID, name); got != want && (!strings.HasPrefix(got, "!") || !strings.Contains(got, want)) {
			t.Errorf("of the finished table: %s: %s, want %s", name, got, want)
		}
	}
	again := d.take(d.write("drop/wounds.failed.csv", "id,photo\n1,photos/1.jpg\n"))
	if got := d.content(again.ID, "photos/1.jpg"); got != "one" {
		t.Errorf("dropped again: %s", got)
	}
	if got, err := d.find(nil, "")("photos/1.jpg"); err != nil || got.Name != "photos/1.jpg" {
		t.Errorf("of a sample: %+v %v", got, err)
	}
}

// TestFilesBesideAnImportedOne holds that an import by hand leaves the photos where they are.
func TestFilesBesideAnImportedOne(t *testing.T) {
	t.Parallel()
	d := newDropped(t)
	photo := d.write("drop/photos/1.jpg", "one")
	f, _, err := Take(t.Context(), d.write("drop/a.csv", "id\n1\n"), "wounds", filepath.Join(d.dir, "inbox"), anySink{})
	if err != nil {
		t.Fatal(err)
	}
	if got := d.content(f.ID, "photos/1.jpg"); got != "one" {
		t.Error(got)
	}
	if _, err := os.Stat(photo); err != nil {
		t.Error(err)
	}
}

// TestTablesAreNotTakenAsPhotos holds that a row which names another table, or what is finished, leaves it where it is.
func TestTablesAreNotTakenAsPhotos(t *testing.T) {
	t.Parallel()
	d := newDropped(t)
	others := []string{"drop/other.csv", "drop/book.xlsx", "drop/done/x.jpg"}
	for _, name := range others {
		d.write(name, "rows")
	}
	f := d.take(d.write("drop/wounds.csv", "id,photo\n1,other.csv\n"))
	for _, name := range others {
		if got := d.content(f.ID, strings.TrimPrefix(name, "drop/")); got != "rows" {
			t.Errorf("%s: %s", name, got)
		}
		if _, err := os.Stat(filepath.Join(d.dir, filepath.FromSlash(name))); err != nil {
			t.Errorf("%s was taken: %v", name, err)
		}
	}
}

// TestFilesInADroppedZip holds that photos are read from the zip that the table came in.
func TestFilesInADroppedZip(t *testing.T) {
	t.Parallel()
	d := newDropped(t)
	path := d.write("drop/export.zip", "")
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(out)
	for _, e := range [][2]string{{"forms.csv", "id,photo\n1,1.jpg\n"}, {"media/1.jpg", "one"}, {"a/2.jpg", "two"},
		{"b/2.jpg", "three"}, {"../evil.jpg", "evil"}, {"photos/large.jpg", strings.Repeat("x", 51)}} {
		w, err := z.Create(e[0])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e[1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(z.Close(), out.Close()); err != nil {
		t.Fatal(err)
	}
	bodies, err := Kind{}.Sample(&rules.Trigger{Kind: "files"}, path, nil, 5)
	if err != nil || len(bodies) != 1 {
		t.Errorf("the table: %v %v", bodies, err)
	}
	f := d.take(path)
	for name, want := range map[string]string{
		"1.jpg": "one", "media/1.jpg": "one", "a/2.jpg": "two", "2.jpg": "several times", "../evil.jpg": "outside",
		"photos/large.jpg": "!file-too-large", "11.jpg": `there is "1.jpg"`,
	} {
		if got := d.content(f.ID, name); got != want && (!strings.HasPrefix(got, "!") || !strings.Contains(got, want)) {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

// TestRowsThatNameOneLargeFile reads a file once, however many rows name it, and keeps nothing of it.
func TestRowsThatNameOneLargeFile(t *testing.T) { // measures what is allocated: by itself
	const size = 20 << 20
	d := newDropped(t)
	d.write("drop/video.mp4", string(make([]byte, size)))
	f := d.take(d.write("drop/wounds.csv", "photo\nvideo.mp4\n"))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	first, err := d.find(nil, f.ID)("video.mp4")
	if err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > size/4 {
		t.Errorf("it took %d bytes to say what the file is", took)
	}
	kept := filepath.Join(d.dir, "inbox", f.ID, results.BesideDir, "video.mp4")
	if err := os.WriteFile(kept, []byte("something else"), 0o600); err != nil {
		t.Fatal(err)
	}
	if again, err := d.find(nil, f.ID)("video.mp4"); err != nil || again.Key != first.Key {
		t.Errorf("it was read once more: %v, %v", again, err)
	}
}

// A table from another machine brings what its rows name in its own zip; what lies beside it there did not come along,
// and the row says what to do.
func TestFilesInTheZipOfATableFromElsewhere(t *testing.T) {
	t.Parallel()
	d := newDropped(t)
	d.find = Zipped("wounds", filepath.Join(d.dir, "received", "wounds"), sources.AttachmentEnv{Dir: d.dir,
		Inbox: filepath.Join(d.dir, "inbox"), Finished: func(id string) string { return d.finished[id] }})
	var packed strings.Builder
	z := zip.NewWriter(&packed)
	for name, text := range map[string]string{"wounds.csv": "id,photo\n1,1.jpg\n", "media/1.jpg": "one"} {
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	f := d.take(d.write("received/wounds/wounds.zip", packed.String()))
	if got := d.content(f.ID, "1.jpg"); got != "one" {
		t.Errorf("in the zip: %s", got)
	}
	if got := d.content(f.ID, "2.jpg"); !strings.Contains(got, "is not in the zip") {
		t.Errorf("not in the zip: %s", got)
	}
	f = d.take(d.write("received/wounds/other.csv", "id,photo\n1,1.jpg\n"))
	if got := d.content(f.ID, "1.jpg"); !strings.HasPrefix(got, "!file-not-there") || !strings.Contains(got, "did not come with the table") {
		t.Errorf("beside a table: %s", got)
	}
}
