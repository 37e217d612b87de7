// Package period reads the periods of DHIS2 in every form that it writes them in.
package period
