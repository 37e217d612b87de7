package metadata_test

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/actions/dhis2/sandbox"
	"github.com/culvert/culvert/rules"
)

// wanted are groups and a user of the test's own, beside those of the country.
const wanted = `{"organisationUnitGroups": [{"id": "unitGroupA1", "code": "HOSPITALS", "name": "Hospitals", "organisationUnits":
	[{"id": "y7VzbJzauSb"}]}, {"id": "unitGroupB1", "name": "Rural"}]}`

// syncAs syncs a sandbox of the country as a user, and gives what it warned of.
func syncAs(t *testing.T, version, user, password string, want metadata.Wanted) (*metadata.Snapshot, []string) {
	t.Helper()
	more := filepath.Join(t.TempDir(), "more.json")
	if err := os.WriteFile(more, []byte(wanted), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := sandbox.New(sandbox.Options{Metadata: tamala, More: []string{more}, Version: version})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	defer server.Close()
	defer s.Close()
	c, err := client.New(client.Options{URL: server.URL,
		Credentials: client.Credentials{Username: user, Password: password}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var warned []string
	snapshot, err := metadata.Sync(t.Context(), c, nil, metadata.Options{Wanted: want,
		Warn: func(m string) { warned = append(warned, m) }})
	if err != nil {
		t.Fatal(err)
	}
	return snapshot, warned
}

// Users, and which org units are in which groups, are read where rules ask for them alone; nothing of people
// but what events are assigned by.
func TestSyncWanted(t *testing.T) {
	for _, version := range []string{"2.38", "2.40", "2.44"} {
		all := metadata.Wanted{Users: true, GroupMembers: true}
		plain, _ := syncAs(t, version, "admin", "district", metadata.Wanted{})
		s, warned := syncAs(t, version, "admin", "district", all)
		if len(plain.Users) != 0 || len(plain.OrgUnitGroups) != 2 || len(plain.OrgUnitGroups[0].OrgUnits) != 0 {
			t.Errorf("%s: unasked came %v, %v", version, plain.Users, plain.OrgUnitGroups)
		}
		if len(s.OrgUnitGroups) != 2 || len(s.OrgUnitGroups[0].OrgUnits) != 1 || len(warned) > 0 {
			t.Errorf("%s: %v, warned %q", version, s.OrgUnitGroups, warned)
		}
		if changes := metadata.Diff(plain, s); len(changes) > 0 {
			t.Errorf("%s: that more is asked for is no change of the server: %v", version, changes)
		}
		dir := filepath.Join(t.TempDir(), "national")
		if err := metadata.Write(dir, s); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(dir, "users.json"))
		if err != nil || !strings.Contains(string(text), `"username":"clerk"`) ||
			strings.Contains(string(text), "surname") || strings.Contains(string(text), "ema") {
			t.Errorf("%s: %v %s", version, err, text)
		}
		read, err := metadata.Read(dir)
		if err != nil || !read.Has(metadata.HoldsUsers) || len(read.Users) != len(s.Users) {
			t.Errorf("%s: read %v", version, err)
		}
	}
}

// A user who may not see others costs the rules that ask for them, not the sync.
func TestSyncUsersRefused(t *testing.T) {
	s, warned := syncAs(t, "2.42", "clerk", "Clerk#2026", metadata.Wanted{Users: true})
	if s.Has(metadata.HoldsUsers) || len(warned) != 1 || !strings.Contains(warned[0], "F_USER_VIEW") {
		t.Errorf("%v, warned %q", s.Server.Holds, warned)
	}
	if !metadata.NewIndex(s).Directory().Lacks("users") {
		t.Error("rules are not told")
	}
}

// What lies in others is found by what it lies in, and says what that is.
func TestDirectoryAmong(t *testing.T) {
	s, _ := syncAs(t, "2.42", "admin", "district", metadata.Wanted{Users: true, GroupMembers: true})
	x := metadata.NewIndex(s)
	d := x.Directory()
	for _, c := range []struct{ collection, among, field, value, want string }{
		{"options", "Sex", "code", "FEMALE", "Female in Sex"},
		{"options", "SEX", "name", "Female", "Female in Sex"},
		{"options", "Delivery outcome", "code", "FEMALE", ""},
		{"programStages", "Antenatal care", "name", "Delivery", "Delivery in Antenatal care"},
		{"programStages", "Child immunisation", "name", "Delivery", ""},
		{"categoryOptions", "Funding partner", "code", "GF", "Global Fund"},
		{"categoryOptions", "Age group", "code", "GF", ""},
		{"categoryOptionCombos", "Partner", "name", "Government", "Government in Partner"},
		{"organisationUnits", "Hospitals", "name", "Baobab Bay District Hospital",
			"Baobab Bay District Hospital in Baobab Bay of Hospitals"},
		{"organisationUnits", "Rural", "name", "Baobab Bay District Hospital", ""},
		{"organisationUnitGroups", "", "code", "HOSPITALS", "Hospitals"},
		{"users", "", "username", "CLERK", "Clerk Tamala, clerk"},
	} {
		var found *rules.Object
		for _, o := range d.Find(c.collection, c.field, c.value) {
			if c.among == "" || d.Among(c.collection, c.among).Holds(o) {
				found = o
			}
		}
		got := ""
		if found != nil {
			got = found.Name
			if found.Parent != nil {
				got += " in " + found.Parent.Name
			}
			for _, g := range found.Groups {
				got += " of " + g.Name
			}
			if found.Username != "" {
				got += ", " + found.Username
			}
		}
		if got != c.want {
			t.Errorf("%s among %q by %s %q: %q, want %q", c.collection, c.among, c.field, c.value, got, c.want)
		}
	}
	if a := d.Among("options", "Sexx"); a.ID != "" || !cmp.Equal(a.Near, []string{"Sex"}) {
		t.Errorf("a misspelt set: %+v", a)
	}
	if a := d.Among("dataElements", "Sex"); a.What != "" {
		t.Errorf("data elements belong to %q", a.What)
	}
	for text, collection := range map[string]string{"hospitals": "organisationUnitGroups", "clerk": "users"} {
		if hits := x.Search(text); len(hits) == 0 || hits[0].Collection != collection {
			t.Errorf("the search for %s finds %v", text, hits)
		}
	}
}

// A sync says what became of groups and users.
func TestDiffWanted(t *testing.T) {
	was, _ := syncAs(t, "2.42", "admin", "district", metadata.Wanted{Users: true, GroupMembers: true})
	now, _ := syncAs(t, "2.42", "admin", "district", metadata.Wanted{Users: true, GroupMembers: true})
	now.OrgUnitGroups[0].OrgUnits = nil
	for i := range now.Users {
		if now.Users[i].Username == "clerk" {
			now.Users[i].Username = "registrar"
		}
	}
	var words []string
	for _, c := range metadata.Diff(was, now) {
		words = append(words, c.Words)
	}
	want := []string{"org unit group Hospitals: Baobab Bay District Hospital no longer assigned",
		"user Clerk Tamala: user name clerk became registrar"}
	if diff := cmp.Diff(want, words); diff != "" {
		t.Error(diff)
	}
}
