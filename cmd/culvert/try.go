package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/engine/rehearsal"
	"github.com/culvert/culvert/engine/service"
	"github.com/culvert/culvert/rules"
)

func (a *app) tryCommand() *cobra.Command {
	var number int
	var format string
	c := &cobra.Command{
		Use:   "try RULE [SAMPLE]",
		Short: "Show each step of a rule on one record, and what would be sent; nothing is",
		Long: `Evaluate one record of a sample file: the filter, id and key, each lookup, map and field with the
value going in and coming out, and the exact DHIS2 objects with their names and uids: what would
be looked up, created and updated, for somebody whom Culvert has not sent before. On a mistake the
line of the rule is shown with the values involved. The sample's data is printed: use invented
people.`,
		Example: "  culvert try anc-registration samples/anc-registration.json\n  culvert try anc-registration-export " +
			"samples/anc-registrations.csv --record 3",
		Args: cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			if err := oneOf("--format", format, "text", "json"); err != nil {
				return err
			}
			p, err := a.load(c.Context())
			if err != nil {
				return err
			}
			flow, rule, err := service.Flow(p, args[0])
			if err != nil {
				return err
			}
			bodies, err := a.sampleBodies(&rule.Trigger, args[1:])
			if err != nil {
				return err
			}
			if number < 1 || number > len(bodies) {
				return fmt.Errorf("--record %d: the sample holds %s", number, count(len(bodies), "record", "records"))
			}
			t := &tracer{app: a, project: p, server: flow.Server, format: format}
			in := rules.Input{Body: bodies[number-1], Source: rehearsal.Source(rule.Trigger.Sample, number-1, len(bodies)),
				Answers: rule.SampleAnswers(nil)}
			e, err := program.EvaluateTraced(flow, in, t.tracing())
			if e.Failure == nil && err == nil {
				e.Failure = e.NoSample()
			}
			if err != nil {
				return err
			}
			return t.result(c.Context(), e)
		},
	}
	c.Flags().IntVar(&number, "record", 1, "which record of the sample, from 1")
	c.Flags().StringVar(&format, "format", "text", "text, or json: the writes and the bodies of the requests")
	return c
}

// sampleBodies decodes a sample: the file named, in the project or beside the caller, or the trigger's own.
func (a *app) sampleBodies(t *rules.Trigger, file []string) ([]any, error) {
	samples := rehearsal.FileSamples{Loader: a.loader, Dir: a.dir}
	if len(file) == 0 {
		return samples.Sample(t, "")
	}
	bodies, err := samples.Sample(t, file[0])
	if err == nil {
		return bodies, nil
	}
	text, elsewhere := os.ReadFile(file[0])
	if elsewhere != nil {
		return nil, fmt.Errorf("read the sample: %w", err)
	}
	if bodies, err = a.loader.Decode(t, file[0], text); err != nil {
		return nil, err
	}
	return bodies, a.loader.Enclose(filepath.Dir(file[0]), t, filepath.Base(file[0]), bodies)
}

// tracer prints the steps of one evaluation.
type tracer struct {
	*app
	project *project.Project
	server  string
	format  string
	held    *rules.Step // a field whose value may follow: both are one line
}

// tracing is where the steps of an evaluation go; nowhere where the answer is for a program.
func (t *tracer) tracing() func(rules.Step) {
	if t.format == "json" {
		return nil
	}
	return t.step
}

// step prints a step. A field and the value that DHIS2 gets of it are one.
func (t *tracer) step(s rules.Step) {
	before := t.held
	t.held = nil
	switch {
	case before != nil && s.What == "value" && s.Failed == nil && s.Name == before.Name && s.Expr == before.Expr:
		t.print(*before, &s)
		return
	case before != nil:
		t.print(*before, nil)
	}
	if s.What == "field" && s.Failed == nil {
		t.held = &s
		return
	}
	t.print(s, nil)
}

// print shows a step: what it reads, and the values on its way, the last of which may come from another one.
func (t *tracer) print(s rules.Step, value *rules.Step) {
	width := 7
	if t.language != nil {
		width = 11
	}
	line := fmt.Sprintf("%-*s %s", width, t.language.Word(s.What), s.Name)
	if s.Expr != "" {
		line += " = " + strings.Join(strings.Fields(s.Expr), " ")
	}
	out := asIs(t.stdout) // what the record and the rule say stands in these lines
	fmt.Fprintln(out, strings.TrimRight(line, " "))
	if s.Failed != nil {
		return // told at the end, with the rule's line
	}
	var way []any
	if s.In != nil && fmt.Sprint(s.In) != fmt.Sprint(s.Out) {
		way = append(way, s.In)
	}
	way, of := append(way, s.Out), s.Type
	if value != nil {
		if of = value.Type; fmt.Sprint(value.Out) != fmt.Sprint(s.Out) {
			way = append(way, value.Out)
		}
	}
	shown := make([]string, len(way))
	for i, v := range way {
		shown[i] = rehearsal.Show(v)
	}
	fmt.Fprintf(out, "        %s%s\n", strings.Join(shown, " -> "), t.typed(of))
}

func (t *tracer) typed(kind string) string {
	if kind == "" {
		return ""
	}
	return " (" + t.language.Word(kind) + ")"
}

func (t *tracer) result(ctx context.Context, e program.Evaluation) error {
	if t.format == "json" {
		return t.resultJSON(ctx, e)
	}
	if t.held != nil {
		t.print(*t.held, nil)
	}
	fmt.Fprintln(t.stdout)
	switch {
	case e.Failure != nil:
		return t.failure(e.Failure)
	case e.Skipped:
		fmt.Fprintln(t.stdout, "the filter (when:) refuses this record: it would be skipped")
		return nil
	}
	fmt.Fprintf(t.stdout, "id %s, key %s: %s\n", e.ID, e.Key, count(len(e.Plan.Writes), "write", "writes"))
	t.remarks(e.Plan.Left)
	preview, err := service.Preview(ctx, t.project, t.server, e.Plan)
	if err != nil {
		return err
	}
	return t.preview(preview)
}

// remarks shows what would be said of the record though it is sent.
func (t *tracer) remarks(left []*rules.Failure) {
	for _, f := range left {
		what := "left out"
		if f.Note {
			what = "note"
		}
		fmt.Fprintf(asIs(t.stdout), "%s: %s\n", t.language.Word(what), t.language.Text(f.Message))
		if f.Value != "" {
			t.valued("value", fmt.Sprintf("%q", f.Value))
		}
		if f.Hint != "" {
			fmt.Fprintf(asIs(t.stdout), "  %s: %s\n", t.language.Word("fix"), t.language.Text(f.Hint))
		}
	}
}

// valued prints what stands in a record or a rule, as it stands there, behind its label.
func (t *tracer) valued(label, value string) {
	fmt.Fprintf(asIs(t.stdout), "  %s: %s\n", t.language.Word(label), value)
}

// failure shows why a record cannot be used: the rule's line and the value involved.
func (t *tracer) failure(f *rules.Failure) error {
	if err := t.printFindings(t.stdout, rehearsal.Finding(f), t.project.Texts); err != nil {
		return err
	}
	if f.Field != "" {
		t.valued("field", f.Field)
	}
	if f.Value != "" {
		t.valued("value", fmt.Sprintf("%q", f.Value))
	}
	return errFindings
}
