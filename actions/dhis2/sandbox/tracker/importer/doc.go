// Package importer imports tracker objects step by step as DHIS2 does: read the body (body.go,
// decode.go), find the metadata that it names (import.go), prepare (preprocess.go), validate
// (validate*.go), run program rules (rules*.go), write (persist.go, write.go), report (report.go).
// crash.go is what a real server fails at inside itself.
package importer

// object is a JSON object.
type object = map[string]any
