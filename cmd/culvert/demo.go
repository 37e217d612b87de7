package main

import (
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/culvert/culvert/engine/demo"
)

func (a *app) demoCommand() *cobra.Command {
	var into string
	var stay bool
	c := &cobra.Command{
		Use:   "demo",
		Short: "Show the main job: a DHIS2 look-alike, exports dropped, forms posted, a summary",
		Long: `Lay down an example project, start a DHIS2 look-alike with the metadata of an invented country,
sync, validate, drop CommCare exports into the watched folder, post forms to the webhook, and say
what became of them. It needs no network and no account. The project stays, to look around in.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			log := slog.New(slog.DiscardHandler)
			if a.verbose {
				log = a.logger()
			}
			return demo.Run(c.Context(), demo.Options{Dir: into, Out: a.stdout, Log: log, Loader: a.loader, Version: version,
				Language: a.language, Stay: stay, Program: os.Args[0]})
		},
	}
	c.Flags().StringVar(&into, "into", "culvert-demo", "folder for the project; emptied first if an earlier demo made it")
	c.Flags().BoolVar(&stay, "stay", false,
		"keep it all running afterwards, to look at the look-alike and the console in a browser")
	return c
}
