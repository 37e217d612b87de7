package project

import (
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/culvert/culvert/actions/dhis2/client"
)

// Connect makes the client of a server, with its secrets resolved. It sends nothing.
func Connect(c *Config, s *Server, dir string, log *slog.Logger, version string) (*client.Client, error) {
	o := client.Options{
		UserAgent:         "culvert/" + version,
		RequestsPerSecond: s.Limits.RequestsPerSecond,
		Concurrency:       s.Limits.Concurrency,
		Logger:            log.With("server", s.Name),
	}
	o.Timeouts.Whole = s.Limits.Timeout
	if s.CAFile != "" {
		o.CAFile = s.CAFile
		if !filepath.IsAbs(o.CAFile) {
			o.CAFile = filepath.Join(dir, o.CAFile)
		}
	}
	for _, f := range []struct {
		from Text
		to   *string
	}{
		{s.URL, &o.URL}, {s.Proxy, &o.Proxy}, {s.Username, &o.Credentials.Username}, {s.Password, &o.Credentials.Password},
		{s.Token, &o.Credentials.Token}, {s.Bearer, &o.Credentials.Bearer},
	} {
		if !f.from.IsSet() {
			continue
		}
		v, err := f.from.Resolve()
		if err != nil {
			return nil, err
		}
		*f.to = v
	}
	cl, err := client.New(o)
	if err != nil {
		return nil, fmt.Errorf("server %s: %w", s.Name, err)
	}
	return cl, nil
}
