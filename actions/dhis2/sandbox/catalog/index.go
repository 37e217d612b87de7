package catalog

import (
	"sort"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/sandbox/dates"
)

// index builds what validation asks from the objects as they are shown.
func (c *Catalog) index() {
	c.indexOrgUnits()
	c.indexValues()
	c.indexCategories()
	c.indexPrograms()
	c.indexDataSets()
	c.indexUsers()
	c.indexIdentifiers()
}

func (c *Catalog) indexOrgUnits() {
	c.OrgUnits = make(map[string]*OrgUnit, len(c.Objects[KindOrgUnit]))
	for _, o := range c.Objects[KindOrgUnit] {
		u := &OrgUnit{UID: Str(o, "id"), Code: Str(o, "code"), Name: Str(o, "name"), Parent: Ref(o, "parent"),
			Opening: dates.Day(Str(o, "openingDate")), Closed: dates.Day(Str(o, "closedDate"))}
		c.OrgUnits[u.UID] = u
	}
	for _, o := range c.Objects[KindOrgUnit] {
		u := c.OrgUnits[Str(o, "id")]
		if p, ok := c.OrgUnits[u.Parent]; ok {
			p.Children = append(p.Children, u)
		} else {
			c.roots = append(c.roots, u)
		}
	}
	var walk func(u *OrgUnit, path string, level int)
	walk = func(u *OrgUnit, path string, level int) {
		u.Path, u.Level = path+"/"+u.UID, level
		for _, child := range u.Children {
			walk(child, u.Path, level+1)
		}
	}
	for _, r := range c.roots {
		walk(r, "", 1)
	}
	for _, u := range c.OrgUnits {
		if u.Path == "" { // part of a circle: it stands alone
			u.Path, u.Level = "/"+u.UID, 1
		}
	}
}

func ParseSharing(o object) Sharing {
	s := Sharing{Public: "rwrw----", Users: map[string]string{}, Groups: map[string]string{}}
	if p := Str(o, "publicAccess"); p != "" {
		s.Public = p
	}
	sh, ok := o["sharing"].(object)
	if !ok {
		return s
	}
	s.Public, s.Owner = Str(sh, "public"), Str(sh, "owner")
	for name, into := range map[string]map[string]string{"users": s.Users, "userGroups": s.Groups} {
		m, _ := sh[name].(object)
		for uid, v := range m {
			if a, ok := v.(object); ok {
				into[uid] = Str(a, "access")
			}
		}
	}
	return s
}

func (c *Catalog) indexValues() {
	c.OptionSets = map[string]*OptionSet{}
	for _, o := range c.Objects[KindOptionSet] {
		s := &OptionSet{UID: Str(o, "id"), ValueType: Str(o, "valueType"), Codes: map[string]bool{},
			Lowered: map[string]bool{}, NameOf: map[string]string{}}
		s.Multi = s.ValueType == "MULTI_TEXT"
		for _, id := range Refs(o, "options") {
			opt := c.ByID[id].Obj
			code := Str(opt, "code")
			s.Codes[code], s.Lowered[strings.ToLower(code)], s.NameOf[code] = true, true, Str(opt, "name")
		}
		c.OptionSets[s.UID] = s
	}
	c.Attributes = map[string]*Attribute{}
	for _, o := range c.Objects[KindAttribute] {
		a := &Attribute{UID: Str(o, "id"), Code: Str(o, "code"), Name: Str(o, "name"), ValueType: Str(o, "valueType"),
			Unique:       Boolean(o, "unique"),
			OrgUnitScope: Boolean(o, "orgunitScope"), Generated: Boolean(o, "generated"),
			Confidential: Boolean(o, "confidential"),
			Pattern:      Str(o, "pattern"), OptionSet: Ref(o, "optionSet")}
		c.Attributes[a.UID] = a
	}
	c.DataElements = map[string]*DataElement{}
	for _, o := range c.Objects[KindDataElement] {
		e := &DataElement{UID: Str(o, "id"), Code: Str(o, "code"), Name: Str(o, "name"), ValueType: Str(o, "valueType"),
			Combo:     Ref(o, "categoryCombo"),
			OptionSet: Ref(o, "optionSet"), CommentSet: Ref(o, "commentOptionSet"), Aggregation: Str(o, "aggregationType"),
			ZeroIsSignificant: Boolean(o, "zeroIsSignificant")}
		if e.Combo == "" {
			e.Combo = DefaultCombo
		}
		c.DataElements[e.UID] = e
	}
	c.Types = map[string]*EntityType{}
	for _, o := range c.Objects[KindTEType] {
		t := &EntityType{UID: Str(o, "id"), Name: Str(o, "name"), FeatureType: Str(o, "featureType"),
			Sharing: ParseSharing(o), Has: map[string]bool{},
			MinSearch: int(Number(o, "minAttributesRequiredToSearch"))}
		for _, a := range List(o, "trackedEntityTypeAttributes") {
			pa := ProgramAttribute{Ref(a, "trackedEntityAttribute"), Boolean(a, "mandatory"), Boolean(a, "searchable")}
			t.Attributes = append(t.Attributes, pa)
			t.Has[pa.Attribute] = true
			if pa.Mandatory {
				t.Mandatory = append(t.Mandatory, pa.Attribute)
			}
		}
		c.Types[t.UID] = t
	}
}

func (c *Catalog) indexCategories() {
	c.CatOptions = map[string]*CategoryOption{}
	for _, o := range c.Objects[KindCategoryOption] {
		co := &CategoryOption{UID: Str(o, "id"), Code: Str(o, "code"), Name: Str(o, "name"),
			Start: dates.Day(Str(o, "startDate")), End: dates.Day(Str(o, "endDate")),
			OrgUnits: Refs(o, "organisationUnits"), Sharing: ParseSharing(o)}
		c.CatOptions[co.UID] = co
	}
	c.OptionCombos = map[string]*OptionCombo{}
	c.CombosOf = map[string][]*OptionCombo{}
	for _, o := range c.Objects[KindOptionCombo] {
		oc := &OptionCombo{UID: Str(o, "id"), Code: Str(o, "code"), Name: Str(o, "name"), Combo: Ref(o, "categoryCombo"),
			Options: Refs(o, "categoryOptions")}
		c.OptionCombos[oc.UID] = oc
		c.CombosOf[oc.Combo] = append(c.CombosOf[oc.Combo], oc)
	}
	c.RelTypes = map[string]*RelationshipType{}
	for _, o := range c.Objects[KindRelType] {
		read := func(name string) Constraint {
			m, _ := o[name].(object)
			return Constraint{Str(m, "relationshipEntity"), Ref(m, "trackedEntityType"), Ref(m, "program"),
				Ref(m, "programStage")}
		}
		t := &RelationshipType{UID: Str(o, "id"), Name: Str(o, "name"), Bidirectional: Boolean(o, "bidirectional"),
			From: read("fromConstraint"),
			To:   read("toConstraint"), Sharing: ParseSharing(o)}
		c.RelTypes[t.UID] = t
	}
}

func (c *Catalog) indexPrograms() {
	c.Stages = map[string]*Stage{}
	for _, o := range c.Objects[KindStage] {
		s := &Stage{UID: Str(o, "id"), Name: Str(o, "name"), Program: Ref(o, "program"), Repeatable: Boolean(o, "repeatable"),
			OnUpdate: Str(o, "validationStrategy") == "ON_UPDATE_AND_INSERT", FeatureType: Str(o, "featureType"),
			UserAssignment: Boolean(o, "enableUserAssignment"), BlockEntry: Boolean(o, "blockEntryForm"),
			Elements: map[string]bool{},
			Sharing:  ParseSharing(o), SortOrder: int(Number(o, "sortOrder"))}
		for _, e := range List(o, "programStageDataElements") {
			de := Ref(e, "dataElement")
			s.Elements[de] = true
			if Boolean(e, "compulsory") {
				s.Compulsory = append(s.Compulsory, de)
			}
		}
		c.Stages[s.UID] = s
	}
	c.Programs = map[string]*Program{}
	for _, o := range c.Objects[KindProgram] {
		p := &Program{UID: Str(o, "id"), Name: Str(o, "name"), Registration: Str(o, "programType") == "WITH_REGISTRATION",
			EntityType: Ref(o, "trackedEntityType"), OnlyOnce: Boolean(o, "onlyEnrollOnce"),
			FutureEnrollment: Boolean(o, "selectEnrollmentDatesInFuture"),
			FutureIncident:   Boolean(o, "selectIncidentDatesInFuture"),
			IncidentDate:     o["displayIncidentDate"] == nil || Boolean(o, "displayIncidentDate"),
			ExpiryDays:       int(Number(o, "expiryDays")), CompleteExpiry: int(Number(o, "completeEventsExpiryDays")),
			ExpiryPeriodType: Str(o, "expiryPeriodType"), AccessLevel: Str(o, "accessLevel"), FeatureType: Str(o, "featureType"),
			Combo: Ref(o, "categoryCombo"), OrgUnitList: Refs(o, "organisationUnits"), Sharing: ParseSharing(o),
			AttributeOf: map[string]ProgramAttribute{},
			MinSearch:   int(Number(o, "minAttributesRequiredToSearch")), MaxHit: int(Number(o, "maxTeiCountToReturn"))}
		if p.Combo == "" {
			p.Combo = DefaultCombo
		}
		p.OrgUnits = SetOf(p.OrgUnitList)
		for _, a := range List(o, "programTrackedEntityAttributes") {
			pa := ProgramAttribute{Ref(a, "trackedEntityAttribute"), Boolean(a, "mandatory"), Boolean(a, "searchable")}
			p.Attributes = append(p.Attributes, pa)
			p.AttributeOf[pa.Attribute] = pa
			if pa.Mandatory {
				p.Mandatory = append(p.Mandatory, pa.Attribute)
			}
		}
		for _, id := range Refs(o, "programStages") {
			if s, ok := c.Stages[id]; ok {
				s.Program = p.UID
				p.Stages = append(p.Stages, id)
			}
		}
		sort.SliceStable(p.Stages, func(i,
			j int) bool {
			return c.Stages[p.Stages[i]].SortOrder < c.Stages[p.Stages[j]].SortOrder
		})
		c.Programs[p.UID] = p
	}
}

func (c *Catalog) indexDataSets() {
	c.DataSets = map[string]*DataSet{}
	c.DataSetsOf = map[string][]*DataSet{}
	for _, o := range c.Objects[KindDataSet] {
		d := &DataSet{UID: Str(o, "id"), Name: Str(o, "name"), PeriodType: Str(o, "periodType"),
			Combo:    Ref(o, "categoryCombo"),
			Elements: map[string]string{}, OrgUnits: SetOf(Refs(o, "organisationUnits")),
			OpenFuture: int(Number(o, "openFuturePeriods")),
			ExpiryDays: Number(o, "expiryDays"), EmptyWithComment: Boolean(o, "noValueRequiresComment"),
			Sharing: ParseSharing(o)}
		if d.Combo == "" {
			d.Combo = DefaultCombo
		}
		for _, e := range List(o, "dataSetElements") {
			de := Ref(e, "dataElement")
			combo := Ref(e, "categoryCombo")
			if el := c.DataElements[de]; combo == "" && el != nil {
				combo = el.Combo
			}
			d.Elements[de] = combo
			c.DataSetsOf[de] = append(c.DataSetsOf[de], d)
		}
		c.DataSets[d.UID] = d
	}
}

func (c *Catalog) indexUsers() {
	c.Users, c.UsersByID = map[string]*User{}, map[string]*User{}
	for _, o := range c.Objects[KindUser] {
		u := &User{UID: Str(o, "id"), Username: Str(o, "username"), FirstName: Str(o, "firstName"),
			Surname:  Str(o, "surname"),
			Password: Str(o, "password"), Authorities: map[string]bool{}, Capture: Refs(o, "organisationUnits"),
			View: Refs(o, "dataViewOrganisationUnits"), Search: Refs(o, "teiSearchOrganisationUnits"),
			Groups: SetOf(Refs(o, "userGroups"))}
		if cred, ok := o["userCredentials"].(object); ok && u.Username == "" { // exports before 2.38
			u.Username, u.Password = Str(cred, "username"), Str(cred, "password")
			o["username"] = u.Username
		}
		for _, role := range Refs(o, "userRoles") {
			for _, a := range Refs(c.ByID[role].Obj, "authorities") {
				u.Authorities[a] = true
			}
		}
		if u.Username == AdminName {
			u.Password = adminPassword
			if Str(o, "code") == "" {
				o["code"] = AdminName
			}
			u.Authorities["ALL"] = true
		}
		u.Super = u.Authorities["ALL"]
		delete(o, "password")
		delete(o, "userCredentials")
		c.Users[u.Username], c.UsersByID[u.UID] = u, u
	}
	for _, g := range c.Objects[KindGroup] {
		for _, id := range Refs(g, "users") {
			if u, ok := c.UsersByID[id]; ok {
				u.Groups[Str(g, "id")] = true
			}
		}
	}
}
