// Package shared holds what both stores of the journal need and neither SQL nor a database decides:
// guards, and how searches go.
package shared

import (
	"fmt"
	"time"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/internal/codec"
)

// Widths are the stretches that figures are kept for, in minutes, as they are stored, with for how long each is kept.
var Widths = [...]struct {
	Minutes int64
	Keep    time.Duration
}{{1, journal.KeepMinutes}, {60, journal.KeepHours}, {24 * 60, journal.KeepDays}}

// FigureOf is whose figures a change counts in.
type FigureOf struct {
	Rule   int64 // as the store numbers it
	Server string
}

// FigureSums collects the figures of a transaction. The zero value is empty.
type FigureSums map[FigureOf]*journal.Figures

// Of gives the figures of a rule and server, to count in.
func (t FigureSums) Of(rule int64, server string) *journal.Figures {
	f := t[FigureOf{rule, server}]
	if f == nil {
		f = &journal.Figures{}
		t[FigureOf{rule, server}] = f
	}
	return f
}

// Settled counts records that came to a state. lag is of the one that waited longest, sum of all of them.
func Settled(f *journal.Figures, state int, n int64, sum, lag time.Duration) {
	switch state {
	case codec.Delivered:
		f.Delivered += n
		f.LagSum += sum
		f.LagMax = max(f.LagMax, lag)
	case codec.Failed:
		f.Failed += n
	case codec.Skipped:
		f.Skipped += n
	case codec.Superseded:
		f.Superseded += n
	}
}

// Lag is how long ago a time was; never negative, and nothing of a time that is not known.
func Lag(now, received int64) time.Duration {
	if received == 0 || received > now {
		return 0
	}
	return time.Duration(now-received) * time.Microsecond
}

// Progress counts what a file's progress adds: rows that were settled in the file, without those
// that stood as records of their own. Rows that failed have records, which are counted by
// themselves.
func Progress(received, f *journal.Figures, before, after *journal.File, lag time.Duration) {
	received.Received += max(after.Rows-before.Rows, 0)
	plain := func(x *journal.File) int64 { return x.Delivered + x.Unchanged - x.RecordsDelivered }
	if n := plain(after) - plain(before); n > 0 {
		Settled(f, codec.Delivered, n, time.Duration(n)*lag, lag)
	}
	if n := after.Skipped - after.RecordsSkipped - before.Skipped + before.RecordsSkipped; n > 0 {
		f.Skipped += n
	}
	if n := after.Superseded - after.RecordsSuperseded - before.Superseded + before.RecordsSuperseded; n > 0 {
		f.Superseded += n
	}
}

// FigureRange gives the width of a query in minutes, and the first and last stretch, in minutes since 1970.
func FigureRange(q journal.FigureQuery) (width, first, last int64, err error) {
	for _, w := range Widths {
		if time.Duration(w.Minutes)*time.Minute == q.Width {
			width = w.Minutes
		}
	}
	if width == 0 {
		return 0, 0, 0, fmt.Errorf("figures are kept by minute, hour and day, not by %s", q.Width)
	}
	last = 1 << 40
	if !q.Since.IsZero() {
		first = Stretch(codec.Micros(q.Since), width)
	}
	if !q.Until.IsZero() {
		last = Stretch(codec.Micros(q.Until)-1, width)
	}
	return width, first, last, nil
}

// Stretch gives the beginning of the stretch of so many minutes that a time in microseconds is in, in minutes.
func Stretch(micros, minutes int64) int64 {
	at := micros / 60_000_000
	return at - at%minutes
}

// StretchTime is the time of a stretch.
func StretchTime(minutes int64) time.Time { return time.Unix(minutes*60, 0).UTC() }
