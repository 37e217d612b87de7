// Command culvert carries field data into DHIS2.
package main

import (
	"os"
	"runtime/debug"
	_ "time/tzdata" // time zones where the system has none
)

// version is set by the build.
var version = "dev"

func main() {
	// Small machines in the field have little memory: collecting garbage a little earlier keeps ten million rows below a hundred megabytes, at no cost
	// in speed that BenchmarkFileDrop can see. GOGC in the environment says otherwise.
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(70)
	}
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
