package compile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/actions/dhis2/object"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
)

// namedPlan writes or removes one aggregate value whose data element, or data set, is named by the
// data: rows of the long format, such as DHIS2's own data value sets.
type namedPlan struct {
	*valuesPlan // what no name changes; its set is nil where the data name it
	element     *rules.Field
	dataSet     *rules.Field // nil: fixed, or the one that the element is in
	fixed       *metadata.DataElement
	whole       *rules.Field // attribute_option_combo, where the data set is not fixed
	option      *rules.Field // category_option_combo
	val         *rules.Field // nil when the value is removed
	plans       sync.Map     // of pairs of data set and data element, made when a record first needs them
}

// expressionAsName reports an expression where a name is meant, and says how the data name an object.
func (c *compiler) expressionAsName(key string) bool {
	n := c.spec.Body.Get(key)
	if n == nil || n.Kind != yamlnode.Scalar || !(strings.HasPrefix(n.Value, "trigger.") ||
		strings.HasPrefix(n.Value, "item.")) {
		return false
	}
	c.errorAt(n.Place(), "wrong-shape", "where the data name it, write "+key+": {from: "+n.Value+"}",
		"%q takes a name, and %s is an expression", key, n.Value)
	return true
}

type setAndElement struct{ set, element string }

// namedByData tells whether a key says that the data name the object.
func (c *compiler) namedByData(key string) bool {
	n := c.spec.Body.Get(key)
	return n != nil && n.Kind == yamlnode.Mapping
}

// namedValue reads a single value that the data name. It goes on after a mistake, so that every one is reported.
func (c *compiler) namedValue(remove bool) planner {
	p := &namedPlan{}
	var set *metadata.DataSet
	switch n := c.node("data_set"); {
	case n == nil:
	case c.namedByData("data_set"):
		p.dataSet = c.fieldOf("data_set", n)
		c.checkOutputs(p.dataSet, "data set", func(ref string) (string, []string, []string) {
			d, ambiguous, near := c.x.DataSet(ref)
			return idOf(d, func(d *metadata.DataSet) string { return d.ID }), ambiguous, near
		})
	default:
		if n = c.name("data_set"); n != nil {
			set = c.dataSet(n)
		}
		if set == nil {
			return nil
		}
	}
	if set != nil {
		p.valuesPlan = c.valuesOf(set)
	} else {
		p.valuesPlan = &valuesPlan{env: c.env, spec: c.spec, orgUnit: c.orgUnit(true, assignment{}), period: c.period(nil)}
		p.whole = c.wholeCombo()
	}
	p.remove = remove
	p.names(c)
	if n := c.node("category_option_combo"); n != nil {
		p.option = c.fieldOf("category_option_combo", n)
		c.checkCombos(p.option, nil)
	}
	if remove {
		return p
	}
	if n := c.node("value"); n == nil {
		c.missing("value", "give the value")
	} else {
		p.val = c.fieldOf("value", n)
	}
	p.aggregate = c.choice("aggregate")
	p.declareIDs(c)
	p.comment = c.comment()
	p.followUp = c.valueFollowUp(p.aggregate)
	return p
}

// names reads data_element, which the data name unless they name the data set only.
func (p *namedPlan) names(c *compiler) {
	n := c.node("data_element")
	switch {
	case n == nil:
		c.missing("data_element", "name a data element, or say where the data name it: {from: trigger.dataElement}")
	case c.namedByData("data_element"):
		p.element = c.fieldOf("data_element", n)
		c.checkOutputs(p.element, "data element", func(ref string) (string, []string, []string) {
			e, ambiguous, near := c.x.DataElement(ref, p.among())
			return idOf(e, func(e *metadata.DataElement) string { return e.ID }), ambiguous, near
		})
	default:
		if n = c.name("data_element"); n == nil {
			return
		}
		e, ambiguous, near := c.x.DataElement(n.Value, nil)
		if c.found(n, e != nil, metadata.DataElements, "data element", ambiguous, near) {
			c.use(e.ID, n.Place())
			p.fixed = e
		}
	}
}

// among gives the data elements of the fixed data set; nil, which stands for all, where there is none.
func (p *namedPlan) among() []string {
	if p.set == nil {
		return nil
	}
	among := make([]string, len(p.set.Elements))
	for i, e := range p.set.Elements {
		among[i] = e.DataElement.ID
	}
	return among
}

// wholeCombo reads the attribute option combination of a data set that is known with the record only.
func (c *compiler) wholeCombo() *rules.Field {
	if n := c.node("attribute_category_options"); n != nil {
		c.errorAt(c.spec.Body.Key("attribute_category_options").Place(), "attribute-combo-missing",
			"write attribute_option_combo: with the whole combination, or name one data set",
			"which categories there are is not known before the data set is")
	}
	n := c.node("attribute_option_combo")
	if n == nil {
		return nil
	}
	f := c.fieldOf("attribute_option_combo", n)
	c.checkCombos(f, nil)
	return f
}

// plan finds what the record names, and writes as if the rule had named it.
func (p *namedPlan) plan(s *rules.Scope, out *plan) error {
	e, err := p.elementOf(s)
	if err != nil {
		return err
	}
	set, err := p.setOf(s, e)
	if err != nil {
		return err
	}
	v, err := p.planFor(set, e)
	if err != nil {
		return err
	}
	return v.plan(s, out)
}

func (p *namedPlan) elementOf(s *rules.Scope) (*metadata.DataElement, error) {
	if p.fixed != nil {
		return p.fixed, nil
	}
	ref, err := reference(s, p.element, "data_element")
	if err != nil {
		return nil, err
	}
	if ref == "" {
		return nil, p.fail(p.element, "data_element", "blank-value", "is blank",
			"fill it in at the source, or leave such records out with when", nil)
	}
	e, ambiguous, near := p.x.DataElement(ref, p.among())
	if e != nil {
		traceFound(s, p.element, ref, &rules.Object{ID: e.ID, Code: e.Code, Name: e.Name})
		return e, nil
	}
	if len(ambiguous) > 0 {
		return nil, p.fail(p.element, "data_element", "ambiguous-name",
			"is the name of several data elements of the last sync",
			"use the code or uid of the one that is meant: "+diag.Names(ambiguous[:min(5, len(ambiguous))], "or"), ref)
	}
	if elsewhere, _, _ := p.x.DataElement(ref, nil); elsewhere != nil {
		return nil, p.fail(p.element, "data_element", "element-not-in-data-set",
			fmt.Sprintf("is not a data element of the data set %q", p.set.Name),
			"add it to the data set in DHIS2 and sync, or leave such records out with when", ref)
	}
	return nil, p.fail(p.element, "data_element", "unknown-data-element", "fits no data element of the last sync",
		nearest(near, "correct it at the source, map it with map:, or sync when it is new in DHIS2"), ref)
}

func (p *namedPlan) fail(f *rules.Field, key, code, message, hint string, in any) *rules.Failure {
	failure := &rules.Failure{Problem: diag.Problem{Code: code, Field: key, Place: p.spec.Place,
		Message: fmt.Sprintf("%q %s", key, message),
		Hint:    hint}}
	if f != nil {
		failure.Place, failure.Column = placeOf(f), f.Column()
	}
	if in != nil {
		failure.Value = private(in)
	}
	return failure
}

// setOf finds the data set that a value is reported in.
func (p *namedPlan) setOf(s *rules.Scope, e *metadata.DataElement) (*metadata.DataSet, error) {
	if p.set != nil {
		return p.set, nil
	}
	if p.dataSet != nil {
		ref, err := reference(s, p.dataSet, "data_set")
		if err != nil {
			return nil, err
		}
		if ref != "" {
			d, err := p.setNamed(ref, e)
			if err == nil {
				traceFound(s, p.dataSet, ref, &rules.Object{ID: d.ID, Code: d.Code, Name: d.Name})
			}
			return d, err
		}
	}
	d, err := p.setWith(s, e)
	if err == nil && s.Trace != nil {
		s.Trace(rules.Step{What: "field", Name: "data_set", Place: p.spec.Place,
			Out: &rules.Object{ID: d.ID, Code: d.Code, Name: d.Name}})
	}
	return d, err
}

func (p *namedPlan) setNamed(ref string, e *metadata.DataElement) (*metadata.DataSet, error) {
	d, ambiguous, near := p.x.DataSet(ref)
	switch {
	case len(ambiguous) > 0:
		return nil, p.fail(p.dataSet, "data_set", "ambiguous-name", "is the name of several data sets of the last sync",
			"use the code or uid of the one that is meant: "+diag.Names(ambiguous[:min(5, len(ambiguous))], "or"), ref)
	case d == nil:
		return nil, p.fail(p.dataSet, "data_set", "unknown-data-set", "fits no data set of the last sync",
			nearest(near, "correct it at the source, map it with map:, or sync when it is new in DHIS2"), ref)
	case !holds(d, e):
		return nil, p.fail(p.dataSet, "data_set", "element-not-in-data-set", fmt.Sprintf("has no data element %q", e.Name),
			"add it to the data set in DHIS2 and sync, or name another data set", ref)
	}
	return d, nil
}

func holds(d *metadata.DataSet, e *metadata.DataElement) bool {
	return slices.ContainsFunc(d.Elements,
		func(member metadata.DataSetElement) bool { return member.DataElement.ID == e.ID })
}

// setWith finds the data set that has an element and is assigned to the record's org unit. A value
// belongs to no data set in DHIS2, so of several that ask for it in the same periods and by the
// same categories any will do.
func (p *namedPlan) setWith(s *rules.Scope, e *metadata.DataElement) (*metadata.DataSet, error) {
	var sets []*metadata.DataSet
	for i := range p.x.Snapshot.DataSets {
		if d := &p.x.Snapshot.DataSets[i]; holds(d, e) {
			sets = append(sets, d)
		}
	}
	if len(sets) == 0 {
		return nil, p.fail(p.element, "data_element", "element-not-in-data-set",
			fmt.Sprintf("is the data element %q, which is in no data set", e.Name),
			"add it to a data set in DHIS2 and sync", nil)
	}
	if len(sets) == 1 {
		return sets[0], nil
	}
	unit, err := p.orgUnit.eval(s, time.Time{})
	if err != nil {
		return nil, err
	}
	assigned := slices.DeleteFunc(slices.Clone(sets),
		func(d *metadata.DataSet) bool { return !p.x.DataSetHasOrgUnit(d.ID, unit.ID) })
	if len(assigned) == 0 {
		return sets[0], nil // which says that the org unit is not assigned
	}
	slices.SortFunc(assigned, func(a, b *metadata.DataSet) int { return cmp.Compare(a.ID, b.ID) })
	shape := func(d *metadata.DataSet) [3]string {
		return [3]string{d.PeriodType, comboID(d.CategoryCombo), combosOf(d, e)}
	}
	var names []string
	alike := true
	for _, d := range assigned {
		names = append(names, d.Name)
		alike = alike && shape(d) == shape(assigned[0])
	}
	if !alike {
		return nil, p.fail(p.element, "data_element", "several-data-sets",
			fmt.Sprintf("is in several data sets that ask for it in different periods or by different categories: %s",
				diag.Names(names[:min(5, len(names))], "and")),
			"say which with data_set: a name, or {from: ...} where the data name it", nil)
	}
	return assigned[0], nil
}

func comboID(r *metadata.Ref) string { return idOf(r, func(r *metadata.Ref) string { return r.ID }) }

// planFor gives the plan of one data element in one data set, made once.
func (p *namedPlan) planFor(set *metadata.DataSet, e *metadata.DataElement) (*valuesPlan, error) {
	key := setAndElement{set.ID, e.ID}
	if known, ok := p.plans.Load(key); ok {
		return known.(*valuesPlan), nil
	}
	v := *p.valuesPlan
	if p.set == nil {
		v.set = set
		v.template = newTemplate("data value of "+set.Name, set.Name, object.ImportOptions{})
		unit, period := *p.orgUnit, *p.period
		unit.to, period.set = p.dataSetUnits(set), set
		v.orgUnit, v.period = &unit, &period
		if divided := comboID(set.CategoryCombo); p.whole != nil || divided != "" && divided != p.x.DefaultCombo() {
			if p.whole == nil {
				return nil, p.fail(nil, "attribute_option_combo", "attribute-combo-missing",
					fmt.Sprintf("is missing: the data set %q is divided", set.Name),
					"add attribute_option_combo: to the action", nil)
			}
			v.combo = &attributeCombo{w: p.env, combo: cmp.Or(divided, p.x.DefaultCombo()), field: p.whole}
		}
	}
	cell, err := p.cellOf(&v, e)
	if err != nil {
		return nil, err
	}
	v.cells = []*cellField{cell}
	kept, _ := p.plans.LoadOrStore(key, &v)
	return kept.(*valuesPlan), nil
}

// cellOf makes the one value of a plan.
func (p *namedPlan) cellOf(v *valuesPlan, e *metadata.DataElement) (*cellField, error) {
	cell := v.newCell(e, combosOf(v.set, e), p.spec.Place)
	if cell.comboOf = p.option; p.option == nil && cell.combo == "" {
		return nil, p.fail(p.element, "data_element", "combo-missing",
			fmt.Sprintf("is the data element %q, which is divided, and nothing says which combination is meant", e.Name),
			"add category_option_combo: to the action", nil)
	}
	if p.val == nil {
		return cell, nil
	}
	if p.aggregate != "" && p.aggregate != object.AggregateLast && !isNumeric(e.ValueType) {
		return nil, p.fail(p.element, "data_element", "aggregate-of-text",
			fmt.Sprintf("is the data element %q, which holds no numbers", e.Name),
			"choose aggregate: last, or leave such records out with when", nil)
	}
	kind := contributionKind(p.aggregate, p.elementKind(e, true))
	if problem := kind.Unsupported(); problem != nil {
		return nil, p.fail(p.val, "value", problem.Code, problem.Message, problem.Hint, nil)
	}
	kind, err := kind.WithFormat(p.val.Format)
	if err != nil {
		return nil, p.fail(p.val, "value", "bad-format",
			"has a format that does not fit the data element "+e.Name+": "+err.Error(), formatHint(err), nil)
	}
	cell.valued = &valued{Field: p.val, uid: e.ID, name: e.Name, kind: kind}
	return cell, nil
}
