package deliver

import (
	"context"
	"time"

	"github.com/culvert/culvert/actions"
)

// What servers take by their version, as measured: 2.43 stores objects in bulk, so that a request
// costs more than hundreds of people in it; the versions before store them one by one, and more so
// in very large requests.
var (
	storesInBulk = actions.Estimate{Batch: 1000, Concurrency: 2, Fixed: 120 * time.Millisecond,
		Each: 600 * time.Microsecond}
	storesSingly = actions.Estimate{Batch: 250, Concurrency: 4, Fixed: 350 * time.Millisecond, Each: 8 * time.Millisecond}
)

const (
	bulkSince = 43 // minor version
	// For the version to come; a slower line or server gets smaller requests to begin with.
	quickLine = 500 * time.Millisecond
	leastSize = 20
)

// versioned is a Server that knows its version, as *client.Client does.
type versioned interface {
	Version(ctx context.Context) (full string, minor int, err error)
}

// Estimate tells how a server of this version is best worked; see actions.Estimator.
func (t *target) Estimate(ctx context.Context) (actions.Estimate, bool) {
	v, ok := t.server.(versioned)
	if !ok {
		return actions.Estimate{}, false
	}
	asked := time.Now()
	_, minor, err := v.Version(ctx)
	if err != nil {
		return actions.Estimate{}, false
	}
	return estimateOf(minor, time.Since(asked)), true
}

func estimateOf(minor int, took time.Duration) actions.Estimate {
	e := storesSingly
	if minor >= bulkSince {
		e = storesInBulk
	}
	if took > quickLine {
		e.Batch = max(int(float64(e.Batch)*float64(quickLine)/float64(took)), leastSize)
		e.Fixed = max(e.Fixed, took)
	}
	return e
}
