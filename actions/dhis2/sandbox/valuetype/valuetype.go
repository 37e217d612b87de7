package valuetype

import (
	"cmp"
	"math"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/publicsuffix"

	"github.com/culvert/culvert/actions/dhis2/sandbox/dates"
	"github.com/culvert/culvert/actions/dhis2/sandbox/ids"
)

const (
	MaxDataValue      = 50000 // characters of a data value (DHIS2 ValidationUtils)
	MaxAttributeValue = 1200  // characters of a tracked entity attribute's value (DHIS2 tracker Constant)
	MaxComment        = 50000
	MaxCommentNew     = 5000 // from 2.43 on
)

var (
	numberForm   = regexp.MustCompile(`^(-?0|-?[1-9]\d*)(\.\d+)?$`)
	integerForm  = regexp.MustCompile(`^(0|-?[1-9]\d*)$`)
	positiveForm = regexp.MustCompile(`^[1-9]\d*$`)
	negativeForm = regexp.MustCompile(`^-[1-9]\d*$`)
	zeroUpForm   = regexp.MustCompile(`^0$|^[1-9]\d*$`)
	dateForm     = regexp.MustCompile(`^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[0-2])(.*\w)?$`)
	timeForm     = regexp.MustCompile(`^([0-9]|0[0-9]|1[0-9]|2[0-3]):[0-5][0-9]$`)
	phoneForm    = regexp.MustCompile(`^[0-9+\(\)#\.\s\/ext-]{6,50}$`)
	userForm     = regexp.MustCompile(`^[a-zA-Z0-9]([-_.@]?[a-zA-Z0-9]+)*$`)
	mailboxForm  = regexp.MustCompile(`^(((\\.|[^\s\x00-\x1f\x7f()<>@,;:'\\".\[\]])|')+|"(\\"|[^"])*")` +
		`(\.(((\\.|[^\s\x00-\x1f\x7f()<>@,;:'\\".\[\]])|')+|"(\\"|[^"])*"))*$`)
	hostForm  = regexp.MustCompile(`^([a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?\.)+[a-zA-Z]{2,}\.?$`)
	stampForm = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}T\d{2}(:\d{2}(:\d{2}(\.\d+)?)?)?(Z|[+-]\d{2}(:?\d{2})?)?$|` +
		`^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}(Z|[+-]\d{2}:?\d{2})$`)
)

// Misfit says why a value does not have its type, as DHIS2 names it; empty when it fits. An empty
// value fits every type (DHIS2 ValidationUtils.valueIsValid).
func Misfit(value, valueType string) string {
	if strings.TrimSpace(value) == "" || valueType == "" {
		return ""
	}
	if len(value) > MaxDataValue {
		return "value_length_greater_than_max_length"
	}
	if check, ok := valueChecks[valueType]; ok && !check.fits(value) {
		return check.reason
	}
	return ""
}

var valueChecks = map[string]struct {
	fits   func(string) bool
	reason string
}{
	"LETTER":           {isLetter, "value_not_valid_letter"},
	"NUMBER":           {isNumeric, "value_not_numeric"},
	"UNIT_INTERVAL":    {func(s string) bool { return within(s, 0, 1) }, "value_not_unit_interval"},
	"PERCENTAGE":       {func(s string) bool { return within(s, 0, 100) }, "value_not_percentage"},
	"INTEGER":          {func(s string) bool { return isInteger(s, integerForm) }, "value_not_integer"},
	"INTEGER_POSITIVE": {func(s string) bool { return isInteger(s, positiveForm) }, "value_not_positive_integer"},
	"INTEGER_NEGATIVE": {func(s string) bool { return isInteger(s, negativeForm) }, "value_not_negative_integer"},
	"INTEGER_ZERO_OR_POSITIVE": {func(s string) bool { return isInteger(s, zeroUpForm) },
		"value_not_zero_or_positive_integer"},
	"BOOLEAN": {func(s string) bool {
		return strings.EqualFold(s, "true") ||
			strings.EqualFold(s, "false")
	}, "value_not_bool"},
	"TRUE_ONLY":         {func(s string) bool { return strings.EqualFold(s, "true") }, "value_not_true_only"},
	"DATE":              {isDate, "value_not_valid_date"},
	"AGE":               {isDate, "value_not_valid_age"},
	"DATETIME":          {isStamp, "value_not_valid_datetime"},
	"TIME":              {timeForm.MatchString, "value_not_valid_time"},
	"PHONE_NUMBER":      {phoneForm.MatchString, "value_not_phone_number"},
	"EMAIL":             {isEmail, "value_not_valid_email"},
	"URL":               {isURL, "value_not_url"},
	"USERNAME":          {isUsername, "value_not_valid_username"},
	"COORDINATE":        {isCoordinate, "value_not_coordinate"},
	"ORGANISATION_UNIT": {ids.Valid, "value_not_valid_organisation_unit"},
	"FILE_RESOURCE":     {ids.Valid, "value_not_valid_file_resource_uid"},
	"IMAGE":             {ids.Valid, "value_not_valid_image_uid"},
}

func isLetter(s string) bool {
	r, size := utf8.DecodeRuneInString(s)
	return size == len(s) && r <= 0xffff && unicode.IsLetter(r) // of any script
}

func isNumeric(s string) bool {
	return len(s) < 250 && numberForm.MatchString(s)
}

func within(s string, low, high float64) bool {
	f, err := strconv.ParseFloat(s, 64)
	return err == nil && isNumeric(s) && f >= low && f <= high
}

func isInteger(s string, form *regexp.Regexp) bool {
	if !form.MatchString(s) {
		return false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return err == nil && n >= math.MinInt32 && n <= math.MaxInt32
}

func isDate(s string) bool {
	if !dateForm.MatchString(s) {
		return false
	}
	_, err := time.Parse("2006-01-02", s[:10])
	return err == nil
}

func isStamp(s string) bool {
	if !stampForm.MatchString(s) {
		return false
	}
	if _, ok := dates.Parse(strings.Replace(s, " ", "T", 1)); !ok {
		return false
	}
	return true
}

// isEmail follows commons-validator, which DHIS2 asks: the last @ counts, and the domain must end in one that exists.
func isEmail(s string) bool {
	at := strings.LastIndexByte(s, '@')
	if at <= 0 || at > 64 || !mailboxForm.MatchString(s[:at]) {
		return false
	}
	domain := s[at+1:]
	if inner, ok := strings.CutPrefix(domain, "["); ok {
		ip := net.ParseIP(strings.TrimPrefix(strings.TrimSuffix(inner, "]"), "IPv6:"))
		return strings.HasSuffix(inner, "]") && ip != nil
	}
	return isDomain(domain) && !strings.HasSuffix(domain, ".")
}

// isDomain tells whether a name is a domain below one of the top level domains that exist.
func isDomain(s string) bool {
	if len(s) > 253 || !hostForm.MatchString(s) {
		return false
	}
	s = strings.TrimSuffix(strings.ToLower(s), ".")
	_, exists := publicsuffix.PublicSuffix(s[strings.LastIndexByte(s, '.')+1:])
	return exists
}

func isURL(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || strings.ContainsAny(s, " \t\n") {
		return false
	}
	switch strings.ToLower(u.Scheme) {
	case "http", "https", "ftp":
	default:
		return false
	}
	host := u.Hostname()
	if ip := strings.Split(host, "."); len(ip) == 4 && isInteger(ip[3], zeroUpForm) {
		for _, part := range ip {
			n, err := strconv.Atoi(part)
			if err != nil || n > 255 {
				return false
			}
		}
		return true
	}
	return isDomain(host)
}

func isUsername(s string) bool {
	return len(s) >= 4 && len(s) <= 255 && userForm.MatchString(s)
}

// isCoordinate: longitude and latitude in brackets; blanks anywhere and what follows a second comma
// are not looked at (DHIS2 MathUtils).
func isCoordinate(s string) bool {
	s = strings.Join(strings.Fields(s), "")
	if len(s) < 5 || s[0] != '[' || strings.IndexByte(s, ']') != len(s)-1 {
		return false
	}
	parts := strings.Split(s[1:len(s)-1], ",")
	if len(parts) < 2 {
		return false
	}
	x, err1 := strconv.ParseFloat(parts[0], 32)
	y, err2 := strconv.ParseFloat(parts[1], 32)
	return err1 == nil && err2 == nil && x >= -180 && x <= 180 && y >= -90 && y <= 90
}

// SplitMulti splits the value of a MULTI_TEXT element as Java does: empty parts at its end are none
// (DHIS2 ValueType.splitMultiText).
func SplitMulti(value string) []string {
	if value == "" {
		return []string{""}
	}
	parts := strings.Split(value, ",")
	for len(parts) > 0 && parts[len(parts)-1] == "" {
		parts = parts[:len(parts)-1]
	}
	return parts
}

func Numeric(t string) bool {
	return t == "NUMBER" || strings.HasPrefix(t, "INTEGER") || t == "PERCENTAGE" || t == "UNIT_INTERVAL"
}

// Compare orders numbers as numbers and everything else, dates among it, as text.
func Compare(a, b string) int {
	x, err1 := strconv.ParseFloat(a, 64)
	y, err2 := strconv.ParseFloat(b, 64)
	if err1 != nil || err2 != nil {
		return strings.Compare(a, b)
	}
	return cmp.Compare(x, y)
}
