package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/culvert/culvert/actions/dhis2/sandbox"
	"github.com/culvert/culvert/engine/access"
	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/rules/examples"
	"github.com/culvert/culvert/schemas"
)

func (a *app) initCommand() *cobra.Command {
	var example, auth string
	c := &cobra.Command{
		Use:   "init [FOLDER]",
		Short: "Begin a project: culvert.yaml, a first rule, checks for CI, schemas for the editor",
		Long: `Make a project folder with a culvert.yaml, a first rule with its sample and test, the metadata of
a practice server that it fits (culvert sandbox), checks for CI and pre-commit, and the JSON
Schemas with which an editor completes and checks rule files. With --example a whole working
project is laid down instead. Nothing that is there already is overwritten.`,
		Example: "  culvert init my-project\n  culvert init --example anc demo-project",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if auth == "" {
				auth = authFrom(os.Getenv)
			}
			if err := oneOf("--auth", auth, "token", "user"); err != nil {
				return err
			}
			dir := a.dir
			if len(args) == 1 {
				dir = args[0]
				if !filepath.IsAbs(dir) {
					dir = filepath.Join(a.dir, dir)
				}
			}
			if err := a.begin(dir, example, auth); err != nil {
				return err
			}
			password, err := access.Set(filepath.Join(dir, "state", project.UsersFile), firstUser, access.Admin, "")
			if err != nil {
				return err
			}
			fmt.Fprintf(a.stdout, "project begun in %s\n\nnext:\n", dir)
			if dir != "." {
				fmt.Fprintf(a.stdout, "  cd %s\n", shellWord(dir))
			}
			if example == "" {
				a.printStep("culvert sandbox --metadata " + practiceFile + "   # in another terminal: a practice server, " +
					"http://127.0.0.1:8085, admin, district")
			}
			for _, line := range a.nextSteps(example, auth) {
				a.printStep(line)
			}
			fmt.Fprintf(a.stdout, "\nthe console asks who you are: user %s, password %s (shown only now; `culvert user add` "+
				"makes others)\n", firstUser, password)
			return nil
		},
	}
	c.Flags().StringVar(&example, "example", "", "lay down an example project: "+strings.Join(examples.Names(), ", "))
	c.Flags().StringVar(&auth, "auth", "",
		"token or user: how the project signs in at DHIS2; default: user when DHIS2_USERNAME is set and DHIS2_TOKEN is not")
	return c
}

// printStep prints a command with its comment, which alone is said in the user's language.
func (a *app) printStep(line string) {
	fmt.Fprintf(asIs(a.stdout), "  %s\n", a.language.Comments(line))
}

// nextSteps are the commands that come after init.
func (a *app) nextSteps(example, auth string) []string {
	const practice, later = "http://127.0.0.1:8085", "   # the practice server's; later those of your own"
	variables := "export DHIS2_URL=" + practice + " DHIS2_TOKEN=" + sandbox.PracticeToken() + later
	switch {
	case example != "":
		variables = "export DHIS2_URL=… DHIS2_USERNAME=… DHIS2_PASSWORD=…   # of your server, or of a sandbox"
	case auth == "user":
		variables = "export DHIS2_URL=" + practice + " DHIS2_USERNAME=admin DHIS2_PASSWORD=district" + later
	}
	steps := []string{
		variables,
		"culvert sync                              # read the server's metadata",
		"culvert validate                          # check the rules against it",
	}
	if example == "" {
		steps = append(steps,
			"culvert try "+firstRule+"              # one record, step by step; nothing is sent",
			"culvert test                              # the tests that rules carry",
			"culvert new NAME --program … --sample …   # a rule of your own; rules/"+firstRule+
				".yaml fits the practice server")
	}
	return append(steps, "culvert run                               # and from now on")
}

// firstUser is the admin of the console that a new project begins with.
const firstUser = "admin"

// begin lays down a project folder. culvert.yaml comes first: when there is one already, nothing else is touched.
func (a *app) begin(dir, example, auth string) error {
	if _, err := os.Stat(filepath.Join(dir, project.ConfigFile)); err == nil {
		return fmt.Errorf("%s holds a project already; nothing was changed", dir)
	}
	if example != "" {
		if err := examples.Write(example, dir, func(string) bool { return true }); err != nil {
			return err
		}
	} else if err := a.blank(dir, auth); err != nil {
		return err
	}
	for file, name := range map[string]string{"rule.schema.json": schemas.Rule, "culvert.schema.json": schemas.Config,
		"functions.schema.json": schemas.Functions} {
		if err := writeFile(filepath.Join(dir, "schemas", file), schemas.Text(name)); err != nil {
			return err
		}
	}
	return writeMissing(filepath.Join(dir, ".gitignore"), []byte(a.language.Comments(ignored)))
}

// ignored is what must not go into git: the journal, and the files of records with people's data
// wherever a rule watches for them. The samples, maps and tables of the project are of its author's
// making and stay.
const ignored = `# The journal, taken files and secrets of this machine.
state/
.env
*.secret

# Records: what is dropped for Culvert holds people's data. Rules that watch other folders: add them here.
drop/
inbox/
incoming/
fetched/
received/
done/
failed/
*.results.csv
*.failed.csv
`

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./~-]+$`)

// shellWord writes a word so that a shell reads it as it is.
func shellWord(s string) string {
	if plainWord.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

var unfit = regexp.MustCompile(`[^a-z0-9-]+`)

// blank writes a culvert.yaml to fill in, one rule with its sample and test, and the practice server that it fits.
func (a *app) blank(dir, auth string) error {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("find %s: %w", dir, err)
	}
	name := strings.Trim(unfit.ReplaceAllString(strings.ToLower(filepath.Base(abs)), "-"), "-")
	if name == "" {
		name = "my-project"
	}
	config := strings.NewReplacer("NAME", name, "CREDENTIALS\n", credentials[auth]).Replace(blankConfig)
	config = a.language.Comments(config)
	if a.language != nil {
		config += "language: " + a.language.Code() + a.language.Comments(languageComment)
	}
	if err := writeFile(filepath.Join(dir, project.ConfigFile), []byte(config)); err != nil {
		return err
	}
	practice, err := examples.Files(firstExample)
	if err != nil {
		return err
	}
	metadata, err := fs.ReadFile(practice, "input/tamala.json")
	if err != nil {
		return fmt.Errorf("read the practice server's metadata: %w", err)
	}
	rule, err := practiceRule(practice)
	if err != nil {
		return err
	}
	sample, err := fs.ReadFile(practice, "samples/"+firstRule+".json")
	if err != nil {
		return fmt.Errorf("read the practice rule's sample: %w", err)
	}
	if err := a.checks(abs); err != nil {
		return err
	}
	for file, text := range map[string]string{
		practiceFile: string(metadata), "maps/.gitkeep": "", "rules/" + firstRule + ".yaml": a.language.Comments(rule),
		"samples/" + firstRule + ".json": string(sample),
	} {
		if err := writeMissing(filepath.Join(dir, filepath.FromSlash(file)), []byte(text)); err != nil {
			return err
		}
	}
	return nil
}

// checks lays down what checks the rules in CI and before each commit, at the root of the repository
// that a project lies in, for there alone it is looked for.
func (a *app) checks(dir string) error {
	root, inside := repositoryOf(dir), ""
	if root == "" {
		root = dir
	}
	if rel, err := filepath.Rel(root, dir); err == nil && rel != "." {
		inside = filepath.ToSlash(rel)
	}
	onRules, inCI := preCommit, workflow
	if inside != "" {
		onRules = strings.ReplaceAll(onRules, "entry: culvert ", "entry: culvert -C "+shellWord(inside)+" ")
		onRules = strings.ReplaceAll(onRules, `'^(rules|maps|samples|metadata)/|^culvert\.yaml$'`,
			`'^`+regexp.QuoteMeta(inside)+`/((rules|maps|samples|metadata)/|culvert\.yaml$)'`)
		inCI = strings.ReplaceAll(inCI, "run: ./culvert ", "run: ./culvert -C "+shellWord(inside)+" ")
	}
	for file, text := range map[string]string{".github/workflows/culvert.yml": inCI, ".pre-commit-config.yaml": onRules} {
		if err := writeMissing(filepath.Join(root, filepath.FromSlash(file)),
			[]byte(a.language.Comments(text))); err != nil {
			return err
		}
	}
	return nil
}

// practiceRule is the rule that a project begins with: that of the example, with ids of its own, so
// that what is practised never meets what the rules of somebody new write.
func practiceRule(example fs.FS) (string, error) {
	text, err := fs.ReadFile(example, "rules/"+firstRule+".yaml")
	if err != nil {
		return "", fmt.Errorf("read the practice rule: %w", err)
	}
	before, after, found := strings.Cut(string(text), "\ntrigger:")
	if !found {
		return "", errors.New("the practice rule has no trigger")
	}
	return before + "\nnamespace: practice # ids of its own: what is practised never meets what your rules write" +
		"\ntrigger:" + after, nil
}

// What a new project begins with, of which example.
const (
	firstExample = "anc"
	firstRule    = "anc-registration"
	practiceFile = "practice/metadata.json"
)

// credentials are the ways in which a project signs in at its server.
var credentials = map[string]string{
	"token": `    # a personal access token of an account for Culvert alone: DHIS2, profile, Personal access tokens
    token: ${DHIS2_TOKEN}
`,
	"user": `    username: ${DHIS2_USERNAME}
    # a token (culvert init --auth token) is checked faster, and works where login has a second factor
    password: ${DHIS2_PASSWORD}
`,
}

// authFrom is how a project signs in when nobody says: by what the environment holds.
func authFrom(getenv func(string) string) string {
	if getenv("DHIS2_TOKEN") == "" && getenv("DHIS2_USERNAME") != "" {
		return "user"
	}
	return "token"
}

const blankConfig = `# yaml-language-server: $schema=schemas/culvert.schema.json
project: NAME # namespace of all derived ids; never change it once data has been sent
servers:
  national:
    url: ${DHIS2_URL} # https://dhis2.example.org/path
CREDENTIALS
    default: true
    # limits: {requests_per_second: 10, concurrency: 4, window: "18:00-06:00"}
store: sqlite:state/culvert.db
listen: 127.0.0.1:8080
# whoever may send to the webhooks; needed before they are open to others than this machine:
# webhook_auth: {basic: {username: commcare, password: "${COMMCARE_PASSWORD}"}}
# sync: {every: 6h}
retention: {payloads: 30d, delivered: 180d, failed: 365d}
`

// languageComment stands behind the language of a new project: a service has no LANG.
const languageComment = " # of notifications and results files\n"

// workflow checks every change of the rules in CI. It needs the snapshot in metadata/, which is
// kept in git, and no server.
const workflow = `name: rules
on: [push, pull_request]
jobs:
  culvert:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      # CULVERT_DOWNLOAD is where you keep the binary: a variable of the repository
      - run: curl -sSfL -o culvert "$CULVERT_DOWNLOAD" && chmod +x culvert
        env: {CULVERT_DOWNLOAD: "${{ vars.CULVERT_DOWNLOAD }}"}
      - run: ./culvert fmt --check
      - run: ./culvert validate --format github
      - run: ./culvert test
`

// preCommit has the pre-commit program (https://pre-commit.com) check the rules before each commit;
// culvert must be in the PATH.
const preCommit = `repos:
  - repo: local
    hooks:
      - id: culvert-fmt
        name: culvert fmt
        entry: culvert fmt --check
        language: system
        pass_filenames: false
        files: '^(rules|maps|samples|metadata)/|^culvert\.yaml$'
      - id: culvert-validate
        name: culvert validate
        entry: culvert validate
        language: system
        pass_filenames: false
        files: '^(rules|maps|samples|metadata)/|^culvert\.yaml$'
      - id: culvert-test
        name: culvert test
        entry: culvert test
        language: system
        pass_filenames: false
        files: '^(rules|maps|samples|metadata)/|^culvert\.yaml$'
`

// writeMissing writes a file unless it is there: a project may be begun in a repository that has checks of its own.
func writeMissing(path string, text []byte) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	return writeFile(path, text)
}

func writeFile(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("make the folder of %s: %w", path, err)
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
