package sandbox

import (
	"github.com/culvert/culvert/actions/dhis2/sandbox/faults"
	"github.com/culvert/culvert/actions/dhis2/sandbox/store"
)

// Faults go wrong on purpose, so that one can see what a network and a busy server do to a flow.
type Faults = faults.Faults

// Ways to fail; package faults says what each does.
const (
	Fault500        = faults.Fault500
	FaultBadGateway = faults.FaultBadGateway
	Fault503        = faults.Fault503
	Fault504        = faults.Fault504
	Fault429        = faults.Fault429
	FaultDisk       = faults.FaultDisk
	FaultDropBefore = faults.FaultDropBefore
	FaultDropAfter  = faults.FaultDropAfter
	FaultSlow       = faults.FaultSlow
	FaultTruncated  = faults.FaultTruncated
	FaultEmpty      = faults.FaultEmpty
	FaultRestart    = faults.FaultRestart
)

// ParseFaults reads the form of a command line: 5%,latency=200ms,kinds=502+drop,seed=7.
func ParseFaults(text string) (Faults, error) { return faults.Parse(text) }

// Counts are the live objects, not those that were deleted, and the requests answered since the start.
type Counts = store.Counts
