package actions

import (
	"context"
	"time"
)

// Estimate is how a server is best worked, as far as it can be told before the first answer: by its kind and version.
type Estimate struct {
	Batch, Concurrency int           // records in one request, requests at once
	Fixed, Each        time.Duration // what a request costs, and each record in it
}

// Estimator is a target that can tell. It may ask the server for something small.
type Estimator interface {
	Estimate(ctx context.Context) (Estimate, bool)
}
