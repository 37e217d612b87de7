package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/rules/yamlnode"
)

func (a *app) fmtCommand() *cobra.Command {
	var check bool
	c := &cobra.Command{
		Use:   "fmt [FILE...]",
		Short: "Lay out rule files and culvert.yaml evenly; comments stay",
		RunE: func(_ *cobra.Command, args []string) error {
			files := args
			if len(files) == 0 {
				found, err := project.RuleFiles(a.dir)
				if err != nil {
					return err
				}
				for _, f := range append(found, project.ConfigFile) {
					files = append(files, filepath.Join(a.dir, filepath.FromSlash(f)))
				}
			}
			changed := 0
			for _, f := range files {
				differs, err := a.formatFile(f, check)
				if err != nil {
					return err
				}
				if differs {
					changed++
				}
			}
			if check && changed > 0 {
				return errFindings
			}
			return nil
		},
	}
	c.Flags().BoolVar(&check, "check", false,
		"change nothing; list the files that would change and end with 1 when there are any")
	return c
}

func (a *app) formatFile(file string, check bool) (bool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return false, fmt.Errorf("read the file: %w", err)
	}
	out, err := yamlnode.Format(file, text)
	if err != nil {
		return false, err
	}
	if bytes.Equal(text, out) {
		return false, nil
	}
	fmt.Fprintln(a.stdout, file)
	if check {
		return true, nil
	}
	return true, writeFile(file, out)
}
