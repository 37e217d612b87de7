package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// loadCatalog reads metadata exports (JSON files) and snapshot directories (one file a collection). Of an object that several hold the later
// one's properties count, as when one is imported after the other.
func loadCatalog(paths []string, now time.Time, log *slog.Logger) (*catalog, error) {
	c := &catalog{objects: map[string][]object{}, byID: map[string]entry{}, loaded: now}
	l := &loader{catalog: c}
	for _, path := range paths {
		if err := l.read(path); err != nil {
			return nil, err
		}
	}
	if len(c.byID) == 0 {
		return nil, fmt.Errorf("sandbox: %s holds no metadata, so it is not a metadata export of DHIS2: export it with /api/metadata, or run a sync",
			strings.Join(paths, ", "))
	}
	for _, sentence := range l.leftOut {
		log.Warn(sentence)
	}
	if len(c.objects[kindOrgUnit]) == 0 {
		c.layCountry()
		log.Info("the metadata holds no org units: an invented country is laid under it", "orgUnits", len(c.objects[kindOrgUnit]))
	}
	c.assignUnits(l.unassigned)
	c.harvest()
	c.addDefaults()
	c.index()
	return c, nil
}

// loader reads files into a catalog one after the other.
type loader struct {
	*catalog
	own        map[string]bool // uids that the file being read has told
	leftOut    []string        // sentences
	unassigned []object        // programs and data sets of exports that say nothing of org units
}

func (l *loader) read(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("sandbox: there is no metadata at %s: give a DHIS2 metadata export (a JSON file) or the folder of a snapshot", path)
		}
		return fmt.Errorf("sandbox: reading the metadata: %w", err)
	}
	l.own = map[string]bool{}
	if info.IsDir() {
		return l.readDir(path)
	}
	if err := l.readFile(path); err != nil {
		return err
	}
	for _, kind := range []string{kindProgram, kindDataSet} {
		for _, o := range l.objects[kind] {
			if _, told := o["organisationUnits"]; !told && l.own[str(o, "id")] {
				l.unassigned = append(l.unassigned, o)
			}
		}
	}
	return nil
}

func (l *loader) readFile(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("sandbox: reading the metadata: %w", err)
	}
	root := map[string]json.RawMessage{}
	if err := json.Unmarshal(data, &root); err != nil {
		return fmt.Errorf("sandbox: %s is not a metadata export: %w; export it anew with /api/metadata", place(path, data, err), err)
	}
	for _, kind := range orderOf(data) {
		raw := root[kind]
		if t := bytes.TrimSpace(raw); len(t) == 0 || t[0] != '[' {
			continue // system, date and the like
		}
		if err := l.addCollection(kind, raw, path); err != nil {
			return err
		}
	}
	return nil
}

// orderOf gives the names of the top level of a JSON object in their order.
func orderOf(data []byte) []string {
	d := json.NewDecoder(bytes.NewReader(data))
	var names []string
	depth := 0
	name := true
	for {
		t, err := d.Token()
		if err != nil {
			return names
		}
		switch v := t.(type) {
		case json.Delim:
			switch v {
			case '{', '[':
				depth++
				if depth == 1 {
					name = true
					continue
				}
			default:
				depth--
			}
			if depth == 1 {
				name = true
			}
		default:
			if depth != 1 {
				continue
			}
			if name {
				names = append(names, v.(string))
				name = false
			} else {
				name = true
			}
		}
	}
}

// place adds line and column to the name of a file where a JSON error tells them.
func place(path string, data []byte, err error) string {
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return path
	}
	before := data[:min(int(syntax.Offset), len(data))]
	line := bytes.Count(before, []byte("\n")) + 1
	column := len(before) - bytes.LastIndexByte(before, '\n') - 1
	return fmt.Sprintf("%s:%d:%d", path, line, column)
}

func (l *loader) readDir(path string) error {
	files, err := filepath.Glob(filepath.Join(path, "*.json"))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("sandbox: %s holds no snapshot (no .json files): run a sync first", path)
	}
	for _, file := range files {
		kind := strings.TrimSuffix(filepath.Base(file), ".json")
		data, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("sandbox: reading the metadata: %w", err)
		}
		if t := bytes.TrimSpace(data); len(t) == 0 || t[0] != '[' {
			continue // server.json, me.json
		}
		if kind == "formerNames" {
			continue // what objects were once called: no objects
		}
		if err := l.addCollection(kind, data, file); err != nil {
			return err
		}
	}
	return nil
}

// collectionNames maps names that a snapshot may use for its files to DHIS2's.
var collectionNames = map[string]string{"orgUnits": kindOrgUnit, "orgUnitLevels": "organisationUnitLevels"}

func (l *loader) addCollection(kind string, raw []byte, file string) error {
	if name, ok := collectionNames[kind]; ok {
		kind = name
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var objs []object
	if err := d.Decode(&objs); err != nil {
		return fmt.Errorf("sandbox: %s: %s is not a list of objects: %w; export the metadata anew", place(file, raw, err), kind, err)
	}
	nameless := 0
	for _, o := range objs {
		if str(o, "id") == "" && str(o, "uid") != "" {
			o["id"] = str(o, "uid")
		}
		if str(o, "id") == "" {
			nameless++
			continue
		}
		spellOut(o)
		l.put(kind, o)
	}
	if nameless > 0 {
		l.leftOut = append(l.leftOut, fmt.Sprintf("%s: %d of the %d %s have no id and are left out: export the metadata with ids", file, nameless, len(objs), kind))
	}
	if _, ok := l.objects[kind]; !ok {
		l.objects[kind] = []object{}
	}
	if !slices.Contains(l.kinds, kind) {
		l.kinds = append(l.kinds, kind)
	}
	return nil
}

// put adds an object. Where an earlier file holds it, what this one tells counts.
func (l *loader) put(kind string, o object) {
	uid := str(o, "id")
	if old, ok := l.byID[uid]; ok && old.kind == kind && !l.own[uid] {
		for k, v := range o {
			old.obj[k] = v
		}
	}
	l.own[uid] = true
	l.add(kind, o)
}

// references are lists that a snapshot may shorten to uids.
var references = []string{"organisationUnits", "categoryOptions", "categories", "options", "userRoles", "userGroups", "users"}

// spellOut writes shortened references as DHIS2 does: {"id": …}.
func spellOut(o object) {
	for _, name := range references {
		items, _ := o[name].([]any)
		for i, it := range items {
			if uid, ok := it.(string); ok {
				items[i] = object{"id": uid}
			}
		}
	}
}

func (c *catalog) add(kind string, o object) {
	uid := str(o, "id")
	if old, ok := c.byID[uid]; ok && old.kind == kind {
		for k, v := range o { // the same object told twice: what is new is added
			if _, has := old.obj[k]; !has {
				old.obj[k] = v
			}
		}
		return
	}
	if _, ok := o["created"]; !ok {
		o["created"] = c.loaded.UTC().Format(stampFormat)
	}
	if _, ok := o["lastUpdated"]; !ok {
		o["lastUpdated"] = c.loaded.UTC().Format(stampFormat)
	}
	c.objects[kind] = append(c.objects[kind], o)
	c.byID[uid] = entry{kind, o}
	if !slices.Contains(c.kinds, kind) {
		c.kinds = append(c.kinds, kind)
	}
}

// nested are the properties in which an object may hold others whole, with the collection these belong to and the property that points back.
var nested = []struct{ kind, property, child, back string }{
	{kindProgram, "programStages", kindStage, "program"},
	{kindOptionSet, "options", kindOption, "optionSet"},
	{kindCombo, "categoryOptionCombos", kindOptionCombo, "categoryCombo"},
	{kindCategory, "categoryOptions", kindCategoryOption, ""},
	{kindRule, "programRuleActions", kindRuleAction, "programRule"},
	{kindProgram, "programRuleVariables", kindRuleVariable, "program"},
}

// harvest gives objects that are told inside others a collection of their own, and points both ways.
func (c *catalog) harvest() {
	for _, n := range nested {
		for _, parent := range c.objects[n.kind] {
			items, _ := parent[n.property].([]any)
			for _, it := range items {
				child, ok := it.(object)
				if !ok || str(child, "id") == "" {
					continue
				}
				if len(child) > 1 {
					c.add(n.child, child)
				}
				if e, known := c.byID[str(child, "id")]; known && n.back != "" && ref(e.obj, n.back) == "" {
					e.obj[n.back] = object{"id": str(parent, "id")}
				}
			}
		}
	}
	c.linkBack(kindStage, "program", kindProgram, "programStages")
	c.linkBack(kindOption, "optionSet", kindOptionSet, "options")
	c.linkBack(kindRuleAction, "programRule", kindRule, "programRuleActions")
}

// linkBack fills the lists of parents from what their children point to, for those that an export does not list.
func (c *catalog) linkBack(childKind, property, parentKind, listName string) {
	for _, child := range c.objects[childKind] {
		e, ok := c.byID[ref(child, property)]
		if !ok || e.kind != parentKind || slices.Contains(refs(e.obj, listName), str(child, "id")) {
			continue
		}
		items, _ := e.obj[listName].([]any)
		e.obj[listName] = append(items, object{"id": str(child, "id")})
	}
}

// addDefaults puts in place what every server has: the default category objects and the superuser.
func (c *catalog) addDefaults() {
	id := func(s string) object { return object{"id": s} }
	data := object{"public": "rwrw----", "external": false, "users": object{}, "userGroups": object{}}
	for _, d := range []struct {
		kind string
		obj  object
	}{
		{kindCategoryOption, object{"id": defaultCategoryOption, "name": "default", "code": "default", "shortName": "default", "sharing": data}},
		{kindCategory, object{"id": defaultCategory, "name": "default", "code": "default", "shortName": "default",
			"dataDimensionType": "DISAGGREGATION", "dataDimension": false, "categoryOptions": []any{id(defaultCategoryOption)}}},
		{kindCombo, object{"id": defaultCombo, "name": "default", "code": "default", "dataDimensionType": "DISAGGREGATION", "isDefault": true,
			"skipTotal": false, "categories": []any{id(defaultCategory)}}},
		{kindOptionCombo, object{"id": defaultOptionCombo, "name": "default", "code": "default", "categoryCombo": id(defaultCombo),
			"categoryOptions": []any{id(defaultCategoryOption)}}},
	} {
		if _, ok := c.byID[str(d.obj, "id")]; !ok {
			c.add(d.kind, d.obj)
		}
	}
	for _, kind := range []string{kindUser, kindRole, kindGroup, kindRule, kindRuleVariable, kindConstant, kindUnitGroup} {
		if _, ok := c.objects[kind]; !ok {
			c.objects[kind] = []object{}
			c.kinds = append(c.kinds, kind)
		}
	}
	for _, u := range c.objects[kindUser] {
		if str(u, "username") == adminName {
			return
		}
	}
	roots := []any{}
	for _, o := range c.objects[kindOrgUnit] {
		if ref(o, "parent") == "" {
			roots = append(roots, id(str(o, "id")))
		}
	}
	c.add(kindUser, object{"id": adminID, "username": adminName, "firstName": "admin", "surname": "admin", "name": "admin admin",
		"organisationUnits": roots, "dataViewOrganisationUnits": roots, "teiSearchOrganisationUnits": roots, "userRoles": []any{id(superRole)}})
	if _, ok := c.byID[superRole]; !ok {
		c.add(kindRole, object{"id": superRole, "name": "Superuser", "code": "Superuser", "authorities": []any{"ALL"}})
	}
}

// number reads a numeric property, whether it was written as a number or as text.
func number(o object, name string) float64 {
	switch v := o[name].(type) {
	case json.Number:
		f, _ := v.Float64()
		return f
	case float64:
		return v
	case int:
		return float64(v)
	case string:
		f, _ := strconv.ParseFloat(v, 64)
		return f
	}
	return 0
}
