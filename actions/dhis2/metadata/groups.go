package metadata

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/client"
)

// groupAsked finds the org unit groups, by uid or code, that an expression of a program rule asks about.
var groupAsked = regexp.MustCompile(`d2:inOrgUnitGroup\(\s*(?:'([^']*)'|"([^"]*)")`)

// groupsAsked gives the uids and codes of the org unit groups that program rules ask about.
func groupsAsked(rules []ProgramRule) map[string]bool {
	asked := map[string]bool{}
	add := func(text string) {
		for _, m := range groupAsked.FindAllStringSubmatch(text, -1) {
			asked[m[1]+m[2]] = true
		}
	}
	for i := range rules {
		add(rules[i].Condition)
		for _, a := range rules[i].Actions {
			add(a.Data)
		}
	}
	return asked
}

// readUnitGroups reads what the org unit groups are called; and which org units are in them of those that
// program rules ask about alone, unless rules ask for groups: the members may be many.
func (r *reading) readUnitGroups(ctx context.Context) error {
	asked := groupsAsked(r.fresh.ProgramRules)
	err := r.patiently(ctx, OrgUnitGroups, func() error {
		if r.options.GroupMembers {
			return r.groups(ctx, nil, true)
		}
		if err := r.groups(ctx, nil, false); err != nil {
			return err
		}
		var ids []string
		for _, g := range r.fresh.OrgUnitGroups {
			if asked[g.ID] || asked[g.Code] && g.Code != "" {
				ids = append(ids, g.ID)
			}
		}
		if len(ids) == 0 {
			return nil
		}
		named := r.fresh.OrgUnitGroups
		if err := r.groups(ctx, ids, true); err != nil {
			return err
		}
		for _, g := range named {
			if !slices.ContainsFunc(r.fresh.OrgUnitGroups, func(x OrgUnitGroup) bool { return x.ID == g.ID }) {
				r.fresh.OrgUnitGroups = append(r.fresh.OrgUnitGroups, g)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading %s: %w", OrgUnitGroups, err)
	}
	r.fresh.Server.Holds = append(r.fresh.Server.Holds, HoldsGroups)
	if r.options.GroupMembers {
		r.fresh.Server.Holds = append(r.fresh.Server.Holds, HoldsMembers)
	}
	return nil
}

// Groups with their members come in small pages.
const memberPage = 10

// groups reads the org unit groups, those of the uids alone where there are some.
func (r *reading) groups(ctx context.Context, uids []string, members bool) error {
	fields, page := "id,code,name", idPage
	if members {
		fields, page = fields+",organisationUnits[id]", memberPage
	}
	var filter []string
	if len(uids) > 0 {
		filter = []string{"id:in:[" + strings.Join(uids, ",") + "]"}
	}
	clear := func() { r.fresh.OrgUnitGroups = nil }
	return r.pages(ctx, OrgUnitGroups, fields, filter, page, clear, func(o json.RawMessage) error {
		var g OrgUnitGroup
		if err := json.Unmarshal(o, &g); err != nil {
			return plainJSON(err)
		}
		if g.ID != "" && (len(uids) == 0 || slices.Contains(uids, g.ID)) {
			r.fresh.OrgUnitGroups = append(r.fresh.OrgUnitGroups, g)
		}
		return nil
	})
}

// pages reads a collection that is no file of its own kind, again from the start when others change it meanwhile.
func (r *reading) pages(ctx context.Context, name, fields string, filter []string, page int, clear func(),
	add func(json.RawMessage) error) error {
	for try := 1; ; try++ {
		clear()
		err := r.server.Pages(ctx, name, fields, filter, page, add)
		if !errors.Is(err, client.ErrChanged) || try == rereads {
			return err
		}
	}
}
