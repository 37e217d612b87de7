package version

import (
	"fmt"
	"strconv"
	"strings"
)

// Profile is whose habits the sandbox takes on: the second number of a DHIS2 version, 42 for 2.42.
// What differs between versions is asked of it by name, so that the code that uses it says what it
// is about.
type Profile int

const (
	oldestProfile = 38
	newestProfile = 44
)

func Parse(version string) (Profile, error) {
	if version == "" {
		return 42, nil
	}
	rest, ok := strings.CutPrefix(version, "2.")
	minor, _, _ := strings.Cut(rest, ".")
	minor, _, _ = strings.Cut(minor, "-")
	n, err := strconv.Atoi(minor)
	if !ok || err != nil || n < oldestProfile || n > newestProfile {
		return 0, fmt.Errorf("sandbox: version %q is not one it can act as: give 2.%d to 2.%d", version, oldestProfile,
			newestProfile)
	}
	return Profile(n), nil
}

// Release is the full version that /api/system/info gives.
func (m Profile) Release() string {
	switch m {
	case 38:
		return "2.38.7"
	case 39:
		return "2.39.10.1"
	case 40:
		return "2.40.12"
	case 41:
		return "2.41.9.1"
	case 42:
		return "2.42.4.1"
	case 43:
		return "2.43.1"
	default:
		return fmt.Sprintf("2.%d-SNAPSHOT", int(m))
	}
}

// StrictBody: from 2.41 on a body that cannot be read is answered with 400, before with 500.
func (m Profile) StrictBody() bool { return m >= 41 }

// TypedUIDs: from 2.42 on a malformed uid anywhere refuses the whole request, before it is an error of one object.
func (m Profile) TypedUIDs() bool { return m >= 42 }

// LooseOptions: up to 2.40 an option's code is compared without regard to case, and the value of a
// MULTI_TEXT element as a whole.
func (m Profile) LooseOptions() bool { return m <= 40 }

// EnrollmentDefaultsActive: from 2.41 on an enrollment without a status is active already while it
// is validated; before only once it is stored.
func (m Profile) EnrollmentDefaultsActive() bool { return m >= 41 }

// StatusRequired: up to 2.42 a server fails inside itself at an event whose status is null.
func (m Profile) StatusRequired() bool { return m <= 42 }

// SizesLate: from 2.43 on a request that is refused counts what is valid and what is not, each uid
// of those once; before, what was sent.
func (m Profile) SizesLate() bool { return m >= 43 }

// RepeatsInvalid: up to 2.41 an event that is invalid already is still told that its stage does not repeat.
func (m Profile) RepeatsInvalid() bool { return m <= 41 }

// SplitEvents: from 2.43 on events of tracker programs and single events are different things.
func (m Profile) SplitEvents() bool { return m >= 43 }

// OneValueTypeCheck: in 2.41 and from 2.43 on one check of the value type covers references (org
// units, users, files) too, beside the check of options.
func (m Profile) OneValueTypeCheck() bool { return m == 41 || m >= 43 }

// EditExpired: only 2.42 holds a closed period against those who may edit what has expired.
func (m Profile) EditExpired() bool { return m != 42 }

// MovesInCapture: to move an enrollment or an event to another org unit the user must capture
// there; 2.42 and what is before 2.41 do not ask.
func (m Profile) MovesInCapture() bool { return m == 41 || m >= 43 }

// ProgramRequired: from 2.43 on lists of events and enrollments must name their program.
func (m Profile) ProgramRequired() bool { return m >= 43 }

// CompletedOnly: from 2.42 on completedAt may only be given with a status that is complete.
func (m Profile) CompletedOnly() bool { return m >= 42 }

// UniqueStorage: from 2.43 on an object that is twice in a request violates a constraint of the
// database; before it is written twice.
func (m Profile) UniqueStorage() bool { return m >= 43 }

// DataEntry: from 2.43 on data values are checked and written data set by data set.
func (m Profile) DataEntry() bool { return m >= 43 }

// QueuedJobs: from 2.41 on an asynchronous import of data values waits for its turn; what is asked
// right after it does not find its values.
func (m Profile) QueuedJobs() bool { return m >= 41 }

// BornPeriods: from 2.43 on a data set can be completed only for a period that the database has
// already, as data values bring it there.
func (m Profile) BornPeriods() bool { return m >= 43 }

// PlainLists: up to 2.40 lists of tracker objects come as "instances" with the page beside them.
func (m Profile) PlainLists() bool { return m <= 40 }

// AmbiguousOrder: in 2.41 and 2.42 enrollments cannot be ordered by when they were created or
// updated, as a table that is joined has these columns too.
func (m Profile) AmbiguousOrder() bool { return m == 41 || m == 42 }

// OldestFirst: up to 2.40 tracker lists come in the order in which objects were created, from 2.41 on newest first.
func (m Profile) OldestFirst() bool { return m <= 40 }

// AllAttributes: up to 2.40 a tracked entity read without a program shows the attributes of all its
// programs, after that of its type alone.
func (m Profile) AllAttributes() bool { return m <= 40 }

// HTMLNotFound: from 2.42 on an unknown address is answered with a page of HTML, by Tomcat; before with JSON, by Jetty.
func (m Profile) HTMLNotFound() bool { return m >= 42 }

// BadFilters: from 2.42 on a filter of metadata that makes no sense is answered with 400, before with 409.
func (m Profile) BadFilters() bool { return m >= 42 }

// TiesFollowOrder: from 2.43 on, what is equal in a tracker list comes in the direction of its first
// order; before it comes newest first.
func (m Profile) TiesFollowOrder() bool { return m >= 43 }

// RowsOfEnrollments: in 2.41 and 2.42 a list of tracked entities in the order of their enrollments is
// one of enrollments, deleted ones too: who has none is left out, and who has two counts twice.
func (m Profile) RowsOfEnrollments() bool { return m == 41 || m == 42 }

// EmptyFields: from 2.42 on who asks for no field gets none, before those that are usual.
func (m Profile) EmptyFields() bool { return m >= 42 }

// LastPage: up to 2.41 a page of users beyond the last is the last.
func (m Profile) LastPage() bool { return m <= 41 }

// BadRequest: from 2.41 on a query that makes no sense is answered with 400, before with 409.
func (m Profile) BadRequest() bool { return m >= 41 }

// OptionsFromZero: from 2.41 on the sort order of options counts from zero in an option set that was imported.
func (m Profile) OptionsFromZero() bool { return m >= 41 }

// DecimalExpiry: from 2.42 on the expiry days of a data set are a decimal number.
func (m Profile) DecimalExpiry() bool { return m >= 42 }

// summaryOnly: up to 2.37 some summaries come without a WebMessage around them; every version here has one.
func (m Profile) APIVersions() (from, to int) {
	if m <= 42 {
		return 28, 42
	}
	return 28, int(m)
}

// JSONType is the content type of an answer.
func (m Profile) JSONType() string {
	if m <= 41 {
		return "application/json"
	}
	return "application/json;charset=UTF-8"
}

// LoginPage is where a browser without credentials is sent.
func (m Profile) LoginPage() string {
	switch {
	case m <= 40:
		return "/index.html"
	case m <= 42:
		return "/dhis-web-login/"
	default:
		return "/login/"
	}
}

// Authorities are those that exist: a superuser has them all.
func (m Profile) Authorities() []string {
	switch {
	case m <= 40:
		return strings.Fields(authorities40)
	case m == 41:
		return strings.Fields(authorities41)
	case m == 42:
		return strings.Fields(authorities42)
	default:
		return strings.Fields(authorities43)
	}
}

const authorities40 = `ALL F_ACCEPT_DATA_LOWER_LEVELS F_APPROVE_DATA F_APPROVE_DATA_LOWER_LEVELS
F_CAPTURE_DATASTORE_UPDATE F_DATAVALUE_ADD F_DATAVALUE_DELETE F_EDIT_EXPIRED F_ENROLLMENT_CASCADE_DELETE F_EXPORT_DATA
F_EXPORT_EVENTS F_GENERATE_MIN_MAX_VALUES F_IGNORE_TRACKER_REQUIRED_VALUE_VALIDATION F_IMPERSONATE_USER F_IMPORT_DATA
F_IMPORT_EVENTS F_INSERT_CUSTOM_JS_CSS F_LOCALE_ADD F_METADATA_EXPORT F_METADATA_IMPORT F_ORGANISATIONUNIT_MOVE
F_ORGANISATION_UNIT_MERGE F_ORGANISATION_UNIT_SPLIT F_ORG_UNIT_PROFILE_ADD F_PERFORM_ANALYTICS_EXPLAIN
F_PERFORM_MAINTENANCE F_PREDICTOR_RUN F_PROGRAM_DASHBOARD_CONFIG_ADMIN F_REPLICATE_USER F_RUN_VALIDATION F_SEND_EMAIL
F_SKIP_DATA_IMPORT_AUDIT F_SYSTEM_SETTING F_TEI_CASCADE_DELETE F_TRACKED_ENTITY_INSTANCE_SEARCH_IN_ALL_ORGUNITS
F_TRACKED_ENTITY_MERGE F_TRACKER_IMPORTER_EXPERIMENTAL F_UNCOMPLETE_EVENT F_USERGROUP_MANAGING_RELATIONSHIPS_ADD
F_USERGROUP_MANAGING_RELATIONSHIPS_VIEW F_USER_GROUPS_READ_ONLY_ADD_MEMBERS F_USER_VIEW F_VIEW_EVENT_ANALYTICS
F_VIEW_SERVER_INFO F_VIEW_UNAPPROVED_DATA`

const authorities41 = `ALL F_ACCEPT_DATA_LOWER_LEVELS F_APPROVE_DATA F_APPROVE_DATA_LOWER_LEVELS
F_CAPTURE_DATASTORE_UPDATE F_DATAVALUE_ADD F_EDIT_EXPIRED F_ENROLLMENT_CASCADE_DELETE F_EXPORT_DATA
F_GENERATE_MIN_MAX_VALUES F_IGNORE_TRACKER_REQUIRED_VALUE_VALIDATION F_IMPERSONATE_USER F_INDICATOR_MERGE
F_INDICATOR_TYPE_MERGE F_INSERT_CUSTOM_JS_CSS F_LOCALE_ADD F_METADATA_EXPORT F_METADATA_IMPORT F_ORGANISATIONUNIT_MOVE
F_ORGANISATION_UNIT_MERGE F_ORGANISATION_UNIT_SPLIT F_ORG_UNIT_PROFILE_ADD F_PERFORM_ANALYTICS_EXPLAIN
F_PERFORM_MAINTENANCE F_PREDICTOR_RUN F_PREVIOUS_IMPERSONATOR_AUTHORITY F_REPLICATE_USER F_RUN_VALIDATION F_SEND_EMAIL
F_SKIP_DATA_IMPORT_AUDIT F_SYSTEM_SETTING F_TEI_CASCADE_DELETE F_TRACKED_ENTITY_INSTANCE_SEARCH_IN_ALL_ORGUNITS
F_TRACKED_ENTITY_MERGE F_UNCOMPLETE_EVENT F_USER_GROUPS_READ_ONLY_ADD_MEMBERS F_USER_VIEW F_VIEW_EVENT_ANALYTICS
F_VIEW_SERVER_INFO F_VIEW_UNAPPROVED_DATA`

const authorities42 = `ALL F_ACCEPT_DATA_LOWER_LEVELS F_APPROVE_DATA F_APPROVE_DATA_LOWER_LEVELS
F_CAPTURE_DATASTORE_UPDATE F_CATEGORY_OPTION_COMBO_MERGE F_CATEGORY_OPTION_MERGE F_DATAVALUE_ADD F_DATA_ELEMENT_MERGE
F_EDIT_EXPIRED F_ENROLLMENT_CASCADE_DELETE F_EXPORT_DATA F_GENERATE_MIN_MAX_VALUES F_IMPERSONATE_USER
F_INDICATOR_MERGE F_INDICATOR_TYPE_MERGE F_INSERT_CUSTOM_JS_CSS F_JOB_LOG_READ F_LEGEND_SET_DELETE
F_LEGEND_SET_PRIVATE_ADD F_LEGEND_SET_PUBLIC_ADD F_LOCALE_ADD F_LOCALE_DELETE F_METADATA_EXPORT F_METADATA_IMPORT
F_METADATA_MANAGE F_MINMAX_DATAELEMENT_ADD F_MOBILE_SENDSMS F_MOBILE_SETTINGS F_ORGANISATIONUNIT_MOVE
F_ORGANISATION_UNIT_MERGE F_ORGANISATION_UNIT_SPLIT F_ORG_UNIT_PROFILE_ADD F_PERFORM_ANALYTICS_EXPLAIN
F_PERFORM_MAINTENANCE F_PREDICTOR_RUN F_PREVIOUS_IMPERSONATOR_AUTHORITY F_REPLICATE_USER F_RUN_VALIDATION F_SEND_EMAIL
F_SKIP_DATA_IMPORT_AUDIT F_SYSTEM_SETTING F_TEI_CASCADE_DELETE F_TRACKED_ENTITY_INSTANCE_SEARCH_IN_ALL_ORGUNITS
F_TRACKED_ENTITY_MERGE F_UNCOMPLETE_EVENT F_USER_GROUPS_READ_ONLY_ADD_MEMBERS F_USER_VIEW F_VIEW_EVENT_ANALYTICS
F_VIEW_SERVER_INFO F_VIEW_UNAPPROVED_DATA M_dhis-web-app-management`

const authorities43 = `ALL F_ACCEPT_DATA_LOWER_LEVELS F_APPROVE_DATA F_APPROVE_DATA_LOWER_LEVELS
F_CAPTURE_DATASTORE_UPDATE F_CATEGORY_COMBO_MERGE F_CATEGORY_MERGE F_CATEGORY_OPTION_COMBO_MERGE
F_CATEGORY_OPTION_MERGE F_DATAVALUE_ADD F_DATA_ELEMENT_MERGE F_EDIT_EXPIRED F_ENROLLMENT_CASCADE_DELETE F_EXPORT_DATA
F_GENERATE_MIN_MAX_VALUES F_IMPERSONATE_USER F_INDICATOR_MERGE F_INDICATOR_TYPE_MERGE F_INSERT_CUSTOM_JS_CSS
F_JOB_LOG_READ F_LEGEND_SET_DELETE F_LEGEND_SET_PRIVATE_ADD F_LEGEND_SET_PUBLIC_ADD F_LOCALE_ADD F_LOCALE_DELETE
F_METADATA_EXPORT F_METADATA_IMPORT F_METADATA_MANAGE F_MINMAX_DATAELEMENT_ADD F_MOBILE_SENDSMS F_MOBILE_SETTINGS
F_OAUTH2_CLIENT_MANAGE F_ORGANISATIONUNIT_MOVE F_ORGANISATION_UNIT_MERGE F_ORGANISATION_UNIT_SPLIT
F_ORG_UNIT_PROFILE_ADD F_PERFORM_ANALYTICS_EXPLAIN F_PERFORM_MAINTENANCE F_PREDICTOR_RUN
F_PREVIOUS_IMPERSONATOR_AUTHORITY F_REPLICATE_USER F_RUN_VALIDATION F_SEND_EMAIL F_SKIP_DATA_IMPORT_AUDIT
F_SYSTEM_SETTING F_TEI_CASCADE_DELETE F_TRACKED_ENTITY_INSTANCE_SEARCH_IN_ALL_ORGUNITS F_TRACKED_ENTITY_MERGE
F_UNCOMPLETE_EVENT F_USER_GROUPS_READ_ONLY_ADD_MEMBERS F_USER_VIEW F_VIEW_EVENT_ANALYTICS F_VIEW_SERVER_INFO
F_VIEW_UNAPPROVED_DATA M_dhis-web-app-management`

// FileDomains are what a file may be for.
func (m Profile) FileDomains() []string {
	if m >= 43 {
		return strings.Fields("DATA_VALUE DOCUMENT MESSAGE_ATTACHMENT USER_AVATAR ORG_UNIT ICON JOB_DATA")
	}
	return strings.Fields("DATA_VALUE PUSH_ANALYSIS DOCUMENT MESSAGE_ATTACHMENT USER_AVATAR ORG_UNIT ICON JOB_DATA")
}

// FileAnswer is how the answer to an upload calls itself.
func (m Profile) FileAnswer() string {
	if m == 42 {
		return "FileResourceWebMessageResponse"
	}
	return "FileResource"
}

// ReportType names the type of an answer as the version does.
func (m Profile) ReportType(name string) string {
	if m == 42 {
		return name + "WebMessageResponse"
	}
	return name
}
