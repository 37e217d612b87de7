package sandbox

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// exchange is one request that was sent to a real server, and what it answered.
type exchange struct {
	Scenario string `json:"scenario"`
	Note     string `json:"note"`
	Request  struct {
		Method    string             `json:"method"`
		Path      string             `json:"path"`
		Query     [][2]any           `json:"query"`
		As        string             `json:"as"`
		Headers   map[string]*string `json:"headers"`
		Body      json.RawMessage    `json:"body"`
		Multipart *filePart          `json:"multipart"`
	} `json:"request"`
	Response answer `json:"response"`
}

// filePart is a file that was uploaded.
type filePart struct {
	Field       string `json:"field"`
	FileName    string `json:"filename"`
	ContentType string `json:"content-type"`
	Content     []byte `json:"base64"`
}

// answer is what a server said.
type answer struct {
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	Body    any               `json:"body"`
}

const boundary = "----tamala"

// body is what was sent, with the ids that a recorded server made up replaced by ours.
func (e *exchange) body(swap map[string]string) []byte {
	if f := e.Request.Multipart; f != nil {
		var b bytes.Buffer
		fmt.Fprintf(&b, "--%s\r\nContent-Disposition: form-data; name=%q; filename=%q\r\nContent-Type: %s\r\n\r\n", boundary,
			f.Field, f.FileName, f.ContentType)
		b.Write(f.Content)
		fmt.Fprintf(&b, "\r\n--%s--\r\n", boundary)
		return b.Bytes()
	}
	body := string(e.Request.Body)
	var text string
	if json.Unmarshal(e.Request.Body, &text) == nil {
		body = text
	}
	for from, to := range swap {
		body = strings.ReplaceAll(body, from, to)
	}
	return []byte(body)
}

// player sends recorded requests to a server.
type player struct {
	t     *testing.T
	srv   *Server
	base  string
	token string
	swap  map[string]string // recorded values that the server made up -> ours
}

var accounts = map[string][2]string{"admin": {"admin", "district"}, "clerk": {"clerk", "Clerk#2026"},
	"reader": {"reader", "Reader#2026"}, "wrong": {"admin", "nope"}}

func (p *player) send(e *exchange) answer {
	path := e.Request.Path
	for from, to := range p.swap {
		path = strings.ReplaceAll(path, from, to)
	}
	var q []string
	for _, pair := range e.Request.Query {
		values, several := pair[1].([]any)
		if !several {
			values = []any{pair[1]}
		}
		for _, v := range values {
			q = append(q, url.QueryEscape(fmt.Sprint(pair[0]))+"="+url.QueryEscape(fmt.Sprint(v)))
		}
	}
	body := e.body(p.swap)
	r := httptest.NewRequest(e.Request.Method, p.base+path+"?"+strings.Join(q, "&"), bytes.NewReader(body))
	r.Header.Set("Accept", "application/json")
	r.Header.Set("X-Requested-With", "XMLHttpRequest")
	switch {
	case e.Request.Multipart != nil:
		r.Header.Set("Content-Type", "multipart/form-data; boundary="+boundary)
	case e.Request.Body != nil:
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
func (p *player) learn(e *exchange, got answer) {
	want := e.Response
	id := func(a answer) string {
		m, _ := a.Body.(map[string]any)
		if made, ok := m["id"].(string); ok && e.Request.Method == "POST" {
			return made
		}
		r, _ := m["response"].(map[string]any)
		if f, ok := r["fileResource"].(map[string]any); ok {
			r = f
		}
		s, _ := r["id"].(string)
		return s
	}
	for _, pair := range [][2]string{{id(want), id(got)}, {want.Headers["etag"], got.Headers["etag"]}} {
		if pair[0] != "" && pair[1] != "" {
			p.swap[pair[0]] = pair[1]
		}
	}
}

// ours is a recorded answer with the ids that its server made up replaced by those that ours made up.
func (p *player) ours(a answer) answer {
	if len(p.swap) == 0 || a.Body == nil {
		return a
	}
	raw, err := json.Marshal(a.Body)
	if err != nil {
		return a
	}
	text := string(raw)
	for from, to := range p.swap {
		text = strings.ReplaceAll(text, from, to)
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var body any
	if d.Decode(&body) == nil {
		a.Body = body
	}
	return a
}

// disagreement is an exchange in which a sandbox and a real server answered differently.
type disagreement struct {
	exchange   *exchange
	want, have map[string]any
}

// tokenFor asks for a personal access token of the superuser.
func tokenFor(t *testing.T, s *Server) string {
	t.Helper()
	r := httptest.NewRequest("POST", "/api/apiToken", strings.NewReader("{}"))
	r.Header.Set("Content-Type", "application/json")
	r.SetBasicAuth("admin", "district")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	var answer struct{ Response struct{ Key string } }
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || answer.Response.Key == "" {
		t.Fatalf("no token: %d %s", w.Code, w.Body)
	}
	return answer.Response.Key
}

// replay sends exchanges in their order to a fresh sandbox of a version, and gives those in which
// the answers differ in meaning.
func replay(t *testing.T, version string, metadata []string, exchanges []exchange) []disagreement {
	t.Helper()
	began := time.Now()
	clock := func() time.Time { return recordedOn.Add(time.Since(began)) }
	s, err := New(Options{Metadata: metadata[0], More: metadata[1:], Version: version, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	p := &player{t: t, srv: s, base: "http://127.0.0.1:8085", swap: map[string]string{}}
	p.token = tokenFor(t, s)
	turn := make(chan time.Time)
	s.env.JobTurn = func() <-chan time.Time { return turn }
	var out []disagreement
	for i := range exchanges {
		e := &exchanges[i]
		if strings.Contains(e.Note, "later") { // jobs had time then
			close(turn)
			s.env.Work.Wait()
			turn = make(chan time.Time)
		}
		got := p.send(e)
		if !s.env.Version.QueuedJobs() {
			s.env.Work.Wait()
		}
		p.learn(e, got)
		if want, have := meaningOf(p.ours(e.Response)), meaningOf(got); keyOf(want) != keyOf(have) {
			out = append(out, disagreement{e, want, have})
		}
	}
	return out
}
