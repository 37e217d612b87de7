// Package asked is what lookups ask a DHIS2 server for while records are evaluated: people by an
// attribute, and their events. The questions of many records are one request.
package asked
