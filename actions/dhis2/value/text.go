package value

import (
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/publicsuffix"
)

// textRule is how DHIS2 checks a type by its characters.
type textRule struct {
	fits          func(string) bool
	message, hint string
}

// The patterns are DHIS2's own (ValidationUtils), with Commons Validator's rules for addresses.
var (
	phonePattern    = regexp.MustCompile(`^[0-9+()#.\s/ext-]{6,50}$`)
	usernamePattern = regexp.MustCompile(`^[a-zA-Z0-9]([-_.@]?[a-zA-Z0-9]+)*$`)
	localPattern    = regexp.MustCompile("^[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]+(\\.[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]+)*$")
	hostPattern     = regexp.MustCompile(`^([a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\.)+[a-zA-Z]([a-zA-Z0-9-]{0,` +
		`61}[a-zA-Z0-9])?$`)

	textRules = map[string]textRule{
		"LETTER": {isLetter, "is not one single letter", "map it to one letter"},
		"PHONE_NUMBER": {phonePattern.MatchString, "is not a phone number",
			"6 to 50 digits, spaces and + ( ) # . / - are understood"},
		"EMAIL": {isEmail, "is not an e-mail address", "check the address in the source"},
		"URL":   {isURL, "is not a web address", "give the whole address, beginning with https://"},
		"USERNAME": {isUsername, "is not a DHIS2 user name",
			"give the name with which the user logs in, 4 to 255 letters and digits"},
	}
)

func isLetter(s string) bool {
	r, size := utf8.DecodeRuneInString(s)
	return size == len(s) && unicode.IsLetter(r)
}

func isUsername(s string) bool {
	return len(s) >= 4 && len(s) <= 255 && usernamePattern.MatchString(s)
}

func isEmail(s string) bool {
	at := strings.LastIndexByte(s, '@')
	return at > 0 && at <= 64 && localPattern.MatchString(s[:at]) && isDomain(s[at+1:])
}

func isURL(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.User != nil || strings.ContainsAny(s, " \t\n") {
		return false
	}
	switch strings.ToLower(u.Scheme) {
	case "http", "https", "ftp":
	default:
		return false
	}
	host := u.Hostname()
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Is4()
	}
	return isDomain(host)
}

// isDomain tells whether a host name ends in a top level domain that exists, as Commons Validator asks.
func isDomain(s string) bool {
	if len(s) > 253 || !hostPattern.MatchString(s) {
		return false
	}
	suffix, known := publicsuffix.PublicSuffix(strings.ToLower(s))
	return known || strings.Contains(suffix, ".")
}
