// Package identity knows which object of DHIS2 is meant: ids derived from those of the source,
// people who are in DHIS2 already, and new ids for what was deleted there.
package identity
