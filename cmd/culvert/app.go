package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/culvert/culvert/engine/language"
	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/rules/diag"
)

// Exit codes of every command.
const (
	exitFine     = 0
	exitFindings = 1 // invalid rules, failed tests, differences, failures
	exitCannot   = 2 // usage, unreadable config, server unreachable
)

// errFindings ends a command with exitFindings after everything has been printed.
var errFindings = errors.New("findings")

// app is what every command shares: where it runs and where it prints.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	dir            string
	verbose        bool
	logFormat      string
	loader         *project.Loader
	lang           string             // as --lang says
	language       *language.Language // what people are told in; nil: English
}

// run executes one command line and gives the exit code; tests call it in-process.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr,
		loader: &project.Loader{Sources: project.SourceKinds(), Actions: project.ActionKinds()}}
	a.stdout, a.stderr = &plainWriter{to: stdout, colours: a.colour(stdout)},
		&plainWriter{to: stderr, colours: a.colour(stderr)}
	a.language = languageAsked(args) // of help, and of what is said before a command is understood
	root := a.root()
	root.SetArgs(args)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := errors.Join(root.ExecuteContext(ctx), a.finish())
	switch {
	case err == nil:
		return exitFine
	case errors.Is(err, errFindings):
		return exitFindings
	default:
		// What is told of a server says that it is tried again, which a run does and a command that has ended does not.
		fmt.Fprintf(a.stderr, "culvert: %s\n", a.language.Text(strings.ReplaceAll(err.Error(),
			"it is tried again by itself", "run this command again then")))
		return exitCannot
	}
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "culvert",
		Short: "Carry field data into DHIS2",
		Long: "Culvert takes records from webhooks, dropped files, databases and CommCare, and writes them to " +
			"DHIS2 as its rule files say.",
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.PersistentFlags().StringVarP(&a.dir, "dir", "C", ".", "the project folder, the one that holds culvert.yaml")
	root.PersistentFlags().BoolVarP(&a.verbose, "verbose", "v", false, "log more")
	root.PersistentFlags().StringVar(&a.logFormat, "log-format", "",
		"text or json; default: text on a terminal, json otherwise")
	var envFiles []string
	root.PersistentFlags().StringArrayVar(&envFiles, "env-file", nil,
		"read variables from a file of NAME=value lines; those that are set already stay")
	root.PersistentFlags().StringVar(&a.lang, "lang", "",
		"the language of what people are told: en, fr or pt; default: that of the environment (LANG)")
	root.PersistentPreRunE = func(c *cobra.Command, _ []string) error {
		return errors.Join(readEnvFiles(envFiles), a.speak(c))
	}
	for _, add := range a.commands() {
		root.AddCommand(add())
	}
	root.InitDefaultCompletionCmd()
	answerUnknown(root)
	a.completes(root)
	a.helpIn(root)
	return root
}

// logger writes to stderr: results go to stdout.
func (a *app) logger() *slog.Logger {
	level := slog.LevelInfo
	if a.verbose {
		level = slog.LevelDebug
	}
	o := &slog.HandlerOptions{Level: level}
	if a.logFormat == "json" || a.logFormat == "" && !isTerminal(a.stderr) {
		return slog.New(slog.NewJSONHandler(a.stderr, o))
	}
	return slog.New(slog.NewTextHandler(a.stderr, o))
}

// load reads the project; findings are the caller's to print.
func (a *app) load(ctx context.Context) (*project.Project, error) {
	return a.loader.Load(ctx, a.dir)
}

// loadConfig reads culvert.yaml and fails on findings, which it prints.
func (a *app) loadConfig() (*project.Config, error) {
	c, text, findings, err := project.ReadConfig(a.dir)
	if err != nil {
		return nil, err
	}
	if findings.HasErrors() {
		if err := a.printFindings(a.stderr, findings, map[string][]byte{project.ConfigFile: text}); err != nil {
			return nil, err
		}
		return nil, errors.New("culvert.yaml has mistakes, see above")
	}
	return c, nil
}

// printFindings prints findings as text with their source lines, in the language of the reader.
func (a *app) printFindings(w io.Writer, list diag.List, texts map[string][]byte) error {
	return diag.Render(asIs(w), "text", diag.Report{Findings: list, Source: sourceOf(texts), Colour: a.colour(asIs(w)),
		Say: a.language.Text})
}

// sourceOf gives renderers the text of files.
func sourceOf(texts map[string][]byte) func(string) ([]byte, bool) {
	return func(file string) ([]byte, bool) {
		text, ok := texts[file]
		return text, ok
	}
}

// colour tells whether to print colours: on a terminal, unless the environment says otherwise.
func (a *app) colour(w io.Writer) bool {
	if os.Getenv("CLICOLOR_FORCE") != "" && os.Getenv("CLICOLOR_FORCE") != "0" {
		return true
	}
	return os.Getenv("NO_COLOR") == "" && isTerminal(w)
}

func isTerminal(w io.Writer) bool {
	f, ok := raw(asIs(w)).(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// quiet is a logger for commands that print their own progress; -v makes it speak.
func (a *app) quiet() *slog.Logger {
	if a.verbose {
		return a.logger()
	}
	return slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: slog.LevelError}))
}

// raw gives the writer behind a plain one, for what draws on a terminal itself and shows nothing from outside.
func raw(w io.Writer) io.Writer {
	if p, ok := w.(*plainWriter); ok {
		return p.to
	}
	return w
}
