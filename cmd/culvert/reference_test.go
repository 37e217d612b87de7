package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/culvert/culvert/engine/project"
)

var update = flag.Bool("update", false, "write docs/commands.md")

// TestReferenceIsCurrent compares docs/commands.md with the commands as they are.
func TestReferenceIsCurrent(t *testing.T) {
	a := &app{loader: &project.Loader{Sources: project.SourceKinds()}}
	want := reference(a.root())
	file := filepath.Join("..", "..", "docs", "commands.md")
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/commands.md is not what the commands say: run `go test ./cmd/culvert -run Reference -update`")
	}
}

// TestManualPages writes the pages of all commands.
func TestManualPages(t *testing.T) {
	dir := t.TempDir()
	var out strings.Builder
	if code := run([]string{"man", dir}, strings.NewReader(""), &out, &out); code != exitFine {
		t.Fatalf("man ends with %d: %s", code, out.String())
	}
	for _, page := range []string{"culvert.1", "culvert-validate.1", "culvert-convert-motech.1", "culvert-user-add.1"} {
		text, err := os.ReadFile(filepath.Join(dir, page))
		if err != nil || !strings.Contains(string(text), ".SH SYNOPSIS") {
			t.Errorf("%s: %v", page, err)
		}
	}
}

// TestShellCompletion asks as a shell does.
func TestShellCompletion(t *testing.T) {
	dir := exampleProject(t, "anc")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"try", ""}, "anc-registration\n"},
		{[]string{"pause", "--rule", ""}, "anc-visit\n"},
		{[]string{"sync", "--server", ""}, "national\n"},
		{[]string{"explain", "E10"}, "E1018\n"},
		{[]string{"explain", "unknown-f"}, "unknown-field\n"},
		{[]string{"val"}, "validate"},
		{[]string{"failures", "--code", ""}, "unknown-org-unit\n"},
	} {
		var out, errors strings.Builder
		args := append([]string{"__complete"}, c.args[0])
		if len(c.args) > 1 {
			args = append(append(args, "-C", dir), c.args[1:]...)
		}
		if code := run(args, strings.NewReader(""), &out, &errors); code != exitFine ||
			!strings.Contains(out.String(), c.want) {
			t.Errorf("%q completes (%d) %q%s, without %q", c.args, code, out.String(), errors.String(), c.want)
		}
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
