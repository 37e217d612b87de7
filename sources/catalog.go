package sources

import (
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/expression"
)

// Thing is an object of a server's synced metadata.
type Thing struct {
	ID, Code, Name string
	ValueType      string   // of data elements and attributes
	Parts          []string // uids: a program's stages, a stage's data elements, a data set's
	Attributes     []string // uids: of a program and its tracked entity type
}

// Collections of a Catalog.
const (
	Programs     = "programs"
	Stages       = "programStages"
	DataSets     = "dataSets"
	DataElements = "dataElements"
	Attributes   = "trackedEntityAttributes"
	OrgUnits     = "organisationUnits"
	OptionCombos = "categoryOptionCombos"
)

// Catalog is the synced metadata of one server.
type Catalog interface {
	// Find finds an object by name, code or uid, a stage among those of a program; nil with the names
	// that were probably meant where there is none, or several.
	Find(collection, ref, program string) (t *Thing, near []string)
	// Children lists the uids of the org units right below one.
	Children(orgUnit string) []string
	// ByID gives an object by its uid, nil when there is none.
	ByID(collection, id string) *Thing
}

// Catalogued is a Kind whose triggers name objects of a server's metadata, and whose records are made of them.
type Catalogued interface {
	Kind
	// ServerOf gives the server that a trigger reads: the one that it names, or home, which is the rule's own.
	ServerOf(t *rules.Trigger, home string) string
	// CheckNames reports names that the server has not.
	CheckNames(t *rules.Trigger, c Catalog, report func(diag.Diagnostic))
	// Shape is what is known of a record; nil when that is nothing.
	Shape(t *rules.Trigger, c Catalog) *expression.Shape
}
