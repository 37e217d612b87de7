package main

import (
	"bytes"
	"io"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/culvert/culvert/engine/language"
)

// helpWidth is how many letters a line of help has at most, as the texts are laid out.
const helpWidth = 100

// frame are the words around what the commands say of themselves.
var frame = []string{"Usage:", "Aliases:", "Examples:", "Available Commands:", "Additional Commands:",
	"Additional help topics:", "Global Flags:", "Flags:",
	`Use "%s [command] --help" for more information about a command.`, "help for %s", "(default %s)", "[flags]", "[command]"}

// helpIn has help said in the language of whoever asks for it.
func (a *app) helpIn(root *cobra.Command) {
	english := root.HelpFunc()
	root.SetHelpFunc(func(c *cobra.Command, args []string) {
		if a.language == nil {
			english(c, args)
			return
		}
		out := c.OutOrStdout()
		translateHelp(c.Root(), a.language)
		var b bytes.Buffer
		c.SetOut(&b)
		english(c, args)
		c.SetOut(nil)
		_, _ = io.WriteString(out, framed(b.String(), a.language)) // as with all help, nobody is left to tell
	})
}

// translateHelp says in a language what commands and their flags say of themselves.
func translateHelp(root *cobra.Command, l *language.Language) {
	template := root.UsageTemplate()
	for _, words := range frame {
		if words == "Flags:" {
			template = strings.ReplaceAll(template, "\nFlags:", "\n"+l.Help(words, 0))
			continue
		}
		if strings.HasPrefix(words, "[") || strings.HasPrefix(words, "(") {
			continue // not of the template
		}
		said := l.Help(words, 0)
		template = strings.ReplaceAll(template, fillIn(words, "{{.CommandPath}}"), fillIn(said, "{{.CommandPath}}"))
	}
	root.SetUsageTemplate(template)
	said := map[*pflag.Flag]bool{}
	visitAll(root, func(c *cobra.Command) {
		c.InitDefaultHelpFlag()
		c.Short, c.Long = l.Help(c.Short, 0), l.Help(c.Long, helpWidth)
		visitFlags(c, func(f *pflag.Flag) {
			switch of, isHelp := strings.CutPrefix(f.Usage, "help for "); {
			case said[f]: // one that all commands take is met with each
			case isHelp:
				f.Usage = fillIn(l.Help("help for %s", 0), of)
			default:
				f.Usage = l.Help(f.Usage, 0)
			}
			said[f] = true
		})
	})
}

func fillIn(text, value string) string { return strings.Replace(text, "%s", value, 1) }

// visitFlags visits the flags of a command itself, those that are meant for it alone and those that all below it take.
func visitFlags(c *cobra.Command, visit func(*pflag.Flag)) {
	c.LocalFlags().VisitAll(visit)
	c.PersistentFlags().VisitAll(visit)
}

var defaultValue = regexp.MustCompile(`(?m)\(default (.*)\)$`)

// framed says what the library writes behind flags.
func framed(help string, l *language.Language) string {
	said := l.Help("(default %s)", 0)
	help = strings.NewReplacer(" [flags]\n", " "+l.Help("[flags]", 0)+"\n", " [command]\n", " "+l.Help("[command]", 0)+"\n").
		Replace(help)
	return defaultValue.ReplaceAllStringFunc(help, func(found string) string {
		return fillIn(said, defaultValue.FindStringSubmatch(found)[1])
	})
}
