package metadata

import (
	"encoding/json"
	"net/http"
	"slices"
	"sort"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/fields"
)

// schemas answers /api/schemas and /api/schemas/<name>: the collections that the sandbox has, with
// the properties that their objects tell.
func (c *call) schemas() {
	if !c.Method(http.MethodGet) {
		return
	}
	set, ok := c.Fields("*")
	if !ok {
		return
	}
	kinds := map[string]bool{}
	for kind := range klasses {
		kinds[kind] = true
	}
	for _, kind := range c.Catalog.Kinds {
		kinds[kind] = true
	}
	if len(c.Path) == 1 {
		items := []any{}
		for _, kind := range keysInOrder(kinds) {
			items = append(items, fields.Project(c.schema(kind), set, fields.Plain{}))
		}
		c.JSON(http.StatusOK, object{"schemas": items})
		return
	}
	for kind := range kinds {
		if name := schemaName(kind); len(c.Path) == 2 && (name == c.At(1) || kind == c.At(1)) {
			c.JSON(http.StatusOK, fields.Project(c.schema(kind), set, fields.Plain{}))
			return
		}
	}
	c.Fail(http.StatusNotFound, "E1005", "Type "+c.At(1)+" does not exist.")
}

// schemaName is what DHIS2 calls the type of a collection: organisationUnit.
func schemaName(kind string) string {
	name := singular(kind)
	return strings.ToLower(name[:1]) + name[1:]
}

func (c *call) schema(kind string) object {
	name := schemaName(kind)
	_, held := c.Catalog.Objects[kind]
	return object{"klass": klass(kind), "name": name, "displayName": spaced(singular(kind)), "singular": name,
		"plural": kind, "collectionName": kind,
		"relativeApiEndpoint": "/" + kind, "apiEndpoint": c.Base() + "/api/" + kind,
		"href": c.Base() + "/api/schemas/" + name, "metadata": true,
		"identifiableObject": true, "nameableObject": shortNamed[kind], "shareable": held, "persisted": true,
		"translatable": true,
		"properties":   c.schemaProperties(kind)}
}

// spaced writes a name in words: Organisation Unit.
func spaced(name string) string {
	var b strings.Builder
	for i, r := range name {
		if i > 0 && r >= 'A' && r <= 'Z' {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// schemaProperties are those that DHIS2 gives every object, those that the sandbox derives, and
// those that the metadata tells.
func (c *call) schemaProperties(kind string) []any {
	types := map[string]string{"id": "IDENTIFIER", "code": "IDENTIFIER", "name": "TEXT", "displayName": "TEXT",
		"created": "DATE", "lastUpdated": "DATE", "href": "URL",
		"sharing": "COMPLEX", "access": "COMPLEX", "attributeValues": "COLLECTION", "translations": "COLLECTION",
		"createdBy": "REFERENCE", "lastUpdatedBy": "REFERENCE"}
	note := func(name string, v any) {
		if _, ok := types[name]; !ok {
			types[name] = propertyType(v)
		}
	}
	for name, v := range absent[kind] {
		note(name, v)
	}
	for _, o := range c.Catalog.Objects[kind] {
		for name, v := range o {
			note(name, v)
		}
	}
	for _, name := range derived[kind] {
		note(name, "")
	}
	names := make([]string, 0, len(types))
	for name := range types {
		names = append(names, name)
	}
	sort.Strings(names)
	required := catalog.SetOf([]string{"name", "shortName", "openingDate"})
	out := make([]any, 0, len(names))
	for _, name := range names {
		p := object{"name": name, "fieldName": name, "propertyType": types[name], "collection": types[name] == "COLLECTION",
			"readable": true, "persisted": true,
			"required": required[name] && (name == "name" || shortNamed[kind]),
			"simple":   !slices.Contains([]string{"COMPLEX", "COLLECTION", "REFERENCE"}, types[name])}
		if types[name] == "COLLECTION" {
			p["collectionName"], p["name"] = name, strings.TrimSuffix(name, "s")
		}
		out = append(out, p)
	}
	return out
}

func propertyType(v any) string {
	switch x := v.(type) {
	case bool:
		return "BOOLEAN"
	case json.Number, int, float64:
		return "NUMBER"
	case []any:
		return "COLLECTION"
	case object:
		if _, ok := x["id"]; ok {
			return "REFERENCE"
		}
		return "COMPLEX"
	}
	return "TEXT"
}
