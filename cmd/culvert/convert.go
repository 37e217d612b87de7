package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/culvert/culvert/engine/convert"
)

func (a *app) convertCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "convert",
		Short: "Turn the configuration of MOTECH or of CommCare HQ's DHIS2 integration into rules",
		Long: `Read what another tool exported and write rules, lookups and tables into the project, with a
report, line by line, of what was translated, what is different now and what is left to a person.
Nothing that is there is overwritten. docs/migrating.md has the table of what becomes of what, and
a guide for OpenFn jobs.`,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(
		a.conversion("motech FILE...", "Convert the JSON exports of MOTECH tasks",
			`Convert exports of MOTECH tasks (Tasks > Export): triggers, filters, data sources, all manipulations, the `+
				`actions of the DHIS2 module and the settings of retries.`,
			"  culvert convert motech exports/*.json", convert.Motech),
		a.conversion("commcare-dhis2 FILE...", "Convert CommCare HQ's DHIS2 repeater and data set configurations",
			`Convert the JSON configurations of CommCare HQ's DHIS2 integration: anonymous events, tracked entities, and `+
				`data sets from reports.`,
			"  culvert convert commcare-dhis2 repeaters.json datasets.json", convert.CommCare),
	)
	return c
}

// maxExport bounds the size of one export.
const maxExport = 64 << 20

func (a *app) conversion(use, short, long, example string,
	do func(map[string][]byte, convert.Options) (convert.Result, error)) *cobra.Command {
	var format, server string
	var dry bool
	c := &cobra.Command{
		Use: use, Short: short, Long: long + " Ends with 1 when something is left to a person.", Example: example,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := oneOf("--format", format, "text", "json"); err != nil {
				return err
			}
			exports := map[string][]byte{}
			for _, file := range args {
				info, err := os.Stat(file)
				if err != nil {
					return fmt.Errorf("read the export: %w", err)
				}
				if info.Size() > maxExport {
					return fmt.Errorf("%s is larger than %d MiB", file, maxExport>>20)
				}
				if exports[file], err = os.ReadFile(file); err != nil {
					return fmt.Errorf("read the export: %w", err)
				}
			}
			o := convert.Options{Taken: func(path string) bool {
				_, err := os.Stat(filepath.Join(a.dir, filepath.FromSlash(path)))
				return err == nil
			}}
			if p, err := a.load(c.Context()); err == nil && p.Config != nil {
				s := p.Config.ServerNamed(server)
				if s == nil && server != "" {
					return fmt.Errorf("server %q is not in culvert.yaml%s", server, didYouMean(server, p.Config.ServerNames()))
				}
				if s != nil {
					o.Index = p.Indexes[s.Name]
				}
			} else if err != nil && !dry {
				return err
			}
			r, err := do(exports, o)
			if err != nil {
				return err
			}
			return a.converted(r, format, dry)
		},
	}
	c.Flags().StringVar(&format, "format", "text", "text or json: the report")
	c.Flags().StringVar(&server, "server", "",
		"the server of culvert.yaml whose names are written; the default one when left out")
	c.Flags().BoolVar(&dry, "dry-run", false, "write the report only")
	return c
}

// converted writes the files and the report.
func (a *app) converted(r convert.Result, format string, dry bool) error {
	if !dry {
		for _, f := range r.Files {
			if err := writeConverted(filepath.Join(a.dir, filepath.FromSlash(f.Path)),
				[]byte(a.language.Comments(string(f.Text)))); err != nil {
				return err
			}
		}
	}
	if format == "json" {
		files := make([]string, 0, len(r.Files))
		for _, f := range r.Files {
			files = append(files, f.Path)
		}
		lines := r.Lines
		if lines == nil {
			lines = []convert.Line{}
		}
		e := json.NewEncoder(a.stdout)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		if err := e.Encode(map[string]any{"format_version": "1.0", "files": files, "lines": lines}); err != nil {
			return err
		}
	} else {
		a.printConverted(r, dry)
	}
	if r.Left() > 0 {
		return errFindings
	}
	return nil
}

func writeConverted(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("make the folder of %s: %w", path, err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already: move it away first", path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}

func (a *app) printConverted(r convert.Result, dry bool) {
	from := ""
	for _, l := range r.Lines {
		if l.From != from {
			from = l.From
			fmt.Fprintf(a.stdout, "%s\n", from)
		}
		fmt.Fprintf(a.stdout, "  %-10s  %s", l.Status, l.Part)
		if l.Was != "" {
			fmt.Fprintf(a.stdout, ": %s", l.Was)
		}
		if l.Now != "" {
			fmt.Fprintf(a.stdout, "  ->  %s", l.Now)
		}
		fmt.Fprintln(a.stdout)
		if l.Why != "" {
			fmt.Fprintf(a.stdout, "              %s\n", l.Why)
		}
	}
	verb := "wrote"
	if dry {
		verb = "would write"
	}
	for _, f := range r.Files {
		fmt.Fprintf(a.stdout, "%s %s\n", verb, f.Path)
	}
	switch left := r.Left(); left {
	case 0:
		fmt.Fprintln(a.stdout, "nothing is left out; run `culvert validate`, then `culvert try` with a real record")
	default:
		fmt.Fprintf(a.stdout, "%s left out: see to the lines above and the TODO comments, then run `culvert validate`\n",
			count(left, "part is", "parts are"))
	}
}
