package importer

import (
	"log/slog"
	"sort"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/programrules"
	"github.com/culvert/culvert/actions/dhis2/sandbox/version"
)

// ruleEngine holds the compiled program rules. It does not change after it was made.
type ruleEngine struct {
	sets    map[string]*programrules.Set // by program
	skipped []programrules.Skipped
}

func newRuleEngine(c *catalog.Catalog, m version.Profile, log *slog.Logger) *ruleEngine {
	e := &ruleEngine{sets: map[string]*programrules.Set{}}
	for program, d := range definitions(c, m) {
		set, skipped := programrules.Compile(*d, int(m))
		e.sets[program] = set
		e.skipped = append(e.skipped, skipped...)
	}
	if len(e.skipped) == 0 {
		return e
	}
	sort.Slice(e.skipped, func(i, j int) bool { return e.skipped[i].UID < e.skipped[j].UID })
	names := make([]string, len(e.skipped))
	for i, s := range e.skipped {
		names[i] = s.Name + " (" + s.UID + "): " + s.Reason
	}
	log.Warn("program rules that DHIS2 evaluates are not evaluated here: what they would refuse or assign is not",
		"count", len(names),
		"rules", strings.Join(names, "; "))
	return e
}

// definitions gives the rules of each program with what they need to be evaluated.
func definitions(c *catalog.Catalog, m version.Profile) map[string]*programrules.Definition {
	defs := map[string]*programrules.Definition{}
	constants, groups := constants(c), unitGroups(c, m)
	of := func(program string) *programrules.Definition {
		d := defs[program]
		if d == nil {
			d = &programrules.Definition{Constants: constants, Groups: groups}
			defs[program] = d
		}
		return d
	}
	for _, o := range c.Objects[catalog.KindRule] {
		d := of(catalog.Ref(o, "program"))
		d.Rules = append(d.Rules, ruleOf(c, o))
	}
	for _, o := range c.Objects[catalog.KindRuleVariable] {
		if d := defs[catalog.Ref(o, "program")]; d != nil {
			d.Variables = append(d.Variables, variableOf(c, o))
		}
	}
	return defs
}

func ruleOf(c *catalog.Catalog, o object) programrules.Rule {
	r := programrules.Rule{UID: catalog.Str(o, "id"), Name: catalog.Str(o, "name"), Stage: catalog.Ref(o, "programStage"),
		Condition: catalog.Str(o, "condition"),
		Priority:  priorityOf(o)}
	for _, id := range catalog.Refs(o, "programRuleActions") {
		a := c.ByID[id].Obj
		action := programrules.Action{Kind: programrules.Kind(catalog.Str(a, "programRuleActionType")),
			Content: catalog.Str(a, "content"), Data: catalog.Str(a, "data"),
			Priority: priorityOf(a)}
		switch de, at := catalog.Ref(a, "dataElement"), catalog.Ref(a, "trackedEntityAttribute"); {
		case action.Kind == programrules.ScheduleEvent:
			action.Field = catalog.Ref(a, "programStage")
		case de != "":
			action.Target, action.Field = programrules.DataElement, de
		case at != "":
			action.Target, action.Field = programrules.Attribute, at
		}
		r.Actions = append(r.Actions, action)
	}
	return r
}

func priorityOf(o object) *int {
	if o["priority"] == nil {
		return nil
	}
	n := int(catalog.Number(o, "priority"))
	return &n
}

func variableOf(c *catalog.Catalog, o object) programrules.Variable {
	v := programrules.Variable{Name: catalog.Str(o, "name"),
		Source: programrules.Source(catalog.Str(o, "programRuleVariableSourceType")),
		Field:  catalog.Ref(o, "dataElement"), Stage: catalog.Ref(o, "programStage"), ValueType: catalog.Str(o, "valueType")}
	set := ""
	if v.Source == programrules.OfAttribute {
		v.Field = catalog.Ref(o, "trackedEntityAttribute")
		if a := c.Attributes[v.Field]; a != nil {
			v.ValueType, set = a.ValueType, a.OptionSet
		}
	} else if e := c.DataElements[v.Field]; e != nil {
		v.ValueType, set = e.ValueType, e.OptionSet
	}
	if s := c.OptionSets[set]; s != nil && !catalog.Boolean(o, "useCodeForOptionSet") {
		v.Names = s.NameOf
	}
	return v
}

func constants(c *catalog.Catalog) map[string]float64 {
	out := map[string]float64{}
	for _, o := range c.Objects[catalog.KindConstant] {
		out[catalog.Str(o, "id")] = catalog.Number(o, "value")
	}
	return out
}

// unitGroups gives the org units of each group: by its uid, on 2.41 and from 2.43 on by its code as well.
func unitGroups(c *catalog.Catalog, m version.Profile) map[string]map[string]bool {
	out := map[string]map[string]bool{}
	for _, o := range c.Objects[catalog.KindUnitGroup] {
		members := catalog.SetOf(catalog.Refs(o, "organisationUnits"))
		out[catalog.Str(o, "id")] = members
		if code := catalog.Str(o, "code"); code != "" && (m == 41 || m >= 43) {
			out[code] = members
		}
	}
	return out
}
