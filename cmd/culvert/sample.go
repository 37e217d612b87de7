package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/engine/pseudonym"
	"github.com/culvert/culvert/engine/sample"
	"github.com/culvert/culvert/engine/service"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
	"github.com/culvert/culvert/sources"
)

// fewRecords is how many records are read for a sample: form versions and unanswered questions differ.
const fewRecords = 5

func (a *app) sampleCommand() *cobra.Command {
	var records int
	var to string
	var record int64
	var unchanged bool
	c := &cobra.Command{
		Use:   "sample RULE",
		Short: "Make a sample of real records of a rule's source, with people replaced",
		Long: `Ask the source of a rule for a few records, the newest where it can tell, and write them as a sample:
names, numbers, dates, ids, positions and free text are replaced, alike wherever they stand, so that the
sample can lie in git; choices and codes stay. Nothing is taken from the source or changed there, and
nothing is sent. It works for every trigger that asks for its records: commcare, kobo, odk, dhis2,
database, schedule, sftp, s3, and the newest file of a folder. Of a webhook, name a record that came with
--record. Read the sample before it goes into git.`,
		Example: "  culvert sample kobo-malaria\n  culvert sample anc-visits --record 4711",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			p, err := a.load(c.Context())
			if err != nil {
				return err
			}
			r, err := ruleNamed(p, args[0])
			if err != nil {
				return err
			}
			var bodies []any
			if record != 0 {
				bodies, err = a.recordOf(c.Context(), r.Name, record)
			} else {
				bodies, err = a.peek(c.Context(), p, sources.Bound{Rule: r.Name, Server: r.Server, Trigger: &r.Trigger,
					Text: r.Text()}, records)
			}
			if err != nil {
				return err
			}
			if !unchanged {
				bodies = pseudonyms(bodies, sample.Keeps(p, &r.Trigger, r, r.Server))
			}
			if to == "" && r.Trigger.Sample != "" && !a.there(r.Trigger.Sample) {
				to = r.Trigger.Sample
			}
			file, err := a.writeSample(&r.Trigger, r.Name, to, bodies)
			if err != nil {
				return err
			}
			fmt.Fprintf(a.stdout, "%s written: %s of the source; %s\n", file, count(int64(len(bodies)), "record", "records"),
				afterSampling(unchanged))
			if r.Trigger.Sample != file {
				fmt.Fprintf(a.stdout, "name it in the rule, below trigger: sample: %s\n", file)
			}
			return nil
		},
	}
	f := c.Flags()
	f.IntVar(&records, "records", fewRecords, "how many records, up to 100")
	f.StringVar(&to, "to", "", "the file to write, relative to the project; default: what the rule names, or samples/RULE.json")
	f.Int64Var(&record, "record", 0, "a record that was received, by its number, instead of asking the source")
	f.BoolVar(&unchanged, "unchanged", false, "replace nothing: for sources that hold invented people only")
	return c
}

func afterSampling(unchanged bool) string {
	if unchanged {
		return "nothing in it was replaced"
	}
	return "what may tell whom it is about was replaced; read it before it goes into git"
}

func ruleNamed(p *project.Project, name string) (*project.Rule, error) {
	for _, r := range p.Rules {
		if r.Rule != nil && (r.Name == name || r.Path == name) {
			return r, nil
		}
	}
	_, _, err := service.Flow(p, name) // says which are near
	return nil, err
}

// peek asks the source of a trigger, and prints what is wrong with the trigger.
func (a *app) peek(ctx context.Context, p *project.Project, b sources.Bound, limit int) ([]any, error) {
	if limit < 1 {
		return nil, errors.New("--records is from 1 to 100")
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	bodies, findings, err := service.Peek(ctx, p, b, limit, a.logger(), version)
	if err != nil {
		return nil, err
	}
	if findings.HasErrors() {
		texts := map[string][]byte{b.Trigger.Place.File: b.Text}
		if err := a.printFindings(a.stderr, findings, texts); err != nil {
			return nil, err
		}
		return nil, errors.New("the trigger has mistakes, see above")
	}
	if len(bodies) == 0 {
		return nil, errors.New("the source holds no record: enter one there and ask again, or write a sample by hand")
	}
	return bodies, nil
}

// recordOf gives a record that was received, and notes in the audit trail that it was looked at.
func (a *app) recordOf(ctx context.Context, rule string, number int64) (bodies []any, err error) {
	err = a.withJournal(ctx, func(j journal.Journal) error {
		list, err := j.Select(ctx, journal.Filter{Rule: rule, Seq: number, Limit: 1, WithBody: true})
		if err != nil {
			return fmt.Errorf("read the journal: %w", err)
		}
		if len(list) != 1 || len(list[0].Body) == 0 {
			return fmt.Errorf("rule %s has no record with the number %d, or its content is not kept any more", rule, number)
		}
		var body any
		if err := json.Unmarshal(list[0].Body, &body); err != nil {
			return fmt.Errorf("read the record: %w", err)
		}
		bodies = []any{body}
		return j.Note(ctx, journal.AuditEntry{At: time.Now(), Who: who(), Did: "sample", Count: 1,
			Subject: fmt.Sprintf("record %d of %s", number, rule)})
	})
	return bodies, err
}

func pseudonyms(bodies []any, keep func(string) bool) []any {
	r := pseudonym.New(keep)
	out := make([]any, len(bodies))
	for i, body := range bodies {
		out[i] = r.Record(body)
	}
	return out
}

func (a *app) there(file string) bool {
	_, err := os.Stat(filepath.Join(a.dir, filepath.FromSlash(file)))
	return err == nil
}

// writeSample writes records as a sample of a trigger. to is where; empty: below samples/, under a name that is free.
func (a *app) writeSample(t *rules.Trigger, name, to string, bodies []any) (string, error) {
	file, text, err := sample.Write(a.loader.Decode, t, name, bodies, a.there)
	if err != nil {
		return "", err
	}
	if to != "" {
		to = filepath.ToSlash(filepath.Clean(to))
		switch {
		case !filepath.IsLocal(filepath.FromSlash(to)):
			return "", fmt.Errorf("%s leads out of the project", to)
		case a.there(to):
			return "", fmt.Errorf("%s is there already; nothing was changed", to)
		case path.Ext(to) != path.Ext(file):
			return "", fmt.Errorf("the records are written as %s: name a file that ends so", path.Ext(file))
		}
		file = to
	}
	at := filepath.Join(a.dir, filepath.FromSlash(file))
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		return "", fmt.Errorf("make the folder of the samples: %w", err)
	}
	return file, writeFile(at, []byte(text))
}

// triggerOf reads a trigger as a rule file would name it: odk: {connection: central, …}.
func triggerOf(p *project.Project, text string) (*rules.Trigger, error) {
	const file = "--trigger"
	var findings diag.List
	doc := yamlnode.Parse(file, []byte(text), &findings)
	if findings.HasErrors() || doc == nil || len(doc.Root.Pairs()) != 1 {
		return nil, errors.New(`--trigger is one trigger as a rule names it, such as --trigger "odk: {connection: central, ` +
			`project: 3, form: anc}"`)
	}
	pair := doc.Root.Pairs()[0]
	k := sources.Named(p.Sources, pair.Key.Value)
	if k == nil {
		var names []string
		for _, k := range p.Sources {
			names = append(names, k.Name())
		}
		return nil, fmt.Errorf("there is no trigger %q: %s", pair.Key.Value, diag.Suggest(pair.Key.Value, names, "triggers"))
	}
	return &rules.Trigger{Kind: k.Name(), Config: pair.Value, Place: pair.Key.Place(), About: sources.TriggerKind(k)}, nil
}
