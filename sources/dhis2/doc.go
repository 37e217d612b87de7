// Package dhis2 reads what one DHIS2 server holds, for rules that write it to another: events and
// tracked entities as they change, the values of a data set as they are entered, and analytics.
//
// Tracker lists are read in the order of their last change, always the first page of what changed
// since the last object that was handed over: what changes meanwhile moves to the end and is met
// again, so that no page shifts under the reader. An hour is read again on each pull, for
// transactions become visible later than the times that they carry; what was seen before is recognised.
//
// Up to 2.40 lists are asked for with orgUnit, ouMode and skipPaging and come as "instances"; from
// 2.41 on with orgUnits, orgUnitMode and paging, and come under their own names. From 2.43 on lists of
// events need a program, and data values a period even where lastUpdated is given.
// Sources: dhis2-core, *RequestParams of the tracker's export, DataExportParams.
package dhis2
