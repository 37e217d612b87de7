package metadata

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
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

// readUnitGroups reads the org unit groups that program rules ask about, and no other: with their
// members they can be large.
func (r *reading) readUnitGroups(ctx context.Context) error {
	asked := groupsAsked(r.fresh.ProgramRules)
	if len(asked) == 0 {
		return nil
	}
	err := r.patiently(ctx, OrgUnitGroups, func() error {
		var ids []string
		err := r.server.Pages(ctx, OrgUnitGroups, "id,code", nil, idPage, func(o json.RawMessage) error {
			var g Named
			if err := json.Unmarshal(o, &g); err != nil {
				return plainJSON(err)
			}
			if asked[g.ID] || asked[g.Code] && g.Code != "" {
				ids = append(ids, g.ID)
			}
			return nil
		})
		if err != nil || len(ids) == 0 {
			return err
		}
		r.fresh.OrgUnitGroups = nil
		filter := []string{"id:in:[" + strings.Join(ids, ",") + "]"}
		return r.server.Pages(ctx, OrgUnitGroups, "id,code,name,organisationUnits[id]", filter, 10,
			func(o json.RawMessage) error {
				var g OrgUnitGroup
				if err := json.Unmarshal(o, &g); err != nil {
					return plainJSON(err)
				}
				if slices.Contains(ids, g.ID) {
					r.fresh.OrgUnitGroups = append(r.fresh.OrgUnitGroups, g)
				}
				return nil
			})
	})
	if err != nil {
		return fmt.Errorf("reading %s: %w", OrgUnitGroups, err)
	}
	return nil
}
