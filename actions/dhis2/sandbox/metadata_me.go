package sandbox

import (
	"net/http"
	"strings"
)

// me answers /api/me: the user, with what it may do.
func (c *metadataCall) me() {
	if !c.method(http.MethodGet) {
		return
	}
	cat := c.catalog
	e := cat.byID[c.user.uid]
	me := object{}
	for k, v := range e.obj {
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
	for _, o := range cat.objects[kindProgram] {
		if cat.programs[str(o, "id")].sharing.dataRead(c.user) {
			programs = append(programs, str(o, "id"))
		}
	}
	for _, o := range cat.objects[kindDataSet] {
		if cat.dataSets[str(o, "id")].sharing.dataWrite(c.user) {
			dataSets = append(dataSets, str(o, "id"))
		}
	}
	me["username"], me["authorities"], me["programs"], me["dataSets"] = c.user.username, c.authorityNames(), programs, dataSets
	me["organisationUnits"], me["dataViewOrganisationUnits"], me["teiSearchOrganisationUnits"] = idsOf(c.user.capture), idsOf(c.user.view), idsOf(c.user.search)
	me["name"] = strings.TrimSpace(c.user.firstName + " " + c.user.surname)
	me["displayName"] = me["name"]
	set, ok := c.fields("*")
	if !ok {
		return
	}
	c.json(http.StatusOK, project(me, set, meSource{c.view()}))
}

// meSource gives the user's own properties as they are, and those of what it points to from the metadata.
type meSource struct{ metadataView }

func (s meSource) property(o object, name string) (any, bool) {
	if v, ok := o[name]; ok && v != nil {
		return v, true
	}
	return s.metadataView.property(o, name)
}

func (s meSource) names(o object, preset string) []string {
	if _, ok := o["authorities"]; ok {
		return plainSource{}.names(o, preset)
	}
	return s.metadataView.names(o, preset)
}
