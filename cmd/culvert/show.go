package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/culvert/culvert/engine/journal"
)

func (a *app) showCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show RECORD",
		Short: "Show one record with its content and what DHIS2 said",
		Long: `Show a record by its number or its id: where it came from, what became of it, every cause with
column and value, what DHIS2 said, and its content. It holds what a person told somebody: look at
it where nobody else can.`,
		Example: "  culvert show 4711\n  culvert show uuid:5b1c8c9e-…",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.readJournal(c.Context(), func(j journal.Journal) error { return a.show(c.Context(), j, args[0]) })
		},
	}
}

func (a *app) show(ctx context.Context, j journal.Journal, which string) error {
	records, err := recordsNamed(ctx, j, which)
	if err != nil {
		return err
	}
	if len(records) == 0 {
		return fmt.Errorf("there is no record with the number or id %q: `culvert failures --list` and the console show "+
			"both; rows of a file that were plainly delivered are in its results file", which)
	}
	for i, r := range records {
		if i > 0 {
			fmt.Fprintln(a.stdout)
		}
		a.showRecord(r)
	}
	return nil
}

// recordsNamed gives the record of a number, or all versions of an id, the newest first.
func recordsNamed(ctx context.Context, j journal.Journal, which string) ([]*journal.Record, error) {
	var found []*journal.Record
	if seq, err := strconv.ParseInt(which, 10, 64); err == nil {
		if found, err = j.Select(ctx, journal.Filter{Seq: seq, Limit: 1, WithBody: true}); err != nil {
			return nil, err
		}
	}
	byID, err := j.Select(ctx, journal.Filter{ID: which, Limit: 20, WithBody: true, NewestOne: true})
	for _, r := range byID {
		if len(found) == 0 || r.Seq != found[0].Seq {
			found = append(found, r)
		}
	}
	return found, err
}

func (a *app) showRecord(r *journal.Record) {
	fmt.Fprintf(a.stdout, "rule %s, %s\n  state:   %s\n  key:     %s\n", r.Rule, nameOf(r), r.State, r.Key)
	if r.Attempts > 0 {
		fmt.Fprintf(a.stdout, "  tries:   %d\n", r.Attempts)
	}
	if p := r.Problem; p != nil {
		if len(p.Faults()) == 1 {
			a.labelled("cause", a.language.Text(worded(p.Message, p.Code)))
		}
		a.showFaults(p)
		if p.Detail != "" {
			a.labelled("DHIS2", p.Detail)
		}
	}
	var content bytes.Buffer
	switch err := json.Indent(&content, r.Body, "  ", "  "); {
	case len(r.Body) == 0:
		fmt.Fprintln(a.stdout, "  content: not kept any more")
	case err != nil:
		fmt.Fprintln(a.stdout, errors.Join(errors.New("  content: is not JSON"), err))
	default:
		fmt.Fprintf(asIs(a.stdout), "  %s:\n  %s\n", a.language.Text("content"), content.String())
	}
}
