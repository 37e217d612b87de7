package expression

import (
	"strings"
	"unicode"

	"github.com/nyaruka/phonenumbers"
)

var (
	errPhone = fail(CodeWrongValue, "the text is not a phone number of the country",
		`give the country, as in phone(text, "KE"), or correct the number in the source`)
	errPhoneText = fail(CodeWrongValue, "the phone number holds letters",
		"leave only the number in the source; words belong into a field of their own")
	errPhones = fail(CodeWrongValue, "the text holds several phone numbers",
		`take one of them in the rule, such as phone(split(text, "/")[0], "KE"), or give each a column of its own`)
	errPhoneDigits = fail(CodeWrongValue,
		"the phone number is written with an exponent, as spreadsheets do, and its last digits are lost",
		"format the column as text and enter the number again")
)

// callPhone gives a phone number in its international form.
func callPhone(f *frame, a []any) (any, error) {
	s := strings.TrimSpace(a[0].(string))
	if s == "" {
		return "", nil
	}
	if err := f.reads(phoneCost); err != nil {
		return nil, err
	}
	if len(s) > 100 {
		return nil, errPhone
	}
	if digits, ok := strings.CutSuffix(s, ".0"); ok && isDigits(strings.TrimPrefix(digits, "+")) {
		s = digits // of a spreadsheet that took the number for an amount
	}
	if err := onePhone(s); err != nil {
		return nil, err
	}
	country, _ := a[1].(string)
	if rest, ok := strings.CutPrefix(s, "00"); ok {
		// The prefix with which most of the world dials abroad.
		if n, err := phonenumbers.Parse("+"+rest, ""); err == nil && phonenumbers.IsValidNumber(n) {
			return phonenumbers.Format(n, phonenumbers.E164), nil
		}
	}
	n, err := phonenumbers.Parse(s, country)
	if err != nil || !phonenumbers.IsValidNumber(n) {
		return nil, errPhone
	}
	return phonenumbers.Format(n, phonenumbers.E164), nil
}

// onePhone refuses what is more or less than one number: the library for phone numbers reads
// letters as the keys of a telephone, and takes the first of several.
func onePhone(s string) error {
	digits, letters, long := 0, false, 0
	for _, r := range s {
		switch {
		case unicode.IsDigit(r):
			digits++
		case unicode.IsLetter(r):
			letters = true
		case strings.ContainsRune("/,;&|\n", r):
			if digits >= 6 {
				long++
			}
			digits = 0
		}
	}
	if digits >= 6 {
		long++
	}
	switch {
	case isExponent(s):
		return errPhoneDigits
	case long > 1 || digits > 16:
		return errPhones
	case letters:
		return errPhoneText
	}
	return nil
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// isExponent tells whether a number is written as spreadsheets write long ones: 2.54722E+11.
func isExponent(s string) bool {
	mantissa, exponent, ok := strings.Cut(strings.ToUpper(s), "E")
	if !ok || !isDigits(strings.TrimLeft(exponent, "+")) {
		return false
	}
	whole, fraction, _ := strings.Cut(strings.Replace(mantissa, ",", ".", 1), ".")
	return isDigits(whole) && (fraction == "" || isDigits(fraction))
}
