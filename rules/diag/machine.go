package diag

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"
)

// jsonFormatVersion goes up when a field of the JSON output changes its meaning or goes away; new fields do not count.
const jsonFormatVersion = "1.0"

type jsonPosition struct {
	Line   int `json:"line"`
	Column int `json:"column"`
}

type jsonRange struct {
	Start jsonPosition `json:"start"`
	End   jsonPosition `json:"end"`
}

type jsonPlace struct {
	File  string    `json:"file"`
	Range jsonRange `json:"range"`
}

type jsonRelated struct {
	jsonPlace
	Message string `json:"message"`
}

type jsonFinding struct {
	Severity string        `json:"severity"`
	Code     string        `json:"code"`
	Message  string        `json:"message"`
	Hint     string        `json:"hint,omitempty"`
	Source   string        `json:"source,omitempty"` // the line of the file, unless it holds a secret
	Related  []jsonRelated `json:"related,omitempty"`
	Fix      *jsonFix      `json:"fix,omitempty"`
	jsonPlace
}

type jsonFix struct {
	jsonPlace
	Text string `json:"text"`
}

func placeOf(p Place) jsonPlace {
	return jsonPlace{File: p.File, Range: jsonRange{jsonPosition(p.Range.Start), jsonPosition(p.Range.End)}}
}

func renderJSON(w io.Writer, r Report) error {
	errors, warnings := r.Findings.Count()
	out := struct {
		FormatVersion string        `json:"format_version"`
		Valid         bool          `json:"valid"`
		Errors        int           `json:"error_count"`
		Warnings      int           `json:"warning_count"`
		Files         []string      `json:"files"`
		Findings      []jsonFinding `json:"findings"`
	}{jsonFormatVersion, errors == 0, errors, warnings, append([]string{}, r.Files...), []jsonFinding{}}
	sources := sourceCache{read: r.Source}
	for _, d := range r.Findings {
		f := jsonFinding{Severity: d.Severity.String(), Code: d.Code, Message: d.Message, Hint: d.Hint,
			jsonPlace: placeOf(d.Place)}
		if !d.Secret {
			f.Source = sources.line(d.Place)
		}
		for _, rel := range d.Related {
			f.Related = append(f.Related, jsonRelated{placeOf(rel.Place), rel.Message})
		}
		if d.Fix != nil {
			f.Fix = &jsonFix{placeOf(d.Fix.Place), d.Fix.Text}
		}
		out.Findings = append(out.Findings, f)
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(out)
}

// renderGitHub writes workflow commands, which GitHub shows beside the lines of a change. It shows
// ten of a level per step, so WriteSummary gives the whole list.
func renderGitHub(w io.Writer, r Report) error {
	var b strings.Builder
	for _, d := range r.Findings {
		at := d.Place.Range
		properties := []string{"file=" + githubProperty(d.Place.File)}
		if at.Start.Line > 0 {
			properties = append(properties, fmt.Sprintf("line=%d", at.Start.Line),
				fmt.Sprintf("endLine=%d", max(at.End.Line, at.Start.Line)))
			if at.End.Line <= at.Start.Line {
				// GitHub takes columns only when a finding lies in one line.
				properties = append(properties, fmt.Sprintf("col=%d", at.Start.Column),
					fmt.Sprintf("endColumn=%d", max(at.End.Column, at.Start.Column)))
			}
		}
		properties = append(properties, "title="+githubProperty(d.Code))
		message := d.Message
		if d.Hint != "" {
			message += "\n" + d.Hint
		}
		for _, rel := range d.Related {
			message += "\n" + rel.Place.String() + ": " + rel.Message
		}
		fmt.Fprintf(&b, "::%s %s::%s\n", d.Severity, strings.Join(properties, ","), githubMessage(message))
	}
	errors, warnings := r.Findings.Count()
	b.WriteString(r.counts(errors, warnings) + "\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func githubMessage(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(s)
}

func githubProperty(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C").Replace(s)
}

// maxSummary is what GitHub takes as the summary of a step, with room left for what others write.
const maxSummary = 900 << 10

// WriteSummary writes the findings as a Markdown table for GITHUB_STEP_SUMMARY.
func WriteSummary(w io.Writer, r Report) error {
	r.Findings = slices.Clone(r.Findings)
	r.Findings.Sort()
	r = r.translated()
	errors, warnings := r.Findings.Count()
	var b strings.Builder
	b.WriteString("### Culvert: " + r.counts(errors, warnings) + "\n")
	if len(r.Findings) > 0 {
		fmt.Fprintf(&b, "\n| %s | %s | %s | Code |\n| --- | --- | --- | --- |\n", r.say("Place"), r.say("What is wrong"),
			r.say("How to fix it"))
	}
	for i, d := range r.Findings {
		if b.Len() > maxSummary {
			fmt.Fprintf(&b, "\n%s.\n", r.say(fmt.Sprintf("%d more findings are not shown", len(r.Findings)-i)))
			break
		}
		fmt.Fprintf(
			&b,
			"| `%s` | %s: %s | %s | `%s` |\n",
			cell(d.Place.String()),
			r.say(d.Severity.String()),
			cell(d.Message),
			cell(d.Hint),
			d.Code,
		)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// counts says how much was found in how many files.
func (r Report) counts(errors, warnings int) string {
	return r.say(Counted(errors, "error")) + ", " + r.say(Counted(warnings, "warning")) + " " +
		r.say("in "+Counted(len(r.Files), "file"))
}

func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ", "\r", " ", "<", "&lt;").Replace(s)
}

// Counted writes a number with a word that takes an s where it is not one: 1 rule, 2 rules.
func Counted(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

type sarifText struct {
	Text string `json:"text"`
}

type sarifRegion struct {
	StartLine   int `json:"startLine"`
	StartColumn int `json:"startColumn,omitempty"`
	EndLine     int `json:"endLine,omitempty"`
	EndColumn   int `json:"endColumn,omitempty"`
}

type sarifLocation struct {
	Physical struct {
		Artifact struct {
			URI string `json:"uri"`
		} `json:"artifactLocation"`
		Region *sarifRegion `json:"region,omitempty"`
	} `json:"physicalLocation"`
	Message *sarifText `json:"message,omitempty"`
}

type sarifRule struct {
	ID   string    `json:"id"`
	Name sarifText `json:"shortDescription"`
	Help string    `json:"helpUri,omitempty"`
}

type sarifResult struct {
	RuleID       string            `json:"ruleId"`
	RuleIndex    int               `json:"ruleIndex"`
	Level        string            `json:"level"`
	Message      sarifText         `json:"message"`
	Locations    []sarifLocation   `json:"locations"`
	Related      []sarifLocation   `json:"relatedLocations,omitempty"`
	Fingerprints map[string]string `json:"partialFingerprints"`
}

// renderSARIF writes SARIF 2.1.0, the form that code scanning services read.
func renderSARIF(w io.Writer, r Report) error {
	rules := []sarifRule{}
	index := map[string]int{}
	results := []sarifResult{}
	seen := map[string]int{}
	sources := sourceCache{read: r.Source}
	for i, d := range r.Findings {
		if _, ok := index[d.Code]; !ok {
			index[d.Code] = len(rules)
			rule := sarifRule{ID: d.Code, Name: sarifText{strings.ReplaceAll(d.Code, "-", " ")}}
			if r.DocsURL != "" {
				rule.Help = r.DocsURL + d.Code
			}
			rules = append(rules, rule)
		}
		message := d.Message
		if d.Hint != "" {
			message += " (" + d.Hint + ")"
		}
		// The text of the line, not its number: the finding stays the same one when lines are added above it.
		line := ""
		if !d.Secret {
			line = strings.TrimSpace(sources.line(d.Place))
		}
		said := r.english[i].Message // a finding stays the same one in every language
		sum := sha256.Sum256([]byte(strings.Join([]string{d.Place.File, d.Code, said, line}, "\x00")))
		print := hex.EncodeToString(sum[:8])
		seen[print]++
		result := sarifResult{
			RuleID: d.Code, RuleIndex: index[d.Code], Level: d.Severity.String(), Message: sarifText{message},
			Locations:    []sarifLocation{sarifAt(d.Place, "")},
			Fingerprints: map[string]string{"culvert/v1": fmt.Sprintf("%s:%d", print, seen[print])},
		}
		for _, rel := range d.Related {
			result.Related = append(result.Related, sarifAt(rel.Place, rel.Message))
		}
		results = append(results, result)
	}
	type driver struct {
		Name    string      `json:"name"`
		Version string      `json:"version,omitempty"`
		Rules   []sarifRule `json:"rules"`
	}
	type run struct {
		Tool struct {
			Driver driver `json:"driver"`
		} `json:"tool"`
		ColumnKind string        `json:"columnKind"`
		Results    []sarifResult `json:"results"`
	}
	one := run{ColumnKind: "unicodeCodePoints", Results: results}
	one.Tool.Driver = driver{Name: "culvert", Version: r.Version, Rules: rules}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(struct {
		Schema  string `json:"$schema"`
		Version string `json:"version"`
		Runs    []run  `json:"runs"`
	}{"https://json.schemastore.org/sarif-2.1.0.json", "2.1.0", []run{one}})
}

func sarifAt(p Place, message string) sarifLocation {
	var l sarifLocation
	l.Physical.Artifact.URI = p.File
	if s, e := p.Range.Start, p.Range.End; s.Line > 0 {
		l.Physical.Region = &sarifRegion{StartLine: s.Line, StartColumn: s.Column, EndLine: e.Line, EndColumn: e.Column}
	}
	if message != "" {
		l.Message = &sarifText{message}
	}
	return l
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",chardata"`
}

type junitCase struct {
	Name    string        `xml:"name,attr"`
	Class   string        `xml:"classname,attr"`
	Failure *junitFailure `xml:"failure,omitempty"`
	Output  string        `xml:"system-out,omitempty"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Cases    []junitCase `xml:"testcase"`
}

// renderJUnit writes one suite per file; a file without findings is one passing case, so that it
// shows as checked. Warnings pass, with their text.
func renderJUnit(w io.Writer, r Report) error {
	files := slices.Clone(r.Files)
	for _, f := range filesOf(r.Findings) {
		if !slices.Contains(files, f) {
			files = append(files, f)
		}
	}
	slices.Sort(files)
	root := struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}{}
	for _, file := range slices.Compact(files) {
		suite := junitSuite{Name: file}
		for _, d := range r.Findings {
			if d.Place.File != file {
				continue
			}
			text := d.String()
			if d.Hint != "" {
				text += "\nhelp: " + d.Hint
			}
			c := junitCase{Name: fmt.Sprintf("%s at %d:%d", d.Code, d.Place.Range.Start.Line, d.Place.Range.Start.Column),
				Class: file}
			if d.Severity == Error {
				c.Failure = &junitFailure{Message: d.Message, Type: d.Code, Text: text}
				suite.Failures++
			} else {
				c.Output = text
			}
			suite.Cases = append(suite.Cases, c)
		}
		if len(suite.Cases) == 0 {
			suite.Cases = []junitCase{{Name: "valid", Class: file}}
		}
		suite.Tests = len(suite.Cases)
		root.Tests += suite.Tests
		root.Failures += suite.Failures
		root.Suites = append(root.Suites, suite)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(root); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}
