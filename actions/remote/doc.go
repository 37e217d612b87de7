// Package remote is what actions that write to outside systems other than DHIS2 have in common: a
// client that keeps to the host it was given, what an answer means for a record, and the order in
// which writes of many records go out, each once as far as the receiver allows.
package remote
