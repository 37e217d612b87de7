package importer

import (
	"strconv"
	"time"
	"unicode/utf16"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/ids"
	"github.com/culvert/culvert/actions/dhis2/sandbox/jsontree"
	"github.com/culvert/culvert/actions/dhis2/sandbox/tracker/access"
	"github.com/culvert/culvert/actions/dhis2/sandbox/valuetype"
	"github.com/culvert/culvert/actions/dhis2/sandbox/version"
)

// The checks and their order follow DHIS2's validators: for each object a sequence that ends at the
// first check that finds something, then a group of checks that all run. Objects are checked in the
// order tracked entities, enrollments, events, relationships.

func (im *importer) validate() {
	for _, t := range im.b.entities {
		im.validateEntity(t)
	}
	for _, e := range im.b.enrollments {
		im.validateEnrollment(e)
	}
	for _, e := range im.b.events {
		im.validateEvent(e)
	}
	im.validateRepeats()
	for _, r := range im.b.relationships {
		im.validateRelationship(r)
	}
}

// inOrder runs checks until one of them reports an error.
func (im *importer) inOrder(checks ...func()) {
	before := im.r.count()
	for _, check := range checks {
		check()
		if im.r.count() > before || im.r.stopped {
			return
		}
	}
}

func (s *subject) uidForm(m version.Profile, uids ...string) {
	if m.TypedUIDs() {
		return // the body was not read at all
	}
	for _, uid := range uids {
		if !ids.Valid(uid) {
			s.error("E1048", uid)
		}
	}
}

// exists compares what is stored with what is to be done, with the codes of a kind: deleted, exists, missing.
func (s *subject) exists(stored, deleted bool, what strategy, gone, taken, missing string) {
	switch {
	case stored && deleted:
		s.error(gone, s.uid)
	case stored && what == create:
		s.error(taken, s.uid)
	case !stored && what != create:
		s.error(missing, s.uid)
	}
}

func (im *importer) notes(s *subject, notes []noteIn) {
	for _, n := range notes {
		if n.value != "" && im.st.Notes[n.uid] {
			s.warning("E1119", n.uid)
		}
	}
}

func (im *importer) geometry(s *subject, given []byte, featureType string) {
	if given == nil {
		return
	}
	if featureType == "" {
		s.error("E1074")
		return
	}
	if featureType == "NONE" || featureType != featureOf(given) {
		s.error("E1012", featureType)
	}
}

// featureOf names a geometry's type as DHIS2's metadata does.
func featureOf(geometry []byte) string {
	n, err := jsontree.Parse(geometry)
	if err != nil || n.Get("type") == nil {
		return ""
	}
	switch n.Get("type").Text {
	case "Point":
		return "POINT"
	case "Polygon":
		return "POLYGON"
	case "MultiPolygon":
		return "MULTI_POLYGON"
	case "MultiPoint", "LineString", "MultiLineString":
		return "SYMBOL"
	}
	return ""
}

// attributeValue checks one value of a tracked entity attribute, which an object of the request
// with a strategy of its own brings.
func (im *importer) attributeValue(s *subject, what strategy, a *catalog.Attribute, value, entity string,
	orgUnit string) {
	if len(utf16.Encode([]rune(value))) > valuetype.MaxAttributeValue {
		s.error("E1077", strconv.Itoa(valuetype.MaxAttributeValue))
	}
	reason := valuetype.Misfit(value, a.ValueType)
	if im.version.OneValueTypeCheck() {
		if reason != "" || im.missingReference(a.ValueType, value) {
			s.error("E1007", a.ValueType, "value type "+a.ValueType+" does not fit")
		}
		im.fileTaken(s, what, a.ValueType, value)
	} else {
		if reason != "" {
			s.error("E1085", a.UID, reason)
		}
		if im.attributeTypeFails(a.ValueType, value) {
			s.error("E1007", a.ValueType, "value type "+a.ValueType+" does not fit")
		} else {
			im.fileMissing(s, a.ValueType, value)
			im.fileTaken(s, what, a.ValueType, value)
		}
	}
	if set := im.c.OptionSets[a.OptionSet]; set != nil && !set.Allows(im.version, value, a.ValueType) {
		s.error("E1125", value, set.UID)
	}
	if a.Unique && im.taken(a, value, entity, orgUnit) {
		s.error("E1064", value, a.UID)
	}
}

// missingReference tells whether a value points to something that does not exist.
func (im *importer) missingReference(valueType, value string) bool {
	switch valueType {
	case "ORGANISATION_UNIT":
		return im.c.OrgUnits[value] == nil
	case "USERNAME":
		return im.c.Users[value] == nil
	case "FILE_RESOURCE":
		return im.st.Files[value] == nil
	case "IMAGE":
		return im.st.Files[value] == nil || !im.st.Files[value].Image()
	}
	return false
}

func isFile(valueType string) bool { return valueType == "FILE_RESOURCE" || valueType == "IMAGE" }

// fileMissing reports a file that was not uploaded.
func (im *importer) fileMissing(s *subject, valueType, value string) {
	if isFile(valueType) && im.st.Files[value] == nil {
		s.error("E1084", value)
	}
}

// fileTaken reports a file that another object has already.
func (im *importer) fileTaken(s *subject, what strategy, valueType, value string) {
	f := im.st.Files[value]
	if f == nil || !isFile(valueType) {
		return
	}
	if what == create && f.Assigned || what == update && f.Owner != "" && f.Owner != s.uid {
		s.error("E1009", value)
	}
}

// attributeTypeFails is the second of the two checks that attribute values went through in 2.42 and
// up to 2.40: it covers some types only, and takes booleans and true-only values in lower case
// alone (DHIS2 TrackedAttributeValidationService).
func (im *importer) attributeTypeFails(valueType, value string) bool {
	switch valueType {
	case "NUMBER", "DATE", "DATETIME":
		return valuetype.Misfit(value, valueType) != ""
	case "BOOLEAN":
		return value != "true" && value != "false"
	case "TRUE_ONLY":
		return value != "true"
	case "ORGANISATION_UNIT", "USERNAME", "IMAGE":
		return im.missingReference(valueType, value)
	}
	return len(value) > valuetype.MaxDataValue
}

func (im *importer) access() access.Access { return access.NewAccess(im.version, im.c, im.st, im.user) }

// capture reports an org unit that the user may not write to.
func (im *importer) capture(s *subject, unit *catalog.OrgUnit) {
	if unit != nil && !im.user.Captures(unit) {
		s.error("E1000", im.user.UID, unit.UID)
	}
}

// comboAccess reports category options of a combo that the user may not write to.
func (im *importer) comboAccess(s *subject, combo *catalog.OptionCombo) {
	if combo == nil {
		return
	}
	for _, id := range combo.Options {
		if o := im.c.CatOptions[id]; o != nil && !o.Sharing.DataWrite(im.user) {
			s.error("E1099", im.user.UID, o.UID)
		}
	}
}

func (im *importer) today() time.Time {
	return im.srv.Now().UTC().Truncate(24 * time.Hour)
}

// future tells whether a date is after today.
func (im *importer) future(t *time.Time) bool {
	return t != nil && t.UTC().Truncate(24*time.Hour).After(im.today())
}
