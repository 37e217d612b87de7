package metadata

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"github.com/culvert/culvert/actions/dhis2/client"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func sync1(t testing.TB, c *client.Client, old *Snapshot, o Options) *Snapshot {
	t.Helper()
	if o.Now == nil {
		o.Now = func() time.Time { return noon }
	}
	s, err := Sync(context.Background(), c, old, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSyncEveryVersion(t *testing.T) {
	for version, full := range map[string]string{"2.40": "2.40.12", "2.42": "2.42.4.1", "2.43": "2.43.1"} {
		f := newFake(t, version)
		var seen []Progress
		s := sync1(t, f.start(t), nil, Options{
			Progress: func(p Progress) { seen = append(seen, p) },
			Warn:     func(m string) { t.Errorf("%s: warned: %s", version, m) },
		})
		if !strings.HasPrefix(s.Server.Version, version) {
			t.Errorf("version %q, want like %q", s.Server.Version, full)
		}
		for _, c := range collections() {
			if want := len(f.lists[c.title()]); c.size(s) != want {
				t.Errorf("%s: %d %s, want %d", version, c.size(s), c.title(), want)
			}
		}
		if len(seen) != 17 || seen[16].Done != 17 || seen[16].Total != 17 {
			t.Errorf("%s: %d steps of progress, the last %+v", version, len(seen), seen[len(seen)-1])
		}
		x := NewIndex(s)
		if !x.ProgramHasOrgUnit("HKEoH96oH4U", "ygq0iefHYLW") || !x.InCaptureScope("ygq0iefHYLW") {
			t.Errorf("%s: org units of the program or scope of the user are missing", version)
		}
		if s.Server.AsOf == "" || s.Server.Calendar != "iso8601" || !s.Server.Synced.Equal(noon) {
			t.Errorf("%s: server %+v", version, s.Server)
		}
	}
}

// Two versions that hold the same metadata give the same snapshot, whatever order they answer in.
func TestSyncVersionsAgree(t *testing.T) {
	a, b := sync1(t, newFake(t, "2.42").start(t), nil, Options{}), sync1(t, newFake(t, "2.43").start(t), nil, Options{})
	ignore := []cmp.Option{cmpopts.IgnoreFields(Snapshot{}, "Server", "User"), cmpopts.EquateEmpty()}
	if diff := cmp.Diff(a, b, ignore...); diff != "" {
		t.Errorf("(-2.42 +2.43)\n%s", diff)
	}
}

func TestSyncIncremental(t *testing.T) {
	f := newFake(t, "2.42")
	f.info["serverDate"] = "2026-11-23T12:00:00.000"
	c := f.start(t)
	old := sync1(t, c, nil, Options{})

	f.mu.Lock()
	f.asked = nil
	f.info["serverDate"] = "2026-11-23T18:00:00.000"
	f.object(OrgUnits, "A7mEVqmiiGq")["name"] = "Kudu Market Clinic"
	f.updated["A7mEVqmiiGq"] = "2026-11-23T13:00:00.000"
	f.remove(OrgUnits, "ACpDIcvh1Rs")
	f.lists[OrgUnits] = append(f.lists[OrgUnits], thing{"id": "bbbbbbbbbb1", "name": "New post",
		"path": "/MZNBwjReCp4/bbbbbbbbbb1", "level": 2,
		"parent": thing{"id": "MZNBwjReCp4"}})
	f.updated["bbbbbbbbbb1"] = "2026-11-23T13:00:00.000"
	f.object(Programs, "HKEoH96oH4U")["name"] = "Pregnancy care"
	f.mu.Unlock()

	s := sync1(t, c, old, Options{})
	x := NewIndex(s)
	if o := x.OrgUnitByID("A7mEVqmiiGq"); o.Name != "Kudu Market Clinic" {
		t.Errorf("changed org unit: %+v", o)
	}
	if x.OrgUnitByID("ACpDIcvh1Rs") != nil || x.OrgUnitByID("bbbbbbbbbb1") == nil || len(s.OrgUnits) != 89 {
		t.Errorf("%d org units; a removed one stays or a new one is missing", len(s.OrgUnits))
	}
	if !slices.IsSortedFunc(s.OrgUnits, func(a, b OrgUnit) int { return strings.Compare(a.ID, b.ID) }) {
		t.Error("org units out of order")
	}
	if x.ProgramByID("HKEoH96oH4U").Name != "Pregnancy care" {
		t.Error("a program without a change of lastUpdated is not read")
	}
	if slices.Contains(f.asked, OrgUnits+" all") || !slices.Contains(f.asked, OrgUnits+" changed") ||
		!slices.Contains(f.asked, OrgUnits+" ids") {
		t.Errorf("asked %q", f.asked)
	}
	if old.OrgUnits[0].Name != "Kudu Market Dispensary" {
		t.Error("the older snapshot was changed")
	}
	if _, now, ok := x.Renamed(Programs, "Antenatal care"); !ok || now != "Pregnancy care" {
		t.Error("the former name is not remembered")
	}
	if s.Server.Full != old.Server.Full || s.Server.AsOf != "2026-11-23T18:00:00.000" {
		t.Errorf("server %+v", s.Server)
	}
	// It equals what a full sync gives.
	full := sync1(t, c, old, Options{Full: true})
	if diff := cmp.Diff(full, s, cmpopts.IgnoreFields(ServerInfo{}, "Full"), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-full +incremental)\n%s", diff)
	}
}

func TestSyncReadsEverythingWhen(t *testing.T) {
	f := newFake(t, "2.42")
	c := f.start(t)
	old := sync1(t, c, nil, Options{})
	changed := func(do func(*Snapshot)) *Snapshot {
		s := *old
		do(&s)
		return &s
	}
	for name, from := range map[string]*Snapshot{
		"another version":            changed(func(s *Snapshot) { s.Server.Version = "2.41.0" }),
		"another server":             changed(func(s *Snapshot) { s.Server.URL = "https://other.example.org" }),
		"another user":               changed(func(s *Snapshot) { s.User.ID = "x" }),
		"a week":                     changed(func(s *Snapshot) { s.Server.Full = noon.Add(-8 * 24 * time.Hour) }),
		"what an older Culvert read": changed(func(s *Snapshot) { s.Server.Reads = 0 }),
		"no time of the server":      changed(func(s *Snapshot) { s.Server.AsOf = "" }),
		"an org unit nobody holds":   changed(func(s *Snapshot) { s.OrgUnits = s.OrgUnits[1:] }),
	} {
		f.asked = nil
		s := sync1(t, c, from, Options{})
		if !slices.Contains(f.asked, OrgUnits+" all") {
			t.Errorf("%s: asked %q", name, f.asked)
		}
		if len(s.OrgUnits) != 89 {
			t.Errorf("%s: %d org units", name, len(s.OrgUnits))
		}
	}
}

func TestSyncWhileOthersWork(t *testing.T) {
	add := func(f *fakeServer, i int) {
		f.lists[OrgUnits] = append(f.lists[OrgUnits], thing{"id": fmt.Sprintf("a%010d", i), "name": "New",
			"path": "/MZNBwjReCp4/x", "level": 2})
	}
	t.Run("one is added between two pages", func(t *testing.T) {
		f := newFake(t, "2.42")
		f.before = func(f *fakeServer, collection string, page int) {
			if collection == OrgUnits && page == 2 && len(f.lists[OrgUnits]) == 89 {
				add(f, 1)
			}
		}
		if s := sync1(t, f.start(t), nil, Options{}); len(s.OrgUnits) != 90 {
			t.Errorf("%d org units, want 90", len(s.OrgUnits))
		}
	})
	t.Run("one is added and one removed between two pages", func(t *testing.T) {
		f := newFake(t, "2.42")
		done := false
		f.before = func(f *fakeServer, collection string, page int) {
			if collection == OrgUnits && page == 2 && !done {
				done = true
				// In the order of uids the new one comes first, so the last one of page 1 is on page 2 now; the
				// number stays the same.
				f.lists[OrgUnits] = append(f.lists[OrgUnits], thing{"id": "A0000000000", "name": "New",
					"path": "/MZNBwjReCp4/A0000000000", "level": 2})
				last := slices.MaxFunc(f.lists[OrgUnits], func(a,
					b thing) int {
					return strings.Compare(a["id"].(string), b["id"].(string))
				})
				f.remove(OrgUnits, last["id"].(string))
			}
		}
		s := sync1(t, f.start(t), nil, Options{})
		if got, want := len(s.OrgUnits), len(f.lists[OrgUnits]); got != want || s.OrgUnits[0].ID != "A0000000000" {
			t.Errorf("%d org units from %s on, want %d with the new one", got, s.OrgUnits[0].ID, want)
		}
	})
	t.Run("without end", func(t *testing.T) {
		f := newFake(t, "2.42")
		n := 0
		f.before = func(f *fakeServer, collection string, page int) {
			if collection == OrgUnits {
				n++
				add(f, n)
			}
		}
		_, err := Sync(context.Background(), f.start(t), nil, Options{})
		if err == nil || !strings.Contains(err.Error(), "reading organisationUnits: it was changed each of the 4 times") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("a data element is added after data elements were read", func(t *testing.T) {
		f := newFake(t, "2.42")
		all := f.lists[DataElements]
		f.lists[DataElements] = slices.DeleteFunc(slices.Clone(all), func(o thing) bool { return o["id"] == "DSyKLVrDSl7" })
		reads := 0
		f.before = func(f *fakeServer, collection string, page int) {
			if collection == DataElements && page == 1 {
				if reads++; reads == 2 {
					f.lists[DataElements] = all
				}
			}
		}
		s := sync1(t, f.start(t), nil, Options{Warn: func(m string) { t.Error(m) }})
		if NewIndex(s).DataElementByID("DSyKLVrDSl7") == nil {
			t.Error("the data element is missing")
		}
	})
}

func TestSyncWarnings(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*fakeServer)
		want   string
	}{
		"newer": {func(f *fakeServer) { f.info["version"] = "2.46.0" },
			"is DHIS2 2.46.0, newer than this Culvert knows (2.44)"},
		"calendar": {func(f *fakeServer) { f.info["calendar"] = "ethiopian" }, `uses the calendar "ethiopian"`},
		"hidden": {func(f *fakeServer) { f.remove(DataElements, "DSyKLVrDSl7") },
			"1 of the dataElements that others refer to cannot be read (by program Antenatal care)"},
		"listed once": {func(f *fakeServer) { f.lists[OptionSets] = append(f.lists[OptionSets], f.lists[OptionSets][0]) },
			"the server lists 1 of its optionSets twice"},
	} {
		f := newFake(t, "2.42")
		c.change(f)
		var warned []string
		s := sync1(t, f.start(t), nil, Options{Warn: func(m string) { warned = append(warned, m) }})
		if len(warned) != 1 || !strings.Contains(warned[0], c.want) {
			t.Errorf("%s: warned %q, want %q", name, warned, c.want)
		}
		if len(s.OptionSets) != 4 {
			t.Errorf("%s: %d option sets", name, len(s.OptionSets))
		}
	}
}

func TestSyncRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*fakeServer)
		want   string
	}{
		"too old": {func(f *fakeServer) { f.info["version"] = "2.36.13" },
			"is DHIS2 2.36.13; Culvert works with 2.38 and newer: upgrade the server"},
		"no version": {func(f *fakeServer) { delete(f.info, "version") }, "does not say which version of DHIS2 it is"},
		"no id": {func(f *fakeServer) { f.lists[OptionSets][0] = thing{"id": "", "name": "x"} },
			"reading optionSets: an object of optionSets has no id"},
		"odd type": {func(f *fakeServer) { f.lists[Programs][0]["programStages"] = "none" },
			`reading programs: an object of programs: a string where "programStages"`},
	} {
		f := newFake(t, "2.42")
		c.change(f)
		_, err := Sync(context.Background(), f.start(t), nil, Options{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}

func TestSyncIsPatient(t *testing.T) {
	f := newFake(t, "2.42")
	f.away = 3
	warned := 0
	s := sync1(t, f.start(t), nil, Options{Pause: time.Millisecond, Warn: func(m string) { warned++ }})
	if len(s.OrgUnits) != 89 || warned != 3 {
		t.Errorf("%d org units, warned %d times", len(s.OrgUnits), warned)
	}
	f = newFake(t, "2.42")
	f.away = 1000
	_, err := Sync(context.Background(), f.start(t), nil, Options{Pause: time.Millisecond})
	if err == nil || !strings.Contains(err.Error(), "is away or overloaded (HTTP 503)") ||
		strings.Contains(err.Error(), "html") {
		t.Errorf("error %v", err)
	}
}

func TestSyncCancelled(t *testing.T) {
	f := newFake(t, "2.42")
	ctx, cancel := context.WithCancel(context.Background())
	f.before = func(*fakeServer, string, int) { cancel() }
	if _, err := Sync(ctx, f.start(t), nil, Options{}); err == nil {
		t.Error("no error from a cancelled sync")
	}
}

func TestRepath(t *testing.T) {
	units := []OrgUnit{
		{Named: Named{ID: "c"}, Parent: &Ref{"b"}, Path: "/old/b/c", Level: 3},
		{Named: Named{ID: "a"}, Path: "/a", Level: 1},
		{Named: Named{ID: "b"}, Parent: &Ref{"a"}, Path: "/a/b", Level: 2},
		{Named: Named{ID: "x"}, Parent: &Ref{"y"}, Path: "/y/x", Level: 2}, // the parent is not for the user's eyes
		{Named: Named{ID: "p"}, Parent: &Ref{"q"}, Path: "/q/p", Level: 2}, // a circle must end
		{Named: Named{ID: "q"}, Parent: &Ref{"p"}, Path: "/p/q", Level: 2},
	}
	repath(units)
	got := map[string]string{}
	for _, u := range units[:4] {
		got[u.ID] = fmt.Sprint(u.Path, " ", u.Level)
	}
	if want := map[string]string{"a": "/a 1", "b": "/a/b 2", "c": "/a/b/c 3", "x": "/y/x 2"}; !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// Attributes of a program and elements of a stage that share a sort order come in any order;
// nothing has changed for that.
func TestSyncOfEqualOrder(t *testing.T) {
	f := newFake(t, "2.42")
	c := f.start(t)
	first := sync1(t, c, nil, Options{})
	f.mu.Lock()
	for _, p := range f.lists[Programs] {
		slices.Reverse(p["programTrackedEntityAttributes"].([]any))
		for _, st := range p["programStages"].([]any) {
			elements := st.(thing)["programStageDataElements"].([]any)
			slices.Reverse(elements)
		}
	}
	f.mu.Unlock()
	if diff := cmp.Diff(first.Programs, sync1(t, c, nil, Options{}).Programs); diff != "" {
		t.Error(diff)
	}
}
