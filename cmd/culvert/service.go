package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"

	"github.com/spf13/cobra"
)

// windowsService is a project as a service of Windows.
type windowsService struct {
	name string   // of the service
	dir  string   // of the project, absolute
	args []string // of the program
}

// serviceName is what names of services may be: one goes into a path of the registry and into an account's name.
var serviceName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,79}$`)

func (a *app) serviceCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "service",
		Short: "Install, start, stop or remove the project as a service of Windows",
		Long: `On Windows, have the system run the project: from its start on, again after a failure, and with a
stop in good order. The service runs as an account of its own (NT SERVICE\NAME), which is given
the project's folder and nothing else; its log is state\logs\culvert.log there, turned over by size.
The prompt has to be one of an administrator. Elsewhere systemd does this: see docs/install.md.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	var name string
	c.PersistentFlags().
		StringVar(&name, "name", "", "name of the service; default: culvert- and the name of the project's folder")
	for _, s := range []struct {
		use, short string
		do         func(*windowsService) (said string, err error)
	}{
		{"install", "Make the service, give its account the project's folder, and start it", installService},
		{"start", "Start the service", startService},
		{"stop", "Stop the service, and wait until it has ended", stopService},
		{"remove", "Stop and remove the service; the project stays", removeService},
	} {
		c.AddCommand(
			&cobra.Command{Use: s.use, Short: s.short, Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
				w, err := a.serviceOf(c, name)
				if err != nil {
					return err
				}
				said, err := s.do(w)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintln(a.stdout, said)
				return err
			}},
		)
	}
	return c
}

// serviceOf says what the service of a project is called and how it runs. Paths are absolute: a
// service begins in the system's folder.
func (a *app) serviceOf(c *cobra.Command, name string) (*windowsService, error) {
	dir, err := filepath.Abs(a.dir)
	if err != nil {
		return nil, fmt.Errorf("find the project's folder: %w", err)
	}
	if name == "" {
		name = "culvert-" + filepath.Base(dir)
	}
	if !serviceName.MatchString(name) {
		return nil, fmt.Errorf(
			"%q cannot be the name of a service: give it one of letters, digits, -, _ and . with --name",
			name,
		)
	}
	config, err := a.loadConfig()
	if err != nil {
		return nil, err
	}
	w := &windowsService{name: name, dir: dir, args: []string{"-C", dir}}
	files, err := c.Flags().GetStringArray("env-file")
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		path, err := filepath.Abs(f)
		if err != nil {
			return nil, fmt.Errorf("find %s: %w", f, err)
		}
		w.args = append(w.args, "--env-file", path)
	}
	state := config.StateDir
	if !filepath.IsAbs(state) {
		state = filepath.Join(dir, state)
	}
	w.args = append(w.args, "--log-format", "json", "run", "--log-file", filepath.Join(state, "logs", "culvert.log"))
	return w, nil
}

// errNoServices says that this is not Windows.
var errNoServices = errors.New(
	"this is not Windows: the deb and rpm packages bring a unit of systemd, culvert@PROJECT; see docs/install.md",
)
