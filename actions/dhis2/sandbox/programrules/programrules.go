// Package programrules evaluates DHIS2's program rules as the server's own rule engine of each
// version does: the expression language with its coercions and its errors, the variables of a
// program, and the effects of the rules that hold. It knows nothing of HTTP, of a store or of a
// clock; whoever calls it gives the facts and acts on the effects.
//
// What it does follows dhis2-rule-engine and DHIS2's expression-parser: 3.4 for 2.42, 3.8 for 2.41
// (as of its latest patches), 2.43 and later, 2.1 for 2.38 to 2.40.
package programrules

import "time"

// Kind is what an action does. Those that only change a form are of no concern to a server.
type Kind string

// The kinds of actions that a server acts on.
const (
	ShowError         Kind = "SHOWERROR"
	ShowWarning       Kind = "SHOWWARNING"
	ErrorOnComplete   Kind = "ERRORONCOMPLETE"
	WarningOnComplete Kind = "WARNINGONCOMPLETE"
	SetMandatory      Kind = "SETMANDATORYFIELD"
	Assign            Kind = "ASSIGN"
	SendMessage       Kind = "SENDMESSAGE"
	ScheduleMessage   Kind = "SCHEDULEMESSAGE"
	ScheduleEvent     Kind = "SCHEDULEEVENT" // from 2.43 on
	Failed            Kind = "ERROR"         // an effect alone: a condition or an action could not be evaluated
)

// actsOn tells whether a server of a version evaluates actions of a kind. A rule that has none is not evaluated at all.
func (k Kind) actsOn(version int) bool {
	switch k {
	case ShowError, ShowWarning, ErrorOnComplete, WarningOnComplete, SetMandatory, Assign, SendMessage, ScheduleMessage:
		return true
	case ScheduleEvent:
		return version >= 43
	}
	return false
}

// Target is what the field of an action is.
type Target uint8

// The targets.
const (
	NoTarget Target = iota
	DataElement
	Attribute
)

// Rule is a program rule as the metadata tells it.
type Rule struct {
	UID, Name string
	Stage     string // of events of this stage alone; empty: of every stage, and of enrollments
	Condition string
	Priority  *int // the lowest first, those without one last
	Actions   []Action
}

// Action is a program rule action. Field is the uid of a data element or attribute, by Target; that
// of a ScheduleEvent is a stage.
type Action struct {
	Kind          Kind
	Content, Data string
	Target        Target
	Field         string
	Priority      *int // from 2.43 on
}

// Source is where a variable takes its value from (DHIS2 ProgramRuleVariableSourceType).
type Source string

// The sources of variables.
const (
	NewestInStage   Source = "DATAELEMENT_NEWEST_EVENT_PROGRAM_STAGE"
	NewestInProgram Source = "DATAELEMENT_NEWEST_EVENT_PROGRAM"
	CurrentEvent    Source = "DATAELEMENT_CURRENT_EVENT"
	PreviousEvent   Source = "DATAELEMENT_PREVIOUS_EVENT"
	Calculated      Source = "CALCULATED_VALUE"
	OfAttribute     Source = "TEI_ATTRIBUTE"
)

// Variable is a program rule variable. Field is the uid of its data element or attribute, ValueType
// DHIS2's value type of that.
type Variable struct {
	Name         string
	Source       Source
	Field, Stage string
	ValueType    string
	Names        map[string]string // code -> name of its options; nil where the variable holds codes
}

// Definition is the rules of one program and what they need of the metadata.
type Definition struct {
	Rules     []Rule
	Variables []Variable
	Constants map[string]float64         // by uid
	Groups    map[string]map[string]bool // org unit group, by uid and by code -> uids of its org units
}

// Enrollment is what rules see of an enrollment. Dates are those of the server's time zone.
type Enrollment struct {
	UID, Program, Status string // Program is its name
	OrgUnit, OrgUnitCode string
	Enrolled, Incident   time.Time
	Attributes           map[string]string
}

// Event is what rules see of an event.
type Event struct {
	UID, Stage, StageName, Status string
	OrgUnit, OrgUnitCode          string
	Date                          time.Time // when it occurred, else when it is due; zero: unknown
	Created                       time.Time
	Due, Completed                *time.Time
	Values                        map[string]string // by data element
	Asked                         bool              // its effects are wanted; the others only give values
}

// User is who imports.
type User struct{ Groups, Roles []string }

// Effect is what a rule asks for.
type Effect struct {
	Rule    string // uid
	Kind    Kind
	Target  Target
	Field   string  // uid; empty: none
	Content string  // the text of the action; of Failed what could not be evaluated
	Data    *string // what the data of the action evaluates to; nil: no value
}

// Effects are what the rules ask for: of the enrollment, and of each event that was asked about, by its uid.
type Effects struct {
	Enrollment []Effect
	Events     map[string][]Effect
}
