// Package version is the version profile: what differs between versions of DHIS2, asked by name.
package version
