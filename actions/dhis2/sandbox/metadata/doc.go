// Package metadata answers what is about metadata: objects and lists of them with fields, filters,
// order and pages, exports, imports, schemas, the user that asks, and generated values.
package metadata

// object is a JSON object.
type object = map[string]any
