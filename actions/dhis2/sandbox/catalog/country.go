package catalog

// laidUnits is the country that is laid under metadata without org units, such as a package that is
// to be installed anywhere.
var laidUnits = []struct{ uid, code, name, parent string }{
	{"cuLvRtCntry", "COUNTRY", "Country", ""},
	{"cuLvRtNorth", "NORTH", "North District", "cuLvRtCntry"},
	{"cuLvRtSouth", "SOUTH", "South District", "cuLvRtCntry"},
	{"cuLvRtNHosp", "NORTH_HOSPITAL", "North Hospital", "cuLvRtNorth"},
	{"cuLvRtNCent", "NORTH_HEALTH_CENTRE", "North Health Centre", "cuLvRtNorth"},
	{"cuLvRtSHosp", "SOUTH_HOSPITAL", "South Hospital", "cuLvRtSouth"},
	{"cuLvRtSCent", "SOUTH_HEALTH_CENTRE", "South Health Centre", "cuLvRtSouth"},
}

// laidLevels are the names of its levels.
var laidLevels = []struct{ uid, name string }{{"cuLvRtLvl01", "Country"}, {"cuLvRtLvl02", "District"},
	{"cuLvRtLvl03", "Facility"}}

func (c *Catalog) layCountry() {
	for _, u := range laidUnits {
		o := object{"id": u.uid, "code": u.code, "name": u.name, "shortName": u.name,
			"openingDate": "2000-01-01T00:00:00.000"}
		if u.parent != "" {
			o["parent"] = object{"id": u.parent}
		}
		c.add(KindOrgUnit, o)
	}
	if len(c.Objects[kindUnitLevel]) > 0 {
		return
	}
	for i, l := range laidLevels {
		c.add(kindUnitLevel, object{"id": l.uid, "name": l.name, "level": i + 1})
	}
}

// assignUnits gives the programs and data sets of a package to every org unit: until somebody does
// that, nothing can be imported for them.
func (c *Catalog) assignUnits(unassigned []object) {
	for _, o := range unassigned {
		units := make([]any, 0, len(c.Objects[KindOrgUnit]))
		for _, u := range c.Objects[KindOrgUnit] {
			units = append(units, object{"id": Str(u, "id")})
		}
		o["organisationUnits"] = units
	}
}
