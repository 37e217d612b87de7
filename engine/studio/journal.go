package studio

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/lsp"
	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/engine/pseudonym"
	"github.com/culvert/culvert/engine/sample"
)

// maxListed bounds how many records of the journal may be chosen from.
const maxListed = 30

// receivedData are the records that may be taken.
type receivedData struct {
	Records []received
	Problem string
}

// received is a record of the journal, without anything that it says.
type received struct {
	Seq   int64
	At    time.Time
	State string
	Cause string
}

var errNoJournal = errors.New("this project has no journal that the studio could read")

// received lists the records of a rule that were received last and are still kept.
func (s *Studio) received(r *http.Request, q *question) (any, error) {
	var d receivedData
	err := s.fromJournal(r, q, journal.Filter{Limit: maxListed, NewestOne: true, WithBody: true},
		func(list []*journal.Record, _ *project.Rule) error {
			for _, rec := range list {
				if len(rec.Body) == 0 {
					continue
				}
				one := received{Seq: rec.Seq, At: rec.Received, State: string(rec.State)}
				if rec.Problem != nil {
					one.Cause = rec.Problem.Message
				}
				d.Records = append(d.Records, one)
			}
			return nil
		})
	if err != nil {
		d.Problem = err.Error()
	}
	return s.part(r, "received", d, checked{})
}

// fromJournal reads records of the rule.
func (s *Studio) fromJournal(r *http.Request, q *question, f journal.Filter,
	do func([]*journal.Record, *project.Rule) error) error {
	if s.c.Journal == nil {
		return errNoJournal
	}
	sheet, err := s.local.Sheet(r.Context(), q.Drafts, q.File, lsp.Pick{})
	if err != nil {
		return err
	}
	if sheet.Rule == nil || sheet.Rule.Rule == nil {
		return errors.New("the rule cannot be read")
	}
	f.Rule = sheet.Rule.Name
	return s.c.Journal(r.Context(), func(j journal.Journal) error {
		list, err := j.Select(r.Context(), f)
		if err != nil {
			return fmt.Errorf("read the journal: %w", err)
		}
		if f.Seq != 0 && len(list) == 1 {
			entry := journal.AuditEntry{At: s.c.Now(), Who: s.c.Who, Did: "sample", Count: 1,
				Subject: fmt.Sprintf("record %d of %s", f.Seq, f.Rule)}
			if err := j.Note(r.Context(), entry); err != nil {
				return fmt.Errorf("note in the audit trail: %w", err)
			}
		}
		return do(list, sheet.Rule)
	})
}

// taken is a sample that was made of a record.
type taken struct {
	File string `json:"file"`
	Text string `json:"text"`
}

// take makes a sample of a record, in which everything is replaced that may tell whom it is about.
// It is not saved: whoever takes it reads it first.
func (s *Studio) take(r *http.Request, q *question) (any, error) {
	var out taken
	err := s.fromJournal(r, q, journal.Filter{Seq: q.Seq, Limit: 1, WithBody: true}, func(list []*journal.Record,
		rule *project.Rule) error {
		if q.Seq == 0 || len(list) != 1 || len(list[0].Body) == 0 {
			return errors.New("the record is not kept any more")
		}
		var body any
		err := json.Unmarshal(list[0].Body, &body)
		if err != nil {
			return fmt.Errorf("read the record: %w", err)
		}
		var keep func(string) bool
		if err := s.local.Project(r.Context(), q.Drafts, func(p *project.Project) error {
			keep = sample.Keeps(p, &rule.Trigger, rule, rule.Server)
			return nil
		}); err != nil {
			return err
		}
		out, err = s.asSample(rule, pseudonym.New(keep).Record(body))
		return err
	})
	return out, err
}

// asSample writes a record as its trigger reads samples.
func (s *Studio) asSample(rule *project.Rule, body any) (taken, error) {
	name := path.Base(strings.TrimSuffix(rule.Path, path.Ext(rule.Path)))
	file, text, err := sample.Write(s.c.Loader.Decode, &rule.Trigger, name, []any{body}, func(file string) bool {
		_, err := s.root.Stat(file)
		return err == nil
	})
	return taken{file, text}, err
}
