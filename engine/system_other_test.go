//go:build !unix

package engine

import (
	"os"
	"time"
)

// cpuTime is not to be had; the benchmark then says 0.
func cpuTime() time.Duration { return 0 }

// There is nothing that freezes a process: the tests that need it are not for this system.
var stopSignal, continueSignal = os.Kill, os.Kill
