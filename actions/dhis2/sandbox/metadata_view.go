package sandbox

import (
	"encoding/json"
	"slices"
	"sort"
	"strings"
)

// metadataView is how one user sees the metadata: the objects with what DHIS2 derives from them.
type metadataView struct {
	c    *catalog
	m    manners
	user *user
	base string
}

// embedded are properties whose objects belong to the object that holds them and come whole; all others come as references.
var embedded = map[string]bool{
	"programTrackedEntityAttributes": true, "programStageDataElements": true, "dataSetElements": true, "trackedEntityTypeAttributes": true,
	"compulsoryDataElementOperands": true, "dataInputPeriods": true, "fromConstraint": true, "toConstraint": true, "attributeValues": true,
	"access": true, "sharing": true, "geometry": true, "style": true, "translations": true, "interests": true,
}

var (
	identifiable = []string{"id", "name", "code", "created", "lastUpdated", "lastUpdatedBy"}
	nameable     = []string{"id", "name", "shortName", "description", "code", "created", "lastUpdated"}
)

// absent are the values that DHIS2 gives properties an object does not tell (the defaults of its model).
var absent = map[string]object{
	"": {"attributeValues": []any{}, "translations": []any{}, "favorite": false, "favorites": []any{}},
	kindProgram: {"onlyEnrollOnce": false, "selectEnrollmentDatesInFuture": false, "selectIncidentDatesInFuture": false, "displayIncidentDate": true,
		"expiryDays": 0, "completeEventsExpiryDays": 0, "accessLevel": "OPEN", "programTrackedEntityAttributes": []any{}, "programStages": []any{},
		"organisationUnits": []any{}, "minAttributesRequiredToSearch": 1, "maxTeiCountToReturn": 0, "openDaysAfterCoEndDate": 0,
		"useFirstStageDuringRegistration": false, "displayFrontPageList": false, "skipOffline": false, "ignoreOverdueEvents": false, "version": 0,
		"notificationTemplates": []any{}, "programSections": []any{}, "userRoles": []any{}, "programIndicators": []any{}, "programRuleVariables": []any{},
		"categoryCombo": object{"id": defaultCombo}},
	kindStage: {"repeatable": false, "validationStrategy": "ON_COMPLETE", "enableUserAssignment": false, "blockEntryForm": false, "autoGenerateEvent": true,
		"minDaysFromStart": 0, "hideDueDate": false, "preGenerateUID": false, "remindCompleted": false, "generatedByEnrollmentDate": false,
		"allowGenerateNextVisit": false, "displayGenerateEventBox": true, "openAfterEnrollment": false, "referral": false,
		"programStageDataElements": []any{}, "programStageSections": []any{}, "notificationTemplates": []any{}},
	kindAttribute: {"generated": false, "pattern": "", "orgunitScope": false, "unique": false, "inherit": false, "confidential": false,
		"skipSynchronization": false, "displayInListNoProgram": false, "displayOnVisitSchedule": false, "legendSets": []any{}},
	kindDataElement: {"zeroIsSignificant": false, "aggregationLevels": []any{}, "legendSets": []any{}, "dataElementGroups": []any{},
		"categoryCombo": object{"id": defaultCombo}},
	kindDataSet: {"openFuturePeriods": 0, "expiryDays": 0, "compulsoryDataElementOperands": []any{}, "timelyDays": 15, "version": 0,
		"dataInputPeriods": []any{}, "mobile": false, "validCompleteOnly": false, "noValueRequiresComment": false, "fieldCombinationRequired": false,
		"skipOffline": false, "dataElementDecoration": false, "renderAsTabs": false, "renderHorizontally": false, "compulsoryFieldsCompleteOnly": false,
		"notifyCompletingUser": false, "openPeriodsAfterCoEndDate": 0, "sections": []any{}, "indicators": []any{}, "legendSets": []any{},
		"formType": "DEFAULT", "organisationUnits": []any{}, "dataSetElements": []any{}, "categoryCombo": object{"id": defaultCombo}},
	kindOptionSet:      {"version": 0, "options": []any{}},
	kindCombo:          {"skipTotal": false, "categories": []any{}},
	kindOptionCombo:    {"ignoreApproval": false, "categoryOptions": []any{}},
	kindCategory:       {"dataDimension": true, "categoryOptions": []any{}},
	kindCategoryOption: {"organisationUnits": []any{}},
	kindTEType:         {"trackedEntityTypeAttributes": []any{}, "minAttributesRequiredToSearch": 1, "maxTeiCountToReturn": 0, "allowAuditLog": false},
	kindRelType:        {"bidirectional": false, "referral": false},
	kindMetaAttribute:  {"unique": false, "mandatory": false},
	kindRule:           {"programRuleActions": []any{}},
	kindOrgUnit:        {"organisationUnitGroups": []any{}},
}

// absentInside are the same for objects that belong to another.
var absentInside = object{"compulsory": false, "allowFutureDate": false, "mandatory": false, "searchable": false, "displayInList": false,
	"allowProvidedElsewhere": false, "displayInReports": false, "skipSynchronization": false, "skipAnalytics": false, "renderOptionsAsRadio": false}

func (v metadataView) kindOf(o object) string {
	if e, ok := v.c.byID[str(o, "id")]; ok {
		return e.kind
	}
	return ""
}

// whole gives the object that a reference stands for.
func (v metadataView) whole(o object) object {
	if e, ok := v.c.byID[str(o, "id")]; ok && len(o) <= 2 {
		return e.obj
	}
	return o
}

func (v metadataView) names(o object, preset string) []string {
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
			switch val, _ := v.property(o, k); val.(type) {
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
	kindOrgUnit:     {"level", "path", "children", "ancestors", "leaf", "programs", "dataSets", "displayShortName"},
	kindProgram:     {"displayShortName", "registration", "withoutRegistration"},
	kindDataElement: {"displayShortName", "displayFormName", "optionSetValue", "dataSetElements"},
	kindAttribute:   {"displayShortName", "displayFormName", "optionSetValue"},
	kindCombo:       {"isDefault", "categoryOptionCombos"},
	kindDataSet:     {"displayShortName"},
	kindCategory:    {"categoryCombos"},
}

func (v metadataView) property(o object, name string) (any, bool) {
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
		for _, av := range list(o, "attributeValues") {
			if ref(av, "attribute") == name {
				return av["value"], true
			}
		}
	}
	return nil, false
}

// override gives what a server shows otherwise than it was told.
func (v metadataView) override(kind string, o object, name string) (any, bool) {
	switch {
	case kind == kindDataSet && name == "expiryDays" && v.m.decimalExpiry():
		text := textOf(o[name])
		if text == "" {
			text = "0"
		}
		if !strings.Contains(text, ".") {
			text += ".0"
		}
		return json.Number(text), true
	case kind == kindOption && name == "sortOrder" && v.m.optionsFromZero():
		if set, ok := v.c.byID[ref(o, "optionSet")]; ok {
			for i, id := range refs(set.obj, "options") {
				if id == str(o, "id") {
					return i, true
				}
			}
		}
	case kind == kindOrgUnit && (name == "level" || name == "path"):
		if u := v.c.orgUnits[str(o, "id")]; u != nil {
			if name == "level" {
				return u.level, true
			}
			return u.path, true
		}
	case name == "access" && kind != "":
		return v.access(o), true
	}
	return nil, false
}

func (v metadataView) access(o object) object {
	s := parseSharing(o)
	return object{"read": s.read(v.user), "update": s.update(v.user), "write": s.update(v.user), "delete": s.update(v.user), "externalize": v.user.super,
		"manage": s.update(v.user), "data": object{"read": s.dataRead(v.user), "write": s.dataWrite(v.user)}}
}

func (v metadataView) derive(kind string, o object, name string) (any, bool) {
	uid := str(o, "id")
	switch name {
	case "displayName":
		return o["name"], true
	case "displayShortName":
		return o["shortName"], true
	case "displayDescription":
		return o["description"], true
	case "displayFormName":
		if f := str(o, "formName"); f != "" {
			return f, true
		}
		return o["name"], true
	case "href":
		return v.base + "/api/" + kind + "/" + uid, true
	case "sharing":
		s := parseSharing(o)
		return object{"public": s.public, "external": false, "users": object{}, "userGroups": object{}}, true
	case "publicAccess":
		return parseSharing(o).public, true
	case "externalAccess":
		return false, true
	case "optionSetValue":
		return ref(o, "optionSet") != "", kind == kindDataElement || kind == kindAttribute
	case "registration", "withoutRegistration":
		if kind == kindProgram {
			return (str(o, "programType") == "WITH_REGISTRATION") == (name == "registration"), true
		}
	case "isDefault":
		return uid == defaultCombo || uid == defaultOptionCombo || uid == defaultCategory || uid == defaultCategoryOption, true
	case "categoryOptionCombos":
		if kind == kindCombo {
			out := []any{}
			for _, oc := range v.c.combosOf[uid] {
				out = append(out, object{"id": oc.uid})
			}
			return out, true
		}
	case "categoryCombos":
		return v.pointing(kindCombo, "categories", uid), kind == kindCategory
	case "dataSetElements":
		out := []any{}
		for _, d := range v.c.dataSetsOf[uid] {
			out = append(out, object{"dataSet": object{"id": d.uid}, "dataElement": object{"id": uid}})
		}
		return out, kind == kindDataElement
	}
	if kind == kindOrgUnit {
		return v.deriveOrgUnit(uid, name)
	}
	return nil, false
}

func (v metadataView) deriveOrgUnit(uid, name string) (any, bool) {
	u := v.c.orgUnits[uid]
	switch name {
	case "leaf":
		return len(u.children) == 0, true
	case "children":
		out := []any{}
		for _, child := range u.children {
			out = append(out, object{"id": child.uid})
		}
		return out, true
	case "ancestors":
		out := []any{}
		for _, id := range strings.Split(strings.Trim(u.path, "/"), "/") {
			if id != uid {
				out = append(out, object{"id": id})
			}
		}
		return out, true
	case "programs":
		return v.pointing(kindProgram, "organisationUnits", uid), true
	case "dataSets":
		return v.pointing(kindDataSet, "organisationUnits", uid), true
	}
	return nil, false
}

// pointing gives references to the objects of a collection that list an object.
func (v metadataView) pointing(kind, property, uid string) []any {
	out := []any{}
	for _, o := range v.c.objects[kind] {
		if slices.Contains(refs(o, property), uid) {
			out = append(out, object{"id": str(o, "id")})
		}
	}
	return out
}

func (v metadataView) short(name string, x any) any {
	switch val := x.(type) {
	case []any:
		out := make([]any, 0, len(val))
		for _, it := range val {
			out = append(out, v.short(name, it))
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
			out[k] = v.short(k, it)
		}
		return out
	}
	return x
}
