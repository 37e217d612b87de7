package scaffold

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/value"
)

// findPlace finds the field whose values are org units of the server; one that is only called like
// a place proves nothing.
func (w *writer) findPlace() guess {
	type candidate struct {
		f    *field
		key  string
		rank int
	}
	var best []candidate
	for _, f := range w.fields {
		key := w.orgUnitKey(f)
		if f.own || key == "" {
			continue
		}
		c := candidate{f, key, 0}
		for _, word := range words(f.fullName()) {
			switch {
			case slices.Contains([]string{"refer", "referred", "referral", "birth", "previous", "from", "to", "origin",
				"transfer"}, word):
				c.rank -= 10
			case slices.Contains([]string{"facility", "clinic", "orgunit", "hospital", "site", "unit", "centre", "center",
				"place", "structure", "formation"}, word):
				c.rank += 2
			}
		}
		c.rank += map[string]int{"code": 3, "id": 3, "name": 1}[key]
		if len(best) > 0 && c.rank > best[0].rank {
			best = nil
		}
		if len(best) == 0 || c.rank == best[0].rank {
			best = append(best, c)
		}
	}
	switch {
	case len(best) == 1:
		c := best[0]
		return guess{expr: c.f.expr, key: c.key, reason: fmt.Sprintf("in the sample each is the %s of an org unit",
			map[string]string{"code": "code", "id": "uid", "name": "name"}[c.key])}
	case len(best) > 1:
		var list []*field
		for _, c := range best {
			list = append(list, c.f)
		}
		return guess{ask: "which of " + exprs(list) + " is the place?"}
	}
	for _, f := range w.fields {
		if none := w.noOrgUnits(f); !f.own && len(none) > 0 && 2*len(none) < len(f.texts) {
			slices.Sort(none)
			return guess{ask: f.expr + " holds org units, but none is like " + quoted(slices.Compact(none)) +
				": correct that in the sample and begin anew, or write the lookup"}
		}
	}
	return guess{ask: "nothing in the sample is the code, uid or name of an org unit"}
}

// noOrgUnits gives the values of a field that are no org units, in as many records as they stand.
func (w *writer) noOrgUnits(f *field) []string {
	var none []string
	for _, text := range f.texts {
		if o, _, _ := w.Index.OrgUnit(text); o == nil {
			none = append(none, text)
		}
	}
	return none
}

// orgUnitKey is by what all values of a field are org units: code, id or name; "" when they are none.
func (w *writer) orgUnitKey(f *field) string {
	list := f.distinct()
	if len(list) == 0 {
		return ""
	}
	found := ""
	for _, text := range list {
		o, _, _ := w.Index.OrgUnit(text)
		if o == nil {
			return ""
		}
		key := "name"
		switch text {
		case o.ID:
			key = "id"
		case o.Code:
			key = "code"
		}
		if found != "" && found != key {
			return ""
		}
		found = key
	}
	return found
}

// dateNames are how a form calls the day it is about, likeliest first.
var dateNames = []string{
	"visit_date", "date_of_visit", "event_date", "enrollment_date", "enrolment_date", "registration_date",
	"date_of_registration", "consultation_date", "date_of_consultation", "report_date", "reporting_date",
	"date_of_report", "visit", "date",
	"date_visite", "date_consultation", "date_enregistrement", "data_visita", "data_consulta", "data_registo",
	"fecha_visita", "fecha_consulta", "fecha_registro", "fecha", "data",
}

// particles stand in names of days and change nothing: date of the visit, date de la visite.
var particles = []string{"the", "of", "de", "du", "la", "le", "l", "d", "da", "do", "del"}

func withoutParticles(name string) string {
	return strings.Join(slices.DeleteFunc(words(name), func(word string) bool {
		return slices.Contains(particles, word)
	}), "")
}

// calledDay gives the name or label of a field that is such a name of a day.
func calledDay(f *field, name string) (string, bool) {
	for _, called := range f.names() {
		if withoutParticles(called) == withoutParticles(name) {
			return called, true
		}
	}
	return "", false
}

// submitted are the collecting tools' own times of a form.
var submitted = []string{"today", "completed_time", "end", "timeEnd", "_submission_time", "SubmissionDate",
	"submissionDate", "received_on"}

// findDate finds the day of a visit: a field that is called so, else the only day that nothing else
// takes, else when the form was filled in.
func (w *writer) findDate(fields []*field, targets []*target) guess {
	taken := map[*field]bool{}
	for _, t := range targets {
		taken[t.field] = true
	}
	unsure := ""
	day := func(f *field) (string, bool) {
		if len(f.texts) == 0 || strings.TrimLeft(f.texts[0], "0123456789") == "" {
			return "", false // a number such as an age is no day
		}
		m := matcher{fields: w.fields, context: w.context}
		ok, format, ask := m.fits(value.Kind{Type: "DATE"}, f)
		if !ok && strings.HasPrefix(ask, "its dates fit") && !taken[f] && !ofBirth(f) {
			unsure = "perhaps " + f.expr + ", but " + ask
		}
		return format, ok
	}
	var free []*field
	for _, f := range fields {
		if _, ok := day(f); ok && !f.own && !taken[f] && !ofBirth(f) {
			free = append(free, f)
		}
	}
	for i, names := range [][]string{dateNames, submitted} {
		others := ""
		if i > 0 && len(free) > 0 {
			others = ", or is it " + exprs(free)
		}
		for _, name := range names {
			for _, f := range fields {
				called, alike := calledDay(f, name)
				if format, ok := day(f); ok && alike {
					return guess{expr: f.expr, format: format, reason: fmt.Sprintf(
						"a date called %q; is it the day that the record is about%s?", comment(called), others)}
				}
			}
		}
	}
	switch len(free) {
	case 0:
		return guess{ask: cmp.Or(unsure, "nothing in the sample is surely the date")}
	case 1:
		format, _ := day(free[0])
		return guess{expr: free[0].expr, format: format, reason: "the only date that nothing else takes"}
	}
	return guess{ask: "which of " + exprs(free) + " is the date?"}
}

// ofBirth tells whether a field is called like a day of birth, which is never the day of a visit.
func ofBirth(f *field) bool {
	return slices.ContainsFunc(words(f.name()), func(word string) bool {
		return slices.Contains([]string{"birth", "birthday", "birthdate", "born", "dob", "ddn", "naissance", "nacimiento",
			"nascimento", "ne", "nee", "nasc", "nascido", "nascida", "nacido", "nacida"}, word)
	})
}

// called tells whether a field has a name, whatever its case, accents and signs.
func (f *field) called(name string) bool {
	return slices.ContainsFunc(f.names(), func(own string) bool { return alike(own) == alike(name) })
}

var periodNames = []string{
	"period", "periode", "reporting_period", "month", "reporting_month", "mois", "mes", "week", "epi_week", "semaine",
	"quarter", "trimestre", "year", "annee", "date", "report_date", "reporting_date",
}

func (w *writer) findPeriod() guess {
	for _, name := range periodNames {
		for _, f := range w.fields {
			if !f.own && len(f.texts) > 0 && f.called(name) {
				return guess{expr: f.expr, reason: fmt.Sprintf("called %q", f.name())}
			}
		}
	}
	return guess{ask: "nothing in the sample is called like a period or a month"}
}

// findPerson finds what says who a record is about, in the source system.
func (w *writer) findPerson() guess {
	for _, name := range []string{"@case_id", "case_id", "caseid", "patient_id", "person_id", "client_id",
		"participant_id", "beneficiary_id", "external_id", "id_patient", "code_patient", "id_paciente",
		"codigo_paciente"} {
		for _, f := range w.fields {
			if f.called(name) && len(f.texts) > 0 {
				reason := fmt.Sprintf("called %q", f.name())
				if w.Made {
					reason += "; the form lies in a module of cases: does it open or change one?"
				}
				return guess{expr: f.expr, reason: reason}
			}
		}
	}
	if w.match != nil {
		return guess{expr: w.match.field.expr, reason: fmt.Sprintf("%q is unique in DHIS2", w.match.title)}
	}
	return guess{ask: "what is this person's id in the source system? The same id always reaches the same person"}
}

// lastingIDs are ids that stay with a record when it is edited: KoboToolbox and Ona give an edited
// submission a new _uuid and instanceID.
var lastingIDs = []string{"__id", "_submission__id", "_id", "meta/rootUuid", "formid", "instanceID", "meta-instanceID",
	"KEY", "submission_id", "record_id", "case_id", "id", "uuid"}

func (w *writer) findID() guess {
	for _, name := range lastingIDs {
		for _, f := range w.fields {
			last := f.path[len(f.path)-1]
			if last != name || len(f.texts) == 0 || !w.unique(f) || w.ofFiles() && counts(f.texts) {
				continue
			}
			if name == "id" && len(f.path) > 1 {
				continue // of a part of the record
			}
			return guess{expr: f.expr, reason: "tells one record from another, and stays when it is corrected"}
		}
	}
	for _, f := range w.fields {
		if w.ofFiles() && !f.own && len(f.texts) > 1 && w.unique(f) && !counts(f.texts) && calledID(f) {
			return guess{expr: f.expr,
				reason: "in the sample no two records have the same; does it stay when a record is corrected?"}
		}
	}
	if w.DataSet != nil && w.place.expr != "" && w.period.expr != "" {
		return guess{expr: "join([" + w.place.expr + ", " + w.period.expr + `], " ")`,
			reason: "one report a place and period; a corrected one is the same record"}
	}
	return guess{ask: "what tells one record from another and stays when it is corrected? Without it the content does, " +
		"and a correction is another record"}
}

func (w *writer) unique(f *field) bool {
	seen := map[string]bool{}
	for _, text := range f.texts {
		if seen[text] {
			return false
		}
		seen[text] = true
	}
	return true
}

// counts tells whether the texts are 1, 2, 3: row numbers, which the next file has too.
func counts(texts []string) bool {
	if len(texts) < 2 {
		return false
	}
	for i, text := range texts {
		if text != fmt.Sprint(i+1) {
			return false
		}
	}
	return true
}

// calledID tells whether a column's name ends in a word for an id.
func calledID(f *field) bool {
	w := words(f.name())
	return len(w) > 0 && slices.Contains([]string{"id", "uuid", "identifier"}, w[len(w)-1])
}
