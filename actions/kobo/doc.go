// Package kobo is the action kobo.validation_status: whether a submission was taken is marked on it
// in KoboToolbox.
package kobo
