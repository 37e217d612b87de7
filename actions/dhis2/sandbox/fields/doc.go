// Package fields reads the fields parameter of DHIS2's API and makes what it asks of an object.
package fields

// object is a JSON object.
type object = map[string]any
