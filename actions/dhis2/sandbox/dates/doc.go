// Package dates reads and writes dates and times as DHIS2 does.
package dates
