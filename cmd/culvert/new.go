package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/engine/rehearsal"
	"github.com/culvert/culvert/engine/scaffold"
	"github.com/culvert/culvert/engine/service"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
)

func (a *app) newCommand() *cobra.Command {
	var program, stage, dataSet, given, server, address, folder, connection, trigger string
	var definition formFlags
	c := &cobra.Command{
		Use:   "new NAME --program PROGRAM | --data-set DATA SET",
		Short: "Begin a rule file from a program or data set and a sample",
		Long: `Write rules/NAME.yaml with every attribute and data element of a program or data set. A field of
the sample is joined where its name, the type and the choices of what it holds say that it is
meant, and a comment says why; the rest stands there as comments, the mandatory first, to be
filled in. Then the rule is checked, and a test is written of what it makes of the sample.

With --form, the definition of the form says what questions ask, in each of its languages, what they
may be answered with, and which groups repeat: an XLSForm (.xlsx), an XForm (.xml), an asset of
KoboToolbox or the structure of a CommCare app (JSON). Without a sample one is made from it.

Where --trigger is a whole trigger, as a rule names it, a few records are read from the source, and become
the sample, with what may tell whom they are about replaced. So a rule begins from a form or an entity list
of ODK Central, a project of KoboToolbox, forms or cases of CommCare, a program or data set of another
server of DHIS2, a query, a web API, or files of a partner.`,
		Example: "  culvert new anc-registration --program \"Antenatal care\" --sample samples/form.json --path " +
			"/commcare/forms\n  culvert new malaria --data-set \"Malaria monthly report\" --sample samples/malaria.csv " +
			"--folder drop/malaria\n  culvert new cases --program Malaria --sample samples/cases.csv --connection partner " +
			"--folder outgoing\n  culvert new cases --program Malaria --sample samples/kobo.json --trigger kobo" +
			"\n  culvert new people --program \"Antenatal care\" --trigger \"odk: {connection: central, project: 3, " +
			"entity_list: people}\"\n  culvert new exchange --data-set \"Malaria monthly report\" --trigger " +
			"\"dhis2: {server: regional, read: data_values, data_set: Malaria, org_unit: Coral}\"",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if !ruleName.MatchString(args[0]) {
				return fmt.Errorf("%q cannot be a rule's name: small letters, digits and dashes, a letter first", args[0])
			}
			if (program == "") == (dataSet == "") {
				return errors.New("name a program with --program, or a data set with --data-set")
			}
			r := scaffold.Request{Name: args[0], Sample: given, Trigger: "webhook", Address: address}
			if connection != "" || folder != "" || strings.HasSuffix(given, ".csv") || strings.HasSuffix(given, ".xlsx") {
				r.Trigger, r.Address = "files", folder
			}
			if r.Address == "" {
				r.Address = map[string]string{"webhook": "/" + args[0], "files": "drop/" + args[0]}[r.Trigger]
			}
			if err := a.rulesFolder(); err != nil {
				return err
			}
			p, err := a.load(c.Context())
			if err != nil {
				return err
			}
			whole := strings.Contains(trigger, ":")
			if whole && (given != "" || address != "" || connection != "" || folder != "") {
				return errors.New("a whole --trigger says where records come from: leave out --sample, --path, --connection and " +
					"--folder")
			}
			if !whole {
				if err := placeOf(p, &r, trigger, connection, folder, address); err != nil {
					return err
				}
			}
			if err := aim(p, &r, server, program, stage, dataSet); err != nil {
				return err
			}
			file := filepath.Join(p.Dir, project.RulesDir, args[0]+".yaml")
			if _, err := os.Stat(file); err == nil {
				return fmt.Errorf("%s is there already; nothing was changed", file)
			}
			if whole {
				if err := a.pulled(c.Context(), p, &r, trigger); err != nil {
					return err
				}
			}
			if err := a.readForm(p.Dir, definition, &r); err != nil {
				return err
			}
			given = r.Sample
			if given != "" && r.Config == "" {
				if r.Bodies, r.Header, err = a.loader.DraftSample(p.Dir, r.Trigger, given); err != nil {
					return err
				}
			}
			draft, err := scaffold.Rule(r)
			if err != nil {
				return err
			}
			draft.Text = a.language.Comments(draft.Text)
			if err := a.writeColumns(args[0], draft); err != nil {
				return err
			}
			if err := writeFile(file, []byte(draft.Text)); err != nil {
				return err
			}
			return a.reportNew(c.Context(), file, path.Join(project.RulesDir, args[0]+".yaml"), draft, given)
		},
	}
	f := c.Flags()
	f.StringVar(&program, "program", "", "name, code or uid of a program")
	f.StringVar(&stage, "stage", "", "name, code or uid of one of its stages; default: the first")
	f.StringVar(&dataSet, "data-set", "", "name, code or uid of a data set")
	f.StringVar(&given, "sample", "", "a sample file, relative to the project: JSON for webhooks, CSV or xlsx for files")
	f.StringVar(&address, "path", "", "the webhook's path")
	f.StringVar(&folder, "folder", "", "the folder where files are dropped, or lie over there")
	f.StringVar(&connection, "connection", "", "a connection of culvert.yaml from which records are taken")
	f.StringVar(&trigger, "trigger", "", "how records come: "+strings.Join(wayNames(), ", ")+
		"; default: what the sample, --folder and --connection say; or a whole one, to read a sample from: \"kobo: "+
		"{connection: kobo, asset: aQ2w…}\"")
	definition.add(f)
	f.StringVar(&server, "server", "", "a server of culvert.yaml; default: the default one")
	return c
}

// placeOf resolves how records come when they come in another way than by a webhook or a watched folder.
func placeOf(p *project.Project, r *scaffold.Request, trigger, connection, folder, address string) error {
	ways := scaffold.Ways(project.SourceKinds())
	if connection != "" {
		c, err := connectionNamed(p, connection)
		if err != nil {
			return err
		}
		if trigger == "" {
			trigger = c.Kind
		}
		i := slices.IndexFunc(ways, func(w scaffold.Way) bool { return w.Connection == c.Kind && w.Name == trigger })
		if i < 0 {
			return fmt.Errorf("connection %q is of kind %s, from which no records are taken as %s", connection, c.Kind, trigger)
		}
	}
	if trigger == "" || trigger == "webhook" || trigger == "files" {
		if trigger != "" && trigger != r.Trigger {
			r.Trigger, r.Address = trigger, map[string]string{"webhook": "/" + r.Name, "files": "drop/" + r.Name}[trigger]
		}
		return nil
	}
	way, err := scaffold.WayNamed(ways, trigger)
	if err != nil {
		return err
	}
	r.Trigger, r.Way, r.Connection, r.Address = way.Kind, way, connection, folder
	if folder == "" {
		r.Address = address
	}
	return nil
}

func wayNames() (names []string) {
	for _, w := range scaffold.Ways(project.SourceKinds()) {
		names = append(names, w.Name)
	}
	return names
}

func connectionNamed(p *project.Project, name string) (*project.Connection, error) {
	if c := p.Config.ConnectionNamed(name); c != nil {
		return c, nil
	}
	var names []string
	for _, o := range p.Config.Connections {
		names = append(names, o.Name)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("connection %q is not in %s, which names none", name, project.ConfigFile)
	}
	return nil, fmt.Errorf("connection %q is not in %s: %s", name, project.ConfigFile,
		diag.Suggest(name, names, "connections"))
}

// rulesFolder makes the folder of the rules in a project that has none yet.
func (a *app) rulesFolder() error {
	if _, err := os.Stat(filepath.Join(a.dir, project.ConfigFile)); err != nil {
		return nil // loading says what is wrong
	}
	if err := os.MkdirAll(filepath.Join(a.dir, project.RulesDir), 0o755); err != nil {
		return fmt.Errorf("make the folder of the rules: %w", err)
	}
	return nil
}

var ruleName = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

// aim resolves what the rule is to write to.
func aim(p *project.Project, r *scaffold.Request, server, program, stage, dataSet string) error {
	s := p.Config.ServerNamed(server)
	if s == nil || p.Indexes[s.Name] == nil {
		return errors.New("there is no metadata yet: run `culvert sync`; or name a server of culvert.yaml with --server")
	}
	r.Index = p.Indexes[s.Name]
	if home := p.Config.ServerNamed(""); home == nil || home.Name != s.Name {
		r.Server = s.Name
	}
	var ambiguous, near []string
	switch {
	case dataSet != "":
		r.DataSet, ambiguous, near = r.Index.DataSet(dataSet)
		return found("data set", dataSet, r.DataSet, ambiguous, orSearch(r.Index, metadata.DataSets, dataSet, near))
	default:
		r.Program, ambiguous, near = r.Index.Program(program)
		if err := found("program", program, r.Program, ambiguous,
			orSearch(r.Index, metadata.Programs, program, near)); err != nil || stage == "" {
			return err
		}
		r.Stage, ambiguous, near = r.Index.Stage(r.Program, stage)
		for i := range r.Program.Stages {
			if len(near) < 8 && !slices.Contains(near, r.Program.Stages[i].Name) {
				near = append(near, r.Program.Stages[i].Name)
			}
		}
		return found("stage", stage, r.Stage, ambiguous, near)
	}
}

// orSearch gives the names of a collection that are near; where none is as a whole, those with a word that is.
func orSearch(x *metadata.Index, collection, name string, near []string) []string {
	if len(near) > 0 {
		return near
	}
	for _, hit := range x.Search(name) {
		if hit.Collection == collection && len(near) < 5 {
			near = append(near, hit.Name)
		}
	}
	return near
}

func found[T metadata.DataSet | metadata.Program | metadata.ProgramStage](what, name string, x *T, ambiguous,
	near []string) error {
	switch {
	case x != nil:
		return nil
	case len(ambiguous) > 0:
		return fmt.Errorf("several of kind %s are called %q: %s", what, name, strings.Join(ambiguous, "; "))
	case len(near) > 0:
		return fmt.Errorf("there is no %s %q; did you mean %s?", what, name, diag.Names(near, "or"))
	}
	return fmt.Errorf("there is no %s %q; `culvert metadata search WORD` finds names, `culvert sync` reads new ones",
		what, name)
}

// writeColumns writes the file of columns of a wide data set. One that is there is somebody's work.
func (a *app) writeColumns(rule string, draft scaffold.Draft) error {
	if draft.Columns == nil {
		return nil
	}
	name := scaffold.ColumnsFile(rule)
	file := filepath.Join(a.dir, filepath.FromSlash(name))
	if _, err := os.Stat(file); err == nil {
		return fmt.Errorf("%s is there already: move it away, or choose another name for the rule", name)
	}
	if err := writeFile(file, draft.Columns); err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "%s written: which column is for which data element\n", name)
	return nil
}

// reportNew says what was written and what is missing, checks the rule, and gives it a test of its
// sample once it has no mistakes.
func (a *app) reportNew(ctx context.Context, file, rulePath string, draft scaffold.Draft, sample string) error {
	fmt.Fprintf(a.stdout, "%s written: %d of %d fields joined; questions left to you: %d\n", file, draft.Joined,
		draft.Of, draft.Question)
	if len(draft.Missing) > 0 {
		fmt.Fprintln(a.stdout, "missing, see the comments:")
		for _, what := range draft.Missing {
			fmt.Fprintf(a.stdout, "  %s\n", what)
		}
	}
	if n := len(draft.Unused); n > 0 {
		fmt.Fprintf(
			a.stdout,
			"not used of the sample, as the comment above actions: lists: %s\n",
			count(int64(n), "field", "fields"),
		)
	}
	clock := &rehearsal.TestClock{}
	a.loader.Now = clock.Now
	p, err := a.load(ctx)
	if err != nil {
		return err
	}
	findings, err := only(p, []string{filepath.Join(p.Dir, filepath.FromSlash(rulePath))})
	if err != nil {
		return err
	}
	if len(findings) > 0 {
		fmt.Fprintln(a.stdout)
		if err := a.printFindings(a.stdout, findings, p.Texts); err != nil {
			return err
		}
	}
	if findings.HasErrors() || sample == "" {
		fmt.Fprintln(a.stdout, "next: fill in what is missing, then `culvert validate` and `culvert test --update`")
		return nil
	}
	return a.firstTest(ctx, file, rulePath, draft, sample, clock)
}

// firstTest adds a test of the sample's first record, which expects what the rule makes of it now.
func (a *app) firstTest(ctx context.Context, file, rulePath string, draft scaffold.Draft, sample string,
	clock *rehearsal.TestClock) error {
	text := []byte(draft.Text + scaffold.Test(sample))
	if err := writeFile(file, text); err != nil {
		return err
	}
	p, err := a.load(ctx)
	if err != nil {
		return err
	}
	flow, _, err := service.Flow(p, rulePath)
	if err != nil {
		return err
	}
	outcomes := rehearsal.Tests(flow, rehearsal.FileSamples{Loader: a.loader, Dir: p.Dir}, clock)
	if len(outcomes) != 1 || outcomes[0].Failure != nil || !outcomes[0].Evaluated || outcomes[0].Skipped {
		if err := writeFile(file, []byte(draft.Text)); err != nil {
			return err
		}
		fmt.Fprintln(a.stdout, "the sample's first record cannot be used yet, so that no test was written:")
		for _, o := range outcomes {
			for _, problem := range o.Problems {
				fmt.Fprintf(a.stdout, "  %s\n", problem)
			}
		}
		return nil
	}
	text, _, err = rehearsal.Update(rulePath, text, outcomes)
	if err != nil {
		return err
	}
	if text, err = yamlnode.Format(rulePath, text); err != nil {
		return err
	}
	if err := writeFile(file, text); err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "it is valid, and its test expects what it makes of the first record: read it, then `culvert "+
		"try %s`\n", strings.TrimSuffix(path.Base(rulePath), ".yaml"))
	return nil
}
