package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/culvert/culvert/engine/service"
)

func (a *app) runCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "run",
		Short: "Take records and send them, until told to stop",
		Long: `Run the project: listen for webhooks, watch folders, and send what arrives to DHIS2. Rules that
change are live within a second; a broken one is refused, with its findings in the log, and its
last good version keeps running. The console is at the address of listen:, /health and /metrics
beside it. SIGHUP has everything read again. SIGTERM or Ctrl-C ends it when what is under way is
done; a second one ends it at once, and loses nothing either.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			log := a.logger()
			reload := make(chan os.Signal, 1)
			signal.Notify(reload, syscall.SIGHUP)
			defer signal.Stop(reload)
			s, err := service.Open(c.Context(), service.Options{
				Dir: a.dir, Loader: a.loader, Log: log, Version: version, Reload: reload,
				Ready: func(addr string) { log.Info("taking records", "address", "http://"+addr) },
			})
			if err != nil {
				return err
			}
			stop := hurry(c.Context())
			defer stop()
			return s.Run(c.Context())
		},
	}
}

// hurry ends the process at once on the second signal: the first one has ended ctx.
func hurry(ctx context.Context) func() {
	again := make(chan os.Signal, 1)
	done := make(chan struct{})
	go func() {
		select {
		case <-ctx.Done():
		case <-done:
			return
		}
		signal.Notify(again, os.Interrupt, syscall.SIGTERM)
		select {
		case <-again:
			os.Exit(exitCannot)
		case <-done:
		}
	}()
	return func() {
		signal.Stop(again)
		close(done)
	}
}
