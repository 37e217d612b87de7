package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/engine/notify"
	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/engine/service"
)

func (a *app) notifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "notify",
		Short: "Send a message on trial to everybody whom notify: of culvert.yaml names",
		Long: `Send a message on trial through every channel of notify: in culvert.yaml, and say of each whether it was taken.
The exit code is 1 when one was not. What is really not well is told by ` + "`culvert run`" + `.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			config, err := a.loadConfig()
			if err != nil {
				return err
			}
			if config.Notify == nil {
				return errors.New("culvert.yaml names nobody to tell: write notify: {to: {team: {email: {smtp: ..., from: ..., " +
					"to: [...]}}}}")
			}
			s, failed := service.NotifySettings(config, a.shared(config), a.serverClient(config), a.logger())
			m := notify.Message{Project: config.Project, At: time.Now().In(config.Zone), Link: config.Notify.Console,
				New: []notify.Condition{{
					Kind: "test", Subject: config.Project, Text: "this is a message on trial: what is not well will come this way",
				}}}
			for _, ch := range s.Channels {
				if err := ch.Send(c.Context(), m); err != nil {
					failed = errors.Join(failed, fmt.Errorf("%s: %w", ch.Name(), err))
					continue
				}
				fmt.Fprintf(a.stdout, "%s: sent\n", ch.Name())
			}
			if failed != nil {
				fmt.Fprintf(a.stderr, "%v\n", failed)
				return errFindings
			}
			return nil
		},
	}
}

// serverClient connects to servers when they are asked for.
func (a *app) serverClient(config *project.Config) service.Connected {
	return func(s *project.Server) (*client.Client, error) {
		return project.Connect(config, s, a.dir, a.logger(), version)
	}
}
