package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/culvert/culvert/engine/service"
	"github.com/culvert/culvert/internal/logfile"
)

func (a *app) runCommand() *cobra.Command {
	var logFile string
	c := &cobra.Command{
		Use:   "run",
		Short: "Take records and send them, until told to stop",
		Long: `Run the project: listen for webhooks, watch folders, and send what arrives to DHIS2. Rules that
change are live within a second; a broken one is refused, with its findings in the log, and its
last good version keeps running. The console is at the address of listen:, /health and /metrics
beside it. SIGHUP has everything read again. SIGTERM or Ctrl-C ends it when what is under way is
done; a second one ends it at once, and loses nothing either.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			if logFile != "" {
				to, err := logfile.Open(logFile)
				if err != nil {
					return err
				}
				defer func() { err = errors.Join(err, to.Close()) }()
				a.stderr = to
			}
			reload := make(chan os.Signal, 1)
			signal.Notify(reload, syscall.SIGHUP)
			defer signal.Stop(reload)
			return asService(c.Context(), reload, func(ctx context.Context) error { return a.runProject(ctx, reload) })
		},
	}
	c.Flags().StringVar(&logFile, "log-file", "",
		"write the log into a file, turned over at 10 MB, eight older ones kept; default: stderr")
	return c
}

// runProject runs until ctx ends. What keeps it from beginning stands in the log too, which a service has alone.
func (a *app) runProject(ctx context.Context, reload <-chan os.Signal) error {
	log := a.logger()
	foreignLog(log)
	s, err := service.Open(ctx, service.Options{
		Dir: a.dir, Loader: a.loader, Log: log, Version: version, Reload: reload, Language: a.language, Chosen: a.lang != "",
		Ready: func(addr string) { log.Info("taking records", "address", "http://"+addr) },
	})
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil // it was told to stop before it had begun
	}
	if err != nil {
		return err
	}
	stop := hurry(ctx)
	defer stop()
	return s.Run(ctx)
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
