package studio

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/culvert/culvert/engine/lsp"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/engine/rehearsal"
	"github.com/culvert/culvert/engine/service"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/yamlnode"
)

// testsData is what became of the tests of a rule.
type testsData struct {
	Outcomes []rehearsal.Outcome
	Problem  string // why they could not be run
	Recorded string // what was written into the file
}

// tests runs the tests that the rule carries, as culvert test does.
func (s *Studio) tests(r *http.Request, q *question) (any, error) {
	var d testsData
	var err error
	if d.Outcomes, err = s.outcomes(r.Context(), q); err != nil {
		d.Problem = err.Error()
	}
	return s.part(r, "tests", d, checked{})
}

// outcomes runs the tests of the rule in a reading of the project of its own, by the clock of tests.
func (s *Studio) outcomes(ctx context.Context, q *question) ([]rehearsal.Outcome, error) {
	clock := &rehearsal.TestClock{}
	loader := &project.Loader{Now: clock.Now, Sources: s.c.Loader.Sources, Actions: s.c.Loader.Actions}
	session := loader.Edit(s.c.Dir)
	for name, text := range q.Drafts {
		session.Hold(name, []byte(text))
	}
	if err := session.Open(ctx); err != nil {
		return nil, err
	}
	flow, _, err := service.Flow(session.Project(), q.File)
	if err != nil {
		return nil, err
	}
	return rehearsal.Tests(flow, drafted{rehearsal.FileSamples{Loader: loader, Dir: s.c.Dir}, q.Drafts}, clock), nil
}

// drafted are samples of which some are not saved yet.
type drafted struct {
	rehearsal.FileSamples
	drafts map[string]string
}

// Sample implements rehearsal.Samples.
func (d drafted) Sample(t *rules.Trigger, file string) ([]any, error) {
	if text, ok := d.drafts[strings.TrimPrefix(file, "./")]; ok {
		return d.Loader.Decode(t, file, []byte(text))
	}
	return d.FileSamples.Sample(t, file)
}

// record adds a test to the rule that expects what becomes of the record now.
func (s *Studio) record(r *http.Request, q *question) (any, error) {
	text, name := q.Drafts[q.File], strings.TrimSpace(q.Typed)
	switch {
	case text == "":
		return nil, answered{http.StatusBadRequest, "there is no text for " + q.File}
	case name == "" || len(name) > 200 || strings.ContainsAny(name, "\n\r"):
		return nil, answered{http.StatusBadRequest, "give the test a name of one line"}
	case q.Sample == "":
		return nil, answered{http.StatusBadRequest, "choose a sample first"}
	}
	sheet, err := s.local.Sheet(r.Context(), q.Drafts, q.File, lsp.Pick{Sample: q.Sample, Record: q.Record})
	if err != nil {
		return nil, err
	}
	fresh, number, err := withTest(q.File, []byte(text), name, sheet.Sample)
	if err != nil {
		return nil, err
	}
	q.Drafts[q.File] = string(fresh)
	d := testsData{}
	if d.Outcomes, err = s.outcomes(r.Context(), q); err != nil {
		d.Problem = err.Error()
		return s.part(r, "tests", d, checked{})
	}
	if number >= len(d.Outcomes) || !d.Outcomes[number].Evaluated && d.Outcomes[number].Failure == nil {
		d.Problem = "the record cannot be evaluated, so that no test was written"
		return s.part(r, "tests", d, checked{})
	}
	only := make([]rehearsal.Outcome, len(d.Outcomes)) // the other tests stay as they are
	only[number] = d.Outcomes[number]
	fresh, done, err := rehearsal.Update(q.File, fresh, only)
	if err != nil {
		return nil, err
	}
	for _, u := range done {
		d.Recorded = u.Words
	}
	d.Outcomes[number].Problems = nil
	return s.part(r, "tests", d, checked{Drafts: map[string]string{q.File: string(fresh)}})
}

func pair(key, value string) string { return key + ": " + value }

// withTest puts a test behind those that there are, and gives its number.
func withTest(file string, text []byte, name string, sample lsp.Sample) (fresh []byte, number int, err error) {
	root := nodeAt(file, text, nil)
	if root == nil {
		return nil, 0, yamlnode.ErrUneditable
	}
	tests := root.Get("tests")
	if tests.Flow() {
		return nil, 0, errors.New("the tests are written in brackets: write them one below the other first")
	}
	end := "\n"
	if bytes.Contains(text, []byte("\r\n")) {
		end = "\r\n"
	}
	entry := []string{pair("- name", yamlnode.Text(name)), pair("  given", yamlnode.Text(sample.File))}
	if sample.Records > 1 {
		entry = append(entry, pair("  row", strconv.Itoa(sample.Record+1)))
	}
	indent, pairs := "  ", root.Pairs()
	number = len(tests.Items())
	head := ""
	switch {
	case tests == nil:
		head = "tests:" + end
	case number > 0:
		indent = strings.Repeat(" ", max(tests.Place().Range.Start.Column-1, 0))
	}
	if tests != nil && pairs[len(pairs)-1].Key.Value != "tests" {
		return nil, 0, errors.New("the tests are not the last part of the file: move them there first")
	}
	fresh = append(bytes.TrimRight(text, " \t\r\n"), end...)
	fresh = append(fresh, head+indent+strings.Join(entry, end+indent)+end...)
	if got := nodeAt(file, fresh, []string{"tests"}); got == nil || len(got.Items()) != number+1 {
		return nil, 0, yamlnode.ErrUneditable
	}
	return fresh, number, nil
}

// sentData is what would be sent for a record.
type sentData struct {
	Skipped  bool
	Problem  string
	Writes   []sentWrite
	Requests []sentRequest
}

type sentWrite struct{ Label, Effect, Reason, ID string }

type sentRequest struct{ Heading, Body string }

// sent answers what would be looked up and sent for the record, as culvert try shows it.
func (s *Studio) sent(r *http.Request, q *question) (any, error) {
	var d sentData
	sheet, err := s.local.Sheet(r.Context(), q.Drafts, q.File, lsp.Pick{Sample: q.Sample, Record: q.Record})
	if err != nil {
		return nil, err
	}
	err = s.local.Project(r.Context(), q.Drafts, func(p *project.Project) error {
		flow, rule, err := service.Flow(p, q.File)
		if err != nil {
			return err
		}
		if sheet.Record == nil {
			return errors.New(sheet.Sample.Problem)
		}
		e, err := program.Evaluate(flow, rules.Input{Body: sheet.Record, Source: rehearsal.Source(sheet.Sample.File,
			sheet.Sample.Record, sheet.Sample.Records), Answers: rule.SampleAnswers(nil)})
		switch {
		case err != nil:
			return err
		case e.Failure != nil:
			return e.Failure
		case e.NoSample() != nil:
			return e.NoSample()
		case e.Skipped:
			d.Skipped = true
			return nil
		}
		return s.preview(r.Context(), p, flow.Server, e, &d)
	})
	if err != nil {
		d.Problem = err.Error()
	}
	return s.part(r, "sent", d, checked{})
}

func (s *Studio) preview(ctx context.Context, p *project.Project, server string, e program.Evaluation,
	d *sentData) error {
	preview, err := service.Preview(ctx, p, server, e.Plan)
	if err != nil {
		return err
	}
	for _, w := range preview.Writes {
		d.Writes = append(d.Writes, sentWrite{w.Label, w.Effect, w.Reason, w.ID})
	}
	for _, x := range preview.Requests {
		one := sentRequest{Heading: rehearsal.Heading(x.Method, x.Path, x.Query, preview.Names)}
		if x.Body != nil {
			if one.Body, err = rehearsal.Annotated(x.Body, preview.Names); err != nil {
				return err
			}
		}
		d.Requests = append(d.Requests, one)
	}
	return nil
}

// part writes a part of the page of a rule into an answer.
func (s *Studio) part(r *http.Request, name string, data any, out checked) (any, error) {
	var b bytes.Buffer
	if err := s.write(&b, r, "rule", name, data); err != nil {
		return nil, err
	}
	out.Sheet = b.String()
	return out, nil
}
