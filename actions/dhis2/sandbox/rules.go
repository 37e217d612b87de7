package sandbox

import (
	"log/slog"
	"sort"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/sandbox/programrules"
)

// ruleEngine holds the compiled program rules. It does not change after it was made.
type ruleEngine struct {
	sets    map[string]*programrules.Set // by program
	skipped []programrules.Skipped
}

func newRuleEngine(c *catalog, m manners, log *slog.Logger) *ruleEngine {
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
	log.Warn("program rules that DHIS2 evaluates are not evaluated here: what they would refuse or assign is not", "count", len(names),
		"rules", strings.Join(names, "; "))
	return e
}

// definitions gives the rules of each program with what they need to be evaluated.
func definitions(c *catalog, m manners) map[string]*programrules.Definition {
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
	for _, o := range c.objects[kindRule] {
		d := of(ref(o, "program"))
		d.Rules = append(d.Rules, ruleOf(c, o))
	}
	for _, o := range c.objects[kindRuleVariable] {
		if d := defs[ref(o, "program")]; d != nil {
			d.Variables = append(d.Variables, variableOf(c, o))
		}
	}
	return defs
}

func ruleOf(c *catalog, o object) programrules.Rule {
	r := programrules.Rule{UID: str(o, "id"), Name: str(o, "name"), Stage: ref(o, "programStage"), Condition: str(o, "condition"),
		Priority: priorityOf(o)}
	for _, id := range refs(o, "programRuleActions") {
		a := c.byID[id].obj
		action := programrules.Action{Kind: programrules.Kind(str(a, "programRuleActionType")), Content: str(a, "content"), Data: str(a, "data"),
			Priority: priorityOf(a)}
		switch de, at := ref(a, "dataElement"), ref(a, "trackedEntityAttribute"); {
		case action.Kind == programrules.ScheduleEvent:
			action.Field = ref(a, "programStage")
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
	n := int(number(o, "priority"))
	return &n
}

func variableOf(c *catalog, o object) programrules.Variable {
	v := programrules.Variable{Name: str(o, "name"), Source: programrules.Source(str(o, "programRuleVariableSourceType")),
		Field: ref(o, "dataElement"), Stage: ref(o, "programStage"), ValueType: str(o, "valueType")}
	set := ""
	if v.Source == programrules.OfAttribute {
		v.Field = ref(o, "trackedEntityAttribute")
		if a := c.attributes[v.Field]; a != nil {
			v.ValueType, set = a.valueType, a.optionSet
		}
	} else if e := c.dataElements[v.Field]; e != nil {
		v.ValueType, set = e.valueType, e.optionSet
	}
	if s := c.optionSets[set]; s != nil && !boolean(o, "useCodeForOptionSet") {
		v.Names = s.nameOf
	}
	return v
}

func constants(c *catalog) map[string]float64 {
	out := map[string]float64{}
	for _, o := range c.objects[kindConstant] {
		out[str(o, "id")] = number(o, "value")
	}
	return out
}

// unitGroups gives the org units of each group: by its uid, on 2.41 and from 2.43 on by its code as well.
func unitGroups(c *catalog, m manners) map[string]map[string]bool {
	out := map[string]map[string]bool{}
	for _, o := range c.objects[kindUnitGroup] {
		members := setOf(refs(o, "organisationUnits"))
		out[str(o, "id")] = members
		if code := str(o, "code"); code != "" && (m == 41 || m >= 43) {
			out[code] = members
		}
	}
	return out
}
