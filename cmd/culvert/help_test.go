package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"gopkg.in/yaml.v3"

	"github.com/culvert/culvert/engine/language"
	"github.com/culvert/culvert/engine/project"
)

// TestHelpIsTranslated holds that every language says what the commands say of themselves.
func TestHelpIsTranslated(t *testing.T) {
	a := &app{loader: &project.Loader{Sources: project.SourceKinds()}}
	texts := helpTexts(a.root())
	for _, tag := range language.Tags() {
		if tag == "en" {
			continue
		}
		file := filepath.Join("..", "..", "engine", "language", "descriptions", tag+".yaml")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var said struct{ Commands map[string]string }
		if err := yaml.Unmarshal(text, &said); err != nil {
			t.Fatal(err)
		}
		var missing []string
		for _, english := range slices.Sorted(maps.Keys(texts)) {
			if said.Commands[english] == "" {
				missing = append(missing, fmt.Sprintf("  %q: \"\" # %s", english, texts[english]))
			}
		}
		if len(missing) > 0 {
			t.Errorf("%s lacks below commands:\n%s", file, strings.Join(missing, "\n"))
		}
		for english := range said.Commands {
			if texts[english] == "" {
				t.Errorf("%s translates %q, which no command says any more", file, english)
			}
		}
	}
}

// TestHelpInALanguage asks for help as people do.
func TestHelpInALanguage(t *testing.T) {
	for _, c := range []struct {
		args  []string
		wants []string
		not   string
	}{
		{[]string{"--help", "--lang", "fr"}, []string{"Utilisation :", "Commandes :", "par défaut"}, "Available"},
		{[]string{"new", "--help", "--lang=pt"}, []string{"Utilização:", "Exemplos:", "ajuda de new"}, "Flags:"},
		{[]string{"help", "sync", "--lang", "fr"}, []string{"Utilisation :"}, "Usage:"},
		{[]string{"bogus", "--lang", "fr"}, []string{"il n'y a pas de commande \"culvert bogus\""}, "there is"},
	} {
		var out strings.Builder
		run(c.args, strings.NewReader(""), &out, &out)
		for _, want := range c.wants {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%q says\n%s\nwithout %q", c.args, out.String(), want)
			}
		}
		if strings.Contains(out.String(), c.not) {
			t.Errorf("%q says\n%s\nwith %q", c.args, out.String(), c.not)
		}
	}
}

// helpTexts lists what help says, each with the command that says it.
func helpTexts(root *cobra.Command) map[string]string {
	texts := map[string]string{}
	for _, words := range frame {
		texts[words] = "the frame"
	}
	root.InitDefaultHelpCmd()
	visitAll(root, func(c *cobra.Command) {
		if c.Parent() != nil && c.Parent().Name() == "completion" || c.Name() == "completion" || c.Name() == "help" {
			texts[c.Short] = c.CommandPath() // the rest is about shells, in the words of the library
			return
		}
		for p := range strings.SplitSeq(c.Short+"\n\n"+c.Long, "\n\n") {
			texts[language.Paragraph(p)] = c.CommandPath()
		}
		visitFlags(c, func(f *pflag.Flag) {
			if !strings.HasPrefix(f.Usage, "help for ") && !f.Hidden {
				texts[f.Usage] = fmt.Sprintf("%s --%s", c.CommandPath(), f.Name)
			}
		})
	})
	delete(texts, "")
	return texts
}
