package sandbox

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http/httptest"
	"net/url"
	"os"
	"sort"
	"strings"
	"testing"
	"time"
)

// reached is how many recorded exchanges each version agreed in when this test was last looked at; the test fails below it.
var reached = map[string]int{"2.40": 362, "2.42": 362, "2.43": 362}

// knownDisagreements says why an exchange may differ, by version, scenario and note.
var knownDisagreements = map[string]string{}

// exchange is one request that was sent to a real server, and what it answered.
type exchange struct {
	Scenario string `json:"scenario"`
	Note     string `json:"note"`
	Request  struct {
		Method  string             `json:"method"`
		Path    string             `json:"path"`
		Query   [][2]any           `json:"query"`
		As      string             `json:"as"`
		Headers map[string]*string `json:"headers"`
		Body    json.RawMessage    `json:"body"`
	} `json:"request"`
	Response answer `json:"response"`
}

// answer is what a server said.
type answer struct {
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	Body    any               `json:"body"`
}

func readExchanges(t *testing.T, version string) []exchange {
	t.Helper()
	f, err := os.Open("testdata/exchanges-" + version + ".jsonl.gz")
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
		d := json.NewDecoder(bytes.NewReader(line))
		d.UseNumber()
		var e exchange
		if err := d.Decode(&e); err != nil {
			t.Fatal(err)
		}
		out = append(out, e)
	}
}

// player sends recorded requests to a server.
type player struct {
	t     *testing.T
	srv   *Server
	base  string
	token string
	swap  map[string]string // recorded values that the server made up -> ours
}

var accounts = map[string][2]string{"admin": {"admin", "district"}, "clerk": {"clerk", "Clerk#2026"}, "reader": {"reader", "Reader#2026"}, "wrong": {"admin", "nope"}}

func (p *player) send(e *exchange) answer {
	path := e.Request.Path
	for from, to := range p.swap {
		path = strings.ReplaceAll(path, from, to)
	}
	var q []string
	for _, pair := range e.Request.Query {
		q = append(q, url.QueryEscape(fmt.Sprint(pair[0]))+"="+url.QueryEscape(fmt.Sprint(pair[1])))
	}
	body := []byte(e.Request.Body)
	var text string
	if json.Unmarshal(body, &text) == nil {
		body = []byte(text)
	}
	r := httptest.NewRequest(e.Request.Method, p.base+path+"?"+strings.Join(q, "&"), bytes.NewReader(body))
	r.Header.Set("Accept", "application/json")
	r.Header.Set("X-Requested-With", "XMLHttpRequest")
	if e.Request.Body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for k, v := range e.Request.Headers {
		r.Header.Del(k)
		if v != nil {
			if to, ok := p.swap[*v]; ok {
				v = &to
			}
			r.Header.Set(k, *v)
		}
	}
	switch as := e.Request.As; as {
	case "token":
		r.Header.Set("Authorization", "ApiToken "+p.token)
	case "bad-token":
		r.Header.Set("Authorization", "ApiToken d2pat_5xVA12xyUbWNedQxy4ohH77WlxRGVvZZ1151814092")
	default:
		if a, ok := accounts[as]; ok {
			r.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(a[0]+":"+a[1])))
		}
	}
	w := httptest.NewRecorder()
	p.srv.ServeHTTP(w, r)
	a := answer{Status: w.Code, Headers: map[string]string{}}
	for k := range w.Header() {
		a.Headers[strings.ToLower(k)] = w.Header().Get(k)
	}
	raw := strings.ReplaceAll(w.Body.String(), p.base, "{base}")
	a.Body = raw
	if strings.Contains(a.Headers["content-type"], "json") && raw != "" {
		d := json.NewDecoder(strings.NewReader(raw))
		d.UseNumber()
		var v any
		if d.Decode(&v) == nil {
			a.Body = v
		}
	}
	return a
}

// learn remembers ids and entity tags that the recorded server and ours made up.
func (p *player) learn(want, got answer) {
	id := func(a answer) string {
		m, _ := a.Body.(map[string]any)
		r, _ := m["response"].(map[string]any)
		s, _ := r["id"].(string)
		return s
	}
	for _, pair := range [][2]string{{id(want), id(got)}, {want.Headers["etag"], got.Headers["etag"]}} {
		if pair[0] != "" && pair[1] != "" {
			p.swap[pair[0]] = pair[1]
		}
	}
}

// timesOfServers are fields that are a server's own.
var timesOfServers = setOf(strings.Fields(`lastUpdated created createdAt updatedAt createdAtClient updatedAtClient lastupdated time jobConfiguration href
lastUpdatedBy createdBy updatedBy storedBy etag devMessage timingsStats`))

// plainOf is a value without what is a server's own, its lists as sorted sets.
func plainOf(v any) any {
	switch x := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, it := range x {
			if timesOfServers[k] {
				continue
			}
			if codes, ok := it.([]any); ok && k == "codes" {
				out[k] = len(codes)
				continue
			}
			out[k] = plainOf(it)
		}
		return out
	case []any:
		out := make([]any, len(x))
		for i := range x {
			out[i] = plainOf(x[i])
		}
		sort.Slice(out, func(i, j int) bool { return keyOf(out[i]) < keyOf(out[j]) })
		return out
	}
	return v
}

func keyOf(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func countsOf(v any) map[string]any {
	out := map[string]any{}
	m, _ := v.(map[string]any)
	for k, n := range m {
		if num, ok := n.(json.Number); ok && !strings.Contains(num.String(), ".") {
			out[k] = n
		}
	}
	return out
}

func itemsOf(v any) []map[string]any {
	l, _ := v.([]any)
	var out []map[string]any
	for _, it := range l {
		if m, ok := it.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

// setFrom makes sorted distinct tuples of some fields.
func setFrom(v any, fields ...string) []string {
	seen := map[string]bool{}
	for _, m := range itemsOf(v) {
		tuple := make([]any, len(fields))
		for i, f := range fields {
			tuple[i] = m[f]
		}
		seen[keyOf(tuple)] = true
	}
	out := []string{}
	for k := range seen {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

// meaningOf is what of an answer has meaning: statuses, counts, codes with the object each concerns, what was written, and the data of reads.
func meaningOf(a answer) map[string]any {
	contentType, _, _ := strings.Cut(a.Headers["content-type"], ";")
	m := map[string]any{"status": a.Status, "type": ""}
	switch {
	case strings.Contains(contentType, "html"):
		m["type"] = "html"
		return m
	case strings.Contains(contentType, "json"):
		m["type"] = "json"
	case a.Body != "" && a.Body != nil:
		m["type"] = "text"
	}
	if l, ok := a.Body.([]any); ok {
		if first := itemsOf(l); len(first) > 0 && first[0]["category"] != nil {
			done := false
			for _, it := range first {
				done = done || it["completed"] == true
			}
			m["list"] = done
			return m
		}
		m["list"] = plainOf(l)
		return m
	}
	b, ok := a.Body.(map[string]any)
	if !ok {
		return m
	}
	if v, ok := b["validationReport"].(map[string]any); ok {
		return trackerMeaning(m, b, v)
	}
	_, isMessage := b["httpStatusCode"]
	_, hasConflicts := b["conflicts"]
	_, hasCount := b["importCount"]
	if isMessage || hasConflicts || hasCount {
		r, ok := b["response"].(map[string]any)
		if !ok {
			r = b
		}
		m["result"], m["code"], m["inner"], m["counts"], m["rejected"], m["kind"] = b["status"], b["errorCode"], r["status"], countsOf(r["importCount"]), r["rejectedIndexes"], r["responseType"]
		m["complete"] = r["dataSetComplete"]
		m["conflicts"] = setFrom(r["conflicts"], "errorCode", "property", "indexes")
		return m
	}
	m["body"] = plainOf(b)
	if v, ok := b["version"].(string); ok && b["serverDate"] != nil {
		parts := strings.Split(v, ".")
		m["body"] = map[string]any{"version": strings.Join(parts[:min(2, len(parts))], "."), "calendar": b["calendar"]}
	}
	return m
}

func trackerMeaning(m, b, v map[string]any) map[string]any {
	bundle, has := b["bundleReport"].(map[string]any)
	m["result"], m["stats"], m["bundle"] = b["status"], countsOf(b["stats"]), has
	m["errors"] = setFrom(v["errorReports"], "errorCode", "trackerType", "uid")
	m["warnings"] = setFrom(v["warningReports"], "warningCode", "trackerType", "uid")
	written, types := map[string]any{}, map[string]any{}
	kinds, _ := bundle["typeReportMap"].(map[string]any)
	for kind, r := range kinds {
		rep, _ := r.(map[string]any)
		var uids []string
		for _, o := range itemsOf(rep["objectReports"]) {
			uids = append(uids, fmt.Sprint(o["uid"]))
		}
		if len(uids) > 0 {
			sort.Strings(uids)
			written[kind] = uids
		}
		counts := countsOf(rep["stats"])
		for _, n := range counts {
			if fmt.Sprint(n) != "0" {
				types[kind] = counts
			}
		}
	}
	m["written"], m["types"] = written, types
	return m
}

// TestAgreement replays every recorded exchange against a fresh sandbox and compares what has meaning in the two answers.
func TestAgreement(t *testing.T) {
	for version, least := range reached {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			s, err := New(Options{Metadata: "testdata/tamala.json", Version: version})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			p := &player{t: t, srv: s, base: "http://127.0.0.1:8085", swap: map[string]string{}}
			tok, err := s.tokens.issue("admin")
			if err != nil {
				t.Fatal(err)
			}
			p.token = tok
			turn := make(chan time.Time)
			s.jobTurn = func() <-chan time.Time { return turn }
			agreed, total := 0, 0
			for _, e := range readExchanges(t, version) {
				if strings.Contains(e.Note, "later") { // jobs had time then
					close(turn)
					s.work.Wait()
					turn = make(chan time.Time)
				}
				got := p.send(&e)
				if !s.manners.queuedJobs() {
					s.work.Wait()
				}
				p.learn(e.Response, got)
				want, have := meaningOf(e.Response), meaningOf(got)
				total++
				if keyOf(want) == keyOf(have) {
					agreed++
					continue
				}
				reason := knownDisagreements[version+" "+e.Scenario+" "+e.Note]
				if reason == "" {
					reason = "not known"
				}
				t.Logf("%s: %s: reason: %s", e.Scenario, e.Note, reason)
				for k := range want {
					if keyOf(want[k]) != keyOf(have[k]) {
						t.Logf("    %s: recorded %.400s\n        %s  got %.400s", k, keyOf(want[k]), strings.Repeat(" ", len(k)), keyOf(have[k]))
					}
				}
			}
			t.Logf("agreed %d of %d", agreed, total)
			if agreed < least {
				t.Errorf("agreed in %d exchanges of %d with DHIS2 %s, at least %d are asked for", agreed, total, version, least)
			}
		})
	}
}
