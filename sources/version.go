package sources

import "time"

// VersionOf gives the time at which a record of a known system came to be what it is, as that
// system's server says; the zero time when the record does not come from one, or does not say it.
// Of two versions of a record, and of two records about one person, the later one is newer,
// whichever comes first.
//
//   - a form of CommCare, forwarded or read by its API: server_modified_on, which an edit moves, else
//     received_on; a case: server_date_modified. The clocks of phones (date_modified, timeEnd) are not used.
//   - a submission of Kobo: _submission_time, in UTC and without a zone. An edit does not move it, but names
//     in meta/deprecatedID what it was made from: it is later by a microsecond than that, and of several
//     edits the one that comes later wins. One that was deleted is later than all of its edits, and one that
//     comes back later than its deletion. Ona says when it was edited: _last_edited.
//   - what the dhis2 trigger reads: updated_at.
//   - a submission or entity of ODK Central: __system.updatedAt, null until the first edit, else
//     submissionDate or createdAt.
func VersionOf(body any) time.Time {
	record, ok := body.(map[string]any)
	if !ok {
		return time.Time{}
	}
	has := func(keys ...string) bool {
		for _, key := range keys {
			if text, ok := record[key].(string); ok && text != "" {
				return true
			}
		}
		return false
	}
	if system, ok := record["__system"].(map[string]any); ok && has("__id") {
		return firstTime(system, "deletedAt", "updatedAt", "submissionDate", "createdAt")
	}
	if has("dhis2") && has("updated_at") {
		return firstTime(record, "updated_at")
	}
	if _, form := record["form"].(map[string]any); form && has("received_on") {
		return firstTime(record, "server_modified_on", "received_on")
	}
	if has("case_id") && has("server_date_modified") {
		return firstTime(record, "server_date_modified")
	}
	if has("_submission_time") && has("_uuid", "_xform_id_string", "meta/instanceID") {
		at := firstTime(record, "_last_edited", "_submission_time")
		if has("meta/deprecatedID") && !at.IsZero() {
			at = at.Add(time.Microsecond)
		}
		if gone, _ := record["_deleted"].(bool); gone && !at.IsZero() {
			at = at.Add(time.Second)
		}
		if n, _ := record["_returned"].(float64); n > 0 && !at.IsZero() {
			at = at.Add(time.Duration(n) * 2 * time.Second)
		}
		return at
	}
	return time.Time{}
}

// firstTime reads the first of some fields that holds a time; without a zone it is in UTC.
func firstTime(record map[string]any, fields ...string) time.Time {
	for _, field := range fields {
		text, _ := record[field].(string)
		for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05"} { // with fractions of a second or without
			if t, err := time.Parse(layout, text); err == nil {
				return t
			}
		}
	}
	return time.Time{}
}
