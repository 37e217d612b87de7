// Package deliver sends the writes of many records to a DHIS2 server in bulk, each object once and
// in order, and says of each what became of it.
package deliver
