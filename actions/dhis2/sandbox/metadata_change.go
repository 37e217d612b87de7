package sandbox

import (
	"fmt"
	"sort"
	"strings"
	"time"
)

// ruleKinds are the collections that program rules are made of.
var ruleKinds = setOf([]string{kindProgram, kindStage, kindRule, kindRuleAction, kindRuleVariable, kindConstant, kindDataElement, kindAttribute, kindOptionSet,
	kindOption, kindUnitGroup})

// apply makes changes the metadata of the server. The server's metadata must be locked.
func (s *metadataService) apply(changes []*metadataChange) {
	if len(changes) == 0 {
		return
	}
	s.catalog = s.catalog.with(changes)
	s.store.catalog = s.catalog
	for _, ch := range changes {
		if ruleKinds[ch.Kind] {
			s.rulesChanged()
			return
		}
	}
}

// keepMetadata makes changes and writes them to the state.
func (s *metadataService) keepMetadata(changes []*metadataChange) error {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	s.apply(changes)
	for _, ch := range changes {
		s.store.metadata[ch.UID] = ch
		s.store.state.note("md", ch)
	}
	return s.store.state.flush()
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
	"E4030": "Object could not be deleted because it is associated with another object: {0}",
	"E5000": "Found matching object for reference, but import strategy is CREATE. Identifier was {0}, and object was {1}.",
	"E5001": "No matching object for reference. Identifier was {0}, and object was {1}.",
	"E5002": "Invalid reference {0} on object {1} for association `{2}`",
	"E5003": "Property `{0}` with value `{1}` on object {2} already exists on object {3}",
}

// metadataWrite is one import of metadata (DHIS2's object bundles).
type metadataWrite struct {
	srv      *metadataService
	user     *user
	strategy string // CREATE, UPDATE, CREATE_AND_UPDATE, DELETE
	now      time.Time
	coming   map[string]entry // what the import brings, which its objects may refer to
}

// verdict is what becomes of one object.
type verdict struct {
	kind, uid string
	exists    bool
	change    *metadataChange
	errors    []objectError
}

func (w *metadataWrite) fault(v *verdict, code string, args ...string) {
	text := metadataSentences[code]
	for i, a := range args {
		text = strings.ReplaceAll(text, fmt.Sprintf("{%d}", i), a)
	}
	v.errors = append(v.errors, objectError{Message: text, Args: args, MainKlass: klass(v.kind), ErrorCode: code, Properties: args})
}

// named tells which object is meant, in DHIS2's form.
func named(kind string, o object) string {
	name := str(o, "name")
	if name != "" {
		name += " "
	}
	return name + "[" + str(o, "id") + "] (" + singular(kind) + ")"
}

// judge says what becomes of an object.
func (w *metadataWrite) judge(kind string, o object) *verdict {
	v := &verdict{kind: kind, uid: str(o, "id")}
	old := w.srv.catalog.byID[v.uid]
	v.exists = old.kind == kind
	add := "F_" + strings.ToUpper(strings.TrimSuffix(kind, "s")) + "_ADD"
	switch {
	case !v.exists && w.strategy != "DELETE" && w.strategy != "UPDATE" && !w.user.may(add) && !w.user.may("F_METADATA_IMPORT"):
		w.fault(v, "E3000", w.user.username, singular(kind))
	case v.exists && w.strategy != "CREATE" && !parseSharing(old.obj).update(w.user):
		w.fault(v, "E3001", w.user.username, named(kind, old.obj))
	case v.exists && w.strategy == "CREATE":
		w.fault(v, "E5000", "UID", named(kind, old.obj))
	case !v.exists && (w.strategy == "UPDATE" || w.strategy == "DELETE"):
		w.fault(v, "E5001", "UID", named(kind, o))
	case w.strategy == "DELETE":
		if user := w.usedBy(v.uid); user != "" {
			w.fault(v, "E4030", user)
			return v
		}
		v.change = &metadataChange{Kind: kind, UID: v.uid}
		return v
	}
	if len(v.errors) > 0 {
		return v
	}
	w.checkProperties(v, o)
	w.checkReferences(v, o)
	w.checkUnique(v, o)
	if len(v.errors) == 0 {
		v.change = &metadataChange{Kind: kind, UID: v.uid, Object: w.finished(kind, o, old.obj)}
	}
	return v
}

// finished gives an object the times that the server sets.
func (w *metadataWrite) finished(kind string, o, old object) object {
	out := make(object, len(o)+4)
	for k, x := range o {
		out[k] = x
	}
	spellOut(out)
	out["lastUpdated"] = stamp(w.now)
	out["created"] = stamp(w.now)
	if old != nil {
		out["created"] = old["created"]
	}
	for _, name := range []string{"openingDate", "closedDate"} {
		if t := day(str(out, name)); kind == kindOrgUnit && !t.IsZero() {
			out[name] = stamp(t)
		}
	}
	if _, ok := out["sharing"]; !ok && old != nil && old["sharing"] != nil {
		out["sharing"] = old["sharing"]
	}
	return out
}

// shortNamed are the collections whose objects need a short name.
var shortNamed = setOf([]string{kindOrgUnit, kindDataElement, kindDataSet, kindProgram, kindAttribute, kindCategoryOption, "indicators", "categories"})

func (w *metadataWrite) checkProperties(v *verdict, o object) {
	need := []string{"name"}
	if shortNamed[v.kind] {
		need = append(need, "shortName")
	}
	switch v.kind {
	case kindOrgUnit:
		need = append(need, "openingDate")
	case kindDataElement:
		need = append(need, "valueType", "domainType", "aggregationType")
	case kindOption:
		need = append(need, "code")
	case kindUser:
		need = []string{"username"}
	case kindDataSet:
		need = append(need, "periodType")
	case kindRuleAction, kindStage:
		need = nil
	}
	for _, name := range need {
		if strings.TrimSpace(textOf(o[name])) == "" {
			w.fault(v, "E4000", name)
		}
	}
}

// notReferences are properties that hold an id but are the server's own.
var notReferences = setOf([]string{"createdBy", "lastUpdatedBy", "user", "sharing", "access", "geometry", "style", "userAccesses", "userGroupAccesses"})

// checkReferences: what an object points to must exist or come with it.
func (w *metadataWrite) checkReferences(v *verdict, o object) {
	check := func(name string, x any) {
		r, ok := x.(object)
		if !ok || len(r) != 1 || str(r, "id") == "" {
			return
		}
		uid := str(r, "id")
		if _, known := w.srv.catalog.byID[uid]; known {
			return
		}
		if _, comes := w.coming[uid]; !comes {
			kind := singular(strings.TrimSuffix(name, "s") + "s")
			if name == "parent" || name == "children" || name == "ancestors" {
				kind = singular(kindOrgUnit)
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
	case kindOption, kindStage, kindRule, kindRuleAction, kindRuleVariable:
		return nil
	case kindUser:
		return []string{"username"}
	case kindDataElement, kindAttribute:
		return []string{"code", "name", "shortName"}
	case kindOptionSet, kindCategory, kindCombo, kindRole, kindGroup, kindTEType:
		return []string{"code", "name"}
	}
	return []string{"code"}
}

func (w *metadataWrite) checkUnique(v *verdict, o object) {
	for _, name := range uniqueNames(v.kind) {
		value := textOf(o[name])
		if value == "" {
			continue
		}
		for _, other := range w.srv.catalog.objects[v.kind] {
			if str(other, "id") != v.uid && textOf(other[name]) == value {
				w.fault(v, "E5003", name, value, named(v.kind, o), str(other, "id"))
				break
			}
		}
	}
}

// usedBy names what keeps an object from being deleted; empty when nothing does.
func (w *metadataWrite) usedBy(uid string) string {
	for _, other := range w.srv.catalog.kinds {
		for _, o := range w.srv.catalog.objects[other] {
			if str(o, "id") != uid && pointsTo(o, uid) {
				return singular(other)
			}
		}
	}
	st := w.srv.store
	st.mu.RLock()
	defer st.mu.RUnlock()
	for _, v := range st.values {
		if v.OrgUnit == uid || v.Element == uid {
			return "DataValue"
		}
	}
	for _, t := range st.entities {
		if t.OrgUnit == uid || t.Type == uid {
			return "TrackedEntity"
		}
	}
	for _, e := range st.events {
		if e.OrgUnit == uid || e.Program == uid || e.Stage == uid {
			return "Event"
		}
	}
	return ""
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
			if r, ok := it.(object); ok && (str(r, "id") == uid || pointsTo(r, uid)) {
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
