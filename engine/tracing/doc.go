// Package tracing tells a collector (OpenTelemetry, OTLP over HTTP) how long each part of a record's
// way took, from acceptance to outcome. It tells names of rules and servers, codes, and the id of the
// record: never its content, its key, or an id of a person. It is off unless culvert.yaml asks for it.
package tracing
