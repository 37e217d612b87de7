package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/open"
	"github.com/culvert/culvert/engine/service"
	"github.com/culvert/culvert/rules/diag"
)

// withJournal opens the project's journal for one command, beside a runner that may be at work.
func (a *app) withJournal(ctx context.Context, do func(journal.Journal) error) error {
	config, err := a.loadConfig()
	if err != nil {
		return err
	}
	j, err := service.OpenJournal(ctx, config, a.dir, a.logger())
	if err != nil {
		return err
	}
	return errors.Join(do(j), j.Close())
}

// readJournal opens the journal as withJournal does, for a command that changes nothing in it: where
// there is none yet it makes none, for a look must not leave something that `culvert restore` then
// refuses to overwrite. do reads an empty journal instead, which goes again.
func (a *app) readJournal(ctx context.Context, do func(journal.Journal) error) (err error) {
	config, err := a.loadConfig()
	if err != nil {
		return err
	}
	missing, err := service.JournalMissing(config, a.dir)
	if err != nil {
		return err
	}
	if missing == "" {
		return a.withJournal(ctx, do)
	}
	fmt.Fprintln(a.stderr, a.language.Sprintf("there is no journal at %s yet: nothing has been received", missing))
	temp, err := os.MkdirTemp("", "culvert-")
	if err != nil {
		return fmt.Errorf("read a journal that is not there yet: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	j, err := open.Journal(ctx, "sqlite:"+filepath.Join(temp, "empty.db"), journal.Options{Logger: a.logger()})
	if err != nil {
		return err
	}
	return errors.Join(do(j), j.Close())
}

// who names the person at the keyboard in the audit trail.
func who() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "unknown"
}

// selection are the flags that choose records.
type selection struct {
	rule, key, id, code, cause, class, file string
	since, until                            string
	number                                  int64
	all                                     bool
}

func (s *selection) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&s.rule, "rule", "", "only of this rule")
	f.StringVar(&s.key, "key", "", "only of this key: the case or patient id")
	f.StringVar(&s.id, "id", "", "only the record with this id")
	f.Int64Var(&s.number, "number", 0, "only the record with this number, as lists show it")
	f.StringVar(&s.code, "code", "", "only with this code, such as E1018 or unknown-option")
	f.StringVar(&s.cause, "cause", "", "only with this cause, in the words of culvert failures")
	f.StringVar(&s.class, "class", "", "only of this class: data, metadata, rights, closed, conflict, gone, parent")
	f.StringVar(&s.file, "file", "", "only rows of the file with this id")
	f.StringVar(&s.since, "since", "", "only received since: a date, a time, or a length such as 6h or 2d")
	f.StringVar(&s.until, "until", "", "only received before: likewise")
}

// filter makes the journal's filter of the flags.
func (s *selection) filter(now time.Time) (journal.Filter, error) {
	f := journal.Filter{Rule: s.rule, Key: s.key, ID: s.id, Code: s.code, Cause: s.cause, Class: actions.Class(s.class),
		FileID: s.file, Seq: s.number}
	var err error
	if f.Since, err = moment("--since", s.since, now); err != nil {
		return f, err
	}
	f.Until, err = moment("--until", s.until, now)
	return f, err
}

// chosen tells whether any flag restricts the records.
func (s *selection) chosen() bool {
	return s.rule+s.key+s.id+s.code+s.cause+s.class+s.file+s.since+s.until != "" || s.number != 0
}

// knownRule refuses the name of a rule that neither the project nor any record has: to a misspelt
// name the answer "nothing has failed" would be a lie.
func (a *app) knownRule(ctx context.Context, j journal.Journal, name string) error {
	if name == "" {
		return nil
	}
	records, err := j.Select(ctx, journal.Filter{Rule: name, Limit: 1})
	if err != nil || len(records) > 0 {
		return err
	}
	p, err := a.load(ctx)
	if err != nil || p.RuleNamed(name) != nil {
		return err
	}
	var names []string
	for _, r := range p.Rules {
		names = append(names, r.Name)
	}
	if near := diag.Nearest(name, names); len(near) > 0 {
		return fmt.Errorf("there is no rule %q in this project, and no record of it; did you mean %s?", name,
			diag.Names(near, "or"))
	}
	return fmt.Errorf("there is no rule %q in this project, and no record of it; `culvert status` lists the rules", name)
}

// table prints rows in columns.
func table(w io.Writer, rows [][]string) {
	if l := languageOf(w); l != nil {
		for n, r := range rows {
			for i := range r {
				if n == 0 || i > 0 { // what begins a row is a name
					r[i] = l.Text(r[i])
				}
			}
		}
	}
	widths := map[int]int{}
	for _, r := range rows {
		for i, cell := range r {
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	for _, r := range rows {
		var b strings.Builder
		for i, cell := range r {
			b.WriteString(cell)
			if i < len(r)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-len([]rune(cell))+2))
			}
		}
		fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
	}
}
