// Package ids makes and checks identifiers of DHIS2's form.
package ids
