package metadata

import (
	"encoding/json"
	"slices"
	"sort"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/version"
)

// metadataView is how one user sees the metadata: the objects with what DHIS2 derives from them.
type metadataView struct {
	c       *catalog.Catalog
	version version.Profile
	user    *catalog.User
	base    string
}

// embedded are properties whose objects belong to the object that holds them and come whole; all
// others come as references.
var embedded = map[string]bool{
	"programTrackedEntityAttributes": true, "programStageDataElements": true, "dataSetElements": true,
	"trackedEntityTypeAttributes":   true,
	"compulsoryDataElementOperands": true, "dataInputPeriods": true, "fromConstraint": true, "toConstraint": true,
	"attributeValues": true,
	"access":          true, "sharing": true, "geometry": true, "style": true, "translations": true, "interests": true,
}

var (
	identifiable = []string{"id", "name", "code", "created", "lastUpdated", "lastUpdatedBy"}
	nameable     = []string{"id", "name", "shortName", "description", "code", "created", "lastUpdated"}
)

// absent are the values that DHIS2 gives properties an object does not tell (the defaults of its model).
var absent = map[string]object{
	"": {"attributeValues": []any{}, "translations": []any{}, "favorite": false, "favorites": []any{}},
	catalog.KindProgram: {"onlyEnrollOnce": false, "selectEnrollmentDatesInFuture": false,
		"selectIncidentDatesInFuture": false, "displayIncidentDate": true,
		"expiryDays": 0, "completeEventsExpiryDays": 0, "accessLevel": "OPEN", "programTrackedEntityAttributes": []any{},
		"programStages":     []any{},
		"organisationUnits": []any{}, "minAttributesRequiredToSearch": 1, "maxTeiCountToReturn": 0,
		"openDaysAfterCoEndDate":          0,
		"useFirstStageDuringRegistration": false, "displayFrontPageList": false, "skipOffline": false,
		"ignoreOverdueEvents": false, "version": 0,
		"notificationTemplates": []any{}, "programSections": []any{}, "userRoles": []any{}, "programIndicators": []any{},
		"programRuleVariables": []any{},
		"categoryCombo":        object{"id": catalog.DefaultCombo}},
	catalog.KindStage: {"repeatable": false, "validationStrategy": "ON_COMPLETE", "enableUserAssignment": false,
		"blockEntryForm": false, "autoGenerateEvent": true,
		"minDaysFromStart": 0, "hideDueDate": false, "preGenerateUID": false, "remindCompleted": false,
		"generatedByEnrollmentDate": false,
		"allowGenerateNextVisit":    false, "displayGenerateEventBox": true, "openAfterEnrollment": false, "referral": false,
		"programStageDataElements": []any{}, "programStageSections": []any{}, "notificationTemplates": []any{}},
	catalog.KindAttribute: {"generated": false, "pattern": "", "orgunitScope": false, "unique": false, "inherit": false,
		"confidential":        false,
		"skipSynchronization": false, "displayInListNoProgram": false, "displayOnVisitSchedule": false,
		"legendSets": []any{}},
	catalog.KindDataElement: {"zeroIsSignificant": false, "aggregationLevels": []any{}, "legendSets": []any{},
		"dataElementGroups": []any{},
		"categoryCombo":     object{"id": catalog.DefaultCombo}},
	catalog.KindDataSet: {"openFuturePeriods": 0, "expiryDays": 0, "compulsoryDataElementOperands": []any{},
		"timelyDays": 15, "version": 0,
		"dataInputPeriods": []any{}, "mobile": false, "validCompleteOnly": false, "noValueRequiresComment": false,
		"fieldCombinationRequired": false,
		"skipOffline":              false, "dataElementDecoration": false, "renderAsTabs": false, "renderHorizontally": false,
		"compulsoryFieldsCompleteOnly": false,
		"notifyCompletingUser":         false, "openPeriodsAfterCoEndDate": 0, "sections": []any{}, "indicators": []any{},
		"legendSets": []any{},
		"formType":   "DEFAULT", "organisationUnits": []any{}, "dataSetElements": []any{},
		"categoryCombo": object{"id": catalog.DefaultCombo}},
	catalog.KindOptionSet:      {"version": 0, "options": []any{}},
	catalog.KindCombo:          {"skipTotal": false, "categories": []any{}},
	catalog.KindOptionCombo:    {"ignoreApproval": false, "categoryOptions": []any{}},
	catalog.KindCategory:       {"dataDimension": true, "categoryOptions": []any{}},
	catalog.KindCategoryOption: {"organisationUnits": []any{}},
	catalog.KindTEType: {"trackedEntityTypeAttributes": []any{}, "minAttributesRequiredToSearch": 1,
		"maxTeiCountToReturn": 0, "allowAuditLog": false},
	catalog.KindRelType:       {"bidirectional": false, "referral": false},
	catalog.KindMetaAttribute: {"unique": false, "mandatory": false},
	catalog.KindRule:          {"programRuleActions": []any{}},
	catalog.KindOrgUnit:       {"organisationUnitGroups": []any{}},
}

// absentInside are the same for objects that belong to another.
var absentInside = object{"compulsory": false, "allowFutureDate": false, "mandatory": false, "searchable": false,
	"displayInList":          false,
	"allowProvidedElsewhere": false, "displayInReports": false, "skipSynchronization": false, "skipAnalytics": false,
	"renderOptionsAsRadio": false}

func (v metadataView) kindOf(o object) string {
	if e, ok := v.c.ByID[catalog.Str(o, "id")]; ok {
		return e.Kind
	}
	return ""
}

// whole gives the object that a reference stands for.
func (v metadataView) whole(o object) object {
	if e, ok := v.c.ByID[catalog.Str(o, "id")]; ok && len(o) <= 2 {
		return e.Obj
	}
	return o
}

func (v metadataView) Names(o object, preset string) []string {
	o = v.whole(o)
	switch preset {
	case "identifiable":
		return identifiable
	case "nameable":
		return nameable
	}
	kind := v.kindOf(o)
	seen := map[string]bool{}
	for k := range o {
		seen[k] = true
	}
	if kind != "" {
		for k := range absent[kind] {
			seen[k] = true
		}
		seen["sharing"], seen["attributeValues"], seen["translations"] = true, true, true
		if preset == "all" {
			for _, k := range append(derived[kind], "displayName", "access", "favorite", "favorites", "href") {
				seen[k] = true
			}
		}
	}
	out := make([]string, 0, len(seen))
	for k := range seen {
		if preset == "simple" {
			switch val, _ := v.Property(o, k); val.(type) {
			case object, []any:
				continue
			}
		}
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

// derived are properties that are computed, by collection.
var derived = map[string][]string{
	catalog.KindOrgUnit: {"level", "path", "children", "ancestors", "leaf", "programs", "dataSets",
		"displayShortName"},
	catalog.KindProgram:     {"displayShortName", "registration", "withoutRegistration"},
	catalog.KindDataElement: {"displayShortName", "displayFormName", "optionSetValue", "dataSetElements"},
	catalog.KindAttribute:   {"displayShortName", "displayFormName", "optionSetValue"},
	catalog.KindCombo:       {"isDefault", "categoryOptionCombos"},
	catalog.KindDataSet:     {"displayShortName"},
	catalog.KindCategory:    {"categoryCombos"},
}

func (v metadataView) Property(o object, name string) (any, bool) {
	o = v.whole(o)
	kind := v.kindOf(o)
	if x, ok := v.override(kind, o, name); ok {
		return x, x != nil
	}
	if x, ok := o[name]; ok && x != nil {
		return x, true
	}
	if kind == "" {
		x, ok := absentInside[name]
		return x, ok && len(o) > 1
	}
	if x, ok := v.derive(kind, o, name); ok {
		return x, x != nil
	}
	if x, ok := absent[kind][name]; ok {
		return x, true
	}
	if x, ok := absent[""][name]; ok {
		return x, true
	}
	if len(name) == 11 { // the uid of a metadata attribute stands for its value
		for _, av := range catalog.List(o, "attributeValues") {
			if catalog.Ref(av, "attribute") == name {
				return av["value"], true
			}
		}
	}
	return nil, false
}

// override gives what a server shows otherwise than it was told.
func (v metadataView) override(kind string, o object, name string) (any, bool) {
	switch {
	case kind == catalog.KindDataSet && name == "expiryDays" && v.version.DecimalExpiry():
		text := catalog.TextOf(o[name])
		if text == "" {
			text = "0"
		}
		if !strings.Contains(text, ".") {
			text += ".0"
		}
		return json.Number(text), true
	case kind == catalog.KindOption && name == "sortOrder" && v.version.OptionsFromZero():
		if set, ok := v.c.ByID[catalog.Ref(o, "optionSet")]; ok {
			for i, id := range catalog.Refs(set.Obj, "options") {
				if id == catalog.Str(o, "id") {
					return i, true
				}
			}
		}
	case kind == catalog.KindOrgUnit && (name == "level" || name == "path"):
		if u := v.c.OrgUnits[catalog.Str(o, "id")]; u != nil {
			if name == "level" {
				return u.Level, true
			}
			return u.Path, true
		}
	case name == "access" && kind != "":
		return v.access(o), true
	}
	return nil, false
}

func (v metadataView) access(o object) object {
	s := catalog.ParseSharing(o)
	return object{"read": s.Read(v.user), "update": s.Update(v.user), "write": s.Update(v.user),
		"delete": s.Update(v.user), "externalize": v.user.Super,
		"manage": s.Update(v.user), "data": object{"read": s.DataRead(v.user), "write": s.DataWrite(v.user)}}
}

func (v metadataView) derive(kind string, o object, name string) (any, bool) {
	uid := catalog.Str(o, "id")
	switch name {
	case "name", "displayName":
		if kind == catalog.KindUser {
			return strings.TrimSpace(catalog.Str(o, "firstName") + " " + catalog.Str(o, "surname")), true
		}
		return o["name"], o["name"] != nil || name != "name"
	case "displayShortName":
		return o["shortName"], true
	case "displayDescription":
		return o["description"], true
	case "displayFormName":
		if f := catalog.Str(o, "formName"); f != "" {
			return f, true
		}
		return o["name"], true
	case "href":
		return v.base + "/api/" + kind + "/" + uid, true
	case "sharing":
		s := catalog.ParseSharing(o)
		return object{"public": s.Public, "external": false, "users": object{}, "userGroups": object{}}, true
	case "publicAccess":
		return catalog.ParseSharing(o).Public, true
	case "externalAccess":
		return false, true
	case "optionSetValue":
		return catalog.Ref(o, "optionSet") != "", kind == catalog.KindDataElement || kind == catalog.KindAttribute
	case "registration", "withoutRegistration":
		if kind == catalog.KindProgram {
			return (catalog.Str(o, "programType") == "WITH_REGISTRATION") == (name == "registration"), true
		}
	case "isDefault":
		return uid == catalog.DefaultCombo || uid == catalog.DefaultOptionCombo || uid == catalog.DefaultCategory ||
			uid == catalog.DefaultCategoryOption, true
	case "categoryOptionCombos":
		if kind == catalog.KindCombo {
			out := []any{}
			for _, oc := range v.c.CombosOf[uid] {
				out = append(out, object{"id": oc.UID})
			}
			return out, true
		}
	case "categoryCombos":
		return v.pointing(catalog.KindCombo, "categories", uid), kind == catalog.KindCategory
	case "dataSetElements":
		out := []any{}
		for _, d := range v.c.DataSetsOf[uid] {
			out = append(out, object{"dataSet": object{"id": d.UID}, "dataElement": object{"id": uid}})
		}
		return out, kind == catalog.KindDataElement
	}
	if kind == catalog.KindOrgUnit {
		return v.deriveOrgUnit(uid, name)
	}
	return nil, false
}

func (v metadataView) deriveOrgUnit(uid, name string) (any, bool) {
	u := v.c.OrgUnits[uid]
	switch name {
	case "leaf":
		return len(u.Children) == 0, true
	case "children":
		out := []any{}
		for _, child := range u.Children {
			out = append(out, object{"id": child.UID})
		}
		return out, true
	case "ancestors":
		out := []any{}
		for _, id := range strings.Split(strings.Trim(u.Path, "/"), "/") {
			if id != uid {
				out = append(out, object{"id": id})
			}
		}
		return out, true
	case "programs":
		return v.pointing(catalog.KindProgram, "organisationUnits", uid), true
	case "dataSets":
		return v.pointing(catalog.KindDataSet, "organisationUnits", uid), true
	case "organisationUnitGroups":
		return v.pointing(catalog.KindUnitGroup, "organisationUnits", uid), true
	}
	return nil, false
}

// pointing gives references to the objects of a collection that list an object.
func (v metadataView) pointing(kind, property, uid string) []any {
	out := []any{}
	for _, o := range v.c.Objects[kind] {
		if slices.Contains(catalog.Refs(o, property), uid) {
			out = append(out, object{"id": catalog.Str(o, "id")})
		}
	}
	return out
}

func (v metadataView) Short(name string, x any) any {
	switch val := x.(type) {
	case []any:
		out := make([]any, 0, len(val))
		for _, it := range val {
			out = append(out, v.Short(name, it))
		}
		return out
	case object:
		if name == "geometry" || name == "sharing" || name == "access" || name == "style" {
			return val
		}
		if id, ok := val["id"]; ok && !embedded[name] {
			return object{"id": id}
		}
		out := make(object, len(val))
		for k, it := range val {
			out[k] = v.Short(k, it)
		}
		return out
	}
	return x
}
