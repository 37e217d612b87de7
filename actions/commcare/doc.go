// Package commcare is the action commcare.update_case: what became of a record goes into case
// properties on CommCare HQ, by its Case API v2.
package commcare
