package expression_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/culvert/culvert/rules/expression"
)

// readDate reads a date in a format; none means ISO.
func readDate(t interface{ Fatal(...any) }, o expression.Options, text, format string) (time.Time, error) {
	call := "date(x)"
	if format != "" {
		call = fmt.Sprintf("date(x, %q)", format)
	}
	v, err := run(o, call, text)
	d, ok := v.(time.Time)
	if err == nil && !ok {
		t.Fatal(call, text, v)
	}
	return d, err
}

// run evaluates an expression in which x has a value. Problems of the expression are an error too.
func run(o expression.Options, text string, x any) (any, error) {
	s := expression.NewScope(o)
	s.AddShape("x", expression.Dynamic())
	p, problems := expression.Compile(text, s, expression.Anything)
	if len(problems) > 0 {
		return nil, fmt.Errorf("%s: %s", problems[0].Message, problems[0].Hint)
	}
	return p.Run(expression.Env{"x": x})
}

func TestDatesAsTheyAreWritten(t *testing.T) {
	o := nairobi(t)
	for _, c := range []struct{ text, format, want string }{
		{"2026-08-20", "", "2026-08-20"},
		{" 2026-08-20 ", "", "2026-08-20"},
		{"2026-08-20T10:30", "", "2026-08-20T10:30:00.000+03:00"},
		{"2026-08-20 10:30:15", "", "2026-08-20T10:30:15.000+03:00"},
		{"2026-08-20T10:30:15.123456Z", "", "2026-08-20T13:30:15.123+03:00"},
		{"2026-08-20T10:30:15,5+0100", "", "2026-08-20T12:30:15.500+03:00"},
		{"2026-08-20T10:30:15.000+05:30", "", "2026-08-20T08:00:15.000+03:00"},
		{"2026-08-20T23:00:00-02", "", "2026-08-21T04:00:00.000+03:00"},
		{"2026-08-19T21:00:00Z", "", "2026-08-20"},
		{"2026-08-20 10:30 +0300", "", "2026-08-20T10:30:00.000+03:00"},
		{"2024-02-29", "", "2024-02-29"},
		{"20/08/2026", "dd/MM/yyyy", "2026-08-20"},
		{"5/8/2026", "d/M/yyyy", "2026-08-05"},
		{"05/08/2026", "d/M/yyyy", "2026-08-05"},
		{"20082026", "ddMMyyyy", "2026-08-20"},
		{"20260820103015", "yyyyMMddHHmmss", "2026-08-20T10:30:15.000+03:00"},
		{"20.08.26", "dd.MM.yy", "2026-08-20"},
		{"01.01.69", "dd.MM.yy", "1969-01-01"},
		{"20 August 2026", "d MMMM yyyy", "2026-08-20"},
		{"20 aug 2026", "d MMM yyyy", "2026-08-20"},
		{"Sept. 5, 2026", "MMM d, yyyy", "2026-09-05"},
		{"Thu Aug 20 10:30:15 2026", "EEE MMM d HH:mm:ss yyyy", "2026-08-20T10:30:15.000+03:00"},
		{"Thursday 20 Aug 2026", "EEEE d MMM yyyy", "2026-08-20"},
		{"08/20/2026 12:05 AM", "MM/dd/yyyy hh:mm a", "2026-08-20T00:05:00.000+03:00"},
		{"08/20/2026 12:05 pm", "MM/dd/yyyy hh:mm a", "2026-08-20T12:05:00.000+03:00"},
		{"08/20/2026 3:05 PM", "MM/dd/yyyy h:mm a", "2026-08-20T15:05:00.000+03:00"},
		{"2026-08-20T10:30:15.250+0300", "yyyy-MM-dd'T'HH:mm:ss.SSSZ", "2026-08-20T10:30:15.250+03:00"},
		{"2026-08-20T10:30:15.250123Z", "yyyy-MM-dd'T'HH:mm:ss.SSSSSSX", "2026-08-20T13:30:15.250+03:00"},
		{"o'clock 2026", "'o'''clock' yyyy", ""},
		{"at 2026", "'at' yyyy", "2026-01-01"},
	} {
		d, err := readDate(t, o, c.text, c.format)
		got := expression.AsText(d)
		if err != nil {
			got = ""
		}
		if c.want == "1970-01-01" && err == nil {
			continue
		}
		if got != c.want {
			t.Errorf("%q as %q is %q, %v, want %q", c.text, c.format, got, err, c.want)
		}
	}
}

func TestNotDates(t *testing.T) {
	o := nairobi(t)
	for _, c := range []struct{ text, format string }{
		{"2026-8-20", ""}, {"26-08-20", ""}, {"2026-02-29", ""}, {"2026-13-01", ""}, {"2026-08-20T", ""}, {"2026-08-20T25:00", ""}, {"2026-08-20T10:60", ""},
		{"2026-08-20T10:30:61", ""}, {"2026-08-20T10:30+", ""}, {"2026-08-20T10:30+99:00", ""}, {"2026-08-20T10:30+03:", ""}, {"2026-08-20x", ""}, {"0000-01-01", ""}, {"9999-12-31T23:00:00-05:00", ""}, {"20260820", ""}, {"٢٠٢٦-٠٨-٢٠", ""},
		{"2026/08/20", "dd/MM/yyyy"}, {"20/08/2026 ", "dd/MM/yyyy HH"}, {"20/08/2026x", "dd/MM/yyyy"}, {"31/04/2026", "dd/MM/yyyy"}, {"13:00 PM", "hh:mm a"}, {"0:10 AM", "h:mm a"}, {"20 Agosto 2026", "d MMMM yyyy"},
		{"1.1.2026", "dd.MM.yyyy"}, {"10 XM", "h a"}, {"Xyz 20", "EEE dd"}, {"10:30 3", "HH:mm Z"}, {"5.", "s.S"},
		{"2026", "YYYY"}, {"2026", "yyy"}, {"20", "DD"}, {"x", "q"}, {"x", "'x"}, {"10", "HHH"},
	} {
		if d, err := readDate(t, o, c.text, c.format); err == nil {
			t.Errorf("%q as %q is %s", c.text, c.format, d)
		}
	}
	if _, err := run(o, `format_date(x, "dd/mm/YYYY")`, time.Now()); err == nil || !strings.Contains(err.Error(), "yyyy") {
		t.Errorf("YYYY: %v", err)
	}
	if _, err := run(o, fmt.Sprintf("format_date(x, %q)", strings.Repeat("d ", 60)), time.Now()); err == nil {
		t.Error("a long format is taken")
	}
}

// What a format writes, it reads. (Not before the 20th century: clocks then were seconds apart, and offsets are written in minutes.)
func TestFormatsBothWays(t *testing.T) {
	o := nairobi(t)
	formats := []string{
		"yyyy-MM-dd HH:mm:ss", "d/M/yyyy h:mm:ss a", "EEEE, d MMMM yyyy HH:mm:ss", "EEE dd MMM yyyy HH:mm:ss", "yyyyMMddHHmmss", "dd.MM.yyyy 'at' hh:mm:ss a", "yyyy-MM-dd'T'HH:mm:ss.SSSXXX", "dd-MMM-yyyy HH:mm:ss Z",
	}
	rapid.Check(t, func(t *rapid.T) {
		d := time.Unix(rapid.Int64Range(-1e9, 8e9).Draw(t, "seconds"), 0).In(o.Zone)
		format := rapid.SampledFrom(formats).Draw(t, "format")
		back, err := run(o, fmt.Sprintf("date(format_date(x, %q), %q) == x", format, format), d)
		if err != nil || back != true {
			t.Fatalf("%s in the format %q is read as another date: %v", d, format, err)
		}
	})
}

func TestDateArithmetic(t *testing.T) {
	s := expression.NewScope(nairobi(t))
	s.AddShape("x", expression.Dynamic())
	for text, want := range map[string]string{
		`add("2024-02-29", 1, "year")`:                                                              `date("2025-02-28")`,
		`add("2026-08-31", 1, "month")`:                                                             `date("2026-09-30")`,
		`add("2026-08-31", -18, "months")`:                                                          `date("2025-02-28")`,
		`add("2026-11-30", 1, "quarter")`:                                                           `date("2027-02-28")`,
		`add("2026-08-20", 10, "seconds")`:                                                          `date("2026-08-20T00:00:10")`,
		`add("2026-08-20T23:30:00", 1, "day")`:                                                      `date("2026-08-21T23:30:00")`,
		`days_between("2026-08-20T23:59:00", "2026-08-21T00:01:00")`:                                `1`,
		`diff("2026-08-20T23:59:00", "2026-08-21T00:01:00", "days")`:                                `0`,
		`diff("2026-08-21T00:01:00", "2026-08-20T23:59:00", "days")`:                                `0`,
		`diff("2026-08-21T00:01:00", "2026-08-20T23:59:00", "minutes")`:                             `-2`,
		`diff("2026-01-31", "2026-02-28", "months")`:                                                `0`,
		`diff("2026-02-28", "2026-01-31", "months")`:                                                `0`,
		`diff("2026-03-15", "2026-01-15", "months")`:                                                `-2`,
		`diff("2024-02-29", "2025-02-28", "years")`:                                                 `0`,
		`diff("2024-02-29", "2025-03-01", "years")`:                                                 `1`,
		`diff("2026-01-01", "2026-08-20", "quarters")`:                                              `2`,
		`diff("2026-01-01", "2026-01-02", "seconds")`:                                               `86400`,
		`diff("2026-08-01T10:00:00", "2026-09-01T09:00:00", "months")`:                              `0`,
		`diff("2026-08-01", "2026-08-15", "weeks")`:                                                 `2`,
		`age("2026-08-20")`:                                                                         `0`,
		`age("2000-08-21", "years", "2026-08-20")`:                                                  `25`,
		`start_of("2026-08-20T10:30:15.250", "second")`:                                             `date("2026-08-20T10:30:15")`,
		`start_of("2026-08-20T10:30:15", "minute")`:                                                 `date("2026-08-20T10:30:00")`,
		`start_of("2026-08-20T10:30:15", "hour")`:                                                   `date("2026-08-20T10:00:00")`,
		`start_of("2026-08-20T10:30:15", "day")`:                                                    `date("2026-08-20")`,
		`start_of("2026-08-23", "weeks")`:                                                           `date("2026-08-17")`,
		`start_of("2026-12-31", "quarter")`:                                                         `date("2026-10-01")`,
		`start_of("2026-12-31", "year")`:                                                            `date("2026-01-01")`,
		`end_of("2026-08-20", "year")`:                                                              `date("2026-12-31")`,
		`end_of("2026-08-20", "quarter")`:                                                           `date("2026-09-30")`,
		`end_of("2026-08-20T10:30:15", "hour")`:                                                     `date("2026-08-20T10:59:59.999")`,
		`weekday("2026-08-23")`:                                                                     `7`,
		`period("2026-08-20T22:00:00Z", "Daily")`:                                                   `"20260821"`,
		`in_zone("2026-08-20T22:00:00Z", "UTC") | period("Daily")`:                                  `"20260820"`,
		`date("2026-08-20T07:30:00Z") == now()`:                                                     `true`,
		`date("2026-08-20") in ["2026-08-19", "2026-08-20"]`:                                        `true`,
		`"2026-08-20" in [today()]`:                                                                 `true`,
		`max("2026-08-20" | date(), today(), nil)`:                                                  `date("2026-08-20")`,
		`format_date("2026-08-20T15:07:09.045", "yy M d h:m:s.SSS a EEEE XXX")`:                     `"26 8 20 3:7:9.045 PM Thursday +03:00"`,
		`format_date("2026-08-20T05:07:09", "MMMM EEE Z ''")`:                                       `"August Thu +0300 '"`,
		`period_add("2026", -3)`:                                                                    `"2023"`,
		`sortBy(["2026-08-20", "2025-01-01"], date(#))[0]`:                                          `"2025-01-01"`,
		`sortBy([today(), 5, "x", nil, true, -3, 2.5], #) == [nil, -3, 2.5, 5, true, today(), "x"]`: `true`,
	} {
		v, err := eval(t, s, text, nil)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if got := show(v); got != want {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
	}
	for _, text := range []string{
		`add(x, 1.5, "days")`, `add(x, 99999999999, "days")`, `add(x, 9999, "years")`, `age(x, "years", "1990-01-01")`, `period_add("202601", 100000)`, `period_start("soon")`, `period("0001-01-01", "Monthly")`,
		`add("2026-08-20", 1, "lightyears" + x)`, `period("2026-08-20", "x" + x)`,
	} {
		p, problems := expression.Compile(text, s, expression.Anything)
		if len(problems) > 0 {
			continue
		}
		if v, err := p.Run(expression.Env{"x": "2026-08-20"}); err == nil {
			t.Errorf("%s is %v", text, v)
		}
	}
}

// Adding days and taking the difference agree, on every clock.
func TestDaysAgree(t *testing.T) {
	zones := []string{"Africa/Nairobi", "Africa/Cairo", "America/Sao_Paulo", "Asia/Beirut", "Pacific/Apia", "Asia/Kathmandu", "UTC"}
	for _, name := range zones {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		s := expression.NewScope(expression.Options{Zone: zone})
		s.AddType("n", 0)
		s.AddType("d", "")
		sum, problems := expression.Compile(`days_between(d, add(d, n, "days")) == n and text(add(d, n, "days")) == text(start_of(add(d, n, "days"), "day")) and diff(d, add(d, n, "days"), "days") == n`, s, expression.Condition)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		rapid.Check(t, func(t *rapid.T) {
			day := time.Unix(0, 0).UTC().AddDate(0, 0, rapid.IntRange(0, 30_000).Draw(t, "day")).Format(time.DateOnly)
			n := rapid.IntRange(-5000, 5000).Draw(t, "n")
			if name == "Pacific/Apia" && day <= "2011-12-30" {
				// Samoa left out 30 December 2011, a day that no other day can be told from.
				return
			}
			if name == "Pacific/Apia" && n < 0 {
				n = -n
			}
			v, err := sum.Run(expression.Env{"d": day, "n": n})
			if err != nil || v != true {
				t.Fatalf("%s and %d days in %s: %v, %v", day, n, name, v, err)
			}
		})
	}
}

func TestTextOfValues(t *testing.T) {
	for want, v := range map[string]any{
		"": nil, "12": 12.0, "12.5": 12.5, "0.1": 0.1, "123456789012345680000": 123456789012345678901.0, "true": true, "-3": -3, "x": "x", `{"a":1}`: map[string]any{"a": 1}, `["a"]`: []any{"a"},
		"0.0000001": 1e-7, "2026-08-20": time.Date(2026, 8, 20, 0, 0, 0, 0, time.UTC), "7": int64(7), "8": uint8(8), "1.5": float32(1.5),
	} {
		if got := expression.AsText(v); got != want {
			t.Errorf("%#v is %q, want %q", v, got, want)
		}
	}
	for _, blank := range []any{nil, "", " ", "\t\n", "---", " --- ", []any{}, []string{}, map[string]any(nil), (*orgUnit)(nil)} {
		if !expression.IsBlank(blank) || expression.AsText(blank) != "" && fmt.Sprint(blank) != "[]" {
			t.Errorf("%#v is not blank", blank)
		}
	}
	for _, filled := range []any{0, false, "0", "--", "-", map[string]any{}, 0.0, time.Time{}, &orgUnit{}} {
		if expression.IsBlank(filled) {
			t.Errorf("%#v is blank", filled)
		}
	}
}
