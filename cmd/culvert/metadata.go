package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

func (a *app) metadataCommand() *cobra.Command {
	c := &cobra.Command{Use: "metadata", Short: "Look into the synced metadata",
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	var server, format string
	var limit int
	search := &cobra.Command{
		Use:     "search TEXT",
		Short:   "Find objects by name, code or uid, also when misspelt",
		Example: "  culvert metadata search coral\n  culvert metadata search \"gestational age\"",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := oneOf("--format", format, "text", "json"); err != nil {
				return err
			}
			p, err := a.load(c.Context())
			if err != nil {
				return err
			}
			s := p.Config.ServerNamed(server)
			if s == nil {
				return errors.New("name a server of culvert.yaml with --server")
			}
			x := p.Indexes[s.Name]
			if x == nil {
				return fmt.Errorf("there is no metadata of server %s yet: run `culvert sync`", s.Name)
			}
			hits := x.Search(strings.Join(args, " "))
			hits = hits[:min(len(hits), limit)]
			if format == "json" {
				return a.json(hits)
			}
			if len(hits) == 0 {
				fmt.Fprintln(a.stdout, "nothing is called so")
				return nil
			}
			rows := [][]string{{"COLLECTION", "NAME", "CODE", "UID", "WHERE"}}
			for _, h := range hits {
				rows = append(rows, []string{h.Collection, h.Name, h.Code, h.ID, h.Path})
			}
			table(a.stdout, rows)
			return nil
		},
	}
	search.Flags().StringVar(&server, "server", "", "a server of culvert.yaml; default: the default one")
	search.Flags().StringVar(&format, "format", "text", "text or json")
	search.Flags().IntVar(&limit, "limit", 30, "at most so many")
	c.AddCommand(search)
	return c
}
