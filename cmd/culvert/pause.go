package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/culvert/culvert/engine/controls"
	"github.com/culvert/culvert/engine/journal"
)

func (a *app) pauseCommand() *cobra.Command {
	return a.pausing("pause", "Stop sending for a rule or a server; records are accepted and wait", true)
}

func (a *app) resumeCommand() *cobra.Command {
	return a.pausing("resume", "Go on sending for a rule or a server that was paused", false)
}

func (a *app) pausing(verb, short string, pause bool) *cobra.Command {
	var rule, server, why string
	c := &cobra.Command{
		Use:     verb + " --rule NAME | --server NAME",
		Short:   short,
		Example: "  culvert " + verb + " --rule anc-registration\n  culvert " + verb + " --server national",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if (rule == "") == (server == "") {
				return errors.New("name one rule with --rule or one server with --server")
			}
			p, err := a.load(c.Context())
			if err != nil {
				return err
			}
			if server != "" && p.Config.ServerNamed(server) == nil {
				return fmt.Errorf("server %q is not in culvert.yaml%s", server, didYouMean(server, p.Config.ServerNames()))
			}
			if rule != "" && pause && p.RuleNamed(rule) == nil {
				return fmt.Errorf("there is no rule %q in this project%s", rule, didYouMean(rule, ruleNames(p)))
			}
			return a.withJournal(c.Context(), func(j journal.Journal) error {
				if err := setPause(c.Context(), j, rule, server, pause,
					controls.Pause{Since: time.Now(), Who: who(), Why: why}); err != nil {
					return err
				}
				if pause {
					fmt.Fprintf(a.stdout, "%s paused: records wait until `culvert resume`\n", rule+server)
				} else {
					fmt.Fprintf(a.stdout, "%s goes on\n", rule+server)
				}
				return nil
			})
		},
	}
	c.Flags().StringVar(&rule, "rule", "", "a rule")
	c.Flags().StringVar(&server, "server", "", "a server of culvert.yaml")
	c.Flags().StringVar(&why, "why", "", "the reason, for the audit trail")
	return c
}

func setPause(ctx context.Context, j journal.Journal, rule, server string, pause bool, p controls.Pause) error {
	switch {
	case rule != "" && pause:
		return controls.PauseRule(ctx, j, rule, p)
	case rule != "":
		return controls.ResumeRule(ctx, j, rule, p)
	case pause:
		return controls.PauseServer(ctx, j, server, p)
	}
	return controls.ResumeServer(ctx, j, server, p)
}
