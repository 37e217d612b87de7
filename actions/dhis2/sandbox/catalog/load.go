package catalog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/culvert/culvert/actions/dhis2/sandbox/dates"
)

// Load reads metadata exports (JSON files) and snapshot directories (one file a collection). Of an
// object that several hold the later one's properties count, as when one is imported after the
// other.
func Load(paths []string, now time.Time, log *slog.Logger) (*Catalog, error) {
	c := &Catalog{Objects: map[string][]object{}, ByID: map[string]Entry{}, Loaded: now}
	l := &loader{Catalog: c}
	for _, path := range paths {
		if err := l.read(path); err != nil {
			return nil, err
		}
	}
	if len(c.ByID) == 0 {
		return nil, fmt.Errorf("sandbox: %s holds no metadata, so it is not a metadata export of DHIS2: export it with "+
			"/api/metadata, or run a sync",
			strings.Join(paths, ", "))
	}
	for _, sentence := range l.leftOut {
		log.Warn(sentence)
	}
	if len(c.Objects[KindOrgUnit]) == 0 {
		c.layCountry()
		log.Info("the metadata holds no org units: an invented country is laid under it", "orgUnits",
			len(c.Objects[KindOrgUnit]))
	}
	c.assignUnits(l.unassigned)
	c.harvest()
	c.addDefaults()
	c.index()
	return c, nil
}

// loader reads files into a catalog one after the other.
type loader struct {
	*Catalog
	own        map[string]bool // uids that the file being read has told
	leftOut    []string        // sentences
	unassigned []object        // programs and data sets of exports that say nothing of org units
}

func (l *loader) read(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("sandbox: there is no metadata at %s: give a DHIS2 metadata export (a JSON file) or the folder "+
				"of a snapshot", path)
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
	for _, kind := range []string{KindProgram, KindDataSet} {
		for _, o := range l.Objects[kind] {
			if _, told := o["organisationUnits"]; !told && l.own[Str(o, "id")] {
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
		return fmt.Errorf("sandbox: %s is not a metadata export: %w; export it anew with /api/metadata",
			place(path, data, err), err)
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
var collectionNames = map[string]string{"orgUnits": KindOrgUnit, "orgUnitLevels": "organisationUnitLevels"}

func (l *loader) addCollection(kind string, raw []byte, file string) error {
	if name, ok := collectionNames[kind]; ok {
		kind = name
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var objs []object
	if err := d.Decode(&objs); err != nil {
		return fmt.Errorf("sandbox: %s: %s is not a list of objects: %w; export the metadata anew", place(file, raw, err),
			kind, err)
	}
	nameless := 0
	for _, o := range objs {
		if Str(o, "id") == "" && Str(o, "uid") != "" {
			o["id"] = Str(o, "uid")
		}
		if Str(o, "id") == "" {
			nameless++
			continue
		}
		SpellOut(o)
		l.put(kind, o)
	}
	if nameless > 0 {
		l.leftOut = append(l.leftOut,
			fmt.Sprintf("%s: %d of the %d %s have no id and are left out: export the metadata with ids", file, nameless,
				len(objs), kind))
	}
	if _, ok := l.Objects[kind]; !ok {
		l.Objects[kind] = []object{}
	}
	if !slices.Contains(l.Kinds, kind) {
		l.Kinds = append(l.Kinds, kind)
	}
	return nil
}

// put adds an object. Where an earlier file holds it, what this one tells counts.
func (l *loader) put(kind string, o object) {
	uid := Str(o, "id")
	if old, ok := l.ByID[uid]; ok && old.Kind == kind && !l.own[uid] {
		for k, v := range o {
			old.Obj[k] = v
		}
	}
	l.own[uid] = true
	l.add(kind, o)
}

// references are lists that a snapshot may shorten to uids.
var references = []string{"organisationUnits", "categoryOptions", "categories", "options", "userRoles", "userGroups",
	"users"}

// SpellOut writes what a snapshot shortens as DHIS2 does: references {"id": …}, and names in other
// languages a list.
func SpellOut(o object) {
	if names, ok := o["translations"].(object); ok {
		list := make([]any, 0, len(names))
		for _, locale := range slices.Sorted(maps.Keys(names)) {
			list = append(list, object{"property": "NAME", "locale": locale, "value": names[locale]})
		}
		o["translations"] = list
	}
	stages, _ := o["programStages"].([]any)
	for _, stage := range stages {
		if stage, ok := stage.(object); ok {
			SpellOut(stage)
		}
	}
	for _, name := range references {
		items, _ := o[name].([]any)
		for i, it := range items {
			if uid, ok := it.(string); ok {
				items[i] = object{"id": uid}
			}
		}
	}
}

func (c *Catalog) add(kind string, o object) {
	uid := Str(o, "id")
	if old, ok := c.ByID[uid]; ok && old.Kind == kind {
		for k, v := range o { // the same object told twice: what is new is added
			if _, has := old.Obj[k]; !has {
				old.Obj[k] = v
			}
		}
		return
	}
	if _, ok := o["created"]; !ok {
		o["created"] = c.Loaded.UTC().Format(dates.Format)
	}
	if _, ok := o["lastUpdated"]; !ok {
		o["lastUpdated"] = c.Loaded.UTC().Format(dates.Format)
	}
	c.Objects[kind] = append(c.Objects[kind], o)
	c.ByID[uid] = Entry{kind, o}
	if !slices.Contains(c.Kinds, kind) {
		c.Kinds = append(c.Kinds, kind)
	}
}

// nested are the properties in which an object may hold others whole, with the collection these
// belong to and the property that points back.
var nested = []struct{ kind, property, child, back string }{
	{KindProgram, "programStages", KindStage, "program"},
	{KindOptionSet, "options", KindOption, "optionSet"},
	{KindCombo, "categoryOptionCombos", KindOptionCombo, "categoryCombo"},
	{KindCategory, "categoryOptions", KindCategoryOption, ""},
	{KindRule, "programRuleActions", KindRuleAction, "programRule"},
	{KindProgram, "programRuleVariables", KindRuleVariable, "program"},
}

// harvest gives objects that are told inside others a collection of their own, and points both ways.
func (c *Catalog) harvest() {
	for _, n := range nested {
		for _, parent := range c.Objects[n.kind] {
			items, _ := parent[n.property].([]any)
			for _, it := range items {
				child, ok := it.(object)
				if !ok || Str(child, "id") == "" {
					continue
				}
				if len(child) > 1 {
					c.add(n.child, child)
				}
				if e, known := c.ByID[Str(child, "id")]; known && n.back != "" && Ref(e.Obj, n.back) == "" {
					e.Obj[n.back] = object{"id": Str(parent, "id")}
				}
			}
		}
	}
	c.linkBack(KindStage, "program", KindProgram, "programStages")
	c.linkBack(KindOption, "optionSet", KindOptionSet, "options")
	c.linkBack(KindRuleAction, "programRule", KindRule, "programRuleActions")
}

// linkBack fills the lists of parents from what their children point to, for those that an export does not list.
func (c *Catalog) linkBack(childKind, property, parentKind, listName string) {
	for _, child := range c.Objects[childKind] {
		e, ok := c.ByID[Ref(child, property)]
		if !ok || e.Kind != parentKind || slices.Contains(Refs(e.Obj, listName), Str(child, "id")) {
			continue
		}
		items, _ := e.Obj[listName].([]any)
		e.Obj[listName] = append(items, object{"id": Str(child, "id")})
	}
}

// addDefaults puts in place what every server has: the default category objects and the superuser.
func (c *Catalog) addDefaults() {
	id := func(s string) object { return object{"id": s} }
	data := object{"public": "rwrw----", "external": false, "users": object{}, "userGroups": object{}}
	for _, d := range []struct {
		kind string
		obj  object
	}{
		{KindCategoryOption, object{"id": DefaultCategoryOption, "name": "default", "code": "default",
			"shortName": "default", "sharing": data}},
		{KindCategory, object{"id": DefaultCategory, "name": "default", "code": "default", "shortName": "default",
			"dataDimensionType": "DISAGGREGATION", "dataDimension": false, "categoryOptions": []any{id(DefaultCategoryOption)}}},
		{KindCombo, object{"id": DefaultCombo, "name": "default", "code": "default", "dataDimensionType": "DISAGGREGATION",
			"isDefault": true,
			"skipTotal": false, "categories": []any{id(DefaultCategory)}}},
		{KindOptionCombo, object{"id": DefaultOptionCombo, "name": "default", "code": "default",
			"categoryCombo":   id(DefaultCombo),
			"categoryOptions": []any{id(DefaultCategoryOption)}}},
	} {
		if _, ok := c.ByID[Str(d.obj, "id")]; !ok {
			c.add(d.kind, d.obj)
		}
	}
	for _, kind := range []string{KindUser, KindRole, KindGroup, KindRule, KindRuleVariable, KindConstant, KindUnitGroup} {
		if _, ok := c.Objects[kind]; !ok {
			c.Objects[kind] = []object{}
			c.Kinds = append(c.Kinds, kind)
		}
	}
	for _, u := range c.Objects[KindUser] {
		if Str(u, "username") == AdminName {
			return
		}
	}
	roots := []any{}
	for _, o := range c.Objects[KindOrgUnit] {
		if Ref(o, "parent") == "" {
			roots = append(roots, id(Str(o, "id")))
		}
	}
	c.add(KindUser, object{"id": adminID, "username": AdminName, "firstName": "admin", "surname": "admin",
		"name":              "admin admin",
		"organisationUnits": roots, "dataViewOrganisationUnits": roots, "teiSearchOrganisationUnits": roots,
		"userRoles": []any{id(superRole)}})
	if _, ok := c.ByID[superRole]; !ok {
		c.add(KindRole, object{"id": superRole, "name": "Superuser", "code": "Superuser", "authorities": []any{"ALL"}})
	}
}

// Number reads a numeric property, whether it was written as a number or as text.
func Number(o object, name string) float64 {
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
