package studio

import (
	"context"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/open"
	"github.com/culvert/culvert/rules/diag"
)

// TestASampleFromTheJournal takes a record as a sample: nothing of the person is in it, the rule
// takes it, and the audit trail says who looked.
func TestASampleFromTheJournal(t *testing.T) {
	f := serve(t, "anc")
	j, err := open.Journal(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "culvert.db"), journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	f.studio.c.Journal = func(_ context.Context, do func(journal.Journal) error) error { return do(j) }
	f.studio.c.Who = "ada (studio)"
	body := strings.ReplaceAll(f.text("samples/anc-registration.json"), "Fatou", "Ndeye")
	if _, err := j.Append(t.Context(), []*journal.Record{{Rule: "anc-registration", ID: "one", Key: "one", Body: []byte(body),
		State: journal.Failed, Received: time.Now(), Problem: &journal.Problem{Problem: diag.Problem{Message: "it does not fit"}}}}, nil); err != nil {
		t.Fatal(err)
	}
	var listed checked
	if status := f.ask("/received", question{File: registration}, &listed); status != 200 ||
		!strings.Contains(listed.Sheet, `data-take="1"`) || !strings.Contains(listed.Sheet, "it does not fit") ||
		strings.Contains(listed.Sheet, "Ndeye") {
		t.Fatalf("%d %s", status, listed.Sheet)
	}
	var made taken
	if status := f.ask("/take", question{File: registration, Seq: 1}, &made); status != 200 {
		t.Fatalf("answered with %d", status)
	}
	if made.File != "samples/anc-registration-2.json" {
		t.Errorf("the file is %s", made.File)
	}
	for _, private := range []string{"Ndeye", "Sarr", "NID-1001", "8f8f5c3e", "1996-01-09", "77 123 45 67"} {
		if strings.Contains(made.Text, private) {
			t.Errorf("%q is left in\n%s", private, made.Text)
		}
	}
	for _, kept := range []string{"ANC registration", "TM-010202", `"gender": "f"`} {
		if !strings.Contains(made.Text, kept) {
			t.Errorf("%q is gone from\n%s", kept, made.Text)
		}
	}
	q := question{File: registration, Sample: made.File, Drafts: map[string]string{made.File: made.Text}}
	var out checked
	if status := f.ask("/check", q, &out); status != 200 || !strings.Contains(out.Sheet, "Coral Health Centre") ||
		strings.Contains(out.Sheet, "This record fails") {
		t.Errorf("%d %s", status, out.Sheet)
	}
	if list, err := j.Audit(t.Context(), 10); err != nil || len(list) != 1 || list[0].Who != "ada (studio)" ||
		list[0].Did != "sample" {
		t.Errorf("the audit trail: %+v, %v", list, err)
	}
	var refused map[string]string
	if status := f.ask("/take", question{File: registration, Seq: 99}, &refused); status != http.StatusUnprocessableEntity ||
		!strings.Contains(refused["error"], "not kept any more") {
		t.Errorf("%d %v", status, refused)
	}
}
