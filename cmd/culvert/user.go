package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/culvert/culvert/engine/access"
	"github.com/culvert/culvert/engine/project"
)

func (a *app) userCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "user",
		Short: "Say who may log in to the console",
		Long: `Users of the web console are kept in the project's state folder, as hashes of their passwords. A
viewer sees counts, causes and rules; an operator also what records say, and sends, dismisses and
pauses; an admin also who did what. culvert.yaml can name users too: console_users.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.userAddCommand(), a.userRemoveCommand(), a.userListCommand())
	return c
}

func (a *app) usersFile() (string, error) {
	c, err := a.loadConfig()
	if err != nil {
		return "", err
	}
	return filepath.Join(a.dir, c.StateDir, project.UsersFile), nil
}

func (a *app) userAddCommand() *cobra.Command {
	var role string
	c := &cobra.Command{
		Use:     "add NAME",
		Short:   "Add a user, or give one a new password; prints it once",
		Example: "  culvert user add aminata --role operator",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			r, err := access.ParseRole(role)
			if err != nil {
				return fmt.Errorf("--role: %w", err)
			}
			path, err := a.usersFile()
			if err != nil {
				return err
			}
			password, err := access.Set(path, args[0], r, "")
			if err != nil {
				return err
			}
			fmt.Fprintf(a.stdout, "%s may log in to the console as %s, with the password %s\nit is not shown again\n", args[0],
				r, password)
			return nil
		},
	}
	c.Flags().StringVar(&role, "role", access.Operator.String(), "viewer, operator or admin")
	return c
}

func (a *app) userRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "remove NAME",
		Short: "Take a user away",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			path, err := a.usersFile()
			if err != nil {
				return err
			}
			there, err := access.Remove(path, args[0])
			if err != nil {
				return err
			}
			if !there {
				return fmt.Errorf("there is no user %q among those that `culvert user` has added: `culvert user list` shows them",
					args[0])
			}
			fmt.Fprintf(a.stdout, "%s may not log in to the console any more\n", args[0])
			return nil
		},
	}
}

func (a *app) userListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the users",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			c, err := a.loadConfig()
			if err != nil {
				return err
			}
			users, err := access.Read(filepath.Join(a.dir, c.StateDir, project.UsersFile))
			if err != nil {
				return err
			}
			for _, u := range users {
				fmt.Fprintf(a.stdout, "%s %s\n", u.Name, u.Role)
			}
			for _, u := range c.ConsoleUsers {
				fmt.Fprintf(a.stdout, "%s %s (console_users in %s)\n", u.Name, u.Role, project.ConfigFile)
			}
			if c.OIDC != nil {
				fmt.Fprintf(a.stdout, "whoever the identity provider knows and console_oidc in %s gives a role\n",
					project.ConfigFile)
			}
			if len(users)+len(c.ConsoleUsers) == 0 && c.OIDC == nil {
				fmt.Fprintln(a.stderr, "nobody yet: `culvert user add NAME`")
			}
			return nil
		},
	}
}
