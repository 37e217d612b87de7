package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/culvert/culvert/engine/language"
	"github.com/culvert/culvert/engine/language/languagetest"
	"github.com/culvert/culvert/engine/project"
)

// TestHelpIsTranslated holds that every language says what the commands say of themselves.
func TestHelpIsTranslated(t *testing.T) {
	a := &app{loader: &project.Loader{Sources: project.SourceKinds()}}
	texts := helpTexts(a.root())
	for _, tag := range language.Tags()[1:] {
		languagetest.Complete(t, filepath.Join("..", "..", "engine", "language", "descriptions", tag+".yaml"),
			[]languagetest.Part{{Name: "commands", Texts: texts}}, *update)
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

// helpTexts lists what help says.
func helpTexts(root *cobra.Command) map[string]bool {
	texts := map[string]bool{}
	for _, words := range frame {
		texts[words] = true
	}
	root.InitDefaultHelpCmd()
	visitAll(root, func(c *cobra.Command) {
		if c.Parent() != nil && c.Parent().Name() == "completion" || c.Name() == "completion" || c.Name() == "help" {
			texts[c.Short] = true // the rest is about shells, in the words of the library
			return
		}
		for p := range strings.SplitSeq(c.Short+"\n\n"+c.Long, "\n\n") {
			texts[language.Paragraph(p)] = true
		}
		visitFlags(c, func(f *pflag.Flag) {
			if !strings.HasPrefix(f.Usage, "help for ") && !f.Hidden {
				texts[f.Usage] = true
			}
		})
	})
	delete(texts, "")
	return texts
}
