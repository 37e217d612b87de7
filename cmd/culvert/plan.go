package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/culvert/culvert/engine/rehearsal"
	"github.com/culvert/culvert/engine/service"
	"github.com/culvert/culvert/rules/diag"
)

func (a *app) planCommand() *cobra.Command {
	var format string
	var all bool
	c := &cobra.Command{
		Use:   "plan RULE FILE...",
		Short: "Ask the server to check every record of a file, without writing anything",
		Long: `Evaluate every record of the files and have the server validate the writes (importMode VALIDATE,
dryRun), each server what goes to it. Nothing is written. What the rule does elsewhere than at servers
of DHIS2 cannot be checked so, and is left out. Exit code 1 when any record would fail.`,
		Example: "  culvert plan anc-registration-export old-export.csv",
		Args:    cobra.MinimumNArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			if err := oneOf("--format", format, "text", "json"); err != nil {
				return err
			}
			p, err := a.load(c.Context())
			if err != nil {
				return err
			}
			_, rule, err := service.Flow(p, args[0])
			if err != nil {
				return err
			}
			flow := service.AtServers(p, rule)
			servers, err := service.RehearsalServers(p, rule, a.logger(), version)
			if err != nil {
				return err
			}
			desk := service.RehearsalDesk(p, a.logger())
			defer desk.Close()
			servers.Outside = desk
			t := tally{app: a, format: format, all: all, count: map[string]int{}}
			for _, file := range args[1:] {
				if err := rehearsal.Plan(c.Context(), flow, servers, file, service.FormatFor(flow.Rule),
					t.report); err != nil {
					return err
				}
			}
			return t.end()
		},
	}
	c.Flags().StringVar(&format, "format", "text", "text or json")
	c.Flags().BoolVar(&all, "all", false, "list the records that are fine too")
	return c
}

// tally prints and counts what the server says of each record.
type tally struct {
	*app
	format string
	all    bool
	count  map[string]int
	list   []rehearsal.Planned
}

func (t *tally) report(p rehearsal.Planned) error {
	t.count[p.Status]++
	switch {
	case p.Status != "failed" && !t.all:
		return nil
	case t.format == "json":
		t.list = append(t.list, p)
		return nil
	}
	fmt.Fprintf(asIs(t.stdout), "%s: %s\n", t.language.Text(fmt.Sprintf("%s row %d", p.File, p.Row)),
		t.language.Word(p.Status))
	if f := p.Failure; f != nil {
		t.problem(f.Problem)
	}
	for _, o := range p.Problems {
		t.problem(o.Problem)
	}
	return nil
}

// problem prints what is wrong, with its code and place, and what to do.
func (t *tally) problem(p diag.Problem) {
	out := asIs(t.stdout)
	fmt.Fprintf(out, "    %s [%s] %s\n", t.language.Text(p.Message), p.Code, p.Place.String())
	if p.Hint != "" {
		fmt.Fprintf(out, "    %s\n", t.language.Text(p.Hint))
	}
}

func (t *tally) end() error {
	if t.format == "json" {
		if err := t.json(t.list); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(t.stdout, "%s fine, %d skipped, %d would fail; nothing was written\n",
			count(t.count["fine"], "record", "records"), t.count["skipped"], t.count["failed"])
	}
	if t.count["failed"] > 0 {
		return errFindings
	}
	return nil
}
