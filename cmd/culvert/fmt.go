package main

import (
	"bytes"
	"errors"
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
		Use:   "fmt [FILE|FOLDER...]",
		Short: "Lay out rule files and culvert.yaml evenly; comments stay",
		Long: `Lay out rule files and culvert.yaml evenly; comments stay. Files and folders are named as seen from
the current folder, or from the project's; without any, the whole project is laid out.`,
		Example: "  culvert fmt\n  culvert fmt --check rules/anc-registration.yaml",
		RunE: func(_ *cobra.Command, args []string) error {
			files, err := a.filesToFormat(args)
			if err != nil {
				return err
			}
			changed := 0
			var failed []error // others are laid out all the same
			for _, f := range files {
				differs, err := a.formatFile(f, check)
				if err != nil {
					failed = append(failed, err)
				}
				if differs {
					changed++
				}
			}
			if len(failed) > 0 {
				return errors.Join(failed...)
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

// filesToFormat lists the files named, and of folders the rule files below them; without names those of the project.
func (a *app) filesToFormat(args []string) ([]string, error) {
	if len(args) == 0 {
		return projectFiles(a.dir)
	}
	var files []string
	for _, arg := range args {
		info, err := os.Stat(arg)
		if inProject := filepath.Join(a.dir, arg); err != nil && !filepath.IsAbs(arg) {
			if there, missing := os.Stat(inProject); missing == nil {
				arg, info, err = inProject, there, nil
			}
		}
		if err != nil {
			return nil, fmt.Errorf("read the file: %w", err)
		}
		if !info.IsDir() {
			files = append(files, arg)
			continue
		}
		below := project.RuleFilesBelow
		if _, err := os.Stat(filepath.Join(arg, project.ConfigFile)); err == nil {
			below = projectFiles // its other YAML is no rule
		}
		found, err := below(arg)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("the folder %s has no rule files: their names end in .yaml, and do not begin "+
				"with _ or a dot", arg)
		}
		files = append(files, found...)
	}
	return files, nil
}

// projectFiles are the rule files of a project and its culvert.yaml.
func projectFiles(dir string) ([]string, error) {
	found, err := project.RuleFiles(dir)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, f := range append(found, project.ConfigFile) {
		files = append(files, filepath.Join(dir, filepath.FromSlash(f)))
	}
	return files, nil
}

func (a *app) formatFile(file string, check bool) (bool, error) {
	text, err := project.ReadPlain(file, file)
	if err != nil {
		return false, err
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
