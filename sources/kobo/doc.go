// Package kobo pulls the submissions of a KoboToolbox project by its API (version 2), from where
// the last pull ended, and reconciles with what its REST service posted.
//
// What is new is exact: `_id` grows, and nothing is asked for twice but the last few minutes.
// KoboToolbox tells of no change, so at longer intervals the whole project is listed by what
// identifies a version of a submission (`_uuid`, which an edit changes, and the validation status),
// compared with what was seen, and only what differs is asked for. What is no longer listed was
// deleted. Sources: kpi, kobo/apps/openrosa (deployment backends, loggers) and kpi/paginators.py.
package kobo
