package client

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strings"
)

// orgUnitDiff finds what has to change for an org unit to be as wanted.
type orgUnitDiff struct {
	wanted       OrgUnit
	held, parent *heldOrgUnit // nil: not there; not wanted elsewhere
	plan         *OrgUnitPlan
	in           map[string]bool   // groups by uid: whether it belongs to them
	names        map[string]string // of groups
}

// maxShortName is how long short names may be.
const maxShortName = 50

// ShortNameOf is the short name of an org unit that has none of its own.
func ShortNameOf(name string) string {
	if r := []rune(name); len(r) > maxShortName {
		name = strings.TrimSpace(string(r[:maxShortName]))
	}
	return name
}

func (d *orgUnitDiff) say(format string, args ...any) {
	d.plan.Changes = append(d.plan.Changes, fmt.Sprintf(format, args...))
}

func (d *orgUnitDiff) compare() (*OrgUnitPlan, error) {
	var err error
	if d.held == nil {
		err = d.create()
	} else {
		err = d.change()
	}
	if err != nil {
		return nil, err
	}
	held := func(of func(*heldOrgUnit) map[string]bool) map[string]bool {
		if d.held == nil {
			return nil
		}
		return of(d.held)
	}
	d.membership("organisationUnitGroups", "group", d.in, held(func(h *heldOrgUnit) map[string]bool { return h.groups }))
	d.membership("programs", "program", d.wanted.Programs,
		held(func(h *heldOrgUnit) map[string]bool { return h.programs }))
	d.membership("dataSets", "data set", d.wanted.DataSets,
		held(func(h *heldOrgUnit) map[string]bool { return h.dataSets }))
	return d.plan, nil
}

func (d *orgUnitDiff) create() error {
	if d.parent == nil {
		return &OrgUnitProblem{
			Code: "org-unit-without-parent",
			Message: "a new org unit needs a parent: Culvert never makes " +
				"one at the top of the hierarchy",
			Hint: "say parent in the rule, or make the org unit in DHIS2",
		}
	}
	o := map[string]any{"id": d.wanted.New, "code": d.wanted.Code, "parent": map[string]any{"id": d.parent.id}}
	for name, v := range d.wanted.Set {
		if v != nil {
			o[name] = v
		}
	}
	if d.wanted.Close != "" {
		o["closedDate"] = d.wanted.Close
	}
	name, _ := o["name"].(string)
	if name == "" || o["openingDate"] == nil {
		return &OrgUnitProblem{Code: "org-unit-incomplete", Message: "a new org unit needs a name and an opening date",
			Hint: "fill them in at the source, or give a default in the rule"}
	}
	if o["shortName"] == nil {
		o["shortName"] = ShortNameOf(name)
	}
	d.plan.create = o
	d.say("created as %q under %s", name, d.parent.called())
	return nil
}

func (d *orgUnitDiff) change() error {
	d.plan.UID = d.held.id
	set := maps.Clone(d.wanted.Set)
	if set == nil {
		set = map[string]any{}
	}
	if d.wanted.Code != "" {
		set["code"] = d.wanted.Code
	}
	if d.wanted.Close != "" && d.held.values["closedDate"] == nil {
		set["closedDate"] = d.wanted.Close
	}
	// A short name that was made of the name goes with it.
	if name, _ := set["name"].(string); name != "" && set["shortName"] == nil {
		if before, _ := d.held.values["name"].(string); d.held.values["shortName"] == ShortNameOf(before) {
			set["shortName"] = ShortNameOf(name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(set)) {
		before, now := d.held.values[name], set[name]
		if sameValue(name, before, now) {
			continue
		}
		if now == nil {
			d.plan.patch = append(d.plan.patch, patchStep{Op: "remove", Path: "/" + name})
		} else {
			d.plan.patch = append(d.plan.patch, patchStep{Op: "add", Path: "/" + name, Value: now})
		}
		d.sayChange(name, before, now)
	}
	return d.move()
}

func (d *orgUnitDiff) move() error {
	if d.parent == nil || d.parent.id == d.held.parent.ID {
		return nil
	}
	if d.held.parent.ID == "" && d.held.path != "" {
		return &OrgUnitProblem{Code: "org-unit-root", Message: "the top of the hierarchy is never moved",
			Hint: "leave it out of what the registry sends, or move it in DHIS2"}
	}
	if d.parent.id == d.held.id || slices.Contains(strings.Split(d.parent.path, "/"), d.held.id) {
		return &OrgUnitProblem{Code: "org-unit-cycle", Message: "its parent lies below it",
			Hint: "correct the parent at the source"}
	}
	d.plan.patch = append(d.plan.patch, patchStep{Op: "add", Path: "/parent", Value: map[string]any{"id": d.parent.id}})
	d.say("moved from %q to %s", d.held.parent.Name, d.parent.called())
	return nil
}

func (d *orgUnitDiff) sayChange(name string, before, now any) {
	switch {
	case name == "closedDate" && now == nil:
		d.say("opened again")
	case name == "closedDate":
		d.say("closed on %s", now)
	case name == "name":
		d.say("renamed from %q to %q", before, now)
	case name == "geometry":
		d.say("another geometry")
	case now == nil:
		d.say("%s taken away", name)
	default:
		if before == nil {
			before = ""
		}
		d.say("%s %q instead of %q", name, now, before)
	}
}

// sameValue tells whether DHIS2 has a value already. It gives days with a time.
func sameValue(name string, before, now any) bool {
	if before == nil || now == nil {
		return before == nil && (now == nil || now == "")
	}
	switch name {
	case "openingDate", "closedDate":
		b, _ := before.(string)
		n, _ := now.(string)
		return b[:min(10, len(b))] == n[:min(10, len(n))]
	case "geometry":
		var shape any
		text, ok := now.(json.RawMessage)
		return ok && json.Unmarshal(text, &shape) == nil && reflect.DeepEqual(before, shape)
	}
	return before == now
}

// membership puts the org unit where it belongs and takes it out of where it does not.
func (d *orgUnitDiff) membership(collection, what string, wanted, held map[string]bool) {
	for _, id := range slices.Sorted(maps.Keys(wanted)) {
		if wanted[id] == held[id] {
			continue
		}
		d.plan.members = append(d.plan.members, member{collection: collection, id: id, in: wanted[id]})
		name := cmp.Or(d.names[id], d.wanted.Names[id], id)
		if wanted[id] {
			d.say("put into the %s %q", what, name)
		} else {
			d.say("taken out of the %s %q", what, name)
		}
	}
}

// groups finds the groups that the org unit is to belong to, by name, code or uid.
func (d *orgUnitDiff) groups(ctx context.Context, c *Client) error {
	var sets struct {
		List []struct {
			named
			Groups []named `json:"organisationUnitGroups"`
		} `json:"organisationUnitGroupSets"`
	}
	var all struct {
		List []named `json:"organisationUnitGroups"`
	}
	fields := url.Values{"fields": {"id,name,code,organisationUnitGroups[id,name,code]"}, "paging": {"false"}}
	if err := c.Get(ctx, "organisationUnitGroupSets", fields, &sets); err != nil {
		return err
	}
	if len(d.wanted.Groups) > 0 {
		fields.Set("fields", "id,name,code")
		if err := c.Get(ctx, "organisationUnitGroups", fields, &all); err != nil {
			return err
		}
	}
	d.in, d.names = map[string]bool{}, map[string]string{}
	for _, ref := range slices.Sorted(maps.Keys(d.wanted.GroupSets)) {
		want, found := d.wanted.GroupSets[ref], false
		for _, s := range sets.List {
			if !s.called(ref) {
				continue
			}
			found = true
			hit := want == ""
			for _, g := range s.Groups {
				d.in[g.ID], d.names[g.ID] = want != "" && g.called(want), g.Name
				hit = hit || d.in[g.ID]
			}
			if !hit {
				return noGroup(want, "the group set "+s.Name, s.Groups)
			}
		}
		if !found {
			return &OrgUnitProblem{Code: "unknown-group-set", Message: fmt.Sprintf("DHIS2 has no org unit group set %q", ref),
				Hint: "correct the name in the rule, or make the set in DHIS2"}
		}
	}
	for _, ref := range slices.Sorted(maps.Keys(d.wanted.Groups)) {
		at := slices.IndexFunc(all.List, func(n named) bool { return n.called(ref) })
		if at < 0 {
			return noGroup(ref, "DHIS2", nil)
		}
		d.in[all.List[at].ID], d.names[all.List[at].ID] = d.wanted.Groups[ref], all.List[at].Name
	}
	return nil
}

func noGroup(ref, where string, among []named) error {
	names := make([]string, 0, len(among))
	for _, g := range among {
		names = append(names, g.Name)
	}
	hint := "correct it at the source or by a value map, or make the group in DHIS2"
	if len(names) > 0 {
		hint += "; there are " + strings.Join(names[:min(len(names), 10)], ", ")
	}
	return &OrgUnitProblem{
		Code:    "unknown-group",
		Message: fmt.Sprintf("%s has no org unit group %q", where, ref),
		Hint:    hint,
	}
}
