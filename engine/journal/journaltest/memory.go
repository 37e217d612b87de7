package journaltest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
)

func testDigests(t *testing.T, p Place) {
	j := open(t, p)
	const n = 3000
	digests := make([]actions.Digest, n)
	objects := make([]string, n)
	for i := range n {
		objects[i] = name("event ", i)
		digests[i] = actions.Digest{Object: objects[i], Sum: uint64(i)<<32 | uint64(i*7+1)}
	}
	commit(t, j, journal.Batch{Server: "national", Digests: digests})
	look := func(server string) map[string]actions.Digest {
		t.Helper()
		sums, err := j.Memory(server).Digests(t.Context(), append(objects, "event never sent"))
		must(t, err)
		return sums
	}
	sums := look("national")
	diff(t, "known objects", len(sums), n)
	for i := range n {
		if want := digests[i].Sum & journal.SumMask; sums[objects[i]].Sum != want {
			t.Fatalf("object %d has the sum %x, want %x", i, sums[objects[i]].Sum, want)
		}
	}
	diff(t, "objects of another server", len(look("district")), 0)
	commit(t, j, journal.Batch{Server: "national",
		Digests: []actions.Digest{{Object: objects[5], Sum: 99}, {Object: objects[6]}}})
	must(t, j.Close())
	j = open(t, p)
	sums = look("national")
	diff(t, "a changed object", sums[objects[5]], actions.Digest{Object: objects[5], Sum: 99})
	if _, known := sums[objects[6]]; known || len(sums) != n-1 {
		t.Errorf("a forgotten object is known, or others are not: %d", len(sums))
	}
}

// testOrders keeps in which order objects were written, and which of their fields.
func testOrders(t *testing.T, p Place) {
	j := open(t, p)
	digests := []actions.Digest{
		{Object: "plain", Sum: 7, Order: actions.Order{Seq: 1 << 40}, Mark: 3},
		{Object: "versioned", Sum: 8, Order: actions.Order{Version: actions.TimeVersion(start), Seq: 2}, Mark: 1<<16 - 1},
		{Object: "numbered", Sum: 9, Order: actions.Order{Version: actions.NumberVersion(-5), Seq: 3}},
		{Object: "deleted", Order: actions.Order{Seq: 4}, Mark: 1 << 14},
	}
	for i := range 2000 { // so that some lie in pages
		digests = append(digests, actions.Digest{Object: name("row ", i), Sum: uint64(i + 1),
			Order: actions.Order{Seq: int64(1000 + i)}, Mark: uint16(i % 5)})
	}
	commit(t, j, journal.Batch{Server: "national", Digests: digests})
	must(t, j.Close())
	j = open(t, p)
	objects := []string{"never sent"}
	want := map[string]actions.Digest{}
	for _, d := range digests {
		objects = append(objects, d.Object)
		want[d.Object] = d
	}
	got, err := j.Memory("national").Digests(t.Context(), objects)
	must(t, err)
	diff(t, "digests", got, want)
}

func testShapes(t *testing.T, p Place) {
	j := open(t, p)
	shapes := j.Memory("national").(actions.Shapes)
	numbers, err := shapes.ShapeNumbers(t.Context(), []string{"a,b", "c"})
	must(t, err)
	if len(numbers) != 2 || numbers["a,b"] == 0 || numbers["c"] == 0 || numbers["a,b"] == numbers["c"] {
		t.Fatalf("the numbers are %v", numbers)
	}
	must(t, j.Close())
	j = open(t, p)
	shapes = j.Memory("national").(actions.Shapes)
	again, err := shapes.ShapeNumbers(t.Context(), []string{"c", "a,b", "d"})
	must(t, err)
	if again["c"] != numbers["c"] || again["a,b"] != numbers["a,b"] || again["d"] == 0 {
		t.Errorf("the numbers were %v and are %v", numbers, again)
	}
	names, err := shapes.ShapeNames(t.Context(), []uint16{numbers["c"], again["d"], actions.MaxShape})
	must(t, err)
	diff(t, "names", names, map[uint16]string{numbers["c"]: "c", again["d"]: "d"})
	other, err := j.Memory("district").(actions.Shapes).ShapeNames(t.Context(), []uint16{1})
	must(t, err)
	diff(t, "names of another server", len(other), 0)
}

func testIdentities(t *testing.T, p Place) {
	j := open(t, p)
	identity := func(external, uid string, generation int, origin string) actions.Identity {
		return actions.Identity{IdentityKey: actions.IdentityKey{Type: "nEenWmSyUEp", ExternalID: external}, UID: uid,
			Generation: generation, Origin: origin}
	}
	save := func(ids ...actions.Identity) { commit(t, j, journal.Batch{Server: "national", Identities: ids}) }
	want := func(what string, id actions.Identity) {
		t.Helper()
		got, err := j.Memory("national").Identities(t.Context(),
			[]actions.IdentityKey{id.IdentityKey, {Type: "x", ExternalID: "unknown"}})
		must(t, err)
		diff(t, what, got, map[actions.IdentityKey]actions.Identity{id.IdentityKey: id})
	}
	a := identity(`w"1`, "AAAAAAAAAAA", 0, "matched")
	save(a, identity("w2", "BBBBBBBBBBB", 0, "matched"))
	want("matched", a)
	a = identity(`w"1`, "CCCCCCCCCCC", 1, "recreated")
	save(a)
	want("a new generation", a)
	save(identity(`w"1`, "AAAAAAAAAAA", 0, "matched"))
	want("an old generation comes late", a)
	a = identity(`w"1`, "DDDDDDDDDDD", 1, "manual")
	must(t, j.SetIdentities(t.Context(), "national", []actions.Identity{a}, "asha", "two women were mixed up"))
	want("by hand", a)
	save(identity(`w"1`, "CCCCCCCCCCC", 1, "recreated"))
	want("by hand stays", a)
	holders, err := j.Memory("national").Holders(t.Context(), []string{"DDDDDDDDDDD", "CCCCCCCCCCC"})
	must(t, err)
	diff(t, "who stands for them", holders, []actions.Identity{a})
	elsewhere, err := j.Memory("other").Holders(t.Context(), []string{"DDDDDDDDDDD"})
	must(t, err)
	diff(t, "on another server", len(elsewhere), 0)
	all, err := j.ListIdentities(t.Context(), "national", "", 10)
	must(t, err)
	diff(t, "all", len(all), 2)
	one, err := j.ListIdentities(t.Context(), "national", `w"1`, 10)
	must(t, err)
	diff(t, "one", one, []actions.Identity{a})
	trail, err := j.Audit(t.Context(), 1)
	must(t, err)
	if len(trail) != 1 || trail[0].Did != "set identities" || trail[0].Who != "asha" {
		t.Errorf("the audit trail is %+v", trail)
	}
}

// testChangeMeta has many change one value at the same moment: nobody's change is lost, and each is in the audit trail.
func testChangeMeta(t *testing.T, p Place) {
	j := open(t, p)
	const all = 20
	var wg sync.WaitGroup
	for n := range all {
		wg.Go(func() {
			entry := journal.AuditEntry{Who: "asha", Did: "pause", Why: "moved", Count: 1, Subject: fmt.Sprintf("rule %d", n)}
			err := j.ChangeMeta(t.Context(), "controls", entry, func(value string) (string, error) { return value + "x", nil })
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got, err := j.Meta(t.Context(), "controls")
	must(t, err)
	diff(t, "value", got, strings.Repeat("x", all))
	trail, err := j.Audit(t.Context(), 0)
	must(t, err)
	if len(trail) != all || trail[0].Did != "pause" || trail[0].Why != "moved" {
		t.Errorf("the audit trail is %+v", trail)
	}
	refused := errors.New("no")
	if err := j.ChangeMeta(t.Context(), "controls", journal.AuditEntry{Who: "asha", Did: "pause"},
		func(string) (string, error) { return "", refused }); !errors.Is(err, refused) {
		t.Errorf("a change that is refused: %v", err)
	}
	got, err = j.Meta(t.Context(), "controls")
	must(t, err)
	diff(t, "value after a refused change", got, strings.Repeat("x", all))
}

func testMeta(t *testing.T, p Place) {
	j := open(t, p)
	for _, value := range []string{"", "anc-pilot", "other"} {
		must(t, j.SetMeta(t.Context(), "project", value))
		got, err := j.Meta(t.Context(), "project")
		must(t, err)
		diff(t, "value", got, value)
	}
	got, err := j.Meta(t.Context(), "unknown")
	must(t, err)
	diff(t, "unknown", got, "")
}
