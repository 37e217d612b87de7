package lsp

import (
	"regexp"
	"slices"
	"strings"
)

// slot is what may be written at a value.
type slot int

const (
	slotOther      slot = iota
	slotExpression      // an expression
	slotProgram
	slotStage
	slotType // tracked entity type
	slotRelationship
	slotDataSet
	slotElement
	slotUnique // unique attributes, for match_by
	slotMap    // the name of a value map
	slotOption // an option of the field, or another fixed value of its type
	slotUnit   // a fixed org unit
	slotCombo  // a category option combo of a data element
	slotCollection
	slotCounterpart // what counterparts at two servers have in common
	slotAmong       // what the objects that a lookup searches belong to
	slotServer
	slotFile
)

// nameSlots are the keys of actions that name objects.
var nameSlots = map[string]slot{
	"program": slotProgram, "stage": slotStage, "tracked_entity_type": slotType, "type": slotRelationship,
	"data_set":     slotDataSet,
	"data_element": slotElement, "match_by": slotUnique,
}

// plainKeys are keys of actions whose values are neither names of the metadata nor expressions.
var plainKeys = []string{"id", "blank", "invalid", "several_ids", "when_absent", "when_deleted", "aggregate",
	"what", "confirm", "reenroll", "import"}

// slotOf says what may be written as the value of the last entry of a path. Items of a list are as
// what the list is the value of.
func (v *view) slotOf(path []*entry) slot {
	keys := make([]string, 0, len(path))
	for _, e := range path {
		if !e.item {
			keys = append(keys, e.key)
		}
	}
	if len(keys) == 0 || v.isConfig() {
		return slotOther
	}
	last := keys[len(keys)-1]
	if v.isFunctions() && keys[0] == "functions" {
		if last == "body" || last == "call" {
			return slotExpression
		}
		return slotOther
	}
	if last == "include" && keys[0] == "actions" {
		return slotFile
	}
	switch keys[0] {
	case "server":
		return slotServer
	case "extends":
		return slotFile
	case "when", "id", "key", "version":
		return slotExpression
	case "trigger":
		return triggerSlot(keys, last)
	case "tests":
		if last == "given" {
			return slotFile
		}
	case "maps":
		if len(keys) == 3 && last == "file" {
			return slotFile
		}
		if len(keys) == 3 && path[1].child("in") != nil {
			return betweenSlot(last)
		}
		return v.mapSlot(keys[min(2, len(keys)):])
	case "lookups":
		return v.lookupSlot(path, keys, last)
	case "actions", "defaults":
		return v.actionSlot(keys, last)
	}
	return slotOther
}

func triggerSlot(keys []string, last string) slot {
	switch {
	case last == "sample":
		return slotFile
	case last == "items" || last == "version":
		return slotExpression
	}
	_ = keys
	return slotOther
}

// lookupSlot is of the keys within lookups: expressions stand where the keys are declared to hold them,
// and behind the fields to search by.
func (v *view) lookupSlot(path []*entry, keys []string, last string) slot {
	if len(keys) < 3 {
		return slotOther
	}
	if len(keys) == 3 {
		switch last {
		case "in":
			return slotCollection
		case "table":
			return slotFile
		case "server":
			return slotServer
		case "among":
			return slotAmong
		}
	}
	if v.schemaAt(path).ref == "expression" {
		return slotExpression
	}
	return slotOther
}

// betweenSlot is of the keys of a value map between two servers.
func betweenSlot(key string) slot {
	switch key {
	case "in":
		return slotCollection
	case "from", "to":
		return slotServer
	case "among":
		return slotAmong
	case "by":
		return slotCounterpart
	}
	return slotOther
}

// mapSlot is of the keys within a value map.
func (v *view) mapSlot(keys []string) slot {
	switch {
	case len(keys) == 0, slices.Contains([]string{"match", "from", "to"}, keys[0]) && len(keys) == 1:
		return slotOther
	}
	return slotOption
}

func (v *view) actionSlot(keys []string, last string) slot {
	if len(keys) < 3 {
		return slotOther
	}
	kind, rest := keys[1], keys[2:]
	first := rest[0]
	switch {
	case first == "columns" && last == "file":
		return slotFile
	case first == "server" && len(rest) == 1:
		return slotServer
	case slices.Contains(plainKeys, first), first == "columns":
		return slotOther
	case first == "stage" && kind == "dhis2.relationship":
		return slotExpression
	case nameSlots[first] != 0 && (len(rest) == 1 || first == "match_by" && last == "any"):
		return nameSlots[first]
	case (first == "from" || first == "to") && len(rest) > 1 && nameSlots[last] != 0:
		return nameSlots[last]
	case slices.Index(rest, "map") > 0 && last != "map":
		return v.mapSlot(rest[slices.Index(rest, "map")+1:])
	case last == "map":
		return slotMap
	case last == "value" && len(rest) > 1:
		switch first {
		case "org_unit":
			return slotUnit
		case "category_option_combo", "attribute_option_combo":
			return slotCombo
		}
		return slotOption
	case slices.Contains([]string{"format", "missing", "blank", "invalid"}, last) && len(rest) > 1:
		return slotOther
	}
	return slotExpression
}

// mapFields lists the fields that a value map is for: the one that it stands in, or all that name it.
func (v *view) mapFields(path []*entry) []*field {
	if path[0].key != "maps" {
		if f := v.fieldAt(path); f != nil {
			return []*field{f}
		}
		return nil
	}
	if len(path) < 2 {
		return nil
	}
	var out []*field
	add := func(v *view) {
		for _, use := range v.usesOfMap(path[1].key) {
			if f := v.fieldAt(use.path()); f != nil && !slices.ContainsFunc(out, func(o *field) bool { return o.ID == f.ID }) {
				out = append(out, f)
			}
		}
	}
	add(v)
	s := symbol{what: "map", name: path[1].key}
	for _, file := range v.sharers(s, v.definitionsOf(s)) {
		if file != v.doc.name && len(out) < maxMapFields {
			add(v.elsewhere(file))
		}
	}
	return out
}

// maxMapFields bounds of how many fields the options are proposed for a map that many rules take.
const maxMapFields = 10

// usesOfMap lists the entries that name a value map with map:, or call it in an expression.
func (v *view) usesOfMap(name string) []*entry {
	if v.mapUses == nil { // a file may have thousands of maps: it is gone through once
		v.mapUses = map[string][]*entry{}
		v.out.root.all(func(e *entry) {
			switch {
			case e.parent == nil || e.value == "":
			case e.key == "map":
				v.mapUses[e.value] = append(v.mapUses[e.value], e)
			case strings.Contains(e.value, "(") && v.slotOf(e.path()) == slotExpression:
				for _, call := range calledName.FindAllStringSubmatch(e.value, -1) {
					if list := v.mapUses[call[1]]; len(list) == 0 || list[len(list)-1] != e {
						v.mapUses[call[1]] = append(list, e)
					}
				}
			}
		})
	}
	return v.mapUses[name]
}

// calledName finds what an expression calls.
var calledName = regexp.MustCompile(`([A-Za-z_]\w*)\(`)
