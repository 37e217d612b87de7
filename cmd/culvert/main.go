// Command culvert carries field data into DHIS2.
package main

import (
	"os"
	_ "time/tzdata" // time zones where the system has none
)

// version is set by the build.
var version = "dev"

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
