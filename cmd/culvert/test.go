package main

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/engine/rehearsal"
	"github.com/culvert/culvert/engine/service"
)

func (a *app) testCommand() *cobra.Command {
	var format, output string
	var update bool
	c := &cobra.Command{
		Use:   "test [RULE...]",
		Short: "Run the tests that rule files and functions carry; nothing is sent",
		Long: `Evaluate the sample of every test and compare the writes with what the test expects, by the names
that the rule uses; and make the calls that the tests of functions name. now() and today() are what now: of a test says, else 2026-07-01. --update
writes what happened into the tests that do not pass, failures too: read the diff before you
commit it.`,
		Example: "  culvert test\n  culvert test anc-registration\n  culvert test --update",
		RunE: func(c *cobra.Command, args []string) error {
			if err := oneOf("--format", format, "text", "json", "junit"); err != nil {
				return err
			}
			clock := &rehearsal.TestClock{}
			a.loader.Now = clock.Now
			p, err := a.load(c.Context())
			if err != nil {
				return err
			}
			outcomes, err := a.runTests(p, args, clock)
			if err != nil {
				return err
			}
			if update {
				return a.updateTests(p, outcomes)
			}
			return a.reportTests(outcomes, format, output)
		},
	}
	c.Flags().StringVar(&format, "format", "text", "text, json or junit")
	c.Flags().StringVarP(&output, "output", "o", "", "write to a file instead of stdout")
	c.Flags().BoolVar(&update, "update", false, "write what the tests get into the rule files")
	return c
}

// tested is the outcomes of one rule's tests, or of those of the functions.
type tested struct {
	rule     *project.Rule // nil: of the functions
	outcomes []rehearsal.Outcome
}

func (a *app) runTests(p *project.Project, only []string, clock *rehearsal.TestClock) ([]tested, error) {
	samples := rehearsal.FileSamples{Loader: a.loader, Dir: a.dir}
	names := only
	var out []tested
	if len(names) == 0 {
		out = append(out, tested{nil, rehearsal.FunctionTests(p.Library)})
		for _, r := range p.Rules {
			names = append(names, r.Path)
		}
	}
	for _, name := range names {
		flow, rule, err := service.Flow(p, name)
		switch {
		case err == nil:
			out = append(out, tested{rule, rehearsal.Tests(flow, samples, clock)})
		case rule == nil:
			return nil, err
		default: // its tests fail, and those of other rules still run
			out = append(out, tested{rule, rehearsal.Broken(rule)})
		}
	}
	return out, nil
}

// updateTests writes what happened, and says of every test that did not pass what it did about it.
func (a *app) updateTests(p *project.Project, results []tested) error {
	total, left := 0, 0
	for _, t := range results {
		if t.rule == nil {
			continue // tests of functions are written by hand
		}
		text, done, err := rehearsal.Update(t.rule.Path, p.Texts[t.rule.Path], t.outcomes)
		if err != nil {
			return err
		}
		n := 0
		for _, u := range done {
			fmt.Fprintf(a.stdout, "%s: test %q %s\n", t.rule.Path, u.Test, u.Words)
			if u.Written {
				n++
			}
		}
		left += len(done) - n
		if n == 0 {
			continue
		}
		if err := os.WriteFile(filepath.Join(p.Dir, filepath.FromSlash(t.rule.Path)), text, 0o644); err != nil {
			return fmt.Errorf("write %s: %w", t.rule.Path, err)
		}
		total += n
	}
	fmt.Fprintf(a.stdout, "%s written", count(total, "test", "tests"))
	if left > 0 {
		fmt.Fprintf(a.stdout, ", %d left as they are\n", left)
		return errFindings
	}
	fmt.Fprintln(a.stdout)
	return nil
}

func (a *app) reportTests(results []tested, format, output string) (err error) {
	w := asIs(a.stdout)
	if output != "" {
		f, err := os.Create(output)
		if err != nil {
			return fmt.Errorf("write the results: %w", err)
		}
		defer func() {
			if cerr := f.Close(); err == nil && cerr != nil {
				err = fmt.Errorf("write the results: %w", cerr)
			}
		}()
		w = f
	}
	say := a.sayer(format)
	if say == nil {
		say = func(text string) string { return text }
	}
	all := []rehearsal.Outcome{}
	for _, t := range results {
		all = append(all, t.outcomes...)
	}
	for i := range all {
		all[i].Problems = translated(all[i].Problems, say)
	}
	failed := len(slices.DeleteFunc(slices.Clone(all), rehearsal.Outcome.Passed))
	switch format {
	case "json":
		aa := *a
		aa.stdout = w
		err = aa.json(testResults(all))
	case "junit":
		folder := a.inRepository()
		for i := range all {
			all[i].Place.File = path.Join(folder, all[i].Place.File)
		}
		err = writeJUnit(w, all)
	default:
		for _, o := range all {
			if o.Passed() {
				continue
			}
			fmt.Fprintln(w, say(fmt.Sprintf("%s: test %q of %s failed", o.Place.String(), o.Test, o.Rule)))
			for _, line := range o.Problems {
				fmt.Fprintf(w, "    %s\n", line)
			}
		}
		fmt.Fprintln(w, say(fmt.Sprintf("%d passed, %d failed", len(all)-failed, failed)))
	}
	if err == nil && failed > 0 {
		return errFindings
	}
	return err
}

// translated gives texts in the language of the reader; the given ones stay.
func translated(texts []string, say func(string) string) []string {
	out := make([]string, len(texts))
	for i, text := range texts {
		out[i] = say(text)
	}
	return out
}

type testResult struct {
	Rule     string   `json:"rule"`
	Test     string   `json:"test"`
	Place    string   `json:"place"`
	Passed   bool     `json:"passed"`
	Problems []string `json:"problems,omitempty"`
}

func testResults(all []rehearsal.Outcome) []testResult {
	out := make([]testResult, 0, len(all))
	for _, o := range all {
		out = append(out, testResult{o.Rule, o.Test, o.Place.String(), o.Passed(), o.Problems})
	}
	return out
}
