package dateformat_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/culvert/culvert/rules/dateformat"
)

func nairobi(t testing.TB) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Africa/Nairobi")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// read reads a date in a format; none means ISO.
func read(text, format string, zone *time.Location) (time.Time, error) {
	if format == "" {
		return dateformat.ParseISO(text, zone)
	}
	f, err := dateformat.Compile(format)
	if err != nil {
		return time.Time{}, err
	}
	return f.Parse(text, zone)
}

func TestDatesAsTheyAreWritten(t *testing.T) {
	zone := nairobi(t)
	for _, c := range []struct{ text, format, want string }{
		{"2026-08-20", "", "2026-08-20T00:00:00.000+03:00"},
		{" 2026-08-20 ", "", "2026-08-20T00:00:00.000+03:00"},
		{"2026-08-20T10:30", "", "2026-08-20T10:30:00.000+03:00"},
		{"2026-08-20 10:30:15", "", "2026-08-20T10:30:15.000+03:00"},
		{"2026-08-20T10:30:15.123456Z", "", "2026-08-20T13:30:15.123+03:00"},
		{"2026-08-20T10:30:15,5+0100", "", "2026-08-20T12:30:15.500+03:00"},
		{"2026-08-20T10:30:15.000+05:30", "", "2026-08-20T08:00:15.000+03:00"},
		{"2026-08-20T23:00:00-02", "", "2026-08-21T04:00:00.000+03:00"},
		{"2026-08-19T21:00:00Z", "", "2026-08-20T00:00:00.000+03:00"},
		{"2026-08-20 10:30 +0300", "", "2026-08-20T10:30:00.000+03:00"},
		{"2024-02-29", "", "2024-02-29T00:00:00.000+03:00"},
		{"20/08/2026", "dd/MM/yyyy", "2026-08-20T00:00:00.000+03:00"},
		{"5/8/2026", "d/M/yyyy", "2026-08-05T00:00:00.000+03:00"},
		{"05/08/2026", "d/M/yyyy", "2026-08-05T00:00:00.000+03:00"},
		{"20082026", "ddMMyyyy", "2026-08-20T00:00:00.000+03:00"},
		{"20260820103015", "yyyyMMddHHmmss", "2026-08-20T10:30:15.000+03:00"},
		{"20.08.26", "dd.MM.yy", "2026-08-20T00:00:00.000+03:00"},
		{"20.08.45", "dd.MM.yy{1930}", "1945-08-20T00:00:00.000+03:00"},
		{"20.08.29", "dd.MM.yy{1930}", "2029-08-20T00:00:00.000+03:00"},
		{"20.08.30", "dd.MM.yy{1930}", "1930-08-20T00:00:00.000+02:30"},
		{"01.01.69", "dd.MM.yy", "1969-01-01T00:00:00.000+03:00"},
		{"20 August 2026", "d MMMM yyyy", "2026-08-20T00:00:00.000+03:00"},
		{"20 aug 2026", "d MMM yyyy", "2026-08-20T00:00:00.000+03:00"},
		{"Sept. 5, 2026", "MMM d, yyyy", "2026-09-05T00:00:00.000+03:00"},
		{"Thu Aug 20 10:30:15 2026", "EEE MMM d HH:mm:ss yyyy", "2026-08-20T10:30:15.000+03:00"},
		{"Thursday 20 Aug 2026", "EEEE d MMM yyyy", "2026-08-20T00:00:00.000+03:00"},
		{"08/20/2026 12:05 AM", "MM/dd/yyyy hh:mm a", "2026-08-20T00:05:00.000+03:00"},
		{"08/20/2026 12:05 pm", "MM/dd/yyyy hh:mm a", "2026-08-20T12:05:00.000+03:00"},
		{"08/20/2026 3:05 PM", "MM/dd/yyyy h:mm a", "2026-08-20T15:05:00.000+03:00"},
		{"2026-08-20T10:30:15.250+0300", "yyyy-MM-dd'T'HH:mm:ss.SSSZ", "2026-08-20T10:30:15.250+03:00"},
		{"2026-08-20T10:30:15.250123Z", "yyyy-MM-dd'T'HH:mm:ss.SSSSSSX", "2026-08-20T13:30:15.250+03:00"},
		{"o'clock 2026", "'o'''clock' yyyy", ""},
		{"at 2026", "'at' yyyy", "2026-01-01T00:00:00.000+03:00"},
	} {
		d, err := read(c.text, c.format, zone)
		got := d.Format("2006-01-02T15:04:05.000Z07:00")
		if err != nil {
			got = ""
		}
		if got != c.want {
			t.Errorf("%q as %q is %q, %v, want %q", c.text, c.format, got, err, c.want)
		}
	}
}

func TestNotDates(t *testing.T) {
	zone := nairobi(t)
	for _, c := range []struct{ text, format string }{
		{"2026-8-20", ""}, {"26-08-20", ""}, {"2026-02-29", ""}, {"2026-13-01", ""}, {"2026-08-20T", ""},
		{"2026-08-20T25:00", ""}, {"2026-08-20T10:60", ""},
		{"2026-08-20T10:30:61", ""}, {"2026-08-20T10:30+", ""}, {"2026-08-20T10:30+99:00", ""}, {"2026-08-20T10:30+03:", ""},
		{"2026-08-20x", ""}, {"0000-01-01", ""}, {"9999-12-31T23:00:00-05:00", ""}, {"20260820", ""}, {"٢٠٢٦-٠٨-٢٠", ""},
		{"2026/08/20", "dd/MM/yyyy"}, {"20/08/2026 ", "dd/MM/yyyy HH"}, {"20/08/2026x", "dd/MM/yyyy"},
		{"31/04/2026", "dd/MM/yyyy"}, {"13:00 PM", "hh:mm a"}, {"0:10 AM", "h:mm a"}, {"20 Agosto 2026", "d MMMM yyyy"},
		{"1.1.2026", "dd.MM.yyyy"}, {"10 XM", "h a"}, {"Xyz 20", "EEE dd"}, {"10:30 3", "HH:mm Z"}, {"5.", "s.S"},
		{"26", "yy{30}"}, {"26", "yy{193x}"}, {"2026", "YYYY"}, {"2026", "yyy"}, {"20", "DD"}, {"x", "q"}, {"x", "'x"},
		{"10", "HHH"},
	} {
		if d, err := read(c.text, c.format, zone); err == nil {
			t.Errorf("%q as %q is %s", c.text, c.format, d)
		}
	}
	if _, err := dateformat.Compile("dd/mm/YYYY"); err == nil || !strings.Contains(err.(*dateformat.Error).Hint, "yyyy") {
		t.Errorf("YYYY: %v", err)
	}
	for _, pattern := range []string{"", strings.Repeat("d ", 60)} {
		if _, err := dateformat.Compile(pattern); err == nil {
			t.Errorf("the format %q is taken", pattern)
		}
	}
}

// What a format writes, it reads. (Not before the 20th century: clocks then were seconds apart, and
// offsets are written in minutes.)
func TestFormatsBothWays(t *testing.T) {
	zone := nairobi(t)
	formats := []string{
		"yyyy-MM-dd HH:mm:ss", "d/M/yyyy h:mm:ss a", "EEEE, d MMMM yyyy HH:mm:ss", "EEE dd MMM yyyy HH:mm:ss",
		"yyyyMMddHHmmss", "dd.MM.yyyy 'at' hh:mm:ss a", "yyyy-MM-dd'T'HH:mm:ss.SSSXXX", "dd-MMM-yyyy HH:mm:ss Z",
	}
	rapid.Check(t, func(t *rapid.T) {
		d := time.Unix(rapid.Int64Range(-1e9, 8e9).Draw(t, "seconds"), 0).In(zone)
		format := rapid.SampledFrom(formats).Draw(t, "format")
		f, err := dateformat.Compile(format)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := f.Parse(f.Write(d), zone); err != nil || !back.Equal(d) {
			t.Fatalf("%s is written %q and read %s, %v", d, f.Write(d), back, err)
		}
	})
}

func TestDayStart(t *testing.T) {
	for _, c := range []struct{ zone, day, want string }{
		{"Africa/Nairobi", "2026-08-20", "2026-08-20T00:00:00+03:00"},
		{"Africa/Cairo", "2024-04-26", "2024-04-26T01:00:00+03:00"},      // clocks went from midnight to one
		{"America/Sao_Paulo", "2018-11-04", "2018-11-04T01:00:00-02:00"}, // the same, west of Greenwich
		{"Pacific/Apia", "2011-12-31", "2011-12-31T00:00:00+14:00"},      // the day before did not exist
	} {
		zone, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		d, err := time.Parse(time.DateOnly, c.day)
		if err != nil {
			t.Fatal(err)
		}
		if got := dateformat.DayStart(d.Year(), d.Month(), d.Day(), zone).Format(time.RFC3339); got != c.want {
			t.Errorf("%s begins at %s in %s, want %s", c.day, got, c.zone, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{"2026-08-20", "2026-08-20T10:30:00.5+03:00", "20 Aug 2026 3:04 PM",
		"9999-12-31T23:00:00-05:00", "+", ""} {
		f.Add(text, "")
		f.Add(text, "dd MMM yyyy h:mm a")
		f.Add(text, "yyyyMMdd'T'HHmmss.SSSXXX")
	}
	zone := nairobi(f)
	f.Fuzz(func(t *testing.T, text, format string) {
		d, err := read(text, format, zone)
		var own *dateformat.Error
		switch {
		case err != nil && !errors.As(err, &own):
			t.Fatalf("%q by %q: %v", text, format, err)
		case err == nil && (d.Year() < 1 || d.Year() > 9999):
			t.Fatalf("%q by %q is %s", text, format, d)
		}
	})
}
