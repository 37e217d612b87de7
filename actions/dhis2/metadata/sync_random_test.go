package metadata

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// hierarchy lets a test work on the fake server's org units as people do in DHIS2: of a moved one
// only its own lastUpdated changes, though the paths of everything below it do.
type hierarchy struct {
	f     *fakeServer
	clock time.Time
	made  int
	draw  *rand.Rand
}

func (h *hierarchy) any(collection string) thing {
	list := h.f.lists[collection]
	return list[h.draw.IntN(len(list))]
}

func (h *hierarchy) touch(o thing) { h.f.updated[o["id"].(string)] = h.clock.Format(serverClock) }

func (h *hierarchy) below(id string) []thing {
	var list []thing
	for _, o := range h.f.lists[OrgUnits] {
		if strings.Contains(o["path"].(string), "/"+id+"/") {
			list = append(list, o)
		}
	}
	return list
}

func (h *hierarchy) step() string {
	unit := h.any(OrgUnits)
	id := unit["id"].(string)
	switch h.draw.IntN(5) {
	case 0:
		h.made++
		unit["name"] = fmt.Sprint("Renamed ", h.made)
		h.touch(unit)
		return "rename " + id
	case 1:
		h.made++
		fresh := thing{"id": fmt.Sprintf("n%010d", h.made), "name": fmt.Sprint("New ", h.made), "parent": thing{"id": id}}
		fresh["path"], fresh["level"] = unit["path"].(string)+"/"+fresh["id"].(string),
			strings.Count(unit["path"].(string), "/")+1
		h.f.lists[OrgUnits] = append(h.f.lists[OrgUnits], fresh)
		h.touch(fresh)
		return "add below " + id
	case 2:
		if len(h.below(id)) == 0 {
			h.f.remove(OrgUnits, id)
		}
		return "remove " + id
	case 3:
		for len(h.below(id)) == 0 { // a district with its facilities
			unit = h.any(OrgUnits)
			id = unit["id"].(string)
		}
		to := h.any(OrgUnits)
		if to["id"] == id || strings.Contains(to["path"].(string), "/"+id+"/") || unit["parent"] == nil {
			return "nothing"
		}
		was, is := unit["path"].(string), to["path"].(string)+"/"+id
		for _, o := range append(h.below(id), unit) {
			o["path"] = is + strings.TrimPrefix(o["path"].(string), was)
			o["level"] = strings.Count(o["path"].(string), "/")
		}
		unit["parent"] = thing{"id": to["id"]}
		h.touch(unit)
		return fmt.Sprint("move ", id, " to ", to["id"])
	}
	element := h.any(DataElements)
	h.made++
	element["code"] = fmt.Sprint("CODE_", h.made)
	h.touch(element)
	return fmt.Sprint("recode ", element["id"])
}

// However metadata changes between two syncs, reading the changes comes to the same as reading everything.
func TestSyncOfChangesEqualsFullSync(t *testing.T) {
	f := newFake(t, "2.42")
	c := f.start(t)
	h := &hierarchy{f: f, clock: noon, draw: rand.New(rand.NewPCG(1, 2))}
	now := func() time.Time { return h.clock }
	f.info["serverDate"] = h.clock.Format(serverClock)
	s := sync1(t, c, nil, Options{Now: now})
	for round := range 15 {
		h.clock = h.clock.Add(3 * time.Hour)
		var steps []string
		f.mu.Lock()
		for range h.draw.IntN(6) {
			steps = append(steps, h.step())
		}
		f.info["serverDate"] = h.clock.Format(serverClock)
		f.asked = nil
		f.mu.Unlock()
		changes := sync1(t, c, s, Options{Now: now})
		for _, a := range f.asked {
			if a == OrgUnits+" all" {
				t.Errorf("round %d read every org unit", round)
			}
		}
		full := sync1(t, c, s, Options{Now: now, Full: true})
		if diff := cmp.Diff(full, changes, cmpopts.IgnoreFields(ServerInfo{}, "Full"), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("round %d, %s: (-full +changes)\n%s", round, strings.Join(steps, ", "), diff)
		}
		s = changes
	}
}
