package service

import (
	"slices"
	"testing"
	"time"
)

// TestUnitSync holds that a server is synced once its org units are left alone, and at last while they are not.
func TestUnitSync(t *testing.T) {
	var u unitSync
	u.changed("national")
	now := time.Now()
	if list := u.due(now); len(list) > 0 {
		t.Errorf("synced at once: %v", list)
	}
	if list := u.due(now.Add(unitsQuiet)); !slices.Equal(list, []string{"national"}) {
		t.Errorf("after a while: %v", list)
	}
	if list := u.due(now.Add(time.Hour)); len(list) > 0 {
		t.Errorf("synced again: %v", list)
	}
	u.retry("national", now)
	if list := u.due(now.Add(unitsQuiet)); len(list) > 0 {
		t.Errorf("a sync that failed is tried again at once: %v", list)
	}
	if list := u.due(now.Add(unitsAtMost)); len(list) != 1 {
		t.Error("a sync that failed is not tried again")
	}
	u.servers["national"] = changedUnits{first: now, last: now.Add(unitsAtMost)}
	if list := u.due(now.Add(unitsAtMost)); len(list) != 1 {
		t.Error("changes without an end keep the sync away")
	}
}
