package compile

import (
	"fmt"
	"strings"
	"time"

	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/actions/dhis2/object"
	"github.com/culvert/culvert/actions/dhis2/value"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
)

// valuesPlan writes aggregate values of one org unit and period, and may complete the data set.
type valuesPlan struct {
	*env
	template  *object.Template
	set       *metadata.DataSet
	orgUnit   *orgUnitField
	period    *periodField
	combo     *attributeCombo
	cells     []*cellField
	comment   *valued
	followUp  *boolField
	complete  *dateField
	finish    *statusField // complete, undo or leave; nil: leave, unless there is a date
	remove    bool         // the cells are removed instead of written
	aggregate string       // count, sum, average or last of the records; empty: each record's own value
	spec      *rules.ActionSpec
}

func (v *valuesPlan) key() *rules.Expr { return nil }

// cellField is one value, with the combination that it is for.
type cellField struct {
	*valued   // nil when the value is removed
	label     *object.Template
	element   *metadata.DataElement
	combos    string       // category combo of the element in the data set
	comboOf   *rules.Field // computed, or nil
	combo     string       // uid; the default one where the element is not divided
	comboIs   string       // its name; empty for the default one
	rulePlace diag.Place
}

// compileDataValueSet compiles dhis2.data_value_set.
func compileDataValueSet(c *compiler) planner {
	n := c.requiredName("data_set", "data set", c.dataSetNames)
	var set *metadata.DataSet
	if n != nil {
		set = c.dataSet(n)
	}
	if set == nil {
		return nil
	}
	v := c.valuesOf(set)
	v.template = newTemplate("values of "+set.Name, set.Name, object.ImportOptions{})
	v.aggregate = c.choice("aggregate")
	v.declareIDs(c)
	v.comment = c.comment()
	v.followUp = c.valueFollowUp(v.aggregate)
	v.complete = c.date("complete_date", false)
	v.finish = c.completion()
	if c.spec.Body.Get("completion") == nil && v.complete != nil {
		v.finish = &statusField{fixed: completeSet}
	}
	if v.complete != nil && v.finish != nil && !v.mayComplete() {
		c.warnAt(c.spec.Body.Key("complete_date").Place(), "complete-date-unused", "leave it out",
			"complete_date has no effect with completion: %s", v.finish.always())
	}
	values := c.mapping("values")
	if values == nil && c.spec.Body.Get("values").IsNull() && c.spec.Body.Get("columns") == nil &&
		(v.finish == nil || v.finish.always() == leaveSet) {
		c.missing("values", "name data elements of the data set and their values, or say completion:")
	}
	v.readCells(c, values)
	v.compulsory(c)
	c.importOptions()
	return v
}

// valuesOf reads what one value and a set of them have in common.
func (c *compiler) valuesOf(set *metadata.DataSet) *valuesPlan {
	return &valuesPlan{
		env: c.env, set: set, spec: c.spec,
		orgUnit: c.orgUnit(true, c.dataSetUnits(set)),
		period:  c.period(set),
		combo:   c.attributeCombo(set.CategoryCombo, true),
	}
}

func (c *compiler) dataSetNames() []string {
	var names []string
	for i := range c.x.Snapshot.DataSets {
		names = append(names, c.x.Snapshot.DataSets[i].Name)
	}
	return names
}

// What becomes of a data set's completion, as the declaration of the key says it.
const (
	completeSet = "complete"
	undoSet     = "undo"
	leaveSet    = "leave"
)

// completion reads the key completion: a word, or an expression for one. What a form answers to "is
// this report complete?" serves as well: yes completes, and no leaves it as it is.
func (c *compiler) completion() *statusField {
	return c.wordOf(&statusField{key: "completion", words: c.words("completion"), yes: completeSet, no: leaveSet})
}

// mayComplete tells whether records may complete the data set.
func (v *valuesPlan) mayComplete() bool {
	return v.finish != nil && (v.finish.field != nil || v.finish.fixed == completeSet)
}

// valueFollowUp reads the key follow_up, which marks each value; a value that many records make
// together has no mark of one of them.
func (c *compiler) valueFollowUp(aggregate string) *boolField {
	f := c.boolean("follow_up")
	if f != nil && aggregate != "" {
		c.errorAt(c.spec.Body.Key("follow_up").Place(), "wrong-choice", "leave follow_up out, or aggregate",
			"a value that all records make together cannot be marked by one of them")
		return nil
	}
	return f
}

func (c *compiler) comment() *valued {
	n := c.node("comment")
	if n == nil {
		return nil
	}
	// 2.43 takes comments up to 5000 characters, older servers more.
	return c.valued(n, "", "comment", value.Kind{Type: "LONG_TEXT", Max: 5000})
}

// compulsory warns of cells that the data set wants filled before it is complete.
func (v *valuesPlan) compulsory(c *compiler) {
	if !v.mayComplete() || c.failed {
		return
	}
	var missing []string
	for _, operand := range v.set.Compulsory {
		set := false
		for _, cell := range v.cells {
			set = set || cell.element.ID == operand.DataElement.ID &&
				(operand.CategoryOptionCombo == nil || operand.CategoryOptionCombo.ID == cell.combo)
		}
		if !set {
			missing = append(missing, c.elementNames([]string{operand.DataElement.ID})...)
		}
	}
	if len(missing) > 0 {
		c.warnAt(c.spec.Place, "compulsory-element", "add it, or make it optional in DHIS2 and sync",
			"nothing sets %s, compulsory in the data set %q", diag.Names(missing, "and"), v.set.Name)
	}
}

func (v *valuesPlan) plan(s *rules.Scope, p *plan) error {
	pe, at, err := v.period.eval(s)
	if err != nil {
		return err
	}
	orgUnit, err := v.orgUnit.eval(s, dayOf(pe))
	if err != nil {
		return err
	}
	attCombo, attName, err := v.combo.eval(s, dayOf(pe))
	if err != nil {
		return err
	}
	if attCombo == "" || attCombo == v.x.DefaultOptionCombo() {
		if v.combo.divides() {
			return &rules.Failure{Problem: diag.Problem{
				Code: "attribute-combo-missing", Place: placeOf(v.combo.field), Field: "attribute_option_combo",
				Column:  v.combo.field.Column(),
				Message: fmt.Sprintf(`"attribute_option_combo" is blank, and the data set %q is divided`, v.set.Name),
				Hint:    "fill it in at the source, or give a default in the rule",
			}}
		}
		attCombo, attName = v.x.DefaultOptionCombo(), ""
	}
	comment := ""
	if v.comment != nil {
		if comment, _, err = v.comment.eval(s, v.context); err != nil {
			return err
		}
	}
	followUp, set, err := v.followUp.eval(s, v.context)
	if err != nil {
		return err
	}
	base := object.Cell{DataSet: v.set.ID, OrgUnit: orgUnit.ID, Period: pe.ISO(), AttributeOptionCombo: attCombo}
	for _, c := range v.cells {
		w := &object.DataValue{
			Template: c.label, Cell: base, OrgUnit: orgUnit, Set: v.set.Name, AttCombo: attName, Comment: comment,
			Place: c.rulePlace, Remove: v.remove,
		}
		if set {
			w.FollowUp = &followUp
		}
		if err := v.fillCell(s, c, w, at); err != nil {
			return err
		}
		if w.Cell.DataElement != "" {
			p.add(w)
		}
	}
	return v.finishPlan(s, p, client.Completion{DataSet: v.set.ID, Period: base.Period, OrgUnit: orgUnit.ID,
		AttributeOptionCombo: attCombo}, orgUnit, attName)
}

// fillCell sets value and combination; the data element stays empty where there is nothing to send.
func (v *valuesPlan) fillCell(s *rules.Scope, c *cellField, w *object.DataValue, at time.Time) error {
	if c.valued != nil {
		out, st, err := c.valued.evalFile(s, v.context)
		if err != nil || st == stateOmit && v.aggregate == "" {
			return err
		}
		text := out.Text
		w.Value, w.File, w.Remove, w.Place = text, out.File, st == stateClear, c.valued.place()
		if v.aggregate != "" {
			w.Contribution = newContribution(v.aggregate, text, s, v.spec, c.element.ID+"/"+c.combo, at)
		}
	}
	w.Cell.CategoryOptionCombo, w.Combo = c.combo, c.comboIs
	if c.comboOf != nil {
		combo, err := comboOf(v.env, c.combos, c.comboOf, "category_option_combo", s)
		if err != nil {
			return err
		}
		if combo == nil && c.combo == "" {
			return &rules.Failure{Problem: diag.Problem{
				Code: "blank-value", Place: placeOf(c.comboOf), Field: "category_option_combo",
				Message: `"category_option_combo" is blank`, Hint: "fill it in at the source, or give a default in the rule",
			}}
		}
		if combo != nil && combo.ID != c.combo {
			w.Cell.CategoryOptionCombo, w.Combo = combo.ID, combo.Name
		}
	}
	w.Cell.DataElement = c.element.ID
	return nil
}

// finishPlan adds the completion of the data set, after its values.
func (v *valuesPlan) finishPlan(s *rules.Scope, p *plan, x client.Completion, orgUnit *metadata.OrgUnit,
	attName string) (err error) {
	what, err := v.finish.eval(s)
	if err != nil || what == "" || what == leaveSet {
		return err
	}
	x.Undo = what == undoSet
	if !x.Undo {
		if x.Date, err = v.complete.eval(s, v.context); err != nil {
			return err
		}
		if x.Date == "" && v.complete != nil {
			return nil // reported, but not complete yet
		}
	}
	label := *v.template
	label.Text = strings.TrimSpace(fmt.Sprintf("completion of %s", v.set.Name))
	p.add(&object.Completion{Template: &label, Body: x, OrgUnit: orgUnit, AttCombo: attName})
	return nil
}
