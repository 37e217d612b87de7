package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/service"
)

func (a *app) showCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show RECORD",
		Short: "Show one record with its content and what DHIS2 said",
		Long: `Show a record by its number or its id: where it came from, what became of it, every cause with
column and value, what DHIS2 said, where what it wrote is looked at in DHIS2, and its content. A row
of a dropped file is FILE:ROW, as the spreadsheet counts; of one that went through plainly the
content is read from the file, while that is there. It holds what a person told somebody: look at it
where nobody else can.`,
		Example: "  culvert show 4711\n  culvert show uuid:5b1c8c9e-…\n  culvert show women.csv:12",
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
		if name, line, ok := rowNamed(which); ok {
			found, err := a.showRow(ctx, j, name, line)
			if found || err != nil {
				return err
			}
		}
		return fmt.Errorf("there is no record with the number or id %q: `culvert failures --list` and the console show "+
			"both; rows of a file that were plainly delivered are FILE:ROW", which)
	}
	for i, r := range records {
		if i > 0 {
			fmt.Fprintln(a.stdout)
		}
		a.showRecord(r)
		if err := a.showWritten(ctx, j, r.Rule, r.Objects, r.About); err != nil {
			return err
		}
		a.showContent(r.Body, "not kept any more")
	}
	return nil
}

// rowNamed reads FILE:ROW.
func rowNamed(which string) (name string, line int, ok bool) {
	at := strings.LastIndexByte(which, ':')
	if at < 1 {
		return "", 0, false
	}
	line, err := strconv.Atoi(which[at+1:])
	return which[:at], line, err == nil && line > 0
}

// showRow shows a row of a file; false when there is none.
func (a *app) showRow(ctx context.Context, j journal.Journal, name string, line int) (found bool, err error) {
	p, err := a.load(ctx)
	if err != nil {
		return false, err
	}
	row, err := service.RowOf(ctx, p, j, name, line)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if seq := row.File.Seq(row.Row.Record); seq != 0 {
		records, err := j.Select(ctx, journal.Filter{Seq: seq, Limit: 1})
		if err != nil {
			return false, err
		}
		if len(records) == 1 {
			return true, a.show(ctx, j, strconv.FormatInt(seq, 10))
		}
	}
	fmt.Fprintf(a.stdout, "rule %s, row %d of %s\n  state:   %s\n  key:     %s\n", row.File.Rule, row.Row.Line, row.File.Name,
		row.Row.Outcome, row.Row.Key)
	if err := a.showWritten(ctx, j, row.File.Rule, row.Row.Objects, nil); err != nil {
		return true, err
	}
	a.showContent(row.Body, row.Unknown)
	return true, nil
}

// showWritten says what a record wrote, and where people look at it.
func (a *app) showWritten(ctx context.Context, j journal.Journal, rule string, objects, about []string) error {
	if len(objects) == 0 {
		return nil
	}
	p, err := a.load(ctx)
	if err != nil {
		return err
	}
	list, err := service.WrittenBy(ctx, p, j, rule, objects, about, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	for _, o := range list {
		parts := slices.DeleteFunc([]string{a.language.Text(o.Kind), o.Name, o.ID, o.URL},
			func(x string) bool { return x == "" })
		a.labelled("wrote", strings.Join(parts, " "))
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
}

// showContent shows what a record says, or why that is not known.
func (a *app) showContent(body []byte, unknown string) {
	var content bytes.Buffer
	switch err := json.Indent(&content, body, "  ", "  "); {
	case len(body) == 0:
		fmt.Fprintf(asIs(a.stdout), "  %s: %s\n", a.language.Text("content"), a.language.Text(unknown))
	case err != nil:
		fmt.Fprintln(a.stdout, errors.Join(errors.New("  content: is not JSON"), err))
	default:
		fmt.Fprintf(asIs(a.stdout), "  %s:\n  %s\n", a.language.Text("content"), content.String())
	}
}
