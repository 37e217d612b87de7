package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/status"
)

func (a *app) statusCommand() *cobra.Command {
	var format string
	c := &cobra.Command{
		Use:   "status",
		Short: "Say whether all is well, what waits and what failed",
		Long: "Say how the project stands. Exit code 0 when all is well, 1 when something needs a person, so that it can " +
			"serve as a probe.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := oneOf("--format", format, "text", "json"); err != nil {
				return err
			}
			return a.readJournal(c.Context(), func(j journal.Journal) error {
				o, err := status.Read(c.Context(), j, time.Now())
				if err != nil {
					return err
				}
				if format == "json" {
					err = a.json(o)
				} else {
					printOverview(a.stdout, o)
				}
				if err == nil && len(o.Concerns) > 0 {
					return errFindings
				}
				return err
			})
		},
	}
	c.Flags().StringVar(&format, "format", "text", "text or json")
	return c
}

func printOverview(w io.Writer, o status.Overview) {
	if len(o.Concerns) == 0 {
		fmt.Fprintln(w, "all is well")
	}
	for _, c := range o.Concerns {
		fmt.Fprintf(w, "look: %s\n", c)
	}
	for _, p := range o.Pauses {
		if !p.Concern {
			fmt.Fprintf(w, "%s (%s)\n", p.What(), strings.Trim(p.Hint(), "`"))
		}
	}
	printResting(w, o)
	printEncryption(w, o.Encryption)
	fmt.Fprintln(w)
	printRunners(w, o)
	for _, a := range o.Analytics {
		fmt.Fprintf(w, "analytics tables of %s: %s\n\n", a.Server, a.Describe())
	}
	rows := [][]string{{"RULE", "WAITING", "HELD", "DELIVERED", "SKIPPED", "FAILED", "OLDEST WAITING", "LAST RECEIVED"}}
	for _, r := range o.Rules {
		oldest := "-"
		if !r.Oldest.IsZero() {
			oldest = ago(r.Oldest, o.At)
		}
		rows = append(rows, []string{r.Name, num(r.Pending), num(r.Held), num(r.Delivered), num(r.Skipped), num(r.Failed),
			oldest, ago(r.LastReceived, o.At)})
	}
	if o.Records.Superseded > 0 {
		addSuperseded(rows, o.Rules)
	}
	if len(rows) > 1 {
		table(w, rows)
	} else {
		fmt.Fprintln(w, "no record has arrived yet")
	}
	for _, f := range o.Open {
		fmt.Fprintf(w, "\nfile %s of %s: %s read, %d failed\n", f.Name, f.Rule, count(f.Rows, "row", "rows"), f.Failed)
	}
	if o.Records.Pending > 0 {
		fmt.Fprintf(w, "\n%s waiting", count(o.Records.Pending, "record", "records"))
		if o.Drain > 0 {
			fmt.Fprintf(w, ", about %s to go at the present rate", length(o.Drain))
		}
		if !o.NextTry.IsZero() && o.NextTry.After(o.At) {
			fmt.Fprintf(w, "; next try in %s, and `culvert failures --waiting` says why", length(o.NextTry.Sub(o.At)))
		}
		fmt.Fprintln(w)
	}
}

// printResting says which rules send nothing now because their files say so.
func printResting(w io.Writer, o status.Overview) {
	if len(o.Runners) == 0 {
		return
	}
	for _, name := range o.Runners[0].Disabled {
		fmt.Fprintf(w, "rule %s is switched off in its file (enabled: false)\n", name)
	}
	for _, c := range o.Runners[0].Closed {
		fmt.Fprintf(w, "rule %s is outside of its window: what it takes waits until %s\n", c.Rule,
			c.Opens.Local().Format("2006-01-02 15:04"))
	}
}

// printEncryption says what of an encrypted journal is still in clear, or encrypted with an older key.
func printEncryption(w io.Writer, e journal.Encryption) {
	switch {
	case e.Payloads && !e.Names:
		fmt.Fprintln(w, "record ids, keys and external ids are in clear in the journal: "+
			"stop the runner, `culvert rekey`, start it")
	case e.OldKeys:
		fmt.Fprintln(w, "an older key of encryption_keys is still in use: "+
			"stop the runner, `culvert rekey`, take it out, start")
	}
}

// addSuperseded adds a column where something newer left nothing to do for some records.
func addSuperseded(rows [][]string, rules []status.Rule) {
	const after = 5 // SKIPPED
	rows[0] = slices.Insert(rows[0], after, "SUPERSEDED")
	for i, r := range rules {
		rows[i+1] = slices.Insert(rows[i+1], after, num(r.Superseded))
	}
}

func printRunners(w io.Writer, o status.Overview) {
	if len(o.Runners) == 0 {
		fmt.Fprintln(w, "no runner is at work (culvert run)")
		fmt.Fprintln(w)
		return
	}
	for _, r := range o.Runners {
		fmt.Fprintf(w, "runner %s, for %s, %s\n", r.Owner, length(o.At.Sub(r.Started)), count(r.Rules, "rule", "rules"))
		for _, s := range r.Servers {
			fmt.Fprintf(w, "  server %s (%s): %s", s.Name, s.Description, s.State)
			if s.State != status.ServerReachable && !s.Since.IsZero() {
				fmt.Fprintf(w, " for %s", length(o.At.Sub(s.Since)))
			}
			if s.Reason != "" {
				fmt.Fprintf(w, ", %s", s.Reason)
			}
			fmt.Fprintf(w, "; %.1f records/s, batches of %d, %d at a time", s.Rate, s.Batch, s.Concurrency)
			if s.Waiting > 0 {
				fmt.Fprintf(w, "; %s waiting, the oldest for %s", count(s.Waiting, "record", "records"), length(o.At.Sub(s.Oldest)))
			}
			fmt.Fprintln(w)
		}
	}
	fmt.Fprintln(w)
}

func num(n int64) string { return fmt.Sprint(n) }
