// Package odk pulls the submissions of a form from the OData feed of ODK Central: what came, what
// was edited or reviewed, and what was deleted since the last pull, with repeats as lists.
//
// Central lists the newest first, page by page behind a $skiptoken that stays the same while others
// arrive, and updatedAt is null until the first edit: so one filter asks for what came or changed
// since, and the records are handed over in the order of their changes once the list is complete.
// Sources: getodk/central-backend, lib/data/odata.js, lib/data/odata-filter.js,
// lib/model/query/submissions.js.
package odk
