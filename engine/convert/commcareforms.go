package convert

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/culvert/culvert/rules/yamlnode"
)

// source is where CommCare HQ takes a value from; which it is shows in the keys that are there.
type source struct {
	FormQuestion string            `json:"form_question"`
	CaseProperty string            `json:"case_property"`
	Value        json.RawMessage   `json:"value"`
	OwnerField   string            `json:"case_owner_ancestor_location_field"`
	UserField    string            `json:"form_user_ancestor_location_field"`
	JSONPath     string            `json:"jsonpath"`
	Map          map[string]string `json:"value_map"`
	Direction    string            `json:"direction"`
}

// UnmarshalJSON takes a source, or a fixed text in its place.
func (s *source) UnmarshalJSON(raw []byte) error {
	var fixed string
	if json.Unmarshal(raw, &fixed) == nil {
		s.Value = raw
		return nil
	}
	type plain source
	return json.Unmarshal(raw, (*plain)(s))
}

type formConfig struct {
	XMLNS        string      `json:"xmlns"`
	Program      string      `json:"program_id"`
	Stage        *source     `json:"program_stage_id"`
	Enrolled     *source     `json:"enrollment_date"`
	Incident     *source     `json:"incident_date"`
	ProgramState *source     `json:"program_status"`
	OrgUnit      *source     `json:"org_unit_id"`
	Date         *source     `json:"event_date"`
	Status       *source     `json:"event_status"`
	Completed    *source     `json:"completed_date"`
	Location     *source     `json:"event_location"`
	Values       []dataValue `json:"datavalue_maps"`
}

type dataValue struct {
	Element string  `json:"data_element_id"`
	Value   *source `json:"value"`
	Column  string  `json:"column"`
	Combo   string  `json:"category_option_combo_id"`
	Comment string  `json:"comment"`
}

type caseConfig struct {
	CaseType      string            `json:"case_type"`
	EntityType    string            `json:"te_type_id"`
	EntityID      *source           `json:"tei_id"`
	OrgUnit       *source           `json:"org_unit_id"`
	Attributes    map[string]source `json:"attributes"`
	Forms         []formConfig      `json:"form_configs"`
	Relationships []json.RawMessage `json:"relationships_to_export"`
	Finder        *struct {
		Weights []struct {
			Property string  `json:"case_property"`
			Weight   float64 `json:"weight"`
		} `json:"property_weights"`
	} `json:"finder_config"`
}

type dataSetMap struct {
	Report      string      `json:"ucr_id"`
	Description string      `json:"description"`
	DataSet     string      `json:"data_set_id"`
	OrgUnit     string      `json:"org_unit_id"`
	UnitColumn  string      `json:"org_unit_column"`
	Period      string      `json:"period"`
	PeriodCol   string      `json:"period_column"`
	Frequency   string      `json:"frequency"`
	Day         int         `json:"day_to_send"`
	AttributeOC string      `json:"attribute_option_combo_id"`
	Complete    string      `json:"complete_date"`
	Values      []dataValue `json:"datavalue_maps"`
}

func (c *commcareConverter) read(raw []byte) error {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) == nil && list != nil {
		for _, one := range list {
			if err := c.read(one); err != nil {
				return err
			}
		}
		return nil
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(raw, &keys); err != nil {
		return err
	}
	var forms []formConfig
	var cases []caseConfig
	var sets []dataSetMap
	var err error
	switch {
	case keys["case_type"] != nil:
		err = one(raw, &cases)
	case keys["data_set_id"] != nil:
		err = one(raw, &sets)
	case keys["xmlns"] != nil:
		err = one(raw, &forms)
	default:
		for _, key := range []string{"dhis2_config", "dhis2_entity_config"} {
			if of := keys[key]; of != nil {
				return c.read(of)
			}
		}
		err = errors.Join(many(keys["form_configs"], &forms), many(keys["case_configs"], &cases),
			many(keys["dataset_maps"], &sets))
	}
	if err != nil {
		return err
	}
	if len(forms)+len(cases)+len(sets) == 0 {
		return fmt.Errorf("it has neither form_configs, case_configs, nor a data set")
	}
	for i := range forms {
		c.anonymous(&forms[i])
	}
	for i := range cases {
		c.tracked(&cases[i])
	}
	for i := range sets {
		c.dataSetMap(&sets[i])
	}
	return nil
}

// one reads a configuration that stands alone, many a list of them.
func one[T any](raw json.RawMessage, into *[]T) error {
	*into = make([]T, 1)
	return json.Unmarshal(raw, &(*into)[0])
}

func many[T any](raw json.RawMessage, into *[]T) error {
	if raw == nil {
		return nil
	}
	return json.Unmarshal(raw, into)
}

// dataSetMap converts a report whose rows become data values.
func (c *commcareConverter) dataSetMap(d *dataSetMap) {
	name := c.dataSet(d.DataSet)
	w, path := c.begin("data-set-"+name, "the data set "+name+", from the report "+d.Report)
	w.line(0, "trigger:")
	w.line(1, "files: {folder: drop, glob: %s}", yamlnode.FlowText(slug(name)+"*.csv"))
	w.todo(1, "save an export of the report as a sample and name it here with sample:")
	c.add(path+": report "+d.Report, Changed, d.Frequency, "files",
		"export the report as CSV into drop/: every row with a new value is sent, at any time and as often as wanted")
	unit, period := value{fixed: d.OrgUnit}, value{fixed: d.Period}
	var id []string
	if d.UnitColumn != "" {
		unit = value{expr: member("trigger", d.UnitColumn)}
		id = append(id, unit.expr)
	}
	if d.PeriodCol != "" {
		period = value{expr: member("trigger", d.PeriodCol)}
		id = append(id, period.expr)
	}
	switch len(id) {
	case 0:
		w.todo(0, "id: with what identifies a row")
	case 1:
		w.pair(0, "id", id[0])
	default:
		w.pair(0, "id", `format("{} {}", `+strings.Join(id, ", ")+")")
	}
	w.line(0, "actions:")
	w.line(1, "- dhis2.data_value_set:")
	w.pair(3, "data_set", name)
	w.field(3, "org_unit", unit)
	if period.expr == "" && period.fixed == "" {
		w.todo(3, "period: the period of the report, from a column or as {value: ...}")
		c.add(path+": period", LeftOut, d.Frequency, "",
			"CommCare took the last whole period before the day of sending: add a column with the date or the period to the "+
				"report")
	} else {
		w.field(3, "period", period)
	}
	if d.AttributeOC != "" {
		w.field(3, "attribute_option_combo", value{fixed: d.AttributeOC})
	}
	if d.Complete != "" {
		w.field(3, "complete_date", value{fixed: d.Complete})
	}
	c.cells(w, path, d.Values)
	c.end(w, path)
}
