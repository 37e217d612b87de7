// Package analytics answers what the sandbox aggregates: totals of data values by data element, period and org unit,
// as they were when the analytics tables were last made.
//
// It sums, counts and compares; indicators, program indicators, data elements of programs, reporting rates and averages
// over time it does not compute, and says so. It may use the rooms below rest; no other room uses it but api.
// Sources: dhis2-core 2.42 and 2.43, DefaultDataQueryService, DefaultQueryValidator, JdbcAnalyticsManager.
package analytics
