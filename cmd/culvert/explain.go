package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/culvert/culvert/engine/service"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/diag/explain"
)

func (a *app) explainCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "explain CODE",
		Short:   "Explain a finding's code, or an error code of DHIS2",
		Example: "  culvert explain unknown-field\n  culvert explain E1018",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				for _, code := range explain.Codes() {
					fmt.Fprintln(a.stdout, code)
				}
				return nil
			}
			if text, ok := service.Explain(args[0], a.language); ok {
				fmt.Fprint(a.stdout, text)
				return nil
			}
			hint := ""
			if near := diag.Nearest(args[0], allCodes()); len(near) > 0 {
				hint = fmt.Sprintf(": did you mean %s?", near[0])
			}
			return fmt.Errorf("there is no code %q%s", args[0], hint)
		},
	}
}
