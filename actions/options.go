package actions

import "time"

// Options are what kinds of actions need besides what they write to.
type Options struct {
	Project string // namespace of all derived ids
	// Legacy tells of a namespace of records whether its ids are the project's: they were sent before
	// there were namespaces. nil: of none.
	Legacy func(namespace string) bool
	Now    func() time.Time // nil means time.Now
	Zone   *time.Location   // of dates and times of day without a zone; nil means UTC
}
