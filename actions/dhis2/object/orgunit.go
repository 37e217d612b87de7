package object

import (
	"encoding/json"

	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/metadata"
)

// OrgUnit keeps an org unit in step with a registry.
type OrgUnit struct {
	*Template
	Wanted client.OrgUnit
	DryRun bool   // say what would change, and fail with it
	Max    int    // how many may change in a day
	Counts string // under which the journal counts them
}

// Describe gives the org unit by the names that the rule uses.
func (o *OrgUnit) Describe() map[string]any {
	w := o.Wanted
	m := map[string]any{"org_unit": w.Code}
	if w.UID != "" {
		m["org_unit"] = w.UID
		put(m, "code", w.Code)
	}
	put(m, "parent", w.Parent)
	put(m, "closed_date", w.Close)
	for name, v := range w.Set {
		if shape, ok := v.(json.RawMessage); ok {
			var read any
			if json.Unmarshal(shape, &read) == nil {
				v = read
			}
		}
		m[ruleNames[name]] = v
	}
	for name, list := range map[string]map[string]bool{"groups": w.Groups, "programs": w.Programs, "data_sets": w.DataSets} {
		if len(list) == 0 {
			continue
		}
		by := map[string]any{}
		for id, in := range list {
			if called := w.Names[id]; called != "" {
				id = called
			}
			by[id] = in
		}
		m[name] = by
	}
	if len(w.GroupSets) > 0 {
		by := map[string]any{}
		for set, group := range w.GroupSets {
			by[set] = group
		}
		m["group_sets"] = by
	}
	if o.DryRun {
		m["dry_run"] = true
	}
	return m
}

// ruleNames are the properties of an org unit as rules call them.
var ruleNames = map[string]string{"name": "name", "shortName": "short_name", "openingDate": "opening_date",
	"closedDate": "closed_date", "geometry": "geometry", "description": "description", "comment": "comment", "url": "url",
	"contactPerson": "contact_person", "address": "address", "email": "email", "phoneNumber": "phone_number"}

// Phase is before everything: what else is written may lie in it.
func (*OrgUnit) Phase() Phase { return PhaseOrgUnit }

// Name is that of the org unit. What a dry run says is no delivered form.
func (o *OrgUnit) Name(client.ObjectKey) string {
	switch {
	case o.DryRun:
		return ""
	case o.Wanted.UID != "":
		return "ORG_UNIT:" + o.Wanted.UID
	}
	return "ORG_UNIT_CODE:" + o.Wanted.Code
}

// Claims is the org unit.
func (o *OrgUnit) Claims(client.ObjectKey, *metadata.Index) []string {
	return []string{"ORG_UNIT:" + o.Wanted.UID + "/" + o.Wanted.Code}
}

// Digest implements Write.
func (o *OrgUnit) Digest(parents []string) uint64 {
	h := newDigest(parents)
	w := o.Wanted
	w.Names = nil // of the snapshot, not of the record
	if w.Close != "" {
		w.Close = "closed" // on the day on which it is sent first
	}
	text, err := json.Marshal(w)
	if err != nil {
		text = []byte(err.Error())
	}
	h.text(string(text))
	return h.sum()
}

// Effect implements Write.
func (o *OrgUnit) Effect() string {
	if o.DryRun {
		return "compared with what the server has: a dry run writes nothing"
	}
	return "created, or changed where it differs"
}
