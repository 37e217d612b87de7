package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/culvert/culvert/engine/language"
	"github.com/culvert/culvert/engine/project"
)

// spoken are the commands whose output is for people alone, line by line.
var spoken = []string{"status", "failures", "show", "health", "replay", "dismiss", "pause", "resume",
	"validate", "try", "test", "sync", "plan", "doctor", "import", "init", "new", "forget", "backup", "restore", "rekey",
	"migrate-store", "studio", "convert", "user", "notify", "sample", "service"}

// isSpoken tells whether the output of a command, or of the one that it belongs to, is for people alone.
func isSpoken(c *cobra.Command) bool {
	for ; c != nil; c = c.Parent() {
		if slices.Contains(spoken, c.Name()) {
			return true
		}
	}
	return false
}

// forPrograms are the formats of findings that programs read, in English unless --lang asks for another language.
var forPrograms = []string{"json", "sarif", "junit"}

// speak finds the language of a command: --lang, else that of the environment (LC_ALL, LC_MESSAGES, LANG), else that of
// culvert.yaml.
func (a *app) speak(c *cobra.Command) error {
	if a.lang != "" {
		l, ok := language.Find(a.lang)
		if !ok {
			return fmt.Errorf("--lang %q is not known: use one of %s", a.lang, strings.Join(language.Tags(), ", "))
		}
		a.language = l
	} else if l, ok := language.Find(environment()); ok {
		a.language = l
	} else if isSpoken(c) {
		if config, _, _, err := project.ReadConfig(a.dir); err == nil {
			a.language = config.Language
		}
	}
	format := c.Flags().Lookup("format")
	if a.language != nil && isSpoken(c) && (format == nil || format.Value.String() == "text") {
		a.stdout = &language.Writer{To: a.stdout, Language: a.language}
	}
	return nil
}

// languageAsked gives the language of a command line before it is read: --lang, else that of the environment.
func languageAsked(args []string) *language.Language {
	name := environment()
	for i, arg := range args {
		if value, ok := strings.CutPrefix(arg, "--lang="); ok {
			name = value
		}
		if arg == "--lang" && i+1 < len(args) {
			name = args[i+1]
		}
	}
	l, _ := language.Find(name)
	return l
}

// environment gives the language that the user's environment names.
func environment() string {
	return cmp.Or(os.Getenv("LC_ALL"), os.Getenv("LC_MESSAGES"), os.Getenv("LANG"), systemLanguage())
}

// shared gives the language of what everybody of a project reads: --lang, else that of culvert.yaml, else the user's.
func (a *app) shared(config *project.Config) *language.Language {
	if a.lang != "" {
		return a.language
	}
	return config.LanguageOr(a.language)
}

// sayer gives what says texts in the language of the reader of a format; nil is English.
func (a *app) sayer(format string) func(string) string {
	if a.language == nil || a.lang == "" && slices.Contains(forPrograms, format) {
		return nil
	}
	return a.language.Text
}

// finish passes on what a translated output has kept.
func (a *app) finish() error {
	if w, ok := a.stdout.(*language.Writer); ok {
		return w.Flush()
	}
	return nil
}

// asIs gives a writer that passes on whole lines without translating them: what people wrote stands in them.
func asIs(w io.Writer) io.Writer {
	if l, ok := w.(*language.Writer); ok {
		return l.To
	}
	return w
}

// languageOf gives the language that what is printed to a writer is in.
func languageOf(w io.Writer) *language.Language {
	if l, ok := w.(*language.Writer); ok {
		return l.Language
	}
	return nil
}
