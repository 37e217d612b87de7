package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/culvert/culvert/engine/backup"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/open"
	"github.com/culvert/culvert/engine/service"
)

func (a *app) backupCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "backup FILE",
		Short: "Write a consistent backup of journal and state, while they are in use",
		Long: `Write the journal, whatever its store, and the files of the state folder into one archive, as they
are at one moment, while a runner works. It holds everything that cannot be got again; rules and
culvert.yaml are in git. Secrets and the encryption key are not in it: keep them, and keep them
elsewhere. A FILE that ends with .db gets a copy of the journal alone.`,
		Example: "  culvert backup /backup/culvert-$(date +%F).tar.gz",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			p, err := a.backedUp(c.Context())
			if err != nil {
				return err
			}
			if filepath.Ext(args[0]) == ".db" {
				if err := open.Copy(c.Context(), p.Store, args[0], p.Options); err != nil {
					return err
				}
				fmt.Fprintf(a.stdout, "journal copied to %s\n", args[0])
				return nil
			}
			m, err := backup.Write(c.Context(), p, args[0])
			if err != nil {
				return err
			}
			fmt.Fprintf(a.stdout, "journal and state written to %s: %s\n", args[0], count(int64(len(m.Files)), "file", "files"))
			return nil
		},
	}
}

func (a *app) restoreCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "restore FILE",
		Short: "Make journal and state of a backup, where nothing is yet",
		Long: `Make the journal and the state folder of a backup, in the store and the folder that culvert.yaml
names. Nothing is overwritten: there must be none yet. The backup is checked before anything of it
appears. What was sent after the backup was made is sent again and updates the same objects.`,
		Example: "  culvert restore /backup/culvert-2026-03-01.tar.gz",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			p, err := a.stateOf()
			if err != nil {
				return err
			}
			m, err := backup.Restore(c.Context(), p, args[0])
			if err != nil {
				return err
			}
			fmt.Fprintf(a.stdout, "journal and state of %s are as they were on %s\n", m.Project,
				m.At.Local().Format("2006-01-02 15:04"))
			return nil
		},
	}
}

// stateOf says where the project's journal and state are.
func (a *app) stateOf() (backup.Project, error) {
	config, err := a.loadConfig()
	if err != nil {
		return backup.Project{}, err
	}
	dir, err := filepath.Abs(a.dir)
	if err != nil {
		return backup.Project{}, err
	}
	p := backup.Project{Name: config.Project, Dir: dir, State: filepath.Join(dir, config.StateDir), Version: version}
	if p.Store, err = config.Store.Resolve(); err != nil {
		return p, err
	}
	if path, ok := strings.CutPrefix(p.Store, "sqlite:"); ok && !filepath.IsAbs(path) {
		p.Store = "sqlite:" + filepath.Join(dir, path)
	}
	p.Options.Logger = a.logger()
	return p, service.AddKeys(config, &p.Options)
}

func (a *app) rekeyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rekey",
		Short: "Encrypt what the journal holds with the newest key",
		Long: `Encrypt the journal with the newest of encryption_keys: payloads, record ids, keys, external ids, the
texts of the audit trail and places in sources, whether they were encrypted with an older key or are
in clear because they were kept before there was one. The older keys can be taken out of
culvert.yaml then. Stop all runners first. With another key everything is written anew in one step:
it may take minutes and needs as much free disk as the journal has; stopped in between, all is as it
was. Backups made before need the older keys.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withJournal(c.Context(), func(j journal.Journal) error {
				n, err := j.Rekey(c.Context())
				var inUse *journal.ErrInUse
				if errors.As(err, &inUse) {
					return fmt.Errorf("a runner is working on %s: stop it, encrypt, and start it again", inUse.Place)
				}
				if err != nil {
					return err
				}
				fmt.Fprintf(a.stdout, "%s encrypted with the newest key, with all ids, keys and external ids; "+
					"older ones can be taken out of encryption_keys\n",
					count(n, "payload", "payloads"))
				return nil
			})
		},
	}
}

// backedUp is stateOf of a project whose journal is its own.
func (a *app) backedUp(ctx context.Context) (backup.Project, error) {
	p, err := a.stateOf()
	if err != nil {
		return p, err
	}
	return p, a.withJournal(ctx, func(journal.Journal) error { return nil })
}

func (a *app) migrateStoreCommand() *cobra.Command {
	var to string
	c := &cobra.Command{
		Use:   "migrate-store --to STORE",
		Short: "Move the journal to another store: from SQLite to PostgreSQL or back",
		Long: `Copy everything that the journal holds into another store, compare both, and note in the old one
that it lies there now, so that nothing works on it by mistake. Stop all runners first: with one
at work the move is refused. A move that was stopped goes on where it was when it is started
again. Nothing is removed from the old store. STORE may be ${NAME} of the environment, to keep a
password off the command line.`,
		Example: "  culvert migrate-store --to postgres://culvert@db.example.org/culvert\n  culvert migrate-store --to " +
			"'${NEW_STORE}'\n  culvert migrate-store --to sqlite:state/culvert.db",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if to == "" {
				return errors.New("say where to: --to postgres://user@host/database or --to sqlite:state/culvert.db")
			}
			p, err := a.stateOf()
			if err != nil {
				return err
			}
			target, err := fromEnvironment(to)
			if err == nil {
				target, err = service.StoreAt(target, p.Dir)
			}
			if err != nil {
				return err
			}
			var inUse *journal.ErrInUse
			err = open.Move(c.Context(), p.Store, target, p.Options,
				func(m open.Moved) { fmt.Fprintf(a.stderr, "%s: %d\n", m.Table, m.Rows) })
			switch {
			case errors.As(err, &inUse):
				return fmt.Errorf("a runner is working on %s: stop it, move, and start it on the new store", inUse.Place)
			case err != nil:
				return err
			}
			if folder := open.Exposed(target); folder != "" {
				fmt.Fprintf(a.stderr, "others on this machine can look into %s: chmod 700 %s, unless that is meant\n",
					folder, folder)
			}
			fmt.Fprintf(a.stdout, "the journal lies at %s now, and both stores hold the same; write `store: %s` in "+
				"culvert.yaml before you start again\n", open.Redact(target), named(to))
			return nil
		},
	}
	c.Flags().StringVar(&to, "to", "", "the new store: sqlite:PATH, postgres://..., or ${NAME} of the environment")
	return c
}

// fromEnvironment gives the value of ${NAME}, and any other text as it is.
func fromEnvironment(text string) (string, error) {
	name, ok := strings.CutPrefix(text, "${")
	if !ok {
		return text, nil
	}
	name = strings.TrimSuffix(name, "}")
	value, ok := os.LookupEnv(name)
	if !ok {
		return "", fmt.Errorf("--to: the environment has no %s", name)
	}
	return value, nil
}

// named gives a store as it is written in culvert.yaml: no password.
func named(store string) string { return open.Redact(store) }
