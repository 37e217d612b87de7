package tabular

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// cellFault says why the value of a cell cannot be used.
type cellFault struct{ message, hint string }

// Error gives the cause.
func (f *cellFault) Error() string { return f.message }

// number gives a number as a person sees it in the sheet, but never in powers of ten nor rounded, and
// dates in ISO. A cell that shows 25% holds 0.25, of which nothing behind it could tell.
func (w *workbook) number(raw string, style int) (string, error) {
	var s cellStyle
	if style >= 0 && style < len(w.styles) {
		s = w.styles[style]
	}
	if s.kind == styleNumber && isShortInteger(raw) {
		return raw, nil
	}
	f, err := strconv.ParseFloat(strings.TrimSpace(raw), 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return "", &cellFault{"it holds a number that cannot be read", "type it again"}
	}
	switch s.kind {
	case styleDate, styleTime, styleDateTime:
		return w.date(f, s.kind)
	case stylePadded:
		if f >= 0 && f < 1e15 && f == math.Trunc(f) {
			return fmt.Sprintf("%0*.0f", s.width, f), nil
		}
	case stylePercent:
		text, err := plainNumber(f * 100)
		return text + "%", err
	}
	return plainNumber(f)
}

// isShortInteger tells whether a number is as it should be shown: digits only, and no more than a spreadsheet keeps.
func isShortInteger(raw string) bool {
	if raw == "" || len(raw) > 15 {
		return false
	}
	for i := 0; i < len(raw); i++ {
		if raw[i] < '0' || raw[i] > '9' {
			return false
		}
	}
	return len(raw) == 1 || raw[0] != '0'
}

// plainNumber writes a number with the 15 digits that spreadsheets keep and without an exponent.
func plainNumber(f float64) (string, error) {
	if math.Abs(f) >= 1e15 {
		return "", &cellFault{"it holds a number of more than 15 digits, of which spreadsheets keep only 15",
			"format the column as text and enter the value again"}
	}
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(f, 'g', 15, 64), 64)
	if err != nil {
		return "", &cellFault{"it holds a number that cannot be read", "type it again"}
	}
	if rounded == 0 {
		return "0", nil
	}
	return strconv.FormatFloat(rounded, 'f', -1, 64), nil
}

// maxSerial is 9999-12-31, the last day that spreadsheets know.
const maxSerial = 2958466

// date makes an ISO date or time of a day count. Workbooks count from 1900 with a 29 February 1900
// that never was, or from 1904 (ECMA-376 part 1, 18.17.4.1).
func (w *workbook) date(serial float64, kind styleKind) (string, error) {
	if serial < 0 || serial >= maxSerial {
		return "", &cellFault{"it is formatted as a date and holds no date", "enter the date again, such as 2026-03-01"}
	}
	// Half a second is added against the fractions of a day that binary numbers cannot hold.
	seconds := int64(math.Floor(serial*86400 + 0.5))
	days, clock := seconds/86400, seconds%86400
	if kind == styleTime || kind == styleDateTime && days == 0 {
		// A time alone; elapsed times go beyond 24 hours.
		return fmt.Sprintf("%02d:%02d:%02d", seconds/3600, seconds/60%60, seconds%60), nil
	}
	epoch := time.Date(1899, 12, 31, 0, 0, 0, 0, time.UTC)
	switch {
	case w.date1904:
		epoch = time.Date(1904, 1, 1, 0, 0, 0, 0, time.UTC)
	case days == 60:
		return "", &cellFault{"it holds 29 February 1900, a day that never was", "enter the date again"}
	case days > 60:
		days--
	}
	at := epoch.AddDate(0, 0, int(days)).Add(time.Duration(clock) * time.Second)
	if kind == styleDate {
		return at.Format("2006-01-02"), nil
	}
	return at.Format("2006-01-02T15:04:05"), nil
}

// isoDate shortens a date cell of type d, which holds ISO 8601, to the date where it has no time.
func isoDate(raw string) string {
	raw = strings.TrimSuffix(strings.TrimSuffix(raw, "Z"), ".000")
	return strings.TrimSuffix(raw, "T00:00:00")
}
