package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/engine/rehearsal"
	"github.com/culvert/culvert/engine/service"
	"github.com/culvert/culvert/rules/diag"
)

func (a *app) validateCommand() *cobra.Command {
	var format, output, failOn string
	var fixNames, env bool
	c := &cobra.Command{
		Use:   "validate [RULE FILE...]",
		Short: "Check every rule against the synced metadata, without network",
		Long: `Check culvert.yaml and every rule file: syntax, expressions, value maps, and every DHIS2 name
against the last sync. Findings print as file:line:col: error: what is wrong [code]. Exit code 1
when there are errors.`,
		Example: "  culvert validate\n  culvert validate --format sarif --output findings.sarif\n  culvert validate " +
			"rules/anc-registration.yaml",
		RunE: func(c *cobra.Command, args []string) error {
			if err := oneOf("--format", format, diag.Formats()...); err != nil {
				return err
			}
			if err := oneOf("--fail-on", failOn, "error", "warning"); err != nil {
				return err
			}
			if !c.Flags().Changed("format") && os.Getenv("GITHUB_ACTIONS") == "true" {
				format = "github"
			}
			p, err := a.load(c.Context())
			if err != nil {
				return err
			}
			if fixNames {
				n, err := project.FixNames(p)
				if err != nil {
					return err
				}
				fmt.Fprintln(a.stderr, a.language.Text(count(n, "name", "names")+" fixed"))
				if p, err = a.load(c.Context()); err != nil {
					return err
				}
			}
			if env {
				p.CheckEnvironment(a.loader.Sources)
				p.CheckOwnEnvironment()
			}
			a.trySamples(p)
			findings, err := only(p, args)
			if err != nil {
				return err
			}
			shown := findings
			if format == "text" || format == "github" {
				shown = project.Once(findings)
			}
			if err := a.report(p, shown, format, output); err != nil {
				return err
			}
			if findings.HasErrors() || failOn == "warning" && len(findings) > 0 {
				return errFindings
			}
			return nil
		},
	}
	c.Flags().BoolVar(&env, "env", false, "also say which variables and files of secrets this machine lacks")
	c.Flags().StringVar(&format, "format", "text", "text, json, github, sarif or junit")
	c.Flags().StringVarP(&output, "output", "o", "", "write to a file instead of stdout")
	c.Flags().StringVar(&failOn, "fail-on", "error", "error or warning: what makes the exit code 1")
	c.Flags().BoolVar(&fixNames, "fix-names", false,
		"write the new names of objects that were renamed in DHIS2 into the rule files")
	return c
}

// trySamples evaluates the sample of each rule that has no mistakes, and warns of those that fail.
func (a *app) trySamples(p *project.Project) {
	samples := rehearsal.FileSamples{Loader: a.loader, Dir: a.dir}
	flows := service.Flows(p)
	for _, r := range p.Rules {
		flow := flows[r.Name]
		if flow == nil || flow.Invalid != nil || r.Findings.HasErrors() || flow.Rule.Trigger.Sample == "" {
			continue
		}
		bodies, err := samples.Sample(&flow.Rule.Trigger, "")
		if err != nil {
			continue // a finding says so already
		}
		d := rehearsal.TrySample(flow, bodies)
		known := func(f diag.Diagnostic) bool { return f.Place == d.Place } // the sample's value, seen by its action
		if d != nil && !slices.ContainsFunc(r.Findings, known) {
			r.Findings.Add(*d)
			p.Findings.Add(*d)
		}
	}
	p.Findings.Sort()
}

// only keeps the findings of the files named, and those of the tables that their rules read; none
// named keeps all.
func only(p *project.Project, files []string) (diag.List, error) {
	if len(files) == 0 {
		return p.Findings, nil
	}
	keep := map[string]bool{}
	for _, f := range files {
		name, err := p.Relative(f)
		if err != nil {
			return nil, err
		}
		keep[name] = true
	}
	ofRule := map[string]bool{}
	for _, r := range p.Rules {
		for _, d := range r.Findings {
			if keep[r.Path] {
				ofRule[d.String()] = true
			}
		}
	}
	var out diag.List
	for _, d := range p.Findings {
		if keep[d.Place.File] || ofRule[d.String()] {
			out.Add(d)
		}
	}
	return out, nil
}

// report prints findings in one of the formats.
func (a *app) report(p *project.Project, findings diag.List, format, output string) (err error) {
	w := asIs(a.stdout) // the lines of files stand between what is said
	if output != "" {
		f, err := os.Create(output)
		if err != nil {
			return fmt.Errorf("write the findings: %w", err)
		}
		defer func() {
			if cerr := f.Close(); err == nil && cerr != nil {
				err = fmt.Errorf("write the findings: %w", cerr)
			}
		}()
		w = f
	}
	r := diag.Report{Findings: findings, Files: p.Files(), Source: sourceOf(p.Texts), Colour: output == "" && a.colour(w),
		Version: version, Say: a.sayer(format)}
	if format == "github" || format == "sarif" || format == "junit" {
		r = r.Under(a.inRepository())
	}
	if err := diag.Render(w, format, r); err != nil {
		return err
	}
	switch format {
	case "github":
		if err := a.printFindings(w, findings, p.Texts); err != nil {
			return err
		}
		return summarise(r)
	case "text":
		fmt.Fprintln(w, a.language.Text(verdict(p, findings)))
	}
	return nil
}

// summarise appends the list to GitHub's step summary, which is not cut at ten entries as annotations are.
func summarise(r diag.Report) (err error) {
	path := os.Getenv("GITHUB_STEP_SUMMARY")
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("write the step summary: %w", err)
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}()
	return diag.WriteSummary(f, r)
}

// verdict is the last line of a check.
func verdict(p *project.Project, findings diag.List) string {
	errors, warnings := findings.Count()
	rules := count(p.Checked, "rule", "rules")
	switch {
	case errors == 0 && warnings == 0:
		return rules + " checked: all fine"
	case errors == 0:
		return fmt.Sprintf("%s checked: fine, with %s", rules, count(warnings, "warning", "warnings"))
	case warnings == 0:
		return fmt.Sprintf("%s checked: %s", rules, count(errors, "error", "errors"))
	}
	return fmt.Sprintf("%s checked: %s and %s", rules, count(errors, "error", "errors"),
		count(warnings, "warning", "warnings"))
}

// oneOf checks a flag with a closed list of values.
func oneOf(flag, value string, allowed ...string) error {
	for _, v := range allowed {
		if v == value {
			return nil
		}
	}
	return fmt.Errorf("%s %q is not known: use one of %s", flag, value, strings.Join(allowed, ", "))
}

// count writes a number with its noun.
func count[N ~int | ~int64](n N, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
