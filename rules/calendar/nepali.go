package calendar

import "strings"

// The years of the Nepali calendar (Bikram Sambat) that DHIS2 knows: its NepaliCalendar has a
// table, since the lengths of months follow the sky and no formula. Other tables differ in single
// months of recent years; what is sent to DHIS2 has to be as DHIS2 counts.
const (
	nepaliFirst = 1970
	nepaliLast  = 2100
)

// nepaliMonths holds the lengths of the twelve months of each year, less 29 days.
var nepaliMonths = strings.Fields(
	"223222101011 223231101011 232321110012 132321110102 133222101011 223321101011 " +
		"232321110012 132322010102 223222101011 223321101011 232321110012 222322011011 " +
		"223222101011 223321101011 232321110012 222322011011 223222101011 232321101011 " +
		"232321110012 222322101011 223222101011 232321110011 232321110102 222322101011 " +
		"223222101011 232321110011 232321110102 223222101011 223222101011 232321110012 " +
		"132321110102 223222101011 223321101011 232321110012 132321110102 223222101011 " +
		"223321101011 232321110012 222322011002 223222101011 223321101011 232321110012 " +
		"222322011011 223222101011 223321101011 232321110012 222322011011 223222101011 " +
		"232321101011 232321110102 222322101011 223222101011 232321110011 232321110102 " +
		"222322101011 223222101011 232321110012 132321110102 223222101011 223231101011 " +
		"232321110012 132321110102 223222101011 223321101011 232321110012 132322011002 " +
		"223222101011 223321101011 232321110012 222322011011 223222101011 223321101011 " +
		"232321110012 222322011011 223222101011 232321101011 232321110012 222322101011 " +
		"223222101011 232321110011 232321110102 222322101011 223222101011 232321110011 " +
		"232321110102 223222101011 223231101011 232321110012 132321110102 223222101011 " +
		"223321101011 232321110012 132322010102 223222101011 223321101011 232321110012 " +
		"222322011002 223222101011 223321101011 232321110012 222322011011 223222101011 " +
		"232321101011 232321110012 222322101011 223222101011 232321110011 232321110102 " +
		"222322101011 223222101011 232321110011 232321110102 223222101011 223222101011 " +
		"223221110111 232312110111 132321110111 223222110111 123312110111 132321110111 " +
		"132321110111 223222110111 223321110111 232321110111 223221110111 223222101111 " +
		"123321101011 232321110111 223222010112 223222100111 232312101011")

// nepaliStart is the first day of BS 1970, as a number of days: BS 2000-01-01 is 14 April 1943.
var nepaliStart = func() int {
	day := gregorianDay(1943, 4, 14)
	for year := nepaliFirst; year < 2000; year++ {
		day -= nepaliYear(year)
	}
	return day
}()

func nepaliMonth(year, month int) int { return 29 + int(nepaliMonths[year-nepaliFirst][month-1]-'0') }

func nepaliYear(year int) int {
	days := 0
	for month := 1; month <= 12; month++ {
		days += nepaliMonth(year, month)
	}
	return days
}

func nepaliFrom(day int) (Date, bool) {
	left := day - nepaliStart
	if left < 0 {
		return Date{}, false
	}
	for year := nepaliFirst; year <= nepaliLast; year++ {
		if n := nepaliYear(year); left >= n {
			left -= n
			continue
		}
		for month := 1; ; month++ {
			n := nepaliMonth(year, month)
			if left < n {
				return Date{year, month, left + 1}, true
			}
			left -= n
		}
	}
	return Date{}, false
}

func nepaliDay(d Date) (int, bool) {
	if d.Year < nepaliFirst || d.Year > nepaliLast || d.Month < 1 || d.Month > 12 || d.Day < 1 ||
		d.Day > nepaliMonth(d.Year, d.Month) {
		return 0, false
	}
	day := nepaliStart
	for year := nepaliFirst; year < d.Year; year++ {
		day += nepaliYear(year)
	}
	for month := 1; month < d.Month; month++ {
		day += nepaliMonth(d.Year, month)
	}
	return day + d.Day - 1, true
}
