package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/schemas"
)

func (a *app) schemaCommand() *cobra.Command {
	var fromMetadata bool
	var server string
	c := &cobra.Command{
		Use:   "schema [rule|config|functions]",
		Short: "Print the JSON Schema of rule files, of culvert.yaml or of functions, for editors",
		Long: `Print a JSON Schema that a YAML language server completes and checks with. --from-metadata adds
the names of your own programs, stages, attributes, data elements and data sets to what it
completes.`,
		Example: "  culvert schema --from-metadata > schemas/rule.schema.json",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			name := schemas.Rule
			if len(args) == 1 {
				name = args[0]
			}
			text := schemas.Text(name)
			if text == nil {
				return fmt.Errorf("there is no schema %q: rule, config or functions", name)
			}
			if fromMetadata {
				if name != schemas.Rule {
					return errors.New("--from-metadata is for the schema of rule files")
				}
				p, err := a.load(c.Context())
				if err != nil {
					return err
				}
				s := p.Config.ServerNamed(server)
				if s == nil || p.Indexes[s.Name] == nil {
					return errors.New("there is no metadata yet: run `culvert sync`; or name a server of culvert.yaml with --server")
				}
				if text, err = project.SchemaFromMetadata(p.Indexes[s.Name]); err != nil {
					return err
				}
			}
			_, err := a.stdout.Write(text)
			return err
		},
	}
	c.Flags().BoolVar(&fromMetadata, "from-metadata", false, "complete the names of your own metadata")
	c.Flags().StringVar(&server, "server", "", "a server of culvert.yaml; default: the default one")
	return c
}
