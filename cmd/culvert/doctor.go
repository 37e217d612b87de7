package main

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/culvert/culvert/engine/doctor"
	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/engine/service"
	"github.com/culvert/culvert/rules/diag"
)

func (a *app) doctorCommand() *cobra.Command {
	var format string
	var offline bool
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Look at the project and its machine, and say what to fix",
		Long: `Look at what a run needs and say what to fix: rules, secrets, rights on folders, disk, watching,
the address to listen on, the journal's database, of each server whether it answers, its
certificate, clock and time zone, whether the synced metadata is that of the server, and whether
the account may write what the rules write, and of each connection whether it lets us in. It
changes nothing and may be asked beside a run; ask as the user of the service (culvert-project
PROJECT doctor). Exit code 0 when all is well or only warned of, 1 when something does not work.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := oneOf("--format", format, "text", "json"); err != nil {
				return err
			}
			p, err := a.load(c.Context())
			if err != nil {
				return err
			}
			watched, err := service.WatchedFolders(p)
			if err != nil {
				return err
			}
			o := doctor.Options{Project: p, Kinds: project.SourceKinds(), Log: a.quiet(), Version: version, Offline: offline}
			for _, w := range watched {
				o.Folders = append(o.Folders, doctor.Folder{Path: w.Folder, Rule: w.Rule, Create: w.Create})
			}
			r := doctor.Run(c.Context(), o)
			if format == "json" {
				err = a.json(r)
			} else {
				a.printDoctor(r)
			}
			if err == nil && r.Worst() == doctor.Failure {
				return errFindings
			}
			return err
		},
	}
	c.Flags().StringVar(&format, "format", "text", "text or json")
	c.Flags().BoolVar(&offline, "offline", false, "ask no server")
	return c
}

func (a *app) printDoctor(r *doctor.Report) {
	count := map[doctor.Status]int{}
	out, say, word, width := asIs(a.stdout), a.language.Text, a.language.Word, 0
	for _, c := range r.Checks {
		width = max(width, utf8.RuneCountInString(word(string(c.Status))))
	}
	for _, c := range r.Checks {
		count[c.Status]++
		of := ""
		if c.Of != "" {
			of = " (" + c.Of + ")"
		}
		fmt.Fprintf(out, "%-*s %s%s: %s\n", max(width, 8), word(string(c.Status)), word(c.Name), of, say(c.What))
		if c.Hint != "" {
			fmt.Fprintf(out, "%s %s: %s\n", strings.Repeat(" ", max(width, 8)), say("fix"), say(c.Hint))
		}
	}
	fmt.Fprintf(
		a.stdout,
		"\n%d ok, %s, %s, %d skipped\n",
		count[doctor.OK],
		diag.Counted(count[doctor.Warning], "warning"),
		diag.Counted(count[doctor.Failure], "failure"),
		count[doctor.Skipped],
	)
}
