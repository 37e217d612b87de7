// Package valuetype tells whether a value has its value type, as DHIS2's ValidationUtils tells it.
package valuetype
