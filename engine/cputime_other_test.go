//go:build !unix

package engine

import "time"

// cpuTime is not to be had; the benchmark then says 0.
func cpuTime() time.Duration { return 0 }
