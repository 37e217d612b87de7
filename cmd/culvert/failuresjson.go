package main

import (
	"time"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/rules/diag"
)

// failedCause is a group of records for programs.
type failedCause struct {
	Rule    string        `json:"rule"`
	Code    string        `json:"code"`
	Class   string        `json:"class"`
	Cause   string        `json:"cause"`
	Hint    string        `json:"hint,omitempty"`
	Place   string        `json:"place,omitempty"` // rule file:line:column
	Count   int64         `json:"count"`
	First   time.Time     `json:"first"`
	Last    time.Time     `json:"last"`
	Example *failedRecord `json:"example,omitempty"`
}

// failedRecord is one record for programs: which one it is and what is wrong, and nothing of its
// content but the id that the source gave it.
type failedRecord struct {
	Number   int64     `json:"number"`
	Rule     string    `json:"rule"`
	ID       string    `json:"id"`
	State    string    `json:"state"`
	Received time.Time `json:"received"`
	File     string    `json:"file,omitempty"`
	Row      int       `json:"row,omitempty"`
	Sheet    string    `json:"sheet,omitempty"`
	Attempts int       `json:"attempts"`
	NextTry  time.Time `json:"next_try,omitzero"`
	Code     string    `json:"code,omitempty"`
	Class    string    `json:"class,omitempty"`
	Cause    string    `json:"cause,omitempty"`
	Column   string    `json:"column,omitempty"`
	Hint     string    `json:"hint,omitempty"`
	Place    string    `json:"place,omitempty"`
	By       string    `json:"superseded_by,omitempty"` // what superseded it, in words
	ByNumber int64     `json:"superseded_by_number,omitempty"`
	Object   string    `json:"object,omitempty"` // in DHIS2 that it concerns, in words

	Faults []diag.Problem `json:"faults,omitempty"` // all that is wrong, with values; only where they are asked for
}

func causesForPrograms(causes []journal.Cause) []failedCause {
	out := make([]failedCause, len(causes))
	for i, c := range causes {
		out[i] = failedCause{Rule: c.Rule, Code: c.Code, Class: string(c.Class), Cause: c.Cause, Hint: c.Hint,
			Place: c.Place, Count: c.Count, First: c.First, Last: c.Last}
		if c.Example != nil {
			example := recordForPrograms(c.Example)
			out[i].Example = &example
		}
	}
	return out
}

func recordsForPrograms(records []*journal.Record, show bool) []failedRecord {
	out := make([]failedRecord, len(records))
	for i, r := range records {
		out[i] = recordForPrograms(r)
		if show && r.Problem != nil {
			out[i].Faults = r.Problem.Faults()
		}
	}
	return out
}

func recordForPrograms(r *journal.Record) failedRecord {
	out := failedRecord{
		Number: r.Seq, Rule: r.Rule, ID: r.ID, State: string(r.State), Received: r.Received, File: r.Origin.File,
		Row: r.Origin.Row, Sheet: r.Origin.Sheet,
		Attempts: r.Attempts, NextTry: r.NextTry, ByNumber: r.SupersededBy,
	}
	if p := r.Problem; p != nil {
		out.Code, out.Class, out.Cause, out.Hint, out.Place, out.Object = p.Code, string(p.Class), p.Message, p.Hint,
			p.Place.String(),
			p.Object
		out.Column = p.Column
	}
	return out
}
