package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// manCommand writes the manual pages, for packages and for people without a network.
func (a *app) manCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "man FOLDER",
		Short: "Write the manual pages of all commands into a folder",
		Long: "Write a manual page for every command into a folder, such as /usr/local/share/man/man1, made from the " +
			"same text as --help and docs/commands.md.",
		Example: "  culvert man /usr/local/share/man/man1\n  man culvert-validate",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return fmt.Errorf("make the folder of the manual pages: %w", err)
			}
			// The same binary writes the same pages: the date of the build would differ from one build to the next.
			at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			header := &doc.GenManHeader{Section: "1", Source: "culvert " + version, Manual: "Culvert", Date: &at}
			if err := doc.GenManTree(c.Root(), header, args[0]); err != nil {
				return fmt.Errorf("write the manual pages: %w", err)
			}
			pages, err := filepath.Glob(filepath.Join(args[0], "culvert*.1"))
			if err != nil {
				return fmt.Errorf("list the manual pages: %w", err)
			}
			fmt.Fprintf(a.stdout, "%s in %s\n", count(len(pages), "manual page", "manual pages"), args[0])
			return nil
		},
	}
}
