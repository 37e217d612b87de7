package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/culvert/culvert/engine/studio"
)

func (a *app) studioCommand() *cobra.Command {
	var listen string
	c := &cobra.Command{
		Use:   "studio",
		Short: "Write rules in a browser: fields, expressions and what they come to, side by side",
		Long: `Serve a page for whoever writes rules, on this machine alone: the fields of a sample on one side,
those of DHIS2 on the other, the expressions between them, and beside each what it comes to and what
validate says, while you type. It writes into the rule files of the project and changes nothing in
them but what you change. It needs metadata (culvert sync), and no network. The address that it
prints holds a token: nobody else is let in.`,
		Example: "  culvert studio\n  culvert studio -C anc-pilot --listen 127.0.0.1:8088",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			if _, err := a.loadConfig(); err != nil {
				return err
			}
			ln, err := a.listenHere(listen)
			if err != nil {
				return err
			}
			defer func() { _ = ln.Close() }() // closed by then by the server
			addresses, err := studio.Addresses(ln.Addr())
			if err != nil {
				return err
			}
			s, err := studio.New(studio.Config{Dir: a.dir, Loader: a.loader, Version: version, Log: a.quiet(),
				Addresses: addresses, Language: a.language, Journal: a.readJournal, Who: who() + " (studio)"})
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, s.Close()) }()
			fmt.Fprintf(a.stdout, "open http://%s%s\n", addresses[0], s.Path())
			fmt.Fprintln(a.stderr, "culvert: Ctrl+C ends it")
			srv := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute,
				WriteTimeout: 2 * time.Minute, IdleTimeout: 5 * time.Minute, MaxHeaderBytes: 64 << 10}
			go func() {
				<-c.Context().Done()
				_ = srv.Close() // whoever asks is on this machine, and is told that the studio does not answer
			}()
			if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("serve the studio: %w", err)
			}
			return nil
		},
	}
	c.Flags().StringVar(&listen, "listen", "127.0.0.1:0",
		"address and port of this machine's loopback; port 0: any that is free")
	return c
}

// listenHere listens at an address that only this machine reaches.
func (a *app) listenHere(address string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("--listen %s is not an address and a port, such as 127.0.0.1:8088", address)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("--listen %s: the studio writes files and is for this machine alone: use 127.0.0.1", address)
	}
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return ln, nil
}
