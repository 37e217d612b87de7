// Package weblink says at which address people look at an object in DHIS2's own apps.
//
// Sources: capture-app, pages and parameters of withAppUrlSync; aggregate-data-entry-app, use-context-selection.
package weblink

import (
	"net/url"
	"slices"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/metadata"
)

// Site is a DHIS2 server as people see it. Without an address there are no links.
type Site struct {
	Address string          // without a slash at its end
	Minor   int             // 42 of 2.42; 0 where it is not known
	Index   *metadata.Index // nil where nothing has been synced
}

// SiteOf is the site of synced metadata.
func SiteOf(address string, x *metadata.Index) Site {
	s := Site{Address: strings.TrimRight(address, "/"), Index: x}
	if x != nil {
		s.Minor, _ = client.ParseVersion(x.Snapshot.Server.Version) // 0 is for all versions
	}
	return s
}

// shellMinor is the first version whose apps stand at /apps/NAME, within one shell. Addresses of
// before lead there, too.
const shellMinor = 42

// newEntryMinor is the first version with the data entry app whose address says what it shows.
const newEntryMinor = 39

// app is the address of a page of an app. What is empty of the query is left out.
func (s Site) app(name, page string, query ...string) string {
	if s.Address == "" {
		return ""
	}
	at := s.Address + "/dhis-web-" + name + "/index.html#/" + page
	if s.Minor >= shellMinor {
		at = s.Address + "/apps/" + name + "#/" + page
	}
	sep := "?"
	for i := 0; i+1 < len(query); i += 2 {
		if query[i+1] != "" {
			at += sep + query[i] + "=" + url.QueryEscape(query[i+1])
			sep = "&"
		}
	}
	return at
}

// Person is where a tracked entity is looked at, in a program where one is named.
func (s Site) Person(uid, program, orgUnit string) string {
	return s.app("capture", "enrollment", "teiId", uid, "programId", program, "orgUnitId", orgUnit)
}

// Enrollment is where an enrollment is looked at. The app finds out what is not named.
func (s Site) Enrollment(uid, person, program, orgUnit string) string {
	return s.app("capture", "enrollment", "enrollmentId", uid, "teiId", person, "programId", program, "orgUnitId",
		orgUnit)
}

// Event is where an event of an enrollment is looked at.
func (s Site) Event(uid, orgUnit string) string {
	return s.app("capture", "enrollmentEventEdit", "eventId", uid, "orgUnitId", orgUnit)
}

// SingleEvent is where an event of a program without registration is looked at.
func (s Site) SingleEvent(uid string) string {
	return s.app("capture", "viewEvent", "viewEventId", uid)
}

// OrgUnit is where an org unit is edited.
func (s Site) OrgUnit(uid string) string {
	return s.app("maintenance", "edit/organisationUnitSection/organisationUnit/"+url.PathEscape(uid))
}

// DataSet is the page on which a data set's values of an org unit and period are entered. The app
// before 2.39 has no address for that: it is opened, no more.
func (s Site) DataSet(dataSet, orgUnit, period, attributeOptionCombo string) string {
	switch {
	case s.Address == "":
		return ""
	case s.Minor != 0 && s.Minor < newEntryMinor:
		return s.Address + "/dhis-web-dataentry/index.action"
	}
	return s.app("aggregate-data-entry", "", "attributeOptionComboSelection", s.selection(dataSet, attributeOptionCombo),
		"dataSetId", dataSet, "orgUnitId", orgUnit, "periodId", period)
}

// selection is an attribute option combination as the data entry app writes it: each category with
// its option. The default combination is not written.
func (s Site) selection(dataSet, combo string) string {
	if s.Index == nil {
		return ""
	}
	set, c := s.Index.DataSetByID(dataSet), s.Index.CategoryOptionComboByID(combo)
	if set == nil || set.CategoryCombo == nil || c == nil {
		return ""
	}
	cc := s.Index.CategoryComboByID(set.CategoryCombo.ID)
	if cc == nil || cc.Default || c.CategoryCombo.ID != cc.ID {
		return ""
	}
	var pairs []string
	for _, category := range cc.Categories {
		i := slices.IndexFunc(s.Index.Snapshot.Categories, func(x metadata.Category) bool { return x.ID == category.ID })
		if i < 0 {
			return ""
		}
		for _, option := range c.CategoryOptions {
			if slices.Contains(s.Index.Snapshot.Categories[i].Options, option) {
				pairs = append(pairs, category.ID+"-"+option.ID)
			}
		}
	}
	return strings.Join(pairs, "_")
}
