package metadata

import (
	"fmt"
	"maps"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/dates"
)

// ruleKinds are the collections that program rules are made of.
var ruleKinds = catalog.SetOf([]string{catalog.KindProgram, catalog.KindStage, catalog.KindRule,
	catalog.KindRuleAction, catalog.KindRuleVariable, catalog.KindConstant, catalog.KindDataElement,
	catalog.KindAttribute, catalog.KindOptionSet,
	catalog.KindOption, catalog.KindUnitGroup})

// apply makes changes the metadata of the server. The server's metadata must be locked.
func (s *Service) apply(changes []*catalog.Change) {
	if len(changes) == 0 {
		return
	}
	s.Catalog = s.Catalog.With(changes)
	s.Store.Catalog = s.Catalog
	for _, ch := range changes {
		if ruleKinds[ch.Kind] {
			s.rulesChanged()
			return
		}
	}
}

// keepMetadata makes changes and writes them to the state.
func (s *Service) keepMetadata(changes []*catalog.Change) error {
	s.Store.Lock()
	defer s.Store.Unlock()
	s.apply(changes)
	for _, ch := range changes {
		s.Store.Metadata[ch.UID] = ch
		s.Store.Keep(ch)
	}
	return s.Store.Flush()
}

// objectError is one thing that is wrong with an object of metadata.
type objectError struct {
	Message    string   `json:"message"`
	Args       []string `json:"args,omitempty"`
	MainKlass  string   `json:"mainKlass"`
	ErrorCode  string   `json:"errorCode"`
	Properties []string `json:"errorProperties"`
}

var metadataSentences = map[string]string{
	"E3000": "User `{0}` is not allowed to create objects of type {1}.",
	"E3001": "User `{0}` is not allowed to update object `{1}`.",
	"E4000": "Missing required property `{0}`.",
	"E4001": "Maximum length of property `{0}`is {1}, but given length was {2}",
	"E4030": "Object could not be deleted because it is associated with another object: {0}",
	"E5000": "Found matching object for reference, but import strategy is CREATE. Identifier was {0}, and object was {1}.",
	"E5001": "No matching object for reference. Identifier was {0}, and object was {1}.",
	"E5002": "Invalid reference {0} on object {1} for association `{2}`",
	"E5003": "Property `{0}` with value `{1}` on object {2} already exists on object {3}",
}

// metadataWrite is one import of metadata (DHIS2's object bundles).
type metadataWrite struct {
	srv      *Service
	user     *catalog.User
	strategy string // CREATE, UPDATE, CREATE_AND_UPDATE, DELETE
	now      time.Time
	coming   map[string]catalog.Entry // what the import brings, which its objects may refer to
}

// verdict is what becomes of one object.
type verdict struct {
	kind, uid string
	exists    bool
	change    *catalog.Change
	errors    []objectError
}

func (w *metadataWrite) fault(v *verdict, code string, args ...string) {
	text := metadataSentences[code]
	for i, a := range args {
		text = strings.ReplaceAll(text, fmt.Sprintf("{%d}", i), a)
	}
	v.errors = append(v.errors, objectError{Message: text, Args: args, MainKlass: klass(v.kind), ErrorCode: code,
		Properties: args})
}

// named tells which object is meant, in DHIS2's form.
func named(kind string, o object) string {
	name := catalog.Str(o, "name")
	if name != "" {
		name += " "
	}
	return name + "[" + catalog.Str(o, "id") + "] (" + singular(kind) + ")"
}

// judge says what becomes of an object.
func (w *metadataWrite) judge(kind string, o object) *verdict {
	v := &verdict{kind: kind, uid: catalog.Str(o, "id")}
	old := w.srv.Catalog.ByID[v.uid]
	v.exists = old.Kind == kind
	add := "F_" + strings.ToUpper(strings.TrimSuffix(kind, "s")) + "_ADD"
	switch {
	case !v.exists && w.strategy != "DELETE" && w.strategy != "UPDATE" && !w.user.May(add) &&
		!w.user.May("F_METADATA_IMPORT"):
		w.fault(v, "E3000", w.user.Username, singular(kind))
	case v.exists && w.strategy != "CREATE" && !catalog.ParseSharing(old.Obj).Update(w.user):
		w.fault(v, "E3001", w.user.Username, named(kind, old.Obj))
	case v.exists && w.strategy == "CREATE":
		w.fault(v, "E5000", "UID", named(kind, old.Obj))
	case !v.exists && (w.strategy == "UPDATE" || w.strategy == "DELETE"):
		w.fault(v, "E5001", "UID", named(kind, o))
	case w.strategy == "DELETE":
		if user := w.usedBy(kind, v.uid); user != "" {
			w.fault(v, "E4030", user)
			return v
		}
		v.change = &catalog.Change{Kind: kind, UID: v.uid}
		return v
	}
	if len(v.errors) > 0 {
		return v
	}
	w.checkProperties(v, o)
	w.checkReferences(v, o)
	w.checkUnique(v, o)
	if len(v.errors) == 0 {
		v.change = &catalog.Change{Kind: kind, UID: v.uid, Object: w.finished(kind, o, old.Obj)}
	}
	return v
}

// finished gives an object the times that the server sets.
func (w *metadataWrite) finished(kind string, o, old object) object {
	out := make(object, len(o)+4)
	for k, x := range o {
		out[k] = x
	}
	catalog.SpellOut(out)
	out["lastUpdated"] = dates.Stamp(w.now)
	out["created"] = dates.Stamp(w.now)
	if old != nil {
		out["created"] = old["created"]
	}
	for _, name := range []string{"openingDate", "closedDate"} {
		if t := dates.Day(catalog.Str(out, name)); kind == catalog.KindOrgUnit && !t.IsZero() {
			out[name] = dates.Stamp(t)
		}
	}
	if _, ok := out["sharing"]; !ok && old != nil && old["sharing"] != nil {
		out["sharing"] = old["sharing"]
	}
	return out
}

// shortNamed are the collections whose objects need a short name.
var shortNamed = catalog.SetOf([]string{catalog.KindOrgUnit, catalog.KindDataElement, catalog.KindDataSet,
	catalog.KindProgram, catalog.KindAttribute, catalog.KindCategoryOption, "indicators", "categories"})

func (w *metadataWrite) checkProperties(v *verdict, o object) {
	need := []string{"name"}
	if shortNamed[v.kind] {
		need = append(need, "shortName")
	}
	switch v.kind {
	case catalog.KindOrgUnit:
		need = append(need, "openingDate")
	case catalog.KindDataElement:
		need = append(need, "valueType", "domainType", "aggregationType")
	case catalog.KindOption:
		need = append(need, "code")
	case catalog.KindUser:
		need = []string{"username"}
	case catalog.KindDataSet:
		need = append(need, "periodType")
	case catalog.KindRuleAction, catalog.KindStage:
		need = nil
	}
	for _, name := range need {
		if strings.TrimSpace(catalog.TextOf(o[name])) == "" {
			w.fault(v, "E4000", name)
		}
	}
	for _, l := range longest {
		if n := len([]rune(catalog.TextOf(o[l.name]))); n > l.length && (shortNamed[v.kind] || l.name != "shortName") {
			w.fault(v, "E4001", l.name, strconv.Itoa(l.length), strconv.Itoa(n))
		}
	}
}

// longest are how long texts may be (BaseIdentifiableObject, BaseNameableObject).
var longest = []struct {
	name   string
	length int
}{{"name", 230}, {"shortName", 50}, {"code", 50}}

// notReferences are properties that hold an id but are the server's own.
var notReferences = catalog.SetOf([]string{"createdBy", "lastUpdatedBy", "user", "sharing", "access", "geometry",
	"style", "userAccesses", "userGroupAccesses"})

// checkReferences: what an object points to must exist or come with it.
func (w *metadataWrite) checkReferences(v *verdict, o object) {
	check := func(name string, x any) {
		r, ok := x.(object)
		if !ok || len(r) != 1 || catalog.Str(r, "id") == "" {
			return
		}
		uid := catalog.Str(r, "id")
		if _, known := w.srv.Catalog.ByID[uid]; known {
			return
		}
		if _, comes := w.coming[uid]; !comes {
			kind := singular(strings.TrimSuffix(name, "s") + "s")
			if name == "parent" || name == "children" || name == "ancestors" {
				kind = singular(catalog.KindOrgUnit)
			}
			w.fault(v, "E5002", "["+uid+"] ("+kind+")", named(v.kind, o), name)
		}
	}
	for _, name := range keysInOrder(o) {
		if notReferences[name] {
			continue
		}
		if items, ok := o[name].([]any); ok {
			for _, it := range items {
				check(name, it)
			}
			continue
		}
		check(name, o[name])
	}
}

// uniqueNames are the properties of which no two objects of a collection may have the same value.
func uniqueNames(kind string) []string {
	switch kind {
	case catalog.KindOption, catalog.KindStage, catalog.KindRule, catalog.KindRuleAction, catalog.KindRuleVariable:
		return nil
	case catalog.KindUser:
		return []string{"username"}
	case catalog.KindDataElement, catalog.KindAttribute:
		return []string{"code", "name", "shortName"}
	case catalog.KindOptionSet, catalog.KindCategory, catalog.KindCombo, catalog.KindRole, catalog.KindGroup,
		catalog.KindTEType:
		return []string{"code", "name"}
	}
	return []string{"code"}
}

func (w *metadataWrite) checkUnique(v *verdict, o object) {
	for _, name := range uniqueNames(v.kind) {
		value := catalog.TextOf(o[name])
		if value == "" {
			continue
		}
		for _, other := range w.srv.Catalog.Objects[v.kind] {
			if catalog.Str(other, "id") != v.uid && catalog.TextOf(other[name]) == value {
				w.fault(v, "E5003", name, value, named(v.kind, o), catalog.Str(other, "id"))
				break
			}
		}
	}
}

// usedBy names what keeps an object from being deleted; empty when nothing does.
func (w *metadataWrite) usedBy(kind, uid string) string {
	for _, other := range w.srv.Catalog.Kinds {
		for _, o := range w.srv.Catalog.Objects[other] {
			if kind == catalog.KindOrgUnit {
				o, _ = withoutUnit(o, uid)
			}
			if catalog.Str(o, "id") != uid && pointsTo(o, uid) {
				return singular(other)
			}
		}
	}
	st := w.srv.Store
	st.RLock()
	defer st.RUnlock()
	for _, v := range st.Values {
		if v.OrgUnit == uid || v.Element == uid {
			return "DataValue"
		}
	}
	for _, t := range st.Entities {
		if t.OrgUnit == uid || t.Type == uid {
			return "TrackedEntity"
		}
	}
	for _, e := range st.Events {
		if e.OrgUnit == uid || e.Program == uid || e.Stage == uid {
			return "Event"
		}
	}
	return ""
}

// unitLists are the lists of org units out of which DHIS2 takes one that is deleted (the DeletionHandlers of data
// sets, programs, groups, users and category options).
var unitLists = []string{"organisationUnits", "dataViewOrganisationUnits", "teiSearchOrganisationUnits"}

// withoutUnit gives an object without an org unit in its lists; it is the object itself, and false, where it is in none.
func withoutUnit(o object, uid string) (out object, left bool) {
	is := func(x any) bool { r, ok := x.(object); return ok && catalog.Str(r, "id") == uid }
	out = o
	for _, name := range unitLists {
		list, ok := o[name].([]any)
		if !ok || !slices.ContainsFunc(list, is) {
			continue
		}
		if !left {
			out, left = maps.Clone(o), true
		}
		out[name] = slices.DeleteFunc(slices.Clone(list), is)
	}
	return out, left
}

// changesOf are a change with what follows from it: a deleted org unit leaves all lists.
func (w *metadataWrite) changesOf(v *verdict) []*catalog.Change {
	changes := []*catalog.Change{v.change}
	if v.change.Object != nil || v.kind != catalog.KindOrgUnit {
		return changes
	}
	for _, kind := range w.srv.Catalog.Kinds {
		for _, o := range w.srv.Catalog.Objects[kind] {
			if without, left := withoutUnit(o, v.uid); left {
				changes = append(changes, &catalog.Change{Kind: kind, UID: catalog.Str(o, "id"), Object: without})
			}
		}
	}
	return changes
}

// pointsTo tells whether an object refers to another.
func pointsTo(o object, uid string) bool {
	for name, x := range o {
		if notReferences[name] {
			continue
		}
		items, ok := x.([]any)
		if !ok {
			items = []any{x}
		}
		for _, it := range items {
			if r, ok := it.(object); ok && (catalog.Str(r, "id") == uid || pointsTo(r, uid)) {
				return true
			}
		}
	}
	return false
}

func keysInOrder[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}
