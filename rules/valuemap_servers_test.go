package rules

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/culvert/culvert/rules/diag"
)

// setOf is objects whose options belong to the set Species, as far as they lie in one.
type setOf struct{ objects }

func (s setOf) Among(collection, ref string) Among {
	a := Among{What: "option set"}
	if collection == optionsCollection && ref == "Species" {
		a.ID, a.Holds = "speciesUID1", func(o *Object) bool { return o.Parent != nil && o.Parent.ID == "speciesUID1" }
	}
	return a
}

// twoServers are a national server and a regional one, which name many things differently.
func twoServers() func(string) (ServerEnv, *diag.Problem) {
	country := &Object{ID: "countryUID1", Code: "T", Name: "Tamala"}
	coast := &Object{ID: "coastUID111", Code: "C", Name: "Coast"}
	coast.Ancestors = []*Object{country}
	unit := func(id, code, name string, in ...*Object) *Object {
		return &Object{ID: id, Code: code, Name: name, Ancestors: in, Attributes: map[string]string{"HMIS id": "H" + code}}
	}
	species := &Object{ID: "speciesUID1", Name: "Species"}
	option := func(id, code, name string, set *Object) *Object {
		return &Object{ID: id, Code: code, Name: name, Parent: set}
	}
	servers := map[string]objects{
		"national": {
			"organisationUnits": {country, coast,
				unit("coralNat111", "CORAL", "Coral Health  Centre", country, coast),
				unit("hopeNat1111", "HOPE1", "Hope", country, coast), unit("hopeNat2222", "HOPE2", "Hope", country),
				unit("noCodeNat11", "", "Baobab", country, coast), unit("goneNat1111", "GONE", "Gone", country)},
			"options": {option("falNat11111", "PF", "P. falciparum", species), option("vivNat11111", "PV", "P. vivax", species),
				option("ovaNat11111", "PO", "P. ovale", species), option("elseNat1111", "PF", "Penicillin", nil)},
		},
		"regional": {
			"organisationUnits": {unit("coralReg111", "coral", "Coral Health Centre"), unit("hopeReg1111", "HOPE1", "Hope"),
				unit("baobabReg11", "BAO", "Baobab")},
			"options": {option("falReg11111", "1", "P. falciparum", species), option("vivReg11111", "2", "p. Vivax", species),
				option("elseReg1111", "3", "P. ovale", nil)},
		},
	}
	return func(name string) (ServerEnv, *diag.Problem) {
		if name == "" {
			name = "regional"
		}
		if servers[name] == nil {
			return ServerEnv{}, &diag.Problem{Code: "unknown-server", Message: fmt.Sprintf("server %q is not there", name)}
		}
		return ServerEnv{Name: name, Directory: setOf{servers[name]}}, nil
	}
}

// loadBetween loads a rule with one map between the two servers.
func loadBetween(t *testing.T, text string) (*ValueMap, []string) {
	t.Helper()
	env := testEnvironment(files{"form.json": formSample})
	env.Server = twoServers()
	r, findings := Load("rules/r.yaml", []byte("rule: r\ntrigger: {webhook: {path: /f}, sample: form.json}\n"+
		"id: trigger.form.meta.instanceID\nmaps:\n  unit: "+text+"\nactions:\n  - dhis2.event:\n      program: P\n"+
		"      data_values: {A: unit(trigger.form.facility_code)}\n"), env)
	var found []string
	for _, d := range findings.List {
		found = append(found, d.Code+": "+d.Message)
	}
	return r.Maps["unit"], found
}

func TestMapBetweenServers(t *testing.T) {
	cases := []struct {
		name, text string
		want       map[string]string // a failure begins with "!"
		findings   []string
		pairs      []string
	}{
		{
			name: "org units by code", text: "{in: organisationUnits, from: national, to: regional}",
			want: map[string]string{
				"hopeNat1111": "hopeReg1111", " hopeNat1111 ": "hopeReg1111",
				"coralNat111": `!the value map "unit" cannot map "Coral Health  Centre" (CORAL): it has no counterpart at the ` +
					`server "regional" by code`,
				"noCodeNat11": `!the value map "unit" cannot map "Baobab" (noCodeNat11): it has no counterpart at the server ` +
					`"regional" by code`,
				"hopeReg1111": `!the value map "unit" holds no object of organisationUnits with this uid of the server "national"`,
			},
			findings: []string{`no-counterpart: 6 of 7 organisationUnits of "national" have no counterpart at "regional" by code: ` +
				`"Baobab" (noCodeNat11), "Coast" (C), "Coral Health  Centre" (CORAL), "Gone" (GONE), "Hope" (HOPE2) and 1 more`},
			pairs: []string{"hopeNat1111"},
		},
		{
			name: "case, a part of the country, and pairs of its own",
			text: "{in: organisationUnits, from: national, match: ignore_case, within: Coast, other: blank, " +
				"values: {noCodeNat11: baobabReg11}}",
			want: map[string]string{"coralNat111": "coralReg111", "CORALNAT111": "coralReg111", "noCodeNat11": "baobabReg11",
				"hopeNat1111": "hopeReg1111", "goneNat1111": "", "anything": ""},
			pairs: []string{"coralNat111", "hopeNat1111"},
		},
		{
			name: "names that are not one's own", text: "{in: organisationUnits, from: national, to: regional, by: name}",
			want: map[string]string{"coralNat111": "coralReg111", "noCodeNat11": "baobabReg11",
				"hopeNat1111": `!the value map "unit" cannot map "Hope" (HOPE1): 2 organisationUnits of the server "national" have ` +
					`the same name`},
			findings: []string{`no-counterpart: 3 of 7 organisationUnits of "national" have no counterpart at "regional" by name: ` +
				`"Coast" (C), "Gone" (GONE), "Tamala" (T)`, `several-counterparts: 2 of 7 organisationUnits of "national" ` +
				`share their name with others and are not mapped: "Hope" (HOPE1), "Hope" (HOPE2)`},
			pairs: []string{"coralNat111", "noCodeNat11"},
		},
		{
			name: "options are known by their codes",
			text: "{in: options, among: Species, from: national, to: regional, by: name, match: ignore_case}",
			want: map[string]string{"PF": "1", "pv": "2", "PF,PV": "[1 2]",
				"PO": `!the value map "unit" cannot map "P. ovale" (PO): it has no counterpart at the server "regional" by name`,
				"PX": `!the value map "unit" holds no option with this code of the server "national"`},
			findings: []string{`no-counterpart: 1 of 3 options of "national" have no counterpart at "regional" by name: ` +
				`"P. ovale" (PO)`},
			pairs: []string{"falNat11111", "vivNat11111"},
		},
		{
			name: "a metadata attribute", text: "{in: organisationUnits, from: national, by: HMIS id, within: C, other: pass}",
			want:  map[string]string{"hopeNat1111": "hopeReg1111", "x": "x"},
			pairs: []string{"hopeNat1111"},
		},
		{name: "no counterpart at all", text: "{in: options, among: Species, from: national, to: regional}",
			findings: []string{`no-counterpart: none of the options of "national" has a counterpart at "regional" by code`}},
		{name: "options of no set", text: "{in: options, from: national}",
			findings: []string{"missing-key: the value map does not say of which option set the options are"}},
		{name: "another set", text: "{in: options, among: Spices, from: national}",
			findings: []string{`unknown-object: the server "national" has no option set "Spices"`}},
		{name: "an unknown server", text: "{in: options, among: Species, from: nation, to: regional}",
			findings: []string{`unknown-server: server "nation" is not there`}},
		{name: "the same server", text: "{in: organisationUnits, from: regional}",
			findings: []string{`not-allowed: the value map leads from "regional" to the same server`}},
		{name: "an unknown collection", text: "{in: orgUnits, from: national}",
			findings: []string{`unknown-collection: "orgUnits" is not something that can be mapped`}},
		{name: "an unknown field", text: "{in: organisationUnits, from: national, by: codes}",
			findings: []string{`unknown-lookup-field: organisationUnits of the server "national" have no field "codes"`}},
		{name: "an unknown place", text: "{in: organisationUnits, from: national, within: Nowhere}",
			findings: []string{`unknown-object: the server "national" has no org unit "Nowhere"`}},
		{name: "ambiguous place", text: "{in: organisationUnits, from: national, within: Hope}",
			findings: []string{`ambiguous-object: several org units of the server "national" are called "Hope"`}},
		{name: "a misspelt key", text: "{in: organisationUnits, from: national, bye: name, other: blank}",
			findings: []string{`unknown-key: unknown key "bye" beside values:`}, pairs: []string{"hopeNat1111"}},
		{name: "words that happen to be keys", text: "{in: Inside, from: Outside, out: Beyond}",
			want: map[string]string{"in": "Inside", "from": "Outside", "out": "Beyond"}},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			m, found := loadBetween(t, tc.text)
			found = slices.DeleteFunc(found, func(f string) bool { return strings.HasPrefix(f, "map-not-covering") })
			if diff := cmp.Diff(tc.findings, found); diff != "" {
				t.Error(diff)
			}
			for in, want := range tc.want {
				if got := mappedTo(m, in); got != want {
					t.Errorf("%q: %q, want %q", in, got, want)
				}
			}
			var pairs []string
			for _, use := range m.Paired("national") {
				pairs = append(pairs, use.ID)
			}
			if diff := cmp.Diff(tc.pairs, pairs); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func mappedTo(m *ValueMap, in string) string {
	out, err := m.Map(in)
	var f *Failure
	switch {
	case errors.As(err, &f):
		return "!" + f.Message
	case out == nil:
		return ""
	}
	return fmt.Sprint(out)
}

func TestSharedMapBetweenServers(t *testing.T) {
	env := testEnvironment(nil)
	env.Server = twoServers()
	l, found := LoadLibrary([]LibraryFile{{Path: "functions/a.yaml", Text: []byte(
		"maps:\n  unit: {in: organisationUnits, from: national, to: regional, within: Coast, other: blank}\n" +
			"  lost: {in: organisationUnits, from: national}\n")}}, env)
	if len(found) != 1 || found[0].Message != "the value map does not say to which server it leads" {
		t.Error(found)
	}
	list := l.Between()
	if len(list) != 1 || mappedTo(list[0], "hopeNat1111") != "hopeReg1111" || len(list[0].Paired("regional")) != 1 {
		t.Error(list)
	}
}
