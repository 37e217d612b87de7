// Package tabular reads tables as streams of records: CSV, xlsx, JSON, NDJSON, and zip or gzip of
// them. It knows no folder: what opens a table gives a path or bytes, and every row comes as a
// record with its place, or as an error with place, cause and fix; reading goes on behind a bad
// row.
//
// The repeat groups of CommCare's, KoboToolbox's and ODK Central's exports, which are tables of
// their own, are put back into the records that they belong to.
package tabular
