package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"
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

// reference writes docs/commands.md: every command with its flags, from the text of --help.
func reference(root *cobra.Command) string {
	var b strings.Builder
	b.WriteString("# Commands\n\n<!-- Made from the commands by `go test ./cmd/culvert -run Reference -update`. Do not " +
		"edit by hand. -->\n\n" +
		"Every command takes these flags:\n\n")
	flags(&b, root.PersistentFlags())
	b.WriteString("\nThey end with 0 when all is fine, 1 when there are findings (invalid rules, failed tests, " +
		"differences, failures), and 2 when something could not be done.\n" +
		"Results go to stdout, progress and logs to stderr. `culvert man FOLDER` writes the same as manual pages.\n\n" +
		"`culvert completion bash|zsh|fish|powershell` prints a script that completes commands, flags, the names of rules " +
		"and servers, codes and files.\n\n" +
		"| command | what it does |\n| --- | --- |\n")
	var all []*cobra.Command
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() && sub.Name() != "completion" && sub.Name() != "help" {
				all = append(all, sub)
				visit(sub)
			}
		}
	}
	visit(root)
	slices.SortStableFunc(all, func(x, y *cobra.Command) int { return strings.Compare(x.CommandPath(), y.CommandPath()) })
	for _, c := range all {
		fmt.Fprintf(&b, "| [%s](#%s) | %s |\n", c.CommandPath(), strings.ReplaceAll(c.CommandPath(), " ", "-"), c.Short)
	}
	for _, c := range all {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", c.CommandPath(), about(c))
		if c.Runnable() && !c.HasAvailableSubCommands() {
			fmt.Fprintf(&b, "\n```\n%s\n```\n", strings.TrimSuffix(c.UseLine(), " [flags]"))
		}
		if c.Example != "" {
			fmt.Fprintf(&b, "\n```\n%s\n```\n", strings.ReplaceAll(strings.TrimPrefix(c.Example, "  "), "\n  ", "\n"))
		}
		if c.NonInheritedFlags().HasAvailableFlags() {
			b.WriteString("\n")
			flags(&b, c.NonInheritedFlags())
		}
	}
	return b.String()
}

func about(c *cobra.Command) string {
	if c.Long != "" {
		return c.Long
	}
	return c.Short + "."
}

// flags writes a table of flags.
func flags(b *strings.Builder, set *pflag.FlagSet) {
	b.WriteString("| flag | what it does | default |\n| --- | --- | --- |\n")
	set.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		name := "`--" + f.Name + "`"
		if f.Shorthand != "" {
			name = "`-" + f.Shorthand + "`, " + name
		}
		value := f.DefValue
		if value != "" && value != "false" && value != "0" && value != "[]" && value != "0s" {
			value = "`" + value + "`"
		} else {
			value = ""
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", name, strings.ReplaceAll(f.Usage, "|", `\|`), value)
	})
}
