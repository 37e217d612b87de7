package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/culvert/culvert/engine/journal"
)

// TestTraceOfARecord shows operators how the values of a record came to be, and nobody else.
func TestTraceOfARecord(t *testing.T) {
	srv, _ := fixture(t, Config{})
	_, text, _ := get(t, srv.URL+"/console/records/1?content", nil)
	for _, want := range []string{"Kasama clinic", "How the values come to be", "the value is not in the map",
		"Sex: {from: trigger.form.gender, map: sex}", "Fatou"} {
		if !strings.Contains(text, want) {
			t.Errorf("the record lacks %q:\n%s", want, text)
		}
	}
	if _, text, _ := get(t, srv.URL+"/console/records/1", nil); strings.Contains(text, "Kasama clinic") {
		t.Error("values are shown to who did not ask for them")
	}
}

// TestCorrect corrects a failed record: what is wrong is shown first, nothing is sent without a
// reason or while it would fail again.
func TestCorrect(t *testing.T) {
	p := newProject()
	srv, j := fixture(t, Config{Running: p})
	at := srv.URL + "/console/records/1/correct"
	if status, text, _ := get(t, at, nil); status != http.StatusOK || !strings.Contains(text, "Fatou") ||
		!strings.Contains(text, "Send it") {
		t.Fatalf("the form: %d\n%s", status, text)
	}
	send := func(do, content, why string) (int, string) {
		return post(t, at, url.Values{"do": {do}, "content": {content}, "why": {why}}, "same-origin")
	}
	for name, c := range map[string]struct {
		do, content, why string
		status           int
		want             string
	}{
		"the field":        {"preview", `{"name": "Fatou"}`, "", http.StatusOK, `name="now" value="Fatou"`},
		"no JSON":          {"preview", "{\n\"name\": \n", "x", http.StatusOK, "not JSON: line 3"},
		"fails still":      {"send", `{"name":"Awa"}`, "typing error", http.StatusUnprocessableEntity, "it would fail again"},
		"shown first":      {"preview", `{"name":"Corrected"}`, "", http.StatusOK, "tracked entity Person"},
		"without a reason": {"send", `{"name":"Corrected"}`, " ", http.StatusUnprocessableEntity, "say why"},
	} {
		t.Run(name, func(t *testing.T) {
			if status, text := send(c.do, c.content, c.why); status != c.status || !strings.Contains(text, c.want) {
				t.Errorf("%d, without %q:\n%s", status, c.want, text)
			}
		})
	}
	state := func() journal.State {
		list, err := j.Select(t.Context(), journal.Filter{ID: "form-1", NewestOne: true, Limit: 1, WithBody: true})
		if err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		if list[0].State == journal.Pending && string(list[0].Body) != `{"name":"Corrected"}` {
			t.Errorf("%s is sent", list[0].Body)
		}
		return list[0].State
	}
	if s := state(); s != journal.Failed {
		t.Fatalf("a correction was sent that nobody asked for: %s", s)
	}
	// the field alone that is wrong, without a look for it in the content
	if status, text := post(t, at, url.Values{"do": {"send"}, "content": {`{"name": "Fatou"}`}, "why": {"typing error"},
		"column": {"name"}, "was": {"Fatou"}, "now": {"Corrected"}}, "same-origin"); status != http.StatusSeeOther {
		t.Fatalf("%d %s", status, text)
	}
	if s := state(); s != journal.Pending {
		t.Errorf("the record is %s", s)
	}
	audit, err := j.Audit(t.Context(), 10)
	if err != nil || len(audit) == 0 || audit[0].Who != "otto (console)" || audit[0].Why != "typing error" {
		t.Errorf("audit = %+v, %v", audit, err)
	}
	vera := func(r *http.Request) { r.SetBasicAuth("vera", "of-the-viewer") }
	if status, _, _ := get(t, at, vera); status != http.StatusForbidden {
		t.Errorf("a viewer: %d", status)
	}
	if status, _ := post(t, at, url.Values{"do": {"send"}, "content": {"{}"}, "why": {"x"}}, "same-origin",
		vera); status != http.StatusForbidden {
		t.Errorf("a viewer's correction: %d", status)
	}
	if status, _, _ := get(t, srv.URL+"/console/records/2/correct", nil); status != http.StatusUnprocessableEntity {
		t.Errorf("a record that waits: %d", status)
	}
}

// uncorrectable is a journal that corrects nothing.
type uncorrectable struct {
	journal.Journal
	err error
}

func (j uncorrectable) Correct(context.Context, int64, []byte, string, string) (int64, error) {
	return 0, j.err
}

// TestCorrectionNotKept tells what is for the person from what is for the log.
func TestCorrectionNotKept(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		status int
	}{
		"refused": {fmt.Errorf("correct a record: %w", journal.Refuse("it waits")), http.StatusUnprocessableEntity},
		"away":    {&journal.ErrUnavailable{Reason: "the disk is full"}, http.StatusServiceUnavailable},
		"broken":  {errors.New("no such column: rank"), http.StatusServiceUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			s := &Console{c: Config{Journal: uncorrectable{err: c.err}}}
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
			_, err := s.send(r, &journal.Record{Seq: 1}, []byte("{}"), "typing error")
			if got := statusOf(err); got != c.status {
				t.Errorf("%d for %v", got, err)
			}
			if text := notNow(err); strings.Contains(text, "column") {
				t.Errorf("the person reads %q", text)
			}
		})
	}
}

// TestCorrectAFormWithPhotos shows a mark in the place of photos, however large they are, and sends them as they came.
func TestCorrectAFormWithPhotos(t *testing.T) {
	photo := strings.Repeat("QUJD", maxContent/2)
	body := fmt.Sprintf(`{"name":"Fatou","n":1.50,"attachments":{"1.jpg":{"name":"1.jpg","type":"image/jpeg","base64":%q}}}`, photo)
	srv, j := fixture(t, Config{})
	rec := []*journal.Record{{Rule: "anc", ID: "photo-1", Key: "case-9", Body: []byte(body), State: journal.Failed,
		Received: time.Now(), Problem: &journal.Problem{Class: "data"}}}
	if _, err := j.Append(t.Context(), rec, nil); err != nil {
		t.Fatal(err)
	}
	at := fmt.Sprintf("%s/console/records/%d", srv.URL, rec[0].Seq)
	for _, path := range []string{at + "?content", at + "/correct"} {
		if status, page, _ := get(t, path, nil); status != http.StatusOK || len(page) > maxContent ||
			!strings.Contains(page, "(as it came: 6144 kB)") || !strings.Contains(page, "1.50") {
			t.Errorf("%s: %d, %d bytes", path, status, len(page))
		}
	}
	const mark = `"base64":"(as it came: 6144 kB)"`
	corrected := `{"name":"Corrected","n":1.50,"attachments":{"1.jpg":{"name":"1.jpg","type":"image/jpeg",` + mark + `}}}`
	send := url.Values{"do": {"send"}, "why": {"typing error"},
		"content": {strings.Replace(corrected, `"1.jpg":{`, `"2.jpg":{`, 1)}}
	if status, page := post(t, at+"/correct", send, "same-origin"); status != http.StatusUnprocessableEntity ||
		!strings.Contains(page, "came with this record") {
		t.Errorf("a photo that did not come: %d", status)
	}
	send.Set("content", corrected)
	if status, page := post(t, at+"/correct", send, "same-origin"); status != http.StatusSeeOther {
		t.Fatalf("send: %d %s", status, page)
	}
	list, err := j.Select(t.Context(), journal.Filter{ID: "photo-1", NewestOne: true, Limit: 1, WithBody: true})
	if err != nil || len(list) != 1 || !strings.Contains(string(list[0].Body), photo) ||
		!strings.Contains(string(list[0].Body), "Corrected") || !strings.Contains(string(list[0].Body), "1.50") {
		t.Errorf("what is sent is not what came: %v", err)
	}
}
