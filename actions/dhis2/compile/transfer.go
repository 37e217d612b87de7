package compile

import (
	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/actions/dhis2/object"
	"github.com/culvert/culvert/rules"
)

// transferPlan gives a person's data of a program to another org unit.
type transferPlan struct {
	*env
	template *object.Template
	person   *personRef
	program  *metadata.Program
	orgUnit  *orgUnitField
}

func (t *transferPlan) key() *rules.Expr { return t.person.external }

// compileTransfer compiles dhis2.transfer.
func compileTransfer(c *compiler) planner {
	p := c.trackerProgram()
	c.typeNamed("tracked_entity_type")
	if p == nil {
		return nil
	}
	to := c.programUnits(p)
	to.anywhere = true
	return &transferPlan{
		env: c.env, program: p, person: c.personRef(c.entityType(p), p, nil), orgUnit: c.orgUnit(true, to),
		template: newTemplate("transfer in "+p.Name, p.Name, object.ImportOptions{}),
	}
}

func (t *transferPlan) plan(s *rules.Scope, p *plan) error {
	person, err := t.person.eval(s)
	if err != nil {
		return err
	}
	orgUnit, err := t.orgUnit.eval(s, t.o.Now())
	if err != nil {
		return err
	}
	p.add(&object.Transfer{Template: t.template, Person: person, Program: t.program.ID, OrgUnit: orgUnit})
	return nil
}
