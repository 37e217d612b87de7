package rules

import (
	"errors"
	"strings"
)

// maxFaults is how much of what is wrong with one record is told at once.
const maxFaults = 10

// CollectFailures has Keep take failures instead of giving them back, until Reset. Whoever asks for
// it must ask Kept before using what was evaluated.
func (s *Scope) CollectFailures() { s.collects = true }

// Keep takes the failure of a part of the record and lets evaluation go on, so that a person learns
// at once of all that is wrong. It gives back what it does not take: errors that are no failure,
// failures that skip the record, and everything while failures are not collected.
func (s *Scope) Keep(err error) error {
	var f *Failure
	if err == nil || !s.collects || !errors.As(err, &f) || f.Skip {
		return err
	}
	own := *f
	s.rule.NameColumn(&own)
	if len(s.path) > 0 && !strings.Contains(own.Message, "(item ") {
		own.Message = s.inItem(own.Message)
	}
	s.taken++
	s.keep(&own)
	return nil
}

func (s *Scope) keep(f *Failure) {
	for _, known := range s.kept {
		if known.tells(f) {
			return
		}
	}
	if len(s.kept) < maxFaults {
		s.kept = append(s.kept, f)
	}
	for _, more := range f.More {
		s.keep(more)
	}
}

// tells tells whether whoever corrects what a failure says has corrected another one, too: the same
// lookup, read in several places, and one cell that several fields read.
func (f *Failure) tells(other *Failure) bool {
	cell := f.Column != "" && f.Column == other.Column
	if cell && f.ofBlank() && other.ofBlank() {
		return true
	}
	return f.Code == other.Code && f.Message == other.Message &&
		(f.Place == other.Place || cell && f.Value == other.Value)
}

func (f *Failure) ofBlank() bool { return f.Code == "blank-id" || f.Code == "blank-value" }

// Leave takes the failure of a value that is left out, as the rule says, and lets the record go on
// without it. It gives back what is no failure.
func (s *Scope) Leave(err error) error {
	var f *Failure
	if err == nil || !errors.As(err, &f) || f.Skip {
		return err
	}
	s.leave(f, f.Note)
	return nil
}

// Remark keeps what is doubtful about a value that is sent all the same.
func (s *Scope) Remark(f *Failure) { s.leave(f, true) }

func (s *Scope) leave(f *Failure, note bool) {
	own := *f
	own.Note = note
	s.rule.NameColumn(&own)
	if len(s.path) > 0 && !strings.Contains(own.Message, "(item ") {
		own.Message = s.inItem(own.Message)
	}
	if len(s.left) < maxFaults {
		s.left = append(s.left, &own)
	}
}

// Left lists the values that were left out because they did not fit, and those of which something
// is to be said though they were sent (Failure.Note).
func (s *Scope) Left() []*Failure { return s.left }

// KeptCount tells how many failures were taken so far, one that was known already included.
func (s *Scope) KeptCount() int { return s.taken }

// Kept gives what was taken as one failure, the first with the others behind it; nil when nothing was.
func (s *Scope) Kept() *Failure {
	if len(s.kept) == 0 {
		return nil
	}
	first := *s.kept[0]
	first.More = nil
	for _, f := range s.kept[1:] {
		own := *f
		own.More = nil
		first.More = append(first.More, &own)
	}
	return &first
}
