package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/culvert/culvert/engine/access"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/status"
)

// recordView is what the page of a record shows.
type recordView struct {
	*journal.Record
	By       string    // what superseded it, or a part of it
	InDHIS2  []InDHIS2 // what it wrote
	Versions []*journal.Record
	Audit    []journal.AuditEntry
	Asked    bool // its content is shown
	Content  string
	Trace    *Trace
	NoTrace  string // why there is none
	Now      bool   // it may be corrected
}

// find gives one record.
func (s *Console) find(r *http.Request, body bool) (*journal.Record, error) {
	seq, err := strconv.ParseInt(r.PathValue("seq"), 10, 64)
	if err != nil || seq < 1 { // 0 would select any
		return nil, errNotFound
	}
	list, err := s.c.Journal.Select(r.Context(), journal.Filter{Seq: seq, Limit: 1, WithBody: body})
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, errNotFound
	}
	return list[0], nil
}

func (s *Console) record(r *http.Request) (view, error) {
	asked := r.URL.Query().Has("content")
	if asked && visitor(r).Role < access.Operator {
		return view{}, errRole
	}
	rec, err := s.find(r, asked)
	if err != nil {
		return view{}, err
	}
	data := recordView{Record: rec, Asked: asked, Now: correctable(rec)}
	ctx := r.Context()
	if data.By, err = status.SupersededBy(ctx, s.c.Journal, rec); err != nil {
		return view{}, err
	}
	if data.InDHIS2, err = s.c.Running.Links(ctx, rec.Rule, rec.Objects, rec.About); err != nil {
		return view{}, err
	}
	if data.Versions, err = s.versions(ctx, rec); err != nil {
		return view{}, err
	}
	if visitor(r).Role >= access.Admin {
		if data.Audit, err = s.auditOf(ctx, rec); err != nil {
			return view{}, err
		}
	}
	if asked {
		if err := s.look(r, rec); err != nil {
			return view{}, err
		}
		data.Content = pretty(withoutFiles(rec.Body))
		data.Trace, data.NoTrace = s.trace(ctx, rec, rec.Body)
	}
	return view{Title: fmt.Sprintf("Record %d", rec.Seq), Page: "record",
		Trail: []link{{Name: "Records", Path: Prefix + "records"}}, Data: data}, nil
}

// correctable tells whether the content of a record may be corrected: its source still holds what
// waits, and what is in flight cannot be called back.
func correctable(rec *journal.Record) bool {
	return rec.State != journal.Pending
}

// versions lists the records of the same rule and id, the newest first; none where there is only the one.
func (s *Console) versions(ctx context.Context, rec *journal.Record) ([]*journal.Record, error) {
	list, err := s.c.Journal.Versions(ctx, rec.Rule, rec.ID)
	if err != nil || len(list) < 2 {
		return nil, err
	}
	slices.Reverse(list)
	return list[:min(len(list), pageSize)], nil
}

// auditSearched is how many entries of the audit trail are looked through for those of one record.
const auditSearched = 2000

func (s *Console) auditOf(ctx context.Context, rec *journal.Record) ([]journal.AuditEntry, error) {
	list, err := s.c.Journal.Audit(ctx, auditSearched)
	var own []journal.AuditEntry
	name := "record " + strconv.FormatInt(rec.Seq, 10)
	for _, e := range list {
		if e.Subject == name || strings.HasPrefix(e.Subject, name+",") || strings.HasSuffix(e.Subject, ", "+name) ||
			strings.Contains(e.Subject, ", "+name+",") {
			own = append(own, e)
		}
	}
	return own, err
}

// look notes that somebody sees what a record says.
func (s *Console) look(r *http.Request, rec *journal.Record) error {
	s.c.Log.Info("a record's content was looked at", "record", rec.ID, "rule", rec.Rule, "who", who(r))
	entry := journal.AuditEntry{At: s.c.Now(), Who: who(r), Did: "look", Count: 1,
		Subject: journal.Filter{Seq: rec.Seq}.Subject()}
	if err := s.c.Journal.Note(r.Context(), entry); err != nil {
		return fmt.Errorf("note that the record was looked at: %w", err)
	}
	return nil
}

// trace evaluates a record's rule on a content; the text says why it could not.
func (s *Console) trace(ctx context.Context, rec *journal.Record, body []byte) (*Trace, string) {
	if len(body) == 0 {
		return nil, "the content is not kept any more"
	}
	t, err := s.c.Running.Trace(ctx, rec.Rule, Input{ID: rec.ID, Origin: rec.Origin, Received: rec.Received, Body: body})
	if err != nil {
		return nil, err.Error()
	}
	return t, ""
}

func pretty(body []byte) string {
	if len(body) == 0 {
		return "(not kept any more)"
	}
	var b bytes.Buffer
	if json.Indent(&b, body, "", "  ") != nil {
		return string(body)
	}
	return b.String()
}

// correctView is what the page shows on which a record is corrected.
type correctView struct {
	*journal.Record
	Content, Why string
	Fields       []wrongField // of the content, that are to blame
	Trace        *Trace
	Refused      string // why the content cannot be used
	Previewed    bool
}

// maxContent bounds the content of a record that is corrected in a browser, in bytes.
const maxContent = 4 << 20

// correct shows a record's content to be corrected.
func (s *Console) correct(r *http.Request) (view, error) {
	rec, err := s.find(r, true)
	if err != nil {
		return view{}, err
	}
	shown := withoutFiles(rec.Body)
	switch {
	case !correctable(rec):
		return view{}, refused("this record waits to be sent: wait until it has an outcome, or pause its rule first")
	case len(rec.Body) == 0:
		return view{}, refused("the content of this record is not kept any more: send it again from its source")
	case len(shown) > maxContent:
		return view{}, refused("this record is too large to be corrected here: use culvert replay --body FILE")
	}
	if err := s.look(r, rec); err != nil {
		return view{}, err
	}
	data := correctView{Record: rec, Content: pretty(shown)}
	data.Trace, data.Refused = s.trace(r.Context(), rec, rec.Body)
	return s.correcting(data), nil
}

func (s *Console) correcting(data correctView) view {
	if data.Trace != nil {
		data.Fields = wrongFields(data.Content, data.Trace.Faults)
	}
	at := fmt.Sprintf("%srecords/%d", Prefix, data.Seq)
	return view{
		Title: fmt.Sprintf("Correct record %d", data.Seq), Page: "correct", Data: data,
		Trail: []link{{Name: "Records", Path: Prefix + "records"}, {Name: fmt.Sprintf("Record %d", data.Seq), Path: at}},
	}
}

// skippedCorrection is why a correction is refused that nothing would come of: the failed record would be
// settled by it.
const skippedCorrection = "the filter (when:) refuses this content, so that nothing would be sent; dismiss the " +
	"record if that is meant"

// saveCorrection shows what would come of a corrected content, or has it sent.
func (s *Console) saveCorrection(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 3*maxContent) // as a form writes it
	if err := r.ParseForm(); err != nil {
		s.fail(w, r, refused("the form could not be read, or the content is larger than 4 MB"))
		return
	}
	rec, err := s.find(r, true)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	data := correctView{Record: rec, Content: r.PostFormValue("content"), Why: strings.TrimSpace(r.PostFormValue("why")),
		Previewed: true}
	data.Content, err = setFields(data.Content, r.PostForm["column"], r.PostForm["was"], r.PostForm["now"])
	var body []byte
	if err == nil {
		body, err = compact(data.Content)
	}
	if err == nil && len(body) > maxContent {
		err = errors.New("the content is larger than 4 MB")
	}
	if err == nil {
		body, err = withFiles(body, rec.Body)
	}
	if err != nil {
		data.Refused = err.Error()
	} else {
		data.Trace, data.Refused = s.trace(r.Context(), rec, body)
	}
	if r.PostFormValue("do") != "send" {
		s.page(func(*http.Request) (view, error) { return s.correcting(data), nil })(w, r)
		return
	}
	v := s.correcting(data)
	v.Status = http.StatusUnprocessableEntity
	switch {
	case data.Refused != "":
		v.Alert = "Not sent: " + data.Refused + "."
	case data.Trace.Status == "failed":
		v.Alert = "Not sent: it would fail again, for the causes below."
	case data.Trace.Status == "skipped":
		v.Alert = "Not sent: " + skippedCorrection + "."
	case data.Why == "":
		v.Alert = "Not sent: say why, for the audit trail."
	default:
		seq, err := s.send(r, rec, body, data.Why)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		http.Redirect(w, r, fmt.Sprintf("%srecords/%d?did=correct", Prefix, seq), http.StatusSeeOther)
		return
	}
	s.page(func(*http.Request) (view, error) { return v, nil })(w, r)
}

// send puts a corrected content in the place of a record's and has it sent; it gives the number of
// the record that holds it.
func (s *Console) send(r *http.Request, rec *journal.Record, body []byte, why string) (int64, error) {
	seq, err := s.c.Journal.Correct(r.Context(), rec.Seq, body, who(r), why)
	if no, ok := errors.AsType[*journal.ErrRefused](err); ok {
		return 0, refusal{no}
	}
	return seq, err
}

// compact reads a content that a person wrote. The error says where it is no JSON.
func compact(text string) ([]byte, error) {
	var b bytes.Buffer
	var value json.RawMessage
	err := json.Unmarshal([]byte(text), &value) // says where, which Compact does not
	if err == nil {
		err = json.Compact(&b, value)
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		before := text[:min(int(syntax.Offset), len(text))]
		line := 1 + strings.Count(before, "\n")
		return nil, fmt.Errorf("the content is not JSON: line %d: %w", line, err)
	}
	if err != nil {
		return nil, fmt.Errorf("the content is not JSON: %w", err)
	}
	return b.Bytes(), nil
}
