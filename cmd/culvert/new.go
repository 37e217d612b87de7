package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/engine/scaffold"
	"github.com/culvert/culvert/rules"
)

func (a *app) newCommand() *cobra.Command {
	var program, stage, dataSet, sample, server, path, folder string
	c := &cobra.Command{
		Use:   "new NAME --program PROGRAM | --data-set DATA SET",
		Short: "Begin a rule file from a program or data set and a sample",
		Long: `Write rules/NAME.yaml with every attribute and data element of a program or data set. Fields of the sample that are called alike are joined; the rest
stands there as comments, with type and options, to be filled in. Then: culvert validate.`,
		Example: "  culvert new anc-registration --program \"Antenatal care\" --sample samples/form.json --path /commcare/forms\n  culvert new malaria --data-set \"Malaria monthly report\" --sample samples/malaria.csv --folder drop/malaria",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if !ruleName.MatchString(args[0]) {
				return fmt.Errorf("%q cannot be a rule's name: small letters, digits and dashes, a letter first", args[0])
			}
			if (program == "") == (dataSet == "") {
				return errors.New("name a program with --program, or a data set with --data-set")
			}
			r := scaffold.Request{Name: args[0], Sample: sample, Trigger: "webhook", Address: path}
			if folder != "" || strings.HasSuffix(sample, ".csv") || strings.HasSuffix(sample, ".xlsx") {
				r.Trigger, r.Address = "files", folder
			}
			if r.Address == "" {
				r.Address = map[string]string{"webhook": "/" + args[0], "files": "drop/" + args[0]}[r.Trigger]
			}
			p, err := a.load(c.Context())
			if err != nil {
				return err
			}
			if err := aim(p, &r, server, program, stage, dataSet); err != nil {
				return err
			}
			if sample != "" {
				bodies, err := a.loader.Sample(p.Dir, &rules.Trigger{Kind: r.Trigger}, sample)
				if err != nil {
					return err
				}
				if len(bodies) > 0 {
					r.Body = bodies[0]
				}
			}
			file := filepath.Join(p.Dir, project.RulesDir, args[0]+".yaml")
			if _, err := os.Stat(file); err == nil {
				return fmt.Errorf("%s is there already; nothing was changed", file)
			}
			if err := writeFile(file, []byte(scaffold.Rule(r))); err != nil {
				return err
			}
			fmt.Fprintf(a.stdout, "%s written; fill in what is missing, then `culvert validate`\n", file)
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&program, "program", "", "name, code or uid of a program")
	f.StringVar(&stage, "stage", "", "name, code or uid of one of its stages; default: the first")
	f.StringVar(&dataSet, "data-set", "", "name, code or uid of a data set")
	f.StringVar(&sample, "sample", "", "a sample file, relative to the project: JSON for webhooks, CSV or xlsx for files")
	f.StringVar(&path, "path", "", "the webhook's path")
	f.StringVar(&folder, "folder", "", "the folder where files are dropped")
	f.StringVar(&server, "server", "", "a server of culvert.yaml; default: the default one")
	return c
}

var ruleName = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

// aim resolves what the rule is to write to.
func aim(p *project.Project, r *scaffold.Request, server, program, stage, dataSet string) error {
	s := p.Config.ServerNamed(server)
	if s == nil || p.Indexes[s.Name] == nil {
		return errors.New("there is no metadata yet: run `culvert sync`; or name a server of culvert.yaml with --server")
	}
	r.Index = p.Indexes[s.Name]
	var ambiguous, near []string
	switch {
	case dataSet != "":
		r.DataSet, ambiguous, near = r.Index.DataSet(dataSet)
		return found("data set", dataSet, r.DataSet, ambiguous, near)
	default:
		r.Program, ambiguous, near = r.Index.Program(program)
		if err := found("program", program, r.Program, ambiguous, near); err != nil || stage == "" {
			return err
		}
		r.Stage, ambiguous, near = r.Index.Stage(r.Program, stage)
		return found("stage", stage, r.Stage, ambiguous, near)
	}
}

func found[T metadata.DataSet | metadata.Program | metadata.ProgramStage](what, name string, x *T, ambiguous, near []string) error {
	switch {
	case x != nil:
		return nil
	case len(ambiguous) > 0:
		return fmt.Errorf("several of kind %s are called %q: %s", what, name, strings.Join(ambiguous, "; "))
	case len(near) > 0:
		return fmt.Errorf("there is no %s %q; nearest: %s", what, name, strings.Join(near, ", "))
	}
	return fmt.Errorf("there is no %s %q", what, name)
}
