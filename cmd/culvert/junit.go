package main

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/culvert/culvert/engine/rehearsal"
)

type (
	junitSuites struct {
		XMLName xml.Name `xml:"testsuites"`
		Suites  []junitSuite
	}
	junitSuite struct {
		XMLName  xml.Name `xml:"testsuite"`
		Name     string   `xml:"name,attr"`
		Tests    int      `xml:"tests,attr"`
		Failures int      `xml:"failures,attr"`
		Cases    []junitCase
	}
	junitCase struct {
		XMLName xml.Name      `xml:"testcase"`
		Name    string        `xml:"name,attr"`
		Class   string        `xml:"classname,attr"`
		Time    string        `xml:"time,attr"`
		Failure *junitFailure `xml:"failure,omitempty"`
	}
	junitFailure struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// writeJUnit writes test outcomes, one suite per rule.
func writeJUnit(w io.Writer, all []rehearsal.Outcome) error {
	var doc junitSuites
	for _, o := range all {
		if n := len(doc.Suites); n == 0 || doc.Suites[n-1].Name != o.Rule {
			doc.Suites = append(doc.Suites, junitSuite{Name: o.Rule})
		}
		s := &doc.Suites[len(doc.Suites)-1]
		c := junitCase{Name: o.Test, Class: o.Rule, Time: fmt.Sprintf("%.3f", o.Took.Seconds())}
		if !o.Passed() {
			s.Failures++
			c.Failure = &junitFailure{Message: o.Problems[0], Text: o.Place.String() + "\n" + strings.Join(o.Problems, "\n")}
		}
		s.Tests++
		s.Cases = append(s.Cases, c)
	}
	text, err := xml.MarshalIndent(doc, "", "  ")
	if err != nil {
		return fmt.Errorf("write junit: %w", err)
	}
	_, err = fmt.Fprintf(w, "%s%s\n", xml.Header, text)
	return err
}
