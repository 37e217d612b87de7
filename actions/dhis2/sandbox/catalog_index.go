package sandbox

import (
	"sort"
	"strings"
)

// index builds what validation asks from the objects as they are shown.
func (c *catalog) index() {
	c.indexOrgUnits()
	c.indexValues()
	c.indexCategories()
	c.indexPrograms()
	c.indexDataSets()
	c.indexUsers()
	c.indexIdentifiers()
}

func (c *catalog) indexOrgUnits() {
	c.orgUnits = make(map[string]*orgUnit, len(c.objects[kindOrgUnit]))
	for _, o := range c.objects[kindOrgUnit] {
		u := &orgUnit{uid: str(o, "id"), code: str(o, "code"), name: str(o, "name"), parent: ref(o, "parent"),
			opening: day(str(o, "openingDate")), closed: day(str(o, "closedDate"))}
		c.orgUnits[u.uid] = u
	}
	for _, o := range c.objects[kindOrgUnit] {
		u := c.orgUnits[str(o, "id")]
		if p, ok := c.orgUnits[u.parent]; ok {
			p.children = append(p.children, u)
		} else {
			c.roots = append(c.roots, u)
		}
	}
	var walk func(u *orgUnit, path string, level int)
	walk = func(u *orgUnit, path string, level int) {
		u.path, u.level = path+"/"+u.uid, level
		for _, child := range u.children {
			walk(child, u.path, level+1)
		}
	}
	for _, r := range c.roots {
		walk(r, "", 1)
	}
	for _, u := range c.orgUnits {
		if u.path == "" { // part of a circle: it stands alone
			u.path, u.level = "/"+u.uid, 1
		}
	}
}

func parseSharing(o object) sharing {
	s := sharing{public: "rwrw----", users: map[string]string{}, groups: map[string]string{}}
	if p := str(o, "publicAccess"); p != "" {
		s.public = p
	}
	sh, ok := o["sharing"].(object)
	if !ok {
		return s
	}
	s.public, s.owner = str(sh, "public"), str(sh, "owner")
	for name, into := range map[string]map[string]string{"users": s.users, "userGroups": s.groups} {
		m, _ := sh[name].(object)
		for uid, v := range m {
			if a, ok := v.(object); ok {
				into[uid] = str(a, "access")
			}
		}
	}
	return s
}

func (c *catalog) indexValues() {
	c.optionSets = map[string]*optionSet{}
	for _, o := range c.objects[kindOptionSet] {
		s := &optionSet{uid: str(o, "id"), valueType: str(o, "valueType"), codes: map[string]bool{}, lowered: map[string]bool{}, nameOf: map[string]string{}}
		s.multi = s.valueType == "MULTI_TEXT"
		for _, id := range refs(o, "options") {
			opt := c.byID[id].obj
			code := str(opt, "code")
			s.codes[code], s.lowered[strings.ToLower(code)], s.nameOf[code] = true, true, str(opt, "name")
		}
		c.optionSets[s.uid] = s
	}
	c.attributes = map[string]*attribute{}
	for _, o := range c.objects[kindAttribute] {
		a := &attribute{uid: str(o, "id"), code: str(o, "code"), name: str(o, "name"), valueType: str(o, "valueType"), unique: boolean(o, "unique"),
			orgUnitScope: boolean(o, "orgunitScope"), generated: boolean(o, "generated"), confidential: boolean(o, "confidential"),
			pattern: str(o, "pattern"), optionSet: ref(o, "optionSet")}
		c.attributes[a.uid] = a
	}
	c.dataElements = map[string]*dataElement{}
	for _, o := range c.objects[kindDataElement] {
		e := &dataElement{uid: str(o, "id"), code: str(o, "code"), name: str(o, "name"), valueType: str(o, "valueType"), combo: ref(o, "categoryCombo"),
			optionSet: ref(o, "optionSet"), commentSet: ref(o, "commentOptionSet"), aggregation: str(o, "aggregationType"),
			zeroIsSignificant: boolean(o, "zeroIsSignificant")}
		if e.combo == "" {
			e.combo = defaultCombo
		}
		c.dataElements[e.uid] = e
	}
	c.types = map[string]*entityType{}
	for _, o := range c.objects[kindTEType] {
		t := &entityType{uid: str(o, "id"), name: str(o, "name"), featureType: str(o, "featureType"), sharing: parseSharing(o), has: map[string]bool{},
			minSearch: int(number(o, "minAttributesRequiredToSearch"))}
		for _, a := range list(o, "trackedEntityTypeAttributes") {
			pa := programAttribute{ref(a, "trackedEntityAttribute"), boolean(a, "mandatory"), boolean(a, "searchable")}
			t.attributes = append(t.attributes, pa)
			t.has[pa.attribute] = true
			if pa.mandatory {
				t.mandatory = append(t.mandatory, pa.attribute)
			}
		}
		c.types[t.uid] = t
	}
}

func (c *catalog) indexCategories() {
	c.catOptions = map[string]*categoryOption{}
	for _, o := range c.objects[kindCategoryOption] {
		co := &categoryOption{uid: str(o, "id"), code: str(o, "code"), name: str(o, "name"), start: day(str(o, "startDate")), end: day(str(o, "endDate")),
			orgUnits: refs(o, "organisationUnits"), sharing: parseSharing(o)}
		c.catOptions[co.uid] = co
	}
	c.optionCombos = map[string]*optionCombo{}
	c.combosOf = map[string][]*optionCombo{}
	for _, o := range c.objects[kindOptionCombo] {
		oc := &optionCombo{uid: str(o, "id"), code: str(o, "code"), name: str(o, "name"), combo: ref(o, "categoryCombo"), options: refs(o, "categoryOptions")}
		c.optionCombos[oc.uid] = oc
		c.combosOf[oc.combo] = append(c.combosOf[oc.combo], oc)
	}
	c.relTypes = map[string]*relationshipType{}
	for _, o := range c.objects[kindRelType] {
		read := func(name string) constraint {
			m, _ := o[name].(object)
			return constraint{str(m, "relationshipEntity"), ref(m, "trackedEntityType"), ref(m, "program"), ref(m, "programStage")}
		}
		t := &relationshipType{uid: str(o, "id"), name: str(o, "name"), bidirectional: boolean(o, "bidirectional"), from: read("fromConstraint"),
			to: read("toConstraint"), sharing: parseSharing(o)}
		c.relTypes[t.uid] = t
	}
}

func (c *catalog) indexPrograms() {
	c.stages = map[string]*stage{}
	for _, o := range c.objects[kindStage] {
		s := &stage{uid: str(o, "id"), name: str(o, "name"), program: ref(o, "program"), repeatable: boolean(o, "repeatable"),
			onUpdate: str(o, "validationStrategy") == "ON_UPDATE_AND_INSERT", featureType: str(o, "featureType"),
			userAssignment: boolean(o, "enableUserAssignment"), blockEntry: boolean(o, "blockEntryForm"), elements: map[string]bool{},
			sharing: parseSharing(o), sortOrder: int(number(o, "sortOrder"))}
		for _, e := range list(o, "programStageDataElements") {
			de := ref(e, "dataElement")
			s.elements[de] = true
			if boolean(e, "compulsory") {
				s.compulsory = append(s.compulsory, de)
			}
		}
		c.stages[s.uid] = s
	}
	c.programs = map[string]*program{}
	for _, o := range c.objects[kindProgram] {
		p := &program{uid: str(o, "id"), name: str(o, "name"), registration: str(o, "programType") == "WITH_REGISTRATION",
			entityType: ref(o, "trackedEntityType"), onlyOnce: boolean(o, "onlyEnrollOnce"), futureEnrollment: boolean(o, "selectEnrollmentDatesInFuture"),
			futureIncident: boolean(o, "selectIncidentDatesInFuture"), incidentDate: o["displayIncidentDate"] == nil || boolean(o, "displayIncidentDate"),
			expiryDays: int(number(o, "expiryDays")), completeExpiry: int(number(o, "completeEventsExpiryDays")),
			expiryPeriodType: str(o, "expiryPeriodType"), accessLevel: str(o, "accessLevel"), featureType: str(o, "featureType"),
			combo: ref(o, "categoryCombo"), orgUnitList: refs(o, "organisationUnits"), sharing: parseSharing(o), attributeOf: map[string]programAttribute{},
			minSearch: int(number(o, "minAttributesRequiredToSearch")), maxHit: int(number(o, "maxTeiCountToReturn"))}
		if p.combo == "" {
			p.combo = defaultCombo
		}
		p.orgUnits = setOf(p.orgUnitList)
		for _, a := range list(o, "programTrackedEntityAttributes") {
			pa := programAttribute{ref(a, "trackedEntityAttribute"), boolean(a, "mandatory"), boolean(a, "searchable")}
			p.attributes = append(p.attributes, pa)
			p.attributeOf[pa.attribute] = pa
			if pa.mandatory {
				p.mandatory = append(p.mandatory, pa.attribute)
			}
		}
		for _, id := range refs(o, "programStages") {
			if s, ok := c.stages[id]; ok {
				s.program = p.uid
				p.stages = append(p.stages, id)
			}
		}
		sort.SliceStable(p.stages, func(i, j int) bool { return c.stages[p.stages[i]].sortOrder < c.stages[p.stages[j]].sortOrder })
		c.programs[p.uid] = p
	}
}

func (c *catalog) indexDataSets() {
	c.dataSets = map[string]*dataSet{}
	c.dataSetsOf = map[string][]*dataSet{}
	for _, o := range c.objects[kindDataSet] {
		d := &dataSet{uid: str(o, "id"), name: str(o, "name"), periodType: str(o, "periodType"), combo: ref(o, "categoryCombo"),
			elements: map[string]string{}, orgUnits: setOf(refs(o, "organisationUnits")), openFuture: int(number(o, "openFuturePeriods")),
			expiryDays: number(o, "expiryDays"), emptyWithComment: boolean(o, "noValueRequiresComment"), sharing: parseSharing(o)}
		if d.combo == "" {
			d.combo = defaultCombo
		}
		for _, e := range list(o, "dataSetElements") {
			de := ref(e, "dataElement")
			combo := ref(e, "categoryCombo")
			if el := c.dataElements[de]; combo == "" && el != nil {
				combo = el.combo
			}
			d.elements[de] = combo
			c.dataSetsOf[de] = append(c.dataSetsOf[de], d)
		}
		c.dataSets[d.uid] = d
	}
}

func (c *catalog) indexUsers() {
	c.users, c.usersByID = map[string]*user{}, map[string]*user{}
	for _, o := range c.objects[kindUser] {
		u := &user{uid: str(o, "id"), username: str(o, "username"), firstName: str(o, "firstName"), surname: str(o, "surname"),
			password: str(o, "password"), authorities: map[string]bool{}, capture: refs(o, "organisationUnits"),
			view: refs(o, "dataViewOrganisationUnits"), search: refs(o, "teiSearchOrganisationUnits"), groups: setOf(refs(o, "userGroups"))}
		if cred, ok := o["userCredentials"].(object); ok && u.username == "" { // exports before 2.38
			u.username, u.password = str(cred, "username"), str(cred, "password")
			o["username"] = u.username
		}
		for _, role := range refs(o, "userRoles") {
			for _, a := range refs(c.byID[role].obj, "authorities") {
				u.authorities[a] = true
			}
		}
		if u.username == adminName {
			u.password = adminPassword
			u.authorities["ALL"] = true
		}
		u.super = u.authorities["ALL"]
		delete(o, "password")
		delete(o, "userCredentials")
		c.users[u.username], c.usersByID[u.uid] = u, u
	}
	for _, g := range c.objects[kindGroup] {
		for _, id := range refs(g, "users") {
			if u, ok := c.usersByID[id]; ok {
				u.groups[str(g, "id")] = true
			}
		}
	}
}
