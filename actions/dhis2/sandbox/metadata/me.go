package metadata

import (
	"net/http"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/fields"
)

// me answers /api/me: the user, with what it may do.
func (c *call) me() {
	if !c.Method(http.MethodGet) {
		return
	}
	cat := c.Catalog
	e := cat.ByID[c.User.UID]
	me := object{}
	for k, v := range e.Obj {
		me[k] = v
	}
	idsOf := func(items []string) []any {
		out := []any{}
		for _, id := range items {
			out = append(out, object{"id": id})
		}
		return out
	}
	programs, dataSets := []any{}, []any{}
	for _, o := range cat.Objects[catalog.KindProgram] {
		if cat.Programs[catalog.Str(o, "id")].Sharing.DataRead(c.User) {
			programs = append(programs, catalog.Str(o, "id"))
		}
	}
	for _, o := range cat.Objects[catalog.KindDataSet] {
		if cat.DataSets[catalog.Str(o, "id")].Sharing.DataWrite(c.User) {
			dataSets = append(dataSets, catalog.Str(o, "id"))
		}
	}
	me["username"], me["authorities"], me["programs"], me["dataSets"] = c.User.Username, c.AuthorityNames(), programs,
		dataSets
	me["organisationUnits"], me["dataViewOrganisationUnits"], me["teiSearchOrganisationUnits"] = idsOf(c.User.Capture),
		idsOf(c.User.View), idsOf(c.User.Search)
	me["name"] = strings.TrimSpace(c.User.FirstName + " " + c.User.Surname)
	me["displayName"] = me["name"]
	set, ok := c.Fields("*")
	if !ok {
		return
	}
	c.JSON(http.StatusOK, fields.Project(me, set, meSource{c.view()}))
}

// meSource gives the user's own properties as they are, and those of what it points to from the metadata.
type meSource struct{ metadataView }

func (s meSource) Property(o object, name string) (any, bool) {
	if v, ok := o[name]; ok && v != nil {
		return v, true
	}
	return s.metadataView.Property(o, name)
}

func (s meSource) Names(o object, preset string) []string {
	if _, ok := o["authorities"]; ok {
		return fields.Plain{}.Names(o, preset)
	}
	return s.metadataView.Names(o, preset)
}
