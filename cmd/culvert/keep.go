package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/engine/service"
	"github.com/culvert/culvert/sources/files"
)

func (a *app) forgetCommand() *cobra.Command {
	var external, why string
	var removeFiles bool
	c := &cobra.Command{
		Use:   "forget --external-id ID --why REASON",
		Short: "Erase what Culvert holds of a person",
		Long: `Erase a person or case: from the journal every record of theirs, what other records say of them,
and their entries in the map of external ids; from files in done/ and failed/ the lines that hold
the external id, with the photos and other files that only these lines name. Workbooks and archives that hold it are named, and removed with --remove-files.
DHIS2 is not touched, nor are backups made before: say so to whoever asked.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if external == "" || why == "" {
				return errors.New("name the person with --external-id and the reason with --why; the audit trail keeps that it " +
					"was done, not whose data it was")
			}
			p, err := a.load(c.Context())
			if err != nil {
				return err
			}
			return a.withJournal(c.Context(), func(j journal.Journal) error {
				return a.forget(c.Context(), p, j, external, why,
					removeFiles)
			})
		},
	}
	c.Flags().StringVar(&external, "external-id", "", "the id of the person or case in the source system")
	c.Flags().StringVar(&why, "why", "", "the reason, for the audit trail")
	c.Flags().BoolVar(&removeFiles, "remove-files", false,
		"remove workbooks and archives in done/ and failed/ that hold the id")
	return c
}

func (a *app) forget(ctx context.Context, p *project.Project, j journal.Journal, external, why string,
	removeFiles bool) error {
	f, err := j.Forget(ctx, external, who(), why)
	if err != nil {
		return err
	}
	// Further parts of rules keep records of their own. Their names hold the id, so that it is the reason that would keep it.
	reason := strings.ReplaceAll(why, external, "…")
	for _, place := range p.Config.PlaceNames() {
		part, err := j.Forget(ctx, program.PartName(external, place), who(), reason)
		if err != nil {
			return err
		}
		f.Records, f.Payloads, f.Identities = f.Records+part.Records, f.Payloads+part.Payloads, f.Identities+part.Identities
	}
	fmt.Fprintf(a.stdout, "%s found: %s and %s erased\n", count(f.Records, "record", "records"),
		count(f.Payloads, "payload", "payloads"), count(f.Identities, "entry of the id map", "entries of the id map"))
	how := files.ScrubLines
	if removeFiles {
		how = files.ScrubRemove
	}
	left, err := a.scrub(ctx, p, j, external, how)
	if err != nil {
		return err
	}
	fmt.Fprintln(a.stdout, "not touched: DHIS2 itself, earlier backups")
	short := !files.Searched(external)
	if short {
		fmt.Fprintln(a.stdout, "not looked for: an id of so few characters stands in too many other values; take its rows "+
			"out of the files in done/ and failed/ by hand, and look whether a record of somebody else mentions it")
	}
	if short || len(left) > 0 {
		return errFindings
	}
	return nil
}

// scrub takes a person out of the files that Culvert has laid down, and gives those that still hold the id.
func (a *app) scrub(ctx context.Context, p *project.Project, j journal.Journal, external string,
	how files.Scrubbing) (left []string, err error) {
	folders, err := service.FinishedFolders(ctx, p, j)
	if err != nil {
		return nil, err
	}
	for _, folder := range folders {
		s, err := files.Scrub(ctx, folder, external, how)
		if err != nil {
			return nil, err
		}
		for _, path := range s.Cut {
			fmt.Fprintf(a.stdout, "lines taken out of %s\n", path)
		}
		for _, path := range s.Removed {
			fmt.Fprintf(a.stdout, "removed %s\n", path)
		}
		for _, path := range s.Left {
			fmt.Fprintf(a.stdout, "%s holds the id, or cannot be read: --remove-files removes it\n", path)
		}
		for _, path := range s.Unsure {
			fmt.Fprintf(a.stdout, "%s lies beside a table that lines were taken out of, and may be of the person: "+
				"look, and remove it by hand\n", path)
		}
		left = append(append(left, s.Left...), s.Unsure...)
	}
	s, err := files.Scrub(ctx, service.Inbox(p.Dir, p.Config), external, files.ScrubLook)
	if err != nil {
		return nil, err
	}
	for _, path := range s.Left {
		fmt.Fprintf(a.stdout, "%s holds the id and is not finished: forget the person again when it is\n", path)
	}
	return append(left, s.Left...), nil
}

func (a *app) auditCommand() *cobra.Command {
	var limit int
	var format string
	c := &cobra.Command{
		Use:   "audit",
		Short: "Show who replayed, edited, dismissed or erased what, when and why",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := oneOf("--format", format, "text", "json"); err != nil {
				return err
			}
			return a.withJournal(c.Context(), func(j journal.Journal) error {
				entries, err := j.Audit(c.Context(), limit)
				if err != nil {
					return err
				}
				if format == "json" {
					return a.json(entries)
				}
				rows := [][]string{{"WHEN", "WHO", "DID", "RECORDS", "WHAT", "WHY"}}
				for _, e := range entries {
					rows = append(rows, []string{e.At.Local().Format("2006-01-02 15:04:05"), e.Who, e.Did, fmt.Sprint(e.Count),
						e.Subject, e.Why})
				}
				table(a.stdout, rows)
				return nil
			})
		},
	}
	c.Flags().IntVar(&limit, "limit", 50, "at most so many, newest first")
	c.Flags().StringVar(&format, "format", "text", "text or json")
	return c
}
