package console

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/access"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/open"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"
)

// BenchmarkPages measures each page over a journal of a million records, a fifth of them failures.
// CULVERT_BENCH_RECORDS sets another number.
func BenchmarkPages(b *testing.B) {
	records := 1_000_000
	if n, err := strconv.Atoi(os.Getenv("CULVERT_BENCH_RECORDS")); err == nil {
		records = n
	}
	ctx := context.Background()
	j, err := open.Journal(ctx, "sqlite:"+filepath.Join(b.TempDir(), "culvert.db"), journal.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer j.Close()
	fill(b, j, records)
	guard := access.New(func() []access.User {
		return []access.User{{Name: "ada", Role: access.Admin, Password: "of-the-admin"}}
	}, nil, nil)
	s, err := New(Config{Journal: j, Running: newProject(), Access: guard})
	if err != nil {
		b.Fatal(err)
	}
	for name, path := range map[string]string{
		"overview": "/", "week": "/?period=week", "failures": "/console/failures", "records": "/console/records",
		"failed": "/console/records?state=failed&rule=anc",
		"id":     "/console/records?q=id-77777", "code": "/console/records?code=E1007", "old": "/console/records?before=5000",
		"record": "/console/records/7777?content",
		"person": "/console/person?who=case-777", "cause": "/console/failures/cause?rule=anc&code=E1007&cause=cause+7",
		"rules": "/console/rules", "unit": "/console/records?org_unit=Coast",
		"failed of a unit": "/console/records?org_unit=Coast&state=failed&rule=anc",
		"files":            "/console/files", "audit": "/console/audit", "nothing": "/console/records?q=nobody-at-all",
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				w := httptest.NewRecorder()
				r := httptest.NewRequest(http.MethodGet, path, nil)
				r.SetBasicAuth("ada", "of-the-admin")
				if s.ServeHTTP(w, r); w.Code != http.StatusOK {
					b.Fatalf("%s: %d", path, w.Code)
				}
			}
		})
	}
}

// fill keeps records of ten thousand people, a fifth of which failed for one of fifty causes.
func fill(b *testing.B, j journal.Journal, records int) {
	b.Helper()
	ctx := context.Background()
	const batch = 10_000
	for from := 0; from < records; from += batch {
		list := make([]*journal.Record, 0, batch)
		for n := from; n < min(from+batch, records); n++ {
			rec := &journal.Record{
				Rule: "anc", ID: fmt.Sprint("id-", n), Key: fmt.Sprint("case-", n%10_000),
				Body: []byte(`{"form":{"name":"A","weight":"61.5"}}`), State: journal.Skipped,
				Received: time.Now().Add(-time.Duration(records-n) * 600 * time.Millisecond),
				Origin:   sources.Origin{Trigger: "webhook"}, About: []string{fmt.Sprint("unit", n%200)},
			}
			if n%100 == 0 {
				rec.About = []string{"uidOfClinic"}
			}
			if n%5 == 0 {
				rec.State = journal.Failed
				rec.Problem = &journal.Problem{Class: actions.ClassData, Problem: diag.Problem{Code: "E1007",
					Message: fmt.Sprint("cause ", n/5%50),
					Hint:    "correct it", Place: diag.ParsePlace("rules/anc.yaml:3:4")}}
			}
			list = append(list, rec)
		}
		if _, err := j.Append(ctx, list, nil); err != nil {
			b.Fatal(err)
		}
	}
}
