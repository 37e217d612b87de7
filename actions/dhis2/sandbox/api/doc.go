// Package api finds who asks and who answers: authentication, tokens and sessions, routes, and the
// small resources that belong to no other room (system, files, the data store, settings, messages,
// jobs).
package api

// object is a JSON object.
type object = map[string]any
