package importer

import (
	"fmt"
	"sort"

	"github.com/culvert/culvert/actions/dhis2/sandbox/version"
)

// Kinds of tracker objects, as reports name them.
const (
	trackedEntityKind = "TRACKED_ENTITY"
	enrollmentKind    = "ENROLLMENT"
	eventKind         = "EVENT"
	relationshipKind  = "RELATIONSHIP"
)

var trackerKinds = []string{trackedEntityKind, enrollmentKind, eventKind, relationshipKind}

// kindName names a kind inside a sentence.
var kindName = map[string]string{trackedEntityKind: "trackedEntity", enrollmentKind: "enrollment", eventKind: "event",
	relationshipKind: "relationship"}

// Report is DHIS2's ImportReport.
type Report struct {
	Status     string        `json:"status"`
	Validation validation    `json:"validationReport"`
	Stats      *stats        `json:"stats,omitempty"`
	Bundle     *bundleReport `json:"bundleReport,omitempty"`
	Timings    *object       `json:"timingsStats,omitempty"`
	Message    string        `json:"message,omitempty"`
}

type validation struct {
	Errors   []issueReport   `json:"errorReports"`
	Warnings []WarningReport `json:"warningReports"`
}

type issueReport struct {
	Message string   `json:"message"`
	Code    string   `json:"errorCode"`
	Kind    string   `json:"trackerType"`
	UID     string   `json:"uid"`
	Args    []string `json:"args,omitempty"`
}

type WarningReport struct {
	Message string `json:"message"`
	Code    string `json:"warningCode"`
	Kind    string `json:"trackerType"`
	UID     string `json:"uid"`
}

type stats struct {
	Created int `json:"created"`
	Updated int `json:"updated"`
	Deleted int `json:"deleted"`
	Ignored int `json:"ignored"`
	Total   int `json:"total"`
}

type bundleReport struct {
	Types map[string]*typeReport `json:"typeReportMap"`
}

type typeReport struct {
	Kind    string         `json:"trackerType"`
	Stats   stats          `json:"stats"`
	Objects []objectReport `json:"objectReports"`
}

type objectReport struct {
	Kind   string `json:"trackerType"`
	UID    string `json:"uid"`
	Index  *int   `json:"index,omitempty"`
	Errors []any  `json:"errorReports"`
}

// issue is one error or warning about one object.
type issue struct {
	kind, uid, code, message string
	args                     []string
}

// reporter collects what validation finds.
type reporter struct {
	failFast bool
	errors   []issue
	warnings []issue
	invalid  map[[2]string]bool
	seen     map[[4]string]bool
	failures int  // errors raised, those among them that say what was said before
	stopped  bool // the first error ended validation
}

func newReporter(failFast bool) *reporter {
	return &reporter{failFast: failFast, invalid: map[[2]string]bool{}, seen: map[[4]string]bool{}}
}

func (r *reporter) isInvalid(kind, uid string) bool { return r.invalid[[2]string{kind, uid}] }

// about gives a way to report on one object.
func (r *reporter) about(kind, uid string) *subject { return &subject{r, kind, uid} }

type subject struct {
	r         *reporter
	kind, uid string
}

// error reports an error; the arguments go into the message of the code and beside it.
func (s *subject) error(code string, args ...string) {
	if s.r.stopped {
		return
	}
	s.r.failures++
	s.r.invalid[[2]string{s.kind, s.uid}] = true
	text := sentence(code, args)
	if k := [4]string{s.kind, s.uid, code, text}; !s.r.seen[k] {
		s.r.seen[k] = true
		s.r.errors = append(s.r.errors, issue{s.kind, s.uid, code, text, args})
	}
	s.r.stopped = s.r.failFast
}

func (s *subject) warning(code string, args ...string) {
	if s.r.stopped {
		return
	}
	s.r.warnings = append(s.r.warnings, issue{s.kind, s.uid, code, sentence(code, args), args})
}

// count is how many errors were raised so far; a sequence of checks ends when it grows.
func (r *reporter) count() int { return r.failures }

// unique counts the objects of a kind that have errors; of all kinds for "".
func (r *reporter) unique(kind string) int {
	n := 0
	for k := range r.invalid {
		if kind == "" || k[0] == kind {
			n++
		}
	}
	return n
}

func validationOf(m version.Profile, r *reporter, mode string) validation {
	v := validation{Errors: []issueReport{}, Warnings: []WarningReport{}}
	for _, e := range r.errors {
		x := issueReport{Message: e.message, Code: e.code, Kind: e.kind, UID: e.uid}
		if m >= 41 {
			x.Args = e.args
		}
		v.Errors = append(v.Errors, x)
	}
	if mode == "WARNINGS" || mode == "FULL" {
		for _, w := range r.warnings {
			v.Warnings = append(v.Warnings, WarningReport{w.message, w.code, w.kind, w.uid})
		}
	}
	return v
}

func newTypeReports() map[string]*typeReport {
	out := map[string]*typeReport{}
	for _, k := range trackerKinds {
		out[k] = &typeReport{Kind: k, Objects: []objectReport{}}
	}
	return out
}

// sentence is the message of an error code with its arguments put in.
func sentence(code string, args []string) string {
	text, ok := sentences[code]
	if !ok {
		return fmt.Sprint(code, " ", args)
	}
	out := make([]byte, 0, len(text)+32)
	for i := 0; i < len(text); i++ {
		if i+2 < len(text) && text[i] == '{' && text[i+2] == '}' {
			if n := int(text[i+1] - '0'); n >= 0 && n < len(args) {
				out = append(out, args[n]...)
			}
			i += 2
			continue
		}
		out = append(out, text[i])
	}
	return string(out)
}

// sentences are what the codes say, in our own words; clients go by the code.
var sentences = map[string]string{
	"E1000": "User: `{0}` has no write access to OrganisationUnit: `{1}`.",
	"E1001": "User: `{0}` has no data write access to TrackedEntityType: `{1}`.",
	"E1002": "TrackedEntity: `{0}` already exists.",
	"E1003": "User: `{0}` has no write access to TrackedEntity: `{1}`.",
	"E1005": "There is no TrackedEntityType: `{0}`.",
	"E1006": "There is no Attribute: `{0}`.",
	"E1007": "The value does not have its value type `{0}`: `{1}`.",
	"E1009": "File resource: `{0}` has already been assigned to another object.",
	"E1010": "There is no Program: `{0}`, which the Event names.",
	"E1011": "There is no OrganisationUnit: `{0}`, which the Event names.",
	"E1012": "The geometry does not have the type: `{0}`.",
	"E1013": "There is no ProgramStage: `{0}`, which the Event names.",
	"E1014": "Program: `{0}` is without registration: nobody can be enrolled in it.",
	"E1015": "TrackedEntity: `{0}` already has an active Enrollment in Program `{1}`.",
	"E1016": "TrackedEntity: `{0}` already has an Enrollment in Program: `{1}`, which allows one only.",
	"E1018": "Attribute: `{0}` is mandatory in Program `{1}` but missing from Enrollment `{2}`.",
	"E1019": "Only attributes of the Program are allowed in an Enrollment, not: `{0}`.",
	"E1020": "Enrollment date: `{0}` must not be in the future.",
	"E1021": "Incident date: `{0}` must not be in the future.",
	"E1022": "TrackedEntity: `{0}` must have the TrackedEntityType of Program `{1}`.",
	"E1023": "occurredAt is missing.",
	"E1025": "enrolledAt is missing.",
	"E1029": "Event OrganisationUnit: `{0}` and Program: `{1}` do not match.",
	"E1030": "Event: `{0}` already exists.",
	"E1031": "occurredAt of the Event is missing.",
	"E1032": "Event: `{0}` does not exist.",
	"E1033": "Event: `{0}` names no Enrollment.",
	"E1039": "ProgramStage: `{0}` is not repeatable and an Event exists already.",
	"E1041": "Enrollment OrganisationUnit: `{0}` and Program: `{1}` do not match.",
	"E1042": "Event: `{0}` needs a completed date.",
	"E1043": "The time to change Event: `{0}` after its completion is over.",
	"E1046": "Event: `{0}` needs occurredAt or scheduledAt.",
	"E1047": "Event: `{0}` is in a period that is closed.",
	"E1048": "Object: `{0}` has a malformed uid.",
	"E1049": "There is no OrganisationUnit: `{0}`, which the TrackedEntity names.",
	"E1050": "scheduledAt of the Event is missing.",
	"E1051": "Event: `{0}` has a completed date but the status `{1}`.",
	"E1052": "Enrollment: `{0}` has a completed date but the status `{1}`.",
	"E1054": "AttributeOptionCombo `{0}` is not of the CategoryCombo of the Program `{1}`.",
	"E1055": "The default AttributeOptionCombo is not allowed: the Program has another CategoryCombo.",
	"E1056": "Event date: `{0}` is before the start date: `{1}` of CategoryOption: `{2}`.",
	"E1057": "Event date: `{0}` is after the end date: `{1}` of CategoryOption: `{2}`.",
	"E1063": "TrackedEntity: `{0}` does not exist.",
	"E1064": "Value `{0}` of attribute `{1}` is not unique.",
	"E1068": "There is no TrackedEntity: `{0}`, which the Enrollment names.",
	"E1069": "There is no Program: `{0}`, which the Enrollment names.",
	"E1070": "There is no OrganisationUnit: `{0}`, which the Enrollment names.",
	"E1074": "There is no FeatureType for the geometry.",
	"E1075": "The uid of an attribute is missing.",
	"E1076": "`{0}` `{1}` is mandatory and cannot be empty.",
	"E1077": "An attribute value is longer than `{0}` characters.",
	"E1079": "Event: `{0}`: Program `{1}` is not that of Enrollment `{2}`.",
	"E1080": "Enrollment: `{0}` already exists.",
	"E1081": "Enrollment: `{0}` does not exist.",
	"E1082": "Event: `{0}` is deleted and cannot be changed.",
	"E1083": "User: `{0}` may not change a completed Event.",
	"E1084": "There is no file: `{0}`.",
	"E1085": "The value of attribute: `{0}` does not have its type: `{1}`.",
	"E1089": "Event: `{0}`: ProgramStage `{1}` is not of Program `{2}`.",
	"E1090": "Attribute: `{0}` is mandatory in TrackedEntityType `{1}` but missing from TrackedEntity `{2}`.",
	"E1091": "User: `{0}` has no data write access to Program: `{1}`.",
	"E1095": "User: `{0}` has no data write access to ProgramStage: `{1}`.",
	"E1096": "User: `{0}` has no data read access to Program: `{1}`.",
	"E1099": "User: `{0}` has no data write access to CategoryOption: `{1}`.",
	"E1100": "User: `{0}` may not delete TrackedEntity `{1}` with its enrollments.",
	"E1102": "User: `{0}` has no access to TrackedEntity: `{1}` in Program: `{2}`.",
	"E1103": "User: `{0}` may not delete Enrollment `{1}` with its events.",
	"E1104": "User: `{0}` has no data read access to the TrackedEntityType of Program: `{1}`.",
	"E1112": "Attribute `{0}` is confidential, but the server does not encrypt.",
	"E1113": "Enrollment: `{0}` is deleted and cannot be changed.",
	"E1114": "TrackedEntity: `{0}` is deleted and cannot be changed.",
	"E1115": "There is no CategoryOptionCombo: `{0}`.",
	"E1116": "There is no CategoryOption: `{0}`.",
	"E1117": "There is no CategoryOptionCombo of `{0}` with the options `{1}`.",
	"E1118": "Assigned user `{0}` does not exist.",
	"E1119": "A note with the uid `{0}` exists already.",
	"E1120": "ProgramStage `{0}` does not allow an assigned user.",
	"E1121": "Missing required trackedEntity property: `{0}`.",
	"E1122": "Missing required enrollment property: `{0}`.",
	"E1123": "Missing required event property: `{0}`.",
	"E1124": "Missing required relationship property: `{0}`.",
	"E1125": "Value `{0}` is not an option code of OptionSet `{1}`.",
	"E1126": "Not allowed to update trackedEntity property: {0}.",
	"E1127": "Not allowed to update enrollment property: {0}.",
	"E1128": "Not allowed to update event property: {0}.",
	"E1129": "There is no CategoryOptionCombo of `{0}`.",
	"E1130": "AttributeOptionCombo `{0}` is not of the enrollment CategoryCombo `{1}`.",
	"E1300": "ProgramRule (`{0}`): `{1}`.",
	"E1301": "ProgramRule (`{0}`): DataElement `{1}` is mandatory.",
	"E1302": "The value of DataElement `{0}` is not valid: `{1}`.",
	"E1303": "Mandatory DataElement `{0}` is missing.",
	"E1304": "There is no DataElement `{0}`.",
	"E1305": "DataElement `{0}` is not part of ProgramStage `{1}`.",
	"E1314": "ProgramRule (`{0}`): DataElement `{1}` is mandatory and cannot be deleted.",
	"E1317": "ProgramRule (`{0}`): attribute `{1}` is mandatory and cannot be deleted.",
	"E1306": "ProgramRule (`{0}`): attribute `{1}` is mandatory.",
	"E1307": "ProgramRule (`{0}`) assigns another value to DataElement `{1}`.",
	"E1308": "ProgramRule (`{0}`) assigned DataElement `{1}`.",
	"E1309": "ProgramRule (`{0}`) assigns another value to attribute `{1}`.",
	"E1310": "ProgramRule (`{0}`) assigned attribute `{1}`.",
	"E1313": "Event `{0}` of an Enrollment does not lead to a TrackedEntity.",
	"E1315": "Status `{0}` does not allow data values.",
	"E1316": "An Event cannot go from status `{0}` to `{1}`.",
	"E1318": "Status `{0}` is not for single events.",
	"E1319": "Generated by ProgramRule `{0}`: no event can be scheduled for `{1}`, which is no date.",
	"E1320": "Generated by ProgramRule `{0}`: Event `{1}` is scheduled for `{2}`.",
	"E1321": "Generated by ProgramRule `{0}`: User `{1}` may not schedule events of ProgramStage `{2}`.",
	"E1322": "Generated by ProgramRule `{0}`: ProgramStage `{1}` already has an Event in Enrollment `{2}`.",
	"E1323": "User: `{0}` has no data write access to any Program.",
	"E1324": "User: `{0}` has no access to TrackedEntity `{1}` in any Program.",
	"E1326": "Event: `{0}` is completed and its ProgramStage does not let it be changed.",
	"E4000": "Relationship: `{0}` links an object to itself.",
	"E4001": "The `{0}` of relationship `{1}` must name exactly one object.",
	"E4006": "There is no RelationshipType: `{0}`.",
	"E4010": "The `{0}` of the relationship must be a `{1}`, not a `{2}`.",
	"E4012": "There is no `{0}`: `{1}`, which the relationship names.",
	"E4014": "The `{0}` of the relationship must have TrackedEntityType `{1}`, not `{2}`.",
	"E4015": "Relationship: `{0}` already exists.",
	"E4016": "Relationship: `{0}` does not exist.",
	"E4017": "Relationship: `{0}` is deleted and cannot be changed.",
	"E4018": "Relationship: `{0}` between `{1}` and `{2}` already exists.",
	"E4020": "User: `{0}` has no write access to relationship `{1}`.",
	"E5000": "{0} `{1}` cannot be created because {2} `{3}` cannot be.",
}

// codes gives the codes of a reporter in order, for the log.
func (r *reporter) codes() []string {
	set := map[string]bool{}
	for _, e := range r.errors {
		set[e.code] = true
	}
	out := make([]string, 0, len(set))
	for c := range set {
		out = append(out, c)
	}
	sort.Strings(out)
	return out
}

// InAWord is what the last note of a job says of an import.
func (r *Report) InAWord() string {
	if r.Stats == nil {
		return "Import complete"
	}
	return fmt.Sprintf("Import complete with status %s, %d created, %d updated, %d deleted, %d ignored", r.Status,
		r.Stats.Created, r.Stats.Updated, r.Stats.Deleted,
		r.Stats.Ignored)
}
