package main

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	"github.com/culvert/culvert/actions/dhis2/codes"
	"github.com/culvert/culvert/rules/diag/explain"
)

// completes has the shell complete names of the project wherever a command or a flag takes one. A
// project that cannot be read completes nothing.
func (a *app) completes(root *cobra.Command) {
	visitAll(root, func(c *cobra.Command) {
		switch c.Name() {
		case "try", "plan", "test":
			c.ValidArgsFunction = first(a.ruleNames)
		case "explain":
			c.ValidArgsFunction = first(func(context.Context) []string { return allCodes() })
		case "schema":
			c.ValidArgsFunction = first(func(context.Context) []string { return []string{"rule", "config"} })
		}
		for flag, names := range map[string]func(context.Context) []string{
			"rule": a.ruleNames, "server": a.serverNames, "code": func(context.Context) []string { return allCodes() },
		} {
			if c.Flags().Lookup(flag) == nil {
				continue
			}
			// It fails only for a flag that is not there or is completed already.
			_ = c.RegisterFlagCompletionFunc(flag, func(c *cobra.Command, _ []string, _ string) ([]string,
				cobra.ShellCompDirective) {
				return names(c.Context()), cobra.ShellCompDirectiveNoFileComp
			})
		}
	})
}

func visitAll(c *cobra.Command, visit func(*cobra.Command)) {
	visit(c)
	for _, sub := range c.Commands() {
		visitAll(sub, visit)
	}
}

// first completes the first argument with names, and the others with files.
func first(names func(context.Context) []string) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveDefault
		}
		return names(c.Context()), cobra.ShellCompDirectiveNoFileComp
	}
}

func (a *app) ruleNames(ctx context.Context) []string {
	p, err := a.load(contextOr(ctx))
	if err != nil {
		return nil
	}
	return ruleNames(p)
}

func (a *app) serverNames(ctx context.Context) []string {
	p, err := a.load(contextOr(ctx))
	if err != nil || p.Config == nil {
		return nil
	}
	return p.Config.ServerNames()
}

// contextOr gives a context where the shell's completion has none.
func contextOr(ctx context.Context) context.Context {
	if ctx == nil {
		return context.Background()
	}
	return ctx
}

func allCodes() []string {
	all := explain.Codes()
	for _, e := range codes.All() {
		all = append(all, e.Code)
	}
	slices.Sort(all)
	return all
}
