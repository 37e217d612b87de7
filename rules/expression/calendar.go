package expression

import (
	"errors"
	"time"

	"github.com/culvert/culvert/rules/dateformat"
)

// moved is a date n units later. Units of a day and longer go by the calendar; a date without a time stays one.
func moved(t time.Time, n int, u unit) time.Time {
	switch u {
	case "second":
		return later(t, n)
	case "minute":
		return later(t, n*60)
	case "hour":
		return later(t, n*3600)
	case "day":
		return civil(t, 0, n)
	case "week":
		return civil(t, 0, 7*n)
	case "quarter":
		return civil(t, 3*n, 0)
	case "year":
		return civil(t, 12*n, 0)
	}
	return civil(t, n, 0)
}

// later is exact, and does not overflow as durations do after 292 years.
func later(t time.Time, seconds int) time.Time {
	return time.Unix(t.Unix()+int64(seconds), int64(t.Nanosecond())).In(t.Location())
}

// civil adds months, then days, on the calendar. A month that is too short gives its last day.
func civil(t time.Time, months, days int) time.Time {
	y, m, d := t.Date()
	first := time.Date(y, m+time.Month(months), 1, 0, 0, 0, 0, time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	day := first.AddDate(0, 0, min(d, last)-1+days)
	if isStartOfDay(t) {
		return dateformat.DayStart(day.Year(), day.Month(), day.Day(), t.Location())
	}
	return time.Date(day.Year(), day.Month(), day.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), t.Location())
}

// daysBetween counts midnights on the calendar, whatever clocks did in between.
func daysBetween(from, to time.Time) int {
	return int((civilDay(to).Unix() - civilDay(from).Unix()) / (24 * 3600))
}

func civilDay(t time.Time) time.Time {
	y, m, d := t.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

// between counts whole units from one date to another. Months and years are whole when the day of
// the month is reached again, as DHIS2's own functions count them.
func between(from, to time.Time, u unit) int {
	switch u {
	case "second":
		return int((to.UnixMilli() - from.UnixMilli()) / 1000)
	case "minute":
		return int((to.UnixMilli() - from.UnixMilli()) / 60_000)
	case "hour":
		return int((to.UnixMilli() - from.UnixMilli()) / 3_600_000)
	case "day":
		return wholeDays(from, to)
	case "week":
		return wholeDays(from, to) / 7
	case "quarter":
		return monthsBetween(from, to) / 3
	case "year":
		return monthsBetween(from, to) / 12
	}
	return monthsBetween(from, to)
}

func wholeDays(from, to time.Time) int {
	n := daysBetween(from, to)
	switch c := clock(to) - clock(from); {
	case n > 0 && c < 0:
		n--
	case n < 0 && c > 0:
		n++
	}
	return n
}

// clock is the time of day; none for a date without a time, also where its day begins at one o'clock.
func clock(t time.Time) time.Duration {
	if isStartOfDay(t) {
		return 0
	}
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute +
		time.Duration(t.Second())*time.Second + time.Duration(t.Nanosecond())
}

func monthsBetween(from, to time.Time) int {
	n := (to.Year()-from.Year())*12 + int(to.Month()) - int(from.Month())
	c := to.Day() - from.Day()
	if c == 0 {
		c = int(clock(to) - clock(from))
	}
	switch {
	case n > 0 && c < 0:
		n--
	case n < 0 && c > 0:
		n++
	}
	return n
}

func startOf(t time.Time, u unit) time.Time {
	y, m, d := t.Date()
	switch u {
	case "second":
		return t.Truncate(time.Second)
	case "minute":
		return t.Truncate(time.Minute)
	case "hour":
		return t.Add(-time.Duration(t.Minute())*time.Minute - time.Duration(t.Second())*time.Second - time.Duration(
			t.Nanosecond()))
	case "week":
		d -= (int(t.Weekday()) + 6) % 7
	case "month":
		d = 1
	case "quarter":
		m, d = m-(m-1)%3, 1
	case "year":
		m, d = time.January, 1
	}
	return dateformat.DayStart(y, m, d, t.Location())
}

func endOf(t time.Time, u unit) time.Time {
	start := startOf(t, u)
	switch u {
	case "second", "minute", "hour", "day":
		return moved(start, 1, u).Add(-time.Millisecond)
	}
	return civil(moved(start, 1, u), 0, -1)
}

func startOfDay(t time.Time) time.Time {
	y, m, d := t.Date()
	return dateformat.DayStart(y, m, d, t.Location())
}

// parseISO reads a date that is not described by a format.
func parseISO(s string, zone *time.Location) (time.Time, error) {
	t, err := dateformat.ParseISO(s, zone)
	if err != nil && !errors.Is(err, dateformat.ErrNoSuchDay) {
		return t, fail(CodeWrongValue, err.Error(), `date(text, "dd/MM/yyyy") reads another format`)
	}
	return t, err
}
