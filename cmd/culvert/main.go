// Command culvert carries field data into DHIS2.
package main

import (
	"os"
	_ "time/tzdata" // time zones where the system has none

	"github.com/culvert/culvert/engine/heap"
)

// version is set by the build.
var version = "dev"

func main() {
	// Small machines in the field have little memory, and little to spare for looking for garbage
	// while there is hardly any.
	heap.Keep(heap.Percent, heap.Floor)
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
