package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/culvert/culvert/actions/dhis2/sandbox"
)

func (a *app) sandboxCommand() *cobra.Command {
	var o sandbox.Options
	var metadata []string
	var listen, fail string
	c := &cobra.Command{
		Use:   "sandbox --metadata FILE|DIR",
		Short: "Serve a DHIS2 look-alike from metadata, for demos, rehearsal and tests",
		Long: `Serve a server that answers as DHIS2 does, from a metadata export (FILE) or a snapshot that sync wrote (DIR).
A package without org units gets an invented country. --metadata may be given several times: what
a later one says of an object counts.
The user admin with the password district is always there. A page at / shows what has arrived.
--fail makes it misbehave for rehearsals, for instance --fail 5%,latency=200ms.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if len(metadata) == 0 || metadata[0] == "" {
				return errors.New("name the metadata: --metadata FILE (a DHIS2 metadata export) or --metadata DIR (a snapshot " +
					"in metadata/)")
			}
			o.Metadata, o.More = metadata[0], metadata[1:]
			faults, err := sandbox.ParseFaults(fail)
			if err != nil {
				return err
			}
			o.Faults = faults
			o.Logger = a.logger()
			s, err := sandbox.New(o)
			if err != nil {
				return err
			}
			l, err := net.Listen("tcp", listen)
			if err != nil {
				if errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, syscall.Errno(10048)) /* as Windows says it */ {
					err = fmt.Errorf("another program listens there already: end it, or choose another port with --listen")
				}
				return errors.Join(fmt.Errorf("listen on %s: %w", listen, err), s.Close())
			}
			fmt.Fprintf(a.stdout, "listening on http://%s\n", l.Addr())
			return errors.Join(serve(c.Context(), l, s), s.Close())
		},
	}
	c.Flags().StringArrayVar(&metadata, "metadata", nil,
		"a DHIS2 metadata export or package, or a snapshot folder; again for more on top of it")
	c.Flags().StringVar(&listen, "listen", "127.0.0.1:8085", "address to listen on")
	c.Flags().StringVar(&o.Version, "version", "2.42", "which DHIS2 it answers as: 2.38 to 2.44")
	c.Flags().StringVar(&o.State, "state", "", "file that keeps the data across restarts; default: memory only")
	c.Flags().StringVar(&fail, "fail", "", "faults on demand: a share of requests, and latency=, kinds=")
	return c
}

// serve answers on a listener until ctx ends, then lets requests under way finish.
func serve(ctx context.Context, l net.Listener, h http.Handler) error {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second,
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) }}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	select {
	case err := <-done:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := srv.Shutdown(stop); err != nil {
		return fmt.Errorf("stop serving: %w", err)
	}
	<-done
	return nil
}
