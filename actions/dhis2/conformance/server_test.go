package conformance

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/actions/dhis2/sandbox"
)

// tamala is the metadata that the server must hold.
const tamala = "../../../rules/examples/anc/input/tamala.json"

// realServer gives the server that the environment names; false when it names none.
func realServer() (client.Options, bool) {
	o := client.Options{
		URL: os.Getenv("CULVERT_DHIS2_URL"),
		Credentials: client.Credentials{
			Username: os.Getenv("CULVERT_DHIS2_USERNAME"),
			Password: os.Getenv("CULVERT_DHIS2_PASSWORD"),
		},
	}
	return o, o.URL != ""
}

// startSandbox serves Tamala as a version does.
func startSandbox(t *testing.T, version string) (client.Options, *sandbox.Server) {
	t.Helper()
	s, err := sandbox.New(sandbox.Options{Metadata: tamala, More: []string{moreMetadata}, Version: version})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(s)
	t.Cleanup(func() {
		web.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return client.Options{URL: web.URL, Credentials: client.Credentials{Username: "admin", Password: "district"}}, s
}

// connect makes a client and reads the server's metadata as `culvert sync` does.
func connect(t *testing.T, o client.Options) (*client.Client, *metadata.Index) {
	t.Helper()
	c, err := client.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	snapshot, err := metadata.Sync(context.Background(), c, nil, metadata.Options{})
	if err != nil {
		t.Fatal(err)
	}
	x := metadata.NewIndex(snapshot)
	if missing := missingOf(x); len(missing) > 0 {
		t.Fatalf("the server %s does not hold the metadata of Tamala, which the suite works with: there is no %s. Import "+
			"%s into it (Import/Export app, or POST it to /api/metadata), "+
			"give the user the org unit Tamala, and run again", c.URL(), strings.Join(missing, ", no "),
			strings.TrimPrefix(tamala, "../../../"))
	}
	return c, x
}

// missingOf lists what the suite needs and the server does not hold.
func missingOf(x *metadata.Index) []string {
	var missing []string
	need := func(what, uid string, there bool) {
		if !there {
			missing = append(missing, fmt.Sprintf("%s (%s)", what, uid))
		}
	}
	need("org unit Coral Health Centre", coral, x.OrgUnitByID(coral) != nil)
	need("tracked entity type Person", person, x.TrackedEntityTypeByID(person) != nil)
	for uid, name := range map[string]string{antenatal: "Antenatal care", immunisation: "Child immunisation",
		malariaCase: "Malaria case notification"} {
		need("program "+name, uid, x.ProgramByID(uid) != nil)
	}
	for uid, name := range map[string]string{malariaMonthly: "Malaria monthly report",
		hivQuarterly: "HIV quarterly report"} {
		need("data set "+name, uid, x.DataSetByID(uid) != nil)
	}
	motherOf, _, _ := x.RelationshipType("Mother of")
	need("relationship type Mother of", "PwJpOJbnql9", motherOf != nil)
	return missing
}

// uids of Tamala.
const (
	coral          = "ygq0iefHYLW"
	person         = "DEEHBfgFvHr"
	antenatal      = "HKEoH96oH4U"
	firstVisit     = "SO9SciPUi24"
	followUp       = "qgrv8l2KyHh"
	immunisation   = "O6IhWzwCDP9"
	malariaCase    = "WIryy1wQ0aZ"
	caseStage      = "sIJOpbzw0kN"
	malariaMonthly = "FSh2AafV4XC"
	hivQuarterly   = "YUR5tQWtGwI"
	motherOf       = "PwJpOJbnql9"
)
