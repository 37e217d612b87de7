// Package jsontree reads JSON as DHIS2's parser does: field names are compared exactly, the last of
// several counts, what follows the first value is ignored.
package jsontree
