package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// healthLimit bounds the whole question: what asks is itself asked every few seconds.
const healthLimit = 5 * time.Second

// maxHealthAnswer is how much of an answer is printed.
const maxHealthAnswer = 64 << 10

func (a *app) healthCommand() *cobra.Command {
	var ready bool
	var base string
	c := &cobra.Command{
		Use:   "health",
		Short: "Ask the run on this machine whether it does its work",
		Long: `Ask the run on this machine at /health, and print what it answers: a probe for containers and
service managers that needs no other program. The address is that of listen: in culvert.yaml, or
the one given with --url. Exit code 0 when all is well, 1 when the run says that it cannot do its
work, 2 when nothing answers.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if base == "" {
				config, err := a.loadConfig()
				if err != nil {
					return err
				}
				address, err := config.Listen.Resolve()
				if err != nil {
					return err
				}
				if base, err = localURL(address); err != nil {
					return err
				}
			}
			path := "/health"
			if ready {
				path = "/ready"
			}
			return a.askHealth(c.Context(), strings.TrimRight(base, "/")+path)
		},
	}
	c.Flags().BoolVar(&ready, "ready", false, "ask /ready instead: are records taken, also while DHIS2 is away?")
	c.Flags().StringVar(&base, "url", "", "where the run listens, http://host:port; default: listen: of culvert.yaml")
	return c
}

func (a *app) askHealth(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, healthLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("ask %s: %w", url, err)
	}
	// The run is on this machine: a proxy of the environment is for others.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("no run answers (culvert run): %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxHealthAnswer))
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return fmt.Errorf("read the answer of %s: %w", url, err)
	}
	fmt.Fprintln(a.stdout, strings.TrimSpace(string(text)))
	switch resp.StatusCode {
	case http.StatusOK:
		return nil
	case http.StatusServiceUnavailable:
		return errFindings
	default:
		return fmt.Errorf("%s answers %s: is it another program that listens there?", url, resp.Status)
	}
}

// localURL gives the URL at which this machine reaches an address that a program listens on: one
// that means "everywhere" is asked on the loopback.
func localURL(listen string) (string, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", fmt.Errorf("listen: %s in culvert.yaml is no host:port: %w", listen, err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
		if ip != nil && ip.To4() == nil {
			host = "::1"
		}
	}
	return "http://" + net.JoinHostPort(host, port), nil
}
