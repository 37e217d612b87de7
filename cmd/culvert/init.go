package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/culvert/culvert/engine/access"
	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/rules/examples"
	"github.com/culvert/culvert/schemas"
)

func (a *app) initCommand() *cobra.Command {
	var example string
	c := &cobra.Command{
		Use:   "init [FOLDER]",
		Short: "Begin a project: culvert.yaml, folders, schemas for the editor",
		Long: `Make a project folder with a culvert.yaml to fill in, the folders that rules use, and the JSON Schemas with which an editor completes and
checks rule files. With --example a whole working project is laid down instead. Nothing that is there already is overwritten.`,
		Example: "  culvert init my-project\n  culvert init --example anc demo-project",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			dir := a.dir
			if len(args) == 1 {
				dir = args[0]
				if !filepath.IsAbs(dir) {
					dir = filepath.Join(a.dir, dir)
				}
			}
			if err := begin(dir, example); err != nil {
				return err
			}
			password, err := access.Set(filepath.Join(dir, "state", project.UsersFile), firstUser, access.Admin, "")
			if err != nil {
				return err
			}
			fmt.Fprintf(a.stdout, "project begun in %s\n\nnext:\n", dir)
			if example == "" {
				fmt.Fprintf(a.stdout, "  edit %s: name the project and your server\n", filepath.Join(dir, project.ConfigFile))
			}
			fmt.Fprintf(a.stdout, "  culvert -C %s sync        read the server's metadata\n", dir)
			fmt.Fprintf(a.stdout, "  culvert -C %s validate    check the rules against it\n", dir)
			fmt.Fprintf(a.stdout, "\nthe console asks who you are: user %s, password %s (shown only now; `culvert user add` makes others)\n", firstUser, password)
			return nil
		},
	}
	c.Flags().StringVar(&example, "example", "", "lay down an example project: "+strings.Join(examples.Names(), ", "))
	return c
}

// firstUser is the admin of the console that a new project begins with.
const firstUser = "admin"

// begin lays down a project folder. culvert.yaml comes first: when there is one already, nothing else is touched.
func begin(dir, example string) error {
	if _, err := os.Stat(filepath.Join(dir, project.ConfigFile)); err == nil {
		return fmt.Errorf("%s holds a project already; nothing was changed", dir)
	}
	if example != "" {
		if err := examples.Write(example, dir, func(string) bool { return true }); err != nil {
			return err
		}
	} else if err := blank(dir); err != nil {
		return err
	}
	for file, name := range map[string]string{"rule.schema.json": schemas.Rule, "culvert.schema.json": schemas.Config} {
		if err := writeFile(filepath.Join(dir, "schemas", file), schemas.Text(name)); err != nil {
			return err
		}
	}
	return writeFile(filepath.Join(dir, ".gitignore"), []byte("state/\ndrop/\n"))
}

var unfit = regexp.MustCompile(`[^a-z0-9-]+`)

// blank writes a culvert.yaml to fill in, and one rule to begin with.
func blank(dir string) error {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("find %s: %w", dir, err)
	}
	name := strings.Trim(unfit.ReplaceAllString(strings.ToLower(filepath.Base(abs)), "-"), "-")
	if name == "" {
		name = "my-project"
	}
	config := strings.ReplaceAll(blankConfig, "NAME", name)
	if err := writeFile(filepath.Join(dir, project.ConfigFile), []byte(config)); err != nil {
		return err
	}
	for _, sub := range []string{project.RulesDir, "maps", "samples"} {
		if err := writeFile(filepath.Join(dir, sub, ".gitkeep"), nil); err != nil {
			return err
		}
	}
	return nil
}

const blankConfig = `# yaml-language-server: $schema=schemas/culvert.schema.json
project: NAME                     # namespace of all derived ids; never change it once data has been sent
servers:
  national:
    url: ${DHIS2_URL}             # https://dhis2.example.org/path
    token: ${DHIS2_TOKEN}         # recommended: a personal access token of an account for Culvert alone (profile, Personal access tokens);
                                  # or username: and password: ${DHIS2_PASSWORD}, which are slower to check and end with two-factor login
    default: true
    # limits: {requests_per_second: 10, concurrency: 4, window: "18:00-06:00"}
store: sqlite:state/culvert.db
listen: 127.0.0.1:8080
# webhook_auth: {basic: {username: commcare, password: "${COMMCARE_PASSWORD}"}}
# sync: {every: 6h}
retention: {payloads: 30d, delivered: 180d, failed: 365d}
`

func writeFile(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("make the folder of %s: %w", path, err)
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
