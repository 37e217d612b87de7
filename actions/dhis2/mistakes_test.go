package dhis2

// mistakes are rules with one mistake each about the metadata. What is found is in testdata/findings.golden.
var mistakes = []struct{ name, actions string }{
	{"unknown program", `
  - dhis2.create_and_enroll:
      program: Antenatal cares
      external_id: trigger.case
      org_unit: trigger.place
      enrolled_at: trigger.date
      attributes: {First name: trigger.first, Date of birth: trigger.dob}`},
	{"enrolling in an event program", `
  - dhis2.create_and_enroll:
      program: Malaria case notification
      external_id: trigger.case
      org_unit: trigger.place
      enrolled_at: trigger.date
      attributes: {First name: trigger.first}`},
	{"unknown attribute", `
  - dhis2.create_and_enroll:
      program: Antenatal care
      external_id: trigger.case
      org_unit: trigger.place
      enrolled_at: trigger.date
      attributes: {First nane: trigger.first, First name: trigger.first, Date of birth: trigger.dob}`},
	{"attribute of another program", `
  - dhis2.create_and_enroll:
      program: Child immunisation
      external_id: trigger.case
      org_unit: trigger.place
      enrolled_at: trigger.date
      attributes: {First name: trigger.first, Sex: {value: Male}, Date of birth: trigger.dob, Phone number: trigger.phone}`},
	{"mandatory attributes", `
  - dhis2.create_and_enroll:
      program: Child immunisation
      external_id: trigger.case
      org_unit: trigger.place
      enrolled_at: trigger.date
      attributes: {First name: trigger.first}`},
	{"attribute twice", `
  - dhis2.create_and_enroll:
      program: Antenatal care
      external_id: trigger.case
      org_unit: trigger.place
      enrolled_at: trigger.date
      attributes: {First name: trigger.first, Date of birth: trigger.dob, JMYmVp2S0Xl: trigger.last}`},
	{"literal not an option", `
  - dhis2.create_and_enroll:
      program: Antenatal care
      external_id: trigger.case
      org_unit: trigger.place
      enrolled_at: trigger.date
      attributes: {First name: trigger.first, Date of birth: trigger.dob, Sex: {value: Femal}}`},
	{"literal of the wrong type", `
  - dhis2.create_and_enroll:
      program: Antenatal care
      external_id: trigger.case
      org_unit: trigger.place
      enrolled_at: trigger.date
      attributes: {First name: trigger.first, Date of birth: {value: "28"}}`},
	{"map to what is no option", `
  - dhis2.create_and_enroll:
      program: Antenatal care
      external_id: trigger.case
      org_unit: trigger.place
      enrolled_at: trigger.date
      attributes:
        First name: trigger.first
        Date of birth: trigger.dob
        Sex: {from: trigger.sex, map: {f: Feminine, m: Male}}`},
	{"map to the wrong type", `
  - dhis2.create_and_enroll:
      program: Antenatal care
      external_id: trigger.case
      org_unit: trigger.place
      enrolled_at: trigger.date
      attributes:
        First name: trigger.first
        Date of birth: trigger.dob
        Number of children: {from: trigger.sex, map: {f: several, m: 0}}`},
	{"no match_by", `
  - dhis2.create_and_enroll:
      program: Antenatal care
      external_id: trigger.case
      org_unit: trigger.place
      enrolled_at: trigger.date
      attributes: {First name: trigger.first, Date of birth: trigger.dob, National ID: trigger.nid}`},
	{"match_by not unique", `
  - dhis2.create_and_enroll:
      program: Antenatal care
      external_id: trigger.case
      match_by: First name
      org_unit: trigger.place
      enrolled_at: trigger.date
      attributes: {First name: trigger.first, Date of birth: trigger.dob}`},
	{"match_by without its value", `
  - dhis2.create_and_enroll:
      program: Antenatal care
      external_id: trigger.case
      match_by: National ID
      org_unit: trigger.place
      enrolled_at: trigger.date
      attributes: {First name: trigger.first, Date of birth: trigger.dob}`},
	{"no external id", `
  - dhis2.create_and_enroll:
      program: Antenatal care
      org_unit: trigger.place
      enrolled_at: trigger.date
      attributes: {First name: trigger.first, Date of birth: trigger.dob}`},
	{"no enrolled date", `
  - dhis2.create_and_enroll:
      program: Antenatal care
      external_id: trigger.case
      org_unit: trigger.place
      attributes: {First name: trigger.first, Date of birth: trigger.dob}`},
	{"unknown org unit", `
  - dhis2.create_and_enroll:
      program: Antenatal care
      external_id: trigger.case
      org_unit: {value: Coral Helth Centre}
      enrolled_at: trigger.date
      attributes: {First name: trigger.first, Date of birth: trigger.dob}`},
	{"org unit not of the program", `
  - dhis2.create_and_enroll:
      program: Antenatal care
      external_id: trigger.case
      org_unit: {value: Highlands}
      enrolled_at: trigger.date
      attributes: {First name: trigger.first, Date of birth: trigger.dob}`},
	{"status misspelt", `
  - dhis2.create_and_enroll:
      program: Antenatal care
      external_id: trigger.case
      org_unit: trigger.place
      enrolled_at: trigger.date
      status: COMPLETE
      attributes: {First name: trigger.first, Date of birth: trigger.dob}`},
	{"map to what is no status", `
  - dhis2.create_and_enroll:
      program: Antenatal care
      external_id: trigger.case
      org_unit: trigger.place
      enrolled_at: trigger.date
      status: {from: trigger.sex, map: {f: ACTIVE, m: DONE}}
      attributes: {First name: trigger.first, Date of birth: trigger.dob}`},
	{"geometry of a program without", `
  - dhis2.enroll:
      program: Antenatal care
      external_id: trigger.case
      org_unit: trigger.place
      enrolled_at: trigger.date
      geometry: trigger.gps`},
	{"checks given up", `
  - dhis2.enroll:
      program: Antenatal care
      external_id: trigger.case
      org_unit: trigger.place
      enrolled_at: trigger.date
      import: {skip_rule_engine: true}`},
	{"category options where there are none", `
  - dhis2.enroll:
      program: Antenatal care
      external_id: trigger.case
      org_unit: trigger.place
      enrolled_at: trigger.date
      attribute_category_options: {Funding partner: {value: Global Fund}}`},
	{"unknown stage", `
  - dhis2.event:
      program: Antenatal care
      stage: First vist
      external_id: trigger.case
      org_unit: trigger.place
      occurred_at: trigger.date`},
	{"no stage", `
  - dhis2.event:
      program: Antenatal care
      external_id: trigger.case
      org_unit: trigger.place
      occurred_at: trigger.date`},
	{"element of another stage", `
  - dhis2.event:
      program: Antenatal care
      stage: Delivery
      external_id: trigger.case
      org_unit: trigger.place
      occurred_at: trigger.date
      data_values: {Weight (kg): trigger.weight}`},
	{"unknown data element", `
  - dhis2.event:
      program: Antenatal care
      stage: Delivery
      external_id: trigger.case
      org_unit: trigger.place
      occurred_at: trigger.date
      data_values: {Birth wieght (g): trigger.weight}`},
	{"compulsory element", `
  - dhis2.event:
      program: Antenatal care
      stage: First visit
      external_id: trigger.case
      org_unit: trigger.place
      occurred_at: trigger.date
      data_values: {Weight (kg): trigger.weight}`},
	{"compulsory element on completion", `
  - dhis2.event:
      program: Antenatal care
      stage: Delivery
      external_id: trigger.case
      org_unit: trigger.place
      occurred_at: trigger.date
      status: COMPLETED
      data_values: {Birth weight (g): trigger.weight}`},
	{"a stage that does not repeat", `
  - dhis2.event:
      for_each: trigger.visits
      program: Antenatal care
      stage: Delivery
      external_id: trigger.case
      org_unit: trigger.place
      occurred_at: item.on
      data_values: {Birth weight (g): item.weight}`},
	{"event id of a stage that does not repeat", `
  - dhis2.event:
      program: Antenatal care
      stage: Delivery
      event_id: trigger.id
      external_id: trigger.case
      org_unit: trigger.place
      occurred_at: trigger.date
      data_values: {Delivery outcome: {value: LIVE}}`},
	{"planned event with values", `
  - dhis2.event:
      program: Antenatal care
      stage: Follow-up visit
      external_id: trigger.case
      org_unit: trigger.place
      status: SCHEDULE
      scheduled_at: trigger.date
      data_values: {Weight (kg): trigger.weight}`},
	{"planned event without its date", `
  - dhis2.event:
      program: Antenatal care
      stage: Follow-up visit
      external_id: trigger.case
      org_unit: trigger.place
      status: SCHEDULE`},
	{"planned event of an event program", `
  - dhis2.event:
      program: Malaria case notification
      org_unit: trigger.place
      status: SCHEDULE
      scheduled_at: trigger.date`},
	{"person in an event program", `
  - dhis2.event:
      program: Malaria case notification
      external_id: trigger.case
      org_unit: trigger.place
      occurred_at: trigger.date`},
	{"user of a stage without assignment", `
  - dhis2.event:
      program: Antenatal care
      stage: Delivery
      external_id: trigger.case
      org_unit: trigger.place
      occurred_at: trigger.date
      assigned_user: {value: clerk}`},
	{"unknown data set", `
  - dhis2.data_value_set:
      data_set: Malaria montly report
      org_unit: trigger.place
      period: trigger.date
      values: {Malaria deaths: trigger.weight}`},
	{"element of another data set", `
  - dhis2.data_value_set:
      data_set: Malaria monthly report
      org_unit: trigger.place
      period: trigger.date
      values: {HIV tests done: trigger.weight}`},
	{"combination missing", `
  - dhis2.data_value_set:
      data_set: Malaria monthly report
      org_unit: trigger.place
      period: trigger.date
      values: {Malaria tests done: trigger.weight}`},
	{"unknown combination", `
  - dhis2.data_value_set:
      data_set: Malaria monthly report
      org_unit: trigger.place
      period: trigger.date
      values: {Malaria tests done: {"Under 5, Female": trigger.weight}}`},
	{"combination of an undivided element", `
  - dhis2.data_value_set:
      data_set: Malaria monthly report
      org_unit: trigger.place
      period: trigger.date
      values: {Malaria deaths: {"Under 5, Females": trigger.weight}}`},
	{"combination twice", `
  - dhis2.data_value_set:
      data_set: Malaria monthly report
      org_unit: trigger.place
      period: trigger.date
      values: {Malaria tests done: {"Under 5, Females": trigger.weight, "Females, Under 5": trigger.weight}}`},
	{"period of another type", `
  - dhis2.data_value_set:
      data_set: Malaria monthly report
      org_unit: trigger.place
      period: {value: 2026Q1}
      values: {Malaria deaths: trigger.weight}`},
	{"no period at all", `
  - dhis2.data_value_set:
      data_set: Malaria monthly report
      org_unit: trigger.place
      period: {value: March}
      values: {Malaria deaths: trigger.weight}`},
	{"attribute combination missing", `
  - dhis2.data_value_set:
      data_set: HIV quarterly report
      org_unit: trigger.place
      period: trigger.date
      values: {HIV tests done: trigger.weight}`},
	{"unknown category option", `
  - dhis2.data_value_set:
      data_set: HIV quarterly report
      org_unit: trigger.place
      period: trigger.date
      attribute_category_options: {Funding partner: {value: Globl Fund}}
      values: {HIV tests done: trigger.weight}`},
	{"unknown category", `
  - dhis2.data_value_set:
      data_set: HIV quarterly report
      org_unit: trigger.place
      period: trigger.date
      attribute_category_options: {Partner: {value: Global Fund}}
      values: {HIV tests done: trigger.weight}`},
	{"org unit not of the data set", `
  - dhis2.data_value_set:
      data_set: Malaria monthly report
      org_unit: {value: Tamala}
      period: trigger.date
      values: {Malaria deaths: trigger.weight}`},
	{"element of no data set", `
  - dhis2.data_value:
      data_element: Birth weight (g)
      org_unit: trigger.place
      period: trigger.date
      value: trigger.weight`},
	{"unknown relationship type", `
  - dhis2.relationship:
      type: Mother off
      from: {external_id: trigger.case}
      to: {external_id: trigger.id}`},
	{"nobody on one side", `
  - dhis2.relationship:
      type: Mother of
      from: {external_id: trigger.case}
      to: {tracked_entity_type: Person}`},
	{"deletion unconfirmed", `
  - dhis2.delete:
      what: tracked_entity
      tracked_entity_type: Person
      external_id: trigger.case`},
	{"deletion of an event of an unknown program", `
  - dhis2.delete:
      what: event
      confirm: true
      program: Antenatal
      stage: Follow-up visit
      external_id: trigger.case
      event_id: trigger.id`},
	{"which event is complete", `
  - dhis2.complete:
      program: Antenatal care
      stage: Follow-up visit
      external_id: trigger.case`},
	{"unknown tracked entity type", `
  - dhis2.tracked_entity:
      tracked_entity_type: Persons
      external_id: trigger.case
      org_unit: trigger.place
      attributes: {First name: trigger.first}`},
	{"years of two digits", `
  - dhis2.event:
      program: Every value type
      org_unit: trigger.place
      occurred_at: {from: trigger.date, format: dd/MM/yy}
      data_values:
        Value of type date: 'date(trigger.first, "d.M.yy")'`},
	{"shapes and files", `
  - dhis2.event:
      program: Every value type
      org_unit: trigger.place
      occurred_at: trigger.date
      geometry: split(trigger.first, " ")
      follow_up: {value: true}
      data_values:
        Value of type text: split(trigger.first, " ")
        Value of type coordinate: split(trigger.first, " ")
        Value of type number: 'filter(trigger.visits ?? [], true)'`},
	{"file", `
  - dhis2.event:
      program: Every value type
      org_unit: trigger.place
      occurred_at: trigger.date
      data_values: {Value of type coordinate: {value: "31.1,-5.2"}, Value of type url: {value: example.org}}`},
}
