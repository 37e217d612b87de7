package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/status"
)

func (a *app) failuresCommand() *cobra.Command {
	var s selection
	var format string
	var list, waiting, superseded, show bool
	var limit int
	c := &cobra.Command{
		Use:   "failures",
		Short: "Say which records failed, by cause, and what to do about each",
		Long: `Group the records that failed by cause: how many, since when, what to do, and one of them as an
example. With --list every record is shown; with --waiting those that wait for another try. Exit
code 1 when there are any. With --superseded the records for which something newer left nothing to
do, each with what superseded it: no failures, and exit code 0.`,
		Example: "  culvert failures\n  culvert failures --rule anc-registration --list",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := oneOf("--format", format, "text", "json"); err != nil {
				return err
			}
			f, err := s.filter(time.Now())
			if err != nil {
				return err
			}
			f.States = []journal.State{journal.Failed}
			if waiting {
				f.States = []journal.State{journal.Pending, journal.Held}
			}
			f.Limit = limit
			if superseded {
				f.States, f.NewestOne = []journal.State{journal.Superseded}, true
				return a.readJournal(c.Context(), func(j journal.Journal) error {
					return a.listSuperseded(c.Context(), j, f,
						format)
				})
			}
			return a.readJournal(c.Context(), func(j journal.Journal) error {
				if err := a.knownRule(c.Context(), j, s.rule); err != nil {
					return err
				}
				if list || show {
					records, err := j.Select(c.Context(), f)
					if err != nil {
						return err
					}
					return a.listFailures(records, format, show)
				}
				causes, err := j.Causes(c.Context(), f)
				if err != nil {
					return err
				}
				return a.printCauses(causes, format, waiting)
			})
		},
	}
	s.flags(c)
	c.Flags().StringVar(&format, "format", "text", "text or json")
	c.Flags().BoolVar(&list, "list", false, "every record instead of groups")
	c.Flags().BoolVar(&show, "show", false,
		"every record, with the columns and the values that are wrong: they may be a person's")
	c.Flags().BoolVar(&waiting, "waiting", false, "records that wait for another try, or are held, instead of failed ones")
	c.Flags().BoolVar(&superseded, "superseded", false, "records that a newer one superseded, instead of failed ones")
	c.Flags().IntVar(&limit, "limit", 100, "at most so many")
	return c
}

func (a *app) printCauses(causes []journal.Cause, format string, waiting bool) error {
	if format == "json" {
		if err := a.json(causesForPrograms(causes)); err != nil {
			return err
		}
	} else if len(causes) == 0 {
		nothing := "nothing has failed"
		if waiting {
			nothing = "nothing waits for another try, and nothing is held"
		}
		fmt.Fprintln(a.stdout, nothing)
	}
	var total int64
	for i, c := range causes {
		total += c.Count
		if format == "json" {
			continue
		}
		if i > 0 {
			fmt.Fprintln(a.stdout)
		}
		fmt.Fprintln(asIs(a.stdout), a.language.Sprintf("%s of %s: %s",
			a.language.Text(count(c.Count, "record", "records")), c.Rule,
			a.language.Text(worded(c.Cause, c.Code))))
		if c.Place != "" {
			a.labelled("rule", c.Place)
		}
		if c.Hint != "" {
			a.labelled("fix", a.language.Text(c.Hint))
		}
		a.labelled("since", c.First.Local().Format("2006-01-02 15:04:05"))
		if e := c.Example; e != nil {
			a.labelled("example", a.language.Text(nameOf(e)))
		}
	}
	if total == 0 {
		return nil
	}
	if format == "text" && !waiting {
		fmt.Fprintf(a.stdout,
			"\n%s failed. When the cause is fixed: culvert replay --rule NAME (or --code, --cause, --id)\n",
			count(total, "record", "records"))
	}
	return errFindings
}

// worded is how a cause is shown; a record that was not tried has none.
func worded(cause, code string) string {
	if code == "" {
		return "not tried yet"
	}
	return fmt.Sprintf("%s [%s]", cause, code)
}

// nameOf says which record it is without showing anything of its content but the id that the source gave it.
func nameOf(r *journal.Record) string {
	name := fmt.Sprintf("number %d, id %s", r.Seq, r.ID)
	switch {
	case r.Origin.File == "":
	case r.Origin.Row == 0: // the file as a whole
		name += ", file " + r.Origin.File
	default:
		name += fmt.Sprintf(", row %d of %s", r.Origin.Row, r.Origin.File)
	}
	return name + ", received " + r.Received.Local().Format("2006-01-02 15:04:05")
}

func (a *app) listFailures(records []*journal.Record, format string, show bool) error {
	if format == "json" {
		if err := a.json(recordsForPrograms(records, show)); err != nil {
			return err
		}
	} else {
		for _, r := range records {
			var p journal.Problem
			if r.Problem != nil {
				p = *r.Problem
			}
			fmt.Fprintf(a.stdout, "%s: %s\n", r.Rule, worded(p.Message, p.Code))
			fmt.Fprintf(a.stdout, "  %s\n", nameOf(r))
			switch {
			case r.Problem == nil:
			case show:
				a.showFaults(r.Problem)
			case r.Problem.Hint != "":
				fmt.Fprintf(a.stdout, "  %s\n", r.Problem.Hint)
				for _, f := range r.Problem.More {
					fmt.Fprintf(a.stdout, "  also: %s\n", worded(f.Message, f.Code))
				}
			}
		}
		if len(records) == 0 {
			fmt.Fprintln(a.stdout, "no such records")
		}
	}
	if len(records) > 0 {
		return errFindings
	}
	return nil
}

// listSuperseded shows superseded records and what superseded each.
func (a *app) listSuperseded(ctx context.Context, j journal.Journal, f journal.Filter, format string) error {
	records, err := j.Select(ctx, f)
	if err != nil {
		return err
	}
	list := recordsForPrograms(records, false)
	for i, r := range records {
		if list[i].By, err = status.SupersededBy(ctx, j, r); err != nil {
			return err
		}
	}
	if format == "json" {
		return a.json(list)
	}
	for i, r := range records {
		fmt.Fprintf(a.stdout, "%s: superseded by %s\n  %s\n", r.Rule, cmp.Or(list[i].By, "a newer record"), nameOf(r))
		if r.Problem != nil {
			fmt.Fprintf(a.stdout, "  it had failed: %s\n", worded(r.Problem.Message, r.Problem.Code))
		}
	}
	if len(records) == 0 {
		fmt.Fprintln(a.stdout, "no such records")
	}
	return nil
}

// showFaults prints all that is wrong with a record, with the values.
func (a *app) showFaults(p *journal.Problem) {
	faults := p.Faults()
	for i, f := range faults {
		if len(faults) > 1 {
			fmt.Fprintf(a.stdout, "  %d. %s\n", i+1, worded(f.Message, f.Code))
		}
		a.labelled("column", f.Column)
		a.labelled("value", f.Value)
		a.labelled("rule", f.Place.String())
		a.labelled("fix", a.language.Text(f.Hint))
	}
}

// labelled prints what is said of one thing on a line, with its label in front; a blank is left out.
// The label is translated, the text is not: it may be what somebody wrote.
func (a *app) labelled(label, text string) {
	if text == "" {
		return
	}
	width := len("example: ")
	if a.language != nil {
		width = len("correction: ") // the longest of them
	}
	fmt.Fprintf(asIs(a.stdout), "  %-*s%s\n", width, a.language.Text(label)+":", text)
}

// json prints a value for programs.
func (a *app) json(v any) error {
	e := json.NewEncoder(a.stdout)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("print as json: %w", err)
	}
	return nil
}
