package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/culvert/culvert/engine/journal"
)

func (a *app) backupCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "backup FILE",
		Short: "Write a consistent copy of the journal, while it is in use",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withJournal(c.Context(), func(j journal.Journal) error {
				if err := j.Backup(c.Context(), args[0]); err != nil {
					return err
				}
				fmt.Fprintf(a.stdout, "journal copied to %s\n", args[0])
				return nil
			})
		},
	}
}

func (a *app) forgetCommand() *cobra.Command {
	var external, why string
	c := &cobra.Command{
		Use:   "forget --external-id ID --why REASON",
		Short: "Erase what the journal holds of a person",
		Long: `Erase every payload of a person or case from the journal, and its entries in the map of external ids.
DHIS2 is not touched, nor are files in done/ and backups made before: say so to whoever asked.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if external == "" || why == "" {
				return errors.New("name the person with --external-id and the reason with --why; the audit trail keeps that it was done, not whose data it was")
			}
			return a.withJournal(c.Context(), func(j journal.Journal) error {
				f, err := j.Forget(c.Context(), external, who(), why)
				if err != nil {
					return err
				}
				fmt.Fprintf(a.stdout, "%s found: %s and %s erased\n", count(f.Records, "record", "records"), count(f.Payloads, "payload", "payloads"), count(f.Identities, "entry of the id map", "entries of the id map"))
				fmt.Fprintln(a.stdout, "not touched: DHIS2 itself, files in done/, earlier backups")
				return nil
			})
		},
	}
	c.Flags().StringVar(&external, "external-id", "", "the id of the person or case in the source system")
	c.Flags().StringVar(&why, "why", "", "the reason, for the audit trail")
	return c
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
					rows = append(rows, []string{e.At.Local().Format("2006-01-02 15:04:05"), e.Who, e.Did, fmt.Sprint(e.Count), e.Subject, e.Why})
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
