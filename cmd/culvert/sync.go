package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/engine/project"
)

func (a *app) syncCommand() *cobra.Command {
	var check bool
	var only string
	c := &cobra.Command{
		Use:   "sync",
		Short: "Read each server's metadata into metadata/, and say what changed",
		Long: `Read the version and metadata of every server of culvert.yaml into metadata/SERVER, to be committed to git.
With --check nothing is written, and the exit code is 1 when the server differs from the snapshot.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			config, err := a.loadConfig()
			if err != nil {
				return err
			}
			if only != "" && config.ServerNamed(only) == nil {
				return fmt.Errorf("server %q is not in culvert.yaml%s", only, didYouMean(only, config.ServerNames()))
			}
			differs := false
			for i := range config.Servers {
				s := &config.Servers[i]
				if only != "" && s.Name != only {
					continue
				}
				changed, err := a.syncServer(c.Context(), config, s, check)
				if err != nil {
					return fmt.Errorf("sync server %s: %w", s.Name, err)
				}
				differs = differs || changed
			}
			if !check && only == "" {
				if err := a.syncLocations(c.Context(), config); err != nil {
					return err
				}
			}
			if check && differs {
				return errFindings
			}
			return nil
		},
	}
	c.Flags().BoolVar(&check, "check", false, "only say what differs; exit code 1 when something does")
	c.Flags().StringVar(&only, "server", "", "only this server")
	return c
}

// syncLocations refreshes the reference tables of CommCare's locations.
func (a *app) syncLocations(ctx context.Context, config *project.Config) error {
	for i := range config.Connections {
		c := &config.Connections[i]
		if c.Locations == "" {
			continue
		}
		n, changed, err := project.SyncLocations(ctx, config, c, a.dir, a.logger())
		if err != nil {
			return fmt.Errorf("sync connection %s: %w", c.Name, err)
		}
		what := "unchanged"
		if changed {
			what = "written"
		}
		fmt.Fprintf(a.stdout, "%s: %d locations, %s %s\n", c.Name, n, c.Locations, what)
	}
	return nil
}

func (a *app) syncServer(ctx context.Context, config *project.Config, s *project.Server, check bool) (bool, error) {
	client, err := project.Connect(config, s, a.dir, a.logger(), version)
	if err != nil {
		return false, err
	}
	progress := func(p metadata.Progress) {
		if isTerminal(a.stderr) {
			fmt.Fprintf(raw(a.stderr), "\r\033[K%s: %s (%d), %d of %d", s.Name, p.Collection, p.Objects, p.Done, p.Total)
		}
	}
	r, err := project.Sync(ctx, client, a.dir, s.Name, !check, progress)
	if isTerminal(a.stderr) {
		fmt.Fprint(raw(a.stderr), "\r\033[K")
	}
	if err != nil {
		return false, err
	}
	for _, w := range r.Warnings {
		fmt.Fprintln(a.stderr, a.language.Text(fmt.Sprintf("%s: warning: %s", s.Name, w)))
	}
	if r.First && check {
		return true, errors.New("there is no snapshot to compare with: run `culvert sync` first")
	}
	fmt.Fprintf(a.stdout, "%s: DHIS2 %s at %s: %s\n", s.Name, r.Snapshot.Server.Version, r.Snapshot.Server.URL,
		r.Snapshot.Summary())
	a.printChanges(ctx, s.Name, r, check)
	return len(r.Changes) > 0, nil
}

// printChanges says what a sync found, with the rules that use what changed.
func (a *app) printChanges(ctx context.Context, server string, r *project.SyncResult, check bool) {
	switch {
	case r.First:
		fmt.Fprintf(a.stdout, "%s: first snapshot, in metadata/%s\n", server, server)
		return
	case len(r.Changes) == 0:
		fmt.Fprintf(a.stdout, "%s: nothing changed since %s\n", server, r.Before.Format("2006-01-02 15:04"))
		return
	}
	fmt.Fprintf(a.stdout, "%s: %s since %s\n", server, count(len(r.Changes), "change", "changes"),
		r.Before.Format("2006-01-02 15:04"))
	uses := project.Uses{}
	if p, err := a.load(ctx); err == nil {
		uses = p.Uses(server)
	}
	for _, c := range r.Changes {
		fmt.Fprintf(a.stdout, "  %s%s\n", c.Words, uses.OfChange(c))
	}
	if !check {
		fmt.Fprintln(a.stdout, "run `culvert validate` to see what it means for the rules")
	}
}
