package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/rules/diag"
)

// answerUnknown has commands that only hold others answer an unknown one with the nearest, and
// every command an unknown flag.
func answerUnknown(c *cobra.Command) {
	c.SetFlagErrorFunc(nearestFlag)
	for _, sub := range c.Commands() {
		answerUnknown(sub)
	}
	if !c.HasSubCommands() {
		answerArguments(c)
		return
	}
	if !c.Runnable() {
		c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() } // else no argument is looked at
	}
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		var names []string
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() {
				names = append(append(names, sub.Name()), sub.Aliases...)
			}
		}
		if near := diag.Nearest(args[0], names); len(near) > 0 {
			return fmt.Errorf("there is no command %q; did you mean %s?", c.CommandPath()+" "+args[0], diag.Names(near, "or"))
		}
		return fmt.Errorf("there is no command %q; `%s --help` lists them", c.CommandPath()+" "+args[0], c.CommandPath())
	}
}

// answerArguments has a command answer too few or too many arguments with how it is written.
func answerArguments(c *cobra.Command) {
	fits := c.Args
	if fits == nil {
		return
	}
	c.Args = func(c *cobra.Command, args []string) error {
		if fits(c, args) == nil {
			return nil
		}
		if len(args) == 0 {
			return fmt.Errorf("nothing is given to `%s`, which is written `%s`; `%s --help` says more", c.CommandPath(),
				c.UseLine(), c.CommandPath())
		}
		return fmt.Errorf("%s is given to `%s`, which is written `%s`; `%s --help` says more", strings.Join(args, " "),
			c.CommandPath(), c.UseLine(), c.CommandPath())
	}
}

var unknownFlag = regexp.MustCompile(`^unknown flag: --([^\s=]+)`)

// nearestFlag adds the nearest flag to what is said of an unknown one.
func nearestFlag(c *cobra.Command, err error) error {
	if errors.Is(err, pflag.ErrHelp) {
		return err
	}
	m := unknownFlag.FindStringSubmatch(err.Error())
	if m == nil {
		return fmt.Errorf("%w; `%s --help` lists the flags", err, c.CommandPath())
	}
	var names []string
	c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	if near := diag.Nearest(m[1], names); len(near) > 0 {
		return fmt.Errorf("%s has no flag --%s; did you mean --%s?", c.CommandPath(), m[1], near[0])
	}
	return fmt.Errorf("%s has no flag --%s; `%s --help` lists them", c.CommandPath(), m[1], c.CommandPath())
}

// didYouMean names the nearest of what exists, for the end of a message; when nothing is near, some of it.
func didYouMean(name string, known []string) string {
	if near := diag.Nearest(name, known); len(near) > 0 {
		return "; did you mean " + diag.Names(near, "or") + "?"
	}
	if some := diag.Known(known, "names"); some != "" {
		return "; " + some
	}
	return ""
}

func ruleNames(p *project.Project) []string {
	names := make([]string, 0, len(p.Rules))
	for _, r := range p.Rules {
		names = append(names, r.Name)
	}
	return names
}
