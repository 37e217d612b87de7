package scaffold

import (
	"testing"

	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/actions/dhis2/value"
)

func TestHeadingsAsPeopleWriteThem(t *testing.T) {
	field := func(title, typ string) *target {
		return &target{title: title, name: title, kind: value.Kind{Type: typ}}
	}
	// Each column with the field of DHIS2 that it is for; "" for none, "?" for a question.
	for _, file := range []map[string][3]string{
		{
			"Prénom(s)": {"First name", "Fatou"}, "Nom": {"Last name", "Sarr"}, "Sexe (M/F)": {"Sex", "F"},
			"Date de naissance (jj/mm/aaaa)": {"Date of birth", "09/01/1996", "dd/MM/yyyy"},
			"N° de téléphone":                {"Phone number", "771234567"}, "N° CNI": {"National ID", "N-1"},
			"Poids (kg)": {"Weight (kg)", "61"}, "Âge gestationnel (SA)": {"Gestational age (weeks)", "14"},
			"Date du prochain RDV": {"Next visit date", "05/04/2026", "dd/MM/yyyy"}, "Observations": {"", "RAS"},
		},
		{
			"1. First Name(s)*": {"First name", "Fatou"}, "Surname *": {"Last name", "Sarr"}, "Sex [M/F]": {"Sex", "F"},
			"Date of birth (dd/mm/yyyy)": {"Date of birth", "09/01/1996", "dd/MM/yyyy"}, "Tel. no.": {"Phone number", "771234567"},
			"National ID No.": {"National ID", "N-1"}, "Weight (lbs)": {"?Weight (kg)", "134"},
			"Gestational age (wks)": {"Gestational age (weeks)", "14"}, "Next appointment": {"Next visit date", "2026-04-05"},
		},
		{
			"Nome(s)": {"First name", "Fatou"}, "Apelido": {"Last name", "Sarr"}, "Sexo (M/F)": {"Sex", "F"},
			"Data de nascimento (mm-dd-aaaa)": {"Date of birth", "09-01-1996", "MM-dd-yyyy"},
			"Telefone/Celular":                {"Phone number", "771234567"}, "Nº do BI": {"National ID", "N-1"}, "Peso (Kg)": {"Weight (kg)", "61"},
			"Idade gestacional (semanas)": {"Gestational age (weeks)", "14"},
			"Data da próxima consulta":    {"Next visit date", "2026-04-05"}, "Peso ao nascer (g)": {"", "3100"},
		},
		{"Nom": {"", "Fatou Sarr"}, "Nome": {"", "Fatou Sarr"}, "Phone (home) or (work)": {"", "77"}},
	} {
		targets := map[string]*target{"First name": field("First name", "TEXT"), "Last name": field("Last name", "TEXT"),
			"Sex": field("Sex", "TEXT"), "Date of birth": field("Date of birth", "AGE"),
			"Phone number": field("Phone number", "PHONE_NUMBER"), "National ID": field("National ID", "TEXT"),
			"Weight (kg)": field("Weight (kg)", "NUMBER"), "Gestational age (weeks)": field("Gestational age (weeks)", "INTEGER"),
			"Next visit date": field("Next visit date", "DATE")}
		row := map[string]any{}
		for column, is := range file {
			row[column] = is[1]
		}
		m := &matcher{fields: fieldsOf("trigger", []any{row}), x: metadata.NewIndex(&metadata.Snapshot{}),
			context: newContext(metadata.NewIndex(&metadata.Snapshot{}))}
		for _, t := range targets {
			m.targets = append(m.targets, t)
		}
		m.join()
		joined := map[string]*target{}
		for _, t := range m.targets {
			if t.field != nil {
				joined[t.field.path[0]] = t
			}
		}
		for column, is := range file {
			got, title := joined[column], ""
			if got != nil {
				title = got.title
			}
			if is[0] != "" && is[0][0] == '?' {
				if asked := targets[is[0][1:]]; title != "" || asked.ask == "" {
					t.Errorf("%q is joined with %q, and the question is %q", column, title, asked.ask)
				}
				continue
			}
			if title != is[0] || got != nil && got.format != is[2] {
				t.Errorf("%q is joined with %q in the format %q, want %q; the question: %q", column, title, formatOf(got), is[0],
					askOf(targets[is[0]]))
			}
		}
	}
}

func formatOf(t *target) string {
	if t == nil {
		return ""
	}
	return t.format
}

func askOf(t *target) string {
	if t == nil {
		return ""
	}
	return t.ask
}
