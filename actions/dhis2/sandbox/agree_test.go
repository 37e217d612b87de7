package sandbox

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
)

// recordedOn is the day on which the exchanges under testdata/agree were recorded: what lies in the
// future depends on it.
var recordedOn = time.Date(2026, 11, 29, 20, 0, 0, 0, time.UTC)

// recorded are the exchanges under testdata/agree by family and version, with how many of them must
// agree. Scenarios were written by hand; random work is the first third of a day of it; more is
// about files, links, shapes, owners, flags and lists, on top of further metadata; analytics are what is aggregated;
// later is random work in which the sandbox once answered otherwise; odd is what hardly anybody asks: all orders and
// filters, values of the wrong kind, parameters that do not fit.
var recorded = []struct {
	family, version string
	more            []string
	least           int
}{
	{"scenarios", "2.40", nil, 362},
	{"scenarios", "2.41", nil, 361},
	{"scenarios", "2.42", nil, 362},
	{"scenarios", "2.43", nil, 362},
	{"random", "2.41", nil, 265},
	{"random", "2.42", nil, 273},
	{"random", "2.43", nil, 263},
	{"more", "2.41", []string{"testdata/tamala-more-2.42.json"}, 211},
	{"more", "2.42", []string{"testdata/tamala-more-2.42.json"}, 211},
	{"more", "2.43", []string{"testdata/tamala-more-2.43.json"}, 211},
	{"analytics", "2.42", nil, 106},
	{"analytics", "2.43", nil, 107},
	{"later", "2.42", nil, 19},
	{"later", "2.43", nil, 27},
	{"odd", "2.42", nil, 1064},
	{"odd", "2.43", nil, 1059},
}

// TestAgreement replays recorded exchanges against fresh sandboxes, compares what has meaning in
// the answers, and fails where less agrees than did.
func TestAgreement(t *testing.T) {
	for _, r := range recorded {
		t.Run(r.family+"/"+r.version, func(t *testing.T) {
			t.Parallel()
			exchanges := readExchanges(t, "testdata/agree/"+r.family+"-"+r.version+".jsonl.gz")
			differing := replay(t, r.version, append([]string{"testdata/tamala.json"}, r.more...), exchanges)
			agreed := len(exchanges) - len(differing)
			t.Logf("%s of DHIS2 %s: agreed %d of %d (%.1f %%)", r.family, r.version, agreed, len(exchanges),
				100*float64(agreed)/float64(len(exchanges)))
			if agreed < r.least {
				t.Errorf("at least %d must agree", r.least)
				t.Log(describe(differing))
			}
		})
	}
}

// TestAgreementWith replays a folder of recordings that a variable names (make agree DIR=...), and
// groups the disagreements by kind.
func TestAgreementWith(t *testing.T) {
	dir := os.Getenv("CULVERT_AGREE_DIR")
	if dir == "" {
		t.Skip("CULVERT_AGREE_DIR names no folder of recordings")
	}
	metadata := strings.Fields(os.Getenv("CULVERT_AGREE_METADATA"))
	if len(metadata) == 0 {
		metadata = []string{"testdata/tamala.json"}
	}
	byVersion := readRecordings(t, dir)
	for _, version := range sortedKeys(byVersion) {
		exchanges := byVersion[version]
		differing := replay(t, version, metadata, exchanges)
		agreed := len(exchanges) - len(differing)
		fmt.Printf("DHIS2 %s: agreed %d of %d (%.1f %%)\n%s", version, agreed, len(exchanges),
			100*float64(agreed)/float64(len(exchanges)), describe(differing))
	}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// describe groups disagreements by what was asked and in which fields the answers differ, most frequent first.
func describe(differing []disagreement) string {
	groups := map[string][]disagreement{}
	for _, d := range differing {
		groups[d.kind()] = append(groups[d.kind()], d)
	}
	kinds := sortedKeys(groups)
	sort.SliceStable(kinds, func(i, j int) bool { return len(groups[kinds[i]]) > len(groups[kinds[j]]) })
	var b strings.Builder
	for _, kind := range kinds {
		fmt.Fprintf(&b, "%4d %s\n", len(groups[kind]), kind)
		for _, d := range groups[kind][:min(3, len(groups[kind]))] {
			fmt.Fprintf(&b, "       %s: %s: %s %s %v\n", d.exchange.Scenario, d.exchange.Note, d.exchange.Request.Method,
				d.exchange.Request.Path, d.exchange.Request.Query)
			for _, field := range d.fields() {
				fmt.Fprintf(&b, "         %-9s recorded %.300s\n         %-9s      got %.300s\n", field, keyOf(d.want[field]), "",
					keyOf(d.have[field]))
			}
		}
	}
	return b.String()
}

// fields are those of the meaning that differ.
func (d disagreement) fields() []string {
	all := map[string]bool{}
	for k := range d.want {
		all[k] = true
	}
	for k := range d.have {
		all[k] = true
	}
	var out []string
	for _, k := range sortedKeys(all) {
		if keyOf(d.want[k]) != keyOf(d.have[k]) {
			out = append(out, k)
		}
	}
	return out
}

// kind names what was asked and what differs: the statuses, or the codes that are missing and those
// too many, or the fields.
func (d disagreement) kind() string {
	r := d.exchange.Request
	parts := strings.Split(strings.TrimPrefix(r.Path, "/api/"), "/")
	what := r.Method + " " + strings.Join(parts[:min(2, len(parts))], "/")
	if keyOf(d.want["status"]) != keyOf(d.have["status"]) {
		return fmt.Sprintf("%s: status %v instead of %v", what, d.have["status"], d.want["status"])
	}
	missing, extra := codesOf(d.want["errors"], d.have["errors"]), codesOf(d.have["errors"], d.want["errors"])
	if missing+extra != "" {
		return fmt.Sprintf("%s: without [%s], with [%s]", what, missing, extra)
	}
	return what + ": " + strings.Join(d.fields(), ", ")
}

// codesOf are the codes of the errors that stand in one list and not in another.
func codesOf(in, notIn any) string {
	a, _ := in.([]string)
	b, _ := notIn.([]string)
	other := catalog.SetOf(b)
	codes := map[string]bool{}
	for _, e := range a {
		if !other[e] {
			code, _, _ := strings.Cut(strings.TrimPrefix(e, `["`), `"`)
			codes[code] = true
		}
	}
	return strings.Join(sortedKeys(codes), " ")
}

// readExchanges reads a file of exchanges, one a line.
func readExchanges(t *testing.T, path string) []exchange {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var out []exchange
	lines := bufio.NewReader(z)
	for {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		var e exchange
		decodeNumbers(t, line, &e)
		out = append(out, e)
	}
}

// readRecordings reads a folder of recordings, a scenario a file, and gives their exchanges in
// order by the version of the server that answered.
func readRecordings(t *testing.T, dir string) map[string][]exchange {
	t.Helper()
	type scenario struct {
		Scenario  string     `json:"scenario"`
		Order     float64    `json:"order"`
		Server    string     `json:"server"`
		Exchanges []exchange `json:"exchanges"`
	}
	var all []scenario
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".json" {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var s scenario
		decodeNumbers(t, b, &s)
		if len(s.Exchanges) > 0 {
			all = append(all, s)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].Order < all[j].Order })
	out := map[string][]exchange{}
	for _, s := range all {
		parts := strings.Split(s.Server, ".")
		version := strings.Join(parts[:min(2, len(parts))], ".")
		for _, e := range s.Exchanges {
			e.Scenario = s.Scenario
			out[version] = append(out[version], e)
		}
	}
	return out
}

func decodeNumbers(t *testing.T, data []byte, into any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		t.Fatal(err)
	}
}
