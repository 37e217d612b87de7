package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"gopkg.in/yaml.v3"

	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/rules/examples"
)

// block is one fenced block of a page.
type block struct {
	page, language, text string
	line                 int // of its first line
}

// docPages lists the pages that people read.
func docPages(t *testing.T) []string {
	t.Helper()
	pages := []string{"../../README.md", "../../CONTRIBUTING.md"}
	err := filepath.WalkDir("../../docs", func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".md") {
			pages = append(pages, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return pages
}

var fence = regexp.MustCompile("^( *)```([a-z]*(?: title)?)")

// blocksOf gives the fenced blocks of a page.
func blocksOf(t *testing.T, page string) []block {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var out []block
	var open *block
	indent := ""
	for n, line := range strings.Split(string(text), "\n") {
		m := fence.FindStringSubmatch(line)
		switch {
		case open == nil && m != nil:
			open, indent = &block{page: strings.TrimPrefix(page, "../../"), language: m[2], line: n + 2}, m[1]
		case open != nil && m != nil:
			out = append(out, *open)
			open = nil
		case open != nil:
			open.text += strings.TrimPrefix(line, indent) + "\n"
		}
	}
	if open != nil {
		t.Errorf("%s: the block at line %d is not closed", page, open.line)
	}
	return out
}

// TestDocsShowCommandsThatExist takes every command line of the docs through the parser of commands.
func TestDocsShowCommandsThatExist(t *testing.T) {
	seen := 0
	for _, page := range docPages(t) {
		for _, b := range blocksOf(t, page) {
			if b.language == "yaml" || b.language == "json" || b.language == "text" {
				continue
			}
			for n, line := range strings.Split(b.text, "\n") {
				line = strings.TrimPrefix(strings.TrimSpace(line), "$ ")
				args, ok := commandLine(line)
				if !ok {
					continue
				}
				seen++
				if err := parses(args); err != nil {
					t.Errorf("%s:%d: %s: %v", b.page, b.line+n, line, err)
				}
			}
		}
	}
	if seen < 50 {
		t.Errorf("only %d commands were found: does the test still read the docs?", seen)
	}
}

var word = regexp.MustCompile(`(?:"[^"]*"|'[^']*'|\$\([^)]*\)|[^\s"'$]|\$)+`)

// commandLine splits a line that calls culvert into its arguments; what follows a comment, a pipe
// or an ampersand is not the command's.
func commandLine(line string) ([]string, bool) {
	line = strings.TrimPrefix(line, "./")
	rest, ok := strings.CutPrefix(line, "culvert ")
	if !ok {
		if _, after, found := strings.Cut(line, "culvert-project "); found && !strings.Contains(line, "`") {
			_, rest, ok = strings.Cut(strings.TrimSpace(after), " ")
		}
	}
	if !ok {
		return nil, false
	}
	var args []string
	for _, w := range word.FindAllString(rest, -1) {
		if strings.HasPrefix(w, "#") || w == "|" || w == "&" || w == "&&" || w == ">" || w == "<" ||
			strings.HasPrefix(w, ";") {
			break
		}
		args = append(args, strings.Trim(w, `"'`))
	}
	return args, true
}

// parses tells whether a command, its flags and the number of its arguments are right.
func parses(args []string) error {
	for _, a := range args {
		if strings.HasPrefix(a, "…") || a == "..." || a == "COMMAND..." {
			return nil // a form, not a command
		}
	}
	a := &app{stdout: io.Discard, stderr: io.Discard, loader: &project.Loader{Sources: project.SourceKinds()}}
	root := a.root()
	c, rest, err := root.Find(args)
	if err != nil {
		return err
	}
	if c == root && len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		return fmt.Errorf("there is no command %s", args[0])
	}
	if err := c.ParseFlags(rest); err != nil {
		return err
	}
	return validArgs(c)
}

func validArgs(c *cobra.Command) error {
	if c.Args == nil {
		return nil
	}
	return c.Args(c, c.Flags().Args())
}

// TestDocsShowRulesThatLoad validates every whole rule file and culvert.yaml of the docs, with the
// metadata and the samples of the examples.
func TestDocsShowRulesThatLoad(t *testing.T) {
	dir := allExamples(t)
	_, url := startSandbox(t, dir)
	culvert(t, environ(url), dir, "sync")
	seen := 0
	for _, page := range docPages(t) {
		for _, b := range blocksOf(t, page) {
			if b.language != "yaml" { // those with a title are loaded by a test of the package rules
				continue
			}
			var top map[string]any
			if err := yaml.Unmarshal([]byte(b.text), &top); err != nil {
				var list []any
				// ways to write one key, one a line
				if yaml.Unmarshal([]byte(b.text), &list) != nil && !strings.Contains(err.Error(), "already defined") {
					t.Errorf("%s:%d: this is no YAML: %v", b.page, b.line, err)
				}
				continue
			}
			_, isRule := top["rule"]
			_, hasActions := top["actions"]
			_, isConfig := top["project"]
			switch {
			case isRule && hasActions:
				seen++
				loads(t, dir, b)
			case isConfig:
				seen++
				configLoads(t, b)
			}
		}
	}
	if seen < 1 {
		t.Errorf("only %d rule files and settings were found: does the test still read the docs?", seen)
	}
}

// allExamples lays the samples, maps and tables of all examples into one project without rules.
func allExamples(t *testing.T) string {
	t.Helper()
	dir := exampleProject(t, "anc")
	for _, name := range examples.Names() {
		err := examples.Write(name, dir, func(path string) bool {
			_, err := os.Stat(filepath.Join(dir, path))
			return err != nil && !strings.HasPrefix(path, "rules/")
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	config, err := os.ReadFile(filepath.Join(dir, "culvert.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	config = append(config, "connections:\n  registry: {database: \"sqlite:registry.db\"}\n  hq: {commcare: "+
		"\"${HQ_URL}\", domain: tamala, username: reader, api_key: \"${HQ_KEY}\"}\n"...)
	if err := os.WriteFile(filepath.Join(dir, "culvert.yaml"), config, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "rules")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// loads wants a rule of the docs to have no mistake.
func loads(t *testing.T, dir string, b block) {
	t.Helper()
	rules := filepath.Join(dir, "rules")
	if err := os.MkdirAll(rules, 0o755); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := os.RemoveAll(rules); err != nil {
			t.Error(err)
		}
	}()
	if err := os.WriteFile(filepath.Join(rules, "docs.yaml"), []byte(b.text), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := (&project.Loader{Sources: project.SourceKinds()}).Load(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if p.Findings.HasErrors() {
		var out bytes.Buffer
		a := &app{stdout: &out, stderr: &out}
		if err := a.printFindings(&out, p.Findings, p.Texts); err != nil {
			t.Fatal(err)
		}
		t.Errorf("%s:%d: the rule has mistakes:\n%s", b.page, b.line, out.String())
	}
}

func configLoads(t *testing.T, b block) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "culvert.yaml"), []byte(b.text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, findings, err := project.ReadConfig(dir)
	if err != nil || findings.HasErrors() {
		t.Errorf("%s:%d: culvert.yaml has mistakes: %v %v", b.page, b.line, findings, err)
	}
}

// TestDocsRunWordForWord runs the pages that lead somebody by the hand: every line of their blocks
// marked console, in the order of the page, as one script. What a person leaves running in a
// terminal runs in the background; ports are changed for free ones.
func TestDocsRunWordForWord(t *testing.T) {
	if testing.Short() {
		t.Skip("runs every tutorial")
	}
	bash, err := exec.LookPath("bash")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("there is no bash")
		}
		t.Skip("there is no bash")
	}
	pages, err := filepath.Glob("../../docs/tutorials/*.md")
	if err != nil {
		t.Fatal(err)
	}
	pages = append(pages, "../../docs/getting-started.md", "../../docs/fr/premiers-pas.md",
		"../../docs/pt/primeiros-passos.md")
	for _, page := range pages {
		t.Run(strings.TrimSuffix(filepath.Base(page), ".md"), func(t *testing.T) {
			t.Parallel()
			runPage(t, bash, page)
		})
	}
}

func runPage(t *testing.T, bash, page string) {
	dir := t.TempDir()
	self, err := filepath.Abs(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(dir, "bin")
	wrapper := fmt.Sprintf("#!/bin/sh\n%s=1 exec %q \"$@\"\n", asChild, self)
	if err := errors.Join(os.Mkdir(bin, 0o755), os.WriteFile(filepath.Join(bin, "culvert"), []byte(wrapper),
		0o755)); err != nil {
		t.Fatal(err)
	}
	web, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	practice, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	ports := strings.NewReplacer("127.0.0.1:8080", web, "127.0.0.1:8085", practice)
	var script strings.Builder
	script.WriteString("set -eu\ntrap 'kill $(jobs -p) 2>/dev/null || true; wait || true' EXIT\n")
	lines := 0
	for _, b := range blocksOf(t, page) {
		if b.language != "console" {
			continue
		}
		for line := range strings.Lines(b.text) {
			lines++
			line = ports.Replace(strings.TrimRight(line, "\n"))
			switch {
			case strings.HasPrefix(line, "culvert init "):
				// A project listens where the practice of others does: here it must not.
				fmt.Fprintf(&script, "%s\nsed -i 's/127.0.0.1:8080/%s/' */culvert.yaml\n", line, web)
			case strings.HasPrefix(line, "culvert sandbox "):
				fmt.Fprintf(&script, "%s --listen %s >sandbox.log 2>&1 &\n%s", line, practice,
					awaitLine("curl -sf -o /dev/null http://"+practice+"/"))
			case line == "culvert run":
				fmt.Fprintf(&script, "%s >run.log 2>&1 &\n%s", line, awaitLine("culvert health --ready"))
			default:
				script.WriteString(line + "\n")
			}
		}
	}
	if lines < 5 {
		t.Fatalf("the page has %d lines to run", lines)
	}
	c := exec.Command(bash, "-c", script.String())
	c.Dir = dir
	c.Env = append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"), "HOME="+dir)
	if out, err := c.CombinedOutput(); err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "run.log")) // there when it came so far
		t.Fatalf("%s: %v\n%s\n%s", page, err, out, log)
	}
}

// awaitLine waits in a script until a command succeeds.
func awaitLine(command string) string {
	return fmt.Sprintf("for i in $(seq 300); do if %s >/dev/null 2>&1; then break; fi; sleep 0.2; done\n%s >/dev/null\n",
		command, command)
}

// TestCookbookNamesEveryExample finds rules of the examples that the cookbook does not list.
func TestCookbookNamesEveryExample(t *testing.T) {
	book, err := os.ReadFile("../../docs/cookbook.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range examples.Names() {
		_, section, found := strings.Cut(string(book), "\n`culvert init --example "+name+" my-copy`\n")
		if !found {
			t.Errorf("no section of the project %s", name)
			continue
		}
		section, _, _ = strings.Cut(section, "\n## ")
		files, err := filepath.Glob("../../rules/examples/" + name + "/rules/*.yaml")
		if err != nil || len(files) == 0 {
			t.Fatalf("rules of %s: %v", name, err)
		}
		for _, file := range files {
			rule := strings.TrimSuffix(filepath.Base(file), ".yaml")
			if !strings.HasPrefix(rule, "_") && !strings.Contains(section, "\n| `"+rule+"` |") {
				t.Errorf("the section of %s does not say what the rule %s does", name, rule)
			}
		}
	}
}
