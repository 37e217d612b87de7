package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/engine/scaffold"
	"github.com/culvert/culvert/engine/scaffold/form"
)

// formFlags are the flags of `culvert new` on the definition of a form.
type formFlags struct{ file, xlsform, name, tool string }

func (f *formFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.file, "form", "", "the definition of the form: XLSForm, XForm, asset of KoboToolbox, or CommCare "+
		"app structure")
	flags.StringVar(&f.xlsform, "xlsform", "", "the same as --form, of an XLSForm")
	flags.StringVar(&f.name, "form-name", "", "which form of a CommCare app: its name, module / name, or xmlns")
	flags.StringVar(
		&f.tool,
		"tool",
		"",
		"who sends the form, where neither it nor a sample says so: commcare, kobo, odk "+
			"(central-webhook) or collect (phones that submit by themselves)",
	)
}

// readForm reads the definition of the form. Without a sample it makes one, as the tool would send it.
func (a *app) readForm(dir string, flags formFlags, r *scaffold.Request) error {
	file := flags.file
	switch {
	case file != "" && flags.xlsform != "":
		return errors.New("give the form once: with --form or with --xlsform")
	case file == "":
		file = flags.xlsform
	}
	if file == "" {
		if flags.name != "" || flags.tool != "" {
			return errors.New("--form-name and --tool say more of a form: name its file with --form")
		}
		return nil
	}
	if !filepath.IsAbs(file) {
		file = filepath.Join(dir, file)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read the form: %w", err)
	}
	if r.Form, err = form.Read(filepath.Base(file), data, flags.name); err != nil {
		return err
	}
	for _, note := range r.Form.Notes {
		fmt.Fprintf(a.stderr, "%s: %s\n", filepath.Base(file), note)
	}
	if r.Sample != "" {
		return nil
	}
	tool := r.Form.Tool
	if tool == "" {
		tool = form.Tool(flags.tool)
	}
	switch {
	case tool == "":
		return errors.New("the form does not say who sends it, which decides where answers stand: add --tool commcare, " +
			"--tool kobo, --tool odk, or --tool collect for phones that submit by themselves; or give a record with --sample")
	case !slices.Contains(form.Tools, tool):
		return fmt.Errorf("%q sends no records that are known: --tool is commcare, kobo, odk or collect", flags.tool)
	}
	if strings.HasPrefix(r.Address, "drop/") {
		return errors.New("the rule is to take files: give one with --sample, beside the form")
	}
	if tool == form.Collect {
		submitted(dir, file, r)
	}
	return a.makeSample(dir, tool, r)
}

// submitted has the rule take what phones submit by themselves, and hand out the form where it lies among those of
// the project.
func submitted(dir, file string, r *scaffold.Request) {
	if !strings.HasSuffix(r.Address, "/submission") {
		r.Address = strings.TrimSuffix(r.Address, "/") + "/submission"
	}
	rel, err := filepath.Rel(dir, file)
	if rel = filepath.ToSlash(rel); err == nil && strings.HasPrefix(rel, project.FormsDir+"/") && path.Ext(rel) == ".xml" {
		r.Forms = rel
	}
}

// makeSample writes a sample that the form would make. One that is there is somebody's work.
func (a *app) makeSample(dir string, tool form.Tool, r *scaffold.Request) error {
	text, err := json.MarshalIndent(r.Form.Sample(tool), "", "  ")
	if err != nil {
		return fmt.Errorf("write the sample: %w", err)
	}
	r.Sample, r.Made = path.Join("samples", r.Name+".json"), true
	file := filepath.Join(dir, filepath.FromSlash(r.Sample))
	if _, err := os.Stat(file); err == nil {
		return fmt.Errorf("%s is there already: give it with --sample, or choose another name for the rule", r.Sample)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return fmt.Errorf("make the folder of the samples: %w", err)
	}
	if err := writeFile(file, append(text, '\n')); err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "%s made from the form, its answers are invented: put a real record there once you have one\n",
		r.Sample)
	return nil
}
