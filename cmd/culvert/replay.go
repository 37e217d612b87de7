package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/engine/service"
)

func (a *app) replayCommand() *cobra.Command {
	var s selection
	var force, delivered bool
	var why, body string
	c := &cobra.Command{
		Use:   "replay",
		Short: "Send failed records again, once their cause is fixed",
		Long: `Put failed records back in line: by rule, cause, code, time, key or id, or --all of them. A runner
sends them. With --delivered also records that went through before, and rows of dropped files, which
are read again from where the finished file lies; what would change nothing is not sent again,
unless --force. What is newer in DHIS2 is never overwritten, unless --force names
one record by --number or --id: then that one is sent, superseded or not. With --body FILE,
--number N and --why REASON a corrected content is sent as a new version of the record, which
supersedes a failed one. It overwrites nothing newer, and is not undone when the source delivers
the old content once more.`,
		Example: "  culvert replay --rule anc-registration\n  culvert replay --code E1018 --since 2d\n  culvert replay " +
			"--number 42 --body fixed.json --why \"typing error in the date\"",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if !s.chosen() && !s.all {
				return errors.New("say which records: --rule, --code, --cause, --key, --id, --number, --since, or --all")
			}
			if body != "" && s.number == 0 {
				return errors.New("--body fixes one record: name it with --number, as `culvert failures --list` shows it")
			}
			f, err := s.filter(time.Now())
			if err != nil {
				return err
			}
			f.States = []journal.State{journal.Failed}
			if delivered {
				f.States = append(f.States, journal.Delivered)
			}
			if force && (f.Seq != 0 || f.ID != "") {
				f.States = append(f.States, journal.Superseded)
			}
			return a.withJournal(c.Context(), func(j journal.Journal) error {
				if err := a.knownRule(c.Context(), j, s.rule); err != nil {
					return err
				}
				if body != "" {
					text, err := a.readBody(body)
					if err != nil {
						return err
					}
					return a.correct(c.Context(), j, s.number, text, why)
				}
				n, err := j.Replay(c.Context(), f, who(), why, force)
				if err != nil {
					return err
				}
				fmt.Fprintf(a.stdout, "%s put back in line\n", count(n, "record", "records"))
				if err := a.notReplayed(c.Context(), j, f); err != nil {
					return err
				}
				if delivered && f.Code == "" && f.Cause == "" && f.Class == "" && f.Seq == 0 {
					rows, err := a.replayRows(c.Context(), j, f, force, why)
					if n += rows; err != nil {
						return err
					}
				}
				if n > 0 {
					return nil
				}
				return a.nothingReplayed(c.Context(), j, f)
			})
		},
	}
	s.flags(c)
	c.Flags().BoolVar(&s.all, "all", false, "every failed record")
	c.Flags().BoolVar(&delivered, "delivered", false, "delivered records too")
	c.Flags().BoolVar(&force, "force", false, "send even what would change nothing")
	c.Flags().StringVar(&why, "why", "", "the reason, for the audit trail")
	c.Flags().StringVar(&body, "body", "", "file with the record's new content as JSON, - for stdin")
	return c
}

// replayRows puts rows of files back in line that went through and have no record of their own. It
// says which files cannot be read any more.
func (a *app) replayRows(ctx context.Context, j journal.Journal, f journal.Filter, force bool,
	why string) (int64, error) {
	p, err := a.load(ctx)
	if err != nil {
		return 0, err
	}
	done, err := service.RowReplay{Project: p, Journal: j, Filter: f, Force: force}.Do(ctx)
	if done.Rows > 0 {
		entry := journal.AuditEntry{At: time.Now(), Who: who(), Did: "replay", Why: why, Count: done.Rows,
			Subject: "rows of files"}
		err = errors.Join(err, j.Note(ctx, entry))
		fmt.Fprintf(a.stdout, "%s of files that had gone through put back in line\n", count(done.Rows, "row", "rows"))
	}
	for _, u := range done.Unread {
		fmt.Fprintf(a.stderr, "the rows of %s (file %s) that had gone through cannot be sent again from here: %v\n",
			plain(u.File.Name), u.File.ID, u.Err)
	}
	if err == nil && len(done.Unread) > 0 {
		err = errFindings
	}
	return done.Rows, err
}

// correct sends a corrected content in a record's stead.
func (a *app) correct(ctx context.Context, j journal.Journal, number int64, body []byte, why string) error {
	corrected, err := j.Correct(ctx, number, body, who(), why)
	if err != nil {
		return err
	}
	if corrected == number {
		fmt.Fprintf(a.stdout, "record %d has the corrected content; it is sent once it is no longer held\n", number)
		return nil
	}
	fmt.Fprintf(a.stdout, "the corrected version of record %d is record %d; it waits to be sent\n", number, corrected)
	return nil
}

// notReplayed says of those that stand for a file that could not be read, which have no content to
// send, how they are fixed.
func (a *app) notReplayed(ctx context.Context, j journal.Journal, f journal.Filter) error {
	if f.Code != "" && f.Code != program.CodeUnreadableFile {
		return nil
	}
	f.States, f.Code = []journal.State{journal.Failed}, program.CodeUnreadableFile
	causes, err := j.Causes(ctx, f)
	if err != nil {
		return err
	}
	var files int64
	for _, c := range causes {
		files += c.Count
	}
	if files > 0 {
		fmt.Fprintf(a.stdout, "%s could not be read, so there is nothing to send again: drop it again once it is fixed, "+
			"and settle the failure with\n"+
			"  culvert dismiss --code %s --why \"dropped again\"\n", count(files, "file", "files"), program.CodeUnreadableFile)
	}
	return nil
}

// nothingReplayed ends a replay that found nothing: when one record was named that is not there, or
// is not failed, nothing that was asked for was done.
func (a *app) nothingReplayed(ctx context.Context, j journal.Journal, f journal.Filter) error {
	if f.ID == "" && f.Seq == 0 {
		return nil
	}
	f.States, f.Limit = nil, 1
	found, err := j.Select(ctx, f)
	if err != nil {
		return err
	}
	name := "id " + strconv.Quote(f.ID)
	if f.Seq != 0 {
		name = fmt.Sprintf("number %d", f.Seq)
	}
	if len(found) == 0 {
		return fmt.Errorf("there is no record with the %s; `culvert failures --list` shows those that failed", name)
	}
	fmt.Fprintf(a.stderr, "the record with the %s is %s, not failed; `culvert show` says more, --delivered or --force "+
		"send it all the same\n", name, found[0].State)
	return errFindings
}

// maxBody bounds a record's content given by hand.
const maxBody = 16 << 20

func (a *app) readBody(name string) ([]byte, error) {
	r := a.stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("read the new content: %w", err)
		}
		defer func() { _ = f.Close() }() // only read
		r = f
	}
	text, err := io.ReadAll(io.LimitReader(r, maxBody+1))
	if err != nil {
		return nil, fmt.Errorf("read the new content: %w", err)
	}
	if len(text) > maxBody {
		return nil, fmt.Errorf("the new content is larger than %d MiB", maxBody>>20)
	}
	return text, nil
}

func (a *app) dismissCommand() *cobra.Command {
	var s selection
	var why string
	c := &cobra.Command{
		Use:   "dismiss --why REASON",
		Short: "Settle failed records that will never be sent",
		Long: `Settle failed records that will never be sent. With --code rule-missing those that wait for a rule
that is not there any more.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if why == "" {
				return errors.New("say why the records will never be sent: --why \"...\"; the audit trail keeps it")
			}
			if !s.chosen() && !s.all {
				return errors.New("say which records: --rule, --code, --cause, --key, --id, --number, --since, or --all")
			}
			f, err := s.filter(time.Now())
			if err != nil {
				return err
			}
			f.States = []journal.State{journal.Failed}
			if f.Code == program.CodeMissingRule {
				f.States = []journal.State{journal.Held} // such records wait for the rule
			}
			return a.withJournal(c.Context(), func(j journal.Journal) error {
				if err := a.knownRule(c.Context(), j, s.rule); err != nil {
					return err
				}
				n, err := j.Dismiss(c.Context(), f, who(), why)
				if err != nil {
					return err
				}
				fmt.Fprintf(a.stdout, "%s dismissed\n", count(n, "record", "records"))
				return nil
			})
		},
	}
	s.flags(c)
	c.Flags().BoolVar(&s.all, "all", false, "every failed record")
	c.Flags().StringVar(&why, "why", "", "the reason, for the audit trail")
	return c
}
