package weblink

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/metadata"
)

func snapshot(version string) *metadata.Index {
	named := func(id, name string) metadata.Named { return metadata.Named{ID: id, Name: name} }
	s := &metadata.Snapshot{
		OrgUnits: []metadata.OrgUnit{{Named: named("DiszpKrYNg8", "Coral")}},
		Programs: []metadata.Program{{Named: named("WSGAb5XwJ3Y", "Antenatal care"), Type: "WITH_REGISTRATION"},
			{Named: named("q04UBOqq3rp", "Inspection"), Type: metadata.WithoutRegistration}},
		DataElements: []metadata.DataElement{{Named: named("fbfJHSPpUQD", "Visits")}},
		Categories: []metadata.Category{{Named: named("yY2bQYqNt0o", "Project"), Options: []metadata.Ref{{ID: "i4Nbp8S2G6A"}}},
			{Named: named("SooXFOUnciJ", "Funder"), Options: []metadata.Ref{{ID: "OK2Nr4wdfrZ"}}}},
		CategoryCombos: []metadata.CategoryCombo{{Named: named("bjDvmb4bfuf", "default"), Default: true},
			{Named: named("wDLiBWLSpFT", "Project"), Categories: []metadata.Ref{{ID: "yY2bQYqNt0o"}, {ID: "SooXFOUnciJ"}}}},
		CategoryOptionCombos: []metadata.CategoryOptionCombo{{Named: named("dfltCombo11", "default"),
			CategoryCombo: metadata.Ref{ID: "bjDvmb4bfuf"}}, {Named: named("rQLFnNXXIL0", "x, y"),
			CategoryCombo:   metadata.Ref{ID: "wDLiBWLSpFT"},
			CategoryOptions: []metadata.Ref{{ID: "OK2Nr4wdfrZ"}, {ID: "i4Nbp8S2G6A"}}}},
		DataSets: []metadata.DataSet{
			{Named: named("otherDsUid1", "Others"), CategoryCombo: &metadata.Ref{ID: "bjDvmb4bfuf"},
				Elements: []metadata.DataSetElement{{DataElement: metadata.Ref{ID: "fbfJHSPpUQD"}}},
				OrgUnits: []metadata.Ref{{ID: "DiszpKrYNg8"}}},
			{Named: named("BfMAe6Itzgt", "Monthly"), CategoryCombo: &metadata.Ref{ID: "wDLiBWLSpFT"},
				Elements: []metadata.DataSetElement{{DataElement: metadata.Ref{ID: "fbfJHSPpUQD"}}},
				OrgUnits: []metadata.Ref{{ID: "DiszpKrYNg8"}}}},
	}
	s.Server.Version = version
	return metadata.NewIndex(s)
}

// TestObjects links every kind of object for each version.
func TestObjects(t *testing.T) {
	const value = "fbfJHSPpUQD.202607.DiszpKrYNg8.dfltCombo11."
	written := []string{"personUid01", "enrollment1", "eventUid001", "relationsh1", "DiszpKrYNg8", "newOrgUnit1",
		value + "rQLFnNXXIL0", "unknownUid1"}
	known := map[string]actions.Digest{"TRACKED_ENTITY:personUid01": {}, "ENROLLMENT:enrollment1": {},
		"STATUS:EVENT:eventUid001": {}, "RELATIONSHIP:relationsh1": {}, "ORG_UNIT:newOrgUnit1": {}}
	digests := func(context.Context, []string) (map[string]actions.Digest, error) { return known, nil }
	type want map[string]string
	const legacy, shell = "https://x.org/hmis/dhis-web-", "https://x.org/hmis/apps/"
	links := func(capture, maintenance, entry string) want {
		return want{
			"personUid01":         capture + "#/enrollment?teiId=personUid01&programId=WSGAb5XwJ3Y&orgUnitId=DiszpKrYNg8",
			"enrollment1":         capture + "#/enrollment?enrollmentId=enrollment1&teiId=personUid01&programId=WSGAb5XwJ3Y&orgUnitId=DiszpKrYNg8",
			"eventUid001":         capture + "#/enrollmentEventEdit?eventId=eventUid001&orgUnitId=DiszpKrYNg8",
			"DiszpKrYNg8":         maintenance + "#/edit/organisationUnitSection/organisationUnit/DiszpKrYNg8",
			"newOrgUnit1":         maintenance + "#/edit/organisationUnitSection/organisationUnit/newOrgUnit1",
			value + "rQLFnNXXIL0": entry,
			"relationsh1":         "", "unknownUid1": "",
		}
	}
	const selection = "#/?attributeOptionComboSelection=yY2bQYqNt0o-i4Nbp8S2G6A_SooXFOUnciJ-OK2Nr4wdfrZ&dataSetId=BfMAe6Itzgt" +
		"&orgUnitId=DiszpKrYNg8&periodId=202607"
	for version, w := range map[string]want{
		"2.38.6": links(legacy+"capture/index.html", legacy+"maintenance/index.html", legacy+"dataentry/index.action"),
		"2.41.0": links(legacy+"capture/index.html", legacy+"maintenance/index.html",
			legacy+"aggregate-data-entry/index.html"+selection),
		"2.42.4.1": links(shell+"capture", shell+"maintenance", shell+"aggregate-data-entry"+selection),
		"44.0":     links(shell+"capture", shell+"maintenance", shell+"aggregate-data-entry"+selection),
	} {
		list, err := SiteOf("https://x.org/hmis/", snapshot(version)).Objects(t.Context(), digests, Written{
			Objects: written, OrgUnits: []string{"DiszpKrYNg8"}, Uses: map[string]bool{"WSGAb5XwJ3Y": true, "BfMAe6Itzgt": true}})
		if err != nil {
			t.Fatal(err)
		}
		got := want{}
		for _, o := range list {
			got[o.ID] = o.URL
		}
		if diff := cmp.Diff(w, got); diff != "" {
			t.Errorf("%s: %s", version, diff)
		}
	}
}

// TestObjectsOfAnEventProgram links an event where people without registration are looked at, and not at
// all where it cannot be told which kind it is.
func TestObjectsOfAnEventProgram(t *testing.T) {
	digests := func(context.Context, []string) (map[string]actions.Digest, error) {
		return map[string]actions.Digest{"EVENT:eventUid001": {}}, nil
	}
	site := SiteOf("https://x.org", snapshot("2.40.1"))
	for _, c := range []struct {
		uses map[string]bool
		want string
	}{
		{map[string]bool{"q04UBOqq3rp": true}, "https://x.org/dhis-web-capture/index.html#/viewEvent?viewEventId=eventUid001"},
		{map[string]bool{"q04UBOqq3rp": true, "WSGAb5XwJ3Y": true}, ""},
		{nil, ""},
	} {
		list, err := site.Objects(t.Context(), digests, Written{Objects: []string{"eventUid001"}, Uses: c.uses})
		if err != nil || len(list) != 1 || list[0].URL != c.want || list[0].Kind != KindEvent {
			t.Errorf("%v: %+v, %v", c.uses, list, err)
		}
	}
	if url := (Site{}).Person("personUid01", "", ""); url != "" {
		t.Errorf("without an address: %s", url)
	}
}
